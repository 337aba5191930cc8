// What a charge was made of, as one line that a CDR carries: from it, the talk time and the moment
// of the answer the charge can be made again, without the deck, its calendar or the parameters.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/error.hpp"
#include "tandem/export.h"
#include "tandem/rating.hpp"

namespace tandem {

/// Rate, rules and schedule of one charge.
struct ChargeTerms {
  bool is_free_number = false;  ///< Nothing was charged (B-09); the rest does not count.
  Rate rate;  ///< Without prefix, area, lock, level and validity: they decide about the rate, not
              ///< about the sum.
  FeeRules rules;
  RateSchedule schedule;       ///< Only of rates with windows.
  std::int64_t charged_s = 0;  ///< Not more seconds than these were charged, because the account
                               ///< could not pay for them (B-11); 0: all.
  std::int64_t package_s = 0;  ///< Paid seconds at its start that packages stood for (B-22).
  Amount package_money{};      ///< Gift money that paid of the rest.
  std::shared_ptr<const RateOverlays> overlays{};  ///< Period rates of packages; null: none.
};

/// "price=0.60|per_s=60|first_s=60|next_s=60|precision=6|rounding=half_up|...": the columns of a
/// deck and the parameters by their names; those that say nothing are left out. `from_us`,
/// `until_us`: the time of the call, for whose days the calendar is written down.
TANDEM_EXPORT std::string to_text(const ChargeTerms& terms, std::int64_t from_us,
                                  std::int64_t until_us);

/// Reads such a line. Errors: invalid_argument, limit.
TANDEM_EXPORT Result<ChargeTerms> parse_charge_terms(std::string_view text);

/// The charge of a record, made again: `terms` is what it carries. `answered_at_us`: microseconds
/// since 1970 UTC. Errors: those of parse_charge_terms() and rate_call(). Threading: immutable; any
/// number of threads may call it at once.
TANDEM_EXPORT Result<Charge> recompute_charge(std::string_view terms, std::int64_t talk_time_ms,
                                              std::int64_t answered_at_us,
                                              std::vector<ChargeStep>* steps = nullptr);

}  // namespace tandem
