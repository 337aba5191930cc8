#include "media/port_pool.hpp"

#include <algorithm>
#include <utility>

namespace tandem::media {
namespace {

// A source that keeps sending to a closed port may keep it from new calls this long, not for ever:
// else a flood over the range would take every port.
constexpr std::int64_t rest_max_us = 30'000'000;

}  // namespace

PortPool::PortPool(std::uint32_t first_slot, std::size_t pairs, unsigned shards,
                   std::int64_t rest_us, StrayTime stray_time)
    : pairs_(pairs), rest_us_(rest_us), stray_time_(std::move(stray_time)), shards_(shards) {
  for (std::size_t i = 0; i < pairs; ++i)
    unbound_.push_back(first_slot + static_cast<std::uint32_t>(2 * i));
}

std::optional<std::uint32_t> PortPool::take(unsigned shard, std::int64_t now_us) {
  const std::lock_guard lock(mutex_);
  Shard& own = shards_[shard];
  wake_rested(own, now_us);
  if (own.ready.empty()) return std::nullopt;
  const std::uint32_t slot = own.ready.front();
  own.ready.pop_front();
  return slot;
}

void PortPool::give_back(unsigned shard, std::uint32_t slot, bool was_used, std::int64_t now_us) {
  const std::lock_guard lock(mutex_);
  Shard& own = shards_[shard];
  if (was_used) {
    own.resting.push_back({slot, now_us, now_us + rest_us_});
  } else {
    own.ready.push_front(slot);
  }
}

void PortPool::wake_rested(Shard& shard, std::int64_t now_us) {
  // The queue is looked at once round: a pair that still hears its old call goes to the end of it.
  for (std::size_t n = shard.resting.size(); n > 0 && shard.resting.front().until_us <= now_us;
       --n) {
    Resting rested = shard.resting.front();
    shard.resting.pop_front();
    const std::int64_t stray_us = std::max(stray_time_(rested.slot), stray_time_(rested.slot + 1));
    if (stray_us > now_us - rest_us_ && stray_us > rested.since_us &&
        now_us - rested.since_us < rest_max_us) {
      rested.until_us = now_us + rest_us_;
      shard.resting.push_back(rested);
    } else {
      shard.ready.push_back(rested.slot);
    }
  }
}

std::optional<std::uint32_t> PortPool::next_unbound() {
  const std::lock_guard lock(mutex_);
  if (unbound_.empty()) return std::nullopt;
  const std::uint32_t slot = unbound_.front();
  unbound_.pop_front();
  return slot;
}

bool PortPool::reserve(std::uint32_t slot) {
  const std::lock_guard lock(mutex_);
  const auto found = std::find(unbound_.begin(), unbound_.end(), slot);
  if (found == unbound_.end()) return false;
  unbound_.erase(found);
  return true;
}

void PortPool::bound(unsigned shard, std::uint32_t slot, bool is_ready) {
  const std::lock_guard lock(mutex_);
  ++bound_;
  if (is_ready) shards_[shard].ready.push_back(slot);
}

void PortPool::not_bound(std::uint32_t slot) {
  const std::lock_guard lock(mutex_);
  unbound_.push_back(slot);
}

bool PortPool::is_short(unsigned shard, std::size_t wanted) const {
  const std::lock_guard lock(mutex_);
  return !unbound_.empty() && shards_[shard].ready.size() < wanted;
}

std::size_t PortPool::bound_pairs() const {
  const std::lock_guard lock(mutex_);
  return bound_;
}

std::size_t PortPool::resting_pairs() const {
  const std::lock_guard lock(mutex_);
  std::size_t pairs = 0;
  for (const Shard& shard : shards_)
    pairs += shard.resting.size();
  return pairs;
}

}  // namespace tandem::media
