#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

#include "remote/byte_stream.hpp"

namespace tandem::remote {
namespace {

Error system_error(const std::string& what, int number) {
  return {ErrorCode::io, what + ": " + std::generic_category().message(number)};
}

/// A descriptor, closed at the end.
class Socket {
 public:
  explicit Socket(int fd) noexcept : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&&) = delete;
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  ~Socket() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const noexcept { return fd_; }

 private:
  int fd_;
};

/// Waits for one of `events`, an error of the connection included, and tells which came. Errors:
/// timeout, io.
Result<short> wait(const Clock& clock, const Socket& socket, short events, std::int64_t until_us) {
  for (;;) {
    const std::int64_t left_us = until_us - clock.monotonic_us();
    if (left_us <= 0) return Error{ErrorCode::timeout, "deadline passed"};
    pollfd watched{socket.get(), events, 0};
    const auto wait_ms = std::clamp<std::int64_t>((left_us + 999) / 1'000, 1, 60'000);
    const int ready = ::poll(&watched, 1, static_cast<int>(wait_ms));
    if (ready > 0) return watched.revents;
    if (ready < 0 && errno != EINTR) return system_error("poll", errno);
  }
}

class TcpByteStream final : public ByteStream {
 public:
  TcpByteStream(const Clock& clock, Socket socket) : clock_(clock), socket_(std::move(socket)) {}

  Result<std::size_t> send_some(std::string_view bytes, std::int64_t until_us) override {
    for (;;) {
      const auto ready = wait(clock_, socket_, POLLIN | POLLOUT, until_us);
      if (!ready) return ready.error();
      // A server that refuses a request and closes takes its answer back when we go on sending.
      if ((*ready & POLLIN) != 0)
        return Error{ErrorCode::wrong_state, "peer answered in the middle of a request"};
      const ssize_t sent = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent > 0) return static_cast<std::size_t>(sent);
      if (sent < 0 && errno != EAGAIN && errno != EINTR) return system_error("send", errno);
    }
  }

  Result<std::size_t> receive(char* buffer, std::size_t bytes, std::int64_t until_us) override {
    for (;;) {
      if (auto ready = wait(clock_, socket_, POLLIN, until_us); !ready)
        return std::move(ready).error();
      const ssize_t received = ::recv(socket_.get(), buffer, bytes, 0);
      if (received >= 0) return static_cast<std::size_t>(received);
      if (errno != EAGAIN && errno != EINTR) return system_error("receive", errno);
    }
  }

 private:
  const Clock& clock_;
  Socket socket_;
};

class TcpDialer final : public Dialer {
 public:
  explicit TcpDialer(const Clock& clock) : clock_(clock) {}

  Result<std::unique_ptr<ByteStream>> connect(const std::string& host, std::uint16_t port,
                                              std::int64_t until_us) override {
    addrinfo wanted{};
    wanted.ai_socktype = SOCK_STREAM;
    wanted.ai_flags = AI_NUMERICSERV;
    addrinfo* found = nullptr;
    const std::string service = std::to_string(port);
    if (const int failed = ::getaddrinfo(host.c_str(), service.c_str(), &wanted, &found);
        failed != 0) {
      return Error{ErrorCode::io, "host \"" + host + "\": " + ::gai_strerror(failed)};
    }
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, &::freeaddrinfo);
    Error last{ErrorCode::io, "host \"" + host + "\" had no address"};
    std::int64_t left = 0;
    for (const addrinfo* address = found; address != nullptr; address = address->ai_next)
      ++left;
    for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
      // One that swallows everything must leave time for the others.
      const std::int64_t now_us = clock_.monotonic_us();
      const std::int64_t share_us =
          std::max<std::int64_t>((until_us - now_us) / left--, share_min_us);
      auto stream = connect_to(*address, std::min(until_us, now_us + share_us));
      if (stream) return stream;
      last = std::move(stream).error();
    }
    last.message = "connection to " + host + ":" + service + ": " + last.message;
    return last;
  }

 private:
  static constexpr std::int64_t share_min_us = 1'000'000;

  Result<std::unique_ptr<ByteStream>> connect_to(const addrinfo& address, std::int64_t until_us) {
    Socket socket(::socket(address.ai_family, address.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC,
                           address.ai_protocol));
    if (socket.get() < 0) return system_error("socket", errno);
    const int on = 1;  // a request is sent whole: nothing is won by waiting for more
    (void)::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (::connect(socket.get(), address.ai_addr, address.ai_addrlen) != 0) {
      if (errno != EINPROGRESS) return system_error("connect", errno);
      if (auto ready = wait(clock_, socket, POLLOUT, until_us); !ready)
        return std::move(ready).error();
      int failed = 0;
      socklen_t size = sizeof failed;
      if (::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &failed, &size) != 0) failed = errno;
      if (failed != 0) return system_error("connect", failed);
    }
    return std::unique_ptr<ByteStream>(std::make_unique<TcpByteStream>(clock_, std::move(socket)));
  }

  const Clock& clock_;
};

}  // namespace

std::unique_ptr<Dialer> make_tcp_dialer(const Clock& clock) {
  return std::make_unique<TcpDialer>(clock);
}

}  // namespace tandem::remote
