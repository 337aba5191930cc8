// Call traces of a switch (O-12).
#include "switch/body.hpp"

namespace tandem {

/// Before the loops start.
Result<void> Switch::Body::open_traces() {
  if (!config_.trace.hep.server) return {};
  const bool is_ipv6 = config_.trace.hep.server->ip.is_ipv6();
  SocketAddress local;
  local.ip.family = config_.trace.hep.server->ip.family;  // any
  for (const ListenConfig& listen : config_.sip_listen) {
    if (listen.address.ip.is_ipv6() != is_ipv6 || listen.address.ip.is_unspecified()) continue;
    // From loopback nothing reaches another host.
    if (listen.address.ip.is_loopback() != config_.trace.hep.server->ip.is_loopback()) continue;
    local.ip = listen.address.ip;
    break;
  }
  for (unsigned i = 0; i < seats_.size(); ++i) {
    if (auto opened = trace_recorder_->tap(i).open_hep(*seats_[i].loop, local); !opened)
      return Error{opened.error().code, "/trace/hep: " + opened.error().message};
  }
  return {};
}

void Switch::Body::close_traces() noexcept {
  if (trace_recorder_ == nullptr) return;
  for (unsigned i = 0; i < seats_.size(); ++i)
    trace_recorder_->tap(i).close_hep();
}

void Switch::Body::tell_of_trace(std::uint64_t id, const std::string& what) {
  log_.write(LogLevel::info, "switch", "call trace",
             {{"trace", std::to_string(id)}, {"what", what}});
  if (!wants_events()) return;
  Event event;
  event.kind = Event::Kind::trace;
  event.at_us = wall_us();
  event.text = std::to_string(id) + " " + what;
  publish(std::move(event));
}

/// Each second, on the first worker's loop.
void Switch::Body::tell_of_ended_traces() {
  for (const TraceView& ended : trace_recorder_->sweep())
    tell_of_trace(ended.id, std::string("ended: ") + trace_end_name(ended.end));
}

Result<TraceView> Switch::Body::start_trace(const TraceRequest& request) {
  if (life_ == Life::closed) return Error{ErrorCode::wrong_state, "switch was closed"};
  auto started = trace_recorder_->start(request);
  if (started) tell_of_trace(started->id, "began");
  return started;
}

Result<TraceView> Switch::Body::stop_trace(std::uint64_t id) {
  auto stopped = trace_recorder_->stop(id);
  if (stopped) tell_of_ended_traces();
  return stopped;
}

Result<void> Switch::Body::remove_trace(std::uint64_t id) {
  auto removed = trace_recorder_->remove(id);
  if (removed) tell_of_trace(id, "removed");
  return removed;
}

Result<TraceView> Switch::start_trace(const TraceRequest& request) {
  return body_->start_trace(request);
}
Result<TraceView> Switch::stop_trace(std::uint64_t id) { return body_->stop_trace(id); }
Result<void> Switch::remove_trace(std::uint64_t id) { return body_->remove_trace(id); }
std::vector<TraceView> Switch::traces() const { return body_->trace_recorder().traces(); }
Result<TraceView> Switch::trace(std::uint64_t id) const {
  return body_->trace_recorder().trace(id);
}
Result<std::vector<TracedCallView>> Switch::traced_calls(std::uint64_t id) const {
  return body_->trace_recorder().calls(id);
}
Result<TracedCall> Switch::traced_call(std::uint64_t id, std::uint64_t call) const {
  return body_->trace_recorder().call(id, call);
}

}  // namespace tandem
