// The reports, each as something that takes calls in any order and makes rows of them in the end.
#pragma once

#include <memory>

#include "base/time_zone.hpp"
#include "cdr/call_facts.hpp"
#include "tandem/call_reports.hpp"

namespace tandem::cdr {

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
