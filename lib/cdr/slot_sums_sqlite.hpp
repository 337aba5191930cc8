// Sums of calls by five minutes, hours and days, kept up to date beside the records (C-11), for
// reports over more time than there are records or anybody would read them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/retention_clock.hpp"
#include "cdr/built_in_sink.hpp"
#include "cdr/report_collectors.hpp"
#include "cdr/report_slots.hpp"
#include "cdr/report_sums.hpp"
#include "cdr/time_box.hpp"
#include "store/sqlite.hpp"
#include "tandem/clock.hpp"

namespace tandem::cdr {

/// "slots.db" in a folder of its own, with its place in the journal in the same transaction as the
/// sums. Five minutes are kept for 7 days, hours for 90, days for 3 years of 366; by a time that
/// follows the clock no faster than RetentionClock does, since sums may outlive their records.
class SlotSink final : public BuiltInSink {
 public:
  /// `zone`: name of that whose days and hours are counted. `clock` outlives the sink. Errors: io,
  /// already_exists (another process uses the folder), invalid_argument (no such zone; the sums
  /// that are there are of another zone).
  static Result<std::unique_ptr<SlotSink>> open(const std::string& folder, const std::string& zone,
                                                const Clock& clock);
  /// Makes the sums of a folder anew, of the records that are in the day files, in any zone. What
  /// was there is lost, that of days whose records are archived or gone too. All or nothing;
  /// readers see what was there until then. Number of the records. Errors: those of open() but for
  /// the other zone, those of CdrCursor::next().
  static Result<std::uint64_t> rebuild(const std::string& days, const std::string& folder,
                                       const std::string& zone, const Clock& clock);

  Result<std::uint64_t> position() override;
  void note_queue(std::uint64_t records) override;
  Result<void> write_batch(std::span<const RecordView> records, std::uint64_t through) override;

 private:
  SlotSink(store::Connection connection, TimeZone zone, std::int64_t judged_us, const Clock& clock);
  Result<void> add(std::span<const RecordView> records, std::uint64_t through);

  std::unique_ptr<DiskLock> lock_;
  store::Connection connection_;
  const TimeZone zone_;
  RetentionClock kept_by_;
  const Clock& clock_;
  std::uint64_t waiting_records_ = 0;  // before the batch that comes; 0: not told
};

/// What sums are to know before they may stand for records: all that the day files had at
/// `now_us`, wall clock.
struct SlotsGoal {
  std::uint64_t sequence = 0;  ///< Place of the day files in the journal; before the sums are read.
  std::int64_t now_us = 0;
};

/// Gives the collector what the sums of a folder say of the request's period, instead of records.
/// False: they do not tell, because there are none, or not of all that time, zone or filter, or
/// they are behind the records; nothing was given then. `zone`: the request's. `box` is entered.
/// Errors: io, corrupt, limit, timeout.
Result<bool> collect_slots(const std::string& folder, const CallReportRequest& request,
                           const TimeZone& zone, const SlotsGoal& goal, const TimeBox& box,
                           ReportCollector& collector);

}  // namespace tandem::cdr
