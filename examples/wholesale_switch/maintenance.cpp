// `maintenance`: care for the day files, beside the running switch or without one.
#include <cstdio>
#include <string>

#include "commands.hpp"
#include "tandem/cdr_slots.hpp"

namespace {

int print_days(const tandem::SwitchConfig& config, const std::string& format) {
  const auto days = tandem::stored_days(config);
  if (!days) return failed(days.error());
  if (format == "table") {
    std::fputs(tandem::to_table(*days).c_str(), stdout);
    return status_good;
  }
  for (const tandem::StoredDay& day : *days)
    std::printf("%s\n", tandem::to_json(day).c_str());
  return status_good;
}

/// A line for each act, failures on stderr. A day that a run keeps is none.
int print_report(const tandem::MaintenanceReport& report, bool is_run, const std::string& format) {
  bool is_good = true;
  for (const tandem::MaintenanceOutcome& outcome : report.outcomes) {
    const bool is_kept = outcome.is_kept && is_run;
    is_good = is_good && (outcome.failure.empty() || is_kept);
    const std::string what =
        std::string(tandem::maintenance_act_name(outcome.act)) + ' ' + outcome.day;
    if (is_kept) {
      if (format == "table") std::printf("%s\n", outcome.failure.c_str());
    } else if (!outcome.failure.empty()) {
      complain(what + ": " + outcome.failure);
    } else if (format == "table") {
      std::printf("%s: done\n", what.c_str());
    }
  }
  if (format == "json") {
    std::printf("%s\n", tandem::to_json(report).c_str());
  } else if (report.outcomes.empty()) {
    std::puts("nothing was due");
  }
  return is_good ? status_good : status_failed;
}

int rebuild_slots(const Options& options) {
  if (!options.allow({"config"}, {"config"}, {"what to do"})) return status_usage;
  const auto config = load_config(options.text("config"));
  if (!config) return status_usage;
  const auto records = tandem::rebuild_cdr_slots(*config);
  if (!records) return failed(records.error());
  std::printf("rebuild_slots: %llu records\n", static_cast<unsigned long long>(*records));
  return status_good;
}

/// `acts`: what was done, the newest first.
int print_acts(const Options& options) {
  if (!options.allow({"config", "act", "day", "since", "until", "limit"}, {"config"}, {"acts"}))
    return status_usage;
  tandem::MaintenanceNoteQuery query;
  query.act = options.text("act");
  query.day = options.text("day");
  if (!read_time(options, "since", query.since_us) || !read_time(options, "until", query.until_us))
    return status_usage;
  if (options.has("limit")) {
    const auto limit = options.number("limit");
    if (!limit || *limit < 1) return status_usage;
    query.limit = static_cast<std::size_t>(*limit);
  }
  const auto config = load_config(options.text("config"));
  if (!config) return status_usage;
  const auto notes = tandem::maintenance_notes(*config, query);
  if (!notes) return failed(notes.error());
  for (const tandem::MaintenanceNote& note : *notes)
    std::printf("%s\n", tandem::to_json(note).c_str());
  return status_good;
}

}  // namespace

int maintenance(const Options& options) {
  const std::string word = options.operand_or(0, "status");
  if (word == "rebuild_slots") return rebuild_slots(options);
  if (word == "acts") return print_acts(options);
  const auto act = tandem::maintenance_act_from_name(word);
  if (word != "status" && !act) {
    complain("\"" + word +
             "\" is not one of status, acts, run, seal, verify, archive, restore, remove, "
             "write_columns, drop_columns, rebuild_slots");
    return status_usage;
  }
  std::vector<std::string> operands;
  if (!options.operand_or(0, "").empty()) operands.emplace_back("what to do");
  if (act && *act != tandem::MaintenanceAct::run) operands.emplace_back("DAY");
  std::string format;
  if (!options.allow({"config", "format", "table"}, {"config"}, operands) ||
      !read_format(options, {"table", "json"}, format)) {
    return status_usage;
  }
  const auto config = load_config(options.text("config"));
  if (!config) return status_usage;
  if (!act) return print_days(*config, format);
  const auto report = tandem::maintain(*config, *act, options.operand_or(1, ""));
  const bool is_run = *act == tandem::MaintenanceAct::run;
  return report ? print_report(*report, is_run, format) : failed(report.error());
}
