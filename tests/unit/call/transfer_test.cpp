#include "call/transfer.hpp"

#include <doctest/doctest.h>

#include <string>

#include "sip/sdp.hpp"

using namespace tandem;
using namespace tandem::call;

namespace {

std::string sdp(const std::string& address, int port, const std::string& lines = "",
                const std::string& version = "1") {
  return "v=0\r\no=- 7 " + version + " IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 " + address +
         "\r\nt=0 0\r\nm=audio " + std::to_string(port) + " RTP/AVP 0 8\r\n" + lines;
}

}  // namespace

TEST_CASE("Transfer: another place or direction is told of, another version is not (T-04)") {
  const std::string before = sdp("10.0.0.1", 4000);
  CHECK_FALSE(leads_elsewhere(before, before));
  CHECK_FALSE(leads_elsewhere(before, sdp("10.0.0.1", 4000, "a=sendrecv\r\n", "2")));
  CHECK(leads_elsewhere(before, sdp("10.0.0.1", 4002)));
  CHECK(leads_elsewhere(before, sdp("10.0.0.2", 4000)));
  CHECK(leads_elsewhere(before, sdp("10.0.0.1", 4000, "a=recvonly\r\n")));
  CHECK(leads_elsewhere(before, sdp("10.0.0.1", 4000, "a=rtcp:4009\r\n")));
  CHECK(leads_elsewhere(before, before + "m=video 4010 RTP/AVP 31\r\n"));
  CHECK(leads_elsewhere("", before));
  CHECK(leads_elsewhere(before, "v=1\r\n"));
  const std::string refused = before + "m=video 0 RTP/AVP 31\r\n";
  CHECK_FALSE(leads_elsewhere(refused, before + "m=video 0 RTP/AVP 31\r\na=inactive\r\n"));
}

TEST_CASE("Transfer: a description loses its directions and nothing else (T-04, RFC 3264)") {
  const std::string bare = sdp("10.0.0.1", 4000, "a=rtpmap:0 PCMU/8000\r\n");
  for (const char* direction : {"sendrecv", "sendonly", "recvonly", "inactive"}) {
    CAPTURE(direction);
    CHECK(sip::without_directions(bare + "a=" + direction + "\r\n") == bare);
    CHECK(sip::without_directions(bare + "a=" + direction) == bare);
  }
  CHECK(sip::without_directions("a=sendonly\na=sendonlyish\nb") == "a=sendonlyish\nb");
  CHECK(sip::without_directions("").empty());
}

TEST_CASE("Transfer: on hold, but for the one stream that a tone comes from (T-05)") {
  const std::string head = "v=0\r\nt=0 0\r\n", video = "m=video 6000 RTP/AVP 31\r\na=sendrecv\r\n",
                    audio = "m=audio 4000 RTP/AVP 0\r\na=sendrecv\r\na=ptime:20\r\n";
  const std::string heard = "m=audio 4000 RTP/AVP 0\r\na=ptime:20\r\na=sendonly\r\n";
  const std::string silent = "m=video 6000 RTP/AVP 31\r\n";
  CHECK(sip::held(head + audio + video, 0, "sendonly") == head + "a=inactive\r\n" + heard + silent);
  CHECK(sip::held(head + video + audio, 1, "sendonly") == head + "a=inactive\r\n" + silent + heard);
  CHECK(sip::held(head + "m=audio 4000 RTP/AVP 0", 0, "sendonly") ==
        head + "a=inactive\r\nm=audio 4000 RTP/AVP 0\r\na=sendonly\r\n");
  CHECK(sip::held(head + audio, 1, "sendonly") == sip::held(head + audio));  // there is none
  CHECK(sip::held(head, 0, "sendonly") == head);
}

TEST_CASE("Transfer: what a transferor is told is a fragment of a response (T-04, RFC 3515)") {
  std::string text;
  const DialogRequest going = referral_notice("refer;id=7", 180, false, text);
  CHECK(going.method == "NOTIFY");
  CHECK(going.body.content_type == "message/sipfrag;version=2.0");
  CHECK(going.body.bytes == "SIP/2.0 180 Ringing\r\n");
  REQUIRE(going.headers.size() == 2);
  CHECK(going.headers[0].value == "refer;id=7");
  CHECK(going.headers[1].value == "active;expires=300");
  const DialogRequest over = referral_notice("refer", 486, true, text);
  CHECK(over.body.bytes == "SIP/2.0 486 Busy Here\r\n");
  CHECK(over.headers[1].value == "terminated;reason=noresource");
}

TEST_CASE("Transfer: a description is held, and told with another version (RFC 3264 section 8)") {
  const std::string text = "v=0\r\no=- 7 1 IN IP4 10.0.0.1\r\ns=-\r\n";
  const std::string stream = "m=audio 4000 RTP/AVP 0\r\n";
  CHECK(sip::held(text + stream + "a=sendonly\r\n" + stream) ==
        text + "a=inactive\r\n" + stream + stream);
  CHECK(sip::held(text) == text);
  CHECK(sip::with_version(text + stream, 9, 22) ==
        "v=0\r\no=- 9 22 IN IP4 10.0.0.1\r\ns=-\r\n" + stream);
  CHECK(sip::with_version(stream, 9, 22) == stream);
  CHECK(sip::with_version("o=- 7\r\ns=a b c\r\n", 9, 22) == "o=- 7\r\ns=a b c\r\n");
}
