// Sound that is played to a party: ring tones, busy tones, announcements.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/error.hpp"
#include "tandem/export.h"

namespace tandem {

/// Samples at 8,000 Hz that any number of calls play at once.
///
/// Threading: immutable; any number of threads may call it at once.
/// Ownership: copies share the samples.
class TANDEM_EXPORT AudioClip {
 public:
  static constexpr std::size_t samples_max = 8000 * 120;  ///< Two minutes.

  AudioClip() = default;  ///< Of no sound.
  /// Errors: limit (samples_max).
  static Result<AudioClip> of(std::vector<std::int16_t> samples);
  /// A WAV file in memory: one channel, 8,000 Hz, 16-bit PCM, A-law or mu-law.
  /// Errors: invalid_argument (no such file), limit (samples_max).
  static Result<AudioClip> parse_wav(std::string_view bytes);
  /// The same of a file. Reads the disk, so not for a loop.
  /// Errors: io, and those of parse_wav(); the message names the file.
  static Result<AudioClip> load_wav(const std::string& path);
  /// One period of a tone of a country: "ringback", "busy" or "congestion" of "us", "gb", ...;
  /// "" or "itu": 425 Hz as ITU-T E.180 has it, and "warning", two beeps of 1,400 Hz. Errors:
  /// not_found (no such tone or country).
  static Result<AudioClip> tone(std::string_view name, std::string_view country = {});
  /// "tone:ringback/us" or the path of a WAV file. Errors: those of tone() and load_wav().
  static Result<AudioClip> load(const std::string& source);

  [[nodiscard]] bool is_empty() const noexcept { return samples_ == nullptr; }
  [[nodiscard]] const std::vector<std::int16_t>& samples() const noexcept;
  [[nodiscard]] std::int64_t duration_us() const noexcept;
  /// The same samples, not only equal ones.
  bool operator==(const AudioClip& other) const noexcept { return samples_ == other.samples_; }

 private:
  std::shared_ptr<const std::vector<std::int16_t>> samples_;
};

}  // namespace tandem
