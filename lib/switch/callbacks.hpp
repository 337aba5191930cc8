// Hands events and questions to the host, on a thread of their own or inside a simulation's
// turn.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <thread>
#include <variant>

#include "base/bounded_queue.hpp"
#include "io/loop.hpp"
#include "tandem/log.hpp"
#include "tandem/switch.hpp"

namespace tandem {

/// Threading: push() is thread-safe; the rest one thread at a time.
class Callbacks {
 public:
  /// `loop`: given in a simulation, where callbacks run as tasks of it; null: a thread is started.
  /// The hooks and the log outlive this object.
  Callbacks(const SwitchHooks& hooks, io::Loop* loop, Log& log);
  ~Callbacks();  ///< close().
  Callbacks(const Callbacks&) = delete;
  Callbacks& operator=(const Callbacks&) = delete;

  /// False: the queue was full and the item was dropped and counted.
  bool push(Event event) noexcept;
  bool push(PolicyQuestion question) noexcept;
  bool push(LrnQuestion question) noexcept;
  [[nodiscard]] std::uint64_t dropped() const noexcept {
    return dropped_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] bool is_callback_thread() const noexcept {
    return std::this_thread::get_id() == thread_.get_id();
  }

  /// Delivers what waits and ends the thread; afterwards no callback runs.
  void close();

 private:
  using Item = std::variant<Event, PolicyQuestion, LrnQuestion>;
  bool push_item(Item item) noexcept;
  void deliver(const Item& item) noexcept;
  void run();

  const SwitchHooks& hooks_;
  io::Loop* const loop_;
  Log& log_;
  BoundedQueue<Item> queue_;
  std::atomic<std::uint64_t> dropped_{0};
  std::atomic<bool> is_closed_{false};
  std::thread thread_;
};

}  // namespace tandem
