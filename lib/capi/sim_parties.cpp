// What the endpoints of the test kit do beside making and taking calls, and what is seen of them.
#include "capi/sim.hpp"
#include "capi/values.hpp"

using namespace tandem;
using namespace tandem::capi;

namespace {

template <class Act>
int act_on(tandem_endpoint_call* call, Act act) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(call);
    act(*call->body);
    return TANDEM_OK;
  });
}

}  // namespace

extern "C" {

// --- the world ---

int tandem_world_run_until(tandem_world* world, int (*done)(void* user), void* user,
                           int64_t limit_us) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(world);
    TANDEM_CAPI_NOT_NULL(done);
    if (!world->body.run_until([&] { return done(user) != 0; }, limit_us))
      return fail(ErrorCode::timeout, std::to_string(limit_us) + " us passed before it was done");
    return TANDEM_OK;
  });
}

int tandem_world_step_wall(tandem_world* world, int64_t step_us) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(world);
    world->body.step_wall_us(step_us);
    return TANDEM_OK;
  });
}

int tandem_world_partition(tandem_world* world, const char* a, const char* b) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(world);
    const auto first = IpAddress::parse(view(a));
    TANDEM_CAPI_TRY(first);
    const auto second = IpAddress::parse(view(b));
    TANDEM_CAPI_TRY(second);
    TANDEM_CAPI_TRY(world->body.partition(*first, *second));
    return TANDEM_OK;
  });
}

int tandem_world_heal(tandem_world* world, const char* a, const char* b) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(world);
    const auto first = IpAddress::parse(view(a));
    TANDEM_CAPI_TRY(first);
    const auto second = IpAddress::parse(view(b));
    TANDEM_CAPI_TRY(second);
    TANDEM_CAPI_TRY(world->body.heal(*first, *second));
    return TANDEM_OK;
  });
}

uint64_t tandem_world_trace_hash(const tandem_world* world) {
  return world == nullptr ? 0 : world->body.trace_hash();
}

int tandem_world_capture(tandem_world* world, size_t bytes_max) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(world);
    world->body.capture(bytes_max);
    return TANDEM_OK;
  });
}

int tandem_world_write_pcap(const tandem_world* world, const char* path) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(world);
    TANDEM_CAPI_NOT_NULL(path);
    TANDEM_CAPI_TRY(world->body.write_pcap(path));
    return TANDEM_OK;
  });
}

int tandem_world_set_disk_full(tandem_world* world, int32_t is_full) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(world);
    world->body.set_disk_full(is_full != 0);
    return TANDEM_OK;
  });
}

int tandem_world_read_file(const tandem_world* world, const char* path, tandem_text** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(world);
    TANDEM_CAPI_NOT_NULL(path);
    TANDEM_CAPI_NOT_NULL(out);
    return give(world->body.read_file(path), out);
  });
}

int tandem_world_clear_cdrs(tandem_world* world) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(world);
    world->body.clear_cdrs();
    return TANDEM_OK;
  });
}

// --- raw endpoints ---

int tandem_world_add_raw_endpoint(tandem_world* world, const char* address,
                                  tandem_raw_endpoint** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(world);
    TANDEM_CAPI_NOT_NULL(address);
    TANDEM_CAPI_NOT_NULL(out);
    const auto added = world->body.add_raw_endpoint(address);
    TANDEM_CAPI_TRY(added);
    world->raw_endpoints.push_back(
        std::make_unique<tandem_raw_endpoint>(tandem_raw_endpoint{*added}));
    *out = world->raw_endpoints.back().get();
    return TANDEM_OK;
  });
}

int tandem_raw_endpoint_send(tandem_raw_endpoint* endpoint, const char* to, const void* bytes,
                             size_t count) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(endpoint);
    if (bytes == nullptr && count != 0) return fail_null("bytes");
    const auto address = SocketAddress::parse(view(to));
    TANDEM_CAPI_TRY(address);
    endpoint->body->send(*address, {static_cast<const char*>(bytes), count});
    return TANDEM_OK;
  });
}

size_t tandem_raw_endpoint_received(const tandem_raw_endpoint* endpoint) {
  return endpoint == nullptr ? 0 : endpoint->body->received().size();
}

int tandem_raw_endpoint_datagram(const tandem_raw_endpoint* endpoint, size_t index,
                                 tandem_address* from, int64_t* at_us, const void** bytes,
                                 size_t* count) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(endpoint);
    const auto& received = endpoint->body->received();
    if (index >= received.size())
      return fail(ErrorCode::not_found, "of " + std::to_string(received.size()) +
                                            " datagrams there was no number " +
                                            std::to_string(index));
    const sim::RawDatagram& datagram = received[index];
    if (from != nullptr) *from = to_c(datagram.from);
    if (at_us != nullptr) *at_us = datagram.at_us;
    if (bytes != nullptr) *bytes = datagram.bytes.data();
    if (count != nullptr) *count = datagram.bytes.size();
    return TANDEM_OK;
  });
}

void tandem_raw_endpoint_clear(tandem_raw_endpoint* endpoint) {
  if (endpoint != nullptr) endpoint->body->clear();
}

// --- endpoints ---

int tandem_endpoint_accept_registrations(tandem_endpoint* endpoint, const char* username,
                                         const char* password, int32_t status, int32_t expires_s) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(endpoint);
    if (status != 200 && (status < 300 || status > 699))
      return fail(ErrorCode::invalid_argument,
                  "status " + std::to_string(status) + " is neither 200 nor 300..699");
    sim::RegistrarPlan plan;
    plan.username = copy(username);
    plan.password = copy(password);
    plan.status = status;
    if (expires_s > 0) plan.expires_s = expires_s;
    endpoint->body->accept_registrations(plan);
    return TANDEM_OK;
  });
}

int tandem_endpoint_registered_contact(const tandem_endpoint* endpoint, tandem_text** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(endpoint);
    TANDEM_CAPI_NOT_NULL(out);
    return give(std::string(endpoint->body->registered_contact()), out);
  });
}

uint64_t tandem_endpoint_sent(const tandem_endpoint* endpoint, const char* what) {
  return endpoint == nullptr ? 0 : endpoint->body->sent(view(what));
}

uint64_t tandem_endpoint_received(const tandem_endpoint* endpoint, const char* what) {
  return endpoint == nullptr ? 0 : endpoint->body->received(view(what));
}

int tandem_endpoint_clear_ladder(tandem_endpoint* endpoint) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(endpoint);
    endpoint->body->clear_ladder();
    return TANDEM_OK;
  });
}

int tandem_endpoint_set_silent(tandem_endpoint* endpoint, int32_t is_silent) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(endpoint);
    endpoint->body->set_silent(is_silent != 0);
    return TANDEM_OK;
  });
}

// --- calls ---

int tandem_endpoint_call_hang_up_with(tandem_endpoint_call* call, int32_t q850_cause) {
  return act_on(call, [&](sim::EndpointCall& body) { body.hang_up(q850_cause); });
}

int tandem_endpoint_call_cancel(tandem_endpoint_call* call) {
  return act_on(call, [](sim::EndpointCall& body) { body.cancel(); });
}

int tandem_endpoint_call_ring(tandem_endpoint_call* call, int32_t status, int32_t with_sdp) {
  if (status < 101 || status > 199)
    return guarded([&]() -> int {
      return fail(ErrorCode::invalid_argument,
                  "status " + std::to_string(status) + " is not in 101..199");
    });
  return act_on(call, [&](sim::EndpointCall& body) { body.ring(status, with_sdp != 0); });
}

int tandem_endpoint_call_answer(tandem_endpoint_call* call) {
  return act_on(call, [](sim::EndpointCall& body) { body.answer(); });
}

int tandem_endpoint_call_reject(tandem_endpoint_call* call, int32_t status, int32_t q850_cause,
                                int32_t retry_after_s) {
  if (status < 300 || status > 699)
    return guarded([&]() -> int {
      return fail(ErrorCode::invalid_argument,
                  "status " + std::to_string(status) + " is not in 300..699");
    });
  return act_on(call,
                [&](sim::EndpointCall& body) { body.reject(status, q850_cause, retry_after_s); });
}

int tandem_endpoint_call_reinvite_without_offer(tandem_endpoint_call* call) {
  return act_on(call, [](sim::EndpointCall& body) { body.reinvite_without_offer(); });
}

int tandem_endpoint_call_refer(tandem_endpoint_call* call, const char* target) {
  return act_on(call, [&](sim::EndpointCall& body) { body.refer(copy(target)); });
}

int tandem_endpoint_call_refer_to(tandem_endpoint_call* call, const tandem_endpoint_call* to) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(call);
    TANDEM_CAPI_NOT_NULL(to);
    call->body->refer_to(*to->body);
    return TANDEM_OK;
  });
}

int tandem_endpoint_call_replaces(const tandem_endpoint_call* call, tandem_text** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(call);
    TANDEM_CAPI_NOT_NULL(out);
    return give(call->body->replaces(), out);
  });
}

int tandem_endpoint_call_set_reoffer(tandem_endpoint_call* call, int32_t status, const char* sdp) {
  return act_on(call, [&](sim::EndpointCall& body) {
    body.set_reoffer_status(status);
    body.set_reoffer_sdp(copy(sdp));
  });
}

int tandem_endpoint_call_set_request_status(tandem_endpoint_call* call, int32_t status) {
  return act_on(call, [&](sim::EndpointCall& body) { body.set_request_status(status); });
}

int tandem_endpoint_call_press_key(tandem_endpoint_call* call, char key, uint32_t duration_ms) {
  return act_on(call, [&](sim::EndpointCall& body) {
    body.press_key(key, static_cast<std::uint16_t>(duration_ms > 0xFFFF ? 0xFFFF : duration_ms));
  });
}

int tandem_endpoint_call_start_rtp(tandem_endpoint_call* call) {
  return act_on(call, [](sim::EndpointCall& body) { body.start_rtp(); });
}

int tandem_endpoint_call_stop_rtp(tandem_endpoint_call* call) {
  return act_on(call, [](sim::EndpointCall& body) { body.stop_rtp(); });
}

int tandem_endpoint_call_rekey(tandem_endpoint_call* call) {
  return act_on(call, [](sim::EndpointCall& body) { body.rekey(); });
}

int tandem_endpoint_call_look(const tandem_endpoint_call* call, tandem_endpoint_call_view* out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(call);
    TANDEM_CAPI_TRY(check_result_struct(out, "tandem_endpoint_call_view"));
    const sim::EndpointCall& body = *call->body;
    tandem_endpoint_call_view seen{};
    seen.call_id = body.call_id().c_str();
    seen.caller = body.caller().c_str();
    seen.display = body.display().c_str();
    seen.callee = body.callee().c_str();
    seen.product = body.product().c_str();
    seen.rn = body.rn().c_str();
    seen.npdi = body.npdi() ? 1 : 0;
    seen.is_answered = body.was_answered() ? 1 : 0;
    seen.q850_cause = body.q850_cause();
    seen.retry_after_s = body.retry_after_s();
    seen.local_sdp = body.local_sdp().c_str();
    seen.remote_sdp = body.remote_sdp().c_str();
    seen.last_body = body.last_body().c_str();
    seen.received_keys = body.received_keys().c_str();
    seen.received_type = body.received_type();
    seen.received_pattern = body.received_pattern();
    seen.is_encrypted = body.is_encrypted() ? 1 : 0;
    seen.srtp_failures = body.srtp_failures();
    write_struct(out, seen);
    return TANDEM_OK;
  });
}

int tandem_endpoint_call_headers(const tandem_endpoint_call* call, tandem_text** lines) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(call);
    TANDEM_CAPI_NOT_NULL(lines);
    std::string text;
    for (const auto& [name, value] : call->body->headers())
      text += name + ": " + value + '\n';
    return give(std::move(text), lines);
  });
}

}  // extern "C"
