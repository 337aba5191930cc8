// What the relay makes of the audio of calls, as the gateways say: other codecs (M-07), keys in
// another form (M-09), ring tones (M-13) and prompts (M-14).
#include <string>
#include <vector>

#include "flow/flow.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

CustomerGateway& cust(SwitchConfig& config) { return config.provision.customer_gateways[0]; }
VendorGateway& v(SwitchConfig& config, int number) {
  return config.provision.vendor_gateways[static_cast<std::size_t>(number - 1)];
}

/// Formats of the first m= line.
std::string formats(const std::string& text) {
  const auto at = text.find("RTP/AVP ");
  if (at == std::string::npos) return {};
  return text.substr(at + 8, text.find("\r\n", at) - at - 8);
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

SwitchConfig transcoding() {
  SwitchConfig config = base_config();
  cust(config).sip.transcode = v(config, 1).sip.transcode = true;
  return config;
}

DialPlan dialling(const std::string& wanted, std::uint8_t type) {
  DialPlan plan;
  plan.formats = wanted;
  plan.send_rtp = true;
  plan.rtp_type = type;
  return plan;
}

AnswerPlan answering(const std::string& wanted, std::uint8_t type) {
  AnswerPlan plan;
  plan.formats = wanted;
  plan.send_rtp = true;
  plan.rtp_type = type;
  return plan;
}

}  // namespace

TEST_CASE("Audio M-07: a caller of mu-law and a vendor of A-law hear each other, both ways") {
  SwitchConfig config = transcoding();
  bool has_list = true;
  SUBCASE("the vendor has a list") { v(config, 1).codecs = {CodecName::parse("PCMA").value()}; }
  SUBCASE("nobody has one") { has_list = false; }
  Bench bench(config);
  AnswerPlan plan = answering("8 101", 8);
  plan.rtp_pattern = 0xAA;  // the loudest
  bench.b->set_plan(plan);
  DialPlan dial = dialling("0 101", 0);
  dial.rtp_pattern = 0xFF;  // silence
  auto call = bench.connect(dial);
  auto far = bench.b->last_call();
  CHECK(formats(far->remote_sdp()) == (has_list ? "8 101" : "0 101 8"));
  CHECK(has(far->remote_sdp(), "a=rtpmap:8 PCMA/8000\r\n"));
  CHECK(formats(call->remote_sdp()) == "0 101");
  CHECK(has(call->remote_sdp(), "a=rtpmap:0 PCMU/8000\r\n"));
  bench.run_s(2);
  CHECK(call->received_type() == 0);
  CHECK(far->received_type() == 8);
  CHECK(far->received_pattern() == 0xD5);
  CHECK(call->received_pattern() == 0x80);
  call->press_key('5');
  bench.run_s(1);
  CHECK(far->received_keys() == "5");
  // Changes of either side keep what each speaks.
  for (const auto& one : {call, far}) {
    one->hold();
    bench.run_s(1);
    one->resume();
    bench.run_s(1);
    CHECK(one->count("reoffer 200") == 2);
  }
  CHECK(formats(far->local_sdp()) == "8 101");
  CHECK(formats(call->local_sdp()) == "0 101");
  CHECK(call->received_type() == 0);
  CHECK(call->received_pattern() == 0x80);
  CHECK(far->received_type() == 8);
  CHECK(far->received_pattern() == 0xD5);
  call->press_key('6');
  bench.run_s(1);
  CHECK(far->received_keys() == "56");
  call->hang_up();
  const Cdr& cdr = bench.only_cdr();
  CHECK(cdr.codecs == MediaCodecs{"PCMU", "PCMU,telephone-event", "PCMA,telephone-event"});
  CHECK(cdr.media_caller.packets_unnegotiated == 0);
  CHECK(cdr.media_callee.packets_unnegotiated == 0);
  CHECK(cdr.media_caller.cause == MediaCause::none);
  CHECK(cdr.media_callee.packets_sent > 90);
}

TEST_CASE(
    "Audio M-07, M-16: a caller of G.722 and a vendor of A-law hear each other, put in order") {
  if (find_audio_codec("G722") == nullptr) {
    MESSAGE("not built: G722");
    return;
  }
  SwitchConfig config = transcoding();
  v(config, 1).codecs = {CodecName::parse("PCMA").value()};
  bool has_buffer = true;
  SUBCASE("with the usual buffer") {}
  SUBCASE("without a buffer") {
    has_buffer = false;
    config.media_jitter_min_ms = config.media_jitter_max_ms = 0;
  }
  Bench bench(config);
  bench.b->set_plan(answering("8 101", 8));
  auto call = bench.connect(dialling("9 101", 9));
  auto far = bench.b->last_call();
  CHECK(formats(far->remote_sdp()) == "8 101");
  CHECK(formats(call->remote_sdp()) == "9 101");
  bench.run_s(2);
  CHECK(call->received_type() == 9);
  CHECK(far->received_type() == 8);
  call->press_key('5');
  bench.run_s(1);
  CHECK(far->received_keys() == "5");
  call->hang_up();
  const Cdr& cdr = bench.only_cdr();
  CHECK(cdr.codecs.negotiated == "G722");
  CHECK(cdr.media_caller.packets_unnegotiated == 0);
  CHECK(cdr.media_callee.packets_sent > 90);
  CHECK(cdr.media_caller.packets_sent > 90);
  for (const MediaSideStats* side : {&cdr.media_caller, &cdr.media_callee}) {
    CHECK(side->jitter_depth_ms == (has_buffer ? 40 : 0));
    CHECK(side->jitter_lost == 0);
    CHECK(side->jitter_late == 0);
  }
}

TEST_CASE("Audio M-09: keys of a phone that has events by the clock of Opus alone, both ways") {
  if (find_audio_codec("opus") == nullptr) {
    MESSAGE("not built: opus");
    return;
  }
  SwitchConfig config = transcoding();
  v(config, 1).codecs = {CodecName::parse("PCMA").value()};
  Bench bench(config);
  bench.b->set_plan(answering("8 101", 8));
  RawEndpoint* const phone = *bench.world.add_raw_endpoint("10.0.66.7:4000");
  DialPlan plan;
  plan.sdp =
      "v=0\r\no=- 1 1 IN IP4 10.0.66.7\r\ns=-\r\nc=IN IP4 10.0.66.7\r\nt=0 0\r\n"
      "m=audio 4000 RTP/AVP 96 110\r\na=rtpmap:96 opus/48000/2\r\n"
      "a=rtpmap:110 telephone-event/48000\r\na=fmtp:110 0-15\r\n";
  auto call = bench.connect(plan);
  auto far = bench.b->last_call();
  CHECK(formats(far->remote_sdp()) == "8 101");
  CHECK(has(far->remote_sdp(), "a=rtpmap:101 telephone-event/8000\r\n"));
  const std::string& description = call->remote_sdp();
  CHECK(formats(description) == "96 110");
  CHECK(has(description, "a=rtpmap:110 telephone-event/48000\r\n"));
  const std::size_t at = description.find("m=audio ") + 8;
  const SocketAddress relay =
      *SocketAddress::parse("10.0.0.1:" + description.substr(at, description.find(' ', at) - at));
  // The key 5, 4,800 units long.
  for (char sequence = 1; sequence <= 4; ++sequence) {
    phone->send(relay, std::string{'\x80', 110, 0, sequence, 0, 0, 0, 9, 0, 0, 0, 7, 5,
                                   sequence == 1 ? '\x0A' : '\x8A', '\x12', '\xC0'});
    bench.run_ms(20);
  }
  bench.run_s(1);
  CHECK(far->received_keys() == "5");
  phone->clear();
  far->press_key('7');  // for 100 ms
  bench.run_s(1);
  std::size_t ends = 0;
  for (const RawDatagram& datagram : phone->received()) {
    const std::string& bytes = datagram.bytes;
    if (bytes.size() != 16 || (bytes[1] & 0x7F) != 110 || (bytes[13] & 0x80) == 0) continue;
    CHECK(bytes[12] == 7);
    CHECK(bytes.substr(14) == "\x12\xC0");
    ++ends;
  }
  CHECK(ends >= 1);
  call->hang_up();
  bench.only_cdr();
}

TEST_CASE("Audio M-07: Opus is offered to who lists it, as RFC 7587 has it, and to nobody else") {
  if (find_audio_codec("opus") == nullptr) {
    MESSAGE("not built: opus");
    return;
  }
  SwitchConfig config = transcoding();
  v(config, 1).codecs = {CodecName::parse("opus/48000").value()};
  Bench bench(config);
  auto call = bench.dial(dialling("0 101", 0));
  bench.run_s(1);
  auto far = bench.b->last_call();
  REQUIRE(far);
  CHECK(has(far->remote_sdp(), "opus/48000/2\r\n"));
  CHECK(has(far->remote_sdp(), "stereo=0;useinbandfec=1\r\n"));
  CHECK_FALSE(has(far->remote_sdp(), "PCM"));
}

TEST_CASE("Audio M-07: what both have is not converted, and one side alone does not convert") {
  SwitchConfig config = transcoding();
  SUBCASE("both have A-law") {
    v(config, 1).codecs = {CodecName::parse("PCMA").value(), CodecName::parse("PCMU").value()};
    Bench bench(config);
    bench.b->set_plan(answering("8 101", 8));
    auto call = bench.connect(dialling("8 101", 8));
    CHECK(formats(bench.b->last_call()->remote_sdp()) == "8 101");
    bench.run_s(1);
    CHECK(bench.b->last_call()->received_type() == 8);
    call->hang_up();
    CHECK(bench.only_cdr().codecs.negotiated == "PCMA");
  }
  SUBCASE("the customer may not") {
    cust(config).sip.transcode = false;
    v(config, 1).codecs = {CodecName::parse("PCMA").value()};
    Bench bench(config);
    auto call = bench.dial(dialling("0 101", 0));
    bench.run_s(1);
    CHECK(call->status() == 488);
    CHECK(bench.only_cdr().end_reason == Reason::CodecMismatch);
  }
  SUBCASE("nothing of what is offered is known here") {
    v(config, 1).codecs = {CodecName::parse("PCMA").value()};
    Bench bench(config);
    auto call = bench.dial(dialling("18 101", 18));
    bench.run_s(1);
    CHECK(call->status() == 488);
    CHECK(bench.only_cdr().end_reason == Reason::CodecMismatch);
  }
  SUBCASE("the lists have nothing in common, and explain knows") {
    cust(config).codecs = {CodecName::parse("PCMU").value()};
    v(config, 1).codecs = {CodecName::parse("PCMA").value()};
    Bench bench(config);
    const auto answer = bench.tandem->explain({"cust", "1000", "442079460000", std::nullopt});
    REQUIRE(answer.ok());
    CHECK_FALSE(has(*answer, "CodecMismatch"));
    CHECK(has(*answer, R"("codecs":["PCMA"])"));
  }
}

TEST_CASE("Audio M-09: a key in INFO goes as an event to a vendor of events alone, and back") {
  SwitchConfig config = base_config();
  v(config, 1).sip.dtmf_send = DtmfSend::rfc4733;
  v(config, 1).sip.dtmf_convert = true;
  cust(config).sip.dtmf_send = DtmfSend::info;
  cust(config).sip.dtmf_convert = true;
  Bench bench(config);
  bench.b->set_plan(answering("0 101", 0));
  auto call = bench.connect(dialling("0", 0));
  auto far = bench.b->last_call();
  CHECK(formats(far->remote_sdp()) == "0 101");
  CHECK(formats(call->remote_sdp()) == "0");
  bench.run_s(1);
  for (const char* key : {"1", "#", "9"}) {
    call->request("INFO", "application/dtmf-relay",
                  std::string("Signal=") + key + "\r\nDuration=160\r\n");
    bench.run_s(1);
  }
  CHECK(call->count("result 200") == 3);
  CHECK(far->count("INFO") == 0);
  CHECK(far->received_keys() == "1#9");
  far->press_key('7');
  bench.run_s(1);
  CHECK(call->count("INFO") == 1);
  CHECK(call->last_body() == "Signal=7\r\nDuration=100\r\n");
  CHECK(call->received_keys().empty());
  call->hang_up();
  bench.only_cdr();
}

TEST_CASE("Audio M-13: the caller hears a ring tone while the vendor is silent, until it speaks") {
  SwitchConfig config = base_config();
  v(config, 1).ring_tone = "tone:ringback/us";
  v(config, 1).ring_tone_after_s = 3;
  Bench bench(config);
  AnswerPlan plan = answering("8 101", 8);
  plan.ring_after_us = 1 * second_us;
  plan.answer_after_us = 10 * second_us;
  bench.b->set_plan(plan);
  auto call = bench.dial(dialling("8 0 101", 8));
  bench.run_ms(2900);
  CHECK(call->count("183 sdp") == 0);
  CHECK(call->packets_received() == 0);
  bench.run_ms(300);
  CHECK(call->count("183 sdp") == 1);
  CHECK(formats(call->remote_sdp()) == "8 101");
  bench.run_ms(2000);
  const std::uint64_t heard = call->packets_received();
  CHECK(heard >= 100);
  CHECK(heard <= 112);
  CHECK(call->received_type() == 8);
  bench.run_s(6);
  CHECK(call->was_answered());
  const std::uint64_t before = call->packets_received();
  bench.run_s(1);
  CHECK(call->packets_received() - before <= 52);  // the vendor's alone
  CHECK(call->received_pattern() == 0x2A);
  call->hang_up();
  const Cdr& cdr = bench.only_cdr();
  CHECK(cdr.end_reason == Reason::NormalCallClearing);
  CHECK(cdr.pdd_ms >= 1000);
  CHECK(cdr.pdd_ms < 1500);  // a tone of ours is no progress
}

TEST_CASE("Audio M-13: no tone where there is early media, or for a caller that heard enough") {
  SwitchConfig config = base_config();
  v(config, 1).ring_tone = "tone:ringback";
  v(config, 1).ring_tone_after_s = 2;
  Bench bench(config);
  AnswerPlan plan = answering("8", 8);
  SUBCASE("early media") {
    plan.progress_after_us = second_us;
    plan.answer_after_us = 6 * second_us;
    bench.b->set_plan(plan);
    auto call = bench.dial(dialling("8", 8));
    bench.run_s(4);
    CHECK(call->count("183 sdp") == 1);
    CHECK(call->received_pattern() == 0x2A);
    bench.run_s(3);
    call->hang_up();
    bench.only_cdr();
  }
  SUBCASE("cancelled") {
    plan.answer_after_us = 60 * second_us;
    bench.b->set_plan(plan);
    auto call = bench.dial(dialling("8", 8));
    bench.run_s(4);
    const std::uint64_t heard = call->packets_received();
    CHECK(heard > 90);
    call->cancel();
    bench.run_s(2);
    CHECK(call->packets_received() <= heard + 2);
    CHECK(bench.only_cdr().end_reason == Reason::CallerCancel);
  }
}

TEST_CASE("Audio M-14: without money the caller hears why, then gets the refusal; nobody pays") {
  SwitchConfig config = base_config();
  config.provision.accounts[0].balance = Amount();
  cust(config).prompts = {{Reason::AccountBalanceNotEnough, "tone:congestion/us"}};
  Bench bench(config);
  auto call = bench.dial(dialling("0 101", 0));
  bench.run_s(1);
  CHECK(call->count("183 sdp") == 1);
  CHECK(call->status() == 0);
  CHECK(bench.lines("cust") == 1);
  SUBCASE("heard to its end") {
    bench.run_ms(3800);
    CHECK(call->packets_received() >= 235);
    CHECK(call->status() == 0);
    bench.run_s(1);
    CHECK(call->status() == reason_facts(Reason::AccountBalanceNotEnough).sip_status);
  }
  SUBCASE("cancelled before") { call->cancel(); }
  bench.run_s(6);
  CHECK_FALSE(call->was_answered());
  const Cdr& cdr = bench.only_cdr();
  CHECK(cdr.end_reason == Reason::AccountBalanceNotEnough);
  CHECK(cdr.answered_at_us == 0);
  CHECK(cdr.attempts.empty());
  CHECK(cdr.customer.charge.is_zero());
  CHECK(bench.b->received("INVITE") == 0);
}

TEST_CASE(
    "Audio M-14: a vendor's refusal follows its prompt; without a way to play it comes at once") {
  SwitchConfig config = base_config();
  cust(config).prompts = {{Reason::CalleeBusy, "tone:busy"}};
  DialPlan dial = dialling("8", 8);
  bool is_played = false;
  SUBCASE("played") { is_played = true; }
  SUBCASE("no offer") { dial.delayed_offer = true; }
  SUBCASE("nothing that can be played in") { dial.formats = "18"; }
  Bench bench(config);
  bench.b->set_plan(refuse(486, 0));
  auto call = bench.dial(dial);
  bench.run_s(1);
  CHECK(call->status() == (is_played ? 0 : 486));
  CHECK(call->count("183 sdp") == (is_played ? 1 : 0));
  bench.run_s(6);
  CHECK(call->status() == 486);
  const Cdr& cdr = bench.only_cdr();
  CHECK(cdr.end_reason == Reason::CalleeBusy);
  CHECK(cdr.release_side == ReleaseSide::callee);
  CHECK(cdr.attempts.size() == 1);
}

TEST_CASE("Audio M-14: who ends a call during its prompt is heard") {
  SwitchConfig config = base_config();
  cust(config).prompts = {{Reason::CalleeBusy, "tone:busy"}};
  Bench bench(config);
  bench.b->set_plan(refuse(486, 0));
  auto call = bench.dial(dialling("8", 8));
  bench.run_s(1);
  REQUIRE(bench.tandem->calls().size() == 1);
  REQUIRE(bench.tandem->disconnect(bench.tandem->calls()[0].id).ok());
  bench.run_s(1);
  CHECK(call->is_over());
  CHECK(bench.only_cdr().end_reason == Reason::AdminDisconnect);
}

TEST_CASE(
    "Audio M-13: the tone goes on over failover, and stands in for a callee without a "
    "description") {
  SwitchConfig config = base_config(2);
  v(config, 1).ring_tone = v(config, 2).ring_tone = "tone:ringback/gb";
  SUBCASE("failover") {
    v(config, 1).ring_tone_after_s = 1;
    Bench bench(config);
    bench.b->set_plan(refuse(503, 3 * second_us));
    AnswerPlan plan = answering("8", 8);
    plan.answer_after_us = 5 * second_us;
    bench.vendors[1]->set_plan(plan);
    auto call = bench.dial(dialling("8", 8));
    bench.run_ms(2500);
    CHECK(call->count("183 sdp") == 1);
    const std::uint64_t before = call->packets_received();
    CHECK(before > 50);
    bench.run_s(3);
    CHECK(call->count("183 sdp") == 1);
    CHECK(call->packets_received() > before + 145);
    bench.run_s(4);
    CHECK(call->was_answered());
    call->hang_up();
    CHECK(bench.only_cdr().vendor_gateway == "v2");
  }
  SUBCASE("remote_ringback") {
    cust(config).sip.remote_ringback = RemoteRingback::session_progress;
    Bench bench(config);
    AnswerPlan plan = answering("8", 8);
    plan.ring_after_us = second_us;
    plan.answer_after_us = 4 * second_us;
    bench.b->set_plan(plan);
    auto call = bench.dial(dialling("8", 8));
    bench.run_ms(3000);
    CHECK(call->count("183 sdp") == 1);
    CHECK(call->packets_received() > 90);
    bench.run_s(2);
    CHECK(call->was_answered());
    call->hang_up();
    bench.only_cdr();
  }
}

TEST_CASE("Audio M-13: a sound that cannot be had is refused with the configuration, by name") {
  SwitchConfig config = base_config();
  Bench bench(config);
  v(config, 1).ring_tone = "/no/such/tone.wav";
  const auto reloaded = bench.tandem->reload(config);
  REQUIRE_FALSE(reloaded.ok());
  CHECK(has(reloaded.error().message, "v1"));
  CHECK(has(reloaded.error().message, "/no/such/tone.wav"));
}

TEST_CASE("Audio M-09: events become tones in the voice, and tones become events") {
  SwitchConfig config = base_config();
  v(config, 1).sip.dtmf_send = DtmfSend::inband;
  Bench bench(config);
  bench.b->set_plan(answering("8", 8));
  DialPlan dial = dialling("8 101", 8);
  dial.rtp_pattern = 0xD5;
  auto call = bench.connect(dial);
  auto far = bench.b->last_call();
  CHECK(formats(call->remote_sdp()) == "8 101");
  bench.run_s(1);
  CHECK(far->received_pattern() == 0xD5);
  call->press_key('5', 200);
  bench.run_ms(100);
  CHECK(far->received_type() == 8);
  CHECK(far->received_pattern() != 0xD5);
  bench.run_s(1);
  CHECK(far->received_pattern() == 0xD5);
  CHECK(far->received_keys().empty());
  call->hang_up();
  CHECK(bench.only_cdr().media_caller.digits == 1);
}

TEST_CASE("Audio M-08, M-09: G.729 and its keys have numbers of their own on either side") {
  SwitchConfig config = base_config();
  v(config, 1).sip.g729_mode = G729Mode::both;
  v(config, 1).sip.dtmf_payload_type = 101;
  Bench bench(config);
  RawEndpoint* const phone = *bench.world.add_raw_endpoint("10.0.66.7:4000");
  RawEndpoint* const trunk = *bench.world.add_raw_endpoint("10.0.66.8:4000");
  const auto described = [](const std::string& ip, const std::string& stream) {
    return "v=0\r\no=- 1 1 IN IP4 " + ip + "\r\ns=-\r\nc=IN IP4 " + ip + "\r\nt=0 0\r\n" + stream;
  };
  DialPlan dial;
  dial.sdp =
      described("10.0.66.7", "m=audio 4000 RTP/AVP 18 96\r\na=rtpmap:96 telephone-event/8000\r\n");
  AnswerPlan answer = answer_after(second_us);
  answer.sdp = described("10.0.66.8",
                         "m=audio 4000 RTP/AVP 97 101\r\na=rtpmap:97 G729A/8000\r\n"
                         "a=rtpmap:101 telephone-event/8000\r\n");
  bench.b->set_plan(answer);
  auto call = bench.connect(dial);
  auto far = bench.b->last_call();
  CHECK(formats(far->remote_sdp()) == "18 101 97");
  CHECK(has(far->remote_sdp(), "a=rtpmap:97 G729A/8000\r\n"));
  CHECK(formats(call->remote_sdp()) == "18 96");
  CHECK(has(call->remote_sdp(), "a=rtpmap:18 G729/8000\r\n"));

  const auto relay_of = [](const std::string& description) {
    const std::size_t at = description.find("m=audio ") + 8;
    return *SocketAddress::parse("10.0.0.1:" +
                                 description.substr(at, description.find(' ', at) - at));
  };
  const SocketAddress of_phone = relay_of(call->remote_sdp());
  const SocketAddress of_trunk = relay_of(far->remote_sdp());
  const auto packet = [](char type, char sequence, const std::string& payload) {
    return std::string{'\x80', type, 0, sequence, 0, 0, sequence, 0, 0, 0, 0, 7} + payload;
  };
  const std::string voice(20, 'v'), key{5, '\x8A', 3, 32};
  for (char turn = 0; turn < 2; ++turn) {  // the first ones latch
    const auto sequence = static_cast<char>(1 + 2 * turn);
    phone->send(of_phone, packet(18, sequence, voice));
    trunk->send(of_trunk, packet(97, sequence, voice));
    bench.run_ms(20);
    phone->send(of_phone, packet(96, static_cast<char>(sequence + 1), key));
    trunk->send(of_trunk, packet(101, static_cast<char>(sequence + 1), key));
    bench.run_ms(20);
  }
  bench.run_s(1);
  const auto types = [](const RawEndpoint& one) {
    std::string all;
    for (const RawDatagram& datagram : one.received()) {
      if (datagram.bytes.size() < 16) continue;
      const bool is_whole = datagram.bytes.substr(12) == std::string(20, 'v') ||
                            datagram.bytes.substr(12) == std::string{5, '\x8A', 3, 32};
      all += (is_whole ? "" : "?") + std::to_string(datagram.bytes[1] & 0x7F) + ' ';
    }
    return all;
  };
  CHECK(types(*trunk) == "97 101 97 101 ");
  CHECK(types(*phone) == "18 96 18 96 ");
  call->hang_up();
  const Cdr& cdr = bench.only_cdr();
  CHECK(cdr.media_caller.packets_unnegotiated == 0);
  CHECK(cdr.media_callee.packets_unnegotiated == 0);
  CHECK(cdr.media_caller.digits == 2);
  CHECK(cdr.media_callee.digits == 2);
  CHECK(cdr.codecs.negotiated == "G729");
}
