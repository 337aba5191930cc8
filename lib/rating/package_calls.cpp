#include "tandem/package_calls.hpp"

#include <algorithm>
#include <utility>

#include "rating/package_charge.hpp"

namespace tandem {

Result<PackagedCharge> charge_call(PackageBook& book, std::string_view account,
                                   std::string_view callee, std::int64_t talk_time_ms,
                                   const Rate& tariff, const FeeRules& rules,
                                   const CallStart& tariff_start, std::string_view phone) {
  const PackageHandle owner = book.find(account, phone);
  const PackagePrices prices = book.prices(owner, callee, tariff_start.at_us);
  CallStart start = tariff_start;
  const Rate& rate = *prices.choose(&tariff, start);
  const auto whole = rate_call(rate, talk_time_ms, rules, nullptr, start);
  if (!whole) return whole.error();
  PackageHold hold = book.open_call(owner, callee, start.at_us);
  const std::int64_t talked_s = billable_seconds(talk_time_ms, rules);
  if (!whole->charge.is_zero()) {
    const std::int64_t covered_s = hold.cover(talked_s - rating::unpaid_s(rate, rules));
    const Amount worth = rating::worth_of(rate, covered_s, rules, start);
    hold.raise_money(
        Amount::from_units(std::max<std::int64_t>(0, whole->charge.units() - worth.units())));
  }
  // The whole charge was an amount, so that of a part of it is one.
  PackagedCharge charged =
      *rating::charge_with_loan(rate, talked_s, rules, hold.loan(), start, nullptr);
  charged.use = hold.settle(std::move(charged.use), charged.charge.charge);
  return charged;
}

}  // namespace tandem
