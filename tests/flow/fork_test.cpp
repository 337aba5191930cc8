// Calls that ring several at once: the targets of a phone that forwards, the devices of one phone.
#include <algorithm>
#include <string>
#include <vector>

#include "flow/flow.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

constexpr std::int64_t ms = 1000;

std::vector<ForwardTarget> to(std::initializer_list<const char*> numbers) {
  std::vector<ForwardTarget> targets;
  for (const char* number : numbers)
    targets.push_back({number, -1});
  return targets;
}

/// Phone 1001 sends all calls on to 4411, 4422 and 4433 at once, which are at the vendor.
SwitchConfig fork_config(int vendors = 1) {
  SwitchConfig config = base_config(vendors);
  config.provision.rate_decks.push_back(deck("phones", "6.00"));
  config.provision.accounts.push_back(account("desk", "50.00", "phones"));
  config.parameters.phone_contacts = 4;
  for (const char* number : {"1001", "1002", "1003"}) {
    PhoneConfig phone;
    phone.id = phone.number = number;
    phone.password = "secret";
    phone.account = "desk";
    config.provision.phones.push_back(phone);
  }
  PhoneForward& forward = config.provision.phones[0].forward;
  forward.method = ForwardMethod::simultaneous;
  forward.unconditional = to({"4411", "4422", "4433"});
  return config;
}

struct Desk : Bench {
  explicit Desk(SwitchConfig settings = fork_config()) : Bench(std::move(settings)) {}

  void registers(Endpoint& device, const std::string& number) {
    device.register_user(number, "secret");
    REQUIRE(
        world.run_until([&] { return device.registration_status(number) != 0; }, 40 * second_us));
    CHECK(device.registration_status(number) == 200);
    run_s(1);
  }
  std::shared_ptr<EndpointCall> call(const DialPlan& plan = {}, const std::string& to = "1001") {
    auto one = dial(plan, to);
    world.run_until([&] { return one->was_answered() || one->is_over(); }, 200 * second_us);
    return one;
  }
  /// The call that came to that number at the vendor.
  std::shared_ptr<EndpointCall> at_vendor(const std::string& number) {
    for (const auto& one : b->calls()) {
      if (one->callee() == number) return one;
    }
    return nullptr;
  }
  void end(const std::shared_ptr<EndpointCall>& one) {
    run_s(10);
    one->hang_up();
    check_clean();
  }
  const Cdr& record(const std::string& of, const std::string& callee_out) {
    const auto& all = world.cdrs();
    const auto found = std::find_if(all.begin(), all.end(), [&](const Cdr& cdr) {
      return cdr.customer_gateway == of && cdr.callee_out == callee_out;
    });
    REQUIRE(found != all.end());
    return *found;
  }
};

/// What the caller's money and that of the phone come to by the records.
void check_money(Desk& desk) {
  std::int64_t acme = 0, own = 0;
  for (const Cdr& cdr : desk.world.cdrs())
    (cdr.customer.account == "desk" ? own : acme) += cdr.customer.charge.units();
  CHECK(desk.balance("acme").units() + acme == money("100.00").units());
  CHECK(desk.balance("desk").units() + own == money("50.00").units());
}

}  // namespace

TEST_CASE("Fork: all targets ring at once, and who answers first has the call (T-02)") {
  Desk desk;
  desk.b->set_plan("4411", answer_after(9 * second_us));
  desk.b->set_plan("4422", answer_after(3 * second_us));
  desk.b->set_plan("4433", answer_after(6 * second_us));
  const auto call = desk.dial({}, "1001");
  desk.run_s(1);
  CHECK(desk.b->counters().calls_live == 3);
  CHECK(desk.tandem->calls().size() == 4);
  CHECK(call->count("180") == 1);
  desk.run_s(4);
  REQUIRE(call->was_answered());
  CHECK(desk.at_vendor("4422")->was_answered());
  for (const char* number : {"4411", "4433"}) {
    CHECK(desk.at_vendor(number)->is_over());
    CHECK(desk.at_vendor(number)->count("cancel") == 1);
    CHECK(desk.at_vendor(number)->status() == 487);
  }
  CHECK(desk.tandem->calls().size() == 2);
  desk.end(call);
  REQUIRE(desk.world.cdrs().size() == 4);
  const Cdr& cdr = desk.record("cust", "4422");
  REQUIRE(cdr.attempts.size() == 3);
  CHECK(cdr.attempts[0].callee_out == "4411");
  CHECK(cdr.attempts[1].callee_out == "4433");
  CHECK(cdr.attempts[2].callee_out == "4422");
  CHECK(cdr.attempts[2].sip_status == 200);
  for (int i : {0, 1}) {
    CHECK(cdr.attempts[i].sip_status == 487);
    CHECK(cdr.attempts[i].q850_cause == 26);
    CHECK(cdr.attempts[i].started_at_us == cdr.attempts[2].started_at_us);
    CHECK(cdr.attempts[i].ended_at_us > cdr.attempts[i].started_at_us);
  }
  CHECK(cdr.talk_time_ms >= 10'000);
  CHECK(desk.record("phone:1001", "4422").talk_time_ms >= 10'000);
  CHECK(desk.record("phone:1001", "4411").customer.charge.is_zero());
  CHECK(desk.record("phone:1001", "4411").answered_at_us == 0);
  check_money(desk);
}

TEST_CASE("Fork: two answer at once, and one of them is hung up again (RFC 3261 13.2.2.4)") {
  Desk desk;
  desk.b->set_plan("4411", answer_after(3 * second_us));
  desk.b->set_plan("4422", answer_after(3 * second_us));
  desk.b->set_plan("4433", refuse(486));
  const auto call = desk.call();
  REQUIRE(call->was_answered());
  desk.run_s(2);
  int talking = 0;
  for (const char* number : {"4411", "4422"}) {
    const auto one = desk.at_vendor(number);
    CHECK(one->was_answered());
    CHECK(one->count("confirmed") == 1);
    talking += one->is_over() ? 0 : 1;
  }
  CHECK(talking == 1);
  CHECK(call->count("answer") == 1);
  desk.end(call);
  CHECK(desk.world.cdrs().size() == 4);
  const Cdr& cdr = *std::find_if(desk.world.cdrs().begin(), desk.world.cdrs().end(),
                                 [](const Cdr& one) { return one.customer_gateway == "cust"; });
  REQUIRE(cdr.attempts.size() == 3);
  CHECK(cdr.attempts[2].sip_status == 200);
  for (const Cdr& one : desk.world.cdrs()) {
    CHECK(one.q850_cause <= 127);
    if (one.customer_gateway != "cust" && one.callee_out != cdr.callee_out)
      CHECK(one.talk_time_ms < 500);
  }
  check_money(desk);
}

TEST_CASE("Fork: a caller that gives up ends them all, also when one answers meanwhile") {
  Desk desk;
  for (const char* number : {"4411", "4422"})
    desk.b->set_plan(number, answer_after(100 * second_us));
  desk.b->set_plan("4433", answer_after(3 * second_us));
  // The CANCEL and the 200 pass each other at every distance.
  for (int offset_ms = -40; offset_ms <= 40; offset_ms += 4) {
    DialPlan plan;
    plan.cancel_after_us = 3 * second_us + offset_ms * ms;
    const auto call = desk.dial(plan, "1001");
    desk.run_s(3);
    desk.run_ms(500);
    if (call->was_answered()) call->hang_up();
    desk.run_s(1);
    CHECK(call->is_over());
    CHECK(desk.b->counters().calls_live == 0);
  }
  desk.check_clean();
  int cancelled = 0;
  for (const Cdr& cdr : desk.world.cdrs()) {
    if (cdr.customer_gateway != "cust") continue;
    CHECK(cdr.attempts.size() == 3);
    if (cdr.end_reason != Reason::CallerCancel) continue;
    ++cancelled;
    CHECK(cdr.sip_status == 487);
    for (const Attempt& attempt : cdr.attempts)
      CHECK(attempt.reason == Reason::CallerCancel);
  }
  CHECK(cancelled > 0);
  CHECK(cancelled < 21);
  check_money(desk);
}

TEST_CASE("Fork: of early media that of the first is heard, and of the next when it is gone") {
  Desk desk;
  AnswerPlan first = refuse(503, 6 * second_us);
  first.progress_after_us = second_us;
  first.send_rtp = true;
  first.rtp_pattern = 0x11;
  AnswerPlan second = answer_after(12 * second_us);
  second.ring_after_us = -1;
  second.progress_after_us = 2 * second_us;
  second.send_rtp = true;
  second.rtp_pattern = 0x22;
  desk.b->set_plan("4411", first);
  desk.b->set_plan("4422", second);
  desk.b->set_plan("4433", answer_after(100 * second_us, 3 * second_us));
  DialPlan plan;
  plan.send_rtp = true;
  const auto call = desk.dial(plan, "1001");
  desk.run_s(4);
  CHECK(call->count("183 sdp") == 1);
  CHECK(call->received_pattern() == 0x11);
  // It rings at the third one, and the caller goes on to hear the first.
  CHECK(call->count("180 sdp") == 1);
  CHECK(call->count("180") == 0);
  desk.run_s(4);
  CHECK(call->count("183 sdp") == 2);
  CHECK(call->received_pattern() == 0x22);
  desk.run_s(5);
  REQUIRE(call->was_answered());
  CHECK(call->received_pattern() == 0x22);
  desk.end(call);
}

TEST_CASE("Fork: who answers without having been heard is heard from then on") {
  Desk desk;
  AnswerPlan heard = answer_after(100 * second_us);
  heard.progress_after_us = second_us;
  heard.send_rtp = true;
  heard.rtp_pattern = 0x11;
  AnswerPlan other = answer_after(4 * second_us);
  other.send_rtp = true;
  other.rtp_pattern = 0x22;
  desk.b->set_plan("4411", heard);
  desk.b->set_plan("4422", other);
  desk.b->set_plan("4433", never_responds());
  DialPlan plan;
  plan.send_rtp = true;
  const auto call = desk.call(plan);
  REQUIRE(call->was_answered());
  desk.run_s(1);
  CHECK(call->received_pattern() == 0x22);
  CHECK(desk.at_vendor("4422")->packets_received() > 20);
  desk.end(call);
}

TEST_CASE("Fork: a caller that takes 18x reliably hears nobody while several ring (RFC 3262)") {
  SwitchConfig config = fork_config();
  config.provision.customer_gateways[0].sip.rel100 = Rel100Mode::allow;
  Desk desk(config);
  AnswerPlan early = answer_after(100 * second_us);
  early.progress_after_us = second_us;
  AnswerPlan refused = refuse(486, 3 * second_us);
  SUBCASE("another one answers") { refused = answer_after(3 * second_us, second_us); }
  SUBCASE("one is left, which is heard") {
    early.answer_after_us = 6 * second_us;
    desk.b->set_plan("4433", refused);
  }
  desk.b->set_plan("4411", early);
  desk.b->set_plan("4422", refused);
  desk.b->set_plan("4433", refuse(486, 2 * second_us));
  DialPlan plan;
  plan.rel100 = true;
  const auto call = desk.dial(plan, "1001");
  desk.run_ms(2500);
  CHECK(call->count("183 sdp") == 0);
  desk.run_s(2);
  const bool is_one_left = refused.status == 486;
  CHECK(call->count("183 sdp") == (is_one_left ? 1U : 0U));
  desk.run_s(3);
  REQUIRE(call->was_answered());
  CHECK(desk.at_vendor(is_one_left ? "4411" : "4422")->count("confirmed") == 1);
  desk.end(call);
}

TEST_CASE("Fork: a caller without an offer gets that of who answers") {
  Desk desk;
  desk.b->set_plan("4411", answer_after(100 * second_us));
  desk.b->set_plan("4422", answer_after(2 * second_us));
  DialPlan plan;
  plan.delayed_offer = true;
  desk.b->set_plan("4433", answer_after(100 * second_us));
  const auto call = desk.call(plan);
  REQUIRE(call->was_answered());
  desk.run_s(1);
  CHECK_FALSE(desk.at_vendor("4422")->remote_sdp().empty());
  CHECK_FALSE(call->remote_sdp().empty());
  desk.end(call);
}

TEST_CASE("Fork: one that refuses everywhere ends all, any other failure leaves the rest") {
  Desk desk;
  desk.b->set_plan("4411", answer_after(20 * second_us));
  desk.b->set_plan("4422", refuse(603, 2 * second_us));
  desk.b->set_plan("4433", answer_after(20 * second_us));
  SUBCASE("603 (RFC 3261 section 16.7)") {
    const auto call = desk.call();
    CHECK(call->status() == 603);
    desk.check_clean();
    CHECK(desk.at_vendor("4411")->count("cancel") == 1);
    CHECK(desk.at_vendor("4433")->count("cancel") == 1);
    const Cdr& cdr = desk.record("cust", "4422");
    CHECK(cdr.sip_status == 603);
    REQUIRE(cdr.attempts.size() == 3);
    CHECK(cdr.attempts[2].sip_status == 603);
  }
  SUBCASE("486, and a vendor that says nothing") {
    desk.b->set_plan("4422", refuse(486, 2 * second_us));
    desk.b->set_plan("4433", never_responds());
    const auto call = desk.call();
    REQUIRE(call->was_answered());
    CHECK(desk.at_vendor("4411")->was_answered());
    desk.end(call);
  }
}

TEST_CASE("Fork: of several failures the one that says most is the caller's (RFC 3261 16.7)") {
  Desk desk;
  desk.b->set_plan("4411", refuse(503, second_us));
  desk.b->set_plan("4422", refuse(404, 2 * second_us));
  desk.b->set_plan("4433", refuse(500, 3 * second_us));
  int expected = 404;
  SUBCASE("not found before failures of servers") {}
  SUBCASE("busy before not found") {
    desk.b->set_plan("4433", refuse(486, 3 * second_us));
    expected = 486;
  }
  SUBCASE("no answer before not found") {
    desk.b->set_plan("4411", refuse(480, second_us));
    expected = 480;
  }
  const auto call = desk.call();
  CHECK(call->status() == expected);
  desk.check_clean();
  const Cdr& cdr = *std::find_if(desk.world.cdrs().begin(), desk.world.cdrs().end(),
                                 [](const Cdr& one) { return one.customer_gateway == "cust"; });
  REQUIRE(cdr.attempts.size() == 3);
  CHECK(cdr.attempts[2].sip_status == expected);
  CHECK(cdr.sip_status == expected);
}

TEST_CASE("Fork: a target rings for its own time, the others as long as any call") {
  SwitchConfig config = fork_config();
  config.provision.phones[0].forward.unconditional = {{"4411", 5}, {"4422", -1}, {"4433", 8}};
  config.provision.phones[0].forward.ring_s = 3;
  Desk desk(config);
  for (const char* number : {"4411", "4433"})
    desk.b->set_plan(number, answer_after(30 * second_us));
  desk.b->set_plan("4422", answer_after(25 * second_us));
  SUBCASE("one is left and answers") {
    const auto call = desk.call();
    REQUIRE(call->was_answered());
    CHECK(desk.at_vendor("4422")->was_answered());
    desk.end(call);
    const Cdr& cdr = desk.record("cust", "4422");
    REQUIRE(cdr.attempts.size() == 3);
    const auto lasted = [&](int i) {
      return (cdr.attempts[i].ended_at_us - cdr.attempts[i].started_at_us) / second_us;
    };
    CHECK(cdr.attempts[0].reason == Reason::NoAnswer);
    CHECK(lasted(0) == 5);
    CHECK(cdr.attempts[1].reason == Reason::NoAnswer);
    CHECK(lasted(1) == 8);
  }
  SUBCASE("all are given up") {
    desk.b->set_plan("4422", refuse(404, second_us));
    const auto call = desk.dial({}, "1001");
    desk.run_s(9);
    CHECK(call->is_over());
    desk.check_clean();
    CHECK(desk.record("cust", "4411").end_reason == Reason::NoAnswer);
  }
}

TEST_CASE("Fork: the customer's limit of setting up is one for all") {
  SwitchConfig config = fork_config();
  config.provision.customer_gateways[0].sip.setup_timeout_s = 4;
  Desk desk(config);
  for (const char* number : {"4411", "4422", "4433"})
    desk.b->set_plan(number, never_answers());
  const auto call = desk.dial({}, "1001");
  desk.run_s(5);
  CHECK(call->is_over());
  desk.check_clean();
  CHECK(desk.b->counters().calls_in == 3);
}

TEST_CASE("Fork: a target may be a phone that sends it on itself (T-02)") {
  SwitchConfig config = fork_config();
  config.provision.phones[0].forward.unconditional = to({"1002", "4422"});
  config.provision.phones[1].forward.method = ForwardMethod::simultaneous;
  config.provision.phones[1].forward.unconditional = to({"4411", "4433"});
  Desk desk(config);
  desk.b->set_plan("4422", answer_after(100 * second_us));
  desk.b->set_plan("4411", answer_after(100 * second_us));
  desk.b->set_plan("4433", answer_after(3 * second_us));
  SUBCASE("and there one answers") {
    const auto call = desk.call();
    REQUIRE(call->was_answered());
    CHECK(desk.at_vendor("4433")->was_answered());
    CHECK(desk.at_vendor("4411")->count("cancel") == 1);
    CHECK(desk.at_vendor("4422")->count("cancel") == 1);
    desk.end(call);
  }
  SUBCASE("and the first one answers before") {
    desk.b->set_plan("4422", answer_after(second_us));
    const auto call = desk.call();
    REQUIRE(call->was_answered());
    CHECK(desk.at_vendor("4433")->count("cancel") == 1);
    desk.end(call);
  }
  check_money(desk);
}

TEST_CASE("Fork: a circle of phones that ring all ends after 16 parts") {
  SwitchConfig config = fork_config();
  const std::vector<std::vector<const char*>> targets = {
      {"1002", "1003"}, {"1001", "1003"}, {"1001", "1002"}};
  for (std::size_t i = 0; i < targets.size(); ++i) {
    PhoneForward& forward = config.provision.phones[i].forward;
    forward.method = ForwardMethod::simultaneous;
    forward.unconditional = to({targets[i][0], targets[i][1]});
  }
  Desk desk(config);
  const auto call = desk.call();
  CHECK(call->status() == 482);
  desk.check_clean();
  CHECK(desk.world.cdrs().size() <= 17);
}

TEST_CASE("Fork: the phone's lines are taken by each target, and given back") {
  SwitchConfig config = fork_config();
  config.provision.phones[0].line_out = 2;
  Desk desk(config);
  for (const char* number : {"4411", "4422", "4433"})
    desk.b->set_plan(number, answer_after(3 * second_us));
  const auto call = desk.dial({}, "1001");
  desk.run_s(1);
  CHECK(desk.b->counters().calls_in == 2);
  desk.run_s(4);
  REQUIRE(call->was_answered());
  desk.end(call);
  const auto second = desk.call();
  REQUIRE(second->was_answered());
  desk.end(second);
}

TEST_CASE("Fork: while several ring their money is held, and what is short is not called") {
  SwitchConfig config = fork_config();
  config.provision.accounts.back().balance = money("0.15");  // 6.00 a minute: one second is 0.10
  Desk desk(config);
  for (const char* number : {"4411", "4422", "4433"})
    desk.b->set_plan(number, answer_after(3 * second_us));
  const auto call = desk.dial({}, "1001");
  desk.run_s(1);
  CHECK(desk.b->counters().calls_in == 1);
  call->cancel();
  desk.check_clean();
  CHECK(desk.balance("desk") == money("0.15"));
}
