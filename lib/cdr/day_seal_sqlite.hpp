// What a day file says of itself: that it was sealed, with what, and that it was restored.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "cdr/archive_file.hpp"
#include "cdr/day_manifest.hpp"
#include "store/sqlite.hpp"

namespace tandem::cdr {

/// A sealed file has a table of its own, with one row until a record comes late: the insertion
/// takes the row away, in its own transaction, whoever inserts. So a row means that the file must
/// have exactly these records, and the table that it once had all of its day: the file that a late
/// record begins beside an archive has none.
struct DaySeal {
  std::int64_t sealed_at_us = 0;
  DayContent content;
};

/// Nothing: it is not sealed. Errors: corrupt, io.
Result<std::optional<DaySeal>> read_seal(store::Connection& day);
/// Errors: io.
Result<bool> holds_whole_day(store::Connection& day);
/// 0: it never was. Errors: io.
Result<std::int64_t> restored_at_us(store::Connection& day);

/// Errors: io.
Result<void> write_seal(store::Connection& day, const DaySeal& seal);
Result<void> note_restored(store::Connection& day, std::int64_t at_us);

/// Reads all records. `columns`: so many of the first ones of the table; 0: all. Errors: corrupt
/// (it has fewer), io, timeout, those of `spend`.
Result<DayContent> read_content(store::Connection& day, std::int64_t columns, const Spend& spend);

/// SQLite's own check of the file and its indexes. Errors: corrupt (the text has the first
/// finding), io, timeout.
Result<void> check_integrity(store::Connection& day);

}  // namespace tandem::cdr
