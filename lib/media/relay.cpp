#include "media/relay.hpp"

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

template <class T>
Result<void> check_range(const char* name, T value, T lowest, T highest) {
  if (value >= lowest && value <= highest) return {};
  return Error{ErrorCode::invalid_argument, std::string(name) + " " + std::to_string(value) +
                                                " was not in " + std::to_string(lowest) + ".." +
                                                std::to_string(highest)};
}

}  // namespace

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
  };
  for (const Result<void>& checked : checks) {
    if (!checked) return checked;
  }
  if (config.port_last < first_even(config) + 3)
    return Error{ErrorCode::invalid_argument,
                 "port range " + std::to_string(config.port_first) + ".." +
                     std::to_string(config.port_last) +
                     " did not hold two pairs of an even and an odd port"};
  return {};
}

RelayCore::RelayCore(const MediaConfig& config, const Clock& clock, unsigned shards)
    : config_(config),
      clock_(clock),
      shards_(shards),
      flows_(slots_of(config)),
      counters_(std::make_unique<ShardCounters[]>(shards)) {
  const std::uint32_t pairs = pairs_of(config);
  const auto stray_time = [this](std::uint32_t slot) { return flows_[slot].last_us.load(relaxed); };
  const std::int64_t rest_us = std::int64_t{config.rest_ms} * 1000;
  if (config.address.is_ipv4())
    pool4_ = std::make_unique<PortPool>(0, pairs, shards, rest_us, stray_time);
  if (config.address6.is_ipv6())
    pool6_ = std::make_unique<PortPool>(2 * pairs, pairs, shards, rest_us, stray_time);
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
    MediaSession session;
    session.core_ = shared_from_this();
    session.slot_[0] = *a;
    session.slot_[1] = *b;
    session.shard_ = shard;
    const std::array<std::uint32_t, 2> epochs = flows_.open(*a, *b);
    session.epoch_[0] = epochs[0];
    session.epoch_[1] = epochs[1];
    sessions_.fetch_add(1, relaxed);
    return session;
  }
  sessions_refused_.fetch_add(1, relaxed);
  return std::move(*error);
}

void RelayCore::close(MediaSession& session) noexcept {
  sessions_.fetch_sub(1, relaxed);
  if (is_stopped_.load(relaxed)) return;  // the clock may be gone with the loop
  const std::int64_t now_us = clock_.monotonic_us();
  for (const std::uint32_t slot : session.slot_) {
    flows_.close(slot);
    pool(local(slot).ip.family)->give_back(session.shard_, slot, true, now_us);
  }
}

MediaRelayStats RelayCore::stats() const noexcept {
  MediaRelayStats stats;
  stats.sessions = sessions_.load(relaxed);
  stats.sessions_refused = sessions_refused_.load(relaxed);
  stats.ports_busy = ports_busy_.load(relaxed);
  stats.marks_refused = marks_refused_.load(relaxed);
  stats.priorities_refused = priorities_refused_.load(relaxed);
  stats.ports_connected = ports_connected_.load(relaxed);
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
  }
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
  const bool is_muxed = rtcp.port != 0 && rtcp == rtp;
  set_flag(rtp_flow, media::FlowRecord::mux, is_muxed);
  rtp_flow.signalled.store(after);
  rtcp_flow.signalled.store(after.is_set() ? media::pack(reports) : media::PackedAddress{});
  if (before.is_set() && after.is_set() && before != after) relatch(side, move_window_ms);
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
}

void MediaSession::set_clock_rate_hz(MediaSide side, std::uint32_t rate_hz) noexcept {
  if (rate_hz == 0 || rate_hz > clock_rate_max_hz) return;
  core_->flows()[slot_[index(side)]].clock_rate_hz.store(rate_hz, relaxed);
}

void MediaSession::relatch(MediaSide side, std::uint32_t window_ms) noexcept {
  if (window_ms > 60'000) window_ms = 60'000;
  const std::int64_t now_us = core_->clock().monotonic_us();
  for (const std::uint32_t slot : {slot_[index(side)], slot_[index(side)] + 1}) {
    if (window_ms == 0) {
      core_->flows()[slot].relatch_until_ms.store(0, relaxed);
    } else {
      open_window(core_->flows()[slot], now_us, window_ms);
    }
  }
}

MediaSideStats MediaSession::stats(MediaSide side) const {
  MediaSideStats stats;
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
  return stats;
}

std::int64_t MediaSession::last_rtp_us(MediaSide side) const noexcept {
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

}  // namespace tandem
