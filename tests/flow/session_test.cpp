// Descriptions and requests inside a call.
#include "flow/flow.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

bool has(const std::string& sdp, std::string_view text) {
  return sdp.find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("Session: early media flows to the caller before the answer (A-02)") {
  Bench bench;
  AnswerPlan plan;
  plan.progress_after_us = 0;
  plan.answer_after_us = 4 * second_us;
  plan.send_rtp = true;
  bench.b->set_plan(plan);
  auto call = bench.dial();
  bench.run_s(2);
  CHECK(call->count("183 sdp") == 1);
  CHECK_FALSE(call->was_answered());
  CHECK(call->packets_received() > 80);
  CHECK(has(call->remote_sdp(), "c=IN IP4 10.0.0.1"));
  bench.run_s(3);
  CHECK(call->was_answered());
  call->hang_up();
  CHECK(bench.only_cdr().pdd_ms < 100);
}

TEST_CASE("Session: a vendor that described itself in the 183 only still gets through") {
  Bench bench;
  AnswerPlan plan;
  plan.progress_after_us = 0;
  plan.answer_after_us = second_us;
  plan.answer_without_sdp = true;
  bench.b->set_plan(plan);
  auto call = bench.connect();
  CHECK(has(call->remote_sdp(), "m=audio"));
  call->hang_up();
  bench.only_cdr();
}

TEST_CASE("Session: a delayed offer goes through in the 200 and its answer in the ACK (RFC 3264)") {
  Bench bench;
  AnswerPlan plan;
  plan.send_rtp = true;
  bench.b->set_plan(plan);
  DialPlan dial;
  dial.delayed_offer = true;
  dial.send_rtp = true;
  auto call = bench.connect(dial);
  auto far = bench.b->last_call();
  bench.run_s(2);
  CHECK(far->count("confirmed sdp") == 1);
  CHECK(has(call->remote_sdp(), "c=IN IP4 10.0.0.1"));
  CHECK(has(far->remote_sdp(), "c=IN IP4 10.0.0.1"));
  CHECK(call->packets_received() > 80);
  CHECK(far->packets_received() > 80);
  call->hang_up();
  CHECK(bench.only_cdr().media_relayed);
}

TEST_CASE("Session: hold and resume pass in both directions (RFC 3264 section 8.4)") {
  for (const bool by_caller : {true, false}) {
    CAPTURE(by_caller);
    Bench bench;
    auto call = bench.connect();
    auto far = bench.b->last_call();
    EndpointCall& asker = by_caller ? *call : *far;
    EndpointCall& other = by_caller ? *far : *call;
    asker.hold();
    bench.run_s(1);
    CHECK(other.count("reinvite") == 1);
    CHECK(asker.count("reoffer 200") == 1);
    CHECK(has(other.remote_sdp(), "a=sendonly"));
    CHECK(has(asker.remote_sdp(), "a=recvonly"));
    asker.resume();
    bench.run_s(1);
    CHECK(asker.count("reoffer 200") == 2);
    CHECK(has(other.remote_sdp(), "a=sendrecv"));
    call->hang_up();
    bench.only_cdr();
    CHECK(bench.a->sent("ACK") == (by_caller ? 3 : 1));
    CHECK(bench.b->received("ACK") == (by_caller ? 3 : 1));
  }
}

TEST_CASE("Session: an empty re-INVITE brings the far side's offer back (RFC 3261 section 14.2)") {
  Bench bench;
  auto call = bench.connect();
  call->reinvite_without_offer();
  bench.run_s(1);
  CHECK(call->count("reoffer 200") == 1);
  CHECK(bench.b->last_call()->count("confirmed sdp") == 1);
  call->hang_up();
  bench.only_cdr();
}

TEST_CASE("Session: UPDATE passes in both directions (RFC 3311)") {
  Bench bench;
  auto call = bench.connect();
  auto far = bench.b->last_call();
  call->update();
  bench.run_s(1);
  far->update();
  bench.run_s(1);
  CHECK(far->count("update") == 1);
  CHECK(call->count("update") == 1);
  CHECK(call->count("reoffer 200") == 1);
  CHECK(far->count("reoffer 200") == 1);
  call->hang_up();
  bench.only_cdr();
}

TEST_CASE("Session: a refused change leaves the call as it was") {
  Bench bench;
  auto call = bench.connect();
  bench.b->last_call()->set_reoffer_status(488);
  call->hold();
  bench.run_s(1);
  CHECK(call->count("reoffer 488") == 1);
  CHECK_FALSE(call->is_over());
  bench.b->last_call()->set_reoffer_status(200);
  call->hold();
  bench.run_s(1);
  CHECK(call->count("reoffer 200") == 1);
  call->hang_up();
  bench.only_cdr();
}

TEST_CASE("Session: two re-INVITEs that cross get 491, and the call goes on (RFC 3261 14.1)") {
  Bench bench;
  auto call = bench.connect();
  auto far = bench.b->last_call();
  call->hold();
  far->hold();
  bench.run_s(1);
  CHECK(call->count("reoffer 491") + far->count("reoffer 491") >= 1);
  CHECK_FALSE(call->is_over());
  CHECK_FALSE(far->is_over());
  bench.run_s(5);
  call->resume();
  bench.run_s(1);
  CHECK(call->events().back() == "reoffer 200");
  call->hang_up();
  bench.only_cdr();
}

TEST_CASE("Session: INFO passes with its body and comes back with its answer (P-25)") {
  Bench bench;
  auto call = bench.connect();
  auto far = bench.b->last_call();
  call->request("INFO", "application/dtmf-relay", "Signal=5\r\nDuration=160\r\n");
  bench.run_s(1);
  CHECK(far->count("INFO") == 1);
  CHECK(far->last_body() == "Signal=5\r\nDuration=160\r\n");
  CHECK(call->count("result 200") == 1);
  far->set_request_status(415);
  call->request("INFO", "application/x", "y");
  bench.run_s(1);
  CHECK(call->count("result 415") == 1);
  call->hang_up();
  bench.only_cdr();
}

TEST_CASE("Session: REFER of a gateway is refused with 403, and the call goes on (P-25)") {
  Bench bench;
  auto call = bench.connect();
  call->request("REFER", "", "");
  bench.run_s(1);
  CHECK(call->count("result 403") == 1);
  CHECK(bench.b->received("REFER") == 0);
  CHECK_FALSE(call->is_over());
  call->hang_up();
  bench.only_cdr();
}

TEST_CASE("Session: direct media passes descriptions untouched and takes no port (M-01)") {
  SwitchConfig config = base_config();
  config.parameters.media_mode = MediaMode::off;
  Bench bench(config);
  AnswerPlan plan;
  plan.send_rtp = true;
  bench.b->set_plan(plan);
  DialPlan dial;
  dial.send_rtp = true;
  auto call = bench.connect(dial);
  auto far = bench.b->last_call();
  bench.run_s(2);
  CHECK(far->remote_sdp() == call->local_sdp());
  CHECK(call->remote_sdp() == far->local_sdp());
  CHECK(call->packets_received() > 80);
  CHECK(bench.tandem->counters().media_sessions_live == 0);
  call->hang_up();
  const Cdr& cdr = bench.only_cdr();
  CHECK_FALSE(cdr.media_relayed);
  CHECK(cdr.media_caller.packets_received == 0);
}

TEST_CASE("Session: silence may be allowed for as long as there is (M-05)") {
  SwitchConfig config = base_config();
  config.parameters.no_media_hangup_s = 86'400;
  Bench bench(config);
  auto call = bench.connect();
  call->hang_up();
  CHECK(bench.only_cdr().answered_at_us > 0);
}

TEST_CASE("Session: a call without media on both sides is ended, but not on hold (M-05)") {
  SwitchConfig config = base_config();
  config.parameters.no_media_hangup_s = 20;
  Bench bench(config);
  DialPlan dial;
  dial.send_rtp = true;
  auto call = bench.connect(dial);
  bench.run_s(60);
  CHECK_FALSE(call->is_over());
  call->stop_rtp();
  call->hold();
  bench.run_s(60);
  CHECK_FALSE(call->is_over());
  call->resume();
  bench.run_s(30);
  CHECK(call->is_over());
  const Cdr& cdr = bench.only_cdr();
  CHECK(cdr.end_reason == Reason::NoMedia);
  CHECK(cdr.release_side == ReleaseSide::server);
  CHECK(cdr.media_caller.packets_received > 2900);
}

TEST_CASE("Session: media that stops in a watched direction ends the call (M-06)") {
  struct Case {
    RtpInterrupt customer, vendor;
    bool caller_stops;
    bool ends;
  };
  using enum RtpInterrupt;
  const Case cases[] = {
      {from_remote, none, true, true},  {from_remote, none, false, false},
      {to_remote, none, true, false},   {to_remote, none, false, true},
      {both, none, true, true},         {both, none, false, true},
      {none, from_remote, false, true}, {none, from_remote, true, false},
      {none, to_remote, true, true},    {none, to_remote, false, false},
      {none, both, false, true},        {none, none, true, false},
  };
  for (const Case& one : cases) {
    CAPTURE(static_cast<int>(one.customer));
    CAPTURE(static_cast<int>(one.vendor));
    CAPTURE(one.caller_stops);
    SwitchConfig config = base_config();
    config.provision.customer_gateways[0].rtp_interrupt = one.customer;
    config.provision.vendor_gateways[0].rtp_interrupt = one.vendor;
    Bench bench(config);
    AnswerPlan plan;
    plan.send_rtp = true;
    bench.b->set_plan(plan);
    DialPlan dial;
    dial.send_rtp = true;
    auto call = bench.connect(dial);
    bench.run_s(90);
    REQUIRE_FALSE(call->is_over());
    (one.caller_stops ? call : bench.b->last_call())->stop_rtp();
    bench.run_s(55);
    CHECK_FALSE(call->is_over());
    bench.run_s(10);
    CHECK(call->is_over() == one.ends);
    if (!one.ends) call->hang_up();
    const Cdr& cdr = bench.only_cdr();
    CHECK(cdr.end_reason == (one.ends ? Reason::RtpInterrupted : Reason::NormalCallClearing));
  }
}

TEST_CASE("Session: IPv6 alone, and between the families (P-01, M-01)") {
  for (const bool caller_is_v6 : {true, false}) {
    for (const bool vendor_is_v6 : {true, false}) {
      CAPTURE(caller_is_v6);
      CAPTURE(vendor_is_v6);
      SwitchConfig config = base_config();
      config.sip_listen.push_back({SipTransport::udp, at("[2001:db8::1]:5060")});
      config.media_address = ip("10.0.0.1");
      config.media_address6 = ip("2001:db8::1");
      config.provision.customer_gateways[0].addresses.push_back(gateway_address("2001:db8::a1"));
      if (vendor_is_v6)
        config.provision.vendor_gateways[0].addresses = {gateway_address("[2001:db8::b1]:5060")};
      Bench bench(config);
      Endpoint* a = bench.a;
      if (caller_is_v6) a = bench.endpoint("[2001:db8::a1]:5060", "[2001:db8::1]:5060");
      AnswerPlan plan;
      plan.send_rtp = true;
      bench.b->set_plan(plan);
      DialPlan dial;
      dial.send_rtp = true;
      auto call = a->dial("442079460000", "1000", dial);
      bench.run_s(2);
      REQUIRE(call->was_answered());
      CHECK(call->packets_received() > 80);
      CHECK(bench.b->last_call()->packets_received() > 80);
      CHECK(has(call->remote_sdp(), caller_is_v6 ? "IN IP6 2001:db8::1" : "IN IP4 10.0.0.1"));
      call->hang_up();
      bench.only_cdr();
    }
  }
}

TEST_CASE("Session: a call over TCP on both sides, and from TCP to UDP (P-01)") {
  SwitchConfig config = base_config(2);
  config.provision.vendor_gateways[0].sip.transport = SipTransport::tcp;
  Bench bench(config);
  DialPlan dial;
  dial.transport = SipTransport::tcp;
  auto call = bench.connect(dial);
  CHECK(bench.b->last_call()->was_answered());
  CHECK(bench.b->received("INVITE") == 0);  // nothing on UDP
  call->hang_up();
  CHECK(bench.only_cdr().vendor_gateway == "v1");
}

TEST_CASE("Session: silence counts anew when a hold ends (M-05, M-06)") {
  for (const bool watches_one_side : {false, true}) {
    CAPTURE(watches_one_side);
    SwitchConfig config = base_config();
    config.parameters.no_media_hangup_s = 20;
    if (watches_one_side) config.provision.customer_gateways[0].rtp_interrupt = RtpInterrupt::both;
    Bench bench(config);
    AnswerPlan plan;
    plan.send_rtp = true;
    bench.b->set_plan(plan);
    DialPlan dial;
    dial.send_rtp = true;
    auto call = bench.connect(dial);
    auto far = bench.b->last_call();
    bench.run_s(5);
    call->stop_rtp();
    far->stop_rtp();
    call->hold();
    bench.run_s(60);
    REQUIRE_FALSE(call->is_over());
    call->resume();
    bench.run_s(15);
    CHECK_FALSE(call->is_over());
    bench.run_s(10);
    CHECK(call->is_over());
    CHECK(bench.only_cdr().end_reason == Reason::NoMedia);
  }
}

TEST_CASE("Session: a refused hold leaves the session as it was (RFC 3261 section 14.1, M-05)") {
  for (const int status : {488, 491}) {
    CAPTURE(status);
    SwitchConfig config = base_config();
    config.parameters.no_media_hangup_s = 20;
    Bench bench(config);
    DialPlan dial;
    dial.send_rtp = true;
    auto call = bench.connect(dial);
    auto far = bench.b->last_call();
    bench.run_s(5);
    far->set_reoffer_status(status);
    call->hold();
    bench.run_s(1);
    REQUIRE(call->count("reoffer " + std::to_string(status)) == 1);
    const std::size_t before = far->packets_received();
    bench.run_s(2);
    CHECK_MESSAGE(far->packets_received() > before + 80, "media goes on");
    call->stop_rtp();
    bench.run_s(30);
    CHECK(call->is_over());
    CHECK(bench.only_cdr().end_reason == Reason::NoMedia);
  }
}

TEST_CASE("Session: an answer without a description of the session is a failure of the vendor") {
  SwitchConfig config = base_config(2);
  Bench bench(config);
  AnswerPlan plan;
  plan.answer_without_sdp = true;
  bench.b->set_plan(plan);
  auto call = bench.connect();
  CHECK(has(call->remote_sdp(), "m=audio"));
  CHECK(bench.lines("v1") == 0);
  CHECK(bench.lines("v2") == 1);
  call->hang_up();
  const Cdr cdr = bench.only_cdr();
  REQUIRE(cdr.attempts.size() == 2);
  CHECK(cdr.attempts[0].reason == Reason::CodecMismatch);
}
