// The arithmetic of packages: midnights, shares of periods, rates.
#pragma once

#include <cstdint>

#include "base/time_zone.hpp"
#include "rating/schedule.hpp"
#include "tandem/accounts.hpp"
#include "tandem/packages.hpp"

namespace tandem::rating {

/// When a local day begins, microseconds since 1970 UTC.
[[nodiscard]] std::int64_t midnight_us(const TimeZone& zone, std::int64_t day) noexcept;

/// As a tariff would have it.
[[nodiscard]] Rate rate_of(const PackageRate& period_rate);

/// The same as a window over a tariff, without the prefix.
[[nodiscard]] RateWindow window_of(const PackageRate& period_rate);

/// `percent` of `whole` for so many of its days, half up to 1e-8, at most account_amount_max.
/// REQUIRES: amounts and numbers
/// that passed the checks of packages and orders.
[[nodiscard]] Amount share_of(Amount whole, std::int64_t percent, std::int64_t days,
                              std::int64_t whole_days) noexcept;

}  // namespace tandem::rating
