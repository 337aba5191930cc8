// Descriptions where the relay converts (M-07, M-09).
#include "sip/sdp_transcode.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "sip/sdp_policy.hpp"
#include "tandem/audio_codec.hpp"

using namespace tandem;
using namespace tandem::sip;

namespace {

const std::string events_line = "a=rtpmap:101 telephone-event/8000\r\n";

std::vector<CodecName> list(const std::vector<std::string>& names) {
  std::vector<CodecName> codecs;
  for (const std::string& name : names)
    codecs.push_back(CodecName::parse(name).value());
  return codecs;
}

std::string audio(const std::string& formats, const std::string& lines = {}) {
  return "v=0\r\no=x 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 "
         "RTP/AVP " +
         formats + "\r\n" + lines;
}

/// The m= line and what is said of its formats, as the receiver gets them; or the error.
std::string shown(const std::string& text, SdpRole role, const SdpPolicy& sender,
                  const SdpPolicy& receiver, bool is_direct = false, bool ends_encryption = false) {
  const auto read = parse_sdp(text);
  REQUIRE(read);
  SdpEdit edit;
  edit.is_direct = is_direct;
  edit.ends_encryption = ends_encryption;
  edit.session_version = 1;
  edit.origin_address = IpAddress::ipv4(10, 0, 0, 1);
  edit.streams.resize(read->media_count);
  for (SdpStreamEdit& stream : edit.streams) {
    stream.address = edit.origin_address;
    stream.port = 9000;
  }
  if (auto applied = apply_policies(*read, role, sender, receiver, edit); !applied)
    return applied.error().message;
  const std::string out = rewrite_sdp(*read, edit).value();
  std::string said;
  for (std::size_t at = out.find("m="); at < out.size(); at = out.find("\r\n", at) + 2) {
    const std::string line = out.substr(at, out.find("\r\n", at) - at);
    if (line.rfind("m=", 0) == 0) said += line.substr(line.find("AVP ") + 4);
    if (line.rfind("a=", 0) == 0) said += "; " + line.substr(2);
  }
  return said;
}

std::vector<SdpTaken> taken(const std::string& text) {
  return taken_formats(*parse_sdp(text)->first_audio());
}

}  // namespace

TEST_CASE("M-07: an offer shows what can be converted when nothing is in common, or no list says") {
  SdpPolicy both;
  both.transcodes = true;
  SdpPolicy listed = both;
  const auto alaw = list({"PCMA"});
  const auto both_laws = list({"G729", "PCMA", "PCMU"});
  listed.codecs = alaw;
  CHECK(shown(audio("0 101", events_line), SdpRole::offer, both, listed) ==
        "8 101; rtpmap:101 telephone-event/8000; rtpmap:8 PCMA/8000");
  CHECK(shown(audio("0"), SdpRole::offer, both, listed) == "8; rtpmap:8 PCMA/8000");
  CHECK(shown(audio("0 18"), SdpRole::offer, both, both) == "0 18 8; rtpmap:8 PCMA/8000");
  listed.codecs = both_laws;
  CHECK(shown(audio("0 9"), SdpRole::offer, both, listed) == "0");  // in common
  listed.codecs = alaw;
  CHECK(shown(audio("18"), SdpRole::offer, both, listed) == "no codec was left of \"G729\"");
  SdpPolicy alone = both;
  alone.transcodes = false;
  CHECK(shown(audio("0"), SdpRole::offer, alone, listed) == "no codec was left of \"PCMU\"");
  CHECK(shown(audio("0"), SdpRole::offer, both, listed, true) == "no codec was left of \"PCMU\"");
  const std::string keys = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\r\n";
  CHECK(shown(audio("0", keys), SdpRole::offer, both, listed) == "no codec was left of \"PCMU\"");
  // Where the relay takes the encryption off it can convert what was in it.
  CHECK(shown(audio("0", keys), SdpRole::offer, both, listed, false, true) ==
        "8; crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x; rtpmap:8 PCMA/8000");
  const std::string hand = "a=fingerprint:sha-256 AB\r\n";
  CHECK(shown(audio("0", hand), SdpRole::offer, both, listed) == "no codec was left of \"PCMU\"");
  CHECK(shown(audio("0", hand), SdpRole::offer, both, listed, false, true) ==
        "8; fingerprint:sha-256 AB; rtpmap:8 PCMA/8000");
  // Its number is taken.
  CHECK(shown(audio("8 0", "a=rtpmap:8 speex/8000\r\n"), SdpRole::offer, both, both) ==
        "8 0 96; rtpmap:8 speex/8000; rtpmap:96 PCMA/8000");
}

TEST_CASE("M-07: an answer is shown in what was offered, with the numbers of the offer") {
  SdpPolicy sender, receiver;
  sender.transcodes = receiver.transcodes = true;
  const auto offered =
      taken(audio("18 0 96", "a=rtpmap:96 telephone-event/8000\r\na=fmtp:96 0-15\r\n"));
  receiver.taken = offered;
  CHECK(shown(audio("8 101", events_line + "a=ptime:20\r\n"), SdpRole::answer, sender, receiver) ==
        "0 96; ptime:20; rtpmap:0 PCMU/8000; rtpmap:96 telephone-event/8000; fmtp:96 0-15");
  CHECK(shown(audio("8"), SdpRole::answer, sender, receiver) == "0; rtpmap:0 PCMU/8000");
  CHECK(shown(audio("18"), SdpRole::answer, sender, receiver) == "18");
  CHECK(shown(audio("8 18"), SdpRole::answer, sender, receiver) == "8 18");  // it offered one
  const auto laws = list({"PCMU"});
  receiver.codecs = laws;
  CHECK(shown(audio("18"), SdpRole::answer, sender, receiver) == "no codec was left of \"G729\"");
  CHECK(shown(audio("8"), SdpRole::answer, sender, receiver) == "0; rtpmap:0 PCMU/8000");
}

TEST_CASE(
    "M-09: where keys are converted an offer has events, and an answer where they were offered") {
  SdpPolicy sender, receiver;
  receiver.converts_keys = true;
  CHECK(shown(audio("0"), SdpRole::offer, sender, receiver) ==
        "0 101; rtpmap:101 telephone-event/8000; fmtp:101 0-15");
  CHECK(shown(audio("0 101", events_line), SdpRole::offer, sender, receiver) ==
        "0 101; rtpmap:101 telephone-event/8000");
  const auto without = taken(audio("0")),
             with = taken(audio("0 97", "a=rtpmap:97 telephone-event/8000\r\n"));
  receiver.taken = without;
  CHECK(shown(audio("0 101", events_line), SdpRole::answer, sender, receiver) == "0");
  receiver.taken = with;
  CHECK(shown(audio("0"), SdpRole::answer, sender, receiver) ==
        "0 97; rtpmap:97 telephone-event/8000");
}

TEST_CASE("M-09: events by the clock of Opus alone are offered and answered by the other clock") {
  if (find_audio_codec("opus") == nullptr) {
    MESSAGE("not built: opus");
    return;
  }
  SdpPolicy opus_side, other_side;
  opus_side.transcodes = other_side.transcodes = true;
  const auto alaw = list({"PCMA"}), opus = list({"opus"});
  const std::string lines =
      "a=rtpmap:111 opus/48000/2\r\na=rtpmap:110 telephone-event/48000\r\na=fmtp:110 0-15\r\n";
  other_side.codecs = alaw;
  CHECK(shown(audio("111 110", lines), SdpRole::offer, opus_side, other_side) ==
        "8 101; rtpmap:8 PCMA/8000; rtpmap:101 telephone-event/8000; fmtp:101 0-15");
  // The answer goes back by the number and the clock of the offer.
  const auto took = taken(audio("111 110", lines));
  opus_side.taken = took;
  const std::string answer =
      shown(audio("8 101", events_line), SdpRole::answer, other_side, opus_side);
  CHECK(answer.substr(0, 8) == "111 110;");
  CHECK(answer.find("rtpmap:110 telephone-event/48000") != std::string::npos);
  CHECK(answer.find("/8000") == std::string::npos);
  // Who offered both gets those that go with the codec.
  const auto both_clocks =
      taken(audio("111 126 110", lines + "a=rtpmap:126 telephone-event/8000\r\n"));
  opus_side.taken = both_clocks;
  CHECK(shown(audio("8 101", events_line), SdpRole::answer, other_side, opus_side)
            .find("rtpmap:110 telephone-event/48000") != std::string::npos);
  // Opus that is offered besides has events by its own clock beside it.
  opus_side.codecs = opus;
  const std::string offer =
      shown(audio("8 101", events_line), SdpRole::offer, other_side, opus_side);
  CHECK(offer.find("telephone-event/48000") != std::string::npos);
  CHECK(offer.find("rtpmap:101 telephone-event/8000") != std::string::npos);
  // What passes as it is keeps its events, but those that nobody offered are put by the other
  // clock.
  opus_side.codecs = other_side.codecs = {};
  opus_side.taken = took;
  CHECK(shown(audio("111 101", "a=rtpmap:111 opus/48000/2\r\n" + events_line), SdpRole::answer,
              other_side, opus_side)
            .find("rtpmap:110 telephone-event/48000") != std::string::npos);
}
