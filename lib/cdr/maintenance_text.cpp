#include <iterator>

#include "base/text_table.hpp"
#include "tandem/clock.hpp"
#include "tandem/maintenance.hpp"

namespace tandem {
namespace {

struct Named {
  MaintenanceAct act;
  const char* name;
};
constexpr Named acts[] = {{MaintenanceAct::run, "run"},
                          {MaintenanceAct::seal, "seal"},
                          {MaintenanceAct::verify, "verify"},
                          {MaintenanceAct::archive, "archive"},
                          {MaintenanceAct::restore, "restore"},
                          {MaintenanceAct::remove, "remove"},
                          {MaintenanceAct::write_columns, "write_columns"},
                          {MaintenanceAct::drop_columns, "drop_columns"}};

std::string state_of(const StoredDay& day) {
  std::string state = day.is_online ? (day.is_sealed ? "sealed" : "open") : "archived";
  if (day.is_online && day.is_archived) state = "restored";
  if (day.has_late_records) state += " +late";
  return state;
}

std::string size_text(std::int64_t bytes) { return bytes == 0 ? "" : std::to_string(bytes); }

}  // namespace

const char* maintenance_act_name(MaintenanceAct act) noexcept {
  for (const Named& each : acts) {
    if (each.act == act) return each.name;
  }
  return "";
}

std::optional<MaintenanceAct> maintenance_act_from_name(std::string_view name) noexcept {
  for (const Named& each : acts) {
    if (name == each.name) return each.act;
  }
  return std::nullopt;
}

std::string to_table(const std::vector<StoredDay>& days) {
  TextTable table;
  table.column("DAY");
  table.column("STATE");
  table.column("RECORDS", TextTable::Align::right);
  table.column("FILE", TextTable::Align::right);
  table.column("COLUMNS", TextTable::Align::right);
  table.column("ARCHIVE", TextTable::Align::right);
  table.column("VERIFIED");
  table.column("SUMS");
  table.column("FAILURE");
  for (const StoredDay& day : days) {
    std::string sums;
    for (const DaySum& sum : day.sums) {
      if (sum.currency.empty()) continue;
      sums += (sums.empty() ? "" : ", ") + sum.charge + ' ' + sum.currency;
    }
    table.row({day.day, state_of(day),
               day.is_sealed || day.is_archived ? std::to_string(day.records) : "",
               size_text(day.file_bytes), day.has_columns ? size_text(day.columns_bytes) : "",
               size_text(day.archive_bytes),
               day.verified_at_us == 0 ? "" : format_time_us(day.verified_at_us), std::move(sums),
               day.failure});
  }
  return table.to_string();
}

}  // namespace tandem
