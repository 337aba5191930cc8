#include "media/stereo.hpp"

#include <algorithm>
#include <utility>

namespace tandem::media {
namespace {

constexpr int misorder_max = 100;  // RFC 3550 appendix A.1

void put_u16(std::string& out, std::uint32_t value) {
  out.push_back(static_cast<char>(value));
  out.push_back(static_cast<char>(value >> 8));
}
void put_u32(std::string& out, std::uint32_t value) {
  put_u16(out, value & 0xFFFF);
  put_u16(out, value >> 16);
}

}  // namespace

StereoTrack::StereoTrack(std::int64_t begins_us)
    : begins_us_(begins_us), window_(static_cast<std::size_t>(2 * window_frames)) {}

std::int64_t StereoTrack::frame_at(std::int64_t now_us) const noexcept {
  return (now_us - begins_us_) * rate_hz / 1'000'000;
}

StereoTrack::Fate StereoTrack::put(MediaSide side, std::int64_t at_us, const RtpHeader& header,
                                   std::span<const std::int16_t> samples, std::uint32_t units) {
  if (samples.empty()) return Fate::skipped;
  Stream& stream = streams_[static_cast<std::size_t>(side)];
  const std::int64_t arrival = std::max<std::int64_t>(frame_at(at_us), 0);
  const bool is_same_stream = stream.has_begun && header.ssrc == stream.ssrc;
  const std::int64_t step = static_cast<std::int32_t>(header.timestamp - stream.timestamp) /
                            static_cast<std::int64_t>(units);
  std::int64_t frame = stream.frame + step;
  const std::int64_t ahead = frame - arrival;
  const bool is_far = ahead > reorder_frames || ahead < -reorder_frames;
  const auto size = static_cast<std::int64_t>(samples.size());
  // A sender may begin its timestamps anew under its old SSRC: only the sequence tells that from a
  // packet that was overtaken.
  const auto moved = static_cast<std::int16_t>(header.sequence - stream.sequence);
  const bool is_overtaken = moved > -misorder_max && (moved < 0 || (moved == 0 && step <= 0));
  if (is_same_stream && is_far && is_overtaken) return Fate::late;
  // What was held up comes at once, behind a gap: it is where it belongs again when it has caught
  // up, and fastened to its arrival each part of the burst would be written over the one before.
  const std::int64_t waited = arrival - std::exchange(stream.arrival, arrival);
  const bool may_catch_up = is_same_stream && moved > 0 && step == moved * size &&
                            (2 * waited < size || waited > reorder_frames);
  const bool goes_on = is_same_stream && (!is_far || may_catch_up);
  if (!goes_on) frame = arrival;
  if (!is_same_stream || step > 0 || moved > 0 || is_far) {
    stream.has_begun = true;
    stream.ssrc = header.ssrc;
    stream.sequence = header.sequence;
    // What is no whole sample is kept for the next packet.
    stream.timestamp =
        goes_on ? stream.timestamp + static_cast<std::uint32_t>(step) * units : header.timestamp;
    stream.frame = frame;
  }
  const std::int64_t first = std::max(frame, flushed_);
  const std::int64_t end = std::min(frame + size, flushed_ + window_frames);
  if (first >= end) return Fate::late;
  for (std::int64_t at = first; at < end; ++at) {
    const auto place = static_cast<std::size_t>(2 * (at & (window_frames - 1)));
    window_[place + static_cast<std::size_t>(side)] = samples[static_cast<std::size_t>(at - frame)];
  }
  end_ = std::max(end_, end);
  return Fate::taken;
}

void StereoTrack::flush_to(std::int64_t frame, std::string& out) {
  if (frame <= flushed_) return;
  out.reserve(out.size() + static_cast<std::size_t>(4 * (frame - flushed_)));
  for (; flushed_ < frame; ++flushed_) {
    const auto place = static_cast<std::size_t>(2 * (flushed_ & (window_frames - 1)));
    for (std::size_t channel = 0; channel < 2; ++channel) {
      put_u16(out, static_cast<std::uint16_t>(window_[place + channel]));
      window_[place + channel] = 0;
    }
  }
}

void StereoTrack::flush(std::int64_t now_us, std::string& out) {
  flush_to(frame_at(now_us) - reorder_frames, out);
}

void StereoTrack::finish(std::string& out) { flush_to(end_, out); }

std::string wav_header(std::uint32_t data_bytes) {
  constexpr std::uint32_t channels = 2, sample_bytes = 2;
  constexpr auto rate_hz = static_cast<std::uint32_t>(StereoTrack::rate_hz);
  std::string header = "RIFF";
  put_u32(header, data_bytes + static_cast<std::uint32_t>(wav_header_bytes) - 8);
  header += "WAVEfmt ";
  put_u32(header, 16);
  put_u16(header, 1);  // PCM
  put_u16(header, channels);
  put_u32(header, rate_hz);
  put_u32(header, rate_hz * channels * sample_bytes);
  put_u16(header, channels * sample_bytes);
  put_u16(header, 8 * sample_bytes);
  header += "data";
  put_u32(header, data_bytes);
  return header;
}

}  // namespace tandem::media
