// Two switches at both ends of an interconnect, which compare what they counted (B-27).
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "admin/endpoints.hpp"
#include "flow/flow.hpp"
#include "flow/tls_front.hpp"
#include "http/server.hpp"
#include "sim/world_access.hpp"
#include "support/certificates.hpp"
#include "unit/cdr/temporary_folder.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;
using cdr::test::TemporaryFolder;

namespace {

constexpr std::int64_t period_s = 10;

/// The admin API of a switch on the simulated network.
struct Api {
  std::unique_ptr<io::Loop> loop;
  std::unique_ptr<admin::Endpoints> endpoints;
  std::unique_ptr<http::Server> server;

  Api(World& world, Switch& served, const SocketAddress& address, const std::string& token) {
    SimNetwork& network = WorldAccess::network(world);
    endpoints = std::make_unique<admin::Endpoints>(served, token, network.clock());
    loop = network.create_loop("api", address.ip).value();
    server = http::Server::create(*loop, address, [this](const http::Request& request) {
               return endpoints->answer(request, http::ServerCounters{});
             }).value();
    loop->start();
  }
  ~Api() {
    loop->stop();
    server.reset();
  }
};

void add_sink(SwitchConfig& config, const std::string& path) {
  CdrSinkConfig sink;
  sink.type = "sqlite";
  sink.path = path;
  config.cdr_sinks = {sink};
}

/// A customer, a near switch, a far switch that is its vendor, and a phone network behind it.
struct Interconnect {
  TemporaryFolder folder;  // of day files, which are not of the simulated world
  World world;
  std::vector<std::string> alarms;
  std::unique_ptr<Switch> near, far;
  std::unique_ptr<Api> api;
  Endpoint *a = nullptr, *b = nullptr;

  explicit Interconnect(
      const char* far_price = "0.30", std::int32_t line_hundredths = 100,
      const std::string& far_token = "secret", const std::string& partner_token = {},
      const ReconciliationPeer& asked = {at("10.0.7.1:8080"), "from-near", "secret", {}},
      std::int64_t start_us = 0) {
    world.run_for_us(start_us);
    SwitchConfig config = base_config(0);
    add_sink(config, folder / "near");
    config.parameters.reconciliation_period_s = period_s;
    config.parameters.reconciliation_line_hundredths = line_hundredths;
    VendorGateway peer = vendor("peer", "10.0.7.1:5060");
    peer.account = "clearing";
    peer.reconciliation = asked;
    config.provision.vendor_gateways = {peer};

    SwitchConfig other = base_config(1);
    other.folder = "/far";
    other.sip_listen = {{SipTransport::udp, at("10.0.7.1:5060")}};
    add_sink(other, folder / "far");
    other.provision.rate_decks[0] = deck("retail", far_price);
    other.admin_token = far_token;
    other.provision.customer_gateways = {customer("from-near", std::string(switch_ip)),
                                         customer("competitor", "10.0.9.9")};
    other.provision.customer_gateways[0].reconciliation_token = partner_token;

    SwitchHooks hooks;
    hooks.on_event = [this](const Event& event) {
      if (event.kind == Event::Kind::alarm) alarms.push_back(event.text);
    };
    near = world.create_switch(config, hooks).value();
    far = world.create_switch(other).value();
    REQUIRE(near->start().ok());
    REQUIRE(far->start().ok());
    api = std::make_unique<Api>(world, *far, at("10.0.7.1:8080"), far_token);
    a = endpoint("10.0.1.1:5060");
    b = endpoint("10.0.2.1:5060");
  }
  ~Interconnect() {
    api.reset();
    near.reset();
    far.reset();
  }
  Endpoint* endpoint(const std::string& address) {
    EndpointConfig settings;
    settings.address = address;
    settings.peer = switch_address;
    return world.add_endpoint(settings).value();
  }
  void run_s(std::int64_t seconds) { world.run_for_us(seconds * second_us); }
  void call(std::int64_t seconds) {
    DialPlan plan;
    plan.hang_up_after_us = seconds * second_us;
    a->dial("442079460000", "1000", plan);
  }
  [[nodiscard]] PeerCheck check() const {
    const auto checks = near->peer_checks();
    REQUIRE(checks.size() == 1);
    return checks[0];
  }
};

}  // namespace

TEST_CASE("Reconciliation: two switches that count the same raise no alarm (B-27)") {
  Interconnect both;
  std::uint64_t compared = 0, calls = 0;
  std::int64_t last_us = 0;
  for (int i = 0; i < 30; ++i) {
    if (i < 20) both.call(2);
    both.run_s(4);
    const auto checks = both.near->peer_checks();
    if (checks.empty() || checks[0].since_us == last_us) continue;
    last_us = checks[0].since_us;
    CHECK(checks[0].failure.empty());
    CHECK(checks[0].until_us - checks[0].since_us == period_s * second_us);
    CHECK(checks[0].ours == checks[0].theirs);
    ++compared;
    calls += checks[0].ours.answered;
  }
  CHECK(compared >= 8);
  CHECK(calls == 20);
  CHECK(both.alarms.empty());
}

TEST_CASE("Reconciliation: the period in whose last moment a switch starts is compared (B-27)") {
  constexpr std::int64_t to_the_next_us = 1'000;
  Interconnect both("0.30", 100, "secret", {}, {at("10.0.7.1:8080"), "from-near", "secret", {}},
                    period_s * second_us - to_the_next_us);
  both.run_s(2 * period_s + 5);
  CHECK(both.check().until_us - both.check().since_us == period_s * second_us);
  CHECK(format_time_us(both.check().since_us) == "2026-01-01T00:00:00.000000Z");
}

TEST_CASE("Reconciliation: 2 % more money over there is an alarm with both totals (B-27)") {
  Interconnect both("0.306");
  both.run_s(1);
  both.call(5);
  both.run_s(45);
  REQUIRE(both.alarms.size() == 2);
  CHECK(
      both.alarms[0] ==
      "reconciliation of gateway \"peer\" with 10.0.7.1:8080 deviates by 1.97 % from "
      "2026-01-01T00:00:00.000000Z to 2026-01-01T00:00:10.000000Z: ours 1 calls, 1 answered, 5 s, "
      "0.025 USD; theirs 1 calls, 1 answered, 5 s, 0.0255 USD");
  CHECK(both.alarms[1] == "reconciliation of gateway \"peer\" with 10.0.7.1:8080 agrees again");
}

TEST_CASE("Reconciliation: below the line there is no alarm, and the values are shown (B-27)") {
  Interconnect both("0.306", 300);
  both.run_s(1);
  both.call(5);
  both.run_s(32);
  const PeerCheck check = both.check();
  CHECK(check.ours.charge == money("0.025"));
  CHECK(check.theirs.charge == money("0.0255"));
  CHECK(check.deviations[3] == 197);
  CHECK_FALSE(check.is_exceeded);
  CHECK(both.alarms.empty());
}

TEST_CASE("Reconciliation: a call corrected over there is counted as it is now (B-25, B-27)") {
  Interconnect both;
  both.run_s(1);
  both.call(5);
  both.run_s(12);
  CdrQuery query;
  CorrectionRequest request;
  request.record_id = both.far->cdrs(query)->at(0).record_id;
  request.reason = "test";
  request.sides[CallSide::customer].charge = money("0.05");
  REQUIRE(both.far->correct(request).ok());
  both.run_s(25);
  REQUIRE(both.alarms.size() >= 1);
  CHECK(both.alarms[0].find("theirs 1 calls, 1 answered, 5 s, 0.05") != std::string::npos);
  CHECK(both.alarms[0].find("deviates by 50.00 %") != std::string::npos);
}

TEST_CASE("Reconciliation: an end that refuses or is silent is told once, and calls go on (B-27)") {
  Interconnect both("0.30", 100, "another");
  both.run_s(70);
  REQUIRE(both.alarms.size() == 1);
  CHECK(
      both.alarms[0] ==
      "reconciliation of gateway \"peer\" with 10.0.7.1:8080 failed: it answered with status 401");
  CHECK(both.check().failure == "it answered with status 401");
  both.api.reset();
  both.run_s(60);
  both.call(3);
  both.run_s(5);
  CHECK(both.world.cdrs().back().end_reason == Reason::NormalCallClearing);
  CHECK_FALSE(both.check().failure.empty());
  CHECK(both.alarms.size() == 1);
}

TEST_CASE("Reconciliation: by HTTPS, with files that are read for each question (B-27)") {
  tandem::test::Certificates certificates;
  const auto files = certificates.issue("far", {"IP:10.0.7.2"});
  ReconciliationPeer peer{at("10.0.7.2:8443"), "from-near", "secret", {}};
  peer.https.is_on = true;
  peer.https.ca = certificates.path("later.pem");
  Interconnect both("0.30", 100, "secret", {}, peer);
  const TlsFront front(both.world, peer.address, at("10.0.7.1:8080"),
                       {files.certificate, files.key, "", false, {}});
  both.run_s(1);
  both.call(5);
  both.run_s(45);
  REQUIRE(both.alarms.size() == 1);
  CHECK(both.alarms[0].find("failed: tls_ca: ") != std::string::npos);
  CHECK(front.connections() == 0);
  std::filesystem::copy(certificates.authority(), peer.https.ca);
  both.call(5);
  both.run_s(45);
  REQUIRE(both.alarms.size() == 2);
  CHECK(both.alarms[1].find("agrees again") != std::string::npos);
  CHECK(both.check().ours == both.check().theirs);
  CHECK(front.connections() >= 1);
}

TEST_CASE("Reconciliation: a partner's token opens the totals of its gateway and no more (B-27)") {
  Interconnect both("0.30", 100, "their own", "secret");
  both.call(3);
  both.run_s(70);
  CHECK(both.alarms.empty());
  CHECK(both.check().failure.empty());

  using Query = std::vector<std::pair<std::string, std::string>>;
  const auto status = [&](const std::string& method, std::vector<std::string> path, Query query,
                          const std::string& token) {
    http::Request request;
    request.method = method;
    request.path = std::move(path);
    request.query = std::move(query);
    request.headers = {{"host", "10.0.7.1"}, {"authorization", "Bearer " + token}};
    return both.api->endpoints->answer(request, http::ServerCounters{}).status;
  };
  const std::vector<std::string> totals = {"api", "v1", "interconnect", "totals"};
  const Query period = {{"since", "2026-01-01"}, {"until", "2026-01-02"}};
  const auto of = [&](const std::string& gateway, const std::string& side) {
    Query query = period;
    query.emplace_back("gateway", gateway);
    query.emplace_back("side", side);
    return query;
  };
  CHECK(status("GET", totals, of("from-near", "customer"), "secret") == 200);
  CHECK(status("GET", totals, of("from-near", "customer"), "secreT") == 401);
  CHECK(status("GET", totals, of("from-near", "customer"), "") == 401);
  CHECK(status("GET", totals, of("from-near", "vendor"), "secret") == 401);
  CHECK(status("GET", totals, of("competitor", "customer"), "secret") == 401);
  CHECK(status("GET", totals, of("competitor", "customer"), "") == 401);
  Query two = of("from-near", "customer");
  two.emplace_back("gateway", "competitor");
  CHECK(status("GET", totals, two, "secret") == 401);
  CHECK(status("POST", totals, of("from-near", "customer"), "secret") == 401);
  for (const char* kind : {"cdrs", "calls", "accounts", "gateways", "events", "corrections"})
    CHECK(status("GET", {"api", "v1", kind}, {}, "secret") == 401);
  CHECK(status("GET", {"api", "v1", "interconnect", "checks"}, {}, "secret") == 401);
  CHECK(status("GET", {"metrics"}, {}, "secret") == 401);
  CHECK(status("POST", {"api", "v1", "accounts", "acme", "payments"}, {}, "secret") == 401);
  CHECK(status("GET", totals, of("competitor", "customer"), "their own") == 200);
}
