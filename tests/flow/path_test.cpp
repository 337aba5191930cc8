// Proxies between the switch and who registers: Path (RFC 3327) and Service-Route (RFC 3608).
#include <string>
#include <vector>

#include "flow/flow.hpp"
#include "sip/digest.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

/// "SIP/2.0 200 OK" to a request of the switch, with further header lines and a body.
std::string response_to(const std::string& request, const std::string& status,
                        const std::string& lines = {}, const std::string& body = {}) {
  std::string to = header(request, "To");
  if (to.find(";tag=") == std::string::npos) to += ";tag=edge";
  return "SIP/2.0 " + status + "\r\nVia: " + header(request, "Via") +
         "\r\nFrom: " + header(request, "From") + "\r\nTo: " + to +
         "\r\nCall-ID: " + header(request, "Call-ID") + "\r\nCSeq: " + header(request, "CSeq") +
         "\r\n" + lines + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

/// All values of one header of a message, in order.
std::vector<std::string> values(const std::string& message, const std::string& name) {
  std::vector<std::string> found;
  const std::string start = "\r\n" + name + ": ";
  for (auto at = message.find(start); at != std::string::npos; at = message.find(start, at + 1)) {
    const auto begin = at + start.size();
    found.push_back(message.substr(begin, message.find("\r\n", begin) - begin));
  }
  return found;
}

/// A proxy at the edge that a phone registers through; the phone is behind it and out of sight.
struct Edge {
  Bench& bench;
  RawEndpoint* wire;
  std::string number, password, own;
  std::vector<std::string> path;
  bool says_supported = true;
  std::string require;
  std::string answer = "486 Busy Here";  ///< To an INVITE.
  std::string answer_lines, answer_body;
  std::vector<std::string> heard;
  std::uint32_t cseq = 0;
  SeededRandom random{5};

  Edge(Bench& owner, const std::string& address, std::string user = "1001")
      : bench(owner), number(std::move(user)), password("secret" + number), own(address) {
    wire = *bench.world.add_raw_endpoint(address);
    path = {"<sip:in@" + own + ";lr>"};
    wire->on_datagram([this](const RawDatagram& datagram) {
      heard.push_back(datagram.bytes);
      const std::string& bytes = heard.back();
      if (bytes.starts_with("INVITE ")) {
        wire->send(datagram.from, answer.empty()
                                      ? response_to(bytes, "180 Ringing")
                                      : response_to(bytes, answer, answer_lines, answer_body));
      } else if (bytes.starts_with("BYE ")) {
        wire->send(datagram.from, response_to(bytes, "200 OK"));
      } else if (bytes.starts_with("CANCEL ")) {
        wire->send(datagram.from, response_to(bytes, "200 OK"));
        wire->send(datagram.from, response_to(last("INVITE "), "487 Request Terminated"));
      }
    });
  }
  [[nodiscard]] std::string last(const std::string& start) const {
    for (auto one = heard.rbegin(); one != heard.rend(); ++one)
      if (one->starts_with(start)) return *one;
    return {};
  }
  std::string request(const std::string& authorization, int expires_s) {
    const std::string text = std::to_string(++cseq);
    std::string bytes = "REGISTER sip:10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP " + own +
                        ";branch=z9hG4bKedge" + text + ";rport\r\nMax-Forwards: 69\r\n";
    for (const std::string& one : path)
      bytes += "Path: " + one + "\r\n";
    if (says_supported) bytes += "Supported: gruu, path\r\n";
    if (!require.empty()) bytes += "Require: " + require + "\r\n";
    bytes += "From: <sip:" + number + "@10.0.0.1>;tag=raw\r\nTo: <sip:" + number +
             "@10.0.0.1>\r\nCall-ID: through-" + own + "\r\nCSeq: " + text +
             " REGISTER\r\nContact: <sip:" + number +
             "@192.168.7.7:5070;ob>\r\nExpires: " + std::to_string(expires_s) + "\r\n";
    if (!authorization.empty()) bytes += "Authorization: " + authorization + "\r\n";
    return bytes + "Content-Length: 0\r\n\r\n";
  }
  /// The final answer.
  std::string registers(int expires_s = 3600) {
    wire->send(at(switch_address), request({}, expires_s));
    bench.run_ms(200);
    const std::string challenge = header(last("SIP/2.0 401"), "WWW-Authenticate");
    if (!challenge.empty()) {
      heard.clear();
      const auto credentials =
          sip::answer_challenge(challenge, number, password, "REGISTER", "sip:10.0.0.1", 1, random);
      wire->send(at(switch_address), request(credentials.value().value, expires_s));
      bench.run_ms(200);
    }
    return last("SIP/2.0 ");
  }
};

SwitchConfig phone_config() {
  SwitchConfig config = base_config();
  PhoneConfig one;
  one.id = one.number = "1001";
  one.password = "secret1001";
  one.account = "acme";
  config.provision.phones = {one};
  return config;
}

}  // namespace

TEST_CASE(
    "Path: a phone is called through the proxies that its REGISTER came by (R-25, RFC 3327)") {
  Bench bench(phone_config());
  Edge edge(bench, "10.0.5.1:5080");
  edge.path.push_back("\"inner\" <sip:10.99.0.1;lr;ob>;x=y, <sip:deep.example;lr>");
  const std::string registered = edge.registers();
  CHECK(registered.starts_with("SIP/2.0 200 OK"));
  const std::vector<std::string> wanted = {"<sip:in@10.0.5.1:5080;lr>", "<sip:10.99.0.1;lr;ob>",
                                           "<sip:deep.example;lr>"};
  CHECK(values(registered, "Path") == wanted);
  CHECK(header(registered, "Contact").starts_with("<sip:1001@192.168.7.7:5070;ob>"));

  CHECK(bench.tandem->phone("1001")->contacts.at(0).path == wanted);

  auto call = bench.dial({}, "1001");
  bench.run_s(2);
  CHECK(call->is_over());
  const std::string invite = edge.last("INVITE ");
  CHECK(invite.starts_with("INVITE sip:1001@192.168.7.7:5070;ob SIP/2.0\r\n"));
  CHECK(values(invite, "Route") == wanted);
  // RFC 3261 section 17.1.1.3: the ACK of a refusal goes the way of the INVITE.
  CHECK(values(edge.last("ACK "), "Route") == wanted);

  edge.answer.clear();  // rings
  call = bench.dial({}, "1001");
  bench.run_s(1);
  call->cancel();
  bench.run_s(1);
  CHECK(edge.last("CANCEL ").starts_with("CANCEL sip:1001@192.168.7.7:5070;ob SIP/2.0\r\n"));
  CHECK(values(edge.last("CANCEL "), "Route") == wanted);
}

TEST_CASE(
    "Path: a gateway that registers through proxies gets the number at its own place (R-25)") {
  SwitchConfig config = base_config(1);
  VendorGateway& trunk = config.provision.vendor_gateways[0];
  trunk.registration = GatewayRegistration::dynamic;
  trunk.addresses.clear();
  trunk.auth = GatewayAuth{"trunkuser", "trunkpass", ""};
  Bench bench(config);
  Edge edge(bench, "10.0.5.1:5080", "trunkuser");
  edge.password = "trunkpass";
  CHECK(edge.registers().starts_with("SIP/2.0 200 OK"));
  bench.dial();
  bench.run_s(1);
  const std::string invite = edge.last("INVITE ");
  CHECK(invite.starts_with("INVITE sip:442079460000@192.168.7.7:5070;ob SIP/2.0\r\n"));
  CHECK(values(invite, "Route") == edge.path);
}

TEST_CASE("Path: inside the call the way is that of its Record-Route (RFC 3261 12.1.2)") {
  Bench bench(phone_config());
  Edge edge(bench, "10.0.5.1:5060");
  CHECK(edge.registers().starts_with("SIP/2.0 200 OK"));
  edge.answer = "200 OK";
  edge.answer_lines = "Contact: <sip:1001@192.168.7.7:5070>\r\nContent-Type: application/sdp\r\n";
  edge.answer_body =
      "v=0\r\no=- 1 1 IN IP4 10.0.5.1\r\ns=-\r\nc=IN IP4 10.0.5.1\r\nt=0 0\r\n"
      "m=audio 40000 RTP/AVP 8\r\n";
  std::vector<std::string> routes;
  SUBCASE("with one") {
    edge.answer_lines += "Record-Route: <sip:out@10.0.5.1;lr>\r\n";
    routes = {"<sip:out@10.0.5.1;lr>"};
  }
  SUBCASE("without") {}
  DialPlan plan;
  auto call = bench.dial(plan, "1001");
  bench.run_s(1);
  CHECK(edge.last("ACK ").starts_with("ACK sip:1001@192.168.7.7:5070 SIP/2.0\r\n"));
  CHECK(values(edge.last("ACK "), "Route") == routes);
  REQUIRE(call->was_answered());
  call->hang_up();
  bench.run_s(1);
  CHECK(edge.last("BYE ").starts_with("BYE sip:1001@192.168.7.7:5070 SIP/2.0\r\n"));
  CHECK(values(edge.last("BYE "), "Route") == routes);
}

TEST_CASE(
    "Path: nobody else is called by naming him in it, and a client that knows it not is not told") {
  Bench bench(phone_config());
  Edge edge(bench, "10.0.5.1:5080");
  RawEndpoint* const third = *bench.world.add_raw_endpoint("10.0.6.6:5060");
  edge.path = {"<sip:10.0.6.6;lr>"};
  edge.says_supported = false;
  const std::string registered = edge.registers();
  CHECK(registered.starts_with("SIP/2.0 200 OK"));
  CHECK(values(registered, "Path").empty());
  auto call = bench.dial({}, "1001");
  bench.run_s(2);
  CHECK(third->received().empty());
  CHECK(values(edge.last("INVITE "), "Route") == edge.path);
}

TEST_CASE("Path: one that calls cannot go through is refused, and Require: path is understood") {
  Bench bench(phone_config());
  Edge edge(bench, "10.0.5.1:5080");
  edge.require = "path";
  CHECK(edge.registers().starts_with("SIP/2.0 200 OK"));
  edge.require = "gruu";
  CHECK(edge.registers().starts_with("SIP/2.0 420 "));
  edge.require.clear();
  SUBCASE("no URI of SIP") { edge.path = {"<tel:+1234>"}; }
  SUBCASE("a strict router") { edge.path = {"<sip:10.0.5.1:5080>"}; }
  SUBCASE("malformed") { edge.path = {"<sip:10.0.5.1;lr"}; }
  SUBCASE("too many") { edge.path = std::vector<std::string>(9, "<sip:10.0.5.1;lr>"); }
  SUBCASE("too long") {
    edge.path = std::vector<std::string>(5, "<sip:" + std::string(250, 'a') + "@10.0.5.1;lr>");
  }
  CHECK(edge.registers().starts_with("SIP/2.0 400 Unusable Path"));
  // What was registered stays.
  CHECK(bench.tandem->phone("1001")->contacts.size() == 1);
}

TEST_CASE(
    "Service-Route: calls to a carrier go through what its registrar named (R-25, RFC 3608)") {
  SwitchConfig config = base_config(1);
  VendorGateway& carrier = config.provision.vendor_gateways[0];
  carrier.addresses = {gateway_address("10.0.2.9:5060")};
  carrier.registration = GatewayRegistration::outbound;
  carrier.auth = GatewayAuth{"trunk", "pass", ""};
  config.parameters.outbound_expires_s = 120;
  World world;  // a Bench would have an endpoint of its own at the carrier's address
  RawEndpoint* const edge = *world.add_raw_endpoint("10.0.2.9:5060");
  std::string lines = "Service-Route: <sip:scscf.ims.example;lr>, <sip:10.0.2.9;lr;ob>\r\n";
  std::string status = "200 OK";
  std::vector<std::string> registers, invites;
  edge->on_datagram([&](const RawDatagram& datagram) {
    const std::string& bytes = datagram.bytes;
    if (bytes.starts_with("REGISTER ")) {
      registers.push_back(bytes);
      edge->send(datagram.from,
                 response_to(bytes, status,
                             "Contact: " + header(bytes, "Contact") + ";expires=100\r\n" + lines));
    } else if (bytes.starts_with("INVITE ")) {
      invites.push_back(bytes);
      edge->send(datagram.from, response_to(bytes, "486 Busy Here"));
    }
  });
  auto made = world.create_switch(config);
  REQUIRE(made.ok());
  REQUIRE((*made)->start().ok());
  EndpointConfig settings;
  settings.address = "10.0.1.1:5060";
  settings.peer = switch_address;
  Endpoint* const customer = *world.add_endpoint(settings);
  const auto run_s = [&](std::int64_t seconds) { world.run_for_us(seconds * 1'000'000); };
  const auto dial = [&] {
    (void)customer->dial("442079460000", "7001", {});
    run_s(1);
  };
  run_s(1);
  REQUIRE_FALSE(registers.empty());
  CHECK(header(registers.back(), "Supported") == "path");
  dial();
  REQUIRE(invites.size() == 1);
  // To the address that was registered through, whatever the first of them is.
  CHECK(values(invites[0], "Route") ==
        std::vector<std::string>{"<sip:scscf.ims.example;lr>", "<sip:10.0.2.9;lr;ob>"});
  CHECK(invites[0].starts_with("INVITE sip:442079460000@10.0.2.9:5060 SIP/2.0\r\n"));
  SUBCASE("the next registration names another") {
    lines = "Service-Route: <sip:10.0.2.9;lr>\r\n";
    run_s(51);
    dial();
    REQUIRE(invites.size() == 2);
    CHECK(values(invites[1], "Route") == std::vector<std::string>{"<sip:10.0.2.9;lr>"});
  }
  SUBCASE("or none, or one of no use") {
    SUBCASE("none") { lines.clear(); }
    SUBCASE("of no use") { lines = "Service-Route: <sip:strict.example>\r\n"; }
    run_s(51);
    dial();
    REQUIRE(invites.size() == 2);
    CHECK(values(invites[1], "Route").empty());
  }
}
