// The flow records and the one place that decides what happens to a datagram of a call.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "media/event_ring.hpp"
#include "media/packed_address.hpp"
#include "media/rtp.hpp"
#include "media/side_handshake.hpp"
#include "media/watch.hpp"

namespace tandem::media {

/// A PackedAddress that one thread writes and any thread reads whole, without a lock.
class AtomicAddress {
 public:
  void store(const PackedAddress& address) noexcept;       ///< The one writer.
  [[nodiscard]] PackedAddress load() const noexcept;       ///< Any thread.
  [[nodiscard]] PackedAddress load_own() const noexcept {  ///< The writer.
    return from_word(word_.load(std::memory_order_relaxed));
  }

 private:
  // Bits of word_: port 0..15, family 16..17, a store is under way 18, number of stores 19..31. A
  // reader that sees the same even word before and after the four address words has read one store.
  // 4,096 stores during one read would fool it; one store takes a packet or a call of set_remote().
  static constexpr std::uint32_t writing = 1U << 18;
  [[nodiscard]] PackedAddress from_word(std::uint32_t word) const noexcept;

  std::atomic<std::uint32_t> ip_[4] = {};
  std::atomic<std::uint32_t> word_{0};
};

/// What arrives at one local port: where from, what is done with it, what was counted. Every
/// backend of the relay keeps these same 128 bytes; the call layer reads them and never asks which
/// backend runs.
///
/// First cache line: who talks to whom. `signalled`, `epoch`, `peer`, `flags`, `clock_rate_hz` are
/// written by the owner of the session, `latched` and `seen_epoch` by the flow's shard,
/// `relatch_until_ms` by both. Second cache line: counters, written by the shard alone, so a plain
/// load and store adds.
///
/// Reuse: open makes `epoch` odd, close makes it even. The shard sees at the next packet that
/// `seen_epoch` differs and starts the flow anew; until then readers of the new session read zeros.
struct alignas(64) FlowRecord {
  enum Flag : std::uint32_t {
    rtcp = 1,  ///< An RTCP port; its RTP port is the slot before it.
    mux = 2,   ///< RTCP goes to and comes from the RTP port (RFC 5761).
    strict_source = 4,
    prefer_signalled = 8,
    transparent = 16,
    discard = 32,
    watched = 64,      ///< Its Watch wants to see every packet: payload types, keys or a tap.
    encrypted = 128,   ///< Its Watch, or that of its RTP port, has keys: SRTP from and to it.
    handshakes = 256,  ///< An RTP port whose Watch has a SideHandshake: ICE, or keys of DTLS.
  };

  AtomicAddress latched;    ///< Where packets come from.
  AtomicAddress signalled;  ///< Where the SDP of the side wants its packets.
  std::atomic<std::uint32_t> epoch{0};
  std::atomic<std::uint32_t> seen_epoch{0};
  std::atomic<std::uint32_t> peer{0};  ///< Slot of the same kind of port towards the other side.
  std::atomic<std::uint32_t> flags{0};
  std::atomic<std::uint32_t> relatch_until_ms{0};  ///< Low 32 bits of monotonic time; 0: no window.
  std::atomic<std::uint32_t> clock_rate_hz{8000};

  alignas(64) std::atomic<std::uint64_t> packets{0};  ///< Accepted.
  std::atomic<std::uint64_t> bytes{0};
  std::atomic<std::int64_t> last_us{0};     ///< Of a closed flow: the last stray packet.
  std::atomic<std::uint64_t> forwarded{0};  ///< Handed to the network towards the other side.
  std::atomic<std::uint32_t> ssrc{0};
  std::atomic<std::uint32_t> highest_sequence{
      0};  ///< Extended (RFC 3550 appendix A.1). RTCP: reports received.
  std::atomic<std::uint32_t> base_sequence{
      1};  ///< highest - base + 1 packets were expected, modulo 2^32.
  /// RFC 3550 appendix A.8: RTP clock units times 16. RTCP: units, as the side reports them.
  std::atomic<std::uint32_t> jitter_q4{0};
  std::atomic<std::uint32_t> transit{0};  ///< Arrival less RTP timestamp, in RTP clock units.
  std::atomic<std::uint32_t> timestamp{0};
  std::atomic<std::uint32_t> refused{0};
  std::atomic<std::uint32_t> lost{0};  ///< Of an RTCP port: what the side reports to have missed.

  static constexpr bool is_open(std::uint32_t epoch) noexcept { return (epoch & 1) != 0; }
  /// The shard has counted for the session of `session_epoch`.
  [[nodiscard]] bool has_begun(std::uint32_t session_epoch) const noexcept {
    return seen_epoch.load(std::memory_order_acquire) == session_epoch;
  }
  [[nodiscard]] std::uint32_t jitter_us() const noexcept;
};
static_assert(sizeof(FlowRecord) == 128);

struct Onward;

/// Sends what the relay makes itself.
class DatagramSender {
 public:
  /// On the thread of the shard. False: the system refused.
  virtual bool send_datagram(unsigned shard, const Onward& onward) noexcept = 0;
  /// The session of the RTP port `slot` has to be ticked from now on.
  virtual void on_bridge_begun(unsigned shard, std::uint32_t slot,
                               AudioBridge& bridge) noexcept = 0;

 protected:
  ~DatagramSender() = default;
};

/// Totals of one shard. Written by the shard alone, read by any thread.
struct alignas(64) ShardCounters {
  std::atomic<std::uint64_t> forwarded{0}, refused{0}, malformed{0}, stray{0}, undeliverable{0},
      discarded{0}, send_failures{0}, overflows{0}, taps_dropped{0}, digits{0}, not_authentic{0},
      not_sealed{0}, handshakes_agreed{0}, handshakes_failed{0};
  HandshakeBudget handshakes;  ///< The shard's alone.
  /// Odd while the shard is at work: then it may hold what a Watch pointed at when the turn began.
  std::atomic<std::uint64_t> turn{0};
  EventRing* events = nullptr;       ///< Null: nobody wants to know.
  DatagramSender* sender = nullptr;  ///< Null: nothing is made here.
  unsigned shard = 0;
};

/// Adds without a locked instruction: only for a number that one thread writes.
template <class T>
void add(std::atomic<T>& number, T amount) noexcept {
  number.store(static_cast<T>(number.load(std::memory_order_relaxed) + amount),
               std::memory_order_relaxed);
}

/// Where a datagram goes on to.
struct Onward {
  std::uint32_t flow =
      0;  ///< The flow that it belongs to: where it arrived, or the RTCP flow of that side.
  std::uint32_t slot = 0;  ///< The local port to send it from.
  PackedAddress to;
  /// What to send: what came, or what was made of it, until the next datagram is judged.
  std::string_view bytes;
};

/// What was passed on of a stream without judge() having seen it, since the last time.
struct CarriedPackets {
  std::uint64_t packets = 0;  ///< Not 0.
  std::uint64_t bytes = 0;
  std::int64_t last_us = 0;
  std::uint32_t highest_sequence = 0;  ///< These as FlowRecord has them, now.
  std::uint32_t jitter_q4 = 0;
  std::uint32_t transit = 0;
  std::uint32_t timestamp = 0;
};

/// What is known of a stream that ran before this relay.
struct ResumedFlow {
  PackedAddress latched;    ///< Not set: nothing came from there.
  PackedAddress signalled;  ///< Where packets towards it went.
  std::uint32_t ssrc = 0;
  std::uint32_t base_sequence = 1;
  std::uint32_t highest_sequence = 0;
  std::uint32_t clock_rate_hz = 8000;
  std::uint64_t packets_before = 0;  ///< That no CarriedPackets will tell of.
};

/// All flow records of a relay, and the relaying itself without any network: what any driver does
/// with a datagram.
///
/// Threading: the slots of one session belong to one shard, whose thread alone calls judge() and
/// sent() for them. Everything else follows FlowRecord.
class FlowTable {
 public:
  static constexpr std::int64_t silence_us =
      2'000'000;  ///< After this a new source may take over (M-02).

  explicit FlowTable(std::size_t slots);

  [[nodiscard]] FlowRecord& operator[](std::uint32_t slot) noexcept { return records_[slot]; }
  [[nodiscard]] const FlowRecord& operator[](std::uint32_t slot) const noexcept {
    return records_[slot];
  }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  /// No slot from here on was ever open.
  [[nodiscard]] std::uint32_t opened() const noexcept {
    return opened_.load(std::memory_order_relaxed);
  }

  /// Starts the four flows of a session: RTP at `a` and `b`, RTCP one above each. Gives the epoch
  /// of either side.
  std::array<std::uint32_t, 2> open(std::uint32_t a, std::uint32_t b) noexcept;
  void close(std::uint32_t a) noexcept;  ///< Ends RTP and RTCP of one side.

  /// Where packets towards the side of `slot` go now; not set: nowhere. On the shard.
  [[nodiscard]] PackedAddress destination_of(std::uint32_t slot,
                                             std::int64_t now_us) const noexcept;
  /// A window of relatch() is open.
  [[nodiscard]] bool is_moving(std::uint32_t slot, std::int64_t now_us) const noexcept;
  /// Counts packets of the stream of `slot` that took another way.
  void add_carried(std::uint32_t slot, const CarriedPackets& carried) noexcept;
  /// Before the shards begin: the open flow of the RTP port `slot` goes on. What its owner had said
  /// of it is not known, so it passes nothing that was not passed before, and no other host may
  /// speak for it; his next set_flags() says otherwise.
  void resume(std::uint32_t slot, const ResumedFlow& flow) noexcept;

  /// Of the RTP port `slot`.
  [[nodiscard]] Watch& watch(std::uint32_t slot) noexcept { return watches_[slot / 2]; }
  [[nodiscard]] const Watch& watch(std::uint32_t slot) const noexcept { return watches_[slot / 2]; }

  static constexpr std::int64_t scan_us = 250'000;  ///< Between two calls of scan().
  /// Looks for what no packet tells: silence, losses of a window, keys whose end was lost. On the
  /// shard's thread.
  void scan(unsigned shard, std::int64_t now_us, ShardCounters& totals) noexcept;

  /// Takes note of a datagram that arrived at `slot`. True: send it to `onward`, then call sent().
  bool judge(std::uint32_t slot, const PackedAddress& from, std::string_view bytes,
             std::int64_t now_us, ShardCounters& totals, Onward& onward) noexcept;

  /// Sends what the bridge of the session of the RTP port `slot` has made until now.
  void tick(std::uint32_t slot, AudioBridge& bridge, std::int64_t now_us,
            ShardCounters& totals) noexcept;

  /// Lets the handshake of the RTP port `slot` send what is due.
  void tick(std::uint32_t slot, SideHandshake& handshake, std::int64_t now_us,
            ShardCounters& totals) noexcept;

  /// Takes note of the outcome of sending what judge() let pass.
  void sent(const Onward& onward, bool is_sent, ShardCounters& totals) noexcept {
    add<std::uint64_t>(is_sent ? totals.forwarded : totals.send_failures, 1);
    if (is_sent) {
      add<std::uint64_t>(records_[onward.flow].forwarded, 1);
    } else {
      add<std::uint32_t>(watch(onward.flow).failed, 1);
    }
  }

 private:
  class Made;
  class Answers;
  /// A datagram at an RTP port that is not RTP, where a handshake is there for it.
  void take_handshake(std::uint32_t slot, const PackedAddress& from, std::string_view bytes,
                      std::int64_t now_us, ShardCounters& totals) noexcept;
  /// What has become of a handshake of the RTP port `slot` that was in the state `before`.
  void note_outcome(std::uint32_t slot, MediaHandshakeState before, MediaHandshakeState after,
                    std::int64_t now_us, ShardCounters& totals) noexcept;
  /// That of the side of an RTP or RTCP port; null: none.
  [[nodiscard]] SideHandshake* handshake(std::uint32_t slot) const noexcept;
  bool judge_rtp(std::uint32_t slot, const PackedAddress& from, std::string_view bytes,
                 std::int64_t now_us, std::uint32_t flags, ShardCounters& totals,
                 Onward& onward) noexcept;
  bool judge_rtcp(std::uint32_t slot, const PackedAddress& from, std::string_view bytes,
                  std::int64_t now_us, std::uint32_t flags, ShardCounters& totals,
                  Onward& onward) noexcept;
  bool set_onward(std::uint32_t flow, std::uint32_t slot, std::string_view bytes,
                  std::int64_t now_us, ShardCounters& totals, Onward& onward) noexcept;
  /// Takes the encryption of the side of `slot` from `bytes`. False: none of it may be used.
  bool open_sealed(std::uint32_t slot, bool is_report, std::string_view& bytes,
                   ShardCounters& totals) noexcept;
  /// Null: none yet.
  [[nodiscard]] SrtpSide* keys_of(std::uint32_t slot, bool is_report) const noexcept;
  /// Encrypts for the side of `slot`, where it wants that. False: it must not be sent.
  bool seal(std::uint32_t slot, bool is_report, std::string_view& bytes,
            ShardCounters& totals) noexcept;
  /// The rule of M-02: may `from` speak for the side of `slot`? Latches it when it is new and may.
  /// `is_continued`: the packet continues the SSRC and the sequence of the latched source.
  MediaRefusal accept(std::uint32_t slot, const PackedAddress& from, std::uint32_t flags,
                      bool is_continued, std::int64_t now_us, ShardCounters& totals) noexcept;
  /// The two halves of accept(): only what is authentic is latched.
  [[nodiscard]] MediaRefusal may_speak(std::uint32_t slot, const PackedAddress& from,
                                       std::uint32_t flags, bool is_continued,
                                       std::int64_t now_us) const noexcept;
  void listen_to(std::uint32_t slot, const PackedAddress& from, std::int64_t now_us,
                 ShardCounters& totals) noexcept;
  void begin(std::uint32_t slot, std::uint32_t epoch) noexcept;
  bool refuse_source(std::uint32_t slot, const PackedAddress& from, MediaRefusal refusal,
                     std::int64_t now_us, ShardCounters& totals) noexcept;
  void observe(std::uint32_t slot, const RtpHeader& header, std::string_view bytes,
               std::int64_t now_us, ShardCounters& totals) noexcept;
  void look_for_key(std::uint32_t slot, std::int64_t now_us, ShardCounters& totals) noexcept;
  void tell_key(std::uint32_t slot, const PressedKey& key, std::uint32_t clock_rate_hz,
                std::int64_t now_us, ShardCounters& totals) noexcept;

  std::size_t size_;
  std::atomic<std::uint32_t> opened_{0};  // no slot from here on was ever open
  std::unique_ptr<FlowRecord[]> records_;
  std::unique_ptr<Watch[]> watches_;  // one for each RTP port
};

}  // namespace tandem::media
