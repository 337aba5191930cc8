// Goes through stored records for whoever wants some columns of many of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "cdr/cdr_filter_sqlite.hpp"
#include "cdr/cdr_rows_sqlite.hpp"
#include "cdr/column_filter.hpp"
#include "cdr/day_columns.hpp"
#include "cdr/time_box.hpp"
#include "store/sqlite.hpp"
#include "tandem/cdr_query.hpp"

namespace tandem::cdr {

/// By the end of the call, then by `record_id`; `any`: as it is read fastest.
enum class ScanOrder : std::uint8_t { any, oldest_first, newest_first };

struct ScanWish {
  CdrFilter filter;
  std::optional<std::int64_t> record_id;  ///< That record alone.
  std::vector<std::size_t> columns;       ///< Places in record_columns.
  ScanOrder order = ScanOrder::any;
};

/// Some rows with the values of the columns that are wanted.
class ScanPage {
 public:
  struct Key {
    std::int64_t ended_at_us = 0;
    std::int64_t record_id = 0;
    auto operator<=>(const Key&) const = default;
  };
  explicit ScanPage(std::size_t columns) : columns_(columns) {}

  /// Begins a row; as many values follow as there are columns.
  void begin_row(Key key) {
    order_.push_back(keys_.size());
    keys_.push_back(key);
  }
  void add_null() { cells_.push_back({0, 0, 0, true}); }
  void add(std::int64_t value) { cells_.push_back({value, 0, 0, false}); }
  void add(std::string_view text) {
    cells_.push_back({0, texts_.size(), text.size(), false});
    texts_ += text;
  }
  void set(std::size_t row, std::size_t column, std::int64_t value) {
    cell(row, column) = {value, 0, 0, false};
  }
  void set(std::size_t row, std::size_t column, std::string_view text) {
    cell(row, column) = {0, texts_.size(), text.size(), false};
    texts_ += text;
  }
  void clear();
  /// Brings the rows into the order of their keys, each key once, and keeps `rows_max` of them.
  void sort(bool is_newest_first, std::size_t rows_max);

  [[nodiscard]] std::size_t rows() const noexcept { return order_.size(); }
  [[nodiscard]] const Key& key(std::size_t row) const { return keys_[order_[row]]; }
  [[nodiscard]] bool is_null(std::size_t row, std::size_t column) const {
    return cell(row, column).is_null;
  }
  [[nodiscard]] std::int64_t integer(std::size_t row, std::size_t column) const {
    return cell(row, column).integer;
  }
  /// Lives until the page is changed.
  [[nodiscard]] std::string_view text(std::size_t row, std::size_t column) const {
    const Cell& at = cell(row, column);
    return std::string_view(texts_).substr(at.begin, at.bytes);
  }

 private:
  struct Cell {
    std::int64_t integer = 0;
    std::size_t begin = 0, bytes = 0;  // of the text
    bool is_null = false;
  };
  [[nodiscard]] const Cell& cell(std::size_t row, std::size_t column) const {
    return cells_[order_[row] * columns_ + column];
  }
  [[nodiscard]] Cell& cell(std::size_t row, std::size_t column) {
    return cells_[order_[row] * columns_ + column];
  }
  std::size_t columns_;
  std::vector<std::size_t> order_;  // places of the rows below
  std::vector<Key> keys_;
  std::vector<Cell> cells_;
  std::string texts_;
};

/// Reads the day files, and the columns of sealed days where they serve. Holds no transaction
/// between two calls: what it gives was copied, a page at a time. Maintenance puts the day off that
/// it is in the middle of. Threading: one thread at a time.
class RecordScan {
 public:
  /// `clock` outlives it; null: the system's. Errors: invalid_argument (the filter, or a period
  /// that is too long), io.
  static Result<std::unique_ptr<RecordScan>> open(const CdrPlace& place, ScanWish wish,
                                                  const CdrGuards& guards, const Clock* clock);
  /// Goes to the next record. False: there are no more. An error comes again. Errors: io, timeout,
  /// limit, wrong_state (a day is archived), corrupt.
  Result<bool> next();
  /// Of the record that next() went to; `column` counts in the wish. A text lives until the next
  /// record.
  [[nodiscard]] std::int64_t record_id() const { return page_.key(row_).record_id; }
  [[nodiscard]] bool is_null(std::size_t column) const { return page_.is_null(row_, column); }
  [[nodiscard]] std::int64_t integer(std::size_t column) const {
    return page_.integer(row_, column);
  }
  [[nodiscard]] std::string_view text(std::size_t column) const { return page_.text(row_, column); }
  /// Asked while it reads, too: true ends it with timeout.
  void end_when(std::function<bool()> is_over) { is_over_ = std::move(is_over); }

 private:
  using Key = ScanPage::Key;
  RecordScan(CdrPlace place, ScanWish wish, const CdrGuards& guards, const Clock* clock);
  Result<bool> advance();
  Result<bool> fill();
  Result<bool> open_next_day();
  Result<void> check_archives() const;
  Result<void> read_corrected(std::int64_t day);
  bool open_columns(std::int64_t day);
  Result<void> narrow_columns();
  /// False: the day has no more.
  Result<bool> fill_from_columns();
  Result<std::optional<std::size_t>> next_group();
  Result<void> read_group(std::size_t number);
  Result<bool> fill_from_file();
  Result<void> read_rows(const RowCondition& search, bool& has_more);
  /// Gives the last row of the page the charges of now.
  Result<void> correct(Result<Cdr> cdr);
  [[nodiscard]] bool is_newest_first() const { return wish_.order == ScanOrder::newest_first; }
  [[nodiscard]] bool is_over() const { return box_.is_over() || (is_over_ && is_over_()); }
  [[nodiscard]] bool is_behind(Key key) const {
    return !behind_ || (is_newest_first() ? key < *behind_ : *behind_ < key);
  }

  const CdrPlace place_;
  ScanWish wish_;
  const ColumnFilter column_filter_;
  const std::uint64_t rows_max_;
  const SystemClock system_clock_;
  TimeBox box_;
  std::function<bool()> is_over_;
  std::function<bool()> watch_;                   // of statements
  std::vector<std::int64_t> days_;                // still to be read, the next one last
  std::optional<store::Connection> corrections_;  // nothing: none was made
  bool have_corrections_failed_ = false;          // which is no fault of columns
  bool wants_corrected_ = false;                  // of the columns that they change
  std::unordered_set<std::int64_t> corrected_;    // records of the day
  std::int64_t day_ = -1;
  std::int64_t avoided_day_ = -1;      // whose columns could not be read
  std::optional<DayColumns> columns_;  // or else:
  std::optional<RowFinder> finder_;    // of the groups, the last first
  std::optional<std::vector<bool>> wanted_groups_;
  std::size_t begin_group_ = 0, end_group_ = 0;  // that are left
  std::optional<DayRows> file_;
  CdrFilter file_filter_;      // without a period that the whole day is in
  bool is_by_record_ = false;  // the file is read in the order of its table
  store::Statement select_;    // of a whole record of `file_`
  std::size_t page_size_;
  bool is_day_over_ = false;
  std::optional<Key> behind_;  // only what comes behind it, of the day
  ScanPage page_;
  std::size_t row_ = 0;
  std::uint64_t rows_read_ = 0;
  bool has_begun_ = false, is_found_ = false;
  std::optional<Error> failed_;
};

}  // namespace tandem::cdr
