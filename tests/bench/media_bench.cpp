// What the relay's threads spend on a packet, how long it stays in the relay, what opening ports
// costs. The load comes from this thread over loopback; only the relay's own threads are counted.
// rtpengine, where it is installed, gets the same load in the same run.
#include <netinet/in.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bench.hpp"
#include "media/backend.hpp"
#include "media/fast/fast.hpp"
#include "rtpengine.hpp"
#include "support/bpf_folder.hpp"
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

constexpr std::uint16_t port_first = 10000;
constexpr std::uint16_t port_last = 19999;
constexpr std::uint16_t peer_port_first = 20000;
constexpr std::uint16_t peer_port_last = 32767;

/// One way to carry packets.
struct Kind {
  const char* name;
  std::optional<std::string> (*why_not)();
  Result<std::shared_ptr<media::RelayCore>> (*start)(const MediaConfig& config);
};
constexpr Kind portable = {"portable", [] { return std::optional<std::string>(); },
                           media::start_portable};
constexpr Kind fast_kinds[] = {
    {"fast by io_uring", media::why_not_uring,
     [](const MediaConfig& config) { return media::start_uring(config); }},
    {"fast by sk_lookup", media::why_not_steered, media::start_steered},
};

/// Keeps the relays on one processor and the load on another, so that neither moves the other
/// about. Threads and processes inherit the processor of the thread that starts them. With one
/// processor only it does nothing.
class Processors {
 public:
  Processors() {
    ::sched_getaffinity(0, sizeof before_, &before_);
    for (int i = 0; i < CPU_SETSIZE && found_ < 2; ++i) {
      if (CPU_ISSET(i, &before_)) number_[found_++] = i;
    }
    move_to(0);
  }
  ~Processors() { ::sched_setaffinity(0, sizeof before_, &before_); }
  Processors(const Processors&) = delete;
  Processors& operator=(const Processors&) = delete;

  /// From here on this thread makes load; relays are started before.
  void begin_load() const { move_to(1); }

 private:
  void move_to(std::size_t of_found) const {
    if (found_ < 2) return;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(static_cast<std::size_t>(number_[of_found]), &one);
    ::sched_setaffinity(0, sizeof one, &one);
  }

  cpu_set_t before_;
  int number_[2] = {0, 0};
  int found_ = 0;
};

/// A relay as the load sees it.
class RelayUnderLoad {
 public:
  virtual ~RelayUnderLoad() = default;

  struct Ports {
    std::uint16_t caller = 0, callee = 0;  ///< Where each side has to send to.
  };
  /// A call between two loopback ports. Throws when it is refused.
  virtual Ports open(std::uint16_t caller_port, std::uint16_t callee_port) = 0;
  /// What its threads have spent.
  [[nodiscard]] virtual std::int64_t cpu_ns() const = 0;
};

class OwnRelay final : public RelayUnderLoad {
 public:
  OwnRelay(const Kind& kind, std::size_t calls) {
    raise_file_limit();
    MediaConfig config;
    config.address = IpAddress::ipv4(127, 0, 0, 1);
    config.port_first = port_first;
    config.port_last = port_last;
    config.ready_pairs = static_cast<unsigned>(2 * calls);
    auto core = kind.start(config);
    if (!core) throw std::runtime_error(core.error().message);
    relay_.emplace(std::move(core).value());
  }

  Ports open(std::uint16_t caller_port, std::uint16_t callee_port) override {
    auto session = relay_->open();
    if (!session) throw std::runtime_error(session.error().message);
    const IpAddress loopback = IpAddress::ipv4(127, 0, 0, 1);
    if (!session->set_remote(MediaSide::caller, {loopback, caller_port}) ||
        !session->set_remote(MediaSide::callee, {loopback, callee_port}))
      throw std::runtime_error("the relay refused an address");
    sessions_.push_back(std::move(session).value());
    return {sessions_.back().local_rtp(MediaSide::caller).port,
            sessions_.back().local_rtp(MediaSide::callee).port};
  }
  [[nodiscard]] std::int64_t cpu_ns() const override {
    return scheduled_ns(::getpid(), "tandem-media");
  }

 private:
  std::optional<MediaRelay> relay_;
  std::vector<MediaSession> sessions_;
};

class PeerRelay final : public RelayUnderLoad {
 public:
  explicit PeerRelay(Rtpengine& rtpengine) : rtpengine_(rtpengine) {}

  Ports open(std::uint16_t caller_port, std::uint16_t callee_port) override {
    const Rtpengine::Ports ports = rtpengine_.open(caller_port, callee_port);
    if (ports.caller == 0 || ports.callee == 0)
      throw std::runtime_error("rtpengine refused a call");
    return {ports.caller, ports.callee};
  }
  [[nodiscard]] std::int64_t cpu_ns() const override { return rtpengine_.cpu_ns(); }

 private:
  Rtpengine& rtpengine_;
};

class Load {
 public:
  Load(RelayUnderLoad& relay, std::size_t calls) : relay_(relay) {
    for (std::size_t i = 0; i < 2 * sockets_per_side; ++i)
      sockets_.push_back(open_socket());
    for (std::size_t call = 0; call < calls; ++call) {
      const auto sequence = static_cast<std::uint16_t>(call);
      const std::size_t socket[2] = {socket_of(2 * call), socket_of(2 * call + 1)};
      const sockaddr_in from[2] = {local_of(sockets_[socket[0]]), local_of(sockets_[socket[1]])};
      const RelayUnderLoad::Ports ports =
          relay.open(ntohs(from[0].sin_port), ntohs(from[1].sin_port));
      for (const int side : {0, 1}) {
        sockaddr_in to = from[side];
        to.sin_port = htons(side == 0 ? ports.caller : ports.callee);
        streams_.push_back(Stream{to, socket[side], sequence, 0});
      }
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
  [[nodiscard]] std::int64_t relay_cpu_ns() const { return relay_.cpu_ns(); }

 private:
  struct Stream {
    sockaddr_in to;
    std::size_t socket;
    std::uint16_t sequence;
    std::uint32_t timestamp;
  };

  [[nodiscard]] std::size_t socket_of(std::size_t stream) const {
    return stream / batch_max % sockets_.size();
  }
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

  RelayUnderLoad& relay_;
  std::vector<int> sockets_;
  std::vector<Stream> streams_;
  std::vector<std::int64_t> delays_ns_;
  std::size_t next_ = 0;
  std::int64_t sent_ = 0;
  std::int64_t sent_ns_ = 0;
  std::int64_t received_ = 0;
};

constexpr std::size_t load_calls = 500;
constexpr double warm_up_s = 1.5;  // streams that last have their second socket by then

constexpr int rounds = 3;

/// One stretch of load, and what it showed of the relay.
struct Round {
  double ns_per_packet = 0, p50_us = 0, p99_us = 0, p999_us = 0;
  std::int64_t packets_per_s = 0, sent = 0, received = 0;
};

Round measure(Load& load) {
  load.forget();
  const std::int64_t cpu_before_ns = load.relay_cpu_ns();
  load.run(seconds());
  const std::int64_t spent_ns = load.relay_cpu_ns() - cpu_before_ns;
  Round round;
  round.packets_per_s = load.sent_per_s();
  round.sent = load.sent();
  round.received = load.received();
  round.ns_per_packet = static_cast<double>(spent_ns) /
                        static_cast<double>(std::max<std::int64_t>(1, round.received));
  round.p50_us = load.delay_us(0.5);
  round.p99_us = load.delay_us(0.99);
  round.p999_us = load.delay_us(0.999);
  return round;
}

std::string to_json(const Round& round) {
  char text[256];
  std::snprintf(
      text, sizeof text,
      "{\"ns\":%.0f,\"packets_per_s\":%lld,\"sent\":%lld,\"received\":%lld,\"p50_us\":%.0f,"
      "\"p99_us\":%.0f,\"p999_us\":%.0f}",
      round.ns_per_packet, static_cast<long long>(round.packets_per_s),
      static_cast<long long>(round.sent), static_cast<long long>(round.received), round.p50_us,
      round.p99_us, round.p999_us);
  return text;
}

using Rounds = std::array<Round, rounds>;

std::string to_json(const Rounds& measured) {
  std::string out = "[";
  for (const Round& round : measured) {
    if (out.size() > 1) out += ',';
    out += to_json(round);
  }
  return out + "]";
}

double median_ns(Rounds measured) {
  std::sort(measured.begin(), measured.end(),
            [](const Round& a, const Round& b) { return a.ns_per_packet < b.ns_per_packet; });
  return measured[rounds / 2].ns_per_packet;
}

// The rounds of the two relays take turns, so that what else the machine does meets both.
TANDEM_BENCH("media.portable_ns_per_packet", "ns") {
  raise_file_limit();
  const Processors processors;
  const std::unique_ptr<Rtpengine> rtpengine = Rtpengine::start(peer_port_first, peer_port_last);
  OwnRelay own(portable, load_calls);
  processors.begin_load();
  std::optional<PeerRelay> peer;
  std::optional<Load> peer_load;
  if (rtpengine != nullptr) {
    peer.emplace(*rtpengine);
    peer_load.emplace(*peer, load_calls);
    peer_load->run(warm_up_s);
  }
  Load own_load(own, load_calls);
  own_load.run(warm_up_s);
  Rounds ours, theirs;
  for (std::size_t i = 0; i < rounds; ++i) {
    ours[i] = measure(own_load);
    if (peer_load) theirs[i] = measure(*peer_load);
  }
  std::string detail =
      "{\"calls\":" + std::to_string(load_calls) + ",\"shards\":1,\"rounds\":" + to_json(ours);
  if (peer_load) {
    char text[128];
    std::snprintf(text, sizeof text,
                  ",\"peer\":{\"name\":\"rtpengine user space\",\"ns\":%.0f},\"ratio\":%.3f",
                  median_ns(theirs), median_ns(ours) / median_ns(theirs));
    detail += text + (",\"peer_rounds\":" + to_json(theirs));
  } else {
    detail += ",\"peer\":null,\"peer_missing\":\"rtpengine is not installed\"";
  }
  return Figure{median_ns(ours), detail + "}"};
}

// Every kind takes turns with rtpengine under the same load; the value is that of the fast backend,
// which is the last kind that can be used.
Figure compare_kinds(std::size_t calls) {
  raise_file_limit();
  const Processors processors;
  const std::unique_ptr<Rtpengine> rtpengine = Rtpengine::start(peer_port_first, peer_port_last);
  std::optional<PeerRelay> peer;
  std::optional<Load> peer_load;
  double fast_ns = 0;
  std::string of_kinds;
  std::vector<Kind> kinds = {portable};
  kinds.insert(kinds.end(), std::begin(fast_kinds), std::end(fast_kinds));
  cpu_set_t all;
  ::sched_getaffinity(0, sizeof all, &all);
  for (const Kind& kind : kinds) {
    of_kinds += (of_kinds.empty() ? "{\"" : ",\"") + std::string(kind.name) + "\":";
    if (const std::optional<std::string> why_not = kind.why_not()) {
      of_kinds += "{\"not_run\":\"" + *why_not + "\"}";
      continue;
    }
    ::sched_setaffinity(0, sizeof all, &all);  // where relays are started
    OwnRelay relay(kind, calls);
    processors.begin_load();
    if (rtpengine != nullptr && !peer_load) {
      peer.emplace(*rtpengine);
      peer_load.emplace(*peer, calls);
      peer_load->run(warm_up_s);
    }
    Load load(relay, calls);
    load.run(warm_up_s);
    Rounds ours, theirs;
    for (std::size_t i = 0; i < rounds; ++i) {
      ours[i] = measure(load);
      if (peer_load) theirs[i] = measure(*peer_load);
    }
    char text[96];
    std::snprintf(text, sizeof text, "{\"ns\":%.0f,\"rounds\":", median_ns(ours));
    of_kinds += text + to_json(ours);
    if (peer_load) {
      std::snprintf(text, sizeof text, ",\"peer_ns\":%.0f,\"ratio\":%.3f", median_ns(theirs),
                    median_ns(ours) / median_ns(theirs));
      of_kinds += text;
    }
    of_kinds += "}";
    if (kind.name != portable.name) fast_ns = median_ns(ours);
  }
  if (fast_ns == 0) return Figure::skipped("no kind of the fast backend can be used here");
  return Figure{fast_ns,
                "{\"calls\":" + std::to_string(calls) + ",\"shards\":1,\"kinds\":" + of_kinds +
                    "},\"peer\":" + (peer_load ? "{\"name\":\"rtpengine user space\"}}" : "null}")};
}

TANDEM_BENCH("media.fast_ns_per_packet", "ns") { return compare_kinds(load_calls); }
TANDEM_BENCH("media.fast_ns_per_packet_1500_calls", "ns") { return compare_kinds(1500); }

// A packet also waits while other programs have the processors, of the load and of the relay; the
// best round is the one in which they had least.
TANDEM_BENCH("media.latency_p99_us", "us") {
  const Processors processors;
  OwnRelay relay(portable, load_calls);
  processors.begin_load();
  Load load(relay, load_calls);
  load.run(warm_up_s);
  Rounds measured;
  for (Round& round : measured)
    round = measure(load);
  const Round& best =
      *std::min_element(measured.begin(), measured.end(),
                        [](const Round& a, const Round& b) { return a.p99_us < b.p99_us; });
  return Figure{best.p99_us, "{\"calls\":" + std::to_string(load_calls) +
                                 ",\"shards\":1,\"rounds\":" + to_json(measured) + "}"};
}

/// Opens and closes pairs that were made ready.
Figure open_pairs(const Kind& kind, bool needs_files) {
  if (const std::optional<std::string> why_not = kind.why_not()) return Figure::skipped(*why_not);
  raise_file_limit();
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  // Two files for a pair; what the limit leaves is opened in one go and scaled.
  const std::size_t pairs = (needs_files ? std::min<std::size_t>(10'000, (files.rlim_cur - 200) / 2)
                                         : std::size_t{10'000}) &
                            ~std::size_t{1};
  MediaConfig config;
  config.address = IpAddress::ipv4(127, 0, 0, 1);
  config.port_first = 1024;
  config.port_last = 65535;
  config.ready_pairs = static_cast<unsigned>(pairs);
  const std::int64_t bind_began_ns = time_ns(CLOCK_MONOTONIC);
  auto core = kind.start(config);
  if (!core) throw std::runtime_error(core.error().message);
  MediaRelay relay(std::move(core).value());
  const std::int64_t bind_ns = time_ns(CLOCK_MONOTONIC) - bind_began_ns;
  std::vector<MediaSession> sessions;
  sessions.reserve(pairs / 2);
  const std::int64_t began_ns = time_ns(CLOCK_THREAD_CPUTIME_ID);
  while (sessions.size() < pairs / 2) {
    auto session = relay.open();
    if (!session) break;
    sessions.push_back(std::move(session).value());
  }
  const std::int64_t open_ns = time_ns(CLOCK_THREAD_CPUTIME_ID) - began_ns;
  const std::size_t opened = std::max<std::size_t>(2 * sessions.size(), 1);
  const std::int64_t close_began_ns = time_ns(CLOCK_THREAD_CPUTIME_ID);
  sessions.clear();
  const std::int64_t close_ns = time_ns(CLOCK_THREAD_CPUTIME_ID) - close_began_ns;
  return Figure{static_cast<double>(open_ns) / 1e6 * 10'000 / static_cast<double>(opened),
                "{\"kind\":\"" + std::string(kind.name) + "\",\"pairs\":" + std::to_string(opened) +
                    ",\"close_us\":" + std::to_string(close_ns / 1000) +
                    ",\"bound_ahead_ms\":" + std::to_string(bind_ns / 1'000'000) + "}"};
}

TANDEM_BENCH("media.open_10k_pairs_ms", "ms") { return open_pairs(portable, true); }
TANDEM_BENCH("media.fast_open_10k_pairs_ms", "ms") { return open_pairs(fast_kinds[1], false); }

MediaConfig with_loopback(MediaConfig config) {
  config.kernel.interfaces = {"lo"};
  config.kernel.attach = MediaAttach::tc;
  config.kernel.folder = "/sys/fs/bpf/tandem-bench-" + std::to_string(::getpid());
  return config;
}
constexpr Kind kernel = {
    "kernel", [] { return media::why_no_kernel(with_loopback({})); },
    [](const MediaConfig& config) { return media::start_kernel(with_loopback(config)); }};

// On a thread in a network of its own, whose loopback gets the program.
TANDEM_BENCH("media.kernel_open_10k_pairs_ms", "ms") {
  std::optional<Figure> figure;
  std::thread([&figure] {
    try {
      test::have_bpf_file_system();
      figure = ::unshare(CLONE_NEWNET) == 0 && std::system("ip link set lo up 2>/dev/null") == 0
                   ? open_pairs(kernel, true)
                   : Figure::skipped("needs network namespaces and ip");
    } catch (const std::exception& refused) {
      figure = Figure::skipped(refused.what());
    }
  }).join();
  return *figure;
}

std::int64_t kernel_memory_kb() {
  std::FILE* const file = std::fopen("/proc/meminfo", "r");
  if (file == nullptr) return 0;
  char line[128];
  std::int64_t sum = 0;
  while (std::fgets(line, sizeof line, file) != nullptr) {
    long long kb = 0;
    if (std::sscanf(line, "Slab: %lld", &kb) == 1 || std::sscanf(line, "Percpu: %lld", &kb) == 1)
      sum += kb;
  }
  std::fclose(file);
  return sum;
}
std::int64_t own_memory_kb() {
  std::FILE* const file = std::fopen("/proc/self/statm", "r");
  if (file == nullptr) return 0;
  long long all = 0, resident = 0;
  if (std::fscanf(file, "%lld %lld", &all, &resident) != 2) resident = 0;
  std::fclose(file);
  return resident * ::sysconf(_SC_PAGESIZE) / 1024;
}

// Ports that are ready, of the process and, as near as the whole machine tells, of the kernel.
Figure memory_per_call(const Kind& kind) {
  constexpr std::size_t calls = 2000;
  if (const std::optional<std::string> why_not = kind.why_not()) return Figure::skipped(*why_not);
  const std::int64_t kernel_kb = kernel_memory_kb();
  const std::int64_t own_kb = own_memory_kb();
  OwnRelay relay(kind, calls);
  for (std::size_t i = 0; i < calls; ++i)
    (void)relay.open(9, 9);
  const std::int64_t kernel_bytes = (kernel_memory_kb() - kernel_kb) * 1024;
  const std::int64_t own_bytes = (own_memory_kb() - own_kb) * 1024;
  return Figure{static_cast<double>(kernel_bytes + own_bytes) / calls,
                "{\"kind\":\"" + std::string(kind.name) + "\",\"calls\":" + std::to_string(calls) +
                    ",\"process\":" + std::to_string(own_bytes / calls) +
                    ",\"kernel\":" + std::to_string(kernel_bytes / calls) + "}"};
}

TANDEM_BENCH("media.portable_bytes_per_call", "B") { return memory_per_call(portable); }
TANDEM_BENCH("media.fast_uring_bytes_per_call", "B") { return memory_per_call(fast_kinds[0]); }
TANDEM_BENCH("media.fast_bytes_per_call", "B") { return memory_per_call(fast_kinds[1]); }

}  // namespace
}  // namespace tandem::bench
