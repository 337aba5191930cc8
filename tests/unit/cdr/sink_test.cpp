#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <map>
#include <sstream>
#include <thread>

#include "cdr/cdr_sqlite.hpp"
#include "cdr/csv_sink.hpp"
#include "cdr/ledger_sqlite.hpp"
#include "cdr/sink_runner.hpp"
#include "fault_disk.hpp"
#include "sample_cdr.hpp"
#include "tandem/cdr_query.hpp"
#include "temporary_folder.hpp"

using namespace tandem;
using namespace tandem::cdr;
using test::FaultDisk;
using test::TemporaryFolder;

namespace {

/// A host's sink that refuses when told to.
class ListSink final : public CdrSink {
 public:
  Result<void> write(const Cdr& cdr) override {
    ++offered;
    if (is_down || (fail_every != 0 && offered % fail_every == 0))
      return Error{ErrorCode::io, "the sink was down"};
    ids.push_back(cdr.record_id);
    return {};
  }
  Result<void> flush() override {
    ++flushes;
    if (is_down) return Error{ErrorCode::io, "the sink was down"};
    return {};
  }
  std::vector<std::uint64_t> ids;
  std::uint64_t offered = 0, flushes = 0, fail_every = 0;
  bool is_down = false;
};

/// A journal on a disk in memory, pumped, with one target.
struct Line {
  std::shared_ptr<FaultDisk> disk = std::make_shared<FaultDisk>();
  SimulatedClock clock;
  std::unique_ptr<Journal> journal;
  std::unique_ptr<SinkRunner> runner;

  void open() {
    JournalOptions options;
    options.folder = "/j";
    options.segment_bytes = 1U << 16;
    options.threads = false;
    options.disk = disk;
    auto opened = Journal::open(std::move(options), clock, nullptr);
    REQUIRE(opened.ok());
    journal = std::move(*opened);
  }
  void attach(SinkTarget& target, std::size_t batch_records = 100) {
    SinkRunnerOptions options;
    options.name = "sink";
    options.batch_records = batch_records;
    auto created = SinkRunner::create(std::move(options), *journal, target, clock, nullptr);
    REQUIRE(created.ok());
    runner = std::move(*created);
  }
  std::uint64_t append(const Cdr& cdr) {
    auto sequence = journal->append(RecordType::end, encode(EndRecord{0, cdr}));
    REQUIRE(sequence.ok());
    return *sequence;
  }
};

std::string file_content(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream all;
  all << in.rdbuf();
  return all.str();
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::stringstream in(text);
  for (std::string line; std::getline(in, line);)
    lines.push_back(line);
  return lines;
}

}  // namespace

TEST_CASE("SinkRunner: a sink that is down loses nothing and keeps the order (C-07)") {
  Line line;
  line.open();
  auto owned = std::make_unique<ListSink>();
  ListSink& sink = *owned;
  auto target = make_host_target(line.disk, "/j", "list", std::move(owned));
  line.attach(*target, 1'000);
  REQUIRE(line.journal->start().ok());
  SeededRandom random(1);
  const Cdr cdr = test::sample_cdr(1, random);
#ifdef NDEBUG
  constexpr std::uint64_t total = 100'000;
#else
  constexpr std::uint64_t total = 20'000;
#endif
  std::vector<std::uint64_t> given;
  sink.is_down = true;
  for (std::uint64_t i = 0; i < total; ++i) {
    given.push_back(line.append(cdr));
    if (i % 1'000 == 0) {
      line.journal->pump();
      CHECK_FALSE(line.runner->pump());
      line.clock.advance_us(500'000);
    }
  }
  line.journal->pump();
  CHECK(line.journal->is_writable());  // a sink never stops calls
  CHECK(line.runner->state().is_failing);
  CHECK(line.runner->state().lag_records == total);
  CHECK(line.runner->state().lag_us > 1'000'000);
  CHECK(line.runner->state().last_error == "the sink was down");
  CHECK(line.journal->counters().segments > total / 1'000);
  sink.is_down = false;
  CHECK_FALSE(line.runner->pump());  // the pause is not over
  line.clock.advance_us(11'000'000);
  CHECK(line.runner->pump());
  CHECK(sink.ids == given);
  CHECK(line.runner->state().lag_records == 0);
  CHECK_FALSE(line.runner->state().is_failing);
  line.journal->pump();
  CHECK(line.journal->counters().segments < 3);
}

namespace {

/// A host's sink under load: more calls end while it writes a batch.
struct BusySink final : CdrSink {
  Result<void> write(const Cdr& taken) override {
    ids.push_back(taken.record_id);
    return {};
  }
  Result<void> flush() override {
    ++flushes;
    during_flush();
    return {};
  }
  std::function<void()> during_flush;
  std::vector<std::uint64_t> ids;
  std::uint64_t flushes = 0;
};

}  // namespace

TEST_CASE("SinkRunner: what becomes durable during a batch waits for the next call") {
  Line line;
  line.open();
  SeededRandom random(1);
  const Cdr cdr = test::sample_cdr(1, random);
  auto owned = std::make_unique<BusySink>();
  BusySink& sink = *owned;
  std::vector<std::uint64_t> given;
  sink.during_flush = [&] {
    if (sink.flushes > 5) return;
    given.push_back(line.append(cdr));
    line.journal->pump();
  };
  auto target = make_host_target(line.disk, "/j", "busy", std::move(owned));
  std::size_t batch_records = 100;
  SUBCASE("one batch") {}
  SUBCASE("three batches, of which the last has room for what came before it") {
    batch_records = 20;
  }
  line.attach(*target, batch_records);
  REQUIRE(line.journal->start().ok());
  for (int i = 0; i < 50; ++i)
    given.push_back(line.append(cdr));
  line.journal->pump();
  CHECK(line.runner->pump());
  CHECK(sink.flushes == (batch_records == 100 ? 1 : 3));
  CHECK(sink.ids.size() == 49 + sink.flushes);
  CHECK(line.runner->state().lag_records == 1);
  while (sink.flushes < 6) {
    CHECK(line.runner->pump());
    CHECK(sink.ids.size() == 49 + sink.flushes);
  }
  CHECK(line.runner->state().lag_records == 0);
  CHECK(sink.ids == given);
}

TEST_CASE("SinkRunner: a full batch does not wait for more") {
  Line line;
  line.open();
  SeededRandom random(1);
  const Cdr cdr = test::sample_cdr(1, random);
  auto owned = std::make_unique<BusySink>();
  BusySink& sink = *owned;
  std::promise<void> has_second;
  const auto append = [&] {
    for (int i = 0; i < 10; ++i)
      line.append(cdr);
    line.journal->pump();
  };
  sink.during_flush = [&] {
    if (sink.flushes == 1) append();
    if (sink.flushes == 2) has_second.set_value();
  };
  auto target = make_host_target(line.disk, "/j", "busy", std::move(owned));
  SinkRunnerOptions options;
  options.name = "busy";
  options.batch_records = 10;
  options.linger_ms = 600'000;
  auto created =
      SinkRunner::create(std::move(options), *line.journal, *target, line.clock, nullptr);
  REQUIRE(created.ok());
  line.runner = std::move(*created);
  REQUIRE(line.journal->start().ok());
  append();
  line.runner->start_thread();
  CHECK(has_second.get_future().wait_for(std::chrono::seconds(60)) == std::future_status::ready);
  line.runner->stop(60'000);
  CHECK(sink.ids.size() == 20);
}

TEST_CASE("SinkRunner: a stop does not wait for a backlog beyond its time (C-07)") {
  /// Tells when stop() took the time, which is when the runner knows of it.
  class TellingClock final : public Clock {
   public:
    std::int64_t monotonic_us() const noexcept override {
      if (std::this_thread::get_id() == stopper_) is_asked.store(true);
      return 1'000'000;
    }
    std::int64_t wall_us() const noexcept override { return 1'000'000; }
    mutable std::atomic<bool> is_asked{false};

   private:
    const std::thread::id stopper_ = std::this_thread::get_id();
  };
  /// Takes a batch as soon as stop() was called.
  class SlowTarget final : public SinkTarget {
   public:
    explicit SlowTarget(const TellingClock& clock) : clock_(clock) {}
    Result<std::uint64_t> position() override { return std::uint64_t{0}; }
    Result<void> write_batch(std::span<const RecordView>, std::uint64_t) override {
      has_begun.store(true);
      while (!clock_.is_asked.load())
        std::this_thread::yield();
      ++batches;
      return {};
    }
    std::atomic<bool> has_begun{false};
    std::atomic<int> batches{0};

   private:
    const TellingClock& clock_;
  };
  Line line;
  line.open();
  TellingClock clock;
  SlowTarget target(clock);
  SinkRunnerOptions options;
  options.name = "sink";
  options.batch_records = 1;
  auto runner = SinkRunner::create(std::move(options), *line.journal, target, clock, nullptr);
  REQUIRE(runner.ok());
  REQUIRE(line.journal->start().ok());
  SeededRandom random(1);
  for (std::uint64_t i = 0; i < 500; ++i)
    line.append(test::sample_cdr(i, random));
  line.journal->pump();
  (*runner)->start_thread();
  while (!target.has_begun.load())
    std::this_thread::yield();
  clock.is_asked.store(false);
  (*runner)->stop(0);
  CHECK(target.batches.load() <= 2);  // the one under way, and one more attempt
  CHECK((*runner)->state().position < line.journal->durable_sequence());
}

TEST_CASE("SinkRunner: a sink is told once to rest, ten seconds after its last record") {
  class RestingTarget final : public SinkTarget {
   public:
    Result<std::uint64_t> position() override { return std::uint64_t{0}; }
    Result<void> write_batch(std::span<const RecordView> records, std::uint64_t) override {
      written += records.size();
      return {};
    }
    void rest() noexcept override { ++rests; }
    std::size_t written = 0;
    int rests = 0;
  };
  Line line;
  line.open();
  RestingTarget target;
  line.attach(target);
  REQUIRE(line.journal->start().ok());
  SeededRandom random(1);
  line.clock.advance_us(60'000'000);
  CHECK(line.runner->pump());
  CHECK(target.rests == 0);  // nothing was ever written
  for (std::uint64_t round = 1; round <= 2; ++round) {
    line.append(test::sample_cdr(round, random));
    line.journal->pump();
    CHECK(line.runner->pump());
    line.clock.advance_us(9'999'000);
    CHECK(line.runner->pump());
    CHECK(target.rests == static_cast<int>(round) - 1);
    line.clock.advance_us(1'000);
    CHECK(line.runner->pump());
    CHECK(line.runner->pump());
    CHECK(target.rests == static_cast<int>(round));
    CHECK(target.written == round);  // and what comes later is read as before
  }
}

TEST_CASE("SinkRunner: a batch that fails half way goes on where it stopped") {
  Line line;
  line.open();
  auto owned = std::make_unique<ListSink>();
  ListSink& sink = *owned;
  sink.fail_every = 7;
  auto target = make_host_target(line.disk, "/j", "list", std::move(owned));
  line.attach(*target);
  REQUIRE(line.journal->start().ok());
  std::vector<std::uint64_t> given;
  for (int i = 0; i < 200; ++i)
    given.push_back(line.append(Cdr{}));
  line.journal->pump();
  for (int i = 0; i < 100 && !line.runner->pump(); ++i)
    line.clock.advance_us(11'000'000);
  CHECK(sink.ids == given);
}

TEST_CASE("SinkRunner: after a restart a host's sink goes on behind its place") {
  Line line;
  std::vector<std::uint64_t> given;
  std::vector<std::uint64_t> taken;
  for (int run = 0; run < 3; ++run) {
    line.open();
    auto owned = std::make_unique<ListSink>();
    ListSink& sink = *owned;
    auto target = make_host_target(line.disk, "/j", "list", std::move(owned));
    line.attach(*target);
    REQUIRE(line.journal->start().ok());
    for (int i = 0; i < 10; ++i)
      given.push_back(line.append(Cdr{}));
    line.journal->pump();
    CHECK(line.runner->pump());
    taken.insert(taken.end(), sink.ids.begin(), sink.ids.end());
    line.runner.reset();
    line.journal.reset();
  }
  CHECK(taken == given);
}

TEST_CASE("SinkRunner: a host's sink takes over the place under its former name, once") {
  const auto disk = std::make_shared<FaultDisk>();
  const auto position = [&disk](const std::string& name, const std::string& former_name) {
    return make_host_target(disk, "/j", name, std::make_unique<ListSink>(), former_name)
        ->position()
        .value();
  };
  CHECK(position("sink", "former") == 0);
  disk->put("/j/former.position", "7\n");
  CHECK(position("sink", "former") == 7);
  disk->put("/j/former.position", "3\n");
  CHECK(position("sink", "former") == 7);
  CHECK(position("sink", "") == 7);
}

TEST_CASE("SinkRunner: a place that was read after a kill survives the power cut behind it") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    SeededRandom random(seed);
    const auto disk = std::make_shared<FaultDisk>();
    const auto make = [&disk] {
      return make_host_target(disk, "/j", "sink", std::make_unique<ListSink>());
    };
    const RecordView view{5, RecordType::empty, {}};
    disk->fail_sync_in = 2;  // the file is flushed, its name is not
    CHECK_FALSE(make()->write_batch({&view, 1}, 5).ok());
    const std::uint64_t found = make()->position().value();
    disk->cut_power(random);
    CHECK(make()->position().value() == found);
  }
}

TEST_CASE("CsvSink: each line exactly once, whatever fails and whenever the power goes (C-04)") {
  for (std::uint64_t seed = 1; seed <= 16; ++seed) {
    CAPTURE(seed);
    SeededRandom random(seed);
    Line line;
    const bool is_hourly = seed % 2 == 0;
    CsvSinkConfig config;
    config.path = "/j/cdr";
    config.hourly = is_hourly;
    std::map<std::uint64_t, std::string> rows;  // durable ones
    std::map<std::uint64_t, std::string> unsure;
    const auto check = [&](bool is_complete) {
      std::map<std::uint64_t, std::string> found;
      for (const std::string& path : line.disk->paths()) {
        const bool is_output = is_hourly ? path.starts_with("/j/cdr/") : path == "/j/cdr";
        if (!is_output) continue;
        for (std::string text : lines_of(line.disk->content(path))) {
          REQUIRE(text.ends_with('\r'));
          text.pop_back();
          if (text == csv_header()) continue;
          CHECK(found.emplace(std::stoull(text), text).second);
        }
      }
      if (is_complete) CHECK(found == rows);
    };
    for (int run = 0; run < 4; ++run) {
      line.open();
      auto sink = CsvSink::open(config, line.disk);
      REQUIRE_MESSAGE(sink.ok(), (sink.ok() ? std::string() : sink.error().message));
      line.attach(**sink, 20);
      REQUIRE(line.journal->start().ok());
      for (std::uint64_t n = 0; n < 40; ++n) {
        Cdr cdr = test::sample_cdr(random.below(20'000), random);
        cdr.record_id = line.append(cdr);
        unsure[cdr.record_id] = to_csv_row(cdr);
        const std::uint64_t act = random.below(8);
        if (act < 3) line.journal->pump();
        if (act == 1) line.runner->pump();
        if (act == 2 && random.below(3) == 0) {
          (random.below(2) == 0 ? line.disk->fail_write_in : line.disk->fail_sync_in) =
              1 + random.below(4);
          line.runner->pump();
          line.disk->heal();
          line.clock.advance_us(20'000'000);
        }
      }
      line.clock.advance_us(20'000'000);
      line.journal->pump();
      rows.merge(unsure);
      unsure.clear();
      if (run < 3) {
        line.disk->fail_write_in = 1 + random.below(6);  // dies in the middle of a batch
        line.disk->fails_on = true;
        line.runner->pump();
        line.disk->fail_sync_in = 1;
        line.runner.reset();
        line.journal.reset();
        line.disk->cut_power(random);
      } else {
        CHECK(line.runner->pump());
        check(true);
      }
    }
  }
}

TEST_CASE("CsvSink: the pipe preset has the 18 fields of C-04 and no separator inside a field") {
  TemporaryFolder folder;
  CsvSinkConfig config;
  config.path = folder / "cdr";
  config.layout = CsvLayout::pipe;
  config.hourly = true;
  config.unanswered = false;
  auto sink = make_csv_sink(config);
  REQUIRE(sink.ok());
  CHECK(make_csv_sink(config).error().code == ErrorCode::already_exists);
  Cdr cdr;
  cdr.record_id = 7;
  cdr.caller = "4420";
  cdr.callee = "1212";
  cdr.caller_out = "0020";
  cdr.callee_out = "0012";
  cdr.started_at_us = test::noon_us;
  cdr.answered_at_us = test::noon_us + 1'500'000;
  cdr.ended_at_us = test::noon_us + 11'550'000;
  cdr.talk_time_ms = 10'050;
  cdr.customer_gateway = "cust";
  cdr.vendor_gateway = "v|1\r\n";
  cdr.caller_ip = "192.0.2.1:5060";
  cdr.callee_ip = "[2001:db8::1]:5060";
  cdr.caller_product = "A/1";
  cdr.callee_product = "B/2";
  cdr.end_reason = Reason::NormalCallClearing;
  cdr.end_code = 16;
  cdr.release_side = ReleaseSide::callee;
  CHECK((*sink)->write(cdr).ok());
  cdr.record_id = 8;
  cdr.answered_at_us = 0;
  CHECK((*sink)->write(cdr).ok());  // unanswered: not wanted
  CHECK((*sink)->flush().ok());
  CHECK((*sink)->write(cdr).ok());  // a duplicate
  CHECK((*sink)->flush().ok());
  cdr.record_id = 0;
  CHECK((*sink)->write(cdr).error().code == ErrorCode::invalid_argument);
  CHECK(file_content(folder / "cdr/2026112512.txt") ==
        "4420|1212|1795608001500|1795608011550|11|16|1|cust|v 1  "
        "|192.0.2.1|2001:db8::1|A/1|B/2|0020|0012|0|0|7\n");
}

TEST_CASE("CdrStore: a day file without the newer columns is read, and goes on (C-01)") {
  TemporaryFolder folder;
  SeededRandom random(1);
  Cdr cdr = test::sample_cdr(1, random);
  cdr.record_id = 1;
  cdr.ended_at_us = test::noon_us;
  for (ChargeFacts* side : {&cdr.customer, cdr.vendor ? &*cdr.vendor : nullptr}) {
    if (side != nullptr) side->rate_deck = side->rate_terms = "";
  }
  cdr.choices = "";
  cdr.call_level = CallLevel::none;
  {
    auto sink = make_sqlite_sink(folder / "cdr");
    REQUIRE(sink.ok());
    REQUIRE((*sink)->write(cdr).ok());
    REQUIRE((*sink)->flush().ok());
  }
  {
    auto day = store::Connection::open(folder / "cdr/cdr-20261125.db");
    REQUIRE(day.ok());
    REQUIRE(day->execute("DROP INDEX cdr_facts; CREATE INDEX cdr_by_end ON cdr(ended_at_us)").ok());
    for (const std::string column : {"lrn",
                                     "callee_region",
                                     "caller_region",
                                     "rate_deck",
                                     "rate_terms",
                                     "vendor_rate_deck",
                                     "vendor_rate_terms",
                                     "agent_account",
                                     "agent_billed_time_s",
                                     "agent_charge",
                                     "agent_charge_units",
                                     "agent_rate_prefix",
                                     "agent_rate_deck",
                                     "agent_rate_terms",
                                     "package_charge",
                                     "package_charge_units",
                                     "package_time_s",
                                     "legs",
                                     "choices",
                                     "agent_package_charge",
                                     "agent_package_charge_units",
                                     "agent_package_time_s",
                                     "call_level"})
      REQUIRE_MESSAGE(day->execute("ALTER TABLE cdr DROP COLUMN " + column).ok(), column);
    REQUIRE(day->execute("DELETE FROM schema_migrations WHERE number > 1").ok());
  }
  auto found = CdrStore(folder / "cdr").query({});
  REQUIRE(found.ok());
  REQUIRE(found->size() == 1);
  CHECK(found->front() == cdr);
  auto sink = make_sqlite_sink(folder / "cdr");
  REQUIRE(sink.ok());
  Cdr later = cdr;
  later.record_id = 2;
  later.lrn = "6465550000";
  later.callee_region = "NY";
  later.caller_region = "NJ";
  later.choices = "2:v1 0 44 p1 l0/-1 tried;";
  later.call_level = CallLevel::domestic;
  later.agent = ChargeFacts{"agency", Amount::from_units(7), 60, "44", "USD", "agents", "terms"};
  later.agent->package_charge = Amount::from_units(70);
  later.agent->package_time_s = 12;
  REQUIRE((*sink)->write(later).ok());
  REQUIRE((*sink)->flush().ok());
  found = CdrStore(folder / "cdr").query({});
  REQUIRE(found.ok());
  REQUIRE(found->size() == 2);
  CHECK(found->front() == later);
  CHECK(found->back() == cdr);
}

TEST_CASE("SqliteSink: a day file that is not ours is no fault of a record (C-03, C-06)") {
  TemporaryFolder folder;
  auto sink = make_sqlite_sink(folder / "cdr");
  REQUIRE(sink.ok());
  {
    auto day = store::Connection::open(folder / "cdr/cdr-20261125.db");
    REQUIRE(day.ok());
    REQUIRE(day->execute("CREATE TABLE cdr(record_id INTEGER PRIMARY KEY);"
                         "CREATE TABLE schema_migrations(component TEXT NOT NULL, number INTEGER "
                         "NOT NULL, PRIMARY KEY(component, number)) WITHOUT ROWID;"
                         "INSERT INTO schema_migrations VALUES('cdr', 5)")
                .ok());
  }
  SeededRandom random(3);
  Cdr cdr = test::sample_cdr(0, random);
  cdr.record_id = 1;
  cdr.ended_at_us = test::noon_us;
  REQUIRE((*sink)->write(cdr).ok());
  CHECK((*sink)->flush().error().code == ErrorCode::io);
}

TEST_CASE("CsvSink: a file that was moved away is begun anew, with its header") {
  TemporaryFolder folder;
  CsvSinkConfig config;
  config.path = folder / "cdr.csv";
  auto sink = make_csv_sink(config);
  REQUIRE(sink.ok());
  Cdr cdr;
  for (std::uint64_t id = 1; id <= 3; ++id) {
    cdr.record_id = id;
    REQUIRE((*sink)->write(cdr).ok());
    REQUIRE((*sink)->flush().ok());
    if (id == 2) std::filesystem::rename(config.path, folder / "old.csv");
  }
  CHECK(lines_of(file_content(folder / "old.csv")).size() == 3);
  const auto lines = lines_of(file_content(config.path));
  REQUIRE(lines.size() == 2);
  CHECK(lines[0] == csv_header() + "\r");
  CHECK(lines[1] == to_csv_row(cdr) + "\r");
}

TEST_CASE("CsvSink: a file with the header of a former version goes on with its columns") {
  TemporaryFolder folder;
  CsvSinkConfig config;
  config.path = folder / "cdr.csv";
  const std::string header = csv_header();
  const std::string former = header.substr(0, header.find(",agent_package_charge"));
  std::ofstream(config.path, std::ios::binary) << former << "\r\n";
  Cdr cdr;
  auto sink = make_csv_sink(config);
  REQUIRE(sink.ok());
  for (std::uint64_t id = 1; id <= 2; ++id) {  // the second finds the file on record
    cdr.record_id = id;
    REQUIRE((*sink)->write(cdr).ok());
    REQUIRE((*sink)->flush().ok());
  }
  const auto lines = lines_of(file_content(config.path));
  REQUIRE(lines.size() == 3);
  CHECK(lines[0] == former + "\r");
  std::string row = to_csv_row(cdr);
  for (int newer = 0; newer < 3; ++newer)
    row.resize(row.rfind(','));
  CHECK(lines[2] == row + "\r");
  CHECK(lines[1] == "1" + lines[2].substr(1));
}

TEST_CASE("Ledger: charges and payments are applied once, across batches and restarts") {
  TemporaryFolder folder;
  Line line;
  std::map<std::string, std::int64_t> expected = {{"acme", 100 * Amount::scale}};
  SeededRandom random(5);
  for (int run = 0; run < 4; ++run) {
    line.open();
    auto ledger = Ledger::open(folder / "switch.db");
    REQUIRE(ledger.ok());
    CHECK((*ledger)
              ->create_account_if_absent("acme", Amount::from_units(100 * Amount::scale))
              .value() == (run == 0));
    line.attach(**ledger, 7);
    REQUIRE(line.runner->catch_up(line.journal->recovery().last_sequence).ok());
    std::map<std::string, std::int64_t> found;
    const auto balances = (*ledger)->balances().value();
    for (const auto& [id, balance] : balances)
      found[id] = balance.units();
    CHECK(found == expected);
    REQUIRE(line.journal->start().ok());
    for (std::uint64_t i = 0; i < 50; ++i) {
      const Cdr cdr = test::sample_cdr(i, random);
      line.append(cdr);
      // An account without movement is not made.
      if (!cdr.customer.charge.is_zero()) expected["acme"] -= cdr.customer.charge.units();
      if (!cdr.vendor->charge.is_zero()) expected["v1-clearing"] -= cdr.vendor->charge.units();
    }
    const auto pay = [&line](std::string id, std::int64_t units) {
      REQUIRE(
          line.journal
              ->append(RecordType::payment, encode(PaymentRecord{"acme", Amount::from_units(units),
                                                                 "memo", std::move(id), 1}))
              .ok());
    };
    pay("", 500);
    pay("", 500);
    pay("once", 77);  // the same in every run
    pay("once", 77);
    expected["acme"] += 1'000 + (run == 0 ? 77 : 0);
    line.journal->pump();
    if (run % 2 == 0) CHECK(line.runner->pump());  // else the next run catches up
    line.runner.reset();
    line.journal.reset();
  }
}

TEST_CASE(
    "Ledger: a balance that would leave its range stops the ledger loudly and changes nothing") {
  TemporaryFolder folder;
  auto ledger = Ledger::open(folder / "switch.db");
  REQUIRE(ledger.ok());
  REQUIRE((*ledger)->create_account_if_absent("rich", Amount::from_units(INT64_MAX)).ok());
  const std::string payload = encode(PaymentRecord{"rich", Amount::from_units(1), "", "", 0});
  const RecordView view{1, RecordType::payment, payload};
  const auto done = (*ledger)->write_batch({&view, 1}, 1);
  REQUIRE_FALSE(done.ok());
  CHECK(done.error().code == ErrorCode::limit);
  CHECK((*ledger)->position().value() == 0);
  CHECK((*ledger)->balance("rich").value() == Amount::from_units(INT64_MAX));
  CHECK_FALSE((*ledger)->balance("poor").value().has_value());
}

TEST_CASE(
    "SqliteSink and CdrStore: what goes in comes out, in day files by the end of the call (C-01, "
    "C-03)") {
  TemporaryFolder folder;
  auto sink = make_sqlite_sink(folder / "cdr");
  REQUIRE(sink.ok());
  CHECK(make_sqlite_sink(folder / "cdr").error().code == ErrorCode::already_exists);
  SeededRandom random(7);
  std::vector<Cdr> all;
  for (std::uint64_t i = 1; i <= 300; ++i) {
    Cdr cdr = test::sample_cdr(i * 900, random);  // a quarter of an hour apart: four days
    if (i % 5 == 0) cdr.vendor.reset();
    if (i % 7 == 0) cdr.customer_gateway.reset();
    if (i % 11 == 0) cdr.caller_product = "odd \"name\", \xC3\xA9 \x01";
    cdr.record_id = i;
    all.push_back(cdr);
    REQUIRE((*sink)->write(cdr).ok());
  }
  REQUIRE((*sink)->flush().ok());
  std::reverse(all.begin(), all.end());
  const CdrStore store(folder / "cdr");
  CdrQuery query;
  query.limit = 1'000;
  auto found = store.query(query);
  REQUIRE_MESSAGE(found.ok(), (found.ok() ? std::string() : found.error().message));
  REQUIRE(found->size() == all.size());
  for (std::size_t i = 0; i < all.size(); ++i)
    CHECK((*found)[i] == all[i]);
  std::size_t day_files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder / "cdr")) {
    const std::string name = entry.path().filename().string();
    day_files += name.starts_with("cdr-2026") && name.ends_with(".db");
  }
  CHECK(day_files == 4);
  // Written again, as after a crash between day file and place: nothing changes.
  auto* target = dynamic_cast<SinkTarget*>(sink->get());
  REQUIRE(target != nullptr);
  const std::string payload = encode(EndRecord{0, all[0]});
  const RecordView view{300, RecordType::end, payload};
  CHECK(target->write_batch({&view, 1}, 300).ok());
  CHECK(store.query(query)->size() == 300);
}

TEST_CASE("SqliteSink: a day file is whole by itself as soon as a later day began (C-03)") {
  TemporaryFolder folder;
  auto sink = make_sqlite_sink(folder / "cdr");
  REQUIRE(sink.ok());
  SeededRandom random(12);
  std::uint64_t written = 0;
  const auto write = [&](std::uint64_t day) {
    Cdr cdr = test::sample_cdr(day * 86'400, random);
    cdr.record_id = ++written;
    REQUIRE((*sink)->write(cdr).ok());
    REQUIRE((*sink)->flush().ok());
  };
  const auto path = [&folder](int day) {
    return folder / "cdr/cdr-202611" + std::to_string(25 + day) + ".db";
  };
  const auto is_open = [&path](int day) { return std::filesystem::exists(path(day) + "-wal"); };
  // What is left when only the file itself is copied away.
  const auto rows = [&](int day) {
    const std::string name = path(day).substr(path(day).rfind('/'));
    std::filesystem::create_directory(folder / "archive");
    std::filesystem::copy_file(path(day), folder / "archive" + name,
                               std::filesystem::copy_options::overwrite_existing);
    CdrQuery query;
    query.since_us = test::noon_us + (day * 24 - 12) * 3'600'000'000;
    query.until_us = *query.since_us + 86'400'000'000;
    return CdrStore(folder / "archive").query(query).value().size();
  };
  for (int i = 0; i < 10; ++i)
    write(0);
  CHECK(is_open(0));
  write(1);
  CHECK_FALSE(is_open(0));
  CHECK(is_open(1));
  CHECK(rows(0) == 10);
  write(0);  // a late record
  write(1);
  CHECK_FALSE(is_open(0));
  CHECK(rows(0) == 11);

  // A reader that is in the middle of the file is not disturbed, and the file closed after him.
  {
    auto reader = store::Connection::open(path(1), store::OpenMode::read_only);
    REQUIRE(reader.ok());
    auto select = reader->prepare("SELECT record_id FROM cdr");
    REQUIRE(select.ok());
    REQUIRE(select->step().value());
    write(1);
    write(2);
    CHECK(is_open(1));
    CHECK(select->step().value());
  }
  write(2);
  CHECK_FALSE(is_open(1));
  CHECK(rows(1) == 3);

  // A crash leaves the log beside the file; the next process closes it.
  std::filesystem::copy(folder / "cdr", folder / "crashed");
  REQUIRE(std::filesystem::exists(folder / "crashed/cdr-20261127.db-wal"));
  CHECK(make_sqlite_sink(folder / "crashed").ok());
  CHECK_FALSE(std::filesystem::exists(folder / "crashed/cdr-20261127.db-wal"));
  CHECK(CdrStore(folder / "crashed").query({}).value().size() == written);
}

TEST_CASE("CdrStore: filters and pages agree with a plain scan") {
  TemporaryFolder folder;
  auto sink = make_sqlite_sink(folder.path());
  REQUIRE(sink.ok());
  SeededRandom random(8);
  std::vector<Cdr> all;
  const std::array<std::string, 6> numbers = {"4420", "44201", "4419", "%4420", "1212", "44\xFF"};
  const auto number = [&] { return numbers[random.below(numbers.size())]; };
  for (std::uint64_t i = 1; i <= 400; ++i) {
    Cdr cdr = test::sample_cdr(random.below(400) * 600, random);
    cdr.record_id = i;
    cdr.caller_in = number();
    cdr.caller = number();
    cdr.caller_out = random.below(2) != 0 ? number() : cdr.caller;
    cdr.callee_in = number();
    cdr.callee = number();
    cdr.callee_out = number();
    all.push_back(cdr);
    REQUIRE((*sink)->write(cdr).ok());
  }
  REQUIRE((*sink)->flush().ok());
  std::sort(all.begin(), all.end(), [](const Cdr& a, const Cdr& b) {
    return a.ended_at_us != b.ended_at_us ? a.ended_at_us > b.ended_at_us
                                          : a.record_id > b.record_id;
  });
  const auto matches = [](const std::string& wanted, const std::string& in, const std::string& mid,
                          const std::string& out) {
    const auto one = [&wanted](const std::string& text) {
      if (wanted.ends_with('*')) return text.starts_with(wanted.substr(0, wanted.size() - 1));
      return text == wanted;
    };
    return wanted.empty() || one(in) || one(mid) || one(out);
  };
  const CdrStore store(folder.path());
  const std::array<std::string, 7> wanted = {"", "4420", "4420*", "44*", "*", "7", "%44*"};
  for (int round = 0; round < 40; ++round) {
    CdrQuery query;
    query.caller = wanted[random.below(wanted.size())];
    query.callee = wanted[random.below(wanted.size())];
    query.limit = 1 + random.below(60);
    if (random.below(3) == 0)
      query.reason = random.below(2) != 0 ? "CalleeBusy" : "NormalCallClearing";
    if (random.below(3) == 0) query.since_us = all[random.below(all.size())].ended_at_us;
    if (random.below(3) == 0) query.until_us = all[random.below(all.size())].ended_at_us;
    std::vector<Cdr> expected;
    for (const Cdr& cdr : all) {
      if (matches(query.caller, cdr.caller_in, cdr.caller, cdr.caller_out) &&
          matches(query.callee, cdr.callee_in, cdr.callee, cdr.callee_out) &&
          (query.reason.empty() || query.reason == reason_facts(cdr.end_reason).name) &&
          (!query.since_us || cdr.ended_at_us >= *query.since_us) &&
          (!query.until_us || cdr.ended_at_us < *query.until_us)) {
        expected.push_back(cdr);
      }
    }
    std::vector<Cdr> paged;
    for (;;) {
      auto page = store.query(query);
      REQUIRE_MESSAGE(page.ok(), (page.ok() ? std::string() : page.error().message));
      CHECK(page->size() <= query.limit);
      paged.insert(paged.end(), page->begin(), page->end());
      if (page->size() < query.limit) break;
      query.before_record_id = page->back().record_id;
    }
    CHECK(paged == expected);
  }
  CdrQuery bad;
  bad.reason = "Nonsense";
  CHECK(store.query(bad).error().code == ErrorCode::invalid_argument);
  bad.reason.clear();
  bad.limit = 0;
  CHECK(store.query(bad).error().code == ErrorCode::invalid_argument);
  CHECK(CdrStore(folder / "absent").query({})->empty());
}

TEST_CASE("CdrJournal: a host without a switch gets every record into every sink (C-07)") {
  TemporaryFolder folder;
  SystemClock clock;
  SeededRandom random(9);
  auto owned = std::make_unique<ListSink>();
  ListSink& broken = *owned;
  broken.is_down = true;
  CdrJournalConfig config;
  config.folder = folder / "journal";
  config.segment_bytes = 1U << 16;
  auto opened = CdrJournal::open(config, clock);
  REQUIRE(opened.ok());
  CdrJournal& journal = **opened;
  CsvSinkConfig csv;
  csv.path = folder / "cdr.csv";
  REQUIRE(journal.add_sink("csv", std::move(*make_csv_sink(csv))).ok());
  REQUIRE(journal.add_sink("sqlite", std::move(*make_sqlite_sink(folder / "days"))).ok());
  REQUIRE(journal.add_sink("broken", std::move(owned)).ok());
  CHECK(journal.add_sink("csv", std::make_unique<ListSink>()).error().code ==
        ErrorCode::already_exists);
  CHECK(journal.add_sink("Bad Name", std::make_unique<ListSink>()).error().code ==
        ErrorCode::invalid_argument);
  CHECK(journal.append(Cdr{}).error().code == ErrorCode::wrong_state);
  REQUIRE(journal.start().ok());
  std::uint64_t last = 0;
  for (std::uint64_t i = 0; i < 2'000; ++i)
    last = journal.append(test::sample_cdr(i, random)).value();
  REQUIRE(journal.wait_durable(last, 60'000).ok());
  CHECK(journal.is_writable());
  // However slow the machine is: closing waits a time only, which the broken one uses up.
  for (bool are_up = false; !are_up; std::this_thread::yield()) {
    const auto states = journal.sinks();
    are_up = states[0].lag_records == 0 && states[1].lag_records == 0 && states[2].is_failing;
  }
  journal.close(1);
  CHECK(journal.append(Cdr{}).error().code == ErrorCode::wrong_state);
  const auto states = journal.sinks();
  REQUIRE(states.size() == 3);
  CHECK(states[0].lag_records == 0);
  CHECK(states[1].lag_records == 0);
  CHECK(states[2].is_failing);
  CHECK(lines_of(file_content(csv.path)).size() == 2'001);
  CdrQuery query;
  query.limit = 10'000;
  CHECK(CdrStore(folder / "days").query(query)->size() == 2'000);
}

namespace {

constexpr std::int64_t child_charge_units = 12'345;

/// What a switch does, for ever: promises are told through the pipe.
[[noreturn]] void live(const std::string& folder, int promises) {
  SystemClock clock;
  JournalOptions options;
  options.folder = folder + "/journal";
  options.segment_bytes = 1U << 15;
  auto journal = Journal::open(options, clock, nullptr);
  auto ledger = Ledger::open(folder + "/switch.db");
  auto days = SqliteSink::open(folder + "/days");
  CsvSinkConfig csv_config;
  csv_config.path = folder + "/cdr.csv";
  csv_config.header = false;
  auto csv = CsvSink::open(csv_config, std::make_shared<PosixDisk>());
  if (!journal || !ledger || !days || !csv) _exit(3);
  std::vector<std::unique_ptr<SinkRunner>> runners;
  for (SinkTarget* target :
       {static_cast<SinkTarget*>(ledger->get()), static_cast<SinkTarget*>(days->get()),
        static_cast<SinkTarget*>(csv->get())}) {
    SinkRunnerOptions runner_options;
    runner_options.name = "sink";
    runner_options.batch_records = 50;
    runner_options.linger_ms = 1;
    auto runner = SinkRunner::create(runner_options, **journal, *target, clock, nullptr);
    if (!runner) _exit(4);
    runners.push_back(std::move(*runner));
  }
  if (!(*journal)->start()) _exit(5);
  for (auto& runner : runners)
    runner->start_thread();
  Cdr cdr;
  cdr.ended_at_us = test::noon_us;
  cdr.customer = ChargeFacts{"acme", Amount::from_units(child_charge_units), 1, "44", "USD"};
  for (;;) {
    std::uint64_t last = 0;
    for (int i = 0; i < 5; ++i) {
      auto sequence = (*journal)->append(RecordType::end, encode(EndRecord{0, cdr}));
      if (!sequence) _exit(6);
      last = *sequence;
    }
    if (!(*journal)->wait_durable(last, 60'000)) _exit(7);
    if (::write(promises, &last, sizeof last) != sizeof last) _exit(8);
  }
}

}  // namespace

TEST_CASE(
    "crash: fifty kills of a writing process leave every sink with each promised record once (rule "
    "5)") {
  TemporaryFolder folder;
  SeededRandom random(11);
  std::uint64_t promised = 0;
  std::uint64_t promised_count = 0;
  for (int kill_count = 0; kill_count < 50; ++kill_count) {
    std::array<int, 2> ends{};
    REQUIRE(pipe(ends.data()) == 0);
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      close(ends[0]);
      live(folder.path(), ends[1]);
    }
    close(ends[1]);
    // Dies some promises after its start, at a moment that nothing there is prepared for.
    const std::uint64_t patience = random.below(8);
    std::uint64_t told = 0;
    for (std::uint64_t i = 0; i <= patience && read(ends[0], &told, sizeof told) == sizeof told;
         ++i) {
      CHECK(told > promised);
      promised = told;
      promised_count += 5;
    }
    kill(child, SIGKILL);
    while (read(ends[0], &told, sizeof told) == sizeof told) {
      promised = told;
      promised_count += 5;
    }
    close(ends[0]);
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
  }

  SystemClock clock;
  JournalOptions options;
  options.folder = folder / "journal";
  options.segment_bytes = 1U << 15;
  options.threads = false;
  auto journal = Journal::open(options, clock, nullptr);
  REQUIRE_MESSAGE(journal.ok(), (journal.ok() ? std::string() : journal.error().message));
  auto ledger = Ledger::open(folder / "switch.db");
  auto days = SqliteSink::open(folder / "days");
  CsvSinkConfig csv_config;
  csv_config.path = folder / "cdr.csv";
  csv_config.header = false;
  auto csv = CsvSink::open(csv_config, std::make_shared<PosixDisk>());
  REQUIRE((ledger.ok() && days.ok() && csv.ok()));
  for (SinkTarget* target :
       {static_cast<SinkTarget*>(ledger->get()), static_cast<SinkTarget*>(days->get()),
        static_cast<SinkTarget*>(csv->get())}) {
    auto runner = SinkRunner::create({}, **journal, *target, clock, nullptr);
    REQUIRE(runner.ok());
    REQUIRE((*runner)->catch_up((*journal)->durable_sequence()).ok());
  }
  CdrQuery query;
  query.limit = 1'000'000;
  auto stored = CdrStore(folder / "days").query(query);
  REQUIRE(stored.ok());
  // A record that became durable without being told of is there too; so the promised count is a
  // lower bound.
  CHECK(stored->size() >= promised_count);
  CHECK((*journal)->durable_sequence() >= promised);
  const auto lines = lines_of(file_content(csv_config.path));
  REQUIRE(lines.size() == stored->size());
  for (std::size_t i = 0; i < lines.size(); ++i) {
    CHECK(std::stoull(lines[i]) == (*stored)[stored->size() - 1 - i].record_id);
  }
  CHECK((*ledger)->balance("acme").value() ==
        Amount::from_units(-static_cast<std::int64_t>(stored->size()) * child_charge_units));
}
