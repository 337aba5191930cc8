// Calls that another system carried, recorded and charged here (B-26).
#include "flow/flow.hpp"
#include "tandem/charge_terms.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

constexpr std::int64_t noon_us = 1'767'225'600'000'000;  // 2026-01-01T00:00:00Z

/// 70 seconds from "cust" through "v1".
ExternalCall call_of(std::string flow_number) {
  ExternalCall call;
  call.flow_number = std::move(flow_number);
  call.customer_gateway = "cust";
  call.vendor_gateway = "v1";
  call.caller = "1000";
  call.callee = "442079460000";
  call.started_at_us = noon_us;
  call.answered_at_us = noon_us + 5 * second_us;
  call.ended_at_us = noon_us + 75 * second_us;
  return call;
}

}  // namespace

TEST_CASE("External calls: a flow number is recorded and charged once, over restarts too (B-26)") {
  Bench bench;
  const ExternalAnswer first = bench.tandem->record_call(call_of("pbx-7")).value();
  CHECK_FALSE(first.is_repeated);
  REQUIRE(first.cdr);
  CHECK(first.cdr->customer.charge == money("0.70"));
  CHECK(first.cdr->vendor->charge == money("0.35"));
  CHECK(recompute_charge(first.cdr->customer.rate_terms, first.cdr->talk_time_ms,
                         first.cdr->answered_at_us)
            ->charge == money("0.70"));
  for (int i = 0; i < 4; ++i) {
    CHECK(bench.balance() == money("99.30"));
    CHECK(bench.balance("clearing") == money("-0.35"));
    const ExternalAnswer again = bench.tandem->record_call(call_of("pbx-7")).value();
    CHECK(again.is_repeated);
    CHECK(again.record_id == first.record_id);
    CHECK_FALSE(again.cdr);
    if (i == 1) bench.run_s(1);
    if (i == 2) {
      bench.world.crash(std::move(bench.tandem));
      bench.open();
    }
  }
  bench.run_s(1);
  REQUIRE(bench.world.cdrs().size() == 1);
  CHECK(bench.world.cdrs()[0] == *first.cdr);
  CHECK(bench.world.cdrs()[0].call_id == "external/pbx-7");
  LedgerQuery query;
  query.account = "acme";
  const auto entries = bench.tandem->ledger(query).value();
  REQUIRE(entries.size() == 2);
  CHECK(entries[0].kind == LedgerKind::charge);
  CHECK(entries[0].amount == money("-0.70"));
  CHECK(bench.tandem->check_ledger()->ok());
  // Without a number every request is a call of its own.
  CHECK_FALSE(bench.tandem->record_call(call_of("-1"))->is_repeated);
  CHECK_FALSE(bench.tandem->record_call(call_of(""))->is_repeated);
  CHECK(bench.balance() == money("97.90"));
}

TEST_CASE("External calls: given charges, agents, unanswered calls and dry runs (B-26)") {
  SwitchConfig config = base_config();
  config.provision.rate_decks.push_back(deck("agents", "0.40"));
  AccountConfig agent = account("agent", "50.00", "agents");
  agent.kind = AccountKind::agent;
  config.provision.accounts.push_back(agent);
  config.provision.accounts[0].agent = "agent";
  Bench bench(config);
  ExternalCall call = call_of("a");
  call.is_dry_run = true;
  CHECK(bench.tandem->record_call(call)->cdr->customer.charge == money("0.70"));
  CHECK(bench.balance() == money("100.00"));
  call.is_dry_run = false;
  call.charge = money("150.00");  // it took place, whether there is money or not
  call.vendor_charge = money("0.10");
  CHECK(bench.tandem->record_call(call).ok());
  CHECK(bench.balance() == money("-50.00"));
  CHECK(bench.balance("clearing") == money("-0.10"));
  CHECK(bench.balance("agent") == Amount::subtract(money("50.00"), money("0.466667")).value());
  call = call_of("b");
  call.answered_at_us = 0;
  call.end_reason = Reason::NoAnswer;
  call.sip_status = 480;
  CHECK(bench.tandem->record_call(call)->cdr->customer.charge.is_zero());
  call = call_of("c");
  call.talk_time_ms = 10'000;
  CHECK(bench.tandem->record_call(call)->cdr->customer.billed_time_s == 10);
  call = call_of("d");  // 20 days
  call.started_at_us = noon_us - 20 * 86'400 * second_us;
  call.talk_time_ms = 10'000;
  CHECK(bench.tandem->record_call(call).ok());
}

TEST_CASE("External calls: the bound account pays where the gateway goes by callers (B-04, B-26)") {
  SwitchConfig config = base_config();
  AccountConfig card = account("card", "5.00");
  card.kind = AccountKind::card;
  card.bound_numbers = {"1000"};
  config.provision.accounts.push_back(card);
  config.provision.customer_gateways[0].uses_bound_numbers = true;
  CustomerGateway open = config.provision.customer_gateways[0];
  open.id = "open";
  open.account.clear();
  open.addresses = {gateway_address("10.0.1.77")};
  CustomerGateway plain = open;
  plain.id = "plain";
  plain.uses_bound_numbers = false;
  plain.addresses = {gateway_address("10.0.1.78")};
  config.provision.customer_gateways.push_back(open);
  config.provision.customer_gateways.push_back(plain);
  Bench bench(config);
  CHECK(bench.tandem->record_call(call_of("a"))->cdr->customer.account == "card");
  CHECK(bench.balance("card") == money("4.30"));
  ExternalCall call = call_of("b");
  call.caller = "2000";
  CHECK(bench.tandem->record_call(call)->cdr->customer.account == "acme");
  call = call_of("c");
  call.account = "acme";  // what the other system says goes before
  CHECK(bench.tandem->record_call(call)->cdr->customer.account == "acme");
  call = call_of("d");
  call.customer_gateway = "open";
  CHECK(bench.tandem->record_call(call)->cdr->customer.account == "card");
  CHECK(bench.balance("card") == money("3.60"));
  CHECK(bench.balance() == money("98.60"));

  // Nobody pays: it is neither recorded nor owed to the vendor, and may come again.
  call = call_of("e");
  call.customer_gateway = "open";
  call.caller = "2000";
  auto refused = bench.tandem->record_call(call);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::invalid_argument);
  CHECK(refused.error().message ==
        "nobody pays: customer gateway \"open\" has no account, and caller \"2000\" is bound to "
        "none");
  call.caller = "1000";
  call.customer_gateway = "plain";
  refused = bench.tandem->record_call(call);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().message == "nobody pays: customer gateway \"plain\" has no account");
  CHECK(bench.balance("clearing") == money("-1.40"));
  call.customer_gateway = "open";
  CHECK_FALSE(bench.tandem->record_call(call)->is_repeated);
  bench.run_s(1);
  CHECK(bench.world.cdrs().size() == 5);
}

TEST_CASE(
    "External calls: a phone pays for those that a believed gateway brings of it (A-03, B-26)") {
  SwitchConfig config = base_config();
  config.provision.accounts.push_back(account("desk", "5.00"));
  AccountConfig card = account("card", "5.00");
  card.bound_numbers = {"1000"};
  config.provision.accounts.push_back(card);
  CustomerGateway& gateway = config.provision.customer_gateways[0];
  gateway.bills_phones = gateway.uses_bound_numbers = true;
  PhoneConfig phone;
  phone.id = phone.number = "1000";
  phone.dids = {"4430001000"};
  phone.password = "secret";
  phone.account = "desk";
  config.provision.phones.push_back(phone);
  Bench bench(config);
  ExternalCall call = call_of("a");
  CHECK(bench.tandem->record_call(call)->cdr->customer.account == "desk");
  call = call_of("b");
  call.caller = "4430001000";
  CHECK(bench.tandem->record_call(call)->cdr->customer.account == "desk");
  call = call_of("c");
  call.caller = "2000";
  CHECK(bench.tandem->record_call(call)->cdr->customer.account == "acme");
  CHECK(bench.balance("desk") == money("3.60"));
  CHECK(bench.balance("card") == money("5.00"));
}

TEST_CASE("External calls: what cannot be is refused and moves nothing (B-26)") {
  Bench bench;
  const auto code = [&](const ExternalCall& call) {
    return bench.tandem->record_call(call).error().code;
  };
  ExternalCall call = call_of("x");
  call.callee = "a b";
  CHECK(code(call) == ErrorCode::invalid_argument);
  call.callee = "4\n4";  // an error is one line of a log, whatever the other system sent
  CHECK(bench.tandem->record_call(call).error().message == "callee \"4?4\" was no number");
  CHECK(parse_external_call("{\"a\\nb\": 1}").error().message.find('\n') == std::string::npos);
  call = call_of("x");
  call.ended_at_us = call.answered_at_us - 1;
  CHECK(code(call) == ErrorCode::invalid_argument);
  call = call_of("x");
  call.started_at_us = call.answered_at_us = call.ended_at_us = noon_us + 365 * 86'400 * second_us;
  CHECK(code(call) == ErrorCode::invalid_argument);
  call = call_of("x");
  call.customer_gateway = "none";
  CHECK(code(call) == ErrorCode::invalid_argument);
  call.account = "clearing";
  CHECK(code(call) == ErrorCode::invalid_argument);
  call = call_of("x");
  call.vendor_gateway = "none";
  CHECK(code(call) == ErrorCode::invalid_argument);
  call = call_of("x");
  call.charge = money("-1");
  CHECK(code(call) == ErrorCode::invalid_argument);
  // The vendor's side cannot be had: nothing of the customer's is taken.
  call = call_of("x");
  call.vendor_charge = account_amount_max;
  REQUIRE(bench.tandem->pay("clearing", money("-1")).ok());
  CHECK(code(call) == ErrorCode::limit);
  CHECK(bench.balance() == money("100.00"));
  CHECK_FALSE(bench.tandem->record_call(call_of("x"))->is_repeated);
  CHECK(parse_external_call(R"({"callee": "44", "started_at": "2026-01-01T00:00:00Z",
      "ended_at": "2026-01-01T00:00:10Z", "flow": 1})")
            .error()
            .message.starts_with("/flow: "));
}
