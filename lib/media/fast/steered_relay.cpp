// The fast backend where sk_lookup is allowed: a shard has one socket for the datagrams of all its
// ports, takes them many at a time and sends them together. A port is an entry of a table.
#include <poll.h>
#include <sys/mman.h>
#include <sys/un.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "media/fast/fast.hpp"
#include "media/fast/raw_sender.hpp"
#include "media/fast/steering.hpp"
#include "media/open_files.hpp"
#include "media/threaded_relay.hpp"

namespace tandem::media {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;
constexpr int batch_max = static_cast<int>(RawSender::batch_max);
constexpr int batches_max = 4;                     // of one family in a turn
constexpr std::size_t datagram_bytes_max = 65536;  // no UDP payload is longer
constexpr std::uint32_t voice_bytes = 768;         // what a packet of G.711 takes of a buffer
constexpr int shard_buffer_bytes = 64 << 20;

/// Memory that is only there where it was written to.
class Pages {
 public:
  explicit Pages(std::size_t bytes) noexcept
      : bytes_(bytes),
        at_(::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) {}
  ~Pages() {
    if (is_there()) ::munmap(at_, bytes_);
  }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;
  [[nodiscard]] bool is_there() const noexcept { return at_ != MAP_FAILED; }
  [[nodiscard]] char* begin() const noexcept { return static_cast<char*>(at_); }

 private:
  std::size_t bytes_;
  void* at_;
};

/// Room for one recvmmsg().
struct Arrivals {
  // What comes begins behind room for the headers that it leaves with; the memory of what is longer
  // than a page is there when it came.
  static constexpr std::size_t page_bytes = 4096;
  static constexpr std::size_t room_bytes = datagram_bytes_max + page_bytes;
  Pages bytes{batch_max * room_bytes};
  mmsghdr messages[batch_max] = {};
  iovec parts[batch_max] = {};
  SystemAddress from[batch_max] = {};
  alignas(cmsghdr) char control[batch_max][CMSG_SPACE(sizeof(sockaddr_in6)) +
                                           CMSG_SPACE(sizeof(std::uint32_t))] = {};

  Arrivals() noexcept {
    for (int i = 0; i < batch_max; ++i) {
      parts[i] = {bytes.begin() + static_cast<std::size_t>(i) * room_bytes + RawSender::header_room,
                  datagram_bytes_max};
      messages[i].msg_hdr.msg_iov = &parts[i];
      messages[i].msg_hdr.msg_iovlen = 1;
      messages[i].msg_hdr.msg_name = &from[i];
      messages[i].msg_hdr.msg_control = control[i];
    }
  }
  [[nodiscard]] int take(int socket) noexcept {
    for (int i = 0; i < batch_max; ++i) {
      messages[i].msg_hdr.msg_namelen = sizeof(SystemAddress);
      messages[i].msg_hdr.msg_controllen = sizeof control[i];
    }
    return ::recvmmsg(socket, messages, batch_max, MSG_DONTWAIT, nullptr);
  }
};

class SteeredRelay final : public ThreadedRelay {
 public:
  explicit SteeredRelay(const MediaConfig& config) : ThreadedRelay(config) {}
  ~SteeredRelay() override { stop(); }

  Result<void> start();

 private:
  struct Shard final : RawSender::Outcome {
    Shard(FlowTable& of_flows, ShardCounters& of_totals) : flows(of_flows), totals(of_totals) {}
    void on_sent(const Onward& onward, bool is_sent) noexcept override {
      flows.sent(onward, is_sent, totals);
    }
    FlowTable& flows;
    ShardCounters& totals;
    UniqueFd sockets[2];  // IPv4, IPv6
    std::uint32_t overflows[2] = {0, 0};
    RawSender sender;
    Arrivals arrivals;
  };

  [[nodiscard]] std::string how() const override {
    return "sk_lookup, " + std::to_string(shards_) + (shards_ == 1 ? " thread" : " threads");
  }
  std::optional<BindFailure> bind_pair(unsigned shard, std::uint32_t slot) override;
  std::optional<BindFailure> hold(std::uint32_t slot);
  Result<UniqueFd> open_shared(const IpAddress& address);
  bool send_datagram(unsigned shard, const Onward& onward) noexcept override;
  void run_shard(unsigned shard) noexcept override;
  int take(unsigned shard, std::size_t family, std::int64_t now_us) noexcept;
  void relay_one(unsigned shard, std::size_t family, int place, std::int64_t now_us) noexcept;
  void on_scan(unsigned shard) noexcept override;
  void free_ports() noexcept override;

  /// What the program calls the socket of a shard.
  [[nodiscard]] std::uint32_t number_of(unsigned shard, std::size_t family) const noexcept {
    return static_cast<std::uint32_t>(family) * shards_ + shard;
  }
  [[nodiscard]] std::size_t family_of(std::uint32_t slot) const noexcept {
    return slot < ports_ ? 0 : 1;
  }

  std::uint32_t ports_ = 0;           // of a family
  std::vector<PackedAddress> local_;  // by slot
  Steering steering_;
  std::vector<std::unique_ptr<Shard>> shard_;
  std::mutex held_mutex_;                           // guards held_
  std::unordered_map<std::string, UniqueFd> held_;  // by name
};

Result<void> SteeredRelay::start() {
  if (Result<void> made = make_wakers(); !made) return made;
  const std::size_t families = config_.address6.is_ipv6() ? 2 : 1;
  ports_ = static_cast<std::uint32_t>(flows_.size() / families);
  for (std::uint32_t slot = 0; slot < flows_.size(); ++slot)
    local_.push_back(pack(local(slot)));
  Steering::Range range;
  range.address4 = config_.address;
  range.address6 = config_.address6;
  range.port_first = local(0).port;
  range.ports = ports_;
  range.slots = static_cast<std::uint32_t>(flows_.size());
  range.waiting_max = std::max(config_.receive_buffer_bytes / voice_bytes, 2U);
  if (Result<void> created = steering_.create(range, 2 * shards_); !created) return created;
  for (unsigned shard = 0; shard < shards_; ++shard) {
    shard_.push_back(std::make_unique<Shard>(flows_, counters_[shard]));
    Shard& own = *shard_.back();
    if (!own.arrivals.bytes.is_there())
      return Error{ErrorCode::limit, "memory for media packets was refused"};
    if (Result<void> made = own.sender.create(config_.address, config_.address6, config_.tos);
        !made)
      return made;
    for (const std::size_t family : {0, 1}) {
      const IpAddress& address = family == 0 ? config_.address : config_.address6;
      if (address.family == IpAddress::Family::none) continue;
      Result<UniqueFd> socket = open_shared(address);
      if (!socket) return std::move(socket).error();
      own.sockets[family] = std::move(*socket);
      if (Result<void> added =
              steering_.add_socket(number_of(shard, family), own.sockets[family].get());
          !added)
        return added;
    }
  }
  if (Result<void> attached = steering_.attach(); !attached) return attached;
  return start_threads();
}

void SteeredRelay::free_ports() noexcept {
  for (std::uint32_t slot = 0; steering_.is_there() && slot < flows_.size(); ++slot)
    steering_.port(slot).socket.store(0, relaxed);
  for (const auto& shard : shard_) {
    for (UniqueFd& socket : shard->sockets)
      socket = UniqueFd();
  }
  held_.clear();
}

// The socket of all ports of a shard. Its own port is of no use, and what comes there is nobody's.
Result<UniqueFd> SteeredRelay::open_shared(const IpAddress& address) {
  SystemAddress system;
  PackedAddress any_port = pack({address, 1});
  any_port.port = 0;
  const socklen_t length = to_system(any_port, system);
  UniqueFd fd(::socket(system.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const auto refused = [&address] {
    const int code = errno;
    return Error{is_out_of_files(code) ? ErrorCode::limit : ErrorCode::io,
                 "a socket at media address " + address.to_string() +
                     " was refused: " + system_message(code)};
  };
  if (!fd.is_open()) return refused();
  const int on = 1;
  if (address.is_ipv6()) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &shard_buffer_bytes,
                   sizeof shard_buffer_bytes) != 0)
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &shard_buffer_bytes, sizeof shard_buffer_bytes);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof on);
  const int told = address.is_ipv4()
                       ? ::setsockopt(fd.get(), IPPROTO_IP, IP_RECVORIGDSTADDR, &on, sizeof on)
                       : ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_RECVORIGDSTADDR, &on, sizeof on);
  if (told != 0 || ::bind(fd.get(), &system.any, length) != 0) return refused();
  return fd;
}

// No socket is bound to a port, so the system would give it to others. Two relays see of each other
// by a name that they hold; of other programs it is looked here whether they have the port, and
// what binds it later gets nothing (docs/media.md).
std::optional<RelayCore::BindFailure> SteeredRelay::bind_pair(unsigned shard, std::uint32_t slot) {
  if (std::optional<BindFailure> failure = hold(slot)) return failure;
  for (std::uint32_t kind = 0; kind < 2; ++kind) {
    SystemAddress system;
    const socklen_t length = to_system(local_[slot + kind], system);
    const UniqueFd probe(::socket(system.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const int on = 1;
    if (system.any.sa_family == AF_INET6 && probe.is_open())
      ::setsockopt(probe.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (probe.is_open() && ::bind(probe.get(), &system.any, length) == 0) continue;
    const int code = errno;
    return BindFailure{code == EADDRINUSE,
                       Error{is_out_of_files(code) ? ErrorCode::limit : ErrorCode::io,
                             "media port " + local(slot + kind).to_string() +
                                 " was refused: " + system_message(code)}};
  }
  for (std::uint32_t kind = 0; kind < 2; ++kind)
    steering_.port(slot + kind).socket.store(number_of(shard, family_of(slot)) + 1, relaxed);
  return std::nullopt;
}

std::optional<RelayCore::BindFailure> SteeredRelay::hold(std::uint32_t slot) {
  constexpr unsigned block_ports = 32;
  const SocketAddress address = local(slot);
  const std::string name =
      "tandem-media " + address.ip.to_string() + " " + std::to_string(address.port / block_ports);
  const std::lock_guard lock(held_mutex_);
  if (held_.count(name) != 0) return std::nullopt;
  // Its name is in the network namespace and ends with the process.
  sockaddr_un system{};
  system.sun_family = AF_UNIX;
  std::memcpy(system.sun_path + 1, name.data(), std::min(name.size(), sizeof system.sun_path - 1));
  UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  if (fd.is_open() && is_kept_file(fd.get())) {
    fd = UniqueFd();
    errno = EMFILE;
  }
  if (fd.is_open() && ::bind(fd.get(), reinterpret_cast<sockaddr*>(&system), length) == 0) {
    held_.emplace(name, std::move(fd));
    return std::nullopt;
  }
  const int code = errno;
  return BindFailure{code == EADDRINUSE,
                     Error{is_out_of_files(code) ? ErrorCode::limit : ErrorCode::io,
                           "media port " + address.to_string() +
                               " was held by another relay: " + system_message(code)}};
}

bool SteeredRelay::send_datagram(unsigned shard, const Onward& onward) noexcept {
  return shard_[shard]->sender.send(onward, local_[onward.slot]);
}

void SteeredRelay::run_shard(unsigned index) noexcept {
  raise_priority();
  Shard& own = *shard_[index];
  pollfd waiting[3] = {{waker(index), POLLIN, 0},
                       {own.sockets[0].get(), POLLIN, 0},
                       {own.sockets[1].get(), POLLIN, 0}};  // below 0: passed over
  Pace pace(config_.tick_us, clock_.monotonic_us());
  for (bool is_all_taken = true;;) {
    int events = 0;
    if (pace.is_ticking()) {
      // Only the waker ends a pause; what came meanwhile is looked for without being told of it.
      const timespec pause{0, is_all_taken ? static_cast<long>(pace.tick_us()) * 1000 : 0};
      events = ::ppoll(waiting, 1, &pause, nullptr);
      for (const std::size_t family : {0, 1})
        waiting[1 + family].revents = waiting[1 + family].fd >= 0 ? POLLIN : 0;
    } else {
      events = ::poll(waiting, 3, is_all_taken ? wait_ms(index, true) : 0);
    }
    const bool is_to_look = events > 0 || pace.is_ticking();
    const std::int64_t now_us = clock_.monotonic_us();
    int packets = 0;
    is_all_taken = true;
    {
      const Turn turn(own.totals.turn);
      if (events > 0 && waiting[0].revents != 0 && !woken(index)) return;
      for (const std::size_t family : {0, 1}) {
        for (int batch = 0; is_to_look && waiting[1 + family].revents != 0; ++batch) {
          const int count = take(index, family, now_us);
          packets += count;
          if (count < batch_max) break;
          if (batch + 1 == batches_max) {
            is_all_taken = false;
            break;
          }
        }
      }
      look_after(index, now_us);
    }
    pace.took(packets, now_us);
  }
}

int SteeredRelay::take(unsigned shard, std::size_t family, std::int64_t now_us) noexcept {
  Shard& own = *shard_[shard];
  const int count = own.arrivals.take(own.sockets[family].get());
  if (count <= 0) return 0;
  for (int i = 0; i < count; ++i)
    relay_one(shard, family, i, now_us);
  own.sender.flush(own);
  return count;
}

void SteeredRelay::relay_one(unsigned shard, std::size_t family, int place,
                             std::int64_t now_us) noexcept {
  Shard& own = *shard_[shard];
  msghdr& message = own.arrivals.messages[place].msg_hdr;
  std::uint32_t port = 0;
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SO_RXQ_OVFL) {
      std::uint32_t dropped = 0;
      std::memcpy(&dropped, CMSG_DATA(part), sizeof dropped);
      add<std::uint64_t>(own.totals.overflows, dropped - own.overflows[family]);
      own.overflows[family] = dropped;
    } else if ((part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_ORIGDSTADDR) ||
               (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_ORIGDSTADDR)) {
      // The port is at the same place in both.
      sockaddr_in address{};
      std::memcpy(&address, CMSG_DATA(part), sizeof address);
      port = ntohs(address.sin_port);
    }
  }
  const std::uint32_t offset = port - local_[0].port;
  if (offset >= ports_) return;
  const std::uint32_t slot = offset + static_cast<std::uint32_t>(family) * ports_;
  SteeredPort& steered = steering_.port(slot);
  // The port of the shared socket may be one of the range.
  if (steered.socket.load(relaxed) != number_of(shard, family) + 1) return;
  add<std::uint32_t>(steered.taken, 1);
  if (const std::uint32_t dropped = steered.dropped.load(relaxed); dropped != steered.told) {
    add<std::uint64_t>(own.totals.overflows, dropped - steered.told);
    steered.told = dropped;
  }
  const auto* const begin = static_cast<const char*>(message.msg_iov->iov_base);
  const std::string_view bytes(begin, own.arrivals.messages[place].msg_len);
  Onward onward;
  if (!flows_.judge(slot, from_system(own.arrivals.from[place]), bytes, now_us, own.totals, onward))
    return;
  const bool is_as_it_came =
      onward.bytes.data() >= begin && onward.bytes.data() < begin + datagram_bytes_max;
  own.sender.add(onward, local_[onward.slot], is_as_it_came, now_us, own);
}

// What was counted as arrived and was lost behind that (a wrong checksum, a full buffer) would wait
// for ever and take the room of others, and a port that has no room left wakes nobody. What is on
// its way now may be counted as taken twice: a port then may have a few more at a time until the
// next scan.
void SteeredRelay::on_scan(unsigned shard) noexcept {
  for (std::uint32_t slot = 0; slot < flows_.size(); ++slot) {
    SteeredPort& port = steering_.port(slot);
    if (port.socket.load(relaxed) == number_of(shard, family_of(slot)) + 1)
      port.taken.store(port.arrived.load(relaxed), relaxed);
  }
}

}  // namespace

std::optional<std::string> why_not_steered() {
  Steering steering;
  Steering::Range range;
  range.address4 = IpAddress::ipv4(127, 0, 0, 1);
  range.port_first = 1024;
  range.ports = range.slots = 1;
  const Result<void> created = steering.create(range, 1);
  if (created) return std::nullopt;
  return created.error().message;
}

Result<std::shared_ptr<RelayCore>> start_steered(const MediaConfig& config) {
  auto core = std::make_shared<SteeredRelay>(config);
  if (Result<void> started = core->start(); !started) return std::move(started).error();
  return std::shared_ptr<RelayCore>(std::move(core));
}

}  // namespace tandem::media
