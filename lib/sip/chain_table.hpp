// A hash table that grows and shrinks by one bucket at a time.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <new>

#include "base/pages.hpp"
#include "sip/chunks.hpp"

namespace tandem::sip {

/// Entries in chains by a hash that they keep, linked through themselves: `Next` to the next one,
/// `Link` to what points at them (null: in no table).
///
/// Linear hashing: an insertion divides four buckets at most, an upkeep joins some, so no request
/// waits for a rehash, and the memory follows the number of entries both ways. The addresses of the
/// largest table are there from the start; pages that no bucket of today lies in take no memory.
///
/// Threading: one thread at a time.
template <class T, std::uint64_t T::*Hash, T* T::*Next, T** T::*Link>
class ChainTable {
 public:
  static constexpr std::size_t buckets_min = 1024;
  /// So many that a look-up which finds nothing seldom has to read an entry.
  static constexpr std::size_t buckets_per_entry = 4;

  /// Never more than `buckets_max` buckets, a power of two and at least buckets_min.
  explicit ChainTable(std::size_t buckets_max)
      : buckets_max_(buckets_max),
        bucket_(static_cast<T**>(map_pages(bytes(buckets_max)))),
        size_(buckets_min),
        touched_(buckets_min) {
    std::fill_n(bucket_, buckets_min, nullptr);
  }
  ~ChainTable() { unmap_pages(bucket_, bytes(buckets_max_)); }
  ChainTable(const ChainTable&) = delete;
  ChainTable& operator=(const ChainTable&) = delete;

  void insert(T& entry) noexcept {
    ++entries_;
    is_shrinking_ = is_shrinking_ && size_ >= buckets_per_entry * entries_;
    for (std::size_t i = 0;
         i < buckets_per_entry && size_ < std::min(buckets_per_entry * entries_, buckets_max_); ++i)
      divide();
    push(bucket_[index_of(entry.*Hash)], entry);
  }
  /// One that is in no table is left alone.
  void remove(T& entry) noexcept {
    if (entry.*Link == nullptr) return;
    unlink(entry);
    --entries_;
  }
  /// The first of a chain that has all entries of this hash.
  [[nodiscard]] T* chain(std::uint64_t hash) const noexcept { return bucket_[index_of(hash)]; }

  [[nodiscard]] std::size_t buckets() const noexcept { return size_; }
  [[nodiscard]] std::size_t bytes_held() const noexcept { return bytes(touched_); }
  /// As small as it gets.
  [[nodiscard]] bool is_settled() const noexcept { return touched_ == buckets_min; }

  /// Joins buckets once there are four times as many as insert() makes, or no entry at all, as far
  /// as `upkeep` goes.
  /// Between the two a load may go up and down without any work.
  void keep_up(Upkeep& upkeep) noexcept {
    const std::size_t wanted =
        std::max(buckets_min, std::bit_ceil(2 * buckets_per_entry * entries_));
    // Who has nothing to find comes to rest, so that its owner need not look after it any more.
    is_shrinking_ = is_shrinking_ || size_ >= 2 * wanted || entries_ == 0;
    for (; is_shrinking_ && size_ > wanted && upkeep.merges > 0; --upkeep.merges)
      join();
    if (is_shrinking_ && size_ > wanted) return;
    is_shrinking_ = false;
    if (touched_ == size_) return;
    forget_pages(bucket_ + size_, bytes(touched_) - size_ * sizeof(T*));
    touched_ = size_;
  }

 private:
  static constexpr std::size_t bytes(std::size_t buckets) noexcept {
    return (buckets * sizeof(T*) + page_bytes - 1) / page_bytes * page_bytes;
  }
  [[nodiscard]] std::size_t index_of(std::uint64_t hash) const noexcept {
    const std::size_t index = hash & mask_;
    return index < size_ ? index : index & mask_ >> 1U;
  }
  static void push(T*& bucket, T& entry) noexcept {
    entry.*Next = bucket;
    entry.*Link = &bucket;
    if (bucket != nullptr) bucket->*Link = &(entry.*Next);
    bucket = &entry;
  }
  static void unlink(T& entry) noexcept {
    *(entry.*Link) = entry.*Next;
    if (entry.*Next != nullptr) (entry.*Next)->*Link = entry.*Link;
    entry.*Next = nullptr;
    entry.*Link = nullptr;
  }
  void set_size(std::size_t size) noexcept {
    size_ = size;
    mask_ = std::bit_ceil(size) - 1;
    touched_ = std::max(touched_, size);
  }
  /// The bucket whose entries move when bucket `last` comes or goes.
  static std::size_t partner_of(std::size_t last) noexcept { return last - std::bit_floor(last); }
  void divide() noexcept {
    const std::size_t last = size_;
    T* entry = bucket_[partner_of(last)];
    bucket_[last] = nullptr;
    set_size(last + 1);
    while (entry != nullptr) {
      T* const next = entry->*Next;
      if (index_of(entry->*Hash) == last) {
        unlink(*entry);
        push(bucket_[last], *entry);
      }
      entry = next;
    }
  }
  void join() noexcept {
    const std::size_t last = size_ - 1;
    T*& partner = bucket_[partner_of(last)];
    while (T* const entry = bucket_[last]) {
      unlink(*entry);
      push(partner, *entry);
    }
    set_size(last);
  }

  std::size_t buckets_max_;
  T** bucket_;
  std::size_t size_;  // buckets of today
  std::size_t mask_ = buckets_min - 1;
  std::size_t touched_;  // buckets that have been written to since their pages were given back
  std::size_t entries_ = 0;
  bool is_shrinking_ = false;  // an upkeep began, and has not come to the end
};

}  // namespace tandem::sip
