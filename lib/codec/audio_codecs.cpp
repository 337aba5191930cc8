#include "tandem/audio_codec.hpp"

#include <algorithm>
#include <array>
#include <mutex>
#include <utility>

#include "base/g711.hpp"
#include "codec/libraries.hpp"
#include "tandem/media_options.hpp"

namespace tandem {

AudioDecoder::~AudioDecoder() = default;
AudioEncoder::~AudioEncoder() = default;
AudioCodec::~AudioCodec() = default;

std::size_t AudioDecoder::conceal(std::span<const std::uint8_t>, std::span<std::int16_t>) noexcept {
  return 0;
}

std::unique_ptr<AudioEncoder> AudioCodec::make_encoder_for(std::string_view) const {
  return make_encoder();
}

namespace {

using Codes = std::array<std::uint8_t, 65536>;

/// By sample as an unsigned number.
Codes codes_of(std::uint8_t (*code_of)(std::int16_t)) {
  Codes codes{};
  for (std::size_t i = 0; i < codes.size(); ++i)
    codes[i] = code_of(static_cast<std::int16_t>(static_cast<std::uint16_t>(i)));
  return codes;
}

class G711Decoder final : public AudioDecoder {
 public:
  explicit G711Decoder(const G711Table& table) noexcept : table_(table) {}
  std::size_t decode(std::span<const std::uint8_t> payload,
                     std::span<std::int16_t> samples) noexcept override {
    const std::size_t count = std::min(payload.size(), samples.size());
    for (std::size_t i = 0; i < count; ++i)
      samples[i] = table_[payload[i]];
    return count;
  }

 private:
  const G711Table& table_;
};

class G711Encoder final : public AudioEncoder {
 public:
  explicit G711Encoder(const Codes& codes) noexcept : codes_(codes) {}
  std::size_t encode(std::span<const std::int16_t> samples,
                     std::span<std::uint8_t> payload) noexcept override {
    const std::size_t count = std::min(payload.size(), samples.size());
    for (std::size_t i = 0; i < count; ++i)
      payload[i] = codes_[static_cast<std::uint16_t>(samples[i])];
    return count;
  }

 private:
  const Codes& codes_;
};

class G711 final : public AudioCodec {
 public:
  G711(const char* name, int payload_type, const G711Table& table,
       std::uint8_t (*code_of)(std::int16_t))
      : facts_{.name = name, .payload_type = payload_type, .fmtp = {}},
        table_(table),
        codes_(codes_of(code_of)) {}
  [[nodiscard]] const AudioCodecFacts& facts() const noexcept override { return facts_; }
  [[nodiscard]] std::unique_ptr<AudioDecoder> make_decoder() const override {
    return std::make_unique<G711Decoder>(table_);
  }
  [[nodiscard]] std::unique_ptr<AudioEncoder> make_encoder() const override {
    return std::make_unique<G711Encoder>(codes_);
  }

 private:
  const AudioCodecFacts facts_;
  const G711Table& table_;
  const Codes codes_;
};

struct Registry {
  Registry() {
    codecs = {std::make_shared<G711>("PCMA", 8, alaw_samples, alaw_of_sample),
              std::make_shared<G711>("PCMU", 0, ulaw_samples, ulaw_of_sample)};
#ifdef TANDEM_WITH_G722
    codecs.push_back(codec::make_g722());
#endif
#ifdef TANDEM_WITH_OPUS
    codecs.push_back(codec::make_opus());
#endif
  }
  std::mutex mutex;  // guards codecs
  std::vector<std::shared_ptr<const AudioCodec>> codecs;
};

/// Never destroyed: relays of other threads may outlive static objects.
Registry& registry() {
  static Registry& one = *new Registry;
  return one;
}

bool is_meant(const AudioCodecFacts& facts, std::string_view name, std::uint32_t clock_rate_hz) {
  return facts.name == registered_codec_name(name) &&
         (clock_rate_hz == 0 || facts.clock_rate_hz == clock_rate_hz);
}

}  // namespace

Result<void> add_audio_codec(std::shared_ptr<const AudioCodec> codec) {
  if (codec == nullptr) return Error{ErrorCode::invalid_argument, "no codec was given"};
  const AudioCodecFacts& facts = codec->facts();
  const auto refused = [&](const std::string& what) {
    return Error{ErrorCode::invalid_argument, "codec \"" + facts.name + "\": " + what};
  };
  const auto name = CodecName::parse(facts.name);
  if (!name) return name.error();
  if (name->is_video || name->name != facts.name)
    return refused("the name was not the registered one of an audio codec");
  if (facts.clock_rate_hz == 0 || facts.clock_rate_hz % audio_rate_hz != 0 ||
      facts.clock_rate_hz > 48000)
    return refused("clock_rate_hz " + std::to_string(facts.clock_rate_hz) +
                   " was not a multiple of 8000 up to 48000");
  if (facts.frame_ms < 1 || facts.frame_ms > 60)
    return refused("frame_ms " + std::to_string(facts.frame_ms) + " was not in 1..60");
  if (facts.sample_rate_hz != 8000 && facts.sample_rate_hz != 16000 &&
      facts.sample_rate_hz != 48000)
    return refused("sample_rate_hz " + std::to_string(facts.sample_rate_hz) +
                   " was not 8000, 16000 or 48000");
  if (facts.payload_type < -1 || facts.payload_type > 95)
    return refused("payload_type " + std::to_string(facts.payload_type) + " was not in -1..95");
  if (facts.channels < 1 || facts.channels > 2)
    return refused("channels " + std::to_string(facts.channels) + " was not in 1..2");
  if (facts.fmtp.find_first_of("\r\n") != std::string::npos || facts.fmtp.size() > 256)
    return refused("fmtp was longer than a line of 256 bytes");
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  if (all.codecs.size() >= audio_codecs_max)
    return Error{ErrorCode::limit, "codec \"" + facts.name + "\": there were " +
                                       std::to_string(audio_codecs_max) + " codecs already"};
  for (const auto& known : all.codecs) {
    if (is_meant(known->facts(), facts.name, facts.clock_rate_hz))
      return Error{ErrorCode::already_exists, "codec \"" + facts.name + "\" was known already"};
  }
  all.codecs.push_back(std::move(codec));
  return {};
}

std::shared_ptr<const AudioCodec> find_audio_codec(std::string_view name,
                                                   std::uint32_t clock_rate_hz) {
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  for (const auto& known : all.codecs) {
    if (is_meant(known->facts(), name, clock_rate_hz)) return known;
  }
  return nullptr;
}

std::vector<std::shared_ptr<const AudioCodec>> audio_codecs() {
  Registry& all = registry();
  const std::lock_guard lock(all.mutex);
  return all.codecs;
}

}  // namespace tandem
