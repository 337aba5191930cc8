// Packages in a switch: rents over months, gifts of calls, restarts and crashes in between (B-18,
// B-20..B-24).
#include <algorithm>

#include "flow/flow.hpp"
#include "tandem/charge_terms.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

constexpr std::int64_t day_us = 86'400 * second_us;

PackageConfig package(const std::string& id, std::string_view rent) {
  PackageConfig one;
  one.id = id;
  one.rent_fee = money(rent);
  return one;
}

PackageOrder order(const std::string& id, const std::string& package_id) {
  PackageOrder one;
  one.id = id;
  one.package = package_id;
  one.account = "acme";
  return one;
}

/// A month of 60 seconds and 0.50 for 10.00, of which "acme" has one.
SwitchConfig package_config() {
  SwitchConfig config = base_config();
  PackageConfig basic = package("basic", "10.00");
  basic.gift_times = {PackageGift{}};
  basic.gift_times[0].seconds = 60;
  basic.gift_money = money("0.50");
  config.provision.packages = {basic};
  config.provision.package_orders = {order("o1", "basic")};
  return config;
}

/// The world begins with 2026; timers need a moment to see that time has passed.
void pass_days(Bench& bench, std::int64_t days) {
  for (std::int64_t day = 0; day < days; ++day) {
    bench.world.step_wall_us(day_us);
    bench.run_ms(200);
  }
}

const Cdr& last_cdr(Bench& bench) {
  bench.check_clean();
  REQUIRE_FALSE(bench.world.cdrs().empty());
  return bench.world.cdrs().back();
}

void talk(Bench& bench, std::int64_t seconds) {
  auto call = bench.connect();
  bench.run_s(seconds);
  call->hang_up();
  bench.check_clean();
}

PackagePeriod only_period(Bench& bench) {
  const auto periods = bench.tandem->packages("acme");
  REQUIRE(periods.ok());
  REQUIRE(periods->size() == 1);
  return periods->front();
}

}  // namespace

TEST_CASE("Packages: a call uses gift seconds, gift money, then the balance (B-22, C-01)") {
  Bench bench(package_config());
  bench.run_s(1);
  CHECK(bench.balance() == money("90.00"));
  auto call = bench.connect();
  bench.run_s(30);
  CHECK(only_period(bench).gifts[0].held_s >= 30);  // lent while it talks
  bench.run_s(90);
  call->hang_up();
  const Cdr& cdr = last_cdr(bench);
  CHECK(cdr.talk_time_ms / 1000 == 120);
  CHECK(cdr.customer.package_time_s == 60);
  CHECK(cdr.customer.package_charge == money("0.50"));
  CHECK(cdr.customer.charge == money("0.10"));
  CHECK(cdr.customer.billed_time_s == 60);
  CHECK(bench.balance() == money("89.90"));
  const auto again =
      recompute_charge(cdr.customer.rate_terms, cdr.talk_time_ms, cdr.answered_at_us);
  REQUIRE(again.ok());
  CHECK(again->charge == cdr.customer.charge);
  const PackagePeriod period = only_period(bench);
  CHECK(period.gifts[0].used_s == 60);
  CHECK(period.gifts[0].held_s == 0);
  CHECK(period.gift_money_used == money("0.50"));
  CHECK(period.consumption == money("0.10"));
}

TEST_CASE("Packages: rents of half a year with restarts are taken once each (B-21, B-23)") {
  SwitchConfig config = package_config();
  config.provision.packages[0].min_consumption = money("1.00");
  Bench bench(config);
  bench.run_s(1);
  for (int month = 0; month < 6; ++month) {
    CAPTURE(month);
    talk(bench, 100);  // 60 s are given, 0.40 are gift money
    CHECK(only_period(bench).gifts[0].used_s == 60);
    bench.tandem.reset();
    bench.open();
    CHECK(only_period(bench).gifts[0].used_s == 60);
    CHECK(only_period(bench).gift_money_used == money("0.40"));
    talk(bench, 30);  // 0.10 are left of it
    CHECK(last_cdr(bench).customer.charge == money("0.20"));
    pass_days(bench, 15);
    bench.tandem.reset();
    pass_days(bench, 16);  // while none runs
    bench.open();
    bench.run_s(1);
  }
  // Each month 10.00, 0.20 of calls and 0.80 to the minimum; the seventh is paid too.
  CHECK(bench.balance() == money("24.00"));
  CHECK(bench.world.cdrs().size() == 12);
  LedgerQuery query;
  query.account = "acme";
  int rents = 0, shortfalls = 0;
  const auto entries = bench.tandem->ledger(query);
  REQUIRE(entries.ok());
  for (const LedgerEntry& entry : *entries) {
    rents += entry.kind == LedgerKind::package_rent;
    shortfalls += entry.kind == LedgerKind::package_shortfall;
  }
  CHECK(rents == 7);
  CHECK(shortfalls == 6);
}

TEST_CASE("Packages: a crash in a call settles its gifts up to the last mark (B-22)") {
  Bench bench(package_config());
  bench.run_s(1);
  auto call = bench.connect();
  bench.run_s(75);  // marks come every 10 s
  bench.world.crash(std::move(bench.tandem));
  bench.open();
  bench.run_s(2);
  REQUIRE(bench.world.cdrs().size() == 1);
  const Cdr& cdr = bench.world.cdrs().front();
  CHECK(cdr.end_reason == Reason::ServerCrash);
  const std::int64_t talked_s = billable_seconds(cdr.talk_time_ms, {});
  CHECK(talked_s >= 65);
  CHECK(talked_s <= 76);
  CHECK(cdr.customer.package_time_s == 60);
  CHECK(cdr.customer.package_charge == Amount::from_units((talked_s - 60) * 1'000'000));
  CHECK(cdr.customer.charge.is_zero());
  CHECK(recompute_charge(cdr.customer.rate_terms, cdr.talk_time_ms, cdr.answered_at_us)->charge ==
        cdr.customer.charge);
  const PackagePeriod period = only_period(bench);
  CHECK(period.gifts[0].used_s == 60);
  CHECK(period.gift_money_used == cdr.customer.package_charge);
  CHECK(bench.balance() == money("90.00"));
}

TEST_CASE("Packages: parallel calls never use more than what was given (B-22)") {
  SwitchConfig config = package_config();
  config.provision.accounts[0].balance = money("10.00");  // the rent and nothing else
  Bench bench(config);
  bench.run_s(1);
  for (int i = 0; i < 3; ++i) {
    bench.dial();
    bench.run_ms(200);
  }
  bench.run_s(120);
  CHECK(bench.tandem->live_calls() == 0);
  bench.check_clean();
  std::int64_t time_s = 0;
  Amount paid;
  for (const Cdr& cdr : bench.world.cdrs()) {
    CHECK(cdr.end_reason == Reason::BalanceExhausted);
    CHECK(cdr.customer.charge.is_zero());
    time_s += cdr.customer.package_time_s;
    paid = Amount::add(paid, cdr.customer.package_charge).value();
  }
  CHECK(bench.world.cdrs().size() == 3);
  // The last second that a call has lent may be cut a little before its end.
  CHECK(time_s <= 60);
  CHECK(time_s >= 57);
  CHECK(paid <= money("0.50"));
  CHECK(paid >= money("0.45"));
  CHECK(bench.balance().is_zero());
}

TEST_CASE("Packages: a rent that failed is told, and taken with the next payment (B-21)") {
  std::vector<std::string> alarms;
  SwitchHooks hooks;
  hooks.on_event = [&](const Event& event) {
    if (event.kind == Event::Kind::alarm) alarms.push_back(event.text);
  };
  SwitchConfig config = package_config();
  config.provision.accounts[0].balance = money("4.00");
  Bench bench(config, {}, hooks);
  bench.run_s(2);
  CHECK(bench.tandem->packages("acme")->empty());
  REQUIRE(alarms.size() == 1);
  CHECK(alarms[0].find("\"o1\"") != std::string::npos);
  REQUIRE(bench.tandem->pay("acme", money("5.00")).ok());
  CHECK(bench.tandem->packages("acme")->empty());
  REQUIRE(bench.tandem->pay("acme", money("5.00")).ok());
  CHECK(bench.tandem->packages("acme")->size() == 1);
  CHECK(bench.balance() == money("4.00"));
  CHECK(alarms.size() == 1);
  CHECK(bench.tandem->packages("nobody").error().code == ErrorCode::not_found);
}

TEST_CASE("Packages: period rates go before the tariff, explain shows them (B-24)") {
  SwitchConfig config = package_config();
  config.provision.packages[0].gift_times.clear();
  config.provision.packages[0].gift_money = {};
  PackageRate cheap;
  cheap.prefix = "4420";
  cheap.price = money("0.06");
  config.provision.packages[0].period_rates = {cheap};
  Bench bench(config);
  bench.run_s(1);
  const auto shown =
      bench.tandem->explain({.from = "cust", .caller = "1000", .callee = "442079460000"});
  REQUIRE(shown.ok());
  CHECK(shown->find(R"("period_rate":{"prefix":"4420","price":"0.06","per_s":60})") !=
        std::string::npos);
  talk(bench, 60);
  const Cdr& cdr = last_cdr(bench);
  CHECK(cdr.customer.charge == money("0.06"));
  CHECK(cdr.customer.rate_prefix == "4420");
  CHECK(cdr.customer.rate_deck == "package");
}

TEST_CASE("Packages: a call over the end of cheap hours pays both prices, also when cut (B-24)") {
  SwitchConfig config = package_config();
  config.provision.packages[0].gift_times.clear();
  config.provision.packages[0].gift_money = {};
  config.provision.packages[0].split_windows = true;
  PackageRate cheap;
  cheap.price = money("0.06");
  cheap.to_s = 60;  // the first minute of a day, when the world begins
  config.provision.packages[0].period_rates = {cheap};
  /// 0.001 a second in it, 0.01 behind it.
  const auto price_of = [](const Cdr& cdr, std::int64_t seconds) {
    const std::int64_t begin_s = cdr.answered_at_us / second_us % 86'400;
    const std::int64_t cheap_s = std::clamp<std::int64_t>(60 - begin_s, 0, seconds);
    return Amount::from_units(cheap_s * 100'000 + (seconds - cheap_s) * 1'000'000);
  };
  Bench bench(config);
  bench.run_s(1);
  talk(bench, 100);
  const Cdr crossing = last_cdr(bench);
  CHECK(crossing.customer.charge == price_of(crossing, 100));
  CHECK(crossing.customer.charge > money("0.40"));
  CHECK(crossing.customer.charge < money("0.60"));
  CHECK(crossing.customer.rate_deck == "package");
  CHECK(
      recompute_charge(crossing.customer.rate_terms, crossing.talk_time_ms, crossing.answered_at_us)
          ->charge == crossing.customer.charge);
  talk(bench, 20);  // behind it the call is one of the tariff's
  const Cdr behind = last_cdr(bench);
  CHECK(behind.customer.charge == money("0.20"));
  CHECK(behind.customer.rate_deck != "package");
}

TEST_CASE("Packages: explain adds gifts to the time that is available (B-10, B-22)") {
  Bench bench(package_config());
  bench.run_s(1);
  const auto shown =
      bench.tandem->explain({.from = "cust", .caller = "1000", .callee = "442079460000"});
  REQUIRE(shown.ok());
  CHECK(shown->find(R"("gift_s":60,"gift_money":"0.50")") != std::string::npos);
  // 60 s, and 90.50 at 0.01.
  CHECK(shown->find(R"("available_time_s":9110)") != std::string::npos);
  CHECK(only_period(bench).gifts[0].held_s == 0);
}

TEST_CASE("Packages: an order that is provisioned begins at once, and ends when removed (B-21)") {
  SwitchConfig config = package_config();
  config.provision.package_orders.clear();
  Bench bench(config);
  bench.run_s(1);
  CHECK(bench.balance() == money("100.00"));
  SwitchConfig more = config;
  more.provision.package_orders = {order("o1", "basic")};
  REQUIRE(bench.tandem->reload(more).ok());
  CHECK(bench.balance() == money("90.00"));
  CHECK(bench.tandem->packages("acme")->size() == 1);
  talk(bench, 10);
  CHECK(last_cdr(bench).customer.package_time_s == 10);
  ProvisionChange removal;
  removal.removals = {{"package_orders", "o1"}};
  REQUIRE(bench.tandem->provisioning().change(removal).faults.empty());
  CHECK(bench.tandem->packages("acme")->size() == 1);  // it is paid
  bench.tandem.reset();
  bench.config.provision.package_orders.clear();
  bench.open();
  talk(bench, 10);
  CHECK(last_cdr(bench).customer.package_time_s == 10);
  pass_days(bench, 32);
  CHECK(bench.tandem->packages("acme")->empty());
  CHECK(bench.balance() == money("90.00"));
}

TEST_CASE("Packages: monthly rules of an account refuse, and owe rent and minimum (B-18)") {
  SwitchConfig config = base_config();
  config.provision.accounts[0].monthly = {money("5.00"), money("1.00"), money("2.00")};
  Bench bench(config);
  bench.run_s(1);
  talk(bench, 100);
  CHECK(last_cdr(bench).customer.charge == money("1.00"));
  bench.dial();
  CHECK(last_cdr(bench).end_reason == Reason::AccountBalanceNotEnough);
  CHECK(bench.balance() == money("99.00"));
  pass_days(bench, 31);  // February: the rent
  CHECK(bench.balance() == money("97.00"));
  bench.tandem.reset();
  bench.open();
  talk(bench, 50);
  CHECK(bench.balance() == money("96.50"));
  pass_days(bench, 28);  // March: the rent, and 4.50 of February
  CHECK(bench.balance() == money("90.00"));
}
