#include "call/recording_name.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace tandem::call {

namespace {

constexpr std::array<std::string_view, 7> words{"date",   "time",     "id",    "caller",
                                                "callee", "customer", "vendor"};

constexpr bool is_letter_or_digit(char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

std::string harmless(std::string_view text) {
  constexpr std::size_t bytes_max = 64;
  std::string kept(text.substr(0, bytes_max));
  for (char& c : kept) {
    if (!is_letter_or_digit(c) && c != '+' && c != '-' && c != '_' && c != '.') c = '_';
  }
  if (!kept.empty() && kept.front() == '.') kept.front() = '_';
  return kept.empty() ? "_" : kept;
}

/// "20261126" and "184605" of a time in UTC.
std::array<std::string, 2> date_and_time(std::int64_t at_us) {
  constexpr std::int64_t day_s = 86'400;
  const std::int64_t at_s = at_us / 1'000'000;
  const std::int64_t of_day_s = at_s % day_s;
  // The civil calendar of days since 1970, counted from the first of March of year 0.
  const std::int64_t days = at_s / day_s + 719'468;
  const std::int64_t era = days / 146'097;
  const std::int64_t of_era = days % 146'097;
  const std::int64_t year_of_era =
      (of_era - of_era / 1'460 + of_era / 36'524 - of_era / 146'096) / 365;
  const std::int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t shifted_month = (5 * of_year + 2) / 153;
  const std::int64_t day = of_year - (153 * shifted_month + 2) / 5 + 1;
  const std::int64_t month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
  const std::int64_t year = 400 * era + year_of_era + (month <= 2 ? 1 : 0);
  std::array<char, 96> text{};
  (void)std::snprintf(text.data(), text.size(), "%04d%02d%02d", static_cast<int>(year),
                      static_cast<int>(month), static_cast<int>(day));
  std::array<std::string, 2> both{text.data(), ""};
  (void)std::snprintf(text.data(), text.size(), "%02d%02d%02d", static_cast<int>(of_day_s / 3600),
                      static_cast<int>(of_day_s / 60 % 60), static_cast<int>(of_day_s % 60));
  both[1] = text.data();
  return both;
}

}  // namespace

Result<void> check_recording_pattern(std::string_view pattern) {
  const auto refused = [&](const std::string& why) {
    return Error{ErrorCode::invalid_argument,
                 "recording name \"" + std::string(pattern) + "\" " + why};
  };
  constexpr std::size_t pattern_bytes_max = 200;
  if (pattern.empty() || pattern.size() > pattern_bytes_max)
    return refused("was not of 1..200 bytes");
  bool is_at_start = true;
  for (std::size_t at = 0; at < pattern.size();) {
    const char c = pattern[at];
    if (c == '{') {
      const std::size_t end = pattern.find('}', at);
      const std::string_view word =
          pattern.substr(at + 1, end == std::string_view::npos ? 0 : end - at - 1);
      if (std::find(words.begin(), words.end(), word) == words.end())
        return refused("has an unknown word in braces at offset " + std::to_string(at));
      at = end + 1;
      is_at_start = false;
      continue;
    }
    if (c == '/' ? is_at_start
                 : !is_letter_or_digit(c) && c != '-' && c != '_' && c != '+' && c != '.')
      return refused("has a byte at offset " + std::to_string(at) +
                     " that is none of letters, digits, + - _ . and single /");
    if (c == '.' && is_at_start) return refused("has a part that begins with a dot");
    is_at_start = c == '/';
    ++at;
  }
  if (is_at_start) return refused("ends with /");
  return {};
}

std::string recording_name(std::string_view pattern, const RecordingFacts& facts) {
  const std::array<std::string, 2> when = date_and_time(facts.at_us);
  std::string name;
  for (std::size_t at = 0; at < pattern.size();) {
    if (pattern[at] != '{') {
      name += pattern[at++];
      continue;
    }
    const std::size_t end = pattern.find('}', at);
    const std::string_view word = pattern.substr(at + 1, end - at - 1);
    if (word == "date") name += when[0];
    if (word == "time") name += when[1];
    if (word == "id") name += std::to_string(facts.id);
    if (word == "caller") name += harmless(facts.caller);
    if (word == "callee") name += harmless(facts.callee);
    if (word == "customer") name += harmless(facts.customer);
    if (word == "vendor") name += harmless(facts.vendor);
    at = end + 1;
  }
  constexpr std::size_t name_bytes_max = 200;  // of a recorder
  if (name.size() > name_bytes_max) name.resize(name_bytes_max);
  while (!name.empty() && name.back() == '/')
    name.pop_back();
  return name;
}

}  // namespace tandem::call
