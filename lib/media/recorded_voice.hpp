// What one side of a recording says, as samples at the rate of the file.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "media/resampler.hpp"
#include "media/rtp.hpp"
#include "tandem/audio_codec.hpp"

namespace tandem::media {

/// Decodes packets in the order of their arrival. Types that codecs have by RFC 3551 are known from
/// the beginning.
///
/// Threading: one thread at a time.
class RecordedVoice {
 public:
  RecordedVoice();

  /// `payload_type` 0..127. Null: it is not decoded.
  void set(std::uint8_t payload_type, std::shared_ptr<const AudioCodec> codec) noexcept {
    codecs_[payload_type] = std::move(codec);
  }
  /// At 8,000 Hz, until the next call. Empty: of no codec that is known here, or broken.
  std::span<const std::int16_t> decode(const RtpHeader& header, std::string_view payload);
  /// RTP clock units of each sample that decode() gave last.
  [[nodiscard]] std::uint32_t units() const noexcept { return units_; }

 private:
  std::array<std::shared_ptr<const AudioCodec>, 128> codecs_;  // by payload type
  std::shared_ptr<const AudioCodec> codec_;                    // of the stream
  std::unique_ptr<AudioDecoder> decoder_;                      // of the same
  std::uint32_t ssrc_ = 0;                                     // of the same
  std::uint32_t units_ = 1;
  Resampler resampler_;
  std::vector<std::int16_t> decoded_, resampled_;
};

}  // namespace tandem::media
