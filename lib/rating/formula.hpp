// The charge formula of B-06 on exact numbers.
//
// A rate is a row of stretches: what the first seconds cost, what the seconds after them cost, the
// last one without end. The formula, its recorder and its inverse only know stretches; what a rate
// looks like is known to for_each_stretch() alone.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "tandem/rating.hpp"

namespace tandem::rating {

__extension__ using Wide = unsigned __int128;  // never negative: prices and times are not

/// Part of a call in which every started step of `step_s` seconds costs the same.
struct Stretch {
  ChargeStep::Kind kind;
  std::int64_t length_s;  ///< 0: without end, or no time at all when `is_flat`.
  std::int64_t step_s;
  std::int64_t price_units;
  std::int64_t per_s;  ///< `price_units` buys this much.
  bool is_flat;        ///< The price is due once, whatever part of the stretch is used.
};

/// A vector without elements that never had any has no memory either. Asking for that first reads
/// only the part of a rate that charging reads anyway.
inline bool has_sections(const Rate& rate) noexcept {
  return rate.sections.data() != nullptr && !rate.sections.empty();
}

/// Gives the stretches of a rate in order of use to `take`, until it says false.
template <class Take>
void for_each_stretch(const Rate& rate, Take&& take) {
  if (!has_sections(rate)) {
    if (!take(Stretch{ChargeStep::Kind::first, rate.first_s, rate.first_s, rate.price.units(),
                      rate.per_s, false}))
      return;
  } else {
    for (const RateSection& section : rate.sections) {
      if (!take(Stretch{ChargeStep::Kind::section, section.seconds, section.seconds,
                        section.price.units(), section.seconds, true}))
        return;
    }
  }
  take(Stretch{ChargeStep::Kind::next, 0, rate.next_s, rate.price.units(), rate.per_s, false});
}

/// A sum of fractions without loss. Once it has left its range it stays `overflown`.
class ExactSum {
 public:
  /// Adds numerator / denominator. REQUIRES: denominator >= 1.
  void add(Wide numerator, std::uint64_t denominator) noexcept;
  /// Makes the sum at least `units`. True when that changed it.
  bool raise_to(std::uint64_t units) noexcept;
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

/// The charge of `billable_s` seconds, free time already taken off; nothing when it is larger than
/// an Amount. REQUIRES: checked arguments, 0 <= billable_s <= rated_time_max_s.
[[nodiscard]] std::optional<Charge> charge_of(const Rate& rate, std::int64_t billable_s,
                                              const FeeRules& rules,
                                              std::vector<ChargeStep>* steps = nullptr);

}  // namespace tandem::rating
