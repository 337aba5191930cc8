// The portable backend: one UDP socket per port, epoll, a thread per shard.
//
// That socket is never connected: a connected one does not hear other sources, so neither could a
// hijack be counted, nor could a stream that continues from another port (a NAT that forgot its
// mapping) take over at once, as M-02 wants. A stream that lasts gets a second socket on the same
// port, connected to its other end: the system gives it what comes from there, the first one still
// hears everybody else, and sending through it looks up no route. docs/media.md has the figures.
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
#include "media/backend.hpp"
#include "media/open_files.hpp"
#include "media/relay.hpp"
#include "media/unique_fd.hpp"

namespace tandem::media {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;
constexpr int events_max = 512;
constexpr std::size_t datagram_bytes_max = 65536;  // no UDP payload is longer
constexpr std::uint32_t stop_event = 0xFFFFFFFF;   // beyond every slot
constexpr std::uint32_t line_event = 0x80000000;   // with the slot: its connected socket

// Below the lower rate a wake-up for each packet gives the least delay and the CPU is there; above
// the upper one, pausing and taking what came together costs a half to a third (M-16 allows 1 ms).
constexpr std::int64_t tick_above_pps = 5000;
constexpr std::int64_t tick_below_pps = 4000;
constexpr std::int64_t rate_window_us = 100'000;

// The connected socket of a port pays from about so many packets on.
constexpr std::uint32_t line_after_packets = 50;
// ... and is tried again after so many, 10 s of voice, when it was lost or could not be had.
constexpr std::uint32_t line_again_packets = 500;
constexpr std::uint32_t no_line = 0xFFFFFFFF;

// Asking a socket how many datagrams found no room costs 100 ns; it tells the sum, so a line is
// asked with every so many packets.
constexpr std::uint32_t overflow_look_packets = 16;

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

void set_shared(int socket, bool is_shared) noexcept {
  const int value = is_shared ? 1 : 0;
  ::setsockopt(socket, SOL_SOCKET, SO_REUSEPORT, &value, sizeof value);
}

bool is_out_of_files(int code) noexcept {
  return code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM;
}

constexpr int scan_ms = static_cast<int>(FlowTable::scan_us / 1000);

constexpr int bridge_wait_ms = 5;  // a packet that is made here is no later than that

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
    std::uint32_t first_line = no_line;  // of those that may be open, by pair of ports
  };

  // The second socket of an RTP port, connected to where its stream goes.
  struct Line {
    UniqueFd socket;
    PackedAddress to;           ///< What it is connected to; not set: nothing.
    PackedAddress sent_to;      ///< Where the last packets went that it did not take,
    std::uint32_t packets = 0;  ///< how many they were, and how many it takes.
    std::uint32_t due_packets = line_after_packets;
    std::uint32_t received = 0;
    std::uint32_t epoch = 0;       ///< Of the call that it was connected for.
    std::uint32_t next = no_line;  ///< In the list of its shard,
    bool is_listed = false;        ///< when it is there.
  };
  enum class Sharing : std::uint8_t { none, beside_another };

  std::optional<BindFailure> bind_pair(unsigned shard, std::uint32_t slot) override;
  Result<UniqueFd> bind_port(const SocketAddress& address, bool& is_busy,
                             Sharing sharing = Sharing::none);
  void count_lines_allowed() noexcept;
  void on_ready_low() noexcept override;
  void on_bridge_busy(unsigned shard) noexcept override;
  bool send_datagram(unsigned shard, const Onward& onward) noexcept override;
  [[nodiscard]] bool has_threads() const noexcept override { return true; }
  [[nodiscard]] std::string how() const override {
    return (accelerator_ != nullptr ? accelerator_->how() + "; " : std::string()) + "epoll, " +
           std::to_string(shards_) + (shards_ == 1 ? " thread" : " threads");
  }
  Result<MediaSession> adopt(const SocketAddress& caller_rtp,
                             const SocketAddress& callee_rtp) override;
  void keep_found();
  void end_silent_found(std::int64_t now_us) noexcept;
  void add_all_carried(unsigned shard) noexcept;
  std::optional<Error> fill();
  void run_filler() noexcept;
  void raise_priority() noexcept;
  void run_shard(unsigned shard) noexcept;
  void relay_one(unsigned shard, std::uint32_t event, std::int64_t now_us, char* buffer,
                 ShardCounters& totals) noexcept;
  bool connect_line(unsigned shard, std::uint32_t slot, const PackedAddress& to) noexcept;
  void close_line(Line& line) noexcept;
  void lose_line(Line& line, const PackedAddress& to) noexcept;
  void end_lines(unsigned shard) noexcept;
  ssize_t receive_with_overflows(int socket, std::size_t place, SystemAddress& from, char* buffer,
                                 ShardCounters& totals) noexcept;

  SystemClock system_clock_;
  std::vector<Shard> shard_;
  std::unique_ptr<std::atomic<int>[]>
      sockets_;                    // by slot; written once, before the slot is first used
  std::unique_ptr<Line[]> lines_;  // by pair of ports; its shard's
  std::atomic<std::int64_t> lines_left_{0};
  // By slot, first those of the ports, then those of the lines; its shard's: what the socket told
  // last.
  std::unique_ptr<std::uint32_t[]> overflows_;

  std::thread filler_;
  std::mutex filler_mutex_;  // guards the two below
  std::condition_variable filler_wake_;
  bool is_fill_wanted_ = false;
  bool is_filler_stopping_ = false;

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
  sockets_ = std::make_unique<std::atomic<int>[]>(flows_.size());
  lines_ = std::make_unique<Line[]>(flows_.size() / 2);
  overflows_ = std::make_unique<std::uint32_t[]>(flows_.size() + flows_.size() / 2);
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
  count_lines_allowed();
  if (accelerator_ != nullptr) keep_found();
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
  wake_takers();
  for (Shard& shard : shard_) {
    const std::uint64_t one = 1;
    // An eventfd that was just made takes the first write; there is nothing to do if it does not.
    (void)!::write(shard.wake.get(), &one, sizeof one);
    if (shard.thread.joinable()) shard.thread.join();
  }
  if (accelerator_ != nullptr) accelerator_->stop();
  found_.clear();  // each of them holds the relay
  for (std::size_t slot = 0; sockets_ != nullptr && slot < flows_.size(); ++slot) {
    const int fd = sockets_[slot].exchange(-1);
    if (fd >= 0) ::close(fd);
  }
  for (std::size_t pair = 0; lines_ != nullptr && pair < flows_.size() / 2; ++pair)
    close_line(lines_[pair]);
}

// A line saves time and no call needs one: they may have half of the files that are left when all
// ports are bound and the rest of the program has what it reserved.
void SystemRelay::count_lines_allowed() noexcept {
  const rlim_t needed =
      static_cast<rlim_t>(shard_.back().wake.get()) + flows_.size() + config_.files_reserved;
  const rlim_t files = files_max();
  const rlim_t spare = files > needed ? (files - needed) / 2 : 0;
  lines_left_.store(static_cast<std::int64_t>(std::min<rlim_t>(spare, flows_.size() / 2)), relaxed);
}

Result<UniqueFd> SystemRelay::bind_port(const SocketAddress& address, bool& is_busy,
                                        Sharing sharing) {
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
  if (sharing == Sharing::beside_another) set_shared(fd.get(), true);
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

// What a former process relayed goes on as sessions of nobody: their ports hear what does not go
// through the kernel, such as reports and sources that change.
void SystemRelay::keep_found() {
  const std::int64_t now_us = clock_.monotonic_us();
  unsigned next = 0;
  for (const FoundSession& session : accelerator_->found()) {
    const unsigned shard = next++ % shards_;
    bool is_bound = true;
    for (int side = 0; side < 2 && is_bound; ++side) {
      const std::uint32_t slot = session.slot[side];
      PortPool* const from = pool(local(slot).ip.family);
      is_bound = from != nullptr && from->reserve(slot);
      if (!is_bound) break;
      if (bind_pair(shard, slot)) {
        from->not_bound(slot);
        is_bound = false;
      } else {
        from->bound(shard, slot, false);
      }
      // The first pair rests like any other when the second one could not be had.
      if (!is_bound && side == 1)
        pool(local(session.slot[0]).ip.family)->give_back(shard, session.slot[0], true, now_us);
    }
    if (!is_bound) {
      accelerator_->forget(session);
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
    std::swap(one, found_.back());
    found_.pop_back();
    sessions_unclaimed_.store(found_.size(), relaxed);
    has_found_.store(!found_.empty(), relaxed);
    return session;
  }
  return RelayCore::adopt(caller_rtp, callee_rtp);
}

// On the first shard.
void SystemRelay::end_silent_found(std::int64_t now_us) noexcept {
  if (!has_found_.load(relaxed)) return;
  const std::int64_t silence_us = std::int64_t{config_.kernel.adopted_silence_ms} * 1000;
  const std::lock_guard lock(found_mutex_);
  for (std::size_t i = found_.size(); i-- > 0;) {
    Found& one = found_[i];
    const std::int64_t heard_us =
        std::max({one.since_us, one.session.last_rtp_us(MediaSide::caller),
                  one.session.last_rtp_us(MediaSide::callee)});
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

// The thread may be waiting for packets without an end.
void SystemRelay::on_bridge_busy(unsigned shard) noexcept {
  const std::uint64_t one = 1;
  (void)!::write(shard_[shard].wake.get(), &one, sizeof one);  // full: it is awake
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
  std::int64_t scanned_us = window_began_us;
  std::int64_t ticked_us = 0;
  for (;;) {
    const bool has_lines = shard_[index].first_line != no_line;
    const bool has_busy = has_busy_bridges(index);
    const int wait_ms = is_ticking                                                  ? 0
                        : has_busy                                                  ? bridge_wait_ms
                        : rings_.empty() && !has_lines && !has_found_.load(relaxed) ? -1
                                                                                    : scan_ms;
    const int count = epoll_wait(poll, events, events_max, wait_ms);
    const std::int64_t now_us = clock_.monotonic_us();
    {
      const Turn turn(totals.turn);  // over before the pause: what was retired may go then
      for (int i = 0; i < count; ++i) {
        if (events[i].data.u32 == stop_event) {
          if (is_stopped_.load()) return;
          std::uint64_t woken = 0;
          (void)!::read(shard_[index].wake.get(), &woken, sizeof woken);
          continue;
        }
        relay_one(index, events[i].data.u32, now_us, buffer.get(), totals);
      }
      if (has_busy_bridges(index) && now_us - ticked_us >= bridge_wait_ms * 1000) {
        tick_bridges(index, now_us);
        ticked_us = now_us;
      }
      if (now_us - scanned_us >= FlowTable::scan_us) {
        if (index == 0) end_silent_found(now_us);
        if (accelerator_ != nullptr) add_all_carried(index);
        flows_.scan(index, now_us, totals);  // nothing when nobody wants events
        end_lines(index);
        scanned_us = now_us;
      }
      tell_events(index);
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

void SystemRelay::relay_one(unsigned shard, std::uint32_t event, std::int64_t now_us, char* buffer,
                            ShardCounters& totals) noexcept {
  const std::uint32_t slot = event & ~line_event;
  Line* const line = event != slot ? &lines_[slot / 2] : nullptr;
  const int socket = line != nullptr ? line->socket.get() : sockets_[slot].load(relaxed);
  SystemAddress from;
  // One datagram: a stream has one per 20 ms, a second read would nearly always find nothing. If
  // more wait, epoll says so again.
  ssize_t size = 0;
  if (line != nullptr && ++line->received % overflow_look_packets != 0) {
    socklen_t from_length = sizeof from;
    size = ::recvfrom(socket, buffer, datagram_bytes_max, 0, &from.any, &from_length);
  } else {
    const std::size_t place = line != nullptr ? flows_.size() + slot / 2 : slot;
    size = receive_with_overflows(socket, place, from, buffer, totals);
  }
  if (size < 0) {
    // A connected socket is told that nobody listens at the other end.
    if (line != nullptr && errno != EAGAIN && errno != EINTR) lose_line(*line, line->to);
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

bool SystemRelay::send_datagram(unsigned shard, const Onward& onward) noexcept {
  const std::string_view bytes = onward.bytes;
  const int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
  const bool is_rtp_port = onward.slot % 2 == 0;
  if (is_rtp_port) {
    Line& line = lines_[onward.slot / 2];
    if (line.to != onward.to) {
      if (line.sent_to != onward.to) {
        line.sent_to = onward.to;
        line.packets = 0;
        line.due_packets = line_after_packets;
      }
      if (++line.packets >= line.due_packets && !connect_line(shard, onward.slot, onward.to))
        lose_line(line, onward.to);
    }
    if (line.to == onward.to) {
      const ssize_t sent = ::send(line.socket.get(), bytes.data(), bytes.size(), flags);
      if (sent >= 0) return static_cast<std::size_t>(sent) == bytes.size();
      if (errno == EAGAIN) return false;
      lose_line(
          line,
          onward.to);  // it says what became of an earlier packet; this one is still to be sent
    }
  }
  SystemAddress to;
  const socklen_t to_length = to_system(onward.to, to);
  const ssize_t sent = ::sendto(sockets_[onward.slot].load(relaxed), bytes.data(), bytes.size(),
                                flags, &to.any, to_length);
  return sent >= 0 && static_cast<std::size_t>(sent) == bytes.size();
}

// Makes the line of `slot`, or turns the one that is there, towards `to`.
bool SystemRelay::connect_line(unsigned shard, std::uint32_t slot,
                               const PackedAddress& to) noexcept {
  Line& line = lines_[slot / 2];
  const bool is_new = !line.socket.is_open();
  if (is_new) {
    if (lines_left_.fetch_sub(1, relaxed) <= 0) {
      lines_left_.fetch_add(1, relaxed);
      return false;
    }
    // Both must allow the sharing of the port while the second is bound. After that they forbid it
    // again, or another program could take a part of the packets unnoticed.
    const int first = sockets_[slot].load(relaxed);
    set_shared(first, true);
    bool is_busy = false;
    Result<UniqueFd> socket = bind_port(local(slot), is_busy, Sharing::beside_another);
    set_shared(first, false);
    if (!socket) {
      lines_left_.fetch_add(1, relaxed);
      return false;
    }
    line.socket = std::move(socket).value();
    set_shared(line.socket.get(), false);
    overflows_[flows_.size() + slot / 2] = 0;
  }
  SystemAddress system;
  const socklen_t length = to_system(to, system);
  if (::connect(line.socket.get(), &system.any, length) != 0) return false;
  if (is_new) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u32 = slot | line_event;
    if (epoll_ctl(shard_[shard].poll.get(), EPOLL_CTL_ADD, line.socket.get(), &event) != 0)
      return false;
    ports_connected_.fetch_add(1, relaxed);
  }
  if (!line.is_listed) {
    line.next = std::exchange(shard_[shard].first_line, slot / 2);
    line.is_listed = true;
  }
  line.to = to;
  line.epoch = flows_[slot].epoch.load(relaxed);
  return true;
}

// Another try is due, but not at once: nobody listens there, or there are no files left.
void SystemRelay::lose_line(Line& line, const PackedAddress& to) noexcept {
  close_line(line);
  line.sent_to = to;
  line.packets = 0;
  line.due_packets = line_again_packets;
}

// Closes the lines of calls that are over: ports are used in rotation, and running calls would find
// none left.
void SystemRelay::end_lines(unsigned shard) noexcept {
  std::uint32_t* link = &shard_[shard].first_line;
  while (*link != no_line) {
    const std::uint32_t pair = *link;
    Line& line = lines_[pair];
    if (line.socket.is_open() && flows_[2 * pair].epoch.load(relaxed) == line.epoch) {
      link = &line.next;
      continue;
    }
    if (line.socket.is_open() && line.sent_to == line.to) line.sent_to = {};  // counts anew
    close_line(line);
    line.is_listed = false;
    *link = line.next;
  }
}

void SystemRelay::close_line(Line& line) noexcept {
  if (!line.socket.is_open()) return;
  if (line.to.is_set()) ports_connected_.fetch_sub(1, relaxed);
  line.socket = UniqueFd();
  line.to = {};
  lines_left_.fetch_add(1, relaxed);
}

ssize_t SystemRelay::receive_with_overflows(int socket, std::size_t place, SystemAddress& from,
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
    std::uint32_t dropped = 0;  // since the socket was opened, modulo 2^32
    std::memcpy(&dropped, CMSG_DATA(part), sizeof dropped);
    add<std::uint64_t>(totals.overflows, dropped - overflows_[place]);
    overflows_[place] = dropped;
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
