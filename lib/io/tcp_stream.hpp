// TCP connections and listeners of the operating system.
#pragma once

#include "io/system_loop.hpp"

namespace tandem::io {

/// Is lost when the peer acknowledges nothing of what was sent for 30 s (TCP_USER_TIMEOUT).
class TcpStream final : public StreamConnection, public Watch {
 public:
  static constexpr std::size_t queue_bytes_max = std::size_t{512} << 10;

  /// Errors: those of Loop::connect().
  static Result<std::unique_ptr<StreamConnection>> connect(SystemLoop& loop,
                                                           const SocketAddress& remote,
                                                           StreamHandler& handler);
  /// A connection that a listener accepted.
  TcpStream(SystemLoop& loop, Fd fd, const SocketAddress& remote) noexcept;
  ~TcpStream() override;

  void set_handler(StreamHandler& handler) noexcept override;
  void set_tos(int tos) noexcept override;
  [[nodiscard]] SocketAddress local() const noexcept override { return local_; }
  [[nodiscard]] SocketAddress remote() const noexcept override { return remote_; }
  Result<void> send(std::string_view bytes) override;
  [[nodiscard]] std::size_t room_bytes() const noexcept override {
    return queue_bytes_max - queued();
  }
  void on_ready(std::uint32_t epoll_events) override;

 private:
  void update_watch() noexcept;
  [[nodiscard]] std::size_t queued() const noexcept { return queue_.size() - queue_sent_; }
  bool finish_connect();  // false: still connecting, or closed
  bool receive();         // false: closed or destroyed
  void write_queue() noexcept;
  void fail(int error_number) noexcept;
  void close(Error error);

  SystemLoop& loop_;
  Fd fd_;
  const SocketAddress remote_;
  SocketAddress local_;
  StreamHandler* handler_ = nullptr;
  std::string queue_;  // what the system has not taken yet, from queue_sent_ on
  std::size_t queue_sent_ = 0;
  bool is_connecting_ = false;
  bool is_watched_ = false;
  int failed_ = 0;  // errno of a call that failed outside on_ready(); reported from there
};

class TcpListener final : public StreamListener, public Watch {
 public:
  /// Errors: those of Loop::listen().
  static Result<std::unique_ptr<StreamListener>> open(SystemLoop& loop, const SocketAddress& local,
                                                      bool reuse_port, AcceptHandler& handler);
  ~TcpListener() override;

  [[nodiscard]] SocketAddress local() const noexcept override { return local_; }
  void on_ready(std::uint32_t epoll_events) override;

 private:
  TcpListener(SystemLoop& loop, Fd fd, AcceptHandler& handler) noexcept;
  void resume() noexcept;

  SystemLoop& loop_;
  Fd fd_;
  const SocketAddress local_;
  AcceptHandler& handler_;
  // Out of descriptors, a listener stays readable for ever: it rests instead of spinning.
  Timer rest_;
};

}  // namespace tandem::io
