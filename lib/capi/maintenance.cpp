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

}  // extern "C"
