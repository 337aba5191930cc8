#include "remote/postgresql/session.hpp"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

#include "base/text.hpp"
#include "remote/sql_columns.hpp"

namespace tandem::remote {
namespace {

using Answer = std::unique_ptr<PGresult, decltype(&PQclear)>;

/// The first line of what libpq says.
std::string first_line(const char* text) {
  const std::string_view all(text == nullptr ? "" : text);
  const std::string_view line = trimmed(all.substr(0, all.find('\n')));
  return line.empty() ? "no reason was given" : std::string(line);
}

/// Whether a state says that a value or a row cannot be taken: classes 22 (data exception), 23
/// (integrity constraint) and what a trigger raises; or that the connection is good, but a lock
/// (55P03), time (57014) or a right (42501) was not given.
Error error_of(const PGresult* answer) {
  const char* const state_text = PQresultErrorField(answer, PG_DIAG_SQLSTATE);
  const std::string_view state(state_text == nullptr ? "" : state_text);
  Error error{ErrorCode::io, "PostgreSQL: " + first_line(PQresultErrorMessage(answer))};
  if (state == "23505") {
    error.code = ErrorCode::already_exists;
  } else if (state == "55P03" || state == "57014" || state == "42501") {
    error.code = ErrorCode::limit;
  } else if (state.starts_with("22") || state.starts_with("23") || state == "P0001") {
    // A row without a partition breaks a "check" that has no name: somebody dropped it.
    const bool lacks_partition =
        state == "23514" && PQresultErrorField(answer, PG_DIAG_CONSTRAINT_NAME) == nullptr;
    if (!lacks_partition) error.code = ErrorCode::invalid_argument;
  }
  return error;
}

bool is_about_row(ErrorCode code) noexcept {
  return code == ErrorCode::invalid_argument || code == ErrorCode::already_exists;
}

const char* type_name(SqlType type) {
  switch (type) {
    case SqlType::name:
    case SqlType::text:
      return "text";
    case SqlType::number:
      return "bigint";
    case SqlType::small:
      return "integer";
    case SqlType::amount:
      return "numeric(19,8)";
    case SqlType::time:
      return "timestamptz";
    case SqlType::json:
      return "json";
  }
  return "text";
}

/// Fields of COPY in its text format, behind each other in one buffer.
class CopyText {
 public:
  void text(std::string_view value) {
    begin();
    while (!value.empty()) {
      const std::size_t length = cdr::utf8_length(value);
      const char c = value.front();
      if (length == 0 || c == '\0') {
        buffer_ += "\xEF\xBF\xBD";
      } else if (length > 1) {
        buffer_.append(value.substr(0, length));
      } else if (c == '\\') {
        buffer_ += "\\\\";
      } else if (c == '\t' || c == '\n' || c == '\r') {
        buffer_ += '\\';
        buffer_ += c == '\t' ? 't' : c == '\n' ? 'n' : 'r';
      } else {
        buffer_ += c;
      }
      value.remove_prefix(length == 0 ? 1 : length);
    }
  }
  void number(std::int64_t value) {
    begin();
    append_integer(buffer_, value);
  }
  void amount(Amount value) {
    begin();
    buffer_ += value.to_string();
  }
  void time(std::int64_t time_us) {
    begin();
    buffer_ += format_time_us(sql_time_us(time_us));
  }
  void null() {
    begin();
    buffer_ += "\\N";
  }
  void end_row() {
    buffer_ += '\n';
    is_first_ = true;
  }
  [[nodiscard]] std::string& buffer() noexcept { return buffer_; }

 private:
  void begin() {
    if (!is_first_) buffer_ += '\t';
    is_first_ = false;
  }
  std::string buffer_;
  bool is_first_ = true;
};

class PostgresqlSession final : public SqlSession {
 public:
  PostgresqlSession(const CdrSqlConfig& config, const Clock& clock, PGconn* connection)
      : config_(config), clock_(clock), connection_(connection, &PQfinish) {}

  Result<void> make_tables() override {
    const std::string& table = config_.table;
    // The server gives up when we do, and soon when we are gone without a word: else the lock on
    // our place would outlive us for hours.
    const std::string timeout_ms = std::to_string(config_.timeout_ms);
    if (auto done = execute("SET synchronous_commit TO on; SET lock_timeout TO " +
                            lock_timeout_ms() + "; SET statement_timeout TO " + timeout_ms +
                            "; SET idle_in_transaction_session_timeout TO " + timeout_ms +
                            "; SET tcp_keepalives_idle TO 30; SET tcp_keepalives_interval TO 10; "
                            "SET tcp_keepalives_count TO 3");
        !done)
      return done;
    auto found = query("SELECT to_regclass('" + table + "') IS NOT NULL AND to_regclass('" + table +
                       "_place') IS NOT NULL");
    if (!found) return std::move(found).error();
    if (*found == "t") return add_columns();
    return locked(
        "CREATE TABLE IF NOT EXISTS " + table + " (" + sql_column_definitions(type_name) +
        ", PRIMARY KEY (source, record_id, ended_at)) PARTITION BY RANGE (ended_at); "
        "CREATE INDEX IF NOT EXISTS " +
        table + "_by_end ON " + table + " (ended_at); CREATE INDEX IF NOT EXISTS " + table +
        "_by_start ON " + table + " USING brin (started_at); CREATE INDEX IF NOT EXISTS " + table +
        "_by_caller ON " + table + " (caller, ended_at); CREATE INDEX IF NOT EXISTS " + table +
        "_by_callee ON " + table + " (callee, ended_at); CREATE TABLE IF NOT EXISTS " + table +
        "_place (source text PRIMARY KEY, owner text NOT NULL, sequence bigint NOT NULL, "
        "written_at timestamptz NOT NULL)");
  }

  Result<SqlPlace> begin() override {
    const std::string source = "'" + config_.source + "'";
    const std::string select = "SELECT owner || ' ' || sequence FROM " + config_.table +
                               "_place WHERE source = " + source + " FOR UPDATE";
    auto row = query("ROLLBACK; BEGIN; " + select);
    if (!row) return std::move(row).error();
    if (row->empty()) {
      row = query("INSERT INTO " + config_.table + "_place VALUES (" + source +
                  ", '', 0, now()) ON CONFLICT DO NOTHING; " + select);
      if (!row) return std::move(row).error();
    }
    const std::size_t space = std::min(row->find(' '), row->size());
    const auto sequence = parse_integer<std::uint64_t>(
        std::string_view(*row).substr(std::min(space + 1, row->size())));
    if (!sequence)
      return Error{ErrorCode::io,
                   "PostgreSQL: place of source \"" + config_.source + "\" was not readable"};
    return SqlPlace{row->substr(0, space), *sequence};
  }

  Result<void> add_rows(std::span<const Cdr> cdrs) override {
    auto done = copy(cdrs);
    if (!done && is_about_row(done.error().code)) {
      if (auto rolled_back = roll_back(); !rolled_back) return rolled_back;
    }
    return done;
  }

  Result<void> commit(const SqlPlace& place) override {
    auto done = execute("UPDATE " + config_.table + "_place SET owner = '" + place.owner +
                        "', sequence = " + std::to_string(place.sequence) +
                        ", written_at = now() WHERE source = '" + config_.source + "'; COMMIT");
    if (!done && is_about_row(done.error().code)) {
      if (auto rolled_back = roll_back(); !rolled_back) return rolled_back;
    }
    return done;
  }

  Result<void> roll_back() override { return execute("ROLLBACK"); }

  Result<void> make_room(const std::set<std::int64_t>& days) override {
    if (config_.ahead_days == 0) return {};
    for (const std::int64_t day : days) {
      if (ready_days_.contains(day)) continue;
      if (auto done = add_day(day); !done) return done;
    }
    return {};
  }

  Result<std::set<std::int64_t>> days() override {
    auto found = days_of(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = "
        "i.inhrelid WHERE i.inhparent = '" +
        config_.table + "'::regclass" +
        (has_concurrent_detach() ? " AND NOT i.inhdetachpending" : ""));
    if (found) ready_days_ = *found;
    return found;
  }

  Result<void> add_day(std::int64_t day) override {
    const std::string name = partition_of_day(config_.table, day);
    auto place = place_of(name);
    if (!place) return std::move(place).error();
    if (*place == Place::pending || *place == Place::retired) {
      // A late record of a day that is being retired: it begins anew, as if it were gone already.
      if (auto done = drop_day(day); !done) return done;
      place = Place::none;
    }
    if (*place == Place::apart)
      return Error{ErrorCode::io, "PostgreSQL: table \"" + name + "\" was no partition of \"" +
                                      config_.table + "\": rename it, or attach it again"};
    if (*place == Place::none) {
      // Attaching takes a lock that readers and writers do not mind; "PARTITION OF" takes one that
      // waits for all of them and makes all others wait behind it.
      const auto made =
          locked("CREATE TABLE " + name + " (LIKE " + config_.table +
                 " INCLUDING ALL); ALTER TABLE " + config_.table + " ATTACH PARTITION " + name +
                 " FOR VALUES FROM ('" + format_time_us(day * cdr::day_us) + "') TO ('" +
                 format_time_us((day + 1) * cdr::day_us) + "')");
      if (!made) return made;
    }
    ready_days_.insert(day);
    return {};
  }

  /// Detaching concurrently waits for those who use the table, and makes nobody wait: it takes two
  /// transactions of its own, between which the partition belongs to the table only in name.
  Result<void> drop_day(std::int64_t day) override {
    ready_days_.erase(day);
    const std::string name = partition_of_day(config_.table, day);
    auto place = place_of(name);
    if (!place) return std::move(place).error();
    if (*place == Place::attached) {
      auto concurrently = can_detach_concurrently();
      if (!concurrently) return std::move(concurrently).error();
      if (!*concurrently) return locked("DROP TABLE IF EXISTS " + name);
      // By the mark it is found when we die between the two steps.
      if (auto done = locked("COMMENT ON TABLE " + name + " IS '" + retired_mark + "'"); !done)
        return done;
    }
    if (*place == Place::attached || *place == Place::pending) {
      auto done = detach(name, *place == Place::attached ? "CONCURRENTLY" : "FINALIZE");
      // Another sink on the table may have been faster.
      place = place_of(name);
      if (!place) return std::move(place).error();
      // Not begun: whoever detaches it by hand from now on wants to keep it.
      if (!done && *place == Place::attached)
        (void)locked("COMMENT ON TABLE " + name + " IS NULL");  // the first error is to be told
      if (!done && *place != Place::retired && *place != Place::none) return done;
    }
    if (*place == Place::apart)
      return Error{ErrorCode::io, "PostgreSQL: table \"" + name + "\" was no partition of \"" +
                                      config_.table + "\" and not retired by a sink"};
    return locked("DROP TABLE IF EXISTS " + name);
  }

  Result<void> clear_dropped(std::int64_t before_day) override {
    if (!has_concurrent_detach()) return {};
    const auto left = days_of(
        "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE "
        "i.inhparent = '" +
        config_.table +
        "'::regclass AND i.inhdetachpending UNION SELECT c.relname FROM pg_class c JOIN pg_class t "
        "ON t.oid = '" +
        config_.table +
        "'::regclass AND t.relnamespace = c.relnamespace WHERE c.relkind = 'r' AND NOT "
        "c.relispartition AND obj_description(c.oid, 'pg_class') = '" +
        retired_mark + "'");
    if (!left) return left.error();
    for (const std::int64_t day : *left) {
      if (day >= before_day) break;
      if (auto done = drop_day(day); !done) return done;
    }
    return {};
  }

  Result<std::int64_t> wall_us() override {
    auto text = query("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint");
    if (!text) return std::move(text).error();
    const auto time_us = parse_integer<std::int64_t>(*text);
    if (!time_us) return Error{ErrorCode::io, "PostgreSQL: its clock was not readable"};
    return *time_us;
  }

 private:
  /// What a table of a day's name is.
  enum class Place : std::uint8_t {
    none,      // there is none
    attached,  // a partition
    pending,   // one whose detaching was interrupted
    retired,   // a table that a sink detached to drop it
    apart,     // another table
  };
  static constexpr const char* retired_mark = "tandem: retired";

  [[nodiscard]] bool has_concurrent_detach() const {
    return PQserverVersion(connection_.get()) >= 140'000;
  }

  Result<Place> place_of(const std::string& name) {
    const std::string table = "'" + config_.table + "'::regclass";
    const std::string oid = "to_regclass('" + name + "')";
    const std::string of_table =
        "EXISTS (SELECT FROM pg_inherits WHERE inhparent = " + table + " AND inhrelid = " + oid;
    auto found = query("SELECT CASE WHEN " + oid + " IS NULL THEN 'none' " +
                       (has_concurrent_detach()
                            ? "WHEN " + of_table + " AND inhdetachpending) THEN 'pending' "
                            : "") +
                       "WHEN " + of_table + ") THEN 'attached' WHEN obj_description(" + oid +
                       ", 'pg_class') = '" + retired_mark + "' THEN 'retired' ELSE 'apart' END");
    if (!found) return std::move(found).error();
    return *found == "none"       ? Place::none
           : *found == "pending"  ? Place::pending
           : *found == "attached" ? Place::attached
           : *found == "retired"  ? Place::retired
                                  : Place::apart;
  }

  /// `sql` selects names of tables.
  Result<std::set<std::int64_t>> days_of(const std::string& sql) {
    auto names = query("SELECT coalesce(string_agg(relname, ' '), '') FROM (" + sql + ") AS found");
    if (!names) return std::move(names).error();
    std::set<std::int64_t> days;
    for (std::string_view rest = *names; !rest.empty();) {
      const std::string_view name = rest.substr(0, rest.find(' '));
      rest.remove_prefix(std::min(name.size() + 1, rest.size()));
      if (const auto day = day_of_partition(name, config_.table)) days.insert(*day);
    }
    return days;
  }

  /// Not before PostgreSQL 14, and not beside a default partition, which somebody may have made.
  Result<bool> can_detach_concurrently() {
    if (!has_concurrent_detach()) return false;
    auto found = query("SELECT partdefid = 0 FROM pg_partitioned_table WHERE partrelid = '" +
                       config_.table + "'::regclass");
    if (!found) return std::move(found).error();
    return *found == "t";
  }

  /// A statement of its own, outside of any transaction. Those who use the table are waited for one
  /// second, since records wait for us meanwhile.
  Result<void> detach(const std::string& name, const char* how) {
    if (auto set = execute("SET lock_timeout TO '1s'"); !set) return set;
    auto done = execute("ALTER TABLE " + config_.table + " DETACH PARTITION " + name + " " + how);
    if (auto set = execute("SET lock_timeout TO " + lock_timeout_ms()); !set) return set;
    return done;
  }

  [[nodiscard]] std::string lock_timeout_ms() const {
    return std::to_string(std::min(config_.timeout_ms / 2, 10'000));
  }

  /// A table of an earlier version lacks columns. Its rows have nothing there.
  Result<void> add_columns() {
    auto names =
        query("SELECT coalesce(string_agg(attname, ' '), '') FROM pg_attribute WHERE attrelid = '" +
              config_.table + "'::regclass AND attnum > 0 AND NOT attisdropped");
    if (!names) return std::move(names).error();
    const MissingColumns missing = sql_missing_columns(*names, type_name);
    if (missing.names.empty()) return {};
    auto done = locked("ALTER TABLE " + config_.table + " " + missing.additions);
    if (done) return done;
    return Error{done.error().code, "table \"" + config_.table + "\" lacked " + missing.names +
                                        ", which could not be added: " + done.error().message};
  }

  /// In a transaction of its own that no other sink's overlaps: two that make one table at once
  /// would fail. A lock on the table is waited for one second, since everybody else waits behind.
  Result<void> locked(const std::string& sql) {
    auto done = execute(
        "BEGIN; SET LOCAL client_min_messages TO warning; SET LOCAL lock_timeout TO '1s'; SELECT "
        "pg_advisory_xact_lock(hashtext('tandem." +
        config_.table + "')); " + sql + "; COMMIT");
    // The session is of further use only outside of the transaction that failed.
    if (!done) (void)execute("ROLLBACK");
    return done;
  }

  [[nodiscard]] std::int64_t until_us() const {
    return clock_.monotonic_us() + std::int64_t{config_.timeout_ms} * 1'000;
  }

  Error lost() const {
    return {ErrorCode::io, "PostgreSQL: " + first_line(PQerrorMessage(connection_.get()))};
  }

  Result<void> wait(short events, std::int64_t until) {
    for (;;) {
      const std::int64_t left_us = until - clock_.monotonic_us();
      if (left_us <= 0) return Error{ErrorCode::timeout, "PostgreSQL: deadline passed"};
      pollfd watched{PQsocket(connection_.get()), events, 0};
      const auto wait_ms = std::clamp<std::int64_t>((left_us + 999) / 1'000, 1, 60'000);
      const int ready = ::poll(&watched, 1, static_cast<int>(wait_ms));
      if (ready < 0 && errno != EINTR) return Error{ErrorCode::io, "PostgreSQL: poll failed"};
      if (ready <= 0) continue;
      // What the server says meanwhile must be read, else both wait for each other.
      if ((watched.revents & ~POLLOUT) != 0 && PQconsumeInput(connection_.get()) != 1)
        return lost();
      return {};
    }
  }

  Result<void> flush(std::int64_t until) {
    for (;;) {
      const int left = PQflush(connection_.get());
      if (left == 0) return {};
      if (left < 0) return lost();
      if (auto ready = wait(POLLIN | POLLOUT, until); !ready) return ready;
    }
  }

  /// The next answer, null when there is none left.
  Result<Answer> next_answer(std::int64_t until) {
    if (auto done = flush(until); !done) return std::move(done).error();
    while (PQisBusy(connection_.get()) != 0) {
      if (auto ready = wait(POLLIN, until); !ready) return std::move(ready).error();
    }
    return Answer(PQgetResult(connection_.get()), &PQclear);
  }

  /// Reads all answers. The result is the first value of the last one, "" when it has no row.
  Result<std::string> answers(std::int64_t until) {
    std::string value;
    Result<std::string> failure = std::string();
    for (;;) {
      auto answer = next_answer(until);
      if (!answer) return std::move(answer).error();
      PGresult* const result = answer->get();
      if (result == nullptr) break;
      const ExecStatusType status = PQresultStatus(result);
      if (status == PGRES_TUPLES_OK) {
        const bool has_value = PQntuples(result) > 0 && PQgetisnull(result, 0, 0) == 0;
        value = has_value ? PQgetvalue(result, 0, 0) : "";
      } else if (status == PGRES_COPY_IN) {
        return Error{ErrorCode::internal, "PostgreSQL: a copy began unasked"};
      } else if (status != PGRES_COMMAND_OK && failure) {
        failure = error_of(result);
      }
    }
    if (!failure) return failure;
    if (PQstatus(connection_.get()) != CONNECTION_OK) return lost();
    return value;
  }

  Result<std::string> query(const std::string& sql) {
    if (PQsendQuery(connection_.get(), sql.c_str()) != 1) return lost();
    return answers(until_us());
  }

  Result<void> execute(const std::string& sql) {
    auto done = query(sql);
    if (!done) return std::move(done).error();
    return {};
  }

  Result<void> put(std::string_view bytes, std::int64_t until) {
    for (;;) {
      const int taken =
          PQputCopyData(connection_.get(), bytes.data(), static_cast<int>(bytes.size()));
      if (taken == 1) return flush(until);
      if (taken < 0) return lost();
      if (auto ready = wait(POLLIN | POLLOUT, until); !ready) return ready;
    }
  }

  Result<void> copy(std::span<const Cdr> cdrs) {
    constexpr std::size_t chunk_bytes = std::size_t{128} << 10;
    const std::string sql = "COPY " + config_.table + " (" + sql_column_names() + ") FROM STDIN";
    const std::int64_t until = until_us();  // for all of it
    if (PQsendQuery(connection_.get(), sql.c_str()) != 1) return lost();
    auto begun = next_answer(until);
    if (!begun) return std::move(begun).error();
    if (PQresultStatus(begun->get()) != PGRES_COPY_IN) {
      Error error = begun->get() == nullptr ? lost() : error_of(begun->get());
      if (auto rest = answers(until); !rest) return std::move(rest).error();
      return error;
    }
    CopyText rows;
    std::string scratch;
    for (const Cdr& cdr : cdrs) {
      write_sql_row(rows, cdr, config_.source, scratch);
      rows.end_row();
      if (rows.buffer().size() < chunk_bytes) continue;
      if (auto done = put(rows.buffer(), until); !done) return done;
      rows.buffer().clear();
    }
    if (!rows.buffer().empty()) {
      if (auto done = put(rows.buffer(), until); !done) return done;
    }
    for (;;) {
      const int taken = PQputCopyEnd(connection_.get(), nullptr);
      if (taken == 1) break;
      if (taken < 0) return lost();
      if (auto ready = wait(POLLIN | POLLOUT, until); !ready) return ready;
    }
    auto ended = answers(until);
    if (!ended) return std::move(ended).error();
    return {};
  }

  const CdrSqlConfig config_;
  const Clock& clock_;
  const std::unique_ptr<PGconn, decltype(&PQfinish)> connection_;
  std::set<std::int64_t> ready_days_;  // have a partition, as far as known
};

}  // namespace

Result<void> check_postgresql_connection(const std::string& connection) {
  const std::unique_ptr<PQconninfoOption, decltype(&PQconninfoFree)> options(
      PQconninfoParse(connection.c_str(), nullptr), &PQconninfoFree);
  if (options == nullptr)
    return Error{ErrorCode::invalid_argument, "connection was no text that libpq can read"};
  return {};
}

SqlConnector make_postgresql_connector(const CdrSqlConfig& config, const Clock& clock) {
  return [config, &clock](std::int32_t timeout_ms) -> Result<std::unique_ptr<SqlSession>> {
    CdrSqlConfig own = config;
    own.timeout_ms = timeout_ms;
    const std::string timeout_s = std::to_string(std::max(timeout_ms / 1'000, 2));
    // What the connection's text says of the first ones holds, and not of the last ones: a deadline
    // it cannot take away.
    const char* const keys[] = {"application_name", "keepalives_idle", "dbname",
                                "connect_timeout",  "client_encoding", nullptr};
    const char* const values[] = {"tandem",          "30",   config.connection.c_str(),
                                  timeout_s.c_str(), "UTF8", nullptr};
    PGconn* const connection = PQconnectdbParams(keys, values, 1);
    if (connection == nullptr) return Error{ErrorCode::limit, "PostgreSQL: out of memory"};
    auto session = std::make_unique<PostgresqlSession>(own, clock, connection);
    if (PQstatus(connection) != CONNECTION_OK)
      return Error{ErrorCode::io, "PostgreSQL: " + first_line(PQerrorMessage(connection))};
    PQsetNoticeProcessor(
        connection, [](void*, const char*) {}, nullptr);
    if (PQsetnonblocking(connection, 1) != 0)
      return Error{ErrorCode::io, "PostgreSQL: " + first_line(PQerrorMessage(connection))};
    return std::unique_ptr<SqlSession>(std::move(session));
  };
}

}  // namespace tandem::remote
