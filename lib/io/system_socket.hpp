// Descriptors, socket addresses and socket errors of the operating system.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <string_view>
#include <utility>

#include "tandem/error.hpp"
#include "tandem/values.hpp"

namespace tandem::io {

/// Owns a file descriptor.
class Fd {
 public:
  Fd() noexcept = default;
  explicit Fd(int number) noexcept : number_(number) {}
  Fd(Fd&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Fd& operator=(Fd&& other) noexcept;
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { reset(); }

  [[nodiscard]] int get() const noexcept { return number_; }
  explicit operator bool() const noexcept { return number_ >= 0; }
  void reset() noexcept;

 private:
  int number_ = -1;
};

/// A `sockaddr` large enough for both families.
union SystemAddress {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

/// Writes `address` and returns its length; a `none` address becomes 0.0.0.0.
socklen_t to_system(const SocketAddress& address, SystemAddress& out) noexcept;
/// IPv4-mapped IPv6 addresses become IPv4; other families become `none`.
SocketAddress from_system(const SystemAddress& address) noexcept;
/// The address a socket is bound to; `none` when the system does not say.
SocketAddress local_address(int fd) noexcept;

/// `error_number` in words, without the locale's or another thread's influence.
std::string system_message(int error_number);

/// An io error "WHAT ADDRESS: system message".
Error socket_error(std::string_view what, const SocketAddress& address, int error_number);
/// Marks what the socket sends. A refused mark is no reason to be without a socket.
void set_tos(int fd, bool is_ipv6, int tos) noexcept;
/// The error of a bind() or listen(): already_exists for an address in use, else io. `transport`:
/// "UDP", "TCP".
Error bind_error(std::string_view transport, const SocketAddress& address, int error_number);

/// A non-blocking socket for the family of `address`; IPv6 ones take IPv6 only, so that 0.0.0.0 and
/// :: can be served side by side. Errors: io, invalid_argument (an address without a family).
Result<Fd> open_socket(const SocketAddress& address, int type);

}  // namespace tandem::io
