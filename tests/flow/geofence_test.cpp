// S-01: where signalling, descriptions and media of a party may come from.
#include <string>

#include "flow/flow.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

GeofenceArea area(const std::string& id, const std::string& range) {
  return {id, {IpRange::parse(range).value()}};
}

GeofenceConfig fence(GeofenceMode mode, std::vector<std::string> areas = {}) {
  GeofenceConfig one;
  one.mode = mode;
  one.areas = std::move(areas);
  return one;
}

SwitchConfig fenced(int vendors = 1) {
  SwitchConfig config = base_config(vendors);
  config.provision.geofence_areas = {area("lan", "10.0.1.0/24"), area("hk", "203.0.113.0/24"),
                                     area("far", "198.51.100.0-198.51.100.255")};
  return config;
}

CustomerGateway& cust(SwitchConfig& config) { return config.provision.customer_gateways[0]; }
VendorGateway& v(SwitchConfig& config, int number) {
  return config.provision.vendor_gateways[static_cast<std::size_t>(number - 1)];
}

std::string description(const std::string& ip) {
  return "v=0\r\no=- 1 1 IN IP4 " + ip + "\r\ns=-\r\nc=IN IP4 " + ip +
         "\r\nt=0 0\r\nm=audio 6000 RTP/AVP 0\r\n";
}

}  // namespace

TEST_CASE("Geofence S-01: signalling from inside or outside of areas is let in or refused") {
  SwitchConfig config = fenced();
  int expected = 200;
  SUBCASE("allowed") { cust(config).geofence = fence(GeofenceMode::allow, {"lan"}); }
  SUBCASE("not allowed") {
    cust(config).geofence = fence(GeofenceMode::allow, {"hk", "far"});
    expected = 403;
  }
  SUBCASE("forbidden, in all areas there are") {
    cust(config).geofence = fence(GeofenceMode::forbidden);
    expected = 403;
  }
  SUBCASE("forbidden elsewhere") { cust(config).geofence = fence(GeofenceMode::forbidden, {"hk"}); }
  SUBCASE("the switch's, for who has none") {
    config.parameters.geofence = fence(GeofenceMode::allow, {"hk"});
    expected = 403;
  }
  SUBCASE("the own one decides alone") {
    config.parameters.geofence = fence(GeofenceMode::allow, {"hk"});
    cust(config).geofence = fence(GeofenceMode::forbidden, {"far"});
    v(config, 1).geofence = fence(GeofenceMode::forbidden, {"far"});
  }
  SUBCASE("a check that is switched off") {
    cust(config).geofence = fence(GeofenceMode::allow, {"hk"});
    cust(config).geofence.signalling = cust(config).geofence.rtp = false;
  }
  Bench bench(config);
  auto call = bench.dial();
  bench.run_s(2);
  CHECK(call->status() == expected);
  call->hang_up();
  const Cdr& cdr = bench.only_cdr();
  CHECK((cdr.end_reason == Reason::GeofenceForbidden) == (expected == 403));
  const auto explained =
      bench.tandem->explain({"10.0.1.1:5060", "1000", "442079460000", std::nullopt});
  REQUIRE(explained.ok());
  const bool is_said = explained->find("geofence signalling 10.0.1.1") != std::string::npos;
  CHECK(is_said == (expected == 403));
}

TEST_CASE("Geofence S-01: who is refused hears nothing where strangers hear nothing (S-12)") {
  SwitchConfig config = fenced();
  cust(config).geofence = fence(GeofenceMode::allow, {"hk"});
  config.parameters.reply_unauthorized = false;
  Bench bench(config);
  auto call = bench.dial();
  bench.run_s(2);
  CHECK(call->status() == 0);
  CHECK(bench.a->received("403 INVITE") == 0);
  CHECK(bench.b->received("INVITE") == 0);
}

TEST_CASE("Geofence S-01: a public address in an offer is judged, a private one is not") {
  SwitchConfig config = fenced();
  cust(config).geofence = fence(GeofenceMode::allow, {"lan", "hk"});
  std::string address;
  int expected = 200;
  SUBCASE("outside") {
    address = "198.51.100.9";
    expected = 403;
  }
  SUBCASE("inside") { address = "203.0.113.9"; }
  SUBCASE("private") { address = "192.168.7.7"; }
  SUBCASE("not looked at") {
    address = "198.51.100.9";
    cust(config).geofence.sdp = false;
  }
  Bench bench(config);
  DialPlan plan;
  plan.sdp = description(address);
  auto call = bench.dial(plan);
  bench.run_s(2);
  CHECK(call->status() == expected);
  if (expected == 200) {
    call->reinvite(description("198.51.100.77"));
    bench.run_s(1);
    CHECK(call->count("reoffer 403") == (cust(config).geofence.sdp ? 1 : 0));
    CHECK_FALSE(call->is_over());
    call->hang_up();
  }
  bench.only_cdr();
}

TEST_CASE(
    "Geofence S-01: a vendor that answers from outside has failed, and the next one is tried") {
  SwitchConfig config = fenced(2);
  v(config, 1).geofence = fence(GeofenceMode::forbidden, {"far"});
  Bench bench(config);
  AnswerPlan answer;
  answer.sdp = description("198.51.100.9");
  bench.b->set_plan(answer);
  auto call = bench.dial();
  bench.run_s(3);
  CHECK(call->was_answered());
  CHECK(bench.b->received("BYE") == 1);
  call->hang_up();
  const Cdr& cdr = bench.only_cdr();
  CHECK(cdr.vendor_gateway == "v2");
  REQUIRE(cdr.attempts.size() == 2);
  CHECK(cdr.attempts[0].reason == Reason::GeofenceForbidden);
}

TEST_CASE("Geofence S-01: a vendor whose address is outside is passed over, by name") {
  SwitchConfig config = fenced(2);
  config.provision.geofence_areas.push_back(area("v1", "10.0.2.1"));
  v(config, 1).geofence = fence(GeofenceMode::forbidden, {"v1"});
  Bench bench(config);
  auto call = bench.connect();
  CHECK(bench.b->received("INVITE") == 0);
  call->hang_up();
  CHECK(bench.only_cdr().vendor_gateway == "v2");
  const auto explained = bench.tandem->explain({"cust", "1000", "442079460000", std::nullopt});
  REQUIRE(explained.ok());
  CHECK(explained->find("GeofenceForbidden") != std::string::npos);
}

TEST_CASE("Geofence S-01: media from outside is not heard, and ends the call after five seconds") {
  SwitchConfig config = fenced();
  cust(config).geofence = fence(GeofenceMode::allow, {"hk"});
  cust(config).geofence.signalling = false;
  bool is_watched = true;
  SUBCASE("as configured") {}
  SUBCASE("not for media") {
    cust(config).geofence.rtp = false;
    is_watched = false;
  }
  Bench bench(config);
  AnswerPlan answer;
  answer.send_rtp = true;
  bench.b->set_plan(answer);
  DialPlan plan;
  plan.send_rtp = true;
  auto call = bench.connect(plan);
  bench.run_s(4);
  CHECK_FALSE(call->is_over());
  CHECK((bench.b->last_call()->packets_received() == 0) == is_watched);
  bench.run_s(4);
  CHECK(call->is_over() == is_watched);
  call->hang_up();
  const Cdr& cdr = bench.only_cdr();
  CHECK(cdr.end_reason == (is_watched ? Reason::GeofenceForbidden : Reason::NormalCallClearing));
  if (is_watched) CHECK(cdr.media_caller.cause == MediaCause::source_denied);
}

TEST_CASE("Geofence S-01: a phone registers and calls from inside of its areas only") {
  SwitchConfig config = fenced();
  config.provision.geofence_areas.push_back(area("home", "10.0.3.0/24"));
  PhoneConfig phone;
  phone.id = phone.number = "1001";
  phone.password = "secret";
  phone.account = "acme";
  phone.geofence = fence(GeofenceMode::allow, {"home"});
  config.provision.phones = {phone};
  Bench bench(config);
  for (const auto& [address, expected] :
       {std::pair("10.0.3.1:5060", 200), std::pair("10.0.4.1:5060", 403)}) {
    CAPTURE(address);
    Endpoint* const device = bench.endpoint(address);
    DialPlan plan;
    plan.username = "1001";
    plan.password = "secret";
    auto call = device->dial("442079460000", "1001", plan);
    bench.run_s(2);
    CHECK(call->status() == expected);
    call->hang_up();
    device->register_user("1001", "secret");
    bench.run_s(2);
    CHECK(device->registration_status("1001") == expected);
  }
}

TEST_CASE("Geofence S-01: the target of a transfer describes the relay, which no fence is about") {
  SwitchConfig config = fenced();
  config.media_address = ip("192.0.2.1");
  cust(config).sip.refer = ReferMode::local;
  cust(config).geofence = fence(GeofenceMode::allow, {"lan"});
  v(config, 1).geofence = fence(GeofenceMode::forbidden, {"hk"});
  Bench bench(config);
  AnswerPlan answer;
  answer.send_rtp = true;
  bench.b->set_plan(answer);
  DialPlan plan;
  plan.send_rtp = true;
  const auto call = bench.connect(plan);
  const auto stays = bench.b->last_call();
  bench.run_s(2);
  call->refer("<sip:442079460001@10.0.0.1>");
  bench.run_s(10);
  CHECK(call->is_over());
  const auto target = bench.b->last_call();
  CHECK(target->callee() == "442079460001");
  CHECK(target->was_answered());
  CHECK_FALSE(stays->is_over());
  const std::uint64_t before = target->packets_received();
  bench.run_s(1);
  CHECK(target->packets_received() - before >= 45);
  stays->hang_up();
  bench.run_s(2);
  for (const Cdr& cdr : bench.world.cdrs())
    CHECK(cdr.end_reason == Reason::NormalCallClearing);
}
