// Pieces of time that reports group by, in the zone of whoever reads them.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "base/time_zone.hpp"
#include "tandem/call_reports.hpp"

namespace tandem::cdr {

const char* report_slot_name(ReportSlot slot) noexcept;

/// Slots of one kind. Days and months begin at midnight of the zone, hours and five minutes where
/// its clocks show whole ones, so that an hour that comes twice is two.
///
/// Threading: one thread at a time.
class ReportSlots {
 public:
  ReportSlots(ReportSlot kind, TimeZone zone) : kind_(kind), zone_(std::move(zone)) {}

  [[nodiscard]] ReportSlot kind() const noexcept { return kind_; }
  /// Start of the slot that a moment lies in, microseconds since 1970 UTC; 0 for `none`.
  std::int64_t start_us(std::int64_t time_us);
  /// Behind the slot that begins at `start_us`.
  [[nodiscard]] std::int64_t end_us(std::int64_t start_us) const;
  /// "2026-11-25T00:00:00Z", with an offset where the zone has one then.
  [[nodiscard]] std::string text(std::int64_t start_us) const;
  [[nodiscard]] LocalTime local(std::int64_t time_us) const { return zone_.local(time_us); }

 private:
  [[nodiscard]] std::int64_t first_day(std::int64_t day) const;  // of the slot, local
  [[nodiscard]] std::int64_t day_start_us(std::int64_t day) const;

  const ReportSlot kind_;
  const TimeZone zone_;
  // The slot that was asked for before. Finding one is dear, and calls of a time come together.
  std::int64_t last_start_us_ = 0;
  std::int64_t last_end_us_ = 0;
};

}  // namespace tandem::cdr
