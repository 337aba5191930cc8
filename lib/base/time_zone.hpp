// Local time of a named zone, without the process-wide state of tzset().
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "tandem/error.hpp"

namespace tandem {

/// A moment as a clock on the wall shows it.
struct LocalTime {
  std::int64_t day = 0;     ///< Days since 1970-01-01.
  std::int32_t second = 0;  ///< Of the day, 0..86399.

  /// 0 is Sunday, 6 Saturday (section 0.3 of the reference).
  [[nodiscard]] static int weekday(std::int64_t day) noexcept {
    return static_cast<int>(((day + 4) % 7 + 7) % 7);  // 1970-01-01 was a Thursday
  }
};

/// Days since 1970-01-01 of "YYYY-MM-DD". Errors: invalid_argument.
Result<std::int64_t> parse_day(std::string_view text);

/// A time zone: UTC, an offset, or one of the system's (RFC 8536).
/// Threading: immutable; any number of threads may call it at once. Copies share one body.
class TimeZone {
 public:
  TimeZone() noexcept = default;  ///< UTC.
  /// "UTC", an offset such as "+05:30", or a name such as "Europe/London", which is read from the
  /// system's database now and never again. Errors: invalid_argument (no such zone).
  static Result<TimeZone> load(std::string_view name);
  /// The text of an RFC 8536 file, version 2 or later. Errors: corrupt.
  static Result<TimeZone> parse(std::string_view file);

  /// `wall_us`: microseconds since 1970 UTC.
  [[nodiscard]] LocalTime local(std::int64_t wall_us) const noexcept;
  /// Seconds east of UTC at a moment in seconds since 1970 UTC.
  [[nodiscard]] std::int32_t offset_s(std::int64_t time_s) const noexcept;

 private:
  struct Body;
  explicit TimeZone(std::shared_ptr<const Body> body) noexcept : body_(std::move(body)) {}
  std::shared_ptr<const Body> body_;  // Null: UTC.
};

}  // namespace tandem
