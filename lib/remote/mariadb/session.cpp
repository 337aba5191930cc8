#include "remote/mariadb/session.hpp"

#include <mysql.h>

#include <algorithm>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "remote/sql_columns.hpp"

namespace tandem::remote {
namespace {

/// What a server may be asked at once stays far below its smallest usual limit (1 MiB).
constexpr std::size_t statement_bytes = std::size_t{256} << 10;

/// Whether a state says that a value or a row cannot be taken: classes 22 (data exception), 23
/// (integrity constraint), 45 (what a trigger signals), and two that have no class of their own.
bool is_about_row(unsigned number, std::string_view state) noexcept {
  constexpr unsigned data_truncated = 1265;
  constexpr unsigned wrong_value_for_field = 1366;
  return state.starts_with("22") || state.starts_with("23") || state.starts_with("45") ||
         number == data_truncated || number == wrong_value_for_field;
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
      : config_(config), connection_(connection, &mysql_close) {}

  Result<void> connect(const MariadbConnection& to) {
    MYSQL* const connection = connection_.get();
    const unsigned timeout_s = std::max(static_cast<unsigned>(config_.timeout_ms) / 1'000U, 1U);
    for (const mysql_option option :
         {MYSQL_OPT_CONNECT_TIMEOUT, MYSQL_OPT_READ_TIMEOUT, MYSQL_OPT_WRITE_TIMEOUT})
      mysql_optionsv(connection, option, &timeout_s);
    mysql_optionsv(connection, MYSQL_SET_CHARSET_NAME, "utf8mb4");
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
    return execute(
        "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', time_zone = '+00:00', "
        "autocommit = 1, lock_wait_timeout = 10, innodb_lock_wait_timeout = 10");
  }

  Result<void> make_tables() override {
    const std::string& table = config_.table;
    auto found = query(
        "SELECT count(*) FROM information_schema.tables WHERE table_schema = database() AND "
        "table_name IN ('" +
        table + "', '" + table + "_place')");
    if (!found) return std::move(found).error();
    if (!found->empty() && found->front().front() == "2") return {};
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
    if (!done && (done.error().code == ErrorCode::invalid_argument ||
                  done.error().code == ErrorCode::already_exists)) {
      if (auto rolled_back = roll_back(); !rolled_back) return rolled_back;
    }
    return done;
  }

  Result<void> commit(const SqlPlace& place) override {
    if (auto done = execute("UPDATE " + config_.table + "_place SET owner = '" + place.owner +
                            "', sequence = " + std::to_string(place.sequence) +
                            ", written_at = now(6) WHERE source = '" + config_.source + "'");
        !done)
      return done;
    return execute("COMMIT");
  }

  Result<void> roll_back() override { return execute("ROLLBACK"); }

  /// Every row has a partition: what lies behind the last day goes into the rest.
  Result<void> make_room(const std::set<std::int64_t>&) override { return {}; }

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
    auto done = split(day);
    (void)execute("DO RELEASE_LOCK('tandem." + config_.table + "')");  // its end gives it up too
    return done;
  }

  Result<void> drop_day(std::int64_t day) override {
    return execute("ALTER TABLE " + config_.table + " DROP PARTITION IF EXISTS " +
                   partition_of_day(config_.table, day));
  }

  Result<std::int64_t> wall_us() override {
    auto rows = query("SELECT CAST(UNIX_TIMESTAMP(SYSDATE(6)) * 1000000 AS UNSIGNED)");
    if (!rows) return std::move(rows).error();
    return rows->empty() ? 0 : parse_integer<std::int64_t>(rows->front().front()).value_or(0);
  }

 private:
  using Rows = std::vector<std::vector<std::string>>;

  [[nodiscard]] std::string rest() const { return config_.table + "_rest"; }

  /// Another switch may look after the same table.
  Result<void> lock() {
    auto rows = query("SELECT GET_LOCK('tandem." + config_.table + "', 10)");
    if (!rows) return std::move(rows).error();
    if (rows->empty() || rows->front().front() != "1")
      return Error{ErrorCode::timeout, "MariaDB: another sink looked after the partitions"};
    return {};
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
    } else if (is_about_row(number, mysql_sqlstate(connection_.get()))) {
      error.code = ErrorCode::invalid_argument;
    }
    return error;
  }

  Result<Rows> query(const std::string& sql) {
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
  const std::unique_ptr<MYSQL, decltype(&mysql_close)> connection_;
};

}  // namespace

SqlConnector make_mariadb_connector(const CdrSqlConfig& config,
                                    const MariadbConnection& connection) {
  return [config, connection]() -> Result<std::unique_ptr<SqlSession>> {
    // The first mysql_init() of a process must not run twice at once.
    static std::once_flag begun;
    std::call_once(begun, [] { mysql_library_init(0, nullptr, nullptr); });
    MYSQL* const handle = mysql_init(nullptr);
    if (handle == nullptr) return Error{ErrorCode::limit, "MariaDB: out of memory"};
    auto session = std::make_unique<MariadbSession>(config, handle);
    if (auto connected = session->connect(connection); !connected)
      return Error{ErrorCode::io, std::move(connected).error().message};
    return std::unique_ptr<SqlSession>(std::move(session));
  };
}

}  // namespace tandem::remote
