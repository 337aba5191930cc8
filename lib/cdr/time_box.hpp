// A bound on the time that reading takes.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "tandem/clock.hpp"
#include "tandem/error.hpp"

namespace tandem::cdr {

/// Adds up the time that is spent between enter() and leave(), and tells statements to end when it
/// is more than allowed. Not to be moved: connections to databases hold its watch.
class TimeBox {
 public:
  /// `clock` outlives it. `max_ms` 0: any time.
  TimeBox(const Clock& clock, std::int64_t max_ms) : clock_(clock), max_us_(max_ms * 1'000) {
    watch_ = [this] { return is_over(); };
  }
  TimeBox(const TimeBox&) = delete;
  TimeBox& operator=(const TimeBox&) = delete;

  void enter() { entered_us_ = clock_.monotonic_us(); }
  void leave() { used_us_ += clock_.monotonic_us() - entered_us_; }
  /// REQUIRES: entered.
  [[nodiscard]] bool is_over() const {
    return max_us_ > 0 && used_us_ + clock_.monotonic_us() - entered_us_ > max_us_;
  }
  [[nodiscard]] const std::function<bool()>* watch() const noexcept { return &watch_; }
  [[nodiscard]] Error failure(std::uint64_t records_read) const {
    return Error{ErrorCode::timeout, "question was ended after " + std::to_string(max_us_ / 1'000) +
                                         " ms, when it had read " + std::to_string(records_read) +
                                         " records; narrow its period or its filter"};
  }

 private:
  const Clock& clock_;
  const std::int64_t max_us_;
  std::int64_t used_us_ = 0;
  std::int64_t entered_us_ = 0;
  std::function<bool()> watch_;
};

/// Enters for as long as it lives.
class TimeBoxScope {
 public:
  explicit TimeBoxScope(TimeBox& box) : box_(box) { box_.enter(); }
  ~TimeBoxScope() { box_.leave(); }
  TimeBoxScope(const TimeBoxScope&) = delete;
  TimeBoxScope& operator=(const TimeBoxScope&) = delete;

 private:
  TimeBox& box_;
};

}  // namespace tandem::cdr
