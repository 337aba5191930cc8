// What a day came to when it was sealed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/error.hpp"
#include "tandem/maintenance.hpp"

namespace tandem::cdr {

/// What is in the records of a day file, whatever the file looks like: two with the same records
/// have the same, whether they were compacted, indexed or archived in between.
struct DayContent {
  std::uint64_t records = 0;
  std::int64_t first_ended_at_us = 0, last_ended_at_us = 0;
  std::int64_t first_record_id = 0, last_record_id = 0;
  std::int64_t columns = 0;  ///< That were looked at: the first ones of the table.
  std::uint32_t crc = 0;     ///< CRC32C over them, in the order of `record_id`.
  std::vector<DaySum> sums;  ///< In the order of the currencies.

  /// Sums follow from the records, and are text for people.
  [[nodiscard]] bool has_same_records(const DayContent& other) const noexcept {
    return records == other.records && columns == other.columns && crc == other.crc;
  }
};

/// An archive's, which stands at its end.
struct DayManifest {
  std::string day;  ///< "YYYY-MM-DD".
  DayContent content;
  std::int64_t made_at_us = 0;
  std::uint64_t database_bytes = 0;    ///< Before compression.
  std::uint64_t compressed_bytes = 0;  ///< From the beginning of the file.
  std::uint32_t compressed_crc = 0;    ///< CRC32C of those.
};

std::string content_to_json(const DayContent& content);
/// Errors: corrupt.
Result<DayContent> content_from_json(std::string_view text);
std::string manifest_to_json(const DayManifest& manifest);
/// Errors: corrupt.
Result<DayManifest> manifest_from_json(std::string_view text);

}  // namespace tandem::cdr
