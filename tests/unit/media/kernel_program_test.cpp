// The program in the kernel, frame by frame (BPF_PROG_TEST_RUN): no interface is touched.
#include <doctest/doctest.h>
#include <linux/bpf.h>

#include <fstream>
#include <functional>
#include <random>

#include "media/kernel/bpf.hpp"
#include "media/kernel/layout.h"
#include "unit/media/kernel_frames.hpp"
#include "unit/media/rtp_packet.hpp"

using namespace tandem;
using namespace tandem::media;
using namespace tandem::media::test;

namespace {

constexpr std::uint32_t pairs = 8;
constexpr std::uint32_t ssrc = 0x01020304;
constexpr std::uint32_t loopback = 1;  // what a trial comes in by
constexpr std::uint32_t tc_next = 0xFFFFFFFF, tc_redirect = 7, tc_drop = 2;

constexpr std::array<std::uint8_t, 16> own4 = {192, 0, 2, 1}, phone4 = {198, 51, 100, 7},
                                       carrier4 = {203, 0, 113, 9};
constexpr std::array<std::uint8_t, 16> own6 = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 0,
                                               0,    0, 0,   0,    0, 0, 0, 1},
                                       phone6 = {0x20, 1, 0xd, 0xb8, 0xff, 0, 0, 0,
                                                 0,    0, 0,   0,    0,    0, 0, 7},
                                       carrier6 = {0x20, 1, 0xd, 0xb8, 0xfe, 0xdc, 0, 0,
                                                   0,    0, 0,   0,    0,    0,    0, 9};

std::uint16_t network(std::uint16_t port) {
  return static_cast<std::uint16_t>(port >> 8 | port << 8);
}

// One program with its maps and a stream of each family: phone -> 20000 ... 20002 -> carrier.
class Program {
 public:
  explicit Program(bpf::Hook hook) : hook_(hook) {
    auto settings = bpf::create_array("settings", sizeof(tandem_relay_settings), 1);
    if (!settings) {
      why_not_ = settings.error().message;
      return;
    }
    maps_.settings = std::move(*settings);
    maps_.states = std::move(*bpf::create_array("states", 8, 2 * pairs));
    maps_.streams = std::move(*bpf::create_array("streams", sizeof(tandem_stream), 4 * pairs));
    auto program = bpf::load(hook == bpf::Hook::tc ? "relay_tc" : "relay_xdp", hook, maps_);
    if (!program) {
      why_not_ = program.error().message;
      return;
    }
    program_ = std::move(*program);
    set.layout = TANDEM_RELAY_LAYOUT;
    set.port_first = 20000;
    set.pairs = pairs;
    set.has_families = 3;
    std::memcpy(&set.own4, own4.data(), 4);
    std::memcpy(set.own6, own6.data(), 16);
    set.packet_bytes_max = 1400;
    set.interfaces[0] = loopback;
    write_settings();
    put(0, stream(false));
    put(pairs, stream(true));
  }

  static tandem_stream stream(bool is_ipv6) {
    tandem_stream one{};
    std::memcpy(one.from_ip, (is_ipv6 ? phone6 : phone4).data(), is_ipv6 ? 16 : 4);
    std::memcpy(one.to_ip, (is_ipv6 ? carrier6 : carrier4).data(), is_ipv6 ? 16 : 4);
    one.from_port = network(4000);
    one.to_port = network(5000);
    one.out_port = network(20002);
    one.family = is_ipv6 ? 6 : 4;
    one.tos = 0xB8;
    one.ssrc = __builtin_bswap32(ssrc);
    one.base_sequence = 0x10000 + 100;
    one.highest_sequence = 0x10000 + 100;
    one.clock_rate_hz = 8000;
    one.types[0] = 1;  // PCMU
    one.types[1] = std::uint64_t{1} << (111 - 64);
    one.next_until_ns = ~std::uint64_t{0};
    one.next_interface = loopback;
    std::memcpy(one.next_to, "\x02\x33\x33\x33\x33\x33", 6);
    std::memcpy(one.next_from, "\x02\x44\x44\x44\x44\x44", 6);
    return one;
  }
  void put(std::uint32_t pair, const tandem_stream& one) {
    const std::uint64_t state = TANDEM_STREAM_ON | TANDEM_STREAM_BANK;
    REQUIRE(bpf::write_value(maps_.streams.get(), 2 * pair + 1, &one));
    REQUIRE(bpf::write_value(maps_.states.get(), pair, &state));
  }
  void turn_off(std::uint32_t pair) {
    const std::uint64_t state = 0;
    REQUIRE(bpf::write_value(maps_.states.get(), pair, &state));
  }
  void write_settings() { REQUIRE(bpf::write_value(maps_.settings.get(), 0, &set)); }
  tandem_stream read(std::uint32_t pair) {
    tandem_stream one{};
    REQUIRE(bpf::read_value(maps_.streams.get(), 2 * pair + 1, &one));
    return one;
  }

  Result<bpf::Trial> try_out(const std::string& frame) {
    return bpf::try_out(program_.get(), frame, hook_, 0);
  }
  bpf::Trial run(const std::string& frame) {
    auto trial = try_out(frame);
    REQUIRE_MESSAGE(trial, trial.error().message);
    return std::move(*trial);
  }
  [[nodiscard]] bool goes_up(const std::string& frame) {
    const bpf::Trial trial = run(frame);
    return trial.verdict == (hook_ == bpf::Hook::tc ? tc_next : std::uint32_t{XDP_PASS}) &&
           trial.frame == frame;
  }
  [[nodiscard]] bool goes_on(const bpf::Trial& trial) const {
    return trial.verdict == (hook_ == bpf::Hook::tc ? tc_redirect : std::uint32_t{XDP_TX});
  }
  [[nodiscard]] bool is_dropped(const bpf::Trial& trial) const {
    return trial.verdict == (hook_ == bpf::Hook::tc ? tc_drop : std::uint32_t{XDP_DROP});
  }
  [[nodiscard]] bool is_here() const {
    if (why_not_.empty()) return true;
    MESSAGE("not run: " << why_not_);
    return false;
  }

  tandem_relay_settings set{};

 private:
  const bpf::Hook hook_;
  bpf::Maps maps_;
  UniqueFd program_;
  std::string why_not_;
};

FrameSpec spec(bool is_ipv6, std::uint16_t sequence = 101, std::uint32_t timestamp = 160) {
  FrameSpec one;
  one.is_ipv6 = is_ipv6;
  one.from = is_ipv6 ? phone6 : phone4;
  one.to = is_ipv6 ? own6 : own4;
  one.from_port = 4000;
  one.to_port = 20000;
  one.payload = rtp_packet(sequence, timestamp, ssrc);
  return one;
}

void on_both(const std::function<void(Program&)>& test) {
  for (const bpf::Hook hook : {bpf::Hook::xdp_generic, bpf::Hook::tc}) {
    CAPTURE(std::string(bpf::hook_name(hook)));
    Program program(hook);
    if (!program.is_here()) return;
    test(program);
  }
}

std::string changed(std::string frame, std::size_t at, int value) {
  frame[at] = static_cast<char>(value);
  return frame;
}

}  // namespace

TEST_CASE("kernel program: a packet of the stream goes on, its payload as it came") {
  on_both([](Program& program) {
    for (const bool is_ipv6 : {false, true}) {
      CAPTURE(is_ipv6);
      for (std::uint16_t sequence = 101; sequence < 400; ++sequence) {
        const FrameSpec sent = spec(is_ipv6, sequence, sequence * 160U);
        const bpf::Trial trial = program.run(make_frame(sent));
        REQUIRE(program.goes_on(trial));
        const SeenFrame seen = read_frame(trial.frame);
        CHECK(seen.from == sent.to);
        CHECK(seen.to == (is_ipv6 ? carrier6 : carrier4));
        CHECK(seen.from_port == 20002);
        CHECK(seen.to_port == 5000);
        CHECK(seen.tos == 0xB8);
        CHECK(seen.hops == 64);
        CHECK(seen.payload == sent.payload);
        REQUIRE(seen.are_sums_right);
      }
      const tandem_stream counted = program.read(is_ipv6 ? pairs : 0);
      CHECK(counted.packets == 299);
      CHECK(counted.bytes == 299 * 172);
      CHECK(counted.highest_sequence == 0x10000 + 399);
      CHECK(counted.last_ns > 0);
    }
  });
}

TEST_CASE("kernel program: XDP writes the addresses of the next hop, and where it leaves") {
  Program program(bpf::Hook::xdp_generic);
  if (!program.is_here()) return;
  const bpf::Trial here = program.run(make_frame(spec(false)));
  CHECK(here.verdict == XDP_TX);
  CHECK(here.frame.substr(0, 12) == "\x02\x33\x33\x33\x33\x33\x02\x44\x44\x44\x44\x44");
  tandem_stream elsewhere = Program::stream(false);
  elsewhere.next_interface = 4711;
  program.put(0, elsewhere);
  CHECK(program.run(make_frame(spec(false))).verdict == XDP_REDIRECT);
}

TEST_CASE("kernel program: an IPv4 packet without a checksum stays without one") {
  on_both([](Program& program) {
    FrameSpec sent = spec(false);
    sent.has_checksum = false;
    const bpf::Trial trial = program.run(make_frame(sent));
    REQUIRE(program.goes_on(trial));
    CHECK_FALSE(read_frame(trial.frame).has_checksum);
    sent = spec(true);
    sent.has_checksum = false;  // which IPv6 does not know
    CHECK(program.goes_up(make_frame(sent)));
  });
}

TEST_CASE("kernel program: what is not plainly of the stream goes up untouched and uncounted") {
  on_both([](Program& program) {
    for (const bool is_ipv6 : {false, true}) {
      CAPTURE(is_ipv6);
      const auto goes_up_as = [&](const std::function<void(FrameSpec&)>& change) {
        FrameSpec one = spec(is_ipv6);
        change(one);
        return program.goes_up(make_frame(one));
      };
      CHECK(goes_up_as([](FrameSpec& s) { s.from[3] ^= 1; }));
      if (is_ipv6) {
        for (std::size_t byte = 0; byte < 16; ++byte)
          CHECK(goes_up_as([&](FrameSpec& s) { s.from[byte] ^= 1; }));
      }
      CHECK(goes_up_as([](FrameSpec& s) { s.from_port = 4001; }));
      CHECK(goes_up_as([](FrameSpec& s) { s.to[0] ^= 1; }));
      CHECK(goes_up_as([](FrameSpec& s) { s.to_port = 20001; }));  // RTCP
      CHECK(goes_up_as([](FrameSpec& s) { s.to_port = 20002; }));  // not in use
      CHECK(goes_up_as([](FrameSpec& s) { s.to_port = 20000 + 2 * pairs; }));
      CHECK(goes_up_as([](FrameSpec& s) { s.to_port = 19998; }));
      CHECK(goes_up_as([](FrameSpec& s) { s.payload = rtp_packet(101, 160, ssrc + 1); }));
      CHECK(goes_up_as([](FrameSpec& s) { s.payload = rtp_packet(100 + 3000, 160, ssrc); }));
      CHECK(goes_up_as([](FrameSpec& s) { s.payload = rtp_packet(99, 160, ssrc); }));  // base
      CHECK(goes_up_as([](FrameSpec& s) { s.payload[0] = 0x40; }));                    // version 1
      CHECK(goes_up_as([](FrameSpec& s) { s.payload[0] = 0x00; }));                    // STUN
      CHECK(goes_up_as([](FrameSpec& s) { s.payload[1] = 101; }));                     // a key
      CHECK(goes_up_as([](FrameSpec& s) { s.payload[1] = static_cast<char>(200); }));
      CHECK(goes_up_as([](FrameSpec& s) { s.payload.resize(11); }));
      CHECK(goes_up_as([](FrameSpec& s) { s.payload.clear(); }));
      CHECK(goes_up_as([](FrameSpec& s) {
        s.payload[0] = static_cast<char>(0x8F);
        s.payload.resize(12 + 59);
      }));
      CHECK(goes_up_as([](FrameSpec& s) {
        s.payload[0] = static_cast<char>(0x90);
        s.payload[14] = 0;
        s.payload[15] = 40;  // 160 bytes, of which 4 are the head of the extension
      }));
      CHECK(goes_up_as([](FrameSpec& s) { s.payload.resize(1400); }));
      const std::string frame = make_frame(spec(is_ipv6));
      CHECK(program.goes_up(changed(frame, 12, 0x81)));  // VLAN
      if (is_ipv6) {
        CHECK(program.goes_up(changed(frame, 14, 0x51)));
        CHECK(program.goes_up(changed(frame, 20, 44)));   // a fragment
        CHECK(program.goes_up(changed(frame, 19, 100)));  // shorter than UDP says
        CHECK(program.goes_up(changed(frame, 59, 181)));  // longer than IP says
      } else {
        CHECK(program.goes_up(changed(frame, 14, 0x46)));  // options
        CHECK(program.goes_up(changed(frame, 14, 0x65)));
        CHECK(program.goes_up(changed(frame, 20, 0x20)));  // more fragments
        CHECK(program.goes_up(changed(frame, 21, 1)));     // a later one
        CHECK(program.goes_up(changed(frame, 23, 6)));
        CHECK(program.goes_up(changed(frame, 39, 4)));  // UDP shorter than its header
        CHECK(program.goes_up(changed(frame, 17, 199)));
      }
      // What fits the sockets' path fits here: an extension, sources, padding.
      FrameSpec extended = spec(is_ipv6);
      extended.payload[0] = static_cast<char>(0x90);
      extended.payload[14] = 0;
      extended.payload[15] = 39;
      CHECK(program.goes_on(program.run(make_frame(extended))));
      CHECK(program.read(is_ipv6 ? pairs : 0).packets == 1);
      program.turn_off(is_ipv6 ? pairs : 0);
      CHECK(program.goes_up(frame));
    }
  });
}

TEST_CASE("kernel program: a frame that is cut anywhere, and frames with bytes changed") {
  on_both([](Program& program) {
    for (const bool is_ipv6 : {false, true}) {
      const std::string frame = make_frame(spec(is_ipv6));
      std::size_t tried = 0;
      for (std::size_t size = 14; size < frame.size(); ++size) {
        const auto trial = program.try_out(frame.substr(0, size));
        if (!trial) continue;  // too short for the system to try with
        ++tried;
        REQUIRE_FALSE(program.goes_on(*trial));
      }
      CHECK(tried > frame.size() - 60);
      std::mt19937 draw(7);
      for (int i = 0; i < 3000; ++i) {
        std::string bad = frame;
        for (unsigned k = draw() % 4 + 1; k > 0; --k)
          bad[12 + draw() % 70 % (bad.size() - 12)] = static_cast<char>(draw());
        const bpf::Trial trial = program.run(bad);
        if (program.goes_on(trial)) {
          // Only what no header says may have changed.
          CHECK(trial.frame.size() == bad.size());
          CHECK(read_frame(trial.frame).payload == read_frame(bad).payload);
        } else {
          CHECK(trial.frame == bad);
        }
      }
    }
  });
}

TEST_CASE("kernel program: late, lost and repeated packets, and jitter") {
  on_both([](Program& program) {
    for (const int sequence : {101, 104, 102, 104, 100, 65535})
      (void)program.run(make_frame(spec(false, static_cast<std::uint16_t>(sequence),
                                        static_cast<std::uint32_t>(sequence) * 160)));
    tandem_stream counted = program.read(0);
    CHECK(counted.packets == 5);  // all but the last one, which is a jump
    CHECK(counted.highest_sequence == 0x10000 + 104);
    tandem_stream wrapping = Program::stream(false);
    wrapping.base_sequence = wrapping.highest_sequence = 0x1FFFE;
    program.put(0, wrapping);
    for (const std::uint16_t sequence : {65535, 0, 1, 65534})
      CHECK(program.goes_on(program.run(make_frame(spec(false, sequence)))));
    counted = program.read(0);
    CHECK(counted.highest_sequence == 0x20001);
    CHECK(counted.packets == 4);
    CHECK(counted.timestamp == 160);
  });
}

TEST_CASE("kernel program: what comes faster than a direction may is dropped and counted") {
  on_both([](Program& program) {
    program.set.step_ns = 3'600'000'000'000;
    program.set.ahead_ns = 9 * program.set.step_ns;
    program.write_settings();
    tandem_stream one = Program::stream(false);
    program.put(0, one);
    int passed = 0, dropped = 0;
    for (std::uint16_t sequence = 101; sequence < 200; ++sequence) {
      const bpf::Trial trial = program.run(make_frame(spec(false, sequence)));
      passed += program.goes_on(trial) ? 1 : 0;
      dropped += program.is_dropped(trial) ? 1 : 0;
    }
    CHECK(passed >= 1);
    CHECK(passed <= 10);
    CHECK(passed + dropped == 99);
    CHECK(program.read(0).policed == static_cast<std::uint32_t>(dropped));
    CHECK(program.read(0).packets == static_cast<std::uint64_t>(passed));
  });
}

TEST_CASE("kernel program: without a next hop packets go up") {
  on_both([](Program& program) {
    tandem_stream one = Program::stream(false);
    one.next_until_ns = 0;
    one.peer = 3;  // from which nothing came yet
    program.put(0, one);
    CHECK(program.goes_up(make_frame(spec(false))));
    const tandem_stream counted = program.read(0);
    CHECK(counted.packets == 0);
    CHECK(counted.passed_up == 1);
    CHECK(counted.seen_interface == loopback);
    CHECK(std::memcmp(counted.seen_from, "\x02\x22\x22\x22\x22\x22", 6) == 0);
  });
}

TEST_CASE("kernel program: the next hop of the way back is one only for who is there") {
  std::ifstream setting("/proc/sys/net/ipv4/conf/lo/forwarding");
  if (setting.get() != '0') {
    MESSAGE("not run: this machine forwards");
    return;
  }
  on_both([](Program& program) {
    tandem_stream one = Program::stream(false);
    one.next_until_ns = 0;
    one.next_interface = 0;
    one.peer = 3;
    tandem_stream back = Program::stream(false);
    std::memcpy(back.from_ip, carrier4.data(), 4);
    back.seen_interface = loopback;
    std::memcpy(back.seen_from, "\x02\x55\x55\x55\x55\x55", 6);
    program.put(0, one);
    program.put(3, back);
    const bpf::Trial trial = program.run(make_frame(spec(false)));
    REQUIRE(program.goes_on(trial));
    CHECK(std::memcmp(program.read(0).next_to, "\x02\x55\x55\x55\x55\x55", 6) == 0);
    back.from_ip[0] ^= 1;  // it is heard from elsewhere
    program.put(0, one);
    program.put(3, back);
    CHECK(program.goes_up(make_frame(spec(false))));
  });
}
