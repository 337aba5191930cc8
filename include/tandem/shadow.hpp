// Shadow routing: live calls are also routed by other tables, which touches no call, and a report
// says what would have changed in vendor, cost and margin (docs/routing.md).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "tandem/error.hpp"
#include "tandem/export.h"

namespace tandem {

/// Ended calls that may wait to be routed by the shadow; more are dropped and counted.
inline constexpr std::size_t shadow_queue_calls_max = 8192;
/// Rows of each list of the report; what comes then is summed up in one row "(others)".
inline constexpr std::size_t shadow_rows_max = 10'000;

/// A report of Switch::shadow_report() or of GET /api/v1/shadow as text for people: the sums, and
/// of each list the rows with most calls, `rows_max` at most. Errors: invalid_argument (no such
/// report).
TANDEM_EXPORT Result<std::string> shadow_table(std::string_view report, std::size_t rows_max = 20);

}  // namespace tandem
