#include "base/time_zone.hpp"

#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "tandem/clock.hpp"

using namespace tandem;

namespace {

std::int64_t at(const char* time) { return parse_time_us(time).value(); }

/// "hours:minutes" of the local day, with a sign when the day is another than in UTC.
std::string shown(const TimeZone& zone, const char* time) {
  const LocalTime local = zone.local(at(time));
  const std::int64_t days = local.day - TimeZone().local(at(time)).day;
  const auto two = [](int n) { return (n < 10 ? "0" : "") + std::to_string(n); };
  return two(local.second / 3600) + ":" + two(local.second / 60 % 60) +
         (days > 0   ? "+"
          : days < 0 ? "-"
                     : "");
}

void append(std::string& out, std::int64_t value, int bytes) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8)
    out += static_cast<char>(value >> shift & 0xFF);
}

/// A version 2 file with the changes given and a footer.
std::string file(const std::vector<std::pair<std::int64_t, int>>& changes,
                 const std::vector<std::int32_t>& offsets, const std::string& footer) {
  std::string out;
  for (const bool is_second : {false, true}) {
    out += "TZif2" + std::string(15, '\0');
    append(out, 0, 4);
    append(out, 0, 4);
    append(out, 0, 4);
    append(out, is_second ? static_cast<std::int64_t>(changes.size()) : 0, 4);
    append(out, is_second ? static_cast<std::int64_t>(offsets.size()) : 0, 4);
    append(out, is_second ? 4 : 0, 4);
    if (!is_second) continue;
    for (const auto& [time, type] : changes)
      append(out, time, 8);
    for (const auto& [time, type] : changes)
      append(out, type, 1);
    for (const std::int32_t offset : offsets) {
      append(out, offset, 4);
      append(out, 0, 2);
    }
    out += std::string("ABC") + '\0';
  }
  return out + "\n" + footer + "\n";
}

}  // namespace

TEST_CASE("TimeZone: UTC, offsets and names give local days and seconds (R-12)") {
  const TimeZone utc = TimeZone::load("UTC").value();
  CHECK(utc.local(at("1970-01-02T00:00:01Z")).day == 1);
  CHECK(utc.local(at("1970-01-02T00:00:01Z")).second == 1);
  CHECK(shown(TimeZone::load("+05:30").value(), "2026-01-01T20:00:00Z") == "01:30+");
  CHECK(shown(TimeZone::load("-03:00").value(), "2026-01-01T02:00:00Z") == "23:00-");
  CHECK(shown(TimeZone::load("Asia/Kolkata").value(), "2026-01-01T20:00:00Z") == "01:30+");
  CHECK(shown(TimeZone::load("America/New_York").value(), "2026-07-01T12:00:00Z") == "08:00");
  CHECK(LocalTime::weekday(0) == 4);
  CHECK(LocalTime::weekday(-1) == 3);
  CHECK(LocalTime::weekday(parse_day("2026-11-25").value()) == 3);
}

TEST_CASE("TimeZone: clocks change at the second the rules name, for years to come (R-12)") {
  const TimeZone london = TimeZone::load("Europe/London").value();
  CHECK(shown(london, "2026-03-29T00:59:59Z") == "00:59");
  CHECK(shown(london, "2026-03-29T01:00:00Z") == "02:00");
  CHECK(shown(london, "2026-10-25T00:59:59Z") == "01:59");
  CHECK(shown(london, "2026-10-25T01:00:00Z") == "01:00");
  // Beyond the changes that files list one by one.
  CHECK(shown(london, "2090-03-26T00:59:59Z") == "00:59");
  CHECK(shown(london, "2090-03-26T01:00:00Z") == "02:00");
  const TimeZone sydney = TimeZone::load("Australia/Sydney").value();
  CHECK(shown(sydney, "2090-01-15T12:00:00Z") == "23:00");
  CHECK(shown(sydney, "2090-07-15T12:00:00Z") == "22:00");
  const TimeZone shanghai = TimeZone::load("Asia/Shanghai").value();
  CHECK(shown(shanghai, "2026-07-15T16:00:00Z") == "00:00+");
}

TEST_CASE("TimeZone: a file's changes hold from their second on, its first type before them") {
  const TimeZone zone =
      TimeZone::parse(file({{1000, 1}, {2000, 0}}, {3600, -7200}, "XYZ-9")).value();
  CHECK(zone.offset_s(999) == 3600);
  CHECK(zone.offset_s(1000) == -7200);
  CHECK(zone.offset_s(1999) == -7200);
  CHECK_MESSAGE(zone.offset_s(2000) == 9 * 3600, "the footer holds after the last change");
  CHECK(TimeZone::parse(file({{1000, 1}}, {0, 60}, "")).value().offset_s(5000) == 60);
}

TEST_CASE("TimeZone: all forms of a footer are read (RFC 8536 section 3.3)") {
  const auto offset = [](const std::string& footer, const char* time) {
    const auto zone = TimeZone::parse(file({}, {0}, footer));
    REQUIRE_MESSAGE(zone.ok(), footer);
    return zone->offset_s(at(time) / 1'000'000);
  };
  CHECK(offset("<+0330>-3:30", "2026-01-01") == 12600);
  CHECK(offset("EST5EDT,M3.2.0,M11.1.0", "2026-03-08T06:59:59Z") == -18000);
  CHECK(offset("EST5EDT,M3.2.0,M11.1.0", "2026-03-08T07:00:00Z") == -14400);
  CHECK(offset("EST5EDT,M3.2.0,M11.1.0", "2026-11-01T05:59:59Z") == -14400);
  CHECK(offset("EST5EDT,M3.2.0,M11.1.0", "2026-11-01T06:00:00Z") == -18000);
  CHECK(offset("AAA0BBB-2,J60/0,J300/0", "2024-03-01T00:00:00Z") == 7200);
  CHECK(offset("AAA0BBB-2,J60/0,J300/0", "2024-02-29T23:59:59Z") == 0);
  CHECK(offset("AAA0BBB-2,59/0,300/0", "2024-02-29T00:00:00Z") == 7200);
  CHECK(offset("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29T00:59:59Z") == -7200);
  CHECK(offset("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29T01:00:00Z") == -3600);
}

TEST_CASE("TimeZone: what is no zone is refused, and no name leaves the database") {
  for (const char* name : {"Europe/Nowhere", "../../etc/passwd", "/etc/localtime", "Europe", "+24",
                           "+16:00", "a b", "zone.tab"}) {
    CAPTURE(name);
    CHECK_FALSE(TimeZone::load(name).ok());
  }
  CHECK_FALSE(TimeZone::load(std::string(65, 'a')).ok());
  const std::string good = file({{1000, 1}}, {3600, 0}, "UTC0");
  REQUIRE(TimeZone::parse(good).ok());
  for (std::size_t length = 0; length + 1 < good.size(); ++length) {
    CAPTURE(length);
    CHECK_FALSE(TimeZone::parse(good.substr(0, length)).ok());
  }
  CHECK_FALSE(TimeZone::parse(file({{1000, 7}}, {0}, "UTC0")).ok());
  CHECK_FALSE(TimeZone::parse(file({{1000, 0}, {1000, 0}}, {0}, "UTC0")).ok());
  CHECK_FALSE(TimeZone::parse(file({}, {90000}, "UTC0")).ok());
  CHECK_FALSE(TimeZone::parse(file({}, {0}, "UTC0,M13.1.0,M1.1.0")).ok());
  CHECK_FALSE(TimeZone::parse(file({}, {0}, "U0")).ok());
}

TEST_CASE("parse_day: dates of the calendar only") {
  CHECK(parse_day("1970-01-01").value() == 0);
  CHECK(parse_day("2024-02-29").value() == 19782);
  for (const char* text : {"2023-02-29", "2026-13-01", "2026-1-1", "1969-12-31", "", "2026-12-25T"})
    CHECK_FALSE(parse_day(text).ok());
}
