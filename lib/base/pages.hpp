// Memory straight from the system, which gets it back when it is given up.
#pragma once

#include <cstddef>

namespace tandem {

inline constexpr std::size_t page_bytes = 4096;

/// `bytes` of memory that begin at a multiple of `alignment`, both multiples of page_bytes and the
/// second a power of two. Pages that nobody has written to read as zero and take no memory, but for
/// a build with the address sanitizer, which has them from the heap. Throws std::bad_alloc.
/// Ownership: the caller's, who gives it back with the same size. Threading: thread-safe.
[[nodiscard]] void* map_pages(std::size_t bytes, std::size_t alignment = page_bytes);
void unmap_pages(void* memory, std::size_t bytes, std::size_t alignment = page_bytes) noexcept;
/// Gives back what the whole pages of a part of such memory hold; the addresses stay usable, and
/// what they hold then is not defined.
void forget_pages(void* memory, std::size_t bytes) noexcept;

/// Room for bytes that are written before they are read. What nobody has written to takes no
/// memory. Threading: one thread at a time.
class PageBuffer {
 public:
  PageBuffer() = default;
  ~PageBuffer() { clear(); }
  PageBuffer(const PageBuffer&) = delete;
  PageBuffer& operator=(const PageBuffer&) = delete;

  /// At least `bytes`; what was in it is lost where it grows. Throws std::bad_alloc.
  char* reserve(std::size_t bytes) {
    if (bytes > bytes_) {
      clear();
      const std::size_t rounded = (bytes + page_bytes - 1) / page_bytes * page_bytes;
      data_ = static_cast<char*>(map_pages(rounded));
      bytes_ = rounded;
    }
    return data_;
  }
  void clear() noexcept {
    if (data_ != nullptr) unmap_pages(data_, bytes_);
    data_ = nullptr;
    bytes_ = 0;
  }

 private:
  char* data_ = nullptr;
  std::size_t bytes_ = 0;
};

/// Gives back what the heap keeps of memory that was freed, where the C library can do that.
/// Whoever allocates meanwhile waits, some milliseconds where much was freed: for times of little
/// to do.
void trim_heap() noexcept;

}  // namespace tandem
