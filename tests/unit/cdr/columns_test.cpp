#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "cdr/cdr_rows_sqlite.hpp"
#include "cdr/column_block.hpp"
#include "cdr/corrections_sqlite.hpp"
#include "cdr/day_columns.hpp"
#include "cdr/day_files.hpp"
#include "cdr/day_keeper_sqlite.hpp"
#include "report_oracle.hpp"
#include "sealed_days.hpp"
#include "store/sqlite.hpp"
#include "tandem/call_reports.hpp"
#include "tandem/cdr_columns.hpp"
#include "tandem/cdr_query.hpp"
#include "temporary_folder.hpp"
#include "unit/cdr/fault_vfs.hpp"

using namespace tandem;
using namespace tandem::cdr;
using test::correct;
using test::first_day;
using test::FreePace;
using test::Sealed;
using test::TemporaryFolder;
using test::varied;

namespace {

/// All kinds of reports that read facts, once each.
std::vector<CallReportRequest> requests() {
  std::vector<CallReportRequest> all;
  for (const CallReportKind kind :
       {CallReportKind::customer_gateways, CallReportKind::vendor_gateways,
        CallReportKind::performance, CallReportKind::failures, CallReportKind::days,
        CallReportKind::areas, CallReportKind::gateway_areas, CallReportKind::area_totals,
        CallReportKind::account_statement, CallReportKind::phone_statement,
        CallReportKind::area_statement, CallReportKind::ghost_calls}) {
    CallReportRequest request;
    request.kind = kind;
    request.by = ReportSlot::hour;
    all.push_back(request);
    if (kind != CallReportKind::failures && kind != CallReportKind::gateway_areas) continue;
    all.back().is_vendor = true;
    all.push_back(request);
  }
  return all;
}

void check_same(const Sealed& with, const Sealed& without, const std::vector<Cdr>& records,
                std::uint64_t seed, int rounds) {
  SeededRandom random(seed);
  const SimulatedClock clock{(first_day + 20) * day_us};
  std::size_t found = 0;
  for (int round = 0; round < rounds; ++round) {
    CdrQuery query;
    static_cast<CdrFilter&>(query) = test::some_filter(records, random, 3 + random.below(20));
    const Cdr& any = records[random.below(records.size())];
    if (round % 2 == 0) (round % 4 == 0 ? query.caller : query.callee) = any.caller;
    query.limit = 1 + random.below(100);
    if (random.below(3) == 0) query.before_record_id = any.record_id;
    const auto ours = CdrStore(with.place()).query(query);
    const auto theirs = CdrStore(without.place()).query(query);
    REQUIRE((ours.ok() && theirs.ok()));
    CHECK(*ours == *theirs);
    found += theirs->size();
  }
  CHECK(found > 20);
  std::size_t rows = 0;
  for (int round = 0; round < std::max(rounds / 20, 1); ++round) {
    for (CallReportRequest& request : requests()) {
      if (round > 0 || rounds < 15) request.filter = test::some_filter(records, random, 10);
      request.ghost.calls_min = 1;
      const auto ours = call_report(with.place(), request, {}, &clock);
      const auto theirs = call_report(without.place(), request, {}, &clock);
      REQUIRE((ours.ok() && theirs.ok()));
      CHECK(*ours == *theirs);
      rows += theirs->rows.size();
    }
  }
  CHECK(rows > 20);
}

std::string read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

}  // namespace

TEST_CASE("ColumnBlock: any values come back, row by row and all at once (C-03)") {
  SeededRandom random(1);
  const auto text = [&](int kind) -> std::string {
    switch (kind) {
      case 0:
        return test::any_text(random);
      case 1:
        return "gw-" + std::to_string(random.below(9));
      case 2:
        return test::digits(random, random.below(19));
      case 3:
        return "call-" + std::to_string(random.next()) + "@0.00" + test::digits(random, 9);
      default:
        return random.below(2) == 0 ? "" : test::digits(random, 30);
    }
  };
  std::set<int> forms;
  for (int round = 0; round < 150; ++round) {
    const std::size_t rows = 1 + random.below(round % 3 == 0 ? group_rows : 20);
    const int kind = static_cast<int>(random.below(5));
    const std::uint64_t null_share = random.below(3) * 4;
    ColumnValues integers;
    ColumnValues usual;
    ColumnValues texts;
    const bool is_all_null = random.below(20) == 0;
    for (std::size_t row = 0; row < rows; ++row) {
      usual.add(text(1));
      if (is_all_null || (null_share > 0 && random.below(null_share) == 0)) {
        integers.add_null();
        texts.add_null();
      } else {
        integers.add(random.below(4) == 0 ? 0 : test::any_integer(random));
        const std::string made = text(kind);
        texts.add(random.below(3) == 0 ? usual.text(row) : std::string_view(made));
      }
    }
    DictionaryMaker maker;
    std::string bytes;
    append_integers(bytes, integers);
    auto block = ColumnBlock::parse(bytes, rows, Dictionary());
    REQUIRE(block);
    std::vector<std::int64_t> all(rows);
    REQUIRE(block->integers(all.data()));
    for (std::size_t row = 0; row < rows; ++row) {
      std::int64_t value = -1;
      const auto found = block->integer(row, value);
      CHECK((found == ColumnBlock::Found::null) == integers.is_null(row));
      CHECK(value == (integers.is_null(row) ? 0 : integers.integer(row)));
      CHECK(all[row] == value);
    }
    bytes.clear();
    append_texts(bytes, texts, maker, &usual);
    forms.insert(bytes[0] & 15);
    const std::string stored = maker.bytes();
    const auto dictionary = Dictionary::of(stored, maker.size());
    REQUIRE(dictionary);
    block = ColumnBlock::parse(bytes, rows, *dictionary);
    REQUIRE(block);
    const bool has_places = block->places(all.data());
    for (std::size_t row = 0; row < rows; ++row) {
      std::string scratch;
      std::string_view got;
      auto found = block->text(row, scratch, got);
      CHECK((found == ColumnBlock::Found::null) == texts.is_null(row));
      if (found == ColumnBlock::Found::usual) got = usual.text(row);
      if (found != ColumnBlock::Found::null) CHECK(got == texts.text(row));
      if (has_places && found == ColumnBlock::Found::value)
        CHECK(dictionary->text(static_cast<std::uint64_t>(all[row])) == got);
    }
  }
  CHECK(forms.size() >= 5);  // places, digits, texts, patterns, nulls
}

TEST_CASE("DayColumns: every column of the table is kept, but for decimals of units (C-03)") {
  const test::FaultVfs quick(test::FaultVfs::Medium::assumed);  // which flushes nothing for real
  const Sealed days(varied(20, 1), true);
  auto rows = DayRows::open(days.folder.path(), days.days().front());
  REQUIRE((rows.ok() && *rows));
  auto table = (*rows)->connection().prepare(
      "SELECT name, type FROM pragma_table_info('cdr') WHERE name NOT IN ('charge', "
      "'vendor_charge', 'agent_charge', 'package_charge', 'agent_package_charge') ORDER BY cid");
  REQUIRE(table.ok());
  for (const RecordColumn& column : record_columns) {
    REQUIRE(table->step().value());
    CHECK(table->text(0) == column.name);
    CHECK((table->text(1) == "TEXT") == (column.kind == ColumnKind::text));
  }
  CHECK_FALSE(table->step().value());
}

TEST_CASE(
    "DayColumns: lists and reports are those of SQL, with corrections and late records (C-11)") {
  const test::FaultVfs quick(test::FaultVfs::Medium::assumed);
  std::vector<Cdr> records = varied(900, 2);
  // Records of one day with anything in them.
  SeededRandom random(3);
  for (std::uint64_t i = 0; i < 100; ++i) {
    Cdr cdr = test::any_cdr(random);
    cdr.record_id = 5'000 + i;
    cdr.started_at_us = test::noon_us + static_cast<std::int64_t>(random.below(9'000'000));
    cdr.ended_at_us = cdr.started_at_us + static_cast<std::int64_t>(random.below(9'000'000));
    cdr.customer.charge = cdr.customer.package_charge = Amount();
    cdr.customer.billed_time_s = cdr.customer.package_time_s = cdr.talk_time_ms = cdr.pdd_ms = 0;
    if (cdr.vendor) cdr.vendor->charge = Amount();
    records.push_back(std::move(cdr));
  }
  Sealed with(records, true);
  Sealed without(records, false);
  REQUIRE(with.days().size() >= 3);
  CHECK(with.days_with_columns() == with.days().size());
  CHECK(without.days_with_columns() == 0);
  check_same(with, without, records, 4, 40);
  correct(with.database, records);
  correct(without.database, records);
  check_same(with, without, records, 5, 15);

  // What comes late goes into the day file, which alone is asked until it is sealed again.
  const std::vector<Cdr> late = varied(40, 6, 9'000);
  with.write(late);
  without.write(late);
  records.insert(records.end(), late.begin(), late.end());
  CHECK(with.days_with_columns() < with.days().size());
  check_same(with, without, records, 7, 15);
  with.run();
  CHECK(with.days_with_columns() == with.days().size());
  check_same(with, without, records, 8, 10);
}

TEST_CASE("DayColumns: a list by a number leaves the day file alone (C-13)") {
  const test::FaultVfs quick(test::FaultVfs::Medium::assumed);
  const std::vector<Cdr> records = varied(600, 9);
  const Sealed days(records, true);
  CdrQuery query;
  query.caller = "4420";
  query.limit = 10'000;
  const auto before = CdrStore(days.folder.path()).query(query);
  REQUIRE(before.ok());
  CHECK(before->size() > 100);
  for (const std::int64_t day : days.days()) {
    const std::string path = days.folder / day_name(day);
    std::string bytes = read(path);
    std::fill(bytes.begin() + 4'096, bytes.end(), 'x');
    struct stat status {};
    REQUIRE(stat(path.c_str(), &status) == 0);
    write(path, bytes);
    const timespec times[2] = {status.st_atim, status.st_mtim};
    REQUIRE(utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
  }
  CHECK_FALSE(CdrStore(days.folder.path()).query({}).ok());
  const auto after = CdrStore(days.folder.path()).query(query);
  REQUIRE(after.ok());
  CHECK(*after == *before);
}

TEST_CASE("DayColumns: those of another state of the file are not used, and written anew (O-08)") {
  const test::FaultVfs quick(test::FaultVfs::Medium::assumed);
  Sealed days(varied(300, 10), true);
  const std::size_t count = days.days().size();
  const std::int64_t day = days.days().back();
  const std::string file = days.folder / day_name(day);
  SUBCASE("the file was touched") {
    std::filesystem::last_write_time(
        file, std::filesystem::file_time_type::clock::now() - std::chrono::hours(1));
  }
  SUBCASE("there are records in a log") { write(file + "-wal", "records"); }
  SUBCASE("the day was sealed by a release that did not have all columns") {
    auto connection = store::Connection::open(file);
    REQUIRE(connection.ok());
    REQUIRE(connection->execute("ALTER TABLE cdr DROP COLUMN agent_package_time_s").ok());
  }
  SUBCASE("they are of another day") {
    std::filesystem::copy_file(days.columns(day + 1), days.columns(day),
                               std::filesystem::copy_options::overwrite_existing);
  }
  SUBCASE("they were cut off") {
    std::filesystem::resize_file(days.columns(day),
                                 std::filesystem::file_size(days.columns(day)) - 1);
  }
  SUBCASE("they are of a later release") {
    std::string bytes = read(days.columns(day));
    bytes[column_magic.size()] = 2;
    write(days.columns(day), bytes);
  }
  SUBCASE("there are none") { REQUIRE(days.act(MaintenanceAct::drop_columns, day).ok()); }
  CHECK(days.days_with_columns() == count - 1);
  const auto stored = stored_days_in(days.folder.path());
  REQUIRE(stored.ok());
  for (const StoredDay& each : *stored)
    CHECK(each.has_columns == (each.day != format_time_us(day * day_us).substr(0, 10)));
  std::filesystem::remove(file + "-wal");
  const MaintenanceReport report = days.run();
  for (const MaintenanceOutcome& outcome : report.outcomes)
    CHECK(outcome.act == MaintenanceAct::write_columns);
  CHECK(days.days_with_columns() == count);
  CHECK(days.run().outcomes.empty());
}

TEST_CASE("DayColumns: damage is never read, found by verify, and mended by the next run (O-08)") {
  const test::FaultVfs quick(test::FaultVfs::Medium::assumed);
  const std::vector<Cdr> records = varied(700, 11);
  Sealed with(records, true);
  const Sealed without(records, false);
  const std::int64_t day = with.days()[1];
  const std::string good = read(with.columns(day));
  SeededRandom random(12);
  CdrQuery query;
  query.caller = "4420";
  query.limit = 1'000;
  CallReportRequest request;
  const auto list = CdrStore(without.folder.path()).query(query);
  CallReportRequest narrow;  // which reads columns that the report itself does not want
  narrow.filter.caller = "4420";
  narrow.filter.is_answered = true;
  const auto report = call_report(without.folder.path(), request);
  const auto narrow_report = call_report(without.folder.path(), narrow);
  REQUIRE((list.ok() && report.ok() && narrow_report.ok()));
  int given_up = 0;
  for (int round = 0; round < 40; ++round) {
    std::string bytes = good;
    bytes[random.below(bytes.size())] ^= static_cast<char>(1U << random.below(8));
    write(with.columns(day), bytes);
    CHECK(CdrStore(with.folder.path()).query(query).value() == *list);
    given_up += with.try_again(day) ? 1 : 0;
    CHECK(call_report(with.folder.path(), request).value() == *report);
    given_up += with.try_again(day) ? 1 : 0;
    CHECK(call_report(with.folder.path(), narrow).value() == *narrow_report);
    given_up += with.try_again(day) ? 1 : 0;
    if (round % 10 != 0) continue;
    const auto verified = with.act(MaintenanceAct::verify, day);
    REQUIRE_FALSE(verified.ok());
    CHECK(verified.error().code == ErrorCode::corrupt);
    CHECK_FALSE(std::filesystem::exists(with.columns(day)));
    // The day itself is well.
    for (const StoredDay& each : stored_days_in(with.folder.path()).value_or({}))
      CHECK(each.failure == "");
  }
  (void)with.act(MaintenanceAct::verify, day);  // takes those of the last round away
  with.run();
  CHECK(with.days_with_columns() == with.days().size());
  CHECK(with.act(MaintenanceAct::verify, day).ok());
  CHECK(given_up > 5);
}

TEST_CASE("DayColumns: whoever meets damage has them written anew by the next run (O-08)") {
  const test::FaultVfs quick(test::FaultVfs::Medium::assumed);
  Sealed stored(varied(700, 15), true);
  const std::int64_t day = stored.days()[1];
  const std::string good = read(stored.columns(day));
  const std::size_t sealed_days = stored.days().size();
  CdrColumnsRequest request;
  request.columns = {"caller", "callee", "call_id", "attempts"};
  const auto wanted = CdrColumns::read(stored.place(), request);
  REQUIRE(wanted.ok());
  std::string bytes = good;
  for (std::size_t at = bytes.size() / 16; at < bytes.size() / 2; at += 512)
    bytes[at] = static_cast<char>(~static_cast<unsigned char>(bytes[at]));
  write(stored.columns(day), bytes);
  CHECK(stored.days_with_columns() == sealed_days);  // nobody has met it yet
  const auto found = CdrColumns::read(stored.place(), request);
  REQUIRE(found.ok());
  CHECK(found->rows() == wanted->rows());
  CHECK(std::filesystem::exists(stored.folder / bad_columns_name(day)));
  CHECK(stored.days_with_columns() == sealed_days - 1);
  const MaintenanceReport report = stored.run();
  CHECK(report.outcomes.size() == 1);
  CHECK_FALSE(std::filesystem::exists(stored.folder / bad_columns_name(day)));
  CHECK(read(stored.columns(day)) == good);
  CHECK(stored.days_with_columns() == sealed_days);
  CHECK(stored.run().outcomes.empty());
  // One that is left of a day that is not there goes, too.
  write(stored.folder / bad_columns_name(day - 100), "");
  stored.run();
  CHECK_FALSE(std::filesystem::exists(stored.folder / bad_columns_name(day - 100)));
}

namespace {

/// A filter with one member set, as set_filter() takes it, that wants some of varied() and not all.
const std::map<std::string_view, std::vector<std::string>>& narrowing_values() {
  static const std::map<std::string_view, std::vector<std::string>> values = {
      {"since", {"2026-11-27T00:00:00Z"}},
      {"until", {"2026-11-27T00:00:00Z"}},
      {"caller", {"4420", "44*"}},
      {"callee", {"1212", "442*"}},
      {"caller_in", {"4420", "44*"}},
      {"caller_billing", {"4420", "44*"}},
      {"caller_out", {"4420", "44*"}},
      {"callee_in", {"4420", "44*"}},
      {"callee_billing", {"4420", "44*"}},
      {"callee_out", {"4420", "44*"}},
      {"account", {"acme"}},
      {"vendor_account", {"clearing-1"}},
      {"agent_account", {"agent"}},
      {"customer_gateway", {"cust-1"}},
      {"vendor_gateway", {"v1"}},
      {"call_id", {"call-7"}},
      {"rate_prefix", {"44"}},
      {"reason", {"CalleeBusy"}},
      {"sip_status", {"200"}},
      {"release_side", {"caller"}},
      {"answered", {"yes", "no"}},
      {"free", {"yes", "no"}},
      {"talk_min_ms", {"60000"}},
      {"talk_max_ms", {"60000"}}};
  return values;
}

}  // namespace

TEST_CASE("CdrFilter: each member narrows rows and columns alike (C-13)") {
  const test::FaultVfs quick(test::FaultVfs::Medium::assumed);
  const std::vector<Cdr> records = varied(600, 16);
  const Sealed with(records, true);
  const Sealed without(records, false);
  CdrColumnsRequest request;
  request.columns = {"record_id"};
  for (const std::string_view name : cdr_filter_names()) {
    if (name == "skip_archived") continue;  // not about records
    INFO(name);
    // A new member needs a value here, and what it means in both.
    REQUIRE(narrowing_values().contains(name));
    for (const std::string& value : narrowing_values().at(name)) {
      INFO(value);
      request.filter = {};
      REQUIRE(set_filter(request.filter, name, value).value());
      const auto of_columns = CdrColumns::read(with.place(), request);
      const auto of_rows = CdrColumns::read(without.place(), request);
      REQUIRE((of_columns.ok() && of_rows.ok()));
      CHECK(of_rows->rows() > 0);
      CHECK(of_rows->rows() < records.size());
      CHECK(
          std::ranges::equal(*of_columns->integers("record_id"), *of_rows->integers("record_id")));
    }
  }
}

TEST_CASE("DayColumns: come and go with the day file, and when they are asked for (O-08)") {
  const test::FaultVfs quick(test::FaultVfs::Medium::assumed);
  Sealed days(varied(200, 13), true);
  const std::int64_t day = days.days()[1];
  const auto has = [&] { return std::filesystem::exists(days.columns(day)); };
  REQUIRE(days.act(MaintenanceAct::drop_columns, day).ok());
  CHECK_FALSE(has());
  CHECK(days.act(MaintenanceAct::drop_columns, day).ok());
  CHECK(days.act(MaintenanceAct::drop_columns, day + 100).error().code == ErrorCode::not_found);
  CHECK(days.act(MaintenanceAct::write_columns, day + 100).error().code == ErrorCode::not_found);
  REQUIRE(days.act(MaintenanceAct::write_columns, day).ok());
  CHECK(DayColumns::open(days.folder.path(), day));
  days.write({[&] {
    SeededRandom random(14);
    Cdr late = test::varied_cdr(9'000, random);
    late.ended_at_us = day * day_us + 1;
    return late;
  }()});
  CHECK_FALSE(has());  // nor do they come back while the day is not sealed
  CHECK(days.act(MaintenanceAct::write_columns, day).error().code == ErrorCode::invalid_argument);
  if (days.act(MaintenanceAct::archive, day).ok()) {  // not in a build without archives
    CHECK_FALSE(has());
    REQUIRE(days.act(MaintenanceAct::restore, day).ok());
    CHECK(DayColumns::open(days.folder.path(), day));
    // Those whose file went away by hand go with the next act.
    std::filesystem::remove(days.folder / day_name(day));
    REQUIRE(days.act(MaintenanceAct::verify, day).ok());
    CHECK_FALSE(has());
  }
}

namespace {

/// Goes on by a millisecond each time that somebody looks.
class HastyClock final : public Clock {
 public:
  [[nodiscard]] std::int64_t wall_us() const noexcept override { return (first_day + 20) * day_us; }
  [[nodiscard]] std::int64_t monotonic_us() const noexcept override { return now_us_ += 1'000; }

 private:
  mutable std::int64_t now_us_ = 0;
};

/// Whether another process would find the locks of this one on a database.
bool is_locked(const std::string& path) {
  const pid_t child = fork();
  if (child == 0) {
    struct flock shared {};
    shared.l_type = F_WRLCK;
    shared.l_whence = SEEK_SET;
    shared.l_start = 0x4000'0002;  // where SQLite has those of readers
    shared.l_len = 510;
    const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC);
    _exit(fd >= 0 && fcntl(fd, F_GETLK, &shared) == 0 && shared.l_type != F_UNLCK ? 1 : 0);
  }
  int status = 0;
  return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
         WEXITSTATUS(status) == 1;
}

}  // namespace

TEST_CASE("DayColumns: reading them leaves the locks on the day file as they are (C-03)") {
  const Sealed days(varied(60, 15), true);
  const std::int64_t day = days.days().front();
  const std::string path = days.folder / day_name(day);
  CHECK_FALSE(is_locked(path));
  auto reader = store::Connection::open(path);
  REQUIRE(reader.ok());
  REQUIRE(reader->execute("BEGIN; SELECT count(*) FROM cdr").ok());
  REQUIRE(is_locked(path));
  REQUIRE(DayColumns::open(days.folder.path(), day));
  CHECK(is_locked(path));
}

TEST_CASE("DayColumns: the guard of time holds where no call matches (C-11)") {
  const test::FaultVfs quick(test::FaultVfs::Medium::assumed);
  std::vector<Cdr> records = varied(10 * group_rows, 16);
  for (Cdr& cdr : records)
    cdr.ended_at_us = test::noon_us + static_cast<std::int64_t>(cdr.record_id);
  const Sealed days(records, true);
  REQUIRE(days.days_with_columns() == 1);
  CallReportRequest request;
  request.filter.call_id = "that nobody had";
  CdrGuards guards;
  guards.time_max_ms = 1'000;
  const HastyClock patient;
  REQUIRE(call_report(days.place(), request, guards, &patient).ok());
  guards.time_max_ms = 6;
  const HastyClock clock;
  const auto report = call_report(days.place(), request, guards, &clock);
  REQUIRE_FALSE(report.ok());
  CHECK(report.error().code == ErrorCode::timeout);
  // What lies outside of the period is not read.
  request.filter.since_us = test::noon_us + 1;
  request.filter.until_us = test::noon_us + 10;
  CHECK(call_report(days.place(), request, guards, &clock).ok());
}
