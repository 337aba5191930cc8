// How many calls a second a gateway may begin.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>

namespace tandem::route {

/// A token bucket's size and flow.
struct CallRate {
  std::int32_t calls_per_second = 0;  ///< 0: no limit.
  std::int32_t burst = 0;             ///< Calls at once out of a full bucket; 0: calls_per_second.
};

/// The bucket of one gateway, full at first. It is kept as the moment up to which its tokens are
/// spent (the generic cell rate algorithm), so that one word is all its state and a reload may
/// change the rate under it. Threading: thread-safe, without locks.
class CallRateMeter {
 public:
  /// Takes a token. `now_us`: monotonic microseconds.
  [[nodiscard]] bool try_take(const CallRate& rate, std::int64_t now_us) noexcept {
    if (rate.calls_per_second <= 0) return true;
    const Flow flow(rate);
    const std::int64_t now_ns = now_us * 1000;
    std::int64_t spent_ns = spent_until_ns_.load(std::memory_order_relaxed);
    std::int64_t from_ns = 0;
    do {
      from_ns = std::max(spent_ns, now_ns);
      if (from_ns - now_ns > flow.ahead_max_ns) return false;
    } while (!spent_until_ns_.compare_exchange_weak(spent_ns, from_ns + flow.interval_ns,
                                                    std::memory_order_relaxed));
    return true;
  }

  /// What try_take() would answer; takes nothing.
  [[nodiscard]] bool has_token(const CallRate& rate, std::int64_t now_us) const noexcept {
    if (rate.calls_per_second <= 0) return true;
    const std::int64_t now_ns = now_us * 1000;
    return std::max(spent_until_ns_.load(std::memory_order_relaxed), now_ns) - now_ns <=
           Flow(rate).ahead_max_ns;
  }

 private:
  struct Flow {
    explicit Flow(const CallRate& rate) noexcept
        : interval_ns(1'000'000'000 / rate.calls_per_second),
          ahead_max_ns(interval_ns *
                       ((rate.burst > 0 ? rate.burst : rate.calls_per_second) - std::int64_t{1})) {}
    std::int64_t interval_ns;   // Between two calls of an even flow.
    std::int64_t ahead_max_ns;  // How far calls may run ahead of it.
  };
  std::atomic<std::int64_t> spent_until_ns_{std::numeric_limits<std::int64_t>::min()};
};

}  // namespace tandem::route
