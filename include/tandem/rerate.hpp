// Calls of the past by another price list: what would have been charged, and the difference.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/error.hpp"
#include "tandem/export.h"
#include "tandem/rating.hpp"

namespace tandem {

/// One side of a call of the past.
struct RerateCall {
  std::string_view account;         ///< Whose sums it belongs to.
  std::string_view callee;          ///< As billed.
  std::int64_t started_at_us = 0;   ///< Which rate is valid, microseconds since 1970 UTC.
  std::int64_t answered_at_us = 0;  ///< What windows are judged from.
  std::int64_t talk_time_ms = 0;
  Amount charge;       ///< What it was charged.
  Amount tax_percent;  ///< Of the account, for rates that have none.
};

/// What a call is charged by the other list.
struct RerateOutcome {
  /// none; RateNotFound, RateLocked or InternalError (larger than an Amount): no charge.
  Reason reason = Reason::none;
  Charge charge;
};

/// Sums of one account.
struct RerateTotal {
  std::uint64_t calls = 0;    ///< Rated by the other list.
  std::uint64_t changed = 0;  ///< Of these, with another charge.
  Amount before;              ///< Sum of their charges.
  Amount after;               ///< By the other list.
  std::int64_t billed_time_s = 0;
  /// Calls that the other list has no rate for, or a locked one, and those that were left out.
  std::uint64_t not_rated = 0;
  Amount not_rated_before;  ///< Sum of their charges; in none of the sums above.
  /// after - before; cut at what an amount can be.
  [[nodiscard]] TANDEM_EXPORT Amount difference() const noexcept;
};

/// Rates calls of the past. Threading: one thread at a time for add() and what it changes; rate()
/// may be called by any number of threads at once.
class TANDEM_EXPORT Rerater {
 public:
  /// `rules` must have passed check_fee_rules(). Windows are judged by the schedule of the deck.
  explicit Rerater(RateDeck deck, FeeRules rules = {}, FreeNumbers free_numbers = {});

  /// What each call is charged; `outcomes` has room for all. Keeps the memory busy: many calls at
  /// once are faster than one by one.
  void rate(std::span<const RerateCall> calls, std::span<RerateOutcome> outcomes) const noexcept;

  /// Rates calls and adds them to the totals. Errors: limit (a sum is larger than an Amount; the
  /// totals are then of no use).
  Result<void> add(std::span<const RerateCall> calls);

  /// Counts a call that the list cannot rate, as one without a rate. Errors: limit.
  Result<void> leave_out(const RerateCall& call);

  [[nodiscard]] const RateDeck& deck() const noexcept { return deck_; }
  [[nodiscard]] const std::map<std::string, RerateTotal, std::less<>>& totals() const noexcept {
    return totals_;
  }

 private:
  RerateTotal& total_of(std::string_view account);

  RateDeck deck_;
  FeeRules rules_;
  FreeNumbers free_numbers_;
  std::map<std::string, RerateTotal, std::less<>> totals_;
};

/// One JSON object: deck currency accounts[], each account calls changed before after difference
/// billed_time_s not_rated not_rated_before.
TANDEM_EXPORT std::string to_json(const Rerater& rerater);

}  // namespace tandem
