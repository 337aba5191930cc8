// Session timers: who watches whom, and what becomes of a call whose peer has gone (P-18).
#include <algorithm>

#include "flow/flow.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

std::string body_of(const std::string& message) {
  return message.substr(message.find("\r\n\r\n") + 4);
}

const std::string sdp =
    "v=0\r\no=- 1 1 IN IP4 10.0.2.77\r\ns=-\r\nc=IN IP4 10.0.2.77\r\nt=0 0\r\n"
    "m=audio 4000 RTP/AVP 0\r\n";

/// The customer's INVITE.
std::string invite_text(const std::string& lines) {
  return "INVITE sip:442079460000@10.0.0.1 SIP/2.0\r\n"
         "Via: SIP/2.0/UDP 10.0.1.1:5070;branch=z9hG4bKraw\r\nMax-Forwards: 70\r\n"
         "From: <sip:1000@10.0.1.1>;tag=s\r\nTo: <sip:442079460000@10.0.0.1>\r\n"
         "Call-ID: raw\r\nCSeq: 1 INVITE\r\nContact: <sip:1000@10.0.1.1:5070>\r\n" +
         lines + "Content-Length: 0\r\n\r\n";
}

/// A vendor at 10.0.2.77 that answers as it is told; without Allow, so that nobody sends it UPDATE.
struct RawVendor {
  RawEndpoint* port = nullptr;
  std::vector<std::string> invites;  ///< Without repetitions.
  std::string more;                  ///< Header lines of each 200 to an INVITE.
  int refused = 0;                   ///< INVITEs that get `refusal` from now on.
  std::string refusal, refusal_lines;

  void refuse_next(const std::string& status) {
    refused = 1;
    refusal = status;
  }

  explicit RawVendor(Bench& bench) {
    SwitchConfig config = bench.config;
    config.provision.vendor_gateways[0].addresses = {gateway_address("10.0.2.77:5060")};
    REQUIRE(bench.tandem->reload(config).ok());
    port = *bench.world.add_raw_endpoint("10.0.2.77:5060");
    port->on_datagram([this](const RawDatagram& datagram) { take(datagram); });
  }
  void take(const RawDatagram& datagram) {
    const std::string& request = datagram.bytes;
    if (request.starts_with("INVITE ")) {
      if (!invites.empty() && header(invites.back(), "CSeq") == header(request, "CSeq")) return;
      invites.push_back(request);
      if (refused > 0) {
        --refused;
        return reply(datagram, refusal, refusal_lines);
      }
      return reply(datagram, "200 OK",
                   more + "Contact: <sip:v@10.0.2.77:5060>\r\nContent-Type: application/sdp\r\n",
                   sdp);
    }
    if (!request.starts_with("ACK ")) reply(datagram, "200 OK", {});
  }
  void reply(const RawDatagram& datagram, const std::string& status, const std::string& lines,
             const std::string& body = {}) {
    std::string to = header(datagram.bytes, "To");
    if (to.find("tag=") == std::string::npos) to += ";tag=raw";
    port->send(datagram.from, "SIP/2.0 " + status + "\r\nVia: " + header(datagram.bytes, "Via") +
                                  "\r\nFrom: " + header(datagram.bytes, "From") + "\r\nTo: " + to +
                                  "\r\nCall-ID: " + header(datagram.bytes, "Call-ID") +
                                  "\r\nCSeq: " + header(datagram.bytes, "CSeq") + "\r\n" + lines +
                                  "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
                                  body);
  }
};

}  // namespace

TEST_CASE("SessionTimer: both sides are asked at each segment, and the call goes on (P-18)") {
  Bench bench;
  const auto call = bench.connect();
  bench.run_s(299);
  CHECK(bench.b->received("UPDATE") == 0);
  bench.run_s(2);
  CHECK(bench.b->received("UPDATE") == 1);
  CHECK(bench.a->received("UPDATE") == 1);
  bench.run_s(3000);
  CHECK(bench.b->received("UPDATE") == 11);
  CHECK_FALSE(call->is_over());
  call->hang_up();
  CHECK(bench.only_cdr().end_reason == Reason::NormalCallClearing);
}

TEST_CASE("SessionTimer: a peer that has gone ends the call on both sides (P-18)") {
  Bench bench;
  const auto call = bench.connect();
  bench.run_s(10);
  SUBCASE("the vendor") {
    bench.b->set_silent(true);
    bench.run_s(280);
    CHECK_FALSE(call->is_over());
    bench.run_s(45);
    CHECK(call->is_over());
    CHECK(call->q850_cause() == 102);
    bench.run_s(40);
    bench.b->set_silent(false);
    bench.b->last_call()->hang_up();  // it comes back to a call that nobody knows
  }
  SUBCASE("the caller") {
    const auto answered = bench.b->last_call();
    bench.a->set_silent(true);
    bench.run_s(325);
    CHECK(answered->is_over());
    bench.run_s(40);
    bench.a->set_silent(false);
    call->hang_up();
  }
  const Cdr& cdr = bench.only_cdr();
  CHECK(cdr.end_reason == Reason::SessionTimeout);
  CHECK(cdr.release_side == ReleaseSide::server);
  CHECK(cdr.talk_time_ms < 340'000);
}

TEST_CASE("SessionTimer: a peer that refreshes is waited for, not asked (RFC 4028 section 10)") {
  Bench bench;
  AnswerPlan plan;
  plan.session_timer_s = 600;
  bench.b->set_plan(plan);
  const auto call = bench.connect();
  bench.run_s(301);
  CHECK(bench.b->sent("UPDATE") == 1);
  CHECK(bench.b->received("UPDATE") == 0);
  bench.b->set_silent(true);
  bench.run_s(560);  // 568 s after its last refresh
  CHECK_FALSE(call->is_over());
  bench.run_s(10);
  CHECK(call->is_over());
  CHECK(bench.only_cdr().end_reason == Reason::SessionTimeout);
}

TEST_CASE("SessionTimer: a caller's shorter interval holds for its side (P-18)") {
  Bench bench;
  DialPlan plan;
  plan.session_timer_s = 90;
  const auto call = bench.connect(plan);
  bench.run_s(91);
  CHECK(bench.a->received("UPDATE") == 2);
  CHECK(bench.b->received("UPDATE") == 0);
  call->hang_up();
  bench.check_clean();
}

TEST_CASE(
    "SessionTimer: who has no UPDATE is refreshed by a re-INVITE that changes nothing (P-18)") {
  Bench bench;
  RawVendor vendor(bench);
  const auto call = bench.connect();
  bench.run_s(301);
  REQUIRE(vendor.invites.size() == 2);
  CHECK(body_of(vendor.invites[1]) == body_of(vendor.invites[0]));
  CHECK_FALSE(body_of(vendor.invites[1]).empty());
  CHECK(header(vendor.invites[0], "Session-Expires") == "600");
  CHECK(header(vendor.invites[0], "Min-SE") == "90");
  CHECK(header(vendor.invites[0], "Supported") == "timer");
  CHECK(header(vendor.invites[1], "Session-Expires") == "600;refresher=uac");
  call->hang_up();
  CHECK(bench.only_cdr().end_reason == Reason::NormalCallClearing);
}

TEST_CASE("SessionTimer: a vendor that wants a longer interval gets it (RFC 4028 section 7.3)") {
  Bench bench;
  RawVendor vendor(bench);
  vendor.refused = 1;
  vendor.refusal = "422 Session Interval Too Small";
  vendor.refusal_lines = "Min-SE: 1200\r\n";
  SUBCASE("once") {
    const auto call = bench.connect();
    REQUIRE(vendor.invites.size() == 2);
    CHECK(header(vendor.invites[1], "Session-Expires") == "1200");
    CHECK(header(vendor.invites[1], "Min-SE") == "1200");
    CHECK(header(vendor.invites[1], "Call-ID") == header(vendor.invites[0], "Call-ID"));
    call->hang_up();
    CHECK(bench.only_cdr().attempts.size() == 1);
  }
  SUBCASE("not for ever") {
    vendor.refused = 1000;
    const auto call = bench.dial();
    bench.run_s(5);
    CHECK(call->is_over());
    CHECK(vendor.invites.size() == 2);  // the same Min-SE again is of no use
    CHECK(bench.only_cdr().attempts.size() == 1);
  }
}

TEST_CASE("SessionTimer: too short an interval is refused with what is possible (RFC 4028 9)") {
  Bench bench;
  RawEndpoint* raw = *bench.world.add_raw_endpoint("10.0.1.1:5070");
  raw->send(at(switch_address), invite_text("Supported: timer\r\nSession-Expires: 60\r\n"));
  bench.run_s(1);
  REQUIRE_FALSE(raw->received().empty());
  const std::string& last = raw->received().back().bytes;
  CHECK(last.starts_with("SIP/2.0 422 "));
  CHECK(header(last, "Min-SE") == "90");
}

TEST_CASE(
    "SessionTimer: off means that nobody hears of it, require that it must be spoken (P-18)") {
  SwitchConfig config = base_config();
  SipOptions& customer = config.provision.customer_gateways[0].sip;
  SipOptions& vendor = config.provision.vendor_gateways[0].sip;
  SUBCASE("off, and the vendor sees none of it") {
    vendor.session_timer = SessionTimerMode::off;
    Bench bench(config);
    RawVendor raw(bench);
    bench.connect()->hang_up();
    for (const char* name : {"Session-Expires", "Min-SE", "Supported"})
      CHECK(header(raw.invites[0], name).empty());
    bench.check_clean();
  }
  SUBCASE("off, and a caller that must have it is refused") {
    customer.session_timer = SessionTimerMode::off;
    Bench bench(config);
    RawEndpoint* raw = *bench.world.add_raw_endpoint("10.0.1.1:5070");
    raw->send(at(switch_address), invite_text("Require: timer\r\nSession-Expires: 600\r\n"));
    bench.run_s(1);
    REQUIRE_FALSE(raw->received().empty());
    CHECK(raw->received().back().bytes.starts_with("SIP/2.0 420 "));
    CHECK(header(raw->received().back().bytes, "Unsupported") == "timer");
  }
  SUBCASE("off") {
    customer.session_timer = vendor.session_timer = SessionTimerMode::off;
    Bench bench(config);
    const auto call = bench.connect();
    bench.run_s(2000);
    CHECK(bench.a->received("UPDATE") == 0);
    CHECK(bench.b->received("UPDATE") == 0);
    call->hang_up();
    bench.check_clean();
  }
  SUBCASE("a customer must") {
    customer.session_timer = SessionTimerMode::require;
    Bench bench(config);
    const auto refused = bench.dial();
    bench.run_s(1);
    CHECK(refused->status() == 421);
    DialPlan plan;
    plan.session_timer_s = 300;
    bench.connect(plan)->hang_up();
    bench.check_clean();
  }
  SUBCASE("a vendor must") {
    vendor.session_timer = SessionTimerMode::require;
    Bench bench(config);
    RawVendor raw(bench);
    bench.connect()->hang_up();
    CHECK(header(raw.invites[0], "Require") == "timer");
    bench.check_clean();
  }
}

TEST_CASE("SessionTimer: a caller without timers may have a longest call (P-18)") {
  SwitchConfig config = base_config();
  config.parameters.no_timer_max_call_s = 1000;
  Bench bench(config);
  const auto plain = bench.connect();
  DialPlan plan;
  plan.session_timer_s = 600;
  const auto watched = bench.connect(plan);
  bench.run_s(1001);
  CHECK(plain->is_over());
  CHECK_FALSE(watched->is_over());
  watched->hang_up();
  bench.check_clean();
  CHECK(bench.world.cdrs().front().end_reason == Reason::MaxDuration);
}

TEST_CASE("SessionTimer: a hold that was refused is no part of a refresh (RFC 4028 7.4)") {
  Bench bench;
  RawVendor vendor(bench);
  const auto call = bench.connect();
  vendor.refuse_next("488 Not Acceptable Here");
  call->hold();
  bench.run_s(1);
  REQUIRE(vendor.invites.size() == 2);
  CHECK(body_of(vendor.invites[1]).find("a=sendonly") != std::string::npos);
  bench.run_s(300);
  REQUIRE(vendor.invites.size() == 3);
  CHECK(body_of(vendor.invites[2]) == body_of(vendor.invites[0]));
  call->hang_up();
  bench.check_clean();
}

TEST_CASE("SessionTimer: who refuses a refresh is there, and the call goes on") {
  Bench bench;
  RawVendor vendor(bench);
  const auto call = bench.connect();
  for (int i = 0; i < 5; ++i) {
    vendor.refuse_next("500 Server Internal Error");
    bench.run_s(300);
  }
  CHECK(vendor.invites.size() == 6);
  CHECK_FALSE(call->is_over());
  SUBCASE("until it knows nothing of the call") {
    vendor.refuse_next("481 Call/Transaction Does Not Exist");
    bench.run_s(301);
    CHECK(call->is_over());
    CHECK(bench.only_cdr().end_reason == Reason::SessionTimeout);
  }
  SUBCASE("until it is hung up") {
    call->hang_up();
    CHECK(bench.only_cdr().end_reason == Reason::NormalCallClearing);
  }
}

TEST_CASE("SessionTimer: a refresh that meets a hold leaves the session as the caller wants it") {
  // One hold in each millisecond around the refresh at 300 s.
  std::size_t glares = 0;
  for (int offset_ms = -30; offset_ms <= 30; offset_ms += 3) {
    CAPTURE(offset_ms);
    Bench bench;
    const auto call = bench.connect();
    bench.run_ms(299'980 + offset_ms);
    call->hold();
    bench.run_s(10);
    glares += call->count("reoffer 491");
    call->hold();
    bench.run_s(10);
    CHECK(bench.b->last_call()->remote_sdp().find("a=sendonly") != std::string::npos);
    bench.run_s(700);
    CHECK_FALSE(call->is_over());
    call->hang_up();
    CHECK(bench.only_cdr().end_reason == Reason::NormalCallClearing);
  }
  CHECK(glares > 0);
}
