// What the calls of one gateway came to, from day files (B-27).
#pragma once

#include <string>
#include <vector>

#include "cdr/corrections_sqlite.hpp"
#include "tandem/error.hpp"
#include "tandem/reconciliation.hpp"

namespace tandem::cdr {

/// Errors: invalid_argument (no gateway, an empty period).
Result<void> check_interconnect_query(const InterconnectQuery& query);

/// Of a vendor gateway `calls` are the tries on it: its switch has each as a call of its own.
/// `corrected`: of the query's period. Errors: those of the check, limit (a sum), io.
Result<InterconnectTotals> interconnect_totals(const std::string& folder,
                                               const InterconnectQuery& query,
                                               const std::vector<SideDifference>& corrected);
/// Errors: those of the check, limit (too many), io.
Result<std::vector<InterconnectCall>> interconnect_calls(
    const std::string& folder, const InterconnectQuery& query,
    const std::vector<SideDifference>& corrected);

}  // namespace tandem::cdr
