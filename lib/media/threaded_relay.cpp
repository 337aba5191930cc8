#include "media/threaded_relay.hpp"

#include <sys/eventfd.h>
#include <sys/resource.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "base/thread.hpp"

namespace tandem::media {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;

// Below the lower rate a wake-up for each packet gives the least delay and the CPU is there; above
// the upper one, pausing and taking what came together costs a half to a third (M-16 allows 1 ms).
constexpr std::int64_t tick_above_pps = 5000;
constexpr std::int64_t tick_below_pps = 4000;
constexpr std::int64_t rate_window_us = 100'000;
// A turn of so many packets has little left to save by being larger.
constexpr std::int64_t full_turn_packets = 100;

constexpr int scan_ms = static_cast<int>(FlowTable::scan_us / 1000);

constexpr int handshake_wait_ms = static_cast<int>(SideHandshake::tick_us / 1000);
constexpr int bridge_wait_ms = 5;  // a packet that is made here is no later than that

}  // namespace

void Pace::took(int packets, std::int64_t now_us) noexcept {
  if (packets > 0) window_packets_ += packets;
  const std::int64_t window_us = now_us - window_began_us_;
  if (window_us < rate_window_us) return;
  const std::int64_t rate_pps = window_packets_ * 1'000'000 / window_us;
  is_ticking_ = tick_us_ > 0 && rate_pps >= (is_ticking_ ? tick_below_pps : tick_above_pps);
  is_full_ = rate_pps * 2 * tick_us_ > full_turn_packets * 1'000'000;
  window_began_us_ = now_us;
  window_packets_ = 0;
}

Result<void> ThreadedRelay::make_wakers() {
  if (Result<void> read = read_identity(); !read) return read;
  shard_.resize(shards_);
  for (Shard& shard : shard_) {
    shard.wake = UniqueFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!shard.wake.is_open())
      return Error{is_out_of_files(errno) ? ErrorCode::limit : ErrorCode::io,
                   "an eventfd was refused: " + system_message(errno)};
  }
  return {};
}

Result<void> ThreadedRelay::start_threads() {
  std::optional<Error> error = fill();
  for (PortPool* pool : {pool4_.get(), pool6_.get()}) {
    if (pool == nullptr) continue;
    // Others may hold the first ports of the range; now there is time to look through all of it.
    for (std::size_t tried = 0; error && pool->bound_pairs() == 0; tried += busy_ports_max) {
      if (tried >= pool->pairs()) return std::move(*error);
      error = fill();
    }
  }
  try {
    for (unsigned i = 0; i < shards_; ++i) {
      shard_[i].scanned_us = clock_.monotonic_us();
      shard_[i].thread = start_thread("tandem-media", [this, i] { run_shard(i); });
    }
    filler_ = start_thread("tandem-ports", [this] { run_filler(); });
  } catch (const std::system_error& refused) {
    return Error{ErrorCode::io, std::string("a media thread was refused: ") + refused.what()};
  }
  return {};
}

void ThreadedRelay::stop() noexcept {
  if (is_stopped_.exchange(true)) return;
  {
    const std::lock_guard lock(filler_mutex_);
    is_filler_stopping_ = true;
  }
  filler_wake_.notify_all();
  if (filler_.joinable()) filler_.join();
  wake_takers();
  for (unsigned i = 0; i < shard_.size(); ++i) {
    wake(i);
    if (shard_[i].thread.joinable()) shard_[i].thread.join();
  }
  free_ports();
}

void ThreadedRelay::wake(unsigned shard) noexcept {
  const std::uint64_t one = 1;
  (void)!::write(shard_[shard].wake.get(), &one, sizeof one);  // full: it is awake
}

bool ThreadedRelay::woken(unsigned shard) noexcept {
  if (is_stopped_.load()) return false;
  std::uint64_t times = 0;
  (void)!::read(shard_[shard].wake.get(), &times, sizeof times);
  return true;
}

int ThreadedRelay::wait_ms(unsigned shard, bool has_more_to_scan) const noexcept {
  if (has_busy_bridges(shard)) return bridge_wait_ms;
  if (has_handshakes(shard)) return handshake_wait_ms;
  return rings_.empty() && !has_more_to_scan ? -1 : scan_ms;
}

void ThreadedRelay::look_after(unsigned shard, std::int64_t now_us) noexcept {
  Shard& own = shard_[shard];
  if (has_busy_bridges(shard) && now_us - own.ticked_us >= bridge_wait_ms * 1000) {
    tick_bridges(shard, now_us);
    own.ticked_us = now_us;
  }
  if (has_handshakes(shard) && now_us - own.handshaken_us >= SideHandshake::tick_us) {
    tick_handshakes(shard, now_us);
    own.handshaken_us = now_us;
  }
  if (now_us - own.scanned_us >= FlowTable::scan_us) {
    before_scan(shard, now_us);
    flows_.scan(shard, now_us, counters_[shard]);  // nothing when nobody wants events
    on_scan(shard);
    own.scanned_us = now_us;
  }
  tell_events(shard);
}

// Binds pairs until every shard has config_.ready_pairs of each family. Gives the error that
// stopped it.
std::optional<Error> ThreadedRelay::fill() {
  for (PortPool* pool : {pool4_.get(), pool6_.get()}) {
    if (pool == nullptr) continue;
    for (unsigned shard = 0; shard < shards_; ++shard) {
      while (pool->is_short(shard, config_.ready_pairs)) {
        Result<std::uint32_t> slot = bind_one(*pool, shard);
        if (!slot) return std::move(slot).error();
        pool->bound(shard, *slot, true);
        if (is_stopped_.load(relaxed)) return std::nullopt;
      }
    }
  }
  return std::nullopt;
}

void ThreadedRelay::on_ready_low() noexcept {
  {
    const std::lock_guard lock(filler_mutex_);
    if (is_fill_wanted_) return;
    is_fill_wanted_ = true;
  }
  filler_wake_.notify_one();
}

// The thread may be waiting for packets without an end.
void ThreadedRelay::on_bridge_busy(unsigned shard) noexcept { wake(shard); }

void ThreadedRelay::run_filler() noexcept {
  for (;;) {
    {
      std::unique_lock lock(filler_mutex_);
      filler_wake_.wait(lock, [this] { return is_fill_wanted_ || is_filler_stopping_; });
      if (is_filler_stopping_) return;
      is_fill_wanted_ = false;
    }
    // What stops it here, open() says to its caller when the ready ports have run out.
    (void)fill();
  }
}

// A packet that waits for the processor is late for its listener, a SIP message or a record is not.
// On a machine with more work than processors a relay thread without precedence falls behind until
// the receive buffers overflow.
void ThreadedRelay::raise_priority() noexcept {
  if (config_.nice == 0) return;
  const id_t this_thread = 0;
  errno = 0;  // -1 is a priority too
  const int inherited = ::getpriority(PRIO_PROCESS, this_thread);
  if (errno == 0 && inherited <= config_.nice) return;
  if (::setpriority(PRIO_PROCESS, this_thread, config_.nice) != 0)
    priorities_refused_.fetch_add(1, relaxed);
}

}  // namespace tandem::media
