#include "cdr/report_collectors.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "cdr/day_files.hpp"
#include "cdr/report_slots.hpp"
#include "cdr/report_sums.hpp"
#include "tandem/phones.hpp"

namespace tandem::cdr {
namespace {

constexpr std::int64_t second_us = 1'000'000;

/// Adds the cells of one row; the first failure of any is kept.
class RowMaker {
 public:
  template <class Value>
  RowMaker& cell(Value value) {
    row_.emplace_back(std::move(value));
    return *this;
  }
  RowMaker& text(std::string value) { return cell(std::move(value)); }
  RowMaker& count(std::uint64_t value) { return cell(static_cast<std::int64_t>(value)); }
  RowMaker& sum(WideSum value, const char* what) {
    const auto number = narrowed(value, what);
    return number ? cell(*number) : fail(number.error());
  }
  RowMaker& money(WideSum value, const char* what) {
    const auto units = narrowed(value, what);
    return units ? cell(Amount::from_units(*units)) : fail(units.error());
  }
  RowMaker& nothing(std::size_t cells = 1) {
    row_.resize(row_.size() + cells);
    return *this;
  }
  Result<void> add_to(CallReport& report) {
    if (failure_) return std::move(*failure_);
    report.rows.push_back(std::move(row_));
    return {};
  }

 private:
  RowMaker& fail(const Error& error) {
    if (!failure_) failure_ = error;
    return *this;
  }
  std::vector<ReportCell> row_;
  std::optional<Error> failure_;
};

std::string reasons_text(const ReasonCounts& counts) {
  std::string text;
  for (const auto& [reason, count] : counts.sorted()) {
    if (!text.empty()) text += ' ';
    text += reason == Reason::none ? "none" : reason_facts(reason).name;
    append_integer(text += ':', count);
  }
  return text;
}

// --- C-11a, b, f, g, h, i: the metrics of C-10 by gateway, area and time ---

/// What a report of metrics groups by, beside the slot.
struct Grouping {
  bool by_gateway = false;
  bool by_deck = false;
  bool by_area = false;
  bool counts_legs = false;
  bool shows_reasons = false;
  bool shows_share = false;
};

Grouping grouping_of(const CallReportRequest& request) {
  switch (request.kind) {
    case CallReportKind::customer_gateways:
      return {.by_gateway = true, .shows_reasons = true};
    case CallReportKind::vendor_gateways:
      return {.by_gateway = true, .counts_legs = true, .shows_reasons = true};
    case CallReportKind::areas:
      return {.by_deck = true, .by_area = true};
    case CallReportKind::gateway_areas:
      return {.by_gateway = true, .by_area = true, .counts_legs = request.is_vendor};
    case CallReportKind::area_totals:
      return {.by_area = true, .shows_share = true};
    default:
      return {};
  }
}

class MetricsCollector final : public ReportCollector {
 public:
  MetricsCollector(const CallReportRequest& request, TimeZone zone)
      : request_(request),
        grouping_(grouping_of(request)),
        slots_(request.kind == CallReportKind::days ? ReportSlot::hour : request.by,
               std::move(zone)) {}

  Facts wanted() const override {
    Facts facts = metrics_facts;
    if (grouping_.by_gateway && !grouping_.counts_legs) facts = facts | Fact::customer_gateway;
    if (grouping_.by_deck) facts = facts | Fact::rate_deck;
    if (grouping_.by_area) facts = facts | Fact::rate_prefix;
    return facts;
  }
  bool judges_vendor_gateway() const override { return grouping_.counts_legs; }

  Result<void> add(const CallFacts& call) override {
    if (!grouping_.counts_legs) return count(call.customer_gateway, trial_of(call), call, true);
    for (const LegFacts& leg : call.legs) {
      if (!request_.filter.vendor_gateway.empty() && leg.gateway != request_.filter.vendor_gateway)
        continue;
      auto done = count(leg.gateway, trial_of(leg), call, leg.is_answered);
      if (!done) return done;
    }
    return {};
  }

  Result<void> add_slot(const KeptSlot& slot) override {
    auto value = at(slot.start_us, slot.gateway, slot.rate_deck, slot.rate_prefix);
    if (!value) return std::move(value).error();
    (*value)->add(*slot.sums);
    return {};
  }

  Result<void> finish(CallReport& report) override {
    add_columns(report.columns);
    const auto& groups = groups_.sorted();
    WideSum talk_ms = 0;
    for (const auto& group : groups)
      talk_ms += group.value.metrics.talk_time_ms;
    for (const auto& group : groups) {
      if (auto done = add_rows(group, talk_ms, report); !done) return done;
    }
    return {};
  }

 private:
  using Value = SlotSums;

  Result<Value*> at(std::int64_t time_us, std::string_view gateway, std::string_view rate_deck,
                    std::string_view rate_prefix) {
    return groups_.at(slots_.start_us(time_us), grouping_.by_gateway ? gateway : std::string_view(),
                      grouping_.by_deck ? rate_deck : std::string_view(),
                      grouping_.by_area ? rate_prefix : std::string_view());
  }

  Result<void> count(std::string_view gateway, const Trial& trial, const CallFacts& call,
                     bool has_money) {
    auto value = at(call.ended_at_us, gateway, call.rate_deck, call.rate_prefix);
    if (!value) return std::move(value).error();
    (*value)->metrics.count(trial, call, has_money);
    if (grouping_.shows_reasons) (*value)->reasons.add(trial.reason, 1);
    return {};
  }

  void add_columns(std::vector<std::string>& columns) const {
    if (request_.kind == CallReportKind::days) {
      columns = {"day", "hour"};
    } else if (slots_.kind() != ReportSlot::none) {
      columns = {"from"};
    }
    if (grouping_.by_gateway) columns.emplace_back("gateway");
    if (grouping_.by_deck) columns.emplace_back("rate_deck");
    if (grouping_.by_area) columns.emplace_back("rate_prefix");
    for (const char* name :
         {"attempts", "answered", "asr_percent", "acd_ms", "talk_time_ms", "minutes",
          "response_percent", "connected_percent", "ner_percent", "pdd_ms", "billed_time_s"})
      columns.emplace_back(name);
    if (grouping_.shows_share) columns.emplace_back("share_percent");
    if (grouping_.shows_reasons) columns.emplace_back("reasons");
    for (const char* name : {"currency", "fee", "package_fee", "vendor_fee", "profit"})
      columns.emplace_back(name);
  }

  void add_keys(const Groups<Value>::Group& group, RowMaker& row) const {
    if (request_.kind == CallReportKind::days) {
      const LocalTime at = slots_.local(group.slot_us);
      row.text(format_date(at.day * day_us)).cell(std::int64_t{at.second / 3'600});
    } else if (slots_.kind() != ReportSlot::none) {
      row.text(slots_.text(group.slot_us));
    }
    if (grouping_.by_gateway) row.text(group.parts[0]);
    if (grouping_.by_deck) row.text(group.parts[1]);
    if (grouping_.by_area) row.text(group.parts[2]);
  }

  /// A row for each currency; counts stand in the first, so that a column adds up.
  Result<void> add_rows(const Groups<Value>::Group& group, WideSum all_talk_ms,
                        CallReport& report) const {
    const Metrics& m = group.value.metrics;
    RowMaker row;
    add_keys(group, row);
    row.count(m.attempts).count(m.answered);
    row.cell(percent_cell(m.answered, m.attempts));
    row.cell(mean_cell(m.talk_time_ms, m.answered));
    row.sum(m.talk_time_ms, "talk time");
    const auto minutes = narrowed(m.talk_time_ms / 600, "talk time");
    if (!minutes) return minutes.error();
    row.cell(Hundredths{*minutes});
    row.cell(percent_cell(m.responses, m.attempts));
    row.cell(percent_cell(m.connected, m.attempts));
    row.cell(percent_cell(m.effective, m.attempts));
    row.cell(mean_cell(m.pdd_ms, m.alerted));
    row.sum(m.billed_time_s, "billed time");
    if (grouping_.shows_share) {
      if (all_talk_ms > 0) {
        row.cell(Hundredths{static_cast<std::int64_t>(m.talk_time_ms * 10'000 / all_talk_ms)});
      } else {
        row.nothing();
      }
    }
    if (grouping_.shows_reasons) row.text(reasons_text(group.value.reasons));
    const auto& currencies = m.money.all();
    if (currencies.empty()) return row.nothing(5).add_to(report);
    for (std::size_t i = 0; i < currencies.size(); ++i) {
      if (i > 0) {
        add_keys(group, row = RowMaker());
        row.nothing(11U + (grouping_.shows_share ? 1 : 0) + (grouping_.shows_reasons ? 1 : 0));
      }
      const MoneySums& sums = currencies[i].second;
      row.text(currencies[i].first);
      row.money(sums.fee, "fees").money(sums.package_fee, "package fees");
      row.money(sums.vendor_fee, "vendor fees").money(sums.fee - sums.vendor_fee, "profits");
      if (auto done = row.add_to(report); !done) return done;
    }
    return {};
  }

  const CallReportRequest& request_;
  const Grouping grouping_;
  ReportSlots slots_;
  Groups<Value> groups_;
};

// --- C-11c ---

/// Calls in progress and begun, second by second.
class Load {
 public:
  /// A day file has no more of them, and a period that is longer is asked for in parts.
  static constexpr std::size_t days_max = 128;

  /// Counts a call in every second from `begin_s` to `end_s`, both included; begun when `is_begun`.
  Result<void> add(std::int64_t begin_s, std::int64_t end_s, bool is_begun) {
    for (std::int64_t day = day_of_second(begin_s); day <= day_of_second(end_s); ++day) {
      auto seconds = this->day(day);
      if (!seconds) return std::move(seconds).error();
      const std::int64_t first = std::max(begin_s - day * day_s, std::int64_t{0});
      const std::int64_t last = std::min(end_s - day * day_s, day_s - 1);
      ++(*seconds)->steps[static_cast<std::size_t>(first)];
      --(*seconds)->steps[static_cast<std::size_t>(last) + 1];
      if (is_begun && first == begin_s - day * day_s)
        ++(*seconds)->begun[static_cast<std::size_t>(first)];
      is_begun = false;
    }
    return {};
  }

  /// Calls `visit(second, in_progress, begun)` for each second of the days that have calls.
  template <class Visit>
  void each(Visit&& visit) const {
    for (const auto& [number, seconds] : days_) {
      std::int64_t in_progress = 0;
      for (std::int64_t i = 0; i < day_s; ++i) {
        in_progress += seconds->steps[static_cast<std::size_t>(i)];
        visit(number * day_s + i, in_progress,
              std::int64_t{seconds->begun[static_cast<std::size_t>(i)]});
      }
    }
  }

 private:
  static constexpr std::int64_t day_s = 86'400;
  struct Day {
    std::array<std::int32_t, day_s + 1> steps{};
    std::array<std::int32_t, day_s> begun{};
  };
  static std::int64_t day_of_second(std::int64_t second) {
    return second >= 0 ? second / day_s : (second - day_s + 1) / day_s;
  }
  Result<Day*> day(std::int64_t number) {
    const auto found = days_.find(number);
    if (found != days_.end()) return found->second.get();
    if (days_.size() == days_max)
      return Error{ErrorCode::limit, "performance of more than " + std::to_string(days_max) +
                                         " days was asked for at once"};
    return days_.emplace(number, std::make_unique<Day>()).first->second.get();
  }
  std::map<std::int64_t, std::unique_ptr<Day>> days_;
};

class PerformanceCollector final : public ReportCollector {
 public:
  PerformanceCollector(const CallReportRequest& request, TimeZone zone, std::int64_t now_us)
      : filter_(request.filter),
        slots_(request.by == ReportSlot::none ? ReportSlot::hour : request.by, std::move(zone)),
        now_us_(now_us) {}

  Facts wanted() const override {
    return {Fact::started_at, Fact::answered_at, Fact::pdd, Fact::talk_time};
  }
  std::int64_t look_ahead_us() const override { return day_us; }
  bool shows_money() const override { return false; }

  Result<void> add(const CallFacts& call) override {
    if (!filter_.until_us || call.ended_at_us < *filter_.until_us) {
      auto value = groups_.at(slots_.start_us(call.ended_at_us));
      if (!value) return std::move(value).error();
      (*value)->sums.metrics.count(trial_of(call), call, true);
    }
    return count_seconds(call);
  }

  Result<void> add_slot(const KeptSlot& slot) override {
    auto value = groups_.at(slots_.start_us(slot.start_us));
    if (!value) return std::move(value).error();
    (*value)->sums.add(*slot.sums);
    return {};
  }

  Result<void> add_load(const KeptLoad& load) override {
    auto value = groups_.at(slots_.start_us(load.start_us));
    if (!value) return std::move(value).error();
    Value& v = **value;
    v.in_progress += load.call_seconds;
    v.in_progress_max = std::max(v.in_progress_max, load.calls_max);
    v.begun += load.begun;
    v.begun_max = std::max(v.begun_max, load.begun_max);
    v.queue_max = std::max(v.queue_max, load.queue_max);
    return {};
  }

  Result<void> finish(CallReport& report) override {
    report.columns = {"from",    "calls",    "answered",        "asr_percent",
                      "acd_ms",  "pdd_ms",   "concurrency_max", "concurrency_mean",
                      "cps_max", "cps_mean", "queue_max"};
    if (auto done = collect_load(); !done) return done;
    for (const auto& group : groups_.sorted()) {
      const Value& v = group.value;
      RowMaker row;
      row.text(slots_.text(group.slot_us));
      const Metrics& m = v.sums.metrics;
      row.count(m.attempts).count(m.answered);
      row.cell(percent_cell(m.answered, m.attempts));
      row.cell(mean_cell(m.talk_time_ms, m.answered));
      row.cell(mean_cell(m.pdd_ms, m.alerted));
      const std::int64_t seconds = seconds_of(group.slot_us);
      row.cell(v.in_progress_max).cell(Hundredths{v.in_progress * 100 / seconds});
      row.cell(v.begun_max).cell(Hundredths{v.begun * 100 / seconds});
      if (v.queue_max > 0) {
        row.cell(v.queue_max);
      } else {
        row.nothing();  // no record tells
      }
      if (auto done = row.add_to(report); !done) return done;
    }
    return {};
  }

 private:
  struct Value {
    SlotSums sums;
    std::int64_t in_progress = 0;  // call seconds
    std::int64_t in_progress_max = 0;
    std::int64_t begun = 0;
    std::int64_t begun_max = 0;
    std::int64_t queue_max = 0;  // 0: not known
  };

  Result<void> count_seconds(const CallFacts& call) {
    const auto [begin_s, end_s, is_begun] = seconds_of_call(call);
    const std::int64_t since_s = filter_.since_us ? second_of(*filter_.since_us) : begin_s;
    const std::int64_t last_s = filter_.until_us ? second_of(*filter_.until_us - 1) : end_s;
    const std::int64_t from_s = std::max(begin_s, since_s);
    const std::int64_t to_s = std::min(end_s, last_s);
    if (from_s > to_s) return {};
    return load_.add(from_s, to_s, is_begun && from_s == begin_s);
  }

  Result<void> collect_load() {
    Result<void> outcome;
    load_.each([&](std::int64_t second, std::int64_t in_progress, std::int64_t begun) {
      if (!outcome || (in_progress == 0 && begun == 0)) return;
      auto value = groups_.at(slots_.start_us(second * second_us));
      if (!value) {
        outcome = std::move(value).error();
        return;
      }
      Value& v = **value;
      v.in_progress += in_progress;
      v.in_progress_max = std::max(v.in_progress_max, in_progress);
      v.begun += begun;
      v.begun_max = std::max(v.begun_max, begun);
    });
    return outcome;
  }

  /// Seconds of a slot that lie in the period, and of the running one those that are over.
  std::int64_t seconds_of(std::int64_t slot_us) const {
    const std::int64_t next_us = slots_.end_us(slot_us);
    std::int64_t first_s = second_of(slot_us);
    std::int64_t last_s = second_of(next_us - 1);
    if (filter_.since_us) first_s = std::max(first_s, second_of(*filter_.since_us));
    if (filter_.until_us) last_s = std::min(last_s, second_of(*filter_.until_us - 1));
    if (slot_us <= now_us_ && now_us_ < next_us) last_s = std::min(last_s, second_of(now_us_));
    return std::max<std::int64_t>(last_s - first_s + 1, 1);
  }

  const CdrFilter& filter_;
  ReportSlots slots_;
  const std::int64_t now_us_;
  Groups<Value> groups_;
  Load load_;
};

// --- C-11e ---

class FailureCollector final : public ReportCollector {
 public:
  FailureCollector(const CallReportRequest& request, TimeZone zone)
      : request_(request), slots_(request.by, std::move(zone)) {}

  Facts wanted() const override {
    return request_.is_vendor ? Facts(Fact::legs)
                              : Facts(Fact::customer_gateway, Fact::answered_at, Fact::reason);
  }
  bool judges_vendor_gateway() const override { return request_.is_vendor; }
  bool shows_money() const override { return false; }

  Result<void> add_failures(const KeptFailures& kept) override {
    auto value = group(kept.start_us, kept.gateway, kept.reason);
    if (!value) return std::move(value).error();
    (*value)->count += kept.count;
    (*value)->samples.add(*kept.latest);
    return {};
  }

  Result<void> add(const CallFacts& call) override {
    if (!request_.is_vendor) {
      if (call.is_answered()) return {};
      return count(call.customer_gateway, call.reason, call);
    }
    for (const LegFacts& leg : call.legs) {
      if (leg.is_answered || (!request_.filter.vendor_gateway.empty() &&
                              leg.gateway != request_.filter.vendor_gateway))
        continue;
      if (auto done = count(leg.gateway, leg.reason, call); !done) return done;
    }
    return {};
  }

  Result<void> finish(CallReport& report) override {
    if (request_.by != ReportSlot::none) report.columns = {"from"};
    for (const char* name : {"gateway", "reason", "count", "share_percent", "samples"})
      report.columns.emplace_back(name);
    std::map<std::pair<std::int64_t, std::string>, std::uint64_t> totals;
    for (const auto& group : groups_.sorted())
      totals[{group.slot_us, group.parts[0]}] += group.value.count;
    for (const auto& group : groups_.sorted()) {
      RowMaker row;
      if (request_.by != ReportSlot::none) row.text(slots_.text(group.slot_us));
      row.text(group.parts[0]).text(group.parts[1]).count(group.value.count);
      row.cell(percent_cell(group.value.count, totals[{group.slot_us, group.parts[0]}]));
      if (auto done = row.text(group.value.samples.text()).add_to(report); !done) return done;
    }
    return {};
  }

 private:
  struct Value {
    std::uint64_t count = 0;
    LatestRecords samples;
  };
  Result<Value*> group(std::int64_t time_us, std::string_view gateway, Reason reason) {
    return groups_.at(
        slots_.start_us(time_us), gateway,
        std::string_view(reason == Reason::none ? "none" : reason_facts(reason).name));
  }
  Result<void> count(std::string_view gateway, Reason reason, const CallFacts& call) {
    auto value = group(call.ended_at_us, gateway, reason);
    if (!value) return std::move(value).error();
    ++(*value)->count;
    (*value)->samples.add(call.record_id);
    return {};
  }
  const CallReportRequest& request_;
  ReportSlots slots_;
  Groups<Value> groups_;
};

// --- C-12 ---

class StatementCollector final : public ReportCollector {
 public:
  StatementCollector(const CallReportRequest& request, TimeZone zone, const RateLevel& level)
      : request_(request), level_(level), slots_(request.by, std::move(zone)) {}

  Facts wanted() const override {
    Facts facts(Fact::started_at, Fact::account, Fact::currency, Fact::rate_deck, Fact::rate_prefix,
                Fact::billed_time, Fact::fee, Fact::package_fee, Fact::package_time,
                Fact::call_level);
    if (request_.kind == CallReportKind::phone_statement) facts = facts | Fact::customer_gateway;
    return facts;
  }

  Result<void> add(const CallFacts& call) override {
    std::string_view whose = call.account;
    if (request_.kind == CallReportKind::phone_statement) {
      if (!call.customer_gateway.starts_with(phone_id_prefix)) return {};
      whose = call.customer_gateway.substr(std::string_view(phone_id_prefix).size());
    } else if (request_.kind == CallReportKind::area_statement) {
      whose = call.rate_prefix;
    }
    if (request_.kind != CallReportKind::area_statement && call.account.empty()) return {};
    auto value = groups_.at(slots_.start_us(call.ended_at_us), whose, call.currency);
    if (!value) return std::move(value).error();
    (*value)->all.count(call);
    CallLevel level = call.call_level;
    // None: of a record of before, or there was none.
    if (level == CallLevel::none && level_)
      level = level_(call.rate_deck, call.rate_prefix, call.started_at_us);
    for (std::size_t i = 0; i < levels.size(); ++i) {
      if (level == levels[i].level) (*value)->by_level[i].count(call);
    }
    return {};
  }

  Result<void> finish(CallReport& report) override {
    if (request_.by != ReportSlot::none) report.columns = {"from"};
    report.columns.emplace_back(request_.kind == CallReportKind::phone_statement  ? "phone"
                                : request_.kind == CallReportKind::area_statement ? "rate_prefix"
                                                                                  : "account");
    report.columns.emplace_back("currency");
    add_columns(report.columns, "");
    for (const NamedLevel& level : levels)
      add_columns(report.columns, level.column_prefix);
    for (const auto& group : groups_.sorted()) {
      RowMaker row;
      if (request_.by != ReportSlot::none) row.text(slots_.text(group.slot_us));
      row.text(group.parts[0]).text(group.parts[1]);
      group.value.all.add_to(row);
      for (const Sums& sums : group.value.by_level)
        sums.add_to(row);
      if (auto done = row.add_to(report); !done) return done;
    }
    return {};
  }

 private:
  struct NamedLevel {
    CallLevel level;
    const char* column_prefix;
  };
  static constexpr std::array<NamedLevel, 4> levels = {
      {{CallLevel::internal, "internal_"},
       {CallLevel::local, "local_"},
       {CallLevel::domestic, "domestic_"},
       {CallLevel::international, "international_"}}};
  struct Sums {
    std::uint64_t calls = 0;
    WideSum fee = 0;
    WideSum billed_time_s = 0;
    WideSum package_fee = 0;
    WideSum package_time_s = 0;
    void count(const CallFacts& call) {
      ++calls;
      fee += call.fee_units;
      billed_time_s += call.billed_time_s;
      package_fee += call.package_fee_units;
      package_time_s += call.package_time_s;
    }
    void add_to(RowMaker& row) const {
      row.count(calls).money(fee, "fees").sum(billed_time_s, "billed time");
      row.money(package_fee, "package fees").sum(package_time_s, "package time");
    }
  };
  struct Value {
    Sums all;
    std::array<Sums, levels.size()> by_level;
  };
  static void add_columns(std::vector<std::string>& columns, const std::string& before) {
    for (const char* name : {"calls", "fee", "billed_time_s", "package_fee", "package_time_s"})
      columns.push_back(before + name);
  }
  const CallReportRequest& request_;
  const RateLevel& level_;
  ReportSlots slots_;
  Groups<Value> groups_;
};

// --- ghost calls ---

class GhostCollector final : public ReportCollector {
 public:
  explicit GhostCollector(const CallReportRequest& request) : rules_(request.ghost) {}

  Facts wanted() const override {
    return {Fact::answered_at,
            Fact::talk_time,
            Fact::customer_gateway,
            Fact::vendor_gateway,
            Fact::account,
            Fact::rate_prefix,
            Fact::fee,
            Fact::package_fee,
            Fact::reason,
            Fact::release_side};
  }

  Result<void> add(const CallFacts& call) override {
    if (!call.is_answered()) return {};
    Result<void> outcome;
    const auto count = [&](Groups<Pattern>& groups, auto... parts) {
      if (!outcome) return;
      auto pattern = groups.at(0, std::string_view(parts)...);
      if (!pattern) {
        outcome = std::move(pattern).error();
        return;
      }
      ++(*pattern)->calls;
      (*pattern)->talk_time_ms += call.talk_time_ms;
      (*pattern)->samples.add(call.record_id);
    };
    count(vendors_, call.vendor_gateway);
    count(routes_, call.vendor_gateway, call.rate_prefix);
    count(areas_, call.rate_prefix);
    const WideSum paid = WideSum{call.fee_units} + call.package_fee_units;
    if (!call.account.empty() && call.talk_time_ms / 1'000 >= rules_.long_s &&
        paid <= rules_.tiny_fee.units())
      count(uncharged_, call.customer_gateway, call.vendor_gateway, call.rate_prefix);
    const std::int64_t talk_s = call.talk_time_ms / 1'000;
    if (talk_s >= rules_.same_duration_s)
      count(durations_, call.vendor_gateway, std::to_string(talk_s));
    if (call.release_side == ReleaseSide::server)
      count(ended_by_us_, call.vendor_gateway,
            call.reason == Reason::none ? "none" : reason_facts(call.reason).name);
    return outcome;
  }

  Result<void> finish(CallReport& report) override {
    report.columns = {"finding", "customer_gateway", "vendor_gateway", "rate_prefix",
                      "calls",   "talk_time_ms",     "detail",         "samples"};
    for (const auto& group : uncharged_.sorted()) {
      auto done = add("uncharged_long_calls", group.parts[0], group.parts[1], group.parts[2],
                      group.value, "charged at most " + rules_.tiny_fee.to_string(), report);
      if (!done) return done;
    }
    for (const auto& group : durations_.sorted()) {
      auto done = add_cluster("same_duration", group, group.parts[1] + " s each", report);
      if (!done) return done;
    }
    for (const auto& group : ended_by_us_.sorted()) {
      auto done = add_cluster("ended_by_switch", group, group.parts[1], report);
      if (!done) return done;
    }
    return add_abnormal_routes(report);
  }

 private:
  struct Pattern {
    std::uint64_t calls = 0;
    WideSum talk_time_ms = 0;
    LatestRecords samples;
  };

  static Result<void> add(const char* finding, const std::string& customer,
                          const std::string& vendor, const std::string& prefix,
                          const Pattern& pattern, const std::string& detail, CallReport& report) {
    RowMaker row;
    row.text(finding).text(customer).text(vendor).text(prefix).count(pattern.calls);
    row.sum(pattern.talk_time_ms, "talk time").text(detail).text(pattern.samples.text());
    return row.add_to(report);
  }

  [[nodiscard]] bool is_many(std::uint64_t calls) const {
    return WideSum{calls} >= rules_.calls_min;
  }

  /// A pattern that is a large share of what the vendor of the first part answered.
  Result<void> add_cluster(const char* finding, const Groups<Pattern>::Group& group,
                           const std::string& what, CallReport& report) {
    auto all = vendors_.at(0, group.parts[0]);
    if (!all) return std::move(all).error();
    const WideSum share = WideSum{group.value.calls} * 100;
    if (!is_many(group.value.calls) || share < WideSum{(*all)->calls} * rules_.cluster_percent)
      return {};
    return add(finding, "", group.parts[0], "", group.value,
               what + ", of " + std::to_string((*all)->calls) + " answered calls", report);
  }

  /// Routes whose calls are much longer or shorter than those of all others to the same area.
  Result<void> add_abnormal_routes(CallReport& report) {
    for (const auto& group : routes_.sorted()) {
      const Pattern& route = group.value;
      auto area = areas_.at(0, group.parts[1]);
      if (!area) return std::move(area).error();
      const std::uint64_t other_calls = (*area)->calls - route.calls;
      if (!is_many(route.calls) || !is_many(other_calls)) continue;
      const WideSum acd_ms = route.talk_time_ms / static_cast<WideSum>(route.calls);
      const WideSum others_ms =
          ((*area)->talk_time_ms - route.talk_time_ms) / static_cast<WideSum>(other_calls);
      if (acd_ms < others_ms * rules_.acd_factor && others_ms < acd_ms * rules_.acd_factor)
        continue;
      if (acd_ms == others_ms) continue;  // both zero
      auto done =
          add("abnormal_acd", "", group.parts[0], group.parts[1], route,
              "ACD " + std::to_string(static_cast<std::int64_t>(acd_ms)) + " ms, of other routes " +
                  std::to_string(static_cast<std::int64_t>(others_ms)) + " ms",
              report);
      if (!done) return done;
    }
    return {};
  }

  const GhostRules& rules_;
  Groups<Pattern> vendors_, routes_, areas_, uncharged_, durations_, ended_by_us_;
};

}  // namespace

std::unique_ptr<ReportCollector> make_collector(const CallReportRequest& request,
                                                const TimeZone& zone, const RateLevel& level,
                                                std::int64_t now_us) {
  switch (request.kind) {
    case CallReportKind::performance:
      return std::make_unique<PerformanceCollector>(request, zone, now_us);
    case CallReportKind::failures:
      return std::make_unique<FailureCollector>(request, zone);
    case CallReportKind::account_statement:
    case CallReportKind::phone_statement:
    case CallReportKind::area_statement:
      return std::make_unique<StatementCollector>(request, zone, level);
    case CallReportKind::ghost_calls:
      return std::make_unique<GhostCollector>(request);
    default:
      return std::make_unique<MetricsCollector>(request, zone);
  }
}

}  // namespace tandem::cdr
