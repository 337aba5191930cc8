// What the media of a call makes of descriptions: payload types, keys, recordings, causes.
#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "call/media_path.hpp"
#include "media/recorder.hpp"
#include "media/relay.hpp"
#include "unit/media/fake_loop.hpp"
#include "unit/media/rtp_packet.hpp"

using namespace tandem;
using namespace tandem::media;

namespace {

constexpr MediaSide caller = MediaSide::caller;
constexpr MediaSide callee = MediaSide::callee;

SocketAddress at(const char* text) { return *SocketAddress::parse(text); }

std::string description(const std::string& ip, const std::string& media) {
  return "v=0\r\no=- 1 1 IN IP4 " + ip + "\r\ns=-\r\nc=IN IP4 " + ip + "\r\nt=0 0\r\n" + media;
}

const std::string audio = "m=audio 4000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n";

struct Path {
  FakeLoop loop;
  MediaRelay relay;
  SeededRandom random{1};
  call::MediaPath media;
  std::string shown;  // what pass() gave last

  Path() : relay(*make_loop_relay(config(), loop)), media(&relay, random) {
    media.set_tag(9);
    media.set_relayed(true, {IpAddress::Family::ipv4, IpAddress::Family::ipv4});
  }
  static MediaConfig config() {
    MediaConfig config;
    config.address = IpAddress::ipv4(203, 0, 113, 1);
    config.port_first = 30000;
    config.port_last = 30059;
    config.events_max = 64;
    return config;
  }
  /// Where the other side of `from` is told to send to.
  SocketAddress pass(MediaSide from, const std::string& sdp,
                     const call::MediaSettingsPair& settings = {}) {
    const call::SdpRole role =
        from == MediaSide::caller ? call::SdpRole::offer : call::SdpRole::answer;
    const auto passed = media.pass(from, role, {"application/sdp", sdp}, settings);
    REQUIRE(passed);
    shown = *passed;
    const std::size_t port = passed->find("m=audio ") + 8;
    return {IpAddress::ipv4(203, 0, 113, 1),
            static_cast<std::uint16_t>(std::stoi(passed->substr(port)))};
  }
};

}  // namespace

TEST_CASE("Media of a call: keys are those of the description that the sender was shown (M-09)") {
  Path p;
  (void)p.pass(caller, description("192.0.2.1", audio));
  const SocketAddress for_caller = p.pass(
      callee, description("198.51.100.2",
                          "m=audio 6000 RTP/AVP 0 96\r\na=rtpmap:96 telephone-event/8000\r\n"));
  p.loop.send(at("192.0.2.1:4000"), for_caller, key_packet(1, 100, 1, 5, 800, true, 101));
  CHECK(p.media.stats(caller).digits == 0);
  CHECK(p.media.stats(caller).cause == MediaCause::not_negotiated);
  p.loop.send(at("192.0.2.1:4000"), for_caller, key_packet(2, 2000, 1, 5, 800, true, 96));
  CHECK(p.media.stats(caller).digits == 1);
  bool has_digit = false;
  for (const MediaEvent& event : p.relay.take_events()) {
    CHECK(event.tag == 9);
    has_digit |= event.kind == MediaEvent::Kind::digit && event.digit == '5';
  }
  CHECK(has_digit);
  CHECK(p.media.is_from_described(caller));
  CHECK_FALSE(p.media.is_from_described(callee));
  CHECK(p.media.remote(caller) == at("192.0.2.1:4000"));
}

TEST_CASE("Media of a call: keys last as long as the clock of their own type says (M-09)") {
  Path p;
  const std::string opus =
      "m=audio 4000 RTP/AVP 96 101 102\r\na=rtpmap:96 opus/48000/2\r\n"
      "a=rtpmap:101 telephone-event/8000\r\na=rtpmap:102 telephone-event/48000\r\n";
  (void)p.pass(caller, description("192.0.2.1", opus));
  const SocketAddress for_caller = p.pass(callee, description("198.51.100.2", opus));
  p.loop.send(at("192.0.2.1:4000"), for_caller, key_packet(1, 100, 1, 5, 800, true, 101));
  p.loop.send(at("192.0.2.1:4000"), for_caller, key_packet(2, 90000, 1, 5, 4800, true, 102));
  std::size_t digits = 0;
  for (const MediaEvent& event : p.relay.take_events()) {
    if (event.kind != MediaEvent::Kind::digit) continue;
    ++digits;
    CHECK(event.duration_ms == 100);
  }
  CHECK(digits == 2);
}

TEST_CASE("Media of a call: G.729 and its keys have the numbers of their side (M-08, M-09)") {
  Path p;
  call::MediaSettingsPair settings;
  settings[1].description.g729_mode = G729Mode::both;
  settings[1].description.events_type = 101;
  const std::string ours = "m=audio 4000 RTP/AVP 18 96\r\na=rtpmap:96 telephone-event/8000\r\n";
  const std::string theirs =
      "m=audio 6000 RTP/AVP 97 101\r\na=rtpmap:97 G729A/8000\r\n"
      "a=rtpmap:101 telephone-event/8000\r\n";
  const SocketAddress for_callee = p.pass(caller, description("192.0.2.1", ours), settings);
  CHECK(p.shown.find("RTP/AVP 18 101 97\r\n") != std::string::npos);
  const SocketAddress for_caller = p.pass(callee, description("198.51.100.2", theirs), settings);
  CHECK(p.shown.find("RTP/AVP 18 96\r\n") != std::string::npos);
  CHECK(p.media.codecs().negotiated == "G729");
  const auto voice = [](std::uint8_t type, std::uint16_t sequence) {
    std::string packet = rtp_packet(sequence, sequence * 160U, 1, 20);
    packet[1] = static_cast<char>(type);
    return packet;
  };
  p.loop.send(at("192.0.2.1:4000"), for_caller, voice(18, 1));
  p.loop.send(at("192.0.2.1:4000"), for_caller, key_packet(2, 2000, 1, 5, 800, true, 96));
  p.loop.send(at("198.51.100.2:6000"), for_callee, voice(97, 1));
  p.loop.send(at("198.51.100.2:6000"), for_callee, key_packet(2, 2000, 1, 6, 800, true, 101));
  REQUIRE(p.loop.heard.size() == 4);
  const std::uint8_t types[] = {97, 101, 18, 96};
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK((p.loop.heard[i].bytes[1] & 0x7F) == types[i]);
    CHECK(p.loop.heard[i].to == at(i < 2 ? "198.51.100.2:6000" : "192.0.2.1:4000"));
  }
  CHECK(p.loop.heard[0].bytes.substr(2) == voice(18, 1).substr(2));
  CHECK(p.loop.heard[1].bytes.substr(12) == key_packet(2, 2000, 1, 5, 800, true, 96).substr(12));
  for (const MediaSide side : {caller, callee}) {
    CHECK(p.media.stats(side).digits == 1);
    CHECK(p.media.stats(side).packets_unnegotiated == 0);
  }
}

TEST_CASE("Media of a call: encrypted streams show no keys") {
  Path p;
  const std::string secured =
      "m=audio 6000 RTP/SAVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"
      "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\n";
  (void)p.pass(caller, description("192.0.2.1", secured));
  const SocketAddress for_caller = p.pass(callee, description("198.51.100.2", secured));
  p.loop.send(at("192.0.2.1:4000"), for_caller, key_packet(1, 100, 1, 5, 800, true));
  CHECK(p.media.stats(caller).digits == 0);
  CHECK(p.media.stats(caller).packets_unnegotiated == 0);
}

TEST_CASE("Media of a call: the cause is that of the audio, and there is none on hold") {
  Path p;
  (void)p.pass(caller, description("10.1.1.1", audio + "m=video 4002 RTP/AVP 96\r\n"));
  (void)p.pass(callee, description("198.51.100.2", audio + "m=video 6002 RTP/AVP 96\r\n"));
  CHECK(p.media.stats(caller).cause == MediaCause::private_address);
  CHECK(p.media.stats(callee).cause == MediaCause::never_sent);
  CHECK(p.media.stats(callee).signalled == "198.51.100.2:4000");
  (void)p.pass(caller, description("10.1.1.1", audio + "a=sendonly\r\nm=video 0 RTP/AVP 96\r\n"));
  CHECK(p.media.on_hold());
  CHECK(p.media.stats(callee).cause == MediaCause::none);
}

TEST_CASE("Media of a call: the first audio stream is recorded, and none without audio (M-15)") {
  std::string folder = (std::filesystem::temp_directory_path() / "tandem-path-XXXXXX").string();
  REQUIRE(::mkdtemp(folder.data()) != nullptr);
  {
    Path p;
    RecorderConfig config;
    config.folder = folder;
    config.free_bytes_min = 0;
    auto recorder = make_loop_recorder(config, p.loop);
    REQUIRE(recorder);
    CHECK(p.media.record(*recorder, "one").error().code == ErrorCode::not_found);
    (void)p.pass(caller, description("192.0.2.1", audio));
    const SocketAddress for_caller = p.pass(callee, description("198.51.100.2", audio));
    CHECK_FALSE(p.media.is_recorded());
    REQUIRE(p.media.record(*recorder, "one"));
    CHECK(p.media.is_recorded());
    CHECK(p.media.recording().empty());
    p.loop.send(at("192.0.2.1:4000"), for_caller, rtp_packet(1, 160, 1));
    p.loop.advance_us(200'000);
    p.loop.timers().advance(p.loop.clock().monotonic_us());
    CHECK(p.media.recording() == "one.wav");
    p.media.stop_recording();
    p.media.close();
    CHECK(p.media.recording().empty());
    CHECK(p.media.recordings() == "one.wav");  // for the record of the call
  }
  CHECK(std::filesystem::file_size(folder + "/one.wav") == 44 + 4 * 160);
  std::filesystem::remove_all(folder);
}

TEST_CASE("Media of a call: what is recorded is decoded by what each side was shown (M-15)") {
  const auto opus = find_audio_codec("opus");
  if (opus == nullptr) {
    MESSAGE("not built: opus");
    return;
  }
  std::string folder = (std::filesystem::temp_directory_path() / "tandem-path-XXXXXX").string();
  REQUIRE(::mkdtemp(folder.data()) != nullptr);
  {
    Path p;
    RecorderConfig config;
    config.folder = folder;
    config.free_bytes_min = 0;
    MediaRecorder recorder = *make_loop_recorder(config, p.loop);
    const std::string stream = "m=audio 4000 RTP/AVP 96\r\na=rtpmap:96 opus/48000/2\r\n";
    const std::string other =  // the same codec by another number (RFC 3264 section 5.1)
        "m=audio 6000 RTP/AVP 111\r\na=rtpmap:111 opus/48000/2\r\n";
    const SocketAddress for_callee = p.pass(caller, description("192.0.2.1", stream));
    const SocketAddress for_caller = p.pass(callee, description("198.51.100.2", other));
    REQUIRE(p.media.record(recorder, "one"));
    const auto encoder = opus->make_encoder();
    const std::vector<std::int16_t> silence(opus->facts().sample_rate_hz / 50);
    std::vector<std::uint8_t> payload(1500);
    payload.resize(encoder->encode(silence, payload));
    const auto say = [&](const char* from, const SocketAddress& to, std::uint8_t type) {
      std::string packet = rtp_packet(1, 960, 1, 0);
      packet[1] = static_cast<char>(type);
      p.loop.send(at(from), to, packet.append(payload.begin(), payload.end()));
      p.loop.advance_us(200'000);
      p.loop.timers().advance(p.loop.clock().monotonic_us());
    };
    say("192.0.2.1:4000", for_caller, 111);
    say("198.51.100.2:6000", for_callee, 96);
    CHECK(recorder.stats().packets_skipped == 0);
    CHECK(p.media.recording() == "one.wav");
    say("198.51.100.2:6000", for_callee, 97);
    CHECK(recorder.stats().packets_skipped == 1);
  }
  std::filesystem::remove_all(folder);
}

TEST_CASE("Media of a call: what is encrypted end to end is not recorded, what is plain again is") {
  std::string folder = (std::filesystem::temp_directory_path() / "tandem-path-XXXXXX").string();
  REQUIRE(::mkdtemp(folder.data()) != nullptr);
  {
    const std::string key =
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 "
        "inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj\r\n";
    const std::string secret = "m=audio 4000 RTP/SAVP 0\r\n" + key;
    Path p;
    RecorderConfig config;
    config.folder = folder;
    config.free_bytes_min = 0;
    auto recorder = make_loop_recorder(config, p.loop);
    REQUIRE(recorder);
    const auto agree = [&](const std::string& offer, const std::string& answer) {
      (void)p.pass(caller, description("192.0.2.1", offer));
      return p.pass(callee, description("198.51.100.2", answer));
    };
    std::uint16_t sequence = 0;
    const auto say = [&](const SocketAddress& to) {
      ++sequence;
      p.loop.send(at("192.0.2.1:4000"), to, rtp_packet(sequence, sequence * 160U, 1));
      p.loop.advance_us(200'000);
      p.loop.timers().advance(p.loop.clock().monotonic_us());
    };
    (void)agree(secret, secret);
    CHECK(p.media.record(*recorder, "one").error().code == ErrorCode::unsupported);
    // An offer to encrypt that the other side did not take.
    say(agree(audio + key, audio));
    REQUIRE(p.media.record(*recorder, "one"));
    const SocketAddress for_caller = agree(audio, audio);
    say(for_caller);
    CHECK(p.media.recording() == "one.wav");
    (void)agree(secret, secret);
    CHECK_FALSE(p.media.is_recorded());
    say(for_caller);
    CHECK(p.media.recording().empty());
    say(agree(audio, audio));
    CHECK(p.media.is_recorded());
    CHECK(p.media.recording() == "one-2.wav");
    // Another stream takes the place of that one.
    p.media.set_relayed(true, {IpAddress::Family::ipv4, IpAddress::Family::ipv6});
    CHECK_FALSE(p.media.is_recorded());
    p.media.stop_recording();
    p.media.close();
    CHECK(p.media.recordings() == "one.wav,one-2.wav");
  }
  std::filesystem::remove_all(folder);
}

TEST_CASE("Media of a call: a call has so many recordings at most, and goes on behind its stream") {
  std::string folder = (std::filesystem::temp_directory_path() / "tandem-path-XXXXXX").string();
  REQUIRE(::mkdtemp(folder.data()) != nullptr);
  {
    Path p;
    RecorderConfig config;
    config.folder = folder;
    config.free_bytes_min = 0;
    auto recorder = make_loop_recorder(config, p.loop);
    REQUIRE(recorder);
    (void)p.pass(caller, description("192.0.2.1", audio));
    SocketAddress for_caller = p.pass(callee, description("198.51.100.2", audio));
    std::uint16_t sequence = 0;
    const auto say = [&] {
      ++sequence;
      p.loop.send(at("192.0.2.1:4000"), for_caller, rtp_packet(sequence, sequence * 160U, 1));
      p.loop.advance_us(200'000);
      p.loop.timers().advance(p.loop.clock().monotonic_us());
    };
    REQUIRE(p.media.record(*recorder, "one"));
    say();
    p.media.close();  // and another one is opened
    p.media.set_relayed(true, {IpAddress::Family::ipv4, IpAddress::Family::ipv4});
    (void)p.pass(caller, description("192.0.2.1", audio));
    for_caller = p.pass(callee, description("198.51.100.2", audio));
    CHECK(p.media.is_recorded());
    say();
    CHECK(p.media.recordings() == "one.wav,one-2.wav");
    for (std::size_t i = 3; i <= call::MediaPath::recordings_max; ++i) {
      p.media.stop_recording();
      REQUIRE(p.media.record(*recorder, "one"));
      say();
    }
    p.media.stop_recording();
    CHECK(p.media.record(*recorder, "one").error().code == ErrorCode::limit);
    p.media.close();
  }
  std::filesystem::remove_all(folder);
}
