// Call records in a database server's daily partitions (C-03, O-08).
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "tandem/cdr.hpp"
#include "tandem/error.hpp"
#include "tandem/export.h"

namespace tandem {

struct CdrSqlConfig {
  std::string folder;  ///< Where it keeps its place for when the server is away; made when absent.
  /// PostgreSQL: as libpq takes it, "host=... dbname=... user=..." or a URI. MariaDB: the same form
  /// with the keys `host port socket user password database tls_ca`. At most 4096 bytes.
  std::string connection;
  std::string table = "cdr";  ///< `a-z`, then `a-z 0-9 _`; at most 40. Others begin with it.
  /// Who wrote a record, in the table and for the place in it: one for each switch that writes
  /// there. 1..64 of `A-Z a-z 0-9 . _ -`.
  std::string source = "tandem";
  std::int32_t retention_days = 0;      ///< Whole days before today that are kept; 0: all. ..36500.
  std::int32_t ahead_days = 3;          ///< Days whose partitions are made ahead; 0..60.
  std::int32_t batch_records = 10'000;  ///< Most in one transaction; 1..100000.
  std::int32_t timeout_ms = 30'000;     ///< For one step of a transaction; 2000..600000.
  /// A database file with disputes (dispute_record()), whose days `retention_days` spares, and that
  /// is told of each partition that is deleted; "": neither. A switch gives its main one.
  std::string database{};
  std::string journal{};  ///< The journal's folder: days of records set aside stay, too; or "".
  bool operator==(const CdrSqlConfig&) const = default;
};

/// Errors: invalid_argument (a member out of its range), unsupported (built without libpq).
[[nodiscard]] TANDEM_EXPORT Result<void> check_cdr_postgresql(const CdrSqlConfig& config);
/// Errors: invalid_argument (a member out of its range), unsupported (built without libmariadb).
[[nodiscard]] TANDEM_EXPORT Result<void> check_cdr_mariadb(const CdrSqlConfig& config);

/// Sinks that write each record exactly once into the table `<table>`, partitioned by the UTC day
/// of `ended_at`, with their place in `<table>_place` in the same transaction. Both are made when
/// absent. The server may be away when the sink is made, and for as long as the journal's disk
/// holds. docs/remote-sinks.md has the columns. Errors: those of the check, io, corrupt (the kept
/// place is not readable), already_exists (another process uses the folder; the source belongs to
/// another switch).
TANDEM_EXPORT Result<std::unique_ptr<CdrSink>> make_cdr_postgresql_sink(CdrSqlConfig config);
TANDEM_EXPORT Result<std::unique_ptr<CdrSink>> make_cdr_mariadb_sink(CdrSqlConfig config);

}  // namespace tandem
