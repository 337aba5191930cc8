#include "sim/sim_network.hpp"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <thread>

#include "unit/io/network_contract.hpp"

namespace tandem::testing {
namespace {

using sim::DatagramFate;
using sim::DatagramView;
using sim::LinkSettings;
using sim::SimNetwork;
using sim::SimNetworkOptions;

constexpr std::int64_t second_us = 1'000'000;

class SimulatedUnderTest final : public NetworkUnderTest {
 public:
  io::Network& network() override { return network_; }
  bool run_until(const std::function<bool()>& done) override {
    return network_.run_until(done, 600 * second_us);
  }

 private:
  SimNetwork network_;
};

/// Two started loops with a socket each.
struct Pair {
  explicit Pair(SimNetwork& network)
      : loop_a(network.create_loop("a").value()),
        loop_b(network.create_loop("b").value()),
        socket_a(loop_a->open_datagram(address("10.0.0.1:5060"), {}, a).value()),
        socket_b(loop_b->open_datagram(address("10.0.0.2:5060"), {}, b).value()) {
    loop_a->start();
    loop_b->start();
  }
  Ear a;
  Ear b;
  std::unique_ptr<io::Loop> loop_a;
  std::unique_ptr<io::Loop> loop_b;
  std::unique_ptr<io::DatagramSocket> socket_a;
  std::unique_ptr<io::DatagramSocket> socket_b;
};

SimNetworkOptions with_link(const LinkSettings& link, std::uint64_t seed = 1) {
  SimNetworkOptions options;
  options.seed = seed;
  options.link = link;
  return options;
}

}  // namespace

std::unique_ptr<NetworkUnderTest> make_network_under_test() {
  return std::make_unique<SimulatedUnderTest>();
}

TEST_CASE("SimNetwork: a datagram arrives exactly after the delay of its link") {
  SimNetwork network;
  Pair pair(network);
  LinkSettings slow;
  slow.delay_us = 40'000;
  REQUIRE(network.set_link(pair.socket_a->local(), pair.socket_b->local(), slow).ok());
  const std::int64_t began_us = network.clock().monotonic_us();
  pair.b.echo = pair.socket_b.get();
  pair.socket_a->send(pair.socket_b->local(), "ping");
  CHECK(network.run_until([&] { return pair.b.heard == 1; }, second_us));
  CHECK(network.clock().monotonic_us() == began_us + 40'000);
  CHECK(network.run_until([&] { return pair.a.heard == 1; }, second_us));
  CHECK(network.clock().monotonic_us() == began_us + 40'500);  // back on the default link
}

TEST_CASE("SimNetwork: run_for_us leaves the clock exactly there, the wall clock with it") {
  SimNetwork network;
  const std::int64_t began_us = network.clock().monotonic_us();
  const std::int64_t wall_us = network.clock().wall_us();
  CHECK(network.run_for_us(3'600 * second_us));
  CHECK(network.clock().monotonic_us() == began_us + 3'600 * second_us);
  CHECK(network.clock().wall_us() == wall_us + 3'600 * second_us);
  network.simulated_clock().step_wall_us(-second_us);
  CHECK(network.run_for_us(5));
  CHECK(network.clock().monotonic_us() == began_us + 3'600 * second_us + 5);
  CHECK(network.clock().wall_us() == wall_us + 3'599 * second_us + 5);
}

TEST_CASE("SimNetwork: run_until stands at the limit when its condition never comes") {
  SimNetwork network;
  const std::int64_t began_us = network.clock().monotonic_us();
  CHECK_FALSE(network.run_until([] { return false; }, 7 * second_us));
  CHECK(network.clock().monotonic_us() == began_us + 7 * second_us);
  CHECK(network.run_until([] { return true; }, second_us));
  CHECK(network.clock().monotonic_us() == began_us + 7 * second_us);
}

TEST_CASE("SimNetwork: idle means nothing left; a cancelled timer is nothing") {
  SimNetwork network;
  Pair pair(network);
  Timer timer([](void*) {}, nullptr);
  const std::int64_t began_us = network.clock().monotonic_us();
  pair.loop_a->timers().start(timer, 32 * second_us);
  CHECK_FALSE(network.run_until_idle(second_us));
  CHECK(network.clock().monotonic_us() == began_us + second_us);
  timer.cancel();
  pair.socket_a->send(pair.socket_b->local(), "x");
  CHECK(network.run_until_idle(100 * second_us));
  CHECK(network.clock().monotonic_us() == began_us + second_us + 500);
  pair.loop_a->timers().start(timer, 32 * second_us);
  CHECK(network.run_until_idle(100 * second_us));
  CHECK_FALSE(timer.is_pending());
  CHECK(network.clock().monotonic_us() >= began_us + 33 * second_us);
  CHECK(network.clock().monotonic_us() <= began_us + 33 * second_us + 2'500);
}

TEST_CASE("SimNetwork: a timer started on another loop's wheel in a turn fires in time") {
  SimNetwork network;
  Pair pair(network);
  int fired = 0;
  Timer timer([](void* count) { ++*static_cast<int*>(count); }, &fired);
  REQUIRE(pair.loop_a->post([&] { pair.loop_b->timers().start(timer, 50'000); }).ok());
  CHECK(network.run_for_us(52'000));
  CHECK(fired == 1);
}

TEST_CASE("SimNetwork: running it from a handler is refused") {
  SimNetwork network;
  Pair pair(network);
  bool nested = true;
  REQUIRE(pair.loop_a->post([&] { nested = network.run_for_us(10); }).ok());
  CHECK(network.run_for_us(10));
  CHECK_FALSE(nested);
}

TEST_CASE("SimNetwork: tasks that other threads post are run") {
  SimNetwork network;
  Pair pair(network);
  std::atomic<int> ran{0};
  std::vector<std::thread> posters;
  for (int t = 0; t < 4; ++t) {
    posters.emplace_back([&] {
      for (int i = 0; i < 1'000; ++i)
        CHECK(pair.loop_a->post([&] { ++ran; }).ok());
    });
  }
  while (ran < 4'000)
    REQUIRE(network.run_for_us(1'000));
  for (std::thread& poster : posters)
    poster.join();
}

namespace {

/// Hash of a run with losses, jitter and streams.
std::uint64_t hash_of_run(std::uint64_t seed) {
  LinkSettings link;
  link.jitter_us = 3'000;
  link.loss_per_mille = 50;
  link.duplicate_per_mille = 50;
  link.reorder_per_mille = 50;
  SimNetwork network(with_link(link, seed));
  Pair pair(network);
  pair.b.echo = pair.socket_b.get();
  EchoServer server;
  auto listener = pair.loop_b->listen(address("10.0.0.2:5060"), false, server).value();
  StreamEar ear;
  auto stream = pair.loop_a->connect(listener->local(), ear).value();
  CHECK(stream->send(std::string(100'000, 's')).ok());
  for (int i = 0; i < 200; ++i)
    pair.socket_a->send(pair.socket_b->local(), std::to_string(i));
  CHECK(network.run_until_idle(600 * second_us));
  CHECK(ear.text == std::string(100'000, 's'));
  return network.trace_hash();
}

}  // namespace

TEST_CASE("SimNetwork: equal seeds give equal runs, others other runs") {
  const std::uint64_t first = hash_of_run(7);
  CHECK(first == hash_of_run(7));
  CHECK(first != hash_of_run(8));
}

TEST_CASE("SimNetwork: losses and duplicates come as often as set, and the counters add up") {
  LinkSettings link;
  link.loss_per_mille = 100;
  link.duplicate_per_mille = 200;
  SimNetwork network(with_link(link));
  Pair pair(network);
  constexpr std::uint64_t count = 20'000;
  for (std::uint64_t i = 0; i < count; ++i)
    pair.socket_a->send(pair.socket_b->local(), "x");
  CHECK(network.run_until_idle(second_us));
  const sim::NetworkCounters& counters = network.counters();
  CHECK(counters.sent == count);
  // Six standard deviations of the binomial distribution: 42 and 54.
  CHECK(counters.lost > 2'000 - 255);
  CHECK(counters.lost < 2'000 + 255);
  CHECK(counters.duplicated > 3'600 - 330);
  CHECK(counters.duplicated < 3'600 + 330);
  CHECK(counters.delivered == counters.sent - counters.lost + counters.duplicated);
  CHECK(static_cast<std::uint64_t>(pair.b.heard) == counters.delivered);
}

TEST_CASE("SimNetwork: without jitter order is kept, with jitter or reordering it is not") {
  const auto is_ordered = [](const LinkSettings& link) {
    SimNetwork network(with_link(link));
    Pair pair(network);
    for (int i = 1'000; i < 2'000; ++i)
      pair.socket_a->send(pair.socket_b->local(), std::to_string(i));
    CHECK(network.run_until_idle(second_us));
    CHECK(pair.b.heard == 1'000);
    return std::is_sorted(pair.b.datagrams.begin(), pair.b.datagrams.end());
  };
  LinkSettings link;
  CHECK(is_ordered(link));
  link.jitter_us = 1'000;
  CHECK_FALSE(is_ordered(link));
  link.jitter_us = 0;
  link.reorder_per_mille = 10;
  CHECK_FALSE(is_ordered(link));
}

TEST_CASE("SimNetwork: long datagrams are lost at an MTU and shortened at a cut") {
  SimNetwork network;
  Pair pair(network);
  LinkSettings link;
  link.mtu_bytes = 1'500;
  network.set_default_link(link);
  pair.socket_a->send(pair.socket_b->local(), std::string(1'500, 'x'));
  pair.socket_a->send(pair.socket_b->local(), std::string(1'501, 'x'));
  link.mtu_bytes = 0;
  link.cut_bytes = 10;
  network.set_default_link(link);
  pair.socket_a->send(pair.socket_b->local(), std::string(11, 'y'));
  CHECK(network.run_until_idle(second_us));
  REQUIRE(pair.b.heard == 2);
  CHECK(pair.b.datagrams[0].second.size() == 1'500);
  CHECK(pair.b.datagrams[1].second == std::string(10, 'y'));
  CHECK(network.counters().too_long == 1);
  CHECK(network.counters().cut == 1);
}

TEST_CASE("SimNetwork: a partition holds datagrams off and streams back until it heals") {
  SimNetwork network;
  const IpAddress host_a = address("10.0.0.1").ip;
  const IpAddress host_b = address("10.0.0.2").ip;
  const auto loop = network.create_loop("streams", host_a).value();
  Pair pair(network);
  EchoServer server;
  auto listener = pair.loop_b->listen(address("10.0.0.2:5060"), false, server).value();
  StreamEar ear;
  auto stream = loop->connect(listener->local(), ear).value();
  loop->start();
  CHECK(network.run_until([&] { return ear.connected == 1; }, second_us));
  CHECK(stream->local().ip == host_a);
  REQUIRE(network.partition(host_a, host_b).ok());
  pair.socket_a->send(pair.socket_b->local(), "lost");
  CHECK(stream->send("late").ok());
  CHECK(network.run_for_us(10 * second_us));
  CHECK(pair.b.heard == 0);
  CHECK(pair.a.errors == 0);
  CHECK(ear.received == 0);
  CHECK(network.counters().partitioned == 1);
  REQUIRE(network.heal(host_a, host_b).ok());
  pair.socket_a->send(pair.socket_b->local(), "heard");
  CHECK(network.run_until([&] { return ear.text == "late" && pair.b.heard == 1; }, 10 * second_us));
  REQUIRE(network.partition(host_a, host_b).ok());
  CHECK(stream->send("never").ok());
  CHECK(network.run_until([&] { return ear.closed == 1; }, 100 * second_us));
  CHECK(ear.reason == "lost connection with 10.0.0.2:5060: Connection timed out");
}

TEST_CASE("SimNetwork: of rules that fit, the one set last holds; a cleared one is gone") {
  SimNetwork network;
  Pair pair(network);
  LinkSettings lossy;
  lossy.loss_per_mille = 1'000;
  const LinkSettings clean;
  const SocketAddress any;
  const auto arrives = [&] {
    const int before = pair.b.heard;
    pair.socket_a->send(pair.socket_b->local(), "x");
    CHECK(network.run_until_idle(second_us));
    return pair.b.heard > before;
  };
  CHECK(arrives());
  REQUIRE(network.set_link(any, pair.socket_b->local(), lossy).ok());
  CHECK_FALSE(arrives());
  REQUIRE(network.set_link(address("10.0.0.1"), any, clean).ok());
  CHECK(arrives());
  REQUIRE(network.set_link(any, pair.socket_b->local(), lossy).ok());
  CHECK_FALSE(arrives());
  network.clear_links();
  CHECK(arrives());
}

TEST_CASE("SimNetwork: a reset ends both ends of a stream once") {
  SimNetwork network;
  Pair pair(network);
  EchoServer server;
  auto listener = pair.loop_b->listen(address("10.0.0.2:5060"), false, server).value();
  StreamEar ear;
  auto stream = pair.loop_a->connect(listener->local(), ear).value();
  CHECK(network.run_until([&] { return ear.connected == 1; }, second_us));
  CHECK(stream->send("on its way").ok());
  CHECK(network.reset_streams(stream->local().ip, stream->remote().ip) == 1);
  CHECK(network.run_until_idle(second_us));
  CHECK(ear.closed == 1);
  CHECK(ear.reason == "lost connection with 10.0.0.2:5060: Connection reset by peer");
  CHECK(server.peers[0]->closed == 1);
  CHECK(ear.received == 0);
  CHECK(network.reset_streams(stream->local().ip, stream->remote().ip) == 0);
}

TEST_CASE("SimNetwork: a handler set late still gets everything in order") {
  SimNetwork network;
  Pair pair(network);
  struct Keeper : io::AcceptHandler {
    void on_accept(std::unique_ptr<io::StreamConnection> accepted) override {
      connection = std::move(accepted);
    }
    std::unique_ptr<io::StreamConnection> connection;
  } keeper;
  auto listener = pair.loop_b->listen(address("10.0.0.2:5060"), false, keeper).value();
  StreamEar client;
  auto stream = pair.loop_a->connect(listener->local(), client).value();
  CHECK(stream->send("one two three").ok());
  stream.reset();
  CHECK(network.run_until_idle(second_us));
  StreamEar ear;
  REQUIRE(keeper.connection);
  keeper.connection->set_handler(ear);
  CHECK(network.run_until_idle(second_us));
  CHECK(ear.text == "one two three");
  CHECK(ear.closed == 1);
}

TEST_CASE("SimNetwork: a silent network reports no unreachable port and lets connects time out") {
  SimNetwork network;
  Pair pair(network);
  network.set_unreachable(false);
  StreamEar ear;
  pair.socket_a->send(address("10.0.0.9:5060"), "x");
  auto stream = pair.loop_a->connect(address("10.0.0.9:5060"), ear).value();
  CHECK(network.run_for_us(120 * second_us));
  CHECK(ear.closed == 0);
  CHECK(network.run_for_us(10 * second_us));
  CHECK(pair.a.errors == 0);
  CHECK(ear.reason == "could not connect to 10.0.0.9:5060: Connection timed out");
}

TEST_CASE("SimNetwork: tap and filter see every datagram with its fate") {
  SimNetwork network;
  Pair pair(network);
  std::vector<std::pair<std::string, DatagramFate>> seen;
  network.set_tap(
      [&](const DatagramView& view) { seen.emplace_back(std::string(view.bytes), view.fate); });
  network.drop_if([](const DatagramView& view) { return view.bytes == "drop"; });
  pair.socket_a->send(pair.socket_b->local(), "keep");
  pair.socket_a->send(pair.socket_b->local(), "drop");
  network.drop_if({});
  pair.socket_a->send(pair.socket_b->local(), "drop");
  CHECK(network.run_until_idle(second_us));
  CHECK(pair.b.heard == 2);
  REQUIRE(seen.size() == 3);
  CHECK((seen[0] == std::pair{std::string("keep"), DatagramFate::sent}));
  CHECK((seen[1] == std::pair{std::string("drop"), DatagramFate::filtered}));
  CHECK((seen[2] == std::pair{std::string("drop"), DatagramFate::sent}));
  CHECK(network.counters().filtered == 1);
}

TEST_CASE("SimNetwork: sockets on the wildcard address send from the loop's host") {
  SimNetwork network;
  const auto loop = network.create_loop("host", address("192.0.2.7").ip).value();
  Pair pair(network);
  Ear ear;
  auto socket = loop->open_datagram(address("0.0.0.0:5060"), {}, ear).value();
  loop->start();
  socket->send(pair.socket_a->local(), "hello");
  pair.a.echo = pair.socket_a.get();
  CHECK(network.run_until([&] { return ear.heard == 1; }, second_us));
  CHECK(pair.a.datagrams[0].first == address("192.0.2.7:5060"));
}

TEST_CASE("SimNetwork: a capture is what packet analysers read, and it is bounded") {
  SimNetwork network;
  Pair pair(network);
  Ear ear;
  auto six = pair.loop_a->open_datagram(address("[2001:db8::1]:5060"), {}, ear).value();
  network.capture(2'000);
  pair.socket_a->send(pair.socket_b->local(), "OPTIONS sip:b SIP/2.0\r\n\r\n");
  six->send(address("[2001:db8::2]:5060"), "odd");
  pair.socket_a->send(pair.socket_b->local(), "");
  pair.socket_a->send(pair.socket_b->local(), std::string(3'000, 'x'));
  CHECK(network.captured() == 3);
  CHECK(network.capture_overflow() == 1);
  const std::string path = "/tmp/tandem-sim-" + std::to_string(::getpid()) + ".pcap";
  REQUIRE(network.write_pcap(path).ok());
  const auto failed = network.write_pcap("/nonexistent/x.pcap");
  REQUIRE_FALSE(failed.ok());
  CHECK(failed.error().code == ErrorCode::io);
  if (std::system("command -v tshark >/dev/null 2>&1") != 0) {
    std::puts("not run: the judgement of tshark over a capture (tshark was not found)");
  } else {
    const std::string command =
        "tshark -n -r " + path +
        " -o ip.check_checksum:TRUE -o udp.check_checksum:TRUE -T fields -e udp.srcport"
        " -e udp.length -e udp.checksum.status -e ip.checksum.status -e sip.Method 2>/dev/null";
    std::FILE* const pipe = ::popen(command.c_str(), "r");
    REQUIRE(pipe != nullptr);
    std::string output;
    char buffer[512];
    while (const std::size_t count = std::fread(buffer, 1, sizeof buffer, pipe))
      output.append(buffer, count);
    CHECK(::pclose(pipe) == 0);
    CHECK(output == "5060\t33\t1\t1\tOPTIONS\n5060\t11\t1\t\t\n5060\t8\t1\t1\t\n");
  }
  ::unlink(path.c_str());
}

TEST_CASE("SimNetwork: a million datagrams pass without losing one") {
  SimNetwork network;
  struct Player : io::DatagramHandler {
    void on_datagram(const SocketAddress& from, std::string_view bytes) override {
      if (++heard <= 500'000) socket->send(from, bytes);
    }
    std::unique_ptr<io::DatagramSocket> socket;
    int heard = 0;
  };
  const auto loop_a = network.create_loop("a").value();
  const auto loop_b = network.create_loop("b").value();
  Player a;
  Player b;
  a.socket = loop_a->open_datagram(address("10.0.0.1:5060"), {}, a).value();
  b.socket = loop_b->open_datagram(address("10.0.0.2:5060"), {}, b).value();
  loop_a->start();
  loop_b->start();
  const std::string message(500, 'm');
  for (int i = 0; i < 100; ++i)
    a.socket->send(b.socket->local(), message);
  CHECK(network.run_until_idle(3'600 * second_us));
  CHECK(a.heard + b.heard == 1'000'100);
  CHECK(network.counters().delivered == 1'000'100);
}

TEST_CASE("SimNetwork: loops may outlive the network, and their places are used again") {
  std::unique_ptr<io::Loop> last;
  {
    SimNetwork network;
    for (int i = 0; i < 1'000; ++i) {
      last = network.create_loop("again").value();
      last->start();
      Timer timer([](void*) {}, nullptr);
      last->timers().start(timer, 1'000);
      CHECK(network.run_for_us(100));
    }
  }
  CHECK(last->post([] {}).ok());
  last->stop();
}

}  // namespace tandem::testing
