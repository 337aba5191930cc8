// A question in SQL about the table of stored records, in a database of its own.
#include <sqlite3.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstring>
#include <memory>
#include <utility>

#include "base/csv.hpp"
#include "base/text.hpp"
#include "base/text_table.hpp"
#include "cdr/cdr_json.hpp"
#include "cdr/cdr_table_sqlite.hpp"
#include "cdr/time_box.hpp"
#include "tandem/cdr_table.hpp"

namespace tandem {
namespace {

struct Closer {
  void operator()(sqlite3* connection) const noexcept { sqlite3_close_v2(connection); }
};
struct Finalizer {
  void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
};
using Statement = std::unique_ptr<sqlite3_stmt, Finalizer>;

/// Functions of some builds of SQLite that give and take addresses of code, load code, or write to
/// the log of the host.
bool is_for_hosts(std::string_view function) {
  for (const char* each : {"fts3_tokenizer", "load_extension", "sqlite_log"}) {
    if (equals_ignoring_case(function, each)) return true;
  }
  return false;
}

/// Reading, and what says which columns there are.
int judge(void*, int action, const char* first, const char* second, const char*, const char*) {
  switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE:
      return SQLITE_OK;
    case SQLITE_FUNCTION:
      return second != nullptr && is_for_hosts(second) ? SQLITE_DENY : SQLITE_OK;
    case SQLITE_PRAGMA:
      return first != nullptr && std::strcmp(first, "table_info") == 0 ? SQLITE_OK : SQLITE_DENY;
    default:
      return SQLITE_DENY;
  }
}

std::string literal(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text)
    quoted.append(c == '\'' ? 2 : 1, c);
  return quoted + "'";
}

class Question {
 public:
  Question(const CdrSqlLimits& limits, const Clock& clock)
      : limits_(limits), box_(clock, limits.guards.time_max_ms) {
    terms_.guards = limits.guards;
    terms_.clock = &clock;
  }
  Question(const Question&) = delete;
  Question& operator=(const Question&) = delete;

  Result<CdrSqlAnswer> ask(const CdrPlace& place, std::string_view sql) {
    const cdr::TimeBoxScope inside(box_);
    if (auto done = open(place); !done) return std::move(done).error();
    if (auto done = prepare(sql); !done) return std::move(done).error();
    CdrSqlAnswer answer;
    const int columns = sqlite3_column_count(statement_.get());
    for (int i = 0; i < columns; ++i) {
      const char* const name = sqlite3_column_name(statement_.get(), i);
      answer.columns.emplace_back(name == nullptr ? "" : name);
    }
    std::size_t bytes = 0;
    for (;;) {
      const int code = sqlite3_step(statement_.get());
      if (code == SQLITE_DONE) return answer;
      if (code != SQLITE_ROW) return failure(code);
      if (answer.rows.size() == limits_.rows_max) {
        answer.is_cut = true;
        return answer;
      }
      std::vector<CdrSqlCell>& row = answer.rows.emplace_back();
      for (int i = 0; i < columns; ++i) {
        // Before it is copied: one row may have thousands of long values.
        bytes += sizeof(CdrSqlCell) + bytes_of(i);
        if (bytes > limits_.bytes_max) {
          return Error{ErrorCode::limit,
                       "answer was larger than " + std::to_string(limits_.bytes_max) + " bytes"};
        }
        row.push_back(cell(i));
      }
    }
  }

 private:
  Result<void> open(const CdrPlace& place) {
    constexpr int bytes_max = 16 << 20;  // of one value
    constexpr int steps_each = 4'096;    // some tens of microseconds
    sqlite3* raw = nullptr;
    const int code =
        sqlite3_open_v2(":memory:", &raw,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
    connection_.reset(raw);
    if (code != SQLITE_OK) return failure(code);
    if (auto done = cdr::register_table_module(raw, nullptr, &terms_); !done) return done;
    const std::string create = "CREATE VIRTUAL TABLE cdrs USING tandem_cdr(" +
                               literal(place.folder) + ',' + literal(place.database) + ')';
    if (const int made = sqlite3_exec(raw, create.c_str(), nullptr, nullptr, nullptr);
        made != SQLITE_OK)
      return failure(made);
    // Tables of SQLite that are made when they are first named: not by the question, which may make
    // none. Where one is not there, the question says so.
    for (const char* first : {"SELECT 1 FROM pragma_table_info('cdrs')",
                              "SELECT 1 FROM json_each('[]'), json_tree('[]')"})
      sqlite3_exec(raw, first, nullptr, nullptr, nullptr);
    sqlite3_limit(raw, SQLITE_LIMIT_LENGTH, bytes_max);
    sqlite3_limit(raw, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_set_authorizer(raw, judge, nullptr);
    sqlite3_progress_handler(
        raw, steps_each,
        [](void* box) { return static_cast<cdr::TimeBox*>(box)->is_over() ? 1 : 0; }, &box_);
    return {};
  }

  Result<void> prepare(std::string_view sql) {
    while (!sql.empty()) {
      sqlite3_stmt* raw = nullptr;
      const char* rest = nullptr;
      const int code = sqlite3_prepare_v2(connection_.get(), sql.data(),
                                          static_cast<int>(sql.size()), &raw, &rest);
      Statement statement(raw);
      if (code != SQLITE_OK) return failure(code);
      if (statement && statement_)
        return Error{ErrorCode::invalid_argument, "more than one statement was given"};
      if (statement) statement_ = std::move(statement);
      const auto read = static_cast<std::size_t>(rest - sql.data());
      if (read == 0) break;
      sql.remove_prefix(read);
    }
    if (!statement_) return Error{ErrorCode::invalid_argument, "statement was empty"};
    if (sqlite3_stmt_readonly(statement_.get()) == 0 || sqlite3_column_count(statement_.get()) == 0)
      return Error{ErrorCode::invalid_argument, "statement was no question"};
    if (sqlite3_bind_parameter_count(statement_.get()) > 0)
      return Error{ErrorCode::invalid_argument, "statement had a parameter"};
    return {};
  }

  Error failure(int code) {
    if (terms_.failed) return std::move(*terms_.failed);
    const char* const text = connection_ ? sqlite3_errmsg(connection_.get()) : "";
    switch (code & 0xFF) {
      case SQLITE_INTERRUPT:
        return {ErrorCode::timeout, "question was ended after " +
                                        std::to_string(limits_.guards.time_max_ms) +
                                        " ms; narrow its period or its filter"};
      case SQLITE_ERROR:
      case SQLITE_AUTH:
      case SQLITE_MISMATCH:
        return {ErrorCode::invalid_argument, std::string("statement was refused: ") + text};
      case SQLITE_TOOBIG:
      case SQLITE_NOMEM:
        return {ErrorCode::limit, std::string("statement took too much: ") + text};
      default:
        return {ErrorCode::io, std::string("database refused: ") + text};
    }
  }

  /// Of a text, or of what is shown as one; 0: it is none.
  [[nodiscard]] std::size_t bytes_of(int column) const {
    const int type = sqlite3_column_type(statement_.get(), column);
    if (type != SQLITE_TEXT && type != SQLITE_BLOB) return 0;
    return static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column));
  }

  [[nodiscard]] CdrSqlCell cell(int column) const {
    sqlite3_stmt* const row = statement_.get();
    switch (sqlite3_column_type(row, column)) {
      case SQLITE_INTEGER:
        return std::int64_t{sqlite3_column_int64(row, column)};
      case SQLITE_FLOAT:
        return sqlite3_column_double(row, column);
      case SQLITE_NULL:
        return std::monostate();
      default: {
        const void* const bytes = sqlite3_column_blob(row, column);
        const int size = sqlite3_column_bytes(row, column);
        if (bytes == nullptr || size <= 0) return std::string();
        return std::string(static_cast<const char*>(bytes), static_cast<std::size_t>(size));
      }
    }
  }

  const CdrSqlLimits& limits_;
  cdr::TimeBox box_;
  cdr::TableTerms terms_;
  std::unique_ptr<sqlite3, Closer> connection_;  // before the terms go
  Statement statement_;
};

/// The shortest text that is read as the same number, whatever the locale.
std::string number_text(double value) {
  std::array<char, 32> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
  return {text.data(), error == std::errc() ? end : text.data()};
}

std::string cell_text(const CdrSqlCell& cell) {
  if (const auto* text = std::get_if<std::string>(&cell)) return *text;
  if (const auto* number = std::get_if<std::int64_t>(&cell)) return std::to_string(*number);
  if (const auto* number = std::get_if<double>(&cell)) return number_text(*number);
  return {};
}

}  // namespace

Result<CdrSqlAnswer> cdr_sql(const CdrPlace& place, std::string_view sql,
                             const CdrSqlLimits& limits, const Clock* clock) {
  constexpr std::size_t rows_max = 1'000'000;
  constexpr std::size_t sql_bytes_max = 1'000'000;
  if (limits.rows_max < 1 || limits.rows_max > rows_max) {
    return Error{ErrorCode::invalid_argument,
                 "limit " + std::to_string(limits.rows_max) + " was not in 1..1000000"};
  }
  if (sql.size() > sql_bytes_max) {
    return Error{ErrorCode::invalid_argument,
                 "statement of " + std::to_string(sql.size()) + " bytes was longer than 1000000"};
  }
  if (sql.find('\0') != std::string_view::npos)
    return Error{ErrorCode::invalid_argument, "statement had a NUL in it"};
  for (const std::string* path : {&place.folder, &place.database}) {
    if (path->find('\0') != std::string::npos)
      return Error{ErrorCode::invalid_argument, "a path had a NUL in it"};
  }
  const SystemClock system_clock;
  return Question(limits, clock != nullptr ? *clock : system_clock).ask(place, sql);
}

std::string to_json_lines(const CdrSqlAnswer& answer) {
  std::string text;
  for (const auto& row : answer.rows) {
    text += '{';
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i > 0) text += ',';
      cdr::append_json_string(text, answer.columns[i]);
      text += ':';
      const auto* const number = std::get_if<double>(&row[i]);
      if (std::holds_alternative<std::monostate>(row[i]) ||
          (number != nullptr && !std::isfinite(*number))) {
        text += "null";
      } else if (std::holds_alternative<std::string>(row[i])) {
        cdr::append_json_string(text, cell_text(row[i]));
      } else {
        text += cell_text(row[i]);
      }
    }
    text += "}\n";
  }
  return text;
}

std::string to_csv(const CdrSqlAnswer& answer) {
  return csv_table(answer.columns, answer.rows, [](const auto& cell) { return cell_text(cell); });
}

std::string to_table(const CdrSqlAnswer& answer) {
  TextTable table;
  for (std::size_t i = 0; i < answer.columns.size(); ++i) {
    bool is_number = true;
    for (const auto& row : answer.rows)
      is_number = is_number && !std::holds_alternative<std::string>(row[i]);
    table.column(answer.columns[i], is_number ? TextTable::Align::right : TextTable::Align::left);
  }
  for (const auto& row : answer.rows) {
    std::vector<std::string> cells;
    for (const CdrSqlCell& cell : row)
      cells.push_back(cell_text(cell));
    table.row(std::move(cells));
  }
  return table.to_string();
}

}  // namespace tandem
