#include "route/caller_pool.hpp"

#include <utility>

namespace tandem::route {

namespace {
constexpr int draws_max = 8;  // before free numbers are counted
}  // namespace

CallerPool::CallerPool(std::string_view id, std::vector<std::string> numbers,
                       std::int32_t calls_per_number, PoolRotation rotation, LineCounters& lines,
                       ById<PoolTurn>& turns)
    : numbers_(std::move(numbers)),
      limit_(calls_per_number == 0 ? -1 : calls_per_number),
      rotation_(rotation),
      turn_(turns.of(id)) {
  lines_.reserve(numbers_.size());
  for (const std::string& number : numbers_)
    lines_.push_back(lines.counter(std::string(id) + '|' + number));
}

/// A free number, each equally likely: draws hit one soon unless few are left, which are counted
/// then. With none free any place is as good.
std::size_t CallerPool::random_start(Random& random) const noexcept {
  for (int draw = 0; draw < draws_max; ++draw) {
    const auto index = static_cast<std::size_t>(random.below(numbers_.size()));
    if (is_free(index)) return index;
  }
  std::uint64_t free = 0;
  for (std::size_t i = 0; i < numbers_.size(); ++i)
    free += is_free(i) ? 1 : 0;
  std::uint64_t skipped = random.below(free);
  for (std::size_t i = 0; i < numbers_.size(); ++i) {
    if (is_free(i) && skipped-- == 0) return i;
  }
  return 0;
}

/// Calls `attempt(index)`, which gives a PoolNumber, from the number due on until one is lent.
template <class Try>
PoolNumber CallerPool::find(Random& random, Try&& attempt) const noexcept {
  const std::size_t size = numbers_.size();
  if (size == 0) return {};
  const std::size_t start =
      rotation_ == PoolRotation::random
          ? random_start(random)
          : static_cast<std::size_t>(turn_->next.load(std::memory_order_relaxed) % size);
  for (std::size_t step = 0; step < size; ++step) {
    PoolNumber lent = attempt((start + step) % size);
    if (!lent.number.empty()) return lent;
  }
  return {};
}

PoolNumber CallerPool::take(Random& random) const noexcept {
  return find(random, [&](std::size_t index) {
    LineLease line = lines_[index]->try_take(limit_);
    if (!line) return PoolNumber{};
    turn_->next.store(index + 1, std::memory_order_relaxed);
    return PoolNumber{numbers_[index], std::move(line)};
  });
}

PoolNumber CallerPool::look(Random& random) const noexcept {
  return find(random, [&](std::size_t index) {
    return is_free(index) ? PoolNumber{numbers_[index], {}} : PoolNumber{};
  });
}

}  // namespace tandem::route
