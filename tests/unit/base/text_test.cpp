#include "base/text.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "base/crc32c.hpp"
#include "tandem/clock.hpp"

using namespace tandem;

TEST_CASE("parse_integer: takes the whole text or nothing") {
  CHECK(parse_integer<int>("-12") == -12);
  CHECK(parse_integer<std::uint8_t>("255") == 255);
  CHECK_FALSE(parse_integer<std::uint8_t>("256"));
  CHECK_FALSE(parse_integer<std::uint8_t>("-1"));
  for (const char* text : {"", "+1", " 1", "1 ", "1a", "0x1", "-", "1.0"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_integer<int>(text));
  }
  std::string out = "n=";
  append_integer(out, std::int64_t{-9'223'372'036'854'775'807} - 1);
  CHECK(out == "n=-9223372036854775808");
}

TEST_CASE("Time: reads RFC 3339 and a bare date") {
  CHECK(*parse_time_us("1970-01-01T00:00:00Z") == 0);
  CHECK(*parse_time_us("2026-01-01") == 1'767'225'600'000'000);
  CHECK(*parse_time_us("2026-01-01T00:00:00.5Z") == 1'767'225'600'500'000);
  CHECK(*parse_time_us("2026-01-01t02:00:00.000001999+02:00") == 1'767'225'600'000'001);
  CHECK(*parse_time_us("2025-12-31 18:30:00-05:30") == 1'767'225'600'000'000);
  CHECK(*parse_time_us("2025-12-31T23:59:60Z") == 1'767'225'600'000'000);
  CHECK(*parse_time_us("2024-02-29T00:00:00Z") - *parse_time_us("2024-02-28") == 86'400'000'000);
  for (const char* text : {"",
                           "2026",
                           "2026-1-1",
                           "2026-02-29",
                           "2026-13-01",
                           "2026-00-01",
                           "2026-01-00",
                           "2026-01-32",
                           "2026-01-01T",
                           "2026-01-01T24:00:00Z",
                           "2026-01-01T00:60:00Z",
                           "2026-01-01T00:00:61Z",
                           "2026-01-01T00:00Z",
                           "2026-01-01T00:00:00",
                           "2026-01-01T00:00:00.Z",
                           "2026-01-01T00:00:00+2:00",
                           "2026-01-01T00:00:00Z ",
                           "1969-12-31",
                           "1970-01-01T00:00:00+01:00",
                           "2026-01-01T00:00:00+24:00",
                           "-026-01-01"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_time_us(text));
  }
}

TEST_CASE("Time: what it prints it reads again, and prints UTC with microseconds") {
  CHECK(format_time_us(1'767'225'600'000'001) == "2026-01-01T00:00:00.000001Z");
  CHECK(format_time_us(-5) == "1970-01-01T00:00:00.000000Z");
  CHECK(format_time_us(INT64_MAX) == "9999-12-31T23:59:59.999999Z");
  CHECK(format_date(1'767'225'599'999'999) == "2025-12-31");
  SeededRandom random(2);
  for (int i = 0; i < 20'000; ++i) {
    const auto time_us = static_cast<std::int64_t>(random.below(253'402'300'800'000'000));
    REQUIRE(parse_time_us(format_time_us(time_us)).value() == time_us);
  }
}

TEST_CASE("Date: days and dates agree over 800 years, and weekdays go round") {
  CivilDate date{1970, 1, 1};
  for (std::int64_t days = 0; days < 292'194; ++days) {
    REQUIRE(civil_from_days(days) == date);
    REQUIRE(days_from_civil(date) == days);
    const bool is_leap = date.year % 4 == 0 && (date.year % 100 != 0 || date.year % 400 == 0);
    const int month_days[] = {31, is_leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (++date.day > month_days[date.month - 1]) {
      date.day = 1;
      if (++date.month > 12) date = {date.year + 1, 1, 1};
    }
  }
  CHECK(weekday_from_days(0) == 3);
  CHECK(weekday_from_days(days_from_civil({2026, 11, 25})) == 2);
  CHECK(weekday_from_days(-1) == 2);
  CHECK(civil_from_days(-1) == CivilDate{1969, 12, 31});
  CHECK(parse_date("2026-12-25").value() == CivilDate{2026, 12, 25});
  CHECK_FALSE(parse_date("2026-12-25T"));
  CHECK_FALSE(parse_date("2026-06-31"));
}

TEST_CASE("Text: comparison without case and trimming know ASCII only") {
  CHECK(equals_ignoring_case("Via", "vIA"));
  CHECK_FALSE(equals_ignoring_case("Via", "Vi"));
  CHECK_FALSE(equals_ignoring_case("[", "{"));
  CHECK(trimmed(" \t a b\r\n") == "a b");
  CHECK(trimmed(" \t") == "");
}

TEST_CASE("CRC-32C: gives the values of RFC 3720 appendix B.4") {
  std::uint8_t bytes[32] = {};
  for (auto* crc : {&crc32c, &crc32c_portable}) {
    std::memset(bytes, 0, sizeof bytes);
    CHECK(crc(bytes, 32, 0) == 0x8A9136AA);
    std::memset(bytes, 0xff, sizeof bytes);
    CHECK(crc(bytes, 32, 0) == 0x62A8AB43);
    for (int i = 0; i < 32; ++i)
      bytes[i] = static_cast<std::uint8_t>(i);
    CHECK(crc(bytes, 32, 0) == 0x46DD794E);
    CHECK(crc("123456789", 9, 0) == 0xE3069283);
    CHECK(crc("", 0, 0) == 0);
  }
}

TEST_CASE("CRC-32C: both ways agree at every length and alignment, whole and in pieces") {
  SeededRandom random(4);
  std::vector<std::uint8_t> bytes(300);
  for (auto& byte : bytes)
    byte = static_cast<std::uint8_t>(random.next());
  for (std::size_t start = 0; start < 9; ++start) {
    for (std::size_t size = 0; start + size <= bytes.size(); ++size) {
      const std::uint32_t whole = crc32c(bytes.data() + start, size);
      REQUIRE(whole == crc32c_portable(bytes.data() + start, size));
      const std::size_t cut = size / 3;
      REQUIRE(whole ==
              crc32c(bytes.data() + start + cut, size - cut, crc32c(bytes.data() + start, cut)));
    }
  }
}
