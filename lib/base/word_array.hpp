// The memory of large look-up tables.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace tandem {

/// A fixed number of 32-bit words that begins on a cache line, in huge pages where it is large
/// enough for them: a table of ten megabytes takes more 4 KiB pages than the processor remembers
/// translations of, and each look-up would then pay for reading page tables, too.
///
/// Ownership: owns its words; moved, not copied. Threading: as std::vector.
class WordArray {
 public:
  static constexpr std::size_t line_words = 16;  ///< Words of a cache line.

  WordArray() noexcept = default;
  explicit WordArray(std::size_t size);  ///< All words are zero.
  WordArray(WordArray&& other) noexcept
      : words_(std::exchange(other.words_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  WordArray& operator=(WordArray&& other) noexcept {
    std::swap(words_, other.words_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~WordArray();

  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::uint32_t* data() noexcept { return words_; }
  [[nodiscard]] const std::uint32_t* data() const noexcept { return words_; }

 private:
  std::uint32_t* words_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace tandem
