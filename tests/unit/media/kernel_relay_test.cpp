// The relay with and without the kernel's help, between two network namespaces that the test makes:
// the relay in one, phone and carrier in the other, a pair of virtual interfaces between them.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "media/kernel/bpf.hpp"
#include "media/unique_fd.hpp"
#include "support/sanitizers.hpp"
#include "tandem/media_relay.hpp"
#include "unit/media/endpoint.hpp"
#include "unit/media/networks.hpp"
#include "unit/media/rtp_packet.hpp"

using namespace tandem;
using namespace tandem::media;
using test::NetworkPair;

namespace {

constexpr std::uint32_t phone_ssrc = 0x11111111, carrier_ssrc = 0x22222222;

// The sockets' path runs on a thread of its own.
bool eventually(const std::function<bool()>& holds) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::yield();
  }
  return true;
}

// A call with a phone and a carrier that send to each other, a packet at a time.
struct Call {
  Call(const Networks& networks, MediaRelay& of, bool is_ipv6)
      : relay(&of),
        prefix(is_ipv6 ? "2001:db8::" : "192.0.2."),
        phone(networks.endpoint(prefix + "7")),
        carrier(networks.endpoint(prefix + "9")) {
    const auto family = is_ipv6 ? IpAddress::Family::ipv6 : IpAddress::Family::ipv4;
    session = std::move(*of.open(family, family));
    REQUIRE(session.set_remote(MediaSide::caller, phone->local()));
    REQUIRE(session.set_remote(MediaSide::callee, carrier->local()));
    to_phone_side = session.local_rtp(MediaSide::caller);
    to_carrier_side = session.local_rtp(MediaSide::callee);
  }
  void phone_sends(const std::string& packet) {
    phone->send(to_phone_side, packet);
    REQUIRE(carrier->receive() == packet);
  }
  void carrier_sends(const std::string& packet) {
    carrier->send(to_carrier_side, packet);
    REQUIRE(phone->receive() == packet);
  }
  void both_send() {
    ++sequence;
    phone_sends(rtp_packet(sequence, sequence * 160U, phone_ssrc));
    carrier_sends(rtp_packet(sequence, sequence * 160U, carrier_ssrc));
  }
  /// Sends until the kernel has both directions.
  void until_in_kernel() {
    for (int i = 0; i < 2000 && relay->stats().streams_in_kernel < 2; ++i)
      both_send();
    REQUIRE(relay->stats().streams_in_kernel == 2);
  }

  MediaRelay* relay;
  std::string prefix;
  std::unique_ptr<Endpoint> phone, carrier;
  MediaSession session;
  SocketAddress to_phone_side, to_carrier_side;
  std::uint16_t sequence = 65500;  // it wraps soon
};

// In the same two networks: making them takes longer than most tests.
void on_each(const std::function<void(const Networks&, MediaRelay&, bool is_kernel)>& test) {
  const Networks networks;
  if (!networks.is_here()) return;
  for (const Way& way : ways) {
    CAPTURE(std::string(way.name));
    auto relay = MediaRelay::create(config_of(way));
    if (!relay) {
      MESSAGE(std::string(way.name) << " was not run: " << relay.error().message);
      continue;
    }
    test(networks, *relay, way.backend == MediaBackend::kernel);
  }
}

}  // namespace

TEST_CASE("kernel relay: packets go on as they came, and are counted as by sockets") {
  on_each([](const Networks& networks, MediaRelay& relay, bool is_kernel) {
    for (const bool is_ipv6 : {false, true}) {
      CAPTURE(is_ipv6);
      Call call(networks, relay, is_ipv6);
      call.both_send();
      if (is_kernel) call.until_in_kernel();
      const std::uint64_t before = relay.stats().packets_in_kernel;
      (void)call.session.stats(MediaSide::caller);
      const std::uint64_t sent_before = call.session.stats(MediaSide::callee).packets_received;
      for (int i = 0; i < 100; ++i)
        call.both_send();
      // Sizes that a voice packet does not have, and a loss, and one that is late.
      call.phone_sends(rtp_packet(++call.sequence, 1, phone_ssrc, 1));
      call.phone_sends(rtp_packet(++call.sequence, 2, phone_ssrc, 1199));
      call.sequence += 4;
      call.phone_sends(rtp_packet(call.sequence, 3, phone_ssrc));
      call.phone_sends(rtp_packet(static_cast<std::uint16_t>(call.sequence - 2), 4, phone_ssrc));
      const MediaSideStats caller = call.session.stats(MediaSide::caller);
      const MediaSideStats callee = call.session.stats(MediaSide::callee);
      CHECK(callee.packets_received == sent_before + 100);
      CHECK(caller.packets_received == callee.packets_received + 4);
      CHECK(eventually([&] {
        return call.session.stats(MediaSide::callee).packets_sent == caller.packets_received;
      }));
      CHECK(caller.packets_lost == 2);
      CHECK(callee.packets_lost == 0);
      CHECK(caller.cause == MediaCause::none);
      CHECK(caller.remote == call.phone->local().to_string());
      CHECK(call.session.last_rtp_us(MediaSide::caller) > 0);
      CHECK(relay.stats().packets_in_kernel - before >= (is_kernel ? 200U : 0U));
      if (!is_kernel) CHECK(relay.stats().packets_in_kernel == 0);
      CHECK(relay.stats().packets_refused == 0);
      call.phone->send(call.to_phone_side, rtp_packet(++call.sequence, 5, phone_ssrc));
      CHECK(call.carrier->receive_tos() == 0xB8);
    }
  });
}

TEST_CASE("kernel relay: a stranger is refused, also in the middle of a stream") {
  on_each([](const Networks& networks, MediaRelay& relay, bool is_kernel) {
    Call call(networks, relay, false);
    call.both_send();
    if (is_kernel) call.until_in_kernel();
    const auto stranger = networks.endpoint("192.0.2.66");
    for (std::uint16_t i = 0; i < 20; ++i) {
      stranger->send(call.to_phone_side, rtp_packet(i, i * 160U, 0x66666666));
      call.both_send();  // what the carrier gets next is the phone's
      // Or they find no room in the buffer of the port.
      REQUIRE(eventually(
          [&] { return call.session.stats(MediaSide::caller).packets_refused == i + 1U; }));
    }
    CHECK(call.session.stats(MediaSide::caller).packets_lost == 0);
    if (is_kernel) CHECK(relay.stats().streams_in_kernel == 2);
    // The phone itself, behind a NAT that changed its mapping, is believed.
    const auto moved = networks.endpoint("192.0.2.7");
    moved->send(call.to_phone_side, rtp_packet(++call.sequence, 7, phone_ssrc));
    CHECK(call.carrier->receive() == rtp_packet(call.sequence, 7, phone_ssrc));
    call.carrier->send(call.to_carrier_side, rtp_packet(call.sequence, 8, carrier_ssrc));
    CHECK(moved->receive() == rtp_packet(call.sequence, 8, carrier_ssrc));
    CHECK(call.session.remote(MediaSide::caller) == moved->local());
  });
}

TEST_CASE("kernel relay: taps, keys, blocks and reports in the middle of a stream lose nothing") {
  on_each([](const Networks& networks, MediaRelay& relay, bool is_kernel) {
    Call call(networks, relay, false);
    REQUIRE(call.session.set_payloads(MediaSide::caller, {0, 101}, {101}));
    call.both_send();
    for (int turn = 0; turn < 3; ++turn) {
      if (is_kernel) call.until_in_kernel();
      for (int i = 0; i < 10; ++i)
        call.both_send();
      auto tap = call.session.tap();
      REQUIRE(tap);
      for (int i = 0; i < 10; ++i)
        call.both_send();
      CHECK(tap->take().size() == 20);
      call.session.untap();
    }
    if (is_kernel) call.until_in_kernel();
    // A key shares the sequence of the voice around it.
    const std::uint32_t at = call.sequence * 160U + 160;
    for (std::uint16_t i = 0; i < 6; ++i)
      call.phone_sends(key_packet(++call.sequence, at, phone_ssrc, 5,
                                  static_cast<std::uint16_t>(160 * (i + 1)), i > 2));
    for (int i = 0; i < 10; ++i)
      call.both_send();
    CHECK(call.session.stats(MediaSide::caller).digits == 1);
    CHECK(call.session.stats(MediaSide::caller).packets_lost == 0);
    if (is_kernel) CHECK(relay.stats().streams_in_kernel == 2);
    // Reports pass beside the stream.
    const auto reporter = networks.endpoint(
        call.prefix + "9", static_cast<std::uint16_t>(call.carrier->local().port + 1));
    call.phone->send(call.session.local_rtcp(MediaSide::caller), receiver_report(phone_ssrc, 3));
    CHECK(reporter->receive() == receiver_report(phone_ssrc, 3));
    // Blocked, nothing passes from the next packet on; then it does again.
    call.session.set_policy(MediaSide::caller, MediaPolicy::block);
    call.phone->send(call.to_phone_side, rtp_packet(++call.sequence, 1, phone_ssrc));
    CHECK(eventually([&] { return relay.stats().packets_discarded == 1; }));
    call.session.set_policy(MediaSide::caller, MediaPolicy::forward);
    call.both_send();
    if (is_kernel) call.until_in_kernel();
    CHECK(call.session.stats(MediaSide::caller).packets_lost == 0);
    // A new stream on the same ports.
    call.phone_sends(rtp_packet(9, 9, 0x33333333));
    call.phone_sends(rtp_packet(10, 10, 0x33333333));
    CHECK(call.session.stats(MediaSide::caller).packets_lost == 0);
    call.session.close();
    CHECK(relay.stats().streams_in_kernel == 0);
  });
}

TEST_CASE("kernel relay: a side that agrees on ICE or DTLS is out of the kernel at once") {
  on_each([](const Networks& networks, MediaRelay& relay, bool is_kernel) {
    for (const bool has_dtls : {false, true}) {
      CAPTURE(has_dtls);
      Call call(networks, relay, false);
      call.both_send();
      if (is_kernel) call.until_in_kernel();
      MediaHandshake asked;
      asked.ice_ufrag = "ours";
      asked.ice_password = "0123456789012345678901";
      asked.remote_ice_ufrag = "them";
      if (has_dtls) {
        asked.role = DtlsRole::server;
        asked.fingerprints = {*relay.dtls_fingerprint()};
      }
      REQUIRE(call.session.set_handshake(MediaSide::caller, asked));
      CHECK(relay.stats().streams_in_kernel == 0);
      // The phone was not checked yet, so it neither speaks nor is spoken to.
      const std::uint64_t refused = relay.stats().packets_refused;
      const std::uint64_t heard = call.session.stats(MediaSide::callee).packets_received;
      for (int i = 1; i <= 3; ++i) {
        call.sequence += 1;
        call.phone->send(call.to_phone_side, rtp_packet(call.sequence, 1, phone_ssrc));
        call.carrier->send(call.to_carrier_side, rtp_packet(call.sequence, 1, carrier_ssrc));
      }
      CHECK(eventually([&] { return relay.stats().packets_refused == refused + 3; }));
      CHECK(eventually(
          [&] { return call.session.stats(MediaSide::callee).packets_received == heard + 3; }));
      CHECK_FALSE(call.carrier->has_datagram());
      CHECK_FALSE(call.phone->has_datagram());
      CHECK(relay.stats().streams_in_kernel == 0);
    }
  });
}

TEST_CASE("kernel relay: the sums have every packet, also of a call that nobody read") {
  on_each([](const Networks& networks, MediaRelay& relay, bool is_kernel) {
    Call call(networks, relay, false);
    call.both_send();
    if (is_kernel) call.until_in_kernel();
    const auto sent = [&] { return 2U * static_cast<std::uint16_t>(call.sequence - 65500); };
    for (int i = 0; i < 50; ++i)
      call.both_send();
    CHECK(eventually([&] { return relay.stats().packets_forwarded == sent(); }));
    for (int i = 0; i < 50; ++i)
      call.both_send();
    call.session.close();
    CHECK(eventually([&] { return relay.stats().packets_forwarded == sent(); }));
    if (is_kernel) CHECK(relay.stats().packets_in_kernel >= 190);
  });
}

TEST_CASE("kernel relay: sides of two families are relayed by sockets") {
  on_each([](const Networks& networks, MediaRelay& relay, bool) {
    auto session = relay.open(IpAddress::Family::ipv4, IpAddress::Family::ipv6);
    REQUIRE(session);
    const auto phone = networks.endpoint("192.0.2.7"), carrier = networks.endpoint("2001:db8::9");
    REQUIRE(session->set_remote(MediaSide::callee, carrier->local()));
    for (std::uint16_t i = 0; i < 10; ++i) {
      phone->send(session->local_rtp(MediaSide::caller), rtp_packet(i, i, phone_ssrc));
      CHECK(carrier->receive() == rtp_packet(i, i, phone_ssrc));
    }
    CHECK(relay.stats().streams_in_kernel == 0);
  });
}

TEST_CASE("kernel relay: a machine that forwards asks its routes for the next hop") {
  on_each([](const Networks& networks, MediaRelay& relay, bool is_kernel) {
    if (!NetworkPair::run("echo 1 > /proc/sys/net/ipv4/conf/tr0/forwarding")) return;
    Call call(networks, relay, false);
    call.both_send();
    if (is_kernel) call.until_in_kernel();
    const std::uint64_t before = relay.stats().packets_in_kernel;
    for (int i = 0; i < 20; ++i)
      call.both_send();
    (void)call.session.stats(MediaSide::caller);
    if (is_kernel) CHECK(relay.stats().packets_in_kernel > before + 30);
  });
}

TEST_CASE("kernel relay: killed, its calls go on and the next one takes them over") {
  if (checked_build::has_thread_sanitizer) return;  // it follows no fork
  for (const Way& way : ways) {
    if (way.backend != MediaBackend::kernel) continue;
    CAPTURE(std::string(way.name));
    const Networks networks;
    if (!networks.is_here()) return;
    MediaConfig config = config_of(way);
    const auto phone = networks.endpoint("192.0.2.7"), carrier = networks.endpoint("192.0.2.9");
    int to_test[2], to_child[2];
    REQUIRE(::pipe(to_test) == 0);
    REQUIRE(::pipe(to_child) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // whatever ends the test
      auto relay = MediaRelay::create(config);
      std::uint16_t told[2] = {0, 0};
      if (relay) {
        auto session = relay->open();
        (void)session->set_remote(MediaSide::caller, phone->local());
        (void)session->set_remote(MediaSide::callee, carrier->local());
        told[0] = session->local_rtp(MediaSide::caller).port;
        told[1] = session->local_rtp(MediaSide::callee).port;
        (void)!::write(to_test[1], told, sizeof told);
        // The first packet of a direction that is on may still go up: for the way to its next hop.
        while (relay->stats().packets_in_kernel < 4)
          std::this_thread::yield();
        (void)!::write(to_test[1], "k", 1);
        char byte = 0;
        (void)!::read(to_child[0], &byte, 1);  // until it is killed
      } else {
        (void)!::write(to_test[1], told, sizeof told);
      }
      ::_exit(0);
    }
    std::uint16_t told[2] = {0, 0};
    REQUIRE(::read(to_test[0], told, sizeof told) == sizeof told);
    if (told[0] == 0) {
      MESSAGE(std::string(way.name) << " was not run: the relay was refused");
      ::waitpid(child, nullptr, 0);
      continue;
    }
    const SocketAddress caller{config.address, told[0]}, callee{config.address, told[1]};
    std::uint16_t sequence = 0;
    const auto both_send = [&] {
      ++sequence;
      const std::string a = rtp_packet(sequence, sequence * 160U, phone_ssrc),
                        b = rtp_packet(sequence, sequence * 160U, carrier_ssrc);
      phone->send(caller, a);
      REQUIRE(carrier->receive() == a);
      carrier->send(callee, b);
      REQUIRE(phone->receive() == b);
    };
    pollfd news{to_test[0], POLLIN, 0};
    for (int i = 0; i < 2000 && ::poll(&news, 1, 0) == 0; ++i)
      both_send();
    char byte = 0;
    REQUIRE(::read(to_test[0], &byte, 1) == 1);
    for (int i = 0; i < 20; ++i)
      both_send();  // so that the last one was not the sockets', which is not counted any more
    REQUIRE(::kill(child, SIGKILL) == 0);
    for (int i = 0; i < 200; ++i)
      both_send();  // while it dies and when it is dead
    ::waitpid(child, nullptr, 0);
    for (int i = 0; i < 200; ++i)
      both_send();
    const std::uint16_t sent_then = sequence;
    {
      auto relay = MediaRelay::create(config);
      REQUIRE_MESSAGE(relay, relay.error().message);
      CHECK(relay->stats().sessions_adopted == 1);
      CHECK(relay->stats().sessions_unclaimed == 1);
      CHECK(relay->stats().streams_in_kernel == 2);
      for (int i = 0; i < 100; ++i)
        both_send();
      CHECK(relay->adopt(callee, caller).error().code == ErrorCode::not_found);
      auto session = relay->adopt(caller, callee);
      REQUIRE_MESSAGE(session, session.error().message);
      CHECK(relay->stats().sessions_unclaimed == 0);
      CHECK(session->stats(MediaSide::caller).packets_received == sent_then + 100U);
      CHECK(session->stats(MediaSide::caller).packets_lost == 0);
      CHECK(session->remote(MediaSide::caller) == phone->local());
      CHECK(session->remote(MediaSide::callee) == carrier->local());
      for (int i = 0; i < 10; ++i)
        both_send();
      auto tap = session->tap();  // through the sockets
      both_send();
      CHECK(tap->take().size() == 2);
    }
    CHECK(::access(folder().c_str(), F_OK) != 0);
    for (const int fd : {to_test[0], to_test[1], to_child[0], to_child[1]})
      ::close(fd);
  }
}

// A test that fails leaves no process behind.
struct KilledAtTheEnd {
  pid_t child;
  ~KilledAtTheEnd() {
    if (child > 0 && ::kill(child, SIGKILL) == 0) ::waitpid(child, nullptr, 0);
  }
};

// Both directions of many calls at a steady rate. What is heard has to be what was said, each
// packet once and in its order.
class Traffic {
 public:
  Traffic(const Networks& networks, const SocketAddress& relay_ip, std::size_t calls)
      : relay_ip_(relay_ip.ip) {
    for (std::size_t i = 0; i < 2 * calls; ++i)
      ends_.push_back(networks.endpoint(i % 2 == 0 ? "192.0.2.7" : "192.0.2.9"));
    to_.resize(2 * calls);
    heard_.resize(2 * calls);
  }
  [[nodiscard]] std::size_t calls() const { return ends_.size() / 2; }
  /// Where the end has to send to, and the session its packets.
  void set_port(std::size_t end, std::uint16_t port) { to_[end] = {relay_ip_, port}; }
  [[nodiscard]] SocketAddress port(std::size_t end) const { return to_[end]; }
  [[nodiscard]] SocketAddress local(std::size_t end) const { return ends_[end]->local(); }
  [[nodiscard]] std::uint16_t said() const { return said_; }

  /// A packet of each end.
  void say() {
    ++said_;
    for (std::size_t end = 0; end < ends_.size(); ++end)
      ends_[end]->send(to_[end], packet(said_, end));
    hear();
  }
  /// Until what `while_true` says, a packet of each end in every millisecond.
  void say_while(const std::function<bool()>& while_true) {
    auto due = std::chrono::steady_clock::now();
    while (while_true()) {
      say();
      // What a thread that was kept off would have sent comes not all at once.
      due = std::max(due, std::chrono::steady_clock::now() - std::chrono::milliseconds(1)) +
            std::chrono::milliseconds(1);
      while (std::chrono::steady_clock::now() < due)
        std::this_thread::yield();
    }
  }
  [[nodiscard]] bool is_all_heard() {
    hear();
    return std::all_of(heard_.begin(), heard_.end(),
                       [this](std::uint16_t heard) { return heard == said_; });
  }

 private:
  static std::string packet(std::uint16_t sequence, std::size_t end) {
    return rtp_packet(sequence, sequence * 160U, static_cast<std::uint32_t>(100 + end));
  }
  void hear() {
    for (std::size_t end = 0; end < ends_.size(); ++end) {
      for (; ends_[end]->has_datagram(); ++heard_[end])
        REQUIRE(ends_[end]->receive() ==
                packet(static_cast<std::uint16_t>(heard_[end] + 1), end ^ 1));
    }
  }

  const IpAddress relay_ip_;
  std::vector<std::unique_ptr<Endpoint>> ends_;  // phone and carrier of each call
  std::vector<SocketAddress> to_;
  std::vector<std::uint16_t> heard_;
  std::uint16_t said_ = 0;
};

TEST_CASE("kernel relay: killed under twenty thousand packets a second, it loses none of them") {
  if (checked_build::has_thread_sanitizer) return;  // it follows no fork
  constexpr std::size_t calls = 10;
  for (const Way& way : {ways[1], ways[3]}) {
    CAPTURE(std::string(way.name));
    const Networks networks;
    if (!networks.is_here()) return;
    MediaConfig config = config_of(way);
    config.ready_pairs = 2 * calls;
    Traffic traffic(networks, {config.address, 1}, calls);
    int to_test[2];
    REQUIRE(::pipe(to_test) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // whatever ends the test
      auto relay = MediaRelay::create(config);
      if (!relay) ::_exit(1);
      std::vector<MediaSession> sessions;
      std::uint16_t told[2 * calls];
      for (std::size_t end = 0; end < 2 * calls; end += 2) {
        MediaSession& session = sessions.emplace_back(std::move(*relay->open()));
        (void)session.set_remote(MediaSide::caller, traffic.local(end));
        (void)session.set_remote(MediaSide::callee, traffic.local(end + 1));
        told[end] = session.local_rtp(MediaSide::caller).port;
        told[end + 1] = session.local_rtp(MediaSide::callee).port;
      }
      (void)!::write(to_test[1], told, sizeof told);
      while (relay->stats().streams_in_kernel < 2 * calls)
        std::this_thread::yield();
      (void)!::write(to_test[1], told, 1);
      ::pause();
    }
    KilledAtTheEnd killed_at_the_end{child};
    ::close(to_test[1]);
    const UniqueFd told(to_test[0]);
    std::uint16_t ports[2 * calls] = {};
    if (::read(told.get(), ports, sizeof ports) != sizeof ports) {
      MESSAGE(std::string(way.name) << " was not run: the relay was refused");
      ::waitpid(child, nullptr, 0);
      killed_at_the_end.child = 0;
      continue;
    }
    for (std::size_t end = 0; end < 2 * calls; ++end)
      traffic.set_port(end, ports[end]);
    pollfd news{told.get(), POLLIN, 0};
    // One at a time, and some more: where the next hop is not known yet a packet takes the longer
    // way through the sockets.
    for (int more = 20; traffic.said() < 2000 && more > 0;) {
      traffic.say();
      REQUIRE(eventually([&] { return traffic.is_all_heard(); }));
      if (::poll(&news, 1, 0) == 1) --more;
    }
    REQUIRE(::poll(&news, 1, 0) == 1);
    const std::uint16_t began = traffic.said();
    traffic.say_while([&] { return traffic.said() < began + 50; });
    REQUIRE(::kill(child, SIGKILL) == 0);
    traffic.say_while([&] { return ::waitpid(child, nullptr, WNOHANG) == 0; });
    killed_at_the_end.child = 0;  // its number may be another's from now on
    const std::uint16_t dead = traffic.said();
    traffic.say_while([&] { return traffic.said() < dead + 50; });
    // The next one takes over in the midst of it.
    auto next = std::async(std::launch::async, [&config] { return MediaRelay::create(config); });
    traffic.say_while(
        [&] { return next.wait_for(std::chrono::seconds(0)) != std::future_status::ready; });
    auto relay = next.get();
    REQUIRE_MESSAGE(relay, relay.error().message);
    const std::uint16_t adopted = traffic.said();
    traffic.say_while([&] { return traffic.said() < adopted + 50; });
    CHECK(eventually([&] { return traffic.is_all_heard(); }));
    CHECK(relay->stats().sessions_adopted == calls);
    CHECK(relay->stats().streams_in_kernel == 2 * calls);
    for (std::size_t end = 0; end < 2 * calls; end += 2) {
      auto session = relay->adopt(traffic.port(end), traffic.port(end + 1));
      REQUIRE_MESSAGE(session, session.error().message);
      for (const MediaSide side : {MediaSide::caller, MediaSide::callee}) {
        CHECK(session->stats(side).packets_received == traffic.said());
        CHECK(session->stats(side).packets_lost == 0);
      }
    }
  }
}

// A relay that was killed when the kernel had the direction of the phone; the ports of its call.
static std::optional<std::array<SocketAddress, 2>> killed_relay(const MediaConfig& config,
                                                                Endpoint& phone,
                                                                Endpoint& carrier) {
  int to_test[2];
  REQUIRE(::pipe(to_test) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // whatever ends the test
    auto relay = MediaRelay::create(config);
    if (!relay) ::_exit(1);
    auto session = relay->open();
    (void)session->set_remote(MediaSide::callee, carrier.local());
    const std::uint16_t told[2] = {session->local_rtp(MediaSide::caller).port,
                                   session->local_rtp(MediaSide::callee).port};
    (void)!::write(to_test[1], told, sizeof told);
    while (relay->stats().streams_in_kernel < 1)
      std::this_thread::yield();
    (void)!::write(to_test[1], told, 1);
    ::pause();
  }
  ::close(to_test[1]);
  const UniqueFd told(to_test[0]);
  std::uint16_t ports[2] = {0, 0};
  if (::read(told.get(), ports, sizeof ports) != sizeof ports) {
    MESSAGE("not run: the relay was refused");
    ::waitpid(child, nullptr, 0);
    return std::nullopt;
  }
  for (std::uint16_t i = 0; i < 3; ++i) {
    phone.send({config.address, ports[0]}, rtp_packet(i, i, phone_ssrc));
    CHECK(carrier.receive() == rtp_packet(i, i, phone_ssrc));
  }
  char byte = 0;
  REQUIRE(::read(told.get(), &byte, 1) == 1);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  return std::array<SocketAddress, 2>{SocketAddress{config.address, ports[0]},
                                      SocketAddress{config.address, ports[1]}};
}

TEST_CASE("kernel relay: what nobody takes over passes what it did, until a side is silent") {
  if (checked_build::has_thread_sanitizer) return;  // it follows no fork
  const Networks networks;
  if (!networks.is_here()) return;
  MediaConfig config = config_of(ways[1]);
  config.kernel.adopted_silence_ms = 1000;
  const auto phone = networks.endpoint("192.0.2.7"), carrier = networks.endpoint("192.0.2.9");
  const auto ports = killed_relay(config, *phone, *carrier);
  if (!ports) return;
  auto relay = MediaRelay::create(config);
  REQUIRE_MESSAGE(relay, relay.error().message);
  CHECK(relay->stats().sessions_unclaimed == 1);
  // Nobody says any more whether the carrier was blocked.
  carrier->send(ports->back(), rtp_packet(1, 1, carrier_ssrc));
  CHECK(eventually([&] { return relay->stats().packets_discarded == 1; }));
  CHECK_FALSE(phone->has_datagram());
  // Nor may another host go on with the stream of the phone.
  const auto stranger = networks.endpoint("192.0.2.66");
  stranger->send(ports->front(), rtp_packet(3, 3, phone_ssrc));
  CHECK(eventually([&] { return relay->stats().packets_refused == 1; }));
  CHECK_FALSE(carrier->has_datagram());
  CHECK(relay->stats().streams_in_kernel == 1);
  const auto began = std::chrono::steady_clock::now();
  for (std::uint16_t i = 3; relay->stats().sessions_unclaimed == 1 &&
                            std::chrono::steady_clock::now() - began < std::chrono::seconds(10);
       ++i) {
    phone->send(ports->front(), rtp_packet(i, i, phone_ssrc));  // who would not stop by himself
    (void)relay->take_events(1, 100'000);
  }
  CHECK(relay->stats().sessions_unclaimed == 0);
  CHECK(relay->stats().streams_in_kernel == 0);
  CHECK(relay->stats().sessions == 0);
}

TEST_CASE("kernel relay: another backend on the same ports ends what was left in the kernel") {
  if (checked_build::has_thread_sanitizer) return;  // it follows no fork
  const Networks networks;
  if (!networks.is_here()) return;
  // So that one direction is enough.
  REQUIRE(NetworkPair::run("echo 1 > /proc/sys/net/ipv4/conf/tr0/forwarding"));
  const MediaConfig config = config_of(ways[1]);
  const auto phone = networks.endpoint("192.0.2.7"), carrier = networks.endpoint("192.0.2.9");
  const auto ports = killed_relay(config, *phone, *carrier);
  if (!ports) return;
  MediaConfig other = config;
  other.backend = MediaBackend::portable;
  other.port_first = 31000;
  other.port_last = 31063;
  CHECK(MediaRelay::create(other).ok());
  phone->send(ports->front(), rtp_packet(3, 3, phone_ssrc));
  CHECK(carrier->receive() == rtp_packet(3, 3, phone_ssrc));
  other.port_first = static_cast<std::uint16_t>(config.port_last - 3);
  auto relay = MediaRelay::create(other);
  REQUIRE(relay);
  CHECK(::access(folder().c_str(), F_OK) != 0);
  phone->send(ports->front(), rtp_packet(4, 4, phone_ssrc));
  CHECK_FALSE(carrier->has_datagram());
}

TEST_CASE("kernel relay: what a former process left is at the interface that has the name now") {
  if (checked_build::has_thread_sanitizer) return;  // it follows no fork
  const Networks networks;
  if (!networks.is_here()) return;
  MediaConfig config = config_of(ways[2]);
  config.address6 = {};  // which does not outlive that its interface is down
  const auto phone = networks.endpoint("192.0.2.7"), carrier = networks.endpoint("192.0.2.9");
  if (!killed_relay(config, *phone, *carrier)) return;
  REQUIRE(NetworkPair::run("ip link set tr0 down"));
  REQUIRE(NetworkPair::run("ip link set tr0 name tr1"));
  REQUIRE(NetworkPair::run("ip link set tr1 up"));
  REQUIRE(NetworkPair::run("ip link add tr0 type veth peer name tq0"));
  auto relay = MediaRelay::create(config);
  REQUIRE_MESSAGE(relay, relay.error().message);
  CHECK(NetworkPair::run("ip link show dev tr0 | grep -q xdp"));
  CHECK_FALSE(NetworkPair::run("ip link show dev tr1 | grep -q xdp"));
}

TEST_CASE("kernel relay: of the folder, only what is its own goes with it") {
  const Networks networks;
  if (!networks.is_here()) return;
  const std::string other = folder() + "/other";
  const auto map = bpf::create_array("other", 8, 1);
  if (!map || ::mkdir(folder().c_str(), 0700) != 0 || !bpf::pin(map->get(), other)) {
    MESSAGE("not run: needs a bpf file system");
    return;
  }
  {
    auto relay = MediaRelay::create(config_of(ways[1]));
    REQUIRE_MESSAGE(relay, relay.error().message);
  }
  CHECK(::unlink(other.c_str()) == 0);
  CHECK(::rmdir(folder().c_str()) == 0);  // there is nothing else
}

TEST_CASE("kernel relay: interfaces of several kinds are served by what all of them have") {
  const Networks networks;
  if (!networks.is_here()) return;
  MediaConfig config = config_of({"", MediaBackend::kernel, MediaAttach::automatic});
  config.kernel.interfaces = {"tr0", "lo"};  // the second has no XDP of its own
  auto relay = MediaRelay::create(config);
  if (!relay && relay.error().code == ErrorCode::unsupported) {
    MESSAGE("not run: " << relay.error().message);
    return;
  }
  REQUIRE_MESSAGE(relay, relay.error().message);
  CHECK(relay->backends().front().detail.find("xdp generic on tr0, lo") == 0);
}

TEST_CASE("kernel relay: a backend that cannot be used says why") {
  MediaConfig config;
  config.address = *IpAddress::parse("127.0.0.1");
  config.port_first = 30100;
  config.port_last = 30131;
  config.ready_pairs = 2;
  config.nice = 0;
  config.backend = MediaBackend::kernel;
  auto relay = MediaRelay::create(config);
  REQUIRE_FALSE(relay);
  CHECK(relay.error().code == ErrorCode::unsupported);
  config.kernel.interfaces = {"no-such-0"};
  config.backend = MediaBackend::automatic;
  relay = MediaRelay::create(config);
  REQUIRE(relay);
  const auto states = relay->backends();
  REQUIRE(states.size() == 3);
  CHECK(states.front().backend == MediaBackend::kernel);
  CHECK_FALSE(states.front().is_usable);
  CHECK(states.front().detail.find("no-such-0") != std::string::npos);
  CHECK(states.back().backend == MediaBackend::portable);
  CHECK(states.back().is_running);
  CHECK(states.back().detail == "epoll, 1 thread");
  CHECK_FALSE(relay->adopt({config.address, 30100}, {config.address, 30102}));
}
