#include "cdr/report_slots.hpp"

#include <doctest/doctest.h>

#include <array>
#include <set>

#include "base/text.hpp"
#include "cdr/cdr_sqlite.hpp"
#include "cdr/day_files.hpp"
#include "report_oracle.hpp"
#include "tandem/call_reports.hpp"
#include "temporary_folder.hpp"

using namespace tandem;
using namespace tandem::cdr;
using test::TemporaryFolder;

namespace {

TimeZone zone_of(const char* name) {
  auto zone = TimeZone::load(name);
  REQUIRE(zone.ok());
  return *zone;
}

std::int64_t at(const char* text) { return parse_time_us(text).value(); }

constexpr std::array zone_names = {"UTC",           "+05:30",           "-11:00",
                                   "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"};

}  // namespace

TEST_CASE("ReportSlots: days and months begin at midnight of the zone, on days of 23 hours too") {
  ReportSlots days(ReportSlot::day, zone_of("Europe/Berlin"));
  CHECK(days.start_us(at("2026-03-28T22:59:59Z")) == at("2026-03-27T23:00:00Z"));
  CHECK(days.start_us(at("2026-03-28T23:00:00Z")) == at("2026-03-28T23:00:00Z"));
  CHECK(days.end_us(at("2026-03-28T23:00:00Z")) == at("2026-03-29T22:00:00Z"));
  CHECK(days.end_us(at("2026-10-24T22:00:00Z")) == at("2026-10-25T23:00:00Z"));
  CHECK(days.text(at("2026-03-28T23:00:00Z")) == "2026-03-29T00:00:00+01:00");
  CHECK(days.text(at("2026-03-29T22:00:00Z")) == "2026-03-30T00:00:00+02:00");
  ReportSlots months(ReportSlot::month, zone_of("-08:00"));
  CHECK(months.start_us(at("2026-03-01T07:59:59Z")) == at("2026-02-01T08:00:00Z"));
  CHECK(months.end_us(at("2026-02-01T08:00:00Z")) == at("2026-03-01T08:00:00Z"));
  CHECK(months.text(at("2026-02-01T08:00:00Z")) == "2026-02-01T00:00:00-08:00");
}

TEST_CASE("ReportSlots: an hour that comes twice is two, and half hours of offset are kept to") {
  ReportSlots berlin(ReportSlot::hour, zone_of("Europe/Berlin"));
  CHECK(berlin.start_us(at("2026-10-25T00:30:00Z")) == at("2026-10-25T00:00:00Z"));
  CHECK(berlin.start_us(at("2026-10-25T01:30:00Z")) == at("2026-10-25T01:00:00Z"));
  CHECK(berlin.text(at("2026-10-25T00:00:00Z")) == "2026-10-25T02:00:00+02:00");
  CHECK(berlin.text(at("2026-10-25T01:00:00Z")) == "2026-10-25T02:00:00+01:00");
  ReportSlots india(ReportSlot::hour, zone_of("+05:30"));
  CHECK(india.start_us(at("2026-10-25T00:29:59Z")) == at("2026-10-24T23:30:00Z"));
  CHECK(india.text(at("2026-10-24T23:30:00Z")) == "2026-10-25T05:00:00+05:30");
}

TEST_CASE("ReportSlots: every moment lies in its slot, whatever was asked before") {
  SeededRandom random(31);
  for (const char* name : zone_names) {
    CAPTURE(std::string(name));
    const TimeZone zone = zone_of(name);
    for (const ReportSlot kind : {ReportSlot::day, ReportSlot::month}) {
      ReportSlots slots(kind, zone);
      for (int i = 0; i < 100; ++i) {
        const std::int64_t time_us =
            at("2024-01-01T00:00:00Z") + static_cast<std::int64_t>(random.below(1'000 * day_us));
        const std::int64_t start_us = slots.start_us(time_us);
        const std::int64_t end_us = slots.end_us(start_us);
        REQUIRE(start_us <= time_us);
        REQUIRE(time_us < end_us);
        const CivilDate first = civil_from_days(zone.local(start_us).day);
        const CivilDate own = civil_from_days(zone.local(time_us).day);
        CHECK(first.month == own.month);
        CHECK(first.day == (kind == ReportSlot::month ? 1 : own.day));
        CHECK(zone.local(start_us - 1).day < zone.local(start_us).day);
        CHECK(ReportSlots(kind, zone).start_us(start_us) == start_us);
        CHECK(ReportSlots(kind, zone).start_us(end_us) == end_us);
      }
    }
  }
}

TEST_CASE("ReportSlots: times of damaged records have slots too") {
  for (const char* name : zone_names) {
    for (const std::int64_t time_us : {std::numeric_limits<std::int64_t>::min(), std::int64_t{-1},
                                       std::numeric_limits<std::int64_t>::max()}) {
      for (const ReportSlot kind :
           {ReportSlot::five_minutes, ReportSlot::hour, ReportSlot::day, ReportSlot::month}) {
        ReportSlots slots(kind, zone_of(name));
        (void)slots.text(slots.start_us(time_us));
      }
    }
  }
}

TEST_CASE("call_report: a slot of a zone has what a report over its time alone has (C-11)") {
  TemporaryFolder folder;
  auto sink = make_sqlite_sink(folder.path());
  REQUIRE(sink.ok());
  SeededRandom random(32);
  for (std::uint64_t i = 1; i <= 200; ++i)
    REQUIRE((*sink)->write(test::varied_cdr(i, random)).ok());
  REQUIRE((*sink)->flush().ok());
  const auto report = [&](const CallReportRequest& request) {
    auto made = call_report(folder.path(), request);
    REQUIRE(made.ok());
    return *made;
  };
  for (const char* name : zone_names) {
    CAPTURE(std::string(name));
    for (const ReportSlot by : {ReportSlot::hour, ReportSlot::day, ReportSlot::month}) {
      if (by == ReportSlot::hour && std::string_view(name) != "+05:30") continue;  // quickly
      CallReportRequest request;
      request.kind = CallReportKind::customer_gateways;
      request.by = by;
      request.timezone = name;
      const CallReport all = report(request);
      std::set<std::string> begins;
      for (const auto& row : all.rows)
        begins.insert(std::get<std::string>(row[0]));
      CHECK(begins.size() >= (by == ReportSlot::month ? 1 : 3));
      std::vector<std::vector<ReportCell>> pieces;
      ReportSlots slots(by, zone_of(name));
      for (std::int64_t start_us = slots.start_us(test::noon_us - day_us);
           start_us < test::noon_us + 6 * day_us; start_us = slots.end_us(start_us)) {
        CallReportRequest one = request;
        one.by = ReportSlot::none;
        one.filter.since_us = start_us;
        one.filter.until_us = slots.end_us(start_us);
        for (auto& row : report(one).rows) {
          row.insert(row.begin(), slots.text(start_us));
          pieces.push_back(std::move(row));
        }
      }
      CHECK(all.rows == pieces);
    }
  }
  CallReportRequest days;
  days.kind = CallReportKind::days;
  days.timezone = "+05:30";
  CallReportRequest hours;
  hours.kind = CallReportKind::area_totals;
  hours.by = ReportSlot::hour;
  hours.timezone = "+05:30";
  const CallReport by_hour = report(hours);
  for (const auto& row : report(days).rows) {
    const std::string hour = std::to_string(std::get<std::int64_t>(row[1]));
    const std::string from =
        std::get<std::string>(row[0]) + "T" + (hour.size() < 2 ? "0" : "") + hour + ":00:00+05:30";
    CHECK(std::any_of(by_hour.rows.begin(), by_hour.rows.end(),
                      [&](const auto& each) { return std::get<std::string>(each[0]) == from; }));
  }
  days.timezone = "Nowhere/Land";
  CHECK_FALSE(call_report(folder.path(), days).ok());
  CHECK_FALSE(set_report_option(days, "timezone", "Nowhere/Land").ok());
  CHECK(set_report_option(days, "timezone", "Europe/Berlin").value());
  CHECK(days.timezone == "Europe/Berlin");
}
