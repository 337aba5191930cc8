#include "base/time_zone.hpp"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <optional>
#include <sstream>
#include <vector>

#include "base/text.hpp"

namespace tandem {

namespace {

constexpr std::string_view database = "/usr/share/zoneinfo/";
constexpr std::size_t name_length_max = 64;
constexpr std::size_t file_bytes_max = 1 << 20;
constexpr std::int64_t day_s = 86400;
constexpr std::int64_t second_us = 1'000'000;

Error malformed(const char* what) {
  return Error{ErrorCode::corrupt, std::string("time zone file had ") + what};
}

std::int64_t floor_divide(std::int64_t a, std::int64_t b) noexcept {
  return a / b - (a % b < 0 ? 1 : 0);
}

/// The day on which a rule of a POSIX TZ text changes the clocks.
struct ChangeDay {
  enum class Kind : std::uint8_t { julian, day_of_year, week_of_month };
  Kind kind = Kind::week_of_month;
  int day = 0;  // julian 1..365 without 29 February, day of year 0..365, or weekday 0..6
  int month = 1, week = 1;
  std::int32_t time_s = 7200;  // Local time of the change, may lie days away.

  [[nodiscard]] std::int64_t of_year(int year) const noexcept {
    using namespace std::chrono;
    const sys_days january = std::chrono::year(year) / 1 / 1;
    switch (kind) {
      case Kind::julian: {
        const bool is_after_leap_day = std::chrono::year(year).is_leap() && day >= 60;
        return (january + days(day - 1 + (is_after_leap_day ? 1 : 0))).time_since_epoch().count();
      }
      case Kind::day_of_year:
        return (january + days(day)).time_since_epoch().count();
      case Kind::week_of_month: {
        const auto weekday = std::chrono::weekday(static_cast<unsigned>(day));
        const auto of = std::chrono::year(year) / static_cast<unsigned>(month);
        const sys_days found = week == 5 ? sys_days(of / weekday[last])
                                         : sys_days(of / weekday[static_cast<unsigned>(week)]);
        return found.time_since_epoch().count();
      }
    }
    return 0;
  }
};

/// What holds after the last transition of the file: a POSIX TZ text (RFC 8536 section 3.3).
struct Rule {
  std::int32_t standard_s = 0;  // Seconds east of UTC.
  bool has_summer = false;
  std::int32_t summer_s = 0;
  ChangeDay summer_begins, summer_ends;

  [[nodiscard]] std::int32_t offset_s(std::int64_t time_s) const noexcept {
    if (!has_summer) return standard_s;
    using namespace std::chrono;
    const year_month_day date(sys_days(days(floor_divide(time_s + standard_s, day_s))));
    const int year = static_cast<int>(date.year());
    const std::int64_t begins =
        summer_begins.of_year(year) * day_s + summer_begins.time_s - standard_s;
    const std::int64_t ends = summer_ends.of_year(year) * day_s + summer_ends.time_s - summer_s;
    const bool is_summer =
        begins < ends ? time_s >= begins && time_s < ends : !(time_s >= ends && time_s < begins);
    return is_summer ? summer_s : standard_s;
  }
};

/// Reads a POSIX TZ text from the left.
class RuleReader {
 public:
  explicit RuleReader(std::string_view text) : rest_(text) {}

  std::optional<Rule> rule() {
    Rule rule;
    if (!name()) return std::nullopt;
    const auto standard = clock_time(24);
    if (!standard) return std::nullopt;
    rule.standard_s = -*standard;  // POSIX counts west of UTC.
    if (rest_.empty()) return rule;
    if (!name()) return std::nullopt;
    rule.has_summer = true;
    rule.summer_s = rule.standard_s + 3600;
    if (!rest_.starts_with(',')) {
      const auto summer = clock_time(24);
      if (!summer) return std::nullopt;
      rule.summer_s = -*summer;
    }
    if (!change(rule.summer_begins) || !change(rule.summer_ends) || !rest_.empty())
      return std::nullopt;
    return rule;
  }

 private:
  bool take(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool name() {
    if (take('<')) {
      const auto end = rest_.find('>');
      if (end == std::string_view::npos) return false;
      rest_.remove_prefix(end + 1);
      return true;
    }
    std::size_t length = 0;
    while (length < rest_.size() && ((rest_[length] >= 'A' && rest_[length] <= 'Z') ||
                                     (rest_[length] >= 'a' && rest_[length] <= 'z')))
      ++length;
    rest_.remove_prefix(length);
    return length >= 3;
  }
  std::optional<int> number(int low, int high) {
    int value = 0;
    std::size_t digits = 0;
    for (; digits < rest_.size() && digits < 4 && rest_[digits] >= '0' && rest_[digits] <= '9';
         ++digits)
      value = value * 10 + (rest_[digits] - '0');
    rest_.remove_prefix(digits);
    if (digits == 0 || value < low || value > high) return std::nullopt;
    return value;
  }
  /// [+-]hh[:mm[:ss]] in seconds.
  std::optional<std::int32_t> clock_time(int hours_max) {
    const bool is_negative = take('-');
    if (!is_negative) take('+');
    const auto hours = number(0, hours_max);
    if (!hours) return std::nullopt;
    std::int32_t seconds = *hours * 3600;
    for (const int unit : {60, 1}) {
      if (!take(':')) break;
      const auto part = number(0, 59);
      if (!part) return std::nullopt;
      seconds += *part * unit;
    }
    return is_negative ? -seconds : seconds;
  }
  /// ",Mm.w.d", ",Jn" or ",n", with "/time".
  bool change(ChangeDay& day) {
    if (!take(',')) return false;
    if (take('M')) {
      const auto month = number(1, 12);
      if (!month || !take('.')) return false;
      const auto week = number(1, 5);
      if (!week || !take('.')) return false;
      const auto weekday = number(0, 6);
      if (!weekday) return false;
      day.kind = ChangeDay::Kind::week_of_month;
      day.month = *month;
      day.week = *week;
      day.day = *weekday;
    } else {
      const bool is_julian = take('J');
      const auto number_of_day = is_julian ? number(1, 365) : number(0, 365);
      if (!number_of_day) return false;
      day.kind = is_julian ? ChangeDay::Kind::julian : ChangeDay::Kind::day_of_year;
      day.day = *number_of_day;
    }
    if (take('/')) {
      const auto time = clock_time(167);
      if (!time) return false;
      day.time_s = *time;
    }
    return true;
  }

  std::string_view rest_;
};

/// Numbers of an RFC 8536 file, most significant byte first; reading beyond the end gives zeros and
/// is remembered.
class Bytes {
 public:
  explicit Bytes(std::string_view text) : rest_(text) {}

  std::string_view take(std::size_t length) {
    if (length > rest_.size()) {
      is_short_ = true;
      rest_ = {};
      return {};
    }
    const std::string_view taken = rest_.substr(0, length);
    rest_.remove_prefix(length);
    return taken;
  }
  std::int64_t number(std::size_t length) {
    const std::string_view taken = take(length);
    if (taken.empty()) return 0;
    std::uint64_t value = (taken[0] & 0x80) != 0 ? ~std::uint64_t{0} : 0;
    for (const char c : taken)
      value = value << 8 | static_cast<unsigned char>(c);
    return static_cast<std::int64_t>(value);
  }
  [[nodiscard]] bool is_short() const { return is_short_; }
  [[nodiscard]] std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
  bool is_short_ = false;
};

/// The counts of a header (RFC 8536 section 3.1).
struct Header {
  int version = 0;
  std::size_t utc_marks = 0, standard_marks = 0, leap_seconds = 0, times = 0, types = 0,
              name_bytes = 0;

  [[nodiscard]] std::size_t block_bytes(std::size_t time_bytes) const {
    return times * (time_bytes + 1) + types * 6 + name_bytes + leap_seconds * (time_bytes + 4) +
           standard_marks + utc_marks;
  }
};

std::optional<Header> read_header(Bytes& bytes) {
  if (bytes.take(4) != "TZif") return std::nullopt;
  const std::string_view version = bytes.take(1);
  bytes.take(15);
  Header header;
  header.version = version.empty() || version[0] == '\0' ? 1 : version[0] - '0';
  for (std::size_t* count : {&header.utc_marks, &header.standard_marks, &header.leap_seconds,
                             &header.times, &header.types, &header.name_bytes}) {
    const std::int64_t value = bytes.number(4);
    if (value < 0 || value > static_cast<std::int64_t>(file_bytes_max)) return std::nullopt;
    *count = static_cast<std::size_t>(value);
  }
  if (bytes.is_short()) return std::nullopt;
  return header;
}

std::optional<std::int32_t> parse_offset(std::string_view text) {  // "+05:30"
  if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':') return std::nullopt;
  const auto hours = parse_integer<int>(text.substr(1, 2));
  const auto minutes = parse_integer<int>(text.substr(4, 2));
  if (!hours || !minutes || *hours < 0 || *hours > 15 || *minutes < 0 || *minutes > 59)
    return std::nullopt;
  const std::int32_t seconds = *hours * 3600 + *minutes * 60;
  return text[0] == '-' ? -seconds : seconds;
}

/// Letters, digits and `_+-/`, and nothing that leaves the database's folder.
bool is_zone_name(std::string_view name) {
  if (name.empty() || name.size() > name_length_max || name.front() == '/') return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '+' || c == '-' || c == '/';
  });
}

}  // namespace

struct TimeZone::Body {
  struct Change {
    std::int64_t at_s;
    std::int32_t offset_s;
  };
  std::int32_t first_offset_s = 0;  // Before the first change.
  std::vector<Change> changes;      // In order of time.
  std::optional<Rule> rule;         // After the last one; nothing: the last one holds on.
};

Result<std::int64_t> parse_day(std::string_view text) {
  using namespace std::chrono;
  const auto bad = [&] {
    return Error{ErrorCode::invalid_argument,
                 "\"" + std::string(text) + "\" is no date such as 2026-12-25"};
  };
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return bad();
  const auto y = parse_integer<int>(text.substr(0, 4));
  const auto m = parse_integer<unsigned>(text.substr(5, 2));
  const auto d = parse_integer<unsigned>(text.substr(8, 2));
  if (!y || !m || !d || *y < 1970) return bad();
  const year_month_day date = year(*y) / month(*m) / day(*d);
  if (!date.ok()) return bad();
  return sys_days(date).time_since_epoch().count();
}

Result<TimeZone> TimeZone::parse(std::string_view file) {
  Bytes bytes(file);
  const auto old_block = read_header(bytes);
  if (!old_block) return malformed("no header");
  if (old_block->version < 2) return malformed("version 1, which ends in 2038");
  bytes.take(old_block->block_bytes(4));
  const auto header = read_header(bytes);
  if (!header) return malformed("no second header");
  if (header->types == 0) return malformed("no type of local time");
  if (header->block_bytes(8) > bytes.rest().size()) return malformed("a cut block");

  auto body = std::make_shared<Body>();
  body->changes.resize(header->times);
  for (Body::Change& change : body->changes)
    change.at_s = bytes.number(8);
  std::vector<std::size_t> types;
  for (std::size_t i = 0; i < header->times; ++i)
    types.push_back(static_cast<unsigned char>(bytes.take(1)[0]));
  std::vector<std::int32_t> offsets;
  for (std::size_t i = 0; i < header->types; ++i) {
    offsets.push_back(static_cast<std::int32_t>(bytes.number(4)));
    bytes.take(2);
    if (offsets.back() < -day_s || offsets.back() > day_s) return malformed("an offset over a day");
  }
  bytes.take(header->name_bytes + header->leap_seconds * 12 + header->standard_marks +
             header->utc_marks);
  for (std::size_t i = 0; i < header->times; ++i) {
    if (types[i] >= offsets.size()) return malformed("a change to no type");
    if (i > 0 && body->changes[i].at_s <= body->changes[i - 1].at_s)
      return malformed("changes out of order");
    body->changes[i].offset_s = offsets[types[i]];
  }
  body->first_offset_s = offsets.front();

  std::string_view footer = bytes.rest();
  const auto end = footer.size() > 1 ? footer.find('\n', 1) : std::string_view::npos;
  if (footer.empty() || footer.front() != '\n' || end == std::string_view::npos)
    return malformed("no footer");
  footer = footer.substr(1, end - 1);
  if (!footer.empty()) {
    body->rule = RuleReader(footer).rule();
    if (!body->rule) return malformed("a footer that is no TZ text");
  }
  return TimeZone(std::move(body));
}

Result<TimeZone> TimeZone::load(std::string_view name) {
  if (name.empty() || name == "UTC" || name == "Z") return TimeZone();
  if (const auto offset = parse_offset(name)) {
    auto body = std::make_shared<Body>();
    body->first_offset_s = *offset;
    return TimeZone(std::move(body));
  }
  const auto unknown = [&](const std::string& why) {
    return Error{ErrorCode::invalid_argument, "no time zone \"" + std::string(name) + "\"" + why};
  };
  if (!is_zone_name(name)) return unknown("");
  std::ifstream file(std::string(database) + std::string(name), std::ios::binary);
  std::ostringstream text;
  if (file) text << file.rdbuf();
  if (!file || !text || text.view().empty() || text.view().size() > file_bytes_max)
    return unknown(" in " + std::string(database));
  auto zone = parse(text.view());
  if (!zone) return unknown(": " + zone.error().message);
  return zone;
}

std::int32_t TimeZone::offset_s(std::int64_t time_s) const noexcept {
  if (body_ == nullptr) return 0;
  const auto& changes = body_->changes;
  const auto after = std::upper_bound(
      changes.begin(), changes.end(), time_s,
      [](std::int64_t at, const Body::Change& change) { return at < change.at_s; });
  if (after == changes.end() && body_->rule) return body_->rule->offset_s(time_s);
  return after == changes.begin() ? body_->first_offset_s : std::prev(after)->offset_s;
}

LocalTime TimeZone::local(std::int64_t wall_us) const noexcept {
  const std::int64_t time_s = floor_divide(wall_us, second_us);
  const std::int64_t local_s = time_s + offset_s(time_s);
  const std::int64_t day = floor_divide(local_s, day_s);
  return {day, static_cast<std::int32_t>(local_s - day * day_s)};
}

}  // namespace tandem
