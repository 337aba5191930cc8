#include "store/sqlite.hpp"

#include <sqlite3.h>
#include <unistd.h>

#include <limits>

namespace tandem::store {
namespace {

Error failure(sqlite3* connection, int code) {
  const char* text = connection != nullptr ? sqlite3_errmsg(connection) : sqlite3_errstr(code);
  ErrorCode kind = ErrorCode::io;  // a full disk too: that passes, and is no fault of the caller
  if ((code & 0xFF) == SQLITE_CONSTRAINT) kind = ErrorCode::already_exists;
  if ((code & 0xFF) == SQLITE_INTERRUPT) kind = ErrorCode::timeout;
  return Error{kind, std::string("database refused: ") + text};
}

Result<sqlite3*> open_raw(const std::string& name, int flags) {
  sqlite3* connection = nullptr;
  // No mutex: our classes promise one thread at a time.
  const int code = sqlite3_open_v2(name.c_str(), &connection, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  if (code == SQLITE_OK) {
    sqlite3_extended_result_codes(connection, 1);
    sqlite3_busy_timeout(connection, Connection::lock_wait_ms);
    return connection;
  }
  Error error = failure(connection, code);
  sqlite3_close(connection);
  return error;
}

Result<void> run_script(sqlite3* connection, const char* sql) {
  const int code = sqlite3_exec(connection, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return failure(connection, code);
  return {};
}

/// A path as an SQLite URI, so that options can follow it.
std::string uri_of(const std::string& path) {
  std::string uri = "file:";
  constexpr char hex[] = "0123456789ABCDEF";
  for (char c : path) {
    if (c == '%' || c == '?' || c == '#') {
      const auto byte = static_cast<unsigned char>(c);
      uri += '%';
      uri += hex[byte >> 4U];
      uri += hex[byte & 15U];
    } else {
      uri += c;
    }
  }
  return uri;
}

}  // namespace

void Statement::Finalizer::operator()(sqlite3_stmt* statement) const noexcept {
  sqlite3_finalize(statement);
}

void Connection::Closer::operator()(sqlite3* connection) const noexcept {
  sqlite3_close_v2(connection);
}

void Connection::release_memory() noexcept { (void)sqlite3_db_release_memory(connection_.get()); }

void Connection::wait_for_lock(int ms) noexcept { sqlite3_busy_timeout(connection_.get(), ms); }

void Statement::note_bind(int code) noexcept {
  if (bind_failure_ == SQLITE_OK) bind_failure_ = code;
}

Statement& Statement::bind(int parameter, std::int64_t value) {
  note_bind(sqlite3_bind_int64(statement_.get(), parameter, value));
  return *this;
}

Statement& Statement::bind(int parameter, std::string_view text) {
  note_bind(sqlite3_bind_text64(statement_.get(), parameter, text.empty() ? "" : text.data(),
                                text.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
  return *this;
}

Statement& Statement::bind_borrowed(int parameter, std::string_view text) {
  note_bind(sqlite3_bind_text64(statement_.get(), parameter, text.empty() ? "" : text.data(),
                                text.size(), SQLITE_STATIC, SQLITE_UTF8));
  return *this;
}

Statement& Statement::bind_blob(int parameter, std::string_view bytes) {
  note_bind(sqlite3_bind_blob64(statement_.get(), parameter, bytes.empty() ? "" : bytes.data(),
                                bytes.size(), SQLITE_TRANSIENT));
  return *this;
}

Statement& Statement::bind_null(int parameter) {
  note_bind(sqlite3_bind_null(statement_.get(), parameter));
  return *this;
}

Result<bool> Statement::step() {
  if (bind_failure_ != SQLITE_OK) {
    const bool is_of_caller = bind_failure_ == SQLITE_TOOBIG || bind_failure_ == SQLITE_RANGE;
    return Error{is_of_caller ? ErrorCode::invalid_argument : ErrorCode::io,
                 std::string("a parameter could not be bound: ") + sqlite3_errstr(bind_failure_)};
  }
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return failure(sqlite3_db_handle(statement_.get()), code);
}

Result<void> Statement::run() {
  Result<bool> stepped = step();
  reset();
  if (!stepped) return std::move(stepped).error();
  if (*stepped)
    return Error{ErrorCode::internal, "a statement that returns nothing returned a row"};
  return {};
}

void Statement::reset() {
  // Their result repeats the failure that step() has told already.
  sqlite3_reset(statement_.get());
  sqlite3_clear_bindings(statement_.get());
  bind_failure_ = 0;
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

std::string_view Statement::text(int column) const {
  const void* bytes = sqlite3_column_blob(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  if (bytes == nullptr || size <= 0) return {};
  return {static_cast<const char*>(bytes), static_cast<std::size_t>(size)};
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

Result<Connection> Connection::open(const std::string& path, OpenMode mode) {
  const auto named = [&path](Error error) {
    error.message = "\"" + path + "\": " + error.message;
    return error;
  };
  if (mode == OpenMode::read_only) {
    if (access(path.c_str(), F_OK) != 0) {
      return Error{ErrorCode::not_found, "\"" + path + "\" did not exist"};
    }
    // A reader of a WAL file needs the shared index beside it, which only a writer may make. So a
    // connection that may write and is told not to comes first, then one that only reads, and last,
    // for a read-only folder that nobody writes, one without locks.
    struct Way {
      int flags;
      const char* options;
    };
    constexpr Way ways[] = {{SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI, ""},
                            {SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, ""},
                            {SQLITE_OPEN_READONLY | SQLITE_OPEN_URI, "?immutable=1"}};
    Result<void> outcome;
    for (const Way& way : ways) {
      if (way.options[0] != 0 && access((path + "-wal").c_str(), F_OK) == 0) break;
      Result<sqlite3*> raw = open_raw(uri_of(path) + way.options, way.flags);
      if (!raw) {
        outcome = std::move(raw).error();
        continue;
      }
      Connection connection(*raw);
      outcome = run_script(*raw, "PRAGMA query_only=1; SELECT count(*) FROM sqlite_master;");
      if (outcome) return connection;
    }
    return named(std::move(outcome).error());
  }
  Result<sqlite3*> raw = open_raw(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  if (!raw) return named(std::move(raw).error());
  Connection connection(*raw);
  // A new file becomes one with a log by a transaction of the old kind, whose journal is removed.
  // EXTRA flushes the removal: with a file system that brings the journal back after a power cut,
  // SQLite would undo that transaction, and with it all that was committed since. With a log it is
  // FULL.
  Result<void> prepared = run_script(
      *raw, "PRAGMA synchronous=EXTRA; PRAGMA journal_mode=WAL; PRAGMA foreign_keys=ON;");
  if (!prepared) return named(std::move(prepared).error());
  return connection;
}

Result<void> Connection::execute(const std::string& sql) {
  return run_script(connection_.get(), sql.c_str());
}

Result<Statement> Connection::prepare(std::string_view sql) {
  if (sql.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
    return Error{ErrorCode::invalid_argument, "a statement was longer than 2 GiB"};
  }
  sqlite3_stmt* raw = nullptr;
  const int code = sqlite3_prepare_v3(connection_.get(), sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
  Statement statement;
  statement.statement_.reset(raw);
  if (code != SQLITE_OK) {
    Error error = failure(connection_.get(), code);
    if ((code & 0xFF) == SQLITE_ERROR) error.code = ErrorCode::invalid_argument;
    return error;
  }
  if (raw == nullptr) return Error{ErrorCode::invalid_argument, "a statement was empty"};
  return statement;
}

std::int64_t Connection::changes() const { return sqlite3_changes64(connection_.get()); }

void Connection::watch(const Watch& watch) {
  constexpr int steps = 4'096;  // some tens of microseconds
  sqlite3_progress_handler(
      connection_.get(), steps,
      [](void* asked) { return (*static_cast<const Watch*>(asked))() ? 1 : 0; },
      const_cast<Watch*>(&watch));
}

Result<Transaction> Transaction::begin(Connection& connection) {
  Result<void> begun = connection.execute("BEGIN IMMEDIATE");
  if (!begun) return std::move(begun).error();
  return Transaction(connection);
}

Transaction::~Transaction() {
  // A failed commit may have rolled back on its own; then there is nothing left to do and the error
  // says so.
  if (connection_ != nullptr) (void)connection_->execute("ROLLBACK");
}

Result<void> Transaction::commit() {
  Result<void> done = connection_->execute("COMMIT");
  if (done) connection_ = nullptr;
  return done;
}

Result<void> migrate(Connection& connection, std::string_view component,
                     std::span<const Migration> steps) {
  Result<Transaction> transaction = Transaction::begin(connection);
  if (!transaction) return std::move(transaction).error();
  Result<void> made = connection.execute(
      "CREATE TABLE IF NOT EXISTS schema_migrations("
      "component TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY(component, number))"
      " WITHOUT ROWID");
  if (!made) return made;
  std::int64_t reached = 0;
  {
    Result<Statement> newest = connection.prepare(
        "SELECT coalesce(max(number), 0) FROM schema_migrations WHERE component = ?");
    if (!newest) return std::move(newest).error();
    Result<bool> row = newest->bind(1, component).step();
    if (!row) return std::move(row).error();
    reached = newest->integer(0);
  }
  const std::int64_t last = steps.empty() ? 0 : steps.back().number;
  if (reached > last) {
    return Error{ErrorCode::unsupported, "tables of \"" + std::string(component) +
                                             "\" were at step " + std::to_string(reached) +
                                             ", this release knows " + std::to_string(last)};
  }
  for (const Migration& step : steps) {
    if (step.number <= reached) continue;
    Result<void> done = connection.execute(step.sql);
    if (!done) {
      Error error = std::move(done).error();
      error.message = "step " + std::to_string(step.number) + " of \"" + std::string(component) +
                      "\": " + error.message;
      return error;
    }
    Result<Statement> note = connection.prepare("INSERT INTO schema_migrations VALUES(?, ?)");
    if (!note) return std::move(note).error();
    Result<void> noted =
        note->bind(1, component).bind(2, static_cast<std::int64_t>(step.number)).run();
    if (!noted) return noted;
  }
  return transaction->commit();
}

}  // namespace tandem::store
