// Packages for programs without a switch: from their configuration, for
// calls that are over, and as a switch has kept them.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "tandem/error.hpp"
#include "tandem/export.h"
#include "tandem/packages.hpp"

namespace tandem {

struct SwitchConfig;

/// Provisions a book with one JSON object: `packages`, `package_orders`, `calendars`, `accounts`
/// and `phones` are lists as in `provision` of a configuration; of accounts and phones only the
/// monthly rules count, and who pays for a phone, which an order of a phone that is not listed says
/// itself. `timezone` is that of packages that name none. Errors: invalid_argument (begins with the
/// JSON pointer), and those of PackageBook::provision().
TANDEM_EXPORT Result<void> provision_packages(PackageBook& book, std::string_view json);

/// Charges a call of an account, or of a `phone` of it, that is over, with what their packages have
/// now: period rates, gift seconds, gift money; counts its spend. `tariff`: where no period rate
/// holds. `start.at_us`: its answer. Errors and requirements: those of rate_call(). Threading:
/// thread-safe.
TANDEM_EXPORT Result<PackagedCharge> charge_call(PackageBook& book, std::string_view account,
                                                 std::string_view callee, std::int64_t talk_time_ms,
                                                 const Rate& tariff, const FeeRules& rules,
                                                 const CallStart& start,
                                                 std::string_view phone = {});

/// Current periods, and monthly rules, of an account and its phones, "" for all, as the database of
/// a configuration has them; a switch may run on it. Errors: not_found (no database), io, corrupt.
TANDEM_EXPORT Result<std::vector<PackagePeriod>> query_packages(const SwitchConfig& config,
                                                                std::string_view account);

}  // namespace tandem
