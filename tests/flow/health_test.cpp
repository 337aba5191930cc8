// Vendors that ask to be left alone or do not answer: Retry-After (R-16) and OPTIONS checks (R-17)
// in whole calls.
#include "flow/flow.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

/// v1 with two addresses that are checked every 5 s, then v2 without checks.
SwitchConfig checked_config() {
  SwitchConfig config = base_config(2);
  config.parameters.options_check_s = 5;
  VendorGateway& first = config.provision.vendor_gateways[0];
  first.addresses.push_back(gateway_address("10.0.2.11:5060"));
  first.options_check = true;
  return config;
}

const GatewayAddressView& address_of(const std::vector<GatewayView>& views, std::size_t index) {
  for (const GatewayView& view : views) {
    if (view.id == "v1") return view.addresses.at(index);
  }
  FAIL("no v1");
  return views.front().addresses.front();
}

std::string explained(Bench& bench) {
  auto text = bench.tandem->explain({"cust", "1000", "442079460000", std::nullopt});
  REQUIRE(text.ok());
  return *text;
}

/// Dials, and says which vendor address answered.
std::string answered_by(Bench& bench) {
  auto call = bench.connect();
  call->hang_up();
  bench.run_s(1);  // never idle: checks go on
  return bench.world.cdrs().back().callee_ip;
}

}  // namespace

TEST_CASE("Health: a vendor's 503 with Retry-After 5 gets no INVITE for 5 s, then again (R-16)") {
  Bench bench(base_config(2));
  AnswerPlan busy = refuse(503);
  busy.retry_after_s = 5;
  bench.vendors[0]->set_plan(busy);
  auto call = bench.connect();
  call->hang_up();
  CHECK(bench.vendors[0]->received("INVITE") == 1);
  bench.run_s(2);
  CHECK(answered_by(bench) == "10.0.2.2:5060");
  CHECK(bench.vendors[0]->received("INVITE") == 1);
  CHECK(address_of(bench.tandem->gateways(), 0).disabled_ms > 1'500);
  CHECK(explained(bench).find(
            R"({"gateway":"v1","reason":"NoAvailableRouter","rule":"retry_after")") !=
        std::string::npos);
  bench.vendors[0]->set_plan(AnswerPlan{});
  bench.run_s(4);
  CHECK(address_of(bench.tandem->gateways(), 0).disabled_ms == 0);
  CHECK(answered_by(bench) == "10.0.2.1:5060");
  bench.check_clean();
}

TEST_CASE("Health: when the only vendor asked to be left alone the caller gets 503 (R-16)") {
  Bench bench;
  AnswerPlan closing = refuse(429);  // any 4xx, 5xx, 6xx counts that is not about the callee
  closing.retry_after_s = 10;
  bench.b->set_plan(closing);
  auto first = bench.dial();
  bench.run_s(1);
  CHECK(first->status() == 429);
  CHECK(first->retry_after_s() == 0);
  auto second = bench.dial();
  bench.run_s(1);
  CHECK(second->status() == 503);
  CHECK(bench.b->received("INVITE") == 1);
  bench.check_clean();
  CHECK(bench.world.cdrs().back().end_reason == Reason::NoAvailableRouter);
}

TEST_CASE(
    "Health: calls go to the next address while one is silent, and come back with it (R-17)") {
  std::vector<std::string> told;
  SwitchHooks hooks;
  hooks.on_event = [&](const Event& event) {
    if (event.kind == Event::Kind::gateway) told.push_back(event.gateway + " " + event.text);
  };
  Bench bench(checked_config(), {}, hooks);
  Endpoint* const spare = bench.endpoint("10.0.2.11:5060");
  bench.run_s(1);
  CHECK(bench.vendors[0]->received("OPTIONS") == 1);
  CHECK(spare->received("OPTIONS") == 1);
  CHECK(bench.vendors[1]->received("OPTIONS") == 0);
  CHECK(answered_by(bench) == "10.0.2.1:5060");

  REQUIRE(bench.world.partition(ip(switch_ip), ip("10.0.2.1")).ok());
  bench.run_s(16);  // what is asked at 5 and 10 is unanswered at 15
  CHECK_FALSE(address_of(bench.tandem->gateways(), 0).is_online);
  CHECK(address_of(bench.tandem->gateways(), 1).is_online);
  CHECK(answered_by(bench) == "10.0.2.11:5060");

  REQUIRE(bench.world.heal(ip(switch_ip), ip("10.0.2.1")).ok());
  bench.run_s(6);
  CHECK(address_of(bench.tandem->gateways(), 0).is_online);
  CHECK(answered_by(bench) == "10.0.2.1:5060");
  CHECK(told == std::vector<std::string>{"v1 10.0.2.1:5060 does not answer",
                                         "v1 10.0.2.1:5060 answers again"});
}

TEST_CASE("Health: a vendor without any living address is passed over until one answers (R-17)") {
  Bench bench(checked_config());
  REQUIRE(bench.world.partition(ip(switch_ip), ip("10.0.2.1")).ok());
  bench.run_s(12);  // nobody owns 10.0.2.11
  CHECK(answered_by(bench) == "10.0.2.2:5060");
  CHECK(explained(bench).find(
            R"({"gateway":"v1","reason":"NoAvailableRouter","rule":"options_check")") !=
        std::string::npos);

  bench.config.provision.vendor_gateways[0].options_check = false;
  REQUIRE(bench.tandem->reload(bench.config).ok());
  CHECK(address_of(bench.tandem->gateways(), 0).is_online);  // nobody says otherwise any more
  REQUIRE(bench.world.heal(ip(switch_ip), ip("10.0.2.1")).ok());
  CHECK(answered_by(bench) == "10.0.2.1:5060");
}
