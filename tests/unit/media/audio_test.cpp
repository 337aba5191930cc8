// What a relay makes of the audio of a session: another codec, other packets, keys in another form,
// clips that are played (M-07, M-09, M-10, M-12 .. M-14).
#include <doctest/doctest.h>

#include <cmath>
#include <numbers>
#include <string>
#include <vector>

#include "base/g711.hpp"
#include "media/dtmf_tone.hpp"
#include "media/relay.hpp"
#include "unit/media/fake_loop.hpp"
#include "unit/media/rtp_packet.hpp"

using namespace tandem;
using namespace tandem::media;

namespace {

constexpr MediaSide caller = MediaSide::caller;
constexpr MediaSide callee = MediaSide::callee;
constexpr std::uint8_t pcmu = 0, pcma = 8;

MediaAudio audio(const char* codec, std::uint8_t type, int events = -1) {
  MediaAudio made;
  made.codec = find_audio_codec(codec);
  made.payload_type = type;
  made.events_type = events;
  return made;
}

std::string typed(std::string packet, std::uint8_t type) {
  packet[1] = static_cast<char>(type);
  return packet;
}

struct Packet {
  RtpHeader header;
  std::string payload;
  std::int64_t at_us;
  bool is_marked;
};

/// A session of two parties on a loop of the test's.
struct Bench {
  FakeLoop loop;
  Result<MediaRelay> relay;
  MediaSession session;
  const SocketAddress phone = *SocketAddress::parse("192.0.2.1:4000");
  const SocketAddress vendor = *SocketAddress::parse("198.51.100.2:6000");

  Bench()
      : relay([this] {
          MediaConfig config;
          config.address = IpAddress::ipv4(10, 0, 0, 1);
          config.port_first = 30000;
          config.port_last = 30019;
          config.events_max = 64;
          return make_loop_relay(config, loop);
        }()) {
    REQUIRE(relay);
    session = relay->open().value();
    REQUIRE(session.set_remote(caller, phone));
    REQUIRE(session.set_remote(callee, vendor));
  }

  void from_caller(const std::string& packet) {
    loop.send(phone, session.local_rtp(caller), packet);
  }
  void from_callee(const std::string& packet) {
    loop.send(vendor, session.local_rtp(callee), packet);
  }
  /// Lets time pass in steps of a millisecond.
  void run_ms(int ms) {
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
      packets.push_back({*header, one.bytes.substr(header->payload_offset), one.at_us,
                         (one.bytes[1] & 0x80) != 0});
    }
    return packets;
  }
};

std::string alaw_of(const std::vector<std::int16_t>& samples) {
  std::string codes;
  for (const std::int16_t sample : samples)
    codes.push_back(static_cast<char>(alaw_of_sample(sample)));
  return codes;
}

std::vector<std::int16_t> samples_of(const std::string& codes) {
  std::vector<std::int16_t> samples;
  for (const char code : codes)
    samples.push_back(alaw_samples[static_cast<std::uint8_t>(code)]);
  return samples;
}

std::string rtp(std::uint8_t type, std::uint16_t sequence, std::uint32_t timestamp,
                std::uint32_t ssrc, const std::string& payload) {
  return typed(rtp_packet(sequence, timestamp, ssrc, 0), type) + payload;
}

}  // namespace

TEST_CASE(
    "G.711: every code comes back from its sample, and no sample is off by more than its step") {
  for (int code = 0; code < 256; ++code) {
    const auto byte = static_cast<std::uint8_t>(code);
    CHECK(alaw_of_sample(sample_of_alaw(byte)) == byte);
    // The two zeros of mu-law are one sample.
    CHECK(sample_of_ulaw(ulaw_of_sample(sample_of_ulaw(byte))) == sample_of_ulaw(byte));
  }
  for (int sample = -32768; sample < 32768; ++sample) {
    const auto value = static_cast<std::int16_t>(sample);
    const int distance_a = std::abs(sample_of_alaw(alaw_of_sample(value)) - sample);
    const int distance_u = std::abs(sample_of_ulaw(ulaw_of_sample(value)) - sample);
    REQUIRE(distance_a <= std::max(8, std::abs(sample) / 32 + 1));
    REQUIRE(distance_u <= std::max(644, std::abs(sample) / 32 + 5));
  }
}

TEST_CASE("Audio M-07: A-law becomes mu-law and back; SSRC, sequence, timestamps and losses stay") {
  Bench bench;
  REQUIRE(bench.session.set_audio(audio("PCMA", pcma, 101), audio("PCMU", pcmu, 96)));
  const std::string ramp = alaw_of({0, 100, -100, 1000, -1000, 30000, -30000, 5});
  bench.from_caller(rtp(pcma, 65534, 1000, 7, ramp));
  bench.from_caller(rtp(pcma, 1, 1480, 7, ramp));  // two were lost
  bench.from_callee(rtp(pcmu, 9, 50, 8, std::string(160, '\xFF')));
  const auto heard = bench.heard_by(bench.vendor);
  REQUIRE(heard.size() == 2);
  CHECK(heard[0].header.payload_type == pcmu);
  CHECK(heard[0].header.sequence == 65534);
  CHECK(heard[0].header.timestamp == 1000);
  CHECK(heard[0].header.ssrc == 7);
  CHECK(heard[1].header.sequence == 1);
  CHECK(heard[1].header.timestamp == 1480);
  REQUIRE(heard[0].payload.size() == ramp.size());
  for (std::size_t i = 0; i < ramp.size(); ++i) {
    const auto sample = sample_of_alaw(static_cast<std::uint8_t>(ramp[i]));
    CHECK(static_cast<std::uint8_t>(heard[0].payload[i]) == ulaw_of_sample(sample));
  }
  const auto back = bench.heard_by(bench.phone);
  REQUIRE(back.size() == 1);
  CHECK(back[0].header.payload_type == pcma);
  CHECK(back[0].payload == std::string(160, '\xD5'));
  CHECK(bench.session.stats(callee).packets_sent == 2);
  bench.session.clear_audio();
  bench.from_caller(rtp(pcma, 2, 1640, 7, ramp));
  CHECK(bench.heard_by(bench.vendor).back().header.payload_type == pcma);
}

TEST_CASE(
    "Audio: telephone events get the other side's number; comfort noise ends at a conversion") {
  Bench bench;
  REQUIRE(bench.session.set_audio(audio("PCMA", pcma, 101), audio("PCMU", pcmu, 96)));
  bench.from_caller(rtp(pcma, 1, 160, 7, std::string(160, '\xD5')));
  bench.from_caller(rtp(13, 2, 320, 7, "x"));
  bench.from_caller(key_packet(3, 480, 7, 5, 160, false));
  const auto heard = bench.heard_by(bench.vendor);
  REQUIRE(heard.size() == 2);
  CHECK(heard[1].header.payload_type == 96);
  CHECK(heard[1].payload[0] == 5);
  CHECK(heard[1].header.sequence == 2);  // what was taken out is not missed
  CHECK(heard[1].header.timestamp == 480);
}

TEST_CASE("Audio M-10: packets of 40 ms are cut to 20, packets of 20 joined to 30") {
  Bench bench;
  MediaAudio of_caller = audio("PCMA", pcma), of_callee = audio("PCMA", pcma);
  of_callee.ptime_ms = 20;
  of_caller.ptime_ms = 30;
  REQUIRE(bench.session.set_audio(of_caller, of_callee));
  std::string all;
  for (std::uint16_t i = 0; i < 4; ++i) {
    std::string part;
    for (int k = 0; k < 320; ++k)
      part.push_back(static_cast<char>(i * 64 + k % 64));
    all += part;
    bench.from_caller(rtp(pcma, static_cast<std::uint16_t>(100 + i), 320U * i, 7, part));
  }
  const auto cut = bench.heard_by(bench.vendor);
  REQUIRE(cut.size() == 8);
  std::string joined;
  for (std::size_t i = 0; i < cut.size(); ++i) {
    CHECK(cut[i].payload.size() == 160);
    CHECK(cut[i].header.timestamp == 160 * i);
    CHECK(cut[i].header.sequence == 100 + i);
    joined += cut[i].payload;
  }
  CHECK(joined == all);
  for (std::uint16_t i = 0; i < 6; ++i)
    bench.from_callee(rtp(pcma, i, 160U * i, 9, std::string(160, static_cast<char>(i))));
  const auto longer = bench.heard_by(bench.phone);
  REQUIRE(longer.size() == 4);
  CHECK(longer[1].payload.size() == 240);
  CHECK(longer[1].payload == std::string(80, '\1') + std::string(160, '\2'));
  CHECK(longer[3].header.timestamp == 720);
  // What comes late has no place any more.
  bench.from_callee(rtp(pcma, 2, 320, 9, std::string(160, 'x')));
  CHECK(bench.heard_by(bench.phone).size() == 4);
}

TEST_CASE(
    "Audio M-13: a clip is played every 20 ms on the clock, again and again, until somebody "
    "speaks") {
  Bench bench;
  REQUIRE(bench.session.set_audio(audio("PCMA", pcma), audio("PCMA", pcma)));
  std::vector<std::int16_t> samples(400, 1000);
  samples[0] = -1000;
  const auto clip = AudioClip::of(samples).value();
  REQUIRE(bench.session.play(caller, clip, {.repeats = true, .delay_us = 100'000}));
  bench.run_ms(100);
  CHECK(bench.heard_by(bench.phone).empty());
  bench.run_ms(1000);
  const auto heard = bench.heard_by(bench.phone);
  REQUIRE(heard.size() >= 49);
  CHECK(heard.size() <= 51);
  std::vector<std::int16_t> played;
  for (std::size_t i = 0; i < heard.size(); ++i) {
    if (i > 0) {
      CHECK(heard[i].at_us - heard[i - 1].at_us == 20'000);
      CHECK(heard[i].header.timestamp - heard[i - 1].header.timestamp == 160);
      CHECK(static_cast<std::uint16_t>(heard[i].header.sequence - heard[i - 1].header.sequence) ==
            1);
    }
    CHECK(heard[i].is_marked == (i == 0));
    for (const std::int16_t sample : samples_of(heard[i].payload))
      played.push_back(sample);
  }
  CHECK(played[0] < 0);
  CHECK(played[1] > 0);
  CHECK(played[400] < 0);
  CHECK(bench.session.is_playing(caller));
  bench.from_callee(rtp(pcma, 1, 160, 9, std::string(160, 'x')));
  CHECK_FALSE(bench.session.is_playing(caller));
  bench.run_ms(200);
  CHECK(bench.heard_by(bench.phone).size() == heard.size() + 1);
}

TEST_CASE("Audio M-14: a playlist is heard clip by clip without a gap, and again when it repeats") {
  Bench bench;
  REQUIRE(bench.session.set_audio(audio("PCMU", pcmu), audio("PCMU", pcmu)));
  const auto clip = [](std::size_t count, std::int16_t level) {
    return AudioClip::of(std::vector<std::int16_t>(count, level)).value();
  };
  const auto list = AudioPlaylist::of({clip(200, 500), AudioClip(), clip(1, 4000), clip(279, 900)});
  REQUIRE(list.ok());
  CHECK(list->clips().size() == 3);
  CHECK(list->duration_us() == 60'000);
  const auto coded = [](std::int16_t level) { return sample_of_ulaw(ulaw_of_sample(level)); };
  std::vector<std::int16_t> expected(200, coded(500));
  expected.push_back(coded(4000));
  expected.insert(expected.end(), 279, coded(900));
  const auto played = [&bench] {
    std::vector<std::int16_t> samples;
    for (const Packet& packet : bench.heard_by(bench.phone))
      for (const char code : packet.payload)
        samples.push_back(ulaw_samples[static_cast<std::uint8_t>(code)]);
    return samples;
  };
  REQUIRE(bench.session.play(caller, *list, {.until_heard = false}));
  bench.run_ms(300);
  CHECK_FALSE(bench.session.is_playing(caller));
  CHECK(played() == expected);
  REQUIRE(bench.session.play(caller, *list, {.repeats = true, .until_heard = false}));
  bench.run_ms(200);
  bench.session.stop_playing(caller);
  bench.run_ms(100);
  const auto again = played();
  REQUIRE(again.size() >= 3 * expected.size());
  CHECK(std::equal(expected.begin(), expected.end(), again.begin() + 480));
  CHECK(again[960] == expected[0]);
  CHECK(again[1160] == expected[200]);
}

TEST_CASE("AudioPlaylist: more clips, or longer ones, than one may have are refused") {
  const AudioClip second = AudioClip::of(std::vector<std::int16_t>(8000, 1)).value();
  CHECK(AudioPlaylist::of(std::vector<AudioClip>(64, second)).ok());
  CHECK(AudioPlaylist::of(std::vector<AudioClip>(65, second)).error().message ==
        "65 clips were more than 64 of one playlist");
  const AudioClip minute = AudioClip::of(std::vector<std::int16_t>(480'000, 1)).value();
  CHECK(AudioPlaylist::of({minute, minute}).ok());
  CHECK(AudioPlaylist::of({minute, minute, second}).error().code == ErrorCode::limit);
  CHECK(AudioPlaylist::of({}).value().is_empty());
  CHECK(AudioPlaylist(AudioClip()).is_empty());
  CHECK(AudioPlaylist::load({"tone:busy", "/nowhere.wav"}).error().message ==
        "audio file \"/nowhere.wav\" could not be opened");
  CHECK(AudioPlaylist::load(std::vector<std::string>(65, "tone:busy")).error().code ==
        ErrorCode::limit);
}

TEST_CASE("Audio M-14: an announcement covers what the other side sends, and ends by itself") {
  Bench bench;
  REQUIRE(bench.session.set_audio(audio("PCMU", pcmu), audio("PCMU", pcmu)));
  const auto clip = AudioClip::of(std::vector<std::int16_t>(1600, 500)).value();
  REQUIRE(bench.session.play(caller, clip, {.until_heard = false}));
  bench.run_ms(50);
  bench.from_callee(rtp(pcmu, 1, 160, 9, std::string(160, 'x')));
  bench.run_ms(400);
  const auto heard = bench.heard_by(bench.phone);
  CHECK(heard.size() == 10);
  for (const Packet& packet : heard)
    CHECK(packet.payload == std::string(160, static_cast<char>(ulaw_of_sample(500))));
  CHECK_FALSE(bench.session.is_playing(caller));
}

TEST_CASE(
    "Audio M-14: what an announcement covers is not missed, and the stream goes on behind it") {
  Bench bench;
  REQUIRE(bench.session.set_audio(audio("PCMU", pcmu), audio("PCMU", pcmu)));
  const auto speak = [&](std::uint16_t i) {
    bench.from_callee(rtp(pcmu, i, 160U * i, 9, std::string(160, 'x')));
    bench.run_ms(20);
  };
  for (std::uint16_t i = 0; i < 5; ++i)
    speak(i);
  const auto clip = AudioClip::of(std::vector<std::int16_t>(1600, 500)).value();
  REQUIRE(bench.session.play(caller, clip, {.until_heard = false}));
  for (std::uint16_t i = 5; i < 30; ++i)
    speak(i);
  const auto heard = bench.heard_by(bench.phone);
  REQUIRE(heard.size() >= 29);
  for (std::size_t i = 1; i < heard.size(); ++i) {
    CHECK(heard[i].header.ssrc == 9);
    CHECK(heard[i].header.sequence == heard[i - 1].header.sequence + 1);
  }
}

namespace {

/// A-law in whole frames of 8 ms, nothing else.
class Framed final : public AudioCodec {
 public:
  class Encoder final : public AudioEncoder {
   public:
    std::size_t encode(std::span<const std::int16_t> samples,
                       std::span<std::uint8_t> payload) noexcept override {
      if (samples.size() % 64 != 0) return 0;
      for (std::size_t i = 0; i < samples.size(); ++i)
        payload[i] = alaw_of_sample(samples[i]);
      return samples.size();
    }
  };
  [[nodiscard]] const AudioCodecFacts& facts() const noexcept override { return facts_; }
  [[nodiscard]] std::unique_ptr<AudioDecoder> make_decoder() const override {
    return find_audio_codec("PCMA")->make_decoder();
  }
  [[nodiscard]] std::unique_ptr<AudioEncoder> make_encoder() const override {
    return std::make_unique<Encoder>();
  }

 private:
  const AudioCodecFacts facts_{.name = "FRAMED", .frame_ms = 8, .fmtp = {}};
};

}  // namespace

TEST_CASE("Audio M-09: keys that wait end with the conversion") {
  Bench bench;
  REQUIRE(bench.session.set_audio(audio("PCMA", pcma), audio("PCMA", pcma, 101)));
  REQUIRE(bench.session.press_key(callee, '1', 1000));
  REQUIRE(bench.session.press_key(callee, '2', 1000));
  bench.run_ms(100);
  const std::size_t before = bench.heard_by(bench.vendor).size();
  CHECK(before > 0);
  bench.session.clear_audio();
  bench.run_ms(200);
  CHECK(bench.heard_by(bench.vendor).size() == before);
  REQUIRE(bench.session.set_audio(audio("PCMA", pcma), audio("PCMA", pcma, 101)));
  bench.run_ms(200);
  CHECK(bench.heard_by(bench.vendor).size() == before);
}

TEST_CASE("Audio M-13: what is played after the conversion ended is another stream") {
  Bench bench;
  const auto clip = AudioClip::of(std::vector<std::int16_t>(160, 500)).value();
  for (int i = 0; i < 2; ++i) {
    REQUIRE(bench.session.set_audio(audio("PCMU", pcmu), audio("PCMU", pcmu)));
    REQUIRE(bench.session.play(caller, clip));
    bench.run_ms(100);
    bench.session.clear_audio();
  }
  const auto heard = bench.heard_by(bench.phone);
  REQUIRE(heard.size() == 2);
  CHECK(heard[0].header.ssrc != heard[1].header.ssrc);
}

TEST_CASE("Audio M-09: tones and clips are made in whole frames of the codec") {
  Bench bench;
  MediaAudio framed = audio("PCMA", 97);
  framed.codec = std::make_shared<Framed>();
  framed.keys = MediaKeys::tones;
  REQUIRE(bench.session.set_audio(audio("PCMA", pcma), framed));
  const auto clip = AudioClip::of(std::vector<std::int16_t>(1920, 500)).value();
  REQUIRE(bench.session.play(callee, clip));
  bench.run_ms(300);
  REQUIRE(bench.session.press_key(callee, '5', 96));
  bench.run_ms(400);
  const auto heard = bench.heard_by(bench.vendor);
  REQUIRE(heard.size() >= 14);
  for (const Packet& packet : heard)
    CHECK(packet.payload.size() == 192);
  std::vector<std::int16_t> tone;
  for (std::size_t i = 10; i < heard.size(); ++i) {
    if (i > 10) CHECK(heard[i].header.timestamp - heard[i - 1].header.timestamp == 192);
    const auto samples = samples_of(heard[i].payload);
    tone.insert(tone.end(), samples.begin(), samples.end());
  }
  ToneDetector detector;
  const auto key = detector.take(tone);
  REQUIRE(key);
  CHECK(key->key == '5');
}

TEST_CASE(
    "Audio M-09: a key that is asked for goes as telephone events within the running stream") {
  Bench bench;
  REQUIRE(bench.session.set_audio(audio("PCMA", pcma), audio("PCMA", pcma, 101)));
  const auto speak = [&](std::uint16_t i) {
    bench.from_caller(rtp(pcma, i, 160U * i, 7, std::string(160, '\xD5')));
    bench.run_ms(20);
  };
  for (std::uint16_t i = 0; i < 5; ++i)
    speak(i);
  REQUIRE(bench.session.press_key(callee, '#', 100));
  CHECK_FALSE(bench.session.press_key(callee, 'x'));
  CHECK_FALSE(bench.session.press_key(caller, '5'));  // it has no events
  for (std::uint16_t i = 5; i < 20; ++i)
    speak(i);
  const auto heard = bench.heard_by(bench.vendor);
  int events = 0, ends = 0;
  for (std::size_t i = 0; i < heard.size(); ++i) {
    if (i > 0)
      CHECK(static_cast<std::uint16_t>(heard[i].header.sequence - heard[i - 1].header.sequence) ==
            1);
    CHECK(heard[i].header.ssrc == 7);
    if (heard[i].header.payload_type != 101) continue;
    const auto event = parse_telephone_event(heard[i].payload);
    REQUIRE(event);
    CHECK(event->event == 11);
    CHECK(heard[i].is_marked == (events == 0));
    ++events;
    if (event->is_end) {
      ++ends;
      CHECK(event->duration == 800);
    }
  }
  CHECK(events == 7);  // of 20 ms each, the last three times
  CHECK(ends == 3);
  CHECK(heard.back().header.payload_type == pcma);
  CHECK(heard.back().header.timestamp == 160 * 19);
}

TEST_CASE(
    "Audio M-09: tones are found in the voice, told, and go on as events; events become tones") {
  Bench bench;
  MediaAudio of_caller = audio("PCMA", pcma), of_callee = audio("PCMU", pcmu, 101);
  of_caller.hears_tones = true;
  of_caller.keys = MediaKeys::tones;
  REQUIRE(bench.session.set_audio(of_caller, of_callee));
  std::uint16_t sequence = 0;
  const auto send_ms = [&](char key, int ms) {
    for (int at = 0; at < ms; at += 20, ++sequence) {
      std::vector<std::int16_t> samples(160);
      make_tone(key, static_cast<std::uint32_t>(at) * 8, samples);
      bench.from_caller(rtp(pcma, sequence, 160U * sequence, 7, alaw_of(samples)));
      bench.run_ms(20);
    }
  };
  for (const char key : std::string("19D")) {
    send_ms(key, 100);
    send_ms('\0', 200);
  }
  std::string told;
  for (const MediaEvent& event : bench.relay->take_events()) {
    if (event.kind != MediaEvent::Kind::digit) continue;
    CHECK(event.side == caller);
    CHECK(event.duration_ms >= 70);
    CHECK(event.duration_ms <= 110);
    told += event.digit;
  }
  CHECK(told == "19D");
  std::string sent;
  for (const Packet& packet : bench.heard_by(bench.vendor)) {
    if (packet.header.payload_type == 101 && packet.is_marked)
      sent += key_of_event(static_cast<std::uint8_t>(packet.payload[0]));
  }
  CHECK(sent == "19D");
  // The other way.
  for (std::uint16_t i = 0; i < 6; ++i) {
    bench.from_callee(key_packet(i, 800, 9, 7, static_cast<std::uint16_t>(160 * (i + 1)), i == 5));
    bench.run_ms(20);
  }
  bench.run_ms(300);
  ToneDetector detector;
  std::string found;
  for (const Packet& packet : bench.heard_by(bench.phone)) {
    CHECK(packet.header.payload_type == pcma);
    if (const auto key = detector.take(samples_of(packet.payload))) found += key->key;
  }
  CHECK(found == "7");
}

TEST_CASE(
    "Tones: all sixteen keys with twist and noise; none in a voice-like mixture or one tone") {
  std::uint32_t noise = 1;
  const auto random = [&noise] {
    noise = noise * 1664525U + 1013904223U;
    return static_cast<int>(noise >> 20) - 2048;
  };
  for (const char key : std::string("0123456789*#ABCD")) {
    ToneDetector detector;
    std::string found;
    std::vector<std::int16_t> samples(480);
    make_tone(key, 0, samples);
    for (auto& sample : samples)
      sample = static_cast<std::int16_t>(sample / 2 + random() / 8);
    if (const auto heard = detector.take(samples)) found += heard->key;
    if (const auto heard = detector.take(std::vector<std::int16_t>(800))) found += heard->key;
    CHECK(found == std::string(1, key));
  }
  ToneDetector detector;
  std::vector<std::int16_t> voice(80'000);
  for (std::size_t i = 0; i < voice.size(); ++i) {
    const double t = 2 * std::numbers::pi * static_cast<double>(i) / 8000;
    double sum = 0;
    const double pitch = 110 + 40 * std::sin(t / 3);
    for (int harmonic = 1; harmonic < 14; ++harmonic)
      sum += std::sin(t * pitch * harmonic) * 1500 / harmonic;
    voice[i] = static_cast<std::int16_t>(sum + random());
  }
  CHECK_FALSE(detector.take(voice));
  for (std::size_t i = 0; i < voice.size(); ++i)
    voice[i] = static_cast<std::int16_t>(
        8000 * std::sin(2 * std::numbers::pi * 697 * static_cast<double>(i) / 8000));
  CHECK_FALSE(detector.take(voice));
}

TEST_CASE("Audio: what cannot be is refused by name") {
  Bench bench;
  CHECK(bench.session.play(caller, AudioClip()).error().code == ErrorCode::wrong_state);
  MediaAudio keys_alone;  // such as of a codec that is not known
  keys_alone.events_type = 101;
  REQUIRE(bench.session.set_audio(keys_alone, keys_alone));
  const AudioClip clip = AudioClip::tone("busy").value();
  CHECK(bench.session.play(caller, clip).error().code == ErrorCode::unsupported);
  CHECK_FALSE(bench.session.is_playing(caller));
  MediaAudio one = audio("PCMA", pcma);
  one.ptime_ms = 7;
  const auto set = bench.session.set_audio(one, audio("PCMA", pcma));
  REQUIRE_FALSE(set);
  CHECK(set.error().message == "ptime_ms 7 was not a multiple of the frame in 10..120");
  CHECK_FALSE(bench.session.is_playing(caller));
  CHECK(AudioClip::tone("ringback", "xx").error().code == ErrorCode::not_found);
  CHECK(AudioClip::parse_wav("RIFFxxxxWAVE").error().message == "the WAV file had no data");
  CHECK(AudioClip::load("/nowhere.wav").error().message ==
        "audio file \"/nowhere.wav\" could not be opened");
}

TEST_CASE("Clips: WAV files of PCM, A-law and mu-law are read, others named") {
  const auto u16 = [](unsigned value) {
    return std::string{static_cast<char>(value), static_cast<char>(value >> 8)};
  };
  const auto u32 = [&](unsigned value) { return u16(value & 0xFFFF) + u16(value >> 16); };
  const auto wav = [&](unsigned format, unsigned channels, unsigned rate, unsigned bits,
                       const std::string& samples) {
    return "RIFF" + u32(0) + "WAVE" + "LIST" + u32(3) + "abc" + std::string(1, '\0') + "fmt " +
           u32(16) + u16(format) + u16(channels) + u32(rate) + u32(rate) + u16(2) + u16(bits) +
           "data" + u32(static_cast<unsigned>(samples.size())) + samples;
  };
  CHECK(AudioClip::parse_wav(wav(1, 1, 8000, 16, u16(5) + u16(0xFFFF)))->samples() ==
        std::vector<std::int16_t>{5, -1});
  CHECK(AudioClip::parse_wav(wav(6, 1, 8000, 8, "\xAA"))->samples() ==
        std::vector<std::int16_t>{32256});
  CHECK(AudioClip::parse_wav(wav(7, 1, 8000, 8, "\x80"))->samples() ==
        std::vector<std::int16_t>{32124});
  CHECK(AudioClip::parse_wav(wav(1, 2, 44100, 16, "abcd")).error().message ==
        "WAV format 1, 16 bits, 2 channels, 44100 Hz was not one channel of 16-bit PCM, A-law or "
        "mu-law at 8000 Hz");
  const std::string whole = wav(1, 1, 8000, 16, "abcdef");
  for (std::size_t cut = 0; cut + 6 < whole.size(); ++cut)
    CHECK_FALSE(AudioClip::parse_wav(whole.substr(0, cut)));
  CHECK(AudioClip::tone("ringback")->duration_us() == 5'000'000);
  CHECK(AudioClip::load("tone:busy/us")->duration_us() == 1'000'000);
}
