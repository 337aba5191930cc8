// Rating against a slow oracle: increments are counted one by one, and the charge is not computed a
// second time but judged by the definition of its rounding, in 192-bit integers that only know
// addition, multiplication, comparison.
#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

#include "tandem/clock.hpp"
#include "tandem/rating.hpp"

using namespace tandem;

namespace {

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

struct Oracle {
  BigNatural numerator = 0;  // of the exact sum in units; the denominator is rate.per_s
  std::int64_t billed_s = 0;
};

Oracle exact_sum(const Rate& rate, std::int64_t billable_s) {
  Oracle out;
  if (billable_s <= 0) return out;
  const auto per_s = static_cast<std::uint64_t>(rate.per_s);
  const auto price = static_cast<std::uint64_t>(rate.price.units());
  const auto whole = [&](Amount amount) {
    return BigNatural(static_cast<std::uint64_t>(amount.units())) * per_s;
  };
  out.numerator = whole(rate.connection_fee);
  std::int64_t left_s = billable_s;
  std::int64_t timed_s = 0;
  if (rate.sections.empty()) {
    timed_s = rate.first_s;
    left_s -= rate.first_s;
    out.billed_s = rate.first_s;
  }
  for (const RateSection& section : rate.sections) {
    if (left_s <= 0 && section.seconds > 0) break;
    out.numerator = out.numerator + whole(section.price);
    out.billed_s += section.seconds;
    left_s -= section.seconds;
  }
  for (; left_s > 0; left_s -= rate.next_s) {
    timed_s += rate.next_s;
    out.billed_s += rate.next_s;
  }
  out.numerator = out.numerator + BigNatural(price) * static_cast<std::uint64_t>(timed_s);
  if (out.numerator < whole(rate.minimum)) out.numerator = whole(rate.minimum);
  return out;
}

// `rounded` is what the definition of the rounding makes of sum.numerator / per_s units.
bool is_rounded(const Oracle& sum, std::int64_t per_s, std::uint64_t rounded,
                const FeeRules& rules) {
  std::uint64_t quantum = 1;
  for (int i = rules.precision; i < 8; ++i)
    quantum *= 10;
  if (rounded % quantum != 0) return false;
  const auto per = static_cast<std::uint64_t>(per_s);
  const BigNatural twice_sum = sum.numerator * 2;
  const BigNatural twice_rounded = BigNatural(rounded) * 2 * per;
  const BigNatural step = BigNatural(quantum) * per;
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

struct Draw {
  SeededRandom random;
  explicit Draw(std::uint64_t seed) : random(seed) {}
  std::uint64_t below(std::uint64_t bound) { return random.below(bound); }
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
  std::int64_t seconds(bool allow_zero) {
    static constexpr std::int64_t common[] = {1, 1, 6, 10, 30, 60, 60, 3600};
    const std::uint64_t kind = below(12);
    if (kind < 8) return common[kind];
    return static_cast<std::int64_t>(below(100)) + (allow_zero ? 0 : 1);
  }
  Rate rate() {
    Rate rate;
    rate.price = amount();
    rate.per_s = seconds(false);
    rate.first_s = seconds(false);
    rate.next_s = seconds(false);
    if (below(3) == 0) rate.connection_fee = amount();
    if (below(4) == 0) rate.minimum = amount();
    if (below(4) == 0) {
      rate.sections.resize(below(4) + 1);
      for (RateSection& section : rate.sections)
        section = {amount(), below(4) == 0 ? 0 : seconds(true)};
    }
    return rate;
  }
  FeeRules rules() {
    FeeRules rules;
    rules.precision = static_cast<int>(below(9));
    rules.rounding = static_cast<FeeRounding>(below(4));
    rules.hold_time_precision_ms = below(2) == 0 ? 50 : static_cast<int>(below(1000)) + 1;
    if (below(4) == 0) rules.free_time_s = static_cast<std::int64_t>(below(30));
    if (below(8) == 0)
      rules.unit = Amount::from_units(static_cast<std::int64_t>(below(50'000'000)));
    return rules;
  }
};

}  // namespace

TEST_CASE("rate_call: B-06 to B-09 agree with an oracle on a million random tariffs and calls") {
  Draw draw(20260101);
  std::int64_t differences = 0;
  std::int64_t out_of_range = 0;
  for (int i = 0; i < 1'000'000; ++i) {
    const Rate rate = draw.rate();
    FeeRules rules = draw.rules();
    const Amount unit = rules.unit;
    rules.unit = {};
    const auto talk_ms =
        static_cast<std::int64_t>(draw.below(draw.below(20) == 0 ? 20'000'000 : 300'000));
    std::int64_t billable_s = talk_ms / 1000;
    if (talk_ms - billable_s * 1000 >= rules.hold_time_precision_ms) ++billable_s;
    billable_s = billable_s > rules.free_time_s ? billable_s - rules.free_time_s : 0;

    const Oracle sum = exact_sum(rate, billable_s);
    const auto charge = rate_call(rate, talk_ms, rules);
    if (!charge) {  // only right when the sum is about 2^63 or more
      ++out_of_range;
      const BigNatural bound = BigNatural((std::uint64_t{1} << 63) - 100'000'000) *
                               static_cast<std::uint64_t>(rate.per_s);
      differences += sum.numerator < bound;
      continue;
    }
    const auto rounded = static_cast<std::uint64_t>(charge->charge.units());
    const bool agrees =
        charge->billed_time_s == sum.billed_s && is_rounded(sum, rate.per_s, rounded, rules);
    differences += !agrees;

    rules.unit = unit;
    const auto up = rate_call(rate, talk_ms, rules);
    if (!unit.is_zero() && up) {
      const auto in_units = static_cast<std::uint64_t>(up->charge.units());
      const auto step = static_cast<std::uint64_t>(unit.units());
      differences += in_units % step != 0 || in_units < rounded || in_units - rounded >= step;
    }
  }
  CHECK(differences == 0);
  CHECK(out_of_range > 0);
  CHECK(out_of_range < 100'000);
}

TEST_CASE("available_time_s: B-10 is the exact inverse: a second more costs more than there is") {
  Draw draw(42);
  int wrong = 0;
  int endless = 0;
  for (int i = 0; i < 60'000; ++i) {
    const Rate rate = draw.rate();
    const FeeRules rules = draw.rules();
    const Amount usable = draw.amount();
    const std::int64_t time_s = available_time_s(rate, usable, rules);
    const auto is_affordable = [&](std::int64_t seconds) {
      const auto charge = rate_call(rate, seconds * 1000, rules);
      return charge && charge->charge <= usable;
    };
    wrong += !is_affordable(time_s);
    if (time_s == rated_time_max_s)
      ++endless;
    else
      wrong += is_affordable(time_s + 1);
  }
  CHECK(wrong == 0);
  CHECK(endless > 1000);
}

TEST_CASE(
    "available_time_s: B-10 equals a linear search and never falls when there is more money") {
  Draw draw(43);
  int wrong = 0;
  for (int i = 0; i < 300; ++i) {
    const Rate rate = draw.rate();
    const FeeRules rules = draw.rules();
    std::int64_t last_s = 0;
    for (const std::int64_t units : {0, 1, 1'000, 100'000, 5'000'000, 100'000'000}) {
      const Amount usable = Amount::from_units(units);
      const std::int64_t time_s = available_time_s(rate, usable, rules);
      wrong += time_s < last_s;
      last_s = time_s;
      std::int64_t slow_s = 0;
      while (slow_s < 400) {
        const auto charge = rate_call(rate, (slow_s + 1) * 1000, rules);
        if (!charge || charge->charge > usable) break;
        ++slow_s;
      }
      wrong += slow_s != (time_s < 400 ? time_s : 400);
    }
  }
  CHECK(wrong == 0);
}

TEST_CASE("available_time_s: B-10 worked examples") {
  Rate rate;
  rate.price = Amount::parse("0.60").value();
  const auto time_s = [&](const char* usable, FeeRules rules = {}) {
    return available_time_s(rate, Amount::parse(usable).value(), rules);
  };
  CHECK(time_s("1.00") == 100);  // 0.01 a second
  CHECK(time_s("0.005") == 0);   // not one second
  CHECK(time_s("0") == 0);
  CHECK(time_s("-1") == 0);
  FeeRules free;
  free.free_time_s = 20;
  CHECK(time_s("0.05", free) == 25);
  rate.first_s = 60;
  rate.next_s = 60;
  CHECK(time_s("1.00") == 60);  // one whole minute, the second costs 1.20
  rate.connection_fee = Amount::parse("0.40").value();
  CHECK(time_s("1.00") == 60);
  CHECK(time_s("0.99") == 0);
  rate = Rate{};
  CHECK(time_s("0.01") == rated_time_max_s);
  CHECK(time_s("0") == rated_time_max_s);
}
