// The keys of a call's media: what either side is told, and what the relay makes of packets.
#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "call/media_path.hpp"
#include "media/relay.hpp"
#include "media/srtp_side.hpp"
#include "sip/sdp_crypto.hpp"
#include "unit/media/fake_loop.hpp"
#include "unit/media/rtp_packet.hpp"

using namespace tandem;
using namespace tandem::media;
using call::MediaSettings;
using call::SdpRole;

namespace {

constexpr MediaSide caller = MediaSide::caller;
constexpr MediaSide callee = MediaSide::callee;

std::vector<sip::SdpCrypto> keys_in(const std::string& sdp) {
  const auto session = sip::parse_sdp(sdp);
  REQUIRE(session);
  REQUIRE(session->media_count > 0);
  return sip::sdp_cryptos(session->media[0]);
}
std::string protocol_in(const std::string& sdp) {
  return std::string(sip::parse_sdp(sdp)->media[0].protocol);
}

/// One end of the call.
struct End {
  const MediaSide is;
  const std::string ip;
  SeededRandom random;
  std::vector<sip::SdpCrypto> own;  // that it described last
  std::shared_ptr<SrtpSide> side;
  std::uint16_t sequence = 0;
  std::string sdp;  // what it was told last

  End(MediaSide side_of, std::string ip_of)
      : is(side_of), ip(std::move(ip_of)), random(side_of == caller ? 5 : 6) {}

  std::string describe(std::string_view protocol, std::vector<sip::SdpCrypto> keys) {
    own = std::move(keys);
    std::string text = "v=0\r\no=- 1 1 IN IP4 " + ip + "\r\ns=-\r\nc=IN IP4 " + ip +
                       "\r\nt=0 0\r\nm=audio 4000 " + std::string(protocol) + " 0\r\n";
    for (const sip::SdpCrypto& key : own)
      text += sip::sdp_crypto_line(key) + "\r\n";
    return text;
  }
  std::string offer(bool is_secure, bool has_keys) {
    return describe(is_secure ? "RTP/SAVP" : "RTP/AVP",
                    has_keys ? sip::make_srtp_offer(random) : std::vector<sip::SdpCrypto>());
  }
  /// Answers what it was told, with the first of its keys if it takes them.
  std::string answer(bool takes_keys) {
    std::vector<sip::SdpCrypto> keys = keys_in(sdp);
    if (!takes_keys || keys.empty()) return describe(protocol_in(sdp), {});
    const sip::SdpCrypto chosen{keys[0].tag, sip::make_srtp_key(keys[0].key.suite, random)};
    return describe(protocol_in(sdp), {chosen});
  }
  /// Takes the keys of the last exchange.
  void settle() {
    for (const sip::SdpCrypto& given : keys_in(sdp)) {
      for (const sip::SdpCrypto& mine : own) {
        if (mine.tag != given.tag || mine.key.suite != given.key.suite) continue;
        side = *SrtpSide::create({given.key, mine.key}, side.get());
        return;
      }
    }
    side.reset();
  }
};

struct KeyedCall {
  FakeLoop loop;
  MediaRelay relay;
  SeededRandom random{1};
  call::MediaPath media;
  call::MediaSettingsPair settings;
  End a{caller, "192.0.2.1"}, b{callee, "198.51.100.2"};

  KeyedCall(SrtpMode of_caller, SrtpMode of_callee)
      : relay(*make_loop_relay(config(), loop)), media(&relay, random) {
    settings[0].srtp = {of_caller, true};
    settings[1].srtp = {of_callee, true};
    begin();
  }
  void begin() { media.set_relayed(true, {IpAddress::Family::ipv4, IpAddress::Family::ipv4}); }
  static MediaConfig config() {
    MediaConfig config;
    config.address = IpAddress::ipv4(203, 0, 113, 1);
    config.port_first = 30000;
    config.port_last = 30059;
    return config;
  }
  End& other(const End& of) { return of.is == caller ? b : a; }
  /// False: refused.
  bool pass(End& from, SdpRole role, const std::string& sdp) {
    auto passed = media.pass(from.is, role, {"application/sdp", sdp}, settings);
    if (!passed) {
      CHECK(passed.error().code == ErrorCode::unsupported);
      return false;
    }
    other(from).sdp = *passed;
    return true;
  }
  bool exchange(End& from, const std::string& offer, bool takes_keys) {
    End& to = other(from);
    if (!pass(from, SdpRole::offer, offer)) return false;
    if (!pass(to, SdpRole::answer, to.answer(takes_keys))) return false;
    a.settle();
    b.settle();
    return true;
  }
  /// Whether a packet of `from` gets to the other end as it was.
  bool hears(End& from) {
    ++from.sequence;
    const std::string packet = rtp_packet(from.sequence, from.sequence * 160U, 7);
    std::string_view bytes = packet;
    if (from.side != nullptr && !from.side->seal_rtp(bytes)) return false;
    const auto session = sip::parse_sdp(from.sdp);
    const std::size_t before = loop.heard.size();
    loop.send(*SocketAddress::parse(from.ip + ":4000"),
              {session->media[0].address, session->media[0].port}, bytes);
    if (loop.heard.size() != before + 1) return false;
    std::string_view got = loop.heard.back().bytes;
    if (other(from).side != nullptr && other(from).side->open_rtp(got) != SrtpVerdict::authentic)
      return false;
    return got == packet;
  }
  bool talks() { return hears(a) && hears(b) && hears(a) && hears(b); }
};

constexpr SrtpMode pass = SrtpMode::pass, off = SrtpMode::off, optional = SrtpMode::optional,
                   required = SrtpMode::required;

}  // namespace

TEST_CASE("Keys of a call: what the modes of both sides make of an offer") {
  struct Row {
    SrtpMode caller_mode, callee_mode;
    bool is_secure, has_keys, takes_keys;  // the caller's offer, the callee's answer
    const char* to_callee;                 // "": refused
    std::size_t keys_to_callee;
    bool caller_keyed, callee_keyed;
  };
  const Row rows[] = {
      {pass, pass, false, false, false, "RTP/AVP", 0, false, false},
      {pass, pass, true, true, true, "RTP/SAVP", 4, true, true},
      {pass, off, true, true, true, "RTP/AVP", 0, true, false},
      {off, pass, false, true, true, "RTP/AVP", 0, false, false},
      {off, pass, true, true, true, "", 0, false, false},
      {pass, required, false, false, true, "RTP/SAVP", 4, false, true},
      {pass, optional, false, false, true, "RTP/AVP", 4, false, true},
      {pass, optional, false, false, false, "RTP/AVP", 4, false, false},
      {required, pass, true, true, true, "RTP/AVP", 0, true, false},
      {required, pass, false, true, true, "RTP/AVP", 0, true, false},
      {required, pass, false, false, true, "", 0, false, false},
      {required, optional, true, true, false, "RTP/AVP", 4, true, false},
      {required, required, true, true, true, "RTP/SAVP", 4, true, true},
      {optional, required, false, false, true, "RTP/SAVP", 4, false, true},
      {pass, off, true, false, true, "", 0, false, false},  // SAVP with no key that can be used
  };
  for (const Row& row : rows) {
    CAPTURE(&row - rows);
    KeyedCall c(row.caller_mode, row.callee_mode);
    const std::string offer = c.a.offer(row.is_secure, row.has_keys);
    const bool is_passed = c.exchange(c.a, offer, row.takes_keys);
    CHECK(is_passed == (*row.to_callee != '\0'));
    if (!is_passed) continue;
    CHECK(protocol_in(c.b.sdp) == row.to_callee);
    CHECK(keys_in(c.b.sdp).size() == row.keys_to_callee);
    CHECK(protocol_in(c.a.sdp) == (row.is_secure ? "RTP/SAVP" : "RTP/AVP"));
    CHECK((c.a.side != nullptr) == row.caller_keyed);
    CHECK((c.b.side != nullptr) == row.callee_keyed);
    CHECK(c.talks());
  }
}

TEST_CASE("Keys of a call: an answer without keys is refused where they are required") {
  KeyedCall c(pass, required);
  CHECK_FALSE(c.exchange(c.a, c.a.offer(false, false), false));
}

TEST_CASE("Keys of a call: none is offered over signalling that can be read") {
  KeyedCall c(pass, optional);
  c.settings[1].srtp.may_offer = false;
  REQUIRE(c.exchange(c.a, c.a.offer(false, false), true));
  CHECK(keys_in(c.b.sdp).empty());
  CHECK(c.talks());
  KeyedCall must(pass, required);
  must.settings[1].srtp.may_offer = false;
  CHECK_FALSE(must.pass(must.a, SdpRole::offer, must.a.offer(false, false)));
  // Who offers keys there has given them away already, and is answered.
  KeyedCall from(required, off);
  from.settings[0].srtp.may_offer = false;
  REQUIRE(from.exchange(from.a, from.a.offer(true, true), true));
  CHECK(from.a.side != nullptr);
  CHECK(from.talks());
}

TEST_CASE("Keys of a call: no key of one side is shown to the other") {
  KeyedCall c(required, required);
  REQUIRE(c.exchange(c.a, c.a.offer(true, true), true));
  for (const sip::SdpCrypto& mine : c.a.own) {
    for (const sip::SdpCrypto& shown : keys_in(c.b.sdp))
      CHECK(mine.key.key != shown.key.key);
  }
  CHECK(keys_in(c.a.sdp).size() == 1);
  CHECK(keys_in(c.a.sdp)[0].key.key != c.b.own[0].key.key);
}

TEST_CASE("Keys of a call: a second exchange goes on with the same keys") {
  KeyedCall c(required, required);
  const std::string offer = c.a.offer(true, true);
  REQUIRE(c.exchange(c.a, offer, true));
  CHECK(c.talks());
  const auto to_callee = keys_in(c.b.sdp), to_caller = keys_in(c.a.sdp);
  const auto kept = c.b.own;
  // The caller's keys again; the callee keeps its own, too.
  REQUIRE(c.pass(c.a, SdpRole::offer, offer));
  CHECK(keys_in(c.b.sdp) == std::vector<sip::SdpCrypto>{to_callee[0]});
  REQUIRE(c.pass(c.b, SdpRole::answer, c.b.describe("RTP/SAVP", kept)));
  CHECK(keys_in(c.a.sdp) == to_caller);
  CHECK(c.talks());
}

TEST_CASE("Keys of a call: new keys of either end in a re-INVITE take over") {
  for (const bool is_caller : {true, false}) {
    KeyedCall c(required, required);
    REQUIRE(c.exchange(c.a, c.a.offer(true, true), true));
    CHECK(c.talks());
    End& from = is_caller ? c.a : c.b;
    const auto before = keys_in(from.sdp);
    REQUIRE(c.exchange(from, from.offer(true, true), true));
    CHECK(keys_in(from.sdp)[0].key != before[0].key);
    CHECK(c.talks());
  }
}

TEST_CASE("Keys of a call: an offer of new keys that is refused leaves the old ones") {
  KeyedCall c(required, required);
  REQUIRE(c.exchange(c.a, c.a.offer(true, true), true));
  const auto kept = c.a.own;
  CHECK(c.talks());
  c.media.remember(caller);
  const std::string told = c.a.sdp;
  REQUIRE(c.pass(c.a, SdpRole::offer, c.a.offer(true, true)));
  CHECK(c.talks());  // nothing is agreed on
  c.media.revert();
  c.a.sdp = told;
  CHECK(c.talks());
  // ... and the next exchange is as before.
  REQUIRE(c.pass(c.a, SdpRole::offer, c.a.describe("RTP/SAVP", kept)));
  REQUIRE(c.pass(c.b, SdpRole::answer, c.b.describe("RTP/SAVP", c.b.own)));
  CHECK(c.talks());
}

TEST_CASE(
    "Keys of a call: a side that is asked alone, as to refresh its session, changes nothing") {
  KeyedCall c(required, required);
  REQUIRE(c.exchange(c.a, c.a.offer(true, true), true));
  CHECK(c.talks());
  // What it was told last is an offer to it now, and it answers with the key that it has.
  const std::string told = c.a.sdp;
  for (End* const asked : {&c.a, &c.b}) {
    End& other = c.other(*asked);
    const auto own = asked->side->crypto().send;
    REQUIRE(c.pass(*asked, SdpRole::answer,
                   asked->describe("RTP/SAVP", {{keys_in(asked->sdp)[0].tag, own}})));
    CHECK(keys_in(other.sdp).size() == 1);
    CHECK(keys_in(other.sdp)[0].key == other.side->crypto().receive);
    CHECK(c.talks());
  }
  CHECK(c.a.sdp == told);
}

TEST_CASE("Keys of a call: who takes the place of a party goes on with its keys") {
  KeyedCall c(required, pass);
  REQUIRE(c.exchange(c.a, c.a.offer(true, true), true));
  CHECK(c.talks());
  // What is set was the former party's; this one is another call's to settle.
  c.settings[0].srtp = {};
  REQUIRE(c.exchange(c.b, c.b.offer(false, false), true));
  CHECK(c.a.side != nullptr);
  CHECK(c.b.side == nullptr);
  CHECK(c.talks());
}

TEST_CASE("Keys of a call: plain audio goes on while keys are offered again, and when that fails") {
  KeyedCall c(pass, optional);
  REQUIRE(c.exchange(c.a, c.a.offer(false, false), false));
  CHECK(c.talks());
  c.media.remember(caller);
  const std::string told = c.a.sdp, told_there = c.b.sdp;
  REQUIRE(c.pass(c.a, SdpRole::offer, c.a.offer(false, false)));
  CHECK_FALSE(keys_in(c.b.sdp).empty());
  CHECK(c.hears(c.b));
  c.media.revert();
  c.a.sdp = told;
  c.b.sdp = told_there;
  CHECK(c.talks());
}

TEST_CASE("Keys of a call: a key that was in use does not come back after plain audio") {
  for (const bool is_back : {false, true}) {
    CAPTURE(is_back);
    KeyedCall c(optional, optional);
    End& from = is_back ? c.b : c.a;
    End& to = is_back ? c.a : c.b;
    REQUIRE(c.exchange(c.a, c.a.offer(false, true), true));
    CHECK(c.talks());
    const std::vector<sip::SdpCrypto> used = keys_in(to.sdp);
    REQUIRE_FALSE(used.empty());
    REQUIRE(c.exchange(from, from.offer(false, false), false));
    CHECK(c.talks());
    REQUIRE(c.exchange(from, from.offer(false, true), true));
    CHECK(c.talks());
    for (const sip::SdpCrypto& key : keys_in(to.sdp)) {
      for (const sip::SdpCrypto& old : used)
        CHECK(key.key != old.key);
    }
  }
}

TEST_CASE("Keys of a call: the next callee gets keys of its own, or none") {
  KeyedCall c(required, required);
  const std::string offer = c.a.offer(true, true);
  REQUIRE(c.exchange(c.a, offer, true));
  const auto first = keys_in(c.b.sdp);
  const auto for_caller = keys_in(c.a.sdp);
  c.begin();
  REQUIRE(c.pass(c.a, SdpRole::offer, offer));
  for (std::size_t i = 0; i < first.size(); ++i)
    CHECK(keys_in(c.b.sdp)[i].key != first[i].key);
  c.begin();
  c.settings[1].srtp.mode = off;
  c.b.side.reset();
  REQUIRE(c.exchange(c.a, offer, true));
  CHECK(keys_in(c.b.sdp).empty());
  CHECK(keys_in(c.a.sdp) == for_caller);  // early media of the former vendor told it already
  CHECK(c.talks());
}

TEST_CASE(
    "Keys of a call: what is encrypted as far as the relay can be recorded and shows its keys") {
  KeyedCall c(required, off);
  REQUIRE(c.exchange(c.a, c.a.offer(true, true), true));
  CHECK(c.talks());
  CHECK(c.media.stats(caller).cause == MediaCause::none);
  CHECK(c.media.stats(caller).srtp_failures == 0);
}

TEST_CASE(
    "Keys of a call: media that goes past the switch must be encrypted where it is required") {
  KeyedCall c(pass, required);
  c.media.set_relayed(false, {IpAddress::Family::ipv4, IpAddress::Family::ipv4});
  CHECK_FALSE(c.pass(c.a, SdpRole::offer, c.a.offer(false, false)));
  REQUIRE(c.pass(c.a, SdpRole::offer, c.a.offer(true, true)));
  CHECK(keys_in(c.b.sdp) == c.a.own);
}

TEST_CASE("Keys of a call: silence of the switch's own for early media has keys too") {
  KeyedCall c(required, off);
  const std::string offer = c.a.offer(true, true);
  REQUIRE(c.pass(c.a, SdpRole::offer, offer));
  const auto own = c.media.answer_early({"application/sdp", offer}, c.settings);
  REQUIRE(own);
  REQUIRE(keys_in(*own).size() == 1);
  CHECK(keys_in(*own)[0].tag == 1);
  CHECK(protocol_in(*own) == "RTP/SAVP");
  REQUIRE(c.pass(c.b, SdpRole::answer, c.b.answer(false)));
  CHECK(keys_in(c.a.sdp) == keys_in(*own));
}

TEST_CASE("Keys of a call: nothing goes in the clear to who insists on keys, before it has some") {
  for (const bool is_early : {false, true}) {
    CAPTURE(is_early);
    KeyedCall c(pass, off);
    const std::string offer = c.a.offer(true, true);
    REQUIRE(c.pass(c.a, SdpRole::offer, offer));
    CHECK_FALSE(c.hears(c.b));
    CHECK(c.loop.heard.empty());
    if (is_early) {
      const auto own = c.media.answer_early({"application/sdp", offer}, c.settings);
      REQUIRE(own);
      c.a.sdp = *own;
      c.a.settle();
      CHECK(c.hears(c.b));  // it has described nothing so far
    }
    REQUIRE(c.pass(c.b, SdpRole::answer, c.b.answer(false)));
    c.a.settle();
    CHECK(c.talks());
  }
}

TEST_CASE("Keys of a call: T.38 in the place of encrypted audio is plain, and audio comes back") {
  KeyedCall c(required, required);
  const std::string offer = c.a.offer(true, true);
  REQUIRE(c.exchange(c.a, offer, true));
  CHECK(c.talks());
  const std::string fax =
      "v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
      "m=image 4000 udptl t38\r\na=T38FaxVersion:0\r\n";
  REQUIRE(c.pass(c.a, SdpRole::offer, fax));
  std::string answer = fax;
  for (std::size_t at = answer.find("192.0.2.1"); at != std::string::npos;
       at = answer.find("192.0.2.1"))
    answer.replace(at, 9, "198.51.100.2");
  REQUIRE(c.pass(c.b, SdpRole::answer, answer));
  const auto session = sip::parse_sdp(c.a.sdp);
  CHECK(session->media[0].protocol == "udptl");
  const std::size_t before = c.loop.heard.size();
  const std::string datagram("\x00\x01\x01\xc0\x01\x80\x00\x00\xff", 9);
  c.loop.send(*SocketAddress::parse("192.0.2.1:4000"),
              {session->media[0].address, session->media[0].port}, datagram);
  REQUIRE(c.loop.heard.size() == before + 1);
  CHECK(c.loop.heard.back().bytes == datagram);
  c.a.side.reset();
  c.b.side.reset();
  REQUIRE(c.exchange(c.a, c.a.offer(true, true), true));
  CHECK(c.talks());
}

TEST_CASE("Media of a call: who may be latched is what its gateway allows (S-01)") {
  KeyedCall c(pass, pass);
  MediaSources sources;
  sources.deny.push_back(IpNetwork::parse("192.0.2.0/24").value());
  c.settings[0].sources = &sources;
  REQUIRE(c.exchange(c.a, c.a.offer(false, false), false));
  CHECK_FALSE(c.hears(c.a));
  CHECK(c.hears(c.b));
  CHECK(c.media.stats(caller).cause == MediaCause::source_denied);
}

TEST_CASE("Media of a call: a callee that is not allowed is not latched before it answers (S-01)") {
  KeyedCall c(pass, pass);
  MediaSources sources;
  sources.deny.push_back(IpNetwork::parse("198.51.100.0/24").value());
  c.settings[1].sources = &sources;
  REQUIRE(c.pass(c.a, SdpRole::offer, c.a.offer(false, false)));
  CHECK_FALSE(c.hears(c.b));
  CHECK_FALSE(c.media.remote(callee));
  REQUIRE(c.pass(c.b, SdpRole::answer, c.b.answer(false)));
  CHECK_FALSE(c.hears(c.b));
  CHECK(c.hears(c.a));
  CHECK(c.media.stats(callee).cause == MediaCause::source_denied);
}

TEST_CASE("Media of a call: who takes a place is not held to the sources of who had it (S-01)") {
  KeyedCall c(pass, pass);
  MediaSources sources;
  sources.allow.push_back(IpNetwork::parse("198.51.100.0/24").value());
  c.settings[1].sources = &sources;
  REQUIRE(c.exchange(c.a, c.a.offer(false, false), false));
  CHECK(c.hears(c.b));
  c.settings[1].sources = nullptr;
  End other(callee, "192.0.2.77");
  other.sdp = c.b.sdp;
  // Refused by who stays: the one who had the place has it back, and its sources.
  c.media.remember(callee);
  REQUIRE(c.pass(other, SdpRole::offer, other.offer(false, false)));
  c.media.revert();
  CHECK_FALSE(c.hears(other));
  CHECK(c.hears(c.b));
  REQUIRE(c.pass(other, SdpRole::offer, other.offer(false, false)));
  REQUIRE(c.pass(c.a, SdpRole::answer, c.a.answer(false)));
  CHECK(c.hears(other));
}
