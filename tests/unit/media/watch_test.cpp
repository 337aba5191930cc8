// What the relay tells of a session: events, causes, fences, taps. On a simulated loop.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "media/relay.hpp"
#include "tandem/audio_tap.hpp"
#include "unit/media/fake_loop.hpp"
#include "unit/media/rtp_packet.hpp"

using namespace tandem;
using namespace tandem::media;

namespace {

constexpr MediaSide caller = MediaSide::caller;
constexpr MediaSide callee = MediaSide::callee;

SocketAddress at(const char* address) { return *SocketAddress::parse(address); }

struct Watched {
  FakeLoop loop;
  MediaRelay relay;
  MediaSession session;
  const SocketAddress phone = at("192.0.2.1:4000");
  const SocketAddress other = at("203.0.113.9:7000");
  const SocketAddress vendor = at("198.51.100.2:6000");
  std::uint16_t sequence = 0;

  explicit Watched(unsigned events_max = 64) : Watched(config(events_max)) {}
  explicit Watched(const MediaConfig& config)
      : relay(*make_loop_relay(config, loop)), session(*relay.open()) {
    session.set_tag(77);
    (void)session.set_remote(caller, phone);
    (void)session.set_remote(callee, vendor);
  }
  static MediaConfig config(unsigned events_max) {
    MediaConfig config;
    config.address = IpAddress::ipv4(203, 0, 113, 1);
    config.port_first = 30000;
    config.port_last = 30059;
    config.events_max = events_max;
    return config;
  }
  void wait_ms(std::int64_t time_ms) {
    for (; time_ms > 0; time_ms -= 50) {
      loop.advance_us(50'000);
      loop.timers().advance(loop.clock().monotonic_us());
    }
  }
  void from_caller(const SocketAddress& source, std::uint32_t ssrc = 1) {
    ++sequence;
    loop.send(source, session.local_rtp(caller), rtp_packet(sequence, sequence * 160U, ssrc));
  }
  void talk(int packets, int step = 1) {
    for (int i = 0; i < packets; ++i) {
      sequence = static_cast<std::uint16_t>(sequence + step - 1);
      from_caller(phone);
      loop.advance_us(20'000);
    }
  }
  void key(char which, std::uint32_t timestamp, bool is_end, std::uint16_t units = 800) {
    const auto event = static_cast<std::uint8_t>(std::string("0123456789*#").find(which));
    loop.send(phone, session.local_rtp(caller),
              key_packet(++sequence, timestamp, 1, event, units, is_end));
  }
  std::vector<std::string> told() {
    std::vector<std::string> names;
    for (const MediaEvent& event : relay.take_events()) {
      CHECK(event.tag == 77);
      names.emplace_back(media_event_name(event.kind));
    }
    return names;
  }
  MediaCause cause(MediaSide side = caller) { return session.stats(side).cause; }
};

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("Media events: the first packet of a side, and a source that takes over, are told once") {
  Watched w;
  w.talk(3);
  w.wait_ms(2000);
  w.from_caller(w.other, 2);
  w.from_caller(w.other, 2);
  const auto events = w.relay.take_events();
  REQUIRE(events.size() == 2);
  CHECK(events[0].kind == MediaEvent::Kind::first_packet);
  CHECK(events[0].source == w.phone);
  CHECK(events[0].side == caller);
  CHECK(events[1].kind == MediaEvent::Kind::source_changed);
  CHECK(events[1].source == w.other);
}

TEST_CASE("Media events: refused sources are told at most once a second, with their number") {
  Watched w;
  w.talk(1);
  for (int i = 0; i < 100; ++i) {
    w.from_caller(w.other, 666);
    w.from_caller(w.phone);
    w.loop.advance_us(20'000);
  }
  std::uint32_t refused = 0;
  std::size_t told = 0;
  for (const MediaEvent& event : w.relay.take_events()) {
    if (event.kind != MediaEvent::Kind::source_refused) continue;
    CHECK(event.refusal == MediaRefusal::latched);
    CHECK(event.source == w.other);
    refused += event.refused;
    ++told;
  }
  CHECK(told == 2);
  CHECK(refused == 51);
}

TEST_CASE("Media events: a queue that is full loses the newest and counts them") {
  Watched w(4);
  for (int i = 0; i < 6; ++i) {
    w.wait_ms(2000);
    w.from_caller(i % 2 == 0 ? w.phone : w.other, static_cast<std::uint32_t>(i));
  }
  CHECK(w.relay.take_events().size() == 4);
  CHECK(w.relay.stats().events_lost == 2);
}

TEST_CASE("Media events: kinds that nobody wants take no room (M-09)") {
  MediaConfig config = Watched::config(4);
  config.event_kinds = 1U << static_cast<unsigned>(MediaEvent::Kind::digit);
  Watched w(config);
  REQUIRE(w.session.set_payloads(caller, {0, 101}, {101}));
  for (int i = 0; i < 6; ++i) {
    w.wait_ms(2000);
    w.from_caller(i % 2 == 0 ? w.other : w.phone, static_cast<std::uint32_t>(i + 1));
  }
  w.wait_ms(2000);
  w.key('5', 160'000, false);
  w.key('5', 160'000, true);
  CHECK(w.told() == Names{"digit"});
  CHECK(w.relay.stats().events_lost == 0);
  config.event_kinds = 1U << 9;
  FakeLoop loop;
  CHECK(make_loop_relay(config, loop).error().code == ErrorCode::invalid_argument);
}

TEST_CASE("Media events: the host is told once that events wait, and again after it took them") {
  FakeLoop loop;
  int calls = 0;
  MediaConfig config = Watched::config(16);
  config.on_events = [&calls] { ++calls; };
  auto relay = make_loop_relay(config, loop);
  REQUIRE(relay);
  auto first = relay->open();
  auto second = relay->open();
  loop.send(at("192.0.2.1:4000"), first->local_rtp(caller), rtp_packet(1, 1, 1));
  loop.send(at("192.0.2.1:4000"), first->local_rtp(callee), rtp_packet(1, 1, 1));
  CHECK(calls == 1);
  CHECK(relay->take_events().size() == 2);
  loop.send(at("192.0.2.1:4000"), second->local_rtp(callee), rtp_packet(1, 1, 1));
  CHECK(calls == 2);
}

TEST_CASE("Media watch: silence begins and ends, also of a side that never spoke") {
  Watched w;
  REQUIRE(w.session.set_watch(caller, {.silence_ms = 1000}));
  w.wait_ms(900);
  CHECK(w.told().empty());
  w.wait_ms(500);
  CHECK(w.told() == Names{"silence_began"});
  w.talk(30);
  w.wait_ms(300);
  CHECK(w.told() == Names{"first_packet", "silence_ended"});
  w.wait_ms(1200);
  const auto events = w.relay.take_events();
  REQUIRE(events.size() == 1);
  CHECK(events[0].kind == MediaEvent::Kind::silence_began);
  CHECK(events[0].silence_ms >= 1000);
  CHECK(events[0].silence_ms <= 1300);
}

TEST_CASE("Media watch O-05: loss above the limit is told once, and once when it is over") {
  Watched w;
  REQUIRE(w.session.set_watch(caller, {.loss_permille = 100, .loss_window_ms = 2000}));
  const auto window = [&w](int step) {
    for (int i = 0; i < 55; ++i) {
      w.talk(2, step);
      w.loop.timers().advance(w.loop.clock().monotonic_us());
    }
  };
  window(1);
  CHECK(w.told() == Names{"first_packet"});
  window(2);  // every other packet is lost
  window(2);
  const auto begun = w.relay.take_events();
  REQUIRE(begun.size() == 1);
  CHECK(begun[0].kind == MediaEvent::Kind::loss_began);
  CHECK(begun[0].loss_permille > 100);
  window(1);
  window(1);
  CHECK(w.told() == Names{"loss_ended"});
}

TEST_CASE("Media watch: what is out of range, or asked of a relay without events, is refused") {
  Watched w;
  CHECK_FALSE(w.session.set_watch(caller, {.silence_ms = 99}));
  CHECK_FALSE(w.session.set_watch(caller, {.loss_permille = 1000}));
  CHECK_FALSE(w.session.set_watch(caller, {.loss_permille = 10, .loss_window_ms = 10}));
  CHECK_FALSE(w.session.set_payloads(caller, {128}, {}));
  Watched without(0);
  CHECK(without.session.set_watch(caller, {.silence_ms = 1000}).error().code ==
        ErrorCode::wrong_state);
}

TEST_CASE("Keys in RTP M-09: a key is told when it is let go, and counted") {
  Watched w;
  REQUIRE(w.session.set_payloads(caller, {0, 101}, {101}));
  w.talk(2);
  w.key('7', 1000, false);
  for (int i = 0; i < 3; ++i)
    w.key('7', 1000, true);
  w.key('#', 4000, true);
  auto events = w.relay.take_events();
  REQUIRE(events.size() == 3);
  CHECK(events[1].kind == MediaEvent::Kind::digit);
  CHECK(events[1].digit == '7');
  CHECK(events[1].duration_ms == 100);
  CHECK_FALSE(events[1].is_end_lost);
  CHECK(events[2].digit == '#');
  CHECK(w.session.stats(caller).digits == 2);
  CHECK(w.session.stats(callee).digits == 0);
  CHECK(w.relay.stats().digits == 2);
  // All of it went on as it came.
  CHECK(w.session.stats(callee).packets_sent == 7);
}

TEST_CASE("Keys in RTP M-09: a key whose end was lost is told though nothing follows") {
  Watched w;
  REQUIRE(w.session.set_payloads(caller, {0, 101}, {101}));
  w.key('1', 1000, false);
  w.wait_ms(600);
  const auto events = w.relay.take_events();
  REQUIRE(events.size() == 2);
  CHECK(events[1].digit == '1');
  CHECK(events[1].is_end_lost);
}

TEST_CASE("Keys in RTP M-09: a key lasts as long as its own clock says, whatever the audio has") {
  Watched w;
  w.session.set_clock_rate_hz(caller, 48000);
  REQUIRE(w.session.set_payloads(caller, {0, 101}, {101}));
  w.key('1', 1000, true, 4800);  // as that of the audio
  REQUIRE(w.session.set_event_clock_rate_hz(caller, 101, 8000));
  w.key('2', 9000, true);
  w.key('3', 17000, false);  // the end is lost
  w.wait_ms(600);
  auto events = w.relay.take_events();
  REQUIRE(events.size() == 4);
  CHECK(events[1].duration_ms == 100);
  CHECK(events[2].duration_ms == 100);
  CHECK(events[3].digit == '3');
  CHECK(events[3].duration_ms == 100);
  // One of more than 8 s, whose timestamps are those of the audio.
  w.key('5', 400'000, false, 0xFFFF);
  w.key('5', 400'000 + 6 * 0xFFFFU, true, 1000);
  events = w.relay.take_events();
  REQUIRE(events.size() == 1);
  CHECK(events[0].digit == '5');
  CHECK(events[0].duration_ms == (0xFFFF + 1000) / 8);
  REQUIRE(w.session.set_payloads(caller, {0, 101}, {101}));  // forgets it
  w.key('4', 1'000'000, true, 4800);
  events = w.relay.take_events();
  REQUIRE(events.size() == 1);
  CHECK(events[0].duration_ms == 100);
  for (const std::uint8_t type : {102, 103, 104, 105})
    CHECK(w.session.set_event_clock_rate_hz(caller, type, 16000));
  CHECK(w.session.set_event_clock_rate_hz(caller, 106, 16000).error().code == ErrorCode::limit);
  CHECK(w.session.set_event_clock_rate_hz(caller, 102, 8000));
  CHECK(w.session.set_event_clock_rate_hz(caller, 101, 0).error().code ==
        ErrorCode::invalid_argument);
  CHECK(w.session.set_event_clock_rate_hz(caller, 128, 8000).error().code ==
        ErrorCode::invalid_argument);
}

TEST_CASE("Keys in RTP M-09: the payload type says what is a key, nothing else does") {
  Watched w;
  w.key('1', 1000, true);
  REQUIRE(w.session.set_payloads(caller, {0, 96}, {96}));
  w.key('1', 5000, true);
  CHECK(w.session.stats(caller).digits == 0);
}

TEST_CASE("Policy: what is blocked is counted and ends here, and the next packet is as ordered") {
  Watched w;
  w.talk(5);
  w.session.set_policy(caller, MediaPolicy::block);
  w.talk(5);
  w.session.set_policy(caller, MediaPolicy::forward);
  w.talk(5);
  CHECK(w.session.stats(caller).packets_received == 15);
  CHECK(w.session.stats(callee).packets_sent == 10);
  CHECK(w.session.stats(caller).packets_lost == 0);
}

TEST_CASE("Sources S-01: only allowed networks are latched, and who was denied is told") {
  Watched w;
  REQUIRE(w.session.set_sources(
      caller, {{*IpNetwork::parse("192.0.2.0/24")}, {*IpNetwork::parse("192.0.2.200")}}));
  w.from_caller(w.other);
  w.from_caller(at("192.0.2.200:4000"));
  CHECK_FALSE(w.session.remote(caller));
  CHECK(w.cause() == MediaCause::source_denied);
  auto events = w.relay.take_events();
  REQUIRE(events.size() == 1);
  CHECK(events[0].refusal == MediaRefusal::denied);
  w.from_caller(w.phone);
  CHECK(w.session.remote(caller) == w.phone);
  CHECK(w.session.stats(caller).packets_refused == 2);
  // A list that came too late does not cut off who speaks, but his return.
  REQUIRE(w.session.set_sources(caller, {{}, {*IpNetwork::parse("192.0.2.1")}}));
  w.from_caller(w.phone);
  CHECK(w.session.stats(caller).packets_received == 2);
  REQUIRE(w.session.set_sources(caller, {}));
  w.wait_ms(2000);
  w.from_caller(w.other, 3);
  CHECK(w.session.remote(caller) == w.other);
}

TEST_CASE("Sources S-01: sets of any size hold beside the lists, and one of nobody for all") {
  const auto set = [](const char* range) {
    return IpSet::of({IpRange::parse(range).value()}).value();
  };
  Watched w;
  MediaSources sources;
  sources.allow_set = set("192.0.2.0/24");
  sources.deny_set = set("192.0.2.200-192.0.2.201");
  REQUIRE(w.session.set_sources(caller, sources));
  w.from_caller(at("198.51.100.77:4000"));
  w.from_caller(at("192.0.2.201:4000"));
  CHECK_FALSE(w.session.remote(caller));
  CHECK(w.cause() == MediaCause::source_denied);
  w.from_caller(w.phone);
  CHECK(w.session.remote(caller) == w.phone);
  sources = {};
  sources.allow_set = IpSet();
  CHECK_FALSE(sources.is_anybody());
  REQUIRE(w.session.set_sources(caller, sources));
  w.wait_ms(2000);
  w.from_caller(at("192.0.2.9:4000"), 3);
  CHECK(w.session.remote(caller) == w.phone);
}

TEST_CASE("Sources S-01: reports of a denied network are not passed on, on either port") {
  Watched w;
  REQUIRE(w.session.set_sources(caller, {{}, {*IpNetwork::parse("203.0.113.0/24")}}));
  w.loop.send(w.other, w.session.local_rtp(caller), receiver_report(7, 1));
  w.loop.send(w.other, w.session.local_rtcp(caller), receiver_report(7, 1));
  CHECK(w.loop.heard.empty());
  // Nor do those of the other side go there.
  w.loop.send(at("198.51.100.2:6001"), w.session.local_rtcp(callee), receiver_report(8, 1));
  REQUIRE(w.loop.heard.size() == 1);
  CHECK(w.loop.heard[0].to == at("192.0.2.1:4001"));
  w.loop.send(w.phone, w.session.local_rtp(caller), receiver_report(7, 1));
  CHECK(w.loop.heard.size() == 2);
}

TEST_CASE("Tap: both sides are copied as they came, in order; what finds no room is counted") {
  Watched w;
  auto tap = w.session.tap(4096);
  REQUIRE(tap);
  CHECK(w.session.tap().error().code == ErrorCode::already_exists);
  w.talk(2);
  w.loop.send(w.vendor, w.session.local_rtp(callee), rtp_packet(9, 9, 9));
  w.from_caller(w.other, 666);  // not accepted, so not copied
  const auto packets = tap->take();
  REQUIRE(packets.size() == 3);
  CHECK(packets[0].side == caller);
  CHECK(packets[0].bytes == rtp_packet(1, 160, 1));
  CHECK(packets[2].side == callee);
  w.talk(100);
  CHECK(tap->dropped() > 50);
  CHECK(w.relay.stats().taps_dropped == tap->dropped());
  CHECK(w.session.stats(callee).packets_sent == 102);  // the relay waited for nobody
  CHECK_FALSE(tap->is_over());
  w.session.untap();
  CHECK(tap->is_over());
  CHECK(tap->take().size() > 10);
  {
    // One that nobody has any more ends, and is none to the session.
    auto dropped = w.session.tap();
    REQUIRE(dropped);
  }
  w.talk(1);
  auto again = w.session.tap();
  REQUIRE(again);
  w.session.close();
  CHECK(again->is_over());
}

TEST_CASE("Audio tap: what both sides say is decoded where it is taken, the rest is counted") {
  Watched w;
  MediaAudio alaw, mulaw;
  alaw.codec = find_audio_codec("PCMA");
  alaw.payload_type = 8;
  mulaw.codec = find_audio_codec("PCMU");
  CHECK(AudioTap::of(w.session, {}, {}).error().code == ErrorCode::invalid_argument);
  auto tap = AudioTap::of(w.session, alaw, mulaw);
  REQUIRE(tap);
  CHECK(w.session.tap().error().code == ErrorCode::already_exists);
  const auto packet = [](std::uint8_t type, std::uint16_t sequence, std::uint32_t ssrc, char fill) {
    std::string bytes = rtp_packet(sequence, sequence * 160U, ssrc);
    bytes[1] = static_cast<char>(type);
    std::fill(bytes.begin() + 12, bytes.end(), fill);
    return bytes;
  };
  w.loop.send(w.phone, w.session.local_rtp(caller), packet(8, 1, 7, '\xAA'));
  w.loop.send(w.phone, w.session.local_rtp(caller), packet(13, 2, 7, '\0'));
  w.loop.send(w.vendor, w.session.local_rtp(callee), packet(0, 9, 5, '\0'));
  w.loop.send(w.phone, w.session.local_rtp(caller), packet(8, 3, 7, '\x2A'));
  TappedAudio audio;
  REQUIRE(tap->take(audio));
  CHECK(audio.side == caller);
  CHECK(audio.sequence == 1);
  CHECK(audio.timestamp == 160);
  CHECK(audio.ssrc == 7);
  CHECK(audio.rate_hz == 8000);
  REQUIRE_FALSE(audio.samples.empty());
  CHECK(std::abs(audio.samples[0]) == 32256);
  const int first = audio.samples[0];
  REQUIRE(tap->take(audio));
  CHECK(audio.side == callee);
  CHECK(std::abs(audio.samples[0]) == 32124);
  REQUIRE(tap->take(audio));
  CHECK(audio.sequence == 3);
  CHECK(audio.samples[0] == -first);
  CHECK_FALSE(tap->take(audio));
  CHECK(tap->skipped() == 1);
  CHECK(tap->dropped() == 0);
  w.session.close();
  CHECK(tap->is_over());
  CHECK(AudioTap().is_over());
}

TEST_CASE("Causes: the leg that is not heard has the likely reason") {
  Watched w;
  CHECK(w.cause() == MediaCause::never_sent);
  REQUIRE(w.session.set_remote(caller, at("10.1.1.1:4000")));
  CHECK(w.cause() == MediaCause::private_address);
  REQUIRE(w.session.set_remote(caller, {}));
  CHECK(w.cause() == MediaCause::not_described);
  w.loop.send(w.phone, w.session.local_rtp(caller), "not RTP");
  CHECK(w.cause() == MediaCause::malformed);
  w.talk(1);
  CHECK(w.cause() == MediaCause::none);
  w.wait_ms(10'000);
  CHECK(w.cause() == MediaCause::stopped);
}

TEST_CASE("Causes: a strict source, a blocked side and one without an other side are told apart") {
  Watched w;
  w.session.set_flags(caller, {.strict_source = true});
  w.from_caller(w.other);
  CHECK(w.cause() == MediaCause::source_refused);
  Watched blocked;
  blocked.session.set_policy(caller, MediaPolicy::block);
  blocked.talk(1);
  CHECK(blocked.cause() == MediaCause::blocked);
  Watched alone;
  REQUIRE(alone.session.set_remote(callee, {}));
  alone.talk(1);
  CHECK(alone.cause() == MediaCause::other_side_unknown);
}

TEST_CASE(
    "Causes: payload types that nobody agreed on pass, are counted, and are the cause alone") {
  Watched w;
  REQUIRE(w.session.set_payloads(caller, {8}, {}));
  w.talk(4);
  CHECK(w.session.stats(caller).packets_unnegotiated == 4);
  CHECK(w.session.stats(callee).packets_sent == 4);
  CHECK(w.cause() == MediaCause::not_negotiated);
  REQUIRE(w.session.set_payloads(caller, {0, 8}, {}));
  w.talk(1);
  CHECK(w.cause() == MediaCause::none);
}

TEST_CASE("Statistics: loss and jitter as the side reports them of what it got") {
  Watched w;
  CHECK_FALSE(w.session.reported_jitter_us(caller));
  w.loop.send(at("192.0.2.1:4001"), w.session.local_rtcp(caller), receiver_report(1, 12, 80));
  CHECK(w.session.reported_jitter_us(caller) == 10'000);
  CHECK(w.session.stats(caller).reported_lost == 12);
  CHECK(w.session.stats(caller).reported_jitter_us == 10'000);
}

TEST_CASE("Sessions: nothing of a session is left for the next one on its ports") {
  Watched w;
  auto tap = w.session.tap();
  REQUIRE(w.session.set_payloads(caller, {0, 101}, {101}));
  REQUIRE(w.session.set_sources(caller, {{}, {*IpNetwork::parse("203.0.113.9")}}));
  w.key('1', 1000, true);
  const SocketAddress port = w.session.local_rtp(caller);
  w.session.close();
  (void)w.relay.take_events();
  std::vector<MediaSession> sessions;
  bool is_found = false;
  w.wait_ms(3000);
  for (int i = 0; i < 20 && !is_found; ++i) {
    auto next = w.relay.open();
    REQUIRE(next);
    is_found = next->local_rtp(caller) == port || next->local_rtp(callee) == port;
    const MediaSide side = next->local_rtp(caller) == port ? caller : callee;
    sessions.push_back(std::move(*next));
    if (!is_found) continue;
    w.loop.send(w.other, port, key_packet(1, 1, 1, 5, 800, true));
    const auto events = w.relay.take_events();
    REQUIRE(events.size() == 1);
    CHECK(events[0].kind == MediaEvent::Kind::first_packet);
    CHECK(events[0].tag == 0);
    CHECK(events[0].side == side);
    CHECK(sessions.back().stats(side).digits == 0);
    CHECK(tap->take().size() == 1);  // of the former session
  }
  CHECK(is_found);
}

TEST_CASE("Sessions: one that outlives its relay still says what it saw") {
  std::optional<MediaSession> session;
  std::optional<MediaTap> tap;
  {
    Watched w;
    w.talk(3);
    tap.emplace(*w.session.tap());
    session.emplace(std::move(w.session));
  }
  CHECK(session->stats(caller).packets_received == 3);
  CHECK(session->stats(caller).cause == MediaCause::none);
  CHECK(session->stats(callee).cause == MediaCause::never_sent);
  session.reset();
  CHECK(tap->is_over());
}
