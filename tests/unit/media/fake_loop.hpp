// A network of one loop in memory: datagrams are delivered when the test says so.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "io/loop.hpp"

namespace tandem::media {

class FakeLoop final : public io::Loop {
 public:
  struct Heard {
    SocketAddress from, to;
    std::string bytes;
    std::int64_t at_us;
    bool operator==(const Heard&) const = default;
  };

  TimerWheel& timers() noexcept override { return timers_; }
  [[nodiscard]] const Clock& clock() const noexcept override { return clock_; }
  Result<void> post(std::function<void()> task) override {
    task();
    return {};
  }
  void defer(std::function<void()> task) override { task(); }
  [[nodiscard]] bool is_loop_thread() const noexcept override { return true; }
  Result<std::unique_ptr<io::DatagramSocket>> open_datagram(const SocketAddress& local,
                                                            const io::DatagramOptions&,
                                                            io::DatagramHandler& handler) override {
    if (!handlers_.emplace(local, &handler).second)
      return Error{ErrorCode::already_exists, local.to_string() + " was in use"};
    return std::unique_ptr<io::DatagramSocket>(std::make_unique<Socket>(*this, local));
  }
  Result<std::unique_ptr<io::StreamListener>> listen(const SocketAddress&, bool,
                                                     io::AcceptHandler&) override {
    return Error{ErrorCode::unsupported, "no streams here"};
  }
  Result<std::unique_ptr<io::StreamConnection>> connect(const SocketAddress&,
                                                        io::StreamHandler&) override {
    return Error{ErrorCode::unsupported, "no streams here"};
  }
  void start() override {}
  void stop() override {}

  /// A datagram on its way; to a port of nobody's it is kept in `heard`.
  void send(const SocketAddress& from, const SocketAddress& to, std::string_view bytes) {
    const auto handler = handlers_.find(to);
    if (handler != handlers_.end()) {
      handler->second->on_datagram(from, bytes);
    } else {
      heard.push_back({from, to, std::string(bytes), clock_.monotonic_us()});
    }
  }
  void advance_us(std::int64_t step_us) { clock_.advance_us(step_us); }
  [[nodiscard]] std::size_t sockets() const { return handlers_.size(); }

  std::deque<Heard> heard;

 private:
  struct Socket final : io::DatagramSocket {
    Socket(FakeLoop& of, const SocketAddress& at) : loop(of), address(at) {}
    ~Socket() override { loop.handlers_.erase(address); }
    [[nodiscard]] SocketAddress local() const noexcept override { return address; }
    void send(const SocketAddress& to, std::string_view bytes) override {
      loop.send(address, to, bytes);
    }
    [[nodiscard]] std::uint64_t send_drops() const noexcept override { return 0; }
    FakeLoop& loop;
    SocketAddress address;
  };

  SimulatedClock clock_;
  TimerWheel timers_{0};
  std::map<SocketAddress, io::DatagramHandler*> handlers_;
};

}  // namespace tandem::media
