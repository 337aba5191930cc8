// Hierarchical timing wheel: thousands of pending timers, O(1) start and cancel.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tandem {

class TimerWheel;

/// Place of a timer in the ring of its slot; the slot's own link closes the ring.
struct TimerLink {
  TimerLink* next = nullptr;
  TimerLink* previous = nullptr;
};

/// One timer, linked into its wheel by address: neither copied nor moved; cancels itself when
/// destroyed. Threading: loop-bound, like its wheel.
class Timer : private TimerLink {
 public:
  using Callback = void (*)(void* context);

  Timer(Callback callback, void* context) noexcept : callback_(callback), context_(context) {}
  ~Timer() { cancel(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  [[nodiscard]] bool is_pending() const noexcept { return wheel_ != nullptr; }
  void cancel() noexcept;

  /// A callback that does `(object->*Method)()` on the `T` given as context.
  template <auto Method, class T>
  static Callback member() noexcept {
    return [](void* context) { (static_cast<T*>(context)->*Method)(); };
  }

 private:
  friend class TimerWheel;
  TimerWheel* wheel_ = nullptr;
  std::uint64_t expiry_tick_ = 0;
  Callback callback_;
  void* context_;
};

/// 5 levels of 256 slots, 1 ms a tick. A timer never fires early and at most one tick late (plus
/// the delay of advance(); see start_shared()). A delay may be of any length. Timers of one tick
/// fire in the order of their start, of those started less than 34 years ahead: that is the reach
/// of the slots. Threading: loop-bound. No allocation after construction.
class TimerWheel {
 public:
  explicit TimerWheel(std::int64_t now_us) noexcept;
  ~TimerWheel();  // pending timers are left unlinked and never fire
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  /// (Re)starts `timer`, `delay_us` after now_us(). At 0 or less it fires at the next tick, never
  /// inside the advance() that is running unless that one has ticks left to go through.
  void start(Timer& timer, std::int64_t delay_us) noexcept;
  /// As start(), but at a tick that all timers started like this share, one in 16: at most 16 ms
  /// later than asked, and at 0 or less not later. For timers that only release something, of which
  /// a busy loop has thousands a second: they wake it 63 times a second, whatever their number.
  void start_shared(Timer& timer, std::int64_t delay_us) noexcept;

  /// Fires what is due. A callback may start, cancel and destroy any timer, its own too, but not
  /// the wheel. A time before now_us() changes nothing; neither does a call from inside a callback.
  void advance(std::int64_t now_us);

  /// A time at or before the earliest expiry, and after now_us() unless a timer is due: advance()
  /// then, and ask again. Exact when the expiry lies in the running block of 256 ticks. INT64_MAX
  /// when none is pending.
  [[nodiscard]] std::int64_t next_expiry_us() const noexcept;
  [[nodiscard]] std::size_t pending() const noexcept { return pending_; }
  [[nodiscard]] std::int64_t now_us() const noexcept { return now_us_; }

 private:
  friend class Timer;
  static constexpr unsigned levels = 5;
  static constexpr unsigned slots = 256;
  static constexpr unsigned slot_bits = 8;

  // The next tick at which a slot comes up, and that slot.
  struct Stop {
    std::uint64_t tick;
    unsigned level;
    unsigned slot;
  };

  void start_at(Timer& timer, std::uint64_t tick) noexcept;
  [[nodiscard]] std::uint64_t tick_after(std::int64_t delay_us) const noexcept;
  void place(Timer& timer) noexcept;
  void unlink(TimerLink& link) noexcept;
  void cascade(unsigned level, unsigned slot) noexcept;
  [[nodiscard]] Stop next_stop() const noexcept;  // REQUIRES: pending_ > 0

  std::int64_t start_us_;  // monotonic time of tick 0
  std::int64_t now_us_;
  // Invariant: a timer lies on the level of the highest byte in which its expiry differs from
  // tick_. So timers of one tick always share a slot, whenever they were started, and keep their
  // order when it is spread.
  std::uint64_t tick_ = 0;
  std::size_t pending_ = 0;
  bool is_advancing_ = false;
  TimerLink slot_[levels][slots];
  std::uint64_t occupied_[levels][slots / 64] = {};  // a bit for each slot that holds timers
};

}  // namespace tandem
