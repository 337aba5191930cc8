// What explain says of calls that come to no vendor, of the rules that fired, and of more vendors
// than a call tries (R-23).
#include <string>

#include "flow/flow.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

VendorGateway& v(SwitchConfig& config, int number) {
  return config.provision.vendor_gateways[static_cast<std::size_t>(number - 1)];
}

CustomerGateway& cust(SwitchConfig& config) { return config.provision.customer_gateways[0]; }

std::string explained(const SwitchConfig& config, const std::string& from = "cust",
                      const std::string& callee = "00442079460000") {
  Bench bench(config);
  const auto answer = bench.tandem->explain({from, "1000", callee, std::nullopt});
  REQUIRE(answer.ok());
  return *answer;
}

bool says(const std::string& json, const std::string& part) {
  return json.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("Explain: a refused call names the vendors that it would have come to (R-23)") {
  SwitchConfig config = base_config(3);
  cust(config).rewrite_callee = "00:";
  v(config, 1).prefixes = {"4420"};
  v(config, 2).prefixes = {"44"};
  v(config, 2).line_limit = 0;
  v(config, 3).prefixes = {"33"};
  std::string from = "cust", refused;
  SUBCASE("no line") {
    cust(config).line_limit = 0;
    refused = "LineLimitExceeded";
  }
  SUBCASE("no money") {
    config.provision.accounts[0].balance = Amount();
    refused = "AccountBalanceNotEnough";
  }
  SUBCASE("no rate") {
    config.provision.rate_decks[0].rates[0].prefix = "1";
    refused = "RateNotFound";
  }
  SUBCASE("its number") {
    cust(config).numbers.deny_callee_prefixes = {"0044"};
    refused = "NumberRestricted";
  }
  const std::string answer = explained(config, from);
  CHECK(says(answer, R"("reject":")" + refused + '"'));
  CHECK(says(answer, R"("candidates":[])"));
  CHECK(says(answer, R"({"gateway":"v1","reason":"call_refused","rule":")" + refused +
                         R"(","prefix":"4420")"));
  CHECK(says(answer, R"({"gateway":"v2","reason":"AllGatewayBusy","rule":"line_limit")"));
  CHECK(says(answer, R"({"gateway":"v3","reason":"no_prefix_match"})"));
  CHECK_MESSAGE(!says(answer, R"("name":"routing")"), "the stages end where the call does");
}

TEST_CASE("Explain: a call of nobody's names every vendor too (R-23)") {
  SwitchConfig config = base_config(2);
  v(config, 2).prefixes = {"33"};
  const std::string answer = explained(config, "10.9.9.9", "442079460000");
  CHECK(says(answer, R"("reject":"IllegalCall")"));
  CHECK(says(answer, R"({"gateway":"v1","reason":"call_refused","rule":"IllegalCall"})"));
  CHECK(says(answer, R"({"gateway":"v2","reason":"no_prefix_match"})"));
}

TEST_CASE("Explain: rules say which entry of which setting fired (R-23, N-02, N-05, N-06, R-19)") {
  SwitchConfig config = base_config(4);
  config.provision.number_transforms = {{"a", "2000", "1000", ""}};
  cust(config).number_transform = true;
  cust(config).rewrite_callee = "33:,00:";
  cust(config).split = {{1, "a"}};
  v(config, 1).rewrite_callee = "b:,a44:0";
  v(config, 2).numbers.deny_callee_prefixes = {"33", "4420"};
  v(config, 3).numbers.deny_pairs = {{"9", "9"}, {"2", "442"}};
  v(config, 4).periods.emplace_back().forbid_callee_prefixes = {"44"};
  const std::string answer = explained(config);
  CHECK(says(answer, R"("rules":["rewrite_callee[1] 00:"])"));
  CHECK(says(answer, R"("rules":["split[0] a"])"));
  CHECK(says(answer, R"("rules":["number_transforms 2000"])"));
  CHECK(says(answer, R"("rules":["rewrite_callee[1] a44:0"])"));
  CHECK(
      says(answer,
           R"("gateway":"v2","reason":"number_restricted","rule":"callee_denied","entry":"4420")"));
  CHECK(
      says(answer,
           R"("gateway":"v3","reason":"number_restricted","rule":"pair_denied","entry":"2:442")"));
  CHECK(says(answer,
             R"("gateway":"v4","reason":"number_restricted","rule":"callee_denied","entry":"44")"));
  cust(config).numbers.deny_callers = {NumberSet::build({"1000"}).value()};
  CHECK(
      says(explained(config), R"("verdict":"NumberRestricted","rules":["caller_denied group 1"])"));
}

TEST_CASE("Explain: who sent the call on is told, and judged by the vendors' lists (N-06, R-23)") {
  SwitchConfig config = base_config(2);
  v(config, 1).deny_forward_prefixes = {"33"};
  v(config, 2).allow_forward_prefixes = {"33"};
  Bench bench(config);
  ExplainRequest request{"cust", "1000", "442079460000"};
  auto answer = bench.tandem->explain(request);
  REQUIRE(answer.ok());
  CHECK(says(*answer, R"("excluded":[])"));
  request.forwarder = "33123456789";
  answer = bench.tandem->explain(request);
  REQUIRE(answer.ok());
  CHECK(says(*answer,
             R"({"gateway":"v1","reason":"NumberRestricted","rule":"deny_forward_prefixes")"));
  request.forwarder = "44";
  answer = bench.tandem->explain(request);
  REQUIRE(answer.ok());
  CHECK(says(*answer,
             R"({"gateway":"v2","reason":"NumberRestricted","rule":"allow_forward_prefixes")"));
  for (const char* bad : {"", "no number", "442079990000442079990000442079990000"}) {
    request.forwarder = bad;
    CHECK(bench.tandem->explain(request).error().code == ErrorCode::invalid_argument);
  }
}

TEST_CASE("Explain: a call comes to 256 vendors at most, and explain says so (R-23)") {
  SwitchConfig config = base_config(1);
  for (int i = 2; i <= 258; ++i)
    config.provision.vendor_gateways.push_back(
        vendor("w" + std::to_string(i),
               "10.1." + std::to_string(i / 200) + "." + std::to_string(i % 200 + 1), i));
  const std::string answer = explained(config);
  CHECK(says(answer, R"({"gateway":"w256","prefix":"","rank":255)"));
  CHECK(says(answer, R"({"gateway":"w257","reason":"not_come_to","rule":"candidates_max"})"));
  CHECK(says(answer, R"({"gateway":"w258","reason":"not_come_to","rule":"candidates_max"})"));
}
