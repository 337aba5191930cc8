// Money: what calls hold, what they cost, and when it ends them (B-06, B-10).
#include "flow/flow.hpp"
#include "tandem/charge_terms.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

TEST_CASE("Money: a call is ended in the second its money ends, and charged no more (B-10)") {
  SwitchConfig config = base_config();
  config.provision.accounts[0].balance = money("0.10");  // 0.01 a second: ten of them
  Bench bench(config);
  auto call = bench.connect();
  const std::int64_t answered_us = bench.world.monotonic_us();
  REQUIRE(bench.world.run_until([&] { return call->is_over(); }, 60 * second_us));
  const std::int64_t took_us = bench.world.monotonic_us() - answered_us;
  CHECK(took_us > 9 * second_us);
  CHECK(took_us <= 10 * second_us + 50'000);
  const Cdr& cdr = bench.only_cdr();
  CHECK(cdr.end_reason == Reason::BalanceExhausted);
  CHECK(cdr.release_side == ReleaseSide::server);
  CHECK(cdr.customer.billed_time_s == 10);
  CHECK(cdr.customer.charge == money("0.10"));
  CHECK(bench.balance().is_zero());
  CHECK(bench.a->received("BYE") == 1);
  CHECK(bench.b->received("BYE") == 1);
}

TEST_CASE("Money: an overdraft limit is usable to its last unit") {
  SwitchConfig config = base_config();
  config.provision.accounts[0].balance = money("0.05");
  config.provision.accounts[0].overdraft_limit = money("0.05");
  Bench bench(config);
  auto call = bench.connect();
  REQUIRE(bench.world.run_until([&] { return call->is_over(); }, 60 * second_us));
  CHECK(bench.only_cdr().customer.charge == money("0.10"));
  CHECK(bench.balance() == money("-0.05"));
}

TEST_CASE("Money: parallel calls of one account never overspend it (B-11)") {
  SwitchConfig config = base_config();
  config.provision.accounts[0].balance = money("0.50");
  Bench bench(config);
  for (int i = 0; i < 5; ++i) {
    bench.dial();
    bench.run_ms(300);
  }
  bench.run_s(100);
  CHECK(bench.tandem->live_calls() == 0);
  bench.check_clean();
  Amount sum;
  for (const Cdr& cdr : bench.world.cdrs())
    sum = Amount::add(sum, cdr.customer.charge).value();
  CHECK(bench.world.cdrs().size() == 5);
  CHECK(sum <= money("0.50"));
  CHECK(sum >= money("0.45"));
  CHECK(bench.balance() == Amount::subtract(money("0.50"), sum).value());
}

TEST_CASE("Money: two calls hold an advance of five minutes each, the third is refused (B-11)") {
  SwitchConfig config = base_config();
  config.provision.accounts[0].balance = money("1.00");
  config.provision.rate_decks[0].rates[0].price = money("0.10");  // a minute
  config.parameters.overdraft_advance_min = 5;
  Bench bench(config);
  auto first = bench.connect();
  CHECK(bench.tandem->account("acme")->held == money("0.50"));
  auto second = bench.connect();
  CHECK(bench.tandem->account("acme")->held == money("1.00"));
  auto third = bench.dial();
  bench.run_s(1);
  CHECK(third->is_over());
  CHECK_FALSE(third->was_answered());
  REQUIRE(bench.world.cdrs().size() == 1);
  CHECK(bench.world.cdrs()[0].end_reason == Reason::AccountBalanceNotEnough);
  first->hang_up();
  second->hang_up();
  bench.check_clean();
}

TEST_CASE("Money: a payment during the call lets it go on") {
  SwitchConfig config = base_config();
  config.provision.accounts[0].balance = money("0.10");
  Bench bench(config);
  auto call = bench.connect();
  bench.run_s(5);
  REQUIRE(bench.tandem->pay("acme", money("1.00")).ok());
  bench.run_s(25);
  CHECK_FALSE(call->is_over());
  call->hang_up();
  const Cdr& cdr = bench.only_cdr();
  CHECK(cdr.customer.charge == money("0.30"));
  CHECK(bench.balance() == money("0.80"));
}

TEST_CASE("Money: a connection fee is due once a call has billed seconds, not before (B-06)") {
  SwitchConfig config = base_config();
  config.provision.rate_decks[0].rates[0].connection_fee = money("0.25");
  {
    Bench bench(config);
    auto call = bench.connect();
    bench.run_s(10);
    call->hang_up();
    CHECK(bench.only_cdr().customer.charge == money("0.35"));
  }
  Bench bench(config);
  bench.b->set_plan(refuse(486));
  bench.dial();
  CHECK(bench.only_cdr().customer.charge.is_zero());
  CHECK(bench.balance() == money("100.00"));
}

TEST_CASE("Money: a step of the wall clock does not change a bill") {
  Bench bench;
  auto call = bench.connect();
  bench.run_s(5);
  bench.world.step_wall_us(-3600 * second_us);
  bench.run_s(5);
  call->hang_up();
  const Cdr& cdr = bench.only_cdr();
  CHECK(cdr.customer.billed_time_s == 10);
  CHECK(cdr.ended_at_us < cdr.answered_at_us);
}

TEST_CASE("Money: a free number costs nothing (B-09)") {
  SwitchConfig config = base_config();
  config.parameters.free_numbers = {"4420*"};
  Bench bench(config);
  auto call = bench.connect();
  bench.run_s(10);
  call->hang_up();
  CHECK(bench.only_cdr().customer.charge.is_zero());
  CHECK(bench.balance() == money("100.00"));
}

TEST_CASE("Money: a call over the boundary of a window is charged by both prices (B-24)") {
  SwitchConfig config = base_config();
  RateDeckConfig& deck = config.provision.rate_decks[0];
  deck.split_windows = true;
  RateTerms terms;
  terms.windows = parse_windows("any 00:00:20-02:00 price=6.00").value();  // the world is at 00:00
  terms.tax_percent = money("10");
  deck.rates[0].terms = terms;
  Bench bench(config);
  auto call = bench.connect();
  bench.run_s(60);
  call->hang_up();
  const Cdr& cdr = bench.only_cdr();
  CHECK(cdr.customer.billed_time_s == 60);
  // 0.01 a second before the boundary, 0.10 behind it, and the tax.
  const std::int64_t before_s = 20 - cdr.answered_at_us / second_us % 86'400;
  CHECK(before_s > 10);
  CHECK(cdr.customer.charge ==
        Amount::from_units((before_s * 1'000'000 + (60 - before_s) * 10'000'000) * 11 / 10));
  CHECK(cdr.customer.rate_deck == deck.id);
  const auto again =
      recompute_charge(cdr.customer.rate_terms, cdr.talk_time_ms, cdr.answered_at_us);
  REQUIRE(again.ok());
  CHECK(again->charge == cdr.customer.charge);
  CHECK(again->billed_time_s == cdr.customer.billed_time_s);
  REQUIRE(cdr.vendor);
  if (!cdr.vendor->rate_terms.empty()) {
    CHECK(recompute_charge(cdr.vendor->rate_terms, cdr.talk_time_ms, cdr.answered_at_us)->charge ==
          cdr.vendor->charge);
  }
}

TEST_CASE("Money: the tax of an account is on top of its charges, of nobody else's (B-01)") {
  SwitchConfig config = base_config();
  config.provision.accounts[0].tax_percent = money("19");
  Bench bench(config);
  auto call = bench.connect();
  bench.run_s(10);
  call->hang_up();
  const Cdr& cdr = bench.only_cdr();
  CHECK(cdr.customer.charge == money("0.119"));
  CHECK(bench.balance() == money("99.881"));
  CHECK(recompute_charge(cdr.customer.rate_terms, cdr.talk_time_ms, cdr.answered_at_us)->charge ==
        cdr.customer.charge);
}
