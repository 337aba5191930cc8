// Price lists of partners: which column is what, and cells as people write them.
#include "tandem/deck_import.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/csv.hpp"
#include "base/text.hpp"
#include "base/time_zone.hpp"
#include "rating/rate_columns.hpp"

namespace tandem {
namespace {

using rating::Column;
using rating::quoted;

constexpr std::size_t header_rows_max = 50;
constexpr std::size_t codes_per_row_max = 100'000;
constexpr std::int64_t us_per_s = 1'000'000;

/// What a column of a list is for: a column of ours, or one of these.
enum class Extra : std::uint8_t { codes, country_code, interval, status, currency };
constexpr std::array<std::string_view, 5> extra_names = {"codes", "country_code", "interval",
                                                         "status", "currency"};
struct Target {
  bool is_extra = false;
  Column column = Column::prefix;
  Extra extra = Extra::codes;
  bool operator==(const Target&) const = default;
};

constexpr Target of(Column column) { return {false, column, Extra::codes}; }
constexpr Target of(Extra extra) { return {true, Column::prefix, extra}; }

std::string_view name_of(const Target& target) noexcept {
  return target.is_extra ? extra_names[static_cast<std::size_t>(target.extra)]
                         : rating::name_of(target.column);
}

std::optional<Target> target_from_name(std::string_view name) noexcept {
  const auto extra = std::find(extra_names.begin(), extra_names.end(), name);
  if (extra != extra_names.end()) return of(static_cast<Extra>(extra - extra_names.begin()));
  if (const auto column = rating::column_from_name(name)) return of(*column);
  return std::nullopt;
}

/// Lower case letters and digits alone: "Rate / Min (USD)" is "rateminusd".
std::string plain(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const char lower = to_lower(c);
    if ((lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9')) out += lower;
  }
  return out;
}

struct Alias {
  std::string_view name;  // plain()
  Target target;
};
// Where two columns of a list would be the same target, the one that stands first here is it.
constexpr Alias aliases[] = {
    {"prefix", of(Extra::codes)},
    {"prefixes", of(Extra::codes)},
    {"dialcode", of(Extra::codes)},
    {"dialcodes", of(Extra::codes)},
    {"dialingcode", of(Extra::codes)},
    {"dialprefix", of(Extra::codes)},
    {"destinationcode", of(Extra::codes)},
    {"destcode", of(Extra::codes)},
    {"fullcode", of(Extra::codes)},
    {"code", of(Extra::codes)},
    {"codes", of(Extra::codes)},
    {"areacode", of(Extra::codes)},
    {"areacodes", of(Extra::codes)},
    {"citycode", of(Extra::codes)},
    {"breakout", of(Extra::codes)},
    {"breakouts", of(Extra::codes)},
    {"npa", of(Extra::codes)},
    {"npanxx", of(Extra::codes)},
    {"countrycode", of(Extra::country_code)},
    {"cc", of(Extra::country_code)},
    {"destination", of(Column::area)},
    {"destinationname", of(Column::area)},
    {"area", of(Column::area)},
    {"areaname", of(Column::area)},
    {"codename", of(Column::area)},
    {"zone", of(Column::area)},
    {"location", of(Column::area)},
    {"route", of(Column::area)},
    {"name", of(Column::area)},
    {"description", of(Column::area)},
    {"country", of(Column::area)},
    {"newrate", of(Column::price)},
    {"newprice", of(Column::price)},
    {"rate", of(Column::price)},
    {"ratemin", of(Column::price)},
    {"rateperminute", of(Column::price)},
    {"ratepermin", of(Column::price)},
    {"price", of(Column::price)},
    {"pricemin", of(Column::price)},
    {"pricepermin", of(Column::price)},
    {"priceperminute", of(Column::price)},
    {"minuterate", of(Column::price)},
    {"cost", of(Column::price)},
    {"tariff", of(Column::price)},
    {"interval", of(Extra::interval)},
    {"intervals", of(Extra::interval)},
    {"billinginterval", of(Extra::interval)},
    {"billingincrement", of(Extra::interval)},
    {"billingincrements", of(Extra::interval)},
    {"billingcycle", of(Extra::interval)},
    {"billing", of(Extra::interval)},
    {"increment", of(Extra::interval)},
    {"increments", of(Extra::interval)},
    {"rounding", of(Extra::interval)},
    {"roundingrule", of(Extra::interval)},
    {"mininc", of(Extra::interval)},
    {"firstinterval", of(Column::first_s)},
    {"interval1", of(Column::first_s)},
    {"initialinterval", of(Column::first_s)},
    {"initialincrement", of(Column::first_s)},
    {"minimumduration", of(Column::first_s)},
    {"minduration", of(Column::first_s)},
    {"minimumtime", of(Column::first_s)},
    {"nextinterval", of(Column::next_s)},
    {"intervaln", of(Column::next_s)},
    {"interval2", of(Column::next_s)},
    {"subsequentinterval", of(Column::next_s)},
    {"subsequentincrement", of(Column::next_s)},
    {"connectfee", of(Column::connection_fee)},
    {"connectionfee", of(Column::connection_fee)},
    {"connectioncharge", of(Column::connection_fee)},
    {"setupfee", of(Column::connection_fee)},
    {"callsetupfee", of(Column::connection_fee)},
    {"surcharge", of(Column::connection_fee)},
    {"minimumcharge", of(Column::minimum)},
    {"graceperiod", of(Column::grace_s)},
    {"freeseconds", of(Column::free_s)},
    {"tax", of(Column::tax_percent)},
    {"vat", of(Column::tax_percent)},
    {"effectivedate", of(Column::valid_from)},
    {"effective", of(Column::valid_from)},
    {"effectivefrom", of(Column::valid_from)},
    {"validfrom", of(Column::valid_from)},
    {"startdate", of(Column::valid_from)},
    {"activationdate", of(Column::valid_from)},
    {"from", of(Column::valid_from)},
    {"date", of(Column::valid_from)},
    {"enddate", of(Column::valid_until)},
    {"expirydate", of(Column::valid_until)},
    {"expirationdate", of(Column::valid_until)},
    {"validto", of(Column::valid_until)},
    {"validuntil", of(Column::valid_until)},
    {"effectivetill", of(Column::valid_until)},
    {"to", of(Column::valid_until)},
    {"currency", of(Extra::currency)},
    {"curr", of(Extra::currency)},
    {"status", of(Extra::status)},
    {"blocked", of(Extra::status)},
    {"block", of(Extra::status)},
    {"blockedstatus", of(Extra::status)},
    {"locked", of(Extra::status)},
    {"state", of(Extra::status)},
};

/// "rate usd", "price in eur", "rate min usd": what is behind the name is a currency or a unit.
std::string_view without_unit(std::string_view name) noexcept {
  for (const std::string_view unit : {"usd", "eur", "gbp", "inusd", "ineur", "ingbp", "us", "s",
                                      "sec", "secs", "seconds", "utc", "gmt"}) {
    if (name.size() > unit.size() + 2 && name.ends_with(unit))
      return name.substr(0, name.size() - unit.size());
  }
  return name;
}

/// Place among the aliases; nothing for a name that means nothing here.
std::optional<std::size_t> alias_of(std::string_view header) {
  const std::string full = plain(header);
  for (std::string_view name :
       {std::string_view(full), without_unit(full), without_unit(without_unit(full))}) {
    for (std::size_t i = 0; i < std::size(aliases); ++i) {
      if (aliases[i].name == name) return i;
    }
  }
  return std::nullopt;
}

Error wrong_value(std::string_view text, std::string_view wanted) {
  return {ErrorCode::invalid_argument, quoted(text).append(" was not ").append(wanted)};
}

bool is_digits(std::string_view text) noexcept {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// --- cells ---

/// "0.0123", "$ 0.0123", "0,0123 EUR", "1,234.50".
Result<Amount> read_price(std::string_view text) {
  std::string number;
  std::size_t dots = 0, commas = 0;
  for (const char c : text) {
    if ((c >= '0' && c <= '9') || c == '-' || c == '.' || c == ',') number += c;
    dots += c == '.';
    commas += c == ',';
    if (to_lower(c) == 'e' && !number.empty() && text.find('+') != std::string_view::npos)
      return wrong_value(text, "a price: a spreadsheet has shortened it");
  }
  if (commas == 1 && dots == 0) {
    std::replace(number.begin(), number.end(), ',', '.');  // decimal comma
  } else {
    number.erase(std::remove(number.begin(), number.end(), ','), number.end());  // of thousands
  }
  auto amount = Amount::parse(number);
  if (!amount) return wrong_value(text, "a price");
  if (amount->is_negative()) return wrong_value(text, "a price of 0 or more");
  return amount;
}

struct Interval {
  std::int64_t first_s = 1, next_s = 1;
};

/// "60/60", "30/6", "1+1", "60-1", "60": the first alone is both. "0/1" is 1/1.
Result<Interval> read_interval(std::string_view text) {
  std::array<std::int64_t, 2> parts{};
  std::size_t count = 0;
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find_first_of("/+-:x"), rest.size());
    const auto part = parse_integer<std::int64_t>(trimmed(rest.substr(0, end)));
    if (!part || *part < 0 || *part > rate_period_max_s || count == parts.size())
      return wrong_value(text, "an interval such as 60/60 or 30/6");
    parts[count++] = *part;
    rest = end < rest.size() ? rest.substr(end + 1) : std::string_view{};
  }
  if (count == 0 || parts[count - 1] == 0)
    return wrong_value(text, "an interval such as 60/60 or 30/6");
  const std::int64_t next_s = parts[count - 1];
  return Interval{parts[0] == 0 ? next_s : parts[0], next_s};
}

/// Whether a row is blocked.
Result<bool> read_status(std::string_view text) {
  const std::string word = plain(text);
  for (const std::string_view yes : {"blocked", "block", "locked", "closed", "close", "suspended",
                                     "disabled", "yes", "y", "true", "1", "b", "deleted", "na"}) {
    if (word == yes) return true;
  }
  for (const std::string_view no : {"open", "opened", "active", "unblocked", "unblock", "enabled",
                                    "no", "n", "false", "0", "current", "new", "increase",
                                    "decrease", "unchanged", "nochange", "same", "ok", "pending"}) {
    if (word == no) return false;
  }
  return wrong_value(text, "a status such as blocked or open");
}

/// Adds the codes of a cell: "1201,1202,1203-1209", with + or 00 in front or not.
Result<void> read_codes(std::string_view text, std::string_view country_code,
                        std::vector<std::string>& codes) {
  const auto digits_of = [](std::string_view code) {
    std::string digits;
    for (const char c : trimmed(code)) {
      if (c == '+' && digits.empty()) continue;
      if (c == '\'' || c == ' ') continue;  // a spreadsheet's mark of a text
      digits += c;
    }
    return digits;
  };
  const std::string country = digits_of(country_code);
  if (!country.empty() && !is_digits(country)) return wrong_value(country_code, "a country code");
  std::string_view rest = text;
  while (!(rest = trimmed(rest)).empty()) {
    const std::size_t end = std::min(rest.find_first_of(",;\n"), rest.size());
    const std::string_view part = rest.substr(0, end);
    rest = end < rest.size() ? rest.substr(end + 1) : std::string_view{};
    if (trimmed(part).empty()) continue;
    const std::size_t dash = part.find('-');
    const std::string first = digits_of(part.substr(0, dash));
    const std::string last =
        dash == std::string_view::npos ? first : digits_of(part.substr(dash + 1));
    if (!is_digits(first) || !is_digits(last) || first.size() + country.size() > 32)
      return wrong_value(part, "a dial code");
    if (first.size() != last.size() || first > last)
      return wrong_value(part, "a range such as 1203-1209, both ends of one length");
    for (std::string code = first;;) {
      if (codes.size() == codes_per_row_max) {
        return Error{ErrorCode::limit,
                     "more than " + std::to_string(codes_per_row_max) + " codes were in one row"};
      }
      codes.push_back(country + code);
      if (code == last) break;
      std::size_t digit = code.size() - 1;
      while (code[digit] == '9')
        code[digit--] = '0';
      ++code[digit];
    }
  }
  if (!codes.empty()) return {};
  if (country.empty()) return wrong_value(text, "a dial code");
  codes.push_back(country);  // all of the country
  return {};
}

// --- dates ---

constexpr std::array<std::string_view, 12> months = {"jan", "feb", "mar", "apr", "may", "jun",
                                                     "jul", "aug", "sep", "oct", "nov", "dec"};

/// A date whose numbers are known, but perhaps not which is the month.
struct LooseDate {
  int year = 0, first = 0, second = 0;  ///< first and second as they stand
  bool is_ordered = false;              ///< first is the day, second the month
  std::int32_t time_s = 0;
};

std::optional<LooseDate> read_loose_date(std::string_view text) {
  LooseDate date;
  // "2026-12-01 13:30[:00]", "01-Dec-26 13:30"
  const std::size_t colon = text.find(':');
  if (colon != std::string_view::npos) {
    const std::size_t space = text.find_last_of(" T", colon);
    if (space == std::string_view::npos) return std::nullopt;
    std::string_view time = trimmed(text.substr(space + 1));
    if (time.ends_with('Z')) time.remove_suffix(1);
    if (time.size() != 5 && time.size() != 8) return std::nullopt;
    const auto part = [time](std::size_t at) {
      return parse_integer<std::int32_t>(time.substr(at, 2)).value_or(-1);
    };
    const std::int32_t hours = part(0), minutes = part(3), seconds = time.size() == 8 ? part(6) : 0;
    if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59 || seconds < 0 || seconds > 59)
      return std::nullopt;
    date.time_s = hours * 3600 + minutes * 60 + seconds;
    text = trimmed(text.substr(0, space));
  }
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t end = std::min(text.find_first_of("-/. ,", i), text.size());
    if (end > i) parts.emplace_back(text.substr(i, end - i));
    i = end + 1;
  }
  if (parts.size() == 1 && parts[0].size() == 8 && is_digits(parts[0]))  // 20261201
    parts = {parts[0].substr(0, 4), parts[0].substr(4, 2), parts[0].substr(6, 2)};
  if (parts.size() != 3) return std::nullopt;
  std::optional<int> month;
  for (std::size_t i = 0; i < 2 && !month; ++i) {
    const std::string word = plain(parts[i]);
    const auto found =
        word.size() < 3 ? months.end() : std::find(months.begin(), months.end(), word.substr(0, 3));
    if (found == months.end()) continue;
    month = static_cast<int>(found - months.begin()) + 1;
    std::rotate(parts.begin() + static_cast<std::ptrdiff_t>(i),
                parts.begin() + static_cast<std::ptrdiff_t>(i) + 1, parts.begin() + 2);
    parts[1] = std::to_string(*month);  // "Dec 1 2026", "1 Dec 2026": day, month, year
    date.is_ordered = true;
  }
  std::array<int, 3> numbers{};
  for (std::size_t i = 0; i < 3; ++i) {
    const auto number = parse_integer<int>(parts[i]);
    if (!number || *number < 0) return std::nullopt;
    numbers[i] = *number;
  }
  if (parts[0].size() == 4) {  // the year first: then the month
    date.year = numbers[0];
    date.first = numbers[2];
    date.second = numbers[1];
    date.is_ordered = true;
  } else {
    date.year = numbers[2] < 100 ? 2000 + numbers[2] : numbers[2];
    date.first = numbers[0];
    date.second = numbers[1];
    if (text.find('.') != std::string_view::npos) date.is_ordered = true;  // 01.12.2026
  }
  return date;
}

class ListReader {
 public:
  ListReader(std::string_view text, const DeckLayout& layout, TimeZone zone)
      : text_(text), layout_(layout), zone_(std::move(zone)) {}

  Result<DeckImport> read() {
    if (auto found = find_header(); !found) return std::move(found).error();
    find_date_order();
    CsvReader csv(text_, delimiter_);
    std::vector<std::string> cells;
    for (std::size_t row = 1;; ++row) {
      auto read = csv.next_row(cells);
      if (!read) {  // what is behind a broken quote cannot be told
        fault(row, "", read.error().message);
        break;
      }
      if (!*read) break;
      if (row <= import_.header_row || is_empty(cells)) continue;
      ++import_.rows;
      if (auto done = read_row(row, cells); !done) return std::move(done).error();
    }
    return std::move(import_);
  }

 private:
  static bool is_empty(const std::vector<std::string>& cells) {
    return std::all_of(cells.begin(), cells.end(),
                       [](const std::string& cell) { return trimmed(cell).empty(); });
  }

  void fault(std::size_t row, std::string_view column, std::string message) {
    if (import_.fault_count++ < DeckImport::faults_max)
      import_.faults.push_back({row, std::string(column), std::move(message)});
  }

  /// Takes a row as the header when it names codes and a price. Errors: a column of the layout is
  /// not in it.
  Result<bool> take_header(const std::vector<std::string>& cells) {
    std::vector<std::optional<Target>> targets(cells.size());
    for (const auto& [name, place] : layout_.columns) {
      const auto target = target_from_name(name);
      if (!target)
        return Error{ErrorCode::invalid_argument, quoted(name) + " was no column of a rate"};
      std::optional<std::size_t> at;
      if (place.starts_with('#')) {
        const auto number = parse_integer<std::size_t>(std::string_view(place).substr(1));
        if (number && *number >= 1 && *number <= cells.size()) at = *number - 1;
      } else {
        for (std::size_t i = 0; i < cells.size() && !at; ++i) {
          if (plain(cells[i]) == plain(place)) at = i;
        }
      }
      if (!at) return false;
      targets[*at] = *target;
    }
    if (layout_.has_header) choose_by_alias(cells, targets);
    const auto has = [&](Target target) {
      return std::find(targets.begin(), targets.end(), target) != targets.end();
    };
    if (!has(of(Column::price)) ||
        !(has(of(Extra::codes)) || has(of(Column::prefix)) || has(of(Extra::country_code)))) {
      return false;
    }
    targets_ = std::move(targets);
    names_ = cells;
    return true;
  }

  void choose_by_alias(const std::vector<std::string>& cells,
                       std::vector<std::optional<Target>>& targets) const {
    std::vector<std::optional<std::size_t>> known(cells.size());
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (targets[i]) continue;
      known[i] = alias_of(cells[i]);
      if (known[i]) continue;
      if (const auto own = target_from_name(cells[i])) targets[i] = *own;
    }
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (!known[i]) continue;
      const Target target = aliases[*known[i]].target;
      bool is_best = std::find(targets.begin(), targets.end(), target) == targets.end();
      for (std::size_t j = 0; j < cells.size(); ++j) {
        if (j == i || !known[j] || aliases[*known[j]].target != target) continue;
        is_best &= *known[i] < *known[j] || (*known[i] == *known[j] && i < j);
      }
      if (is_best) targets[i] = target;
    }
  }

  Result<void> find_header() {
    const std::string_view first = text_.substr(0, 64 << 10);
    std::string_view delimiters = ",;\t|";
    if (layout_.delimiter != 0) delimiters = std::string_view(&layout_.delimiter, 1);
    for (const char delimiter : delimiters) {
      CsvReader csv(first, delimiter);
      std::vector<std::string> cells;
      for (std::size_t row = 1; row <= header_rows_max; ++row) {
        const auto read = csv.next_row(cells);
        if (!read || !*read) break;
        if (is_empty(cells)) continue;
        auto taken = take_header(cells);
        if (!taken) return std::move(taken).error();
        if (*taken) {
          delimiter_ = delimiter;
          if (layout_.has_header) import_.header_row = row;
          note_mapping();
          return {};
        }
        if (!layout_.has_header) break;
      }
    }
    std::string message = "no header line with a column of codes and one of prices was found";
    for (const auto& [name, place] : layout_.columns)
      message.append(", with ").append(name).append(" as ").append(quoted(place));
    return Error{ErrorCode::invalid_argument, std::move(message)};
  }

  void note_mapping() {
    for (std::size_t i = 0; i < names_.size(); ++i) {
      if (!layout_.has_header) names_[i] = "#" + std::to_string(i + 1);
      if (targets_[i]) {
        import_.mapping.emplace_back(names_[i], name_of(*targets_[i]));
      } else if (!names_[i].empty()) {
        import_.ignored.push_back(names_[i]);
      }
    }
  }

  /// Whether 03/04 is in March or in April is what a 13 in another row says.
  void find_date_order() {
    order_ = layout_.date_order;
    if (order_ != DateOrder::unknown) return;
    CsvReader csv(text_, delimiter_);
    std::vector<std::string> cells;
    for (std::size_t row = 1;; ++row) {
      const auto read = csv.next_row(cells);
      if (!read || !*read) return;
      if (row <= import_.header_row) continue;
      for (std::size_t i = 0; i < std::min(cells.size(), targets_.size()); ++i) {
        if (!is_date(targets_[i])) continue;
        const auto date = read_loose_date(trimmed(cells[i]));
        if (!date || date->is_ordered) continue;
        if (date->first > 12) order_ = DateOrder::day_first;
        if (date->second > 12) order_ = DateOrder::month_first;
        if (order_ != DateOrder::unknown) return;
      }
    }
  }

  static bool is_date(const std::optional<Target>& target) {
    return target == of(Column::valid_from) || target == of(Column::valid_until);
  }

  Result<std::int64_t> read_time(std::string_view text) const {
    if (text.find('T') != std::string_view::npos) {
      if (auto exact = parse_time_us(text)) return exact;
    }
    const auto loose = read_loose_date(text);
    if (!loose) return wrong_value(text, "a date");
    int day = loose->first, month = loose->second;
    if (!loose->is_ordered) {
      if (order_ == DateOrder::unknown && day != month)
        return wrong_value(text, "a date of known order: say day_first or month_first");
      if (order_ == DateOrder::month_first) std::swap(day, month);
    }
    std::string iso = std::to_string(loose->year);
    for (const int part : {month, day})
      iso.append(part < 10 ? "-0" : "-").append(std::to_string(part));
    const auto days = parse_day(iso);
    if (!days) return wrong_value(text, "a date");
    const std::int64_t local_s = *days * 86400 + loose->time_s;
    // The offset of the moment itself: asked twice, it is right on both sides of a change.
    std::int64_t time_s = local_s - zone_.offset_s(local_s);
    time_s = local_s - zone_.offset_s(time_s);
    return time_s * us_per_s;
  }

  /// One cell. Errors: what is wrong with it.
  Result<void> read_cell(const Target& target, std::string_view text) {
    if (target.is_extra) {
      switch (target.extra) {
        case Extra::codes:
          codes_ = text;
          return {};
        case Extra::country_code:
          country_code_ = text;
          return {};
        case Extra::interval: {
          const auto interval = read_interval(text);
          if (!interval) return interval.error();
          draft_.rate.first_s = static_cast<std::int32_t>(interval->first_s);
          draft_.rate.next_s = static_cast<std::int32_t>(interval->next_s);
          return {};
        }
        case Extra::status: {
          const auto is_blocked = read_status(text);
          if (!is_blocked) return is_blocked.error();
          draft_.rate.locked = *is_blocked;
          return {};
        }
        case Extra::currency:
          return read_currency(text);
      }
    }
    switch (target.column) {
      case Column::prefix:
        codes_ = text;
        return {};
      case Column::price: {
        auto price = read_price(text);
        if (!price) return std::move(price).error();
        draft_.rate.price = *price;
        has_price_ = true;
        return {};
      }
      case Column::connection_fee: {
        auto price = read_price(text);
        if (!price) return std::move(price).error();
        draft_.rate.connection_fee = *price;
        return {};
      }
      case Column::valid_from:
      case Column::valid_until: {
        auto time = read_time(text);
        if (!time) return std::move(time).error();
        (target.column == Column::valid_from ? draft_.rate.valid_from_us
                                             : draft_.rate.valid_until_us) = *time;
        return {};
      }
      case Column::area:
        return draft_.set(target.column, text.substr(0, 128));
      default:
        return draft_.set(target.column, text);
    }
  }

  Result<void> read_currency(std::string_view text) {
    const std::string& wanted = layout_.currency.empty() ? import_.currency : layout_.currency;
    if (!wanted.empty() && !equals_ignoring_case(text, wanted)) return wrong_value(text, wanted);
    if (import_.currency.empty()) import_.currency = text;
    return {};
  }

  Result<void> read_row(std::size_t row, const std::vector<std::string>& cells) {
    draft_ = {};
    codes_ = country_code_ = {};
    has_price_ = false;
    const std::size_t faults_before = import_.fault_count;
    for (std::size_t i = 0; i < targets_.size(); ++i) {
      if (!targets_[i]) continue;
      const std::string_view text = i < cells.size() ? trimmed(cells[i]) : std::string_view{};
      if (text.empty()) continue;
      if (auto read = read_cell(*targets_[i], text); !read)
        fault(row, names_[i], read.error().message);
    }
    if (!has_price_ && !draft_.rate.locked && import_.fault_count == faults_before)
      fault(row, name_at(of(Column::price)), "no price was given");
    std::vector<std::string> codes;
    if (auto read = read_codes(codes_, country_code_, codes); !read)
      fault(row, name_at(of(Extra::codes)), read.error().message);
    if (import_.fault_count != faults_before) return {};
    const Rate rate = draft_.finish();
    if (auto checked = check_rate(rate); !checked) {
      fault(row, "", checked.error().message);
      return {};
    }
    for (std::string& code : codes)
      if (auto added = add(row, rate, std::move(code)); !added) return added;
    return {};
  }

  std::string_view name_at(Target target) const {
    for (std::size_t i = 0; i < targets_.size(); ++i) {
      if (targets_[i] == target ||
          (target == of(Extra::codes) && targets_[i] == of(Column::prefix)))
        return names_[i];
    }
    return {};
  }

  Result<void> add(std::size_t row, Rate rate, std::string code) {
    if (import_.rates.size() == RateDeck::rates_max)
      return Error{ErrorCode::limit,
                   "list had more than " + std::to_string(RateDeck::rates_max) + " rates"};
    std::string key = code;
    if (rate.valid_from_us != 0) key.append("@").append(std::to_string(rate.valid_from_us));
    if (const auto [place, is_new] = row_of_.emplace(std::move(key), row); !is_new) {
      fault(row, name_at(of(Extra::codes)),
            quoted(code) + " was in row " + std::to_string(place->second) + " before");
      return {};
    }
    rate.prefix = std::move(code);
    import_.rates.push_back(std::move(rate));
    return {};
  }

  const std::string_view text_;
  const DeckLayout& layout_;
  const TimeZone zone_;
  char delimiter_ = ',';
  DateOrder order_ = DateOrder::unknown;
  std::vector<std::optional<Target>> targets_;
  std::vector<std::string> names_;
  DeckImport import_;
  std::unordered_map<std::string, std::size_t> row_of_;  // code and valid_from_us

  // Of the row that is read.
  rating::RateDraft draft_;
  std::string_view codes_, country_code_;
  bool has_price_ = false;
};

}  // namespace

Result<DeckLayout> parse_deck_layout(std::string_view text) {
  DeckLayout layout;
  while (!(text = trimmed(text)).empty()) {
    const std::size_t end = std::min(text.find(';'), text.size());
    const std::string_view word = trimmed(text.substr(0, end));
    text = end < text.size() ? text.substr(end + 1) : std::string_view{};
    if (word.empty()) continue;
    const std::size_t equals = word.find('=');
    if (equals == std::string_view::npos)
      return wrong_value(word, "a word of a layout such as price=Rate");
    const std::string_view name = trimmed(word.substr(0, equals));
    const std::string_view value = trimmed(word.substr(equals + 1));
    if (name == "delimiter") {
      if (value == "tab") {
        layout.delimiter = '\t';
      } else if (value == "semicolon") {  // which stands between the words
        layout.delimiter = ';';
      } else if (value.size() == 1) {
        layout.delimiter = value[0];
      } else {
        return wrong_value(value, "a delimiter: one character, tab or semicolon");
      }
    } else if (name == "header") {
      if (value != "yes" && value != "no") return wrong_value(value, "yes or no");
      layout.has_header = value == "yes";
    } else if (name == "dates") {
      if (value != "day_first" && value != "month_first")
        return wrong_value(value, "day_first or month_first");
      layout.date_order = value == "day_first" ? DateOrder::day_first : DateOrder::month_first;
    } else if (name == "timezone") {
      layout.timezone = value;
    } else if (name == "currency" && !value.starts_with('#')) {
      layout.currency = value;
    } else if (target_from_name(name)) {
      layout.columns.emplace_back(name, value);
    } else {
      return wrong_value(name, "a word of a layout or a column of a rate");
    }
  }
  return layout;
}

Result<DeckImport> import_deck(std::string_view text, const DeckLayout& layout) {
  auto zone = TimeZone::load(layout.timezone);
  if (!zone) return std::move(zone).error();
  return ListReader(text, layout, std::move(*zone)).read();
}

}  // namespace tandem
