// Codecs that the relay can convert (M-07): G.711, those whose libraries were there when tandem was
// built, and those that a host adds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/error.hpp"
#include "tandem/export.h"

namespace tandem {

/// Samples a second of clips, of keys that are tones, and of codecs that say nothing else.
inline constexpr std::uint32_t audio_rate_hz = 8000;
/// Most samples of one packet at that rate: 240 ms; twice as many at 16,000 Hz, 120 ms at 48,000.
inline constexpr std::size_t audio_packet_samples_max = 1920;

/// Makes 16-bit linear samples of one channel of the packets of one stream, at the rate of its
/// codec (AudioCodecFacts::sample_rate_hz).
///
/// Threading: one thread at a time, that of the relay: it must not block, wait or allocate.
class TANDEM_EXPORT AudioDecoder {
 public:
  virtual ~AudioDecoder();
  /// Writes the samples of one packet, at most `samples.size()`, and gives their number. 0: it
  /// could not be decoded.
  virtual std::size_t decode(std::span<const std::uint8_t> payload,
                             std::span<std::int16_t> samples) noexcept = 0;
  /// Fills all of `samples` in the place of a packet that did not come, and gives their number. 0,
  /// as here: it cannot, and the listener finds a packet missing. `next` is the packet behind it
  /// where that came already: some codecs have in it what was lost (forward error correction).
  virtual std::size_t conceal(std::span<const std::uint8_t> next,
                              std::span<std::int16_t> samples) noexcept;
};

/// The other way round. Threading: as AudioDecoder.
class TANDEM_EXPORT AudioEncoder {
 public:
  virtual ~AudioEncoder();
  /// Writes the payload of one packet, at most `payload.size()` bytes, and gives its size. 0: none
  /// is sent. `samples` is a whole number of frames.
  virtual std::size_t encode(std::span<const std::int16_t> samples,
                             std::span<std::uint8_t> payload) noexcept = 0;
};

/// What session descriptions say of a codec, and how long its frames are.
struct AudioCodecFacts {
  std::string name;                    ///< As it is registered: "PCMA".
  std::uint32_t clock_rate_hz = 8000;  ///< Of its RTP; a whole multiple of 8,000.
  std::uint8_t channels = 1;           ///< As a=rtpmap has it: 2 for opus, whatever is sent.
  int payload_type = -1;               ///< Static type of RFC 3551; -1: a dynamic one.
  unsigned frame_ms = 1;               ///< Packets hold a multiple of it; 1..60.
  std::string fmtp;  ///< Value of a=fmtp where the switch offers or answers it; "": none.
  std::uint32_t sample_rate_hz = audio_rate_hz;  ///< Of its samples: 8,000, 16,000 or 48,000.
  /// What it makes of a packet depends on those before: packets are put in order for it, and wait
  /// for it as long as they have to (MediaConfig::jitter_max_ms).
  bool keeps_state = false;
};

/// A codec. Threading: immutable; any number of threads may call it at once.
class TANDEM_EXPORT AudioCodec {
 public:
  virtual ~AudioCodec();
  [[nodiscard]] virtual const AudioCodecFacts& facts() const noexcept = 0;
  /// One for each stream, made when it begins. Null: none can be had, and the stream stays silent.
  [[nodiscard]] virtual std::unique_ptr<AudioDecoder> make_decoder() const = 0;
  [[nodiscard]] virtual std::unique_ptr<AudioEncoder> make_encoder() const = 0;
  /// One that follows what its receiver said in a=fmtp ("": nothing). As here: make_encoder().
  [[nodiscard]] virtual std::unique_ptr<AudioEncoder> make_encoder_for(std::string_view fmtp) const;
};

/// Codecs of one process, those of the library among them.
inline constexpr std::size_t audio_codecs_max = 32;

/// Makes a codec known to every switch and relay of the process; it stays until the process ends.
/// Calls that begin after it may be converted from and to it. Threading: thread-safe.
/// Errors: invalid_argument (a fact out of range, a name that codec lists do not know),
/// already_exists (its name and clock), limit (audio_codecs_max).
TANDEM_EXPORT Result<void> add_audio_codec(std::shared_ptr<const AudioCodec> codec);

/// The codec of that name, in any case, and RTP clock (0: any); null: it is not known here.
/// Threading: thread-safe.
TANDEM_EXPORT std::shared_ptr<const AudioCodec> find_audio_codec(std::string_view name,
                                                                 std::uint32_t clock_rate_hz = 0);

/// What can be converted: PCMA and PCMU, then G722 and opus as far as the library was built with
/// them, then those of the host. Threading: thread-safe.
TANDEM_EXPORT std::vector<std::shared_ptr<const AudioCodec>> audio_codecs();

}  // namespace tandem
