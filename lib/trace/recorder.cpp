#include "trace/recorder.hpp"

#include <algorithm>
#include <string>

namespace tandem::trace {
namespace {

constexpr std::int64_t second_us = 1'000'000;

Error out_of(const char* key, std::int64_t value, std::int64_t low, std::int64_t high) {
  return {ErrorCode::invalid_argument, std::string("/") + key + ": " + std::to_string(value) +
                                           " is not in " + std::to_string(low) + ".." +
                                           std::to_string(high)};
}

Error no_trace(std::uint64_t id) {
  return {ErrorCode::not_found, "no trace " + std::to_string(id)};
}

Result<void> check(const TraceRequest& request, const TraceConfig& config) {
  if (request.duration_s < 1 || request.duration_s > 86'400)
    return out_of("duration_s", request.duration_s, 1, 86'400);
  if (request.calls_max < 1 || request.calls_max > 10'000)
    return out_of("calls", request.calls_max, 1, 10'000);
  constexpr std::int64_t bytes_low = 65'536, bytes_high = 1 << 30;
  if (request.bytes_max < bytes_low || request.bytes_max > bytes_high)
    return out_of("bytes", request.bytes_max, bytes_low, bytes_high);
  if (request.bytes_max > config.memory_bytes)
    return Error{ErrorCode::invalid_argument,
                 "/bytes: " + std::to_string(request.bytes_max) + " is above the " +
                     std::to_string(config.memory_bytes) + " of trace.memory_bytes"};
  if (request.memo.size() > 256)
    return Error{ErrorCode::invalid_argument, "/memo: longer than 256"};
  if (request.hep && !config.hep.server)
    return Error{ErrorCode::invalid_argument, "/hep: no trace.hep.server is configured"};
  return {};
}

}  // namespace

void Trace::finish(TraceEnd why, std::int64_t wall_us) noexcept {
  TraceEnd none = TraceEnd::none;
  if (end.compare_exchange_strong(none, why)) ended_wall_us.store(wall_us);
}

TraceView Trace::view() const {
  TraceView view;
  view.id = id;
  view.request = request;
  view.started_at_us = started_wall_us;
  view.end = end.load();
  view.ends_at_us = is_ring ? 0 : started_wall_us + request.duration_s * second_us;
  if (view.end != TraceEnd::none) view.ends_at_us = ended_wall_us.load();
  view.calls = calls.load();
  view.messages = messages.load();
  view.bytes = bytes.load();
  view.dropped = dropped.load();
  return view;
}

Recorder::Recorder(const Clock& clock, const TraceConfig& config, unsigned workers)
    : clock_(clock), config_(config) {
  for (unsigned i = 0; i < workers; ++i) {
    const auto share = static_cast<std::size_t>(config.ring_bytes) / workers;
    taps_.push_back(std::make_unique<Tap>(clock, config_, is_on_, share, hep_));
  }
  if (config.ring_bytes == 0) return;
  auto ring = std::make_shared<Trace>();
  ring->is_ring = true;
  ring->started_wall_us = clock.wall_us();
  ring->request.bytes_max = config.ring_bytes;
  ring->request.hep = config.hep.all_calls;
  ring->request.duration_s = ring->request.calls_max = 0;
  traces_.push_back(std::move(ring));
  publish();
}

TracePtr Recorder::find(std::uint64_t id) const {
  const auto found = std::find_if(traces_.begin(), traces_.end(),
                                  [id](const TracePtr& trace) { return trace->id == id; });
  return found == traces_.end() ? nullptr : *found;
}

void Recorder::publish() {
  const std::int64_t now_us = clock_.monotonic_us();
  for (const auto& tap : taps_)
    tap->set_traces(traces_);
  // After, so that whoever sees it on sees what is traced.
  const bool is_on = std::any_of(traces_.begin(), traces_.end(), [&](const TracePtr& trace) {
    return trace->is_recording(now_us);
  });
  is_on_.store(is_on);
}

void Recorder::forget(const TracePtr& trace) {
  trace->finish(TraceEnd::stopped, clock_.wall_us());
  std::erase(traces_, trace);
  for (const auto& tap : taps_)
    tap->forget(trace);
}

void Recorder::end_by_time() {
  const std::int64_t now_us = clock_.monotonic_us();
  for (const TracePtr& trace : traces_) {
    if (!trace->is_ring && now_us >= trace->deadline_us)
      trace->finish(TraceEnd::time, clock_.wall_us());
  }
}

/// Forgets traces that ended, the first to end first, until there is room for one more of `bytes`.
/// False: those that record leave none, and none is forgotten.
bool Recorder::make_room(std::uint64_t bytes) {
  const auto most = static_cast<std::uint64_t>(config_.memory_bytes);
  const std::int64_t now_us = clock_.monotonic_us();
  end_by_time();
  std::size_t known = 1;
  std::uint64_t taken = bytes;
  std::vector<TracePtr> ended;
  for (const TracePtr& trace : traces_) {
    if (trace->is_ring) continue;
    if (trace->is_recording(now_us)) {
      ++known;
      taken += static_cast<std::uint64_t>(trace->request.bytes_max);
    } else {
      ended.push_back(trace);
    }
  }
  if (known > traces_max || taken > most) return false;
  std::stable_sort(ended.begin(), ended.end(), [](const TracePtr& a, const TracePtr& b) {
    return a->ended_wall_us.load() < b->ended_wall_us.load();
  });
  // The last to end are kept, as many as fit.
  auto first_kept = ended.end();
  while (first_kept != ended.begin()) {
    taken += (*std::prev(first_kept))->bytes.load();
    if (++known > traces_max || taken > most) break;
    --first_kept;
  }
  for (auto one = ended.begin(); one != first_kept; ++one)
    forget(*one);
  return true;
}

Result<TraceView> Recorder::start(TraceRequest request) {
  if (auto checked = check(request, config_); !checked) return checked.error();
  auto filter = Filter::create(request.filter);
  if (!filter) return filter.error();
  auto trace = std::make_shared<Trace>();
  trace->filter = std::move(*filter);
  trace->request = std::move(request);
  trace->started_wall_us = clock_.wall_us();
  trace->deadline_us = clock_.monotonic_us() + trace->request.duration_s * second_us;
  const std::lock_guard lock(mutex_);
  if (!make_room(static_cast<std::uint64_t>(trace->request.bytes_max))) {
    return Error{ErrorCode::limit, "traces that run leave no room: at most " +
                                       std::to_string(traces_max) + ", with " +
                                       std::to_string(config_.memory_bytes) + " bytes together"};
  }
  trace->id = next_id_++;
  traces_.push_back(trace);
  publish();
  return trace->view();
}

Result<TraceView> Recorder::stop(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  const TracePtr trace = find(id);
  if (trace == nullptr) return no_trace(id);
  if (trace->is_ring)
    return Error{ErrorCode::wrong_state, "trace 0 is trace.ring_bytes of the configuration"};
  const TraceEnd end = trace->end.load();
  if (end != TraceEnd::none && end != TraceEnd::calls)
    return Error{ErrorCode::wrong_state, "trace " + std::to_string(id) +
                                             " has ended: " + trace_end_name(trace->end.load())};
  trace->finish(TraceEnd::stopped, clock_.wall_us());
  trace->end.store(TraceEnd::stopped);  // in place of `calls`, which lets calls go on
  publish();
  return trace->view();
}

Result<void> Recorder::remove(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  const TracePtr trace = find(id);
  if (trace == nullptr) return no_trace(id);
  if (trace->is_ring)
    return Error{ErrorCode::wrong_state, "trace 0 is trace.ring_bytes of the configuration"};
  forget(trace);
  publish();
  return {};
}

std::vector<TraceView> Recorder::traces() const {
  const std::lock_guard lock(mutex_);
  std::vector<TraceView> views;
  views.reserve(traces_.size());
  for (const TracePtr& trace : traces_)
    views.push_back(trace->view());
  return views;
}

Result<TraceView> Recorder::trace(std::uint64_t id) const {
  const std::lock_guard lock(mutex_);
  const TracePtr trace = find(id);
  if (trace == nullptr) return no_trace(id);
  return trace->view();
}

Result<std::vector<TracedCallView>> Recorder::calls(std::uint64_t id) const {
  if (auto known = trace(id); !known) return known.error();
  std::vector<TracedCallView> all;
  for (const auto& tap : taps_) {
    auto own = tap->calls(id);
    all.insert(all.end(), std::make_move_iterator(own.begin()), std::make_move_iterator(own.end()));
  }
  std::stable_sort(all.begin(), all.end(), [](const TracedCallView& a, const TracedCallView& b) {
    return a.started_at_us != b.started_at_us ? a.started_at_us > b.started_at_us : a.id > b.id;
  });
  return all;
}

Result<TracedCall> Recorder::call(std::uint64_t id, std::uint64_t call) const {
  if (auto known = trace(id); !known) return known.error();
  for (const auto& tap : taps_) {
    if (auto found = tap->call(id, call)) return std::move(*found);
  }
  return Error{ErrorCode::not_found,
               "no call " + std::to_string(call) + " in trace " + std::to_string(id)};
}

std::vector<TraceView> Recorder::sweep() {
  const std::lock_guard lock(mutex_);
  const bool was_on = is_on_.load();
  std::vector<TraceView> ended;
  end_by_time();
  for (const TracePtr& trace : traces_) {
    if (trace->end.load() != TraceEnd::none && !trace->is_end_told.exchange(true))
      ended.push_back(trace->view());
  }
  if (!was_on) return ended;
  publish();
  if (is_on_.load()) return ended;
  for (const auto& tap : taps_)
    tap->drop_pending();
  return ended;
}

}  // namespace tandem::trace
