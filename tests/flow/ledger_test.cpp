// The ledger: what moves money, once, whatever happens to the switch (B-03).
#include <algorithm>

#include "flow/flow.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

Booking payment(const std::string& amount, const std::string& key = {}) {
  const Amount parsed = money(amount);
  return {"acme", parsed, parsed.is_negative() ? LedgerKind::deduction : LedgerKind::payment,
          "memo", "ref",  key};
}

/// All entries of an account, oldest first; each must say what the balance was after it.
std::vector<LedgerEntry> entries(Bench& bench, const std::string& account = "acme") {
  LedgerQuery query;
  query.account = account;
  query.limit = 1'000'000;
  auto found = bench.tandem->ledger(query).value();
  std::reverse(found.begin(), found.end());
  Amount sum;
  for (const LedgerEntry& entry : found) {
    sum = Amount::add(sum, entry.amount).value();
    CHECK(entry.balance == sum);
  }
  return found;
}

}  // namespace

TEST_CASE(
    "Ledger: calls, payments and openings are its entries, and add up to the balance (B-03)") {
  Bench bench;
  auto call = bench.connect();
  bench.run_s(10);
  call->hang_up();
  const Cdr cdr = bench.only_cdr();
  REQUIRE(bench.tandem->book(payment("5.00")).ok());
  bench.run_s(1);
  const auto found = entries(bench);
  REQUIRE(found.size() == 3);
  CHECK(found[0].kind == LedgerKind::opening);
  CHECK(found[0].amount == money("100.00"));
  CHECK(found[1].kind == LedgerKind::charge);
  CHECK(found[1].amount == money("-0.10"));
  CHECK(found[1].reference == std::to_string(cdr.record_id));
  CHECK(found[1].at_us == cdr.ended_at_us);
  CHECK(found[2].kind == LedgerKind::payment);
  CHECK(found[2].memo == "memo");
  CHECK(found[2].reference == "ref");
  CHECK(found[2].balance == bench.balance());
  const auto clearing = entries(bench, "clearing");
  REQUIRE(clearing.size() == 2);
  CHECK(clearing[1].kind == LedgerKind::vendor_charge);
  CHECK(clearing[1].balance == bench.balance("clearing"));
}

TEST_CASE("Payments: a key books once, in one batch, later, over a restart and a crash (B-03)") {
  Bench bench;
  const auto first = bench.tandem->book(payment("5.00", "k1"));
  const auto at_once = bench.tandem->book(payment("5.00", "k1"));  // the ledger has none of it yet
  REQUIRE((first.ok() && at_once.ok()));
  CHECK_FALSE(first->is_repeated);
  CHECK(at_once->is_repeated);
  CHECK(at_once->balance == money("105.00"));
  CHECK(at_once->id == first->id);
  REQUIRE(bench.tandem->book(payment("1.00")).ok());
  bench.run_s(1);
  CHECK(bench.tandem->book(payment("5.00", "k1"))->balance == money("105.00"));  // as it was told
  CHECK(bench.balance() == money("106.00"));

  bench.tandem.reset();
  bench.open();
  CHECK(bench.tandem->book(payment("5.00", "k1"))->is_repeated);
  REQUIRE(bench.tandem->book(payment("2.00", "k2")).ok());
  bench.world.crash(std::move(bench.tandem));
  bench.open();
  const auto after = bench.tandem->book(payment("2.00", "k2"));
  REQUIRE(after.ok());
  CHECK(after->is_repeated);
  CHECK(after->balance == money("108.00"));
  CHECK(bench.balance() == money("108.00"));
  CHECK(entries(bench).size() == 4);
}

TEST_CASE("Payments: a key of another booking is refused and books nothing (B-03)") {
  Bench bench;
  REQUIRE(bench.tandem->book(payment("5.00", "k")).ok());
  for (int round = 0; round < 2; ++round) {
    CHECK(bench.tandem->book(payment("5.01", "k")).error().code == ErrorCode::already_exists);
    Booking other = payment("5.00", "k");
    other.memo = "another";
    CHECK(bench.tandem->book(other).error().code == ErrorCode::already_exists);
    other = payment("5.00", "k");
    other.account = "clearing";
    CHECK(bench.tandem->book(other).error().code == ErrorCode::already_exists);
    bench.run_s(1);  // then once more, from the ledger
  }
  CHECK(bench.tandem->book(payment("5.00", "tandem:x")).error().code ==
        ErrorCode::invalid_argument);
  CHECK(bench.balance() == money("105.00"));
}

TEST_CASE("Payments: each kind has its sign, and zeroing finds its amount (B-03)") {
  Bench bench;
  const auto book = [&](LedgerKind kind, const std::string& amount, const std::string& key = {}) {
    return bench.tandem->book({"acme", money(amount), kind, "", "", key});
  };
  CHECK(book(LedgerKind::payment, "-1").error().code == ErrorCode::invalid_argument);
  CHECK(book(LedgerKind::payment, "0").error().code == ErrorCode::invalid_argument);
  for (const LedgerKind kind :
       {LedgerKind::deduction, LedgerKind::package_rent, LedgerKind::package_shortfall,
        LedgerKind::phone_rent, LedgerKind::phone_shortfall}) {
    CHECK(book(kind, "1").error().code == ErrorCode::invalid_argument);
    CHECK(book(kind, "-1").ok());
  }
  CHECK(book(LedgerKind::correction, "-1").ok());
  CHECK(book(LedgerKind::correction, "2").ok());
  for (const LedgerKind kind : {LedgerKind::opening, LedgerKind::charge, LedgerKind::vendor_charge,
                                LedgerKind::agent_charge})
    CHECK(book(kind, "-1").error().code == ErrorCode::invalid_argument);
  CHECK(book(LedgerKind::zeroing, "1").error().code == ErrorCode::invalid_argument);
  const auto zeroed = book(LedgerKind::zeroing, "0", "zero");
  REQUIRE(zeroed.ok());
  CHECK(zeroed->amount == money("-96.00"));
  CHECK(zeroed->balance.is_zero());
  REQUIRE(bench.tandem->pay("acme", money("7")).ok());
  CHECK(book(LedgerKind::zeroing, "0", "zero")->amount == money("-96.00"));
  CHECK(bench.balance() == money("7"));
  bench.run_s(1);
  CHECK(entries(bench).size() == 10);
}

TEST_CASE("Payments: what must be covered takes nothing that calls hold (B-03)") {
  SwitchConfig config = base_config();
  config.provision.accounts[0].balance = money("1.00");
  config.provision.accounts[0].overdraft_limit = money("0.50");
  Bench bench(config);
  auto call = bench.connect();
  const Amount held = bench.tandem->account("acme")->held;
  REQUIRE(held > Amount{});
  Booking rent{"acme", money("-1.50"), LedgerKind::package_rent};
  rent.is_covered_only = true;
  CHECK(bench.tandem->book(rent).error().code == ErrorCode::wrong_state);
  rent.amount = Amount::subtract(held, money("1.50")).value();
  REQUIRE(bench.tandem->book(rent).ok());
  CHECK(bench.tandem->account("acme")->held == held);
  call->hang_up();
  bench.check_clean();
  bench.run_s(1);
  entries(bench);
}

TEST_CASE("Payments: one that the disk did not take in time is known by its key when it did") {
  Bench bench;
  bench.world.set_disk_full(true);
  CHECK(bench.tandem->book(payment("5.00", "k")).error().code == ErrorCode::io);
  bench.world.set_disk_full(false);
  bench.run_s(10);
  const auto again = bench.tandem->book(payment("5.00", "k"));
  REQUIRE(again.ok());
  CHECK(bench.balance() == money("105.00"));
  bench.run_s(1);
  CHECK(entries(bench).size() == 2);
}

TEST_CASE("Ledger: with a retention old entries are carried forward, and keys stay known (B-03)") {
  SwitchConfig config = base_config();
  config.parameters.ledger_retention_days = 1;
  Bench bench(config);
  REQUIRE(bench.tandem->book(payment("5.00", "k")).ok());
  auto call = bench.connect();
  bench.run_s(10);
  call->hang_up();
  bench.run_s(2);
  CHECK(entries(bench).size() == 3);
  constexpr std::int64_t day_us = 86'400 * second_us;
  bench.world.step_wall_us(day_us - 20 * second_us);
  bench.run_s(1);
  CHECK(entries(bench).size() == 3);
  bench.run_s(20);
  CHECK(entries(bench).size() == 3);  // a step of the clock alone makes nothing old
  bench.run_s(3'720);
  const auto left = entries(bench);
  REQUIRE(left.size() == 1);
  CHECK(left[0].kind == LedgerKind::opening);
  CHECK(left[0].balance == bench.balance());
  CHECK(bench.tandem->check_ledger()->ok());
  for (int i = 0; i < 2; ++i) {
    CHECK(bench.tandem->book(payment("5.00", "k"))->is_repeated);
    CHECK(bench.tandem->book(payment("6.00", "k")).error().code == ErrorCode::already_exists);
    bench.world.crash(std::move(bench.tandem));
    bench.open();
    CHECK(bench.balance() == money("104.90"));
  }
}

TEST_CASE("Ledger: a clock that is a year ahead for a while costs no entries (B-03)") {
  SwitchConfig config = base_config();
  config.parameters.ledger_retention_days = 1;
  Bench bench(config);
  REQUIRE(bench.tandem->book(payment("5.00", "k")).ok());
  bench.run_s(2);
  REQUIRE(entries(bench).size() == 2);
  constexpr std::int64_t year_us = 400 * 86'400 * second_us;
  bench.world.step_wall_us(year_us);
  bench.run_s(10);
  CHECK(entries(bench).size() == 2);
  bench.tandem.reset();  // what was known outlives the switch
  bench.open();
  bench.run_s(10);
  bench.world.step_wall_us(-year_us);
  bench.run_s(600);
  CHECK(entries(bench).size() == 2);
  bench.world.step_wall_us(86'400 * second_us);
  bench.run_s(3'720);
  CHECK(entries(bench).size() == 1);
}
