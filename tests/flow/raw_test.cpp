// Vendors that behave as no stack would.
#include <algorithm>

#include "flow/flow.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

std::string reply(const std::string& request, const std::string& status_line,
                  const std::string& to_tag, const std::string& sdp = {}) {
  std::string to = header(request, "To");
  if (to.find("tag=") == std::string::npos) to += ";tag=" + to_tag;
  return "SIP/2.0 " + status_line + "\r\nVia: " + header(request, "Via") +
         "\r\nFrom: " + header(request, "From") + "\r\nTo: " + to +
         "\r\nCall-ID: " + header(request, "Call-ID") + "\r\nCSeq: " + header(request, "CSeq") +
         "\r\nContact: <sip:" + to_tag + "@10.0.2.77:5060>\r\n" +
         (sdp.empty() ? "" : "Content-Type: application/sdp\r\n") +
         "Content-Length: " + std::to_string(sdp.size()) + "\r\n\r\n" + sdp;
}

const std::string raw_sdp =
    "v=0\r\no=- 1 1 IN IP4 10.0.2.77\r\ns=-\r\nc=IN IP4 10.0.2.77\r\nt=0 0\r\n"
    "m=audio 4000 RTP/AVP 0\r\n";

}  // namespace

TEST_CASE("Raw: the second answer of a forked call is acknowledged and hung up (13.2.2.4)") {
  SwitchConfig config = base_config(2);
  Bench bench(config);
  config.provision.vendor_gateways[0].addresses = {gateway_address("10.0.2.77:5060")};
  REQUIRE(bench.tandem->reload(config).ok());
  RawEndpoint* raw = *bench.world.add_raw_endpoint("10.0.2.77:5060");
  raw->on_datagram([&](const RawDatagram& datagram) {
    if (datagram.bytes.starts_with("INVITE ")) {
      raw->send(datagram.from, reply(datagram.bytes, "200 OK", "one", raw_sdp));
      raw->send(datagram.from, reply(datagram.bytes, "200 OK", "two", raw_sdp));
    } else if (datagram.bytes.starts_with("BYE ")) {
      raw->send(datagram.from, reply(datagram.bytes, "200 OK", "x"));
    }
  });
  auto call = bench.connect();
  bench.run_s(2);
  const auto count = [&](std::string_view method, std::string_view tag) {
    return std::count_if(raw->received().begin(), raw->received().end(), [&](const auto& d) {
      return d.bytes.starts_with(method) &&
             header(d.bytes, "To").find("tag=" + std::string(tag)) != std::string::npos;
    });
  };
  CHECK(count("ACK ", "one") == 1);
  CHECK(count("ACK ", "two") == 1);
  CHECK(count("BYE ", "one") == 0);
  CHECK(count("BYE ", "two") == 1);
  CHECK_FALSE(call->is_over());
  call->hang_up();
  bench.only_cdr();
  CHECK(count("BYE ", "one") == 1);
  CHECK(count("BYE ", "two") == 1);
}

TEST_CASE("Raw: an answer that is no SDP does not connect, and the hunt goes on") {
  SwitchConfig config = base_config(2);
  Bench bench(config);
  config.provision.vendor_gateways[0].addresses = {gateway_address("10.0.2.77:5060")};
  REQUIRE(bench.tandem->reload(config).ok());
  RawEndpoint* raw = *bench.world.add_raw_endpoint("10.0.2.77:5060");
  raw->on_datagram([&](const RawDatagram& datagram) {
    if (datagram.bytes.starts_with("INVITE ") || datagram.bytes.starts_with("BYE "))
      raw->send(datagram.from, reply(datagram.bytes, "200 OK", "one",
                                     datagram.bytes.starts_with("INVITE ") ? "nonsense\r\n" : ""));
  });
  auto call = bench.connect();
  call->hang_up();
  const Cdr& cdr = bench.only_cdr();
  REQUIRE(cdr.attempts.size() == 2);
  CHECK(cdr.attempts[0].reason == Reason::CodecMismatch);
  CHECK(cdr.vendor_gateway == "v2");
}

TEST_CASE("Raw: an answer that comes after the vendor was given up is hung up (P-24)") {
  SwitchConfig config = base_config(2);
  config.parameters.invite_timeout_s = 2;
  Bench bench(config);
  config.provision.vendor_gateways[0].addresses = {gateway_address("10.0.2.77:5060")};
  REQUIRE(bench.tandem->reload(config).ok());
  RawEndpoint* raw = *bench.world.add_raw_endpoint("10.0.2.77:5060");
  std::string invite;
  int byes = 0;
  raw->on_datagram([&](const RawDatagram& datagram) {
    if (datagram.bytes.starts_with("INVITE ")) invite = datagram.bytes;
    if (datagram.bytes.starts_with("BYE ")) {
      ++byes;
      raw->send(datagram.from, reply(datagram.bytes, "200 OK", "late"));
    }
  });
  auto call = bench.connect();
  raw->send(at(switch_address), reply(invite, "200 OK", "late", raw_sdp));
  bench.run_s(2);
  CHECK(byes == 1);
  CHECK_FALSE(call->is_over());
  call->hang_up();
  CHECK(bench.only_cdr().vendor_gateway == "v2");
}

TEST_CASE("Raw: a re-INVITE that a vendor leaves at 100 ends, and later ones pass (P-25)") {
  SwitchConfig config = base_config(2);
  Bench bench(config);
  config.provision.vendor_gateways[0].addresses = {gateway_address("10.0.2.77:5060")};
  REQUIRE(bench.tandem->reload(config).ok());
  RawEndpoint* raw = *bench.world.add_raw_endpoint("10.0.2.77:5060");
  std::string unanswered;
  int cancels = 0;
  raw->on_datagram([&](const RawDatagram& datagram) {
    const std::string& request = datagram.bytes;
    if (request.starts_with("INVITE ") && header(request, "To").find("tag=") != std::string::npos &&
        unanswered.empty()) {
      unanswered = request;
      raw->send(datagram.from, reply(request, "100 Trying", "one"));
    } else if (request.starts_with("INVITE ") && request != unanswered) {
      raw->send(datagram.from, reply(request, "200 OK", "one", raw_sdp));
    } else if (request.starts_with("CANCEL ")) {
      ++cancels;
      raw->send(datagram.from, reply(request, "200 OK", "one"));
      raw->send(datagram.from, reply(unanswered, "487 Request Terminated", "one"));
    } else if (request.starts_with("BYE ")) {
      raw->send(datagram.from, reply(request, "200 OK", "one"));
    }
  });
  auto call = bench.connect();
  call->reinvite();
  bench.run_s(40);
  CHECK(cancels == 1);
  CHECK(call->count("reoffer 487") == 1);
  CHECK_FALSE(call->is_over());
  call->reinvite();
  bench.run_s(1);
  CHECK(call->count("reoffer 200") == 1);
  call->hang_up();
  bench.only_cdr();
}
