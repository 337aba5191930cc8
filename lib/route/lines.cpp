#include "route/lines.hpp"

namespace tandem {

LineLoad::~LineLoad() = default;

}  // namespace tandem

namespace tandem::route {

bool LineCounter::try_add(int limit) noexcept {
  std::uint32_t current = current_.load(std::memory_order_relaxed);
  // Compare and exchange, not add and undo: an undone attempt would be seen by others as a line
  // taken and could refuse a call that has room.
  do {
    if (limit >= 0 && current >= static_cast<std::uint32_t>(limit)) {
      refused_.fetch_add(1, std::memory_order_relaxed);
      return false;
    }
  } while (!current_.compare_exchange_weak(current, current + 1, std::memory_order_relaxed));
  return true;
}

LineLease LineCounter::try_take(int limit) noexcept {
  return try_add(limit) ? LineLease(shared_from_this()) : LineLease();
}

LineLease GatewayLines::try_take(int limit, std::int64_t wall_us) const noexcept {
  LineLease lease = own_->try_take(limit);
  if (!lease || groups_ == nullptr) return lease;
  for (const GroupShare& share : *groups_) {
    if (share.lines().try_add(share.limit_at(wall_us))) continue;
    for (const GroupShare& taken : *groups_) {
      if (&taken == &share) break;
      taken.lines().give_back();
    }
    return {};
  }
  lease.groups_ = groups_;
  return lease;
}

bool GatewayLines::has_room(int limit, std::int64_t wall_us) const noexcept {
  return own_->has_room(limit) &&
         (groups_ == nullptr ||
          std::all_of(groups_->begin(), groups_->end(), [wall_us](const GroupShare& share) {
            return share.lines().has_room(share.limit_at(wall_us));
          }));
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

VendorLines::VendorLines(const RouteTable& table, LineCounters& counters,
                         const GroupsOf& groups_of) {
  lines_.reserve(table.size());
  limits_.reserve(table.size());
  for (std::uint32_t gateway = 0; gateway < table.size(); ++gateway) {
    const std::string_view name = table.gateway_name(gateway);
    lines_.emplace_back(counters.counter(name),
                        groups_of ? groups_of(name) : std::vector<GroupShare>());
    limits_.push_back(table.line_limit(gateway));
  }
}

}  // namespace tandem::route
