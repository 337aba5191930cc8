// ICE and DTLS-SRTP of one side of a relay, with a peer as a browser is on the other end.
#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "io/dtls.hpp"
#include "media/relay.hpp"
#include "media/stun.hpp"
#include "unit/media/fake_loop.hpp"
#include "unit/media/rtp_packet.hpp"

using namespace tandem;
using namespace tandem::media;

namespace {

constexpr MediaSide caller = MediaSide::caller;
constexpr MediaSide callee = MediaSide::callee;
const std::string ufrag = "ours", password = "0123456789012345678901";

SocketAddress at(const char* address) { return *SocketAddress::parse(address); }

std::shared_ptr<const io::DtlsIdentity> identity() {
  static const auto made = io::DtlsIdentity::make().value();
  return made;
}

struct Browser {
  FakeLoop loop;
  MediaRelay relay;
  MediaSession session;
  SocketAddress phone = at("192.0.2.1:4000");
  const SocketAddress vendor = at("198.51.100.2:6000");
  std::unique_ptr<io::DtlsAssociation> dtls;
  std::shared_ptr<SrtpSide> keys;
  unsigned drops = 0;  // datagrams to the phone that are lost, from now on
  std::size_t sent_to_phone = 0;
  std::vector<std::string> media;    // what came to the phone and was RTP
  std::vector<std::string> answers;  // STUN

  Browser() : relay(*make_loop_relay(config(), loop)), session(*relay.open()) {
    REQUIRE(session.set_remote(callee, vendor));
  }
  static MediaConfig config() {
    MediaConfig config;
    config.address = IpAddress::ipv4(203, 0, 113, 1);
    config.port_first = 30000;
    config.port_last = 30059;
    config.events_max = 64;
    return config;
  }
  /// The relay's `role`; the phone has the other.
  void agree(DtlsRole role, bool has_ice,
             const DtlsFingerprint& shown = identity()->fingerprint()) {
    MediaHandshake asked;
    asked.role = role;
    asked.fingerprints = {shown};
    if (has_ice) {
      asked.ice_ufrag = ufrag;
      asked.ice_password = password;
      asked.remote_ice_ufrag = "them";
    } else {
      REQUIRE(session.set_remote(caller, phone));
    }
    REQUIRE(session.set_handshake(caller, asked));
    const DtlsRole other = role == DtlsRole::server ? DtlsRole::client : DtlsRole::server;
    dtls = io::DtlsAssociation::create(identity(), other, {*relay.dtls_fingerprint()}).value();
  }
  void from_phone(std::string_view bytes) { loop.send(phone, session.local_rtp(caller), bytes); }
  void check(std::string_view username = "ours:them", const std::string& with = password,
             bool nominates = true) {
    StunCheck check;
    check.transaction = "abcdefghijkl";
    check.username = username;
    check.password = with;
    check.priority = 1;
    check.nominates = nominates;
    from_phone(stun_request(check));
  }
  /// What waits for the phone is taken, and answered.
  void pump() {
    while (!loop.heard.empty()) {
      const FakeLoop::Heard heard = loop.heard.front();
      loop.heard.pop_front();
      if (heard.to != phone) continue;
      ++sent_to_phone;
      if (drops > 0) {
        --drops;
        continue;
      }
      if (port_traffic(heard.bytes) == PortTraffic::stun) answers.push_back(heard.bytes);
      if (port_traffic(heard.bytes) == PortTraffic::rtp) media.push_back(heard.bytes);
      if (port_traffic(heard.bytes) != PortTraffic::dtls) continue;
      io::DtlsAssociation::Datagrams out;
      dtls->take(heard.bytes, out);
      for (const std::string& bytes : out)
        from_phone(bytes);
    }
    if (keys == nullptr && dtls != nullptr && dtls->state() == io::DtlsAssociation::State::agreed)
      keys = *SrtpSide::create(dtls->crypto(), nullptr);
  }
  void hello() {
    io::DtlsAssociation::Datagrams out;
    dtls->begin(out);
    for (const std::string& bytes : out)
      from_phone(bytes);
    pump();
  }
  void pass_ms(int ms) {
    for (int i = 0; i < ms; i += 10) {
      loop.advance_us(10'000);
      loop.timers().advance(loop.clock().monotonic_us());
      pump();
    }
  }
  [[nodiscard]] MediaHandshakeState state() const { return session.handshake(caller); }
  /// Whether media gets through both ways, as it was.
  bool passes(std::uint16_t sequence) {
    const std::string packet = rtp_packet(sequence, sequence * 160U, 7);
    std::string_view sealed = packet;
    if (keys == nullptr || !keys->seal_rtp(sealed)) return false;
    loop.heard.clear();
    from_phone(sealed);
    if (loop.heard.size() != 1 || loop.heard[0].to != vendor || loop.heard[0].bytes != packet)
      return false;
    loop.heard.clear();
    media.clear();
    loop.send(vendor, session.local_rtp(callee), packet);
    pump();
    if (media.size() != 1) return false;
    std::string_view opened = media[0];
    return keys->open_rtp(opened) == SrtpVerdict::authentic && opened == packet;
  }
};

constexpr auto agreed = MediaHandshakeState::agreed;

/// Somebody else with a certificate of its own, who begins as a client and goes on as far as it can
/// in `rounds`. Whether it was answered.
bool stranger_begins(Browser& b, const char* where, int rounds = 5) {
  static const auto own = io::DtlsIdentity::make().value();
  const SocketAddress from = at(where);
  const auto dtls =
      io::DtlsAssociation::create(own, DtlsRole::client, {*b.relay.dtls_fingerprint()}).value();
  io::DtlsAssociation::Datagrams out;
  dtls->begin(out);
  bool is_answered = false;
  for (int round = 0; round < rounds && !out.empty(); ++round) {
    b.loop.heard.clear();
    for (const std::string& bytes : std::exchange(out, {}))
      b.loop.send(from, b.session.local_rtp(caller), bytes);
    for (const FakeLoop::Heard& heard : std::exchange(b.loop.heard, {})) {
      if (heard.to != from) continue;
      is_answered = true;
      dtls->take(heard.bytes, out);
    }
  }
  return is_answered;
}

}  // namespace

TEST_CASE("Handshake: a browser checks, shakes hands as the client, and media passes both ways") {
  Browser b;
  b.agree(DtlsRole::server, true);
  CHECK(b.state() == MediaHandshakeState::unchecked);
  b.check();
  b.pump();
  REQUIRE(b.answers.size() == 1);
  const auto answer = parse_stun(b.answers[0]);
  REQUIRE(answer);
  CHECK(answer->kind == StunKind::success);
  CHECK(answer->mapped == pack(b.phone));
  CHECK(b.state() == MediaHandshakeState::shaking);
  b.hello();
  CHECK(b.state() == agreed);
  CHECK(b.passes(1));
  CHECK(b.passes(2));
  CHECK(b.relay.stats().handshakes_agreed == 1);
  CHECK(b.session.stats(caller).cause == MediaCause::none);
}

TEST_CASE("Handshake: the relay is the client, with ICE and without") {
  for (const bool has_ice : {true, false}) {
    CAPTURE(has_ice);
    Browser b;
    b.agree(DtlsRole::client, has_ice);
    if (has_ice) b.pass_ms(200);
    CHECK(b.state() != agreed);
    if (has_ice) b.check();
    b.pass_ms(200);
    CHECK(b.state() == agreed);
    CHECK(b.passes(1));
  }
}

TEST_CASE("Handshake: without ICE a client must show the cookie of its address first") {
  Browser b;
  b.agree(DtlsRole::server, false);
  const std::string cookie_asker = [&] {
    io::DtlsAssociation::Datagrams out;
    b.dtls->begin(out);
    return out.at(0);
  }();
  // A stranger's address never gets more than a question, however often it is used.
  const SocketAddress stranger = at("192.0.2.66:5000");
  std::size_t reply_bytes = 0;
  for (int i = 0; i < 3; ++i) {
    b.loop.heard.clear();
    b.loop.send(stranger, b.session.local_rtp(caller), cookie_asker);
    REQUIRE(b.loop.heard.size() == 1);
    CHECK(b.loop.heard[0].to == stranger);
    reply_bytes = b.loop.heard[0].bytes.size();
    CHECK(reply_bytes < cookie_asker.size());
  }
  // Nor can it use the cookie of another's.
  b.loop.heard.clear();
  b.from_phone(cookie_asker);
  b.pump();
  CHECK(b.state() == agreed);
  CHECK(b.passes(1));
}

TEST_CASE("Handshake: without ICE a stranger's handshake does not decide for the side") {
  for (const char* stranger : {"192.0.2.66:5000", "192.0.2.1:5000"}) {
    CAPTURE(stranger);
    Browser b;
    b.agree(DtlsRole::server, false);
    CHECK(stranger_begins(b, stranger));
    CHECK(b.state() == MediaHandshakeState::fingerprint_mismatch);
    CHECK(b.session.stats(caller).cause == MediaCause::fingerprint_mismatch);
    b.hello();
    CHECK(b.state() == agreed);
    CHECK(b.passes(1));
    CHECK(stranger_begins(b, stranger));
    CHECK(b.state() == agreed);
    CHECK(b.passes(2));
  }
}

TEST_CASE("Handshake: without ICE a stranger that began and is silent keeps nobody out for long") {
  Browser described;
  described.agree(DtlsRole::server, false);
  CHECK(stranger_begins(described, "192.0.2.66:5000", 2));
  CHECK_FALSE(stranger_begins(described, "192.0.2.67:5000", 1));
  described.hello();
  CHECK(described.state() == agreed);

  // Who is behind a NAT is a stranger too.
  Browser moved;
  moved.agree(DtlsRole::server, false);
  moved.phone = at("198.51.100.77:1024");
  CHECK(stranger_begins(moved, "192.0.2.66:5000", 2));
  moved.hello();
  CHECK(moved.state() == MediaHandshakeState::shaking);
  moved.pass_ms(2100);
  CHECK(moved.state() == MediaHandshakeState::shaking);
  io::DtlsAssociation::Datagrams again;
  moved.dtls->repeat(again);
  for (const std::string& bytes : again)
    moved.from_phone(bytes);
  moved.pump();
  CHECK(moved.state() == agreed);
  CHECK(moved.passes(1));
}

TEST_CASE("Handshake: strangers may try a few times, and the described one still") {
  Browser b;
  b.agree(DtlsRole::server, false);
  for (int i = 0; i < 8; ++i)
    CHECK(stranger_begins(b, "192.0.2.66:5000"));
  CHECK_FALSE(stranger_begins(b, "192.0.2.66:5000"));
  b.hello();
  CHECK(b.state() == agreed);
}

TEST_CASE("Handshake: another certificate than the described one gets no media, and is named") {
  Browser b;
  const auto other = io::DtlsIdentity::make().value();
  b.agree(DtlsRole::server, true, other->fingerprint());
  b.check();
  b.hello();
  CHECK(b.state() == MediaHandshakeState::fingerprint_mismatch);
  CHECK_FALSE(b.passes(1));
  CHECK(b.session.stats(caller).cause == MediaCause::fingerprint_mismatch);
  CHECK(b.relay.stats().handshakes_failed == 1);
}

TEST_CASE("Handshake: a check with another password or name is not answered and opens nothing") {
  Browser b;
  b.agree(DtlsRole::server, true);
  b.check("ours:them", "0123456789012345678902");
  b.check("mine:them");
  b.check("ours:else");
  b.check("ours");
  b.check("");
  b.hello();
  b.pass_ms(31'000);
  CHECK(b.answers.empty());
  CHECK(b.sent_to_phone == 0);
  CHECK(b.state() == MediaHandshakeState::unchecked);
  CHECK(b.session.stats(caller).cause == MediaCause::ice_unchecked);
  CHECK(b.session.stats(caller).packets_refused == 6);
}

TEST_CASE("Handshake: nothing goes in the clear to a side that has not agreed, or comes from it") {
  for (const bool has_ice : {true, false}) {
    Browser b;
    b.agree(DtlsRole::server, has_ice);
    if (has_ice) b.check();
    b.loop.heard.clear();
    b.loop.send(b.vendor, b.session.local_rtp(callee), rtp_packet(1, 160, 7));
    b.from_phone(rtp_packet(1, 160, 7));
    CHECK(b.loop.heard.empty());
  }
}

TEST_CASE("Handshake: what was lost is sent again, and a peer that never answers is given up") {
  Browser b;
  b.agree(DtlsRole::client, false);
  b.drops = 1;  // the first hello
  b.pass_ms(200);
  CHECK(b.state() == MediaHandshakeState::shaking);
  b.pass_ms(1000);
  CHECK(b.state() == agreed);
  CHECK(b.passes(1));

  Browser silent;
  silent.agree(DtlsRole::client, false);
  silent.drops = 1000;
  silent.pass_ms(31'000);
  CHECK(silent.state() == MediaHandshakeState::dtls_failed);
  CHECK(silent.session.stats(caller).cause == MediaCause::dtls_failed);
  CHECK(silent.sent_to_phone >= 5);
  CHECK(silent.sent_to_phone <= 8);
  const std::size_t sent = silent.sent_to_phone;
  silent.pass_ms(10'000);
  CHECK(silent.sent_to_phone == sent);
}

TEST_CASE("Handshake: media follows what is nominated, and who was not checked is not heard") {
  Browser b;
  b.agree(DtlsRole::server, true);
  b.check();
  b.hello();
  REQUIRE(b.passes(1));
  const std::string packet = rtp_packet(2, 320, 7);
  std::string_view sealed = packet;
  REQUIRE(b.keys->seal_rtp(sealed));
  const std::string wire(sealed);
  b.loop.heard.clear();
  b.loop.send(at("192.0.2.77:1"), b.session.local_rtp(caller), wire);
  CHECK(b.loop.heard.empty());
  // It moves: another check, from elsewhere.
  b.phone = at("192.0.2.1:4444");
  b.check();
  b.pump();
  CHECK(b.passes(3));
}

TEST_CASE("Handshake: ICE anew keeps the keys, another certificate does not") {
  Browser b;
  b.agree(DtlsRole::server, true);
  b.check();
  b.hello();
  REQUIRE(b.passes(1));
  MediaHandshake again;
  again.role = DtlsRole::server;
  again.fingerprints = {identity()->fingerprint()};
  again.ice_ufrag = "anew";
  again.ice_password = "9876543210987654321098";
  REQUIRE(b.session.set_handshake(caller, again));
  CHECK(b.passes(2));
  b.phone = at("192.0.2.1:4555");
  b.check("anew:them", again.ice_password);
  b.pump();
  CHECK(b.passes(3));
  again.fingerprints = {io::DtlsIdentity::make().value()->fingerprint()};
  REQUIRE(b.session.set_handshake(caller, again));
  CHECK(b.state() == MediaHandshakeState::unchecked);
  CHECK_FALSE(b.passes(4));
  REQUIRE(b.session.set_handshake(caller, {}));
  CHECK(b.state() == MediaHandshakeState::none);
}

TEST_CASE("Handshake: who takes the peer's place under its certificate begins anew") {
  for (const bool has_ice : {true, false}) {
    CAPTURE(has_ice);
    Browser b;
    b.agree(DtlsRole::server, has_ice);
    if (has_ice) b.check();
    b.hello();
    REQUIRE(b.passes(1));
    const std::shared_ptr<SrtpSide> before = std::exchange(b.keys, nullptr);
    b.dtls =
        io::DtlsAssociation::create(identity(), DtlsRole::client, {*b.relay.dtls_fingerprint()})
            .value();
    if (has_ice) {
      b.phone = at("192.0.2.9:4999");
      const std::size_t sent = b.sent_to_phone;
      b.hello();
      CHECK(b.sent_to_phone == sent);  // not checked
      b.check();
      b.dtls =
          io::DtlsAssociation::create(identity(), DtlsRole::client, {*b.relay.dtls_fingerprint()})
              .value();
    }
    b.hello();
    REQUIRE(b.keys != nullptr);
    CHECK_FALSE(b.keys->crypto() == before->crypto());
    CHECK(b.state() == agreed);
    CHECK(b.passes(2));
    CHECK(b.passes(3));
  }
}

TEST_CASE("Handshake: ICE anew in the midst of a handshake lets it end, whoever is first") {
  for (const bool check_first : {true, false}) {
    CAPTURE(check_first);
    Browser b;
    b.agree(DtlsRole::server, true);
    b.check();
    io::DtlsAssociation::Datagrams out;
    b.dtls->begin(out);
    for (const std::string& bytes : out)
      b.from_phone(bytes);  // its answer waits
    MediaHandshake again;
    again.role = DtlsRole::server;
    again.fingerprints = {identity()->fingerprint()};
    again.ice_ufrag = "anew";
    again.ice_password = "9876543210987654321098";
    REQUIRE(b.session.set_handshake(caller, again));
    CHECK(b.state() == MediaHandshakeState::unchecked);
    if (check_first) b.check("anew:them", again.ice_password);
    b.pump();
    CHECK(b.state() == agreed);
    if (!check_first) b.check("anew:them", again.ice_password);
    b.pump();
    CHECK(b.state() == agreed);
    CHECK(b.passes(1));
    b.pass_ms(31'000);
    CHECK(b.state() == agreed);
  }
}

TEST_CASE("Handshake: one that failed may be asked for again") {
  Browser b;
  b.agree(DtlsRole::client, false);
  b.drops = 1000;
  b.pass_ms(31'000);
  REQUIRE(b.state() == MediaHandshakeState::dtls_failed);
  b.drops = 0;
  b.agree(DtlsRole::client, false);
  CHECK(b.state() == MediaHandshakeState::shaking);
  b.pass_ms(200);
  CHECK(b.state() == agreed);
  CHECK(b.passes(1));
}

TEST_CASE("Handshake: what is refused for want of room leaves the side encrypted as it was") {
  Browser b;
  b.agree(DtlsRole::server, true);
  b.check();
  b.hello();
  b.pass_ms(100);
  REQUIRE(b.passes(1));
  MediaHandshake again;
  again.role = DtlsRole::server;
  again.fingerprints = {identity()->fingerprint()};
  again.ice_ufrag = "anew";
  again.ice_password = "9876543210987654321098";
  Result<void> set;
  for (std::size_t i = 0; i <= RelayCore::handshakes_max && set; ++i) {
    again.remote_ice_ufrag = "them" + std::to_string(i);
    set = b.session.set_handshake(caller, again);
  }
  REQUIRE_FALSE(set);
  CHECK(set.error().code == ErrorCode::limit);
  CHECK(b.state() == agreed);
  CHECK(b.passes(2));
  b.pass_ms(100);
  CHECK(b.session.set_handshake(caller, again));
  CHECK(b.passes(3));
}

TEST_CASE("Handshake: its end is an event") {
  Browser b;
  b.session.set_tag(77);
  b.agree(DtlsRole::server, true);
  b.check();
  b.hello();
  const std::vector<MediaEvent> events = b.relay.take_events();
  REQUIRE(events.size() == 1);
  CHECK(std::string(media_event_name(events[0].kind)) == "handshake_ended");
  CHECK(events[0].handshake == agreed);
  CHECK(events[0].side == caller);
  CHECK(events[0].tag == 77);
}

TEST_CASE("Handshake: who would have the relay nominate is told that it will not") {
  Browser b;
  b.agree(DtlsRole::server, true);
  StunCheck check;
  check.transaction = "abcdefghijkl";
  check.username = "ours:them";
  check.password = password;
  check.is_controlling = false;
  b.from_phone(stun_request(check));
  b.pump();
  REQUIRE(b.answers.size() == 1);
  CHECK(parse_stun(b.answers[0])->error_code == 487);
  CHECK(b.state() == MediaHandshakeState::unchecked);
}

TEST_CASE("Handshake: without it RTCP goes again where the description says") {
  Browser b;
  b.agree(DtlsRole::server, false);
  REQUIRE(b.session.set_handshake(caller, {}));
  b.loop.heard.clear();
  b.loop.send(at("198.51.100.2:6001"), b.session.local_rtcp(callee), receiver_report(7, 12));
  REQUIRE(b.loop.heard.size() == 1);
  CHECK(b.loop.heard[0].to == at("192.0.2.1:4001"));
}

TEST_CASE("Handshake: RTCP comes on the port of RTP, and leaves on its own towards a plain side") {
  Browser b;
  b.agree(DtlsRole::server, true);
  b.check();
  b.hello();
  REQUIRE(b.passes(1));
  const std::string report = receiver_report(7, 12);
  std::string_view sealed = report;
  REQUIRE(b.keys->seal_rtcp(sealed));
  b.loop.heard.clear();
  b.from_phone(sealed);
  REQUIRE(b.loop.heard.size() == 1);
  CHECK(b.loop.heard[0].to == at("198.51.100.2:6001"));
  CHECK(b.loop.heard[0].from == b.session.local_rtcp(callee));
  CHECK(b.loop.heard[0].bytes == report);
  b.loop.heard.clear();
  b.loop.send(at("198.51.100.2:6001"), b.session.local_rtcp(callee), report);
  REQUIRE(b.loop.heard.size() == 1);
  CHECK(b.loop.heard[0].to == b.phone);
  CHECK(b.loop.heard[0].from == b.session.local_rtp(caller));
  std::string_view opened = b.loop.heard[0].bytes;
  CHECK(b.keys->open_rtcp(opened) == SrtpVerdict::authentic);
}

TEST_CASE("Handshake: what cannot be is refused with its place") {
  Browser b;
  MediaHandshake asked;
  asked.role = DtlsRole::server;
  auto set = b.session.set_handshake(caller, asked);
  REQUIRE_FALSE(set);
  CHECK(set.error().message == "0 fingerprints did not fit the role of the handshake");
  asked.fingerprints = {{"md5", ""}};
  set = b.session.set_handshake(caller, asked);
  REQUIRE_FALSE(set);
  CHECK(set.error().message == "fingerprint \"md5\" with 0 bytes was no hash of a certificate");
  asked.fingerprints = {identity()->fingerprint()};
  asked.ice_ufrag = "abc";
  set = b.session.set_handshake(caller, asked);
  REQUIRE_FALSE(set);
  CHECK(set.error().message == "ICE user fragment of 3 characters was not in 4..256");
  asked.ice_ufrag = "abcd";
  asked.ice_password = "short";
  set = b.session.set_handshake(caller, asked);
  REQUIRE_FALSE(set);
  CHECK(set.error().message == "ICE password of 5 characters was not in 22..256");
}

TEST_CASE("Handshake: no more begin at once than leave the relay time for media") {
  HandshakeBudget budget;
  unsigned begun = 0;
  for (int i = 0; i < 1000; ++i)
    begun += budget.take(1'000'000 + i * 99) ? 1 : 0;
  CHECK(begun == HandshakeBudget::begins_max);
  CHECK(budget.take(1'000'000 + HandshakeBudget::window_us));
}
