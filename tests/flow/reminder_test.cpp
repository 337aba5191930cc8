// M-14: who calls, or is called, hears before money or time end the call.
#include <algorithm>
#include <string>

#include "flow/flow.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

constexpr std::uint8_t alaw = 8;
constexpr int far_pattern = 0x2A, near_pattern = 0xD5;

ReminderConfig reminder(std::int32_t before_s, Hearers to = Hearers::caller) {
  ReminderConfig one;
  one.sound = "tone:warning";
  one.before_s = before_s;
  one.to = to;
  return one;
}

CustomerGateway& cust(SwitchConfig& config) { return config.provision.customer_gateways[0]; }

struct Talk : Bench {
  explicit Talk(SwitchConfig settings) : Bench(std::move(settings)) {
    AnswerPlan answer;
    answer.formats = "8 101";
    answer.rtp_type = alaw;
    answer.rtp_pattern = far_pattern;
    answer.send_rtp = true;
    b->set_plan(answer);
  }
  std::shared_ptr<EndpointCall> talk() {
    DialPlan plan;
    plan.formats = "8 101";
    plan.rtp_type = alaw;
    plan.rtp_pattern = near_pattern;
    plan.send_rtp = true;
    return connect(plan);
  }
  /// Seconds from now until `call` hears something else than `pattern`; -1: not within `limit_s`.
  double heard_after_s(const EndpointCall& call, int pattern, int limit_s) {
    for (int tenth = 1; tenth <= 10 * limit_s; ++tenth) {
      run_ms(100);
      if (call.received_pattern() != pattern && call.received_pattern() != -1) return tenth / 10.0;
    }
    return -1;
  }
};

}  // namespace

TEST_CASE("Reminder M-14: the caller hears a minute before its money ends, and talks on") {
  SwitchConfig config = base_config();
  config.provision.accounts[0].balance = money("1.00");  // 100 s
  bool is_of_account = false;
  SUBCASE("of the customer gateway") { cust(config).reminder = reminder(30); }
  SUBCASE("of the account, with the time of the parameter") {
    config.provision.accounts[0].reminder = reminder(0);
    config.parameters.reminder_before_s = 30;
    is_of_account = true;
  }
  CAPTURE(is_of_account);
  Talk bench(config);
  auto call = bench.talk();
  const auto far = bench.b->last_call();
  bench.run_s(1);
  REQUIRE(call->received_pattern() == far_pattern);
  const std::uint64_t before = call->packets_received();
  const double at_s = bench.heard_after_s(*call, far_pattern, 98);
  CHECK(at_s >= 68.5);  // a second is over
  CHECK(at_s <= 71.5);
  CHECK(far->received_pattern() == near_pattern);
  bench.run_s(4);
  CHECK(call->received_pattern() == far_pattern);  // two seconds of tone
  const auto expected = static_cast<std::uint64_t>((at_s + 4) * 50);
  CHECK(call->packets_received() - before >= expected - 10);  // one packet in the place of each
  CHECK(call->packets_received() - before <= expected + 10);
  call->press_key('7');
  bench.run_s(1);
  CHECK(far->received_keys() == "7");
  CHECK(bench.heard_after_s(*call, far_pattern, 20) == -1);  // once
  bench.run_s(10);
  CHECK(call->is_over());
  const Cdr& cdr = bench.only_cdr();
  CHECK(cdr.end_reason == Reason::BalanceExhausted);
  CHECK(cdr.talk_time_ms >= 99'900);
  CHECK(cdr.talk_time_ms <= 100'100);
  CHECK(cdr.media_caller.packets_lost == 0);
  CHECK(cdr.media_callee.packets_lost == 0);
}

TEST_CASE(
    "Reminder M-14: before the longest call is over both sides hear it, as often as is said") {
  SwitchConfig config = base_config();
  cust(config).max_call_s = MaxCallDuration{60, 60};
  cust(config).reminder = reminder(20, Hearers::both);
  cust(config).reminder->times = 2;
  cust(config).reminder->of_money = false;
  Talk bench(config);
  auto call = bench.talk();
  const auto far = bench.b->last_call();
  bench.run_s(1);
  const double at_s = bench.heard_after_s(*call, far_pattern, 58);
  CHECK(at_s >= 38.5);
  CHECK(at_s <= 40.5);
  CHECK(far->received_pattern() != near_pattern);
  bench.run_ms(2'400);  // the second of silence is the switch's too
  CHECK(call->received_pattern() != far_pattern);
  bench.run_s(4);
  CHECK(call->received_pattern() == far_pattern);
  CHECK(far->received_pattern() == near_pattern);
  bench.run_s(15);
  CHECK(call->is_over());
  CHECK(bench.only_cdr().end_reason == Reason::MaxDuration);
}

TEST_CASE("Reminder M-14: two calls of one account spend it twice as fast, and hear in time") {
  SwitchConfig config = base_config();
  config.provision.accounts[0].balance = money("3.00");  // 150 s for each of two
  cust(config).reminder = reminder(30);
  Talk bench(config);
  auto first = bench.talk();
  auto second = bench.talk();
  bench.run_s(1);
  const double at_s = bench.heard_after_s(*first, far_pattern, 148);
  CHECK(at_s >= 95);
  CHECK(at_s <= 135);
  bench.run_s(60);
  CHECK(first->is_over());
  CHECK(second->is_over());
  REQUIRE(bench.world.cdrs().size() == 2);
  for (const Cdr& cdr : bench.world.cdrs())
    CHECK(cdr.end_reason == Reason::BalanceExhausted);
}

TEST_CASE("Reminder M-14: what a short call takes in advance is no end that comes nearer (B-11)") {
  SwitchConfig config = base_config();
  config.provision.accounts[0].balance = money("9.00");  // 900 s
  config.parameters.overdraft_advance_min = 5;
  cust(config).reminder = reminder(30);
  Talk bench(config);
  auto call = bench.talk();
  bench.run_s(30);
  auto other = bench.talk();
  CHECK(bench.heard_after_s(*call, far_pattern, 25) == -1);
  other->hang_up();
  CHECK(bench.heard_after_s(*call, far_pattern, 60) == -1);
  call->hang_up();
  bench.run_s(1);
}

TEST_CASE("Reminder M-14: a payment puts the end off, and the next one is announced again") {
  SwitchConfig config = base_config();
  config.provision.accounts[0].balance = money("0.60");
  cust(config).reminder = reminder(20);
  Talk bench(config);
  auto call = bench.talk();
  bench.run_s(1);
  CHECK(bench.heard_after_s(*call, far_pattern, 50) > 0);
  REQUIRE(bench.tandem->pay("acme", money("0.60")).ok());
  bench.run_s(10);
  const double again_s = bench.heard_after_s(*call, far_pattern, 100);
  CHECK(again_s >= 45);
  CHECK(again_s <= 52);
  call->hang_up();
  CHECK(bench.only_cdr().end_reason == Reason::NormalCallClearing);
}

TEST_CASE("Reminder M-14: none where a gateway wants none, and where it cannot be played") {
  SwitchConfig config = base_config();
  config.provision.accounts[0].balance = money("0.60");
  config.provision.accounts[0].reminder = reminder(20);
  SUBCASE("the gateway says none") { cust(config).reminder = ReminderConfig{}; }
  SUBCASE("media goes past the switch") { cust(config).media = MediaMode::off; }
  SUBCASE("of time, and none is limited") {
    config.provision.accounts[0].reminder->of_money = false;
  }
  Talk bench(config);
  auto call = bench.talk();
  bench.run_s(1);
  CHECK(bench.heard_after_s(*call, far_pattern, 58) == -1);
  bench.run_s(5);
  CHECK(bench.only_cdr().end_reason == Reason::BalanceExhausted);
}

TEST_CASE("Reminder M-14: a sound that cannot be had is refused with the configuration, by name") {
  SwitchConfig config = base_config();
  Bench bench(config);
  config.provision.accounts[0].reminder = reminder(20);
  config.provision.accounts[0].reminder->sound = "/no/such/file.wav";
  const auto reloaded = bench.tandem->reload(config);
  REQUIRE_FALSE(reloaded.ok());
  CHECK(reloaded.error().message.find("acme") != std::string::npos);
  CHECK(reloaded.error().message.find("/no/such/file.wav") != std::string::npos);
}

TEST_CASE("Reminder M-14: a phone has prompts and a reminder of its own") {
  SwitchConfig config = base_config();
  config.provision.accounts[0].balance = money("1.00");
  config.provision.accounts[0].reminder = reminder(90);
  PhoneConfig phone;
  phone.id = phone.number = "1001";
  phone.password = "secret";
  phone.account = "acme";
  phone.prompts = {{Reason::CalleeBusy, "tone:busy"}};
  phone.reminder = reminder(20);
  config.provision.phones = {phone};
  Talk bench(config);
  Endpoint* const device = bench.endpoint("10.0.3.1:5060");
  DialPlan plan;
  plan.username = "1001";
  plan.password = "secret";
  plan.formats = "8 101";
  plan.rtp_type = alaw;
  plan.rtp_pattern = near_pattern;
  plan.send_rtp = true;
  SUBCASE("its reminder goes before the account's") {
    auto call = device->dial("442079460000", "1001", plan);
    REQUIRE(bench.world.run_until([&] { return call->was_answered(); }, 10 * second_us));
    bench.run_s(1);
    const double at_s = bench.heard_after_s(*call, far_pattern, 98);
    CHECK(at_s >= 78.5);
    CHECK(at_s <= 81.5);
    call->hang_up();
  }
  SUBCASE("its prompt is heard before the refusal") {
    bench.b->set_plan(refuse(486, 0));
    auto call = device->dial("442079460000", "1001", plan);
    bench.run_s(2);
    CHECK(call->status() == 0);
    CHECK(call->count("183 sdp") == 1);
    CHECK(call->packets_received() > 50);
    bench.run_s(6);
    CHECK(call->status() == 486);
  }
  bench.run_s(1);
}
