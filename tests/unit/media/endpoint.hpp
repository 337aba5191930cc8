// A UDP socket of the system on loopback, as a phone has it.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "tandem/values.hpp"

namespace tandem::media {

class Endpoint {
 public:
  explicit Endpoint(const char* ip = "127.0.0.1", std::uint16_t port = 0) {
    ip_ = *IpAddress::parse(ip);
    fd_ = ::socket(ip_.is_ipv4() ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_storage address{};
    socklen_t length = fill(address, {ip_, port});
    if (fd_ < 0 || ::bind(fd_, reinterpret_cast<sockaddr*>(&address), length) != 0)
      throw std::runtime_error("no loopback socket");
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &length);
    local_ = {ip_, ntohs(ip_.is_ipv4() ? reinterpret_cast<sockaddr_in&>(address).sin_port
                                       : reinterpret_cast<sockaddr_in6&>(address).sin6_port)};
  }
  ~Endpoint() { ::close(fd_); }
  Endpoint(const Endpoint&) = delete;
  Endpoint& operator=(const Endpoint&) = delete;
  Endpoint& operator=(Endpoint&& other) noexcept {
    std::swap(ip_, other.ip_);
    std::swap(fd_, other.fd_);
    std::swap(local_, other.local_);
    return *this;
  }

  [[nodiscard]] const SocketAddress& local() const { return local_; }

  void send(const SocketAddress& to, std::string_view bytes) {
    sockaddr_storage address{};
    const socklen_t length = fill(address, to);
    ::sendto(fd_, bytes.data(), bytes.size(), 0, reinterpret_cast<sockaddr*>(&address), length);
  }

  /// The next datagram; "" when none comes within 5 s.
  std::string receive() { return wait(5000) ? read() : std::string(); }
  /// TOS byte or traffic class of the next datagram; -1 when none comes within 5 s.
  int receive_tos() {
    const int on = 1;
    ::setsockopt(fd_, ip_.is_ipv4() ? IPPROTO_IP : IPPROTO_IPV6,
                 ip_.is_ipv4() ? IP_RECVTOS : IPV6_RECVTCLASS, &on, sizeof on);
    if (!wait(5000)) return -1;
    char byte = 0;
    iovec space{&byte, 1};
    alignas(cmsghdr) char control[256];
    msghdr message{};
    message.msg_iov = &space;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    if (::recvmsg(fd_, &message, 0) < 0) return -1;
    for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
         part = CMSG_NXTHDR(&message, part)) {
      if (part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_TOS)
        return *static_cast<unsigned char*>(CMSG_DATA(part));
      if (part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_TCLASS) {
        int value = -1;
        std::memcpy(&value, CMSG_DATA(part), sizeof value);
        return value;
      }
    }
    return 0;
  }
  /// True when a datagram is there.
  bool has_datagram() { return wait(0); }

 private:
  static socklen_t fill(sockaddr_storage& storage, const SocketAddress& address) {
    if (address.ip.is_ipv4()) {
      auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
      v4.sin_family = AF_INET;
      v4.sin_port = htons(address.port);
      std::memcpy(&v4.sin_addr, address.ip.bytes.data(), 4);
      return sizeof v4;
    }
    auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(address.port);
    std::memcpy(&v6.sin6_addr, address.ip.bytes.data(), 16);
    return sizeof v6;
  }
  bool wait(int timeout_ms) {
    pollfd waiting{fd_, POLLIN, 0};
    return ::poll(&waiting, 1, timeout_ms) == 1;
  }
  std::string read() {
    std::string bytes(65536, '\0');
    const ssize_t size = ::recv(fd_, bytes.data(), bytes.size(), 0);
    bytes.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
    return bytes;
  }

  IpAddress ip_;
  int fd_ = -1;
  SocketAddress local_;
};

}  // namespace tandem::media
