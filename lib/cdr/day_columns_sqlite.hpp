// Makes the columns of a day of its file, and compares them with it.
#pragma once

#include <cstdint>
#include <string>

#include "cdr/archive_file.hpp"
#include "cdr/column_file.hpp"
#include "cdr/disk.hpp"
#include "store/sqlite.hpp"

namespace tandem::cdr {

/// Writes the columns of all records of `day`, whose tables are of this release, to `path`, durable
/// but for the name. `facts.records` is filled in. Errors: io, limit, timeout, those of
/// `spend`.
Result<void> write_columns(store::Connection& day, Disk& disk, const std::string& path,
                           ColumnFacts& facts, const Spend& spend);

/// Reads both. Errors: corrupt (they are not the same, or a part is damaged), io, timeout, those of
/// `spend`.
Result<void> compare_columns(store::Connection& day, const ColumnFile& columns, const Spend& spend);

}  // namespace tandem::cdr
