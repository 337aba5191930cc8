// Days and hours: what of a gateway's settings, and which price of a rate, holds when (R-12, R-13,
// B-24).
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/error.hpp"
#include "tandem/export.h"

namespace tandem {

/// What kind of day it is.
enum class DayClass : std::uint8_t { work, rest, holiday };

/// Which days a period holds on: any of the weekdays or classes named.
struct DaySet {
  std::uint8_t weekdays = 0;  ///< Bit 0 is Sunday, bit 6 Saturday.
  std::uint8_t classes = 0;   ///< Bit of DayClass.

  static constexpr DaySet every() noexcept { return {0x7F, 0}; }
  /// "mon-fri", "sat", "work", "any" ...; a range may go over the week's end. Errors:
  /// invalid_argument.
  TANDEM_EXPORT static Result<DaySet> parse(const std::vector<std::string>& words);
  /// The same from comma text without spaces, "mon-fri,holiday".
  TANDEM_EXPORT static Result<DaySet> from_text(std::string_view text);
  /// Comma text that from_text() reads again: "any", "mon-fri", "mon,wed,holiday".
  [[nodiscard]] TANDEM_EXPORT std::string to_string() const;
  bool operator==(const DaySet&) const = default;
};

/// Classes of days with the zone that days are counted in.
struct CalendarConfig {
  std::string id;
  std::string timezone;  ///< "": the parameter `timezone`.
  /// By weekday, 0 is Sunday.
  std::array<DayClass, 7> week = {DayClass::rest, DayClass::work, DayClass::work, DayClass::work,
                                  DayClass::work, DayClass::work, DayClass::rest};
  std::map<std::int64_t, DayClass> exceptions;  ///< By days since 1970-01-01; they go first.
  bool operator==(const CalendarConfig&) const = default;
};

/// Settings of a vendor gateway that hold for some hours of some days. Of the periods that
/// hold at a call's arrival the first in the list that says something about a setting decides it;
/// without one the gateway's own setting holds.
struct PeriodConfig {
  DaySet days = DaySet::every();      ///< The day is the one on which the period began.
  std::int32_t from_s = 0;            ///< Seconds since local midnight, 0..86399.
  std::int32_t to_s = 86400;          ///< Exclusive, 1..86400; before `from_s`: of the next day.
  std::optional<DayClass> day_class;  ///< The day must be of this class too.
  std::string timezone;               ///< "": the calendar's, else the parameter `timezone`.

  std::optional<bool> closed;  ///< Takes no calls.
  std::optional<std::int32_t> line_limit;
  std::optional<std::int32_t> priority;
  std::optional<std::string> rewrite_caller, rewrite_callee;  ///< Instead of the gateway's rules.
  std::vector<std::string> allow_caller_prefixes, forbid_caller_prefixes;
  std::vector<std::string> allow_callee_prefixes, forbid_callee_prefixes;
};

}  // namespace tandem
