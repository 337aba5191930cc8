// Sending by Ethernet frames, between two network namespaces that the test makes.
#include <doctest/doctest.h>

#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "media/fast/raw_sender.hpp"
#include "support/network_pair.hpp"
#include "tandem/clock.hpp"
#include "unit/media/backends.hpp"
#include "unit/media/endpoint.hpp"
#include "unit/media/rtp_packet.hpp"

using namespace tandem;
using namespace tandem::media;

namespace {

constexpr MediaSide caller = MediaSide::caller;
constexpr MediaSide callee = MediaSide::callee;
constexpr const char* near_ip[] = {"10.77.0.1", "fd77::1"};
constexpr const char* far_ip[] = {"10.77.0.2", "fd77::2"};

// A machine next door, at the other end of a cable.
class Neighbour {
 public:
  Neighbour()
      : pair_({"m0", {"10.77.0.1/24", "fd77::1/64"}}, {"m1", {"10.77.0.2/24", "fd77::2/64"}}) {}

  [[nodiscard]] const std::string& why_not() const { return pair_.why_not(); }
  std::unique_ptr<Endpoint> phone(int family) {
    std::unique_ptr<Endpoint> made;
    pair_.in_far([&] { made = std::make_unique<Endpoint>(far_ip[family]); });
    return made;
  }

 private:
  test::NetworkPair pair_;
};

// Runs `test` on a thread whose network may be changed.
template <class Test>
void with_neighbour(Test&& test) {
  std::thread([&] {
    Neighbour neighbour;
    if (!neighbour.why_not().empty()) {
      std::printf("not run: tests of Ethernet frames: %s\n", neighbour.why_not().c_str());
      return;
    }
    try {
      test(neighbour);
    } catch (...) {  // of REQUIRE, which has said what it found
    }
  }).join();
}

struct Outcomes final : RawSender::Outcome {
  void on_sent(const Onward&, bool is_sent) noexcept override { ++(is_sent ? sent : failed); }
  int sent = 0, failed = 0;
};

}  // namespace

TEST_CASE("Ethernet: a neighbour that is known gets frames, whatever comes before goes as it may") {
  if (!is_usable<Steered>()) return;
  with_neighbour([](Neighbour& neighbour) {
    for (int family = 0; family < 2; ++family) {
      CAPTURE(family);
      auto phone = neighbour.phone(family);
      RawSender sender;
      REQUIRE(sender.create(*IpAddress::parse(near_ip[0]), *IpAddress::parse(near_ip[1]), 0xb8));
      const PackedAddress from = pack({*IpAddress::parse(near_ip[family]), 20'000});
      Outcomes outcomes;
      Onward onward;
      onward.to = pack(phone->local());
      std::int64_t now_us = 1;
      const auto deliver = [&](const std::string& bytes) {
        onward.bytes = bytes;
        sender.add(onward, from, false, now_us, outcomes);
        sender.flush(outcomes);
        REQUIRE(phone->receive() == bytes);
      };
      deliver("first");  // nobody knew the neighbour
      CHECK(sender.sent_as_frames() == 0);
      now_us += NextHops::neighbour_us;
      deliver("second");  // asks the kernel and goes by it
      CHECK(sender.sent_as_frames() == 0);
      for (std::size_t size = 1; size < 1400; size += 100)
        deliver(std::string(size, 'x'));
      CHECK(sender.sent_as_frames() == 14);
      deliver(std::string(1450, 'y'));
      const std::uint64_t frames = sender.sent_as_frames();
      deliver(std::string(6000, 'z'));  // no frame has room for it
      CHECK(sender.sent_as_frames() == frames);
      now_us += NextHops::neighbour_us;
      deliver("for the kernel");  // which sees by it whether the neighbour is still there
      CHECK(sender.sent_as_frames() == frames);
      deliver("as a frame");
      CHECK(sender.sent_as_frames() == frames + 1);
      CHECK(outcomes.failed == 0);
    }
  });
}

TEST_CASE("Ethernet: the mark is in frames, and their source is the port of the relay") {
  if (!is_usable<Steered>()) return;
  with_neighbour([](Neighbour& neighbour) {
    for (int family = 0; family < 2; ++family) {
      CAPTURE(family);
      auto phone = neighbour.phone(family);
      RawSender sender;
      REQUIRE(sender.create(*IpAddress::parse(near_ip[0]), *IpAddress::parse(near_ip[1]), 0xb8));
      const PackedAddress from = pack({*IpAddress::parse(near_ip[family]), 20'000});
      Outcomes outcomes;
      Onward onward;
      onward.to = pack(phone->local());
      onward.bytes = "x";
      for (int i = 0; i < 3; ++i) {
        sender.add(onward, from, false, 1 + i * NextHops::neighbour_us / 2, outcomes);
        sender.flush(outcomes);
        CHECK(phone->receive_tos() == 0xb8);
      }
      CHECK(sender.sent_as_frames() > 0);
    }
  });
}

TEST_CASE("Ethernet: calls of a machine next door are relayed both ways and counted") {
  if (!is_usable<Steered>()) return;
  with_neighbour([](Neighbour& neighbour) {
    MediaConfig config;
    config.address = *IpAddress::parse(near_ip[0]);
    config.address6 = *IpAddress::parse(near_ip[1]);
    config.port_first = 20'000;
    config.port_last = 20'199;
    config.ready_pairs = 8;
    auto relay = create<Steered>(config);
    REQUIRE_MESSAGE(relay.ok(), (relay ? "" : relay.error().message));
    for (int family = 0; family < 2; ++family) {
      CAPTURE(family);
      auto a = neighbour.phone(0);
      auto b = neighbour.phone(family);
      auto session = relay->open(IpAddress::Family::ipv4, b->local().ip.family);
      REQUIRE(session);
      REQUIRE(session->set_remote(caller, a->local()));
      REQUIRE(session->set_remote(callee, b->local()));
      for (std::uint16_t i = 0; i < 300; ++i) {
        const std::string from_a = rtp_packet(i, i * 160U, 0xA);
        a->send(session->local_rtp(caller), from_a);
        REQUIRE(b->receive() == from_a);
        const std::string from_b = rtp_packet(i, i * 160U, 0xB, 33);
        b->send(session->local_rtp(callee), from_b);
        REQUIRE(a->receive() == from_b);
      }
      CHECK(session->stats(caller).packets_received == 300);
      CHECK(session->stats(callee).packets_received == 300);
      CHECK(session->stats(caller).packets_lost == 0);
      CHECK(session->stats(caller).remote == a->local().to_string());
    }
    CHECK(relay->stats().send_failures == 0);
  });
}
