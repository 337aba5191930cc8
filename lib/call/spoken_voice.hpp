// A voice as it is configured: the grammar of its language, and its sound files in memory (M-14).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/audio_playlist.hpp"
#include "tandem/config.hpp"
#include "tandem/error.hpp"
#include "tandem/spoken.hpp"

namespace tandem::call {

/// Threading: immutable; any number of threads may use it at once.
class SpokenVoice {
 public:
  /// Reads every file that it may need to say remaining time, and amounts of `currencies`. Reads
  /// the disk, so not for a loop. A file that cannot be read is a fault of the voice and no error:
  /// only what it is needed for cannot be said. Errors: those of SpokenGrammar::load() and
  /// vocabulary().
  static Result<SpokenVoice> load(const SwitchConfig& config, const SpokenVoiceConfig& voice,
                                  const std::vector<std::string>& currencies);

  /// A line for each file that is missing or cannot be played, which names its path.
  [[nodiscard]] const std::vector<std::string>& faults() const noexcept { return faults_; }

  // Errors: those of SpokenGrammar::say(); io (a file of it is a fault; the message names it).
  [[nodiscard]] Result<AudioPlaylist> remaining_time(std::int64_t seconds) const;
  [[nodiscard]] Result<AudioPlaylist> remaining_amount(Amount amount,
                                                       std::string_view currency) const;

 private:
  [[nodiscard]] Result<AudioPlaylist> heard(const Result<SpokenPhrase>& phrase) const;
  void read(const std::string& name, const std::string& folder);

  SpokenGrammar grammar_;
  // By the name in a phrase; what may be left out and is not there is a clip of no sound.
  std::map<std::string, Result<AudioClip>, std::less<>> clips_;
  std::vector<std::string> faults_;
};

/// Currencies that amounts may be spoken in: of all accounts, or none where nothing speaks them.
[[nodiscard]] std::vector<std::string> spoken_currencies(const SwitchConfig& config);

}  // namespace tandem::call
