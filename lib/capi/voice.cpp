// Orders for calls that the host serves (T-17).
#include "tandem/voice.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "capi/config.hpp"
#include "capi/values.hpp"
#include "tandem/switch.hpp"

using namespace tandem;
using namespace tandem::capi;

namespace {

int give_order(tandem_switch* object, uint64_t id, const ServiceOrder& order) {
  TANDEM_CAPI_NOT_NULL(object);
  TANDEM_CAPI_TRY(object->body->order(id, order));
  return TANDEM_OK;
}

}  // namespace

extern "C" {

int tandem_switch_answer_call(tandem_switch* object, uint64_t id) {
  return guarded([&]() -> int { return give_order(object, id, AnswerOrder{}); });
}

int tandem_switch_play(tandem_switch* object, uint64_t id, const char* source, int32_t repeats,
                       int32_t stops_at_key) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    TANDEM_CAPI_NOT_NULL(source);
    const auto clip = AudioClip::load(source);
    TANDEM_CAPI_TRY(clip);
    return give_order(object, id, PlayOrder{*clip, repeats != 0, stops_at_key != 0});
  });
}

int tandem_switch_play_list(tandem_switch* object, uint64_t id, const char* const* sources,
                            size_t source_count, int32_t repeats, int32_t stops_at_key) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(object);
    std::vector<std::string> paths;
    TANDEM_CAPI_TRY(read_texts(sources, std::min(source_count, AudioPlaylist::clips_max + 1),
                               "sources", paths));
    const auto list = AudioPlaylist::load(paths);
    TANDEM_CAPI_TRY(list);
    return give_order(object, id, PlayOrder{*list, repeats != 0, stops_at_key != 0});
  });
}

int tandem_switch_stop(tandem_switch* object, uint64_t id) {
  return guarded([&]() -> int { return give_order(object, id, StopOrder{}); });
}

int tandem_switch_collect(tandem_switch* object, uint64_t id, const tandem_collect_order* order) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(order);
    const auto read = read_struct(order, "tandem_collect_order");
    TANDEM_CAPI_TRY(read);
    CollectOrder wanted;
    wanted.min = read->min;
    if (read->max != 0) wanted.max = read->max;
    if (read->first_key_ms != 0) wanted.first_key_ms = read->first_key_ms;
    if (read->next_key_ms != 0) wanted.next_key_ms = read->next_key_ms;
    if (read->terminators != nullptr) wanted.terminators = read->terminators;
    wanted.drops_earlier = read->drops_earlier != 0;
    return give_order(object, id, wanted);
  });
}

int tandem_switch_bridge(tandem_switch* object, uint64_t id, const tandem_bridge_order* order) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(order);
    const auto read = read_struct(order, "tandem_bridge_order");
    TANDEM_CAPI_TRY(read);
    BridgeOrder wanted;
    wanted.callee = copy(read->callee);
    wanted.caller = copy(read->caller);
    wanted.customer = copy(read->customer);
    TANDEM_CAPI_TRY(read_texts(read->vendor_gateways, read->vendor_gateways_count,
                               "vendor_gateways", wanted.vendor_gateways));
    return give_order(object, id, wanted);
  });
}

int tandem_switch_hang_up(tandem_switch* object, uint64_t id, int32_t q850_cause) {
  return guarded([&]() -> int {
    return give_order(object, id, HangUpOrder{q850_cause == 0 ? 16 : q850_cause});
  });
}

}  // extern "C"
