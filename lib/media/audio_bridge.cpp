#include "media/audio_bridge.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace tandem::media {
namespace {

constexpr std::size_t samples_of_ms(std::uint32_t ms) noexcept { return std::size_t{ms} * 8; }
constexpr std::uint32_t tick_samples = 160;
constexpr std::int64_t catch_up_us =
    200'000;  // what a stalled loop missed for longer is not played
constexpr std::uint32_t event_min_samples = 320;    // 40 ms, the least of Q.24
constexpr std::uint32_t event_max_samples = 64000;  // its field holds 8 s
constexpr std::uint8_t event_volume = 10;
constexpr unsigned ends_needed = 3;  // RFC 4733 section 2.5.1.4

void put_u16(char* to, std::uint16_t value) noexcept {
  to[0] = static_cast<char>(value >> 8);
  to[1] = static_cast<char>(value);
}
void put_u32(char* to, std::uint32_t value) noexcept {
  put_u16(to, static_cast<std::uint16_t>(value >> 16));
  put_u16(to + 2, static_cast<std::uint16_t>(value));
}

/// RTP clock units of one sample at 8,000 Hz.
std::uint32_t units(const MediaAudio& audio) noexcept {
  return audio.codec == nullptr ? 1 : audio.codec->facts().clock_rate_hz / audio_rate_hz;
}

/// Of the clock of its events, likewise.
std::uint32_t event_units(const MediaAudio& audio) noexcept {
  return audio.events_clock_rate_hz / audio_rate_hz;
}

/// RTP clock units in one of the clock of events: where that is slower, timestamps count the RTP
/// clock all the same.
std::uint32_t event_ratio(const MediaAudio& audio) noexcept {
  return std::max(1U, units(audio) / event_units(audio));
}

std::uint32_t rate_hz(const MediaAudio& audio) noexcept {
  return audio.codec == nullptr ? audio_rate_hz : audio.codec->facts().sample_rate_hz;
}

/// Samples of the codec for one at 8,000 Hz.
std::size_t scale(const MediaAudio& audio) noexcept { return rate_hz(audio) / audio_rate_hz; }

/// 240 ms up to 16,000 Hz, and 120 ms above, which is the longest packet of any codec there.
std::size_t packet_samples_max(const MediaAudio& audio) noexcept {
  return audio_packet_samples_max * std::min<std::size_t>(scale(audio), 3);
}

bool keeps_state(const MediaAudio& audio) noexcept {
  return audio.codec != nullptr && audio.codec->facts().keeps_state;
}

/// Samples at 8,000 Hz of a packet that is made here: whole frames, 20 ms where they can be.
std::size_t made_samples(const MediaAudio& audio) noexcept {
  if (audio.codec == nullptr) return tick_samples;
  const std::size_t frame = samples_of_ms(audio.codec->facts().frame_ms);
  return (tick_samples + frame - 1) / frame * frame;
}

constexpr MediaSide other(MediaSide side) noexcept {
  return side == MediaSide::caller ? MediaSide::callee : MediaSide::caller;
}

Result<void> check(const MediaAudio& audio) {
  const auto refused = [](const char* name, std::int64_t value, const char* range) {
    return Error{ErrorCode::invalid_argument,
                 std::string(name) + ' ' + std::to_string(value) + " was not " + range};
  };
  if (audio.payload_type > 127) return refused("payload_type", audio.payload_type, "in 0..127");
  if (audio.events_type < -1 || audio.events_type > 127)
    return refused("events_type", audio.events_type, "in -1..127");
  const std::uint32_t events_hz = audio.events_clock_rate_hz;
  if (events_hz < audio_rate_hz || events_hz > 48'000 || events_hz % audio_rate_hz != 0)
    return refused("events_clock_rate_hz", events_hz, "a multiple of 8000 in 8000..48000");
  if (audio.ptime_ms == 0) return {};
  const bool is_whole =
      audio.codec == nullptr || audio.ptime_ms % audio.codec->facts().frame_ms == 0;
  if (audio.ptime_ms < 10 || audio.ptime_ms > 120 || !is_whole)
    return refused("ptime_ms", audio.ptime_ms, "a multiple of the frame in 10..120");
  return {};
}

}  // namespace

AudioBridge::AudioBridge(std::uint32_t seed, std::uint32_t jitter_min_ms,
                         std::uint32_t jitter_max_ms)
    : seed_(seed),
      jitter_min_ms_(jitter_min_ms),
      jitter_max_ms_(jitter_max_ms),
      samples_(audio_packet_samples_max),
      resampled_(audio_packet_samples_max) {}

Result<void> AudioBridge::set(const MediaAudio& caller, const MediaAudio& callee) {
  for (const MediaAudio* audio : {&caller, &callee}) {
    if (auto checked = check(*audio); !checked) return checked;
  }
  const MediaAudio* const wanted[2] = {&caller, &callee};
  // Made before the lock is taken: the relay does not wait for memory.
  std::unique_ptr<AudioDecoder> decoders[2];
  std::unique_ptr<AudioEncoder> encoders[2];
  std::vector<std::int16_t> waiting[2];
  const std::size_t most = std::max(packet_samples_max(caller), packet_samples_max(callee));
  std::vector<std::int16_t> samples(most), resampled(most);
  bool is_same[2], is_same_encoder[2];
  for (std::size_t i = 0; i < 2; ++i) {
    {
      const std::lock_guard lock(mutex_);
      is_same[i] = ways_[i].audio.codec == wanted[i]->codec && ways_[i].decoder != nullptr;
      is_same_encoder[i] = is_same[i] && ways_[i].audio.fmtp == wanted[i]->fmtp;
    }
    waiting[i].resize(2 * packet_samples_max(*wanted[i]));
    if (wanted[i]->codec == nullptr) continue;
    if (!is_same[i]) decoders[i] = wanted[i]->codec->make_decoder();
    if (!is_same_encoder[i]) encoders[i] = wanted[i]->codec->make_encoder_for(wanted[i]->fmtp);
  }
  const std::lock_guard lock(mutex_);
  std::swap(samples_, samples);
  std::swap(resampled_, resampled);
  for (std::size_t i = 0; i < 2; ++i) {
    Way& one = ways_[i];
    one.audio = *wanted[i];
    std::swap(one.waiting, waiting[i]);
    one.waiting_count = 0;
    one.is_repacked = false;
    if (!one.audio.hears_tones) one.tones.reset();
    if (!is_same[i]) {
      std::swap(one.decoder, decoders[i]);
      one.for_tones.set(rate_hz(one.audio), audio_rate_hz);
      one.of_made.set(audio_rate_hz, rate_hz(one.audio));
    }
    if (!is_same_encoder[i]) std::swap(one.encoder, encoders[i]);
  }
  const bool are_same = is_same[0] && is_same[1];
  for (std::size_t i = 0; i < 2; ++i) {
    if (!are_same) ways_[i].of_other.set(rate_hz(ways_[1 - i].audio), rate_hz(ways_[i].audio));
    open_jitter(ways_[i], ways_[1 - i], are_same);
  }
  is_buffering_.store(ways_[0].jitter.is_open() || ways_[1].jitter.is_open(),
                      std::memory_order_release);
  note_busy();
  return {};
}

/// Only where something is decoded, and by codecs that need their packets in order.
void AudioBridge::open_jitter(Way& from, const Way& to, bool is_same) {
  const bool is_decoded = from.audio.codec != to.audio.codec || to.audio.ptime_ms != 0;
  const bool is_wanted = jitter_max_ms_ != 0 && from.decoder != nullptr && is_decoded &&
                         (keeps_state(from.audio) || keeps_state(to.audio));
  if (!is_wanted) return from.jitter.close();
  if (is_same && from.jitter.is_open()) return;  // what waits there goes on
  from.jitter.open(jitter_min_ms_, jitter_max_ms_, from.audio.codec->facts().clock_rate_hz);
  from.jitter_told = {};
}

bool AudioBridge::play(MediaSide to, AudioPlaylist list, const MediaPlay& how,
                       std::int64_t now_us) noexcept {
  const std::lock_guard lock(mutex_);
  Way& one = way(to);
  if (one.encoder == nullptr) return false;
  std::swap(one.list, list);
  one.how = how;
  one.clip = one.played = 0;
  one.due_us = now_us + how.delay_us;
  note_busy();
  return true;
}

void AudioBridge::stop_playing(MediaSide to) noexcept {
  AudioPlaylist gone;  // freed behind the lock
  const std::lock_guard lock(mutex_);
  std::swap(way(to).list, gone);
  note_busy();
}

void AudioBridge::stop() noexcept {
  AudioPlaylist gone[2];  // freed behind the lock
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < 2; ++i) {
    std::swap(ways_[i].list, gone[i]);
    ways_[i].jitter.restart();
    ways_[i].key_count = 0;
    ways_[i].key_samples = 0;
    ways_[i].key_segment = 0;
    ways_[i].ends_sent = 0;
  }
  note_busy();
}

bool AudioBridge::is_playing(MediaSide to) const noexcept {
  const std::lock_guard lock(mutex_);
  return !ways_[to == MediaSide::caller ? 0 : 1].list.is_empty();
}

bool AudioBridge::press(MediaSide to, char key, std::uint32_t duration_ms) noexcept {
  const std::lock_guard lock(mutex_);
  return press_locked(way(to), key, static_cast<std::uint32_t>(samples_of_ms(duration_ms)));
}

bool AudioBridge::press_locked(Way& to, char key, std::uint32_t samples) noexcept {
  if (!event_of_key(key) || to.key_count == keys_max) return false;
  const bool has_way = to.audio.keys == MediaKeys::tones    ? to.encoder != nullptr
                       : to.audio.keys == MediaKeys::events ? to.audio.events_type >= 0
                                                            : false;
  if (!has_way) return false;
  samples = std::clamp(samples, event_min_samples, event_max_samples);
  to.keys[to.key_count++] = {key, samples / tick_samples * tick_samples};
  note_busy();
  return true;
}

void AudioBridge::note_busy() noexcept {
  is_busy_.store(std::any_of(ways_.begin(), ways_.end(),
                             [](const Way& one) {
                               return !one.list.is_empty() || one.key_count != 0 ||
                                      !one.jitter.is_empty();
                             }),
                 std::memory_order_release);
}

/// Another source begins anew, behind whatever was sent before it.
void AudioBridge::begin_input(const Way& from, Way& to, const RtpHeader& header) noexcept {
  if (to.has_input && to.ssrc == header.ssrc) return;
  to.has_input = true;
  to.ssrc = header.ssrc;
  to.shift = 0;
  to.input_sequence = header.sequence;
  to.sequence = static_cast<std::uint16_t>(header.sequence - 1);
  to.input_timestamp = header.timestamp;
  to.input_moment = header.timestamp / units(from.audio);
  to.timestamp = to.input_moment * units(to.audio);
  to.waiting_count = 0;
  to.has_sent = false;
  to.events.reset();
}

/// In samples at 8,000 Hz. A quotient of the timestamp would jump where that begins again at 0.
std::uint32_t AudioBridge::moment_of(const Way& from, Way& to, std::uint32_t timestamp) noexcept {
  const auto each = static_cast<std::int32_t>(units(from.audio));
  const auto apart = static_cast<std::int32_t>(timestamp - to.input_timestamp);
  // Downwards for what is older too, so that a timestamp that comes again is the same moment again.
  const std::int32_t steps = apart / each - (apart % each < 0 ? 1 : 0);
  const std::uint32_t moment = to.input_moment + static_cast<std::uint32_t>(steps);
  if (steps > 0) {
    to.input_timestamp += static_cast<std::uint32_t>(steps * each);
    to.input_moment = moment;
  }
  return moment;
}

void AudioBridge::take(MediaSide from_side, const RtpHeader& header, std::string_view packet,
                       std::int64_t now_us, BridgeOutput& out) noexcept {
  if (packet.size() > packet_bytes_max) return;
  const std::lock_guard lock(mutex_);
  Way& from = way(from_side);
  if (!from.jitter.is_open()) return convert(from_side, header, packet, now_us, out);
  const bool is_audio = header.payload_type == from.audio.payload_type;
  // Each turn but the last makes room or begins anew.
  for (std::size_t turn = 0; turn < 2 * JitterBuffer::packets_max; ++turn) {
    const JitterBuffer::Put put = from.jitter.put(header, packet, is_audio, now_us);
    if (put == JitterBuffer::Put::full) {
      release(from_side, false, 1, now_us, out);
    } else if (put == JitterBuffer::Put::other) {
      release(from_side, false, 2 * JitterBuffer::packets_max, now_us, out);
      from.jitter.restart();
    } else {
      break;
    }
  }
  release(from_side, true, 2 * JitterBuffer::packets_max, now_us, out);
  note_busy();
}

/// Converts what is due, or, without waiting, what is there.
void AudioBridge::release(MediaSide from_side, bool is_waiting, std::size_t most,
                          std::int64_t now_us, BridgeOutput& out) noexcept {
  Way& from = way(from_side);
  for (; most > 0; --most) {
    const JitterBuffer::Due due = from.jitter.take(now_us, is_waiting);
    if (due.kind == JitterBuffer::Due::Kind::nothing) break;
    if (due.kind == JitterBuffer::Due::Kind::packet) {
      convert(from_side, due.header, due.packet, now_us, out);
    } else {
      conceal(from_side, due, now_us, out);
    }
  }
  const JitterBuffer::Counts& counts = from.jitter.counts();
  if (counts == from.jitter_told && from.depth_told_us == from.jitter.depth_us()) return;
  out.buffered(from_side,
               {counts.late - from.jitter_told.late, counts.lost - from.jitter_told.lost},
               from.jitter.depth_us());
  from.jitter_told = counts;
  from.depth_told_us = from.jitter.depth_us();
}

/// Sends what the decoder thinks of a packet that did not come, in its place.
void AudioBridge::conceal(MediaSide from_side, const JitterBuffer::Due& lost, std::int64_t now_us,
                          BridgeOutput& out) noexcept {
  Way& from = way(from_side);
  Way& to = way(other(from_side));
  const bool is_other_played = !to.list.is_empty() || to.key_count != 0;
  if (is_other_played || from.decoder == nullptr || !to.has_input) return;
  const std::size_t wanted =
      std::min(lost.units / units(from.audio) * scale(from.audio), samples_.size());
  const std::string_view next =
      lost.packet.empty() ? lost.packet : rtp_payload(lost.packet, lost.header);
  const std::size_t count = std::min(
      from.decoder->conceal({reinterpret_cast<const std::uint8_t*>(next.data()), next.size()},
                            {samples_.data(), wanted}),
      wanted);
  if (count == 0) return;
  write(from, to, other(from_side), lost.header, false, count, now_us, out);
  to.input_sequence = lost.header.sequence;
}

void AudioBridge::convert(MediaSide from_side, const RtpHeader& header, std::string_view packet,
                          std::int64_t now_us, BridgeOutput& out) noexcept {
  const MediaSide to_side = other(from_side);
  Way& from = way(from_side);
  Way& to = way(to_side);
  if (!to.list.is_empty()) {
    if (!to.how.until_heard) {
      // What the clip covers is not missed: it has a packet in the place of each.
      if (!to.has_input || to.ssrc != header.ssrc) return;
      --to.shift;
      if (static_cast<std::int16_t>(header.sequence - to.input_sequence) > 0)
        to.input_sequence = header.sequence;
      return;
    }
    to.list = {};
    note_busy();
  }
  begin_input(from, to, header);
  if (from.audio.events_type >= 0 && header.payload_type == from.audio.events_type) {
    take_event(from, to, to_side, header, packet, now_us, out);
  } else {
    take_audio(from, to, to_side, header, packet, now_us, out);
  }
  if (static_cast<std::int16_t>(header.sequence - to.input_sequence) > 0)
    to.input_sequence = header.sequence;
}

void AudioBridge::take_event(Way& from, Way& to, MediaSide to_side, const RtpHeader& header,
                             std::string_view packet, std::int64_t now_us,
                             BridgeOutput& out) noexcept {
  const std::string_view payload = rtp_payload(packet, header);
  const bool is_marked = (static_cast<std::uint8_t>(packet[1]) & 0x80) != 0;
  const bool is_passed = to.audio.keys == MediaKeys::events && to.audio.events_type >= 0 &&
                         to.key_count == 0 && to.audio.ptime_ms == 0;
  if (is_passed && from.audio.events_clock_rate_hz == to.audio.events_clock_rate_hz) {
    std::memcpy(packet_.data() + header_bytes, payload.data(), payload.size());
    return send(to, to_side, static_cast<std::uint8_t>(to.audio.events_type), is_marked,
                moment_of(from, to, header.timestamp) * units(to.audio),
                static_cast<std::uint16_t>(header.sequence + to.shift), payload.size(), now_us,
                out);
  }
  const auto event = parse_telephone_event(payload);
  const EventTrack::Packet kind =
      event ? to.events.take(*event, header.timestamp, now_us, event_ratio(from.audio))
            : EventTrack::Packet::late;
  if (is_passed && kind != EventTrack::Packet::late) {
    if (kind == EventTrack::Packet::first) to.event_segment = 0;
    return pass_event(from, to, to_side, header, is_marked, *event, now_us, out);
  }
  // It is not missed; the place of one that came late has been left already.
  if (!is_passed || static_cast<std::int16_t>(header.sequence - to.input_sequence) > 0) --to.shift;
  if (kind == EventTrack::Packet::late) return;
  // As long as the key turns out to be, when it is told in time; its beginning counts.
  const std::uint32_t samples = (to.events.before() + event->duration) / event_units(from.audio);
  if (kind == EventTrack::Packet::first) {
    (void)press_locked(to, key_of_event(event->event), samples);
  } else if (to.key_count > 0) {
    Key& last = to.keys[to.key_count - 1];
    const std::uint32_t longer = std::min(samples, event_max_samples) / tick_samples * tick_samples;
    if (last.key == key_of_event(event->event) && to.ends_sent == 0)
      last.samples = std::max(last.samples, longer);
  }
}

// How long it lasts is counted by the other clock, and what its field cannot hold there begins a
// new segment, or what it holds here is no segment there.
void AudioBridge::pass_event(Way& from, Way& to, MediaSide to_side, const RtpHeader& header,
                             bool is_marked, const TelephoneEvent& event, std::int64_t now_us,
                             BridgeOutput& out) noexcept {
  const std::uint64_t lasted = to.events.before() + event.duration;
  const EventSegment segment = EventSegment::of(static_cast<std::uint32_t>(
      lasted * to.audio.events_clock_rate_hz / from.audio.events_clock_rate_hz));
  const std::uint32_t began = moment_of(from, to, to.events.began()) * units(to.audio);
  const auto type = static_cast<std::uint8_t>(to.audio.events_type);
  const auto timestamp_of = [&](std::uint32_t number) {
    return began + number * EventSegment::units_max * event_ratio(to.audio);
  };
  if (segment.number > to.event_segment) {
    // The former one ends full.
    const std::size_t size = write_event(event.event, false, event.volume, EventSegment::units_max);
    send(to, to_side, type, false, timestamp_of(segment.number - 1),
         static_cast<std::uint16_t>(header.sequence + to.shift), size, now_us, out);
    ++to.shift;
    to.event_segment = segment.number;
  }
  const std::size_t size = write_event(event.event, event.is_end, event.volume, segment.duration);
  send(to, to_side, type, is_marked, timestamp_of(segment.number),
       static_cast<std::uint16_t>(header.sequence + to.shift), size, now_us, out);
}

/// The payload of RFC 4733 section 2.3 into packet_; its size.
std::size_t AudioBridge::write_event(std::uint8_t event, bool is_end, std::uint8_t volume,
                                     std::uint16_t duration) noexcept {
  char* const into = packet_.data() + header_bytes;
  into[0] = static_cast<char>(event);
  into[1] = static_cast<char>(volume | (is_end ? 0x80 : 0));
  put_u16(into + 2, duration);
  return 4;
}

void AudioBridge::take_audio(Way& from, Way& to, MediaSide to_side, const RtpHeader& header,
                             std::string_view packet, std::int64_t now_us,
                             BridgeOutput& out) noexcept {
  const auto sequence = static_cast<std::uint16_t>(header.sequence + to.shift);
  const std::string_view payload = rtp_payload(packet, header);
  const bool is_marked = (static_cast<std::uint8_t>(packet[1]) & 0x80) != 0;
  const bool is_same_codec = from.audio.codec == to.audio.codec;
  const bool is_known = from.decoder != nullptr && header.payload_type == from.audio.payload_type;
  if (!is_known) {
    // Comfort noise and the like mean nothing in another codec.
    if (!is_same_codec || to.key_count != 0) {
      --to.shift;
      return;
    }
    std::memcpy(packet_.data() + header_bytes, payload.data(), payload.size());
    // Also of a codec that is not known here, which may have another number on the other side.
    const std::uint8_t type = header.payload_type == from.audio.payload_type ? to.audio.payload_type
                                                                             : header.payload_type;
    return send(to, to_side, type, is_marked, header.timestamp, sequence, payload.size(), now_us,
                out);
  }
  std::size_t count = 0;
  const bool needs_samples = !is_same_codec || from.audio.hears_tones || to.audio.ptime_ms != 0;
  if (needs_samples) {
    const auto* const bytes = reinterpret_cast<const std::uint8_t*>(payload.data());
    count = std::min(from.decoder->decode({bytes, payload.size()}, samples_), samples_.size());
  }
  if (from.audio.hears_tones) {
    std::span<const std::int16_t> heard{samples_.data(), count};
    if (from.for_tones.is_needed())
      heard = {resampled_.data(), from.for_tones.take(heard, resampled_)};
    if (const auto key = from.tones.take(heard)) {
      out.heard(other(to_side), *key);
      (void)press_locked(to, key->key, static_cast<std::uint32_t>(samples_of_ms(key->duration_ms)));
    }
  }
  // A tone that goes on in another form is not heard twice.
  const bool goes_on = to.audio.keys == MediaKeys::none ||
                       (to.audio.keys == MediaKeys::events && to.audio.events_type >= 0);
  const bool is_covered = to.key_count != 0 || (from.tones.is_heard() && goes_on);
  if (is_covered) {
    --to.shift;
    return;
  }
  if (!is_same_codec || to.audio.ptime_ms != 0)
    return write(from, to, to_side, header, is_marked, count, now_us, out);
  std::memcpy(packet_.data() + header_bytes, payload.data(), payload.size());
  send(to, to_side, to.audio.payload_type, is_marked,
       moment_of(from, to, header.timestamp) * units(to.audio), sequence, payload.size(), now_us,
       out);
}

std::size_t AudioBridge::encode(Way& to, std::span<const std::int16_t> samples) noexcept {
  if (samples.empty() || to.encoder == nullptr) return 0;
  auto* const into = reinterpret_cast<std::uint8_t*>(packet_.data() + header_bytes);
  return std::min(to.encoder->encode(samples, {into, packet_bytes_max - header_bytes}),
                  packet_bytes_max - header_bytes);
}

/// The first `count` of samples_, which are at 8,000 Hz.
std::size_t AudioBridge::encode_made(Way& to, std::size_t count) noexcept {
  std::span<const std::int16_t> made{samples_.data(), count};
  if (to.of_made.is_needed()) made = {resampled_.data(), to.of_made.take(made, resampled_)};
  return encode(to, made);
}

void AudioBridge::write(Way& from, Way& to, MediaSide to_side, const RtpHeader& header,
                        bool is_marked, std::size_t count, std::int64_t now_us,
                        BridgeOutput& out) noexcept {
  std::span<const std::int16_t> samples{samples_.data(), count};
  if (to.of_other.is_needed()) samples = {resampled_.data(), to.of_other.take(samples, resampled_)};
  const std::size_t frame = to.audio.codec == nullptr
                                ? 1
                                : samples_of_ms(to.audio.codec->facts().frame_ms) * scale(to.audio);
  // Frames of G.711 are as short as a sample, those of others are not.
  if (frame > 8 * scale(to.audio) && samples.size() % frame != 0) to.is_repacked = true;
  if (to.audio.ptime_ms != 0 || to.is_repacked)
    return repack(from, to, to_side, header, samples, now_us, out);
  const std::size_t size = encode(to, samples);
  if (size == 0) {
    --to.shift;
    return;
  }
  send(to, to_side, to.audio.payload_type, is_marked,
       moment_of(from, to, header.timestamp) * units(to.audio),
       static_cast<std::uint16_t>(header.sequence + to.shift), size, now_us, out);
}

/// Packets of the length that the side wants (M-10).
void AudioBridge::repack(Way& from, Way& to, MediaSide to_side, const RtpHeader& header,
                         std::span<const std::int16_t> samples, std::int64_t now_us,
                         BridgeOutput& out) noexcept {
  constexpr std::int32_t late_samples = 16'000;  // 2 s; more is another time base
  const std::uint32_t begin = moment_of(from, to, header.timestamp);
  const std::size_t each = scale(to.audio);
  const auto step = static_cast<std::int32_t>(
      begin - (to.waiting_moment + static_cast<std::uint32_t>(to.waiting_count / each)));
  std::uint16_t lost = 0;
  if (to.has_sent || to.waiting_count != 0) {
    if (step < 0 && step > -late_samples) return;  // its place was filled or passed
    const auto missed = static_cast<std::int16_t>(header.sequence - to.input_sequence - 1);
    if (missed > 0 && missed < 100) lost = static_cast<std::uint16_t>(missed);
  }
  const std::size_t full_moments =
      to.audio.ptime_ms != 0 ? samples_of_ms(to.audio.ptime_ms) : made_samples(to.audio);
  const std::size_t full = full_moments * each;
  if (step != 0 || to.waiting_count == 0) {
    to.waiting_count = 0;  // what is not continued is less than a packet
    to.waiting_moment = begin;
  }
  if (!to.has_sent) to.sequence = static_cast<std::uint16_t>(header.sequence - 1);
  // So that the receiver sees that there was a loss, in about its size.
  if (lost != 0 && !samples.empty())
    to.sequence = static_cast<std::uint16_t>(
        to.sequence + std::max<std::size_t>(1, lost * samples.size() / full));
  const std::size_t count = std::min(samples.size(), to.waiting.size() - to.waiting_count);
  std::copy_n(samples.begin(), count,
              to.waiting.begin() + static_cast<std::ptrdiff_t>(to.waiting_count));
  to.waiting_count += count;
  std::size_t taken = 0;
  while (to.waiting_count - taken >= full && to.encoder != nullptr) {
    const std::size_t size = encode(to, {to.waiting.data() + taken, full});
    const std::uint32_t timestamp =
        (to.waiting_moment + static_cast<std::uint32_t>(taken / each)) * units(to.audio);
    if (size != 0)
      send(to, to_side, to.audio.payload_type, false, timestamp,
           static_cast<std::uint16_t>(to.sequence + 1), size, now_us, out);
    taken += full;
  }
  std::copy(to.waiting.begin() + static_cast<std::ptrdiff_t>(taken),
            to.waiting.begin() + static_cast<std::ptrdiff_t>(to.waiting_count), to.waiting.begin());
  to.waiting_count -= taken;
  to.waiting_moment += static_cast<std::uint32_t>(taken / each);
}

/// Writes the header before the payload that is in packet_ already.
void AudioBridge::send(Way& to, MediaSide side, std::uint8_t type, bool is_marked,
                       std::uint32_t timestamp, std::uint16_t sequence, std::size_t payload_bytes,
                       std::int64_t now_us, BridgeOutput& out) noexcept {
  packet_[0] = '\x80';
  packet_[1] = static_cast<char>(type | (is_marked ? 0x80 : 0));
  put_u16(packet_.data() + 2, sequence);
  put_u32(packet_.data() + 4, timestamp);
  put_u32(packet_.data() + 8, to.ssrc);
  const bool is_newest = !to.has_sent || static_cast<std::int16_t>(sequence - to.sequence) > 0;
  if (is_newest) {
    to.sequence = sequence;
    to.timestamp = timestamp;
    to.sent_us = now_us;
  }
  to.has_sent = true;
  out.send(side, {packet_.data(), header_bytes + payload_bytes});
}

/// Where the stream is by the clock, in whole packets behind the last one.
std::uint32_t AudioBridge::next_timestamp(const Way& to, std::int64_t now_us) const noexcept {
  if (!to.has_sent) return to.timestamp;
  const std::int64_t ticks =
      std::max<std::int64_t>(1, (now_us - to.sent_us + tick_us / 2) / tick_us);
  return to.timestamp + static_cast<std::uint32_t>(ticks) * tick_samples * units(to.audio);
}

/// Sends a packet that nobody sent, behind the last one.
void AudioBridge::put_in(Way& to, MediaSide side, std::uint8_t type, bool is_marked,
                         std::uint32_t timestamp, std::size_t payload_bytes, std::int64_t now_us,
                         BridgeOutput& out) noexcept {
  if (!to.has_sent && !to.has_input) {
    to.ssrc = seed_ ^ (side == MediaSide::caller ? 0U : 0xFFFFFFFFU);
    to.sequence = static_cast<std::uint16_t>(seed_ >> 8);
  }
  ++to.shift;
  send(to, side, type, is_marked, timestamp, static_cast<std::uint16_t>(to.sequence + 1),
       payload_bytes, now_us, out);
}

void AudioBridge::tick(std::int64_t now_us, BridgeOutput& out) noexcept {
  const std::lock_guard lock(mutex_);
  for (const MediaSide side : {MediaSide::caller, MediaSide::callee}) {
    if (!way(side).jitter.is_empty())
      release(side, true, 2 * JitterBuffer::packets_max, now_us, out);
  }
  for (const MediaSide side : {MediaSide::caller, MediaSide::callee}) {
    Way& to = way(side);
    if (to.key_count == 0 && to.list.is_empty()) continue;
    const bool is_new_key = to.key_count != 0 && to.key_samples == 0 && to.list.is_empty();
    if (now_us - to.due_us > (is_new_key ? 0 : catch_up_us)) to.due_us = now_us;
    while ((to.key_count != 0 || !to.list.is_empty()) && to.due_us <= now_us) {
      if (to.key_count != 0) {
        tick_key(to, side, now_us, out);
      } else {
        tick_list(to, side, now_us, out);
      }
      to.due_us += tick_us;
    }
  }
  note_busy();
}

void AudioBridge::tick_key(Way& to, MediaSide side, std::int64_t now_us,
                           BridgeOutput& out) noexcept {
  Key& key = to.keys[0];
  const bool is_first = to.key_samples == 0;
  if (is_first) to.key_timestamp = next_timestamp(to, now_us);
  const bool is_done = to.key_samples >= key.samples;
  if (to.audio.keys == MediaKeys::tones && to.encoder != nullptr) {
    if (!is_done || to.ends_sent < ends_needed) {
      // Behind the key a pause, or the same key after it would be one with it.
      if (is_done) ++to.ends_sent;
      const std::size_t count = made_samples(to.audio);
      make_tone(is_done ? '\0' : key.key, to.key_samples, {samples_.data(), count});
      if (const std::size_t size = encode_made(to, count); size != 0)
        put_in(to, side, to.audio.payload_type, is_first,
               to.key_timestamp + to.key_samples * units(to.audio), size, now_us, out);
      to.key_samples += static_cast<std::uint32_t>(count);
      to.due_us += static_cast<std::int64_t>(count - tick_samples) * 125;
      return;
    }
  } else if (const auto event = event_of_key(key.key);
             event && to.audio.events_type >= 0 && to.ends_sent < ends_needed) {
    if (!is_done) to.key_samples += tick_samples;
    const bool is_end = to.key_samples >= key.samples;
    const EventSegment segment = EventSegment::of(to.key_samples * event_units(to.audio));
    const auto put_event = [&](bool is_marked, std::uint32_t number, bool ends,
                               std::uint16_t duration) {
      const std::size_t size = write_event(*event, ends, event_volume, duration);
      put_in(to, side, static_cast<std::uint8_t>(to.audio.events_type), is_marked,
             to.key_timestamp + number * EventSegment::units_max * event_ratio(to.audio), size,
             now_us, out);
    };
    if (segment.number > to.key_segment)  // the former one ends full
      put_event(false, to.key_segment, false, EventSegment::units_max);
    to.key_segment = segment.number;
    put_event(is_first, segment.number, is_end, segment.duration);
    if (is_end && ++to.ends_sent < ends_needed) {
      // The copies follow at once: audio goes on behind the key, not behind them.
      while (to.ends_sent++ < ends_needed)
        put_event(false, segment.number, true, segment.duration);
    }
    if (!is_end) return;
  }
  // What follows is behind the key on the stream's own clock.
  to.timestamp = to.key_timestamp + to.key_samples * units(to.audio) -
                 (to.key_samples == 0 ? 0 : tick_samples * units(to.audio));
  to.key_samples = 0;
  to.key_segment = 0;
  to.ends_sent = 0;
  std::move(to.keys.begin() + 1, to.keys.begin() + static_cast<std::ptrdiff_t>(to.key_count),
            to.keys.begin());
  --to.key_count;
}

void AudioBridge::tick_list(Way& to, MediaSide side, std::int64_t now_us,
                            BridgeOutput& out) noexcept {
  if (to.encoder == nullptr) {
    to.list = {};
    return;
  }
  const std::size_t count = made_samples(to.audio);
  const bool is_first = to.clip == 0 && to.played == 0;
  const std::span<const AudioClip> clips = to.list.clips();
  for (std::size_t i = 0; i < count; ++i) {
    if (to.clip == clips.size() && to.how.repeats) to.clip = 0;
    if (to.clip == clips.size()) {
      samples_[i] = 0;
      continue;
    }
    const std::vector<std::int16_t>& from = clips[to.clip].samples();
    samples_[i] = from[to.played++];
    if (to.played == from.size()) {
      ++to.clip;
      to.played = 0;
    }
  }
  if (const std::size_t size = encode_made(to, count); size != 0) {
    const std::uint32_t timestamp =
        to.has_sent && !is_first
            ? to.timestamp + static_cast<std::uint32_t>(count) * units(to.audio)
            : next_timestamp(to, now_us);
    put_in(to, side, to.audio.payload_type, is_first, timestamp, size, now_us, out);
  }
  to.due_us += static_cast<std::int64_t>(count - tick_samples) * 125;
  if (to.clip == clips.size() && !to.how.repeats) to.list = {};
}

}  // namespace tandem::media
