// Agents: who pays beside the customer, and stops it (B-17, B-28).
#include <algorithm>

#include "flow/flow.hpp"
#include "tandem/charge_terms.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

/// "acme" (0.60 a minute) is a customer of "agent" (0.40 a minute, whole minutes).
SwitchConfig agent_config(std::string_view agent_balance = "10.00") {
  SwitchConfig config = base_config();
  config.provision.rate_decks.push_back(deck("agents", "0.40"));
  config.provision.rate_decks.back().rates[0].first_s = 60;
  config.provision.rate_decks.back().rates[0].next_s = 60;
  AccountConfig agent = account("agent", agent_balance, "agents");
  agent.kind = AccountKind::agent;
  config.provision.accounts.push_back(agent);
  config.provision.accounts[0].agent = "agent";
  return config;
}

Reason refusal(Bench& bench) {
  bench.dial();
  bench.check_clean();
  const Reason reason = bench.world.cdrs().back().end_reason;
  CHECK(bench.balance() == bench.config.provision.accounts[0].balance);
  return reason;
}

}  // namespace

TEST_CASE("Agents: the agent is charged by its own tariff beside the customer (B-17)") {
  Bench bench(agent_config());
  auto call = bench.connect();
  CHECK(bench.tandem->account("agent")->held == money("0.40"));
  bench.run_s(70);
  call->hang_up();
  const Cdr cdr = bench.only_cdr();
  CHECK(cdr.customer.charge == money("0.70"));
  REQUIRE(cdr.agent);
  CHECK(cdr.agent->account == "agent");
  CHECK(cdr.agent->charge == money("0.80"));
  CHECK(cdr.agent->billed_time_s == 120);
  CHECK(cdr.agent->rate_deck == "agents");
  CHECK(recompute_charge(cdr.agent->rate_terms, cdr.talk_time_ms, cdr.answered_at_us)->charge ==
        cdr.agent->charge);
  CHECK(bench.balance("agent") == money("9.20"));
  bench.run_s(1);
  LedgerQuery query;
  query.account = "agent";
  const auto entries = bench.tandem->ledger(query).value();
  REQUIRE(entries.size() == 2);
  CHECK(entries[0].kind == LedgerKind::agent_charge);
  CHECK(entries[0].amount == money("-0.80"));
  CHECK(entries[0].reference == std::to_string(cdr.record_id));
}

TEST_CASE("Agents: a call of a customer without one has no agent's side (B-17)") {
  SwitchConfig config = agent_config();
  config.provision.accounts[0].agent.clear();
  Bench bench(config);
  auto call = bench.connect();
  bench.run_s(5);
  call->hang_up();
  CHECK_FALSE(bench.only_cdr().agent);
  CHECK(bench.balance("agent") == money("10.00"));
}

TEST_CASE("Agents: a locked, expired or empty agent, or one without a rate, stops its customers") {
  {
    SwitchConfig config = agent_config();
    config.provision.accounts.back().locked = true;
    Bench bench(config);
    CHECK(refusal(bench) == Reason::AccountLocked);
  }
  {
    SwitchConfig config = agent_config();
    config.provision.accounts.back().valid_until_us = 1;
    Bench bench(config);
    CHECK(refusal(bench) == Reason::AccountExpired);
  }
  {
    Bench bench(agent_config("0.39"));
    CHECK(refusal(bench) == Reason::AccountBalanceNotEnough);
  }
  {
    SwitchConfig config = agent_config();
    config.provision.accounts.back().rate_deck.clear();
    Bench bench(config);
    CHECK(refusal(bench) == Reason::RateNotFound);
  }
}

TEST_CASE("Agents: calls of its customers together never pass the money of an agent (B-17, B-11)") {
  SwitchConfig config = agent_config("2.00");
  config.provision.accounts.push_back(account("other", "100.00"));
  config.provision.accounts.back().agent = "agent";
  config.provision.customer_gateways.push_back(customer("cust2", "10.0.1.2", "other"));
  Bench bench(config);
  Endpoint* second = bench.endpoint("10.0.1.2:5060");
  for (int i = 0; i < 4; ++i) {
    bench.dial();
    second->dial("442079460001", "1000", {});
    bench.run_ms(700);
  }
  bench.run_s(400);
  CHECK(bench.tandem->live_calls() == 0);
  bench.check_clean();
  Amount agent, customers;
  for (const Cdr& cdr : bench.world.cdrs()) {
    REQUIRE(cdr.agent);
    agent = Amount::add(agent, cdr.agent->charge).value();
    customers = Amount::add(customers, cdr.customer.charge).value();
  }
  CHECK(agent == money("2.00"));  // five whole minutes, and none of them twice
  CHECK(bench.balance("agent").is_zero());
  CHECK(std::any_of(bench.world.cdrs().begin(), bench.world.cdrs().end(),
                    [](const Cdr& cdr) { return cdr.end_reason == Reason::BalanceExhausted; }));
  CHECK(Amount::add(bench.balance(), bench.balance("other")).value() ==
        Amount::subtract(money("200.00"), customers).value());
}

TEST_CASE("Agents: after a crash the agent's side is billed up to the last mark too (B-17)") {
  Bench bench(agent_config());
  auto call = bench.connect();
  bench.run_s(75);
  bench.world.crash(std::move(bench.tandem));
  bench.open();
  bench.run_s(1);
  REQUIRE(bench.world.cdrs().size() == 1);
  const Cdr& cdr = bench.world.cdrs()[0];
  CHECK(cdr.end_reason == Reason::ServerCrash);
  REQUIRE(cdr.agent);
  CHECK(cdr.agent->charge == money("0.80"));
  CHECK(bench.balance("agent") == money("9.20"));
  call->hang_up();
}

/// agent_config() with a package of the agent: 60 seconds and 0.10 a month for 2.00.
SwitchConfig agent_package_config() {
  SwitchConfig config = agent_config();
  config.provision.rate_decks.back().rates[0].first_s = 1;
  config.provision.rate_decks.back().rates[0].next_s = 1;
  PackageConfig bundle;
  bundle.id = "bundle";
  bundle.rent_fee = money("2.00");
  bundle.gift_times = {PackageGift{}};
  bundle.gift_times[0].seconds = 60;
  bundle.gift_money = money("0.10");
  PackageOrder order;
  order.id = "of-agent";
  order.package = "bundle";
  order.account = "agent";
  config.provision.packages = {bundle};
  config.provision.package_orders = {order};
  return config;
}

TEST_CASE("Agents: calls of its customers use the packages of an agent, for its side (B-17)") {
  Bench bench(agent_package_config());
  bench.run_s(1);
  CHECK(bench.balance("agent") == money("8.00"));
  const std::string shown = bench.tandem->explain({"cust", "1000", "442079460000"}).value();
  CHECK(shown.find(R"("agent_packages":{"gift_s":60,"gift_money":"0.10")") != std::string::npos);
  CHECK(shown.find(R"("packages":null)") != std::string::npos);
  auto call = bench.connect();
  bench.run_s(90);
  call->hang_up();
  const Cdr cdr = bench.only_cdr();
  CHECK(cdr.customer.charge == money("0.90"));
  CHECK(cdr.customer.package_time_s == 0);
  REQUIRE(cdr.agent);
  CHECK(cdr.agent->package_time_s == 60);
  CHECK(cdr.agent->package_charge == money("0.10"));
  CHECK(cdr.agent->charge == money("0.10"));  // 0.60 less 0.40 less 0.10
  CHECK(recompute_charge(cdr.agent->rate_terms, cdr.talk_time_ms, cdr.answered_at_us)->charge ==
        cdr.agent->charge);
  CHECK(bench.balance("agent") == money("7.90"));
  bench.tandem.reset();  // what was used is kept
  bench.open();
  const auto periods = bench.tandem->packages("agent");
  REQUIRE(periods.ok());
  REQUIRE(periods->size() == 1);
  CHECK(periods->front().gifts[0].used_s == 60);
  CHECK(periods->front().gift_money_used == money("0.10"));
  CHECK(periods->front().consumption == money("0.10"));
}

TEST_CASE("Agents: gifts carry calls of an empty agent, and a crash takes none twice (B-17)") {
  SwitchConfig config = agent_package_config();
  config.provision.accounts.back().balance = money("2.00");
  Bench bench(config);
  bench.run_s(1);
  CHECK(bench.balance("agent").is_zero());
  auto call = bench.connect();
  bench.run_s(45);
  bench.world.crash(std::move(bench.tandem));
  bench.open();
  bench.run_s(1);
  REQUIRE(bench.world.cdrs().size() == 1);
  const Cdr& cdr = bench.world.cdrs()[0];
  REQUIRE(cdr.agent);
  CHECK(cdr.agent->charge.is_zero());
  const std::int64_t talked_s = billable_seconds(cdr.talk_time_ms, {});  // marks come every 10 s
  CHECK(talked_s >= 35);
  CHECK(talked_s <= 46);
  CHECK(cdr.agent->package_time_s == talked_s);
  CHECK(bench.tandem->packages("agent")->front().gifts[0].used_s == talked_s);
  CHECK(bench.balance("agent").is_zero());
  call->hang_up();
}

TEST_CASE("Agents: without their verification calls go on below zero, others do not (B-28)") {
  {
    SwitchConfig config = agent_config("0.10");
    config.parameters.verify_agent_balance = false;
    Bench bench(config);
    auto call = bench.connect();
    bench.run_s(65);
    call->hang_up();
    CHECK(bench.only_cdr().agent->charge == money("0.80"));
    CHECK(bench.balance("agent") == money("-0.70"));
    CHECK_FALSE(largest_overdraft(*bench.tandem->account("agent")));
  }
  SwitchConfig config = base_config();
  config.provision.accounts[0].balance = money("-5");
  config.parameters.verify_customer_balance = false;
  Bench bench(config);
  auto call = bench.connect();
  bench.run_s(10);
  call->hang_up();
  bench.check_clean();
  CHECK(bench.balance() == money("-5.10"));
}

TEST_CASE("Agents: explain shows both sides and why an agent refuses (B-17, R-23)") {
  Bench bench(agent_config("0.39"));
  const std::string refused = bench.tandem->explain({"cust", "1000", "442079460000"}).value();
  CHECK(refused.find(R"("name":"agent")") != std::string::npos);
  CHECK(refused.find(R"("reject":"AccountBalanceNotEnough")") != std::string::npos);
  CHECK(refused.find(R"("agent":{"account":"agent")") != std::string::npos);
  for (const char* part : {R"("usable":"0.39","first_hold":"0.40")", R"("advance_s":10)",
                           R"("largest_overdraft":"0.00")"}) {
    CAPTURE(part);
    CHECK(refused.find(part) != std::string::npos);
  }
}
