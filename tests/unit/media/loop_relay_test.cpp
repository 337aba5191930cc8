// The relay on a simulated loop.
#include <doctest/doctest.h>

#include <chrono>

#include "media/relay.hpp"
#include "unit/media/fake_loop.hpp"
#include "unit/media/rtp_packet.hpp"

using namespace tandem;
using namespace tandem::media;

namespace {

constexpr MediaSide caller = MediaSide::caller;
constexpr MediaSide callee = MediaSide::callee;

MediaConfig config_of_loop() {
  MediaConfig config;
  config.address = IpAddress::ipv4(10, 0, 0, 1);
  config.address6 = *IpAddress::parse("2001:db8::1");
  config.port_first = 30001;
  config.port_last = 30060;
  return config;
}

// Calls with random traffic; gives what the ends heard.
std::deque<FakeLoop::Heard> run(std::uint64_t seed) {
  FakeLoop loop;
  SeededRandom random(seed);
  auto relay = make_loop_relay(config_of_loop(), loop);
  REQUIRE(relay);
  const SocketAddress phone = *SocketAddress::parse("192.0.2.1:4000");
  const SocketAddress vendor = *SocketAddress::parse("198.51.100.2:6000");
  for (int call = 0; call < 20; ++call) {
    auto session = relay->open();
    REQUIRE(session);
    REQUIRE(session->set_remote(callee, vendor));
    for (std::uint16_t i = 0; i < 50; ++i) {
      loop.advance_us(static_cast<std::int64_t>(random.below(40'000)));
      const std::string packet = rtp_packet(static_cast<std::uint16_t>(random.below(100)), i, 1);
      if (random.below(2) == 0) {
        loop.send(phone, session->local_rtp(caller), packet);
      } else {
        loop.send(vendor, session->local_rtp(callee), packet);
      }
    }
    loop.advance_us(1'000'000);
  }
  return loop.heard;
}

}  // namespace

TEST_CASE("Loop relay: runs with one seed are equal to the byte and the microsecond") {
  const auto heard = run(5);
  CHECK(heard.size() > 400);
  CHECK(heard == run(5));
  CHECK_FALSE(heard == run(6));
}

TEST_CASE(
    "Loop relay M-05: the time of the last RTP stands still when media stops, on either side "
    "apart") {
  FakeLoop loop;
  auto relay = make_loop_relay(config_of_loop(), loop);
  REQUIRE(relay);
  auto session = relay->open(IpAddress::Family::ipv4, IpAddress::Family::ipv6);
  REQUIRE(session);
  const SocketAddress phone = *SocketAddress::parse("192.0.2.1:4000");
  const SocketAddress vendor = *SocketAddress::parse("[2001:db8::99]:6000");
  CHECK(session->last_rtp_us(caller) == 0);
  loop.send(phone, session->local_rtp(caller), rtp_packet(1, 160, 1));
  loop.send(vendor, session->local_rtp(callee), rtp_packet(1, 160, 2));
  const std::int64_t first_us = loop.clock().monotonic_us();
  loop.advance_us(3'000'000);
  loop.send(vendor, session->local_rtp(callee), rtp_packet(2, 320, 2));
  loop.send(phone, session->local_rtcp(caller), receiver_report(1, 0));
  CHECK(session->last_rtp_us(caller) == first_us);
  CHECK(session->last_rtp_us(callee) == first_us + 3'000'000);
  REQUIRE(loop.heard.size() >= 1);
  CHECK(loop.heard.front().to == phone);
}

TEST_CASE("Loop relay: a late packet of a closed call does not enter the next one") {
  FakeLoop loop;
  MediaConfig config = config_of_loop();
  config.port_first = 30000;
  config.port_last = 30003;  // two pairs: one call
  auto relay = make_loop_relay(config, loop);
  REQUIRE(relay);
  auto session = relay->open();
  REQUIRE(session);
  const SocketAddress phone = *SocketAddress::parse("192.0.2.1:4000");
  const SocketAddress local = session->local_rtp(caller);
  session->close();
  CHECK_FALSE(relay->open());
  loop.advance_us(1'500'000);
  loop.send(phone, local, rtp_packet(1, 160, 1));
  loop.advance_us(1'000'000);
  CHECK_FALSE(relay->open());  // still heard its old call a second ago
  loop.advance_us(2'000'000);
  session = relay->open();
  REQUIRE(session);
  CHECK(session->stats(caller).packets_received == 0);
  CHECK(relay->stats().packets_stray == 1);
}

TEST_CASE("Loop relay M-02: an address 0.0.0.0 in the SDP is nobody's (RFC 3264 section 8.4)") {
  FakeLoop loop;
  auto relay = make_loop_relay(config_of_loop(), loop);
  REQUIRE(relay);
  auto session = relay->open();
  REQUIRE(session);
  REQUIRE(session->set_remote(callee, *SocketAddress::parse("0.0.0.0:6000")));
  loop.send(*SocketAddress::parse("192.0.2.1:4000"), session->local_rtp(caller),
            rtp_packet(1, 160, 1));
  CHECK(loop.heard.empty());
  CHECK(relay->stats().packets_undeliverable == 1);
}

TEST_CASE("Loop relay: closing it closes its sockets, its sessions may be closed after") {
  FakeLoop loop;
  MediaSession session;
  {
    auto relay = make_loop_relay(config_of_loop(), loop);
    REQUIRE(relay);
    session = std::move(*relay->open());
    CHECK(loop.sockets() > 0);
  }
  CHECK(loop.sockets() == 0);
}

TEST_CASE("Loop relay: a session that outlives its loop asks nobody for the time") {
  MediaSession session;
  {
    FakeLoop loop;
    auto relay = make_loop_relay(config_of_loop(), loop);
    REQUIRE(relay);
    session = *relay->open();
    REQUIRE(session.set_remote(caller, *SocketAddress::parse("192.0.2.1:4000")));
    loop.advance_us(5'000'000);
  }
  session.relatch(caller);  // the sanitizers see a clock that is gone
  CHECK(session.set_remote(caller, *SocketAddress::parse("192.0.2.2:4000")));
}

TEST_CASE("Loop relay: nobody waits for events that only this thread can bring") {
  FakeLoop loop;
  MediaConfig config = config_of_loop();
  config.events_max = 16;
  auto relay = make_loop_relay(config, loop);
  REQUIRE(relay);
  const auto began = std::chrono::steady_clock::now();
  CHECK(relay->take_events(16, 20'000'000).empty());
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(10));
}
