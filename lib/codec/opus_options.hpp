// What a receiver of Opus says of it in a=fmtp (RFC 7587 section 6.1).
#pragma once

#include <cstdint>
#include <string_view>

namespace tandem::codec {

struct OpusOptions {
  std::uint32_t playback_rate_max_hz = 48000;  ///< 8,000..48,000.
  std::uint32_t average_bitrate_max = 0;       ///< 6,000..510,000; 0: what the encoder thinks.
  bool uses_inband_fec = false;                ///< It can use forward error correction.
  bool uses_dtx = false;                       ///< It wants nothing sent of silence.
  bool is_constant_rate = false;
  bool operator==(const OpusOptions&) const = default;
};

/// What is out of range or not known says nothing; of two the last one counts.
OpusOptions opus_options(std::string_view fmtp) noexcept;

}  // namespace tandem::codec
