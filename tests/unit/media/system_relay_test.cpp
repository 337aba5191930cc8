// The relay on real sockets over loopback.
#include <dirent.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "io/dtls.hpp"
#include "media/rtp.hpp"
#include "media/srtp_side.hpp"
#include "tandem/clock.hpp"
#include "tandem/media_relay.hpp"
#include "unit/media/backends.hpp"
#include "unit/media/endpoint.hpp"
#include "unit/media/rtp_packet.hpp"

using namespace tandem;
using namespace tandem::media;

namespace {

constexpr MediaSide caller = MediaSide::caller;
constexpr MediaSide callee = MediaSide::callee;

MediaConfig small_config(std::uint16_t first = 0, std::uint16_t ports = 200) {
  MediaConfig config;
  config.address = IpAddress::ipv4(127, 0, 0, 1);
  // Spread over programs that run at the same time; a port that is taken is passed over anyway.
  config.port_first =
      first != 0 ? first : static_cast<std::uint16_t>(20000 + ::getpid() % 50 * 200);
  config.port_last = static_cast<std::uint16_t>(config.port_first + ports - 1);
  config.ready_pairs = 4;
  return config;
}

std::size_t open_files() {
  std::size_t files = 0;
  DIR* folder = ::opendir("/proc/self/fd");
  while (::readdir(folder) != nullptr)
    ++files;
  ::closedir(folder);
  return files;
}

// Whether a further socket may listen at `address`, one that asks to share it.
bool can_share(const SocketAddress& address) {
  const int socket = ::socket(AF_INET, SOCK_DGRAM, 0);
  const int on = 1;
  ::setsockopt(socket, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  sockaddr_in system{};
  system.sin_family = AF_INET;
  system.sin_port = htons(address.port);
  std::memcpy(&system.sin_addr, address.ip.bytes.data(), 4);
  const int bound = ::bind(socket, reinterpret_cast<const sockaddr*>(&system), sizeof system);
  ::close(socket);
  return bound == 0;
}

// A session with an endpoint at either side, each signalled to the relay.
struct Call {
  Endpoint a, b;
  MediaSession session;
  Call(MediaRelay& relay, const char* ip_a = "127.0.0.1", const char* ip_b = "127.0.0.1")
      : a(ip_a), b(ip_b) {
    auto opened = relay.open(a.local().ip.family, b.local().ip.family);
    REQUIRE_MESSAGE(opened.ok(), (opened ? "" : opened.error().message));
    session = std::move(opened).value();
    REQUIRE(session.set_remote(caller, a.local()));
    REQUIRE(session.set_remote(callee, b.local()));
  }
  void echo(std::uint16_t sequence) {
    const std::string from_a = rtp_packet(sequence, sequence * 160U, 0xA);
    a.send(session.local_rtp(caller), from_a);
    REQUIRE(b.receive() == from_a);
    const std::string from_b =
        rtp_packet(static_cast<std::uint16_t>(sequence + 500), sequence * 160U, 0xB, 20);
    b.send(session.local_rtp(callee), from_b);
    REQUIRE(a.receive() == from_b);
  }
};

}  // namespace

TEST_CASE_TEMPLATE("Media relay M-02: both ways arrive unchanged and are counted on both sides",
                   Backend, TANDEM_RELAY_BACKENDS) {
  if (!is_usable<Backend>()) return;
  auto relay = create<Backend>(small_config());
  REQUIRE(relay);
  Call call(*relay);
  CHECK(call.session.local_rtp(caller).port % 2 == 0);
  CHECK(call.session.local_rtcp(caller).port == call.session.local_rtp(caller).port + 1);
  CHECK(call.session.last_rtp_us(caller) == 0);
  CHECK_FALSE(call.session.remote(caller));
  for (std::uint16_t i = 0; i < 100; ++i)
    call.echo(i);
  const MediaSideStats a = call.session.stats(caller);
  const MediaSideStats b = call.session.stats(callee);
  CHECK(a.packets_received == 100);
  CHECK(a.bytes_received == 17'200);
  CHECK(b.packets_received == 100);
  CHECK(b.bytes_received == 3'200);
  // What arrived at an end was counted as received before it was sent and as sent after; ask for
  // the sure bound.
  CHECK(a.packets_sent >= 99);
  CHECK(b.packets_sent == 100);
  CHECK(a.packets_lost == 0);
  CHECK(a.packets_refused == 0);
  CHECK(a.remote == call.a.local().to_string());
  CHECK(call.session.remote(callee) == call.b.local());
  CHECK(call.session.last_rtp_us(caller) > 0);
  CHECK(call.session.last_rtp_us(caller) <= SystemClock().monotonic_us());
}

TEST_CASE_TEMPLATE("Media relay M-17: packets that never came are counted as lost", Backend,
                   TANDEM_RELAY_BACKENDS) {
  if (!is_usable<Backend>()) return;
  auto relay = create<Backend>(small_config());
  REQUIRE(relay);
  Call call(*relay);
  for (std::uint16_t i = 0; i < 200; ++i) {
    if (i % 10 == 5) continue;
    call.a.send(call.session.local_rtp(caller), rtp_packet(i, i * 160U, 1));
    REQUIRE_FALSE(call.b.receive().empty());
  }
  CHECK(call.session.stats(caller).packets_lost == 20);
  CHECK(call.session.stats(callee).packets_lost == 0);
}

TEST_CASE_TEMPLATE("Media relay M-02: a stranger's packets do not reach the other side", Backend,
                   TANDEM_RELAY_BACKENDS) {
  if (!is_usable<Backend>()) return;
  auto relay = create<Backend>(small_config());
  REQUIRE(relay);
  Call call(*relay);
  call.echo(1);
  Endpoint stranger;
  for (std::uint16_t i = 0; i < 10; ++i)
    stranger.send(call.session.local_rtp(caller), rtp_packet(i, 0, 666));
  call.echo(2);  // passes through the same socket after them
  CHECK(call.session.stats(caller).packets_refused == 10);
  CHECK(call.session.remote(caller) == call.a.local());
  CHECK_FALSE(stranger.has_datagram());
  CHECK(relay->stats().packets_refused == 10);
}

TEST_CASE_TEMPLATE("Media relay M-02: a stream that goes on from another port keeps both ways",
                   Backend, TANDEM_RELAY_BACKENDS) {
  if (!is_usable<Backend>()) return;
  auto relay = create<Backend>(small_config());
  REQUIRE(relay);
  Call call(*relay);
  call.echo(1);
  Endpoint moved;
  moved.send(call.session.local_rtp(caller), rtp_packet(2, 320, 0xA));
  CHECK_FALSE(call.b.receive().empty());
  call.b.send(call.session.local_rtp(callee), rtp_packet(502, 320, 0xB));
  CHECK_FALSE(moved.receive().empty());
}

TEST_CASE_TEMPLATE(
    "Media relay M-02: a stream that lasts has a socket of its own, others are still heard",
    Backend, TANDEM_SOCKET_BACKENDS) {
  if (!is_usable<Backend>()) return;
  auto relay = create<Backend>(small_config());
  REQUIRE(relay);
  Call call(*relay);
  for (std::uint16_t i = 0; i < 60; ++i)
    call.echo(i);
  CHECK(relay->stats().ports_connected == 2);
  Endpoint stranger;
  for (std::uint16_t i = 0; i < 10; ++i)
    stranger.send(call.session.local_rtp(caller), rtp_packet(i, 0, 666));
  std::uint16_t next = 60;
  for (; next < 200 && call.session.stats(caller).packets_refused < 10; ++next)
    call.echo(next);
  CHECK(call.session.stats(caller).packets_refused == 10);
  CHECK_FALSE(stranger.has_datagram());
  // The port is not open to a third socket, of whatever program.
  CHECK_FALSE(can_share(call.session.local_rtp(caller)));
  Endpoint moved;
  const std::uint16_t last = next + 60;
  for (std::uint16_t i = next; i < last; ++i) {
    moved.send(call.session.local_rtp(caller), rtp_packet(i, i * 160U, 0xA));
    REQUIRE_FALSE(call.b.receive().empty());
    call.b.send(call.session.local_rtp(callee),
                rtp_packet(static_cast<std::uint16_t>(i + 500), i * 160U, 0xB));
    REQUIRE_FALSE(moved.receive().empty());
  }
  CHECK(relay->stats().ports_connected == 2);
  CHECK(call.session.stats(caller).packets_received == last);
}

TEST_CASE_TEMPLATE(
    "Media relay: an end that stopped to listen gets what comes when it listens again", Backend,
    TANDEM_SOCKET_BACKENDS) {
  if (!is_usable<Backend>()) return;
  auto relay = create<Backend>(small_config());
  REQUIRE(relay);
  Call call(*relay);
  for (std::uint16_t i = 0; i < 60; ++i)
    call.echo(i);
  REQUIRE(relay->stats().ports_connected == 2);
  const SocketAddress address = call.b.local();
  call.b = Endpoint();
  // The system tells a connected socket that nobody listens, and the port goes back to one socket.
  for (std::uint16_t i = 60; i < 5000 && relay->stats().ports_connected == 2; ++i)
    call.a.send(call.session.local_rtp(caller), rtp_packet(i, i * 160U, 0xA));
  CHECK(relay->stats().ports_connected == 1);
  call.b = Endpoint("127.0.0.1", address.port);
  const std::string packet = rtp_packet(5000, 5000 * 160U, 0xA);
  call.a.send(call.session.local_rtp(caller), packet);
  std::string received = call.b.receive();
  while (!received.empty() && received != packet)
    received = call.b.receive();
  CHECK(received == packet);
}

TEST_CASE_TEMPLATE("Media relay: the next call of a port has nothing of the socket of the last one",
                   Backend, TANDEM_SOCKET_BACKENDS) {
  if (!is_usable<Backend>()) return;
  MediaConfig config = small_config(0, 4);
  config.rest_ms = 0;
  auto relay = create<Backend>(config);
  REQUIRE(relay);
  for (int calls = 0; calls < 3; ++calls) {
    Call call(*relay);
    for (std::uint16_t i = 0; i < 60; ++i)
      call.echo(i);
    CHECK(relay->stats().ports_connected == 2);
    CHECK(call.session.stats(callee).packets_received == 60);
  }
}

TEST_CASE_TEMPLATE("Media relay: second sockets end with their call, though its ports rest",
                   Backend, TANDEM_SOCKET_BACKENDS) {
  if (!is_usable<Backend>()) return;
  MediaConfig config = small_config();
  config.rest_ms = 60'000;
  auto relay = create<Backend>(config);
  REQUIRE(relay);
  Call other(*relay);
  {
    Call call(*relay);
    for (std::uint16_t i = 0; i < 60; ++i) {
      call.echo(i);
      other.echo(i);
    }
    CHECK(relay->stats().ports_connected == 4);
  }
  // Nothing more comes at the ports of the call that ended. Those of the other go on.
  std::uint16_t i = 60;
  for (; i < 50'000 && relay->stats().ports_connected > 2; ++i)
    other.echo(i);
  CHECK(relay->stats().ports_connected == 2);
  CHECK(other.session.stats(caller).packets_received == i);
}

TEST_CASE_TEMPLATE("Media relay: a stream that lost its second socket gets one again", Backend,
                   TANDEM_SOCKET_BACKENDS) {
  if (!is_usable<Backend>()) return;
  auto relay = create<Backend>(small_config());
  REQUIRE(relay);
  Call call(*relay);
  for (std::uint16_t i = 0; i < 60; ++i)
    call.echo(i);
  const SocketAddress address = call.b.local();
  call.b = Endpoint();
  std::uint16_t next = 60;
  for (; next < 5000 && relay->stats().ports_connected == 2; ++next)
    call.a.send(call.session.local_rtp(caller), rtp_packet(next, next * 160U, 0xA));
  REQUIRE(relay->stats().ports_connected == 1);
  call.b = Endpoint("127.0.0.1", address.port);
  const auto last = static_cast<std::uint16_t>(next + 600);
  for (; next < last; ++next) {
    call.a.send(call.session.local_rtp(caller), rtp_packet(next, next * 160U, 0xA));
    REQUIRE_FALSE(call.b.receive().empty());
  }
  CHECK(relay->stats().ports_connected == 2);
}

TEST_CASE_TEMPLATE(
    "Media relay: taps and keys are the same by the second socket, and for the next call", Backend,
    TANDEM_SOCKET_BACKENDS) {
  if (!is_usable<Backend>()) return;
  MediaConfig config = small_config(0, 4);
  config.rest_ms = 0;
  config.events_max = 64;
  auto relay = create<Backend>(config);
  REQUIRE(relay);
  for (int calls = 0; calls < 3; ++calls) {
    Call call(*relay);
    REQUIRE(call.session.set_payloads(caller, {0, 101}, {101}));
    auto tap = call.session.tap();
    REQUIRE(tap);
    for (std::uint16_t i = 0; i < 60; ++i)
      call.echo(i);
    CHECK(relay->stats().ports_connected == 2);
    for (std::uint16_t i = 0; i < 2; ++i) {  // the key 5 is pressed and let go
      const std::string key =
          key_packet(static_cast<std::uint16_t>(60 + i), 9600, 0xA, 5, i == 0 ? 160 : 800, i == 1);
      call.a.send(call.session.local_rtp(caller), key);
      REQUIRE(call.b.receive() == key);
    }
    CHECK(call.session.stats(caller).digits == 1);
    CHECK(tap->take().size() == 122);
    CHECK(tap->dropped() == 0);
    std::size_t keys = 0;
    for (const MediaEvent& event : relay->take_events()) {
      if (event.kind != MediaEvent::Kind::digit) continue;
      ++keys;
      CHECK(event.digit == '5');
      CHECK(event.duration_ms == 100);
    }
    CHECK(keys == 1);
  }
}

TEST_CASE_TEMPLATE(
    "Media relay: RTCP on the port of RTP passes beside the second socket (RFC 5761)", Backend,
    TANDEM_SOCKET_BACKENDS) {
  if (!is_usable<Backend>()) return;
  auto relay = create<Backend>(small_config());
  REQUIRE(relay);
  Call call(*relay);
  REQUIRE(call.session.set_remote(caller, call.a.local(), call.a.local()));
  REQUIRE(call.session.set_remote(callee, call.b.local(), call.b.local()));
  for (std::uint16_t i = 0; i < 60; ++i)
    call.echo(i);
  REQUIRE(relay->stats().ports_connected == 2);
  const std::string report = receiver_report(0xA, 7);
  call.a.send(call.session.local_rtp(caller), report);
  CHECK(call.b.receive() == report);
  CHECK(call.session.reported_lost(caller).value_or(0) == 7);
  CHECK(call.session.stats(caller).packets_received == 60);
}

TEST_CASE_TEMPLATE("Media relay: where files are few no port gets a second socket", Backend,
                   TANDEM_SOCKET_BACKENDS) {
  if (!is_usable<Backend>()) return;
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  rlimit low = before;
  MediaConfig config = small_config();
  SUBCASE("by the limit") { low.rlim_cur = open_files() + 200; }
  SUBCASE("since the program wants them") {
    low.rlim_cur = std::min<rlim_t>(before.rlim_cur, open_files() + 2'000);
    config.files_reserved = 2'000;
  }
  ::setrlimit(RLIMIT_NOFILE, &low);
  auto relay = create<Backend>(config);
  REQUIRE(relay);
  {
    Call call(*relay);
    for (std::uint16_t i = 0; i < 60; ++i)
      call.echo(i);
    CHECK(relay->stats().ports_connected == 0);
  }
  ::setrlimit(RLIMIT_NOFILE, &before);
}

TEST_CASE_TEMPLATE("Media relay M-02: a re-INVITE with another address moves the latch at once",
                   Backend, TANDEM_RELAY_BACKENDS) {
  if (!is_usable<Backend>()) return;
  auto relay = create<Backend>(small_config());
  REQUIRE(relay);
  Call call(*relay);
  call.echo(1);
  Endpoint moved;
  REQUIRE(call.session.set_remote(caller, moved.local()));
  call.b.send(call.session.local_rtp(callee), rtp_packet(502, 320, 0xB));
  CHECK_FALSE(moved.receive().empty());
  moved.send(call.session.local_rtp(caller), rtp_packet(9000, 1, 0xC));
  CHECK_FALSE(call.b.receive().empty());
  CHECK(call.session.remote(caller) == moved.local());
}

TEST_CASE_TEMPLATE(
    "Media relay: RTCP passes on its own ports and brings the loss that the other side saw",
    Backend, TANDEM_RELAY_BACKENDS) {
  if (!is_usable<Backend>()) return;
  auto relay = create<Backend>(small_config());
  REQUIRE(relay);
  Call call(*relay);
  Endpoint a_reports, b_reports;
  REQUIRE(call.session.set_remote(caller, call.a.local(), a_reports.local()));
  REQUIRE(call.session.set_remote(callee, call.b.local(), b_reports.local()));
  CHECK_FALSE(call.session.reported_lost(caller));
  a_reports.send(call.session.local_rtcp(caller), receiver_report(1, 17));
  CHECK(b_reports.receive() == receiver_report(1, 17));
  CHECK(call.session.reported_lost(caller) == 17u);
  CHECK(call.session.last_rtp_us(caller) == 0);
  b_reports.send(call.session.local_rtcp(callee), receiver_report(2, 0));
  CHECK(a_reports.receive() == receiver_report(2, 0));
}

TEST_CASE_TEMPLATE("Media relay: RTP and RTCP share a port where the SDP says so (RFC 5761)",
                   Backend, TANDEM_RELAY_BACKENDS) {
  if (!is_usable<Backend>()) return;
  auto relay = create<Backend>(small_config());
  REQUIRE(relay);
  Call call(*relay);
  REQUIRE(call.session.set_remote(caller, call.a.local(), call.a.local()));
  REQUIRE(call.session.set_remote(callee, call.b.local(), call.b.local()));
  call.echo(1);
  call.a.send(call.session.local_rtp(caller), receiver_report(1, 3));
  CHECK(call.b.receive() == receiver_report(1, 3));
  CHECK(call.session.stats(caller).packets_received == 1);
  CHECK(call.session.reported_lost(caller) == 3u);
}

TEST_CASE_TEMPLATE("Media relay: IPv6, and a session between the families, relay both ways",
                   Backend, TANDEM_RELAY_BACKENDS) {
  if (!is_usable<Backend>()) return;
  MediaConfig config = small_config();
  config.address6 = *IpAddress::parse("::1");
  auto relay = create<Backend>(config);
  REQUIRE(relay);
  {
    Call call(*relay, "::1", "::1");
    for (std::uint16_t i = 0; i < 20; ++i)
      call.echo(i);
    CHECK(call.session.stats(caller).remote == call.a.local().to_string());
  }
  Call bridged(*relay, "127.0.0.1", "::1");
  CHECK(bridged.session.local_rtp(caller).ip.is_ipv4());
  CHECK(bridged.session.local_rtp(callee).ip.is_ipv6());
  for (std::uint16_t i = 0; i < 20; ++i)
    bridged.echo(i);
  const auto wrong = bridged.session.set_remote(caller, bridged.b.local());
  REQUIRE_FALSE(wrong);
  CHECK(wrong.error().code == ErrorCode::invalid_argument);
}

TEST_CASE_TEMPLATE("Media relay: a family without an address is refused as unsupported", Backend,
                   TANDEM_RELAY_BACKENDS) {
  if (!is_usable<Backend>()) return;
  auto relay = create<Backend>(small_config());
  REQUIRE(relay);
  const auto session = relay->open(IpAddress::Family::ipv4, IpAddress::Family::ipv6);
  REQUIRE_FALSE(session);
  CHECK(session.error().code == ErrorCode::unsupported);
}

TEST_CASE_TEMPLATE(
    "Media relay: an exhausted range is the error limit, closing a session makes room", Backend,
    TANDEM_RELAY_BACKENDS) {
  if (!is_usable<Backend>()) return;
  MediaConfig config = small_config(0, 8);  // 4 pairs
  config.rest_ms = 0;
  auto relay = create<Backend>(config);
  REQUIRE(relay);
  std::vector<MediaSession> sessions;
  for (;;) {
    auto session = relay->open();
    if (!session) {
      CHECK(session.error().code == ErrorCode::limit);
      break;
    }
    sessions.push_back(std::move(session).value());
    REQUIRE(sessions.size() <= 2);
  }
  REQUIRE_FALSE(sessions.empty());
  CHECK(relay->stats().sessions_refused == 1);
  sessions.pop_back();
  CHECK(relay->open());
}

TEST_CASE_TEMPLATE("Media relay: a port at rest gets no new call", Backend, TANDEM_RELAY_BACKENDS) {
  if (!is_usable<Backend>()) return;
  MediaConfig config = small_config(0, 8);
  config.rest_ms = 60'000;
  auto relay = create<Backend>(config);
  REQUIRE(relay);
  int opened = 0;
  while (relay->open())
    ++opened;  // each one is closed at once
  CHECK(opened >= 1);
  CHECK(opened <= 2);
}

TEST_CASE_TEMPLATE(
    "Media relay: the limit of open files is the error limit and running calls go on", Backend,
    TANDEM_SOCKET_BACKENDS) {
  if (!is_usable<Backend>()) return;
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  auto relay = create<Backend>(small_config());
  REQUIRE(relay);
  Call call(*relay);
  rlimit low = before;
  low.rlim_cur = open_files() + 4;
  ::setrlimit(RLIMIT_NOFILE, &low);
  std::vector<MediaSession> sessions;
  Result<MediaSession> last = relay->open();
  while (last && sessions.size() < 100) {
    sessions.push_back(std::move(last).value());
    last = relay->open();
  }
  ::setrlimit(RLIMIT_NOFILE, &before);
  REQUIRE_FALSE(last);
  CHECK(last.error().code == ErrorCode::limit);
  CHECK(last.error().message.find("open files") != std::string::npos);
  call.echo(1);
  sessions.clear();
  CHECK(relay->open());
}

TEST_CASE_TEMPLATE(
    "Media relay: 10,000 sessions opened and closed leave the number of files as it was", Backend,
    TANDEM_RELAY_BACKENDS) {
  if (!is_usable<Backend>()) return;
  MediaConfig config = small_config(0, 80);
  config.rest_ms = 0;
  config.ready_pairs = 20;
  auto relay = create<Backend>(config);
  REQUIRE(relay);
  { Call call(*relay); }
  const std::uint64_t pairs = relay->stats().port_pairs_bound;
  for (int i = 0; i < 10'000; ++i) {
    auto session = relay->open();
    REQUIRE(session);
  }
  CHECK(relay->stats().sessions == 0);
  CHECK(relay->stats().port_pairs_bound <= pairs + 20);
  Call call(*relay);
  call.echo(1);
}

TEST_CASE_TEMPLATE("Media relay: closing it frees every file and the next one gets the same ports",
                   Backend, TANDEM_RELAY_BACKENDS) {
  if (!is_usable<Backend>()) return;
  const std::size_t files = open_files();
  for (int i = 0; i < 5; ++i) {
    MediaConfig config = small_config(0, 40);
    config.ready_pairs = 20;
    auto relay = create<Backend>(config);
    REQUIRE_MESSAGE(relay.ok(), (relay ? "" : relay.error().message));
    Call call(*relay);
    call.echo(1);
    CHECK(relay->stats().ports_busy == 0);
  }
  CHECK(open_files() == files);
}

TEST_CASE_TEMPLATE("Media relay: a port that another program holds is passed over", Backend,
                   TANDEM_RELAY_BACKENDS) {
  if (!is_usable<Backend>()) return;
  MediaConfig config = small_config(0, 40);
  Endpoint holder("127.0.0.1", config.port_first);
  auto relay = create<Backend>(config);
  REQUIRE(relay);
  CHECK(relay->stats().ports_busy == 1);
  Call call(*relay);
  call.echo(1);
  CHECK(call.session.local_rtp(caller).port > config.port_first);
}

TEST_CASE_TEMPLATE(
    "Media relay: when another relay holds the first ports of a range the others serve", Backend,
    TANDEM_RELAY_BACKENDS) {
  if (!is_usable<Backend>()) return;
  MediaConfig config = small_config(0, 400);
  config.ready_pairs = 100;  // more than one call tries
  auto first = create<Backend>(config);
  REQUIRE(first);
  auto second = create<Backend>(config);
  REQUIRE(second);
  Call call(*second);
  call.echo(1);
  CHECK(call.session.local_rtp(caller).port >= config.port_first + 200);
}

TEST_CASE_TEMPLATE("Media relay: sessions may outlive it", Backend, TANDEM_RELAY_BACKENDS) {
  if (!is_usable<Backend>()) return;
  MediaSession session;
  {
    auto relay = create<Backend>(small_config());
    REQUIRE(relay);
    session = std::move(*relay->open());
  }
  CHECK(session.stats(caller).packets_received == 0);
  session.close();
  CHECK_FALSE(session.is_open());
}

TEST_CASE_TEMPLATE("Media relay: a configuration out of range is refused with the value", Backend,
                   TANDEM_RELAY_BACKENDS) {
  if (!is_usable<Backend>()) return;
  const auto refused = [](void (*change)(MediaConfig&)) {
    MediaConfig config = small_config();
    change(config);
    auto relay = create<Backend>(config);
    REQUIRE_FALSE(relay);
    return relay.error();
  };
  CHECK(refused([](MediaConfig& c) { c.shards = 0; }).code == ErrorCode::invalid_argument);
  CHECK(refused([](MediaConfig& c) { c.nice = 1; }).code == ErrorCode::invalid_argument);
  CHECK(refused([](MediaConfig& c) { c.port_last = c.port_first; }).code ==
        ErrorCode::invalid_argument);
  CHECK(refused([](MediaConfig& c) { c.address = {}; }).code == ErrorCode::invalid_argument);
  CHECK(refused([](MediaConfig& c) { c.address = IpAddress::ipv4(0, 0, 0, 0); }).code ==
        ErrorCode::invalid_argument);
  CHECK(refused([](MediaConfig& c) { c.ready_pairs = 99'999; }).message.find("99999") !=
        std::string::npos);
  const Error elsewhere =
      refused([](MediaConfig& c) { c.address = IpAddress::ipv4(192, 0, 2, 1); });
  CHECK(elsewhere.code == ErrorCode::io);
  CHECK(elsewhere.message.find("192.0.2.1") != std::string::npos);
}

TEST_CASE_TEMPLATE(
    "Media relay: sessions on several shards open, relay and close from several threads at once",
    Backend, TANDEM_RELAY_BACKENDS) {
  if (!is_usable<Backend>()) return;
  MediaConfig config = small_config(0, 400);
  config.shards = 2;
  config.rest_ms = 0;
  auto relay = create<Backend>(config);
  REQUIRE(relay);
  std::vector<std::thread> workers;
  std::atomic<int> relayed{0};
  for (std::uint32_t worker = 0; worker < 3; ++worker) {
    workers.emplace_back([&relay, &relayed, worker] {
      Endpoint a, b;
      for (std::uint16_t i = 0; i < 100; ++i) {
        auto session = relay->open();
        if (!session || !session->set_remote(caller, a.local()) ||
            !session->set_remote(callee, b.local()))
          continue;
        session->set_flags(callee, MediaFlags{});
        const std::string packet = rtp_packet(i, worker, worker);
        a.send(session->local_rtp(caller), packet);
        if (b.receive() == packet && session->stats(caller).packets_received == 1 &&
            session->remote(caller) == a.local())
          ++relayed;
      }
    });
  }
  for (std::thread& worker : workers)
    worker.join();
  CHECK(relayed == 300);
  CHECK(relay->stats().sessions == 0);
}

TEST_CASE_TEMPLATE("Media relay: above the rate of the tick every packet still arrives unchanged",
                   Backend, TANDEM_RELAY_BACKENDS) {
  if (!is_usable<Backend>()) return;
  auto relay = create<Backend>(small_config());
  REQUIRE(relay);
  Call call(*relay);
  // Eight at a time fit every buffer on the way, so a loss would be the relay's.
  std::uint16_t sequence = 0;
  for (int round = 0; round < 400; ++round) {
    for (int i = 0; i < 8; ++i)
      call.a.send(call.session.local_rtp(caller),
                  rtp_packet(static_cast<std::uint16_t>(sequence + i), 0, 1));
    for (int i = 0; i < 8; ++i, ++sequence)
      REQUIRE(call.b.receive() == rtp_packet(sequence, 0, 1));
  }
  CHECK(call.session.stats(caller).packets_received == 3200);
  CHECK(call.session.stats(caller).packets_lost == 0);
}

TEST_CASE_TEMPLATE("Media relay M-18: what is sent bears the mark", Backend,
                   TANDEM_RELAY_BACKENDS) {
  if (!is_usable<Backend>()) return;
  for (const char* ip : {"127.0.0.1", "::1"}) {
    CAPTURE(ip);
    MediaConfig config = small_config();
    config.address6 = *IpAddress::parse("::1");
    config.tos = 0xb8;
    auto relay = create<Backend>(config);
    REQUIRE(relay);
    Call call(*relay, ip, ip);
    call.a.send(call.session.local_rtp(caller), rtp_packet(1, 160, 0xA));
    CHECK(call.b.receive_tos() == 0xb8);
    CHECK(relay->stats().marks_refused == 0);
  }
}

TEST_CASE_TEMPLATE(
    "Media relay: relay threads have precedence where the system allows it, others keep theirs",
    Backend, TANDEM_RELAY_BACKENDS) {
  if (!is_usable<Backend>()) return;
  const int own = ::getpriority(PRIO_PROCESS, 0);
  MediaConfig config = small_config();
  config.shards = 2;
  config.nice = -20;
  auto relay = create<Backend>(config);
  REQUIRE(relay);
  // A thread has set its priority before it relays.
  Call first(*relay);
  first.echo(1);
  Call second(*relay);
  second.echo(1);
  int raised = 0;
  DIR* const tasks = ::opendir("/proc/self/task");
  REQUIRE(tasks != nullptr);
  while (const dirent* task = ::readdir(tasks)) {
    const int id = std::atoi(task->d_name);
    if (id > 0 && ::getpriority(PRIO_PROCESS, static_cast<id_t>(id)) == -20) ++raised;
  }
  ::closedir(tasks);
  if (own != -20) CHECK(raised + static_cast<int>(relay->stats().priorities_refused) == 2);
  CHECK(::getpriority(PRIO_PROCESS, 0) == own);
}

TEST_CASE_TEMPLATE("Media relay: what finds no room at a port is counted, and nothing else is lost",
                   Backend, TANDEM_RELAY_BACKENDS) {
  if (!is_usable<Backend>()) return;
  MediaConfig config = small_config();
  config.receive_buffer_bytes = 2304;
  auto relay = create<Backend>(config);
  REQUIRE(relay);
  Call call(*relay);
  std::uint64_t sent = 0;
  const auto send = [&](std::size_t payload_bytes) {
    const auto sequence = static_cast<std::uint16_t>(sent++);
    call.a.send(call.session.local_rtp(caller), rtp_packet(sequence, 0, 1, payload_bytes));
  };
  constexpr std::size_t burst_bytes = 20;
  constexpr std::size_t mark_bytes = 40;
  for (int burst = 0; burst < 10'000 && relay->stats().packets_overflowed == 0; ++burst) {
    for (int i = 0; i < 64; ++i)
      send(burst_bytes);
    // The count comes with the next packet that finds room; one behind the burst is waited for.
    bool has_mark = false;
    while (!has_mark) {
      if (!call.b.has_datagram()) send(mark_bytes);
      has_mark = call.b.receive().size() == 12 + mark_bytes;
    }
    while (call.b.has_datagram())
      (void)call.b.receive();
  }
  CHECK(relay->stats().packets_overflowed > 0);
  const auto is_complete = [&] {
    return call.session.stats(caller).packets_received + relay->stats().packets_overflowed == sent;
  };
  for (int i = 0; i < 1000 && !is_complete(); ++i) {
    send(mark_bytes);
    (void)call.b.receive();
  }
  CHECK(is_complete());
}

TEST_CASE_TEMPLATE("Media relay: who waits for events hears of them, and of the end of the relay",
                   Backend, TANDEM_RELAY_BACKENDS) {
  if (!is_usable<Backend>()) return;
  MediaConfig config = small_config();
  config.events_max = 64;
  auto relay = create<Backend>(config);
  REQUIRE(relay);
  Call call(*relay);
  REQUIRE(call.session.set_payloads(caller, {0, 101}, {101}));
  call.session.set_tag(4);
  std::vector<MediaEvent> events;
  std::thread taker([&] {
    while (events.size() < 2) {
      for (MediaEvent& event : relay->take_events(16, 10'000'000))
        events.push_back(event);
    }
  });
  call.a.send(call.session.local_rtp(caller), rtp_packet(1, 160, 0xA));
  call.a.send(call.session.local_rtp(caller), key_packet(2, 320, 0xA, 9, 800, true));
  taker.join();
  CHECK(events[0].kind == MediaEvent::Kind::first_packet);
  CHECK(events[0].source == call.a.local());
  CHECK(events[0].tag == 4);
  CHECK(events[1].kind == MediaEvent::Kind::digit);
  CHECK(events[1].digit == '9');
}

TEST_CASE_TEMPLATE(
    "Media relay: taps and lists of sources are changed under traffic, and no packet is lost",
    Backend, TANDEM_RELAY_BACKENDS) {
  if (!is_usable<Backend>()) return;
  auto relay = create<Backend>(small_config());
  REQUIRE(relay);
  Call call(*relay);
  std::size_t tapped = 0;
  for (std::uint16_t i = 0; i < 300; ++i) {
    auto tap = call.session.tap(4096);
    REQUIRE(tap);
    REQUIRE(call.session.set_sources(caller, {{*IpNetwork::parse("127.0.0.0/8")}, {}}));
    call.echo(i);
    tapped += tap->take().size();
    call.session.untap();
    REQUIRE(call.session.set_sources(caller, {}));
  }
  CHECK(tapped == 600);
  CHECK(call.session.stats(caller).packets_received == 300);
  CHECK(call.session.stats(caller).packets_refused == 0);
}

TEST_CASE_TEMPLATE("Media relay M-13: a thread that waits for packets begins to play, and ends",
                   Backend, TANDEM_RELAY_BACKENDS) {
  if (!is_usable<Backend>()) return;
  auto relay = create<Backend>(small_config());
  REQUIRE(relay);
  Call call(*relay);
  MediaAudio of_caller, of_callee;
  of_caller.codec = of_callee.codec = find_audio_codec("PCMU");
  of_callee.events_type = 101;
  REQUIRE(call.session.set_audio(of_caller, of_callee));
  call.echo(1);
  const auto clip = AudioClip::of(std::vector<std::int16_t>(480, 500)).value();
  REQUIRE(call.session.play(caller, clip));
  std::string last;
  for (std::uint16_t i = 0; i < 3; ++i) {
    const std::string heard = call.a.receive();
    REQUIRE(heard.size() == 172);
    if (i > 0) CHECK(media::parse_rtp(heard)->timestamp - media::parse_rtp(last)->timestamp == 160);
    last = heard;
  }
  CHECK_FALSE(call.session.is_playing(caller));
  REQUIRE(call.session.press_key(callee, '7', 40));
  for (int i = 0; i < 4; ++i) {  // 20 ms each, the end three times
    const std::string key = call.b.receive();
    REQUIRE(key.size() == 16);
    CHECK((key[1] & 0x7F) == 101);
    CHECK(key[12] == 7);
  }
  // What comes behind the key counts on behind it.
  call.a.send(call.session.local_rtp(caller), rtp_packet(2, 320, 0xA));
  CHECK(media::parse_rtp(call.b.receive())->sequence == 6);
}

TEST_CASE_TEMPLATE("Media relay: handshakes run on the threads that relay, in both roles", Backend,
                   TANDEM_RELAY_BACKENDS) {
  if (!is_usable<Backend>()) return;
  auto relay = create<Backend>(small_config());
  REQUIRE(relay);
  Call call(*relay);
  const auto own = io::DtlsIdentity::make().value();
  MediaHandshake asked;
  asked.fingerprints = {own->fingerprint()};
  std::uint16_t sequence = 0;
  for (const DtlsRole role : {DtlsRole::server, DtlsRole::client, DtlsRole::server}) {
    CAPTURE(static_cast<int>(role));
    asked.role = role;
    for (int i = 0; i < 20; ++i) {  // taken away while the thread is at it
      REQUIRE(call.session.set_handshake(caller, asked));
      REQUIRE(call.session.set_handshake(caller, {}));
    }
    REQUIRE(call.session.set_handshake(caller, asked));
    const DtlsRole other = role == DtlsRole::server ? DtlsRole::client : DtlsRole::server;
    const auto dtls = io::DtlsAssociation::create(own, other, {*relay->dtls_fingerprint()}).value();
    io::DtlsAssociation::Datagrams out;
    dtls->begin(out);
    for (int round = 0; round < 20; ++round) {
      for (const std::string& bytes : std::exchange(out, {}))
        call.a.send(call.session.local_rtp(caller), bytes);
      if (dtls->state() != io::DtlsAssociation::State::shaking) break;
      dtls->take(call.a.receive(), out);
    }
    REQUIRE(dtls->state() == io::DtlsAssociation::State::agreed);
    const auto keys = SrtpSide::create(dtls->crypto(), nullptr).value();
    ++sequence;
    const std::string packet = rtp_packet(sequence, sequence * 160U, 0xA);
    std::string_view bytes = packet;
    REQUIRE(keys->seal_rtp(bytes));
    call.a.send(call.session.local_rtp(caller), bytes);
    CHECK(call.b.receive() == packet);
    CHECK(call.session.handshake(caller) == MediaHandshakeState::agreed);
    call.b.send(call.session.local_rtp(callee), packet);
    const std::string sealed = call.a.receive();
    bytes = sealed;
    REQUIRE(keys->open_rtp(bytes) == SrtpVerdict::authentic);
    CHECK(bytes == packet);
  }
}
