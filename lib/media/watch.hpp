// What is looked at in a flow beyond its forwarding, and what was seen.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "media/srtp_side.hpp"
#include "media/telephone_event.hpp"
#include "tandem/media_relay.hpp"

namespace tandem::media {

class AudioBridge;
class SideHandshake;

/// Beside the FlowRecord of an RTP port. Packets of a flow without FlowRecord::watched do not touch
/// it, but for those that are refused or go nowhere.
///
/// First cache line: written by the owner of the session. The rest: by the flow's shard, which
/// forgets it with the former session of the port, as the counters of the record.
struct alignas(64) Watch {
  std::atomic<std::uint64_t> tag{0};
  /// Bit by payload type. None set: all are fine.
  std::atomic<std::uint64_t> negotiated[2] = {};
  std::atomic<std::uint64_t> keys[2] = {};  ///< Which of them are telephone-event.
  /// All are taken away before what they point at is retired; see RelayCore::retire().
  std::atomic<const MediaSources*> sources{nullptr};  ///< Null: everybody may speak.
  std::atomic<TapRing*> tap{nullptr};                 ///< Null: nobody listens.
  std::atomic<SrtpSide*> crypto{nullptr};  ///< Null: its media is plain (FlowRecord::encrypted).

  alignas(64) std::atomic<std::uint32_t> shard{0};
  std::atomic<std::uint32_t> silence_ms{0};
  std::atomic<std::uint32_t> loss_permille{0};
  std::atomic<std::uint32_t> loss_window_ms{0};
  std::atomic<std::int64_t> watched_from_us{0};  ///< Silence before does not count.

  std::atomic<std::uint64_t> unnegotiated{0};
  /// Taken away before it is retired, as the two above. Null: packets go on as they are.
  std::atomic<AudioBridge*> bridge{nullptr};
  std::atomic<SideHandshake*> handshake{nullptr};  ///< Null: none (FlowRecord::handshakes).
  std::atomic<std::uint32_t> digits{0};
  std::atomic<std::uint32_t> malformed{0}, denied{0}, undeliverable{0}, discarded{0}, failed{0};
  std::atomic<std::uint32_t> not_authentic{0};  ///< RTP whose tag did not fit the key.
  std::atomic<std::uint32_t> jitter_late{0}, jitter_lost{0};  ///< JitterBuffer::Counts.
  std::atomic<std::uint32_t> jitter_depth_ms{0};              ///< The greatest so far.
  std::atomic<MediaSide> side{MediaSide::caller};
  std::atomic<bool> is_scanned{false};  ///< scan() has to look at it.
  static constexpr std::size_t event_clocks_max = 4;
  /// Of types of telephone-event whose clock is not that of the side's audio: the type in the
  /// highest byte, below it the clock. 0: no more of them.
  std::atomic<std::uint32_t> event_clocks[event_clocks_max] = {};

  // The shard's alone.
  alignas(64) KeyDetector detector;
  std::uint32_t key_clock_rate_hz = 0;  // of the key in `detector`
  std::int64_t refusal_told_us = 0;
  std::uint32_t refusals_untold = 0;
  bool is_silent = false;
  std::int64_t silent_from_us = 0;
  bool is_lossy = false;
  std::int64_t window_from_us = 0;
  std::uint32_t window_expected = 0, window_lost = 0;

  [[nodiscard]] static bool has(const std::atomic<std::uint64_t> (&types)[2],
                                std::uint8_t payload_type) noexcept {
    return (types[payload_type >> 6].load(std::memory_order_relaxed) >> (payload_type & 63) & 1) !=
           0;
  }
  /// Of `payload_type`; 0: that of the audio.
  [[nodiscard]] std::uint32_t event_clock_rate_hz(std::uint8_t payload_type) const noexcept;
  void begin() noexcept;   ///< Forgets what was seen of the former session.
  void forget() noexcept;  ///< ... and what was asked for.
};

/// Whether `from` may speak under `sources`.
bool is_allowed(const MediaSources& sources, const IpAddress& from) noexcept;

}  // namespace tandem::media
