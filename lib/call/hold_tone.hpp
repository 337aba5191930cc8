// What a party hears that waits while the other one speaks with somebody else (T-05).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "tandem/audio_clip.hpp"
#include "tandem/error.hpp"
#include "tandem/media_relay.hpp"

namespace tandem::call {

/// A port of its own, from which the relay plays to the party that waits: that of the call's media
/// is taken by who stands in its place meanwhile.
///
/// Threading: loop-bound, like its call.
class HoldTone {
 public:
  /// `shown`: what the party was shown of the other one last. `sources`: where it may be. Errors:
  /// unsupported (no audio, or it is encrypted), those of MediaRelay::open().
  static Result<HoldTone> open(MediaRelay& relay, MediaSide party, std::string_view shown,
                               const MediaSources& sources);

  /// `shown`, leading here. `hears_party`: what it sends shows where it is, behind NAT.
  [[nodiscard]] Result<std::string> description(std::string_view shown, bool hears_party) const;
  /// The party has said where it is, and by which codec: it hears `clip` again and again. Errors:
  /// unsupported (it has no codec that the relay knows), those of MediaSession::play().
  Result<void> play(std::string_view said, const AudioClip& clip);
  /// It is somewhere else.
  void follow(std::string_view said);
  /// Whether it may be played to by the description `said`.
  [[nodiscard]] bool is_for(std::string_view said) const;

 private:
  HoldTone(MediaSession stream, MediaSide party, std::size_t index) noexcept
      : stream_(std::move(stream)), party_(party), index_(index) {}

  MediaSession stream_;
  MediaSide party_;
  std::size_t index_;  // of the m= line
};

}  // namespace tandem::call
