#include "cdr/day_keeper_sqlite.hpp"

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <map>
#include <set>
#include <system_error>
#include <utility>

#include "base/text.hpp"
#include "cdr/archived_days.hpp"
#include "cdr/compression.hpp"
#include "cdr/day_columns.hpp"
#include "cdr/day_columns_sqlite.hpp"
#include "cdr/day_files.hpp"
#include "cdr/file_owner.hpp"

namespace tandem::cdr {
namespace {

constexpr const char* lock_name = "/cdr-maintenance.lock";
constexpr const char* notes_name = "/cdr-maintenance.db";
constexpr std::string_view draft_extension = ".draft";
constexpr std::string_view check_extension = ".check";
constexpr std::string_view slim_extension = ".slim.draft";  // a draft, to whoever finds it
constexpr std::uint64_t watched_bytes = 1U << 18;  // about what SQLite moves between two questions
constexpr int busy_attempts = 40;
constexpr int changed_attempts = 3;
constexpr std::int64_t noted_acts_max = 10'000;
constexpr std::int64_t caught_up_days_max = 7;

constexpr store::Migration note_steps[] = {
    {1, R"sql(
      -- The time that archives were last judged by, so that a wrong clock takes few of them.
      CREATE TABLE maintenance_time(one INTEGER PRIMARY KEY CHECK(one = 1),
                                    judged_us INTEGER NOT NULL);
      CREATE TABLE maintenance_checks(day INTEGER PRIMARY KEY, tried_at_us INTEGER NOT NULL,
                                      good_at_us INTEGER NOT NULL, failure TEXT NOT NULL);
      -- What was done to whom, deletions above all.
      CREATE TABLE maintenance_acts(id INTEGER PRIMARY KEY, at_us INTEGER NOT NULL,
                                    act TEXT NOT NULL, day TEXT NOT NULL, failure TEXT NOT NULL);
    )sql"},
    {2, "ALTER TABLE maintenance_acts ADD COLUMN files INTEGER NOT NULL DEFAULT 0;"},
    {3, R"sql(
      ALTER TABLE maintenance_acts ADD COLUMN records INTEGER NOT NULL DEFAULT 0;
      ALTER TABLE maintenance_acts ADD COLUMN was_asked INTEGER NOT NULL DEFAULT 0;
    )sql"},
};

std::string date_of(std::int64_t day) { return format_date(day * day_us); }

/// As an SQL literal.
std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    out += c;
    if (c == '\'') out += c;
  }
  return out + "'";
}

bool is_leftover(std::string_view name) {
  if (!name.starts_with("cdr-")) return false;
  for (const std::string_view beside : {"-wal", "-shm", "-journal"}) {
    if (name.ends_with(beside)) name.remove_suffix(beside.size());
  }
  for (const std::string_view extension : {slim_extension, draft_extension, check_extension}) {
    if (!name.ends_with(extension)) continue;
    name.remove_suffix(extension.size());
    return day_from_name(name) || day_from_archive_name(name) || day_from_columns_name(name);
  }
  return false;
}

/// Time from which something is due that is done so many days after the end of a day.
std::int64_t due_at_us(std::int64_t day, std::int64_t after_days) {
  return (day + 1 + after_days) * day_us;
}

Result<std::int64_t> data_version(store::Connection& connection) {
  auto pragma = connection.prepare("PRAGMA data_version");
  if (!pragma) return std::move(pragma).error();
  auto row = pragma->step();
  if (!row) return std::move(row).error();
  return *row ? pragma->integer(0) : 0;
}

/// Makes one file of a day file with a log. False: somebody has it open whom no DayLock shuts out.
Result<bool> leave_log_mode(store::Connection& connection) {
  if (auto done = connection.execute("PRAGMA busy_timeout=0"); !done)
    return std::move(done).error();
  bool is_left = false;
  {
    auto pragma = connection.prepare("PRAGMA journal_mode=DELETE");
    if (!pragma) return std::move(pragma).error();
    const auto row = pragma->step();
    is_left = row && *row && pragma->text(0) == "delete";
  }
  if (auto done = connection.execute("PRAGMA busy_timeout=5000"); !done)
    return std::move(done).error();
  return is_left;
}

std::int64_t size_of(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 ? static_cast<std::int64_t>(status.st_size) : 0;
}

Result<DiskRoom> system_room_of(const std::string& folder) {
  struct statvfs status {};
  if (statvfs(folder.c_str(), &status) != 0) {
    return Error{ErrorCode::io, "could not examine the disk of \"" + folder +
                                    "\": " + std::generic_category().message(errno)};
  }
  return DiskRoom{std::uint64_t{status.f_bavail} * status.f_frsize,
                  std::uint64_t{status.f_blocks} * status.f_frsize};
}

/// What is left to the others on a disk, the journal of calls first.
std::uint64_t reserve_bytes(const DiskRoom& room) {
  constexpr std::uint64_t most = 1U << 30;
  return std::min(most, room.size_bytes / 20);
}

std::string megabytes(std::uint64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; }

Error in_use(std::int64_t day) {
  return {ErrorCode::wrong_state, "\"" + day_name(day) + "\" was in use"};
}

Error no_such_day(std::int64_t day) {
  return {ErrorCode::not_found, "there were no records of " + date_of(day)};
}

}  // namespace

Pace::~Pace() = default;

/// A day file that is looked at while it is in use.
struct DayKeeper::Held {
  std::int64_t day = 0;
  std::optional<store::Connection> connection;  // nothing: there is no such file
  std::int64_t version = 0;                     // of what it held then
};

/// A file in the making, gone when the object is.
class DayKeeper::Draft {
 public:
  Draft(DayKeeper& keeper, std::string path) : keeper_(keeper), path_(std::move(path)) {}
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;
  // What cannot be removed is removed by the next open().
  ~Draft() { (void)keeper_.discard(path_); }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  DayKeeper& keeper_;
  const std::string path_;
};

DayKeeper::DayKeeper(Options options, const Clock& clock, Pace& pace,
                     std::unique_ptr<DiskLock> lock, store::Connection notes)
    : options_(std::move(options)),
      disk_(options_.disk != nullptr ? options_.disk : std::make_shared<PosixDisk>()),
      clock_(clock),
      pace_(pace),
      lock_(std::move(lock)),
      notes_(std::move(notes)),
      watch_([this] { return !pace_.spend(watched_bytes); }) {}

Result<std::unique_ptr<DayKeeper>> DayKeeper::open(Options options, const Clock& clock,
                                                   Pace& pace) {
  PosixDisk system;
  Disk& disk = options.disk != nullptr ? *options.disk : system;
  if (auto listed = disk.list(options.folder); !listed) return std::move(listed).error();
  auto lock = disk.lock(options.folder + lock_name);
  if (!lock) {
    Error error = std::move(lock).error();
    if (error.code == ErrorCode::already_exists)
      error.message = "maintenance of \"" + options.folder + "\" was going on already";
    return error;
  }
  auto notes = store::Connection::open(options.folder + notes_name);
  if (!notes) return std::move(notes).error();
  // Whoever made them first: the switch must be able to go on with them.
  if (geteuid() == 0) {
    const std::string model = owner_model(options.folder);
    for (const char* name : {lock_name, notes_name}) {
      if (auto done = give_to_owner(options.folder + name, model); !done)
        return std::move(done).error();
    }
  }
  if (auto done = store::migrate(*notes, "cdr_maintenance", note_steps); !done)
    return std::move(done).error();
  std::unique_ptr<DayKeeper> keeper(
      new DayKeeper(std::move(options), clock, pace, std::move(*lock), std::move(*notes)));
  if (auto done = keeper->discard_leftovers(); !done) return std::move(done).error();
  return keeper;
}

Result<void> DayKeeper::discard_leftovers() {
  auto names = disk_->list(options_.folder);
  if (!names) return std::move(names).error();
  for (const std::string& name : *names) {
    const auto columns_day = day_from_columns_name(name);
    const bool is_alone = columns_day && std::find(names->begin(), names->end(),
                                                   day_name(*columns_day)) == names->end();
    if (!is_alone && !is_leftover(name)) continue;
    if (auto done = disk_->remove(path(name)); !done && done.error().code != ErrorCode::not_found)
      return done;
  }
  return {};
}

/// The file and what SQLite puts beside it.
Result<void> DayKeeper::discard(const std::string& path) {
  for (const char* beside : {"", "-wal", "-shm", "-journal"}) {
    if (auto done = disk_->remove(path + beside);
        !done && done.error().code != ErrorCode::not_found)
      return done;
  }
  return {};
}

Result<bool> DayKeeper::exists(const std::string& name) {
  auto names = disk_->list(options_.folder);
  if (!names) return std::move(names).error();
  return std::find(names->begin(), names->end(), name) != names->end();
}

Spend DayKeeper::spend() {
  return [this](std::uint64_t bytes) { return pace_.spend(bytes); };
}

void DayKeeper::watch(store::Connection& connection) { connection.watch(watch_); }

/// A statement that the pace ended is no failure of the database.
Error DayKeeper::ended(Error error) const {
  if (error.code != ErrorCode::timeout) return error;
  return {ErrorCode::wrong_state, "maintenance was ended"};
}

Result<DayKeeper::Held> DayKeeper::hold(std::int64_t day) {
  Held held;
  held.day = day;
  auto there = exists(day_name(day));
  if (!there) return std::move(there).error();
  if (!*there) return held;
  if (auto done = check_may_give(path(day_name(day))); !done) return std::move(done).error();
  auto connection = store::Connection::open(path(day_name(day)));
  if (!connection) return std::move(connection).error();
  watch(*connection);
  auto version = data_version(*connection);
  if (!version) return ended(std::move(version).error());
  held.version = *version;
  held.connection = std::move(*connection);
  return held;
}

/// A compact copy of what the file held when it was first looked at. Errors: wrong_state (it has
/// changed since).
Result<void> DayKeeper::copy_into(Held& held, const std::string& draft) {
  if (auto done = discard(draft); !done) return done;
  if (auto done = held.connection->execute("VACUUM INTO " + quoted(draft)); !done)
    return ended(std::move(done).error());
  return check_unchanged(held);
}

Result<void> DayKeeper::check_unchanged(Held& held) {
  auto version = data_version(*held.connection);
  if (!version) return ended(std::move(version).error());
  if (*version == held.version) return {};
  return came_in(held.day);
}

/// Worth another attempt, unlike a file that is in use.
Error DayKeeper::came_in(std::int64_t day) {
  has_come_in_ = true;
  return {ErrorCode::wrong_state, "records of " + date_of(day) + " came in"};
}

/// Waits a little for whoever has the day open. Errors: wrong_state (it is in use).
Result<DayLock> DayKeeper::lock_unused(std::int64_t day) {
  for (int attempts = 1;; ++attempts) {
    auto lock = DayLock::exclusive(options_.folder, day);
    if (lock || lock.error().code != ErrorCode::wrong_state || attempts == busy_attempts)
      return lock;
    if (auto done = pace_.pause(); !done) return std::move(done).error();
  }
}

/// Before hours are spent on what would then be found to be in use.
Result<void> DayKeeper::wait_until_unused(std::int64_t day) {
  auto lock = lock_unused(day);
  return lock ? Result<void>() : Result<void>(std::move(lock).error());
}

/// What the copies of an act come to at most, and the reserve, are on the disk. Errors: limit.
Result<void> DayKeeper::check_room(MaintenanceAct act, std::int64_t day) {
  const std::string name = path(day_name(day));
  const auto file_bytes = static_cast<std::uint64_t>(size_of(name) + size_of(name + "-wal"));
  std::uint64_t archived_bytes = 0;  // expanded
  // What is wrong with it the act itself says.
  if (auto manifest = read_manifest(*disk_, path(archive_name(day))))
    archived_bytes = manifest->database_bytes;
  // Sealing: a copy and the log of what a newer release adds to it. Archiving: a copy, one without
  // indexes, the archive, and that read back; with an earlier archive its database too, and its
  // records in the log. Restoring: the database, its indexes, their log, and what came late.
  // Columns, which have their own turn, are less than half of what they are made of.
  std::uint64_t need_bytes = 0;
  if (act == MaintenanceAct::seal) need_bytes = file_bytes + file_bytes / 2;
  if (act == MaintenanceAct::write_columns) need_bytes = file_bytes / 2;
  if (act == MaintenanceAct::archive) need_bytes = 3 * (file_bytes + archived_bytes);
  if (act == MaintenanceAct::restore) need_bytes = 2 * file_bytes + 3 * archived_bytes;
  if (act == MaintenanceAct::verify) need_bytes = archived_bytes;
  if (need_bytes == 0) return {};
  auto room =
      options_.room_of ? options_.room_of(options_.folder) : system_room_of(options_.folder);
  if (!room) return std::move(room).error();
  const std::uint64_t reserve = reserve_bytes(*room);
  if (room->free_bytes >= reserve && room->free_bytes - reserve >= need_bytes) return {};
  return Error{ErrorCode::limit,
               "disk of \"" + options_.folder + "\" had " + megabytes(room->free_bytes) +
                   " free, and to " + maintenance_act_name(act) + ' ' + date_of(day) + " takes " +
                   megabytes(need_bytes) + " beside a reserve of " + megabytes(reserve)};
}

/// Nobody who may use the files of the sink is shut out from this one.
Result<void> DayKeeper::give_away(const std::string& file, const std::string& model) {
  const std::string like = size_of(model) > 0 ? model : owner_model(options_.folder);
  return give_to_owner(file, like);
}

/// Brings a day file, or what was in an archive, to the newest tables. Steps may name indexes,
/// which archives do not have.
Result<void> DayKeeper::update(store::Connection& connection) {
  std::string indexes;
  bool is_of_archive = false;
  {
    auto table = connection.prepare("SELECT 1 FROM sqlite_master WHERE name = 'day_indexes'");
    if (!table) return std::move(table).error();
    auto row = table->step();
    if (!row) return std::move(row).error();
    is_of_archive = *row;
  }
  if (is_of_archive) {
    auto select = connection.prepare("SELECT sql FROM day_indexes");
    if (!select) return std::move(select).error();
    for (;;) {
      auto row = select->step();
      if (!row) return std::move(row).error();
      if (!*row) break;
      indexes.append(select->text(0)).append(";");
    }
  }
  if (is_of_archive) {
    if (auto done = connection.execute(indexes + "DROP TABLE day_indexes;"); !done) return done;
  }
  return store::migrate(connection, "cdr", options_.steps);
}

/// Takes over the records of another day file, which is closed and of the same schema. Returns how
/// many both had. Errors: corrupt (both have a record, and it is not of the same call).
Result<std::uint64_t> DayKeeper::merge(store::Connection& into, const std::string& other) {
  if (auto done = into.execute("ATTACH " + quoted(other) + " AS other"); !done)
    return std::move(done).error();
  const auto counted = [&into](const char* sql) -> Result<std::int64_t> {
    auto select = into.prepare(sql);
    if (!select) return std::move(select).error();
    auto row = select->step();
    if (!row) return std::move(row).error();
    return *row ? select->integer(0) : 0;
  };
  // What a call is, and what it cost; a later release may write the rest of it in another way.
  auto differing = counted(
      "SELECT count(*) FROM main.cdr AS a JOIN other.cdr AS b USING(record_id) WHERE "
      "a.call_id IS NOT b.call_id OR a.account IS NOT b.account OR "
      "a.ended_at_us IS NOT b.ended_at_us OR a.charge_units IS NOT b.charge_units OR "
      "a.vendor_charge_units IS NOT b.vendor_charge_units");
  if (!differing) return ended(std::move(differing).error());
  if (*differing != 0) {
    return Error{ErrorCode::corrupt, std::to_string(*differing) +
                                         " records of the day file and of its archive were of "
                                         "different calls"};
  }
  auto common = counted("SELECT count(*) FROM main.cdr AS a JOIN other.cdr AS b USING(record_id)");
  if (!common) return ended(std::move(common).error());
  std::string columns;
  {
    auto table = into.prepare("SELECT name FROM pragma_table_info('cdr') ORDER BY cid");
    if (!table) return std::move(table).error();
    for (;;) {
      auto row = table->step();
      if (!row) return std::move(row).error();
      if (!*row) break;
      if (!columns.empty()) columns += ", ";
      columns.append("\"").append(table->text(0)).append("\"");
    }
  }
  if (auto done = into.execute("INSERT INTO main.cdr(" + columns + ") SELECT " + columns +
                               " FROM other.cdr WHERE record_id NOT IN "
                               "(SELECT record_id FROM main.cdr)");
      !done)
    return ended(std::move(done).error());
  if (auto done = into.execute("DETACH other"); !done) return std::move(done).error();
  return static_cast<std::uint64_t>(*common);
}

/// Brings a draft to the newest schema, checks that it still holds `before`, lets `change` change
/// it and leaves it closed and flushed. Returns what it holds then.
Result<DayContent> DayKeeper::finish_draft(
    const std::string& draft, const DayContent& before,
    const std::function<Result<void>(store::Connection&)>& change) {
  DayContent content;
  {
    auto connection = store::Connection::open(draft);
    if (!connection) return std::move(connection).error();
    watch(*connection);
    if (auto done = update(*connection); !done) return ended(std::move(done).error());
    auto copied = read_content(*connection, before.columns, spend());
    if (!copied) return ended(std::move(copied).error());
    if (!copied->has_same_records(before))
      return Error{ErrorCode::corrupt, "a copy of a day file was not the same"};
    if (auto done = change(*connection); !done) return ended(std::move(done).error());
    auto now = read_content(*connection, 0, spend());
    if (!now) return ended(std::move(now).error());
    content = std::move(*now);
    if (auto done = write_seal(*connection, {clock_.wall_us(), content}); !done)
      return std::move(done).error();
    if (auto done = check_integrity(*connection); !done) return ended(std::move(done).error());
  }
  auto has_log = exists(draft.substr(draft.rfind('/') + 1) + "-wal");
  if (!has_log) return std::move(has_log).error();
  if (*has_log) return Error{ErrorCode::io, "the log of \"" + draft + "\" could not be emptied"};
  auto file = disk_->open(draft, Disk::Open::write);
  if (!file) return std::move(file).error();
  if (auto done = (*file)->sync(); !done) return std::move(done).error();
  return content;
}

/// The database of an archive, compared with what it should be.
Result<DayContent> DayKeeper::expand(std::int64_t day, const std::string& to) {
  if (auto done = discard(to); !done) return std::move(done).error();
  auto manifest = expand_archive(*disk_, path(archive_name(day)), to, spend());
  if (!manifest) return std::move(manifest).error();
  if (manifest->day != date_of(day))
    return Error{ErrorCode::corrupt,
                 "the archive of " + date_of(day) + " said that it was of " + manifest->day};
  auto connection = store::Connection::open(to);
  if (!connection) return std::move(connection).error();
  watch(*connection);
  if (auto done = check_integrity(*connection); !done) return ended(std::move(done).error());
  auto content = read_content(*connection, manifest->content.columns, spend());
  if (!content) return ended(std::move(content).error());
  if (!content->has_same_records(manifest->content))
    return Error{ErrorCode::corrupt,
                 "the archive of " + date_of(day) + " did not hold what it was made of"};
  return content;
}

/// Closes a file that nobody else has open and that is as it was when it was looked at; while the
/// lock is held nobody opens it. Errors: wrong_state (it is in use, or has changed).
Result<DayLock> DayKeeper::freeze(Held& held) {
  for (int attempts = 1;; ++attempts) {
    auto lock = DayLock::exclusive(options_.folder, held.day);
    if (lock) {
      if (!held.connection) {  // still?
        auto there = exists(day_name(held.day));
        if (!there) return std::move(there).error();
        if (!*there) return lock;
        return came_in(held.day);
      }
      if (auto done = check_unchanged(held); !done) return std::move(done).error();
      auto is_alone = leave_log_mode(*held.connection);
      if (!is_alone) return ended(std::move(is_alone).error());
      if (*is_alone) {
        held.connection.reset();
        // The log is gone by name only. If a power cut brought it back beside the file that takes
        // this one's place, SQLite would read it into that.
        if (auto done = disk_->sync_folder(options_.folder); !done) return std::move(done).error();
        return lock;
      }
    } else if (lock.error().code != ErrorCode::wrong_state) {
      return lock;
    }
    if (attempts == busy_attempts) return in_use(held.day);
    lock = DayLock();  // others get at it meanwhile
    if (auto done = pace_.pause(); !done) return std::move(done).error();
  }
}

/// Puts the draft of a day file in its place. Columns of the file before are of no more use.
Result<void> DayKeeper::put_in_place(Held& held, const std::string& draft) {
  if (auto done = give_away(draft, path(day_name(held.day))); !done) return done;
  auto lock = freeze(held);
  if (!lock) return std::move(lock).error();
  if (auto done = discard_file(path(columns_name(held.day))); !done) return done;
  if (auto done = disk_->rename(draft, path(day_name(held.day))); !done) return done;
  return disk_->sync_folder(options_.folder);
}

Result<void> DayKeeper::discard_file(const std::string& path) {
  auto done = disk_->remove(path);
  if (!done && done.error().code == ErrorCode::not_found) return {};
  return done;
}

Result<void> DayKeeper::seal(std::int64_t day) {
  auto held = hold(day);
  if (!held) return std::move(held).error();
  if (!held->connection) return no_such_day(day);
  if (auto done = check_integrity(*held->connection); !done) return ended(std::move(done).error());
  auto content = read_content(*held->connection, 0, spend());
  if (!content) return ended(std::move(content).error());
  const Draft draft(*this, path(day_name(day)).append(draft_extension));
  if (auto done = copy_into(*held, draft.path()); !done) return done;
  auto made = finish_draft(draft.path(), *content, [](store::Connection& connection) {
    return connection.execute("ANALYZE");
  });
  if (!made) return std::move(made).error();
  return put_in_place(*held, draft.path());
}

/// Of a sealed day, anew.
Result<void> DayKeeper::write_columns(std::int64_t day) {
  auto held = hold(day);
  if (!held) return std::move(held).error();
  if (!held->connection) return no_such_day(day);
  // What is in the log is not in the file that is looked at from outside.
  if (auto done = held->connection->execute("PRAGMA wal_checkpoint(TRUNCATE)"); !done)
    return ended(std::move(done).error());
  auto sealed = read_seal(*held->connection);
  if (!sealed) return ended(std::move(sealed).error());
  if (!*sealed)
    return Error{ErrorCode::invalid_argument,
                 date_of(day) + " is not sealed, and has columns when it is"};
  auto state = day_file_state(path(day_name(day)));
  if (!state) return std::move(state).error();
  if (!*state) return in_use(day);
  const Draft draft(*this, path(columns_name(day)).append(draft_extension));
  ColumnFacts facts;
  facts.day = day;
  facts.made_of = **state;
  facts.content_crc = (*sealed)->content.crc;
  if (auto done = cdr::write_columns(*held->connection, *disk_, draft.path(), facts, spend());
      !done)
    return ended(std::move(done).error());
  if (facts.records != (*sealed)->content.records)
    return Error{ErrorCode::corrupt, "columns of " + date_of(day) + " had not all its records"};
  if (auto done = give_away(draft.path(), path(day_name(day))); !done) return done;
  auto lock = lock_unused(day);
  if (!lock) return std::move(lock).error();
  if (auto done = check_unchanged(*held); !done) return done;
  auto now = day_file_state(path(day_name(day)));
  if (!now) return std::move(now).error();
  if (*now != *state) return came_in(day);
  if (auto done = disk_->rename(draft.path(), path(columns_name(day))); !done) return done;
  if (auto done = discard_file(path(bad_columns_name(day))); !done) return done;
  return disk_->sync_folder(options_.folder);
}

/// After a day was sealed or restored, which stands whatever becomes of its columns: they have
/// their own outcome. Nothing: there are some, or none are wanted.
std::optional<Error> DayKeeper::write_wanted_columns(std::int64_t day) {
  if (!options_.rules.writes_columns || DayColumns::open(options_.folder, day)) return std::nullopt;
  {
    // To restore a day that is there is no act on it, and a late record may have come already.
    auto rows = DayRows::open(options_.folder, day);
    if (!rows || !*rows) return std::nullopt;
    auto sealed = read_seal((*rows)->connection());
    if (!sealed || !*sealed) return std::nullopt;
  }
  auto done = act(MaintenanceAct::write_columns, day);
  if (done) return std::nullopt;
  return std::move(done).error();
}

Result<void> DayKeeper::drop_columns(std::int64_t day) {
  auto is_day = exists(day_name(day));
  if (!is_day) return std::move(is_day).error();
  // Whoever reads them has them open, and keeps them until he is done. The sink may take them away
  // in the same moment.
  auto removed = disk_->remove(path(columns_name(day)));
  if (!removed && removed.error().code != ErrorCode::not_found) return removed;
  if (!removed && !*is_day) return no_such_day(day);
  return disk_->sync_folder(options_.folder);
}

/// Reads them beside the day file. Those that are damaged or do not hold what it holds are taken
/// away; `told` says so then. Errors: what kept it from being found out.
Result<void> DayKeeper::verify_columns(store::Connection& connection, std::int64_t day,
                                       const DayContent& content, std::optional<Error>& told) {
  auto columns = DayColumns::open_locked(options_.folder, day);
  Result<void> compared;
  if (!columns) {
    // There are none, or those of another file, which are not used.
    if (columns.error().code == ErrorCode::not_found ||
        columns.error().code == ErrorCode::wrong_state)
      return {};
    compared = std::move(columns).error();
  } else if (columns->file().facts().content_crc != content.crc) {
    compared = Error{ErrorCode::corrupt, "columns of a day were made of another content"};
  } else {
    compared = compare_columns(connection, columns->file(), spend());
  }
  if (compared) return {};
  Error error = std::move(compared).error();
  if (error.code != ErrorCode::corrupt && error.code != ErrorCode::unsupported)
    return ended(std::move(error));
  if (auto done = discard_file(path(columns_name(day))); !done) return done;
  if (auto done = disk_->sync_folder(options_.folder); !done) return done;
  const char* const what_next =
      options_.rules.writes_columns ? ", and the next run writes them again" : "";
  told = Error{error.code,
               error.message + " (" + date_of(day) + "); they were taken away" + what_next};
  return {};
}

Result<void> DayKeeper::archive(std::int64_t day) {
  if (!has_compression()) return make_compressor().error();
  auto is_archived = exists(archive_name(day));
  if (!is_archived) return std::move(is_archived).error();
  auto held = hold(day);
  if (!held) return std::move(held).error();
  if (!held->connection) {
    if (*is_archived) return {};
    return no_such_day(day);
  }
  auto seal_of_day = read_seal(*held->connection);
  if (!seal_of_day) return ended(std::move(seal_of_day).error());
  if (!*is_archived && !*seal_of_day) {
    held->connection.reset();
    if (auto done = seal(day); !done) return done;
    held = hold(day);
    if (!held) return std::move(held).error();
    if (!held->connection) return no_such_day(day);
    seal_of_day = read_seal(*held->connection);
    if (!seal_of_day) return ended(std::move(seal_of_day).error());
  }
  auto content =
      read_content(*held->connection, *seal_of_day ? (*seal_of_day)->content.columns : 0, spend());
  if (!content) return ended(std::move(content).error());
  if (*seal_of_day && !content->has_same_records((*seal_of_day)->content)) {
    // Unless a record came between both questions, and with it the seal went.
    if (auto done = check_unchanged(*held); !done) return done;
    return Error{ErrorCode::corrupt,
                 "\"" + day_name(day) + "\" does not hold what it was sealed with"};
  }

  const Draft draft(*this, path(day_name(day)).append(draft_extension));
  const Draft check(*this, path(day_name(day)).append(check_extension));
  const Draft slim(*this, path(day_name(day)).append(slim_extension));
  std::optional<DayContent> archived;  // before
  if (*is_archived) {
    auto expanded = expand(day, check.path());
    if (!expanded) return std::move(expanded).error();
    archived = std::move(*expanded);
    auto connection = store::Connection::open(check.path());
    if (!connection) return std::move(connection).error();
    watch(*connection);
    if (auto done = update(*connection); !done) return ended(std::move(done).error());
  }
  std::uint64_t common = 0;
  if (auto done = copy_into(*held, draft.path()); !done) return done;
  auto made =
      finish_draft(draft.path(), *content, [&](store::Connection& connection) -> Result<void> {
        if (archived) {
          auto merged = merge(connection, check.path());
          if (!merged) return std::move(merged).error();
          common = *merged;
        }
        // Indexes are made anew when the day is restored. Until then they would be half of it.
        std::string drops =
            "CREATE TABLE IF NOT EXISTS day_indexes(sql TEXT NOT NULL);"
            "INSERT INTO day_indexes SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS "
            "NOT NULL;";
        {
          auto indexes = connection.prepare(
              "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL");
          if (!indexes) return std::move(indexes).error();
          for (;;) {
            auto row = indexes->step();
            if (!row) return std::move(row).error();
            if (!*row) break;
            drops.append("DROP INDEX \"").append(indexes->text(0)).append("\";");
          }
        }
        if (auto done = connection.execute(drops); !done) return done;
        return note_restored(connection, 0);
      });
  if (!made) return std::move(made).error();
  if (made->records != content->records + (archived ? archived->records : 0) - common) {
    return Error{ErrorCode::corrupt, "records of " + date_of(day) +
                                         " were lost when its archive and its day file were "
                                         "brought together"};
  }

  // A day that was restored and not changed since has its archive already.
  bool has_same = false;
  if (archived) {
    auto connection = store::Connection::open(draft.path());
    if (!connection) return std::move(connection).error();
    auto compared = read_content(*connection, archived->columns, spend());
    if (!compared) return ended(std::move(compared).error());
    has_same = compared->has_same_records(*archived);
  }
  if (!has_same) {
    if (auto done = discard(slim.path()); !done) return done;
    {
      // Not VACUUM, which writes what it makes beside other programs' temporary files.
      auto connection = store::Connection::open(draft.path());
      if (!connection) return std::move(connection).error();
      watch(*connection);
      if (auto done = connection->execute("VACUUM INTO " + quoted(slim.path())); !done)
        return ended(std::move(done).error());
    }
    if (auto done = discard(draft.path()); !done) return done;
    const Draft fresh(*this, path(archive_name(day)).append(draft_extension));
    DayManifest manifest;
    manifest.day = date_of(day);
    manifest.content = *made;
    manifest.made_at_us = clock_.wall_us();
    if (auto done = write_archive(*disk_, slim.path(), fresh.path(), manifest, spend()); !done)
      return done;
    // Read back before it counts, and while the only other copy is still where it was.
    if (auto done = discard(check.path()); !done) return done;
    auto reread = expand_archive(*disk_, fresh.path(), check.path(), spend());
    if (!reread) return std::move(reread).error();
    {
      auto connection = store::Connection::open(check.path());
      if (!connection) return std::move(connection).error();
      watch(*connection);
      if (auto done = check_integrity(*connection); !done) return ended(std::move(done).error());
      auto read = read_content(*connection, 0, spend());
      if (!read) return ended(std::move(read).error());
      if (!read->has_same_records(*made))
        return Error{ErrorCode::corrupt, "an archive did not read back as it was written"};
    }
    if (auto done = give_away(fresh.path(), path(day_name(day))); !done) return done;
    if (auto done = disk_->rename(fresh.path(), path(archive_name(day))); !done) return done;
    if (auto done = disk_->sync_folder(options_.folder); !done) return done;
  }
  auto lock = freeze(*held);
  if (!lock) return std::move(lock).error();
  if (auto done = discard_file(path(columns_name(day))); !done) return done;
  if (auto done = disk_->remove(path(day_name(day))); !done) return done;
  return disk_->sync_folder(options_.folder);
}

Result<void> DayKeeper::restore(std::int64_t day) {
  auto is_archived = exists(archive_name(day));
  if (!is_archived) return std::move(is_archived).error();
  auto held = hold(day);
  if (!held) return std::move(held).error();
  if (!*is_archived) {
    if (held->connection) return {};  // it is online
    return no_such_day(day);
  }
  if (held->connection) {
    auto is_whole = holds_whole_day(*held->connection);
    if (!is_whole) return ended(std::move(is_whole).error());
    if (*is_whole) return {};
  }
  const Draft draft(*this, path(day_name(day)).append(draft_extension));
  const Draft late(*this, path(day_name(day)).append(check_extension));
  auto content = expand(day, draft.path());
  if (!content) return std::move(content).error();
  if (held->connection) {
    if (auto done = copy_into(*held, late.path()); !done) return done;
    auto connection = store::Connection::open(late.path());
    if (!connection) return std::move(connection).error();
    watch(*connection);
    if (auto done = update(*connection); !done) return ended(std::move(done).error());
  }
  auto made =
      finish_draft(draft.path(), *content, [&](store::Connection& connection) -> Result<void> {
        if (held->connection) {
          if (auto merged = merge(connection, late.path()); !merged)
            return std::move(merged).error();
        }
        if (auto done = connection.execute("ANALYZE"); !done) return done;
        return note_restored(connection, clock_.wall_us());
      });
  if (!made) return std::move(made).error();
  return put_in_place(*held, draft.path());
}

Result<void> DayKeeper::verify(std::int64_t day, std::optional<Error>& of_columns) {
  bool is_there = false;
  {
    // While it is read nobody replaces it: it is this object that would.
    auto held = hold(day);
    if (!held) return std::move(held).error();
    if (held->connection) {
      is_there = true;
      store::Connection& connection = *held->connection;
      if (auto done = check_integrity(connection); !done) return ended(std::move(done).error());
      if (auto done = connection.execute("BEGIN"); !done) return done;  // one moment for both
      auto sealed = read_seal(connection);
      if (!sealed) return ended(std::move(sealed).error());
      auto content = read_content(connection, *sealed ? (*sealed)->content.columns : 0, spend());
      if (!content) return ended(std::move(content).error());
      if (*sealed && !content->has_same_records((*sealed)->content)) {
        return Error{ErrorCode::corrupt,
                     "\"" + day_name(day) + "\" has " + std::to_string(content->records) +
                         " records and does not hold what it was sealed with, " +
                         std::to_string((*sealed)->content.records)};
      }
      if (*sealed) {
        auto done = verify_columns(connection, day, (*sealed)->content, of_columns);
        if (!done) return done;
      }
      if (auto done = connection.execute("COMMIT"); !done) return done;
    }
  }
  auto is_archived = exists(archive_name(day));
  if (!is_archived) return std::move(is_archived).error();
  if (*is_archived) {
    const Draft check(*this, path(day_name(day)).append(check_extension));
    if (auto expanded = expand(day, check.path()); !expanded) return std::move(expanded).error();
    return {};
  }
  if (!is_there) return no_such_day(day);
  return {};
}

/// What is not an archive of ours may be the only copy of something.
Result<void> DayKeeper::remove(std::int64_t day) {
  removed_records_ = 0;
  const std::string archive = path(archive_name(day));
  auto manifest = read_manifest(*disk_, archive);
  if (!manifest) return std::move(manifest).error();
  if (manifest->day != date_of(day))
    return Error{ErrorCode::corrupt,
                 "the archive of " + date_of(day) + " said that it was of " + manifest->day};
  const auto unlink = [&]() -> Result<void> {
    if (auto done = note_begun(day); !done) return done;
    if (auto done = disk_->remove(archive); !done) return done;
    return disk_->sync_folder(options_.folder);
  };
  if (options_.guard != nullptr) {
    std::string reason;
    auto is_removed = options_.guard->remove_day(day, reason, unlink);
    if (!is_removed) return std::move(is_removed).error();
    was_kept_ = !*is_removed;
    if (was_kept_) return Error{ErrorCode::wrong_state, date_of(day) + " is kept: " + reason};
  } else if (auto done = unlink(); !done) {
    return done;
  }
  removed_records_ = static_cast<std::int64_t>(manifest->content.records);
  return {};
}

/// One that is asked for, whatever its age: of a day that is out of use.
Result<void> DayKeeper::remove_asked(std::int64_t day) {
  auto is_archived = exists(archive_name(day));
  if (!is_archived) return std::move(is_archived).error();
  auto is_online = exists(day_name(day));
  if (!is_online) return std::move(is_online).error();
  if (*is_online)
    return Error{ErrorCode::wrong_state, "\"" + day_name(day) + "\" was there: archive it first"};
  if (!*is_archived) return no_such_day(day);
  return remove(day);
}

/// Once more when a record came in meanwhile: that is rare, or the day is not over.
Result<void> DayKeeper::insist(Result<void> (DayKeeper::*step)(std::int64_t), std::int64_t day) {
  for (int attempts = 1;; ++attempts) {
    if (auto done = wait_until_unused(day); !done) return done;
    has_come_in_ = false;
    auto done = (this->*step)(day);
    if (done || !has_come_in_ || pace_.is_over() || attempts == changed_attempts) return done;
  }
}

Result<void> DayKeeper::act(MaintenanceAct act, std::int64_t day) {
  std::optional<Error> of_columns;
  is_asked_ = true;
  auto outcome = this->act(act, day, of_columns);
  is_asked_ = false;
  if (outcome && act == MaintenanceAct::verify && of_columns) return std::move(*of_columns);
  return outcome;
}

/// `of_columns`: what went wrong with the columns of a day with which all else is well.
Result<void> DayKeeper::act(MaintenanceAct act, std::int64_t day,
                            std::optional<Error>& of_columns) {
  if (options_.on_act) options_.on_act(act, day);
  was_kept_ = false;
  begun_note_ = 0;
  Result<void> outcome =
      Error{ErrorCode::invalid_argument,
            std::string("\"") + maintenance_act_name(act) + "\" is not done to one day"};
  const bool is_of_day = act == MaintenanceAct::seal || act == MaintenanceAct::archive ||
                         act == MaintenanceAct::restore || act == MaintenanceAct::verify ||
                         act == MaintenanceAct::write_columns;
  const Result<void> has_room = is_of_day ? check_room(act, day) : Result<void>();
  if (!has_room) {
    outcome = has_room;
  } else if (act == MaintenanceAct::seal) {
    // Beside an archive a seal would say that the file had everything.
    auto is_archived = exists(archive_name(day));
    outcome = !is_archived   ? Result<void>(std::move(is_archived).error())
              : *is_archived ? Result<void>(Error{ErrorCode::already_exists,
                                                  "there was an archive of " + date_of(day)})
                             : insist(&DayKeeper::seal, day);
  } else if (act == MaintenanceAct::archive) {
    outcome = insist(&DayKeeper::archive, day);
  } else if (act == MaintenanceAct::restore) {
    outcome = insist(&DayKeeper::restore, day);
  } else if (act == MaintenanceAct::verify) {
    outcome = verify(day, of_columns);
  } else if (act == MaintenanceAct::write_columns) {
    outcome = insist(&DayKeeper::write_columns, day);
  } else if (act == MaintenanceAct::drop_columns) {
    outcome = drop_columns(day);
  } else if (act == MaintenanceAct::remove) {
    outcome = is_asked_ ? remove_asked(day) : remove(day);
  }
  if (auto done = noted(act, day, outcome, of_columns); !done && outcome) return done;
  if (outcome && (act == MaintenanceAct::seal || act == MaintenanceAct::restore))
    of_columns = write_wanted_columns(day);
  return outcome;
}

Result<void> DayKeeper::note_act(std::string_view act, std::string_view day,
                                 std::string_view failure, std::int64_t files) {
  return note({act, day, failure, files});
}

/// Written before a day is deleted, and over it when that is done: whatever dies between the two,
/// the list has a line of it.
Result<void> DayKeeper::note_begun(std::int64_t day) {
  const std::string date = date_of(day);
  Note begun;
  begun.act = maintenance_act_name(MaintenanceAct::remove);
  begun.day = date;
  begun.failure = "was begun, and its end is not known";
  begun.was_asked = is_asked_;
  if (auto done = note(begun); !done) return done;
  auto select = notes_.prepare("SELECT max(id) FROM maintenance_acts");
  if (!select) return std::move(select).error();
  auto row = select->step();
  if (!row) return std::move(row).error();
  begun_note_ = select->integer(0);
  return {};
}

Result<void> DayKeeper::note(const Note& note) {
  auto insert = notes_.prepare(
      "INSERT OR REPLACE INTO maintenance_acts(at_us, act, day, failure, files, records, "
      "was_asked, "
      "id) VALUES(?, ?, ?, ?, ?, ?, ?, ?)");
  if (!insert) return std::move(insert).error();
  insert->bind(1, clock_.wall_us()).bind(2, note.act).bind(3, note.day).bind(4, note.failure);
  insert->bind(5, note.files).bind(6, note.records);
  insert->bind(7, std::int64_t{note.was_asked ? 1 : 0});
  if (note.id > 0) {
    insert->bind(8, note.id);
  } else {
    insert->bind_null(8);
  }
  if (auto done = insert->run(); !done) return done;
  auto forget = notes_.prepare(
      "DELETE FROM maintenance_acts WHERE id <= (SELECT max(id) FROM maintenance_acts) - ?");
  if (!forget) return std::move(forget).error();
  return forget->bind(1, noted_acts_max).run();
}

Result<void> DayKeeper::noted(MaintenanceAct act, std::int64_t day, const Result<void>& outcome,
                              const std::optional<Error>& of_columns) {
  // A day that is kept for long is due each day, and would push out what was deleted.
  if (was_kept_ && !is_asked_) return {};
  const std::int64_t now_us = clock_.wall_us();
  const std::string failure = outcome ? std::string() : outcome.error().message;
  const std::string date = date_of(day);
  Note of_act;
  of_act.act = maintenance_act_name(act);
  of_act.day = date;
  // What was wrong with columns that are gone is not what is wrong with the day.
  of_act.failure = outcome && of_columns ? of_columns->message : failure;
  of_act.records = act == MaintenanceAct::remove && outcome ? removed_records_ : 0;
  of_act.was_asked = is_asked_;
  of_act.id = act == MaintenanceAct::remove ? begun_note_ : 0;
  if (auto done = note(of_act); !done) return done;
  if (act == MaintenanceAct::remove && outcome) {
    auto drop = notes_.prepare("DELETE FROM maintenance_checks WHERE day = ?");
    if (!drop) return std::move(drop).error();
    return drop->bind(1, day).run();
  }
  // Of days that are not there nothing is kept: there is no end of them.
  if (act != MaintenanceAct::verify || (!outcome && outcome.error().code == ErrorCode::not_found))
    return {};
  auto check = notes_.prepare(
      "INSERT INTO maintenance_checks VALUES(?1, ?2, ?3, ?4) ON CONFLICT(day) DO UPDATE SET "
      "tried_at_us = ?2, failure = ?4, good_at_us = CASE WHEN ?3 > 0 THEN ?3 ELSE good_at_us END");
  if (!check) return std::move(check).error();
  return check->bind(1, day)
      .bind(2, now_us)
      .bind(3, outcome ? now_us : std::int64_t{0})
      .bind(4, failure)
      .run();
}

/// The wall clock, but not more than some days ahead of what the run before judged by: after a
/// wrong step of it not all archives are too old at once.
Result<std::int64_t> DayKeeper::judged_us() {
  if (judged_us_) return *judged_us_;
  const std::int64_t now_us = clock_.wall_us();
  std::int64_t known_us = now_us;
  {
    auto select = notes_.prepare("SELECT judged_us FROM maintenance_time");
    if (!select) return std::move(select).error();
    auto row = select->step();
    if (!row) return std::move(row).error();
    if (*row) known_us = select->integer(0);
  }
  const std::int64_t next_us =
      std::max(known_us, std::min(now_us, known_us + caught_up_days_max * day_us));
  auto keep = notes_.prepare("INSERT OR REPLACE INTO maintenance_time VALUES(1, ?)");
  if (!keep) return std::move(keep).error();
  if (auto done = keep->bind(1, next_us).run(); !done) return std::move(done).error();
  judged_us_ = std::min(now_us, next_us);
  return *judged_us_;
}

/// Nothing: it is as it should be.
Result<std::optional<MaintenanceAct>> DayKeeper::due_of(std::int64_t day, bool is_online,
                                                        bool is_archived, std::int64_t now_us,
                                                        std::int64_t judged_us) {
  using Due = std::optional<MaintenanceAct>;
  const MaintenanceConfig& rules = options_.rules;
  if (!is_online) {
    const bool is_old =
        rules.delete_after_days > 0 && judged_us >= due_at_us(day, rules.delete_after_days);
    return is_old ? Due(MaintenanceAct::remove) : Due();
  }
  const bool may_archive =
      rules.archive_after_days > 0 && now_us >= due_at_us(day, rules.archive_after_days);
  if (!may_archive && now_us < due_at_us(day, rules.seal_after_days)) return Due();
  auto rows = DayRows::open(options_.folder, day);
  if (!rows) return std::move(rows).error();
  if (!*rows) return Due();
  store::Connection& connection = (*rows)->connection();
  auto sealed = read_seal(connection);
  if (!sealed) return std::move(sealed).error();
  const auto of_sealed = [&] {
    if (!rules.writes_columns || !*sealed) return Due();
    const auto columns = DayColumns::open(options_.folder, day);
    const bool is_good = columns && columns->file().facts().content_crc == (*sealed)->content.crc;
    return is_good ? Due() : Due(MaintenanceAct::write_columns);
  };
  if (is_archived) {
    if (!may_archive) return of_sealed();
    auto restored = restored_at_us(connection);
    if (!restored) return std::move(restored).error();
    if (*restored > 0 && now_us < *restored + rules.restored_days * day_us) return of_sealed();
    return Due(MaintenanceAct::archive);
  }
  if (may_archive) return Due(MaintenanceAct::archive);
  return *sealed ? of_sealed() : Due(MaintenanceAct::seal);
}

/// As many of them as a run verifies, those that nobody looked at for longest.
Result<std::vector<std::int64_t>> DayKeeper::least_verified(std::vector<std::int64_t> archives) {
  std::map<std::int64_t, std::int64_t> tried;
  auto select = notes_.prepare("SELECT day, tried_at_us FROM maintenance_checks");
  if (!select) return std::move(select).error();
  for (;;) {
    auto row = select->step();
    if (!row) return std::move(row).error();
    if (!*row) break;
    tried[select->integer(0)] = select->integer(1);
  }
  std::sort(archives.begin(), archives.end(), [&tried](std::int64_t a, std::int64_t b) {
    const auto when = [&tried](std::int64_t day) {
      const auto found = tried.find(day);
      return found == tried.end() ? 0 : found->second;
    };
    return std::pair(when(a), a) < std::pair(when(b), b);
  });
  archives.resize(
      std::min(archives.size(), static_cast<std::size_t>(options_.rules.verify_archives)));
  return archives;
}

/// False: the run is over.
bool DayKeeper::attempt(MaintenanceAct wanted, std::int64_t day, MaintenanceReport& report) {
  Result<void> outcome;
  std::optional<Error> of_columns;
  outcome = act(wanted, day, of_columns);
  if (!outcome && pace_.is_over()) return false;
  const auto tell = [&](MaintenanceAct act, const Error* error) {
    MaintenanceOutcome& told = report.outcomes.emplace_back();
    told.act = act;
    told.day = date_of(day);
    if (error == nullptr) return;
    told.failure = error->message;
    told.is_kept = act == MaintenanceAct::remove && was_kept_;
    told.is_put_off = error->code == ErrorCode::wrong_state && !told.is_kept;
  };
  if (!outcome) {
    tell(wanted, &outcome.error());
  } else if (wanted == MaintenanceAct::verify) {
    tell(wanted, of_columns ? &*of_columns : nullptr);
  } else {
    tell(wanted, nullptr);
    if (of_columns && pace_.is_over()) return false;
    if (of_columns) tell(MaintenanceAct::write_columns, &*of_columns);
  }
  return true;
}

MaintenanceReport DayKeeper::run(std::optional<std::int64_t> until_us) {
  MaintenanceReport report;
  report.started_at_us = clock_.wall_us();
  const auto failed = [&report](const Error& error) {
    report.outcomes.push_back({MaintenanceAct::run, "", error.message, false});
  };
  const auto goes_on = [&] {
    report.was_cut_short =
        report.was_cut_short || pace_.is_over() || (until_us && clock_.wall_us() >= *until_us);
    return !report.was_cut_short;
  };
  auto online = days_in(options_.folder);
  auto archives = archives_in(options_.folder);
  const auto judged = judged_us();
  if (!online) failed(online.error());
  if (!archives) failed(archives.error());
  if (!judged) failed(judged.error());
  if (online && archives && judged) {
    std::set<std::int64_t> days(online->begin(), online->end());
    days.insert(archives->begin(), archives->end());
    const auto has = [](const std::vector<std::int64_t>& list, std::int64_t day) {
      return std::find(list.begin(), list.end(), day) != list.end();
    };
    for (const std::int64_t day : days) {
      if (!goes_on()) break;
      const auto due =
          due_of(day, has(*online, day), has(*archives, day), report.started_at_us, *judged);
      if (!due) {
        report.outcomes.push_back({MaintenanceAct::run, date_of(day), due.error().message, false});
        continue;
      }
      if (*due && !attempt(**due, day, report)) report.was_cut_short = true;
    }
    auto kept = archives_in(options_.folder);
    auto verified = kept ? least_verified(std::move(*kept)) : std::move(kept);
    if (!verified) failed(verified.error());
    if (verified) {
      for (const std::int64_t day : *verified) {
        if (!goes_on()) break;
        if (!attempt(MaintenanceAct::verify, day, report)) report.was_cut_short = true;
      }
    }
  }
  report.ended_at_us = clock_.wall_us();
  return report;
}

namespace {

/// What the last checks said, by day.
Result<void> read_checks(const std::string& folder, std::map<std::int64_t, StoredDay>& days) {
  auto notes = store::Connection::open(folder + notes_name, store::OpenMode::read_only);
  if (!notes && notes.error().code == ErrorCode::not_found) return {};
  if (!notes) return std::move(notes).error();
  auto select = notes->prepare("SELECT day, good_at_us, failure FROM maintenance_checks");
  if (!select) return {};  // being made just now
  for (;;) {
    auto row = select->step();
    if (!row) return std::move(row).error();
    if (!*row) return {};
    const auto found = days.find(select->integer(0));
    if (found == days.end()) continue;
    found->second.verified_at_us = select->integer(1);
    found->second.failure = select->text(2);
  }
}

void take_content(StoredDay& day, const DayContent& content) {
  day.records = content.records;
  day.first_ended_at_us = content.first_ended_at_us;
  day.last_ended_at_us = content.last_ended_at_us;
  day.sums = content.sums;
}

Result<void> read_online(const std::string& folder, std::int64_t number, StoredDay& day) {
  auto rows = DayRows::open(folder, number);
  if (!rows) return std::move(rows).error();
  if (!*rows) return {};
  store::Connection& connection = (*rows)->connection();
  day.file_bytes = size_of(folder + "/" + day_name(number));
  auto is_whole = holds_whole_day(connection);
  if (!is_whole) return std::move(is_whole).error();
  day.is_online = !day.is_archived || *is_whole;
  day.has_late_records = !day.is_online;
  auto restored = restored_at_us(connection);
  if (!restored) return std::move(restored).error();
  day.restored_at_us = *restored;
  day.columns_bytes = size_of(folder + "/" + columns_name(number));
  day.has_columns = DayColumns::open(folder, number).has_value();
  auto sealed = read_seal(connection);
  if (!sealed) return std::move(sealed).error();
  if (!*sealed) return {};
  day.is_sealed = true;
  day.sealed_at_us = (*sealed)->sealed_at_us;
  take_content(day, (*sealed)->content);
  return {};
}

}  // namespace

Result<std::vector<MaintenanceNote>> noted_acts_in(const std::string& folder,
                                                   const MaintenanceNoteQuery& query) {
  if (query.limit < 1 || query.limit > MaintenanceNoteQuery::limit_max)
    return Error{ErrorCode::invalid_argument, "limit " + std::to_string(query.limit) +
                                                  " was not in 1.." +
                                                  std::to_string(MaintenanceNoteQuery::limit_max)};
  std::vector<MaintenanceNote> found;
  if (folder.empty()) return found;
  auto notes = store::Connection::open(folder + notes_name, store::OpenMode::read_only);
  if (!notes && notes.error().code == ErrorCode::not_found) return found;
  if (!notes) return std::move(notes).error();
  // What an earlier release wrote has no more than that.
  auto select = notes->prepare(
      "SELECT at_us, act, day, failure, files, records, was_asked FROM maintenance_acts "
      "WHERE at_us >= ?1 AND at_us < ?2 AND (?3 = '' OR act = ?3) AND (?4 = '' OR day = ?4) "
      "ORDER BY id DESC LIMIT ?5");
  if (!select)
    select = notes->prepare(
        "SELECT at_us, act, day, failure, 0, 0, 0 FROM maintenance_acts "
        "WHERE at_us >= ?1 AND at_us < ?2 AND (?3 = '' OR act = ?3) AND (?4 = '' OR day = ?4) "
        "ORDER BY id DESC LIMIT ?5");
  if (!select) return found;  // being made just now
  select->bind(1, query.since_us.value_or(std::numeric_limits<std::int64_t>::min()));
  select->bind(2, query.until_us.value_or(std::numeric_limits<std::int64_t>::max()));
  select->bind(3, query.act).bind(4, query.day);
  select->bind(5, static_cast<std::int64_t>(query.limit));
  for (;;) {
    auto row = select->step();
    if (!row) return std::move(row).error();
    if (!*row) return found;
    MaintenanceNote& note = found.emplace_back();
    note.at_us = select->integer(0);
    note.act = select->text(1);
    note.day = select->text(2);
    note.failure = select->text(3);
    note.files = select->integer(4);
    note.records = select->integer(5);
    note.was_asked = select->integer(6) != 0;
  }
}

Result<std::vector<StoredDay>> stored_days_in(const std::string& folder) {
  auto online = days_in(folder);
  if (!online) return std::move(online).error();
  auto archives = archives_in(folder);
  if (!archives) return std::move(archives).error();
  std::map<std::int64_t, StoredDay> days;
  PosixDisk disk;
  for (const std::int64_t number : *archives) {
    StoredDay& day = days[number];
    day.is_archived = true;
    day.archive_bytes = size_of(folder + "/" + archive_name(number));
  }
  for (const std::int64_t number : *online)
    days.try_emplace(number);
  if (auto done = read_checks(folder, days); !done) return std::move(done).error();
  for (auto& [number, day] : days) {
    day.day = date_of(number);
    if (day.is_archived) {
      // What is wrong with one day is no reason not to tell of the others.
      if (auto manifest = read_manifest(disk, folder + "/" + archive_name(number))) {
        day.archived_at_us = manifest->made_at_us;
        take_content(day, manifest->content);
      } else {
        day.failure = manifest.error().message;
      }
    }
    if (auto done = read_online(folder, number, day); !done) day.failure = done.error().message;
  }
  std::vector<StoredDay> listed;
  for (auto each = days.rbegin(); each != days.rend(); ++each)
    listed.push_back(std::move(each->second));
  return listed;
}

}  // namespace tandem::cdr
