#include "cdr/cdr_json.hpp"
#include "tandem/maintenance.hpp"

namespace tandem {
namespace {

void append_key(std::string& out, std::string_view key) {
  out += out.back() == '{' ? "\"" : ",\"";
  out += key;
  out += "\":";
}

void append_text(std::string& out, std::string_view key, std::string_view value) {
  append_key(out, key);
  cdr::append_json_string(out, value);
}

template <class Integer>
void append_number(std::string& out, std::string_view key, Integer value) {
  append_key(out, key);
  out += std::to_string(value);
}

void append_flag(std::string& out, std::string_view key, bool value) {
  append_key(out, key);
  out += value ? "true" : "false";
}

/// null for 0.
void append_time(std::string& out, std::string_view key, std::int64_t time_us) {
  append_key(out, key);
  out += time_us == 0 ? "null" : std::to_string(time_us);
}

}  // namespace

std::string to_json(const StoredDay& day) {
  std::string out = "{";
  append_text(out, "day", day.day);
  append_flag(out, "online", day.is_online);
  append_flag(out, "sealed", day.is_sealed);
  append_flag(out, "archived", day.is_archived);
  append_flag(out, "late_records", day.has_late_records);
  append_number(out, "file_bytes", day.file_bytes);
  append_number(out, "archive_bytes", day.archive_bytes);
  append_key(out, "records");
  out += day.is_sealed || day.is_archived ? std::to_string(day.records) : "null";
  append_time(out, "first_ended_at_us", day.first_ended_at_us);
  append_time(out, "last_ended_at_us", day.last_ended_at_us);
  append_time(out, "sealed_at_us", day.sealed_at_us);
  append_time(out, "archived_at_us", day.archived_at_us);
  append_time(out, "restored_at_us", day.restored_at_us);
  append_time(out, "verified_at_us", day.verified_at_us);
  append_text(out, "failure", day.failure);
  append_key(out, "sums");
  out += '[';
  for (const DaySum& sum : day.sums) {
    if (out.back() != '[') out += ',';
    out += '{';
    append_text(out, "currency", sum.currency);
    append_text(out, "charge", sum.charge);
    append_text(out, "vendor_charge", sum.vendor_charge);
    append_text(out, "agent_charge", sum.agent_charge);
    out += '}';
  }
  out += ']';
  append_flag(out, "columns", day.has_columns);
  append_number(out, "columns_bytes", day.columns_bytes);
  return out + "}";
}

std::string to_json(const MaintenanceReport& report) {
  std::string out = "{";
  append_number(out, "started_at_us", report.started_at_us);
  append_number(out, "ended_at_us", report.ended_at_us);
  append_flag(out, "cut_short", report.was_cut_short);
  append_number(out, "recordings_deleted", report.recordings_deleted);
  append_key(out, "outcomes");
  out += '[';
  for (const MaintenanceOutcome& outcome : report.outcomes) {
    if (out.back() != '[') out += ',';
    out += '{';
    append_text(out, "act", maintenance_act_name(outcome.act));
    append_text(out, "day", outcome.day);
    append_flag(out, "done", outcome.failure.empty());
    append_flag(out, "put_off", outcome.is_put_off);
    append_flag(out, "kept", outcome.is_kept);
    append_text(out, "failure", outcome.failure);
    out += '}';
  }
  return out + "]}";
}

std::string to_json(const MaintenanceNote& note) {
  std::string out = "{";
  append_number(out, "at_us", note.at_us);
  append_text(out, "act", note.act);
  append_text(out, "day", note.day);
  append_text(out, "sink", note.sink);
  append_flag(out, "done", note.failure.empty());
  append_text(out, "failure", note.failure);
  append_number(out, "files", note.files);
  append_number(out, "records", note.records);
  append_flag(out, "asked", note.was_asked);
  return out + "}";
}

std::string to_json(const MaintenanceState& state) {
  std::string out = "{";
  append_flag(out, "scheduled", state.is_scheduled);
  append_flag(out, "running", state.is_running);
  append_text(out, "doing", state.doing);
  append_time(out, "next_run_at_us", state.next_run_at_us);
  append_number(out, "runs", state.runs);
  append_number(out, "failures", state.failures);
  append_key(out, "last");
  out += state.last ? to_json(*state.last) : "null";
  return out + "}";
}

}  // namespace tandem
