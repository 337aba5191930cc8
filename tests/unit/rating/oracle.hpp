// A slow second opinion on charges. Increments are counted one by one, each priced by what holds in
// its first second, and the charge is not computed a second time but judged by the definition of
// its rounding, in 192-bit integers that only know addition, multiplication, comparison.
#pragma once

#include <cstdint>
#include <numeric>
#include <optional>
#include <vector>

#include "tandem/clock.hpp"
#include "tandem/rating.hpp"

namespace tandem::oracle {

__extension__ using Wide = unsigned __int128;

class BigNatural {
 public:
  BigNatural(std::uint64_t value) : limbs_{value, 0, 0} {}  // NOLINT: a number is a number
  BigNatural operator+(const BigNatural& other) const {
    BigNatural sum(0);
    Wide carry = 0;
    for (int i = 0; i < 3; ++i) {
      carry += Wide{limbs_[i]} + other.limbs_[i];
      sum.limbs_[i] = static_cast<std::uint64_t>(carry);
      carry >>= 64;
    }
    return sum;
  }
  BigNatural operator*(std::uint64_t factor) const {
    BigNatural product(0);
    Wide carry = 0;
    for (int i = 0; i < 3; ++i) {
      carry += Wide{limbs_[i]} * factor;
      product.limbs_[i] = static_cast<std::uint64_t>(carry);
      carry >>= 64;
    }
    return product;
  }
  bool operator<(const BigNatural& other) const {
    for (int i = 2; i >= 0; --i) {
      if (limbs_[i] != other.limbs_[i]) return limbs_[i] < other.limbs_[i];
    }
    return false;
  }

 private:
  std::uint64_t limbs_[3];
};

/// Where windows are judged: fixed hours east of UTC, and dates that are holidays.
struct Place {
  std::int64_t offset_s = 0;
  std::vector<std::int64_t> holidays;  ///< Days since 1970-01-01.
  bool is_split = false;
  std::int64_t start_s = 0;
};

struct Sum {
  BigNatural numerator = 0;  ///< Of the exact sum in units.
  std::uint64_t denominator = 1;
  std::int64_t billed_s = 0;
};

inline std::optional<std::size_t> window_at(const std::vector<RateWindow>& windows,
                                            const Place& place, std::int64_t at_s) {
  const std::int64_t local_s = at_s + place.offset_s;
  const std::int64_t today = local_s / 86400;
  const std::int64_t second = local_s % 86400;
  std::optional<std::size_t> first;
  for (std::size_t i = 0; i < windows.size(); ++i) {
    const RateWindow& window = windows[i];
    // Began today or yesterday; counted in seconds since the day's midnight.
    for (const std::int64_t day : {today, today - 1}) {
      const std::int64_t since_s = second + (today - day) * 86400;
      const std::int64_t end_s = window.to_s > window.from_s ? window.to_s : window.to_s + 86400;
      if (since_s < window.from_s || since_s >= end_s) continue;
      const std::int64_t weekday = (day + 4) % 7;
      bool is_holiday = false;
      for (const std::int64_t holiday : place.holidays)
        is_holiday |= holiday == day;
      const int kind = is_holiday ? 2 : weekday == 0 || weekday == 6 ? 1 : 0;
      const bool is_named = (window.days.weekdays >> weekday & 1) != 0;
      const bool is_of_class = (window.days.classes >> kind & 1) != 0;
      if (is_of_class && is_holiday) return i;
      if ((is_named || is_of_class) && !first) first = i;
    }
  }
  return first;
}

/// The sum before rounding of `talked_s` whole seconds.
inline Sum exact_sum(const Rate& rate, std::int64_t talked_s, const FeeRules& rules,
                     const Place& place) {
  Sum out;
  const RateTerms& terms = *rate.terms;
  const std::int64_t free_s = rules.free_time_s + terms.free_s;
  if (talked_s <= terms.grace_s || talked_s <= free_s) return out;
  std::int64_t left_s = talked_s - free_s;

  std::uint64_t common = static_cast<std::uint64_t>(rate.per_s);
  const auto divide = [&](std::int64_t per_s) {
    if (per_s != 0) common = std::lcm(common, static_cast<std::uint64_t>(per_s));
  };
  for (const RateTier& tier : terms.tiers)
    divide(tier.per_s);
  for (const RateWindow& window : terms.windows) {
    divide(window.per_s);
    for (const RateTier& tier : window.tiers)
      divide(tier.per_s);
  }
  out.denominator = common;
  const auto whole = [&](Amount amount) {
    return BigNatural(static_cast<std::uint64_t>(amount.units())) * common;
  };
  const auto window_of = [&](std::int64_t position_s) -> const RateWindow* {
    const std::int64_t at_s = place.is_split ? place.start_s + free_s + position_s : place.start_s;
    const auto index = window_at(terms.windows, place, at_s);
    return index ? &terms.windows[*index] : nullptr;
  };
  const RateWindow* const at_start = window_of(0);
  out.numerator =
      whole(at_start && at_start->connection_fee ? *at_start->connection_fee : rate.connection_fee);
  for (const RateSection& section : rate.sections) {
    if (left_s <= 0 && section.seconds > 0) break;
    out.numerator = out.numerator + whole(section.price);
    out.billed_s += section.seconds;
    left_s -= section.seconds;
  }
  while (left_s > 0) {
    const std::int64_t position_s = out.billed_s;
    const RateWindow* const window = place.is_split ? window_of(position_s) : at_start;
    const auto own = [&](std::int32_t of_window, std::int32_t of_rate) -> std::int64_t {
      return of_window != 0 ? of_window : of_rate;
    };
    Amount price = window && window->price ? *window->price : rate.price;
    std::int64_t per_s = own(window ? window->per_s : 0, rate.per_s);
    std::int64_t step_s = own(window ? window->next_s : 0, rate.next_s);
    const std::int64_t first_s = own(window ? window->first_s : 0, rate.first_s);
    if (position_s < first_s && rate.sections.empty()) step_s = first_s;
    const bool has_own_tiers = window && (window->price || !window->tiers.empty());
    const RateTier* holding = nullptr;
    for (const RateTier& tier : has_own_tiers ? window->tiers : terms.tiers) {
      if (tier.from_s <= position_s) holding = &tier;
    }
    if (holding) {
      price = holding->price;
      per_s = own(holding->per_s, static_cast<std::int32_t>(per_s));
      step_s = own(holding->next_s, own(window ? window->next_s : 0, rate.next_s));
    }
    out.numerator = out.numerator + BigNatural(static_cast<std::uint64_t>(price.units())) *
                                        static_cast<std::uint64_t>(step_s) *
                                        (common / static_cast<std::uint64_t>(per_s));
    out.billed_s += step_s;
    left_s -= step_s;
  }
  if (out.numerator < whole(rate.minimum)) out.numerator = whole(rate.minimum);
  if (!terms.maximum.is_zero() && whole(terms.maximum) < out.numerator)
    out.numerator = whole(terms.maximum);
  const Amount tax = terms.tax_percent.value_or(rules.tax_percent);
  if (!tax.is_zero()) {
    out.numerator = out.numerator * (1'000'000 + static_cast<std::uint64_t>(tax.units()) / 10'000);
    out.denominator *= 1'000'000;
  }
  return out;
}

/// `rounded` is what the definition of the rounding makes of the sum.
inline bool is_rounded(const Sum& sum, std::uint64_t rounded, const FeeRules& rules) {
  std::uint64_t quantum = 1;
  for (int i = rules.precision; i < 8; ++i)
    quantum *= 10;
  if (rounded % quantum != 0) return false;
  const BigNatural twice_sum = sum.numerator * 2;
  const BigNatural twice_rounded = BigNatural(rounded) * 2 * sum.denominator;
  const BigNatural step = BigNatural(quantum) * sum.denominator;
  const auto at_most = [](const BigNatural& a, const BigNatural& b) { return !(b < a); };
  switch (rules.rounding) {
    case FeeRounding::half_up:  // rounded - q/2 <= sum < rounded + q/2
      return at_most(twice_rounded, twice_sum + step) && twice_sum < twice_rounded + step;
    case FeeRounding::half_even: {
      const bool is_even = rounded / quantum % 2 == 0;
      const bool below =
          is_even ? at_most(twice_sum, twice_rounded + step) : twice_sum < twice_rounded + step;
      const bool above =
          is_even ? at_most(twice_rounded, twice_sum + step) : twice_rounded < twice_sum + step;
      return below && above;
    }
    case FeeRounding::up:  // rounded - q < sum <= rounded
      return at_most(twice_sum, twice_rounded) && twice_rounded < twice_sum + step * 2;
    case FeeRounding::down:
      return at_most(twice_rounded, twice_sum) && twice_sum < twice_rounded + step * 2;
  }
  return false;
}

/// Random tariffs, rules, places and calls.
struct Draw {
  SeededRandom random;
  explicit Draw(std::uint64_t seed) : random(seed) {}
  std::uint64_t below(std::uint64_t bound) { return random.below(bound); }
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  // Small, decimal-looking and huge amounts alike.
  Amount amount() {
    const std::uint64_t kind = below(16);
    std::uint64_t units = 0;
    if (kind == 0) return {};
    if (kind < 8)
      units = below(1'000'000) * 1000;
    else if (kind < 13)
      units = below(300'000'000);
    else if (kind < 15)
      units = below(10);
    else
      units = below(std::uint64_t{1} << 58);
    return Amount::from_units(static_cast<std::int64_t>(units));
  }
  std::int32_t seconds(bool allow_zero) {
    static constexpr std::int32_t common[] = {1, 1, 6, 10, 30, 60, 60, 3600};
    const std::uint64_t kind = below(12);
    if (kind < 8) return common[kind];
    return static_cast<std::int32_t>(below(100)) + (allow_zero ? 0 : 1);
  }
  std::vector<RateTier> tiers() {
    std::vector<RateTier> tiers(below(4));
    std::int64_t from_s = 0;
    for (RateTier& tier : tiers) {
      from_s += static_cast<std::int64_t>(below(120)) + 1;
      tier = {from_s, amount(), one_in(2) ? 0 : seconds(false), one_in(2) ? 0 : seconds(false)};
    }
    return tiers;
  }
  RateWindow window() {
    RateWindow window;
    window.days = {static_cast<std::uint8_t>(below(128)), static_cast<std::uint8_t>(below(8))};
    if (window.days == DaySet{}) window.days = DaySet::every();
    // Boundaries that calls of some minutes meet often: whole ten minutes.
    window.from_s = static_cast<std::int32_t>(below(144)) * 600;
    do
      window.to_s = static_cast<std::int32_t>(below(144) + 1) * 600;
    while (window.to_s == window.from_s);
    if (!one_in(4)) window.price = amount();
    if (one_in(2)) window.per_s = seconds(false);
    if (one_in(3)) window.first_s = seconds(false);
    if (one_in(3)) window.next_s = seconds(false);
    if (one_in(3)) window.connection_fee = amount();
    if (one_in(3)) window.tiers = tiers();
    return window;
  }
  RateTerms terms() {
    RateTerms terms;
    if (one_in(2)) terms.tiers = tiers();
    if (one_in(2)) {
      terms.windows.resize(below(5));
      for (RateWindow& each : terms.windows)
        each = window();
    }
    if (one_in(5)) terms.grace_s = static_cast<std::int64_t>(below(40));
    if (one_in(5)) terms.free_s = static_cast<std::int64_t>(below(40));
    if (one_in(5)) terms.maximum = amount();
    if (one_in(3)) terms.tax_percent = tax();
    return terms;
  }
  Amount tax() {
    return Amount::from_units(static_cast<std::int64_t>(below(one_in(9) ? 10'000'001 : 300'000)) *
                              10'000);
  }
  /// Passes check_rate().
  Rate rate() {
    for (;;) {
      Rate rate;
      rate.price = amount();
      rate.per_s = seconds(false);
      rate.first_s = seconds(false);
      rate.next_s = seconds(false);
      if (one_in(3)) rate.connection_fee = amount();
      if (one_in(4)) rate.minimum = amount();
      if (one_in(4)) {
        rate.sections.resize(below(4) + 1);
        for (RateSection& section : rate.sections)
          section = {amount(), one_in(4) ? 0 : seconds(true)};
      }
      if (one_in(2)) rate.terms = terms();
      if (check_rate(rate)) return rate;
    }
  }
  FeeRules rules() {
    FeeRules rules;
    rules.precision = static_cast<int>(below(9));
    rules.rounding = static_cast<FeeRounding>(below(4));
    rules.hold_time_precision_ms = one_in(2) ? 50 : static_cast<int>(below(1000)) + 1;
    if (one_in(4)) rules.free_time_s = static_cast<std::int64_t>(below(30));
    if (one_in(8)) rules.unit = Amount::from_units(static_cast<std::int64_t>(below(50'000'000)));
    if (one_in(6)) rules.tax_percent = tax();
    return rules;
  }
  std::int64_t talk_ms() {
    return static_cast<std::int64_t>(below(one_in(20) ? 20'000'000 : 300'000));
  }
};

/// A few places to draw from: reading a zone for each call would take the time.
class Places {
 public:
  struct Entry {
    Place place;
    RateSchedule schedule;
  };
  Places() {
    for (const bool is_split : {false, true}) {
      for (const auto& [zone, offset_s] :
           {std::pair{"UTC", 0}, std::pair{"+05:30", 19'800}, std::pair{"-09:00", -32'400}}) {
        Entry entry;
        entry.place.offset_s = offset_s;
        entry.place.is_split = is_split;
        CalendarConfig calendar;
        calendar.timezone = zone;
        for (const std::int64_t holiday : {first_day, first_day + 2, first_day + 3}) {
          entry.place.holidays.push_back(holiday);
          calendar.exceptions[holiday] = DayClass::holiday;
        }
        entry.schedule = RateSchedule::build(calendar, is_split).value();
        entries_.push_back(std::move(entry));
      }
    }
  }
  Entry draw(Draw& draw) const {
    Entry entry = entries_[draw.below(entries_.size())];
    entry.place.start_s = first_day * 86400 + static_cast<std::int64_t>(draw.below(5 * 86400));
    return entry;
  }

 private:
  static constexpr std::int64_t first_day = 20'500;
  std::vector<Entry> entries_;
};

struct Verdict {
  std::int64_t differences = 0;
  std::int64_t out_of_range = 0;
};

/// Rates `calls` random calls by random tariffs both ways.
inline Verdict compare(std::uint64_t seed, std::int64_t calls) {
  Draw draw(seed);
  const Places places;
  Verdict verdict;
  for (std::int64_t i = 0; i < calls; ++i) {
    const Rate rate = draw.rate();
    FeeRules rules = draw.rules();
    const Amount unit = rules.unit;
    rules.unit = {};
    const std::int64_t talk_ms = draw.talk_ms();
    const Places::Entry entry = places.draw(draw);
    const CallStart start{entry.place.start_s * 1'000'000 + 999'999, entry.schedule};
    std::int64_t talked_s = talk_ms / 1000;
    if (talk_ms - talked_s * 1000 >= rules.hold_time_precision_ms) ++talked_s;

    const Sum sum = exact_sum(rate, talked_s, rules, entry.place);
    const auto charge = rate_call(rate, talk_ms, rules, nullptr, start);
    if (!charge) {  // only right when the sum is about 2^63 or more
      ++verdict.out_of_range;
      const BigNatural bound = BigNatural((std::uint64_t{1} << 63) - 100'000'000) * sum.denominator;
      verdict.differences += sum.numerator < bound;
      continue;
    }
    const auto rounded = static_cast<std::uint64_t>(charge->charge.units());
    verdict.differences +=
        charge->billed_time_s != sum.billed_s || !is_rounded(sum, rounded, rules);

    rules.unit = unit;
    const auto up = rate_call(rate, talk_ms, rules, nullptr, start);
    if (!unit.is_zero() && up) {
      const auto in_units = static_cast<std::uint64_t>(up->charge.units());
      const auto step = static_cast<std::uint64_t>(unit.units());
      verdict.differences +=
          in_units % step != 0 || in_units < rounded || in_units - rounded >= step;
    }
  }
  return verdict;
}

}  // namespace tandem::oracle
