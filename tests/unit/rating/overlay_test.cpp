// Period rates of packages over a tariff, increment by increment (B-24).
#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "rating/formula.hpp"
#include "tandem/charge_terms.hpp"
#include "tandem/package_calls.hpp"
#include "tandem/packages.hpp"

using namespace tandem;

namespace {

constexpr std::int64_t second_us = 1'000'000;

Amount money(std::string_view text) { return Amount::parse(text).value(); }
std::int64_t at(std::string_view text) { return parse_time_us(text).value(); }

/// Has all the money there can be and forgets everything.
struct RichHost final : PackageHost {
  Result<bool> take(const PackageDue&) override { return true; }
  Result<void> keep(const PackageChange&) override { return {}; }
};

Package package(std::string id, std::vector<PackageRate> rates, const char* schedule = "split") {
  Package one;
  one.id = std::move(id);
  one.period_rates = std::move(rates);
  one.schedule = RateSchedule::parse(schedule).value();
  return one;
}

PackageRate period_rate(std::string prefix, std::string_view price, int from_h, int to_h,
                        const char* days = "any") {
  PackageRate one;
  one.prefix = std::move(prefix);
  one.price = money(price);
  one.from_s = from_h * 3'600;
  one.to_s = to_h * 3'600;
  one.days = DaySet::from_text(days).value();
  return one;
}

/// A book in which "acme" has ordered all of `packages`, the first one used first.
struct Sold {
  PackageBook book;

  explicit Sold(std::vector<Package> packages, std::string_view day = "2026-03-01T00:00:00Z") {
    std::vector<PackageOrder> orders;
    for (const Package& sold : packages) {
      PackageOrder order;
      order.id = order.package = sold.id;
      order.account = "acme";
      order.priority = static_cast<std::int32_t>(orders.size());
      orders.push_back(order);
    }
    RichHost host;
    REQUIRE(book.provision(std::move(packages), std::move(orders)).ok());
    REQUIRE(book.advance(at(day), host).ok());
  }
  PackagedCharge charge(const Rate& tariff, std::string_view from, std::int64_t seconds,
                        std::string_view callee = "442079460000") {
    return charge_call(book, "acme", callee, seconds * 1'000, tariff, {}, {at(from), {}}).value();
  }
};

/// 0.60 a minute, by the second.
Rate tariff() {
  Rate rate;
  rate.price = money("0.60");
  return rate;
}

}  // namespace

TEST_CASE("Period rates: a split call has them for what begins in their hours (B-24)") {
  struct Row {
    const char* from;
    std::int64_t seconds;
    const char* split;
    const char* whole;
    const char* why;
  };
  const Row rows[] = {
      {"2026-03-02T17:59:30Z", 60, "0.33", "0.60", "30 x 0.01 + 30 x 0.001"},
      {"2026-03-02T18:00:00Z", 60, "0.06", "0.06", "all of it at 0.06"},
      {"2026-03-02T19:59:30Z", 60, "0.33", "0.06", "30 x 0.001 + 30 x 0.01"},
      {"2026-03-02T17:59:30Z", 7'260, "7.80", "72.60", "30 x 0.01 + 7200 x 0.001 + 30 x 0.01"},
      {"2026-03-02T20:00:00Z", 10, "0.10", "0.10", "the tariff's alone"},
  };
  const std::vector<PackageRate> rates = {period_rate("44", "0.06", 18, 20)};
  for (const Row& row : rows) {
    CAPTURE(row.why);
    CHECK(Sold({package("p", rates)}).charge(tariff(), row.from, row.seconds).charge.charge ==
          money(row.split));
    CHECK(Sold({package("p", rates, "")}).charge(tariff(), row.from, row.seconds).charge.charge ==
          money(row.whole));
  }
}

TEST_CASE("Period rates: fee and sections are due when the call begins at the tariff (B-24)") {
  Sold sold({package("p", {period_rate("", "0.06", 18, 20)})});
  Rate with_fee = tariff();
  with_fee.connection_fee = money("0.50");
  CHECK(sold.charge(with_fee, "2026-03-02T17:59:50Z", 20).charge.charge == money("0.61"));
  CHECK(sold.charge(with_fee, "2026-03-02T19:59:50Z", 20).charge.charge == money("0.11"));
  Rate with_sections = tariff();
  with_sections.sections = {{money("1.00"), 30}};
  CHECK(sold.charge(with_sections, "2026-03-02T17:59:50Z", 40).charge.charge == money("1.01"));
  CHECK(sold.charge(with_sections, "2026-03-02T19:59:50Z", 40).charge.charge == money("0.31"));
  Rate bounded = tariff();
  bounded.minimum = money("0.20");
  RateTerms terms;
  terms.maximum = money("0.40");
  bounded.terms = terms;
  CHECK(sold.charge(bounded, "2026-03-02T19:59:50Z", 11).charge.charge == money("0.20"));
  CHECK(sold.charge(bounded, "2026-03-02T17:00:00Z", 3'600).charge.charge == money("0.40"));
}

TEST_CASE("Period rates: an increment that began before a boundary runs to its end (B-24)") {
  PackageRate by_the_minute = period_rate("", "0.06", 18, 20);
  by_the_minute.first_s = by_the_minute.next_s = 60;
  Sold sold({package("p", {by_the_minute})});
  const PackagedCharge over = sold.charge(tariff(), "2026-03-02T17:59:30Z", 31);
  CHECK(over.charge.charge == money("0.36"));  // 30 x 0.01, then a minute of 0.06
  CHECK(over.charge.billed_time_s == 90);
  const PackagedCharge out = sold.charge(tariff(), "2026-03-02T19:59:30Z", 61);
  CHECK(out.charge.charge == money("0.07"));  // a minute of 0.06, then 1 x 0.01
  CHECK(out.charge.billed_time_s == 61);
}

TEST_CASE("Period rates: packages that split and such that do not stand beside each other (B-24)") {
  const Package evening = package("evening", {period_rate("", "0.06", 18, 20)});
  const Package whole = package("whole", {period_rate("", "0.12", 19, 24)}, "");
  {
    Sold sold({evening, whole});
    CHECK(sold.charge(tariff(), "2026-03-02T18:59:30Z", 60).charge.charge == money("0.06"));
    // Nothing of "whole" held at the arrival, nothing of "evening" holds after 20:00.
    CHECK(sold.charge(tariff(), "2026-03-02T19:59:30Z", 60).charge.charge == money("0.33"));
    CHECK(sold.charge(tariff(), "2026-03-02T21:00:00Z", 60).charge.charge == money("0.12"));
  }
  {
    Sold sold({whole, evening});
    CHECK(sold.charge(tariff(), "2026-03-02T19:59:30Z", 60).charge.charge == money("0.12"));
    CHECK(sold.charge(tariff(), "2026-03-02T18:59:30Z", 60).charge.charge == money("0.06"));
  }
}

TEST_CASE("Period rates: what the tariff has no rate for keeps the price of its start (B-24)") {
  Sold sold({package("p", {period_rate("", "0.06", 18, 20)})});
  const PackagePrices prices =
      sold.book.prices(sold.book.find("acme"), "44", at("2026-03-02T19:59:30Z"));
  REQUIRE(prices.rate != nullptr);
  CallStart start;
  CHECK(prices.choose(nullptr, start) == prices.rate.get());
  CHECK(start.overlays == nullptr);
  // Nor can sums be exact whose periods have no common multiple.
  Rate odd = tariff();
  odd.per_s = 99'999'989;
  PackageRate odder = period_rate("", "0.06", 18, 20);
  odder.per_s = 99'999'971;
  Sold other({package("p", {odder})});
  const PackagePrices both =
      other.book.prices(other.book.find("acme"), "44", at("2026-03-02T19:59:30Z"));
  CHECK(both.choose(&odd, start) == both.rate.get());
  CHECK(start.overlays == nullptr);
}

TEST_CASE("Period rates: a price of the margin is that of the call's start (B-13, B-24)") {
  Sold sold({package("p", {period_rate("", "0.06", 18, 20)})});
  const PackagePrices prices =
      sold.book.prices(sold.book.find("acme"), "44", at("2026-03-02T17:00:00Z"));
  CHECK(prices.rate == nullptr);
  CallStart start{at("2026-03-02T17:00:00Z"), {}, {}};
  const Rate own = tariff();
  REQUIRE(prices.choose(&own, start) == &own);
  CHECK(steady_price(own, start).price == money("0.60"));
  start.at_us = at("2026-03-02T18:00:00Z");
  CHECK(steady_price(own, start).price == money("0.06"));
}

TEST_CASE("Period rates: a call paid by a package only what its increments had of it (B-25)") {
  Sold sold({package("p", {period_rate("", "0.06", 18, 20)})});
  const auto prices = sold.book.prices(sold.book.find("acme"), "44", at("2026-03-02T17:00:00Z"));
  Rate own = tariff();
  FeeRules rules;
  const auto has_paid = [&](std::int64_t talked_s, const char* answered = "2026-03-02T17:59:00Z") {
    return rating::is_overlaid(own, talked_s, rules, {at(answered), {}, prices.overlays});
  };
  CHECK(has_paid(61));
  CHECK_FALSE(has_paid(60));
  CHECK_FALSE(rating::is_overlaid(own, 61, rules, {at("2026-03-02T17:59:00Z"), {}, {}}));
  // Seconds that the increment before covers.
  own.first_s = 90;
  CHECK_FALSE(has_paid(90));
  CHECK(has_paid(91));
  own.first_s = 1;
  // Free and grace seconds.
  rules.free_time_s = 30;
  CHECK_FALSE(has_paid(30, "2026-03-02T18:00:00Z"));
  CHECK(has_paid(31, "2026-03-02T18:00:00Z"));
  CHECK_FALSE(has_paid(70, "2026-03-02T19:59:30Z"));  // what is paid begins at 20:00
  rules.free_time_s = 0;
  RateTerms terms;
  terms.grace_s = 20;
  own.terms = terms;
  CHECK_FALSE(has_paid(20, "2026-03-02T18:00:00Z"));
  CHECK(has_paid(21, "2026-03-02T18:00:00Z"));
}

TEST_CASE("Period rates: numbers that begin alike share one overlay (B-24)") {
  Sold sold({package("p", {period_rate("44", "0.06", 18, 20), period_rate("4420", "0.03", 18, 20),
                           period_rate("1", "0.02", 18, 20)})});
  const auto overlays = [&](const char* callee) {
    return sold.book.prices(sold.book.find("acme"), callee, at("2026-03-02T17:00:00Z")).overlays;
  };
  const auto london = overlays("442079460000");
  REQUIRE(london != nullptr);
  CHECK(london == overlays("442012345678"));
  REQUIRE(london->size() == 1);
  REQUIRE(london->front().windows.size() == 2);
  CHECK(london->front().windows[0].price == money("0.03"));
  const auto leeds = overlays("441132345678");
  CHECK(leeds != london);
  CHECK(leeds->front().windows.size() == 1);
  CHECK(overlays("33123") == nullptr);
  // Of two packages each call has both, in the order of their use.
  Sold both({package("p", {period_rate("44", "0.06", 18, 20)}),
             package("q", {period_rate("4420", "0.03", 18, 20)})});
  const auto prices =
      both.book.prices(both.book.find("acme"), "442079460000", at("2026-03-02T17:00:00Z"));
  REQUIRE(prices.overlays != nullptr);
  REQUIRE(prices.overlays->size() == 2);
  CHECK(prices.overlays->at(0).windows[0].price == money("0.06"));
}

TEST_CASE("Period rates: random calls cost what second by second they cost (B-10, B-24)") {
  std::mt19937_64 random(24);
  const auto below = [&](int bound) {
    return static_cast<int>(random() % static_cast<unsigned>(bound));
  };
  const char* const some_days[] = {"any", "work", "sat,sun", "mon-fri", "holiday", "rest"};
  const std::string calendars[] = {"split", "split zone=Europe/Berlin 2026-03-03=holiday",
                                   "split zone=America/New_York 2026-03-29=rest"};
  for (int round = 0; round < 400; ++round) {
    CAPTURE(round);
    std::vector<Package> packages;
    for (int p = 0; p < 1 + below(2); ++p) {
      std::vector<PackageRate> rates;
      for (int r = 0; r < 1 + below(4); ++r) {
        const int from_h = below(24);
        int to_h = 1 + below(24);
        if (to_h == from_h) to_h = from_h == 0 ? 24 : from_h - 1 == 0 ? 24 : from_h - 1;
        rates.push_back(
            period_rate(std::string("4420").substr(0, static_cast<std::size_t>(below(5))),
                        "0.0" + std::to_string(below(10)), from_h, to_h, some_days[below(6)]));
      }
      packages.push_back(package("p" + std::to_string(p), rates, calendars[below(3)].c_str()));
    }
    Sold sold(packages, "2026-02-20T00:00:00Z");
    Rate own = tariff();
    RateTerms terms;
    RateWindow night;
    night.from_s = 22 * 3'600;
    night.to_s = 6 * 3'600;
    night.price = money("0.30");
    terms.windows = {night};
    own.terms = terms;
    const RateSchedule schedule =
        RateSchedule::parse(below(2) == 0 ? "zone=Asia/Tokyo" : "split zone=Asia/Tokyo").value();
    CallStart start{
        at("2026-02-27T00:00:00Z") + below(40 * 24 * 60) * 60 * second_us, schedule, {}};
    const std::int64_t talked_s = 1 + below(3 * 3'600);
    const PackageHandle owner = sold.book.find("acme");
    const PackagePrices prices = sold.book.prices(owner, "442079460000", start.at_us);
    const Rate* const rate = prices.choose(&own, start);
    const bool has_any = start.overlays != nullptr;
    std::int64_t sum = 0;  // in 1e-8 / 60
    for (std::int64_t s = 0; s < talked_s; ++s) {
      const std::int64_t now_us = start.at_us + s * second_us;
      const auto of_package = sold.book.rate(owner, "442079460000", now_us);
      const CallStart judged{schedule.is_split() ? now_us : start.at_us, schedule, {}};
      sum += of_package != nullptr ? of_package->price.units()
                                   : steady_price(own, judged).price.units();
    }
    FeeRules rules;
    rules.precision = 8;
    const Charge charge = rate_call(*rate, talked_s * 1'000, rules, nullptr, start).value();
    REQUIRE(charge.charge.units() == (sum + 30) / 60);
    if (!has_any) continue;
    ChargeTerms written;
    written.rate = *rate;
    written.rules = rules;
    written.schedule = schedule;
    written.overlays = start.overlays;
    const std::string text = to_text(written, start.at_us, start.at_us + talked_s * second_us);
    CAPTURE(text);
    REQUIRE(recompute_charge(text, talked_s * 1'000, start.at_us).value() == charge);
    if (charge.charge.is_zero()) continue;
    const std::int64_t left_s = available_time_s(*rate, charge.charge, rules, start);
    REQUIRE(left_s >= talked_s);
    REQUIRE(rate_call(*rate, left_s * 1'000, rules, nullptr, start)->charge == charge.charge);
    REQUIRE(rate_call(*rate, (left_s + 1) * 1'000, rules, nullptr, start)->charge > charge.charge);
  }
}

TEST_CASE(
    "Period rates: the steps of a free window count for what a prepaid call may talk (B-10)") {
  Rate own = tariff();
  own.price = {};
  RateWindow morning;
  morning.to_s = 12 * 3'600;
  morning.price = Amount();
  morning.first_s = morning.next_s = 60;
  RateTerms terms;
  terms.windows = {morning};
  own.terms = terms;
  PackageRate paid = period_rate("", "0.60", 12, 20);
  paid.from_s = 12 * 3'600 + 30;
  Sold sold({package("p", {paid})});
  CallStart start{at("2026-03-02T11:50:01Z"), RateSchedule::parse("split").value(), {}};
  const PackagePrices prices = sold.book.prices(sold.book.find("acme"), "44", start.at_us);
  REQUIRE(prices.choose(&own, start) == &own);
  for (const char* text : {"0.10", "0.30", "1"}) {
    CAPTURE(text);
    const Amount usable = money(text);
    const std::int64_t covered_s = rating::covered_time_s(own, usable, {}, start, 86'400);
    REQUIRE(covered_s < 86'400);
    CHECK(rating::charge_of(own, covered_s, {}, nullptr, start)->charge <= usable);
    CHECK(rating::charge_of(own, covered_s + 1, {}, nullptr, start)->charge > usable);
  }
}

TEST_CASE("Period rates: words of overlays that do not fit are refused (B-24)") {
  const std::string rate = "price=0.60|per_s=60|first_s=1|next_s=1";
  CHECK(parse_charge_terms(rate + "|period_rates=any 18:00-20:00 price=0.06").ok());
  CHECK_FALSE(parse_charge_terms(rate + "|period_schedule=split").ok());
  CHECK_FALSE(parse_charge_terms(rate + "|period_rates=any 18:00-20:00 price=x").ok());
  CHECK_FALSE(
      parse_charge_terms(rate + "|period_rates=any price=0.06|period_schedule=zone=No/No").ok());
  std::string many = rate;
  for (std::size_t i = 0; i <= rate_overlays_max; ++i)
    many += "|period_rates=any price=0.06";
  CHECK(parse_charge_terms(many).error().code == ErrorCode::limit);
}

TEST_CASE("Packages: a number meets at most 32 period rates of a package that splits (B-24)") {
  std::vector<PackageRate> rates(33, period_rate("44", "0.06", 18, 20));
  CHECK(check_package(package("p", rates, "")).ok());
  const auto checked = check_package(package("p", rates));
  REQUIRE_FALSE(checked.ok());
  CHECK(checked.error().message == "number of split period_rates for 44 was 33, not 0..32");
  rates.back().prefix = "49";
  CHECK(check_package(package("p", rates)).ok());
}
