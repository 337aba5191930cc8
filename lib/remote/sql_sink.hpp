// CDRs into a table of a database server, whichever it is.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "cdr/built_in_sink.hpp"
#include "cdr/retained_days.hpp"
#include "remote/kept_place.hpp"
#include "remote/sql_session.hpp"
#include "tandem/cdr_sql.hpp"
#include "tandem/clock.hpp"

namespace tandem::remote {

/// Which partitions are to be made and retired.
struct PartitionPlan {
  std::vector<std::int64_t> add;   ///< Days since 1970, ascending.
  std::vector<std::int64_t> drop;  ///< Ascending.
  std::int64_t kept_from = 0;      ///< The oldest day that is not to be dropped.
};
/// `today`: by our clock. `server_today`: by the server's; the earlier of the two says what is old
/// and what comes next, so that one wrong clock deletes nothing. `retention_days` 0: nothing is
/// old.
[[nodiscard]] PartitionPlan plan_partitions(const std::set<std::int64_t>& existing,
                                            std::int64_t today, std::int64_t server_today,
                                            std::int32_t ahead_days, std::int32_t retention_days);

/// Whether a member is out of its range, for any server. Errors: invalid_argument.
[[nodiscard]] Result<void> check_cdr_sql(const CdrSqlConfig& config);

/// Who is asked before a partition is retired, and told of it.
struct SqlRetention {
  std::shared_ptr<cdr::DayGuard> guard = nullptr;  ///< Null: nobody.
  std::string sink{};                              ///< What the sink is called there.
};

/// The place that counts is the one in the database. That in the folder lags behind it, and stands
/// in when the server does not answer soon at the start.
class SqlSink final : public cdr::BuiltInSink {
 public:
  static constexpr std::int64_t care_period_us = 3'600'000'000;
  static constexpr std::int64_t care_retry_min_us = 60'000'000;  ///< Doubled up to the period.
  static constexpr std::int32_t start_timeout_ms = 2'000;        ///< For a step of position().

  /// `clock` outlives the sink. Errors: those of make_cdr_postgresql_sink().
  static Result<std::unique_ptr<SqlSink>> open(CdrSqlConfig config, std::shared_ptr<cdr::Disk> disk,
                                               const Clock& clock, SqlConnector connect,
                                               SqlRetention retention = {});

  void set_pace(cdr::SinkRunnerOptions& options) const override;
  /// Asks the server, but not for long: a switch that starts waits for it.
  Result<std::uint64_t> position() override;
  Result<void> write_batch(std::span<const cdr::RecordView> records,
                           std::uint64_t through) override;
  /// Makes partitions ahead and retires old ones, once an hour; what fails is told until it is
  /// done.
  Result<void> idle(std::int64_t wall_us) override;

 private:
  SqlSink(CdrSqlConfig config, const Clock& clock, SqlConnector connect, SqlRetention retention,
          KeptPlace place, std::string identity);
  Result<void> retire(std::int64_t day);
  Result<void> connect(std::int32_t timeout_ms);
  Result<std::uint64_t> ask_position();
  Result<SqlPlace> begin();
  Result<void> decode_and_store(std::span<const cdr::RecordView> records, std::uint64_t through);
  Result<void> store(std::span<const Cdr> cdrs, std::uint64_t through);
  Result<void> care(std::int64_t wall_us);
  /// Gives up a session that an error made useless.
  Result<void> seen(Result<void> outcome);

  const CdrSqlConfig config_;
  const Clock& clock_;
  const SqlConnector connect_;
  const SqlRetention retention_;
  KeptPlace kept_;
  const std::string identity_;
  std::unique_ptr<SqlSession> session_;  // null: none
  std::uint64_t taken_;                  // the database was seen to hold everything up to here
  std::int64_t care_at_us_ = 0;          // monotonic
  std::int64_t care_pause_us_ = 0;       // 0: the last care succeeded
  Result<void> cared_;                   // how it went
};

}  // namespace tandem::remote
