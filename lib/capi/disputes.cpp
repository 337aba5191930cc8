// Disputed records, of a configuration and of a running switch.
#include "tandem/disputes.hpp"

#include "capi/config.hpp"
#include "capi/values.hpp"

using namespace tandem;
using namespace tandem::capi;

namespace {

template <class Change>
int change(const char* json, tandem_text** answer, Change&& change) {
  const auto request = parse_dispute(view(json));
  TANDEM_CAPI_TRY(request);
  const auto made = change(*request);
  TANDEM_CAPI_TRY(made);
  return answer == nullptr ? TANDEM_OK : give(to_json(*made), answer);
}

template <class Ask>
int list(const tandem_dispute_query* query, tandem_text** json_lines, Ask&& ask) {
  TANDEM_CAPI_NOT_NULL(json_lines);
  const auto read = read_struct(query, "tandem_dispute_query");
  TANDEM_CAPI_TRY(read);
  if (read->open < 0 || read->open > 2)
    return fail(
        {ErrorCode::invalid_argument, "open " + std::to_string(read->open) + " was not in 0..2"});
  DisputeQuery wanted;
  wanted.record_id = read->record_id;
  wanted.day = copy(read->day);
  if (read->open != 0) wanted.is_open = read->open == 1;
  if (read->before != 0) wanted.before_id = read->before;
  if (read->limit != 0) wanted.limit = read->limit;
  const auto found = ask(wanted);
  TANDEM_CAPI_TRY(found);
  std::string lines;
  for (const Dispute& dispute : *found)
    lines += to_json(dispute) + '\n';
  return give(lines, json_lines);
}

}  // namespace

extern "C" {

int tandem_config_dispute_record(const tandem_config* config, const char* json,
                                 tandem_text** answer) {
  return guarded([&]() -> int {
    const auto usable = usable_config(config);
    TANDEM_CAPI_TRY(usable);
    return change(json, answer,
                  [&](const DisputeRequest& asked) { return dispute_record(**usable, asked); });
  });
}

int tandem_config_resolve_dispute(const tandem_config* config, const char* json,
                                  tandem_text** answer) {
  return guarded([&]() -> int {
    const auto usable = usable_config(config);
    TANDEM_CAPI_TRY(usable);
    return change(json, answer,
                  [&](const DisputeRequest& asked) { return resolve_dispute(**usable, asked); });
  });
}

int tandem_switch_dispute_record(tandem_switch* object, const char* json, tandem_text** answer) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    return change(json, answer,
                  [&](const DisputeRequest& asked) { return object->body->dispute_record(asked); });
  });
}

int tandem_switch_resolve_dispute(tandem_switch* object, const char* json, tandem_text** answer) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    return change(json, answer, [&](const DisputeRequest& asked) {
      return object->body->resolve_dispute(asked);
    });
  });
}

int tandem_config_disputes(const tandem_config* config, const tandem_dispute_query* query,
                           tandem_text** json_lines) {
  return guarded([&]() -> int {
    const auto usable = usable_config(config);
    TANDEM_CAPI_TRY(usable);
    return list(query, json_lines,
                [&](const DisputeQuery& wanted) { return query_disputes(**usable, wanted); });
  });
}

int tandem_switch_disputes(const tandem_switch* object, const tandem_dispute_query* query,
                           tandem_text** json_lines) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    return list(query, json_lines,
                [&](const DisputeQuery& wanted) { return object->body->disputes(wanted); });
  });
}

}  // extern "C"
