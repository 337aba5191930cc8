// Vendors and customers that say how loaded they are, or ask how loaded the switch is (RFC 7339).
#include <string>
#include <vector>

#include "flow/flow.hpp"
#include "tandem/route_choices.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

const std::string offer = ";oc;oc-algo=\"loss\"";

/// v1 answers every call and says how many it wants kept back; v2 takes the others.
struct Fixture {
  Bench bench{base_config(2)};
  RawEndpoint* raw = nullptr;
  std::string said;  ///< Behind the offer's place in its Via; "": nothing.
  int invites = 0;
  int offers = 0;

  explicit Fixture(bool asks = true, const std::string& more = {}) {
    SwitchConfig config = bench.config;
    auto& addresses = config.provision.vendor_gateways[0].addresses;
    addresses = {gateway_address("10.0.2.77:5060")};
    if (!more.empty()) addresses.push_back(gateway_address(more));
    config.provision.vendor_gateways[0].sip.overload_control = asks;
    REQUIRE(bench.tandem->reload(config).ok());
    bench.vendors[1]->set_plan(answer_after(0));
    raw = bench.world.add_raw_endpoint("10.0.2.77:5060").value();
    raw->on_datagram([this](const RawDatagram& datagram) { answer(datagram); });
  }

  void answer(const RawDatagram& datagram) {
    const bool is_invite = datagram.bytes.starts_with("INVITE ");
    if (!is_invite && !datagram.bytes.starts_with("BYE ")) return;
    std::string via = header(datagram.bytes, "Via");
    if (is_invite) {
      ++invites;
      const std::size_t place = via.find(offer);
      if (place != std::string::npos) {
        ++offers;
        if (!said.empty()) via.replace(place, offer.size(), said);
      } else {
        via += said;
      }
    }
    const std::string sdp =
        "v=0\r\no=- 1 1 IN IP4 10.0.2.77\r\ns=-\r\nc=IN IP4 10.0.2.77\r\nt=0 0\r\n"
        "m=audio 4000 RTP/AVP 0\r\n";
    const std::string body = is_invite ? sdp : std::string();
    std::string to = header(datagram.bytes, "To");
    if (is_invite) to += ";tag=raw";
    raw->send(datagram.from,
              "SIP/2.0 200 OK\r\nVia: " + via + "\r\nFrom: " + header(datagram.bytes, "From") +
                  "\r\nTo: " + to + "\r\nCall-ID: " + header(datagram.bytes, "Call-ID") +
                  "\r\nCSeq: " + header(datagram.bytes, "CSeq") +
                  "\r\nContact: <sip:raw@10.0.2.77:5060>\r\n" +
                  (is_invite ? "Content-Type: application/sdp\r\n" : "") +
                  "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  }

  /// One call; the vendor that carried it.
  std::string call() {
    const auto dialled = bench.dial();
    bench.world.run_until([&] { return dialled->was_answered() || dialled->is_over(); },
                          20 * second_us);
    CHECK(dialled->status() == 200);
    dialled->hang_up();
    bench.run_s(1);
    REQUIRE_FALSE(bench.world.cdrs().empty());
    return bench.world.cdrs().back().vendor_gateway.value_or("");
  }
};

}  // namespace

TEST_CASE("overload: a vendor that wants no more calls gets none for as long as it says") {
  Fixture f;
  f.said = ";oc=100;oc-algo=\"loss\";oc-validity=5000;oc-seq=10.1";
  CHECK(f.call() == "v1");  // the call that it says so in goes on
  CHECK(f.offers == 1);
  CHECK(f.call() == "v2");
  const auto choices = parse_route_choices(f.bench.world.cdrs().back().choices);
  REQUIRE(choices.ok());
  REQUIRE(choices->size() == 2);
  CHECK(choices->at(0).passed_over == Reason::RateLimited);
  CHECK(choices->at(0).rule == "overload");
  f.bench.run_s(5);
  f.said = ";oc=0;oc-algo=\"loss\";oc-validity=0;oc-seq=10.2";
  CHECK(f.call() == "v1");
  CHECK(f.call() == "v1");
  f.bench.run_s(1);
  f.bench.check_clean();
}

TEST_CASE("overload: what one address of a vendor does not want goes to its others first") {
  Fixture f(true, "10.0.2.1:5060");
  f.bench.vendors[0]->set_plan(answer_after(0));
  f.said = ";oc=100;oc-algo=\"loss\";oc-validity=5000;oc-seq=10.1";
  CHECK(f.call() == "v1");
  CHECK(f.invites == 1);
  CHECK(f.call() == "v1");
  CHECK(f.invites == 1);
  CHECK(f.bench.world.cdrs().back().callee_ip == "10.0.2.1:5060");
}

TEST_CASE("overload: a share of the calls passes over a vendor that wants fewer") {
  Fixture f;
  f.said = ";oc=40;oc-algo=\"loss\";oc-validity=60000;oc-seq=10.1";
  int elsewhere = 0;
  for (int i = 0; i < 200; ++i)
    elsewhere += f.call() == "v2" ? 1 : 0;
  CHECK(elsewhere > 52);  // 80, give or take four standard deviations
  CHECK(elsewhere < 108);
  CHECK(f.offers == f.invites);
}

TEST_CASE("overload: a vendor that is not asked is not heeded") {
  Fixture f(false);
  f.said = ";oc=100;oc-algo=\"loss\";oc-validity=5000;oc-seq=10.1";
  CHECK(f.call() == "v1");
  CHECK(f.call() == "v1");
  CHECK(f.offers == 0);
}

TEST_CASE("overload: a customer that asks is told in the Via of every response") {
  Fixture f;
  RawEndpoint* const asker = f.bench.world.add_raw_endpoint("10.0.1.1:5099").value();
  std::vector<std::string> vias;
  asker->on_datagram(
      [&](const RawDatagram& datagram) { vias.push_back(header(datagram.bytes, "Via")); });
  const auto ask = [&](const std::string& parameters) {
    vias.clear();
    asker->send(
        SocketAddress::parse(switch_address).value(),
        "OPTIONS sip:" + switch_address +
            " SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.1.1:5099;branch=z9hG4bKo" +
            std::to_string(parameters.size()) + parameters +
            "\r\nMax-Forwards: 70\r\nFrom: <sip:a@10.0.1.1>;tag=1\r\nTo: <sip:" + switch_address +
            ">\r\nCall-ID: o\r\nCSeq: 1 OPTIONS\r\n"
            "Content-Length: 0\r\n\r\n");
    f.bench.run_s(1);
    return vias.size() == 1 ? vias.front() : "answers: " + std::to_string(vias.size());
  };
  CHECK(ask(offer).find(";oc=0;oc-algo=\"loss\";oc-validity=0;oc-seq=") != std::string::npos);
  CHECK(ask("").find(";oc") == std::string::npos);
  CHECK(f.bench.tandem->counters().overload_loss_percent == 0);
  CHECK(f.bench.tandem->counters().overload_refused == 0);
}
