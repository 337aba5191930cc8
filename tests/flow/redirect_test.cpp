// Vendors that send a call elsewhere (P-21, RFC 3261 section 8.1.3.4).
#include <map>
#include <string>
#include <vector>

#include "flow/office.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

/// A vendor at v1's address that answers every INVITE with 302 and the Contacts of its user.
struct Redirector {
  RawEndpoint* port = nullptr;
  std::map<std::string, std::string> contacts;  ///< By user part.
  std::string status = "302 Moved Temporarily";
  std::vector<std::string> asked;

  Redirector(Bench& bench, const std::string& address) {
    port = *bench.world.add_raw_endpoint(address);
    port->on_datagram([this](const RawDatagram& datagram) { take(datagram); });
  }
  void take(const RawDatagram& datagram) {
    const std::string& request = datagram.bytes;
    if (!request.starts_with("INVITE sip:")) return;
    const std::string user = request.substr(11, request.find('@') - 11);
    if (asked.empty() || asked.back() != user) asked.push_back(user);
    port->send(datagram.from,
               "SIP/2.0 " + status + "\r\nVia: " + header(request, "Via") +
                   "\r\nFrom: " + header(request, "From") + "\r\nTo: " + header(request, "To") +
                   ";tag=r\r\nCall-ID: " + header(request, "Call-ID") +
                   "\r\nCSeq: " + header(request, "CSeq") + "\r\nContact: " + contacts[user] +
                   "\r\nContent-Length: 0\r\n\r\n");
  }
};

/// v1 redirects from 10.0.2.1:5099; v1's own endpoint is at 10.0.2.1:5060, v2's at 10.0.2.2:5060.
struct Redirected {
  Bench bench;
  Redirector redirector;

  explicit Redirected(const RedirectRules& rules)
      : bench(config(rules)), redirector(bench, "10.0.2.1:5099") {}
  static SwitchConfig config(const RedirectRules& rules) {
    SwitchConfig config = base_config(2);
    VendorGateway& first = config.provision.vendor_gateways[0];
    first.sip.redirects = rules;
    return config;
  }
  void begin() {
    SwitchConfig update = bench.config;
    update.provision.vendor_gateways[0].addresses = {gateway_address("10.0.2.1:5099")};
    REQUIRE(bench.tandem->reload(update).ok());
  }
};

RedirectRules followed(std::initializer_list<const char*> networks = {}) {
  RedirectRules rules;
  rules.are_followed = true;
  for (const char* network : networks)
    rules.networks.push_back(IpNetwork::parse(network).value());
  return rules;
}

}  // namespace

TEST_CASE("Redirect: a place outside of the vendor's geofence is not called (P-21, S-01)") {
  Redirected flow(followed({"10.0.2.0/24"}));
  flow.bench.config.provision.geofence_areas = {{"far", {IpRange::parse("10.0.2.2").value()}}};
  flow.bench.config.provision.vendor_gateways[0].geofence.mode = GeofenceMode::forbidden;
  flow.begin();
  flow.redirector.contacts["442079460000"] = "<sip:7777@10.0.2.2:5060>";
  const auto call = flow.bench.connect();
  CHECK(flow.bench.vendors[1]->last_call()->callee() == "442079460000");  // its own turn
  call->hang_up();
  CHECK(flow.bench.only_cdr().attempts.size() == 2);
}

TEST_CASE("Redirect: a vendor's other place takes the call within one attempt (P-21)") {
  Redirected flow(followed());
  flow.begin();
  flow.redirector.contacts["442079460000"] =
      "<sip:9000@10.0.2.9>;q=0.9, <sip:7777@10.0.2.1:5060;trunk=7>;q=0.5";
  const auto call = flow.bench.connect();
  CHECK(flow.bench.b->last_call()->callee() == "7777");
  call->hang_up();
  const Cdr& cdr = flow.bench.only_cdr();
  REQUIRE(cdr.attempts.size() == 1);
  CHECK(cdr.attempts[0].vendor_gateway == "v1");
  CHECK(cdr.attempts[0].sip_status == 200);
  CHECK(cdr.callee_out == "7777");
  CHECK(cdr.callee_ip == "10.0.2.1:5060");
  CHECK(flow.bench.vendors[1]->received("INVITE") == 0);
}

TEST_CASE("Redirect: not followed unless the vendor's settings say so, and not anywhere (P-21)") {
  RedirectRules rules;
  std::string contact = "<sip:7777@10.0.2.1:5060>";
  SUBCASE("off") {}
  SUBCASE("to a host that is not listed") {
    rules = followed({"10.0.3.0/24"});
    contact = "<sip:7777@10.0.4.1>, <sip:7777@elsewhere.example>";
  }
  SUBCASE("to itself") {
    rules = followed();
    contact = "<sip:442079460000@10.0.2.1:5099>";
  }
  SUBCASE("by a status that names no places to try") { rules = followed(); }
  Redirected flow(rules);
  flow.begin();
  if (rules.are_followed && contact == "<sip:7777@10.0.2.1:5060>")
    flow.redirector.status = "305 Use Proxy";
  flow.redirector.contacts["442079460000"] = contact;
  const auto call = flow.bench.connect();
  call->hang_up();
  const Cdr& cdr = flow.bench.only_cdr();
  REQUIRE(cdr.attempts.size() == 2);
  CHECK(cdr.attempts[0].sip_status / 100 == 3);
  CHECK(cdr.attempts[1].vendor_gateway == "v2");
  CHECK(flow.bench.vendors[0]->received("INVITE") == 0);
}

TEST_CASE(
    "Redirect: a listed network is followed into, and a dead place left for the next (P-21)") {
  Redirected flow(followed({"10.0.3.0/24"}));
  flow.begin();
  Endpoint* other = flow.bench.endpoint("10.0.3.5:5060");
  flow.redirector.contacts["442079460000"] = "<sip:1@10.0.3.4>, <sip:2@10.0.3.5>;q=0.1";
  const auto call = flow.bench.connect();
  CHECK(other->last_call()->callee() == "2");
  call->hang_up();
  CHECK(flow.bench.only_cdr().attempts.size() == 1);
}

TEST_CASE("Redirect: a circle is left after three places, for the next vendor (P-21)") {
  Redirected flow(followed());
  flow.begin();
  auto& contacts = flow.redirector.contacts;
  contacts["442079460000"] = "<sip:1@10.0.2.1:5099>";
  contacts["1"] = "<sip:442079460000@10.0.2.1:5099>, <sip:2@10.0.2.1:5099>";
  contacts["2"] = "<sip:1@10.0.2.1:5099>, <sip:3@10.0.2.1:5099>";
  contacts["3"] = "<sip:4@10.0.2.1:5099>";
  const auto call = flow.bench.connect();
  CHECK(flow.redirector.asked == std::vector<std::string>{"442079460000", "1", "2", "3"});
  call->hang_up();
  const Cdr& cdr = flow.bench.only_cdr();
  REQUIRE(cdr.attempts.size() == 2);
  CHECK(cdr.attempts[0].sip_status == 302);
}

TEST_CASE("Redirect: a callee that is busy everywhere ends it, and so does one that has rung") {
  Redirected flow(followed());
  flow.begin();
  flow.redirector.contacts["442079460000"] = "<sip:1@10.0.2.1:5060>, <sip:2@10.0.2.1:5060>";
  SUBCASE("603") { flow.bench.b->set_plan("1", refuse(603)); }
  SUBCASE("rung") {
    AnswerPlan plan = refuse(404, second_us);
    plan.ring_after_us = 0;
    flow.bench.b->set_plan("1", plan);
  }
  const auto call = flow.bench.dial();
  flow.bench.run_s(5);
  CHECK(call->is_over());
  CHECK_FALSE(call->was_answered());
  CHECK(flow.bench.b->counters().calls_in == 1);
  flow.bench.check_clean();
}

TEST_CASE("Redirect: a caller that gives up meanwhile leaves nothing behind") {
  Redirected flow(followed());
  flow.begin();
  flow.redirector.contacts["442079460000"] = "<sip:1@10.0.2.1:5060>";
  flow.bench.b->set_plan(answer_after(20 * second_us));
  DialPlan plan;
  plan.cancel_after_us = 3 * second_us;
  const auto call = flow.bench.dial(plan);
  flow.bench.run_s(5);
  CHECK(call->is_over());
  CHECK(flow.bench.b->last_call()->is_over());
  CHECK(flow.bench.only_cdr().end_reason == Reason::CallerCancel);
}

namespace {

/// v1 is a redirect server at 10.0.2.1:5099; v2 and v3 are vendors.
struct Directed {
  Bench bench;
  Redirector server;
  std::string dialled = "442079460000";

  explicit Directed(SwitchConfig config = three())
      : bench(std::move(config)), server(bench, "10.0.2.1:5099") {
    SwitchConfig update = bench.config;
    update.provision.vendor_gateways[0].addresses = {gateway_address("10.0.2.1:5099")};
    REQUIRE(bench.tandem->reload(update).ok());
  }
  static SwitchConfig three() {
    SwitchConfig config = base_config(3);
    config.provision.vendor_gateways[0].sip.redirects.to_gateways = true;
    return config;
  }
  [[nodiscard]] std::size_t asked(std::size_t vendor) const {
    return bench.vendors[vendor]->received("INVITE");
  }
  /// A call that is refused; its status.
  int refused() {
    const auto call = bench.dial({}, dialled);
    REQUIRE(bench.world.run_until([&] { return call->is_over(); }, 90 * second_us));
    CHECK_FALSE(call->was_answered());
    bench.check_clean();
    return call->status();
  }
};

}  // namespace

TEST_CASE("Redirect server: its Contacts say who gets the call, and with which number (I-03)") {
  Directed flow;
  std::size_t taker = 1;
  std::string callee = "8888";
  SUBCASE("in the order of their q") {
    flow.server.contacts[flow.dialled] = "<sip:7777@10.0.2.3>;q=0.5, <sip:8888@10.0.2.2>;q=0.9";
  }
  SUBCASE("the next one when the first one fails") {
    flow.bench.vendors[1]->set_plan(refuse(503, second_us));
    flow.server.contacts[flow.dialled] = "<sip:8888@10.0.2.2>, <sip:7777@10.0.2.3>;q=0.5";
    taker = 2;
    callee = "7777";
  }
  SUBCASE("by the id of a gateway, with a prefix") {
    flow.server.contacts[flow.dialled] = "<sip:7777@192.0.2.99;gw=v3;prefix=99>";
    taker = 2;
    callee = "997777";
  }
  SUBCASE("by the id as host, with the number that was dialled") {
    flow.server.contacts[flow.dialled] = "<sip:v3>";
    taker = 2;
    callee = flow.dialled;
  }
  SUBCASE("past places that are nobody's") {
    flow.server.contacts[flow.dialled] = "<sip:1@192.0.2.99>, <sip:2@10.0.2.1:5099>, <sip:8888@v2>";
  }
  const auto call = flow.bench.connect();
  CHECK(flow.bench.vendors[taker]->last_call()->callee() == callee);
  call->hang_up();
  const Cdr& cdr = flow.bench.only_cdr();
  CHECK(cdr.attempts.front().vendor_gateway == "v1");
  CHECK(cdr.attempts.front().sip_status == 302);
  CHECK(cdr.vendor_gateway == (taker == 1 ? "v2" : "v3"));
  CHECK(cdr.callee == flow.dialled);  // which the customer pays for
  CHECK(cdr.callee_out == callee);
}

TEST_CASE("Redirect server: what it refuses goes nowhere else (I-03)") {
  SwitchConfig config = Directed::three();
  int status = 503;
  std::string contact = "<sip:1@192.0.2.99>", answer = "302 Moved Temporarily";
  SUBCASE("with its status") {
    answer = "486 Busy Here";
    status = 486;
  }
  SUBCASE("by naming nobody") {}
  SUBCASE("by naming itself") { contact = "<sip:1@v1>, <sip:1@10.0.2.1:5099>"; }
  SUBCASE("by what is no number") { contact = "<sip:nobody!@v2>"; }
  SUBCASE("by naming a vendor that is locked") {
    config.provision.vendor_gateways[1].locked = true;
    contact = "<sip:1@v2>";
  }
  SUBCASE("by naming a vendor that the number is not for") {
    config.provision.vendor_gateways[1].prefixes = {"33"};
    contact = "<sip:1@v2>";
  }
  Directed flow(config);
  flow.server.contacts[flow.dialled] = contact;
  flow.server.status = answer;
  CHECK(flow.refused() == status);
  CHECK(flow.asked(1) == 0);
  CHECK(flow.asked(2) == 0);
  const Cdr& cdr = flow.bench.only_cdr();
  if (status != 503) {
    CHECK(cdr.end_reason == Reason::CalleeBusy);
    CHECK(cdr.release_side == ReleaseSide::callee);
  } else {
    CHECK(cdr.end_reason == Reason::RedirectFailed);
    CHECK(cdr.end_code == -34);
    CHECK(cdr.q850_cause == 41);
    CHECK(cdr.release_side == ReleaseSide::server);
    CHECK(cdr.attempts.front().sip_status == 302);
  }
}

TEST_CASE("Redirect server: when it says nothing of use, the own routing holds (I-03)") {
  SwitchConfig config = Directed::three();
  config.provision.vendor_gateways[0].sip.timers.invite_s = 2;
  SUBCASE("it is silent") {
    Bench bench(config);
    bench.vendors[0]->set_silent(true);
    const auto call = bench.connect();
    CHECK(bench.vendors[1]->last_call()->callee() == "442079460000");
    call->hang_up();
    CHECK(bench.only_cdr().attempts.size() == 2);
    CHECK(bench.only_cdr().pdd_ms >= 2000);
    CHECK(bench.only_cdr().pdd_ms < 4000);
  }
  SUBCASE("it takes the call") {
    Directed flow(config);
    flow.server.status = "200 OK";
    flow.server.contacts[flow.dialled] = "<sip:1@10.0.2.1:5099>";
    const auto call = flow.bench.connect();
    CHECK(flow.bench.vendors[1]->last_call()->callee() == flow.dialled);
    call->hang_up();
    CHECK(flow.bench.only_cdr().vendor_gateway == "v2");
  }
}

TEST_CASE("Redirect server: it may say whom vendors are shown as the caller (I-03)") {
  SwitchConfig config = Directed::three();
  config.provision.vendor_gateways[1].numbers.allow_caller_prefixes = {"49"};
  std::string caller = "4930123", said = "4930123";
  bool is_taken = true;
  SUBCASE("a number") {}
  SUBCASE("a number with escapes") { said = "%34930123"; }
  SUBCASE("a number that the vendor's lists refuse") {
    said = "4430123";
    is_taken = false;
  }
  SUBCASE("what is no number") {
    said = "nobody!";
    is_taken = false;
  }
  Directed flow(config);
  flow.server.contacts[flow.dialled] = "<sip:8888@10.0.2.2;caller=" + said + ">";
  if (!is_taken) {
    CHECK(flow.refused() == 503);
    CHECK(flow.bench.only_cdr().end_reason == Reason::RedirectFailed);
    CHECK(flow.asked(1) == 0);
    return;
  }
  const auto call = flow.bench.connect();
  CHECK(flow.bench.vendors[1]->last_call()->caller() == caller);
  call->hang_up();
  const Cdr& cdr = flow.bench.only_cdr();
  CHECK(cdr.caller == "1000");
  CHECK(cdr.caller_out == caller);
  CHECK(cdr.attempts.back().caller_out == caller);
}

TEST_CASE("Redirect server: the caller that one place is shown says nothing of the next (I-03)") {
  Directed flow;
  flow.bench.vendors[1]->set_plan(refuse(503));
  flow.server.contacts[flow.dialled] = "<sip:1@v2;caller=4930123>, <sip:2@v3>;q=0.5";
  const auto call = flow.bench.connect();
  CHECK(flow.bench.vendors[2]->last_call()->caller() == "1000");
  call->hang_up();
  CHECK(flow.bench.only_cdr().caller_out == "1000");
}

TEST_CASE("Redirect server: each customer says what they are to its calls (I-03)") {
  SwitchConfig config = Directed::three();
  CustomerGateway& customer = config.provision.customer_gateways[0];
  // By prefix and priority it would come last, and behind one that ends the descent.
  VendorGateway& server = config.provision.vendor_gateways[0];
  server.priority = 9;
  config.provision.vendor_gateways[1].prefixes = {"442"};
  config.provision.vendor_gateways[1].prefix_mode = PrefixMode::expiration;
  std::size_t asked = 1;
  bool is_led = true;
  SUBCASE("vendors among others") {
    asked = 0;
    is_led = false;
  }
  SUBCASE("nothing") {
    customer.redirect_servers = RedirectServers::off;
    asked = 0;
    is_led = false;
  }
  SUBCASE("asked first") { customer.redirect_servers = RedirectServers::first; }
  SUBCASE("alone in deciding") { customer.redirect_servers = RedirectServers::only; }
  Directed flow(config);
  flow.server.contacts[flow.dialled] = "<sip:8888@v3>";
  const auto call = flow.bench.connect();
  CHECK(flow.server.asked.size() == asked);
  CHECK(flow.bench.vendors[is_led ? 2 : 1]->last_call()->callee() ==
        (is_led ? "8888" : flow.dialled));
  call->hang_up();
  CHECK(flow.bench.only_cdr().attempts.size() == asked + 1);
}

TEST_CASE("Redirect server: one that is off stays so when the others fail (I-03)") {
  SwitchConfig config = Directed::three();
  config.provision.customer_gateways[0].redirect_servers = RedirectServers::off;
  Directed flow(config);
  for (const std::size_t vendor : {1U, 2U})
    flow.bench.vendors[vendor]->set_plan(refuse(503));
  flow.server.contacts[flow.dialled] = "<sip:8888@v3>";
  CHECK(flow.refused() == 503);
  CHECK(flow.server.asked.empty());
  CHECK(flow.bench.only_cdr().attempts.size() == 2);
}

TEST_CASE("Redirect server: two seconds of silence, then the next one or what the setting says") {
  SwitchConfig config = base_config(3);
  for (const std::size_t i : {0U, 1U})
    config.provision.vendor_gateways[i].sip.redirects.to_gateways = true;
  CustomerGateway& customer = config.provision.customer_gateways[0];
  bool only = false;
  SUBCASE("the own routing") { customer.redirect_servers = RedirectServers::first; }
  SUBCASE("no routing") {
    customer.redirect_servers = RedirectServers::only;
    only = true;
  }
  Bench bench(config);
  for (const std::size_t i : {0U, 1U})
    bench.vendors[i]->set_silent(true);
  const auto call = bench.dial();
  bench.run_s(5);
  CHECK(call->was_answered() == !only);
  CHECK(bench.vendors[2]->received("INVITE") == (only ? 0 : 1));
  if (!only) call->hang_up();
  const Cdr& cdr = bench.only_cdr();
  CHECK(cdr.attempts.size() == (only ? 2 : 3));
  if (only) {
    CHECK(call->status() == 503);
    CHECK(cdr.end_reason == Reason::RedirectFailed);
    CHECK(cdr.attempts[1].reason == Reason::InviteTimeout);
  } else {
    CHECK(cdr.pdd_ms >= 4000);
  }
}

TEST_CASE("Redirect server: vendors of one rank take turns behind servers that are asked first") {
  SwitchConfig config = base_config(3);
  config.provision.vendor_gateways[0].sip.redirects.to_gateways = true;
  config.provision.vendor_gateways[2].priority = config.provision.vendor_gateways[1].priority;
  config.provision.customer_gateways[0].redirect_servers = RedirectServers::first;
  Bench bench(config);
  bench.vendors[0]->set_silent(true);
  for (int i = 0; i < 4; ++i) {
    const auto call = bench.dial();
    bench.run_s(4);
    CHECK(call->was_answered());
    call->hang_up();
    bench.run_s(1);
  }
  CHECK(bench.vendors[1]->received("INVITE") == 2);
  CHECK(bench.vendors[2]->received("INVITE") == 2);
}

TEST_CASE("Redirect server: one that is asked first hides no vendor by its prefixes (R-02, I-03)") {
  SwitchConfig config = base_config(3);
  VendorGateway& server = config.provision.vendor_gateways[0];
  server.sip.redirects.to_gateways = true;
  server.prefixes = {"442"};
  server.prefix_mode = PrefixMode::expiration;
  config.provision.vendor_gateways[1].prefixes = {"442"};
  config.provision.vendor_gateways[2].prefixes = {"44"};
  config.provision.customer_gateways[0].redirect_servers = RedirectServers::first;
  SUBCASE("as it is") {}
  SUBCASE("where vendors that were passed over hide others too") {
    config.parameters.stop_descent_when_passed_over = true;
  }
  Bench bench(config);
  bench.vendors[0]->set_silent(true);
  bench.vendors[1]->set_plan(refuse(503));
  const auto call = bench.dial();
  bench.run_s(4);
  CHECK(call->was_answered());
  CHECK(bench.vendors[2]->received("INVITE") == 1);
  call->hang_up();
  CHECK(bench.only_cdr().attempts.size() == 3);
}

TEST_CASE("Redirect server: what it was asked is no try of a vendor (R-15, I-03)") {
  SwitchConfig config = base_config(4);
  config.provision.vendor_gateways[0].sip.redirects.to_gateways = true;
  config.provision.customer_gateways[0].redirect_servers = RedirectServers::first;
  config.parameters.switch_limit = 1;
  Bench bench(config);
  bench.vendors[0]->set_silent(true);
  for (const std::size_t vendor : {1U, 2U})
    bench.vendors[vendor]->set_plan(refuse(503));
  const auto call = bench.dial();
  bench.run_s(4);
  CHECK(call->status() == 503);
  CHECK(bench.vendors[1]->received("INVITE") == 1);
  CHECK(bench.vendors[2]->received("INVITE") == 1);
  CHECK(bench.vendors[3]->received("INVITE") == 0);
  CHECK(bench.only_cdr().attempts.size() == 3);
}

TEST_CASE("Redirect server: vendors judge the number that it made of the dialled one (I-03)") {
  SwitchConfig config = Directed::three();
  VendorGateway& named = config.provision.vendor_gateways[1];
  bool is_taken = true;
  std::string said = "8888", callee = "8888";
  SUBCASE("a list has the number") { named.numbers.allow_callee_prefixes = {"88"}; }
  SUBCASE("a list has the one that was dialled") {
    named.numbers.allow_callee_prefixes = {"44"};
    is_taken = false;
  }
  SUBCASE("a list has it not") {
    named.numbers.deny_callee_prefixes = {"88"};
    is_taken = false;
  }
  SUBCASE("a table has the one that was dialled") {
    named.number_transform = true;
    config.provision.number_transforms = {{"", "442079460000", "", "5555"}};
  }
  SUBCASE("a table has the one that was dialled, and so it stays") {
    named.number_transform = true;
    config.provision.number_transforms = {{"", "442079460000", "", "5555"}};
    said = "442079460000";
    callee = "5555";
  }
  Directed flow(config);
  flow.server.contacts[flow.dialled] = "<sip:" + said + "@v2>";
  if (!is_taken) {
    CHECK(flow.refused() == 503);
    CHECK(flow.asked(1) == 0);
    CHECK(flow.bench.only_cdr().end_reason == Reason::RedirectFailed);
    return;
  }
  const auto call = flow.bench.connect();
  CHECK(flow.bench.vendors[1]->last_call()->callee() == callee);
  call->hang_up();
  CHECK(flow.bench.only_cdr().callee == flow.dialled);
}

TEST_CASE("Redirect server: alone in deciding, and there is none that may be asked (I-03)") {
  SwitchConfig config = base_config(2);
  config.provision.customer_gateways[0].redirect_servers = RedirectServers::only;
  SUBCASE("none at all") {}
  SUBCASE("none for that number") {
    config.provision.vendor_gateways[0].sip.redirects.to_gateways = true;
    config.provision.vendor_gateways[0].prefixes = {"33"};
  }
  SUBCASE("one without a free line") {
    config.provision.vendor_gateways[0].sip.redirects.to_gateways = true;
    config.provision.vendor_gateways[0].line_limit = 0;
  }
  Bench bench(config);
  const auto call = bench.dial();
  bench.run_s(5);
  CHECK(call->status() == 503);
  const Cdr& cdr = bench.only_cdr();
  CHECK(cdr.end_reason == Reason::RedirectFailed);
  CHECK(cdr.attempts.empty());
}

namespace {

/// The office's phones, and a redirect server v1 in the place of Directed's.
struct DirectedOffice {
  static SwitchConfig config(CalledRedirectServers servers) {
    SwitchConfig config = phones_config();
    config.provision.vendor_gateways.push_back(vendor("v2", "10.0.2.2:5060"));
    config.provision.vendor_gateways[0].sip.redirects.to_gateways = true;
    config.provision.phones[0].called_redirect_servers = servers;
    return config;
  }
};

}  // namespace

TEST_CASE("Redirect server: each phone says what they are to calls to it (I-03)") {
  auto servers = CalledRedirectServers::off;
  bool is_online = true, is_silent = false;
  // "phone", "v2", or the status that the caller gets.
  std::string ends = "phone";
  SUBCASE("off, on line") {}
  SUBCASE("off, off line") {
    is_online = false;
    ends = "480";
  }
  SUBCASE("offline, on line") { servers = CalledRedirectServers::offline; }
  SUBCASE("offline, off line") {
    servers = CalledRedirectServers::offline;
    is_online = false;
    ends = "v2";
  }
  SUBCASE("offline, off line, and none decides") {
    servers = CalledRedirectServers::offline;
    is_online = false;
    is_silent = true;
    ends = "503";
  }
  SUBCASE("first, on line") {
    servers = CalledRedirectServers::first;
    ends = "v2";
  }
  SUBCASE("first, on line, and none decides") {
    servers = CalledRedirectServers::first;
    is_silent = true;
  }
  SUBCASE("first, off line") {
    servers = CalledRedirectServers::first;
    is_online = false;
    ends = "v2";
  }
  SwitchConfig config = DirectedOffice::config(servers);
  if (is_silent) config.provision.vendor_gateways[0].sip.timers.invite_s = 3;
  config.provision.phones[0].forward.busy = {{"1002", -1}};
  PhoneOffice office(config);
  if (!is_online) {
    office.phone(1001).register_user("1001", "secret", 0);
    office.run_s(2);
  }
  Redirector server(office, "10.0.2.1:5099");
  SwitchConfig update = office.config;
  update.provision.vendor_gateways[0].addresses = {gateway_address("10.0.2.1:5099")};
  REQUIRE(office.tandem->reload(update).ok());
  server.contacts["1001"] = "<sip:8888@v2>";
  if (is_silent) server.port->on_datagram([](const RawDatagram&) {});
  const auto call = office.dial({}, "1001");
  office.run_s(10);
  const auto at_phone = office.phone(1001).last_call();
  const auto at_vendor = office.vendors[1]->last_call();
  CHECK((at_phone != nullptr) == (ends == "phone"));
  CHECK((at_vendor != nullptr) == (ends == "v2"));
  if (ends == "v2") CHECK(at_vendor->callee() == "8888");
  CHECK(call->was_answered() == (ends == "phone" || ends == "v2"));
  if (!call->was_answered()) CHECK(std::to_string(call->status()) == ends);
  if (ends == "503") CHECK(office.world.cdrs().back().end_reason == Reason::RedirectFailed);
  if (call->was_answered()) call->hang_up();
  office.check_clean();
  office.check_money();
}

TEST_CASE(
    "Redirect server: a call that is led away from a phone is not free like one to it (B-09)") {
  SwitchConfig config = DirectedOffice::config(CalledRedirectServers::first);
  config.parameters.no_billing_to_phones = true;
  bool is_led = true, is_refused = false;
  SUBCASE("led away") {}
  SUBCASE("to the phone, since nobody decides") { is_led = false; }
  SUBCASE("led away, and there is no money for it") {
    config.provision.accounts[0].balance = money("0.001");
    is_refused = true;
  }
  SUBCASE("to the phone, for which there is no money") {
    config.provision.accounts[0].balance = money("0.001");
    is_led = false;
  }
  const Amount before = config.provision.accounts[0].balance;
  PhoneOffice office(config);
  Redirector server(office, "10.0.2.1:5099");
  SwitchConfig update = office.config;
  update.provision.vendor_gateways[0].addresses = {gateway_address("10.0.2.1:5099")};
  REQUIRE(office.tandem->reload(update).ok());
  server.contacts["1001"] = "<sip:8888@v2>";
  if (!is_led) server.port->on_datagram([](const RawDatagram&) {});
  const auto call = office.dial({}, "1001");
  office.run_s(4);
  REQUIRE(call->was_answered() == !is_refused);
  CHECK((office.phone(1001).last_call() != nullptr) == !is_led);
  CHECK((office.vendors[1]->last_call() != nullptr) == (is_led && !is_refused));
  if (!is_refused) {
    CHECK(office.tandem->account("acme")->held.is_zero() == !is_led);
    office.run_s(6);
    call->hang_up();
  }
  office.check_clean();
  const Cdr& cdr = office.world.cdrs().back();
  if (is_refused) {
    CHECK(cdr.end_reason == Reason::AccountBalanceNotEnough);
    CHECK(call->status() == reason_facts(Reason::AccountBalanceNotEnough).sip_status);
  }
  CHECK(cdr.customer.charge.is_zero() == !(is_led && !is_refused));
  CHECK(cdr.attempts.size() == (is_refused ? 1 : 2));
  CHECK(office.balance("acme").units() + cdr.customer.charge.units() == before.units());
}

TEST_CASE(
    "Redirect server: a phone that has no line forwards as busy, whatever servers say (T-02)") {
  SwitchConfig config = DirectedOffice::config(CalledRedirectServers::first);
  config.provision.vendor_gateways[0].sip.timers.invite_s = 2;
  config.provision.phones[0].line_in = 0;
  config.provision.phones[0].forward.busy = {{"1002", -1}};
  config.provision.phones[0].forward.offline = {{"1003", -1}};
  PhoneOffice office(config);
  office.b->set_silent(true);
  const auto call = office.dial({}, "1001");
  office.run_s(5);
  CHECK(call->was_answered());
  CHECK(office.phone(1002).last_call() != nullptr);
  CHECK(office.phone(1003).last_call() == nullptr);
  call->hang_up();
  office.check_clean();
}

TEST_CASE("Redirect server: a phone says what they are to the calls that it makes (I-03)") {
  SwitchConfig config = DirectedOffice::config(CalledRedirectServers::off);
  config.provision.phones[0].redirect_servers = RedirectServers::off;
  config.provision.vendor_gateways[0].priority = 0;
  config.provision.vendor_gateways[1].priority = 5;
  PhoneOffice office(config);
  const auto call = office.dial_from(1001, "442079460000");
  office.answered(call);
  CHECK(office.b->received("INVITE") == 0);
  CHECK(office.vendors[1]->last_call() != nullptr);
  call->hang_up();
  office.check_clean();
}

TEST_CASE("Redirect server: explain says who decides (I-03)") {
  SwitchConfig config = Directed::three();
  config.provision.vendor_gateways[0].priority = 9;
  auto& servers = config.provision.customer_gateways[0].redirect_servers;
  std::vector<std::string> expected;
  SUBCASE("first") {
    servers = RedirectServers::first;
    expected = {R"("rules":["redirect_servers first"])", R"("candidates":[{"gateway":"v1")",
                R"("redirect_server":true)", R"("excluded":[])"};
  }
  SUBCASE("only") {
    servers = RedirectServers::only;
    expected = {R"("rules":["redirect_servers only"])",
                R"({"gateway":"v2","reason":"not_come_to","rule":"redirect_servers"})"};
  }
  SUBCASE("off") {
    servers = RedirectServers::off;
    expected = {R"({"gateway":"v1","reason":"customer_not_allowed","rule":"redirect_servers"})"};
  }
  Bench bench(config);
  const auto answer = bench.tandem->explain({"cust", "1000", "442079460000"});
  REQUIRE(answer.ok());
  for (const std::string& part : expected) {
    CAPTURE(*answer);
    CHECK(answer->find(part) != std::string::npos);
  }
}
