// Packets of one stream that wait until they are due, so that a decoder gets them in order (M-16).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "media/rtp.hpp"

namespace tandem::media {

/// A packet is due when the fastest packets of the last seconds would have come, and the depth
/// later. The depth is as long as the slowest packet of these seconds was slower, within two
/// bounds: it grows at once when a packet comes late, and falls by 10 ms in 5 s at most. Since
/// timestamps go on with the packets, a changed depth changes no sample.
///
/// What is not there when it is due is lost as soon as a later one waits: silence that a sender
/// leaves out is no loss, and what is slower than the depth while nothing waits is not either.
///
/// Threading: one thread at a time. Nothing is allocated but by open().
class JitterBuffer {
 public:
  static constexpr std::size_t packets_max = 64;
  static constexpr std::size_t bytes_max = 16'384;
  static constexpr std::int64_t window_us = 5'000'000;       ///< Two of them are looked back at.
  static constexpr std::int64_t fall_us = 10'000;            ///< Of the depth, at the end of each.
  static constexpr std::int64_t start_us = 40'000;           ///< Depth before anything is known.
  static constexpr std::int64_t concealed_max_us = 120'000;  ///< Of one gap; a longer one stays.

  enum class Put : std::uint8_t {
    taken,
    repeated,  ///< It was there before.
    late,      ///< Its place has gone.
    full,      ///< Take one without waiting, and come again.
    other,     ///< Of another stream or time base: take all without waiting, restart(), come again.
  };

  struct Due {
    enum class Kind : std::uint8_t { nothing, packet, lost };
    Kind kind = Kind::nothing;
    RtpHeader header;         ///< `lost`: its sequence and timestamp.
    std::string_view packet;  ///< Until the next call. `lost`: the one behind it, or none.
    std::uint32_t units = 0;  ///< `lost`: its length by the RTP clock.
  };

  struct Counts {
    std::uint32_t late = 0;  ///< Came after their place had gone.
    std::uint32_t lost = 0;  ///< Had not come when their place went.
    bool operator==(const Counts&) const = default;
  };

  /// Bounds in milliseconds, 0..1,000, and what the timestamps count.
  void open(std::uint32_t min_ms, std::uint32_t max_ms, std::uint32_t clock_rate_hz);
  void close() noexcept;
  [[nodiscard]] bool is_open() const noexcept { return bytes_ != nullptr; }

  /// `is_audio`: its timestamp says when it was recorded; that of a key says when that began.
  Put put(const RtpHeader& header, std::string_view packet, bool is_audio,
          std::int64_t now_us) noexcept;
  /// What is due; `is_waiting` false: the next one, due or not.
  Due take(std::int64_t now_us, bool is_waiting = true) noexcept;
  void restart() noexcept;  ///< The next packet is the first of a stream. Counts and depth stay.

  [[nodiscard]] bool is_empty() const noexcept { return count_ == 0; }
  [[nodiscard]] std::int64_t depth_us() const noexcept { return depth_us_; }
  [[nodiscard]] const Counts& counts() const noexcept { return counts_; }

 private:
  struct Entry {
    RtpHeader header;
    std::int64_t extended = 0;  // timestamp without its wraps
    std::size_t begin = 0, size = 0;
    bool is_audio = false;
  };

  [[nodiscard]] std::int64_t media_us(std::int64_t extended) const noexcept;
  [[nodiscard]] std::int64_t due_us(std::int64_t extended) const noexcept;
  void measure(std::int64_t transit_us, std::int64_t now_us) noexcept;
  bool make_room(std::size_t size) noexcept;
  void pass(std::uint16_t to, bool has_come) noexcept;

  std::int64_t min_us_ = 0, max_us_ = 0;
  std::uint32_t clock_rate_hz_ = 8000;
  std::unique_ptr<std::array<char, bytes_max>> bytes_;
  std::size_t bytes_end_ = 0;
  std::array<Entry, packets_max> entries_{};  // by sequence
  std::size_t count_ = 0;

  bool has_begun_ = false;  // something was put
  bool has_given_ = false;  // something was taken, so that next_ holds
  std::uint16_t next_ = 0;  // sequence that is due next
  std::uint64_t came_ = 0;  // which of the 64 before next_ had come; bit 0: the last one
  std::uint32_t ssrc_ = 0;
  std::uint16_t newest_sequence_ = 0;
  std::uint32_t newest_timestamp_ = 0;  // of the newest audio
  std::int64_t newest_extended_ = 0;
  Entry last_;  // given last

  std::int64_t depth_us_ = 0;
  std::int64_t window_from_us_ = 0;
  std::int64_t fastest_us_[2] = {}, slowest_us_[2] = {};  // transits of this window, of the former
  Counts counts_;
};

}  // namespace tandem::media
