// PostgreSQL through libpq.
#pragma once

#include "remote/sql_session.hpp"
#include "tandem/cdr_sql.hpp"

namespace tandem::remote {

/// Whether libpq can read the text. The message has nothing of it, which may be a password. Errors:
/// invalid_argument.
[[nodiscard]] Result<void> check_postgresql_connection(const std::string& connection);

/// Makes connections to the server of `config`. `clock` outlives them.
[[nodiscard]] SqlConnector make_postgresql_connector(const CdrSqlConfig& config,
                                                     const Clock& clock);

}  // namespace tandem::remote
