// Periods of a gateway, ready to be asked about a moment.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/calendar.hpp"
#include "tandem/calendar.hpp"
#include "tandem/number_policy.hpp"
#include "tandem/rewrite.hpp"

namespace tandem::route {

/// What the periods of a gateway say at one moment; what they say nothing about is empty.
struct PeriodSettings {
  bool is_closed = false;
  std::optional<std::int32_t> line_limit;
  std::optional<std::int32_t> priority;
  const RewriteRules* rewrite_caller = nullptr;  ///< Lives as long as the periods.
  const RewriteRules* rewrite_callee = nullptr;
  const NumberPolicy* callers = nullptr;
  const NumberPolicy* callees = nullptr;
};

/// The periods of one gateway. Threading: immutable; any number of threads may call it at once.
class Periods {
 public:
  Periods() = default;
  /// `calendar`: gives the class of each day, and the zone of periods that have none. Errors:
  /// invalid_argument (zone, rules, prefixes).
  static Result<Periods> build(const std::vector<PeriodConfig>& periods,
                               std::shared_ptr<const Calendar> calendar);

  [[nodiscard]] bool empty() const noexcept { return periods_.empty(); }
  /// `wall_us`: microseconds since 1970 UTC.
  [[nodiscard]] PeriodSettings at(std::int64_t wall_us) const noexcept;

 private:
  struct Period {
    DaySet days;
    std::int32_t from_s = 0, to_s = 0;
    std::optional<DayClass> day_class;
    std::optional<TimeZone> zone;  // Nothing: the calendar's.
    std::optional<bool> closed;
    std::optional<std::int32_t> line_limit, priority;
    std::optional<RewriteRules> rewrite_caller, rewrite_callee;
    std::optional<NumberPolicy> callers, callees;
  };
  [[nodiscard]] bool holds(const Period& period, const LocalTime& now) const noexcept;

  std::shared_ptr<const Calendar> calendar_;
  std::vector<Period> periods_;
};

}  // namespace tandem::route
