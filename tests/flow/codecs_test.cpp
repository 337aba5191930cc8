// Which codecs a call is about, and what each side is told of them and of ringing (M-01, M-03,
// M-07, M-08, M-12).
#include <string>
#include <vector>

#include "flow/flow.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

std::vector<CodecName> codecs(const std::vector<std::string>& names) {
  std::vector<CodecName> list;
  for (const std::string& name : names)
    list.push_back(CodecName::parse(name).value());
  return list;
}

CustomerGateway& cust(SwitchConfig& config) { return config.provision.customer_gateways[0]; }
VendorGateway& v(SwitchConfig& config, int number) {
  return config.provision.vendor_gateways[static_cast<std::size_t>(number - 1)];
}

/// One audio stream of a party.
std::string sdp(const std::string& ip, const std::string& formats, const std::string& lines = "") {
  return "v=0\r\no=x 1 1 IN IP4 " + ip + "\r\ns=-\r\nc=IN IP4 " + ip +
         "\r\nt=0 0\r\nm=audio 4000 RTP/AVP " + formats + "\r\n" + lines;
}

const std::string events_line = "a=rtpmap:101 telephone-event/8000\r\n";

/// Formats of the first m= line.
std::string formats(const std::string& sdp) {
  const auto at = sdp.find("RTP/AVP ");
  if (at == std::string::npos) return {};
  return sdp.substr(at + 8, sdp.find("\r\n", at) - at - 8);
}

std::string origin(const std::string& sdp) {
  const auto at = sdp.find("o=");
  return sdp.substr(at, sdp.find("\r\n", at) - at);
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

DialPlan offering(const std::string& formats, const std::string& lines = events_line) {
  DialPlan plan;
  plan.sdp = sdp("10.0.1.1", formats, lines);
  return plan;
}

AnswerPlan answering(const std::string& formats, const std::string& lines = events_line,
                     const std::string& ip = "10.0.2.1") {
  AnswerPlan plan;
  plan.sdp = sdp(ip, formats, lines);
  return plan;
}

}  // namespace

TEST_CASE("Codecs: the vendor is offered what both lists have, in its own order (M-07)") {
  SwitchConfig config = base_config();
  cust(config).codecs = codecs({"PCMU", "PCMA", "G729"});
  v(config, 1).codecs = codecs({"G729", "PCMA"});
  bool is_direct = false;
  SUBCASE("relayed") {}
  SUBCASE("direct") {
    is_direct = true;
    config.parameters.media_mode = MediaMode::off;
  }
  Bench bench(config);
  bench.b->set_plan(answering("8 101"));
  auto call = bench.connect(offering("0 9 8 18 101"));
  auto far = bench.b->last_call();
  CHECK(formats(far->remote_sdp()) == "18 8 101");
  CHECK(formats(call->remote_sdp()) == "8 101");
  CHECK(has(far->remote_sdp(), is_direct ? "c=IN IP4 10.0.1.1" : "c=IN IP4 10.0.0.1"));
  const auto live = bench.tandem->calls();
  REQUIRE(live.size() == 1);
  CHECK(live[0].codecs.negotiated == "PCMA");
  CHECK(has(to_json(live[0]), R"("codec":"PCMA")"));
  call->hang_up();
  const Cdr& cdr = bench.only_cdr();
  CHECK(cdr.media_relayed == !is_direct);
  CHECK(cdr.codecs ==
        MediaCodecs{"PCMA", "PCMU,G722,PCMA,G729,telephone-event", "PCMA,telephone-event"});
  CHECK(has(to_json(cdr), R"("codec":"PCMA","caller":{)"));
}

TEST_CASE("Codecs: a vendor that takes none of the offer is passed over; with all so it is 488") {
  SwitchConfig config = base_config(2);
  v(config, 1).codecs = codecs({"G729"});
  v(config, 2).codecs = codecs({"G729", "PCMA"});
  Bench bench(config);
  bench.vendors[1]->set_plan(answering("8", "", "10.0.2.2"));
  auto call = bench.connect(offering("0 8 101"));
  CHECK(bench.b->received("INVITE") == 0);
  CHECK(formats(bench.vendors[1]->last_call()->remote_sdp()) == "8 101");
  call->hang_up();
  CHECK(bench.only_cdr().vendor_gateway == "v2");
  bench.world.clear_cdrs();
  auto refused = bench.dial(offering("0 101"));
  bench.run_s(1);
  CHECK(refused->status() == 488);
  const Cdr& cdr = bench.only_cdr();
  CHECK(cdr.end_reason == Reason::CodecMismatch);
  CHECK(cdr.sip_status == 488);
  CHECK(cdr.attempts.empty());
  CHECK(cdr.codecs.caller == "PCMU,telephone-event");
  CHECK(cdr.codecs.negotiated.empty());
}

TEST_CASE("Codecs: lists that have nothing in common rule a vendor out, and explain says so") {
  SwitchConfig config = base_config(2);
  cust(config).codecs = codecs({"PCMA", "G722"});
  v(config, 1).codecs = codecs({"G729"});
  v(config, 2).codecs = codecs({"G722", "PCMU", "PCMA"});
  config.parameters.media_mode = MediaMode::auto_mode;
  Bench bench(config);
  const auto answer = bench.tandem->explain({"cust", "1000", "442079460000", std::nullopt});
  REQUIRE(answer.ok());
  CHECK(has(*answer, R"({"gateway":"v1","reason":"CodecMismatch","rule":"codecs")"));
  CHECK(has(*answer, R"("codecs":["G722","PCMA"])"));
  CHECK(has(*answer, R"("media":{"relayed":null,"rule":"by the call"})"));
  v(config, 2).locked = true;
  REQUIRE(bench.tandem->reload(config).ok());
  auto call = bench.dial(offering("8"));
  bench.run_s(1);
  CHECK(call->status() == 488);
  CHECK(bench.only_cdr().end_reason == Reason::CodecMismatch);
}

TEST_CASE("Codecs: an answer with what the customer may not have fails the vendor (M-07, R-15)") {
  SwitchConfig config = base_config(2);
  cust(config).codecs = codecs({"PCMA"});
  Bench bench(config);
  bench.b->set_plan(answering("0"));
  bench.vendors[1]->set_plan(answering("8", "", "10.0.2.2"));
  auto call = bench.connect(offering("8 0"));
  CHECK(formats(call->remote_sdp()) == "8");
  CHECK(bench.b->last_call()->is_over());
  call->hang_up();
  const Cdr& cdr = bench.only_cdr();
  REQUIRE(cdr.attempts.size() == 2);
  CHECK(cdr.attempts[0].reason == Reason::CodecMismatch);
  CHECK(cdr.vendor_gateway == "v2");
  CHECK(cdr.codecs.negotiated == "PCMA");
}

TEST_CASE("Codecs: a change by the vendor is offered in the customer's order, types stay (M-07)") {
  SwitchConfig config = base_config();
  cust(config).codecs = codecs({"iLBC", "PCMA"});
  v(config, 1).codecs = codecs({"PCMA", "iLBC"});
  Bench bench(config);
  const std::string ilbc = "a=rtpmap:97 iLBC/8000\r\na=fmtp:97 mode=20\r\n";
  bench.b->set_plan(answering("8 97", ilbc));
  auto call = bench.connect(offering("0 97 8", ilbc));
  auto far = bench.b->last_call();
  CHECK(formats(far->remote_sdp()) == "8 97");
  far->reinvite(sdp("10.0.2.1", "0 8 97", ilbc));
  bench.run_s(1);
  CHECK(call->count("reinvite") == 1);
  CHECK(formats(call->remote_sdp()) == "97 8");
  CHECK(has(call->remote_sdp(), "a=rtpmap:97 iLBC/8000\r\na=fmtp:97 mode=20\r\n"));
  CHECK(far->count("reoffer 200") == 1);
  call->reinvite(sdp("10.0.1.1", "0 97 8", ilbc + "a=sendonly\r\n"));
  bench.run_s(1);
  CHECK(call->count("reoffer 200") == 1);
  CHECK(formats(far->remote_sdp()) == "8 97");
  CHECK(has(far->remote_sdp(), "a=sendonly"));
  // What nobody of the other side takes is refused, and the call stays as it was.
  call->reinvite(sdp("10.0.1.1", "0 9"));
  bench.run_s(1);
  CHECK(call->count("reoffer 488") == 1);
  CHECK_FALSE(far->is_over());
  call->hang_up();
  bench.only_cdr();
}

TEST_CASE("Codecs: a delayed offer is filtered for the caller, and its answer for the vendor") {
  SwitchConfig config = base_config();
  cust(config).codecs = codecs({"PCMA", "PCMU"});
  v(config, 1).codecs = codecs({"PCMU", "PCMA"});
  Bench bench(config);
  bench.b->set_plan(answering("18 0 8 101"));
  DialPlan plan = offering("0 101");
  plan.delayed_offer = true;
  auto call = bench.connect(plan);
  CHECK(formats(call->remote_sdp()) == "8 0 101");
  bench.run_s(1);
  CHECK(formats(bench.b->last_call()->remote_sdp()) == "0 101");
  CHECK(bench.tandem->calls().at(0).codecs.negotiated == "PCMU");
  call->hang_up();
  bench.only_cdr();
}

TEST_CASE("Codecs: an answer in an ACK that leaves nothing ends the call") {
  SwitchConfig config = base_config();
  v(config, 1).codecs = codecs({"PCMA"});
  Bench bench(config);
  bench.b->set_plan(answering("8"));
  DialPlan plan = offering("9");
  plan.delayed_offer = true;
  auto call = bench.dial(plan);
  bench.run_s(2);
  CHECK(call->was_answered());
  CHECK(call->is_over());
  CHECK(bench.b->last_call()->is_over());
  CHECK(bench.only_cdr().end_reason == Reason::CodecMismatch);
}

TEST_CASE("Codecs: early media has the same codecs as the answer") {
  SwitchConfig config = base_config();
  cust(config).codecs = codecs({"PCMA"});
  Bench bench(config);
  AnswerPlan plan = answering("8 0 101");
  plan.progress_after_us = 0;
  plan.answer_after_us = second_us;
  plan.answer_without_sdp = true;
  bench.b->set_plan(plan);
  auto call = bench.dial(offering("8 0 101"));
  bench.run_ms(500);
  CHECK(call->count("183 sdp") == 1);
  CHECK(formats(call->remote_sdp()) == "8 101");
  bench.run_s(1);
  CHECK(call->was_answered());
  call->hang_up();
  CHECK(bench.only_cdr().codecs.negotiated == "PCMA");
}

TEST_CASE("Codecs: a list counts for the calls after its reload, not for those before") {
  SwitchConfig config = base_config();
  Bench bench(config);
  auto before = bench.connect(offering("0 8 101"));
  v(config, 1).codecs = codecs({"PCMA"});
  v(config, 1).sip.annexb = AnnexMode::no;
  REQUIRE(bench.tandem->reload(config).ok());
  before->reinvite(sdp("10.0.1.1", "0 18"));
  bench.run_s(1);
  CHECK(formats(bench.b->last_call()->remote_sdp()) == "0 18");
  before->hang_up();
  bench.run_s(1);
  auto after = bench.connect(offering("0 8 101"));
  CHECK(formats(bench.b->last_call()->remote_sdp()) == "8 101");
  after->hang_up();
  bench.run_s(1);
}

TEST_CASE("Codecs: annexb of G.729 is written as each side wants it (M-08)") {
  SwitchConfig config = base_config();
  v(config, 1).sip.annexb = AnnexMode::no;
  Bench bench(config);
  bench.b->set_plan(answering("18", ""));
  auto call = bench.connect(offering("18", "a=rtpmap:18 G729/8000\r\n"));
  CHECK(has(bench.b->last_call()->remote_sdp(), "a=fmtp:18 annexb=no\r\n"));
  CHECK(has(call->remote_sdp(), "a=fmtp:18 annexb=no\r\n"));
  call->hang_up();
  bench.only_cdr();
}

TEST_CASE("Codecs: what a relay cannot carry is refused, and passes where media is direct") {
  SwitchConfig config = base_config();
  const std::string offer =
      "v=0\r\no=x 1 1 IN IP4 10.0.1.1\r\ns=-\r\nc=IN IP4 10.0.1.1\r\nt=0 0\r\nm=audio 4000 "
      "UDP/TLS/RTP/SAVPF 8\r\na=fingerprint:sha-256 AA\r\na=candidate:1 1 UDP 1 10.0.1.1 4000 typ "
      "host\r\n";
  DialPlan plan;
  plan.sdp = offer;
  {
    Bench bench(config);
    auto call = bench.dial(plan);
    bench.run_s(1);
    CHECK(call->status() == 488);
    CHECK(bench.only_cdr().end_reason == Reason::CodecMismatch);
  }
  cust(config).media = MediaMode::off;
  Bench bench(config);
  bench.b->set_plan(answer_after(second_us));
  auto call = bench.dial(plan);
  bench.run_ms(500);
  CHECK(bench.b->last_call()->remote_sdp() == offer);
  call->cancel();
  bench.run_s(1);
}

TEST_CASE("Media: auto relays between a private and a public network (M-01 step 9)") {
  SwitchConfig config = base_config();
  config.parameters.media_mode = MediaMode::auto_mode;
  config.provision.vendor_gateways = {vendor("v1", "203.0.113.1:5060", 1)};
  config.parameters.media_behind_nat = false;  // step 7 would hit first
  bool is_relayed = true;
  SUBCASE("on") {}
  SUBCASE("off") {
    config.parameters.media_between_networks = false;
    is_relayed = false;
  }
  Bench bench(config);
  auto call = bench.connect();
  CHECK(has(bench.b->last_call()->remote_sdp(), "c=IN IP4 10.0.0.1") == is_relayed);
  call->hang_up();
  CHECK(bench.only_cdr().media_relayed == is_relayed);
}

TEST_CASE("Media: with nat_sdp_first packets go to the address of the description (M-03)") {
  for (const bool is_first : {false, true}) {
    CAPTURE(is_first);
    SwitchConfig config = base_config();
    cust(config).sip.nat_sdp_first = is_first;
    Bench bench(config);
    int to_described = 0;
    bench.world.set_tap([&](const DatagramView& view) {
      if (view.to.ip == ip("203.0.113.9") && view.to.port == 4000) ++to_described;
    });
    AnswerPlan plan;
    plan.send_rtp = true;
    bench.b->set_plan(plan);
    DialPlan dial;
    dial.sdp = sdp("203.0.113.9", "8");
    auto call = bench.connect(dial);
    RawEndpoint* const phone = bench.world.add_raw_endpoint("10.0.1.1:4000").value();
    const std::string& shown = call->remote_sdp();
    const SocketAddress relay = {
        ip(switch_ip),
        static_cast<std::uint16_t>(std::stoi(shown.substr(shown.find("m=audio ") + 8)))};
    for (char sequence = 1; sequence <= 5; ++sequence) {
      const std::string packet = std::string("\x80\x08\0", 3) + sequence +
                                 std::string("\0\0\0\0ssrc", 8) + std::string(160, 'x');
      phone->send(relay, packet);
      bench.run_ms(20);
    }
    bench.run_s(8);    // a new place is tried for a while first
    to_described = 0;  // before its own packets came there was nothing else to go by
    phone->clear();
    bench.run_s(2);
    CHECK((to_described > 80) == is_first);
    CHECK(phone->received().empty() == is_first);
    call->hang_up();
    bench.run_s(1);
  }
}

TEST_CASE("Ringback: a customer gets 183 or 180 with a description, whatever came (M-12)") {
  struct Row {
    const char* what;
    RemoteRingback mode;
    int status;
    bool has_sdp;
    std::string expected;
  };
  using enum RemoteRingback;
  for (const Row& row : {Row{"auto passes 180", auto_mode, 180, false, "180"},
                         Row{"auto passes 183", auto_mode, 183, true, "183 sdp"},
                         Row{"180 becomes 183", session_progress, 180, true, "183 sdp"},
                         Row{"180 without a description", session_progress, 180, false, "183 sdp"},
                         Row{"183 becomes 180", ringing, 183, true, "180 sdp"},
                         Row{"180 gets a description", ringing, 180, false, "180 sdp"},
                         Row{"181 is something else", session_progress, 181, false, "181"}}) {
    for (const bool is_vendors : {false, true}) {
      CAPTURE(row.what);
      CAPTURE(is_vendors);
      SwitchConfig config = base_config();
      (is_vendors ? v(config, 1).sip : cust(config).sip).remote_ringback = row.mode;
      Bench bench(config);
      AnswerPlan plan = answering("8 101");
      plan.progress_after_us = 0;
      plan.progress_status = row.status;
      plan.progress_with_sdp = row.has_sdp;
      plan.answer_after_us = second_us;
      bench.b->set_plan(plan);
      auto call = bench.dial(offering("0 8 101"));
      bench.run_ms(500);
      CHECK(call->count(row.expected) == 1);
      const std::string early = call->remote_sdp();
      if (row.expected.ends_with("sdp")) CHECK(has(early, "c=IN IP4 10.0.0.1"));
      bench.run_s(1);
      REQUIRE(call->was_answered());
      CHECK(formats(call->remote_sdp()) == "8 101");
      if (!early.empty() && early != call->remote_sdp())
        CHECK(origin(early) != origin(call->remote_sdp()));
      call->hang_up();
      CHECK(bench.only_cdr().codecs.negotiated == "PCMA");
    }
  }
}

TEST_CASE("Ringback: silence of the switch's own does not end the hunt for a vendor (R-15)") {
  SwitchConfig config = base_config(2);
  cust(config).sip.remote_ringback = RemoteRingback::session_progress;
  cust(config).codecs = codecs({"PCMA"});
  v(config, 1).switching.after_ringing = true;
  Bench bench(config);
  AnswerPlan first = refuse(503, second_us);
  first.ring_after_us = 0;
  bench.b->set_plan(first);
  bench.vendors[1]->set_plan(answering("8", "", "10.0.2.2"));
  auto call = bench.dial(offering("0 8"));
  bench.run_ms(500);
  CHECK(call->count("183 sdp") == 1);
  CHECK(formats(call->remote_sdp()) == "8");
  bench.run_s(2);
  CHECK(call->was_answered());
  call->hang_up();
  CHECK(bench.only_cdr().vendor_gateway == "v2");
}

TEST_CASE("Ringback: what nobody can answer stays as it came (M-12)") {
  SwitchConfig config = base_config();
  cust(config).sip.remote_ringback = RemoteRingback::session_progress;
  DialPlan plan;
  SUBCASE("direct media") { config.parameters.media_mode = MediaMode::off; }
  SUBCASE("no offer") { plan.delayed_offer = true; }
  SUBCASE("reliable, and so for good") {
    cust(config).sip.rel100 = Rel100Mode::allow;
    plan.rel100 = true;
  }
  Bench bench(config);
  bench.b->set_plan(answer_after(second_us));
  auto call = bench.dial(plan);
  bench.run_ms(500);
  CHECK(call->count("180") == 1);
  bench.run_s(2);
  CHECK(call->was_answered());
  call->hang_up();
  bench.only_cdr();
}

TEST_CASE("Keys: INFO and telephone events pass where both sides have them (M-09)") {
  struct Row {
    DtmfReceive receive;
    DtmfSend send;
    bool passes_info, has_events;
  };
  for (const Row& row : {Row{DtmfReceive::all, DtmfSend::auto_mode, true, true},
                         Row{DtmfReceive::rfc4733, DtmfSend::auto_mode, false, true},
                         Row{DtmfReceive::signalling, DtmfSend::auto_mode, true, false},
                         Row{DtmfReceive::off, DtmfSend::auto_mode, false, false},
                         Row{DtmfReceive::all, DtmfSend::rfc4733, false, true},
                         Row{DtmfReceive::all, DtmfSend::info, true, false},
                         Row{DtmfReceive::all, DtmfSend::off, false, false}}) {
    CAPTURE(dtmf_receive_name(row.receive));
    CAPTURE(dtmf_send_name(row.send));
    SwitchConfig config = base_config();
    cust(config).sip.dtmf_receive = row.receive;
    v(config, 1).sip.dtmf_send = row.send;
    Bench bench(config);
    bench.b->set_plan(answering("8 101"));
    auto call = bench.connect(offering("8 101"));
    auto far = bench.b->last_call();
    // What the vendor describes is what the caller may send it.
    CHECK(formats(call->remote_sdp()) == (row.has_events ? "8 101" : "8"));
    CHECK(formats(far->remote_sdp()) == "8 101");
    call->request("INFO", "application/dtmf-relay", "Signal=5\r\nDuration=160\r\n");
    bench.run_s(1);
    CHECK(call->count("result 200") == 1);
    CHECK(far->count("INFO") == (row.passes_info ? 1 : 0));
    call->request("INFO", "text/plain", "Signal=5");  // no key
    bench.run_s(1);
    CHECK(far->count("INFO") == (row.passes_info ? 2 : 1));
    call->hang_up();
    bench.only_cdr();
  }
}

TEST_CASE("Codecs: phones have a list too, as callers and as callees (M-07)") {
  SwitchConfig config = base_config();
  PhoneConfig phone;
  phone.id = phone.number = "1001";
  phone.password = "secret";
  phone.account = "acme";
  phone.codecs = codecs({"G722", "PCMA"});
  phone.remote_ringback = RemoteRingback::ringing;
  config.provision.phones = {phone};
  Bench bench(config);
  Endpoint* const device = bench.endpoint("10.0.3.1:5060");
  device->register_user("1001", "secret");
  bench.run_s(1);
  REQUIRE(device->registration_status("1001") == 200);
  AnswerPlan plan;
  plan.sdp = sdp("10.0.3.1", "8");
  device->set_plan(plan);
  auto in = bench.a->dial("1001", "442079460000", offering("0 8 9 101"));
  bench.run_s(1);
  REQUIRE(in->was_answered());
  CHECK(formats(device->last_call()->remote_sdp()) == "9 8 101");
  in->hang_up();
  bench.run_s(1);
  AnswerPlan far = answering("8");
  far.ring_after_us = 0;
  far.answer_after_us = second_us;
  bench.b->set_plan(far);
  DialPlan out = offering("0 8 9");
  out.sdp = sdp("10.0.3.1", "0 8 9");
  out.username = "1001";
  out.password = "secret";
  auto call = device->dial("442079460000", "1001", out);
  bench.run_s(3);
  REQUIRE(call->was_answered());
  CHECK(formats(bench.b->last_call()->remote_sdp()) == "8 9");
  CHECK(call->count("180 sdp") == 1);
  call->hang_up();
  bench.run_s(1);
}
