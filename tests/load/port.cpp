#include "port.hpp"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

namespace tandem::load {

namespace {
constexpr int socket_buffer_bytes = 8 << 20;
constexpr int send_wait_ms = 100;
}  // namespace

std::string to_text(const sockaddr_in& address) {
  char text[INET_ADDRSTRLEN] = "";
  inet_ntop(AF_INET, &address.sin_addr, text, sizeof text);
  return std::string(text) + ":" + std::to_string(ntohs(address.sin_port));
}

Result<sockaddr_in> read_address(std::string_view text, std::uint16_t default_port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(default_port);
  const std::size_t colon = text.find(':');
  const std::string host(text.substr(0, colon));
  bool is_good = inet_pton(AF_INET, host.c_str(), &address.sin_addr) == 1;
  if (colon != std::string_view::npos) {
    std::uint16_t port = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, port);
    is_good = is_good && error == std::errc() && stop == end;
    address.sin_port = htons(port);
  }
  if (!is_good) {
    return Error{ErrorCode::invalid_argument,
                 "\"" + std::string(text) + "\" is no IPv4 address with an optional port"};
  }
  return address;
}

Port::~Port() {
  if (fd_ >= 0) ::close(fd_);
}

Result<void> Port::open(const sockaddr_in& address) {
  fd_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0)
    return Error{ErrorCode::io, std::string("socket could not be made: ") + strerror(errno)};
  // Beyond the system's limit where allowed, else up to it.
  const int bytes = socket_buffer_bytes;
  for (const auto& [forced, plain] :
       {std::pair{SO_RCVBUFFORCE, SO_RCVBUF}, std::pair{SO_SNDBUFFORCE, SO_SNDBUF}}) {
    if (::setsockopt(fd_, SOL_SOCKET, forced, &bytes, sizeof bytes) != 0)
      (void)::setsockopt(fd_, SOL_SOCKET, plain, &bytes, sizeof bytes);
  }
  if (::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return Error{ErrorCode::io, to_text(address) + " could not be bound: " + strerror(errno)};
  }
  socklen_t size = sizeof local_;
  ::getsockname(fd_, reinterpret_cast<sockaddr*>(&local_), &size);
  buffer_.resize(batch * datagram_max);
  headers_.resize(batch);
  parts_.resize(batch);
  sources_.resize(batch);
  return {};
}

void Port::send(const sockaddr_in& to, std::string_view bytes) {
  waiting_.push_back({to, arena_.size(), bytes.size()});
  arena_ += bytes;
}

void Port::flush() {
  std::size_t done = 0;
  mmsghdr headers[batch];
  iovec parts[batch];
  while (done < waiting_.size()) {
    const std::size_t count = std::min<std::size_t>(batch, waiting_.size() - done);
    for (std::size_t i = 0; i < count; ++i) {
      Waiting& datagram = waiting_[done + i];
      parts[i] = {arena_.data() + datagram.offset, datagram.size};
      headers[i] = {};
      headers[i].msg_hdr.msg_name = &datagram.to;
      headers[i].msg_hdr.msg_namelen = sizeof datagram.to;
      headers[i].msg_hdr.msg_iov = &parts[i];
      headers[i].msg_hdr.msg_iovlen = 1;
    }
    const int sent = ::sendmmsg(fd_, headers, static_cast<unsigned>(count), 0);
    if (sent > 0) {
      done += static_cast<std::size_t>(sent);
    } else if (errno == EAGAIN || errno == ENOBUFS) {
      pollfd writable{fd_, POLLOUT, 0};
      (void)::poll(&writable, 1, send_wait_ms);
    } else if (errno != EINTR && errno != ECONNREFUSED) {
      ++done;  // this one cannot be sent; the others may
    }
  }
  waiting_.clear();
  arena_.clear();
}

int Port::receive_batch() {
  for (std::size_t i = 0; i < batch; ++i) {
    parts_[i] = {buffer_.data() + i * datagram_max, datagram_max};
    headers_[i] = {};
    headers_[i].msg_hdr.msg_name = &sources_[i];
    headers_[i].msg_hdr.msg_namelen = sizeof sources_[i];
    headers_[i].msg_hdr.msg_iov = &parts_[i];
    headers_[i].msg_hdr.msg_iovlen = 1;
  }
  return std::max(0, ::recvmmsg(fd_, headers_.data(), batch, MSG_DONTWAIT, nullptr));
}

}  // namespace tandem::load
