#include "cdr/journal.hpp"

#include <doctest/doctest.h>

#include <condition_variable>
#include <fstream>
#include <mutex>
#include <thread>

#include "cdr/segment.hpp"
#include "fault_disk.hpp"
#include "sample_cdr.hpp"
#include "support/sanitizers.hpp"
#include "temporary_folder.hpp"

using namespace tandem;
using namespace tandem::cdr;
using test::FaultDisk;
using test::TemporaryFolder;

namespace {

constexpr RecordType host_type = static_cast<RecordType>(1'024);

struct Bench {
  std::shared_ptr<FaultDisk> disk = std::make_shared<FaultDisk>();
  SimulatedClock clock;
  std::uint64_t segment_bytes = 4'096;
  std::uint64_t backlog_bytes_max = 1U << 20;

  Result<std::unique_ptr<Journal>> try_open() {
    JournalOptions options;
    options.folder = "/j";
    options.segment_bytes = segment_bytes;
    options.queue_records = 64;
    options.backlog_bytes_max = backlog_bytes_max;
    options.threads = false;
    options.disk = disk;
    return Journal::open(std::move(options), clock, nullptr);
  }
  std::unique_ptr<Journal> open() {
    auto journal = try_open();
    REQUIRE_MESSAGE(journal.ok(), (journal.ok() ? std::string() : journal.error().message));
    return std::move(*journal);
  }
  std::unique_ptr<Journal> open_and_start() {
    auto journal = open();
    REQUIRE(journal->start().ok());
    return journal;
  }
};

std::string text_of(std::uint64_t number) { return "payload " + std::to_string(number * 7919); }

/// Appends, and pumps when the queue is full.
std::uint64_t put(Journal& journal, RecordType type, std::string payload) {
  for (int i = 0; i < 3; ++i) {
    auto sequence = journal.append(type, payload);
    if (sequence) return *sequence;
    journal.pump();
  }
  FAIL("the journal took no record");
  return 0;
}

struct Kept {
  std::uint64_t sequence;
  RecordType type;
  std::string payload;
};

std::vector<Kept> read_all(Journal& journal, std::uint64_t after = 0) {
  JournalReader reader(journal, after);
  std::vector<Kept> all;
  std::vector<RecordView> views;
  for (;;) {
    auto read = reader.read(views, 7, 4'096);
    REQUIRE_MESSAGE(read.ok(), (read.ok() ? std::string() : read.error().message));
    if (views.empty()) return all;
    for (const RecordView& view : views) {
      all.push_back(Kept{view.sequence, view.type, std::string(view.payload)});
    }
  }
}

/// Those of hosts, in order; fails when numbers do not rise.
std::vector<Kept> read_texts(Journal& journal) {
  std::vector<Kept> texts;
  std::uint64_t last = 0;
  for (Kept& kept : read_all(journal)) {
    CHECK(kept.sequence > last);
    last = kept.sequence;
    if (kept.type == host_type) texts.push_back(std::move(kept));
  }
  return texts;
}

/// Removes the journal as a killed process leaves it: nothing more is written.
void kill(std::unique_ptr<Journal> journal, FaultDisk& disk) {
  disk.fail_write_in = disk.fail_sync_in = 1;
  disk.fails_on = true;
  journal.reset();
  disk.heal();
}

AnswerRecord answer_of(std::uint64_t call_id) {
  AnswerRecord record{call_id, {}, "rating " + std::to_string(call_id)};
  record.cdr.call_id = "c" + std::to_string(call_id);
  return record;
}

/// The operating system's disk, on which every flush waits while it hangs.
class HangingDisk final : public Disk {
 public:
  void hang() {
    const std::lock_guard guard(mutex_);
    is_hanging_ = true;
  }
  void go_on() {
    {
      const std::lock_guard guard(mutex_);
      is_hanging_ = false;
    }
    changed_.notify_all();
  }
  void wait_until_stuck() {
    std::unique_lock guard(mutex_);
    changed_.wait(guard, [this] { return stuck_ > 0; });
  }

  Result<std::unique_ptr<DiskFile>> open(const std::string& path, Open mode) override {
    auto opened = disk_.open(path, mode);
    if (!opened) return opened;
    return std::unique_ptr<DiskFile>(new File(*this, std::move(*opened)));
  }
  Result<std::vector<std::string>> list(const std::string& folder) override {
    return disk_.list(folder);
  }
  Result<void> make_folder(const std::string& path) override { return disk_.make_folder(path); }
  Result<void> rename(const std::string& from, const std::string& to) override {
    return disk_.rename(from, to);
  }
  Result<void> remove(const std::string& path) override { return disk_.remove(path); }
  Result<void> sync_folder(const std::string& path) override { return disk_.sync_folder(path); }
  Result<std::unique_ptr<DiskLock>> lock(const std::string& path) override {
    return disk_.lock(path);
  }

 private:
  class File final : public DiskFile {
   public:
    File(HangingDisk& disk, std::unique_ptr<DiskFile> file) : disk_(disk), file_(std::move(file)) {}
    Result<void> write_at(std::uint64_t offset, std::string_view bytes) override {
      return file_->write_at(offset, bytes);
    }
    Result<std::size_t> read_at(std::uint64_t offset, char* buffer, std::size_t bytes) override {
      return file_->read_at(offset, buffer, bytes);
    }
    Result<std::uint64_t> size_bytes() override { return file_->size_bytes(); }
    Result<void> truncate(std::uint64_t size_bytes) override { return file_->truncate(size_bytes); }
    Result<void> sync() override {
      disk_.wait();
      return file_->sync();
    }

   private:
    HangingDisk& disk_;
    std::unique_ptr<DiskFile> file_;
  };

  void wait() {
    std::unique_lock guard(mutex_);
    ++stuck_;
    changed_.notify_all();
    changed_.wait(guard, [this] { return !is_hanging_; });
    --stuck_;
  }

  PosixDisk disk_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool is_hanging_ = false;
  int stuck_ = 0;
};

}  // namespace

TEST_CASE("Journal: records come back in order over segments and restarts") {
  Bench bench;
  std::uint64_t written = 0;
  std::uint64_t last = 0;
  for (int run = 0; run < 4; ++run) {
    auto journal = bench.open();
    CHECK(journal->recovery().was_closed);
    CHECK(journal->recovery().last_sequence == last);
    REQUIRE(journal->start().ok());
    for (int i = 0; i < 150; ++i) {
      const std::uint64_t sequence = put(*journal, host_type, text_of(written++));
      CHECK(sequence > last);
      last = sequence;
    }
    journal->pump();
    CHECK(journal->durable_sequence() == last);
    journal->close();
    last = journal->durable_sequence();  // with the record that closes it
    const auto texts = read_texts(*journal);
    REQUIRE(texts.size() == written);
    for (std::uint64_t i = 0; i < written; ++i)
      CHECK(texts[i].payload == text_of(i));
  }
}

TEST_CASE("Journal: a record of any size up to a segment is kept, a larger one is refused") {
  Bench bench;
  auto journal = bench.open_and_start();
  const std::size_t largest = 4'096 - segment_header_bytes - record_header_bytes;
  CHECK(journal->append(host_type, std::string(largest + 1, 'x')).error().code ==
        ErrorCode::invalid_argument);
  std::vector<std::string> payloads;
  for (std::size_t size :
       {std::size_t{0}, std::size_t{1}, largest, std::size_t{7}, largest - 1, largest}) {
    payloads.push_back(std::string(size, 'y'));
    put(*journal, host_type, payloads.back());
  }
  journal->pump();
  const auto texts = read_texts(*journal);
  REQUIRE(texts.size() == payloads.size());
  for (std::size_t i = 0; i < texts.size(); ++i)
    CHECK(texts[i].payload == payloads[i]);
}

TEST_CASE("Journal: numbers that a dead process may have given out are not given again") {
  Bench bench;
  std::uint64_t highest = 0;
  for (int run = 0; run < 5; ++run) {
    auto journal = bench.open_and_start();
    for (int i = 0; i < 10; ++i) {
      const std::uint64_t sequence = put(*journal, host_type, "x");
      CHECK(sequence > highest);
      highest = sequence;
      if (run % 2 == 0 && i == 4) journal->pump();
    }
    kill(std::move(journal), *bench.disk);
  }
}

TEST_CASE("Journal: calls without an end are recovered with answer and last mark") {
  Bench bench;
  auto journal = bench.open_and_start();
  for (std::uint64_t call : {1, 2, 3, 4})
    put(*journal, RecordType::answer, encode(answer_of(call)));
  put(*journal, RecordType::mark, encode(MarkRecord{2, 5, 10'000, "a"}));
  put(*journal, RecordType::mark, encode(MarkRecord{2, 6, 20'000, "b"}));
  put(*journal, RecordType::mark, encode(MarkRecord{3, 6, 20'000, "c"}));
  put(*journal, RecordType::mark, encode(MarkRecord{99, 6, 20'000, "of no call"}));
  put(*journal, RecordType::end, encode(EndRecord{3, {}}));
  put(*journal, RecordType::end, encode(EndRecord{1, {}}));
  journal->pump();
  kill(std::move(journal), *bench.disk);

  journal = bench.open();
  const Recovery& recovery = journal->recovery();
  CHECK_FALSE(recovery.was_closed);
  REQUIRE(recovery.open_calls.size() == 2);
  CHECK(recovery.open_calls[0].answer == answer_of(2));
  CHECK(recovery.open_calls[0].last_mark == MarkRecord{2, 6, 20'000, "b"});
  CHECK(recovery.open_calls[1].answer == answer_of(4));
  CHECK_FALSE(recovery.open_calls[1].last_mark.has_value());
  REQUIRE(journal->start().ok());
  for (std::uint64_t call : {2, 4})
    put(*journal, RecordType::end, encode(EndRecord{call, {}}));
  journal->pump();
  kill(std::move(journal), *bench.disk);
  CHECK(bench.open()->recovery().open_calls.empty());
}

TEST_CASE("Journal: a file cut at any byte gives the records before the cut") {
  Bench bench;
  auto journal = bench.open_and_start();
  // One commit: all of it may be torn.
  for (std::uint64_t i = 0; i < 12; ++i)
    put(*journal, host_type, text_of(i));
  journal->pump();
  kill(std::move(journal), *bench.disk);
  const std::string path = "/j/segment-0000000000000001.log";
  const std::string whole = bench.disk->content(path);
  std::size_t most = 0;
  for (std::size_t cut = segment_header_bytes; cut <= 1'200; ++cut) {
    Bench other;
    other.disk->put(path, whole.substr(0, cut));
    auto reopened = other.open();
    const auto texts = read_texts(*reopened);
    CHECK(texts.size() >= most);  // more bytes never give fewer records
    most = texts.size();
    for (std::size_t i = 0; i < texts.size(); ++i)
      CHECK(texts[i].payload == text_of(i));
    REQUIRE(reopened->start().ok());
    put(*reopened, host_type, "after");
    reopened->pump();
    CHECK(read_texts(*reopened).size() == most + 1);
  }
  CHECK(most == 12);
  Bench headless;
  headless.disk->put(path, whole.substr(0, 100));
  auto refused = headless.try_open();
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::corrupt);
}

TEST_CASE(
    "Journal: a flipped byte is refused by file and offset, or takes only what nobody was "
    "promised") {
  Bench bench;
  auto journal = bench.open_and_start();
  std::uint64_t promised = 0;
  for (std::uint64_t i = 0; i < 12; ++i) {
    put(*journal, host_type, text_of(i));
    if (i % 3 == 2 && i < 11) {
      journal->pump();
      promised = i + 1;
    }
  }
  journal->pump();  // the last three: durable, but no later record proves it
  kill(std::move(journal), *bench.disk);
  const std::string path = "/j/segment-0000000000000001.log";
  const std::string whole = bench.disk->content(path);
  std::size_t refused_count = 0;
  for (std::size_t at = 0; at < 1'200; ++at) {
    Bench other;
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ (1 << (at % 8)));
    other.disk->put(path, damaged);
    auto reopened = other.try_open();
    if (!reopened) {
      ++refused_count;
      CHECK((reopened.error().code == ErrorCode::corrupt ||
             reopened.error().code == ErrorCode::unsupported));
      CHECK(reopened.error().message.find(path) != std::string::npos);
      CHECK(reopened.error().message.find("offset") != std::string::npos);
      continue;
    }
    const auto texts = read_texts(**reopened);
    CHECK(texts.size() >= promised);
    for (std::size_t i = 0; i < texts.size(); ++i)
      CHECK(texts[i].payload == text_of(i));
  }
  // Every byte of the first nine records, their padding left out.
  CHECK(refused_count > 9 * 40);
}

TEST_CASE("Journal: a closed journal refuses damage of its last records too") {
  Bench bench;
  auto journal = bench.open_and_start();
  for (std::uint64_t i = 0; i < 3; ++i)
    put(*journal, host_type, text_of(i));
  journal->pump();
  journal->close();
  journal.reset();
  bench.disk->content("/j/segment-0000000000000001.log")[segment_header_bytes + 2 * 48 + 34] ^= 1;
  auto refused = bench.try_open();
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::corrupt);
}

TEST_CASE("Journal: a missing segment is refused") {
  Bench bench;
  auto journal = bench.open_and_start();
  for (std::uint64_t i = 0; i < 300; ++i)
    put(*journal, host_type, text_of(i));
  journal->close();
  journal.reset();
  REQUIRE(bench.disk->remove("/j/segment-0000000000000002.log").ok());
  auto refused = bench.try_open();
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::corrupt);
}

TEST_CASE(
    "Journal: whichever write or flush fails, every record is durable once in the end (C-07)") {
  for (bool is_sync : {false, true}) {
    for (ErrorCode code : {ErrorCode::io, ErrorCode::limit}) {
      for (std::uint64_t n = 1; n < 40; ++n) {
        Bench bench;
        auto journal = bench.open_and_start();
        bench.disk->failure = code;
        (is_sync ? bench.disk->fail_sync_in : bench.disk->fail_write_in) = n;
        for (std::uint64_t i = 0; i < 200; ++i) {
          put(*journal, host_type, text_of(i));
          if (i % 5 == 0) {
            journal->pump();
            if (!journal->is_writable()) {
              // It stays so until the pause is over, and takes records all the while.
              const std::uint64_t durable = journal->durable_sequence();
              put(*journal, RecordType::empty, {});
              journal->pump();
              CHECK(journal->durable_sequence() == durable);
              bench.clock.advance_us(100'000);
            }
          }
        }
        bench.clock.advance_us(10'000'000);
        journal->pump();
        CHECK(journal->is_writable());
        CHECK(journal->counters().waiting == 0);
        auto texts = read_texts(*journal);
        CHECK(texts.size() == 200);
        kill(std::move(journal), *bench.disk);
        journal = bench.open();
        texts = read_texts(*journal);
        REQUIRE(texts.size() == 200);
        for (std::uint64_t i = 0; i < 200; ++i)
          CHECK(texts[i].payload == text_of(i));
      }
    }
  }
}

TEST_CASE("Journal: a full disk is waited out from memory and fills with no attempts of ours") {
  Bench bench;
  auto journal = bench.open_and_start();
  put(*journal, host_type, "before");
  journal->pump();
  bench.disk->capacity_bytes = 0;
  for (std::uint64_t i = 0; i < 500; ++i) {
    put(*journal, host_type, text_of(i));
    bench.clock.advance_us(1'000'000);
    journal->pump();
  }
  CHECK_FALSE(journal->is_writable());
  CHECK(journal->counters().waiting == 500);
  CHECK(journal->counters().refused == 0);
  CHECK(journal->counters().disk_failures > 10);
  CHECK(bench.disk->paths().size() < 5);
  bench.disk->heal();
  bench.clock.advance_us(10'000'000);
  journal->pump();
  CHECK(journal->is_writable());
  CHECK(read_texts(*journal).size() == 501);
}

TEST_CASE("Journal: full queue and backlog refuse with a count and take no number") {
  Bench bench;
  bench.backlog_bytes_max = 100 * 256;  // what a small record costs
  auto journal = bench.open_and_start();
  std::uint64_t taken = 0;
  while (journal->append(host_type, "x")) {
    if (++taken == 64) CHECK_FALSE(journal->is_writable());
  }
  CHECK(taken == 164);
  CHECK_FALSE(journal->is_writable());
  CHECK(journal->append(host_type, "y").error().code == ErrorCode::limit);
  CHECK(journal->counters().refused == 2);
  CHECK(journal->counters().waiting == 164);
  journal->pump();
  CHECK(journal->is_writable());
  CHECK(journal->append(host_type, "z").ok());
  journal->pump();
  const auto texts = read_texts(*journal);
  REQUIRE(texts.size() == 165);
  CHECK(texts[164].sequence == texts[163].sequence + 1);
}

TEST_CASE(
    "Journal: while a flush hangs the backlog takes what the queue cannot, from any thread, in "
    "order (C-07)") {
  TemporaryFolder folder;
  SystemClock clock;
  const auto disk = std::make_shared<HangingDisk>();
  JournalOptions options;
  options.folder = folder / "journal";
  options.segment_bytes = 1U << 20;
  options.queue_records = 64;
  options.backlog_bytes_max = 1U << 20;  // 4,096 small records
  options.commit_interval_us = 0;
  options.disk = disk;
  auto opened = Journal::open(options, clock, nullptr);
  REQUIRE(opened.ok());
  Journal& journal = **opened;
  REQUIRE(journal.start().ok());
  disk->hang();
  REQUIRE(journal.append(host_type, "stuck").ok());
  disk->wait_until_stuck();
  constexpr std::uint64_t each = 1'000;
  std::vector<std::thread> threads;
  for (std::uint64_t thread = 0; thread < 3; ++thread) {
    threads.emplace_back([&journal, thread] {
      for (std::uint64_t i = 0; i < each; ++i)
        (void)journal.append(host_type, std::to_string(thread * each + i));
    });
  }
  for (std::thread& thread : threads)
    thread.join();
  CHECK(journal.counters().refused == 0);
  CHECK(journal.counters().waiting == 3 * each + 1);
  CHECK(journal.durable_sequence() == 0);
  CHECK_FALSE(journal.is_writable());  // no new calls meanwhile
  disk->go_on();
  REQUIRE(journal.wait_durable(journal.last_sequence(), 60'000).ok());
  CHECK(journal.is_writable());
  std::vector<std::uint64_t> next = {0, each, 2 * each};
  const auto texts = read_texts(journal);
  REQUIRE(texts.size() == 3 * each + 1);
  for (std::size_t i = 1; i < texts.size(); ++i) {
    const std::uint64_t number = std::stoull(texts[i].payload);
    CHECK(number == next[number / each]++);
  }
}

TEST_CASE("Journal: an end waits for the next record that somebody waits for, and no longer") {
  TemporaryFolder folder;
  SystemClock clock;
  JournalOptions options;
  options.folder = folder / "journal";
  SUBCASE("one flush takes both") {
    options.patience_us = 1'000'000;
    auto opened = Journal::open(options, clock, nullptr);
    REQUIRE(opened.ok());
    Journal& journal = **opened;
    REQUIRE(journal.start().ok());
    REQUIRE(journal.append(RecordType::end, "one").ok());
    REQUIRE(journal.append(RecordType::mark, "two").ok());
    const auto answer = journal.append(RecordType::answer, "three");
    REQUIRE(answer.ok());
    REQUIRE(journal.wait_durable(*answer, 60'000).ok());
    CHECK(journal.counters().commits == 1);
    CHECK(journal.counters().durable == 3);
  }
  SUBCASE("by itself when none comes") {
    options.patience_us = 1'000;
    auto opened = Journal::open(options, clock, nullptr);
    REQUIRE(opened.ok());
    Journal& journal = **opened;
    REQUIRE(journal.start().ok());
    const auto end = journal.append(RecordType::end, "one");
    REQUIRE(end.ok());
    journal.wait_beyond(*end - 1, 60'000);
    CHECK(journal.durable_sequence() == *end);
  }
  SUBCASE("until somebody waits for it") {
    options.patience_us = 1'000'000;
    auto opened = Journal::open(options, clock, nullptr);
    REQUIRE(opened.ok());
    Journal& journal = **opened;
    REQUIRE(journal.start().ok());
    const std::int64_t began_us = clock.monotonic_us();
    const auto end = journal.append(RecordType::end, "one");
    REQUIRE(end.ok());
    REQUIRE(journal.wait_durable(*end, 60'000).ok());
    CHECK(clock.monotonic_us() - began_us < options.patience_us);
  }
  SUBCASE("until there are many") {
    options.patience_us = 1'000'000;
    auto opened = Journal::open(options, clock, nullptr);
    REQUIRE(opened.ok());
    Journal& journal = **opened;
    REQUIRE(journal.start().ok());
    const std::int64_t began_us = clock.monotonic_us();
    for (int i = 0; i < 64; ++i)
      REQUIRE(journal.append(RecordType::end, "one").ok());
    journal.wait_beyond(0, 60'000);
    CHECK(journal.durable_sequence() > 0);
    CHECK(clock.monotonic_us() - began_us < options.patience_us);
  }
  SUBCASE("within bounds") {
    options.patience_us = 1'000'001;
    CHECK(Journal::open(options, clock, nullptr).error().code == ErrorCode::invalid_argument);
  }
}

TEST_CASE(
    "Journal: what was read back after a kill or a failed flush survives the power cut behind it") {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    CAPTURE(seed);
    SeededRandom random(seed);
    Bench bench;
    auto journal = bench.open_and_start();
    put(*journal, host_type, "flushed");
    journal->pump();
    for (std::uint64_t i = 0; i < 30; ++i)
      put(*journal, host_type, text_of(i));
    bench.disk->fail_sync_in = 1;
    bench.disk->fails_on = true;
    journal->pump();  // written, and not flushed
    kill(std::move(journal), *bench.disk);
    journal = bench.open();
    CHECK(read_texts(*journal).size() == 31);  // what sinks see is there for good
    if (seed % 2 == 0) REQUIRE(journal->start().ok());
    kill(std::move(journal), *bench.disk);
    bench.disk->cut_power(random);
    CHECK(read_texts(*bench.open()).size() == 31);
  }
}

TEST_CASE(
    "Journal: after any kills and power cuts all that was durable is there, once, and nothing "
    "else") {
  constexpr std::uint64_t seeds = checked_build::is_sanitized ? 100 : 800;
  std::uint64_t power_cuts = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    SeededRandom random(seed);
    Bench bench;
    std::vector<std::pair<std::uint64_t, std::string>> given;  // sequence, payload; in order
    std::uint64_t promised = 0;
    std::uint64_t passed = 0;  // by the cursor
    for (int run = 0; run < 8; ++run) {
      auto journal = bench.open();
      const auto texts = read_texts(*journal);
      // The texts are a part of the given ones, in order, with everything up to the promise but
      // what was recycled.
      std::size_t at = 0;
      std::vector<std::pair<std::uint64_t, std::string>> found;
      const auto check_missing = [&](std::uint64_t sequence) {
        CHECK((sequence <= passed || sequence > promised));
      };
      for (const Kept& kept : texts) {
        while (at < given.size() && given[at].first != kept.sequence)
          check_missing(given[at++].first);
        REQUIRE(at < given.size());
        CHECK(given[at].second == kept.payload);
        found.push_back(given[at]);
        ++at;
      }
      for (; at < given.size(); ++at)
        check_missing(given[at].first);
      given = found;
      promised = journal->recovery().last_sequence;
      const auto cursor = journal->add_cursor("sink", passed);
      REQUIRE(cursor.ok());
      REQUIRE(journal->start().ok());
      for (std::uint64_t n = random.below(120); n > 0; --n) {
        std::string payload(random.below(200), static_cast<char>('a' + random.below(26)));
        given.emplace_back(put(*journal, host_type, payload), payload);
        const std::uint64_t act = random.below(16);
        if (act < 3) journal->pump();
        if (act == 3) bench.disk->fail_sync_in = 1 + random.below(2);
        if (act == 4) bench.disk->fail_write_in = 1 + random.below(3);
        if (act == 5) bench.clock.advance_us(6'000'000);
        if (act == 6 && seed % 2 == 0) {
          passed = std::max(passed, journal->durable_sequence());
          journal->advance_cursor(*cursor, passed);
        }
      }
      promised = std::max(promised, journal->durable_sequence());
      // The process dies somewhere in the last commit, and every other time the power goes too.
      (random.below(2) == 0 ? bench.disk->fail_write_in : bench.disk->fail_sync_in) =
          1 + random.below(2);
      bench.disk->fails_on = true;
      journal->pump();
      promised = std::max(promised, journal->durable_sequence());
      kill(std::move(journal), *bench.disk);
      if (random.below(2) == 0) {
        bench.disk->cut_power(random);
        ++power_cuts;
      }
    }
  }
  CHECK(power_cuts > 3 * seeds);
}

TEST_CASE("Journal: segments are recycled when every cursor has passed them, not before") {
  Bench bench;
  auto journal = bench.open();
  const std::size_t fast = journal->add_cursor("fast", 0).value();
  const std::size_t slow = journal->add_cursor("slow", 0).value();
  REQUIRE(journal->start().ok());
  CHECK(journal->add_cursor("late", 0).error().code == ErrorCode::wrong_state);
  for (std::uint64_t i = 0; i < 500; ++i)
    put(*journal, host_type, text_of(i));
  journal->pump();
  const std::uint64_t before = journal->counters().segments;
  CHECK(before > 5);
  journal->advance_cursor(fast, journal->durable_sequence());
  journal->pump();
  CHECK(journal->counters().segments == before);
  journal->advance_cursor(slow, journal->durable_sequence());
  journal->pump();
  CHECK(journal->counters().segments == 1);
  CHECK(journal->counters().segments_recycled == before - 1);
  // Old content in the reused files is never taken for new.
  for (std::uint64_t i = 0; i < 60; ++i)
    put(*journal, host_type, text_of(i));
  journal->pump();
  kill(std::move(journal), *bench.disk);
  journal = bench.open();
  for (const Kept& kept : read_texts(*journal))
    CHECK(kept.sequence > 400);
  CHECK(journal->add_cursor("behind", 3).error().code == ErrorCode::corrupt);
  CHECK(journal->add_cursor("new", 0).ok());
}

TEST_CASE("Journal: segments are recycled too while there is always one more record") {
  TemporaryFolder folder;
  SystemClock clock;
  JournalOptions options;
  options.folder = folder / "journal";
  options.segment_bytes = 4'096;
  options.commit_interval_us = 100;
  auto opened = Journal::open(options, clock, nullptr);
  REQUIRE(opened.ok());
  Journal& journal = **opened;
  const std::size_t cursor = journal.add_cursor("sink", 0).value();
  constexpr std::uint64_t total = 400;
  std::uint64_t segments_most = 0;
  journal.on_durable([&](std::uint64_t sequence) {  // on the writer
    segments_most = std::max(segments_most, journal.counters().segments);
    journal.advance_cursor(cursor, sequence);
    if (sequence < total) (void)journal.append(host_type, std::string(100, 'x'));
  });
  REQUIRE(journal.start().ok());
  REQUIRE(journal.append(host_type, std::string(100, 'x')).ok());
  REQUIRE(journal.wait_durable(total, 60'000).ok());
  journal.close();
  CHECK(journal.counters().segments_recycled > 8);
  CHECK(segments_most <= 3);
}

TEST_CASE("Journal: many records do not wait for the pace of commits") {
  TemporaryFolder folder;
  SystemClock clock;
  JournalOptions options;
  options.folder = folder / "journal";
  options.commit_interval_us = 1'000'000;
  auto opened = Journal::open(options, clock, nullptr);
  REQUIRE(opened.ok());
  Journal& journal = **opened;
  REQUIRE(journal.start().ok());
  const auto first = journal.append(RecordType::answer, "one");  // after a pause: at once
  REQUIRE(first.ok());
  journal.wait_beyond(*first - 1, 60'000);
  const std::int64_t began_us = clock.monotonic_us();
  for (int i = 0; i < 64; ++i)
    REQUIRE(journal.append(RecordType::answer, "more").ok());
  journal.wait_beyond(*first, 60'000);
  CHECK(journal.durable_sequence() > *first);
  CHECK(clock.monotonic_us() - began_us < options.commit_interval_us);
}

TEST_CASE("Journal: a long call stays billable when its segments are recycled") {
  Bench bench;
  auto journal = bench.open();
  const std::size_t cursor = journal->add_cursor("sink", 0).value();
  REQUIRE(journal->start().ok());
  for (std::uint64_t call : {1, 2, 3})
    put(*journal, RecordType::answer, encode(answer_of(call)));
  put(*journal, RecordType::mark, encode(MarkRecord{1, 1, 1'000, "old"}));
  put(*journal, RecordType::mark, encode(MarkRecord{2, 1, 1'000, "kept"}));
  for (int round = 0; round < 40; ++round) {
    for (int i = 0; i < 40; ++i)
      put(*journal, host_type, text_of(1));
    journal->pump();
    if (round == 10) put(*journal, RecordType::mark, encode(MarkRecord{1, 2, 2'000, "new"}));
    if (round == 20) put(*journal, RecordType::end, encode(EndRecord{3, {}}));
    journal->advance_cursor(cursor, journal->durable_sequence());
    journal->pump();
  }
  CHECK(journal->counters().segments < 5);
  CHECK(journal->counters().segments_recycled > 10);
  kill(std::move(journal), *bench.disk);
  journal = bench.open();
  const auto& open_calls = journal->recovery().open_calls;
  REQUIRE(open_calls.size() == 2);
  for (const OpenCall& call : open_calls) {
    CHECK(call.answer == answer_of(call.answer.call_id));
    REQUIRE(call.last_mark.has_value());
    CHECK(call.last_mark->charge == (call.answer.call_id == 1 ? "new" : "kept"));
  }
}

TEST_CASE("Journal: the last mark of a call counts although its answer was carried behind it") {
  for (int pumps = 0; pumps < 8; ++pumps) {
    CAPTURE(pumps);
    Bench bench;
    auto journal = bench.open();
    const std::size_t cursor = journal->add_cursor("sink", 0).value();
    REQUIRE(journal->start().ok());
    put(*journal, RecordType::answer, encode(answer_of(7)));
    put(*journal, RecordType::mark, encode(MarkRecord{7, 1, 1'000, "early"}));
    for (std::uint64_t i = 0; i < 80; ++i)
      put(*journal, host_type, text_of(i));
    journal->pump();
    const MarkRecord latest{7, 2, 3'600'000, "at one hour"};
    put(*journal, RecordType::mark, encode(latest));
    journal->pump();
    REQUIRE(journal->counters().segments > 1);
    for (int i = 0; i < pumps; ++i) {
      journal->advance_cursor(cursor, journal->durable_sequence());
      journal->pump();
    }
    CHECK((journal->counters().segments_recycled > 0) == (pumps > 1));
    kill(std::move(journal), *bench.disk);
    // Whoever finds the call closes it; when he dies before, the next one does.
    for (int process = 0; process < 2; ++process) {
      journal = bench.open_and_start();
      const auto& open_calls = journal->recovery().open_calls;
      REQUIRE(open_calls.size() == 1);
      CHECK(open_calls[0].answer == answer_of(7));
      CHECK(open_calls[0].last_mark == latest);
      kill(std::move(journal), *bench.disk);
    }
  }
}

TEST_CASE("Journal: a mark of one process is never taken for a call of the next") {
  // Calls are numbered anew by each process, and the answer of this one was not taken.
  Bench bench;
  auto journal = bench.open_and_start();
  put(*journal, RecordType::mark, encode(MarkRecord{7, 1, 3'600'000, "of another call"}));
  journal->pump();
  kill(std::move(journal), *bench.disk);
  journal = bench.open_and_start();
  put(*journal, RecordType::answer, encode(answer_of(7)));
  journal->pump();
  kill(std::move(journal), *bench.disk);
  journal = bench.open();
  REQUIRE(journal->recovery().open_calls.size() == 1);
  CHECK_FALSE(journal->recovery().open_calls[0].last_mark.has_value());
}

TEST_CASE("Journal: a call that ends while its answer is carried forward stays ended") {
  for (int delay = 0; delay < 6; ++delay) {
    Bench bench;
    auto journal = bench.open();
    const std::size_t cursor = journal->add_cursor("sink", 0).value();
    REQUIRE(journal->start().ok());
    put(*journal, RecordType::answer, encode(answer_of(1)));
    for (int i = 0; i < 150; ++i)
      put(*journal, host_type, text_of(1));
    journal->pump();
    journal->advance_cursor(cursor, journal->durable_sequence());
    // The end comes into the queue before or after the copy, and the disk may fail in between.
    if (delay == 0) put(*journal, RecordType::end, encode(EndRecord{1, {}}));
    if (delay == 2) bench.disk->fail_sync_in = 1;
    journal->pump();
    if (delay > 0) put(*journal, RecordType::end, encode(EndRecord{1, {}}));
    if (delay == 3) bench.disk->fail_write_in = 1;
    for (int i = 0; i < 8; ++i) {
      bench.clock.advance_us(6'000'000);
      journal->pump();
      if (delay > 3) put(*journal, host_type, "x");
      journal->advance_cursor(cursor, journal->durable_sequence());
    }
    kill(std::move(journal), *bench.disk);
    CHECK(bench.open()->recovery().open_calls.empty());
  }
}

TEST_CASE("Journal: a sink that is ahead of a new journal gets numbers behind its own") {
  Bench bench;
  auto journal = bench.open();
  REQUIRE(journal->add_cursor("old sink", 5'000).ok());
  REQUIRE(journal->start().ok());
  CHECK(put(*journal, host_type, "x") > 5'000);
  journal->pump();
  CHECK(read_texts(*journal).size() == 1);
}

TEST_CASE("Journal: one process at a time, told clearly") {
  TemporaryFolder folder;
  SystemClock clock;
  JournalOptions options;
  options.folder = folder / "journal";
  options.threads = false;
  options.segment_bytes = 1U << 16;
  auto first = Journal::open(options, clock, nullptr);
  REQUIRE(first.ok());
  auto second = Journal::open(options, clock, nullptr);
  REQUIRE_FALSE(second.ok());
  CHECK(second.error().code == ErrorCode::already_exists);
  CHECK(second.error().message.find(options.folder) != std::string::npos);
  first->reset();
  CHECK(Journal::open(options, clock, nullptr).ok());
}

TEST_CASE("Journal: a place that cannot be written is refused at opening") {
  TemporaryFolder folder;
  std::ofstream(folder / "file") << "x";
  SystemClock clock;
  JournalOptions options;
  options.threads = false;
  options.folder = folder / "file";
  CHECK_FALSE(Journal::open(options, clock, nullptr).ok());
  options.folder = folder / "absent/journal";
  CHECK_FALSE(Journal::open(options, clock, nullptr).ok());
  options.folder = "";
  CHECK(Journal::open(options, clock, nullptr).error().code == ErrorCode::invalid_argument);
  options.folder = folder / "j";
  options.segment_bytes = 100;
  CHECK(Journal::open(options, clock, nullptr).error().code == ErrorCode::invalid_argument);
}

TEST_CASE("Journal: records of many threads are durable in the order of their numbers") {
  TemporaryFolder folder;
  SystemClock clock;
  JournalOptions options;
  options.folder = folder / "journal";
  options.segment_bytes = 1U << 18;
  auto opened = Journal::open(options, clock, nullptr);
  REQUIRE(opened.ok());
  Journal& journal = **opened;
  REQUIRE(journal.start().ok());
  constexpr std::uint64_t each = 5'000;
  std::vector<std::thread> threads;
  for (std::uint64_t thread = 0; thread < 3; ++thread) {
    threads.emplace_back([&journal, thread] {
      std::uint64_t last = 0;
      for (std::uint64_t i = 0; i < each; ++i) {
        auto sequence = journal.append(host_type, std::to_string(thread * each + i));
        while (!sequence) {
          (void)journal.wait_durable(last, 1'000);
          sequence = journal.append(host_type, std::to_string(thread * each + i));
        }
        last = *sequence;
      }
      if (!journal.wait_durable(last, 60'000)) journal.interrupt();
    });
  }
  for (std::thread& thread : threads)
    thread.join();
  CHECK(journal.durable_sequence() == journal.last_sequence());
  std::vector<std::uint64_t> next = {0, each, 2 * each};
  const auto texts = read_texts(journal);
  CHECK(texts.size() == 3 * each);
  for (const Kept& kept : texts) {
    const std::uint64_t number = std::stoull(kept.payload);
    CHECK(number == next[number / each]++);
  }
  CHECK(journal.counters().commits < 3 * each);
}
