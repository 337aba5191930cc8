// The portable backend: one UDP socket per port, epoll, a thread per shard.
#include <sys/epoll.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "media/backend.hpp"
#include "media/socket_relay.hpp"

namespace tandem::media {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;
constexpr int events_max = 512;
constexpr std::size_t datagram_bytes_max = 65536;  // no UDP payload is longer
constexpr std::uint32_t wake_event = 0xFFFFFFFF;   // beyond every slot

// Asking a socket how many datagrams found no room costs 100 ns; it tells the sum, so a line is
// asked with every so many packets.
constexpr std::uint32_t overflow_look_packets = 16;

// Taken from one line in a turn, so that the others wait no longer than for these.
constexpr int line_packets_max = 32;

class SystemRelay final : public SocketRelay {
 public:
  explicit SystemRelay(const MediaConfig& config) : SocketRelay(config) {}
  ~SystemRelay() override { stop(); }

  Result<void> start();

 private:
  [[nodiscard]] std::string how() const override {
    return (accelerator_ != nullptr ? accelerator_->how() + "; " : std::string()) + "epoll, " +
           std::to_string(shards_) + (shards_ == 1 ? " thread" : " threads");
  }
  Result<MediaSession> adopt(const SocketAddress& caller_rtp,
                             const SocketAddress& callee_rtp) override;
  void keep_found();
  bool bind_reserved(unsigned shard, std::uint32_t slot);
  void end_silent_found(std::int64_t now_us) noexcept;
  void add_all_carried(unsigned shard) noexcept;
  void before_scan(unsigned shard, std::int64_t now_us) noexcept override;
  void free_ports() noexcept override;
  int listen(unsigned shard, std::uint32_t event, int socket) noexcept override;
  void run_shard(unsigned shard) noexcept override;
  int relay_ready(unsigned shard, std::uint32_t event, std::uint32_t turn, std::int64_t now_us,
                  char* buffer, ShardCounters& totals) noexcept;
  bool relay_one(unsigned shard, std::uint32_t event, std::int64_t now_us, char* buffer,
                 ShardCounters& totals) noexcept;
  ssize_t receive_with_overflows(int socket, std::uint32_t event, SystemAddress& from, char* buffer,
                                 ShardCounters& totals) noexcept;

  std::vector<UniqueFd> polls_;  // of the shards

  // Sessions of a former process, which nobody took over yet.
  struct Found {
    MediaSession session;
    std::int64_t since_us = 0;
  };
  std::mutex found_mutex_;  // guards found_
  std::vector<Found> found_;
  std::atomic<bool> has_found_{false};
};

Result<void> SystemRelay::start() {
  if (Result<void> made = make_wakers(); !made) return made;
  for (unsigned shard = 0; shard < shards_; ++shard) {
    polls_.emplace_back(epoll_create1(EPOLL_CLOEXEC));
    if (!polls_.back().is_open() || listen(shard, wake_event, waker(shard)) != 0)
      return Error{ErrorCode::io, "epoll was refused: " + system_message(errno)};
  }
  if (Result<void> made = make_ports(); !made) return made;
  if (accelerator_ != nullptr) keep_found();
  return start_threads();
}

void SystemRelay::free_ports() noexcept {
  if (accelerator_ != nullptr) accelerator_->stop();
  found_.clear();  // each of them holds the relay
  SocketRelay::free_ports();
}

void SystemRelay::before_scan(unsigned shard, std::int64_t now_us) noexcept {
  if (shard == 0) end_silent_found(now_us);
  if (accelerator_ != nullptr) add_all_carried(shard);
}

bool SystemRelay::bind_reserved(unsigned shard, std::uint32_t slot) {
  PortPool* const from = pool(local(slot).ip.family);
  if (from == nullptr || !from->reserve(slot)) return false;
  if (bind_pair(shard, slot)) {
    from->not_bound(slot);
    return false;
  }
  from->bound(shard, slot, false);
  return true;
}

// What a former process relayed goes on as sessions of nobody: their ports hear what does not go
// through the kernel, such as reports and sources that change.
void SystemRelay::keep_found() {
  const std::int64_t now_us = clock_.monotonic_us();
  unsigned next = 0;
  for (const FoundSession& session : accelerator_->found()) {
    const unsigned shard = next++ % shards_;
    const bool has_caller = bind_reserved(shard, session.slot[0]);
    if (!has_caller || !bind_reserved(shard, session.slot[1])) {
      accelerator_->forget(session);
      if (has_caller)
        pool(local(session.slot[0]).ip.family)->give_back(shard, session.slot[0], true, now_us);
      continue;
    }
    found_.push_back({begin_session(session.slot[0], session.slot[1], shard), now_us});
    accelerator_->resume(session);
  }
  sessions_adopted_.store(found_.size(), relaxed);
  sessions_unclaimed_.store(found_.size(), relaxed);
  has_found_.store(!found_.empty(), relaxed);
}

Result<MediaSession> SystemRelay::adopt(const SocketAddress& caller_rtp,
                                        const SocketAddress& callee_rtp) {
  const std::lock_guard lock(found_mutex_);
  for (Found& one : found_) {
    if (one.session.local_rtp(MediaSide::caller) != caller_rtp ||
        one.session.local_rtp(MediaSide::callee) != callee_rtp)
      continue;
    MediaSession session = std::move(one.session);
    for (const MediaSide side : {MediaSide::caller, MediaSide::callee})
      session.set_flags(side, {});
    std::swap(one, found_.back());
    found_.pop_back();
    sessions_unclaimed_.store(found_.size(), relaxed);
    has_found_.store(!found_.empty(), relaxed);
    return session;
  }
  return RelayCore::adopt(caller_rtp, callee_rtp);
}

// On the first shard. One side is enough: nobody is there who would tell the other one that it has
// hung up, and where it was somebody else may be by now.
void SystemRelay::end_silent_found(std::int64_t now_us) noexcept {
  if (!has_found_.load(relaxed)) return;
  const std::int64_t silence_us = std::int64_t{config_.kernel.adopted_silence_ms} * 1000;
  const std::lock_guard lock(found_mutex_);
  for (std::size_t i = found_.size(); i-- > 0;) {
    Found& one = found_[i];
    const std::int64_t heard_us =
        std::max(one.since_us, std::min(one.session.last_rtp_us(MediaSide::caller),
                                        one.session.last_rtp_us(MediaSide::callee)));
    if (now_us - heard_us < silence_us) continue;
    std::swap(one, found_.back());
    found_.pop_back();  // ends it
  }
  sessions_unclaimed_.store(found_.size(), relaxed);
  has_found_.store(!found_.empty(), relaxed);
}

// So that scan() sees what the sockets did not.
void SystemRelay::add_all_carried(unsigned shard) noexcept {
  if (rings_.empty()) return;
  for (std::uint32_t slot = 0; slot < flows_.opened(); slot += 2) {
    const Watch& watched = flows_.watch(slot);
    if (watched.is_scanned.load(std::memory_order_acquire) && watched.shard.load(relaxed) == shard)
      add_carried(slot);
  }
}

int SystemRelay::listen(unsigned shard, std::uint32_t event, int socket) noexcept {
  epoll_event wanted{};
  wanted.events = EPOLLIN;
  wanted.data.u32 = event;
  return epoll_ctl(polls_[shard].get(), EPOLL_CTL_ADD, socket, &wanted) == 0 ? 0 : errno;
}

void SystemRelay::run_shard(unsigned index) noexcept {
  raise_priority();
  const std::unique_ptr<char[]> buffer(new (std::nothrow) char[datagram_bytes_max]);
  if (buffer == nullptr) return;
  ShardCounters& totals = counters_[index];
  epoll_event events[events_max];
  Pace pace(config_.tick_us, clock_.monotonic_us());
  for (std::uint32_t number = 1;; ++number) {
    const int most_ms =
        pace.is_ticking() ? 0 : wait_ms(index, has_lines(index) || has_found_.load(relaxed));
    const int count = epoll_wait(polls_[index].get(), events, events_max, most_ms);
    const std::int64_t now_us = clock_.monotonic_us();
    int packets = 0;
    {
      const Turn turn(totals.turn);  // over before the pause: what was retired may go then
      for (int i = 0; i < count; ++i) {
        if (events[i].data.u32 != wake_event) {
          packets += relay_ready(index, events[i].data.u32, number, now_us, buffer.get(), totals);
        } else if (!woken(index)) {
          return;
        }
      }
      look_after(index, now_us);
    }
    pace.took(packets, now_us);
    if (pace.is_ticking() && count < events_max) {
      const timespec pause{0, static_cast<long>(pace.tick_us()) * 1000};
      ::nanosleep(&pause, nullptr);
    }
  }
}

// One datagram: a stream has one per 20 ms, a second read would nearly always find nothing. If more
// wait, epoll says so again; but a line that has some in one turn after the other, video for
// example, may get more than the pauses between turns would let through so.
int SystemRelay::relay_ready(unsigned shard, std::uint32_t event, std::uint32_t turn,
                             std::int64_t now_us, char* buffer, ShardCounters& totals) noexcept {
  const std::uint32_t slot = event & ~line_event;
  bool is_busy = false;
  if (event != slot) is_busy = turn - std::exchange(line(slot).turn, turn) == 1;
  int packets = 0;
  while (relay_one(shard, event, now_us, buffer, totals)) {
    if (++packets == line_packets_max || !is_busy) break;
  }
  return packets;
}

/// False: there was none.
bool SystemRelay::relay_one(unsigned shard, std::uint32_t event, std::int64_t now_us, char* buffer,
                            ShardCounters& totals) noexcept {
  const std::uint32_t slot = event & ~line_event;
  Line* const by_line = event != slot ? &line(slot) : nullptr;
  const int socket = by_line != nullptr ? by_line->socket.get() : port_socket(slot);
  if (socket < 0) return false;  // a line that an earlier packet of this turn has closed
  SystemAddress from;
  ssize_t size = 0;
  if (by_line != nullptr && ++by_line->received % overflow_look_packets != 0) {
    socklen_t from_length = sizeof from;
    size = ::recvfrom(socket, buffer, datagram_bytes_max, 0, &from.any, &from_length);
  } else {
    size = receive_with_overflows(socket, event, from, buffer, totals);
  }
  if (size < 0) {
    // A connected socket is told that nobody listens at the other end.
    if (by_line != nullptr && errno != EAGAIN && errno != EINTR)
      lose_line(shard, slot, by_line->to);
    return false;
  }
  const std::string_view bytes(buffer, static_cast<std::size_t>(size));
  Onward onward;
  // A line got what others sent between its being bound and connected; the source tells.
  if (accelerator_ == nullptr) {
    if (flows_.judge(slot, from_system(from), bytes, now_us, totals, onward))
      flows_.sent(onward, send_datagram(shard, onward), totals);
    return true;
  }
  bool is_passed = false;
  {
    const FlowGuard guard(*accelerator_, slot);
    accelerator_->add_carried(slot & ~1U);
    is_passed = flows_.judge(slot, from_system(from), bytes, now_us, totals, onward);
    accelerator_->note_judged(slot & ~1U);
  }
  if (is_passed) {
    const bool is_sent = send_datagram(shard, onward);
    const FlowGuard guard(*accelerator_, slot);
    flows_.sent(onward, is_sent, totals);
  }
  accelerator_->reconsider(slot & ~1U, now_us);
  return true;
}

ssize_t SystemRelay::receive_with_overflows(int socket, std::uint32_t event, SystemAddress& from,
                                            char* buffer, ShardCounters& totals) noexcept {
  iovec space{buffer, datagram_bytes_max};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(std::uint32_t))];
  msghdr message{};
  message.msg_name = &from;
  message.msg_namelen = sizeof from;
  message.msg_iov = &space;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t size = ::recvmsg(socket, &message, 0);
  if (size < 0) return size;
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SO_RXQ_OVFL) continue;
    std::uint32_t dropped = 0;
    std::memcpy(&dropped, CMSG_DATA(part), sizeof dropped);
    count_overflows(event, dropped, totals);
  }
  return size;
}

}  // namespace

Result<std::shared_ptr<RelayCore>> start_portable(const MediaConfig& config) {
  return start_sockets(config, nullptr);
}

Result<std::shared_ptr<RelayCore>> start_sockets(const MediaConfig& config,
                                                 std::unique_ptr<FlowAccelerator> accelerator) {
  auto core = std::make_shared<SystemRelay>(config);
  if (accelerator != nullptr) core->set_accelerator(std::move(accelerator));
  if (Result<void> started = core->start(); !started) {
    core->stop();
    return std::move(started).error();
  }
  return std::shared_ptr<RelayCore>(std::move(core));
}

}  // namespace tandem::media
