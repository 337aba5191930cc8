#include "rating/formula.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

namespace tandem::rating {
namespace {

constexpr std::uint64_t amount_units_max = std::numeric_limits<std::int64_t>::max();

// 128-bit division is a library call of some 30 ns; nearly every charge fits 64 bits.
struct Quotient {
  Wide quotient;
  Wide rest;
};
Quotient divide(Wide numerator, Wide denominator) noexcept {
  if (((numerator | denominator) >> 64) == 0) {
    const auto n = static_cast<std::uint64_t>(numerator);
    const auto d = static_cast<std::uint64_t>(denominator);
    return {n / d, n % d};
  }
  return {numerator / denominator, numerator % denominator};
}

std::optional<Amount> to_amount(Wide units) noexcept {
  if (units > amount_units_max) return std::nullopt;
  return Amount::from_units(static_cast<std::int64_t>(units));
}

constexpr std::uint64_t quantum_of_precision(int precision) noexcept {
  constexpr std::uint64_t quanta[] = {100'000'000, 10'000'000, 1'000'000, 100'000, 10'000,
                                      1'000,       100,        10,        1};
  return quanta[precision];
}

std::optional<Amount> up_to_unit(Amount fee, Amount unit) noexcept {
  const auto units = static_cast<std::uint64_t>(fee.units());
  const auto step = static_cast<std::uint64_t>(unit.units());
  const std::uint64_t rest = units % step;
  return to_amount(rest == 0 ? Wide{units} : Wide{units} + (step - rest));
}

void record(std::vector<ChargeStep>& steps, const Stretch& stretch, std::int64_t from_s,
            std::int64_t seconds, Wide numerator, std::uint64_t denominator) {
  ExactSum part;
  part.add(numerator, denominator);
  ChargeStep step;
  step.kind = stretch.kind == ChargeStep::Kind::section && stretch.length_s == 0
                  ? ChargeStep::Kind::connection_fee
                  : stretch.kind;
  step.from_s = from_s;
  step.seconds = seconds;
  if (step.kind != ChargeStep::Kind::connection_fee) {
    step.price = Amount::from_units(stretch.price_units);
    step.per_s = stretch.per_s;
  }
  step.amount = part.cut(&step.is_exact).value_or(Amount{});
  steps.push_back(step);
}

void record(std::vector<ChargeStep>& steps, ChargeStep::Kind kind, Amount amount) {
  ChargeStep step;
  step.kind = kind;
  step.amount = amount;
  steps.push_back(step);
}

}  // namespace

void ExactSum::add(Wide numerator, std::uint64_t denominator) noexcept {
  if (numerator_ == 0) denominator_ = denominator;  // nothing has whatever denominator is asked for
  if (denominator != denominator_ && numerator != 0) {
    const std::uint64_t common = std::gcd(denominator_, denominator);
    const std::uint64_t scale_sum = denominator / common;
    const std::uint64_t scale_new = denominator_ / common;
    overflown_ |= __builtin_mul_overflow(numerator_, Wide{scale_sum}, &numerator_);
    overflown_ |= __builtin_mul_overflow(denominator_, scale_sum, &denominator_);
    overflown_ |= __builtin_mul_overflow(numerator, Wide{scale_new}, &numerator);
  }
  overflown_ |= __builtin_add_overflow(numerator_, numerator, &numerator_);
}

bool ExactSum::raise_to(std::uint64_t units) noexcept {
  const Wide floor = Wide{units} * denominator_;  // 64 x 64 bits cannot leave 128
  if (overflown_ || numerator_ >= floor) return false;
  numerator_ = floor;
  return true;
}

std::optional<Amount> ExactSum::cut(bool* is_exact) const noexcept {
  if (overflown_) return std::nullopt;
  const Quotient parts = divide(numerator_, denominator_);
  if (is_exact) *is_exact = parts.rest == 0;
  return to_amount(parts.quotient);
}

std::optional<Amount> ExactSum::round(std::uint64_t quantum, FeeRounding rounding) const noexcept {
  if (overflown_) return std::nullopt;
  const Wide divisor = Wide{denominator_} * quantum;
  auto [quotient, rest] = divide(numerator_, divisor);
  if (rest != 0) {
    const Wide to_next = divisor - rest;  // compared with `rest` instead of doubling it
    bool up = false;
    switch (rounding) {
      case FeeRounding::half_up:
        up = rest >= to_next;
        break;
      case FeeRounding::half_even:
        up = rest > to_next || (rest == to_next && (quotient & 1) != 0);
        break;
      case FeeRounding::up:
        up = true;
        break;
      case FeeRounding::down:
        break;
    }
    if (up) ++quotient;
  }
  if (quotient > amount_units_max) return std::nullopt;
  return to_amount(quotient * quantum);
}

std::optional<Charge> charge_of(const Rate& rate, std::int64_t billable_s, const FeeRules& rules,
                                std::vector<ChargeStep>* steps) {
  if (billable_s <= 0) return Charge{};
  ExactSum sum;
  std::int64_t left_s = billable_s;
  std::int64_t billed_s = 0;
  if (!rate.connection_fee.is_zero()) {
    sum.add(static_cast<Wide>(rate.connection_fee.units()), 1);
    if (steps) record(*steps, ChargeStep::Kind::connection_fee, rate.connection_fee);
  }
  for_each_stretch(rate, [&](const Stretch& stretch) {
    // A section without time is still due when the section before it took the last second; the
    // first one with time that has none left ends the call (B-06).
    if (left_s <= 0 && !(stretch.is_flat && stretch.length_s == 0)) return false;
    std::int64_t seconds = stretch.length_s;
    if (!stretch.is_flat) {
      const std::int64_t used_s =
          stretch.length_s != 0 ? std::min(left_s, stretch.length_s) : left_s;
      const std::int64_t step_s = stretch.step_s;
      seconds = step_s == 1 ? used_s : (used_s + step_s - 1) / step_s * step_s;
    }
    const Wide numerator =
        static_cast<Wide>(stretch.price_units) * static_cast<Wide>(stretch.is_flat ? 1 : seconds);
    const auto denominator = static_cast<std::uint64_t>(stretch.is_flat ? 1 : stretch.per_s);
    sum.add(numerator, denominator);
    if (steps) record(*steps, stretch, billed_s, seconds, numerator, denominator);
    billed_s += seconds;
    left_s -= seconds;
    return true;
  });
  if (sum.raise_to(static_cast<std::uint64_t>(rate.minimum.units())) && steps)
    record(*steps, ChargeStep::Kind::minimum, rate.minimum);

  std::optional<Amount> fee = sum.round(quantum_of_precision(rules.precision), rules.rounding);
  if (!fee) return std::nullopt;
  if (steps) record(*steps, ChargeStep::Kind::rounding, *fee);
  if (!rules.unit.is_zero()) {
    fee = up_to_unit(*fee, rules.unit);
    if (!fee) return std::nullopt;
    if (steps) record(*steps, ChargeStep::Kind::unit, *fee);
  }
  return Charge{*fee, billed_s};
}

}  // namespace tandem::rating
