#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "sip/sdp.hpp"
#include "tandem/clock.hpp"
#include "unit/sip/messages.hpp"

using namespace tandem;
using namespace tandem::sip;
using namespace tandem::sip::test;

namespace {

SdpEdit edit_for(const SdpSession& session) {
  SdpEdit edit;
  edit.session_id = 77;
  edit.session_version = 78;
  edit.origin_address = IpAddress::ipv4(198, 51, 100, 1);
  for (std::size_t i = 0; i < session.media_count; ++i) {
    SdpStreamEdit stream;
    stream.is_refused = session.media[i].port == 0;
    stream.address = edit.origin_address;
    stream.port = static_cast<std::uint16_t>(20000 + 2 * i);
    edit.streams.push_back(stream);
  }
  return edit;
}

std::string rewritten(const std::string& text) {
  const Result<SdpSession> session = parse_sdp(text);
  REQUIRE(session.ok());
  const Result<std::string> out = rewrite_sdp(*session, edit_for(*session));
  REQUIRE(out.ok());
  return *out;
}

ErrorCode error_of(const std::string& text) {
  const Result<SdpSession> session = parse_sdp(text);
  return session.ok() ? ErrorCode::internal : session.error().code;
}

}  // namespace

TEST_CASE("can_answer: the same kinds of streams in order, with a format in common") {
  const auto with = [](const char* media) {
    return std::string(
               "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n") +
           media;
  };
  const std::string audio = with("m=audio 4000 RTP/AVP 0 8\r\n");
  CHECK(can_answer(audio, with("m=audio 5000 RTP/AVP 18 8\r\n")));
  CHECK(!can_answer(audio, with("m=audio 5000 RTP/AVP 18\r\n")));
  CHECK(!can_answer(audio, with("m=audio 0 RTP/AVP 0\r\n")));
  CHECK(!can_answer(audio, with("m=audio 5000 RTP/AVP 0\r\nm=video 5002 RTP/AVP 34\r\n")));
  const std::string fax = with("m=audio 0 RTP/AVP 0\r\nm=image 4002 udptl t38\r\n");
  CHECK(can_answer(fax, with("m=audio 5000 RTP/AVP 8\r\nm=image 5002 udptl t38\r\n")));
  CHECK(!can_answer(fax, with("m=audio 5000 RTP/AVP 8\r\nm=video 5002 RTP/AVP 34\r\n")));
  CHECK(!can_answer(audio, ""));
  CHECK(!can_answer("", audio));
}

TEST_CASE("parse_sdp: an offer is taken apart into what call and media need (M-01)") {
  const std::string text = sdp_offer();
  const Result<SdpSession> session = parse_sdp(text);
  REQUIRE(session.ok());
  CHECK(session->origin_username == "carrier");
  CHECK(session->origin_session_id == "20518");
  CHECK(session->origin_version == "20519");
  CHECK(session->address == IpAddress::ipv4(203, 0, 113, 10));
  REQUIRE(session->media_count == 1);
  const SdpMedia& audio = session->media[0];
  CHECK(session->first_audio() == &audio);
  CHECK(audio.type == "audio");
  CHECK(audio.port == 54400);
  CHECK(audio.protocol == "RTP/AVP");
  CHECK(audio.is_rtp());
  CHECK(audio.formats == "0 8 18 101");
  CHECK(audio.address == session->address);
  CHECK(!audio.has_own_address);
  CHECK(audio.ptime_ms == 20);
  CHECK(audio.direction == SdpDirection::sendrecv);
  CHECK(audio.effective_rtcp_port() == 54401);
  CHECK(!session->is_hold());
  CHECK(!audio.has_ice);
  const std::vector<SdpCodec> codecs = sdp_codecs(audio);
  REQUIRE(codecs.size() == 4);
  CHECK(codecs[0].name == "PCMU");
  CHECK(codecs[1].name == "PCMA");  // no rtpmap: RFC 3551
  CHECK(codecs[1].clock_rate_hz == 8000);
  CHECK(codecs[2].fmtp == "annexb=no");
  CHECK(codecs[3].payload_type == 101);
  CHECK(sdp_codec_names(audio) == "PCMU,PCMA,G729,telephone-event");
}

TEST_CASE(
    "parse_sdp: takes what devices send: LF alone, no t=, unknown lines, spaces in the user name") {
  const std::string text =
      "v=0\no=My Phone 1 2 IN IP6 ::1\ns=\nq=?\na=inactive\nm=audio 4000/2 RTP/AVP 8\nc=IN IP6 "
      "2001:db8::20\n"
      "a=sendonly\na=rtcp:4005 IN IP4 192.0.2.4\na=ptime:20.0\n\n"
      "m=video 0 RTP/AVP 31\nm=audio 9 UDP/TLS/RTP/SAVPF 111\nc=IN IP4 224.2.1.1/127\na=rtcp-mux\n"
      "a=rtpmap:111 opus/48000/2\na=fingerprint:sha-256 AA\na=candidate:1 1 UDP 1 192.0.2.5 5 typ "
      "host\nm=image 5 udptl "
      "t38\nc=IN IP4 media.example.com\n\n";
  const Result<SdpSession> session = parse_sdp(text);
  REQUIRE(session.ok());
  CHECK(session->origin_username == "My Phone");
  REQUIRE(session->media_count == 4);
  CHECK(session->media[0].address.is_ipv6());
  CHECK(session->media[0].port_count == 2);
  CHECK(session->media[0].direction == SdpDirection::sendonly);
  CHECK(session->media[0].rtcp_port == 4005);
  CHECK(session->media[0].rtcp_address == IpAddress::ipv4(192, 0, 2, 4));
  CHECK(session->media[0].ptime_ms == 20);
  CHECK(session->media[1].direction == SdpDirection::inactive);
  CHECK(session->media[2].address == IpAddress::ipv4(224, 2, 1, 1));
  CHECK(session->media[2].effective_rtcp_port() == 9);
  CHECK(session->media[2].has_ice);
  CHECK(session->media[2].has_dtls);
  CHECK(sdp_codecs(session->media[2])[0].channels == 2);
  CHECK(session->media[3].address.family == IpAddress::Family::none);
  CHECK(session->media[3].address_text == "media.example.com");
  CHECK(!session->media[3].is_rtp());
}

TEST_CASE("parse_sdp: refuses what it would have to guess") {
  const std::string good = sdp_offer();
  REQUIRE(parse_sdp(good).ok());
  const std::vector<std::pair<std::string, std::string>> bad = {
      {"v=0\r\n", ""},
      {"v=0", "v=1"},
      {"v=0\r\n", "\r\nv=0\r\n"},
      {"o=carrier 20518 20519 IN IP4 203.0.113.10\r\n", ""},
      {"o=carrier 20518", "o=20518"},
      {"s=-", "o=a 1 2 IN IP4 1.1.1.1"},
      {"c=IN IP4 203.0.113.10\r\n", ""},
      {"c=IN IP4 203.0.113.10", "c=IN IP4 999.0.113.10"},
      {"c=IN IP4 203.0.113.10", "c=IN IP4 2001:db8::1"},
      {"c=IN IP4 203.0.113.10", "c=ATM X 1"},
      {"54400", "65536"},
      {"54400", "-1"},
      {"54400", "54400/0"},
      {"54400", "x"},
      {" 0 8 18 101", ""},
      {"a=ptime:20", "ptime"},
      {"a=ptime:20", std::string("a=\0x", 4)},
      {"a=ptime:20", "a=rtcp:x"},
      {"a=ptime:20", "a=x\ry"}};
  for (const auto& [what, by] : bad) {
    CAPTURE(by);
    CHECK(error_of(replaced(good, what, by)) == ErrorCode::invalid_argument);
  }
  CHECK(error_of("") == ErrorCode::invalid_argument);
  std::string many = good;
  for (int i = 0; i < 16; ++i)
    many += "m=audio 0 RTP/AVP 0\r\n";
  CHECK(error_of(many) == ErrorCode::limit);
  std::string long_text = good;
  for (int i = 0; i < 1024; ++i)
    long_text += "a=x\r\n";
  CHECK(error_of(long_text) == ErrorCode::limit);
  CHECK(error_of(good + std::string(65536, 'x')) == ErrorCode::limit);
  std::string formats = " 0";
  for (int i = 0; i < 128; ++i)
    formats += " 0";
  CHECK(error_of(replaced(good, " 0 8 18 101", formats)) == ErrorCode::limit);
}

TEST_CASE(
    "SdpMedia: hold is any direction but sendrecv, or the address 0.0.0.0 (RFC 3264 section 8.4)") {
  for (const char* direction : {"sendonly", "recvonly", "inactive"}) {
    const std::string text = replaced(sdp_offer(), "a=sendrecv", std::string("a=") + direction);
    CHECK(parse_sdp(text)->is_hold());
  }
  const std::string text = replaced(sdp_offer(), "c=IN IP4 203.0.113.10", "c=IN IP4 0.0.0.0");
  CHECK(parse_sdp(text)->is_hold());
  const std::string refused = replaced(sdp_offer(), "54400", "0");
  CHECK(!parse_sdp(refused)->is_hold());
  CHECK(!parse_sdp(refused)->has_audio());
  CHECK(reversed(SdpDirection::sendonly) == SdpDirection::recvonly);
  CHECK(reversed(SdpDirection::inactive) == SdpDirection::inactive);
}

TEST_CASE("rewrite_sdp: our addresses and ports, everything else byte for byte") {
  const std::string expected =
      replaced(replaced(replaced(sdp_offer(), "carrier 20518 20519 IN IP4 203.0.113.10",
                                 "- 77 78 IN IP4 198.51.100.1"),
                        "c=IN IP4 203.0.113.10", "c=IN IP4 198.51.100.1"),
               "54400", "20000");
  CHECK(rewritten(sdp_offer()) == expected);
}

TEST_CASE("rewrite_sdp: ways around the switch are dropped, strange lines and line ends stay") {
  CHECK(rewritten("v=0\n"
                  "o=x 1 2 IN IP4 192.0.2.1\n"
                  "s= \n"
                  "a=ice-lite\n"
                  "b=AS:64\n"
                  "m=audio 4000/2  RTP/AVP 8  0\n"
                  "i=title\n"
                  "a=candidate:1 1 UDP 1 192.0.2.5 5 typ host\n"
                  "a=ice-ufrag:x\n"
                  "a=rtcp:4005 IN IP4 192.0.2.1\n"
                  "a=end-of-candidates\n"
                  "a=rtcp-mux\n"
                  "c=IN IP4 192.0.2.2/127\n"
                  "a=X-odd: \t y \n"
                  "m=video 0 RTP/AVP 31\n"
                  "m=image 6000 udptl t38\n"
                  "c=IN IP6 2001:db8::1\n"
                  "a=T38FaxVersion:0") ==
        "v=0\n"
        "o=- 77 78 IN IP4 198.51.100.1\n"
        "s= \n"
        "b=AS:64\n"
        "m=audio 20000 RTP/AVP 8  0\n"
        "i=title\n"
        "a=rtcp-mux\n"
        "c=IN IP4 198.51.100.1\n"
        "a=X-odd: \t y \n"
        "m=video 0 RTP/AVP 31\n"
        "c=IN IP4 198.51.100.1\n"
        "m=image 20004 udptl t38\n"
        "c=IN IP4 198.51.100.1\n"
        "a=T38FaxVersion:0\n");
}

TEST_CASE(
    "rewrite_sdp: a stream with another address than the session gets its own c= line at its "
    "place") {
  const std::string text = replaced(sdp_offer(), "a=rtpmap:0", "i=t\r\nb=AS:80\r\na=rtpmap:0");
  const Result<SdpSession> session = parse_sdp(text);
  REQUIRE(session.ok());
  SdpEdit edit = edit_for(*session);
  edit.streams[0].address = *IpAddress::parse("2001:db8::9");
  edit.streams[0].rtcp_port = 20005;
  Result<std::string> out = rewrite_sdp(*session, edit);
  REQUIRE(out.ok());
  CHECK(
      out->find("m=audio 20000 RTP/AVP 0 8 18 101\r\ni=t\r\nc=IN IP6 2001:db8::9\r\nb=AS:80\r\n") !=
      std::string::npos);
  CHECK(out->substr(out->size() - 26) == "a=sendrecv\r\na=rtcp:20005\r\n");
  edit.streams[0].rtcp_port = 20001;  // port + 1 needs no line
  out = rewrite_sdp(*session, edit);
  CHECK(out->find("a=rtcp:") == std::string::npos);
}

TEST_CASE("rewrite_sdp: a refused stream keeps its place with port 0 (RFC 3264 section 6)") {
  const std::string text = sdp_offer() + "m=video 6000 RTP/AVP 31\r\nc=IN IP4 203.0.113.77\r\n";
  const Result<SdpSession> session = parse_sdp(text);
  REQUIRE(session.ok());
  SdpEdit edit = edit_for(*session);
  edit.streams[1] = {};
  edit.streams[1].is_refused = true;
  const Result<std::string> out = rewrite_sdp(*session, edit);
  REQUIRE(out.ok());
  CHECK(out->find("m=video 0 RTP/AVP 31\r\n") != std::string::npos);
  CHECK(out->find("203.0.113") == std::string::npos);
  edit.streams.pop_back();
  CHECK(rewrite_sdp(*session, edit).error().code == ErrorCode::invalid_argument);
  edit = edit_for(*session);
  edit.streams[0].port = 0;
  CHECK(rewrite_sdp(*session, edit).error().code == ErrorCode::invalid_argument);
  edit = edit_for(*session);
  edit.origin_address = {};
  CHECK(rewrite_sdp(*session, edit).error().code == ErrorCode::invalid_argument);
}

TEST_CASE(
    "rewrite_sdp: formats that are not kept go with their rtpmap, fmtp and rtcp-fb lines (M-04)") {
  const std::string text =
      replaced(sdp_offer(), "a=ptime", "a=rtcp-fb:18 nack\r\na=rtcp-fb:* nack\r\na=ptime");
  const Result<SdpSession> session = parse_sdp(text);
  REQUIRE(session.ok());
  SdpEdit edit = edit_for(*session);
  edit.streams[0].formats = {"101", "8"};
  const Result<std::string> out = rewrite_sdp(*session, edit);
  REQUIRE(out.ok());
  CHECK(out->find("RTP/AVP 101 8\r\n") != std::string::npos);
  CHECK(out->find("PCMU") == std::string::npos);
  CHECK(out->find(":18") == std::string::npos);
  CHECK(out->find("a=fmtp:101 0-15") != std::string::npos);
  CHECK(out->find("a=rtcp-fb:*") != std::string::npos);
  edit.streams[0].formats = {"9"};
  CHECK(rewrite_sdp(*session, edit).error().code == ErrorCode::invalid_argument);
}

TEST_CASE(
    "rewrite_sdp: what comes out of any readable text can be read and says only our addresses") {
  SeededRandom random(7);
  const std::string good =
      replaced(sdp_offer(), "a=sendrecv", "a=sendrecv\r\na=rtcp:9 IN IP4 203.0.113.10") +
      "m=video 0 RTP/AVP 31\r\nm=image 7 udptl t38\r\nc=IN IP4 203.0.113.12\r\n";
  int readable = 0;
  for (int round = 0; round < 4000; ++round) {
    std::string text = good;
    for (std::uint64_t changes = 1 + random.below(3); changes > 0; --changes) {
      const std::size_t at = random.below(text.size());
      switch (random.below(3)) {
        case 0:
          text[at] = static_cast<char>(random.below(256));
          break;
        case 1:
          text.erase(at, 1 + random.below(20));
          break;
        default:
          text.insert(at, std::string_view("\r\nm=audio 5 RTP/AVP 0\r\nc=IN IP4 203.0.113.1")
                              .substr(random.below(43)));
      }
    }
    const Result<SdpSession> session = parse_sdp(text);
    if (!session.ok()) continue;
    ++readable;
    const Result<std::string> out = rewrite_sdp(*session, edit_for(*session));
    REQUIRE(out.ok());
    const Result<SdpSession> again = parse_sdp(*out);
    REQUIRE(again.ok());
    REQUIRE(again->media_count == session->media_count);
    for (std::size_t i = 0; i < again->media_count; ++i) {
      REQUIRE((again->media[i].port == 0) == (session->media[i].port == 0));
      REQUIRE((again->media[i].port == 0 ||
               again->media[i].address == IpAddress::ipv4(198, 51, 100, 1)));
      REQUIRE(again->media[i].formats == session->media[i].formats);
    }
  }
  CHECK(readable > 400);
}
