#include "remote/sql_columns.hpp"

#include "base/text.hpp"

namespace tandem::remote {
namespace {

using enum SqlType;

constexpr SqlColumn columns[] = {{"source", name, false},
                                 {"record_id", number, false},
                                 {"call_id", text, false},
                                 {"customer_gateway", name, true},
                                 {"vendor_gateway", name, true},
                                 {"account", name, true},
                                 {"caller_in", name, false},
                                 {"caller", name, false},
                                 {"caller_out", name, false},
                                 {"callee_in", name, false},
                                 {"callee", name, false},
                                 {"callee_out", name, false},
                                 {"started_at", time, false},
                                 {"answered_at", time, true},
                                 {"ended_at", time, false},
                                 {"pdd_ms", number, true},
                                 {"talk_time_ms", number, false},
                                 {"billed_time_s", number, false},
                                 {"charge", amount, false},
                                 {"rate_prefix", name, false},
                                 {"vendor_account", name, true},
                                 {"vendor_billed_time_s", number, true},
                                 {"vendor_charge", amount, true},
                                 {"currency", name, false},
                                 {"end_reason", name, false},
                                 {"end_code", small, false},
                                 {"sip_status", small, false},
                                 {"q850_cause", small, false},
                                 {"release_side", name, false},
                                 {"attempts", json, false},
                                 {"media", json, false},
                                 {"caller_ip", name, false},
                                 {"callee_ip", name, false},
                                 {"caller_product", text, false},
                                 {"callee_product", text, false},
                                 {"lrn", name, false},
                                 {"callee_region", name, false},
                                 {"caller_region", name, false},
                                 {"rate_deck", name, false},
                                 {"rate_terms", text, false},
                                 {"vendor_rate_prefix", name, true},
                                 {"vendor_currency", name, true},
                                 {"vendor_rate_deck", name, true},
                                 {"vendor_rate_terms", text, true},
                                 {"agent_account", name, true},
                                 {"agent_billed_time_s", number, true},
                                 {"agent_charge", amount, true},
                                 {"agent_rate_prefix", name, true},
                                 {"agent_rate_deck", name, true},
                                 {"agent_rate_terms", text, true},
                                 {"package_charge", amount, false},
                                 {"package_time_s", number, false},
                                 {"choices", json, false},
                                 {"agent_package_charge", amount, true},
                                 {"agent_package_time_s", number, true},
                                 {"call_level", name, false}};

}  // namespace

const std::span<const SqlColumn> sql_columns = columns;

std::string sql_column_names() {
  std::string names;
  for (const SqlColumn& column : columns) {
    if (!names.empty()) names += ", ";
    names += column.name;
  }
  return names;
}

std::string sql_column_definitions(const char* (*type_name)(SqlType)) {
  std::string definitions;
  for (const SqlColumn& column : columns) {
    if (!definitions.empty()) definitions += ", ";
    definitions += column.name;
    definitions += ' ';
    definitions += type_name(column.type);
    definitions += column.is_nullable ? " NULL" : " NOT NULL";
  }
  return definitions;
}

MissingColumns sql_missing_columns(std::string_view present, const char* (*type_name)(SqlType)) {
  const std::string padded = " " + std::string(present) + " ";
  MissingColumns missing;
  for (const SqlColumn& column : columns) {
    const std::string name = column.name;
    if (padded.find(" " + name + " ") != std::string::npos) continue;
    const char* const comma = missing.names.empty() ? "" : ", ";
    missing.names += comma + ("\"" + name + "\"");
    missing.additions +=
        comma + ("ADD COLUMN IF NOT EXISTS " + name + " " + type_name(column.type) + " NULL");
  }
  return missing;
}

std::string partition_of_day(std::string_view table, std::int64_t day) {
  std::string name(table);
  name += '_';
  for (const char c : format_date(day * cdr::day_us)) {
    if (c != '-') name += c;
  }
  return name;
}

std::optional<std::int64_t> day_of_partition(std::string_view name, std::string_view table) {
  if (name.size() != table.size() + 9 || !name.starts_with(table) || name[table.size()] != '_')
    return std::nullopt;
  const std::string_view digits = name.substr(table.size() + 1);
  const auto year = parse_integer<int>(digits.substr(0, 4));
  const auto month = parse_integer<int>(digits.substr(4, 2));
  const auto day = parse_integer<int>(digits.substr(6, 2));
  if (!year || !month || !day || *year < 1970 || *month < 1 || *month > 12 || *day < 1 || *day > 31)
    return std::nullopt;
  return days_from_civil(CivilDate{*year, *month, *day});
}

}  // namespace tandem::remote
