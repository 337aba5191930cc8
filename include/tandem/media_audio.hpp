// What a relay does with the audio of a session beyond passing it on: converting it, playing to a
// side, keys in another form.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "tandem/audio_clip.hpp"
#include "tandem/audio_codec.hpp"
#include "tandem/audio_playlist.hpp"

namespace tandem {

/// How keys go to a side (M-09).
enum class MediaKeys : std::uint8_t {
  events,  ///< As telephone events (RFC 4733), where the side has a type for them.
  tones,   ///< As tones in the voice.
  none,    ///< Not in the media: the host is told and passes them on by itself.
};

/// How the audio that one side sends and gets is written.
struct MediaAudio {
  std::shared_ptr<const AudioCodec> codec;  ///< Null: of neither side anything is converted.
  /// Of the codec, 0..127; without codecs that one format which has another number on either side.
  std::uint8_t payload_type = 0;
  int events_type = -1;  ///< Of telephone events, 0..127; -1: it has none.
  /// What it gets is cut or joined to packets of this length, 10..120, a multiple of the codec's
  /// frame; 0: packets stay as long as they come (M-10).
  unsigned ptime_ms = 0;
  MediaKeys keys = MediaKeys::events;  ///< How keys of the other side go to it.
  bool hears_tones = false;            ///< Keys that are tones in what it sends are keys (Q.24).
  std::string fmtp{};  ///< What it said in a=fmtp of the codec; its encoder follows that.
  /// Of events_type, in which events last: 8,000..48,000, a multiple of 8,000. Their timestamps are
  /// those of the codec's clock.
  std::uint32_t events_clock_rate_hz = 8000;
};

/// How clips are played.
struct MediaPlay {
  bool repeats = false;     ///< From its beginning again until stop_playing().
  bool until_heard = true;  ///< The first packet of the other side ends it; else it covers them.
  std::int64_t delay_us = 0;
};

}  // namespace tandem
