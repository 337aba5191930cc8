// Audio of a session in codecs of other rates and clocks, and what is lost and late on the way
// (M-07, M-16). Needs no library: the codecs are the test's own. Those of libraries are tried where
// they are.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numbers>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "base/g711.hpp"
#include "media/relay.hpp"
#include "media/telephone_event.hpp"
#include "unit/media/fake_loop.hpp"
#include "unit/media/rtp_packet.hpp"

using namespace tandem;
using namespace tandem::media;

namespace {

constexpr MediaSide caller = MediaSide::caller;
constexpr MediaSide callee = MediaSide::callee;
constexpr std::uint8_t pcma = 8, wide_type = 96;

/// Samples as they are, low byte first, at any rate; it counts what it was given out of order.
class Wide final : public AudioCodec {
 public:
  Wide(std::uint32_t clock_rate_hz, std::uint32_t sample_rate_hz, unsigned frame_ms) {
    facts_.name = "L16";
    facts_.clock_rate_hz = clock_rate_hz;
    facts_.sample_rate_hz = sample_rate_hz;
    facts_.frame_ms = frame_ms;
    facts_.keeps_state = true;
  }
  [[nodiscard]] const AudioCodecFacts& facts() const noexcept override { return facts_; }
  [[nodiscard]] std::unique_ptr<AudioDecoder> make_decoder() const override {
    return std::make_unique<Decoder>();
  }
  [[nodiscard]] std::unique_ptr<AudioEncoder> make_encoder() const override {
    return std::make_unique<Encoder>(facts_.sample_rate_hz / 1000 * facts_.frame_ms);
  }

  static constexpr std::int16_t concealed = 7777;

 private:
  struct Decoder final : AudioDecoder {
    std::size_t decode(std::span<const std::uint8_t> payload,
                       std::span<std::int16_t> samples) noexcept override {
      const std::size_t count = std::min(payload.size() / 2, samples.size());
      for (std::size_t i = 0; i < count; ++i)
        samples[i] = static_cast<std::int16_t>(payload[2 * i] | payload[2 * i + 1] << 8);
      return count;
    }
    std::size_t conceal(std::span<const std::uint8_t>,
                        std::span<std::int16_t> samples) noexcept override {
      std::fill(samples.begin(), samples.end(), concealed);
      return samples.size();
    }
  };
  struct Encoder final : AudioEncoder {
    explicit Encoder(std::size_t samples) : frame(samples) {}
    std::size_t encode(std::span<const std::int16_t> samples,
                       std::span<std::uint8_t> payload) noexcept override {
      // Frames that are not whole would be the bridge's mistake.
      if (samples.size() % frame != 0 || payload.size() < 2 * samples.size()) return 0;
      for (std::size_t i = 0; i < samples.size(); ++i) {
        payload[2 * i] = static_cast<std::uint8_t>(samples[i]);
        payload[2 * i + 1] = static_cast<std::uint8_t>(samples[i] >> 8);
      }
      return 2 * samples.size();
    }
    const std::size_t frame;
  };
  AudioCodecFacts facts_;
};

MediaAudio of(std::shared_ptr<const AudioCodec> codec, std::uint8_t type, int events = -1) {
  MediaAudio audio;
  audio.codec = std::move(codec);
  audio.payload_type = type;
  audio.events_type = events;
  return audio;
}

struct Packet {
  RtpHeader header;
  std::string payload;
  std::int64_t at_us;
};

struct Bench {
  FakeLoop loop;
  Result<MediaRelay> relay;
  MediaSession session;
  const SocketAddress phone = *SocketAddress::parse("192.0.2.1:4000");
  const SocketAddress vendor = *SocketAddress::parse("198.51.100.2:6000");

  explicit Bench(unsigned jitter_min_ms = 40, unsigned jitter_max_ms = 200)
      : relay([&] {
          MediaConfig config;
          config.address = IpAddress::ipv4(10, 0, 0, 1);
          config.port_first = 30000;
          config.port_last = 30019;
          config.events_max = 64;
          config.jitter_min_ms = jitter_min_ms;
          config.jitter_max_ms = jitter_max_ms;
          return make_loop_relay(config, loop);
        }()) {
    REQUIRE(relay);
    session = relay->open().value();
    REQUIRE(session.set_remote(caller, phone));
    REQUIRE(session.set_remote(callee, vendor));
  }
  void from_caller(std::uint8_t type, std::uint16_t sequence, std::uint32_t timestamp,
                   const std::string& payload) {
    std::string bytes = rtp_packet(sequence, timestamp, 7, 0) + payload;
    bytes[1] = static_cast<char>(type);
    loop.send(phone, session.local_rtp(caller), bytes);
  }
  void run_ms(std::int64_t ms) {
    for (; ms > 0; --ms) {
      loop.advance_us(1000);
      loop.timers().advance(loop.clock().monotonic_us());
    }
  }
  std::vector<Packet> heard_by(const SocketAddress& party) {
    std::vector<Packet> packets;
    for (const FakeLoop::Heard& one : loop.heard) {
      if (one.to != party) continue;
      const auto header = parse_rtp(one.bytes);
      REQUIRE(header);
      packets.push_back({*header, one.bytes.substr(header->payload_offset), one.at_us});
    }
    return packets;
  }
};

std::int16_t tone(double hz, std::size_t i, std::uint32_t rate_hz) {
  return static_cast<std::int16_t>(
      10000 * std::sin(2 * std::numbers::pi * hz * static_cast<double>(i) / rate_hz));
}

std::string wide_payload(double hz, std::size_t first, std::size_t count, std::uint32_t rate_hz) {
  std::string bytes;
  for (std::size_t i = 0; i < count; ++i) {
    const auto sample = static_cast<std::uint16_t>(tone(hz, first + i, rate_hz));
    bytes.push_back(static_cast<char>(sample));
    bytes.push_back(static_cast<char>(sample >> 8));
  }
  return bytes;
}

std::string alaw_payload(double hz, std::size_t first, std::size_t count) {
  std::string codes;
  for (std::size_t i = 0; i < count; ++i)
    codes.push_back(static_cast<char>(alaw_of_sample(tone(hz, first + i, 8000))));
  return codes;
}

void append_alaw(std::vector<std::int16_t>& samples, const std::string& payload) {
  for (const char code : payload)
    samples.push_back(alaw_samples[static_cast<std::uint8_t>(code)]);
}

/// Share of the power at `hz`, the first fifth left out.
double purity(const std::vector<std::int16_t>& samples, double hz, std::uint32_t rate_hz) {
  double re = 0, im = 0, all = 1;
  const std::size_t first = samples.size() / 5;
  for (std::size_t i = first; i < samples.size(); ++i) {
    const double at = 2 * std::numbers::pi * hz * static_cast<double>(i) / rate_hz;
    re += samples[i] * std::cos(at);
    im += samples[i] * std::sin(at);
    all += static_cast<double>(samples[i]) * samples[i];
  }
  return 2 * (re * re + im * im) / static_cast<double>(samples.size() - first) / all;
}

}  // namespace

TEST_CASE(
    "Audio M-07: a clock of 48,000 Hz becomes one of 8,000, over the end of its timestamps too") {
  Bench b(0, 0);
  REQUIRE(b.session.set_audio(of(std::make_shared<Wide>(48000, 48000, 1), wide_type),
                              of(find_audio_codec("PCMA"), pcma)));
  constexpr int packets = 50;
  const std::uint32_t begin = 0U - 20 * 960;
  for (std::uint16_t n = 0; n < packets; ++n) {
    b.from_caller(wide_type, n, begin + n * 960U, wide_payload(1000, n * 960U, 960, 48000));
    b.run_ms(20);
  }
  const auto heard = b.heard_by(b.vendor);
  REQUIRE(heard.size() == packets);
  std::vector<std::int16_t> samples;
  for (std::size_t n = 0; n < heard.size(); ++n) {
    CHECK(heard[n].header.payload_type == pcma);
    CHECK(heard[n].header.sequence == n);
    CHECK(heard[n].header.timestamp == begin / 6 + 160 * n);
    CHECK(heard[n].payload.size() == 160);
    append_alaw(samples, heard[n].payload);
  }
  CHECK(purity(samples, 1000, 8000) > 0.99);
}

TEST_CASE(
    "Audio M-07: packets of 25 ms become whole frames of 10 ms of a codec that has no others") {
  Bench b(0, 0);
  REQUIRE(b.session.set_audio(of(find_audio_codec("PCMA"), pcma),
                              of(std::make_shared<Wide>(48000, 16000, 10), wide_type)));
  for (std::uint16_t n = 0; n < 8; ++n)
    b.from_caller(pcma, n, n * 200U, alaw_payload(700, n * 200U, 200));
  const auto heard = b.heard_by(b.vendor);
  REQUIRE(heard.size() == 10);  // 200 ms
  for (std::size_t n = 0; n < heard.size(); ++n) {
    CHECK(heard[n].payload.size() == 640);
    CHECK(heard[n].header.timestamp == 960 * n);
    if (n > 0) CHECK(heard[n].header.sequence == heard[n - 1].header.sequence + 1);
  }
}

TEST_CASE("Audio M-16: packets of a codec with state come out in order, the lost ones concealed") {
  Bench b(40, 200);
  REQUIRE(b.session.set_audio(of(std::make_shared<Wide>(16000, 16000, 1), wide_type),
                              of(find_audio_codec("PCMA"), pcma)));
  const auto send = [&b](std::uint16_t n) {
    b.from_caller(wide_type, n, n * 320U, wide_payload(1000, n * 320U, 320, 16000));
  };
  send(0);
  CHECK(b.heard_by(b.vendor).empty());
  b.run_ms(20);
  send(2);
  b.run_ms(10);
  send(1);
  b.run_ms(30);
  send(3);
  b.run_ms(20);
  // The fourth is lost.
  b.run_ms(20);
  send(5);
  b.run_ms(200);
  send(4);
  b.run_ms(10);
  const auto heard = b.heard_by(b.vendor);
  REQUIRE(heard.size() == 6);
  for (std::size_t n = 0; n < heard.size(); ++n) {
    CHECK(heard[n].header.sequence == n);
    CHECK(heard[n].header.timestamp == 160 * n);
    // Each at its own time, and a turn of the relay later at most.
    const std::int64_t due_us = heard[0].at_us + static_cast<std::int64_t>(n) * 20'000;
    CHECK(heard[n].at_us >= due_us - 5'000);
    CHECK(heard[n].at_us <= due_us + 5'000);
  }
  const auto middle = alaw_samples[static_cast<std::uint8_t>(heard[4].payload[120])];
  CHECK(std::abs(middle - Wide::concealed) < 400);
  const MediaSideStats stats = b.session.stats(caller);
  CHECK(stats.jitter_lost == 1);
  CHECK(stats.jitter_late == 1);
  CHECK(stats.jitter_depth_ms >= 40);
  CHECK(b.session.stats(callee).jitter_depth_ms == 0);
  CHECK(b.session.stats(callee).packets_sent == 6);
}

TEST_CASE("Audio M-16: nothing waits between codecs without state, nor where the bound is 0") {
  Bench b;
  REQUIRE(b.session.set_audio(of(find_audio_codec("PCMA"), pcma), of(find_audio_codec("PCMU"), 0)));
  b.from_caller(pcma, 1, 160, alaw_payload(700, 0, 160));
  CHECK(b.heard_by(b.vendor).size() == 1);
  CHECK(b.session.stats(caller).jitter_depth_ms == 0);
  Bench none(0, 0);
  REQUIRE(none.session.set_audio(of(std::make_shared<Wide>(16000, 16000, 1), wide_type),
                                 of(find_audio_codec("PCMA"), pcma)));
  none.from_caller(wide_type, 1, 320, wide_payload(700, 0, 320, 16000));
  CHECK(none.heard_by(none.vendor).size() == 1);
}

TEST_CASE(
    "Audio M-16: another stream begins behind what waited of the former; an end sends nothing") {
  Bench b(40, 200);
  REQUIRE(b.session.set_audio(of(std::make_shared<Wide>(16000, 16000, 1), wide_type),
                              of(find_audio_codec("PCMA"), pcma)));
  const std::string payload = wide_payload(700, 0, 320, 16000);
  b.from_caller(wide_type, 1, 320, payload);
  std::string other = rtp_packet(900, 77777, 8, 0) + payload;
  other[1] = static_cast<char>(wide_type);
  b.loop.send(b.phone, b.session.local_rtp(caller), other);
  REQUIRE(b.heard_by(b.vendor).size() == 1);
  CHECK(b.heard_by(b.vendor)[0].header.ssrc == 7);
  b.run_ms(45);
  REQUIRE(b.heard_by(b.vendor).size() == 2);
  CHECK(b.heard_by(b.vendor)[1].header.ssrc == 8);
  b.loop.send(b.phone, b.session.local_rtp(caller), [&] {
    std::string next = rtp_packet(901, 77777 + 320, 8, 0) + payload;
    next[1] = static_cast<char>(wide_type);
    return next;
  }());
  b.session.clear_audio();
  b.run_ms(200);
  CHECK(b.heard_by(b.vendor).size() == 2);
}

TEST_CASE("Audio M-13: a clip is played at 16,000 Hz to who has that, a key as tones too") {
  Bench b(0, 0);
  MediaAudio wide = of(std::make_shared<Wide>(48000, 16000, 20), wide_type);
  wide.keys = MediaKeys::tones;
  REQUIRE(b.session.set_audio(wide, of(find_audio_codec("PCMA"), pcma)));
  std::vector<std::int16_t> samples(8000);
  for (std::size_t i = 0; i < samples.size(); ++i)
    samples[i] = tone(440, i, 8000);
  REQUIRE(b.session.play(caller, AudioClip::of(samples).value(), {}));
  b.run_ms(1100);
  const auto heard = b.heard_by(b.phone);
  REQUIRE(heard.size() == 50);
  std::vector<std::int16_t> played;
  for (std::size_t n = 0; n < heard.size(); ++n) {
    REQUIRE(heard[n].payload.size() == 640);
    if (n > 0) CHECK(heard[n].header.timestamp - heard[n - 1].header.timestamp == 960);
    for (std::size_t i = 0; i < 640; i += 2)
      played.push_back(
          static_cast<std::int16_t>(static_cast<std::uint8_t>(heard[n].payload[i]) |
                                    static_cast<std::uint8_t>(heard[n].payload[i + 1]) << 8));
  }
  CHECK(purity(played, 440, 16000) > 0.99);
  REQUIRE(b.session.press_key(caller, '5', 100));
  b.run_ms(300);
  CHECK(b.heard_by(b.phone).size() > 54);
}

TEST_CASE("Audio M-09: a tone at 16,000 Hz is the key that it is at 8,000") {
  Bench b(0, 0);
  MediaAudio wide = of(std::make_shared<Wide>(16000, 16000, 1), wide_type);
  wide.hears_tones = true;
  REQUIRE(b.session.set_audio(wide, of(find_audio_codec("PCMA"), pcma, 101)));
  for (std::uint16_t n = 0; n < 20; ++n) {
    std::string payload;
    for (std::size_t i = 0; i < 320; ++i) {
      const std::size_t at = n * 320U + i;
      const int sum = n < 8 ? tone(770, at, 16000) / 2 + tone(1336, at, 16000) / 2 : 0;
      payload.push_back(static_cast<char>(sum));
      payload.push_back(static_cast<char>(sum >> 8));
    }
    b.from_caller(wide_type, n, n * 320U, payload);
    b.run_ms(20);
  }
  b.run_ms(400);
  CHECK(b.session.stats(caller).digits == 1);
  const auto heard = b.heard_by(b.vendor);
  CHECK(std::any_of(heard.begin(), heard.end(), [](const Packet& one) {
    return one.header.payload_type == 101 && one.payload[0] == 5;
  }));
}

TEST_CASE("Audio M-07: a second of a tone between A-law and each codec of a library, with loss") {
  for (const auto& [name, type, units] :
       {std::tuple{"G722", std::uint8_t{9}, 160U}, {"opus", std::uint8_t{111}, 960U}}) {
    CAPTURE(name);
    const auto codec = find_audio_codec(name);
    if (codec == nullptr) {
      MESSAGE("not built: ", name);
      continue;
    }
    // To it, and what came of that back from another session, every tenth packet lost.
    Bench out(20, 100), back(20, 100);
    MediaAudio wire = of(codec, type);
    wire.fmtp = "useinbandfec=1";
    REQUIRE(out.session.set_audio(of(find_audio_codec("PCMA"), pcma), wire));
    REQUIRE(back.session.set_audio(wire, of(find_audio_codec("PCMA"), pcma)));
    for (std::uint16_t n = 0; n < 60; ++n) {
      out.from_caller(pcma, n, n * 160U, alaw_payload(700, n * 160U, 160));
      out.run_ms(20);
    }
    out.run_ms(200);
    const auto coded = out.heard_by(out.vendor);
    REQUIRE(coded.size() == 60);
    int lost = 0;
    for (std::size_t n = 0; n < coded.size(); ++n) {
      CHECK(coded[n].header.payload_type == type);
      CHECK(coded[n].header.timestamp == units * n);
      if (n % 10 == 5) {
        ++lost;
      } else {
        back.from_caller(type, coded[n].header.sequence, coded[n].header.timestamp,
                         coded[n].payload);
      }
      back.run_ms(20);
    }
    back.run_ms(200);
    const auto heard = back.heard_by(back.vendor);
    REQUIRE(heard.size() == 60);
    std::vector<std::int16_t> samples;
    for (const Packet& one : heard)
      append_alaw(samples, one.payload);
    CHECK(samples.size() == 60 * 160);
    CHECK(purity(samples, 700, 8000) > 0.8);
    CHECK(back.session.stats(caller).jitter_lost == static_cast<unsigned>(lost));
    CHECK(back.session.stats(caller).jitter_late == 0);
  }
}

namespace {

struct HeardEvent {
  std::uint16_t sequence;
  std::uint32_t timestamp;
  std::uint16_t duration;
  bool is_end;
  bool operator==(const HeardEvent&) const = default;
};

constexpr std::uint8_t wide_events = 110, narrow_events = 101;

/// A phone whose codec and events have 48,000 Hz, a vendor of 8,000 Hz.
struct TwoClocks : Bench {
  TwoClocks() : Bench(0, 0) {
    MediaAudio wide = of(std::make_shared<Wide>(48000, 48000, 1), wide_type, wide_events);
    wide.events_clock_rate_hz = 48000;
    REQUIRE(session.set_audio(wide, of(find_audio_codec("PCMA"), pcma, narrow_events)));
  }
  void phone_presses(std::uint16_t sequence, std::uint32_t timestamp, std::uint16_t duration,
                     bool is_end) {
    loop.send(phone, session.local_rtp(caller),
              key_packet(sequence, timestamp, 7, 5, duration, is_end, wide_events));
  }
  void from_callee_alaw() {
    std::string bytes = rtp_packet(1, 160, 9);
    bytes[1] = static_cast<char>(pcma);
    loop.send(vendor, session.local_rtp(callee), bytes);
  }
  void vendor_presses(std::uint16_t sequence, std::uint32_t timestamp, std::uint16_t duration,
                      bool is_end) {
    loop.send(vendor, session.local_rtp(callee),
              key_packet(sequence, timestamp, 9, 5, duration, is_end, narrow_events));
  }
  std::vector<HeardEvent> events_of(const SocketAddress& party, std::uint8_t type) {
    std::vector<HeardEvent> events;
    for (const Packet& packet : heard_by(party)) {
      if (packet.header.payload_type != type) continue;
      const auto event = parse_telephone_event(packet.payload);
      REQUIRE(event);
      CHECK(event->event == 5);
      events.push_back(
          {packet.header.sequence, packet.header.timestamp, event->duration, event->is_end});
    }
    return events;
  }
};

}  // namespace

TEST_CASE("Audio M-09: keys by the clock of the codec become keys by that of the other side") {
  TwoClocks b;
  b.from_caller(wide_type, 1, 960, wide_payload(500, 0, 960, 48000));
  b.phone_presses(2, 1920, 960, false);
  b.phone_presses(3, 1920, 1920, false);
  for (std::uint16_t copy = 0; copy < 3; ++copy)
    b.phone_presses(static_cast<std::uint16_t>(4 + copy), 1920, 4800, true);
  b.from_caller(wide_type, 7, 6720, wide_payload(500, 0, 960, 48000));
  b.phone_presses(8, 7683, 4800, true);  // between two samples of the other side
  b.from_caller(wide_type, 9, 13'440, wide_payload(500, 0, 960, 48000));
  b.phone_presses(10, 7683, 4800, true);
  std::vector<HeardEvent> heard = b.events_of(b.vendor, narrow_events);
  REQUIRE(heard.size() == 7);
  CHECK(heard[5] == HeardEvent{8, 1280, 800, true});
  CHECK(heard[6] == HeardEvent{10, 1280, 800, true});
  heard.resize(5);
  CHECK(heard == std::vector<HeardEvent>{{2, 320, 160, false},
                                         {3, 320, 320, false},
                                         {4, 320, 800, true},
                                         {5, 320, 800, true},
                                         {6, 320, 800, true}});
  const std::vector<Packet> all = b.heard_by(b.vendor);
  REQUIRE(all.size() == 10);
  CHECK(all[6].header.sequence == 7);
  CHECK(all[6].header.timestamp == 1120);
  b.vendor_presses(10, 800, 160, false);
  b.vendor_presses(11, 800, 800, true);
  CHECK(b.events_of(b.phone, wide_events) ==
        std::vector<HeardEvent>{{10, 4800, 960, false}, {11, 4800, 4800, true}});
}

TEST_CASE("Audio M-09: a key that its field cannot hold by the other clock goes on in a segment") {
  TwoClocks b;
  b.vendor_presses(10, 800, 10'880, false);
  b.vendor_presses(11, 800, 11'040, false);
  b.vendor_presses(12, 800, 12'000, true);
  const std::vector<HeardEvent> heard = b.events_of(b.phone, wide_events);
  CHECK(heard == std::vector<HeardEvent>{{10, 4800, 65'280, false},
                                         {11, 4800, 65'535, false},
                                         {12, 4800 + 65'535, 705, false},
                                         {13, 4800 + 65'535, 6465, true}});
  KeyDetector detector;
  bool is_new = false;
  std::optional<PressedKey> lost, pressed;
  for (const HeardEvent& one : heard)
    pressed = detector.take({5, one.is_end, 10, one.duration}, one.timestamp, 9, 1, is_new, lost);
  REQUIRE(pressed);
  CHECK(pressed->duration == 72'000);
  CHECK_FALSE(lost);
}

TEST_CASE("Audio M-09: segments of a key are one key where its field holds it by the other clock") {
  TwoClocks b;
  b.phone_presses(1, 4800, 0xFFFF, false);
  b.phone_presses(2, 4800 + 0xFFFF, 961, false);
  b.phone_presses(3, 4800, 0xFFFF, false);  // overtaken
  b.phone_presses(4, 4800 + 0xFFFF, 1921, true);
  CHECK(b.events_of(b.vendor, narrow_events) == std::vector<HeardEvent>{{1, 800, 10'922, false},
                                                                        {2, 800, 11'082, false},
                                                                        {3, 800, 11'242, true}});
}

TEST_CASE("Audio M-09: a key that is asked for lasts by the clock of the side's events") {
  TwoClocks b;
  b.from_callee_alaw();
  REQUIRE(b.session.press_key(caller, '5', 1500));
  b.run_ms(1700);
  const std::vector<HeardEvent> heard = b.events_of(b.phone, wide_events);
  REQUIRE(heard.size() == 78);  // 75 of 20 ms, two copies of the end, one that ends a segment
  CHECK(heard[0].duration == 960);
  CHECK(heard[67].duration == 65'280);
  CHECK(heard[68].duration == 65'535);
  CHECK(heard[69].duration == 66'240 - 65'535);
  CHECK(heard[69].timestamp == heard[0].timestamp + 65'535);
  CHECK(heard[77].duration == 72'000 - 65'535);
  CHECK(heard[77].is_end);
}
