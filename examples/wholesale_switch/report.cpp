// `report`: questions over price lists and records.
#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "commands.hpp"

namespace {

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    if (end > begin) parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

int margin(const Options& options) {
  if (!options.allow({"config", "sell", "buy", "at", "format"}, {"config", "sell", "buy"},
                     {"margin"})) {
    return status_usage;
  }
  std::optional<std::int64_t> at_us;
  if (!read_time(options, "at", at_us)) return status_usage;
  const std::string format = options.text("format", "table");
  if (format != "json" && format != "csv" && format != "table") {
    complain("--format \"" + format + "\" is not one of json, csv, table");
    return status_usage;
  }
  const auto config = load_stored_config(options.text("config"));
  if (!config) return status_usage;
  const auto rows =
      tandem::margin_report(*config, options.text("sell"), split(options.text("buy")), at_us);
  if (!rows) return failed(rows.error());
  const std::string text = format == "json"  ? tandem::to_json(*rows) + "\n"
                           : format == "csv" ? tandem::to_csv(*rows)
                                             : tandem::to_table(*rows);
  std::fputs(text.c_str(), stdout);
  return status_good;
}

int rerate(const Options& options) {
  const bool is_applied = options.has("apply");
  std::vector<std::string> known = {"config", "deck",  "side",   "account",
                                    "since",  "until", "settled"};
  if (is_applied) known.insert(known.end(), {"apply", "reason", "author", "dry-run"});
  if (!options.allow(known, {"config", "deck"}, {"rerate"})) return status_usage;
  tandem::RerateQuery query;
  query.deck = options.text("deck");
  query.account = options.text("account");
  const std::string side = options.text("side", "customer");
  query.is_vendor = side == "vendor";
  if (!query.is_vendor && side != "customer") {
    complain("--side \"" + side + "\" is not one of customer, vendor");
    return status_usage;
  }
  if (!read_time(options, "since", query.since_us) ||
      !read_time(options, "until", query.until_us)) {
    return status_usage;
  }
  query.includes_settled = options.has("settled");
  if (is_applied) return apply_rerate(options);
  const auto config = load_stored_config(options.text("config"));
  if (!config) return status_usage;
  const auto rerater = tandem::rerate_history(*config, query);
  if (!rerater) return failed(rerater.error());
  std::printf("%s\n", tandem::to_json(*rerater).c_str());
  return status_good;
}

int ledger_check(const Options& options) {
  std::string format;
  if (!options.allow({"config", "format", "table"}, {"config"}, {"ledger-check"}) ||
      !read_format(options, {"table", "json"}, format)) {
    return status_usage;
  }
  const auto config = load_config(options.text("config"));
  if (!config) return status_usage;
  const auto check = tandem::check_ledger(*config);
  if (!check) return failed(check.error());
  if (format == "json") {
    std::printf("%s\n", tandem::to_json(*check).c_str());
  } else {
    std::fputs(tandem::to_table(*check).c_str(), stdout);
  }
  return check->ok() ? status_good : status_failed;
}

int ledger(const Options& options) {
  std::string format;
  if (!options.allow({"config", "account", "since", "until", "before", "limit", "format", "table"},
                     {"config", "account"}, {"ledger"}) ||
      !read_format(options, {"table", "json"}, format)) {
    return status_usage;
  }
  tandem::LedgerQuery query;
  query.account = options.text("account");
  if (!read_time(options, "since", query.since_us) || !read_time(options, "until", query.until_us))
    return status_usage;
  if (options.has("before")) {
    query.before_id = options.number("before");
    if (!query.before_id) return status_usage;
  }
  if (options.has("limit")) {
    const auto limit = options.number("limit");
    if (!limit || *limit < 1) return status_usage;
    query.limit = static_cast<std::size_t>(*limit);
  }
  const auto config = load_config(options.text("config"));
  if (!config) return status_usage;
  const auto entries = tandem::query_ledger(*config, query);
  if (!entries) return failed(entries.error());
  if (format == "table") {
    std::fputs(tandem::to_table(*entries).c_str(), stdout);
    return status_good;
  }
  for (const tandem::LedgerEntry& entry : *entries)
    std::printf("%s\n", tandem::to_json(entry).c_str());
  return status_good;
}

int corrections(const Options& options) {
  if (!options.allow({"config", "record", "account", "since", "until", "before", "limit"},
                     {"config"}, {"corrections"})) {
    return status_usage;
  }
  tandem::CorrectionQuery query;
  query.account = options.text("account");
  if (!read_time(options, "since", query.since_us) || !read_time(options, "until", query.until_us))
    return status_usage;
  std::uint64_t before = 0, limit = query.limit;
  for (const auto& [name, out] : {std::pair("record", &query.record_id),
                                  std::pair("before", &before), std::pair("limit", &limit)}) {
    if (!options.has(name)) continue;
    const auto number = options.number(name);
    if (!number || *number < 1) return status_usage;
    *out = static_cast<std::uint64_t>(*number);
  }
  if (before != 0) query.before_id = before;
  query.limit = static_cast<std::size_t>(limit);
  const auto config = load_config(options.text("config"));
  if (!config) return status_usage;
  const auto found = tandem::query_corrections(*config, query);
  if (!found) return failed(found.error());
  for (const tandem::Correction& correction : *found)
    std::printf("%s\n", tandem::to_json(correction).c_str());
  return status_good;
}

int packages(const Options& options) {
  if (!options.allow({"config", "account"}, {"config"}, {"packages"})) return status_usage;
  const auto config = load_config(options.text("config"));
  if (!config) return status_usage;
  const auto periods = tandem::query_packages(*config, options.text("account"));
  if (!periods) return failed(periods.error());
  for (const tandem::PackagePeriod& period : *periods)
    std::printf("%s\n", tandem::to_json(period).c_str());
  return status_good;
}

/// Reports over the records of calls.
int call_report(const Options& options, tandem::CallReportKind kind) {
  std::vector<std::string> names = option_names(tandem::call_report_option_names());
  for (const std::string& name : option_names(tandem::cdr_filter_names()))
    names.push_back(name);
  std::vector<std::string> known = names;
  known.insert(known.end(), {"config", "format", "table"});
  std::string format;
  if (!options.allow(known, {"config"}, {tandem::call_report_name(kind)}) ||
      !read_format(options, {"table", "json", "csv"}, format)) {
    return status_usage;
  }
  tandem::CallReportRequest request;
  request.kind = kind;
  for (const std::string& name : names) {
    if (!options.has(name)) continue;
    if (auto set = tandem::set_report_option(request, name, options.text(name)); !set) {
      complain("--" + name + ": " + set.error().message);
      return status_usage;
    }
  }
  // Statements look up levels in the decks; the others need none of what is stored.
  const bool is_statement = kind == tandem::CallReportKind::account_statement ||
                            kind == tandem::CallReportKind::phone_statement ||
                            kind == tandem::CallReportKind::area_statement;
  const auto config = is_statement ? load_stored_config(options.text("config"))
                                   : load_config(options.text("config"));
  if (!config) return status_usage;
  const auto report = tandem::call_report(*config, request);
  if (!report) return failed(report.error());
  const std::string text = format == "json"  ? tandem::to_json(*report) + "\n"
                           : format == "csv" ? tandem::to_csv(*report)
                                             : tandem::to_table(*report);
  std::fputs(text.c_str(), stdout);
  return status_good;
}

struct Report {
  const char* name;
  int (*run)(const Options&);
};
constexpr Report other_reports[] = {{"margin", margin},
                                    {"rerate", rerate},
                                    {"corrections", corrections},
                                    {"ledger", ledger},
                                    {"ledger-check", ledger_check},
                                    {"packages", packages}};

}  // namespace

int report(const Options& options) {
  const std::string name = options.operand_or(0, "");
  for (const Report& each : other_reports) {
    if (name == each.name) return each.run(options);
  }
  if (const auto kind = tandem::call_report_from_name(name)) return call_report(options, *kind);
  std::string known;
  for (const Report& each : other_reports)
    known += std::string(each.name) + ", ";
  for (int i = 0; i <= static_cast<int>(tandem::CallReportKind::ghost_calls); ++i)
    known += std::string(i > 0 ? ", " : "") +
             tandem::call_report_name(static_cast<tandem::CallReportKind>(i));
  complain(name.empty() ? "report needs one of " + known
                        : "\"" + name + "\" is not one of " + known);
  return status_usage;
}
