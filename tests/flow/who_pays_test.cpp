// Who pays for a call: whom it comes from, or the account that its caller is bound to (B-04). That
// phones may pay for calls to them is tried with the other tests of phones.
#include "flow/flow.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

/// The caller 1000 of "cust" has a card with 0.30.
SwitchConfig card_config() {
  SwitchConfig config = base_config();
  AccountConfig card = account("card", "0.30");
  card.kind = AccountKind::card;
  card.bound_numbers = {"1000"};
  config.provision.accounts.push_back(card);
  config.provision.customer_gateways[0].uses_bound_numbers = true;
  return config;
}

const Cdr& last_cdr(Bench& bench) {
  bench.check_clean();
  REQUIRE_FALSE(bench.world.cdrs().empty());
  return bench.world.cdrs().back();
}

void talk(Bench& bench, const std::string& caller, std::int64_t seconds) {
  auto call = bench.dial({}, "442079460000", caller);
  bench.run_s(1);
  REQUIRE(call->was_answered());
  bench.run_s(seconds - 1);
  call->hang_up();
}

}  // namespace

TEST_CASE(
    "Who pays: a card pays for the callers bound to it, and for no second more (B-02, B-04)") {
  Bench bench(card_config());
  const auto shown =
      bench.tandem->explain({.from = "cust", .caller = "1000", .callee = "442079460000"});
  REQUIRE(shown.ok());
  CHECK(shown->find(R"("account":"card")") != std::string::npos);
  CHECK(shown->find(R"("available_time_s":30)") != std::string::npos);
  CHECK(shown->find("bound_numbers") != std::string::npos);
  auto call = bench.connect();
  CHECK_FALSE(bench.tandem->account("card")->held.is_zero());
  CHECK(bench.tandem->account("acme")->held.is_zero());
  bench.run_s(40);
  CHECK(call->is_over());
  const Cdr cdr = last_cdr(bench);
  CHECK(cdr.customer_gateway == "cust");
  CHECK(cdr.customer.account == "card");
  CHECK(cdr.customer.charge == money("0.30"));
  CHECK(cdr.end_reason == Reason::BalanceExhausted);
  CHECK(bench.balance("card").is_zero());
  CHECK(bench.balance("acme") == money("100.00"));

  bench.dial();
  bench.run_s(1);
  CHECK(last_cdr(bench).end_reason == Reason::AccountBalanceNotEnough);
  CHECK(last_cdr(bench).customer.account == "card");
  talk(bench, "2000", 30);
  CHECK(last_cdr(bench).customer.account == "acme");
  CHECK(bench.balance("acme") == money("99.70"));
}

TEST_CASE("Who pays: at a gateway that does not go by callers nobody pays for another (B-04)") {
  SwitchConfig config = card_config();
  config.provision.customer_gateways[0].uses_bound_numbers = false;
  Bench bench(config);
  talk(bench, "1000", 10);
  CHECK(last_cdr(bench).customer.account == "acme");
  CHECK(bench.balance("card") == money("0.30"));
}

TEST_CASE("Who pays: a crash charges the account that would have paid (B-04)") {
  SwitchConfig config = card_config();
  config.provision.accounts.back().balance = money("5.00");
  Bench bench(config);
  auto call = bench.connect();
  bench.run_s(35);  // marks come every 10 s
  bench.world.crash(std::move(bench.tandem));
  bench.open();
  bench.run_s(2);
  REQUIRE(bench.world.cdrs().size() == 1);
  const Cdr& cdr = bench.world.cdrs().front();
  CHECK(cdr.end_reason == Reason::ServerCrash);
  CHECK(cdr.customer.account == "card");
  CHECK(cdr.customer.charge >= money("0.25"));
  CHECK(bench.balance("card").units() == money("5.00").units() - cdr.customer.charge.units());
  CHECK(bench.balance("acme") == money("100.00"));
}

TEST_CASE("Who pays: the agent that is charged is that of the bound account (B-04, B-17)") {
  SwitchConfig config = base_config();
  AccountConfig agent = account("agent", "10.00", "wholesale");
  agent.kind = AccountKind::agent;
  AccountConfig home = account("home", "10.00");
  home.agent = "agent";
  home.bound_numbers = {"1000"};
  config.provision.accounts.push_back(agent);
  config.provision.accounts.push_back(home);
  config.provision.customer_gateways[0].uses_bound_numbers = true;
  Bench bench(config);
  talk(bench, "1000", 60);
  const Cdr cdr = last_cdr(bench);
  CHECK(cdr.customer.account == "home");
  CHECK(cdr.customer.charge == money("0.60"));
  REQUIRE(cdr.agent);
  CHECK(cdr.agent->charge == money("0.30"));
  CHECK(bench.balance("agent") == money("9.70"));
  talk(bench, "2000", 60);
  CHECK_FALSE(last_cdr(bench).agent);
  CHECK(bench.balance("agent") == money("9.70"));
}

TEST_CASE("Who pays: a phone pays for calls that a believed gateway brings of it (A-03, B-04)") {
  SwitchConfig config = card_config();
  CustomerGateway& gateway = config.provision.customer_gateways[0];
  gateway.bills_phones = true;
  config.provision.accounts.push_back(account("desk", "50.00"));
  PhoneConfig phone;
  phone.id = phone.number = "1000";
  phone.dids = {"4430001000"};
  phone.password = "secret";
  phone.account = "desk";
  phone.call_level = CallLevel::none;
  std::string caller = "1000", payer = "desk", rule = "bill_phones";
  SUBCASE("by its number, which is bound to a card too") {}
  SUBCASE("by another number of its") { caller = "4430001000"; }
  SUBCASE("and not where the gateway is not believed in it") {
    gateway.bills_phones = false;
    payer = "card";
    rule = "bound_numbers";
  }
  SUBCASE("who is no phone is bound as before") {
    phone.id = phone.number = "1999";
    payer = "card";
    rule = "bound_numbers";
  }
  SUBCASE("who is neither is the gateway's own") {
    caller = "2000";
    payer = "acme";
    rule.clear();
  }
  config.provision.phones.push_back(phone);
  Bench bench(config);
  const auto shown =
      bench.tandem->explain({.from = "cust", .caller = caller, .callee = "442079460000"});
  REQUIRE(shown.ok());
  CHECK(shown->find(R"("account":")" + payer) != std::string::npos);
  if (!rule.empty()) CHECK(shown->find('"' + rule + '"') != std::string::npos);
  talk(bench, caller, 10);
  const Cdr cdr = last_cdr(bench);
  CHECK(cdr.customer_gateway == "cust");
  CHECK(cdr.customer.account == payer);
  CHECK(bench.balance(payer) < money(payer == "card" ? "0.30" : payer == "desk" ? "50.00" : "100"));
}
