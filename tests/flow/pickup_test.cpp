// Phones pick up calls that ring at others (T-10), by a code or by Replaces (RFC 3891).
#include <string>

#include "flow/office.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

/// A customer's call rings at phone 1001.
struct Ringing : PhoneOffice {
  std::shared_ptr<EndpointCall> caller, bell;

  explicit Ringing(SwitchConfig settings = phones_config(), const WorldOptions& options = {})
      : PhoneOffice(std::move(settings), options) {
    for (Endpoint* const device : phones)
      device->set_plan(rings());
    DialPlan plan;
    plan.send_rtp = true;
    plan.rtp_pattern = 0x33;
    caller = dial(plan, "1001");
    REQUIRE(world.run_until([&] { return caller->count("180") == 1; }, 10 * second_us));
    bell = phone(1001).last_call();
    REQUIRE(bell != nullptr);
  }
};

DialPlan talking() {
  DialPlan plan;
  plan.send_rtp = true;
  plan.rtp_pattern = 0x22;
  return plan;
}

bool has_failed(const EndpointCall& call, const std::string& status) {
  return call.count("failure " + status) == 1;
}

}  // namespace

TEST_CASE("Pickup: the code brings the ringing call of the group, on any worker (T-10)") {
  for (const int workers : {1, 4}) {
    for (const std::string code : {"*8", "*81001", "*8443001001"}) {
      for (const int by : {1002, 1004}) {
        CAPTURE(workers);
        CAPTURE(code);
        CAPTURE(by);
        Ringing office(phones_config(workers));
        std::string cancel;
        office.world.set_tap([&](const DatagramView& datagram) {
          if (datagram.bytes.starts_with("CANCEL")) cancel = datagram.bytes;
        });
        office.run_s(3);
        const auto taker = office.dial_from(by, code, talking());
        office.answered(taker);
        office.answered(office.caller);
        office.run_s(2);
        CHECK(office.bell->is_over());
        CHECK(office.bell->count("cancel") == 1);
        CHECK(header(cancel, "Reason") == "SIP;cause=200;text=\"Call completed elsewhere\"");
        CHECK(office.caller->received_pattern() == 0x22);
        CHECK(taker->received_pattern() == 0x33);
        CHECK(office.tandem->calls().size() == 1);
        taker->hold();
        office.run_s(1);
        CHECK(office.caller->remote_sdp().find("a=sendonly") != std::string::npos);
        office.run_s(7);
        office.caller->hang_up();
        const Cdr& cdr = office.only_cdr();
        CHECK(taker->is_over());
        const std::string id = "phone:" + std::to_string(by);
        CHECK(cdr.customer_gateway == "cust");
        CHECK(cdr.vendor_gateway == id);
        CHECK(cdr.callee == "1001");
        CHECK(cdr.talk_time_ms / 1000 == 10);
        REQUIRE(cdr.attempts.size() == 2);
        CHECK(cdr.attempts[0].vendor_gateway == "phone:1001");
        CHECK(cdr.attempts[0].sip_status == 487);
        CHECK(cdr.attempts[1].vendor_gateway == id);
        CHECK(cdr.attempts[1].sip_status == 200);
        office.check_money();
      }
    }
  }
}

TEST_CASE("Pickup: the code may stand behind the number (T-10)") {
  SwitchConfig config = phones_config();
  config.parameters.pickup_code_is_last = true;
  Ringing office(config);
  const auto taker = office.dial_from(1002, "1001*8");
  office.answered(taker);
  office.answered(office.caller);
  taker->hang_up();
  CHECK(office.only_cdr().vendor_gateway == "phone:1002");
}

TEST_CASE("Pickup: of several calls the one that has rung longest comes first (T-10)") {
  Ringing office;
  office.run_s(2);
  const auto later = office.dial({}, "1002");
  REQUIRE(office.world.run_until([&] { return later->count("180") == 1; }, 10 * second_us));
  const auto first = office.dial_from(1004, "*8");
  office.answered(first);
  office.run_s(1);
  CHECK(office.caller->was_answered());
  CHECK_FALSE(later->was_answered());
  const auto second = office.dial_from(1004, "*8");
  office.answered(second);
  office.run_s(1);
  CHECK(later->was_answered());
  ExplainRequest question;
  question.from = "phone:1004";
  question.caller = "1004";
  question.callee = "*8";
  const auto explained = office.tandem->explain(question);
  REQUIRE(explained);
  CHECK(explained->find("\"pickup_code\"") != std::string::npos);
  CHECK(explained->find("\"reject\":null") != std::string::npos);
  const auto none = office.dial_from(1004, "*8");
  office.run_s(1);
  CHECK(has_failed(*none, "404"));
  first->hang_up();
  second->hang_up();
  office.check_clean();
  CHECK(office.answered_records() == 2);
  office.check_money();
}

TEST_CASE("Pickup: nobody else picks the call up, and it rings on (T-10)") {
  SwitchConfig config = phones_config();
  int by = 1003;
  std::string code = "*8", expected = "404";
  SUBCASE("a phone without a group") { expected = ""; }
  SUBCASE("a phone that does not ring") {
    by = 1002;
    code = "*81004";
  }
  SUBCASE("what is no phone") {
    by = 1002;
    code = "*89999";
  }
  SUBCASE("a group of its own") {
    by = 1005;
    config.provision.phones[4].pickup_group = "stock";
  }
  SUBCASE("a phone that is locked") {
    by = 1002;
    config.provision.phones[1].locked = PhoneLock::outgoing;
    expected = "403";
  }
  Ringing office(config);
  const auto taker = office.dial_from(by, code);
  office.run_s(2);
  // Without a group the code is a number like any other: v1 has no route against it.
  if (!expected.empty()) CHECK(has_failed(*taker, expected));
  CHECK_FALSE(office.bell->is_over());
  taker->hang_up();
  office.bell->answer();
  office.answered(office.caller);
  office.run_s(1);
  office.caller->hang_up();
  office.check_clean();
  office.check_money();
}

TEST_CASE("Pickup: a ringing call may be named by Replaces too (RFC 3891 section 3)") {
  SwitchConfig config = phones_config();
  int by = 1003;  // of the account
  std::string suffix;
  bool is_taken = true;
  SUBCASE("as it is") {}
  SUBCASE("early-only") { suffix = ";early-only"; }
  SUBCASE("by a phone that may not") {
    by = 1005;
    is_taken = false;
  }
  Ringing office(config);
  office.run_s(1);
  const auto taker = office.take(by, office.bell->replaces() + suffix, talking());
  office.run_s(2);
  CHECK(taker->was_answered() == is_taken);
  CHECK(office.caller->was_answered() == is_taken);
  CHECK(office.bell->is_over() == is_taken);
  if (!is_taken) CHECK(has_failed(*taker, "403"));
  office.caller->hang_up();
  office.check_clean();
  CHECK(office.answered_records() == (is_taken ? 1 : 0));
  office.check_money();
}

TEST_CASE("Pickup: a call that this switch has not made itself is not picked up (RFC 3891)") {
  SwitchConfig config = phones_config();
  config.provision.customer_gateways[0].sip.replaces = ReplacesMode::own;
  PhoneOffice office(config);
  office.phone(1001).set_plan(rings());
  DialPlan plan;
  plan.requires_replaces = true;
  const auto caller = office.dial(plan, "1001");
  REQUIRE(office.world.run_until([&] { return caller->count("180") == 1; }, 10 * second_us));
  // The caller's own dialog is early too, and was not begun by the switch.
  const auto taker = office.take(1002, caller->replaces());
  office.run_s(1);
  CHECK(has_failed(*taker, "481"));
  caller->cancel();
  office.check_clean();
  CHECK(office.answered_records() == 0);
}

TEST_CASE("Pickup: whatever crosses with it, the call has two ends and one record (T-10)") {
  enum class Event { caller_cancels, bell_answers, bell_declines, taker_cancels, second_taker };
  for (const Event event : {Event::caller_cancels, Event::bell_answers, Event::bell_declines,
                            Event::taker_cancels, Event::second_taker}) {
    for (const int workers : {1, 3}) {
      for (int at_ms = 0; at_ms <= 180; at_ms += 10 * workers) {
        CAPTURE(static_cast<int>(event));
        CAPTURE(workers);
        CAPTURE(at_ms);
        WorldOptions options;
        options.link.delay_us = 20'000;
        Ringing office(phones_config(workers), options);
        const auto taker = office.dial_from(1002, "*8", talking());
        office.run_ms(at_ms);
        std::shared_ptr<EndpointCall> second;
        switch (event) {
          case Event::caller_cancels:
            if (office.caller->was_answered()) {
              office.caller->hang_up();
            } else {
              office.caller->cancel();
            }
            break;
          case Event::bell_answers:
            office.bell->answer();
            break;
          case Event::bell_declines:
            office.bell->reject(486);
            break;
          case Event::taker_cancels:
            if (taker->was_answered()) {
              taker->hang_up();
            } else {
              taker->cancel();
            }
            break;
          case Event::second_taker:
            second = office.dial_from(1004, "*8", talking());
            break;
        }
        office.run_s(5);
        const bool is_up = office.caller->was_answered() && !office.caller->is_over();
        int others = 0;
        for (const auto& call : {office.bell, taker, second}) {
          if (call != nullptr && call->was_answered() && !call->is_over()) ++others;
        }
        CHECK(others == (is_up ? 1 : 0));
        if (event == Event::second_taker) CHECK(is_up);
        office.caller->hang_up();
        office.check_clean();
        CHECK(office.answered_records() <= 1);
        office.check_money();
      }
    }
  }
}

TEST_CASE("Pickup: what the caller was told reliably nobody else can answer (RFC 3262)") {
  SwitchConfig config = phones_config();
  config.provision.customer_gateways[0].sip.rel100 = Rel100Mode::allow;
  PhoneOffice office(config);
  AnswerPlan plan = rings();
  plan.ring_with_sdp = true;
  office.phone(1001).set_plan(plan);
  DialPlan dial;
  dial.rel100 = true;
  const auto caller = office.dial(dial, "1001");
  REQUIRE(office.world.run_until([&] { return caller->count("180 sdp") == 1; }, 10 * second_us));
  office.run_s(1);
  const auto taker = office.dial_from(1002, "*8");
  office.run_s(1);
  CHECK(has_failed(*taker, "488"));
  office.phone(1001).last_call()->answer();
  office.answered(caller);
  caller->hang_up();
  office.check_clean();
  office.check_money();
}

TEST_CASE("Pickup: a phone whose settings do not fit leaves the call ringing (T-10)") {
  SwitchConfig config = phones_config();
  PhoneConfig& taking = config.provision.phones[1];
  SUBCASE("no codec of its list is offered") { taking.codecs = {CodecName::parse("G729").value()}; }
  SUBCASE("its media must be encrypted, and it would have to show its keys") {
    taking.srtp = SrtpMode::required;
  }
  Ringing office(config);
  const auto taker = office.dial_from(1002, "*8");
  office.run_s(1);
  CHECK(has_failed(*taker, "488"));
  CHECK_FALSE(office.bell->is_over());
  CHECK_FALSE(office.caller->is_over());
  office.bell->answer();
  office.answered(office.caller);
  office.run_s(1);
  office.caller->hang_up();
  CHECK(office.answered_records() == 0);
  office.check_clean();
  CHECK(office.answered_records() == 1);
  office.check_money();
}

TEST_CASE("Pickup: a phone with encrypted media picks up who has plain media (T-10, RFC 4568)") {
  SwitchConfig config = phones_config();
  config.provision.phones[1].srtp = SrtpMode::required;
  config.provision.phones[1].srtp_any_transport = true;
  Ringing office(config);
  DialPlan plan = talking();
  plan.srtp = SrtpMode::required;
  const auto taker = office.dial_from(1002, "*8", plan);
  office.answered(taker);
  office.answered(office.caller);
  office.run_s(2);
  CHECK(office.caller->received_pattern() == 0x22);
  CHECK(taker->received_pattern() == 0x33);
  taker->hang_up();
  CHECK(office.only_cdr().vendor_gateway == "phone:1002");
  office.check_money();
}

TEST_CASE("Pickup: who was to carry the call is not shown to a shadow as who did (R-23)") {
  SwitchConfig config = phones_config();
  config.provision.phones[0].replaces = ReplacesMode::any;
  config.provision.vendor_gateways[0].sip.replaces = ReplacesMode::own;
  // A PBX, which calls and is called; another vendor has no place to give (RFC 3891).
  config.provision.customer_gateways.push_back(customer("v1", "10.0.2.1"));
  PhoneOffice office(config);
  office.b->set_plan(rings());
  REQUIRE(office.tandem->start_shadow("{}"));
  const auto caller = office.dial({}, "442079460000");
  REQUIRE(office.world.run_until([&] { return caller->count("180") == 1; }, 10 * second_us));
  const auto taker = office.take(1001, office.b->last_call()->replaces());
  office.answered(taker);
  office.answered(caller);
  office.run_s(5);
  caller->hang_up();
  const Cdr& cdr = office.only_cdr();
  CHECK(cdr.vendor_gateway == "phone:1001");
  CHECK_FALSE(cdr.customer.charge.is_zero());
  const auto report = office.tandem->shadow_report();
  REQUIRE(report);
  CHECK(report->find("\"calls\":0") != std::string::npos);
  CHECK(report->find("\"calls\":1") == std::string::npos);
  office.check_money();
}
