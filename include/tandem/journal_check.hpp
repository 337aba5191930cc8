// What is in a journal, without opening it for writing.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tandem/error.hpp"
#include "tandem/export.h"

namespace tandem {

/// One file of a journal that is in use.
struct JournalSegmentFacts {
  std::string file;  ///< Its name in the folder.
  std::uint64_t serial = 0;
  std::uint64_t first_record = 0;  ///< Number that its first record has, or would have.
  std::uint64_t last_record = 0;   ///< The last one that is readable; below `first_record`: none.
  std::uint64_t answers = 0, marks = 0, ends = 0, payments = 0, others = 0;
  std::uint64_t bytes_used = 0;
  std::uint64_t bytes = 0;  ///< Of the file.
};

struct JournalCheck {
  std::vector<JournalSegmentFacts> segments;  ///< In order.
  std::uint64_t spare_files = 0;
  /// Where a record that was durable is not readable, or a file is missing; one line each. The
  /// journal cannot be opened then.
  std::vector<std::string> damages;
  bool was_closed = false;         ///< The writer ended in good order, as far as is readable.
  std::uint64_t torn_records = 0;  ///< Behind a torn end: never acknowledged, left out at a start.
  [[nodiscard]] bool ok() const noexcept { return damages.empty(); }
};

/// Reads every record of the journal in `folder` and checks it as a start would, up to the first
/// damage of each file. Changes nothing; beside a running writer it sees what is written at that
/// time, so that the end of the last file may look torn. Memory: one file. Errors: not_found (there
/// is no such folder), io.
TANDEM_EXPORT Result<JournalCheck> check_journal(const std::string& folder);

/// One JSON object: ok was_closed torn_records spare_files damages[] segments[].
TANDEM_EXPORT std::string to_json(const JournalCheck& check);
/// Aligned text for people, then a line for each damage.
TANDEM_EXPORT std::string to_table(const JournalCheck& check);

}  // namespace tandem
