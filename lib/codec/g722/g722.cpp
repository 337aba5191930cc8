// G.722 at 64 kbit/s by libspandsp: audio at 16,000 Hz, in RTP with a clock of 8,000 Hz by an old
// mistake that RFC 3551 section 4.5.2 keeps.
//
// Its headers stand alone only in this order; spandsp.h would want those of libtiff for its fax.
// clang-format off
#include <cstdint>
#include <spandsp/telephony.h>
#include <spandsp/g722.h>
// clang-format on

#include <algorithm>
#include <array>

#include "codec/libraries.hpp"

namespace tandem::codec {
namespace {

constexpr std::uint32_t rate_hz = 16000;
constexpr int bits_per_second = 64000;
/// Repeated in the place of what is lost: the end of what came before, each time at half of it.
constexpr std::size_t repeated_samples = 320;

struct Freed {
  void operator()(g722_decode_state_t* state) const noexcept { (void)g722_decode_free(state); }
  void operator()(g722_encode_state_t* state) const noexcept { (void)g722_encode_free(state); }
};

class Decoder final : public AudioDecoder {
 public:
  [[nodiscard]] bool is_there() const noexcept { return state_ != nullptr; }

  std::size_t decode(std::span<const std::uint8_t> payload,
                     std::span<std::int16_t> samples) noexcept override {
    const std::size_t size = std::min(payload.size(), samples.size() / 2);
    const int made =
        g722_decode(state_.get(), samples.data(), payload.data(), static_cast<int>(size));
    const std::size_t count = made > 0 ? static_cast<std::size_t>(made) : 0;
    const std::size_t kept = std::min(count, repeated_samples);
    std::move(last_.begin() + static_cast<std::ptrdiff_t>(kept), last_.end(), last_.begin());
    std::copy_n(samples.begin() + static_cast<std::ptrdiff_t>(count - kept), kept,
                last_.end() - static_cast<std::ptrdiff_t>(kept));
    return count;
  }

  std::size_t conceal(std::span<const std::uint8_t>,
                      std::span<std::int16_t> samples) noexcept override {
    for (std::size_t i = 0; i < samples.size(); ++i) {
      std::int16_t& from = last_[i % repeated_samples];
      from = static_cast<std::int16_t>(from / 2);
      samples[i] = from;
    }
    return samples.size();
  }

 private:
  std::unique_ptr<g722_decode_state_t, Freed> state_{g722_decode_init(nullptr, bits_per_second, 0)};
  std::array<std::int16_t, repeated_samples> last_{};
};

class Encoder final : public AudioEncoder {
 public:
  [[nodiscard]] bool is_there() const noexcept { return state_ != nullptr; }

  std::size_t encode(std::span<const std::int16_t> samples,
                     std::span<std::uint8_t> payload) noexcept override {
    const std::size_t count = std::min(samples.size() / 2, payload.size()) * 2;
    const int size =
        g722_encode(state_.get(), payload.data(), samples.data(), static_cast<int>(count));
    return size > 0 ? static_cast<std::size_t>(size) : 0;
  }

 private:
  std::unique_ptr<g722_encode_state_t, Freed> state_{g722_encode_init(nullptr, bits_per_second, 0)};
};

class G722 final : public AudioCodec {
 public:
  [[nodiscard]] const AudioCodecFacts& facts() const noexcept override { return facts_; }
  [[nodiscard]] std::unique_ptr<AudioDecoder> make_decoder() const override {
    auto made = std::make_unique<Decoder>();
    return made->is_there() ? std::move(made) : nullptr;
  }
  [[nodiscard]] std::unique_ptr<AudioEncoder> make_encoder() const override {
    auto made = std::make_unique<Encoder>();
    return made->is_there() ? std::move(made) : nullptr;
  }

 private:
  const AudioCodecFacts facts_{.name = "G722",
                               .payload_type = 9,
                               .fmtp = {},
                               .sample_rate_hz = rate_hz,
                               .keeps_state = true};
};

}  // namespace

std::shared_ptr<const AudioCodec> make_g722() { return std::make_shared<G722>(); }

}  // namespace tandem::codec
