// Disputes and the list of retired days as the main database keeps them (O-09).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "store/sqlite.hpp"
#include "tandem/error.hpp"

namespace tandem::cdr {

/// The main database with these tables, made when absent. Beside a running switch it waits for its
/// turn to write. Errors: io, unsupported (of a later release).
Result<store::Connection> open_disputes(const std::string& database);
/// For reading. Nothing: "", no such file, or none was ever kept there. Errors: io.
Result<std::optional<store::Connection>> read_disputes(const std::string& database);

struct OpenDisputes {
  std::uint64_t count = 0;
  std::uint64_t first_record = 0;  ///< The lowest of them.
};
/// Those of a day, in days since 1970, that are not resolved. Errors: io.
Result<OpenDisputes> open_disputes_of(store::Connection& connection, std::int64_t day);

}  // namespace tandem::cdr
