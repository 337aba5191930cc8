// The portable backend: one UDP socket per port, epoll, a thread per shard.
//
// The sockets are not connected to the latched address. Connecting would save the route lookup of
// each send, but a connected socket does not hear other sources: neither could a hijack be counted,
// nor could a stream that continues from another port (a NAT that forgot its mapping) take over at
// once, as M-02 wants. docs/media.md has the figures.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/thread.hpp"
#include "media/relay.hpp"

namespace tandem::media {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;
constexpr int events_max = 512;
constexpr std::size_t datagram_bytes_max = 65536;  // no UDP payload is longer
constexpr std::uint32_t stop_event = 0xFFFFFFFF;   // beyond every slot

// Below the lower rate a wake-up for each packet gives the least delay and the CPU is there; above
// the upper one, pausing and taking what came together costs a half to a third (M-16 allows 1 ms).
constexpr std::int64_t tick_above_pps = 5000;
constexpr std::int64_t tick_below_pps = 4000;
constexpr std::int64_t rate_window_us = 100'000;

// Files of the process that media ports may not take: databases, SIP connections and logs need some
// while calls come.
constexpr rlim_t files_kept_max = 64;

bool is_kept_file(int fd) noexcept {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return false;
  // The system gives the lowest free number, so the number says how many are open.
  return static_cast<rlim_t>(fd) >= files.rlim_cur - std::min(files_kept_max, files.rlim_cur / 8);
}

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) noexcept : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~UniqueFd() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const noexcept { return fd_; }
  [[nodiscard]] int release() noexcept { return std::exchange(fd_, -1); }
  [[nodiscard]] bool is_open() const noexcept { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

union SystemAddress {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

socklen_t to_system(const PackedAddress& address, SystemAddress& system) noexcept {
  if (address.family == IpAddress::Family::ipv4) {
    system.v4 = {};
    system.v4.sin_family = AF_INET;
    system.v4.sin_port = htons(address.port);
    std::memcpy(&system.v4.sin_addr, address.ip.data(), 4);
    return sizeof system.v4;
  }
  system.v6 = {};
  system.v6.sin6_family = AF_INET6;
  system.v6.sin6_port = htons(address.port);
  std::memcpy(&system.v6.sin6_addr, address.ip.data(), 16);
  return sizeof system.v6;
}

PackedAddress from_system(const SystemAddress& system) noexcept {
  PackedAddress address;
  if (system.any.sa_family == AF_INET) {
    std::memcpy(address.ip.data(), &system.v4.sin_addr, 4);
    address.port = ntohs(system.v4.sin_port);
    address.family = IpAddress::Family::ipv4;
  } else {
    std::memcpy(address.ip.data(), &system.v6.sin6_addr, 16);
    address.port = ntohs(system.v6.sin6_port);
    address.family = IpAddress::Family::ipv6;
  }
  return address;
}

std::string system_message(int code) {
  return std::error_code(code, std::generic_category()).message();
}

bool is_out_of_files(int code) noexcept {
  return code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM;
}

class SystemRelay final : public RelayCore {
 public:
  explicit SystemRelay(const MediaConfig& config)
      : RelayCore(config, system_clock_, config.shards) {}
  ~SystemRelay() override { SystemRelay::stop(); }

  Result<void> start();
  void stop() noexcept override;

 private:
  struct Shard {
    UniqueFd poll;
    UniqueFd wake;
    std::thread thread;
  };

  std::optional<BindFailure> bind_pair(unsigned shard, std::uint32_t slot) override;
  Result<UniqueFd> bind_port(const SocketAddress& address, bool& is_busy);
  void on_ready_low() noexcept override;
  std::optional<Error> fill();
  void run_filler() noexcept;
  void raise_priority() noexcept;
  void run_shard(unsigned shard) noexcept;
  void relay_one(std::uint32_t slot, std::int64_t now_us, char* buffer,
                 ShardCounters& totals) noexcept;
  void count_overflows(std::uint32_t slot, msghdr& message, ShardCounters& totals) noexcept;

  SystemClock system_clock_;
  std::vector<Shard> shard_;
  std::unique_ptr<std::atomic<int>[]>
      sockets_;  // by slot; written once, before the slot is first used
  std::unique_ptr<std::uint32_t[]> overflows_;  // by slot; its shard's: what the socket told last

  std::thread filler_;
  std::mutex filler_mutex_;  // guards the two below
  std::condition_variable filler_wake_;
  bool is_fill_wanted_ = false;
  bool is_filler_stopping_ = false;
};

Result<void> SystemRelay::start() {
  sockets_ = std::make_unique<std::atomic<int>[]>(flows_.size());
  overflows_ = std::make_unique<std::uint32_t[]>(flows_.size());
  for (std::size_t slot = 0; slot < flows_.size(); ++slot)
    sockets_[slot].store(-1, relaxed);
  shard_.resize(shards_);
  for (Shard& shard : shard_) {
    shard.poll = UniqueFd(epoll_create1(EPOLL_CLOEXEC));
    shard.wake = UniqueFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u32 = stop_event;
    if (!shard.poll.is_open() || !shard.wake.is_open() ||
        epoll_ctl(shard.poll.get(), EPOLL_CTL_ADD, shard.wake.get(), &event) != 0)
      return Error{ErrorCode::io, "epoll was refused: " + system_message(errno)};
  }
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
      shard_[i].thread = start_thread("tandem-media", [this, i] { run_shard(i); });
    }
    filler_ = start_thread("tandem-ports", [this] { run_filler(); });
  } catch (const std::system_error& refused) {
    return Error{ErrorCode::io, std::string("a media thread was refused: ") + refused.what()};
  }
  return {};
}

void SystemRelay::stop() noexcept {
  if (is_stopped_.exchange(true)) return;
  {
    const std::lock_guard lock(filler_mutex_);
    is_filler_stopping_ = true;
  }
  filler_wake_.notify_all();
  if (filler_.joinable()) filler_.join();
  for (Shard& shard : shard_) {
    const std::uint64_t one = 1;
    // An eventfd that was just made takes the first write; there is nothing to do if it does not.
    (void)!::write(shard.wake.get(), &one, sizeof one);
    if (shard.thread.joinable()) shard.thread.join();
  }
  for (std::size_t slot = 0; sockets_ != nullptr && slot < flows_.size(); ++slot) {
    const int fd = sockets_[slot].exchange(-1);
    if (fd >= 0) ::close(fd);
  }
}

Result<UniqueFd> SystemRelay::bind_port(const SocketAddress& address, bool& is_busy) {
  SystemAddress system;
  const socklen_t length = to_system(pack(address), system);
  UniqueFd fd(::socket(system.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.is_open()) {
    const int code = errno;
    return Error{
        is_out_of_files(code) ? ErrorCode::limit : ErrorCode::io,
        "a socket for media port " + address.to_string() + " was refused: " + system_message(code)};
  }
  if (is_kept_file(fd.get()))
    return Error{ErrorCode::limit, "media port " + address.to_string() +
                                       " was not bound: the limit of open files " +
                                       "left none but those kept for the rest of the program"};
  const int on = 1;
  if (address.ip.is_ipv6()) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  // The system doubles the value for its own overhead. Small, so that after a stall old voice is
  // dropped and not delivered seconds late.
  const int buffer_bytes = static_cast<int>(config_.receive_buffer_bytes / 2);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof buffer_bytes);
  // Datagrams then bring with them how many found no room, once there was one.
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof on);
  if (config_.tos != 0) {
    const int tos = config_.tos;
    const int marked = address.ip.is_ipv4()
                           ? ::setsockopt(fd.get(), IPPROTO_IP, IP_TOS, &tos, sizeof tos)
                           : ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof tos);
    if (marked != 0) marks_refused_.fetch_add(1, relaxed);
  }
  if (::bind(fd.get(), &system.any, length) != 0) {
    const int code = errno;
    is_busy = code == EADDRINUSE;
    return Error{is_out_of_files(code) ? ErrorCode::limit : ErrorCode::io,
                 "media port " + address.to_string() + " was refused: " + system_message(code)};
  }
  return fd;
}

std::optional<RelayCore::BindFailure> SystemRelay::bind_pair(unsigned shard, std::uint32_t slot) {
  UniqueFd fds[2];
  for (std::uint32_t kind = 0; kind < 2; ++kind) {
    bool is_busy = false;
    Result<UniqueFd> fd = bind_port(local(slot + kind), is_busy);
    if (!fd) return BindFailure{is_busy, std::move(fd).error()};
    fds[kind] = std::move(fd).value();
  }
  for (std::uint32_t kind = 0; kind < 2; ++kind)
    sockets_[slot + kind].store(fds[kind].get(), relaxed);
  for (std::uint32_t kind = 0; kind < 2; ++kind) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u32 = slot + kind;
    if (epoll_ctl(shard_[shard].poll.get(), EPOLL_CTL_ADD, fds[kind].get(), &event) != 0) {
      const int code = errno;
      sockets_[slot].store(-1, relaxed);
      sockets_[slot + 1].store(-1, relaxed);
      return BindFailure{
          false, Error{is_out_of_files(code) || code == ENOSPC ? ErrorCode::limit : ErrorCode::io,
                       "media port " + local(slot + kind).to_string() +
                           " was refused by epoll: " + system_message(code)}};
    }
  }
  (void)fds[0].release();  // both now belong to sockets_
  (void)fds[1].release();
  return std::nullopt;
}

// Binds pairs until every shard has config_.ready_pairs of each family. Gives the error that
// stopped it.
std::optional<Error> SystemRelay::fill() {
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

void SystemRelay::on_ready_low() noexcept {
  {
    const std::lock_guard lock(filler_mutex_);
    if (is_fill_wanted_) return;
    is_fill_wanted_ = true;
  }
  filler_wake_.notify_one();
}

void SystemRelay::run_filler() noexcept {
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
void SystemRelay::raise_priority() noexcept {
  if (config_.nice == 0) return;
  const id_t this_thread = 0;
  errno = 0;  // -1 is a priority too
  const int inherited = ::getpriority(PRIO_PROCESS, this_thread);
  if (errno == 0 && inherited <= config_.nice) return;
  if (::setpriority(PRIO_PROCESS, this_thread, config_.nice) != 0)
    priorities_refused_.fetch_add(1, relaxed);
}

void SystemRelay::run_shard(unsigned index) noexcept {
  raise_priority();
  const std::unique_ptr<char[]> buffer(new (std::nothrow) char[datagram_bytes_max]);
  if (buffer == nullptr) return;
  ShardCounters& totals = counters_[index];
  const int poll = shard_[index].poll.get();
  epoll_event events[events_max];
  bool is_ticking = false;
  std::int64_t window_began_us = clock_.monotonic_us();
  std::int64_t window_packets = 0;
  for (;;) {
    const int count = epoll_wait(poll, events, events_max, is_ticking ? 0 : -1);
    const std::int64_t now_us = clock_.monotonic_us();
    for (int i = 0; i < count; ++i) {
      if (events[i].data.u32 == stop_event) return;
      relay_one(events[i].data.u32, now_us, buffer.get(), totals);
    }
    if (count > 0) window_packets += count;
    const std::int64_t window_us = now_us - window_began_us;
    if (window_us >= rate_window_us) {
      const std::int64_t rate_pps = window_packets * 1'000'000 / window_us;
      is_ticking =
          config_.tick_us > 0 && rate_pps >= (is_ticking ? tick_below_pps : tick_above_pps);
      window_began_us = now_us;
      window_packets = 0;
    }
    if (is_ticking && count < events_max) {
      const timespec pause{0, static_cast<long>(config_.tick_us) * 1000};
      ::nanosleep(&pause, nullptr);
    }
  }
}

void SystemRelay::relay_one(std::uint32_t slot, std::int64_t now_us, char* buffer,
                            ShardCounters& totals) noexcept {
  SystemAddress from;
  iovec space{buffer, datagram_bytes_max};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(std::uint32_t))];
  msghdr message{};
  message.msg_name = &from;
  message.msg_namelen = sizeof from;
  message.msg_iov = &space;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  // One datagram: a stream has one per 20 ms, a second read would nearly always find nothing. If
  // more wait, epoll says so again.
  const ssize_t size = ::recvmsg(sockets_[slot].load(relaxed), &message, 0);
  if (size < 0) return;
  if (message.msg_controllen != 0) count_overflows(slot, message, totals);
  const std::string_view bytes(buffer, static_cast<std::size_t>(size));
  Onward onward;
  if (!flows_.judge(slot, from_system(from), bytes, now_us, totals, onward)) return;
  SystemAddress to;
  const socklen_t to_length = to_system(onward.to, to);
  const ssize_t sent = ::sendto(sockets_[onward.slot].load(relaxed), buffer, bytes.size(),
                                MSG_DONTWAIT | MSG_NOSIGNAL, &to.any, to_length);
  flows_.sent(onward, sent == size, totals);
}

void SystemRelay::count_overflows(std::uint32_t slot, msghdr& message,
                                  ShardCounters& totals) noexcept {
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SO_RXQ_OVFL) continue;
    std::uint32_t dropped = 0;  // since the socket was opened, modulo 2^32
    std::memcpy(&dropped, CMSG_DATA(part), sizeof dropped);
    add<std::uint64_t>(totals.overflows, dropped - overflows_[slot]);
    overflows_[slot] = dropped;
  }
}

}  // namespace
}  // namespace tandem::media

namespace tandem {

Result<MediaRelay> MediaRelay::create(const MediaConfig& config) {
  if (Result<void> checked = media::check(config); !checked) return std::move(checked).error();
  auto core = std::make_shared<media::SystemRelay>(config);
  if (Result<void> started = core->start(); !started) return std::move(started).error();
  return MediaRelay(std::move(core));
}

}  // namespace tandem
