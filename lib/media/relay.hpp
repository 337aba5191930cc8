// What the drivers of the relay share: the flow table, the pools of ports, sessions.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "io/loop.hpp"
#include "media/accelerator.hpp"
#include "media/audio_bridge.hpp"
#include "media/flow.hpp"
#include "media/port_pool.hpp"
#include "media/tap_ring.hpp"
#include "tandem/clock.hpp"
#include "tandem/media_relay.hpp"

namespace tandem::media {

/// A relay on a loop of `network`, for simulations and for hosts that have one loop only. Its ports
/// are opened on demand and `shards`, `nice` and `tick_us` are
/// ignored. The relay is loop-bound: with a
/// real network, call it, its sessions and its destructor on the thread of `loop` only; in a
/// simulation all loops are one thread. `loop` must outlive the relay. Errors: as
/// MediaRelay::create().
Result<MediaRelay> make_loop_relay(const MediaConfig& config, io::Loop& loop);

/// Checks the fields of `config`. Errors: invalid_argument.
Result<void> check(const MediaConfig& config);

/// The same of what a session is asked for.
Result<void> check(const MediaHandshake& asked);

/// What few sessions have.
struct SessionExtras {
  std::shared_ptr<TapRing> tap;
  std::shared_ptr<const MediaSources> sources[2];
  std::shared_ptr<SrtpSide> crypto[2];
  std::shared_ptr<AudioBridge> bridge;
  std::shared_ptr<SideHandshake> handshake[2];
};

/// One relay without its driver. A driver binds sockets, hands arriving datagrams to
/// flows().judge() and sends what that says.
class RelayCore : public std::enable_shared_from_this<RelayCore>, public DatagramSender {
 public:
  RelayCore(const MediaConfig& config, const Clock& clock, unsigned shards);
  virtual ~RelayCore();
  RelayCore(const RelayCore&) = delete;
  RelayCore& operator=(const RelayCore&) = delete;

  Result<MediaSession> open(IpAddress::Family caller, IpAddress::Family callee);
  void close(MediaSession& session) noexcept;
  /// MediaRelay::adopt().
  virtual Result<MediaSession> adopt(const SocketAddress& caller_rtp,
                                     const SocketAddress& callee_rtp);
  [[nodiscard]] MediaRelayStats stats() const noexcept;

  /// How packets are carried, in a few words.
  [[nodiscard]] virtual std::string how() const { return "the loop of its caller"; }
  /// What start_backend() found out; a relay on a loop was not chosen by it.
  void set_backends(std::vector<MediaBackendState> backends) { backends_ = std::move(backends); }
  [[nodiscard]] std::vector<MediaBackendState> backends() const;

  std::vector<MediaEvent> take_events(std::size_t events_max, std::int64_t wait_us);
  [[nodiscard]] bool has_events() const noexcept { return !rings_.empty(); }

  /// Keeps what `shard` may still hold until its turn is over. It was taken out of its Watch
  /// before.
  void retire(std::shared_ptr<const void> what, unsigned shard) noexcept;
  /// Has the bridge of the session whose RTP port is `slot` ticked as long as it is busy. Errors:
  /// limit (bridges_busy_max of them at once).
  Result<void> tick_bridge(std::uint32_t slot, unsigned shard, std::shared_ptr<AudioBridge> bridge);
  /// Errors: limit (about handshakes_max of them at once).
  [[nodiscard]] Result<void> may_handshake(unsigned shard) const;
  /// Has the handshake of the RTP port `slot` ticked as long as it is busy.
  void tick_handshake(std::uint32_t slot, unsigned shard, std::shared_ptr<SideHandshake> handshake);
  static constexpr std::size_t handshakes_max = 1024;  ///< Under way at once, of one shard.
  /// Made when it is first asked for, or read when the relay was made. Errors: internal.
  Result<std::shared_ptr<const io::DtlsIdentity>> dtls_identity();
  [[nodiscard]] const std::shared_ptr<const io::DtlsCookies>& dtls_cookies() const noexcept {
    return dtls_cookies_;
  }
  void on_bridge_begun(unsigned shard, std::uint32_t slot, AudioBridge& bridge) noexcept override;
  static constexpr std::size_t bridges_busy_max = 4096;  ///< Of one shard.

  /// A Watch of the session begins or ceases to be looked at by scan().
  virtual void on_watch_changed() noexcept {}

  /// Ends the relaying, joins threads and closes sockets. Called once, by MediaRelay's destructor.
  virtual void stop() noexcept = 0;

  /// Before start().
  void set_accelerator(std::unique_ptr<FlowAccelerator> accelerator);
  /// What its owner said of a session changed: its next packets go through judge().
  void take_back(const std::uint32_t (&slots)[2]) noexcept;
  /// Before the record of `slot` is read.
  void add_carried(std::uint32_t slot) noexcept;

  [[nodiscard]] const MediaConfig& config() const noexcept { return config_; }
  [[nodiscard]] FlowTable& flows() noexcept { return flows_; }
  [[nodiscard]] const FlowTable& flows() const noexcept { return flows_; }
  [[nodiscard]] bool is_stopped() const noexcept {
    return is_stopped_.load(std::memory_order_relaxed);
  }
  /// Monotonic; 0 once the relay was stopped, since the clock may be gone with its loop.
  [[nodiscard]] std::int64_t now_us() const noexcept {
    return is_stopped_.load(std::memory_order_relaxed) ? 0 : clock_.monotonic_us();
  }
  [[nodiscard]] SocketAddress local(std::uint32_t slot) const noexcept;

 protected:
  struct BindFailure {
    bool is_busy = false;  ///< Another program holds a port of the pair: try the next one.
    Error error;
  };
  /// Makes the sockets of the pair whose RTP port has `slot`, to be served by `shard`. Any thread.
  virtual std::optional<BindFailure> bind_pair(unsigned shard, std::uint32_t slot) = 0;
  /// Whether packets come on threads of the relay's own; else nothing comes while its caller waits.
  [[nodiscard]] virtual bool has_threads() const noexcept { return false; }
  /// Few pairs of a family are ready on `shard`; a driver with a thread for it binds more.
  virtual void on_ready_low() noexcept {}

  [[nodiscard]] bool has_sessions() const noexcept { return sessions_.load() != 0; }
  /// There is a bridge, or a handshake, to tick on `shard`, which may be waiting for packets. Any
  /// thread.
  virtual void on_bridge_busy(unsigned shard) noexcept = 0;
  virtual void on_handshake_busy(unsigned shard) noexcept = 0;
  [[nodiscard]] bool has_handshakes(unsigned shard) const noexcept {
    return handshakes_[shard].count.load(std::memory_order_acquire) != 0;
  }
  /// Every SideHandshake::tick_us while there are such, on the thread of `shard`.
  void tick_handshakes(unsigned shard, std::int64_t now_us) noexcept;
  /// Reads the files of the configuration, if any. Errors: those of DtlsIdentity::read().
  Result<void> read_identity();
  [[nodiscard]] bool has_busy_bridges(unsigned shard) const noexcept {
    return busy_[shard].count.load(std::memory_order_acquire) != 0;
  }
  /// Until the next turn of those.
  [[nodiscard]] std::int64_t bridge_tick_us(unsigned shard) const noexcept {
    return busy_[shard].is_buffering.load(std::memory_order_relaxed) ? AudioBridge::buffer_tick_us
                                                                     : AudioBridge::tick_us;
  }
  /// Every bridge_tick_us() while there are such, on the thread of `shard`.
  void tick_bridges(unsigned shard, std::int64_t now_us) noexcept;

  /// After a turn of `shard`, on its thread: tells the host of events.
  void tell_events(unsigned shard) noexcept;

  void wake_takers() noexcept;  ///< Nobody waits for events of a relay that was stopped.

  static constexpr unsigned busy_ports_max = 64;
  /// Binds one more pair for `shard` into its pool, at most busy_ports_max of them tried, so that
  /// open() stays short; the next call tries others.
  /// Errors: limit (range exhausted, open files), io.
  Result<std::uint32_t> bind_one(PortPool& pool, unsigned shard);
  [[nodiscard]] PortPool* pool(IpAddress::Family family) noexcept;
  /// The session of two pairs that are bound for `shard`.
  MediaSession begin_session(std::uint32_t caller, std::uint32_t callee, unsigned shard) noexcept;

  const MediaConfig config_;
  const Clock& clock_;
  const unsigned shards_;
  FlowTable flows_;  // IPv4 slots first, then IPv6; slot = port - first port, even: RTP
  std::unique_ptr<ShardCounters[]> counters_;      // one per shard
  std::vector<std::unique_ptr<EventRing>> rings_;  // one per shard; empty: nobody wants events
  std::unique_ptr<PortPool> pool4_, pool6_;        // none when the family has no address
  std::unique_ptr<FlowAccelerator> accelerator_;   // null: every packet is judged here
  std::atomic<bool> is_stopped_{false};

 private:
  Result<std::uint32_t> take(IpAddress::Family family, unsigned shard);
  void await_turn(unsigned shard, std::uint64_t turn) const noexcept;
  bool pop_events(std::vector<MediaEvent>& out, std::size_t events_max);
  [[nodiscard]] bool has_news() const noexcept;

  struct BusyBridge {
    std::uint32_t slot;
    std::uint32_t epoch;
    std::shared_ptr<AudioBridge> bridge;
  };
  struct BusyBridges {
    std::mutex mutex;  // guards bridges; held for the length of a tick
    std::vector<BusyBridge> bridges;
    std::atomic<bool> is_buffering{false};  // one of them is
    std::atomic<std::size_t> count{0};
  };
  std::unique_ptr<BusyBridges[]> busy_;  // one per shard
  std::vector<MediaBackendState> backends_;

  struct BusyHandshake {
    std::uint32_t slot;
    std::uint32_t epoch;
    std::shared_ptr<SideHandshake> handshake;
  };
  struct BusyHandshakes {
    std::mutex mutex;  // guards handshakes; never held across a handshake's work
    std::vector<BusyHandshake> handshakes;  // those that are not being ticked
    std::atomic<std::size_t> count{0};      // of all
  };
  std::unique_ptr<BusyHandshakes[]> handshakes_;  // one per shard
  std::mutex identity_mutex_;                     // guards identity_
  std::shared_ptr<const io::DtlsIdentity> identity_;
  const std::shared_ptr<const io::DtlsCookies> dtls_cookies_;

  struct Retired {
    std::shared_ptr<const void> what;
    unsigned shard;
    std::uint64_t turn;
  };
  std::mutex retired_mutex_;  // guards retired_
  std::vector<Retired> retired_;

  std::mutex taker_mutex_;  // held by the one who pops; guards next_ring_
  std::size_t next_ring_ = 0;
  std::mutex news_mutex_;  // of news_; guards nothing, but makes a waiter hear of every event
  std::condition_variable news_;
  std::atomic<bool> is_host_told_{false};  // of events that it did not take since

  std::atomic<unsigned> next_shard_{0};
  std::atomic<std::uint64_t> sessions_{0}, sessions_refused_{0}, ports_busy_{0};

 protected:
  std::atomic<std::uint64_t> marks_refused_{0}, priorities_refused_{0}, ports_connected_{0};
  std::atomic<std::uint64_t> sessions_adopted_{0}, sessions_unclaimed_{0};
};

}  // namespace tandem::media
