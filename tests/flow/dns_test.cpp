// Gateways that are named by names: what name servers say decides where calls go (P-01, RFC 3263).
#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "flow/flow.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

const std::string name_server = "10.0.9.53";

/// A switch whose vendor "v1" is `name`, with the ends that it may stand for.
struct Fixture {
  std::vector<std::string> told;  // events and alarms
  Bench bench;
  DnsServer* dns = nullptr;

  explicit Fixture(SwitchConfig config = named("sip.example.com"))
      : bench(std::move(config), {}, hooks(told)) {
    dns = bench.world.add_dns_server(name_server).value();
  }

  static SwitchHooks hooks(std::vector<std::string>& told) {
    SwitchHooks hooks;
    hooks.on_event = [&told](const Event& event) {
      if (event.kind == Event::Kind::gateway || event.kind == Event::Kind::alarm)
        told.push_back(event.gateway + ": " + event.text);
    };
    return hooks;
  }

  static SwitchConfig named(const std::string& name) {
    SwitchConfig config = base_config();
    config.provision.vendor_gateways[0].addresses = {gateway_address(name)};
    config.dns.servers = {at(name_server + ":53")};
    return config;
  }

  void set(const std::string& name, const std::string& type, const std::vector<std::string>& data,
           std::uint32_t ttl_s = 60) {
    REQUIRE(dns->set(name, type, data, ttl_s));
  }

  Endpoint* end(const std::string& address) {
    Endpoint* const made = bench.endpoint(address);
    made->set_plan(answer_after(0));
    return made;
  }

  /// The first look-ups go out.
  void open() { bench.run_s(1); }

  /// One call to its end. Returns its final status.
  int call(std::int64_t limit_s = 60) {
    const auto dialled = bench.dial();
    bench.world.run_until([&] { return dialled->was_answered() || dialled->is_over(); },
                          limit_s * second_us);
    const int status = dialled->status();
    if (!dialled->is_over()) dialled->hang_up();
    bench.run_s(1);
    return status;
  }

  GatewayView view(const std::string& id = "v1") {
    for (GatewayView& one : bench.tandem->gateways()) {
      if (one.id == id) return one;
    }
    return {};
  }
  std::string addresses(const std::string& id = "v1") {
    std::string text;
    for (const GatewayAddressView& address : view(id).addresses)
      text += address.address.to_string() + ' ';
    return text;
  }
  std::size_t asked(const std::string& question) const {
    const auto& all = dns->asked();
    return static_cast<std::size_t>(std::count(all.begin(), all.end(), question));
  }
  [[nodiscard]] bool was_told(std::string_view text) const {
    return std::any_of(told.begin(), told.end(),
                       [&](const std::string& one) { return one.find(text) != std::string::npos; });
  }
};

}  // namespace

TEST_CASE("names: SRV priorities say who is called first, and who when that one is silent") {
  Fixture f;
  f.set("_sip._udp.sip.example.com", "SRV",
        {"20 0 5060 second.example.com", "10 0 5070 first.example.com"});
  f.set("first.example.com", "A", {"10.0.3.1"});
  f.set("second.example.com", "A", {"10.0.3.2"});
  Endpoint* const first = f.end("10.0.3.1:5070");
  Endpoint* const second = f.end("10.0.3.2:5060");
  f.open();
  CHECK(f.addresses() == "10.0.3.1:5070 10.0.3.2:5060 ");
  CHECK(f.call() == 200);
  CHECK(first->counters().calls_in == 1);
  CHECK(second->counters().calls_in == 0);

  first->set_silent(true);
  CHECK(f.call() == 200);
  CHECK(second->counters().calls_in == 1);
  // One attempt on the gateway, which holds its line and is charged once.
  const Cdr& cdr = f.bench.world.cdrs().back();
  REQUIRE(cdr.attempts.size() == 1);
  CHECK(cdr.attempts[0].vendor_gateway == "v1");
  CHECK(cdr.vendor_gateway == "v1");

  // Calls pass over who did not answer for a while, and come back to it.
  const std::uint64_t invites = first->received("INVITE");
  CHECK(f.call() == 200);
  CHECK(second->counters().calls_in == 2);
  CHECK(first->received("INVITE") == invites);
  f.bench.run_s(40);  // the INVITE is sent no more
  first->set_silent(false);
  CHECK(f.call() == 200);
  CHECK(first->counters().calls_in == 2);
  f.bench.check_clean();
}

TEST_CASE("names: an answer of no use closes no place and is asked for nowhere else (M-07)") {
  SwitchConfig config = Fixture::named("sip.example.com");
  config.provision.customer_gateways[0].codecs = {*CodecName::parse("PCMA")};
  Fixture f(std::move(config));
  f.set("_sip._udp.sip.example.com", "SRV",
        {"10 0 5060 first.example.com", "20 0 5060 second.example.com"});
  f.set("first.example.com", "A", {"10.0.3.1"});
  f.set("second.example.com", "A", {"10.0.3.2"});
  Endpoint* const first = f.end("10.0.3.1:5060");
  Endpoint* const second = f.end("10.0.3.2:5060");
  f.open();
  AnswerPlan of_no_use;
  of_no_use.sdp =
      "v=0\r\no=x 1 1 IN IP4 10.0.3.1\r\ns=-\r\nc=IN IP4 10.0.3.1\r\nt=0 0\r\n"
      "m=audio 4000 RTP/AVP 0\r\n";
  first->set_plan(of_no_use);
  CHECK(f.call() == 488);
  CHECK(f.bench.world.cdrs().back().attempts.size() == 1);
  CHECK(second->counters().calls_in == 0);
  first->set_plan(answer_after(0));
  CHECK(f.call() == 200);
  CHECK(first->counters().calls_in == 2);
}

TEST_CASE("names: 503 leads to the next place, 486 does not (RFC 3263 section 4.3)") {
  Fixture f;
  f.set("_sip._udp.sip.example.com", "SRV",
        {"10 0 5060 first.example.com", "20 0 5060 second.example.com"});
  f.set("first.example.com", "A", {"10.0.3.1"});
  f.set("second.example.com", "A", {"10.0.3.2"});
  Endpoint* const first = f.end("10.0.3.1:5060");
  Endpoint* const second = f.end("10.0.3.2:5060");
  f.open();
  first->set_plan(refuse(503));
  CHECK(f.call() == 200);
  CHECK(second->counters().answered == 1);
  CHECK(f.bench.world.cdrs().back().attempts.size() == 1);
  first->set_plan(refuse(486));
  CHECK(f.call() == 486);
  CHECK(second->counters().calls_in == 1);
  // All of them: the attempt has failed, and its status is the last one's.
  first->set_plan(refuse(503));
  second->set_plan(refuse(503));
  CHECK(f.call() == 503);
  CHECK(second->counters().calls_in == 2);
  f.bench.check_clean();
}

TEST_CASE("names: equal priorities share calls by weight (RFC 2782)") {
  Fixture f;
  f.set("_sip._udp.sip.example.com", "SRV",
        {"10 30 5060 heavy.example.com", "10 10 5060 light.example.com"});
  f.set("heavy.example.com", "A", {"10.0.3.1"});
  f.set("light.example.com", "A", {"10.0.3.2"});
  Endpoint* const heavy = f.end("10.0.3.1:5060");
  Endpoint* const light = f.end("10.0.3.2:5060");
  f.open();
  constexpr int calls = 200;
  for (int i = 0; i < calls; ++i)
    f.bench.dial();
  f.bench.run_s(2);
  const auto heavy_calls = static_cast<int>(heavy->counters().calls_in);
  CHECK(heavy_calls + static_cast<int>(light->counters().calls_in) == calls);
  CHECK(heavy_calls > 125);  // three in four, give or take four standard deviations
  CHECK(heavy_calls < 175);
}

TEST_CASE("names: a change of records moves calls when the TTL is over, and says so") {
  Fixture f;
  f.set("sip.example.com", "A", {"10.0.3.1"}, 60);
  Endpoint* const before = f.end("10.0.3.1:5060");
  Endpoint* const after = f.end("10.0.3.2:5060");
  f.open();
  CHECK(f.call() == 200);
  f.set("sip.example.com", "A", {"10.0.3.2"}, 60);
  f.bench.run_s(30);
  CHECK(f.call() == 200);  // what was known is still good
  CHECK(before->counters().calls_in == 2);
  f.bench.run_s(25);  // it is asked again at four fifths of the TTL
  CHECK(f.addresses() == "10.0.3.2:5060 ");
  CHECK(f.call() == 200);
  CHECK(after->counters().calls_in == 1);
  CHECK(f.was_told("v1: names stand for 10.0.3.2:5060"));
  // No more than two look-ups of each kind for all these calls.
  CHECK(f.asked("sip.example.com A") == 2);
}

TEST_CASE("names: while no server answers, what was known is used for so long and no longer") {
  SwitchConfig config = Fixture::named("sip.example.com");
  config.dns.stale_s = 600;
  Fixture f(std::move(config));
  f.set("sip.example.com", "A", {"10.0.3.1"}, 60);
  f.end("10.0.3.1:5060");
  f.open();
  f.dns->set_silent(true);
  f.bench.run_s(200);
  CHECK(f.call() == 200);
  REQUIRE(f.view().names.size() == 1);
  CHECK(f.view().names[0].is_stale);
  CHECK(f.view().names[0].ttl_ms < 0);
  CHECK(f.view().names[0].error.find("did not answer") != std::string::npos);
  CHECK(f.was_told("is not known for certain any more"));
  CHECK(f.bench.tandem->counters().dns.names_failing == 1);
  f.bench.run_s(600);
  CHECK(f.call() == 503);
  CHECK(f.was_told("v1: names stand for no address"));
  f.dns->set_silent(false);
  f.bench.run_s(70);
  CHECK(f.call() == 200);
  CHECK(f.was_told("works again"));
  CHECK_FALSE(f.view().names[0].is_stale);
}

TEST_CASE("names: one that is not there costs no call its time, and is asked for again") {
  Fixture f;
  f.open();
  CHECK(f.call() == 503);
  CHECK(f.bench.world.cdrs().back().end_reason == Reason::NoAvailableRouter);
  REQUIRE(f.view().names.size() == 1);
  CHECK(f.view().names[0].is_known);
  CHECK(f.view().names[0].addresses.empty());
  CHECK(f.was_told("stands for no address"));
  const std::size_t questions = f.dns->asked().size();
  f.bench.run_s(20);  // the SOA record says 30 seconds
  CHECK(f.dns->asked().size() == questions);
  f.set("sip.example.com", "A", {"10.0.3.1"});
  f.end("10.0.3.1:5060");
  f.bench.run_s(15);
  CHECK(f.call() == 200);
}

TEST_CASE("names: the next name server is asked when one fails or is silent") {
  SwitchConfig config = Fixture::named("sip.example.com");
  config.dns.servers = {at("10.0.9.51:53"), at("10.0.9.52:53"), at(name_server + ":53")};
  Fixture f(std::move(config));
  DnsServer* const silent = f.bench.world.add_dns_server("10.0.9.51").value();
  silent->set_silent(true);
  DnsServer* const failing = f.bench.world.add_dns_server("10.0.9.52").value();
  failing->set_code(2);
  f.set("sip.example.com", "A", {"10.0.3.1"});
  f.end("10.0.3.1:5060");
  f.bench.run_s(5);
  CHECK(f.call() == 200);
  CHECK(silent->asked().size() > 0);
  CHECK(failing->asked().size() > 0);
  CHECK(f.bench.tandem->counters().dns.timeouts > 0);
}

TEST_CASE("names: an answer that did not fit is fetched over TCP") {
  Fixture f;
  f.set("sip.example.com", "A", {"10.0.3.1"});
  f.dns->set_truncating(true);
  f.end("10.0.3.1:5060");
  f.open();
  CHECK(f.call() == 200);
  CHECK(f.asked("sip.example.com A tcp") == 1);
}

TEST_CASE("names: guesses of a forger are not taken for answers (RFC 5452)") {
  Fixture f;
  f.set("sip.example.com", "A", {"10.0.3.1"});
  f.dns->set_forged(ip("10.66.6.6"));
  f.end("10.0.3.1:5060");
  f.open();
  CHECK(f.addresses() == "10.0.3.1:5060 ");
  CHECK(f.call() == 200);
  CHECK(f.bench.tandem->counters().dns.strays > 0);
}

TEST_CASE("names: aliases are followed, also one by one, and a circle of them ends") {
  Fixture f;
  f.set("sip.example.com", "CNAME", {"a.example.com"});
  f.set("a.example.com", "CNAME", {"b.example.com"});
  f.set("b.example.com", "A", {"10.0.3.1"});
  f.end("10.0.3.1:5060");
  SUBCASE("the server follows them") {}
  SUBCASE("the server says one at a time") { f.dns->set_follows_aliases(false); }
  f.open();
  CHECK(f.call() == 200);
  f.set("a.example.com", "CNAME", {"sip.example.com"});
  f.bench.run_s(70);
  const std::size_t questions = f.dns->asked().size();
  f.bench.run_s(60);
  CHECK(f.dns->asked().size() - questions < 200);
  CHECK(f.view().names[0].error.find("aliases") != std::string::npos);
}

TEST_CASE("names: NAPTR records choose the transport where the gateway says auto") {
  SwitchConfig config = Fixture::named("sip.example.com");
  config.provision.vendor_gateways[0].sip.finds_transport = true;
  Fixture f(std::move(config));
  f.set("sip.example.com", "NAPTR",
        {R"(10 20 "s" "SIP+D2U" "" _sip._udp.sip.example.com)",
         R"(10 10 "s" "SIP+D2T" "" _sip._tcp.sip.example.com)",
         R"(5 10 "s" "SIPS+D2T" "" _sips._tcp.sip.example.com)"});
  f.set("_sip._tcp.sip.example.com", "SRV", {"10 0 5060 tcp.example.com"});
  f.set("_sip._udp.sip.example.com", "SRV", {"10 0 5060 udp.example.com"});
  f.set("tcp.example.com", "A", {"10.0.3.1"});
  f.set("udp.example.com", "A", {"10.0.3.2"});
  Endpoint* const tcp = f.end("10.0.3.1:5060");
  Endpoint* const udp = f.end("10.0.3.2:5060");
  f.open();
  REQUIRE(f.view().addresses.size() == 2);  // TLS has no listener here
  CHECK(f.view().addresses[0].transport == "tcp");
  CHECK(f.view().addresses[1].transport == "udp");
  CHECK(f.call() == 200);
  CHECK(tcp->counters().calls_in == 1);
  CHECK(tcp->received("INVITE") == 0);  // counts what came over UDP
  tcp->set_silent(true);
  CHECK(f.call() == 200);
  CHECK(udp->received("INVITE") > 0);
}

TEST_CASE("names: with a port only addresses are asked for; the URI has the name") {
  Fixture f(Fixture::named("sip.example.com:5080"));
  f.set("sip.example.com", "A", {"10.0.3.1"});
  f.set("_sip._udp.sip.example.com", "SRV", {"10 0 5060 other.example.com"});
  f.end("10.0.3.1:5080");
  std::string invite;
  f.bench.world.set_tap([&](const DatagramView& view) {
    if (view.bytes.starts_with("INVITE ") && view.to == at("10.0.3.1:5080")) invite = view.bytes;
  });
  f.open();
  CHECK(f.call() == 200);
  CHECK(f.asked("_sip._udp.sip.example.com SRV") == 0);
  CHECK(invite.starts_with("INVITE sip:442079460000@sip.example.com:5080 "));
  CHECK(header(invite, "To").find("@sip.example.com>") != std::string::npos);
}

TEST_CASE("names: SRV with target \".\" says that there is decidedly no service") {
  Fixture f;
  f.set("_sip._udp.sip.example.com", "SRV", {"0 0 0 ."});
  f.set("sip.example.com", "A", {"10.0.3.1"});
  Endpoint* const b = f.end("10.0.3.1:5060");
  f.open();
  CHECK(f.call() == 503);
  CHECK(b->counters().calls_in == 0);
}

TEST_CASE("names: a customer is known by the addresses that its name stands for now") {
  SwitchConfig config = base_config();
  config.dns.servers = {at(name_server + ":53")};
  config.provision.customer_gateways[0].addresses = {gateway_address("cust.example.com")};
  Fixture f(std::move(config));
  f.bench.b->set_plan(answer_after(0));
  f.set("_sip._udp.cust.example.com", "SRV", {"10 0 5060 sbc.example.com"});
  f.set("sbc.example.com", "A", {"10.0.1.1"});
  f.open();
  CHECK(f.call() == 200);
  CHECK(f.bench.only_cdr().customer_gateway == "cust");
  REQUIRE(f.view("cust").names.size() == 1);
  CHECK(f.view("cust").names[0].addresses == std::vector<std::string>{"10.0.1.1"});
  // What is not in the newest answer is believed for a TTL more: it may be in the next one.
  f.set("sbc.example.com", "A", {"10.0.1.77"});
  f.bench.run_s(60);
  CHECK(f.view("cust").names[0].addresses.size() == 2);
  CHECK(f.call() == 200);
  f.bench.run_s(80);
  CHECK(f.view("cust").names[0].addresses == std::vector<std::string>{"10.0.1.77"});
  CHECK(f.call() == 403);
  CHECK(f.was_told("cust: names stand for 10.0.1.77"));
  f.bench.check_clean();
}

TEST_CASE("names: a customer whose answers take turns is known by all of its addresses") {
  SwitchConfig config = base_config();
  config.dns.servers = {at(name_server + ":53")};
  config.provision.customer_gateways[0].addresses = {gateway_address("cust.example.com")};
  Fixture f(std::move(config));
  f.bench.b->set_plan(answer_after(0));
  f.set("cust.example.com", "A", {"10.0.1.1", "10.0.1.2"}, 10);
  f.open();
  for (int i = 0; i < 12; ++i) {
    f.set("cust.example.com", "A", {i % 2 == 0 ? "10.0.1.2" : "10.0.1.1"}, 10);
    f.bench.run_s(9);
    CHECK(f.call() == 200);
  }
  // That is no news: nothing is told, and no table made, each time.
  CHECK(std::count_if(f.told.begin(), f.told.end(), [](const std::string& one) {
          return one.starts_with("cust: names stand for");
        }) <= 1);
}

TEST_CASE("names: a customer's name cannot take the calls of another customer") {
  SwitchConfig config = base_config();
  config.dns.servers = {at(name_server + ":53")};
  CustomerGateway thief = config.provision.customer_gateways[0];
  thief.id = "acme";
  thief.priority = 0;
  thief.addresses = {gateway_address("acme.example.com")};
  config.provision.customer_gateways[0].priority = 7;
  config.provision.customer_gateways.push_back(thief);
  Fixture f(std::move(config));
  f.bench.b->set_plan(answer_after(0));
  f.set("acme.example.com", "A", {"10.0.1.1"});
  f.open();
  f.bench.run_s(2);
  CHECK(f.call() == 200);
  CHECK(f.bench.world.cdrs().back().customer_gateway == "cust");
  CHECK(
      f.was_told("name of customer \"acme\" stands for 10.0.1.1, which is an address of "
                 "customer \"cust\""));
  f.set("acme.example.com", "A", {"10.0.1.77"});
  f.bench.run_s(150);
  CHECK(f.was_told("name of customer acme works again"));
}

TEST_CASE("names: silent places keep a call from the next vendor for two time-outs at most") {
  SwitchConfig config = Fixture::named("sip.example.com");
  config.parameters.switch_limit = 1;
  VendorGateway second = config.provision.vendor_gateways[0];
  second.id = "v2";
  second.priority = 5;
  second.addresses = {gateway_address("10.0.4.1")};
  config.provision.vendor_gateways.push_back(second);
  Fixture f(std::move(config));
  std::vector<std::string> addresses;
  for (int i = 1; i <= 8; ++i)
    addresses.push_back("10.0.3." + std::to_string(i));
  f.set("sip.example.com", "A", addresses);
  std::vector<Endpoint*> places;
  for (const std::string& address : addresses)
    places.push_back(f.end(address + ":5060"));
  f.bench.b->set_plan(answer_after(0));  // v2's: v1 is a name
  f.open();
  std::uint64_t called = 0;
  const auto count = [&] {
    called = 0;
    for (Endpoint* const place : places)
      called += place->counters().calls_in;
  };
  SUBCASE("silent: as long as two of them") {
    for (Endpoint* const place : places)
      place->set_silent(true);
    const std::int64_t began_us = f.bench.world.monotonic_us();
    CHECK(f.call() == 200);
    CHECK(f.bench.world.monotonic_us() - began_us < 25 * second_us);
  }
  SUBCASE("503: four of them") {
    for (Endpoint* const place : places)
      place->set_plan(refuse(503));
    CHECK(f.call() == 200);
    count();
    CHECK(called == 4);
  }
  CHECK(f.bench.world.cdrs().back().vendor_gateway == "v2");
  CHECK(f.bench.world.cdrs().back().attempts.size() == 2);
}

TEST_CASE("names: a code that stops switching stops at its place, and a rate counts each INVITE") {
  SwitchConfig config = Fixture::named("sip.example.com");
  std::uint64_t expected = 0;
  SUBCASE("stop_codes (R-15)") {
    config.provision.vendor_gateways[0].switching.stop_codes = {503};
    expected = 1;
  }
  SUBCASE("calls_per_second (R-22)") {
    config.provision.vendor_gateways[0].calls_per_second = 1;
    config.provision.vendor_gateways[0].burst = 2;
    expected = 2;
  }
  Fixture f(std::move(config));
  f.set("sip.example.com", "A", {"10.0.3.1", "10.0.3.2", "10.0.3.3"});
  std::uint64_t called = 0;
  std::vector<Endpoint*> places;
  for (const char* address : {"10.0.3.1:5060", "10.0.3.2:5060", "10.0.3.3:5060"}) {
    places.push_back(f.end(address));
    places.back()->set_plan(refuse(503));
  }
  f.open();
  CHECK(f.call() == 503);
  for (Endpoint* const place : places)
    called += place->counters().calls_in;
  CHECK(called == expected);
}

TEST_CASE("names: OPTIONS checks and explain go by the places that there are now (R-17, R-23)") {
  SwitchConfig config = Fixture::named("sip.example.com");
  config.provision.vendor_gateways[0].options_check = true;
  config.parameters.options_check_s = 10;
  Fixture f(std::move(config));
  f.set("_sip._udp.sip.example.com", "SRV",
        {"10 0 5060 first.example.com", "20 0 5060 second.example.com"});
  f.set("first.example.com", "A", {"10.0.3.1"});
  f.set("second.example.com", "A", {"10.0.3.2"});
  Endpoint* const first = f.end("10.0.3.1:5060");
  Endpoint* const second = f.end("10.0.3.2:5060");
  f.open();
  const auto explained = [&] {
    ExplainRequest request;
    request.from = "cust";
    request.caller = "1000";
    request.callee = "442079460000";
    return f.bench.tandem->explain(request).value();
  };
  CHECK(explained().find(R"("address":"10.0.3.1:5060")") != std::string::npos);
  CHECK(explained().find(R"("name":"sip.example.com")") != std::string::npos);
  first->set_silent(true);
  f.bench.run_s(40);
  CHECK_FALSE(f.view().addresses[0].is_online);
  CHECK(f.view().addresses[1].is_online);
  CHECK(explained().find(R"("address":"10.0.3.2:5060")") != std::string::npos);
  CHECK(f.call() == 200);
  CHECK(second->counters().calls_in == 1);
  // A place that is no longer one is asked no more.
  f.set("_sip._udp.sip.example.com", "SRV", {"20 0 5060 second.example.com"});
  f.bench.run_s(60);
  CHECK(f.addresses() == "10.0.3.2:5060 ");
}

TEST_CASE("names: an outbound registration goes to the next place when one is silent (R-25)") {
  SwitchConfig config = Fixture::named("sip.example.com");
  VendorGateway& vendor = config.provision.vendor_gateways[0];
  vendor.registration = GatewayRegistration::outbound;
  vendor.auth = GatewayAuth{"tandem", "secret", {}};
  Fixture f(std::move(config));
  f.set("_sip._udp.sip.example.com", "SRV",
        {"10 0 5060 first.example.com", "20 0 5060 second.example.com"});
  f.set("first.example.com", "A", {"10.0.3.1"});
  f.set("second.example.com", "A", {"10.0.3.2"});
  Endpoint* const first = f.end("10.0.3.1:5060");
  Endpoint* const second = f.end("10.0.3.2:5060");
  RegistrarPlan plan;
  plan.username = "tandem";
  plan.password = "secret";
  first->accept_registrations(plan);
  second->accept_registrations(plan);
  first->set_silent(true);
  f.open();
  f.bench.run_s(40);
  CHECK(f.view().is_registered);
  CHECK(second->registered_contact().find("tandem@") != std::string::npos);
  f.bench.run_s(5);
}

namespace {

/// v1 is two places, and `area` is where it must not be.
SwitchConfig fenced(const std::string& area) {
  SwitchConfig config = Fixture::named("sip.example.com");
  config.provision.geofence_areas = {{"far", {IpRange::parse(area).value()}}};
  config.provision.vendor_gateways[0].geofence.mode = GeofenceMode::forbidden;
  return config;
}

}  // namespace

TEST_CASE("names: a place outside of the vendor's geofence is not called (S-01)") {
  Fixture f(fenced("10.0.3.2"));
  f.set("_sip._udp.sip.example.com", "SRV",
        {"20 0 5060 second.example.com", "10 0 5060 first.example.com"});
  f.set("first.example.com", "A", {"10.0.3.1"});
  f.set("second.example.com", "A", {"10.0.3.2"});
  Endpoint* const first = f.end("10.0.3.1:5060");
  Endpoint* const second = f.end("10.0.3.2:5060");
  f.open();
  CHECK(f.call() == 200);
  first->set_silent(true);
  CHECK(f.call() >= 300);
  CHECK(second->counters().calls_in == 0);
}

TEST_CASE("names: an answer from outside of the geofence is no silence of its place (S-01)") {
  Fixture f(fenced("198.51.100.0/24"));
  f.set("_sip._udp.sip.example.com", "SRV",
        {"20 0 5060 second.example.com", "10 0 5060 first.example.com"});
  f.set("first.example.com", "A", {"10.0.3.1"});
  f.set("second.example.com", "A", {"10.0.3.2"});
  Endpoint* const first = f.end("10.0.3.1:5060");
  Endpoint* const second = f.end("10.0.3.2:5060");
  AnswerPlan answer;
  answer.sdp =
      "v=0\r\no=- 1 1 IN IP4 198.51.100.9\r\ns=-\r\nc=IN IP4 198.51.100.9\r\nt=0 0\r\n"
      "m=audio 6000 RTP/AVP 0\r\n";
  first->set_plan(answer);
  f.open();
  CHECK(f.call() == 403);
  CHECK(f.call() == 403);  // it was not laid to rest
  CHECK(first->counters().calls_in == 2);
  CHECK(second->counters().calls_in == 0);
}
