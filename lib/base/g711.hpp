// G.711 to linear samples and back (ITU-T G.711, tables 1 and 2).
#pragma once

#include <array>
#include <cstdint>

namespace tandem {

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

/// The code whose interval holds the sample.
constexpr std::uint8_t alaw_of_sample(std::int16_t sample) noexcept {
  // -1 belongs to the first negative interval, as 0 to the first positive one.
  const int sign = sample >= 0 ? 0x80 : 0;
  const int magnitude = sample >= 0 ? sample : -1 - sample;
  int segment = 0;
  for (int rest = magnitude >> 8; rest != 0; rest >>= 1)
    ++segment;
  const int step = magnitude >> (segment <= 1 ? 4 : segment + 3) & 0x0F;
  return static_cast<std::uint8_t>((sign | segment << 4 | step) ^ 0x55);
}

constexpr std::uint8_t ulaw_of_sample(std::int16_t sample) noexcept {
  constexpr int bias = 0x84;
  constexpr int largest = 32635;
  const int sign = sample >= 0 ? 0 : 0x80;
  int magnitude = sample >= 0 ? sample : -int{sample};
  magnitude = (magnitude > largest ? largest : magnitude) + bias;
  int segment = 0;
  for (int rest = magnitude >> 8; rest != 0; rest >>= 1)
    ++segment;
  const int step = magnitude >> (segment + 3) & 0x0F;
  return static_cast<std::uint8_t>(~(sign | segment << 4 | step));
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

}  // namespace tandem
