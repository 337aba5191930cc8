// The codecs of libraries, each as far as it was built (M-07): their facts, that what goes in comes
// out, what they make of losses and of bytes that are none of theirs.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <random>
#include <vector>

#include "codec/opus_options.hpp"
#include "tandem/audio_codec.hpp"

using namespace tandem;

namespace {

/// Says which are not there: a build without their library runs none of their tests.
std::shared_ptr<const AudioCodec> known(const char* name) {
  auto codec = find_audio_codec(name);
  if (codec == nullptr) MESSAGE("not built: ", name);
  return codec;
}

std::vector<std::int16_t> sine(double hz, std::uint32_t rate_hz, std::size_t first,
                               std::size_t count) {
  std::vector<std::int16_t> samples(count);
  for (std::size_t i = 0; i < count; ++i)
    samples[i] = static_cast<std::int16_t>(
        8000 * std::sin(2 * std::numbers::pi * hz * static_cast<double>(first + i) / rate_hz));
  return samples;
}

/// Share of the power of `samples` that is at `hz`.
double purity(const std::vector<std::int16_t>& samples, double hz, std::uint32_t rate_hz) {
  double re = 0, im = 0, all = 1;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const double at = 2 * std::numbers::pi * hz * static_cast<double>(i) / rate_hz;
    re += samples[i] * std::cos(at);
    im += samples[i] * std::sin(at);
    all += static_cast<double>(samples[i]) * samples[i];
  }
  return 2 * (re * re + im * im) / static_cast<double>(samples.size()) / all;
}

struct Through {
  std::vector<std::int16_t> samples;
  std::size_t bytes = 0;
};

/// A second of a tone in packets of `ms`; every `lost`-th does not come.
Through through(const AudioCodec& codec, double hz, unsigned ms, int lost = 0,
                const char* fmtp = "") {
  const std::uint32_t rate_hz = codec.facts().sample_rate_hz;
  const auto encoder = codec.make_encoder_for(fmtp);
  const auto decoder = codec.make_decoder();
  REQUIRE(encoder != nullptr);
  REQUIRE(decoder != nullptr);
  const std::size_t count = rate_hz / 1000 * ms;
  Through all;
  std::vector<std::uint8_t> packet(2000);
  std::vector<std::int16_t> out(3840);
  bool is_missing = false;
  for (unsigned n = 0; n * ms < 1000; ++n) {
    const std::size_t size = encoder->encode(sine(hz, rate_hz, n * count, count), packet);
    REQUIRE(size > 0);
    all.bytes += size;
    if (lost != 0 && n % static_cast<unsigned>(lost) == 3) {
      is_missing = true;
      continue;
    }
    const std::span<const std::uint8_t> payload(packet.data(), size);
    if (is_missing) {
      REQUIRE(decoder->conceal(payload, {out.data(), count}) == count);
      all.samples.insert(all.samples.end(), out.begin(),
                         out.begin() + static_cast<std::ptrdiff_t>(count));
      is_missing = false;
    }
    REQUIRE(decoder->decode(payload, out) == count);
    all.samples.insert(all.samples.end(), out.begin(),
                       out.begin() + static_cast<std::ptrdiff_t>(count));
  }
  return all;
}

std::vector<std::int16_t> settled(const Through& all) {
  return {all.samples.begin() + static_cast<std::ptrdiff_t>(all.samples.size() / 4),
          all.samples.end()};
}

}  // namespace

TEST_CASE("Codecs: G.711 comes first; opus and G722 have the clocks of their RFCs") {
  const auto all = audio_codecs();
  REQUIRE(all.size() >= 2);
  CHECK(all[0]->facts().name == "PCMA");
  CHECK(all[1]->facts().name == "PCMU");
  CHECK_FALSE(all[0]->facts().keeps_state);
  CHECK(all[0]->facts().sample_rate_hz == 8000);
  if (const auto opus = known("opus")) {
    CHECK(find_audio_codec("OPUS", 48000) == opus);
    CHECK(find_audio_codec("opus", 8000) == nullptr);
    CHECK(opus->facts().channels == 2);
    CHECK(opus->facts().payload_type == -1);
    CHECK(opus->facts().sample_rate_hz == 16000);
    CHECK(opus->facts().fmtp.find("useinbandfec=1") != std::string::npos);
    CHECK(opus->facts().fmtp.find("stereo=0") != std::string::npos);
    CHECK(opus->facts().keeps_state);
  }
  if (const auto g722 = known("G722")) {
    CHECK(g722->facts().clock_rate_hz == 8000);
    CHECK(g722->facts().sample_rate_hz == 16000);
    CHECK(g722->facts().payload_type == 9);
  }
}

TEST_CASE(
    "G722: a tone comes back, above 4,000 Hz too, at 64 kbit/s; a lost packet is faded over") {
  const auto codec = known("G722");
  if (codec == nullptr) return;
  for (const double hz : {440.0, 1000.0, 5000.0}) {
    CAPTURE(hz);
    const Through all = through(*codec, hz, 20);
    CHECK(all.bytes == 8000);
    CHECK(all.samples.size() == 16000);
    CHECK(purity(settled(all), hz, 16000) > 0.97);
  }
  const auto decoder = codec->make_decoder();
  std::vector<std::int16_t> out(320);
  const std::vector<std::uint8_t> bytes(160, 0x55);
  REQUIRE(decoder->decode(bytes, out) == 320);
  long before = 0, after = 0;
  for (const std::int16_t sample : out)
    before += std::abs(sample);
  REQUIRE(decoder->conceal({}, out) == 320);
  for (const std::int16_t sample : out)
    after += std::abs(sample);
  CHECK(after <= before / 2);
  CHECK(after * 3 >= before);
  for (int n = 0; n < 16; ++n)
    REQUIRE(decoder->conceal({}, out) == 320);
  CHECK(*std::max_element(out.begin(), out.end()) == 0);
}

TEST_CASE("Opus: a tone comes back in packets of every length, those of 30 ms of joined frames") {
  const auto codec = known("opus");
  if (codec == nullptr) return;
  for (const unsigned ms : {10U, 20U, 30U, 40U, 50U, 60U, 120U}) {
    CAPTURE(ms);
    const Through all = through(*codec, 1000, ms);
    CHECK(purity(settled(all), 1000, 16000) > 0.9);
    CHECK(all.bytes < 8000);
  }
  // Halves of a frame are no packet.
  const auto encoder = codec->make_encoder();
  std::vector<std::uint8_t> packet(2000);
  CHECK(encoder->encode(std::vector<std::int16_t>(80), packet) == 0);
  CHECK(encoder->encode(std::vector<std::int16_t>(13 * 160), packet) == 0);
  CHECK(encoder->encode({}, packet) == 0);
}

TEST_CASE("Opus: the tone goes on where every tenth packet is lost") {
  const auto codec = known("opus");
  if (codec == nullptr) return;
  const Through lossy = through(*codec, 1000, 20, 10, "useinbandfec=1");
  CHECK(lossy.samples.size() == 16000);
  CHECK(purity(settled(lossy), 1000, 16000) > 0.6);
}

TEST_CASE(
    "Opus: the next packet has of a lost one what nobody could guess, where that was asked for") {
  const auto codec = known("opus");
  if (codec == nullptr) return;
  // Silence, then a tone whose first packet is lost.
  const auto level = [&](const char* fmtp, bool has_next) {
    const auto encoder = codec->make_encoder_for(fmtp);
    const auto decoder = codec->make_decoder();
    std::vector<std::uint8_t> packet(2000);
    std::vector<std::int16_t> out(320);
    for (std::size_t n = 0; n < 30; ++n) {
      const bool is_lost = n == 20;
      const double hz = n < 20 ? 0 : 300;
      const std::size_t size = encoder->encode(sine(hz, 16000, n * 320, 320), packet);
      if (n == 21) {
        const std::span<const std::uint8_t> next(packet.data(), has_next ? size : 0);
        REQUIRE(decoder->conceal(next, out) == 320);
        double sum = 0;
        for (const std::int16_t sample : out)
          sum += std::abs(sample);
        return sum / 320;
      }
      if (!is_lost) REQUIRE(decoder->decode({packet.data(), size}, out) == 320);
    }
    return 0.0;
  };
  CHECK(level("useinbandfec=1", true) > 500);
  CHECK(level("useinbandfec=1", false) < 50);
  CHECK(level("useinbandfec=0", true) < 50);
}

TEST_CASE("Opus: what the receiver says is followed") {
  const auto codec = known("opus");
  if (codec == nullptr) return;
  const Through small = through(*codec, 1000, 20, 0, "maxaveragebitrate=8000;cbr=1");
  CHECK(small.bytes == 1000);
  // Nothing above 4,000 Hz for who plays no more.
  const auto high = [&](const char* fmtp) {
    return purity(settled(through(*codec, 6000, 20, 0, fmtp)), 6000, 16000);
  };
  CHECK(high("") > 0.5);
  CHECK(high("maxplaybackrate=8000") < 0.1);
}

TEST_CASE("Codecs: bytes that are none of theirs give at most what there is room for") {
  std::mt19937 random(7);
  for (const auto& codec : audio_codecs()) {
    const auto decoder = codec->make_decoder();
    REQUIRE(decoder != nullptr);
    std::vector<std::int16_t> out(3840);
    CHECK(decoder->decode({}, out) == 0);
    for (int turn = 0; turn < 300; ++turn) {
      std::vector<std::uint8_t> bytes(random() % 300);
      for (std::uint8_t& byte : bytes)
        byte = static_cast<std::uint8_t>(random());
      const std::size_t room = random() % out.size();
      REQUIRE(decoder->decode(bytes, {out.data(), room}) <= room);
      REQUIRE(decoder->conceal(bytes, {out.data(), 320}) <= 320);
    }
  }
}

TEST_CASE("Opus: a=fmtp of a receiver is read as RFC 7587 has it, and nonsense says nothing") {
  using codec::opus_options;
  using codec::OpusOptions;
  CHECK(opus_options("") == OpusOptions{});
  OpusOptions all;
  all.playback_rate_max_hz = 16000;
  all.average_bitrate_max = 20000;
  all.uses_inband_fec = all.uses_dtx = all.is_constant_rate = true;
  CHECK(opus_options("maxplaybackrate=16000; sprop-maxcapturerate=16000; "
                     "maxaveragebitrate=20000; stereo=1; UseInbandFec=1; usedtx=1; cbr=1") == all);
  CHECK(opus_options("useinbandfec=2;usedtx;cbr=;=;;maxplaybackrate=7999;maxaveragebitrate=-1;"
                     "maxaveragebitrate=510001;maxplaybackrate=16000x") == OpusOptions{});
  CHECK(opus_options("useinbandfec=1;useinbandfec=0") == OpusOptions{});
  CHECK(opus_options("useinbandfec=1;maxaveragebitrate=99999999999999999999").uses_inband_fec);
}

TEST_CASE("add_audio_codec: a rate of samples that nothing resamples is refused by its number") {
  class Odd final : public AudioCodec {
   public:
    Odd() {
      facts_.name = "L16";
      facts_.clock_rate_hz = 24000;
      facts_.sample_rate_hz = 24000;
    }
    [[nodiscard]] const AudioCodecFacts& facts() const noexcept override { return facts_; }
    [[nodiscard]] std::unique_ptr<AudioDecoder> make_decoder() const override { return nullptr; }
    [[nodiscard]] std::unique_ptr<AudioEncoder> make_encoder() const override { return nullptr; }

   private:
    AudioCodecFacts facts_;
  };
  const auto added = add_audio_codec(std::make_shared<Odd>());
  REQUIRE_FALSE(added);
  CHECK(added.error().message ==
        "codec \"L16\": sample_rate_hz 24000 was not 8000, 16000 or 48000");
}
