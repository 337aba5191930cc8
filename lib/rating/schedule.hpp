// Which window of a rate holds when, and for how long.
#pragma once

#include <cstdint>
#include <vector>

#include "base/calendar.hpp"
#include "tandem/rate_terms.hpp"

namespace tandem {

struct RateSchedule::Body {
  CalendarConfig config;  // What `calendar` was made of; `timezone` "" is UTC.
  bool is_split = false;
  Calendar calendar;
};

namespace rating {

/// Zone and classes of days of a schedule.
[[nodiscard]] const Calendar& calendar_of(const RateSchedule& schedule) noexcept;

/// A window with the time for which that is known.
struct WindowSpan {
  int window = -1;           ///< Index; -1: none holds.
  std::int64_t until_s = 0;  ///< Seconds since 1970 UTC, after the moment asked for.
};

/// The window that holds at `at_s` (seconds since 1970 UTC). It holds on until `until_s` at least,
/// at most to the end of the local day: who needs more asks again there.
[[nodiscard]] WindowSpan window_at(const std::vector<RateWindow>& windows,
                                   const RateSchedule& schedule, std::int64_t at_s) noexcept;
/// The same where holidays do not go before the order of the list.
[[nodiscard]] WindowSpan window_in_order_at(const std::vector<RateWindow>& windows,
                                            const RateSchedule& schedule,
                                            std::int64_t at_s) noexcept;

}  // namespace rating
}  // namespace tandem
