// Care for the day files of call records: sealed, checked, archived, restored (O-08, O-09).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/error.hpp"
#include "tandem/export.h"

namespace tandem {

struct SwitchConfig;

/// When what is done to a day file. A day ends at midnight UTC.
struct MaintenanceConfig {
  bool is_scheduled = false;          ///< Each day at `at_minute`; false: only when asked to.
  std::int32_t at_minute = 210;       ///< 0..1439, minute of the day in the zone of the parameters.
  std::int32_t window_minutes = 180;  ///< 1..1440; nothing is begun later than that after it.
  std::int32_t seal_after_days = 2;   ///< 0..36500 days after its end.
  std::int32_t archive_after_days = 0;  ///< 1..36500; 0: never.
  std::int32_t delete_after_days = 0;   ///< The archive; above archive_after_days; 0: never.
  std::int32_t restored_days = 7;       ///< 1..36500 that a restored day stays online.
  std::int32_t verify_archives = 1;  ///< 0..1000 archives a run, those not looked at for longest.
  std::int32_t io_megabytes_per_s = 20;  ///< 1..10000; about what is read and written.
  /// A sealed day gets its columns beside its file, which lists and reports read faster.
  bool writes_columns = true;
  bool operator==(const MaintenanceConfig&) const = default;
};

/// One thing that is done. C and Python take the names.
enum class MaintenanceAct : std::uint8_t {
  run,      ///< All that is due.
  seal,     ///< Check, compact and sum up a day. Late records are taken all the same.
  verify,   ///< Compare a day, online, archived or both, with what it was when it was sealed.
  archive,  ///< Into one compressed file; the day file goes when that was read back.
  restore,  ///< An archived day is online again; the archive stays.
  /// Delete an archive: one that is too old, or that is asked for, whatever its age. A day with
  /// records that are disputed, or not yet billed, stays.
  remove,
  write_columns,  ///< The columns of a sealed day, anew; else written when it is sealed.
  drop_columns,   ///< Take them away; unless the rules say otherwise, the next run writes them.
};
/// "run", "seal", "verify", "archive", "restore", "remove", "write_columns" or "drop_columns".
/// Lives for ever.
TANDEM_EXPORT const char* maintenance_act_name(MaintenanceAct act) noexcept;
/// Nothing: no act has this name.
TANDEM_EXPORT std::optional<MaintenanceAct> maintenance_act_from_name(
    std::string_view name) noexcept;

/// What a day came to in one currency. Sums are decimal text, because there are more digits than an
/// Amount has. As the calls were charged at their end: corrections are not in it.
struct DaySum {
  std::string currency;  ///< "" of calls that nobody pays.
  std::string charge, vendor_charge, agent_charge;
  bool operator==(const DaySum&) const = default;
};

/// One day of a folder. Times are microseconds since 1970 UTC, 0: never, or not known.
struct StoredDay {
  std::string day;           ///< "YYYY-MM-DD", UTC.
  bool is_online = false;    ///< All its records can be asked for.
  bool is_sealed = false;    ///< No record came since it was summed up.
  bool is_archived = false;  ///< There is an archive.
  /// There is an archive, and beside it a file with what came late: `online` is false then.
  bool has_late_records = false;
  std::int64_t file_bytes = 0, archive_bytes = 0;  ///< On disk; 0: no such file.
  /// Of the seal, else of the archive; 0 when there is neither.
  std::uint64_t records = 0;
  std::int64_t first_ended_at_us = 0, last_ended_at_us = 0;
  std::int64_t sealed_at_us = 0, archived_at_us = 0, restored_at_us = 0;
  std::int64_t verified_at_us = 0;  ///< The last time that it was found to be right.
  std::string failure;              ///< What is wrong with it; "": nothing known.
  std::vector<DaySum> sums;
  bool has_columns = false;        ///< They are of the file that is there: questions use them.
  std::int64_t columns_bytes = 0;  ///< On disk, of use or not; 0: no such file.
};

/// How one act ended.
struct MaintenanceOutcome {
  MaintenanceAct act = MaintenanceAct::run;
  std::string day;          ///< "YYYY-MM-DD".
  std::string failure;      ///< "": it is done.
  bool is_put_off = false;  ///< It failed because the day was in use, and is due again.
  bool is_kept = false;     ///< It was not deleted because of what is in it, and is due again.
  bool operator==(const MaintenanceOutcome&) const = default;
};

struct MaintenanceReport {
  std::int64_t started_at_us = 0, ended_at_us = 0;
  std::vector<MaintenanceOutcome> outcomes;  ///< In the order in which they were tried.
  /// Its window or the switch ended before all was done.
  bool was_cut_short = false;
  std::uint64_t recordings_deleted = 0;  ///< Too old by the rule of the section `recording`.
};

/// What was done once, as it is kept: the last 10,000 acts, deletions among them, and the last
/// 10,000 partitions that sinks deleted.
struct MaintenanceNote {
  std::int64_t at_us = 0;
  std::string act;      ///< Name of an act, "delete_recordings", or "retire" of a partition.
  std::string day;      ///< "YYYY-MM-DD"; of recordings that before which they were last written.
  std::string sink;     ///< Whose partition it was; "": day files and recordings.
  std::string failure;  ///< "": it was done.
  std::int64_t files = 0;    ///< Recordings that were deleted.
  std::int64_t records = 0;  ///< Of a day that was deleted; 0: not known.
  bool was_asked = false;    ///< By somebody, and not by the rules.
  bool operator==(const MaintenanceNote&) const = default;
};

struct MaintenanceNoteQuery {
  static constexpr std::size_t limit_max = 20'000;
  std::string act, day;                       ///< "": any.
  std::optional<std::int64_t> since_us = {};  ///< Inclusive.
  std::optional<std::int64_t> until_us = {};  ///< Exclusive.
  std::size_t limit = 100;                    ///< 1..limit_max.
};

/// What the maintenance of a running switch does.
struct MaintenanceState {
  bool is_scheduled = false;
  bool is_running = false;
  std::string doing;                ///< "archive 2026-08-25"; "" when it rests.
  std::int64_t next_run_at_us = 0;  ///< 0: not scheduled.
  std::uint64_t runs = 0;           ///< Runs and single acts that ended, since the start.
  std::uint64_t failures = 0;       ///< Acts that failed, without those put off.
  std::optional<MaintenanceReport> last;
};

/// The days of the SQLite sink of `config`, the latest first, whether a switch runs on it or not.
/// Opens each file. Errors: unsupported (no SQLite sink), io.
TANDEM_EXPORT Result<std::vector<StoredDay>> stored_days(const SwitchConfig& config);

/// Does it on this thread, as the rules of `config` have it, beside a running switch or without
/// one. `day`: "YYYY-MM-DD"; "" with MaintenanceAct::run, which judges by the clock, not by the
/// hour. Returns when it is done; what failed is in the report. Errors: invalid_argument (`day`, or
/// what is no act), unsupported (no SQLite sink), already_exists (maintenance of the folder is
/// going on, in this process or another one), io.
TANDEM_EXPORT Result<MaintenanceReport> maintain(const SwitchConfig& config, MaintenanceAct act,
                                                 std::string_view day = {});

/// What was done to days, recordings and partitions, newest first. Errors: invalid_argument
/// (limit), io.
TANDEM_EXPORT Result<std::vector<MaintenanceNote>> maintenance_notes(
    const SwitchConfig& config, const MaintenanceNoteQuery& query = {});

/// One JSON object each; docs/maintenance.md lists the keys.
TANDEM_EXPORT std::string to_json(const StoredDay& day);
TANDEM_EXPORT std::string to_json(const MaintenanceReport& report);
TANDEM_EXPORT std::string to_json(const MaintenanceState& state);
TANDEM_EXPORT std::string to_json(const MaintenanceNote& note);
/// Aligned text for people, a line a day.
TANDEM_EXPORT std::string to_table(const std::vector<StoredDay>& days);

}  // namespace tandem
