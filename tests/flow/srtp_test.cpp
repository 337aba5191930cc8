// Calls whose media is encrypted on one side, both or neither (SDES, RFC 4568).
#include <string>

#include "flow/media_call.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++found;
  return found;
}

/// A call whose two ends and gateways are so, with media both ways.
struct Encrypted : MediaCall {
  Encrypted(SrtpMode customer, SrtpMode vendor, SrtpMode caller, SrtpMode callee) {
    cust(config).srtp = customer;
    first(config).srtp = vendor;
    cust(config).srtp_any_transport = first(config).srtp_any_transport = true;
    dial.srtp = caller;
    answer.srtp = callee;
  }
  std::shared_ptr<EndpointCall> call() { return call_for_s(2); }
};

constexpr SrtpMode pass = SrtpMode::pass, off = SrtpMode::off, optional = SrtpMode::optional,
                   required = SrtpMode::required;

void check_heard(Encrypted& e, EndpointCall& caller) { e.check_heard(caller, 80); }

}  // namespace

TEST_CASE("SRTP: what a gateway's srtp makes of its calls") {
  struct Row {
    SrtpMode customer, vendor, caller, callee;
    bool caller_encrypted, callee_encrypted;
    int refused = 0;
  };
  const Row rows[] = {
      // Neither is set: from end to end.
      {pass, pass, off, off, false, false},
      {pass, pass, required, required, true, true},
      {pass, pass, optional, off, false, false},
      // One side is: the switch bridges.
      {pass, off, required, off, true, false},
      {pass, off, optional, required, true, false, 488},
      {off, pass, off, off, false, false},
      {off, pass, required, off, false, false, 488},
      {off, pass, optional, optional, false, false},
      {pass, required, off, required, false, true},
      {pass, required, off, optional, false, true},
      {pass, required, required, required, true, true},
      {pass, required, off, off, false, false, 488},
      {pass, optional, off, optional, false, true},
      {pass, optional, off, off, false, false},
      {pass, optional, required, off, true, false},
      {required, off, required, off, true, false},
      {required, off, optional, off, true, false},
      {required, off, off, off, false, false, 488},
      {required, required, required, required, true, true},
      {optional, required, optional, required, true, true},
      {optional, optional, off, optional, false, true},
  };
  for (const Row& row : rows) {
    CAPTURE(&row - rows);
    Encrypted e(row.customer, row.vendor, row.caller, row.callee);
    const auto call = e.call();
    if (row.refused != 0) {
      CHECK_FALSE(call->was_answered());
      CHECK(call->status() == row.refused);
      e.bench->check_clean();
      continue;
    }
    check_heard(e, *call);
    CHECK(call->is_encrypted() == row.caller_encrypted);
    CHECK(e.callee().is_encrypted() == row.callee_encrypted);
    call->hang_up();
    e.bench->run_s(1);
    e.bench->check_clean();
    const Cdr& cdr = e.bench->only_cdr();
    CHECK(cdr.media_caller.cause == MediaCause::none);
    CHECK(cdr.media_caller.srtp_failures == 0);
    CHECK(cdr.media_caller.packets_received > 80);
  }
}

TEST_CASE("SRTP: each side has keys of its own, and plain sides see none") {
  Encrypted e(required, off, required, off);
  const auto call = e.call();
  REQUIRE(call->was_answered());
  CHECK(has(call->remote_sdp(), "RTP/SAVP 0"));
  CHECK(count(call->remote_sdp(), "a=crypto:") == 1);
  CHECK(has(call->remote_sdp(), "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:"));
  CHECK(has(e.callee().remote_sdp(), "RTP/AVP 0"));
  CHECK_FALSE(has(e.callee().remote_sdp(), "crypto"));

  Encrypted both(required, required, required, required);
  const auto bridged = both.call();
  const std::string key = bridged->local_sdp().substr(bridged->local_sdp().find("inline:"), 47);
  CHECK(count(both.callee().remote_sdp(), "a=crypto:") == 4);
  CHECK_FALSE(has(both.callee().remote_sdp(), key));
}

TEST_CASE("SRTP: the audio of an encrypted side is converted, and keys are put into its form") {
  for (const bool is_caller : {true, false}) {
    CAPTURE(is_caller);
    Encrypted e(is_caller ? required : off, is_caller ? off : required, is_caller ? required : off,
                is_caller ? off : required);
    cust(e.config).transcode = first(e.config).transcode = true;
    e.config.provision.vendor_gateways.front().codecs = {CodecName::parse("PCMA").value()};
    e.dial.formats = "0 101";
    e.dial.rtp_pattern = 0xFF;  // silence
    e.answer.formats = "8 101";
    e.answer.rtp_type = 8;
    e.answer.rtp_pattern = 0xAA;  // the loudest
    const auto call = e.call();
    REQUIRE(call->was_answered());
    const auto check_converted = [&] {
      CHECK(call->received_type() == 0);
      CHECK(call->received_pattern() == 0x80);
      CHECK(e.callee().received_type() == 8);
      CHECK(e.callee().received_pattern() == 0xD5);
      CHECK(call->srtp_failures() == 0);
      CHECK(e.callee().srtp_failures() == 0);
    };
    check_converted();
    CHECK(call->is_encrypted() == is_caller);
    CHECK(e.callee().is_encrypted() == !is_caller);
    CHECK(call->packets_received() > 80);
    CHECK(e.callee().packets_received() > 80);
    call->press_key('5');
    e.bench->run_s(1);
    CHECK(e.callee().received_keys() == "5");
    EndpointCall& encrypted = is_caller ? *call : e.callee();
    encrypted.hold();
    e.bench->run_s(1);
    encrypted.resume();
    e.bench->run_s(1);
    encrypted.rekey();
    e.bench->run_s(1);
    const std::uint64_t heard = call->packets_received();
    const std::uint64_t heard_there = e.callee().packets_received();
    e.bench->run_s(1);
    CHECK(call->packets_received() > heard + 40);
    CHECK(e.callee().packets_received() > heard_there + 40);
    CHECK(call->received_pattern() == 0x80);
    CHECK(e.callee().received_pattern() == 0xD5);
    call->hang_up();
    e.bench->run_s(1);
    const Cdr& cdr = e.bench->only_cdr();
    CHECK(cdr.media_caller.srtp_failures + cdr.media_callee.srtp_failures == 0);
    CHECK(cdr.media_caller.digits == 1);
  }
}

TEST_CASE("SRTP: an encrypted caller hears prompts, and nobody pays for them") {
  Encrypted e(required, off, required, off);
  e.config.provision.customer_gateways.front().prompts = {{Reason::CalleeBusy, "tone:busy"}};
  e.dial.formats = "8 101";
  e.dial.rtp_type = 8;
  e.bench = std::make_unique<Bench>(e.config);
  e.bench->b->set_plan(refuse(486, 0));
  const auto call = e.bench->dial(e.dial);
  e.bench->run_s(2);
  CHECK(call->count("183 sdp") == 1);
  CHECK(has(call->remote_sdp(), "RTP/SAVP 8"));
  CHECK(count(call->remote_sdp(), "a=crypto:") == 1);
  CHECK(call->is_encrypted());
  CHECK(call->packets_received() > 80);
  CHECK(call->received_type() == 8);
  CHECK(call->srtp_failures() == 0);
  CHECK(call->status() == 0);
  e.bench->run_s(5);
  CHECK(call->status() == 486);
  const Cdr& cdr = e.bench->only_cdr();
  CHECK(cdr.end_reason == Reason::CalleeBusy);
  CHECK(cdr.answered_at_us == 0);
  CHECK(cdr.customer.charge.is_zero());
  e.bench->check_clean();
}

TEST_CASE("SRTP: an encrypted caller hears the ring tone, over failover, and then the callee") {
  Encrypted e(required, off, required, off);
  e.config = base_config(2);
  cust(e.config).srtp = required;
  for (VendorGateway& vendor : e.config.provision.vendor_gateways) {
    vendor.sip.srtp = off;
    vendor.ring_tone = "tone:ringback/gb";
    vendor.ring_tone_after_s = 1;
  }
  e.dial.formats = "8 101";
  e.dial.rtp_type = 8;
  e.answer.formats = "8 101";
  e.answer.rtp_type = 8;
  e.answer.answer_after_us = 3 * second_us;
  e.bench = std::make_unique<Bench>(e.config);
  e.bench->vendors[0]->set_plan(refuse(503, 3 * second_us));
  e.bench->vendors[1]->set_plan(e.answer);
  const auto call = e.bench->dial(e.dial);
  e.bench->run_ms(2500);
  CHECK(call->count("183 sdp") == 1);
  CHECK(count(call->remote_sdp(), "a=crypto:") == 1);
  const std::uint64_t before = call->packets_received();
  CHECK(before > 50);
  const std::string shown = call->remote_sdp();
  e.bench->run_s(2);
  CHECK(call->packets_received() > before + 90);
  e.bench->run_s(4);
  REQUIRE(call->was_answered());
  const auto key_of = [](const std::string& sdp) { return sdp.substr(sdp.find("inline:"), 47); };
  CHECK(key_of(call->remote_sdp()) == key_of(shown));  // no counter began anew
  CHECK(call->received_pattern() == 0x2A);
  CHECK(call->srtp_failures() == 0);
  EndpointCall& callee = *e.bench->vendors[1]->calls().back();
  CHECK(callee.received_pattern() == 0xD5);
  call->hang_up();
  e.bench->run_s(1);
  CHECK(e.bench->only_cdr().vendor_gateway == "v2");
}

TEST_CASE("SRTP: keys are offered over TLS only, unless any transport may carry them") {
  for (const bool may : {false, true}) {
    Encrypted e(pass, optional, off, optional);
    first(e.config).srtp_any_transport = may;
    const auto call = e.call();
    check_heard(e, *call);
    CHECK(e.callee().is_encrypted() == may);
    CHECK(has(e.callee().remote_sdp(), "a=crypto:") == may);
  }
  Encrypted e(pass, required, off, required);
  first(e.config).srtp_any_transport = false;
  const auto call = e.call();
  CHECK(call->status() == 488);
  CHECK(e.bench->b->calls().empty());
}

TEST_CASE("SRTP: hold, resumption and new keys of either end go on encrypted") {
  for (const bool caller_rekeys : {true, false}) {
    Encrypted e(required, required, required, required);
    const auto call = e.call();
    check_heard(e, *call);
    EndpointCall& one = caller_rekeys ? *call : e.callee();
    one.hold();
    e.bench->run_s(1);
    one.resume();
    e.bench->run_s(1);
    check_heard(e, *call);
    const std::string before = one.local_sdp();
    one.rekey();
    e.bench->run_s(1);
    CHECK(one.local_sdp().substr(one.local_sdp().find("inline:"), 47) !=
          before.substr(before.find("inline:"), 47));
    const std::uint64_t heard = call->packets_received();
    const std::uint64_t heard_there = e.callee().packets_received();
    e.bench->run_s(1);
    CHECK(call->packets_received() > heard + 40);
    CHECK(e.callee().packets_received() > heard_there + 40);
    CHECK(call->received_pattern() == 0x2A);
    CHECK(e.callee().received_pattern() == 0xD5);
    // A packet may overtake the answer that brings its key.
    CHECK(call->srtp_failures() + e.callee().srtp_failures() <= 2);
    call->hang_up();
    e.bench->run_s(1);
    CHECK(e.bench->only_cdr().media_caller.srtp_failures == 0);
    CHECK(e.bench->only_cdr().media_callee.srtp_failures == 0);
  }
}

TEST_CASE("SRTP: the next vendor gets keys of its own") {
  Encrypted e(required, required, required, required);
  e.config = base_config(2);
  cust(e.config).srtp = required;
  for (VendorGateway& vendor : e.config.provision.vendor_gateways) {
    vendor.sip.srtp = required;
    vendor.sip.srtp_any_transport = true;
  }
  e.bench = std::make_unique<Bench>(e.config);
  e.bench->vendors[0]->set_plan(refuse(503));
  e.bench->vendors[1]->set_plan(e.answer);
  const auto call = e.bench->dial(e.dial);
  e.bench->run_s(2);
  REQUIRE(call->was_answered());
  const auto key_of = [](const std::string& sdp) { return sdp.substr(sdp.find("inline:"), 47); };
  const std::string to_first = e.bench->vendors[0]->calls().back()->remote_sdp();
  const std::string to_second = e.bench->vendors[1]->calls().back()->remote_sdp();
  CHECK(key_of(to_first) != key_of(to_second));
  CHECK(call->packets_received() > 80);
  CHECK(e.bench->vendors[1]->calls().back()->packets_received() > 80);
}

TEST_CASE("SRTP: a side that does not encrypt as agreed is not heard, and the record says why") {
  Encrypted e(required, off, required, off);
  // It says that it has keys and sends plain RTP.
  e.dial.send_rtp = false;
  e.bench = std::make_unique<Bench>(e.config);
  e.bench->b->set_plan(e.answer);
  e.dial.sdp =
      "v=0\r\no=- 1 1 IN IP4 10.0.1.1\r\ns=-\r\nc=IN IP4 10.0.1.1\r\nt=0 0\r\n"
      "m=audio 4000 RTP/SAVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 "
      "inline:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\r\n";
  const auto call = e.bench->dial(e.dial);
  e.bench->run_s(1);
  REQUIRE(call->was_answered());
  const auto sdp = call->remote_sdp();
  const auto port = sdp.substr(sdp.find("m=audio ") + 8, 5);
  std::string packet(172, '\0');
  packet[0] = '\x80';
  RawEndpoint* raw = *e.bench->world.add_raw_endpoint("10.0.1.1:4000");
  for (int i = 0; i < 5; ++i) {
    packet[3] = static_cast<char>(i);
    raw->send(at("10.0.0.1:" + port), packet);
  }
  e.bench->run_s(1);
  call->hang_up();
  e.bench->run_s(1);
  const Cdr& cdr = e.bench->only_cdr();
  CHECK(cdr.media_caller.cause == MediaCause::srtp_failure);
  CHECK(cdr.media_caller.srtp_failures == 5);
  CHECK(cdr.media_caller.packets_received == 0);
  CHECK(e.callee().packets_received() == 0);
}

TEST_CASE("Media: what comes from a denied network is not latched for a gateway (S-01)") {
  for (const bool is_denied : {true, false}) {
    SwitchConfig config = base_config();
    auto& networks = is_denied ? cust(config).media_sources.deny : cust(config).media_sources.allow;
    networks.push_back(IpNetwork::parse("10.0.1.0/24").value());
    Bench bench(config);
    AnswerPlan answer;
    answer.send_rtp = true;
    bench.b->set_plan(answer);
    DialPlan dial;
    dial.send_rtp = true;
    const auto call = bench.connect(dial);
    bench.run_s(1);
    CHECK((bench.b->calls().back()->packets_received() > 0) == !is_denied);
    CHECK(call->packets_received() > 0);
    call->hang_up();
    bench.run_s(1);
    CHECK(bench.only_cdr().media_caller.cause ==
          (is_denied ? MediaCause::source_denied : MediaCause::none));
  }
}
