// A rate as named texts: the columns of a deck in CSV, and the words of a charge's record.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tandem/rating.hpp"

namespace tandem::rating {

enum class Column : std::uint8_t {
  prefix,
  area,
  price,
  per_s,
  first_s,
  next_s,
  connection_fee,
  minimum,
  locked,
  call_level,
  valid_from,
  valid_until,
  sections,
  // Of these a table has what some rate says (RateTerms).
  tiers,
  windows,
  grace_s,
  free_s,
  maximum,
  tax_percent,
};
inline constexpr std::array<std::string_view, 19> column_names = {
    "prefix",  "area",    "price",      "per_s",      "first_s",     "next_s",   "connection_fee",
    "minimum", "locked",  "call_level", "valid_from", "valid_until", "sections", "tiers",
    "windows", "grace_s", "free_s",     "maximum",    "tax_percent"};
inline constexpr std::size_t column_count = column_names.size();

[[nodiscard]] constexpr std::string_view name_of(Column column) noexcept {
  return column_names[static_cast<std::size_t>(column)];
}
[[nodiscard]] std::optional<Column> column_from_name(std::string_view name) noexcept;

/// A rate whose columns come one after the other.
struct RateDraft {
  Rate rate;
  RateTerms terms;

  /// Errors: invalid_argument, limit; without the name of the column.
  Result<void> set(Column column, std::string_view text);
  /// The rate with its terms; leaves the draft as new.
  [[nodiscard]] Rate finish();
};

/// What set() reads again; "" for what a rate does not say.
[[nodiscard]] std::string cell_of(const Rate& rate, Column column);

/// `text` in quotes, cut and made printable, for messages.
[[nodiscard]] std::string quoted(std::string_view text);

}  // namespace tandem::rating
