// Sizes and integers of the file of columns; for its reader and its writer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace tandem::cdr::layout {

inline constexpr std::size_t head_bytes = 16;
inline constexpr std::size_t tail_bytes = 24;
inline constexpr std::size_t group_entry_bytes = 12;  // offset, CRC of the directory
inline constexpr std::size_t block_entry_bytes = 8;   // size, CRC
inline constexpr std::size_t index_entry_bytes = 24;  // offset, size, CRC, first hash, entries
inline constexpr std::size_t index_block_entries = 1'024;

inline std::uint64_t little(const char* from, std::size_t bytes) noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes; ++i)
    value |= std::uint64_t{static_cast<unsigned char>(from[i])} << (8 * i);
  return value;
}
inline std::uint32_t u32(const char* from) noexcept {
  return static_cast<std::uint32_t>(little(from, 4));
}
inline std::uint64_t u64(const char* from) noexcept { return little(from, 8); }

inline void append(std::string& out, std::uint64_t value, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i)
    out += static_cast<char>(value >> (8 * i) & 0xFFU);
}
inline void append_u32(std::string& out, std::uint32_t value) { append(out, value, 4); }
inline void append_u64(std::string& out, std::uint64_t value) { append(out, value, 8); }

}  // namespace tandem::cdr::layout
