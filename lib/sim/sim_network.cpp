#include "sim/sim_network.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "sim/sim_core.hpp"

namespace tandem::sim {

SimNetwork::SimNetwork(const SimNetworkOptions& options) : body_(std::make_shared<Body>(options)) {}

SimNetwork::~SimNetwork() = default;

Result<std::unique_ptr<io::Loop>> SimNetwork::create_loop(std::string name) {
  return create_loop(std::move(name), IpAddress{});
}

Result<std::unique_ptr<io::Loop>> SimNetwork::create_loop(std::string name, const IpAddress& host) {
  return std::unique_ptr<io::Loop>(std::make_unique<SimLoop>(body_, std::move(name), host));
}

const Clock& SimNetwork::clock() const noexcept { return body_->clock; }

SimulatedClock& SimNetwork::simulated_clock() noexcept { return body_->clock; }

bool SimNetwork::run_for_us(std::int64_t us) {
  return body_->run(us, nullptr) != Body::Outcome::refused;
}

bool SimNetwork::run_until(const std::function<bool()>& done, std::int64_t limit_us) {
  return body_->run(limit_us, &done) == Body::Outcome::done;
}

bool SimNetwork::run_until_idle(std::int64_t limit_us) {
  return body_->run(limit_us, nullptr, true) == Body::Outcome::idle;
}

void SimNetwork::set_default_link(const LinkSettings& link) { body_->default_link = link; }

Result<void> SimNetwork::set_link(const SocketAddress& from, const SocketAddress& to,
                                  const LinkSettings& link) {
  return body_->set_link(from, to, link);
}

Result<void> SimNetwork::partition(const IpAddress& a, const IpAddress& b) {
  if (auto done = body_->set_partitioned(a, b, true); !done) return done;
  return body_->set_partitioned(b, a, true);
}

Result<void> SimNetwork::heal(const IpAddress& a, const IpAddress& b) {
  if (auto done = body_->set_partitioned(a, b, false); !done) return done;
  return body_->set_partitioned(b, a, false);
}

void SimNetwork::clear_links() {
  body_->rules.clear();
  body_->rule_of_pair.clear();
}

void SimNetwork::set_unreachable(bool answers) noexcept { body_->answers_unreachable = answers; }

std::size_t SimNetwork::reset_streams(const IpAddress& a, const IpAddress& b) {
  return body_->reset_streams(a, b);
}

void SimNetwork::set_tap(std::function<void(const DatagramView&)> tap) {
  body_->tap = std::move(tap);
}

void SimNetwork::drop_if(std::function<bool(const DatagramView&)> predicate) {
  body_->filter = std::move(predicate);
}

const NetworkCounters& SimNetwork::counters() const noexcept { return body_->counters; }

std::uint64_t SimNetwork::trace_hash() const noexcept { return body_->trace_hash; }

void SimNetwork::capture(std::size_t bytes_max) { body_->capture = Capture(bytes_max); }

std::uint64_t SimNetwork::captured() const noexcept { return body_->capture.size(); }

std::uint64_t SimNetwork::capture_overflow() const noexcept { return body_->capture.overflow(); }

Result<void> SimNetwork::write_pcap(const std::string& path) const {
  return body_->capture.write_pcap(path);
}

// Time and order.

SimNetwork::Body::Body(const SimNetworkOptions& options)
    : clock(options.wall_us),
      random(options.seed),
      default_link(options.link),
      now_us(clock.monotonic_us()),
      thread(std::this_thread::get_id()) {}

void SimNetwork::Body::schedule(std::int64_t at_us, EventKind kind, std::uint32_t slot) {
  events.push_back({std::max(at_us, now_us), ++sequence, slot, kind});
  std::push_heap(events.begin(), events.end(), later);
}

SimNetwork::Body::Outcome SimNetwork::Body::run(std::int64_t us, const std::function<bool()>* done,
                                                bool until_idle) {
  if (is_running) return Outcome::refused;
  is_running = true;
  thread = std::this_thread::get_id();
  const std::int64_t limit_us = now_us + std::clamp<std::int64_t>(us, 0, INT64_MAX / 4);
  // What was started outside of turns, by the code that calls us.
  for (SimLoop* loop : loops) {
    if (loop != nullptr) loop->arm();
  }
  Outcome outcome = Outcome::limit;
  for (;;) {
    if (done != nullptr && (*done)()) {
      outcome = Outcome::done;
      break;
    }
    take_posts();
    if (!run_next(limit_us)) {
      if (until_idle && events.empty()) outcome = Outcome::idle;
      break;
    }
  }
  if (outcome == Outcome::limit) move_clock(limit_us);
  is_running = false;
  return outcome;
}

void SimNetwork::Body::move_clock(std::int64_t at_us) {
  if (at_us <= now_us) return;
  clock.advance_us(at_us - now_us);
  now_us = at_us;
}

void SimNetwork::Body::take_posts() {
  if (!has_posts.exchange(false, std::memory_order_acquire)) return;
  for (std::uint32_t i = 0; i < loops.size(); ++i) {
    if (loops[i] != nullptr && loops[i]->has_work()) schedule(now_us, EventKind::turn, i);
  }
}

bool SimNetwork::Body::run_next(std::int64_t limit_us) {
  while (!events.empty() && events.front().at_us <= limit_us) {
    const Event event = pop();
    switch (event.kind) {
      case EventKind::timer: {
        SimLoop* const loop = loops[event.slot];
        if (loop == nullptr || !loop->timer_is_due(event.at_us))
          continue;  // cancelled, or of a former loop
        move_clock(event.at_us);
        loop->begin_turn();
        loop->end_turn();
        return true;
      }
      case EventKind::turn: {
        SimLoop* const loop = loops[event.slot];
        if (loop == nullptr || !loop->has_work()) continue;
        move_clock(event.at_us);
        loop->begin_turn();
        loop->end_turn();
        return true;
      }
      case EventKind::datagram:
        move_clock(event.at_us);
        arrive(event);
        return true;
      case EventKind::unreachable:
        move_clock(event.at_us);
        arrive_unreachable(event.slot);
        return true;
      case EventKind::stream:
        move_clock(event.at_us);
        arrive_stream(event.slot);
        return true;
    }
  }
  return false;
}

SimNetwork::Body::Event SimNetwork::Body::pop() {
  std::pop_heap(events.begin(), events.end(), later);
  const Event event = events.back();
  events.pop_back();
  return event;
}

// Links.

Result<void> SimNetwork::Body::set_link(const SocketAddress& from, const SocketAddress& to,
                                        const LinkSettings& link) {
  std::erase_if(rules, [&](const Rule& rule) { return rule.from == from && rule.to == to; });
  if (rules.size() >= rules_max) {
    return Error{ErrorCode::limit, "the network had " + std::to_string(rules_max) + " link rules"};
  }
  rules.push_back({from, to, link});
  rule_of_pair.clear();
  return {};
}

Result<void> SimNetwork::Body::set_partitioned(const IpAddress& from, const IpAddress& to,
                                               bool is_partitioned) {
  bool is_found = false;
  for (Rule& rule : rules) {
    const bool is_inside = rule.from.ip == from && rule.to.ip == to;
    if (!is_inside) continue;
    rule.link.partitioned = is_partitioned;
    is_found = is_found || (rule.from.port == 0 && rule.to.port == 0);
  }
  if (is_found || !is_partitioned) return {};
  LinkSettings link = link_between({from, 0}, {to, 0});
  link.partitioned = true;
  return set_link({from, 0}, {to, 0}, link);
}

const LinkSettings& SimNetwork::Body::link_between(const SocketAddress& from,
                                                   const SocketAddress& to) {
  if (rules.empty()) return default_link;
  const AddressPair pair{from, to};
  if (const auto known = rule_of_pair.find(pair); known != rule_of_pair.end()) {
    return known->second < 0 ? default_link : rules[static_cast<std::size_t>(known->second)].link;
  }
  const auto fits = [](const SocketAddress& rule, const SocketAddress& address) {
    return (rule.port == 0 || rule.port == address.port) &&
           (rule.ip.family == IpAddress::Family::none || rule.ip == address.ip);
  };
  int index = static_cast<int>(rules.size()) - 1;
  while (index >= 0) {
    const Rule& rule = rules[static_cast<std::size_t>(index)];
    if (fits(rule.from, from) && fits(rule.to, to)) break;
    --index;
  }
  if (rule_of_pair.size() >= pairs_max) rule_of_pair.clear();
  rule_of_pair.emplace(pair, index);
  return index < 0 ? default_link : rules[static_cast<std::size_t>(index)].link;
}

bool SimNetwork::Body::happens(int per_mille) noexcept {
  return per_mille > 0 && random.below(1000) < static_cast<std::uint64_t>(per_mille);
}

std::int64_t SimNetwork::Body::travel_us(const LinkSettings& link) noexcept {
  std::int64_t us = std::clamp<std::int64_t>(link.delay_us, 0, delay_us_max);
  if (link.jitter_us > 0) {
    us += static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(link.jitter_us) + 1));
  }
  return us;
}

// Ports.

bool PortTable::is_free(const SocketAddress& address, bool reuse_port) const {
  const auto allows = [&](const Binding& binding) { return reuse_port && binding.is_shared; };
  const auto exact = bindings_.find(address);
  if (exact != bindings_.end() && !allows(exact->second)) return false;
  const SocketAddress wildcard = wildcard_of(address);
  if (address == wildcard) {
    const auto use = use_of_port_.find(wildcard);
    if (use == use_of_port_.end()) return true;
    return reuse_port ? use->second.unshared == 0 : use->second.all == 0;
  }
  const auto whole = bindings_.find(wildcard);
  return whole == bindings_.end() || allows(whole->second);
}

Result<SocketAddress> PortTable::bind(std::string_view transport, SocketAddress address,
                                      bool reuse_port, void* owner) {
  if (address.ip.family == IpAddress::Family::none) {
    return Error{ErrorCode::invalid_argument, "a socket address had no IP address"};
  }
  if (address.port == 0) {
    for (unsigned tries = 0; tries < ephemeral_count; ++tries) {
      address.port = static_cast<std::uint16_t>(ephemeral_first + next_ephemeral_);
      next_ephemeral_ = (next_ephemeral_ + 1) % ephemeral_count;
      if (is_free(address, false)) break;
    }
  }
  if (!is_free(address, reuse_port)) return io::bind_error(transport, address, EADDRINUSE);
  Binding& binding = bindings_[address];
  binding.is_shared = reuse_port;
  binding.owners.push_back(owner);
  Use& use = use_of_port_[wildcard_of(address)];
  ++use.all;
  if (!reuse_port) ++use.unshared;
  return address;
}

void PortTable::release(const SocketAddress& address, void* owner) {
  const auto found = bindings_.find(address);
  if (found == bindings_.end() || std::erase(found->second.owners, owner) == 0) return;
  const auto use = use_of_port_.find(wildcard_of(address));
  --use->second.all;
  if (!found->second.is_shared) --use->second.unshared;
  if (use->second.all == 0) use_of_port_.erase(use);
  if (found->second.owners.empty()) bindings_.erase(found);
}

const std::vector<void*>* PortTable::owners(const SocketAddress& address) const {
  auto found = bindings_.find(address);
  if (found == bindings_.end()) found = bindings_.find(wildcard_of(address));
  return found == bindings_.end() ? nullptr : &found->second.owners;
}

SocketAddress PortTable::wildcard_of(const SocketAddress& address) noexcept {
  SocketAddress wildcard = address;
  wildcard.ip.bytes = {};
  return wildcard;
}

// Datagrams.

std::uint32_t SimNetwork::Body::new_packet() {
  if (free_packets.empty()) {
    packets.emplace_back();
    return static_cast<std::uint32_t>(packets.size() - 1);
  }
  const std::uint32_t slot = free_packets.back();
  free_packets.pop_back();
  return slot;
}

void SimNetwork::Body::send(SimDatagramSocket& socket, const SocketAddress& to,
                            std::string_view bytes) {
  const SocketAddress from = socket.source();
  const LinkSettings& link = link_between(from, to);
  ++counters.sent;
  DatagramView view{from, to, bytes, now_us, DatagramFate::sent};
  if (link.partitioned) {
    view.fate = DatagramFate::partitioned;
    ++counters.partitioned;
  } else if (filter && filter(view)) {
    view.fate = DatagramFate::filtered;
    ++counters.filtered;
  } else if (link.mtu_bytes > 0 && bytes.size() > static_cast<std::size_t>(link.mtu_bytes)) {
    view.fate = DatagramFate::too_long;
    ++counters.too_long;
  } else if (happens(link.loss_per_mille)) {
    view.fate = DatagramFate::lost;
    ++counters.lost;
  }
  if (tap) tap(view);
  if (capture.is_on()) capture.add(view, clock.wall_us());
  if (view.fate != DatagramFate::sent) return;

  const bool is_duplicated = happens(link.duplicate_per_mille);
  counters.duplicated += is_duplicated ? 1 : 0;
  for (int copy = 0; copy < (is_duplicated ? 2 : 1); ++copy) {
    std::string_view carried = bytes;
    if (link.cut_bytes > 0 && carried.size() > static_cast<std::size_t>(link.cut_bytes)) {
      carried = carried.substr(0, static_cast<std::size_t>(link.cut_bytes));
      ++counters.cut;
    }
    std::int64_t at_us = now_us + travel_us(link);
    if (happens(link.reorder_per_mille)) {
      at_us += std::max<std::int64_t>(link.reorder_us, 0);
      ++counters.reordered;
    }
    const std::uint32_t slot = new_packet();
    Packet& packet = packets[slot];
    packet.from = from;
    packet.to = to;
    packet.sender = socket.id();
    packet.bytes.assign(carried);
    schedule(at_us, EventKind::datagram, slot);
  }
}

SimDatagramSocket* SimNetwork::Body::receiver(const Packet& packet) const {
  const std::vector<void*>* owners = udp.owners(packet.to);
  if (owners == nullptr) return nullptr;
  const std::size_t index =
      owners->size() == 1 ? 0 : std::hash<SocketAddress>{}(packet.from) / 7 % owners->size();
  return static_cast<SimDatagramSocket*>((*owners)[index]);
}

void SimNetwork::Body::arrive(const Event& event) {
  SimDatagramSocket* socket = receiver(packets[event.slot]);
  if (socket == nullptr) return bounce(event.slot);
  SimLoop& loop = socket->loop();
  if (!loop.is_serving()) {
    if (!loop.hold(EventKind::datagram, event.slot)) {
      ++counters.undeliverable;
      free_packets.push_back(event.slot);
    }
    return;
  }
  loop.begin_turn();
  deliver(*socket, event.slot);
  // The rest of what this loop gets at this time belongs to the same turn, as a batch of recvmmsg()
  // does.
  for (int count = 1; count < batch_max && !events.empty(); ++count) {
    const Event& next = events.front();
    if (next.at_us != event.at_us || next.kind != EventKind::datagram) break;
    socket = receiver(packets[next.slot]);
    if (socket == nullptr || &socket->loop() != &loop || !loop.is_serving()) break;
    deliver(*socket, pop().slot);
  }
  loop.end_turn();
}

void SimNetwork::Body::deliver(SimDatagramSocket& socket, std::uint32_t slot) {
  Packet& packet = packets[slot];
  std::string_view bytes = packet.bytes;
  if (bytes.size() > socket.datagram_bytes_max()) {
    bytes = bytes.substr(0, socket.datagram_bytes_max());
    ++counters.cut;
  }
  ++counters.delivered;
  trace(packet.from, packet.to, bytes);
  SimLoop& loop = socket.loop();
  ++loop.counted().datagrams_received;
  loop.guarded([&] { socket.handler().on_datagram(packet.from, bytes); });
  free_packets.push_back(slot);
}

void SimNetwork::Body::bounce(std::uint32_t slot) {
  ++counters.unreachable;
  Packet& packet = packets[slot];
  const LinkSettings& back = link_between(packet.to, packet.from);
  if (!answers_unreachable || back.partitioned) {
    free_packets.push_back(slot);
    return;
  }
  schedule(now_us + travel_us(back), EventKind::unreachable, slot);
}

void SimNetwork::Body::arrive_unreachable(std::uint32_t slot) {
  const SocketAddress from = packets[slot].from;
  const SocketAddress to = packets[slot].to;
  const std::uint64_t sender = packets[slot].sender;
  free_packets.push_back(slot);
  const std::vector<void*>* owners = udp.owners(from);
  if (owners == nullptr) return;
  for (void* owner : *owners) {
    auto* const socket = static_cast<SimDatagramSocket*>(owner);
    if (socket->id() != sender) continue;
    SimLoop& loop = socket->loop();
    if (!loop.is_serving()) return;
    loop.begin_turn();
    ++loop.counted().unreachable;
    loop.guarded([&] { socket->handler().on_unreachable(to); });
    loop.end_turn();
    return;
  }
}

void SimNetwork::Body::trace(const SocketAddress& from, const SocketAddress& to,
                             std::string_view bytes) noexcept {
  std::uint64_t hash = trace_hash;
  const auto mix = [&hash](std::uint64_t word) {
    hash = (hash ^ word) * 0x9E3779B97F4A7C15ULL;
    hash ^= hash >> 29;
  };
  mix(static_cast<std::uint64_t>(now_us));
  for (const SocketAddress* address : {&from, &to}) {
    std::uint64_t words[2];
    std::memcpy(words, address->ip.bytes.data(), sizeof words);
    mix(words[0]);
    mix(words[1]);
    mix(address->port);
  }
  mix(bytes.size());
  while (bytes.size() >= sizeof(std::uint64_t)) {
    std::uint64_t word;
    std::memcpy(&word, bytes.data(), sizeof word);
    mix(word);
    bytes.remove_prefix(sizeof word);
  }
  std::uint64_t rest = 0;
  std::memcpy(&rest, bytes.data(), bytes.size());
  mix(rest);
  trace_hash = hash;
}

}  // namespace tandem::sim
