// A server that is told of phones that come and go (I-02, I-06).
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "flow/flow.hpp"
#include "flow/tls_front.hpp"
#include "http/server.hpp"
#include "http/signed_post.hpp"
#include "sim/world_access.hpp"
#include "support/certificates.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

const std::string notices_url = "http://10.0.9.1:8000/PhoneOnline";

PhoneConfig phone(const std::string& number) {
  PhoneConfig one;
  one.id = one.number = number;
  one.password = "secret" + number;
  one.account = "acme";
  return one;
}

SwitchConfig notice_config(const std::string& url = notices_url) {
  SwitchConfig config = base_config();
  config.provision.phones = {phone("1001"), phone("1002")};
  config.provision.phones[0].dids = {"442071110000"};
  WebhookConfig& notices = config.phone_notices.emplace();
  notices.url = url;
  return config;
}

/// The receiver, a phone or two, and what was heard.
struct Office {
  std::vector<Event> events;
  Bench bench;
  std::unique_ptr<io::Loop> loop;
  std::unique_ptr<http::Server> server;
  std::vector<http::Request> heard;
  int status = 200;
  Endpoint* alice;
  Endpoint* bob;

  explicit Office(SwitchConfig config = notice_config(), bool listens = true)
      : bench(std::move(config), {}, hooks_for(events)),
        alice(bench.endpoint("10.0.3.1:5060")),
        bob(bench.endpoint("10.0.3.2:5060")) {
    loop = WorldAccess::network(bench.world).create_loop("receiver", ip("10.0.9.1")).value();
    loop->start();
    if (listens) listen();
  }
  ~Office() {
    bench.tandem.reset();  // before `events`
    server.reset();
    loop->stop();
  }
  static SwitchHooks hooks_for(std::vector<Event>& events) {
    SwitchHooks hooks;
    hooks.on_event = [&events](const Event& event) { events.push_back(event); };
    return hooks;
  }
  void listen() {
    server = http::Server::create(*loop, at("10.0.9.1:8000"), [this](const http::Request& request) {
               heard.push_back(request);
               http::Response response;
               response.status = status;
               response.body = "{\"retCode\":0}";
               return response;
             }).value();
  }
  void registers(Endpoint* device, const std::string& number, int expires_s = 3600) {
    device->register_user(number, "secret" + number, expires_s);
    bench.run_ms(500);
    REQUIRE(device->registration_status(number) == 200);
  }
  /// "1001+ 1002-": who was told of, and as what.
  std::string told() const {
    std::string all;
    for (const http::Request& one : heard) {
      const auto at = one.body.find("\"e164\":\"") + 8;
      all += (all.empty() ? "" : " ") + one.body.substr(at, one.body.find('"', at) - at) +
             (one.body.find("\"online\":true") != std::string::npos ? '+' : '-');
    }
    return all;
  }
  std::vector<std::string> alarms() const {
    std::vector<std::string> texts;
    for (const Event& event : events)
      if (event.kind == Event::Kind::alarm) texts.push_back(event.text);
    return texts;
  }
};

}  // namespace

TEST_CASE("Notices: a phone that comes on line and goes is told of once each (I-02, T-11)") {
  Office office;
  office.registers(office.alice, "1001", 60);
  REQUIRE(office.heard.size() == 1);
  const std::string at_ms = std::to_string(office.events.back().at_us / 1'000);
  CHECK(office.heard[0].body ==
        "{\"e164\":\"1001\",\"dids\":[\"442071110000\"],\"online\":true,"
        "\"eventTime\":" +
            at_ms +
            ",\"localIp\":\"10.0.0.1\",\"localPort\":5060,"
            "\"remoteIp\":\"10.0.3.1\",\"productId\":\"endpoint\"}");
  CHECK(office.heard[0].path == std::vector<std::string>{"PhoneOnline"});
  office.registers(office.alice, "1001", 60);  // a refresh is none
  CHECK(office.told() == "1001+");
  office.bench.run_s(62);
  CHECK(office.told() == "1001+ 1001-");
  office.registers(office.alice, "1001", 60);
  office.registers(office.alice, "1001", 0);
  CHECK(office.told() == "1001+ 1001- 1001+ 1001-");
  // The host's callback gets the same.
  const RegistrationChange& last = *office.events.back().registration;
  CHECK_FALSE(last.is_online());
  CHECK(last.dids == std::vector<std::string>{"442071110000"});
  CHECK(last.source.to_string() == "10.0.3.1:5060");
  CHECK(last.local.to_string() == "10.0.0.1:5060");
  const std::string json = to_json(office.events.back());
  CHECK(json.find("\"online\":false,\"dids\":[\"442071110000\"],\"source\":\"10.0.3.1:5060\","
                  "\"local\":\"10.0.0.1:5060\",\"sequence\":4") != std::string::npos);
  const WebhookState state = office.bench.tandem->phone_notices();
  CHECK(state.is_configured);
  CHECK(state.delivered == 4);
  CHECK(state.waiting == 0);
}

TEST_CASE("Notices: a switch without a host that listens sends them as well (I-02)") {
  World world;
  auto made = world.create_switch(notice_config());
  REQUIRE(made.ok());
  REQUIRE((*made)->start().ok());
  EndpointConfig settings;
  settings.peer = switch_address;
  settings.address = "10.0.3.1:5060";
  Endpoint* const alice = *world.add_endpoint(settings);
  alice->register_user("1001", "secret1001");
  world.run_for_us(2 * second_us);
  CHECK((*made)->phone_notices().failures >= 1);  // nobody is there
  CHECK((*made)->phone_notices().waiting == 1);
  made->reset();
}

TEST_CASE("Notices: what happens while the server is away comes in order when it is back (I-06)") {
  Office office(notice_config(), false);
  office.registers(office.alice, "1001");
  office.registers(office.alice, "1001", 0);
  office.registers(office.bob, "1002");
  office.registers(office.alice, "1001");
  office.bench.run_s(5);
  CHECK(office.bench.tandem->phone_notices().waiting == 4);
  CHECK(office.bench.tandem->phone_notices().is_failing);
  REQUIRE(office.alarms().size() == 1);
  CHECK(office.alarms()[0].starts_with(
      "server of phone notices fails: \"http://10.0.9.1:8000/PhoneOnline\""));
  office.listen();
  office.bench.run_s(61);
  CHECK(office.bench.tandem->phone_notices().delivered == 4);
  std::string of_alice;
  for (const http::Request& one : office.heard)
    if (one.body.find("\"1001\"") != std::string::npos)
      of_alice += one.body.find("\"online\":true") != std::string::npos ? '+' : '-';
  CHECK(of_alice == "+-+");
  CHECK(office.alarms().back() == "server of phone notices works again");
}

TEST_CASE("Notices: what the server refuses for good is kept in a file (I-06)") {
  SwitchConfig config = notice_config();
  config.phone_notices->dead_letters = "lost.jsonl";
  Office office(config);
  office.status = 422;
  office.registers(office.alice, "1001");
  office.bench.run_s(3);
  CHECK(office.bench.tandem->phone_notices().refused == 1);
  const auto file = office.bench.world.read_file("/switch/lost.jsonl");
  REQUIRE(file.ok());
  CHECK(file->find("\"reason\":\"server answered 422: {\\\"retCode\\\":0}\",\"notice\":{\"e164\":"
                   "\"1001\"") != std::string::npos);
  CHECK(file->ends_with("}\n"));
  CHECK(office.alarms().back() == "phone notices were given up: 1");
  // A further one is added, also when the switch is closed with it.
  office.server.reset();
  office.registers(office.bob, "1002");
  office.bench.tandem->close();
  const auto both = office.bench.world.read_file("/switch/lost.jsonl");
  REQUIRE(both.ok());
  CHECK(both->starts_with(*file));
  CHECK(both->find("\"reason\":\"the switch was closed\"") != std::string::npos);
}

TEST_CASE("Notices: all phones are told of on demand, as they are (I-02)") {
  Office office;
  office.registers(office.bob, "1002");
  office.heard.clear();
  const auto phones = office.bench.tandem->notify_phones();
  REQUIRE(phones.ok());
  CHECK(*phones == 2);
  office.bench.run_s(1);
  CHECK(office.told() == "1001- 1002+");
  CHECK(office.heard[1].body.find("\"remoteIp\":\"10.0.3.2\",\"productId\":\"endpoint\"") !=
        std::string::npos);
  office.bench.tandem->close();
  CHECK(office.bench.tandem->notify_phones().error().code == ErrorCode::wrong_state);
}

TEST_CASE("Notices: a reload begins and ends them (I-02)") {
  SwitchConfig config = notice_config();
  const WebhookConfig notices = *config.phone_notices;
  config.phone_notices.reset();
  Office office(config);
  CHECK(office.bench.tandem->notify_phones().error().message == "no phone_notices are configured");
  office.registers(office.alice, "1001");
  CHECK(office.heard.empty());
  config.phone_notices = notices;
  REQUIRE(office.bench.tandem->reload(config).ok());
  office.registers(office.alice, "1001", 0);
  CHECK(office.told() == "1001-");
  config.phone_notices->url = "ftp://x/";
  const auto refused = office.bench.tandem->reload(config);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().message.starts_with("/phone_notices: url \"ftp://x/\""));
  config.phone_notices.reset();
  REQUIRE(office.bench.tandem->reload(config).ok());
  office.registers(office.alice, "1001");
  CHECK(office.told() == "1001-");
  CHECK_FALSE(office.bench.tandem->phone_notices().is_configured);
}

TEST_CASE("Notices: each is signed, and goes to a server that proves its name (I-06)") {
  tandem::test::Certificates certificates;
  SwitchConfig config = notice_config("https://10.0.9.2:8443/PhoneOnline");
  config.phone_notices->secret = "shared";
  config.phone_notices->tls_ca = certificates.authority();
  bool is_good = true;
  SUBCASE("its own") {}
  SUBCASE("another's") { is_good = false; }
  const auto files = certificates.issue("receiver", {is_good ? "IP:10.0.9.2" : "IP:10.0.9.3"});
  Office office(config);
  const TlsFront front(office.bench.world, at("10.0.9.2:8443"), at("10.0.9.1:8000"),
                       {files.certificate, files.key, "", false, {}});
  office.registers(office.alice, "1001");
  office.bench.run_s(2);
  REQUIRE(office.heard.size() == (is_good ? 1 : 0));
  if (is_good) {
    const http::Request& got = office.heard[0];
    CHECK(*got.header("x-tandem-signature") ==
          http::push_signature("shared", *got.header("x-tandem-timestamp"), got.body));
  } else {
    CHECK(office.bench.tandem->phone_notices().is_failing);
  }
  office.bench.tandem.reset();
}

TEST_CASE("Notices: a server that has a name is found by it, and where it moves to (I-02)") {
  SwitchConfig config = notice_config("http://crm.example.com:8000/PhoneOnline");
  config.dns.servers = {at("10.0.9.53:53")};
  Office office(config);
  DnsServer* const dns = office.bench.world.add_dns_server("10.0.9.53").value();
  REQUIRE(dns->set("crm.example.com", "A", {"10.0.9.7"}, 5));  // nobody is there
  office.registers(office.alice, "1001");
  office.bench.run_s(10);
  CHECK(office.heard.empty());
  CHECK(office.bench.tandem->phone_notices().waiting == 1);
  REQUIRE(dns->set("crm.example.com", "A", {"10.0.9.1"}, 5));
  office.bench.run_s(20);
  CHECK(office.told() == "1001+");
  CHECK(*office.heard[0].header("host") == "crm.example.com:8000");
}

TEST_CASE("Notices: events of several workers are told in the order of the registrar (I-02)") {
  SwitchConfig config = notice_config();
  config.sip_workers = 4;
  Office office(config);
  for (int i = 0; i < 10; ++i) {
    office.registers(office.alice, "1001");
    office.registers(office.alice, "1001", 0);
  }
  office.bench.run_s(1);
  std::string wanted;
  for (int i = 0; i < 10; ++i)
    wanted += std::string(i == 0 ? "" : " ") + "1001+ 1001-";
  CHECK(office.told() == wanted);
}
