// Handshakes in a call's descriptions: what a browser and who is on the other side are told, and
// what the relay makes of their packets then.
#include <doctest/doctest.h>

#include <memory>
#include <string>

#include "call/media_path.hpp"
#include "io/dtls.hpp"
#include "media/relay.hpp"
#include "media/stun.hpp"
#include "sip/sdp_dtls.hpp"
#include "unit/media/fake_loop.hpp"
#include "unit/media/rtp_packet.hpp"

using namespace tandem;
using namespace tandem::media;
using call::SdpRole;

namespace {

constexpr MediaSide caller = MediaSide::caller;
constexpr MediaSide callee = MediaSide::callee;

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

struct WebCall {
  FakeLoop loop;
  MediaRelay relay;
  SeededRandom random{1};
  call::MediaPath media;
  call::MediaSettingsPair settings;
  std::shared_ptr<const io::DtlsIdentity> identity = io::DtlsIdentity::make().value();
  std::unique_ptr<io::DtlsAssociation> dtls;
  std::shared_ptr<SrtpSide> keys;
  const SocketAddress browser = *SocketAddress::parse("192.0.2.1:4000");
  const SocketAddress carrier = *SocketAddress::parse("198.51.100.2:4000");
  std::string ufrag = "them", setup = "actpass", protocol = "UDP/TLS/RTP/SAVPF";
  bool has_ice = true, has_video = false;
  std::string to_browser, to_carrier;
  std::uint16_t sequence = 0;

  explicit WebCall(MediaSide of_browser = caller)
      : relay(*make_loop_relay(config(), loop)), media(&relay, random) {
    call::SrtpSetting& set = settings[of_browser == caller ? 0 : 1].srtp;
    set.mode = SrtpMode::required;
    set.keys = SrtpKeySource::dtls;
    set.ice = IceMode::lite;
    media.set_relayed(true, {IpAddress::Family::ipv4, IpAddress::Family::ipv4});
  }
  static MediaConfig config() {
    MediaConfig config;
    config.address = IpAddress::ipv4(203, 0, 113, 1);
    config.port_first = 30000;
    config.port_last = 30059;
    return config;
  }
  [[nodiscard]] std::string of_browser(const std::string& with_setup) const {
    std::string text = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE a v\r\n";
    text += "m=audio " + std::string(has_ice ? "9 " : "4000 ") + protocol + " 0\r\nc=IN IP4 " +
            (has_ice ? "0.0.0.0" : "192.0.2.1") +
            "\r\na=mid:a\r\na=rtcp-mux\r\na=fingerprint:" + identity->fingerprint().to_string() +
            "\r\na=setup:" + with_setup + "\r\na=ssrc:1 cname:x\r\na=rtcp-fb:0 nack\r\n";
    if (has_ice) text += "a=ice-ufrag:" + ufrag + "\r\na=ice-pwd:0123456789abcdefghijkl\r\n";
    if (has_video)
      text += "m=video 9 " + protocol + " 96\r\nc=IN IP4 0.0.0.0\r\na=mid:v\r\na=rtcp-mux\r\n";
    return text;
  }
  [[nodiscard]] std::string of_carrier() const {
    std::string text =
        "v=0\r\no=- 1 1 IN IP4 198.51.100.2\r\ns=-\r\nc=IN IP4 198.51.100.2\r\nt=0 0\r\n"
        "m=audio 4000 RTP/AVP 0\r\n";
    if (has_video) text += "m=video 0 RTP/AVP 96\r\n";
    return text;
  }
  Result<void> pass(MediaSide from, SdpRole role, const std::string& sdp, std::string& to) {
    auto passed = media.pass(from, role, {"application/sdp", sdp}, settings);
    if (!passed) return passed.error();
    to = *passed;
    return {};
  }
  /// The browser calls.
  void call_out() {
    REQUIRE(pass(caller, SdpRole::offer, of_browser(setup), to_carrier));
    REQUIRE(pass(callee, SdpRole::answer, of_carrier(), to_browser));
  }
  [[nodiscard]] sip::SdpHandshake told() const {
    return sip::sdp_handshake(sip::parse_sdp(to_browser)->media[0]);
  }
  [[nodiscard]] static SocketAddress address_in(const std::string& sdp) {
    const auto session = sip::parse_sdp(sdp);
    return {session->media[0].address, session->media[0].port};
  }
  void from_browser(std::string_view bytes) { loop.send(browser, address_in(to_browser), bytes); }
  /// Checks, and shakes hands in the role that is left to the browser.
  void connect() {
    const sip::SdpHandshake ours = told();
    if (has_ice) {
      StunCheck check;
      check.transaction = "abcdefghijkl";
      const std::string username = ours.ice_ufrag + ":" + ufrag;
      check.username = username;
      check.password = ours.ice_password;
      check.priority = 1;
      check.nominates = true;
      from_browser(stun_request(check));
    }
    const bool waits = ours.setup == sip::SdpSetup::active;
    dtls = io::DtlsAssociation::create(identity, waits ? DtlsRole::server : DtlsRole::client,
                                       ours.fingerprints)
               .value();
    io::DtlsAssociation::Datagrams out;
    dtls->begin(out);
    for (int turn = 0; turn < 20; ++turn) {
      for (const std::string& bytes : out)
        from_browser(bytes);
      out.clear();
      loop.advance_us(50'000);
      loop.timers().advance(loop.clock().monotonic_us());
      while (!loop.heard.empty()) {
        const FakeLoop::Heard heard = loop.heard.front();
        loop.heard.pop_front();
        if (heard.to == browser && port_traffic(heard.bytes) == PortTraffic::dtls)
          dtls->take(heard.bytes, out);
      }
    }
    REQUIRE(dtls->state() == io::DtlsAssociation::State::agreed);
    keys = *SrtpSide::create(dtls->crypto(), nullptr);
  }
  bool talks() {
    ++sequence;
    const std::string packet = rtp_packet(sequence, sequence * 160U, 7);
    std::string_view sealed = packet;
    if (!keys->seal_rtp(sealed)) return false;
    loop.heard.clear();
    from_browser(sealed);
    if (loop.heard.size() != 1 || loop.heard[0].to != carrier || loop.heard[0].bytes != packet)
      return false;
    loop.heard.clear();
    loop.send(carrier, address_in(to_carrier), packet);
    if (loop.heard.size() != 1 || loop.heard[0].to != browser) return false;
    std::string_view opened = loop.heard[0].bytes;
    return keys->open_rtp(opened) == SrtpVerdict::authentic && opened == packet;
  }
};

}  // namespace

TEST_CASE("Browser: it calls, the carrier sees plain RTP, and both hear each other") {
  WebCall c;
  c.call_out();
  CHECK(has(c.to_carrier, "m=audio 30002 RTP/AVP 0\r\n"));
  for (const char* part : {"TLS", "fingerprint", "setup", "ice", "mid", "BUNDLE", "ssrc", "rtcp"}) {
    CAPTURE(part);
    CHECK_FALSE(has(c.to_carrier, part));
  }
  const sip::SdpHandshake ours = c.told();
  CHECK(has(c.to_browser, "m=audio 30000 UDP/TLS/RTP/SAVPF 0\r\n"));
  CHECK(ours.setup == sip::SdpSetup::passive);
  CHECK(ours.is_ice_lite);
  CHECK(ours.has_rtcp_mux);
  CHECK(ours.mid == "a");
  CHECK(ours.is_bundled);
  REQUIRE(ours.fingerprints.size() == 1);
  CHECK(ours.fingerprints[0] == *c.relay.dtls_fingerprint());
  c.connect();
  CHECK(c.talks());
  CHECK(c.media.stats(caller).cause == MediaCause::none);
}

TEST_CASE("Browser: it is called, in whichever role it takes, with ICE and without") {
  for (const std::string setup : {"active", "passive"}) {
    for (const bool has_ice : {true, false}) {
      CAPTURE(setup);
      CAPTURE(has_ice);
      WebCall c(callee);
      c.has_ice = has_ice;
      std::string& to_web = c.to_browser;
      REQUIRE(c.pass(caller, SdpRole::offer, c.of_carrier(), to_web));
      CHECK(has(to_web, "UDP/TLS/RTP/SAVPF 0\r\n"));
      CHECK(c.told().setup == sip::SdpSetup::actpass);
      CHECK(c.told().is_ice_lite);
      CHECK(c.told().is_bundled);
      REQUIRE(c.pass(callee, SdpRole::answer, c.of_browser(setup), c.to_carrier));
      CHECK(has(c.to_carrier, "RTP/AVP 0\r\n"));
      CHECK_FALSE(has(c.to_carrier, "fingerprint"));
      // What it was offered left both open; its answer decides.
      const std::string decided = setup == "active" ? "a=setup:passive" : "a=setup:active";
      c.to_browser.replace(c.to_browser.find("a=setup:actpass"), 15, decided);
      c.connect();
      CHECK(c.talks());
    }
  }
}

TEST_CASE("Browser: its video is refused by name, and the audio goes on") {
  WebCall c;
  c.has_video = true;
  c.call_out();
  const auto carried = sip::parse_sdp(c.to_carrier);
  REQUIRE(carried);
  CHECK(carried->media[1].port == 0);
  CHECK_FALSE(has(c.to_carrier, "TLS"));
  const auto told = sip::parse_sdp(c.to_browser);
  REQUIRE(told);
  CHECK(told->media[1].port == 0);
  CHECK(told->media[1].protocol == "UDP/TLS/RTP/SAVPF");
  CHECK(sip::sdp_handshake(told->media[1]).mid == "v");
  CHECK(has(c.to_browser, "a=group:BUNDLE a\r\n"));
  c.connect();
  CHECK(c.talks());
}

TEST_CASE("Browser: re-offers of either side keep the keys, ICE anew gets other words") {
  WebCall c;
  c.call_out();
  c.connect();
  REQUIRE(c.talks());
  const sip::SdpHandshake before = c.told();
  c.call_out();  // the same once more
  CHECK(c.told() == before);
  CHECK(c.talks());
  // The carrier's: the browser is offered both roles, and keeps its own.
  REQUIRE(c.pass(callee, SdpRole::offer, c.of_carrier(), c.to_browser));
  CHECK(c.told().setup == sip::SdpSetup::actpass);
  CHECK(c.told().ice_ufrag == before.ice_ufrag);
  REQUIRE(c.pass(caller, SdpRole::answer, c.of_browser("active"), c.to_carrier));
  CHECK(c.talks());
  c.ufrag = "anew";
  c.call_out();
  CHECK(c.told().ice_ufrag != before.ice_ufrag);
  CHECK(c.told().ice_password != before.ice_password);
  CHECK(c.talks());
}

TEST_CASE("Browser: what does not fit the settings is refused") {
  WebCall plain;
  std::string told;
  auto passed = plain.pass(caller, SdpRole::offer, plain.of_carrier(), told);
  REQUIRE_FALSE(passed);
  CHECK(passed.error().code == ErrorCode::unsupported);
  WebCall sdes;
  sdes.settings[0].srtp.keys = SrtpKeySource::sdes;
  CHECK_FALSE(sdes.pass(caller, SdpRole::offer, sdes.of_browser("actpass"), told));
  WebCall both;
  both.settings[0].srtp.keys = SrtpKeySource::both;
  CHECK(both.pass(caller, SdpRole::offer, both.of_browser("actpass"), told));
  WebCall held;
  CHECK_FALSE(held.pass(caller, SdpRole::offer, held.of_browser("holdconn"), told));
  // A callee that is offered a handshake and answers in plain RTP.
  WebCall answer(callee);
  REQUIRE(answer.pass(caller, SdpRole::offer, answer.of_carrier(), told));
  passed = answer.pass(callee, SdpRole::answer, answer.of_carrier(), told);
  REQUIRE_FALSE(passed);
  CHECK(passed.error().code == ErrorCode::unsupported);
}

TEST_CASE("Browser: nothing passes before it has agreed, and the cause is named") {
  WebCall c;
  c.call_out();
  c.loop.heard.clear();
  c.loop.send(c.carrier, WebCall::address_in(c.to_carrier), rtp_packet(1, 160, 7));
  c.from_browser(rtp_packet(1, 160, 7));
  CHECK(c.loop.heard.empty());
  CHECK(c.media.stats(caller).cause == MediaCause::ice_unchecked);
}
