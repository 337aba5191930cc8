// A filter as a condition on the rows of a day's columns.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cdr/column_file.hpp"
#include "tandem/cdr_query.hpp"

namespace tandem::cdr {

/// Means what condition_of() means for the rows of the day file. Threading: one thread at a time.
class ColumnFilter {
 public:
  explicit ColumnFilter(const CdrFilter& filter);
  /// Whether it wants every row.
  [[nodiscard]] bool wants_all() const noexcept { return conditions_.empty(); }
  /// REQUIRES: `group` has record_columns. What cannot be read is not wanted, and the group knows.
  bool wants(ColumnGroup& group, std::size_t row) const;

 private:
  using Condition = std::function<bool(ColumnGroup&, std::size_t row, std::string& scratch)>;
  void add_texts(const CdrFilter& filter);
  void add_numbers(const CdrFilter& filter);
  void add_integers(const CdrFilter& filter);
  std::vector<Condition> conditions_;
  mutable std::string scratch_;
};

/// The whole number that a filter wants on one side, in whichever view: an index finds it. Nothing:
/// it wants none, or prefixes only. The text is that of the filter.
std::optional<std::pair<NumberSide, std::string_view>> indexed_number(const CdrFilter& filter);

}  // namespace tandem::cdr
