// The relay with and without the kernel's help, between two network namespaces that the test makes:
// the relay in one, phone and carrier in the other, a pair of virtual interfaces between them.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <future>
#include <optional>
#include <thread>

#include "media/backend.hpp"
#include "media/kernel/bpf.hpp"
#include "media/unique_fd.hpp"
#include "support/bpf_folder.hpp"
#include "support/sanitizers.hpp"
#include "tandem/media_relay.hpp"
#include "unit/media/endpoint.hpp"
#include "unit/media/rtp_packet.hpp"

using namespace tandem;
using namespace tandem::media;

namespace {

constexpr std::uint32_t phone_ssrc = 0x11111111, carrier_ssrc = 0x22222222;

bool run(const std::string& command) {
  return std::system((command + " 2>/dev/null").c_str()) == 0;
}

// The two networks, as long as it lives. The thread that makes it is in that of the relay.
class Networks {
 public:
  Networks() : outside_(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)) {
    if (::geteuid() != 0) {
      why_not_ = "needs root";
      return;
    }
    if (!run("command -v ip >/dev/null")) {
      why_not_ = "needs ip (iproute2)";
      return;
    }
    test::have_bpf_file_system();
    std::promise<long> far_thread;
    auto thread_number = far_thread.get_future();
    far_ = std::thread([this, &far_thread] {
      const bool is_alone = ::unshare(CLONE_NEWNET) == 0;
      if (is_alone) far_net_ = UniqueFd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
      far_thread.set_value(is_alone ? ::syscall(SYS_gettid) : -1);
      end_.get_future().wait();
    });
    const long far = thread_number.get();
    if (far < 0 || ::unshare(CLONE_NEWNET) != 0) {
      why_not_ = "needs network namespaces";
      return;
    }
    const bool is_made = run("ip link add tr0 type veth peer name tp0") &&
                         run("ip link set tp0 netns " + std::to_string(far)) &&
                         run("ip link set lo up") && run("ip addr add 192.0.2.1/24 dev tr0") &&
                         run("ip -6 addr add 2001:db8::1/64 dev tr0 nodad") &&
                         run("ip link set tr0 up");
    bool is_far_made = false;
    in_far([&] {
      is_far_made = run("ip link set lo up");
      for (const char* const host : {"7", "9", "66"})
        is_far_made = is_far_made &&
                      run(std::string("ip addr add 192.0.2.") + host + "/24 dev tp0") &&
                      run(std::string("ip -6 addr add 2001:db8::") + host + "/64 dev tp0 nodad");
      is_far_made = is_far_made && run("ip link set tp0 up");
      // XDP sees a packet as it lies in memory, where a virtual interface leaves its checksum out.
      ifreq ask{};
      ethtool_value off{ETHTOOL_STXCSUM, 0};
      std::strcpy(ask.ifr_name, "tp0");
      ask.ifr_data = reinterpret_cast<char*>(&off);
      const UniqueFd asker(::socket(AF_INET, SOCK_DGRAM, 0));
      is_far_made = is_far_made && ::ioctl(asker.get(), SIOCETHTOOL, &ask) == 0;
      // What XDP sends back by a virtual interface is heard only where the far end has XDP too.
      auto pass = bpf::load("pass_xdp", bpf::Hook::xdp_native, {});
      if (!pass) return;
      auto link = bpf::attach(pass->get(), ::if_nametoindex("tp0"), bpf::Hook::xdp_native);
      if (link) far_program_ = std::move(*link);
    });
    if (!is_made || !is_far_made) why_not_ = "needs virtual interfaces (veth)";
  }
  ~Networks() {
    far_program_ = UniqueFd();
    end_.set_value();
    if (far_.joinable()) far_.join();
    (void)!::setns(outside_.get(), CLONE_NEWNET);
  }
  Networks(const Networks&) = delete;
  Networks& operator=(const Networks&) = delete;

  void in_far(const std::function<void()>& act) const {
    const UniqueFd here(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
    REQUIRE(::setns(far_net_.get(), CLONE_NEWNET) == 0);
    act();
    REQUIRE(::setns(here.get(), CLONE_NEWNET) == 0);
  }
  [[nodiscard]] std::unique_ptr<Endpoint> endpoint(const std::string& ip,
                                                   std::uint16_t port = 0) const {
    std::unique_ptr<Endpoint> made;
    in_far([&] { made = std::make_unique<Endpoint>(ip.c_str(), port); });
    return made;
  }
  [[nodiscard]] bool is_here() const {
    if (why_not_.empty()) return true;
    MESSAGE("not run: " << why_not_);
    return false;
  }

 private:
  UniqueFd outside_, far_net_, far_program_;
  std::thread far_;
  std::promise<void> end_;
  std::string why_not_;
};

// The sockets' path runs on a thread of its own.
bool eventually(const std::function<bool()>& holds) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!holds()) {
    if (std::chrono::steady_clock::now() > until) return false;
    std::this_thread::yield();
  }
  return true;
}

std::string folder() { return "/sys/fs/bpf/tandem-test-" + std::to_string(::getpid()); }

struct Way {
  const char* name;
  MediaBackend backend;
  MediaAttach attach;
};
constexpr Way ways[] = {
    {"portable", MediaBackend::portable, MediaAttach::automatic},
    {"tc", MediaBackend::kernel, MediaAttach::tc},
    {"xdp generic", MediaBackend::kernel, MediaAttach::xdp_generic},
    {"xdp native", MediaBackend::kernel, MediaAttach::xdp_native},
};

MediaConfig config_of(const Way& way) {
  MediaConfig config;
  config.address = IpAddress::ipv4(192, 0, 2, 1);
  config.address6 = *IpAddress::parse("2001:db8::1");
  config.port_first = 30000;
  config.port_last = 30063;
  config.ready_pairs = 4;
  config.nice = 0;
  config.rest_ms = 0;
  config.tos = 0xB8;
  config.events_max = 64;
  config.backend = way.backend;
  config.kernel.attach = way.attach;
  config.kernel.interfaces = {"tr0"};
  config.kernel.folder = folder();
  config.kernel.packets_per_s_max = 0;  // both sides send as fast as they are answered
  return config;
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

void on_each(const std::function<void(const Networks&, MediaRelay&, bool is_kernel)>& test) {
  for (const Way& way : ways) {
    CAPTURE(std::string(way.name));
    const Networks networks;
    if (!networks.is_here()) return;
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
    if (!run("echo 1 > /proc/sys/net/ipv4/conf/tr0/forwarding")) return;
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

// A relay that was killed when the kernel had the direction of the phone; the ports of its call.
static std::optional<std::array<SocketAddress, 2>> killed_relay(const MediaConfig& config,
                                                                Endpoint& phone,
                                                                Endpoint& carrier) {
  int to_test[2];
  REQUIRE(::pipe(to_test) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
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
  REQUIRE(run("echo 1 > /proc/sys/net/ipv4/conf/tr0/forwarding"));
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
  REQUIRE(run("ip link set tr0 down"));
  REQUIRE(run("ip link set tr0 name tr1"));
  REQUIRE(run("ip link set tr1 up"));
  REQUIRE(run("ip link add tr0 type veth peer name tq0"));
  auto relay = MediaRelay::create(config);
  REQUIRE_MESSAGE(relay, relay.error().message);
  CHECK(run("ip link show dev tr0 | grep -q xdp"));
  CHECK_FALSE(run("ip link show dev tr1 | grep -q xdp"));
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
