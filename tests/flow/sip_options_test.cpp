// What the `sip` object of a gateway makes of a call's headers, failures and timers.
#include <algorithm>
#include <memory>

#include "flow/flow.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

using Headers = std::vector<std::pair<std::string, std::string>>;

/// Values of a header of a call, joined by " | "; "" when there is none.
std::string value(const EndpointCall& call, std::string_view name) {
  std::string found;
  for (const auto& [given, text] : call.headers()) {
    if (given == name) found += (found.empty() ? "" : " | ") + text;
  }
  return found;
}

SwitchConfig with_vendor(const SipOptions& options, int vendors = 1) {
  SwitchConfig config = base_config(vendors);
  for (VendorGateway& gateway : config.provision.vendor_gateways)
    gateway.sip = options;
  return config;
}

/// What the first vendor gets as INVITE, when it is only a port that writes down what comes.
struct Recorder {
  RawEndpoint* port = nullptr;
  explicit Recorder(Bench& bench) {
    SwitchConfig config = bench.config;
    config.provision.vendor_gateways[0].addresses = {gateway_address("10.0.2.77:5060")};
    REQUIRE(bench.tandem->reload(config).ok());
    port = *bench.world.add_raw_endpoint("10.0.2.77:5060");
  }
  [[nodiscard]] const std::string& invite() const {
    REQUIRE_FALSE(port->received().empty());
    return port->received().front().bytes;
  }
};

/// An INVITE of the customer as text.
void send_invite(Bench& bench, const std::string& lines,
                 const std::string& to = "<sip:15550100@10.0.0.1>") {
  RawEndpoint* raw = *bench.world.add_raw_endpoint("10.0.1.1:5070");
  raw->send(at(switch_address),
            "INVITE sip:15550100@10.0.0.1 SIP/2.0\r\n"
            "Via: SIP/2.0/UDP 10.0.1.1:5070;branch=z9hG4bKraw\r\nMax-Forwards: 70\r\n"
            "From: <sip:1000@10.0.1.1>;tag=s\r\nTo: " +
                to + "\r\nCall-ID: raw\r\nCSeq: 1 INVITE\r\nContact: <sip:1000@10.0.1.1:5070>\r\n" +
                lines + "Content-Length: 0\r\n\r\n");
  bench.run_s(1);
}

/// Dials with headers and gives the vendor's call.
std::shared_ptr<EndpointCall> deliver(Bench& bench, const Headers& headers,
                                      const std::string& caller = "4420700",
                                      const std::string& display = "Ann") {
  DialPlan plan;
  plan.headers = headers;
  plan.display = display;
  bench.a->dial("15550100", caller, plan);
  bench.run_s(1);
  REQUIRE(bench.b->last_call() != nullptr);
  return bench.b->last_call();
}

}  // namespace

TEST_CASE("Identity: a vendor without options gets From and nothing else (P-09, P-14)") {
  Bench bench(with_vendor({}));
  const auto call = deliver(bench, {{"P-Asserted-Identity", "<sip:441@x.example>"},
                                    {"Privacy", "id"},
                                    {"Diversion", "<sip:442@x.example>"},
                                    {"X-Tag", "7"}});
  CHECK(call->caller() == "4420700");
  CHECK(call->display() == "Ann");
  for (const char* name : {"P-Asserted-Identity", "Privacy", "Diversion", "X-Tag",
                           "Remote-Party-ID", "P-Preferred-Identity"}) {
    CAPTURE(name);
    CHECK(value(*call, name).empty());
  }
}

TEST_CASE(
    "Identity: the outgoing caller stands in the headers that are wanted (P-07, P-08, P-09)") {
  SipOptions options;
  options.pai = options.ppi = IdentityMode::caller;
  options.rpid = true;
  options.user_phone = true;
  options.display = false;
  options.local_domain = "switch.example";
  SwitchConfig config = with_vendor(options);
  config.provision.vendor_gateways[0].rewrite_caller = "44:0";
  Bench bench(config);
  const auto call = deliver(bench, {});
  CHECK(call->caller() == "020700");
  CHECK(call->display().empty());
  const std::string identity = "<sip:020700@switch.example;user=phone>";
  CHECK(value(*call, "P-Asserted-Identity") == identity);
  CHECK(value(*call, "P-Preferred-Identity") == identity);
  CHECK(value(*call, "Remote-Party-ID") == identity + ";party=calling;screen=yes;privacy=off");
}

TEST_CASE("Identity: what the customer says is passed where it is wanted (P-09, P-12)") {
  SipOptions options;
  options.pai = options.ppi = IdentityMode::pass;
  options.privacy = PrivacyMode::pass;
  SwitchConfig config = with_vendor(options);
  const Headers headers = {{"P-Asserted-Identity", "\"A\" <sip:441@x.example>"},
                           {"P-Preferred-Identity", "<sip:442@x.example>"},
                           {"Privacy", "id"}};
  SUBCASE("honoured, it hides the caller, who is asserted") {
    config.provision.customer_gateways[0].sip.privacy = PrivacyMode::pass;
    Bench bench(config);
    const auto call = deliver(bench, headers);
    CHECK(value(*call, "P-Asserted-Identity") == "\"A\" <sip:441@x.example>");
    CHECK(value(*call, "P-Preferred-Identity") == "<sip:442@x.example>");
    CHECK(value(*call, "Privacy") == "id");
    CHECK(call->caller() == "anonymous");
    CHECK(bench.b->last_call()->display() == "Anonymous");
    // Billing and records know who it was.
    bench.a->last_call()->hang_up();
    CHECK(bench.only_cdr().caller == "4420700");
  }
  SUBCASE("not honoured, it is as if it was not there") {
    Bench bench(config);
    const auto call = deliver(bench, headers);
    CHECK(value(*call, "Privacy").empty());
    CHECK(call->caller() == "4420700");
  }
  SUBCASE("without an asserted identity the caller is not hidden") {
    config.provision.customer_gateways[0].sip.privacy = PrivacyMode::pass;
    Bench bench(config);
    const auto call = deliver(bench, {{"Privacy", "id"}});
    CHECK(value(*call, "Privacy") == "id");
    CHECK(call->caller() == "4420700");
  }
}

TEST_CASE("Identity: the vendor's own `id` goes with every call (P-09)") {
  SipOptions options;
  options.pai = IdentityMode::caller;
  options.privacy = PrivacyMode::id;
  options.rpid = true;
  Bench bench(with_vendor(options));
  const auto call = deliver(bench, {});
  CHECK(value(*call, "Privacy") == "id");
  CHECK(value(*call, "P-Asserted-Identity") == "\"Ann\" <sip:4420700@10.0.0.1>");
  CHECK(value(*call, "Remote-Party-ID").ends_with("privacy=full"));
  CHECK(call->caller() == "anonymous");
}

TEST_CASE("Identity: a customer's caller is read where it has it (P-10)") {
  SwitchConfig config = base_config();
  CustomerGateway& customer = config.provision.customer_gateways[0];
  const Headers headers = {{"P-Asserted-Identity", "<tel:+441>, <sip:+442@x.example>"},
                           {"P-Preferred-Identity", "<sip:443;ext=1@x.example;user=phone>"},
                           {"Remote-Party-ID", "\"B\" <sip:444@x.example>;party=calling"}};
  const struct {
    CallerField field;
    const char* caller;
  } cases[] = {{CallerField::from, "4420700"},
               {CallerField::pai, "+441"},
               {CallerField::ppi, "443"},
               {CallerField::rpid, "444"},
               {CallerField::display, "445"}};
  for (const auto& [field, caller] : cases) {
    CAPTURE(caller);
    customer.sip.caller_from = field;
    Bench bench(config);
    const auto call = deliver(bench, headers, "4420700", "445");
    CHECK(call->caller() == caller);
    bench.a->last_call()->hang_up();
    const Cdr cdr = bench.only_cdr();
    CHECK(cdr.caller == caller);
    CHECK(cdr.caller_in == caller);
  }
  SUBCASE("a header that is not there leaves From") {
    customer.sip.caller_from = CallerField::rpid;
    Bench bench(config);
    CHECK(deliver(bench, {})->caller() == "4420700");
  }
  SUBCASE("so does one without a number") {
    customer.sip.caller_from = CallerField::display;
    Bench bench(config);
    CHECK(deliver(bench, {}, "4420700", "Ann & Co")->caller() == "4420700");
  }
}

TEST_CASE("Identity: domain and user=phone stand in the URIs of the request (P-07, P-08)") {
  SipOptions options;
  options.user_phone = true;
  options.local_domain = "switch.example";
  Bench bench(with_vendor(options));
  Recorder vendor(bench);
  bench.a->dial("15550100", "1000");
  bench.run_s(1);
  const std::string& invite = vendor.invite();
  CHECK(invite.starts_with("INVITE sip:15550100@10.0.2.77:5060;user=phone SIP/2.0\r\n"));
  CHECK(header(invite, "From").starts_with("<sip:1000@switch.example;user=phone>;tag="));
  CHECK(header(invite, "To") == "<sip:15550100@10.0.2.77;user=phone>");
  CHECK(header(invite, "Contact") == "<sip:1000@10.0.0.1:5060>");
}

TEST_CASE("Identity: Contact is the outgoing caller at the address that is sent from (P-29)") {
  SwitchConfig config = base_config();
  config.sip_listen.push_back({SipTransport::udp, at("10.0.0.1:5070")});
  VendorGateway& vendor = config.provision.vendor_gateways[0];
  vendor.sip.local_address = at("10.0.0.1:5070");
  vendor.rewrite_caller = "4420:0";
  Bench bench(config);
  Recorder raw(bench);
  bench.a->dial("15550100", "4420700");
  bench.run_s(1);
  CHECK(header(raw.invite(), "Contact") == "<sip:0700@10.0.0.1:5070>");
  CHECK(header(raw.invite(), "From").starts_with("<sip:0700@10.0.0.1>;tag="));
}

TEST_CASE("Identity: restrictions hold for the number that is read (P-10, N-06)") {
  SwitchConfig config = base_config();
  CustomerGateway& customer = config.provision.customer_gateways[0];
  customer.sip.caller_from = CallerField::pai;
  customer.numbers.allow_caller_prefixes = {"44"};
  Bench bench(config);
  DialPlan plan;
  plan.headers = {{"P-Asserted-Identity", "<sip:331@x.example>"}};
  const auto refused = bench.a->dial("15550100", "4420700", plan);
  bench.run_s(1);
  CHECK(refused->status() == 403);
  CHECK(bench.only_cdr().end_reason == Reason::NumberRestricted);
}

TEST_CASE("Identity: a customer's callee is read where it has it (P-11)") {
  SwitchConfig config = base_config();
  CustomerGateway& customer = config.provision.customer_gateways[0];
  SUBCASE("the first Diversion") {
    customer.sip.callee_from = CalleeField::diversion;
    Bench bench(config);
    const auto call = deliver(bench, {{"Diversion", "<sip:15550177@x.example>;reason=no-answer"},
                                      {"Diversion", "<sip:15550178@x.example>"}});
    CHECK(call->callee() == "15550177");
    bench.a->last_call()->hang_up();
    CHECK(bench.only_cdr().callee == "15550177");
  }
  SUBCASE("To") {
    customer.sip.callee_from = CalleeField::to;
    Bench bench(config);
    send_invite(bench, "", "<sip:15550199@10.0.0.1>");
    REQUIRE(bench.b->last_call() != nullptr);
    CHECK(bench.b->last_call()->callee() == "15550199");
  }
  SUBCASE("no Diversion leaves the Request-URI") {
    customer.sip.callee_from = CalleeField::diversion;
    Bench bench(config);
    CHECK(deliver(bench, {})->callee() == "15550100");
  }
}

TEST_CASE("Forwarding: diversions pass when both sides want it, five hops at most (P-13)") {
  SipOptions options;
  options.forward_signal = true;
  SwitchConfig config = with_vendor(options);
  const Headers two = {{"Diversion", "<sip:1@x.example>;reason=user-busy, <sip:2@x.example>"},
                       {"History-Info", "<sip:1@x.example>;index=1"}};
  SUBCASE("not believed") {
    Bench bench(config);
    CHECK(value(*deliver(bench, two), "Diversion").empty());
  }
  config.provision.customer_gateways[0].sip.recognize_forward = true;
  SUBCASE("believed") {
    Bench bench(config);
    const auto call = deliver(bench, two);
    CHECK(value(*call, "Diversion") == two[0].second);
    CHECK(value(*call, "History-Info") == two[1].second);
  }
  SUBCASE("six hops are a loop") {
    Bench bench(config);
    DialPlan plan;
    SUBCASE("one each") { plan.headers.assign(6, {"Diversion", "<sip:1@x.example>"}); }
    SUBCASE("counted") { plan.headers = {{"Diversion", "<sip:1@x.example>;counter=6"}}; }
    SUBCASE("in a history") {
      plan.headers.assign(7, {"History-Info", "<sip:1@x.example>;index=1"});
    }
    const auto refused = bench.a->dial("15550100", "1000", plan);
    bench.run_s(1);
    CHECK(refused->status() == 482);
    CHECK(bench.only_cdr().end_reason == Reason::TooManyForwards);
    CHECK(bench.b->last_call() == nullptr);
  }
}

TEST_CASE("Headers: a customer's own pass as its list says, templates are filled in (P-14)") {
  SipOptions options;
  options.invite_headers = {
      HeaderTemplate::parse("X-Trunk: ${account}/${caller}/${callee}").value(),
      HeaderTemplate::parse("X-Fixed:  yes").value()};
  SwitchConfig config = with_vendor(options);
  const Headers sent = {{"X-One", "1"}, {"X-Two", "2"}, {"Subject", "hello"}};
  SUBCASE("a list, without case") {
    config.provision.customer_gateways[0].sip.pass_headers.names = {"x-one"};
    Bench bench(config);
    const auto call = deliver(bench, sent);
    CHECK(value(*call, "X-One") == "1");
    CHECK(value(*call, "X-Two").empty());
    CHECK(value(*call, "X-Trunk") == "acme/4420700/15550100");
    CHECK(value(*call, "X-Fixed") == "yes");
  }
  SUBCASE("all") {
    config.provision.customer_gateways[0].sip.pass_headers.all = true;
    Bench bench(config);
    const auto call = deliver(bench, sent);
    CHECK(value(*call, "X-Two") == "2");
    CHECK(value(*call, "Subject") == "hello");
  }
  SUBCASE("all, but nothing that is about the customer's side alone") {
    config.provision.customer_gateways[0].sip.pass_headers.all = true;
    Bench bench(config);
    Recorder vendor(bench);
    send_invite(bench,
                "X-One: 1\r\nRecord-Route: <sip:10.0.1.9;lr>\r\nSession-Expires: 1800\r\n"
                "Proxy-Authorization: Digest username=\"x\"\r\nReason: Q.850;cause=1\r\n"
                "Remote-Party-ID: <sip:1@x.example>\r\nUser-Agent: phone\r\n");
    const std::string& invite = vendor.invite();
    CHECK(header(invite, "X-One") == "1");
    CHECK(header(invite, "Session-Expires") == "600");
    for (const char* name :
         {"Record-Route", "Route", "Proxy-Authorization", "Reason", "Remote-Party-ID"}) {
      CAPTURE(name);
      CHECK(header(invite, name).empty());
    }
  }
}

TEST_CASE("Headers: a vendor's final responses pass as its list says (P-14)") {
  SipOptions options;
  options.pass_headers.names = {"X-Reply"};
  Bench bench(with_vendor(options));
  AnswerPlan plan;
  plan.headers = {{"X-Reply", "r"}, {"X-Other", "o"}};
  bench.b->set_plan(plan);
  const auto answered = bench.a->dial("15550100", "1000");
  bench.run_s(1);
  CHECK(value(*answered, "X-Reply") == "r");
  CHECK(value(*answered, "X-Other").empty());
  answered->hang_up();
  plan.status = 404;
  bench.b->set_plan(plan);
  const auto refused = bench.a->dial("15550100", "1000");
  bench.run_s(1);
  CHECK(refused->status() == 404);
  CHECK(value(*refused, "X-Reply") == "r");
}

TEST_CASE("Reason: a gateway without it neither gets nor gives causes (P-15)") {
  SipOptions options;
  options.reason = false;
  Bench bench(with_vendor(options));
  AnswerPlan plan;
  plan.status = 480;
  plan.q850_cause = 1;
  bench.b->set_plan(plan);
  const auto refused = bench.a->dial("15550100", "1000");
  bench.run_s(1);
  CHECK(refused->q850_cause() == 18);  // that of 480
  plan = {};
  bench.b->set_plan(plan);
  const auto call = bench.a->dial("15550100", "1000");
  bench.run_s(1);
  call->hang_up(31);
  bench.run_s(1);
  CHECK(bench.b->last_call()->q850_cause() == 16);  // a BYE that says nothing
}

TEST_CASE("Failures: tables of the switch map statuses and causes before all others (C-09)") {
  SwitchConfig config = base_config(2);
  AnswerPlan refusing;
  refusing.status = 503;
  const auto refused = [&] {
    auto bench = std::make_unique<Bench>(config);
    for (Endpoint* vendor : bench->vendors)
      vendor->set_plan(refusing);
    return bench;
  };
  SUBCASE("a cause for a status that came without one") {
    config.parameters.q850_for_sip = {{503, 42}, {486, 31}};
    const auto bench = refused();
    const auto call = bench->a->dial("15550100", "1000");
    bench->run_s(1);
    CHECK(call->status() == 503);
    CHECK(call->q850_cause() == 42);
    const Cdr cdr = bench->only_cdr();
    CHECK(cdr.q850_cause == 42);
    REQUIRE(cdr.attempts.size() == 2);
    CHECK(cdr.attempts[0].q850_cause == 42);
  }
  SUBCASE("a cause that came is left alone") {
    config.parameters.q850_for_sip = {{503, 42}};
    refusing.q850_cause = 34;
    const auto bench = refused();
    const auto call = bench->a->dial("15550100", "1000");
    bench->run_s(1);
    CHECK(call->q850_cause() == 34);
  }
  SUBCASE("a status for a cause, which stops the hunt as that status does") {
    config.parameters.sip_for_q850 = {{21, 603}, {34, 486}};
    refusing.q850_cause = 34;
    const auto bench = refused();
    const auto call = bench->a->dial("15550100", "1000");
    bench->run_s(1);
    CHECK(call->status() == 486);
    CHECK(call->q850_cause() == 34);
    const Cdr cdr = bench->only_cdr();
    CHECK(cdr.end_reason == Reason::CalleeBusy);
    REQUIRE(cdr.attempts.size() == 1);
    CHECK(cdr.attempts[0].sip_status == 503);  // as the vendor said it
    CHECK(cdr.attempts[0].reason == Reason::VendorFailure);
  }
  SUBCASE("the customer's list sees what the table made of it") {
    config.parameters.sip_for_q850 = {{34, 480}};
    config.provision.customer_gateways[0].sip.replace_reasons = {{480, 404}, {503, 500}};
    refusing.q850_cause = 34;
    const auto bench = refused();
    const auto call = bench->a->dial("15550100", "1000");
    bench->run_s(1);
    CHECK(call->status() == 404);
    CHECK(call->q850_cause() == 1);
  }
}

TEST_CASE("Failures: a customer's list turns 503 into busy, which ends the hunt (P-30)") {
  SwitchConfig config = base_config(2);
  SipOptions& options = config.provision.customer_gateways[0].sip;
  AnswerPlan refusing;
  refusing.status = 503;
  SUBCASE("replaced") {
    options.replace_reasons = {{503, 486}};
    Bench bench(config);
    bench.vendors[0]->set_plan(refusing);
    const auto call = bench.a->dial("15550100", "1000");
    bench.run_s(1);
    CHECK(call->status() == 486);
    CHECK(call->q850_cause() == 17);
    const Cdr cdr = bench.only_cdr();
    CHECK(cdr.end_reason == Reason::CalleeBusy);
    CHECK(cdr.sip_status == 486);
    REQUIRE(cdr.attempts.size() == 1);
    CHECK(cdr.attempts[0].sip_status == 503);
    CHECK(cdr.attempts[0].reason == Reason::VendorFailure);
  }
  SUBCASE("any other, and the hunt goes on") {
    options.replace_reasons = {{0, 480}};
    options.replace_causes = {{18, 31}};
    Bench bench(config);
    refusing.status = 486;
    for (Endpoint* vendor : bench.vendors)
      vendor->set_plan(refusing);
    const auto call = bench.a->dial("15550100", "1000");
    bench.run_s(1);
    CHECK(call->status() == 480);
    CHECK(call->q850_cause() == 18);  // that of 480; 17, which the vendor meant, is not in the list
    CHECK(bench.only_cdr().attempts.size() == 2);
  }
  SUBCASE("causes alone") {
    options.replace_causes = {{34, 17}};
    Bench bench(config);
    refusing.q850_cause = 34;
    for (Endpoint* vendor : bench.vendors)
      vendor->set_plan(refusing);
    const auto call = bench.a->dial("15550100", "1000");
    bench.run_s(1);
    CHECK(call->status() == 503);
    CHECK(call->q850_cause() == 17);
  }
  SUBCASE("what the vendor's server says of itself is not the caller's") {
    options.replace_reasons = {{503, 486}};
    Bench bench(config);
    refusing.retry_after_s = 30;
    for (Endpoint* vendor : bench.vendors)
      vendor->set_plan(refusing);
    const auto call = bench.a->dial("15550100", "1000");
    bench.run_s(1);
    CHECK(call->status() == 486);
    CHECK(call->retry_after_s() == 0);
  }
  SUBCASE("a vendor that says nothing") {
    options.replace_reasons = {{408, 404}};
    Bench bench(config);
    AnswerPlan mute;
    mute.responds = false;
    for (Endpoint* vendor : bench.vendors)
      vendor->set_plan(mute);
    const auto call = bench.a->dial("15550100", "1000");
    bench.run_s(40);
    CHECK(call->status() == 404);
    CHECK(bench.only_cdr().end_reason == Reason::NotFound);
    CHECK(bench.only_cdr().release_side == ReleaseSide::server);
  }
}

TEST_CASE("Failures: what a vendor wants of us is no answer for a caller (RFC 3261 21.4.15)") {
  for (const int status : {302, 401, 407, 420, 421, 422}) {
    CAPTURE(status);
    Bench bench;
    bench.b->set_plan(refuse(status));
    const auto call = bench.dial();
    bench.run_s(1);
    CHECK(call->status() == 503);
    CHECK(bench.only_cdr().attempts[0].sip_status == status);
  }
}

TEST_CASE("Timers: a vendor has its own, a customer a time for all of them (P-19)") {
  SwitchConfig config = base_config(3);
  AnswerPlan mute;
  mute.responds = false;
  SUBCASE("of a vendor") {
    config.provision.vendor_gateways[0].sip.timers.invite_s = 3;
    Bench bench(config);
    bench.vendors[0]->set_plan(mute);
    bench.a->dial("15550100", "1000");
    bench.run_s(2);
    CHECK(bench.vendors[1]->calls().empty());
    bench.run_s(2);
    CHECK(bench.vendors[1]->calls().size() == 1);
  }
  SUBCASE("over all vendors") {
    config.provision.customer_gateways[0].sip.setup_timeout_s = 15;
    Bench bench(config);
    for (Endpoint* vendor : bench.vendors)
      vendor->set_plan(mute);
    const auto call = bench.a->dial("15550100", "1000");
    bench.run_s(16);
    CHECK(call->is_over());
    CHECK(call->status() == 408);
    CHECK(bench.only_cdr().attempts.size() == 2);  // 10 s and 5 s
    CHECK(bench.vendors[2]->calls().empty());
  }
  SUBCASE("what rang is not too late for the next vendor") {
    config.provision.customer_gateways[0].sip.setup_timeout_s = 15;
    config.provision.vendor_gateways[0].switching.after_ringing = true;
    Bench bench(config);
    AnswerPlan ringing = refuse(503, 40 * second_us);
    ringing.ring_after_us = second_us;
    bench.vendors[0]->set_plan(ringing);
    const auto call = bench.a->dial("15550100", "1000");
    bench.run_s(45);
    CHECK(call->was_answered());
    CHECK(bench.vendors[1]->calls().size() == 1);
  }
  SUBCASE("ringing is in time") {
    config.provision.customer_gateways[0].sip.setup_timeout_s = 15;
    Bench bench(config);
    AnswerPlan slow;
    slow.ring_after_us = second_us;
    slow.answer_after_us = 60 * second_us;
    bench.b->set_plan(slow);
    const auto call = bench.a->dial("15550100", "1000");
    bench.run_s(70);
    CHECK(call->was_answered());
  }
}

TEST_CASE(
    "Retry-After: of a server it closes the vendor, of a callee it goes to the caller (R-16)") {
  Bench bench(base_config());
  AnswerPlan plan;
  plan.retry_after_s = 30;
  plan.status = 503;
  bench.b->set_plan(plan);
  auto call = bench.a->dial("15550100", "1000");
  bench.run_s(1);
  CHECK(call->retry_after_s() == 0);
  call = bench.a->dial("15550100", "1000");
  bench.run_s(1);
  CHECK(bench.b->calls().size() == 1);  // closed
  bench.run_s(31);
  plan.status = 480;
  bench.b->set_plan(plan);
  call = bench.a->dial("15550100", "1000");
  bench.run_s(1);
  CHECK(call->retry_after_s() == 30);
  bench.a->dial("15550100", "1000");
  bench.run_s(1);
  CHECK(bench.b->calls().size() == 3);  // still open
}

TEST_CASE("Retry-After: a gateway may have it switched off (P-16, R-16)") {
  SwitchConfig config = base_config();
  config.provision.customer_gateways[0].sip.retry_after = false;
  config.provision.vendor_gateways[0].sip.retry_after = false;
  Bench bench(config);
  AnswerPlan plan;
  plan.retry_after_s = 30;
  plan.status = 503;
  bench.b->set_plan(plan);
  bench.a->dial("15550100", "1000");
  bench.run_s(1);
  plan.status = 480;
  bench.b->set_plan(plan);
  const auto call = bench.a->dial("15550100", "1000");
  bench.run_s(1);
  CHECK(bench.b->calls().size() == 2);
  CHECK(call->status() == 480);
  CHECK(call->retry_after_s() == 0);
}
