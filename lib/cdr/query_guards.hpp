// What a question may ask for (C-13).
#pragma once

#include "tandem/cdr_query.hpp"

namespace tandem::cdr {

/// The filter with its period bounded by the guards. Errors: invalid_argument (the period is
/// longer, or the reason is unknown).
Result<CdrFilter> guarded_filter(const CdrFilter& filter, const CdrGuards& guards,
                                 std::int64_t now_us);

}  // namespace tandem::cdr
