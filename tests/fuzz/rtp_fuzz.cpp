// Any bytes as RTP, as RTCP, as keys, as audio of a recording and as a series of datagrams to one
// session that is watched and tapped.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "media/flow.hpp"
#include "media/recorded_voice.hpp"
#include "media/rtp.hpp"
#include "media/stereo.hpp"
#include "media/tap_ring.hpp"
#include "media/telephone_event.hpp"

// The input: for each datagram a byte for the port it goes to and where it comes from, a byte for
// the time that passes before it, a byte for its length, then the datagram.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tandem::media;
  const std::string_view whole(reinterpret_cast<const char*>(data), size);
  (void)parse_rtp(whole);
  (void)parse_rtcp(whole);
  (void)parse_telephone_event(whole);

  FlowTable flows(4);
  flows.open(0, 2);
  ShardCounters totals;
  EventRing events(8);
  totals.events = &events;
  TapRing tap(4096);
  for (std::uint32_t slot = 0; slot < 4; slot += 2) {
    Watch& watch = flows.watch(slot);
    watch.keys[1].store(std::uint64_t{1} << (101 - 64));
    watch.negotiated[0].store(1);
    watch.tap.store(&tap);
    watch.silence_ms.store(1000);
    watch.loss_permille.store(50);
    watch.loss_window_ms.store(1000);
    watch.is_scanned.store(true);
    flows[slot].flags.store(FlowRecord::watched);
  }
  StereoTrack track(0);
  RecordedVoice voices[2];
  voices[1].set(96, tandem::find_audio_codec("opus"));
  std::string frames;
  tandem::TappedPacket tapped;
  std::int64_t now_us = 1'000'000;
  std::uint64_t passed = 0;
  std::string_view rest = whole;
  while (rest.size() > 3) {
    const auto choice = static_cast<std::uint8_t>(rest[0]);
    now_us += static_cast<std::uint8_t>(rest[1]) * std::int64_t{20'000};
    const std::size_t length = static_cast<std::uint8_t>(rest[2]);
    rest.remove_prefix(3);
    const std::string_view datagram = rest.substr(0, length);
    rest.remove_prefix(datagram.size());
    PackedAddress from;
    from.ip[0] = 1 + (choice >> 2 & 3);
    from.port = static_cast<std::uint16_t>(4000 + (choice >> 4 & 3));
    from.family = tandem::IpAddress::Family::ipv4;
    if ((choice & 0x40) != 0)
      flows[choice & 2].flags.store((choice >> 2 & 0x3E) | FlowRecord::watched);
    if ((choice & 0x80) != 0) flows[choice & 2].signalled.store(from);
    Onward onward;
    if (flows.judge(choice & 3, from, datagram, now_us, totals, onward)) {
      ++passed;
      // It goes out on the other side, to somebody.
      if (onward.slot / 2 == (choice & 3U) / 2 || !onward.to.is_set()) std::abort();
      flows.sent(onward, true, totals);
    }
    flows.scan(0, now_us, totals);
    while (tap.take(tapped)) {
      const auto header = parse_rtp(tapped.bytes);
      if (!header || tapped.bytes.size() > TapRing::packet_bytes_max) std::abort();
      track.flush(tapped.at_us, frames);
      RecordedVoice& voice = voices[static_cast<std::size_t>(tapped.side)];
      const auto samples = voice.decode(*header, rtp_payload(tapped.bytes, *header));
      (void)track.put(tapped.side, tapped.at_us, *header, samples, voice.units());
    }
    for (ShardEvent event; events.pop(event);) {
      if (event.kind == tandem::MediaEvent::Kind::digit && event.digit == '\0') std::abort();
    }
    frames.clear();
  }
  if (totals.forwarded.load() != passed) std::abort();
  for (std::uint32_t slot = 0; slot < 4; slot += 2) {
    const std::uint64_t lost = flows[slot].lost.load();
    if (lost > (flows[slot].packets.load() + 1) * 3000) std::abort();  // no step may count for more
  }
  return 0;
}
