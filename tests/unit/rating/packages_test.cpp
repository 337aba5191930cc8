#include "tandem/packages.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "tandem/accounts.hpp"
#include "tandem/charge_terms.hpp"
#include "tandem/package_calls.hpp"

using namespace tandem;

namespace {

constexpr std::int64_t second_us = 1'000'000;
constexpr std::int64_t hour_us = 3'600 * second_us;
constexpr std::int64_t day_us = 24 * hour_us;

Amount money(std::string_view text) { return Amount::parse(text).value(); }
std::int64_t at(std::string_view text) { return parse_time_us(text).value(); }

RateSchedule zone(const std::string& name) {
  CalendarConfig calendar;
  calendar.timezone = name;
  return RateSchedule::build(calendar, false).value();
}

/// Holds the money in an AccountBook and remembers keys and steps, as a host of the book must.
class Host final : public PackageHost {
 public:
  explicit Host(std::string_view balance) {
    AccountSettings settings;
    settings.id = "acme";
    account = *book.provision(settings, money(balance));
  }
  Result<bool> take(const PackageDue& due) override {
    CHECK(due.amount > Amount());
    if (fails) return Error{ErrorCode::io, "no disk"};
    if (keys.contains(due.key)) return true;
    if (due.must_be_covered && book.usable(account) < due.amount) return false;
    REQUIRE(book.pay(account, Amount::from_units(-due.amount.units())).ok());
    keys[due.key] = due.amount;
    return true;
  }
  Result<void> keep(const PackageChange& change) override {
    if (fails_to_keep) return Error{ErrorCode::io, "no disk"};
    kept[change.order.order] = parse_package_change(to_json(change)).value();
    CHECK(kept[change.order.order].order == change.order);
    CHECK(kept[change.order.order].is_closed == change.is_closed);
    return {};
  }
  void tell(const PackageNews& one) override { news.push_back(one); }

  [[nodiscard]] Amount balance() const { return book.balance(account); }
  [[nodiscard]] int count(PackageNews::Kind kind) const {
    return static_cast<int>(
        std::count_if(news.begin(), news.end(), [&](const auto& one) { return one.kind == kind; }));
  }

  AccountBook book;
  AccountHandle account;
  std::map<std::string, Amount> keys;
  std::map<std::string, PackageChange> kept;
  std::vector<PackageNews> news;
  bool fails = false, fails_to_keep = false;
};

Package monthly_package(std::string_view rent = "10.00") {
  Package package;
  package.id = "basic";
  package.rent_fee = money(rent);
  return package;
}

PackageOrder order_of(const std::string& id = "o1") {
  PackageOrder order;
  order.id = id;
  order.package = "basic";
  order.account = "acme";
  return order;
}

/// 0.60 a minute, by the second.
Rate tariff() {
  Rate rate;
  rate.price = money("0.60");
  return rate;
}

PackageGift gift(std::vector<std::string> prefixes, std::int64_t seconds,
                 std::int32_t cycle_s = 1) {
  PackageGift one;
  one.prefixes = std::move(prefixes);
  one.seconds = seconds;
  one.cycle_s = cycle_s;
  return one;
}

/// What a call that was covered as far as gifts go costs; settles it.
PackagedCharge call(PackageBook& book, const Rate& rate, std::int64_t seconds,
                    std::string_view callee, std::int64_t at_us) {
  PackageHold hold = book.open_call(book.find("acme"), callee, at_us);
  const auto whole = rate_call(rate, seconds * 1000, {});
  REQUIRE(whole.ok());
  hold.cover(seconds);
  hold.raise_money(whole->charge);
  auto charged = rate_with_packages(rate, seconds * 1000, {}, hold.loan(), {at_us, {}});
  REQUIRE(charged.ok());
  charged->use = hold.settle(std::move(charged->use), charged->charge.charge);
  return *charged;
}

}  // namespace

TEST_CASE("Packages: the month's rent is taken once at each local midnight it begins (B-23)") {
  Host host("100.00");
  PackageBook book;
  Package package = monthly_package();
  package.schedule = zone("Europe/Berlin");
  PackageOrder order = order_of();
  order.available_day = 20'484;  // 2026-01-31
  REQUIRE(book.provision({package}, {order}).ok());
  std::int64_t next_us = book.advance(at("2026-01-15T12:00:00Z"), host).value();
  CHECK(next_us == at("2026-01-30T23:00:00Z"));
  CHECK(book.current("acme").empty());
  CHECK(host.balance() == money("100.00"));

  CHECK(book.advance(next_us - 1, host).value() == next_us);
  std::vector<std::string> ends;
  for (int month = 0; month < 5; ++month) {
    next_us = book.advance(next_us, host).value();
    REQUIRE(book.current("acme").size() == 1);
    CHECK(book.current("acme")[0].end_us == next_us);
    ends.push_back(format_time_us(next_us).substr(0, 13));
    CHECK(book.advance(next_us - 1, host).value() == next_us);  // nothing twice
  }
  // The 31st, in February the 28th, in April the 30th; summer time from March on.
  CHECK(ends == std::vector<std::string>{"2026-02-27T23", "2026-03-30T22", "2026-04-29T22",
                                         "2026-05-30T22", "2026-06-29T22"});
  CHECK(host.balance() == money("50.00"));
}

TEST_CASE("Packages: a first part of a month costs and gives its share of days (B-23)") {
  Host host("100.00");
  PackageBook book;
  Package package = monthly_package("31.00");
  package.nonholonomic_order = true;
  package.gift_times = {gift({}, 3'100)};
  package.gift_money = money("6.20");
  PackageOrder order = order_of();
  order.rent_percent = 50;
  REQUIRE(book.provision({package}, {order}).ok());
  // From the 22nd on ten of 31 days are left.
  const std::int64_t next_us = book.advance(at("2026-01-22T18:00:00Z"), host).value();
  CHECK(next_us == at("2026-02-01T00:00:00Z"));
  CHECK(host.balance() == money("95.00"));
  PackagePeriod period = book.current("acme").at(0);
  CHECK(period.gifts.at(0).terms.seconds == 1'000);
  CHECK(period.gift_money == money("2.00"));
  REQUIRE(book.advance(next_us, host).ok());
  CHECK(host.balance() == money("79.50"));
  period = book.current("acme").at(0);
  CHECK(period.gifts.at(0).terms.seconds == 3'100);
  CHECK(period.end_us == at("2026-03-01T00:00:00Z"));
}

TEST_CASE("Packages: what is missing to the minimum is owed at the end, below zero too (B-23)") {
  Host host("11.00");
  PackageBook book;
  Package package = monthly_package("10.00");
  package.min_consumption = money("5.00");
  REQUIRE(book.provision({package}, {order_of()}).ok());
  const std::int64_t begin_us = at("2026-01-01T00:00:00Z");
  const std::int64_t next_us = book.advance(begin_us, host).value();
  CHECK(call(book, tariff(), 100, "44", begin_us + hour_us).charge.charge == money("1.00"));
  REQUIRE(host.book.charge_unchecked(host.account, money("1.00")).ok());
  REQUIRE(book.advance(next_us, host).ok());
  CHECK(host.balance() == money("-4.00"));
  CHECK(host.count(PackageNews::Kind::rent_failed) == 1);  // nothing is left for the next rent
  CHECK(host.keys.at("o1/" + std::to_string(begin_us) + "/shortfall") == money("4.00"));
}

TEST_CASE("Packages: without money for the rent the three ways on are gone (B-21)") {
  const std::int64_t begin_us = at("2026-01-10T08:00:00Z");
  for (const RentFailure mode :
       {RentFailure::await_recharge, RentFailure::await_period, RentFailure::end_order}) {
    CAPTURE(static_cast<int>(mode));
    Host host("5.00");
    PackageBook book;
    PackageOrder order = order_of();
    order.failed_process_mode = mode;
    REQUIRE(book.provision({monthly_package()}, {order}).ok());
    const std::int64_t next_us = book.advance(begin_us, host).value();
    CHECK(book.current("acme").empty());
    CHECK(host.count(PackageNews::Kind::rent_failed) == 1);
    CHECK((next_us == package_never_us) == (mode != RentFailure::await_period));
    REQUIRE(host.book.pay(host.account, money("7.00")).ok());
    REQUIRE(book.recharge("acme", begin_us + day_us, host).ok());
    CHECK(book.current("acme").size() == (mode == RentFailure::await_recharge ? 1 : 0));
    REQUIRE(book.advance(at("2026-02-10T00:00:00Z") - 1, host).ok());
    REQUIRE(host.book.pay(host.account, money("10.00")).ok());
    REQUIRE(book.advance(at("2026-02-10T00:00:00Z"), host).ok());
    // Two months, one month, none.
    const char* const left = mode == RentFailure::await_recharge ? "2.00"
                             : mode == RentFailure::await_period ? "12.00"
                                                                 : "22.00";
    CHECK(host.balance() == money(left));
    CHECK(book.current("acme").size() == (mode == RentFailure::end_order ? 0 : 1));
  }
}

TEST_CASE("Packages: a one-off order becomes a period at once and ends with it (B-21)") {
  Host host("100.00");
  PackageBook book;
  Package package = monthly_package("3.00");
  package.rent_type = RentType::once;
  package.rent_period = 7'200;
  PackageOrder bounded = order_of("o2");
  bounded.expire_us = at("2026-01-10T08:30:00Z");
  REQUIRE(book.provision({package}, {order_of(), bounded}).ok());
  const std::int64_t begin_us = at("2026-01-10T08:00:00Z");
  CHECK(book.advance(begin_us, host).value() == bounded.expire_us);
  CHECK(book.current("acme").size() == 2);
  CHECK(book.advance(bounded.expire_us, host).value() == begin_us + 2 * hour_us);
  CHECK(book.advance(begin_us + 2 * hour_us, host).value() == package_never_us);
  CHECK(book.current("acme").empty());
  CHECK(host.count(PackageNews::Kind::ended) == 2);
  CHECK(host.balance() == money("94.00"));
  // What is over does not begin again.
  REQUIRE(book.provision({package}, {order_of()}).ok());
  REQUIRE(book.advance(begin_us + 3 * hour_us, host).ok());
  CHECK(book.current("acme").empty());
}

TEST_CASE("Packages: an order ends where it expires, with its last period whole (B-21)") {
  Host host("100.00");
  PackageBook book;
  Package package = monthly_package("1.00");
  package.rent_type = RentType::day;
  package.rent_period = 7;
  PackageOrder order = order_of();
  order.expire_us = at("2026-01-16T00:00:00Z");
  REQUIRE(book.provision({package}, {order}).ok());
  std::int64_t next_us = book.advance(at("2026-01-01T00:00:00Z"), host).value();
  for (int i = 0; i < 3; ++i)
    next_us = book.advance(next_us, host).value();
  CHECK(next_us == package_never_us);
  CHECK(host.balance() == money("97.00"));
  CHECK(host.news.back().kind == PackageNews::Kind::ended);
  CHECK(host.news.back().at_us == at("2026-01-22T00:00:00Z"));
}

TEST_CASE("Packages: gift seconds stand for the first seconds, the rest keeps its place (B-22)") {
  Host host("100.00");
  PackageBook book;
  Package package = monthly_package();
  package.gift_times = {gift({}, 100, 60)};
  REQUIRE(book.provision({package}, {order_of()}).ok());
  const std::int64_t at_us = at("2026-01-01T12:00:00Z");
  REQUIRE(book.advance(at_us, host).ok());
  // One whole cycle covers the first minute; the rest is of the cheaper tier.
  Rate rate = tariff();
  RateTerms terms;
  terms.tiers = {{60, money("0.30"), 0, 0}};
  rate.terms = terms;
  rate.connection_fee = money("0.50");
  const PackagedCharge charged = call(book, rate, 90, "44", at_us);
  CHECK(charged.charge.charge == money("0.15"));
  CHECK(charged.charge.billed_time_s == 30);
  CHECK(charged.use.time_s == 60);
  CHECK(charged.use.covered_s == 60);
  // 40 seconds are no cycle.
  CHECK(call(book, rate, 30, "44", at_us).charge.charge == money("0.80"));
  CHECK(book.current("acme")[0].gifts[0].used_s == 60);
  CHECK(book.current("acme")[0].consumption == money("0.95"));
}

TEST_CASE("Packages: a call takes whole cycles and nothing when it costs nothing (B-22)") {
  Host host("100.00");
  PackageBook book;
  Package package = monthly_package();
  package.gift_times = {gift({}, 600, 60)};
  REQUIRE(book.provision({package}, {order_of()}).ok());
  const std::int64_t at_us = at("2026-01-01T12:00:00Z");
  REQUIRE(book.advance(at_us, host).ok());
  CHECK(call(book, tariff(), 61, "44", at_us).use.time_s == 120);
  Rate free = tariff();
  free.price = {};
  CHECK(call(book, free, 61, "44", at_us).use.time_s == 0);
  CHECK(book.current("acme")[0].gifts[0].used_s == 120);
  CHECK(book.current("acme")[0].gifts[0].held_s == 0);
}

TEST_CASE("Packages: the longest prefix in its hours goes first, then money, then balance (B-22)") {
  Host host("100.00");
  PackageBook book;
  Package package = monthly_package();
  package.gift_money = money("0.20");
  package.gift_times = {gift({"44"}, 10), gift({"4420", "1"}, 20), gift({"4420"}, 1'000)};
  package.gift_times[2].from_s = 22 * 3600;  // of the night only
  package.gift_times[2].to_s = 6 * 3600;
  REQUIRE(book.provision({package}, {order_of()}).ok());
  const std::int64_t noon_us = at("2026-01-01T12:00:00Z");
  REQUIRE(book.advance(noon_us, host).ok());
  const PackagedCharge day = call(book, tariff(), 60, "442079", noon_us);
  CHECK(day.use.time_s == 30);
  CHECK(day.use.money == money("0.20"));
  CHECK(day.charge.charge == money("0.10"));
  REQUIRE(day.use.parts.size() == 3);
  CHECK(day.use.parts[0].gift == 1);
  CHECK(day.use.parts[1].gift == 0);
  CHECK(day.use.parts[2].spend == money("0.10"));
  CHECK(call(book, tariff(), 60, "442079", noon_us + 11 * hour_us).charge.charge.is_zero());
  CHECK(call(book, tariff(), 60, "442079", noon_us + 18 * hour_us).charge.charge == money("0.60"));
}

TEST_CASE("Packages: of several the lower priority is used first, then the earlier end (B-22)") {
  Host host("100.00");
  PackageBook book;
  Package package = monthly_package("0");
  package.gift_times = {gift({}, 60)};
  Package shorter = package;
  shorter.id = "week";
  shorter.rent_type = RentType::day;
  shorter.rent_period = 7;
  PackageOrder late = order_of("a-late"), soon = order_of("b-soon"), first = order_of("c-first");
  soon.package = "week";
  first.priority = 1;
  REQUIRE(book.provision({package, shorter}, {late, soon, first}).ok());
  const std::int64_t at_us = at("2026-01-01T12:00:00Z");
  REQUIRE(book.advance(at_us, host).ok());
  const PackagedCharge charged = call(book, tariff(), 170, "44", at_us);
  REQUIRE(charged.use.parts.size() == 3);
  CHECK(charged.use.parts[0].order == "c-first");
  CHECK(charged.use.parts[1].order == "b-soon");
  CHECK(charged.use.parts[2].order == "a-late");
  CHECK(charged.use.parts[2].seconds == 50);
  CHECK(charged.charge.charge.is_zero());
}

TEST_CASE("Packages: gifts are there once the spend has come to lower_consumption (B-22)") {
  Host host("100.00");
  PackageBook book;
  Package package = monthly_package();
  package.lower_consumption = money("1.00");
  package.gift_times = {gift({}, 600)};
  package.gift_money = money("9.00");
  REQUIRE(book.provision({package}, {order_of()}).ok());
  const std::int64_t at_us = at("2026-01-01T12:00:00Z");
  REQUIRE(book.advance(at_us, host).ok());
  CHECK(call(book, tariff(), 99, "44", at_us).charge.charge == money("0.99"));
  CHECK(call(book, tariff(), 1, "44", at_us).charge.charge == money("0.01"));
  CHECK(call(book, tariff(), 100, "44", at_us).charge.charge.is_zero());
}

TEST_CASE("Packages: running calls cannot use the same second twice (B-22)") {
  Host host("100.00");
  PackageBook book;
  Package package = monthly_package();
  package.gift_times = {gift({}, 100)};
  package.gift_money = money("1.00");
  REQUIRE(book.provision({package}, {order_of()}).ok());
  const std::int64_t at_us = at("2026-01-01T12:00:00Z");
  REQUIRE(book.advance(at_us, host).ok());
  const PackageHandle owner = book.find("acme");
  PackageHold a = book.open_call(owner, "44", at_us);
  PackageHold b = book.open_call(owner, "44", at_us);
  CHECK(a.available_s() == 100);
  CHECK(a.cover(70) == 70);
  CHECK(b.cover(70) == 30);
  CHECK(b.available_s() == 30);
  CHECK(a.raise_money(money("0.60")) == money("0.60"));
  CHECK(b.raise_money(money("0.60")) == money("0.40"));
  a.cancel();
  CHECK(b.cover(70) == 70);
  b = PackageHold();
  CHECK(book.current("acme")[0].gifts[0].held_s == 0);
  CHECK(book.current("acme")[0].gift_money_held.is_zero());
}

TEST_CASE("Packages: a meter uses gifts before money, and ends the call where both end (B-22)") {
  Host host("0.05");
  PackageBook book;
  Package package = monthly_package("0");
  package.gift_times = {gift({}, 20)};
  package.gift_money = money("0.10");
  REQUIRE(book.provision({package}, {order_of()}).ok());
  const std::int64_t at_us = at("2026-01-01T12:00:00Z");
  REQUIRE(book.advance(at_us, host).ok());
  const Rate rate = tariff();
  PackageHold lent = book.open_call(book.find("acme"), "44", at_us);
  const Amount first = CallMeter::first_hold(rate, {}, {}, lent).value();
  CHECK(first.is_zero());
  CallAdmission admission = host.book.open_call(host.account, first, at_us, true);
  REQUIRE(admission.ok());
  CallMeter meter(rate, {}, std::move(admission.hold), {}, 0, std::move(lent));
  std::int64_t now_us = 5 * second_us;
  MeterVerdict verdict = meter.start(now_us);
  while (!verdict.must_end) {
    REQUIRE(verdict.check_us < now_us + 60 * second_us);
    now_us = std::max(now_us, verdict.check_us);
    verdict = meter.on_timer(now_us);
  }
  CHECK(now_us == 5 * second_us + 35 * second_us);
  PackageUse use;
  const Charge charge = meter.finish(35'000, &use);
  CHECK(charge.charge == money("0.05"));
  CHECK(charge.billed_time_s == 15);
  CHECK(use.time_s == 20);
  CHECK(use.money == money("0.10"));
  CHECK(host.balance().is_zero());
  CHECK(host.book.state(host.account)->open_holds == 0);
}

TEST_CASE("Packages: gifts alone carry a call of an account that has no money (B-22)") {
  Host host("-3.00");
  CHECK(host.book.open_call(host.account, {}, 0).reason == Reason::AccountBalanceNotEnough);
  CallAdmission admission = host.book.open_call(host.account, {}, 0, true);
  REQUIRE(admission.ok());
  CHECK(admission.hold.settle({}).is_zero());
  CHECK(host.book.open_call(host.account, money("0.01"), 0, true).reason ==
        Reason::AccountBalanceNotEnough);
}

TEST_CASE("Packages: period rates go before the tariff, by prefix, hours and day (B-24)") {
  Host host("100.00");
  PackageBook book;
  Package package = monthly_package();
  PackageRate any;
  any.price = money("0.10");
  PackageRate london = any;
  london.prefix = "4420";
  london.price = money("0.05");
  london.from_s = 18 * 3600;
  london.days = DaySet::from_text("sat,sun").value();
  package.period_rates = {any, london};
  package.schedule = zone("Europe/London");
  REQUIRE(book.provision({package}, {order_of()}).ok());
  const std::int64_t saturday_us = at("2026-08-01T17:30:00Z");  // 18:30 in London
  REQUIRE(book.advance(saturday_us, host).ok());
  const PackageHandle owner = book.find("acme");
  CHECK(book.rate(owner, "44207", saturday_us)->price == money("0.05"));
  CHECK(book.rate(owner, "44207", saturday_us - hour_us)->price == money("0.10"));
  CHECK(book.rate(owner, "44207", saturday_us - day_us)->price == money("0.10"));
  CHECK(book.rate(owner, "1", saturday_us)->price == money("0.10"));
  CHECK(book.rate(PackageHandle(), "1", saturday_us) == nullptr);
}

TEST_CASE("Packages: monthly rules owe rent and minimum from the second month on (B-18)") {
  Host host("10.00");
  PackageBook book;
  AccountMonthlyRules rules{"acme", {money("5.00"), money("2.00"), money("1.00")}, {}};
  REQUIRE(book.provision({}, {}, {rules}).ok());
  const std::int64_t at_us = at("2026-01-20T12:00:00Z");
  CHECK(book.advance(at_us, host).value() == at("2026-02-01T00:00:00Z"));
  CHECK(host.balance() == money("10.00"));
  const PackageHandle owner = book.find("acme");
  CHECK_FALSE(book.is_exhausted(owner));
  CHECK(call(book, tariff(), 200, "44", at_us).charge.charge == money("2.00"));
  CHECK(book.is_exhausted(owner));
  REQUIRE(book.advance(at("2026-02-01T00:00:00Z"), host).ok());
  CHECK_FALSE(book.is_exhausted(owner));
  CHECK(host.balance() == money("9.00"));  // the rent; January was not whole
  REQUIRE(book.advance(at("2026-03-01T00:00:00Z"), host).ok());
  CHECK(host.balance() == money("3.00"));  // 5.00 for February, 1.00 for March
  REQUIRE(book.provision({}, {}, {}).ok());
  REQUIRE(book.advance(at("2026-06-01T00:00:00Z"), host).ok());
  CHECK(host.balance() == money("-2.00"));  // March to its end
  REQUIRE(book.provision({}, {}, {rules}).ok());
  REQUIRE(book.advance(at("2026-06-02T00:00:00Z"), host).ok());
  CHECK(host.balance() == money("-2.00"));
}

namespace {

/// Of phone 1001, which "acme" pays for.
PackageOrder order_of_phone(const std::string& id = "p1") {
  PackageOrder order = order_of(id);
  order.phone = "1001";
  return order;
}

/// A call of a phone, or of nobody's, by the tariff.
PackagedCharge phone_call(PackageBook& book, const std::string& phone, std::int64_t seconds,
                          std::int64_t at_us, const std::string& account = "acme") {
  return charge_call(book, account, "442079460000", seconds * 1000, tariff(), {}, {at_us, {}},
                     phone)
      .value();
}

}  // namespace

TEST_CASE(
    "Packages: what a phone has ordered is for its own calls, its account pays (B-21, B-22)") {
  Host host("100.00");
  PackageBook book;
  Package package = monthly_package();
  package.gift_times = {gift({}, 60)};
  package.min_consumption = money("1.00");
  const std::int64_t now_us = at("2026-03-01T00:00:00Z");
  REQUIRE(book.provision({package}, {order_of_phone()}).ok());
  std::int64_t next_us = book.advance(now_us, host).value();
  CHECK(host.balance() == money("90.00"));
  REQUIRE(book.current_of_phone("1001").size() == 1);
  CHECK(book.current_of_phone("1001")[0].phone == "1001");
  CHECK(book.current("acme").size() == 1);  // that it pays for
  CHECK(book.current("other").empty());

  CHECK(phone_call(book, "", 30, now_us).charge.charge == money("0.30"));
  CHECK(phone_call(book, "1002", 30, now_us).charge.charge == money("0.30"));
  CHECK(phone_call(book, "1001", 90, now_us).charge.charge == money("0.30"));
  CHECK(book.current_of_phone("1001")[0].gifts[0].used_s == 60);
  CHECK(book.current_of_phone("1001")[0].consumption == money("0.30"));  // its own calls alone

  // The phone is given to another account: that one pays the next rent, and only then has its
  // calls something of it; the shortfall is of before.
  PackageOrder moved = order_of_phone();
  moved.account = "other";
  REQUIRE(book.provision({package}, {moved}).ok());
  CHECK(book.find("other", "1001"));
  CHECK(phone_call(book, "1001", 90, now_us, "other").charge.charge == money("0.90"));
  next_us = book.advance(next_us, host).value();
  CHECK(host.keys.at("p1/1772323200000000/shortfall") == money("0.70"));
  REQUIRE(book.current_of_phone("1001").size() == 1);
  CHECK(book.current_of_phone("1001")[0].account == "other");
  CHECK(book.current("acme").empty());
  CHECK(book.current("other").size() == 1);
  CHECK(phone_call(book, "1001", 90, next_us - 1, "other").charge.charge == money("0.30"));
  CHECK(host.news.back().phone == "1001");
}

TEST_CASE("Packages: a number that another has now gets nothing of what was paid before (B-21)") {
  Host host("100.00");
  PackageBook book;
  Package package = monthly_package();
  package.gift_times = {gift({}, 60)};
  package.gift_money = money("5.00");
  package.min_consumption = money("1.00");
  PackageRate dear;
  dear.price = money("6.00");
  package.period_rates = {dear};
  const std::int64_t now_us = at("2026-03-01T00:00:00Z");
  REQUIRE(book.provision({package}, {order_of_phone()}).ok());
  REQUIRE(book.advance(now_us, host).ok());
  // Taken away, and provisioned anew for somebody else: first without anything, then with an order.
  REQUIRE(book.provision({package}, {}).ok());
  CHECK(phone_call(book, "1001", 30, now_us, "other").charge.charge == money("0.30"));
  PackageOrder second = order_of_phone("p2");
  second.account = "other";
  REQUIRE(book.provision({package}, {second}).ok());
  const std::int64_t next_us = book.advance(now_us, host).value();
  REQUIRE(book.current_of_phone("1001").size() == 2);
  REQUIRE(book.current("acme").size() == 1);
  REQUIRE(book.current("other").size() == 1);
  // 60 of 120 seconds are given, of the rest at 0.10 a second 5.00 by the money of one period.
  const PackagedCharge charged = phone_call(book, "1001", 120, now_us, "other");
  CHECK(charged.use.time_s == 60);
  CHECK(charged.use.money == money("5.00"));
  CHECK(charged.charge.charge == money("1.00"));
  CHECK(book.current("acme")[0].gifts[0].used_s == 0);
  CHECK(book.current("acme")[0].gift_money_used.is_zero());
  CHECK(book.current("acme")[0].consumption.is_zero());
  REQUIRE(book.advance(next_us, host).ok());
  CHECK(host.keys.at("p1/1772323200000000/shortfall") == money("1.00"));
  CHECK(host.keys.count("p2/1772323200000000/shortfall") == 0);
  CHECK(book.current("acme").empty());
}

TEST_CASE("Packages: monthly rules of a phone begin anew with another account (B-18)") {
  Host host("100.00");
  PackageBook book;
  AccountMonthlyRules rules{"acme", {money("5.00"), money("1.00"), money("2.00")}, {}, "1001"};
  const std::int64_t now_us = at("2026-03-10T00:00:00Z");
  REQUIRE(book.provision({}, {}, {rules}).ok());
  REQUIRE(book.advance(now_us, host).ok());
  CHECK(phone_call(book, "1001", 100, now_us).charge.charge == money("1.00"));
  CHECK(book.is_exhausted(book.find("acme", "1001")));
  rules.account = "other";
  REQUIRE(book.provision({}, {}, {rules}).ok());
  const std::int64_t next_us = book.advance(now_us, host).value();
  CHECK_FALSE(book.is_exhausted(book.find("other", "1001")));
  CHECK(phone_call(book, "1001", 100, now_us, "other").charge.charge == money("1.00"));
  CHECK(book.is_exhausted(book.find("other", "1001")));
  // Back before the month is over: what was spent is spent.
  rules.account = "acme";
  REQUIRE(book.provision({}, {}, {rules}).ok());
  REQUIRE(book.advance(now_us, host).ok());
  CHECK(book.is_exhausted(book.find("acme", "1001")));
  CHECK_FALSE(book.is_exhausted(book.find("other", "1001")));  // no longer a rule of its own
  CHECK(host.balance() == money("100.00"));
  REQUIRE(book.advance(next_us, host).ok());
  CHECK(host.balance() == money("98.00"));  // one rent; nobody had a whole month
  CHECK(book.current("other").empty());
  CHECK(book.current("acme").size() == 1);
}

TEST_CASE("Packages: the account that gets a phone pays the rent that the other could not (B-21)") {
  Host host("5.00");
  PackageBook book;
  const std::int64_t now_us = at("2026-03-01T00:00:00Z");
  PackageOrder order = order_of_phone();
  REQUIRE(book.provision({monthly_package()}, {order}).ok());
  REQUIRE(book.advance(now_us, host).ok());
  REQUIRE(host.book.pay(host.account, money("10.00")).ok());
  REQUIRE(book.provision({monthly_package()}, {order}).ok());
  REQUIRE(book.advance(now_us, host).ok());
  CHECK(book.current_of_phone("1001").empty());  // it was not told of money
  order.account = "other";
  REQUIRE(book.provision({monthly_package()}, {order}).ok());
  REQUIRE(book.advance(now_us, host).ok());
  REQUIRE(book.current("other").size() == 1);
  CHECK(book.current("other")[0].phone == "1001");
}

TEST_CASE("Packages: accounts are shown the periods of their own phones, phone by phone (B-22)") {
  Host host("0");
  PackageBook book;
  const Package package = monthly_package("0");
  const std::int64_t now_us = at("2026-03-01T00:00:00Z");
  const auto phone_order = [](int account, int phone, int number) {
    PackageOrder order = order_of("o" + std::to_string(number) + "-" + std::to_string(phone));
    order.account = "a" + std::to_string(account);
    order.phone = std::to_string(10'000 + phone);
    return order;
  };
  constexpr int accounts = 200;
  constexpr int phones = 1'000;
  std::vector<PackageOrder> orders;
  for (int i = 0; i < phones; ++i) {
    for (int number = 0; number < 2; ++number)
      orders.push_back(phone_order(i % accounts, i, number));
  }
  REQUIRE(book.provision({package}, orders).ok());
  const std::int64_t next_us = book.advance(now_us, host).value();
  const auto shown = [&](int account) {
    std::vector<std::string> lines;
    for (const PackagePeriod& period : book.current("a" + std::to_string(account))) {
      CHECK(period.account == "a" + std::to_string(account));
      lines.push_back(period.phone + "/" + period.order);
    }
    return lines;
  };
  for (int account = 0; account < accounts; ++account) {
    std::vector<std::string> expected;
    for (int phone = account; phone < phones; phone += accounts) {
      for (int number = 0; number < 2; ++number)
        expected.push_back(std::to_string(10'000 + phone) + "/o" + std::to_string(number) + "-" +
                           std::to_string(phone));
    }
    REQUIRE(shown(account) == expected);
  }
  // One of the first account's phones loses an order, another goes to the second account.
  std::erase_if(orders, [](const auto& order) { return order.id == "o0-0"; });
  for (PackageOrder& order : orders) {
    if (order.phone == "10200") order.account = "a1";
  }
  REQUIRE(book.provision({package}, orders).ok());
  CHECK(shown(0).size() == 10);
  REQUIRE(book.advance(next_us, host).ok());
  CHECK(shown(0).size() == 7);
  CHECK(shown(0)[0] == "10000/o1-0");
  CHECK(shown(1).size() == 12);
  REQUIRE(book.provision({package}, {}).ok());
  REQUIRE(book.advance(next_us + 31 * day_us, host).ok());
  CHECK(shown(0).empty());
  CHECK(shown(1).empty());
}

TEST_CASE("Packages: a call uses those of its phone and its account by their priority (B-22)") {
  Host host("100.00");
  PackageBook book;
  Package package = monthly_package("0");
  package.gift_times = {gift({}, 60)};
  PackageOrder own = order_of_phone(), shared = order_of();
  own.priority = 2;
  shared.priority = 1;
  const std::int64_t now_us = at("2026-03-01T00:00:00Z");
  REQUIRE(book.provision({package}, {own, shared}).ok());
  REQUIRE(book.advance(now_us, host).ok());
  CHECK(phone_call(book, "1001", 70, now_us).charge.charge.is_zero());
  CHECK(book.current_of_phone("1001")[0].gifts[0].used_s == 10);
  const auto both = book.current("acme");
  REQUIRE(both.size() == 2);
  CHECK(both[0].order == "o1");
  CHECK(both[0].gifts[0].used_s == 60);
  CHECK(both[1].phone == "1001");
  // What counts for one counts for the other.
  CHECK(phone_call(book, "1001", 80, now_us).charge.charge == money("0.30"));
  CHECK(phone_call(book, "", 10, now_us).charge.charge == money("0.10"));
  CHECK(book.current("acme")[0].consumption == money("0.40"));
  CHECK(book.current("acme")[1].consumption == money("0.30"));

  // Two phones of an account on two threads, each with gifts of its own and of the account.
  package.gift_times = {gift({}, 5'000)};
  PackageOrder second = order_of_phone("p2");
  second.phone = "1002";
  PackageBook parallel;
  REQUIRE(parallel.provision({package}, {own, shared, second}).ok());
  REQUIRE(parallel.advance(now_us, host).ok());
  const auto calls = [&](const std::string& phone) {
    for (int i = 0; i < 1'000; ++i)
      (void)phone_call(parallel, phone, 10, now_us);
  };
  std::thread first([&] { calls("1001"); });
  calls("1002");
  first.join();
  std::int64_t used_s = 0;
  Amount spend;
  for (const PackagePeriod& period : parallel.current("acme")) {
    CHECK(period.gifts[0].used_s == 5'000);
    CHECK(period.gifts[0].held_s == 0);
    used_s += period.gifts[0].used_s;
    if (period.phone.empty()) spend = period.consumption;
  }
  CHECK(spend == Amount::from_units((20'000 - used_s) * 1'000'000));
}

TEST_CASE("Packages: monthly rules of a phone count its calls, and bound them (B-18, T-16)") {
  Host host("100.00");
  PackageBook book;
  const AccountMonthlyRules rules{
      "acme", {money("5.00"), money("1.00"), money("2.00")}, {}, "1001"};
  std::int64_t now_us = at("2026-03-10T00:00:00Z");
  REQUIRE(book.provision({}, {}, {rules}).ok());
  now_us = book.advance(now_us, host).value();
  CHECK(now_us == at("2026-04-01T00:00:00Z"));
  CHECK(phone_call(book, "1002", 200, now_us - 1).charge.charge == money("2.00"));
  CHECK_FALSE(book.is_exhausted(book.find("acme", "1001")));
  CHECK(phone_call(book, "1001", 100, now_us - 1).charge.charge == money("1.00"));
  CHECK(book.is_exhausted(book.find("acme", "1001")));
  CHECK_FALSE(book.is_exhausted(book.find("acme", "1002")));
  CHECK_FALSE(book.is_exhausted(book.find("acme")));
  now_us = book.advance(now_us, host).value();  // April: the rent
  CHECK(host.balance() == money("98.00"));
  CHECK_FALSE(book.is_exhausted(book.find("acme", "1001")));
  CHECK(phone_call(book, "1001", 50, now_us - 1).charge.charge == money("0.50"));

  // The same after a restart: what was kept, and whose it is.
  PackageBook again;
  REQUIRE(again.provision({}, {}, {rules}).ok());
  const PackageChange& kept = host.kept.at(monthly_order_id_of_phone("1001", "acme"));
  REQUIRE(again
              .restore(kept,
                       parse_package_use("monthly-phone/1001/acme|" +
                                         std::to_string(kept.period->start_us) + "|-1|0|0|50000000")
                           .value())
              .ok());
  CHECK(again.current_of_phone("1001") == book.current_of_phone("1001"));
  (void)again.advance(now_us, host).value();  // May: the rent, and 4.50 of April
  CHECK(host.balance() == money("91.50"));
}

TEST_CASE("Packages: a step that failed is taken again and moves money once (B-23)") {
  Host host("100.00");
  PackageBook book;
  REQUIRE(book.provision({monthly_package()}, {order_of()}).ok());
  const std::int64_t at_us = at("2026-01-01T12:00:00Z");
  host.fails = true;
  CHECK_FALSE(book.advance(at_us, host).ok());
  host.fails = false;
  host.fails_to_keep = true;
  CHECK_FALSE(book.advance(at_us, host).ok());
  host.fails_to_keep = false;
  REQUIRE(book.advance(at_us, host).ok());
  CHECK(host.balance() == money("90.00"));
  host.fails_to_keep = true;
  CHECK_FALSE(book.advance(at("2026-02-01T00:00:00Z"), host).ok());
  CHECK_FALSE(book.advance(at("2026-02-01T00:00:00Z"), host).ok());
  host.fails_to_keep = false;
  REQUIRE(book.advance(at("2026-02-01T00:00:00Z"), host).ok());
  CHECK(host.balance() == money("80.00"));
  CHECK(book.current("acme").size() == 1);
}

TEST_CASE("Packages: a book that is given back what was kept goes on as if nothing was (B-23)") {
  Package package = monthly_package("1.00");
  package.gift_times = {gift({"44"}, 100)};
  package.gift_money = money("0.50");
  PackageRate own;
  own.prefix = "7";
  own.price = money("0.01");
  package.period_rates = {own};
  package.schedule = zone("Asia/Tokyo");
  Host host("100.00");
  const std::int64_t at_us = at("2026-01-10T12:00:00Z");
  PackageBook first;
  REQUIRE(first.provision({package}, {order_of()}).ok());
  REQUIRE(first.advance(at_us, host).ok());
  const PackagedCharge charged = call(first, tariff(), 170, "44", at_us);
  CHECK(charged.charge.charge == money("0.20"));
  const PackageUse read = parse_package_use(to_text(charged.use)).value();
  CHECK(read.parts == charged.use.parts);
  CHECK(read.time_s == charged.use.time_s);

  PackageBook second;
  REQUIRE(second.provision({package}, {order_of()}).ok());
  REQUIRE(second.restore(host.kept.at("o1"), read).ok());
  CHECK(second.current("acme") == first.current("acme"));
  CHECK(second.orders() == first.orders());
  CHECK(second.rate(second.find("acme"), "7", at_us) != nullptr);
  const std::int64_t next_us = second.advance(at_us, host).value();
  CHECK(next_us == at("2026-02-09T15:00:00Z"));
  CHECK(host.balance() == money("99.00"));
  CHECK(call(second, tariff(), 10, "44", at_us).charge.charge == money("0.10"));
}

TEST_CASE("Packages: a restart tries a rent once more that waited for money (B-21)") {
  Host host("0.00");
  PackageBook first;
  REQUIRE(first.provision({monthly_package()}, {order_of()}).ok());
  REQUIRE(first.advance(at("2026-01-10T12:00:00Z"), host).ok());
  REQUIRE(host.book.pay(host.account, money("10.00")).ok());  // and the process died
  PackageBook second;
  REQUIRE(second.restore(host.kept.at("o1")).ok());
  REQUIRE(second.provision({monthly_package()}, {order_of()}).ok());
  REQUIRE(second.advance(at("2026-01-11T12:00:00Z"), host).ok());
  CHECK(second.current("acme").size() == 1);
  CHECK(host.balance().is_zero());
}

TEST_CASE("Packages: a charge that packages paid of is made again from its terms (B-22)") {
  SeededRandom random(22);
  for (int round = 0; round < 400; ++round) {
    ChargeTerms terms;
    terms.rate.price = Amount::from_units(static_cast<std::int64_t>(random.below(100'000'000)));
    terms.rate.first_s = static_cast<std::int32_t>(1 + random.below(60));
    terms.rate.next_s = static_cast<std::int32_t>(1 + random.below(60));
    terms.rate.connection_fee = Amount::from_units(static_cast<std::int64_t>(random.below(9'999)));
    terms.rules.free_time_s = static_cast<std::int64_t>(random.below(2) * random.below(30));
    PackageLoan loan;
    for (std::uint64_t count = random.below(3); count > 0; --count) {
      const auto cycle_s = static_cast<std::int32_t>(1 + random.below(60));
      loan.parts.push_back({"o",
                            5,
                            static_cast<std::int32_t>(count),
                            cycle_s,
                            cycle_s * static_cast<std::int64_t>(random.below(5)),
                            {}});
    }
    loan.parts.push_back(
        {"o", 5, -1, 1, 0, Amount::from_units(static_cast<std::int64_t>(random.below(9'999'999)))});
    CHECK(parse_package_loan(to_text(loan)).value() == loan);
    const auto talk_ms = static_cast<std::int64_t>(random.below(300'000));
    const auto charged = rate_with_packages(terms.rate, talk_ms, terms.rules, loan);
    REQUIRE(charged.ok());
    const Charge whole = rate_call(terms.rate, talk_ms, terms.rules).value();
    CHECK(charged->charge.charge <= whole.charge);
    CHECK_FALSE(charged->charge.charge.is_negative());
    CHECK(charged->use.time_s <= loan.seconds());
    CHECK(charged->use.money <= loan.money());
    terms.package_s = charged->use.covered_s;
    terms.package_money = charged->use.money;
    const std::string text = to_text(terms, 0, 0);
    CHECK(parse_charge_terms(text).value().package_s == terms.package_s);
    CHECK(recompute_charge(text, talk_ms, 0).value() == charged->charge);
    std::vector<ChargeStep> steps;
    CHECK(recompute_charge(text, talk_ms, 0, &steps).value() == charged->charge);
    if (charged->use.covered_s != 0) CHECK(steps.back().kind == ChargeStep::Kind::package);
  }
}

TEST_CASE("Packages: what is no package or order is refused by name (B-20, B-21)") {
  const auto refused = [](auto change) {
    Package package = monthly_package();
    change(package);
    const auto checked = check_package(package);
    return checked ? std::string() : checked.error().message;
  };
  CHECK(refused([](Package&) {}).empty());
  CHECK(refused([](Package& p) { p.rent_period = 0; }).find("rent_period") == 0);
  CHECK(refused([](Package& p) { p.rent_fee = money("-1"); }).find("rent_fee") == 0);
  CHECK(refused([](Package& p) { p.gift_times = {gift({"4 4"}, 1)}; }).find("a prefix") == 0);
  CHECK(refused([](Package& p) { p.gift_times = {gift({}, 1, 0)}; }).find("cycle_s") == 0);
  CHECK(refused([](Package& p) { p.gift_times = {gift({}, -1)}; }).find("seconds") == 0);
  CHECK(refused([](Package& p) { p.period_rates.emplace_back().per_s = 0; }).find("per_s") == 0);
  Package yearly = monthly_package();
  yearly.rent_type = RentType::year;
  PackageOrder order = order_of();
  order.failed_process_mode = RentFailure::await_period;
  CHECK(check_package_order(order, monthly_package()).ok());
  CHECK_FALSE(check_package_order(order, yearly).ok());
  order.id = "a/b";
  CHECK_FALSE(check_package_order(order, monthly_package()).ok());
  for (const char* account : {"ac|me", "ac\nme"}) {  // texts of what calls took have these between
    order = order_of();
    order.account = account;
    CHECK_FALSE(check_package_order(order, monthly_package()).ok());
    AccountMonthlyRules rules;
    rules.account = account;
    rules.rules.minimum = money("1");
    CHECK_FALSE(PackageBook().provision({}, {}, {rules}).ok());
  }
  PackageBook book;
  CHECK(book.provision({}, {order_of()}).error().code == ErrorCode::not_found);
  CHECK(book.provision({monthly_package(), monthly_package()}, {}).error().code ==
        ErrorCode::already_exists);
  CHECK_FALSE(parse_package_change("{}").ok());
  CHECK_FALSE(parse_package_change("[[").ok());
  CHECK_FALSE(parse_package_use("o|1|2").ok());
  CHECK_FALSE(parse_package_loan("o|1|0|0|5|0").ok());
}
