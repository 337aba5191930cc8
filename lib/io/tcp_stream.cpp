#include "io/tcp_stream.hpp"

#include <netinet/tcp.h>

#include <cerrno>

namespace tandem::io {
namespace {

constexpr int reads_per_turn_max = 4;
constexpr int accepts_per_turn_max = 64;
constexpr int backlog = 1024;
constexpr std::int64_t rest_us = 100'000;
constexpr unsigned user_timeout_ms = 30'000;

void set_options(int fd) noexcept {
  const int on = 1;
  (void)::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  // Left alone the system repeats bytes for a quarter of an hour, and a peer that comes back gets
  // them when nobody stands by them any more.
  (void)::setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout_ms, sizeof user_timeout_ms);
}

}  // namespace

Result<std::unique_ptr<StreamConnection>> TcpStream::connect(SystemLoop& loop,
                                                             const SocketAddress& remote,
                                                             StreamHandler& handler) {
  auto opened = open_socket(remote, SOCK_STREAM);
  if (!opened) return std::move(opened).error();
  auto stream = std::make_unique<TcpStream>(loop, std::move(opened).value(), remote);
  stream->handler_ = &handler;
  stream->is_connecting_ = true;
  SystemAddress address;
  const socklen_t length = to_system(remote, address);
  if (::connect(stream->fd_.get(), &address.any, length) != 0 && errno != EINPROGRESS) {
    // A socket that is neither connected nor connecting is ready at once: on_ready() reports.
    stream->failed_ = errno;
  }
  stream->local_ = local_address(stream->fd_.get());
  auto watched = loop.watch(stream->fd_.get(), *stream, EPOLLIN | EPOLLOUT);
  if (!watched) return std::move(watched).error();
  stream->is_watched_ = true;
  return std::unique_ptr<StreamConnection>(std::move(stream));
}

TcpStream::TcpStream(SystemLoop& loop, Fd fd, const SocketAddress& remote) noexcept
    : loop_(loop), fd_(std::move(fd)), remote_(remote), local_(local_address(fd_.get())) {
  set_options(fd_.get());
}

TcpStream::~TcpStream() {
  if (is_watched_) loop_.unwatch(fd_.get(), *this);
}

void TcpStream::set_tos(int tos) noexcept {
  if (fd_) io::set_tos(fd_.get(), remote_.ip.is_ipv6(), tos);
}

void TcpStream::set_handler(StreamHandler& handler) noexcept {
  handler_ = &handler;
  if (fd_ && !is_watched_) {
    // Without memory for the entry the connection stays silent until its owner's timer ends it.
    is_watched_ = loop_.watch(fd_.get(), *this, EPOLLIN | (queued() > 0 ? EPOLLOUT : 0U)).ok();
  }
}

void TcpStream::update_watch() noexcept {
  if (is_watched_) loop_.change_watch(fd_.get(), *this, EPOLLIN | (queued() > 0 ? EPOLLOUT : 0U));
}

void TcpStream::fail(int error_number) noexcept {
  failed_ = error_number;
  // The next turn reports: an event must not come from inside the owner's own call.
  if (is_watched_) loop_.change_watch(fd_.get(), *this, EPOLLIN | EPOLLOUT);
}

Result<void> TcpStream::send(std::string_view bytes) {
  if (!fd_ || failed_ != 0) {
    return Error{ErrorCode::wrong_state, "connection with " + remote_.to_string() + " was closed"};
  }
  if (bytes.size() > queue_bytes_max - queued()) {
    return Error{ErrorCode::limit, "connection with " + remote_.to_string() + " had " +
                                       std::to_string(queued()) + " bytes queued"};
  }
  if (queued() == 0 && !is_connecting_) {
    const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno != EAGAIN && errno != EINTR) {
      fail(errno);
      return {};  // on_closed() tells
    }
    if (bytes.empty()) return {};
  }
  const bool was_empty = queued() == 0;
  queue_.append(bytes);
  if (was_empty && !is_connecting_) update_watch();
  return {};
}

void TcpStream::write_queue() noexcept {
  while (queued() > 0) {
    const ssize_t sent =
        ::send(fd_.get(), queue_.data() + queue_sent_, queued(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) fail(errno);
      break;
    }
    queue_sent_ += static_cast<std::size_t>(sent);
  }
  if (queued() == 0) {
    queue_ = {};  // most connections never queue again: no idle buffers
    queue_sent_ = 0;
    if (failed_ == 0) update_watch();
  } else if (queue_sent_ >= queue_bytes_max) {
    queue_.erase(0, queue_sent_);
    queue_sent_ = 0;
  }
}

bool TcpStream::finish_connect() {
  int error_number = 0;
  socklen_t length = sizeof error_number;
  (void)::getsockopt(fd_.get(), SOL_SOCKET, SO_ERROR, &error_number, &length);
  if (error_number != 0) {
    close(socket_error("could not connect to", remote_, error_number));
    return false;
  }
  is_connecting_ = false;
  local_ = local_address(fd_.get());
  update_watch();
  Guard guard(*this);
  handler_->on_connected();
  return !guard.is_gone() && fd_;
}

void TcpStream::on_ready(std::uint32_t epoll_events) {
  if (handler_ == nullptr) {
    loop_.unwatch(fd_.get(), *this);
    is_watched_ = false;
    return;
  }
  if (failed_ != 0) {
    return close(socket_error(is_connecting_ ? "could not connect to" : "lost connection with",
                              remote_, failed_));
  }
  if (is_connecting_) {
    if ((epoll_events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) == 0) return;
    if (!finish_connect()) return;
  }
  if ((epoll_events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0 && !receive()) return;
  if (queued() > 0) write_queue();
}

bool TcpStream::receive() {
  Guard guard(*this);
  for (int turn = 0; turn < reads_per_turn_max; ++turn) {
    const ssize_t count =
        ::recv(fd_.get(), loop_.stream_buffer(), SystemLoop::stream_buffer_bytes, MSG_DONTWAIT);
    if (count > 0) {
      const auto bytes = static_cast<std::size_t>(count);
      loop_.guarded([&] { handler_->on_bytes({loop_.stream_buffer(), bytes}); });
      if (guard.is_gone() || !fd_) return false;
      if (bytes < SystemLoop::stream_buffer_bytes) return true;
    } else if (count == 0) {
      close(Error{ErrorCode::io,
                  "connection with " + remote_.to_string() + " was closed by the peer"});
      return false;
    } else if (errno == EAGAIN) {
      return true;
    } else if (errno != EINTR) {
      close(socket_error("lost connection with", remote_, errno));
      return false;
    }
  }
  return true;
}

void TcpStream::close(Error error) {
  if (is_watched_) loop_.unwatch(fd_.get(), *this);
  is_watched_ = false;
  fd_.reset();
  queue_ = {};
  queue_sent_ = 0;
  handler_->on_closed(error);
}

TcpListener::TcpListener(SystemLoop& loop, Fd fd, AcceptHandler& handler) noexcept
    : loop_(loop),
      fd_(std::move(fd)),
      local_(local_address(fd_.get())),
      handler_(handler),
      rest_(Timer::member<&TcpListener::resume, TcpListener>(), this) {}

Result<std::unique_ptr<StreamListener>> TcpListener::open(SystemLoop& loop,
                                                          const SocketAddress& local,
                                                          bool reuse_port, AcceptHandler& handler) {
  auto opened = open_socket(local, SOCK_STREAM);
  if (!opened) return std::move(opened).error();
  Fd fd = std::move(opened).value();
  const int on = 1;
  // Connections of a previous run in TIME_WAIT must not hinder a restart.
  if (::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      (reuse_port && ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0)) {
    return socket_error("could not share TCP address", local, errno);
  }
  SystemAddress address;
  const socklen_t length = to_system(local, address);
  if (::bind(fd.get(), &address.any, length) != 0 || ::listen(fd.get(), backlog) != 0) {
    return bind_error("TCP", local, errno);
  }
  const int number = fd.get();
  std::unique_ptr<TcpListener> listener(new TcpListener(loop, std::move(fd), handler));
  if (auto watched = loop.watch(number, *listener, EPOLLIN); !watched) {
    return std::move(watched).error();
  }
  return std::unique_ptr<StreamListener>(std::move(listener));
}

TcpListener::~TcpListener() { loop_.unwatch(fd_.get(), *this); }

void TcpListener::resume() noexcept { loop_.change_watch(fd_.get(), *this, EPOLLIN); }

void TcpListener::on_ready(std::uint32_t) {
  Guard guard(*this);
  for (int i = 0; i < accepts_per_turn_max; ++i) {
    SystemAddress address{};
    socklen_t length = sizeof address;
    Fd fd(::accept4(fd_.get(), &address.any, &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd) {
      if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        loop_.change_watch(fd_.get(), *this, 0);
        loop_.timers().start(rest_, rest_us);
        return;
      }
      // EAGAIN: none left. The others are errors of one connection that ended before it was taken.
      if (errno == EAGAIN || errno == EINVAL || errno == EBADF) return;
      continue;
    }
    auto stream = std::make_unique<TcpStream>(loop_, std::move(fd), from_system(address));
    loop_.guarded([&] { handler_.on_accept(std::move(stream)); });
    if (guard.is_gone()) return;
  }
}

}  // namespace tandem::io
