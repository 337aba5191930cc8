// SQL sinks by the kind of their server.
#pragma once

#include <cstdint>
#include <memory>

#include "remote/sql_sink.hpp"

namespace tandem::remote {

enum class SqlServer : std::uint8_t { postgresql, mariadb };

/// `clock` outlives what is made. Errors: invalid_argument, unsupported (not built).
[[nodiscard]] Result<SqlConnector> make_connector(SqlServer server, const CdrSqlConfig& config,
                                                  const Clock& clock);
/// Errors: those of make_cdr_postgresql_sink().
[[nodiscard]] Result<std::unique_ptr<SqlSink>> open_sql_sink(SqlServer server, CdrSqlConfig config,
                                                             std::shared_ptr<cdr::Disk> disk,
                                                             const Clock& clock,
                                                             SqlRetention retention = {});

}  // namespace tandem::remote
