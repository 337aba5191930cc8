// Carries journal records to one sink, in order, however often the sink fails.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "cdr/journal.hpp"
#include "cdr/set_aside.hpp"
#include "tandem/cdr.hpp"

namespace tandem::cdr {

struct SinkRunnerOptions {
  std::string name;
  std::size_t batch_records = 10'000;
  std::size_t batch_bytes = 4U << 20;
  std::int64_t linger_ms =
      500;  ///< Waits this long for more before a batch is written; threads only.
  std::int64_t retry_min_ms = 100;  ///< Pause after a failure, doubled up to retry_max_ms.
  std::int64_t retry_max_ms = 10'000;
  /// After so many refusals of one record, as such, it goes into the set-aside file and the next
  /// ones are offered; 0: never. Needs `disk` and `folder`.
  std::uint32_t set_aside_after = 0;
  std::shared_ptr<Disk> disk;
  std::string folder;  ///< That of the journal.
};

/// A sink that stores its place in the journal with what it writes.
/// Threading: called by one thread at a time.
class SinkTarget {
 public:
  virtual ~SinkTarget();
  /// Sets sizes of batches and pauses that suit the sink. Called once, before position().
  virtual void set_pace(SinkRunnerOptions& options) const;
  /// Sequence of the last record that the sink holds; 0: none yet. Called once, before write().
  /// Errors: io, corrupt.
  virtual Result<std::uint64_t> position() = 0;
  /// Told before each batch how many durable records the sink does not have, with that batch.
  virtual void note_queue(std::uint64_t records);
  /// Takes a batch whole or not at all, and stores `through` as the place with it. Records that the
  /// sink has no use for are skipped; a batch may hold only such. May block. Errors: any; the batch
  /// is offered again later. `invalid_argument` and `already_exists` mean that a record of it
  /// cannot be taken, now or later; everything else, that the sink cannot work.
  virtual Result<void> write_batch(std::span<const RecordView> records, std::uint64_t through) = 0;
  /// Comes about once a second, however much there is to write: for what time alone brings about.
  /// An error stands in the sink's state until a later call succeeds, and holds up no record.
  /// Errors: io; it comes again after a pause.
  virtual Result<void> idle(std::int64_t wall_us);
  /// Nothing was written for some seconds: gives back memory that only a busy sink needs.
  virtual void rest() noexcept;
};

/// Gives the records of calls to a host's sink: at least once, its place in the file
/// "<folder>/<name>.position". While there is none, that of `former_name` ("": none) is taken over.
std::unique_ptr<SinkTarget> make_host_target(std::shared_ptr<Disk> disk, const std::string& folder,
                                             const std::string& name, std::unique_ptr<CdrSink> sink,
                                             const std::string& former_name = {});

/// Threading: state() is thread-safe; the rest one thread at a time.
class SinkRunner {
 public:
  /// Asks the target for its place and registers it: before Journal::start(). `journal`, `target`,
  /// `clock` and `log` (may be null) must outlive the runner. Errors: those of
  /// SinkTarget::position() and Journal::add_cursor().
  static Result<std::unique_ptr<SinkRunner>> create(SinkRunnerOptions options, Journal& journal,
                                                    SinkTarget& target, const Clock& clock,
                                                    Log* log);
  ~SinkRunner();  ///< Stops the thread; what the sink does not hold stays in the journal.

  /// Writes until everything is taken that was durable at the call, or the sink fails; does nothing
  /// during the pause after a failure. Not while the thread runs. True: all of that is taken.
  bool pump();
  /// As pump(), at least up to `sequence`, without waiting for pauses. For the start of a switch,
  /// before start_thread(), and its end. Errors: the sink's, timeout (the end's time is over).
  Result<void> catch_up(std::uint64_t sequence);
  void start_thread();
  /// Ends the thread after it has taken what is durable now, or after `drain_ms` and the batch that
  /// is under way then, and one more attempt.
  void stop(std::int64_t drain_ms);

  [[nodiscard]] CdrSinkState state() const;

 private:
  SinkRunner(SinkRunnerOptions options, Journal& journal, SinkTarget& target, const Clock& clock,
             Log* log, std::uint64_t position, std::size_t cursor);
  Result<bool> write_next();
  void look_after(bool has_written);
  void rest_when_idle(bool has_written);
  [[nodiscard]] bool must_end();
  Result<bool> offer_next();
  Result<void> offer(std::size_t count);
  Result<bool> set_aside_refused(std::size_t offered, const Error& refusal);
  void note_failure(const Error& error);
  void note_success(bool has_written);
  void run() noexcept;

  const SinkRunnerOptions options_;
  Journal& journal_;
  SinkTarget& target_;
  const Clock& clock_;
  Log* const log_;
  const std::size_t cursor_;
  JournalReader reader_;
  std::vector<RecordView> batch_;  // read but not yet taken by the sink
  std::size_t offered_max_ = 0;    // part of a refused batch that is offered alone; 0: all of it
  std::uint32_t refusals_ = 0;     // of the first record of the batch, alone
  std::uint32_t set_aside_in_a_row_ = 0;  // without a record of a call that was taken
  std::unique_ptr<SetAside> set_aside_;   // null: no record is
  std::int64_t pause_ms_ = 0;             // 0: the last batch was taken
  std::int64_t retry_at_us_ = 0;          // monotonic
  std::int64_t idle_pause_ms_ = 0;        // 0: the last idle() succeeded
  std::int64_t idle_at_us_ = 0;     // monotonic: it must come then, after a failure not before
  std::int64_t written_at_us_ = 0;  // monotonic, of the last batch
  bool is_resting_ = true;          // since then
  bool has_thread_ = false;         // or had one
  std::thread thread_;
  std::atomic<std::uint64_t> position_;
  std::atomic<std::int64_t> behind_since_us_{0};  // monotonic; 0: not behind
  std::atomic<std::uint64_t> failures_{0};
  std::atomic<bool> is_failing_{false};

  mutable std::mutex mutex_;  // guards what is below
  std::condition_variable changed_;
  bool is_stopping_ = false;
  std::int64_t stop_at_us_ = 0;
  std::string last_error_;
  std::string idle_error_;  // "": the last idle() succeeded
};

}  // namespace tandem::cdr
