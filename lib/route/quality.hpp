// How well a vendor answers, over a window of time slices.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>

namespace tandem::route {

/// Below this many attempts, or answered calls that are over, in the window nothing is said about a
/// vendor.
inline constexpr std::uint64_t quality_sample_min = 20;
inline constexpr std::uint32_t quality_slices_max = 1440;

/// What a window holds.
struct Quality {
  std::uint64_t attempts = 0;  ///< With a final response, a timeout or an answer.
  std::uint64_t answered = 0;
  std::uint64_t ended = 0;    ///< Answered calls that are over.
  std::uint64_t talk_ms = 0;  ///< Of those.

  [[nodiscard]] bool is_sample() const noexcept { return attempts >= quality_sample_min; }
  [[nodiscard]] bool is_talk_sample() const noexcept { return ended >= quality_sample_min; }
  /// ASR in whole percent; 0 without attempts.
  [[nodiscard]] std::uint32_t answer_percent() const noexcept {
    return attempts == 0 ? 0 : static_cast<std::uint32_t>(answered * 100 / attempts);
  }
  /// ACD in seconds; 0 before the first end.
  [[nodiscard]] std::uint64_t average_talk_s() const noexcept {
    return ended == 0 ? 0 : talk_ms / ended / 1000;
  }
};

/// Counts the attempts of one vendor; what is older than the window ages out slice by slice.
/// Threading: thread-safe, without locks. Times are monotonic microseconds.
class QualityMeter {
 public:
  /// REQUIRES: 1 <= slice_s <= window_s and at most quality_slices_max slices.
  QualityMeter(std::int32_t window_s, std::int32_t slice_s);

  void add_attempt(std::int64_t now_us, bool is_answered) noexcept;
  /// An answered call is over.
  void add_talk(std::int64_t now_us, std::int64_t talk_ms) noexcept;

  [[nodiscard]] Quality at(std::int64_t now_us) const noexcept;
  /// at().answer_percent() when there is a sample. Sums the window only after something changed, so
  /// that ordering may ask for every candidate.
  [[nodiscard]] std::optional<std::uint32_t> answer_percent(std::int64_t now_us) const noexcept;
  /// at().average_talk_s() likewise.
  [[nodiscard]] std::optional<std::uint32_t> talk_time_s(std::int64_t now_us) const noexcept;

 private:
  // A count with the slice that it belongs to: the first add in a new slice replaces what an old
  // one left, in one exchange, so nothing has to be cleared in time.
  using Count = std::atomic<std::uint64_t>;
  static constexpr unsigned count_bits = 40;
  struct Slice {
    Count attempts{0}, answered{0}, ended{0}, talk_ms{0};
  };
  [[nodiscard]] std::int64_t slice_of(std::int64_t now_us) const noexcept {
    return now_us / slice_us_ + 1;  // Never 0, which marks a count without a slice.
  }
  static void add(Count& count, std::int64_t slice, std::uint64_t number) noexcept;
  [[nodiscard]] static std::uint64_t read(const Count& count, std::int64_t slice) noexcept;

  const std::int64_t slice_us_;
  const std::uint32_t slices_count_;
  const std::unique_ptr<Slice[]> slices_;
  std::atomic<std::uint32_t> changes_{0};
  // Of answer_percent(): changes (32 bits), slice (24), percent or `no_sample` (8).
  mutable std::atomic<std::uint64_t> known_{0};
  std::atomic<std::uint32_t> talk_changes_{0};
  // Of talk_time_s(): changes (20 bits), slice (20), seconds or `no_talk_sample` (24).
  mutable std::atomic<std::uint64_t> known_talk_{0};
};

}  // namespace tandem::route
