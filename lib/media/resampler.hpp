// Samples at one rate to samples at another.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace tandem::media {

/// Between 8,000, 16,000 and 48,000 Hz, whose ratios are whole numbers: a low-pass filter of 48
/// taps for each sample of the slower side, flat to 3,400 Hz and 60 dB down from 4,200 Hz on where
/// that has 8,000 Hz. What comes out is 3 ms behind there, and 1.5 ms at 16,000 Hz.
///
/// It is our own and no library's, since codecs of the host need it in every build, and integers
/// give the same samples on every machine.
///
/// Threading: one thread at a time. Nothing is allocated but by set().
class Resampler {
 public:
  static constexpr std::size_t taps = 48;  ///< For each sample of the slower side.

  /// The rates must be of the three. What went before is forgotten.
  void set(std::uint32_t from_hz, std::uint32_t to_hz);
  [[nodiscard]] bool is_needed() const noexcept { return up_ != down_; }
  void reset() noexcept;  ///< Silence went before.
  /// Gives the number of samples written, input times ratio where that is whole; what finds no room
  /// is left out.
  std::size_t take(std::span<const std::int16_t> in, std::span<std::int16_t> out) noexcept;

 private:
  static constexpr std::size_t chunk_samples = 480;

  std::size_t up_ = 1, down_ = 1;
  const std::int16_t* filter_ = nullptr;  // taps * up_ * down_, lives as long as the process
  std::vector<std::int16_t> line_;        // what the filter reaches back to, then a chunk
  std::size_t reach_ = 0;
  std::size_t skip_ = 0;  // input samples before the next one that gives output
};

}  // namespace tandem::media
