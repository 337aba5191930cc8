// Maintenance of a folder of day files (O-08, O-09).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cdr/archive_file.hpp"
#include "cdr/cdr_rows_sqlite.hpp"
#include "cdr/column_file.hpp"
#include "cdr/day_lock.hpp"
#include "cdr/day_seal_sqlite.hpp"
#include "cdr/disk.hpp"
#include "cdr/retained_days.hpp"
#include "store/sqlite.hpp"
#include "tandem/clock.hpp"
#include "tandem/maintenance.hpp"

namespace tandem::cdr {

/// How fast maintenance goes and when it ends. Threading: called on the thread of the maintenance.
class Pace {
 public:
  virtual ~Pace();
  /// Some bytes were read or written: waits until that is no more than is allowed. Errors:
  /// wrong_state (the work shall end).
  virtual Result<void> spend(std::uint64_t bytes) = 0;
  /// Something is in use: waits a little. Errors: wrong_state (the work shall end).
  virtual Result<void> pause() = 0;
  /// The work shall end.
  [[nodiscard]] virtual bool is_over() const noexcept = 0;
};

/// Room on a disk for a process without privileges.
struct DiskRoom {
  std::uint64_t free_bytes = 0;
  std::uint64_t size_bytes = 0;
};

/// Whoever keeps the days of a folder, one at a time: the object holds "cdr-maintenance.lock".
///
/// A day is at every moment readable once, whatever dies: the new file is complete, flushed and
/// read back before it gets its name, it gets the name in one step, and the old one goes only then.
/// What a death leaves behind has names of its own, and the next open() removes it. A file that
/// somebody has open, or that gets a record meanwhile, is left as it is; such an act ends with
/// wrong_state. So is everything when the disk has no room for the copies and a reserve for the
/// journal; that is `limit`. What it makes belongs to whoever the sink's files belong to.
///
/// Threading: one thread at a time.
class DayKeeper {
 public:
  struct Options {
    std::string folder;
    MaintenanceConfig rules;
    std::shared_ptr<Disk> disk = nullptr;  ///< Of names and archives; null: the system's.
    /// Told before each act, with days since 1970. May be empty.
    std::function<void(MaintenanceAct, std::int64_t day)> on_act{};
    /// Steps of the day files; tests have those of a later release.
    std::span<const store::Migration> steps = day_steps;
    /// Room on the disk of a folder; empty: what the system says.
    std::function<Result<DiskRoom>(const std::string& folder)> room_of{};
    /// Asked before an archive is deleted; null: nobody is. Outlives the keeper.
    DayGuard* guard = nullptr;
  };

  /// `clock` and `pace` outlive it. Errors: already_exists (another one is at work), not_found (no
  /// such folder), io.
  static Result<std::unique_ptr<DayKeeper>> open(Options options, const Clock& clock, Pace& pace);

  /// All that is due now. Begins nothing from `until_us` (wall clock) on.
  MaintenanceReport run(std::optional<std::int64_t> until_us);
  /// The time that this object judges by what is too old, for whatever else is deleted with the
  /// days: of its first use, and after a wrong step of the clock only a week later than the run
  /// before. Errors: io, corrupt.
  Result<std::int64_t> judged_us();
  /// Writes down what was done beside the acts on days: to how many `files`, up to which day, and
  /// why not to all. Errors: io.
  Result<void> note_act(std::string_view act, std::string_view day, std::string_view failure,
                        std::int64_t files);
  /// One act on one day. The columns of a day that was sealed or restored are an act that follows,
  /// and whose failure leaves the day as it is. MaintenanceAct::remove deletes an archive of any
  /// age, unless the day is online, too. Errors: not_found (there is no such day), wrong_state (in
  /// use, or it has to stay: was_kept()), corrupt, unsupported (archives, in a build without them),
  /// invalid_argument (MaintenanceAct::run), io, limit.
  Result<void> act(MaintenanceAct act, std::int64_t day);
  /// Whether the last act failed because the guard keeps the day.
  [[nodiscard]] bool was_kept() const noexcept { return was_kept_; }

 private:
  DayKeeper(Options options, const Clock& clock, Pace& pace, std::unique_ptr<DiskLock> lock,
            store::Connection notes);

  struct Held;
  class Draft;

  Result<void> discard_leftovers();
  Result<void> discard(const std::string& path);
  Result<void> discard_file(const std::string& path);
  Result<bool> exists(const std::string& name);
  [[nodiscard]] std::string path(const std::string& name) const {
    return options_.folder + "/" + name;
  }
  [[nodiscard]] Spend spend();
  void watch(store::Connection& connection);
  Error ended(Error error) const;

  Error came_in(std::int64_t day);
  Result<DayLock> lock_unused(std::int64_t day);
  Result<void> wait_until_unused(std::int64_t day);
  Result<void> check_room(MaintenanceAct act, std::int64_t day);
  Result<void> give_away(const std::string& path, const std::string& model);
  Result<void> update(store::Connection& connection);
  Result<void> insist(Result<void> (DayKeeper::*step)(std::int64_t), std::int64_t day);
  Result<void> seal(std::int64_t day);
  Result<void> archive(std::int64_t day);
  Result<void> restore(std::int64_t day);
  Result<void> verify(std::int64_t day, std::optional<Error>& of_columns);
  Result<void> write_columns(std::int64_t day);
  std::optional<Error> write_wanted_columns(std::int64_t day);
  Result<void> drop_columns(std::int64_t day);
  Result<void> remove(std::int64_t day);
  Result<void> remove_asked(std::int64_t day);

  Result<Held> hold(std::int64_t day);
  Result<void> copy_into(Held& held, const std::string& draft);
  Result<void> check_unchanged(Held& held);
  Result<std::uint64_t> merge(store::Connection& into, const std::string& other);
  Result<DayContent> finish_draft(const std::string& draft, const DayContent& before,
                                  const std::function<Result<void>(store::Connection&)>& change);
  Result<DayContent> expand(std::int64_t day, const std::string& to);
  Result<DayLock> freeze(Held& held);
  Result<void> put_in_place(Held& held, const std::string& draft);
  Result<void> verify_columns(store::Connection& connection, std::int64_t day,
                              const DayContent& content, std::optional<Error>& told);

  Result<void> act(MaintenanceAct act, std::int64_t day, std::optional<Error>& of_columns);
  struct Note {
    std::string_view act, day, failure;
    std::int64_t files = 0, records = 0;
    bool was_asked = false;
    std::int64_t id = 0;  // of the row that it takes the place of; 0: it is a new one
  };
  Result<void> note(const Note& note);
  Result<void> note_begun(std::int64_t day);
  Result<void> noted(MaintenanceAct act, std::int64_t day, const Result<void>& outcome,
                     const std::optional<Error>& of_columns);
  Result<std::optional<MaintenanceAct>> due_of(std::int64_t day, bool is_online, bool is_archived,
                                               std::int64_t now_us, std::int64_t judged_us);
  Result<std::vector<std::int64_t>> least_verified(std::vector<std::int64_t> archives);
  bool attempt(MaintenanceAct act, std::int64_t day, MaintenanceReport& report);

  const Options options_;
  const std::shared_ptr<Disk> disk_;
  const Clock& clock_;
  Pace& pace_;
  const std::unique_ptr<DiskLock> lock_;
  store::Connection notes_;  // "cdr-maintenance.db"
  store::Connection::Watch watch_;
  std::optional<std::int64_t> judged_us_;
  bool has_come_in_ = false;  // a record, during the attempt that is made
  bool was_kept_ = false;
  bool is_asked_ = false;             // the act is not one of a run
  std::int64_t removed_records_ = 0;  // by the last remove()
  std::int64_t begun_note_ = 0;       // row of the deletion that was begun; 0: none was
};

/// What was done in a folder, newest first; none when nothing was. Errors: io, invalid_argument.
Result<std::vector<MaintenanceNote>> noted_acts_in(const std::string& folder,
                                                   const MaintenanceNoteQuery& query);

/// Days of the folder, the latest first; none when it is not there. Errors: io.
Result<std::vector<StoredDay>> stored_days_in(const std::string& folder);

}  // namespace tandem::cdr
