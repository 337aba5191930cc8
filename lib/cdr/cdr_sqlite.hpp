// CDRs in SQLite day files (C-03).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "cdr/built_in_sink.hpp"
#include "cdr/day_lock.hpp"
#include "cdr/disk.hpp"
#include "store/sqlite.hpp"

namespace tandem::cdr {

/// Day files "cdr-YYYYMMDD.db" of the UTC day of `ended_at_us`; the place in the journal is in
/// "cdr-control.db". The day files are committed first; a batch that comes again after a crash in
/// between changes nothing, because `record_id` is the key. Only the file of the latest record
/// stays open between batches; the others are brought into a state in which they can be moved away.
class SqliteSink final : public BuiltInSink {
 public:
  /// `disk`: what is done beside SQLite, in the same folder; null: PosixDisk. Errors: those of
  /// make_sqlite_sink().
  static Result<std::unique_ptr<SqliteSink>> open(std::string folder,
                                                  std::shared_ptr<Disk> disk = nullptr);

  Result<std::uint64_t> position() override;
  Result<void> write_batch(std::span<const RecordView> records, std::uint64_t through) override;
  void rest() noexcept override;  ///< Pages of day files: up to 32 MB.

 private:
  /// An open day file. The order of the members is that of their dependence.
  struct DayFile {
    DayFile(DayLock held, store::Connection opened)
        : lock(std::move(held)), connection(std::move(opened)) {}
    DayLock lock;
    store::Connection connection;
    store::Statement insert;
    std::optional<store::Transaction> transaction;
    bool has_no_columns = false;  // they would lack what is written
  };
  SqliteSink(std::string folder, std::shared_ptr<Disk> disk, store::Connection control);
  Result<DayFile*> open_day_file(std::int64_t day);
  Result<DayFile*> day_file(std::int64_t day);
  Result<void> drop_columns(std::int64_t day);
  Result<void> write_days(std::span<const RecordView> records);
  Result<void> open_leftovers();
  void close_days();

  std::string folder_;
  const std::shared_ptr<Disk> disk_;
  std::unique_ptr<DiskLock> lock_;
  store::Connection control_;
  std::map<std::int64_t, std::unique_ptr<DayFile>> days_;  // by days since 1970
  std::optional<std::int64_t> latest_day_;                 // of the last record written
  bool owes_flush_ = false;                                // of columns that were taken away
};

/// How far the day files of a folder have come in the journal; 0: there are none. Errors: io,
/// corrupt.
Result<std::uint64_t> stored_position(const std::string& folder);

}  // namespace tandem::cdr
