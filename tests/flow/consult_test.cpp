// Attended transfers by keys: a phone speaks with the target on the leg that it has (T-05, T-06).
#include <algorithm>
#include <string>
#include <vector>

#include "flow/flow.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

constexpr const char* target = "442079460000";

SwitchConfig keys_config() {
  SwitchConfig config = base_config();
  config.provision.rate_decks.push_back(deck("phones", "6.00"));
  config.provision.accounts.push_back(account("desk", "50.00", "phones"));
  PhoneConfig phone;
  phone.id = phone.number = "1001";
  phone.password = "secret";
  phone.account = "desk";
  phone.transfer_keys = true;
  config.provision.phones.push_back(phone);
  return config;
}

/// A customer's call to phone 1001, or one of the phone's, which asks `b` about it.
struct Desk : Bench {
  Endpoint* phone;
  std::shared_ptr<EndpointCall> other;  // the party that waits
  std::shared_ptr<EndpointCall> desk;   // the phone's leg
  std::shared_ptr<EndpointCall> far;    // the target's

  explicit Desk(SwitchConfig settings = keys_config())
      : Bench(std::move(settings), {}), phone(endpoint("10.0.3.1:5060")) {
    phone->register_user("1001", "secret");
    REQUIRE(
        world.run_until([&] { return phone->registration_status("1001") == 200; }, 40 * second_us));
  }
  /// They talk for ten seconds.
  void talk(bool sends_rtp = false) {
    DialPlan plan;
    plan.send_rtp = sends_rtp;
    plan.rtp_pattern = 0x33;
    other = dial(plan, "1001");
    REQUIRE(world.run_until([&] { return other->was_answered(); }, 60 * second_us));
    run_s(10);
    desk = phone->last_call();
    REQUIRE(desk != nullptr);
  }
  /// The phone calls somebody, and they talk.
  void talk_out() {
    DialPlan plan;
    plan.username = "1001";
    plan.password = "secret";
    desk = phone->dial("4411", "1001", plan);
    REQUIRE(world.run_until([&] { return desk->was_answered(); }, 60 * second_us));
    run_s(5);
    other = b->last_call();
  }
  void press(std::string_view keys) {
    for (const char key : keys) {
      desk->request("INFO", "application/dtmf-relay",
                    "Signal=" + std::string(1, key) + "\r\nDuration=160\r\n");
      run_ms(200);
    }
  }
  void ask(int wait_s = 5) {
    press("*2" + std::string(target) + "#");
    run_s(wait_s);
    far = b->last_call();
  }
  const Cdr& record(const std::string& of) {
    const auto& all = world.cdrs();
    const auto found = std::find_if(all.begin(), all.end(),
                                    [&](const Cdr& cdr) { return cdr.customer_gateway == of; });
    REQUIRE(found != all.end());
    return *found;
  }
  void check_money() {
    std::int64_t acme = 0, of_desk = 0;
    for (const Cdr& cdr : world.cdrs())
      (cdr.customer.account == "acme" ? acme : of_desk) += cdr.customer.charge.units();
    CHECK(balance("acme").units() + acme == money("100.00").units());
    CHECK(balance("desk").units() + of_desk == money("50.00").units());
  }
};

bool is_held(const EndpointCall& call) {
  return call.remote_sdp().find("a=inactive") != std::string::npos;
}

}  // namespace

TEST_CASE("Consultation: a phone speaks with the target, then leaves the two alone (T-05)") {
  Desk desk;
  desk.b->set_plan(answer_after(3 * second_us, second_us));
  desk.talk();
  desk.ask(1);
  CHECK_FALSE(is_held(*desk.other));  // the two go on talking while the target rings
  CHECK(desk.desk->count("reinvite") == 0);
  desk.run_s(4);
  CHECK(is_held(*desk.other));
  CHECK(desk.other->count("reinvite") == 1);
  CHECK(desk.desk->count("reinvite") == 1);
  CHECK(desk.far->callee() == target);
  CHECK(desk.far->caller() == "1001");
  CHECK(desk.far->was_answered());
  CHECK(desk.tandem->calls().size() == 2);
  desk.run_s(20);
  CHECK_FALSE(desk.desk->is_over());
  SUBCASE("by hanging up") { desk.desk->hang_up(); }
  SUBCASE("by its end key (T-06)") { desk.press("*#"); }
  desk.run_s(5);
  CHECK(desk.desk->is_over());
  CHECK_FALSE(desk.other->is_over());
  CHECK_FALSE(desk.far->is_over());
  CHECK_FALSE(is_held(*desk.other));
  CHECK(desk.tandem->calls().size() == 2);
  desk.run_s(10);
  desk.other->hang_up();
  desk.check_clean();
  CHECK(desk.far->is_over());
  REQUIRE(desk.world.cdrs().size() == 2);
  const Cdr& first = desk.record("cust");
  const Cdr& second = desk.record("phone:1001");
  CHECK(first.vendor_gateway == "phone:1001");
  CHECK(second.callee == target);
  CHECK(second.call_id == first.call_id);
  CHECK(second.talk_time_ms / 1000 >= 30);
  CHECK(first.release_side == ReleaseSide::caller);
  desk.check_money();
}

TEST_CASE("Consultation: the phone goes back to who waits (T-06)") {
  Desk desk;
  desk.b->set_plan(answer_after(second_us, second_us));
  desk.talk();
  desk.ask();
  REQUIRE(is_held(*desk.other));
  SUBCASE("by its cancel key") { desk.press("*0"); }
  SUBCASE("since the target hangs up") { desk.far->hang_up(); }
  desk.run_s(3);
  CHECK(desk.far->is_over());
  CHECK_FALSE(desk.desk->is_over());
  CHECK_FALSE(desk.other->is_over());
  CHECK_FALSE(is_held(*desk.other));
  CHECK(desk.other->count("reinvite") == 2);
  CHECK(desk.desk->count("reinvite") == 2);
  CHECK(desk.tandem->calls().size() == 1);
  // And may ask again.
  desk.ask();
  CHECK(is_held(*desk.other));
  desk.desk->hang_up();
  desk.run_s(5);
  CHECK_FALSE(is_held(*desk.other));
  CHECK_FALSE(desk.far->is_over());
  desk.far->hang_up();
  desk.check_clean();
  CHECK(desk.other->is_over());
  CHECK(desk.world.cdrs().size() == 3);
  desk.check_money();
}

TEST_CASE("Consultation: keys in RTP order it, and end it (T-05, T-06)") {
  Desk desk;
  desk.b->set_plan(answer_after(second_us, second_us));
  desk.talk();
  const auto press_in_media = [&](std::string_view keys) {
    for (const char key : keys) {
      desk.desk->press_key(key);
      desk.run_ms(200);
    }
    desk.run_s(4);
  };
  press_in_media("*2" + std::string(target) + "#");
  desk.far = desk.b->last_call();
  REQUIRE(desk.far != nullptr);
  REQUIRE(is_held(*desk.other));
  bool is_led = true;
  SUBCASE("for the two others") { press_in_media("*#"); }
  SUBCASE("for who waits") {
    press_in_media("*0");
    is_led = false;
  }
  CHECK_FALSE(is_held(*desk.other));
  CHECK(desk.desk->is_over() == is_led);
  CHECK(desk.far->is_over() != is_led);
  desk.other->hang_up();
  desk.check_clean();
  desk.check_money();
}

TEST_CASE("Consultation: whom the target sees calling (T-05)") {
  SwitchConfig config = keys_config();
  config.parameters.call_transfer_ask_using_original_caller = true;
  Desk desk(config);
  desk.b->set_plan(answer_after(second_us, second_us));
  desk.talk();
  desk.ask();
  CHECK(desk.far->caller() == "1000");  // by default it is 1001
  desk.other->hang_up();
  desk.check_clean();
}

TEST_CASE("Consultation: before the target answers it is as a blind transfer (T-05, T-06)") {
  Desk desk;
  bool is_led = true, is_answered = true;
  SUBCASE("the phone hangs up") {
    desk.b->set_plan(answer_after(6 * second_us, second_us));
    desk.talk();
    desk.ask(2);
    desk.desk->hang_up();
  }
  SUBCASE("its end key") {
    desk.b->set_plan(answer_after(6 * second_us, second_us));
    desk.talk();
    desk.ask(2);
    desk.press("*#");
    desk.run_s(1);
    CHECK(desk.desk->is_over());
  }
  SUBCASE("its cancel key") {
    desk.b->set_plan(answer_after(60 * second_us, second_us));
    desk.talk();
    desk.ask(2);
    desk.press("*0");
    is_led = is_answered = false;
  }
  SUBCASE("the target is busy") {
    desk.b->set_plan(refuse(486, second_us));
    desk.talk();
    desk.ask(2);
    is_led = is_answered = false;
  }
  desk.run_s(8);
  CHECK(desk.desk->is_over() == is_led);
  CHECK_FALSE(desk.other->is_over());
  CHECK(desk.far->was_answered() == is_answered);
  CHECK(desk.other->count("reinvite") == (is_led ? 1 : 0));
  CHECK(desk.tandem->calls().size() == (is_led ? 2 : 1));
  desk.other->hang_up();
  desk.check_clean();
  CHECK(desk.world.cdrs().size() == 2);
  desk.check_money();
}

TEST_CASE("Consultation: who waits hangs up, and all of it ends (T-05)") {
  Desk desk;
  desk.b->set_plan(answer_after(second_us, second_us));
  desk.talk();
  desk.ask();
  SUBCASE("itself") { desk.other->hang_up(); }
  SUBCASE("by an order from outside") {
    const auto calls = desk.tandem->calls();
    const auto first = std::find_if(calls.begin(), calls.end(), [](const CallView& call) {
      return call.customer_gateway == "cust";
    });
    REQUIRE(first != calls.end());
    REQUIRE(desk.tandem->disconnect(first->id).ok());
  }
  desk.run_s(3);
  CHECK(desk.other->is_over());
  CHECK(desk.desk->is_over());
  CHECK(desk.far->is_over());
  desk.check_clean();
  CHECK(desk.world.cdrs().size() == 2);
  desk.check_money();
}

TEST_CASE("Consultation: media flows where it shall, and nowhere else (T-05, M-01)") {
  SwitchConfig config = keys_config();
  bool is_led = true;
  SUBCASE("relayed") {
    SUBCASE("and back") { is_led = false; }
    SUBCASE("and together") {}
  }
  SUBCASE("direct") {
    config.parameters.media_mode = MediaMode::off;
    SUBCASE("and back") { is_led = false; }
    SUBCASE("and together") {}
  }
  Desk desk(config);
  AnswerPlan near;
  near.send_rtp = true;
  near.rtp_pattern = 0x11;
  desk.phone->set_plan(near);
  AnswerPlan far_plan = answer_after(second_us, second_us);
  far_plan.send_rtp = true;
  far_plan.rtp_pattern = 0x22;
  desk.b->set_plan(far_plan);
  desk.talk(true);
  CHECK(desk.other->packets_received() > 0);
  desk.ask();
  const auto of_other = desk.other->packets_received();
  const auto of_desk = desk.desk->packets_received(), of_far = desk.far->packets_received();
  desk.run_s(3);
  CHECK(desk.other->packets_received() == of_other);
  CHECK(desk.desk->packets_received() > of_desk + 100);
  CHECK(desk.far->packets_received() > of_far + 100);
  CHECK(desk.desk->received_pattern() == 0x22);
  CHECK(desk.far->received_pattern() == 0x11);
  if (!is_led) {
    desk.press("*0");
    desk.run_s(3);
    const auto heard = desk.other->packets_received(), said = desk.desk->packets_received();
    desk.run_s(2);
    CHECK(desk.other->packets_received() > heard + 80);
    CHECK(desk.desk->packets_received() > said + 80);
    CHECK(desk.other->received_pattern() == 0x11);
    CHECK(desk.desk->received_pattern() == 0x33);
  }
  if (is_led) {
    desk.desk->hang_up();
    desk.run_s(3);
    const auto heard = desk.other->packets_received(), said = desk.far->packets_received();
    desk.run_s(2);
    CHECK(desk.other->packets_received() > heard + 80);
    CHECK(desk.far->packets_received() > said + 80);
    CHECK(desk.other->received_pattern() == 0x22);
    CHECK(desk.far->received_pattern() == 0x33);
  }
  desk.other->hang_up();
  desk.check_clean();
}

TEST_CASE(
    "Consultation: who waits hears the tone of who lets it wait, and nobody else does (T-05)") {
  SwitchConfig config = keys_config();
  config.provision.phones[0].hold_tone = "tone:ringback/gb";
  std::string direction = "a=sendonly";
  SUBCASE("relayed") {}
  SUBCASE("direct") { config.parameters.media_mode = MediaMode::off; }
  SUBCASE("one that is led on") { direction.clear(); }
  Desk desk(config);
  AnswerPlan near;
  near.send_rtp = true;
  near.rtp_pattern = 0x11;
  desk.phone->set_plan(near);
  AnswerPlan far_plan = answer_after(second_us, second_us);
  far_plan.send_rtp = true;
  far_plan.rtp_pattern = 0x22;
  desk.b->set_plan(far_plan);
  desk.talk(true);
  const auto sessions = desk.tandem->counters().media_sessions_live;
  desk.ask();
  CHECK(desk.other->remote_sdp().find("a=sendonly") != std::string::npos);
  CHECK(desk.other->remote_sdp().find("m=audio 0") == std::string::npos);
  const auto heard = desk.other->packets_received();
  const auto of_desk = desk.desk->packets_received(), of_far = desk.far->packets_received();
  desk.run_s(2);
  CHECK(desk.other->packets_received() >= heard + 95);
  CHECK(desk.other->packets_received() <= heard + 105);
  CHECK(desk.other->received_pattern() != 0x11);
  CHECK(desk.other->received_pattern() != 0x22);
  CHECK(desk.desk->packets_received() <= of_desk + 105);  // the target's alone
  CHECK(desk.far->packets_received() <= of_far + 105);
  CHECK(desk.desk->received_pattern() == 0x22);
  CHECK(desk.far->received_pattern() == 0x11);
  if (direction.empty()) {
    desk.desk->hang_up();
  } else {
    desk.press("*0");
  }
  desk.run_s(3);
  const auto before = desk.other->packets_received();
  desk.run_s(2);
  CHECK(desk.other->packets_received() <= before + 105);
  CHECK(desk.other->received_pattern() == (direction.empty() ? 0x22 : 0x11));
  CHECK(desk.other->remote_sdp().find("a=sendonly") == std::string::npos);
  if (!direction.empty()) CHECK(desk.tandem->counters().media_sessions_live == sessions);
  desk.other->hang_up();
  desk.check_clean();
  desk.check_money();
}

TEST_CASE("Consultation: who waits with a tone may change its session, or want to hear nothing") {
  SwitchConfig config = keys_config();
  config.provision.phones[0].hold_tone = "tone:ringback/gb";
  Desk desk(config);
  desk.b->set_plan(answer_after(second_us, second_us));
  desk.talk();
  desk.ask();
  const auto heard = desk.other->packets_received();
  desk.other->hold();
  desk.run_s(2);
  CHECK(desk.other->count("reoffer 200") == 1);
  CHECK(is_held(*desk.other));
  CHECK(desk.desk->count("reinvite") == 1);  // nobody else is told of it
  CHECK(heard > 0);
  desk.press("*0");
  desk.run_s(3);
  CHECK_FALSE(is_held(*desk.other));
  desk.other->hang_up();
  desk.check_clean();
}

TEST_CASE("Consultation: who waits hears nothing where no tone can be played (T-05)") {
  SwitchConfig config = keys_config();
  config.provision.phones[0].hold_tone = "tone:ringback/gb";
  Desk desk(config);
  desk.b->set_plan(answer_after(second_us, second_us));
  DialPlan plan;
  plan.formats = "99";  // none that the relay knows
  desk.other = desk.dial(plan, "1001");
  desk.run_s(10);
  desk.desk = desk.phone->last_call();
  REQUIRE(desk.desk->was_answered());
  desk.ask();
  CHECK(desk.far->was_answered());
  CHECK(desk.other->packets_received() == 0);
  desk.press("*0");
  desk.run_s(3);
  CHECK_FALSE(desk.desk->is_over());
  desk.other->hang_up();
  desk.check_clean();
}

TEST_CASE("Consultation: a phone asks about whom it has called (T-05)") {
  Desk desk;
  desk.talk_out();
  desk.b->set_plan(answer_after(second_us, second_us));
  desk.ask();
  REQUIRE(desk.far != desk.other);
  CHECK(desk.far->caller() == "1001");
  CHECK(is_held(*desk.other));
  bool is_led = true;
  SUBCASE("and leaves") { desk.desk->hang_up(); }
  SUBCASE("and comes back") {
    desk.press("*0");
    is_led = false;
  }
  desk.run_s(3);
  CHECK(desk.desk->is_over() == is_led);
  CHECK(desk.far->is_over() != is_led);
  CHECK_FALSE(is_held(*desk.other));
  desk.run_s(3);
  desk.other->hang_up();
  desk.check_clean();
  REQUIRE(desk.world.cdrs().size() == 2);
  CHECK(desk.world.cdrs()[0].call_id == desk.world.cdrs()[1].call_id);
  desk.check_money();
}

TEST_CASE("Consultation: sessions may be changed meanwhile (T-05, RFC 3261 section 14)") {
  Desk desk;
  desk.b->set_plan(answer_after(second_us, second_us));
  desk.talk();
  desk.ask();
  bool is_led = true;
  const auto then = [&] {
    SUBCASE("then it leaves") { desk.desk->hang_up(); }
    SUBCASE("then it comes back") {
      desk.press("*0");
      is_led = false;
    }
  };
  SUBCASE("by the target") {
    desk.far->hold();
    desk.run_s(1);
    CHECK(desk.desk->count("reinvite") == 2);
    CHECK(desk.other->count("reinvite") == 1);
    desk.far->resume();
    desk.run_s(1);
    then();
  }
  SUBCASE("by who waits, which stays on hold") {
    desk.other->hold();
    desk.run_s(1);
    CHECK(desk.desk->count("reinvite") == 1);
    CHECK(is_held(*desk.other));
    desk.other->resume();
    desk.run_s(1);
    CHECK(desk.desk->count("reinvite") == 1);
    CHECK(is_held(*desk.other));
    then();
  }
  SUBCASE("by the phone") {
    desk.desk->hold();
    desk.run_s(1);
    CHECK(desk.far->count("reinvite") >= 1);
    CHECK(desk.other->count("reinvite") == 1);
    desk.desk->resume();
    desk.run_s(1);
    then();
  }
  SUBCASE("while the phone is back before the target has answered a change") {
    desk.far->set_reoffer_status(0);
    desk.desk->hold();
    then();
  }
  desk.run_s(8);
  CHECK(desk.desk->is_over() == is_led);
  CHECK_FALSE(desk.other->is_over());
  CHECK_FALSE(is_held(*desk.other));
  (is_led ? desk.far : desk.desk)->hang_up();
  desk.check_clean();
  CHECK(desk.other->is_over());
  desk.check_money();
}

TEST_CASE("Consultation: whatever comes at whatever moment of it, all ends clean (T-05, T-06)") {
  enum class Act { phone_ends, other_ends, target_ends, cancel_key, end_key };
  for (const Act act :
       {Act::phone_ends, Act::other_ends, Act::target_ends, Act::cancel_key, Act::end_key}) {
    for (int after_ms = 0; after_ms <= 300; after_ms += 20) {
      CAPTURE(static_cast<int>(act));
      CAPTURE(after_ms);
      Desk desk;
      desk.b->set_plan(answer_after(second_us, second_us));
      desk.talk();
      desk.press("*2" + std::string(target) + "#");
      // The first key of an order is passed, so that only the second one must be on time.
      if (act == Act::cancel_key || act == Act::end_key) desk.press("*");
      desk.far = desk.b->last_call();
      REQUIRE(desk.far != nullptr);
      REQUIRE(desk.world.run_until([&] { return desk.far->was_answered(); }, 10 * second_us));
      desk.run_ms(after_ms);
      bool is_led = false, is_over = false;
      switch (act) {
        case Act::phone_ends:
          desk.desk->hang_up();
          is_led = true;
          break;
        case Act::other_ends:
          desk.other->hang_up();
          is_over = true;
          break;
        case Act::target_ends:
          desk.far->hang_up();
          break;
        case Act::cancel_key:
          desk.press("0");
          break;
        case Act::end_key:
          desk.press("#");
          is_led = true;
          break;
      }
      desk.run_s(12);
      CHECK(desk.other->is_over() == is_over);
      CHECK(desk.desk->is_over() == (is_led || is_over));
      CHECK(desk.far->is_over() != is_led);
      if (!is_over) {
        CHECK_FALSE(is_held(*desk.other));
        CHECK(desk.tandem->calls().size() == (is_led ? 2 : 1));
        desk.other->hang_up();
      }
      desk.check_clean();
      CHECK(desk.desk->is_over());
      CHECK(desk.far->is_over());
      CHECK(desk.world.cdrs().size() == 2);
      desk.check_money();
    }
  }
}

TEST_CASE("Consultation: a party that does not let itself be held or led (T-05)") {
  Desk desk;
  desk.b->set_plan(answer_after(second_us, second_us));
  desk.talk();
  bool is_back = true, is_led = false;
  SUBCASE("who should wait refuses") {
    desk.other->set_reoffer_status(488);
    desk.ask();
    CHECK(desk.far->is_over());
    CHECK(desk.other->count("reinvite") == 1);
  }
  SUBCASE("who should wait is busy with a change for a while") {
    desk.other->set_reoffer_status(491);
    desk.ask(2);
    CHECK_FALSE(is_held(*desk.other));
    desk.other->set_reoffer_status(200);
    desk.run_s(8);
    CHECK(is_held(*desk.other));
    desk.desk->hang_up();
    is_led = true;
  }
  SUBCASE("the phone refuses") {
    desk.desk->set_reoffer_status(488);
    desk.ask(3);
    CHECK(desk.far->is_over());
    CHECK_FALSE(is_held(*desk.other));
    CHECK(desk.desk->count("reinvite") == 1);
  }
  SUBCASE("the phone is busy with a change for a while") {
    desk.desk->set_reoffer_status(491);
    desk.ask(2);
    CHECK(is_held(*desk.other));
    desk.desk->set_reoffer_status(200);
    desk.run_s(8);
    desk.press("*0");
  }
  SUBCASE("who waits does not want to be led to the target") {
    desk.ask();
    desk.other->set_reoffer_status(488);
    desk.desk->hang_up();
    is_back = false;
  }
  desk.run_s(10);
  CHECK(desk.other->is_over() == (!is_back));
  CHECK(desk.desk->is_over() == (is_led || !is_back));
  if (!desk.other->is_over()) desk.other->hang_up();
  desk.check_clean();
  CHECK(desk.desk->is_over());
  CHECK(desk.far->is_over());
  CHECK(desk.world.cdrs().size() == 2);
  desk.check_money();
}
