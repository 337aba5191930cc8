#include "media/flow.hpp"

#include <algorithm>
#include <cstring>

#include "media/audio_bridge.hpp"
#include "media/tap_ring.hpp"

namespace tandem::media {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;
constexpr int misorder_max = 100;  // RFC 3550 appendix A.1
constexpr int dropout_max = 3000;  // RFC 3550 appendix A.1
constexpr std::uint32_t jitter_jump_max_s =
    2;  // a longer jump of the transit is a new time base, not jitter

bool window_is_open(const FlowRecord& flow, std::int64_t now_us) noexcept {
  const std::uint32_t until_ms = flow.relatch_until_ms.load(relaxed);
  if (until_ms == 0) return false;
  return static_cast<std::int32_t>(until_ms - static_cast<std::uint32_t>(now_us / 1000)) > 0;
}

void count_packet(FlowRecord& flow, std::size_t size_bytes, std::int64_t now_us) noexcept {
  add<std::uint64_t>(flow.packets, 1);
  add<std::uint64_t>(flow.bytes, size_bytes);
  flow.last_us.store(now_us, relaxed);
}

std::uint32_t expected(const FlowRecord& flow) noexcept {
  return flow.highest_sequence.load(relaxed) - flow.base_sequence.load(relaxed) + 1;
}

void count_lost(FlowRecord& flow) noexcept {
  const auto lost = static_cast<std::int32_t>(
      expected(flow) - static_cast<std::uint32_t>(flow.packets.load(relaxed)));
  flow.lost.store(lost > 0 ? static_cast<std::uint32_t>(lost) : 0, relaxed);
}

// Jitter of RFC 3550 appendix A.8. Packets of one timestamp (video frames, telephone-event) were
// not sent at the times that their timestamps say, so only the first of them counts.
void count_jitter(FlowRecord& flow, const RtpHeader& header, std::int64_t now_us,
                  bool is_new_base) noexcept {
  const std::uint32_t rate_hz = flow.clock_rate_hz.load(relaxed);
  if (!is_new_base && header.timestamp == flow.timestamp.load(relaxed)) return;
  const auto arrival = static_cast<std::uint32_t>(
      static_cast<std::uint64_t>(now_us) / 1'000'000 * rate_hz +
      static_cast<std::uint64_t>(now_us) % 1'000'000 * rate_hz / 1'000'000);
  const std::uint32_t transit = arrival - header.timestamp;
  const auto change = static_cast<std::int32_t>(transit - flow.transit.load(relaxed));
  const std::uint32_t distance =
      change < 0 ? 0U - static_cast<std::uint32_t>(change) : static_cast<std::uint32_t>(change);
  flow.transit.store(transit, relaxed);
  flow.timestamp.store(header.timestamp, relaxed);
  if (is_new_base || distance > jitter_jump_max_s * rate_hz) return;
  const std::uint32_t jitter = flow.jitter_q4.load(relaxed);
  flow.jitter_q4.store(jitter + distance - ((jitter + 8) >> 4), relaxed);
}

// Sequence statistics of RFC 3550 appendix A.1 and A.3. A new source or a jump moves
// `base_sequence` so that what was expected before stays expected: losses of all streams of the
// call add up, and a jump itself is no loss.
void count_rtp(FlowRecord& flow, const RtpHeader& header, std::size_t size_bytes,
               std::int64_t now_us) noexcept {
  const auto packets_before = static_cast<std::uint32_t>(flow.packets.load(relaxed));
  const std::uint32_t highest = flow.highest_sequence.load(relaxed);
  const auto step =
      static_cast<std::int16_t>(header.sequence - static_cast<std::uint16_t>(highest));
  const bool is_new_source = packets_before == 0 || header.ssrc != flow.ssrc.load(relaxed);
  const bool is_jump = step >= dropout_max || step <= -misorder_max;
  if (is_new_source || is_jump) {
    std::uint32_t expected_before = expected(flow);
    if (static_cast<std::int32_t>(expected_before - packets_before) < 0)
      expected_before = packets_before;
    flow.ssrc.store(header.ssrc, relaxed);
    flow.highest_sequence.store(header.sequence, relaxed);
    flow.base_sequence.store(header.sequence - expected_before, relaxed);
    if (is_new_source) flow.jitter_q4.store(0, relaxed);
  } else if (step > 0) {
    flow.highest_sequence.store(highest + static_cast<std::uint32_t>(step), relaxed);
  } else {
    // Late. Before the first one that came, it moves the beginning.
    const std::uint32_t extended = highest - static_cast<std::uint32_t>(-step);
    if (static_cast<std::int32_t>(extended - flow.base_sequence.load(relaxed)) < 0)
      flow.base_sequence.store(extended, relaxed);
  }
  count_packet(flow, size_bytes, now_us);
  count_lost(flow);
  count_jitter(flow, header, now_us, is_new_source || is_jump);
}

void latch(FlowRecord& flow, const PackedAddress& from) noexcept {
  flow.latched.store(from);
  // Exchanged, so that a window that the session opens meanwhile stays.
  std::uint32_t until_ms = flow.relatch_until_ms.load(relaxed);
  if (until_ms != 0) flow.relatch_until_ms.compare_exchange_strong(until_ms, 0, relaxed);
}

bool refuse(FlowRecord& flow, std::atomic<std::uint64_t>& total) noexcept {
  add<std::uint32_t>(flow.refused, 1);
  add<std::uint64_t>(total, 1);
  return false;
}

// Where packets towards the side of `flow` go.
PackedAddress destination(const FlowRecord& flow, std::int64_t now_us) noexcept {
  const std::uint32_t epoch = flow.epoch.load(std::memory_order_acquire);
  if (!FlowRecord::is_open(epoch)) return {};
  PackedAddress latched;
  if (flow.seen_epoch.load(relaxed) == epoch) latched = flow.latched.load_own();
  if (!latched.is_set()) return flow.signalled.load();
  const bool prefers_signalled = (flow.flags.load(relaxed) & FlowRecord::prefer_signalled) != 0;
  const bool is_moving = window_is_open(flow, now_us);
  if (!prefers_signalled && !is_moving) return latched;
  const PackedAddress signalled = flow.signalled.load();
  if (!signalled.is_set()) return latched;
  return is_moving || !unpack(signalled).ip.is_private() ? signalled : latched;
}

}  // namespace

PackedAddress pack(const SocketAddress& address) noexcept {
  PackedAddress packed;
  if (address.ip.family == IpAddress::Family::none || address.port == 0) return packed;
  std::memcpy(packed.ip.data(), address.ip.bytes.data(), address.ip.is_ipv4() ? 4 : 16);
  packed.port = address.port;
  packed.family = address.ip.family;
  return packed;
}

SocketAddress unpack(const PackedAddress& address) noexcept {
  SocketAddress unpacked;
  unpacked.ip.family = address.family;
  std::memcpy(unpacked.ip.bytes.data(), address.ip.data(),
              address.family == IpAddress::Family::ipv4 ? 4 : 16);
  unpacked.port = address.port;
  return unpacked;
}

void AtomicAddress::store(const PackedAddress& address) noexcept {
  const std::uint32_t before = word_.load(relaxed);
  word_.store(before | writing, relaxed);
  // Release: who sees one of these words also sees `writing`, or the word after it.
  for (std::size_t i = 0; i < 4; ++i)
    ip_[i].store(address.ip[i], std::memory_order_release);
  const std::uint32_t stores = (before >> 19) + 1;
  word_.store(stores << 19 | static_cast<std::uint32_t>(address.family) << 16 | address.port,
              std::memory_order_release);
}

PackedAddress AtomicAddress::load() const noexcept {
  for (;;) {
    const std::uint32_t word = word_.load(std::memory_order_acquire);
    const PackedAddress address = from_word(word);
    if ((word & writing) == 0 && word_.load(relaxed) == word) return address;
  }
}

PackedAddress AtomicAddress::from_word(std::uint32_t word) const noexcept {
  PackedAddress address;
  for (std::size_t i = 0; i < 4; ++i)
    address.ip[i] = ip_[i].load(std::memory_order_acquire);
  address.port = static_cast<std::uint16_t>(word);
  address.family = static_cast<IpAddress::Family>(word >> 16 & 3);
  return address;
}

std::uint32_t FlowRecord::jitter_us() const noexcept {
  const std::uint64_t units = jitter_q4.load(relaxed) >> 4;
  return static_cast<std::uint32_t>(units * 1'000'000 / clock_rate_hz.load(relaxed));
}

FlowTable::FlowTable(std::size_t slots)
    : size_(slots),
      records_(std::make_unique<FlowRecord[]>(slots)),
      watches_(std::make_unique<Watch[]>((slots + 1) / 2)) {}

// Forgets the former session of the port.
void FlowTable::begin(std::uint32_t slot, std::uint32_t epoch) noexcept {
  FlowRecord& flow = records_[slot];
  flow.latched.store({});
  flow.packets.store(0, relaxed);
  flow.bytes.store(0, relaxed);
  flow.last_us.store(0, relaxed);
  flow.forwarded.store(0, relaxed);
  flow.ssrc.store(0, relaxed);
  flow.highest_sequence.store(0, relaxed);
  flow.base_sequence.store(1, relaxed);
  flow.jitter_q4.store(0, relaxed);
  flow.transit.store(0, relaxed);
  flow.timestamp.store(0, relaxed);
  flow.refused.store(0, relaxed);
  flow.lost.store(0, relaxed);
  if (slot % 2 == 0) watch(slot).begin();
  flow.seen_epoch.store(epoch, std::memory_order_release);
}

std::array<std::uint32_t, 2> FlowTable::open(std::uint32_t a, std::uint32_t b) noexcept {
  const std::uint32_t slots[2] = {a, b};
  for (int side = 0; side < 2; ++side) {
    for (std::uint32_t kind = 0; kind < 2; ++kind) {
      FlowRecord& flow = records_[slots[side] + kind];
      flow.signalled.store({});
      flow.peer.store(slots[1 - side] + kind, relaxed);
      flow.flags.store(kind == 0 ? 0U : static_cast<std::uint32_t>(FlowRecord::rtcp), relaxed);
      flow.relatch_until_ms.store(0, relaxed);
      flow.clock_rate_hz.store(8000, relaxed);
    }
  }
  for (int side = 0; side < 2; ++side) {
    std::uint32_t opened = opened_.load(relaxed);
    while (opened < slots[side] + 2 &&
           !opened_.compare_exchange_weak(opened, slots[side] + 2, relaxed)) {
    }
    watch(slots[side]).forget();
    watch(slots[side]).side.store(side == 0 ? MediaSide::caller : MediaSide::callee, relaxed);
  }
  std::array<std::uint32_t, 2> epochs{};
  for (std::size_t side = 0; side < 2; ++side) {
    epochs[side] = records_[slots[side]].epoch.load(relaxed) + 1;
    for (std::uint32_t kind = 0; kind < 2; ++kind)
      records_[slots[side] + kind].epoch.store(epochs[side], std::memory_order_release);
  }
  return epochs;
}

PackedAddress FlowTable::destination_of(std::uint32_t slot, std::int64_t now_us) const noexcept {
  return destination(records_[slot], now_us);
}

bool FlowTable::is_moving(std::uint32_t slot, std::int64_t now_us) const noexcept {
  return window_is_open(records_[slot], now_us);
}

void FlowTable::add_carried(std::uint32_t slot, const CarriedPackets& carried) noexcept {
  FlowRecord& flow = records_[slot];
  add<std::uint64_t>(flow.packets, carried.packets);
  add<std::uint64_t>(flow.bytes, carried.bytes);
  add<std::uint64_t>(flow.forwarded, carried.packets);
  if (carried.last_us > flow.last_us.load(relaxed)) flow.last_us.store(carried.last_us, relaxed);
  if (static_cast<std::int32_t>(carried.highest_sequence - flow.highest_sequence.load(relaxed)) > 0)
    flow.highest_sequence.store(carried.highest_sequence, relaxed);
  flow.jitter_q4.store(carried.jitter_q4, relaxed);
  flow.transit.store(carried.transit, relaxed);
  flow.timestamp.store(carried.timestamp, relaxed);
  count_lost(flow);
}

void FlowTable::resume(std::uint32_t slot, const ResumedFlow& from) noexcept {
  begin(slot, records_[slot].epoch.load(relaxed));
  FlowRecord& flow = records_[slot];
  flow.signalled.store(from.signalled);
  flow.clock_rate_hz.store(from.clock_rate_hz, relaxed);
  if (!from.latched.is_set()) {
    flow.flags.store(FlowRecord::discard, relaxed);  // it may have been blocked
    return;
  }
  flow.flags.store(FlowRecord::strict_source, relaxed);
  if (!from.signalled.is_set()) flow.signalled.store(from.latched);
  flow.latched.store(from.latched);
  flow.ssrc.store(from.ssrc, relaxed);
  flow.base_sequence.store(from.base_sequence, relaxed);
  flow.highest_sequence.store(from.highest_sequence, relaxed);
  flow.packets.store(from.packets_before, relaxed);
  flow.forwarded.store(from.packets_before, relaxed);
}

void FlowTable::close(std::uint32_t a) noexcept {
  for (std::uint32_t slot = a; slot < a + 2; ++slot)
    records_[slot].epoch.store(records_[slot].epoch.load(relaxed) + 1, std::memory_order_release);
}

bool FlowTable::judge(std::uint32_t slot, const PackedAddress& from, std::string_view bytes,
                      std::int64_t now_us, ShardCounters& totals, Onward& onward) noexcept {
  FlowRecord& flow = records_[slot];
  const std::uint32_t epoch = flow.epoch.load(std::memory_order_acquire);
  if (!FlowRecord::is_open(epoch)) {
    flow.last_us.store(now_us,
                       relaxed);  // keeps the port from a new call while an old one still sends
    add<std::uint64_t>(totals.stray, 1);
    return false;
  }
  if (flow.seen_epoch.load(relaxed) != epoch) begin(slot, epoch);
  std::uint32_t flags = flow.flags.load(relaxed);
  // What has keys is RTP still: an offer of something else takes them away when it is answered.
  if ((flags & FlowRecord::encrypted) != 0)
    flags &= ~static_cast<std::uint32_t>(FlowRecord::transparent);
  if ((flags & FlowRecord::rtcp) != 0)
    return judge_rtcp(slot, from, bytes, now_us, flags, totals, onward);
  if ((flags & FlowRecord::handshakes) != 0 && port_traffic(bytes) != PortTraffic::rtp) {
    take_handshake(slot, from, bytes, now_us, totals);
    return false;
  }
  if ((flags & FlowRecord::transparent) == 0 && looks_like_rtcp(bytes))
    return judge_rtcp(slot, from, bytes, now_us, flags, totals, onward);
  return judge_rtp(slot, from, bytes, now_us, flags, totals, onward);
}

// What a bridge makes belongs to the flow of the side that it stands for, as if that had sent it.
class FlowTable::Made final : public BridgeOutput {
 public:
  Made(FlowTable& flows, std::uint32_t slot, std::int64_t now_us, ShardCounters& totals) noexcept
      : flows_(flows), slot_(slot), now_us_(now_us), totals_(totals) {}

  void send(MediaSide to, std::string_view packet) noexcept override {
    const std::uint32_t from =
        slot_of(to == MediaSide::caller ? MediaSide::callee : MediaSide::caller);
    Onward onward;
    if (totals_.sender == nullptr ||
        !flows_.set_onward(from, flows_[from].peer.load(relaxed), packet, now_us_, totals_, onward))
      return;
    // So that what is sent before the side's own first packet counts for this session.
    if (const auto epoch = flows_[from].epoch.load(std::memory_order_acquire);
        flows_[from].seen_epoch.load(relaxed) != epoch)
      flows_.begin(from, epoch);
    flows_.sent(onward, totals_.sender->send_datagram(totals_.shard, onward), totals_);
  }

  void heard(MediaSide from, const HeardKey& key) noexcept override {
    const std::uint32_t slot = slot_of(from);
    add<std::uint32_t>(flows_.watch(slot).digits, 1);
    add<std::uint64_t>(totals_.digits, 1);
    flows_.tell_key(slot, {key.key, key.duration_ms, false}, 1000, now_us_, totals_);
  }

  void buffered(MediaSide from, const JitterBuffer::Counts& more,
                std::int64_t depth_us) noexcept override {
    Watch& watch = flows_.watch(slot_of(from));
    add<std::uint32_t>(watch.jitter_late, more.late);
    add<std::uint32_t>(watch.jitter_lost, more.lost);
    const auto depth_ms = static_cast<std::uint32_t>(depth_us / 1000);
    watch.jitter_depth_ms.store(std::max(watch.jitter_depth_ms.load(relaxed), depth_ms), relaxed);
  }

 private:
  [[nodiscard]] std::uint32_t slot_of(MediaSide side) const noexcept {
    return flows_.watch(slot_).side.load(relaxed) == side ? slot_
                                                          : flows_[slot_].peer.load(relaxed);
  }

  FlowTable& flows_;
  const std::uint32_t slot_;
  const std::int64_t now_us_;
  ShardCounters& totals_;
};

class FlowTable::Answers final : public HandshakeOutput {
 public:
  Answers(std::uint32_t slot, ShardCounters& totals) noexcept : slot_(slot), totals_(totals) {}
  void send(const PackedAddress& to, std::string_view bytes) noexcept override {
    if (totals_.sender == nullptr) return;
    Onward onward;
    onward.flow = onward.slot = slot_;
    onward.to = to;
    onward.bytes = bytes;
    (void)totals_.sender->send_datagram(totals_.shard, onward);  // it is sent again, or asked again
  }

 private:
  const std::uint32_t slot_;
  ShardCounters& totals_;
};

SideHandshake* FlowTable::handshake(std::uint32_t slot) const noexcept {
  SideHandshake* const own = watch(slot).handshake.load();
  if (own != nullptr) own->adopt();
  return own;
}

void FlowTable::note_outcome(std::uint32_t slot, MediaHandshakeState before,
                             MediaHandshakeState after, std::int64_t now_us,
                             ShardCounters& totals) noexcept {
  if (before == after) return;
  const bool is_agreed = after == MediaHandshakeState::agreed;
  if (!is_agreed && after != MediaHandshakeState::dtls_failed &&
      after != MediaHandshakeState::fingerprint_mismatch)
    return;
  add<std::uint64_t>(is_agreed ? totals.handshakes_agreed : totals.handshakes_failed, 1);
  if (totals.events == nullptr) return;
  const Watch& watched = watch(slot);
  ShardEvent event;
  event.kind = MediaEvent::Kind::handshake_ended;
  event.side = watched.side.load(relaxed);
  event.tag = watched.tag.load(relaxed);
  event.at_us = now_us;
  event.amount = static_cast<std::uint32_t>(after);
  totals.events->push(event);
}

void FlowTable::take_handshake(std::uint32_t slot, const PackedAddress& from,
                               std::string_view bytes, std::int64_t now_us,
                               ShardCounters& totals) noexcept {
  SideHandshake* const own = handshake(slot);
  const MediaSources* const sources = watch(slot).sources.load();
  const bool is_denied = sources != nullptr && !is_allowed(*sources, unpack(from).ip);
  if (own == nullptr || is_denied) {
    if (is_denied) add<std::uint32_t>(watch(slot).denied, 1);
    refuse(records_[slot], totals.refused);
    return;
  }
  const MediaHandshakeState before = own->state();
  Answers answers(slot, totals);
  if (!own->take(from, bytes, records_[slot].signalled.load(), now_us, totals.handshakes, answers))
    refuse(records_[slot], totals.refused);
  note_outcome(slot, before, own->state(), now_us, totals);
}

void FlowTable::tick(std::uint32_t slot, SideHandshake& handshake, std::int64_t now_us,
                     ShardCounters& totals) noexcept {
  handshake.adopt();
  const MediaHandshakeState before = handshake.state();
  Answers answers(slot, totals);
  handshake.tick(records_[slot].signalled.load(), now_us, totals.handshakes, answers);
  note_outcome(slot, before, handshake.state(), now_us, totals);
}

void FlowTable::tick(std::uint32_t slot, AudioBridge& bridge, std::int64_t now_us,
                     ShardCounters& totals) noexcept {
  if (!FlowRecord::is_open(records_[slot].epoch.load(std::memory_order_acquire))) return;
  Made made(*this, slot, now_us, totals);
  bridge.tick(now_us, made);
}

bool FlowTable::judge_rtp(std::uint32_t slot, const PackedAddress& from, std::string_view bytes,
                          std::int64_t now_us, std::uint32_t flags, ShardCounters& totals,
                          Onward& onward) noexcept {
  FlowRecord& flow = records_[slot];
  if ((flags & FlowRecord::transparent) != 0) {
    if (const auto refusal = accept(slot, from, flags, false, now_us, totals);
        refusal != MediaRefusal::none)
      return refuse_source(slot, from, refusal, now_us, totals);
    count_packet(flow, bytes.size(), now_us);
    flow.base_sequence.store(flow.base_sequence.load(relaxed) - 1,
                             relaxed);  // expected and received alike
  } else {
    const std::optional<RtpHeader> header = parse_rtp(bytes);
    if (!header) {
      add<std::uint32_t>(watch(slot).malformed, 1);
      return refuse(flow, totals.malformed);
    }
    const auto step = static_cast<std::int16_t>(
        header->sequence - static_cast<std::uint16_t>(flow.highest_sequence.load(relaxed)));
    const bool is_continued = header->ssrc == flow.ssrc.load(relaxed) &&
                              flow.packets.load(relaxed) > 0 && step < dropout_max &&
                              step > -misorder_max;
    if (const auto refusal = may_speak(slot, from, flags, is_continued, now_us);
        refusal != MediaRefusal::none)
      return refuse_source(slot, from, refusal, now_us, totals);
    const std::size_t size_bytes = bytes.size();
    if ((flags & FlowRecord::encrypted) != 0 && !open_sealed(slot, false, bytes, totals))
      return refuse(flow, totals.refused);
    listen_to(slot, from, now_us, totals);
    count_rtp(flow, *header, size_bytes, now_us);
    if ((flags & FlowRecord::watched) != 0) observe(slot, *header, bytes, now_us, totals);
  }
  if ((flags & FlowRecord::discard) != 0) {
    add<std::uint32_t>(watch(slot).discarded, 1);
    add<std::uint64_t>(totals.discarded, 1);
    return false;
  }
  if ((flags & (FlowRecord::watched | FlowRecord::transparent)) == FlowRecord::watched) {
    Watch& watched = watch(slot);
    if (AudioBridge* const bridge = watched.bridge.load()) {
      if (const auto header = parse_rtp(bytes)) {
        Made made(*this, slot, now_us, totals);
        bridge->take(watched.side.load(relaxed), *header, bytes, now_us, made);
        if (bridge->is_busy() && !bridge->is_ticked.load(relaxed) && totals.sender != nullptr)
          totals.sender->on_bridge_begun(totals.shard, slot, *bridge);
      }
      return false;
    }
  }
  return set_onward(slot, flow.peer.load(relaxed), bytes, now_us, totals, onward);
}

// RTCP follows the RTP of its side: once that is latched, its IP address may send reports and no
// other. Packets on the RTP port never latch it. Reports come seconds apart, so silence says
// nothing here.
bool FlowTable::judge_rtcp(std::uint32_t slot, const PackedAddress& from, std::string_view bytes,
                           std::int64_t now_us, std::uint32_t flags, ShardCounters& totals,
                           Onward& onward) noexcept {
  FlowRecord& arrival = records_[slot];
  const bool is_muxed = (flags & FlowRecord::rtcp) == 0;
  const std::uint32_t rtp_slot = is_muxed ? slot : slot - 1;
  const FlowRecord& rtp = records_[rtp_slot];
  FlowRecord& rtcp = records_[rtp_slot + 1];
  const std::uint32_t epoch = rtp.epoch.load(std::memory_order_acquire);
  if (!FlowRecord::is_open(epoch)) return false;  // closed since judge() looked
  if (rtcp.seen_epoch.load(relaxed) != epoch) begin(rtp_slot + 1, epoch);
  PackedAddress latched;
  if (rtp.seen_epoch.load(relaxed) == epoch) latched = rtp.latched.load_own();
  const std::size_t size_bytes = bytes.size();
  if ((flags & FlowRecord::encrypted) != 0 && !open_sealed(rtp_slot, true, bytes, totals))
    return refuse(arrival, totals.refused);
  const std::optional<RtcpSummary> summary = parse_rtcp(bytes);
  if (!summary) return refuse(arrival, totals.malformed);
  if (is_muxed) {
    const bool is_refused = latched.is_set() && (flags & FlowRecord::handshakes) == 0
                                ? latched != from
                                : may_speak(slot, from, flags, false, now_us) != MediaRefusal::none;
    if (is_refused) return refuse(arrival, totals.refused);
  } else if (latched.is_set()
                 ? !latched.same_ip(from) && rtcp.latched.load_own() != from &&
                       rtcp.signalled.load() != from
                 : accept(rtp_slot + 1, from, flags, false, now_us, totals) != MediaRefusal::none) {
    return refuse(arrival, totals.refused);
  } else if (rtcp.latched.load_own() != from) {
    latch(rtcp, from);
  }
  count_packet(rtcp, size_bytes, now_us);
  rtcp.ssrc.store(summary->ssrc, relaxed);
  if (summary->has_report) {
    rtcp.lost.store(summary->lost, relaxed);
    rtcp.jitter_q4.store(summary->jitter, relaxed);
    add<std::uint32_t>(rtcp.highest_sequence, 1);
  }
  const std::uint32_t peer_rtp = rtp.peer.load(relaxed);
  const bool leaves_muxed = (records_[peer_rtp].flags.load(relaxed) & FlowRecord::mux) != 0;
  return set_onward(rtp_slot + 1, leaves_muxed ? peer_rtp : peer_rtp + 1, bytes, now_us, totals,
                    onward);
}

bool FlowTable::set_onward(std::uint32_t flow, std::uint32_t slot, std::string_view bytes,
                           std::int64_t now_us, ShardCounters& totals, Onward& onward) noexcept {
  onward.flow = flow;
  onward.slot = slot;
  onward.bytes = bytes;
  onward.to = destination(records_[slot], now_us);
  if ((records_[slot].flags.load(relaxed) & FlowRecord::handshakes) != 0) {
    const SideHandshake* const own = handshake(slot);
    if (own == nullptr) {
      onward.to = {};
    } else if (own->has_ice()) {
      onward.to = own->selected();
    }
  }
  if (onward.to.is_set()) {
    const bool is_sealed = (records_[slot].flags.load(relaxed) & FlowRecord::encrypted) != 0;
    return !is_sealed || seal(slot, flow % 2 != 0, onward.bytes, totals);
  }
  add<std::uint64_t>(totals.undeliverable, 1);
  if (flow % 2 == 0) add<std::uint32_t>(watch(flow).undeliverable, 1);
  return false;
}

SrtpSide* FlowTable::keys_of(std::uint32_t slot, bool is_report) const noexcept {
  SideHandshake* const own = handshake(slot);
  if (own == nullptr || !own->has_dtls()) return watch(slot).crypto.load();
  // On a port of its own RTCP would have an association of its own (RFC 5764 section 3).
  return is_report && !own->asked().rtcp_mux ? nullptr : own->keys();
}

bool FlowTable::open_sealed(std::uint32_t slot, bool is_report, std::string_view& bytes,
                            ShardCounters& totals) noexcept {
  Watch& watched = watch(slot);
  SrtpSide* const crypto = keys_of(slot, is_report);
  if (crypto == nullptr) return false;  // not agreed on yet, or taken away since
  const SrtpVerdict verdict = is_report ? crypto->open_rtcp(bytes) : crypto->open_rtp(bytes);
  if (verdict == SrtpVerdict::not_authentic) {
    add<std::uint64_t>(totals.not_authentic, 1);
    if (!is_report) add<std::uint32_t>(watched.not_authentic, 1);
  }
  if (verdict != SrtpVerdict::authentic) return false;
  if (SideHandshake* const own = watched.handshake.load()) own->note_media();
  return true;
}

bool FlowTable::seal(std::uint32_t slot, bool is_report, std::string_view& bytes,
                     ShardCounters& totals) noexcept {
  SrtpSide* const crypto = keys_of(slot, is_report);
  if (crypto == nullptr) return false;  // rather lost than in the clear
  const bool is_sealed = is_report ? crypto->seal_rtcp(bytes) : crypto->seal_rtp(bytes);
  if (!is_sealed) add<std::uint64_t>(totals.not_sealed, 1);
  return is_sealed;
}

MediaRefusal FlowTable::accept(std::uint32_t slot, const PackedAddress& from, std::uint32_t flags,
                               bool is_continued, std::int64_t now_us,
                               ShardCounters& totals) noexcept {
  const MediaRefusal refusal = may_speak(slot, from, flags, is_continued, now_us);
  if (refusal == MediaRefusal::none) listen_to(slot, from, now_us, totals);
  return refusal;
}

MediaRefusal FlowTable::may_speak(std::uint32_t slot, const PackedAddress& from,
                                  std::uint32_t flags, bool is_continued,
                                  std::int64_t now_us) const noexcept {
  const FlowRecord& flow = records_[slot];
  if ((flags & FlowRecord::handshakes) != 0) {
    const SideHandshake* const own = handshake(slot);
    if (own != nullptr && own->has_ice())
      return own->is_checked(from) ? MediaRefusal::none : MediaRefusal::unchecked;
  }
  const PackedAddress latched = flow.latched.load_own();
  if (latched == from) return MediaRefusal::none;
  const PackedAddress signalled = flow.signalled.load();
  if ((flags & FlowRecord::strict_source) != 0 && signalled.is_set() && !signalled.same_ip(from))
    return MediaRefusal::strict;
  const bool may_latch = !latched.is_set() || is_continued || from == signalled ||
                         now_us - flow.last_us.load(relaxed) >= FlowTable::silence_us ||
                         window_is_open(flow, now_us);
  if (!may_latch) return MediaRefusal::latched;
  const MediaSources* const sources = watch(slot).sources.load();
  if (sources != nullptr && !is_allowed(*sources, unpack(from).ip)) return MediaRefusal::denied;
  return MediaRefusal::none;
}

void FlowTable::listen_to(std::uint32_t slot, const PackedAddress& from, std::int64_t now_us,
                          ShardCounters& totals) noexcept {
  FlowRecord& flow = records_[slot];
  const PackedAddress latched = flow.latched.load_own();
  if (latched == from) return;
  latch(flow, from);
  if (slot % 2 != 0 || totals.events == nullptr) return;
  const Watch& watched = watch(slot);
  ShardEvent event;
  event.kind = latched.is_set() ? MediaEvent::Kind::source_changed : MediaEvent::Kind::first_packet;
  event.side = watched.side.load(relaxed);
  event.tag = watched.tag.load(relaxed);
  event.at_us = now_us;
  event.source = from;
  totals.events->push(event);
}

bool FlowTable::refuse_source(std::uint32_t slot, const PackedAddress& from, MediaRefusal refusal,
                              std::int64_t now_us, ShardCounters& totals) noexcept {
  constexpr std::int64_t told_again_us = 1'000'000;
  Watch& watched = watch(slot);
  if (refusal == MediaRefusal::denied) add<std::uint32_t>(watched.denied, 1);
  ++watched.refusals_untold;
  if (totals.events != nullptr &&
      (watched.refusal_told_us == 0 || now_us - watched.refusal_told_us >= told_again_us)) {
    ShardEvent event;
    event.kind = MediaEvent::Kind::source_refused;
    event.side = watched.side.load(relaxed);
    event.tag = watched.tag.load(relaxed);
    event.at_us = now_us;
    event.source = from;
    event.refusal = refusal;
    event.amount = watched.refusals_untold;
    totals.events->push(event);
    watched.refusal_told_us = now_us;
    watched.refusals_untold = 0;
  }
  return refuse(records_[slot], totals.refused);
}

// What is looked at in packets of a watched flow.
void FlowTable::observe(std::uint32_t slot, const RtpHeader& header, std::string_view bytes,
                        std::int64_t now_us, ShardCounters& totals) noexcept {
  Watch& watched = watch(slot);
  if (TapRing* const tap = watched.tap.load();
      tap != nullptr && !tap->put(watched.side.load(relaxed), now_us, bytes))
    add<std::uint64_t>(totals.taps_dropped, 1);
  if (Watch::has(watched.keys, header.payload_type)) {
    const auto event = parse_telephone_event(rtp_payload(bytes, header));
    if (!event) return;
    bool is_new_key = false;
    std::optional<PressedKey> end_lost;
    // Devices that speak Opus often count their events at 8,000 Hz.
    const std::uint32_t audio_hz = records_[slot].clock_rate_hz.load(relaxed);
    const std::uint32_t own_hz = watched.event_clock_rate_hz(header.payload_type);
    const std::uint32_t clock_hz = own_hz != 0 ? own_hz : audio_hz;
    const auto key = watched.detector.take(*event, header.timestamp, header.ssrc, now_us,
                                           is_new_key, end_lost, audio_hz / clock_hz);
    if (is_new_key) {
      add<std::uint32_t>(watched.digits, 1);
      add<std::uint64_t>(totals.digits, 1);
    }
    if (end_lost) tell_key(slot, *end_lost, watched.key_clock_rate_hz, now_us, totals);
    if (is_new_key) watched.key_clock_rate_hz = clock_hz;
    if (key) tell_key(slot, *key, watched.key_clock_rate_hz, now_us, totals);
    return;
  }
  if (watched.detector.is_pressed()) look_for_key(slot, now_us, totals);
  const bool is_anything_fine =
      (watched.negotiated[0].load(relaxed) | watched.negotiated[1].load(relaxed)) == 0;
  if (!is_anything_fine && !Watch::has(watched.negotiated, header.payload_type))
    add<std::uint64_t>(watched.unnegotiated, 1);
}

/// Tells of a key whose end was lost.
void FlowTable::look_for_key(std::uint32_t slot, std::int64_t now_us,
                             ShardCounters& totals) noexcept {
  Watch& watched = watch(slot);
  if (const auto key = watched.detector.look(now_us))
    tell_key(slot, *key, watched.key_clock_rate_hz, now_us, totals);
}

void FlowTable::tell_key(std::uint32_t slot, const PressedKey& key, std::uint32_t clock_rate_hz,
                         std::int64_t now_us, ShardCounters& totals) noexcept {
  if (totals.events == nullptr) return;
  const Watch& watched = watch(slot);
  ShardEvent event;
  event.kind = MediaEvent::Kind::digit;
  event.side = watched.side.load(relaxed);
  event.tag = watched.tag.load(relaxed);
  event.at_us = now_us;
  event.digit = key.key;
  event.is_end_lost = key.is_end_lost;
  event.amount = static_cast<std::uint32_t>(std::uint64_t{key.duration} * 1000 / clock_rate_hz);
  totals.events->push(event);
}

void FlowTable::scan(unsigned shard, std::int64_t now_us, ShardCounters& totals) noexcept {
  constexpr std::uint32_t loss_packets_min = 25;  // fewer say nothing
  if (totals.events == nullptr) return;
  const std::uint32_t end = opened_.load(relaxed);
  for (std::uint32_t slot = 0; slot < end; slot += 2) {
    Watch& watched = watch(slot);
    if (!watched.is_scanned.load(std::memory_order_acquire) || watched.shard.load(relaxed) != shard)
      continue;
    FlowRecord& flow = records_[slot];
    const std::uint32_t epoch = flow.epoch.load(std::memory_order_acquire);
    if (!FlowRecord::is_open(epoch)) continue;
    // So that silence from the beginning is this session's.
    if (flow.seen_epoch.load(relaxed) != epoch) begin(slot, epoch);
    look_for_key(slot, now_us, totals);
    ShardEvent event;
    event.side = watched.side.load(relaxed);
    event.tag = watched.tag.load(relaxed);
    event.at_us = now_us;
    const std::int64_t heard_us =
        std::max(flow.last_us.load(relaxed), watched.watched_from_us.load(relaxed));
    const std::int64_t silence_ms = (now_us - heard_us) / 1000;
    const std::uint32_t silence_limit_ms = watched.silence_ms.load(relaxed);
    const bool is_silent = silence_limit_ms != 0 && silence_ms >= silence_limit_ms;
    if (is_silent != watched.is_silent) {
      watched.is_silent = is_silent;
      event.kind = is_silent ? MediaEvent::Kind::silence_began : MediaEvent::Kind::silence_ended;
      if (is_silent) watched.silent_from_us = heard_us;
      event.amount = static_cast<std::uint32_t>(
          is_silent ? silence_ms : (heard_us - watched.silent_from_us) / 1000);
      if (is_silent || silence_limit_ms != 0) totals.events->push(event);
    }
    const std::uint32_t loss_limit = watched.loss_permille.load(relaxed);
    if (loss_limit == 0) continue;
    const bool is_first = watched.window_from_us == 0;
    if (is_first) watched.window_from_us = now_us;
    if (!is_first &&
        now_us - watched.window_from_us < std::int64_t{watched.loss_window_ms.load(relaxed)} * 1000)
      continue;
    const bool has_begun = flow.packets.load(relaxed) > 0;
    const std::uint32_t expected_now = has_begun ? expected(flow) : 0;
    const std::uint32_t lost_now = flow.lost.load(relaxed);
    const std::uint32_t in_window = expected_now - watched.window_expected;
    const std::uint32_t lost = lost_now > watched.window_lost ? lost_now - watched.window_lost : 0;
    watched.window_from_us = now_us;
    watched.window_expected = expected_now;
    watched.window_lost = lost_now;
    if (is_first || in_window < loss_packets_min || in_window > 0x7FFFFFFF) continue;
    const auto permille = static_cast<std::uint32_t>(
        std::min<std::uint64_t>(std::uint64_t{lost} * 1000 / in_window, 1000));
    const bool is_lossy = permille > loss_limit;
    if (is_lossy == watched.is_lossy) continue;
    watched.is_lossy = is_lossy;
    event.kind = is_lossy ? MediaEvent::Kind::loss_began : MediaEvent::Kind::loss_ended;
    event.amount = permille;
    totals.events->push(event);
  }
}

}  // namespace tandem::media
