// What keeps a day of records from being deleted, and the list of those that were (O-09).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cdr/disk.hpp"
#include "tandem/clock.hpp"
#include "tandem/error.hpp"

namespace tandem::cdr {

/// Asked before the records of a day are deleted, wherever they are. Threading: one thread at a
/// time.
class DayGuard {
 public:
  virtual ~DayGuard();
  /// Why the day, in days since 1970, has to stay; "": nothing is known. Errors: io, corrupt; the
  /// day stays then, too.
  virtual Result<std::string> why_kept(std::int64_t day) = 0;
  /// Runs `remove`, which is quick, unless the day has to stay, and nobody can dispute a record of
  /// it meanwhile. True: it was run, and succeeded; else `reason` says why the day stays. Errors:
  /// those of `remove`, io, corrupt.
  virtual Result<bool> remove_day(std::int64_t day, std::string& reason,
                                  const std::function<Result<void>()>& remove) = 0;
  /// Writes down that `sink` deletes a day; before it does. Errors: io.
  virtual Result<void> note_retired(std::int64_t day, const std::string& sink) = 0;
  /// The same: it did not after all. Errors: io.
  virtual Result<void> forget_retired(std::int64_t day, const std::string& sink) = 0;
};

/// Where it is written what was not billed yet, or is disputed.
struct RetentionPlace {
  /// Main database of a switch: disputes, the ledger's place in the journal, the list of days that
  /// sinks deleted. "": there is none.
  std::string database;
  std::string journal;  ///< Folder: records that wait in it, or were set aside. "": there is none.
  /// Files with the places in the journal of other sinks, a number each; those that are not there
  /// count for nothing.
  std::vector<std::string> positions{};
  /// Lowest place of all sinks while a switch runs, which its files may be behind; nothing: all
  /// have everything. Empty: it is in files.
  std::function<std::optional<std::uint64_t>()> lowest_position{};
};

/// Keeps days with records that are disputed, that wait in the journal to be charged or to be
/// written, or that a sink set aside. Asks anew each time. `clock` outlives it; `disk` is that of
/// the journal, null: the system's.
std::unique_ptr<DayGuard> make_day_guard(RetentionPlace place, const Clock& clock,
                                         std::shared_ptr<Disk> disk = nullptr);

/// The earliest day that a record behind `sequence` of the journal in `folder` is of; nothing:
/// there is no such record. Reads the files, beside a writer too. Errors: io, corrupt.
Result<std::optional<std::int64_t>> earliest_day_behind(Disk& disk, const std::string& folder,
                                                        std::uint64_t sequence);

/// A day that a sink deleted.
struct RetiredDay {
  std::int64_t at_us = 0;
  std::int64_t day = 0;
  std::string sink;
};
/// The latest `limit`, newest first, of a main database; none when it is not there. Errors: io.
Result<std::vector<RetiredDay>> retired_days(const std::string& database, std::size_t limit);

}  // namespace tandem::cdr
