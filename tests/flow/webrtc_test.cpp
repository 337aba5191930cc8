// Calls between an end as a browser is, with DTLS-SRTP and ICE, and one that speaks plain RTP.
#include <string>

#include "flow/media_call.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

/// What stands for a browser.
constexpr DtlsPlan browser{.is_on = true, .has_ice = true};

void expect_browser(SipOptions& options) {
  options.srtp = SrtpMode::required;
  options.srtp_keys = SrtpKeySource::dtls;
  options.ice = IceMode::lite;
}

struct WebCall : MediaCall {
  void caller_is_browser(const DtlsPlan& plan = browser) {
    expect_browser(cust(config));
    dial.srtp = SrtpMode::required;
    dial.dtls = plan;
  }
  void callee_is_browser(const DtlsPlan& plan = browser) {
    expect_browser(first(config));
    answer.srtp = SrtpMode::required;
    answer.dtls = plan;
  }
  std::shared_ptr<EndpointCall> call() { return call_for_s(3); }
  void check_heard(EndpointCall& caller) { MediaCall::check_heard(caller, 100); }
};

}  // namespace

TEST_CASE("WebRTC: a browser calls a carrier of plain RTP, and each hears the other") {
  WebCall w;
  w.caller_is_browser();
  const auto call = w.call();
  w.check_heard(*call);
  CHECK(call->is_encrypted());
  CHECK_FALSE(w.callee().is_encrypted());
  const std::string& shown = call->remote_sdp();
  for (const char* line :
       {"UDP/TLS/RTP/SAVPF 0", "a=setup:passive", "a=fingerprint:sha-256 ", "a=ice-lite",
        "a=ice-ufrag:", "a=ice-pwd:", "a=rtcp-mux", "a=mid:0", "a=group:BUNDLE 0",
        "a=candidate:1 1 UDP 2130706431 10.0.0.1 ", "a=end-of-candidates"}) {
    CAPTURE(line);
    CHECK(has(shown, line));
  }
  const std::string& carried = w.callee().remote_sdp();
  CHECK(has(carried, "RTP/AVP 0 8 101"));
  for (const char* line : {"TLS", "fingerprint", "setup", "ice-", "mid:", "BUNDLE", "msid", "ssrc",
                           "rtcp-fb", "rtcp-mux", "candidate", "0.0.0.0"}) {
    CAPTURE(line);
    CHECK_FALSE(has(carried, line));
  }
  call->hang_up();
  w.bench->run_s(1);
  w.bench->check_clean();
  const Cdr& cdr = w.bench->only_cdr();
  CHECK(cdr.media_caller.cause == MediaCause::none);
  CHECK(cdr.media_caller.packets_received > 100);
}

TEST_CASE("WebRTC: a carrier calls a browser, and each hears the other") {
  WebCall w;
  w.callee_is_browser();
  const auto call = w.call();
  w.check_heard(*call);
  CHECK_FALSE(call->is_encrypted());
  CHECK(w.callee().is_encrypted());
  const std::string& offered = w.callee().remote_sdp();
  for (const char* line : {"UDP/TLS/RTP/SAVPF 0", "a=setup:actpass", "a=ice-lite", "a=rtcp-mux",
                           "a=group:BUNDLE 0", "a=mid:0"}) {
    CAPTURE(line);
    CHECK(has(offered, line));
  }
  CHECK(has(call->remote_sdp(), "RTP/AVP 0"));
  CHECK_FALSE(has(call->remote_sdp(), "fingerprint"));
  call->hang_up();
  w.bench->run_s(1);
  w.bench->check_clean();
}

TEST_CASE("WebRTC: two browsers each agree with the switch, on keys of their own") {
  WebCall w;
  w.caller_is_browser();
  w.callee_is_browser();
  const auto call = w.call();
  w.check_heard(*call);
  CHECK(call->is_encrypted());
  CHECK(w.callee().is_encrypted());
}

TEST_CASE("WebRTC: DTLS without ICE, and the switch as the client") {
  for (const DtlsRole role : {DtlsRole::none, DtlsRole::server, DtlsRole::client}) {
    for (const bool has_ice : {false, true}) {
      CAPTURE(static_cast<int>(role));
      CAPTURE(has_ice);
      WebCall from;
      from.caller_is_browser({.is_on = true, .has_ice = has_ice, .role = role});
      const auto call = from.call();
      from.check_heard(*call);
      CHECK(has(call->remote_sdp(), "a=ice-lite") == has_ice);
      CHECK(has(call->remote_sdp(), role == DtlsRole::server ? "setup:active" : "setup:passive"));
      WebCall to;
      to.callee_is_browser({.is_on = true, .has_ice = has_ice, .role = role});
      const auto other = to.call();
      to.check_heard(*other);
    }
  }
}

TEST_CASE("WebRTC: SDES on one side and DTLS on the other") {
  WebCall w;
  w.caller_is_browser();
  first(w.config).srtp = SrtpMode::required;
  first(w.config).srtp_any_transport = true;
  w.answer.srtp = SrtpMode::required;
  const auto call = w.call();
  w.check_heard(*call);
  CHECK(has(w.callee().remote_sdp(), "RTP/SAVP 0"));
  CHECK(has(w.callee().remote_sdp(), "a=crypto:1 "));
  CHECK(w.callee().is_encrypted());
}

TEST_CASE("WebRTC: why nothing is heard of a browser is named in the record") {
  struct Row {
    DtlsPlan plan;
    MediaCause cause;
  };
  DtlsPlan other = browser, wrong = browser;
  other.shows_other_certificate = true;
  wrong.has_wrong_password = true;
  for (const Row& row :
       {Row{other, MediaCause::fingerprint_mismatch}, Row{wrong, MediaCause::ice_unchecked}}) {
    CAPTURE(media_cause_name(row.cause));
    WebCall w;
    w.caller_is_browser(row.plan);
    const auto call = w.call();
    REQUIRE(call->was_answered());
    CHECK(call->packets_received() == 0);
    CHECK(w.callee().packets_received() == 0);
    CHECK_FALSE(call->is_encrypted());
    call->hang_up();
    w.bench->run_s(1);
    CHECK(w.bench->only_cdr().media_caller.cause == row.cause);
  }
}

TEST_CASE("WebRTC: hold and resumption go on with the keys that were agreed on") {
  WebCall w;
  w.caller_is_browser();
  const auto call = w.call();
  w.check_heard(*call);
  call->hold();
  w.bench->run_s(1);
  call->resume();
  w.bench->run_s(1);
  w.callee().hold();
  w.bench->run_s(1);
  w.callee().resume();
  w.bench->run_s(1);
  const std::uint64_t heard = call->packets_received();
  const std::uint64_t heard_there = w.callee().packets_received();
  w.bench->run_s(1);
  CHECK(call->packets_received() > heard + 40);
  CHECK(w.callee().packets_received() > heard_there + 40);
  CHECK(call->srtp_failures() == 0);
  call->hang_up();
  w.bench->run_s(1);
  w.bench->check_clean();
}

TEST_CASE("WebRTC: who has no keys of DTLS is refused where they are required, and the other way") {
  WebCall w;
  expect_browser(cust(w.config));
  const auto plain = w.call();
  CHECK_FALSE(plain->was_answered());
  CHECK(plain->status() == 488);
  WebCall sdes;
  expect_browser(cust(sdes.config));
  sdes.dial.srtp = SrtpMode::required;
  const auto keyed = sdes.call();
  CHECK(keyed->status() == 488);
  WebCall not_set;
  not_set.caller_is_browser();
  cust(not_set.config).srtp_keys = SrtpKeySource::sdes;
  CHECK(not_set.call()->status() == 488);
}

TEST_CASE("WebRTC: a browser hears a prompt, before anybody answered") {
  WebCall w;
  w.caller_is_browser();
  w.config.provision.customer_gateways.front().prompts = {{Reason::CalleeBusy, "tone:busy"}};
  w.dial.formats = "8 101";
  w.dial.rtp_type = 8;
  w.bench = std::make_unique<Bench>(w.config);
  w.bench->b->set_plan(refuse(486, 0));
  const auto call = w.bench->dial(w.dial);
  w.bench->run_s(3);
  CHECK(call->count("183 sdp") == 1);
  CHECK(has(call->remote_sdp(), "UDP/TLS/RTP/SAVPF 8"));
  CHECK(has(call->remote_sdp(), "a=ice-lite"));
  CHECK(call->is_encrypted());
  CHECK(call->packets_received() > 60);
  CHECK(call->received_type() == 8);
  w.bench->run_s(5);
  CHECK(call->status() == 486);
}
