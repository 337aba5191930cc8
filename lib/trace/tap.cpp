// What a worker records, and how much of it is kept.
#include <algorithm>
#include <functional>
#include <utility>

#include "trace/call_id.hpp"
#include "trace/recorder.hpp"
#include "trace/redact.hpp"

namespace tandem::trace {
namespace {

constexpr std::size_t tape_bytes = 1024;  // about what a tape takes beside its entries
constexpr std::size_t gateway_chars_max = 256;

std::size_t cost_of(const TraceEntry& entry) noexcept {
  return sizeof(TraceEntry) + entry.text.size() + entry.gateway.size();
}

/// Recording is of less worth than the call: what there is no memory for is not recorded.
template <class Act>
auto guarded(Act act) noexcept -> decltype(act()) {
  try {
    return act();
  } catch (const std::exception&) {
    return decltype(act())();
  }
}

void raise(std::atomic<std::uint64_t>& counter, std::uint64_t step = 1) noexcept {
  counter.fetch_add(step, std::memory_order_relaxed);
}
void lower(std::atomic<std::uint64_t>& counter, std::uint64_t step) noexcept {
  counter.fetch_sub(step, std::memory_order_relaxed);
}

}  // namespace

Result<void> Tap::open_hep(io::Loop& loop, const SocketAddress& local) {
  if (!config_.hep.server) return {};
  auto opened = HepSender::open(config_.hep, loop, local, hep_counters_);
  if (!opened) return opened.error();
  hep_ = std::move(*opened);
  return {};
}

Tap::Turn::~Turn() {
  Tapes gone;
  gone.swap(tap_.gone_);
  tap_.mutex_.unlock();
}

// --- the stack ---

void Tap::on_message(const Passage& passage, std::string_view bytes) noexcept {
  guarded([&] {
    const std::string_view call_id = call_id_of(bytes);
    if (call_id.empty()) return;
    const std::int64_t now_us = clock_.monotonic_us();
    const Turn turn(*this);
    const auto found = by_leg_.find(call_id);
    Tape* tape = found == by_leg_.end() ? nullptr : found->second;
    if (!passage.is_sent && bytes.starts_with("INVITE ")) {
      const std::size_t hash = std::hash<std::string_view>{}(bytes);
      // A change of a call that was up before is of nobody's call.
      const bool begins =
          (tape == nullptr || (tape->is_over && tape->invite_hash != hash)) && !has_to_tag(bytes);
      const bool is_wanted =
          begins && std::any_of(traces_.begin(), traces_.end(), [&](auto& one) {
            return one->takes_calls(now_us) && one->filter.may_come_from(passage.remote.ip);
          });
      if (begins && found != by_leg_.end()) by_leg_.erase(found);  // the rest is of the new call
      if (begins) tape = is_wanted ? &begin_tape(call_id, now_us) : nullptr;
      if (tape != nullptr && tape->legs.front().call_id == call_id) tape->invite_hash = hash;
    }
    if (tape == nullptr && passage.is_sent && expected_id_ != 0 && bytes.starts_with("INVITE ")) {
      // The leg speaks before its maker can say what it is called.
      tape = tape_of(expected_id_);
      if (tape != nullptr && !add_leg(*tape, call_id, expected_gateway_)) tape = nullptr;
    }
    if (tape == nullptr) return;
    TraceEntry entry;
    entry.at_us = clock_.wall_us();
    entry.is_sent = passage.is_sent;
    entry.is_lost = passage.is_lost;
    entry.transport = passage.transport;
    entry.local = passage.local;
    entry.remote = passage.remote;
    const auto leg = std::find_if(tape->legs.begin(), tape->legs.end(),
                                  [&](const Tape::Leg& one) { return one.call_id == call_id; });
    if (leg != tape->legs.begin() && leg != tape->legs.end()) {
      entry.side = TraceEntry::Side::vendor;
      entry.gateway = leg->gateway;
    }
    entry.text = bytes;
    if (config_.redact) redact(entry.text);
    const bool is_stored = store(*tape, entry, now_us);
    // What there is no room for is sent all the same.
    if (send_copies(*tape, now_us) && !is_stored) send_copy(*tape, entry);
    if (tape->wanted.empty()) {
      keep_pending_small();
    } else {
      keep_ring_small(tape);
    }
  });
}

Tap::Tape& Tap::begin_tape(std::string_view call_id, std::int64_t now_us) {
  auto made = std::make_unique<Tape>();
  Tape& tape = *made;
  tape.legs.push_back({std::string(call_id), {}});
  tape.call.call_id = call_id;
  tape.call.started_at_us = clock_.wall_us();
  tape.number = next_number_++;
  tape.bytes = tape.base_bytes = tape_bytes + 2 * call_id.size();
  for (const TracePtr& trace : traces_) {
    if (trace->takes_calls(now_us)) tape.open.push_back(trace);
  }
  Tapes& pending = shelf(Shelf::pending);
  tape.place = pending.insert(pending.end(), std::move(made));
  pending_bytes_used_ += tape.bytes;
  by_number_.emplace_hint(by_number_.end(), tape.number, &tape);
  by_leg_.insert_or_assign(std::string(call_id), &tape);
  return tape;
}

/// Keeps an entry when a trace of the tape has room for it, or none is decided on. Traces that have
/// none, or have ended, see it too, without having paid for it.
bool Tap::store(Tape& tape, TraceEntry& entry, std::int64_t now_us) {
  const std::size_t cost = cost_of(entry);
  const bool is_message = entry.kind == TraceEntry::Kind::message;
  const auto refuse = [&] {
    if (!is_message) return false;
    ++tape.call.dropped;
    for (const Tape::Share& share : tape.wanted)
      raise(share.trace->dropped);
    return false;
  };
  if (tape.bytes + cost > call_bytes_max || tape.entries.size() >= call_entries_max)
    return refuse();
  bool is_taken = tape.wanted.empty(), is_of_others = false;
  for (Tape::Share& share : tape.wanted) {
    Trace& trace = *share.trace;
    if (!trace.takes_entries(now_us)) continue;
    const std::uint64_t before = trace.bytes.fetch_add(cost, std::memory_order_relaxed);
    if (!trace.is_ring && before + cost > static_cast<std::uint64_t>(trace.request.bytes_max)) {
      lower(trace.bytes, cost);
      trace.finish(TraceEnd::bytes, clock_.wall_us());
      continue;
    }
    is_taken = true;
    share.bytes += cost;
    if (is_message) raise(trace.messages);
    if (trace.is_ring) {
      ring_bytes_used_ += cost;
    } else {
      is_of_others = true;
    }
  }
  if (!is_taken) return refuse();
  if (tape.shelf == Shelf::pending) pending_bytes_used_ += cost;
  tape.bytes += cost;
  if (is_message) ++tape.call.messages;
  tape.entries.push_back(std::move(entry));
  if (is_of_others) tape.others = tape.entries.size();
  put_away(tape);
  return true;
}

/// False: no trace wants them.
bool Tap::send_copies(Tape& tape, std::int64_t now_us) {
  if (hep_ == nullptr) return false;
  const bool is_wanted =
      std::any_of(tape.wanted.begin(), tape.wanted.end(), [&](const Tape::Share& share) {
        const Trace& trace = *share.trace;
        return trace.takes_entries(now_us) && trace.request.hep;
      });
  if (!is_wanted) return false;
  for (; tape.hep_next < tape.entries.size(); ++tape.hep_next)
    send_copy(tape, tape.entries[tape.hep_next]);
  return true;
}

void Tap::send_copy(const Tape& tape, const TraceEntry& entry) {
  if (entry.kind == TraceEntry::Kind::message && !entry.is_lost)
    hep_->send(entry, tape.call.call_id);
}

// --- calls ---

Tap::Tape* Tap::tape_of(std::uint64_t id) {
  const auto found = by_call_.find(id);
  return found == by_call_.end() ? nullptr : found->second;
}

bool Tap::open(std::uint64_t id, std::string_view call_id, const CallFacts& facts) noexcept {
  return guarded([&] {
    const std::int64_t now_us = clock_.monotonic_us();
    const Turn turn(*this);
    const auto found = by_leg_.find(call_id);
    Tape* tape = found == by_leg_.end() ? nullptr : found->second;
    const bool is_free = tape != nullptr && tape->is_free && tape->legs.front().call_id == call_id;
    if (!is_free) {
      // A call that another one is sent on by has no messages of its own on this side.
      const bool is_wanted = std::any_of(traces_.begin(), traces_.end(),
                                         [&](auto& one) { return one->takes_calls(now_us); });
      if (!is_wanted) return false;
      Tape* const others = tape;
      tape = &begin_tape(call_id, now_us);
      if (others != nullptr) by_leg_.find(call_id)->second = others;
    }
    if (tape->id != 0) by_call_.erase(tape->id);
    tape->id = tape->call.id = id;
    tape->is_free = false;
    tape->call.ended_at_us = 0;
    by_call_[id] = tape;
    count_live(*tape, 1);
    put_away(*tape);
    return settle(*tape, facts);
  });
}

void Tap::count_live(const Tape& tape, std::int64_t step) noexcept {
  if (tape.is_free || tape.is_over) return;
  for (const Tape::Share& share : tape.wanted)
    share.trace->live_calls.fetch_add(step, std::memory_order_relaxed);
}

void Tap::give_back(std::uint64_t id) noexcept {
  guarded([&] {
    const Turn turn(*this);
    Tape* const tape = tape_of(id);
    if (tape == nullptr) return;
    count_live(*tape, -1);
    tape->is_free = true;
    tape->call.ended_at_us = clock_.wall_us();
    const std::int64_t until_us = clock_.monotonic_us() + credentials_wait_us;
    for (const Tape::Share& share : tape->wanted)
      share.trace->credentials_until_us.store(until_us);
    put_away(*tape);
  });
}

/// Joins the traces that now turn out to want the call. False: none does, and the tape is gone.
bool Tap::settle(Tape& tape, const CallFacts& facts) {
  tape.call.caller = facts.caller.empty() ? facts.caller_in : facts.caller;
  tape.call.callee = facts.callee.empty() ? facts.callee_in : facts.callee;
  tape.call.customer_gateway = facts.customer.substr(0, gateway_chars_max);
  if (!facts.vendors.empty())
    tape.call.vendor_gateway = facts.vendors.back().substr(0, gateway_chars_max);
  for (std::size_t i = 0; i < tape.open.size();) {
    const TracePtr trace = tape.open[i];
    const Fit fit = trace->filter.fit(facts);
    if (fit == Fit::maybe) {
      ++i;
      continue;
    }
    tape.open.erase(tape.open.begin() + static_cast<std::ptrdiff_t>(i));
    if (fit == Fit::yes) join(tape, trace);
  }
  if (tape.wanted.empty() && tape.open.empty()) {
    drop(tape);
    return false;
  }
  send_copies(tape, clock_.monotonic_us());
  keep_ring_small(&tape);
  return true;
}

void Tap::join(Tape& tape, const TracePtr& trace) {
  if (!trace->takes_calls(clock_.monotonic_us())) return;
  if (trace->is_ring) {
    raise(trace->calls);
    raise(trace->bytes, tape.bytes);
    ring_bytes_used_ += tape.bytes;
  } else {
    const auto most = static_cast<std::uint64_t>(trace->request.calls_max);
    const std::uint64_t before = trace->calls.fetch_add(1, std::memory_order_relaxed);
    if (before >= most) return lower(trace->calls, 1);
    const std::uint64_t taken = trace->bytes.fetch_add(tape.bytes, std::memory_order_relaxed);
    if (taken + tape.bytes > static_cast<std::uint64_t>(trace->request.bytes_max)) {
      lower(trace->bytes, tape.bytes);
      lower(trace->calls, 1);
      raise(trace->dropped, tape.call.messages);
      return trace->finish(TraceEnd::bytes, clock_.wall_us());
    }
    if (before + 1 == most) trace->finish(TraceEnd::calls, clock_.wall_us());
    tape.others = tape.entries.size();
  }
  raise(trace->messages, tape.call.messages);
  if (!tape.is_free && !tape.is_over) trace->live_calls.fetch_add(1, std::memory_order_relaxed);
  tape.wanted.push_back({trace, tape.bytes});
  put_away(tape);
}

Tap::Tape::Share* Tap::ring_share(Tape& tape) noexcept {
  const auto found = std::find_if(tape.wanted.begin(), tape.wanted.end(),
                                  [](const Tape::Share& one) { return one.trace->is_ring; });
  return found == tape.wanted.end() ? nullptr : &*found;
}

/// What the ring pays for a tape whose entries it has given back: nothing where others want it.
std::size_t Tap::ring_least(const Tape& tape) noexcept {
  return tape.wanted.size() == 1 ? tape.base_bytes : 0;
}

Tap::Shelf Tap::shelf_of(Tape& tape) noexcept {
  if (tape.wanted.empty()) return Shelf::pending;
  const Tape::Share* const share = ring_share(tape);
  if (share == nullptr) return Shelf::held;
  if (tape.is_over || tape.is_free) return Shelf::ended;
  return share->bytes > ring_least(tape) ? Shelf::live : Shelf::bare;
}

/// Onto the shelf where it belongs now.
void Tap::put_away(Tape& tape) {
  const Shelf which = shelf_of(tape);
  if (which == tape.shelf) return;
  if (tape.shelf == Shelf::pending) pending_bytes_used_ -= tape.bytes;
  if (which == Shelf::pending) pending_bytes_used_ += tape.bytes;
  Tapes& to = shelf(which);
  to.splice(to.end(), shelf(tape.shelf), tape.place);
  tape.shelf = which;
}

bool Tap::decide(std::uint64_t id, const CallFacts& facts) noexcept {
  return guarded([&] {
    const Turn turn(*this);
    Tape* const tape = tape_of(id);
    return tape != nullptr && settle(*tape, facts);
  });
}

void Tap::expect_leg(std::uint64_t id, std::string_view gateway) noexcept {
  guarded([&] {
    const Turn turn(*this);
    expected_id_ = id;
    expected_gateway_ = gateway;
  });
}

void Tap::add_leg(std::uint64_t id, std::string_view call_id, std::string_view gateway) noexcept {
  guarded([&] {
    const Turn turn(*this);
    expected_id_ = 0;
    Tape* const tape = tape_of(id);
    if (tape != nullptr && !call_id.empty()) (void)add_leg(*tape, call_id, gateway);
  });
}

/// False: it belongs to a call already, or there are too many.
bool Tap::add_leg(Tape& tape, std::string_view call_id, std::string_view gateway) {
  constexpr std::size_t legs_max = 64;
  if (tape.legs.size() >= legs_max) return false;
  if (!by_leg_.try_emplace(std::string(call_id), &tape).second) return false;
  tape.legs.push_back({std::string(call_id), std::string(gateway.substr(0, gateway_chars_max))});
  return true;
}

void Tap::note(std::uint64_t id, std::string_view topic, std::string text) noexcept {
  guarded([&] {
    const std::int64_t now_us = clock_.monotonic_us();
    const Turn turn(*this);
    Tape* const tape = tape_of(id);
    if (tape == nullptr) return;
    TraceEntry entry;
    entry.kind = TraceEntry::Kind::note;
    entry.at_us = clock_.wall_us();
    entry.topic = topic;
    entry.text = std::move(text);
    (void)store(*tape, entry, now_us);
    if (tape->wanted.empty()) {
      keep_pending_small();
    } else {
      keep_ring_small(tape);
    }
  });
}

void Tap::close(std::uint64_t id, const CallFacts& facts, const CallEnd& end) noexcept {
  note(id, "call", std::string(end.text));
  guarded([&] {
    const Turn turn(*this);
    Tape* const tape = tape_of(id);
    if (tape == nullptr) return;
    if (!settle(*tape, facts)) return;
    tape->call.ended_at_us = clock_.wall_us();
    tape->call.end_reason = end.reason;
    count_live(*tape, -1);
    tape->is_over = true;
    put_away(*tape);
  });
}

// --- what is kept ---

void Tap::drop(Tape& tape) {
  count_live(tape, -1);
  for (const Tape::Share& share : tape.wanted) {
    lower(share.trace->bytes, share.bytes);
    if (share.trace->is_ring) ring_bytes_used_ -= share.bytes;
  }
  if (tape.shelf == Shelf::pending) pending_bytes_used_ -= tape.bytes;
  for (const Tape::Leg& leg : tape.legs) {
    const auto found = by_leg_.find(leg.call_id);
    if (found != by_leg_.end() && found->second == &tape) by_leg_.erase(found);
  }
  if (tape.id != 0) {
    const auto found = by_call_.find(tape.id);
    if (found != by_call_.end() && found->second == &tape) by_call_.erase(found);
  }
  by_number_.erase(tape.number);
  gone_.splice(gone_.end(), shelf(tape.shelf), tape.place);
}

void Tap::leave(Tape& tape, const TracePtr& trace) {
  std::erase(tape.open, trace);
  const auto found = std::find_if(tape.wanted.begin(), tape.wanted.end(),
                                  [&](const Tape::Share& share) { return share.trace == trace; });
  if (found != tape.wanted.end()) {
    if (!tape.is_free && !tape.is_over) trace->live_calls.fetch_sub(1, std::memory_order_relaxed);
    lower(trace->bytes, found->bytes);
    if (trace->is_ring) ring_bytes_used_ -= found->bytes;
    tape.wanted.erase(found);
    settle_shares(tape);
  }
  if (tape.wanted.empty() && tape.open.empty()) return drop(tape);
  put_away(tape);
}

/// One of those that paid for a tape has left it: the ring pays for what nobody else does, and what
/// nobody at all pays for goes.
void Tap::settle_shares(Tape& tape) {
  std::size_t paid = 0;
  for (const Tape::Share& share : tape.wanted)
    if (!share.trace->is_ring) paid = std::max(paid, share.bytes);
  // Every trace pays for a tape from its beginning.
  std::size_t bytes = tape.base_bytes;
  std::size_t others = 0;
  while (others < tape.others && bytes + cost_of(tape.entries[others]) <= paid)
    bytes += cost_of(tape.entries[others++]);
  tape.others = others;
  if (Tape::Share* const ring = ring_share(tape); ring != nullptr) {
    raise(ring->trace->bytes, tape.bytes - ring->bytes);
    ring_bytes_used_ += tape.bytes - ring->bytes;
    ring->bytes = tape.bytes;
  } else if (!tape.wanted.empty()) {
    (void)cut(tape, 0);
  }
}

void Tap::keep_pending_small() {
  while (pending_bytes_used_ > pending_bytes_max && !shelf(Shelf::pending).empty())
    drop(*shelf(Shelf::pending).front());
}

/// Calls that are over go first, then what was recorded of those that are up, whose tapes stay so
/// that their end is seen. Last, all but the latest entry of `but`, which is being written.
void Tap::keep_ring_small(Tape* but) {
  const auto give_back = [&](Shelf from, const auto& act) {
    Tapes& tapes = shelf(from);
    for (auto next = tapes.begin(); ring_bytes_used_ > ring_bytes_ && next != tapes.end();) {
      Tape& tape = **next++;
      if (&tape != but) act(tape);
    }
  };
  give_back(Shelf::ended, [&](Tape& tape) { leave(tape, TracePtr(ring_share(tape)->trace)); });
  give_back(Shelf::live, [&](Tape& tape) { strip(tape, 0); });
  if (but != nullptr && ring_bytes_used_ > ring_bytes_ && ring_share(*but) != nullptr)
    strip(*but, 1);
}

/// Gives back what the ring has of a tape, but for its last `kept` entries.
void Tap::strip(Tape& tape, std::size_t kept) {
  Tape::Share& share = *ring_share(tape);
  raise(share.trace->dropped, cut(tape, kept));
  std::size_t left = ring_least(tape);
  for (std::size_t i = tape.others; i < tape.entries.size(); ++i)
    left += cost_of(tape.entries[i]);
  lower(share.trace->bytes, share.bytes - left);
  ring_bytes_used_ -= share.bytes - left;
  share.bytes = left;
  put_away(tape);
}

/// Takes out all entries that the ring alone has paid for, but for the last `kept` of the tape.
/// Returns how many messages that were.
std::uint64_t Tap::cut(Tape& tape, std::size_t kept) noexcept {
  const std::size_t first = tape.others;
  const std::size_t end = tape.entries.size() - std::min(kept, tape.entries.size());
  if (first >= end) return 0;
  std::uint64_t messages = 0;
  for (std::size_t i = first; i < end; ++i) {
    tape.bytes -= cost_of(tape.entries[i]);
    if (tape.entries[i].kind == TraceEntry::Kind::message) ++messages;
  }
  tape.entries.erase(tape.entries.begin() + static_cast<std::ptrdiff_t>(first),
                     tape.entries.begin() + static_cast<std::ptrdiff_t>(end));
  if (tape.hep_next > first) tape.hep_next -= std::min(tape.hep_next, end) - first;
  tape.call.messages -= messages;
  tape.call.dropped += messages;
  return messages;
}

// --- readers ---

void Tap::set_traces(std::vector<TracePtr> traces) {
  const std::lock_guard lock(mutex_);
  traces_ = std::move(traces);
}

/// Calls `act`, which may drop it, for each of the next tapes from the number `from` on. Returns
/// where to go on once the worker has had its turn. With mutex_ held.
template <class Act>
std::uint64_t Tap::walk_slice(std::uint64_t from, const Act& act) const {
  std::size_t walked = 0;
  auto next = by_number_.lower_bound(from);
  for (; next != by_number_.end() && walked < slice_tapes; ++walked) {
    Tape& tape = *next++->second;
    act(tape);
  }
  longest_reading_ = std::max(longest_reading_, walked);
  return next == by_number_.end() ? UINT64_MAX : next->first;
}

/// The trace has ended, so that no tape joins it any more.
void Tap::forget(const TracePtr& trace) {
  std::uint64_t end = 0;
  {
    const Turn turn(*this);
    std::erase(traces_, trace);
    end = next_number_;
  }
  for (std::uint64_t from = 0; from < end;) {
    const Turn turn(*this);
    from = walk_slice(from, [&](Tape& tape) { leave(tape, trace); });
  }
  const Turn turn(*this);
  keep_ring_small(nullptr);  // it may have to pay alone for what both had
}

void Tap::drop_pending() {
  Tapes& pending = shelf(Shelf::pending);
  for (bool is_more = true; is_more;) {
    const Turn turn(*this);
    std::size_t dropped = 0;
    for (; dropped < slice_tapes && !pending.empty(); ++dropped)
      drop(*pending.front());
    longest_reading_ = std::max(longest_reading_, dropped);
    is_more = !pending.empty();
  }
}

std::vector<TracedCallView> Tap::calls(std::uint64_t trace) const {
  std::vector<TracedCallView> views;
  for (std::uint64_t from = 0; from != UINT64_MAX;) {
    const std::lock_guard lock(mutex_);
    from = walk_slice(from, [&](const Tape& tape) {
      if (std::any_of(tape.wanted.begin(), tape.wanted.end(),
                      [&](const Tape::Share& one) { return one.trace->id == trace; }))
        views.push_back(tape.call);
    });
  }
  return views;
}

std::optional<TracedCall> Tap::call(std::uint64_t trace, std::uint64_t id) const {
  const std::lock_guard lock(mutex_);
  const auto found = by_call_.find(id);
  if (found == by_call_.end()) return std::nullopt;
  const Tape& tape = *found->second;
  if (std::none_of(tape.wanted.begin(), tape.wanted.end(),
                   [&](const Tape::Share& one) { return one.trace->id == trace; }))
    return std::nullopt;
  return TracedCall{tape.call, tape.entries};
}

std::size_t Tap::pending_bytes() const {
  const std::lock_guard lock(mutex_);
  return pending_bytes_used_;
}

std::size_t Tap::tapes() const {
  const std::lock_guard lock(mutex_);
  return by_number_.size();
}

std::size_t Tap::longest_reading() const {
  const std::lock_guard lock(mutex_);
  return longest_reading_;
}

}  // namespace tandem::trace
