// A folder of day files that maintenance has been over.
#pragma once

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cdr/corrections_sqlite.hpp"
#include "cdr/day_columns.hpp"
#include "cdr/day_files.hpp"
#include "cdr/day_keeper_sqlite.hpp"
#include "report_oracle.hpp"
#include "store/sqlite.hpp"
#include "tandem/cdr_query.hpp"
#include "temporary_folder.hpp"

namespace tandem::cdr::test {

inline constexpr std::int64_t first_day = noon_us / day_us;

class FreePace final : public Pace {
 public:
  Result<void> spend(std::uint64_t) override { return {}; }
  Result<void> pause() override { return {}; }
  [[nodiscard]] bool is_over() const noexcept override { return false; }
};

/// A folder of records whose days are sealed, with columns or without.
struct Sealed {
  TemporaryFolder folder;
  std::string database = folder / "switch.db";
  SimulatedClock clock{(first_day + 20) * day_us};
  FreePace pace;
  MaintenanceConfig rules;

  Sealed(const std::vector<Cdr>& records, bool has_columns) {
    rules.writes_columns = has_columns;
    write(records);
    run();
  }
  void write(const std::vector<Cdr>& records) const {
    auto sink = make_sqlite_sink(folder.path());
    REQUIRE(sink.ok());
    for (const Cdr& cdr : records)
      REQUIRE((*sink)->write(cdr).ok());
    REQUIRE((*sink)->flush().ok());
  }
  MaintenanceReport run() {
    auto keeper = DayKeeper::open({folder.path(), rules}, clock, pace);
    REQUIRE(keeper.ok());
    const MaintenanceReport report = (*keeper)->run(std::nullopt);
    for (const MaintenanceOutcome& outcome : report.outcomes)
      CHECK(outcome.failure == "");
    return report;
  }
  Result<void> act(MaintenanceAct wanted, std::int64_t day) {
    auto keeper = DayKeeper::open({folder.path(), rules}, clock, pace);
    REQUIRE(keeper.ok());
    return (*keeper)->act(wanted, day);
  }
  [[nodiscard]] std::vector<std::int64_t> days() const {
    auto days = days_in(folder.path());
    REQUIRE(days.ok());
    return *days;
  }
  [[nodiscard]] std::size_t days_with_columns() const {
    std::size_t count = 0;
    for (const std::int64_t day : days())
      count += DayColumns::open(folder.path(), day) ? 1 : 0;
    return count;
  }
  [[nodiscard]] CdrPlace place() const { return {folder.path(), database}; }
  /// Lets columns that were given up be tried again. False: they were not.
  bool try_again(std::int64_t day) const {
    return std::filesystem::remove(folder / bad_columns_name(day));
  }
  [[nodiscard]] std::string columns(std::int64_t day) const { return folder / columns_name(day); }
};

/// Corrections of every fifth record, some of them twice.
inline void correct(const std::string& database, const std::vector<Cdr>& records) {
  auto connection = store::Connection::open(database);
  REQUIRE(connection.ok());
  REQUIRE(connection->execute(corrections_schema).ok());
  auto insert =
      connection->prepare("INSERT INTO corrections VALUES(?, ?, ?, 5, 'wrong', '', NULL)");
  auto side = connection->prepare(
      "INSERT INTO correction_sides VALUES(?, ?, 'a', 'EUR', ?, ?, 10, 20, '9', 'new', 'terms')");
  REQUIRE((insert.ok() && side.ok()));
  std::int64_t id = 1'000;
  for (std::size_t i = 0; i < records.size(); i += 5) {
    for (std::size_t times = 0; times < 1 + i % 2; ++times) {
      insert->bind(1, ++id).bind(2, static_cast<std::int64_t>(records[i].record_id));
      REQUIRE(insert->bind(3, records[i].ended_at_us).run().ok());
      for (std::int64_t each = 0; each < 2; ++each) {
        side->bind(1, id).bind(2, each).bind(3, std::int64_t{100});
        REQUIRE(side->bind(4, 100 + id).run().ok());
      }
    }
  }
}

inline std::vector<Cdr> varied(std::uint64_t count, std::uint64_t seed,
                               std::uint64_t first_id = 1) {
  SeededRandom random(seed);
  std::vector<Cdr> records;
  for (std::uint64_t i = 0; i < count; ++i)
    records.push_back(varied_cdr(first_id + i, random));
  return records;
}

}  // namespace tandem::cdr::test
