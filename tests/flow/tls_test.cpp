// Calls over TLS through the whole switch, in virtual time.
#include <algorithm>
#include <filesystem>
#include <fstream>

#include "flow/flow.hpp"
#include "support/certificates.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;
using tandem::test::Certificates;
using tandem::test::CertificateWish;

namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// A customer and vendors on TLS, whose certificates are of one authority unless a test says
/// otherwise.
struct Secured {
  Certificates certificates;
  World world;
  SwitchConfig config = base_config(0);
  SwitchHooks hooks;
  std::vector<std::string> log;
  std::unique_ptr<Switch> tandem;
  Endpoint* a = nullptr;
  std::vector<Endpoint*> vendors;

  Secured() {
    config.sip_listen.push_back({SipTransport::tls, at("10.0.0.1:5061")});
    const auto own = certificates.issue("switch", {"DNS:switch.example,IP:10.0.0.1"});
    config.sip_tls = TlsConfig{own.certificate, own.key, certificates.authority(), false};
    hooks.log = [this](const LogRecord& record) { log.push_back(record.to_string()); };
    a = endpoint("10.0.1.1", {"DNS:cust.example"});
  }
  ~Secured() { tandem.reset(); }

  Endpoint* endpoint(const std::string& ip, const CertificateWish& wish,
                     const std::string& by = "ca",
                     ClientCertificate wants = ClientCertificate::none) {
    EndpointConfig settings;
    settings.address = ip + ":5060";
    settings.peer = switch_address;
    const auto files = certificates.issue(ip, wish, by);
    settings.tls = TlsConfig{files.certificate, files.key, certificates.authority(), false};
    settings.tls_name = "switch.example";
    settings.client_certificate = wants;
    auto made = world.add_endpoint(settings);
    if (!made) FAIL(made.error().message);
    return *made;
  }
  VendorGateway& add_vendor(const CertificateWish& wish, const std::string& by = "ca",
                            ClientCertificate wants = ClientCertificate::none) {
    const auto number = std::to_string(vendors.size() + 1);
    vendors.push_back(endpoint("10.0.2." + number, wish, by, wants));
    config.provision.vendor_gateways.push_back(
        vendor("v" + number, "10.0.2." + number, static_cast<int>(vendors.size())));
    VendorGateway& made = config.provision.vendor_gateways.back();
    made.account = "clearing";
    made.sip.transport = SipTransport::tls;
    made.sip.tls_name = "gw.example";
    return made;
  }
  void open() {
    auto made = world.create_switch(config, hooks);
    if (!made) FAIL(made.error().message);
    tandem = std::move(*made);
    REQUIRE(tandem->start().ok());
  }
  std::shared_ptr<EndpointCall> dial(SipTransport transport = SipTransport::tls,
                                     const std::string& callee = "442079460000") {
    DialPlan plan;
    plan.transport = transport;
    auto call = a->dial(callee, "1000", plan);
    world.run_for_us(2 * second_us);
    return call;
  }
  void check_clean() {
    REQUIRE(world.run_until_idle());
    const SwitchCounters counters = tandem->counters();
    CHECK(counters.calls_live == 0);
    CHECK(counters.dialogs_live == 0);
    CHECK(counters.transactions_live == 0);
    CHECK(counters.calls_started == counters.calls_ended);
  }
  [[nodiscard]] bool has_logged(const std::string& part) const {
    return std::any_of(log.begin(), log.end(),
                       [&](const std::string& line) { return has(line, part); });
  }
  /// Puts another certificate in the place of the switch's own.
  void replace_own(const CertificateWish& wish, const std::string& by = "ca") {
    const auto fresh = certificates.issue("fresh", wish, by);
    for (const auto& [from, to] : {std::pair(fresh.certificate, config.sip_tls->certificate),
                                   std::pair(fresh.key, config.sip_tls->key)}) {
      std::filesystem::copy_file(from, to, std::filesystem::copy_options::overwrite_existing);
    }
  }
};

}  // namespace

TEST_CASE("Tls: a call on both sides, hung up by either, and mixed with UDP (P-01)") {
  for (const SipTransport caller_on : {SipTransport::tls, SipTransport::udp}) {
    for (const bool caller_hangs_up : {true, false}) {
      CAPTURE(transport_name(caller_on));
      CAPTURE(caller_hangs_up);
      Secured bench;
      bench.add_vendor({"DNS:gw.example"});
      bench.open();
      auto call = bench.dial(caller_on);
      REQUIRE(call->was_answered());
      CHECK(bench.vendors[0]->received("INVITE") == 0);  // counted on UDP only
      const auto far = bench.vendors[0]->last_call();
      REQUIRE(far->was_answered());
      bench.world.run_for_us(10 * second_us);
      call->reinvite();
      bench.world.run_for_us(second_us);
      CHECK(call->count("reoffer 200") == 1);
      (caller_hangs_up ? call : far)->hang_up();
      bench.world.run_for_us(2 * second_us);
      CHECK((caller_hangs_up ? far : call)->is_over());
      REQUIRE(bench.world.cdrs().size() == 1);
      CHECK(bench.world.cdrs()[0].vendor_gateway == "v1");
      CHECK(bench.world.cdrs()[0].end_reason == Reason::NormalCallClearing);
      bench.check_clean();
      CHECK(bench.tandem->counters().tls_handshakes == (caller_on == SipTransport::tls ? 2 : 1));
      CHECK(bench.tandem->counters().tls_failures == 0);
    }
  }
}

TEST_CASE(
    "Tls: a vendor that does not prove who it is is passed over, and the log says why (P-01)") {
  Secured bench;
  CertificateWish over{"DNS:gw.example"};
  over.ends_at_s = 1'767'225'600;  // when the world begins
  bench.add_vendor({"DNS:other.example"});
  bench.add_vendor({"DNS:gw.example"}, "stranger");
  bench.add_vendor({"DNS:gw.example"}, "");
  bench.add_vendor(over);
  bench.add_vendor({"DNS:gw.example"});
  bench.open();
  auto call = bench.dial();
  REQUIRE(call->was_answered());
  call->hang_up();
  bench.world.run_for_us(2 * second_us);
  REQUIRE(bench.world.cdrs().size() == 1);
  const Cdr& cdr = bench.world.cdrs()[0];
  CHECK(cdr.vendor_gateway == "v5");
  REQUIRE(cdr.attempts.size() == 5);
  for (std::size_t i = 0; i < 4; ++i) {
    CAPTURE(i);
    CHECK(cdr.attempts[i].sip_status == 0);
    CHECK(cdr.attempts[i].reason == Reason::CertificateRefused);
    CHECK(bench.vendors[i]->calls().empty());
  }
  CHECK(bench.has_logged("10.0.2.1:5061 failed: the certificate was not for "));
  CHECK(bench.has_logged("10.0.2.2:5061 failed: the certificate was refused: unable to get local"));
  CHECK(bench.has_logged("10.0.2.3:5061 failed: the certificate was refused: self-signed"));
  CHECK(bench.has_logged("10.0.2.4:5061 failed: the certificate was refused: certificate has exp"));
  CHECK(bench.tandem->counters().tls_failures == 4);
  bench.check_clean();
}

TEST_CASE("Tls: what is asked of a vendor: a name, its address, or nothing (P-01)") {
  struct Row {
    const char* names;
    const char* tls_name;
    bool is_verified;
    bool is_called;
  };
  for (const Row& row :
       {Row{"IP:10.0.2.1", "", true, true}, Row{"IP:10.0.2.2", "", true, false},
        Row{"DNS:gw.example", "", true, false}, Row{"URI:sip:gw.example", "gw.example", true, true},
        Row{"DNS:other.example", "gw.example", false, true}}) {
    CAPTURE(row.names);
    Secured bench;
    VendorGateway& one = bench.add_vendor({row.names});
    one.sip.tls_name = row.tls_name;
    one.sip.tls_verify = row.is_verified;
    bench.open();
    auto call = bench.dial();
    CHECK(call->was_answered() == row.is_called);
    call->hang_up();
    bench.world.run_for_us(2 * second_us);
    bench.check_clean();
  }
}

TEST_CASE("Tls: vendors of different names at one address do not share a connection (P-01)") {
  Secured bench;
  bench.add_vendor({"DNS:gw.example,DNS:second.example"});
  VendorGateway second = bench.config.provision.vendor_gateways[0];
  second.id = "second";
  second.sip.tls_name = "third.example";
  second.priority = 0;
  bench.config.provision.vendor_gateways.push_back(second);
  bench.open();
  for (int i = 0; i < 2; ++i) {
    auto call = bench.dial();
    REQUIRE(call->was_answered());
    call->hang_up();
    bench.world.run_for_us(2 * second_us);
    CHECK(bench.world.cdrs().back().vendor_gateway == "v1");
    CHECK(bench.world.cdrs().back().attempts.size() == 2);
  }
  bench.check_clean();
}

TEST_CASE("Tls: certificates are asked for and shown, either way (P-01)") {
  for (const bool is_known : {true, false}) {
    CAPTURE(is_known);
    Secured bench;
    bench.config.sip_listen.back().client_certificate = ClientCertificate::require;
    bench.add_vendor({"DNS:gw.example"}, "ca", ClientCertificate::require);
    if (!is_known) {
      bench.config.provision.customer_gateways[0].addresses.push_back(gateway_address("10.0.1.2"));
      bench.a = bench.endpoint("10.0.1.2", {"DNS:cust.example"}, "stranger");
    }
    bench.open();
    auto call = bench.dial();
    CHECK(call->was_answered() == is_known);
    call->hang_up();
    bench.world.run_for_us(2 * second_us);
    bench.check_clean();
    CHECK(bench.tandem->counters().calls_started == (is_known ? 1 : 0));
    CHECK((bench.tandem->counters().tls_failures > 0) != is_known);
  }
}

TEST_CASE(
    "Tls: a vendor that does not take the switch's certificate is passed over, and told of "
    "(P-01)") {
  Secured bench;
  bench.replace_own({"DNS:switch.example,IP:10.0.0.1"}, "stranger");
  bench.add_vendor({"DNS:gw.example"}, "ca", ClientCertificate::require);
  bench.add_vendor({"DNS:gw.example"});
  bench.open();
  auto call = bench.dial(SipTransport::udp);
  REQUIRE(call->was_answered());
  call->hang_up();
  bench.world.run_for_us(2 * second_us);
  REQUIRE(bench.world.cdrs().size() == 1);
  const Cdr& cdr = bench.world.cdrs()[0];
  REQUIRE(cdr.attempts.size() == 2);
  CHECK(cdr.attempts[0].reason == Reason::CertificateRefused);
  CHECK(cdr.attempts[0].sip_status == 0);
  CHECK(cdr.vendor_gateway == "v2");
  CHECK(bench.vendors[0]->calls().empty());
  CHECK(bench.has_logged("10.0.2.1:5061 failed: our certificate was refused: "));
  CHECK(bench.tandem->counters().tls_failures == 1);
  bench.check_clean();
}

TEST_CASE("Tls: a phone is called over the connection that it registered over (P-01, P-05)") {
  Secured bench;
  PhoneConfig phone;
  phone.id = phone.number = "1002";
  phone.password = "secret-1002";
  phone.account = "acme";
  bench.config.provision.phones = {phone};
  Endpoint* const bob = bench.endpoint("10.0.3.2", {"DNS:phone.example"});
  bench.open();
  bob->register_user("1002", "secret-1002", 3600, SipTransport::tls);
  bench.world.run_for_us(2 * second_us);
  REQUIRE(bob->registration_status("1002") == 200);
  const auto contacts = bench.tandem->phone("1002")->contacts;
  REQUIRE(contacts.size() == 1);
  CHECK(contacts[0].transport == "tls");
  CHECK(has(contacts[0].uri, "transport=tls"));
  const std::uint64_t handshakes = bench.tandem->counters().tls_handshakes;
  auto call = bench.dial(SipTransport::udp, "1002");
  CHECK(call->was_answered());
  CHECK(bob->last_call()->was_answered());
  CHECK(bench.tandem->counters().tls_handshakes == handshakes);
  call->hang_up();
  bench.world.run_for_us(2 * second_us);
  // Nobody could prove to be the phone elsewhere: with the connection, which was silent for too
  // long, the contact is gone.
  bench.world.run_for_us(200 * second_us);
  CHECK(bench.tandem->phone("1002")->contacts.empty());
  bench.check_clean();
}

TEST_CASE("Tls: a reload takes new certificates without ending a call (P-01)") {
  Secured bench;
  bench.add_vendor({"DNS:gw.example"});
  bench.open();
  auto call = bench.dial();
  REQUIRE(call->was_answered());
  // Not the switch any more: those who connect from now on notice.
  bench.replace_own({"DNS:renamed.example"});
  REQUIRE(bench.tandem->reload(bench.config).ok());
  auto inside = bench.dial();  // the caller's connection stays, the vendor is connected to anew
  CHECK(inside->was_answered());
  CHECK(bench.tandem->counters().tls_handshakes == 3);
  inside->hang_up();
  Endpoint* const late = bench.endpoint("10.0.1.9", {"DNS:late.example"});
  DialPlan plan;
  plan.transport = SipTransport::tls;
  auto refused = late->dial("442079460000", "1000", plan);
  bench.world.run_for_us(2 * second_us);
  CHECK(refused->is_over());
  CHECK_FALSE(refused->was_answered());
  CHECK(bench.tandem->counters().tls_failures == 1);
  CHECK_FALSE(call->is_over());
  call->hang_up();
  bench.world.run_for_us(2 * second_us);
  CHECK(bench.world.cdrs().back().end_reason == Reason::NormalCallClearing);
  bench.check_clean();
}

TEST_CASE("Tls: a reload of files that cannot be used changes nothing and says which (P-01)") {
  Secured bench;
  bench.add_vendor({"DNS:gw.example"});
  bench.open();
  const std::string file = bench.config.sip_tls->key;
  std::filesystem::remove(file);
  SwitchConfig update = bench.config;
  update.provision.vendor_gateways[0].locked = true;
  auto done = bench.tandem->reload(update);
  REQUIRE_FALSE(done.ok());
  CHECK(done.error().message.starts_with("/sip/tls/key: \"" + file + "\" had no usable key"));
  update.sip_tls.reset();
  CHECK(has(bench.tandem->reload(update).error().message, "/sip/listen/2"));
  auto call = bench.dial();
  CHECK(call->was_answered());
  call->hang_up();
  bench.world.run_for_us(2 * second_us);
  bench.check_clean();
}

TEST_CASE("Tls: a certificate that is over soon is told of at the start (P-01)") {
  Secured bench;
  CertificateWish wish{"DNS:switch.example"};
  wish.ends_at_s = 1'767'225'600 + 5 * 86'400;
  bench.replace_own(wish);
  bench.open();
  CHECK(bench.has_logged("the TLS certificate is over or will be soon days_left=5"));
}

TEST_CASE("Tls: a switch does not start with a listener that has no certificate (P-01)") {
  Secured bench;
  bench.config.sip_tls.reset();
  auto made = bench.world.create_switch(bench.config, bench.hooks);
  REQUIRE_FALSE(made.ok());
  CHECK(has(made.error().message, "/sip/listen/2"));
}

TEST_CASE("Tls: a vendor by name proves that name, whatever SRV leads to (P-01, RFC 5922)") {
  // The name of the SRV target alone would let whoever forges the record take the calls.
  for (const auto& [proves, status] :
       {std::pair("DNS:sip.example.com", 200), {"DNS:target.example.net", 503}}) {
    CAPTURE(proves);
    Secured s;
    VendorGateway& v1 = s.add_vendor({proves});
    v1.sip.tls_name.clear();
    v1.addresses = {gateway_address("sip.example.com")};
    s.config.dns.servers = {at("10.0.9.53:53")};
    DnsServer* const dns = s.world.add_dns_server("10.0.9.53").value();
    REQUIRE(dns->set("_sips._tcp.sip.example.com", "SRV", {"10 0 5061 target.example.net"}));
    REQUIRE(dns->set("target.example.net", "A", {"10.0.2.1"}));
    s.vendors[0]->set_plan(answer_after(0));
    s.open();
    s.world.run_for_us(second_us);
    const auto call = s.dial();
    CHECK(call->status() == status);
    call->hang_up();
    s.check_clean();
    CHECK(s.has_logged("certificate") == (status != 200));
  }
}
