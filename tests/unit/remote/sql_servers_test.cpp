// The SQL sinks against the real servers, which the test starts.
#include <doctest/doctest.h>

#include <cstdio>
#include <set>
#include <thread>

#include "cdr/day_files.hpp"
#include "database_server.hpp"
#include "remote/sql_columns.hpp"
#include "remote/sql_factories.hpp"
#include "sink_line.hpp"

using namespace tandem;
using namespace tandem::remote;
using namespace tandem::remote::test;

namespace {

struct Kind {
  SqlServer server;
  const char* name;
};
constexpr Kind kinds[] = {{SqlServer::postgresql, "postgresql"}, {SqlServer::mariadb, "mariadb"}};

std::unique_ptr<DatabaseServer> make_server(SqlServer server) {
  if (server == SqlServer::mariadb) return std::make_unique<MariadbServer>();
  return std::make_unique<PostgresqlServer>();
}

/// A server, and a sink that writes to it from a journal in virtual time.
struct Real {
  std::unique_ptr<DatabaseServer> server;
  SqlServer kind;
  SystemClock clock;
  SinkLine line;
  CdrSqlConfig config;
  std::unique_ptr<SqlSink> sink;

  explicit Real(SqlServer its_kind) : server(make_server(its_kind)), kind(its_kind) {
    config.folder = "/sql";
    config.connection = server->connection();
    config.batch_records = 500;
  }
  /// False: there is no such server here; a line tells.
  bool start() {
    if (!make_connector(kind, config, clock)) {
      std::printf("not run: this build has no such sink\n");
      return false;
    }
    const std::string trouble = server->start();
    if (trouble.ends_with("is not installed")) {
      std::printf("not run: %s\n", trouble.c_str());
      return false;
    }
    REQUIRE_MESSAGE(trouble.empty(), trouble);
    return true;
  }
  void open(std::uint32_t set_aside_after = 0) {
    line.close();
    sink.reset();
    auto made = open_sql_sink(kind, config, line.disk, clock);
    REQUIRE_MESSAGE(made.ok(), (made.ok() ? std::string() : made.error().message));
    sink = std::move(*made);
    line.open(*sink, set_aside_after);
  }
  /// Pauses of the runner are in virtual time, so that this is as fast as the server is.
  void drain() { REQUIRE_MESSAGE(line.drain(31'000'000, 20), line.runner->state().last_error); }
  std::string ask(const std::string& sql) { return server->ask(sql); }
  void check_holds(const std::vector<std::uint64_t>& ids) {
    CHECK(ask("SELECT count(*), count(DISTINCT record_id), min(record_id), max(record_id), "
              "sum(record_id) FROM " +
              config.table) == totals(ids));
  }
  [[nodiscard]] std::string totals(const std::vector<std::uint64_t>& ids) const {
    std::uint64_t sum = 0;
    for (const std::uint64_t id : ids)
      sum += id;
    const std::string between = kind == SqlServer::mariadb ? "\t" : "|";
    const std::set<std::uint64_t> unique(ids.begin(), ids.end());
    return std::to_string(ids.size()) + between + std::to_string(unique.size()) + between +
           std::to_string(*unique.begin()) + between + std::to_string(*unique.rbegin()) + between +
           std::to_string(sum);
  }
};

}  // namespace

TEST_CASE("SQL sinks: rows come exactly as they were, whatever bytes they have (C-03)") {
  for (const Kind& kind : kinds) {
    CAPTURE(std::string(kind.name));
    Real real(kind.server);
    if (!real.start()) continue;
    real.open();
    SeededRandom random(2);
    Cdr cdr = cdr::test::sample_cdr(2, random);
    cdr.caller_in = "tab\there \\ back'slash\n\"q\"";
    cdr.caller = std::string("nul\0byte", 8);
    cdr.caller_out = "bad \xff\xfe utf8";
    cdr.callee_in = "\xf0\x9f\x93\x9e Füße";
    cdr.call_id = "\\N";
    cdr.answered_at_us = 0;
    cdr.pdd_ms = -1;
    cdr.customer.charge = Amount::from_units(INT64_MAX);
    cdr.vendor->charge = Amount::from_units(-123'456'789);
    cdr.customer_gateway = std::nullopt;
    cdr.ended_at_us = 1'795'608'000'123'456;  // 2026-11-25T12:00:00.123456Z
    auto sequence =
        real.line.journal->append(cdr::RecordType::end, cdr::encode(cdr::EndRecord{0, cdr}));
    REQUIRE(sequence.ok());
    real.line.ids.push_back(*sequence);
    real.line.journal->pump();
    real.drain();
    const auto equal = [&](const std::string& column, const std::string& value) {
      CAPTURE(column);
      CHECK(real.ask("SELECT count(*) FROM cdr WHERE " + column + " = " + value) == "1");
    };
    const bool is_maria = kind.server == SqlServer::mariadb;
    equal("caller_in", is_maria ? "'tab\\there \\\\ back''slash\\n\"q\"'"
                                : "E'tab\\there \\\\ back''slash\\n\"q\"'");
    equal("caller",
          "'nul\xEF\xBF\xBD"
          "byte'");
    equal("caller_out", "'bad \xEF\xBF\xBD\xEF\xBF\xBD utf8'");
    equal("callee_in", "'\xf0\x9f\x93\x9e Füße'");
    equal("call_id", is_maria ? "'\\\\N'" : "'\\N'");
    equal("charge", "92233720368.54775807");
    equal("vendor_charge", "-1.23456789");
    equal("source", "'tandem'");
    equal("record_id", std::to_string(*sequence));
    equal("ended_at", is_maria ? "'2026-11-25 12:00:00.123456'" : "'2026-11-25 12:00:00.123456Z'");
    CHECK(real.ask("SELECT count(*) FROM cdr WHERE answered_at IS NULL AND pdd_ms IS NULL AND "
                   "customer_gateway IS NULL AND agent_account IS NULL") == "1");
    if (is_maria) {
      equal("json_value(attempts, '$[0].vendor_gateway')", "'" + *cdr.vendor_gateway + "'");
    } else {
      equal("attempts->0->>'vendor_gateway'", "'" + *cdr.vendor_gateway + "'");
    }
  }
}

TEST_CASE("SQL sinks: a server killed in mid-batch and started again has each row once (C-03)") {
  for (const Kind& kind : kinds) {
    CAPTURE(std::string(kind.name));
    Real real(kind.server);
    if (!real.start()) continue;
    real.open();
    for (int round = 0; round < 4; ++round) {
      real.line.append(3'000);
      // One batch is through; the server goes while the next ones are being written.
      std::thread killer([&] { real.server->kill(); });
      for (int batch = 0; batch < 10'000 && real.line.runner->pump(); ++batch)
        real.line.append(500);
      killer.join();
      CHECK(real.line.runner->state().is_failing);
      if (round == 1) {  // the switch starts without its server
        real.open();
        CHECK_FALSE(real.line.runner->pump());
      }
      REQUIRE(real.server->start().empty());
      real.drain();
      real.check_holds(real.line.ids);
    }
  }
}

TEST_CASE("SQL sinks: rows that the server refuses are set aside, the others are stored (C-03)") {
  for (const Kind& kind : kinds) {
    CAPTURE(std::string(kind.name));
    Real real(kind.server);
    if (!real.start()) continue;
    real.open(2);
    real.line.append(10);
    real.drain();
    CHECK(real.ask("ALTER TABLE cdr ADD CONSTRAINT no_17 CHECK (call_id NOT LIKE 'call-17@%')") ==
          "");
    real.line.append(40);
    real.drain();
    const CdrSinkState state = real.line.runner->state();
    CHECK(state.set_aside == 1);
    const auto kept = cdr::read_file(*real.line.disk, "/j/sink.set-aside");
    REQUIRE(kept.ok());
    CHECK(kept->find("no_17") != std::string::npos);
    std::vector<std::uint64_t> expected = real.line.ids;
    expected.erase(expected.begin() + 17);
    real.check_holds(expected);
  }
}

TEST_CASE("SQL sinks: partitions are made ahead and retired, and what is kept stays (O-08, O-09)") {
  for (const Kind& kind : kinds) {
    CAPTURE(std::string(kind.name));
    Real real(kind.server);
    if (!real.start()) continue;
    real.config.table = "e_cdr";
    real.config.ahead_days = 2;
    real.open();
    const std::int64_t now_us = real.clock.wall_us();
    const std::int64_t today = cdr::day_of(now_us);
    const auto partition = [&](std::int64_t day) { return partition_of_day("e_cdr", day); };
    const auto partitions = [&] {
      return real.ask(kind.server == SqlServer::mariadb
                          ? "SELECT group_concat(partition_name ORDER BY partition_name SEPARATOR "
                            "' ') FROM information_schema.partitions WHERE table_name = 'e_cdr' "
                            "AND partition_name <> 'e_cdr_rest'"
                          : "SELECT string_agg(c.relname, ' ' ORDER BY c.relname) FROM pg_inherits "
                            "i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = "
                            "'e_cdr'::regclass");
    };
    REQUIRE(real.sink->idle(now_us).ok());
    CHECK(partitions() ==
          partition(today) + " " + partition(today + 1) + " " + partition(today + 2));
    // Calls of today, of tomorrow, of forty days ago, and of a clock that is far in the future.
    SeededRandom random(4);
    for (const std::int64_t day : {today, today + 1, today - 40, today + 3'000}) {
      Cdr cdr = cdr::test::sample_cdr(1, random);
      cdr.ended_at_us = day * cdr::day_us + 1;
      auto sequence =
          real.line.journal->append(cdr::RecordType::end, cdr::encode(cdr::EndRecord{0, cdr}));
      REQUIRE(sequence.ok());
      real.line.ids.push_back(*sequence);
    }
    real.line.journal->pump();
    real.drain();
    real.check_holds(real.line.ids);
    // A day in between gets its partition too, and the rows stay where they are found.
    const auto connector = make_connector(kind.server, real.config, real.clock);
    REQUIRE(connector.ok());
    auto session = (*connector)(real.config.timeout_ms);
    REQUIRE(session.ok());
    for (const std::int64_t day : {today + 5, today + 4}) {
      const auto added = (*session)->add_day(day);
      CHECK_MESSAGE(added.ok(), (added.ok() ? std::string() : added.error().message));
    }
    CHECK((*session)->days()->contains(today + 4));
    real.check_holds(real.line.ids);
    const auto server_us = (*session)->wall_us();
    REQUIRE(server_us.ok());
    CHECK(*server_us / cdr::day_us >= today);
    CHECK(*server_us / cdr::day_us <= today + 1);
    // Forty days later, by both clocks, the day of forty days ago is gone and today is kept.
    session->reset();
    if (kind.server == SqlServer::postgresql) {
      CHECK(partitions().find(partition(today - 40)) != std::string::npos);
      real.config.retention_days = 7;
      real.open();
      REQUIRE(real.sink->idle(now_us).ok());
      CHECK(partitions().find(partition(today - 40)) == std::string::npos);
      CHECK(real.ask("SELECT count(*) FROM e_cdr") == "3");
    } else {
      auto again = (*connector)(real.config.timeout_ms);
      REQUIRE(again.ok());
      CHECK((*again)->drop_day(today).ok());
      CHECK(real.ask("SELECT count(*) FROM e_cdr") == "2");  // the older one was in it as well
    }
  }
}

TEST_CASE(
    "SQL sinks: a long query keeps a day from being retired, and nobody waits behind (O-09)") {
  Real real(SqlServer::postgresql);
  if (!real.start()) return;
  real.open();
  const std::int64_t today = cdr::day_of(real.clock.wall_us());
  REQUIRE(real.sink->idle(real.clock.wall_us()).ok());
  const auto connect = [&](const char* source) {
    CdrSqlConfig config = real.config;
    config.source = source;
    const auto connector = make_connector(real.kind, config, real.clock);
    REQUIRE(connector.ok());
    auto session = (*connector)(config.timeout_ms);
    REQUIRE(session.ok());
    REQUIRE((*session)->make_tables().ok());
    return std::move(*session);
  };
  const auto place_of = [&](std::int64_t day) {
    const std::string name = "'" + partition_of_day("cdr", day) + "'";
    return real.ask(
        "SELECT coalesce((SELECT CASE WHEN inhdetachpending THEN 'pending' ELSE "
        "'attached' END FROM pg_inherits WHERE inhrelid = to_regclass(" +
        name + ")), CASE WHEN to_regclass(" + name + ") IS NULL THEN 'none' ELSE 'apart' END)");
  };
  SeededRandom random(5);
  std::uint64_t record_id = 0;
  const auto record = [&](std::int64_t day) {
    Cdr cdr = cdr::test::sample_cdr(0, random);
    cdr.record_id = ++record_id;
    cdr.ended_at_us = day * cdr::day_us + 1;
    return std::vector<Cdr>{cdr};
  };
  auto user = connect("user");
  auto keeper = connect("keeper");
  const std::int64_t old = today - 40;
  REQUIRE(keeper->add_day(old).ok());
  REQUIRE(keeper->begin().ok());
  REQUIRE(keeper->add_rows(record(old)).ok());
  REQUIRE(keeper->commit({"k", 1}).ok());

  // Somebody is in the middle of a transaction on the table.
  REQUIRE(user->begin().ok());
  REQUIRE(user->add_rows(record(today)).ok());
  REQUIRE(user->add_rows(record(old)).ok());
  const auto refused = keeper->drop_day(old);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::limit);
  CHECK(place_of(old) == "pending");
  CHECK_FALSE(keeper->days()->contains(old));
  CHECK(real.ask("SELECT count(*) FROM cdr") == "0");  // of the one that is committed
  // The server takes no second one out meanwhile, and that one is as nobody had tried it: it may be
  // detached by hand yet, to be kept.
  REQUIRE(keeper->add_day(old - 2).ok());
  CHECK_FALSE(keeper->drop_day(old - 2).ok());
  CHECK(place_of(old - 2) == "attached");
  CHECK(real.ask("SELECT obj_description('" + partition_of_day("cdr", old - 2) +
                 "'::regclass, 'pg_class') IS NULL") == "t");
  const auto not_cleared = keeper->clear_dropped(today);
  REQUIRE_FALSE(not_cleared.ok());
  CHECK(not_cleared.error().code == ErrorCode::limit);
  // Others read and write on, and so does who failed.
  REQUIRE(keeper->begin().ok());
  CHECK(keeper->add_rows(record(today)).ok());
  CHECK(keeper->commit({"k", 2}).ok());
  CHECK(user->commit({"u", 1}).ok());
  CHECK(keeper->clear_dropped(today).ok());
  CHECK(place_of(old) == "none");
  CHECK(real.ask("SELECT count(*) FROM cdr") == "2");

  // A late record of a day that is half retired begins it anew.
  REQUIRE(keeper->add_day(old).ok());
  REQUIRE(user->begin().ok());
  const auto added = user->add_rows(record(today));
  REQUIRE_MESSAGE(added.ok(), (added.ok() ? std::string() : added.error().message));
  CHECK_FALSE(keeper->drop_day(old).ok());
  CHECK(user->roll_back().ok());
  REQUIRE(place_of(old) == "pending");
  CHECK(keeper->make_room({old}).ok());
  CHECK(place_of(old) == "attached");
  REQUIRE(keeper->begin().ok());
  CHECK(keeper->add_rows(record(old)).ok());
  CHECK(keeper->commit({"k", 3}).ok());
  CHECK(real.ask("SELECT count(*) FROM cdr") == "3");

  // What died between detaching and dropping is cleared away; what somebody detached by hand not.
  const std::string name = partition_of_day("cdr", old);
  real.ask("COMMENT ON TABLE " + name + " IS 'tandem: retired'");
  real.ask("ALTER TABLE cdr DETACH PARTITION " + name);
  REQUIRE(keeper->add_day(old - 1).ok());
  real.ask("ALTER TABLE cdr DETACH PARTITION " + partition_of_day("cdr", old - 1));
  CHECK(place_of(old) == "apart");
  CHECK(keeper->clear_dropped(old).ok());  // days are kept for longer since
  CHECK(place_of(old) == "apart");
  CHECK(keeper->clear_dropped(today).ok());
  CHECK(place_of(old) == "none");
  CHECK(place_of(old - 1) == "apart");
  CHECK_FALSE(keeper->add_day(old - 1).ok());

  // Beside a default partition the server detaches not so: the old way is gone.
  real.ask("CREATE TABLE cdr_others PARTITION OF cdr DEFAULT");
  REQUIRE(keeper->add_day(old).ok());
  CHECK(keeper->drop_day(old).ok());
  CHECK(place_of(old) == "none");
}

TEST_CASE("SQL sinks: another switch under the same source is refused by the real servers (C-03)") {
  for (const Kind& kind : kinds) {
    CAPTURE(std::string(kind.name));
    Real real(kind.server);
    if (!real.start()) continue;
    real.open();
    real.line.append(3);
    real.drain();
    real.config.folder = "/second";
    auto second = open_sql_sink(kind.server, real.config, real.line.disk, real.clock);
    REQUIRE(second.ok());
    const auto place = (*second)->position();
    REQUIRE_FALSE(place.ok());
    CHECK(place.error().code == ErrorCode::already_exists);
    // Its owner may hand the source over.
    CHECK(real.ask("UPDATE cdr_place SET owner = ''") == "");
    real.line.close();
    real.sink.reset();
    const auto taken = (*second)->position();
    REQUIRE(taken.ok());
    CHECK(*taken == real.line.ids.back());
  }
}
