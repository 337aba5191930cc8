// What the sides of a session say, decoded, for who listens to it: analysis, transcription.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "tandem/error.hpp"
#include "tandem/export.h"
#include "tandem/media_audio.hpp"
#include "tandem/media_relay.hpp"

namespace tandem {

/// The samples of one packet. There is no jitter buffer: packets come as they came, and sequence
/// and timestamp say where each belongs.
struct TappedAudio {
  MediaSide side = MediaSide::caller;
  std::int64_t at_us = 0;  ///< Monotonic.
  std::uint32_t ssrc = 0;
  std::uint32_t timestamp = 0;  ///< Of the RTP clock of its codec.
  std::uint16_t sequence = 0;
  std::uint32_t rate_hz = audio_rate_hz;  ///< Of the samples: 8,000, 16,000 or 48,000.
  std::vector<std::int16_t> samples;      ///< One channel.
};

/// A tap whose packets are decoded where they are taken, not on the relay's thread.
///
/// Threading: one thread at a time, any. May outlive its session, then it is over.
class TANDEM_EXPORT AudioTap {
 public:
  AudioTap() noexcept;  ///< Of no session: over.
  ~AudioTap();
  AudioTap(AudioTap&& other) noexcept;
  AudioTap& operator=(AudioTap&& other) noexcept;

  /// Of `session`, each side by its codec and payload type; a side without a codec is not heard.
  /// `buffer_bytes` as MediaSession::tap(). Errors: invalid_argument (no side has a codec, or one
  /// makes no decoder), and those of MediaSession::tap().
  static Result<AudioTap> of(MediaSession& session, const MediaAudio& caller,
                             const MediaAudio& callee, std::size_t buffer_bytes = 65'536);

  /// The next packet that can be decoded into `out`, whose memory is used again. False: none waits.
  bool take(TappedAudio& out);
  /// Packets of other payload types (keys, comfort noise), or that could not be decoded.
  [[nodiscard]] std::uint64_t skipped() const noexcept { return skipped_; }
  [[nodiscard]] std::uint64_t dropped() const noexcept;  ///< MediaTap::dropped().
  void end() noexcept;
  [[nodiscard]] bool is_over() const noexcept;  ///< MediaTap::is_over().

 private:
  struct Voice {
    std::shared_ptr<const AudioCodec> codec;
    std::unique_ptr<AudioDecoder> decoder;
    std::uint8_t payload_type = 0;
    std::uint32_t ssrc = 0;
    bool has_ssrc = false;
  };
  MediaTap tap_;
  std::array<Voice, 2> voices_;  // by MediaSide, the caller's first
  TappedPacket packet_;
  std::uint64_t skipped_ = 0;
};

}  // namespace tandem
