// Sounds that are played one after the other: a sentence of the files of a voice, a menu.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tandem/audio_clip.hpp"
#include "tandem/error.hpp"
#include "tandem/export.h"

namespace tandem {

/// Clips that are heard one after the other, as if they were one.
///
/// Threading: immutable; any number of threads may call it at once.
/// Ownership: copies share the list, and the samples are those of the clips.
class TANDEM_EXPORT AudioPlaylist {
 public:
  static constexpr std::size_t clips_max = 64;

  AudioPlaylist() = default;  ///< Of no sound.
  /// A clip is a list of one wherever something is played.
  AudioPlaylist(AudioClip clip) noexcept : only_(std::move(clip)) {}  // NOLINT(*-explicit-*)
  /// Clips of no sound are left out. Errors: limit (clips_max, and AudioClip::samples_max of all
  /// together).
  static Result<AudioPlaylist> of(std::vector<AudioClip> clips);
  /// Each as AudioClip::load() has it. Reads the disk, so not for a loop. Errors: those of of() and
  /// of AudioClip::load(), which name the file.
  static Result<AudioPlaylist> load(const std::vector<std::string>& sources);

  [[nodiscard]] bool is_empty() const noexcept { return clips().empty(); }
  /// Without those of no sound; of this list, as long as it is there.
  [[nodiscard]] std::span<const AudioClip> clips() const noexcept;
  [[nodiscard]] std::int64_t duration_us() const noexcept;

 private:
  AudioClip only_;
  std::shared_ptr<const std::vector<AudioClip>> many_;  // null: `only_`
};

}  // namespace tandem
