// Tiers, windows, free seconds, cap and tax: worked examples with their sums written out.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "tandem/charge_terms.hpp"
#include "tandem/clock.hpp"
#include "tandem/rating.hpp"

using namespace tandem;

namespace {

Amount money(std::string_view text) { return Amount::parse(text).value(); }

std::int64_t at(const char* time) { return parse_time_us(time).value(); }

/// A rate from its CSV columns: "price per_s first_s next_s" and the terms.
Rate rate_of(const char* price, int per_s, int first_s, int next_s, RateTerms terms) {
  Rate rate;
  rate.price = money(price);
  rate.per_s = per_s;
  rate.first_s = first_s;
  rate.next_s = next_s;
  rate.terms = std::move(terms);
  const auto checked = check_rate(rate);
  REQUIRE_MESSAGE(checked.ok(), checked.error().message);
  return rate;
}

RateTerms tiers(const char* text) {
  RateTerms terms;
  terms.tiers = parse_tiers(text).value();
  return terms;
}

RateTerms windows(const char* text) {
  RateTerms terms;
  terms.windows = parse_windows(text).value();
  return terms;
}

std::string charge(const Rate& rate, std::int64_t seconds, const CallStart& start = {},
                   const FeeRules& rules = {}) {
  const auto rated = rate_call(rate, seconds * 1000, rules, nullptr, start);
  if (!rated) return rated.error().message;
  return rated->charge.to_string() + " for " + std::to_string(rated->billed_time_s);
}

CallStart from(const char* time, const char* schedule = "split") {
  return {at(time), RateSchedule::parse(schedule).value()};
}

}  // namespace

TEST_CASE("rate_call: B-05 a tier prices the increments that begin from its second on") {
  const Rate cheaper = rate_of("0.60", 60, 1, 1, tiers("60:0.30;120:0.10/60/30"));
  CHECK(charge(cheaper, 60) == "0.60 for 60");
  CHECK(charge(cheaper, 61) == "0.605 for 61");   // 0.60 + 1 * 0.30/60
  CHECK(charge(cheaper, 120) == "0.90 for 120");  // 0.60 + 0.30
  CHECK(charge(cheaper, 121) == "0.95 for 150");  // + 30 * 0.10/60
  const Rate crossing = rate_of("0.60", 60, 45, 45, tiers("60:0.06/60/1"));
  CHECK(charge(crossing, 50) == "0.90 for 90");  // the second 45 s go over the border whole
  CHECK(charge(crossing, 91) == "0.901 for 91");
  Rate sections = rate_of("0.60", 60, 60, 6, tiers("30:0.06"));
  sections.sections = {{money("0.05"), 20}};
  CHECK(charge(sections, 33) == "0.176 for 38");  // 0.05, 12 s of 0.60/60, 6 s of 0.06/60
}

TEST_CASE("rate_call: B-09 grace makes short calls free, free seconds are taken off every call") {
  RateTerms terms;
  terms.grace_s = 5;
  const Rate grace = rate_of("0.60", 60, 1, 1, terms);
  CHECK(charge(grace, 5) == "0.00 for 0");
  CHECK(charge(grace, 6) == "0.06 for 6");
  terms = {};
  terms.free_s = 20;
  Rate free = rate_of("0.60", 60, 1, 1, terms);
  free.connection_fee = money("0.02");
  CHECK(charge(free, 20) == "0.00 for 0");
  CHECK(charge(free, 21) == "0.03 for 1");
  FeeRules rules;
  rules.free_time_s = 10;
  CHECK(charge(free, 31, {}, rules) == "0.03 for 1");
  CHECK(available_time_s(free, money("0.03"), rules) == 31);
  CHECK(available_time_s(grace, money("0"), {}) == 5);
}

TEST_CASE("rate_call: B-05 the cap stands before the tax, the tax before the rounding") {
  RateTerms terms;
  terms.maximum = money("2.00");
  terms.tax_percent = money("7.7");
  const Rate rate = rate_of("0.60", 60, 1, 1, terms);
  CHECK(charge(rate, 10) == "0.1077 for 10");
  CHECK(charge(rate, 200) == "2.154 for 200");
  CHECK(charge(rate, 3600) == "2.154 for 3600");
  CHECK(available_time_s(rate, money("2.16"), {}) == rated_time_max_s);
  CHECK(available_time_s(rate, money("2.15"), {}) == 199);
  // A huge price is capped too, beyond what an amount can be.
  Rate huge = rate_of("90000000000", 1, 1, 1, terms);
  CHECK(charge(huge, 1'000'000) == "2.154 for 1000000");
  FeeRules rules;
  rules.tax_percent = money("20");
  CHECK(charge(rate_of("0.60", 60, 1, 1, {}), 10, {}, rules) == "0.12 for 10");
  CHECK(charge(rate, 10, {}, rules) == "0.1077 for 10");  // the rate's own tax holds
}

TEST_CASE(
    "rate_call: B-24 the window of the call's start holds for all of it, unless it is split") {
  Rate rate = rate_of("1", 1, 1, 1,
                      windows("mon-fri 18:00-24:00 price=0.50 connection_fee=0;"
                              "sat,sun price=0.50 connection_fee=0"));
  rate.connection_fee = money("1");
  // A Thursday, 17:30 to 18:30 UTC.
  CHECK(charge(rate, 3600, from("2012-02-02T17:30:00Z")) == "2701.00 for 3600");
  CHECK(charge(rate, 3600, from("2012-02-02T17:30:00Z", "")) == "3601.00 for 3600");
  CHECK(charge(rate, 3600, from("2012-02-02T18:00:00Z", "")) == "1800.00 for 3600");
  // Friday 23:30 into Saturday.
  CHECK(charge(rate, 3600, from("2012-02-03T23:30:00Z")) == "1800.00 for 3600");
  // Sunday 23:30 into Monday.
  CHECK(charge(rate, 3600, from("2012-02-05T23:30:00Z")) == "2700.00 for 3600");
}

TEST_CASE("rate_call: B-24 an increment belongs to the window in which it begins") {
  const Rate rate = rate_of("0.60", 60, 60, 60, windows("any 18:00-24:00 price=0.06 next_s=1"));
  // 17:58:30: minutes from :00, :60 belong to the day, the second one ends at 18:00:30.
  CHECK(charge(rate, 100, from("2026-03-02T17:58:30Z")) == "1.20 for 120");
  CHECK(charge(rate, 121, from("2026-03-02T17:58:30Z")) == "1.201 for 121");
}

TEST_CASE("rate_call: B-24 first_s counts from the start of the call in every window") {
  const Rate rate = rate_of("0.60", 60, 1, 1, windows("any 18:00-24:00 price=0.60 first_s=60"));
  // 30 s of the day, then the first minute is still going on: one increment of 60 s.
  CHECK(charge(rate, 31, from("2026-03-02T17:59:30Z")) == "0.90 for 90");
  CHECK(charge(rate, 91, from("2026-03-02T17:59:30Z")) == "0.91 for 91");
  CHECK(charge(rate, 71, from("2026-03-02T17:58:50Z")) == "0.71 for 71");
}

TEST_CASE("rate_call: B-24 a holiday goes before the weekday, in the zone of the deck") {
  const Rate rate =
      rate_of("1", 1, 1, 1, windows("any price=0.5;holiday price=0.25;work 09:00-17:00 price=2"));
  const char* schedule = "zone=Europe/Berlin 2026-12-25=holiday";
  CHECK(charge(rate, 1, from("2026-12-24T23:30:00Z", schedule)) == "0.25 for 1");
  CHECK(charge(rate, 1, from("2026-12-24T22:30:00Z", schedule)) == "0.50 for 1");
  CHECK(charge(rate, 1, from("2026-12-24T23:30:00Z", "")) == "0.50 for 1");
}

TEST_CASE("rate_call: B-24 windows follow the wall clock over both changes of the clocks") {
  const Rate rate =
      rate_of("1", 1, 1, 1, windows("any 02:00-03:00 price=0;any 03:00-04:00 price=2"));
  // Berlin goes from 02:00 to 03:00 at 01:00 UTC: there is no hour at 0.
  const auto spring = from("2026-03-29T00:30:00Z", "split zone=Europe/Berlin");
  CHECK(charge(rate, 1800, spring) == "1800.00 for 1800");
  CHECK(charge(rate, 5400, spring) == "9000.00 for 5400");   // 1800 * 1 + 3600 * 2
  CHECK(charge(rate, 7200, spring) == "10800.00 for 7200");  // + 1800 * 1
  // It goes back from 03:00 to 02:00 at 01:00 UTC: two hours at 0.
  const auto autumn = from("2026-10-24T23:30:00Z", "split zone=Europe/Berlin");
  CHECK(charge(rate, 1800, autumn) == "1800.00 for 1800");
  CHECK(charge(rate, 9000, autumn) == "1800.00 for 9000");
  CHECK(charge(rate, 9001, autumn) == "1802.00 for 9001");
  CHECK(available_time_s(rate, money("1800"), {}, autumn) == 9000);
  CHECK(available_time_s(rate, money("1799"), {}, autumn) == 1799);
}

TEST_CASE("rate_call: a window with a price leaves the tiers of the rate, one without keeps them") {
  RateTerms terms = windows("any 10:00-11:00 price=1;any 11:00-12:00 next_s=10");
  terms.tiers = parse_tiers("10:0.1").value();
  const Rate rate = rate_of("2", 1, 1, 1, terms);
  CHECK(charge(rate, 20, from("2026-03-02T09:00:00Z", "")) == "21.00 for 20");
  CHECK(charge(rate, 20, from("2026-03-02T10:00:00Z", "")) == "20.00 for 20");
  // 1 and 10 s at 2, then 10 s of the tier.
  CHECK(charge(rate, 21, from("2026-03-02T11:00:00Z", "")) == "23.00 for 21");
}

TEST_CASE("rate_call: the steps of a sum name tier, window, cap and tax") {
  RateTerms terms = windows("any 18:00-24:00 price=0.06");
  terms.tiers = parse_tiers("60:0.30").value();
  terms.maximum = money("0.70");
  terms.tax_percent = money("10");
  terms.free_s = 10;
  const Rate rate = rate_of("0.60", 60, 1, 1, terms);
  std::vector<ChargeStep> steps;
  const auto rated = rate_call(rate, 400'000, {}, &steps, from("2026-03-02T17:58:00Z"));
  REQUIRE(rated.ok());
  CHECK(rated->charge.to_string() == "0.77");
  std::string names;
  for (const ChargeStep& step : steps)
    names.append(charge_step_name(step.kind)).append(" ");
  CHECK(names == "hold_time free_time first next tier next maximum tax rounding ");
  CHECK(steps[1].seconds == 10);
  CHECK(steps[4].from_s == 60);
  CHECK(steps[4].seconds == 50);  // 60..110, the boundary is at 10 + 110 s
  CHECK(steps[4].window == -1);
  CHECK(steps[5].window == 0);
  CHECK(steps[5].from_s == 110);
  CHECK(steps[7].price.to_string() == "10.00");
  CHECK(steps[7].amount.to_string() == "0.77");
}

TEST_CASE("check_rate: what tiers, windows, cap and tax may not be is named with its value") {
  const auto error_of = [](RateTerms terms) {
    Rate rate;
    rate.minimum = money("1");
    rate.terms = std::move(terms);
    const auto checked = check_rate(rate);
    return checked ? std::string("fine") : checked.error().message;
  };
  RateTerms terms;
  CHECK(error_of(terms) == "fine");
  CHECK(error_of(tiers("60:1;60:2")) == "from_s of a tier was 60, not 61..100000000");
  CHECK(error_of(tiers("0:1")) == "from_s of a tier was 0, not 1..100000000");
  CHECK(error_of(tiers("1:-1")) == "price of a tier was -1.00, not 0 or more");
  CHECK(error_of(windows("any 10:00-10:00")) ==
        "to of a window was 36000 s, not 1..86400 and not its from");
  terms.grace_s = -1;
  CHECK(error_of(terms) == "grace_s was -1, not 0..100000000");
  terms = {};
  terms.maximum = money("0.5");
  CHECK(error_of(terms) == "maximum was 0.50, not 0 or at least the minimum");
  terms = {};
  terms.tax_percent = money("0.00001");
  CHECK(error_of(terms) == "tax_percent was 0.00001, not 0..1000 with at most 4 decimals");
  terms.tax_percent = money("1001");
  CHECK(error_of(terms) == "tax_percent was 1001.00, not 0..1000 with at most 4 decimals");
  CHECK(error_of(tiers("1:1/99999989;2:1/99999971")) ==
        "the per_s of the rate, its tiers and windows had no common multiple up to 1e11");
}

TEST_CASE("parse_windows: B-24 the CSV form goes both ways") {
  for (const char* text :
       {"any", "mon-fri 18:00-24:00 price=0.30", "sat,sun,holiday 22:00-06:30:15 next_s=6",
        "work 08:00-18:00 price=0.30 per_s=6 first_s=30 next_s=6 connection_fee=0.02 "
        "tiers=60:0.20/60/1,120:0.10;rest price=0.10"}) {
    CHECK(to_text(parse_windows(text).value()) == text);
  }
  CHECK(to_text(parse_tiers("60:0.50/60/10;300:0.40;400:0.30/6").value()) ==
        "60:0.50/60/10;300:0.40;400:0.30/6");
  CHECK(parse_tiers("60:0.50/60/10/1").error().message ==
        "\"60:0.50/60/10/1\" was not a tier such as 60:0.50/60/10");
  CHECK_FALSE(parse_windows("monday").ok());
  CHECK_FALSE(parse_windows("mon 25:00-26:00").ok());
  CHECK_FALSE(parse_windows("mon 10:00").ok());
  CHECK_FALSE(parse_windows("mon 10:00-11:00 12:00-13:00").ok());
  CHECK_FALSE(parse_windows("mon colour=red").ok());
}

TEST_CASE("RateSchedule: words go both ways and only the days of the call are written") {
  const char* words = "split zone=Europe/London sat=work 2026-12-25=holiday 2026-12-28=rest";
  const RateSchedule schedule = RateSchedule::parse(words).value();
  CHECK(schedule.to_string() == words);
  CHECK(schedule.is_split());
  CHECK(schedule.to_string(at("2026-12-24T12:00:00Z"), at("2026-12-24T13:00:00Z")) ==
        "split zone=Europe/London sat=work 2026-12-25=holiday");
  CHECK(schedule.to_string(at("2027-06-01"), at("2027-06-01")) ==
        "split zone=Europe/London sat=work");
  CHECK(RateSchedule::parse("").value().to_string().empty());
  CHECK(RateSchedule::parse("zone=UTC").value().body() == nullptr);
  CHECK_FALSE(RateSchedule::parse("zone=Mars/Crater").ok());
  CHECK(RateSchedule::parse("today=holiday").error().message.find("\"today=holiday\" is no word") ==
        0);
}

TEST_CASE("to_csv: a deck with tiers, windows, cap and tax is read again as it was") {
  RateDeck::Builder builder("d");
  Rate rate =
      rate_of("0.60", 60, 60, 60, windows("mon-fri 18:00-24:00 price=0.30;holiday price=0.1"));
  rate.prefix = "44";
  REQUIRE(builder.add(rate));
  RateTerms terms = tiers("60:0.30");
  terms.grace_s = 3;
  terms.free_s = 2;
  terms.maximum = money("10");
  terms.tax_percent = money("0");
  rate.terms = terms;
  rate.prefix = "45";
  REQUIRE(builder.add(rate));
  Rate plain;
  plain.prefix = "46";
  REQUIRE(builder.add(plain));
  const RateDeck deck = builder.build().value();
  const std::string text = to_csv(deck);
  CHECK(
      text.substr(0, text.find('\n')) ==
      "prefix,area,price,per_s,first_s,next_s,connection_fee,minimum,locked,call_level,valid_from,"
      "valid_until,sections,tiers,windows,grace_s,free_s,maximum,tax_percent");
  const auto rates = parse_deck_csv(text, "again");
  REQUIRE(rates.ok());
  REQUIRE(rates->size() == 3);
  for (std::size_t i = 0; i < 3; ++i)
    CHECK(rates->at(i) == deck.at(i));
  CHECK(to_json(deck.at(1)) ==
        R"({"prefix":"45","price":"0.60","per_s":60,"first_s":60,"next_s":60,)"
        R"("tiers":[{"from_s":60,"price":"0.30"}],"grace_s":3,"free_s":2,"maximum":"10.00",)"
        R"("tax_percent":"0.00"})");
}

TEST_CASE("charge terms: C-01 a record says all that its charge was made of, and nothing else") {
  ChargeTerms terms;
  terms.rate = rate_of("0.60", 60, 60, 6, windows("any 18:00-24:00 price=0.30"));
  terms.rules.tax_percent = money("19");
  terms.schedule = RateSchedule::parse("split zone=Europe/Berlin 2026-12-25=holiday").value();
  const std::int64_t answered = at("2026-03-02T16:59:30Z");
  const std::string text = to_text(terms, answered, answered + 60'000'000);
  CHECK(
      text ==
      "price=0.60|per_s=60|first_s=60|next_s=6|windows=any 18:00-24:00 price=0.30|tax_percent=19.00"
      "|precision=6|rounding=half_up|hold_time_precision_ms=50|schedule=split zone=Europe/Berlin");
  const auto charge =
      rate_call(terms.rate, 70'000, terms.rules, nullptr, {answered, terms.schedule});
  CHECK(recompute_charge(text, 70'000, answered).value() == charge.value());
  CHECK(recompute_charge(text + "|charged_s=5", 70'000, answered).value().billed_time_s == 60);
  CHECK(recompute_charge("free_number", 70'000, answered).value() == Charge{});
  for (const char* wrong : {"price", "price=x", "colour=red", "price=1|precision=9",
                            "price=1|prefix=44", "price=1|per_s=0"}) {
    CHECK_FALSE(recompute_charge(wrong, 1, answered).ok());
  }
}
