// Call traces of a running switch (O-12).
#include "capi/values.hpp"
#include "tandem/trace.hpp"

using namespace tandem;
using namespace tandem::capi;

extern "C" {

int tandem_switch_start_trace(tandem_switch* object, const char* request, uint64_t* id) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    const auto wanted = read_trace_request(request == nullptr ? "{}" : request);
    TANDEM_CAPI_TRY(wanted);
    const auto started = object->body->start_trace(*wanted);
    TANDEM_CAPI_TRY(started);
    if (id != nullptr) *id = started->id;
    return TANDEM_OK;
  });
}

int tandem_switch_stop_trace(tandem_switch* object, uint64_t id) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_TRY(object->body->stop_trace(id));
    return TANDEM_OK;
  });
}

int tandem_switch_remove_trace(tandem_switch* object, uint64_t id) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_TRY(object->body->remove_trace(id));
    return TANDEM_OK;
  });
}

int tandem_switch_traces(const tandem_switch* object, tandem_text** json) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_NOT_NULL(json);
    return give(json_array(object->body->traces()), json);
  });
}

int tandem_switch_traced_calls(const tandem_switch* object, uint64_t id, tandem_text** json) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_NOT_NULL(json);
    const auto calls = object->body->traced_calls(id);
    TANDEM_CAPI_TRY(calls);
    return give(json_array(*calls), json);
  });
}

int tandem_switch_traced_call(const tandem_switch* object, uint64_t id, uint64_t call,
                              const char* format, tandem_text** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_NOT_NULL(format);
    TANDEM_CAPI_NOT_NULL(out);
    const auto traced = object->body->traced_call(id, call);
    TANDEM_CAPI_TRY(traced);
    return give(format_traced_call(*traced, format), out);
  });
}

}  // extern "C"
