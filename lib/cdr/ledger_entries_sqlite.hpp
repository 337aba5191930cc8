// Reading the ledger's entries, by the switch that writes them and by others.
#pragma once

#include <vector>

#include "store/sqlite.hpp"
#include "tandem/error.hpp"
#include "tandem/ledger.hpp"

namespace tandem::cdr {

/// What read_entry() reads, in its order.
inline constexpr const char* entry_columns =
    "id, account, kind, amount_units, balance_units, at_us, reference, memo, idempotency_key";
inline constexpr int entry_column_count = 9;
LedgerEntry read_entry(const store::Statement& row);

/// Newest first. Errors: invalid_argument (limit, no account), io.
Result<std::vector<LedgerEntry>> read_entries(store::Connection& connection,
                                              const LedgerQuery& query);

}  // namespace tandem::cdr
