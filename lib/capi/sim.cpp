// The test kit.
#include "capi/sim.hpp"

#include "capi/config.hpp"
#include "capi/values.hpp"

using namespace tandem;
using namespace tandem::capi;

static_assert(TANDEM_CALL_OVER == static_cast<int>(sim::EndpointCallState::over));

namespace {

Result<sim::LinkSettings> read_link(const tandem_link_settings* given) {
  const auto read = read_struct(given, "tandem_link_settings");
  if (!read) return read.error();
  sim::LinkSettings link;
  link.delay_us = read->delay_us;
  link.jitter_us = read->jitter_us;
  link.loss_per_mille = read->loss_per_mille;
  link.duplicate_per_mille = read->duplicate_per_mille;
  link.reorder_per_mille = read->reorder_per_mille;
  link.mtu_bytes = read->mtu_bytes;
  link.partitioned = read->partitioned != 0;
  for (const int share : {link.loss_per_mille, link.duplicate_per_mille, link.reorder_per_mille}) {
    if (share < 0 || share > 1000)
      return Error{ErrorCode::invalid_argument, std::to_string(share) + " is not in 0..1000"};
  }
  if (link.delay_us < 0 || link.jitter_us < 0 || link.mtu_bytes < 0)
    return Error{ErrorCode::invalid_argument, "a member of tandem_link_settings was negative"};
  return link;
}

/// "IP", "IP:PORT", NULL or "" for every address.
Result<SocketAddress> read_link_end(const char* text) {
  if (view(text).empty()) return SocketAddress{};
  if (const auto ip = IpAddress::parse(view(text))) return SocketAddress{*ip, 0};
  return SocketAddress::parse(view(text));
}

}  // namespace

extern "C" {

int tandem_world_create(uint64_t seed, tandem_world** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(out);
    sim::WorldOptions options;
    options.seed = seed;
    *out = new tandem_world(options);
    return TANDEM_OK;
  });
}

int tandem_world_create_switch(tandem_world* world, const tandem_config* config,
                               const tandem_switch_hooks* hooks, tandem_switch** out) {
  // Without a world, what the hooks carry is taken and freed all the same.
  if (world == nullptr) {
    (void)tandem_switch_create(nullptr, hooks, out);
    return fail_null("world");
  }
  return guarded([&]() -> int { return create_switch_in(world->body, config, hooks, out); });
}

int tandem_world_crash(tandem_world* world, tandem_switch* victim) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(world);
    TANDEM_CAPI_NOT_NULL(victim);
    const std::unique_ptr<tandem_switch> owned(victim);
    world->body.crash(std::move(owned->body));
    return TANDEM_OK;
  });
}

int tandem_world_add_endpoint(tandem_world* world, const char* address, const char* peer,
                              tandem_endpoint** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(world);
    TANDEM_CAPI_NOT_NULL(address);
    TANDEM_CAPI_NOT_NULL(out);
    sim::EndpointConfig config;
    config.address = address;
    config.peer = copy(peer);
    const auto added = world->body.add_endpoint(config);
    TANDEM_CAPI_TRY(added);
    world->endpoints.push_back(std::make_unique<tandem_endpoint>(tandem_endpoint{*added}));
    *out = world->endpoints.back().get();
    return TANDEM_OK;
  });
}

int tandem_world_run_for(tandem_world* world, int64_t us) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(world);
    if (us < 0) return fail(ErrorCode::invalid_argument, std::to_string(us) + " us were given");
    if (!world->body.run_for_us(us))
      return fail(ErrorCode::wrong_state, "the world was run inside a callback of its own");
    return TANDEM_OK;
  });
}

int tandem_world_run_until_idle(tandem_world* world, int64_t limit_us) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(world);
    if (!world->body.run_until_idle(limit_us))
      return fail(ErrorCode::timeout, "calls were left after " + std::to_string(limit_us) + " us");
    return TANDEM_OK;
  });
}

int tandem_world_set_default_link(tandem_world* world, const tandem_link_settings* link) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(world);
    const auto read = read_link(link);
    TANDEM_CAPI_TRY(read);
    world->body.set_default_link(*read);
    return TANDEM_OK;
  });
}

int tandem_world_set_link(tandem_world* world, const char* from, const char* to,
                          const tandem_link_settings* link) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(world);
    const auto read = read_link(link);
    TANDEM_CAPI_TRY(read);
    const auto sender = read_link_end(from);
    TANDEM_CAPI_TRY(sender);
    const auto receiver = read_link_end(to);
    TANDEM_CAPI_TRY(receiver);
    TANDEM_CAPI_TRY(world->body.set_link(*sender, *receiver, *read));
    return TANDEM_OK;
  });
}

int tandem_world_clear_links(tandem_world* world) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(world);
    world->body.clear_links();
    return TANDEM_OK;
  });
}

int64_t tandem_world_monotonic_us(const tandem_world* world) {
  return world == nullptr ? 0 : world->body.monotonic_us();
}

int64_t tandem_world_wall_us(const tandem_world* world) {
  return world == nullptr ? 0 : world->body.wall_us();
}

int tandem_world_cdrs(const tandem_world* world, tandem_text** json_lines) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(world);
    TANDEM_CAPI_NOT_NULL(json_lines);
    return give(to_json_lines(world->body.cdrs()), json_lines);
  });
}

void tandem_world_destroy(tandem_world* world) { delete world; }

int tandem_endpoint_set_plan(tandem_endpoint* endpoint, const char* callee,
                             const tandem_answer_plan* plan) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(endpoint);
    const auto read = read_answer_plan(plan);
    TANDEM_CAPI_TRY(read);
    if (callee == nullptr)
      endpoint->body->set_plan(*read);
    else
      endpoint->body->set_plan(copy(callee), *read);
    return TANDEM_OK;
  });
}

int tandem_endpoint_dial(tandem_endpoint* endpoint, const char* callee, const char* caller,
                         const tandem_dial_plan* plan, tandem_endpoint_call** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(endpoint);
    TANDEM_CAPI_NOT_NULL(out);
    const auto read = read_dial_plan(plan);
    TANDEM_CAPI_TRY(read);
    auto handle = std::make_unique<tandem_endpoint_call>();
    handle->body = endpoint->body->dial(copy(callee), copy(caller), *read);
    *out = handle.release();
    return TANDEM_OK;
  });
}

int tandem_endpoint_register(tandem_endpoint* endpoint, const char* user, const char* password,
                             int32_t expires_s) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(endpoint);
    if (expires_s < 0)
      return fail(ErrorCode::invalid_argument,
                  "expiry of " + std::to_string(expires_s) + " s was negative");
    endpoint->body->register_user(copy(user), copy(password), expires_s);
    return TANDEM_OK;
  });
}

int32_t tandem_endpoint_registration_status(const tandem_endpoint* endpoint, const char* user) {
  return endpoint == nullptr ? 0 : endpoint->body->registration_status(copy(user));
}

int tandem_endpoint_last_call(const tandem_endpoint* endpoint, tandem_endpoint_call** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(endpoint);
    TANDEM_CAPI_NOT_NULL(out);
    auto last = endpoint->body->last_call();
    if (last == nullptr) return fail(ErrorCode::not_found, "the endpoint had no call");
    *out = new tandem_endpoint_call{std::move(last)};
    return TANDEM_OK;
  });
}

int tandem_endpoint_ladder(const tandem_endpoint* endpoint, tandem_text** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(endpoint);
    TANDEM_CAPI_NOT_NULL(out);
    return give(endpoint->body->ladder_text(), out);
  });
}

int32_t tandem_endpoint_call_state(const tandem_endpoint_call* call) {
  return call == nullptr ? TANDEM_CALL_OVER : static_cast<int32_t>(call->body->state());
}

int32_t tandem_endpoint_call_status(const tandem_endpoint_call* call) {
  return call == nullptr ? 0 : call->body->status();
}

int tandem_endpoint_call_hang_up(tandem_endpoint_call* call) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(call);
    call->body->hang_up();
    return TANDEM_OK;
  });
}

int tandem_endpoint_call_reinvite(tandem_endpoint_call* call, const char* sdp) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(call);
    call->body->reinvite(copy(sdp));
    return TANDEM_OK;
  });
}

int tandem_endpoint_call_update(tandem_endpoint_call* call, const char* sdp) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(call);
    call->body->update(copy(sdp));
    return TANDEM_OK;
  });
}

int tandem_endpoint_call_request(tandem_endpoint_call* call, const char* method,
                                 const char* content_type, const char* body) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(call);
    TANDEM_CAPI_NOT_NULL(method);
    call->body->request(method, copy(content_type), copy(body));
    return TANDEM_OK;
  });
}

int tandem_endpoint_call_hold(tandem_endpoint_call* call) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(call);
    call->body->hold();
    return TANDEM_OK;
  });
}

int tandem_endpoint_call_resume(tandem_endpoint_call* call) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(call);
    call->body->resume();
    return TANDEM_OK;
  });
}

int tandem_endpoint_call_events(const tandem_endpoint_call* call, tandem_text** lines) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(call);
    TANDEM_CAPI_NOT_NULL(lines);
    std::string text;
    for (const std::string& event : call->body->events())
      text += event + '\n';
    return give(std::move(text), lines);
  });
}

int tandem_endpoint_call_packets(const tandem_endpoint_call* call, uint64_t* sent,
                                 uint64_t* received) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(call);
    if (sent != nullptr) *sent = call->body->packets_sent();
    if (received != nullptr) *received = call->body->packets_received();
    return TANDEM_OK;
  });
}

void tandem_endpoint_call_destroy(tandem_endpoint_call* call) { delete call; }

}  // extern "C"
