#include "base/pages.hpp"

#include <sys/mman.h>

#include <cstdint>
#include <new>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

namespace tandem {
namespace {

#if defined(__SANITIZE_ADDRESS__)
// From the heap, where the leak checker finds what the memory points to.
constexpr bool is_mapping = false;
#else
constexpr bool is_mapping = true;
#endif

char* map(std::size_t bytes) {
  void* const memory =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  return static_cast<char*>(memory);
}

}  // namespace

void* map_pages(std::size_t bytes, std::size_t alignment) {
  if (!is_mapping) return ::operator new (bytes, std::align_val_t{alignment});
  if (alignment <= page_bytes) return map(bytes);
  // So much more that an aligned piece lies in it; what is around that goes back at once.
  const std::size_t wide_bytes = bytes + alignment - page_bytes;
  char* const wide = map(wide_bytes);
  const std::size_t before =
      (alignment - reinterpret_cast<std::uintptr_t>(wide) % alignment) % alignment;
  const std::size_t behind = wide_bytes - before - bytes;
  if (before > 0) (void)::munmap(wide, before);
  if (behind > 0) (void)::munmap(wide + before + bytes, behind);
  return wide + before;
}

void unmap_pages(void* memory, std::size_t bytes, std::size_t alignment) noexcept {
  if (!is_mapping) return ::operator delete (memory, std::align_val_t{alignment});
  // Refused where that would split a mapping beyond the system's number of them.
  if (::munmap(memory, bytes) != 0) forget_pages(memory, bytes);
}

void forget_pages(void* memory, std::size_t bytes) noexcept {
  const auto begin = reinterpret_cast<std::uintptr_t>(memory);
  const std::uintptr_t first = (begin + page_bytes - 1) / page_bytes * page_bytes;
  const std::uintptr_t end = (begin + bytes) / page_bytes * page_bytes;
  // Advice: where it is not taken, for a locked page, the memory stays.
  if (first < end) (void)::madvise(reinterpret_cast<void*>(first), end - first, MADV_DONTNEED);
}

void trim_heap() noexcept {
#if defined(__GLIBC__)
  (void)::malloc_trim(0);
#endif
}

}  // namespace tandem
