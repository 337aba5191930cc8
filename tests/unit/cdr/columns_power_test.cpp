// Columns of days, and power cuts.
#include <doctest/doctest.h>

#include <filesystem>

#include "cdr/cdr_codec.hpp"
#include "cdr/cdr_rows_sqlite.hpp"
#include "cdr/cdr_sqlite.hpp"
#include "dying_disk.hpp"
#include "sealed_days.hpp"
#include "tandem/cdr_columns.hpp"
#include "unit/cdr/fault_vfs.hpp"

using namespace tandem;
using namespace tandem::cdr;
using test::content_of;
using test::DyingDisk;
using test::FaultVfs;
using test::Sealed;
using test::TemporaryFolder;
using test::varied;
using test::write_content;

namespace {

/// Numbers of the records of a day as its file has them, in the order of the list.
std::vector<std::int64_t> in_file(const std::string& folder, std::int64_t day) {
  auto rows = DayRows::open(folder, day);
  REQUIRE((rows.ok() && *rows));
  auto ids =
      (*rows)->connection().prepare("SELECT record_id FROM cdr ORDER BY ended_at_us, record_id");
  REQUIRE(ids.ok());
  std::vector<std::int64_t> all;
  for (;;) {
    auto row = ids->step();
    REQUIRE(row.ok());
    if (!*row) return all;
    all.push_back(ids->integer(0));
  }
}

/// The same as questions have them, by columns where they are used.
std::vector<std::int64_t> asked(const std::string& folder, std::int64_t day) {
  CdrColumnsRequest request;
  request.columns = {"record_id", "caller", "attempts"};
  request.filter.since_us = day * day_us;
  request.filter.until_us = (day + 1) * day_us;
  const auto columns = CdrColumns::read(folder, request);
  REQUIRE(columns.ok());
  const auto ids = *columns->integers("record_id");
  return {ids.begin(), ids.end()};
}

}  // namespace

TEST_CASE("DayColumns: a death while they are written leaves whole ones or none of use (O-08)") {
  const FaultVfs quick(FaultVfs::Medium::assumed);
  SeededRandom random(3);
  Sealed stored(varied(400, 21), true);
  const std::int64_t day = stored.days()[1];
  const std::string whole = content_of(stored.columns(day));
  const std::vector<std::int64_t> wanted = in_file(stored.folder.path(), day);
  int deaths = 0;
  for (const bool is_power_cut : {false, true}) {
    for (const bool has_bad_ones : {false, true}) {
      for (std::uint64_t steps = 1;; ++steps) {
        INFO("power cut ", is_power_cut, ", in place of bad ones ", has_bad_ones, ", step ", steps);
        std::filesystem::remove(stored.columns(day));
        if (has_bad_ones) {
          std::string bad = whole;
          bad[bad.size() / 3] ^= 1;
          write_content(stored.columns(day), bad);
          DayColumns::give_up(stored.folder.path(), day);
        }
        auto disk = std::make_shared<DyingDisk>(stored.folder.path());
        {
          auto keeper = DayKeeper::open({stored.folder.path(), stored.rules, disk}, stored.clock,
                                        stored.pace);
          REQUIRE(keeper.ok());
          disk->dies_in = steps;
          (void)(*keeper)->act(MaintenanceAct::write_columns, day);  // the folder is judged
        }
        const bool is_dead = disk->is_dead();
        deaths += is_dead ? 1 : 0;
        if (is_power_cut) disk->cut_power(random);
        if (!is_dead) CHECK(content_of(stored.columns(day)) == whole);  // durable when it is done
        if (DayColumns::open(stored.folder.path(), day))
          CHECK(content_of(stored.columns(day)) == whole);
        CHECK(asked(stored.folder.path(), day) == wanted);
        // The next run needs no help, and leaves nothing behind.
        stored.run();
        CHECK(content_of(stored.columns(day)) == whole);
        CHECK(DayColumns::open(stored.folder.path(), day).has_value());
        for (const auto& entry : std::filesystem::directory_iterator(stored.folder.path())) {
          const std::string name = entry.path().filename().string();
          CHECK_FALSE(name.ends_with(".draft"));
          CHECK_FALSE(name.ends_with(".bad"));
        }
        if (!is_dead) break;
      }
    }
  }
  CHECK(deaths > 12);
}

TEST_CASE("SqliteSink: power that goes at a late record leaves no columns without it (O-08)") {
  SeededRandom random(4);
  FaultVfs vfs;
  Sealed stored(varied(200, 22), true);
  const std::string folder = stored.folder.path();
  const std::int64_t day = stored.days()[1];
  const std::string whole = content_of(stored.columns(day));
  const std::vector<std::int64_t> before = in_file(folder, day);
  Cdr late;  // of that day
  for (std::uint64_t id = 1'000; day_of(late.ended_at_us) != day; ++id)
    late = test::varied_cdr(id, random);
  const std::string payload = encode(EndRecord{0, late});
  const RecordView view{late.record_id, RecordType::end, payload};

  const TemporaryFolder sealed;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    std::filesystem::copy(entry.path(), sealed / entry.path().filename().string());
  std::uint64_t deaths = 0, deaths_without_columns = 0, deaths_with_both = 0;
  for (const bool is_of_disk : {true, false}) {
    for (std::uint64_t steps = 1;; ++steps) {
      INFO("a step of the disk ", is_of_disk, ", number ", steps);
      for (const auto& entry : std::filesystem::directory_iterator(folder))
        std::filesystem::remove(entry.path());
      std::filesystem::copy(sealed.path(), folder);
      vfs.forget();
      bool is_dead = false;
      bool is_taken = false;
      {
        auto disk = std::make_shared<DyingDisk>(folder);
        disk->beside = &vfs;
        auto sink = SqliteSink::open(folder, disk);
        REQUIRE(sink.ok());
        (is_of_disk ? disk->dies_in : vfs.dies_in) = steps;  // not of those of the start
        is_taken = (*sink)->write_batch({&view, 1}, late.record_id).ok();
        sink->reset();  // closing empties the log into the file
        is_dead = vfs.is_dead();
        vfs.die();
        vfs.restore(random);
        disk->cut_power(random);
      }
      const bool has_columns = std::filesystem::exists(stored.columns(day));
      const std::vector<std::int64_t> now = in_file(folder, day);
      if (is_taken && !is_dead) CHECK(now.size() == before.size() + 1);
      // Whatever the file looks like: a size and a time that are those of before prove nothing.
      if (has_columns) {
        CHECK(content_of(stored.columns(day)) == whole);
        CHECK(now == before);
      }
      CHECK(asked(folder, day) == now);
      deaths += is_dead ? 1 : 0;
      deaths_without_columns += is_dead && !has_columns && now == before ? 1 : 0;
      deaths_with_both += is_dead && has_columns ? 1 : 0;
      // The journal offers it again.
      {
        auto sink = SqliteSink::open(folder);
        REQUIRE(sink.ok());
        REQUIRE((*sink)->write_batch({&view, 1}, late.record_id).ok());
      }
      CHECK(in_file(folder, day).size() == before.size() + 1);
      CHECK(asked(folder, day) == in_file(folder, day));
      if (!is_dead) break;
    }
  }
  CHECK(deaths > 10);
  CHECK(deaths_without_columns > 0);
  CHECK(deaths_with_both > 0);
}
