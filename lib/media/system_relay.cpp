// The portable backend: one UDP socket per port, epoll, a thread per shard.
#include <sys/epoll.h>
#include <time.h>

#include <cerrno>
#include <cstring>
#include <new>
#include <utility>
#include <vector>

#include "media/accelerator.hpp"
#include "media/backend.hpp"
#include "media/socket_relay.hpp"

namespace tandem::media {
namespace {

constexpr int events_max = 512;
constexpr std::size_t datagram_bytes_max = 65536;  // no UDP payload is longer
constexpr std::uint32_t wake_event = 0xFFFFFFFF;   // beyond every slot

// Asking a socket how many datagrams found no room costs 100 ns; it tells the sum, so a line is
// asked with every so many packets.
constexpr std::uint32_t overflow_look_packets = 16;

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
  int listen(unsigned shard, std::uint32_t event, int socket) noexcept override;
  void run_shard(unsigned shard) noexcept override;
  void relay_one(unsigned shard, std::uint32_t event, std::int64_t now_us, char* buffer,
                 ShardCounters& totals) noexcept;
  ssize_t receive_with_overflows(int socket, std::uint32_t event, SystemAddress& from, char* buffer,
                                 ShardCounters& totals) noexcept;

  std::vector<UniqueFd> polls_;  // of the shards
};

Result<void> SystemRelay::start() {
  if (Result<void> made = make_wakers(); !made) return made;
  for (unsigned shard = 0; shard < shards_; ++shard) {
    polls_.emplace_back(epoll_create1(EPOLL_CLOEXEC));
    if (!polls_.back().is_open() || listen(shard, wake_event, waker(shard)) != 0)
      return Error{ErrorCode::io, "epoll was refused: " + system_message(errno)};
  }
  if (Result<void> made = make_ports(); !made) return made;
  return start_threads();
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
  for (;;) {
    const int most_ms = pace.is_ticking() ? 0 : wait_ms(index, has_lines(index));
    const int count = epoll_wait(polls_[index].get(), events, events_max, most_ms);
    const std::int64_t now_us = clock_.monotonic_us();
    {
      const Turn turn(totals.turn);  // over before the pause: what was retired may go then
      for (int i = 0; i < count; ++i) {
        if (events[i].data.u32 != wake_event) {
          relay_one(index, events[i].data.u32, now_us, buffer.get(), totals);
        } else if (!woken(index)) {
          return;
        }
      }
      look_after(index, now_us);
    }
    pace.took(count, now_us);
    if (pace.is_ticking() && count < events_max) {
      const timespec pause{0, static_cast<long>(config_.tick_us) * 1000};
      ::nanosleep(&pause, nullptr);
    }
  }
}

void SystemRelay::relay_one(unsigned shard, std::uint32_t event, std::int64_t now_us, char* buffer,
                            ShardCounters& totals) noexcept {
  const std::uint32_t slot = event & ~line_event;
  Line* const by_line = event != slot ? &line(slot) : nullptr;
  const int socket = by_line != nullptr ? by_line->socket.get() : port_socket(slot);
  if (socket < 0) return;  // a line that an earlier packet of this turn has closed
  SystemAddress from;
  // One datagram: a stream has one per 20 ms, a second read would nearly always find nothing. If
  // more wait, epoll says so again.
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
    return;
  }
  const std::string_view bytes(buffer, static_cast<std::size_t>(size));
  Onward onward;
  // A line got what others sent between its being bound and connected; the source tells.
  if (accelerator_ == nullptr) {
    if (flows_.judge(slot, from_system(from), bytes, now_us, totals, onward))
      flows_.sent(onward, send_datagram(shard, onward), totals);
    return;
  }
  bool is_passed = false;
  {
    const FlowGuard guard(*accelerator_, slot);
    accelerator_->add_carried(slot & ~1U);
    is_passed = flows_.judge(slot, from_system(from), bytes, now_us, totals, onward);
  }
  if (is_passed) {
    const bool is_sent = send_datagram(shard, onward);
    const FlowGuard guard(*accelerator_, slot);
    flows_.sent(onward, is_sent, totals);
  }
  accelerator_->reconsider(slot & ~1U, now_us);
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
