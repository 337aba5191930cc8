// Calendars: which class a day has, and which days and hours a rule holds on (R-12, R-13, B-24).
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/time_zone.hpp"
#include "tandem/calendar.hpp"

namespace tandem {

/// Classes of days in one zone. Threading: immutable; any number of threads may call it at once.
class Calendar {
 public:
  /// Monday to Friday work, Saturday and Sunday rest, in `zone`.
  explicit Calendar(TimeZone zone = {}) noexcept : zone_(std::move(zone)) {}
  Calendar(const CalendarConfig& config, TimeZone zone)
      : zone_(std::move(zone)), week_(config.week), exceptions_(config.exceptions) {}

  [[nodiscard]] const TimeZone& zone() const noexcept { return zone_; }
  /// `day`: days since 1970-01-01. A dated exception goes before the weekly default.
  [[nodiscard]] DayClass day_class(std::int64_t day) const noexcept {
    const auto exception = exceptions_.find(day);
    return exception != exceptions_.end()
               ? exception->second
               : week_[static_cast<std::size_t>(LocalTime::weekday(day))];
  }
  /// Whether `days` names the weekday or the class of a day.
  [[nodiscard]] bool has(const DaySet& days, std::int64_t day) const noexcept {
    return (days.weekdays >> LocalTime::weekday(day) & 1) != 0 ||
           (days.classes >> static_cast<int>(day_class(day)) & 1) != 0;
  }

 private:
  TimeZone zone_;
  std::array<DayClass, 7> week_ = CalendarConfig().week;
  std::map<std::int64_t, DayClass> exceptions_;
};

/// The day on which hours that hold at `now` began; nothing when they do not hold. `to_s` before
/// `from_s` is of the next day, and what lies behind midnight belongs to the day on which it began:
/// "fri 22:00-06:00" is the night that Friday ends with.
[[nodiscard]] std::optional<std::int64_t> day_of_hours(std::int32_t from_s, std::int32_t to_s,
                                                       const LocalTime& now) noexcept;

/// Seconds since midnight of "18:00", "18:00:30", "24:00". Errors: invalid_argument.
Result<std::int32_t> parse_time_of_day(std::string_view text);
/// "18:00", or "18:00:30" when there are seconds. `seconds`: 0..86400.
[[nodiscard]] std::string format_time_of_day(std::int32_t seconds);

/// "work", "rest", "holiday".
[[nodiscard]] std::string_view day_class_name(DayClass kind) noexcept;
[[nodiscard]] std::optional<DayClass> day_class_from_name(std::string_view name) noexcept;

}  // namespace tandem
