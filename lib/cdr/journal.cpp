#include "cdr/journal.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>

#include "base/thread.hpp"
#include "cdr/segment.hpp"
#include "cdr/segment_files.hpp"

namespace tandem::cdr {
namespace {

constexpr std::uint64_t batch_bytes_max = 1U << 20;
constexpr std::uint64_t prewrite_bytes = 1U << 20;
constexpr std::uint64_t read_bytes_min = 64U << 10;
// What a waiting record costs in memory beside its payload, rounded up; it bounds how many can
// wait.
constexpr std::uint64_t waiting_cost_bytes = 256;
constexpr std::uint64_t gathered_max = 64;  // so many records are worth a flush of their own
// A thread that finds the queue full takes out so many at once, so that none waits long for another
// that does the same, and looks so often before it refuses a record for which there is room.
constexpr std::size_t relief_records = 1'024;
constexpr int relief_attempts_max = 1'000;
constexpr std::int64_t commit_interval_max_us = 1'000'000;
constexpr std::int64_t pause_min_us = 100'000;
constexpr std::int64_t pause_max_us = 5'000'000;

std::uint64_t waiting_cost(std::string_view payload) {
  return std::max(waiting_cost_bytes, payload.size() + 64);
}

/// A segment in use. `last_sequence` is that of its last durable record; previous_sequence while it
/// has none.
struct Segment {
  std::uint64_t serial = 0;
  std::string path;
  std::uint64_t previous_sequence = 0;  // as its header tells
  std::uint64_t first_sequence = 0;
  std::uint64_t last_sequence = 0;
};

/// Where a record lies, and its number.
struct Place {
  std::uint64_t serial = 0;  // 0: nowhere
  std::uint64_t offset = 0;
  std::uint64_t sequence = 0;
};

/// Places that make an open call billable after a crash.
struct OpenPlaces {
  Place answer;
  Place mark;
};

/// Where the walk over the records of a segment ended.
struct Walk {
  std::uint64_t last_sequence = 0;  // of the last good record; previous_sequence while none came
  std::uint64_t commit_offset = 0;  // where the commit that it belongs to begins
  std::uint64_t end_offset = 0;
};

/// A record in memory. A copy that is carried forward tells the number of its original, because its
/// call may end, or be marked anew, before its turn comes.
struct Waiting {
  std::uint64_t sequence = 0;
  RecordType type = RecordType::empty;
  std::uint64_t carried_from = 0;  // 0: an ordinary record, or a copy that is decided
  std::string payload;
  std::uint64_t cost_bytes = 0;  // counted in the backlog
};

/// What the writer waits for, beside the end of a time.
enum class Rest : std::uint8_t {
  none,
  interval,  ///< Many records: the last commit was only just begun.
  patience,  ///< As well, one that somebody waits for: no other has come.
  asleep,    ///< Any record.
};

/// Bounded queue of many producers and one consumer at a time without locks (after D. Vyukov). A
/// record's place in it is its sequence number, so numbers rise in the order in which records are
/// written.
class Queue {
 public:
  explicit Queue(std::uint32_t records) {
    std::uint64_t capacity = 16;
    while (capacity < records)
      capacity *= 2;
    cells_ = std::make_unique<Cell[]>(static_cast<std::size_t>(capacity));
    mask_ = capacity - 1;
    for (std::uint64_t i = 0; i < capacity; ++i)
      cells_[i].turn.store(i, std::memory_order_relaxed);
  }

  /// Position of the record, or nothing when the queue is full (`record` is untouched then).
  std::optional<std::uint64_t> push(Waiting& record) noexcept {
    std::uint64_t position = pushed_.load(std::memory_order_relaxed);
    for (;;) {
      Cell& cell = cells_[position & mask_];
      const std::uint64_t turn = cell.turn.load(std::memory_order_acquire);
      if (turn == position) {
        if (!pushed_.compare_exchange_weak(position, position + 1, std::memory_order_relaxed)) {
          continue;
        }
        cell.record = std::move(record);
        // Sequentially consistent: either the consumer that goes to sleep sees it, or the producer
        // sees the sleeper.
        cell.turn.store(position + 1, std::memory_order_seq_cst);
        return position;
      }
      if (turn < position) return std::nullopt;
      position = pushed_.load(std::memory_order_relaxed);
    }
  }

  [[nodiscard]] bool has_next() const noexcept {
    const std::uint64_t position = popped_.load(std::memory_order_relaxed);
    return cells_[position & mask_].turn.load(std::memory_order_seq_cst) == position + 1;
  }

  /// REQUIRES: has_next(). Position and record.
  std::pair<std::uint64_t, Waiting> pop() noexcept {
    const std::uint64_t position = popped_.load(std::memory_order_relaxed);
    Cell& cell = cells_[position & mask_];
    std::pair<std::uint64_t, Waiting> taken(position, std::move(cell.record));
    cell.turn.store(position + mask_ + 1, std::memory_order_release);
    popped_.store(position + 1, std::memory_order_relaxed);
    return taken;
  }

  [[nodiscard]] std::uint64_t pushed() const noexcept {
    return pushed_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t waiting() const noexcept {
    const std::uint64_t popped = popped_.load(std::memory_order_relaxed);
    const std::uint64_t pushed = pushed_.load(std::memory_order_relaxed);
    return pushed > popped ? pushed - popped : 0;
  }
  [[nodiscard]] std::uint64_t capacity() const noexcept { return mask_ + 1; }

 private:
  struct Cell {
    std::atomic<std::uint64_t> turn{0};
    Waiting record;
  };
  std::unique_ptr<Cell[]> cells_;
  std::uint64_t mask_ = 0;
  alignas(64) std::atomic<std::uint64_t> pushed_{0};
  alignas(64) std::atomic<std::uint64_t> popped_{0};
};

}  // namespace

struct Journal::Body {
  Body(JournalOptions settings, const Clock& time, Log* lines)
      : options(std::move(settings)), clock(time), log(lines), queue(options.queue_records) {}

  JournalOptions options;
  const Clock& clock;
  Log* log;
  std::unique_ptr<DiskLock> lock;
  Recovery recovery;
  std::function<void(std::uint64_t)> durable_callback;

  Queue queue;
  std::atomic<std::uint64_t> first_sequence{1};  // of queue position 0; fixed by start()
  std::atomic<bool> is_open{false};              // between start() and close()
  std::atomic<bool> is_failing{false};
  std::atomic<std::uint64_t> durable{0};
  std::atomic<std::uint64_t> backlog_records{0}, backlog_bytes{0};
  std::atomic<std::uint64_t> appended{0}, refused{0}, written{0}, commits{0}, disk_failures{0},
      recycled{0};

  std::mutex drain_mutex;       // guards the consumer's end of `queue`, and `drained`
  std::deque<Waiting> drained;  // out of the queue; next for the writer behind `waiting`

  // The writer's own; without threads the host's one thread is the writer.
  std::deque<Waiting> waiting;
  std::string buffer;
  std::string zeros;                   // prewrite_bytes of them, once needed
  std::unique_ptr<DiskFile> file;      // null: the next commit begins a segment
  std::uint64_t offset = 0;            // where the next record goes
  std::uint64_t prewritten_bytes = 0;  // of the active file
  std::uint64_t serial = 0;            // of the newest segment ever begun
  std::uint64_t spare_serial = 0;      // names spare files apart
  std::vector<std::string> spares;
  std::unordered_map<std::uint64_t, OpenPlaces> open_calls;
  std::uint64_t carried_through = 0;  // last sequence given to a carried record
  std::int64_t pause_us = 0;          // 0: the last commit succeeded
  std::int64_t committed_at_us = 0;   // monotonic; when the last commit began
  std::int64_t retry_at_us = 0;       // monotonic

  mutable std::mutex segments_mutex;  // guards the two below
  std::deque<Segment> segments;       // oldest first; the last one is active while `file` is set
  std::vector<std::pair<std::string, std::uint64_t>> cursors;

  std::mutex wake_mutex;  // guards nothing but the rest of the writer
  std::condition_variable wake;
  std::atomic<Rest> rest{Rest::none};
  std::atomic<bool> has_urgent{false};  // somebody waits for a record, since the last commit began
  std::atomic<bool> is_stopping{false};
  std::thread writer;

  std::mutex durable_mutex;  // guards `interrupts`, and lets waiters miss no change of `durable`
  std::condition_variable durable_changed;
  std::uint64_t interrupts = 0;

  [[nodiscard]] std::string path_of(std::string_view name) const {
    return options.folder + "/" + std::string(name);
  }
  [[nodiscard]] std::uint64_t in_memory_max() const {
    return queue.capacity() + options.backlog_bytes_max / waiting_cost_bytes + 1;
  }
  [[nodiscard]] std::uint64_t payload_bytes_max() const {
    return options.segment_bytes - segment_header_bytes - record_header_bytes;
  }

  void say(LogLevel level, std::string_view text, std::initializer_list<LogField> fields) const {
    if (log != nullptr) log->write(level, "cdr", text, fields);
  }

  Result<void> recover();
  Result<Walk> scan(const Segment& segment, std::string_view bytes,
                    std::optional<std::uint64_t> stop_sequence);
  Result<void> make_durable(const Segment& segment, std::string_view bytes, const Walk& walk);
  void track(RecordType type, std::string_view payload, Place place);
  Result<std::string> read_record(Place place, std::string_view expected_kind);
  Result<void> fill_open_calls();

  Result<std::uint64_t> push(RecordType type, std::string payload, std::uint64_t carried_from);
  [[nodiscard]] bool has_room() const;
  std::size_t take_from_queue(std::size_t records_max);
  void drain();
  [[nodiscard]] bool can_drain();
  Result<void> begin_segment();
  std::size_t encode_batch();
  Result<void> write_batch();
  bool commit(bool ignores_pause);
  void abandon_segment(const Error& error);
  void publish_durable(std::uint64_t sequence);
  void recycle();
  Result<void> give_up(const Segment& segment);
  bool carry_forward(std::uint64_t from_serial);
  [[nodiscard]] bool ends(Rest kind) const;
  void end_rest();
  void take_rest(Rest kind, std::int64_t most_us);
  void run() noexcept;
  void sleep();
  void gather();
  void finish();
};

// --- recovery ---

void Journal::Body::track(RecordType type, std::string_view payload, Place place) {
  if (type != RecordType::answer && type != RecordType::mark && type != RecordType::end) return;
  const Result<std::uint64_t> call_id = decode_call_id(payload);
  if (!call_id) return;  // a reader that understands it better will say so
  if (type == RecordType::end) {
    open_calls.erase(*call_id);
    return;
  }
  if (type == RecordType::answer) {
    open_calls[*call_id].answer = place;
    return;
  }
  // A mark without an answer before it has nothing to bill, and may be of a call that had the same
  // number in a process before. That is why carry_forward() keeps marks behind their answers.
  if (auto found = open_calls.find(*call_id); found != open_calls.end()) found->second.mark = place;
}

/// Walks the records of one segment, up to `stop_sequence` or, in the last segment, to its end.
Result<Walk> Journal::Body::scan(const Segment& segment, std::string_view bytes,
                                 std::optional<std::uint64_t> stop_sequence) {
  Walk walk{segment.previous_sequence, segment_header_bytes, segment_header_bytes};
  std::uint64_t expected = segment.first_sequence;
  std::uint64_t proven = segment.previous_sequence;
  std::uint64_t& at = walk.end_offset;
  while (!stop_sequence || expected <= *stop_sequence) {
    const ScannedRecord record =
        at < bytes.size() ? scan_record(bytes.substr(static_cast<std::size_t>(at)), segment.serial)
                          : ScannedRecord{};
    if (record.bytes == 0 || record.sequence != expected) break;
    track(record.type, record.payload, Place{segment.serial, at, expected});
    recovery.was_closed = record.type == RecordType::closed;
    // The records of a commit tell the same durable number, that of the commit before.
    if (record.durable_sequence != proven) walk.commit_offset = at;
    proven = record.durable_sequence;
    walk.last_sequence = expected++;
    at += record.bytes;
  }
  const auto damaged = [&](const std::string& why) {
    return Error{ErrorCode::corrupt, "\"" + segment.path + "\" was damaged at offset " +
                                         std::to_string(at) + ": record " +
                                         std::to_string(expected) +
                                         " had been durable and was not readable (" + why + ")"};
  };
  if (stop_sequence) {
    if (walk.last_sequence < *stop_sequence) return damaged("a later segment follows it");
    return walk;
  }
  // What lies behind was either never acknowledged, then it may be torn, or it was, then this is
  // damage. A later record that tells of a higher durable number proves the second.
  if (at >= bytes.size()) return walk;
  const TornEnd end =
      examine_end(bytes.substr(static_cast<std::size_t>(at)), at, segment.serial, expected);
  if (end.durable_sequence >= expected) {
    return damaged("the record at offset " + std::to_string(end.later_offset) + " proves it");
  }
  recovery.torn_records = end.later_records;
  return walk;
}

/// The last commit may have been read from the system's memory: its writer died before the flush,
/// or the flush failed, after which the system holds pages that it takes for written. From here on
/// its records count as durable, for sinks and for the next header, so it is written once more.
Result<void> Journal::Body::make_durable(const Segment& segment, std::string_view bytes,
                                         const Walk& walk) {
  if (walk.commit_offset == walk.end_offset) return {};
  auto opened = options.disk->open(segment.path, Disk::Open::write);
  if (!opened) return std::move(opened).error();
  const std::string_view commit =
      bytes.substr(static_cast<std::size_t>(walk.commit_offset),
                   static_cast<std::size_t>(walk.end_offset - walk.commit_offset));
  if (auto done = (*opened)->write_at(walk.commit_offset, commit); !done) return done;
  return (*opened)->sync();
}

Result<void> Journal::Body::recover() {
  Disk& disk = *options.disk;
  if (auto made = disk.make_folder(options.folder); !made) return made;
  auto held = disk.lock(path_of("lock"));
  if (!held) return std::move(held).error();
  lock = std::move(*held);

  // The last process may have died between a change of names and its flush, and what is found here
  // is built upon.
  if (auto done = disk.sync_folder(options.folder); !done) return done;
  auto names = disk.list(options.folder);
  if (!names) return std::move(names).error();
  std::vector<std::uint64_t> serials;
  for (const std::string& name : *names) {
    if (auto found = serial_of(name, segment_stem)) serials.push_back(*found);
    if (auto found = serial_of(name, spare_stem)) {
      spare_serial = std::max(spare_serial, *found);
      spares.push_back(path_of(name));
    }
  }
  std::sort(serials.begin(), serials.end());

  std::vector<Segment> found;
  std::uint64_t lost_numbers = 0;
  for (std::uint64_t number : serials) {
    Segment segment{number, path_of(segment_file_name(segment_stem, number)), 0, 0, 0};
    auto opened = disk.open(segment.path, Disk::Open::read);
    if (!opened) return std::move(opened).error();
    std::array<char, segment_header_bytes> raw{};
    auto got = (*opened)->read_at(0, raw.data(), raw.size());
    if (!got) return std::move(got).error();
    Result<SegmentHeader> header = decode_header(std::string_view(raw.data(), *got));
    if (header && header->serial != number) {
      header =
          Error{ErrorCode::corrupt, "the header told serial " + std::to_string(header->serial)};
    }
    if (!header) {
      Error error = std::move(header).error();
      error.message = "\"" + segment.path + "\" was damaged at offset 0: " + error.message;
      return error;
    }
    segment.first_sequence = header->first_sequence;
    segment.previous_sequence = header->previous_sequence;
    segment.last_sequence = header->previous_sequence;
    lost_numbers = header->in_memory_max;
    found.push_back(std::move(segment));
  }

  std::string content;
  std::uint64_t reached = found.empty() ? 0 : found.front().previous_sequence;
  for (std::size_t i = 0; i < found.size(); ++i) {
    // The writer begins a segment only when all before it is durable up to the number that the
    // header tells.
    if (found[i].previous_sequence != reached) {
      return Error{ErrorCode::corrupt, "a segment before \"" + found[i].path +
                                           "\" was missing: it follows record " +
                                           std::to_string(found[i].previous_sequence) +
                                           ", found was " + std::to_string(reached)};
    }
    auto read = read_file(disk, found[i].path);
    if (!read) return std::move(read).error();
    content = std::move(*read);
    const bool is_last = i + 1 == found.size();
    recovery.was_closed = false;
    auto walk = scan(found[i], content,
                     is_last ? std::nullopt : std::optional(found[i + 1].previous_sequence));
    if (!walk) return std::move(walk).error();
    if (is_last) {
      if (auto done = make_durable(found[i], content, *walk); !done) return done;
    }
    reached = found[i].last_sequence = walk->last_sequence;
  }
  recovery.last_sequence = reached;
  serial = serials.empty() ? 0 : serials.back();
  std::uint64_t next = reached + 1;
  if (!found.empty() && !recovery.was_closed) {
    // Records may have had numbers, and been seen by somebody, that never reached the disk. They
    // are not given again.
    next = std::max(next, found.back().first_sequence) + lost_numbers;
  }
  first_sequence.store(next);
  durable.store(reached);
  segments.assign(std::make_move_iterator(found.begin()), std::make_move_iterator(found.end()));
  return fill_open_calls();
}

Result<std::string> Journal::Body::read_record(Place place, std::string_view expected_kind) {
  const std::string path = path_of(segment_file_name(segment_stem, place.serial));
  auto opened = options.disk->open(path, Disk::Open::read);
  if (!opened) return std::move(opened).error();
  std::string raw(record_header_bytes, '\0');
  auto got = (*opened)->read_at(place.offset, raw.data(), raw.size());
  if (!got) return std::move(got).error();
  const std::uint64_t whole = claimed_record_bytes(raw);
  if (whole != 0 && whole <= options.segment_bytes + (1U << 30)) {
    raw.resize(static_cast<std::size_t>(whole));
    got = (*opened)->read_at(place.offset, raw.data(), raw.size());
    if (!got) return std::move(got).error();
    const ScannedRecord record = scan_record(std::string_view(raw).substr(0, *got), place.serial);
    if (record.bytes != 0) return std::string(record.payload);
  }
  return Error{ErrorCode::corrupt, "\"" + path + "\" was damaged at offset " +
                                       std::to_string(place.offset) + ": " +
                                       std::string(expected_kind) + " record not readable"};
}

Result<void> Journal::Body::fill_open_calls() {
  std::vector<std::pair<std::uint64_t, OpenCall>> calls;
  for (const auto& [call_id, places] : open_calls) {
    OpenCall call;
    auto payload = read_record(places.answer, "answer");
    if (!payload) return std::move(payload).error();
    auto answer = decode_answer(*payload);
    if (!answer) return std::move(answer).error();
    call.answer = std::move(*answer);
    if (places.mark.serial != 0) {
      payload = read_record(places.mark, "mark");
      if (!payload) return std::move(payload).error();
      auto mark = decode_mark(*payload);
      if (!mark) return std::move(mark).error();
      call.last_mark = std::move(*mark);
    }
    calls.emplace_back(places.answer.sequence, std::move(call));
  }
  std::sort(calls.begin(), calls.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  for (auto& call : calls)
    recovery.open_calls.push_back(std::move(call.second));
  return {};
}

// --- writing ---

Result<std::uint64_t> Journal::Body::push(RecordType type, std::string payload,
                                          std::uint64_t carried_from) {
  Waiting record{0, type, carried_from, std::move(payload), 0};
  std::optional<std::uint64_t> position = queue.push(record);
  // The writer empties the queue before each commit, so it is full when the disk holds him up in
  // one. Then those who append empty it, as far as the backlog goes. An attempt finds nothing when
  // others were faster, or when the thread that has the next place is just filling it.
  for (int i = 0; !position && i < relief_attempts_max && has_room(); ++i) {
    if (take_from_queue(relief_records) == 0) std::this_thread::yield();
    position = queue.push(record);
  }
  if (!position) {
    refused.fetch_add(1, std::memory_order_relaxed);
    say(LogLevel::error, "record refused: queue and backlog were full", {});
    return Error{ErrorCode::limit, "the journal's queue of " + std::to_string(queue.capacity()) +
                                       " records and its backlog of " +
                                       std::to_string(options.backlog_bytes_max) +
                                       " bytes were full"};
  }
  appended.fetch_add(1, std::memory_order_relaxed);
  if (type != RecordType::end && type != RecordType::mark)
    has_urgent.store(true, std::memory_order_seq_cst);
  end_rest();
  return first_sequence.load(std::memory_order_relaxed) + *position;
}

bool Journal::Body::has_room() const {
  return backlog_bytes.load(std::memory_order_relaxed) < options.backlog_bytes_max;
}

/// Moves records out of the queue while the backlog has room, and tells how many. Thread-safe.
std::size_t Journal::Body::take_from_queue(std::size_t records_max) {
  const std::lock_guard guard(drain_mutex);
  std::size_t count = 0;
  for (; count < records_max && has_room() && queue.has_next(); ++count) {
    auto [position, record] = queue.pop();
    record.sequence = first_sequence.load(std::memory_order_relaxed) + position;
    record.cost_bytes = waiting_cost(record.payload);
    backlog_bytes.fetch_add(record.cost_bytes, std::memory_order_relaxed);
    backlog_records.fetch_add(1, std::memory_order_relaxed);
    drained.push_back(std::move(record));
  }
  return count;
}

/// Gives the writer all that waits, as far as the backlog goes.
void Journal::Body::drain() {
  (void)take_from_queue(SIZE_MAX);
  const std::lock_guard guard(drain_mutex);
  if (waiting.empty()) {
    waiting.swap(drained);
    return;
  }
  waiting.insert(waiting.end(), std::make_move_iterator(drained.begin()),
                 std::make_move_iterator(drained.end()));
  drained.clear();
}

bool Journal::Body::can_drain() {
  const std::lock_guard guard(drain_mutex);
  return !drained.empty() || (queue.has_next() && has_room());
}

Result<void> Journal::Body::begin_segment() {
  Disk& disk = *options.disk;
  std::string draft;
  if (spares.empty()) {
    draft = path_of(segment_file_name(spare_stem, ++spare_serial));
  } else {
    draft = std::move(spares.back());
    spares.pop_back();
  }
  const std::uint64_t durable_now = durable.load(std::memory_order_relaxed);
  SegmentHeader header;
  header.serial = ++serial;
  header.previous_sequence = durable_now;
  header.first_sequence = waiting.empty()
                              ? std::max(durable_now + 1, first_sequence.load() + queue.pushed())
                              : waiting.front().sequence;
  header.in_memory_max = in_memory_max();
  const std::string path = path_of(segment_file_name(segment_stem, serial));

  std::unique_ptr<DiskFile> begun;
  const auto begin = [&]() -> Result<void> {
    auto opened = disk.open(draft, Disk::Open::create);
    if (!opened) return std::move(opened).error();
    begun = std::move(*opened);
    auto size = begun->size_bytes();
    if (!size) return std::move(size).error();
    prewritten_bytes = *size;
    if (prewritten_bytes > options.segment_bytes) {
      if (auto done = begun->truncate(options.segment_bytes); !done) return done;
      prewritten_bytes = options.segment_bytes;
    }
    if (auto done = begun->write_at(0, encode_header(header)); !done) return done;
    if (auto done = begun->sync(); !done) return done;
    if (auto done = disk.rename(draft, path); !done) return done;
    return disk.sync_folder(options.folder);
  };
  if (auto done = begin(); !done) {
    // Whatever is left of it holds no record; if it cannot be removed, the next recovery finds it
    // empty.
    begun.reset();
    (void)disk.remove(draft);
    (void)disk.remove(path);
    return done;
  }
  file = std::move(begun);
  offset = segment_header_bytes;
  prewritten_bytes = std::max(prewritten_bytes, segment_header_bytes);
  const std::lock_guard guard(segments_mutex);
  // Its predecessor holds no record that counts when it failed at once. It was kept until now
  // because its header tells that numbers have been given out; a full disk must not be filled with
  // one such file an attempt.
  while (!segments.empty() && segments.back().last_sequence < segments.back().first_sequence &&
         segments.back().previous_sequence == durable_now && disk.remove(segments.back().path)) {
    segments.pop_back();
  }
  segments.push_back(Segment{serial, path, durable_now, header.first_sequence, durable_now});
  return {};
}

/// Puts as many waiting records into `buffer` as fit into the segment and a batch; tells how many.
std::size_t Journal::Body::encode_batch() {
  buffer.clear();
  std::size_t count = 0;
  const std::uint64_t durable_now = durable.load(std::memory_order_relaxed);
  for (Waiting& record : waiting) {
    if (record.carried_from != 0) {
      // The call may have ended, or a newer mark have come, since the copy was made. Decided once,
      // because a failed commit comes by here again after the places have changed.
      const Result<std::uint64_t> call_id = decode_call_id(record.payload);
      const auto found = call_id ? open_calls.find(*call_id) : open_calls.end();
      const bool is_current =
          found != open_calls.end() &&
          (record.type == RecordType::answer ? found->second.answer : found->second.mark)
                  .sequence == record.carried_from;
      if (!is_current) {
        record.type = RecordType::empty;
        record.payload.clear();
      }
      record.carried_from = 0;
    }
    const std::uint64_t bytes = record_bytes(record.payload.size());
    if (offset + buffer.size() + bytes > options.segment_bytes) break;
    if (count > 0 && buffer.size() + bytes > batch_bytes_max) break;
    track(record.type, record.payload, Place{serial, offset + buffer.size(), record.sequence});
    append_record(buffer, serial, record.sequence, durable_now, record.type, record.payload);
    ++count;
  }
  return count;
}

Result<void> Journal::Body::write_batch() {
  const std::uint64_t end = offset + buffer.size();
  if (end + prewrite_bytes / 4 > prewritten_bytes && prewritten_bytes < options.segment_bytes) {
    // Flushing into a part of the file that has been written before costs a third of flushing a
    // growing file.
    if (zeros.empty()) zeros.assign(prewrite_bytes, '\0');
    std::uint64_t at = std::max(prewritten_bytes, end);
    const std::uint64_t until = std::min(options.segment_bytes, end + prewrite_bytes);
    while (at < until) {
      const std::uint64_t n = std::min<std::uint64_t>(zeros.size(), until - at);
      const std::string_view piece = std::string_view(zeros).substr(0, static_cast<std::size_t>(n));
      if (auto done = file->write_at(at, piece); !done) return done;
      at += n;
    }
    prewritten_bytes = std::max(prewritten_bytes, until);
  }
  if (auto done = file->write_at(offset, buffer); !done) return done;
  return file->sync();
}

/// One group commit. True when there was something to do and it was done; call again then.
bool Journal::Body::commit(bool ignores_pause) {
  drain();
  if (waiting.empty()) return false;
  if (pause_us != 0 && !ignores_pause && clock.monotonic_us() < retry_at_us) return false;
  if (!file) {
    if (auto begun = begin_segment(); !begun) {
      abandon_segment(begun.error());
      return false;
    }
  }
  const std::size_t count = encode_batch();
  if (count == 0) {
    file.reset();  // full; all in it is durable
    return true;
  }
  if (auto done = write_batch(); !done) {
    abandon_segment(done.error());
    return false;
  }
  offset += buffer.size();
  const std::uint64_t last = waiting[count - 1].sequence;
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < count; ++i)
    bytes += waiting[i].cost_bytes;
  waiting.erase(waiting.begin(), waiting.begin() + static_cast<std::ptrdiff_t>(count));
  backlog_bytes.fetch_sub(bytes, std::memory_order_relaxed);
  backlog_records.fetch_sub(count, std::memory_order_relaxed);
  written.fetch_add(count, std::memory_order_relaxed);
  commits.fetch_add(1, std::memory_order_relaxed);
  {
    const std::lock_guard guard(segments_mutex);
    segments.back().last_sequence = last;
  }
  publish_durable(last);
  if (pause_us != 0) {
    pause_us = 0;
    is_failing.store(false);
    say(LogLevel::info, "journal is written again",
        {{"waiting", std::to_string(waiting.size())}, {"folder", options.folder}});
  }
  return true;
}

/// After a failed write or flush nothing of what the file holds beyond the last commit may be
/// trusted, not even when a later flush succeeds: the kernel may have dropped the pages. What waits
/// goes into a new segment.
void Journal::Body::abandon_segment(const Error& error) {
  disk_failures.fetch_add(1, std::memory_order_relaxed);
  is_failing.store(true);
  file.reset();
  pause_us = pause_us == 0 ? pause_min_us : std::min(pause_us * 2, pause_max_us);
  retry_at_us = clock.monotonic_us() + pause_us;
  say(LogLevel::error,
      "journal could not be written: new calls are refused, records are kept in memory",
      {{"error", error.message}, {"waiting", std::to_string(waiting.size())}});
}

void Journal::Body::publish_durable(std::uint64_t sequence) {
  {
    const std::lock_guard guard(durable_mutex);
    durable.store(sequence);
  }
  durable_changed.notify_all();
  if (durable_callback) durable_callback(sequence);
}

// --- recycling ---

/// Copies answers and marks of calls that are still up out of a segment, and marks that lie before
/// their answer since it was copied: recovery reads in order. True when there was something; once
/// the copies are durable, ask again.
bool Journal::Body::carry_forward(std::uint64_t from_serial) {
  bool has_any = false;
  const auto carry = [&](RecordType type, Place place) {
    has_any = true;
    auto payload = read_record(place, type == RecordType::answer ? "answer" : "mark");
    if (!payload) {
      say(LogLevel::error, "record of an open call could not be carried forward",
          {{"error", payload.error().message}});
      return false;
    }
    if (queue.waiting() > queue.capacity() / 2) return false;  // calls come first
    auto sequence = push(type, std::move(*payload), place.sequence);
    if (!sequence) return false;
    carried_through = std::max(carried_through, *sequence);
    return true;
  };
  for (const auto& [call_id, places] : open_calls) {
    const auto& [answer, mark] = places;
    const bool moves_answer = answer.serial == from_serial;
    const bool moves_mark = mark.serial != 0 && (moves_answer || mark.serial == from_serial ||
                                                 mark.sequence < answer.sequence);
    if (moves_answer && !carry(RecordType::answer, answer)) break;
    if (moves_mark && !carry(RecordType::mark, mark)) break;
  }
  return has_any;
}

/// Takes a segment's file out of use. Done again after a failure, it goes on where it was.
Result<void> Journal::Body::give_up(const Segment& segment) {
  Disk& disk = *options.disk;
  std::string spare;
  if (spares.size() < options.spare_segments_max) {
    spare = path_of(segment_file_name(spare_stem, ++spare_serial));
  }
  Result<void> done = spare.empty() ? disk.remove(segment.path) : disk.rename(segment.path, spare);
  const bool was_gone = !done && done.error().code == ErrorCode::not_found;
  if (!done && !was_gone) return done;
  // Gone for good before the next one goes, else a crash could leave a hole between segments; and
  // before the file is written to, else a crash could give it back its old name with a new header.
  if (done = disk.sync_folder(options.folder); !done) return done;
  if (!spare.empty() && !was_gone) spares.push_back(std::move(spare));
  return {};
}

void Journal::Body::recycle() {
  while (pause_us == 0) {
    Segment oldest;
    {
      const std::lock_guard guard(segments_mutex);
      // Without a cursor nobody has read anything.
      if (segments.size() < 2 || cursors.empty()) return;
      oldest = segments.front();
      for (const auto& cursor : cursors) {
        if (cursor.second < oldest.last_sequence) return;
      }
    }
    if (carried_through > durable.load(std::memory_order_relaxed)) return;
    if (carry_forward(oldest.serial)) return;
    if (auto done = give_up(oldest); !done) {
      say(LogLevel::warning, "segment could not be recycled", {{"error", done.error().message}});
      return;
    }
    recycled.fetch_add(1, std::memory_order_relaxed);
    const std::lock_guard guard(segments_mutex);
    segments.pop_front();
  }
}

// --- the writer ---

/// Whether what is there ends such a rest.
bool Journal::Body::ends(Rest kind) const {
  const bool has_many = queue.waiting() >= gathered_max;
  switch (kind) {
    case Rest::none:
      return false;
    case Rest::interval:
      return has_many;
    case Rest::patience:
      return has_many || has_urgent.load(std::memory_order_seq_cst);
    case Rest::asleep:
      break;
  }
  return true;
}

/// After something that the writer may wait for. One thread wakes him, however many come by.
void Journal::Body::end_rest() {
  if (!ends(rest.load(std::memory_order_seq_cst)) || rest.exchange(Rest::none) == Rest::none)
    return;
  const std::lock_guard guard(wake_mutex);
  wake.notify_one();
}

/// Sequentially consistent: either the writer sees what has come, or who brought it sees him rest.
void Journal::Body::take_rest(Rest kind, std::int64_t most_us) {
  rest.store(kind, std::memory_order_seq_cst);
  const bool is_over = kind == Rest::asleep ? can_drain() : ends(kind);
  if (!is_over) {
    std::unique_lock guard(wake_mutex);
    wake.wait_for(guard, std::chrono::microseconds(most_us),
                  [this] { return rest.load() == Rest::none || is_stopping.load(); });
  }
  rest.store(Rest::none);
}

void Journal::Body::sleep() {
  take_rest(Rest::asleep,
            pause_us != 0
                ? std::clamp<std::int64_t>(retry_at_us - clock.monotonic_us(), 1'000, pause_max_us)
                : 1'000'000);
}

/// Lets records come together for one flush, since a flush and the wake-ups behind it cost more
/// than the records.
void Journal::Body::gather() {
  const std::int64_t wait_us = committed_at_us + options.commit_interval_us - clock.monotonic_us();
  if (wait_us > 0) take_rest(Rest::interval, wait_us);
  // What nobody waits for is no reason for a flush: it would be in the way of the answer that comes
  // next, which would have to wait for another interval.
  if (waiting.empty() && queue.waiting() > 0) take_rest(Rest::patience, options.patience_us);
  has_urgent.store(false);  // before the queue is emptied: what comes later is in time for the next
  committed_at_us = clock.monotonic_us();
}

void Journal::Body::run() noexcept {
  while (!is_stopping.load()) {
    try {
      for (bool has_more = true; has_more;) {
        gather();
        has_more = commit(false);
        recycle();  // each time: under load there is always more
      }
    } catch (const std::exception& exception) {
      say(LogLevel::error, "journal writer failed", {{"error", exception.what()}});
    }
    sleep();
  }
}

void Journal::Body::finish() {
  while (commit(true)) {
  }
  // Proves to the next recovery that all before it was durable.
  if (push(RecordType::closed, {}, 0)) {
    while (commit(true)) {
    }
  }
  if (!waiting.empty()) {
    say(LogLevel::error, "journal was closed with records that the disk did not take",
        {{"records", std::to_string(waiting.size())}});
  }
  file.reset();
  lock.reset();
}

// --- the promise ---

Journal::Journal(std::unique_ptr<Body> body) noexcept : body_(std::move(body)) {}

Journal::~Journal() { close(); }

Result<std::unique_ptr<Journal>> Journal::open(JournalOptions options, const Clock& clock,
                                               Log* log) {
  if (options.folder.empty())
    return Error{ErrorCode::invalid_argument, "the journal had no folder"};
  if (options.commit_interval_us < 0 || options.commit_interval_us > commit_interval_max_us) {
    return Error{ErrorCode::invalid_argument, "commit_interval_us " +
                                                  std::to_string(options.commit_interval_us) +
                                                  " was not in 0..1000000"};
  }
  if (options.patience_us < 0 || options.patience_us > commit_interval_max_us) {
    return Error{ErrorCode::invalid_argument,
                 "patience_us " + std::to_string(options.patience_us) + " was not in 0..1000000"};
  }
  if (options.segment_bytes < 4096 || options.segment_bytes > (1ULL << 30) ||
      options.segment_bytes % 8 != 0) {
    return Error{ErrorCode::invalid_argument, "segment_bytes " +
                                                  std::to_string(options.segment_bytes) +
                                                  " was not a multiple of 8 in 4096..1073741824"};
  }
  if (options.queue_records < 16 || options.queue_records > (1U << 22)) {
    return Error{
        ErrorCode::invalid_argument,
        "queue_records " + std::to_string(options.queue_records) + " was not in 16..4194304"};
  }
  if (!options.disk) options.disk = std::make_shared<PosixDisk>();
  auto body = std::make_unique<Body>(std::move(options), clock, log);
  if (auto recovered = body->recover(); !recovered) return std::move(recovered).error();
  const Recovery& recovery = body->recovery;
  if (!recovery.was_closed) {
    body->say(LogLevel::warning, "journal recovered after a crash",
              {{"last_sequence", std::to_string(recovery.last_sequence)},
               {"open_calls", std::to_string(recovery.open_calls.size())},
               {"torn_records", std::to_string(recovery.torn_records)}});
  }
  return std::unique_ptr<Journal>(new Journal(std::move(body)));
}

const Recovery& Journal::recovery() const noexcept { return body_->recovery; }

Result<std::size_t> Journal::add_cursor(std::string name, std::uint64_t sequence) {
  Body& body = *body_;
  if (body.is_open.load() || body.writer.joinable()) {
    return Error{ErrorCode::wrong_state, "cursor \"" + name + "\" came after the start"};
  }
  const std::lock_guard guard(body.segments_mutex);
  const std::uint64_t durable = body.durable.load();
  if (sequence > durable) {
    // The journal is younger than its reader. Numbers that the reader knows would be taken for
    // duplicates.
    const std::uint64_t beyond = sequence + 1 + body.in_memory_max();
    body.first_sequence.store(std::max(body.first_sequence.load(), beyond));
    body.say(LogLevel::warning, "sink is ahead of the journal: numbers continue behind it",
             {{"sink", name},
              {"position", std::to_string(sequence)},
              {"journal", std::to_string(durable)}});
  } else if (sequence > 0 && !body.segments.empty() &&
             sequence < body.segments.front().previous_sequence) {
    return Error{ErrorCode::corrupt, "records after " + std::to_string(sequence) +
                                         ", wanted by sink \"" + name +
                                         "\", were gone: the journal begins behind " +
                                         std::to_string(body.segments.front().previous_sequence)};
  }
  body.cursors.emplace_back(std::move(name), sequence);
  return body.cursors.size() - 1;
}

void Journal::advance_cursor(std::size_t cursor, std::uint64_t sequence) noexcept {
  const std::lock_guard guard(body_->segments_mutex);
  std::uint64_t& place = body_->cursors[cursor].second;
  place = std::max(place, sequence);
}

Result<void> Journal::start() {
  Body& body = *body_;
  if (body.is_open.load() || body.is_stopping.load()) {
    return Error{ErrorCode::wrong_state, "the journal was started already"};
  }
  // Its header tells the next recovery that numbers may have been given out, even if no record
  // becomes durable.
  if (auto begun = body.begin_segment(); !begun) return begun;
  body.is_open.store(true);
  if (body.options.threads) body.writer = start_thread("tandem-journal", [&body] { body.run(); });
  return {};
}

Result<std::uint64_t> Journal::append(RecordType type, std::string payload) {
  Body& body = *body_;
  if (!body.is_open.load(std::memory_order_relaxed)) {
    return Error{ErrorCode::wrong_state, "the journal was not open"};
  }
  if (payload.size() > body.payload_bytes_max()) {
    return Error{ErrorCode::invalid_argument, "a payload of " + std::to_string(payload.size()) +
                                                  " bytes did not fit into a segment"};
  }
  return body.push(type, std::move(payload), 0);
}

bool Journal::is_writable() const noexcept {
  const Body& body = *body_;
  return body.is_open.load(std::memory_order_relaxed) &&
         !body.is_failing.load(std::memory_order_relaxed) &&
         body.queue.waiting() <= body.queue.capacity() / 4 * 3 &&
         body.backlog_bytes.load(std::memory_order_relaxed) <= body.options.backlog_bytes_max / 2;
}

bool Journal::is_crowded() const noexcept {
  const Body& body = *body_;
  return body.queue.waiting() > body.queue.capacity() / 2 ||
         body.backlog_bytes.load(std::memory_order_relaxed) > body.options.backlog_bytes_max / 2;
}

std::uint64_t Journal::durable_sequence() const noexcept { return body_->durable.load(); }

std::uint64_t Journal::last_sequence() const noexcept {
  const std::uint64_t pushed = body_->queue.pushed();
  return pushed == 0 ? body_->recovery.last_sequence : body_->first_sequence.load() + pushed - 1;
}

Result<void> Journal::wait_durable(std::uint64_t sequence, std::int64_t timeout_ms) {
  if (body_->options.threads) {
    if (durable_sequence() < sequence) {
      body_->has_urgent.store(true, std::memory_order_seq_cst);
      body_->end_rest();
    }
  } else {
    pump();
  }
  std::unique_lock guard(body_->durable_mutex);
  const auto is_durable = [this, sequence] { return body_->durable.load() >= sequence; };
  const std::int64_t wait_ms = body_->options.threads ? timeout_ms : 0;
  if (body_->durable_changed.wait_for(guard, std::chrono::milliseconds(wait_ms), is_durable))
    return {};
  return Error{ErrorCode::timeout, "record " + std::to_string(sequence) +
                                       " was not durable after " + std::to_string(wait_ms) + " ms"};
}

void Journal::wait_beyond(std::uint64_t sequence, std::int64_t timeout_ms) {
  std::unique_lock guard(body_->durable_mutex);
  const std::uint64_t interrupts = body_->interrupts;
  body_->durable_changed.wait_for(guard, std::chrono::milliseconds(timeout_ms), [&] {
    return body_->durable.load() > sequence || body_->interrupts != interrupts;
  });
}

void Journal::interrupt() {
  {
    const std::lock_guard guard(body_->durable_mutex);
    ++body_->interrupts;
  }
  body_->durable_changed.notify_all();
}

void Journal::on_durable(std::function<void(std::uint64_t)> callback) {
  body_->durable_callback = std::move(callback);
}

void Journal::pump() {
  if (body_->options.threads || !body_->is_open.load()) return;
  while (body_->commit(false)) {
  }
  body_->recycle();
}

void Journal::close() {
  Body& body = *body_;
  if (!body.is_open.exchange(false)) return;
  body.is_stopping.store(true);
  {
    const std::lock_guard guard(body.wake_mutex);
    body.wake.notify_one();
  }
  if (body.writer.joinable()) body.writer.join();
  body.finish();
}

CdrJournalCounters Journal::counters() const {
  const Body& body = *body_;
  CdrJournalCounters counters;
  counters.appended = body.appended.load();
  counters.refused = body.refused.load();
  counters.durable = body.written.load();
  counters.commits = body.commits.load();
  counters.disk_failures = body.disk_failures.load();
  counters.waiting = body.queue.waiting() + body.backlog_records.load();
  counters.segments_recycled = body.recycled.load();
  const std::lock_guard guard(body.segments_mutex);
  counters.segments = body.segments.size();
  return counters;
}

// --- reading ---

JournalReader::JournalReader(Journal& journal, std::uint64_t after_sequence)
    : journal_(journal), next_sequence_(after_sequence + 1) {}

JournalReader::~JournalReader() = default;

Result<void> JournalReader::read(std::vector<RecordView>& records, std::size_t records_max,
                                 std::size_t bytes_max) {
  records.clear();
  Journal::Body& body = *journal_.body_;
  while (records.empty()) {
    Segment segment;
    {
      const std::lock_guard guard(body.segments_mutex);
      const auto found =
          std::find_if(body.segments.begin(), body.segments.end(), [&](const Segment& s) {
            return s.last_sequence >= s.first_sequence && s.last_sequence >= next_sequence_;
          });
      if (found == body.segments.end()) return {};
      segment = *found;
    }
    next_sequence_ = std::max(next_sequence_, segment.first_sequence);
    if (segment.serial != serial_ || !file_) {
      auto opened = body.options.disk->open(segment.path, Disk::Open::read);
      if (!opened) return std::move(opened).error();
      file_ = std::move(*opened);
      serial_ = segment.serial;
      offset_ = segment_header_bytes;
    }
    const std::uint64_t wanted = (segment.last_sequence - next_sequence_ + 1) * record_bytes_;
    std::uint64_t bytes = std::clamp<std::uint64_t>(
        wanted, read_bytes_min, std::max<std::uint64_t>(bytes_max, read_bytes_min));
    std::uint64_t used = 0;
    for (;;) {
      char* const room = buffer_.reserve(static_cast<std::size_t>(bytes));
      auto got = file_->read_at(offset_, room, static_cast<std::size_t>(bytes));
      if (!got) return std::move(got).error();
      const std::string_view content(room, *got);
      used = 0;
      while (next_sequence_ <= segment.last_sequence && records.size() < records_max) {
        const ScannedRecord record =
            scan_record(content.substr(static_cast<std::size_t>(used)), serial_);
        if (record.bytes == 0 || record.sequence > next_sequence_) break;
        if (record.sequence == next_sequence_) {
          records.push_back(RecordView{record.sequence, record.type, record.payload});
          ++next_sequence_;
        }
        used += record.bytes;
      }
      if (used > 0) break;
      const std::uint64_t claimed = claimed_record_bytes(content);
      if (claimed > content.size() && content.size() == bytes &&
          claimed <= body.options.segment_bytes + (1U << 30)) {
        bytes = claimed;  // one record longer than the piece that was read
        continue;
      }
      return Error{ErrorCode::corrupt, "\"" + segment.path + "\" was damaged at offset " +
                                           std::to_string(offset_) + ": record " +
                                           std::to_string(next_sequence_) + " was not readable"};
    }
    offset_ += used;
    // An eighth more, so that what waits is seldom split; behind it lies what nobody wants to read.
    if (!records.empty())
      record_bytes_ = std::max<std::uint64_t>(used / records.size() * 9 / 8, 64);
  }
  return {};
}

}  // namespace tandem::cdr
