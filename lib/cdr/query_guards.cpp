#include "cdr/query_guards.hpp"

#include <limits>

#include "cdr/day_files.hpp"

namespace tandem::cdr {

Result<CdrFilter> guarded_filter(const CdrFilter& filter, const CdrGuards& guards,
                                 std::int64_t now_us) {
  if (!filter.reason.empty() && !reason_from_name(filter.reason)) {
    return Error{ErrorCode::invalid_argument, "reason \"" + filter.reason + "\" was unknown"};
  }
  CdrFilter guarded = filter;
  constexpr std::int64_t days_max = std::numeric_limits<std::int64_t>::max() / day_us;
  if (guards.days_max <= 0 || guards.days_max >= days_max) return guarded;
  const std::int64_t longest_us = guards.days_max * day_us;
  const std::int64_t end_us = filter.until_us.value_or(now_us);
  std::int64_t begin_us = 0;
  if (__builtin_sub_overflow(end_us, longest_us, &begin_us))
    begin_us = std::numeric_limits<std::int64_t>::min();
  if (!filter.since_us) {
    guarded.since_us = begin_us;
  } else if (*filter.since_us < begin_us) {
    return Error{ErrorCode::invalid_argument, "period from " + format_time_us(*filter.since_us) +
                                                  " to " + format_time_us(end_us) +
                                                  " was longer than " +
                                                  std::to_string(guards.days_max) + " days"};
  }
  return guarded;
}

}  // namespace tandem::cdr
