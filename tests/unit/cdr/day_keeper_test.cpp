#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <set>

#include "cdr/archived_days.hpp"
#include "cdr/cdr_rows_sqlite.hpp"
#include "cdr/compression.hpp"
#include "cdr/day_files.hpp"
#include "cdr/day_keeper_sqlite.hpp"
#include "dying_disk.hpp"
#include "fault_vfs.hpp"
#include "sample_cdr.hpp"
#include "support/sanitizers.hpp"
#include "tandem/call_reports.hpp"
#include "tandem/cdr_query.hpp"
#include "temporary_folder.hpp"

using namespace tandem;
using namespace tandem::cdr;
using test::DyingDisk;
using test::TemporaryFolder;

namespace {

constexpr std::int64_t first_day = test::noon_us / day_us;  // 2026-11-25

class FreePace final : public Pace {
 public:
  Result<void> spend(std::uint64_t bytes) override {
    spent_bytes += bytes;
    return check();
  }
  Result<void> pause() override {
    ++pauses;
    return check();
  }
  [[nodiscard]] bool is_over() const noexcept override { return over; }
  int pauses = 0;
  std::uint64_t spent_bytes = 0;
  bool over = false;

 private:
  Result<void> check() const {
    if (over) return Error{ErrorCode::wrong_state, "told to end"};
    return {};
  }
};

std::string message_of(const Result<void>& outcome) {
  return outcome ? std::string() : outcome.error().message;
}

/// Three days with calls, and whoever keeps them ten days later.
struct Station {
  test::FaultVfs quick{test::FaultVfs::Medium::assumed};  // which flushes nothing for real
  TemporaryFolder folder;
  std::map<std::int64_t, std::vector<Cdr>> days;  // each the latest first
  SimulatedClock clock{(first_day + 13) * day_us};
  FreePace pace;
  MaintenanceConfig rules;
  std::uint64_t records = 0;

  explicit Station(std::uint64_t each = 40) {
    SeededRandom random(7);
    auto sink = make_sqlite_sink(folder.path());
    REQUIRE(sink.ok());
    for (std::int64_t day = 0; day < 3; ++day) {
      for (std::uint64_t i = 0; i < each; ++i)
        write(**sink, day, i, random);
    }
    REQUIRE((*sink)->flush().ok());
  }
  void write(CdrSink& sink, std::int64_t day, std::uint64_t second, Random& random) {
    Cdr cdr = test::sample_cdr(static_cast<std::uint64_t>(day) * 86'400 + second, random);
    cdr.record_id = ++records;
    REQUIRE(sink.write(cdr).ok());
    std::vector<Cdr>& all = days[first_day + day];
    all.push_back(cdr);
    std::sort(all.begin(), all.end(), [](const Cdr& a, const Cdr& b) {
      return std::pair(a.ended_at_us, a.record_id) > std::pair(b.ended_at_us, b.record_id);
    });
  }
  void write_late(std::int64_t day, std::uint64_t second) {
    SeededRandom random(records);
    auto sink = make_sqlite_sink(folder.path());
    REQUIRE(sink.ok());
    write(**sink, day, second, random);
    REQUIRE((*sink)->flush().ok());
  }
  std::unique_ptr<DayKeeper> keeper(std::shared_ptr<Disk> disk = nullptr) {
    if (disk == nullptr) disk = std::make_shared<DyingDisk>(folder.path());  // flushes nothing, too
    auto opened = DayKeeper::open({folder.path(), rules, std::move(disk)}, clock, pace);
    REQUIRE_MESSAGE(opened.ok(), (opened.ok() ? std::string() : opened.error().message));
    return std::move(*opened);
  }
  Result<void> act(MaintenanceAct wanted, std::int64_t day) {
    return keeper()->act(wanted, first_day + day);
  }
  [[nodiscard]] Result<std::vector<Cdr>> query(std::int64_t day,
                                               bool skips_archived = false) const {
    CdrQuery query;
    query.since_us = (first_day + day) * day_us;
    query.until_us = *query.since_us + day_us;
    query.limit = 100'000;
    query.skips_archived = skips_archived;
    return CdrStore(folder.path()).query(query);
  }
  [[nodiscard]] StoredDay stored(std::int64_t day) const {
    const auto all = stored_days_in(folder.path());
    REQUIRE(all.ok());
    for (const StoredDay& each : *all) {
      if (each.day == format_time_us((first_day + day) * day_us).substr(0, 10)) return each;
    }
    return {};
  }
  [[nodiscard]] bool has(const std::string& name) const {
    return std::filesystem::exists(folder / name);
  }
  [[nodiscard]] std::set<std::string> names() const {
    std::set<std::string> all;
    for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
      all.insert(entry.path().filename().string());
    return all;
  }
  /// Every record of the day is there once, wherever it is.
  void check_readable_once(std::int64_t day) {
    auto found = query(day);
    if (!found) {
      CHECK(found.error().code == ErrorCode::wrong_state);
      const auto restored = act(MaintenanceAct::restore, day);
      REQUIRE_MESSAGE(restored.ok(), message_of(restored));
      found = query(day);
    }
    REQUIRE_MESSAGE(found.ok(), (found.ok() ? std::string() : found.error().message));
    CHECK(*found == days[first_day + day]);
  }
};

std::string day_text(std::int64_t day) {
  return format_time_us((first_day + day) * day_us).substr(0, 10);
}

/// Says what time it is, and does something when it is asked for the n-th time.
class ActingClock final : public Clock {
 public:
  ActingClock(int asked, std::function<void()> act) : left_(asked), act_(std::move(act)) {}
  [[nodiscard]] std::int64_t monotonic_us() const noexcept override {
    if (--left_ == 0) act_();
    return 1'000'000;
  }
  [[nodiscard]] std::int64_t wall_us() const noexcept override { return (first_day + 13) * day_us; }

 private:
  mutable int left_;
  const std::function<void()> act_;
};

/// Makes a folder of files what another one is.
void copy_files(const std::string& from, const std::string& to) {
  for (const auto& entry : std::filesystem::directory_iterator(to))
    std::filesystem::remove(entry.path());
  std::filesystem::copy(from, to);
}

void damage(const std::string& path, std::size_t at) {
  std::string content = test::content_of(path);
  REQUIRE(at < content.size());
  content[at] = static_cast<char>(content[at] ^ 0x40);
  test::write_content(path, content);
}

}  // namespace

TEST_CASE(
    "DayKeeper: a sealed day has the same records, and their sums, and takes late ones (O-08)") {
  Station station;
  const auto report_before = call_report(station.folder.path(), {});
  REQUIRE(report_before.ok());
  REQUIRE(station.act(MaintenanceAct::seal, 0).ok());
  for (std::int64_t day = 0; day < 3; ++day)
    CHECK(station.query(day).value() == station.days[first_day + day]);
  const auto report_after = call_report(station.folder.path(), {});
  REQUIRE(report_after.ok());
  CHECK(to_csv(*report_after) == to_csv(*report_before));

  const StoredDay sealed = station.stored(0);
  CHECK(sealed.is_online);
  CHECK(sealed.is_sealed);
  CHECK_FALSE(sealed.is_archived);
  CHECK(sealed.records == 40);
  CHECK(sealed.sealed_at_us == station.clock.wall_us());
  CHECK(sealed.first_ended_at_us == station.days[first_day].back().ended_at_us);
  CHECK(sealed.last_ended_at_us == station.days[first_day].front().ended_at_us);
  Amount charge, vendor_charge;
  for (const Cdr& cdr : station.days[first_day]) {
    charge = Amount::from_units(charge.units() + cdr.customer.charge.units());
    vendor_charge = Amount::from_units(vendor_charge.units() + cdr.vendor->charge.units());
  }
  REQUIRE(sealed.sums.size() == 1);
  CHECK(sealed.sums[0] == DaySum{"USD", charge.to_string(), vendor_charge.to_string(), "0.00"});
  CHECK(station.act(MaintenanceAct::verify, 0).ok());
  CHECK(station.stored(0).verified_at_us == station.clock.wall_us());

  station.write_late(0, 7'000);
  CHECK_FALSE(station.stored(0).is_sealed);
  CHECK(station.query(0).value() == station.days[first_day]);
  REQUIRE(station.act(MaintenanceAct::seal, 0).ok());
  CHECK(station.stored(0).records == 41);
  CHECK(station.query(0).value() == station.days[first_day]);
  CHECK(station.act(MaintenanceAct::seal, 9).error().code == ErrorCode::not_found);
}

TEST_CASE("DayKeeper: what was changed in a sealed day is found out (O-08)") {
  Station station;
  REQUIRE(station.act(MaintenanceAct::seal, 1).ok());
  {
    auto connection = store::Connection::open(station.folder / day_name(first_day + 1));
    REQUIRE(connection.ok());
    REQUIRE(connection->execute("UPDATE cdr SET charge_units = 1 WHERE record_id = 50").ok());
  }
  const auto verified = station.act(MaintenanceAct::verify, 1);
  REQUIRE_FALSE(verified.ok());
  CHECK(verified.error().code == ErrorCode::corrupt);
  CHECK(station.stored(1).failure == verified.error().message);
  CHECK(station.stored(1).verified_at_us == 0);
  if (has_compression()) {
    CHECK(station.act(MaintenanceAct::archive, 1).error().code == ErrorCode::corrupt);
    CHECK_FALSE(station.has(archive_name(first_day + 1)));
  }
  CHECK(station.has(day_name(first_day + 1)));
}

TEST_CASE("DayKeeper: an archived day says so until it is restored, as it was (O-08)") {
  if (!has_compression()) {
    MESSAGE("not run: built without libzstd");
    return;
  }
  Station station;
  const auto archived = station.act(MaintenanceAct::archive, 1);
  REQUIRE_MESSAGE(archived.ok(), message_of(archived));
  CHECK_FALSE(station.has(day_name(first_day + 1)));
  CHECK(station.has(archive_name(first_day + 1)));
  const StoredDay stored = station.stored(1);
  CHECK_FALSE(stored.is_online);
  CHECK(stored.is_archived);
  CHECK(stored.records == 40);
  CHECK(stored.archive_bytes > 0);

  const auto found = station.query(1);
  REQUIRE_FALSE(found.ok());
  CHECK(found.error().code == ErrorCode::wrong_state);
  CHECK(found.error().message.find(day_text(1) + " is archived") != std::string::npos);
  CHECK(found.error().message.find("maintenance restore") != std::string::npos);
  CHECK(station.query(1, true).value().empty());
  CHECK(station.query(0).value() == station.days[first_day]);

  // A list is an error where it comes by the archived day, and not before.
  CdrQuery latest;
  latest.limit = 40;
  CHECK(CdrStore(station.folder.path()).query(latest).value() == station.days[first_day + 2]);
  latest.limit = 41;
  CHECK(CdrStore(station.folder.path()).query(latest).error().code == ErrorCode::wrong_state);
  latest.skips_archived = true;
  CHECK(CdrStore(station.folder.path()).query(latest).value().size() == 41);
  CHECK(CdrStore(station.folder.path()).find(50).error().code == ErrorCode::wrong_state);
  CHECK_FALSE(CdrStore(station.folder.path()).find(500).value().has_value());
  CallReportRequest report;
  CHECK(call_report(station.folder.path(), report).error().code == ErrorCode::wrong_state);
  report.filter.skips_archived = true;
  CHECK(call_report(station.folder.path(), report).value().records_read == 80);
  report.filter.skips_archived = false;
  report.filter.until_us = (first_day + 1) * day_us;
  CHECK(call_report(station.folder.path(), report).value().records_read == 40);

  CHECK(station.act(MaintenanceAct::verify, 1).ok());
  CHECK(station.act(MaintenanceAct::archive, 1).ok());  // it is
  const auto restored = station.act(MaintenanceAct::restore, 1);
  REQUIRE_MESSAGE(restored.ok(), message_of(restored));
  CHECK(station.query(1).value() == station.days[first_day + 1]);
  CHECK(station.has(archive_name(first_day + 1)));
  CHECK(station.stored(1).restored_at_us == station.clock.wall_us());
  // With its indexes.
  auto rows = DayRows::open(station.folder.path(), first_day + 1);
  REQUIRE((rows.ok() && *rows));
  auto indexes = (*rows)->connection().prepare(
      "SELECT count(*) FROM sqlite_master WHERE name IN ('cdr_facts', 'cdr_by_caller')");
  REQUIRE(indexes.ok());
  REQUIRE(indexes->step().value());
  CHECK(indexes->integer(0) == 2);
}

TEST_CASE(
    "DayKeeper: records that come late for an archived day are kept, told of, merged (O-08)") {
  if (!has_compression()) {
    MESSAGE("not run: built without libzstd");
    return;
  }
  Station station;
  REQUIRE(station.act(MaintenanceAct::archive, 1).ok());
  station.write_late(1, 5'000);
  CHECK(station.stored(1).has_late_records);
  CHECK(station.query(1).error().code == ErrorCode::wrong_state);
  CHECK(station.query(1, true).value().size() == 1);
  CHECK(station.act(MaintenanceAct::seal, 1).error().code == ErrorCode::already_exists);

  // Into the archive.
  const auto archived = station.act(MaintenanceAct::archive, 1);
  REQUIRE_MESSAGE(archived.ok(), message_of(archived));
  CHECK_FALSE(station.has(day_name(first_day + 1)));
  CHECK(station.stored(1).records == 41);

  // Beside one that is restored.
  station.write_late(1, 6'000);
  const auto restored = station.act(MaintenanceAct::restore, 1);
  REQUIRE_MESSAGE(restored.ok(), message_of(restored));
  CHECK(station.query(1).value() == station.days[first_day + 1]);
  station.write_late(1, 6'500);
  CHECK(station.query(1).value() == station.days[first_day + 1]);
  REQUIRE(station.act(MaintenanceAct::archive, 1).ok());
  CHECK(station.stored(1).records == 43);
  station.check_readable_once(1);
}

TEST_CASE("DayKeeper: a list fails at a day that is archived while it goes on (O-08)") {
  if (!has_compression()) {
    MESSAGE("not run: built without libzstd");
    return;
  }
  for (const bool has_late : {false, true}) {
    CAPTURE(has_late);
    Station station;
    auto cursor = CdrStore(station.folder.path()).cursor({});
    REQUIRE(cursor.ok());
    REQUIRE(cursor->next().value());  // it is in the latest day
    REQUIRE(station.act(MaintenanceAct::archive, 0).ok());
    if (has_late) station.write_late(0, 5'000);
    for (int record = 1; record < 80; ++record)
      REQUIRE(cursor->next().value());
    const auto next = cursor->next();
    REQUIRE_FALSE(next.ok());
    CHECK(next.error().code == ErrorCode::wrong_state);
    CHECK(next.error().message.find(day_text(0) + " is archived") != std::string::npos);
  }
}

TEST_CASE("DayKeeper: a list ends with an error when an archive goes before its turn (O-08)") {
  if (!has_compression()) {
    MESSAGE("not run: built without libzstd");
    return;
  }
  Station station;
  REQUIRE(station.act(MaintenanceAct::archive, 0).ok());
  auto cursor = CdrStore(station.folder.path()).cursor({});
  REQUIRE(cursor.ok());
  REQUIRE(std::filesystem::remove(station.folder / archive_name(first_day)));
  for (int record = 0; record < 80; ++record)
    REQUIRE(cursor->next().value());
  const auto next = cursor->next();
  REQUIRE_FALSE(next.ok());
  CHECK(next.error().code == ErrorCode::wrong_state);
  CHECK(next.error().message.find(day_text(0)) != std::string::npos);
  CHECK(next.error().message.find("went away") != std::string::npos);
}

TEST_CASE("DayKeeper: a report fails at a day that is archived while it is made (O-08)") {
  if (!has_compression()) {
    MESSAGE("not run: built without libzstd");
    return;
  }
  const auto report_when = [](Station& station, int asked) {
    CdrGuards guards;
    guards.time_max_ms = 60'000;
    guards.days_max = 0;
    bool is_archived = false;
    const ActingClock clock(asked, [&] {
      is_archived = true;
      CHECK(station.act(MaintenanceAct::archive, 0).ok());
    });
    auto report = call_report(station.folder.path(), {}, guards, &clock);
    CHECK(is_archived);
    return report;
  };
  // The clock is asked when the box of its time is entered, and before each day, the latest first.
  for (int asked = 1; asked <= 4; ++asked) {
    CAPTURE(asked);
    Station station;
    const auto report = report_when(station, asked);
    REQUIRE_FALSE(report.ok());
    CHECK(report.error().code == ErrorCode::wrong_state);
    CHECK(report.error().message.find(day_text(0) + " is archived") != std::string::npos);
  }
}

TEST_CASE("DayKeeper: a day is judged when it is opened, not when it was listed (O-08)") {
  if (!has_compression()) {
    MESSAGE("not run: built without libzstd");
    return;
  }
  Station station;
  const std::string& folder = station.folder.path();
  const std::vector<std::int64_t> all{first_day + 2, first_day + 1, first_day};
  const auto listed = stored_days_of(folder);
  REQUIRE(listed.ok());
  CHECK(*listed == all);
  CHECK(open_day_to_read(folder, first_day, false).value().has_value());
  REQUIRE(station.act(MaintenanceAct::archive, 0).ok());
  CHECK(stored_days_of(folder).value() == all);
  CHECK(open_day_to_read(folder, first_day, false).error().code == ErrorCode::wrong_state);
  CHECK_FALSE(open_day_to_read(folder, first_day, true).value().has_value());
  station.write_late(0, 5'000);
  CHECK(open_day_to_read(folder, first_day, false).error().code == ErrorCode::wrong_state);
  CHECK(open_day_to_read(folder, first_day, true).value().has_value());
  REQUIRE(station.act(MaintenanceAct::restore, 0).ok());
  CHECK(open_day_to_read(folder, first_day, false).value().has_value());
  CHECK(open_day_to_read(folder, first_day + 5, false).error().code == ErrorCode::wrong_state);

  // A page that begins behind a record which is archived by now is no first page.
  REQUIRE(station.act(MaintenanceAct::archive, 1).ok());
  CdrQuery page;
  page.limit = 10;
  page.before_record_id = 50;
  const auto next = CdrStore(folder).query(page);
  REQUIRE_FALSE(next.ok());
  CHECK(next.error().code == ErrorCode::wrong_state);
  CHECK(next.error().message.find("record 50 may be of " + day_text(1)) != std::string::npos);
}

TEST_CASE("DayKeeper: a damaged archive is never taken for a good one (O-08)") {
  if (!has_compression()) {
    MESSAGE("not run: built without libzstd");
    return;
  }
  Station station;
  REQUIRE(station.act(MaintenanceAct::archive, 0).ok());
  const std::string path = station.folder / archive_name(first_day);
  const std::string good = test::content_of(path);
  SeededRandom random(3);
  for (int round = 0; round < 40; ++round) {
    if (round % 4 == 0) {
      test::write_content(path, good.substr(0, random.below(good.size())));
    } else {
      damage(path, random.below(good.size()));
    }
    const auto verified = station.act(MaintenanceAct::verify, 0);
    REQUIRE_FALSE(verified.ok());
    CHECK(verified.error().code == ErrorCode::corrupt);
    CHECK_FALSE(station.act(MaintenanceAct::restore, 0).ok());
    CHECK_FALSE(station.has(day_name(first_day)));
    test::write_content(path, good);
  }
  CHECK(station.act(MaintenanceAct::verify, 0).ok());
  station.check_readable_once(0);
}

TEST_CASE("DayKeeper: a file that somebody has open stays where it is (O-08)") {
  Station station;
  {
    CdrFilter filter;
    filter.until_us = (first_day + 1) * day_us;
    auto cursor = CdrStore(station.folder.path()).cursor(filter);
    REQUIRE(cursor.ok());
    REQUIRE(cursor->next().value());  // it is in the middle of the day
    const auto sealed = station.act(MaintenanceAct::seal, 0);
    REQUIRE_FALSE(sealed.ok());
    CHECK(sealed.error().code == ErrorCode::wrong_state);
    // Nothing was done for it, and it was waited for once.
    CHECK(station.pace.pauses > 0);
    CHECK(station.pace.pauses < 50);
    CHECK(station.pace.spent_bytes == 0);
    CHECK(cursor->next().value());
  }
  CHECK(station.act(MaintenanceAct::seal, 0).ok());
  {
    // A shell that knows nothing of our lock.
    auto shell =
        store::Connection::open(station.folder / day_name(first_day), store::OpenMode::read_only);
    REQUIRE(shell.ok());
    CHECK(station.act(MaintenanceAct::seal, 0).error().code == ErrorCode::wrong_state);
  }
  // The sink that has its latest file open.
  auto sink = make_sqlite_sink(station.folder.path());
  REQUIRE(sink.ok());
  SeededRandom random(1);
  station.write(**sink, 2, 4'000, random);
  REQUIRE((*sink)->flush().ok());
  CHECK(station.act(MaintenanceAct::seal, 2).error().code == ErrorCode::wrong_state);
  station.write(**sink, 2, 4'001, random);
  REQUIRE((*sink)->flush().ok());
  station.check_readable_once(2);
  // Two at once get into each other's way.
  const auto keeper = station.keeper();
  const auto second = DayKeeper::open({station.folder.path(), {}}, station.clock, station.pace);
  REQUIRE_FALSE(second.ok());
  CHECK(second.error().code == ErrorCode::already_exists);
}

TEST_CASE("DayKeeper: nothing is begun without room for it and for the journal (O-08)") {
  Station station;
  DiskRoom room{10ULL << 20, 1'000'000ULL << 20};  // less than the reserve of a gigabyte
  const auto act = [&](MaintenanceAct wanted) {
    DayKeeper::Options options{station.folder.path(), station.rules};
    options.room_of = [&room](const std::string&) -> Result<DiskRoom> { return room; };
    auto keeper = DayKeeper::open(std::move(options), station.clock, station.pace);
    REQUIRE(keeper.ok());
    return (*keeper)->act(wanted, first_day);
  };
  const auto refused = [&](MaintenanceAct wanted) {
    CAPTURE(maintenance_act_name(wanted));
    station.pace.spent_bytes = 0;
    const auto outcome = act(wanted);
    REQUIRE_FALSE(outcome.ok());
    CHECK(outcome.error().code == ErrorCode::limit);
    CHECK(outcome.error().message.find("had 10 MiB free") != std::string::npos);
    CHECK(outcome.error().message.find("reserve of 1024 MiB") != std::string::npos);
    CHECK(station.pace.spent_bytes == 0);
  };
  refused(MaintenanceAct::seal);
  refused(MaintenanceAct::archive);
  station.check_readable_once(0);
  if (has_compression()) {
    REQUIRE(station.act(MaintenanceAct::archive, 0).ok());
    refused(MaintenanceAct::restore);
    refused(MaintenanceAct::verify);
  }
  room = {100ULL << 20, 200ULL << 20};  // of a small disk a twentieth
  CHECK(act(has_compression() ? MaintenanceAct::restore : MaintenanceAct::seal).ok());
  station.check_readable_once(0);
}

TEST_CASE("DayKeeper: what an administrator makes belongs to the switch (O-08)") {
  if (geteuid() != 0) {
    MESSAGE("not run: only root gives files away");
    return;
  }
  constexpr uid_t owner = 4'711;
  Station station;
  REQUIRE(chown(station.folder.path().c_str(), owner, owner) == 0);
  for (const std::string& name : station.names())
    REQUIRE(chown((station.folder / name).c_str(), owner, owner) == 0);
  const mode_t mask = umask(077);
  CHECK(station.act(MaintenanceAct::seal, 0).ok());
  if (has_compression()) {
    CHECK(station.act(MaintenanceAct::archive, 1).ok());
    CHECK(station.act(MaintenanceAct::archive, 2).ok());
    CHECK(station.act(MaintenanceAct::restore, 2).ok());
  }
  umask(mask);
  for (const std::string& name : station.names()) {
    CAPTURE(name);
    struct stat status {};
    REQUIRE(stat((station.folder / name).c_str(), &status) == 0);
    CHECK(status.st_uid == owner);
    CHECK(status.st_gid == owner);
    CHECK((status.st_mode & 0600) == 0600);
  }
}

TEST_CASE("DayLock: records are never written without it (O-08)") {
  TemporaryFolder folder;
  const std::string lock = folder / "cdr-days.lock";
  std::filesystem::create_symlink(folder / "nowhere/lock", lock);  // it can be neither had nor made
  CHECK(DayLock::reading(folder.path(), first_day).ok());
  const auto writing = DayLock::writing(folder.path(), first_day);
  REQUIRE_FALSE(writing.ok());
  CHECK(writing.error().code == ErrorCode::io);
  auto sink = make_sqlite_sink(folder.path());
  REQUIRE(sink.ok());
  SeededRandom random(1);
  Cdr cdr = test::sample_cdr(0, random);
  cdr.record_id = 1;
  const bool is_stored = (*sink)->write(cdr).ok() && (*sink)->flush().ok();
  CHECK_FALSE(is_stored);
  CHECK_FALSE(std::filesystem::exists(folder / day_name(day_of(cdr.ended_at_us))));
}

TEST_CASE("DayKeeper: archives live through steps that name an index (O-08)") {
  if (!has_compression()) {
    MESSAGE("not run: built without libzstd");
    return;
  }
  std::vector<store::Migration> steps(day_steps.begin(), day_steps.end());
  steps.push_back({steps.back().number + 1,
                   "DROP INDEX cdr_facts; CREATE INDEX cdr_of_later ON cdr(ended_at_us, account)"});
  for (const MaintenanceAct act : {MaintenanceAct::restore, MaintenanceAct::archive}) {
    CAPTURE(maintenance_act_name(act));
    Station station;
    REQUIRE(station.act(MaintenanceAct::archive, 1).ok());
    station.write_late(1, 5'000);
    DayKeeper::Options options{station.folder.path(), station.rules};
    options.steps = steps;
    auto keeper = DayKeeper::open(std::move(options), station.clock, station.pace);
    REQUIRE(keeper.ok());
    const auto done = (*keeper)->act(act, first_day + 1);
    CHECK_MESSAGE(done.ok(), message_of(done));
    const auto restored = (*keeper)->act(MaintenanceAct::restore, first_day + 1);
    CHECK_MESSAGE(restored.ok(), message_of(restored));
    CHECK(station.query(1).value() == station.days[first_day + 1]);
    auto rows = DayRows::open(station.folder.path(), first_day + 1);
    REQUIRE((rows.ok() && *rows));
    auto indexes = (*rows)->connection().prepare(
        "SELECT group_concat(name) FROM (SELECT name FROM sqlite_master WHERE name IN "
        "('cdr_facts', 'cdr_of_later', 'day_indexes') ORDER BY name)");
    REQUIRE(indexes.ok());
    REQUIRE(indexes->step().value());
    CHECK(indexes->text(0) == "cdr_of_later");
  }
}

TEST_CASE("DayKeeper: the frame around the manifest is looked at too (O-08)") {
  if (!has_compression()) {
    MESSAGE("not run: built without libzstd");
    return;
  }
  Station station;
  REQUIRE(station.act(MaintenanceAct::archive, 0).ok());
  const std::string path = station.folder / archive_name(first_day);
  PosixDisk disk;
  const auto manifest = read_manifest(disk, path);
  REQUIRE(manifest.ok());
  for (std::size_t at = 0; at < 8; ++at) {
    CAPTURE(at);
    damage(path, manifest->compressed_bytes + at);
    CHECK(station.act(MaintenanceAct::verify, 0).error().code == ErrorCode::corrupt);
    damage(path, manifest->compressed_bytes + at);
  }
  CHECK(station.act(MaintenanceAct::verify, 0).ok());

  // What only has the name of an archive is not deleted, however old it is.
  test::write_content(path, "made by somebody else");
  station.rules.archive_after_days = 1;
  station.rules.delete_after_days = 2;
  station.rules.verify_archives = 0;
  const MaintenanceReport report = station.keeper()->run(std::nullopt);
  REQUIRE_FALSE(report.outcomes.empty());
  CHECK(report.outcomes[0].act == MaintenanceAct::remove);
  CHECK_FALSE(report.outcomes[0].failure.empty());
  CHECK(station.has(archive_name(first_day)));
}

TEST_CASE("DayKeeper: whenever it dies, the day is readable exactly once (O-08)") {
  const std::vector<MaintenanceAct> acts =
      has_compression()
          ? std::vector{MaintenanceAct::seal, MaintenanceAct::archive, MaintenanceAct::restore}
          : std::vector{MaintenanceAct::seal};
  constexpr std::uint64_t stride = checked_build::is_sanitized ? 5 : 1;
  std::uint64_t deaths = 0;
  for (const MaintenanceAct act : acts) {
    for (const bool has_late : {false, true}) {
      Station station(12);
      // To be restored; or to be archived once more, with what came since.
      if (act != MaintenanceAct::seal && (act == MaintenanceAct::restore || has_late))
        REQUIRE(station.act(MaintenanceAct::archive, 1).ok());
      if (has_late) station.write_late(1, 5'000);
      const TemporaryFolder before;  // making the days anew for each death takes most of the time
      copy_files(station.folder.path(), before.path());
      for (const bool is_power_cut : {false, true}) {
        for (std::uint64_t steps = 1;; steps += stride) {
          CAPTURE(maintenance_act_name(act));
          CAPTURE(has_late);
          CAPTURE(is_power_cut);
          CAPTURE(steps);
          SeededRandom random(steps);
          copy_files(before.path(), station.folder.path());
          auto disk = std::make_shared<DyingDisk>(station.folder.path());
          {
            const auto keeper = station.keeper(disk);
            disk->dies_in = steps;
            (void)keeper->act(act, first_day + 1);  // the folder is judged, not the answer
          }
          const bool is_dead = disk->is_dead();
          if (is_dead && is_power_cut) disk->cut_power(random);
          deaths += is_dead ? 1U : 0U;
          station.check_readable_once(1);
          CHECK(station.query(0).value() == station.days[first_day]);
          // The next one finds nothing in its way, and leaves nothing behind.
          const auto again = station.act(act, 1);
          CHECK_MESSAGE(again.ok(), message_of(again));
          station.check_readable_once(1);
          for (const std::string& name : station.names()) {
            CHECK(name.find(".draft") == std::string::npos);
            CHECK(name.find(".check") == std::string::npos);
          }
          if (!is_dead) break;
        }
      }
    }
  }
  CHECK(deaths > (has_compression() ? 60U : 4U) / stride);
}

TEST_CASE("DayKeeper: a run does what is due by the days, and no more (O-08, O-09)") {
  if (!has_compression()) {
    MESSAGE("not run: built without libzstd");
    return;
  }
  Station station;
  station.rules.seal_after_days = 2;
  station.rules.archive_after_days = 5;
  station.rules.delete_after_days = 8;
  station.rules.restored_days = 2;
  station.rules.verify_archives = 1;
  const auto run_at = [&](std::int64_t day, std::int64_t hour = 3) {
    station.clock.step_wall_us((first_day + day) * day_us + hour * 3'600'000'000 -
                               station.clock.wall_us());
    const MaintenanceReport report = station.keeper()->run(std::nullopt);
    std::string done;
    for (const MaintenanceOutcome& outcome : report.outcomes) {
      CHECK_MESSAGE(outcome.failure.empty(), outcome.failure);
      done += std::string(done.empty() ? "" : ", ") + maintenance_act_name(outcome.act) + ' ' +
              outcome.day.substr(8);
    }
    return done;
  };
  CHECK(run_at(2) == "");
  CHECK(run_at(3) == "seal 25");
  CHECK(run_at(3, 4) == "");
  station.write_late(0, 9'000);
  CHECK(run_at(3, 5) == "seal 25");
  CHECK(run_at(4) == "seal 26");
  CHECK(run_at(5) == "seal 27");
  CHECK(run_at(6) == "archive 25, verify 25");
  CHECK(run_at(7) == "archive 26, verify 26");
  REQUIRE(station.act(MaintenanceAct::restore, 1).ok());
  CHECK(run_at(8) == "archive 27, verify 27");
  CHECK(run_at(9) == "remove 25, archive 26, verify 26");
  CHECK(run_at(9, 4) == "verify 27");
  CHECK_FALSE(station.has(archive_name(first_day)));
  CHECK(station.query(0).value().empty());

  // A clock that is a year ahead takes no more than a week makes too old.
  station.rules.delete_after_days = 30;
  CHECK(run_at(374) == "verify 26");
  CHECK(run_at(10) == "verify 27");
  CHECK(station.has(archive_name(first_day + 1)));
}

TEST_CASE(
    "DayKeeper: a run that is told to end ends at once and leaves the days as they were (O-08)") {
  Station station;
  station.rules.seal_after_days = 0;
  station.pace.over = true;
  const MaintenanceReport report = station.keeper()->run(std::nullopt);
  CHECK(report.was_cut_short);
  CHECK(report.outcomes.empty());
  station.pace.over = false;
  const MaintenanceReport late = station.keeper()->run(station.clock.wall_us());
  CHECK(late.was_cut_short);
  CHECK(late.outcomes.empty());
  for (std::int64_t day = 0; day < 3; ++day)
    station.check_readable_once(day);
}
