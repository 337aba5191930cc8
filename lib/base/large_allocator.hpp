// The memory of large look-up tables.
#pragma once

#include <cstddef>
#include <limits>
#include <new>

namespace tandem {

/// Memory that begins on a cache line; in huge pages where it is large enough for them. A table of
/// ten megabytes takes more 4 KiB pages than the processor remembers translations of, and a look-up
/// would then pay for reading page tables, too. Throws std::bad_alloc.
/// Ownership: the caller's, who gives it back with the same size. Threading: thread-safe.
[[nodiscard]] void* allocate_large(std::size_t bytes);
void free_large(void* memory, std::size_t bytes) noexcept;

/// Allocator of containers that many random look-ups read. For containers that are built once: huge
/// pages are a waste where a vector grows.
template <class T>
struct LargeAllocator {
  using value_type = T;
  static_assert(alignof(T) <= 64);

  LargeAllocator() noexcept = default;
  template <class U>
  LargeAllocator(const LargeAllocator<U>&) noexcept {}

  [[nodiscard]] T* allocate(std::size_t count) {
    if (count > std::numeric_limits<std::size_t>::max() / sizeof(T))
      throw std::bad_array_new_length();
    return static_cast<T*>(allocate_large(count * sizeof(T)));
  }
  void deallocate(T* memory, std::size_t count) noexcept { free_large(memory, count * sizeof(T)); }
  bool operator==(const LargeAllocator&) const noexcept { return true; }
};

}  // namespace tandem
