// Phones and gateways that register, and the calls that they make and get.
#include <algorithm>
#include <string>
#include <vector>

#include "flow/flow.hpp"
#include "sip/digest.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

PhoneConfig phone(const std::string& number, const std::string& account = "acme") {
  PhoneConfig one;
  one.id = one.number = number;
  one.password = "secret" + number;
  one.account = account;
  return one;
}

/// base_config() with phones 1001 and 1002.
SwitchConfig phone_config() {
  SwitchConfig config = base_config();
  config.provision.phones = {phone("1001"), phone("1002")};
  return config;
}

/// A bench with a device for each of two phones.
struct Phones : Bench {
  Endpoint* alice;
  Endpoint* bob;
  std::vector<Event> events;

  explicit Phones(SwitchConfig settings = phone_config())
      : Bench(std::move(settings), {}, hooks_for(events)),
        alice(endpoint("10.0.3.1:5060")),
        bob(endpoint("10.0.3.2:5060")) {}

  ~Phones() { tandem.reset(); }  // before `events`

  static SwitchHooks hooks_for(std::vector<Event>& events) {
    SwitchHooks hooks;
    hooks.on_event = [&events](const Event& event) { events.push_back(event); };
    return hooks;
  }
  int registers(Endpoint* device, const std::string& number, int expires_s = 3600,
                SipTransport transport = SipTransport::udp) {
    device->register_user(number, "secret" + number, expires_s, transport);
    REQUIRE(
        world.run_until([&] { return device->registration_status(number) != 0; }, 40 * second_us));
    return device->registration_status(number);
  }
  std::shared_ptr<EndpointCall> call(Endpoint* device, const std::string& number,
                                     const std::string& callee) {
    DialPlan plan;
    plan.username = number;
    plan.password = "secret" + number;
    return device->dial(callee, number, plan);
  }
  /// Calls, waits for the answer or the end, and hangs up.
  std::shared_ptr<EndpointCall> talk(Endpoint* device, const std::string& number,
                                     const std::string& callee, int talk_s = 10) {
    auto one = call(device, number, callee);
    world.run_until([&] { return one->was_answered() || one->is_over(); }, 60 * second_us);
    if (one->was_answered()) {
      run_s(talk_s);
      one->hang_up();
    }
    REQUIRE(world.run_until_idle());
    return one;
  }
  std::vector<std::string> states() const {
    std::vector<std::string> found;
    for (const Event& event : events)
      if (event.registration) found.push_back(event.registration->state);
    return found;
  }
  const Cdr& last_cdr() {
    REQUIRE_FALSE(world.cdrs().empty());
    return world.cdrs().back();
  }
};

/// What a raw device says, so that it can say it wrongly too.
struct RawPhone {
  RawEndpoint* wire;
  std::string number, password, contact;
  std::string challenge;
  std::uint32_t cseq = 0;
  std::string call_id = "raw-call-id";
  SeededRandom random{5};

  RawPhone(Bench& bench, const std::string& address, std::string user, std::string at)
      : number(std::move(user)), password("secret" + number), contact(std::move(at)) {
    auto made = bench.world.add_raw_endpoint(address);
    REQUIRE(made.ok());
    wire = *made;
  }
  std::string request(const std::string& authorization = {}, int expires_s = 3600) {
    const std::string text = std::to_string(++cseq);
    return "REGISTER sip:10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP " + contact + ";branch=z9hG4bKraw" +
           text + ";rport\r\nMax-Forwards: 70\r\nFrom: <sip:" + number +
           "@10.0.0.1>;tag=raw\r\nTo: <sip:" + number + "@10.0.0.1>\r\nCall-ID: " + call_id +
           "\r\nCSeq: " + text + " REGISTER\r\nContact: <sip:" + number + "@" + contact +
           ">\r\nExpires: " + std::to_string(expires_s) + "\r\n" +
           (authorization.empty() ? "" : "Authorization: " + authorization + "\r\n") +
           "Content-Length: 0\r\n\r\n";
  }
  std::string peer = switch_address;
  void send(const std::string& bytes) { wire->send(at(peer), bytes); }
  std::string answer_after_challenge() {
    (void)last();
    return answer();
  }
  std::string answer(std::uint32_t count = 1) {
    return sip::answer_challenge(challenge, number, password, "REGISTER", "sip:10.0.0.1", count,
                                 random)
        .value()
        .value;
  }
  /// First line of the last answer; remembers a challenge.
  std::string last() {
    if (wire->received().empty()) return {};
    const std::string& bytes = wire->received().back().bytes;
    const auto begin = bytes.find("WWW-Authenticate: ");
    if (begin != std::string::npos)
      challenge = bytes.substr(begin + 18, bytes.find('\r', begin) - begin - 18);
    return bytes.substr(0, bytes.find('\r'));
  }
};

}  // namespace

TEST_CASE("Phones: a caller that asks for privacy is hidden from them, and billed as ever (P-12)") {
  bool is_honoured = true;
  SUBCASE("honoured") {}
  SUBCASE("not honoured") { is_honoured = false; }
  SwitchConfig config = phone_config();
  if (is_honoured) config.provision.customer_gateways[0].sip.privacy = PrivacyMode::pass;
  Phones bench(std::move(config));
  REQUIRE(bench.registers(bench.bob, "1002") == 200);
  bench.bob->set_plan(answer_after(0));
  DialPlan plan;
  plan.headers = {{"Privacy", "id"}};
  const auto call = bench.dial(plan, "1002", "4420700");
  bench.world.run_until([&] { return call->was_answered() || call->is_over(); }, 10 * second_us);
  REQUIRE(call->was_answered());
  CHECK(bench.bob->last_call()->caller() == (is_honoured ? "anonymous" : "4420700"));
  call->hang_up();
  bench.run_s(1);
  CHECK(bench.last_cdr().caller == "4420700");
}

TEST_CASE(
    "Phones: one that registers is on line, is told of, and goes when its time is up (P-05, "
    "T-11)") {
  Phones bench;
  CHECK(bench.tandem->phones().size() == 2);
  CHECK(bench.tandem->phone("1001")->contacts.empty());
  CHECK(bench.registers(bench.alice, "1001", 60) == 200);
  CHECK(bench.alice->registration_expires_s("1001") == 60);
  CHECK(bench.alice->received("401") == 1);
  const auto view = bench.tandem->phone("1001");
  REQUIRE(view->contacts.size() == 1);
  CHECK(view->contacts[0].address.to_string() == "10.0.3.1:5060");
  CHECK(view->contacts[0].product == "endpoint");
  CHECK(bench.tandem->counters().registrants_online == 1);
  bench.run_s(40);
  CHECK(bench.registers(bench.alice, "1001", 60) == 200);
  bench.run_s(50);
  CHECK(bench.states() == std::vector<std::string>{"registered"});
  bench.run_s(12);
  CHECK(bench.states() == std::vector<std::string>{"registered", "expired"});
  CHECK(bench.events.back().kind == Event::Kind::phone);
  CHECK(bench.events.back().registration->phone == "1001");
  CHECK(bench.tandem->phone("1001")->contacts.empty());
  CHECK(bench.registers(bench.alice, "1001", 60) == 200);
  CHECK(bench.registers(bench.alice, "1001", 0) == 200);
  CHECK(bench.states().back() == "unregistered");
}

TEST_CASE(
    "Phones: who is not provisioned, or guesses, is challenged and then refused (P-04, P-05)") {
  Phones bench;
  bench.alice->register_user("1003", "secret1003");
  bench.bob->register_user("1002", "wrong");
  bench.run_s(1);
  CHECK(bench.alice->registration_status("1003") == 403);
  CHECK(bench.bob->registration_status("1002") == 403);
  CHECK(bench.tandem->counters().registrants_online == 0);
  bench.check_clean();
}

TEST_CASE("Phones: a challenge offers MD5, then SHA-256 unless that is off (P-04)") {
  for (const bool offers : {true, false}) {
    SwitchConfig config = phone_config();
    config.parameters.auth_sha256 = offers;
    Phones bench(config);
    RawPhone device(bench, "10.0.3.9:5060", "1002", "10.0.3.9:5060");
    device.send(device.request());
    bench.run_ms(200);
    REQUIRE(device.last() == "SIP/2.0 401 Unauthorized");
    CHECK(device.challenge.find("algorithm=MD5") != std::string::npos);
    const std::string& bytes = device.wire->received().back().bytes;
    CHECK((bytes.find("algorithm=SHA-256") != std::string::npos) == offers);
    // Who answers with it is served either way.
    device.challenge.replace(device.challenge.find("MD5"), 3, "SHA-256");
    device.send(device.request(device.answer()));
    bench.run_ms(200);
    CHECK(device.last() == "SIP/2.0 200 OK");
  }
}

TEST_CASE("Phones: a switch without any takes no REGISTER") {
  Bench bench;
  bench.a->register_user("1001", "secret");
  bench.run_s(1);
  CHECK(bench.a->registration_status("1001") == 405);
}

TEST_CASE("Phones: six wrong passwords suspend the pair, another address still registers (S-08)") {
  Phones bench;
  for (int i = 0; i < 6; ++i) {
    bench.alice->register_user("1001", "guess");
    bench.run_s(1);
    CHECK(bench.alice->registration_status("1001") == 403);
  }
  // Suspended: the right password does not help, nor is there a digest to compute.
  CHECK(bench.registers(bench.alice, "1001") == 403);
  CHECK(bench.registers(bench.bob, "1001") == 200);
  const auto calls = bench.talk(bench.alice, "1001", "442079460000");
  CHECK(calls->status() == 403);
  CHECK(bench.last_cdr().end_reason == Reason::AuthenticationFailed);
  const auto listed = bench.tandem->suspensions();
  REQUIRE(listed.size() == 1);
  CHECK(listed[0].user == "1001");
  CHECK(listed[0].address == "10.0.3.1");
  CHECK(std::count_if(bench.events.begin(), bench.events.end(),
                      [](const Event& event) { return event.kind == Event::Kind::alarm; }) == 1);
  REQUIRE(bench.tandem->lift_suspension("1001", "10.0.3.1").ok());
  CHECK_FALSE(bench.tandem->lift_suspension("1001", "10.0.3.1").ok());
  CHECK(bench.registers(bench.alice, "1001") == 200);
}

TEST_CASE("Phones: wrong passwords of calls count, and suspension ends by itself (S-08)") {
  SwitchConfig config = phone_config();
  config.parameters.auth_failures = 2;
  config.parameters.auth_suspend_s = 30;
  Phones bench(config);
  for (int i = 0; i < 2; ++i) {
    DialPlan plan;
    plan.username = "1001";
    plan.password = "guess";
    auto call = bench.alice->dial("442079460000", "1001", plan);
    bench.run_s(1);
    CHECK(call->status() == 403);
  }
  CHECK(bench.registers(bench.alice, "1001") == 403);
  bench.run_s(31);
  CHECK(bench.registers(bench.alice, "1001") == 200);
}

TEST_CASE("Phones: who takes no notice of challenges is refused at last (P-04)") {
  SwitchConfig config = phone_config();
  config.parameters.auth_rounds = 3;
  Phones bench(config);
  RawPhone device(bench, "10.0.3.9:5060", "1002", "10.0.3.9:5060");
  // Whose answers come again and again, since nobody acknowledges them.
  const auto status_of = [&](const std::string& cseq) {
    bench.run_ms(100);
    for (const auto& datagram : device.wire->received()) {
      const std::string& bytes = datagram.bytes;
      if (bytes.find("\r\nCSeq: " + cseq + "\r\n") == std::string::npos) continue;
      const auto begin = bytes.find("WWW-Authenticate: ");
      if (begin != std::string::npos)
        device.challenge = bytes.substr(begin + 18, bytes.find('\r', begin) - begin - 18);
      const int status = std::stoi(bytes.substr(8, 3));
      if (status >= 200) return status;
    }
    return 0;
  };
  const auto invite = [&](const std::string& call_id) {
    const std::string number = std::to_string(++device.cseq);
    device.send(
        "INVITE sip:442079460000@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.3.9:5060"
        ";branch=z9hG4bKinv" +
        number + "\r\nMax-Forwards: 70\r\nFrom: <sip:1002@10.0.0.1>;tag=raw" + number +
        "\r\nTo: <sip:442079460000@10.0.0.1>\r\nCall-ID: " + call_id + "\r\nCSeq: " + number +
        " INVITE\r\nContact: <sip:1002@10.0.3.9>\r\nContent-Length: 0\r\n\r\n");
    return status_of(number + " INVITE");
  };
  const auto registering = [&](const std::string& authorization = {}) {
    device.send(device.request(authorization));
    return status_of(std::to_string(device.cseq) + " REGISTER");
  };
  for (int i = 0; i < 3; ++i)
    CHECK(invite("one") == 401);
  CHECK(invite("one") == 403);
  CHECK(invite("one") == 403);
  CHECK(invite("two") == 401);
  for (int i = 0; i < 3; ++i)
    CHECK(registering() == 401);
  CHECK(registering() == 403);
  // Whoever sent them: nothing is recorded, and nobody is suspended.
  bench.run_s(11);
  CHECK(bench.world.cdrs().empty());
  CHECK(bench.tandem->suspensions().empty());
  CHECK(bench.tandem->calls().empty());
  CHECK(invite("one") == 401);
  CHECK(registering() == 401);
  for (int i = 0; i < 4; ++i) {  // who answers is no such one
    CHECK(registering(device.answer()) == 200);
    CHECK(registering() == 401);
  }
}

TEST_CASE("Phones: one calls another, and its account pays (T-01, B-04, A-03)") {
  Phones bench;
  bench.registers(bench.alice, "1001");
  bench.registers(bench.bob, "1002");
  auto call = bench.talk(bench.alice, "1001", "1002", 60);
  CHECK(call->was_answered());
  REQUIRE(bench.bob->last_call() != nullptr);
  CHECK(bench.bob->last_call()->caller() == "1001");
  CHECK(bench.bob->last_call()->callee() == "1002");
  CHECK(bench.b->received("INVITE") == 0);
  const Cdr& cdr = bench.only_cdr();
  CHECK(cdr.customer_gateway == "phone:1001");
  CHECK(cdr.vendor_gateway == "phone:1002");
  CHECK(cdr.customer.account == "acme");
  CHECK(cdr.customer.charge == money("0.60"));
  CHECK_FALSE(cdr.vendor.has_value());
  CHECK(cdr.callee_ip == "10.0.3.2:5060");
  CHECK(bench.balance() == money("99.40"));
}

TEST_CASE("Phones: one that says so pays for the calls that it gets, callers do not (B-04)") {
  SwitchConfig config = phone_config();
  config.provision.accounts.push_back(account("shop", "1.00"));
  config.provision.phones[1].account = "shop";
  config.provision.phones[1].pays_when_called = true;
  Phones bench(config);
  bench.registers(bench.bob, "1002");
  CHECK(bench.talk(bench.alice, "1001", "1002", 60)->was_answered());
  const Cdr cdr = bench.only_cdr();
  CHECK(cdr.customer_gateway == "phone:1001");
  CHECK(cdr.customer.account == "shop");
  CHECK(cdr.customer.charge == money("0.60"));
  CHECK(bench.balance("shop") == money("0.40"));
  CHECK(bench.talk(bench.alice, "1001", "1002", 60)->was_answered());  // until its money ends
  CHECK(bench.last_cdr().end_reason == Reason::BalanceExhausted);
  CHECK(bench.balance("shop").is_zero());
  CHECK_FALSE(bench.talk(bench.alice, "1001", "1002")->was_answered());
  CHECK(bench.last_cdr().end_reason == Reason::AccountBalanceNotEnough);
  CHECK(bench.balance() == money("100.00"));
  CHECK(bench.talk(bench.alice, "1001", "442079460000", 60)->was_answered());
  CHECK(bench.balance() == money("99.40"));
}

TEST_CASE("Phones: calls to phones are free when the parameter says so (B-09)") {
  SwitchConfig config = phone_config();
  config.parameters.no_billing_to_phones = true;
  Phones bench(config);
  bench.registers(bench.bob, "1002");
  CHECK(bench.talk(bench.alice, "1001", "1002", 60)->was_answered());
  CHECK(bench.balance() == money("100.00"));
  CHECK(bench.talk(bench.alice, "1001", "442079460000", 60)->was_answered());
  CHECK(bench.balance() == money("99.40"));
}

TEST_CASE("Phones: one calls out through a vendor under its own number or its DID (A-03, N-01)") {
  SwitchConfig config = phone_config();
  config.provision.phones[0].dids = {"442071110000"};
  config.provision.phones[0].rewrite_callee = "0:44";
  Phones bench(config);
  auto call = bench.call(bench.alice, "1001", "02079460000");
  bench.run_s(5);
  CHECK(call->was_answered());
  CHECK(bench.b->last_call()->callee() == "442079460000");
  CHECK(bench.b->last_call()->caller() == "1001");
  call->hang_up();
  DialPlan plan;
  plan.username = "1001";
  plan.password = "secret1001";
  auto by_did = bench.alice->dial("02079460000", "442071110000", plan);
  bench.run_s(5);
  CHECK(bench.b->last_call()->caller() == "442071110000");
  by_did->hang_up();
  auto stolen = bench.alice->dial("02079460000", "442079999999", plan);
  bench.run_s(5);
  CHECK(stolen->status() == 403);  // nobody would ask a stranger for credentials
  bench.registers(bench.alice, "1001");
  bench.check_clean();
}

TEST_CASE("Phones: an INVITE without or with used credentials is challenged (P-04, S-10)") {
  Phones bench;
  auto none = bench.alice->dial("442079460000", "1001");
  auto unknown = bench.alice->dial("442079460000", "1003");
  bench.run_s(1);
  CHECK(none->status() == 401);
  CHECK(unknown->status() == 403);
  bench.check_clean();
}

TEST_CASE("Phones: customers reach a phone by its number and its DID (T-01, N-01)") {
  SwitchConfig config = phone_config();
  config.provision.phones[1].dids = {"442071110000"};
  config.provision.phones[1].called_rewrite_caller = ":9";
  Phones bench(config);
  bench.registers(bench.bob, "1002");
  for (const char* number : {"1002", "442071110000"}) {
    auto call = bench.dial({}, number);
    bench.run_s(2);
    CHECK(call->was_answered());
    CHECK(bench.bob->last_call()->caller() == "91000");
    call->hang_up();
    bench.run_s(1);
  }
  CHECK(bench.b->received("INVITE") == 0);
  bench.check_clean();
}

TEST_CASE("Phones: one that is offline gives 480, or is routed like any number (R-21, T-12)") {
  SwitchConfig config = phone_config();
  config.provision.phones[1].offline_to_gateways = true;
  Phones bench(config);
  CHECK(bench.talk(bench.alice, "1001", "1001")->status() == 480);
  CHECK(bench.last_cdr().end_reason == Reason::CalleeNotOnline);
  CHECK(bench.talk(bench.alice, "1001", "1002")->was_answered());
  CHECK(bench.b->received("INVITE") == 1);
  CHECK(bench.last_cdr().vendor_gateway == "v1");
  bench.registers(bench.bob, "1002");
  CHECK(bench.talk(bench.alice, "1001", "1002")->was_answered());
  CHECK(bench.bob->received("INVITE") == 1);
}

TEST_CASE("Phones: limits in, out and of both together hold, and lines come back (T-16, R-10)") {
  SwitchConfig config = phone_config();
  config.provision.phones[0].line_out = 1;
  config.provision.phones[1].line_in = 2;
  config.provision.phones[1].line_limit = 2;
  Phones bench(config);
  bench.registers(bench.bob, "1002");
  auto first = bench.call(bench.alice, "1001", "1002");
  bench.run_s(2);
  REQUIRE(first->was_answered());
  auto second = bench.call(bench.alice, "1001", "442079460000");
  bench.run_s(2);
  CHECK(second->status() == 503);
  CHECK(bench.last_cdr().end_reason == Reason::LineLimitExceeded);
  auto out = bench.call(bench.bob, "1002", "442079460000");
  bench.run_s(2);
  CHECK(out->was_answered());
  const auto view = bench.tandem->phone("1002");
  CHECK(view->calls_in == 1);
  CHECK(view->calls_out == 1);
  auto third = bench.dial({}, "1002");
  bench.run_s(2);
  CHECK(third->status() == 503);
  out->hang_up();
  bench.run_s(1);
  auto fourth = bench.dial({}, "1002");
  bench.run_s(2);
  CHECK(fourth->was_answered());
  fourth->hang_up();
  first->hang_up();
  bench.check_clean();
  CHECK(bench.tandem->phone("1002")->calls_in == 0);
}

TEST_CASE(
    "Phones: one has a package and a bound by the month, which are of no other's calls (B-18, "
    "B-21, "
    "T-16)") {
  SwitchConfig config = phone_config();
  PackageConfig minute;
  minute.id = "minute";
  minute.rent_fee = money("10.00");
  minute.gift_times = {PackageGift{}};
  minute.gift_times[0].seconds = 60;
  config.provision.packages = {minute};
  PackageOrder order;
  order.id = "o1";
  order.package = "minute";
  order.phone = "1001";
  config.provision.package_orders = {order};
  config.provision.phones[0].monthly.maximum = money("0.50");
  Phones bench(config);
  const std::string vendor_number = "442079460000";
  bench.run_s(1);
  CHECK(bench.balance() == money("90.00"));  // its account has paid the rent
  CHECK(bench.tandem->phone_packages("1001")->size() == 2);
  CHECK(bench.tandem->phone_packages("1002")->empty());
  CHECK(bench.tandem->packages("acme")->size() == 2);
  CHECK(bench.tandem->phone_packages("1003").error().code == ErrorCode::not_found);
  const auto shown =
      bench.tandem->explain({.from = "phone:1001", .caller = "1001", .callee = vendor_number});
  REQUIRE(shown.ok());
  CHECK(shown->find(R"("gift_s":60)") != std::string::npos);

  CHECK(bench.talk(bench.bob, "1002", vendor_number, 60)->was_answered());
  CHECK(bench.last_cdr().customer.charge == money("0.60"));
  CHECK(bench.talk(bench.alice, "1001", vendor_number, 110)->was_answered());
  CHECK(bench.last_cdr().customer.package_time_s == 60);
  CHECK(bench.last_cdr().customer.charge == money("0.50"));
  const auto is_bounded = [&] {
    const bool is_refused = !bench.talk(bench.alice, "1001", vendor_number)->was_answered();
    return is_refused && bench.last_cdr().end_reason == Reason::AccountBalanceNotEnough;
  };
  CHECK(is_bounded());
  bench.tandem.reset();
  bench.open();
  CHECK(is_bounded());
  CHECK(bench.talk(bench.bob, "1002", vendor_number, 10)->was_answered());
  CHECK(bench.balance() == money("88.80"));

  for (int day = 0; day < 31; ++day) {  // the world begins with 2026
    bench.world.step_wall_us(86'400 * second_us);
    bench.run_ms(200);
  }
  CHECK(bench.balance() == money("78.80"));
  CHECK(bench.talk(bench.alice, "1001", vendor_number, 30)->was_answered());
  CHECK(bench.last_cdr().customer.package_time_s == 30);
  CHECK(bench.last_cdr().customer.charge.is_zero());
  bench.check_clean();
}

TEST_CASE("Phones: locks bar calls out, in, or both (R-14)") {
  SwitchConfig config = phone_config();
  config.provision.phones[0].locked = PhoneLock::outgoing;
  config.provision.phones[1].locked = PhoneLock::incoming;
  Phones bench(config);
  bench.registers(bench.alice, "1001");
  bench.registers(bench.bob, "1002");
  CHECK(bench.talk(bench.alice, "1001", "442079460000")->status() == 403);
  CHECK(bench.last_cdr().end_reason == Reason::GatewayLocked);
  CHECK(bench.talk(bench.bob, "1002", "1001")->was_answered());
  auto barred = bench.dial({}, "1002");
  bench.run_s(2);
  CHECK(barred->status() == 403);
  CHECK(bench.last_cdr().end_reason == Reason::GatewayLocked);
}

TEST_CASE("Phones: a gateway may be for calls to phones only, or for none of them (N-06)") {
  SwitchConfig config = phone_config();
  config.provision.customer_gateways[0].callee_restriction = CalleeRestriction::phones;
  Phones bench(config);
  bench.registers(bench.bob, "1002");
  auto outside = bench.dial();
  auto inside = bench.dial({}, "1002");
  bench.run_s(2);
  CHECK(outside->status() == 403);
  CHECK(inside->was_answered());
  inside->hang_up();
  bench.run_s(1);
  config.provision.customer_gateways[0].callee_restriction = CalleeRestriction::no_phones;
  config.provision.vendor_gateways[0].callee_restriction = CalleeRestriction::phones;
  REQUIRE(bench.tandem->reload(config).ok());
  auto phone_callee = bench.dial({}, "1002");
  auto no_vendor = bench.dial();
  bench.run_s(2);
  CHECK(phone_callee->status() == 403);
  CHECK(no_vendor->status() == 503);
  bench.check_clean();
}

TEST_CASE(
    "Phones: their own order, vendors and price guard hold for what they dial (R-07, R-09, R-18)") {
  SwitchConfig config = base_config(2);
  config.provision.phones = {phone("1001"), phone("1002")};
  GatewayGroup group;
  group.id = "second";
  group.members = {{"v2", 0}};
  config.provision.gateway_groups = {group};
  config.provision.phones[0].vendor_groups_allow = {"second"};
  config.provision.phones[1].max_price_per_s = money("0.001");
  Phones bench(config);
  CHECK(bench.talk(bench.alice, "1001", "442079460000")->was_answered());
  CHECK(bench.last_cdr().vendor_gateway == "v2");
  CHECK(bench.talk(bench.bob, "1002", "442079460000")->status() == 503);
  CHECK(bench.last_cdr().end_reason == Reason::ProfitGuard);
}

TEST_CASE("Phones: what a phone dials is looked up, routed and billed by its own settings (R-20)") {
  SwitchConfig config = base_config(2);
  config.provision.vendor_gateways[0].prefixes = {"1212"};
  config.provision.vendor_gateways[1].prefixes = {"1646"};
  config.provision.rate_decks[0].rates[0].prefix = "";
  config.provision.phones = {phone("1001"), phone("1002")};
  LrnResolverConfig resolver;
  resolver.id = "db";
  resolver.kind = LrnResolverKind::http;
  resolver.addresses = {at("10.0.9.1:80")};
  config.provision.lrn_resolvers = {resolver};
  LrnGatewayConfig& lrn = config.provision.phones[0].lrn.emplace();
  lrn.resolver = "db";
  lrn.eat_prefix_length = 1;
  lrn.undetermined_billing_prefix = "9";
  Phones bench(config);
  const auto server = bench.world.add_lrn_server("10.0.9.1:80", LrnResolverKind::http);
  REQUIRE(server.ok());
  (*server)->set("2125550123", {"6465550000", "NY"});
  CHECK(bench.talk(bench.alice, "1001", "12125550123")->was_answered());
  CHECK(bench.last_cdr().vendor_gateway == "v2");
  CHECK(bench.last_cdr().lrn == "6465550000");
  CHECK(bench.last_cdr().callee == "912125550123");
  CHECK_MESSAGE(bench.talk(bench.bob, "1002", "12125550123")->was_answered(), "asks nobody");
  CHECK(bench.last_cdr().vendor_gateway == "v1");
  CHECK(bench.last_cdr().callee == "12125550123");
  const auto answer = bench.tandem->explain(
      {"phone:1001", "1001", "12125550123", std::nullopt, LrnRecord{"6465550000", "NY"}});
  REQUIRE(answer.ok());
  CHECK(answer->find(R"("resolver":"db","number":"2125550123")") != std::string::npos);
}

TEST_CASE(
    "Phones: who is called here is not looked up, and needs no resolver that answers (R-20)") {
  SwitchConfig config = phone_config();
  LrnResolverConfig resolver;
  resolver.id = "dead";
  resolver.kind = LrnResolverKind::http;
  resolver.addresses = {at("10.0.9.1:80")};
  config.provision.lrn_resolvers = {resolver};
  for (PhoneConfig& one : config.provision.phones) {
    LrnGatewayConfig& lrn = one.lrn.emplace();
    lrn.resolver = "dead";
    lrn.failure_action = LrnFailureAction::reject;
  }
  Phones bench(config);
  bench.registers(bench.bob, "1002");
  CHECK(bench.talk(bench.alice, "1001", "1002")->was_answered());
  const auto answer = bench.tandem->explain({"phone:1001", "1001", "1002"});
  REQUIRE(answer.ok());
  CHECK(answer->find(R"("lrn":null)") != std::string::npos);
  (void)bench.talk(bench.alice, "1001", "442079460000");
  CHECK(bench.last_cdr().end_reason == Reason::LrnFailed);
  bench.registers(bench.bob, "1002", 0);
  bench.run_s(1);
  (void)bench.talk(bench.alice, "1001", "1002");
  CHECK(bench.last_cdr().end_reason == Reason::CalleeNotOnline);
  config.parameters.offline_to_gateways = true;
  REQUIRE(bench.tandem->reload(config).ok());
  (void)bench.talk(bench.alice, "1001", "1002");
  CHECK_MESSAGE(bench.last_cdr().end_reason == Reason::LrnFailed, "it is routed like any number");
}

TEST_CASE("Phones: explain names no vendors for a phone that may not be called (R-23, T-13)") {
  SwitchConfig config = phone_config();
  config.provision.phones[1].do_not_disturb = true;
  Phones bench(config);
  const auto refused = [&](const char* reason) {
    const auto answer = bench.tandem->explain({"cust", "1000", "1002"});
    REQUIRE(answer.ok());
    CHECK(answer->find(R"("candidates":[])") != std::string::npos);
    CHECK(answer->find(R"("excluded":[])") != std::string::npos);
    CHECK(answer->find(std::string(R"("reject":")") + reason) != std::string::npos);
  };
  refused("CalleeBusy");
  config.provision.phones[1].do_not_disturb = false;
  REQUIRE(bench.tandem->reload(config).ok());
  refused("CalleeNotOnline");
  bench.registers(bench.bob, "1002");
  config.provision.phones[1].locked = PhoneLock::incoming;
  REQUIRE(bench.tandem->reload(config).ok());
  refused("GatewayLocked");
}

TEST_CASE("Phones: with several devices the next is tried when one does not answer (P-05)") {
  SwitchConfig config = phone_config();
  config.parameters.phone_contacts = 2;
  Phones bench(config);
  bench.registers(bench.alice, "1002");
  bench.run_s(1);
  bench.registers(bench.bob, "1002");
  bench.bob->set_plan(refuse(503));
  auto call = bench.dial({}, "1002");
  bench.run_s(2);
  CHECK(call->was_answered());
  CHECK(bench.bob->received("INVITE") == 1);
  CHECK(bench.alice->received("INVITE") == 1);
  call->hang_up();
  const Cdr& cdr = bench.only_cdr();
  CHECK(cdr.attempts.size() == 2);
  CHECK(cdr.callee_ip == "10.0.3.1:5060");
}

TEST_CASE("Phones: by default a second device takes the place of the first (P-05)") {
  Phones bench;
  bench.registers(bench.alice, "1002");
  bench.run_s(1);
  bench.registers(bench.bob, "1002");
  REQUIRE(bench.tandem->phone("1002")->contacts.size() == 1);
  auto call = bench.dial({}, "1002");
  bench.run_s(2);
  CHECK(bench.bob->received("INVITE") == 1);
  CHECK(bench.alice->received("INVITE") == 0);
  call->hang_up();
  bench.check_clean();
}

TEST_CASE("Phones: one on TCP is called over its own connection (P-05, P-01)") {
  Phones bench;
  CHECK(bench.registers(bench.bob, "1002", 3600, SipTransport::tcp) == 200);
  CHECK(bench.tandem->phone("1002")->contacts[0].transport == "tcp");
  auto call = bench.dial({}, "1002");
  bench.run_s(2);
  CHECK(call->was_answered());
  CHECK(bench.bob->received("INVITE") == 0);  // counted on UDP only
  CHECK(bench.bob->last_call()->callee() == "1002");
  call->hang_up();
  bench.run_s(5);
}

TEST_CASE("Phones: behind NAT one is called where it registered from (P-05, RFC 3581)") {
  Phones bench;
  RawPhone device(bench, "10.0.3.9:40000", "1002", "192.168.1.5:5060");
  device.send(device.request());
  bench.run_ms(200);
  CHECK(device.last() == "SIP/2.0 401 Unauthorized");
  CHECK(device.wire->received().back().bytes.find("rport=40000") != std::string::npos);
  device.send(device.request(device.answer()));
  bench.run_ms(200);
  CHECK(device.last() == "SIP/2.0 200 OK");
  CHECK(bench.tandem->phone("1002")->contacts[0].address.to_string() == "10.0.3.9:40000");
  auto call = bench.dial({}, "1002");
  bench.run_s(1);
  CHECK(device.wire->received().back().bytes.starts_with(
      "INVITE sip:1002@192.168.1.5:5060 SIP/2.0\r\n"));
  call->cancel();
  bench.run_s(60);
}

TEST_CASE("Phones: the way through a NAT is kept open, in batches (P-22)") {
  SwitchConfig config = phone_config();
  config.parameters.nat_keep_alive_batch = 1;
  config.parameters.nat_keep_alive_interval_ms = 2000;
  std::size_t expected = 4;
  SUBCASE("by default") {}
  SUBCASE("in the rhythm and words of the parameters") {
    config.parameters.nat_keep_alive_period_s = 60;
    config.parameters.nat_keep_alive_message = "ping";
    expected = 2;
  }
  SUBCASE("off") {
    config.parameters.nat_keep_alive_message.clear();
    expected = 0;
  }
  config.sip_listen.push_back({SipTransport::udp, at("10.0.0.1:5070")});
  Phones bench(config);
  bench.registers(bench.alice, "1001");  // not behind NAT
  RawPhone device(bench, "10.0.3.9:40000", "1002", "192.168.1.5:5060");
  device.peer = "10.0.0.1:5070";
  device.send(device.request());
  bench.run_ms(200);
  device.send(device.request(device.answer_after_challenge()));
  bench.run_ms(200);
  REQUIRE(device.last() == "SIP/2.0 200 OK");
  SUBCASE("in one run") {}
  SUBCASE("over a restart") {
    bench.run_s(2);
    bench.tandem.reset();
    bench.open();
  }
  device.wire->clear();
  const std::uint64_t before = bench.alice->received("?");
  bench.run_s(125);
  REQUIRE(device.wire->received().size() == expected);
  for (const RawDatagram& beat : device.wire->received()) {
    CHECK(beat.bytes == config.parameters.nat_keep_alive_message);
    CHECK(beat.from == at("10.0.0.1:5070"));
  }
  CHECK(bench.alice->received("?") == before);
}

TEST_CASE("Phones: one that answers no question between registrations is off line (P-05)") {
  SwitchConfig config = phone_config();
  config.parameters.registration_check_s = 60;
  config.parameters.nat_keep_alive_message.clear();
  config.sip_listen.push_back({SipTransport::udp, at("10.0.0.1:5070")});
  Phones bench(config);
  bench.registers(bench.alice, "1001");  // answers
  RawPhone device(bench, "10.0.3.9:40000", "1002", "192.168.1.5:5060");
  device.peer = "10.0.0.1:5070";
  const auto registers = [&] {
    device.send(device.request());
    bench.run_ms(200);
    device.send(device.request(device.answer_after_challenge()));
    bench.run_ms(200);
    REQUIRE(device.last() == "SIP/2.0 200 OK");
    device.wire->clear();
  };
  registers();
  bench.run_s(59);
  CHECK(device.wire->received().empty());
  bench.run_s(62);
  REQUIRE_FALSE(device.wire->received().empty());
  CHECK(device.wire->received().front().bytes.starts_with("OPTIONS sip:10.0.3.9:40000 SIP/2.0"));
  CHECK(device.wire->received().front().from == at("10.0.0.1:5070"));
  CHECK(bench.tandem->phone("1002")->contacts.size() == 1);  // one may be lost
  const auto before = bench.states().size();
  bench.run_s(100);
  CHECK(bench.tandem->phone("1002")->contacts.empty());
  CHECK(bench.tandem->phone("1001")->contacts.size() == 1);
  REQUIRE(bench.states().size() == before + 1);
  CHECK(bench.states().back() == "expired");
  device.wire->clear();
  bench.run_s(130);
  CHECK(device.wire->received().empty());
  registers();
  CHECK(bench.states().back() == "registered");
  // One that registers more often than it is asked is not asked.
  for (int i = 0; i < 5; ++i) {
    bench.run_s(50);
    CHECK(device.wire->received().empty());
    registers();
  }
}

TEST_CASE("Phones: one is called from where it registered, of several listeners (P-05, P-01)") {
  SwitchConfig config = phone_config();
  config.sip_listen.push_back({SipTransport::udp, at("10.0.0.1:5070")});
  Phones bench(config);
  RawPhone device(bench, "10.0.3.9:40000", "1002", "192.168.1.5:5060");
  device.peer = "10.0.0.1:5070";
  device.send(device.request());
  bench.run_ms(200);
  device.send(device.request(device.answer_after_challenge()));
  bench.run_ms(200);
  CHECK(device.last() == "SIP/2.0 200 OK");
  SUBCASE("at once") {}
  SUBCASE("after a restart") {
    bench.run_s(2);
    bench.tandem.reset();
    bench.open();
  }
  device.wire->clear();
  auto call = bench.dial({}, "1002");
  bench.run_s(1);
  REQUIRE_FALSE(device.wire->received().empty());
  const RawDatagram& invite = device.wire->received().front();
  CHECK(invite.bytes.starts_with("INVITE "));
  CHECK(invite.from == at("10.0.0.1:5070"));
  CHECK(header(invite.bytes, "Contact").find("10.0.0.1:5070") != std::string::npos);
  call->cancel();
  bench.run_s(60);
}

TEST_CASE(
    "Phones: credentials count once; their repetition gets a challenge that says stale (P-04)") {
  Phones bench;
  RawPhone device(bench, "10.0.3.9:5060", "1002", "10.0.3.9:5060");
  device.send(device.request());
  bench.run_ms(200);
  REQUIRE(device.last() == "SIP/2.0 401 Unauthorized");
  const std::string credentials = device.answer();
  const std::string sent = device.request(credentials);
  device.send(sent);
  bench.run_ms(200);
  CHECK(device.last() == "SIP/2.0 200 OK");
  device.send(sent);  // lost its answer: the same once more
  bench.run_ms(200);
  CHECK(device.last() == "SIP/2.0 200 OK");
  device.send(device.request(credentials, 0));  // somebody who listened takes the phone off line
  bench.run_ms(200);
  CHECK(device.last() == "SIP/2.0 401 Unauthorized");
  CHECK(device.challenge.find("stale=true") != std::string::npos);
  CHECK(bench.tandem->phone("1002")->contacts.size() == 1);
  device.send(device.request(device.answer(), 0));
  bench.run_ms(200);
  CHECK(device.last() == "SIP/2.0 200 OK");
  CHECK(bench.tandem->phone("1002")->contacts.empty());
  bench.run_s(301);  // longer than a nonce lives
  device.send(device.request(device.answer(2)));
  bench.run_ms(200);
  CHECK(device.last() == "SIP/2.0 401 Unauthorized");
  CHECK(device.challenge.find("stale=true") != std::string::npos);
}

TEST_CASE("Phones: a flood of REGISTER is not answered, and calls do not feel it (S-09)") {
  Phones bench;
  RawPhone flood(bench, "10.0.3.9:5060", "1001", "10.0.3.9:5060");
  for (int i = 0; i < 2000; ++i)
    flood.send(flood.request());
  auto call = bench.dial();
  bench.run_s(1);
  CHECK(call->was_answered());
  CHECK(call->count("answer") == 1);
  const std::size_t answered = flood.wire->received().size();
  CHECK(answered >= 100);
  CHECK(answered <= 121);
  const SwitchCounters counters = bench.tandem->counters();
  CHECK(counters.registers_received == answered);
  CHECK(counters.registers_dropped == 2000 - answered);
  CHECK(bench.registers(bench.bob, "1002") == 200);  // others are not touched
  call->hang_up();
  bench.check_clean();
}

TEST_CASE("Phones: who was on line before a restart is afterwards (P-05)") {
  Phones bench;
  bench.registers(bench.bob, "1002", 600);
  bench.registers(bench.alice, "1001", 30);
  bench.run_s(2);
  SUBCASE("in good order") { bench.tandem.reset(); }
  SUBCASE("after a crash") { bench.world.crash(std::move(bench.tandem)); }
  bench.run_s(40);
  bench.open();
  CHECK(bench.tandem->phone("1001")->contacts.empty());
  REQUIRE(bench.tandem->phone("1002")->contacts.size() == 1);
  CHECK(bench.talk(bench.alice, "1001", "1002")->was_answered());
  CHECK(bench.registers(bench.bob, "1002", 0) == 200);
  CHECK(bench.tandem->phone("1002")->contacts.empty());
}

TEST_CASE("Phones: a removed one is not on line any more, one with a new password has to show it") {
  Phones bench;
  bench.registers(bench.alice, "1001");
  bench.registers(bench.bob, "1002");
  ProvisionChange removal;
  removal.removals = {{"phones", "1002"}};
  REQUIRE(bench.tandem->provisioning().change(removal).faults.empty());
  CHECK_FALSE(bench.tandem->phone("1002").has_value());
  CHECK(bench.tandem->counters().registrants_online == 1);
  ProvisionChange renewal;
  renewal.puts = {{"phones", "1001", R"({"number": "1001", "password": "new", "account": "acme"})",
                   std::nullopt}};
  REQUIRE(bench.tandem->provisioning().change(renewal).faults.empty());
  CHECK(bench.registers(bench.alice, "1001") == 403);
  CHECK(bench.tandem->phone("1001")->contacts.size() == 1);
}

TEST_CASE("Phones: explain shows where a phone's calls go, and who it is itself (T-01, R-23)") {
  Phones bench;
  bench.registers(bench.bob, "1002");
  auto answer = bench.tandem->explain({"phone:1001", "1001", "1002"});
  REQUIRE(answer.ok());
  CHECK(answer->find("\"gateway\":\"phone:1002\"") != std::string::npos);
  CHECK(answer->find("\"contact\":\"sip:1002@10.0.3.2:5060\"") != std::string::npos);
  CHECK(answer->find("\"customer_gateway\":\"phone:1001\"") != std::string::npos);
  CHECK(answer->find("\"reject\":null") != std::string::npos);
  answer = bench.tandem->explain({"cust", "1000", "1001"});
  CHECK(answer->find("\"reject\":\"CalleeNotOnline\"") != std::string::npos);
  answer = bench.tandem->explain({"10.0.3.2:5060", "1002", "442079460000"});
  CHECK(answer->find("\"customer_gateway\":\"phone:1002\"") != std::string::npos);
}

namespace {

/// A customer "pbx" and a vendor "trunk" that register here.
SwitchConfig dynamic_config() {
  SwitchConfig config = base_config(2);
  CustomerGateway& pbx = config.provision.customer_gateways.emplace_back();
  pbx.id = "pbx";
  pbx.account = "acme";
  pbx.registration = GatewayRegistration::dynamic;
  pbx.auth = GatewayAuth{"pbxuser", "pbxpass", ""};
  VendorGateway& trunk = config.provision.vendor_gateways[0];
  trunk.id = "trunk";
  trunk.registration = GatewayRegistration::dynamic;
  trunk.addresses.clear();
  trunk.auth = GatewayAuth{"trunkuser", "trunkpass", ""};
  return config;
}

}  // namespace

TEST_CASE(
    "Gateways: a dynamic customer is known by where it registered, then by its user (A-03, P-05)") {
  World world;
  SwitchConfig config = dynamic_config();
  auto made = world.create_switch(config);
  REQUIRE(made.ok());
  REQUIRE((*made)->start().ok());
  EndpointConfig settings;
  settings.address = "10.0.4.1:5060";
  settings.peer = switch_address;
  Endpoint* const pbx = *world.add_endpoint(settings);
  settings.address = "10.0.2.2:5060";
  Endpoint* const vendor = *world.add_endpoint(settings);
  DialPlan plan;
  plan.username = "pbxuser";
  plan.password = "pbxpass";

  auto stranger = pbx->dial("442079460000", "7001", plan);
  world.run_for_us(second_us);
  CHECK(stranger->status() == 403);
  pbx->register_user("pbxuser", "pbxpass", 60);
  world.run_for_us(second_us);
  CHECK(pbx->registration_status("pbxuser") == 200);
  auto call = pbx->dial("442079460000", "7001", plan);
  world.run_for_us(2 * second_us);
  CHECK(call->was_answered());
  CHECK(vendor->last_call()->caller() == "7001");
  call->hang_up();
  world.run_for_us(second_us);
  REQUIRE(world.cdrs().size() == 2);
  CHECK(world.cdrs()[1].customer_gateway == "pbx");
  for (const GatewayView& view : (*made)->gateways()) {
    if (view.id != "pbx") continue;
    CHECK(view.registration == GatewayRegistration::dynamic);
    CHECK(view.is_registered);
  }
  world.run_for_us(60 * second_us);
  auto late = pbx->dial("442079460000", "7001", plan);
  world.run_for_us(second_us);
  CHECK(late->status() == 403);
  made->reset();
}

TEST_CASE(
    "Gateways: a dynamic vendor is called where it registered, and passed over until then (P-05)") {
  World world;
  auto made = world.create_switch(dynamic_config());
  REQUIRE(made.ok());
  REQUIRE((*made)->start().ok());
  EndpointConfig settings;
  settings.peer = switch_address;
  settings.address = "10.0.1.1:5060";
  Endpoint* const customer = *world.add_endpoint(settings);
  settings.address = "10.0.4.2:5070";
  Endpoint* const trunk = *world.add_endpoint(settings);
  settings.address = "10.0.2.2:5060";
  Endpoint* const second = *world.add_endpoint(settings);
  const auto talk = [&] {
    auto call = customer->dial("442079460000");
    world.run_for_us(2 * second_us);
    CHECK(call->was_answered());
    call->hang_up();
    world.run_for_us(second_us);
  };
  talk();
  CHECK(second->received("INVITE") == 1);
  trunk->register_user("trunkuser", "trunkpass", 600);
  world.run_for_us(second_us);
  talk();
  CHECK(trunk->received("INVITE") == 1);
  CHECK(trunk->last_call()->callee() == "442079460000");
  trunk->register_user("trunkuser", "trunkpass", 0);
  world.run_for_us(second_us);
  talk();
  CHECK(second->received("INVITE") == 2);
  made->reset();
}

TEST_CASE(
    "Gateways: the switch registers at a vendor, refreshes, and calls only while it may (R-25)") {
  SwitchConfig config = base_config(2);
  VendorGateway& carrier = config.provision.vendor_gateways[0];
  carrier.registration = GatewayRegistration::outbound;
  carrier.auth = GatewayAuth{"trunk", "pass", ""};
  config.parameters.outbound_expires_s = 120;
  std::vector<Event> events;
  SwitchHooks hooks;
  hooks.on_event = [&](const Event& event) { events.push_back(event); };
  Bench bench(config, {}, hooks);
  Endpoint* const second = bench.vendors[1];
  const auto view = [&] { return bench.tandem->gateways()[1]; };
  // It takes no registrations yet: 405.
  bench.run_s(1);
  CHECK_FALSE(view().is_registered);
  CHECK(view().registration_status == 405);
  bench.connect()->hang_up();
  CHECK(second->received("INVITE") == 1);
  auto explained = bench.tandem->explain({"cust", "1000", "442079460000"});
  CHECK(explained->find("\"reason\":\"Unregistered\",\"rule\":\"registration\"") !=
        std::string::npos);

  RegistrarPlan plan;
  plan.username = "trunk";
  plan.password = "pass";
  plan.expires_s = 100;
  bench.b->accept_registrations(plan);
  bench.run_s(70);  // the retry comes after a minute
  CHECK(view().is_registered);
  CHECK(bench.b->registered_contact() == "sip:trunk@10.0.0.1:5060");
  REQUIRE_FALSE(events.empty());
  CHECK(events.back().kind != Event::Kind::phone);
  AnswerPlan wants_digest;
  wants_digest.username = "trunk";
  wants_digest.password = "pass";
  bench.b->set_plan(wants_digest);
  bench.connect()->hang_up();
  CHECK(bench.b->received("INVITE") == 2);  // challenged once, with the same credentials
  bench.run_s(1);

  const auto before = bench.b->received("REGISTER");
  bench.run_s(101);  // twice half of what was granted; the challenge is answered in advance
  CHECK(bench.b->received("REGISTER") == before + 2);
  CHECK(view().is_registered);

  plan.status = 403;
  bench.b->accept_registrations(plan);
  bench.run_s(60);
  CHECK_FALSE(view().is_registered);
  const auto refused = bench.b->received("REGISTER");
  bench.run_s(60 + 120 + 240 + 480);  // doubles
  CHECK(bench.b->received("REGISTER") - refused <= 5);
  CHECK(bench.b->received("REGISTER") - refused >= 3);
  plan.status = 200;
  bench.b->accept_registrations(plan);
  bench.run_s(601);
  CHECK(view().is_registered);
  std::vector<std::string> states;
  for (const Event& event : events)
    if (event.registration) states.push_back(event.registration->state);
  CHECK(states ==
        std::vector<std::string>{"unregistered", "registered", "unregistered", "registered"});
}

TEST_CASE("Gateways: a user name with a domain is registered in that domain (R-25)") {
  std::string username, uri, to, contact;
  SUBCASE("of an IMS") {
    username = "+4930123@ims.example";
    uri = "REGISTER sip:ims.example SIP/2.0";
    to = "<sip:+4930123@ims.example>";
    contact = "<sip:+4930123@10.0.0.1:5060>";
  }
  SUBCASE("none") {
    username = "trunk";
    uri = "REGISTER sip:10.0.2.1:5077 SIP/2.0";
    to = "<sip:trunk@10.0.2.1:5077>";
    contact = "<sip:trunk@10.0.0.1:5060>";
  }
  SUBCASE("what is no domain") {
    username = "a@b/c";
    uri = "REGISTER sip:10.0.2.1:5077 SIP/2.0";
    to = "<sip:a%40b/c@10.0.2.1:5077>";
    contact = "<sip:a%40b/c@10.0.0.1:5060>";
  }
  SwitchConfig config = base_config(1);
  Bench bench(config);
  RawEndpoint* const edge = *bench.world.add_raw_endpoint("10.0.2.1:5077");
  std::vector<std::string> heard;
  edge->on_datagram([&](const RawDatagram& datagram) {
    heard.push_back(datagram.bytes);
    edge->send(datagram.from, "SIP/2.0 401 Unauthorized\r\nVia: " + header(heard.back(), "Via") +
                                  "\r\nFrom: " + header(heard.back(), "From") +
                                  "\r\nTo: " + header(heard.back(), "To") +
                                  ";tag=e\r\nCall-ID: " + header(heard.back(), "Call-ID") +
                                  "\r\nCSeq: " + header(heard.back(), "CSeq") +
                                  "\r\nWWW-Authenticate: Digest realm=\"ims.example\", nonce=\"n\""
                                  "\r\nContent-Length: 0\r\n\r\n");
  });
  VendorGateway& carrier = config.provision.vendor_gateways[0];
  carrier.addresses = {gateway_address("10.0.2.1:5077")};
  carrier.registration = GatewayRegistration::outbound;
  carrier.auth = GatewayAuth{username, "pass", ""};
  REQUIRE(bench.tandem->reload(config).ok());
  bench.run_s(2);
  REQUIRE(heard.size() >= 2);
  CHECK(heard[0].starts_with(uri));
  CHECK(header(heard[0], "To") == to);
  CHECK(header(heard[0], "Contact").starts_with(contact));
  CHECK(header(heard[1], "Authorization").find("username=\"" + username + '"') !=
        std::string::npos);
}

TEST_CASE("Gateways: a vendor that wants longer registrations gets them, and a farewell (R-25)") {
  SwitchConfig config = base_config();
  VendorGateway& carrier = config.provision.vendor_gateways[0];
  carrier.registration = GatewayRegistration::outbound;
  carrier.auth = GatewayAuth{"trunk", "pass", ""};
  config.parameters.outbound_expires_s = 60;
  Bench bench(config);
  RegistrarPlan plan;
  plan.username = "trunk";
  plan.password = "pass";
  plan.min_expires_s = 300;
  bench.b->accept_registrations(plan);
  bench.run_s(1);
  CHECK(bench.tandem->gateways()[1].is_registered);
  CHECK(bench.b->received("REGISTER") == 3);  // challenge, too brief, taken
  // Without credentials in the reload it is no longer wanted.
  config.provision.vendor_gateways[0].registration = GatewayRegistration::fixed;
  REQUIRE(bench.tandem->reload(config).ok());
  bench.run_s(2);
  CHECK(bench.b->registered_contact().empty());
}

TEST_CASE("Phones: one of thousands is found (T-01)") {
  SwitchConfig config = phone_config();
  for (int i = 0; i < 3000; ++i)
    config.provision.phones.push_back(phone(std::to_string(200000 + i)));
  Phones bench(config);
  bench.registers(bench.bob, "202999");
  auto call = bench.dial({}, "202999");
  bench.run_s(2);
  CHECK(call->was_answered());
  call->hang_up();
  bench.check_clean();
}
