#include "rating/rate_columns.hpp"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "base/calendar.hpp"
#include "base/csv.hpp"
#include "base/text.hpp"

namespace tandem {
namespace rating {
namespace {

Error wrong_value(std::string_view text, std::string_view wanted) {
  return {ErrorCode::invalid_argument, quoted(text).append(" was not ").append(wanted)};
}

template <class Int>
Result<Int> read_seconds(std::string_view text) {
  const auto value = parse_integer<std::int64_t>(text);
  if (!value) return wrong_value(text, "a number of seconds");
  // What does not fit is out of every range too; check_rate() says so of the nearest value.
  return static_cast<Int>(std::clamp<std::int64_t>(*value, std::numeric_limits<Int>::min(),
                                                   std::numeric_limits<Int>::max()));
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

// Puts a parsed text where it belongs, or says why it could not be parsed.
template <class T, class Target>
Result<void> store(Result<T> parsed, Target& target) {
  if (!parsed) return std::move(parsed).error();
  target = std::move(*parsed);
  return {};
}

std::string time_cell(std::int64_t time_us) { return time_us == 0 ? "" : format_time_us(time_us); }

std::string number_cell(std::int64_t value) { return value == 0 ? "" : std::to_string(value); }

/// Gives the parts between separators to `take`, without spaces around them, until it fails.
/// Nothing between separators at the end is no part.
template <class Take>
Result<void> each_part(std::string_view text, std::string_view separators, std::size_t parts_max,
                       std::string_view what, Take&& take) {
  text = trimmed(text);
  for (std::size_t count = 0; !text.empty(); ++count) {
    if (count == parts_max) {
      return Error{ErrorCode::limit, "more than " + std::to_string(parts_max) + ' ' +
                                         std::string(what) + " were given"};
    }
    const std::size_t end = std::min(text.find_first_of(separators), text.size());
    if (auto taken = take(trimmed(text.substr(0, end))); !taken) return taken;
    text = end < text.size() ? trimmed(text.substr(end + 1)) : std::string_view{};
  }
  return {};
}

/// Takes the text before `separator` off.
std::string_view take_field(std::string_view& text, char separator) {
  const std::size_t end = std::min(text.find(separator), text.size());
  const std::string_view field = text.substr(0, end);
  text.remove_prefix(end == text.size() ? end : end + 1);
  return field;
}

Result<RateSection> read_section(std::string_view part) {
  const std::size_t colon = part.find(':');
  if (colon == std::string_view::npos) return wrong_value(part, "a section such as 30:0.05");
  RateSection section;
  if (auto read =
          store(read_seconds<std::int64_t>(trimmed(part.substr(0, colon))), section.seconds);
      !read) {
    return std::move(read).error();
  }
  if (auto read = store(Amount::parse(trimmed(part.substr(colon + 1))), section.price); !read)
    return std::move(read).error();
  return section;
}

Result<RateTier> read_tier(std::string_view part) {
  const std::size_t colon = part.find(':');
  if (colon == std::string_view::npos) return wrong_value(part, "a tier such as 60:0.50/60/10");
  RateTier tier;
  std::string_view rest = part.substr(colon + 1);
  if (auto read = store(read_seconds<std::int64_t>(trimmed(part.substr(0, colon))), tier.from_s);
      !read) {
    return std::move(read).error();
  }
  if (auto read = store(Amount::parse(trimmed(take_field(rest, '/'))), tier.price); !read)
    return std::move(read).error();
  for (std::int32_t* field : {&tier.per_s, &tier.next_s}) {
    if (rest.empty()) break;
    const std::string_view text = trimmed(take_field(rest, '/'));
    if (auto read = store(read_seconds<std::int32_t>(text), *field); !read)
      return std::move(read).error();
  }
  if (!rest.empty()) return wrong_value(part, "a tier such as 60:0.50/60/10");
  return tier;
}

Result<void> set_window_word(RateWindow& window, std::string_view name, std::string_view value) {
  if (name == "price") return store(Amount::parse(value), window.price);
  if (name == "connection_fee") return store(Amount::parse(value), window.connection_fee);
  if (name == "per_s") return store(read_seconds<std::int32_t>(value), window.per_s);
  if (name == "first_s") return store(read_seconds<std::int32_t>(value), window.first_s);
  if (name == "next_s") return store(read_seconds<std::int32_t>(value), window.next_s);
  if (name == "tiers") return store(parse_tiers(value), window.tiers);
  return wrong_value(name, "price, per_s, first_s, next_s, connection_fee or tiers of a window");
}

Result<RateWindow> read_window(std::string_view part) {
  RateWindow window;
  bool has_hours = false;
  std::string_view rest = part;
  if (auto days = store(DaySet::from_text(take_field(rest, ' ')), window.days); !days)
    return std::move(days).error();
  while (!(rest = trimmed(rest)).empty()) {
    const std::string_view word = take_field(rest, ' ');
    if (const std::size_t equals = word.find('='); equals != std::string_view::npos) {
      if (auto set = set_window_word(window, word.substr(0, equals), word.substr(equals + 1)); !set)
        return std::move(set).error();
      continue;
    }
    std::string_view hours = word;
    if (std::exchange(has_hours, true)) return wrong_value(word, "a word such as price=0.30");
    if (auto from = store(parse_time_of_day(take_field(hours, '-')), window.from_s); !from)
      return std::move(from).error();
    if (auto to = store(parse_time_of_day(hours), window.to_s); !to) return std::move(to).error();
  }
  return window;
}

std::string tiers_text(const std::vector<RateTier>& tiers, char separator) {
  std::string text;
  for (const RateTier& tier : tiers) {
    if (!text.empty()) text += separator;
    text.append(std::to_string(tier.from_s)).append(":").append(tier.price.to_string());
    if (tier.per_s != 0 || tier.next_s != 0) text.append("/").append(std::to_string(tier.per_s));
    if (tier.next_s != 0) text.append("/").append(std::to_string(tier.next_s));
  }
  return text;
}

void append_window(std::string& text, const RateWindow& window) {
  const auto add = [&text](const char* name, const std::string& value) {
    text.append(" ").append(name).append("=").append(value);
  };
  text += window.days.to_string();
  if (window.from_s != 0 || window.to_s != 86400) {
    text.append(" ").append(format_time_of_day(window.from_s));
    text.append("-").append(format_time_of_day(window.to_s));
  }
  if (window.price) add("price", window.price->to_string());
  if (window.per_s != 0) add("per_s", std::to_string(window.per_s));
  if (window.first_s != 0) add("first_s", std::to_string(window.first_s));
  if (window.next_s != 0) add("next_s", std::to_string(window.next_s));
  if (window.connection_fee) add("connection_fee", window.connection_fee->to_string());
  if (!window.tiers.empty()) add("tiers", tiers_text(window.tiers, ','));
}

}  // namespace

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text.substr(0, 40))
    out += c >= ' ' && c < 127 ? c : '?';
  if (text.size() > 40) out += "...";
  return out += '"';
}

std::optional<Column> column_from_name(std::string_view name) noexcept {
  const auto known = std::find(column_names.begin(), column_names.end(), name);
  if (known == column_names.end()) return std::nullopt;
  return static_cast<Column>(known - column_names.begin());
}

Result<void> RateDraft::set(Column column, std::string_view text) {
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
      return store(read_seconds<std::int32_t>(text), rate.per_s);
    case Column::first_s:
      return store(read_seconds<std::int32_t>(text), rate.first_s);
    case Column::next_s:
      return store(read_seconds<std::int32_t>(text), rate.next_s);
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
    case Column::tiers:
      return store(parse_tiers(text), terms.tiers);
    case Column::windows:
      return store(parse_windows(text), terms.windows);
    case Column::grace_s:
      return store(read_seconds<std::int64_t>(text), terms.grace_s);
    case Column::free_s:
      return store(read_seconds<std::int64_t>(text), terms.free_s);
    case Column::maximum:
      return store(Amount::parse(text), terms.maximum);
    case Column::tax_percent:
      return store(Amount::parse(text), terms.tax_percent);
  }
  return {};
}

Rate RateDraft::finish() {
  Rate finished = std::exchange(rate, {});
  if (terms != RateTerms{}) finished.terms = std::exchange(terms, {});
  return finished;
}

std::string cell_of(const Rate& rate, Column column) {
  // Named one by one, so that a new member does not compile until it has its column here.
  const auto& [price, connection_fee, minimum, per_s, first_s, next_s, locked, call_level, terms,
               sections, valid_from_us, valid_until_us, prefix, area] = rate;
  const auto& [tiers, windows, grace_s, free_s, maximum, tax_percent] = *terms;
  switch (column) {
    case Column::prefix:
      return prefix;
    case Column::area:
      return area;
    case Column::price:
      return price.to_string();
    case Column::per_s:
      return std::to_string(per_s);
    case Column::first_s:
      return std::to_string(first_s);
    case Column::next_s:
      return std::to_string(next_s);
    case Column::connection_fee:
      return connection_fee.to_string();
    case Column::minimum:
      return minimum.to_string();
    case Column::locked:
      return locked ? "true" : "false";
    case Column::call_level:
      return call_level_name(call_level);
    case Column::valid_from:
      return time_cell(valid_from_us);
    case Column::valid_until:
      return time_cell(valid_until_us);
    case Column::sections:
      return to_text(sections);
    case Column::tiers:
      return to_text(tiers);
    case Column::windows:
      return to_text(windows);
    case Column::grace_s:
      return number_cell(grace_s);
    case Column::free_s:
      return number_cell(free_s);
    case Column::maximum:
      return maximum.is_zero() ? "" : maximum.to_string();
    case Column::tax_percent:
      return tax_percent ? tax_percent->to_string() : "";
  }
  return {};
}

}  // namespace rating

Result<std::vector<RateSection>> parse_sections(std::string_view text) {
  std::vector<RateSection> sections;
  auto read = rating::each_part(text, ";", rate_sections_max, "sections",
                                [&](std::string_view part) -> Result<void> {
                                  auto section = rating::read_section(part);
                                  if (!section) return std::move(section).error();
                                  sections.push_back(*section);
                                  return {};
                                });
  if (!read) return std::move(read).error();
  return sections;
}

Result<std::vector<RateTier>> parse_tiers(std::string_view text) {
  std::vector<RateTier> tiers;
  auto read = rating::each_part(text, ";,", rate_tiers_max, "tiers",
                                [&](std::string_view part) -> Result<void> {
                                  auto tier = rating::read_tier(part);
                                  if (!tier) return std::move(tier).error();
                                  tiers.push_back(*tier);
                                  return {};
                                });
  if (!read) return std::move(read).error();
  return tiers;
}

Result<std::vector<RateWindow>> parse_windows(std::string_view text) {
  std::vector<RateWindow> windows;
  auto read = rating::each_part(text, ";", rate_windows_max, "windows",
                                [&](std::string_view part) -> Result<void> {
                                  auto window = rating::read_window(part);
                                  if (!window) return std::move(window).error();
                                  windows.push_back(std::move(*window));
                                  return {};
                                });
  if (!read) return std::move(read).error();
  return windows;
}

std::string to_text(const std::vector<RateSection>& sections) {
  std::string text;
  for (const RateSection& section : sections) {
    if (!text.empty()) text += ';';
    text += std::to_string(section.seconds) + ':' + section.price.to_string();
  }
  return text;
}

std::string to_text(const std::vector<RateTier>& tiers) { return rating::tiers_text(tiers, ';'); }

std::string to_text(const std::vector<RateWindow>& windows) {
  std::string text;
  for (const RateWindow& window : windows) {
    if (!text.empty()) text += ';';
    rating::append_window(text, window);
  }
  return text;
}

}  // namespace tandem
