// What the loops cost: an echo over loopback, and a datagram of the simulated network.
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>

#include "bench.hpp"
#include "io/loop.hpp"
#include "sim/sim_network.hpp"

namespace tandem::bench {
namespace {

constexpr int window = 64;  // datagrams on their way at any time
constexpr std::size_t datagram_bytes = 500;

SocketAddress loopback() { return {IpAddress::ipv4(127, 0, 0, 1), 0}; }

class Echo : public io::DatagramHandler {
 public:
  void on_datagram(const SocketAddress& from, std::string_view bytes) override {
    socket->send(from, bytes);
  }
  std::unique_ptr<io::DatagramSocket> socket;
};

/// Sends a new one for each that came back, until `left` have.
class Caller : public io::DatagramHandler {
 public:
  void on_datagram(const SocketAddress& from, std::string_view bytes) override {
    if (--left >= window) {
      socket->send(from, bytes);
    } else if (left == 0) {
      const std::lock_guard lock(mutex);
      is_done = true;
      done.notify_one();
    }
  }
  std::unique_ptr<io::DatagramSocket> socket;
  int left = 0;
  std::mutex mutex;  // guards is_done
  std::condition_variable done;
  bool is_done = false;
};

}  // namespace

TANDEM_BENCH("io.udp_echo_ns", "ns_cpu") {
  const auto network = io::make_system_network();
  const auto loop = network->create_loop("echo").value();
  Echo echo;
  Caller caller;
  echo.socket = loop->open_datagram(loopback(), {}, echo).value();
  caller.socket = loop->open_datagram(loopback(), {}, caller).value();
  loop->start();
  const std::string message(datagram_bytes, 'x');
  constexpr int count = 50'000;
  double best = 0;
  const std::int64_t end_ns = wall_ns() + static_cast<std::int64_t>(seconds() * 1e9);
  do {
    const std::int64_t before_ns = cpu_ns();
    (void)loop->post([&] {  // refused only by a full or stopped loop
      caller.left = count;
      for (int i = 0; i < window; ++i)
        caller.socket->send(echo.socket->local(), message);
    });
    std::unique_lock lock(caller.mutex);
    caller.done.wait(lock, [&] { return caller.is_done; });
    caller.is_done = false;
    const double ns = static_cast<double>(cpu_ns() - before_ns) / count;
    if (best == 0 || ns < best) best = ns;
  } while (wall_ns() < end_ns);
  loop->stop();
  return Figure{best,
                R"({"bytes":500,"window":64,"counts":"two sends and two receipts on one loop"})"};
}

TANDEM_BENCH("sim.datagram_ns", "ns_cpu") {
  sim::SimNetwork network;
  const auto loop_a = network.create_loop("a").value();
  const auto loop_b = network.create_loop("b").value();
  Echo a;
  Echo b;
  a.socket = loop_a->open_datagram({IpAddress::ipv4(10, 0, 0, 1), 5060}, {}, a).value();
  b.socket = loop_b->open_datagram({IpAddress::ipv4(10, 0, 0, 2), 5060}, {}, b).value();
  loop_a->start();
  loop_b->start();
  const std::string message(datagram_bytes, 'x');
  for (int i = 0; i < window; ++i)
    a.socket->send(b.socket->local(), message);
  const double ns = best_ns_per_operation(200'000, [&](std::uint64_t count) {
    // Each millisecond carries every datagram of the window over two links of 500 us.
    network.run_for_us(static_cast<std::int64_t>(count) * 1'000 / (2 * window));
  });
  return Figure{ns, R"({"bytes":500,"loops":2})"};
}

}  // namespace tandem::bench
