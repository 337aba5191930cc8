#include "sip/arrivals.hpp"

#include <algorithm>

namespace tandem::sip {

Arrivals::Arrivals(std::size_t count_max, std::size_t bytes_max)
    : count_max_(std::max<std::size_t>(count_max, 1)), bytes_max_(bytes_max) {}

bool Arrivals::push(const Path& path, std::string_view bytes, std::int64_t now_us,
                    bool is_about_one) {
  const std::size_t times = is_about_one ? 2 : 1;
  if (count_ >= times * count_max_ || bytes_ + bytes.size() > times * bytes_max_) return false;
  if (count_ == slots_.size()) {
    // Unrolled, so that the new slots stand behind the last one. Most workers never need any.
    std::rotate(slots_.begin(), slots_.begin() + static_cast<std::ptrdiff_t>(first_), slots_.end());
    first_ = 0;
    slots_.resize(std::min(std::max<std::size_t>(16, 2 * slots_.size()), 2 * count_max_));
  }
  Arrival& slot = slots_[(first_ + count_) % slots_.size()];
  slot.path = path;
  slot.bytes.assign(bytes);
  slot.at_us = now_us;
  bytes_ += bytes.size();
  ++count_;
  return true;
}

void Arrivals::pop() noexcept {
  Arrival& slot = slots_[first_];
  bytes_ -= slot.bytes.size();
  slot.bytes.clear();
  if (slot.bytes.capacity() > kept_bytes_max) std::string().swap(slot.bytes);
  first_ = (first_ + 1) % slots_.size();
  --count_;
}

}  // namespace tandem::sip
