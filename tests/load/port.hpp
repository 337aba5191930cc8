// A UDP socket that receives and sends in batches.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/error.hpp"

namespace tandem::load {

/// "a.b.c.d:port"
std::string to_text(const sockaddr_in& address);
/// "a.b.c.d" or "a.b.c.d:port"; IPv4 only. Errors: invalid_argument.
Result<sockaddr_in> read_address(std::string_view text, std::uint16_t default_port);

class Port {
 public:
  Port() = default;
  ~Port();
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;

  /// Binds to `address`. Errors: io.
  Result<void> open(const sockaddr_in& address);
  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] const sockaddr_in& local() const { return local_; }

  /// Sends with the next flush().
  void send(const sockaddr_in& to, std::string_view bytes);
  void flush();
  /// Hands up to one batch to `take(bytes, source)`; returns how many there were.
  template <class Take>
  int receive(Take&& take) {
    const int count = receive_batch();
    for (int i = 0; i < count; ++i)
      take(received(i), sources_[static_cast<std::size_t>(i)]);
    return count;
  }

 private:
  static constexpr int batch = 64;
  static constexpr std::size_t datagram_max = 8192;

  int receive_batch();
  [[nodiscard]] std::string_view received(int i) const {
    const auto at = static_cast<std::size_t>(i);
    return {buffer_.data() + at * datagram_max, headers_[at].msg_len};
  }

  struct Waiting {
    sockaddr_in to;
    std::size_t offset, size;
  };

  int fd_ = -1;
  sockaddr_in local_{};
  std::string arena_;  // of what waits to be sent
  std::vector<Waiting> waiting_;
  std::string buffer_;
  std::vector<mmsghdr> headers_;
  std::vector<iovec> parts_;
  std::vector<sockaddr_in> sources_;
};

}  // namespace tandem::load
