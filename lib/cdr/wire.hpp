// Variable-length integers and texts, as the journal's payloads are made of.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tandem::cdr {

/// Appends values to a string. Integers take 1 byte for 7 bits, low bits first; signed ones are
/// zigzag coded.
class WireWriter {
 public:
  explicit WireWriter(std::string& out) noexcept : out_(out) {}

  void number(std::uint64_t value) {
    char bytes[10];
    std::size_t n = 0;
    for (; value >= 0x80; value >>= 7U)
      bytes[n++] = static_cast<char>(value | 0x80U);
    bytes[n++] = static_cast<char>(value);
    out_.append(bytes, n);
  }
  void integer(std::int64_t value) {
    number((static_cast<std::uint64_t>(value) << 1U) ^ static_cast<std::uint64_t>(value >> 63));
  }
  /// A time near `base_us` in few bytes. Wraps, so that any pair comes back.
  void time(std::int64_t value_us, std::int64_t base_us) {
    integer(static_cast<std::int64_t>(static_cast<std::uint64_t>(value_us) -
                                      static_cast<std::uint64_t>(base_us)));
  }
  void text(std::string_view value) {
    number(value.size());
    out_.append(value);
  }

 private:
  std::string& out_;
};

/// Reads what WireWriter wrote. At the end of the bytes every value is 0 or "", so that a field
/// which an earlier release did not write gets its default; malformed bytes make is_bad() true and
/// give the same.
class WireReader {
 public:
  explicit WireReader(std::string_view bytes) noexcept : rest_(bytes) {}

  std::uint64_t number() noexcept {
    if (rest_.empty()) return 0;
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (rest_.empty()) return fail();
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      if (shift == 63 && byte > 1) return fail();
      value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
      if (byte < 0x80) return value;
    }
    return fail();
  }
  std::int64_t integer() noexcept {
    const std::uint64_t coded = number();
    return static_cast<std::int64_t>((coded >> 1U) ^ (~(coded & 1U) + 1U));
  }
  std::int64_t time(std::int64_t base_us) noexcept {
    if (rest_.empty()) return 0;
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(integer()) +
                                     static_cast<std::uint64_t>(base_us));
  }
  /// A number that must lie in `low`..`high`.
  std::int64_t integer_in(std::int64_t low, std::int64_t high) noexcept {
    const std::int64_t value = integer();
    if (value >= low && value <= high) return value;
    fail();
    return low;
  }
  std::string_view text() noexcept {
    const std::uint64_t size = number();
    if (size > rest_.size()) {
      fail();
      return {};
    }
    const std::string_view value = rest_.substr(0, static_cast<std::size_t>(size));
    rest_.remove_prefix(static_cast<std::size_t>(size));
    return value;
  }
  /// How many values follow, each of `value_bytes_min` bytes or more: never more than there is
  /// room for, so that a few bytes cannot announce gigabytes.
  std::uint64_t count(std::size_t value_bytes_min) noexcept {
    const std::uint64_t value = number();
    return value <= rest_.size() / value_bytes_min ? value : fail();
  }
  [[nodiscard]] bool is_at_end() const noexcept { return rest_.empty(); }
  [[nodiscard]] bool is_bad() const noexcept { return is_bad_; }

 private:
  std::uint64_t fail() noexcept {
    is_bad_ = true;
    rest_ = {};
    return 0;
  }
  std::string_view rest_;
  bool is_bad_ = false;
};

}  // namespace tandem::cdr
