// Stored records as a table of SQLite: plain SQL over the whole history (C-13).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tandem/cdr_query.hpp"
#include "tandem/clock.hpp"
#include "tandem/error.hpp"
#include "tandem/export.h"

namespace tandem {

/// Makes the module "tandem_cdr" known to a connection of SQLite, for statements like
///
///     CREATE VIRTUAL TABLE temp.cdrs USING tandem_cdr('FOLDER', 'DATABASE');
///     SELECT account, sum(charge_units) FROM cdrs WHERE ended_at_us >= ... GROUP BY account;
///
/// FOLDER and DATABASE (which may be left out) are those of CdrPlace. The table has the columns of
/// the day files, is read-only, and reads open and sealed days beside a running switch; a statement
/// that comes by an archived day fails and names it. docs/sql.md says what it finds fast.
///
/// `connection`: a `sqlite3*`, of any copy of SQLite from 3.26 on. `api`: what that copy gives to
/// its extensions, a `const sqlite3_api_routines*`; null: the connection is of the library that
/// tandem is linked with. Errors: invalid_argument (null), unsupported (an older SQLite), io
/// (SQLite refused the module). Threading: as the connection; the module may be used by any number
/// of connections at once, and blocks while it reads.
TANDEM_EXPORT Result<void> register_cdr_module(void* connection, const void* api = nullptr);

/// NULL, an integer, a floating number (of the question's own making: no record has one), a text.
using CdrSqlCell = std::variant<std::monostate, std::int64_t, double, std::string>;

/// What a question in SQL may cost.
struct CdrSqlLimits {
  CdrGuards guards;                       ///< Of the records that it reads, and of its time.
  std::size_t rows_max = 10'000;          ///< Rows of the answer; more are cut off. 1..1,000,000.
  std::size_t bytes_max = 256ULL << 20U;  ///< Of the answer. Not 0.
};

struct CdrSqlAnswer {
  std::vector<std::string> columns;           ///< As the statement names them.
  std::vector<std::vector<CdrSqlCell>> rows;  ///< As many cells each as there are columns.
  bool is_cut = false;                        ///< There were more rows than `rows_max`.
};

/// Asks one SELECT about the table `cdrs` of a place. Whatever else a statement might do, write,
/// attach a database, load something, is refused. Blocks. Errors: invalid_argument (the statement,
/// a limit; the text is SQLite's), timeout, limit (records or bytes), wrong_state (a day that it
/// wants is archived), io. `clock` measures the time of the guards; null: the system's. Any thread.
TANDEM_EXPORT Result<CdrSqlAnswer> cdr_sql(const CdrPlace& place, std::string_view sql,
                                           const CdrSqlLimits& limits = {},
                                           const Clock* clock = nullptr);

/// An object a line.
TANDEM_EXPORT std::string to_json_lines(const CdrSqlAnswer& answer);
/// RFC 4180, with a line of names.
TANDEM_EXPORT std::string to_csv(const CdrSqlAnswer& answer);
TANDEM_EXPORT std::string to_table(const CdrSqlAnswer& answer);

}  // namespace tandem
