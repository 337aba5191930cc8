// Caller numbers that calls to one vendor borrow.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "route/by_id.hpp"
#include "route/lines.hpp"
#include "tandem/clock.hpp"

namespace tandem::route {

enum class PoolRotation : std::uint8_t {
  poll,    ///< The next free number in order of the list after the last one that was used.
  random,  ///< Any free number, each equally likely.
};

/// Whose turn it is; outlives the tables. Threading: thread-safe.
struct PoolTurn {
  std::atomic<std::uint64_t> next{0};
};

/// A number for one call; it goes back when the line does.
struct PoolNumber {
  std::string_view number;  ///< "": none is free. Lives as long as the pool.
  LineLease line;           ///< Empty for a look.
};

/// Threading: immutable; any number of threads may call it at once.
class CallerPool {
 public:
  CallerPool() = default;
  /// `calls_per_number`: how many calls may show a number at once; 0: any number of them. `id`
  /// names the gateway: its numbers are counted apart from those of others, and across reloads.
  CallerPool(std::string_view id, std::vector<std::string> numbers, std::int32_t calls_per_number,
             PoolRotation rotation, LineCounters& lines, ById<PoolTurn>& turns);

  [[nodiscard]] bool is_used() const noexcept { return turn_ != nullptr; }
  /// Lends a free number.
  [[nodiscard]] PoolNumber take(Random& random) const noexcept;
  /// The number that take() would lend, as far as that is certain; takes nothing.
  [[nodiscard]] PoolNumber look(Random& random) const noexcept;

 private:
  [[nodiscard]] bool is_free(std::size_t index) const noexcept {
    return limit_ < 0 || lines_[index]->current() < static_cast<std::uint32_t>(limit_);
  }
  [[nodiscard]] std::size_t random_start(Random& random) const noexcept;
  template <class Try>
  PoolNumber find(Random& random, Try&& attempt) const noexcept;

  std::vector<std::string> numbers_;
  std::vector<std::shared_ptr<LineCounter>> lines_;  // By the index of `numbers_`.
  int limit_ = 1;                                    // -1: any number of calls.
  PoolRotation rotation_ = PoolRotation::poll;
  std::shared_ptr<PoolTurn> turn_;
};

}  // namespace tandem::route
