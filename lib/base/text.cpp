#include "base/text.hpp"

#include <algorithm>

namespace tandem {
namespace {

constexpr std::int64_t us_per_s = 1'000'000;
constexpr std::int64_t us_per_day = 86'400 * us_per_s;
constexpr std::int64_t time_us_max = 253'402'300'800 * us_per_s - 1;  // the end of the year 9999

Error not_a_time(std::string_view text) {
  return {ErrorCode::invalid_argument,
          "time \"" + std::string(text.substr(0, 40)) + "\" was not RFC 3339 or YYYY-MM-DD"};
}

// The next `count` digits of `text`, which are taken off; -1 when they are not there or outside of
// the range.
int take_digits(std::string_view& text, std::size_t count, int least, int most) noexcept {
  if (text.size() < count) return -1;
  int value = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (text[i] < '0' || text[i] > '9') return -1;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(count);
  return value >= least && value <= most ? value : -1;
}

bool take(std::string_view& text, char c) noexcept {
  if (text.empty() || text[0] != c) return false;
  text.remove_prefix(1);
  return true;
}

bool take_date(std::string_view& text, CivilDate& date) noexcept {
  date.year = take_digits(text, 4, 1970, 9999);
  if (date.year < 0 || !take(text, '-')) return false;
  date.month = take_digits(text, 2, 1, 12);
  if (date.month < 0 || !take(text, '-')) return false;
  date.day = take_digits(text, 2, 1, 31);
  return date.day > 0 && civil_from_days(days_from_civil(date)) == date;
}

void append_padded(std::string& out, std::int64_t value, int width) {
  char buffer[24];
  for (int i = width - 1; i >= 0; --i, value /= 10)
    buffer[i] = static_cast<char>('0' + value % 10);
  out.append(buffer, static_cast<std::size_t>(width));
}

void append_date(std::string& out, std::int64_t days) {
  const CivilDate date = civil_from_days(days);
  append_padded(out, date.year, 4);
  out += '-';
  append_padded(out, date.month, 2);
  out += '-';
  append_padded(out, date.day, 2);
}

}  // namespace

// Both directions count in 400-year eras that begin on 1 March, so that the leap day is the last of
// its year.
std::int64_t days_from_civil(CivilDate date) noexcept {
  const std::int64_t year = date.year - (date.month <= 2);
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const std::int64_t year_of_era = year - era * 400;
  const int month_from_march = date.month + (date.month > 2 ? -3 : 9);
  const std::int64_t day_of_year = (153 * month_from_march + 2) / 5 + date.day - 1;
  const std::int64_t day_of_era =
      year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + day_of_era - 719'468;
}

CivilDate civil_from_days(std::int64_t days) noexcept {
  days += 719'468;
  const std::int64_t era = (days >= 0 ? days : days - 146'096) / 146'097;
  const std::int64_t day_of_era = days - era * 146'097;
  const std::int64_t year_of_era =
      (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const std::int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t month_from_march = (5 * day_of_year + 2) / 153;
  const auto month =
      static_cast<int>(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
  return {static_cast<int>(year_of_era + era * 400 + (month <= 2)), month,
          static_cast<int>(day_of_year - (153 * month_from_march + 2) / 5 + 1)};
}

int weekday_from_days(std::int64_t days) noexcept {
  return static_cast<int>(((days + 3) % 7 + 7) % 7);  // 1970-01-01 was a Thursday
}

Result<CivilDate> parse_date(std::string_view text) {
  CivilDate date;
  std::string_view rest = text;
  if (!take_date(rest, date) || !rest.empty()) {
    return Error{ErrorCode::invalid_argument,
                 "date \"" + std::string(text.substr(0, 40)) + "\" was not YYYY-MM-DD"};
  }
  return date;
}

Result<std::int64_t> parse_time_us(std::string_view text) {
  std::string_view rest = text;
  CivilDate date;
  if (!take_date(rest, date)) return not_a_time(text);
  std::int64_t time_us = days_from_civil(date) * us_per_day;
  if (rest.empty()) return time_us;

  if (!take(rest, 'T') && !take(rest, 't') && !take(rest, ' ')) return not_a_time(text);
  const int hour = take_digits(rest, 2, 0, 23);
  if (hour < 0 || !take(rest, ':')) return not_a_time(text);
  const int minute = take_digits(rest, 2, 0, 59);
  if (minute < 0 || !take(rest, ':')) return not_a_time(text);
  const int second = take_digits(rest, 2, 0, 60);
  if (second < 0) return not_a_time(text);
  time_us += ((hour * 60 + minute) * 60 + second) * us_per_s;
  if (take(rest, '.')) {
    const std::size_t digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
    if (digits == 0) return not_a_time(text);
    std::int64_t fraction_us = 0;
    for (std::size_t i = 0; i < 6; ++i)
      fraction_us = fraction_us * 10 + (i < digits ? rest[i] - '0' : 0);
    rest.remove_prefix(digits);
    time_us += fraction_us;
  }
  if (!take(rest, 'Z') && !take(rest, 'z')) {
    const int sign = take(rest, '+') ? 1 : take(rest, '-') ? -1 : 0;
    const int offset_h = take_digits(rest, 2, 0, 23);
    if (sign == 0 || offset_h < 0 || !take(rest, ':')) return not_a_time(text);
    const int offset_min = take_digits(rest, 2, 0, 59);
    if (offset_min < 0) return not_a_time(text);
    time_us -= sign * (offset_h * 60 + offset_min) * 60 * us_per_s;
  }
  if (!rest.empty() || time_us < 0 || time_us > time_us_max) return not_a_time(text);
  return time_us;
}

std::string format_time_us(std::int64_t time_us) {
  time_us = std::clamp<std::int64_t>(time_us, 0, time_us_max);
  std::string out;
  out.reserve(27);
  append_date(out, time_us / us_per_day);
  const std::int64_t second = time_us % us_per_day / us_per_s;
  out += 'T';
  append_padded(out, second / 3600, 2);
  out += ':';
  append_padded(out, second / 60 % 60, 2);
  out += ':';
  append_padded(out, second % 60, 2);
  out += '.';
  append_padded(out, time_us % us_per_s, 6);
  out += 'Z';
  return out;
}

std::string format_date(std::int64_t time_us) {
  std::string out;
  append_date(out, std::clamp<std::int64_t>(time_us, 0, time_us_max) / us_per_day);
  return out;
}

bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return to_lower(x) == to_lower(y); });
}

bool same_secret(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    difference |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]);
  return difference == 0;
}

std::string_view trimmed(std::string_view text) noexcept {
  constexpr std::string_view blanks = " \t\r\n";
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

}  // namespace tandem
