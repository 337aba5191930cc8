// Days that have to stay: disputed records, records that wait, records that were set aside (O-09).
#include "cdr/retained_days.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <memory>

#include "cdr/archived_days.hpp"
#include "cdr/compression.hpp"
#include "cdr/day_files.hpp"
#include "cdr/day_keeper_sqlite.hpp"
#include "cdr/journal.hpp"
#include "cdr/ledger_sqlite.hpp"
#include "cdr/set_aside.hpp"
#include "dying_disk.hpp"
#include "fault_vfs.hpp"
#include "sample_cdr.hpp"
#include "sealed_days.hpp"
#include "tandem/disputes.hpp"
#include "temporary_folder.hpp"

using namespace tandem;
using namespace tandem::cdr;
using test::TemporaryFolder;

namespace {

constexpr std::int64_t first_day = test::noon_us / day_us;  // 2026-11-25
constexpr std::int64_t second_us = 1'000'000;

/// Records 1, 2 and 3, one a day, and whoever keeps their days.
struct House {
  test::FaultVfs quick{test::FaultVfs::Medium::assumed};  // which flushes nothing for real
  TemporaryFolder folder;
  SimulatedClock clock{(first_day + 20) * day_us};
  test::FreePace pace;
  MaintenanceConfig rules;
  std::string database = folder / "switch.db";
  std::string journal = folder / "journal";
  std::vector<Cdr> records;

  House() {
    rules.seal_after_days = 1;
    rules.archive_after_days = 3;
    rules.delete_after_days = 10;
    rules.verify_archives = 0;
    SeededRandom random(3);
    auto sink = make_sqlite_sink(folder / "days");
    REQUIRE(sink.ok());
    for (std::uint64_t day = 0; day < 3; ++day) {
      Cdr cdr = test::sample_cdr(day * 86'400, random);
      cdr.record_id = day + 1;
      REQUIRE((*sink)->write(cdr).ok());
      records.push_back(cdr);
    }
    REQUIRE((*sink)->flush().ok());
    std::filesystem::create_directory(journal);
  }
  [[nodiscard]] CdrPlace place() const { return {folder / "days", database}; }
  std::unique_ptr<DayGuard> guard(std::function<std::optional<std::uint64_t>()> lowest = {}) {
    return make_day_guard({database, journal, {}, std::move(lowest)}, clock);
  }
  MaintenanceReport run(DayGuard& guard) {
    DayKeeper::Options options{folder / "days", rules};
    options.guard = &guard;
    auto keeper = DayKeeper::open(std::move(options), clock, pace);
    REQUIRE(keeper.ok());
    return (*keeper)->run(std::nullopt);
  }
  Result<void> act(MaintenanceAct act, std::int64_t day) {
    const auto asked = guard();
    DayKeeper::Options options{folder / "days", rules};
    options.guard = asked.get();
    auto keeper = DayKeeper::open(std::move(options), clock, pace);
    REQUIRE(keeper.ok());
    return (*keeper)->act(act, first_day + day);
  }
  /// Archives, as a run makes them.
  void archive_all() {
    const auto asked = guard();
    run(*asked);
    REQUIRE(archives_in(folder / "days").value().size() == 3);
  }
  [[nodiscard]] bool is_archived(std::int64_t day) const {
    return std::filesystem::exists(folder / "days/" + archive_name(first_day + day));
  }
};

bool cannot_archive() {
  if (has_compression()) return false;
  MESSAGE("not run: built without libzstd");
  return true;
}

DisputeRequest about(std::uint64_t record_id, std::string day = {}) {
  return {record_id, "never called there", "amelia", std::move(day)};
}

}  // namespace

TEST_CASE("Disputes: a mark has a reason, is one a record, and stays when it is resolved (O-09)") {
  House house;
  CHECK(query_disputes(house.place(), {}).value().empty());
  CHECK_FALSE(std::filesystem::exists(house.database));
  house.clock.step_wall_us(5 * second_us);
  const auto made = dispute_record(house.place(), about(2), &house.clock);
  REQUIRE_MESSAGE(made.ok(), (made.ok() ? std::string() : made.error().message));
  CHECK(made->id == 1);
  CHECK(made->record_id == 2);
  CHECK(made->day == "2026-11-26");
  CHECK(made->at_us == house.clock.wall_us());
  CHECK(made->resolved_at_us == 0);
  CHECK(dispute_record(house.place(), about(2)).error().code == ErrorCode::already_exists);
  CHECK(dispute_record(house.place(), about(4)).error().code == ErrorCode::not_found);
  CHECK(dispute_record(house.place(), about(0)).error().code == ErrorCode::invalid_argument);
  CHECK(dispute_record(house.place(), {1, "", "", ""}).error().message == "reason was empty");
  CHECK(dispute_record(house.place(), {1, std::string(1'025, 'x'), "", ""}).error().message ==
        "reason of 1025 bytes was longer than 1024");
  CHECK(dispute_record(house.place(), about(1, "2026-11-26")).error().message ==
        "record 1 was of 2026-11-25 and not of 2026-11-26");
  CHECK(dispute_record(CdrPlace(house.folder / "days"), about(1)).error().code ==
        ErrorCode::unsupported);
  CHECK(dispute_record({house.folder / "days", ":memory:"}, about(1)).error().code ==
        ErrorCode::unsupported);  // it would be forgotten at once
  CHECK(dispute_record(CdrPlace("", house.database), about(1)).error().code ==
        ErrorCode::invalid_argument);
  CHECK(dispute_record(CdrPlace("", house.database), about(1, "2026-11-25")).ok());

  CHECK(resolve_dispute(house.place(), {3, "paid back", "bo", ""}).error().code ==
        ErrorCode::not_found);
  const auto over = resolve_dispute(house.place(), {2, "paid back", "bo", ""}, &house.clock);
  REQUIRE(over.ok());
  CHECK(
      to_json(*over) ==
      "{\"id\":1,\"record_id\":2,\"day\":\"2026-11-26\",\"at_us\":" + std::to_string(made->at_us) +
          ",\"reason\":\"never called there\",\"author\":\"amelia\",\"resolved_at_us\":" +
          std::to_string(house.clock.wall_us()) +
          ",\"resolution\":\"paid back\",\"resolver\":\"bo\"}");
  CHECK(resolve_dispute(house.place(), {2, "again", "", ""}).error().code == ErrorCode::not_found);
  CHECK(dispute_record(house.place(), about(2)).value().id == 3);  // anew

  const auto ids = [&](DisputeQuery query) {
    std::string text;
    const auto found = query_disputes(house.place(), query);
    REQUIRE(found.ok());
    for (const Dispute& each : *found)
      text += std::to_string(each.id);
    return text;
  };
  DisputeQuery query;
  CHECK(ids(query) == "321");
  query.limit = 1;
  query.before_id = 3;
  CHECK(ids(query) == "2");
  CHECK(ids({2}) == "31");
  query = {};
  query.day = "2026-11-25";
  CHECK(ids(query) == "2");
  query = {};
  query.is_open = true;
  CHECK(ids(query) == "32");
  query.is_open = false;
  CHECK(ids(query) == "1");
  query.limit = 0;
  CHECK_FALSE(query_disputes(house.place(), query).ok());
  query.limit = 1;
  query.day = "soon";
  CHECK_FALSE(query_disputes(house.place(), query).ok());
}

TEST_CASE("Retention: a day with a disputed record is not deleted before that is resolved (O-09)") {
  if (cannot_archive()) return;
  House house;
  house.rules.delete_after_days = 0;
  house.archive_all();
  // Of an archived day the record cannot be looked up.
  CHECK(dispute_record(house.place(), about(2)).error().code == ErrorCode::wrong_state);
  CHECK(dispute_record(house.place(), about(2, "2026-11-28")).error().code == ErrorCode::not_found);
  CHECK(dispute_record(house.place(), about(9, "2026-11-26")).error().code == ErrorCode::not_found);
  REQUIRE(dispute_record(house.place(), about(2, "2026-11-26"), &house.clock).ok());

  house.rules.delete_after_days = 10;
  const auto guard = house.guard();
  const MaintenanceReport report = house.run(*guard);
  REQUIRE(report.outcomes.size() == 3);
  CHECK(report.outcomes[0].failure == "");
  CHECK(report.outcomes[1].is_kept);
  CHECK_FALSE(report.outcomes[1].is_put_off);
  CHECK(report.outcomes[1].failure == "2026-11-26 is kept: record 2 of it is disputed");
  CHECK_FALSE(report.outcomes[2].is_kept);
  CHECK_FALSE(house.is_archived(0));
  CHECK(house.is_archived(1));
  CHECK_FALSE(house.is_archived(2));
  // Nobody can ask for it either, and there is nothing of the other days to dispute.
  CHECK(house.act(MaintenanceAct::remove, 1).error().message ==
        "2026-11-26 is kept: record 2 of it is disputed");
  CHECK(dispute_record(house.place(), about(1, "2026-11-25")).error().code == ErrorCode::not_found);

  REQUIRE(resolve_dispute(house.place(), {2, "paid back", "bo", ""}).ok());
  CHECK(house.run(*guard).outcomes.size() == 1);
  CHECK_FALSE(house.is_archived(1));
}

TEST_CASE("Retention: what was deleted is told, when, how much and by whose wish (O-09)") {
  if (cannot_archive()) return;
  House house;
  CHECK(house.act(MaintenanceAct::remove, 0).error().code == ErrorCode::wrong_state);
  CHECK(house.act(MaintenanceAct::remove, 9).error().code == ErrorCode::not_found);
  house.rules.delete_after_days = 0;
  house.archive_all();
  REQUIRE(house.act(MaintenanceAct::remove, 2).ok());
  house.clock.step_wall_us(day_us);
  house.rules.delete_after_days = 10;
  const auto guard = house.guard();
  house.run(*guard);
  MaintenanceNoteQuery query;
  query.act = "remove";
  const auto notes = noted_acts_in(house.folder / "days", query);
  REQUIRE(notes.ok());
  REQUIRE(notes->size() == 5);
  CHECK((*notes)[0].day == "2026-11-26");
  CHECK((*notes)[0].records == 1);
  CHECK((*notes)[0].at_us == house.clock.wall_us());
  CHECK_FALSE((*notes)[0].was_asked);
  CHECK((*notes)[1].day == "2026-11-25");
  CHECK((*notes)[2].day == "2026-11-27");
  CHECK((*notes)[2].was_asked);
  CHECK((*notes)[2].failure == "");
  CHECK_FALSE((*notes)[3].failure.empty());
  CHECK((*notes)[3].records == 0);
  query.until_us = house.clock.wall_us();
  CHECK(noted_acts_in(house.folder / "days", query).value().size() == 3);
  query.day = "2026-11-27";
  query.limit = 1;
  CHECK(noted_acts_in(house.folder / "days", query).value().size() == 1);
  query.limit = 0;
  CHECK_FALSE(noted_acts_in(house.folder / "days", query).ok());
  CHECK(noted_acts_in(house.folder / "nowhere", {}).value().empty());
}

TEST_CASE(
    "Retention: a day stays while a record of it, or before it, waits for the ledger (O-09)") {
  House house;
  const auto disk = std::make_shared<PosixDisk>();
  JournalOptions options;
  options.folder = house.journal;
  options.segment_bytes = 1U << 16;
  options.threads = false;
  auto opened = Journal::open(options, house.clock, nullptr);
  REQUIRE(opened.ok());
  Journal& journal = **opened;
  REQUIRE(journal.add_cursor("ledger", 0).ok());
  REQUIRE(journal.start().ok());
  // Records of the second and of the third day; the journal numbers them.
  REQUIRE(journal.append(RecordType::end, encode(EndRecord{0, house.records[1]})).ok());
  const auto last = journal.append(RecordType::end, encode(EndRecord{0, house.records[2]}));
  REQUIRE(last.ok());
  journal.pump();

  CHECK(earliest_day_behind(*disk, house.journal, 0).value() == first_day + 1);
  CHECK(earliest_day_behind(*disk, house.journal, *last - 1).value() == first_day + 2);
  CHECK_FALSE(earliest_day_behind(*disk, house.journal, *last).value().has_value());
  CHECK_FALSE(earliest_day_behind(*disk, house.folder / "nowhere", 0).value().has_value());

  // Without a ledger nobody knows of a place, and nothing is kept for it.
  CHECK(house.guard()->why_kept(first_day + 1).value() == "");
  {
    auto ledger = Ledger::open(house.database);
    REQUIRE(ledger.ok());
    const std::string waits =
        "records from 2026-11-26 on wait in the journal to be charged or written";
    CHECK(house.guard()->why_kept(first_day).value() == "");
    CHECK(house.guard()->why_kept(first_day + 1).value() == waits);
    CHECK(house.guard()->why_kept(first_day + 2).value() == waits);
    REQUIRE((*ledger)->write_batch({}, *last).ok());
    CHECK(house.guard()->why_kept(first_day + 1).value() == "");
  }
  // What a running switch knows of its sinks counts before that.
  std::optional<std::uint64_t> lowest = *last - 1;
  const auto guard = house.guard([&] { return lowest; });
  CHECK(guard->why_kept(first_day + 1).value() == "");
  CHECK_FALSE(guard->why_kept(first_day + 2).value().empty());
  lowest.reset();
  CHECK(guard->why_kept(first_day + 2).value() == "");

  // The places of other sinks are in files; one that is not there says nothing.
  test::write_content(house.folder / "position", "0\n");
  RetentionPlace place{
      house.database, house.journal, {house.folder / "nowhere", house.folder / "position"}};
  CHECK_FALSE(make_day_guard(place, house.clock)->why_kept(first_day + 1).value().empty());
  test::write_content(house.folder / "position", "soon\n");
  CHECK(make_day_guard(place, house.clock)->why_kept(first_day).error().code == ErrorCode::corrupt);
}

TEST_CASE("Retention: a day stays while a record of it is set aside (O-09)") {
  House house;
  const auto disk = std::make_shared<PosixDisk>();
  auto file = SetAside::open(disk, house.journal, "postgresql-1");
  REQUIRE(file.ok());
  Cdr cdr = house.records[1];
  cdr.caller = "\"ended_at_us\":0,";  // a text that looks like a key
  REQUIRE((*file)->add(cdr, "\"ended_at_us\":1,", 5).ok());
  CHECK(house.guard()->why_kept(first_day).value() == "");
  CHECK(house.guard()->why_kept(0).value() == "");
  CHECK(house.guard()->why_kept(first_day + 1).value() ==
        "a record of it was set aside in \"postgresql-1.set-aside\"");
  std::filesystem::remove((*file)->path());
  CHECK(house.guard()->why_kept(first_day + 1).value() == "");
}

TEST_CASE("Retention: a deletion that ends with the process is in the list all the same (O-09)") {
  struct Death : DayGuard {
    Result<std::string> why_kept(std::int64_t) override { return std::string(); }
    Result<bool> remove_day(std::int64_t, std::string&,
                            const std::function<Result<void>()>& remove) override {
      REQUIRE(remove().ok());
      throw std::runtime_error("killed");
    }
    Result<void> note_retired(std::int64_t, const std::string&) override { return {}; }
    Result<void> forget_retired(std::int64_t, const std::string&) override { return {}; }
  };
  if (cannot_archive()) return;
  House house;
  house.rules.delete_after_days = 0;
  house.archive_all();
  Death death;
  DayKeeper::Options options{house.folder / "days", house.rules};
  options.guard = &death;
  {
    auto keeper = DayKeeper::open(std::move(options), house.clock, house.pace);
    REQUIRE(keeper.ok());
    CHECK_THROWS((void)(*keeper)->act(MaintenanceAct::remove, first_day));
  }
  MaintenanceNoteQuery query;
  query.act = "remove";
  query.day = "2026-11-25";
  const auto notes = noted_acts_in(house.folder / "days", query);
  REQUIRE(notes.ok());
  REQUIRE(notes->size() == 1);
  CHECK(notes->front().failure == "was begun, and its end is not known");
  CHECK(notes->front().was_asked);
}

TEST_CASE("Retention: partitions that were deleted are listed, the last ten thousand (O-09)") {
  House house;
  CHECK(retired_days(house.database, 10).value().empty());
  const auto guard = house.guard();
  REQUIRE(guard->note_retired(first_day, "postgresql-1").ok());
  house.clock.step_wall_us(day_us);
  REQUIRE(guard->note_retired(first_day + 1, "mariadb-2").ok());
  const auto days = retired_days(house.database, 10);
  REQUIRE(days.ok());
  REQUIRE(days->size() == 2);
  CHECK((*days)[0].day == first_day + 1);
  CHECK((*days)[0].sink == "mariadb-2");
  CHECK((*days)[0].at_us == house.clock.wall_us());
  CHECK((*days)[1].sink == "postgresql-1");
  CHECK(retired_days(house.database, 1).value().size() == 1);
  REQUIRE(guard->forget_retired(first_day, "postgresql-1").ok());
  REQUIRE(guard->forget_retired(first_day + 1, "postgresql-1").ok());
  CHECK(retired_days(house.database, 10).value().size() == 1);
}
