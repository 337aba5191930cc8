// How gifts pay for a call: the first paid seconds, then money (B-22).
#pragma once

#include <optional>
#include <vector>

#include "tandem/packages.hpp"
#include "tandem/rating.hpp"

namespace tandem::rating {

/// Seconds at the start of a call that nobody pays for.
[[nodiscard]] std::int64_t unpaid_s(const Rate& rate, const FeeRules& rules) noexcept;

/// What the first `covered_s` paid seconds cost: that gift seconds which stand for them need not be
/// paid. Never falls when they grow.
[[nodiscard]] Amount worth_of(const Rate& rate, std::int64_t covered_s, const FeeRules& rules,
                              const CallStart& start) noexcept;

/// As rate_with_packages(), for billable seconds; `steps` as charge_of(). Nothing when the charge
/// is larger than an Amount.
[[nodiscard]] std::optional<PackagedCharge> charge_with_loan(
    const Rate& rate, std::int64_t talked_s, const FeeRules& rules, const PackageLoan& loan,
    const CallStart& start, std::vector<ChargeStep>* steps);

}  // namespace tandem::rating
