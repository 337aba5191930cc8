// Maintenance of the day files of a switch: by the clock, and when it is asked for (O-08).
#include "tandem/maintenance.hpp"

#include "flow/flow.hpp"
#include "unit/cdr/temporary_folder.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;
using cdr::test::TemporaryFolder;

namespace {

constexpr std::int64_t day_us = 86'400 * second_us;

SwitchConfig kept_config(const TemporaryFolder& folder) {
  SwitchConfig config = base_config();
  CdrSinkConfig sink;
  sink.type = "sqlite";
  sink.path = folder / "cdr";
  config.cdr_sinks = {sink};
  config.database = folder / "switch.db";
  config.maintenance.is_scheduled = true;
  config.maintenance.at_minute = 210;
  config.maintenance.seal_after_days = 0;
  return config;
}

/// A switch whose world begins on 2026-01-01, and keeps its days at 03:30 UTC.
struct Kept {
  TemporaryFolder folder;  // of day files, which are not of the simulated world
  std::vector<std::string> alarms;
  Bench bench;

  Kept() : bench(kept_config(folder), {}, hooks()) {}
  SwitchHooks hooks() {
    SwitchHooks hooks;
    hooks.on_event = [this](const Event& event) {
      if (event.kind == Event::Kind::alarm) alarms.push_back(event.text);
    };
    return hooks;
  }
  void call() {
    auto call = bench.connect();
    bench.run_s(10);
    call->hang_up();
    bench.run_s(2);
  }
  /// So many seconds after a midnight.
  void step_to(std::int64_t day, std::int64_t second) {
    const std::int64_t to_us = WorldOptions().wall_us + day * day_us + second * second_us;
    bench.world.step_wall_us(to_us - bench.world.wall_us());
  }
  [[nodiscard]] MaintenanceState state() const { return bench.tandem->maintenance(); }
  [[nodiscard]] StoredDay day(const std::string& name) const {
    const auto days = bench.tandem->stored_days();
    REQUIRE(days.ok());
    for (const StoredDay& each : *days) {
      if (each.day == name) return each;
    }
    return {};
  }
};

constexpr std::int64_t half_past_three_s = 12'600;

}  // namespace

TEST_CASE("Maintenance: days are sealed in the small hours, beside calls (O-08)") {
  Kept kept;
  kept.call();
  kept.bench.run_s(20);
  CHECK(kept.state().is_scheduled);
  CHECK(kept.state().runs == 0);
  CHECK(kept.state().next_run_at_us == WorldOptions().wall_us + half_past_three_s * second_us);

  kept.step_to(1, half_past_three_s - 40);
  kept.bench.run_s(1);
  kept.call();  // the first record of the second day closes the file of the first one
  kept.bench.run_s(60);
  CHECK(kept.alarms.empty());
  REQUIRE(kept.state().last.has_value());
  CHECK(kept.state().runs >= 1);
  const StoredDay first = kept.day("2026-01-01");
  CHECK(first.is_online);
  CHECK(first.is_sealed);
  CHECK(first.has_columns);
  CHECK(first.columns_bytes > 0);
  CHECK(first.records == 1);
  REQUIRE(first.sums.size() >= 1);
  CHECK_FALSE(kept.day("2026-01-02").is_sealed);
  CHECK(kept.state().next_run_at_us ==
        WorldOptions().wall_us + 2 * day_us + half_past_three_s * second_us);

  // A clock that is set over the whole window begins nothing.
  const std::uint64_t runs = kept.state().runs;
  kept.step_to(2, half_past_three_s + 4 * 3'600);
  kept.bench.run_s(30);
  CHECK(kept.state().runs == runs);
  CHECK(kept.state().next_run_at_us ==
        WorldOptions().wall_us + 3 * day_us + half_past_three_s * second_us);
  CHECK(kept.bench.tandem->cdrs({}).value().size() == 2);
}

TEST_CASE("Maintenance: acts that are asked for are done and told of, failures alarm (O-08)") {
  Kept kept;
  kept.call();
  kept.step_to(1, 60);
  kept.call();
  Switch& tandem = *kept.bench.tandem;
  REQUIRE(tandem.start_maintenance(MaintenanceAct::seal, "2026-01-01").ok());
  MaintenanceState state = kept.state();
  CHECK_FALSE(state.is_running);
  REQUIRE(state.last.has_value());
  REQUIRE(state.last->outcomes.size() == 1);
  CHECK(state.last->outcomes[0].act == MaintenanceAct::seal);
  CHECK(state.last->outcomes[0].day == "2026-01-01");
  CHECK(state.last->outcomes[0].failure == "");
  CHECK(state.failures == 0);

  CHECK(tandem.start_maintenance(MaintenanceAct::verify, "yesterday").error().code ==
        ErrorCode::invalid_argument);
  CHECK(tandem.start_maintenance(MaintenanceAct::run, "2026-01-01").error().code ==
        ErrorCode::invalid_argument);
  REQUIRE(tandem.start_maintenance(MaintenanceAct::remove, "2026-01-01").ok());
  CHECK(kept.state().last->outcomes[0].is_put_off);  // it is online

  REQUIRE(tandem.start_maintenance(MaintenanceAct::drop_columns, "2026-01-01").ok());
  CHECK_FALSE(kept.day("2026-01-01").has_columns);
  REQUIRE(tandem.start_maintenance(MaintenanceAct::write_columns, "2026-01-01").ok());
  CHECK(kept.day("2026-01-01").has_columns);
  REQUIRE(tandem.start_maintenance(MaintenanceAct::verify, "2026-01-01").ok());
  CHECK(kept.state().failures == 0);

  // The file that records go into is put off, and that is no failure.
  REQUIRE(tandem.start_maintenance(MaintenanceAct::seal, "2026-01-02").ok());
  CHECK(kept.state().last->outcomes[0].is_put_off);
  CHECK(kept.state().failures == 0);
  CHECK(kept.alarms.empty());

  REQUIRE(tandem.start_maintenance(MaintenanceAct::verify, "2025-12-31").ok());
  CHECK(kept.state().failures == 1);
  kept.bench.run_s(1);
  REQUIRE(kept.alarms.size() == 1);
  CHECK(kept.alarms[0].find("verify of 2025-12-31") != std::string::npos);

  // The same folder by the configuration alone, as the command line does it.
  const auto report = maintain(kept_config(kept.folder), MaintenanceAct::archive, "2026-01-01");
  REQUIRE(report.ok());
  REQUIRE(report->outcomes.size() == 1);
  if (report->outcomes[0].failure.find("TANDEM_WITH_ZSTD") != std::string::npos) return;
  CHECK(report->outcomes[0].failure == "");
  const auto found = tandem.cdrs({});
  REQUIRE_FALSE(found.ok());
  CHECK(found.error().code == ErrorCode::wrong_state);
  CHECK(found.error().message.find("2026-01-01 is archived") != std::string::npos);
  CdrQuery online;
  online.skips_archived = true;
  CHECK(tandem.cdrs(online).value().size() == 1);
  CHECK(tandem.check_ledger()->ok());
  REQUIRE(tandem.start_maintenance(MaintenanceAct::restore, "2026-01-01").ok());
  CHECK(tandem.cdrs({}).value().size() == 2);
  CHECK(tandem.check_ledger()->ok());
}

TEST_CASE("Maintenance: the day of a disputed call outlives its time until that is over (O-09)") {
  TemporaryFolder folder;
  SwitchConfig config = kept_config(folder);
  config.maintenance.archive_after_days = 1;
  config.maintenance.delete_after_days = 2;
  config.maintenance.verify_archives = 0;
  std::vector<std::string> alarms;
  SwitchHooks hooks;
  hooks.on_event = [&](const Event& event) {
    if (event.kind == Event::Kind::alarm) alarms.push_back(event.text);
  };
  Bench bench(config, {}, std::move(hooks));
  Switch& tandem = *bench.tandem;
  const auto call_on = [&](std::int64_t day) {
    bench.world.step_wall_us(WorldOptions().wall_us + day * day_us - bench.world.wall_us());
    auto call = bench.connect();
    bench.run_s(10);
    call->hang_up();
    bench.run_s(2);
  };
  const auto outcome_of = [&](MaintenanceAct act) {
    REQUIRE(tandem.start_maintenance(MaintenanceAct::run).ok());
    const MaintenanceState state = tandem.maintenance();
    for (const MaintenanceOutcome& outcome : state.last->outcomes) {
      if (outcome.act == act && outcome.day == "2026-01-01") return outcome;
    }
    return MaintenanceOutcome{};
  };
  call_on(0);
  const auto records = tandem.cdrs({});
  REQUIRE(records.ok());
  REQUIRE(records->size() == 1);
  const std::uint64_t record_id = (*records)[0].record_id;
  const auto disputed = tandem.dispute_record({record_id, "never called", "amelia", ""});
  REQUIRE_MESSAGE(disputed.ok(), (disputed.ok() ? std::string() : disputed.error().message));
  CHECK(disputed->day == "2026-01-01");
  CHECK(disputed->at_us == bench.world.wall_us());
  call_on(10);
  const MaintenanceOutcome archived = outcome_of(MaintenanceAct::archive);
  if (archived.failure.find("TANDEM_WITH_ZSTD") != std::string::npos) return;
  CHECK(archived.failure == "");
  const MaintenanceOutcome kept = outcome_of(MaintenanceAct::remove);
  CHECK(kept.is_kept);
  CHECK(kept.failure ==
        "2026-01-01 is kept: record " + std::to_string(record_id) + " of it is disputed");
  CHECK(tandem.maintenance().failures == 0);
  CHECK(alarms.empty());

  DisputeQuery query;
  query.is_open = true;
  CHECK(tandem.disputes(query).value().size() == 1);
  REQUIRE(tandem.resolve_dispute({record_id, "paid back", "bo", ""}).ok());
  CHECK(tandem.disputes(query).value().empty());
  const MaintenanceOutcome removed = outcome_of(MaintenanceAct::remove);
  CHECK(removed.day == "2026-01-01");
  CHECK(removed.failure == "");
  const auto notes = tandem.maintenance_notes({"remove", "2026-01-01"});
  REQUIRE(notes.ok());
  REQUIRE(notes->size() == 1);
  CHECK((*notes)[0].records == 1);
  CHECK((*notes)[0].at_us == bench.world.wall_us());
}
