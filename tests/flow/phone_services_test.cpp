// What callers of a phone hear while it rings (T-14), and short numbers (T-15).
#include <string>

#include "flow/office.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

DialPlan with_audio() {
  DialPlan plan;
  plan.formats = "8 101";
  plan.send_rtp = true;
  plan.rtp_type = 8;
  return plan;
}

AnswerPlan rings_then_answers() {
  AnswerPlan plan = answer_after(8 * second_us, 2 * second_us);
  plan.formats = "8 101";
  plan.rtp_type = 8;
  plan.send_rtp = true;
  plan.rtp_pattern = 0x2A;
  return plan;
}

/// 21 is 1002, 22 is outside; 1002 is shown callers by their short numbers.
SwitchConfig book_config() {
  SwitchConfig config = phones_config();
  for (AccountConfig& account : config.provision.accounts) {
    if (account.id == "desk")
      account.phone_book = {{"21", "1002"}, {"22", "442079460000"}, {"11", "1001"}};
  }
  config.provision.phones[1].shows_short_callers = true;
  return config;
}

}  // namespace

TEST_CASE("Colour ring: callers hear a phone's tone from its ringing to its answer (T-14)") {
  SwitchConfig config = phones_config();
  config.provision.phones[0].ring_tone = "tone:ringback/us";
  PhoneOffice office(config);
  office.phone(1001).set_plan(rings_then_answers());
  const auto call = office.dial(with_audio(), "1001");
  office.run_ms(1900);
  CHECK(call->count("183 sdp") == 0);
  CHECK(call->packets_received() == 0);
  office.run_ms(1100);
  CHECK(call->count("180") == 1);
  CHECK(call->count("183 sdp") == 1);
  CHECK(call->packets_received() >= 40);
  office.run_s(6);
  REQUIRE(call->was_answered());
  const auto before = call->packets_received();
  office.run_s(1);
  CHECK(call->packets_received() - before <= 52);  // the phone's alone
  CHECK(call->received_pattern() == 0x2A);
  call->hang_up();
  office.check_clean();
  CHECK(office.only_cdr().talk_time_ms < 2000);
}

TEST_CASE("Colour ring: what the phone itself lets be heard goes before its tone (T-14)") {
  SwitchConfig config = phones_config();
  config.provision.phones[0].ring_tone = "tone:ringback/us";
  PhoneOffice office(config);
  AnswerPlan plan = rings_then_answers();
  plan.progress_after_us = second_us;
  office.phone(1001).set_plan(plan);
  const auto call = office.dial(with_audio(), "1001");
  office.run_s(5);
  CHECK(call->count("183 sdp") == 1);
  CHECK(call->received_pattern() == 0x2A);
  call->cancel();
  office.check_clean();
}

TEST_CASE(
    "Short numbers: what an account's phone book has is called as if it were dialled (T-15)") {
  PhoneOffice office(book_config());
  const auto shown = office.tandem->explain({"phone:1001", "1001", "21"});
  REQUIRE(shown.ok());
  CHECK(shown->find(R"("phone_book 21")") != std::string::npos);
  SUBCASE("a phone of the account, which sees who calls by a short number") {
    const auto call = office.dial_from(1001, "21");
    office.answered(call);
    CHECK(office.phone(1002).last_call()->caller() == "11");
    call->hang_up();
    office.check_clean();
    CHECK(office.only_cdr().callee == "1002");
    CHECK(office.only_cdr().callee_in == "21");
    CHECK(office.only_cdr().caller == "1001");
    CHECK(office.only_cdr().caller_out == "11");
  }
  SUBCASE("a number outside, which sees and is paid by whole numbers") {
    const auto call = office.dial_from(1001, "22");
    office.answered(call);
    CHECK(office.b->last_call()->callee() == "442079460000");
    CHECK(office.b->last_call()->caller() == "1001");
    call->hang_up();
    office.check_clean();
    CHECK(office.only_cdr().callee == "442079460000");
  }
  SUBCASE("a phone that does not want short callers, and one of another account") {
    const auto call = office.dial_from(1002, "11");
    office.answered(call);
    CHECK(office.phone(1001).last_call()->caller() == "1002");
    call->hang_up();
    const auto other = office.dial_from(1004, "21");
    office.run_s(5);
    CHECK(office.phone(1002).received("INVITE") == 0);
    CHECK(office.b->last_call()->callee() == "21");
    other->hang_up();
    office.check_clean();
  }
}
