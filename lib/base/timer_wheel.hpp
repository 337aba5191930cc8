// Hierarchical timing wheel: thousands of pending timers, O(1) start and cancel.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tandem {

class TimerWheel;

/// One timer, linked into its wheel by address: neither copied nor moved; cancels itself when destroyed.
/// Threading: loop-bound, like its wheel.
class Timer {
 public:
  using Callback = void (*)(void* context);

  Timer(Callback callback, void* context) noexcept : callback_(callback), context_(context) {}
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  [[nodiscard]] bool is_pending() const noexcept { return wheel_ != nullptr; }
  void cancel() noexcept;

  /// A timer that calls `(object->*method)()`.
  template <auto Method, class T>
  static Callback member() noexcept {
    return [](void* context) { (static_cast<T*>(context)->*Method)(); };
  }

 private:
  friend class TimerWheel;
  Timer* next_ = nullptr;
  Timer** link_ = nullptr;  // what points at this timer
  TimerWheel* wheel_ = nullptr;
  std::uint64_t expiry_tick_ = 0;
  Callback callback_;
  void* context_;
};

/// 4 levels of 256 slots, 1 ms a tick, range 2^32 ms. A timer never fires early and at most one tick late
/// (plus the delay of advance()). Timers of one tick fire in the order of their start.
class TimerWheel {
 public:
  explicit TimerWheel(std::int64_t now_us) noexcept;
  ~TimerWheel();  // pending timers are left unlinked and never fire
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  /// (Re)starts `timer`; `delay_us` <= 0 fires at the next advance() that moves time or at the next tick.
  void start(Timer& timer, std::int64_t delay_us) noexcept;

  /// Fires what is due. A callback may start, cancel and destroy any timer, its own too.
  void advance(std::int64_t now_us);

  /// A time at or before the earliest expiry, exact when it is within 256 ms; INT64_MAX when none is pending.
  [[nodiscard]] std::int64_t next_expiry_us() const noexcept;
  [[nodiscard]] std::size_t pending() const noexcept { return pending_; }
  [[nodiscard]] std::int64_t now_us() const noexcept { return now_us_; }

 private:
  friend class Timer;
  static constexpr unsigned levels = 4;
  static constexpr unsigned slots = 256;
  struct Slot {
    Timer* first = nullptr;
    Timer** last = nullptr;  // where the next timer is appended
  };

  void place(Timer& timer) noexcept;
  static void append(Slot& slot, Timer& timer) noexcept;
  void unlink(Timer& timer) noexcept;
  void cascade(unsigned level) noexcept;

  std::int64_t start_us_;  // monotonic time of tick 0
  std::int64_t now_us_;
  std::uint64_t tick_ = 0;
  std::size_t pending_ = 0;
  Slot slot_[levels][slots];
  std::uint64_t occupied_[levels][slots / 64] = {};  // a bit for each slot that may hold timers
};

}  // namespace tandem
