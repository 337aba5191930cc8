// Who may call, with what number, and on how many lines.
#include "flow/flow.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

/// Dials once and gives the record of a call that never reached a vendor.
Cdr refused(Bench& bench, int status, Reason reason, const DialPlan& dial = {}) {
  auto call = bench.dial(dial);
  const Cdr cdr = bench.only_cdr();
  CHECK(call->status() == status);
  CHECK(cdr.sip_status == status);
  CHECK(cdr.end_reason == reason);
  CHECK(cdr.release_side == ReleaseSide::server);
  CHECK(cdr.attempts.empty());
  if (bench.b != nullptr) CHECK(bench.b->received("INVITE") == 0);
  return cdr;
}

SwitchConfig with_auth() {
  SwitchConfig config = base_config();
  config.provision.customer_gateways[0].auth = GatewayAuth{"user", "secret", ""};
  return config;
}

}  // namespace

TEST_CASE("Admission: an unknown source gets 403 and a record without a customer (S-10, S-12)") {
  SwitchConfig config = base_config();
  config.provision.customer_gateways[0].addresses = {gateway_address("10.0.7.7")};
  Bench bench(config);
  const Cdr cdr = refused(bench, 403, Reason::IllegalCall);
  CHECK_FALSE(cdr.customer_gateway.has_value());
  CHECK(cdr.caller_ip == "10.0.1.1:5060");
}

TEST_CASE("Admission: an unknown source hears nothing when reply_unauthorized is off (S-12)") {
  SwitchConfig config = base_config();
  config.provision.customer_gateways[0].addresses = {gateway_address("10.0.7.7")};
  config.parameters.reply_unauthorized = false;
  Bench bench(config);
  auto call = bench.dial();
  bench.run_s(40);
  CHECK(bench.a->ladder().size() == bench.a->sent("INVITE"));
  CHECK(call->status() == 408);
  bench.check_clean();
  REQUIRE_FALSE(bench.world.cdrs().empty());
  CHECK(bench.world.cdrs()[0].end_reason == Reason::IllegalCall);
  CHECK(bench.world.cdrs()[0].sip_status == 0);
}

TEST_CASE("Admission: digest lets right credentials in and leaves one record (RFC 3261 22)") {
  Bench bench(with_auth());
  DialPlan dial;
  dial.username = "user";
  dial.password = "secret";
  auto call = bench.connect(dial);
  call->hang_up();
  CHECK(bench.a->received("401") == 1);
  CHECK(bench.a->sent("INVITE") == 2);
  CHECK(bench.b->received("INVITE") == 1);
  CHECK(bench.only_cdr().end_reason == Reason::NormalCallClearing);
}

TEST_CASE("Admission: a host hears of the call with credentials only, from start to end (A-05)") {
  std::vector<Event> events;
  SwitchHooks hooks;
  hooks.on_event = [&](const Event& event) { events.push_back(event); };
  Bench bench(with_auth(), {}, hooks);
  DialPlan dial;
  dial.username = "user";
  dial.password = "secret";
  auto call = bench.connect(dial);
  call->hang_up();
  const Cdr cdr = bench.only_cdr();
  REQUIRE(events.size() >= 3);
  CHECK(events.front().kind == Event::Kind::call_started);
  CHECK(events.back().kind == Event::Kind::call_ended);
  for (const Event& event : events)
    CHECK(event.call.id == events.front().call.id);
  REQUIRE(events.back().cdr.has_value());
  CHECK(events.back().cdr->record_id == cdr.record_id);
}

TEST_CASE("Admission: wrong credentials get 403, none leave the challenge standing") {
  {
    Bench bench(with_auth());
    DialPlan dial;
    dial.username = "user";
    dial.password = "guess";
    refused(bench, 403, Reason::AuthenticationFailed, dial);
  }
  Bench bench(with_auth());
  auto call = bench.dial();
  bench.check_clean();
  CHECK(call->status() == 401);
  CHECK(bench.world.cdrs().empty());
}

TEST_CASE("Admission: the switch answers the challenge of a vendor") {
  SwitchConfig config = base_config();
  config.provision.vendor_gateways[0].auth = GatewayAuth{"trunk", "pass", ""};
  Bench bench(config);
  AnswerPlan plan;
  plan.username = "trunk";
  plan.password = "pass";
  bench.b->set_plan(plan);
  auto call = bench.connect();
  call->hang_up();
  const Cdr& cdr = bench.only_cdr();
  CHECK(cdr.attempts.size() == 1);
  CHECK(bench.b->received("INVITE") == 2);
}

TEST_CASE("Admission: a locked customer gateway gets 403 (R-14)") {
  SwitchConfig config = base_config();
  config.provision.customer_gateways[0].locked = true;
  Bench bench(config);
  CHECK(refused(bench, 403, Reason::GatewayLocked).end_code == -48);
}

TEST_CASE("Admission: a locked vendor is passed over") {
  SwitchConfig config = base_config(2);
  config.provision.vendor_gateways[0].locked = true;
  Bench bench(config);
  auto call = bench.connect();
  call->hang_up();
  CHECK(bench.only_cdr().vendor_gateway == "v2");
}

TEST_CASE("Admission: a vendor whose clearing account is locked is passed over (R-18)") {
  SwitchConfig config = base_config(2);
  AccountConfig locked = account("owed-to-v1", "0", "wholesale");
  locked.kind = AccountKind::clearing;
  locked.locked = true;
  config.provision.accounts.push_back(locked);
  config.provision.vendor_gateways[0].account = "owed-to-v1";
  Bench bench(config);
  auto call = bench.connect();
  call->hang_up();
  CHECK(bench.only_cdr().vendor_gateway == "v2");
}

TEST_CASE("Admission: accounts without money, locked or expired are refused (B-02, B-10)") {
  {
    SwitchConfig config = base_config();
    config.provision.accounts[0].balance = Amount();
    Bench bench(config);
    refused(bench, reason_facts(Reason::AccountBalanceNotEnough).sip_status,
            Reason::AccountBalanceNotEnough);
  }
  {
    SwitchConfig config = base_config();
    config.provision.accounts[0].locked = true;
    Bench bench(config);
    refused(bench, reason_facts(Reason::AccountLocked).sip_status, Reason::AccountLocked);
  }
  SwitchConfig config = base_config();
  config.provision.accounts[0].valid_until_us = WorldOptions().wall_us;
  Bench bench(config);
  refused(bench, reason_facts(Reason::AccountExpired).sip_status, Reason::AccountExpired);
}

TEST_CASE("Admission: a number without a rate or a route is refused") {
  {
    SwitchConfig config = base_config();
    config.provision.rate_decks[0].rates[0].prefix = "33";
    Bench bench(config);
    refused(bench, reason_facts(Reason::RateNotFound).sip_status, Reason::RateNotFound);
  }
  SwitchConfig config = base_config();
  config.provision.vendor_gateways[0].prefixes = {"33"};
  Bench bench(config);
  refused(bench, reason_facts(Reason::NoAvailableRouter).sip_status, Reason::NoAvailableRouter);
}

TEST_CASE("Admission: the longest prefix of the vendors wins (R-01)") {
  SwitchConfig config = base_config(2);
  config.provision.vendor_gateways[0].prefixes = {"44"};
  config.provision.vendor_gateways[1].prefixes = {"4420"};
  Bench bench(config);
  auto call = bench.connect();
  call->hang_up();
  CHECK(bench.only_cdr().vendor_gateway == "v2");
}

TEST_CASE("Admission: a forbidden number is refused, lengths and prefixes (N-06)") {
  SwitchConfig config = base_config();
  config.provision.customer_gateways[0].numbers.deny_callee_prefixes = {"4420"};
  Bench bench(config);
  refused(bench, reason_facts(Reason::NumberRestricted).sip_status, Reason::NumberRestricted);
}

TEST_CASE("Admission: customers on one address are told apart by their prefixes (A-03)") {
  SwitchConfig config = base_config();
  config.provision.accounts.push_back(account("beta", "50.00"));
  CustomerGateway second = customer("cust2", "10.0.1.1", "beta");
  config.provision.customer_gateways[0].numbers.allow_callee_prefixes = {"44"};
  second.numbers.allow_callee_prefixes = {"49"};
  config.provision.customer_gateways.push_back(second);
  Bench bench(config);
  auto one = bench.dial({}, "442079460000");
  auto two = bench.dial({}, "4930123456");
  bench.run_s(10);
  one->hang_up();
  two->hang_up();
  bench.check_clean();
  REQUIRE(bench.world.cdrs().size() == 2);
  CHECK(bench.world.cdrs()[0].customer_gateway == "cust");
  CHECK(bench.world.cdrs()[1].customer_gateway == "cust2");
  CHECK(bench.balance("beta") < money("50.00"));
}

TEST_CASE("Admission: a customer's line limit holds and lines come back (R-10)") {
  SwitchConfig config = base_config();
  config.provision.customer_gateways[0].line_limit = 2;
  Bench bench(config);
  auto first = bench.connect();
  auto second = bench.connect();
  auto third = bench.dial();
  bench.run_s(1);
  CHECK(third->status() == reason_facts(Reason::LineLimitExceeded).sip_status);
  first->hang_up();
  bench.run_s(1);
  auto fourth = bench.connect();
  second->hang_up();
  fourth->hang_up();
  bench.check_clean();
  CHECK(bench.world.cdrs().size() == 4);
  CHECK(bench.world.cdrs()[0].end_reason == Reason::LineLimitExceeded);
}

TEST_CASE("Admission: a full vendor gives way to the next, and all full is AllGatewayBusy (R-10)") {
  SwitchConfig config = base_config(2);
  config.provision.vendor_gateways[0].line_limit = 1;
  config.provision.vendor_gateways[1].line_limit = 1;
  Bench bench(config);
  auto first = bench.connect();
  auto second = bench.connect();
  CHECK(bench.lines("v1") == 1);
  CHECK(bench.lines("v2") == 1);
  auto third = bench.dial();
  bench.run_s(1);
  CHECK(third->status() == 503);
  first->hang_up();
  second->hang_up();
  bench.check_clean();
  REQUIRE(bench.world.cdrs().size() == 3);
  CHECK(bench.world.cdrs()[0].end_reason == Reason::AllGatewayBusy);
}

TEST_CASE("Admission: max_calls of the whole switch refuses early with Retry-After (O-16)") {
  SwitchConfig config = base_config();
  config.parameters.max_calls = 1;
  Bench bench(config);
  auto first = bench.connect();
  auto second = bench.dial();
  bench.run_s(1);
  CHECK(second->status() == 503);
  CHECK(second->retry_after_s() > 0);
  first->hang_up();
  bench.check_clean();
  CHECK(bench.world.cdrs()[0].end_reason == Reason::LicenseLimit);
}

TEST_CASE("Admission: Max-Forwards 0 gets 483 and no record") {
  Bench bench;
  DialPlan dial;
  dial.max_forwards = 0;
  auto call = bench.dial(dial);
  bench.check_clean();
  CHECK(call->status() == 483);
  CHECK(bench.world.cdrs().empty());
}
