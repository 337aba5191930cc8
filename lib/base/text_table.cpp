#include "base/text_table.hpp"

#include <algorithm>

namespace tandem {

namespace {

/// Columns of the terminal, as far as each code point of UTF-8 takes one.
std::size_t width_of(std::string_view text) noexcept {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80;
  }));
}

}  // namespace

std::string printable_text(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  }
  return out;
}

void TextTable::column(std::string_view title, Align align) {
  columns_.push_back({printable_text(title), align, width_of(title)});
}

void TextTable::row(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  for (std::size_t i = 0; i < cells.size(); ++i) {
    cells[i] = printable_text(cells[i]);
    columns_[i].width = std::max(columns_[i].width, width_of(cells[i]));
  }
  rows_.push_back(std::move(cells));
}

std::string TextTable::to_string() const {
  std::string out;
  const auto cell = [&](const Column& column, const std::string& text) {
    const std::string padding(column.width - width_of(text), ' ');
    out += column.align == Align::right ? padding + text : text + padding;
    out += "  ";
  };
  const auto end_line = [&] {
    out.erase(out.find_last_not_of(' ') + 1);
    out += '\n';
  };
  for (const Column& column : columns_)
    cell(column, column.title);
  end_line();
  for (const auto& cells : rows_) {
    for (std::size_t i = 0; i < cells.size(); ++i)
      cell(columns_[i], cells[i]);
    end_line();
  }
  return out;
}

}  // namespace tandem
