// Limits of an account: so much money, talk or so many calls in an hour, a day or a month, to all
// numbers or to some prefixes.
//
// A call takes of a limit before it uses it, as it does of money: what calls that are up hold and
// what those that are over used never pass the limit together, on any number of workers. A call
// counts, whole, in the window in which it arrived, so that a record says where it counted.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/error.hpp"
#include "tandem/export.h"
#include "tandem/values.hpp"

namespace tandem {

/// Which calls are counted together: those that arrive in the same hour, day or month of the clock
/// in the limit's zone.
enum class LimitWindow : std::uint8_t { hour = 0, day = 1, month = 2 };
/// "hour", "day", "month".
TANDEM_EXPORT const char* limit_window_name(LimitWindow window) noexcept;

inline constexpr std::size_t account_limits_max = 16;  ///< Limits of an account.
inline constexpr std::size_t limit_prefixes_max = 64;  ///< Prefixes of a limit.
/// Largest AccountLimit::max_talk_s and max_calls.
inline constexpr std::int64_t limit_count_max = 1'000'000'000'000;

/// One limit. Needs at least one of the three bounds; 0 grants nothing of its kind.
struct AccountLimit {
  LimitWindow window = LimitWindow::day;
  std::vector<std::string> prefixes;       ///< Of the billed callee; none: every number.
  std::string timezone;                    ///< Of the window; "": UTC.
  std::optional<Amount> max_charge;        ///< What the account pays, gifts of packages left out.
  std::optional<std::int64_t> max_talk_s;  ///< Talk in seconds as B-08 counts them.
  std::optional<std::int64_t> max_calls;   ///< Answered calls.
  bool operator==(const AccountLimit&) const = default;
};

/// What limits of an account are told apart by: window, zone and prefixes in order, for instance
/// "day Europe/Berlin 44,49". Another bound of the same key goes on with what was used.
TANDEM_EXPORT std::string limit_key(const AccountLimit& limit);

/// Errors: invalid_argument (too many, a bound out of range or none, a prefix that is no number,
/// no such zone, two with one key).
TANDEM_EXPORT Result<void> check_account_limits(const std::vector<AccountLimit>& limits);

/// What a call counts in one window; what a switch keeps of it.
struct LimitUse {
  std::string account;
  std::string limit;          ///< limit_key().
  std::int64_t start_us = 0;  ///< The window: microseconds since 1970 UTC, `until_us` exclusive.
  std::int64_t until_us = 0;
  Amount charge;
  std::int64_t talk_s = 0;
  std::int64_t calls = 0;
  bool operator==(const LimitUse&) const = default;
};

/// A limit in its window of one moment.
struct LimitState {
  AccountLimit limit;
  std::int64_t start_us = 0, until_us = 0;  ///< As of LimitUse.
  Amount charge, held_charge;               ///< Used by calls that are over; held by those up.
  std::int64_t talk_s = 0, held_talk_s = 0;
  std::int64_t calls = 0, held_calls = 0;
  std::uint64_t refused_calls = 0;  ///< Since the limit was set or the book made.
};
/// JSON object: `key`, the limit's own keys, `start`, `until` and the numbers. limits_to_json(): an
/// array.
TANDEM_EXPORT std::string to_json(const LimitState& state);
TANDEM_EXPORT std::string limits_to_json(const std::vector<LimitState>& states);

/// `limits` of an account as in a configuration, a JSON array. Errors: invalid_argument (begins
/// with the JSON pointer).
TANDEM_EXPORT Result<std::vector<AccountLimit>> parse_account_limits(std::string_view json);

/// A limit refused or cut a call for the first time in its window.
struct LimitNews {
  std::string account;
  AccountLimit limit;
  std::int64_t until_us = 0;  ///< When the window ends.
};

namespace rating {
class LimitSet;
struct LimitClaim;
}  // namespace rating

/// What one call holds of the limits that count it; open only where there are some. Belongs to the
/// call and is settled or given back exactly once; the destructor gives back.
///
/// Threading: one thread at a time; holds of one account may be used on any number of threads at
/// once. Must end before its book.
class TANDEM_EXPORT LimitHold {
 public:
  static constexpr std::int64_t unbounded = std::numeric_limits<std::int64_t>::max();

  LimitHold() noexcept;  ///< Of no limit: grants everything.
  ~LimitHold();
  LimitHold(LimitHold&& other) noexcept;
  LimitHold& operator=(LimitHold&& other) noexcept;
  LimitHold(const LimitHold&) = delete;
  LimitHold& operator=(const LimitHold&) = delete;

  [[nodiscard]] bool is_open() const noexcept { return claim_ != nullptr; }

  /// Raises what is held to these totals of the call; smaller ones change nothing. False: a limit
  /// does not have it, nothing changed.
  [[nodiscard]] bool renew(Amount charge, std::int64_t talk_s) noexcept;
  /// News of the limit by which the last renew() was refused: the call ends for it. A renew() alone
  /// tells nothing, because a smaller one may be granted.
  void tell_refusal() const noexcept;
  /// Gives back what a renew() took that the call could not pay.
  void lower(Amount charge, std::int64_t talk_s) noexcept;

  [[nodiscard]] Amount charge() const noexcept;        ///< Held; 0 when closed.
  [[nodiscard]] std::int64_t talk_s() const noexcept;  ///< Held; 0 when closed.
  /// Seconds that the call may talk before it must hold more; `unbounded`: no limit counts it.
  [[nodiscard]] std::int64_t granted_s() const noexcept;
  /// The largest totals that renew() would grant, each for itself, of this moment; the largest
  /// numbers there are: no limit counts it.
  [[nodiscard]] Amount reachable_charge() const noexcept;
  [[nodiscard]] std::int64_t reachable_s() const noexcept;

  /// Counts the call, with what it came to, and gives the rest back. Does nothing when closed.
  void settle(Amount charge, std::int64_t talk_s) noexcept;
  /// The call was not answered: gives all back.
  void cancel() noexcept;

  /// The windows that count the call, with these numbers and one call.
  [[nodiscard]] std::vector<LimitUse> uses(Amount charge, std::int64_t talk_s) const;

 private:
  friend class AccountBook;
  friend class rating::LimitSet;
  std::unique_ptr<rating::LimitClaim> claim_;
};

}  // namespace tandem
