// Calls that the host serves (T-17): the switch answers, plays, collects keys and bridges at its
// word.
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "flow/flow.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

constexpr int far_pattern = 0x2A, near_pattern = 0xD5;
constexpr auto beep = "tone:warning";
const std::string menu = "4410";  // what the host serves
const std::string target = "442079460000";

AudioClip sound(const std::string& source = beep) { return AudioClip::load(source).value(); }

/// A switch whose host serves the calls to `menu`.
struct Host {
  ServeOrder serve;
  std::vector<PolicyQuestion> questions;
  std::vector<Event> events;  // of every kind
  std::function<void(const ServiceReport&)> on_report;
  std::uint64_t id = 0;  // of the call that is served
  std::unique_ptr<Bench> bench;

  explicit Host(SwitchConfig config = base_config(), ServeOrder as = {}) : serve(as) {
    SwitchHooks hooks;
    hooks.on_policy = [this](const PolicyQuestion& question) {
      questions.push_back(question);
      PolicyAnswer answer;
      if (question.callee == menu) answer.serve = serve;
      bench->tandem->answer(question.token, answer);
    };
    hooks.on_event = [this](const Event& event) {
      events.push_back(event);
      if (!event.service) return;
      id = event.call.id;
      if (on_report) on_report(*event.service);
    };
    bench = std::make_unique<Bench>(std::move(config), WorldOptions{}, hooks);
    AnswerPlan answer;
    answer.send_rtp = true;
    bench->b->set_plan(answer);
  }
  Switch& tandem() { return *bench->tandem; }
  /// Dials the menu and runs until the host may order.
  std::shared_ptr<EndpointCall> call(DialPlan plan = {}) {
    plan.send_rtp = true;
    auto made = bench->dial(plan, menu);
    bench->run_ms(100);
    REQUIRE(count("ready") == 1);
    return made;
  }
  [[nodiscard]] std::vector<ServiceReport> reports() const {
    std::vector<ServiceReport> all;
    for (const Event& event : events)
      if (event.service) all.push_back(*event.service);
    return all;
  }
  [[nodiscard]] std::size_t count(const std::string& what) const {
    std::size_t found = 0;
    for (const ServiceReport& report : reports())
      found += service_report_name(report.what) == what ? 1U : 0U;
    return found;
  }
  /// The last report, as "collected full 12".
  [[nodiscard]] std::string last() const {
    const ServiceReport report = reports().back();
    std::string text = service_report_name(report.what);
    if (report.why != ServiceReport::Why::none)
      text += std::string(" ") + service_reason_name(report.why);
    if (!report.digits.empty()) text += " " + report.digits;
    if (report.what == ServiceReport::What::collected && !report.is_complete) text += " short";
    if (report.sip_status != 0) text += " " + std::to_string(report.sip_status);
    return text;
  }
  void press(EndpointCall& call, const std::string& keys) {
    for (const char key : keys) {
      call.press_key(key);
      bench->run_ms(300);
    }
  }
  /// The record of the call to that number.
  const Cdr& record(const std::string& callee) {
    for (const Cdr& cdr : bench->world.cdrs())
      if (cdr.callee == callee) return cdr;
    FAIL("no record of " << callee);
    return bench->world.cdrs().front();
  }
  void check_records(std::size_t expected) {
    bench->check_clean();
    REQUIRE(bench->world.cdrs().size() == expected);
    std::int64_t paid = 0;
    for (const Cdr& cdr : bench->world.cdrs())
      paid += cdr.customer.charge.units();
    CHECK(bench->balance().units() + paid == money("100.00").units());
  }
};

CollectOrder keys(std::size_t min, std::size_t max) {
  CollectOrder order;
  order.min = min;
  order.max = max;
  return order;
}

BridgeOrder to(const std::string& callee) {
  BridgeOrder order;
  order.callee = callee;
  return order;
}

}  // namespace

TEST_CASE("Service T-17: the switch answers, plays, collects and hangs up as the host orders") {
  Host host;
  auto call = host.call();
  CHECK(call->was_answered());
  REQUIRE(host.tandem().play(host.id, {sound(), false, false}).ok());
  REQUIRE(host.tandem().collect(host.id, keys(1, 4)).ok());
  host.bench->run_ms(300);
  CHECK(call->packets_received() > 10);
  host.bench->run_s(2);
  CHECK(host.last() == "played finished");
  host.press(*call, "12#");
  CHECK(host.last() == "collected terminator 12");
  const std::uint64_t heard = call->packets_received();
  host.bench->run_s(1);
  CHECK(call->packets_received() == heard);  // nobody speaks
  REQUIRE(host.tandem().hang_up(host.id).ok());
  host.bench->run_s(1);
  CHECK(call->is_over());
  CHECK(call->q850_cause() == 16);
  const Cdr& cdr = host.bench->only_cdr();
  CHECK(cdr.end_reason == Reason::NormalCallClearing);
  CHECK(cdr.release_side == ReleaseSide::server);
  CHECK(cdr.callee == menu);
  CHECK_FALSE(cdr.vendor_gateway.has_value());
  CHECK(cdr.attempts.empty());
  CHECK(cdr.talk_time_ms >= 4'000);
  CHECK(cdr.customer.charge > Amount());  // as any answered call to the number
  CHECK(host.bench->b->received("INVITE") == 0);
  host.check_records(1);
}

TEST_CASE("Service T-17: several sounds are played one after the other, as one order") {
  Host host;
  auto call = host.call();
  const AudioPlaylist list = AudioPlaylist::of({sound(), sound("tone:ringback/us")}).value();
  REQUIRE(host.tandem().play(host.id, {list, false, false}).ok());
  const auto ms = [](const AudioPlaylist& one) { return one.duration_us() / 1000; };
  CHECK(ms(list) == ms(sound()) + ms(sound("tone:ringback/us")));
  host.bench->run_ms(ms(list) - 100);
  CHECK(host.count("played") == 0);
  const std::uint64_t heard = call->packets_received();
  CHECK(heard > static_cast<std::uint64_t>(ms(list) / 20) - 20);
  host.bench->run_ms(200);
  CHECK(host.last() == "played finished");
  CHECK(host.tandem().play(host.id, {AudioPlaylist(), false, false}).error().code ==
        ErrorCode::invalid_argument);
  call->hang_up();
  host.check_records(1);
}

TEST_CASE("Service T-17: nobody pays for a call that is served unbilled") {
  Host host(base_config(), {.answers = true, .is_billed = false});
  auto call = host.call();
  host.bench->run_s(5);
  call->hang_up();
  const Cdr& cdr = host.bench->only_cdr();
  CHECK(cdr.talk_time_ms >= 5'000);
  CHECK(cdr.customer.charge.is_zero());
  CHECK(host.bench->balance() == money("100.00"));
}

TEST_CASE("Service T-17: a billed one ends with the money, an account without any is refused") {
  SwitchConfig config = base_config();
  config.provision.accounts[0].balance = money("0.10");  // 10 s
  config.parameters.service_idle_s = 300;
  Host host(config);
  auto call = host.call();
  host.bench->run_s(12);
  CHECK(call->is_over());
  CHECK(host.bench->only_cdr().end_reason == Reason::BalanceExhausted);
  CHECK(host.bench->balance().is_zero());
  auto refused = host.bench->dial({}, menu);
  host.bench->run_s(1);
  CHECK(refused->status() >= 400);
  CHECK(host.count("ready") == 1);
}

TEST_CASE("Service T-17: the reminder of the end of the money takes the place of what is played") {
  SwitchConfig config = base_config();
  config.provision.accounts[0].balance = money("0.20");  // 20 s
  ReminderConfig reminder;
  reminder.sound = beep;
  reminder.before_s = 10;
  config.provision.accounts[0].reminder = reminder;
  Host host(config);
  auto call = host.call();
  REQUIRE(host.tandem().play(host.id, {sound("tone:ringback/us"), true, false}).ok());
  host.bench->run_s(8);
  CHECK(host.count("played") == 0);
  host.bench->run_s(4);
  CHECK(host.last() == "played stopped");
  CHECK(host.tandem().play(host.id, {sound("tone:ringback/us"), true, false}).ok());
  host.bench->run_s(10);
  CHECK(call->is_over());
  CHECK(host.bench->only_cdr().end_reason == Reason::BalanceExhausted);
  host.bench->check_clean();
}

TEST_CASE("Service T-17: in early media nobody pays until the host answers") {
  Host host(base_config(), {.answers = false});
  auto call = host.call();
  CHECK_FALSE(call->was_answered());
  CHECK(call->count("183 sdp") == 1);
  REQUIRE(host.tandem().play(host.id, {sound(), false, false}).ok());
  host.bench->run_ms(500);
  CHECK(call->packets_received() > 10);
  bool is_answered = false;
  SUBCASE("refused with the status for the cause") {
    REQUIRE(host.tandem().hang_up(host.id, 17).ok());
    host.bench->run_s(1);
    CHECK(call->status() == 486);
    CHECK(host.bench->only_cdr().end_reason == Reason::CalleeBusy);
  }
  SUBCASE("the caller gives up") {
    call->cancel();
    CHECK(host.bench->only_cdr().end_reason == Reason::CallerCancel);
  }
  SUBCASE("answered") {
    CHECK(host.tandem().bridge(host.id, to(target)).error().code == ErrorCode::wrong_state);
    REQUIRE(host.tandem().answer_call(host.id).ok());
    host.bench->run_s(3);
    CHECK(call->was_answered());
    CHECK(host.tandem().answer_call(host.id).error().code == ErrorCode::wrong_state);
    CHECK(host.count("ready") == 1);
    call->hang_up();
    const Cdr& cdr = host.bench->only_cdr();
    CHECK(cdr.talk_time_ms <= 3'100);
    CHECK(cdr.customer.charge > Amount());
    is_answered = true;
  }
  if (!is_answered) CHECK(host.bench->balance() == money("100.00"));
  host.check_records(1);
}

TEST_CASE("Service T-17: a collection ends by keys, times and other orders, and says why") {
  Host host;
  auto call = host.call();
  CollectOrder order = keys(2, 3);
  order.first_key_ms = 3'000;
  order.next_key_ms = 1'000;
  std::string expected;
  SUBCASE("enough keys") {
    REQUIRE(host.tandem().collect(host.id, order).ok());
    host.press(*call, "123");
    expected = "collected full 123";
  }
  SUBCASE("no key") {
    REQUIRE(host.tandem().collect(host.id, order).ok());
    host.bench->run_ms(2'900);
    CHECK(host.count("collected") == 0);
    host.bench->run_ms(200);
    expected = "collected first_key short";
  }
  SUBCASE("the time for the first key begins when the prompt is over") {
    REQUIRE(host.tandem().play(host.id, {sound("tone:ringback/us"), false, false}).ok());
    REQUIRE(host.tandem().collect(host.id, order).ok());
    host.bench->run_ms(sound("tone:ringback/us").duration_us() / 1000 + 2'900);
    CHECK(host.count("collected") == 0);
    host.bench->run_ms(200);
    expected = "collected first_key short";
  }
  SUBCASE("too few, then none") {
    REQUIRE(host.tandem().collect(host.id, order).ok());
    host.press(*call, "1");
    host.bench->run_s(1);
    expected = "collected next_key 1 short";
  }
  SUBCASE("a key that ends it") {
    order.terminators = "*#";
    REQUIRE(host.tandem().collect(host.id, order).ok());
    host.press(*call, "12*");
    expected = "collected terminator 12";
  }
  SUBCASE("another order") {
    REQUIRE(host.tandem().collect(host.id, order).ok());
    host.press(*call, "12");
    REQUIRE(host.tandem().stop(host.id).ok());
    host.bench->run_ms(10);
    expected = "collected stopped 12 short";
  }
  SUBCASE("keys that were pressed before count") {
    host.press(*call, "123");
    REQUIRE(host.tandem().collect(host.id, order).ok());
    host.bench->run_ms(10);
    expected = "collected full 123";
  }
  SUBCASE("but not where the host does not want them") {
    host.press(*call, "12");
    order.drops_earlier = true;
    REQUIRE(host.tandem().collect(host.id, order).ok());
    host.press(*call, "789");
    expected = "collected full 789";
  }
  SUBCASE("keys by INFO") {
    REQUIRE(host.tandem().collect(host.id, order).ok());
    for (const char* key : {"4", "5", "6"}) {
      call->request("INFO", "application/dtmf-relay", std::string("Signal=") + key + "\r\n");
      host.bench->run_ms(200);
    }
    CHECK(call->count("result 200") == 3);
    expected = "collected full 456";
  }
  CHECK(host.last() == expected);
  CHECK(host.count("collected") == 1);
  call->hang_up();
  host.check_records(1);
}

TEST_CASE("Service T-17: a key ends a prompt that it may end, and counts") {
  Host host;
  auto call = host.call();
  REQUIRE(host.tandem().play(host.id, {sound("tone:ringback/us"), true, true}).ok());
  REQUIRE(host.tandem().collect(host.id, keys(1, 1)).ok());
  host.bench->run_s(1);
  host.press(*call, "7");
  REQUIRE(host.reports().size() == 3);
  CHECK(service_reason_name(host.reports()[1].why) == std::string("key"));
  CHECK(host.last() == "collected full 7");
  const std::uint64_t heard = call->packets_received();
  host.bench->run_s(1);
  CHECK(call->packets_received() <= heard + 1);
  call->hang_up();
  host.check_records(1);
}

TEST_CASE("Service T-17: the caller is bridged to a number as if it had dialled that") {
  SwitchConfig config = base_config(2);
  Host host(config, {.answers = true, .is_billed = false});
  host.bench->b->set_plan(refuse(503));
  AnswerPlan late = answer_after(3 * second_us, 0);
  late.send_rtp = true;
  host.bench->vendors[1]->set_plan(late);
  auto call = host.call();
  REQUIRE(host.tandem().play(host.id, {sound("tone:ringback/us"), true, false}).ok());
  REQUIRE(host.tandem().bridge(host.id, to(target)).ok());
  CHECK(host.tandem().bridge(host.id, to(target)).error().code == ErrorCode::wrong_state);
  host.bench->run_s(2);
  CHECK(call->packets_received() > 50);  // the ring tone
  host.bench->run_s(2);
  CHECK(host.last() == "bridged");
  auto far = host.bench->vendors[1]->last_call();
  REQUIRE(far);
  CHECK(far->callee() == target);
  CHECK(far->caller() == "1000");
  host.bench->run_s(1);
  CHECK(call->received_pattern() == far_pattern);
  CHECK(far->received_pattern() == near_pattern);
  call->press_key('5');
  host.bench->run_ms(300);
  CHECK(far->received_keys() == "5");
  CHECK(host.tandem().play(host.id, {sound(), false, false}).error().code ==
        ErrorCode::wrong_state);
  host.bench->run_s(10);
  bool is_caller = false;
  SUBCASE("the caller hangs up") {
    is_caller = true;
    call->hang_up();
  }
  SUBCASE("the callee hangs up") { far->hang_up(); }
  CAPTURE(is_caller);
  host.bench->run_s(1);
  CHECK(call->is_over());
  CHECK(far->is_over());
  host.check_records(2);
  const Cdr& served = host.record(menu);
  CHECK(served.customer.charge.is_zero());
  CHECK(served.callee_out == target);
  CHECK(served.attempts.empty());
  CHECK(served.talk_time_ms >= 14'000);
  const Cdr& bridged = host.record(target);
  CHECK(bridged.call_id == served.call_id);
  CHECK(bridged.vendor_gateway == "v2");
  REQUIRE(bridged.attempts.size() == 2);
  CHECK(bridged.attempts[0].sip_status == 503);
  CHECK(bridged.attempts[1].sip_status == 200);
  CHECK(bridged.talk_time_ms >= 11'000);
  CHECK(bridged.talk_time_ms <= 12'500);
  CHECK(bridged.customer.charge > money("0.10"));
  CHECK(host.questions.size() == 1);  // the host has decided already
}

TEST_CASE("Service T-17: a callee that is not there leaves the caller with the host") {
  Host host;
  host.bench->b->set_plan(refuse(486, second_us));
  auto call = host.call();
  REQUIRE(host.tandem().bridge(host.id, to(target)).ok());
  host.bench->run_ms(500);
  std::string expected;
  SUBCASE("it is busy") {
    host.bench->run_s(1);
    expected = "bridge_failed 486";
  }
  SUBCASE("the host thinks better of it") {
    REQUIRE(host.tandem().stop(host.id).ok());
    host.bench->run_ms(100);
    expected = "bridge_failed 487";
  }
  CHECK(host.last() == expected);
  REQUIRE(host.tandem().play(host.id, {sound(), false, false}).ok());
  const std::uint64_t before = call->packets_received();
  host.bench->run_ms(500);
  CHECK(call->packets_received() > before + 10);
  AnswerPlan answer;
  answer.send_rtp = true;
  host.bench->b->set_plan(answer);
  REQUIRE(host.tandem().bridge(host.id, to("4930123456")).ok());
  host.bench->run_s(2);
  CHECK(host.last() == "bridged");
  CHECK(call->received_pattern() == far_pattern);
  call->hang_up();
  host.check_records(3);
  CHECK(host.record(target).answered_at_us == 0);
  CHECK(host.record(target).customer.charge.is_zero());
  CHECK(host.record("4930123456").answered_at_us != 0);
  CHECK(host.record(menu).callee_out == "4930123456");
}

TEST_CASE("Service T-17: what the caller may not call is told, not called") {
  SwitchConfig config = base_config();
  config.provision.customer_gateways[0].numbers.deny_callee_prefixes = {"44207"};
  Host host(config);
  auto call = host.call();
  REQUIRE(host.tandem().bridge(host.id, to(target)).ok());
  host.bench->run_s(1);
  CHECK(host.count("bridge_failed") == 1);
  CHECK(host.bench->b->received("INVITE") == 0);
  CHECK_FALSE(call->is_over());
  CHECK(host.tandem().bridge(host.id, to("44 x")).error().code == ErrorCode::invalid_argument);
  BridgeOrder order = to(target);
  order.customer = "nobody";
  CHECK(host.tandem().bridge(host.id, order).error().code == ErrorCode::not_found);
  call->hang_up();
  host.check_records(2);
}

TEST_CASE("Service T-17: a bridge is the call, and the money, of whom the host names") {
  SwitchConfig config = base_config(2);
  config.provision.accounts.push_back(account("card", "5.00"));
  config.provision.customer_gateways.push_back(customer("cards", "10.0.1.9", "card"));
  Host host(config, {.answers = true, .is_billed = false});
  AnswerPlan answer;
  answer.send_rtp = true;
  host.bench->vendors[1]->set_plan(answer);
  auto call = host.call();
  BridgeOrder order = to(target);
  order.customer = "cards";
  order.caller = "4999";
  order.vendor_gateways = {"v2"};
  REQUIRE(host.tandem().bridge(host.id, order).ok());
  host.bench->run_s(11);
  REQUIRE(host.last() == "bridged");
  CHECK(host.bench->b->received("INVITE") == 0);
  CHECK(host.bench->vendors[1]->last_call()->caller() == "4999");
  call->hang_up();
  host.bench->check_clean();
  const Cdr& bridged = host.record(target);
  CHECK(bridged.customer_gateway == "cards");
  CHECK(bridged.customer.account == "card");
  CHECK(bridged.customer.charge > Amount());
  CHECK(host.bench->balance() == money("100.00"));
  CHECK(host.bench->balance("card").units() ==
        money("5.00").units() - bridged.customer.charge.units());
}

TEST_CASE("Service T-17: the caller hangs up whatever is going on, and each call has its record") {
  Host host;
  host.bench->b->set_plan(answer_after(2 * second_us, second_us));
  auto call = host.call();
  std::size_t records = 1;
  SUBCASE("while nothing is ordered") {}
  SUBCASE("while something is played") {
    REQUIRE(host.tandem().play(host.id, {sound("tone:ringback/us"), true, false}).ok());
  }
  SUBCASE("while keys are collected") {
    REQUIRE(host.tandem().collect(host.id, keys(1, 4)).ok());
    host.press(*call, "1");
  }
  SUBCASE("while the callee is being called") {
    REQUIRE(host.tandem().bridge(host.id, to(target)).ok());
    host.bench->run_ms(500);
    records = 2;
  }
  SUBCASE("while the callee rings") {
    REQUIRE(host.tandem().bridge(host.id, to(target)).ok());
    host.bench->run_ms(1'500);
    records = 2;
  }
  call->hang_up();
  host.bench->run_s(1);
  host.check_records(records);
  const Cdr& cdr = host.record(menu);
  CHECK(cdr.end_reason == Reason::NormalCallClearing);
  CHECK(cdr.release_side == ReleaseSide::caller);
  if (records == 2) CHECK(host.record(target).end_reason == Reason::CallerCancel);
  CHECK(host.tandem().stop(host.id).error().code == ErrorCode::not_found);
}

TEST_CASE("Service T-17: caller and callee end while the one is being led to the other") {
  // Every millisecond around the answer of the callee.
  for (int ms = 0; ms < 12; ++ms) {
    for (const int who : {0, 1, 2}) {
      CAPTURE(ms);
      CAPTURE(who);
      Host host;
      host.bench->world.set_default_link({.delay_us = 2'000});
      host.bench->b->set_plan(answer_after(100'000));
      auto call = host.call();
      REQUIRE(host.tandem().bridge(host.id, to(target)).ok());
      host.bench->run_ms(102 + ms);
      if (who == 0) call->hang_up();
      if (who == 1 && host.bench->b->last_call()) host.bench->b->last_call()->hang_up();
      if (who == 2) (void)host.tandem().hang_up(host.id, 31);  // or it is bridged by now
      host.bench->run_s(1);
      call->hang_up();
      host.bench->run_s(40);
      host.check_records(2);
    }
  }
}

TEST_CASE(
    "Service T-17: what is ordered while the caller is being led ends with that, and says so") {
  Host host;
  auto call = host.call();
  host.bench->world.set_default_link({.delay_us = 100'000});
  REQUIRE(host.tandem().bridge(host.id, to(target)).ok());
  host.bench->run_ms(250);  // the callee has answered, the caller has not yet
  REQUIRE(host.bench->b->last_call()->was_answered());
  REQUIRE(host.count("bridged") == 0);
  REQUIRE(host.tandem().play(host.id, {sound("tone:ringback/us"), true, false}).ok());
  REQUIRE(host.tandem().collect(host.id, keys(1, 4)).ok());
  host.bench->run_s(2);
  CHECK(host.last() == "bridged");
  CHECK(host.count("played") == 1);
  CHECK(host.count("collected") == 1);
  CHECK(call->received_pattern() == far_pattern);  // and no ring tone
  call->hang_up();
  host.bench->run_s(1);
  host.check_records(2);
}

TEST_CASE("Service T-17: a caller that is not led elsewhere stays with the host") {
  Host host;
  auto call = host.call();
  call->set_reoffer_status(488);
  AnswerPlan without_keys;
  without_keys.send_rtp = true;
  without_keys.formats = "0";
  host.bench->b->set_plan(without_keys);
  host.bench->world.set_default_link({.delay_us = 50'000});
  REQUIRE(host.tandem().bridge(host.id, to(target)).ok());
  host.bench->run_s(2);
  CHECK(host.last() == "bridge_failed 488");
  CHECK_FALSE(call->is_over());
  // Nothing goes to where the callee was, whose ports are the next call's soon.
  const auto sent = [&] { return host.tandem().calls().front().media_callee.packets_sent; };
  const std::uint64_t sent_before = sent();
  host.bench->run_s(1);
  CHECK(sent() == sent_before);
  // What the callee took is nothing that the caller is held to.
  REQUIRE(host.tandem().collect(host.id, keys(1, 2)).ok());
  host.press(*call, "12");
  CHECK(host.last() == "collected full 12");
  REQUIRE(host.tandem().play(host.id, {sound(), false, false}).ok());
  const std::uint64_t before = call->packets_received();
  host.bench->run_ms(500);
  CHECK(call->packets_received() > before + 10);
  call->hang_up();
  host.check_records(2);
  CHECK(host.bench->b->last_call()->is_over());
}

TEST_CASE("Service T-17: a host that orders nothing loses the call after its time") {
  SwitchConfig config = base_config();
  config.parameters.service_idle_s = 5;
  ServeOrder as;
  SUBCASE("answered") {}
  SUBCASE("in early media") { as.answers = false; }
  Host host(config, as);
  auto call = host.call();
  host.bench->run_ms(4'500);
  CHECK_FALSE(call->is_over());
  // What takes longer is waited for.
  CollectOrder order = keys(1, 1);
  order.first_key_ms = 20'000;
  REQUIRE(host.tandem().collect(host.id, order).ok());
  host.bench->run_s(19);
  CHECK_FALSE(call->is_over());
  host.bench->run_s(1);
  CHECK(host.last() == "collected first_key short");
  // What goes on for ever is not.
  REQUIRE(host.tandem().play(host.id, {sound(), true, false}).ok());
  host.bench->run_ms(4'500);
  CHECK_FALSE(call->is_over());
  host.bench->run_s(1);
  CHECK(call->is_over());
  CHECK(host.bench->only_cdr().end_reason == Reason::GatewayTimeout);
}

TEST_CASE("Service T-17: a host that answers and orders nothing more loses the call, too") {
  SwitchConfig config = base_config();
  config.parameters.service_idle_s = 5;
  Host host(config, {.answers = false});
  auto call = host.call();
  host.bench->run_s(3);
  REQUIRE(host.tandem().answer_call(host.id).ok());
  host.bench->run_ms(4'500);
  CHECK(call->was_answered());
  CHECK_FALSE(call->is_over());
  host.bench->run_s(1);
  CHECK(call->is_over());
  CHECK(host.bench->only_cdr().end_reason == Reason::GatewayTimeout);
  host.check_records(1);
}

TEST_CASE("Service T-17: the caller holds, resumes and refreshes while it is served") {
  Host host;
  auto call = host.call();
  call->hold();
  host.bench->run_s(1);
  CHECK(call->count("reoffer 200") == 1);
  CHECK(call->remote_sdp().find("a=inactive") != std::string::npos);
  call->resume();
  host.bench->run_s(1);
  CHECK(call->count("reoffer 200") == 2);
  CHECK(call->remote_sdp().find("a=inactive") == std::string::npos);
  call->reinvite_without_offer();
  host.bench->run_s(1);
  CHECK(call->count("reoffer 200") == 3);
  REQUIRE(host.tandem().play(host.id, {sound(), false, false}).ok());
  const std::uint64_t before = call->packets_received();
  host.bench->run_ms(500);
  CHECK(call->packets_received() > before + 10);
  REQUIRE(host.tandem().bridge(host.id, to(target)).ok());
  host.bench->run_s(2);
  CHECK(host.last() == "bridged");
  CHECK(call->received_pattern() == far_pattern);
  call->hold();
  host.bench->run_s(1);
  CHECK(call->count("reoffer 200") == 4);
  call->hang_up();
  host.check_records(2);
}

TEST_CASE("Service T-17: what cannot be served is refused, and orders for others are none") {
  Host host;
  DialPlan plan;
  SUBCASE("no offer") { plan.delayed_offer = true; }
  SUBCASE("no codec that the switch plays in") { plan.formats = "98 101"; }
  auto call = host.bench->dial(plan, menu);
  host.bench->run_s(1);
  CHECK(call->status() == 488);
  CHECK(host.bench->only_cdr().end_reason == Reason::CodecMismatch);
  auto other = host.bench->dial({}, target);
  host.bench->run_s(1);
  const std::uint64_t id = host.tandem().calls().front().id;
  CHECK(host.tandem().stop(id).error().code == ErrorCode::wrong_state);
  CHECK(host.tandem().hang_up(id, 128).error().code == ErrorCode::invalid_argument);
  CHECK(host.tandem().collect(id, keys(2, 1)).error().code == ErrorCode::invalid_argument);
  CHECK(host.tandem().collect(id, keys(1, 65)).error().code == ErrorCode::invalid_argument);
  CHECK(host.tandem().play(id, {}).error().code == ErrorCode::invalid_argument);
  CHECK(host.tandem().stop(999).error().code == ErrorCode::not_found);
  other->hang_up();
  host.bench->check_clean();
}

TEST_CASE("Service T-17: what the caller says to the host is recorded from order to order") {
  std::string name = (std::filesystem::temp_directory_path() / "tandem-mailbox-XXXXXX").string();
  const std::filesystem::path folder = ::mkdtemp(name.data());
  SwitchConfig config = base_config();
  config.recording.emplace();
  config.recording->folder = folder / "calls";
  config.recording->free_megabytes_min = 0;
  config.recording->name = "{caller}-{callee}";
  {
    Host host(config);
    auto call = host.call();
    REQUIRE(host.tandem().record(host.id, true).ok());
    host.bench->run_s(3);
    REQUIRE(host.tandem().record(host.id, false).ok());
    host.bench->run_s(2);
    call->hang_up();
    const Cdr& cdr = host.bench->only_cdr();
    CHECK(cdr.recording == "1000-4410.wav");
    host.bench->run_s(1);
    const auto bytes = std::filesystem::file_size(folder / "calls" / "1000-4410.wav");
    CHECK(bytes > 44 + 2 * 32'000);
    CHECK(bytes < 44 + 4 * 32'000);
  }
  std::filesystem::remove_all(folder);
}

TEST_CASE("Service T-17: a caller whose encryption ends here is served and bridged") {
  SwitchConfig config = base_config();
  config.provision.customer_gateways[0].sip.srtp = SrtpMode::required;
  Host host(config);
  DialPlan plan;
  plan.srtp = SrtpMode::required;
  auto call = host.call(plan);
  CHECK(call->is_encrypted());
  REQUIRE(host.tandem().play(host.id, {sound(), false, true}).ok());
  REQUIRE(host.tandem().collect(host.id, keys(1, 1)).ok());
  host.bench->run_ms(300);
  CHECK(call->packets_received() > 10);
  host.press(*call, "3");
  CHECK(host.last() == "collected full 3");
  REQUIRE(host.tandem().bridge(host.id, to(target)).ok());
  host.bench->run_s(2);
  CHECK(host.last() == "bridged");
  CHECK(call->received_pattern() == far_pattern);
  CHECK(call->srtp_failures() == 0);
  CHECK(host.bench->b->last_call()->received_pattern() == near_pattern);
  call->hang_up();
  host.check_records(2);
}

TEST_CASE("Service T-17: a served caller may begin anew with other keys of its encryption") {
  SwitchConfig config = base_config();
  config.provision.customer_gateways[0].sip.srtp = SrtpMode::required;
  Host host(config);
  DialPlan plan;
  plan.srtp = SrtpMode::required;
  auto call = host.call(plan);
  call->rekey();
  host.bench->run_s(1);
  CHECK(call->count("reoffer 200") == 1);
  REQUIRE(host.tandem().play(host.id, {sound(), true, false}).ok());
  REQUIRE(host.tandem().collect(host.id, keys(1, 1)).ok());
  const std::uint64_t before = call->packets_received();
  host.press(*call, "3");
  CHECK(host.last() == "collected full 3");
  CHECK(call->packets_received() > before + 10);
  REQUIRE(host.tandem().bridge(host.id, to(target)).ok());
  host.bench->run_s(2);
  CHECK(call->received_pattern() == far_pattern);
  CHECK(host.bench->b->last_call()->received_pattern() == near_pattern);
  CHECK(call->srtp_failures() == 0);
  call->hang_up();
  host.bench->run_s(1);
  host.check_records(2);
  CHECK(host.record(menu).media_caller.srtp_failures == 0);
}

TEST_CASE("Service T-17: a served caller may go on in another codec, and with more streams") {
  Host host;
  DialPlan plan;
  plan.formats = "0 101";
  auto call = host.call(plan);
  REQUIRE(host.tandem().play(host.id, {sound("tone:ringback/us"), true, false}).ok());
  host.bench->run_ms(300);
  CHECK(call->received_type() == 0);
  std::string sdp = call->local_sdp();
  for (std::size_t at = sdp.find("RTP/AVP 0"); at != std::string::npos; at = std::string::npos)
    sdp.replace(at, 9, "RTP/AVP 8");
  for (std::size_t at = sdp.find("a=rtpmap:0 PCMU"); at != std::string::npos;
       at = std::string::npos)
    sdp.replace(at, 15, "a=rtpmap:8 PCMA");
  sdp += "m=video 0 RTP/AVP 99\r\n";
  call->reinvite(sdp);
  host.bench->run_s(1);
  CHECK(call->count("reoffer 200") == 1);
  CHECK(call->received_type() == 8);
  CHECK(call->remote_sdp().find("m=video 0 ") != std::string::npos);
  REQUIRE(host.tandem().collect(host.id, keys(1, 1)).ok());
  host.press(*call, "3");
  CHECK(host.last() == "collected full 3");
  call->hang_up();
  host.bench->run_s(1);
  host.check_records(1);
}

TEST_CASE("Service T-17: nobody else hears a served caller, or is heard by it") {
  Host host;
  auto call = host.call();
  RawEndpoint* const stranger = *host.bench->world.add_raw_endpoint("10.0.66.7:4000");
  const std::string sdp = call->remote_sdp();
  const int port = std::atoi(sdp.c_str() + sdp.find("m=audio ") + 8);
  std::string packet("\x80\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x09", 12);
  packet.append(160, '\x11');
  for (int there = port - 20; there <= port + 20; there += 2) {
    if (there == port) continue;
    stranger->send(at("10.0.0.1:" + std::to_string(there)), packet);
  }
  host.bench->run_s(1);
  CHECK(call->received_pattern() != 0x11);
  CHECK(stranger->received().empty());
  REQUIRE(host.tandem().bridge(host.id, to(target)).ok());
  host.bench->run_s(2);
  CHECK(call->received_pattern() == far_pattern);
  call->hang_up();
  host.check_records(2);
}

TEST_CASE("Service T-17: early media that the caller has for certain is answered with the same") {
  SwitchConfig config = base_config();
  config.provision.customer_gateways[0].sip.rel100 = Rel100Mode::require;
  Host host(config, {.answers = false});
  DialPlan plan;
  plan.rel100 = true;
  bool is_early = true;
  SUBCASE("acknowledged before the answer") {}
  SUBCASE("answered before it is acknowledged") {
    is_early = false;
    host.bench->world.set_default_link({.delay_us = 30'000});
    host.on_report = [&](const ServiceReport& report) {
      if (report.what == ServiceReport::What::ready) CHECK(host.tandem().answer_call(host.id).ok());
    };
  }
  auto call = host.call(plan);
  if (is_early) {
    host.press(*call, "1");  // kept for later
    REQUIRE(host.tandem().answer_call(host.id).ok());
  }
  host.bench->run_s(1);
  CHECK(call->was_answered());
  CHECK(host.bench->a->sent("PRACK") == 1);
  REQUIRE(host.tandem().collect(host.id, keys(1, 2)).ok());
  host.press(*call, is_early ? "2" : "12");
  CHECK(host.last() == "collected full 12");
  REQUIRE(host.tandem().bridge(host.id, to(target)).ok());
  host.bench->run_s(2);
  CHECK(host.last() == "bridged");
  CHECK(call->received_pattern() == far_pattern);
  call->hang_up();
  host.check_records(2);
}
