// The time that old entries are judged by.
#pragma once

#include <algorithm>
#include <cstdint>

namespace tandem {

/// A wall clock that is a year ahead for a while, after a battery failed or a wrong step, must not
/// cost a year of entries: they do not come back. So this time follows the wall clock forward by a
/// day an hour at most, which leaves time to see the alarm and still makes up for a switch that was
/// off. It never goes back by itself; what is judged by it is the earlier one of both.
///
/// Threading: one thread at a time.
class RetentionClock {
 public:
  static constexpr std::int64_t pace = 24;  ///< Times as fast as time goes by, at most.

  /// `known_us`: the last time that was known, wall clock. `monotonic_us`: now.
  RetentionClock(std::int64_t known_us, std::int64_t monotonic_us) noexcept
      : known_us_(known_us), seen_us_(monotonic_us) {}

  /// The time to judge by, microseconds since 1970 UTC; never after `wall_us`.
  std::int64_t advance(std::int64_t wall_us, std::int64_t monotonic_us) noexcept {
    const std::int64_t gone_us = std::max<std::int64_t>(monotonic_us - seen_us_, 0);
    seen_us_ = monotonic_us;
    if (wall_us > known_us_) known_us_ += std::min(wall_us - known_us_, gone_us * pace);
    return std::min(wall_us, known_us_);
  }

  /// The latest time that was judged by.
  [[nodiscard]] std::int64_t known_us() const noexcept { return known_us_; }

 private:
  std::int64_t known_us_;
  std::int64_t seen_us_;  // monotonic
};

}  // namespace tandem
