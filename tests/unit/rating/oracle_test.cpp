// Rating against the oracle of oracle.hpp, and available time against rating.
#include "unit/rating/oracle.hpp"

#include <doctest/doctest.h>

#include <cstdint>

#include "tandem/charge_terms.hpp"
#include "tandem/rating.hpp"

using namespace tandem;
using oracle::Draw;
using oracle::Places;

TEST_CASE(
    "rate_call: B-05 to B-09 and B-24 agree with an oracle on a million random tariffs and calls") {
  const oracle::Verdict verdict = oracle::compare(20260101, 1'000'000);
  CHECK(verdict.differences == 0);
  CHECK(verdict.out_of_range > 0);
  CHECK(verdict.out_of_range < 200'000);
}

TEST_CASE("rate_call: B-06 a charge never falls when a call talks longer, whatever the tariff") {
  Draw draw(7);
  const Places places;
  int wrong = 0;
  for (int i = 0; i < 3'000; ++i) {
    const Rate rate = draw.rate();
    const FeeRules rules = draw.rules();
    const Places::Entry entry = places.draw(draw);
    const CallStart start{entry.place.start_s * 1'000'000, entry.schedule};
    Amount last;
    for (std::int64_t second = 0; second < 900; second += 1 + static_cast<int>(draw.below(9))) {
      const auto charge = rate_call(rate, second * 1000, rules, nullptr, start);
      if (!charge) break;
      wrong += charge->charge < last;
      last = charge->charge;
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE(
    "recompute_charge: C-01 the terms of a record give its charge again, whatever the tariff") {
  Draw draw(8);
  const Places places;
  int wrong = 0;
  for (int i = 0; i < 20'000; ++i) {
    ChargeTerms terms;
    terms.rate = draw.rate();
    terms.rules = draw.rules();
    const std::int64_t talk_ms = draw.talk_ms();
    const Places::Entry entry = places.draw(draw);
    terms.schedule = entry.schedule;
    const std::int64_t answered_us = entry.place.start_s * 1'000'000;
    const std::string text = to_text(terms, answered_us, answered_us + talk_ms * 1000);
    const auto charge =
        rate_call(terms.rate, talk_ms, terms.rules, nullptr, {answered_us, terms.schedule});
    const auto again = recompute_charge(text, talk_ms, answered_us);
    wrong += charge.ok() != again.ok() || (charge && *charge != *again);
  }
  CHECK(wrong == 0);
}

TEST_CASE("available_time_s: B-10 is the exact inverse: a second more costs more than there is") {
  Draw draw(42);
  const Places places;
  int wrong = 0;
  int endless = 0;
  for (int i = 0; i < 60'000; ++i) {
    const Rate rate = draw.rate();
    const FeeRules rules = draw.rules();
    const Amount usable = draw.amount();
    const Places::Entry entry = places.draw(draw);
    const CallStart start{entry.place.start_s * 1'000'000, entry.schedule};
    // Years of split windows are right too, but take their time.
    if (start.schedule.is_split() && !rate.terms->windows.empty() && usable.units() > 10'000'000)
      continue;
    const std::int64_t time_s = available_time_s(rate, usable, rules, start);
    const auto is_affordable = [&](std::int64_t seconds) {
      const auto charge = rate_call(rate, seconds * 1000, rules, nullptr, start);
      return charge && charge->charge <= usable;
    };
    wrong += !is_affordable(time_s);
    if (time_s == rated_time_max_s)
      ++endless;
    else
      wrong += is_affordable(time_s + 1);
  }
  CHECK(wrong == 0);
  CHECK(endless > 1000);
}

TEST_CASE(
    "available_time_s: B-10 equals a linear search and never falls when there is more money") {
  Draw draw(43);
  int wrong = 0;
  for (int i = 0; i < 300; ++i) {
    const Rate rate = draw.rate();
    const FeeRules rules = draw.rules();
    std::int64_t last_s = 0;
    for (const std::int64_t units : {0, 1, 1'000, 100'000, 5'000'000, 100'000'000}) {
      const Amount usable = Amount::from_units(units);
      const std::int64_t time_s = available_time_s(rate, usable, rules);
      wrong += time_s < last_s;
      last_s = time_s;
      std::int64_t slow_s = 0;
      while (slow_s < 400) {
        const auto charge = rate_call(rate, (slow_s + 1) * 1000, rules);
        if (!charge || charge->charge > usable) break;
        ++slow_s;
      }
      wrong += slow_s != (time_s < 400 ? time_s : 400);
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("available_time_s: B-10 worked examples") {
  Rate rate;
  rate.price = Amount::parse("0.60").value();
  const auto time_s = [&](const char* usable, FeeRules rules = {}) {
    return available_time_s(rate, Amount::parse(usable).value(), rules);
  };
  CHECK(time_s("1.00") == 100);  // 0.01 a second
  CHECK(time_s("0.005") == 0);   // not one second
  CHECK(time_s("0") == 0);
  CHECK(time_s("-1") == 0);
  FeeRules free;
  free.free_time_s = 20;
  CHECK(time_s("0.05", free) == 25);
  rate.first_s = 60;
  rate.next_s = 60;
  CHECK(time_s("1.00") == 60);  // one whole minute, the second costs 1.20
  rate.connection_fee = Amount::parse("0.40").value();
  CHECK(time_s("1.00") == 60);
  CHECK(time_s("0.99") == 0);
  rate = Rate{};
  CHECK(time_s("0.01") == rated_time_max_s);
  CHECK(time_s("0") == rated_time_max_s);
}
