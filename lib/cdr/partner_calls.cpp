#include <algorithm>
#include <array>
#include <utility>

#include "base/csv.hpp"
#include "base/text.hpp"
#include "base/text_table.hpp"
#include "base/time_zone.hpp"
#include "tandem/clock.hpp"
#include "tandem/reconciliation.hpp"

namespace tandem {
namespace {

constexpr std::int64_t us_per_s = 1'000'000;
constexpr std::int64_t day_s = 86'400;
constexpr std::int64_t seconds_max = 1'000'000'000;

/// One line, whatever a list has in its cells.
Error refused(const std::string& message) {
  return {ErrorCode::invalid_argument, printable_text(message)};
}

/// Digits since 1970: seconds, milliseconds or microseconds, as many as they are.
std::optional<std::int64_t> epoch_us(std::string_view text) {
  const auto number = parse_integer<std::int64_t>(text);
  if (!number || *number < 0) return std::nullopt;
  constexpr std::int64_t seconds_bound = 100'000'000'000;  // year 5138
  constexpr std::int64_t ms_bound = seconds_bound * 1'000;
  if (*number < seconds_bound) return *number * us_per_s;
  if (*number < ms_bound) return *number * 1'000;
  return *number;
}

/// "YYYY-MM-DD hh:mm:ss" in `zone`.
std::optional<std::int64_t> local_us(std::string_view text, const TimeZone& zone) {
  constexpr std::size_t length = 19;
  if (text.size() != length || (text[10] != ' ' && text[10] != 'T')) return std::nullopt;
  std::string utc(text);
  utc[10] = 'T';
  const auto as_utc = parse_time_us(utc + "Z");
  if (!as_utc) return std::nullopt;
  const std::int64_t local_s = *as_utc / us_per_s;
  // The offset that holds at the moment itself; where the clocks go back the earlier of two.
  for (const std::int64_t around_s : {local_s - day_s, local_s + day_s}) {
    const std::int64_t time_s = local_s - zone.offset_s(around_s);
    if (time_s + zone.offset_s(time_s) == local_s) return time_s * us_per_s;
  }
  return (local_s - zone.offset_s(local_s)) * us_per_s;  // an hour that does not exist
}

Result<std::int64_t> read_time(std::string_view text, const TimeZone& zone) {
  if (const auto us = epoch_us(text)) return *us;
  if (const auto us = local_us(text, zone)) return *us;
  if (auto us = parse_time_us(text)) return us;
  return refused("\"" + std::string(text.substr(0, 40)) + "\" was no time");
}

/// Whole seconds; a fraction counts as one.
Result<std::int64_t> read_seconds(std::string_view text) {
  const auto amount = Amount::parse(text);
  if (!amount || amount->is_negative() || amount->units() / Amount::scale > seconds_max)
    return refused("\"" + std::string(text.substr(0, 40)) + "\" was no number of seconds");
  return (amount->units() + Amount::scale - 1) / Amount::scale;
}

/// Where a column is; nothing: it is not wanted.
Result<std::optional<std::size_t>> find_column(const std::vector<std::string>& header,
                                               const std::string& name) {
  if (name.empty()) return std::optional<std::size_t>();
  for (std::size_t i = 0; i < header.size(); ++i) {
    if (equals_ignoring_case(trimmed(header[i]), name)) return std::optional<std::size_t>(i);
  }
  return refused("line 1 has no column \"" + name + "\"");
}

/// Numbers without a leading '+' and blanks, as switches pass them on.
std::string number_of(std::string_view cell) {
  cell = trimmed(cell);
  if (cell.starts_with('+')) cell.remove_prefix(1);
  return std::string(cell);
}

}  // namespace

Result<PartnerLayout> parse_partner_layout(std::string_view text) {
  PartnerLayout layout;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(','));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    const std::size_t equals = word.find('=');
    const std::string_view name = trimmed(word.substr(0, equals));
    const std::array<std::pair<std::string_view, std::string*>, 6> known = {
        {{"caller", &layout.caller},
         {"callee", &layout.callee},
         {"answered_at", &layout.answered_at},
         {"billed_time_s", &layout.billed_time_s},
         {"charge", &layout.charge},
         {"timezone", &layout.timezone}}};
    const auto found = std::find_if(known.begin(), known.end(),
                                    [&](const auto& each) { return each.first == name; });
    if (equals == std::string_view::npos || found == known.end())
      return refused("\"" + std::string(word.substr(0, 64)) +
                     "\" is none of caller=, callee=, answered_at=, billed_time_s=, charge=, "
                     "timezone=");
    *found->second = trimmed(word.substr(equals + 1));
  }
  if (layout.callee.empty() || layout.answered_at.empty() || layout.billed_time_s.empty())
    return refused("callee, answered_at and billed_time_s need a column");
  return layout;
}

Result<std::vector<InterconnectCall>> read_partner_calls(std::string_view csv,
                                                         const PartnerLayout& layout) {
  auto zone = TimeZone::load(layout.timezone.empty() ? "UTC" : layout.timezone);
  if (!zone) return Error{zone.error().code, printable_text(zone.error().message)};
  const bool has_tabs = csv.substr(0, csv.find('\n')).find('\t') != std::string_view::npos;
  CsvReader reader = has_tabs ? CsvReader(csv, '\t') : CsvReader(csv);
  std::vector<std::string> cells;
  std::uint64_t line = 1;  // rows, when a cell has no line end in it
  const auto wrong = [&](const std::string& what) {
    return refused("line " + std::to_string(line) + ": " + what);
  };
  auto row = reader.next_row(cells);
  if (!row) return wrong(row.error().message);
  if (!*row) return refused("file was empty");
  const std::vector<std::string> header = cells;
  std::array<std::optional<std::size_t>, 5> columns;
  const std::array<const std::string*, 5> names = {
      &layout.caller, &layout.callee, &layout.answered_at, &layout.billed_time_s, &layout.charge};
  for (std::size_t i = 0; i < names.size(); ++i) {
    auto column = find_column(header, *names[i]);
    if (!column) return std::move(column).error();
    columns[i] = *column;
  }
  std::vector<InterconnectCall> calls;
  for (;;) {
    ++line;
    row = reader.next_row(cells);
    if (!row) return wrong(row.error().message);
    if (!*row) return calls;
    if (cells.size() == 1 && trimmed(cells[0]).empty()) continue;
    if (calls.size() >= interconnect_calls_max)
      return Error{ErrorCode::limit,
                   "file had more than " + std::to_string(interconnect_calls_max) + " calls"};
    for (const auto& column : columns) {
      if (column && *column >= cells.size())
        return wrong("row has " + std::to_string(cells.size()) + " cells, not " +
                     std::to_string(header.size()));
    }
    InterconnectCall call;
    call.record_id = line;
    if (columns[0]) call.caller = number_of(cells[*columns[0]]);
    call.callee = number_of(cells[*columns[1]]);
    const auto answered = read_time(trimmed(cells[*columns[2]]), *zone);
    if (!answered) return wrong(answered.error().message);
    call.answered_at_us = *answered;
    const auto seconds = read_seconds(trimmed(cells[*columns[3]]));
    if (!seconds) return wrong(seconds.error().message);
    call.billed_time_s = *seconds;
    if (columns[4]) {
      const auto charge = Amount::parse(trimmed(cells[*columns[4]]));
      if (!charge) return wrong(charge.error().message);
      call.charge = *charge;
    }
    calls.push_back(std::move(call));
  }
}

}  // namespace tandem
