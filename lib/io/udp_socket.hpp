// A UDP socket of the operating system, read and written in batches.
#pragma once

#include "io/system_loop.hpp"

namespace tandem::io {

class UdpSocket final : public DatagramSocket, public Watch {
 public:
  /// Errors: those of Loop::open_datagram().
  static Result<std::unique_ptr<DatagramSocket>> open(SystemLoop& loop, const SocketAddress& local,
                                                      const DatagramOptions& options,
                                                      DatagramHandler& handler);
  ~UdpSocket() override;

  [[nodiscard]] SocketAddress local() const noexcept override { return local_; }
  void send(const SocketAddress& to, std::string_view bytes) override;
  [[nodiscard]] std::uint64_t send_drops() const noexcept override { return send_drops_; }
  void on_ready(std::uint32_t epoll_events) override;

  /// Sends what the loop gathered for this socket.
  void send_batch(mmsghdr* headers, unsigned count) noexcept;
  void report_unreachable(const SocketAddress& to) noexcept;

 private:
  UdpSocket(SystemLoop& loop, Fd fd, const SocketAddress& local, std::size_t datagram_bytes_max,
            DatagramHandler& handler) noexcept
      : loop_(loop),
        fd_(std::move(fd)),
        local_(local),
        datagram_bytes_max_(datagram_bytes_max),
        handler_(handler) {}
  void receive();
  void read_errors();
  void drop(std::uint64_t count) noexcept;

  SystemLoop& loop_;
  Fd fd_;
  const SocketAddress local_;
  const std::size_t datagram_bytes_max_;
  DatagramHandler& handler_;
  std::uint64_t send_drops_ = 0;
};

}  // namespace tandem::io
