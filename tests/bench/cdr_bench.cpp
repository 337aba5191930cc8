#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "bench.hpp"
#include "cdr/cdr_sqlite.hpp"
#include "cdr/day_columns.hpp"
#include "cdr/day_files.hpp"
#include "cdr/day_keeper_sqlite.hpp"
#include "cdr/journal.hpp"
#include "cdr/ledger_sqlite.hpp"
#include "tandem/call_reports.hpp"
#include "tandem/cdr_query.hpp"
#include "unit/cdr/sample_cdr.hpp"

namespace tandem::bench {
namespace {

/// In the working folder: that of temporary files may be memory, which has no flush to measure.
struct Folder {
  Folder() {
    std::string pattern = (std::filesystem::current_path() / "cdr-bench-XXXXXX").string();
    if (mkdtemp(pattern.data()) != nullptr) path = pattern;
  }
  ~Folder() {
    std::error_code ignored;
    if (!path.empty()) std::filesystem::remove_all(path, ignored);
  }
  std::string path;
};

std::vector<std::string> sample_payloads(std::size_t count) {
  SeededRandom random(1);
  std::vector<std::string> payloads;
  for (std::size_t i = 0; i < count; ++i) {
    payloads.push_back(cdr::encode(cdr::EndRecord{i, cdr::test::sample_cdr(i, random)}));
  }
  return payloads;
}

}  // namespace

TANDEM_BENCH("cdr.journal_durable_per_s", "1/s") {
  Folder folder;
  SystemClock clock;
  cdr::JournalOptions options;
  options.folder = folder.path + "/journal";
  auto journal = cdr::Journal::open(std::move(options), clock, nullptr);
  if (!journal) return Figure::skipped(journal.error().message);
  auto cursor = (*journal)->add_cursor("none", 0);
  if (!cursor || !(*journal)->start()) return Figure::skipped("the journal could not be started");
  const std::vector<std::string> payloads = sample_payloads(4'096);
  const std::int64_t begin_ns = wall_ns();
  const std::int64_t begin_cpu_ns = cpu_ns();
  const auto end_ns = begin_ns + static_cast<std::int64_t>(seconds() * 1e9);
  std::uint64_t count = 0;
  std::uint64_t last = 0;
  while (wall_ns() < end_ns) {
    for (int i = 0; i < 1'000; ++i) {
      auto sequence = (*journal)->append(cdr::RecordType::end, payloads[count % payloads.size()]);
      if (!sequence) {
        (void)(*journal)->wait_durable(last - 30'000,
                                       1'000);  // the queue is full: half of it will do
        continue;
      }
      last = *sequence;
      ++count;
    }
    (*journal)->advance_cursor(*cursor, (*journal)->durable_sequence());
  }
  if (!(*journal)->wait_durable(last, 60'000)) return Figure::skipped("the disk took no records");
  const double elapsed_s = static_cast<double>(wall_ns() - begin_ns) / 1e9;
  const double cpu_us =
      static_cast<double>(cpu_ns() - begin_cpu_ns) / 1e3 / static_cast<double>(count);
  const auto commits = (*journal)->counters().commits;
  return Figure(
      static_cast<double>(count) / elapsed_s,
      "{\"payload_bytes\":" + std::to_string(payloads[0].size()) +
          ",\"records_per_commit\":" + std::to_string(count / (commits == 0 ? 1 : commits)) +
          ",\"cpu_us_per_record\":" + std::to_string(cpu_us) + ",\"producers\":1}");
}

/// How long a record waits for the disk at the rate of a busy switch.
TANDEM_BENCH("cdr.journal_ack_p99_us", "us") {
  constexpr std::uint64_t per_ms = 20;  // 20,000 a second
  Folder folder;
  SystemClock clock;
  cdr::JournalOptions options;
  options.folder = folder.path + "/journal";
  auto journal = cdr::Journal::open(std::move(options), clock, nullptr);
  if (!journal) return Figure::skipped(journal.error().message);
  const auto ms = static_cast<std::uint64_t>(seconds() * 1e3);
  std::vector<std::int64_t> taken_ns(per_ms * ms + 1);  // by sequence, which begins at 1
  std::vector<std::int64_t> waited_ns;
  waited_ns.reserve(taken_ns.size());
  std::uint64_t seen = 0;  // on the writer's thread
  (*journal)->on_durable([&](std::uint64_t sequence) {
    const std::int64_t now_ns = wall_ns();
    while (seen < sequence && seen + 1 < taken_ns.size())
      waited_ns.push_back(now_ns - taken_ns[++seen]);
  });
  if (!(*journal)->start()) return Figure::skipped("the journal could not be started");
  const std::vector<std::string> payloads = sample_payloads(4'096);
  const std::int64_t begin_ns = wall_ns();
  const std::int64_t begin_cpu_ns = cpu_ns();
  std::uint64_t last = 0;
  for (std::uint64_t tick = 0; tick < ms; ++tick) {
    const std::int64_t left_ns = begin_ns + static_cast<std::int64_t>(tick) * 1'000'000 - wall_ns();
    if (left_ns > 0) usleep(static_cast<useconds_t>(left_ns / 1'000));
    for (std::uint64_t i = 0; i < per_ms; ++i) {
      taken_ns[last + 1] = wall_ns();  // before the writer can see it
      auto sequence =
          (*journal)->append(cdr::RecordType::end, payloads[(last + 1) % payloads.size()]);
      if (!sequence) return Figure::skipped(sequence.error().message);
      last = *sequence;
    }
  }
  if (!(*journal)->wait_durable(last, 60'000)) return Figure::skipped("the disk took no records");
  const double elapsed_s = static_cast<double>(wall_ns() - begin_ns) / 1e9;
  const double cpu_us =
      static_cast<double>(cpu_ns() - begin_cpu_ns) / 1e3 / static_cast<double>(last);
  const auto commits = (*journal)->counters().commits;
  (*journal)->close();  // ends the writer, whose list this is
  std::sort(waited_ns.begin(), waited_ns.end());
  const auto at = [&](double share) {
    const auto place = static_cast<std::size_t>(share * static_cast<double>(waited_ns.size()));
    return static_cast<double>(waited_ns[std::min(place, waited_ns.size() - 1)]) / 1e3;
  };
  return Figure(at(0.99),
                "{\"records\":" + std::to_string(last) +
                    ",\"wanted_per_s\":" + std::to_string(per_ms * 1'000) + ",\"wall_per_s\":" +
                    std::to_string(static_cast<long>(static_cast<double>(last) / elapsed_s)) +
                    ",\"commits\":" + std::to_string(commits) + ",\"p50_us\":" +
                    std::to_string(at(0.5)) + ",\"max_us\":" + std::to_string(at(1)) +
                    ",\"cpu_us_per_record\":" + std::to_string(cpu_us) + "}");
}

namespace {

/// What one core takes in, batch after batch. `payloads` are end records.
Figure batches_per_s(cdr::SinkTarget& target, const std::vector<std::string>& payloads,
                     const std::string& detail) {
  constexpr std::size_t batch_records = 10'000;
  std::vector<cdr::RecordView> batch(batch_records);
  const std::int64_t begin_ns = wall_ns();
  const std::int64_t begin_cpu_ns = cpu_ns();
  const auto end_ns = begin_ns + static_cast<std::int64_t>(seconds() * 1e9);
  std::uint64_t count = 0;
  while (wall_ns() < end_ns) {
    for (cdr::RecordView& view : batch) {
      view.sequence = ++count;
      view.type = cdr::RecordType::end;
      view.payload = payloads[count % payloads.size()];
    }
    if (auto done = target.write_batch(batch, count); !done)
      return Figure::skipped(done.error().message);
  }
  const double elapsed_s = static_cast<double>(wall_ns() - begin_ns) / 1e9;
  const double cpu_us =
      static_cast<double>(cpu_ns() - begin_cpu_ns) / 1e3 / static_cast<double>(count);
  // The file system's share of the time is in the wall clock's figure.
  return Figure(1e6 / cpu_us,
                "{\"records\":" + std::to_string(count) +
                    ",\"batch_records\":" + std::to_string(batch_records) + "," + detail +
                    ",\"cpu_us_per_record\":" + std::to_string(cpu_us) + ",\"wall_per_s\":" +
                    std::to_string(static_cast<long>(static_cast<double>(count) / elapsed_s)) +
                    "}");
}

/// How many a second it takes one by one, by the wall clock, for a fifth of the time.
double one_commit_a_record_per_s(cdr::SinkTarget& target,
                                 const std::vector<std::string>& payloads) {
  const std::int64_t begin_ns = wall_ns();
  const auto end_ns = begin_ns + static_cast<std::int64_t>(seconds() * 2e8);
  std::uint64_t count = 0;
  while (wall_ns() < end_ns) {
    const cdr::RecordView view{++count, cdr::RecordType::end, payloads[count % payloads.size()]};
    if (!target.write_batch({&view, 1}, count)) return 0;
  }
  return static_cast<double>(count) * 1e9 / static_cast<double>(wall_ns() - begin_ns);
}

}  // namespace

TANDEM_BENCH("cdr.sqlite_sink_per_s", "1/s") {
  Folder folder;
  auto sink = cdr::SqliteSink::open(folder.path + "/days");
  if (!sink) return Figure::skipped(sink.error().message);
  const std::vector<std::string> payloads = sample_payloads(65'536);
  auto alone = cdr::SqliteSink::open(folder.path + "/alone");
  if (!alone) return Figure::skipped(alone.error().message);
  const double peer_per_s = one_commit_a_record_per_s(**alone, payloads);
  return batches_per_s(**sink, payloads,
                       "\"indexes\":\"7, four of them partial, one of all that reports read\","
                       "\"peer\":\"one record a commit\",\"peer_wall_per_s\":" +
                           std::to_string(static_cast<long>(peer_per_s)));
}

TANDEM_BENCH("cdr.ledger_per_s", "1/s") {
  Folder folder;
  auto ledger = cdr::Ledger::open(folder.path + "/switch.db");
  if (!ledger) return Figure::skipped(ledger.error().message);
  // Every call is charged on both sides, those of 1,000 customers and 50 vendors.
  SeededRandom random(1);
  std::vector<std::string> payloads;
  for (std::size_t i = 0; i < 65'536; ++i) {
    Cdr cdr = cdr::test::sample_cdr(i, random);
    cdr.customer.account = "customer-" + std::to_string(random.below(1'000));
    cdr.customer.charge =
        Amount::from_units(1 + static_cast<std::int64_t>(random.below(1'000'000)));
    cdr.vendor->account = "vendor-" + std::to_string(random.below(50));
    cdr.vendor->charge = Amount::from_units(1 + static_cast<std::int64_t>(random.below(1'000'000)));
    payloads.push_back(cdr::encode(cdr::EndRecord{i, cdr}));
  }
  return batches_per_s(**ledger, payloads, "\"entries_per_record\":2,\"accounts\":1050");
}

namespace {

constexpr std::uint64_t days_of_month = 31;
constexpr std::int64_t day_us = 86'400'000'000;

/// A call of a month: one of 100 customers, 50 vendors, 2,000 areas; 45 % are answered, every fifth
/// had a failed attempt before. One in 10,000 is of the caller that is asked for.
Cdr call_of_month(std::uint64_t number, std::uint64_t day, std::uint64_t day_records,
                  Random& random) {
  Cdr cdr = cdr::test::sample_cdr(0, random);
  const auto id = [&random](const char* name, std::uint64_t count) {
    return name + std::to_string(random.below(count));
  };
  cdr.call_id = std::to_string(number) + cdr.call_id;
  cdr.customer_gateway = id("customer-", 100);
  cdr.vendor_gateway = id("vendor-", 50);
  cdr.customer.rate_prefix = std::to_string(1'000 + random.below(2'000));
  if (random.below(10'000) == 0) cdr.caller = cdr.caller_in = cdr.caller_out = "442071838750";
  if (random.below(20) == 0) cdr.answered_at_us = 0;
  const std::int64_t shift_us =
      static_cast<std::int64_t>(day) * day_us - 12 * 3'600'000'000 +
      static_cast<std::int64_t>((number % day_records) * (86'390'000'000 / day_records));
  for (std::int64_t* time_us : {&cdr.started_at_us, &cdr.ended_at_us, &cdr.answered_at_us})
    *time_us += *time_us == 0 ? 0 : shift_us;
  cdr.attempts[0].vendor_gateway = *cdr.vendor_gateway;
  cdr.attempts[0].started_at_us = cdr.started_at_us;
  cdr.attempts[0].ended_at_us = cdr.ended_at_us;
  if (random.below(5) == 0) {
    cdr.attempts.insert(cdr.attempts.begin(), cdr.attempts[0]);
    cdr.attempts[0].vendor_gateway = id("vendor-", 50);
    cdr.attempts[0].sip_status = 503;
    cdr.attempts[0].reason = Reason::VendorFailure;
  }
  return cdr;
}

/// Fills day files from a day of the month on; false: the disk was in the way. Each day has the
/// same calls, whoever makes it.
bool fill(const std::string& folder, std::uint64_t first_day, std::uint64_t days,
          std::uint64_t day_records) {
  auto sink = cdr::SqliteSink::open(folder);
  if (!sink) return false;
  std::vector<std::string> payloads;
  std::vector<cdr::RecordView> batch;
  std::uint64_t number = first_day * day_records;
  for (std::uint64_t day = first_day; day < first_day + days; ++day) {
    SeededRandom random(1 + day);
    for (std::uint64_t i = 0; i < day_records; i += payloads.size()) {
      payloads.clear();
      batch.clear();
      while (payloads.size() < 10'000 && i + payloads.size() < day_records)
        payloads.push_back(cdr::encode(
            cdr::EndRecord{0, call_of_month(number + payloads.size(), day, day_records, random)}));
      for (const std::string& payload : payloads) {
        cdr::RecordView& view = batch.emplace_back();
        view.sequence = ++number;
        view.type = cdr::RecordType::end;
        view.payload = payload;
      }
      if (!(*sink)->write_batch(batch, number)) return false;
    }
  }
  return true;
}

/// Maintenance without limits.
class FullPace final : public cdr::Pace {
 public:
  Result<void> spend(std::uint64_t) override { return {}; }
  Result<void> pause() override { return {}; }
  [[nodiscard]] bool is_over() const noexcept override { return false; }
};

/// Seals all days; false: that failed.
bool seal(const std::string& folder, bool has_columns = true) {
  const SimulatedClock clock{cdr::test::noon_us + 40 * day_us};
  FullPace pace;
  cdr::DayKeeper::Options options{folder, {}};
  options.rules.writes_columns = has_columns;
  auto keeper = cdr::DayKeeper::open(std::move(options), clock, pace);
  if (!keeper) return false;
  const MaintenanceReport report = (*keeper)->run(std::nullopt);
  return !report.outcomes.empty() &&
         std::all_of(report.outcomes.begin(), report.outcomes.end(),
                     [](const MaintenanceOutcome& each) { return each.failure.empty(); });
}

/// Of all files, or of those whose names end so.
std::uint64_t bytes_in(const std::string& folder, const char* extension = "") {
  std::uint64_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().string().ends_with(extension)) bytes += entry.file_size();
  }
  return bytes;
}

}  // namespace

namespace {

/// One day of ten million calls a month, as it was written and sealed. Made once for all reports.
struct MeasuredDay {
  static constexpr std::uint64_t records = 10'000'000 / days_of_month;
  Folder folder;
  std::string open = folder.path + "/open", sealed = folder.path + "/sealed";
  bool is_made = false;
  MeasuredDay() {
    if (!fill(sealed, 0, 1, records)) return;
    std::error_code failure;
    std::filesystem::copy(sealed, open, failure);
    is_made = !failure && seal(sealed);
  }
};

/// CPU us of a report over one day of ten million calls a month, sealed.
Figure report_of_day(const CallReportRequest& request) {
  static const MeasuredDay day;
  if (!day.is_made) return Figure::skipped("day was not written and sealed");
  std::string failure;
  const auto rows_of = [&](const std::string& folder) -> std::size_t {
    const auto report = call_report(folder, request);
    if (!report) failure = report.error().message;
    return report ? report->rows.size() : 0;
  };
  std::size_t rows = 0;
  const double ns = best_ns_per_operation(1, [&](std::uint64_t) { rows = rows_of(day.sealed); });
  const std::int64_t before_ns = thread_cpu_ns();
  if (rows_of(day.open) != rows) failure = "columns and rows made different reports";
  const double sql_us = static_cast<double>(thread_cpu_ns() - before_ns) / 1e3;
  if (!failure.empty()) return Figure::skipped(failure);
  return Figure(ns / 1e3, "{\"records\":" + std::to_string(MeasuredDay::records) + ",\"rows\":" +
                              std::to_string(rows) + ",\"sql_us\":" + std::to_string(sql_us) + "}");
}

Figure report_of_day(CallReportKind kind, const CdrFilter& filter = {}) {
  CallReportRequest request;
  request.kind = kind;
  request.filter = filter;
  return report_of_day(request);
}

/// For reports that have more groups than a report may have when they are of everybody.
CdrFilter of_one_gateway(std::string CdrFilter::*gateway, const char* id) {
  CdrFilter filter;
  filter.*gateway = id;
  return filter;
}

/// CPU us of the question for the last 100 calls of a caller; how many it found.
std::pair<double, std::size_t> last_100(const std::string& folder) {
  const CdrStore store(folder);
  CdrQuery query;
  query.caller = "442071838750";
  std::size_t found = 0;
  const double ns = best_ns_per_operation(1, [&](std::uint64_t) {
    const auto cdrs = store.query(query);
    found = cdrs ? cdrs->size() : 0;
    keep(found);
  });
  return {ns / 1e3, found};
}

}  // namespace

TANDEM_BENCH("cdr.gateway_hour_report_10m", "us") {
  CallReportRequest request;
  request.by = ReportSlot::hour;
  return report_of_day(request);
}

// The nine of C-11, from a to i, a statement of C-12, and ghost calls.
TANDEM_BENCH("cdr.report_customer_gateways_10m", "us") {
  return report_of_day(CallReportKind::customer_gateways);
}
TANDEM_BENCH("cdr.report_vendor_gateways_10m", "us") {
  return report_of_day(CallReportKind::vendor_gateways);
}
TANDEM_BENCH("cdr.report_performance_10m", "us") {
  return report_of_day(CallReportKind::performance);
}
TANDEM_BENCH("cdr.report_calls_10m", "us") { return report_of_day(CallReportKind::calls); }
TANDEM_BENCH("cdr.report_failures_10m", "us") { return report_of_day(CallReportKind::failures); }
TANDEM_BENCH("cdr.report_days_10m", "us") { return report_of_day(CallReportKind::days); }
TANDEM_BENCH("cdr.report_areas_10m", "us") { return report_of_day(CallReportKind::areas); }
TANDEM_BENCH("cdr.report_gateway_areas_10m", "us") {
  return report_of_day(CallReportKind::gateway_areas,
                       of_one_gateway(&CdrFilter::customer_gateway, "customer-7"));
}
TANDEM_BENCH("cdr.report_area_totals_10m", "us") {
  return report_of_day(CallReportKind::area_totals);
}
TANDEM_BENCH("cdr.report_account_statement_10m", "us") {
  return report_of_day(CallReportKind::account_statement);
}
TANDEM_BENCH("cdr.report_ghost_calls_10m", "us") {
  return report_of_day(CallReportKind::ghost_calls,
                       of_one_gateway(&CdrFilter::vendor_gateway, "vendor-7"));
}

namespace {

/// Ten million calls of a month in sealed days, which take minutes to write. So they are kept in
/// the working folder, each day once it is whole: a later run, or one that was ended, goes on with
/// them.
class KeptMonth {
 public:
  static constexpr std::uint64_t day_records = 10'000'000 / days_of_month;
  /// What a run spends on making it; the days that are there by then are kept.
  static constexpr std::int64_t bound_s = 900;
  static constexpr std::uint64_t day_bytes = 400ULL << 20;  // about, with what sealing needs

  /// Makes what is missing, on all processors. "": it is there; else why not.
  std::string make() {
    const std::int64_t begin_ns = wall_ns();
    std::error_code failure;
    std::filesystem::create_directories(folder_, failure);
    if (failure) return "\"" + folder_ + "\" was not made: " + failure.message();
    missing_.clear();
    for (std::uint64_t day = 0; day < days_of_month; ++day) {
      if (!std::filesystem::exists(name(folder_, day, cdr::columns_name))) missing_.push_back(day);
    }
    const auto room = std::filesystem::space(folder_, failure);
    if (failure || room.available < missing_.size() * day_bytes)
      return "the disk of \"" + folder_ + "\" had no room for " + std::to_string(missing_.size()) +
             " days of about " + std::to_string(day_bytes >> 20) + " MiB";
    std::vector<std::thread> makers;
    for (unsigned i = 0; i < std::clamp(std::thread::hardware_concurrency(), 1U, 8U); ++i)
      makers.emplace_back([this, begin_ns, i] { make_days(begin_ns, i); });
    for (std::thread& maker : makers)
      maker.join();
    made_s_ = static_cast<double>(wall_ns() - begin_ns) / 1e9;
    if (made_ == missing_.size()) return "";
    return std::to_string(days_of_month - missing_.size() + made_) + " of " +
           std::to_string(days_of_month) + " days are in \"" + folder_ + "\" after " +
           std::to_string(static_cast<int>(made_s_)) + " s; another run goes on";
  }
  [[nodiscard]] const std::string& folder() const { return folder_; }
  [[nodiscard]] double made_s() const { return made_s_; }
  [[nodiscard]] std::uint64_t made_days() const { return made_; }

  /// The same day files without their columns, as links in `folder`. False: the disk was in the
  /// way.
  [[nodiscard]] bool link_into(const std::string& folder) const {
    std::error_code failure;
    std::filesystem::create_directories(folder, failure);
    for (std::uint64_t day = 0; day < days_of_month && !failure; ++day)
      std::filesystem::create_hard_link(name(folder_, day, cdr::day_name),
                                        name(folder, day, cdr::day_name), failure);
    return !failure;
  }

 private:
  static std::string name(const std::string& folder, std::uint64_t day,
                          std::string (*of_day)(std::int64_t)) {
    const std::int64_t first = (cdr::test::noon_us - 12 * 3'600'000'000) / day_us;
    return folder + "/" + of_day(first + static_cast<std::int64_t>(day));
  }

  /// One after the other, until the bound; the columns get their name last, and say that it is
  /// whole.
  void make_days(std::int64_t begin_ns, unsigned maker) {
    const std::string draft = folder_ + "/draft-" + std::to_string(maker);
    for (;;) {
      const std::size_t next = next_++;
      if (next >= missing_.size() || wall_ns() - begin_ns > bound_s * 1'000'000'000) return;
      const std::uint64_t day = missing_[next];
      std::error_code failure;
      std::filesystem::remove_all(draft, failure);
      if (!fill(draft, day, 1, day_records) || !seal(draft)) return;
      for (const auto of_day : {cdr::day_name, cdr::columns_name}) {
        std::filesystem::rename(name(draft, day, of_day), name(folder_, day, of_day), failure);
        if (failure) return;
      }
      std::filesystem::remove_all(draft, failure);
      ++made_;
    }
  }

  const std::string folder_ = (std::filesystem::current_path() / "cdr-bench-month").string();
  std::vector<std::uint64_t> missing_;
  std::atomic<std::size_t> next_ = 0;
  std::atomic<std::uint64_t> made_ = 0;
  double made_s_ = 0;
};

}  // namespace

TANDEM_BENCH("cdr.last_100_of_caller_10m", "us") {
  KeptMonth month;
  if (const std::string why = month.make(); !why.empty()) return Figure::skipped(why);
  const Folder links;
  if (!month.link_into(links.path + "/days")) return Figure::skipped("day files were not linked");
  const auto [us, found] = last_100(month.folder());
  const auto [sql_us, sql_found] = last_100(links.path + "/days");
  if (found == 0 || found != sql_found) return Figure::skipped("nothing was found");
  return Figure(us, "{\"records\":" + std::to_string(KeptMonth::day_records * days_of_month) +
                        ",\"files\":" + std::to_string(days_of_month) + ",\"found\":" +
                        std::to_string(found) + ",\"sql_us\":" + std::to_string(sql_us) +
                        ",\"days_made\":" + std::to_string(month.made_days()) +
                        ",\"made_s\":" + std::to_string(month.made_s()) + "}");
}

TANDEM_BENCH("cdr.bytes_per_sealed_cdr", "B") {
  const Folder folder;
  const std::string days = folder.path + "/days";
  const std::uint64_t records = 100'000;
  if (!fill(days, 0, 1, records) || !seal(days)) return Figure::skipped("day was not sealed");
  const auto per_record = [&](const char* extension) {
    return static_cast<double>(bytes_in(days, extension)) / static_cast<double>(records);
  };
  return Figure(per_record(".db") + per_record(".columns"),
                "{\"records\":" + std::to_string(records) + ",\"columns\":" +
                    std::to_string(cdr::record_column_count) + ",\"indexes\":\"caller, callee\"" +
                    ",\"columns_bytes_per_record\":" + std::to_string(per_record(".columns")) +
                    ",\"day_file_bytes_per_record\":" + std::to_string(per_record(".db")) + "}");
}

}  // namespace tandem::bench
