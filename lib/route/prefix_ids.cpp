#include "route/prefix_ids.hpp"

#include <algorithm>
#include <array>

namespace tandem::route {
namespace {

constexpr std::size_t batch_prefixes = 64;

/// Up to 16 digits as one integer, never 0; 0 for anything else.
std::uint64_t key_of(std::string_view prefix) noexcept {
  const auto code = code_of_digits(prefix);
  return code ? *code + 1 : 0;
}

}  // namespace

std::size_t PrefixIds::slot_of(std::uint64_t key) const noexcept {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = home_of(key);
  while (slots_[at].key != 0 && slots_[at].key != key)
    at = (at + 1) & mask;
  return at;
}

void PrefixIds::grow() {
  decltype(slots_) old(slots_.empty() ? 1024 : slots_.size() * 2);
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

std::uint32_t PrefixIds::id_of(std::string_view prefix, std::uint64_t key) {
  if (key == 0) {
    const auto [found, is_new] = others_.try_emplace(std::string(prefix), 0);
    if (is_new) found->second = append(prefix);
    return found->second;
  }
  Slot& slot = slots_[slot_of(key)];
  if (slot.key == 0) {
    slot = {key, append(prefix)};
    ++used_;
  }
  return slot.id;
}

std::vector<std::uint32_t> PrefixIds::ids_of(const std::vector<std::string>& prefixes) {
  std::vector<std::uint32_t> ids;
  ids.reserve(prefixes.size());
  std::array<std::uint64_t, batch_prefixes> keys{};
  for (std::size_t first = 0; first < prefixes.size(); first += batch_prefixes) {
    const std::size_t count = std::min(batch_prefixes, prefixes.size() - first);
    while ((used_ + count) * 2 > slots_.size())
      grow();
    for (std::size_t i = 0; i < count; ++i) {
      keys[i] = key_of(prefixes[first + i]);
      __builtin_prefetch(&slots_[home_of(keys[i])]);
    }
    for (std::size_t i = 0; i < count; ++i)
      ids.push_back(id_of(prefixes[first + i], keys[i]));
  }
  return ids;
}

}  // namespace tandem::route
