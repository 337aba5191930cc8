#include "switch/event_hub.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <string>
#include <utility>

namespace tandem {

// --- one queue ---

bool EventFeed::Queue::push(const std::shared_ptr<const Event>& event) noexcept {
  const std::lock_guard lock(mutex_);
  if (is_closed_) return true;
  bool has_room = items_.size() < capacity_;
  if (has_room) {
    try {
      items_.push_back({lost_untold_, event});
      lost_untold_ = 0;
    } catch (const std::exception&) {  // no memory: lost like any other
      has_room = false;
    }
  }
  if (!has_room) {
    ++lost_untold_;
    ++lost_;
  }
  ready_.notify_one();
  return has_room;
}

std::vector<FeedItem> EventFeed::Queue::take(std::size_t items_max, std::int64_t wait_us) {
  std::vector<FeedItem> taken;
  std::unique_lock lock(mutex_);
  const auto has_news = [this] { return is_closed_ || !items_.empty() || lost_untold_ != 0; };
  if (wait_us > 0) ready_.wait_for(lock, std::chrono::microseconds(wait_us), has_news);
  const std::size_t count = std::min(items_max, items_.size());
  taken.reserve(count + 1);
  for (std::size_t i = 0; i < count; ++i) {
    taken.push_back(std::move(items_.front()));
    items_.pop_front();
  }
  if (items_.empty() && lost_untold_ != 0 && count < items_max)
    taken.push_back({std::exchange(lost_untold_, 0), nullptr});
  return taken;
}

void EventFeed::Queue::close() noexcept {
  {
    const std::lock_guard lock(mutex_);
    is_closed_ = true;
  }
  ready_.notify_all();
}

bool EventFeed::Queue::is_over() const {
  const std::lock_guard lock(mutex_);
  return is_closed_ && items_.empty() && lost_untold_ == 0;
}

std::uint64_t EventFeed::Queue::lost() const {
  const std::lock_guard lock(mutex_);
  return lost_;
}

// --- all of them ---

Result<EventFeed> EventHub::open(std::size_t queue_events) {
  if (queue_events == 0 || queue_events > queue_max) {
    return Error{ErrorCode::invalid_argument, "a queue of " + std::to_string(queue_events) +
                                                  " events is not in 1.." +
                                                  std::to_string(queue_max)};
  }
  const std::lock_guard lock(mutex_);
  if (is_closed_) return Error{ErrorCode::wrong_state, "switch was closed"};
  if (feeds_.size() >= feeds_max) {
    return Error{ErrorCode::limit,
                 "all " + std::to_string(feeds_max) + " feeds of events were in use"};
  }
  feeds_.push_back(std::make_shared<EventFeed::Queue>(weak_from_this(), queue_events));
  count_.store(feeds_.size());
  return EventFeed(feeds_.back());
}

void EventHub::forget(const EventFeed::Queue* queue) noexcept {
  const std::lock_guard lock(mutex_);
  std::erase_if(feeds_, [queue](const auto& feed) { return feed.get() == queue; });
  count_.store(feeds_.size());
}

void EventHub::publish(Event event) noexcept {
  std::shared_ptr<const Event> shared;
  try {
    shared = std::make_shared<const Event>(std::move(event));
  } catch (const std::exception&) {  // no memory; a null event counts as lost below
  }
  const std::lock_guard lock(mutex_);
  for (const auto& feed : feeds_) {
    if (shared == nullptr || !feed->push(shared)) lost_.fetch_add(1, std::memory_order_relaxed);
  }
}

void EventHub::close() noexcept {
  const std::lock_guard lock(mutex_);
  is_closed_ = true;
  for (const auto& feed : feeds_)
    feed->close();
  feeds_.clear();
  count_.store(0);
}

// --- the public handle ---

EventFeed::EventFeed(std::shared_ptr<Queue> queue) noexcept : queue_(std::move(queue)) {}

EventFeed::~EventFeed() {
  if (queue_ == nullptr) return;
  if (const auto hub = queue_->hub().lock()) hub->forget(queue_.get());
}

EventFeed::EventFeed(EventFeed&& other) noexcept = default;

EventFeed& EventFeed::operator=(EventFeed&& other) noexcept {
  std::swap(queue_, other.queue_);
  return *this;
}

std::vector<FeedItem> EventFeed::take(std::size_t items_max, std::int64_t wait_us) {
  return queue_ != nullptr ? queue_->take(items_max, wait_us) : std::vector<FeedItem>();
}
bool EventFeed::is_over() const { return queue_ == nullptr || queue_->is_over(); }
std::uint64_t EventFeed::lost() const { return queue_ != nullptr ? queue_->lost() : 0; }

}  // namespace tandem
