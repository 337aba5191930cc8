// The jitter buffer in exact time (M-16): order, repeated and late packets, loss, the two bounds,
// and a long random stream beside a model that knows the whole of it.
#include "media/jitter_buffer.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "unit/media/rtp_packet.hpp"

using namespace tandem::media;

namespace {

constexpr std::int64_t ms = 1000;
constexpr std::uint32_t packet_units = 160;  // 20 ms at 8,000 Hz

struct Bench {
  JitterBuffer buffer;
  std::int64_t begun_us = 1'000'000;
  std::uint16_t first = 65530;  // wraps soon

  explicit Bench(std::uint32_t min_ms = 40, std::uint32_t max_ms = 200) {
    buffer.open(min_ms, max_ms, 8000);
  }
  [[nodiscard]] std::string packet(int n) const {
    return rtp_packet(static_cast<std::uint16_t>(first + n),
                      0xFFFFFF00U + static_cast<std::uint32_t>(n) * packet_units, 7, 20);
  }
  JitterBuffer::Put put(int n, std::int64_t at_ms, bool is_audio = true) {
    const std::string bytes = packet(n);
    return buffer.put(*parse_rtp(bytes), bytes, is_audio, begun_us + at_ms * ms);
  }
  /// What is due by then: the number of a packet, -1000 - number of a lost one.
  std::vector<int> due(std::int64_t at_ms) {
    std::vector<int> numbers;
    for (;;) {
      const auto one = buffer.take(begun_us + at_ms * ms);
      if (one.kind == JitterBuffer::Due::Kind::nothing) return numbers;
      const int n = static_cast<std::int16_t>(one.header.sequence - first);
      const bool is_lost = one.kind == JitterBuffer::Due::Kind::lost;
      if (!is_lost) CHECK(one.packet == packet(n));
      if (is_lost) CHECK(one.units == packet_units);
      CHECK(one.header.timestamp == 0xFFFFFF00U + static_cast<std::uint32_t>(n) * packet_units);
      numbers.push_back(is_lost ? -1000 - n : n);
    }
  }
};

using Put = JitterBuffer::Put;
using Numbers = std::vector<int>;

}  // namespace

TEST_CASE("JitterBuffer: each packet is due its own time plus the depth after the first one came") {
  Bench b;
  CHECK(b.put(0, 0) == Put::taken);
  CHECK(b.put(1, 20) == Put::taken);
  CHECK(b.due(39).empty());
  CHECK(b.due(40) == Numbers{0});
  CHECK(b.due(59).empty());
  CHECK(b.due(60) == Numbers{1});
  CHECK(b.buffer.is_empty());
  CHECK(b.buffer.counts() == JitterBuffer::Counts{});
  CHECK(b.buffer.depth_us() == 40 * ms);
}

TEST_CASE("JitterBuffer: packets that overtook each other come out in order, repeated ones once") {
  Bench b;
  CHECK(b.put(1, 5) == Put::taken);  // before the first one, whose turn it still is
  CHECK(b.put(0, 10) == Put::taken);
  CHECK(b.put(3, 50) == Put::taken);
  CHECK(b.put(3, 51) == Put::repeated);
  CHECK(b.put(2, 52) == Put::taken);
  CHECK(b.due(500) == Numbers{0, 1, 2, 3});
  CHECK(b.put(2, 501) == Put::repeated);
  CHECK(b.buffer.counts() == JitterBuffer::Counts{});
}

TEST_CASE(
    "JitterBuffer: what is missing is lost when it is due and a later one waits, not before") {
  Bench b;
  b.put(0, 0);
  CHECK(b.due(40) == Numbers{0});
  b.put(3, 60);
  CHECK(b.due(59).empty());
  CHECK(b.due(60) == Numbers{-1001});
  CHECK(b.put(2, 70) == Put::taken);  // its own turn is at 80
  CHECK(b.due(79).empty());
  CHECK(b.due(100) == Numbers{2, 3});
  CHECK(b.buffer.counts() == JitterBuffer::Counts{0, 1});
  CHECK(b.put(1, 101) == Put::late);
  CHECK(b.put(1, 102) == Put::repeated);
  CHECK(b.buffer.counts() == JitterBuffer::Counts{1, 1});
  CHECK(b.buffer.depth_us() == 81 * ms);  // it was 81 ms behind, which shall not be late again
}

TEST_CASE("JitterBuffer: silence that a sender leaves out is no loss") {
  Bench b;
  b.put(0, 0);
  const std::string later =
      rtp_packet(static_cast<std::uint16_t>(b.first + 1), 0xFFFFFF00U + 50 * packet_units, 7, 20);
  CHECK(b.due(40) == Numbers{0});
  CHECK(b.buffer.put(*parse_rtp(later), later, true, b.begun_us + 1000 * ms) == Put::taken);
  CHECK(b.buffer.take(b.begun_us + 1039 * ms).kind == JitterBuffer::Due::Kind::nothing);
  CHECK(b.buffer.take(b.begun_us + 1040 * ms).kind == JitterBuffer::Due::Kind::packet);
  CHECK(b.buffer.counts() == JitterBuffer::Counts{});
}

TEST_CASE("JitterBuffer: of a long gap nothing is filled, and all of it is lost") {
  Bench b;
  b.put(0, 0);
  CHECK(b.due(40) == Numbers{0});
  b.put(10, 200);
  CHECK(b.due(239).empty());
  CHECK(b.due(240) == Numbers{10});
  CHECK(b.buffer.counts() == JitterBuffer::Counts{0, 9});
}

TEST_CASE("JitterBuffer: the depth grows at once to its bound and falls by 10 ms a window") {
  Bench b(20, 90);
  int n = 0;
  std::int64_t now_ms = 0;
  const auto run = [&](int packets, std::int64_t delay_ms) {
    for (int i = 0; i < packets; ++i, ++n, now_ms += 20) {
      b.put(n, now_ms + (i == packets - 1 ? delay_ms : 0));
      (void)b.due(now_ms);
    }
  };
  CHECK(b.buffer.depth_us() == 40 * ms);
  run(10, 65);
  CHECK(b.buffer.depth_us() == 65 * ms);
  run(10, 150);
  CHECK(b.buffer.depth_us() == 90 * ms);  // the greater bound
  run(250 * 3, 0);                        // two windows remember it
  CHECK(b.buffer.depth_us() < 90 * ms);
  CHECK(b.buffer.depth_us() >= 70 * ms);
  run(250 * 10, 0);
  CHECK(b.buffer.depth_us() == 20 * ms);
}

TEST_CASE("JitterBuffer: no more than so many packets and bytes wait; another stream is told") {
  Bench b(1000, 1000);
  int put = 0;
  while (b.put(put, 0) == Put::taken)
    ++put;
  CHECK(put == static_cast<int>(JitterBuffer::packets_max));
  CHECK(b.put(put, 0) == Put::full);
  CHECK(b.buffer.take(0, false).kind == JitterBuffer::Due::Kind::packet);
  CHECK(b.put(put, 0) == Put::taken);
  const std::string other = rtp_packet(1, 2, 8, 20);
  CHECK(b.buffer.put(*parse_rtp(other), other, true, 0) == Put::other);
  const std::string jump =
      rtp_packet(static_cast<std::uint16_t>(b.first + put + 1), 0x40000000, 7, 20);
  CHECK(b.buffer.put(*parse_rtp(jump), jump, true, 0) == Put::other);
  b.buffer.restart();
  CHECK(b.buffer.is_empty());
  CHECK(b.buffer.put(*parse_rtp(other), other, true, 0) == Put::taken);

  JitterBuffer large;
  large.open(1000, 1000, 8000);
  std::size_t bytes = 0;
  Put last = Put::taken;
  for (std::uint16_t i = 0; last == Put::taken; ++i) {
    const std::string big = rtp_packet(i, i * packet_units, 7, 1000);
    last = large.put(*parse_rtp(big), big, true, 0);
    if (last == Put::taken) bytes += big.size();
    // What was taken from the middle leaves its room behind.
    if (i == 3) {
      CHECK(large.take(0, false).kind == JitterBuffer::Due::Kind::packet);
      bytes -= big.size();
    }
  }
  CHECK(last == Put::full);
  CHECK(bytes <= JitterBuffer::bytes_max);
  CHECK(bytes > JitterBuffer::bytes_max - 1100);
  for (std::uint16_t i = 1; !large.is_empty(); ++i) {
    const auto one = large.take(0, false);
    REQUIRE(one.packet == rtp_packet(i, i * packet_units, 7, 1000));
  }
}

TEST_CASE("JitterBuffer: keys keep their place among the audio and are no measure of lateness") {
  Bench b;
  b.put(0, 0);
  const auto key = [&](int n, std::int64_t at_ms) {
    const std::string bytes =
        rtp_packet(static_cast<std::uint16_t>(b.first + n), 0xFFFFFF00U + packet_units, 7, 4);
    return b.buffer.put(*parse_rtp(bytes), bytes, false, b.begun_us + at_ms * ms);
  };
  CHECK(b.due(40) == Numbers{0});
  for (int n = 1; n <= 30; ++n)
    CHECK(key(n, 20 * n) == Put::taken);
  CHECK(b.buffer.depth_us() == 40 * ms);
  int taken = 0;
  while (b.buffer.take(b.begun_us + 600 * ms).kind == JitterBuffer::Due::Kind::packet)
    ++taken;
  CHECK(taken == 30);
  // A lost packet between keys is not filled with audio.
  CHECK(key(32, 640) == Put::taken);
  const auto next = b.buffer.take(b.begun_us + 640 * ms);
  CHECK(next.kind == JitterBuffer::Due::Kind::packet);
  CHECK(b.buffer.counts().lost == 1);
}

// The oracle knows when each packet comes and when its place goes by: packets come out in order,
// none twice, none that did not come; what is missing was not there in its time; and nothing stays
// longer than the greatest depth.
TEST_CASE(
    "JitterBuffer: 20,000 packets with loss, jitter, order changed and copies, as a model says") {
  for (const unsigned seed : {1U, 2U, 3U, 4U}) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto below = [&random](unsigned limit) { return static_cast<int>(random() % limit); };
    Bench b(20, 120);
    constexpr int packets = 5000;
    std::multimap<std::int64_t, int> arrivals;  // by ms
    std::set<int> sent_on;
    for (int n = 0; n < packets; ++n) {
      if (n > 0 && below(100) < 5) continue;  // lost
      const int jitter_ms = below(10) == 0 ? below(100) : below(15);
      arrivals.emplace(20 * n + jitter_ms, n);
      if (below(50) == 0) arrivals.emplace(20 * n + jitter_ms + below(60), n);
      sent_on.insert(n);
    }
    std::map<int, std::int64_t> came_ms, out_ms;
    std::set<int> lost, late;
    int repeated = 0, put = 0, previous = -1;
    std::int64_t deepest_us = 0;
    auto next = arrivals.begin();
    for (std::int64_t now_ms = 0; now_ms < packets * 20 + 500; ++now_ms) {
      for (; next != arrivals.end() && next->first == now_ms; ++next) {
        const int n = next->second;
        ++put;
        switch (b.put(n, now_ms)) {
          case Put::taken:
            REQUIRE(came_ms.emplace(n, now_ms).second);
            break;
          case Put::repeated:
            ++repeated;
            REQUIRE((came_ms.count(n) != 0 || late.count(n) != 0));
            break;
          case Put::late:
            REQUIRE(n <= previous);
            REQUIRE(late.insert(n).second);
            break;
          default:
            FAIL("neither full nor another stream");
        }
      }
      deepest_us = std::max(deepest_us, b.buffer.depth_us());
      for (const int n : b.due(now_ms)) {
        const int number = n <= -1000 ? -1000 - n : n;
        REQUIRE(number > previous);
        previous = number;
        if (n <= -1000) {
          REQUIRE(lost.insert(number).second);
          REQUIRE(came_ms.count(number) == 0);
        } else {
          REQUIRE(came_ms.count(n) == 1);
          out_ms.emplace(n, now_ms);
        }
      }
    }
    CHECK(b.buffer.is_empty());
    CHECK(out_ms.size() == came_ms.size());
    CHECK(came_ms.size() + late.size() == sent_on.size());
    CHECK(put == static_cast<int>(came_ms.size() + late.size()) + repeated);
    CHECK(b.buffer.counts().late == late.size());
    // Every number has its one fate, and with this jitter no gap was longer than is filled.
    const int begun = out_ms.begin()->first;  // those before it came too late to be first
    CHECK(b.buffer.counts().lost + out_ms.size() == static_cast<std::size_t>(previous + 1 - begun));
    CHECK(deepest_us <= 120 * ms);
    for (const auto& [n, at_ms] : out_ms) {
      REQUIRE(at_ms - 20 * n <= 121);      // the first came without delay, so this is the depth
      REQUIRE(at_ms >= 20 * n + 20 - 14);  // and no less than the least, from the fastest on
    }
    CHECK(late.size() < 20);  // the depth has learned
  }
}
