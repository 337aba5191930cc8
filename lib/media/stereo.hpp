// Two streams of samples put beside each other in time.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "media/rtp.hpp"
#include "tandem/media_relay.hpp"

namespace tandem::media {

/// Frames of a left (caller) and a right (callee) sample at 8,000 Hz. Each stream lies where its
/// RTP timestamps put it, fastened to the time of arrival at its first packet and again where it
/// begins anew: another SSRC, or timestamps that leave the arrival by more than half a second. What
/// only comes out of order, and what was held up and comes in a burst, does not begin anew.
///
/// Threading: one thread at a time.
class StereoTrack {
 public:
  static constexpr std::int64_t rate_hz = 8000;
  static constexpr std::int64_t reorder_frames = 4000;  ///< Half a second: what waits for the late.

  explicit StereoTrack(std::int64_t begins_us);

  enum class Fate : std::uint8_t { taken, late, skipped };
  /// What packets hold, in the order of their arrival, at rate_hz; `units` of the RTP clock are one
  /// sample. Skipped: there is none.
  Fate put(MediaSide side, std::int64_t at_us, const RtpHeader& header,
           std::span<const std::int16_t> samples, std::uint32_t units = 1);

  /// Appends what no packet may change any more at `now_us`: 16 bit, little-endian, left and right.
  void flush(std::int64_t now_us, std::string& out);
  /// Appends the rest, up to the end of the last packet.
  void finish(std::string& out);

 private:
  static constexpr std::int64_t window_frames =
      16'384;  // a power of two above twice reorder_frames

  struct Stream {
    bool has_begun = false;
    std::uint32_t ssrc = 0;
    std::uint16_t sequence = 0;   // of the newest packet
    std::uint32_t timestamp = 0;  // of the same
    std::int64_t frame = 0;       // of that timestamp
    std::int64_t arrival = 0;     // of the packet before, in frames
  };
  [[nodiscard]] std::int64_t frame_at(std::int64_t now_us) const noexcept;
  void flush_to(std::int64_t frame, std::string& out);

  const std::int64_t begins_us_;
  std::int64_t flushed_ = 0;  // frames behind us
  std::int64_t end_ = 0;      // frame behind the last one that was put
  Stream streams_[2];
  std::vector<std::int16_t> window_;  // of flushed_ and what follows, by frame modulo window_frames
};

/// The 44 bytes before `data_bytes` of samples.
std::string wav_header(std::uint32_t data_bytes);
constexpr std::size_t wav_header_bytes = 44;

}  // namespace tandem::media
