// Time and randomness, real and simulated.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "tandem/error.hpp"
#include "tandem/export.h"

namespace tandem {

/// Where time comes from. Threading: thread-safe.
class TANDEM_EXPORT Clock {
 public:
  virtual ~Clock();
  /// Microseconds that never step; for durations, timers and talk time.
  [[nodiscard]] virtual std::int64_t monotonic_us() const noexcept = 0;
  /// Microseconds since 1970 UTC; for time stamps only.
  [[nodiscard]] virtual std::int64_t wall_us() const noexcept = 0;
};

/// The operating system's clocks. Threading: immutable; any number of threads may call it at once.
class TANDEM_EXPORT SystemClock final : public Clock {
 public:
  [[nodiscard]] std::int64_t monotonic_us() const noexcept override;
  [[nodiscard]] std::int64_t wall_us() const noexcept override;
};

/// A clock that moves only when told to. Threading: thread-safe.
class TANDEM_EXPORT SimulatedClock final : public Clock {
 public:
  /// Starts at monotonic 1 s and `wall_us` (default: 2026-01-01T00:00:00Z).
  explicit SimulatedClock(std::int64_t wall_us = 1767225600000000) noexcept;
  [[nodiscard]] std::int64_t monotonic_us() const noexcept override;
  [[nodiscard]] std::int64_t wall_us() const noexcept override;
  void advance_us(std::int64_t step_us) noexcept;    ///< Moves both; `step_us` >= 0.
  void step_wall_us(std::int64_t step_us) noexcept;  ///< Moves the wall clock alone, either way.

 private:
  std::atomic<std::int64_t> monotonic_us_;
  std::atomic<std::int64_t> wall_us_;
};

/// Reads "2026-11-25T12:00:00Z", with a fraction of a second of any length (cut to microseconds)
/// and with an offset
/// "+02:00" instead of "Z" (RFC 3339 section 5.6); or "2026-11-25", the start of that day in UTC. A
/// leap second is read as the second after it. Years 1970..9999. Result: microseconds since 1970
/// UTC. Errors: invalid_argument.
[[nodiscard]] TANDEM_EXPORT Result<std::int64_t> parse_time_us(std::string_view text);

/// "2026-11-25T12:00:00.000000Z". Times outside of the years 1970..9999 are moved to the nearer
/// end.
[[nodiscard]] TANDEM_EXPORT std::string format_time_us(std::int64_t time_us);

/// Where random numbers come from. Threading: one thread at a time.
class TANDEM_EXPORT Random {
 public:
  virtual ~Random();
  virtual std::uint64_t next() noexcept = 0;
  /// Uniform in 0..bound-1, without bias; 0 for bound 0.
  std::uint64_t below(std::uint64_t bound) noexcept;
};

/// Unpredictable numbers: ChaCha20 seeded from the operating system, buffered.
class TANDEM_EXPORT SecureRandom final : public Random {
 public:
  SecureRandom();
  ~SecureRandom() override;
  std::uint64_t next() noexcept override;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Repeatable numbers from a seed (xoshiro256**).
class TANDEM_EXPORT SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) noexcept;
  std::uint64_t next() noexcept override;

 private:
  std::uint64_t state_[4];
};

}  // namespace tandem
