// One connection to a database server, as the SQL sink uses it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <span>
#include <string>

#include "tandem/cdr.hpp"
#include "tandem/error.hpp"

namespace tandem::remote {

/// Of one source, in the table "<table>_place".
struct SqlPlace {
  std::string owner;           ///< Identity of the folder that the source belongs to; "": of none.
  std::uint64_t sequence = 0;  ///< Last record that the table holds.
};

/// Errors of all members: io, timeout, limit (the server gave no lock or right), and where it says
/// so invalid_argument or already_exists, which are about a record. After io and timeout the
/// session is of no further use. May block up to the timeout of its connector for each step.
/// Destroying it closes the connection and takes back what was not committed. Threading: one thread
/// at a time.
class SqlSession {
 public:
  virtual ~SqlSession() = default;
  /// Makes the tables when they are absent, and adds columns that they lack.
  virtual Result<void> make_tables() = 0;
  /// Begins a transaction and locks the source's row, which is made when absent. What an earlier
  /// transaction left open is taken back.
  virtual Result<SqlPlace> begin() = 0;
  /// Within the transaction. Errors: also invalid_argument, already_exists; the transaction is over
  /// then, and the session of further use.
  virtual Result<void> add_rows(std::span<const Cdr> cdrs) = 0;
  /// Stores the place and commits. After io and timeout nobody knows whether it took place. Errors:
  /// as of add_rows().
  virtual Result<void> commit(const SqlPlace& place) = 0;
  virtual Result<void> roll_back() = 0;

  /// Makes what rows of these days need; outside a transaction. Nothing where somebody else makes
  /// the partitions (`ahead_days` 0).
  virtual Result<void> make_room(const std::set<std::int64_t>& days) = 0;
  /// Days since 1970 that have a partition of their own. Tables that are none of ours are left out.
  virtual Result<std::set<std::int64_t>> days() = 0;
  /// These three change the table; they wait for a lock one second at most, since everybody else
  /// may wait behind them.
  virtual Result<void> add_day(std::int64_t day) = 0;
  /// Takes the day out of the table and deletes it. When it fails, it may be half done: then its
  /// rows are seen no more, and the next drop_day() or clear_dropped() goes on.
  virtual Result<void> drop_day(std::int64_t day) = 0;
  /// Finishes what earlier ones, also of other processes, left half done of days before
  /// `before_day`. Others are let alone: by now they may be somebody's who took them out to keep
  /// them.
  virtual Result<void> clear_dropped(std::int64_t before_day) = 0;
  /// The server's clock, microseconds since 1970 UTC.
  virtual Result<std::int64_t> wall_us() = 0;
};

/// Makes a connection, of which no step takes longer than `timeout_ms`. Errors: io, timeout.
using SqlConnector = std::function<Result<std::unique_ptr<SqlSession>>(std::int32_t timeout_ms)>;

}  // namespace tandem::remote
