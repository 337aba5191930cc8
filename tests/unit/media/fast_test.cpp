// What the fast backend has beyond the others: its headers, its ports without sockets, its choice.
#include <doctest/doctest.h>
#include <sys/resource.h>

#include <chrono>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "media/fast/udp_headers.hpp"
#include "media/srtp_side.hpp"
#include "media/system_socket.hpp"
#include "unit/media/backends.hpp"
#include "unit/media/endpoint.hpp"
#include "unit/media/rtp_packet.hpp"

using namespace tandem;
using namespace tandem::media;

namespace {

constexpr MediaSide caller = MediaSide::caller;
constexpr MediaSide callee = MediaSide::callee;

MediaConfig steered_config() {
  MediaConfig config;
  config.address = IpAddress::ipv4(127, 0, 0, 1);
  config.port_first = static_cast<std::uint16_t>(30'000 + ::getpid() % 25 * 96);
  config.port_last = static_cast<std::uint16_t>(config.port_first + 95);
  config.ready_pairs = 16;
  return config;
}

// The sum of RFC 1071 as that says it, two bytes at a time.
std::uint32_t plain_sum(const unsigned char* bytes, std::size_t size) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < size; ++i)
    sum += i % 2 == 0 ? bytes[i] * 256U : bytes[i];
  while (sum > 0xFFFF)
    sum = (sum & 0xFFFF) + (sum >> 16);
  return sum;
}

}  // namespace

TEST_CASE("Fast media: headers have the sums that a receiver checks (RFC 768, RFC 8200)") {
  for (const char* ip : {"192.0.2.1", "2001:db8::1"}) {
    for (std::size_t size = 0; size < 70; ++size) {
      const PackedAddress from = pack({*IpAddress::parse(ip), 10'000});
      const PackedAddress to = pack({*IpAddress::parse(ip), 40'001});
      std::string payload;
      for (std::size_t i = 0; i < size; ++i)
        payload += static_cast<char>(i * 37 + size);
      unsigned char room[udp_headers_max];
      const std::size_t length = write_udp_headers(from, to, 0xb8, payload, room);
      const bool is_ipv4 = from.family == IpAddress::Family::ipv4;
      REQUIRE(length == (is_ipv4 ? 28 : 48));
      if (is_ipv4) CHECK(plain_sum(room, 20) == 0xFFFF);
      CHECK((is_ipv4 ? room[1] : (room[0] << 4 & 0xFF) | room[1] >> 4) == 0xb8);
      std::string all(reinterpret_cast<char*>(room) + (is_ipv4 ? 12 : 8), is_ipv4 ? 8 : 32);
      all += std::string({0, 17, static_cast<char>((8 + size) >> 8), static_cast<char>(8 + size)});
      all.append(reinterpret_cast<char*>(room) + length - 8, 8);
      all += payload;
      CHECK(plain_sum(reinterpret_cast<const unsigned char*>(all.data()), all.size()) == 0xFFFF);
    }
  }
}

TEST_CASE("Fast media: a sum of zero is written as 0xFFFF, since zero says that there is none") {
  const PackedAddress from = pack({IpAddress::ipv4(192, 0, 2, 1), 10'000});
  unsigned char room[udp_headers_max];
  std::string payload(2, '\0');
  (void)write_udp_headers(from, from, 0, payload, room);
  std::memcpy(payload.data(), room + 26, 2);  // takes the sum to zero
  (void)write_udp_headers(from, from, 0, payload, room);
  CHECK(room[26] == 0xFF);
  CHECK(room[27] == 0xFF);
}

TEST_CASE("Fast media: the faster kind runs, and the state says which one or why not") {
  MediaConfig config = steered_config();
  config.backend = MediaBackend::fast;
  const std::optional<std::string> why_not = why_not_fast(config);
  auto relay = MediaRelay::create(config);
  REQUIRE(relay.ok() == !why_not);
  if (!relay) {
    CHECK(relay.error().code == ErrorCode::unsupported);
    CHECK(relay.error().message.find(*why_not) != std::string::npos);
    return;
  }
  const bool is_steered = !why_not_steered();
  for (const MediaBackendState& state : relay->backends()) {
    CHECK(state.is_running == (state.backend == MediaBackend::fast));
    if (!state.is_running) continue;
    CHECK(state.detail.find(is_steered ? "sk_lookup" : "io_uring") == 0);
    if (!is_steered) CHECK(state.detail.find(*why_not_steered()) != std::string::npos);
  }
}

TEST_CASE("Fast media: calls by sk_lookup need no files of their own") {
  if (!is_usable<Steered>()) return;
  auto relay = create<Steered>(steered_config());
  REQUIRE(relay);
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  rlimit none = before;
  std::vector<MediaSession> sessions;
  none.rlim_cur = 0;  // of those that are open already, all stay
  ::setrlimit(RLIMIT_NOFILE, &none);
  for (int i = 0; i < 8; ++i) {
    auto session = relay->open();
    if (session) sessions.push_back(std::move(*session));
  }
  ::setrlimit(RLIMIT_NOFILE, &before);
  CHECK(sessions.size() == 8);
}

TEST_CASE("Fast media: a port that is not ready is still the system's") {
  if (!is_usable<Steered>()) return;
  MediaConfig config = steered_config();
  config.ready_pairs = 2;
  auto relay = create<Steered>(config);
  REQUIRE(relay);
  Endpoint other("127.0.0.1", static_cast<std::uint16_t>(config.port_last));
  Endpoint phone;
  phone.send(other.local(), "hello");
  CHECK(other.receive() == "hello");
}

TEST_CASE("Fast media: a flood on one port takes no room of the calls of others") {
  if (!is_usable<Steered>()) return;
  MediaConfig config = steered_config();
  auto relay = create<Steered>(config);
  REQUIRE(relay);
  auto flooded = relay->open();
  auto session = relay->open();
  REQUIRE(flooded);
  REQUIRE(session);
  Endpoint a, b, stranger;
  REQUIRE(session->set_remote(caller, a.local()));
  REQUIRE(session->set_remote(callee, b.local()));
  std::uint64_t sent = 0;
  std::uint16_t next = 0;
  for (; next < 30 || (next < 3000 && relay->stats().packets_overflowed == 0); ++next) {
    for (int burst = 0; burst < 100; ++burst, ++sent)
      stranger.send(flooded->local_rtp(caller), "noise");
    const std::string packet = rtp_packet(next, next * 160U, 0xA);
    a.send(session->local_rtp(caller), packet);
    REQUIRE(b.receive() == packet);
  }
  CHECK(session->stats(caller).packets_received == next);
  CHECK(session->stats(caller).packets_lost == 0);
  CHECK(relay->stats().packets_overflowed > 0);
  // Every packet of the flood was either looked at or found no room; the last ones tell with the
  // next packet.
  for (int i = 0; i < 1000; ++i, ++next) {
    const MediaRelayStats stats = relay->stats();
    if (stats.packets_malformed + stats.packets_overflowed == sent) break;
    stranger.send(flooded->local_rtp(caller), "noise");
    ++sent;
    const std::string packet = rtp_packet(next, next * 160U, 0xA);
    a.send(session->local_rtp(caller), packet);
    REQUIRE(b.receive() == packet);
  }
  const MediaRelayStats stats = relay->stats();
  CHECK(stats.packets_malformed + stats.packets_overflowed == sent);
}

TEST_CASE("Fast media: packets with wrong sums take no port away from its call") {
  if (!is_usable<Steered>()) return;
  auto relay = create<Steered>(steered_config());
  REQUIRE(relay);
  auto session = relay->open();
  REQUIRE(session);
  Endpoint a, b;
  REQUIRE(session->set_remote(callee, b.local()));
  const UniqueFd raw(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
  REQUIRE(raw.is_open());
  const SocketAddress to = session->local_rtp(caller);
  const std::string payload(200, 'x');  // of a short one the sum is looked at before the program
  std::string bad(udp_headers_max, '\0');
  bad.resize(write_udp_headers(pack(a.local()), pack(to), 0, payload,
                               reinterpret_cast<unsigned char*>(bad.data())));
  bad += payload;
  bad.back() = 'y';
  PackedAddress packed = pack(to);
  packed.port = 0;
  SystemAddress host;
  const socklen_t length = to_system(packed, host);
  for (int i = 0; i < 40; ++i)
    REQUIRE(::sendto(raw.get(), bad.data(), bad.size(), 0, &host.any, length) > 0);
  // They are known to be lost at the next look around.
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  for (std::uint16_t i = 0; !b.has_datagram() && std::chrono::steady_clock::now() < until; ++i) {
    a.send(to, rtp_packet(i, i * 160U, 0xA));
    std::this_thread::yield();
  }
  CHECK(b.has_datagram());
}

TEST_CASE_TEMPLATE("Fast media: a datagram longer than a packet may be arrives whole", Backend,
                   TANDEM_RELAY_BACKENDS) {
  if (!is_usable<Backend>()) return;
  MediaConfig config = steered_config();
  config.receive_buffer_bytes = 1 << 20;
  auto relay = create<Backend>(config);
  REQUIRE(relay);
  auto session = relay->open();
  REQUIRE(session);
  Endpoint a, b;
  REQUIRE(session->set_remote(caller, a.local()));
  REQUIRE(session->set_remote(callee, b.local()));
  for (const std::size_t payload_bytes : {1400U, 9000U, 65'000U}) {
    CAPTURE(payload_bytes);
    const std::string packet = rtp_packet(1, 160, 0xA, payload_bytes);
    a.send(session->local_rtp(caller), packet);
    CHECK(b.receive() == packet);
  }
}

TEST_CASE_TEMPLATE("Fast media: a relay that was closed leaves its many ports to the next at once",
                   Backend, TANDEM_RELAY_BACKENDS) {
  if (!is_usable<Backend>()) return;
  MediaConfig config = steered_config();
  // Where nobody else has so many ports, and below those that the system gives to others.
  config.address = IpAddress::ipv4(127, 77, static_cast<std::uint8_t>(::getpid() >> 8),
                                   static_cast<std::uint8_t>(::getpid()));
  config.port_first = 30'000;
  config.port_last = static_cast<std::uint16_t>(config.port_first + 1999);
  config.ready_pairs = 1000;
  for (int i = 0; i < 2; ++i) {
    auto relay = create<Backend>(config);
    REQUIRE(relay);
    // Packets show that the shard listens to its ports.
    auto session = relay->open();
    REQUIRE(session);
    Endpoint a, b;
    REQUIRE(session->set_remote(callee, b.local()));
    const std::string packet = rtp_packet(1, 160, 0xA);
    a.send(session->local_rtp(caller), packet);
    REQUIRE(b.receive() == packet);
    CHECK(relay->stats().port_pairs_bound == 1000);
    CHECK(relay->stats().ports_busy == 0);
  }
}

TEST_CASE_TEMPLATE("Fast media: packets that came together are encrypted each for itself (SRTP)",
                   Backend, TANDEM_RELAY_BACKENDS) {
  if (!is_usable<Backend>()) return;
  auto relay = create<Backend>(steered_config());
  REQUIRE(relay);
  auto session = relay->open();
  REQUIRE(session);
  Endpoint a, b;
  REQUIRE(session->set_remote(caller, a.local()));
  REQUIRE(session->set_remote(callee, b.local()));
  MediaCrypto crypto;
  crypto.receive.suite = crypto.send.suite = SrtpSuite::aes_cm_128_hmac_sha1_80;
  crypto.receive.key.assign(srtp_key_bytes(crypto.receive.suite), 'r');
  crypto.send.key.assign(srtp_key_bytes(crypto.send.suite), 's');
  REQUIRE(session->set_crypto(callee, crypto));
  auto other_end = SrtpSide::create({crypto.send, crypto.receive}, nullptr);
  REQUIRE(other_end);
  for (std::uint16_t first = 0; first < 80; first += 8) {
    for (std::uint16_t i = first; i < first + 8; ++i)
      a.send(session->local_rtp(caller), rtp_packet(i, i * 160U, 0xA));
    for (std::uint16_t i = first; i < first + 8; ++i) {
      const std::string sealed = b.receive();
      CHECK(sealed != rtp_packet(i, i * 160U, 0xA));
      std::string_view bytes = sealed;
      REQUIRE((*other_end)->open_rtp(bytes) == SrtpVerdict::authentic);
      CHECK(bytes == rtp_packet(i, i * 160U, 0xA));
    }
  }
}
