// Sharing calls out in proportion.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

namespace tandem::route {

inline constexpr std::int32_t split_share_max = 1000;
inline constexpr std::size_t split_entries_max = 64;

/// In which order the entries of a split come: smooth weighted round robin, so that any run of
/// calls has the shares as nearly as whole calls allow. A round is as long as the sum of the shares
/// without their common divisor and is worked out once. Threading: immutable; any number of threads
/// may call it at once.
class SplitSchedule {
 public:
  SplitSchedule() = default;
  /// REQUIRES: 1..split_entries_max shares of 1..split_share_max each.
  explicit SplitSchedule(std::span<const std::int32_t> shares);

  [[nodiscard]] bool empty() const noexcept { return round_.empty(); }
  [[nodiscard]] std::size_t round_length() const noexcept { return round_.size(); }
  /// The entry of the call with this number.
  [[nodiscard]] std::size_t entry(std::uint64_t call) const noexcept {
    return round_[call % round_.size()];
  }

 private:
  std::vector<std::uint8_t> round_;
};

/// How many calls of one customer were shared out. Threading: thread-safe, without locks.
class SplitTurn {
 public:
  std::uint64_t take() noexcept { return calls_.fetch_add(1, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t peek() const noexcept {
    return calls_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<std::uint64_t> calls_{0};
};

}  // namespace tandem::route
