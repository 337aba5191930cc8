// T.38 and video beside or in the place of the audio of a call (M-02, M-11).
#include <string>

#include "flow/flow.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

std::string description(const std::string& ip, int version, const std::string& media) {
  return "v=0\r\no=- 1 " + std::to_string(version) + " IN IP4 " + ip + "\r\ns=-\r\nc=IN IP4 " + ip +
         "\r\nt=0 0\r\n" + media;
}

/// Where the n-th line of `kind` of a description wants its media.
SocketAddress target(const std::string& sdp, const std::string& kind) {
  const auto at_line = sdp.find("m=" + kind + ' ');
  REQUIRE(at_line != std::string::npos);
  const int port = std::stoi(sdp.substr(at_line + 3 + kind.size()));
  const auto at_address = sdp.find("c=IN IP4 ");
  const auto end = sdp.find_first_of("\r\n", at_address);
  return at(sdp.substr(at_address + 9, end - at_address - 9) + ":" + std::to_string(port));
}

std::string rtp(std::uint16_t sequence) {
  std::string packet(172, '\x55');
  packet[0] = '\x80';
  packet[1] = '\x60';
  packet[2] = static_cast<char>(sequence >> 8);
  packet[3] = static_cast<char>(sequence);
  return packet;
}

const std::string udptl("\x00\x01\x02\x06\x00", 5);  // no RTP: version 0

SwitchConfig silent_calls_end() {
  SwitchConfig config = base_config();
  config.parameters.no_media_hangup_s = 5;
  return config;
}

}  // namespace

TEST_CASE("Media: a fax in the place of the audio passes both ways and keeps its call (M-11)") {
  SwitchConfig config = silent_calls_end();
  Bench bench(config);
  RawEndpoint* const a = *bench.world.add_raw_endpoint("10.0.1.1:6000");
  RawEndpoint* const b = *bench.world.add_raw_endpoint("10.0.2.1:7000");
  AnswerPlan answer;
  answer.sdp = description("10.0.2.1", 1, "m=image 7000 udptl t38\r\na=T38FaxVersion:0\r\n");
  bench.b->set_plan(answer);
  DialPlan dial;
  dial.sdp = description("10.0.1.1", 1, "m=image 6000 udptl t38\r\na=T38FaxVersion:0\r\n");
  const auto call = bench.connect(dial);
  const SocketAddress for_caller = target(call->remote_sdp(), "image");
  const SocketAddress for_callee = target(bench.b->last_call()->remote_sdp(), "image");
  CHECK(for_caller.ip == ip(switch_ip));
  for (int second = 0; second < 12; ++second) {
    a->send(for_caller, udptl);
    b->send(for_callee, udptl);
    bench.run_s(1);
  }
  CHECK_FALSE(call->is_over());  // UDPTL is media (M-05)
  CHECK(a->received().size() == 12);
  CHECK(b->received().size() == 12);
  CHECK(b->received().back().bytes == udptl);
  bench.run_s(8);
  CHECK(call->is_over());  // ... and its end is silence
  bench.run_s(1);
  const Cdr& cdr = bench.only_cdr();
  CHECK(cdr.codecs.negotiated == "T38");
  CHECK(cdr.media_caller.packets_received == 12);
  CHECK(cdr.media_callee.packets_received == 12);
  CHECK(cdr.media_caller.packets_lost == 0);
  bench.check_clean();
}

TEST_CASE("Media: video goes beside the audio over ports of its own, and counts as media") {
  Bench bench(silent_calls_end());
  RawEndpoint* const a = *bench.world.add_raw_endpoint("10.0.1.1:6000");
  RawEndpoint* const b = *bench.world.add_raw_endpoint("10.0.2.1:7000");
  const auto both = [](const std::string& address, int audio, int video) {
    return description(address, 1,
                       "m=audio " + std::to_string(audio) + " RTP/AVP 0\r\nm=video " +
                           std::to_string(video) + " RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n");
  };
  AnswerPlan answer;
  answer.sdp = both("10.0.2.1", 7002, 7000);
  bench.b->set_plan(answer);
  DialPlan dial;
  dial.sdp = both("10.0.1.1", 6002, 6000);
  const auto call = bench.connect(dial);
  const SocketAddress video_for_caller = target(call->remote_sdp(), "video");
  const SocketAddress video_for_callee = target(bench.b->last_call()->remote_sdp(), "video");
  CHECK(video_for_caller != target(call->remote_sdp(), "audio"));
  for (std::uint16_t i = 0; i < 12; ++i) {
    a->send(video_for_caller, rtp(i));
    b->send(video_for_callee, rtp(i));
    bench.run_s(1);
  }
  CHECK_FALSE(call->is_over());
  CHECK(a->received().size() == 12);
  CHECK(b->received().size() == 12);
  CHECK(b->received().back().bytes == rtp(11));
  call->hang_up();
  bench.run_s(1);
  const Cdr& cdr = bench.only_cdr();
  CHECK(cdr.media_caller.packets_received == 12);
  CHECK(cdr.media_callee.packets_received == 12);
  bench.check_clean();
}

namespace {

/// A call of audio whose ends are raw ports, and which then sends a fax.
struct FaxCall : Bench {
  RawEndpoint* const near;
  RawEndpoint* const far;
  std::shared_ptr<EndpointCall> call, called;
  std::uint16_t sequence = 0;

  explicit FaxCall(SwitchConfig settings)
      : Bench(std::move(settings)),
        near(*world.add_raw_endpoint("10.0.1.1:6000")),
        far(*world.add_raw_endpoint("10.0.2.1:7000")) {
    AnswerPlan answer;
    answer.sdp = audio("10.0.2.1", 1, 7000);
    b->set_plan(answer);
    DialPlan dial;
    dial.sdp = audio("10.0.1.1", 1, 6000);
    call = connect(dial);
    called = b->last_call();
  }
  static std::string audio(const std::string& address, int version, int port) {
    return description(address, version, "m=audio " + std::to_string(port) + " RTP/AVP 0\r\n");
  }
  static std::string fax(const std::string& address, int version, int port) {
    return description(address, version,
                       "m=image " + std::to_string(port) +
                           " udptl t38\r\na=T38FaxVersion:0\r\n"
                           "a=T38FaxRateManagement:transferredTCF\r\n");
  }
  void send_each_second(int seconds, const std::string& kind) {
    for (int second = 0; second < seconds; ++second) {
      std::string packet = udptl;
      if (kind == "audio") {
        packet = rtp(++sequence);
        packet[1] = '\0';
      }
      near->send(target(call->remote_sdp(), kind), packet);
      far->send(target(called->remote_sdp(), kind), packet);
      run_s(1);
    }
  }
};

}  // namespace

TEST_CASE("Media: a call turns to fax and back, and silence ends it in either (M-11, M-05)") {
  FaxCall bench(silent_calls_end());
  bench.send_each_second(3, "audio");
  CHECK(bench.near->received().size() == 3);
  bench.call->set_reoffer_sdp(FaxCall::fax("10.0.1.1", 2, 6000));
  bench.called->reinvite(FaxCall::fax("10.0.2.1", 2, 7000));
  bench.run_ms(500);
  CHECK(bench.called->count("reoffer 200") == 1);
  CHECK(bench.call->count("reinvite") == 1);
  CHECK(bench.call->remote_sdp().find("a=T38FaxRateManagement:transferredTCF\r\n") !=
        std::string::npos);
  bench.send_each_second(9, "image");
  CHECK_FALSE(bench.call->is_over());  // UDPTL is media
  CHECK(bench.near->received().size() == 12);
  CHECK(bench.far->received().size() == 12);
  CHECK(bench.far->received().back().bytes == udptl);
  bool is_silent_as_fax = false;
  SUBCASE("silent as a fax") { is_silent_as_fax = true; }
  SUBCASE("back to audio") {
    bench.call->set_reoffer_sdp(FaxCall::audio("10.0.1.1", 3, 6000));
    bench.called->reinvite(FaxCall::audio("10.0.2.1", 3, 7000));
    bench.run_ms(500);
    CHECK(bench.called->count("reoffer 200") == 2);
    bench.send_each_second(9, "audio");
    CHECK_FALSE(bench.call->is_over());
    CHECK(bench.near->received().size() == 21);
    CHECK(bench.far->received().size() == 21);
    // Now what is no RTP is no media again.
    bench.near->send(target(bench.call->remote_sdp(), "audio"), udptl);
    bench.run_ms(100);
    CHECK(bench.far->received().size() == 21);
  }
  bench.run_s(8);
  CHECK(bench.call->is_over());
  const Cdr& cdr = bench.only_cdr();
  CHECK(cdr.end_reason == Reason::NoMedia);
  CHECK(cdr.codecs.negotiated == (is_silent_as_fax ? "T38" : "PCMU"));
  CHECK(cdr.media_caller.packets_lost == 0);
  bench.check_clean();
}

TEST_CASE("Media: a fax that the other side refuses with 488 leaves the audio as it was (M-11)") {
  FaxCall bench(silent_calls_end());
  bench.send_each_second(2, "audio");
  bench.call->set_reoffer_status(488);
  bench.called->reinvite(FaxCall::fax("10.0.2.1", 2, 7000));
  bench.run_ms(500);
  CHECK(bench.called->count("reoffer 488") == 1);
  CHECK(bench.call->count("reinvite") == 1);
  bench.send_each_second(8, "audio");
  CHECK_FALSE(bench.call->is_over());
  CHECK(bench.near->received().size() == 10);
  CHECK(bench.far->received().size() == 10);
  bench.call->hang_up();
  CHECK(bench.only_cdr().codecs.negotiated == "PCMU");
}

TEST_CASE("Media: who takes no fax is not asked for it, the other side gets 488 (M-11, t38)") {
  SwitchConfig config = silent_calls_end();
  SUBCASE("the customer takes none") { config.provision.customer_gateways[0].sip.t38 = false; }
  SUBCASE("the vendor sends none") { config.provision.vendor_gateways[0].sip.t38 = false; }
  FaxCall bench(config);
  bench.send_each_second(2, "audio");
  bench.called->reinvite(FaxCall::fax("10.0.2.1", 2, 7000));
  bench.run_ms(500);
  CHECK(bench.called->count("reoffer 488") == 1);
  CHECK(bench.call->count("reinvite") == 0);
  bench.send_each_second(3, "audio");
  CHECK(bench.near->received().size() == 5);
  CHECK(bench.far->received().size() == 5);
  bench.call->hang_up();
  (void)bench.only_cdr();
  bench.world.clear_cdrs();
  // From the beginning: alone it is refused, beside audio it is taken out.
  DialPlan dial;
  dial.sdp = FaxCall::fax("10.0.1.1", 1, 6000);
  const auto alone = bench.dial(dial);
  bench.run_s(2);
  CHECK(alone->status() == 488);
  dial.sdp = FaxCall::audio("10.0.1.1", 1, 6000) + "m=image 6002 udptl t38\r\n";
  const auto beside = bench.dial(dial);
  bench.run_s(1);
  CHECK(bench.b->last_call()->remote_sdp().find("m=image 0 udptl t38\r\n") != std::string::npos);
  beside->hang_up();
  bench.run_s(1);
}
