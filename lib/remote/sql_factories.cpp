// The database servers that this build knows.
#include <string_view>
#include <utility>

#include "remote/connection_text.hpp"
#include "remote/sql_factories.hpp"
#ifdef TANDEM_WITH_POSTGRESQL
#include "remote/postgresql/session.hpp"
#endif
#ifdef TANDEM_WITH_MARIADB
#include "remote/mariadb/session.hpp"
#endif

namespace tandem::remote {
namespace {

[[maybe_unused]] Error not_built(const char* sink, const char* library) {
  return {ErrorCode::unsupported,
          std::string(sink) + " sinks need " + library + ", which this build of tandem is without"};
}

}  // namespace

Result<SqlConnector> make_connector(SqlServer server, const CdrSqlConfig& config,
                                    [[maybe_unused]] const Clock& clock) {
  if (auto checked = check_cdr_sql(config); !checked) return std::move(checked).error();
  if (server == SqlServer::postgresql) {
#ifdef TANDEM_WITH_POSTGRESQL
    if (auto checked = check_postgresql_connection(config.connection); !checked)
      return std::move(checked).error();
    return make_postgresql_connector(config, clock);
#else
    return not_built("postgresql", "libpq");
#endif
  }
  auto connection = parse_mariadb_connection(config.connection);
  if (!connection) return std::move(connection).error();
#ifdef TANDEM_WITH_MARIADB
  return make_mariadb_connector(config, *connection);
#else
  return not_built("mariadb", "libmariadb");
#endif
}

Result<std::unique_ptr<SqlSink>> open_sql_sink(SqlServer server, CdrSqlConfig config,
                                               std::shared_ptr<cdr::Disk> disk, const Clock& clock,
                                               SqlRetention retention) {
  auto connector = make_connector(server, config, clock);
  if (!connector) return std::move(connector).error();
  return SqlSink::open(std::move(config), std::move(disk), clock, std::move(*connector),
                       std::move(retention));
}

}  // namespace tandem::remote

namespace tandem {
namespace {

const SystemClock& system_clock() {
  static const SystemClock clock;
  return clock;
}

Result<void> check(remote::SqlServer server, const CdrSqlConfig& config) {
  auto connector = remote::make_connector(server, config, system_clock());
  if (!connector) return std::move(connector).error();
  return {};
}

Result<std::unique_ptr<CdrSink>> make_sink(remote::SqlServer server, CdrSqlConfig config) {
  remote::SqlRetention retention;
  if (!config.database.empty()) {
    retention.guard = cdr::make_day_guard({config.database, config.journal}, system_clock());
    retention.sink = server == remote::SqlServer::mariadb ? "mariadb" : "postgresql";
  }
  auto sink = remote::open_sql_sink(server, std::move(config), std::make_shared<cdr::PosixDisk>(),
                                    system_clock(), std::move(retention));
  if (!sink) return std::move(sink).error();
  return std::unique_ptr<CdrSink>(std::move(*sink));
}

}  // namespace

Result<void> check_cdr_postgresql(const CdrSqlConfig& config) {
  return check(remote::SqlServer::postgresql, config);
}

Result<void> check_cdr_mariadb(const CdrSqlConfig& config) {
  return check(remote::SqlServer::mariadb, config);
}

Result<std::unique_ptr<CdrSink>> make_cdr_postgresql_sink(CdrSqlConfig config) {
  return make_sink(remote::SqlServer::postgresql, std::move(config));
}

Result<std::unique_ptr<CdrSink>> make_cdr_mariadb_sink(CdrSqlConfig config) {
  return make_sink(remote::SqlServer::mariadb, std::move(config));
}

}  // namespace tandem
