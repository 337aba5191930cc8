// Browsers as phones (P-01, RFC 7118), in virtual time: they register over WebSocket, call and are
// called over that connection.
#include <algorithm>

#include "flow/flow.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

struct Web {
  World world;
  SwitchConfig config = base_config(0);
  std::unique_ptr<Switch> tandem;
  Endpoint* customer = nullptr;
  Endpoint* browser = nullptr;

  Web() {
    config.sip_listen.push_back({SipTransport::ws, at("10.0.0.1:80")});
    PhoneConfig phone;
    phone.id = phone.number = "1002";
    phone.password = "secret-1002";
    phone.account = "acme";
    config.provision.phones = {phone};
    customer = endpoint("10.0.1.1", false);
    browser = endpoint("10.0.3.2", true);
  }
  ~Web() { tandem.reset(); }

  Endpoint* endpoint(const std::string& ip, bool is_browser) {
    EndpointConfig settings;
    settings.address = ip + ":5060";
    settings.peer = switch_address;
    settings.is_browser = is_browser;
    auto made = world.add_endpoint(settings);
    if (!made) FAIL(made.error().message);
    return *made;
  }
  void open() {
    auto made = world.create_switch(config, {});
    if (!made) FAIL(made.error().message);
    tandem = std::move(*made);
    REQUIRE(tandem->start().ok());
  }
  void register_browser() {
    browser->register_user("1002", "secret-1002", 3600, SipTransport::ws);
    world.run_for_us(2 * second_us);
  }
  std::shared_ptr<EndpointCall> dial(Endpoint* from, const std::string& callee,
                                     const DialPlan& plan = {}) {
    auto call = from->dial(callee, "1000", plan);
    world.run_for_us(2 * second_us);
    return call;
  }
  void check_clean() {
    REQUIRE(world.run_until_idle());
    const SwitchCounters counters = tandem->counters();
    CHECK(counters.calls_live == 0);
    CHECK(counters.dialogs_live == 0);
    CHECK(counters.transactions_live == 0);
    CHECK(counters.calls_started == counters.calls_ended);
  }
};

}  // namespace

TEST_CASE("WebSocket: a browser registers and is called over its connection (P-01, P-05)") {
  Web bench;
  bench.open();
  bench.register_browser();
  REQUIRE(bench.browser->registration_status("1002") == 200);
  const auto contacts = bench.tandem->phone("1002")->contacts;
  REQUIRE(contacts.size() == 1);
  CHECK(contacts[0].transport == "ws");
  CHECK(contacts[0].uri.find("transport=ws") != std::string::npos);
  for (const bool caller_hangs_up : {true, false}) {
    CAPTURE(caller_hangs_up);
    auto call = bench.dial(bench.customer, "1002");
    REQUIRE(call->was_answered());
    const auto far = bench.browser->last_call();
    REQUIRE(far->was_answered());
    CHECK(far->callee() == "1002");
    (caller_hangs_up ? call : far)->hang_up();
    bench.world.run_for_us(2 * second_us);
    CHECK((caller_hangs_up ? far : call)->is_over());
  }
  REQUIRE(bench.world.cdrs().size() == 2);
  CHECK(bench.world.cdrs()[0].vendor_gateway == "phone:1002");
  CHECK(bench.browser->received("INVITE") == 0);  // counted on UDP only
  CHECK(bench.tandem->counters().websockets_opened == 1);
  CHECK(bench.tandem->counters().websocket_failures == 0);
  bench.check_clean();
}

TEST_CASE("WebSocket: a browser that only answers pings stays on line (P-01)") {
  Web bench;
  bench.open();
  bench.register_browser();
  bench.world.run_for_us(1'000 * second_us);  // five times as long as silence is borne
  CHECK(bench.tandem->phone("1002")->contacts.size() == 1);
  auto call = bench.dial(bench.customer, "1002");
  CHECK(call->was_answered());
  call->hang_up();
  bench.world.run_for_us(2 * second_us);
  CHECK(bench.tandem->counters().websockets_opened == 1);
}

TEST_CASE("WebSocket: a browser calls out, and its number is charged (P-01)") {
  Web bench;
  Endpoint* const far = bench.endpoint("10.0.2.1", false);
  VendorGateway out = vendor("v1", "10.0.2.1", 1);
  out.account = "clearing";
  bench.config.provision.vendor_gateways = {out};
  bench.open();
  DialPlan plan;
  plan.transport = SipTransport::ws;
  plan.username = "1002";
  plan.password = "secret-1002";
  auto call = bench.browser->dial("442079460000", "1002", plan);
  bench.world.run_for_us(2 * second_us);
  REQUIRE(call->was_answered());
  CHECK(far->last_call()->was_answered());
  bench.world.run_for_us(10 * second_us);
  call->hang_up();
  bench.world.run_for_us(2 * second_us);
  REQUIRE(bench.world.cdrs().size() == 1);
  CHECK(bench.world.cdrs()[0].vendor_gateway == "v1");
  CHECK(bench.world.cdrs()[0].customer_gateway == "phone:1002");
  bench.check_clean();
}

TEST_CASE("WebSocket: a page behind a customer's address does not call as the customer (P-01)") {
  Web bench;
  bench.config.provision.vendor_gateways = {vendor("v1", "10.0.2.1", 1)};
  bench.config.provision.vendor_gateways.back().account = "clearing";
  Endpoint* const far = bench.endpoint("10.0.2.1", false);
  EndpointConfig settings;
  settings.address = "10.0.1.1:40000";  // as the customer's NAT shows it
  settings.peer = switch_address;
  settings.is_browser = true;
  auto page = bench.world.add_endpoint(settings);
  REQUIRE(page.ok());
  bench.open();
  DialPlan plan;
  plan.transport = SipTransport::ws;
  auto forged = bench.dial(*page, "442079460000", plan);
  CHECK_FALSE(forged->was_answered());
  CHECK(far->received("INVITE") == 0);
  CHECK(bench.tandem->counters().websockets_opened == 1);
  auto honest = bench.dial(bench.customer, "442079460000");
  CHECK(honest->was_answered());
  honest->hang_up();
  bench.world.run_for_us(2 * second_us);
  bench.check_clean();
}

TEST_CASE("WebSocket: a switch does not start with origins where there is no WebSocket (P-01)") {
  Web bench;
  bench.config.sip_listen.front().origins = {"https://phone.example"};
  auto made = bench.world.create_switch(bench.config, {});
  REQUIRE_FALSE(made.ok());
  CHECK(made.error().message.find("/sip/listen/0/origins") != std::string::npos);
}
