// Sending by Ethernet frames, between two network namespaces that the test makes.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>

#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "media/fast/raw_sender.hpp"
#include "tandem/clock.hpp"
#include "unit/media/backends.hpp"
#include "unit/media/endpoint.hpp"
#include "unit/media/rtp_packet.hpp"

using namespace tandem;
using namespace tandem::media;

namespace {

constexpr MediaSide caller = MediaSide::caller;
constexpr MediaSide callee = MediaSide::callee;
constexpr const char* near_ip[] = {"10.77.0.1", "fd77::1"};
constexpr const char* far_ip[] = {"10.77.0.2", "fd77::2"};

// A machine next door: a namespace of its own at the other end of a cable, and the thread that
// lives there. The thread that makes one lives in a new namespace itself from then on.
class Neighbour {
 public:
  Neighbour() {
    thread_ = std::thread([this] { live(); });
    std::unique_lock lock(mutex_);
    told_.wait(lock, [this] { return is_born_; });
    lock.unlock();
    if (far_ < 0 || ::unshare(CLONE_NEWNET) != 0) return;
    near_ = ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    is_there_ = run("ip link set lo up && ip link add m0 type veth peer name m1 netns " +
                    std::to_string(thread_id_) +
                    " && ip addr add 10.77.0.1/24 dev m0 && ip addr add fd77::1/64 dev m0 nodad && "
                    "ip link set m0 up");
    there([this] {
      is_there_ = run("ip addr add 10.77.0.2/24 dev m1 && ip addr add fd77::2/64 dev m1 nodad && "
                      "ip link set m1 up") &&
                  is_there_;
    });
  }
  ~Neighbour() {
    {
      const std::lock_guard lock(mutex_);
      is_over_ = true;
    }
    told_.notify_all();
    thread_.join();
    if (near_ >= 0) ::close(near_);
    if (far_ >= 0) ::close(far_);
  }
  Neighbour(const Neighbour&) = delete;
  Neighbour& operator=(const Neighbour&) = delete;

  [[nodiscard]] bool is_there() const { return is_there_; }
  template <class Do>
  void there(Do&& act) {
    REQUIRE(::setns(far_, CLONE_NEWNET) == 0);
    act();
    REQUIRE(::setns(near_, CLONE_NEWNET) == 0);
  }
  std::unique_ptr<Endpoint> phone(int family) {
    std::unique_ptr<Endpoint> made;
    there([&] { made = std::make_unique<Endpoint>(far_ip[family]); });
    return made;
  }

 private:
  static bool run(const std::string& commands) {
    return std::system(("(" + commands + ") 2>/dev/null").c_str()) == 0;
  }
  void live() {
    std::unique_lock lock(mutex_);
    if (::unshare(CLONE_NEWNET) == 0)
      far_ = ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    thread_id_ = ::syscall(SYS_gettid);
    is_born_ = true;
    told_.notify_all();
    told_.wait(lock, [this] { return is_over_; });
  }

  std::mutex mutex_;
  std::condition_variable told_;
  bool is_born_ = false, is_over_ = false, is_there_ = false;
  long thread_id_ = 0;
  int near_ = -1, far_ = -1;
  std::thread thread_;
};

// Runs `test` on a thread whose network namespace may be changed.
template <class Test>
void with_neighbour(Test&& test) {
  std::thread([&] {
    Neighbour neighbour;
    if (!neighbour.is_there()) {
      std::printf(
          "not run: tests of Ethernet frames: network namespaces (CAP_SYS_ADMIN) or veth "
          "of iproute2 are missing\n");
      return;
    }
    try {
      test(neighbour);
    } catch (...) {  // of REQUIRE, which has said what it found
    }
  }).join();
}

struct Outcomes final : RawSender::Outcome {
  void on_sent(const Onward&, bool is_sent) noexcept override { ++(is_sent ? sent : failed); }
  int sent = 0, failed = 0;
};

}  // namespace

TEST_CASE("Ethernet: a neighbour that is known gets frames, whatever comes before goes as it may") {
  if (!is_usable<Steered>()) return;
  with_neighbour([](Neighbour& neighbour) {
    for (int family = 0; family < 2; ++family) {
      CAPTURE(family);
      auto phone = neighbour.phone(family);
      RawSender sender;
      REQUIRE(sender.create(*IpAddress::parse(near_ip[0]), *IpAddress::parse(near_ip[1]), 0xb8));
      const PackedAddress from = pack({*IpAddress::parse(near_ip[family]), 20'000});
      Outcomes outcomes;
      Onward onward;
      onward.to = pack(phone->local());
      std::int64_t now_us = 1;
      const auto deliver = [&](const std::string& bytes) {
        onward.bytes = bytes;
        sender.add(onward, from, true, now_us, outcomes);
        sender.flush(outcomes);
        REQUIRE(phone->receive() == bytes);
      };
      deliver("first");  // nobody knew the neighbour
      CHECK(sender.sent_as_frames() == 0);
      now_us += NextHops::neighbour_us;
      deliver("second");  // asks the kernel and goes by it
      CHECK(sender.sent_as_frames() == 0);
      for (std::size_t size = 1; size < 1400; size += 100)
        deliver(std::string(size, 'x'));
      CHECK(sender.sent_as_frames() == 14);
      deliver(std::string(1450, 'y'));
      const std::uint64_t frames = sender.sent_as_frames();
      deliver(std::string(6000, 'z'));  // no frame has room for it
      CHECK(sender.sent_as_frames() == frames);
      now_us += NextHops::neighbour_us;
      deliver("for the kernel");  // which sees by it whether the neighbour is still there
      CHECK(sender.sent_as_frames() == frames);
      deliver("as a frame");
      CHECK(sender.sent_as_frames() == frames + 1);
      CHECK(outcomes.failed == 0);
    }
  });
}

TEST_CASE("Ethernet: the mark is in frames, and their source is the port of the relay") {
  if (!is_usable<Steered>()) return;
  with_neighbour([](Neighbour& neighbour) {
    for (int family = 0; family < 2; ++family) {
      CAPTURE(family);
      auto phone = neighbour.phone(family);
      RawSender sender;
      REQUIRE(sender.create(*IpAddress::parse(near_ip[0]), *IpAddress::parse(near_ip[1]), 0xb8));
      const PackedAddress from = pack({*IpAddress::parse(near_ip[family]), 20'000});
      Outcomes outcomes;
      Onward onward;
      onward.to = pack(phone->local());
      onward.bytes = "x";
      for (int i = 0; i < 3; ++i) {
        sender.add(onward, from, true, 1 + i * NextHops::neighbour_us / 2, outcomes);
        sender.flush(outcomes);
        CHECK(phone->receive_tos() == 0xb8);
      }
      CHECK(sender.sent_as_frames() > 0);
    }
  });
}

TEST_CASE("Ethernet: calls of a machine next door are relayed both ways and counted") {
  if (!is_usable<Steered>()) return;
  with_neighbour([](Neighbour& neighbour) {
    MediaConfig config;
    config.address = *IpAddress::parse(near_ip[0]);
    config.address6 = *IpAddress::parse(near_ip[1]);
    config.port_first = 20'000;
    config.port_last = 20'199;
    config.ready_pairs = 8;
    auto relay = create<Steered>(config);
    REQUIRE_MESSAGE(relay.ok(), (relay ? "" : relay.error().message));
    for (int family = 0; family < 2; ++family) {
      CAPTURE(family);
      auto a = neighbour.phone(0);
      auto b = neighbour.phone(family);
      auto session = relay->open(IpAddress::Family::ipv4, b->local().ip.family);
      REQUIRE(session);
      REQUIRE(session->set_remote(caller, a->local()));
      REQUIRE(session->set_remote(callee, b->local()));
      for (std::uint16_t i = 0; i < 300; ++i) {
        const std::string from_a = rtp_packet(i, i * 160U, 0xA);
        a->send(session->local_rtp(caller), from_a);
        REQUIRE(b->receive() == from_a);
        const std::string from_b = rtp_packet(i, i * 160U, 0xB, 33);
        b->send(session->local_rtp(callee), from_b);
        REQUIRE(a->receive() == from_b);
      }
      CHECK(session->stats(caller).packets_received == 300);
      CHECK(session->stats(callee).packets_received == 300);
      CHECK(session->stats(caller).packets_lost == 0);
      CHECK(session->stats(caller).remote == a->local().to_string());
    }
    CHECK(relay->stats().send_failures == 0);
  });
}
