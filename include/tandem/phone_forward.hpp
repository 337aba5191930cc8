// Where calls to a phone go instead (T-02, T-03, T-09).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tandem/calendar.hpp"
#include "tandem/export.h"

namespace tandem {

/// Why a call is sent on.
enum class ForwardReason : std::uint8_t {
  unconditional,
  period,     ///< The hours say so (T-03).
  busy,       ///< 486 or 600, or no line of the phone is free.
  no_answer,  ///< It rang for long enough, or said 480.
  offline,    ///< Not registered, or out of reach.
};
/// "unconditional", "period", ...
TANDEM_EXPORT const char* forward_reason_name(ForwardReason reason) noexcept;

/// A number that is called instead.
struct ForwardTarget {
  std::string number;  ///< As the phone would dial it.
  /// Until the next one is tried, 1..600; -1: PhoneForward::ring_s. The last one has as long as a
  /// call of the phone has. Of several that ring at once: until it is given up; -1: as long as such
  /// a call has.
  std::int32_t ring_s = -1;
};

/// Which target comes first.
enum class ForwardMethod : std::uint8_t {
  sequential,
  random,
  simultaneous,  ///< All ring at once; who answers first has the call.
};
/// "sequential", ...
TANDEM_EXPORT const char* forward_method_name(ForwardMethod method) noexcept;

/// Who the target sees calling (T-09).
enum class ForwardDisplay : std::uint8_t {
  parameter,  ///< As call_forward_using_original_caller says.
  original,   ///< Who called the phone.
  own,        ///< The phone.
};

/// Hours in which calls go elsewhere.
struct ForwardPeriod {
  DaySet days = DaySet::every();  ///< The day is the one on which the period began.
  std::int32_t from_s = 0;        ///< Seconds since local midnight, 0..86399.
  std::int32_t to_s = 86400;      ///< Exclusive, 1..86400; before `from_s`: of the next day.
  std::vector<ForwardTarget> targets;
};

/// What a phone has ordered. The first that applies holds: period, unconditional, offline, busy, no
/// answer. Lists have at most forward_targets_max targets.
struct PhoneForward {
  std::vector<ForwardPeriod> periods;  ///< At most forward_periods_max; the first that holds.
  std::string calendar;                ///< Of the periods; "": the parameter `timezone`.
  std::vector<ForwardTarget> unconditional, offline, busy, no_answer;
  ForwardMethod method = ForwardMethod::sequential;
  ForwardDisplay display = ForwardDisplay::parameter;
  std::int32_t ring_s = 20;  ///< 1..600; also of the phone itself, where it has `no_answer`.
};
inline constexpr std::size_t forward_targets_max = 8;
inline constexpr std::size_t forward_periods_max = 16;

}  // namespace tandem
