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
  if (!options.allow({"config", "deck", "side", "account", "since", "until"}, {"config", "deck"},
                     {"rerate"})) {
    return status_usage;
  }
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
  const auto config = load_stored_config(options.text("config"));
  if (!config) return status_usage;
  const auto rerater = tandem::rerate_history(*config, query);
  if (!rerater) return failed(rerater.error());
  std::printf("%s\n", tandem::to_json(*rerater).c_str());
  return status_good;
}

}  // namespace

int report(const Options& options) {
  if (!options.allow(
          {"config", "sell", "buy", "at", "format", "deck", "side", "account", "since", "until"},
          {"config"}, {"margin or rerate"})) {
    return status_usage;
  }
  const std::string& name = options.operand(0);
  if (name == "margin") return margin(options);
  if (name == "rerate") return rerate(options);
  complain("\"" + name + "\" is not one of margin, rerate");
  return status_usage;
}
