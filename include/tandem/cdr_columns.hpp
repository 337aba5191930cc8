// Columns of stored records as arrays, for whoever computes with many of them (C-13).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/cdr_query.hpp"
#include "tandem/clock.hpp"
#include "tandem/error.hpp"
#include "tandem/export.h"

namespace tandem {

/// Names of the columns that there are: those of the day files (docs/cdr.md), but for money in
/// decimals, which is there in units of 1e-8 (`charge_units`). Live for ever.
TANDEM_EXPORT const std::vector<std::string_view>& cdr_column_names();

struct CdrColumnsRequest {
  CdrFilter filter;
  std::vector<std::string> columns;     ///< Of cdr_column_names(); at least one, none twice.
  std::size_t bytes_max = 1ULL << 30U;  ///< Of memory, about. Not 0.
};

/// The wanted columns of the records of a filter, oldest first: by `ended_at_us`, then `record_id`.
///
/// Threading: immutable; any number of threads may call it at once. Ownership: copies share one
/// body; spans and references live until the last copy goes.
class TANDEM_EXPORT CdrColumns {
 public:
  /// Blocks. A filter judges what a record was written with; charges are given as CdrStore gives
  /// them. `clock` measures the time of the guards; null: the system's. Any thread. Errors:
  /// invalid_argument (a column, the filter, the period), limit (records or bytes), timeout,
  /// wrong_state (a day of the period is archived), io.
  static Result<CdrColumns> read(const CdrPlace& place, const CdrColumnsRequest& request,
                                 const CdrGuards& guards = {}, const Clock* clock = nullptr);

  [[nodiscard]] std::size_t rows() const noexcept;
  /// Of a column of whole numbers (times in microseconds, durations, units of money), a value a
  /// row, 0 where there is none. Nothing: it was not asked for, or is one of texts.
  [[nodiscard]] std::optional<std::span<const std::int64_t>> integers(
      std::string_view column) const;
  /// Of a column of texts, a place in texts() a row, -1 where there is none. Nothing: as above.
  [[nodiscard]] std::optional<std::span<const std::int32_t>> codes(std::string_view column) const;
  /// The texts that codes() mean, each once, in the order in which they came; empty for others.
  [[nodiscard]] const std::vector<std::string>& texts(std::string_view column) const;
  /// A byte a row: 1 where there is no value, 0 else. Empty: each row has one.
  [[nodiscard]] std::span<const std::uint8_t> nulls(std::string_view column) const;

 private:
  struct Body;
  explicit CdrColumns(std::shared_ptr<const Body> body) noexcept;
  std::shared_ptr<const Body> body_;
};

}  // namespace tandem
