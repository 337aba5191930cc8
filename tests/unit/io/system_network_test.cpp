#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "io/re.hpp"
#include "io/system_socket.hpp"
#include "unit/io/network_contract.hpp"

namespace tandem::testing {
namespace {

class SystemUnderTest final : public NetworkUnderTest {
 public:
  io::Network& network() override { return *network_; }
  bool run_until(const std::function<bool()>& done) override {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!done()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::yield();
    }
    return true;
  }

 private:
  std::unique_ptr<io::Network> network_ = io::make_system_network();
};

/// How long each connection from or to `end` in this process waits for acknowledgements.
std::vector<unsigned> user_timeouts_ms(const SocketAddress& end) {
  std::vector<unsigned> found;
  for (int fd = 0; fd < 1024; ++fd) {
    io::SystemAddress peer{};
    socklen_t length = sizeof peer;
    if (::getpeername(fd, &peer.any, &length) != 0) continue;
    if (io::from_system(peer) != end && io::local_address(fd) != end) continue;
    unsigned timeout_ms = 0;
    length = sizeof timeout_ms;
    if (::getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, &length) == 0)
      found.push_back(timeout_ms);
  }
  return found;
}

}  // namespace

std::unique_ptr<NetworkUnderTest> make_network_under_test() {
  return std::make_unique<SystemUnderTest>();
}

TEST_CASE("SystemLoop: posts of many threads all run, each thread's in order") {
  SystemUnderTest test;
  const auto loop = test.network().create_loop("posts").value();
  constexpr int threads = 8;
  constexpr int posts = 5'000;
  std::vector<int> next(threads, 0);
  std::atomic<bool> is_ordered{true};
  std::atomic<int> done{0};
  loop->start();
  std::vector<std::thread> posters;
  for (int t = 0; t < threads; ++t) {
    posters.emplace_back([&, t] {
      for (int i = 0; i < posts; ++i) {
        const auto task = [&, t, i] {
          if (next[static_cast<std::size_t>(t)]++ != i) is_ordered = false;
          ++done;
        };
        while (!loop->post(task))
          std::this_thread::yield();  // the queue may be full for a moment
      }
    });
  }
  for (std::thread& poster : posters)
    poster.join();
  CHECK(test.run_until([&] { return done == threads * posts; }));
  loop->stop();
  CHECK(is_ordered);
}

TEST_CASE("SystemLoop: stop() while others post loses no refusal and runs nothing afterwards") {
  for (int round = 0; round < 20; ++round) {
    SystemUnderTest test;
    const auto loop = test.network().create_loop("stopping").value();
    std::atomic<int> ran{0};
    std::atomic<bool> is_refused{false};
    loop->start();
    std::thread poster([&] {
      for (;;) {
        const auto posted = loop->post([&] { ++ran; });
        if (!posted && posted.error().code == ErrorCode::wrong_state) break;
      }
      is_refused = true;
    });
    test.run_until([&] { return ran > 10; });
    loop->stop();
    const int ran_at_stop = ran;
    poster.join();
    CHECK(is_refused);
    CHECK(ran == ran_at_stop);
  }
}

TEST_CASE("SystemLoop: a loop that nobody starts ends without running anything") {
  SystemUnderTest test;
  bool ran = false;
  {
    const auto loop = test.network().create_loop("idle").value();
    CHECK(loop->post([&] { ran = true; }).ok());
  }
  CHECK_FALSE(ran);
}

TEST_CASE("SystemLoop: an idle loop does not turn") {
  SystemUnderTest test;
  const auto loop = test.network().create_loop("quiet").value();
  const auto other = test.network().create_loop("busy").value();
  struct Beat {
    io::Loop& loop;
    std::atomic<int> beats{0};
    Timer timer{Timer::member<&Beat::fire, Beat>(), this};
    void fire() {
      ++beats;
      loop.timers().start(timer, 1'000);
    }
  } beat{*other};
  other->timers().start(beat.timer, 1'000);
  loop->start();
  other->start();
  CHECK(test.run_until([&] { return beat.beats >= 100; }));
  loop->stop();
  other->stop();
  CHECK(loop->counters().turns <= 2);  // that of start() and that of stop()
}

TEST_CASE("SystemLoop: both ends of a stream are lost after 30 s without acknowledgement (S-14)") {
  SystemUnderTest test;
  const auto loop = test.network().create_loop("streams").value();
  EchoServer server;
  StreamEar ear;
  auto listener = loop->listen(address("127.0.0.1:0"), false, server).value();
  auto stream = loop->connect(listener->local(), ear).value();
  loop->start();
  CHECK(test.run_until([&] { return ear.connected == 1 && server.accepted == 1; }));
  CHECK(user_timeouts_ms(listener->local()) == std::vector<unsigned>{30'000, 30'000});
  loop->stop();
}

TEST_CASE("SystemLoop: the host's signals stay the host's") {
  struct sigaction ignored {};
  ignored.sa_handler = SIG_IGN;
  struct sigaction before {};
  REQUIRE(::sigaction(SIGPIPE, &ignored, &before) == 0);
  SystemUnderTest test;
  const auto loop = test.network().create_loop("signals").value();
  struct sigaction after {};
  REQUIRE(::sigaction(SIGPIPE, nullptr, &after) == 0);
  CHECK((after.sa_handler == SIG_IGN));
  ::sigaction(SIGPIPE, &before, nullptr);
  sigset_t in_loop;
  sigemptyset(&in_loop);
  std::atomic<bool> is_done{false};
  loop->start();
  REQUIRE(loop->post([&] {
                pthread_sigmask(SIG_SETMASK, nullptr, &in_loop);
                is_done = true;
              })
              .ok());
  CHECK(test.run_until([&] { return is_done.load(); }));
  loop->stop();
  for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGALRM, SIGCHLD, SIGUSR1})
    CHECK(sigismember(&in_loop, signal) == 1);
  sigset_t here;
  pthread_sigmask(SIG_SETMASK, nullptr, &here);
  CHECK(sigismember(&here, SIGTERM) == 0);
}

TEST_CASE("SystemLoop: handlers of libre's own timers can send, defer and start timers") {
  SystemUnderTest test;
  const auto loop = test.network().create_loop("libre").value();
  Ear ear;
  auto socket = loop->open_datagram(address("127.0.0.1:0"), {}, ear).value();
  struct Foreign {
    io::Loop& loop;
    io::DatagramSocket& socket;
    tmr libre_timer{};
    std::atomic<int> fired{0};
    std::atomic<int> deferred{0};
    std::atomic<int> ended{0};
    Timer timer{Timer::member<&Foreign::fire, Foreign>(), this};
    void fire() { ++fired; }
  } foreign{*loop, *socket};
  loop->start();
  REQUIRE(loop->post([&] {
                loop->at_stop([&] {
                  tmr_cancel(&foreign.libre_timer);
                  ++foreign.ended;
                });
                tmr_start(
                    &foreign.libre_timer, 20,
                    [](void* argument) {
                      auto& self = *static_cast<Foreign*>(argument);
                      self.loop.enter_turn();
                      self.socket.send(self.socket.local(), "from libre");
                      self.loop.defer([&self] { ++self.deferred; });
                      self.loop.timers().start(self.timer, 5'000);
                    },
                    &foreign);
              })
              .ok());
  CHECK(test.run_until(
      [&] { return ear.heard == 1 && foreign.deferred == 1 && foreign.fired == 1; }));
  loop->stop();
  CHECK(foreign.ended == 1);
}

TEST_CASE("SystemLoop: a libre loop of the host in the same process goes on") {
  SystemUnderTest test;
  test.network().create_loop("first").value();  // libre_init() has happened
  struct Host {
    int fd = ::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    int events = 0;
  } host;
  std::thread host_thread([&] {
    REQUIRE(re_thread_init() == 0);
    REQUIRE(fd_listen(
                host.fd, FD_READ,
                [](int, void* argument) {
                  ++static_cast<Host*>(argument)->events;
                  re_cancel();
                },
                &host) == 0);
    {
      SystemUnderTest inner;
      const auto loop = inner.network().create_loop("guest").value();
      std::atomic<bool> is_done{false};
      loop->start();
      REQUIRE(loop->post([&] { is_done = true; }).ok());
      CHECK(inner.run_until([&] { return is_done.load(); }));
    }
    CHECK(re_main(nullptr) == 0);
    fd_close(host.fd);
    re_thread_close();
  });
  host_thread.join();
  CHECK(host.events == 1);
  ::close(host.fd);
}

TEST_CASE("Ref: a reference is dropped once, also after a move") {
  static int destroyed = 0;
  destroyed = 0;
  const auto make = [] {
    return static_cast<int*>(mem_zalloc(sizeof(int), [](void*) { ++destroyed; }));
  };
  {
    auto first = io::Ref<int>::adopt(make());
    auto shared = io::Ref<int>::share(first.get());
    io::Ref<int> moved = std::move(first);
    CHECK_FALSE(first);
    moved = std::move(shared);
    CHECK(destroyed == 0);
    moved = io::Ref<int>::adopt(make());
    CHECK(destroyed == 1);
    *moved.out() = make();
    CHECK(destroyed == 2);
  }
  CHECK(destroyed == 3);
}

}  // namespace tandem::testing
