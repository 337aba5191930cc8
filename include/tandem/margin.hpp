// Selling against buying: what each prefix of a price list leaves.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "tandem/error.hpp"
#include "tandem/export.h"
#include "tandem/rating.hpp"

namespace tandem {

/// One prefix of a margin report. Prices are of 60 seconds of the steady cycle, rounded half up to
/// 1e-8; what is compared are the exact ones.
struct MarginRow {
  std::string prefix;
  std::string area;  ///< As the selling deck calls it, else the buying one.
  Amount sell;
  std::optional<Amount> best_buy;     ///< Nothing: no deck sells to us there.
  std::optional<Amount> average_buy;  ///< Over the decks that do.
  std::string best_deck;              ///< "" without `best_buy`.
  /// (sell - best_buy) / sell in hundredths of a percent, cut (B-13); nothing when nothing is
  /// bought or `sell` is zero.
  std::optional<std::int64_t> margin_hundredths;
  bool is_loss = false;  ///< Buying at the best price costs more than selling brings.
};

/// What selling by `sell` and buying by each of `buys` leaves at `at_us` (microseconds since 1970
/// UTC): a row for each prefix of any of the decks that `sell` has a rate for, since a longer
/// prefix on either side is another price. Locked and invalid rates are not there. Losses come
/// first, the worst of them foremost; then by margin; what nobody sells to us last; equals by
/// prefix. Errors: invalid_argument (decks of different currencies). Threading: immutable; any
/// number of threads may call it at once.
TANDEM_EXPORT Result<std::vector<MarginRow>> margin_report(const RateDeck& sell,
                                                           std::span<const RateDeck> buys,
                                                           std::int64_t at_us);

/// A JSON array of objects: prefix area sell best_buy best_deck average_buy margin_percent.
TANDEM_EXPORT std::string to_json(const std::vector<MarginRow>& rows);
/// The same as CSV with a header line (RFC 4180); what there is not is an empty cell.
TANDEM_EXPORT std::string to_csv(const std::vector<MarginRow>& rows);
/// Aligned text for people.
TANDEM_EXPORT std::string to_table(const std::vector<MarginRow>& rows);

}  // namespace tandem
