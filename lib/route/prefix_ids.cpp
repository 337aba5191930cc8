#include "route/prefix_ids.hpp"

namespace tandem::route {
namespace {

constexpr std::size_t key_digits_max = 15;

/// Digits and their number as one integer, never 0; 0 for what is not 0..15 digits.
std::uint64_t key_of(std::string_view prefix) noexcept {
  if (prefix.size() > key_digits_max) return 0;
  std::uint64_t value = 0;
  for (char c : prefix) {
    if (c < '0' || c > '9') return 0;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return (value << 4 | prefix.size()) + 1;
}

}  // namespace

std::size_t PrefixIds::slot_of(std::uint64_t key) const noexcept {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = (key * 0x9E3779B97F4A7C15ULL >> 20) & mask;
  while (slots_[at].key != 0 && slots_[at].key != key)
    at = (at + 1) & mask;
  return at;
}

void PrefixIds::grow() {
  std::vector<Slot> old(slots_.empty() ? 1024 : slots_.size() * 2);
  old.swap(slots_);
  for (const Slot& slot : old) {
    if (slot.key != 0) slots_[slot_of(slot.key)] = slot;
  }
}

std::uint32_t PrefixIds::append(std::string_view prefix) {
  const auto id = static_cast<std::uint32_t>(texts_.size());
  texts_.push_back(prefix);
  return id;
}

std::uint32_t PrefixIds::id_of(std::string_view prefix) {
  const std::uint64_t key = key_of(prefix);
  if (key == 0) {
    const auto [found, is_new] = others_.try_emplace(std::string(prefix), 0);
    if (is_new) found->second = append(prefix);
    return found->second;
  }
  if (used_ * 2 >= slots_.size()) grow();
  Slot& slot = slots_[slot_of(key)];
  if (slot.key == 0) {
    slot = {key, append(prefix)};
    ++used_;
  }
  return slot.id;
}

}  // namespace tandem::route
