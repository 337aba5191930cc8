#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <system_error>

#include "base/text.hpp"
#include "cdr/archive_file.hpp"
#include "cdr/archived_days.hpp"
#include "cdr/day_files.hpp"
#include "cdr/day_seal_sqlite.hpp"
#include "cdr/disk.hpp"

namespace tandem::cdr {
namespace {

std::string date_of(std::int64_t day) { return format_date(day * day_us); }

Result<bool> is_there(const std::string& path) {
  if (access(path.c_str(), F_OK) == 0) return true;
  if (errno == ENOENT) return false;
  return Error{ErrorCode::io,
               "could not examine \"" + path + "\": " + std::generic_category().message(errno)};
}

/// `missing`: the latest first.
Error days_are_archived(const std::vector<std::int64_t>& missing) {
  const std::string days = missing.size() == 1 ? date_of(missing[0]) + " is archived"
                                               : std::to_string(missing.size()) + " days from " +
                                                     date_of(missing.back()) + " to " +
                                                     date_of(missing.front()) + " are archived";
  return {ErrorCode::wrong_state, days +
                                      ": restore those that you want (tandem-switch maintenance "
                                      "restore DAY), ask since " +
                                      date_of(missing.front() + 1) +
                                      ", or with skip_archived for the others alone"};
}

}  // namespace

Result<std::vector<std::int64_t>> archives_in(const std::string& folder) {
  std::vector<std::int64_t> days;
  auto names = PosixDisk().list(folder);
  if (!names && names.error().code == ErrorCode::not_found) return days;
  if (!names) return std::move(names).error();
  for (const std::string& name : *names) {
    if (const auto day = day_from_archive_name(name)) days.push_back(*day);
  }
  std::sort(days.rbegin(), days.rend());
  return days;
}

Result<std::vector<std::int64_t>> stored_days_of(const std::string& folder) {
  // In this order: a day file goes when its archive has its name, so a day of which the first list
  // did not see the file any more has its archive in the second one.
  auto days = days_in(folder);
  if (!days) return days;
  auto archives = archives_in(folder);
  if (!archives) return archives;
  days->insert(days->end(), archives->begin(), archives->end());
  std::sort(days->begin(), days->end(), std::greater<>());
  days->erase(std::unique(days->begin(), days->end()), days->end());
  return days;
}

Result<std::optional<DayRows>> open_day_to_read(const std::string& folder, std::int64_t day,
                                                bool skips_archived,
                                                const store::Connection::Watch* watch) {
  auto rows = DayRows::open(folder, day, watch);
  if (!rows || skips_archived) return rows;
  // Only now: a file that was not there to be opened had given its place to the archive before.
  auto is_archived = is_there(folder + "/" + archive_name(day));
  if (!is_archived) return std::move(is_archived).error();
  if (*is_archived) {
    auto is_whole = is_restored(*rows);
    if (!is_whole) return std::move(is_whole).error();
    if (*is_whole) return rows;
    return days_are_archived({day});
  }
  if (*rows) return rows;
  auto is_begun = is_there(folder + "/" + day_name(day));
  if (!is_begun) return std::move(is_begun).error();
  if (*is_begun) return rows;
  return Error{ErrorCode::wrong_state,
               "the records of " + date_of(day) + " went away while they were asked for"};
}

Result<bool> is_restored(std::optional<DayRows>& rows) {
  if (!rows) return false;
  return holds_whole_day(rows->connection());
}

Result<std::optional<DayRows>> open_whole_day(const std::string& folder, std::int64_t day) {
  auto rows = DayRows::open(folder, day);
  if (!rows || !*rows) return rows;
  auto archives = archives_in(folder);
  if (!archives) return std::move(archives).error();
  if (std::find(archives->begin(), archives->end(), day) == archives->end()) return rows;
  auto is_whole = is_restored(*rows);
  if (!is_whole) return std::move(is_whole).error();
  if (!*is_whole) return std::optional<DayRows>();
  return rows;
}

Result<void> check_days_online(const std::string& folder, const CdrFilter& filter) {
  if (filter.skips_archived) return {};
  const std::int64_t first = filter.since_us ? day_of(*filter.since_us) : 0;
  if (!filter.until_us) return check_days_online(folder, first, last_day);
  if (*filter.until_us <= 0) return {};
  return check_days_online(folder, first, day_of(*filter.until_us - 1));
}

Result<void> check_days_online(const std::string& folder, std::int64_t since_day,
                               std::int64_t until_day) {
  auto archives = archives_in(folder);
  if (!archives) return std::move(archives).error();
  std::vector<std::int64_t> missing;
  for (const std::int64_t day : *archives) {
    if (day < since_day || day > until_day) continue;
    auto rows = DayRows::open(folder, day);
    if (!rows) return std::move(rows).error();
    auto is_there = is_restored(*rows);
    if (!is_there) return std::move(is_there).error();
    if (!*is_there) missing.push_back(day);
  }
  if (missing.empty()) return {};
  return days_are_archived(missing);
}

Result<std::vector<std::int64_t>> archives_that_may_have(const std::string& folder,
                                                         std::uint64_t record_id) {
  auto archives = archives_in(folder);
  if (!archives) return archives;
  PosixDisk disk;
  const auto id = static_cast<std::int64_t>(std::min<std::uint64_t>(record_id, INT64_MAX));
  std::erase_if(*archives, [&](std::int64_t day) {
    // Of one that cannot be read it is not known what it has.
    const auto manifest = read_manifest(disk, folder + "/" + archive_name(day));
    return manifest &&
           (id < manifest->content.first_record_id || id > manifest->content.last_record_id);
  });
  return archives;
}

Error record_is_archived(std::uint64_t record_id, std::int64_t day) {
  return {ErrorCode::wrong_state, "record " + std::to_string(record_id) + " may be of " +
                                      date_of(day) +
                                      ", which is archived: restore it (tandem-switch "
                                      "maintenance restore " +
                                      date_of(day) + ") and ask again"};
}

}  // namespace tandem::cdr
