// Any packets through a jitter buffer, every codec's decoder and a bridge between two of them, and
// any bytes as what a description says of Opus.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "codec/opus_options.hpp"
#include "media/audio_bridge.hpp"

namespace {

using namespace tandem;
using namespace tandem::media;

class Output final : public BridgeOutput {
 public:
  void send(MediaSide, std::string_view packet) noexcept override {
    if (!parse_rtp(packet) || packet.size() > 2048) std::abort();
    ++sent;
  }
  void heard(MediaSide, const HeardKey&) noexcept override {}
  void buffered(MediaSide, const JitterBuffer::Counts& more,
                std::int64_t depth_us) noexcept override {
    lost += more.lost;
    if (depth_us < 0 || depth_us > 200'000) std::abort();
  }
  std::uint64_t sent = 0, lost = 0;
};

}  // namespace

// The input: a byte for the codec, then for each packet a byte for the time before it and its side,
// a byte for its length, then the packet.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view whole(reinterpret_cast<const char*>(data), size);
  const codec::OpusOptions options = codec::opus_options(whole);
  if (options.playback_rate_max_hz < 8000 || options.playback_rate_max_hz > 48000) std::abort();
  if (size < 1) return 0;

  const auto codecs = audio_codecs();
  const auto& codec = codecs[data[0] % codecs.size()];
  const auto decoder = codec->make_decoder();
  JitterBuffer buffer;
  buffer.open(20, 200, codec->facts().clock_rate_hz);
  auto bridge = std::make_shared<AudioBridge>(1, 20, 200);
  MediaAudio of_caller, of_callee;
  of_caller.codec = codec;
  of_caller.payload_type = 96;
  of_caller.events_type = 101;
  of_callee.codec = codecs[data[0] / 16 % codecs.size()];
  of_callee.payload_type = 8;
  of_callee.events_type = 102;
  if ((data[0] & 0x40) != 0) of_caller.events_clock_rate_hz = 48'000;
  if ((data[0] & 0x20) != 0) of_callee.events_clock_rate_hz = 48'000;
  of_callee.hears_tones = (data[0] & 0x80) != 0;
  if (!bridge->set(of_caller, of_callee)) std::abort();
  Output out;
  std::vector<std::int16_t> samples(5760);
  std::int64_t now_us = 1'000'000;
  std::uint64_t put = 0, taken = 0, given = 0;
  std::string_view rest = whole.substr(1);
  while (rest.size() > 2) {
    const auto choice = static_cast<std::uint8_t>(rest[0]);
    const std::size_t length = static_cast<std::uint8_t>(rest[1]);
    rest.remove_prefix(2);
    const std::string_view packet = rest.substr(0, length);
    rest.remove_prefix(packet.size());
    now_us += (choice >> 1) * std::int64_t{2'000};
    const auto header = parse_rtp(packet);
    if (header) {
      bridge->take((choice & 1) != 0 ? MediaSide::callee : MediaSide::caller, *header, packet,
                   now_us, out);
      ++put;
      const auto verdict = buffer.put(*header, packet, header->payload_type == 96, now_us);
      if (verdict == JitterBuffer::Put::taken) ++taken;
      if (verdict == JitterBuffer::Put::other) {
        while (buffer.take(now_us, false).kind != JitterBuffer::Due::Kind::nothing) {
        }
        taken = given = 0;
        buffer.restart();
      }
    }
    bridge->tick(now_us, out);
    for (;;) {
      const JitterBuffer::Due due = buffer.take(now_us);
      if (due.kind == JitterBuffer::Due::Kind::nothing) break;
      const std::string_view payload =
          due.packet.empty() ? due.packet : rtp_payload(due.packet, due.header);
      const std::span<const std::uint8_t> bytes(
          reinterpret_cast<const std::uint8_t*>(payload.data()), payload.size());
      if (due.kind == JitterBuffer::Due::Kind::packet) {
        ++given;
        if (decoder->decode(bytes, samples) > samples.size()) std::abort();
      } else if (decoder->conceal(bytes, {samples.data(), 320}) > 320) {
        std::abort();
      }
    }
    if (given > taken) std::abort();
  }
  // A packet gives one, one for each that was lost before it, and what was cut to other lengths.
  if (out.sent > 32 * (put + out.lost + 1)) std::abort();
  return 0;
}
