#include "call/stages.hpp"

#include <doctest/doctest.h>

#include "call/choice.hpp"

using namespace tandem;
using namespace tandem::call;

namespace {

SwitchConfig config() {
  SwitchConfig config;
  AccountConfig account;
  account.id = "acme";
  account.balance = Amount::parse("1.00").value();
  account.rate_deck = "retail";
  config.provision.accounts.push_back(account);
  Rate rate;
  rate.prefix = "44";
  rate.price = Amount::parse("0.60").value();
  RateDeckConfig deck;
  deck.id = "retail";
  deck.rates = {rate};
  config.provision.rate_decks.push_back(std::move(deck));
  CustomerGateway customer;
  customer.id = "cust";
  customer.addresses.push_back({"127.0.0.2", IpNetwork::parse("127.0.0.2").value(), std::nullopt});
  customer.account = "acme";
  customer.line_limit = 1;
  customer.rewrite_callee = "00:";
  config.provision.customer_gateways.push_back(customer);
  VendorGateway vendor;
  vendor.id = "v1";
  vendor.addresses.push_back({"127.0.0.3", IpNetwork::parse("127.0.0.3").value(), std::nullopt});
  vendor.prefixes = {"44"};
  vendor.rewrite_callee = "44:99";
  config.provision.vendor_gateways.push_back(vendor);
  return config;
}

/// A call from `source` judged against `config`, with what it was judged by.
struct Judged {
  explicit Judged(const SwitchConfig& config, const char* callee = "00447911",
                  const char* source = "127.0.0.2:5060", bool is_rehearsal = false,
                  bool is_from_any_page = false, const char* caller = "+1-555-0100") {
    context.tables = build_tables(config, state, nullptr).value();
    context.state = &state;
    context.random = &random;
    context.wall_us = 1'767'225'600'000'000;
    context.is_rehearsal = is_rehearsal;
    context.setup->recorder = &records;
    context.source = SocketAddress::parse(source).value();
    context.is_from_any_page = is_from_any_page;
    context.setup->request_user = callee;
    context.setup->from_user = caller;
    std::size_t next_stage = 0;
    verdict = run_stages(context, {.can_authenticate = true, .has_policy = false}, next_stage);
  }

  SharedState state;
  SeededRandom random{1};
  std::vector<StageRecord> records;
  CallContext context;
  Verdict verdict;
};

}  // namespace

TEST_CASE("Stages: a good call has its numbers rewritten, a line, money and candidates") {
  Judged judged(config());
  REQUIRE(judged.verdict.kind == Verdict::Kind::go_on);
  CHECK(judged.context.setup->callee_in.view() == "00447911");
  CHECK(judged.context.callee.view() == "447911");
  CHECK(judged.context.caller.view() == "+15550100");
  CHECK(judged.context.customer_line.held());
  CHECK(judged.context.setup->money.held().to_string() == "0.01");  // one second at 0.60 a minute
  REQUIRE(judged.context.setup->candidates.size() == 1);
  const CandidatePlan plan =
      plan_candidate(judged.context, judged.context.setup->candidates.front(), 0);
  CHECK(plan.callee_out.view() == "997911");
}

TEST_CASE("Stages: a rehearsal takes neither line nor money and records every stage (R-23)") {
  Judged judged(config(), "00447911", "127.0.0.2:5060", true);
  REQUIRE(judged.verdict.kind == Verdict::Kind::go_on);
  CHECK_FALSE(judged.context.customer_line.held());
  CHECK_FALSE(judged.context.setup->money.is_open());
  CHECK(judged.records.size() >= 9);
  for (const StageRecord& record : judged.records)
    CHECK(record.verdict == "continue");
}

TEST_CASE("Stages: each refusal has its reason of C-08") {
  const auto reason = [](const SwitchConfig& c, const char* callee = "00447911",
                         const char* source = "127.0.0.2:5060") {
    return Judged(c, callee, source).verdict.reason;
  };
  CHECK(reason(config(), "00447911", "127.0.0.9:5060") == Reason::IllegalCall);
  CHECK(reason(config(), "not a number!") == Reason::NotFound);
  CHECK(reason(config(), "not a number!", "127.0.0.9:5060") == Reason::IllegalCall);
  CHECK(reason(config(), "0033123") == Reason::RateNotFound);
  SwitchConfig changed = config();
  changed.provision.customer_gateways[0].locked = true;
  CHECK(reason(changed) == Reason::GatewayLocked);
  changed = config();
  changed.provision.customer_gateways[0].line_limit = 0;
  CHECK(reason(changed) == Reason::LineLimitExceeded);
  changed = config();
  changed.provision.customer_gateways[0].numbers.deny_callee_prefixes = {"0044"};
  CHECK(reason(changed) == Reason::NumberRestricted);
  changed = config();
  changed.provision.customer_gateways[0].account.clear();
  CHECK(reason(changed) == Reason::AccountNotExist);
  changed = config();
  changed.provision.accounts[0].balance = Amount();
  CHECK(reason(changed) == Reason::AccountBalanceNotEnough);
  changed = config();
  changed.provision.accounts[0].locked = true;
  CHECK(reason(changed) == Reason::AccountLocked);
  changed = config();
  changed.provision.rate_decks[0].rates[0].locked = true;
  CHECK(reason(changed) == Reason::RateLocked);
  changed = config();
  changed.provision.vendor_gateways[0].prefixes = {"49"};
  CHECK(reason(changed) == Reason::NoAvailableRouter);
}

TEST_CASE("Stages: over a WebSocket for any page an address alone identifies nobody (P-01, A-03)") {
  const auto judge = [](const SwitchConfig& c) {
    return Judged(c, "00447911", "127.0.0.2:40000", false, true).verdict;
  };
  CHECK(judge(config()).kind == Verdict::Kind::reject);
  CHECK(judge(config()).reason == Reason::IllegalCall);
  SwitchConfig changed = config();
  changed.provision.customer_gateways[0].auth = GatewayAuth{"cust", "secret", {}};
  CHECK(judge(changed).kind == Verdict::Kind::authenticate);
  // A telephone behind the customer's address is the telephone, and shows its password.
  changed = config();
  PhoneConfig phone;
  phone.id = phone.number = "15550100";
  phone.password = "secret";
  phone.account = "acme";
  changed.provision.phones = {phone};
  Judged judged(changed, "00447911", "127.0.0.2:40000", false, true, "15550100");
  CHECK(judged.verdict.kind == Verdict::Kind::authenticate);
  CHECK(judged.context.customer_entry()->config.id == "phone:15550100");
}

TEST_CASE("Stages: a free number is checked but holds no money (B-09)") {
  SwitchConfig changed = config();
  changed.parameters.free_numbers = {"447*"};
  Judged judged(changed);
  REQUIRE(judged.verdict.kind == Verdict::Kind::go_on);
  CHECK(judged.context.is_free);
  CHECK_FALSE(judged.context.setup->money.is_open());
}

TEST_CASE("Stages: what a context held is free again when it is gone") {
  SharedState* state = nullptr;
  auto judged = std::make_unique<Judged>(config());
  state = &judged->state;
  CHECK(judged->context.tables->customers[0].lines.current() == 1);
  const auto tables = judged->context.tables;
  judged->context = CallContext();
  CHECK(tables->customers[0].lines.current() == 0);
  CHECK(state->accounts.state("acme").value().held.is_zero());
}

TEST_CASE("number_from_user: visual separators are taken out, anything else is no number") {
  CHECK(number_from_user("+1-(555) 010.0").value().view() == "+15550100");
  CHECK(number_from_user("a44*#_").value().view() == "a44*#_");
  CHECK_FALSE(number_from_user("").has_value());
  CHECK_FALSE(number_from_user("12;phone-context=x").has_value());
  CHECK_FALSE(number_from_user(std::string(33, '1')).has_value());
}
