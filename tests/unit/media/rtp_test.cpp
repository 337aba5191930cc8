#include "media/rtp.hpp"

#include <doctest/doctest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "media/flow.hpp"
#include "media/recorded_voice.hpp"
#include "media/stereo.hpp"
#include "media/tap_ring.hpp"
#include "support/source_folder.hpp"
#include "unit/media/rtp_packet.hpp"

using namespace tandem::media;

TEST_CASE("RTP header: the fields of RFC 3550 section 5.1 are read in network order") {
  const auto header = parse_rtp(rtp_packet(0xFEDC, 0x01020304, 0xA0B0C0D0));
  REQUIRE(header);
  CHECK(header->sequence == 0xFEDC);
  CHECK(header->timestamp == 0x01020304);
  CHECK(header->ssrc == 0xA0B0C0D0);
  CHECK(header->payload_type == 0);
}

TEST_CASE("RTP header: what does not fit is refused at every length") {
  std::string packet = rtp_packet(1, 2, 3, 0);
  for (std::size_t size = 0; size < packet.size(); ++size)
    CHECK_FALSE(parse_rtp(packet.substr(0, size)));
  CHECK(parse_rtp(packet));
  std::string version = packet;
  for (const char first : {'\x00', '\x40', '\xC0'}) {
    version[0] = first;
    CHECK_FALSE(parse_rtp(version));
  }
  std::string sources = packet;
  sources[0] = '\x83';  // 3 contributing sources
  CHECK_FALSE(parse_rtp(sources + std::string(11, 's')));
  CHECK(parse_rtp(sources + std::string(12, 's')));
  std::string extension = packet;
  extension[0] = '\x90';
  CHECK_FALSE(parse_rtp(extension + std::string(3, '\0')));
  CHECK(parse_rtp(extension + std::string(4, '\0')));
  CHECK_FALSE(parse_rtp(extension + std::string("\xBE\xDE\0\x02", 4) + std::string(7, 'x')));
  CHECK(parse_rtp(extension + std::string("\xBE\xDE\0\x02", 4) + std::string(8, 'x')));
}

TEST_CASE("RTCP: the first report block says what its sender lost") {
  const auto summary = parse_rtcp(receiver_report(77, 1234, 80));
  REQUIRE(summary);
  CHECK(summary->ssrc == 77);
  CHECK(summary->has_report);
  CHECK(summary->lost == 1234);
  CHECK(summary->jitter == 80);
  CHECK(parse_rtcp(receiver_report(77, 0xFFFFFF))->lost == 0);  // -1: a duplicate
}

TEST_CASE("RTCP: a report behind an empty one of the same compound is found") {
  std::string compound = {'\x80', '\xC9', '\0', '\x01'};
  append_u32(compound, 5);
  const auto summary = parse_rtcp(compound + receiver_report(5, 9));
  REQUIRE(summary);
  CHECK(summary->lost == 9);
}

TEST_CASE(
    "RTCP: a first packet longer than the datagram is refused, what follows it is not looked at") {
  std::string report = receiver_report(1, 2);
  CHECK(parse_rtcp(report + "encrypted index and tag"));
  report[3] = '\x08';
  CHECK_FALSE(parse_rtcp(report));
  report[3] = '\0';  // 4 bytes: no room for the sender's SSRC
  CHECK_FALSE(parse_rtcp(report));
}

TEST_CASE("RTP and RTCP on one port: the second byte tells them apart (RFC 5761)") {
  CHECK(looks_like_rtcp(receiver_report(1, 2)));
  CHECK_FALSE(looks_like_rtcp(rtp_packet(1, 2, 3)));
  std::string marked = rtp_packet(1, 2, 3);
  marked[1] = static_cast<char>(0x80 | 101);  // telephone-event with marker
  CHECK_FALSE(looks_like_rtcp(marked));
}

TEST_CASE("Relay logic: no datagram of the corpora stops the good stream beside it") {
  const std::filesystem::path corpora =
      std::filesystem::path(tandem::test::source_folder()) / "../shared/testdata/media";
  if (!std::filesystem::exists(corpora)) {
    std::printf(
        "media: the corpora of RTP, RTCP, STUN and SDP were not replayed: ../shared is not "
        "there\n");
    return;
  }
  FlowTable flows(4);
  flows.open(0, 2);
  ShardCounters totals;
  EventRing events(64);
  totals.events = &events;
  TapRing tap(1 << 20);
  for (const std::uint32_t slot : {0U, 2U}) {  // watched for everything there is
    Watch& watch = flows.watch(slot);
    watch.keys[0].store(~std::uint64_t{1});
    watch.keys[1].store(~std::uint64_t{0});
    watch.negotiated[0].store(1);
    watch.tap.store(&tap);
    flows[slot].flags.store(FlowRecord::watched);
  }
  StereoTrack track(0);
  RecordedVoice voices[2];
  tandem::TappedPacket tapped;
  std::string frames;
  const PackedAddress good = pack(*tandem::SocketAddress::parse("192.0.2.1:4000"));
  const PackedAddress bad = pack(*tandem::SocketAddress::parse("192.0.2.66:4000"));
  flows[2].signalled.store(pack(*tandem::SocketAddress::parse("192.0.2.2:4000")));
  Onward onward;
  std::uint16_t sequence = 0;
  std::int64_t now_us = 1'000'000;
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(corpora)) {
    if (!entry.is_regular_file() || entry.file_size() > 65507) continue;
    ++files;
    now_us += 20'000;
    ++sequence;
    CHECK(flows.judge(0, good, rtp_packet(sequence, sequence * 160U, 0x5EED1234), now_us, totals,
                      onward));
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(file)),
                            std::istreambuf_iterator<char>());
    flows.judge(0, bad, bytes, now_us, totals, onward);
    flows.judge(1, bad, bytes, now_us, totals, onward);
    flows.judge(2, bad, bytes, now_us, totals, onward);
    flows.judge(3, bad, bytes, now_us, totals, onward);
    (void)parse_rtp(bytes);  // for the sanitizers
    while (tap.take(tapped)) {
      const auto header = parse_rtp(tapped.bytes);
      REQUIRE(header);
      track.flush(tapped.at_us, frames);
      RecordedVoice& voice = voices[static_cast<std::size_t>(tapped.side)];
      const auto samples = voice.decode(*header, rtp_payload(tapped.bytes, *header));
      (void)track.put(tapped.side, tapped.at_us, *header, samples, voice.units());
      frames.clear();
    }
    for (ShardEvent event; events.pop(event);) {
    }
    (void)parse_rtcp(bytes);
  }
  CHECK(files > 100);
  CHECK(flows[0].packets.load() == sequence);
  CHECK(flows[0].lost.load() == 0);
}
