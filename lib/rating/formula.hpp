// The charge formula of B-06 on exact numbers.
//
// A call is a row of runs: so many seconds in steps of one length at one price. What gives the runs
// is the rate (RateCourse); the formula, its recorder and its inverse know nothing else of it.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "tandem/rating.hpp"

namespace tandem::rating {

__extension__ using Wide = unsigned __int128;  // never negative: prices and times are not

/// A vector without elements that never had any has no memory either. Asking for that first reads
/// only the part of a rate that charging reads anyway.
inline bool has_sections(const Rate& rate) noexcept {
  return rate.sections.data() != nullptr && !rate.sections.empty();
}

/// What increments that begin in a part of a call cost.
struct Pricing {
  ChargeStep::Kind kind = ChargeStep::Kind::next;
  int window = -1;
  std::int64_t price_units = 0;
  std::int64_t per_s = 1;  ///< `price_units` buys this much.
  std::int64_t step_s = 1;
  bool operator==(const Pricing&) const = default;
};

/// The prices along a call with the terms of a rate: windows of the wall clock, tiers of the call's
/// own time. Positions count paid seconds from 0 and must not fall from call to call.
class RateCourse {
 public:
  static constexpr std::int64_t endless_s = std::numeric_limits<std::int64_t>::max();

  /// `free_s`: seconds of the call before position 0. `is_split`: windows change in the call.
  RateCourse(const Rate& rate, const CallStart& start, std::int64_t free_s, bool is_split) noexcept;

  [[nodiscard]] Amount connection_fee() const noexcept;  ///< Of the window of position 0.
  /// Whether the part that at() last looked at, at first position 0, has a price of an overlay.
  [[nodiscard]] bool is_overlaid() const noexcept { return is_overlaid_; }
  /// Whether the rate's sections are due: the call begins at its price.
  [[nodiscard]] bool has_sections() const noexcept { return has_sections_; }
  /// What an increment that begins at `position_s` costs, and up to which position that holds.
  Pricing at(std::int64_t position_s, std::int64_t& until_s) noexcept;

 private:
  void enter_window(std::int64_t position_s) noexcept;
  bool enter_overlay(std::int64_t at_s) noexcept;

  const Rate& rate_;
  const RateTerms& terms_;
  const CallStart& start_;
  const std::int64_t begin_s_;  // wall clock of position 0
  const bool is_split_;
  const RateWindow* window_ = nullptr;
  int window_index_ = -1;
  bool is_overlaid_ = false;  // `window_` is of an overlay
  bool has_sections_ = false;
  std::int64_t window_until_s_ = endless_s;  // position
};

/// A sum of fractions without loss. Once it has left its range it stays `overflown`.
class ExactSum {
 public:
  /// Adds numerator / denominator. REQUIRES: denominator >= 1.
  void add(Wide numerator, std::uint64_t denominator) noexcept;
  /// Makes the sum at least `units`. True when that changed it.
  bool raise_to(std::uint64_t units) noexcept;
  /// Makes the sum at most `units`. True when that changed it.
  bool lower_to(std::uint64_t units) noexcept;
  /// Adds `percent` of the sum. REQUIRES: at most 4 decimals.
  void add_percent(Amount percent) noexcept;
  /// The sum in whole units, the rest cut off; nothing when it is larger than an Amount.
  [[nodiscard]] std::optional<Amount> cut(bool* is_exact = nullptr) const noexcept;
  /// Rounded to a multiple of `quantum` units; nothing when it is larger than an Amount.
  [[nodiscard]] std::optional<Amount> round(std::uint64_t quantum,
                                            FeeRounding rounding) const noexcept;

 private:
  Wide numerator_ = 0;
  std::uint64_t denominator_ = 1;
  bool overflown_ = false;
};

/// The charge of a call of `talked_s` billable seconds, free time not yet taken off; nothing when
/// it is larger than an Amount. REQUIRES: checked arguments, 0 <= talked_s <= rated_time_max_s.
[[nodiscard]] std::optional<Charge> charge_of(const Rate& rate, std::int64_t talked_s,
                                              const FeeRules& rules, std::vector<ChargeStep>* steps,
                                              const CallStart& start);

/// The shortest talk time with something to pay: past grace and free time.
[[nodiscard]] std::int64_t first_paid_s(const Rate& rate, const FeeRules& rules) noexcept;

/// As available_time_s(), but looks no further than `horizon_s`, which it then returns; in split
/// windows that bounds the work.
[[nodiscard]] std::int64_t covered_time_s(const Rate& rate, Amount usable, const FeeRules& rules,
                                          const CallStart& start, std::int64_t horizon_s) noexcept;

/// Whether windows may change the price in the middle of a call.
[[nodiscard]] bool changes_price(const Rate& rate, const CallStart& start) noexcept;

/// Whether all sums of a rate, with overlays if there are, have a common denominator that exact
/// arithmetic has room for.
[[nodiscard]] bool has_exact_sums(const Rate& rate,
                                  const RateOverlays* overlays = nullptr) noexcept;

/// Whether an increment that a call of `talked_s` seconds pays has its price from an overlay; as
/// charge_of().
[[nodiscard]] bool is_overlaid(const Rate& rate, std::int64_t talked_s, const FeeRules& rules,
                               const CallStart& start) noexcept;

}  // namespace tandem::rating
