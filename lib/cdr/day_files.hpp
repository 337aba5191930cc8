// Names of the CDR day files, their columns and their archives (C-03, O-08).
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace tandem::cdr {

inline constexpr std::int64_t day_us = 86'400'000'000;
/// A day beyond all that times can be of.
inline constexpr std::int64_t last_day = std::numeric_limits<std::int64_t>::max() / day_us;

/// Days since 1970 of the UTC day whose file holds a call.
std::int64_t day_of(std::int64_t ended_at_us);
/// "cdr-YYYYMMDD.db".
std::string day_name(std::int64_t day);
/// Day of a file name; nothing for other files.
std::optional<std::int64_t> day_from_name(std::string_view name);
/// "cdr-YYYYMMDD.db.zst", the archive of a day (O-08).
std::string archive_name(std::int64_t day);
/// Day of the name of an archive; nothing for other files.
std::optional<std::int64_t> day_from_archive_name(std::string_view name);
/// "cdr-YYYYMMDD.columns", the columns of a sealed day.
std::string columns_name(std::int64_t day);
/// "cdr-YYYYMMDD.columns.bad", an empty file that says that those are damaged.
std::string bad_columns_name(std::int64_t day);
/// Day of a name of one or the other; nothing for other files.
std::optional<std::int64_t> day_from_columns_name(std::string_view name);

}  // namespace tandem::cdr
