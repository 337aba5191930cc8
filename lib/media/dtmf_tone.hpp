// Keys as tones in the voice (ITU-T Q.23, Q.24): found in samples, and made of them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

namespace tandem::media {

/// A key that was heard.
struct HeardKey {
  char key = '\0';
  std::uint32_t duration_ms = 0;
};

/// Looks for keys in the samples of one stream at 8,000 Hz: the power at eight frequencies
/// (Goertzel's algorithm) in blocks of 12.75 ms. Two blocks begin a key and two without it end it,
/// so that 40 ms are heard and a gap of a lost packet is none (Q.24).
///
/// Threading: one thread at a time.
class ToneDetector {
 public:
  /// The key that these samples end. `is_heard()` says whether one goes on.
  std::optional<HeardKey> take(std::span<const std::int16_t> samples) noexcept;
  [[nodiscard]] bool is_heard() const noexcept { return key_ != '\0'; }
  void reset() noexcept { *this = {}; }

 private:
  static constexpr unsigned block_samples = 102;
  [[nodiscard]] char judge_block() const noexcept;
  std::optional<HeardKey> end_block() noexcept;

  std::array<float, 8> s1_{}, s2_{};
  float energy_ = 0;
  unsigned count_ = 0;     // samples of this block
  char candidate_ = '\0';  // of the last block
  char key_ = '\0';        // that goes on
  unsigned blocks_ = 0;    // of it
  unsigned blocks_without_ = 0;
};

/// Samples of a key; `at`: of the first one, since the key began.
void make_tone(char key, std::uint32_t at, std::span<std::int16_t> samples) noexcept;

/// Number of the telephone event of a key (RFC 4733 section 3.2); nothing: it is none.
std::optional<std::uint8_t> event_of_key(char key) noexcept;

}  // namespace tandem::media
