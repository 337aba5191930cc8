#include "route/lines.hpp"

namespace tandem {

LineLoad::~LineLoad() = default;

}  // namespace tandem

namespace tandem::route {

LineLease LineCounter::try_take(int limit) noexcept {
  std::uint32_t current = current_.load(std::memory_order_relaxed);
  // Compare and exchange, not add and undo: an undone attempt would be seen by others as a line
  // taken and could refuse a call that has room.
  do {
    if (limit >= 0 && current >= static_cast<std::uint32_t>(limit)) {
      refused_.fetch_add(1, std::memory_order_relaxed);
      return {};
    }
  } while (!current_.compare_exchange_weak(current, current + 1, std::memory_order_relaxed));
  return LineLease(shared_from_this());
}

std::shared_ptr<LineCounter> LineCounters::counter(std::string_view id) {
  std::lock_guard lock(mutex_);
  auto& counter = counters_[std::string(id)];
  if (!counter) counter = std::make_shared<LineCounter>();
  return counter;
}

std::uint32_t LineCounters::current(std::string_view id) const {
  std::lock_guard lock(mutex_);
  auto found = counters_.find(std::string(id));
  return found == counters_.end() ? 0 : found->second->current();
}

std::size_t LineCounters::forget_unused() {
  std::lock_guard lock(mutex_);
  // use_count 1 is stable here: a second holder could only come from this map, under the lock.
  return std::erase_if(counters_, [](const auto& entry) {
    return entry.second.use_count() == 1 && entry.second->current() == 0;
  });
}

std::size_t LineCounters::size() const {
  std::lock_guard lock(mutex_);
  return counters_.size();
}

VendorLines::VendorLines(const RouteTable& table, LineCounters& counters) {
  counters_.reserve(table.size());
  limits_.reserve(table.size());
  for (std::uint32_t gateway = 0; gateway < table.size(); ++gateway) {
    counters_.push_back(counters.counter(table.gateway_name(gateway)));
    limits_.push_back(table.line_limit(gateway));
  }
}

}  // namespace tandem::route
