// Watching the events of a switch, beside its host and beside other watchers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "tandem/call.hpp"
#include "tandem/export.h"

namespace tandem {

/// What a feed hands out: an event and what was lost before it.
struct FeedItem {
  std::uint64_t lost = 0;  ///< Events that came before this one when the queue was full.
  std::shared_ptr<const Event> event;  ///< Null in the last item only: the loss is the newest news.
};

/// The events of one switch from Switch::watch() on, in a queue of its own: a watcher that reads
/// slowly loses events, is told where and how many, and holds up neither calls nor other watchers.
///
/// Threading: thread-safe. It may outlive its switch; then is_over() becomes true.
class TANDEM_EXPORT EventFeed {
 public:
  class Queue;

  EventFeed() noexcept = default;  ///< Of no switch: over.
  explicit EventFeed(std::shared_ptr<Queue> queue) noexcept;
  ~EventFeed();  ///< Stops watching.
  EventFeed(EventFeed&& other) noexcept;
  EventFeed& operator=(EventFeed&& other) noexcept;

  /// Takes up to `items_max` items, oldest first; waits up to `wait_us` for the first one (0: not;
  /// in a simulated world always 0). Empty: nothing came, or the feed is over.
  std::vector<FeedItem> take(std::size_t items_max, std::int64_t wait_us = 0);
  /// The switch is closed and everything was taken.
  [[nodiscard]] bool is_over() const;
  [[nodiscard]] std::uint64_t lost() const;  ///< Since the feed began.

 private:
  std::shared_ptr<Queue> queue_;
};

}  // namespace tandem
