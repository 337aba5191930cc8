// What the SQL sinks have in common, with a database in memory that fails on purpose.
#include "remote/sql_sink.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "cdr/day_files.hpp"
#include "remote/connection_text.hpp"
#include "remote/sql_columns.hpp"
#include "remote/sql_factories.hpp"
#include "sink_line.hpp"

using namespace tandem;
using namespace tandem::remote;
using namespace tandem::remote::test;

namespace {

/// The database behind the sessions.
struct FakeDatabase {
  std::vector<std::uint64_t> rows;
  std::map<std::string, SqlPlace> places;
  std::set<std::int64_t> partitions;
  std::set<std::uint64_t> poison;
  bool is_down = false;
  bool fails_care = false;
  bool has_lock = false;  // somebody's long query keeps partitions from being dropped
  bool swallows = false;  // connections time out
  int drop_tries = 0;
  std::int64_t cleared_before = 0;
  std::int64_t clock_us = 0;
  int fail_begin = 0, fail_rows = 0, lose_commit = 0, lose_acknowledgement = 0;  // counted down
  int connections = 0;
};

bool comes_now(int& counter) { return counter > 0 && --counter == 0; }

class FakeSession final : public SqlSession {
 public:
  FakeSession(FakeDatabase& database, std::string source)
      : database_(database), source_(std::move(source)) {}
  Result<void> make_tables() override { return {}; }
  Result<SqlPlace> begin() override {
    if (database_.is_down || comes_now(database_.fail_begin)) return lost();
    added_.clear();
    return database_.places[source_];
  }
  Result<void> add_rows(std::span<const Cdr> cdrs) override {
    if (comes_now(database_.fail_rows)) return lost();
    for (const Cdr& cdr : cdrs) {
      if (database_.poison.contains(cdr.record_id)) {
        added_.clear();
        return Error{ErrorCode::invalid_argument, "check constraint failed"};
      }
      added_.push_back(cdr.record_id);
      if (cdr.record_id > database_.places[source_].sequence &&
          !database_.partitions.contains(sql_day(cdr)))
        return Error{ErrorCode::io, "no partition"};
    }
    return {};
  }
  Result<void> commit(const SqlPlace& place) override {
    if (comes_now(database_.lose_commit)) return lost();
    database_.rows.insert(database_.rows.end(), added_.begin(), added_.end());
    database_.places[source_] = place;
    if (comes_now(database_.lose_acknowledgement)) return lost();
    return {};
  }
  Result<void> roll_back() override {
    added_.clear();
    return {};
  }
  Result<void> make_room(const std::set<std::int64_t>& days) override {
    database_.partitions.insert(days.begin(), days.end());
    return {};
  }
  Result<std::set<std::int64_t>> days() override {
    if (database_.fails_care) return lost();
    return database_.partitions;
  }
  Result<void> add_day(std::int64_t day) override {
    database_.partitions.insert(day);
    return {};
  }
  Result<void> drop_day(std::int64_t day) override {
    ++database_.drop_tries;
    if (database_.has_lock) return Error{ErrorCode::limit, "lock was not available"};
    database_.partitions.erase(day);
    return {};
  }
  Result<void> clear_dropped(std::int64_t before_day) override {
    database_.cleared_before = before_day;
    return {};
  }
  Result<std::int64_t> wall_us() override { return database_.clock_us; }

 private:
  static Error lost() { return {ErrorCode::io, "connection was lost"}; }
  FakeDatabase& database_;
  std::string source_;
  std::vector<std::uint64_t> added_;
};

struct Stored {
  SinkLine line;
  FakeDatabase database;
  std::unique_ptr<SqlSink> sink;
  CdrSqlConfig config;
  SqlRetention retention;

  Stored() {
    config.folder = "/sql";
    config.connection = "host=db";
    config.batch_records = 10;
    database.clock_us = line.clock.wall_us();
  }
  Result<std::unique_ptr<SqlSink>> make() {
    return SqlSink::open(
        config, line.disk, line.clock,
        [this](std::int32_t timeout_ms) -> Result<std::unique_ptr<SqlSession>> {
          if (database.swallows) {
            line.clock.advance_us(std::int64_t{timeout_ms} * 1'000);
            return Error{ErrorCode::timeout, "deadline passed"};
          }
          if (database.is_down) return Error{ErrorCode::io, "no server"};
          ++database.connections;
          return std::unique_ptr<SqlSession>(
              std::make_unique<FakeSession>(database, config.source));
        },
        retention);
  }
  void open(std::uint32_t set_aside_after = 0) {
    line.close();
    sink.reset();
    auto made = make();
    REQUIRE(made.ok());
    sink = std::move(*made);
    line.open(*sink, set_aside_after);
  }
};

}  // namespace

TEST_CASE(
    "SqlSink: any step may fail, and its acknowledgement be lost: no row twice, none missing "
    "(C-03)") {
  SeededRandom random(3);
  for (int round = 0; round < 60; ++round) {
    Stored stored;
    stored.open();
    for (int step = 0; step < 8; ++step) {
      stored.line.append(1 + random.below(30));
      int* const failures[] = {&stored.database.fail_begin, &stored.database.fail_rows,
                               &stored.database.lose_commit, &stored.database.lose_acknowledgement};
      *failures[random.below(4)] = 1 + static_cast<int>(random.below(4));
      (void)stored.line.runner->pump();
      stored.line.clock.advance_us(31'000'000);
      if (random.below(3) == 0) stored.open();
    }
    for (int* left : {&stored.database.fail_begin, &stored.database.fail_rows,
                      &stored.database.lose_commit, &stored.database.lose_acknowledgement})
      *left = 0;
    CHECK(stored.line.drain());
    CHECK(stored.database.rows == stored.line.ids);
  }
}

TEST_CASE("SqlSink: a power cut of ours between commit and place doubles nothing (C-03)") {
  SeededRandom random(5);
  for (int round = 0; round < 40; ++round) {
    Stored stored;
    stored.open();
    for (int step = 0; step < 5; ++step) {
      stored.line.append(1 + random.below(25));
      stored.line.disk->fail_write_in = 1 + random.below(8);
      stored.line.disk->fails_on = true;
      (void)stored.line.runner->pump();
      const std::uint64_t durable = stored.line.journal->durable_sequence();
      stored.line.close();
      stored.sink.reset();
      stored.line.disk->cut_power(random);
      std::erase_if(stored.line.ids, [&](auto id) { return id > durable; });
      stored.line.clock.advance_us(31'000'000);
      stored.database.is_down = random.below(2) == 0;  // then the kept place must do
      stored.open();
      stored.database.is_down = false;
    }
    stored.line.append(1);
    CHECK(stored.line.drain());
    // What was durable is there once. A record that was written, but not yet known to be durable,
    // may have survived too.
    const std::set<std::uint64_t> unique(stored.database.rows.begin(), stored.database.rows.end());
    CHECK(unique.size() == stored.database.rows.size());
    CHECK(std::all_of(stored.line.ids.begin(), stored.line.ids.end(),
                      [&](auto id) { return unique.contains(id); }));
    CHECK(*unique.rbegin() <= stored.line.journal->durable_sequence());
  }
}

TEST_CASE("SqlSink: a switch starts and records while the server is away for a day (C-03)") {
  Stored stored;
  stored.database.is_down = true;
  stored.open();
  stored.line.append(30);
  for (int minute = 0; minute < 24 * 60; ++minute) {
    CHECK_FALSE(stored.line.runner->pump());
    stored.line.clock.advance_us(60'000'000);
  }
  stored.open();  // and starts again meanwhile
  stored.line.append(5);
  stored.database.is_down = false;
  CHECK(stored.line.drain());
  CHECK(stored.database.rows == stored.line.ids);
}

TEST_CASE("SqlSink: a row that the database refuses is set aside, the others are stored (C-03)") {
  Stored stored;
  stored.open(2);
  stored.line.append(40);
  stored.database.poison = {stored.line.ids[0], stored.line.ids[25]};
  CHECK(stored.line.drain());
  std::vector<std::uint64_t> expected;
  for (const std::uint64_t id : stored.line.ids) {
    if (!stored.database.poison.contains(id)) expected.push_back(id);
  }
  CHECK(stored.database.rows == expected);
  CHECK(stored.line.runner->state().set_aside == 2);
}

TEST_CASE("SqlSink: a database that was set back is told of, and a restart fills it again (C-03)") {
  Stored stored;
  stored.open();
  stored.line.append(20);
  CHECK(stored.line.drain());
  const auto rows = stored.database.rows;
  stored.database.rows.resize(5);  // a backup of before
  stored.database.places["tandem"].sequence = rows[4];
  stored.line.append(1);
  CHECK_FALSE(stored.line.drain(31'000'000, 5));
  CHECK(stored.line.runner->state().last_error.find("set back") != std::string::npos);
  stored.open();
  CHECK(stored.line.drain());
  CHECK(stored.database.rows == stored.line.ids);
}

TEST_CASE(
    "SqlSink: two switches under one source name are told apart before a record is lost (C-03)") {
  Stored stored;
  stored.open();
  stored.line.append(3);
  CHECK(stored.line.drain());
  stored.line.close();
  stored.sink.reset();
  stored.config.folder = "/other";
  auto other = stored.make();
  REQUIRE(other.ok());
  const auto place = (*other)->position();
  REQUIRE_FALSE(place.ok());
  CHECK(place.error().code == ErrorCode::already_exists);
  CHECK(place.error().message.find("belonged to another switch") != std::string::npos);
  stored.config.source = "second";
  other->reset();
  auto named = stored.make();
  REQUIRE(named.ok());
  CHECK((*named)->position().value() == 0);
}

TEST_CASE("SqlSink: partitions are made ahead and retired on schedule, once an hour (O-08, O-09)") {
  Stored stored;
  stored.config.retention_days = 30;
  stored.config.ahead_days = 2;
  stored.open();
  const std::int64_t today = cdr::day_of(stored.line.clock.wall_us());
  stored.database.partitions = {today - 40, today - 31, today - 30, today - 1};
  CHECK(stored.line.drain());
  CHECK(stored.database.partitions ==
        std::set<std::int64_t>{today - 30, today - 1, today, today + 1, today + 2});
  CHECK(stored.database.cleared_before == today - 30);
  stored.database.partitions.insert(today - 99);
  stored.line.clock.advance_us(3'599'000'000);
  CHECK(stored.line.drain());
  CHECK(stored.database.partitions.contains(today - 99));
  stored.line.clock.advance_us(1'000'000);
  CHECK(stored.line.drain());
  CHECK_FALSE(stored.database.partitions.contains(today - 99));
  // What goes wrong is told, and tried again.
  stored.database.fails_care = true;
  stored.line.clock.advance_us(3'600'000'000);
  CHECK(stored.line.runner->pump());
  CHECK(stored.line.runner->state().is_failing);
  stored.database.fails_care = false;
  stored.line.clock.advance_us(60'000'000);
  CHECK(stored.line.runner->pump());
  CHECK_FALSE(stored.line.runner->state().is_failing);
}

TEST_CASE("SqlSink: a partition that has to stay is looked at each hour, others go (O-09)") {
  /// Keeps one day, and remembers what was retired.
  struct Guard final : cdr::DayGuard {
    Result<std::string> why_kept(std::int64_t day) override {
      if (fails) return Error{ErrorCode::io, "database was locked"};
      return day == kept ? std::string("record 7 of it is disputed") : std::string();
    }
    Result<bool> remove_day(std::int64_t, std::string&,
                            const std::function<Result<void>()>&) override {
      return false;
    }
    Result<void> note_retired(std::int64_t day, const std::string& sink) override {
      retired += std::to_string(day - kept) + " " + sink + " ";
      return {};
    }
    Result<void> forget_retired(std::int64_t day, const std::string&) override {
      retired += "not " + std::to_string(day - kept) + " ";
      return {};
    }
    std::int64_t kept = 0;
    bool fails = false;
    std::string retired;
  };
  Stored stored;
  const auto guard = std::make_shared<Guard>();
  const std::int64_t today = cdr::day_of(stored.line.clock.wall_us());
  guard->kept = today - 40;
  stored.retention = {guard, "postgresql-1"};
  stored.config.retention_days = 30;
  stored.config.ahead_days = 0;
  stored.open();
  stored.database.partitions = {today - 41, today - 40, today - 39, today};
  CHECK(stored.line.drain());
  CHECK(stored.database.partitions == std::set<std::int64_t>{today - 40, today});
  CHECK(guard->retired == "-1 postgresql-1 1 postgresql-1 ");
  CHECK_FALSE(stored.line.runner->state().is_failing);  // a day that is kept is no failure

  // What nobody can say for certain is not deleted.
  guard->fails = true;
  guard->kept = 0;
  stored.line.clock.advance_us(3'600'000'000);
  CHECK(stored.line.drain());
  CHECK(stored.database.partitions.contains(today - 40));
  CHECK(stored.line.runner->state().last_error == "database was locked");
  CHECK(stored.database.connections == 2);  // at the start, and the sink's own
  guard->fails = false;

  // It is written down before it is done, and struck out when it was not.
  guard->kept = today;
  guard->retired.clear();
  stored.database.has_lock = true;
  stored.line.clock.advance_us(3'600'000'000);
  CHECK(stored.line.drain());
  CHECK(stored.database.partitions.contains(today - 40));
  CHECK(guard->retired == "-40 postgresql-1 not -40 ");
  stored.database.has_lock = false;
  stored.line.clock.advance_us(3'600'000'000);
  CHECK(stored.line.drain());
  CHECK_FALSE(stored.database.partitions.contains(today - 40));
}

TEST_CASE("SqlSink: a partition that cannot be dropped for a day holds up no record (O-09)") {
  Stored stored;
  stored.config.retention_days = 30;
  stored.open();
  const std::int64_t today = cdr::day_of(stored.line.clock.wall_us());
  stored.database.partitions = {today - 40};
  stored.database.has_lock = true;
  for (int second = 0; second < 24 * 3'600; second += 10) {
    stored.line.append(1);
    REQUIRE(stored.line.runner->pump());
    REQUIRE(stored.database.rows.size() == stored.line.ids.size());
    stored.line.clock.advance_us(10'000'000);
  }
  CHECK(stored.database.drop_tries <= 30);
  CHECK(stored.database.connections == 2);  // at the start, and the sink's own
  const CdrSinkState failing = stored.line.runner->state();
  CHECK(failing.is_failing);
  CHECK(failing.failures == 0);
  CHECK(failing.last_error == "lock was not available");
  stored.database.has_lock = false;
  stored.line.clock.advance_us(3'600'000'000);
  CHECK(stored.line.runner->pump());
  CHECK_FALSE(stored.database.partitions.contains(today - 40));
  CHECK_FALSE(stored.line.runner->state().is_failing);
}

TEST_CASE("SqlSink: partitions are looked after on a switch that is never quiet (O-08)") {
  Stored stored;
  /// There is always one record more, as long as the sink's next care has not come.
  class Busy final : public cdr::SinkTarget {
   public:
    explicit Busy(Stored& stored) : stored_(stored) {}
    void set_pace(cdr::SinkRunnerOptions& options) const override {
      stored_.sink->set_pace(options);
    }
    Result<std::uint64_t> position() override { return stored_.sink->position(); }
    Result<void> write_batch(std::span<const cdr::RecordView> records,
                             std::uint64_t through) override {
      auto done = stored_.sink->write_batch(records, through);
      stored_.line.clock.advance_us(10'000'000);
      if (++batches < 1'000 && days_seen < 3) stored_.line.append(1);
      return done;
    }
    Result<void> idle(std::int64_t wall_us) override {
      auto done = stored_.sink->idle(wall_us);
      const std::int64_t today = cdr::day_of(wall_us);
      if (batches < 1'000 && stored_.database.partitions.contains(today + 3)) days_seen = 3;
      return done;
    }
    int batches = 0;
    int days_seen = 0;

   private:
    Stored& stored_;
  };
  auto made = stored.make();
  REQUIRE(made.ok());
  stored.sink = std::move(*made);
  Busy busy(stored);
  stored.line.open(busy);
  stored.line.append(1);
  CHECK(stored.line.runner->pump());
  CHECK(busy.batches < 10);
  CHECK(busy.days_seen == 3);
  stored.line.close();
}

TEST_CASE("SqlSink: a server that swallows everything holds up the start for two seconds (C-03)") {
  Stored stored;
  stored.open();
  stored.line.append(20);
  CHECK(stored.line.drain());
  stored.database.swallows = true;
  const std::int64_t begin_us = stored.line.clock.monotonic_us();
  stored.open();
  CHECK(stored.line.clock.monotonic_us() - begin_us <= 2'000'000);
  stored.line.append(5);
  stored.database.swallows = false;
  CHECK(stored.line.drain());
  CHECK(stored.database.rows == stored.line.ids);
}

TEST_CASE("SqlSink: tables that were made anew leave no gap that nobody is told of (C-03)") {
  Stored stored;
  stored.open();
  stored.line.append(20);
  CHECK(stored.line.drain());
  stored.database.rows.clear();
  stored.database.places.clear();
  stored.open();
  stored.line.append(5);
  CHECK_FALSE(stored.line.drain(31'000'000, 5));
  CHECK(stored.line.runner->state().last_error.find("to nothing") != std::string::npos);
  CHECK(stored.database.rows.empty());
  stored.database.places["tandem"].sequence = stored.line.ids[19];  // as the message asks
  CHECK(stored.line.drain());
  CHECK(stored.database.rows ==
        std::vector<std::uint64_t>(stored.line.ids.begin() + 20, stored.line.ids.end()));
}

TEST_CASE("SqlSink: a table of an earlier version is told which columns it lacks (C-03)") {
  const auto type_name = [](SqlType) { return "text"; };
  std::string all = sql_column_names();
  std::erase(all, ',');
  CHECK(sql_missing_columns(all + " of_the_host", type_name).names.empty());
  const std::size_t end = all.rfind(' ');
  const std::string last = all.substr(end + 1);
  const MissingColumns missing = sql_missing_columns(all.substr(0, end), type_name);
  CHECK(missing.names == '"' + last + '"');
  CHECK(missing.additions == "ADD COLUMN IF NOT EXISTS " + last + " text NULL");
}

TEST_CASE("SqlSink: one wrong clock retires nothing (O-09)") {
  const std::set<std::int64_t> days{90, 95, 99, 100};
  CHECK(plan_partitions(days, 100, 100, 1, 5).drop == std::vector<std::int64_t>{90});
  CHECK(plan_partitions(days, 5'000, 100, 1, 5).drop == std::vector<std::int64_t>{90});
  CHECK(plan_partitions(days, 100, 5'000, 1, 5).drop == std::vector<std::int64_t>{90});
  CHECK(plan_partitions(days, 100, 0, 1, 5).drop.empty());
  CHECK(plan_partitions(days, 100, 100, 1, 0).drop.empty());
  CHECK(plan_partitions(days, 100, 100, 2, 5).add == std::vector<std::int64_t>{101, 102});
  CHECK(plan_partitions(days, 100, 100, 0, 5).add.empty());
  CHECK(plan_partitions(days, 5'000, 100, 1, 0).add == std::vector<std::int64_t>{101, 102});
}

TEST_CASE("SqlSink: a row has a value for each column (C-03)") {
  struct Counter {
    std::vector<SqlType> types;
    std::vector<bool> nulls;
    void add(SqlType type, bool is_null = false) {
      types.push_back(type);
      nulls.push_back(is_null);
    }
    void text(std::string_view) { add(SqlType::text); }
    void number(std::int64_t) { add(SqlType::number); }
    void amount(Amount) { add(SqlType::amount); }
    void time(std::int64_t) { add(SqlType::time); }
    void null() { add(SqlType::text, true); }
  };
  SeededRandom random(1);
  std::string scratch;
  Cdr full = cdr::test::sample_cdr(2, random);
  full.agent = ChargeFacts{"agent", Amount{}, 1, "4", "USD"};
  full.answered_at_us = full.started_at_us;
  for (const Cdr& cdr : {full, Cdr{}}) {
    Counter row;
    write_sql_row(row, cdr, "tandem", scratch);
    REQUIRE(row.types.size() == sql_columns.size());
    for (std::size_t i = 0; i < row.types.size(); ++i) {
      const SqlColumn& column = sql_columns[i];
      CAPTURE(column.name);
      if (row.nulls[i]) {
        CHECK(column.is_nullable);
      } else {
        const SqlType kind = column.type == SqlType::name || column.type == SqlType::json
                                 ? SqlType::text
                             : column.type == SqlType::small ? SqlType::number
                                                             : column.type;
        CHECK(row.types[i] == kind);
      }
    }
  }
  CHECK(day_of_partition(partition_of_day("e_cdr", 20'782), "e_cdr") == 20'782);
  CHECK(partition_of_day("e_cdr", 20'782) == "e_cdr_20261125");
  CHECK_FALSE(day_of_partition("e_cdr_place", "e_cdr"));
  CHECK_FALSE(day_of_partition("e_cdr_20261399", "e_cdr"));
}

TEST_CASE("SqlSink: a configuration that cannot work is refused, and no password is told (C-03)") {
  CdrSqlConfig config;
  config.folder = "/x";
  config.connection = "host=db";
  const auto refusal = [](CdrSqlConfig changed) {
    const auto checked = check_cdr_sql(changed);
    return checked ? std::string("taken") : checked.error().message;
  };
  CHECK(refusal(config) == "taken");
  for (const char* table : {"", "1a", "a-b", "Cdr", "a;drop", "a.b"}) {
    CAPTURE(table);
    CdrSqlConfig bad = config;
    bad.table = table;
    CHECK(refusal(bad).starts_with("table \""));
  }
  for (const char* source : {"", "a'b", "a b"}) {
    CdrSqlConfig bad = config;
    bad.source = source;
    CHECK(refusal(bad).starts_with("source \""));
  }
  CdrSqlConfig bad = config;
  bad.retention_days = -1;
  CHECK(refusal(bad).starts_with("retention_days \"-1\""));
  bad = config;
  bad.connection.clear();
  CHECK(refusal(bad).starts_with("connection \"\""));

  const auto read = parse_mariadb_connection(
      "host=db.example  port = 3307 user='o\\'neil' password='a b' database=cdr tls_ca=/ca.pem");
  REQUIRE(read.ok());
  CHECK(read->host == "db.example");
  CHECK(read->port == 3307);
  CHECK(read->user == "o'neil");
  CHECK(read->password == "a b");
  for (const char* text :
       {"", "host=a", "database=a user", "database=a host='b", "database=a x=s3cret",
        "database=a port=0", "database=a database=s3cret"}) {
    CAPTURE(text);
    const auto refused = parse_mariadb_connection(text);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().message.find("s3cret") == std::string::npos);
  }
}
