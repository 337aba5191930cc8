#include <algorithm>
#include <iterator>
#include <limits>

#include "rating/formula.hpp"
#include "rating/package_charge.hpp"
#include "tandem/accounts.hpp"

namespace tandem {
namespace {

constexpr std::int64_t us_per_s = 1'000'000;
constexpr std::int64_t renew_ahead_us = 2 * us_per_s;
// Longest first: what is reserved ahead is money that parallel calls cannot use, so a poor account
// is asked for less. 0 covers what a late timer has already let the call talk.
constexpr std::int64_t stretches_s[] = {10, 5, 2, 1, 0};
// How often an advance is looked after: never less than the advance less this is held, as long as
// the account has it (B-11).
constexpr std::int64_t step_us = 5 * us_per_s;
// What the timer and the BYE may be late without a further second being billed (B-08).
constexpr std::int64_t lateness_ms = 20;

// How far a meter looks ahead of the talk in windows that may change the price: it asks again then,
// and a call of a year in free hours costs no more thought than one of a day.
constexpr std::int64_t horizon_s = 86'400;

}  // namespace

Result<Amount> CallMeter::first_hold(const Rate& rate, const FeeRules& rules,
                                     const CallStart& start) {
  const auto charge =
      rating::charge_of(rate, rating::first_paid_s(rate, rules), rules, nullptr, start);
  if (!charge)
    return Error{ErrorCode::limit, "charge of the first second at prefix \"" + rate.prefix +
                                       "\" was larger than an amount can be"};
  return charge->charge;
}

Result<Amount> CallMeter::first_hold(const Rate& rate, const FeeRules& rules,
                                     const CallStart& start, PackageHold& packages) {
  auto first = first_hold(rate, rules, start);
  if (!first || first->is_zero() || !packages.is_open()) return first;
  if (packages.cover(1) > 0) return Amount();
  const Amount lent = packages.raise_money(*first);
  return Amount::from_units(std::max<std::int64_t>(0, first->units() - lent.units()));
}

CallMeter::CallMeter(const Rate& rate, const FeeRules& rules, MoneyHold hold, CallStart start,
                     std::int64_t advance_s, PackageHold packages, LimitHold limits) noexcept
    : rate_(&rate),
      rules_(rules),
      start_(std::move(start)),
      hold_(std::move(hold)),
      advance_s_(advance_s > stretches_s[0] ? advance_s : 0),
      packages_(std::move(packages)),
      limits_(std::move(limits)) {
  look_ahead(0);
}

MeterVerdict CallMeter::start(std::int64_t now_us, std::int64_t answered_at_us) noexcept {
  answered_us_ = now_us;
  if (rate_ && answered_at_us != 0 && answered_at_us != start_.at_us) {
    start_.at_us = answered_at_us;
    look_ahead(0);
  }
  return plan(now_us);
}

void CallMeter::look_ahead(std::int64_t talked_s) noexcept {
  const std::int64_t until_s = rating::changes_price(*rate_, start_)
                                   ? std::min(talked_s + horizon_s, rated_time_max_s)
                                   : rated_time_max_s;
  Amount paid = hold_.held();
  if (packages_.is_open()) {
    // Gift seconds stand for what the tariff asks for them.
    for (const Amount gift :
         {rating::worth_of(*rate_, packages_.covered_s(), rules_, start_), packages_.money()})
      paid = Amount::add(paid, gift).value_or(Amount::from_units(INT64_MAX));
  }
  covered_s_ =
      std::min(rating::covered_time_s(*rate_, paid, rules_, start_, until_s), limits_.granted_s());
}

std::int64_t CallMeter::reachable_s() const noexcept {
  if (!rate_ || covered_s_ >= rated_time_max_s) return rated_time_max_s;
  // What is covered stays so, whatever was changed since.
  return std::max(covered_s_,
                  reachable_s(*rate_, rules_, start_, hold_, packages_, limits_, covered_s_));
}

std::int64_t CallMeter::reachable_s(const Rate& rate, const FeeRules& rules, const CallStart& start,
                                    const MoneyHold& hold, const PackageHold& packages,
                                    const LimitHold& limits, std::int64_t covered_s) noexcept {
  if (!hold.is_open()) return rated_time_max_s;
  const std::int64_t until_s = rating::changes_price(rate, start)
                                   ? std::min(covered_s + horizon_s, rated_time_max_s)
                                   : rated_time_max_s;
  Amount paid = std::min(hold.reachable(), limits.reachable_charge());
  if (packages.is_open()) {
    for (const Amount gift :
         {rating::worth_of(rate, packages.available_s(), rules, start), packages.available_money()})
      paid = Amount::add(paid, gift).value_or(Amount::from_units(INT64_MAX));
  }
  return std::min(rating::covered_time_s(rate, paid, rules, start, until_s), limits.reachable_s());
}

Amount CallMeter::remaining_money(std::int64_t talk_time_ms) const noexcept {
  constexpr Amount unlimited = Amount::from_units(INT64_MAX);
  if (!rate_ || !hold_.is_open() || hold_.reachable() == unlimited) return unlimited;
  const std::int64_t talked_s =
      billable_seconds(std::clamp<std::int64_t>(talk_time_ms, 0, 1000 * rated_time_max_s), rules_);
  const auto charge = rating::charge_of(*rate_, talked_s, rules_, nullptr, start_);
  std::int64_t owed = charge ? charge->charge.units() : hold_.held().units();
  if (packages_.is_open())
    owed -= rating::worth_of(*rate_, packages_.covered_s(), rules_, start_).units() +
            packages_.money().units();
  return Amount::from_units(
      std::max<std::int64_t>(0, hold_.reachable().units() - std::max<std::int64_t>(0, owed)));
}

MeterVerdict CallMeter::on_timer(std::int64_t now_us) noexcept { return plan(now_us); }

MeterVerdict CallMeter::plan(std::int64_t now_us) noexcept {
  constexpr MeterVerdict never{false, std::numeric_limits<std::int64_t>::max(), Reason::none};
  if (!rate_ || !hold_.is_open() || covered_s_ >= rated_time_max_s) return never;
  const auto next_check_us = [this](std::int64_t due_us) {
    return advance_s_ == 0 ? due_us : std::min(due_us, next_step_us_);
  };
  const bool is_step_due = advance_s_ != 0 && now_us >= next_step_us_;
  if (now_us < cut_us() - renew_ahead_us && !is_step_due)
    return {false, next_check_us(cut_us() - renew_ahead_us), Reason::none};
  cover(billable_seconds(std::max<std::int64_t>(0, now_us - answered_us_) / 1000, rules_));
  next_step_us_ = now_us + step_us;
  if (covered_s_ >= rated_time_max_s) return never;
  if (now_us >= cut_us() && is_limited_) limits_.tell_refusal();
  if (now_us >= cut_us())
    return {true, now_us, is_limited_ ? Reason::AccountLimitReached : Reason::BalanceExhausted};
  // A hold too short to be renewed ahead is renewed at its end.
  return {false,
          next_check_us(now_us < cut_us() - renew_ahead_us ? cut_us() - renew_ahead_us : cut_us()),
          Reason::none};
}

void CallMeter::cover(std::int64_t talked_s) noexcept {
  /// True: so much is covered, before or now.
  const auto has = [&](std::int64_t ahead_s) {
    const std::int64_t target_s = std::min(talked_s + ahead_s, rated_time_max_s);
    if (target_s <= covered_s_) return true;
    const auto charge = rating::charge_of(*rate_, target_s, rules_, nullptr, start_);
    if (!charge || !pay(charge->charge, target_s)) return false;
    look_ahead(target_s);
    return true;
  };
  if (advance_s_ != 0 && has(advance_s_)) return;
  for (const std::int64_t ahead_s : stretches_s)
    if (has(ahead_s)) return;
}

/// Gift seconds, gift money, then what the account has and its limits grant. False: that is not
/// enough; what was lent stays so.
bool CallMeter::pay(Amount charge, std::int64_t talked_s) noexcept {
  std::int64_t rest = charge.units();
  if (packages_.is_open() && rest > 0) {
    const std::int64_t covered_s = packages_.cover(talked_s - rating::unpaid_s(*rate_, rules_));
    rest = std::max<std::int64_t>(
        0, rest - rating::worth_of(*rate_, covered_s, rules_, start_).units());
    const Amount lent = packages_.raise_money(Amount::from_units(rest));
    rest = std::max<std::int64_t>(0, rest - lent.units());
  }
  const Amount limited = limits_.charge();
  const std::int64_t limited_s = limits_.talk_s();
  is_limited_ = !limits_.renew(Amount::from_units(rest), talked_s);
  if (is_limited_) return false;
  if (hold_.renew(Amount::from_units(rest))) return true;
  limits_.lower(limited, limited_s);
  return false;
}

std::int64_t CallMeter::cut_us() const noexcept {
  const std::int64_t earlier_ms =
      std::max<std::int64_t>(0, lateness_ms - rules_.hold_time_precision_ms);
  return answered_us_ + covered_s_ * us_per_s - earlier_ms * 1000;
}

Charge CallMeter::finish(std::int64_t talk_time_ms, PackageUse* use,
                         std::vector<LimitUse>* limit_uses) {
  if (!rate_ || !hold_.is_open()) return {};
  const std::int64_t talked_s =
      billable_seconds(std::clamp<std::int64_t>(talk_time_ms, 0, 1000 * rated_time_max_s), rules_);
  const auto whole = rating::charge_of(*rate_, talked_s, rules_, nullptr, start_);
  const bool is_covered = whole && pay(whole->charge, talked_s);
  const std::int64_t charged_s = is_covered ? talked_s : std::min(talked_s, covered_s_);
  auto charge =
      rating::charge_with_loan(*rate_, charged_s, rules_, packages_.loan(), start_, nullptr);
  if (!charge) charge = PackagedCharge{};  // unreachable: covered time has a charge
  charge->charge.charge = hold_.settle(charge->charge.charge);
  PackageUse taken = packages_.settle(std::move(charge->use), charge->charge.charge);
  if (use != nullptr) *use = std::move(taken);
  if (limit_uses != nullptr) {
    auto uses = limits_.uses(charge->charge.charge, charged_s);
    limit_uses->insert(limit_uses->end(), std::make_move_iterator(uses.begin()),
                       std::make_move_iterator(uses.end()));
  }
  limits_.settle(charge->charge.charge, charged_s);
  return charge->charge;
}

}  // namespace tandem
