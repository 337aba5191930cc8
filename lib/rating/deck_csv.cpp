// Rate decks as CSV (RFC 4180).
#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/csv.hpp"
#include "base/text.hpp"
#include "tandem/rating.hpp"

namespace tandem {
namespace {

constexpr std::size_t progress_rows = 10'000;
constexpr std::size_t file_bytes_max = std::size_t{2} << 30;

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
};
constexpr std::array<std::string_view, 13> column_names = {
    "prefix",  "area",   "price",      "per_s",      "first_s",     "next_s",  "connection_fee",
    "minimum", "locked", "call_level", "valid_from", "valid_until", "sections"};

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text.substr(0, 40))
    out += c >= ' ' && c < 127 ? c : '?';
  if (text.size() > 40) out += "...";
  return out += '"';
}

Error wrong_value(std::string_view text, std::string_view wanted) {
  return {ErrorCode::invalid_argument, quoted(text).append(" was not ").append(wanted)};
}

Result<std::int64_t> read_seconds(std::string_view text) {
  const auto value = parse_integer<std::int64_t>(text);
  if (!value) return wrong_value(text, "a number of seconds");
  return *value;
}

Result<bool> read_boolean(std::string_view text) {
  for (const std::string_view yes : {"true", "on", "1", "yes"}) {
    if (equals_ignoring_case(text, yes)) return true;
  }
  for (const std::string_view no : {"false", "off", "0", "no"}) {
    if (equals_ignoring_case(text, no)) return false;
  }
  return wrong_value(text, "true or false");
}

// Puts a parsed cell where it belongs, or says why it could not be parsed.
template <class T>
Result<void> store(Result<T> parsed, T& target) {
  if (!parsed) return std::move(parsed).error();
  target = std::move(*parsed);
  return {};
}

Result<void> set_field(Rate& rate, Column column, std::string_view text) {
  switch (column) {
    case Column::prefix:
      rate.prefix = text;
      return {};
    case Column::area:
      if (!is_utf8(text)) return wrong_value(text, "UTF-8");
      rate.area = text;
      return {};
    case Column::price:
      return store(Amount::parse(text), rate.price);
    case Column::per_s:
      return store(read_seconds(text), rate.per_s);
    case Column::first_s:
      return store(read_seconds(text), rate.first_s);
    case Column::next_s:
      return store(read_seconds(text), rate.next_s);
    case Column::connection_fee:
      return store(Amount::parse(text), rate.connection_fee);
    case Column::minimum:
      return store(Amount::parse(text), rate.minimum);
    case Column::locked:
      return store(read_boolean(text), rate.locked);
    case Column::call_level:
      return store(call_level_from_name(text), rate.call_level);
    case Column::valid_from:
      return store(parse_time_us(text), rate.valid_from_us);
    case Column::valid_until:
      return store(parse_time_us(text), rate.valid_until_us);
    case Column::sections:
      return store(parse_sections(text), rate.sections);
  }
  return {};
}

Result<std::vector<Column>> read_header(const std::vector<std::string>& cells) {
  std::vector<Column> columns;
  std::uint32_t seen = 0;
  for (const std::string& name : cells) {
    if (name == "windows" || name == "tiers")
      return Error{ErrorCode::unsupported, "column " + quoted(name) + " was not supported yet"};
    const auto known = std::find(column_names.begin(), column_names.end(), name);
    if (known == column_names.end())
      return Error{ErrorCode::invalid_argument, "column " + quoted(name) + " was unknown"};
    const auto index = static_cast<unsigned>(known - column_names.begin());
    if ((seen >> index & 1) != 0)
      return Error{ErrorCode::invalid_argument, "column " + quoted(name) + " was there twice"};
    seen |= 1u << index;
    columns.push_back(static_cast<Column>(index));
  }
  for (const Column needed : {Column::prefix, Column::price}) {
    if ((seen >> static_cast<unsigned>(needed) & 1) == 0)
      return Error{
          ErrorCode::invalid_argument,
          "column " + quoted(column_names[static_cast<unsigned>(needed)]) + " was missing"};
  }
  return columns;
}

Error at_row(std::string_view name, std::size_t row, const Error& error) {
  std::string message(name);
  message.append(" row ").append(std::to_string(row)).append(": ").append(error.message);
  return {error.code, std::move(message)};
}

std::string time_cell(std::int64_t time_us) { return time_us == 0 ? "" : format_time_us(time_us); }

/// The cells in the order of `column_names`.
void append_row(std::string& row, const Rate& rate) {
  // Named one by one, so that a new member of Rate does not compile until it has its column here.
  const auto& [price, per_s, first_s, next_s, connection_fee, minimum, locked, call_level, sections,
               valid_from_us, valid_until_us, prefix, area] = rate;
  std::string section_cell;
  for (const RateSection& section : sections) {
    if (!section_cell.empty()) section_cell += ';';
    section_cell += std::to_string(section.seconds) + ':' + section.price.to_string();
  }
  append_csv_cell(row, prefix);
  row += ',';
  append_csv_cell(row, area);
  for (const std::string& cell :
       {price.to_string(), std::to_string(per_s), std::to_string(first_s), std::to_string(next_s),
        connection_fee.to_string(), minimum.to_string(), std::string(locked ? "true" : "false"),
        std::string(call_level_name(call_level)), time_cell(valid_from_us),
        time_cell(valid_until_us), section_cell}) {
    row += ',';
    append_csv_cell(row, cell);
  }
}

struct FileCloser {
  void operator()(std::FILE* file) const noexcept {
    (void)std::fclose(file);
  }  // only read from: nothing to lose
};

}  // namespace

Result<std::vector<RateSection>> parse_sections(std::string_view text) {
  std::vector<RateSection> sections;
  text = trimmed(text);
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(';'), text.size());
    const std::string_view part = trimmed(text.substr(0, end));
    const std::size_t colon = part.find(':');
    if (colon == std::string_view::npos) return wrong_value(part, "a section such as 30:0.05");
    if (sections.size() == rate_sections_max)
      return Error{ErrorCode::limit,
                   "more than " + std::to_string(rate_sections_max) + " sections were given"};
    RateSection section;
    if (auto stored = store(read_seconds(trimmed(part.substr(0, colon))), section.seconds); !stored)
      return std::move(stored).error();
    if (auto stored = store(Amount::parse(trimmed(part.substr(colon + 1))), section.price); !stored)
      return std::move(stored).error();
    sections.push_back(section);
    text = end < text.size() ? text.substr(end + 1) : std::string_view{};
  }
  return sections;
}

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
  std::unordered_map<std::string, std::size_t> row_of;  // prefix and valid_from_us
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
    Rate rate;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (cells[i].empty() && (*columns)[i] != Column::price) continue;
      if (auto stored = set_field(rate, (*columns)[i], cells[i]); !stored) {
        std::string message =
            "column " + quoted(column_names[static_cast<unsigned>((*columns)[i])]) + ": ";
        return at_row(name, row, {stored.error().code, message + stored.error().message});
      }
    }
    if (auto checked = check_rate(rate); !checked) return at_row(name, row, checked.error());
    std::string key = rate.prefix;
    if (rate.valid_from_us != 0) key.append("@").append(std::to_string(rate.valid_from_us));
    if (const auto [place, is_new] = row_of.emplace(std::move(key), row); !is_new) {
      return at_row(
          name, row,
          {ErrorCode::already_exists, "column \"prefix\": " + quoted(rate.prefix) + " was in row " +
                                          std::to_string(place->second) + " before"});
    }
    rates.push_back(std::move(rate));
  }
  return rates;
}

std::string to_csv(const RateDeck& deck) {
  std::string text;
  for (const std::string_view name : column_names) {
    if (!text.empty()) text += ',';
    text += name;
  }
  text += '\n';
  for (std::size_t i = 0; i < deck.size(); ++i) {
    append_row(text, deck.at(i));
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
