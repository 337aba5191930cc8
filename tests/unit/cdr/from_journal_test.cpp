// What the journal committed, added up plainly, against what SQL and reports say of it.
#include <doctest/doctest.h>

#include <array>
#include <map>
#include <string>

#include "cdr/cdr_sqlite.hpp"
#include "cdr/journal.hpp"
#include "cdr/sink_runner.hpp"
#include "cdr/slot_sums_sqlite.hpp"
#include "sealed_days.hpp"
#include "tandem/call_reports.hpp"
#include "tandem/cdr_table.hpp"
#include "unit/cdr/fault_vfs.hpp"

using namespace tandem;
using namespace tandem::cdr;

namespace {

/// Vendor and UTC day: calls, answered, talk time, charge, vendor charge.
using Sums = std::map<std::pair<std::string, std::int64_t>, std::array<std::int64_t, 5>>;

/// Of everything that a journal has, read from its beginning.
Sums of_journal(Journal& journal) {
  Sums sums;
  JournalReader reader(journal, 0);
  for (std::vector<RecordView> views;;) {
    REQUIRE(reader.read(views, 100, 1U << 20).ok());
    if (views.empty()) return sums;
    for (const RecordView& view : views) {
      if (view.type != RecordType::end) continue;
      const auto record = decode_end(view.payload, view.sequence);
      REQUIRE(record.ok());
      const Cdr& cdr = record->cdr;
      auto& of = sums[{cdr.vendor_gateway.value_or(""), cdr.ended_at_us / day_us}];
      ++of[0];
      of[1] += cdr.answered_at_us != 0 ? 1 : 0;
      of[2] += cdr.talk_time_ms;
      of[3] += cdr.customer.charge.units();
      of[4] += cdr.vendor ? cdr.vendor->charge.units() : 0;
    }
  }
}

Sums of_sql(const CdrPlace& place) {
  const auto answer =
      cdr_sql(place,
              "SELECT coalesce(vendor_gateway, ''), ended_at_us / 86400000000, count(*), "
              "sum(answered_at_us <> 0), sum(talk_time_ms), sum(charge_units), "
              "sum(coalesce(vendor_charge_units, 0)) FROM cdrs GROUP BY 1, 2");
  REQUIRE_MESSAGE(answer.ok(), (answer.ok() ? std::string() : answer.error().message));
  Sums sums;
  for (const auto& row : answer->rows) {
    const auto number = [&](std::size_t i) { return std::get<std::int64_t>(row[i]); };
    sums[{std::get<std::string>(row[0]), number(1)}] = {number(2), number(3), number(4), number(5),
                                                        number(6)};
  }
  return sums;
}

}  // namespace

TEST_CASE("Records: SQL and reports say what the journal has, added up plainly (C-10, C-13)") {
  const test::FaultVfs quick(test::FaultVfs::Medium::assumed);
  const test::TemporaryFolder folder;
  SimulatedClock clock(test::noon_us + 20 * day_us);
  JournalOptions options;
  options.folder = folder / "journal";
  options.threads = false;
  auto journal = Journal::open(options, clock, nullptr);
  REQUIRE(journal.ok());
  auto days = SqliteSink::open(folder / "cdr");
  auto slots = SlotSink::open(folder / "slots", "UTC", clock);
  REQUIRE((days.ok() && slots.ok()));
  std::vector<std::unique_ptr<SinkRunner>> runners;
  const auto run = [&](const char* name, SinkTarget& target) {
    SinkRunnerOptions of_runner;
    of_runner.name = name;
    of_runner.batch_records = 37;
    auto runner = SinkRunner::create(std::move(of_runner), **journal, target, clock, nullptr);
    REQUIRE(runner.ok());
    runners.push_back(std::move(*runner));
  };
  run("days", **days);
  run("slots", **slots);
  REQUIRE((*journal)->start().ok());
  SeededRandom random(61);
  const auto append = [&](int records) {
    for (int i = 0; i < records; ++i)
      REQUIRE((*journal)
                  ->append(RecordType::end, encode(EndRecord{0, test::varied_cdr(1, random)}))
                  .ok());
    (*journal)->pump();
    for (const auto& runner : runners)
      CHECK(runner->pump());
  };
  append(700);

  const CdrPlace place(folder / "cdr");
  CHECK(of_sql(place) == of_journal(**journal));
  {  // by the columns of sealed days, and open ones beside them
    test::FreePace pace;
    auto keeper = DayKeeper::open({place.folder, {}}, clock, pace);
    REQUIRE(keeper.ok());
    // The day of the latest record is open.
    for (const MaintenanceOutcome& outcome : (*keeper)->run(std::nullopt).outcomes)
      CHECK((outcome.is_put_off || outcome.failure == ""));
  }
  CHECK(DayColumns::open(place.folder, test::noon_us / day_us).has_value());
  CHECK(of_sql(place) == of_journal(**journal));
  append(50);
  const Sums sums = of_journal(**journal);
  CHECK(of_sql(place) == sums);

  std::array<std::int64_t, 3> all{};
  for (const auto& [key, of] : sums) {
    all[0] += of[0];
    all[1] += of[1];
    all[2] += of[2];
  }
  for (const bool by_slots : {false, true}) {
    CdrPlace asked = place;
    if (by_slots) asked.slots = folder / "slots";
    CallReportRequest request;
    request.kind = CallReportKind::days;
    request.filter.since_us = (test::noon_us / day_us - 2) * day_us;
    const auto report = call_report(asked, request, {}, &clock);
    REQUIRE(report.ok());
    CHECK((report->records_read == 0) == by_slots);
    std::array<std::int64_t, 3> told{};
    for (const auto& row : report->rows) {
      for (std::size_t i = 0; i < row.size(); ++i) {
        const std::string& column = report->columns[i];
        const auto* const number = std::get_if<std::int64_t>(&row[i]);
        if (number == nullptr) continue;  // of a further currency
        if (column == "attempts") told[0] += *number;
        if (column == "answered") told[1] += *number;
        if (column == "talk_time_ms") told[2] += *number;
      }
    }
    CHECK(told == all);
  }
}
