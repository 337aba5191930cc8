// The audio of one session where it is more than passed on: converted to another codec or length of
// packets, with keys in another form, or played from a clip.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>

#include "media/dtmf_tone.hpp"
#include "media/rtp.hpp"
#include "tandem/media_audio.hpp"
#include "tandem/media_relay.hpp"

namespace tandem::media {

/// Takes what a bridge makes.
class BridgeOutput {
 public:
  virtual void send(MediaSide to, std::string_view packet) noexcept = 0;
  /// A tone that `from` sent was a key.
  virtual void heard(MediaSide from, const HeardKey& key) noexcept = 0;

 protected:
  ~BridgeOutput() = default;
};

/// Packets keep the SSRC, the timestamps and, but for what is put in or taken out, the sequence
/// numbers of who sent them, so that reports of RTCP stay true and losses can be seen. What is
/// played while nobody sends has an SSRC of its own. There is no jitter buffer: a packet is
/// converted when it comes, and the receiver's buffer does its work as without the relay.
///
/// Threading: thread-safe; one mutex guards everything, for the length of a packet. Nothing is
/// allocated but by the constructor and set().
class AudioBridge : public std::enable_shared_from_this<AudioBridge> {
 public:
  static constexpr std::int64_t tick_us = 20'000;  ///< Between packets that are made here.
  static constexpr std::size_t keys_max = 16;      ///< That wait to be sent to one side.

  explicit AudioBridge(std::uint32_t seed) noexcept : seed_(seed) {}

  /// Errors: invalid_argument.
  Result<void> set(const MediaAudio& caller, const MediaAudio& callee);
  void play(MediaSide to, AudioClip clip, const MediaPlay& how, std::int64_t now_us) noexcept;
  void stop_playing(MediaSide to) noexcept;
  void stop() noexcept;  ///< Nothing more is made: no clip goes on, and no key that waits.
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

    // The stream towards it.
    bool has_sent = false;
    std::uint32_t ssrc = 0;
    std::uint16_t sequence = 0;   // sent last
    std::uint32_t timestamp = 0;  // sent last
    std::int64_t sent_us = 0;
    std::uint16_t shift = 0;  // of sequence numbers that pass
    bool has_input = false;
    std::uint16_t input_sequence = 0;  // the newest that came

    // Samples that wait for their packet to be full.
    std::array<std::int16_t, 2 * audio_packet_samples_max> waiting{};
    std::size_t waiting_count = 0;
    std::uint32_t waiting_timestamp = 0;  // of the first

    // What is made here.
    AudioClip clip;
    MediaPlay how;
    std::size_t played = 0;
    std::int64_t due_us = 0;
    std::array<Key, keys_max> keys{};
    std::size_t key_count = 0;
    std::uint32_t key_samples = 0;    // of the first one, sent so far
    std::uint32_t key_timestamp = 0;  // when it began
    unsigned ends_sent = 0;
    std::uint32_t event_timestamp = 0;  // of the newest event that was taken from the other side
    bool has_event_timestamp = false;
  };

  [[nodiscard]] Way& way(MediaSide side) noexcept {
    return ways_[side == MediaSide::caller ? 0 : 1];
  }
  static void begin_input(const Way& from, Way& to, const RtpHeader& header) noexcept;
  void take_event(Way& from, Way& to, MediaSide to_side, const RtpHeader& header,
                  std::string_view packet, std::int64_t now_us, BridgeOutput& out) noexcept;
  void take_audio(Way& from, Way& to, MediaSide to_side, const RtpHeader& header,
                  std::string_view packet, std::int64_t now_us, BridgeOutput& out) noexcept;
  void repack(Way& from, Way& to, MediaSide to_side, const RtpHeader& header, std::size_t samples,
              std::int64_t now_us, BridgeOutput& out) noexcept;
  void send(Way& to, MediaSide side, std::uint8_t type, bool is_marked, std::uint32_t timestamp,
            std::uint16_t sequence, std::size_t payload_bytes, std::int64_t now_us,
            BridgeOutput& out) noexcept;
  [[nodiscard]] std::uint32_t next_timestamp(const Way& to, std::int64_t now_us) const noexcept;
  void put_in(Way& to, MediaSide side, std::uint8_t type, bool is_marked, std::uint32_t timestamp,
              std::size_t payload_bytes, std::int64_t now_us, BridgeOutput& out) noexcept;
  bool press_locked(Way& to, char key, std::uint32_t samples) noexcept;
  void tick_key(Way& to, MediaSide side, std::int64_t now_us, BridgeOutput& out) noexcept;
  void tick_clip(Way& to, MediaSide side, std::int64_t now_us, BridgeOutput& out) noexcept;
  void note_busy() noexcept;

  static constexpr std::size_t header_bytes = 12;
  static constexpr std::size_t packet_bytes_max = 2048;

  mutable std::mutex mutex_;  // guards all below but is_busy_
  const std::uint32_t seed_;
  std::array<Way, 2> ways_;
  std::array<std::int16_t, audio_packet_samples_max> samples_{};
  std::array<char, packet_bytes_max> packet_{};
  std::atomic<bool> is_busy_{false};
};

}  // namespace tandem::media
