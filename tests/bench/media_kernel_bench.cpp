// What the kernel spends on a packet of a plain stream: the program alone, and with all that XDP
// does with a frame afterwards, sent back by a virtual interface whose other end takes it.
#include <net/if.h>
#include <sched.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <thread>

#include "bench.hpp"
#include "media/kernel/bpf.hpp"
#include "media/kernel/layout.h"
#include "unit/media/kernel_frames.hpp"
#include "unit/media/rtp_packet.hpp"

namespace tandem::bench {
namespace {

using media::bpf::Hook;

constexpr std::uint32_t pairs = 20'000;
constexpr std::uint32_t port_first = 20'000;

std::uint16_t port_of(std::uint32_t pair) {
  return static_cast<std::uint16_t>(port_first + 2 * (pair % pairs));
}
std::uint16_t network(std::uint16_t port) {
  return static_cast<std::uint16_t>(port >> 8 | port << 8);
}

/// Streams in a ring: what one sends on is what the next one expects, so that a frame that is used
/// again and again goes through all of them.
class Ring {
 public:
  Ring(Hook hook, unsigned interface) : interface_(interface) {
    auto settings = media::bpf::create_array("settings", sizeof(tandem_relay_settings), 1);
    auto states = media::bpf::create_array("states", 8, 2 * pairs);
    auto streams = media::bpf::create_array("streams", sizeof(tandem_stream), 4 * pairs);
    if (!settings || !states || !streams) {
      why_not = settings ? "no memory for the tables" : settings.error().message;
      return;
    }
    maps_ = {std::move(*settings), std::move(*states), std::move(*streams)};
    tandem_relay_settings set{};
    set.layout = TANDEM_RELAY_LAYOUT;
    set.port_first = port_first;
    set.pairs = pairs;
    set.has_families = 1;
    std::memcpy(&set.own4, own.data(), 4);
    set.packet_bytes_max = 1500;
    set.interfaces[0] = interface;
    set.step_ns = 1;  // policed, but never too fast
    set.ahead_ns = 1'000'000'000;
    (void)media::bpf::write_value(maps_.settings.get(), 0, &set);
    for (std::uint32_t i = 0; i < pairs; ++i) {
      tandem_stream stream{};
      stream.from_ip[0] = stream.to_ip[0] = set.own4;
      stream.from_port = network(port_of(i + pairs - 1));
      stream.to_port = network(port_of(i + 1));
      stream.out_port = network(port_of(i));
      stream.family = 4;
      stream.ssrc = 0x01010101;
      stream.highest_sequence = stream.base_sequence = 7;
      stream.clock_rate_hz = 8000;
      stream.types[0] = 1;
      stream.next_until_ns = ~std::uint64_t{0};
      stream.next_interface = interface;
      std::memcpy(stream.next_to, "\x02\x33\x33\x33\x33\x33", 6);
      std::memcpy(stream.next_from, "\x02\x44\x44\x44\x44\x44", 6);
      const std::uint64_t on = TANDEM_STREAM_ON;
      (void)media::bpf::write_value(maps_.streams.get(), 2 * i, &stream);
      (void)media::bpf::write_value(maps_.states.get(), i, &on);
    }
    auto program = media::bpf::load(hook == Hook::tc ? "relay_tc" : "relay_xdp", hook, maps_);
    if (!program) {
      why_not = program.error().message;
      return;
    }
    program_ = std::move(*program);
    media::test::FrameSpec spec;
    spec.from = spec.to = own;
    spec.from_port = port_of(pairs - 1);
    spec.to_port = port_of(0);
    spec.payload = media::rtp_packet(7, 160, 0x01010101);
    frame_ = media::test::make_frame(spec);
  }

  /// For each of `times` packets, as the system says.
  double program_ns(Hook hook, unsigned times) {
    const auto trial = media::bpf::try_out(program_.get(), frame_, hook, interface_, times);
    if (!trial) why_not = trial.error().message;
    return trial ? trial->ns : 0;
  }
  bool run_live(unsigned times) {
    const auto done = media::bpf::run_live(program_.get(), frame_, interface_, times);
    if (!done) why_not = done.error().message;
    return static_cast<bool>(done);
  }
  [[nodiscard]] std::uint64_t packets() const {
    std::uint64_t sum = 0;
    for (std::uint32_t i = 0; i < pairs; ++i) {
      tandem_stream stream{};
      (void)media::bpf::read_value(maps_.streams.get(), 2 * i, &stream);
      sum += stream.packets;
    }
    return sum;
  }

  std::string why_not;

 private:
  static constexpr std::array<std::uint8_t, 16> own = {192, 0, 2, 1};
  const unsigned interface_;
  media::bpf::Maps maps_;
  media::UniqueFd program_;
  std::string frame_;
};

constexpr unsigned loopback = 1;
constexpr unsigned packets = 1'000'000;

Figure program_figure(Hook hook) {
  Ring ring(hook, loopback);
  double best = 0;
  for (int round = 0; round < 3 && ring.why_not.empty(); ++round) {
    const double ns = ring.program_ns(hook, packets);
    if (round == 0 || ns < best) best = ns;
  }
  if (!ring.why_not.empty()) return Figure::skipped(ring.why_not);
  if (ring.packets() != 3ULL * packets) return Figure::skipped("not every packet went on");
  return {best, R"({"streams":20000,"payload_bytes":160})"};
}

TANDEM_BENCH("media.kernel_program_ns", "ns") { return program_figure(Hook::xdp_generic); }
TANDEM_BENCH("media.kernel_program_tc_ns", "ns") { return program_figure(Hook::tc); }

// In a network of its own, on a thread of its own, whose processor time is the figure: it has the
// far end's too.
Figure live_figure() {
  if (::unshare(CLONE_NEWNET) != 0) return Figure::skipped("needs network namespaces");
  if (std::system("ip link add bk0 type veth peer name bk1 2>/dev/null && ip link set bk0 up && "
                  "ip link set bk1 up") != 0)
    return Figure::skipped("needs ip and virtual interfaces");
  const unsigned near = ::if_nametoindex("bk0"), far = ::if_nametoindex("bk1");
  auto drop = media::bpf::load("drop_xdp", Hook::xdp_native, {});
  if (!drop) return Figure::skipped(drop.error().message);
  const auto link = media::bpf::attach(drop->get(), far, Hook::xdp_native);
  if (!link) return Figure::skipped(link.error().message);
  Ring ring(Hook::xdp_native, near);
  const auto own_link = media::bpf::attach(drop->get(), near, Hook::xdp_native);
  if (!own_link) return Figure::skipped(own_link.error().message);
  double best = 0;
  for (int round = 0; round < 3 && ring.why_not.empty(); ++round) {
    const std::int64_t before_ns = thread_cpu_ns();
    if (!ring.run_live(packets)) break;
    const double ns = static_cast<double>(thread_cpu_ns() - before_ns) / packets;
    if (round == 0 || ns < best) best = ns;
  }
  if (!ring.why_not.empty()) return Figure::skipped(ring.why_not);
  return {best, R"({"streams":20000,"payload_bytes":160,"hook":"xdp native"})"};
}

TANDEM_BENCH("media.kernel_ns_per_packet", "ns") {
  std::optional<Figure> figure;
  std::thread([&figure] { figure = live_figure(); }).join();
  return *figure;
}

}  // namespace
}  // namespace tandem::bench
