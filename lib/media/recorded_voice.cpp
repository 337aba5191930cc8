#include "media/recorded_voice.hpp"

#include <algorithm>

namespace tandem::media {

namespace {

/// 120 ms at 48,000 Hz, and more than a packet of G.711 can have.
constexpr std::size_t decoded_samples_max = 3 * audio_packet_samples_max;

}  // namespace

RecordedVoice::RecordedVoice() {
  for (auto& codec : audio_codecs()) {
    const int type = codec->facts().payload_type;
    if (type >= 0) codecs_[static_cast<std::size_t>(type)] = std::move(codec);
  }
}

std::span<const std::int16_t> RecordedVoice::decode(const RtpHeader& header,
                                                    std::string_view payload) {
  const auto& codec = codecs_[header.payload_type & 0x7F];
  if (codec == nullptr) return {};
  // Another stream begins with a decoder that has heard nothing.
  if (decoder_ == nullptr || codec != codec_ || header.ssrc != ssrc_) {
    decoder_ = codec->make_decoder();
    codec_ = codec;
    ssrc_ = header.ssrc;
    units_ = codec->facts().clock_rate_hz / audio_rate_hz;
    resampler_.set(codec->facts().sample_rate_hz, audio_rate_hz);
    decoded_.resize(decoded_samples_max);
    if (resampler_.is_needed()) resampled_.resize(decoded_samples_max / 2);
  }
  if (decoder_ == nullptr) return {};
  const auto* const bytes = reinterpret_cast<const std::uint8_t*>(payload.data());
  const std::size_t count =
      std::min(decoder_->decode({bytes, payload.size()}, decoded_), decoded_.size());
  const std::span<const std::int16_t> decoded{decoded_.data(), count};
  if (!resampler_.is_needed()) return decoded;
  return {resampled_.data(), resampler_.take(decoded, resampled_)};
}

}  // namespace tandem::media
