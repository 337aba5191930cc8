#include "base/large_allocator.hpp"

#include <sys/mman.h>

namespace tandem {
namespace {

constexpr std::size_t line_bytes = 64;
constexpr std::size_t huge_page_bytes = std::size_t{2} << 20;

std::align_val_t alignment_of(std::size_t bytes) noexcept {
  return std::align_val_t{bytes >= huge_page_bytes ? huge_page_bytes : line_bytes};
}

}  // namespace

void* allocate_large(std::size_t bytes) {
  void* const memory = ::operator new(bytes, alignment_of(bytes));
#ifdef MADV_HUGEPAGE
  // Before the first write, so that the kernel can answer it with a huge page. Advice: a kernel
  // that does not take it leaves memory that is slower and otherwise the same.
  if (bytes >= huge_page_bytes)
    (void)madvise(memory, bytes / huge_page_bytes * huge_page_bytes, MADV_HUGEPAGE);
#endif
  return memory;
}

void free_large(void* memory, std::size_t bytes) noexcept {
  ::operator delete(memory, alignment_of(bytes));
}

}  // namespace tandem
