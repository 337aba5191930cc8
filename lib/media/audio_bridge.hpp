// The audio of one session where it is more than passed on: converted to another codec or length of
// packets, with keys in another form, or played from a clip.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <vector>

#include "media/dtmf_tone.hpp"
#include "media/jitter_buffer.hpp"
#include "media/resampler.hpp"
#include "media/rtp.hpp"
#include "media/telephone_event.hpp"
#include "tandem/audio_playlist.hpp"
#include "tandem/media_audio.hpp"
#include "tandem/media_relay.hpp"

namespace tandem::media {

/// Takes what a bridge makes.
class BridgeOutput {
 public:
  virtual void send(MediaSide to, std::string_view packet) noexcept = 0;
  /// A tone that `from` sent was a key.
  virtual void heard(MediaSide from, const HeardKey& key) noexcept = 0;
  /// What `from` sends waits this long to be put in order, and so many more of its packets were
  /// late and lost since it was said last.
  virtual void buffered(MediaSide from, const JitterBuffer::Counts& more,
                        std::int64_t depth_us) noexcept = 0;

 protected:
  ~BridgeOutput() = default;
};

/// Packets keep the SSRC, the timestamps and, but for what is put in or taken out, the sequence
/// numbers of who sent them, so that reports of RTCP stay true and losses can be seen. What is
/// played while nobody sends has an SSRC of its own. A packet is converted when it comes, and the
/// receiver's buffer does its work as without the relay; but where a codec of the two keeps state,
/// packets wait in a JitterBuffer, and its losses are concealed by the decoder, if it can.
///
/// Threading: thread-safe; one mutex guards everything, for the length of a packet. Nothing is
/// allocated but by the constructor and set().
class AudioBridge : public std::enable_shared_from_this<AudioBridge> {
 public:
  static constexpr std::int64_t tick_us = 20'000;  ///< Between packets that are made here.
  static constexpr std::int64_t buffer_tick_us =
      5'000;                                   ///< No packet that waits is later than that.
  static constexpr std::size_t keys_max = 16;  ///< That wait to be sent to one side.

  /// The bounds of jitter buffers in milliseconds; 0 of the greater one: there are none.
  explicit AudioBridge(std::uint32_t seed, std::uint32_t jitter_min_ms = 0,
                       std::uint32_t jitter_max_ms = 0);

  /// Errors: invalid_argument.
  Result<void> set(const MediaAudio& caller, const MediaAudio& callee);
  /// False: it has no codec that the clips could be put into.
  bool play(MediaSide to, AudioPlaylist list, const MediaPlay& how, std::int64_t now_us) noexcept;
  void stop_playing(MediaSide to) noexcept;
  void
  stop() noexcept;  ///< Nothing more is sent: no clip goes on, and no key or packet that waits.
  [[nodiscard]] bool is_playing(MediaSide to) const noexcept;
  /// Sends a key to a side as its settings say. False: it has no way, or too many wait.
  bool press(MediaSide to, char key, std::uint32_t duration_ms) noexcept;

  /// A packet of `from`, which the latch has accepted.
  void take(MediaSide from, const RtpHeader& header, std::string_view packet, std::int64_t now_us,
            BridgeOutput& out) noexcept;
  /// Sends what is due of what is made here.
  void tick(std::int64_t now_us, BridgeOutput& out) noexcept;
  /// Something is played or pressed, so that ticks are needed.
  [[nodiscard]] bool is_busy() const noexcept { return is_busy_.load(std::memory_order_acquire); }
  /// What comes may wait here, so that ticks are needed oftener than every tick_us.
  [[nodiscard]] bool is_buffering() const noexcept {
    return is_buffering_.load(std::memory_order_acquire);
  }
  std::atomic<bool> is_ticked{false};  ///< For who calls tick(): it is among those.

 private:
  struct Key {
    char key = '\0';
    std::uint32_t samples = 0;  // that it lasts
  };

  /// What goes to one side.
  struct Way {
    MediaAudio audio;
    std::unique_ptr<AudioDecoder> decoder;  // of what this side sends
    std::unique_ptr<AudioEncoder> encoder;  // of what goes to it
    ToneDetector tones;                     // in what it sends
    Resampler for_tones;                    // of what it sends, to the detector's rate
    Resampler of_other;                     // of what the other side sends, to its rate
    Resampler of_made;                      // of what is made here, likewise
    JitterBuffer jitter;                    // of what it sends
    JitterBuffer::Counts jitter_told;
    std::int64_t depth_told_us = 0;

    // The stream towards it.
    bool has_sent = false;
    std::uint32_t ssrc = 0;
    std::uint16_t sequence = 0;   // sent last
    std::uint32_t timestamp = 0;  // sent last
    std::int64_t sent_us = 0;
    std::uint16_t shift = 0;  // of sequence numbers that pass
    bool has_input = false;
    std::uint16_t input_sequence = 0;  // the newest that came
    // A timestamp that came, and the same moment in samples at 8,000 Hz; both go on without end.
    std::uint32_t input_timestamp = 0, input_moment = 0;

    // Samples that wait for their packet to be full.
    std::vector<std::int16_t> waiting = std::vector<std::int16_t>(2 * audio_packet_samples_max);
    std::size_t waiting_count = 0;
    std::uint32_t waiting_moment = 0;  // of the first
    bool is_repacked = false;          // packets that came were no whole frames of its codec

    // What is made here.
    AudioPlaylist list;
    MediaPlay how;
    std::size_t clip = 0, played = 0;  // of the list, and its next sample
    std::int64_t due_us = 0;
    std::array<Key, keys_max> keys{};
    std::size_t key_count = 0;
    std::uint32_t key_samples = 0;    // of the first one, sent so far
    std::uint32_t key_timestamp = 0;  // when it began
    unsigned ends_sent = 0;
    std::uint32_t key_segment = 0;    // of it, sent last
    EventTrack events;                // that were taken from the other side
    std::uint32_t event_segment = 0;  // of the newest, sent last
  };

  [[nodiscard]] Way& way(MediaSide side) noexcept {
    return ways_[side == MediaSide::caller ? 0 : 1];
  }
  /// What take() has become by way of the buffer.
  void convert(MediaSide from, const RtpHeader& header, std::string_view packet,
               std::int64_t now_us, BridgeOutput& out) noexcept;
  void conceal(MediaSide from, const JitterBuffer::Due& lost, std::int64_t now_us,
               BridgeOutput& out) noexcept;
  void release(MediaSide from, bool is_waiting, std::size_t most, std::int64_t now_us,
               BridgeOutput& out) noexcept;
  void open_jitter(Way& from, const Way& to, bool is_same);
  static void begin_input(const Way& from, Way& to, const RtpHeader& header) noexcept;
  static std::uint32_t moment_of(const Way& from, Way& to, std::uint32_t timestamp) noexcept;
  void take_event(Way& from, Way& to, MediaSide to_side, const RtpHeader& header,
                  std::string_view packet, std::int64_t now_us, BridgeOutput& out) noexcept;
  /// An event by another clock than that of `to`.
  void pass_event(Way& from, Way& to, MediaSide to_side, const RtpHeader& header, bool is_marked,
                  const TelephoneEvent& event, std::int64_t now_us, BridgeOutput& out) noexcept;
  std::size_t write_event(std::uint8_t event, bool is_end, std::uint8_t volume,
                          std::uint16_t duration) noexcept;
  void take_audio(Way& from, Way& to, MediaSide to_side, const RtpHeader& header,
                  std::string_view packet, std::int64_t now_us, BridgeOutput& out) noexcept;
  /// Sends decoded samples on, at the rate of `from`.
  void write(Way& from, Way& to, MediaSide to_side, const RtpHeader& header, bool is_marked,
             std::size_t count, std::int64_t now_us, BridgeOutput& out) noexcept;
  void repack(Way& from, Way& to, MediaSide to_side, const RtpHeader& header,
              std::span<const std::int16_t> samples, std::int64_t now_us,
              BridgeOutput& out) noexcept;
  std::size_t encode(Way& to, std::span<const std::int16_t> samples) noexcept;
  std::size_t encode_made(Way& to, std::size_t count) noexcept;
  void send(Way& to, MediaSide side, std::uint8_t type, bool is_marked, std::uint32_t timestamp,
            std::uint16_t sequence, std::size_t payload_bytes, std::int64_t now_us,
            BridgeOutput& out) noexcept;
  [[nodiscard]] std::uint32_t next_timestamp(const Way& to, std::int64_t now_us) const noexcept;
  void put_in(Way& to, MediaSide side, std::uint8_t type, bool is_marked, std::uint32_t timestamp,
              std::size_t payload_bytes, std::int64_t now_us, BridgeOutput& out) noexcept;
  bool press_locked(Way& to, char key, std::uint32_t samples) noexcept;
  void tick_key(Way& to, MediaSide side, std::int64_t now_us, BridgeOutput& out) noexcept;
  void tick_list(Way& to, MediaSide side, std::int64_t now_us, BridgeOutput& out) noexcept;
  void note_busy() noexcept;

  static constexpr std::size_t header_bytes = 12;
  static constexpr std::size_t packet_bytes_max = 2048;

  mutable std::mutex mutex_;  // guards all below but is_busy_
  const std::uint32_t seed_, jitter_min_ms_, jitter_max_ms_;
  std::array<Way, 2> ways_;
  std::vector<std::int16_t> samples_, resampled_;  // of one packet, at the greater of the rates
  std::array<char, packet_bytes_max> packet_{};
  std::atomic<bool> is_busy_{false}, is_buffering_{false};
};

}  // namespace tandem::media
