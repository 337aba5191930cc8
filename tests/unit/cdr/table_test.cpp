// Stored records as a table of SQLite.
#include <doctest/doctest.h>
#include <sqlite3.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>

#include "cdr/cdr_table_sqlite.hpp"
#include "sealed_days.hpp"
#include "tandem/cdr_columns.hpp"
#include "tandem/cdr_table.hpp"
#include "unit/cdr/fault_vfs.hpp"

using namespace tandem;
using namespace tandem::cdr;
using test::Sealed;
using test::TemporaryFolder;
using test::varied;

namespace {

using Rows = std::vector<std::vector<std::string>>;

/// A connection of a host.
class Host {
 public:
  Host() { REQUIRE(sqlite3_open(":memory:", &connection_) == SQLITE_OK); }
  ~Host() { sqlite3_close(connection_); }
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;
  [[nodiscard]] sqlite3* connection() const { return connection_; }
  std::string run(const std::string& sql) {
    char* message = nullptr;
    sqlite3_exec(connection_, sql.c_str(), nullptr, nullptr, &message);
    std::string text = message == nullptr ? "" : message;
    sqlite3_free(message);
    return text;
  }
  Rows ask(const std::string& sql) {
    INFO(sql);
    Rows rows;
    sqlite3_stmt* statement = nullptr;
    const int prepared = sqlite3_prepare_v2(connection_, sql.c_str(), -1, &statement, nullptr);
    const std::string trouble = sqlite3_errmsg(connection_);
    INFO(trouble);
    REQUIRE(prepared == SQLITE_OK);
    int code = 0;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
      std::vector<std::string>& row = rows.emplace_back();
      for (int i = 0; i < sqlite3_column_count(statement); ++i) {
        const auto type = std::to_string(sqlite3_column_type(statement, i));
        const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement, i));
        const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, i));
        row.push_back(type + ':' + (bytes == nullptr ? "" : std::string(bytes, size)));
      }
    }
    const std::string failure = sqlite3_errmsg(connection_);
    INFO(failure);
    REQUIRE(code == SQLITE_DONE);
    sqlite3_finalize(statement);
    return rows;
  }

 private:
  sqlite3* connection_ = nullptr;
};

std::string names_of(const Rows& table_info) {
  std::string names;
  for (const auto& row : table_info)
    names += (names.empty() ? "" : ", ") + row[0].substr(2);
  return names;
}

/// A host with the table `cdrs`, and with all records of the day files in a plain table `naive`.
struct TwoTables {
  Host host;
  TwoTables(const Sealed& stored, const std::string& more = "") {
    REQUIRE(register_cdr_module(host.connection()).ok());
    REQUIRE(host.run("CREATE VIRTUAL TABLE cdrs USING tandem_cdr('" + stored.folder.path() + "'" +
                     more + ")") == "");
    const Rows columns = host.ask("SELECT name, type FROM pragma_table_info('cdrs') ORDER BY cid");
    std::string made;
    for (const auto& column : columns) {
      made += (made.empty() ? "" : ", ") + column[0].substr(2) + ' ' + column[1].substr(2) +
              (made.empty() ? " PRIMARY KEY" : "");
    }
    REQUIRE(host.run("CREATE TABLE naive(" + made + ")") == "");
    const std::string names = names_of(columns);
    for (const std::int64_t day : stored.days()) {
      REQUIRE(host.run("ATTACH '" + (stored.folder / day_name(day)) + "' AS day") == "");
      REQUIRE(host.run("INSERT INTO naive SELECT " + names + " FROM day.cdr") == "");
      REQUIRE(host.run("DETACH day") == "");
    }
  }
};

std::string quoted(const std::string& text) {
  std::string sql = "'";
  for (const char c : text)
    sql.append(c == '\'' ? 2 : 1, c);
  return sql + "'";
}

/// Questions about the values that there are.
class Questions {
 public:
  Questions(Host& host, std::uint64_t seed) : host_(host), random_(seed) {}

  std::string condition() {
    static const std::array<const char*, 13> texts = {
        "caller",     "caller_in",      "caller_out",    "callee",           "callee_in",
        "callee_out", "account",        "agent_account", "customer_gateway", "vendor_gateway",
        "call_id",    "vendor_account", "end_reason"};
    const std::string column = texts[random_.below(texts.size())];
    const std::string value = value_of(column);
    switch (random_.below(12)) {
      case 0:
        return column + " LIKE " + quoted(value.substr(0, 1 + random_.below(4)) + "%");
      case 1:
        return column + " GLOB " + quoted(value.substr(0, 1 + random_.below(4)) + "*");
      case 2:
        return column + " IN (" + quoted(value) + ", " + quoted(value_of(column)) + ")";
      case 3:
        return "(" + column + " = " + quoted(value) + " OR pdd_ms > 3000)";
      case 4:
        return column + " COLLATE NOCASE = upper(" + quoted(value) + ")";
      case 5:
        return column + " IS " + (random_.below(2) == 0 ? "NULL" : quoted(value));
      case 6:
        return column + " = CAST(" + quoted(value) + " AS INTEGER)";
      case 7:
        return "record_id = " + value_of("record_id");
      case 8:
        return "rowid BETWEEN 20 AND " + value_of("record_id");
      case 9:
        return column + " = " + (random_.below(4) == 0 ? "NULL" : quoted(value + "*"));
      default:
        return column + " = " + quoted(value);
    }
  }
  std::string period() {
    static const std::array<const char*, 5> operators = {">=", ">", "<", "<=", "="};
    const std::string at = value_of("ended_at_us");
    const std::string bound = random_.below(3) == 0   ? at + ".5"
                              : random_.below(3) == 0 ? "'" + at + "'"
                                                      : at;
    return std::string("ended_at_us ") + operators[random_.below(operators.size())] + " " + bound;
  }
  std::string where() {
    std::string sql;
    for (std::uint64_t i = random_.below(3); i > 0; --i)
      sql += (sql.empty() ? " WHERE " : " AND ") + condition();
    for (std::uint64_t i = random_.below(3); i > 0; --i)
      sql += (sql.empty() ? " WHERE " : " AND ") + period();
    return sql;
  }
  std::string order() {
    static const std::array<const char*, 6> orders = {"ended_at_us, record_id",
                                                      "ended_at_us DESC, record_id DESC",
                                                      "ended_at_us DESC, rowid DESC, caller",
                                                      "ended_at_us, record_id DESC",
                                                      "record_id",
                                                      "caller, record_id"};
    std::string sql = std::string(" ORDER BY ") + orders[random_.below(orders.size())];
    if (random_.below(2) == 0) sql += " LIMIT " + std::to_string(1 + random_.below(100));
    return sql;
  }
  std::uint64_t below(std::uint64_t count) { return random_.below(count); }

 private:
  std::string value_of(const std::string& column) {
    const Rows rows =
        host_.ask("SELECT " + column + " FROM naive WHERE " + column +
                  " IS NOT NULL LIMIT 1 OFFSET " + std::to_string(random_.below(100)));
    return rows.empty() ? "nobody" : rows[0][0].substr(2);
  }
  Host& host_;
  SeededRandom random_;
};

/// Sealed days with columns and without, and an open one with late records.
struct Mixed : Sealed {
  Mixed() : Sealed(varied(1'000, 7), true) {
    const std::vector<std::int64_t> all = days();
    REQUIRE(all.size() >= 3);
    REQUIRE(act(MaintenanceAct::drop_columns, all[1]).ok());
    std::vector<Cdr> late = varied(200, 8, 10'000);
    for (Cdr& cdr : late)
      cdr.ended_at_us = all[0] * day_us + cdr.ended_at_us % day_us;
    write(late);
    REQUIRE(days_with_columns() > 0);
    REQUIRE(days_with_columns() < all.size());
  }
};

void check_questions(TwoTables& tables, std::uint64_t seed, int rounds,
                     const std::function<void()>& between = {}) {
  Questions questions(tables.host, seed);
  std::size_t found = 0;
  for (int i = 0; i < rounds; ++i) {
    const std::string where = questions.where();
    std::string ask;
    std::string rest;
    switch (questions.below(4)) {
      case 0:
        ask = "SELECT count(*), sum(charge_units), min(ended_at_us), max(caller) FROM ";
        rest = where;
        break;
      case 1:
        ask = "SELECT account, end_reason, count(*), sum(talk_time_ms) FROM ";
        rest = where + " GROUP BY 1, 2 ORDER BY 1, 2";
        break;
      case 2:
        ask = "SELECT record_id, charge, vendor_charge, package_charge, attempts FROM ";
        rest = where + questions.order();
        break;
      default:
        ask = "SELECT * FROM ";
        rest = where + questions.order();
    }
    INFO(ask, "cdrs", rest);
    if (between) between();
    const Rows wanted = tables.host.ask(ask + "naive AS cdrs" + rest);
    CHECK(tables.host.ask(ask + "cdrs" + rest) == wanted);
    found += wanted.size();
  }
  CHECK(found > static_cast<std::size_t>(rounds));
}

}  // namespace

TEST_CASE("tandem_cdr: any question has the answer of all day files together (C-13)") {
  const test::FaultVfs quick(test::FaultVfs::Medium::assumed);
  const Mixed stored;
  TwoTables tables(stored);
  check_questions(tables, 1, 160);
}

TEST_CASE("tandem_cdr: a join and a correlated question are answered, too (C-13)") {
  const test::FaultVfs quick(test::FaultVfs::Medium::assumed);
  const Mixed stored;
  TwoTables tables(stored);
  for (const char* sql :
       {"SELECT a.record_id, b.record_id FROM (SELECT * FROM naive LIMIT 20) a JOIN # b ON "
        "b.caller = a.callee AND b.ended_at_us > a.ended_at_us ORDER BY 1, 2",
        "SELECT record_id, (SELECT count(*) FROM # b WHERE b.caller = a.caller AND b.ended_at_us "
        "BETWEEN a.ended_at_us - 3600000000 AND a.ended_at_us) FROM (SELECT * FROM naive LIMIT 20) "
        "a ORDER BY 1",
        "SELECT caller FROM naive WHERE record_id < 9 UNION SELECT callee FROM # ORDER BY 1"}) {
    std::string naive = sql;
    std::string table = sql;
    naive.replace(naive.find('#'), 1, "naive");
    table.replace(table.find('#'), 1, "cdrs");
    const Rows wanted = tables.host.ask(naive);
    CHECK(wanted.size() > 3);
    CHECK(tables.host.ask(table) == wanted);
  }
}

TEST_CASE("tandem_cdr: charges are those after corrections when the database is named (B-25)") {
  const test::FaultVfs quick(test::FaultVfs::Medium::assumed);
  const std::vector<Cdr> records = varied(300, 3);
  const Sealed stored(records, true);
  test::correct(stored.database, records);
  TwoTables tables(stored, ", '" + stored.database + "'");
  auto cursor = CdrStore(stored.place()).cursor({});
  REQUIRE(cursor.ok());
  Rows wanted;
  for (;;) {
    auto cdr = cursor->next();
    REQUIRE(cdr.ok());
    if (!*cdr) break;
    wanted.push_back({"1:" + std::to_string((*cdr)->record_id),
                      "3:" + (*cdr)->customer.charge.to_string(),
                      "1:" + std::to_string((*cdr)->customer.billed_time_s),
                      "3:" + (*cdr)->customer.rate_prefix});
  }
  const std::string ask =
      "SELECT record_id, charge, billed_time_s, rate_prefix FROM # ORDER BY ended_at_us DESC, "
      "record_id DESC";
  const auto of = [&ask](const char* table) {
    std::string sql = ask;
    return sql.replace(sql.find('#'), 1, table);
  };
  CHECK(tables.host.ask(of("cdrs")) == wanted);
  CHECK(tables.host.ask(of("naive")) != wanted);  // so corrections there are
  // What a correction changed is judged as it is now.
  CHECK(tables.host.ask("SELECT count(*) FROM cdrs WHERE rate_prefix = '9'")[0][0] == "1:60");
}

TEST_CASE("tandem_cdr: columns that are damaged in the middle give way to their file (C-13)") {
  const test::FaultVfs quick(test::FaultVfs::Medium::assumed);
  const Sealed stored(varied(3'000, 5), true);
  TwoTables tables(stored);
  // Damage in the groups, which is found when they come.
  std::size_t damaged = 0;
  SeededRandom random(4);
  for (const std::int64_t day : stored.days()) {
    const std::string path = stored.columns(day);
    if (!std::filesystem::exists(path)) continue;
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    const auto bytes = static_cast<std::uint64_t>(std::filesystem::file_size(path));
    file.seekp(static_cast<std::streamoff>(bytes / 8 + random.below(bytes / 4)));
    file.put('\x5A').put('\xA5').put('\x5A');
    ++damaged;
  }
  REQUIRE(damaged >= 3);
  std::size_t given_up = 0;
  check_questions(tables, 9, 60, [&] {
    for (const std::int64_t day : stored.days())
      given_up += stored.try_again(day) ? 1 : 0;
  });
  CHECK(given_up > 10);
}

TEST_CASE("tandem_cdr: holds no lock that a sink or a list waits for between two rows (C-13)") {
  const test::FaultVfs quick(test::FaultVfs::Medium::assumed);
  Sealed stored(varied(400, 6), false);
  TwoTables tables(stored);
  sqlite3_stmt* rows = nullptr;
  REQUIRE(sqlite3_prepare_v2(tables.host.connection(), "SELECT record_id FROM cdrs", -1, &rows,
                             nullptr) == SQLITE_OK);
  REQUIRE(sqlite3_step(rows) == SQLITE_ROW);
  const std::int64_t day = stored.days().back();
  auto writer = store::Connection::open(stored.folder / day_name(day));
  REQUIRE(writer.ok());
  writer->wait_for_lock(0);
  auto emptied = writer->prepare("PRAGMA wal_checkpoint(TRUNCATE)");
  REQUIRE(emptied.ok());
  auto row = emptied->step();
  REQUIRE((row.ok() && *row));
  CHECK(emptied->integer(0) == 0);  // not busy
  // Maintenance waits with the day that is read.
  CHECK(stored.act(MaintenanceAct::seal, day).ok() == false);
  sqlite3_finalize(rows);
}

TEST_CASE("tandem_cdr: an archived day is named, and is no silent gap (O-08)") {
  const test::FaultVfs quick(test::FaultVfs::Medium::assumed);
  Sealed stored(varied(300, 2), true);
  TwoTables tables(stored);
  const std::int64_t day = stored.days().back();
  const Rows all = tables.host.ask("SELECT count(*) FROM cdrs");
  REQUIRE(stored.act(MaintenanceAct::archive, day).ok());
  const std::string refusal = tables.host.run("SELECT count(*) FROM cdrs");
  CHECK(refusal.find("archived") != std::string::npos);
  const std::string behind = std::to_string((day + 1) * day_us);
  CHECK(tables.host.run("SELECT count(*) FROM cdrs WHERE ended_at_us >= " + behind) == "");
  // Nor is it named by a question that ends where the day begins, or begins where it ends.
  REQUIRE(stored.act(MaintenanceAct::restore, day).ok());
  const std::int64_t next = day + 1;
  REQUIRE(stored.act(MaintenanceAct::archive, next).ok());
  for (const std::string& until : {"ended_at_us < " + behind, "ended_at_us < " + behind + ".0",
                                   "ended_at_us <= " + std::to_string(next * day_us - 1) + ".5"})
    CHECK(tables.host.run("SELECT count(*) FROM cdrs WHERE " + until) == "");
  CHECK(tables.host.run("SELECT count(*) FROM cdrs WHERE ended_at_us > " +
                        std::to_string((next + 1) * day_us - 1)) == "");
  CHECK(tables.host.run("SELECT count(*) FROM cdrs WHERE ended_at_us <= " + behind) != "");
  CHECK(tables.host.run("SELECT count(*) FROM cdrs WHERE ended_at_us > " +
                        std::to_string((next + 1) * day_us - 2)) != "");
  CdrColumnsRequest columns{{}, {"record_id"}};
  columns.filter.until_us = next * day_us;
  CHECK(CdrColumns::read(stored.place(), columns).ok());
  columns.filter.until_us = next * day_us + 1;
  CHECK(CdrColumns::read(stored.place(), columns).error().code == ErrorCode::wrong_state);
  REQUIRE(stored.act(MaintenanceAct::restore, next).ok());
  REQUIRE(stored.act(MaintenanceAct::archive, day).ok());
  REQUIRE(stored.act(MaintenanceAct::restore, day).ok());
  CHECK(tables.host.ask("SELECT count(*) FROM cdrs") == all);
}

TEST_CASE("tandem_cdr: wants a folder, and writes nothing (C-13)") {
  const test::FaultVfs quick(test::FaultVfs::Medium::assumed);
  const TemporaryFolder folder;
  Host host;
  CHECK(register_cdr_module(nullptr).error().code == ErrorCode::invalid_argument);
  REQUIRE(register_cdr_module(host.connection()).ok());
  CHECK(host.run("CREATE VIRTUAL TABLE t USING tandem_cdr").find("needs the folder") !=
        std::string::npos);
  CHECK(host.run("CREATE VIRTUAL TABLE t USING tandem_cdr('')").find("was empty") !=
        std::string::npos);
  CHECK(host.run("CREATE VIRTUAL TABLE t USING tandem_cdr('a', 'b', 'c')") != "");
  CHECK(host.run("SELECT * FROM tandem_cdr") != "");
  // A folder that is not there has no records yet.
  CHECK(host.run("CREATE VIRTUAL TABLE t USING tandem_cdr('" + (folder / "it''s") + "')") == "");
  CHECK(host.ask("SELECT count(*) FROM t")[0][0] == "1:0");
  CHECK(host.run("DELETE FROM t") != "");
  CHECK(host.run("ALTER TABLE t RENAME TO u; SELECT * FROM u") == "");
}

TEST_CASE("cdr_sql: answers one question, and does nothing else (C-13)") {
  const test::FaultVfs quick(test::FaultVfs::Medium::assumed);
  const Sealed stored(varied(200, 4), true);
  const auto ask = [&](const std::string& sql, const CdrSqlLimits& limits = {}) {
    return cdr_sql(stored.place(), sql, limits);
  };
  auto answer = ask("SELECT count(*) AS n, NULL AS x, 0.5 AS y, 'it''s' AS \"a b\" FROM cdrs;  ");
  REQUIRE(answer.ok());
  CHECK(to_json_lines(*answer) == "{\"n\":200,\"x\":null,\"y\":0.5,\"a b\":\"it's\"}\n");
  CHECK(to_csv(*answer) == "n,x,y,a b\r\n200,,0.5,it's\r\n");
  CHECK(to_table(*answer).find("0.5") != std::string::npos);
  for (const char* sql : {"SELECT name FROM pragma_table_info('cdrs')",
                          "SELECT value FROM json_each((SELECT json_group_array(record_id) FROM "
                          "cdrs WHERE record_id < 61))"}) {
    const auto more = ask(sql);
    REQUIRE(more.ok());
    CHECK(more->rows.size() == 60);
  }

  CdrSqlLimits limits;
  limits.rows_max = 10;
  answer = ask("SELECT record_id FROM cdrs", limits);
  REQUIRE(answer.ok());
  CHECK(answer->rows.size() == 10);
  CHECK(answer->is_cut);
  limits.rows_max = 200;
  CHECK(!ask("SELECT record_id FROM cdrs", limits)->is_cut);
  limits.bytes_max = 1'000;
  CHECK(ask("SELECT * FROM cdrs", limits).error().code == ErrorCode::limit);
  // Of one row no more is taken than may be, either.
  CHECK(ask("SELECT zeroblob(600), zeroblob(600)", limits).error().code == ErrorCode::limit);
  CHECK(ask("SELECT zeroblob(600), 1", limits).ok());
  limits.bytes_max = 1'000'000;
  limits.guards.rows_max = 50;
  CHECK(ask("SELECT count(*) FROM cdrs", limits).error().code == ErrorCode::limit);
  limits.guards.days_max = 3;
  CHECK(ask("SELECT count(*) FROM cdrs", limits).error().message.find("say since when") !=
        std::string::npos);
  // The longest period itself may be asked for.
  limits.guards.rows_max = 1'000;
  limits.guards.days_max = 2;
  const auto of_period = [&](std::int64_t us) {
    return ask("SELECT count(*) FROM cdrs WHERE ended_at_us >= " +
                   std::to_string(test::first_day * day_us) + " AND ended_at_us < " +
                   std::to_string(test::first_day * day_us + us),
               limits);
  };
  CHECK(of_period(2 * day_us).ok());
  CHECK(of_period(2 * day_us + 1).error().code == ErrorCode::invalid_argument);
  limits.rows_max = 0;
  CHECK(ask("SELECT 1", limits).error().code == ErrorCode::invalid_argument);

  for (const char* sql : {"",
                          ";",
                          "-- nothing",
                          "SELECT",
                          "SELECT nothing FROM cdrs",
                          "SELECT 1; SELECT 2",
                          "SELECT ?",
                          "CREATE TABLE t(x)",
                          "INSERT INTO cdrs(record_id) VALUES(1)",
                          "DROP TABLE cdrs",
                          "ATTACH '/tmp/x' AS x",
                          "PRAGMA journal_mode",
                          "BEGIN",
                          "VACUUM INTO '/tmp/x'",
                          "CREATE VIRTUAL TABLE temp.t USING tandem_cdr('/')",
                          "SELECT load_extension('x')",
                          "SELECT FTS3_tokenizer('simple')",
                          "SELECT fts3_tokenizer('simple', x'0000000000000000')",
                          "SELECT sqlite_log(1, 'x')",
                          "SELECT * FROM pragma_database_list"}) {
    INFO(sql);
    const auto refused = ask(sql);
    REQUIRE(!refused.ok());
    CHECK(refused.error().code == ErrorCode::invalid_argument);
  }
  // What is behind it is not left out in silence.
  CHECK(ask(std::string("SELECT 1\0; DROP TABLE cdrs", 26)).error().message.find("NUL") !=
        std::string::npos);
}

TEST_CASE("cdr_sql: no more is read than the question is about (C-13)") {
  const test::FaultVfs quick(test::FaultVfs::Medium::assumed);
  const Mixed stored;
  const auto reads = [&stored](const std::string& sql, std::uint64_t records) {
    INFO(sql);
    CdrSqlLimits limits;
    limits.guards.rows_max = records;
    const auto answer = cdr_sql(stored.place(), sql, limits);
    if (!answer.ok()) INFO(answer.error().message);
    CHECK(answer.ok());
    limits.guards.rows_max = records - 1;
    CHECK(!cdr_sql(stored.place(), sql, limits).ok());  // so those were read
  };
  const auto count = [&stored](const std::string& where) {
    const auto answer = cdr_sql(stored.place(), "SELECT count(*) FROM cdrs WHERE " + where);
    REQUIRE(answer.ok());
    return static_cast<std::uint64_t>(std::get<std::int64_t>(answer->rows[0][0]));
  };
  for (const char* where :
       {"caller = '4420'", "caller_in = '1212'", "callee_out LIKE '44201%'", "callee GLOB '%44*'",
        "account = 'beta'", "vendor_gateway = 'v 3:;'", "customer_gateway = 'cust-1'",
        "end_reason = 'MaxDuration'", "ended_at_us BETWEEN 1795620000000000 AND 1795640000000000",
        "ended_at_us > 1795620000000000.5 AND ended_at_us < 1795660000000000"})
    reads(std::string("SELECT count(*) FROM cdrs WHERE ") + where, count(where));
  reads("SELECT record_id FROM cdrs ORDER BY ended_at_us DESC LIMIT 5", 5);
  reads("SELECT * FROM cdrs WHERE callee = '4419' ORDER BY ended_at_us, record_id LIMIT 7", 7);
  CdrSqlLimits one;
  one.guards.rows_max = 1;
  const auto answer = cdr_sql(stored.place(), "SELECT caller FROM cdrs WHERE record_id = 77", one);
  REQUIRE(answer.ok());
  CHECK(answer->rows.size() == 1);
}

namespace {

/// Goes on by a second with each look.
class HurriedClock final : public Clock {
 public:
  [[nodiscard]] std::int64_t monotonic_us() const noexcept override { return now_us_ += 1'000'000; }
  [[nodiscard]] std::int64_t wall_us() const noexcept override { return test::noon_us; }

 private:
  mutable std::int64_t now_us_ = 0;
};

}  // namespace

TEST_CASE("cdr_sql: a question that takes too long is ended, with records and without (C-13)") {
  const test::FaultVfs quick(test::FaultVfs::Medium::assumed);
  const Sealed stored(varied(200, 4), true);
  const HurriedClock clock;
  CdrSqlLimits limits;
  limits.guards.time_max_ms = 3'000;
  for (const char* sql :
       {"SELECT count(*) FROM cdrs WHERE caller = '4420'",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT sum(i) FROM n"}) {
    const auto answer = cdr_sql(stored.place(), sql, limits, &clock);
    REQUIRE(!answer.ok());
    CHECK(answer.error().code == ErrorCode::timeout);
  }
}
