#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "cdr/cdr_sqlite.hpp"
#include "cdr/files_sink.hpp"
#include "cdr/ledger_sqlite.hpp"
#include "cdr/sink_runner.hpp"
#include "fault_disk.hpp"
#include "fault_vfs.hpp"
#include "sample_cdr.hpp"
#include "support/sanitizers.hpp"
#include "tandem/cdr_query.hpp"
#include "temporary_folder.hpp"

using namespace tandem;
using namespace tandem::cdr;
using test::FaultDisk;
using test::FaultVfs;
using test::TemporaryFolder;

namespace {

/// A journal with three sinks on media that lose power together.
struct Station {
  TemporaryFolder folder;
  FaultVfs vfs;
  std::shared_ptr<FaultDisk> disk = std::make_shared<FaultDisk>();
  SimulatedClock clock;
  std::unique_ptr<Journal> journal;
  std::unique_ptr<SqliteSink> days;
  std::shared_ptr<Ledger> ledger;
  std::unique_ptr<FilesSink> files;
  std::vector<std::unique_ptr<SinkRunner>> runners;

  /// False: the power went while it started.
  bool open() {
    JournalOptions options;
    options.folder = "/j";
    options.segment_bytes = 1U << 16;
    options.queue_records = 256;  // making the usual one for each life takes its time
    options.threads = false;
    options.disk = disk;
    auto opened = Journal::open(std::move(options), clock, nullptr);
    REQUIRE_MESSAGE(opened.ok(), (opened.ok() ? std::string() : opened.error().message));
    journal = std::move(*opened);
    auto opened_days = SqliteSink::open(folder / "days");
    auto opened_ledger = Ledger::open(folder / "switch.db");
    auto opened_files = FilesSink::open({.folder = "/f", .records_max = 7, .files_max = 0}, disk);
    if (vfs.is_dead()) return false;
    REQUIRE_MESSAGE(opened_days.ok(),
                    (opened_days.ok() ? std::string() : opened_days.error().message));
    REQUIRE_MESSAGE(opened_ledger.ok(),
                    (opened_ledger.ok() ? std::string() : opened_ledger.error().message));
    REQUIRE(opened_files.ok());
    days = std::move(*opened_days);
    ledger = std::move(*opened_ledger);
    files = std::move(*opened_files);
    add("files", *files);
    add("days", *days);
    add("ledger", *ledger);
    REQUIRE(journal->start().ok());
    return true;
  }
  void add(const char* name, SinkTarget& target) {
    SinkRunnerOptions options;
    options.name = name;
    options.batch_records = 5;
    auto runner = SinkRunner::create(std::move(options), *journal, target, clock, nullptr);
    REQUIRE_MESSAGE(runner.ok(), (runner.ok() ? std::string() : runner.error().message));
    runners.push_back(std::move(*runner));
  }
  void lose_power(Random& random) {
    vfs.die();  // what closing would still write is never written
    runners.clear();
    files.reset();
    days.reset();
    ledger.reset();
    journal.reset();
    vfs.restore(random);
    disk->cut_power(random);
  }
};

}  // namespace

TEST_CASE("Power cuts: every record that was acknowledged is in every sink exactly once (C-07)") {
  constexpr std::uint64_t seeds = checked_build::is_sanitized ? 12 : 60;
  std::uint64_t cuts = 0;
  std::uint64_t acknowledged_total = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    SeededRandom random(seed);
    Station station;
    std::map<std::uint64_t, Cdr> given;
    std::set<std::uint64_t> acknowledged;
    for (int life = 0; life < 20; ++life) {
      // The power goes at any change of a file, that of the start and the migrations included.
      station.vfs.dies_in = 1 + random.below(life == 0 ? 400 : 250);
      std::set<std::uint64_t> of_this_life;  // numbers of those before may have been left out
      if (station.open()) {
        for (std::uint64_t round = 1 + random.below(5); round > 0 && !station.vfs.is_dead();
             --round) {
          for (std::uint64_t n = random.below(12); n > 0; --n) {
            Cdr cdr = test::sample_cdr(random.below(2) * 86'400 + random.below(600), random);
            auto id = station.journal->append(RecordType::end, encode(EndRecord{0, cdr}));
            REQUIRE(id.ok());
            cdr.record_id = *id;
            given[*id] = cdr;
            of_this_life.insert(*id);
          }
          if (random.below(4) == 0) station.disk->fail_sync_in = 1 + random.below(3);
          station.journal->pump();
          for (const std::uint64_t id : of_this_life) {
            if (id <= station.journal->durable_sequence()) acknowledged.insert(id);
          }
          for (const auto& runner : station.runners) {
            if (!station.vfs.is_dead()) runner->pump();
          }
          station.disk->fail_sync_in = 0;
          station.clock.advance_us(11'000'000);
        }
      }
      station.lose_power(random);
      ++cuts;
    }
    REQUIRE(station.open());
    for (int i = 0; i < 3; ++i) {
      station.journal->pump();
      for (const auto& runner : station.runners)
        CHECK(runner->pump());
    }
    acknowledged_total += acknowledged.size();

    CdrQuery query;
    query.limit = 1'000'000;
    const auto stored = CdrStore(station.folder / "days").query(query);
    REQUIRE_MESSAGE(stored.ok(), (stored.ok() ? std::string() : stored.error().message));
    std::set<std::uint64_t> in_days;
    std::map<std::string, std::int64_t> charged;
    for (const Cdr& cdr : *stored) {
      CHECK(in_days.insert(cdr.record_id).second);
      REQUIRE(given.contains(cdr.record_id));
      CHECK(cdr == given[cdr.record_id]);
      charged[cdr.customer.account] -= cdr.customer.charge.units();
      charged[cdr.vendor->account] -= cdr.vendor->charge.units();
    }
    std::erase_if(charged, [](const auto& entry) { return entry.second == 0; });
    CHECK(std::includes(in_days.begin(), in_days.end(), acknowledged.begin(), acknowledged.end()));

    std::map<std::string, std::int64_t> balances;
    const auto all_balances = station.ledger->balances();
    REQUIRE(all_balances.ok());
    for (const auto& [account, balance] : *all_balances)
      balances[account] = balance.units();
    CHECK(balances == charged);

    REQUIRE(station.files->idle(station.clock.wall_us() + 366LL * 86'400'000'000).ok());
    std::set<std::uint64_t> in_files;
    const auto listed = station.disk->list("/f");
    REQUIRE(listed.ok());
    for (const std::string& name : *listed) {
      if (name.starts_with(".")) continue;
      std::string text = read_file(*station.disk, "/f/" + name).value();
      for (std::size_t end = 0; (end = text.find('\n')) != std::string::npos;
           text.erase(0, end + 1))
        CHECK(in_files.insert(std::stoull(text.substr(text.rfind('|', end) + 1))).second);
      CHECK(text.empty());
    }
    CHECK(in_files == in_days);
  }
  CHECK(cuts == seeds * 20);
  CHECK(acknowledged_total > seeds * 80);
}
