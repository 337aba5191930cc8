#include "tandem/audio_tap.hpp"

#include <algorithm>
#include <utility>

#include "media/rtp.hpp"

namespace tandem {

namespace {

constexpr std::size_t samples_max = 5'760;  // 120 ms at 48,000 Hz, 240 ms at 16,000

}  // namespace

AudioTap::AudioTap() noexcept = default;
AudioTap::~AudioTap() = default;
AudioTap::AudioTap(AudioTap&& other) noexcept = default;
AudioTap& AudioTap::operator=(AudioTap&& other) noexcept = default;

Result<AudioTap> AudioTap::of(MediaSession& session, const MediaAudio& caller,
                              const MediaAudio& callee, std::size_t buffer_bytes) {
  AudioTap tap;
  const MediaAudio* const wanted[] = {&caller, &callee};
  for (std::size_t i = 0; i < 2; ++i) {
    if (wanted[i]->codec == nullptr) continue;
    Voice& voice = tap.voices_[i];
    voice.codec = wanted[i]->codec;
    voice.payload_type = wanted[i]->payload_type;
    voice.decoder = voice.codec->make_decoder();
    if (voice.decoder == nullptr)
      return Error{ErrorCode::invalid_argument,
                   "codec \"" + voice.codec->facts().name + "\" made no decoder"};
  }
  if (caller.codec == nullptr && callee.codec == nullptr)
    return Error{ErrorCode::invalid_argument, "no side had a codec"};
  auto packets = session.tap(buffer_bytes);
  if (!packets) return packets.error();
  tap.tap_ = std::move(*packets);
  return tap;
}

bool AudioTap::take(TappedAudio& out) {
  while (tap_.take(packet_)) {
    Voice& voice = voices_[packet_.side == MediaSide::caller ? 0 : 1];
    const auto header = media::parse_rtp(packet_.bytes);
    if (!header || voice.decoder == nullptr || header->payload_type != voice.payload_type) {
      ++skipped_;
      continue;
    }
    // Another stream begins with a decoder that has heard nothing.
    if (std::exchange(voice.has_ssrc, true) && voice.ssrc != header->ssrc)
      voice.decoder = voice.codec->make_decoder();
    voice.ssrc = header->ssrc;
    const std::string_view payload = media::rtp_payload(packet_.bytes, *header);
    out.samples.resize(samples_max);
    const std::size_t count =
        voice.decoder == nullptr
            ? 0
            : voice.decoder->decode(
                  {reinterpret_cast<const std::uint8_t*>(payload.data()), payload.size()},
                  out.samples);
    out.samples.resize(std::min(count, out.samples.size()));
    if (out.samples.empty()) {
      ++skipped_;
      continue;
    }
    out.side = packet_.side;
    out.at_us = packet_.at_us;
    out.ssrc = header->ssrc;
    out.timestamp = header->timestamp;
    out.sequence = header->sequence;
    out.rate_hz = voice.codec->facts().sample_rate_hz;
    return true;
  }
  return false;
}

std::uint64_t AudioTap::dropped() const noexcept { return tap_.dropped(); }
void AudioTap::end() noexcept { tap_.end(); }
bool AudioTap::is_over() const noexcept { return tap_.is_over(); }

}  // namespace tandem
