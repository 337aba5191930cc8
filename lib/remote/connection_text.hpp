// "key=value" texts, as libpq has them, for libraries that have none of their own.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "tandem/error.hpp"

namespace tandem::remote {

/// Pairs with blanks between them. A value with blanks stands between single quotes; there and
/// outside a backslash makes the next character an ordinary one. Messages name keys, never values.
/// Errors: invalid_argument.
[[nodiscard]] Result<std::map<std::string, std::string, std::less<>>> parse_connection_text(
    std::string_view text);

/// Where a MariaDB server is and who asks.
struct MariadbConnection {
  std::string host, socket, user, password, database, tls_ca;
  unsigned port = 0;  ///< 0: the usual one.
};
/// Keys `host port socket user password database tls_ca`. Errors: invalid_argument.
[[nodiscard]] Result<MariadbConnection> parse_mariadb_connection(std::string_view text);

}  // namespace tandem::remote
