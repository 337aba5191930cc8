// The order of R-04 among candidates that more is known of than the table holds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "tandem/route_table.hpp"

namespace tandem::route {

/// Picks the best of the candidates that it is shown, in the order of R-04 with policies.
///
/// What a policy makes of a candidate depends on all of them: the mean of the known answer ratios
/// and talk times, the lowest of the prices. So every candidate is noted once; when they did not
/// all fit into the answer, they are shown a second time, and the answer keeps the best. Does not
/// allocate. Threading: one thread at a time.
class Choice {
 public:
  /// `out` has room for at least one.
  Choice(const RouteSort& sort, std::span<RouteCandidate> out) noexcept : sort_(sort), out_(out) {}

  /// First showing.
  void note(const RouteCandidate& candidate) noexcept;
  [[nodiscard]] bool needs_second_showing() const noexcept { return noted_ > out_.size(); }
  void begin_second_showing() noexcept { count_ = 0; }
  void offer(const RouteCandidate& candidate) noexcept;
  /// Puts the answer in order; returns its length.
  std::size_t finish() noexcept;

 private:
  [[nodiscard]] bool goes_before(const RouteCandidate& a, const RouteCandidate& b) const noexcept;
  [[nodiscard]] int compare(const RouteSort::Place& place, const RouteCandidate& a,
                            const RouteCandidate& b) const noexcept;
  [[nodiscard]] int compare_prices(const RouteCandidate& a, const RouteCandidate& b) const noexcept;
  [[nodiscard]] int price_class(const RouteCandidate& candidate) const noexcept;
  /// What of the noted candidates one number is known; the others count as the mean of those.
  struct Known {
    std::int64_t count = 0, sum = 0;
    void note(std::int64_t value) noexcept {
      if (value < 0) return;
      ++count;
      sum += value;
    }
    [[nodiscard]] std::int64_t of(std::int64_t value) const noexcept {
      if (value >= 0) return value;
      return count == 0 ? 0 : (sum + count / 2) / count;
    }
  };

  const RouteSort sort_;
  const std::span<RouteCandidate> out_;
  std::size_t noted_ = 0;
  std::size_t count_ = 0;
  Known percents_, talk_times_;
  Amount lowest_price_;
  std::int64_t lowest_per_s_ = 0;  // 0: no candidate has a price.
};

}  // namespace tandem::route
