#include "rating/schedule.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "base/text.hpp"

namespace tandem {
namespace {

constexpr std::int64_t us_per_s = 1'000'000;
constexpr std::int32_t day_s = 86400;

std::string date_text(std::int64_t day) { return format_date(day * day_s * us_per_s); }

Error no_word(std::string_view word) {
  return {ErrorCode::invalid_argument, "\"" + std::string(word.substr(0, 64)) +
                                           "\" is no word of a schedule such as split, "
                                           "zone=Europe/London, sat=work or 2026-12-25=holiday"};
}

/// One `name=class` word: of a weekday, a range of them, or a date.
Result<void> set_class(CalendarConfig& config, std::string_view word) {
  const std::size_t equals = word.find('=');
  const auto kind = equals == std::string_view::npos ? std::nullopt
                                                     : day_class_from_name(word.substr(equals + 1));
  if (!kind) return no_word(word);
  const std::string_view name = word.substr(0, equals);
  if (const auto day = parse_day(name)) {
    config.exceptions[*day] = *kind;
    return {};
  }
  const auto days = DaySet::from_text(name);
  if (!days || days->classes != 0) return no_word(word);
  for (std::size_t day = 0; day < 7; ++day) {
    if ((days->weekdays >> day & 1) != 0) config.week[day] = *kind;
  }
  return {};
}

/// Whether a window that holds does so because it names the class `holiday`.
bool is_for_holiday(const RateWindow& window, const Calendar& calendar, std::int64_t day) noexcept {
  constexpr int holiday = static_cast<int>(DayClass::holiday);
  return (window.days.classes >> holiday & 1) != 0 && calendar.day_class(day) == DayClass::holiday;
}

}  // namespace

Result<RateSchedule> RateSchedule::build(const CalendarConfig& calendar, bool is_split) {
  auto body = std::make_shared<Body>();
  body->config = calendar;
  body->config.id.clear();
  body->is_split = is_split;
  if (calendar.timezone == "UTC") body->config.timezone.clear();
  if (!is_split && body->config == CalendarConfig{}) return RateSchedule();
  auto zone = TimeZone::load(calendar.timezone);
  if (!zone) return std::move(zone).error();
  body->calendar = Calendar(calendar, std::move(*zone));
  return RateSchedule(std::move(body));
}

Result<RateSchedule> RateSchedule::parse(std::string_view text) {
  CalendarConfig config;
  bool is_split = false;
  constexpr std::string_view zone = "zone=";
  while (!(text = trimmed(text)).empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(word.size());
    if (word == "split") {
      is_split = true;
    } else if (word.starts_with(zone)) {
      config.timezone = word.substr(zone.size());
    } else if (auto set = set_class(config, word); !set) {
      return set.error();
    }
  }
  return build(config, is_split);
}

std::string RateSchedule::to_string(std::int64_t from_us, std::int64_t until_us) const {
  std::string text;
  if (body_ == nullptr) return text;
  const auto add = [&text](std::string_view name, std::string_view value) {
    if (!text.empty()) text += ' ';
    text.append(name).append(value);
  };
  if (body_->is_split) add("split", "");
  if (!body_->config.timezone.empty()) add("zone=", body_->config.timezone);
  const CalendarConfig usual;
  for (std::size_t day = 0; day < 7; ++day) {
    if (body_->config.week[day] == usual.week[day]) continue;
    const DaySet one{static_cast<std::uint8_t>(1u << day), 0};
    add(one.to_string() + '=', day_class_name(body_->config.week[day]));
  }
  // A local day begins up to 14 hours before or after the UTC day, and a window one day earlier.
  constexpr std::int64_t around = 2;
  const std::int64_t first = from_us / us_per_s / day_s - around;
  const std::int64_t last = until_us / us_per_s / day_s + around;
  const auto& exceptions = body_->config.exceptions;
  for (auto i = exceptions.lower_bound(first); i != exceptions.end() && i->first <= last; ++i)
    add(date_text(i->first) + '=', day_class_name(i->second));
  return text;
}

bool RateSchedule::is_split() const noexcept { return body_ != nullptr && body_->is_split; }

namespace rating {

const Calendar& calendar_of(const RateSchedule& schedule) noexcept {
  static const Calendar utc;
  return schedule.body() != nullptr ? schedule.body()->calendar : utc;
}

namespace {

WindowSpan find_window(const std::vector<RateWindow>& windows, const RateSchedule& schedule,
                       std::int64_t at_s, bool puts_holidays_first) noexcept {
  const Calendar& calendar = calendar_of(schedule);
  const LocalTime now = calendar.zone().local(at_s * us_per_s);
  WindowSpan span;
  bool is_holiday = false;
  std::int32_t boundary_s = day_s;
  for (std::size_t i = 0; i < windows.size(); ++i) {
    const RateWindow& window = windows[i];
    for (const std::int32_t second : {window.from_s, window.to_s}) {
      if (second > now.second) boundary_s = std::min(boundary_s, second);
    }
    if (is_holiday) continue;
    const auto day = day_of_hours(window.from_s, window.to_s, now);
    if (!day || !calendar.has(window.days, *day)) continue;
    is_holiday = puts_holidays_first && is_for_holiday(window, calendar, *day);
    if (is_holiday || span.window < 0) span.window = static_cast<int>(i);
  }
  span.until_s = at_s + (boundary_s - now.second);

  // Up to the next change of the clocks the local time runs evenly; there it is judged anew.
  const TimeZone& zone = calendar.zone();
  const std::int32_t offset_s = zone.offset_s(at_s);
  if (zone.offset_s(span.until_s) != offset_s) {
    std::int64_t before_s = at_s;
    while (span.until_s - before_s > 1) {
      const std::int64_t middle_s = before_s + (span.until_s - before_s) / 2;
      (zone.offset_s(middle_s) == offset_s ? before_s : span.until_s) = middle_s;
    }
  }
  return span;
}

}  // namespace

WindowSpan window_at(const std::vector<RateWindow>& windows, const RateSchedule& schedule,
                     std::int64_t at_s) noexcept {
  return find_window(windows, schedule, at_s, true);
}

WindowSpan window_in_order_at(const std::vector<RateWindow>& windows, const RateSchedule& schedule,
                              std::int64_t at_s) noexcept {
  return find_window(windows, schedule, at_s, false);
}

}  // namespace rating
}  // namespace tandem
