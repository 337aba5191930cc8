// Whether the ledger adds up, and whether it charged what the stored calls say.
#pragma once

#include <string>
#include <vector>

#include "store/sqlite.hpp"
#include "tandem/error.hpp"
#include "tandem/ledger.hpp"

namespace tandem::cdr {

/// See check_ledger(). `connection`: of the ledger's database, which is read at one moment.
/// `cdr_folders`: of the SQLite sinks; one that is not there yet is left out. Errors: io, corrupt.
Result<LedgerCheck> check_entries(store::Connection& connection,
                                  const std::vector<std::string>& cdr_folders);

}  // namespace tandem::cdr
