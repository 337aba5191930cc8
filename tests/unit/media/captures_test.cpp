// Captures of real calls through every backend: what one passes on, all do, to the byte, whatever
// was lost, doubled or out of order on the way to it.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "media/fast/fast.hpp"
#include "media/relay.hpp"
#include "support/source_folder.hpp"
#include "tandem/media_relay.hpp"
#include "unit/media/backends.hpp"
#include "unit/media/capture_file.hpp"
#include "unit/media/endpoint.hpp"
#include "unit/media/fake_loop.hpp"
#include "unit/media/networks.hpp"

using namespace tandem;
using namespace tandem::media;

namespace {

using Datagram = Conversation::Datagram;

MediaSide side_of(const Datagram& datagram) {
  return datagram.is_of_first ? MediaSide::caller : MediaSide::callee;
}

/// What is sent, and what becomes of each datagram.
struct Replay {
  enum class Kind { rtp, rtcp, other };
  std::string name;
  Kind kind = Kind::other;
  std::vector<Datagram> datagrams;
  std::vector<bool> is_passed;
  std::uint64_t received[2] = {0, 0}, lost[2] = {0, 0}, sent[2] = {0, 0};  // by side
};

Replay::Kind kind_of(const Conversation& conversation) {
  std::size_t rtp = 0, rtcp = 0;
  for (const Datagram& datagram : conversation.datagrams) {
    const bool is_report = datagram.bytes.size() > 1 &&
                           static_cast<unsigned char>(datagram.bytes[1]) >= 200 &&
                           static_cast<unsigned char>(datagram.bytes[1]) <= 207;
    rtcp += is_report ? 1 : 0;
    rtp += !is_report && parse_rtp(datagram.bytes) ? 1 : 0;
  }
  const std::size_t all = conversation.datagrams.size();
  return rtcp == all ? Replay::Kind::rtcp : rtp == all ? Replay::Kind::rtp : Replay::Kind::other;
}

/// Of 100 some four lost, some six twice, some eight behind the next one of their side.
std::vector<Datagram> with_faults(const std::vector<Datagram>& from) {
  std::vector<Datagram> to;
  std::uint32_t random = 7;
  for (std::size_t i = 0; i < from.size(); ++i) {
    random = random * 1664525 + 1013904223;
    const std::uint32_t draw = (random >> 8) % 100;
    if (draw < 4) continue;
    const bool is_overtaken =
        draw < 12 && i + 1 < from.size() && from[i].is_of_first == from[i + 1].is_of_first;
    if (is_overtaken) to.push_back(from[i + 1]);
    to.push_back(from[i]);
    if (is_overtaken) {
      ++i;
    } else if (draw >= 94) {
      to.push_back(from[i]);
    }
  }
  return to;
}

void describe(MediaSession& session, Replay::Kind kind) {
  for (const MediaSide side : {MediaSide::caller, MediaSide::callee})
    session.set_flags(side, {.transparent = kind == Replay::Kind::other});
}

/// In memory, a datagram at a time: what all others are compared with.
void run_reference(Replay& replay) {
  FakeLoop loop;
  MediaConfig config;
  config.address = IpAddress::ipv4(192, 0, 2, 1);
  config.port_first = 30000;
  config.port_last = 30019;
  auto relay = make_loop_relay(config, loop);
  REQUIRE(relay);
  auto session = relay->open();
  REQUIRE(session);
  const SocketAddress at[2] = {*SocketAddress::parse("192.0.2.7:4000"),
                               *SocketAddress::parse("192.0.2.9:4000")};
  REQUIRE(session->set_remote(MediaSide::caller, at[0], at[0]));
  REQUIRE(session->set_remote(MediaSide::callee, at[1], at[1]));
  describe(*session, replay.kind);
  const bool is_rtcp = replay.kind == Replay::Kind::rtcp;
  for (const Datagram& datagram : replay.datagrams) {
    const MediaSide side = side_of(datagram);
    const std::size_t before = loop.heard.size();
    loop.send(at[datagram.is_of_first ? 0 : 1],
              is_rtcp ? session->local_rtcp(side) : session->local_rtp(side), datagram.bytes);
    loop.advance_us(1000);
    const bool is_passed = loop.heard.size() > before;
    replay.is_passed.push_back(is_passed);
    if (is_passed) CHECK(loop.heard.back().bytes == datagram.bytes);
  }
  for (const MediaSide side : {MediaSide::caller, MediaSide::callee}) {
    const MediaSideStats stats = session->stats(side);
    const std::size_t index = side == MediaSide::caller ? 0 : 1;
    replay.received[index] = stats.packets_received;
    replay.lost[index] = stats.packets_lost;
    replay.sent[index] = stats.packets_sent;
  }
}

std::vector<Replay> replays_of(const std::filesystem::path& folder) {
  std::vector<Replay> replays;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    for (const Conversation& conversation : CaptureFile::read(file.path().string())) {
      for (const bool has_faults : {false, true}) {
        Replay replay;
        replay.name = file.path().filename().string() + ", port " +
                      std::to_string(conversation.ports[0]) + (has_faults ? ", faults" : "");
        replay.kind = kind_of(conversation);
        replay.datagrams =
            has_faults ? with_faults(conversation.datagrams) : conversation.datagrams;
        std::erase_if(replay.datagrams, [](const Datagram& one) { return one.bytes.empty(); });
        run_reference(replay);
        replays.push_back(std::move(replay));
      }
    }
  }
  return replays;
}

using MakeEndpoint = std::function<std::unique_ptr<Endpoint>(MediaSide)>;

/// A datagram goes when the one before it was heard: how long the ways take is not compared.
void run(const Replay& replay, MediaRelay& relay, const MakeEndpoint& make_endpoint) {
  CAPTURE(replay.name);
  const std::unique_ptr<Endpoint> ends[2] = {make_endpoint(MediaSide::caller),
                                             make_endpoint(MediaSide::callee)};
  auto session = relay.open();
  REQUIRE(session);
  REQUIRE(session->set_remote(MediaSide::caller, ends[0]->local(), ends[0]->local()));
  REQUIRE(session->set_remote(MediaSide::callee, ends[1]->local(), ends[1]->local()));
  describe(*session, replay.kind);
  const bool is_rtcp = replay.kind == Replay::Kind::rtcp;
  for (std::size_t i = 0; i < replay.datagrams.size(); ++i) {
    CAPTURE(i);
    const Datagram& datagram = replay.datagrams[i];
    const std::size_t from = datagram.is_of_first ? 0 : 1;
    const MediaSide side = side_of(datagram);
    ends[from]->send(is_rtcp ? session->local_rtcp(side) : session->local_rtp(side),
                     datagram.bytes);
    if (replay.is_passed[i]) REQUIRE(ends[1 - from]->receive() == datagram.bytes);
  }
  for (const MediaSide side : {MediaSide::caller, MediaSide::callee}) {
    const std::size_t index = side == MediaSide::caller ? 0 : 1;
    // The last one is counted behind its being sent.
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (session->stats(side).packets_sent != replay.sent[index] &&
           std::chrono::steady_clock::now() < until)
      std::this_thread::yield();
    const MediaSideStats stats = session->stats(side);
    CHECK(stats.packets_sent == replay.sent[index]);
    CHECK(stats.packets_received == replay.received[index]);
    CHECK(stats.packets_lost == replay.lost[index]);
    CHECK_FALSE(ends[index]->has_datagram());
  }
}

/// One backend, or why it is not there.
struct Contender {
  std::string name;
  std::function<Result<MediaRelay>(MediaConfig)> start;
  bool is_kernel = false;
};

std::vector<Contender> contenders() {
  std::vector<Contender> all;
  all.push_back({"fast by io_uring", [](MediaConfig config) { return create<Uring>(config); }});
  all.push_back({"fast by sk_lookup", [](MediaConfig config) { return create<Steered>(config); }});
  for (const Way& way : ways) {
    all.push_back({way.name,
                   [&way](MediaConfig config) {
                     config.backend = way.backend;
                     config.kernel.attach = way.attach;
                     return MediaRelay::create(config);
                   },
                   way.backend == MediaBackend::kernel});
  }
  return all;
}

}  // namespace

TEST_CASE("Captures: all backends pass on the same bytes of real calls, lossy and out of order") {
  const std::filesystem::path folder =
      std::filesystem::path(tandem::test::source_folder()) / "../shared/testdata/media/pcap";
  if (!std::filesystem::exists(folder)) {
    std::printf("media: captures were not replayed by any backend: ../shared is not there\n");
    return;
  }
  const std::vector<Replay> replays = replays_of(folder);
  REQUIRE(replays.size() >= 20);
  const auto passed_of = [&](Replay::Kind kind) {
    std::ptrdiff_t sum = 0;
    for (const Replay& replay : replays) {
      if (replay.kind == kind)
        sum += std::count(replay.is_passed.begin(), replay.is_passed.end(), true);
    }
    return sum;
  };
  REQUIRE(passed_of(Replay::Kind::rtp) > 2000);
  REQUIRE(passed_of(Replay::Kind::rtcp) == 10);
  REQUIRE(passed_of(Replay::Kind::other) > 800);

  // On a thread whose network may be changed.
  std::thread([&] {
    try {
      const Networks networks;
      const bool has_networks = networks.is_here();
      // So that a stream whose other side is silent is carried by the kernel too.
      if (has_networks)
        (void)test::NetworkPair::run("echo 1 > /proc/sys/net/ipv4/conf/tr0/forwarding");
      for (const Contender& contender : contenders()) {
        CAPTURE(contender.name);
        MediaConfig config = config_of(ways[0]);
        config.receive_buffer_bytes = 1 << 20;
        config.kernel.packets_per_s_max = 1'000'000;  // faster than any phone
        if (!has_networks) {
          if (contender.is_kernel) continue;
          config.address = IpAddress::ipv4(127, 0, 0, 1);
          config.address6 = {};
        }
        auto relay = contender.start(config);
        if (!relay) {
          std::printf("media: captures were not replayed by %s: %s\n", contender.name.c_str(),
                      relay.error().message.c_str());
          continue;
        }
        for (const Replay& replay : replays) {
          run(replay, *relay, [&](MediaSide side) {
            if (!has_networks) return std::make_unique<Endpoint>();
            return networks.endpoint(side == MediaSide::caller ? "192.0.2.7" : "192.0.2.9");
          });
        }
        if (contender.is_kernel) CHECK(relay->stats().packets_in_kernel > 50);
        CHECK(relay->stats().send_failures == 0);
      }
    } catch (...) {  // of REQUIRE, which has said what it found
    }
  }).join();
}
