#include <doctest/doctest.h>

#include <algorithm>
#include <set>

#include "cdr/sink_runner.hpp"
#include "fault_disk.hpp"
#include "sample_cdr.hpp"

using namespace tandem;
using namespace tandem::cdr;
using test::FaultDisk;

namespace {

/// A host's sink that cannot take some records, or nothing at all.
class PickySink final : public CdrSink {
 public:
  Result<void> write(const Cdr& cdr) override {
    if (is_down) return Error{ErrorCode::io, "the sink was down"};
    if (poison.contains(cdr.record_id))
      return Error{ErrorCode::invalid_argument,
                   "no column for record " + std::to_string(cdr.record_id)};
    ids.push_back(cdr.record_id);
    return {};
  }
  Result<void> flush() override { return {}; }
  std::vector<std::uint64_t> ids;
  std::set<std::uint64_t> poison;
  bool is_down = false;
};

/// A host's sink that collects records and drops what it has when it cannot flush them.
class CollectingSink final : public CdrSink {
 public:
  Result<void> write(const Cdr& cdr) override {
    collected.push_back(cdr.record_id);
    return {};
  }
  Result<void> flush() override {
    if (is_refusing) {
      collected.clear();
      return Error{ErrorCode::already_exists, "duplicate key"};
    }
    ids.insert(ids.end(), collected.begin(), collected.end());
    collected.clear();
    return {};
  }
  std::vector<std::uint64_t> ids, collected;
  bool is_refusing = false;
};

/// One that takes a batch whole or not at all, as databases do.
class WholeSink final : public SinkTarget {
 public:
  Result<std::uint64_t> position() override { return place; }
  Result<void> write_batch(std::span<const RecordView> records, std::uint64_t through) override {
    ++batches;
    for (const RecordView& view : records) {
      if (view.type == RecordType::end && poison.contains(view.sequence))
        return Error{ErrorCode::already_exists, "constraint failed"};
    }
    for (const RecordView& view : records) {
      if (view.type == RecordType::end) ids.push_back(view.sequence);
    }
    place = through;
    return {};
  }
  std::vector<std::uint64_t> ids;
  std::set<std::uint64_t> poison;
  std::uint64_t place = 0, batches = 0;
};

struct Line {
  std::shared_ptr<FaultDisk> disk = std::make_shared<FaultDisk>();
  SimulatedClock clock;
  std::unique_ptr<Journal> journal;
  std::unique_ptr<SinkRunner> runner;

  void open(SinkTarget& target, std::uint32_t set_aside_after) {
    runner.reset();
    journal.reset();
    JournalOptions options;
    options.folder = "/j";
    options.segment_bytes = 1U << 16;
    options.threads = false;
    options.disk = disk;
    auto opened = Journal::open(std::move(options), clock, nullptr);
    REQUIRE(opened.ok());
    journal = std::move(*opened);
    SinkRunnerOptions runner_options;
    runner_options.name = "sink";
    runner_options.set_aside_after = set_aside_after;
    runner_options.disk = disk;
    runner_options.folder = "/j";
    auto created = SinkRunner::create(std::move(runner_options), *journal, target, clock, nullptr);
    REQUIRE_MESSAGE(created.ok(), (created.ok() ? std::string() : created.error().message));
    runner = std::move(*created);
    REQUIRE(journal->start().ok());
  }
  std::uint64_t append(Random& random) {
    auto sequence =
        journal->append(RecordType::end, encode(EndRecord{0, test::sample_cdr(1, random)}));
    REQUIRE(sequence.ok());
    return *sequence;
  }
  /// Pumps until everything is taken; false: never.
  bool drain() {
    for (int i = 0; i < 200; ++i) {
      if (runner->pump()) return true;
      clock.advance_us(11'000'000);
    }
    return false;
  }
  [[nodiscard]] std::string set_aside() const {
    const auto content = read_file(*disk, "/j/sink.set-aside");
    return content ? *content : std::string();
  }
};

std::size_t lines_in(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace

TEST_CASE("SinkRunner: a record that is refused for ever is set aside, the others go on (C-06)") {
  Line line;
  SeededRandom random(1);
  auto owned = std::make_unique<PickySink>();
  PickySink& sink = *owned;
  auto target = make_host_target(line.disk, "/j", "sink", std::move(owned));
  line.open(*target, 3);
  std::vector<std::uint64_t> expected;
  for (int i = 0; i < 100; ++i) {
    const std::uint64_t id = line.append(random);
    if (i == 0 || i == 40 || i == 41 || i == 99) {
      sink.poison.insert(id);
    } else {
      expected.push_back(id);
    }
  }
  line.journal->pump();
  CHECK_FALSE(line.runner->pump());  // three refusals, with pauses between them
  CHECK(line.set_aside().empty());
  CHECK(line.drain());
  CHECK(sink.ids == expected);
  CHECK(line.runner->state().set_aside == 4);
  CHECK(line.runner->state().lag_records == 0);
  CHECK_FALSE(line.runner->state().is_failing);
  const std::string aside = line.set_aside();
  CHECK(lines_in(aside) == 4);
  for (const std::uint64_t id : sink.poison) {
    CHECK(aside.find("{\"record_id\":" + std::to_string(id) + ",") != std::string::npos);
    CHECK(aside.find("\"reason\":\"no column for record " + std::to_string(id) + "\"") !=
          std::string::npos);
  }
  line.open(*target, 3);  // the next process neither offers nor counts them again
  line.append(random);
  line.journal->pump();
  CHECK(line.drain());
  CHECK(sink.ids.size() == expected.size() + 1);
  CHECK(line.set_aside() == aside);
  CHECK(line.runner->state().set_aside == 4);
}

TEST_CASE(
    "SinkRunner: a sink that is down has nothing set aside, nor has one that wants none (C-07)") {
  Line line;
  SeededRandom random(2);
  auto owned = std::make_unique<PickySink>();
  PickySink& sink = *owned;
  auto target = make_host_target(line.disk, "/j", "sink", std::move(owned));
  line.open(*target, 1);
  sink.is_down = true;
  for (int i = 0; i < 10; ++i)
    line.append(random);
  line.journal->pump();
  CHECK_FALSE(line.drain());
  CHECK(line.set_aside().empty());
  CHECK(line.runner->state().lag_records == 10);
  sink.is_down = false;
  CHECK(line.drain());
  CHECK(sink.ids.size() == 10);
  line.open(*target, 0);
  sink.poison.insert(line.append(random));
  line.append(random);
  line.journal->pump();
  CHECK_FALSE(line.drain());
  CHECK(line.runner->state().is_failing);
  CHECK(line.set_aside().empty());
}

TEST_CASE(
    "SinkRunner: a sink that takes batches whole is asked in parts to find the record (C-06)") {
  Line line;
  SeededRandom random(3);
  WholeSink sink;
  line.open(sink, 1);
  std::vector<std::uint64_t> expected;
  for (int i = 0; i < 1'000; ++i) {
    const std::uint64_t id = line.append(random);
    if (i % 333 == 7) {
      sink.poison.insert(id);
    } else {
      expected.push_back(id);
    }
  }
  line.journal->pump();
  CHECK(line.drain());
  CHECK(sink.ids == expected);
  CHECK(sink.place == line.journal->durable_sequence());
  CHECK(sink.batches < 200);
  CHECK(lines_in(line.set_aside()) == sink.poison.size());
}

TEST_CASE("SinkRunner: a sink that refuses every record is broken, and keeps them (C-07)") {
  Line line;
  SeededRandom random(4);
  WholeSink sink;
  line.open(sink, 1);
  for (int i = 0; i < 50; ++i)
    sink.poison.insert(line.append(random));
  line.journal->pump();
  CHECK_FALSE(line.drain());
  CHECK(line.runner->state().set_aside == 16);
  CHECK(line.runner->state().is_failing);
  sink.poison.clear();  // somebody repaired it
  CHECK(line.drain());
  CHECK(sink.ids.size() == 34);
}

TEST_CASE("SinkRunner: what a broken sink has no use for is not taken for a record (C-07)") {
  Line line;
  SeededRandom random(5);
  WholeSink sink;
  line.open(sink, 1);
  for (std::uint64_t call = 1; call <= 50; ++call) {
    AnswerRecord answer;
    answer.call_id = call;
    answer.cdr = test::sample_cdr(1, random);
    REQUIRE(line.journal->append(RecordType::answer, encode(answer)).ok());
    sink.poison.insert(line.append(random));
  }
  line.journal->pump();
  CHECK_FALSE(line.drain());
  CHECK(line.runner->state().set_aside == 16);
}

TEST_CASE("SinkRunner: a flush that fails loses no record and judges none (C-06)") {
  Line line;
  SeededRandom random(6);
  auto owned = std::make_unique<CollectingSink>();
  CollectingSink& sink = *owned;
  auto target = make_host_target(line.disk, "/j", "sink", std::move(owned));
  line.open(*target, 1);
  std::vector<std::uint64_t> expected;
  for (int i = 0; i < 10; ++i)
    expected.push_back(line.append(random));
  line.journal->pump();
  sink.is_refusing = true;
  CHECK_FALSE(line.drain());
  CHECK(line.runner->state().set_aside == 0);
  CHECK(line.runner->state().is_failing);
  sink.is_refusing = false;
  CHECK(line.drain());
  CHECK(sink.ids == expected);
  CHECK(line.set_aside().empty());
}

TEST_CASE("SetAside: the file may be emptied, moved and edited beside it (C-06)") {
  const auto disk = std::make_shared<FaultDisk>();
  const std::string path = "/j/a.set-aside";
  auto opened = SetAside::open(disk, "/j", "a");
  REQUIRE(opened.ok());
  SetAside& file = **opened;
  Cdr cdr;
  const auto add = [&](std::uint64_t id) {
    cdr.record_id = id;
    return file.add(cdr, "reason", 5).ok();
  };
  REQUIRE(add(1));
  REQUIRE(add(2));
  disk->put(path, "");
  REQUIRE(add(3));
  CHECK(disk->content(path).starts_with(R"({"record_id":3,)"));
  CHECK(file.count() == 1);
  // The name of the file that follows a moved one is durable before the record is.
  REQUIRE(disk->rename(path, "/j/taken").ok());
  REQUIRE(disk->sync_folder("/j").ok());
  const std::uint64_t syncs = disk->syncs;
  REQUIRE(add(4));
  CHECK(disk->syncs == syncs + 2);
  CHECK(disk->content(path).starts_with(R"({"record_id":4,)"));
  CHECK(lines_in(disk->content(path)) == 1);
  CHECK(lines_in(disk->content("/j/taken")) == 1);
  // A line that was edited stays, and so do those around it.
  REQUIRE(add(5));
  std::string edited = disk->content(path);
  edited.insert(edited.find("reason\",") + 10, " ");
  disk->put(path, edited);
  REQUIRE(add(6));
  CHECK(disk->content(path).starts_with(edited));
  CHECK(lines_in(disk->content(path)) == 3);
  CHECK(SetAside::open(disk, "/j", "a").value()->count() == 2);
}

TEST_CASE("SetAside: whatever fails, a record is in the file once or is offered again (C-06)") {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    SeededRandom random(seed);
    Line line;
    WholeSink sink;
    line.open(sink, 2);
    std::set<std::uint64_t> all;
    for (int i = 0; i < 20; ++i) {
      const std::uint64_t id = line.append(random);
      all.insert(id);
      if (random.below(4) == 0) sink.poison.insert(id);
    }
    line.journal->pump();
    for (int cut = 0; cut < 6; ++cut) {
      line.disk->fail_sync_in = 1 + random.below(6);
      for (int i = 0; i < 3; ++i) {
        (void)line.runner->pump();
        line.clock.advance_us(11'000'000);
      }
      line.runner.reset();
      line.journal.reset();
      line.disk->cut_power(random);
      line.open(sink, 2);
    }
    CHECK(line.drain());
    const std::string aside = line.set_aside();
    CHECK(lines_in(aside) == sink.poison.size());
    for (const std::uint64_t id : sink.poison)
      CHECK(aside.find("{\"record_id\":" + std::to_string(id) + ",") != std::string::npos);
    CHECK(sink.ids.size() == all.size() - sink.poison.size());
  }
}

TEST_CASE("SetAside: a torn line is dropped, a damaged one kept, the file is bounded (C-06)") {
  const auto disk = std::make_shared<FaultDisk>();
  const std::string path = "/j/a.set-aside";
  Cdr cdr;
  {
    auto file = SetAside::open(disk, "/j", "a");
    REQUIRE(file.ok());
    for (cdr.record_id = 7; cdr.record_id <= 8; ++cdr.record_id)
      REQUIRE((*file)->add(cdr, "a \"reason\"", 5).ok());
  }
  const std::string whole = disk->content(path);
  CHECK(lines_in(whole) == 2);
  CHECK(whole.starts_with(R"({"record_id":7,"at_us":5,"reason":"a \"reason\"","cdr":{)"));
  const std::size_t second = whole.find('\n') + 1;
  for (std::size_t bytes = second; bytes < whole.size(); ++bytes) {
    disk->put(path, whole.substr(0, bytes));
    CHECK(SetAside::open(disk, "/j", "a").value()->count() == 1);
  }
  std::string torn = whole;
  torn[second + 20] = '\0';
  disk->put(path, torn);
  auto again = SetAside::open(disk, "/j", "a");
  REQUIRE(again.ok());
  CHECK((*again)->count() == 1);
  cdr.record_id = 8;
  REQUIRE((*again)->add(cdr, "a \"reason\"", 5).ok());
  CHECK(disk->content(path) == whole);
  std::string damaged = whole;
  damaged[20] = 'X';
  disk->put(path, damaged);
  auto beside = SetAside::open(disk, "/j", "a");
  REQUIRE(beside.ok());
  CHECK((*beside)->count() == 1);
  CHECK((*beside)->unreadable_lines() == 1);
  CHECK(disk->content(path) == damaged);
  disk->put(path, "");
  auto full = SetAside::open(disk, "/j", "a");
  REQUIRE(full.ok());
  for (cdr.record_id = 1; cdr.record_id <= SetAside::records_max; ++cdr.record_id)
    REQUIRE((*full)->add(cdr, "", 1).ok());
  CHECK((*full)->add(cdr, "new", 1).error().code == ErrorCode::limit);
  cdr.record_id = 1;
  CHECK((*full)->add(cdr, "known", 1).ok());
}
