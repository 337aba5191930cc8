// Numbers the distinct prefixes of a table while it is built.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/digits.hpp"
#include "base/large_allocator.hpp"

namespace tandem::route {

/// The texts of prefixes by id, one after the other in one string.
class PrefixTexts {
 public:
  [[nodiscard]] std::size_t size() const noexcept { return ends_.size(); }
  [[nodiscard]] std::string_view operator[](std::uint32_t id) const noexcept {
    const std::size_t begin = id == 0 ? 0 : ends_[id - 1];
    return std::string_view(text_).substr(begin, ends_[id] - begin);
  }
  void push_back(std::string_view prefix) {
    text_ += prefix;
    ends_.push_back(text_.size());
  }
  [[nodiscard]] std::size_t memory_bytes() const noexcept {
    return text_.capacity() + ends_.capacity() * sizeof(std::size_t);
  }

 private:
  std::string text_;
  std::vector<std::size_t> ends_;
};

/// Gives each distinct prefix the next id. Prefixes of up to 16 digits, all but a handful of any
/// deck, are looked up as integers in one flat table. It is larger than the caches and rows come in
/// no order it knows; so prefixes are taken in batches, and the memory of a whole batch is asked
/// for before the first is looked up. Threading: one thread at a time.
class PrefixIds {
 public:
  /// The ids of `prefixes`, each 0..32 characters of R-01, in their order.
  [[nodiscard]] std::vector<std::uint32_t> ids_of(const std::vector<std::string>& prefixes);
  [[nodiscard]] std::size_t size() const noexcept { return texts_.size(); }
  /// Leaves it empty.
  [[nodiscard]] PrefixTexts take_texts() {
    slots_.clear();
    used_ = 0;
    others_.clear();
    return std::exchange(texts_, {});
  }

 private:
  struct Slot {
    std::uint64_t key = 0;  // 0: free.
    std::uint32_t id = 0;
  };
  [[nodiscard]] std::size_t home_of(std::uint64_t key) const noexcept {
    return place_of_code(key, slots_.size());
  }
  [[nodiscard]] std::size_t slot_of(std::uint64_t key) const noexcept;
  std::uint32_t id_of(std::string_view prefix, std::uint64_t key);
  void grow();
  std::uint32_t append(std::string_view prefix);

  PrefixTexts texts_;
  std::vector<Slot, LargeAllocator<Slot>> slots_;  // A power of two, at most half full.
  std::size_t used_ = 0;
  std::unordered_map<std::string, std::uint32_t> others_;
};

}  // namespace tandem::route
