// Phones with several devices that ring at once (P-05).
#include <algorithm>
#include <string>
#include <vector>

#include "flow/flow.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

/// Phone 1002 with three devices.
SwitchConfig devices_config() {
  SwitchConfig config = base_config();
  config.parameters.phone_contacts = 4;
  config.parameters.pickup_code = "*8";
  for (const char* number : {"1002", "1003"}) {
    PhoneConfig phone;
    phone.id = phone.number = number;
    phone.password = "secret";
    phone.account = "acme";
    phone.pickup_group = "desk";
    phone.rings_together = true;
    config.provision.phones.push_back(phone);
  }
  return config;
}

struct Devices : Bench {
  std::vector<Endpoint*> all;

  explicit Devices(SwitchConfig settings = devices_config(), int count = 3)
      : Bench(std::move(settings)) {
    for (int i = 1; i <= count; ++i) {
      all.push_back(endpoint("10.0.3." + std::to_string(i) + ":5060"));
      registers(*all.back(), "1002");
    }
  }
  void registers(Endpoint& device, const std::string& number,
                 SipTransport transport = SipTransport::udp) {
    device.register_user(number, "secret", 3600, transport);
    REQUIRE(
        world.run_until([&] { return device.registration_status(number) != 0; }, 40 * second_us));
    CHECK(device.registration_status(number) == 200);
    run_s(1);
  }
  std::shared_ptr<EndpointCall> call(const DialPlan& plan = {}) {
    auto one = dial(plan, "1002");
    world.run_until([&] { return one->was_answered() || one->is_over(); }, 200 * second_us);
    return one;
  }
};

}  // namespace

TEST_CASE("Devices: all of a phone ring at once, and the first that answers has the call") {
  SwitchConfig config = devices_config();
  config.provision.phones[0].line_in = 1;
  Devices bench(config);
  bench.all[0]->set_plan(answer_after(9 * second_us));
  AnswerPlan plan = answer_after(3 * second_us);
  plan.send_rtp = true;
  plan.rtp_pattern = 0x22;
  bench.all[1]->set_plan(plan);
  bench.all[2]->set_plan(answer_after(9 * second_us));
  DialPlan dial;
  dial.send_rtp = true;
  const auto call = bench.dial(dial, "1002");
  bench.run_s(1);
  for (Endpoint* const device : bench.all)
    CHECK(device->received("INVITE") == 1);
  CHECK(call->count("180") == 1);
  // It is one call to the phone.
  CHECK(bench.tandem->calls().size() == 1);
  CHECK(bench.tandem->phone("1002")->calls_in == 1);
  bench.run_s(4);
  REQUIRE(call->was_answered());
  CHECK(bench.all[1]->last_call()->was_answered());
  for (int i : {0, 2}) {
    CHECK(bench.all[i]->last_call()->is_over());
    CHECK(bench.all[i]->last_call()->count("cancel") == 1);
  }
  CHECK(call->received_pattern() == 0x22);
  CHECK(bench.all[1]->last_call()->packets_received() > 20);
  bench.run_s(5);
  call->hang_up();
  bench.check_clean();
  const Cdr& cdr = bench.only_cdr();
  REQUIRE(cdr.attempts.size() == 3);
  CHECK(cdr.attempts[2].sip_status == 200);
  CHECK(cdr.attempts[0].sip_status == 487);
  CHECK(cdr.callee_ip == "10.0.3.2:5060");
  CHECK(cdr.vendor_gateway == "phone:1002");
}

TEST_CASE("Devices: one after the other unless the phone rings all") {
  SwitchConfig config = devices_config();
  config.provision.phones[0].rings_together = false;
  Devices bench(config);
  for (Endpoint* const device : bench.all)
    device->set_plan(answer_after(9 * second_us));
  const auto call = bench.dial({}, "1002");
  bench.run_s(1);
  CHECK(bench.all[0]->received("INVITE") + bench.all[1]->received("INVITE") +
            bench.all[2]->received("INVITE") ==
        1);
  call->cancel();
  bench.check_clean();
}

TEST_CASE("Devices: two that answer at once are both acknowledged, and one is hung up") {
  Devices bench;
  for (Endpoint* const device : bench.all)
    device->set_plan(answer_after(3 * second_us));
  const auto call = bench.call();
  REQUIRE(call->was_answered());
  bench.run_s(2);
  int talking = 0;
  for (Endpoint* const device : bench.all) {
    const auto one = device->last_call();
    CHECK(one->was_answered());
    CHECK(one->count("confirmed") == 1);
    talking += one->is_over() ? 0 : 1;
  }
  CHECK(talking == 1);
  call->hang_up();
  bench.check_clean();
  CHECK(bench.only_cdr().attempts.size() == 3);
}

TEST_CASE("Devices: the caller's CANCEL and an answer pass each other at every distance") {
  Devices bench;
  for (Endpoint* const device : bench.all)
    device->set_plan(answer_after(3 * second_us));
  for (int offset_ms = -30; offset_ms <= 30; offset_ms += 3) {
    DialPlan plan;
    plan.cancel_after_us = 3 * second_us + offset_ms * 1000;
    const auto call = bench.dial(plan, "1002");
    bench.run_s(4);
    if (call->was_answered()) call->hang_up();
    bench.run_s(1);
    CHECK(call->is_over());
    for (Endpoint* const device : bench.all)
      CHECK(device->counters().calls_live == 0);
  }
  bench.check_clean();
}

TEST_CASE("Devices: early media is that of the first, and ends with who answers") {
  Devices bench;
  AnswerPlan heard = answer_after(100 * second_us);
  heard.progress_after_us = second_us;
  heard.send_rtp = true;
  heard.rtp_pattern = 0x11;
  AnswerPlan other = answer_after(4 * second_us);
  other.send_rtp = true;
  other.rtp_pattern = 0x22;
  SUBCASE("that has described itself before") {
    other.progress_after_us = 2 * second_us;
    other.answer_without_sdp = true;
  }
  SUBCASE("that has not") {}
  bench.all[0]->set_plan(heard);
  bench.all[1]->set_plan(other);
  bench.all[2]->set_plan(never_responds());
  DialPlan plan;
  plan.send_rtp = true;
  const auto call = bench.dial(plan, "1002");
  bench.run_ms(1500);
  CHECK(call->received_pattern() == 0x11);
  bench.run_ms(2000);
  CHECK(call->count("183 sdp") == 1);
  CHECK(call->received_pattern() == 0x11);  // also while another one sends its own to the same port
  bench.run_ms(1500);
  REQUIRE(call->was_answered());
  CHECK(bench.all[1]->last_call()->was_answered());
  bench.run_s(6);
  CHECK(call->received_pattern() == 0x22);
  CHECK(bench.all[1]->last_call()->packets_received() > 50);
  call->hang_up();
  bench.check_clean();
}

TEST_CASE("Devices: each has timers of its own, and what none answers goes on (T-02)") {
  SwitchConfig config = devices_config();
  config.provision.phones[0].forward.no_answer = {{"4411", -1}};
  config.provision.phones[0].forward.ring_s = 10;
  Devices bench(config);
  bench.all[0]->set_silent(true);  // its power is gone
  bench.all[1]->set_plan(answer_after(100 * second_us));
  bench.all[2]->set_plan(answer_after(100 * second_us, 5 * second_us));
  const auto call = bench.dial({}, "1002");
  bench.run_s(12);
  CHECK(bench.all[1]->last_call()->is_over());
  CHECK_FALSE(bench.all[2]->last_call()->is_over());
  bench.run_s(60);
  REQUIRE(call->was_answered());
  CHECK(bench.b->last_call()->callee() == "4411");
  call->hang_up();
  bench.run_s(40);
  const auto& cdrs = bench.world.cdrs();
  const auto arrived = std::find_if(cdrs.begin(), cdrs.end(),
                                    [](const Cdr& one) { return one.customer_gateway == "cust"; });
  REQUIRE(arrived != cdrs.end());
  REQUIRE(arrived->attempts.size() == 4);
  CHECK(arrived->attempts[3].callee_out == "4411");
}

TEST_CASE("Devices: one that redirects is one less, and its 302 is no answer for the caller") {
  Devices bench;
  AnswerPlan moved = refuse(302, second_us);
  moved.headers = {{"Contact", "<sip:4499@10.0.2.1:5060>"}};
  bench.all[0]->set_plan(answer_after(4 * second_us));
  bench.all[1]->set_plan(refuse(480, 2 * second_us));
  bench.all[2]->set_plan(moved);
  SUBCASE("another one answers") {
    const auto call = bench.call();
    REQUIRE(call->was_answered());
    CHECK(bench.all[0]->last_call()->was_answered());
    call->hang_up();
  }
  SUBCASE("none does") {
    bench.all[0]->set_plan(refuse(503, second_us));
    CHECK(bench.call()->status() == 480);
  }
  bench.check_clean();
  CHECK(bench.only_cdr().attempts.size() == 3);
}

TEST_CASE("Devices: one of a group picks the call up, and all stop ringing (T-10)") {
  Devices bench;
  Endpoint* const other = bench.endpoint("10.0.3.9:5060");
  bench.registers(*other, "1003");
  for (Endpoint* const device : bench.all)
    device->set_plan(answer_after(100 * second_us));
  const auto call = bench.dial({}, "1002");
  bench.run_s(2);
  DialPlan plan;
  plan.username = "1003";
  plan.password = "secret";
  std::string code = "*8";
  SUBCASE("by the code") {}
  SUBCASE("by the dialog of one device") {
    plan.replaces = bench.all[1]->last_call()->replaces();
    code = "1002";
  }
  const auto taken = other->dial(code, "1003", plan);
  bench.run_s(2);
  CHECK(taken->was_answered());
  CHECK(call->was_answered());
  for (Endpoint* const device : bench.all)
    CHECK(device->last_call()->count("cancel") == 1);
  call->hang_up();
  bench.check_clean();
}

TEST_CASE("Devices: one over TCP rings along with those over UDP") {
  Devices bench(devices_config(), 2);
  Endpoint* const third = bench.endpoint("10.0.3.3:5060");
  bench.registers(*third, "1002", SipTransport::tcp);
  for (Endpoint* const device : bench.all)
    device->set_plan(answer_after(100 * second_us));
  third->set_plan(answer_after(2 * second_us));
  const auto call = bench.call();
  REQUIRE(call->was_answered());
  CHECK(third->last_call()->was_answered());
  for (Endpoint* const device : bench.all)
    CHECK(device->last_call()->count("cancel") == 1);
  call->hang_up();
  bench.run_s(5);
}

TEST_CASE("Devices: busy at one and declined at another (RFC 3261 section 16.7)") {
  Devices bench;
  bench.all[0]->set_plan(refuse(486, second_us));
  bench.all[1]->set_plan(answer_after(100 * second_us));
  bench.all[2]->set_plan(refuse(603, 3 * second_us));
  const auto call = bench.call();
  CHECK(call->status() == 603);
  CHECK(bench.all[1]->last_call()->count("cancel") == 1);
  bench.check_clean();
  CHECK(bench.only_cdr().attempts.size() == 3);
}
