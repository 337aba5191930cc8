// The digits that a number begins with, as integers, without a branch on any of them.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

namespace tandem {

/// The decimal digits at the start of a number, in two parts: the first `head_digits` as a value,
/// the next eight as a code. What follows is not looked at.
///
/// Numbers come with every length and, after the digits, any character. A loop over them ends at a
/// place that the processor cannot foresee; here eight characters are looked at together, as the
/// bytes of a register.
class LeadingDigits {
 public:
  static constexpr unsigned head_digits_max = 8;
  static constexpr unsigned tail_digits = 8;

  /// REQUIRES: head_digits <= head_digits_max. Always inline: the members then stay in registers.
  [[gnu::always_inline]] LeadingDigits(std::string_view number, unsigned head_digits) noexcept {
    std::uint64_t first = 0;
    std::uint64_t second = 0;
    load(number, first, second);
    // Two shifts by half each: one by 64 is undefined.
    const unsigned half = 4 * head_digits;
    const std::uint64_t window = first >> half >> half | second << (32 - half) << (32 - half);
    // Now '0'..'9' are 0..9 and everything else is larger; the zeros behind the end are 0x30.
    head_ = first ^ zeros;
    const auto run = static_cast<unsigned>(std::countr_zero(others_of(head_))) / 8;
    head_count_ = std::min(run, head_digits);
    const std::uint64_t tail = window ^ zeros;
    tail_ = packed((tail + ones) & before_first(others_of(tail)));
  }

  /// Digits of the head: fewer than asked for when the number has no more of them.
  [[nodiscard]] unsigned head_count() const noexcept { return head_count_; }

  /// The value of the head_count() digits.
  [[nodiscard]] std::uint32_t head() const noexcept {
    // As eight digits with zeros in front.
    const unsigned half = 4 * (8 - head_count_);
    std::uint64_t v = head_ << half << half;
    v = v * 10 + (v >> 8);
    const std::uint64_t pairs13 = (v & 0x000000FF000000FF) * (100 + (1'000'000ULL << 32));
    const std::uint64_t pairs24 = (v >> 16 & 0x000000FF000000FF) * (1 + (10'000ULL << 32));
    return static_cast<std::uint32_t>((pairs13 + pairs24) >> 32);
  }

  /// Four bits a digit, the first one in the highest: 1..10, and 0 behind the last. Means something
  /// only when the head is whole.
  [[nodiscard]] std::uint32_t tail() const noexcept { return tail_; }

 private:
  static constexpr std::uint64_t ones = 0x0101010101010101;
  static constexpr std::uint64_t zeros = ones * '0';

  template <class Word>
  static std::uint64_t little_endian(const char* bytes) noexcept {
    Word word = 0;
    std::memcpy(&word, bytes, sizeof word);
    if constexpr (std::endian::native == std::endian::big)
      return sizeof word == 8 ? __builtin_bswap64(word)
                              : __builtin_bswap32(static_cast<std::uint32_t>(word));
    return word;
  }
  /// The first 16 characters, zeros behind the last. Reads nothing outside `number`: two loads that
  /// overlap stand for the bytes that are there.
  [[gnu::always_inline]] static void load(std::string_view number, std::uint64_t& first,
                                          std::uint64_t& second) noexcept {
    const char* const bytes = number.data();
    const std::size_t size = number.size();
    if (size >= 16) {
      first = little_endian<std::uint64_t>(bytes);
      second = little_endian<std::uint64_t>(bytes + 8);
    } else if (size >= 8) {
      first = little_endian<std::uint64_t>(bytes);
      second = little_endian<std::uint64_t>(bytes + size - 8) >> 4 * (16 - size) >> 4 * (16 - size);
    } else if (size >= 4) {
      first = little_endian<std::uint32_t>(bytes) | little_endian<std::uint32_t>(bytes + size - 4)
                                                        << 8 * (size - 4);
    } else {
      for (std::size_t i = 0; i < size; ++i)
        first |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << 8 * i;
    }
  }
  /// The high bit of every byte above 9.
  static std::uint64_t others_of(std::uint64_t bytes) noexcept {
    return (((bytes & ones * 0x7F) + ones * (0x80 - 10)) | bytes) & ones * 0x80;
  }
  /// All bits of the bytes before the lowest of `flags`; all bytes when there is none.
  static std::uint64_t before_first(std::uint64_t flags) noexcept {
    return ((flags & (~flags + 1)) >> 7) - 1;
  }
  /// Bytes of four bits each to 32 bits, the lowest byte to the highest place.
  static std::uint32_t packed(std::uint64_t bytes) noexcept {
    std::uint64_t v = __builtin_bswap64(bytes);
    v = (v | v >> 4) & 0x00FF00FF00FF00FF;
    v = (v | v >> 8) & 0x0000FFFF0000FFFF;
    return static_cast<std::uint32_t>(v | v >> 16);
  }

  std::uint64_t head_ = 0;  // the first eight characters, '0'..'9' as 0..9
  unsigned head_count_ = 0;
  std::uint32_t tail_ = 0;
};

/// What LeadingDigits says of a number as nearly all are: of eight characters or more, digits all
/// of them as far as the sixteenth.
struct PlainDigits {
  std::uint32_t head;
  std::uint32_t tail;

  /// False: the number is another. Half as many steps as LeadingDigits takes, and none of them a
  /// guess that numbers of different lengths make wrong. REQUIRES: 1 <= head_digits <= 7.
  [[gnu::always_inline]] bool read(std::string_view number, unsigned head_digits) noexcept {
    constexpr std::uint64_t ones = 0x0101010101010101;
    constexpr std::uint64_t zeros = ones * '0';
    if (number.size() < 8) return false;
    const std::size_t size = std::min<std::size_t>(number.size(), 16);
    // Loads that overlap where there are less than sixteen characters.
    const std::uint64_t first = little_endian(number.data()) ^ zeros;
    const std::uint64_t last = little_endian(number.data() + size - 8) ^ zeros;
    const auto above_nine = [](std::uint64_t bytes) {
      return ((bytes & ones * 0x7F) + ones * (0x80 - 10)) | bytes;
    };
    if (((above_nine(first) | above_nine(last)) & ones * 0x80) != 0) return false;

    const unsigned head_bits = 8 * head_digits;
    std::uint64_t v = first << (64 - head_bits);
    v = v * 10 + (v >> 8);
    const std::uint64_t pairs13 = (v & 0x000000FF000000FF) * (100 + (1'000'000ULL << 32));
    const std::uint64_t pairs24 = (v >> 16 & 0x000000FF000000FF) * (1 + (10'000ULL << 32));
    head = static_cast<std::uint32_t>((pairs13 + pairs24) >> 32);

    // Two shifts by half each: one by 64 is undefined.
    const unsigned half = 4 * static_cast<unsigned>(16 - size);
    const std::uint64_t second = (last + ones) >> half >> half;
    std::uint64_t t = (first + ones) >> head_bits | second << (64 - head_bits);
    t = __builtin_bswap64(t);
    t = (t | t >> 4) & 0x00FF00FF00FF00FF;
    t = (t | t >> 8) & 0x0000FFFF0000FFFF;
    tail = static_cast<std::uint32_t>(t | t >> 16);
    return true;
  }

 private:
  [[gnu::always_inline]] static std::uint64_t little_endian(const char* bytes) noexcept {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes, sizeof word);
    return std::endian::native == std::endian::big ? __builtin_bswap64(word) : word;
  }
};

/// A text of 0..16 digits and nothing else as four bits a digit, the first one in the highest:
/// 1..10, and 0 behind the last. Codes sort as the texts do, and no two texts have the same one.
[[nodiscard]] inline std::optional<std::uint64_t> code_of_digits(std::string_view text) noexcept {
  if (text.size() > 16) return std::nullopt;
  const std::string_view halves[] = {text.substr(0, 8),
                                     text.substr(std::min<std::size_t>(8, text.size()))};
  std::uint64_t code = 0;
  for (const std::string_view half : halves) {
    const std::uint32_t tail = LeadingDigits(half, 0).tail();
    const auto digits = static_cast<std::size_t>(8 - std::countr_zero(tail) / 4);
    if (digits != half.size()) return std::nullopt;
    code = code << 32 | tail;
  }
  return code;
}

/// Spreads codes over a hash table of `size` places, a power of two above 1. Codes of short texts
/// differ in their high bits only; of a product those reach no low bit, so the high ones are taken.
[[nodiscard]] inline std::size_t place_of_code(std::uint64_t code, std::size_t size) noexcept {
  return static_cast<std::size_t>(code * 0x9E3779B97F4A7C15 >> (64 - std::countr_zero(size)));
}

}  // namespace tandem
