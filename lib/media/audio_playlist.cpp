#include "tandem/audio_playlist.hpp"

#include <utility>

namespace tandem {

Result<AudioPlaylist> AudioPlaylist::of(std::vector<AudioClip> clips) {
  std::erase_if(clips, [](const AudioClip& clip) { return clip.is_empty(); });
  if (clips.size() > clips_max)
    return Error{ErrorCode::limit, std::to_string(clips.size()) + " clips were more than " +
                                       std::to_string(clips_max) + " of one playlist"};
  std::size_t samples = 0;
  for (const AudioClip& clip : clips)
    samples += clip.samples().size();
  if (samples > AudioClip::samples_max)
    return Error{ErrorCode::limit, std::to_string(samples) + " samples were more than two minutes"};
  if (clips.empty()) return AudioPlaylist();
  if (clips.size() == 1) return AudioPlaylist(std::move(clips.front()));
  AudioPlaylist list;
  list.many_ = std::make_shared<const std::vector<AudioClip>>(std::move(clips));
  return list;
}

Result<AudioPlaylist> AudioPlaylist::load(const std::vector<std::string>& sources) {
  if (sources.size() > clips_max)
    return Error{ErrorCode::limit, std::to_string(sources.size()) + " sounds were more than " +
                                       std::to_string(clips_max) + " of one playlist"};
  std::vector<AudioClip> clips;
  clips.reserve(sources.size());
  for (const std::string& source : sources) {
    auto clip = AudioClip::load(source);
    if (!clip) return clip.error();
    clips.push_back(std::move(*clip));
  }
  return of(std::move(clips));
}

std::span<const AudioClip> AudioPlaylist::clips() const noexcept {
  if (many_ != nullptr) return *many_;
  return only_.is_empty() ? std::span<const AudioClip>() : std::span(&only_, 1);
}

std::int64_t AudioPlaylist::duration_us() const noexcept {
  std::int64_t sum_us = 0;
  for (const AudioClip& clip : clips())
    sum_us += clip.duration_us();
  return sum_us;
}

}  // namespace tandem
