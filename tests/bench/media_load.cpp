#include "media_load.hpp"

#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "media/backend.hpp"
#include "media/fast/fast.hpp"

namespace tandem::bench {
namespace {

constexpr std::size_t rtp_bytes = 172;      // G.711, 20 ms
constexpr std::int64_t packets_per_s = 50;  // of one direction
constexpr std::size_t sockets_per_side = 8;
constexpr std::size_t batch_max = 32;
constexpr long pause_ns = 50'000;  // what a network card's interrupt moderation does

int open_socket(const IpAddress& address) {
  const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in any{};
  any.sin_family = AF_INET;
  std::memcpy(&any.sin_addr, address.bytes.data(), sizeof any.sin_addr);
  if (fd < 0 || ::bind(fd, reinterpret_cast<sockaddr*>(&any), sizeof any) != 0)
    throw std::runtime_error("no socket at " + address.to_string());
  const int large = 8 << 20;
  if (::setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &large, sizeof large) != 0)
    ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &large, sizeof large);
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
  return fd;
}
sockaddr_in local_of(int fd) {
  sockaddr_in local{};
  socklen_t length = sizeof local;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&local), &length);
  return local;
}

}  // namespace

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

const Kind portable = {"portable", [] { return std::optional<std::string>(); },
                       media::start_portable};
const Kind fast_by_uring = {"fast by io_uring", media::why_not_uring,
                            [](const MediaConfig& config) { return media::start_uring(config); }};
const Kind fast_by_sk_lookup = {"fast by sk_lookup", media::why_not_steered, media::start_steered};

Place::Place() : relay_ip_(IpAddress::ipv4(127, 0, 0, 1)), load_ip_(IpAddress::ipv4(127, 0, 0, 1)) {
  ::sched_getaffinity(0, sizeof before_, &before_);
  for (int i = 0; i < CPU_SETSIZE && found_ < 2; ++i) {
    if (CPU_ISSET(i, &before_)) number_[found_++] = i;
  }
  go_to_relays();
}

Place::Place(const test::NetworkPair& pair, const char* relay_ip, const char* load_ip) : Place() {
  pair_ = &pair;
  relay_ip_ = *IpAddress::parse(relay_ip);
  load_ip_ = *IpAddress::parse(load_ip);
  go_to_relays();
}

Place::~Place() {
  go_to_relays();
  ::sched_setaffinity(0, sizeof before_, &before_);
}

void Place::go_to_relays() const {
  move_to(0);
  if (pair_ != nullptr) pair_->go_near();
}

void Place::go_to_load() const {
  move_to(1);
  if (pair_ != nullptr) pair_->go_far();
}

void Place::move_to(std::size_t of_found) const {
  if (found_ < 2) return;
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(static_cast<std::size_t>(number_[of_found]), &one);
  ::sched_setaffinity(0, sizeof one, &one);
}

OwnRelay::OwnRelay(const Place& place, const Kind& kind, std::size_t calls)
    : load_ip_(place.load_ip()) {
  raise_file_limit();
  MediaConfig config;
  config.address = place.relay_ip();
  config.port_first = port_first;
  config.port_last = port_last;
  config.ready_pairs = static_cast<unsigned>(2 * calls);
  auto core = kind.start(config);
  if (!core) throw std::runtime_error(core.error().message);
  relay_.emplace(std::move(core).value());
}

RelayUnderLoad::Ports OwnRelay::open(std::uint16_t caller_port, std::uint16_t callee_port) {
  auto session = relay_->open();
  if (!session) throw std::runtime_error(session.error().message);
  if (!session->set_remote(MediaSide::caller, {load_ip_, caller_port}) ||
      !session->set_remote(MediaSide::callee, {load_ip_, callee_port}))
    throw std::runtime_error("the relay refused an address");
  sessions_.push_back(std::move(session).value());
  return {sessions_.back().local_rtp(MediaSide::caller).port,
          sessions_.back().local_rtp(MediaSide::callee).port};
}

std::int64_t OwnRelay::cpu_ns() const { return scheduled_ns(::getpid(), "tandem-media"); }

RelayUnderLoad::Ports PeerRelay::open(std::uint16_t caller_port, std::uint16_t callee_port) {
  const Rtpengine::Ports ports = rtpengine_.open(caller_port, callee_port);
  if (ports.caller == 0 || ports.callee == 0) throw std::runtime_error("rtpengine refused a call");
  return {ports.caller, ports.callee};
}

Load::Load(const Place& place, RelayUnderLoad& relay, std::size_t calls) : relay_(relay) {
  for (std::size_t i = 0; i < 2 * sockets_per_side; ++i)
    sockets_.push_back(open_socket(place.load_ip()));
  for (std::size_t call = 0; call < calls; ++call) {
    const auto sequence = static_cast<std::uint16_t>(call);
    const std::size_t socket[2] = {socket_of(2 * call), socket_of(2 * call + 1)};
    const sockaddr_in from[2] = {local_of(sockets_[socket[0]]), local_of(sockets_[socket[1]])};
    const RelayUnderLoad::Ports ports =
        relay.open(ntohs(from[0].sin_port), ntohs(from[1].sin_port));
    for (const int side : {0, 1}) {
      sockaddr_in to = from[side];
      std::memcpy(&to.sin_addr, place.relay_ip().bytes.data(), sizeof to.sin_addr);
      to.sin_port = htons(side == 0 ? ports.caller : ports.callee);
      streams_.push_back(Stream{to, socket[side], sequence, 0});
    }
  }
}

Load::~Load() {
  for (const int fd : sockets_)
    ::close(fd);
}

void Load::run(double run_s) {
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

void Load::forget() {
  sent_ = received_ = sent_ns_ = 0;
  delays_ns_.clear();
}

std::int64_t Load::sent_per_s() const {
  return sent_ns_ == 0 ? 0 : sent_ * 1000 / (sent_ns_ / 1'000'000 + 1);
}

double Load::delay_us(double share) {
  if (delays_ns_.empty()) return 0;
  const auto at = static_cast<std::size_t>(share * static_cast<double>(delays_ns_.size() - 1));
  std::nth_element(delays_ns_.begin(), delays_ns_.begin() + static_cast<std::ptrdiff_t>(at),
                   delays_ns_.end());
  return static_cast<double>(delays_ns_[at]) / 1000;
}

std::size_t Load::socket_of(std::size_t stream) const {
  return stream / batch_max % sockets_.size();
}

// The next streams in turn, as far as they use one socket.
std::int64_t Load::send_batch(std::size_t wanted) {
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

void Load::receive() {
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

void Load::take(msghdr& message, const unsigned char* packet) {
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

Round measure(Load& load) {
  load.forget();
  const std::int64_t cpu_before_ns = load.relay_cpu_ns(), load_before_ns = thread_cpu_ns();
  load.run(seconds());
  const std::int64_t spent_ns = load.relay_cpu_ns() - cpu_before_ns;
  const std::int64_t load_ns = thread_cpu_ns() - load_before_ns;
  Round round;
  round.packets_per_s = load.sent_per_s();
  round.sent = load.sent();
  round.received = load.received();
  const auto packets = static_cast<double>(std::max<std::int64_t>(1, round.received));
  round.ns_per_packet = static_cast<double>(spent_ns) / packets;
  round.load_ns_per_packet = static_cast<double>(load_ns) / packets;
  round.p50_us = load.delay_us(0.5);
  round.p99_us = load.delay_us(0.99);
  round.p999_us = load.delay_us(0.999);
  return round;
}

std::string to_json(const Round& round) {
  char text[256];
  std::snprintf(text, sizeof text,
                "{\"ns\":%.0f,\"load_ns\":%.0f,\"packets_per_s\":%lld,\"sent\":%lld,\"received\":%"
                "lld,\"p50_us\":%.0f,"
                "\"p99_us\":%.0f,\"p999_us\":%.0f}",
                round.ns_per_packet, round.load_ns_per_packet,
                static_cast<long long>(round.packets_per_s), static_cast<long long>(round.sent),
                static_cast<long long>(round.received), round.p50_us, round.p99_us, round.p999_us);
  return text;
}

std::string to_json(const Rounds& measured) {
  std::string out = "[";
  for (const Round& round : measured) {
    if (out.size() > 1) out += ',';
    out += to_json(round);
  }
  return out + "]";
}

namespace {

template <class Of>
double median(Rounds measured, Of&& of) {
  std::sort(measured.begin(), measured.end(),
            [&](const Round& a, const Round& b) { return of(a) < of(b); });
  return of(measured[rounds / 2]);
}

}  // namespace

double median_ns(Rounds measured) {
  return median(measured, [](const Round& round) { return round.ns_per_packet; });
}

double median_all_ns(Rounds measured) {
  return median(measured,
                [](const Round& round) { return round.ns_per_packet + round.load_ns_per_packet; });
}

const Compared::Row* Compared::find(std::string_view name) const {
  for (const Row& row : rows) {
    if (row.name == name && row.not_run.empty()) return &row;
  }
  return nullptr;
}

std::string Compared::to_json() const {
  std::string out;
  for (const Row& row : rows) {
    out += (out.empty() ? "{\"" : ",\"") + row.name + "\":";
    if (!row.not_run.empty()) {
      out += "{\"not_run\":\"" + row.not_run + "\"}";
      continue;
    }
    char text[128];
    std::snprintf(text, sizeof text,
                  "{\"ns\":%.0f,\"with_load_ns\":%.0f,\"rounds\":", median_ns(row.ours),
                  median_all_ns(row.ours));
    out += text + bench::to_json(row.ours);
    if (has_peer) {
      std::snprintf(text, sizeof text, ",\"peer_ns\":%.0f,\"ratio\":%.3f", median_ns(row.theirs),
                    median_ns(row.ours) / median_ns(row.theirs));
      out += text;
    }
    out += "}";
  }
  return out + "}";
}

Compared compare(const Place& place, std::span<const Kind> kinds, std::size_t calls) {
  raise_file_limit();
  Compared compared;
  const std::unique_ptr<Rtpengine> rtpengine = Rtpengine::start(
      place.relay_ip().to_string(), place.load_ip().to_string(), peer_port_first, peer_port_last);
  compared.has_peer = rtpengine != nullptr;
  std::optional<PeerRelay> peer;
  std::optional<Load> peer_load;
  if (rtpengine != nullptr) {
    place.go_to_load();
    peer.emplace(*rtpengine);
    peer_load.emplace(place, *peer, calls);
    peer_load->run(warm_up_s);
  }
  for (const Kind& kind : kinds) {
    Compared::Row& row = compared.rows.emplace_back();
    row.name = kind.name;
    place.go_to_relays();
    if (const std::optional<std::string> why_not = kind.why_not()) {
      row.not_run = *why_not;
      continue;
    }
    OwnRelay relay(place, kind, calls);
    place.go_to_load();
    Load load(place, relay, calls);
    load.run(warm_up_s);
    for (std::size_t i = 0; i < rounds; ++i) {
      row.ours[i] = measure(load);
      if (peer_load) row.theirs[i] = measure(*peer_load);
    }
  }
  place.go_to_relays();
  return compared;
}

}  // namespace tandem::bench
