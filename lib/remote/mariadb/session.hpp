// MariaDB through libmariadb.
#pragma once

#include "remote/connection_text.hpp"
#include "remote/sql_session.hpp"
#include "tandem/cdr_sql.hpp"

namespace tandem::remote {

/// Makes connections to the server of `connection` for the table of `config`.
[[nodiscard]] SqlConnector make_mariadb_connector(const CdrSqlConfig& config,
                                                  const MariadbConnection& connection);

}  // namespace tandem::remote
