// The module of SQLite that shows stored records as a table.
#pragma once

#include <optional>

#include "tandem/cdr_query.hpp"
#include "tandem/clock.hpp"
#include "tandem/error.hpp"

namespace tandem::cdr {

/// What tables of a module may cost, and what stopped one. Threading: as the connection.
struct TableTerms {
  CdrGuards guards{0, 0, 0};
  const Clock* clock = nullptr;
  std::optional<Error> failed;  ///< The last failure.
};

/// As register_cdr_module(). `terms` outlives the connection; null: no bounds.
Result<void> register_table_module(void* connection, const void* api, TableTerms* terms);

/// What SQLite calls of an extension that it loads: registers the module and returns SQLite's code.
/// `message` is for SQLite to free; it may be null.
int start_extension(void* connection, char** message, const void* api) noexcept;

}  // namespace tandem::cdr
