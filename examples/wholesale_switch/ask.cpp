// `calls`, `gateways`, `accounts`: questions to the running switch over its admin API.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "commands.hpp"

namespace {

constexpr std::size_t answer_bytes_max = std::size_t{256} << 20;
constexpr int patience_s = 10;

/// Where the API is reached: a listener on every address is asked on loopback.
tandem::SocketAddress reachable(tandem::SocketAddress address) {
  if (!address.ip.is_unspecified()) return address;
  if (address.ip.is_ipv4()) {
    address.ip = tandem::IpAddress::ipv4(127, 0, 0, 1);
  } else {
    address.ip.bytes.back() = 1;
  }
  return address;
}

int connect_to(const tandem::SocketAddress& address) {
  sockaddr_storage storage{};
  socklen_t length = 0;
  if (address.ip.is_ipv4()) {
    auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
    v4.sin_family = AF_INET;
    v4.sin_port = htons(address.port);
    std::memcpy(&v4.sin_addr, address.ip.bytes.data(), 4);
    length = sizeof v4;
  } else {
    auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(address.port);
    std::memcpy(&v6.sin6_addr, address.ip.bytes.data(), 16);
    length = sizeof v6;
  }
  const int fd = ::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  const timeval limit{patience_s, 0};
  if (::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0 &&
      ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0 &&
      ::connect(fd, reinterpret_cast<const sockaddr*>(&storage), length) == 0) {
    return fd;
  }
  const int reason = errno;
  ::close(fd);
  errno = reason;
  return -1;
}

/// Sends a request and reads until its answer is whole; false with errno, 0 for an answer that
/// ends early.
bool exchange(int fd, std::string_view request, std::string& answer) {
  for (std::size_t sent = 0; sent < request.size();) {
    const ssize_t count = ::send(fd, request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
    if (count < 0) return false;
    sent += static_cast<std::size_t>(count);
  }
  std::string piece(std::size_t{64} << 10, '\0');
  while (answer.size() < answer_bytes_max) {
    const std::size_t head = answer.find("\r\n\r\n");
    const std::size_t field = answer.find("Content-Length: ");
    if (head != std::string::npos && field < head) {
      const std::size_t length = std::strtoull(answer.c_str() + field + 16, nullptr, 10);
      if (answer.size() - head - 4 >= length) return true;
    }
    const ssize_t count = ::recv(fd, piece.data(), piece.size(), 0);
    if (count <= 0) {
      if (count == 0) errno = 0;
      return false;
    }
    answer.append(piece, 0, static_cast<std::size_t>(count));
  }
  errno = EMSGSIZE;
  return false;
}

}  // namespace

int ask(const Options& options) {
  if (!options.allow({"config"}, {"config"})) return status_usage;
  const auto config = load_config(options.text("config"));
  if (!config) return status_usage;
  if (!config->admin_listen) {
    complain(options.text("config") + ":/admin: the switch has no admin API to ask");
    return status_usage;
  }
  const tandem::SocketAddress address = reachable(*config->admin_listen);
  std::string request = "GET /api/v1/" + options.command() +
                        " HTTP/1.1\r\nHost: " + address.to_string() + "\r\nConnection: close\r\n";
  if (!config->admin_token.empty())
    request += "Authorization: Bearer " + config->admin_token + "\r\n";
  request += "\r\n";

  const int fd = connect_to(address);
  std::string answer;
  const bool is_whole = fd >= 0 && exchange(fd, request, answer);
  const int reason = errno;
  if (fd >= 0) ::close(fd);
  if (!is_whole) {
    complain("no switch answers at " + address.to_string() + ": " +
             (reason == 0 ? "connection ended early" : std::strerror(reason)));
    return status_failed;
  }
  const std::string body = answer.substr(answer.find("\r\n\r\n") + 4);
  if (!answer.starts_with("HTTP/1.1 200 ")) {
    complain("the switch refused: " + body.substr(0, body.find('\n')));
    return status_failed;
  }
  std::fputs(body.c_str(), stdout);
  return status_good;
}
