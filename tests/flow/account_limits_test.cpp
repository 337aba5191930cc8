// Limits of accounts by the hour, day and month, in calls of a whole switch (B-02, B-11, B-17).
#include <algorithm>

#include "flow/flow.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

/// "acme" at 0.60 a minute, 100.00 rich, may spend `charge` in a window.
SwitchConfig limited_config(const char* charge, LimitWindow window = LimitWindow::day,
                            std::vector<std::string> prefixes = {}) {
  SwitchConfig config = base_config();
  AccountLimit limit;
  limit.window = window;
  limit.prefixes = std::move(prefixes);
  limit.max_charge = money(charge);
  config.provision.accounts[0].limits = {limit};
  return config;
}

LimitState use(const Bench& bench, std::string_view id = "acme") {
  return bench.tandem->account(id)->limits.at(0);
}

/// What the records of calls that arrived in a window were charged.
Amount charged(const Bench& bench, std::int64_t from_us, std::int64_t until_us) {
  Amount sum;
  for (const Cdr& cdr : bench.world.cdrs()) {
    if (cdr.started_at_us >= from_us && cdr.started_at_us < until_us)
      sum = Amount::add(sum, cdr.customer.charge).value();
  }
  return sum;
}

}  // namespace

TEST_CASE("Account limits: parallel calls are cut where the day's money ends (B-02)") {
  std::vector<std::string> alarms;
  SwitchHooks hooks;
  hooks.on_event = [&](const Event& event) {
    if (event.kind == Event::Kind::alarm) alarms.push_back(event.text);
  };
  Bench bench(limited_config("1.00"), {}, std::move(hooks));
  for (int i = 0; i < 5; ++i) {
    bench.dial();
    bench.run_ms(700);
  }
  bench.run_s(60);
  bench.check_clean();
  CHECK(charged(bench, 0, INT64_MAX) == money("1.00"));
  CHECK(bench.balance() == money("99.00"));
  const auto& cdrs = bench.world.cdrs();
  const auto cut = std::count_if(cdrs.begin(), cdrs.end(), [](const Cdr& cdr) {
    return cdr.end_reason == Reason::AccountLimitReached && cdr.answered_at_us != 0;
  });
  CHECK(cut == 5);
  CHECK(cdrs.back().end_code == -49);
  CHECK(cdrs.back().sip_status == 200);

  auto refused = bench.dial();
  bench.check_clean();
  CHECK(refused->status() == 403);
  CHECK(bench.world.cdrs().back().end_reason == Reason::AccountLimitReached);
  REQUIRE(alarms.size() == 1);
  CHECK(alarms[0] ==
        "account \"acme\" reached its limit \"day UTC\": calls are refused until "
        "2026-01-02T00:00:00.000000Z");
  CHECK(use(bench).charge == money("1.00"));
  CHECK(use(bench).held_charge.is_zero());
  CHECK(use(bench).calls == 5);
  const std::string shown = to_json(*bench.tandem->account("acme"));
  CHECK(shown.find("\"limit_use\":[{\"key\":\"day UTC\"") != std::string::npos);
  CHECK(shown.find("\"charge\":\"1.00\",\"held_charge\":\"0.00\"") != std::string::npos);
  const std::string explained =
      bench.tandem->explain({.from = "cust", .caller = "1000", .callee = "442079460000"}).value();
  CHECK(explained.find("\"reject\":\"AccountLimitReached\"") != std::string::npos);
  CHECK(explained.find("\"limits\":[{\"key\":\"day UTC\"") != std::string::npos);
}

TEST_CASE("Account limits: a call over midnight counts in the day it began, and the next is new") {
  SwitchConfig config = limited_config("0.50");
  config.parameters.timezone = "Europe/Berlin";
  Bench bench(config);
  const std::int64_t midnight_us = bench.world.wall_us() + 23 * 3'600 * second_us;
  bench.world.run_for_us(midnight_us - bench.world.wall_us() - 20 * second_us);
  bench.dial();
  bench.run_s(30);  // 10 s behind midnight it is still up
  CHECK(bench.tandem->live_calls() == 1);
  CHECK(use(bench).start_us == midnight_us);
  CHECK(use(bench).held_charge.is_zero());
  bench.dial();  // of the new day
  bench.run_s(100);
  bench.check_clean();
  CHECK(charged(bench, midnight_us - 86'400 * second_us, midnight_us) == money("0.50"));
  CHECK(charged(bench, midnight_us, midnight_us + 86'400 * second_us) == money("0.50"));
  CHECK(use(bench).charge == money("0.50"));
  bench.dial();
  bench.check_clean();
  CHECK(bench.world.cdrs().back().end_reason == Reason::AccountLimitReached);
}

TEST_CASE("Account limits: talk, calls and prefixes are limits of their own") {
  SwitchConfig config = base_config();
  AccountLimit talk;
  talk.window = LimitWindow::hour;
  talk.prefixes = {"44"};
  talk.max_talk_s = 45;
  AccountLimit calls;
  calls.max_calls = 2;
  calls.prefixes = {"49"};
  config.provision.accounts[0].limits = {talk, calls};
  Bench bench(config);
  DialPlan short_call;
  short_call.hang_up_after_us = 5 * second_us;
  for (const char* callee : {"4930", "4940", "4950", "441", "1"})
    bench.dial(short_call, callee);
  bench.run_s(20);
  bench.check_clean();
  const auto refused = [&](const Cdr& cdr) {
    return cdr.end_reason == Reason::AccountLimitReached && cdr.answered_at_us == 0;
  };
  CHECK(std::count_if(bench.world.cdrs().begin(), bench.world.cdrs().end(), refused) == 1);
  CHECK(use(bench).talk_s == 5);
  bench.dial({}, "442079460000");
  bench.run_s(60);
  bench.check_clean();
  CHECK(bench.world.cdrs().back().end_reason == Reason::AccountLimitReached);
  CHECK(bench.world.cdrs().back().talk_time_ms / 1000 == 40);
  CHECK(use(bench).talk_s == 45);
  bench.run_s(3'600);
  CHECK(use(bench).talk_s == 0);
  auto again = bench.dial({}, "442079460000");
  bench.run_s(5);
  CHECK(again->was_answered());
  again->hang_up();
  bench.check_clean();
}

TEST_CASE("Account limits: an unanswered call counts nowhere") {
  Bench bench(limited_config("1.00"));
  bench.b->set_plan(refuse(486));
  bench.dial();
  bench.check_clean();
  CHECK(use(bench).calls == 0);
  CHECK(use(bench).held_calls == 0);
  CHECK(use(bench).charge.is_zero());
}

TEST_CASE("Account limits: a limit of an agent ends the calls of its customers (B-17)") {
  SwitchConfig config = base_config();
  AccountConfig agent = account("agent", "50.00", "wholesale");
  agent.kind = AccountKind::agent;
  AccountLimit limit;
  limit.max_charge = money("0.10");
  agent.limits = {limit};
  config.provision.accounts.push_back(agent);
  config.provision.accounts[0].agent = "agent";
  Bench bench(config);
  bench.dial();
  bench.run_s(60);
  const Cdr& cdr = bench.only_cdr();
  CHECK(cdr.end_reason == Reason::AccountLimitReached);
  CHECK(cdr.agent->charge == money("0.10"));
  CHECK(cdr.talk_time_ms / 1000 == 20);
  CHECK(use(bench, "agent").charge == money("0.10"));
}

TEST_CASE("Account limits: what was used survives restarts and crashes, running calls included") {
  Bench bench(limited_config("1.00"));
  DialPlan short_call;
  short_call.hang_up_after_us = 30 * second_us;
  bench.dial(short_call);
  bench.run_s(40);
  bench.check_clean();
  CHECK(use(bench).charge == money("0.30"));
  bench.tandem.reset();
  bench.open();
  CHECK(use(bench).charge == money("0.30"));
  CHECK(use(bench).talk_s == 30);
  CHECK(use(bench).calls == 1);

  auto cut = bench.connect();
  bench.run_s(25);
  bench.world.crash(std::move(bench.tandem));
  bench.open();
  cut->hang_up();
  bench.run_s(1);
  CHECK(use(bench).charge == money("0.51"));  // up to the last mark
  CHECK(use(bench).talk_s == 51);
  CHECK(use(bench).calls == 2);
  // The account is not rid of it by going and coming back.
  bench.tandem.reset();
  const AccountConfig acme = bench.config.provision.accounts[0];
  const CustomerGateway gateway = bench.config.provision.customer_gateways[0];
  bench.config.provision.accounts.erase(bench.config.provision.accounts.begin());
  bench.config.provision.customer_gateways.clear();
  bench.open();
  bench.config.provision.accounts.push_back(acme);
  bench.config.provision.customer_gateways = {gateway};
  REQUIRE(bench.tandem->reload(bench.config).ok());
  CHECK(use(bench).charge == money("0.51"));
  bench.dial();
  bench.run_s(90);
  CHECK(bench.tandem->live_calls() == 0);
  CHECK(charged(bench, 0, INT64_MAX) == money("1.00"));
  CHECK(bench.world.cdrs().back().end_reason == Reason::AccountLimitReached);
}

TEST_CASE("Account limits: random calls of a day with crashes stay within every window") {
  SeededRandom random(5);
  SwitchConfig config = limited_config("1.20", LimitWindow::hour);
  AccountLimit day;
  day.max_charge = money("9.00");
  AccountLimit some;
  some.prefixes = {"49"};
  some.max_talk_s = 300;
  some.max_calls = 9;
  config.provision.accounts[0].limits.push_back(day);
  config.provision.accounts[0].limits.push_back(some);
  config.provision.rate_decks[0].rates[0].first_s = 30;
  config.provision.rate_decks[0].rates[0].next_s = 6;
  Bench bench(config);
  const std::int64_t begin_us = bench.world.wall_us();
  const auto run = [&](std::int64_t us) {
    bench.world.run_for_us(us);
    const auto state_of_account = bench.tandem->account("acme");
    for (const LimitState& state : state_of_account->limits) {
      if (state.limit.max_charge)
        REQUIRE(state.charge.units() + state.held_charge.units() <=
                state.limit.max_charge->units());
      if (state.limit.max_talk_s)
        REQUIRE(state.talk_s + state.held_talk_s <= *state.limit.max_talk_s);
      if (state.limit.max_calls) REQUIRE(state.calls + state.held_calls <= *state.limit.max_calls);
    }
  };
  int crashes = 0;
  for (int i = 0; i < 500; ++i) {
    DialPlan plan;
    plan.hang_up_after_us = static_cast<std::int64_t>(random.below(150'000'000));
    bench.dial(plan, random.below(4) == 0 ? "4930123" : "442079460000");
    run(static_cast<std::int64_t>(random.below(random.below(4) == 0 ? 300'000'000 : 20'000'000)));
    if (random.below(40) == 0) {
      bench.world.crash(std::move(bench.tandem));
      bench.open();
      ++crashes;
    }
  }
  bench.run_s(300);
  CHECK(crashes > 4);
  std::int64_t whole_hours = 0;
  for (std::int64_t hour = 0; hour < 24; ++hour) {
    const std::int64_t from_us = begin_us + hour * 3'600 * second_us;
    const Amount sum = charged(bench, from_us, from_us + 3'600 * second_us);
    REQUIRE(sum <= money("1.20"));
    whole_hours += sum >= money("1.10") ? 1 : 0;
  }
  CHECK(whole_hours > 2);
  CHECK(charged(bench, begin_us, begin_us + 86'400 * second_us) <= money("9.00"));
  std::int64_t talk_ms = 0, calls = 0;
  for (const Cdr& cdr : bench.world.cdrs()) {
    if (!cdr.callee.starts_with("49") || cdr.answered_at_us == 0) continue;
    talk_ms += cdr.talk_time_ms;
    ++calls;
  }
  CHECK(talk_ms <= 300'000 + 20 * calls);
  CHECK(calls <= 9);
}
