// Calls in which one party leads the other one to somebody else (T-04, RFC 3515, RFC 5589).
#include <algorithm>
#include <string>
#include <vector>

#include "flow/flow.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

constexpr const char* target = "442079460000";
const std::string refer_to_target = "<sip:442079460000@10.0.0.1>";

/// Phones 1001 and 1002 with an account of their own, whose deck charges more.
SwitchConfig office_config(std::string_view balance = "50.00") {
  SwitchConfig config = base_config();
  config.provision.rate_decks.push_back(deck("phones", "6.00"));
  config.provision.accounts.push_back(account("desk", balance, "phones"));
  for (const char* number : {"1001", "1002"}) {
    PhoneConfig phone;
    phone.id = phone.number = number;
    phone.password = "secret";
    phone.account = "desk";
    config.provision.phones.push_back(phone);
  }
  return config;
}

/// The numbers 5001 and 5002 have a card each.
SwitchConfig card_config() {
  SwitchConfig config = office_config();
  for (const char* number : {"5001", "5002"}) {
    AccountConfig card = account(std::string("card") + number, "5.00");
    card.kind = AccountKind::card;
    card.bound_numbers = {number};
    config.provision.accounts.push_back(card);
  }
  return config;
}

/// A customer's call to phone 1001, which is about to transfer it.
struct Office : Bench {
  Endpoint* phone;                       // 1001
  Endpoint* next;                        // 1002
  std::shared_ptr<EndpointCall> caller;  // the customer's end
  std::shared_ptr<EndpointCall> desk;    // the phone's

  explicit Office(SwitchConfig settings = office_config(), const WorldOptions& options = {})
      : Bench(std::move(settings), options),
        phone(endpoint("10.0.3.1:5060")),
        next(endpoint("10.0.3.2:5060")) {
    registers(*phone, "1001");
    registers(*next, "1002");
  }
  void registers(Endpoint& device, const std::string& number) {
    device.register_user(number, "secret");
    REQUIRE(
        world.run_until([&] { return device.registration_status(number) != 0; }, 40 * second_us));
    REQUIRE(device.registration_status(number) == 200);
  }
  /// They talk for ten seconds.
  void talk(const DialPlan& plan = {}) {
    caller = dial(plan, "1001");
    REQUIRE(world.run_until([&] { return caller->was_answered(); }, 60 * second_us));
    run_s(10);
    desk = phone->last_call();
    REQUIRE(desk != nullptr);
  }
  void refer(const std::string& to = refer_to_target) { desk->refer(to); }
  /// 1001 holds its caller and calls somebody else.
  std::shared_ptr<EndpointCall> consult(bool sends_rtp = false) {
    desk->hold();
    run_s(1);
    DialPlan plan;
    plan.username = "1001";
    plan.password = "secret";
    plan.send_rtp = sends_rtp;
    auto call = phone->dial(target, "1001", plan);
    REQUIRE(world.run_until([&] { return call->was_answered(); }, 60 * second_us));
    run_s(5);
    return call;
  }
  /// The record of the call that "cust" made, or of what a phone ordered.
  const Cdr& record(const std::string& of) {
    const auto& all = world.cdrs();
    const auto found = std::find_if(all.begin(), all.end(),
                                    [&](const Cdr& cdr) { return cdr.customer_gateway == of; });
    REQUIRE(found != all.end());
    return *found;
  }
  /// Every movement of money is in a record.
  void check_money(std::string_view desk_balance = "50.00") {
    std::int64_t acme = 0, of_desk = 0;
    for (const Cdr& cdr : world.cdrs())
      (cdr.customer.account == "acme" ? acme : of_desk) += cdr.customer.charge.units();
    CHECK(balance("acme").units() + acme == money("100.00").units());
    CHECK(balance("desk").units() + of_desk == money(desk_balance).units());
  }
};

}  // namespace

TEST_CASE("Transfer: a phone leads its caller elsewhere and is out of the call (T-04, P-25)") {
  Office office;
  office.b->set_plan(answer_after(3 * second_us, second_us));
  office.talk();
  office.refer();
  office.run_s(2);
  CHECK(office.desk->count("result 202") == 1);
  CHECK(office.desk->count("notified 100") == 1);
  CHECK(office.desk->count("notified 180") == 1);
  CHECK(office.desk->count("notified 200") == 0);
  CHECK_FALSE(office.desk->is_over());
  CHECK(office.tandem->calls().size() == 2);
  CHECK(office.caller->count("reinvite") == 0);
  office.run_s(3);
  CHECK(office.desk->count("notified 200") == 1);
  CHECK(office.desk->count("release") == 1);
  CHECK(office.caller->count("reinvite") == 1);
  CHECK_FALSE(office.caller->is_over());
  const auto far = office.b->last_call();
  CHECK(far->callee() == target);
  CHECK(far->caller() == "1000");
  const auto& headers = far->headers();
  const auto by = std::find_if(headers.begin(), headers.end(),
                               [](const auto& header) { return header.first == "Referred-By"; });
  REQUIRE(by != headers.end());
  CHECK(by->second.starts_with("<sip:1001@"));
  office.run_s(20);
  bool is_by_caller = true;
  SUBCASE("until the caller hangs up") { office.caller->hang_up(); }
  SUBCASE("until the target does") {
    is_by_caller = false;
    far->hang_up();
  }
  office.check_clean();
  CHECK(office.caller->is_over());
  CHECK(far->is_over());
  REQUIRE(office.world.cdrs().size() == 2);
  const Cdr& first = office.record("cust");
  const Cdr& second = office.record("phone:1001");
  CHECK(first.vendor_gateway == "phone:1001");
  CHECK(second.vendor_gateway == "v1");
  CHECK(second.callee == target);
  CHECK(second.call_id == first.call_id);
  CHECK(second.customer.account == "desk");
  CHECK(first.talk_time_ms / 1000 >= 34);
  CHECK(second.talk_time_ms / 1000 >= 21);
  CHECK(second.talk_time_ms < first.talk_time_ms);
  CHECK(first.end_reason == Reason::NormalCallClearing);
  CHECK(second.end_reason == Reason::NormalCallClearing);
  CHECK(first.release_side == (is_by_caller ? ReleaseSide::caller : ReleaseSide::callee));
  CHECK(second.release_side == (is_by_caller ? ReleaseSide::caller : ReleaseSide::callee));
  office.check_money();
}

TEST_CASE("Transfer: a phone leads whom it has called elsewhere (T-04)") {
  Office office;
  DialPlan plan;
  plan.username = "1001";
  plan.password = "secret";
  const auto desk = office.phone->dial("4411", "1001", plan);
  REQUIRE(office.world.run_until([&] { return desk->was_answered(); }, 60 * second_us));
  office.run_s(5);
  const auto first = office.b->last_call();
  desk->refer("<sip:4422@10.0.0.1>");
  office.run_s(2);
  CHECK(desk->count("notified 200") == 1);
  CHECK(desk->is_over());
  const auto second = office.b->last_call();
  REQUIRE(second != first);
  CHECK(second->callee() == "4422");
  CHECK(second->caller() == "4411");  // who is led there
  CHECK(first->count("reinvite") == 1);
  office.run_s(5);
  first->hang_up();
  office.check_clean();
  CHECK(second->is_over());
  REQUIRE(office.world.cdrs().size() == 2);
  CHECK(office.world.cdrs()[0].call_id == office.world.cdrs()[1].call_id);
  office.check_money();
}

TEST_CASE("Transfer: media flows between the two, also from a hold (T-04, M-01)") {
  SwitchConfig config = office_config();
  bool is_relayed = true;
  SUBCASE("relayed") {}
  SUBCASE("direct") {
    is_relayed = false;
    config.parameters.media_mode = MediaMode::off;
  }
  Office office(config);
  AnswerPlan near;
  near.send_rtp = true;
  near.rtp_pattern = 0x11;
  office.phone->set_plan(near);
  AnswerPlan far_plan = answer_after(2 * second_us, second_us);
  far_plan.send_rtp = true;
  far_plan.rtp_pattern = 0x22;
  office.b->set_plan(far_plan);
  DialPlan plan;
  plan.send_rtp = true;
  plan.rtp_pattern = 0x33;
  office.talk(plan);
  CHECK(office.caller->received_pattern() == 0x11);
  office.desk->hold();
  office.run_s(1);
  office.refer();
  office.run_s(5);
  const auto far = office.b->last_call();
  REQUIRE(office.desk->is_over());
  const std::uint64_t to_caller = office.caller->packets_received();
  const std::uint64_t to_far = far->packets_received();
  office.run_s(2);
  CHECK(office.caller->received_pattern() == 0x22);
  CHECK(far->received_pattern() == 0x33);
  CHECK(office.caller->packets_received() >= to_caller + 90);
  CHECK(far->packets_received() >= to_far + 90);
  CHECK(office.b->received("INVITE") == 1);  // what it was told first still holds
  far->hold();
  office.run_s(1);
  CHECK(far->count("reoffer 200") == 1);
  CHECK(office.caller->remote_sdp().find("a=sendonly") != std::string::npos);
  office.caller->hang_up();
  office.check_clean();
  CHECK(office.record("cust").media_relayed == is_relayed);
  office.check_money();
}

TEST_CASE("Transfer: a target that is not there gives the call back (T-04, RFC 5589)") {
  for (const int status : {404, 480, 486, 603}) {
    CAPTURE(status);
    Office office;
    office.b->set_plan(refuse(status, second_us));
    office.talk();
    office.refer();
    office.run_s(3);
    CHECK(office.desk->count("notified " + std::to_string(status)) == 1);
    CHECK_FALSE(office.desk->is_over());
    CHECK_FALSE(office.caller->is_over());
    CHECK(office.caller->count("reinvite") == 0);
    CHECK(office.tandem->calls().size() == 1);
    office.desk->hold();  // the two are still together
    office.run_s(1);
    CHECK(office.caller->count("reinvite") == 1);
    office.desk->hang_up();
    office.check_clean();
    REQUIRE(office.world.cdrs().size() == 2);
    CHECK(office.record("phone:1001").sip_status == status);
    CHECK(office.record("phone:1001").customer.charge.is_zero());
    office.check_money();
  }
}

TEST_CASE("Transfer: a target that does not answer gives the call back (T-04)") {
  SwitchConfig config = office_config();
  config.parameters.ringing_timeout_s = 15;
  Office office(config);
  office.b->set_plan(answer_after(200 * second_us, second_us));
  office.talk();
  office.refer();
  office.run_s(20);
  CHECK(office.desk->count("notified 180") == 1);
  CHECK(office.desk->events().back().starts_with("notified 4"));
  CHECK(office.b->last_call()->is_over());
  CHECK_FALSE(office.caller->is_over());
  office.caller->hang_up();
  office.check_clean();
  CHECK(office.record("phone:1001").end_reason == Reason::NoAnswer);
}

TEST_CASE("Transfer: a transferor that hangs up at once leaves the rest to the switch (T-04)") {
  Office office;
  SUBCASE("the target answers") {
    office.b->set_plan(answer_after(4 * second_us, second_us));
    office.talk();
    office.refer();
    office.run_s(1);
    office.desk->hang_up();
    office.run_s(1);
    CHECK_FALSE(office.caller->is_over());
    office.caller->request("INFO", "text/plain", "too early");
    office.caller->hold();
    office.run_s(1);
    CHECK(office.caller->count("result 491") == 1);
    CHECK(office.caller->count("reoffer 491") == 1);
    office.run_s(3);
    CHECK(office.caller->count("reinvite") == 1);
    office.run_s(5);
    office.b->last_call()->request("INFO", "text/plain", "hello");
    office.run_s(1);
    CHECK(office.caller->count("INFO") == 1);
    CHECK(office.b->last_call()->count("result 200") == 1);
    office.caller->hang_up();
    office.check_clean();
    CHECK(office.b->last_call()->is_over());
    CHECK(office.record("phone:1001").talk_time_ms / 1000 >= 7);
  }
  SUBCASE("the target is busy") {
    office.b->set_plan(refuse(486, 3 * second_us));
    office.talk();
    office.refer();
    office.run_s(1);
    office.desk->hang_up();
    office.run_s(3);
    CHECK(office.caller->is_over());
    CHECK(office.caller->q850_cause() == 17);
    office.check_clean();
    const Cdr& first = office.record("cust");
    CHECK(first.end_reason == Reason::NormalCallClearing);
    CHECK(first.release_side == ReleaseSide::callee);
    CHECK(first.q850_cause == 17);
  }
  CHECK(office.world.cdrs().size() == 2);
  office.check_money();
}

TEST_CASE("Transfer: who is left alone hears the target ring (T-08)") {
  SwitchConfig config = office_config();
  bool rings = true;
  SUBCASE("by default") {}
  SUBCASE("not when it is off") {
    rings = false;
    config.parameters.call_transfer_remote_ring = false;
  }
  Office office(config);
  AnswerPlan near;
  near.send_rtp = true;
  near.rtp_pattern = 0x11;
  office.phone->set_plan(near);
  AnswerPlan plan;
  plan.progress_after_us = second_us;
  plan.answer_after_us = 8 * second_us;
  plan.send_rtp = true;
  plan.rtp_pattern = 0x22;
  SUBCASE("and speaks with it") {}
  SUBCASE("and loses it") { plan.status = 486; }
  office.b->set_plan(plan);
  DialPlan dial;
  dial.send_rtp = true;
  office.talk(dial);
  office.refer();
  office.run_s(3);
  CHECK(office.desk->count("notified 183") == 1);
  CHECK(office.caller->count("reinvite") == 0);  // it still hears the transferor
  CHECK(office.caller->received_pattern() == 0x11);
  office.desk->hang_up();
  office.run_s(2);
  CHECK(office.caller->count("reinvite") == (rings ? 1 : 0));
  CHECK(office.caller->received_pattern() == (rings ? 0x22 : 0x11));
  office.run_s(5);
  if (plan.status == 486) {
    CHECK(office.caller->is_over());
    CHECK(office.caller->q850_cause() == 17);
  } else {
    CHECK(office.caller->count("reinvite") == 1);  // what was said early is not said again
    CHECK(office.caller->received_pattern() == 0x22);
    const auto far = office.b->last_call();
    const std::uint64_t to_far = far->packets_received();
    office.run_s(1);
    CHECK(far->packets_received() > to_far + 40);
    office.caller->hang_up();
  }
  office.check_clean();
  CHECK(office.world.cdrs().size() == 2);
  office.check_money();
}

TEST_CASE("Transfer: who is left alone hears a tone until it hears the target (T-05, T-08)") {
  SwitchConfig config = office_config();
  config.provision.phones[0].hold_tone = "tone:ringback/us";
  bool is_early = false;
  SUBCASE("which answers") {}
  SUBCASE("which rings in its media") { is_early = true; }
  Office office(config);
  AnswerPlan near;
  near.send_rtp = true;
  near.rtp_pattern = 0x11;
  office.phone->set_plan(near);
  AnswerPlan plan;
  if (is_early) {
    plan.progress_after_us = 5 * second_us;
  } else {
    plan.ring_after_us = second_us;
  }
  plan.answer_after_us = 10 * second_us;
  plan.send_rtp = true;
  plan.rtp_pattern = 0x22;
  office.b->set_plan(plan);
  DialPlan dial;
  dial.send_rtp = true;
  office.talk(dial);
  office.refer();
  office.run_s(1);
  CHECK(office.caller->received_pattern() == 0x11);  // it still hears the transferor
  office.desk->hang_up();
  office.run_ms(500);
  CHECK(office.caller->count("reinvite") == 0);
  const auto heard = office.caller->packets_received();
  office.run_s(2);
  CHECK(office.caller->packets_received() >= heard + 95);
  CHECK(office.caller->packets_received() <= heard + 105);
  CHECK(office.caller->received_pattern() != 0x11);
  office.run_s(3);
  CHECK((office.caller->received_pattern() == 0x22) == is_early);
  office.run_s(5);
  const auto before = office.caller->packets_received();
  office.run_s(2);
  CHECK(office.caller->packets_received() <= before + 105);  // the target's alone
  CHECK(office.caller->received_pattern() == 0x22);
  office.caller->hang_up();
  office.check_clean();
  office.check_money();
}

TEST_CASE("Transfer: who is led elsewhere hangs up before anybody answers (T-04)") {
  Office office;
  office.b->set_plan(answer_after(20 * second_us, second_us));
  office.talk();
  office.refer();
  office.run_s(3);
  bool is_gone = false;
  SUBCASE("the transferor is still there") {}
  SUBCASE("the transferor is gone") {
    is_gone = true;
    office.desk->hang_up();
    office.run_s(1);
  }
  office.caller->hang_up();
  office.run_s(2);
  CHECK(office.b->last_call()->count("cancel") == 1);
  if (!is_gone) {
    CHECK(office.desk->count("notified 487") == 1);
    CHECK(office.desk->count("release") == 1);
  }
  office.check_clean();
  CHECK(office.record("phone:1001").end_reason == Reason::CallerCancel);
  CHECK(office.record("cust").release_side == ReleaseSide::caller);
  office.check_money();
}

TEST_CASE("Transfer: it costs the transferor, who must have the money (T-04, B-02)") {
  SUBCASE("none") {
    Office office(office_config("0"));
    office.talk();
    office.refer();
    office.run_s(2);
    CHECK(office.desk->count("notified 402") == 1);
    CHECK(office.b->counters().calls_in == 0);
    CHECK_FALSE(office.caller->is_over());
    office.caller->hang_up();
    office.check_clean();
    office.check_money("0");
  }
  SUBCASE("for ten seconds") {
    Office office(office_config("1.00"));
    office.talk();
    office.refer();
    office.run_s(30);
    CHECK(office.caller->is_over());
    office.check_clean();
    CHECK(office.record("phone:1001").talk_time_ms / 1000 == 10);
    CHECK(office.record("phone:1001").release_side == ReleaseSide::server);
    CHECK(office.balance("desk").is_zero());
    office.check_money("1.00");
  }
}

TEST_CASE("Transfer: who pays for the first call ends all of it without money (T-04, B-02)") {
  SwitchConfig config = office_config();
  config.provision.accounts[0].balance = money("0.20");  // twenty seconds
  Office office(config);
  office.talk();
  office.refer();
  office.run_s(5);
  REQUIRE(office.desk->is_over());
  office.run_s(20);
  CHECK(office.caller->is_over());
  CHECK(office.b->last_call()->is_over());
  office.check_clean();
  CHECK(office.balance("acme").is_zero());
  CHECK(office.record("cust").talk_time_ms / 1000 == 20);
}

TEST_CASE("Transfer: who has no right to it gets 403, and the call goes on (P-25)") {
  SwitchConfig config = office_config();
  SUBCASE("a customer gateway by default") {
    Office office(config);
    office.talk();
    office.caller->refer(refer_to_target);
    office.run_s(1);
    CHECK(office.caller->count("result 403") == 1);
    CHECK_FALSE(office.caller->is_over());
    office.caller->hang_up();
    office.check_clean();
    CHECK(office.world.cdrs().size() == 1);
  }
  SUBCASE("a vendor that is no customer") {
    config.provision.vendor_gateways[0].sip.refer = ReferMode::local;
    Office office(config);
    const auto call = office.connect();
    office.b->last_call()->refer("<sip:4422@10.0.0.1>");
    office.run_s(1);
    CHECK(office.b->last_call()->count("result 403") == 1);
    call->hang_up();
    CHECK(office.only_cdr().end_reason == Reason::NormalCallClearing);
  }
  SUBCASE("a phone that must not") {
    config.provision.phones[0].refer = ReferMode::off;
    Office office(config);
    office.talk();
    office.refer();
    office.run_s(1);
    CHECK(office.desk->count("result 403") == 1);
    office.desk->hang_up();
    office.check_clean();
    CHECK(office.world.cdrs().size() == 1);
  }
}

TEST_CASE("Transfer: a customer gateway with the right pays for both parts (P-25)") {
  SwitchConfig config = office_config();
  config.provision.customer_gateways[0].sip.refer = ReferMode::local;
  Office office(config);
  const auto call = office.connect();
  const auto first = office.b->last_call();
  office.run_s(5);
  call->refer("\"Bob\" <sip:4422;isub=1@10.0.0.1;user=phone>");
  office.run_s(2);
  CHECK(call->is_over());
  CHECK(office.b->last_call()->callee() == "4422");
  office.run_s(5);
  office.b->last_call()->hang_up();
  office.check_clean();
  CHECK(first->is_over());
  REQUIRE(office.world.cdrs().size() == 2);
  for (const Cdr& cdr : office.world.cdrs()) {
    CHECK(cdr.customer_gateway == "cust");
    CHECK_FALSE(cdr.customer.charge.is_zero());
  }
  office.check_money();
}

TEST_CASE("Transfer: a REFER may be left to the other side of the call (P-25)") {
  SwitchConfig config = office_config();
  config.provision.phones[0].refer = ReferMode::relay;
  Office office(config);
  office.talk();
  office.caller->set_request_status(202);
  office.refer();
  office.run_s(1);
  CHECK(office.caller->count("REFER") == 1);
  CHECK(office.desk->count("result 202") == 1);
  CHECK(office.tandem->calls().size() == 1);
  office.caller->request("NOTIFY", "message/sipfrag", "SIP/2.0 200 OK\r\n", {{"Event", "refer"}});
  office.run_s(1);
  CHECK(office.desk->count("notified 200") == 1);
  office.desk->hang_up();
  office.check_clean();
  CHECK(office.world.cdrs().size() == 1);
}

TEST_CASE("Transfer: a REFER that names nobody gets 400, one too many 491 (RFC 3515)") {
  Office office;
  office.b->set_plan(answer_after(5 * second_us, second_us));
  office.talk();
  office.desk->request("REFER", "", "");
  office.refer("<sip:10.0.0.1>");
  office.refer("<sip:4411@10.0.0.1;method=BYE>");
  office.refer("<http://10.0.0.1/>");
  office.run_s(1);
  CHECK(office.desk->count("result 400") == 4);
  office.refer();
  office.run_s(1);
  office.refer();
  office.run_s(1);
  CHECK(office.desk->count("result 202") == 1);
  CHECK(office.desk->count("result 491") == 1);
  office.run_s(5);
  CHECK(office.desk->is_over());
  office.caller->hang_up();
  office.check_clean();
  CHECK(office.world.cdrs().size() == 2);
}

TEST_CASE("Transfer: one call is led on sixteen times at most (T-04)") {
  Office office;
  office.b->set_plan(refuse(486));
  office.talk();
  for (int i = 0; i < 17; ++i) {
    office.refer();
    office.run_s(1);
  }
  CHECK(office.desk->count("result 202") == 16);
  CHECK(office.desk->count("notified 486") == 16);
  CHECK(office.desk->count("result 482") == 1);
  office.caller->hang_up();
  office.check_clean();
  CHECK(office.world.cdrs().size() == 17);
  office.check_money();
}

TEST_CASE("Transfer: a re-INVITE that crosses is tried again (RFC 3261 section 14.1)") {
  Office office;
  office.talk();
  office.caller->set_reoffer_status(491);
  office.refer();
  office.run_s(1);
  CHECK(office.caller->count("reinvite") == 1);
  CHECK_FALSE(office.desk->is_over());
  SUBCASE("and goes through") {
    office.caller->set_reoffer_status(200);
    office.run_s(5);
    CHECK(office.caller->count("reinvite") == 2);
    CHECK(office.desk->count("notified 200") == 1);
    CHECK(office.desk->is_over());
    office.b->last_call()->hang_up();
  }
  SUBCASE("four times, then the call is given back") {
    office.run_s(20);
    CHECK(office.caller->count("reinvite") == 4);
    CHECK(office.desk->count("notified 491") == 1);
    CHECK(office.b->last_call()->is_over());
    CHECK_FALSE(office.desk->is_over());
    office.desk->hang_up();
  }
  SUBCASE("unless the target hangs up meanwhile") {
    office.b->last_call()->hang_up();
    office.run_s(6);
    CHECK(office.desk->count("notified 480") == 1);
    CHECK(office.caller->count("reinvite") == 1);
    CHECK_FALSE(office.caller->is_over());
    office.desk->hang_up();
  }
  SUBCASE("or the caller does") {
    office.caller->hang_up();
    office.run_s(2);
    CHECK(office.desk->count("notified 487") == 1);
    CHECK(office.desk->is_over());
    CHECK(office.b->last_call()->is_over());
  }
  office.check_clean();
  CHECK(office.caller->is_over());
  CHECK(office.world.cdrs().size() == 2);
  office.check_money();
}

TEST_CASE("Transfer: who cannot be led to the target stays with the transferor (T-04)") {
  Office office;
  office.talk();
  office.caller->set_reoffer_status(488);
  bool has_left = false;
  SUBCASE("which is there") {}
  SUBCASE("or, when that is gone, with nobody") { has_left = true; }
  if (has_left) office.b->set_plan(answer_after(3 * second_us, second_us));
  office.refer();
  office.run_s(1);
  if (has_left) office.desk->hang_up();
  office.run_s(4);
  CHECK(office.b->last_call()->is_over());
  CHECK(office.caller->is_over() == has_left);
  if (!has_left) {
    CHECK(office.desk->count("notified 488") == 1);
    office.caller->hang_up();
  }
  office.check_clean();
  CHECK(office.world.cdrs().size() == 2);
  office.check_money();
}

TEST_CASE("Transfer: a change of the session that the transferor leaves behind ends (T-04)") {
  Office office;
  office.b->set_plan(answer_after(2 * second_us));
  office.talk();
  office.refer();
  office.run_ms(500);
  SUBCASE("its own") {
    office.desk->hold();
    office.desk->hang_up();
  }
  SUBCASE("of the other side") {
    office.caller->hold();
    office.desk->hang_up();
  }
  office.run_s(10);
  CHECK_FALSE(office.caller->is_over());
  CHECK(office.b->last_call()->was_answered());
  office.caller->resume();
  office.run_s(1);
  CHECK(office.caller->events().back() == "reoffer 200");
  office.caller->hang_up();
  office.check_clean();
  CHECK(office.world.cdrs().size() == 2);
  office.check_money();
}

TEST_CASE("Transfer: whom the target sees calling (T-04)") {
  SwitchConfig config = office_config();
  config.parameters.call_transfer_using_original_caller = false;
  Office office(config);
  office.talk();
  office.refer();
  office.run_s(2);
  CHECK(office.b->last_call()->caller() == "1001");
  office.caller->hang_up();
  office.check_clean();
}

TEST_CASE("Transfer: who called without showing its number is led on so (T-04, P-09)") {
  for (const IdentityMode identity : {IdentityMode::caller, IdentityMode::pass}) {
    SwitchConfig config = office_config();
    config.provision.customer_gateways[0].sip.privacy = PrivacyMode::pass;
    config.provision.vendor_gateways[0].sip.privacy = PrivacyMode::pass;
    config.provision.vendor_gateways[0].sip.pai = identity;
    Office office(config);
    DialPlan plan;
    plan.headers = {{"Privacy", "id"}};
    office.talk(plan);
    office.refer();
    office.run_s(2);
    const auto far = office.b->last_call();
    CHECK(far->caller() == "anonymous");
    const auto& headers = far->headers();
    const auto asserted = std::find_if(headers.begin(), headers.end(), [](const auto& header) {
      return header.first == "P-Asserted-Identity";
    });
    REQUIRE(asserted != headers.end());
    CHECK(asserted->second.find("sip:1000@") != std::string::npos);
    office.caller->hang_up();
    office.check_clean();
    CHECK(office.record("phone:1001").caller == "1000");
  }
}

TEST_CASE(
    "Transfer: a transferor's number is judged once, and one that hides is not named (T-04)") {
  for (const bool shows_original : {true, false}) {
    CAPTURE(shows_original);
    SwitchConfig config = office_config();
    config.parameters.call_transfer_using_original_caller = shows_original;
    CustomerGateway& gateway = config.provision.customer_gateways[0];
    gateway.sip.refer = ReferMode::local;
    gateway.sip.privacy = PrivacyMode::pass;
    gateway.rewrite_caller = "1:11";
    config.provision.vendor_gateways[0].sip.privacy = PrivacyMode::pass;
    config.provision.vendor_gateways[0].sip.pai = IdentityMode::pass;
    bool is_hidden = false;
    for (int round = 0; round < 2; ++round, is_hidden = true) {
      CAPTURE(is_hidden);
      Office office(config);
      DialPlan plan;
      if (is_hidden) plan.headers = {{"Privacy", "id"}};
      const auto call = office.dial(plan, "4411");
      REQUIRE(office.world.run_until([&] { return call->was_answered(); }, 60 * second_us));
      office.run_s(1);
      call->refer("<sip:4422@10.0.0.1>");
      office.run_s(2);
      const auto far = office.b->last_call();
      REQUIRE(far->callee() == "4422");
      if (shows_original) {
        CHECK(far->caller() == "4411");
      } else {
        CHECK(far->caller() == (is_hidden ? "anonymous" : "11000"));
      }
      bool is_referred = false, asks_for_privacy = false;
      for (const auto& [name, value] : far->headers()) {
        is_referred = is_referred || name == "Referred-By";
        asks_for_privacy = asks_for_privacy || name == "Privacy";
        if (is_hidden && shows_original) CHECK(value.find("1000@") == std::string::npos);
      }
      CHECK(is_referred != is_hidden);
      CHECK(asks_for_privacy == (is_hidden && !shows_original));
      far->hang_up();
      office.check_clean();
    }
  }
}

TEST_CASE("Transfer: a hidden caller says nothing of a transferor that is shown (T-04, P-09)") {
  SwitchConfig config = office_config();
  config.parameters.call_transfer_using_original_caller = false;
  config.provision.customer_gateways[0].sip.privacy = PrivacyMode::pass;
  config.provision.vendor_gateways[0].sip.privacy = PrivacyMode::pass;
  config.provision.vendor_gateways[0].sip.pai = IdentityMode::pass;
  Office office(config);
  DialPlan plan;
  plan.headers = {{"Privacy", "id"}};
  office.talk(plan);
  office.refer();
  office.run_s(2);
  const auto far = office.b->last_call();
  CHECK(far->caller() == "1001");
  for (const auto& [name, value] : far->headers()) {
    CHECK(name != "Privacy");
    CHECK(value.find("sip:1000@") == std::string::npos);
  }
  office.caller->hang_up();
  office.check_clean();
}

TEST_CASE("Transfer: the number of a customer that transfers pays, whoever is shown (T-04, B-04)") {
  for (const bool shows_original : {true, false}) {
    CAPTURE(shows_original);
    SwitchConfig config = card_config();
    config.parameters.call_transfer_using_original_caller = shows_original;
    config.provision.customer_gateways[0].sip.refer = ReferMode::local;
    config.provision.customer_gateways[0].uses_bound_numbers = true;
    Office office(config);
    const auto call = office.dial({}, "5002", "5001");
    REQUIRE(office.world.run_until([&] { return call->was_answered(); }, 60 * second_us));
    office.run_s(5);
    call->refer("<sip:4422@10.0.0.1>");
    office.run_s(5);
    const auto far = office.b->last_call();
    REQUIRE(far->callee() == "4422");
    CHECK(far->caller() == (shows_original ? "5002" : "5001"));
    far->hang_up();
    office.check_clean();
    REQUIRE(office.world.cdrs().size() == 2);
    for (const Cdr& cdr : office.world.cdrs())
      CHECK(cdr.customer.account == "card5001");
    CHECK(office.balance("card5002") == money("5.00"));
  }
}

TEST_CASE("Transfer: the number of a vendor that transfers pays, or nobody does (T-04, B-04)") {
  for (const bool shows_original : {true, false}) {
    for (const bool is_bound : {true, false}) {
      CAPTURE(shows_original);
      CAPTURE(is_bound);
      SwitchConfig config = card_config();
      config.parameters.call_transfer_using_original_caller = shows_original;
      config.provision.vendor_gateways[0].sip.refer = ReferMode::local;
      config.provision.customer_gateways.push_back(customer("v1", "10.0.2.1", ""));
      config.provision.customer_gateways.back().uses_bound_numbers = true;
      Office office(config);
      const auto call = office.dial({}, is_bound ? "5002" : "4411", "5001");
      REQUIRE(office.world.run_until([&] { return call->was_answered(); }, 60 * second_us));
      office.run_s(5);
      office.b->last_call()->refer("<sip:4422@10.0.0.1>");
      office.run_s(5);
      call->hang_up();
      office.check_clean();
      CHECK(office.balance("card5001") == money("5.00"));
      const Cdr& ordered = office.record("v1");
      if (is_bound) {
        CHECK(ordered.customer.account == "card5002");
        CHECK_FALSE(ordered.customer.charge.is_zero());
        CHECK(office.balance("card5002").units() + ordered.customer.charge.units() ==
              money("5.00").units());
      } else {
        CHECK(ordered.end_reason == Reason::AccountNotExist);
        CHECK(office.balance("card5002") == money("5.00"));
      }
    }
  }
}

TEST_CASE("Transfer: who does not want to be told is still in the call (RFC 5057)") {
  Office office;
  office.b->set_plan(refuse(486, 3 * second_us));
  office.talk();
  office.desk->set_request_status(481);
  office.refer();
  office.run_s(5);
  CHECK(office.desk->count("notified 100") == 1);
  CHECK(office.desk->count("NOTIFY") == 1);  // and is told nothing more
  CHECK_FALSE(office.desk->is_over());
  CHECK_FALSE(office.caller->is_over());
  office.desk->hold();
  office.run_s(1);
  CHECK(office.caller->count("reinvite") == 1);
  office.desk->hang_up();
  office.check_clean();
  CHECK(office.world.cdrs().size() == 2);
  office.check_money();
}

TEST_CASE("Transfer: a stranger that knows the tags of a dialog orders nothing (P-25)") {
  SwitchConfig config = office_config();
  config.provision.customer_gateways[0].sip.refer = ReferMode::local;
  Office office(config);
  RawEndpoint* const own = *office.world.add_raw_endpoint("10.0.1.1:5070");
  RawEndpoint* const strange = *office.world.add_raw_endpoint("10.0.9.9:5060");
  const std::string offer =
      "v=0\r\no=- 1 1 IN IP4 10.0.1.1\r\ns=-\r\nc=IN IP4 10.0.1.1\r\nt=0 0\r\n"
      "m=audio 4000 RTP/AVP 8 0\r\n";
  std::string to = "<sip:4411@10.0.0.1>";
  const auto message = [&](const std::string& method, int cseq, const std::string& from,
                           const std::string& lines, const std::string& body) {
    return method + " sip:4411@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP " + from + ";branch=z9hG4bK" +
           method + std::to_string(cseq) +
           "\r\nMax-Forwards: 70\r\nFrom: <sip:1000@10.0.1.1>;tag=s\r\nTo: " + to +
           "\r\nCall-ID: seen\r\nCSeq: " + std::to_string(cseq) + " " + method +
           "\r\nContact: <sip:1000@10.0.1.1:5070>\r\n" + lines +
           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  };
  const auto status_of = [](const RawEndpoint& port, const std::string& method) {
    std::string last;
    for (const RawDatagram& one : port.received()) {
      if (one.bytes.starts_with("SIP/2.0 ") &&
          one.bytes.find(" " + method + "\r\n") != std::string::npos)
        last = one.bytes.substr(8, 3);
    }
    return last;
  };
  own->send(at(switch_address),
            message("INVITE", 1, "10.0.1.1:5070", "Content-Type: application/sdp\r\n", offer));
  office.run_s(3);
  REQUIRE(status_of(*own, "INVITE") == "200");
  to = header(own->received().back().bytes, "To");
  own->send(at(switch_address), message("ACK", 1, "10.0.1.1:5070", "", ""));
  office.run_s(1);
  const std::string wish = "Refer-To: <sip:4422@10.0.0.1>\r\n";
  strange->send(at(switch_address), message("REFER", 2, "10.0.9.9:5060", wish, ""));
  office.run_s(1);
  CHECK(status_of(*strange, "REFER") == "403");
  CHECK(office.b->calls().size() == 1);
  own->send(at(switch_address), message("REFER", 3, "10.0.1.1:5070", wish, ""));
  office.run_s(1);
  CHECK(status_of(*own, "REFER") == "202");
  CHECK(office.b->calls().size() == 2);
  office.b->last_call()->hang_up();
  office.run_s(40);
}

TEST_CASE("Transfer: a target leads on whom it was given (T-04)") {
  Office office;
  office.talk();
  office.refer("<sip:1002@10.0.0.1>");
  office.run_s(2);
  REQUIRE(office.desk->is_over());
  const auto second = office.next->last_call();
  REQUIRE(second != nullptr);
  REQUIRE(second->was_answered());
  CHECK(second->caller() == "1000");
  office.run_s(5);
  second->refer(refer_to_target);
  office.run_s(3);
  CHECK(second->count("notified 200") == 1);
  CHECK(second->is_over());
  CHECK(office.caller->count("reinvite") == 2);
  CHECK(office.tandem->calls().size() == 3);
  const auto far = office.b->last_call();
  far->hold();
  office.run_s(1);
  CHECK(office.caller->count("reinvite") == 3);
  SUBCASE("the caller ends it") { office.caller->hang_up(); }
  SUBCASE("the target ends it") { far->hang_up(); }
  office.check_clean();
  CHECK(far->is_over());
  CHECK(office.caller->is_over());
  REQUIRE(office.world.cdrs().size() == 3);
  for (const Cdr& cdr : office.world.cdrs())
    CHECK(cdr.call_id == office.caller->call_id());
  office.check_money();
}

TEST_CASE("Transfer: an order from outside ends all of it (T-04)") {
  Office office;
  office.b->set_plan(answer_after(3 * second_us, second_us));
  office.talk();
  office.refer();
  bool is_joined = false;
  SUBCASE("while the target rings") { office.run_s(2); }
  SUBCASE("when they talk") {
    is_joined = true;
    office.run_s(6);
  }
  std::uint64_t first = 0;
  for (const CallView& call : office.tandem->calls()) {
    if (call.customer_gateway == "cust") first = call.id;
  }
  REQUIRE(first != 0);
  CHECK(office.tandem->disconnect(first).ok());
  office.run_s(2);
  CHECK(office.caller->is_over());
  CHECK(office.desk->is_over());
  CHECK(office.b->last_call()->is_over());
  CHECK(office.desk->count("notified 487") == (is_joined ? 0 : 1));
  office.check_clean();
  CHECK(office.record("cust").end_reason == Reason::AdminDisconnect);
  office.check_money();
}

TEST_CASE("Transfer: a crash costs neither part its record (T-04)") {
  SwitchConfig config = office_config();
  config.parameters.interim_mark_s = 5;
  Office office(config);
  office.talk();
  office.refer();
  office.run_s(31);
  REQUIRE(office.desk->is_over());
  office.world.crash(std::move(office.tandem));
  office.open();
  office.caller->hang_up();
  office.b->last_call()->hang_up();
  office.run_s(2);
  office.check_clean();
  REQUIRE(office.world.cdrs().size() == 2);
  const Cdr& first = office.record("cust");
  const Cdr& second = office.record("phone:1001");
  CHECK(first.talk_time_ms / 1000 >= 35);
  CHECK(second.talk_time_ms / 1000 >= 25);
  CHECK(second.talk_time_ms < first.talk_time_ms);
  CHECK(second.call_id == first.call_id);
  office.check_money();
}

TEST_CASE("Transfer: a phone joins the two that it speaks with, on any worker (T-05, RFC 3891)") {
  for (const int workers : {1, 4}) {
    for (const std::uint64_t seed : {1U, 2U, 3U}) {
      CAPTURE(workers);
      CAPTURE(seed);
      SwitchConfig config = office_config();
      config.sip_workers = workers;
      WorldOptions options;
      options.seed = seed;
      Office office(config, options);
      AnswerPlan far_plan;
      far_plan.send_rtp = true;
      far_plan.rtp_pattern = 0x22;
      office.b->set_plan(far_plan);
      DialPlan plan;
      plan.send_rtp = true;
      plan.rtp_pattern = 0x33;
      office.talk(plan);
      const auto consultation = office.consult(true);
      office.desk->refer_to(*consultation);
      office.run_s(3);
      CHECK(office.desk->count("result 202") == 1);
      CHECK(office.desk->count("notified 100") == 1);
      CHECK(office.desk->count("notified 200") == 1);
      CHECK(office.desk->count("release") == 1);
      CHECK(consultation->count("release") == 1);
      const auto far = office.b->last_call();
      CHECK(office.caller->count("reinvite") == 2);  // hold, and the far party
      CHECK(far->count("reinvite") == 1);
      const std::uint64_t to_caller = office.caller->packets_received();
      const std::uint64_t to_far = far->packets_received();
      office.run_s(2);
      CHECK(office.caller->received_pattern() == 0x22);
      CHECK(far->received_pattern() == 0x33);
      CHECK(office.caller->packets_received() >= to_caller + 90);
      CHECK(far->packets_received() >= to_far + 90);
      CHECK(office.tandem->calls().size() == 2);
      far->hold();
      office.run_s(1);
      CHECK(office.caller->remote_sdp().find("a=sendonly") != std::string::npos);
      CHECK(far->count("reoffer 200") == 1);
      if (seed == 1) {
        office.caller->hang_up();
      } else {
        far->hang_up();
      }
      office.check_clean();
      CHECK(office.caller->is_over());
      CHECK(far->is_over());
      REQUIRE(office.world.cdrs().size() == 2);
      CHECK(office.record("cust").vendor_gateway == "phone:1001");
      CHECK(office.record("phone:1001").vendor_gateway == "v1");
      CHECK(office.record("phone:1001").talk_time_ms / 1000 >= 10);
      office.check_money();
    }
  }
}

TEST_CASE("Transfer: the two may be joined although media is direct (T-05, M-01)") {
  SwitchConfig config = office_config();
  config.parameters.media_mode = MediaMode::off;
  Office office(config);
  AnswerPlan far_plan;
  far_plan.send_rtp = true;
  far_plan.rtp_pattern = 0x22;
  office.b->set_plan(far_plan);
  DialPlan plan;
  plan.send_rtp = true;
  plan.rtp_pattern = 0x33;
  office.talk(plan);
  const auto consultation = office.consult();
  office.desk->refer_to(*consultation);
  office.run_s(3);
  const auto far = office.b->last_call();
  const std::uint64_t to_far = far->packets_received();
  office.run_s(2);
  CHECK(office.caller->received_pattern() == 0x22);
  CHECK(far->received_pattern() == 0x33);
  CHECK(far->packets_received() >= to_far + 90);
  office.caller->hang_up();
  office.check_clean();
}

TEST_CASE("Transfer: a phone that hangs up both calls at once still joins them (T-05)") {
  Office office;
  office.talk();
  const auto consultation = office.consult();
  office.desk->refer_to(*consultation);
  SUBCASE("the consultation first") {
    office.run_ms(100);
    consultation->hang_up();
  }
  SUBCASE("both") {
    office.run_ms(100);
    consultation->hang_up();
    office.desk->hang_up();
  }
  office.run_s(5);
  const auto far = office.b->last_call();
  CHECK(office.desk->is_over());
  CHECK(consultation->is_over());
  CHECK_FALSE(office.caller->is_over());
  CHECK_FALSE(far->is_over());
  office.caller->request("INFO", "text/plain", "hello");
  office.run_s(1);
  CHECK(far->count("INFO") == 1);
  office.caller->hang_up();
  office.check_clean();
  CHECK(far->is_over());
  CHECK(office.world.cdrs().size() == 2);
  office.check_money();
}

TEST_CASE("Transfer: what is no call of the transferor's is not joined to (T-05, RFC 3891)") {
  Office office;
  office.talk();
  auto other = office.dial({}, "4477");
  REQUIRE(office.world.run_until([&] { return other->was_answered(); }, 60 * second_us));
  SUBCASE("somebody else's") { office.desk->refer_to(*other); }
  SUBCASE("this one") { office.desk->refer_to(*office.desk); }
  SUBCASE("the other end of this one") { office.desk->refer_to(*office.caller); }
  SUBCASE("none") { office.refer("<sip:4477@10.0.0.1?Replaces=x%3Bto-tag%3Dy%3Bfrom-tag%3Dz>"); }
  office.run_s(2);
  CHECK(office.desk->count("result 202") == 1);
  CHECK(office.desk->count("notified 481") == 1);
  CHECK_FALSE(office.desk->is_over());
  CHECK_FALSE(office.caller->is_over());
  CHECK_FALSE(other->is_over());
  CHECK(office.caller->count("reinvite") == 0);
  office.refer("<sip:4477@10.0.0.1?Replaces=x%3Bto-tag%3Dy>");
  office.run_s(1);
  CHECK(office.desk->count("result 400") == 1);
  office.caller->hang_up();
  other->hang_up();
  office.check_clean();
  CHECK(office.world.cdrs().size() == 2);
}

TEST_CASE("Transfer: when the two cannot be joined both calls are as before (T-05)") {
  Office office;
  office.talk();
  const auto consultation = office.consult();
  const auto far = office.b->last_call();
  office.caller->set_reoffer_status(488);
  office.desk->refer_to(*consultation);
  office.run_s(2);
  CHECK(office.desk->count("notified 488") == 1);
  CHECK_FALSE(office.desk->is_over());
  CHECK_FALSE(consultation->is_over());
  CHECK(far->count("reinvite") == 0);
  consultation->hold();
  office.run_s(1);
  CHECK(far->count("reinvite") == 1);
  consultation->hang_up();
  office.caller->set_reoffer_status(200);
  office.desk->resume();
  office.run_s(1);
  CHECK(far->is_over());
  CHECK_FALSE(office.caller->is_over());
  office.desk->hang_up();
  office.check_clean();
  CHECK(office.world.cdrs().size() == 2);
  office.check_money();
}

TEST_CASE("Transfer: the far party of a join that cannot be told is asked again, or lost (T-05)") {
  Office office;
  office.talk();
  const auto consultation = office.consult();
  const auto far = office.b->last_call();
  SUBCASE("asked again") {
    far->set_reoffer_status(491);
    office.desk->refer_to(*consultation);
    office.run_s(1);
    far->set_reoffer_status(200);
    office.run_s(5);
    CHECK(far->count("reinvite") == 2);
    CHECK(far->remote_sdp().find("m=audio") != std::string::npos);
    CHECK_FALSE(office.caller->is_over());
    office.caller->hang_up();
    office.check_clean();
  }
  SUBCASE("lost") {
    far->set_reoffer_status(488);
    office.desk->refer_to(*consultation);
    office.run_s(2);
    office.check_clean();
    CHECK(office.record("cust").end_reason == Reason::CodecMismatch);
  }
  CHECK(office.caller->is_over());
  CHECK(far->is_over());
  CHECK(consultation->is_over());
  CHECK(office.world.cdrs().size() == 2);
  office.check_money();
}

TEST_CASE("Transfer: whoever hangs up while two are joined ends no more than it must (T-05)") {
  Office office;
  office.talk();
  const auto consultation = office.consult();
  const auto far = office.b->last_call();
  office.caller->set_reoffer_status(491);  // so that it takes a while
  office.desk->refer_to(*consultation);
  office.run_s(1);
  SUBCASE("the caller") {
    office.caller->hang_up();
    office.run_s(2);
    CHECK(office.desk->count("notified 487") == 1);
    CHECK(office.desk->is_over());
    CHECK_FALSE(consultation->is_over());
    consultation->hang_up();
  }
  SUBCASE("the far party") {
    far->hang_up();
    office.run_s(2);
    CHECK(office.desk->count("notified 480") == 1);
    CHECK(consultation->is_over());
    CHECK_FALSE(office.desk->is_over());
    CHECK_FALSE(office.caller->is_over());
    office.desk->hang_up();
  }
  office.check_clean();
  CHECK(office.caller->is_over());
  CHECK(far->is_over());
  CHECK(office.world.cdrs().size() == 2);
  office.check_money();
}

TEST_CASE("Transfer: calls that are joined in a circle end by themselves (T-05)") {
  // 1001 speaks with 1002 in two calls, and joins their other ends, which are 1002's own: what is
  // left would be two calls of the switch with itself.
  Office office;
  DialPlan plan;
  plan.username = "1001";
  plan.password = "secret";
  const auto first = office.phone->dial("1002", "1001", plan);
  office.run_s(2);
  const auto first_far = office.next->last_call();
  const auto second = office.phone->dial("1002", "1001", plan);
  office.run_s(2);
  const auto second_far = office.next->last_call();
  REQUIRE(second_far != first_far);
  first->refer_to(*second);
  office.run_s(3);
  REQUIRE(first->is_over());
  REQUIRE_FALSE(first_far->is_over());
  first_far->refer_to(*second_far);
  office.run_s(30);
  CHECK(first_far->count("result 202") == 1);
  CHECK(first_far->is_over());
  CHECK(second_far->is_over());
  CHECK(office.tandem->calls().empty());
  office.check_clean();
  CHECK(office.world.cdrs().size() == 2);
  office.check_money();
}

TEST_CASE("Transfer: a switch that stops or falls over ends joined calls of two workers (T-05)") {
  for (const bool is_crash : {false, true}) {
    CAPTURE(is_crash);
    SwitchConfig config = office_config();
    config.sip_workers = 4;
    Office office(config);
    office.talk();
    const auto consultation = office.consult();
    office.desk->refer_to(*consultation);
    office.run_s(15);
    const auto far = office.b->last_call();
    if (is_crash) {
      office.world.crash(std::move(office.tandem));
    } else {
      office.tandem.reset();
    }
    office.open();
    office.run_s(5);
    office.caller->hang_up();
    far->hang_up();
    office.check_clean();
    CHECK(office.world.cdrs().size() == 2);
    office.check_money();
  }
}

namespace {

/// Keys as a phone sends them that is set to INFO, one after the other.
void press(Office& office, EndpointCall& call, std::string_view keys, int each_ms = 200) {
  for (const char key : keys) {
    call.request("INFO", "application/dtmf-relay",
                 "Signal=" + std::string(1, key) + "\r\nDuration=160\r\n");
    office.run_ms(each_ms);
  }
}

SwitchConfig keys_config() {
  SwitchConfig config = office_config();
  config.provision.phones[0].transfer_keys = true;
  return config;
}

}  // namespace

TEST_CASE("Transfer: keys in INFO lead the other party to a number (T-04)") {
  Office office(keys_config());
  office.b->set_plan(answer_after(3 * second_us, second_us));
  office.talk();
  press(office, *office.desk, "*1442079460000");
  CHECK(office.b->counters().calls_in == 0);
  CHECK(office.caller->count("INFO") == 1);  // the star
  press(office, *office.desk, "#");
  office.run_s(2);
  CHECK(office.desk->count("result 200") == 15);
  CHECK_FALSE(office.desk->is_over());
  CHECK(office.tandem->calls().size() == 2);
  office.run_s(3);
  CHECK(office.desk->count("NOTIFY") == 0);
  CHECK(office.desk->count("release") == 1);
  CHECK(office.caller->count("INFO") == 1);
  CHECK(office.caller->count("reinvite") == 1);
  CHECK(office.b->last_call()->callee() == target);
  CHECK(office.b->last_call()->caller() == "1000");
  office.run_s(5);
  office.caller->hang_up();
  office.check_clean();
  CHECK(office.b->last_call()->is_over());
  REQUIRE(office.world.cdrs().size() == 2);
  CHECK(office.record("phone:1001").customer.account == "desk");
  office.check_money();
}

TEST_CASE("Transfer: keys in RTP lead the other party to a number (T-04)") {
  SwitchConfig config = keys_config();
  bool has_right = true;
  SUBCASE("of a phone with the right") {}
  SUBCASE("of one without it they are the other party's alone") {
    config.provision.phones[0].transfer_keys = has_right = false;
  }
  Office office(config);
  office.b->set_plan(answer_after(3 * second_us, second_us));
  office.talk();
  for (const char key : std::string_view("*1442079460000#")) {
    office.desk->press_key(key);
    office.run_ms(200);
  }
  office.run_s(8);
  CHECK(office.b->counters().calls_in == (has_right ? 1 : 0));
  CHECK(office.desk->count("release") == (has_right ? 1 : 0));
  if (has_right) CHECK(office.b->last_call()->callee() == target);
  office.caller->hang_up();
  office.check_clean();
  office.check_money();
}

TEST_CASE("Transfer: a phone that sends each key both ways presses it once (T-04)") {
  Office office(keys_config());
  office.b->set_plan(answer_after(3 * second_us, second_us));
  office.talk();
  for (const char key : std::string_view("*1442079460000#")) {
    office.desk->press_key(key);
    press(office, *office.desk, std::string_view(&key, 1));
  }
  office.run_s(8);
  CHECK(office.b->counters().calls_in == 1);
  CHECK(office.b->last_call()->callee() == target);
  office.caller->hang_up();
  office.check_clean();
}

TEST_CASE("Transfer: a stranger's key in RTP does not silence those of INFO (T-04)") {
  Office office(keys_config());
  RawEndpoint* stranger = *office.world.add_raw_endpoint("10.0.66.6:7000");
  office.b->set_plan(answer_after(3 * second_us, second_us));
  office.talk();
  // Of a phone that never spoke, so the relay listens to whoever comes first.
  const auto description = office.desk->remote_sdp();
  const std::size_t at = description.find("m=audio ") + 8;
  const std::string port = description.substr(at, description.find(' ', at) - at);
  const SocketAddress relay = *SocketAddress::parse("10.0.0.1:" + port);
  for (char sequence = 1; sequence <= 2; ++sequence) {
    const std::string key = {'\x80', 101,   0, sequence, 0, 0, 0,
                             9,      0,     0, 0,        7, 5, sequence == 1 ? '\x0A' : '\x8A',
                             3,      '\x20'};
    stranger->send(relay, key);
    office.run_ms(20);
  }
  office.run_s(1);
  const auto calls = office.tandem->calls();
  REQUIRE(calls.size() == 1);
  REQUIRE(calls[0].media_callee.digits == 1);  // it was heard
  press(office, *office.desk, "*1442079460000#");
  office.run_s(8);
  REQUIRE(office.b->counters().calls_in == 1);
  CHECK(office.b->last_call()->callee() == target);
  office.caller->hang_up();
  office.check_clean();
}

TEST_CASE("Transfer: a key cancels it, or the target is not there: the two stay (T-06)") {
  Office office(keys_config());
  bool was_cancelled = true;
  SUBCASE("cancelled while the target rings") {
    office.b->set_plan(answer_after(60 * second_us, second_us));
    office.talk();
    press(office, *office.desk, "*1442079460000#");
    office.run_s(3);
    press(office, *office.desk, "*0");
    office.run_s(1);
    CHECK(office.b->last_call()->count("cancel") == 1);
    CHECK(office.caller->count("INFO") == 2);  // both stars
  }
  SUBCASE("the target is busy") {
    was_cancelled = false;
    office.b->set_plan(refuse(486, second_us));
    office.talk();
    press(office, *office.desk, "*1442079460000#");
    office.run_s(3);
    CHECK(office.caller->count("INFO") == 1);
  }
  CHECK_FALSE(office.desk->is_over());
  CHECK_FALSE(office.caller->is_over());
  CHECK(office.caller->count("reinvite") == 0);
  CHECK(office.tandem->calls().size() == 1);
  office.caller->hang_up();
  office.check_clean();
  REQUIRE(office.world.cdrs().size() == 2);
  CHECK(office.record("phone:1001").end_reason ==
        (was_cancelled ? Reason::CallerCancel : Reason::CalleeBusy));
  office.check_money();
}

TEST_CASE("Transfer: keys that come too late are for the other party (T-07)") {
  Office office(keys_config());
  office.talk();
  press(office, *office.desk, "*1");
  SUBCASE("the first digit") {
    office.run_s(9);
    press(office, *office.desk, "4");  // just in time, and no more follow
    office.run_s(6);
  }
  SUBCASE("none at all") { office.run_s(11); }
  press(office, *office.desk, "5#");
  CHECK(office.caller->count("INFO") == 3);  // the star, and these
  CHECK(office.b->counters().calls_in == 0);
  office.desk->hang_up();
  office.check_clean();
  CHECK(office.world.cdrs().size() == 1);
}

TEST_CASE("Transfer: keys order nothing where they may not, nor from the other side (T-04)") {
  SwitchConfig config = keys_config();
  bool is_desk = true;
  SUBCASE("the other side's") { is_desk = false; }
  SUBCASE("of a phone without the right") { config.provision.phones[0].transfer_keys = false; }
  Office office(config);
  office.talk();
  press(office, is_desk ? *office.desk : *office.caller, "*14420#");
  CHECK((is_desk ? office.caller : office.desk)->count("INFO") == 7);
  CHECK(office.b->counters().calls_in == 0);
  office.desk->hang_up();
  office.check_clean();
  CHECK(office.world.cdrs().size() == 1);
}
