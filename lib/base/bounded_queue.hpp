// A queue between threads that never grows beyond its bound and counts what it turned away.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <mutex>
#include <utility>
#include <vector>

namespace tandem {

/// Many producers, one consumer that takes all there is at once.
/// Threading: thread-safe; `mutex_` guards every other member.
template <class T>
class BoundedQueue {
 public:
  /// `capacity`: elements that may wait, at least 1.
  explicit BoundedQueue(std::size_t capacity) : capacity_(capacity ? capacity : 1) {}

  /// False when the queue is full or closed: `element` is untouched then, and counted as dropped.
  [[nodiscard]] bool try_push(T&& element) {
    {
      const std::lock_guard lock(mutex_);
      if (is_closed_ || elements_.size() >= capacity_) {
        ++dropped_;
        return false;
      }
      elements_.push_back(std::move(element));
      if (elements_.size() > 1)
        return true;  // the consumer was told of the first and has not come yet
    }
    ready_.notify_one();
    return true;
  }
  [[nodiscard]] bool try_push(const T& element) { return try_push(T(element)); }

  /// Appends all that waits to `out`, in order of arrival; waits for something to arrive.
  /// False once the queue is closed and empty.
  bool pop_all(std::vector<T>& out) {
    std::unique_lock lock(mutex_);
    ready_.wait(lock, [this] { return is_closed_ || !elements_.empty(); });
    return take(out);
  }

  /// The same, but returns true with nothing appended after `wait_us`, or at once for 0.
  bool pop_all_for(std::vector<T>& out, std::int64_t wait_us) {
    std::unique_lock lock(mutex_);
    const auto has_news = [this] { return is_closed_ || !elements_.empty(); };
    if (!ready_.wait_for(lock, std::chrono::microseconds(wait_us), has_news)) return true;
    return take(out);
  }

  /// No element is taken in any more; what waits can still be popped. Wakes the consumer.
  void close() noexcept {
    {
      const std::lock_guard lock(mutex_);
      is_closed_ = true;
    }
    ready_.notify_all();
  }

  [[nodiscard]] std::size_t size() const {
    const std::lock_guard lock(mutex_);
    return elements_.size();
  }
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
  [[nodiscard]] std::uint64_t dropped() const {
    const std::lock_guard lock(mutex_);
    return dropped_;
  }

 private:
  bool take(std::vector<T>& out) {
    if (elements_.empty()) return false;
    if (out.empty()) {
      out.swap(
          elements_);  // the two buffers go back and forth, so that steady work allocates nothing
    } else {
      out.insert(out.end(), std::make_move_iterator(elements_.begin()),
                 std::make_move_iterator(elements_.end()));
      elements_.clear();
    }
    return true;
  }

  mutable std::mutex mutex_;
  std::condition_variable ready_;
  std::vector<T> elements_;
  const std::size_t capacity_;
  std::uint64_t dropped_ = 0;
  bool is_closed_ = false;
};

}  // namespace tandem
