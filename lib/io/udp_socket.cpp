#include "io/udp_socket.hpp"

#include <linux/errqueue.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace tandem::io {
namespace {

constexpr std::size_t payload_bytes_max = 65'507;  // of UDP over IPv4
constexpr int batches_per_turn_max = 4;  // one flooded socket leaves the others their turn
constexpr int errors_per_turn_max = 64;

void set_buffer(int fd, int forced_option, int plain_option, int bytes) noexcept {
  if (bytes <= 0) return;
  // The first needs CAP_NET_ADMIN and passes net.core.rmem_max; the second takes what that allows.
  if (::setsockopt(fd, SOL_SOCKET, forced_option, &bytes, sizeof bytes) != 0) {
    (void)::setsockopt(fd, SOL_SOCKET, plain_option, &bytes, sizeof bytes);
  }
}

bool is_unreachable(int error_number) noexcept {
  return error_number == ECONNREFUSED || error_number == EHOSTUNREACH ||
         error_number == ENETUNREACH || error_number == EHOSTDOWN || error_number == ENOPROTOOPT;
}

}  // namespace

Result<std::unique_ptr<DatagramSocket>> UdpSocket::open(SystemLoop& loop,
                                                        const SocketAddress& local,
                                                        const DatagramOptions& options,
                                                        DatagramHandler& handler) {
  auto opened = open_socket(local, SOCK_DGRAM);
  if (!opened) return std::move(opened).error();
  Fd fd = std::move(opened).value();
  const int on = 1;
  if (options.reuse_port && ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0) {
    return socket_error("could not share UDP address", local, errno);
  }
  set_buffer(fd.get(), SO_RCVBUFFORCE, SO_RCVBUF, options.receive_buffer_bytes);
  set_buffer(fd.get(), SO_SNDBUFFORCE, SO_SNDBUF, options.send_buffer_bytes);
  const bool is_ipv6 = local.ip.is_ipv6();
  if (options.tos != 0) set_tos(fd.get(), is_ipv6, options.tos);
  // Without this an unconnected socket hears of no ICMP error; with it the error says which
  // destination.
  if (is_ipv6) {
    (void)::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof on);
  } else {
    (void)::setsockopt(fd.get(), IPPROTO_IP, IP_RECVERR, &on, sizeof on);
  }
  SystemAddress address;
  const socklen_t length = to_system(local, address);
  if (::bind(fd.get(), &address.any, length) != 0) return bind_error("UDP", local, errno);

  const int number = fd.get();
  const std::size_t bytes_max =
      std::clamp<std::size_t>(options.datagram_bytes_max, 1, std::size_t{65'535});
  std::unique_ptr<UdpSocket> socket(
      new UdpSocket(loop, std::move(fd), local_address(number), bytes_max, handler));
  if (auto watched = loop.watch(number, *socket, EPOLLIN); !watched) {
    return std::move(watched).error();
  }
  return std::unique_ptr<DatagramSocket>(std::move(socket));
}

UdpSocket::~UdpSocket() {
  loop_.flush();
  loop_.forget(*this);
  loop_.unwatch(fd_.get(), *this);
}

void UdpSocket::send(const SocketAddress& to, std::string_view bytes) {
  if (bytes.size() > payload_bytes_max || to.ip.family != local_.ip.family) return drop(1);
  loop_.queue_datagram(*this, to, bytes);
}

void UdpSocket::drop(std::uint64_t count) noexcept {
  send_drops_ += count;
  loop_.counted().datagrams_refused += count;
}

void UdpSocket::send_batch(mmsghdr* headers, unsigned count) noexcept {
  // An ICMP error of an earlier datagram fails the next call, whomever that one is for. So the
  // first failure is taken for such and the datagram tried again; the second is its own.
  bool is_second_try = false;
  for (unsigned sent = 0; sent < count;) {
    const int result =
        ::sendmmsg(fd_.get(), headers + sent, count - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (result > 0) {
      sent += static_cast<unsigned>(result);
      loop_.counted().datagrams_sent += static_cast<unsigned>(result);
      is_second_try = false;
      continue;
    }
    const int error_number = errno;
    if (error_number == EINTR) continue;
    if (error_number == EAGAIN) return drop(count - sent);  // the socket's buffer is full
    if (!is_second_try) {
      is_second_try = true;
      continue;
    }
    drop(1);
    if (is_unreachable(error_number)) {
      loop_.note_unreachable(
          *this, from_system(*static_cast<const SystemAddress*>(headers[sent].msg_hdr.msg_name)));
    }
    ++sent;
    is_second_try = false;
  }
}

void UdpSocket::report_unreachable(const SocketAddress& to) noexcept {
  ++loop_.counted().unreachable;
  loop_.guarded([&] { handler_.on_unreachable(to); });
}

void UdpSocket::on_ready(std::uint32_t epoll_events) {
  Guard guard(*this);
  if ((epoll_events & EPOLLERR) != 0) read_errors();
  if (guard.is_gone() || (epoll_events & EPOLLIN) == 0) return;
  receive();
}

void UdpSocket::receive() {
  Guard guard(*this);
  ReceiveBatch& batch = loop_.receive_batch();
  for (int turn = 0; turn < batches_per_turn_max; ++turn) {
    batch.prepare(datagram_bytes_max_);
    const int count = batch.receive(fd_.get());
    if (count <= 0) {
      // A pending ICMP error ends the call in place of datagrams; EPOLLERR brings its details.
      if (count < 0 && is_unreachable(errno)) continue;
      return;
    }
    loop_.counted().datagrams_received += static_cast<unsigned>(count);
    for (int i = 0; i < count; ++i) {
      loop_.guarded([&] { handler_.on_datagram(batch.from(i), batch.bytes(i)); });
      if (guard.is_gone()) return;
    }
    if (count < static_cast<int>(ReceiveBatch::datagrams_max)) return;
  }
}

void UdpSocket::read_errors() {
  Guard guard(*this);
  for (int i = 0; i < errors_per_turn_max; ++i) {
    SystemAddress destination{};
    alignas(cmsghdr) char control[512];
    char payload[1];  // of the datagram that failed; not needed
    iovec vector{payload, sizeof payload};
    msghdr header{};
    header.msg_name = &destination;
    header.msg_namelen = sizeof destination;
    header.msg_iov = &vector;
    header.msg_iovlen = 1;
    header.msg_control = control;
    header.msg_controllen = sizeof control;
    if (::recvmsg(fd_.get(), &header, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) break;
    for (cmsghdr* message = CMSG_FIRSTHDR(&header); message != nullptr;
         message = CMSG_NXTHDR(&header, message)) {
      const bool is_error =
          (message->cmsg_level == IPPROTO_IP && message->cmsg_type == IP_RECVERR) ||
          (message->cmsg_level == IPPROTO_IPV6 && message->cmsg_type == IPV6_RECVERR);
      if (!is_error) continue;
      sock_extended_err error;
      std::memcpy(&error, CMSG_DATA(message), sizeof error);
      const bool is_icmp =
          error.ee_origin == SO_EE_ORIGIN_ICMP || error.ee_origin == SO_EE_ORIGIN_ICMP6;
      if (is_icmp && is_unreachable(static_cast<int>(error.ee_errno))) {
        report_unreachable(from_system(destination));
        if (guard.is_gone()) return;
      }
    }
  }
  // An error without an entry in the queue would keep the socket ready for ever.
  int pending = 0;
  socklen_t length = sizeof pending;
  (void)::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &pending, &length);
}

}  // namespace tandem::io
