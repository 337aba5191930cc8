// A relay with threads of its own: one for each shard, and one that binds ports ahead.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "media/relay.hpp"
#include "media/system_socket.hpp"

namespace tandem::media {

/// Makes ShardCounters::turn odd while a shard works.
class Turn {
 public:
  explicit Turn(std::atomic<std::uint64_t>& turn) noexcept : turn_(turn) { turn_.fetch_add(1); }
  ~Turn() { turn_.fetch_add(1, std::memory_order_release); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  std::atomic<std::uint64_t>& turn_;
};

/// Whether a shard wakes for each packet or takes at once what came in a while.
class Pace {
 public:
  Pace(unsigned tick_us, std::int64_t now_us) noexcept
      : tick_us_(tick_us), window_began_us_(now_us) {}
  void took(int packets, std::int64_t now_us) noexcept;  ///< In a turn.
  [[nodiscard]] bool is_ticking() const noexcept { return is_ticking_; }
  /// Of a tick: up to 1 ms (M-16) where less comes than fills a turn.
  [[nodiscard]] unsigned tick_us() const noexcept {
    constexpr unsigned longer_max_us = 1000;
    return is_full_ ? tick_us_ : std::max(tick_us_, std::min(2 * tick_us_, longer_max_us));
  }

 private:
  unsigned tick_us_;
  bool is_ticking_ = false;
  bool is_full_ = false;
  std::int64_t window_began_us_;
  std::int64_t window_packets_ = 0;
};

/// What is common to the drivers whose shards wait for packets on threads.
class ThreadedRelay : public RelayCore {
 public:
  void stop() noexcept final;

 protected:
  explicit ThreadedRelay(const MediaConfig& config)
      : RelayCore(config, system_clock_, config.shards) {}

  Result<void> make_wakers();    ///< Before anything that may wake a shard. Errors: io.
  Result<void> start_threads();  ///< Binds pairs ahead and begins. Errors: as MediaRelay::create().
  /// The thread of `shard`: priority and events are its own affair, and it ends when woken() says
  /// so.
  virtual void run_shard(unsigned shard) noexcept = 0;
  virtual void free_ports() noexcept = 0;  ///< All threads have ended.

  [[nodiscard]] int waker(unsigned shard) const noexcept { return shard_[shard].wake.get(); }
  void wake(unsigned shard) noexcept;
  bool woken(unsigned shard) noexcept;  ///< Something was to be looked at. False: stop.
  void raise_priority() noexcept;

  /// What a shard does beside its packets, in a Turn.
  void look_after(unsigned shard, std::int64_t now_us) noexcept;
  /// Before FlowTable::scan(), which is to see what the sockets did not.
  virtual void before_scan(unsigned, std::int64_t) noexcept {}
  virtual void on_scan(unsigned) noexcept {}  ///< Every FlowTable::scan_us, on the shard's thread.
  /// How long `shard` may wait when nothing comes, in ms; below 0: without an end.
  [[nodiscard]] int wait_ms(unsigned shard, bool has_more_to_scan) const noexcept;

  void on_ready_low() noexcept override;
  void on_bridge_busy(unsigned shard) noexcept override;
  void on_handshake_busy(unsigned shard) noexcept override { on_bridge_busy(shard); }
  [[nodiscard]] bool has_threads() const noexcept final { return true; }

 private:
  struct Shard {
    UniqueFd wake;
    std::thread thread;
    std::int64_t scanned_us = 0, ticked_us = 0, handshaken_us = 0;
  };
  std::optional<Error> fill();
  void run_filler() noexcept;

  SystemClock system_clock_;
  std::vector<Shard> shard_;

  std::thread filler_;
  std::mutex filler_mutex_;  // guards the two below
  std::condition_variable filler_wake_;
  bool is_fill_wanted_ = false;
  bool is_filler_stopping_ = false;
};

}  // namespace tandem::media
