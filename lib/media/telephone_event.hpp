// Keys in RTP: the payload of RFC 4733, and which keys were pressed by the packets of one stream.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace tandem::media {

/// The payload of a telephone-event packet (RFC 4733 section 2.3).
struct TelephoneEvent {
  std::uint8_t event = 0;  ///< 0..15 are the keys, 16 is a flash; the rest are tones.
  bool is_end = false;
  std::uint8_t volume = 0;  ///< -dBm0, 0..63.
  std::uint16_t duration =
      0;  ///< Since the event (or this segment of it) began, in RTP clock units.
};

/// Nothing when fewer than four bytes are there. What stands behind them is padding or an older
/// form with several events; the first one counts.
std::optional<TelephoneEvent> parse_telephone_event(std::string_view payload) noexcept;

/// 0..9, *, #, A..D, and ! for a flash; '\0': no key.
char key_of_event(std::uint8_t event) noexcept;

/// The newest event of a stream: all its packets have the timestamp of its beginning, and one that
/// is longer than its field goes on in segments (RFC 4733 section 2.5.1.3), which are one event
/// here.
///
/// Threading: one thread at a time.
class EventTrack {
 public:
  enum class Packet : std::uint8_t {
    first,  ///< Of an event.
    more,   ///< Of the newest event.
    late,   ///< Of an event, or a segment, before the newest.
  };

  void reset() noexcept { *this = {}; }
  /// `ratio`: units of the audio's clock in one of the event's, by either of which devices count
  /// timestamps.
  Packet take(const TelephoneEvent& event, std::uint32_t timestamp, std::int64_t now_us,
              std::uint32_t ratio) noexcept;

  [[nodiscard]] std::uint32_t began() const noexcept { return began_; }  ///< Its timestamp.
  /// Of its segments before the newest, in units of the event's clock.
  [[nodiscard]] std::uint32_t before() const noexcept { return before_; }

 private:
  std::int64_t last_us_ = 0;
  std::uint32_t began_ = 0, timestamp_ = 0;  // of the event, of its newest segment
  std::uint32_t before_ = 0;
  std::uint16_t duration_ = 0;  // the longest of the newest segment
  std::uint8_t event_ = 0;
  bool is_known_ = false;
};

/// A duration as the packets of an event say it: of which segment, and how much of that.
struct EventSegment {
  static constexpr std::uint32_t units_max = 0xFFFF;
  std::uint32_t number = 0;
  std::uint16_t duration = 0;
  static EventSegment of(std::uint32_t duration) noexcept;
};

/// A key that was pressed and let go.
struct PressedKey {
  char key = '\0';
  std::uint32_t duration = 0;  ///< In RTP clock units; of a lost end as far as it is known.
  bool is_end_lost = false;    ///< No packet said that it was let go.
};

/// Puts the packets of the events of one stream together (RFC 4733 section 2.5): all packets of an
/// event have the timestamp of its beginning, its last one is sent three times, one that is longer
/// than its field goes on in a segment whose timestamp is that of its end.
///
/// Threading: one thread at a time.
class KeyDetector {
 public:
  /// Behind this much silence of an event it is taken as over: five times the usual interval of its
  /// packets, and more than three of the longest common one (RFC 4733 section 2.6.1).
  static constexpr std::int64_t lost_end_us = 250'000;
  /// An event of an older timestamp is late within this time of the newest packet; behind it the
  /// sender has begun its timestamps anew.
  static constexpr std::int64_t late_us = 2'000'000;

  void reset() noexcept { *this = {}; }

  /// Takes an event packet. `is_new_key`: it is the first one of a key. The key that this packet
  /// ends: by its end bit, or a former one whose end was lost. `end_lost` may hold such a one
  /// beside a key of a single packet. `ratio`: units of the audio's clock in one of the event's,
  /// by either of which devices count timestamps.
  std::optional<PressedKey> take(const TelephoneEvent& event, std::uint32_t timestamp,
                                 std::uint32_t ssrc, std::int64_t now_us, bool& is_new_key,
                                 std::optional<PressedKey>& end_lost,
                                 std::uint32_t ratio = 1) noexcept;

  /// The key whose packets stopped without an end.
  std::optional<PressedKey> look(std::int64_t now_us) noexcept;
  [[nodiscard]] bool is_pressed() const noexcept { return is_pressed_; }

 private:
  PressedKey let_go(bool is_end_lost) noexcept;

  std::int64_t last_us_ = 0;
  std::uint32_t ssrc_ = 0;
  std::uint32_t timestamp_ = 0;  // of the newest event or segment
  std::uint32_t before_ = 0;     // duration of the segments before it
  std::uint32_t duration_ = 0;   // of the newest segment
  std::uint8_t event_ = 0;
  bool has_timestamp_ = false;
  bool is_pressed_ = false;
};

}  // namespace tandem::media
