#include "call/sounds.hpp"

#include <string_view>

namespace tandem::call {

namespace {

constexpr std::size_t rate_hz = 8000;
constexpr std::size_t prompt_tone_s = 5;
constexpr std::size_t reminder_tone_s = 2;

bool is_tone(std::string_view source) noexcept { return source.starts_with("tone:"); }

/// A period of a tone again and again, for so long at least.
Result<AudioClip> lengthened(const AudioClip& clip, std::size_t seconds) {
  std::vector<std::int16_t> samples;
  while (samples.size() < seconds * rate_hz)
    samples.insert(samples.end(), clip.samples().begin(), clip.samples().end());
  return AudioClip::of(std::move(samples));
}

/// With a second of silence between.
Result<AudioClip> repeated(const AudioClip& clip, std::int32_t times) {
  std::vector<std::int16_t> samples;
  for (std::int32_t i = 0; i < times; ++i) {
    if (i != 0) samples.insert(samples.end(), rate_hz, std::int16_t{0});
    samples.insert(samples.end(), clip.samples().begin(), clip.samples().end());
    if (samples.size() > AudioClip::samples_max) break;  // of() refuses it
  }
  return AudioClip::of(std::move(samples));
}

}  // namespace

Result<AudioClip> Sounds::clip(const std::string& source) {
  if (const auto known = clips_.find(source); known != clips_.end()) return known->second;
  auto clip = AudioClip::load(source);
  if (clip) clips_.emplace(source, *clip);
  return clip;
}

Result<Prompts> Sounds::prompts(const std::vector<PromptConfig>& wanted) {
  Prompts prompts;
  for (const PromptConfig& prompt : wanted) {
    auto heard = clip(prompt.source);
    if (heard && is_tone(prompt.source)) heard = lengthened(*heard, prompt_tone_s);
    if (!heard) return heard.error();
    prompts.emplace_back(prompt.reason, std::move(*heard));
  }
  return prompts;
}

Result<std::shared_ptr<const Reminder>> Sounds::reminder(
    const std::optional<ReminderConfig>& wanted, std::int32_t before_s) {
  if (!wanted) return std::shared_ptr<const Reminder>();
  auto reminder = std::make_shared<Reminder>();
  reminder->to = wanted->to;
  reminder->before_us =
      std::int64_t{1'000'000} * (wanted->before_s != 0 ? wanted->before_s : before_s);
  reminder->of_money = wanted->of_money;
  reminder->of_time = wanted->of_time;
  reminder->says = wanted->says;
  reminder->times = wanted->times;
  if (wanted->sound.empty()) return std::shared_ptr<const Reminder>(std::move(reminder));
  // A zero byte is in no path, so that the key is no other sound's.
  const std::string key = wanted->sound + '\0' + std::to_string(wanted->times);
  if (const auto known = clips_.find(key); known != clips_.end()) {
    reminder->clip = known->second;
    return std::shared_ptr<const Reminder>(std::move(reminder));
  }
  auto heard = clip(wanted->sound);
  if (heard && is_tone(wanted->sound)) heard = lengthened(*heard, reminder_tone_s);
  if (heard) heard = repeated(*heard, wanted->times);
  if (!heard) return heard.error();
  clips_.emplace(key, *heard);
  reminder->clip = std::move(*heard);
  return std::shared_ptr<const Reminder>(std::move(reminder));
}

}  // namespace tandem::call
