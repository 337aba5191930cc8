// Phones that send calls on: unconditionally, by the hour, when busy, unanswered or off line.
#include <algorithm>
#include <string>
#include <vector>

#include "flow/flow.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

std::vector<ForwardTarget> to(std::initializer_list<const char*> numbers) {
  std::vector<ForwardTarget> targets;
  for (const char* number : numbers)
    targets.push_back({number, -1});
  return targets;
}

/// Phones 1001, 1002 and 1003; 1001 has an account of its own, and a deck that charges more.
SwitchConfig forward_config(int vendors = 1) {
  SwitchConfig config = base_config(vendors);
  config.provision.rate_decks.push_back(deck("phones", "6.00"));
  config.provision.accounts.push_back(account("desk", "50.00", "phones"));
  for (const char* number : {"1001", "1002", "1003"}) {
    PhoneConfig phone;
    phone.id = phone.number = number;
    phone.password = "secret";
    phone.account = "desk";
    config.provision.phones.push_back(phone);
  }
  return config;
}

/// With a device at which all three can register.
struct Desk : Bench {
  Endpoint* phones;

  explicit Desk(SwitchConfig settings)
      : Bench(std::move(settings)), phones(endpoint("10.0.3.1:5060")) {}
  void registers(std::initializer_list<const char*> numbers) {
    for (const char* number : numbers) {
      phones->register_user(number, "secret");
      REQUIRE(world.run_until([&] { return phones->registration_status(number) != 0; },
                              40 * second_us));
      CHECK(phones->registration_status(number) == 200);
    }
  }
  /// Dials 1001 and waits for the end of the hunt.
  std::shared_ptr<EndpointCall> call(const DialPlan& plan = {}) {
    auto one = dial(plan, "1001");
    world.run_until([&] { return one->was_answered() || one->is_over(); }, 120 * second_us);
    return one;
  }
  void end(const std::shared_ptr<EndpointCall>& one, int talk_s = 10) {
    run_s(talk_s);
    one->hang_up();
    check_clean();
  }
  /// The record of the call that this phone sent on, or of the one that arrived ("cust").
  const Cdr& record(const std::string& of) {
    const auto& all = world.cdrs();
    const auto found = std::find_if(all.begin(), all.end(),
                                    [&](const Cdr& cdr) { return cdr.customer_gateway == of; });
    REQUIRE(found != all.end());
    return *found;
  }
};

}  // namespace

TEST_CASE("Forward: all calls go elsewhere, and the phone pays for its part (T-02, B-04)") {
  SwitchConfig config = forward_config();
  config.provision.phones[0].forward.unconditional = to({"442079460000"});
  Desk desk(config);
  SUBCASE("on line") { desk.registers({"1001"}); }
  SUBCASE("off line") {}
  const auto call = desk.call();
  REQUIRE(call->was_answered());
  CHECK(desk.b->last_call()->callee() == "442079460000");
  CHECK(desk.b->last_call()->caller() == "1000");
  CHECK(desk.phones->counters().calls_in == 0);
  CHECK(desk.tandem->calls().size() == 2);
  desk.end(call);
  REQUIRE(desk.world.cdrs().size() == 2);
  const Cdr& first = desk.record("cust");
  const Cdr& second = desk.record("phone:1001");
  CHECK(first.vendor_gateway == "phone:1001");
  CHECK(first.callee == "1001");
  CHECK(first.callee_out == "442079460000");
  CHECK(first.customer.account == "acme");
  CHECK(second.vendor_gateway == "v1");
  CHECK(second.callee == "442079460000");
  CHECK(second.customer.account == "desk");
  CHECK(second.call_id == first.call_id);
  CHECK(first.talk_time_ms >= 10'000);
  CHECK(second.talk_time_ms >= first.talk_time_ms);
  CHECK(desk.balance("acme").units() + first.customer.charge.units() == money("100.00").units());
  CHECK(desk.balance("desk").units() + second.customer.charge.units() == money("50.00").units());
  CHECK(second.customer.charge > first.customer.charge);
  CHECK(first.end_reason == Reason::NormalCallClearing);
  CHECK(second.end_reason == Reason::NormalCallClearing);
}

TEST_CASE("Forward: the media of both parts meets, and a hold passes (T-02)") {
  SwitchConfig config = forward_config();
  config.provision.phones[0].forward.unconditional = to({"442079460000"});
  Desk desk(config);
  AnswerPlan plan = answer_after(2 * second_us);
  plan.send_rtp = true;
  plan.progress_after_us = second_us;
  desk.b->set_plan(plan);
  DialPlan dial;
  dial.send_rtp = true;
  const auto call = desk.call(dial);
  REQUIRE(call->was_answered());
  CHECK(call->count("180") == 1);
  CHECK(call->count("183 sdp") == 1);
  desk.run_s(2);
  CHECK(call->packets_received() > 50);
  CHECK(desk.b->last_call()->packets_received() > 50);
  call->hold();
  desk.run_s(1);
  CHECK(desk.b->last_call()->remote_sdp().find("a=sendonly") != std::string::npos);
  CHECK(call->count("reoffer 200") == 1);
  desk.b->last_call()->request("INFO", "text/plain", "hello");
  desk.run_s(1);
  CHECK(call->count("INFO") == 1);
  CHECK(desk.b->last_call()->count("result 200") == 1);
  SUBCASE("until the callee hangs up") {
    desk.b->last_call()->hang_up();
    desk.check_clean();
    CHECK(call->is_over());
    CHECK(desk.record("cust").release_side == ReleaseSide::callee);
  }
  SUBCASE("until the caller does") { desk.end(call); }
}

TEST_CASE("Forward: a caller without an offer gets the target's, and answers it (T-02)") {
  SwitchConfig config = forward_config();
  config.provision.phones[0].forward.unconditional = to({"442079460000"});
  Desk desk(config);
  DialPlan dial;
  dial.delayed_offer = true;
  const auto call = desk.call(dial);
  REQUIRE(call->was_answered());
  desk.run_s(1);
  CHECK_FALSE(desk.b->last_call()->remote_sdp().empty());
  CHECK_FALSE(call->remote_sdp().empty());
  desk.end(call);
}

TEST_CASE("Forward: busy, unanswered and off line have lists of their own (T-02, T-12)") {
  SwitchConfig config = forward_config();
  PhoneForward& forward = config.provision.phones[0].forward;
  forward.busy = to({"4411"});
  forward.no_answer = to({"4422"});
  forward.offline = to({"4433"});
  forward.ring_s = 15;
  SUBCASE("busy") {
    Desk desk(config);
    desk.registers({"1001"});
    desk.phones->set_plan(refuse(486, second_us));
    const auto call = desk.call();
    REQUIRE(call->was_answered());
    CHECK(desk.b->last_call()->callee() == "4411");
    desk.end(call);
    const Cdr& cdr = desk.record("cust");
    REQUIRE(cdr.attempts.size() == 2);
    CHECK(cdr.attempts[0].sip_status == 486);
    CHECK(cdr.attempts[1].callee_out == "4411");
  }
  SUBCASE("no line of it is free") {
    config.provision.phones[0].line_in = 0;
    Desk desk(config);
    desk.registers({"1001"});
    const auto call = desk.call();
    REQUIRE(call->was_answered());
    CHECK(desk.b->last_call()->callee() == "4411");
    desk.end(call);
  }
  SUBCASE("it rings for as long as the phone wants") {
    Desk desk(config);
    desk.registers({"1001"});
    desk.phones->set_plan(answer_after(100 * second_us));
    const auto call = desk.dial({}, "1001");
    desk.run_s(14);
    CHECK(desk.b->counters().calls_in == 0);
    desk.run_s(3);
    CHECK(desk.b->last_call()->callee() == "4422");
    CHECK(desk.phones->last_call()->is_over());
    CHECK(call->was_answered());
    desk.end(call);
  }
  SUBCASE("off line") {
    Desk desk(config);
    const auto call = desk.call();
    REQUIRE(call->was_answered());
    CHECK(desk.b->last_call()->callee() == "4433");
    desk.end(call);
  }
  SUBCASE("registered, but gone") {
    Desk desk(config);
    desk.registers({"1001"});
    desk.phones->set_silent(true);
    const auto call = desk.call();
    REQUIRE(call->was_answered());
    CHECK(desk.b->last_call()->callee() == "4433");
    desk.end(call);
  }
  SUBCASE("a call that the phone declined goes nowhere") {
    Desk desk(config);
    desk.registers({"1001"});
    desk.phones->set_plan(refuse(603));
    CHECK(desk.call()->status() == 603);
    desk.check_clean();
  }
}

TEST_CASE("Forward: off line, its own list goes before routing like any number (T-12, R-21)") {
  SwitchConfig config = forward_config();
  config.provision.phones[0].offline_to_gateways = true;
  SUBCASE("a list") { config.provision.phones[0].forward.offline = to({"4433"}); }
  SUBCASE("none") {}
  Desk desk(config);
  const auto call = desk.call();
  REQUIRE(call->was_answered());
  const bool has_list = !config.provision.phones[0].forward.offline.empty();
  CHECK(desk.b->last_call()->callee() == (has_list ? "4433" : "1001"));
  desk.end(call);
}

TEST_CASE("Forward: do not disturb is busy for everybody, whatever else is ordered (T-13)") {
  SwitchConfig config = forward_config();
  config.provision.phones[0].do_not_disturb = true;
  config.provision.phones[0].forward.unconditional = to({"4411"});
  config.provision.phones[0].forward.busy = to({"4411"});
  Desk desk(config);
  desk.registers({"1001"});
  const auto call = desk.call();
  CHECK(call->status() == 486);
  CHECK(desk.phones->counters().calls_in == 0);
  CHECK(desk.only_cdr().end_reason == Reason::CalleeBusy);
}

TEST_CASE("Forward: by the hour, in the zone of the switch (T-03)") {
  SwitchConfig config = forward_config();
  config.parameters.timezone = "+02:00";
  PhoneForward& forward = config.provision.phones[0].forward;
  ForwardPeriod night;  // the world begins on Thursday 2026-01-01 at 00:00 UTC
  night.from_s = 22 * 3600;
  night.to_s = 3 * 3600;
  night.days = DaySet::parse({"mon-fri"}).value();
  night.targets = to({"4411"});
  forward.periods = {night};
  forward.unconditional = to({"4422"});
  Desk desk(config);
  auto call = desk.call();  // 02:00 there, of the night that began on Wednesday
  REQUIRE(call->was_answered());
  CHECK(desk.b->last_call()->callee() == "4411");
  desk.end(call);
  desk.run_s(3700);
  call = desk.call();
  REQUIRE(call->was_answered());
  CHECK(desk.b->last_call()->callee() == "4422");
  desk.end(call);
}

TEST_CASE("Forward: targets come one after the other, each for its time (T-02)") {
  SwitchConfig config = forward_config();
  PhoneForward& forward = config.provision.phones[0].forward;
  forward.unconditional = {{"4411", 5}, {"4422", -1}, {"4433", 1}};
  forward.ring_s = 8;
  Desk desk(config);
  desk.b->set_plan("4411", answer_after(100 * second_us));
  desk.b->set_plan("4422", refuse(486, 3 * second_us));
  desk.b->set_plan("4433", answer_after(30 * second_us));  // the last one has all its time
  const auto call = desk.call();
  REQUIRE(call->was_answered());
  desk.end(call);
  const Cdr& cdr = desk.record("cust");
  REQUIRE(cdr.attempts.size() == 3);
  const auto lasted = [&](int i) {
    return (cdr.attempts[i].ended_at_us - cdr.attempts[i].started_at_us) / second_us;
  };
  CHECK(lasted(0) == 5);
  CHECK(lasted(1) == 3);
  CHECK(cdr.attempts[0].reason == Reason::NoAnswer);
  CHECK(cdr.attempts[1].sip_status == 486);
  CHECK(desk.world.cdrs().size() == 4);
}

TEST_CASE("Forward: at random every target has its turn (T-02)") {
  SwitchConfig config = forward_config();
  config.provision.phones[0].forward.unconditional = to({"4411", "4422", "4433"});
  config.provision.phones[0].forward.method = ForwardMethod::random;
  Desk desk(config);
  std::vector<std::string> called;
  for (int i = 0; i < 40; ++i) {
    const auto call = desk.call();
    REQUIRE(call->was_answered());
    called.push_back(desk.b->last_call()->callee());
    call->hang_up();
    desk.run_s(1);
  }
  for (const char* number : {"4411", "4422", "4433"})
    CHECK(std::count(called.begin(), called.end(), number) > 3);
  desk.check_clean();
}

TEST_CASE("Forward: whom the target sees calling (T-09)") {
  SwitchConfig config = forward_config();
  PhoneForward& forward = config.provision.phones[0].forward;
  forward.unconditional = to({"4411"});
  std::string shown = "1000";
  SUBCASE("who called") {}
  SUBCASE("the phone, by the parameter") {
    config.parameters.call_forward_using_original_caller = false;
    shown = "1001";
  }
  SUBCASE("the phone, by its own setting") {
    forward.display = ForwardDisplay::own;
    shown = "1001";
  }
  SUBCASE("who called, by its own setting") {
    config.parameters.call_forward_using_original_caller = false;
    forward.display = ForwardDisplay::original;
  }
  Desk desk(config);
  const auto call = desk.call();
  REQUIRE(call->was_answered());
  CHECK(desk.b->last_call()->caller() == shown);
  desk.end(call);
  CHECK(desk.record("phone:1001").caller == shown);
}

TEST_CASE("Forward: one phone after the other, until a circle or the fifth hop (T-02, P-13)") {
  SwitchConfig config = forward_config();
  config.provision.phones[0].forward.unconditional = to({"1002"});
  SUBCASE("to a phone that answers") {
    config.provision.phones[1].forward.unconditional = to({"1003"});
    Desk desk(config);
    desk.registers({"1003"});
    const auto call = desk.call();
    REQUIRE(call->was_answered());
    CHECK(desk.phones->last_call()->callee() == "1003");
    CHECK(desk.tandem->calls().size() == 3);
    desk.end(call);
    CHECK(desk.world.cdrs().size() == 3);
  }
  SUBCASE("in a circle") {
    config.provision.phones[1].forward.unconditional = to({"1001"});
    Desk desk(config);
    const auto call = desk.call();
    CHECK(call->status() == 482);
    desk.check_clean();
    CHECK(desk.record("phone:1002").end_reason == Reason::TooManyForwards);
  }
  SUBCASE("to itself") {
    config.provision.phones[0].forward.unconditional = to({"1001"});
    Desk desk(config);
    CHECK(desk.call()->status() == 482);
    desk.check_clean();
  }
  SUBCASE("too far") {
    const PhoneConfig model = config.provision.phones[0];
    for (int i = 4; i <= 9; ++i) {
      config.provision.phones.push_back(model);
      PhoneConfig& phone = config.provision.phones.back();
      phone.id = phone.number = "100" + std::to_string(i);
    }
    auto& phones = config.provision.phones;
    for (std::size_t i = 0; i + 1 < phones.size(); ++i)
      phones[i].forward.unconditional = to({phones[i + 1].number.c_str()});
    phones.back().forward = {};
    Desk desk(config);
    CHECK(desk.call()->status() == 482);
    desk.check_clean();
    CHECK(desk.world.cdrs().size() == 7);  // the call, five hops, and the one that was too many
  }
  SUBCASE("after hops elsewhere") {
    config.provision.customer_gateways[0].sip.recognize_forward = true;
    Desk desk(config);
    DialPlan plan;
    plan.headers = {{"Diversion", "<sip:1@a>;counter=5"}};
    CHECK(desk.call(plan)->status() == 482);
    desk.check_clean();
  }
  SUBCASE("Max-Forwards is used up") {
    Desk desk(config);
    DialPlan plan;
    plan.max_forwards = 1;
    CHECK(desk.call(plan)->status() == 482);
    desk.check_clean();
  }
}

TEST_CASE("Forward: one call makes sixteen parts at most, however many targets there are (T-02)") {
  SwitchConfig config = forward_config();
  auto& phones = config.provision.phones;
  phones[0].forward.unconditional = to({"1002", "1002", "1002", "1002", "1002", "1002"});
  phones[1].forward.unconditional = to({"1003", "1003", "1003", "1003", "1003", "1003"});
  phones[2].forward.unconditional = to({"4411", "4411", "4411", "4411", "4411", "4411"});
  Desk desk(config);
  desk.b->set_plan(refuse(503));
  const auto call = desk.call();
  CHECK(call->is_over());
  CHECK_FALSE(call->was_answered());
  desk.check_clean();
  CHECK(desk.world.cdrs().size() == 17);
}

TEST_CASE("Forward: a vendor is told who sent the call on, and why (P-13)") {
  SwitchConfig config = forward_config();
  config.provision.vendor_gateways[0].sip.forward_signal = true;
  config.provision.customer_gateways[0].sip.recognize_forward = true;
  config.provision.phones[0].forward.unconditional = to({"1002"});
  config.provision.phones[1].forward.offline = to({"4411"});
  Desk desk(config);
  DialPlan plan;
  plan.headers = {{"Diversion", "<sip:777@elsewhere>;reason=user-busy"}};
  const auto call = desk.call(plan);
  REQUIRE(call->was_answered());
  std::string said;
  for (const auto& [name, value] : desk.b->last_call()->headers()) {
    if (name == "Diversion" || name == "History-Info") said += name + ": " + value + "\n";
  }
  CHECK(said ==
        "Diversion: <sip:1002@10.0.0.1>;reason=unavailable;counter=1\n"
        "Diversion: <sip:1001@10.0.0.1>;reason=unconditional;counter=1\n"
        "Diversion: <sip:777@elsewhere>;reason=user-busy\n"
        "History-Info: <sip:1001@10.0.0.1>;index=1, "
        "<sip:1002@10.0.0.1;cause=302>;index=1.1;mp=1\n"
        "History-Info: <sip:4411@10.0.0.1;cause=503>;index=1.1.1;mp=1.1\n");
  desk.end(call);
}

TEST_CASE("Forward: who sent a call on is shown by a number of a pool, in turn (R-24)") {
  SwitchConfig config = base_config();
  config.provision.vendor_gateways[0].sip.forward_signal = true;
  config.provision.customer_gateways[0].sip.recognize_forward = true;
  config.provision.number_groups = {{"mine", {"100", "200"}}, {"theirs", {"900"}}};
  std::vector<std::string> expected = {"100", "200", "100"};
  SUBCASE("of the customer") {
    config.provision.customer_gateways[0].forward_pool = ForwardPoolConfig{"mine"};
  }
  SUBCASE("of the vendor") {
    config.provision.vendor_gateways[0].forward_pool = ForwardPoolConfig{"mine"};
  }
  SUBCASE("of both: the vendor's") {
    config.provision.customer_gateways[0].forward_pool = ForwardPoolConfig{"mine"};
    config.provision.vendor_gateways[0].forward_pool = ForwardPoolConfig{"theirs"};
    expected = {"900", "900", "900"};
  }
  Bench bench(config);
  DialPlan plan;
  plan.headers = {
      {"Diversion", "\"D\" <sip:777@[2001:db8::1]:5070;x=1>;reason=no-answer, <sip:6@a>"},
      {"History-Info", "<sip:777@a>;index=1"}};
  for (const std::string& number : expected) {
    bench.connect(plan)->hang_up();
    std::string said;
    for (const auto& [name, value] : bench.b->last_call()->headers())
      if (name == "Diversion" || name == "History-Info") said += value + "\n";
    CHECK(said == "<sip:" + number + "@[2001:db8::1]:5070;x=1>;reason=no-answer, <sip:6@a>\n");
  }
  bench.connect()->hang_up();  // who was not sent on has none
  for (const auto& [name, value] : bench.b->last_call()->headers())
    CHECK(name != "Diversion");
  bench.check_clean();
}

TEST_CASE("Forward: the parameter says how pools that do not say so rotate (R-24)") {
  SwitchConfig config = base_config();
  config.provision.vendor_gateways[0].sip.forward_signal = true;
  config.provision.customer_gateways[0].sip.recognize_forward = true;
  std::vector<std::string> numbers;
  for (int i = 100; i < 200; ++i)
    numbers.push_back(std::to_string(i));
  config.provision.number_groups = {{"mine", numbers}};
  config.parameters.forward_pool_random = true;
  config.provision.vendor_gateways[0].forward_pool = ForwardPoolConfig{"mine"};
  bool is_in_turn = false;
  SUBCASE("as the parameter says") {}
  SUBCASE("as the pool says") {
    config.provision.vendor_gateways[0].forward_pool->is_random = false;
    is_in_turn = true;
  }
  Bench bench(config);
  DialPlan plan;
  plan.headers = {{"Diversion", "<sip:777@a>"}};
  std::string shown;
  for (int i = 0; i < 8; ++i) {
    bench.connect(plan)->hang_up();
    for (const auto& [name, value] : bench.b->last_call()->headers())
      if (name == "Diversion") shown += value;
  }
  CHECK((shown == "<sip:100@a><sip:101@a><sip:102@a><sip:103@a><sip:104@a><sip:105@a><sip:106@a>"
                  "<sip:107@a>") == is_in_turn);
  bench.check_clean();
}

TEST_CASE("Forward: its part has rates of its own where the deck has such (B-15)") {
  SwitchConfig config = forward_config();
  config.parameters.billing_forward_prefix = "F";
  config.provision.phones[0].forward.unconditional = to({"442079460000"});
  Rate rate;
  rate.prefix = "F44";
  rate.price = money("12.00");
  std::string prefix;
  SUBCASE("a rate for forwarded calls") {
    config.provision.rate_decks.back().rates.push_back(rate);
    prefix = "F44";
  }
  SUBCASE("none: the plain number counts") {}
  Desk desk(config);
  const auto call = desk.call();
  REQUIRE(call->was_answered());
  desk.end(call);
  CHECK(desk.record("phone:1001").customer.rate_prefix == prefix);
  CHECK(desk.record("cust").customer.rate_prefix.empty());
}

TEST_CASE("Forward: a phone that may not call, or cannot pay, sends nothing on (B-04, R-14)") {
  SwitchConfig config = forward_config();
  config.provision.phones[0].forward.unconditional = to({"4411"});
  int status = 0;
  SUBCASE("locked") {
    config.provision.phones[0].locked = PhoneLock::outgoing;
    status = 403;
  }
  SUBCASE("no money") {
    config.provision.accounts.back().balance = money("0");
    status = reason_facts(Reason::AccountBalanceNotEnough).sip_status;
  }
  SUBCASE("no line") {
    config.provision.phones[0].line_out = 0;
    status = reason_facts(Reason::LineLimitExceeded).sip_status;
  }
  Desk desk(config);
  CHECK(desk.call()->status() == status);
  desk.check_clean();
  CHECK(desk.world.cdrs().size() == 2);
}

TEST_CASE("Forward: money of the phone that ends in the call ends both parts") {
  SwitchConfig config = forward_config();
  config.provision.accounts.back().balance = money("0.50");  // 5 s at 6.00 a minute
  config.provision.phones[0].forward.unconditional = to({"4411"});
  Desk desk(config);
  const auto call = desk.call();
  REQUIRE(call->was_answered());
  desk.run_s(10);
  CHECK(call->is_over());
  desk.check_clean();
  CHECK(desk.record("phone:1001").end_reason == Reason::BalanceExhausted);
  CHECK(desk.record("cust").talk_time_ms < 6'000);
  CHECK(desk.balance("desk") == money("0"));
}

TEST_CASE("Forward: a caller that gives up ends both parts, and so does an administrator") {
  SwitchConfig config = forward_config();
  config.provision.phones[0].forward.unconditional = to({"4411"});
  Desk desk(config);
  desk.b->set_plan(answer_after(20 * second_us));
  SUBCASE("CANCEL") {
    DialPlan plan;
    plan.cancel_after_us = 3 * second_us;
    const auto call = desk.dial(plan, "1001");
    desk.run_s(5);
    CHECK(call->is_over());
    CHECK(desk.b->last_call()->is_over());
    desk.check_clean();
    CHECK(desk.record("phone:1001").end_reason == Reason::CallerCancel);
    CHECK(desk.record("cust").end_reason == Reason::CallerCancel);
  }
  SUBCASE("the first part is disconnected") {
    const auto call = desk.call();
    REQUIRE(call->was_answered());
    for (const CallView& view : desk.tandem->calls()) {
      if (view.customer_gateway == "cust") CHECK(desk.tandem->disconnect(view.id).ok());
    }
    desk.run_s(1);
    CHECK(call->is_over());
    desk.check_clean();
  }
  SUBCASE("the second is") {
    const auto call = desk.call();
    REQUIRE(call->was_answered());
    for (const CallView& view : desk.tandem->calls()) {
      if (view.customer_gateway == "phone:1001") CHECK(desk.tandem->disconnect(view.id).ok());
    }
    desk.run_s(1);
    CHECK(call->is_over());
    desk.check_clean();
  }
  SUBCASE("the switch falls over") {
    const auto call = desk.call();
    REQUIRE(call->was_answered());
    desk.run_s(30);
    desk.world.crash(std::move(desk.tandem));
    desk.open();
    desk.run_s(5);
    CHECK(desk.world.cdrs().size() == 2);
    call->hang_up();
    desk.b->last_call()->hang_up();
  }
}

TEST_CASE("Forward: explain says where the call would go, and takes nothing (R-23)") {
  SwitchConfig config = forward_config();
  config.provision.phones[0].forward.unconditional = to({"4411", "4422"});
  Desk desk(config);
  ExplainRequest request;
  request.from = "cust";
  request.callee = "1001";
  request.caller = "1000";
  const auto answer = desk.tandem->explain(request);
  REQUIRE(answer.ok());
  CHECK(
      answer->find(
          R"("forward":{"reason":"unconditional","targets":["4411","4422"],"method":"sequential"})") !=
      std::string::npos);
  CHECK(answer->find(R"("reject":null)") != std::string::npos);
  desk.check_clean();
}
