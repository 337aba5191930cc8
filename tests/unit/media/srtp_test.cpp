// SRTP of one side: known packets, both ways, roll-over, what is not authentic; and through a
// relay.
#include <doctest/doctest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "media/relay.hpp"
#include "media/srtp_side.hpp"
#include "support/source_folder.hpp"
#include "unit/media/fake_loop.hpp"
#include "unit/media/rtp_packet.hpp"

using namespace tandem;
using namespace tandem::media;

namespace {

constexpr MediaSide caller = MediaSide::caller;
constexpr MediaSide callee = MediaSide::callee;

SocketAddress at(const char* address) { return *SocketAddress::parse(address); }

SrtpKey key_of(SrtpSuite suite, char seed = 1) {
  SrtpKey key{suite, {}};
  for (std::size_t i = 0; i < srtp_key_bytes(suite); ++i)
    key.key.push_back(static_cast<char>(seed + static_cast<char>(7 * i)));
  return key;
}

MediaCrypto crypto_of(SrtpSuite suite, char receive = 1, char send = 99) {
  return {key_of(suite, receive), key_of(suite, send)};
}
// What the other end has.
MediaCrypto reversed(const MediaCrypto& crypto) { return {crypto.send, crypto.receive}; }

std::shared_ptr<SrtpSide> side(const MediaCrypto& crypto, const SrtpSide* former = nullptr) {
  auto made = SrtpSide::create(crypto, former);
  REQUIRE(made);
  return *made;
}

std::string sealed(SrtpSide& by, std::string_view packet) {
  std::string_view bytes = packet;
  return by.seal_rtp(bytes) ? std::string(bytes) : std::string();
}
std::string opened(SrtpSide& by, std::string_view packet) {
  std::string_view bytes = packet;
  return by.open_rtp(bytes) == SrtpVerdict::authentic ? std::string(bytes) : std::string();
}
SrtpVerdict verdict(SrtpSide& by, std::string_view packet) { return by.open_rtp(packet); }

std::string from_hex(std::string_view text) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2)
    bytes.push_back(static_cast<char>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16)));
  return bytes;
}

const std::vector<SrtpSuite> suites{
    SrtpSuite::aes_cm_128_hmac_sha1_80, SrtpSuite::aes_cm_128_hmac_sha1_32,
    SrtpSuite::aes_256_cm_hmac_sha1_80, SrtpSuite::aes_256_cm_hmac_sha1_32,
    SrtpSuite::aead_aes_128_gcm,        SrtpSuite::aead_aes_256_gcm};

struct Ends {
  std::shared_ptr<SrtpSide> a, b;
  explicit Ends(SrtpSuite suite = SrtpSuite::aes_cm_128_hmac_sha1_80)
      : a(side(crypto_of(suite))), b(side(reversed(crypto_of(suite)))) {}
  /// Whether a packet gets through from a to b as it was.
  bool passes(std::uint16_t sequence, std::uint32_t ssrc = 7) const {
    const std::string packet = rtp_packet(sequence, sequence * 160U, ssrc);
    const std::string wire = sealed(*a, packet);
    return !wire.empty() && opened(*b, wire) == packet;
  }
};

}  // namespace

TEST_CASE("SRTP: a known packet and a known report are encrypted as others do (RFC 3711 B.3)") {
  // Master key and salt of RFC 3711 appendix B.3.
  const SrtpKey key{SrtpSuite::aes_cm_128_hmac_sha1_80, from_hex("e1f97a0d3e018be0d64fa32c06de4139"
                                                                 "0ec675ad498afeebb6960b3aabe6")};
  const auto one = side({key, key});
  const auto other = side({key, key});
  const std::string plain = from_hex("800f1234decafbadcafebabe" + std::string(32, 'a'));
  std::string bytes = plain;
  for (std::size_t i = 12; i < bytes.size(); ++i)
    bytes[i] = '\xab';
  const std::string wire = sealed(*one, bytes);
  CHECK(wire == from_hex("800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402"
                         "b78d6acc99ea179b8dbb"));
  CHECK(opened(*other, wire) == bytes);
  const std::string report = from_hex("81c8000bcafebabe") + std::string(16, '\xab');
  std::string_view sent = report;
  REQUIRE(one->seal_rtcp(sent));
  CHECK(sent == from_hex("81c8000bcafebabe7128035be487b9bdbef89041f977a5a8"
                         "80000001993e08cd54d6c1230798"));
  std::string_view got = sent;
  CHECK(other->open_rtcp(got) == SrtpVerdict::authentic);
  CHECK(got == report);
}

TEST_CASE("SRTP: every suite gets RTP and RTCP through, and nothing of it in the clear") {
  for (const SrtpSuite suite : suites) {
    CAPTURE(srtp_suite_name(suite));
    Ends ends(suite);
    const std::string packet = rtp_packet(1, 160, 7);
    const std::string wire = sealed(*ends.a, packet);
    const bool is_short =
        suite == SrtpSuite::aes_cm_128_hmac_sha1_32 || suite == SrtpSuite::aes_256_cm_hmac_sha1_32;
    const bool is_gcm =
        suite == SrtpSuite::aead_aes_128_gcm || suite == SrtpSuite::aead_aes_256_gcm;
    CHECK(wire.size() == packet.size() + (is_short ? 4 : is_gcm ? 16 : 10));
    CHECK(wire.find(packet.substr(12, 8)) == std::string::npos);
    CHECK(opened(*ends.b, wire) == packet);
    for (int i = 0; i < 3; ++i) {
      const std::string report = receiver_report(7, 5);
      std::string_view bytes = report;
      REQUIRE(ends.a->seal_rtcp(bytes));
      // Reports have the long tag, whatever that of RTP is (RFC 4568 section 6.2.2).
      CHECK(bytes.size() == report.size() + 4 + (is_gcm ? 16 : 10));
      const std::string sent(bytes);
      std::string_view got = sent;
      CHECK(ends.b->open_rtcp(got) == SrtpVerdict::authentic);
      CHECK(got == report);
      std::string_view again = sent;
      CHECK(ends.b->open_rtcp(again) == SrtpVerdict::repeated);
    }
  }
}

TEST_CASE("SRTP: what was changed, has another key or is plain RTP is not authentic") {
  for (const SrtpSuite suite : suites) {
    CAPTURE(srtp_suite_name(suite));
    Ends ends(suite);
    std::string wire = sealed(*ends.a, rtp_packet(1, 160, 7));
    for (const std::size_t at :
         {std::size_t{1}, std::size_t{5}, std::size_t{20}, wire.size() - 1}) {
      std::string changed = wire;
      changed[at] = static_cast<char>(changed[at] ^ 1);
      CHECK(verdict(*ends.b, changed) == SrtpVerdict::not_authentic);
    }
    const auto stranger = side(crypto_of(suite, 3, 4));
    CHECK(verdict(*stranger, wire) == SrtpVerdict::not_authentic);
    CHECK(verdict(*ends.b, rtp_packet(1, 160, 7)) == SrtpVerdict::not_authentic);
    CHECK(verdict(*ends.b, wire) == SrtpVerdict::authentic);
    CHECK(verdict(*ends.b, wire) == SrtpVerdict::repeated);
  }
}

TEST_CASE("SRTP: packets out of order pass once, those of before the window never") {
  Ends ends;
  std::vector<std::string> wires;
  for (std::uint16_t i = 1; i <= 100; ++i)
    wires.push_back(sealed(*ends.a, rtp_packet(i, i * 160U, 7)));
  CHECK(verdict(*ends.b, wires[98]) == SrtpVerdict::authentic);
  CHECK(verdict(*ends.b, wires[97]) == SrtpVerdict::authentic);
  CHECK(verdict(*ends.b, wires[97]) == SrtpVerdict::repeated);
  CHECK(verdict(*ends.b, wires[35]) == SrtpVerdict::authentic);  // 63 behind
  CHECK(verdict(*ends.b, wires[34]) == SrtpVerdict::repeated);   // 64
  CHECK(verdict(*ends.b, wires[99]) == SrtpVerdict::authentic);
}

TEST_CASE("SRTP: the roll-over counter counts over losses, at both ends") {
  for (const SrtpSuite suite : {SrtpSuite::aes_cm_128_hmac_sha1_80, SrtpSuite::aead_aes_128_gcm}) {
    Ends ends(suite);
    for (int roll = 0; roll < 3; ++roll) {
      for (const int sequence : {10, 20000, 40000, 60000, 65530})  // 65535 and 0 are lost
        CHECK(ends.passes(static_cast<std::uint16_t>(sequence)));
    }
  }
}

TEST_CASE("SRTP: a forged packet does not move the roll-over counter") {
  for (const SrtpSuite suite : {SrtpSuite::aes_cm_128_hmac_sha1_80, SrtpSuite::aead_aes_128_gcm}) {
    Ends ends(suite);
    for (int roll = 0; roll < 3; ++roll) {
      CHECK(ends.passes(100));
      CHECK(ends.passes(30000));
      CHECK(ends.passes(60000));
      CHECK(verdict(*ends.b, rtp_packet(5, 1, 7)) == SrtpVerdict::not_authentic);
      CHECK(ends.passes(60001));
    }
    CHECK(verdict(*ends.b, sealed(*ends.a, rtp_packet(60001, 60001 * 160U, 7))) !=
          SrtpVerdict::authentic);
  }
}

TEST_CASE("SRTP: one that is late over a roll-over is not sent, and harms none behind it") {
  Ends ends;
  CHECK(ends.passes(65534));
  CHECK(ends.passes(1));
  CHECK(sealed(*ends.a, rtp_packet(65535, 1, 7)).empty());
  CHECK(ends.passes(2));
  CHECK(ends.passes(30000));
}

TEST_CASE("SRTP: a place in a stream is never used for two packets") {
  Ends ends;
  CHECK_FALSE(sealed(*ends.a, rtp_packet(5, 1, 7)).empty());
  CHECK(sealed(*ends.a, rtp_packet(5, 2, 7)).empty());
}

TEST_CASE("SRTP: a source that begins anew under its SSRC goes on behind what was sent") {
  Ends ends;
  for (std::uint16_t i = 30000; i < 30010; ++i)
    CHECK(ends.passes(i));
  CHECK(sealed(*ends.a, rtp_packet(100, 1, 7)).empty());  // may be a late one
  for (std::uint16_t i = 101; i < 110; ++i) {
    const std::string wire = sealed(*ends.a, rtp_packet(i, i * 160U, 7));
    REQUIRE_FALSE(wire.empty());
    std::string expected = rtp_packet(i, i * 160U, 7);
    const auto sequence = static_cast<std::uint16_t>(30010 + i - 101);
    expected[2] = static_cast<char>(sequence >> 8);
    expected[3] = static_cast<char>(sequence);
    CHECK(opened(*ends.b, wire) == expected);
  }
}

TEST_CASE("SRTP: streams of many SSRCs pass, one that gave up its place never comes back") {
  Ends ends;
  for (std::uint32_t ssrc = 1; ssrc <= 20; ++ssrc) {
    CHECK(ends.passes(1, ssrc));
    CHECK(ends.passes(2, ssrc));
  }
  CHECK(ends.passes(3, 20));
  CHECK(ends.passes(3, 13));
  CHECK(sealed(*ends.a, rtp_packet(3, 3, 1)).empty());
  for (std::uint32_t ssrc = 21; ssrc < 300; ++ssrc)  // there is an end to it
    (void)ends.passes(1, ssrc);
  CHECK_FALSE(ends.passes(1, 1000));
}

TEST_CASE("SRTP: forged streams push out none") {
  Ends ends;
  CHECK(ends.passes(1));
  for (std::uint32_t ssrc = 100; ssrc < 400; ++ssrc)
    CHECK(verdict(*ends.b, rtp_packet(1, 1, ssrc)) == SrtpVerdict::not_authentic);
  CHECK(ends.passes(2));
  CHECK(ends.passes(1, 8));
}

TEST_CASE("SRTP: after a new key those of the former pass until the new one is there") {
  const auto before = crypto_of(SrtpSuite::aes_cm_128_hmac_sha1_80, 1, 99);
  const auto after = crypto_of(SrtpSuite::aes_256_cm_hmac_sha1_80, 50, 99);
  const auto sender = side(reversed(before));
  const auto receiver = side(before);
  const std::string on_its_way = sealed(*sender, rtp_packet(1, 1, 7));
  const std::string too_late = sealed(*sender, rtp_packet(2, 2, 7));
  const auto renewed = side(after, receiver.get());
  CHECK(verdict(*renewed, on_its_way) == SrtpVerdict::authentic);
  const auto new_sender = side(reversed(after));
  CHECK(verdict(*renewed, sealed(*new_sender, rtp_packet(3, 3, 7))) == SrtpVerdict::authentic);
  CHECK(verdict(*renewed, too_late) == SrtpVerdict::not_authentic);
}

TEST_CASE("SRTP: a key that stays keeps its counters when the other changes") {
  const auto before = crypto_of(SrtpSuite::aes_cm_128_hmac_sha1_80, 1, 99);
  const auto one = side(before);
  const auto other = side(reversed(before));
  for (const std::uint16_t sequence : {40000, 65000, 10}) {
    const std::string wire = sealed(*one, rtp_packet(sequence, 1, 7));
    CHECK(verdict(*other, wire) == SrtpVerdict::authentic);
  }
  const auto renewed =
      side({key_of(SrtpSuite::aes_cm_128_hmac_sha1_80, 50), before.send}, one.get());
  CHECK(verdict(*other, sealed(*renewed, rtp_packet(11, 2, 7))) == SrtpVerdict::authentic);
  CHECK(sealed(*renewed, rtp_packet(10, 1, 7)).empty());
}

TEST_CASE("SRTP: keys of a wrong length and one suite alone are refused, without the key") {
  MediaCrypto crypto = crypto_of(SrtpSuite::aes_cm_128_hmac_sha1_80);
  crypto.send.key = "secret";
  auto made = SrtpSide::create(crypto, nullptr);
  REQUIRE_FALSE(made);
  CHECK(made.error().code == ErrorCode::invalid_argument);
  CHECK(made.error().message == "send key had 6 bytes, AES_CM_128_HMAC_SHA1_80 needs 30");
  made = SrtpSide::create({crypto.receive, {}}, nullptr);
  REQUIRE_FALSE(made);
  CHECK(made.error().code == ErrorCode::invalid_argument);
}

namespace {

struct Bridge {
  FakeLoop loop;
  MediaRelay relay;
  MediaSession session;
  const SocketAddress phone = at("192.0.2.1:4000");
  const SocketAddress vendor = at("198.51.100.2:6000");
  const MediaCrypto keys = crypto_of(SrtpSuite::aes_cm_128_hmac_sha1_80);
  std::shared_ptr<SrtpSide> end = side(reversed(keys));  // the phone's

  Bridge() : relay(*make_loop_relay(config(), loop)), session(*relay.open()) {
    (void)session.set_remote(caller, phone);
    (void)session.set_remote(callee, vendor);
    REQUIRE(session.set_crypto(caller, keys));
  }
  static MediaConfig config() {
    MediaConfig config;
    config.address = IpAddress::ipv4(203, 0, 113, 1);
    config.port_first = 30000;
    config.port_last = 30059;
    config.events_max = 64;
    return config;
  }
  void from_phone(std::string_view bytes) { loop.send(phone, session.local_rtp(caller), bytes); }
};

}  // namespace

TEST_CASE("SRTP relay: one side is encrypted, the other plain, both ways and for reports") {
  Bridge b;
  const std::string packet = rtp_packet(1, 160, 7);
  b.from_phone(sealed(*b.end, packet));
  REQUIRE(b.loop.heard.size() == 1);
  CHECK(b.loop.heard[0].to == b.vendor);
  CHECK(b.loop.heard[0].bytes == packet);
  b.loop.send(b.vendor, b.session.local_rtp(callee), packet);
  REQUIRE(b.loop.heard.size() == 2);
  CHECK(b.loop.heard[1].to == b.phone);
  CHECK(opened(*b.end, b.loop.heard[1].bytes) == packet);
  const std::string report = receiver_report(7, 12);
  std::string_view bytes = report;
  REQUIRE(b.end->seal_rtcp(bytes));
  b.loop.send(at("192.0.2.1:4001"), b.session.local_rtcp(caller), bytes);
  REQUIRE(b.loop.heard.size() == 3);
  CHECK(b.loop.heard[2].bytes == report);
  CHECK(b.session.reported_lost(caller) == 12);
  b.loop.send(at("198.51.100.2:6001"), b.session.local_rtcp(callee), report);
  REQUIRE(b.loop.heard.size() == 4);
  std::string_view got = b.loop.heard[3].bytes;
  CHECK(b.end->open_rtcp(got) == SrtpVerdict::authentic);
  CHECK(got == report);
  CHECK(b.session.stats(caller).packets_received == 1);
  CHECK(b.session.stats(caller).bytes_received == packet.size() + 10);
}

TEST_CASE("SRTP relay: both sides have their own keys") {
  Bridge b;
  const auto other_keys = crypto_of(SrtpSuite::aead_aes_256_gcm, 20, 30);
  REQUIRE(b.session.set_crypto(callee, other_keys));
  const auto other_end = side(reversed(other_keys));
  const std::string packet = rtp_packet(1, 160, 7);
  b.from_phone(sealed(*b.end, packet));
  REQUIRE(b.loop.heard.size() == 1);
  CHECK(opened(*other_end, b.loop.heard[0].bytes) == packet);
}

TEST_CASE("SRTP relay: what is not authentic latches nothing, is counted and named") {
  Bridge b;
  const auto stranger = at("203.0.113.66:666");
  for (std::uint16_t i = 0; i < 5; ++i)
    b.loop.send(stranger, b.session.local_rtp(caller), rtp_packet(i, i, 7));
  CHECK(b.loop.heard.empty());
  CHECK_FALSE(b.session.remote(caller));
  CHECK(b.session.stats(caller).srtp_failures == 5);
  CHECK(b.session.stats(caller).packets_refused == 5);
  CHECK(b.session.stats(caller).cause == MediaCause::srtp_failure);
  CHECK(b.relay.stats().packets_not_authentic == 5);
  CHECK(b.relay.take_events().empty());
  for (std::uint16_t i = 0; i < 6; ++i)
    b.from_phone(sealed(*b.end, rtp_packet(i, i, 7)));
  CHECK(b.loop.heard.size() == 6);
  CHECK(b.session.remote(caller) == b.phone);
  CHECK(b.session.stats(caller).cause == MediaCause::none);
}

TEST_CASE("SRTP relay: a packet that comes twice is passed on once") {
  Bridge b;
  const std::string wire = sealed(*b.end, rtp_packet(1, 160, 7));
  b.from_phone(wire);
  b.from_phone(wire);
  CHECK(b.loop.heard.size() == 1);
  CHECK(b.session.stats(caller).srtp_failures == 0);
  CHECK(b.session.stats(caller).packets_refused == 1);
  const std::string packet = rtp_packet(9, 160, 8);
  b.loop.send(b.vendor, b.session.local_rtp(callee), packet);
  b.loop.send(b.vendor, b.session.local_rtp(callee), packet);
  CHECK(b.loop.heard.size() == 2);
  CHECK(b.relay.stats().packets_not_sealed == 1);
}

TEST_CASE("SRTP relay: keys of telephone events are seen and taps hear what was inside") {
  Bridge b;
  REQUIRE(b.session.set_payloads(caller, {0, 101}, {101}));
  auto tap = b.session.tap();
  REQUIRE(tap);
  const std::string key = key_packet(1, 160, 7, 5, 800, true);
  b.from_phone(sealed(*b.end, key));
  CHECK(b.session.stats(caller).digits == 1);
  TappedPacket packet;
  REQUIRE(tap->take(packet));
  CHECK(packet.bytes == key);
}

TEST_CASE("SRTP relay: without keys again the side is plain") {
  Bridge b;
  REQUIRE(b.session.set_crypto(caller, {}));
  const std::string packet = rtp_packet(1, 160, 7);
  b.from_phone(packet);
  REQUIRE(b.loop.heard.size() == 1);
  CHECK(b.loop.heard[0].bytes == packet);
  b.session = *b.relay.open();  // the ports of a call with keys serve one without
}

TEST_CASE("SRTP relay: while T.38 is offered encrypted audio goes on, and is what it was") {
  Bridge b;
  b.session.set_flags(caller, {.transparent = true});
  b.session.set_flags(callee, {.transparent = true});
  const std::string packet = rtp_packet(1, 160, 7);
  b.from_phone(sealed(*b.end, packet));
  REQUIRE(b.loop.heard.size() == 1);
  CHECK(b.loop.heard[0].bytes == packet);
  // Datagrams of the plain side that came early make no streams, which would push out others.
  for (char i = 0; i < 100; ++i)
    b.loop.send(b.vendor, b.session.local_rtp(callee), std::string(20, i));
  CHECK(b.loop.heard.size() == 1);
  b.session.set_flags(callee, {});
  b.loop.send(b.vendor, b.session.local_rtp(callee), packet);
  REQUIRE(b.loop.heard.size() == 2);
  CHECK(opened(*b.end, b.loop.heard[1].bytes) == packet);
}

TEST_CASE("SRTP relay: malformed packets harm nobody") {
  const auto folder =
      std::filesystem::path(tandem::test::source_folder()) / "../shared/testdata/media/srtp";
  Bridge b;
  std::uint16_t sequence = 0;
  const auto check_stream = [&] {
    const std::size_t before = b.loop.heard.size();
    b.from_phone(sealed(*b.end, rtp_packet(++sequence, 1, 7)));
    CHECK(b.loop.heard.size() == before + 1);
  };
  check_stream();
  const std::string good = sealed(*b.end, rtp_packet(++sequence, 1, 7));
  for (std::size_t size = 0; size < good.size(); ++size) {
    b.from_phone(std::string_view(good).substr(0, size));
    b.loop.send(at("192.0.2.1:4001"), b.session.local_rtcp(caller),
                "\x80\xc9" + good.substr(0, size));
  }
  check_stream();
  if (!std::filesystem::exists(folder)) {
    std::printf("not run: malformed SRTP (no ../shared/testdata/media/srtp)\n");
    return;
  }
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    if (bytes.size() > 60000) continue;
    b.from_phone(bytes);
    b.loop.send(at("192.0.2.1:4001"), b.session.local_rtcp(caller), bytes);
    check_stream();
  }
}
