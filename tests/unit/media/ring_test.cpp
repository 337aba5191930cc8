// io_uring as the relay uses it, on sockets of loopback.
#include <doctest/doctest.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <optional>
#include <string>

#include "media/fast/fast.hpp"
#include "media/fast/ring.hpp"
#include "media/system_socket.hpp"
#include "tandem/clock.hpp"
#include "unit/media/endpoint.hpp"

using namespace tandem;
using namespace tandem::media;

namespace {

constexpr std::size_t room_bytes = sizeof(io_uring_recvmsg_out) + sizeof(SystemAddress);

bool can_run() {
  const std::optional<std::string> reason = why_not_uring();
  if (reason) std::printf("not run: tests of io_uring: %s\n", reason->c_str());
  return !reason;
}

// A ring of few buffers, and a port at which it listens.
struct Listener {
  Ring ring;
  UniqueFd socket;
  SocketAddress local;
  msghdr shape{};

  explicit Listener(unsigned buffers) {
    Ring::Sizes sizes;
    sizes.submissions = 4;
    sizes.completions = 64;
    sizes.buffers = buffers;
    sizes.buffer_bytes = room_bytes + 64;
    const Result<void> created = ring.create(sizes);
    REQUIRE_MESSAGE(created.ok(), (created ? "" : created.error().message));
    REQUIRE(ring.enable());
    local = {IpAddress::ipv4(127, 0, 0, 1), 0};
    SystemAddress system;
    local.port = 1;
    socklen_t length = to_system(pack(local), system);
    system.v4.sin_port = 0;
    socket = UniqueFd(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    REQUIRE(::bind(socket.get(), &system.any, length) == 0);
    ::getsockname(socket.get(), &system.any, &length);
    local = unpack(from_system(system));
    shape.msg_namelen = sizeof(SystemAddress);
  }

  // The next completion of what was received; false: none within a second.
  struct Arrival {
    std::uint64_t tag = 0;
    int result = 0;
    bool is_armed = false;
    bool has_buffer = false;
    unsigned buffer = 0;
    std::string bytes;
    SocketAddress from;
  };
  bool take(Arrival& out) {
    if (ring.ready() == 0) ring.wait(1, 0, 1'000'000);
    if (ring.ready() == 0) return false;
    const io_uring_cqe& completion = ring.completion(0);
    out = {};
    out.tag = completion.user_data;
    out.result = completion.res;
    out.is_armed = (completion.flags & IORING_CQE_F_MORE) != 0;
    out.has_buffer = (completion.flags & IORING_CQE_F_BUFFER) != 0;
    if (out.has_buffer) {
      out.buffer = completion.flags >> IORING_CQE_BUFFER_SHIFT;
      const char* const at = ring.buffer(out.buffer);
      SystemAddress from;
      std::memcpy(&from, at + sizeof(io_uring_recvmsg_out), sizeof from);
      out.from = unpack(from_system(from));
      out.bytes.assign(at + room_bytes, static_cast<std::size_t>(completion.res) - room_bytes);
    }
    ring.forget_completions(1);
    return true;
  }
};

}  // namespace

TEST_CASE("Ring: datagrams come one after the other with their source, whatever file is used") {
  if (!can_run()) return;
  Listener listener(4);
  SUBCASE("by its number in the table") { CHECK(listener.ring.add_file(listener.socket.get())); }
  SUBCASE("by its number in the process") {}
  listener.ring.receive(listener.socket.get(), listener.shape, 7);
  listener.ring.submit();
  Endpoint phone;
  for (int i = 0; i < 20; ++i) {  // more than there are buffers
    phone.send(listener.local, "packet " + std::to_string(i));
    Listener::Arrival arrival;
    REQUIRE(listener.take(arrival));
    CHECK(arrival.tag == 7);
    CHECK(arrival.is_armed);
    CHECK(arrival.bytes == "packet " + std::to_string(i));
    CHECK(arrival.from == phone.local());
    listener.ring.give_back(arrival.buffer);
  }
}

TEST_CASE("Ring: when all buffers are taken receiving ends, and goes on when it is asked to") {
  if (!can_run()) return;
  Listener listener(2);
  listener.ring.receive(listener.socket.get(), listener.shape, 1);
  listener.ring.submit();
  Endpoint phone;
  for (int i = 0; i < 4; ++i)
    phone.send(listener.local, std::to_string(i));
  Listener::Arrival arrivals[3];
  for (Listener::Arrival& arrival : arrivals)
    REQUIRE(listener.take(arrival));
  CHECK(arrivals[0].bytes == "0");
  CHECK(arrivals[1].bytes == "1");
  CHECK(arrivals[2].result == -ENOBUFS);
  CHECK_FALSE(arrivals[2].is_armed);
  listener.ring.give_back(arrivals[0].buffer);
  listener.ring.give_back(arrivals[1].buffer);
  listener.ring.receive(listener.socket.get(), listener.shape, 2);
  Listener::Arrival next;
  REQUIRE(listener.take(next));
  CHECK(next.tag == 2);
  CHECK(next.bytes == "2");
}

TEST_CASE("Ring: what is sent leaves with submit(), and only failures are told") {
  if (!can_run()) return;
  Listener listener(2);
  Endpoint phone;
  SystemAddress to;
  const socklen_t length = to_system(pack(phone.local()), to);
  const std::string bytes[] = {"a", "b", "c", "d", "e", "f"};  // more than the ring has room for
  for (const std::string& one : bytes)
    listener.ring.send(listener.socket.get(), one.data(), one.size(), &to.any, length, 3);
  listener.ring.submit();
  CHECK(listener.ring.ready() == 0);
  for (const std::string& one : bytes)
    CHECK(phone.receive() == one);
  const std::string too_long(70'000, 'x');
  listener.ring.send(listener.socket.get(), too_long.data(), too_long.size(), &to.any, length, 4);
  listener.ring.submit();
  REQUIRE(listener.ring.ready() == 1);
  CHECK(listener.ring.completion(0).user_data == 4);
  CHECK(listener.ring.completion(0).res == -EMSGSIZE);
}

TEST_CASE("Ring: a wait has a least time, after which one packet is enough") {
  if (!can_run()) return;
  Listener listener(4);
  listener.ring.receive(listener.socket.get(), listener.shape, 1);
  listener.ring.submit();
  Endpoint phone;
  phone.send(listener.local, "one");
  const SystemClock clock;
  const std::int64_t began_us = clock.monotonic_us();
  listener.ring.wait(100, 20'000, 5'000'000);
  const std::int64_t waited_us = clock.monotonic_us() - began_us;
  CHECK(listener.ring.ready() == 1);
  CHECK(waited_us >= 19'000);
  CHECK(waited_us < 4'000'000);
}

TEST_CASE("Ring: what is cancelled lets go of its port, and closing lets go of all") {
  if (!can_run()) return;
  auto listener = std::make_unique<Listener>(4);
  CHECK(listener->ring.add_file(listener->socket.get()));
  listener->ring.receive(listener->socket.get(), listener->shape, 1);
  listener->ring.submit();
  const SocketAddress address = listener->local;
  SUBCASE("cancelled") {
    listener->ring.cancel(1, 2);
    listener->ring.submit();
    listener->ring.remove_file(listener->socket.get());
    listener->socket = UniqueFd();
    Listener::Arrival end;
    REQUIRE(listener->take(end));
    CHECK(end.tag == 1);
    CHECK(end.result == -ECANCELED);
  }
  SUBCASE("closed") {
    listener->ring.close();
    listener->socket = UniqueFd();
  }
  CHECK_NOTHROW(Endpoint("127.0.0.1", address.port));
}
