// Owners of SQLite connections and statements, transactions and numbered migrations.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "tandem/error.hpp"

struct sqlite3;
struct sqlite3_stmt;

namespace tandem::store {

/// A prepared statement. Bind, step until done, reset. Parameters count from 1, columns from 0.
/// Threading: one thread at a time. Must not outlive its connection.
class Statement {
 public:
  Statement() = default;
  Statement(Statement&&) noexcept = default;
  Statement& operator=(Statement&&) noexcept = default;
  /// Whether there is one.
  explicit operator bool() const noexcept { return statement_ != nullptr; }

  /// `text` is copied. A parameter out of range is a broken statement and fails the next step().
  Statement& bind(int parameter, std::int64_t value);
  Statement& bind(int parameter, std::string_view text);
  Statement& bind_blob(int parameter, std::string_view bytes);
  Statement& bind_null(int parameter);
  /// As bind(parameter, text), without a copy: `text` must live until reset() or the next bind.
  Statement& bind_borrowed(int parameter, std::string_view text);

  /// True: a row is ready. False: done. Errors: io (the text says what SQLite said), already_exists
  /// (a constraint), timeout (ended by what watches the connection), invalid_argument (a bind of
  /// what is too long or of no parameter).
  Result<bool> step();
  /// Steps once, expects no row, resets. Errors: as step().
  Result<void> run();
  void reset();  ///< Ready for the next use; parameters become null.

  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] std::string_view text(
      int column) const;  ///< Lives until the next step() or reset(). "" for null.
  [[nodiscard]] bool is_null(int column) const;

 private:
  friend class Connection;
  struct Finalizer {
    void operator()(sqlite3_stmt* statement) const noexcept;
  };
  void note_bind(int code) noexcept;
  std::unique_ptr<sqlite3_stmt, Finalizer> statement_;
  int bind_failure_ = 0;  // the first one since reset()
};

enum class OpenMode : std::uint8_t {
  create,     ///< Read and write; made when absent.
  read_only,  ///< Must exist. Works beside a writer in another process and after a crash of one.
};

/// A connection in WAL mode with foreign keys on, which waits for other writers of the file.
/// Threading: one thread at a time.
class Connection {
 public:
  static constexpr int lock_wait_ms = 5'000;
  /// Errors: not_found (read_only and no such file), io.
  static Result<Connection> open(const std::string& path, OpenMode mode = OpenMode::create);
  Connection(Connection&&) noexcept = default;
  Connection& operator=(Connection&&) noexcept = default;

  /// Runs one or more statements without parameters. Errors: io.
  Result<void> execute(const std::string& sql);
  /// Errors: invalid_argument (SQLite refused the text).
  Result<Statement> prepare(std::string_view sql);
  [[nodiscard]] std::int64_t changes()
      const;  ///< Rows changed by the last INSERT, UPDATE or DELETE.

  /// How long a statement waits for another writer of the file before it fails. 0: not at all.
  void wait_for_lock(int ms) noexcept;

  /// Frees what it keeps of the file in memory, as far as nothing uses it.
  void release_memory() noexcept;

  /// True: the statement that is running shall end.
  using Watch = std::function<bool()>;
  /// Asks `watch` every few thousand steps of a running statement. It must not throw, and outlives
  /// the connection.
  void watch(const Watch& watch);

 private:
  struct Closer {
    void operator()(sqlite3* connection) const noexcept;
  };
  explicit Connection(sqlite3* connection) noexcept : connection_(connection) {}
  std::unique_ptr<sqlite3, Closer> connection_;
};

/// An immediate transaction: rolled back unless commit() succeeded.
class Transaction {
 public:
  /// Errors: io (the database stayed locked, or cannot be written).
  static Result<Transaction> begin(Connection& connection);
  Transaction(Transaction&& other) noexcept
      : connection_(std::exchange(other.connection_, nullptr)) {}
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  Result<void> commit();

 private:
  explicit Transaction(Connection& connection) noexcept : connection_(&connection) {}
  Connection* connection_;
};

/// One step of a schema. Numbers of a component rise by one from 1 and are never changed once
/// released.
struct Migration {
  int number;
  const char* sql;
};

/// Brings the tables of `component` to the newest step, all in one transaction. Several components
/// share a file. Errors: unsupported (the file was written by a newer release), io.
Result<void> migrate(Connection& connection, std::string_view component,
                     std::span<const Migration> steps);

}  // namespace tandem::store
