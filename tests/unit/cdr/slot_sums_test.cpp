// Sums by slots against the same reports over the records.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "cdr/cdr_codec.hpp"
#include "cdr/cdr_sqlite.hpp"
#include "cdr/corrections_sqlite.hpp"
#include "cdr/day_files.hpp"
#include "cdr/slot_sums_sqlite.hpp"
#include "report_oracle.hpp"
#include "sealed_days.hpp"
#include "tandem/call_reports.hpp"
#include "tandem/cdr_slots.hpp"
#include "temporary_folder.hpp"

using namespace tandem;
using namespace tandem::cdr;
using test::TemporaryFolder;

namespace {

constexpr std::int64_t hour_us = 3'600'000'000;

/// Day files and sums of the same records.
struct Kept {
  TemporaryFolder folder;
  SimulatedClock clock{test::noon_us + 5 * day_us};
  std::string zone;
  std::string slots = folder.path() + "/slots";
  std::string database;  // of corrections
  std::unique_ptr<CdrSink> days;
  std::unique_ptr<SlotSink> sums;
  std::vector<std::string> payloads;  // of records 1, 2, ...

  explicit Kept(std::string its_zone = "UTC") : zone(std::move(its_zone)) {
    auto made = make_sqlite_sink(folder.path() + "/cdr");
    REQUIRE(made.ok());
    days = std::move(*made);
    open();
  }
  void open() {
    sums.reset();
    auto made = SlotSink::open(slots, zone, clock);
    REQUIRE_MESSAGE(made.ok(), (made.ok() ? std::string() : made.error().message));
    sums = std::move(*made);
  }
  void add(Cdr cdr) {
    cdr.record_id = payloads.size() + 1;
    REQUIRE(days->write(cdr).ok());
    payloads.push_back(encode(EndRecord{0, cdr}));
  }
  /// Records `first` to `last`, as a journal offers them.
  Result<void> offer(std::uint64_t first, std::uint64_t last) {
    std::vector<RecordView> views;
    for (std::uint64_t i = first; i <= last; ++i)
      views.push_back({i, RecordType::end, payloads[i - 1]});
    return sums->write_batch(views, last);
  }
  void offer_all() {
    REQUIRE(days->flush().ok());
    REQUIRE(offer(1, payloads.size()).ok());
  }
  [[nodiscard]] CallReport report(const CallReportRequest& request, bool by_slots) const {
    CdrPlace place(folder.path() + "/cdr", database);
    if (by_slots) place.slots = slots;
    auto made = call_report(place, request, {}, &clock);
    REQUIRE_MESSAGE(made.ok(), (made.ok() ? std::string() : made.error().message));
    return *made;
  }
  /// Whether the slots gave the report, which is then what the records give.
  [[nodiscard]] bool agrees(const CallReportRequest& request) const {
    const CallReport of_records = report(request, false);
    const CallReport of_slots = report(request, true);
    CHECK(of_slots.columns == of_records.columns);
    CHECK(of_slots.rows == of_records.rows);
    return of_slots.records_read == 0 && of_records.records_read > 0;
  }
};

/// A second goes by with each look at it.
class HurriedClock final : public Clock {
 public:
  explicit HurriedClock(const Clock& of_wall) : of_wall_(of_wall) {}
  [[nodiscard]] std::int64_t monotonic_us() const noexcept override { return now_us_ += 1'000'000; }
  [[nodiscard]] std::int64_t wall_us() const noexcept override { return of_wall_.wall_us(); }

 private:
  const Clock& of_wall_;
  mutable std::int64_t now_us_ = 0;
};

constexpr std::array kinds = {CallReportKind::customer_gateways,
                              CallReportKind::vendor_gateways,
                              CallReportKind::days,
                              CallReportKind::areas,
                              CallReportKind::gateway_areas,
                              CallReportKind::area_totals,
                              CallReportKind::performance,
                              CallReportKind::failures};

}  // namespace

TEST_CASE("Slots: reports of sums are those of the records, whatever zone and period (C-11)") {
  SeededRandom random(41);
  for (const char* zone : {"UTC", "+05:30", "Europe/Berlin"}) {
    CAPTURE(std::string(zone));
    Kept kept(zone);
    for (int i = 0; i < 250; ++i)
      kept.add(test::varied_cdr(1, random));
    REQUIRE(kept.days->flush().ok());
    // Batches of any size, some of which come again after the sink was opened anew.
    for (std::uint64_t done = 0; done < kept.payloads.size();) {
      const std::uint64_t last =
          std::min<std::uint64_t>(done + 1 + random.below(60), kept.payloads.size());
      const std::uint64_t first = done - std::min<std::uint64_t>(done, random.below(20)) + 1;
      REQUIRE(kept.offer(first, last).ok());
      if (random.below(3) == 0) {
        kept.open();
        CHECK(kept.sums->position().value() == last);
        REQUIRE(kept.offer(first, last).ok());
      }
      done = last;
    }
    int told = 0;
    for (int round = 0; round < 40; ++round) {
      CallReportRequest request;
      request.timezone = zone;
      request.kind = test::any_of(random, kinds);
      request.by = static_cast<ReportSlot>(random.below(5));
      request.is_vendor = random.below(2) == 0;
      // Edges of days, of hours, and of nothing.
      const std::int64_t step_us =
          std::array<std::int64_t, 3>{day_us, hour_us, 7'000'000}[random.below(3)];
      const ReportSlot edge = step_us == day_us ? ReportSlot::day : ReportSlot::hour;
      ReportSlots edges(edge, TimeZone::load(zone).value());
      const auto some_time = [&](std::int64_t from_us) {
        const std::int64_t time_us = from_us + static_cast<std::int64_t>(random.below(3 * day_us));
        return step_us < hour_us ? time_us : edges.start_us(time_us);
      };
      request.filter.since_us = some_time(test::noon_us - day_us);
      if (random.below(3) != 0) request.filter.until_us = some_time(test::noon_us + 2 * day_us);
      if (random.below(3) == 0) request.filter.rate_prefix = "44";
      if (random.below(3) == 0) request.filter.customer_gateway = "cust-1";
      if (random.below(3) == 0) request.filter.vendor_gateway = "v1";
      if (random.below(10) == 0) request.filter.is_answered = true;
      told += kept.agrees(request) ? 1 : 0;
    }
    CHECK(told >= 5);
    CHECK(told <= 35);
  }
}

TEST_CASE("Slots: five minutes are kept for 7 days, hours for 90, days for three years (C-11)") {
  Kept kept;
  SeededRandom random(42);
  const std::int64_t first_us = test::noon_us / day_us * day_us;
  const auto call_at = [&](std::int64_t days) {
    Cdr cdr = test::varied_cdr(1, random);
    const std::int64_t shift_us = first_us + days * day_us + hour_us - cdr.ended_at_us;
    cdr.started_at_us += shift_us;
    cdr.ended_at_us += shift_us;
    if (cdr.answered_at_us != 0) cdr.answered_at_us += shift_us;
    for (Attempt& attempt : cdr.attempts) {
      attempt.started_at_us += shift_us;
      attempt.ended_at_us += shift_us;
    }
    return cdr;
  };
  kept.clock.advance_us(1'085 * day_us);
  kept.add(call_at(0));
  kept.add(call_at(1'000));
  kept.add(call_at(1'085));
  kept.add(call_at(1'090));
  kept.offer_all();
  CallReportRequest request;
  request.kind = CallReportKind::customer_gateways;
  const auto is_told = [&](std::int64_t since_day, std::int64_t shift_us) {
    request.filter.since_us = first_us + since_day * day_us + shift_us;
    return kept.agrees(request);
  };
  CHECK(is_told(0, 0));  // by days
  CHECK_FALSE(is_told(999, hour_us));
  CHECK(is_told(1'001, hour_us));  // by hours
  CHECK_FALSE(is_told(1'082, 300'000'000));
  CHECK(is_told(1'084, 300'000'000));  // by five minutes
  CHECK_FALSE(is_told(1'084, 1));
  request.by = ReportSlot::five_minutes;
  CHECK_FALSE(is_told(1'001, 0));
  CHECK(is_told(1'084, 0));

  // The first day goes with the fourth year; a clock that is far ahead takes nothing away, whether
  // it was so when a call ended or is so now.
  request.by = ReportSlot::none;
  Cdr wild = call_at(1'090);
  wild.ended_at_us += 90'000 * day_us;
  kept.add(wild);
  REQUIRE(kept.days->flush().ok());
  REQUIRE(kept.offer(5, 5).ok());
  CHECK(is_told(0, 0));
  kept.clock.step_wall_us(4'000 * day_us);
  Cdr ahead = call_at(1'090);
  ahead.ended_at_us += 4'000 * day_us;
  kept.add(ahead);
  REQUIRE(kept.days->flush().ok());
  REQUIRE(kept.offer(6, 6).ok());
  kept.open();
  REQUIRE(kept.offer(6, 6).ok());
  CHECK(is_told(0, 0));
  kept.clock.step_wall_us(-4'000 * day_us);
  kept.clock.advance_us(11 * day_us);
  kept.add(call_at(1'101));
  REQUIRE(kept.days->flush().ok());
  REQUIRE(kept.offer(7, 7).ok());
  CHECK_FALSE(is_told(0, 0));
  CHECK(is_told(3, 0));
  // A late call of a time that is kept no more changes nothing that is told.
  kept.add(call_at(1));
  REQUIRE(kept.offer(8, 8).ok());
  CHECK(is_told(3, 0));
}

TEST_CASE("Slots: load is that of the records, of calls over many slots, in any order (C-11c)") {
  SeededRandom random(45);
  for (const char* zone : {"UTC", "+05:30", "Australia/Lord_Howe"}) {
    CAPTURE(std::string(zone));
    Kept kept(zone);
    for (int i = 0; i < 60; ++i) {
      Cdr cdr = test::varied_cdr(1, random);
      cdr.started_at_us = cdr.ended_at_us - static_cast<std::int64_t>(random.below(20 * hour_us));
      if (random.below(20) == 0) cdr.started_at_us = cdr.ended_at_us + 5;  // a clock was set back
      kept.add(cdr);
    }
    REQUIRE(kept.days->flush().ok());
    for (std::uint64_t done = 0; done < kept.payloads.size(); done += 30)
      REQUIRE(kept.offer(done + 1, done + 30).ok());
    CallReportRequest request;
    request.kind = CallReportKind::performance;
    request.timezone = zone;
    ReportSlots midnights(ReportSlot::day, TimeZone::load(zone).value());
    const auto midnight = [&](std::int64_t days) {
      return midnights.start_us(test::noon_us + days * day_us);
    };
    const auto check_all = [&] {
      for (const ReportSlot by : {ReportSlot::none, ReportSlot::five_minutes, ReportSlot::hour,
                                  ReportSlot::day, ReportSlot::month}) {
        CAPTURE(report_slot_name(by));
        request.by = by;
        request.filter.since_us = midnight(0);
        request.filter.until_us = midnight(2);
        CHECK(kept.agrees(request));
        request.filter.until_us.reset();
        CHECK(kept.agrees(request));
      }
    };
    check_all();
    request.by = ReportSlot::hour;
    CHECK(kept.report(request, true).rows.size() > 20);
    // Of one gateway nobody keeps the load.
    request.filter.customer_gateway = "cust-1";
    CHECK_FALSE(kept.agrees(request));
    request.filter.customer_gateway.clear();
    kept.sums.reset();
    REQUIRE(SlotSink::rebuild(kept.folder.path() + "/cdr", kept.slots, zone, kept.clock).ok());
    request.filter.since_us = midnight(1);
    request.filter.until_us.reset();
    CHECK(kept.agrees(request));
  }
}

TEST_CASE("Slots: hours keep the highest second of five minutes that are kept no more (C-11c)") {
  Kept kept;
  const std::int64_t start_us = test::noon_us / day_us * day_us + 10 * hour_us;
  const auto add = [&](std::int64_t begin_us, std::int64_t end_us) {
    SeededRandom random(46);
    Cdr cdr = test::varied_cdr(1, random);
    cdr.started_at_us = start_us + begin_us;
    cdr.ended_at_us = start_us + end_us;
    cdr.answered_at_us = 0;
    cdr.attempts.clear();
    kept.add(cdr);
  };
  // A sink that was stuck catches up, a record at a time, of a fortnight ago.
  kept.clock.advance_us(14 * day_us);
  constexpr std::int64_t second_us = 1'000'000;
  add(0, 10 * second_us);
  add(5 * second_us, 400 * second_us);
  add(5 * second_us, 9 * second_us);
  add(300 * second_us, 301 * second_us);
  REQUIRE(kept.days->flush().ok());
  for (std::uint64_t i = 1; i <= 4; ++i)
    REQUIRE(kept.offer(i, i).ok());
  CallReportRequest request;
  request.kind = CallReportKind::performance;
  request.filter.since_us = start_us;
  request.filter.until_us = start_us + hour_us;
  CHECK(kept.agrees(request));
  const CallReport report = kept.report(request, true);
  REQUIRE(report.rows.size() == 1);
  REQUIRE(report.columns[6] == "concurrency_max");
  CHECK(report.rows[0][6] == ReportCell(std::int64_t{3}));
  REQUIRE(report.columns[8] == "cps_max");
  CHECK(report.rows[0][8] == ReportCell(std::int64_t{2}));
}

TEST_CASE("Slots: the longest queue of a slot is told, and outlives sums made anew (C-11c)") {
  Kept kept;
  SeededRandom random(47);
  for (int i = 0; i < 3; ++i)
    kept.add(test::varied_cdr(1, random));
  REQUIRE(kept.days->flush().ok());
  kept.sums->note_queue(7);
  REQUIRE(kept.offer(1, 1).ok());
  kept.sums->note_queue(2);
  REQUIRE(kept.offer(2, 2).ok());
  kept.clock.advance_us(hour_us);
  kept.sums->note_queue(3);
  REQUIRE(kept.offer(3, 3).ok());
  CallReportRequest request;
  request.kind = CallReportKind::performance;
  request.by = ReportSlot::day;
  request.filter.since_us = kept.clock.wall_us() / day_us * day_us;
  const auto queue = [&](ReportSlot by) {
    request.by = by;
    std::string text;
    const CallReport report = kept.report(request, true);
    REQUIRE(report.columns.back() == "queue_max");
    for (const auto& row : report.rows)
      text += std::to_string(std::get<std::int64_t>(row.back())) + ' ';
    return text;
  };
  CHECK(queue(ReportSlot::day) == "7 ");
  CHECK(queue(ReportSlot::hour) == "7 3 ");
  CHECK(queue(ReportSlot::five_minutes) == "7 3 ");
  const auto rebuild = [&](const char* zone) {
    kept.sums.reset();
    REQUIRE(SlotSink::rebuild(kept.folder.path() + "/cdr", kept.slots, zone, kept.clock).ok());
    kept.zone = request.timezone = zone;
  };
  rebuild("UTC");
  CHECK(queue(ReportSlot::hour) == "7 3 ");
  rebuild("+05:30");
  CHECK(queue(ReportSlot::five_minutes) == "7 3 ");
  CHECK(queue(ReportSlot::hour) == "7 3 ");  // of the five minutes, since hours are others now
  // No record tells how many waited.
  request.filter.since_us = test::noon_us / day_us * day_us;
  for (const auto& row : kept.report(request, false).rows)
    CHECK(row.back() == ReportCell());
}

TEST_CASE("Slots: sums of an earlier release tell load and failures from then on (C-11)") {
  Kept kept;
  SeededRandom random(48);
  for (int i = 0; i < 30; ++i)
    kept.add(test::varied_cdr(1, random));
  kept.offer_all();
  kept.sums.reset();
  {
    auto connection = store::Connection::open(kept.slots + "/slots.db");
    REQUIRE(connection.ok());
    REQUIRE(connection
                ->execute("DROP TABLE slot_load; DROP TABLE slot_failures; ALTER TABLE slot_place "
                          "DROP COLUMN details_from_us;")
                .ok());
    REQUIRE(connection->execute("DELETE FROM schema_migrations WHERE number = 2").ok());
  }
  CallReportRequest request;
  request.filter.since_us = test::noon_us / day_us * day_us;
  for (const bool is_open : {false, true}) {
    if (is_open) kept.open();
    request.kind = CallReportKind::customer_gateways;
    CHECK(kept.agrees(request));
    request.kind = CallReportKind::failures;
    CHECK_FALSE(kept.agrees(request));
  }
  kept.clock.advance_us(3 * day_us);
  Cdr cdr = test::varied_cdr(1, random);
  cdr.ended_at_us = kept.clock.wall_us();
  cdr.started_at_us = cdr.ended_at_us - 1'000'000;
  kept.add(cdr);
  REQUIRE(kept.days->flush().ok());
  REQUIRE(kept.offer(31, 31).ok());
  request.filter.since_us = test::noon_us / day_us * day_us + 7 * day_us;
  for (const CallReportKind kind : {CallReportKind::failures, CallReportKind::performance}) {
    request.kind = kind;
    CHECK(kept.agrees(request));
  }
}

TEST_CASE("Slots: sums of days outlive the records (C-11)") {
  Kept kept;
  SeededRandom random(43);
  for (int i = 0; i < 20; ++i)
    kept.add(test::varied_cdr(1, random));
  kept.offer_all();
  CallReportRequest request;
  request.kind = CallReportKind::vendor_gateways;
  request.filter.since_us = test::noon_us / day_us * day_us - 10 * day_us;
  const CallReport before = kept.report(request, false);
  REQUIRE_FALSE(before.rows.empty());
  kept.days.reset();
  std::filesystem::remove_all(kept.folder.path() + "/cdr");
  CHECK(kept.report(request, true).rows == before.rows);
  CHECK(kept.report(request, false).rows.empty());
}

TEST_CASE("Slots: what began in the middle tells of nothing before (C-11)") {
  Kept kept;
  SeededRandom random(44);
  for (int i = 0; i < 30; ++i)
    kept.add(test::varied_cdr(1, random));
  REQUIRE(kept.days->flush().ok());
  REQUIRE(kept.offer(11, 30).ok());  // the journal has no more
  CallReportRequest request;
  request.filter.since_us = test::noon_us / day_us * day_us;
  CHECK_FALSE(kept.agrees(request));
  request.filter.since_us = (test::noon_us + 6 * day_us) / day_us * day_us;
  Cdr later = test::varied_cdr(1, random);
  later.started_at_us = later.ended_at_us = test::noon_us + 7 * day_us;
  later.answered_at_us = 0;
  kept.clock.step_wall_us(5 * day_us);
  kept.add(later);
  REQUIRE(kept.days->flush().ok());
  REQUIRE(kept.offer(31, 31).ok());
  CHECK(kept.agrees(request));
}

TEST_CASE("Slots: what began in the middle by a clock that was behind tells of nothing before") {
  Kept kept;
  SeededRandom random(50);
  for (int i = 0; i < 30; ++i)
    kept.add(test::varied_cdr(1, random));
  REQUIRE(kept.days->flush().ok());
  kept.sums.reset();
  std::filesystem::remove_all(kept.slots);
  kept.clock.step_wall_us(-9'000 * day_us);
  kept.open();
  kept.clock.step_wall_us(9'000 * day_us);
  REQUIRE(kept.offer(11, 30).ok());  // the journal has no more
  CallReportRequest request;
  request.filter.since_us = test::noon_us / day_us * day_us;
  CHECK_FALSE(kept.agrees(request));
}

TEST_CASE("Slots: sums that are behind the records tell of what was over before, and no more") {
  Kept kept;
  SeededRandom random(46);
  const std::int64_t first_us = test::noon_us / day_us * day_us;
  const auto add_call = [&](std::int64_t ended_us) {
    Cdr cdr = test::varied_cdr(1, random);
    cdr.started_at_us = cdr.ended_at_us = first_us + ended_us;
    cdr.answered_at_us = 0;
    kept.add(cdr);
  };
  add_call(hour_us);
  add_call(2 * hour_us);
  add_call(3 * hour_us);
  REQUIRE(kept.days->flush().ok());
  REQUIRE(kept.offer(1, 2).ok());  // and then this sink is stuck
  CallReportRequest request;
  request.filter.since_us = first_us;
  CHECK_FALSE(kept.agrees(request));
  request.filter.until_us = first_us + 4 * hour_us;
  CHECK_FALSE(kept.agrees(request));
  request.filter.until_us = first_us + 2 * hour_us;  // another one may have ended then
  CHECK_FALSE(kept.agrees(request));
  request.filter.until_us = first_us + hour_us + hour_us / 2;
  CHECK(kept.agrees(request));
  // A sink that works is a moment behind the other or before it.
  request.filter.until_us.reset();
  kept.clock.step_wall_us(first_us + 2 * hour_us + 1'000'000 - kept.clock.wall_us());
  CHECK(kept.report(request, true).records_read == 0);
  // The clock was ahead when it took the last one.
  kept.clock.step_wall_us(-2'000'000);
  CHECK_FALSE(kept.agrees(request));
  kept.clock.step_wall_us(5 * day_us);
  CHECK_FALSE(kept.agrees(request));
  REQUIRE(kept.offer(3, 3).ok());
  CHECK(kept.agrees(request));
}

TEST_CASE("Slots: a report of sums ends with the time that a question may take (C-13)") {
  Kept kept;
  SeededRandom random(47);
  for (int i = 0; i < 1'000; ++i)
    kept.add(test::varied_cdr(1, random));
  kept.offer_all();
  CallReportRequest request;
  request.by = ReportSlot::five_minutes;
  request.filter.since_us = test::noon_us / day_us * day_us;
  CdrPlace place("");  // no records
  place.slots = kept.slots;
  const HurriedClock clock(kept.clock);
  CdrGuards guards;
  guards.time_max_ms = 1'000;
  const auto ended = call_report(place, request, guards, &clock);
  REQUIRE_FALSE(ended.ok());
  CHECK(ended.error().code == ErrorCode::timeout);
  guards.time_max_ms = 1'000'000;
  const auto told = call_report(place, request, guards, &clock);
  REQUIRE(told.ok());
  CHECK(told->rows.size() > 100);
}

TEST_CASE("Slots: what is wrong with the file is laid to no record, and counted later (C-11)") {
  Kept kept;
  SeededRandom random(48);
  for (int i = 0; i < 20; ++i)
    kept.add(test::varied_cdr(1, random));
  REQUIRE(kept.days->flush().ok());
  REQUIRE(kept.offer(1, 10).ok());
  const auto alter = [&](const std::string& sql) {
    auto connection = store::Connection::open(kept.slots + "/slots.db");
    REQUIRE(connection.ok());
    REQUIRE(connection->execute(sql).ok());
  };
  alter("ALTER TABLE slot_sums RENAME TO elsewhere");
  CHECK(kept.offer(11, 20).error().code == ErrorCode::io);
  alter("ALTER TABLE elsewhere RENAME TO slot_sums");
  alter("CREATE TABLE spoilt AS SELECT * FROM slot_sums; UPDATE slot_sums SET sums = '1 2'");
  CHECK(kept.offer(11, 20).error().code == ErrorCode::io);
  CHECK(kept.sums->position().value() == 10);
  alter("INSERT OR REPLACE INTO slot_sums SELECT * FROM spoilt");
  CHECK(kept.offer(11, 20).ok());
  CallReportRequest request;
  request.filter.since_us = test::noon_us / day_us * day_us;
  CHECK(kept.agrees(request));
}

TEST_CASE("Slots: sums tell what corrections changed, also of days without records (C-11, B-25)") {
  Kept kept;
  SeededRandom random(49);
  std::vector<Cdr> records;
  for (int i = 0; i < 200; ++i) {
    records.push_back(test::varied_cdr(1, random));
    kept.add(records.back());
    records.back().record_id = kept.payloads.size();
  }
  kept.offer_all();
  CallReportRequest request;
  request.filter.since_us = test::noon_us / day_us * day_us - day_us;
  const CallReport before = kept.report(request, true);
  CHECK(before.records_read == 0);
  kept.database = kept.folder.path() + "/main.db";
  test::correct(kept.database, records);
  CHECK(kept.report(request, true).rows != before.rows);
  const auto agree = [&] {
    const CallReport of_records = kept.report(request, false);
    const CallReport of_slots = kept.report(request, true);
    CHECK(of_slots.columns == of_records.columns);
    CHECK(of_slots.rows == of_records.rows);
  };
  for (int round = 0; round < 60; ++round) {
    request.kind = test::any_of(random, kinds);
    request.by = static_cast<ReportSlot>(random.below(5));
    request.is_vendor = random.below(2) == 0;
    request.filter.rate_prefix = random.below(3) == 0 ? "44" : "";
    request.filter.customer_gateway = random.below(3) == 0 ? "cust-1" : "";
    request.filter.vendor_gateway = random.below(3) == 0 ? "v1" : "";
    agree();
  }

  // The first day was not corrected, and its file is gone: its sums are told all the same. Of one
  // that was, nobody knows any more which sums its calls are in.
  request = CallReportRequest();
  request.filter.since_us = test::noon_us / day_us * day_us - day_us;
  const std::int64_t first = day_of(records.front().ended_at_us);
  const auto forget_corrections_of = [&](std::int64_t day) {
    auto main = store::Connection::open(kept.database);
    REQUIRE(main.ok());
    const std::string ids =
        "SELECT id FROM corrections WHERE ended_at_us / 86400000000 = " + std::to_string(day);
    REQUIRE(main->execute("DELETE FROM correction_sides WHERE correction IN (" + ids + ")").ok());
    REQUIRE(main->execute("DELETE FROM corrections WHERE ended_at_us / 86400000000 = " +
                          std::to_string(day))
                .ok());
  };
  forget_corrections_of(first);
  const CallReport whole = kept.report(request, false);
  kept.days.reset();
  std::filesystem::remove(kept.folder.path() + "/cdr/" + day_name(first));
  CHECK(kept.report(request, true).rows == whole.rows);
  CHECK(kept.report(request, false).rows != whole.rows);
  std::filesystem::remove_all(kept.folder.path() + "/cdr");
  CHECK(kept.report(request, true).rows.empty());  // of the records that there are: none
}

TEST_CASE("Slots: made anew of the records, in another zone and from there on (C-11)") {
  Kept kept;
  SeededRandom random(51);
  for (int i = 0; i < 120; ++i)
    kept.add(test::varied_cdr(1, random));
  REQUIRE(kept.days->flush().ok());
  REQUIRE(kept.offer(1, 70).ok());  // the others would come by the journal
  const auto rebuild = [&] {
    return SlotSink::rebuild(kept.folder.path() + "/cdr", kept.slots, kept.zone, kept.clock);
  };
  CHECK(rebuild().error().code == ErrorCode::already_exists);  // a sink has them open
  kept.sums.reset();
  kept.zone = "Nowhere/Land";
  CHECK(rebuild().error().code == ErrorCode::invalid_argument);
  kept.zone = "+05:30";
  const auto made = rebuild();
  REQUIRE_MESSAGE(made.ok(), (made.ok() ? std::string() : made.error().message));
  CHECK(*made == 120);
  kept.open();
  CHECK(kept.sums->position().value() == 120);
  REQUIRE(kept.offer(60, 120).ok());  // changes nothing
  for (int i = 0; i < 30; ++i)
    kept.add(test::varied_cdr(1, random));
  REQUIRE(kept.days->flush().ok());
  REQUIRE(kept.offer(121, 150).ok());
  CallReportRequest request;
  request.timezone = kept.zone;
  ReportSlots midnights(ReportSlot::day, TimeZone::load(kept.zone).value());
  // From the first midnight on that lies in a day whose file is there.
  request.filter.since_us = midnights.end_us(midnights.start_us(test::noon_us));
  for (const CallReportKind kind : kinds) {
    request.kind = kind;
    CHECK(kept.agrees(request));
  }
  request.filter.since_us = *request.filter.since_us - 10 * day_us;
  CHECK_FALSE(kept.agrees(request));  // nobody knows what was there before
  // Something that is not readable leaves what was there.
  kept.days.reset();
  kept.sums.reset();
  const std::string day = kept.folder.path() + "/cdr/" + day_name(test::noon_us / day_us);
  std::filesystem::resize_file(day, 5'000);
  kept.zone = "UTC";
  CHECK_FALSE(rebuild().ok());
  CHECK(SlotSink::open(kept.slots, "+05:30", kept.clock).ok());
}

TEST_CASE("CdrJournal: a host adds sums beside its day files, and reports read them (C-11)") {
  TemporaryFolder folder;
  const SimulatedClock clock(test::noon_us + 5 * day_us);
  SeededRandom random(52);
  CdrJournalConfig config;
  config.folder = folder / "journal";
  config.threads = false;
  auto journal = CdrJournal::open(config, clock);
  REQUIRE(journal.ok());
  auto days = make_sqlite_sink(folder / "cdr");
  auto slots = make_cdr_slots_sink(folder / "slots", "", &clock);
  REQUIRE((days.ok() && slots.ok()));
  CHECK(make_cdr_slots_sink(folder / "slots").error().code == ErrorCode::already_exists);
  REQUIRE((*journal)->add_sink("days", std::move(*days)).ok());
  REQUIRE((*journal)->add_sink("slots", std::move(*slots)).ok());
  REQUIRE((*journal)->start().ok());
  for (int i = 0; i < 50; ++i)
    REQUIRE((*journal)->append(test::varied_cdr(1, random)).ok());
  (*journal)->pump();
  for (const CdrSinkState& sink : (*journal)->sinks())
    CHECK(sink.lag_records == 0);
  CallReportRequest request;
  request.filter.since_us = test::noon_us / day_us * day_us - day_us;
  CdrPlace place(folder / "cdr");
  const auto of_records = call_report(place, request, {}, &clock);
  place.slots = folder / "slots";
  const auto of_slots = call_report(place, request, {}, &clock);
  REQUIRE((of_records.ok() && of_slots.ok()));
  CHECK(of_slots->rows == of_records->rows);
  CHECK(of_slots->records_read == 0);
  journal->reset();
  CHECK(rebuild_cdr_slots(CdrPlace(folder / "cdr")).error().code == ErrorCode::invalid_argument);
  CHECK(rebuild_cdr_slots(place, "Europe/Berlin", &clock).value() == 50);
}

TEST_CASE("Slots: another zone is refused by the sink, and answered by the records (C-11)") {
  Kept kept("+02:00");
  SeededRandom random(45);
  for (int i = 0; i < 20; ++i)
    kept.add(test::varied_cdr(1, random));
  kept.offer_all();
  CallReportRequest request;
  request.filter.since_us = test::noon_us / day_us * day_us;
  CHECK_FALSE(kept.agrees(request));
  request.timezone = "+02:00";
  request.filter.since_us = test::noon_us / day_us * day_us - 2 * hour_us;
  CHECK(kept.agrees(request));
  kept.sums.reset();
  const auto other = SlotSink::open(kept.slots, "UTC", kept.clock);
  REQUIRE_FALSE(other.ok());
  CHECK(other.error().code == ErrorCode::invalid_argument);
  CHECK(other.error().message.find("\"+02:00\"") != std::string::npos);
  CHECK_FALSE(SlotSink::open(kept.slots, "Nowhere/Land", kept.clock).ok());
}
