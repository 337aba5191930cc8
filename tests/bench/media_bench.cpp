// What the relay's threads spend on a packet, how long it stays in the relay, what opening ports
// costs. The load comes from this thread over loopback; only the relay's own threads are counted.
#include <dirent.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "bench.hpp"
#include "tandem/media_relay.hpp"

namespace tandem::bench {
namespace {

constexpr std::size_t rtp_bytes = 172;      // G.711, 20 ms
constexpr std::int64_t packets_per_s = 50;  // of one direction
constexpr std::size_t sockets_per_side = 8;
constexpr std::size_t batch_max = 32;
constexpr long pause_ns = 50'000;  // what a network card's interrupt moderation does

std::int64_t time_ns(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

void raise_file_limit() {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
}

std::string first_line(const std::string& path) {
  char line[128] = "";
  if (FILE* file = std::fopen(path.c_str(), "r")) {
    if (std::fgets(line, sizeof line, file) == nullptr) line[0] = '\0';
    std::fclose(file);
  }
  return line;
}

// CPU time of the relay's shards, from the scheduler.
std::int64_t shard_cpu_ns() {
  std::int64_t sum_ns = 0;
  DIR* tasks = ::opendir("/proc/self/task");
  if (tasks == nullptr) return 0;
  while (const dirent* task = ::readdir(tasks)) {
    const std::string folder = std::string("/proc/self/task/") + task->d_name;
    if (first_line(folder + "/comm") == "tandem-media\n")
      sum_ns += std::atoll(first_line(folder + "/schedstat").c_str());
  }
  ::closedir(tasks);
  return sum_ns;
}

class Load {
 public:
  explicit Load(std::size_t calls) {
    raise_file_limit();
    MediaConfig config;
    config.address = IpAddress::ipv4(127, 0, 0, 1);
    config.port_first = 20000;
    config.port_last = 32767;
    config.ready_pairs = static_cast<unsigned>(2 * calls);
    auto relay = MediaRelay::create(config);
    if (!relay) throw std::runtime_error(relay.error().message);
    relay_.emplace(std::move(relay).value());
    for (std::size_t i = 0; i < 2 * sockets_per_side; ++i)
      sockets_.push_back(open_socket());
    for (std::size_t call = 0; call < calls; ++call) {
      auto session = relay_->open();
      if (!session) throw std::runtime_error(session.error().message);
      for (const MediaSide side : {MediaSide::caller, MediaSide::callee}) {
        const std::size_t stream = streams_.size();
        const std::size_t socket = stream / batch_max % sockets_.size();
        streams_.push_back(
            Stream{local_of(sockets_[socket]), {}, socket, static_cast<std::uint16_t>(call), 0});
        Stream& added = streams_.back();
        const SocketAddress at{IpAddress::ipv4(127, 0, 0, 1), ntohs(added.from.sin_port)};
        if (!session->set_remote(side, at))
          throw std::runtime_error("the relay refused an address");
        added.to = added.from;
        added.to.sin_port = htons(session->local_rtp(side).port);
      }
      sessions_.push_back(std::move(session).value());
    }
  }
  ~Load() {
    for (const int fd : sockets_)
      ::close(fd);
  }
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;

  /// Sends at the full rate of all calls for `run_s`.
  void run(double run_s) {
    const std::int64_t began_ns = time_ns(CLOCK_MONOTONIC);
    const auto end_ns = began_ns + static_cast<std::int64_t>(run_s * 1e9);
    const auto rate_pps = static_cast<std::int64_t>(streams_.size()) * packets_per_s;
    const std::int64_t lag_max = rate_pps / 200;  // 5 ms
    std::int64_t sent = 0;
    std::int64_t forgiven = 0;
    for (std::int64_t now_ns = began_ns; now_ns < end_ns; now_ns = time_ns(CLOCK_MONOTONIC)) {
      const std::int64_t due = (now_ns - began_ns) / 1000 * rate_pps / 1'000'000 - forgiven;
      // After a time without the processor the load goes on at its rate; catching up would be
      // another load.
      if (due - sent > lag_max) forgiven += due - sent - lag_max;
      for (std::int64_t left = std::min(due - sent, lag_max); left > 0;) {
        const std::int64_t batch = send_batch(static_cast<std::size_t>(left));
        sent += batch;
        left -= batch;
      }
      receive();
      const timespec pause{0, pause_ns};
      ::nanosleep(&pause, nullptr);
    }
    sent_ += sent;
    sent_ns_ += time_ns(CLOCK_MONOTONIC) - began_ns;
    const timespec drain{0, 60'000'000};
    ::nanosleep(&drain, nullptr);
    receive();
  }

  void forget() {
    sent_ = received_ = sent_ns_ = 0;
    delays_ns_.clear();
  }
  [[nodiscard]] std::int64_t sent() const { return sent_; }
  [[nodiscard]] std::int64_t received() const { return received_; }
  [[nodiscard]] std::int64_t sent_per_s() const {
    return sent_ns_ == 0 ? 0 : sent_ * 1000 / (sent_ns_ / 1'000'000 + 1);
  }
  [[nodiscard]] double delay_us(double share) {
    if (delays_ns_.empty()) return 0;
    const auto at = static_cast<std::size_t>(share * static_cast<double>(delays_ns_.size() - 1));
    std::nth_element(delays_ns_.begin(), delays_ns_.begin() + static_cast<std::ptrdiff_t>(at),
                     delays_ns_.end());
    return static_cast<double>(delays_ns_[at]) / 1000;
  }
  MediaRelay& relay() { return *relay_; }

 private:
  struct Stream {
    sockaddr_in from, to;
    std::size_t socket;
    std::uint16_t sequence;
    std::uint32_t timestamp;
  };

  static int open_socket() {
    const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || ::bind(fd, reinterpret_cast<sockaddr*>(&any), sizeof any) != 0)
      throw std::runtime_error("no loopback socket");
    const int large = 8 << 20;
    if (::setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &large, sizeof large) != 0)
      ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &large, sizeof large);
    const int on = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    return fd;
  }
  static sockaddr_in local_of(int fd) {
    sockaddr_in local{};
    socklen_t length = sizeof local;
    ::getsockname(fd, reinterpret_cast<sockaddr*>(&local), &length);
    return local;
  }

  // The next streams in turn, as far as they use one socket.
  std::int64_t send_batch(std::size_t wanted) {
    mmsghdr messages[batch_max] = {};
    iovec parts[batch_max];
    static unsigned char packets[batch_max][rtp_bytes];
    std::size_t count = 0;
    const std::size_t socket = streams_[next_].socket;
    while (count < std::min(wanted, batch_max) && streams_[next_].socket == socket) {
      Stream& stream = streams_[next_];
      unsigned char* packet = packets[count];
      ++stream.sequence;
      stream.timestamp += 160;
      const std::uint16_t sequence = htons(stream.sequence);
      const std::uint32_t timestamp = htonl(stream.timestamp);
      const std::uint32_t ssrc = htonl(static_cast<std::uint32_t>(next_ + 1));
      packet[0] = 0x80;
      std::memcpy(packet + 2, &sequence, 2);
      std::memcpy(packet + 4, &timestamp, 4);
      std::memcpy(packet + 8, &ssrc, 4);
      const std::int64_t now_ns = time_ns(CLOCK_REALTIME);
      std::memcpy(packet + 12, &now_ns, 8);
      parts[count] = {packet, rtp_bytes};
      messages[count].msg_hdr.msg_name = &stream.to;
      messages[count].msg_hdr.msg_namelen = sizeof stream.to;
      messages[count].msg_hdr.msg_iov = &parts[count];
      messages[count].msg_hdr.msg_iovlen = 1;
      ++count;
      next_ = (next_ + 1) % streams_.size();
      if (next_ == 0) break;
    }
    (void)::sendmmsg(sockets_[socket], messages, static_cast<unsigned>(count),
                     0);  // what is refused shows as lost
    return static_cast<std::int64_t>(count);
  }

  void receive() {
    constexpr std::size_t messages_max = 64;
    static unsigned char bytes[messages_max][256];
    static char control[messages_max][64];
    for (const int fd : sockets_) {
      for (;;) {
        mmsghdr messages[messages_max] = {};
        iovec parts[messages_max];
        for (std::size_t i = 0; i < messages_max; ++i) {
          parts[i] = {bytes[i], sizeof bytes[i]};
          messages[i].msg_hdr.msg_iov = &parts[i];
          messages[i].msg_hdr.msg_iovlen = 1;
          messages[i].msg_hdr.msg_control = control[i];
          messages[i].msg_hdr.msg_controllen = sizeof control[i];
        }
        const int count = ::recvmmsg(fd, messages, messages_max, MSG_DONTWAIT, nullptr);
        for (int i = 0; i < count; ++i)
          take(messages[i].msg_hdr, bytes[i]);
        if (count < static_cast<int>(messages_max)) break;
      }
    }
  }
  void take(msghdr& message, const unsigned char* packet) {
    ++received_;
    for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
         part = CMSG_NXTHDR(&message, part)) {
      if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_TIMESTAMPNS) continue;
      timespec arrived{};
      std::memcpy(&arrived, CMSG_DATA(part), sizeof arrived);
      std::int64_t sent_ns = 0;
      std::memcpy(&sent_ns, packet + 12, 8);
      delays_ns_.push_back(arrived.tv_sec * 1'000'000'000LL + arrived.tv_nsec - sent_ns);
    }
  }

  std::optional<MediaRelay> relay_;
  std::vector<MediaSession> sessions_;
  std::vector<int> sockets_;
  std::vector<Stream> streams_;
  std::vector<std::int64_t> delays_ns_;
  std::size_t next_ = 0;
  std::int64_t sent_ = 0;
  std::int64_t sent_ns_ = 0;
  std::int64_t received_ = 0;
};

constexpr std::size_t load_calls = 500;
constexpr double warm_up_s = 0.5;

std::string load_detail(const Load& load, const std::string& more) {
  return "{\"calls\":" + std::to_string(load_calls) +
         ",\"packets_per_s\":" + std::to_string(load.sent_per_s()) +
         ",\"shards\":1,\"sent\":" + std::to_string(load.sent()) +
         ",\"received\":" + std::to_string(load.received()) + more + "}";
}

TANDEM_BENCH("media.portable_ns_per_packet", "ns") {
  Load load(load_calls);
  load.run(warm_up_s);
  load.forget();
  const std::uint64_t packets_before = load.relay().stats().packets_forwarded;
  const std::int64_t cpu_before_ns = shard_cpu_ns();
  load.run(seconds());
  const std::int64_t spent_ns = shard_cpu_ns() - cpu_before_ns;
  const std::uint64_t packets = load.relay().stats().packets_forwarded - packets_before;
  return Figure{
      static_cast<double>(spent_ns) / static_cast<double>(std::max<std::uint64_t>(packets, 1)),
      load_detail(load, "")};
}

TANDEM_BENCH("media.latency_p99_us", "us") {
  Load load(load_calls);
  load.run(warm_up_s);
  load.forget();
  load.run(seconds());
  const std::string median =
      ",\"p50_us\":" + std::to_string(static_cast<std::int64_t>(load.delay_us(0.5))) +
      ",\"p999_us\":" + std::to_string(static_cast<std::int64_t>(load.delay_us(0.999)));
  return Figure{load.delay_us(0.99), load_detail(load, median)};
}

TANDEM_BENCH("media.open_10k_pairs_ms", "ms") {
  raise_file_limit();
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  // Two files for a pair; what the limit leaves is opened in one go and scaled.
  const std::size_t pairs =
      std::min<std::size_t>(10'000, (files.rlim_cur - 200) / 2) & ~std::size_t{1};
  MediaConfig config;
  config.address = IpAddress::ipv4(127, 0, 0, 1);
  config.port_first = 1024;
  config.port_last = 65535;
  config.ready_pairs = static_cast<unsigned>(pairs);
  const std::int64_t bind_began_ns = time_ns(CLOCK_MONOTONIC);
  auto relay = MediaRelay::create(config);
  if (!relay) throw std::runtime_error(relay.error().message);
  const std::int64_t bind_ns = time_ns(CLOCK_MONOTONIC) - bind_began_ns;
  std::vector<MediaSession> sessions;
  sessions.reserve(pairs / 2);
  const std::int64_t began_ns = time_ns(CLOCK_THREAD_CPUTIME_ID);
  while (sessions.size() < pairs / 2) {
    auto session = relay->open();
    if (!session) break;
    sessions.push_back(std::move(session).value());
  }
  const std::int64_t open_ns = time_ns(CLOCK_THREAD_CPUTIME_ID) - began_ns;
  const std::size_t opened = std::max<std::size_t>(2 * sessions.size(), 1);
  return Figure{static_cast<double>(open_ns) / 1e6 * 10'000 / static_cast<double>(opened),
                "{\"pairs\":" + std::to_string(opened) +
                    ",\"bound_ahead_ms\":" + std::to_string(bind_ns / 1'000'000) + "}"};
}

}  // namespace
}  // namespace tandem::bench
