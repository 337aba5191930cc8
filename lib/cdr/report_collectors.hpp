// The reports, each as something that takes calls in any order and makes rows of them in the end.
#pragma once

#include <memory>

#include "base/time_zone.hpp"
#include "cdr/call_facts.hpp"
#include "cdr/report_sums.hpp"
#include "tandem/call_reports.hpp"

namespace tandem::cdr {

/// Sums of a slot that lies within one of the report's.
struct KeptSlot {
  std::int64_t start_us = 0;
  std::string_view gateway;
  std::string_view rate_deck;
  std::string_view rate_prefix;
  const SlotSums* sums = nullptr;
};

/// Load of a slot that lies within one of the report's.
struct KeptLoad {
  std::int64_t start_us = 0;
  std::int64_t call_seconds = 0;
  std::int64_t calls_max = 0;  ///< In progress in one second.
  std::int64_t begun = 0;
  std::int64_t begun_max = 0;  ///< In one second.
  std::int64_t queue_max = 0;  ///< Records that waited to be written; 0: not known.
};
/// Failures of such a slot, by gateway and reason.
struct KeptFailures {
  std::int64_t start_us = 0;
  std::string_view gateway;
  Reason reason = Reason::none;
  std::uint64_t count = 0;
  const LatestRecords* latest = nullptr;
};

class ReportCollector {
 public:
  virtual ~ReportCollector() = default;
  [[nodiscard]] virtual Facts wanted() const = 0;
  /// How much later than the period calls end that the report is about too.
  [[nodiscard]] virtual std::int64_t look_ahead_us() const { return 0; }
  /// Whether the filter's vendor gateway is one of any attempt, not of the last one.
  [[nodiscard]] virtual bool judges_vendor_gateway() const { return false; }
  /// Errors: limit.
  virtual Result<void> add(const CallFacts& call) = 0;
  /// Instead of the calls of a slot. Errors: limit, unsupported (the report needs the calls).
  virtual Result<void> add_slot(const KeptSlot&) {
    return Error{ErrorCode::unsupported, "report was not made of sums"};
  }
  virtual Result<void> add_load(const KeptLoad&) {
    return Error{ErrorCode::unsupported, "report was not made of load"};
  }
  virtual Result<void> add_failures(const KeptFailures&) {
    return Error{ErrorCode::unsupported, "report was not made of failures"};
  }
  /// Whether it shows what calls were charged, which corrections change.
  [[nodiscard]] virtual bool shows_money() const { return true; }
  /// Fills columns and rows. Once. Errors: limit (a sum).
  virtual Result<void> finish(CallReport& report) = 0;
};

/// `request` and `level` outlive the collector; `zone` is of its slots, `now_us` is wall clock.
/// REQUIRES: not
/// CallReportKind::calls.
std::unique_ptr<ReportCollector> make_collector(const CallReportRequest& request,
                                                const TimeZone& zone, const RateLevel& level,
                                                std::int64_t now_us);

}  // namespace tandem::cdr
