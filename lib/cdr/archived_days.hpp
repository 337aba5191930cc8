// What questions say of days that are archived.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cdr/cdr_rows_sqlite.hpp"
#include "tandem/cdr_query.hpp"
#include "tandem/error.hpp"

namespace tandem::cdr {

/// Days since 1970 of which `folder` has archives, the latest first; none when it is not there.
/// Errors: io.
Result<std::vector<std::int64_t>> archives_in(const std::string& folder);

/// Whether an archived day has all its records in its day file too. `rows` is nothing when there is
/// no such file. Errors: io.
Result<bool> is_restored(std::optional<DayRows>& rows);

/// The file of a day that has all its records. Nothing: there is none, or it is an archive that has
/// them. Errors: io.
Result<std::optional<DayRows>> open_whole_day(const std::string& folder, std::int64_t day);

/// Errors: wrong_state (a day of `since_day`..`until_day`, both included, is archived and not
/// restored; the text names the first and the last one, and how to get at them), io.
Result<void> check_days_online(const std::string& folder, std::int64_t since_day,
                               std::int64_t until_day);

/// The same for the period of a filter, unless that wants no archived days.
Result<void> check_days_online(const std::string& folder, const CdrFilter& filter);

/// Errors: wrong_state (an archived day that is not restored may have this record), io.
Result<void> check_record_online(const std::string& folder, std::uint64_t record_id);

}  // namespace tandem::cdr
