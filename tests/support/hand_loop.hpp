// A loop without sockets that does what it was given when it is told to.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <utility>

#include "base/timer_wheel.hpp"
#include "io/loop.hpp"
#include "tandem/clock.hpp"

namespace tandem::test {

/// Time passes when it is told to.
class HandLoop final : public io::Loop {
 public:
  TimerWheel& timers() noexcept override { return wheel_; }
  [[nodiscard]] const Clock& clock() const noexcept override { return clock_; }
  Result<void> post(std::function<void()> task) override {
    if (tasks_.size() >= room) return Error{ErrorCode::limit, "no room"};
    tasks_.push_back(std::move(task));
    return {};
  }
  void defer(std::function<void()> task) override { tasks_.push_back(std::move(task)); }
  [[nodiscard]] bool is_loop_thread() const noexcept override { return true; }
  Result<std::unique_ptr<io::DatagramSocket>> open_datagram(const SocketAddress&,
                                                            const io::DatagramOptions&,
                                                            io::DatagramHandler&) override {
    return Error{ErrorCode::unsupported, "no sockets"};
  }
  Result<std::unique_ptr<io::StreamListener>> listen(const SocketAddress&, bool,
                                                     io::AcceptHandler&) override {
    return Error{ErrorCode::unsupported, "no sockets"};
  }
  Result<std::unique_ptr<io::StreamConnection>> connect(const SocketAddress&,
                                                        io::StreamHandler&) override {
    return Error{ErrorCode::unsupported, "no sockets"};
  }
  void start() override {}
  void stop() override {}

  /// What waits now, not what comes of it.
  void turn() {
    for (std::size_t left = tasks_.size(); left > 0; --left) {
      const auto task = std::move(tasks_.front());
      tasks_.pop_front();
      task();
    }
  }
  /// What comes of it too.
  void settle() {
    while (!tasks_.empty())
      turn();
  }
  void run_to_s(std::int64_t seconds) {
    clock_.now_us = seconds * 1'000'000;
    wheel_.advance(clock_.now_us);
    settle();
  }
  [[nodiscard]] std::size_t waiting() const noexcept { return tasks_.size(); }

  std::size_t room = 1000;  ///< For tasks that are posted.

 private:
  struct StillClock final : Clock {
    [[nodiscard]] std::int64_t monotonic_us() const noexcept override { return now_us; }
    [[nodiscard]] std::int64_t wall_us() const noexcept override { return now_us; }
    std::int64_t now_us = 0;
  };

  std::deque<std::function<void()>> tasks_;
  StillClock clock_;
  TimerWheel wheel_{0};
};

}  // namespace tandem::test
