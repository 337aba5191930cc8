// Price lists as partners send them: whatever columns, dates and code lists they use.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tandem/error.hpp"
#include "tandem/export.h"
#include "tandem/rating.hpp"

namespace tandem {

/// How days and months stand in "03/04/2026".
enum class DateOrder : std::uint8_t {
  unknown,  ///< As the other dates of the file show it; an error when none does.
  day_first,
  month_first,
};

/// What is known of a price list beforehand. All of it may be left to the list itself.
struct DeckLayout {
  /// Columns by hand: a target and where it stands, a header name (case and punctuation do not
  /// count) or "#1" for the first column. Targets: the columns of `rates[]`, and
  /// `codes` (a list such as "1201,1202,1203-1209"), `country_code` (stands in front of each code),
  /// `interval` ("60/60", "30/6", "1"), `status` ("blocked", "open"), `currency`.
  std::vector<std::pair<std::string, std::string>> columns;
  char delimiter = 0;      ///< 0: as the header line shows it: one of , ; | or a tab.
  bool has_header = true;  ///< False: `columns` names all of them by position.
  DateOrder date_order = DateOrder::unknown;
  std::string currency;  ///< What a `currency` column must say; "": the same in all rows.
  std::string timezone;  ///< Of dates without one; "": UTC.
};

/// Reads the words of a layout: `price=Rate per min`, `codes=#2`, `delimiter=|`, `header=no`,
/// `dates=day_first`, `currency=USD`, `timezone=Europe/London`, with ';' between them. Errors:
/// invalid_argument.
TANDEM_EXPORT Result<DeckLayout> parse_deck_layout(std::string_view text);

/// What is wrong with one row.
struct DeckFault {
  std::size_t row = 0;  ///< Of the table, from 1.
  std::string column;   ///< As the list calls it; "" for the whole row.
  std::string message;
};

/// A price list that was looked at.
struct DeckImport {
  static constexpr std::size_t faults_max = 1'000;  ///< More are counted, not kept.

  std::vector<Rate> rates;     ///< In order of the rows; of rows without fault.
  std::size_t header_row = 0;  ///< 0: there is none.
  std::size_t rows = 0;        ///< Rows with content behind the header.
  std::string currency;        ///< What the list says; "" when it does not.
  /// Which column of the list became which target, in order of the list.
  std::vector<std::pair<std::string, std::string>> mapping;
  std::vector<std::string> ignored;  ///< Columns that nothing was taken from.
  std::vector<DeckFault> faults;
  std::size_t fault_count = 0;
  [[nodiscard]] bool ok() const noexcept { return fault_count == 0; }
};

/// Reads a price list of a partner.
///
/// The header is the first line of the first 50 that has a column for codes and one for a price;
/// their names are known in many spellings (docs/deck-import.md). A blocked row becomes a locked
/// rate, for which no price is needed. A code in two rows with the same date is a fault of the
/// later row. Errors: invalid_argument (no header was found, a column of the layout is not there),
/// limit (RateDeck::rates_max). What is wrong with rows is not an error but in `faults`. Threading:
/// immutable; any number of threads may call it at once.
TANDEM_EXPORT Result<DeckImport> import_deck(std::string_view text, const DeckLayout& layout = {});

/// One JSON object without line end: rates (their number), rows, header_row, currency, mapping[],
/// ignored[], faults[], fault_count, and `preview`, the first `preview_max` rates.
TANDEM_EXPORT std::string to_json(const DeckImport& import, std::size_t preview_max = 20);

}  // namespace tandem
