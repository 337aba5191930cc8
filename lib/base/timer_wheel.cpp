#include "base/timer_wheel.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <limits>

namespace tandem {
namespace {

constexpr std::int64_t tick_us = 1000;
constexpr std::uint64_t shared_ticks = 16;
// Keeps now + delay inside int64 whatever a caller asks for: 146,000 years.
constexpr std::int64_t delay_us_max = std::numeric_limits<std::int64_t>::max() / 2;
// Furthest slot of the top level that is not the current one.
constexpr std::uint64_t reach_ticks = 255ULL << 32;

}  // namespace

void Timer::cancel() noexcept {
  if (wheel_) wheel_->unlink(*this);
}

TimerWheel::TimerWheel(std::int64_t now_us) noexcept : start_us_(now_us), now_us_(now_us) {
  for (auto& level : slot_) {
    for (TimerLink& ring : level)
      ring.next = ring.previous = &ring;
  }
}

TimerWheel::~TimerWheel() {
  for (auto& level : slot_) {
    for (TimerLink& ring : level) {
      while (ring.next != &ring)
        unlink(*ring.next);
    }
  }
}

/// The first tick at or after the delay, and after the present one.
std::uint64_t TimerWheel::tick_after(std::int64_t delay_us) const noexcept {
  delay_us = std::clamp<std::int64_t>(delay_us, 0, delay_us_max);
  const std::int64_t offset_us = now_us_ - start_us_;
  return std::max(static_cast<std::uint64_t>((offset_us + delay_us + tick_us - 1) / tick_us),
                  tick_ + 1);
}

void TimerWheel::start_at(Timer& timer, std::uint64_t tick) noexcept {
  timer.cancel();
  timer.expiry_tick_ = tick;
  timer.wheel_ = this;
  ++pending_;
  place(timer);
}

void TimerWheel::start(Timer& timer, std::int64_t delay_us) noexcept {
  start_at(timer, tick_after(delay_us));
}

void TimerWheel::start_shared(Timer& timer, std::int64_t delay_us) noexcept {
  if (delay_us <= 0) return start(timer, delay_us);
  start_at(timer, (tick_after(delay_us) + shared_ticks - 1) / shared_ticks * shared_ticks);
}

void TimerWheel::place(Timer& timer) noexcept {
  // A timer beyond the reach waits in the furthest slot and is placed again when that comes up.
  const std::uint64_t tick = std::min(timer.expiry_tick_, tick_ + reach_ticks);
  const std::uint64_t difference = tick ^ tick_;
  const unsigned highest_byte = difference ? (63 - std::countl_zero(difference)) / slot_bits : 0;
  const unsigned level = std::min(highest_byte, levels - 1);
  const unsigned slot = tick >> (level * slot_bits) & (slots - 1);
  TimerLink& ring = slot_[level][slot];
  TimerLink& link = timer;
  link.next = &ring;
  link.previous = ring.previous;
  ring.previous->next = &link;
  ring.previous = &link;
  occupied_[level][slot / 64] |= 1ULL << slot % 64;
}

void TimerWheel::unlink(TimerLink& link) noexcept {
  auto& timer = static_cast<Timer&>(link);
  TimerLink* const neighbour = link.next;
  link.previous->next = link.next;
  link.next->previous = link.previous;
  if (neighbour->next == neighbour) {  // only the slot's own link is left in the ring
    const auto index = static_cast<std::size_t>(neighbour - &slot_[0][0]);
    occupied_[index / slots][index % slots / 64] &= ~(1ULL << index % 64);
  }
  link.next = link.previous = nullptr;
  timer.wheel_ = nullptr;
  --pending_;
}

void TimerWheel::cascade(unsigned level, unsigned slot) noexcept {
  TimerLink& ring = slot_[level][slot];
  TimerLink* link = ring.next;
  ring.next = ring.previous = &ring;
  occupied_[level][slot / 64] &= ~(1ULL << slot % 64);
  while (link != &ring) {
    TimerLink* const next = link->next;
    place(static_cast<Timer&>(*link));
    link = next;
  }
}

TimerWheel::Stop TimerWheel::next_stop() const noexcept {
  for (unsigned level = 0; level < levels; ++level) {
    const unsigned shift = level * slot_bits;
    const unsigned current = tick_ >> shift & (slots - 1);
    // The top level goes round; on the others no occupied slot is behind the current one.
    const unsigned last = level == levels - 1 ? current + slots - 1 : slots - 1;
    for (unsigned i = current + 1; i <= last;) {
      const unsigned slot = i % slots;
      const std::uint64_t bits = occupied_[level][slot / 64] >> slot % 64;
      if (bits == 0) {
        i += 64 - slot % 64;
        continue;
      }
      i += static_cast<unsigned>(std::countr_zero(bits));
      if (i > last) break;
      const std::uint64_t block = tick_ >> (shift + slot_bits) << slot_bits;
      return {(block + i) << shift, level, i % slots};
    }
  }
  assert(false && "a pending timer is in no slot");
  return {std::numeric_limits<std::uint64_t>::max(), 0, 0};
}

void TimerWheel::advance(std::int64_t now_us) {
  if (is_advancing_ || now_us <= now_us_) return;
  // Also when a callback throws: then what was due with it comes one tick later.
  struct Turn {
    TimerWheel& wheel;
    explicit Turn(TimerWheel& turning) noexcept : wheel(turning) { wheel.is_advancing_ = true; }
    ~Turn() {
      TimerLink& due = wheel.slot_[0][wheel.tick_ & (slots - 1)];
      while (due.next != &due)
        wheel.start(static_cast<Timer&>(*due.next), 0);
      wheel.is_advancing_ = false;
    }
  };
  const Turn turn(*this);
  now_us_ = now_us;
  const auto target = static_cast<std::uint64_t>((now_us - start_us_) / tick_us);
  while (pending_ > 0) {
    const Stop stop = next_stop();
    if (stop.tick > target) break;
    tick_ = stop.tick;
    if (stop.level > 0) cascade(stop.level, stop.slot);
    // What a callback starts now expires after this tick, so this ring only shrinks.
    TimerLink& due = slot_[0][tick_ & (slots - 1)];
    while (due.next != &due) {
      auto& timer = static_cast<Timer&>(*due.next);
      const Timer::Callback callback = timer.callback_;
      void* const context = timer.context_;
      unlink(timer);
      callback(context);
    }
  }
  tick_ = std::max(tick_, target);
}

std::int64_t TimerWheel::next_expiry_us() const noexcept {
  if (pending_ == 0) return std::numeric_limits<std::int64_t>::max();
  const std::uint64_t tick = next_stop().tick;
  if (tick > static_cast<std::uint64_t>(delay_us_max / tick_us)) {
    return std::numeric_limits<std::int64_t>::max() - 1;
  }
  return start_us_ + static_cast<std::int64_t>(tick) * tick_us;
}

}  // namespace tandem
