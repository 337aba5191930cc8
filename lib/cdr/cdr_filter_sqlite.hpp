// A filter as a condition on the rows of a day file.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "cdr/cdr_rows_sqlite.hpp"
#include "store/sqlite.hpp"
#include "tandem/cdr_query.hpp"

namespace tandem::cdr {

/// A condition with the values of its parameters.
class RowCondition {
 public:
  /// Adds " AND " and `text`, in which each '?' stands for one of `values`.
  template <class... Values>
  void add(std::string_view text, Values&&... values) {
    if (!text_.empty()) text_ += " AND ";
    text_ += text;
    (values_.emplace_back(std::forward<Values>(values)), ...);
  }
  void add(const RowCondition& other) {
    if (other.values_.empty() && other.text_.empty()) return;
    if (!text_.empty()) text_ += " AND ";
    text_ += other.text_;
    values_.insert(values_.end(), other.values_.begin(), other.values_.end());
  }
  /// Adds that one of `conditions` holds. REQUIRES: there are some.
  void add_any(std::span<const RowCondition> conditions);
  /// "1" when nothing was added.
  [[nodiscard]] std::string text() const { return text_.empty() ? "1" : text_; }
  /// Binds the values to the parameters from `first` on; returns the next one.
  int bind(store::Statement& statement, int first) const;

 private:
  std::string text_;
  std::vector<std::variant<std::int64_t, std::string>> values_;
};

/// Everything that the filter wants, in one condition.
RowCondition condition_of(const CdrFilter& filter, const DayRows& day);

/// The same in up to three conditions, each of which an index of the file answers in the order of
/// time; a row may meet several of them.
std::vector<RowCondition> searches_of(const CdrFilter& filter, const DayRows& day);

}  // namespace tandem::cdr
