#include "media/telephone_event.hpp"

namespace tandem::media {

std::optional<TelephoneEvent> parse_telephone_event(std::string_view payload) noexcept {
  if (payload.size() < 4) return std::nullopt;
  const auto byte = [payload](std::size_t i) { return static_cast<std::uint8_t>(payload[i]); };
  TelephoneEvent event;
  event.event = byte(0);
  event.is_end = (byte(1) & 0x80) != 0;
  event.volume = byte(1) & 0x3F;
  event.duration = static_cast<std::uint16_t>(byte(2) << 8 | byte(3));
  return event;
}

char key_of_event(std::uint8_t event) noexcept {
  constexpr std::string_view keys = "0123456789*#ABCD!";
  return event < keys.size() ? keys[event] : '\0';
}

namespace {

/// A long event goes on where its former segment ended.
bool goes_on(std::uint32_t step, std::uint32_t duration, std::uint32_t ratio) noexcept {
  return duration >= 0x8000 &&
         (step == EventSegment::units_max || step == EventSegment::units_max * ratio);
}

}  // namespace

EventTrack::Packet EventTrack::take(const TelephoneEvent& event, std::uint32_t timestamp,
                                    std::int64_t now_us, std::uint32_t ratio) noexcept {
  Packet packet = Packet::more;
  const std::uint32_t step = timestamp - timestamp_;
  if (!is_known_ || step != 0) {
    const bool is_segment = is_known_ && event.event == event_ && goes_on(step, duration_, ratio);
    const bool is_late = is_known_ && static_cast<std::int32_t>(step) < 0 &&
                         now_us - last_us_ < KeyDetector::late_us;
    if (is_late) return Packet::late;
    if (is_segment) {
      before_ += EventSegment::units_max;
    } else {
      packet = Packet::first;
      before_ = 0;
      began_ = timestamp;
    }
    duration_ = 0;
  } else if (event.event != event_) {
    return Packet::late;  // nobody begins two events at once
  }
  is_known_ = true;
  timestamp_ = timestamp;
  event_ = event.event;
  if (event.duration > duration_) duration_ = event.duration;
  last_us_ = now_us;
  return packet;
}

EventSegment EventSegment::of(std::uint32_t duration) noexcept {
  const std::uint32_t number = duration == 0 ? 0 : (duration - 1) / units_max;
  return {number, static_cast<std::uint16_t>(duration - number * units_max)};
}

PressedKey KeyDetector::let_go(bool is_end_lost) noexcept {
  is_pressed_ = false;
  return {key_of_event(event_), before_ + duration_, is_end_lost};
}

std::optional<PressedKey> KeyDetector::take(const TelephoneEvent& event, std::uint32_t timestamp,
                                            std::uint32_t ssrc, std::int64_t now_us,
                                            bool& is_new_key, std::optional<PressedKey>& end_lost,
                                            std::uint32_t ratio) noexcept {
  is_new_key = false;
  end_lost.reset();
  if (key_of_event(event.event) == '\0') return std::nullopt;
  const bool is_known_stream = has_timestamp_ && ssrc == ssrc_;
  if (is_known_stream && timestamp == timestamp_) {
    // A repetition of the end, or a packet that was overtaken by it.
    if (!is_pressed_ || event.event != event_) return std::nullopt;
    last_us_ = now_us;
    if (event.duration > duration_) duration_ = event.duration;
    if (!event.is_end) return std::nullopt;
    return let_go(false);
  }
  // Of an event before the newest one: late, whatever it says.
  if (is_known_stream && static_cast<std::int32_t>(timestamp - timestamp_) < 0 &&
      now_us - last_us_ < late_us)
    return std::nullopt;
  const bool is_segment = is_known_stream && is_pressed_ && event.event == event_ &&
                          goes_on(timestamp - timestamp_, duration_, ratio);
  if (is_segment) {
    before_ += EventSegment::units_max;
  } else {
    if (is_pressed_) end_lost = let_go(true);
    before_ = 0;
    is_new_key = true;
  }
  has_timestamp_ = true;
  ssrc_ = ssrc;
  timestamp_ = timestamp;
  event_ = event.event;
  duration_ = event.duration;
  last_us_ = now_us;
  is_pressed_ = true;
  if (!event.is_end) return std::nullopt;
  return let_go(false);
}

std::optional<PressedKey> KeyDetector::look(std::int64_t now_us) noexcept {
  if (!is_pressed_ || now_us - last_us_ < lost_end_us) return std::nullopt;
  return let_go(true);
}

}  // namespace tandem::media
