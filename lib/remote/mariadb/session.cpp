#include "remote/mariadb/session.hpp"

#include <mysql.h>
#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <ctime>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "remote/sql_columns.hpp"

namespace tandem::remote {
namespace {

bool is_about_row(ErrorCode code) noexcept {
  return code == ErrorCode::invalid_argument || code == ErrorCode::already_exists;
}

/// What a server may be asked at once stays far below its smallest usual limit (1 MiB).
constexpr std::size_t statement_bytes = std::size_t{256} << 10;

/// Whether a state says that a value or a row cannot be taken: classes 22 (data exception), 23
/// (integrity constraint), 45 (what a trigger signals), and two that have no class of their own.
bool is_refusal(unsigned number, std::string_view state) noexcept {
  constexpr unsigned data_truncated = 1265;
  constexpr unsigned wrong_value_for_field = 1366;
  return state.starts_with("22") || state.starts_with("23") || state.starts_with("45") ||
         number == data_truncated || number == wrong_value_for_field;
}

/// Whether the connection is good, but a lock, time or a right was not given.
bool is_denied(unsigned number) noexcept {
  constexpr unsigned numbers[] = {1205, 1044, 1142, 1143, 1227, 1969};
  return std::find(std::begin(numbers), std::end(numbers), number) != std::end(numbers);
}

/// Keeps the signal of a broken connection from the host, whose thread this may be.
class SigpipeBlocked {
 public:
  SigpipeBlocked() noexcept {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~SigpipeBlocked() {
    const timespec now{};
    while (!was_pending_ && sigtimedwait(&pipe_, nullptr, &now) == SIGPIPE) {
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  SigpipeBlocked(const SigpipeBlocked&) = delete;
  SigpipeBlocked& operator=(const SigpipeBlocked&) = delete;

 private:
  sigset_t pipe_, before_;
  bool was_pending_ = false;
};

/// The library ignores SIGPIPE for the whole process when it begins, which is the host's to choose.
void begin_library() noexcept {
  struct sigaction before {};
  const bool is_known = sigaction(SIGPIPE, nullptr, &before) == 0;
  mysql_library_init(0, nullptr, nullptr);
  if (is_known) (void)sigaction(SIGPIPE, &before, nullptr);
}

void close(MYSQL* connection) noexcept {
  const SigpipeBlocked blocked;
  mysql_close(connection);
}

const char* type_name(SqlType type) {
  switch (type) {
    case SqlType::name:
      return "varchar(255)";
    case SqlType::text:
      return "text";
    case SqlType::number:
      return "bigint";
    case SqlType::small:
      return "int";
    case SqlType::amount:
      return "decimal(19,8)";
    case SqlType::time:
      return "datetime(6)";
    case SqlType::json:
      return "longtext";
  }
  return "text";
}

/// "2026-11-25 12:00:00.000000".
std::string datetime(std::int64_t time_us) {
  std::string text = format_time_us(sql_time_us(time_us));
  text[10] = ' ';
  text.pop_back();
  return text;
}

/// Rows of an INSERT behind each other in one buffer.
class ValuesText {
 public:
  void begin_row() {
    buffer_ += is_first_row_ ? "(" : ",(";
    is_first_row_ = false;
    is_first_ = true;
  }
  void end_row() { buffer_ += ')'; }
  void text(std::string_view value) {
    begin();
    buffer_ += '\'';
    while (!value.empty()) {
      const std::size_t length = cdr::utf8_length(value);
      const char c = value.front();
      if (length == 0 || c == '\0') {
        buffer_ += "\xEF\xBF\xBD";
      } else if (length > 1) {
        buffer_.append(value.substr(0, length));
      } else {
        if (c == '\'' || c == '\\') buffer_ += '\\';
        buffer_ += c;
      }
      value.remove_prefix(length == 0 ? 1 : length);
    }
    buffer_ += '\'';
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
    buffer_ += '\'' + datetime(time_us) + '\'';
  }
  void null() {
    begin();
    buffer_ += "NULL";
  }
  [[nodiscard]] const std::string& buffer() const noexcept { return buffer_; }
  void clear(std::string_view beginning) {
    buffer_ = beginning;
    is_first_row_ = true;
  }
  [[nodiscard]] bool has_rows() const noexcept { return !is_first_row_; }

 private:
  void begin() {
    if (!is_first_) buffer_ += ',';
    is_first_ = false;
  }
  std::string buffer_;
  bool is_first_ = true;
  bool is_first_row_ = true;
};

class MariadbSession final : public SqlSession {
 public:
  MariadbSession(const CdrSqlConfig& config, MYSQL* connection)
      : config_(config), connection_(connection, &close) {}

  Result<void> connect(const MariadbConnection& to) {
    const SigpipeBlocked blocked;
    MYSQL* const connection = connection_.get();
    const unsigned timeout_s = std::max(static_cast<unsigned>(config_.timeout_ms) / 1'000U, 1U);
    for (const mysql_option option :
         {MYSQL_OPT_CONNECT_TIMEOUT, MYSQL_OPT_READ_TIMEOUT, MYSQL_OPT_WRITE_TIMEOUT})
      mysql_optionsv(connection, option, &timeout_s);
    mysql_optionsv(connection, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    const unsigned none = 0;  // a false server may ask for files of ours
    mysql_optionsv(connection, MYSQL_OPT_LOCAL_INFILE, &none);
    if (!to.tls_ca.empty()) {
      const my_bool on = 1;
      mysql_ssl_set(connection, nullptr, nullptr, to.tls_ca.c_str(), nullptr, nullptr);
      mysql_optionsv(connection, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &on);
    }
    const auto given = [](const std::string& text) {
      return text.empty() ? nullptr : text.c_str();
    };
    if (mysql_real_connect(connection, given(to.host), given(to.user), given(to.password),
                           to.database.c_str(), to.port, given(to.socket), 0) == nullptr)
      return error();
    // Strict, so that a value is refused and never cut; our quotes and times mean one thing only.
    // The server gives up when we do, and soon when we are gone without a word: else the lock on
    // our place would outlive us for hours.
    const std::string timeout = std::to_string(timeout_s);
    const std::string lock_wait = std::to_string(lock_wait_s());
    return execute(
        "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00', "
        "autocommit = 1, lock_wait_timeout = " +
        lock_wait + ", innodb_lock_wait_timeout = " + lock_wait +
        ", max_statement_time = " + timeout + ", idle_transaction_timeout = " + timeout);
  }

  Result<void> make_tables() override {
    const std::string& table = config_.table;
    auto found = query(
        "SELECT table_name, engine FROM information_schema.tables WHERE table_schema = database() "
        "AND table_name IN ('" +
        table + "', '" + table + "_place')");
    if (!found) return std::move(found).error();
    for (const auto& row : *found) {
      // Others have no transactions: rows and place would not come together.
      if (row.back() != "InnoDB")
        return Error{ErrorCode::io, "MariaDB: table \"" + row.front() + "\" had engine \"" +
                                        row.back() + "\", not InnoDB"};
    }
    if (found->size() == 2) return add_columns();
    constexpr const char* options = " ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin";
    if (auto done = execute(
            "CREATE TABLE IF NOT EXISTS " + table + " (" + sql_column_definitions(type_name) +
            ", PRIMARY KEY (source, record_id, ended_at), KEY by_end (ended_at), KEY by_start "
            "(started_at), KEY by_caller (caller, ended_at), KEY by_callee (callee, ended_at))" +
            options + " PARTITION BY RANGE COLUMNS (ended_at) (PARTITION " + rest() +
            " VALUES LESS THAN (MAXVALUE))");
        !done)
      return done;
    return execute("CREATE TABLE IF NOT EXISTS " + table +
                   "_place (source varchar(64) PRIMARY KEY, owner varchar(64) NOT NULL, sequence "
                   "bigint NOT NULL, written_at datetime(6) NOT NULL)" +
                   options);
  }

  Result<SqlPlace> begin() override {
    const std::string select = "SELECT owner, sequence FROM " + config_.table +
                               "_place WHERE source = '" + config_.source + "' FOR UPDATE";
    // To start one commits what is open.
    if (auto done = execute("ROLLBACK"); !done) return std::move(done).error();
    if (auto done = execute("START TRANSACTION"); !done) return std::move(done).error();
    auto rows = query(select);
    if (rows && rows->empty()) {
      if (auto done = execute("INSERT IGNORE INTO " + config_.table + "_place VALUES ('" +
                              config_.source + "', '', 0, now(6))");
          !done)
        return std::move(done).error();
      rows = query(select);
    }
    if (!rows) return std::move(rows).error();
    const auto sequence = rows->empty() || rows->front().size() != 2
                              ? std::optional<std::uint64_t>()
                              : parse_integer<std::uint64_t>(rows->front()[1]);
    if (!sequence)
      return Error{ErrorCode::io,
                   "MariaDB: place of source \"" + config_.source + "\" was not readable"};
    return SqlPlace{rows->front()[0], *sequence};
  }

  Result<void> add_rows(std::span<const Cdr> cdrs) override {
    auto done = insert(cdrs);
    if (!done && is_about_row(done.error().code)) {
      if (auto rolled_back = roll_back(); !rolled_back) return rolled_back;
    }
    return done;
  }

  Result<void> commit(const SqlPlace& place) override {
    auto done = execute("UPDATE " + config_.table + "_place SET owner = '" + place.owner +
                        "', sequence = " + std::to_string(place.sequence) +
                        ", written_at = now(6) WHERE source = '" + config_.source + "'");
    if (done) return execute("COMMIT");
    if (is_about_row(done.error().code)) {
      if (auto rolled_back = roll_back(); !rolled_back) return rolled_back;
    }
    return done;
  }

  Result<void> roll_back() override { return execute("ROLLBACK"); }

  /// Every row has a partition: what lies behind the last day goes into the rest. To split a full
  /// rest is dear, so days that began get theirs before their rows; those of a clock that is ahead
  /// do not.
  Result<void> make_room(const std::set<std::int64_t>& wanted) override {
    if (config_.ahead_days == 0 ||
        std::includes(ready_days_.begin(), ready_days_.end(), wanted.begin(), wanted.end()))
      return {};
    const auto existing = days();
    if (!existing) return existing.error();
    const auto now_us = wall_us();
    if (!now_us) return now_us.error();
    for (const std::int64_t day : wanted) {
      const bool is_behind_last = existing->empty() || day > *existing->rbegin();
      if (is_behind_last && day <= cdr::day_of(*now_us)) {
        const auto done = add_day(day);
        // The rest takes the rows all the same; upkeep tells what went wrong.
        if (!done && done.error().code != ErrorCode::limit) return done;
      }
      ready_days_.insert(day);
    }
    return {};
  }

  Result<std::set<std::int64_t>> days() override {
    auto rows = query(
        "SELECT partition_name FROM information_schema.partitions WHERE table_schema = database() "
        "AND table_name = '" +
        config_.table + "' AND partition_name IS NOT NULL");
    if (!rows) return std::move(rows).error();
    std::set<std::int64_t> days;
    for (const auto& row : *rows) {
      if (const auto day = day_of_partition(row.front(), config_.table)) days.insert(*day);
    }
    return days;
  }

  Result<void> add_day(std::int64_t day) override {
    if (auto locked = lock(); !locked) return locked;
    auto done = alter([&] { return split(day); });
    (void)execute("DO RELEASE_LOCK('tandem." + config_.table + "')");  // its end gives it up too
    return done;
  }

  Result<void> drop_day(std::int64_t day) override {
    return alter([&] {
      return execute("ALTER TABLE " + config_.table + " DROP PARTITION IF EXISTS " +
                     partition_of_day(config_.table, day));
    });
  }

  // It drops whole or not at all.
  Result<void> clear_dropped(std::int64_t) override { return {}; }

  Result<std::int64_t> wall_us() override {
    auto rows = query("SELECT CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000000 AS UNSIGNED)");
    if (!rows) return std::move(rows).error();
    const auto time_us = rows->empty() ? std::optional<std::int64_t>()
                                       : parse_integer<std::int64_t>(rows->front().front());
    if (!time_us) return Error{ErrorCode::io, "MariaDB: its clock was not readable"};
    return *time_us;
  }

 private:
  using Rows = std::vector<std::vector<std::string>>;

  [[nodiscard]] std::string rest() const { return config_.table + "_rest"; }

  /// Another switch may look after the same table.
  Result<void> lock() {
    auto rows = query("SELECT GET_LOCK('tandem." + config_.table + "', 1)");
    if (!rows) return std::move(rows).error();
    if (rows->empty() || rows->front().front() != "1")
      return Error{ErrorCode::limit, "MariaDB: another sink looked after the partitions"};
    return {};
  }

  [[nodiscard]] int lock_wait_s() const {
    return std::clamp(static_cast<int>(config_.timeout_ms) / 2'000, 1, 10);
  }

  /// A lock on the table is waited for one second, since everybody else waits behind.
  template <class Act>
  Result<void> alter(Act act) {
    if (auto done = execute("SET SESSION lock_wait_timeout = 1"); !done) return done;
    auto outcome = act();
    // A session that is lost has no need of it.
    (void)execute("SET SESSION lock_wait_timeout = " + std::to_string(lock_wait_s()));
    return outcome;
  }

  /// A table of an earlier version lacks columns. Its rows have nothing there.
  Result<void> add_columns() {
    auto rows = query(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = database() AND "
        "table_name = '" +
        config_.table + "'");
    if (!rows) return std::move(rows).error();
    std::string present;
    for (const auto& row : *rows)
      present += row.front() + " ";
    const MissingColumns missing = sql_missing_columns(present, type_name);
    if (missing.names.empty()) return {};
    auto done =
        alter([&] { return execute("ALTER TABLE " + config_.table + " " + missing.additions); });
    if (done) return done;
    return Error{done.error().code, "table \"" + config_.table + "\" lacked " + missing.names +
                                        ", which could not be added: " + done.error().message};
  }

  /// Takes the day, and what lies before it, out of the partition that holds it now.
  Result<void> split(std::int64_t day) {
    const auto existing = days();
    if (!existing) return existing.error();
    if (existing->contains(day)) return {};
    const auto next = existing->upper_bound(day);
    const bool is_last = next == existing->end();
    const std::string holder = is_last ? rest() : partition_of_day(config_.table, *next);
    const std::string end = is_last ? "MAXVALUE" : end_of(*next);
    return execute("ALTER TABLE " + config_.table + " REORGANIZE PARTITION " + holder +
                   " INTO (PARTITION " + partition_of_day(config_.table, day) +
                   " VALUES LESS THAN (" + end_of(day) + "), PARTITION " + holder +
                   " VALUES LESS THAN (" + end + "))");
  }

  static std::string end_of(std::int64_t day) {
    return '\'' + datetime((day + 1) * cdr::day_us) + '\'';
  }

  Error error() {
    const unsigned number = mysql_errno(connection_.get());
    constexpr unsigned duplicate = 1062;
    Error error{ErrorCode::io, std::string("MariaDB: ") + mysql_error(connection_.get())};
    std::replace(error.message.begin(), error.message.end(), '\n', ' ');
    if (number == duplicate) {
      error.code = ErrorCode::already_exists;
    } else if (is_denied(number)) {
      error.code = ErrorCode::limit;
    } else if (is_refusal(number, mysql_sqlstate(connection_.get()))) {
      error.code = ErrorCode::invalid_argument;
    }
    return error;
  }

  Result<Rows> query(const std::string& sql) {
    const SigpipeBlocked blocked;
    MYSQL* const connection = connection_.get();
    if (mysql_real_query(connection, sql.data(), static_cast<unsigned long>(sql.size())) != 0)
      return error();
    const std::unique_ptr<MYSQL_RES, decltype(&mysql_free_result)> result(
        mysql_store_result(connection), &mysql_free_result);
    Rows rows;
    if (result == nullptr) {
      if (mysql_field_count(connection) != 0) return error();
      return rows;
    }
    const unsigned columns = mysql_num_fields(result.get());
    while (MYSQL_ROW row = mysql_fetch_row(result.get())) {
      const unsigned long* const lengths = mysql_fetch_lengths(result.get());
      std::vector<std::string> values(columns);
      for (unsigned i = 0; i < columns; ++i) {
        if (row[i] != nullptr) values[i].assign(row[i], lengths[i]);
      }
      rows.push_back(std::move(values));
    }
    return rows;
  }

  Result<void> execute(const std::string& sql) {
    auto done = query(sql);
    if (!done) return std::move(done).error();
    return {};
  }

  Result<void> insert(std::span<const Cdr> cdrs) {
    const std::string beginning =
        "INSERT INTO " + config_.table + " (" + sql_column_names() + ") VALUES ";
    ValuesText rows;
    rows.clear(beginning);
    std::string scratch;
    for (const Cdr& cdr : cdrs) {
      rows.begin_row();
      write_sql_row(rows, cdr, config_.source, scratch);
      rows.end_row();
      if (rows.buffer().size() < statement_bytes) continue;
      if (auto done = execute(rows.buffer()); !done) return done;
      rows.clear(beginning);
    }
    return rows.has_rows() ? execute(rows.buffer()) : Result<void>{};
  }

  const CdrSqlConfig config_;
  const std::unique_ptr<MYSQL, decltype(&close)> connection_;
  std::set<std::int64_t> ready_days_;  // need no look at the partitions
};

}  // namespace

SqlConnector make_mariadb_connector(const CdrSqlConfig& config,
                                    const MariadbConnection& connection) {
  return [config, connection](std::int32_t timeout_ms) -> Result<std::unique_ptr<SqlSession>> {
    // The first mysql_init() of a process must not run twice at once.
    static std::once_flag begun;
    std::call_once(begun, begin_library);
    CdrSqlConfig own = config;
    own.timeout_ms = timeout_ms;
    MYSQL* const handle = mysql_init(nullptr);
    if (handle == nullptr) return Error{ErrorCode::limit, "MariaDB: out of memory"};
    auto session = std::make_unique<MariadbSession>(own, handle);
    if (auto connected = session->connect(connection); !connected)
      return Error{ErrorCode::io, std::move(connected).error().message};
    return std::unique_ptr<SqlSession>(std::move(session));
  };
}

}  // namespace tandem::remote
