// What every io::Network promises, run against the real and the simulated one. A test program
// includes this once and defines make_network_under_test().
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "io/loop.hpp"

namespace tandem::testing {

/// A network and the way to let it run.
class NetworkUnderTest {
 public:
  virtual ~NetworkUnderTest() = default;
  virtual io::Network& network() = 0;
  /// Lets the loops run until `done()`; false when that takes far too long. `done` reads atomics
  /// only.
  virtual bool run_until(const std::function<bool()>& done) = 0;
};

std::unique_ptr<NetworkUnderTest> make_network_under_test();

inline SocketAddress address(const char* text) { return SocketAddress::parse(text).value(); }

class Ear : public io::DatagramHandler {
 public:
  void on_datagram(const SocketAddress& from, std::string_view bytes) override {
    datagrams.emplace_back(from, bytes);
    if (echo != nullptr) echo->send(from, bytes);
    ++heard;
  }
  void on_unreachable(const SocketAddress& to) override {
    unreachable.push_back(to);
    ++errors;
  }
  std::vector<std::pair<SocketAddress, std::string>> datagrams;
  std::vector<SocketAddress> unreachable;
  io::DatagramSocket* echo = nullptr;
  std::atomic<int> heard{0};
  std::atomic<int> errors{0};
};

class StreamEar : public io::StreamHandler {
 public:
  void on_connected() override { ++connected; }
  void on_bytes(std::string_view bytes) override {
    text += bytes;
    received += bytes.size();
    if (then) then();
  }
  void on_closed(const Error& error) override {
    reason = error.message;
    ++closed;
  }
  std::string text;
  std::string reason;
  std::function<void()> then;
  std::atomic<int> connected{0};
  std::atomic<int> closed{0};
  std::atomic<std::size_t> received{0};
};

/// Sends back what it hears.
class EchoServer : public io::AcceptHandler {
 public:
  void on_accept(std::unique_ptr<io::StreamConnection> connection) override {
    auto peer = std::make_unique<Peer>();
    peer->connection = std::move(connection);
    peer->connection->set_handler(*peer);
    peers.push_back(std::move(peer));
    ++accepted;
  }
  struct Peer : io::StreamHandler {
    void on_bytes(std::string_view bytes) override { (void)connection->send(bytes); }
    void on_closed(const Error&) override { ++closed; }
    std::unique_ptr<io::StreamConnection> connection;
    std::atomic<int> closed{0};
  };
  std::vector<std::unique_ptr<Peer>> peers;
  std::atomic<int> accepted{0};
};

TEST_CASE("Network: datagrams of every size come back in order") {
  const auto test = make_network_under_test();
  const auto loop_a = test->network().create_loop("a").value();
  const auto loop_b = test->network().create_loop("b").value();
  Ear a;
  Ear b;
  auto socket_a = loop_a->open_datagram(address("127.0.0.1:0"), {}, a).value();
  auto socket_b = loop_b->open_datagram(address("127.0.0.1:0"), {}, b).value();
  b.echo = socket_b.get();
  CHECK(socket_a->local().port != 0);
  CHECK(socket_a->local() != socket_b->local());
  loop_a->start();
  loop_b->start();
  constexpr int count = 100;
  REQUIRE(loop_a
              ->post([&] {
                for (int i = 0; i < count; ++i)
                  socket_a->send(socket_b->local(), std::string(static_cast<std::size_t>(i * 13),
                                                                static_cast<char>('a' + i % 26)));
              })
              .ok());
  CHECK(test->run_until([&] { return a.heard == count; }));
  loop_a->stop();
  loop_b->stop();
  REQUIRE(a.datagrams.size() == count);
  for (int i = 0; i < count; ++i) {
    const auto& [from, text] = a.datagrams[static_cast<std::size_t>(i)];
    CHECK(from == socket_b->local());
    CHECK(text == std::string(static_cast<std::size_t>(i * 13), static_cast<char>('a' + i % 26)));
  }
  CHECK(b.datagrams.front().first == socket_a->local());
  CHECK(loop_b->counters().datagrams_received == count);
  CHECK(loop_b->counters().datagrams_sent == count);
}

TEST_CASE("Network: more datagrams than one batch holds are sent and heard") {
  const auto test = make_network_under_test();
  const auto loop = test->network().create_loop("a").value();
  Ear ear;
  auto from = loop->open_datagram(address("127.0.0.1:0"), {}, ear).value();
  auto to = loop->open_datagram(address("127.0.0.1:0"), {}, ear).value();
  loop->start();
  std::atomic<int> rounds{0};
  // Rounds, so that a receive buffer that the system keeps small does not overflow.
  std::function<void()> round = [&] {
    for (int i = 0; i < 150; ++i)
      from->send(to->local(), "x");
    ++rounds;
  };
  for (int i = 1; i <= 5; ++i) {
    REQUIRE(loop->post(round).ok());
    CHECK(test->run_until([&] { return ear.heard == i * 150; }));
  }
  REQUIRE(loop->post([&] {
                for (int i = 0; i < 20; ++i)
                  from->send(to->local(),
                             std::string(60'000, 'y'));  // more bytes than the arena holds
              })
              .ok());
  CHECK(
      test->run_until([&] { return ear.heard + static_cast<int>(from->send_drops()) >= 750 + 1; }));
  loop->stop();
}

TEST_CASE("Network: a datagram longer than the receiver takes arrives cut") {
  const auto test = make_network_under_test();
  const auto loop = test->network().create_loop("a").value();
  Ear small;
  Ear large;
  io::DatagramOptions options;
  options.datagram_bytes_max = 100;
  auto to_small = loop->open_datagram(address("127.0.0.1:0"), options, small).value();
  auto to_large = loop->open_datagram(address("127.0.0.1:0"), {}, large).value();
  loop->start();
  REQUIRE(loop->post([&] {
                to_large->send(to_small->local(), std::string(300, 'x'));
                to_small->send(to_large->local(), std::string(65'000, 'y'));
                to_large->send(to_small->local(), std::string(100, 'z'));
              })
              .ok());
  CHECK(test->run_until([&] { return small.heard == 2 && large.heard == 1; }));
  loop->stop();
  CHECK(small.datagrams[0].second == std::string(100, 'x'));
  CHECK(small.datagrams[1].second == std::string(100, 'z'));
  CHECK(large.datagrams[0].second == std::string(65'000, 'y'));
}

TEST_CASE("Network: what cannot be a datagram is counted and not sent") {
  const auto test = make_network_under_test();
  const auto loop = test->network().create_loop("a").value();
  Ear ear;
  auto socket = loop->open_datagram(address("127.0.0.1:0"), {}, ear).value();
  socket->send(socket->local(), std::string(65'508, 'x'));
  socket->send(address("[::1]:5060"), "other family");
  CHECK(socket->send_drops() == 2);
  CHECK(loop->counters().datagrams_refused == 2);
}

TEST_CASE(
    "Network: a port that nobody owns is reported with its address, and others still get theirs") {
  const auto test = make_network_under_test();
  const auto loop = test->network().create_loop("a").value();
  Ear ear;
  Ear peer;
  auto socket = loop->open_datagram(address("127.0.0.1:0"), {}, ear).value();
  auto other = loop->open_datagram(address("127.0.0.1:0"), {}, peer).value();
  SocketAddress nobody;
  {
    Ear unused;
    auto gone = loop->open_datagram(address("127.0.0.1:0"), {}, unused).value();
    nobody = gone->local();
  }
  loop->start();
  REQUIRE(loop->post([&] { socket->send(nobody, "anybody?"); }).ok());
  CHECK(test->run_until([&] { return ear.errors == 1; }));
  // The error is pending on the socket when the next ones go out: none of them may be lost to it.
  REQUIRE(loop->post([&] {
                socket->send(nobody, "anybody?");
                for (int i = 0; i < 10; ++i)
                  socket->send(other->local(), "you");
              })
              .ok());
  CHECK(test->run_until([&] { return peer.heard == 10 && ear.errors == 2; }));
  loop->stop();
  CHECK(ear.unreachable.front() == nobody);
  CHECK(socket->send_drops() == 0);
}

TEST_CASE("Network: an address in use is named in the error") {
  const auto test = make_network_under_test();
  const auto loop = test->network().create_loop("a").value();
  Ear ear;
  EchoServer server;
  auto udp = loop->open_datagram(address("127.0.0.1:0"), {}, ear).value();
  auto tcp = loop->listen(address("127.0.0.1:0"), false, server).value();
  const auto second_udp = loop->open_datagram(udp->local(), {}, ear);
  REQUIRE_FALSE(second_udp.ok());
  CHECK(second_udp.error().code == ErrorCode::already_exists);
  CHECK(second_udp.error().message == "UDP address " + udp->local().to_string() + " was in use");
  const auto second_tcp = loop->listen(tcp->local(), false, server);
  REQUIRE_FALSE(second_tcp.ok());
  CHECK(second_tcp.error().code == ErrorCode::already_exists);
  CHECK(second_tcp.error().message == "TCP address " + tcp->local().to_string() + " was in use");
  SocketAddress everywhere = address("0.0.0.0:0");
  everywhere.port = udp->local().port;
  CHECK_FALSE(loop->open_datagram(everywhere, {}, ear).ok());
  io::DatagramOptions shared;
  shared.reuse_port = true;
  CHECK_FALSE(loop->open_datagram(udp->local(), shared, ear).ok());
  const SocketAddress freed = udp->local();
  udp.reset();
  CHECK(loop->open_datagram(freed, {}, ear).ok());
  const auto none = loop->open_datagram(SocketAddress{}, {}, ear);
  REQUIRE_FALSE(none.ok());
  CHECK(none.error().code == ErrorCode::invalid_argument);
}

TEST_CASE("Network: loops that share a port share its senders") {
  const auto test = make_network_under_test();
  const auto loop_a = test->network().create_loop("a").value();
  const auto loop_b = test->network().create_loop("b").value();
  Ear a;
  Ear b;
  Ear sender;
  io::DatagramOptions shared;
  shared.reuse_port = true;
  auto socket_a = loop_a->open_datagram(address("127.0.0.1:0"), shared, a).value();
  auto socket_b = loop_b->open_datagram(socket_a->local(), shared, b).value();
  std::vector<std::unique_ptr<io::DatagramSocket>> senders;
  for (int i = 0; i < 64; ++i)
    senders.push_back(loop_a->open_datagram(address("127.0.0.1:0"), {}, sender).value());
  const SocketAddress target = socket_a->local();
  loop_a->start();
  loop_b->start();
  REQUIRE(loop_a
              ->post([&] {
                for (const auto& socket : senders) {
                  socket->send(target, "1");
                  socket->send(target, "2");
                }
              })
              .ok());
  CHECK(test->run_until([&] { return a.heard + b.heard == 128; }));
  loop_a->stop();
  loop_b->stop();
  CHECK(a.heard > 0);
  CHECK(b.heard > 0);
  // A sender stays with its loop.
  for (const auto& [from, text] : a.datagrams) {
    const auto is_same = [&source = from](const auto& datagram) {
      return datagram.first == source;
    };
    CHECK(std::none_of(b.datagrams.begin(), b.datagrams.end(), is_same));
  }
}

TEST_CASE("Network: IPv6 works and leaves IPv4 of the same port to others") {
  const auto test = make_network_under_test();
  const auto loop = test->network().create_loop("a").value();
  Ear ear;
  Ear client;
  auto six = loop->open_datagram(address("[::]:0"), {}, ear).value();
  SocketAddress same_port = address("0.0.0.0:0");
  same_port.port = six->local().port;
  auto four = loop->open_datagram(same_port, {}, ear).value();
  ear.echo = six.get();
  auto socket = loop->open_datagram(address("[::1]:0"), {}, client).value();
  SocketAddress target = address("[::1]:0");
  target.port = six->local().port;
  loop->start();
  REQUIRE(loop->post([&] { socket->send(target, "six"); }).ok());
  CHECK(test->run_until([&] { return client.heard == 1; }));
  loop->stop();
  CHECK(client.datagrams.front().first == target);
  CHECK(client.datagrams.front().second == "six");
}

TEST_CASE("Network: what arrives before start() is served after it") {
  const auto test = make_network_under_test();
  const auto loop_a = test->network().create_loop("a").value();
  const auto loop_b = test->network().create_loop("b").value();
  Ear a;
  Ear b;
  auto socket_a = loop_a->open_datagram(address("127.0.0.1:0"), {}, a).value();
  auto socket_b = loop_b->open_datagram(address("127.0.0.1:0"), {}, b).value();
  std::atomic<bool> is_sent{false};
  loop_a->start();
  REQUIRE(loop_a
              ->post([&] {
                socket_a->send(socket_b->local(), "early");
                loop_a->defer([&] { is_sent = true; });
              })
              .ok());
  CHECK(test->run_until([&] { return is_sent.load(); }));
  CHECK(b.heard == 0);
  loop_b->start();
  CHECK(test->run_until([&] { return b.heard == 1; }));
  loop_a->stop();
  loop_b->stop();
}

TEST_CASE("Loop: tasks run in order of posting, in the loop, also those posted before start()") {
  const auto test = make_network_under_test();
  const auto loop = test->network().create_loop("a").value();
  std::vector<int> order;
  std::atomic<int> done{0};
  std::atomic<bool> is_inside{true};
  const auto task = [&](int number) {
    return [&, number] {
      order.push_back(number);
      if (!loop->is_loop_thread()) is_inside = false;
      ++done;
    };
  };
  CHECK(loop->is_loop_thread());
  for (int i = 0; i < 2'000; ++i)
    REQUIRE(loop->post(task(i)).ok());
  loop->start();
  for (int i = 2'000; i < 5'000; ++i)
    REQUIRE(loop->post(task(i)).ok());
  CHECK(test->run_until([&] { return done == 5'000; }));
  loop->stop();
  CHECK(loop->is_loop_thread());
  CHECK(is_inside);
  CHECK(std::is_sorted(order.begin(), order.end()));
}

TEST_CASE("Loop: the number of waiting tasks is bounded, and a stopped loop takes none") {
  const auto test = make_network_under_test();
  const auto loop = test->network().create_loop("full").value();
  int refused_at = 0;
  Result<void> last;
  for (; refused_at < 70'000; ++refused_at) {
    last = loop->post([] {});
    if (!last) break;
  }
  CHECK(refused_at == 65'536);
  REQUIRE_FALSE(last.ok());
  CHECK(last.error().code == ErrorCode::limit);
  CHECK(last.error().message == "loop \"full\" had 65536 tasks waiting");
  loop->stop();
  const auto late = loop->post([] {});
  REQUIRE_FALSE(late.ok());
  CHECK(late.error().code == ErrorCode::wrong_state);
  CHECK(loop->counters().posts_refused == 2);
}

TEST_CASE("Loop: deferred tasks run after the turn's other work, those they defer too") {
  const auto test = make_network_under_test();
  const auto loop = test->network().create_loop("a").value();
  std::string order;
  std::atomic<bool> is_done{false};
  REQUIRE(loop->post([&] {
                loop->defer([&] {
                  order += 'd';
                  loop->defer([&] {
                    order += 'e';
                    is_done = true;
                  });
                });
                order += 'a';
              })
              .ok());
  REQUIRE(loop->post([&] { order += 'b'; }).ok());
  loop->start();
  CHECK(test->run_until([&] { return is_done.load(); }));
  loop->stop();
  CHECK(order == "abde");
}

TEST_CASE("Loop: a timer never fires early, a cancelled one never") {
  const auto test = make_network_under_test();
  const auto loop = test->network().create_loop("a").value();
  struct Alarm {
    io::Loop& loop;
    std::int64_t fired_at_us = 0;
    std::atomic<int> fired{0};
    Timer timer{Timer::member<&Alarm::fire, Alarm>(), this};
    void fire() {
      fired_at_us = loop.clock().monotonic_us();
      ++fired;
    }
  };
  Alarm before{*loop};
  Alarm first{*loop};
  Alarm second{*loop};
  Alarm cancelled{*loop};
  loop->timers().start(before.timer, 3'000);
  std::int64_t began_us = 0;
  loop->start();
  REQUIRE(loop->post([&] {
                began_us = loop->timers().now_us();
                loop->timers().start(second.timer, 30'000);
                loop->timers().start(first.timer, 10'000);
                loop->timers().start(cancelled.timer, 20'000);
                cancelled.timer.cancel();
              })
              .ok());
  CHECK(test->run_until([&] { return second.fired == 1 && before.fired == 1; }));
  loop->stop();
  CHECK(first.fired == 1);
  CHECK(cancelled.fired == 0);
  // A delay counts from the wheel's time, which is that of the step in which the task ran.
  CHECK(first.fired_at_us >= began_us + 10'000);
  CHECK(second.fired_at_us >= began_us + 30'000);
  CHECK(second.fired_at_us >= first.fired_at_us);
}

TEST_CASE("Loop: a delay before start() counts from the call, not from the making of the loop") {
  const auto test = make_network_under_test();
  const auto loop = test->network().create_loop("a").value();
  const auto other = test->network().create_loop("b").value();
  struct Alarm {
    const Clock& clock;
    std::int64_t fired_at_us = 0;
    std::atomic<int> fired{0};
    Timer timer{Timer::member<&Alarm::fire, Alarm>(), this};
    void fire() {
      fired_at_us = clock.monotonic_us();
      ++fired;
    }
  };
  Alarm alarm{loop->clock()};
  Alarm pause{loop->clock()};
  other->timers().start(pause.timer, 30'000);
  other->start();
  CHECK(test->run_until([&] { return pause.fired == 1; }));
  const std::int64_t began_us = loop->clock().monotonic_us();
  loop->timers().start(alarm.timer, 20'000);
  loop->start();
  CHECK(test->run_until([&] { return alarm.fired == 1; }));
  loop->stop();
  other->stop();
  CHECK(alarm.fired_at_us >= began_us + 20'000);
}

TEST_CASE("Loop: an exception out of host code ends at the loop and is counted") {
  const auto test = make_network_under_test();
  const auto loop = test->network().create_loop("a").value();
  struct Thrower : io::DatagramHandler {
    void on_datagram(const SocketAddress&, std::string_view) override {
      ++heard;
      throw std::string("host code");
    }
    std::atomic<int> heard{0};
  } thrower;
  auto socket = loop->open_datagram(address("127.0.0.1:0"), {}, thrower).value();
  loop->start();
  std::atomic<bool> is_done{false};
  REQUIRE(loop->post([&] {
                socket->send(socket->local(), "1");
                socket->send(socket->local(), "2");
                throw 1;
              })
              .ok());
  CHECK(test->run_until([&] { return thrower.heard == 2; }));
  REQUIRE(loop->post([&] { is_done = true; }).ok());
  CHECK(test->run_until([&] { return is_done.load(); }));
  loop->stop();
  CHECK(loop->counters().exceptions == 3);
}

TEST_CASE("Loop: a socket may be destroyed in its own handler with datagrams waiting") {
  const auto test = make_network_under_test();
  const auto loop = test->network().create_loop("a").value();
  struct OneShot : io::DatagramHandler {
    void on_datagram(const SocketAddress& from, std::string_view) override {
      socket->send(from, "last words");
      socket.reset();
      ++heard;
    }
    std::unique_ptr<io::DatagramSocket> socket;
    std::atomic<int> heard{0};
  } once;
  Ear ear;
  once.socket = loop->open_datagram(address("127.0.0.1:0"), {}, once).value();
  auto sender = loop->open_datagram(address("127.0.0.1:0"), {}, ear).value();
  const SocketAddress target = once.socket->local();
  loop->start();
  REQUIRE(loop->post([&] {
                for (int i = 0; i < 10; ++i)
                  sender->send(target, "x");
              })
              .ok());
  CHECK(test->run_until([&] { return ear.heard == 1; }));
  loop->stop();
  CHECK(once.heard == 1);
}

TEST_CASE("Loop: what was left for the end runs in the loop in reverse order") {
  const auto test = make_network_under_test();
  const auto loop = test->network().create_loop("a").value();
  std::string order;
  bool is_inside = false;
  std::atomic<bool> is_ready{false};
  loop->start();
  REQUIRE(loop->post([&] {
                loop->at_stop([&] { order += '1'; });
                loop->at_stop([&] {
                  order += '2';
                  is_inside = loop->is_loop_thread();
                });
                is_ready = true;
              })
              .ok());
  CHECK(test->run_until([&] { return is_ready.load(); }));
  loop->stop();
  loop->stop();
  CHECK(order == "21");
  CHECK(is_inside);
}

TEST_CASE("Network: a megabyte comes back through a stream unchanged") {
  const auto test = make_network_under_test();
  const auto loop_a = test->network().create_loop("a").value();
  const auto loop_b = test->network().create_loop("b").value();
  EchoServer server;
  auto listener = loop_b->listen(address("127.0.0.1:0"), false, server).value();
  StreamEar ear;
  auto stream = loop_a->connect(listener->local(), ear).value();
  constexpr std::size_t part_bytes = 256 << 10;
  std::string sent;
  const auto send_part = [&] {
    std::string part(part_bytes, '\0');
    for (std::size_t i = 0; i < part.size(); ++i)
      part[i] = static_cast<char>((sent.size() + i) * 31 >> 3);
    sent += part;
    CHECK(stream->send(part).ok());
  };
  ear.then = [&] {
    if (ear.text.size() == sent.size() && sent.size() < 4 * part_bytes) send_part();
  };
  send_part();  // before it is connected, and before start()
  loop_b->start();
  loop_a->start();
  CHECK(test->run_until([&] { return ear.received == 4 * part_bytes; }));
  CHECK(ear.connected == 1);
  loop_a->stop();
  loop_b->stop();
  CHECK(ear.text == sent);
  CHECK(stream->remote() == listener->local());
  CHECK(server.peers.at(0)->connection->remote() == stream->local());
}

TEST_CASE("Network: a refused stream says so, after connect() has returned") {
  const auto test = make_network_under_test();
  const auto loop = test->network().create_loop("a").value();
  EchoServer server;
  SocketAddress nobody;
  {
    auto listener = loop->listen(address("127.0.0.1:0"), false, server).value();
    nobody = listener->local();
  }
  StreamEar ear;
  auto stream = loop->connect(nobody, ear).value();
  CHECK(ear.closed == 0);
  loop->start();
  CHECK(test->run_until([&] { return ear.closed == 1; }));
  loop->stop();
  CHECK(ear.connected == 0);
  CHECK(ear.reason == "could not connect to " + nobody.to_string() + ": Connection refused");
  const auto late = stream->send("x");
  REQUIRE_FALSE(late.ok());
  CHECK(late.error().code == ErrorCode::wrong_state);
}

TEST_CASE("Network: a stream's queue is bounded") {
  const auto test = make_network_under_test();
  const auto loop = test->network().create_loop("a").value();
  EchoServer server;
  auto listener = loop->listen(address("127.0.0.1:0"), false, server).value();
  StreamEar ear;
  auto stream = loop->connect(listener->local(), ear).value();
  // Not connected: all of it has to be queued here.
  const std::string part(64 << 10, 'x');
  int parts = 0;
  Result<void> last;
  for (; parts < 100; ++parts) {
    last = stream->send(part);
    if (!last) break;
  }
  CHECK(parts == 8);
  REQUIRE_FALSE(last.ok());
  CHECK(last.error().code == ErrorCode::limit);
  loop->start();
  CHECK(test->run_until([&] { return ear.received == 8 * part.size(); }));
  loop->stop();
}

TEST_CASE("Network: destroying one end closes the other, which hears it once") {
  const auto test = make_network_under_test();
  const auto loop = test->network().create_loop("a").value();
  EchoServer server;
  auto listener = loop->listen(address("127.0.0.1:0"), false, server).value();
  StreamEar ear;
  auto stream = loop->connect(listener->local(), ear).value();
  loop->start();
  CHECK(test->run_until([&] { return ear.connected == 1 && server.accepted == 1; }));
  REQUIRE(loop->post([&] {
                CHECK(server.peers[0]->connection->send("bye").ok());
                server.peers[0]->connection.reset();
              })
              .ok());
  CHECK(test->run_until([&] { return ear.closed == 1; }));
  loop->stop();
  CHECK(ear.text == "bye");
  CHECK(ear.reason ==
        "connection with " + listener->local().to_string() + " was closed by the peer");
  const auto late = stream->send("x");
  REQUIRE_FALSE(late.ok());
  CHECK(late.error().code == ErrorCode::wrong_state);
  CHECK(server.peers[0]->closed == 0);
}

}  // namespace tandem::testing
