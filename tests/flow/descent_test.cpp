// Prefix modes when vendors cannot take a call (R-02): what a passed over expiration vendor leaves
// to shorter prefixes, and what one that was tried does not.
#include "flow/flow.hpp"
#include "tandem/route_choices.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

constexpr const char* dialled = "4470012345";

VendorGateway& v(SwitchConfig& config, int number) {
  return config.provision.vendor_gateways[static_cast<std::size_t>(number - 1)];
}

/// v1 has 447, v2 has 44 and v3 every number; v1 is of mode expiration.
SwitchConfig levels() {
  SwitchConfig config = base_config(3);
  v(config, 1).prefixes = {"447"};
  v(config, 1).prefix_mode = PrefixMode::expiration;
  v(config, 2).prefixes = {"44"};
  for (int i = 1; i <= 3; ++i)
    v(config, i).priority = 0;
  return config;
}

std::string names_of(const Cdr& cdr) {
  std::string order;
  for (const Attempt& attempt : cdr.attempts)
    order += (order.empty() ? "" : " ") + attempt.vendor_gateway;
  return order;
}

/// Has every vendor refuse with 503, calls, and gives the order of INVITEs: "v2 v3".
std::string tried(Bench& bench, const std::string& callee = dialled) {
  for (Endpoint* vendor : bench.vendors)
    vendor->set_plan(refuse(503));
  auto call = bench.dial({}, callee);
  bench.run_s(5);
  REQUIRE(call->is_over());
  return names_of(bench.world.cdrs().back());
}

/// tried() when the policy hook names vendors.
std::string tried_of_named(const SwitchConfig& config, std::vector<std::string> named) {
  PolicyAnswer answer;
  std::unique_ptr<Bench> bench;
  answer.vendor_gateways = std::move(named);
  SwitchHooks hooks;
  hooks.policy_deadline_us = second_us;
  hooks.on_policy = [&](const PolicyQuestion& question) {
    bench->tandem->answer(question.token, answer);
  };
  bench = std::make_unique<Bench>(config, WorldOptions{}, hooks);
  return tried(*bench);
}

/// What a record says of the candidates, by rank: "v1 passed over, v3".
std::string recorded(const Cdr& cdr) {
  const auto choices = parse_route_choices(cdr.choices);
  REQUIRE(choices.ok());
  std::string text;
  for (std::size_t i = 0; i < choices->size(); ++i) {
    const RouteChoice& choice = (*choices)[i];
    CHECK(choice.rank == i);
    text += (i == 0 ? "" : ", ") + choice.vendor_gateway +
            (choice.passed_over == Reason::none ? "" : " passed over");
  }
  return text;
}

/// The candidates as explain has them, best first.
std::string explained(Bench& bench) {
  const std::string answer = bench.tandem->explain({"cust", "1000", dialled, std::nullopt}).value();
  const std::size_t end = answer.find("\"excluded\":[{\"gateway\"");
  std::string order;
  const std::string key = R"({"gateway":")";
  for (auto at = answer.find(key, answer.find("\"candidates\":")); at < end;
       at = answer.find(key, at + 1)) {
    const std::size_t begin = at + key.size();
    order += (order.empty() ? "" : " ") + answer.substr(begin, answer.find('"', begin) - begin);
  }
  return order;
}

/// Gives v1 an account of its own.
AccountConfig& pay_apart(SwitchConfig& c, std::string_view balance, const std::string& deck_id) {
  AccountConfig clearing = account("of-v1", balance, deck_id);
  clearing.kind = AccountKind::clearing;
  v(c, 1).account = "of-v1";
  c.provision.accounts.push_back(clearing);
  return c.provision.accounts.back();
}

/// v1 in a state in which it gets no calls.
struct Unable {
  const char* state;
  Reason reason;
  void (*set)(SwitchConfig& config);
};

const Unable unable[] = {
    {"full", Reason::AllGatewayBusy, [](SwitchConfig& c) { v(c, 1).line_limit = 0; }},
    {"broke", Reason::AccountBalanceNotEnough,
     [](SwitchConfig& c) {
       pay_apart(c, "1.00", "retail");
       for (int i = 2; i <= 3; ++i)
         v(c, i).account.clear();
       c.parameters.vendor_balance_minimum = money("5.00");
     }},
    {"locked account", Reason::AccountLocked,
     [](SwitchConfig& c) { pay_apart(c, "9.00", "retail").locked = true; }},
    {"without a rate", Reason::RateNotFound,
     [](SwitchConfig& c) {
       RateDeckConfig elsewhere = deck("elsewhere");
       elsewhere.rates.front().prefix = "9";
       c.provision.rate_decks.push_back(elsewhere);
       pay_apart(c, "9.00", "elsewhere");
       v(c, 1).require_rate = true;
     }},
    {"too dear", Reason::ProfitGuard,
     [](SwitchConfig& c) {
       c.provision.rate_decks.push_back(deck("dear", "0.90"));
       pay_apart(c, "9.00", "dear");
       v(c, 1).min_profit_hundredths = 0;
     }},
    {"not registered", Reason::Unregistered,
     [](SwitchConfig& c) {
       v(c, 1).addresses.clear();
       v(c, 1).registration = GatewayRegistration::dynamic;
       v(c, 1).auth = GatewayAuth{"carrier", "secret", {}};
     }},
};

}  // namespace

TEST_CASE("Descent: 447, 44 and none, 503 from each: the order of INVITEs in both modes (R-02)") {
  SwitchConfig config = levels();
  CHECK(tried(*std::make_unique<Bench>(config)) == "v1");
  v(config, 1).prefix_mode = PrefixMode::extension;
  CHECK(tried(*std::make_unique<Bench>(config)) == "v1 v2 v3");
  v(config, 2).prefix_mode = PrefixMode::expiration;
  CHECK(tried(*std::make_unique<Bench>(config)) == "v1 v2");
}

TEST_CASE("Descent: a passed over expiration vendor does not black-hole the prefix (R-02)") {
  for (const Unable& one : unable) {
    CAPTURE(one.state);
    SwitchConfig config = levels();
    one.set(config);
    Bench bench(config);
    CHECK(explained(bench) == "v2 v3");
    CHECK(tried(bench) == "v2 v3");
    const Cdr& cdr = bench.world.cdrs().back();
    CHECK(cdr.choices.find(reason_facts(one.reason).name) != std::string::npos);
    CHECK(cdr.attempts.size() == 2);
  }
}

TEST_CASE(
    "Descent: a vendor that was told to pause or is silent is passed over (R-02, R-16, R-17)") {
  SUBCASE("Retry-After") {
    Bench bench(levels());
    AnswerPlan pause = refuse(503);
    pause.retry_after_s = 60;
    bench.vendors[0]->set_plan(pause);
    auto first = bench.dial({}, dialled);
    bench.run_s(2);
    CHECK_MESSAGE(names_of(bench.world.cdrs().back()) == "v1", "it got the call");
    CHECK(tried(bench) == "v2 v3");
    bench.run_s(60);
    CHECK(tried(bench) == "v1");
  }
  SUBCASE("OPTIONS") {
    SwitchConfig config = levels();
    v(config, 1).options_check = true;
    config.parameters.options_check_s = 5;
    Bench bench(config);
    bench.vendors[0]->set_silent(true);
    bench.run_s(30);
    CHECK(tried(bench) == "v2 v3");
    bench.vendors[0]->set_silent(false);
    bench.run_s(20);
    CHECK(tried(bench) == "v1");
  }
}

TEST_CASE("Descent: the next expiration vendor ends it, when it is tried (R-02)") {
  SwitchConfig config = levels();
  v(config, 1).line_limit = 0;
  v(config, 2).prefix_mode = PrefixMode::expiration;
  CHECK(tried(*std::make_unique<Bench>(config)) == "v2");
  v(config, 2).line_limit = 0;
  CHECK(tried(*std::make_unique<Bench>(config)) == "v3");
  v(config, 3).line_limit = 0;
  Bench bench(config);
  CHECK(tried(bench) == "");
  CHECK(bench.world.cdrs().back().end_reason == Reason::AllGatewayBusy);
}

TEST_CASE("Descent: one of two expiration vendors of a prefix that was tried is enough (R-02)") {
  SwitchConfig config = levels();
  v(config, 2).prefixes = {"447"};
  v(config, 2).prefix_mode = PrefixMode::expiration;
  v(config, 1).line_limit = 0;
  CHECK(tried(*std::make_unique<Bench>(config)) == "v2");
  v(config, 2).prefix_mode = PrefixMode::extension;
  CHECK_MESSAGE(tried(*std::make_unique<Bench>(config)) == "v2 v3",
                "the one that could is of mode extension");
}

TEST_CASE("Descent: a vendor is tried once, also when a shorter prefix of it follows (R-02)") {
  SwitchConfig config = levels();
  v(config, 1).prefixes = {"447", "44", "4"};
  v(config, 1).line_limit = 0;
  Bench bench(config);
  CHECK(explained(bench) == "v2 v3");
  CHECK(tried(bench) == "v2 v3");
}

TEST_CASE("Descent: vendors behind a full one take their turns (R-02, R-04)") {
  SwitchConfig config = levels();
  v(config, 1).line_limit = 0;
  v(config, 3).prefixes = {"44"};
  Bench bench(config);
  std::string first;
  for (int i = 0; i < 4; ++i)
    first += tried(bench).substr(0, 3);
  CHECK(first == "v2 v3 v2 v3 ");
}

TEST_CASE("Descent: the parameter ends the list behind a passed over vendor too (R-02)") {
  SwitchConfig config = levels();
  config.parameters.stop_descent_when_passed_over = true;
  v(config, 1).line_limit = 0;
  Bench bench(config);
  CHECK(explained(bench) == "");
  CHECK(tried(bench) == "");
  CHECK(bench.world.cdrs().back().end_reason == Reason::AllGatewayBusy);
}

TEST_CASE("Descent: a passed over protect vendor keeps no protect vendor away (R-02, R-08)") {
  SwitchConfig config = levels();
  v(config, 1).protect = v(config, 2).protect = true;
  CHECK(tried(*std::make_unique<Bench>(config)) == "v3 v1");
  v(config, 1).line_limit = 0;
  CHECK(tried(*std::make_unique<Bench>(config)) == "v3 v2");
}

TEST_CASE("Descent: ordinary vendors behind a full one come before protect vendors (R-02, R-08)") {
  SwitchConfig config = base_config(4);
  for (int i = 1; i <= 4; ++i)
    v(config, i).priority = 0;
  v(config, 1).prefixes = {"447"};
  v(config, 1).prefix_mode = PrefixMode::expiration;
  v(config, 2).prefixes = {"447"};
  v(config, 2).protect = true;
  v(config, 3).prefixes = {"44"};
  v(config, 4).prefixes = {"44"};
  v(config, 4).protect = true;
  SUBCASE("the full one was not") { CHECK(tried(*std::make_unique<Bench>(config)) == "v1 v2"); }
  v(config, 1).line_limit = 0;
  SUBCASE("all are tried") {
    Bench bench(config);
    CHECK(explained(bench) == "v3 v2 v4");
    CHECK(tried(bench) == "v3 v2 v4");
    CHECK(recorded(bench.world.cdrs().back()) == "v1 passed over, v3, v2, v4");
  }
  SUBCASE("the first that is tried answers") {
    Bench bench(config);
    auto call = bench.dial({}, dialled);
    bench.run_s(2);
    CHECK(call->was_answered());
    call->hang_up();
    bench.check_clean();
    CHECK(names_of(bench.world.cdrs().back()) == "v3");
  }
  SUBCASE("a protect vendor that got the call keeps shorter protect vendors away") {
    v(config, 2).prefix_mode = PrefixMode::expiration;
    Bench bench(config);
    CHECK(explained(bench) == "v3 v2");
    CHECK(tried(bench) == "v3 v2");
    CHECK(recorded(bench.world.cdrs().back()) == "v1 passed over, v3, v2");
  }
  SUBCASE("one that did not keeps nobody") {
    v(config, 2).prefix_mode = PrefixMode::expiration;
    v(config, 2).line_limit = 0;
    CHECK(tried(*std::make_unique<Bench>(config)) == "v3 v4");
  }
  SUBCASE("an ordinary one that got the call ends the list, but for the longer protect ones") {
    v(config, 3).prefix_mode = PrefixMode::expiration;
    v(config, 4).prefixes = {"4"};
    CHECK(tried(*std::make_unique<Bench>(config)) == "v3 v2");
  }
}

TEST_CASE("Descent: a call that could go no further takes no turns there (R-02, R-04)") {
  SwitchConfig config = base_config(4);
  for (int i = 1; i <= 4; ++i) {
    v(config, i).priority = 0;
    v(config, i).prefixes = {i <= 2 ? "447" : "44"};
  }
  v(config, 1).prefix_mode = v(config, 2).prefix_mode = PrefixMode::expiration;
  v(config, 1).line_limit = 0;
  Bench bench(config);
  CHECK(tried(bench, "4420") == "v3 v4");
  CHECK(tried(bench) == "v2");
  CHECK(tried(bench, "4420") == "v4 v3");
}

TEST_CASE("Descent: a vendor that a policy hook did not name hides nobody (R-02)") {
  SwitchConfig config = base_config(3);
  for (int i = 1; i <= 3; ++i)
    v(config, i).priority = 0;
  v(config, 1).prefixes = v(config, 2).prefixes = {"447"};
  v(config, 1).prefix_mode = PrefixMode::expiration;
  v(config, 3).prefixes = {"44"};
  CHECK(tried_of_named(config, {"v2", "v3"}) == "v2 v3");
  CHECK_MESSAGE(tried_of_named(config, {"v3"}) == "v3", "no vendor of the longest prefix is named");
  CHECK_MESSAGE(tried_of_named(config, {"v3", "v1"}) == "v1", "it is named, and got the call");
  config.parameters.stop_descent_when_passed_over = true;
  CHECK(tried_of_named(config, {"v2", "v3"}) == "v2");
  CHECK(tried_of_named(config, {"v3"}) == "");
}
