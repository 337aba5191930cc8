// Maintenance of the day files, of a configuration and of a running switch.
#include "tandem/maintenance.hpp"

#include "capi/config.hpp"
#include "capi/values.hpp"

using namespace tandem;
using namespace tandem::capi;

namespace {

Result<MaintenanceAct> read_act(const char* name) {
  const auto act = maintenance_act_from_name(view(name));
  if (act) return *act;
  return Error{ErrorCode::invalid_argument, "no maintenance \"" + copy(name) + "\""};
}

template <class Ask>
int notes(const tandem_maintenance_note_query* query, tandem_text** json_lines, Ask&& ask) {
  TANDEM_CAPI_NOT_NULL(json_lines);
  const auto read = read_struct(query, "tandem_maintenance_note_query");
  TANDEM_CAPI_TRY(read);
  MaintenanceNoteQuery wanted;
  wanted.act = copy(read->act);
  wanted.day = copy(read->day);
  if (read->since_us != 0) wanted.since_us = read->since_us;
  if (read->until_us != 0) wanted.until_us = read->until_us;
  if (read->limit != 0) wanted.limit = read->limit;
  const auto found = ask(wanted);
  TANDEM_CAPI_TRY(found);
  std::string lines;
  for (const MaintenanceNote& note : *found)
    lines += to_json(note) + '\n';
  return give(lines, json_lines);
}

int give_days(const Result<std::vector<StoredDay>>& days, tandem_text** json_lines) {
  TANDEM_CAPI_TRY(days);
  std::string lines;
  for (const StoredDay& day : *days)
    lines += to_json(day) + '\n';
  return give(lines, json_lines);
}

}  // namespace

extern "C" {

int tandem_config_stored_days(const tandem_config* config, tandem_text** json_lines) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(json_lines);
    const auto usable = usable_config(config);
    TANDEM_CAPI_TRY(usable);
    return give_days(stored_days(**usable), json_lines);
  });
}

int tandem_switch_stored_days(const tandem_switch* object, tandem_text** json_lines) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_NOT_NULL(json_lines);
    return give_days(object->body->stored_days(), json_lines);
  });
}

int tandem_config_maintain(const tandem_config* config, const char* act, const char* day,
                           tandem_text** json) {
  return guarded([&]() -> int {
    const auto usable = usable_config(config);
    TANDEM_CAPI_TRY(usable);
    const auto read = read_act(act);
    TANDEM_CAPI_TRY(read);
    const auto report = maintain(**usable, *read, view(day));
    TANDEM_CAPI_TRY(report);
    return json == nullptr ? TANDEM_OK : give(to_json(*report), json);
  });
}

int tandem_switch_start_maintenance(tandem_switch* object, const char* act, const char* day) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    const auto read = read_act(act);
    TANDEM_CAPI_TRY(read);
    TANDEM_CAPI_TRY(object->body->start_maintenance(*read, view(day)));
    return TANDEM_OK;
  });
}

int tandem_switch_maintenance(const tandem_switch* object, tandem_text** json) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_NOT_NULL(json);
    return give(to_json(object->body->maintenance()), json);
  });
}

int tandem_config_maintenance_notes(const tandem_config* config,
                                    const tandem_maintenance_note_query* query,
                                    tandem_text** json_lines) {
  return guarded([&]() -> int {
    const auto usable = usable_config(config);
    TANDEM_CAPI_TRY(usable);
    return notes(query, json_lines, [&](const MaintenanceNoteQuery& wanted) {
      return maintenance_notes(**usable, wanted);
    });
  });
}

int tandem_switch_maintenance_notes(const tandem_switch* object,
                                    const tandem_maintenance_note_query* query,
                                    tandem_text** json_lines) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    return notes(query, json_lines, [&](const MaintenanceNoteQuery& wanted) {
      return object->body->maintenance_notes(wanted);
    });
  });
}

}  // extern "C"
