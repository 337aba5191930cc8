// Reports: goes through the day files of the period and lets the report collect.
#include <algorithm>
#include <limits>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "cdr/archived_days.hpp"
#include "cdr/call_facts_columns.hpp"
#include "cdr/call_facts_sqlite.hpp"
#include "cdr/cdr_sqlite.hpp"
#include "cdr/corrections_sqlite.hpp"
#include "cdr/day_files.hpp"
#include "cdr/query_guards.hpp"
#include "cdr/report_collectors.hpp"
#include "cdr/slot_sums_sqlite.hpp"
#include "cdr/time_box.hpp"
#include "tandem/call_reports.hpp"

namespace tandem {
namespace {

Result<void> check(const CallReportRequest& request) {
  const auto in = [](std::int64_t value, std::int64_t low, std::int64_t high) {
    return value >= low && value <= high;
  };
  const auto wrong = [](const char* what, const std::string& value) {
    return Error{ErrorCode::invalid_argument, what + (" " + value) + " was out of its range"};
  };
  const GhostRules& ghost = request.ghost;
  if (request.kind > CallReportKind::ghost_calls)
    return wrong("report", std::to_string(static_cast<int>(request.kind)));
  if (request.by > ReportSlot::month)
    return wrong("slot", std::to_string(static_cast<int>(request.by)));
  if (request.limit < 1 || request.limit > 100'000)
    return wrong("limit", std::to_string(request.limit));
  if (!in(ghost.long_s, 1, 86'400)) return wrong("long_s", std::to_string(ghost.long_s));
  if (!in(ghost.calls_min, 1, 1'000'000))
    return wrong("calls_min", std::to_string(ghost.calls_min));
  if (!in(ghost.cluster_percent, 1, 100))
    return wrong("cluster_percent", std::to_string(ghost.cluster_percent));
  if (!in(ghost.same_duration_s, 0, 86'400))
    return wrong("same_duration_s", std::to_string(ghost.same_duration_s));
  if (!in(ghost.acd_factor, 2, 1'000)) return wrong("acd_factor", std::to_string(ghost.acd_factor));
  return {};
}

/// "+0 ms vendor-1 486 CalleeBusy after 210 ms; +215 ms vendor-2 200 NormalCallClearing after ...".
std::string ladder_of(const Cdr& cdr) {
  // Times of a damaged record may be anything.
  const auto ms_between = [](std::int64_t from_us, std::int64_t to_us) {
    std::int64_t us = 0;
    return std::to_string(__builtin_sub_overflow(to_us, from_us, &us) ? 0 : us / 1'000);
  };
  std::string text;
  for (const Attempt& attempt : cdr.attempts) {
    if (!text.empty()) text += "; ";
    text += '+' + ms_between(cdr.started_at_us, attempt.started_at_us) + " ms " +
            attempt.vendor_gateway + ' ' + std::to_string(attempt.sip_status) + ' ' +
            (attempt.reason == Reason::none ? "none" : reason_facts(attempt.reason).name) +
            " after " + ms_between(attempt.started_at_us, attempt.ended_at_us) + " ms";
  }
  return text;
}

/// C-11d: the latest calls, each with its ladder.
Result<CallReport> list_calls(const CdrPlace& place, const CallReportRequest& request,
                              const CdrGuards& guards, const Clock* clock) {
  CallReport report;
  report.kind = request.kind;
  report.columns = {
      "record_id",        "call_id",        "started_at_us", "answered_at_us", "ended_at_us",
      "customer_gateway", "vendor_gateway", "account",       "caller",         "callee",
      "pdd_ms",           "talk_time_ms",   "fee",           "currency",       "end_reason",
      "sip_status",       "release_side",   "ladder"};
  auto cursor = CdrStore(place, guards, clock).cursor(request.filter);
  if (!cursor) return std::move(cursor).error();
  while (report.rows.size() < request.limit) {
    auto next = cursor->next();
    if (!next) return std::move(next).error();
    if (!*next) break;
    const Cdr& cdr = **next;
    report.rows.push_back(
        {static_cast<std::int64_t>(cdr.record_id), cdr.call_id, cdr.started_at_us,
         cdr.answered_at_us, cdr.ended_at_us, cdr.customer_gateway.value_or(""),
         cdr.vendor_gateway.value_or(""), cdr.customer.account, cdr.caller, cdr.callee, cdr.pdd_ms,
         cdr.talk_time_ms, cdr.customer.charge, cdr.customer.currency,
         std::string(cdr.end_reason == Reason::none ? "none" : reason_facts(cdr.end_reason).name),
         std::int64_t{cdr.sip_status}, std::string(release_side_name(cdr.release_side)),
         ladder_of(cdr)});
  }
  report.records_read = report.rows.size();
  return report;
}

/// Columns that could not be read during a report.
class AvoidedColumns {
 public:
  void add(std::int64_t day) { days_.push_back(day); }
  [[nodiscard]] bool has(std::int64_t day) const {
    // A report does not begin anew for each of many.
    return days_.size() >= days_max || std::find(days_.begin(), days_.end(), day) != days_.end();
  }

 private:
  static constexpr std::size_t days_max = 4;
  std::vector<std::int64_t> days_;
};

/// Reads the calls of one day file into the collector.
class Collecting {
 public:
  Collecting(cdr::ReportCollector& collector, const CdrFilter& filter, const CdrGuards& guards,
             cdr::TimeBox& box, store::Connection* corrections, AvoidedColumns& avoided)
      : collector_(collector),
        filter_(filter),
        guards_(guards),
        box_(box),
        corrections_(corrections),
        avoided_(avoided) {}

  Result<void> day(const std::string& folder, std::int64_t day) {
    if (box_.is_over()) return box_.failure(records_);
    if (auto known = read_differences(day); !known) return known;
    // What they say the day file says too, only slower.
    if (!avoided_.has(day)) {
      if (auto columns = cdr::DayColumns::open(folder, day)) {
        auto done = this->day(*columns, day);
        if (must_begin_anew_) cdr::DayColumns::give_up(folder, day);
        return done;
      }
    }
    auto rows = cdr::open_day_to_read(folder, day, filter_.skips_archived, box_.watch());
    if (!rows) return std::move(rows).error();
    if (!*rows) return {};
    auto reader = cdr::CallFactsReader::open(**rows, filter_, collector_.wanted());
    if (!reader) return std::move(reader).error();
    return collect(*reader);
  }
  [[nodiscard]] std::uint64_t records() const noexcept { return records_; }
  /// Whether columns could not be read after calls of theirs were taken: the report has to begin
  /// anew, and avoids them.
  [[nodiscard]] bool must_begin_anew() const noexcept { return must_begin_anew_; }

 private:
  Result<void> day(cdr::DayColumns& columns, std::int64_t day) {
    auto reader =
        cdr::ColumnFactsReader::open(columns, filter_, collector_.wanted(), *box_.watch());
    auto done = reader ? collect(*reader) : failure(std::move(reader).error());
    if (!done && has_reader_failed_) {
      avoided_.add(day);
      must_begin_anew_ = true;
    }
    return done;
  }
  Result<void> failure(Error error) {
    if (error.code == ErrorCode::timeout) return box_.failure(records_);
    has_reader_failed_ = true;
    return error;
  }
  template <class Reader>
  Result<void> collect(Reader& reader) {
    constexpr std::uint64_t looks_each = 4'096;
    cdr::CallFacts call;
    for (std::uint64_t count = 1;; ++count) {
      auto row = reader.next(call);
      if (!row) return failure(std::move(row).error());
      if (!*row) return {};
      if (guards_.rows_max > 0 && records_ >= guards_.rows_max) {
        return Error{ErrorCode::limit, "more than " + std::to_string(guards_.rows_max) +
                                           " records matched; narrow the period or the filter"};
      }
      if (count % looks_each == 0 && box_.is_over()) return box_.failure(records_);
      ++records_;
      correct(call);
      if (auto done = collector_.add(call); !done) return done;
    }
  }
  /// What corrections changed of the calls of a day.
  Result<void> read_differences(std::int64_t day) {
    differences_.clear();
    if (corrections_ == nullptr) return {};
    auto found = cdr::corrected_sides(*corrections_, day * cdr::day_us, (day + 1) * cdr::day_us);
    if (!found) return std::move(found).error();
    for (const cdr::SideDifference& one : *found) {
      Difference& of_call = differences_[static_cast<std::int64_t>(one.record_id)];
      if (one.side == CallSide::vendor) of_call.vendor_fee_units = one.charge.units();
      if (one.side != CallSide::customer) continue;
      of_call.fee_units = one.charge.units();
      of_call.billed_time_s = one.billed_time_s;
    }
    return {};
  }
  void correct(cdr::CallFacts& call) const {
    if (differences_.empty()) return;
    const auto found = differences_.find(call.record_id);
    if (found == differences_.end()) return;
    call.fee_units += found->second.fee_units;
    call.billed_time_s += found->second.billed_time_s;
    call.vendor_fee_units += found->second.vendor_fee_units;
  }

  struct Difference {
    std::int64_t fee_units = 0;
    std::int64_t billed_time_s = 0;
    std::int64_t vendor_fee_units = 0;
  };

  cdr::ReportCollector& collector_;
  const CdrFilter& filter_;
  const CdrGuards& guards_;
  cdr::TimeBox& box_;
  store::Connection* const corrections_;
  AvoidedColumns& avoided_;
  bool has_reader_failed_ = false;
  bool must_begin_anew_ = false;
  std::unordered_map<std::int64_t, Difference> differences_;  // of the day, by record
  std::uint64_t records_ = 0;
};

/// Gives a collector of sums what corrections changed of calls, which sums do not know: takes
/// the calls as they were and adds what is another since.
class Differing final : public cdr::ReportCollector {
 public:
  Differing(const std::vector<cdr::SideDifference>& differences, const CdrFilter& filter,
            cdr::ReportCollector& sums)
      : filter_(filter), sums_(sums) {
    for (const cdr::SideDifference& one : differences) {
      Change& of_call = changes_[static_cast<std::int64_t>(one.record_id)];
      if (one.side == CallSide::vendor) of_call.vendor_fee_units += one.charge.units();
      if (one.side != CallSide::customer) continue;
      of_call.fee_units += one.charge.units();
      of_call.billed_time_s += one.billed_time_s;
    }
  }
  cdr::Facts wanted() const override {
    return cdr::metrics_facts |
           cdr::Facts(cdr::Fact::customer_gateway, cdr::Fact::rate_deck, cdr::Fact::rate_prefix);
  }
  Result<void> add(const cdr::CallFacts& call) override {
    const auto found = changes_.find(call.record_id);
    if (found == changes_.end()) return {};
    cdr::SlotSums sums;
    sums.metrics.billed_time_s = found->second.billed_time_s;
    if (!call.currency.empty()) sums.metrics.money.of(call.currency).fee = found->second.fee_units;
    if (!call.vendor_currency.empty())
      sums.metrics.money.of(call.vendor_currency).vendor_fee = found->second.vendor_fee_units;
    changes_.erase(found);
    if (!sums_.judges_vendor_gateway())
      return sums_.add_slot(
          {call.ended_at_us, call.customer_gateway, call.rate_deck, call.rate_prefix, &sums});
    for (const cdr::LegFacts& leg : call.legs) {  // money is that of the attempt that was answered
      if (!leg.is_answered ||
          (!filter_.vendor_gateway.empty() && leg.gateway != filter_.vendor_gateway))
        continue;
      auto done = sums_.add_slot({call.ended_at_us, leg.gateway, "", call.rate_prefix, &sums});
      if (!done) return done;
    }
    return {};
  }
  Result<void> finish(CallReport&) override { return {}; }

 private:
  struct Change {
    std::int64_t fee_units = 0;
    std::int64_t billed_time_s = 0;
    std::int64_t vendor_fee_units = 0;
  };
  const CdrFilter& filter_;
  cdr::ReportCollector& sums_;
  std::unordered_map<std::int64_t, Change> changes_;  // of calls that were not seen yet
};

/// Whether the sums that are kept have told the collector all, with what was corrected since.
/// `records_read`: of corrected days.
Result<bool> told_by_slots(const CdrPlace& place, const CallReportRequest& asked,
                           const TimeZone& zone, std::int64_t now_us, const CdrGuards& guards,
                           cdr::TimeBox& box, cdr::ReportCollector& collector,
                           std::uint64_t& records_read) {
  if (!asked.filter.since_us) return false;
  auto stored = cdr::stored_position(place.folder);
  if (!stored) return std::move(stored).error();
  auto corrections =
      cdr::open_corrections(collector.shows_money() ? place.database : std::string());
  if (!corrections) return std::move(corrections).error();
  std::vector<cdr::SideDifference> differences;
  std::set<std::int64_t> days;
  if (*corrections) {
    constexpr std::int64_t end_of_time = std::numeric_limits<std::int64_t>::max();
    auto found = cdr::corrected_sides(**corrections, *asked.filter.since_us,
                                      asked.filter.until_us.value_or(end_of_time));
    if (!found) return std::move(found).error();
    differences = std::move(*found);
    for (const cdr::SideDifference& one : differences)
      days.insert(cdr::day_of(one.ended_at_us));
  }
  // Which sums a corrected call is in only its record says.
  for (const std::int64_t day : days) {
    auto rows = cdr::open_whole_day(place.folder, day);
    if (!rows) return std::move(rows).error();
    if (!*rows) return false;
  }
  auto told = cdr::collect_slots(place.slots, asked, zone, {*stored, now_us}, box, collector);
  if (!told || !*told || days.empty()) return told;
  CdrFilter filter = asked.filter;
  if (collector.judges_vendor_gateway()) filter.vendor_gateway.clear();
  Differing differing(differences, asked.filter, collector);
  AvoidedColumns avoided;
  Collecting collecting(differing, filter, guards, box, nullptr, avoided);
  for (const std::int64_t day : days) {
    auto done = collecting.day(place.folder, day);
    // By its file then; a call that was seen is not counted again.
    if (!done && collecting.must_begin_anew()) done = collecting.day(place.folder, day);
    if (!done) return std::move(done).error();
  }
  records_read = collecting.records();
  return true;
}

}  // namespace

Result<CallReport> call_report(const CdrPlace& place, const CallReportRequest& request,
                               const CdrGuards& guards, const Clock* clock,
                               const RateLevel& level) {
  if (auto done = check(request); !done) return std::move(done).error();
  if (request.kind == CallReportKind::calls) return list_calls(place, request, guards, clock);
  const SystemClock system_clock;
  const Clock& time = clock != nullptr ? *clock : system_clock;
  const std::int64_t now_us = time.wall_us();
  auto guarded = cdr::guarded_filter(request.filter, guards, now_us);
  if (!guarded) return std::move(guarded).error();
  const auto zone = TimeZone::load(request.timezone);
  if (!zone) return zone.error();
  CallReportRequest asked = request;
  asked.filter = std::move(*guarded);
  auto collector = cdr::make_collector(asked, *zone, level, now_us);
  cdr::TimeBox box(time, guards.time_max_ms);
  const cdr::TimeBoxScope inside(box);
  if (!place.slots.empty()) {
    CallReport report;
    report.kind = request.kind;
    auto is_told =
        told_by_slots(place, asked, *zone, now_us, guards, box, *collector, report.records_read);
    if (!is_told) return std::move(is_told).error();
    if (*is_told) {
      if (auto done = collector->finish(report); !done) return std::move(done).error();
      return report;
    }
  }

  CdrFilter filter = asked.filter;  // of the rows
  if (collector->judges_vendor_gateway()) filter.vendor_gateway.clear();
  if (filter.until_us &&
      __builtin_add_overflow(*filter.until_us, collector->look_ahead_us(), &*filter.until_us))
    filter.until_us.reset();
  // Before the work of the others; what is archived later is found when its turn comes.
  if (auto done = cdr::check_days_online(place.folder, filter); !done)
    return std::move(done).error();
  auto days = cdr::stored_days_of(place.folder);
  if (!days) return std::move(days).error();
  auto corrections = cdr::open_corrections(place.database);
  if (!corrections) return std::move(corrections).error();
  AvoidedColumns avoided;
  std::uint64_t records_read = 0;
  for (bool is_done = false; !is_done;) {
    Collecting collecting(*collector, filter, guards, box, *corrections ? &**corrections : nullptr,
                          avoided);
    is_done = true;
    for (const std::int64_t day : *days) {
      if ((filter.until_us && day * cdr::day_us >= *filter.until_us) ||
          (filter.since_us && day < cdr::day_of(*filter.since_us)))
        continue;
      auto done = collecting.day(place.folder, day);
      if (done) continue;
      if (!collecting.must_begin_anew()) return std::move(done).error();
      collector = cdr::make_collector(asked, *zone, level, now_us);
      is_done = false;
      break;
    }
    records_read = collecting.records();
  }
  CallReport report;
  report.kind = request.kind;
  report.records_read = records_read;
  if (auto done = collector->finish(report); !done) return std::move(done).error();
  return report;
}

}  // namespace tandem
