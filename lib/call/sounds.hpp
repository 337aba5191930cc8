// What a configuration names of sounds: ring tones (M-13), prompts and reminders (M-14).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tandem/audio_clip.hpp"
#include "tandem/error.hpp"
#include "tandem/media_options.hpp"
#include "tandem/values.hpp"

namespace tandem::call {

/// What is heard before a call is ended (M-14).
struct Reminder {
  AudioClip clip;  ///< As often as it is heard; of no sound: nothing is.
  Hearers to = Hearers::caller;
  std::int64_t before_us = 0;
  bool of_money = true, of_time = true;
  Remaining says = Remaining::none;
  std::int32_t times = 1;  ///< What is spoken is heard so often too.
};

using Prompts = std::vector<std::pair<Reason, AudioClip>>;

/// Reads each sound once, whatever the number of gateways, phones and accounts that name it. Reads
/// the disk, so not for a loop. Errors everywhere: those of AudioClip::load() and AudioClip::of().
///
/// Threading: one thread at a time.
class Sounds {
 public:
  Result<AudioClip> clip(const std::string& source);
  Result<Prompts> prompts(const std::vector<PromptConfig>& wanted);
  /// `before_s`: of one that does not say. Null: none is wanted.
  Result<std::shared_ptr<const Reminder>> reminder(const std::optional<ReminderConfig>& wanted,
                                                   std::int32_t before_s);

 private:
  std::map<std::string, AudioClip> clips_;  // by source, made longer or repeated as its key says
};

}  // namespace tandem::call
