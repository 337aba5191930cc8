// Numbers and times as text, both ways, without locale.
#pragma once

#include <charconv>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tandem/clock.hpp"
#include "tandem/error.hpp"

namespace tandem {

/// The whole of `text` as a decimal integer: digits, with a leading '-' for signed types. Nothing
/// else is taken: no '+', no space, no trailing character; nothing when it is out of range.
template <std::integral T>
[[nodiscard]] std::optional<T> parse_integer(std::string_view text) noexcept {
  T value{};
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (text.empty() || error != std::errc() || stop != end) return std::nullopt;
  return value;
}

template <std::integral T>
void append_integer(std::string& out, T value) {
  char buffer[24];
  out.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr);
}

/// "2026-11-25", the UTC date of a time.
[[nodiscard]] std::string format_date(std::int64_t time_us);

/// Days since 1970-01-01 of a date of the Gregorian calendar, and back. `month` 1..12, `day` 1..31.
struct CivilDate {
  int year = 1970;
  int month = 1;
  int day = 1;
  auto operator<=>(const CivilDate&) const noexcept = default;
};
[[nodiscard]] std::int64_t days_from_civil(CivilDate date) noexcept;
[[nodiscard]] CivilDate civil_from_days(std::int64_t days) noexcept;
/// 0 Monday .. 6 Sunday.
[[nodiscard]] int weekday_from_days(std::int64_t days) noexcept;
/// Reads "YYYY-MM-DD". Errors: invalid_argument, also for a day that the month does not have.
[[nodiscard]] Result<CivilDate> parse_date(std::string_view text);

/// ASCII only, whatever the locale is.
[[nodiscard]] constexpr char to_lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}
[[nodiscard]] bool equals_ignoring_case(std::string_view a, std::string_view b) noexcept;
/// Takes the same time wherever two texts of one length differ.
[[nodiscard]] bool same_secret(std::string_view a, std::string_view b) noexcept;
/// Without spaces, tabs and line ends at both ends.
[[nodiscard]] std::string_view trimmed(std::string_view text) noexcept;

}  // namespace tandem
