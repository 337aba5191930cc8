// `reconcile`: our calls over an interconnect against a partner's list, or against the switch at
// the other end.
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>

#include "commands.hpp"
#include "json_text.hpp"

namespace {

constexpr std::int64_t hundredths = 100;

bool read_file(const std::string& path, std::string& out) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream read;
  if (file) read << file.rdbuf();
  out = std::move(read).str();
  if (file && !out.empty()) return true;
  complain(path + " could not be read, or is empty");
  return false;
}

/// --line in percent with at most two decimals. False: stderr says what is wrong.
bool read_line(const Options& options, std::int32_t& line) {
  if (!options.has("line")) return true;
  constexpr std::int64_t unit = tandem::Amount::scale / hundredths;
  const auto percent = tandem::Amount::parse(options.text("line"));
  if (!percent || percent->is_negative() || percent->units() % unit != 0 ||
      percent->units() > 100 * tandem::Amount::scale) {
    complain("--line \"" + options.text("line") + "\" is no percentage with two decimals");
    return false;
  }
  line = static_cast<std::int32_t>(percent->units() / unit);
  return true;
}

bool read_rules(const Options& options, tandem::ReconcileRules& rules) {
  for (const auto& [name, out] : {std::pair("time-tolerance", &rules.time_tolerance_s),
                                  std::pair("duration-tolerance", &rules.duration_tolerance_s),
                                  std::pair("clock-offset", &rules.clock_offset_s)}) {
    if (!options.has(name)) continue;
    const auto number = options.number(name);
    if (!number) return false;
    *out = *number;
  }
  if (options.has("limit")) {
    const auto limit = options.number("limit");
    if (!limit) return false;
    rules.rows_max = static_cast<std::size_t>(std::max<std::int64_t>(*limit, 0));
  }
  if (options.has("charge-tolerance")) {
    const auto amount = tandem::Amount::parse(options.text("charge-tolerance"));
    if (!amount) {
      complain("--charge-tolerance: " + amount.error().message);
      return false;
    }
    rules.charge_tolerance = *amount;
  }
  return true;
}

/// The other end's totals of the same period.
int with_peer(const tandem::SwitchConfig& config, const tandem::InterconnectQuery& query,
              std::int32_t line_hundredths) {
  const auto ours = tandem::interconnect_totals(config, query);
  if (!ours) return failed(ours.error());
  const auto theirs = tandem::peer_totals(config, query);
  if (!theirs && theirs.error().code == tandem::ErrorCode::not_found) {
    complain(theirs.error().message + "; see --file");
    return status_usage;
  }
  if (!theirs) return failed(theirs.error());
  const tandem::PeerCheck check = tandem::compare_totals(query, *ours, *theirs, line_hundredths);
  std::printf("%s\n", tandem::to_json(check).c_str());
  if (!check.failure.empty()) complain("nothing was compared: " + check.failure);
  return check.is_exceeded || !check.failure.empty() ? status_failed : status_good;
}

}  // namespace

int reconcile(const Options& options) {
  if (!options.allow(
          {"config", "gateway", "side", "since", "until", "file", "columns", "time-tolerance",
           "duration-tolerance", "charge-tolerance", "clock-offset", "line", "limit"},
          {"config", "gateway", "since", "until"})) {
    return status_usage;
  }
  tandem::InterconnectQuery query;
  query.gateway = options.text("gateway");
  const std::string side = options.text("side", "vendor");
  query.is_vendor = side == "vendor";
  if (!query.is_vendor && side != "customer") {
    complain("--side \"" + side + "\" is not one of customer, vendor");
    return status_usage;
  }
  std::optional<std::int64_t> since_us, until_us;
  tandem::ReconcileRules rules;
  if (!read_time(options, "since", since_us) || !read_time(options, "until", until_us) ||
      !read_rules(options, rules))
    return status_usage;
  query.since_us = *since_us;
  query.until_us = *until_us;
  const auto config = load_stored_config(options.text("config"));
  if (!config) return status_usage;
  rules.line_hundredths = config->parameters.reconciliation_line_hundredths;
  if (!read_line(options, rules.line_hundredths)) return status_usage;
  if (!options.has("file")) return with_peer(*config, query, rules.line_hundredths);

  std::string csv;
  if (!read_file(options.text("file"), csv)) return status_usage;
  const auto layout = tandem::parse_partner_layout(options.text("columns"));
  if (!layout) return failed(layout.error());
  const auto report = tandem::reconcile(*config, query, csv, *layout, rules);
  if (!report) return failed(report.error());
  std::printf("%s\n", tandem::to_json(*report).c_str());
  return report->is_exceeded ? status_failed : status_good;
}
