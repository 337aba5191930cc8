#include "cdr/cdr_sqlite.hpp"

#include <unistd.h>

#include "cdr/cdr_rows_sqlite.hpp"
#include "cdr/day_files.hpp"

namespace tandem::cdr {
namespace {

constexpr std::string_view wal_extension = "-wal";

constexpr std::string_view control_name = "/cdr-control.db";

constexpr store::Migration control_steps[] = {
    {1, R"sql(
      CREATE TABLE cdr_position(one INTEGER PRIMARY KEY CHECK(one = 1), sequence INTEGER NOT NULL);
      INSERT INTO cdr_position VALUES(1, 0);
    )sql"},
};

/// Moves what lies in the log beside a day file into it and leaves the log empty. False when a
/// reader or the disk is in the way.
bool empty_log(store::Connection& connection) {
  // Waiting for a reader would hold up today's records; a later batch comes by here again.
  if (!connection.execute("PRAGMA busy_timeout=0")) return false;
  bool is_empty = false;
  if (auto checkpoint = connection.prepare("PRAGMA wal_checkpoint(TRUNCATE)")) {
    const Result<bool> row = checkpoint->step();
    is_empty = row && *row && checkpoint->integer(0) == 0;
  }
  return connection.execute("PRAGMA busy_timeout=5000") && is_empty;
}

Result<std::uint64_t> read_position(store::Connection& control) {
  auto select = control.prepare("SELECT sequence FROM cdr_position");
  if (!select) return std::move(select).error();
  auto row = select->step();
  if (!row) return std::move(row).error();
  if (!*row)
    return Error{ErrorCode::corrupt, "the place of the CDR files in the journal was missing"};
  return static_cast<std::uint64_t>(select->integer(0));
}

}  // namespace

Result<std::uint64_t> stored_position(const std::string& folder) {
  auto control =
      store::Connection::open(folder + std::string(control_name), store::OpenMode::read_only);
  if (!control && control.error().code == ErrorCode::not_found) return std::uint64_t{0};
  if (!control) return std::move(control).error();
  return read_position(*control);
}

SqliteSink::SqliteSink(std::string folder, std::shared_ptr<Disk> disk, store::Connection control)
    : folder_(std::move(folder)), disk_(std::move(disk)), control_(std::move(control)) {}

Result<std::unique_ptr<SqliteSink>> SqliteSink::open(std::string folder,
                                                     std::shared_ptr<Disk> disk) {
  if (disk == nullptr) disk = std::make_shared<PosixDisk>();
  if (auto made = disk->make_folder(folder); !made) return std::move(made).error();
  auto lock = disk->lock(folder + "/cdr-control.lock");
  if (!lock) return std::move(lock).error();
  auto control = store::Connection::open(folder + std::string(control_name));
  if (!control) return std::move(control).error();
  if (auto done = store::migrate(*control, "cdr_control", control_steps); !done) {
    return std::move(done).error();
  }
  std::unique_ptr<SqliteSink> sink(
      new SqliteSink(std::move(folder), std::move(disk), std::move(*control)));
  sink->lock_ = std::move(*lock);
  if (auto opened = sink->open_leftovers(); !opened) return std::move(opened).error();
  sink->close_days();
  return sink;
}

Result<std::uint64_t> SqliteSink::position() { return read_position(control_); }

Result<SqliteSink::DayFile*> SqliteSink::open_day_file(std::int64_t day) {
  auto lock = DayLock::writing(folder_, day);
  if (!lock) return std::move(lock).error();
  auto connection = store::Connection::open(folder_ + "/" + day_name(day));
  if (!connection) return std::move(connection).error();
  if (auto done = connection->execute("PRAGMA cache_size=-32000; PRAGMA wal_autocheckpoint=8000");
      !done) {
    return std::move(done).error();
  }
  if (auto done = store::migrate(*connection, "cdr", day_steps); !done)
    return std::move(done).error();
  auto file = std::make_unique<DayFile>(std::move(*lock), std::move(*connection));
  auto insert = prepare_insert(file->connection);
  if (!insert) return std::move(insert).error();
  file->insert = std::move(*insert);
  return days_.insert_or_assign(day, std::move(file)).first->second.get();
}

/// Takes the columns of a day away before a late record is written to its file. They would not be
/// used anyway, because the file looks otherwise then; but how it looks is no proof after a power
/// cut, nor within one tick of the file system's clock.
Result<void> SqliteSink::drop_columns(std::int64_t day) {
  auto removed = disk_->remove(folder_ + "/" + columns_name(day));
  if (!removed && removed.error().code != ErrorCode::not_found) return removed;
  // Those that an attempt before took away, and could not flush, may come back yet.
  owes_flush_ = owes_flush_ || removed;
  if (!owes_flush_) return {};
  auto flushed = disk_->sync_folder(folder_);
  if (flushed) owes_flush_ = false;
  return flushed;
}

/// The file of a day, in a transaction.
Result<SqliteSink::DayFile*> SqliteSink::day_file(std::int64_t day) {
  const auto found = days_.find(day);
  DayFile* file = found == days_.end() ? nullptr : found->second.get();
  // A file that was moved away while it is open would swallow what is written to it.
  if (file == nullptr ||
      (!file->transaction && access((folder_ + "/" + day_name(day)).c_str(), F_OK) != 0)) {
    if (file != nullptr) days_.erase(found);
    auto opened = open_day_file(day);
    if (!opened) return opened;
    file = *opened;
  }
  if (!file->has_no_columns) {
    if (auto done = drop_columns(day); !done) return std::move(done).error();
    file->has_no_columns = true;
  }
  if (!file->transaction) {
    auto transaction = store::Transaction::begin(file->connection);
    if (!transaction) return std::move(transaction).error();
    file->transaction.emplace(std::move(*transaction));
  }
  return file;
}

Result<void> SqliteSink::write_days(std::span<const RecordView> records) {
  std::string scratch;
  DayFile* file = nullptr;
  std::int64_t day = -1;
  for (const RecordView& view : records) {
    if (view.type != RecordType::end) continue;
    auto record = decode_end(view.payload, view.sequence);
    if (!record) return std::move(record).error();
    const std::int64_t wanted = day_of(record->cdr.ended_at_us);
    if (wanted != day) {
      auto found = day_file(wanted);
      if (!found) {
        // What is wrong with a file is no fault of the record that goes into it.
        return Error{ErrorCode::io, std::move(found).error().message};
      }
      file = *found;
      day = wanted;
    }
    if (auto done = insert_record(file->insert, record->cdr, scratch); !done) return done;
  }
  for (auto& [number, each] : days_) {
    if (!each->transaction) continue;
    if (auto done = each->transaction->commit(); !done) return done;
    each->transaction.reset();
  }
  if (file != nullptr) latest_day_ = day;
  return {};
}

/// Opens the files beside which a process that died left a log, so that close_days() closes them.
Result<void> SqliteSink::open_leftovers() {
  auto names = disk_->list(folder_);
  if (!names) return std::move(names).error();
  for (std::string_view name : *names) {
    if (!name.ends_with(wal_extension)) continue;
    name.remove_suffix(wal_extension.size());
    const auto day = day_from_name(name);
    if (!day || access((folder_ + "/" + day_name(*day)).c_str(), F_OK) != 0) continue;
    // One that is damaged is nobody's concern until a record is written to it; its log stays and
    // tells that it was not closed.
    (void)open_day_file(*day);
  }
  return {};
}

/// Closes all files but that of the latest record, each when its log is empty; SQLite removes the
/// log then.
void SqliteSink::close_days() {
  std::erase_if(days_, [this](auto& entry) {
    return entry.first != latest_day_ && empty_log(entry.second->connection);
  });
}

void SqliteSink::rest() noexcept {
  for (auto& [day, file] : days_)
    file->connection.release_memory();
}

Result<void> SqliteSink::write_batch(std::span<const RecordView> records, std::uint64_t through) {
  if (auto done = write_days(records); !done) {
    days_.clear();  // rolls back, and looks at the files anew next time
    return done;
  }
  close_days();
  auto place = control_.prepare("UPDATE cdr_position SET sequence = ?");
  if (!place) return Error{ErrorCode::io, std::move(place).error().message};
  return place->bind(1, static_cast<std::int64_t>(through)).run();
}

}  // namespace tandem::cdr

namespace tandem {

Result<std::unique_ptr<CdrSink>> make_sqlite_sink(std::string folder) {
  auto sink = cdr::SqliteSink::open(std::move(folder));
  if (!sink) return std::move(sink).error();
  return std::unique_ptr<CdrSink>(std::move(*sink));
}

}  // namespace tandem
