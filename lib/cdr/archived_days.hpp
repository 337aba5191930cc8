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

/// Days since 1970 of which `folder` has a day file or an archive, the latest first; none when it
/// is not there. One that is archived meanwhile is among them. Errors: io.
Result<std::vector<std::int64_t>> stored_days_of(const std::string& folder);

/// The file of one of stored_days_of(), for reading all its records. Where they are is judged while
/// the file is held, so that no day that is archived or deleted since it was listed is left out in
/// silence. Nothing: the file is being made just now; or `skips_archived`, and what there is of the
/// day is in an archive. `watch` as DayRows::open() has it. Errors: wrong_state (the day is
/// archived and not restored, or gone), io.
Result<std::optional<DayRows>> open_day_to_read(const std::string& folder, std::int64_t day,
                                                bool skips_archived,
                                                const store::Connection::Watch* watch = nullptr);

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

/// Archived days that may have this record, restored or not, the latest first. Errors: io.
Result<std::vector<std::int64_t>> archives_that_may_have(const std::string& folder,
                                                         std::uint64_t record_id);

/// What is said of a record that may be of a day which is archived and not restored.
Error record_is_archived(std::uint64_t record_id, std::int64_t day);

}  // namespace tandem::cdr
