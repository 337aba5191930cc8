// Questions to the price lists and the records of a configuration, without a running switch.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tandem/config.hpp"
#include "tandem/error.hpp"
#include "tandem/export.h"
#include "tandem/margin.hpp"
#include "tandem/rerate.hpp"

namespace tandem {

/// margin_report() of decks of `config`, named by their ids. `at_us`: nothing is now. Errors:
/// invalid_argument (unknown deck, currencies).
TANDEM_EXPORT Result<std::vector<MarginRow>> margin_report(
    const SwitchConfig& config, const std::string& sell, const std::vector<std::string>& buys,
    std::optional<std::int64_t> at_us = std::nullopt);

/// Which records rerate_history() looks at, and by what.
struct RerateQuery {
  std::string deck;                      ///< Id of the other deck. Required.
  bool is_vendor = false;                ///< The vendors' side instead of the customers'.
  std::string account;                   ///< Only calls of this account; "": those of all.
  std::optional<std::int64_t> since_us;  ///< Inclusive, of the end of a call.
  std::optional<std::int64_t> until_us;  ///< Exclusive.
  /// Also sides whose charge no tariff made: settled by hand (B-25), or given with a call of
  /// another system (B-26). Else they are left out.
  bool includes_settled = false;
};

/// The answered calls of the configured SQLite sink by another deck: sums by account, before and
/// after; nothing is changed. Calls of another currency than the deck's are not looked at.
/// Parameters and taxes of the accounts are those of `config`. Blocks. Errors: invalid_argument
/// (unknown deck; no `since_us` though the guards of `config` bound the period), unsupported (no
/// SQLite sink), limit (a sum), and those of CdrStore::query(), whose guards hold for the whole.
TANDEM_EXPORT Result<Rerater> rerate_history(const SwitchConfig& config, const RerateQuery& query);

}  // namespace tandem
