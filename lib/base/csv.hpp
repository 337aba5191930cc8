// Comma-separated values as of RFC 4180.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.hpp"
#include "tandem/error.hpp"

namespace tandem {

/// Splits CSV text into rows of cells. A row may go over several lines inside quotes. UTF-8 with or
/// without byte order mark; ',' or ';' as the first line has it. Threading: one thread at a time.
class CsvReader {
 public:
  static constexpr std::size_t cell_bytes_max = 16384;
  static constexpr std::size_t columns_max = 256;

  /// `text` outlives the reader.
  explicit CsvReader(std::string_view text) noexcept
      : text_(text.substr(text.starts_with("\xEF\xBB\xBF") ? 3 : 0)),
        delimiter_(text_.substr(0, text_.find('\n')).find(';') == std::string_view::npos ? ','
                                                                                         : ';') {}
  /// The same with this delimiter.
  CsvReader(std::string_view text, char delimiter) noexcept : CsvReader(text) {
    delimiter_ = delimiter;
  }

  [[nodiscard]] std::size_t position_bytes() const noexcept { return at_; }

  /// False at the end of the text. Cells are reused from row to row. Errors: invalid_argument,
  /// limit.
  Result<bool> next_row(std::vector<std::string>& cells) {
    if (at_ >= text_.size()) return false;
    std::size_t count = 0;
    for (;;) {
      if (count == columns_max)
        return Error{ErrorCode::limit,
                     "more than " + std::to_string(columns_max) + " cells were in the row"};
      if (count == cells.size()) cells.emplace_back();
      if (auto read = read_cell(cells[count]); !read) {
        return Error{read.error().code,
                     "cell " + std::to_string(count + 1) + ' ' + read.error().message};
      }
      ++count;
      if (at_ < text_.size() && text_[at_] == delimiter_) {
        ++at_;
        continue;
      }
      skip_line_end();
      break;
    }
    cells.resize(count);
    return true;
  }

 private:
  [[nodiscard]] bool is_at_line_end() const noexcept {
    return at_ >= text_.size() || text_[at_] == '\n' ||
           (text_[at_] == '\r' && (at_ + 1 >= text_.size() || text_[at_ + 1] == '\n'));
  }
  void skip_line_end() noexcept {
    if (at_ < text_.size() && text_[at_] == '\r') ++at_;
    if (at_ < text_.size() && text_[at_] == '\n') ++at_;
  }

  Result<void> read_cell(std::string& cell) {
    cell.clear();
    if (at_ < text_.size() && text_[at_] == '"') {
      ++at_;
      for (;;) {
        const std::size_t quote = text_.find('"', at_);
        if (quote == std::string_view::npos)
          return Error{ErrorCode::invalid_argument, "had no closing quote"};
        if (cell.size() + (quote - at_) > cell_bytes_max) return too_long();
        cell.append(text_.substr(at_, quote - at_));
        at_ = quote + 1;
        if (at_ >= text_.size() || text_[at_] != '"') break;
        cell += '"';
        ++at_;
      }
      if (!is_at_line_end() && text_[at_] != delimiter_)
        return Error{ErrorCode::invalid_argument, "went on after its closing quote"};
      return {};
    }
    const std::size_t start = at_;
    while (!is_at_line_end() && text_[at_] != delimiter_) {
      if (text_[at_] == '"') return Error{ErrorCode::invalid_argument, "had a quote inside"};
      if (++at_ - start > cell_bytes_max) return too_long();
    }
    cell.assign(trimmed(text_.substr(start, at_ - start)));
    return {};
  }

  static Error too_long() {
    return {ErrorCode::limit, "was longer than " + std::to_string(cell_bytes_max) + " bytes"};
  }

  std::string_view text_;
  char delimiter_;
  std::size_t at_ = 0;
};

/// Whether bytes are UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing above U+10FFFF.
inline bool is_utf8(std::string_view text) noexcept {
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = [&](std::size_t offset) -> unsigned {
      return i + offset < text.size() ? static_cast<unsigned char>(text[i + offset]) : 0;
    };
    const unsigned lead = byte(0);
    const std::size_t length = lead < 0x80   ? 1
                               : lead < 0xC2 ? 0
                               : lead < 0xE0 ? 2
                               : lead < 0xF0 ? 3
                               : lead < 0xF5 ? 4
                                             : 0;
    if (length == 0) return false;
    for (std::size_t k = 1; k < length; ++k) {
      if ((byte(k) & 0xC0) != 0x80) return false;
    }
    if ((lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xED && byte(1) > 0x9F) ||
        (lead == 0xF0 && byte(1) < 0x90) || (lead == 0xF4 && byte(1) > 0x8F))
      return false;
    i += length;
  }
  return true;
}

/// Appends a cell, in quotes where it needs them.
inline void append_csv_cell(std::string& row, std::string_view cell) {
  if (cell.find_first_of(",;\"\r\n") == std::string_view::npos && cell == trimmed(cell)) {
    row += cell;
    return;
  }
  row += '"';
  for (const char c : cell) {
    if (c == '"') row += '"';
    row += c;
  }
  row += '"';
}

/// Appends a line of cells, each as `text_of` says it, and its end as RFC 4180 wants it.
template <class Cells, class TextOf>
void append_csv_line(std::string& text, const Cells& cells, TextOf&& text_of) {
  bool is_first = true;
  for (const auto& cell : cells) {
    if (!is_first) text += ',';
    is_first = false;
    append_csv_cell(text, text_of(cell));
  }
  text += "\r\n";
}

/// A table of `columns` and `rows`, in which there may be anything that `text_of` makes text of.
template <class Rows, class TextOf>
std::string csv_table(const std::vector<std::string>& columns, const Rows& rows, TextOf&& text_of) {
  std::string text;
  append_csv_line(text, columns, [](const std::string& name) { return name; });
  for (const auto& row : rows)
    append_csv_line(text, row, text_of);
  return text;
}

}  // namespace tandem
