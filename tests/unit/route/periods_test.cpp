#include "route/periods.hpp"

#include <doctest/doctest.h>

#include "tandem/clock.hpp"

using namespace tandem;
using route::Periods;
using route::PeriodSettings;

namespace {

std::int64_t at(const char* time) { return parse_time_us(time).value(); }

DaySet days(const std::vector<std::string>& words) { return DaySet::parse(words).value(); }

PeriodConfig period(const std::vector<std::string>& words, int from_h, int to_h) {
  PeriodConfig config;
  config.days = days(words);
  config.from_s = from_h * 3600;
  config.to_s = to_h * 3600;
  return config;
}

Periods periods(const std::vector<PeriodConfig>& configs,
                std::shared_ptr<const Calendar> calendar = std::make_shared<Calendar>()) {
  return Periods::build(configs, std::move(calendar)).value();
}

}  // namespace

TEST_CASE("DaySet: R-13 names, ranges over the week's end and classes") {
  CHECK(days({"mon-fri"}).weekdays == 0b0111110);
  CHECK(days({"fri-mon"}).weekdays == 0b1100011);
  CHECK(days({"sun", "sat"}).weekdays == 0b1000001);
  CHECK(days({"any"}) == DaySet::every());
  CHECK(days({"work", "holiday"}).classes == 0b101);
  CHECK(days({"work"}).weekdays == 0);
  for (const char* word : {"monday", "mon-", "-fri", "mon-work", "", "Mon"})
    CHECK_FALSE(DaySet::parse({word}).ok());
  CHECK_FALSE(DaySet::parse({}).ok());
}

TEST_CASE("Calendar: R-12 a dated exception goes before the weekly default") {
  CalendarConfig config;
  config.week[6] = DayClass::work;  // Saturday
  config.exceptions[parse_day("2026-12-25").value()] = DayClass::holiday;
  config.exceptions[parse_day("2026-12-27").value()] = DayClass::work;
  const Calendar calendar(config, TimeZone());
  const auto kind = [&](const char* day) { return calendar.day_class(parse_day(day).value()); };
  CHECK(kind("2026-12-24") == DayClass::work);
  CHECK(kind("2026-12-25") == DayClass::holiday);
  CHECK(kind("2026-12-26") == DayClass::work);  // a Saturday
  CHECK(kind("2026-12-27") == DayClass::work);
  CHECK(kind("2027-01-03") == DayClass::rest);  // a Sunday
  CHECK(Calendar().day_class(parse_day("2026-12-26").value()) == DayClass::rest);
}

TEST_CASE("Periods: R-13 the interval is half open, and the first that speaks wins") {
  PeriodConfig day = period({"any"}, 0, 18), evening = period({"any"}, 18, 24);
  day.line_limit = 200;
  evening.line_limit = 400;
  evening.priority = 5;
  PeriodConfig always = period({"any"}, 0, 24);
  always.priority = 9;
  always.line_limit = 1;
  const Periods all = periods({day, evening, always});
  CHECK(all.at(at("2026-11-25T17:59:59.999999Z")).line_limit == 200);
  CHECK(all.at(at("2026-11-25T17:59:59.999999Z")).priority == 9);
  CHECK(all.at(at("2026-11-25T18:00:00Z")).line_limit == 400);
  CHECK(all.at(at("2026-11-25T18:00:00Z")).priority == 5);
  CHECK(all.at(at("2026-11-26T00:00:00Z")).line_limit == 200);
  CHECK_FALSE(periods({day}).at(at("2026-11-25T18:00:00Z")).line_limit.has_value());
  CHECK(Periods().empty());
}

TEST_CASE("Periods: R-13 a period over midnight belongs to the day on which it began") {
  PeriodConfig night = period({"fri"}, 22, 6);
  night.closed = true;
  const Periods all = periods({night});
  CHECK_FALSE(all.at(at("2026-11-27T05:59:00Z")).is_closed);  // Friday morning
  CHECK_FALSE(all.at(at("2026-11-27T21:59:59Z")).is_closed);
  CHECK(all.at(at("2026-11-27T22:00:00Z")).is_closed);
  CHECK(all.at(at("2026-11-28T05:59:59Z")).is_closed);  // Saturday
  CHECK_FALSE(all.at(at("2026-11-28T06:00:00Z")).is_closed);
  CHECK_FALSE(all.at(at("2026-11-28T22:00:00Z")).is_closed);
}

TEST_CASE("Periods: R-12 R-13 classes of days, alone and beside weekdays") {
  CalendarConfig config;
  config.exceptions[parse_day("2026-12-25").value()] = DayClass::holiday;  // a Friday
  const auto calendar = std::make_shared<Calendar>(config, TimeZone());
  PeriodConfig work = period({"work"}, 8, 18);
  work.closed = false;
  PeriodConfig rest_of_time = period({"any"}, 0, 24);
  rest_of_time.closed = true;
  const Periods opening_hours = periods({work, rest_of_time}, calendar);
  CHECK_FALSE(opening_hours.at(at("2026-12-24T08:00:00Z")).is_closed);
  CHECK(opening_hours.at(at("2026-12-24T18:00:00Z")).is_closed);
  CHECK(opening_hours.at(at("2026-12-25T12:00:00Z")).is_closed);
  CHECK(opening_hours.at(at("2026-12-26T12:00:00Z")).is_closed);

  PeriodConfig friday_holidays = period({"fri"}, 0, 24);
  friday_holidays.day_class = DayClass::holiday;
  friday_holidays.priority = 7;
  const Periods both = periods({friday_holidays}, calendar);
  CHECK(both.at(at("2026-12-25T12:00:00Z")).priority == 7);
  CHECK_FALSE(both.at(at("2026-12-18T12:00:00Z")).priority.has_value());
}

TEST_CASE("Periods: R-12 the zone is the period's, else the calendar's, through the change") {
  PeriodConfig config = period({"any"}, 9, 17);
  config.closed = true;
  const auto london = std::make_shared<Calendar>(TimeZone::load("Europe/London").value());
  const Periods by_calendar = periods({config}, london);
  CHECK(by_calendar.at(at("2026-01-15T09:00:00Z")).is_closed);
  CHECK_FALSE(by_calendar.at(at("2026-01-15T08:59:59Z")).is_closed);
  CHECK(by_calendar.at(at("2026-07-15T08:00:00Z")).is_closed);
  CHECK_FALSE(by_calendar.at(at("2026-07-15T16:00:00Z")).is_closed);
  config.timezone = "America/New_York";
  const Periods own = periods({config}, london);
  CHECK_FALSE(own.at(at("2026-01-15T13:59:59Z")).is_closed);
  CHECK(own.at(at("2026-01-15T14:00:00Z")).is_closed);
  config.timezone = "Nowhere/At_All";
  CHECK_FALSE(Periods::build({config}, london).ok());
}

TEST_CASE("Periods: R-13 rewrite rules and number lists replace the gateway's for the time") {
  PeriodConfig config = period({"any"}, 0, 12);
  config.rewrite_callee = "44:0044";
  config.forbid_callee_prefixes = {"449"};
  config.allow_caller_prefixes = {"1"};
  const Periods all = periods({config});
  const PeriodSettings now = all.at(at("2026-11-25T11:00:00Z"));
  SeededRandom random(1);
  REQUIRE(now.rewrite_callee != nullptr);
  CHECK(now.rewrite_callee->apply("4420", random).view() == "004420");
  CHECK(now.rewrite_caller == nullptr);
  REQUIRE(now.callees != nullptr);
  CHECK(now.callees->judge("x", "4490") == NumberVerdict::callee_denied);
  CHECK(now.callees->judge("x", "4420") == NumberVerdict::accepted);
  REQUIRE(now.callers != nullptr);
  CHECK(now.callers->judge("2", "4490") == NumberVerdict::caller_not_allowed);
  CHECK(all.at(at("2026-11-25T12:00:00Z")).rewrite_callee == nullptr);
  config.rewrite_callee = "broken";
  CHECK_FALSE(Periods::build({config}, std::make_shared<Calendar>()).ok());
}
