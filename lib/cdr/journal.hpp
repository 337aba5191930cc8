// The commit point of the switch: an append-only journal in segments that are prewritten
// and recycled.
//
// One writer commits whatever waits with one fdatasync. Everything else (balances, SQLite, files)
// is derived from the journal by cursors. docs/cdr.md has the format and the reasoning.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/pages.hpp"
#include "cdr/disk.hpp"
#include "cdr/records.hpp"
#include "tandem/cdr.hpp"
#include "tandem/clock.hpp"
#include "tandem/error.hpp"
#include "tandem/log.hpp"

namespace tandem::cdr {

struct JournalOptions {
  std::string folder;                         ///< Made when absent; its parent must exist.
  std::uint64_t segment_bytes = 64ULL << 20;  ///< 4 KiB..1 GiB, a multiple of 8.
  std::uint32_t queue_records = 65'536;       ///< 16..4,194,304; rounded up to a power of two.
  /// Memory for records that the disk does not take, because it fails or because a flush hangs.
  std::uint64_t backlog_bytes_max = 256ULL << 20;
  std::uint32_t spare_segments_max = 2;  ///< Recycled files kept; further ones are removed.
  /// Commits start at least so far apart, unless many records wait; 0..1,000,000. A trickle of
  /// records then shares its flushes, and the first after a pause is written at once.
  std::int64_t commit_interval_us = 4'000;
  /// So long the end of a call and a mark of one wait for a record that somebody waits for, which
  /// takes them along; 0..1,000,000.
  std::int64_t patience_us = 20'000;
  bool threads = true;         ///< false: the host calls pump().
  std::shared_ptr<Disk> disk;  ///< Null: PosixDisk.
};

/// A call that was up when the last process ended without closing it.
struct OpenCall {
  AnswerRecord answer;
  std::optional<MarkRecord> last_mark;
};

/// What open() found.
struct Recovery {
  std::vector<OpenCall>
      open_calls;  ///< In order of answer. The switch ends each with a ServerCrash end record.
  std::uint64_t last_sequence = 0;  ///< 0: the journal was empty.
  bool was_closed = true;           ///< False: the last writer died.
  std::uint64_t torn_records = 0;   ///< Found whole behind a torn one, so never durable; left out.
};

/// A durable record as read(). `payload` lives until the next read() of its reader.
struct RecordView {
  std::uint64_t sequence = 0;
  RecordType type = RecordType::empty;
  std::string_view payload;
};

class Journal;

/// Reads durable records in order. Threading: one thread at a time.
class JournalReader {
 public:
  /// Starts behind `after_sequence`. `journal` must outlive the reader, and a cursor must keep what
  /// it reads.
  JournalReader(Journal& journal, std::uint64_t after_sequence);
  ~JournalReader();

  /// Replaces `records` by the next durable ones, at most `records_max` and about `bytes_max`; none
  /// when all are read. Errors: io, corrupt.
  Result<void> read(std::vector<RecordView>& records, std::size_t records_max,
                    std::size_t bytes_max);
  /// Gives back the memory of the last batch, whose records end with it.
  void rest() noexcept { buffer_.clear(); }

 private:
  Journal& journal_;
  std::uint64_t next_sequence_;
  std::uint64_t serial_ = 0;  // 0: no file is open
  std::uint64_t offset_ = 0;
  std::unique_ptr<DiskFile> file_;
  std::uint64_t record_bytes_ = 1024;  // of one, about, as the last batch had them
  PageBuffer buffer_;
};

/// Threading: append(), is_writable(), durable_sequence(), wait_*(), counters(), advance_cursor()
/// are thread-safe; the rest one thread at a time. With `threads` false: one thread at a time for
/// all.
class Journal {
 public:
  /// Takes the folder, recovers it, and begins a new segment with the first commit. `clock` and
  /// `log` (may be null) must outlive the journal. Errors: invalid_argument, io, already_exists
  /// (another process holds the folder), corrupt (a record that was durable is damaged; names file
  /// and offset), unsupported (written by a later release).
  static Result<std::unique_ptr<Journal>> open(JournalOptions options, const Clock& clock,
                                               Log* log);
  ~Journal();  ///< As close().
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  [[nodiscard]] const Recovery& recovery() const noexcept;

  /// Registers a reader's place: files behind the lowest cursor are recycled. Before start().
  /// `sequence`: last one held by the sink; 0: a new sink, which begins at the oldest kept record.
  /// Above the last sequence (the journal was removed, the sink was not): new sequences continue
  /// behind it. Errors: corrupt (records after `sequence` are gone), wrong_state (after start()).
  Result<std::size_t> add_cursor(std::string name, std::uint64_t sequence);
  void advance_cursor(std::size_t cursor, std::uint64_t sequence) noexcept;

  /// Begins a segment, starts the writer thread (with `threads`) and allows recycling. Records are
  /// taken from now on. Errors: io, limit, wrong_state (called twice).
  Result<void> start();

  /// Takes a record and gives it its sequence number. Never waits for the disk, and takes a lock
  /// only when the queue is full.
  /// Errors: limit (queue and backlog are full: the record is not taken), invalid_argument (larger
  /// than a segment), wrong_state (not started, closed).
  Result<std::uint64_t> append(RecordType type, std::string payload);

  /// False while the disk fails or more than three quarters of the queue are used: take no new
  /// calls then, but go on to append the records of those that are up; they are held in memory and
  /// written when the disk works again.
  [[nodiscard]] bool is_writable() const noexcept;
  /// True while more than half of what may wait is waiting: only records that money hangs on should
  /// still be appended, so that a long failure of the disk does not refuse those.
  [[nodiscard]] bool is_crowded() const noexcept;
  [[nodiscard]] std::uint64_t durable_sequence() const noexcept;
  [[nodiscard]] std::uint64_t last_sequence() const noexcept;  ///< Given out so far.

  /// Waits until `sequence` is durable; never on a call worker. Without threads it commits what
  /// waits instead of waiting. Errors: timeout.
  Result<void> wait_durable(std::uint64_t sequence, std::int64_t timeout_ms);
  /// Waits until something behind `sequence` is durable, interrupt() was called or the time is
  /// over. For sinks.
  void wait_beyond(std::uint64_t sequence, std::int64_t timeout_ms);
  void interrupt();  ///< Wakes every wait_beyond().

  /// Called on the writer (in pump() without threads) after each commit with the new durable
  /// sequence; must not block. Set before start().
  void on_durable(std::function<void(std::uint64_t)> callback);

  /// Without threads: commits all that waits, unless the disk fails. With threads: nothing.
  void pump();
  /// Commits what waits (once more when the disk fails) and ends the writer. Idempotent.
  void close();

  [[nodiscard]] CdrJournalCounters counters() const;

 private:
  friend class JournalReader;
  struct Body;
  explicit Journal(std::unique_ptr<Body> body) noexcept;
  std::unique_ptr<Body> body_;
};

}  // namespace tandem::cdr
