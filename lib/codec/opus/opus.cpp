// Opus (RFC 6716) by libopus, in RTP as RFC 7587 says: a clock of 48,000 Hz whatever is sent, two
// channels in a=rtpmap whatever is sent.
#include <opus.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>

#include "codec/libraries.hpp"
#include "codec/opus_options.hpp"

namespace tandem::codec {
namespace {

/// All that the codecs on the other side can hear; full band would cost three times as much.
constexpr std::int32_t rate_hz = 16000;
constexpr std::size_t frame_samples = rate_hz / 100;  // 10 ms
constexpr std::size_t packet_frames_max = 12;         // 120 ms
constexpr std::size_t frame_bytes_max = 320;          // above 255 kbit/s in 10 ms
/// At 5 % and its usual bitrate libopus keeps no room for correction at all.
constexpr int loss_expected_percent = 15;
constexpr std::array<std::size_t, 7> frames_at_once = {1, 2, 4, 6, 8, 10, 12};

/// Memory for a state that libopus names by its bytes.
std::vector<std::max_align_t> memory_of(int bytes) {
  return std::vector<std::max_align_t>(static_cast<std::size_t>(bytes) / sizeof(std::max_align_t) +
                                       1);
}

class Decoder final : public AudioDecoder {
 public:
  Decoder()
      : state_(memory_of(opus_decoder_get_size(1))),
        is_there_(opus_decoder_init(get(), rate_hz, 1) == OPUS_OK) {}
  [[nodiscard]] bool is_there() const noexcept { return is_there_; }

  std::size_t decode(std::span<const std::uint8_t> payload,
                     std::span<std::int16_t> samples) noexcept override {
    // An empty payload is none; to libopus it would be a lost one.
    if (payload.empty()) return 0;
    return given(opus_decode(get(), payload.data(), static_cast<opus_int32>(payload.size()),
                             samples.data(), static_cast<int>(samples.size()), 0));
  }

  std::size_t conceal(std::span<const std::uint8_t> next,
                      std::span<std::int16_t> samples) noexcept override {
    const int count = static_cast<int>(samples.size());
    if (count == 0 || samples.size() % (frame_samples / 4) != 0) return 0;
    if (!next.empty()) {
      // What the packet behind has of the lost one, or else what it is like.
      const int made = opus_decode(get(), next.data(), static_cast<opus_int32>(next.size()),
                                   samples.data(), count, 1);
      if (made == count) return samples.size();
    }
    return given(opus_decode(get(), nullptr, 0, samples.data(), count, 0));
  }

 private:
  static std::size_t given(int samples) noexcept {
    return samples > 0 ? static_cast<std::size_t>(samples) : 0;
  }
  OpusDecoder* get() noexcept { return reinterpret_cast<OpusDecoder*>(state_.data()); }
  std::vector<std::max_align_t> state_;
  const bool is_there_;
};

class Encoder final : public AudioEncoder {
 public:
  explicit Encoder(const OpusOptions& options)
      : state_(memory_of(opus_encoder_get_size(1))),
        joiner_(memory_of(opus_repacketizer_get_size())),
        is_there_(opus_encoder_init(get(), rate_hz, 1, OPUS_APPLICATION_VOIP) == OPUS_OK) {
    if (!is_there_) return;
    const auto set = [this](auto&&... request) { (void)opus_encoder_ctl(get(), request...); };
    set(OPUS_SET_COMPLEXITY(5));  // half the time of the default, heard by nobody on a phone
    set(OPUS_SET_SIGNAL(OPUS_SIGNAL_VOICE));
    set(OPUS_SET_INBAND_FEC(options.uses_inband_fec ? 1 : 0));
    if (options.uses_inband_fec) set(OPUS_SET_PACKET_LOSS_PERC(loss_expected_percent));
    set(OPUS_SET_DTX(options.uses_dtx ? 1 : 0));
    set(OPUS_SET_VBR(options.is_constant_rate ? 0 : 1));
    if (options.average_bitrate_max != 0)
      set(OPUS_SET_BITRATE(static_cast<opus_int32>(options.average_bitrate_max)));
    if (options.playback_rate_max_hz < 12000)
      set(OPUS_SET_MAX_BANDWIDTH(OPUS_BANDWIDTH_NARROWBAND));
    else if (options.playback_rate_max_hz < 16000)
      set(OPUS_SET_MAX_BANDWIDTH(OPUS_BANDWIDTH_MEDIUMBAND));
  }
  [[nodiscard]] bool is_there() const noexcept { return is_there_; }

  std::size_t encode(std::span<const std::int16_t> samples,
                     std::span<std::uint8_t> payload) noexcept override {
    const std::size_t frames = samples.size() / frame_samples;
    if (frames == 0 || frames > packet_frames_max || samples.size() % frame_samples != 0) return 0;
    const bool is_one =
        std::find(frames_at_once.begin(), frames_at_once.end(), frames) != frames_at_once.end();
    return is_one ? encode_one(samples, payload) : join(samples, payload);
  }

 private:
  std::size_t encode_one(std::span<const std::int16_t> samples,
                         std::span<std::uint8_t> payload) noexcept {
    const opus_int32 size =
        opus_encode(get(), samples.data(), static_cast<int>(samples.size()), payload.data(),
                    static_cast<opus_int32>(std::min<std::size_t>(payload.size(), 1275)));
    return size > 0 ? static_cast<std::size_t>(size) : 0;
  }

  /// Packets of 30 ms and the like hold frames of 10 ms.
  std::size_t join(std::span<const std::int16_t> samples,
                   std::span<std::uint8_t> payload) noexcept {
    auto* const joiner = reinterpret_cast<OpusRepacketizer*>(joiner_.data());
    opus_repacketizer_init(joiner);
    for (std::size_t i = 0; i * frame_samples < samples.size(); ++i) {
      const std::size_t size =
          encode_one(samples.subspan(i * frame_samples, frame_samples), frames_[i]);
      if (size == 0) return 0;
      // A frame of another kind than those before has no place beside them: they go alone.
      if (opus_repacketizer_cat(joiner, frames_[i].data(), static_cast<opus_int32>(size)) !=
          OPUS_OK)
        return 0;
    }
    const opus_int32 size =
        opus_repacketizer_out(joiner, payload.data(), static_cast<opus_int32>(payload.size()));
    return size > 0 ? static_cast<std::size_t>(size) : 0;
  }

  OpusEncoder* get() noexcept { return reinterpret_cast<OpusEncoder*>(state_.data()); }
  std::vector<std::max_align_t> state_, joiner_;
  std::array<std::array<std::uint8_t, frame_bytes_max>, packet_frames_max> frames_{};
  const bool is_there_;
};

class Opus final : public AudioCodec {
 public:
  [[nodiscard]] const AudioCodecFacts& facts() const noexcept override { return facts_; }
  [[nodiscard]] std::unique_ptr<AudioDecoder> make_decoder() const override {
    auto made = std::make_unique<Decoder>();
    return made->is_there() ? std::move(made) : nullptr;
  }
  [[nodiscard]] std::unique_ptr<AudioEncoder> make_encoder() const override {
    return make_encoder_for({});
  }
  [[nodiscard]] std::unique_ptr<AudioEncoder> make_encoder_for(
      std::string_view fmtp) const override {
    auto made = std::make_unique<Encoder>(opus_options(fmtp));
    return made->is_there() ? std::move(made) : nullptr;
  }

 private:
  const AudioCodecFacts facts_{
      .name = "opus",
      .clock_rate_hz = 48000,
      .channels = 2,
      .frame_ms = 10,
      .fmtp = "maxplaybackrate=16000;sprop-maxcapturerate=16000;stereo=0;useinbandfec=1",
      .sample_rate_hz = rate_hz,
      .keeps_state = true};
};

}  // namespace

std::shared_ptr<const AudioCodec> make_opus() { return std::make_shared<Opus>(); }

}  // namespace tandem::codec
