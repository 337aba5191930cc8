#include <algorithm>
#include <limits>

#include "rating/formula.hpp"
#include "tandem/accounts.hpp"

namespace tandem {
namespace {

constexpr std::int64_t us_per_s = 1'000'000;
constexpr std::int64_t renew_ahead_us = 2 * us_per_s;
// Longest first: what is reserved ahead is money that parallel calls cannot use, so a poor account
// is asked for less. 0 covers what a late timer has already let the call talk.
constexpr std::int64_t stretches_s[] = {10, 5, 2, 1, 0};
// What the timer and the BYE may be late without a further second being billed (B-08).
constexpr std::int64_t lateness_ms = 20;

std::int64_t after_free_time(std::int64_t talked_s, const FeeRules& rules) noexcept {
  return std::max<std::int64_t>(0, talked_s - rules.free_time_s);
}

}  // namespace

Result<Amount> CallMeter::first_hold(const Rate& rate, const FeeRules& rules) {
  const auto charge = rating::charge_of(rate, 1, rules);
  if (!charge)
    return Error{ErrorCode::limit, "charge of the first second at prefix \"" + rate.prefix +
                                       "\" was larger than an amount can be"};
  return charge->charge;
}

CallMeter::CallMeter(const Rate& rate, const FeeRules& rules, MoneyHold hold) noexcept
    : rate_(&rate),
      rules_(rules),
      hold_(std::move(hold)),
      covered_s_(available_time_s(rate, hold_.held(), rules)) {}

MeterVerdict CallMeter::start(std::int64_t now_us) noexcept {
  answered_us_ = now_us;
  return plan(now_us);
}

MeterVerdict CallMeter::on_timer(std::int64_t now_us) noexcept { return plan(now_us); }

MeterVerdict CallMeter::plan(std::int64_t now_us) noexcept {
  constexpr MeterVerdict never{false, std::numeric_limits<std::int64_t>::max()};
  if (!rate_ || !hold_.is_open() || covered_s_ >= rated_time_max_s) return never;
  if (now_us < cut_us() - renew_ahead_us) return {false, cut_us() - renew_ahead_us};
  cover(billable_seconds(std::max<std::int64_t>(0, now_us - answered_us_) / 1000, rules_));
  if (covered_s_ >= rated_time_max_s) return never;
  if (now_us >= cut_us()) return {true, now_us};
  // A hold too short to be renewed ahead is renewed at its end.
  return {false, now_us < cut_us() - renew_ahead_us ? cut_us() - renew_ahead_us : cut_us()};
}

void CallMeter::cover(std::int64_t talked_s) noexcept {
  for (const std::int64_t ahead_s : stretches_s) {
    const std::int64_t target_s = std::min(talked_s + ahead_s, rated_time_max_s);
    if (target_s <= covered_s_) return;
    const auto charge = rating::charge_of(*rate_, after_free_time(target_s, rules_), rules_);
    if (charge && hold_.renew(charge->charge)) {
      covered_s_ = available_time_s(*rate_, hold_.held(), rules_);
      return;
    }
  }
}

std::int64_t CallMeter::cut_us() const noexcept {
  const std::int64_t earlier_ms =
      std::max<std::int64_t>(0, lateness_ms - rules_.hold_time_precision_ms);
  return answered_us_ + covered_s_ * us_per_s - earlier_ms * 1000;
}

Charge CallMeter::finish(std::int64_t talk_time_ms) noexcept {
  if (!rate_ || !hold_.is_open()) return {};
  const std::int64_t talked_s =
      billable_seconds(std::clamp<std::int64_t>(talk_time_ms, 0, 1000 * rated_time_max_s), rules_);
  auto charge = rating::charge_of(*rate_, after_free_time(talked_s, rules_), rules_);
  if (!charge || !hold_.renew(charge->charge))
    charge =
        rating::charge_of(*rate_, after_free_time(std::min(talked_s, covered_s_), rules_), rules_);
  if (!charge) charge = Charge{};  // unreachable: covered time has a charge
  charge->charge = hold_.settle(charge->charge);
  return *charge;
}

}  // namespace tandem
