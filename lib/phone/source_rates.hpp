// How many REGISTER requests a source may send (S-09), in bounded memory and without locks.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "base/registration.hpp"

namespace tandem::phone {

struct RegisterRates {
  std::int32_t per_source = 20;  ///< A second; 0: no limit.
  std::int32_t burst = 100;      ///< At once, >= 1.
  std::int32_t total = 2000;     ///< A second, of all sources together; 0: no limit.
};

/// A token bucket for each source address and two for all, of what is served and of what is at
/// least refused; each is kept as the time at which it will be full again. IPv6 sources count by
/// their first 64 bits, which is what one subscriber has.
///
/// The table has a fixed size. A source that finds no place of its own shares that of another one:
/// under a flood from more sources than places some get less than their rate, none gets more.
/// Threading: thread-safe, without locks.
class SourceRates final : public RegisterGate {
 public:
  explicit SourceRates(std::uint64_t hash_key);

  /// Whether anybody can register at all, and how fast.
  void set(bool is_open, const RegisterRates& rates) noexcept;
  [[nodiscard]] bool is_open() const noexcept override {
    return is_open_.load(std::memory_order_acquire);
  }
  Verdict admit(const IpAddress& source, std::int64_t now_us) noexcept override;

  [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_.load(); }
  [[nodiscard]] std::uint64_t refused() const noexcept { return refused_.load(); }

 private:
  static constexpr std::size_t slots = 16'384;
  static constexpr std::size_t ways = 4;  // places where a source may stand
  // 16 bits of the source's hash, 48 of the time in microseconds.
  using Slot = std::atomic<std::uint64_t>;

  bool take_of_source(const IpAddress& source, std::int64_t now_us) noexcept;

  const std::uint64_t hash_key_;
  std::atomic<bool> is_open_{false};
  std::atomic<std::int64_t> step_us_{0}, burst_us_{0}, total_step_us_{0};
  std::unique_ptr<Slot[]> slots_;  // made before is_open_ is true for the first time
  std::atomic<std::int64_t> total_full_at_us_{0}, refusals_full_at_us_{0};
  std::atomic<std::uint64_t> dropped_{0}, refused_{0};
};

}  // namespace tandem::phone
