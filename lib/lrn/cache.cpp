#include "lrn/cache.hpp"

#include <algorithm>
#include <utility>

namespace tandem::lrn {

Cache::Cache(std::size_t entries_max, std::int64_t good_for_us)
    : entries_max_(std::max<std::size_t>(1, (entries_max + parts - 1) / parts)),
      good_for_us_(good_for_us) {}

std::optional<LrnRecord> Cache::find(std::string_view number, std::int64_t now_us) const {
  const Part& part = parts_[part_of(number)];
  const std::lock_guard lock(part.mutex);
  const auto found = part.by_number.find(number);
  if (found == part.by_number.end() || now_us - found->second->at_us >= good_for_us_)
    return std::nullopt;
  return found->second->record;
}

void Cache::put(std::string_view number, const LrnRecord& record, std::int64_t now_us) {
  if (good_for_us_ <= 0) return;
  Part& part = parts_[part_of(number)];
  const std::lock_guard lock(part.mutex);
  if (const auto known = part.by_number.find(number); known != part.by_number.end()) {
    known->second->record = record;
    known->second->at_us = now_us;
    part.entries.splice(part.entries.end(), part.entries, known->second);
    return;
  }
  if (part.entries.size() >= entries_max_) {
    part.by_number.erase(part.entries.front().number);
    part.entries.pop_front();
  }
  part.entries.push_back({std::string(number), record, now_us});
  part.by_number.emplace(part.entries.back().number, std::prev(part.entries.end()));
}

std::size_t Cache::size() const {
  std::size_t sum = 0;
  for (const Part& part : parts_) {
    const std::lock_guard lock(part.mutex);
    sum += part.entries.size();
  }
  return sum;
}

}  // namespace tandem::lrn
