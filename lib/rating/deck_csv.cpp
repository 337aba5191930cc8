// Rate decks as CSV (RFC 4180).
#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "base/csv.hpp"
#include "rating/rate_columns.hpp"
#include "rating/rate_keys.hpp"
#include "tandem/rating.hpp"

namespace tandem {
namespace {

constexpr std::size_t progress_rows = 10'000;
constexpr std::size_t file_bytes_max = std::size_t{2} << 30;

using rating::Column;
using rating::name_of;
using rating::quoted;

Result<std::vector<Column>> read_header(const std::vector<std::string>& cells) {
  std::vector<Column> columns;
  std::uint32_t seen = 0;
  for (const std::string& name : cells) {
    const auto known = rating::column_from_name(name);
    if (!known)
      return Error{ErrorCode::invalid_argument, "column " + quoted(name) + " was unknown"};
    const auto index = static_cast<unsigned>(*known);
    if ((seen >> index & 1) != 0)
      return Error{ErrorCode::invalid_argument, "column " + quoted(name) + " was there twice"};
    seen |= 1u << index;
    columns.push_back(*known);
  }
  for (const Column needed : {Column::prefix, Column::price}) {
    if ((seen >> static_cast<unsigned>(needed) & 1) == 0)
      return Error{ErrorCode::invalid_argument,
                   "column " + quoted(name_of(needed)) + " was missing"};
  }
  return columns;
}

Error at_row(std::string_view name, std::size_t row, const Error& error) {
  std::string message(name);
  message.append(" row ").append(std::to_string(row)).append(": ").append(error.message);
  return {error.code, std::move(message)};
}

/// The columns that a table of these rates has: the plain ones, and those that some rate fills.
std::vector<Column> used_columns(const RateDeck& deck) {
  constexpr auto rare = static_cast<std::size_t>(Column::tiers);
  std::array<bool, rating::column_count> is_used{};
  std::fill_n(is_used.begin(), rare, true);
  for (std::size_t i = 0; i < deck.size(); ++i) {
    if (!deck.at(i).terms) continue;
    for (std::size_t column = rare; column < is_used.size(); ++column)
      is_used[column] |= !rating::cell_of(deck.at(i), static_cast<Column>(column)).empty();
  }
  std::vector<Column> columns;
  for (std::size_t column = 0; column < is_used.size(); ++column) {
    if (is_used[column]) columns.push_back(static_cast<Column>(column));
  }
  return columns;
}

struct FileCloser {
  void operator()(std::FILE* file) const noexcept {
    (void)std::fclose(file);
  }  // only read from: nothing to lose
};

}  // namespace

Result<std::vector<Rate>> parse_deck_csv(std::string_view text, std::string_view name,
                                         const std::function<void(std::size_t)>& on_progress) {
  CsvReader reader(text);
  std::vector<std::string> cells;
  auto read = reader.next_row(cells);
  if (!read) return at_row(name, 1, read.error());
  if (!*read) return at_row(name, 1, {ErrorCode::invalid_argument, "header line was missing"});
  auto columns = read_header(cells);
  if (!columns) return at_row(name, 1, columns.error());

  std::vector<Rate> rates;
  rating::RateDraft draft;
  std::vector<std::size_t> rows;  // by rate
  rating::RateKeys keys;
  for (std::size_t row = 2;; ++row) {
    read = reader.next_row(cells);
    if (!read) return at_row(name, row, read.error());
    if (!*read) break;
    if (cells.size() == 1 && cells[0].empty()) continue;  // an empty line
    if (cells.size() != columns->size()) {
      return at_row(name, row,
                    {ErrorCode::invalid_argument, "row had " + std::to_string(cells.size()) +
                                                      " cells, the header " +
                                                      std::to_string(columns->size())});
    }
    if (on_progress && row % progress_rows == 0) on_progress(reader.position_bytes());
    if (rates.size() == RateDeck::rates_max)
      return at_row(name, row,
                    {ErrorCode::limit,
                     "file had more than " + std::to_string(RateDeck::rates_max) + " rates"});
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const Column column = (*columns)[i];
      if (cells[i].empty() && column != Column::price) continue;
      if (auto set = draft.set(column, cells[i]); !set) {
        const std::string message = "column " + quoted(name_of(column)) + ": ";
        return at_row(name, row, {set.error().code, message + set.error().message});
      }
    }
    Rate rate = draft.finish();
    if (auto checked = check_rate(rate); !checked) return at_row(name, row, checked.error());
    if (const auto before = keys.note(rates, rate)) {
      return at_row(
          name, row,
          {ErrorCode::already_exists, "column \"prefix\": " + quoted(rate.prefix) + " was in row " +
                                          std::to_string(rows[*before]) + " before"});
    }
    rates.push_back(std::move(rate));
    rows.push_back(row);
  }
  return rates;
}

std::string to_csv(const RateDeck& deck) {
  const std::vector<Column> columns = used_columns(deck);
  std::string text;
  for (const Column column : columns) {
    if (!text.empty()) text += ',';
    text += name_of(column);
  }
  text += '\n';
  for (std::size_t i = 0; i < deck.size(); ++i) {
    for (const Column column : columns) {
      if (column != columns.front()) text += ',';
      append_csv_cell(text, rating::cell_of(deck.at(i), column));
    }
    text += '\n';
  }
  return text;
}

Result<std::vector<Rate>> load_deck_csv(const std::string& path) {
  const std::unique_ptr<std::FILE, FileCloser> file(std::fopen(path.c_str(), "rb"));
  if (!file) return Error{ErrorCode::io, path + " could not be opened"};
  std::string text;
  std::array<char, 65536> block;
  for (std::size_t count = 0;
       (count = std::fread(block.data(), 1, block.size(), file.get())) > 0;) {
    if (text.size() + count > file_bytes_max)
      return Error{ErrorCode::limit,
                   path + " was larger than " + std::to_string(file_bytes_max) + " bytes"};
    text.append(block.data(), count);
  }
  if (std::ferror(file.get())) return Error{ErrorCode::io, path + " could not be read"};
  return parse_deck_csv(text, path);
}

}  // namespace tandem
