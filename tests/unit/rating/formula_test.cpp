// The charge formula: worked examples with their sums written out.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "rating/formula.hpp"
#include "tandem/rating.hpp"

using namespace tandem;

namespace {

Amount money(std::string_view text) { return Amount::parse(text).value(); }

Rate per_second(std::string_view price, std::int64_t per_s, std::int64_t first_s,
                std::int64_t next_s) {
  Rate rate;
  rate.price = money(price);
  rate.per_s = per_s;
  rate.first_s = first_s;
  rate.next_s = next_s;
  return rate;
}

std::string charge_text(const Rate& rate, std::int64_t talk_ms, const FeeRules& rules = {}) {
  return rate_call(rate, talk_ms, rules).value().charge.to_string();
}

}  // namespace

TEST_CASE("rate_call: B-06 charges first and next increments, sections and connection fees") {
  Rate first_30_next_6 = per_second("0.01", 6, 1, 6);
  first_30_next_6.sections = {{money("0.05"), 30}};
  Rate connection_section = per_second("0.006", 6, 6, 6);
  connection_section.sections = {{money("0.01"), 0}};
  Rate connection_field = per_second("0.006", 6, 6, 6);
  connection_field.connection_fee = money("0.01");
  Rate fee_and_section = per_second("0.60", 60, 1, 1);
  fee_and_section.connection_fee = money("0.02");
  fee_and_section.sections = {{money("0.05"), 10}, {money("0.03"), 0}, {money("0.04"), 20}};

  struct Row {
    const char* sum;
    Rate rate;
    std::int64_t seconds;
    const char* charge;
    std::int64_t billed_s;
  };
  const Row rows[] = {
      {"60/60 at 0.60: 2 minutes", per_second("0.60", 60, 60, 60), 61, "1.20", 120},
      {"1/1 at 0.01: 61 * 0.01", per_second("0.01", 1, 1, 1), 61, "0.61", 61},
      {"30/6: 0.05 + 2 * 0.01", first_30_next_6, 37, "0.07", 42},
      {"30/6 within its section", first_30_next_6, 30, "0.05", 30},
      {"connection 0.01 + 11 * 0.006", connection_section, 61, "0.076", 66},
      {"the same with connection_fee", connection_field, 61, "0.076", 66},
      {"nothing talked, nothing due", connection_field, 0, "0.00", 0},
      {"60/60: one second is a minute", per_second("0.60", 60, 60, 60), 1, "0.60", 60},
      {"60/60: the minute to its end", per_second("0.60", 60, 60, 60), 60, "0.60", 60},
      {"30/6 by increments: 30 + 6 + 6 s of 0.60/min", per_second("0.60", 60, 30, 6), 37, "0.42",
       42},
      {"first longer than the call", per_second("0.60", 60, 30, 6), 29, "0.30", 30},
      {"free destination", per_second("0", 60, 1, 1), 3600, "0.00", 3600},
      {"a third: 1 s of 0.01/3 s", per_second("0.01", 3, 1, 1), 1, "0.003333", 1},
      {"0.02 + 0.05, and the fee that follows the used-up section: 0.03", fee_and_section, 10,
       "0.10", 10},
      {"0.02 + 0.05 + 0.03: 4 s end in the first section, a flat one follows", fee_and_section, 4,
       "0.10", 10},
      {"0.02 + 0.05 + 0.03 + 0.04: into the third section", fee_and_section, 11, "0.14", 30},
      {"0.14 + 5 * 0.01: the steady cycle after 30 s", fee_and_section, 35, "0.19", 35},
  };
  for (const Row& row : rows) {
    CAPTURE(row.sum);
    const Charge charge = rate_call(row.rate, row.seconds * 1000, {}).value();
    CHECK(charge.charge.to_string() == row.charge);
    CHECK(charge.billed_time_s == row.billed_s);
  }
}

TEST_CASE("rate_call: B-06 a later section without time is not due when the call ended before it") {
  Rate rate = per_second("0.01", 1, 1, 1);
  rate.sections = {{money("0.05"), 10}, {money("0.04"), 10}, {money("1.00"), 0}};
  CHECK(charge_text(rate, 10'000) == "0.05");
  CHECK(charge_text(rate, 11'000) == "1.09");  // 0.05 + 0.04 + 1.00
}

TEST_CASE(
    "rate_call: the minimum counts the connection fee and is due with the first billed second") {
  Rate rate = per_second("0.60", 60, 1, 1);
  rate.connection_fee = money("0.02");
  rate.minimum = money("0.10");
  CHECK(charge_text(rate, 0) == "0.00");
  CHECK(charge_text(rate, 1'000) == "0.10");
  CHECK(charge_text(rate, 8'000) == "0.10");  // 0.02 + 0.08
  CHECK(charge_text(rate, 9'000) == "0.11");
}

TEST_CASE("billable_seconds: B-08 a started second counts from the threshold on") {
  struct Row {
    std::int64_t talk_ms;
    int precision_ms;
    std::int64_t seconds;
  };
  for (const auto& [talk_ms, precision_ms, seconds] :
       {Row{10'049, 50, 10}, Row{10'050, 50, 11}, Row{10'000, 50, 10}, Row{10'001, 1, 11},
        Row{10'000, 1, 10}, Row{10'999, 1000, 10}, Row{11'000, 1000, 11}, Row{49, 50, 0},
        Row{50, 50, 1}, Row{0, 1, 0}, Row{-5, 1, 0}, Row{10'500, 500, 11}, Row{10'499, 500, 10}}) {
    CAPTURE(talk_ms);
    FeeRules rules;
    rules.hold_time_precision_ms = precision_ms;
    CHECK(billable_seconds(talk_ms, rules) == seconds);
  }
}

TEST_CASE("rate_call: B-07 rounds the exact sum once, by the named rule") {
  const Rate rate = per_second("0.01", 8, 1, 1);  // 1 s costs 0.00125
  struct Row {
    FeeRounding rounding;
    int precision;
    std::int64_t seconds;
    const char* charge;
  };
  for (const auto& [rounding, precision, seconds, charge] :
       {Row{FeeRounding::half_up, 4, 1, "0.0013"}, Row{FeeRounding::half_even, 4, 1, "0.0012"},
        Row{FeeRounding::up, 4, 1, "0.0013"}, Row{FeeRounding::down, 4, 1, "0.0012"},
        Row{FeeRounding::half_even, 4, 3, "0.0038"},  // 0.00375 goes to the even 38
        Row{FeeRounding::half_up, 5, 1, "0.00125"}, Row{FeeRounding::half_up, 0, 399, "0.00"},
        Row{FeeRounding::half_up, 0, 400, "1.00"}, Row{FeeRounding::half_even, 0, 400, "0.00"},
        Row{FeeRounding::up, 0, 1, "1.00"}, Row{FeeRounding::down, 0, 799, "0.00"},
        Row{FeeRounding::down, 8, 1, "0.00125"}}) {
    CAPTURE(precision);
    CAPTURE(seconds);
    FeeRules rules;
    rules.rounding = rounding;
    rules.precision = precision;
    CHECK(charge_text(rate, seconds * 1000, rules) == charge);
  }
}

TEST_CASE("rate_call: B-07 never rounds an increment: 0.4 + 0.2 + 60 s of 0.1 a minute is 0.70") {
  Rate rate = per_second("0.1", 60, 1, 1);
  rate.connection_fee = money("0.4");
  rate.sections = {{money("0.2"), 1}};
  FeeRules rules;
  rules.precision = 4;
  rules.rounding = FeeRounding::up;
  CHECK(charge_text(rate, 61'000, rules) == "0.70");
}

TEST_CASE("rate_call: B-07 goes up to the fee unit after rounding") {
  FeeRules rules;
  rules.precision = 2;
  rules.unit = money("0.05");
  const Rate rate = per_second("0.01", 1, 1, 1);
  CHECK(charge_text(rate, 5'000, rules) == "0.05");
  CHECK(charge_text(rate, 6'000, rules) == "0.10");
  CHECK(charge_text(per_second("0.001", 1, 1, 1), 4'000, rules) ==
        "0.00");  // 0.004 rounds to 0.00 first
}

TEST_CASE("rate_call: B-09 takes free time off before the increments and the connection fee") {
  FeeRules rules;
  rules.free_time_s = 10;
  Rate rate = per_second("0.60", 60, 60, 60);
  rate.connection_fee = money("0.05");
  CHECK(charge_text(rate, 10'049, rules) == "0.00");
  CHECK(charge_text(rate, 10'050, rules) == "0.65");
  CHECK(charge_text(rate, 70'000, rules) == "0.65");
  CHECK(charge_text(rate, 71'000, rules) == "1.25");
}

TEST_CASE("rate_call: a talk time or a charge out of range is an error that says its value") {
  CHECK(rate_call(Rate{}, -1, {}).error().code == ErrorCode::invalid_argument);
  CHECK(rate_call(Rate{}, 1000 * rated_time_max_s + 1, {}).error().code ==
        ErrorCode::invalid_argument);
  Rate rate = per_second("90000000000", 1, 1, 1);
  CHECK(rate_call(rate, 1'000, {}).value().charge == money("90000000000"));
  const auto two_seconds = rate_call(rate, 2'000, {});
  REQUIRE(!two_seconds.ok());
  CHECK(two_seconds.error().code == ErrorCode::limit);
  CHECK(two_seconds.error().message ==
        "charge of 2 seconds at 90000000000.00 was larger than an amount can be");
  CHECK(rate_call(rate, 1000 * rated_time_max_s, {}).error().code == ErrorCode::limit);
}

TEST_CASE("rate_call: the recorder writes the calculation down and does not change it") {
  Rate rate = per_second("0.01", 3, 30, 6);
  rate.connection_fee = money("0.02");
  rate.minimum = money("0.50");
  FeeRules rules;
  rules.free_time_s = 5;
  rules.precision = 2;
  rules.unit = money("0.20");
  std::vector<ChargeStep> steps;
  const Charge with = rate_call(rate, 42'000, rules, &steps).value();
  CHECK(with == rate_call(rate, 42'000, rules).value());
  CHECK(with.charge.to_string() == "0.60");
  std::string text;
  for (const ChargeStep& step : steps) {
    text += charge_step_name(step.kind);
    text += " " + std::to_string(step.from_s) + "+" + std::to_string(step.seconds) + " " +
            step.amount.to_string() + (step.is_exact ? "\n" : " cut\n");
  }
  CHECK(text ==
        "hold_time 0+42 0.00\n"
        "free_time 0+5 0.00\n"
        "connection_fee 0+0 0.02\n"
        "first 0+30 0.10\n"
        "next 30+12 0.04\n"
        "minimum 0+0 0.50\n"
        "rounding 0+0 0.50\n"
        "unit 0+0 0.60\n");
}

TEST_CASE("to_json: a rated call has its keys, and money as text") {
  RatedCall call;
  Rate rate = per_second("0.01", 3, 1, 1);
  rate.connection_fee = money("0.02");
  call.rate_prefix = "44";
  call.currency = "USD";
  call.charge = rate_call(rate, 1'000, {}, &call.steps).value();
  CHECK(
      to_json(call) ==
      R"({"charge":"0.023333","billed_time_s":1,"rate_prefix":"44","currency":"USD","steps":[)"
      R"({"step":"hold_time","seconds":1},{"step":"connection_fee","amount":"0.02"},)"
      R"({"step":"first","from_s":0,"seconds":1,"price":"0.01","per_s":3,"amount":"0.00333333","cut":true},)"
      R"({"step":"rounding","amount":"0.023333"}]})");
  call.currency = "\xff";
  CHECK(to_json(call).find("charge") != std::string::npos);  // no exception
}

TEST_CASE("ExactSum: fractions of different denominators add without loss") {
  rating::ExactSum sum;  // 1/3 + 1/6 + 1/2 = 1
  sum.add(1, 3);
  sum.add(1, 6);
  bool is_exact = true;
  CHECK(sum.cut(&is_exact) == Amount{});
  CHECK(!is_exact);
  sum.add(1, 2);
  CHECK(sum.cut(&is_exact) == Amount::from_units(1));
  CHECK(is_exact);
  CHECK(sum.raise_to(2));
  CHECK(!sum.raise_to(2));
  CHECK(sum.cut() == Amount::from_units(2));
}

TEST_CASE("ExactSum: what leaves 128 bits is no amount") {
  rating::ExactSum sum;
  sum.add(~rating::Wide{0}, 1);
  CHECK(!sum.cut());
  sum.add(1, 7);
  CHECK(!sum.cut());
  CHECK(!sum.round(1, FeeRounding::half_up));
}

TEST_CASE("check_rate, check_fee_rules: every field out of range is named with its value") {
  const auto message = [](auto&& change) {
    Rate rate;
    change(rate);
    const auto checked = check_rate(rate);
    return checked ? std::string("ok") : checked.error().message;
  };
  CHECK(message([](Rate&) {}) == "ok");
  CHECK(message([](Rate& r) { r.prefix = "44 1"; }) ==
        "prefix was \"44 1\", not 0..32 characters of a number");
  CHECK(message([](Rate& r) { r.price = money("-0.01"); }) == "price was -0.01, not 0 or more");
  CHECK(message([](Rate& r) { r.connection_fee = money("-1"); }) ==
        "connection_fee was -1.00, not 0 or more");
  CHECK(message([](Rate& r) { r.minimum = money("-1"); }) == "minimum was -1.00, not 0 or more");
  CHECK(message([](Rate& r) { r.per_s = 0; }) == "per_s was 0, not 1..100000000");
  CHECK(message([](Rate& r) { r.first_s = 0; }) == "first_s was 0, not 1..100000000");
  CHECK(message([](Rate& r) { r.next_s = rate_period_max_s + 1; }) ==
        "next_s was 100000001, not 1..100000000");
  CHECK(message([](Rate& r) { r.valid_from_us = 5, r.valid_until_us = 5; }) ==
        "valid_until was 5, not 0 or later than valid_from");
  CHECK(message([](Rate& r) { r.sections.resize(17); }) == "number of sections was 17, not 0..16");
  CHECK(message([](Rate& r) {
          r.sections = {{money("1"), -1}};
        }) == "seconds of a section was -1, not 0..100000000");
  CHECK(message([](Rate& r) { r.area = std::string(129, 'a'); }) ==
        "area was 129 bytes long, not 0..128");

  const auto rules_message = [](auto&& change) {
    FeeRules rules;
    change(rules);
    const auto checked = check_fee_rules(rules);
    return checked ? std::string("ok") : checked.error().message;
  };
  CHECK(rules_message([](FeeRules&) {}) == "ok");
  CHECK(rules_message([](FeeRules& r) { r.precision = 9; }) == "fee_precision was 9, not 0..8");
  CHECK(rules_message([](FeeRules& r) { r.unit = money("-1"); }) ==
        "fee_unit was -1.00, not 0 or more");
  CHECK(rules_message([](FeeRules& r) { r.hold_time_precision_ms = 0; }) ==
        "hold_time_precision_ms was 0, not 1..1000");
  CHECK(rules_message([](FeeRules& r) { r.free_time_s = -1; }) ==
        "free_time_s was -1, not 0..1000000000");
}

TEST_CASE("Names of levels and roundings read back; others are errors") {
  for (const char* name : {"", "internal", "local", "domestic", "international"})
    CHECK(call_level_name(call_level_from_name(name).value()) == std::string(name));
  for (const char* name : {"half_up", "half_even", "up", "down"})
    CHECK(fee_rounding_name(fee_rounding_from_name(name).value()) == std::string(name));
  CHECK(!call_level_from_name("world"));
  CHECK(!fee_rounding_from_name("middle"));
}

TEST_CASE("MaxCallDuration: B-12 draws within its bounds and the tighter limit wins") {
  SeededRandom random(7);
  CHECK(MaxCallDuration{0, 0}.draw_s(random) == 0);
  CHECK(MaxCallDuration{60, 60}.draw_s(random) == 60);
  bool low = false;
  bool high = false;
  for (int i = 0; i < 1000; ++i) {
    const std::int64_t limit_s = MaxCallDuration{10, 12}.draw_s(random);
    REQUIRE(limit_s >= 10);
    REQUIRE(limit_s <= 12);
    low |= limit_s == 10;
    high |= limit_s == 12;
  }
  CHECK(low);
  CHECK(high);
  CHECK(tighter_limit_s(0, 5) == 5);
  CHECK(tighter_limit_s(5, 0) == 5);
  CHECK(tighter_limit_s(3, 5) == 3);
  CHECK(tighter_limit_s(0, 0) == 0);
}
