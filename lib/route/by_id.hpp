// Live state of provisioned objects by id, which outlives the tables that name them.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace tandem::route {

/// One T for each id, so that a reload keeps what running calls and past ones left. Objects of
/// different kinds that may share ids have a registry each.
///
/// Threading: thread-safe; `mutex_` guards `states_` and is taken while tables are built, never on
/// the call path. A T is shared by threads and must allow that itself.
template <class T>
class ById {
 public:
  /// The state of `id`, made from `arguments` when there is none.
  template <class... Arguments>
  [[nodiscard]] std::shared_ptr<T> of(std::string_view id, Arguments&&... arguments) {
    std::lock_guard lock(mutex_);
    auto& state = states_[std::string(id)];
    if (!state) state = std::make_shared<T>(std::forward<Arguments>(arguments)...);
    return state;
  }

  /// Forgets what nobody holds; returns how many. For use after a new table is published.
  std::size_t forget_unused() {
    std::lock_guard lock(mutex_);
    // use_count 1 is stable here: a second holder could only come from this map, under the lock.
    return std::erase_if(states_, [](const auto& entry) { return entry.second.use_count() == 1; });
  }

  [[nodiscard]] std::size_t size() const {
    std::lock_guard lock(mutex_);
    return states_.size();
  }

 private:
  mutable std::mutex mutex_;
  std::unordered_map<std::string, std::shared_ptr<T>> states_;
};

}  // namespace tandem::route
