// The table of a day file: its columns, how a record goes into them, and how it is read.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "cdr/day_lock.hpp"
#include "store/sqlite.hpp"
#include "tandem/cdr.hpp"

namespace tandem::cdr {

/// Steps of the component "cdr" of a day file.
extern const std::span<const store::Migration> day_steps;

/// The statement that takes a record once: a second one of its `record_id` changes nothing.
Result<store::Statement> prepare_insert(store::Connection& day);
/// Runs it. `scratch` is memory for reuse.
Result<void> insert_record(store::Statement& insert, const Cdr& cdr, std::string& scratch);

/// Columns that the table of records has. Errors: io, timeout.
Result<std::unordered_set<std::string>> columns_there(store::Connection& day);
/// What a column of the newest release is called in a statement on a file that has those.
std::string column_in(const std::unordered_set<std::string>& there, std::string_view name);

/// A day file that is read. Everything that reads records does it by these names, so that they mean
/// the same everywhere, whatever release wrote the file.
class DayRows {
 public:
  /// Nothing: there is no file of the day, or it is being made just now. `watch` (may be null) ends
  /// statements that take too long, and outlives the object. Maintenance leaves the file in its
  /// place while the object lives.
  static Result<std::optional<DayRows>> open(const std::string& folder, std::int64_t day,
                                             const store::Connection::Watch* watch = nullptr);

  /// What a column of the newest release is called in a statement on this file.
  [[nodiscard]] std::string column(std::string_view name) const;
  /// What follows FROM.
  [[nodiscard]] static const char* source() noexcept { return "cdr"; }

  /// "SELECT" with all that read_record() wants, "FROM" and `rest`. Errors: invalid_argument.
  Result<store::Statement> select_records(std::string_view rest);
  /// The record of a row of select_records(). Errors: corrupt.
  static Result<Cdr> read_record(const store::Statement& row);

  [[nodiscard]] store::Connection& connection() noexcept { return connection_; }

 private:
  DayRows(DayLock lock, store::Connection connection, std::unordered_set<std::string> there)
      : lock_(std::move(lock)), connection_(std::move(connection)), there_(std::move(there)) {}
  DayLock lock_;  // given up when the file is closed
  store::Connection connection_;
  std::unordered_set<std::string> there_;
};

/// Days since 1970 of the day files in `folder`, the latest first; none when it is not there.
/// Errors: io.
Result<std::vector<std::int64_t>> days_in(const std::string& folder);

}  // namespace tandem::cdr
