#include "rating/formula.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

#include "rating/schedule.hpp"

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

void record(std::vector<ChargeStep>& steps, ChargeStep::Kind kind, Amount amount) {
  ChargeStep step;
  step.kind = kind;
  step.amount = amount;
  steps.push_back(step);
}

void record_seconds(std::vector<ChargeStep>& steps, ChargeStep::Kind kind, std::int64_t seconds) {
  ChargeStep step;
  step.kind = kind;
  step.seconds = seconds;
  steps.push_back(step);
}

void record_free_time(std::vector<ChargeStep>& steps, std::int64_t talked_s,
                      const FeeRules& rules) {
  if (rules.free_time_s != 0)
    record_seconds(steps, ChargeStep::Kind::free_time, std::min(talked_s, rules.free_time_s));
}

/// Whether `quotient` with `rest` of a `divisor` left over is rounded up.
template <class Integer>
bool rounds_up(Integer quotient, Integer rest, Integer divisor, FeeRounding rounding) noexcept {
  if (rest == 0) return false;
  const Integer to_next = divisor - rest;  // compared with `rest` instead of doubling it
  switch (rounding) {
    case FeeRounding::half_up:
      return rest >= to_next;
    case FeeRounding::half_even:
      return rest > to_next || (rest == to_next && (quotient & 1) != 0);
    case FeeRounding::up:
      return true;
    case FeeRounding::down:
      break;
  }
  return false;
}

/// Collects what a call costs: its sum, its paid time, and the lines for people.
class Bill {
 public:
  Bill(const FeeRules& rules, std::vector<ChargeStep>* steps) noexcept
      : rules_(rules), steps_(steps) {}

  [[nodiscard]] std::int64_t billed_s() const noexcept { return billed_s_; }

  void connection_fee(Amount fee) {
    if (fee.is_zero()) return;
    sum_.add(static_cast<Wide>(fee.units()), 1);
    if (steps_) record(*steps_, ChargeStep::Kind::connection_fee, fee);
  }

  void section(const RateSection& section) {
    sum_.add(static_cast<Wide>(section.price.units()), 1);
    if (steps_) {
      if (section.seconds == 0) {
        record(*steps_, ChargeStep::Kind::connection_fee, section.price);
        steps_->back().from_s = billed_s_;
      } else {
        record_run({ChargeStep::Kind::section, -1, section.price.units(), section.seconds, 1},
                   section.seconds, static_cast<Wide>(section.price.units()), 1);
      }
    }
    billed_s_ += section.seconds;
  }

  /// `seconds`: whole steps.
  void run(const Pricing& pricing, std::int64_t seconds) {
    const Wide cost = static_cast<Wide>(pricing.price_units) * static_cast<Wide>(seconds);
    const auto per_s = static_cast<std::uint64_t>(pricing.per_s);
    sum_.add(cost, per_s);
    if (steps_) record_run(pricing, seconds, cost, per_s);
    billed_s_ += seconds;
  }

  /// Minimum, maximum, tax, rounding, unit.
  std::optional<Charge> close(Amount minimum, Amount maximum, Amount tax_percent) {
    if (sum_.raise_to(static_cast<std::uint64_t>(minimum.units())) && steps_)
      record(*steps_, ChargeStep::Kind::minimum, minimum);
    if (!maximum.is_zero() && sum_.lower_to(static_cast<std::uint64_t>(maximum.units())) && steps_)
      record(*steps_, ChargeStep::Kind::maximum, maximum);
    if (!tax_percent.is_zero()) {
      sum_.add_percent(tax_percent);
      if (steps_) {
        record(*steps_, ChargeStep::Kind::tax, {});
        ChargeStep& step = steps_->back();
        step.price = tax_percent;
        step.amount = sum_.cut(&step.is_exact).value_or(Amount{});
      }
    }
    std::optional<Amount> fee = sum_.round(quantum_of_precision(rules_.precision), rules_.rounding);
    if (!fee) return std::nullopt;
    if (steps_) record(*steps_, ChargeStep::Kind::rounding, *fee);
    if (!rules_.unit.is_zero()) {
      fee = up_to_unit(*fee, rules_.unit);
      if (!fee) return std::nullopt;
      if (steps_) record(*steps_, ChargeStep::Kind::unit, *fee);
    }
    return Charge{*fee, billed_s_};
  }

 private:
  void record_run(const Pricing& pricing, std::int64_t seconds, Wide cost, std::uint64_t per_s) {
    ExactSum part;
    part.add(cost, per_s);
    ChargeStep step;
    step.kind = pricing.kind;
    step.from_s = billed_s_;
    step.seconds = seconds;
    step.price = Amount::from_units(pricing.price_units);
    step.per_s = pricing.per_s;
    step.window = pricing.window;
    step.amount = part.cut(&step.is_exact).value_or(Amount{});
    steps_->push_back(step);
  }

  const FeeRules& rules_;
  std::vector<ChargeStep>* const steps_;
  ExactSum sum_;
  std::int64_t billed_s_ = 0;
};

std::int64_t in_steps(std::int64_t seconds, std::int64_t step_s) noexcept {
  return step_s == 1 ? seconds : (seconds + step_s - 1) / step_s * step_s;
}

/// B-06: a section without time is still due when the section before it took the last second; the
/// first one with time that has none left ends the call.
void bill_sections(Bill& bill, const Rate& rate, std::int64_t billable_s) {
  for (const RateSection& section : rate.sections) {
    if (bill.billed_s() >= billable_s && section.seconds > 0) return;
    bill.section(section);
  }
}

/// A rate without terms: nearly all of them. Reads one cache line.
void bill_plain(Bill& bill, const Rate& rate, std::int64_t billable_s) {
  bill.connection_fee(rate.connection_fee);
  if (has_sections(rate)) {
    bill_sections(bill, rate, billable_s);
  } else {
    bill.run({ChargeStep::Kind::first, -1, rate.price.units(), rate.per_s, rate.first_s},
             in_steps(std::min<std::int64_t>(billable_s, rate.first_s), rate.first_s));
  }
  if (const std::int64_t left_s = billable_s - bill.billed_s(); left_s > 0) {
    bill.run({ChargeStep::Kind::next, -1, rate.price.units(), rate.per_s, rate.next_s},
             in_steps(left_s, rate.next_s));
  }
}

/// What bill_plain() and Bill::close() come to, where there are no sections, no tax and no lines to
/// record, and all sums fit 64 bits: nearly every call. Nothing: they have to say. Looks at no
/// increment, so that the processor goes on to the next call while it waits for this one's rate.
std::optional<Charge> short_charge(const Rate& rate, std::int64_t billable_s,
                                   const FeeRules& rules) noexcept {
  const auto first_s = static_cast<std::uint64_t>(rate.first_s);
  const auto next_s = static_cast<std::uint64_t>(rate.next_s);
  const auto per_s = static_cast<std::uint64_t>(rate.per_s);
  const auto whole_s = static_cast<std::uint64_t>(billable_s);
  const std::uint64_t left_s = whole_s - std::min(whole_s, first_s);
  const std::uint64_t billed_s = first_s + (left_s + next_s - 1) / next_s * next_s;

  // Everything in parts of 1 / per_s units.
  std::uint64_t sum = 0;
  std::uint64_t fee = 0;
  std::uint64_t minimum = 0;
  std::uint64_t quantum = 0;
  const auto price = static_cast<std::uint64_t>(rate.price.units());
  bool is_over = __builtin_mul_overflow(price, billed_s, &sum);
  is_over |=
      __builtin_mul_overflow(static_cast<std::uint64_t>(rate.connection_fee.units()), per_s, &fee);
  is_over |= __builtin_add_overflow(sum, fee, &sum);
  is_over |=
      __builtin_mul_overflow(static_cast<std::uint64_t>(rate.minimum.units()), per_s, &minimum);
  const std::uint64_t quantum_units = quantum_of_precision(rules.precision);
  is_over |= __builtin_mul_overflow(quantum_units, per_s, &quantum);
  if (is_over) return std::nullopt;
  sum = std::max(sum, minimum);
  const std::uint64_t quotient = sum / quantum;
  const std::uint64_t up = rounds_up(quotient, sum % quantum, quantum, rules.rounding) ? 1 : 0;
  std::optional<Amount> charge = to_amount(Wide{quotient + up} * quantum_units);
  if (charge && !rules.unit.is_zero()) charge = up_to_unit(*charge, rules.unit);
  if (!charge) return std::nullopt;
  return Charge{*charge, static_cast<std::int64_t>(billed_s)};
}

/// Neighbouring parts with the same price are one run, whatever the course was split by.
void bill_course(Bill& bill, const Rate& rate, RateCourse& course, std::int64_t billable_s) {
  bill.connection_fee(course.connection_fee());
  if (course.has_sections()) bill_sections(bill, rate, billable_s);
  std::int64_t position_s = bill.billed_s();
  Pricing pricing;
  std::int64_t run_s = 0;
  while (position_s < billable_s) {
    std::int64_t until_s = 0;
    const Pricing next = course.at(position_s, until_s);
    if (next != pricing) {
      if (run_s > 0) bill.run(pricing, run_s);
      pricing = next;
      run_s = 0;
    }
    const std::int64_t seconds =
        in_steps(std::min(billable_s, until_s) - position_s, pricing.step_s);
    run_s += seconds;
    position_s += seconds;
  }
  if (run_s > 0) bill.run(pricing, run_s);
}

/// All prices are zero, so that nothing changes at the boundaries of windows.
bool is_free_everywhere(const Rate& rate) noexcept {
  const auto is_zero = [](const auto& priced) { return priced.price.is_zero(); };
  const RateTerms& terms = *rate.terms;
  return rate.price.is_zero() && std::all_of(terms.tiers.begin(), terms.tiers.end(), is_zero) &&
         std::all_of(terms.windows.begin(), terms.windows.end(), [&](const RateWindow& window) {
           return window.price.value_or(Amount{}).is_zero() &&
                  std::all_of(window.tiers.begin(), window.tiers.end(), is_zero);
         });
}

/// As charge_of(), for rates with terms. Apart, so that the other way stays short.
[[gnu::noinline]] std::optional<Charge> charge_by_terms(const Rate& rate, std::int64_t talked_s,
                                                        const FeeRules& rules,
                                                        std::vector<ChargeStep>* steps,
                                                        const CallStart& start, bool is_split) {
  const RateTerms& terms = *rate.terms;
  if (talked_s <= terms.grace_s) {
    if (steps && talked_s > 0) record_seconds(*steps, ChargeStep::Kind::grace, terms.grace_s);
    return Charge{};
  }
  if (steps) record_free_time(*steps, talked_s, rules);
  const std::int64_t after_rules_s = std::max<std::int64_t>(0, talked_s - rules.free_time_s);
  const std::int64_t billable_s = std::max<std::int64_t>(0, after_rules_s - terms.free_s);
  if (steps && terms.free_s != 0)
    record_seconds(*steps, ChargeStep::Kind::free_time, after_rules_s - billable_s);
  if (billable_s == 0) return Charge{};
  Bill bill(rules, steps);
  RateCourse course(rate, start, rules.free_time_s + terms.free_s, is_split);
  bill_course(bill, rate, course, billable_s);
  return bill.close(rate.minimum, terms.maximum, terms.tax_percent.value_or(rules.tax_percent));
}

}  // namespace

RateCourse::RateCourse(const Rate& rate, const CallStart& start, std::int64_t free_s,
                       bool is_split) noexcept
    : rate_(rate),
      terms_(*rate.terms),
      start_(start),
      begin_s_(start.at_us / 1'000'000 + free_s),
      is_split_(is_split) {
  if (!terms_.windows.empty() || start.overlays != nullptr) enter_window(0);
  has_sections_ = rating::has_sections(rate) && !is_overlaid_;
}

/// True: an overlay has a price at `at_s`. `window_until_s_` is then, and otherwise too, not later
/// than that changes.
bool RateCourse::enter_overlay(std::int64_t at_s) noexcept {
  window_until_s_ = endless_s;
  is_overlaid_ = false;
  if (start_.overlays == nullptr) return false;
  for (const RateOverlay& overlay : *start_.overlays) {
    const WindowSpan span = window_in_order_at(overlay.windows, overlay.schedule, at_s);
    window_until_s_ = std::min(window_until_s_, span.until_s - begin_s_);
    if (span.window < 0) continue;
    window_index_ = -1;
    window_ = &overlay.windows[static_cast<std::size_t>(span.window)];
    is_overlaid_ = true;
    break;
  }
  return is_overlaid_;
}

void RateCourse::enter_window(std::int64_t position_s) noexcept {
  if (enter_overlay(begin_s_ + position_s)) return;
  // Unless it is split a call keeps the window of its start, free seconds or not.
  const std::int64_t at_s = is_split_ ? begin_s_ + position_s : start_.at_us / 1'000'000;
  const WindowSpan span = window_at(terms_.windows, start_.schedule, at_s);
  window_index_ = span.window;
  window_ = span.window < 0 ? nullptr : &terms_.windows[static_cast<std::size_t>(span.window)];
  if (is_split_) window_until_s_ = std::min(window_until_s_, span.until_s - begin_s_);
}

Amount RateCourse::connection_fee() const noexcept {
  if (is_overlaid_) return window_->connection_fee.value_or(Amount());
  return window_ != nullptr && window_->connection_fee ? *window_->connection_fee
                                                       : rate_.connection_fee;
}

Pricing RateCourse::at(std::int64_t position_s, std::int64_t& until_s) noexcept {
  if (position_s >= window_until_s_) enter_window(position_s);
  const auto own = [this](std::int32_t RateWindow::*field, std::int32_t of_rate) -> std::int64_t {
    return window_ != nullptr && window_->*field != 0 ? window_->*field : of_rate;
  };
  const bool has_price = window_ != nullptr && (window_->price.has_value() || is_overlaid_);
  const auto& tiers =
      has_price || (window_ != nullptr && !window_->tiers.empty()) ? window_->tiers : terms_.tiers;
  const auto after = std::find_if(tiers.begin(), tiers.end(),
                                  [&](const RateTier& tier) { return tier.from_s > position_s; });
  until_s = std::min(window_until_s_, after == tiers.end() ? endless_s : after->from_s);

  Pricing pricing;
  pricing.window = window_index_;
  pricing.per_s = own(&RateWindow::per_s, rate_.per_s);
  pricing.step_s = own(&RateWindow::next_s, rate_.next_s);
  if (after != tiers.begin()) {
    const RateTier& tier = *std::prev(after);
    pricing.kind = ChargeStep::Kind::tier;
    pricing.price_units = tier.price.units();
    if (tier.per_s != 0) pricing.per_s = tier.per_s;
    if (tier.next_s != 0) pricing.step_s = tier.next_s;
    return pricing;
  }
  pricing.price_units =
      (window_ != nullptr && window_->price ? *window_->price : rate_.price).units();
  const std::int64_t first_s = own(&RateWindow::first_s, rate_.first_s);
  if (position_s < first_s && !has_sections_) {
    pricing.kind = ChargeStep::Kind::first;
    pricing.step_s = first_s;
    until_s = std::min(until_s, first_s);
  }
  return pricing;
}

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

bool ExactSum::lower_to(std::uint64_t units) noexcept {
  // What has left its range is above every amount (see has_exact_sums()).
  const Wide ceiling = Wide{units} * denominator_;
  if (!overflown_ && numerator_ <= ceiling) return false;
  numerator_ = ceiling;
  overflown_ = false;
  return true;
}

void ExactSum::add_percent(Amount percent) noexcept {
  constexpr std::uint64_t whole = 1'000'000;  // 100 percent in steps of the fourth decimal
  const std::uint64_t with_tax =
      whole + static_cast<std::uint64_t>(percent.units()) / (Amount::scale / 10'000);
  const std::uint64_t common = std::gcd(with_tax, whole);
  overflown_ |= __builtin_mul_overflow(numerator_, Wide{with_tax / common}, &numerator_);
  overflown_ |= __builtin_mul_overflow(denominator_, whole / common, &denominator_);
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
  if (rounds_up(quotient, rest, divisor, rounding)) ++quotient;
  if (quotient > amount_units_max) return std::nullopt;
  return to_amount(quotient * quantum);
}

std::optional<Charge> charge_of(const Rate& rate, std::int64_t talked_s, const FeeRules& rules,
                                std::vector<ChargeStep>* steps, const CallStart& start) {
  if (steps) record_seconds(*steps, ChargeStep::Kind::hold_time, talked_s);
  if (rate.terms || start.overlays != nullptr) {
    const bool is_split = !rate.terms->windows.empty() && start.schedule.is_split();
    return charge_by_terms(rate, talked_s, rules, steps, start, is_split);
  }
  if (steps) record_free_time(*steps, talked_s, rules);
  const std::int64_t billable_s = talked_s - rules.free_time_s;
  if (billable_s <= 0) return Charge{};
  if (!steps && !has_sections(rate) && rules.tax_percent.is_zero()) {
    if (const std::optional<Charge> charge = short_charge(rate, billable_s, rules)) return charge;
  }
  Bill bill(rules, steps);
  bill_plain(bill, rate, billable_s);
  return bill.close(rate.minimum, {}, rules.tax_percent);
}

std::int64_t first_paid_s(const Rate& rate, const FeeRules& rules) noexcept {
  return std::min(std::max(rules.free_time_s + rate.terms->free_s, rate.terms->grace_s) + 1,
                  rated_time_max_s);
}

/// Of the rate's own windows.
bool changes_own_price(const Rate& rate, const CallStart& start) noexcept {
  return !rate.terms->windows.empty() && start.schedule.is_split() && !is_free_everywhere(rate);
}

bool changes_price(const Rate& rate, const CallStart& start) noexcept {
  return start.overlays != nullptr || changes_own_price(rate, start);
}

bool is_overlaid(const Rate& rate, std::int64_t talked_s, const FeeRules& rules,
                 const CallStart& start) noexcept {
  if (start.overlays == nullptr || talked_s <= rate.terms->grace_s) return false;
  const std::int64_t free_s = rules.free_time_s + rate.terms->free_s;
  const std::int64_t billable_s = talked_s - free_s;
  if (billable_s <= 0) return false;
  RateCourse course(rate, start, free_s, !rate.terms->windows.empty() && start.schedule.is_split());
  if (course.is_overlaid()) return true;
  std::int64_t position_s = 0;
  if (course.has_sections()) {
    for (const RateSection& section : rate.sections) {
      if (position_s < billable_s) position_s += section.seconds;
    }
  }
  while (position_s < billable_s) {
    std::int64_t until_s = 0;
    const Pricing pricing = course.at(position_s, until_s);
    if (course.is_overlaid()) return true;
    position_s += in_steps(std::min(billable_s, until_s) - position_s, pricing.step_s);
  }
  return false;
}

bool has_exact_sums(const Rate& rate, const RateOverlays* overlays) noexcept {
  // With it a sum that leaves 128 bits, tax included, is larger than an Amount: Wide holds an
  // Amount (63 bits) times this (37) times the largest tax (24).
  constexpr std::uint64_t denominator_max = 100'000'000'000;
  std::uint64_t common = static_cast<std::uint64_t>(rate.per_s);
  const auto add = [&common](std::int32_t per_s) {
    if (per_s != 0 && common <= denominator_max)
      common = std::lcm(common, static_cast<std::uint64_t>(per_s));
  };
  const auto add_tiers = [&add](const std::vector<RateTier>& tiers) {
    for (const RateTier& tier : tiers)
      add(tier.per_s);
  };
  add_tiers(rate.terms->tiers);
  for (const RateWindow& window : rate.terms->windows) {
    add(window.per_s);
    add_tiers(window.tiers);
  }
  if (overlays != nullptr) {
    for (const RateOverlay& overlay : *overlays) {
      for (const RateWindow& window : overlay.windows)
        add(window.per_s);
    }
  }
  return common <= denominator_max;
}

std::int64_t covered_time_s(const Rate& rate, Amount usable, const FeeRules& rules,
                            const CallStart& start, std::int64_t horizon_s) noexcept {
  if (usable.is_negative()) return 0;
  // Only the sum matters here, and where all prices are zero no boundary changes it; but with
  // overlays the steps of a free window say where the first that costs something begins.
  const bool is_split = start.overlays != nullptr
                            ? !rate.terms->windows.empty() && start.schedule.is_split()
                            : changes_own_price(rate, start);
  const auto is_covered = [&](std::int64_t talked_s) {
    const std::optional<Charge> charge =
        rate.terms || start.overlays != nullptr
            ? charge_by_terms(rate, talked_s, rules, nullptr, start, is_split)
            : charge_of(rate, talked_s, rules, nullptr, start);
    return charge && charge->charge <= usable;
  };
  // Far away where prices change is expensive, and is mostly not needed.
  const bool is_far_dear = changes_price(rate, start);
  if (!is_far_dear && is_covered(horizon_s)) return horizon_s;

  // Invariant: `good` is covered, `bad` is not, or is beyond the horizon. The steady price says
  // about where the border lies, so that the search begins there and widens by doubling; it is
  // right wherever it begins, because charges never fall with time.
  std::int64_t good = 0;
  std::int64_t bad = horizon_s + 1;
  std::int64_t guess = horizon_s / 2;
  const SteadyPrice steady = steady_price(rate, start);
  if (steady.price.units() > 0) {
    const Wide seconds = static_cast<Wide>(usable.units()) * static_cast<Wide>(steady.per_s) /
                         static_cast<Wide>(steady.price.units());
    if (seconds < static_cast<Wide>(horizon_s)) guess = static_cast<std::int64_t>(seconds);
  } else if (is_far_dear) {
    guess = 1;
  }
  guess = std::clamp<std::int64_t>(guess + first_paid_s(rate, rules) - 1, 1, horizon_s);
  const bool guess_is_covered = is_covered(guess);
  (guess_is_covered ? good : bad) = guess;
  for (std::int64_t step = 1; bad - good > 1; step *= 2) {
    const std::int64_t probe = guess_is_covered ? guess + step : guess - step;
    if (probe <= good || probe >= bad) break;
    const bool probe_is_covered = is_covered(probe);
    (probe_is_covered ? good : bad) = probe;
    if (probe_is_covered != guess_is_covered) break;
  }
  while (bad - good > 1) {
    const std::int64_t middle = good + (bad - good) / 2;
    (is_covered(middle) ? good : bad) = middle;
  }
  return good;
}

}  // namespace tandem::rating

namespace tandem {

SteadyPrice steady_price(const Rate& rate, const CallStart& start) noexcept {
  if (start.overlays != nullptr) {
    for (const RateOverlay& overlay : *start.overlays) {
      const int index =
          rating::window_in_order_at(overlay.windows, overlay.schedule, start.at_us / 1'000'000)
              .window;
      if (index < 0) continue;
      const RateWindow& window = overlay.windows[static_cast<std::size_t>(index)];
      return {window.price.value_or(rate.price), window.per_s != 0 ? window.per_s : rate.per_s};
    }
  }
  if (rate.terms->windows.empty()) return {rate.price, rate.per_s};
  const auto& windows = rate.terms->windows;
  const int index = rating::window_at(windows, start.schedule, start.at_us / 1'000'000).window;
  if (index < 0) return {rate.price, rate.per_s};
  const RateWindow& window = windows[static_cast<std::size_t>(index)];
  return {window.price.value_or(rate.price), window.per_s != 0 ? window.per_s : rate.per_s};
}

}  // namespace tandem
