// When vendor addresses are asked, and what comes of their silence.
#include <doctest/doctest.h>

#include <algorithm>
#include <string>

#include "call/health_check.hpp"
#include "route/by_id.hpp"
#include "support/fake_network.hpp"

using namespace tandem;
using namespace tandem::call;
using tandem::test::at;
using tandem::test::FakeNetwork;

namespace {

/// Peers that answer or not, as the test says.
class Peers final : public LegFactory {
 public:
  explicit Peers(io::Loop& loop) : loop_(loop) {}
  std::string asked;  ///< "t=60 127.0.0.1:5070 udp;"
  std::vector<SocketAddress> silent;
  std::size_t open = 0;

  std::unique_ptr<Leg> call(const OutboundCall&, LegEvents&) override { return nullptr; }
  std::unique_ptr<Probe> probe(const ProbeOrder& order, ProbeEvents& events) override {
    const SocketAddress& destination = order.destination;
    asked += "t=" + std::to_string((loop_.clock().monotonic_us() - start_us_) / 1'000'000) + " " +
             destination.to_string() + " " + std::string(order.transport) + ";";
    const bool answers = std::find(silent.begin(), silent.end(), destination) == silent.end();
    return std::make_unique<Asked>(*this, events, answers);
  }
  void keep_alive(const SocketAddress&, const SocketAddress&, std::string_view) override {}
  std::unique_ptr<RedirectQuery> ask_redirect(const RedirectQuestion&, RedirectEvents&) override {
    return nullptr;
  }
  std::unique_ptr<OutboundRegistration> registration(const RegistrationOrder&,
                                                     RegistrationEvents&) override {
    return nullptr;
  }
  std::string take() { return std::exchange(asked, std::string()); }

 private:
  class Asked final : public Probe {
   public:
    Asked(Peers& peers, ProbeEvents& events, bool answers)
        : peers_(peers), events_(events), timer_(Timer::member<&Asked::tell, Asked>(), this) {
      ++peers_.open;
      if (answers) peers_.loop_.timers().start(timer_, 20'000);
    }
    ~Asked() override { --peers_.open; }

   private:
    void tell() { events_.on_probe(*this, true); }
    Peers& peers_;
    ProbeEvents& events_;
    Timer timer_;
  };
  io::Loop& loop_;
  const std::int64_t start_us_ = loop_.clock().monotonic_us();
};

struct Bench {
  FakeNetwork network;
  io::Loop& loop = network.create_loop();
  Peers peers{loop};
  std::string changes;
  HealthCheck check{loop, peers, [this](const CheckedAddress& address) {
                      changes += address.gateway + (address.health->is_up() ? " up;" : " down;");
                    }};
  route::ById<route::AddressHealth> book;

  CheckedAddress address(const std::string& gateway, std::string_view ip_port) {
    return {gateway, "udp", {}, book.of(route::health_id(gateway, at(ip_port)), at(ip_port))};
  }
  void run_s(std::int64_t seconds) { network.run_for(seconds * 1'000'000); }
};

constexpr std::int64_t minute_us = 60'000'000;

}  // namespace

TEST_CASE("Health check: each address is asked once a period, the first time at once (R-17)") {
  Bench b;
  b.check.watch({b.address("v1", "127.0.0.1:5070"), b.address("v1", "127.0.0.2:5070")}, minute_us);
  b.run_s(1);
  CHECK(b.peers.take() == "t=0 127.0.0.1:5070 udp;t=0 127.0.0.2:5070 udp;");
  b.run_s(60);
  CHECK(b.peers.take() == "t=60 127.0.0.1:5070 udp;t=60 127.0.0.2:5070 udp;");
  CHECK(b.peers.open == 0);
  CHECK(b.changes == "");
}

TEST_CASE(
    "Health check: silence over two periods takes an address out, one answer brings it back "
    "(R-17)") {
  Bench b;
  b.check.watch({b.address("v1", "127.0.0.1:5070")}, minute_us);
  const auto health = b.address("v1", "127.0.0.1:5070").health;
  b.run_s(1);
  b.peers.silent = {at("127.0.0.1:5070")};
  b.run_s(60);  // asked at 60
  CHECK(health->is_up());
  b.run_s(60);  // the first failure is known at 120
  CHECK(health->is_up());
  b.run_s(60);
  CHECK_FALSE(health->is_up());
  CHECK(b.changes == "v1 down;");
  CHECK(b.peers.open == 1);
  b.peers.silent.clear();
  b.run_s(60);
  CHECK(health->is_up());
  CHECK(b.changes == "v1 down;v1 up;");
}

TEST_CASE("Health check: a new list keeps the rhythm of what stays and frees what goes (R-17)") {
  Bench b;
  const auto stays = b.address("v1", "127.0.0.1:5070");
  const auto goes = b.address("v2", "127.0.0.2:5070");
  b.peers.silent = {at("127.0.0.2:5070")};
  b.check.watch({stays, goes}, minute_us);
  b.run_s(150);
  CHECK_FALSE(goes.health->is_up());
  b.peers.take();
  b.check.watch({stays, b.address("v3", "127.0.0.3:5070")}, minute_us);
  CHECK(goes.health->is_up());
  CHECK(b.check.watched() == 2);
  b.run_s(29);
  CHECK(b.peers.take() == "t=150 127.0.0.3:5070 udp;");
  b.run_s(2);
  CHECK(b.peers.take() == "t=180 127.0.0.1:5070 udp;");
  b.check.watch({stays}, minute_us / 2);  // another period starts anew
  b.run_s(1);
  CHECK(b.peers.take() == "t=181 127.0.0.1:5070 udp;");
  b.check.watch({}, minute_us);
  b.run_s(300);
  CHECK(b.peers.take() == "");
  CHECK(b.peers.open == 0);
}
