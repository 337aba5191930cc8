// Columns of text for a terminal.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tandem {

/// Rows under a line of titles, each column as wide as its widest cell, two blanks between columns
/// and none at the ends of lines. Control characters, which would move the cursor, show as '?'.
/// Threading: one thread at a time.
class TextTable {
 public:
  enum class Align : std::uint8_t { left, right };

  void column(std::string_view title, Align align = Align::left);
  /// Cells in the order of the columns; missing ones at the end are empty. REQUIRES: no more cells
  /// than columns.
  void row(std::vector<std::string> cells);
  [[nodiscard]] bool empty() const noexcept { return rows_.empty(); }
  /// A line for the titles and for each row, each with its line end.
  [[nodiscard]] std::string to_string() const;

 private:
  struct Column {
    std::string title;
    Align align;
    std::size_t width;  // of its widest cell
  };
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// `text` with control characters as '?'.
[[nodiscard]] std::string printable_text(std::string_view text);

}  // namespace tandem
