// Gives every event to all feeds, on the thread on which it happens.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "tandem/error.hpp"
#include "tandem/event_feed.hpp"

namespace tandem {

class EventHub;

/// Threading: thread-safe; `mutex_` guards what stands below it.
class EventFeed::Queue {
 public:
  Queue(std::weak_ptr<EventHub> hub, std::size_t capacity) noexcept
      : hub_(std::move(hub)), capacity_(capacity) {}

  /// False: there was no room, and the event counts as lost. Never blocks but for another watcher's
  /// take() that is moving pointers.
  bool push(const std::shared_ptr<const Event>& event) noexcept;
  std::vector<FeedItem> take(std::size_t items_max, std::int64_t wait_us);
  void close() noexcept;
  [[nodiscard]] bool is_over() const;
  [[nodiscard]] std::uint64_t lost() const;
  [[nodiscard]] const std::weak_ptr<EventHub>& hub() const noexcept { return hub_; }

 private:
  const std::weak_ptr<EventHub> hub_;
  const std::size_t capacity_;
  mutable std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<FeedItem> items_;
  std::uint64_t lost_untold_ = 0;  // since the last item
  std::uint64_t lost_ = 0;
  bool is_closed_ = false;
};

/// The feeds of a switch. Threading: thread-safe; `mutex_` guards the list.
class EventHub : public std::enable_shared_from_this<EventHub> {
 public:
  static constexpr std::size_t feeds_max = 64;
  static constexpr std::size_t queue_max = 1'000'000;

  /// Errors: invalid_argument (queue of 0 or more than queue_max), limit (feeds_max), wrong_state
  /// (closed).
  Result<EventFeed> open(std::size_t queue_events);
  void forget(const EventFeed::Queue* queue) noexcept;
  [[nodiscard]] bool has_feeds() const noexcept {
    return count_.load(std::memory_order_relaxed) != 0;
  }
  void publish(Event event) noexcept;
  void close() noexcept;
  [[nodiscard]] std::size_t feeds() const noexcept { return count_.load(); }
  /// Events that feeds were too full for; one that two feeds missed counts twice.
  [[nodiscard]] std::uint64_t lost() const noexcept { return lost_.load(); }

 private:
  std::atomic<std::size_t> count_{0};
  std::atomic<std::uint64_t> lost_{0};
  std::mutex mutex_;
  std::vector<std::shared_ptr<EventFeed::Queue>> feeds_;
  bool is_closed_ = false;
};

}  // namespace tandem
