#include "media/flow.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tandem/clock.hpp"
#include "unit/media/rtp_packet.hpp"

using namespace tandem;
using namespace tandem::media;

namespace {

PackedAddress at(const char* address) { return pack(*SocketAddress::parse(address)); }

// One session: the caller at slot 0 and 1, the callee at 2 and 3; its RTP is signalled at
// 198.51.100.2:6000.
struct Session {
  FlowTable flows{4};
  ShardCounters totals;
  Onward onward;
  std::int64_t now_us = 50'000'000;
  const PackedAddress phone = at("192.0.2.1:4000");
  const PackedAddress other = at("203.0.113.9:7000");
  const PackedAddress vendor = at("198.51.100.2:6000");

  Session() {
    flows.open(0, 2);
    flows[2].signalled.store(vendor);
    flows[3].signalled.store(at("198.51.100.2:6001"));
  }
  bool rtp(const PackedAddress& from, std::uint16_t sequence, std::uint32_t ssrc = 1,
           std::uint32_t slot = 0) {
    return flows.judge(slot, from, rtp_packet(sequence, sequence * 160U, ssrc, 8), now_us, totals,
                       onward);
  }
  bool datagram(std::uint32_t slot, const PackedAddress& from, const std::string& bytes) {
    return flows.judge(slot, from, bytes, now_us, totals, onward);
  }
  void open_window(std::uint32_t slot, std::uint32_t window_ms) {
    flows[slot].relatch_until_ms.store(static_cast<std::uint32_t>(now_us / 1000) + window_ms);
  }
  PackedAddress latched(std::uint32_t slot = 0) { return flows[slot].latched.load(); }
};

}  // namespace

TEST_CASE("Latch M-02: the first valid RTP packet decides the remote address") {
  Session s;
  CHECK_FALSE(s.datagram(0, s.other, "not RTP at all"));
  CHECK_FALSE(s.latched().is_set());
  CHECK(s.rtp(s.phone, 1));
  CHECK(s.latched() == s.phone);
  CHECK(s.onward.slot == 2);
  CHECK(s.onward.to == s.vendor);
  CHECK(s.totals.malformed.load() == 1);
}

TEST_CASE(
    "Latch M-02: media goes to the signalled address until the side's own packets come, then to "
    "their source") {
  Session s;
  s.flows[0].signalled.store(at("10.0.0.7:4000"));  // behind a NAT
  CHECK(s.rtp(s.vendor, 1, 2, 2));
  CHECK(s.onward.to == at("10.0.0.7:4000"));
  CHECK(s.rtp(s.phone, 1));
  CHECK(s.rtp(s.vendor, 2, 2, 2));
  CHECK(s.onward.to == s.phone);
}

TEST_CASE("SRTP: while the keys of a side are being taken away nothing goes to it in the clear") {
  Session s;
  CHECK(s.rtp(s.phone, 1));
  s.flows[2].flags.store(FlowRecord::encrypted);
  CHECK_FALSE(s.rtp(s.phone, 2));
  CHECK_FALSE(s.rtp(s.vendor, 1, 2, 2));
  s.flows[2].flags.store(0);
  CHECK(s.rtp(s.phone, 3));
  CHECK(s.rtp(s.vendor, 1, 2, 2));
}

TEST_CASE("Latch M-02: another source with another SSRC is refused and counted") {
  Session s;
  CHECK(s.rtp(s.phone, 1));
  for (std::uint16_t i = 0; i < 50; ++i)
    CHECK_FALSE(s.rtp(s.other, i, 666));
  CHECK(s.latched() == s.phone);
  CHECK(s.flows[0].refused.load() == 50);
  CHECK(s.totals.refused.load() == 50);
  CHECK(s.flows[0].packets.load() == 1);
}

TEST_CASE("Latch M-02: a source that continues the SSRC takes over at once") {
  Session s;
  CHECK(s.rtp(s.phone, 100));
  CHECK(s.rtp(s.other, 101));
  CHECK(s.latched() == s.other);
  CHECK(s.flows[0].lost.load() == 0);
}

TEST_CASE("Latch M-02: the SSRC with a sequence from elsewhere does not take over") {
  Session s;
  CHECK(s.rtp(s.phone, 100));
  CHECK_FALSE(s.rtp(s.other, 20'000));
  CHECK(s.latched() == s.phone);
}

TEST_CASE("Latch M-02: after 2 s of silence a new source takes over, not before") {
  Session s;
  CHECK(s.rtp(s.phone, 1));
  s.now_us += FlowTable::silence_us - 1;
  CHECK_FALSE(s.rtp(s.other, 1, 666));
  s.now_us += 1;
  CHECK(s.rtp(s.other, 2, 666));
  CHECK(s.latched() == s.other);
}

TEST_CASE("Latch M-02: exactly the signalled address takes over from one that was quicker") {
  Session s;
  s.flows[0].signalled.store(s.phone);
  CHECK(s.rtp(s.other, 1, 666));
  CHECK(s.rtp(s.phone, 1));
  CHECK(s.latched() == s.phone);
  CHECK_FALSE(s.rtp(s.other, 2, 666));
}

TEST_CASE(
    "Latch M-02: a window lets one new source take over, media goes to the signalled address "
    "meanwhile") {
  Session s;
  CHECK(s.rtp(s.phone, 1));
  CHECK(s.rtp(s.vendor, 1, 2, 2));
  CHECK(s.onward.to == s.phone);
  const PackedAddress moved = at("192.0.2.1:5000");
  s.flows[0].signalled.store(moved);
  s.open_window(0, 1000);
  CHECK(s.rtp(s.vendor, 2, 2, 2));
  CHECK(s.onward.to == moved);
  CHECK(s.rtp(s.phone, 2));  // in flight from the old place
  CHECK(s.rtp(s.other, 7, 3));
  CHECK(s.latched() == s.other);
  CHECK_FALSE(s.rtp(s.phone, 9000));  // the window closed with the new source
  CHECK(s.rtp(s.vendor, 3, 2, 2));
  CHECK(s.onward.to == s.other);
}

TEST_CASE("Latch M-02: a window ends by time") {
  Session s;
  CHECK(s.rtp(s.phone, 1));
  s.open_window(0, 500);
  s.now_us += 500'000;
  CHECK_FALSE(s.rtp(s.other, 1, 666));
}

TEST_CASE(
    "Flags: strict_source takes packets from the signalled IP address only, from any port of it") {
  Session s;
  s.flows[0].signalled.store(s.phone);
  s.flows[0].flags.store(FlowRecord::strict_source);
  CHECK_FALSE(s.rtp(s.other, 1));
  CHECK(s.rtp(at("192.0.2.1:9999"), 2));
  s.now_us += 10'000'000;
  CHECK_FALSE(s.rtp(s.other, 3));
  CHECK(s.flows[0].refused.load() == 2);
}

TEST_CASE(
    "Flags M-03: prefer_signalled sends to a public signalled address and not to a private one") {
  Session s;
  s.flows[0].flags.store(FlowRecord::prefer_signalled);
  s.flows[0].signalled.store(at("8.8.4.4:4000"));
  CHECK(s.rtp(s.phone, 1));
  CHECK(s.rtp(s.vendor, 1, 2, 2));
  CHECK(s.onward.to == at("8.8.4.4:4000"));
  s.flows[0].signalled.store(at("10.1.1.1:4000"));
  CHECK(s.rtp(s.vendor, 2, 2, 2));
  CHECK(s.onward.to == s.phone);
}

TEST_CASE("Flags: discard counts what comes and passes nothing on") {
  Session s;
  s.flows[0].flags.store(FlowRecord::discard);
  CHECK_FALSE(s.rtp(s.phone, 1));
  CHECK(s.flows[0].packets.load() == 1);
  CHECK(s.flows[0].refused.load() == 0);
  CHECK(s.totals.discarded.load() == 1);
}

TEST_CASE(
    "Flags: transparent passes datagrams that are no RTP and keeps the loss of the RTP before and "
    "after") {
  Session s;
  CHECK(s.rtp(s.phone, 1));
  CHECK(s.rtp(s.phone, 3));
  s.flows[0].flags.store(FlowRecord::transparent);
  for (int i = 0; i < 10; ++i)
    CHECK(s.datagram(0, s.phone, std::string("\0\1udptl", 7)));
  CHECK_FALSE(s.datagram(0, s.other, "udptl"));
  s.flows[0].flags.store(0);
  CHECK(s.rtp(s.phone, 4));
  CHECK(s.flows[0].packets.load() == 13);
  CHECK(s.flows[0].lost.load() == 1);
}

TEST_CASE("Relay: a packet for a side of which no address is known is counted and not sent") {
  Session s;
  s.flows[2].signalled.store({});
  CHECK_FALSE(s.rtp(s.phone, 1));
  CHECK(s.totals.undeliverable.load() == 1);
  CHECK(s.flows[0].packets.load() == 1);
}

TEST_CASE("Relay: a closed port relays nothing, and the next session starts from zero") {
  Session s;
  CHECK(s.rtp(s.phone, 1));
  s.flows.close(0);
  s.flows.close(2);
  CHECK_FALSE(s.rtp(s.phone, 2));
  CHECK(s.totals.stray.load() == 1);
  const auto epochs = s.flows.open(0, 2);
  CHECK_FALSE(s.flows[0].has_begun(epochs[0]));
  s.flows[2].signalled.store(s.vendor);
  CHECK(s.rtp(s.other, 9, 5));
  CHECK(s.flows[0].has_begun(epochs[0]));
  CHECK(s.flows[0].packets.load() == 1);
  CHECK(s.latched() == s.other);
}

TEST_CASE(
    "Loss M-17: gaps are counted, late packets take theirs back, duplicates do not go below 0") {
  Session s;
  for (const std::uint16_t sequence : {10, 11, 15, 16})
    CHECK(s.rtp(s.phone, sequence));
  CHECK(s.flows[0].lost.load() == 3);
  CHECK(s.rtp(s.phone, 13));
  CHECK(s.flows[0].lost.load() == 2);
  for (int i = 0; i < 5; ++i)
    CHECK(s.rtp(s.phone, 16));
  CHECK(s.flows[0].lost.load() == 0);
}

TEST_CASE("Loss M-17: the wrap of the sequence number is no loss") {
  Session s;
  for (std::uint32_t i = 0; i < 200'000; ++i)
    (void)s.rtp(s.phone, static_cast<std::uint16_t>(65000 + i));
  CHECK(s.flows[0].lost.load() == 0);
  CHECK(s.flows[0].packets.load() == 200'000);
}

TEST_CASE("Loss M-17: a new SSRC or a jump begins anew and keeps what was lost before") {
  Session s;
  for (const std::uint16_t sequence : {10, 12})
    CHECK(s.rtp(s.phone, sequence));
  for (const std::uint16_t sequence : {50000, 50003})
    CHECK(s.rtp(s.phone, sequence, 2));
  CHECK(s.flows[0].lost.load() == 3);
  for (const std::uint16_t sequence : {9000, 9001, 9003})
    CHECK(s.rtp(s.phone, sequence, 2));
  CHECK(s.flows[0].lost.load() == 4);
  CHECK(s.flows[0].packets.load() == 7);
}

TEST_CASE("Loss M-17: with any losses and reordering the count is that of a naive oracle") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    CAPTURE(seed);
    SeededRandom random(seed);
    Session s;
    const std::uint64_t first = random.below(70'000);
    std::vector<std::uint64_t> sent;
    for (std::uint64_t i = 0; i < 1500; ++i) {
      if (random.below(10) != 0) sent.push_back(first + i);
    }
    for (std::size_t i = 0; i + 8 < sent.size(); ++i) {
      if (random.below(5) == 0) std::swap(sent[i], sent[i + random.below(8)]);
    }
    std::set<std::uint64_t> seen;
    std::size_t wrong = 0;
    for (const std::uint64_t sequence : sent) {
      s.rtp(s.phone, static_cast<std::uint16_t>(sequence));
      seen.insert(sequence);
      const std::uint64_t expected = *seen.rbegin() - *seen.begin() + 1;
      if (s.flows[0].lost.load() != expected - seen.size()) ++wrong;
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("Jitter M-17: an even stream has none, an alternating one comes to its mean difference") {
  Session s;
  for (std::uint16_t i = 0; i < 100; ++i) {
    s.rtp(s.phone, i);
    s.now_us += 20'000;
  }
  CHECK(s.flows[0].jitter_us() == 0);
  for (std::uint16_t i = 100; i < 400; ++i) {
    s.rtp(s.phone, i);
    s.now_us +=
        i % 2 == 0 ? 15'000 : 25'000;  // each differs by 5 ms from the 20 ms of its timestamp
  }
  CHECK(s.flows[0].jitter_us() >= 4'800);
  CHECK(s.flows[0].jitter_us() <= 5'200);
}

TEST_CASE("Jitter M-17: it equals the formula of RFC 3550 appendix A.8 for any arrivals") {
  SeededRandom random(7);
  Session s;
  s.flows[0].clock_rate_hz.store(90'000);
  std::uint32_t jitter = 0;
  std::uint32_t transit_before = 0;
  for (std::uint32_t i = 0; i < 2000; ++i) {
    s.now_us += 10'000 + static_cast<std::int64_t>(random.below(20'000));
    const std::uint32_t timestamp = i * 1800;
    CHECK(s.datagram(0, s.phone, rtp_packet(static_cast<std::uint16_t>(i), timestamp, 4)));
    const auto arrival = static_cast<std::uint32_t>(static_cast<std::uint64_t>(s.now_us) * 9 / 100);
    const std::uint32_t transit = arrival - timestamp;
    if (i > 0) {
      const auto d = static_cast<std::int32_t>(transit - transit_before);
      jitter += static_cast<std::uint32_t>(d < 0 ? -d : d) - ((jitter + 8) >> 4);
    }
    transit_before = transit;
  }
  CHECK(s.flows[0].jitter_q4.load() == jitter);
}

TEST_CASE("Jitter M-17: the repeated timestamps of a telephone-event add none") {
  Session s;
  for (std::uint16_t i = 0; i < 50; ++i) {
    s.datagram(0, s.phone, rtp_packet(i, 8000, 4));
    s.now_us += 20'000;
  }
  CHECK(s.flows[0].jitter_us() == 0);
}

TEST_CASE("RTCP: it is relayed to the port after RTP and does not count as media (M-05)") {
  Session s;
  CHECK(s.datagram(1, at("192.0.2.1:4001"), receiver_report(5, 12)));
  CHECK(s.onward.slot == 3);
  CHECK(s.onward.to == at("198.51.100.2:6001"));
  CHECK(s.flows[0].packets.load() == 0);
  CHECK(s.flows[0].last_us.load() == 0);
  CHECK(s.flows[1].lost.load() == 12);
  CHECK_FALSE(s.datagram(1, at("192.0.2.1:4001"), rtp_packet(1, 2, 3)));
}

TEST_CASE("RTCP: once RTP is latched only its IP address may send reports") {
  Session s;
  CHECK(s.rtp(s.phone, 1));
  CHECK_FALSE(s.datagram(1, s.other, receiver_report(5, 12)));
  CHECK(s.datagram(1, at("192.0.2.1:4011"), receiver_report(5, 12)));
  CHECK(s.datagram(3, s.vendor, receiver_report(6, 0)));
  CHECK(s.onward.to == at("192.0.2.1:4011"));
}

TEST_CASE(
    "RTCP: a side with one port gets both there, a side with two gets them apart (RFC 5761)") {
  Session s;
  s.flows[0].signalled.store(s.phone);
  s.flows[1].signalled.store(s.phone);
  s.flows[0].flags.store(FlowRecord::mux);
  CHECK(s.rtp(s.phone, 1));
  CHECK(s.datagram(0, s.phone, receiver_report(5, 1)));
  CHECK(s.onward.slot == 3);
  CHECK(s.onward.to == at("198.51.100.2:6001"));
  CHECK_FALSE(s.datagram(0, s.other, receiver_report(5, 1)));
  CHECK(s.datagram(3, at("198.51.100.2:6001"), receiver_report(6, 1)));
  CHECK(s.onward.slot == 0);
  CHECK(s.onward.to == s.phone);
  CHECK(s.flows[0].packets.load() == 1);
  CHECK(s.flows[1].packets.load() == 1);
}

TEST_CASE("Address record: a reader on another thread sees whole addresses only") {
  AtomicAddress record;
  const PackedAddress a = at("[2001:db8:aaaa:aaaa:aaaa:aaaa:aaaa:aaaa]:1111");
  const PackedAddress b = at("192.0.2.1:2222");
  record.store(a);
  std::thread writer([&] {
    for (int i = 0; i < 20'000; ++i)
      record.store(i % 2 == 0 ? b : a);
  });
  for (int i = 0; i < 20'000; ++i) {
    const PackedAddress seen = record.load();
    REQUIRE((seen == a || seen == b));
  }
  writer.join();
}

TEST_CASE("Packed address: packing and unpacking gives the same address") {
  for (const char* text : {"192.0.2.1:5060", "[2001:db8::7]:65535"}) {
    const SocketAddress address = *SocketAddress::parse(text);
    CHECK(unpack(pack(address)) == address);
  }
  CHECK_FALSE(pack({}).is_set());
  CHECK_FALSE(pack(SocketAddress{IpAddress::ipv4(192, 0, 2, 1), 0}).is_set());
}
