// How gifts pay for a call.
#include <algorithm>

#include "rating/formula.hpp"
#include "rating/package_charge.hpp"

namespace tandem {
namespace rating {

std::int64_t unpaid_s(const Rate& rate, const FeeRules& rules) noexcept {
  return std::min(rules.free_time_s + rate.terms->free_s, rated_time_max_s);
}

Amount worth_of(const Rate& rate, std::int64_t covered_s, const FeeRules& rules,
                const CallStart& start) noexcept {
  if (covered_s <= 0) return {};
  const auto worth = charge_of(rate, std::min(unpaid_s(rate, rules) + covered_s, rated_time_max_s),
                               rules, nullptr, start);
  return worth ? worth->charge : Amount{};
}

std::optional<PackagedCharge> charge_with_loan(const Rate& rate, std::int64_t talked_s,
                                               const FeeRules& rules, const PackageLoan& loan,
                                               const CallStart& start,
                                               std::vector<ChargeStep>* steps) {
  const auto whole = charge_of(rate, talked_s, rules, steps, start);
  if (!whole) return std::nullopt;
  PackagedCharge result{*whole, {}};
  if (whole->charge.is_zero()) return result;
  PackageUse& use = result.use;
  const std::int64_t free_s = unpaid_s(rate, rules);
  std::int64_t left_s = std::max<std::int64_t>(0, talked_s - free_s);
  for (const PackageLoan::Part& part : loan.parts) {
    const std::int64_t covers_s = std::min(left_s, part.seconds);
    if (part.gift < 0 || covers_s == 0) continue;
    const std::int64_t taken_s = (covers_s + part.cycle_s - 1) / part.cycle_s * part.cycle_s;
    use.parts.push_back({part.order, part.period_start_us, part.gift, taken_s, {}, {}});
    use.covered_s += covers_s;
    use.time_s += taken_s;
    left_s -= covers_s;
  }
  if (use.covered_s > 0) {
    const auto covered = charge_of(rate, free_s + use.covered_s, rules, nullptr, start);
    if (!covered) return std::nullopt;  // unreachable: less than the whole
    result.charge.charge = Amount::from_units(whole->charge.units() - covered->charge.units());
    result.charge.billed_time_s -= covered->billed_time_s;
  }
  for (const PackageLoan::Part& part : loan.parts) {
    const Amount paid = std::min(result.charge.charge, part.money);
    if (part.gift >= 0 || paid.is_zero()) continue;
    use.parts.push_back({part.order, part.period_start_us, -1, 0, paid, {}});
    use.money = Amount::from_units(use.money.units() + paid.units());
    result.charge.charge = Amount::from_units(result.charge.charge.units() - paid.units());
  }
  if (steps != nullptr && !use.parts.empty()) {
    ChargeStep& step = steps->emplace_back();
    step.kind = ChargeStep::Kind::package;
    step.seconds = use.covered_s;
    step.amount = result.charge.charge;
  }
  return result;
}

}  // namespace rating

Result<PackagedCharge> rate_with_packages(const Rate& rate, std::int64_t talk_time_ms,
                                          const FeeRules& rules, const PackageLoan& loan,
                                          const CallStart& start) {
  const auto whole = rate_call(rate, talk_time_ms, rules, nullptr, start);  // checks the arguments
  if (!whole) return whole.error();
  return *rating::charge_with_loan(rate, billable_seconds(talk_time_ms, rules), rules, loan, start,
                                   nullptr);
}

}  // namespace tandem
