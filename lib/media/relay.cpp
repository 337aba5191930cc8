#include "media/relay.hpp"

#include <algorithm>
#include <chrono>
#include <new>
#include <thread>
#include <utility>

namespace tandem::media {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;

std::uint16_t first_even(const MediaConfig& config) noexcept {
  return static_cast<std::uint16_t>((config.port_first + 1) & ~1);
}
std::uint32_t pairs_of(const MediaConfig& config) noexcept {
  return static_cast<std::uint32_t>(config.port_last - first_even(config) + 1) / 2;
}
std::size_t slots_of(const MediaConfig& config) noexcept {
  const std::size_t families = config.address6.is_ipv6() ? 2 : 1;
  return families * 2 * pairs_of(config);
}

}  // namespace

// Also of what a session is asked for.
template <class T>
static Result<void> check_range(const char* name, T value, T lowest, T highest) {
  if (value >= lowest && value <= highest) return {};
  return Error{ErrorCode::invalid_argument, std::string(name) + " " + std::to_string(value) +
                                                " was not in " + std::to_string(lowest) + ".." +
                                                std::to_string(highest)};
}

Result<void> check(const MediaConfig& config) {
  if (config.address.family == IpAddress::Family::none &&
      config.address6.family == IpAddress::Family::none)
    return Error{ErrorCode::invalid_argument, "no media address was given"};
  if (config.address.family != IpAddress::Family::none &&
      (!config.address.is_ipv4() || config.address.is_unspecified()))
    return Error{ErrorCode::invalid_argument,
                 "media address \"" + config.address.to_string() + "\" was not one IPv4 address"};
  if (config.address6.family != IpAddress::Family::none &&
      (!config.address6.is_ipv6() || config.address6.is_unspecified()))
    return Error{ErrorCode::invalid_argument,
                 "media address6 \"" + config.address6.to_string() + "\" was not one IPv6 address"};
  const Result<void> checks[] = {
      check_range<unsigned>("port_first", config.port_first, 1024, 65534),
      check_range<unsigned>("port_last", config.port_last, 1025, 65535),
      check_range<unsigned>("shards", config.shards, 1, 64),
      check_range<int>("nice", config.nice, -20, 0),
      check_range<unsigned>("ready_pairs", config.ready_pairs, 2, 32768),
      check_range<unsigned>("rest_ms", config.rest_ms, 0, 60000),
      check_range<unsigned>("tick_us", config.tick_us, 0, 5000),
      check_range<unsigned>("receive_buffer_bytes", config.receive_buffer_bytes, 2304, 4U << 20),
      check_range<unsigned>("events_max", config.events_max, 0, 1U << 20),
      check_range<unsigned>("jitter_max_ms", config.jitter_max_ms, 0, 1000),
      check_range<unsigned>("jitter_min_ms", config.jitter_min_ms, 0,
                            config.jitter_max_ms == 0 ? 1000 : config.jitter_max_ms),
      check_range<unsigned>("files_reserved", config.files_reserved, 0, 1'000'000),
      check_range<std::size_t>("number of interfaces", config.kernel.interfaces.size(), 0, 16),
      config.kernel.packets_per_s_max == 0
          ? Result<void>()
          : check_range<unsigned>("packets_per_s_max", config.kernel.packets_per_s_max, 50,
                                  1'000'000),
      check_range<unsigned>("adopted_silence_ms", config.kernel.adopted_silence_ms, 1000,
                            3'600'000),
      check_range<unsigned>("attach", static_cast<unsigned>(config.kernel.attach), 0,
                            static_cast<unsigned>(MediaAttach::tc)),
      check_range<unsigned>("backend", static_cast<unsigned>(config.backend), 0,
                            static_cast<unsigned>(MediaBackend::kernel)),
      check_range<unsigned>("event_kinds", config.event_kinds, 0,
                            (2U << static_cast<unsigned>(MediaEvent::Kind::handshake_ended)) - 1),
  };
  for (const Result<void>& checked : checks) {
    if (!checked) return checked;
  }
  if (config.dtls_certificate.empty() != config.dtls_key.empty())
    return Error{ErrorCode::invalid_argument, "dtls_certificate \"" + config.dtls_certificate +
                                                  "\" and dtls_key \"" + config.dtls_key +
                                                  "\" belong together"};
  if (config.port_last < first_even(config) + 3)
    return Error{ErrorCode::invalid_argument,
                 "port range " + std::to_string(config.port_first) + ".." +
                     std::to_string(config.port_last) +
                     " did not hold two pairs of an even and an odd port"};
  return {};
}

Result<void> check(const MediaHandshake& asked) {
  const auto invalid = [](std::string message) {
    return Error{ErrorCode::invalid_argument, std::move(message)};
  };
  const bool has_dtls = asked.role != DtlsRole::none;
  if (has_dtls == asked.fingerprints.empty() || asked.fingerprints.size() > dtls_fingerprints_max)
    return invalid(std::to_string(asked.fingerprints.size()) +
                   " fingerprints did not fit the role of the handshake");
  for (const DtlsFingerprint& one : asked.fingerprints) {
    const auto parsed = DtlsFingerprint::parse(one.to_string());
    if (!parsed || *parsed != one)
      return invalid("fingerprint \"" + one.hash.substr(0, 20) + "\" with " +
                     std::to_string(one.digest.size()) + " bytes was no hash of a certificate");
  }
  if (asked.ice_ufrag.empty() && asked.ice_password.empty()) return {};
  if (asked.ice_ufrag.size() < 4 || asked.ice_ufrag.size() > 256)
    return invalid("ICE user fragment of " + std::to_string(asked.ice_ufrag.size()) +
                   " characters was not in 4..256");
  if (asked.ice_password.size() < 22 || asked.ice_password.size() > 256)
    return invalid("ICE password of " + std::to_string(asked.ice_password.size()) +
                   " characters was not in 22..256");
  return {};
}

RelayCore::RelayCore(const MediaConfig& config, const Clock& clock, unsigned shards)
    : config_(config),
      clock_(clock),
      shards_(shards),
      flows_(slots_of(config)),
      counters_(std::make_unique<ShardCounters[]>(shards)),
      busy_(std::make_unique<BusyBridges[]>(shards)),
      handshakes_(std::make_unique<BusyHandshakes[]>(shards)),
      dtls_cookies_(std::make_shared<const io::DtlsCookies>()) {
  for (unsigned shard = 0; shard < shards; ++shard) {
    counters_[shard].sender = this;
    counters_[shard].shard = shard;
  }
  const std::uint32_t pairs = pairs_of(config);
  const auto stray_time = [this](std::uint32_t slot) { return flows_[slot].last_us.load(relaxed); };
  const std::int64_t rest_us = std::int64_t{config.rest_ms} * 1000;
  if (config.address.is_ipv4())
    pool4_ = std::make_unique<PortPool>(0, pairs, shards, rest_us, stray_time);
  if (config.address6.is_ipv6())
    pool6_ = std::make_unique<PortPool>(2 * pairs, pairs, shards, rest_us, stray_time);
  for (unsigned shard = 0; config.events_max != 0 && shard < shards; ++shard) {
    rings_.push_back(std::make_unique<EventRing>(config.events_max, config.event_kinds));
    counters_[shard].events = rings_.back().get();
  }
}

RelayCore::~RelayCore() = default;

PortPool* RelayCore::pool(IpAddress::Family family) noexcept {
  if (family == IpAddress::Family::ipv4) return pool4_.get();
  if (family == IpAddress::Family::ipv6) return pool6_.get();
  return nullptr;
}

SocketAddress RelayCore::local(std::uint32_t slot) const noexcept {
  const std::uint32_t ports = 2 * pairs_of(config_);
  const bool is_ipv4 = slot < ports;
  return {is_ipv4 ? config_.address : config_.address6,
          static_cast<std::uint16_t>(first_even(config_) + (is_ipv4 ? slot : slot - ports))};
}

Result<std::uint32_t> RelayCore::bind_one(PortPool& pool, unsigned shard) {
  for (unsigned tries = 0; tries < busy_ports_max; ++tries) {
    const std::optional<std::uint32_t> slot = pool.next_unbound();
    if (!slot) break;
    std::optional<BindFailure> failure = bind_pair(shard, *slot);
    if (!failure) return *slot;
    pool.not_bound(*slot);
    if (!failure->is_busy) return std::move(failure->error);
    ports_busy_.fetch_add(1, relaxed);
  }
  return Error{ErrorCode::limit, "no media port of " + std::to_string(config_.port_first) + ".." +
                                     std::to_string(config_.port_last) +
                                     " was free: " + std::to_string(pool.bound_pairs()) + " of " +
                                     std::to_string(pool.pairs()) + " pairs were bound, " +
                                     std::to_string(pool.resting_pairs()) +
                                     " of them at rest after a call"};
}

Result<std::uint32_t> RelayCore::take(IpAddress::Family family, unsigned shard) {
  PortPool& from = *pool(family);
  if (const std::optional<std::uint32_t> slot = from.take(shard, clock_.monotonic_us())) {
    if (from.is_short(shard, config_.ready_pairs / 2)) on_ready_low();
    return *slot;
  }
  Result<std::uint32_t> slot = bind_one(from, shard);
  if (slot) from.bound(shard, *slot, false);
  on_ready_low();
  return slot;
}

MediaSession RelayCore::begin_session(std::uint32_t caller, std::uint32_t callee,
                                      unsigned shard) noexcept {
  MediaSession session;
  session.core_ = shared_from_this();
  session.slot_[0] = caller;
  session.slot_[1] = callee;
  session.shard_ = shard;
  for (const std::uint32_t slot : {caller, callee})
    flows_.watch(slot).shard.store(shard, relaxed);
  const std::array<std::uint32_t, 2> epochs = flows_.open(caller, callee);
  session.epoch_[0] = epochs[0];
  session.epoch_[1] = epochs[1];
  sessions_.fetch_add(1, relaxed);
  return session;
}

void RelayCore::set_accelerator(std::unique_ptr<FlowAccelerator> accelerator) {
  accelerator_ = std::move(accelerator);
  accelerator_->begin(flows_);
}

void RelayCore::take_back(const std::uint32_t (&slots)[2]) noexcept {
  if (accelerator_ == nullptr) return;
  for (const std::uint32_t slot : slots)
    accelerator_->take_back(slot);
}

void RelayCore::add_carried(std::uint32_t slot) noexcept {
  if (accelerator_ == nullptr) return;
  const FlowGuard guard(*accelerator_, slot);
  accelerator_->add_carried(slot);
}

Result<MediaSession> RelayCore::open(IpAddress::Family caller, IpAddress::Family callee) {
  for (const IpAddress::Family family : {caller, callee}) {
    if (pool(family) == nullptr)
      return Error{ErrorCode::unsupported,
                   family == IpAddress::Family::ipv4   ? "no IPv4 media address was configured"
                   : family == IpAddress::Family::ipv6 ? "no IPv6 media address was configured"
                                                       : "no address family was asked for"};
  }
  if (is_stopped_.load(relaxed)) return Error{ErrorCode::wrong_state, "the media relay was closed"};
  // Both sides must be on one shard. One that has no ports left is passed over for the next.
  const unsigned first = next_shard_.fetch_add(1, relaxed);
  std::optional<Error> error;
  for (unsigned i = 0; i < shards_; ++i) {
    const unsigned shard = (first + i) % shards_;
    Result<std::uint32_t> a = take(caller, shard);
    if (!a) {
      error = std::move(a).error();
      continue;
    }
    Result<std::uint32_t> b = take(callee, shard);
    if (!b) {
      pool(caller)->give_back(shard, *a, false, 0);
      error = std::move(b).error();
      continue;
    }
    return begin_session(*a, *b, shard);
  }
  sessions_refused_.fetch_add(1, relaxed);
  return std::move(*error);
}

Result<MediaSession> RelayCore::adopt(const SocketAddress& caller_rtp,
                                      const SocketAddress& callee_rtp) {
  return Error{ErrorCode::not_found, "no session of a former process was relayed between " +
                                         caller_rtp.to_string() + " and " + callee_rtp.to_string()};
}

void RelayCore::retire(std::shared_ptr<const void> what, unsigned shard) noexcept {
  if (what == nullptr) return;
  // In one order with the shard's: either its turn began before and is odd here, or it sees what
  // was stored into the Watch before this call.
  const auto is_past = [this](const Retired& one) {
    return counters_[one.shard].turn.load() != one.turn;
  };
  const std::uint64_t turn = counters_[shard].turn.load();
  const std::lock_guard lock(retired_mutex_);
  retired_.erase(std::remove_if(retired_.begin(), retired_.end(), is_past), retired_.end());
  if (turn % 2 == 0) return;
  try {
    retired_.push_back({what, shard, turn});
  } catch (const std::bad_alloc&) {
    await_turn(shard, turn);
  }
}

// A turn is short.
void RelayCore::await_turn(unsigned shard, std::uint64_t turn) const noexcept {
  while (turn % 2 != 0 && counters_[shard].turn.load() == turn)
    std::this_thread::yield();
}

Result<void> RelayCore::tick_bridge(std::uint32_t slot, unsigned shard,
                                    std::shared_ptr<AudioBridge> bridge) {
  BusyBridges& busy = busy_[shard];
  {
    const std::lock_guard lock(busy.mutex);
    if (bridge->is_ticked.load(relaxed)) return {};
    if (busy.bridges.size() >= bridges_busy_max)
      return Error{ErrorCode::limit, std::to_string(bridges_busy_max) +
                                         " sessions of one relay thread were played to already"};
    busy.bridges.push_back({slot, flows_[slot].epoch.load(relaxed), bridge});
    bridge->is_ticked.store(true, relaxed);
    busy.count.store(busy.bridges.size(), std::memory_order_release);
    if (bridge->is_buffering()) busy.is_buffering.store(true, relaxed);
  }
  on_bridge_busy(shard);
  return {};
}

void RelayCore::on_bridge_begun(unsigned shard, std::uint32_t slot, AudioBridge& bridge) noexcept {
  try {
    // One more than can be ticked does not send its key.
    (void)tick_bridge(slot, shard, bridge.shared_from_this());
  } catch (const std::bad_alloc&) {  // nor does this one
  }
}

void RelayCore::tick_bridges(unsigned shard, std::int64_t now_us) noexcept {
  BusyBridges& busy = busy_[shard];
  if (busy.count.load(std::memory_order_acquire) == 0) return;
  const std::lock_guard lock(busy.mutex);
  bool is_buffering = false;
  for (std::size_t i = busy.bridges.size(); i-- > 0;) {
    BusyBridge& one = busy.bridges[i];
    const bool is_open = flows_[one.slot].epoch.load(std::memory_order_acquire) == one.epoch;
    if (is_open) flows_.tick(one.slot, *one.bridge, now_us, counters_[shard]);
    if (is_open && one.bridge->is_busy()) {
      is_buffering = is_buffering || one.bridge->is_buffering();
      continue;
    }
    // Asked again by who makes it busy after this.
    one.bridge->is_ticked.store(false, relaxed);
    std::swap(one, busy.bridges.back());
    busy.bridges.pop_back();
  }
  busy.is_buffering.store(is_buffering, relaxed);
  busy.count.store(busy.bridges.size(), std::memory_order_release);
}

Result<void> RelayCore::may_handshake(unsigned shard) const {
  if (handshakes_[shard].count.load(relaxed) < handshakes_max) return {};
  return Error{ErrorCode::limit, std::to_string(handshakes_max) +
                                     " handshakes of one relay thread were under way already"};
}

void RelayCore::tick_handshake(std::uint32_t slot, unsigned shard,
                               std::shared_ptr<SideHandshake> handshake) {
  BusyHandshakes& busy = handshakes_[shard];
  {
    const std::lock_guard lock(busy.mutex);
    busy.handshakes.push_back({slot, flows_[slot].epoch.load(relaxed), std::move(handshake)});
    busy.count.fetch_add(1, std::memory_order_release);
  }
  on_handshake_busy(shard);
}

void RelayCore::tick_handshakes(unsigned shard, std::int64_t now_us) noexcept {
  BusyHandshakes& busy = handshakes_[shard];
  if (busy.count.load(std::memory_order_acquire) == 0) return;
  std::vector<BusyHandshake> taken;
  {
    const std::lock_guard lock(busy.mutex);
    taken.swap(busy.handshakes);
  }
  for (std::size_t i = taken.size(); i-- > 0;) {
    BusyHandshake& one = taken[i];
    // Replaced, or its session is over: nothing of it may be sent any more.
    const bool is_current = flows_[one.slot].epoch.load(std::memory_order_acquire) == one.epoch &&
                            flows_.watch(one.slot).handshake.load() == one.handshake.get();
    if (is_current) flows_.tick(one.slot, *one.handshake, now_us, counters_[shard]);
    if (is_current && one.handshake->is_busy()) continue;
    std::swap(one, taken.back());
    taken.pop_back();
  }
  const std::lock_guard lock(busy.mutex);
  try {
    taken.insert(taken.end(), busy.handshakes.begin(), busy.handshakes.end());
  } catch (const std::bad_alloc&) {  // those that began meanwhile are not sent anything again
  }
  taken.swap(busy.handshakes);
  busy.count.store(busy.handshakes.size(), std::memory_order_release);
}

Result<void> RelayCore::read_identity() {
  if (config_.dtls_certificate.empty()) return {};
  auto read = io::DtlsIdentity::read(config_.dtls_certificate, config_.dtls_key);
  if (!read) return read.error();
  const std::lock_guard lock(identity_mutex_);
  identity_ = std::move(*read);
  return {};
}

Result<std::shared_ptr<const io::DtlsIdentity>> RelayCore::dtls_identity() {
  const std::lock_guard lock(identity_mutex_);
  if (identity_ == nullptr) {
    auto made = io::DtlsIdentity::make();
    if (!made) return made.error();
    identity_ = std::move(*made);
  }
  return identity_;
}

void RelayCore::tell_events(unsigned shard) noexcept {
  if (rings_.empty() || !rings_[shard]->take_news()) return;
  wake_takers();
  // One of two exchanges comes first: the taker's, and the host is told again, or this one, and the
  // taker sees the event.
  if (config_.on_events && !is_host_told_.exchange(true)) {
    try {
      config_.on_events();
    } catch (...) {  // the host's; the relay goes on, and the events wait
    }
  }
}

// Under the mutex either the taker finds the event before it waits, or it waits and is woken.
void RelayCore::wake_takers() noexcept {
  { const std::lock_guard lock(news_mutex_); }
  news_.notify_all();
}

bool RelayCore::has_news() const noexcept {
  return std::any_of(rings_.begin(), rings_.end(),
                     [](const auto& ring) { return !ring->is_empty(); });
}

bool RelayCore::pop_events(std::vector<MediaEvent>& out, std::size_t events_max) {
  ShardEvent from;
  for (std::size_t i = 0; i < rings_.size() && out.size() < events_max; ++i) {
    EventRing& ring = *rings_[next_ring_];
    next_ring_ = (next_ring_ + 1) % rings_.size();  // a busy shard does not starve the others
    while (out.size() < events_max && ring.pop(from)) {
      MediaEvent& event = out.emplace_back();
      event.kind = from.kind;
      event.side = from.side;
      event.tag = from.tag;
      event.at_us = from.at_us;
      if (from.source.is_set()) event.source = unpack(from.source);
      event.refusal = from.refusal;
      event.digit = from.digit;
      event.is_end_lost = from.is_end_lost;
      switch (from.kind) {
        case MediaEvent::Kind::source_refused:
          event.refused = from.amount;
          break;
        case MediaEvent::Kind::silence_began:
        case MediaEvent::Kind::silence_ended:
          event.silence_ms = from.amount;
          break;
        case MediaEvent::Kind::loss_began:
        case MediaEvent::Kind::loss_ended:
          event.loss_permille = from.amount;
          break;
        case MediaEvent::Kind::digit:
          event.duration_ms = from.amount;
          break;
        case MediaEvent::Kind::handshake_ended:
          event.handshake = static_cast<MediaHandshakeState>(from.amount);
          break;
        case MediaEvent::Kind::first_packet:
        case MediaEvent::Kind::source_changed:
          break;
      }
    }
  }
  return !out.empty();
}

std::vector<MediaEvent> RelayCore::take_events(std::size_t events_max, std::int64_t wait_us) {
  constexpr std::int64_t wait_max_us = 60'000'000;
  std::vector<MediaEvent> events;
  if (rings_.empty()) return events;
  const std::lock_guard lock(taker_mutex_);
  is_host_told_.exchange(false);
  if (pop_events(events, events_max) || wait_us <= 0 || !has_threads()) return events;
  {
    std::unique_lock news(news_mutex_);
    news_.wait_for(news, std::chrono::microseconds(std::min(wait_us, wait_max_us)),
                   [this] { return has_news() || is_stopped_.load(); });
  }
  (void)pop_events(events, events_max);
  return events;
}

void RelayCore::close(MediaSession& session) noexcept {
  sessions_.fetch_sub(1, relaxed);
  for (const std::uint32_t slot : session.slot_) {
    flows_.watch(slot).tap.store(nullptr);
    flows_.watch(slot).sources.store(nullptr);
    flows_.watch(slot).crypto.store(nullptr);
    flows_.watch(slot).bridge.store(nullptr);
    flows_.watch(slot).handshake.store(nullptr);
  }
  if (session.extras_ != nullptr) {
    if (session.extras_->tap != nullptr) session.extras_->tap->end();
    try {
      retire(std::shared_ptr<const void>(std::move(session.extras_)), session.shard_);
    } catch (const std::bad_alloc&) {
      await_turn(session.shard_, counters_[session.shard_].turn.load());
    }
    session.extras_.reset();
  }
  if (is_stopped_.load(relaxed)) return;  // the clock may be gone with the loop
  const std::int64_t now_us = clock_.monotonic_us();
  for (const std::uint32_t slot : session.slot_)
    flows_.close(slot);
  take_back(session.slot_);  // after that: what is closed is not carried again
  for (const std::uint32_t slot : session.slot_) {
    pool(local(slot).ip.family)->give_back(session.shard_, slot, true, now_us);
  }
}

std::vector<MediaBackendState> RelayCore::backends() const {
  std::vector<MediaBackendState> states = backends_;
  if (states.empty()) return {{MediaBackend::portable, true, true, how()}};
  for (MediaBackendState& state : states) {
    if (state.is_running) state.detail = how();  // as it is now
  }
  return states;
}

MediaRelayStats RelayCore::stats() const noexcept {
  MediaRelayStats stats;
  // What no packet through the sockets and no reader of a call has told of yet.
  for (std::uint32_t slot = 0; accelerator_ != nullptr && slot < flows_.opened(); slot += 2) {
    const FlowGuard guard(*accelerator_, slot);
    accelerator_->add_carried(slot);
  }
  stats.sessions = sessions_.load(relaxed);
  stats.sessions_refused = sessions_refused_.load(relaxed);
  stats.ports_busy = ports_busy_.load(relaxed);
  stats.marks_refused = marks_refused_.load(relaxed);
  stats.priorities_refused = priorities_refused_.load(relaxed);
  stats.ports_connected = ports_connected_.load(relaxed);
  stats.sessions_adopted = sessions_adopted_.load(relaxed);
  stats.sessions_unclaimed = sessions_unclaimed_.load(relaxed);
  for (const auto* pool : {pool4_.get(), pool6_.get()}) {
    if (pool != nullptr) stats.port_pairs_bound += pool->bound_pairs();
  }
  for (unsigned shard = 0; shard < shards_; ++shard) {
    const ShardCounters& of = counters_[shard];
    stats.packets_forwarded += of.forwarded.load(relaxed);
    stats.packets_refused += of.refused.load(relaxed);
    stats.packets_malformed += of.malformed.load(relaxed);
    stats.packets_stray += of.stray.load(relaxed);
    stats.packets_undeliverable += of.undeliverable.load(relaxed);
    stats.packets_discarded += of.discarded.load(relaxed);
    stats.send_failures += of.send_failures.load(relaxed);
    stats.packets_overflowed += of.overflows.load(relaxed);
    stats.taps_dropped += of.taps_dropped.load(relaxed);
    stats.digits += of.digits.load(relaxed);
    stats.packets_not_authentic += of.not_authentic.load(relaxed);
    stats.packets_not_sealed += of.not_sealed.load(relaxed);
    stats.handshakes_agreed += of.handshakes_agreed.load(relaxed);
    stats.handshakes_failed += of.handshakes_failed.load(relaxed);
    if (of.events != nullptr) stats.events_lost += of.events->lost();
  }
  if (accelerator_ != nullptr) accelerator_->add_stats(stats);
  return stats;
}

}  // namespace tandem::media

namespace tandem {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;

constexpr std::size_t index(MediaSide side) noexcept { return static_cast<std::size_t>(side); }
constexpr std::size_t other(MediaSide side) noexcept { return 1 - index(side); }

void set_flag(media::FlowRecord& flow, std::uint32_t flag, bool is_set) noexcept {
  const std::uint32_t flags = flow.flags.load(relaxed);
  flow.flags.store(is_set ? flags | flag : flags & ~flag, relaxed);
}

void open_window(media::FlowRecord& flow, std::int64_t now_us, std::uint32_t window_ms) noexcept {
  const std::uint32_t until_ms = static_cast<std::uint32_t>(now_us / 1000) + window_ms;
  flow.relatch_until_ms.store(until_ms == 0 ? 1 : until_ms, relaxed);
}

// Has the packets of an RTP port looked at when anything wants it, and its silence.
void observe_or_not(media::FlowTable& flows, std::uint32_t slot) noexcept {
  media::Watch& watch = flows.watch(slot);
  const bool has_keys = (watch.keys[0].load(relaxed) | watch.keys[1].load(relaxed)) != 0;
  const bool has_types =
      (watch.negotiated[0].load(relaxed) | watch.negotiated[1].load(relaxed)) != 0;
  set_flag(flows[slot], media::FlowRecord::watched,
           has_keys || has_types || watch.tap.load(relaxed) != nullptr ||
               watch.bridge.load(relaxed) != nullptr);
  watch.is_scanned.store(
      has_keys || watch.silence_ms.load(relaxed) != 0 || watch.loss_permille.load(relaxed) != 0,
      std::memory_order_release);
}

// Why nothing is heard of a side, from the most certain cause to what is left.
MediaCause cause_of(const media::FlowRecord& flow, const media::Watch& watch, bool has_begun,
                    const IpAddress& local, std::int64_t now_us,
                    const media::SideHandshake* handshake) noexcept {
  if (handshake != nullptr && handshake->has_dtls()) {
    if (handshake->state() == MediaHandshakeState::unchecked) return MediaCause::ice_unchecked;
    if (handshake->state() == MediaHandshakeState::fingerprint_mismatch)
      return MediaCause::fingerprint_mismatch;
    if (handshake->state() != MediaHandshakeState::agreed) return MediaCause::dtls_failed;
  }
  constexpr std::int64_t stopped_us = 10'000'000;
  const std::uint64_t packets = has_begun ? flow.packets.load(relaxed) : 0;
  if (packets > 0) {
    if (watch.not_authentic.load(relaxed) > packets) return MediaCause::srtp_failure;
    if (watch.unnegotiated.load(relaxed) >= packets) return MediaCause::not_negotiated;
    if (flow.forwarded.load(relaxed) == 0) {
      if (watch.discarded.load(relaxed) > 0) return MediaCause::blocked;
      if (watch.undeliverable.load(relaxed) > 0) return MediaCause::other_side_unknown;
      if (watch.failed.load(relaxed) > 0) return MediaCause::send_failed;
    }
    return now_us - flow.last_us.load(relaxed) >= stopped_us ? MediaCause::stopped
                                                             : MediaCause::none;
  }
  if (has_begun && flow.refused.load(relaxed) > 0) {
    if (watch.denied.load(relaxed) > 0) return MediaCause::source_denied;
    if (watch.not_authentic.load(relaxed) > 0) return MediaCause::srtp_failure;
    const bool is_malformed = watch.malformed.load(relaxed) >= flow.refused.load(relaxed);
    return is_malformed ? MediaCause::malformed : MediaCause::source_refused;
  }
  const media::PackedAddress signalled = flow.signalled.load();
  if (handshake != nullptr && handshake->has_ice()) return MediaCause::never_sent;
  if (!signalled.is_set()) return MediaCause::not_described;
  // A relay that is in a private network itself may well reach a private address.
  return media::unpack(signalled).ip.is_private() && !local.is_private()
             ? MediaCause::private_address
             : MediaCause::never_sent;
}

constexpr std::uint32_t move_window_ms = 5000;
constexpr std::uint32_t clock_rate_max_hz = 1'000'000;

}  // namespace

MediaSession::MediaSession() noexcept = default;

MediaSession::MediaSession(MediaSession&& other) noexcept { *this = std::move(other); }

MediaSession& MediaSession::operator=(MediaSession&& other) noexcept {
  if (this == &other) return *this;
  close();
  core_ = std::move(other.core_);
  for (int side = 0; side < 2; ++side) {
    slot_[side] = other.slot_[side];
    epoch_[side] = other.epoch_[side];
  }
  shard_ = other.shard_;
  extras_ = std::move(other.extras_);
  other.core_.reset();
  return *this;
}

MediaSession::~MediaSession() { close(); }

void MediaSession::close() noexcept {
  if (core_ == nullptr) return;
  core_->close(*this);
  core_.reset();
}

SocketAddress MediaSession::local_rtp(MediaSide side) const noexcept {
  return core_->local(slot_[index(side)]);
}

SocketAddress MediaSession::local_rtcp(MediaSide side) const noexcept {
  return core_->local(slot_[index(side)] + 1);
}

Result<void> MediaSession::set_remote(MediaSide side, const SocketAddress& rtp,
                                      const SocketAddress& rtcp) {
  const std::uint32_t slot = slot_[index(side)];
  const IpAddress::Family family = core_->local(slot).ip.family;
  for (const SocketAddress* address : {&rtp, &rtcp}) {
    if (address->port != 0 && address->ip.family != family)
      return Error{ErrorCode::invalid_argument,
                   "media address \"" + address->to_string() +
                       "\" was not of the family of the side's local address " +
                       core_->local(slot).to_string()};
  }
  media::FlowRecord& rtp_flow = core_->flows()[slot];
  media::FlowRecord& rtcp_flow = core_->flows()[slot + 1];
  const media::PackedAddress before = rtp_flow.signalled.load_own();
  // A connection address of 0.0.0.0 or :: is the old form of hold (RFC 3264 section 8.4): nobody is
  // there.
  const media::PackedAddress after =
      rtp.ip.is_unspecified() ? media::PackedAddress{} : media::pack(rtp);
  SocketAddress reports = rtcp;
  if (reports.port == 0 && rtp.port != 0 && rtp.port != 65535)
    reports = {rtp.ip, static_cast<std::uint16_t>(rtp.port + 1)};
  // Where a handshake is, it says so.
  const media::SideHandshake* const own =
      extras_ == nullptr ? nullptr : extras_->handshake[index(side)].get();
  const bool is_muxed = own != nullptr ? own->asked().rtcp_mux : rtcp.port != 0 && rtcp == rtp;
  set_flag(rtp_flow, media::FlowRecord::mux, is_muxed);
  rtp_flow.signalled.store(after);
  rtcp_flow.signalled.store(after.is_set() ? media::pack(reports) : media::PackedAddress{});
  if (before.is_set() && after.is_set() && before != after) relatch(side, move_window_ms);
  core_->take_back(slot_);
  return {};
}

void MediaSession::set_flags(MediaSide side, const MediaFlags& flags) noexcept {
  media::FlowRecord& flow = core_->flows()[slot_[index(side)]];
  set_flag(flow, media::FlowRecord::strict_source, flags.strict_source);
  set_flag(flow, media::FlowRecord::prefer_signalled, flags.prefer_signalled);
  set_flag(flow, media::FlowRecord::transparent, flags.transparent);
  set_flag(flow, media::FlowRecord::discard, flags.discard);
  set_flag(core_->flows()[slot_[index(side)] + 1], media::FlowRecord::strict_source,
           flags.strict_source);
  core_->take_back(slot_);
}

void MediaSession::set_policy(MediaSide side, MediaPolicy policy) noexcept {
  set_flag(core_->flows()[slot_[index(side)]], media::FlowRecord::discard,
           policy == MediaPolicy::block);
  core_->take_back(slot_);
}

void MediaSession::set_tag(std::uint64_t tag) noexcept {
  for (const std::uint32_t slot : slot_)
    core_->flows().watch(slot).tag.store(tag, relaxed);
}

media::SessionExtras& MediaSession::extras() {
  if (extras_ == nullptr) extras_ = std::make_unique<media::SessionExtras>();
  return *extras_;
}

Result<void> MediaSession::set_payloads(MediaSide side, const std::vector<std::uint8_t>& negotiated,
                                        const std::vector<std::uint8_t>& telephone_events) {
  std::uint64_t types[2][2] = {};
  for (const auto* list : {&negotiated, &telephone_events}) {
    for (const std::uint8_t type : *list) {
      if (type > 127)
        return Error{ErrorCode::invalid_argument,
                     "payload type " + std::to_string(type) + " was not in 0..127"};
      types[list == &negotiated ? 0 : 1][type >> 6] |= std::uint64_t{1} << (type & 63);
    }
  }
  media::Watch& watch = core_->flows().watch(slot_[index(side)]);
  for (int half = 0; half < 2; ++half) {
    watch.negotiated[half].store(types[0][half], relaxed);
    watch.keys[half].store(types[1][half], relaxed);
  }
  for (auto& clock : watch.event_clocks)
    clock.store(0, relaxed);
  observe_or_not(core_->flows(), slot_[index(side)]);
  core_->take_back(slot_);
  if (!telephone_events.empty() && core_->has_events()) core_->on_watch_changed();
  return {};
}

Result<void> MediaSession::set_event_clock_rate_hz(MediaSide side, std::uint8_t payload_type,
                                                   std::uint32_t rate_hz) {
  if (payload_type > 127)
    return Error{ErrorCode::invalid_argument,
                 "payload type " + std::to_string(payload_type) + " was not in 0..127"};
  if (auto checked = media::check_range<std::uint32_t>("rate_hz", rate_hz, 1, clock_rate_max_hz);
      !checked)
    return checked;
  for (auto& clock : core_->flows().watch(slot_[index(side)]).event_clocks) {
    const std::uint32_t had = clock.load(relaxed);
    if (had != 0 && had >> 24 != payload_type) continue;
    clock.store(std::uint32_t{payload_type} << 24 | rate_hz, relaxed);
    return {};
  }
  return Error{ErrorCode::limit, "the side had " + std::to_string(media::Watch::event_clocks_max) +
                                     " clocks of telephone events already"};
}

Result<void> MediaSession::set_watch(MediaSide side, const MediaWatch& asked) {
  const Result<void> checks[] = {
      asked.silence_ms == 0
          ? Result<void>()
          : media::check_range<unsigned>("silence_ms", asked.silence_ms, 100, 3'600'000),
      asked.loss_permille == 0
          ? Result<void>()
          : media::check_range<unsigned>("loss_permille", asked.loss_permille, 1, 999),
      media::check_range<unsigned>("loss_window_ms", asked.loss_window_ms, 1000, 600'000),
  };
  for (const Result<void>& checked : checks) {
    if (!checked) return checked;
  }
  if (!core_->has_events()) return Error{ErrorCode::wrong_state, "the media relay keeps no events"};
  media::Watch& watch = core_->flows().watch(slot_[index(side)]);
  watch.watched_from_us.store(core_->now_us(), relaxed);
  watch.silence_ms.store(asked.silence_ms, relaxed);
  watch.loss_permille.store(asked.loss_permille, relaxed);
  watch.loss_window_ms.store(asked.loss_window_ms, relaxed);
  observe_or_not(core_->flows(), slot_[index(side)]);
  core_->on_watch_changed();
  return {};
}

Result<void> MediaSession::set_sources(MediaSide side, MediaSources sources) {
  constexpr std::size_t networks_max = 4096;
  for (const auto* list : {&sources.allow, &sources.deny}) {
    if (list->size() > networks_max)
      return Error{ErrorCode::limit, std::to_string(list->size()) +
                                         " networks were given, at most " +
                                         std::to_string(networks_max) + " are taken"};
  }
  std::shared_ptr<const MediaSources> kept;
  if (!sources.is_anybody()) kept = std::make_shared<const MediaSources>(std::move(sources));
  media::SessionExtras& own = extras();  // first: what the shard sees must be kept
  core_->flows().watch(slot_[index(side)]).sources.store(kept.get());
  core_->retire(std::exchange(own.sources[index(side)], std::move(kept)), shard_);
  return {};
}

Result<void> MediaSession::set_crypto(MediaSide side, const MediaCrypto& crypto) {
  const std::uint32_t slot = slot_[index(side)];
  const media::SrtpSide* const former =
      extras_ == nullptr ? nullptr : extras_->crypto[index(side)].get();
  const bool is_plain =
      crypto.receive.suite == SrtpSuite::none && crypto.send.suite == SrtpSuite::none;
  if (former == nullptr ? is_plain : former->crypto() == crypto) return {};
  std::shared_ptr<media::SrtpSide> keys;
  if (!is_plain) {
    auto made = media::SrtpSide::create(crypto, former);
    if (!made) return made.error();
    keys = std::move(*made);
  }
  media::SessionExtras& own = extras();  // first: what the shard sees must be kept
  const media::SideHandshake* const agreed = own.handshake[index(side)].get();
  const bool has_dtls = agreed != nullptr && agreed->has_dtls();
  const auto mark = [&] {
    for (const std::uint32_t port : {slot, slot + 1})
      set_flag(core_->flows()[port], media::FlowRecord::encrypted, !is_plain || has_dtls);
  };
  // Who sees the mark and no keys drops the packet.
  if (is_plain) mark();
  core_->flows().watch(slot).crypto.store(keys.get());
  if (!is_plain) mark();
  core_->take_back(slot_);
  core_->retire(std::exchange(own.crypto[index(side)], std::move(keys)), shard_);
  return {};
}

Result<void> MediaSession::set_handshake(MediaSide side, const MediaHandshake& asked) {
  const std::uint32_t slot = slot_[index(side)];
  if (Result<void> checked = media::check(asked); !checked) return checked;
  const std::shared_ptr<media::SideHandshake> former =
      extras_ == nullptr ? nullptr : extras_->handshake[index(side)];
  // One that failed may be tried again.
  if (former == nullptr ? asked == MediaHandshake{}
                        : former->asked() == asked && !former->has_failed())
    return {};
  std::shared_ptr<media::SideHandshake> made;
  if (asked != MediaHandshake{}) {
    // First: what a refusal leaves is what was there, and never media in the clear.
    if (auto has_room = core_->may_handshake(shard_); !has_room) return has_room;
    auto identity = core_->dtls_identity();
    if (!identity) return identity.error();
    made = std::make_shared<media::SideHandshake>(asked, std::move(*identity),
                                                  core_->dtls_cookies(), former, core_->now_us());
  }
  media::SessionExtras& own = extras();  // first: what the shard sees must be kept
  const bool is_encrypted = asked.role != DtlsRole::none || own.crypto[index(side)] != nullptr;
  const auto mark = [&](bool is_marked) {
    set_flag(core_->flows()[slot], media::FlowRecord::handshakes, is_marked);
    // Without one it is as set_remote() was told.
    media::FlowRecord& rtp = core_->flows()[slot];
    const media::PackedAddress reports = core_->flows()[slot + 1].signalled.load();
    const bool is_described = reports.is_set() && reports == rtp.signalled.load();
    set_flag(rtp, media::FlowRecord::mux, made != nullptr ? asked.rtcp_mux : is_described);
    for (const std::uint32_t port : {slot, slot + 1})
      set_flag(core_->flows()[port], media::FlowRecord::encrypted, is_encrypted);
  };
  // Who sees a mark and nothing behind it drops the packet.
  if (made == nullptr) mark(false);
  core_->flows().watch(slot).handshake.store(made.get());
  if (made != nullptr) mark(true);
  core_->take_back(slot_);
  core_->retire(std::exchange(own.handshake[index(side)], made), shard_);
  if (made == nullptr) return {};
  // Last: what is not the side's is not ticked.
  core_->tick_handshake(slot, shard_, std::move(made));
  return {};
}

MediaHandshakeState MediaSession::handshake(MediaSide side) const noexcept {
  const media::SideHandshake* const own =
      extras_ == nullptr ? nullptr : extras_->handshake[index(side)].get();
  return own == nullptr ? MediaHandshakeState::none : own->state();
}

Result<MediaTap> MediaSession::tap(std::size_t buffer_bytes) {
  if (auto checked = media::check_range<std::size_t>("buffer_bytes", buffer_bytes, 4096, 16U << 20);
      !checked)
    return checked.error();
  media::SessionExtras& own = extras();
  if (own.tap != nullptr && !own.tap->is_over())
    return Error{ErrorCode::already_exists, "the session was tapped already"};
  untap();
  own.tap = std::make_shared<media::TapRing>(buffer_bytes);
  for (const std::uint32_t slot : slot_) {
    core_->flows().watch(slot).tap.store(own.tap.get());
    observe_or_not(core_->flows(), slot);
  }
  core_->take_back(slot_);
  return MediaTap(own.tap);
}

void MediaSession::untap() noexcept {
  if (extras_ == nullptr || extras_->tap == nullptr) return;
  for (const std::uint32_t slot : slot_) {
    core_->flows().watch(slot).tap.store(nullptr);
    observe_or_not(core_->flows(), slot);
  }
  extras_->tap->end();
  core_->retire(std::exchange(extras_->tap, nullptr), shard_);
}

media::AudioBridge& MediaSession::bridge() {
  media::SessionExtras& own = extras();
  if (own.bridge == nullptr) {
    // Its only use is to tell streams apart, so any number will do that others do not have, and
    // the bridge before this one neither: its sequence numbers begin anew.
    const auto now = static_cast<std::uint32_t>(core_->now_us());
    const std::uint32_t seed = ((slot_[0] << 16 | (epoch_[0] & 0xFFFF)) ^ now) * 2654435761U;
    own.bridge = std::make_shared<media::AudioBridge>(seed, core_->config().jitter_min_ms,
                                                      core_->config().jitter_max_ms);
  }
  return *own.bridge;
}

Result<void> MediaSession::set_audio(const MediaAudio& caller, const MediaAudio& callee) {
  if (auto set = bridge().set(caller, callee); !set) return set;
  for (const std::uint32_t slot : slot_) {
    core_->flows().watch(slot).bridge.store(extras_->bridge.get());
    observe_or_not(core_->flows(), slot);
  }
  core_->take_back(slot_);
  return {};
}

void MediaSession::clear_audio() noexcept {
  if (extras_ == nullptr || extras_->bridge == nullptr) return;
  for (const std::uint32_t slot : slot_) {
    core_->flows().watch(slot).bridge.store(nullptr);
    observe_or_not(core_->flows(), slot);
  }
  extras_->bridge->stop();
  core_->retire(std::exchange(extras_->bridge, nullptr), shard_);
}

bool MediaSession::has_audio() const noexcept {
  return extras_ != nullptr && extras_->bridge != nullptr;
}

Result<void> MediaSession::play(MediaSide to, const AudioPlaylist& list, const MediaPlay& how) {
  if (!has_audio())
    return Error{ErrorCode::wrong_state, "nothing was said of the audio of the session"};
  if (core_->is_stopped()) return Error{ErrorCode::wrong_state, "the media relay was closed"};
  if (!extras_->bridge->play(to, list, how, core_->now_us()))
    return Error{ErrorCode::unsupported, "the side has no codec that can be played in"};
  auto ticked = core_->tick_bridge(slot_[0], shard_, extras_->bridge);
  if (!ticked) extras_->bridge->stop_playing(to);  // or it would cover the other side for good
  return ticked;
}

void MediaSession::stop_playing(MediaSide to) noexcept {
  if (has_audio()) extras_->bridge->stop_playing(to);
}

bool MediaSession::is_playing(MediaSide to) const noexcept {
  return has_audio() && extras_->bridge->is_playing(to);
}

Result<void> MediaSession::press_key(MediaSide to, char key, std::uint32_t duration_ms) {
  if (!has_audio() || !extras_->bridge->press(to, key, duration_ms))
    return Error{ErrorCode::wrong_state, std::string("the side could not be sent the key \"") +
                                             key + "\" in its media, or too many waited"};
  return core_->tick_bridge(slot_[0], shard_, extras_->bridge);
}

void MediaSession::set_clock_rate_hz(MediaSide side, std::uint32_t rate_hz) noexcept {
  if (rate_hz == 0 || rate_hz > clock_rate_max_hz) return;
  core_->flows()[slot_[index(side)]].clock_rate_hz.store(rate_hz, relaxed);
  core_->take_back(slot_);
}

void MediaSession::relatch(MediaSide side, std::uint32_t window_ms) noexcept {
  if (window_ms > 60'000) window_ms = 60'000;
  if (core_->is_stopped()) return;  // the clock may be gone with the loop
  const std::int64_t now_us = core_->now_us();
  for (const std::uint32_t slot : {slot_[index(side)], slot_[index(side)] + 1}) {
    if (window_ms == 0) {
      core_->flows()[slot].relatch_until_ms.store(0, relaxed);
    } else {
      open_window(core_->flows()[slot], now_us, window_ms);
    }
  }
  core_->take_back(slot_);
}

MediaSideStats MediaSession::stats(MediaSide side) const {
  MediaSideStats stats;
  for (const std::uint32_t slot : slot_)
    core_->add_carried(slot);
  const media::FlowRecord& from = core_->flows()[slot_[index(side)]];
  const media::FlowRecord& towards = core_->flows()[slot_[other(side)]];
  if (from.has_begun(epoch_[index(side)])) {
    stats.packets_received = from.packets.load(relaxed);
    stats.bytes_received = from.bytes.load(relaxed);
    stats.packets_lost = from.lost.load(relaxed);
    stats.jitter_us = from.jitter_us();
    stats.packets_refused = from.refused.load(relaxed);
    if (const media::PackedAddress latched = from.latched.load(); latched.is_set())
      stats.remote = media::unpack(latched).to_string();
  }
  if (towards.has_begun(epoch_[other(side)])) stats.packets_sent = towards.forwarded.load(relaxed);
  const media::Watch& watch = core_->flows().watch(slot_[index(side)]);
  const bool has_begun = from.has_begun(epoch_[index(side)]);
  if (has_begun) {
    stats.digits = watch.digits.load(relaxed);
    stats.packets_unnegotiated = watch.unnegotiated.load(relaxed);
    stats.srtp_failures = watch.not_authentic.load(relaxed);
    stats.jitter_late = watch.jitter_late.load(relaxed);
    stats.jitter_lost = watch.jitter_lost.load(relaxed);
    stats.jitter_depth_ms = watch.jitter_depth_ms.load(relaxed);
  }
  if (const media::PackedAddress signalled = from.signalled.load(); signalled.is_set())
    stats.signalled = media::unpack(signalled).to_string();
  stats.reported_lost = reported_lost(side).value_or(0);
  stats.reported_jitter_us = reported_jitter_us(side).value_or(0);
  stats.cause =
      cause_of(from, watch, has_begun, core_->local(slot_[index(side)]).ip, core_->now_us(),
               extras_ == nullptr ? nullptr : extras_->handshake[index(side)].get());
  return stats;
}

std::int64_t MediaSession::last_rtp_us(MediaSide side) const noexcept {
  core_->add_carried(slot_[index(side)]);
  const media::FlowRecord& flow = core_->flows()[slot_[index(side)]];
  return flow.has_begun(epoch_[index(side)]) ? flow.last_us.load(relaxed) : 0;
}

std::optional<SocketAddress> MediaSession::remote(MediaSide side) const noexcept {
  const media::FlowRecord& flow = core_->flows()[slot_[index(side)]];
  if (!flow.has_begun(epoch_[index(side)])) return std::nullopt;
  const media::PackedAddress latched = flow.latched.load();
  if (!latched.is_set()) return std::nullopt;
  return media::unpack(latched);
}

std::optional<std::uint64_t> MediaSession::reported_lost(MediaSide side) const noexcept {
  const media::FlowRecord& flow = core_->flows()[slot_[index(side)] + 1];
  if (!flow.has_begun(epoch_[index(side)]) || flow.highest_sequence.load(relaxed) == 0)
    return std::nullopt;
  return flow.lost.load(relaxed);
}

std::optional<std::uint32_t> MediaSession::reported_jitter_us(MediaSide side) const noexcept {
  const std::uint32_t slot = slot_[index(side)];
  const media::FlowRecord& reports = core_->flows()[slot + 1];
  if (!reports.has_begun(epoch_[index(side)]) || reports.highest_sequence.load(relaxed) == 0)
    return std::nullopt;
  // The clock is that of what was sent to it, which the other side sent.
  const std::uint32_t rate_hz = core_->flows()[slot_[other(side)]].clock_rate_hz.load(relaxed);
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(
      std::uint64_t{reports.jitter_q4.load(relaxed)} * 1'000'000 / rate_hz, UINT32_MAX));
}

MediaTap::MediaTap() noexcept = default;
MediaTap::MediaTap(std::shared_ptr<media::TapRing> ring) noexcept : ring_(std::move(ring)) {}
// Nobody reads what is copied for a tap that is gone, and its session could have no other.
MediaTap::~MediaTap() { end(); }
MediaTap::MediaTap(MediaTap&& other) noexcept = default;
MediaTap& MediaTap::operator=(MediaTap&& other) noexcept {
  if (this != &other) {
    end();
    ring_ = std::move(other.ring_);
  }
  return *this;
}

bool MediaTap::take(TappedPacket& out) { return ring_ != nullptr && ring_->take(out); }

std::vector<TappedPacket> MediaTap::take(std::size_t packets_max) {
  std::vector<TappedPacket> packets;
  TappedPacket packet;
  while (packets.size() < packets_max && take(packet))
    packets.push_back(std::move(packet));
  return packets;
}

std::uint64_t MediaTap::dropped() const noexcept { return ring_ == nullptr ? 0 : ring_->dropped(); }

void MediaTap::end() noexcept {
  if (ring_ != nullptr) ring_->end();
}

bool MediaTap::is_over() const noexcept { return ring_ == nullptr || ring_->is_over(); }

MediaRelay::MediaRelay(std::shared_ptr<media::RelayCore> core) noexcept : core_(std::move(core)) {}
MediaRelay::MediaRelay(MediaRelay&& other) noexcept = default;

MediaRelay& MediaRelay::operator=(MediaRelay&& other) noexcept {
  if (this == &other) return *this;
  if (core_ != nullptr) core_->stop();
  core_ = std::move(other.core_);
  return *this;
}

MediaRelay::~MediaRelay() {
  if (core_ != nullptr) core_->stop();
}

Result<MediaSession> MediaRelay::open(IpAddress::Family caller, IpAddress::Family callee) {
  return core_->open(caller, callee);
}

MediaRelayStats MediaRelay::stats() const noexcept { return core_->stats(); }

Result<MediaSession> MediaRelay::adopt(const SocketAddress& caller_rtp,
                                       const SocketAddress& callee_rtp) {
  return core_->adopt(caller_rtp, callee_rtp);
}

std::vector<MediaBackendState> MediaRelay::backends() const { return core_->backends(); }

Result<DtlsFingerprint> MediaRelay::dtls_fingerprint() {
  auto identity = core_->dtls_identity();
  if (!identity) return identity.error();
  return (*identity)->fingerprint();
}

std::vector<MediaEvent> MediaRelay::take_events(std::size_t events_max, std::int64_t wait_us) {
  const std::shared_ptr<media::RelayCore> core = core_;  // whoever waits keeps it
  return core->take_events(events_max, wait_us);
}

}  // namespace tandem
