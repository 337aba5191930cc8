// New calls that wait for their turn on a worker that has more to do than it can.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sip/path.hpp"

namespace tandem::sip {

/// A bounded queue of messages as they came. What belongs to calls that are known never waits in
/// it, so under overload those are served first and end as they should.
///
/// Threading: one thread at a time.
class Arrivals {
 public:
  struct Arrival {
    Path path;
    std::string bytes;
    std::int64_t at_us = 0;  ///< Monotonic.
  };

  /// `count_max`: messages; as many again have room that are about those. `bytes_max`: of all.
  Arrivals(std::size_t count_max, std::size_t bytes_max);

  /// False: there is no room. `is_about_one`: it takes back an earlier one, so it must have room
  /// where that had.
  bool push(const Path& path, std::string_view bytes, std::int64_t now_us, bool is_about_one);
  /// The oldest. REQUIRES: not empty.
  [[nodiscard]] const Arrival& front() const noexcept { return slots_[first_]; }
  void pop() noexcept;
  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return count_; }

 private:
  static constexpr std::size_t kept_bytes_max = 4'096;  // room that a free slot keeps

  std::size_t count_max_;
  std::size_t bytes_max_;
  std::vector<Arrival> slots_;  // a ring that grows up to twice count_max_; slots are used again
  std::size_t first_ = 0;
  std::size_t count_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace tandem::sip
