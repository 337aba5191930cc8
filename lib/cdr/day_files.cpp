#include "cdr/day_files.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace tandem::cdr {
namespace {

constexpr std::string_view archive_extension = ".zst";
constexpr std::string_view database_extension = ".db";
constexpr std::string_view columns_extension = ".columns";
constexpr std::string_view bad_extension = ".bad";

}  // namespace

std::int64_t day_of(std::int64_t ended_at_us) {
  return std::max<std::int64_t>(ended_at_us, 0) / day_us;
}

std::string day_name(std::int64_t day) {
  std::string name = "cdr-";
  for (char c : format_date(day * day_us)) {
    if (c != '-') name += c;
  }
  return name + ".db";
}

std::optional<std::int64_t> day_from_name(std::string_view name) {
  if (name.size() != 15 || !name.starts_with("cdr-") || !name.ends_with(".db")) return std::nullopt;
  const auto year = parse_integer<int>(name.substr(4, 4));
  const auto month = parse_integer<int>(name.substr(8, 2));
  const auto day = parse_integer<int>(name.substr(10, 2));
  if (!year || !month || !day || *month < 1 || *month > 12 || *day < 1 || *day > 31)
    return std::nullopt;
  return days_from_civil(CivilDate{*year, *month, *day});
}

std::string archive_name(std::int64_t day) { return day_name(day).append(archive_extension); }

std::optional<std::int64_t> day_from_archive_name(std::string_view name) {
  if (!name.ends_with(archive_extension)) return std::nullopt;
  name.remove_suffix(archive_extension.size());
  return day_from_name(name);
}

std::string columns_name(std::int64_t day) {
  std::string name = day_name(day);
  name.resize(name.size() - database_extension.size());
  return name.append(columns_extension);
}

std::string bad_columns_name(std::int64_t day) { return columns_name(day).append(bad_extension); }

std::optional<std::int64_t> day_from_columns_name(std::string_view name) {
  if (name.ends_with(bad_extension)) name.remove_suffix(bad_extension.size());
  if (!name.ends_with(columns_extension)) return std::nullopt;
  name.remove_suffix(columns_extension.size());
  return day_from_name(std::string(name).append(database_extension));
}

}  // namespace tandem::cdr
