#include "cdr/report_slots.hpp"

#include <array>
#include <cstdio>
#include <limits>

#include "base/text.hpp"
#include "cdr/day_files.hpp"

namespace tandem::cdr {
namespace {

constexpr std::int64_t second_us = 1'000'000;
constexpr std::int64_t day_s = 86'400;

std::int64_t floor_divide(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

std::int64_t second_of(std::int64_t time_us) { return floor_divide(time_us, second_us); }

/// Times of a damaged record may be anything: a slot whose start cannot be named begins at the
/// first second that can.
std::int64_t to_us(std::int64_t time_s) {
  std::int64_t us = 0;
  return __builtin_mul_overflow(time_s, second_us, &us)
             ? (time_s < 0 ? std::numeric_limits<std::int64_t>::min()
                           : std::numeric_limits<std::int64_t>::max())
             : us;
}

std::int64_t later(std::int64_t time_us, std::int64_t by_us) {
  std::int64_t us = 0;
  return __builtin_add_overflow(time_us, by_us, &us) ? std::numeric_limits<std::int64_t>::max()
                                                     : us;
}

}  // namespace

const char* report_slot_name(ReportSlot slot) noexcept {
  constexpr const char* names[] = {"none", "5min", "hour", "day", "month"};
  return names[static_cast<std::size_t>(slot)];
}

std::int64_t ReportSlots::first_day(std::int64_t day) const {
  if (kind_ != ReportSlot::month) return day;
  CivilDate date = civil_from_days(day);
  date.day = 1;
  return days_from_civil(date);
}

/// The first second that the zone's clocks call part of the day.
std::int64_t ReportSlots::day_start_us(std::int64_t day) const {
  // No zone is further than a day from UTC.
  std::int64_t before = (day - 1) * day_s - 1;
  std::int64_t within = (day + 1) * day_s;
  while (within - before > 1) {
    const std::int64_t middle = before + (within - before) / 2;
    (floor_divide(middle + zone_.offset_s(middle), day_s) >= day ? within : before) = middle;
  }
  return to_us(within);
}

std::int64_t ReportSlots::start_us(std::int64_t time_us) {
  if (kind_ == ReportSlot::none) return 0;
  if (time_us >= last_start_us_ && time_us < last_end_us_) return last_start_us_;
  if (kind_ == ReportSlot::day || kind_ == ReportSlot::month) {
    last_start_us_ = day_start_us(first_day(zone_.local(time_us).day));
    last_end_us_ = end_us(last_start_us_);
    return last_start_us_;
  }
  const std::int64_t width_s = kind_ == ReportSlot::hour ? 3'600 : 300;
  const std::int64_t time_s = second_of(time_us);
  const std::int64_t offset_s = zone_.offset_s(time_s);
  const std::int64_t start_s = floor_divide(time_s + offset_s, width_s) * width_s - offset_s;
  last_start_us_ = to_us(start_s);
  // Where clocks change by less than a slot, two slots lie over each other.
  const bool is_alone =
      zone_.offset_s(start_s) == offset_s && zone_.offset_s(start_s + width_s - 1) == offset_s;
  last_end_us_ = is_alone ? end_us(last_start_us_) : last_start_us_;
  return last_start_us_;
}

std::int64_t ReportSlots::end_us(std::int64_t start_us) const {
  switch (kind_) {
    case ReportSlot::none:
      return std::numeric_limits<std::int64_t>::max();
    case ReportSlot::five_minutes:
      return later(start_us, 300 * second_us);
    case ReportSlot::hour:
      return later(start_us, 3'600 * second_us);
    case ReportSlot::day:
      return day_start_us(zone_.local(start_us).day + 1);
    case ReportSlot::month:
      break;
  }
  // A month of 31 days is the longest; the next one begins in the 40 days behind its first.
  return day_start_us(first_day(zone_.local(start_us).day + 40));
}

std::string ReportSlots::text(std::int64_t start_us) const {
  const std::int64_t time_s = second_of(start_us);
  const std::int32_t offset_s = zone_.offset_s(time_s);
  std::string text = format_time_us(to_us(time_s + offset_s)).substr(0, 19);
  if (offset_s == 0) return text + "Z";
  std::array<char, 16> offset{};
  const std::int32_t minutes = (offset_s < 0 ? -offset_s : offset_s) / 60;
  (void)std::snprintf(offset.data(), offset.size(), "%c%02d:%02d", offset_s < 0 ? '-' : '+',
                      minutes / 60, minutes % 60);
  return text + offset.data();
}

}  // namespace tandem::cdr
