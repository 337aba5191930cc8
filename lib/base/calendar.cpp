#include "base/calendar.hpp"

#include <algorithm>
#include <cstdio>

#include "base/text.hpp"

namespace tandem {

namespace {

constexpr std::array<std::string_view, 7> weekday_names = {"sun", "mon", "tue", "wed",
                                                           "thu", "fri", "sat"};
constexpr std::array<std::string_view, 3> class_names = {"work", "rest", "holiday"};
constexpr std::int32_t day_s = 86400;

template <std::size_t Size>
std::optional<std::size_t> index_of(const std::array<std::string_view, Size>& names,
                                    std::string_view name) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return std::nullopt;
  return static_cast<std::size_t>(found - names.begin());
}

Result<void> add_word(DaySet& set, std::string_view word) {
  if (word == "any") {
    set.weekdays = DaySet::every().weekdays;
    return {};
  }
  if (const auto kind = index_of(class_names, word)) {
    set.classes |= static_cast<std::uint8_t>(1u << *kind);
    return {};
  }
  const auto dash = word.find('-');
  const auto first = index_of(weekday_names, word.substr(0, dash));
  const auto last =
      dash == std::string_view::npos ? first : index_of(weekday_names, word.substr(dash + 1));
  if (!first || !last) {
    return Error{
        ErrorCode::invalid_argument,
        "\"" + std::string(word) + "\" is no day: mon..sun, a range, work, rest, holiday or any"};
  }
  for (std::size_t day = *first;; day = (day + 1) % 7) {
    set.weekdays |= static_cast<std::uint8_t>(1u << day);
    if (day == *last) break;
  }
  return {};
}

}  // namespace

Result<DaySet> DaySet::parse(const std::vector<std::string>& words) {
  DaySet set;
  for (const std::string& word : words) {
    if (auto added = add_word(set, word); !added) return added.error();
  }
  if (set == DaySet{}) return Error{ErrorCode::invalid_argument, "no day was named"};
  return set;
}

Result<DaySet> DaySet::from_text(std::string_view text) {
  std::vector<std::string> words;
  for (;;) {
    const std::size_t comma = text.find(',');
    words.emplace_back(text.substr(0, comma));
    if (comma == std::string_view::npos) return parse(words);
    text.remove_prefix(comma + 1);
  }
}

std::string DaySet::to_string() const {
  std::string text;
  const auto add = [&text](std::string_view word) {
    if (!text.empty()) text += ',';
    text += word;
  };
  if (weekdays == every().weekdays) {
    add("any");
  } else {
    // From Monday on, so that the weekend is one range.
    for (std::size_t i = 0; i < 7; ++i) {
      const auto is_named = [this](std::size_t place) {
        return place < 7 && (weekdays >> ((place + 1) % 7) & 1) != 0;
      };
      if (!is_named(i)) continue;
      const std::size_t first = i;
      while (is_named(i + 1))
        ++i;
      add(weekday_names[(first + 1) % 7]);
      if (i != first) text.append(i == first + 1 ? "," : "-").append(weekday_names[(i + 1) % 7]);
    }
  }
  for (std::size_t kind = 0; kind < class_names.size(); ++kind) {
    if ((classes >> kind & 1) != 0) add(class_names[kind]);
  }
  return text;
}

std::optional<std::int64_t> day_of_hours(std::int32_t from_s, std::int32_t to_s,
                                         const LocalTime& now) noexcept {
  if (from_s < to_s) {
    if (now.second < from_s || now.second >= to_s) return std::nullopt;
    return now.day;
  }
  if (now.second >= from_s) return now.day;
  if (now.second < to_s) return now.day - 1;
  return std::nullopt;
}

Result<std::int32_t> parse_time_of_day(std::string_view text) {
  const bool has_seconds = text.size() == 8 && text[5] == ':';
  std::optional<std::int32_t> hours, minutes, seconds = 0;
  if ((text.size() == 5 || has_seconds) && text[2] == ':') {
    hours = parse_integer<std::uint8_t>(text.substr(0, 2));
    minutes = parse_integer<std::uint8_t>(text.substr(3, 2));
    if (has_seconds) seconds = parse_integer<std::uint8_t>(text.substr(6, 2));
  }
  if (!hours || !minutes || !seconds || *minutes >= 60 || *seconds >= 60 ||
      *hours * 3600 + *minutes * 60 + *seconds > day_s) {
    return Error{ErrorCode::invalid_argument,
                 "\"" + std::string(text) + "\" is no time of day such as \"18:00\""};
  }
  return *hours * 3600 + *minutes * 60 + *seconds;
}

std::string format_time_of_day(std::int32_t seconds) {
  char text[16];
  std::snprintf(text, sizeof text, seconds % 60 != 0 ? "%02d:%02d:%02d" : "%02d:%02d",
                seconds / 3600, seconds / 60 % 60, seconds % 60);
  return text;
}

std::string_view day_class_name(DayClass kind) noexcept {
  return class_names[static_cast<std::size_t>(kind)];
}

std::optional<DayClass> day_class_from_name(std::string_view name) noexcept {
  const auto index = index_of(class_names, name);
  if (!index) return std::nullopt;
  return static_cast<DayClass>(*index);
}

}  // namespace tandem
