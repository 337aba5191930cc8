// What a shard saw, on its way to the host.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "media/packed_address.hpp"
#include "tandem/media_relay.hpp"

namespace tandem::media {

/// A MediaEvent without the host's types.
struct ShardEvent {
  MediaEvent::Kind kind = MediaEvent::Kind::first_packet;
  MediaSide side = MediaSide::caller;
  MediaRefusal refusal = MediaRefusal::none;
  char digit = '\0';
  bool is_end_lost = false;
  std::uint32_t amount =
      0;  ///< duration_ms, silence_ms, loss_permille, refusals, state of a handshake: by kind.
  std::int64_t at_us = 0;
  std::uint64_t tag = 0;
  PackedAddress source;
};

/// A fixed number of events; one that finds no room is dropped and counted.
///
/// Threading: push() and take_news() on the shard; pop() one thread at a time; lost() on any.
class EventRing {
 public:
  /// `kinds`: of MediaConfig::event_kinds.
  explicit EventRing(std::size_t capacity, std::uint32_t kinds = 0)
      : capacity_(std::bit_ceil(capacity)),
        kinds_(kinds != 0 ? kinds : ~std::uint32_t{0}),
        events_(std::make_unique<ShardEvent[]>(capacity_)) {}

  void push(const ShardEvent& event) noexcept {
    if ((kinds_ >> static_cast<unsigned>(event.kind) & 1U) == 0) return;
    const std::size_t pushed = pushed_.load(std::memory_order_relaxed);
    if (pushed - popped_.load(std::memory_order_acquire) == capacity_) {
      lost_.store(lost_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
      return;
    }
    events_[pushed & (capacity_ - 1)] = event;
    pushed_.store(pushed + 1, std::memory_order_release);
    has_news_ = true;
  }
  /// True once after events were pushed.
  bool take_news() noexcept {
    const bool had_news = has_news_;
    has_news_ = false;
    return had_news;
  }
  bool pop(ShardEvent& event) noexcept {
    const std::size_t popped = popped_.load(std::memory_order_relaxed);
    if (popped == pushed_.load(std::memory_order_acquire)) return false;
    event = events_[popped & (capacity_ - 1)];
    popped_.store(popped + 1, std::memory_order_release);
    return true;
  }
  [[nodiscard]] bool is_empty() const noexcept {
    return popped_.load(std::memory_order_relaxed) == pushed_.load(std::memory_order_acquire);
  }
  [[nodiscard]] std::uint64_t lost() const noexcept {
    return lost_.load(std::memory_order_relaxed);
  }

 private:
  const std::size_t capacity_;  // a power of two
  const std::uint32_t kinds_;
  const std::unique_ptr<ShardEvent[]> events_;
  alignas(64) std::atomic<std::size_t> pushed_{0};
  std::atomic<std::uint64_t> lost_{0};
  bool has_news_ = false;
  alignas(64) std::atomic<std::size_t> popped_{0};
};

}  // namespace tandem::media
