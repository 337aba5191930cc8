// Tables that no call uses any more, until a thread that has time frees them.
#pragma once

#include <atomic>
#include <exception>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "call/tables.hpp"

namespace tandem::call {

/// Freeing ten million rows takes a worker longer than a call may wait, and whoever drops the last
/// reference would do it: often the last call that began before a reload. So that only hands the
/// tables over here. Threading: thread-safe; `mutex_` guards `waiting_` and is held for a moment.
class RetiredTables : public std::enable_shared_from_this<RetiredTables> {
 public:
  /// The same tables, which come here when they are used no more.
  [[nodiscard]] std::shared_ptr<const Tables> watch(std::shared_ptr<const Tables> tables) {
    const Tables* const raw = tables.get();
    return {raw, [held = std::move(tables), here = shared_from_this()](const Tables*) mutable {
              here->take(std::move(held));
            }};
  }

  /// Frees what waits. Returns how many tables that were.
  std::size_t free_all() {
    std::vector<std::shared_ptr<const Tables>> freed;
    const std::lock_guard lock(mutex_);
    freed.swap(waiting_);
    return freed.size();  // `freed` ends after the lock: it was made before it
  }

  /// From now on nobody calls free_all(): what comes is freed at once, and so is what waits.
  void close() {
    is_closed_.store(true);
    free_all();
  }

 private:
  void take(std::shared_ptr<const Tables> tables) noexcept {
    if (is_closed_.load()) return;
    try {
      const std::lock_guard lock(mutex_);
      waiting_.push_back(std::move(tables));
    } catch (const std::exception&) {  // no memory for the list: freed here after all
    }
  }

  std::mutex mutex_;
  std::vector<std::shared_ptr<const Tables>> waiting_;
  std::atomic<bool> is_closed_{false};
};

}  // namespace tandem::call
