#include "base/crc32c.hpp"

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace tandem {
namespace {

constexpr std::uint32_t polynomial = 0x82F63B78;  // reflected

// tables[k][b]: CRC of the byte b followed by k zero bytes, so that eight bytes are taken in at
// once.
constexpr auto tables = [] {
  std::array<std::array<std::uint32_t, 256>, 8> t{};
  for (std::uint32_t b = 0; b < 256; ++b) {
    std::uint32_t crc = b;
    for (int bit = 0; bit < 8; ++bit)
      crc = crc >> 1 ^ (crc & 1 ? polynomial : 0);
    t[0][b] = crc;
  }
  for (std::size_t k = 1; k < 8; ++k) {
    for (std::size_t b = 0; b < 256; ++b)
      t[k][b] = t[k - 1][b] >> 8 ^ t[0][t[k - 1][b] & 0xff];
  }
  return t;
}();

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t crc32c_sse42(const unsigned char* p,
                                                             std::size_t size,
                                                             std::uint32_t crc) noexcept {
  std::uint64_t wide = crc;
  for (; size >= 8; p += 8, size -= 8) {
    std::uint64_t word;
    std::memcpy(&word, p, sizeof word);
    wide = _mm_crc32_u64(wide, word);
  }
  crc = static_cast<std::uint32_t>(wide);
  for (; size > 0; ++p, --size)
    crc = _mm_crc32_u8(crc, *p);
  return crc;
}
#endif

}  // namespace

std::uint32_t crc32c_portable(const void* bytes, std::size_t size_bytes,
                              std::uint32_t before) noexcept {
  const auto* p = static_cast<const unsigned char*>(bytes);
  std::uint32_t crc = ~before;
  for (; size_bytes >= 8; p += 8, size_bytes -= 8) {
    crc = tables[7][(crc & 0xff) ^ p[0]] ^ tables[6][(crc >> 8 & 0xff) ^ p[1]] ^
          tables[5][(crc >> 16 & 0xff) ^ p[2]] ^ tables[4][crc >> 24 ^ p[3]] ^ tables[3][p[4]] ^
          tables[2][p[5]] ^ tables[1][p[6]] ^ tables[0][p[7]];
  }
  for (; size_bytes > 0; ++p, --size_bytes)
    crc = crc >> 8 ^ tables[0][(crc ^ *p) & 0xff];
  return ~crc;
}

std::uint32_t crc32c(const void* bytes, std::size_t size_bytes, std::uint32_t before) noexcept {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("sse4.2")) {
    return ~crc32c_sse42(static_cast<const unsigned char*>(bytes), size_bytes, ~before);
  }
#endif
  return crc32c_portable(bytes, size_bytes, before);
}

}  // namespace tandem
