// Codecs of the host.
#include <algorithm>
#include <cstddef>

#include "capi/values.hpp"
#include "tandem/audio_codec.hpp"

using namespace tandem;
using namespace tandem::capi;

// As it was published, for samples at 8,000 Hz alone.
template <>
inline constexpr std::size_t tandem::capi::first_struct_bytes<tandem_audio_codec> =
    offsetof(tandem_audio_codec, sample_rate_hz);

namespace {

/// State of the host's for one stream and one way.
class State {
 public:
  explicit State(const tandem_audio_codec& calls)
      : calls_(calls),
        state_(calls.state_create != nullptr ? calls.state_create(calls.user) : calls.user),
        is_own_(calls.state_create != nullptr) {}
  ~State() {
    if (is_own_ && state_ != nullptr && calls_.state_free != nullptr) calls_.state_free(state_);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  [[nodiscard]] bool is_there() const noexcept { return !is_own_ || state_ != nullptr; }
  [[nodiscard]] const tandem_audio_codec& calls() const noexcept { return calls_; }
  [[nodiscard]] void* get() const noexcept { return state_; }

 private:
  const tandem_audio_codec calls_;
  void* const state_;
  const bool is_own_;
};

class Decoder final : public AudioDecoder {
 public:
  explicit Decoder(const tandem_audio_codec& calls) : state(calls) {}
  std::size_t decode(std::span<const std::uint8_t> payload,
                     std::span<std::int16_t> samples) noexcept override {
    return std::min(state.calls().decode(state.get(), payload.data(), payload.size(),
                                         samples.data(), samples.size()),
                    samples.size());
  }
  std::size_t conceal(std::span<const std::uint8_t> next,
                      std::span<std::int16_t> samples) noexcept override {
    const auto call = state.calls().conceal;
    if (call == nullptr) return 0;
    return std::min(call(state.get(), next.empty() ? nullptr : next.data(), next.size(),
                         samples.data(), samples.size()),
                    samples.size());
  }
  const State state;
};

class Encoder final : public AudioEncoder {
 public:
  explicit Encoder(const tandem_audio_codec& calls) : state(calls) {}
  std::size_t encode(std::span<const std::int16_t> samples,
                     std::span<std::uint8_t> payload) noexcept override {
    return std::min(state.calls().encode(state.get(), samples.data(), samples.size(),
                                         payload.data(), payload.size()),
                    payload.size());
  }
  const State state;
};

class HostCodec final : public AudioCodec {
 public:
  explicit HostCodec(const tandem_audio_codec& calls) : calls_(calls) {
    facts_.name = view(calls.name);
    if (calls.clock_rate_hz != 0) facts_.clock_rate_hz = calls.clock_rate_hz;
    if (calls.channels != 0)
      facts_.channels = static_cast<std::uint8_t>(std::min<std::uint32_t>(calls.channels, 255));
    facts_.payload_type = calls.payload_type;
    if (calls.frame_ms != 0) facts_.frame_ms = calls.frame_ms;
    facts_.fmtp = view(calls.fmtp);
    if (calls.sample_rate_hz != 0) facts_.sample_rate_hz = calls.sample_rate_hz;
    facts_.keeps_state = calls.keeps_state != 0;
  }
  [[nodiscard]] const AudioCodecFacts& facts() const noexcept override { return facts_; }
  [[nodiscard]] std::unique_ptr<AudioDecoder> make_decoder() const override {
    auto made = std::make_unique<Decoder>(calls_);
    return made->state.is_there() ? std::move(made) : nullptr;
  }
  [[nodiscard]] std::unique_ptr<AudioEncoder> make_encoder() const override {
    auto made = std::make_unique<Encoder>(calls_);
    return made->state.is_there() ? std::move(made) : nullptr;
  }

 private:
  const tandem_audio_codec calls_;
  AudioCodecFacts facts_;
};

}  // namespace

extern "C" int tandem_audio_codec_add(const tandem_audio_codec* codec) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(codec);
    const auto read = read_struct(codec, "tandem_audio_codec");
    TANDEM_CAPI_TRY(read);
    if (read->decode == nullptr || read->encode == nullptr)
      return fail(ErrorCode::invalid_argument, "decode or encode of the codec was NULL");
    TANDEM_CAPI_TRY(add_audio_codec(std::make_shared<HostCodec>(*read)));
    return TANDEM_OK;
  });
}

extern "C" int tandem_audio_codec_names(tandem_text** names) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(names);
    std::string text;
    for (const auto& codec : audio_codecs()) {
      if (!text.empty()) text += ',';
      text += codec->facts().name + '/' + std::to_string(codec->facts().clock_rate_hz);
    }
    return give(std::move(text), names);
  });
}
