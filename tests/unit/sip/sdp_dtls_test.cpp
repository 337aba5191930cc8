// Handshakes in session descriptions: what a browser says is read, and ours is written.
#include "sip/sdp_dtls.hpp"

#include <doctest/doctest.h>

#include "tandem/clock.hpp"

using namespace tandem;
using namespace tandem::sip;

namespace {

const std::string print =
    "sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:"
    "CC:DD:EE:FF";

// As a browser offers a call.
const std::string offer =
    "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n"
    "a=extmap-allow-mixed\r\na=msid-semantic: WMS a\r\na=fingerprint:" +
    print +
    "\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF 111 0 8\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n"
    "a=ice-ufrag:wXyZ\r\na=ice-pwd:0123456789abcdefghijkl\r\na=ice-options:trickle\r\n"
    "a=setup:actpass\r\na=mid:0\r\na=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n"
    "a=sendrecv\r\na=msid:a b\r\na=rtcp-mux\r\na=rtcp-rsize\r\na=rtpmap:111 opus/48000/2\r\n"
    "a=rtcp-fb:111 transport-cc\r\na=fmtp:111 minptime=10\r\na=ssrc:1 cname:x\r\n"
    "a=candidate:1 1 udp 2122260223 192.0.2.1 5000 typ host\r\n"
    "m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=setup:actpass\r\n";

}  // namespace

TEST_CASE("sdp_handshake: what a browser offers is read, of its session and of its stream") {
  const auto session = parse_sdp(offer);
  REQUIRE(session);
  const SdpHandshake audio = sdp_handshake(session->media[0]);
  REQUIRE(audio.fingerprints.size() == 1);
  CHECK(audio.fingerprints[0].to_string() == print);
  CHECK(audio.setup == SdpSetup::actpass);
  CHECK(audio.ice_ufrag == "wXyZ");
  CHECK(audio.ice_password == "0123456789abcdefghijkl");
  CHECK_FALSE(audio.is_ice_lite);
  CHECK(audio.has_rtcp_mux);
  CHECK(audio.mid == "0");
  CHECK(audio.is_bundled);
  const SdpHandshake video = sdp_handshake(session->media[1]);
  CHECK(video.fingerprints == audio.fingerprints);
  CHECK(video.mid == "1");
  CHECK(video.ice_ufrag.empty());
  // Its address is told by candidates: it is not on hold.
  CHECK_FALSE(session->media[0].is_hold());
  CHECK_FALSE(session->is_hold());
}

TEST_CASE("sdp_handshake: what is malformed is not there") {
  const std::string text =
      "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
      "a=group:BUNDLE 00 10\r\nm=audio 9 UDP/TLS/RTP/SAVP 0\r\na=fingerprint:md5 00\r\n"
      "a=fingerprint:sha-256 00\r\na=ice-ufrag:abc\r\na=ice-pwd:0123456789abcdefghijkl\r\n"
      "a=mid:0\r\na=setup:nonsense\r\n";
  const auto session = parse_sdp(text);
  REQUIRE(session);
  const SdpHandshake read = sdp_handshake(session->media[0]);
  CHECK(read.fingerprints.empty());
  CHECK(read.ice_ufrag.empty());
  CHECK(read.ice_password.empty());
  CHECK(read.setup == SdpSetup::none);
  CHECK_FALSE(read.is_bundled);
}

TEST_CASE("rewrite_sdp: nothing of a browser's handshake passes, and ours is there instead") {
  const auto session = parse_sdp(offer);
  REQUIRE(session);
  SdpEdit edit;
  edit.origin_address = IpAddress::ipv4(203, 0, 113, 1);
  edit.streams.resize(2);
  edit.streams[0].address = edit.origin_address;
  edit.streams[0].port = 30000;
  edit.streams[0].replaces_handshake = true;
  edit.streams[0].protocol = "RTP/AVP";
  edit.streams[1].is_refused = edit.streams[1].replaces_handshake = true;
  edit.streams[1].protocol = "RTP/AVP";
  const auto plain = rewrite_sdp(*session, edit);
  REQUIRE(plain);
  CHECK(*plain ==
        "v=0\r\no=- 0 0 IN IP4 203.0.113.1\r\ns=-\r\nt=0 0\r\n"
        "m=audio 30000 RTP/AVP 111 0 8\r\nc=IN IP4 203.0.113.1\r\na=sendrecv\r\n"
        "a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10\r\n"
        "m=video 0 RTP/AVP 96\r\nc=IN IP4 203.0.113.1\r\n");
  SdpOwnHandshake own{DtlsFingerprint::parse(print).value(),
                      SdpSetup::passive,
                      "ours",
                      "ours0123456789abcdefgh",
                      true,
                      "0",
                      {edit.origin_address, 30000}};
  edit.streams[0].handshake = sdp_handshake_lines(own);
  edit.streams[1].handshake = {"a=mid:1"};
  edit.session_handshake = {"a=group:BUNDLE 0", "a=ice-lite"};
  const auto written = rewrite_sdp(*session, edit);
  REQUIRE(written);
  const auto read = parse_sdp(*written);
  REQUIRE(read);
  const SdpHandshake back = sdp_handshake(read->media[0]);
  CHECK(back.fingerprints[0] == own.fingerprint);
  CHECK(back.setup == SdpSetup::passive);
  CHECK(back.ice_ufrag == "ours");
  CHECK(back.is_ice_lite);
  CHECK(back.is_bundled);
  CHECK(written->find("a=candidate:1 1 UDP 2130706431 203.0.113.1 30000 typ host\r\n") !=
        std::string::npos);
  CHECK(sdp_handshake(read->media[1]).mid == "1");
  CHECK(read->media[1].port == 0);
}

TEST_CASE("make_ice_word: of that length, of its letters, and never the same") {
  SeededRandom random(7);
  const std::string one = make_ice_word(24, random);
  CHECK(one.size() == 24);
  CHECK(one != make_ice_word(24, random));
  CHECK(one.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") ==
        std::string::npos);
}
