// G.711 to linear samples (ITU-T G.711, tables 1 and 2).
#pragma once

#include <array>
#include <cstdint>

namespace tandem::media {

constexpr std::int16_t sample_of_alaw(std::uint8_t code) noexcept {
  code ^= 0x55;  // even bits are inverted on the line
  const int segment = code >> 4 & 7;
  int magnitude = (code & 0x0F) << 4 | 8;
  if (segment > 0) magnitude = (magnitude + 0x100) << (segment - 1);
  return static_cast<std::int16_t>((code & 0x80) != 0 ? magnitude : -magnitude);
}

constexpr std::int16_t sample_of_ulaw(std::uint8_t code) noexcept {
  code = static_cast<std::uint8_t>(~code);
  const int magnitude = ((((code & 0x0F) << 3) + 0x84) << (code >> 4 & 7)) - 0x84;
  return static_cast<std::int16_t>((code & 0x80) != 0 ? -magnitude : magnitude);
}

using G711Table = std::array<std::int16_t, 256>;

constexpr G711Table g711_table(std::int16_t (*sample_of)(std::uint8_t)) noexcept {
  G711Table table{};
  for (std::size_t code = 0; code < table.size(); ++code)
    table[code] = sample_of(static_cast<std::uint8_t>(code));
  return table;
}

inline constexpr G711Table ulaw_samples = g711_table(sample_of_ulaw);
inline constexpr G711Table alaw_samples = g711_table(sample_of_alaw);

}  // namespace tandem::media
