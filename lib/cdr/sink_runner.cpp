#include "cdr/sink_runner.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>

#include "base/pages.hpp"
#include "base/text.hpp"
#include "base/thread.hpp"

namespace tandem::cdr {
namespace {

/// Whether an error says that a record cannot be taken, not that the sink cannot work.
bool is_about_record(ErrorCode code) noexcept {
  return code == ErrorCode::invalid_argument || code == ErrorCode::already_exists;
}

/// A sink of the host, with its place in a file. The file is written after flush(), so a crash
/// between the two offers the last batch again.
class HostTarget final : public SinkTarget {
 public:
  HostTarget(std::shared_ptr<Disk> disk, std::string path, std::string former_path,
             std::unique_ptr<CdrSink> sink)
      : disk_(std::move(disk)),
        path_(std::move(path)),
        former_path_(std::move(former_path)),
        sink_(std::move(sink)) {}

  Result<std::uint64_t> position() override {
    auto content = read_replaced_file(*disk_, path_);
    if (!content && content.error().code == ErrorCode::not_found && !former_path_.empty()) {
      auto moved = disk_->rename(former_path_, path_);
      if (!moved && moved.error().code != ErrorCode::not_found) return std::move(moved).error();
      content = read_replaced_file(*disk_, path_);
    }
    if (!content && content.error().code == ErrorCode::not_found) return std::uint64_t{0};
    if (!content) return std::move(content).error();
    std::string_view digits = *content;
    if (digits.ends_with('\n')) digits.remove_suffix(1);
    const auto position = parse_integer<std::uint64_t>(digits);
    if (!position) {
      return Error{ErrorCode::corrupt, "\"" + path_ + "\" did not hold one number"};
    }
    taken_ = flushed_ = *position;
    return *position;
  }

  Result<void> write_batch(std::span<const RecordView> records, std::uint64_t through) override {
    bool has_any = false;
    for (const RecordView& view : records) {
      if (view.type != RecordType::end) continue;
      has_any = true;
      // A batch that failed half way is offered again; what the sink has taken of it is not.
      if (view.sequence <= taken_) continue;
      auto record = decode_end(view.payload, view.sequence);
      if (!record) return std::move(record).error();
      if (auto done = guarded([&] { return sink_->write(record->cdr); }); !done) return done;
      taken_ = view.sequence;
    }
    if (has_any) {
      if (auto done = guarded([&] { return sink_->flush(); }); !done) {
        // Nobody knows which of the records it is about, nor what the sink still has of them: all
        // are written again, and none is judged.
        taken_ = flushed_;
        Error error = std::move(done).error();
        if (is_about_record(error.code)) error.code = ErrorCode::io;
        return error;
      }
      flushed_ = taken_;
    }
    return replace_file(*disk_, path_, std::to_string(through) + "\n");
  }

 private:
  template <class Act>
  static Result<void> guarded(Act act) {
    try {
      return act();
    } catch (const std::exception& exception) {
      return Error{ErrorCode::io, std::string("sink of the host threw: ") + exception.what()};
    } catch (...) {
      return Error{ErrorCode::io, "sink of the host threw"};
    }
  }

  std::shared_ptr<Disk> disk_;
  std::string path_;
  std::string former_path_;  // "": none
  std::unique_ptr<CdrSink> sink_;
  std::uint64_t taken_ = 0;    // by write()
  std::uint64_t flushed_ = 0;  // by a flush() that succeeded
};

}  // namespace

SinkTarget::~SinkTarget() = default;

void SinkTarget::set_pace(SinkRunnerOptions&) const {}

void SinkTarget::note_queue(std::uint64_t) {}

Result<void> SinkTarget::idle(std::int64_t) { return {}; }

void SinkTarget::rest() noexcept {}

std::unique_ptr<SinkTarget> make_host_target(std::shared_ptr<Disk> disk, const std::string& folder,
                                             const std::string& name, std::unique_ptr<CdrSink> sink,
                                             const std::string& former_name) {
  const auto path_of = [&folder](const std::string& each) {
    return each.empty() ? std::string() : folder + "/" + each + ".position";
  };
  return std::make_unique<HostTarget>(std::move(disk), path_of(name), path_of(former_name),
                                      std::move(sink));
}

SinkRunner::SinkRunner(SinkRunnerOptions options, Journal& journal, SinkTarget& target,
                       const Clock& clock, Log* log, std::uint64_t position, std::size_t cursor)
    : options_(std::move(options)),
      journal_(journal),
      target_(target),
      clock_(clock),
      log_(log),
      cursor_(cursor),
      reader_(journal, position),
      position_(position) {}

Result<std::unique_ptr<SinkRunner>> SinkRunner::create(SinkRunnerOptions options, Journal& journal,
                                                       SinkTarget& target, const Clock& clock,
                                                       Log* log) {
  target.set_pace(options);
  Result<std::uint64_t> position = target.position();
  if (!position) return std::move(position).error();
  Result<std::size_t> cursor = journal.add_cursor(options.name, *position);
  if (!cursor) return std::move(cursor).error();
  std::unique_ptr<SinkRunner> runner(
      new SinkRunner(std::move(options), journal, target, clock, log, *position, *cursor));
  const SinkRunnerOptions& kept = runner->options_;
  if (kept.set_aside_after > 0) {
    auto set_aside = SetAside::open(kept.disk, kept.folder, kept.name);
    if (!set_aside) return std::move(set_aside).error();
    runner->set_aside_ = std::move(*set_aside);
    const SetAside& file = *runner->set_aside_;
    if (log != nullptr && file.unreadable_lines() > 0) {
      log->write(LogLevel::error, "cdr", "set-aside file had unreadable lines: they stay in it",
                 {{"sink", kept.name},
                  {"file", file.path()},
                  {"lines", std::to_string(file.unreadable_lines())}});
    }
  }
  return runner;
}

SinkRunner::~SinkRunner() { stop(0); }

/// Offers the first records of the batch; those that are taken leave it.
Result<void> SinkRunner::offer(std::size_t count) {
  const std::span<const RecordView> part(batch_.data(), count);
  const std::uint64_t through = part.back().sequence;
  const std::uint64_t durable = journal_.durable_sequence();
  const std::uint64_t position = position_.load();
  target_.note_queue(durable > position ? durable - position : 0);
  if (auto written = target_.write_batch(part, through); !written) return written;
  batch_.erase(batch_.begin(), batch_.begin() + static_cast<std::ptrdiff_t>(count));
  position_.store(through);
  journal_.advance_cursor(cursor_, through);
  return {};
}

/// After a refusal that is about a record: looks for it in ever smaller parts, and sets it aside
/// when it was refused often enough. True: something changed, and the sink is to be asked again at
/// once.
Result<bool> SinkRunner::set_aside_refused(std::size_t offered, const Error& refusal) {
  if (offered > 1) {
    offered_max_ = offered / 2;
    refusals_ = 0;
    return true;
  }
  // So many without one between that is taken: it is the sink after all.
  constexpr std::uint32_t in_a_row_max = 16;
  const RecordView& view = batch_.front();
  if (view.type != RecordType::end || ++refusals_ < options_.set_aside_after ||
      set_aside_in_a_row_ >= in_a_row_max)
    return false;
  auto record = decode_end(view.payload, view.sequence);
  if (!record) return std::move(record).error();
  if (auto kept = set_aside_->add(record->cdr, refusal.message, clock_.wall_us()); !kept)
    return std::move(kept).error();
  // The sink stores the place behind it, so that it is not offered again.
  const std::uint64_t through = view.sequence;
  if (auto moved = target_.write_batch({}, through); !moved) return std::move(moved).error();
  if (log_ != nullptr) {
    log_->write(LogLevel::error, "cdr", "record was set aside",
                {{"sink", options_.name},
                 {"record", std::to_string(record->cdr.record_id)},
                 {"error", refusal.message}});
  }
  batch_.erase(batch_.begin());
  refusals_ = 0;
  ++set_aside_in_a_row_;
  position_.store(through);
  journal_.advance_cursor(cursor_, through);
  return true;
}

/// Offers what comes next. True when there was something.
Result<bool> SinkRunner::offer_next() {
  if (batch_.empty()) {
    if (auto read = reader_.read(batch_, options_.batch_records, options_.batch_bytes); !read) {
      return std::move(read).error();
    }
    if (batch_.empty()) return false;
  }
  for (;;) {
    const std::size_t count =
        offered_max_ == 0 ? batch_.size() : std::min(offered_max_, batch_.size());
    // What a sink has no use for says nothing of whether it works.
    const bool has_end =
        std::any_of(batch_.begin(), batch_.begin() + static_cast<std::ptrdiff_t>(count),
                    [](const RecordView& view) { return view.type == RecordType::end; });
    const auto offered = offer(count);
    if (!offered) {
      if (set_aside_ == nullptr || !is_about_record(offered.error().code)) return offered.error();
      auto changed = set_aside_refused(count, offered.error());
      if (!changed) return changed;
      if (!*changed) return offered.error();
      if (!batch_.empty()) continue;
    }
    if (offered && has_end) set_aside_in_a_row_ = 0;
    refusals_ = 0;
    offered_max_ = offered_max_ * 2 >= batch_.size() ? 0 : offered_max_ * 2;
    return true;
  }
}

/// Offers what comes next, and keeps account of how it goes. True when there was something.
Result<bool> SinkRunner::write_next() {
  Result<bool> outcome = false;
  try {
    outcome = offer_next();
  } catch (const std::exception& exception) {
    outcome = Error{ErrorCode::internal, std::string("sink threw: ") + exception.what()};
  }
  if (outcome) {
    note_success(*outcome);
  } else {
    note_failure(outcome.error());
  }
  return outcome;
}

/// Memory grows to what the largest batches need, and is given back once none came for a while.
void SinkRunner::rest_when_idle(bool has_written) {
  constexpr std::int64_t rest_us = 10'000'000;
  const std::int64_t now_us = clock_.monotonic_us();
  if (has_written) {
    written_at_us_ = now_us;
    is_resting_ = false;
  } else if (!is_resting_ && batch_.empty() && now_us - written_at_us_ >= rest_us) {
    is_resting_ = true;
    std::vector<RecordView>().swap(batch_);
    reader_.rest();
    target_.rest();
    // Pages that were freed lie between others that are in use, where the heap keeps them. Not in a
    // simulation, whose time is not that of the machine.
    if (has_thread_) trim_heap();
  }
}

/// Lets the sink do what time brings about: whenever there is nothing to write, and by the clock
/// while there always is. What goes wrong there keeps no record waiting.
void SinkRunner::look_after(bool has_written) {
  const std::int64_t now_us = clock_.monotonic_us();
  if (now_us < idle_at_us_ && (has_written || idle_pause_ms_ != 0)) return;
  constexpr std::int64_t period_ms = 1'000;
  Result<void> done;
  try {
    done = target_.idle(clock_.wall_us());
  } catch (const std::exception& exception) {
    done = Error{ErrorCode::internal, std::string("sink threw: ") + exception.what()};
  }
  idle_pause_ms_ = done                  ? 0
                   : idle_pause_ms_ == 0 ? options_.retry_min_ms
                                         : std::min(idle_pause_ms_ * 2, options_.retry_max_ms);
  // After the call, which may have taken long.
  idle_at_us_ = clock_.monotonic_us() + (done ? period_ms : idle_pause_ms_) * 1'000;
  std::string error = done ? std::string() : done.error().message;
  {
    const std::lock_guard guard(mutex_);
    if (error == idle_error_) return;
    idle_error_ = error;
  }
  if (log_ == nullptr) return;
  if (error.empty()) {
    log_->write(LogLevel::info, "cdr", "upkeep of sink works again", {{"sink", options_.name}});
  } else {
    log_->write(LogLevel::error, "cdr", "upkeep of sink failed: it is tried again",
                {{"sink", options_.name}, {"error", error}});
  }
}

/// Whether the time that stop() gave is over.
bool SinkRunner::must_end() {
  const std::lock_guard guard(mutex_);
  return is_stopping_ && clock_.monotonic_us() >= stop_at_us_;
}

void SinkRunner::note_success(bool has_written) {
  if (pause_ms_ != 0) {
    pause_ms_ = 0;
    is_failing_.store(false);
    if (log_ != nullptr) {
      log_->write(LogLevel::info, "cdr", "sink works again", {{"sink", options_.name}});
    }
  }
  if (position_.load() >= journal_.durable_sequence()) {
    behind_since_us_.store(0);
  } else if (behind_since_us_.load() == 0 || has_written) {
    behind_since_us_.store(clock_.monotonic_us());
  }
}

void SinkRunner::note_failure(const Error& error) {
  const std::int64_t now_us = clock_.monotonic_us();
  failures_.fetch_add(1);
  is_failing_.store(true);
  if (behind_since_us_.load() == 0) behind_since_us_.store(now_us);
  pause_ms_ =
      pause_ms_ == 0 ? options_.retry_min_ms : std::min(pause_ms_ * 2, options_.retry_max_ms);
  retry_at_us_ = now_us + pause_ms_ * 1'000;
  {
    const std::lock_guard guard(mutex_);
    last_error_ = error.message;
  }
  if (log_ != nullptr) {
    log_->write(LogLevel::error, "cdr", "sink refused records: they are offered again",
                {{"sink", options_.name},
                 {"error", error.message},
                 {"position", std::to_string(position_.load())}});
  }
}

bool SinkRunner::pump() {
  if (pause_ms_ != 0 && clock_.monotonic_us() < retry_at_us_) return false;
  // What becomes durable meanwhile is left to the next call: under load there would always be a few
  // records, and each handful of them a commit of its own.
  const std::uint64_t through = journal_.durable_sequence();
  for (;;) {
    const Result<bool> written = write_next();
    if (!written) return false;
    if (must_end()) return !*written;
    rest_when_idle(*written);
    look_after(*written);
    if (!*written || position_.load() >= through) return true;
  }
}

Result<void> SinkRunner::catch_up(std::uint64_t sequence) {
  while (position_.load() < sequence) {
    Result<bool> written = write_next();
    if (!written) return std::move(written).error();
    if (!*written) break;  // numbers that were given out and never became durable
    if (position_.load() < sequence && must_end())
      return Error{ErrorCode::timeout, "sink still lacked records when its time was over"};
  }
  return {};
}

void SinkRunner::start_thread() {
  has_thread_ = true;
  if (!thread_.joinable()) thread_ = tandem::start_thread("tandem-sink", [this] { run(); });
}

void SinkRunner::run() noexcept {
  const auto wait = [this](std::int64_t wait_ms) {
    std::unique_lock guard(mutex_);
    changed_.wait_for(guard, std::chrono::milliseconds(wait_ms), [this] { return is_stopping_; });
  };
  for (;;) {
    const bool has_all = pump();
    bool is_stopping = false;
    std::int64_t stop_at_us = 0;
    {
      const std::lock_guard guard(mutex_);
      is_stopping = is_stopping_;
      stop_at_us = stop_at_us_;
    }
    if (is_stopping) {
      // One more attempt comes after the request to stop, whatever the pause was.
      const Result<void> caught_up = catch_up(journal_.durable_sequence());
      if (caught_up || clock_.monotonic_us() >= stop_at_us) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(options_.retry_min_ms));
      continue;
    }
    if (!has_all) {
      wait(std::max<std::int64_t>((retry_at_us_ - clock_.monotonic_us()) / 1'000, 1));
      continue;
    }
    journal_.wait_beyond(position_.load(), 1'000);
    // A few more records make a commit of the sink worth its flush; a full batch needs none.
    const std::uint64_t waiting = journal_.durable_sequence() - position_.load();
    if (waiting > 0 && waiting < options_.batch_records) wait(options_.linger_ms);
  }
}

void SinkRunner::stop(std::int64_t drain_ms) {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard guard(mutex_);
    is_stopping_ = true;
    stop_at_us_ = clock_.monotonic_us() + drain_ms * 1'000;
  }
  changed_.notify_all();
  journal_.interrupt();
  thread_.join();
  is_stopping_ = false;
}

CdrSinkState SinkRunner::state() const {
  CdrSinkState state;
  state.name = options_.name;
  state.position = position_.load();
  const std::uint64_t durable = journal_.durable_sequence();
  state.lag_records = durable > state.position ? durable - state.position : 0;
  const std::int64_t since_us = behind_since_us_.load();
  if (since_us != 0 && state.lag_records != 0) {
    state.lag_us = std::max<std::int64_t>(clock_.monotonic_us() - since_us, 0);
  }
  state.failures = failures_.load();
  if (set_aside_ != nullptr) state.set_aside = set_aside_->count();
  const std::lock_guard guard(mutex_);
  const bool refuses_records = is_failing_.load();
  state.is_failing = refuses_records || !idle_error_.empty();
  state.last_error = refuses_records || idle_error_.empty() ? last_error_ : idle_error_;
  return state;
}

}  // namespace tandem::cdr
