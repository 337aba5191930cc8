#include "switch/maintenance_desk.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/text.hpp"
#include "cdr/day_files.hpp"
#include "store/sqlite.hpp"
#include "tandem/config.hpp"

using namespace tandem;

namespace {

std::int64_t at(std::string_view text) { return parse_time_us(text).value(); }

struct Folder {
  std::filesystem::path path;
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "tandem-desk-XXXXXX").string();
    path = ::mkdtemp(name.data());
    std::filesystem::create_directories(path / "days");
    std::filesystem::create_directories(path / "calls");
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::filesystem::path recording(const char* name, std::int64_t at_us) const {
    const std::filesystem::path file = path / "calls" / name;
    std::ofstream(file) << "x";
    const timespec times[2] = {{at_us / 1'000'000, 0}, {at_us / 1'000'000, 0}};
    ::utimensat(AT_FDCWD, file.c_str(), times, 0);
    return file;
  }
};

}  // namespace

TEST_CASE("Maintenance: its time is the one on the wall, also where the clock is set (O-08)") {
  const TimeZone utc;
  CHECK(next_at_us(at("2026-01-01T00:00:00Z"), 210, utc) == at("2026-01-01T03:30:00Z"));
  CHECK(next_at_us(at("2026-01-01T03:30:00Z"), 210, utc) == at("2026-01-01T03:30:00Z"));
  CHECK(next_at_us(at("2026-01-01T03:30:00.000001Z"), 210, utc) == at("2026-01-02T03:30:00Z"));
  CHECK(next_at_us(at("2026-01-01T23:59:59Z"), 0, utc) == at("2026-01-02T00:00:00Z"));
  const TimeZone india = TimeZone::load("+05:30").value();
  CHECK(next_at_us(at("2026-01-01T00:00:00Z"), 210, india) == at("2026-01-01T22:00:00Z"));
  CHECK(next_at_us(at("2025-12-31T21:00:00Z"), 210, india) == at("2025-12-31T22:00:00Z"));
  const auto berlin = TimeZone::load("Europe/Berlin");
  if (!berlin) {
    MESSAGE("not run: no time zones here");
    return;
  }
  // On 2026-03-29 the hour from two to three is left out, on 2026-10-25 it comes twice.
  CHECK(next_at_us(at("2026-03-28T12:00:00Z"), 210, *berlin) == at("2026-03-29T01:30:00Z"));
  CHECK(next_at_us(at("2026-10-24T12:00:00Z"), 210, *berlin) == at("2026-10-25T02:30:00Z"));
  // Whatever is made of the hour that is left out: it is later than now, and of the next day.
  for (std::int64_t minute = 0; minute < 1'440; minute += 30) {
    const std::int64_t now_us = at("2026-03-28T00:00:00Z") + minute * 60'000'000;
    const std::int64_t next_us = next_at_us(now_us, 150, *berlin);
    CHECK(next_us >= now_us);
    CHECK(next_us <= now_us + 26 * 3'600'000'000);
  }
}

TEST_CASE("Maintenance: rules out of their range are named (O-08)") {
  MaintenanceConfig rules;
  CHECK(check_maintenance(rules).ok());
  rules.io_megabytes_per_s = 0;
  CHECK(check_maintenance(rules).error().message == "io_megabytes_per_s 0 was not in 1..10000");
  rules = {};
  rules.delete_after_days = 9;
  CHECK(check_maintenance(rules).error().code == ErrorCode::invalid_argument);
  rules = {};
  rules.archive_after_days = 1;
  CHECK(check_maintenance(rules).error().code == ErrorCode::invalid_argument);
  SwitchConfig config;
  CHECK(maintenance_place(config).error().code == ErrorCode::unsupported);
}

TEST_CASE("Maintenance: bytes are paid for by time, until it is told to end (O-08)") {
  const SimulatedClock clock;
  SteadyPace pace(clock, 10, false);
  CHECK(pace.spend(1'000).ok());
  CHECK(pace.spend(std::uint64_t{1} << 40U).ok());  // it does not wait where nobody advances
  CHECK(pace.pause().ok());
  CHECK_FALSE(pace.is_over());
  pace.stop();
  CHECK(pace.is_over());
  CHECK(pace.spend(1).error().code == ErrorCode::wrong_state);
  CHECK(pace.pause().error().code == ErrorCode::wrong_state);
}

TEST_CASE(
    "Maintenance: old recordings go, no more than a week's after a step of the clock (O-08)") {
  const Folder folder;
  SimulatedClock clock;
  MaintenanceDesk desk(
      clock, [](const MaintenanceOutcome&) {}, false);
  MaintenancePlace place;
  place.folder = folder.path / "days";
  place.recordings = folder.path / "calls";
  place.recordings_kept_days = 30;
  const std::int64_t now_us = clock.wall_us();
  const auto days_ago = [&](int days) { return now_us - days * cdr::day_us; };
  const auto old = folder.recording("old.wav", days_ago(31));
  const auto of_a_week = folder.recording("week.wav", days_ago(25));
  const auto fresh = folder.recording("fresh.wav", days_ago(1));
  REQUIRE(desk.start(place, MaintenanceAct::run, ""));
  REQUIRE(desk.state().last);
  CHECK(desk.state().last->recordings_deleted == 1);
  CHECK_FALSE(std::filesystem::exists(old));
  CHECK(std::filesystem::exists(of_a_week));
  clock.advance_us(400 * cdr::day_us);
  REQUIRE(desk.start(place, MaintenanceAct::run, ""));
  CHECK(desk.state().last->recordings_deleted == 1);
  CHECK_FALSE(std::filesystem::exists(of_a_week));
  CHECK(std::filesystem::exists(fresh));
  CHECK(to_json(*desk.state().last).find("\"recordings_deleted\":1") != std::string::npos);

  // What went is written down: once a run, and not where nothing did.
  REQUIRE(desk.start(place, MaintenanceAct::run, ""));
  REQUIRE(desk.state().last->recordings_deleted == 0);
  auto notes = store::Connection::open(place.folder + "/cdr-maintenance.db").value();
  auto acts = notes
                  .prepare(
                      "SELECT day, failure, files FROM maintenance_acts "
                      "WHERE act = 'delete_recordings' ORDER BY id")
                  .value();
  std::vector<std::string> rows;
  while (acts.step().value())
    rows.push_back(std::string(acts.text(0)) + '|' + std::string(acts.text(1)) + '|' +
                   std::to_string(acts.integer(2)));
  CHECK(rows == std::vector<std::string>{format_date(days_ago(30)) + "||1",
                                         format_date(days_ago(30) + 7 * cdr::day_us) + "||1"});
}
