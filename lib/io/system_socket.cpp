#include "io/system_socket.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace tandem::io {

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    reset();
    number_ = std::exchange(other.number_, -1);
  }
  return *this;
}

void Fd::reset() noexcept {
  if (number_ >= 0) ::close(std::exchange(number_, -1));
}

socklen_t to_system(const SocketAddress& address, SystemAddress& out) noexcept {
  if (address.ip.is_ipv6()) {
    out.v6 = {};
    out.v6.sin6_family = AF_INET6;
    out.v6.sin6_port = htons(address.port);
    std::memcpy(&out.v6.sin6_addr, address.ip.bytes.data(), 16);
    return sizeof out.v6;
  }
  out.v4 = {};
  out.v4.sin_family = AF_INET;
  out.v4.sin_port = htons(address.port);
  std::memcpy(&out.v4.sin_addr, address.ip.bytes.data(), 4);
  return sizeof out.v4;
}

SocketAddress from_system(const SystemAddress& address) noexcept {
  SocketAddress result;
  if (address.any.sa_family == AF_INET) {
    result.ip.family = IpAddress::Family::ipv4;
    std::memcpy(result.ip.bytes.data(), &address.v4.sin_addr, 4);
    result.port = ntohs(address.v4.sin_port);
  } else if (address.any.sa_family == AF_INET6) {
    if (IN6_IS_ADDR_V4MAPPED(&address.v6.sin6_addr)) {
      result.ip.family = IpAddress::Family::ipv4;
      std::memcpy(result.ip.bytes.data(), address.v6.sin6_addr.s6_addr + 12, 4);
    } else {
      result.ip.family = IpAddress::Family::ipv6;
      std::memcpy(result.ip.bytes.data(), &address.v6.sin6_addr, 16);
    }
    result.port = ntohs(address.v6.sin6_port);
  }
  return result;
}

SocketAddress local_address(int fd) noexcept {
  SystemAddress address{};
  socklen_t length = sizeof address;
  if (::getsockname(fd, &address.any, &length) != 0) return {};
  return from_system(address);
}

std::string system_message(int error_number) {
  return std::generic_category().message(error_number);
}

void set_tos(int fd, bool is_ipv6, int tos) noexcept {
  if (is_ipv6) {
    (void)::setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof tos);
  } else {
    (void)::setsockopt(fd, IPPROTO_IP, IP_TOS, &tos, sizeof tos);
  }
}

Error socket_error(std::string_view what, const SocketAddress& address, int error_number) {
  std::string message(what);
  message += ' ';
  message += address.to_string();
  message += ": ";
  message += system_message(error_number);
  return Error{ErrorCode::io, std::move(message)};
}

Error bind_error(std::string_view transport, const SocketAddress& address, int error_number) {
  if (error_number == EADDRINUSE) {
    std::string message(transport);
    message += " address ";
    message += address.to_string();
    message += " was in use";
    return Error{ErrorCode::already_exists, std::move(message)};
  }
  std::string what("could not open ");
  what += transport;
  what += " address";
  return socket_error(what, address, error_number);
}

Result<Fd> open_socket(const SocketAddress& address, int type) {
  if (address.ip.family == IpAddress::Family::none) {
    return Error{ErrorCode::invalid_argument, "a socket address had no IP address"};
  }
  const bool is_ipv6 = address.ip.is_ipv6();
  Fd fd(::socket(is_ipv6 ? AF_INET6 : AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return socket_error("could not make a socket for", address, errno);
  const int on = 1;
  if (is_ipv6 && ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on) != 0) {
    return socket_error("could not keep IPv4 out of", address, errno);
  }
  return fd;
}

}  // namespace tandem::io
