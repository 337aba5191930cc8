#include "api_client.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace {

constexpr std::size_t answer_bytes_max = std::size_t{256} << 20;
constexpr int patience_s = 10;
constexpr int answer_patience_s = 120;  // large tables are compared and built meanwhile

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
bool exchange(int fd, std::string_view request, const ApiClient::Progress& on_progress,
              std::string& answer) {
  for (std::size_t sent = 0; sent < request.size();) {
    const std::size_t piece_bytes = std::min(request.size() - sent, std::size_t{1} << 20);
    const ssize_t count = ::send(fd, request.data() + sent, piece_bytes, MSG_NOSIGNAL);
    if (count < 0) break;  // the answer may say why nobody reads on
    sent += static_cast<std::size_t>(count);
    if (on_progress) on_progress(sent, request.size());
  }
  const timeval limit{answer_patience_s, 0};
  if (::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0) return false;
  std::string piece(std::size_t{64} << 10, '\0');
  while (answer.size() < answer_bytes_max) {
    const std::size_t head = answer.find("\r\n\r\n");
    const std::size_t field = answer.find("Content-Length: ");
    if (head != std::string::npos && field < head) {
      const std::size_t length = std::strtoull(answer.c_str() + field + 16, nullptr, 10);
      if (answer.size() - head - 4 >= length) return true;
    } else if (head != std::string::npos && answer.starts_with("HTTP/1.1 204")) {
      return true;
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

std::optional<tandem::AdminAnswer> ApiClient::ask(std::string_view method, std::string_view target,
                                                  std::string_view content_type,
                                                  std::string_view body,
                                                  const Progress& on_progress) {
  failure_.clear();
  std::string request(method);
  request.append(" ").append(target).append(" HTTP/1.1\r\nHost: ").append(address_.to_string());
  request.append("\r\nConnection: close\r\n");
  if (!token_.empty()) request.append("Authorization: Bearer ").append(token_).append("\r\n");
  if (!content_type.empty()) request.append("Content-Type: ").append(content_type).append("\r\n");
  if (!content_type.empty() || method == "POST")
    request.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n");
  request.append("\r\n").append(body);

  const int fd = connect_to(address_);
  is_reachable_ = fd >= 0;
  std::string answer;
  const bool is_whole = fd >= 0 && exchange(fd, request, on_progress, answer);
  const int reason = errno;
  if (fd >= 0) ::close(fd);
  const std::size_t head = answer.find("\r\n\r\n");
  if (!is_whole || answer.size() < 12) {
    failure_ = "no switch answers at " + address_.to_string() + ": " +
               (reason == 0 ? "connection ended early" : std::strerror(reason));
    return std::nullopt;
  }
  return tandem::AdminAnswer{std::atoi(answer.c_str() + 9), "", answer.substr(head + 4)};
}

ApiClient::ApiClient(const tandem::SwitchConfig& config)
    : address_(reachable(config.admin_listen.value())), token_(config.admin_token) {}
