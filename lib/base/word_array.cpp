#include "base/word_array.hpp"

#include <sys/mman.h>

#include <cstring>
#include <new>

namespace tandem {
namespace {

constexpr std::size_t line_bytes = WordArray::line_words * sizeof(std::uint32_t);
constexpr std::size_t huge_page_bytes = std::size_t{2} << 20;

std::align_val_t alignment_of(std::size_t bytes) noexcept {
  return std::align_val_t{bytes >= huge_page_bytes ? huge_page_bytes : line_bytes};
}

}  // namespace

WordArray::WordArray(std::size_t size) : size_(size) {
  if (size == 0) return;
  const std::size_t bytes = size * sizeof(std::uint32_t);
  words_ = static_cast<std::uint32_t*>(::operator new(bytes, alignment_of(bytes)));
#ifdef MADV_HUGEPAGE
  // Before the first write, so that the kernel can answer it with a huge page. Advice: a kernel
  // that does not take it leaves a table that is slower and otherwise the same.
  if (bytes >= huge_page_bytes)
    (void)madvise(words_, bytes / huge_page_bytes * huge_page_bytes, MADV_HUGEPAGE);
#endif
  std::memset(words_, 0, bytes);
}

WordArray::~WordArray() {
  if (words_) ::operator delete(words_, alignment_of(size_ * sizeof(std::uint32_t)));
}

}  // namespace tandem
