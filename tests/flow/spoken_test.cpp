// M-14: who calls hears how long it can talk, or what money it has, before it is connected and
// before the end.
#include <string>
#include <vector>

#include "flow/flow.hpp"
#include "support/voice_folder.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

constexpr std::uint8_t alaw = 8;
constexpr int far_pattern = 0x2A, near_pattern = 0xD5;
using Names = std::vector<std::string>;

std::string line(const Names& names) {
  std::string text;
  for (const std::string& name : names)
    text += (text.empty() ? "" : " ") + name;
  return text;
}

CustomerGateway& cust(SwitchConfig& config) { return config.provision.customer_gateways[0]; }

/// A switch with the voice "en", its only customer announcing `what`.
SwitchConfig speaking(const tandem::test::VoiceFolder& folder, std::string_view balance,
                      Remaining what) {
  SwitchConfig config = base_config();
  config.provision.accounts[0].balance = money(balance);
  config.provision.voices = {{"en", folder.path(), {}}};
  config.parameters.language = "en";
  cust(config).announce_remaining = what;
  return config;
}

struct Talk : Bench {
  explicit Talk(SwitchConfig settings, SwitchHooks host = {})
      : Bench(std::move(settings), {}, std::move(host)) {
    AnswerPlan answer;
    answer.formats = "8 101";
    answer.rtp_type = alaw;
    answer.rtp_pattern = far_pattern;
    answer.send_rtp = true;
    b->set_plan(answer);
  }
  static DialPlan plan() {
    DialPlan dial;
    dial.formats = "8 101";
    dial.rtp_type = alaw;
    dial.rtp_pattern = near_pattern;
    dial.send_rtp = true;
    return dial;
  }
  /// What `call` hears of the voice within `ms`, in its order.
  static Names heard(Bench& bench, const tandem::test::VoiceFolder& folder,
                     const EndpointCall& call, int ms) {
    Names names;
    std::string last;
    for (; ms > 0; ms -= 20) {
      bench.run_ms(20);
      const std::string name = folder.name_of(call.received_pattern());
      if (!name.empty() && name != last) names.push_back(name);
      last = name;
    }
    return names;
  }
};

const tandem::test::VoiceFolder& voice() {
  static const tandem::test::VoiceFolder folder(SpokenGrammar::built_in("en").value());
  return folder;
}

}  // namespace

TEST_CASE("Spoken M-14: a caller hears how long it can talk, and is connected behind that") {
  SwitchConfig config = speaking(voice(), "23.45", Remaining::minutes);  // 2,345 s
  Names expected{"vm-youhave", "digits/30", "digits/9", "minutes"};
  SUBCASE("as its gateway says") {}
  SUBCASE("as the parameter says") {
    cust(config).announce_remaining.reset();
    config.parameters.announce_remaining = Remaining::minutes;
  }
  SUBCASE("no longer than its longest call") {
    cust(config).max_call_s = MaxCallDuration{125, 200};
    expected = {"vm-youhave", "digits/2", "minutes"};
  }
  SUBCASE("with all of its setup time behind that") { cust(config).sip.setup_timeout_s = 1; }
  SUBCASE("in seconds when it is less than a minute") {
    config.provision.accounts[0].balance = money("0.45");
    expected = {"vm-youhave", "digits/40", "digits/5", "seconds"};
  }
  Talk bench(config);
  auto call = bench.dial(Talk::plan());
  const int ms = 200 * static_cast<int>(expected.size());
  const Names first = Talk::heard(bench, voice(), *call, ms);
  CHECK(bench.b->last_call() == nullptr);  // nobody is called meanwhile
  CHECK(call->count("183 sdp") == 1);
  CHECK_FALSE(call->was_answered());
  Names all = first;
  for (const std::string& name : Talk::heard(bench, voice(), *call, 600)) {
    if (all.empty() || all.back() != name) all.push_back(name);
  }
  CHECK(line(all) == line(expected));
  bench.run_s(2);
  REQUIRE(call->was_answered());
  CHECK(call->received_pattern() == far_pattern);
  CHECK(bench.b->last_call()->received_pattern() == near_pattern);
  call->hang_up();
  const Cdr& cdr = bench.only_cdr();
  CHECK(cdr.end_reason == Reason::NormalCallClearing);
  CHECK(cdr.talk_time_ms < 3'000);  // what is announced is not paid for
  CHECK(cdr.pdd_ms < 100);          // nor does the vendor answer for it
  CHECK(cdr.attempts.size() == 1);
}

TEST_CASE("Spoken M-14: a caller hears what money it has, rounded down") {
  Names expected{"vm-youhave", "digits/12", "digits/dollars", "vm-and", "digits/50", "cents"};
  std::string balance = "12.509";
  SUBCASE("with what it may owe besides") { balance = "10.509"; }
  SUBCASE("of its balance alone") {}
  SwitchConfig config = speaking(voice(), balance, Remaining::amount);
  if (balance == "10.509") config.provision.accounts[0].overdraft_limit = money("2");
  Talk bench(config);
  auto call = bench.dial(Talk::plan());
  CHECK(line(Talk::heard(bench, voice(), *call, 2'000)) == line(expected));
  bench.run_s(1);
  CHECK(call->was_answered());
  call->hang_up();
  bench.run_s(1);
}

TEST_CASE("Spoken M-14: nothing is said where nothing is limited, and the call goes on at once") {
  SwitchConfig config = speaking(voice(), "5.00", Remaining::minutes);
  DialPlan plan = Talk::plan();
  SUBCASE("the number costs nothing") { config.provision.rate_decks[0] = deck("retail", "0"); }
  SUBCASE("nobody looks at what the customer has (B-28)") {
    config.parameters.verify_customer_balance = false;
    cust(config).announce_remaining = Remaining::amount;
  }
  SUBCASE("its gateway says none") { cust(config).announce_remaining = Remaining::none; }
  SUBCASE("media goes past the switch") { cust(config).media = MediaMode::off; }
  SUBCASE("a description would be its answer for good") {
    cust(config).sip.rel100 = Rel100Mode::require;
    plan.rel100 = true;
  }
  Talk bench(config);
  auto call = bench.dial(plan);
  bench.run_ms(500);
  CHECK(call->was_answered());
  CHECK(call->count("183 sdp") == 0);
  call->hang_up();
  bench.run_s(1);
}

TEST_CASE("Spoken M-14: a call that ends while something is said has one record and calls nobody") {
  Talk bench(speaking(voice(), "5.00", Remaining::minutes));
  auto call = bench.dial(Talk::plan());
  bench.run_ms(300);
  Reason expected = Reason::CallerCancel;
  SUBCASE("the caller gives up") { call->cancel(); }
  SUBCASE("it is ended by the operator") {
    const auto calls = bench.tandem->calls();
    REQUIRE(calls.size() == 1);
    REQUIRE(bench.tandem->disconnect(calls[0].id).ok());
    expected = Reason::AdminDisconnect;
  }
  bench.run_s(5);
  CHECK(call->is_over());
  const Cdr& cdr = bench.only_cdr();
  CHECK(cdr.end_reason == expected);
  CHECK(cdr.attempts.empty());
  CHECK(bench.b->last_call() == nullptr);
  CHECK(bench.balance() == money("5.00"));
}

TEST_CASE("Spoken M-14: when every vendor fails behind it the caller gets its status") {
  SwitchConfig config = speaking(voice(), "5.00", Remaining::minutes);
  Talk bench(config);
  bench.b->set_plan(refuse(486));
  auto call = bench.dial(Talk::plan());
  bench.run_s(5);
  CHECK(call->status() == 486);
  CHECK(bench.only_cdr().end_reason == Reason::CalleeBusy);
}

TEST_CASE("Spoken M-14: a missing file is an alarm by its path, and says nothing of that number") {
  tandem::test::VoiceFolder folder(SpokenGrammar::built_in("en").value());
  folder.remove("digits/5");
  folder.remove("seconds");
  std::vector<std::string> alarms;
  SwitchHooks hooks;
  hooks.on_event = [&alarms](const Event& event) {
    if (event.kind == Event::Kind::alarm) alarms.push_back(event.text);
  };
  SwitchConfig config = speaking(folder, "5.00", Remaining::minutes);  // 5 minutes
  ReminderConfig reminder;
  reminder.sound = "tone:warning";
  reminder.before_s = 15;
  reminder.says = Remaining::minutes;
  cust(config).reminder = reminder;
  cust(config).max_call_s = MaxCallDuration{300, 300};
  Talk bench(config, hooks);
  bench.run_s(2);
  REQUIRE(alarms.size() == 2);
  CHECK(alarms[0] ==
        "voice \"en\": sound file \"" + folder.path() + "/digits/5.wav\" was not there");
  CHECK(alarms[1] ==
        "voice \"en\": sound file \"" + folder.path() + "/seconds.wav\" was not there");
  config.parameters.reminder_before_s = 90;
  REQUIRE(bench.tandem->reload(config).ok());
  CHECK(alarms.size() == 2);  // not with every change
  auto call = bench.dial(Talk::plan());
  bench.run_ms(500);
  CHECK(call->was_answered());  // nothing was announced
  bench.run_s(280);
  bool heard_tone = false;
  for (int i = 0; i < 400; ++i) {
    bench.run_ms(20);
    CHECK(folder.name_of(call->received_pattern()).empty());
    heard_tone = heard_tone || (call->received_pattern() != far_pattern);
  }
  CHECK(heard_tone == true);
  call->hang_up();
  bench.run_s(1);
}

TEST_CASE("Spoken M-14: the reminder says what is left, the money to who pays alone") {
  SwitchConfig config = speaking(voice(), "1.00", Remaining::none);  // 100 s
  ReminderConfig reminder;
  reminder.sound = "tone:warning";
  reminder.before_s = 30;
  reminder.to = Hearers::both;
  Names near{"vm-youhave", "digits/30", "seconds"};
  const Names far = near;
  SUBCASE("time") { reminder.says = Remaining::minutes; }
  SUBCASE("money") {
    reminder.says = Remaining::amount;
    // Of a second that has begun the money is spent.
    near = {"vm-youhave", "digits/0", "digits/dollars", "vm-and", "digits/20", "digits/9", "cents"};
  }
  SUBCASE("twice") {
    reminder.says = Remaining::minutes;
    reminder.times = 2;
    near.insert(near.end(), far.begin(), far.end());
  }
  SUBCASE("of the account") {
    reminder.says = Remaining::minutes;
    config.provision.accounts[0].reminder = reminder;
  }
  if (!config.provision.accounts[0].reminder) cust(config).reminder = reminder;
  Talk bench(config);
  auto call = bench.connect(Talk::plan());
  const auto other = bench.b->last_call();
  bench.run_s(66);
  Names heard, by_callee;
  std::string last, last_of_callee;
  for (int i = 0; i < 500; ++i) {
    bench.run_ms(20);
    const std::string name = voice().name_of(call->received_pattern());
    const std::string of_callee = voice().name_of(other->received_pattern());
    if (!name.empty() && name != last) heard.push_back(name);
    if (!of_callee.empty() && of_callee != last_of_callee) by_callee.push_back(of_callee);
    last = name;
    last_of_callee = of_callee;
  }
  CHECK(line(heard) == line(near));
  if (reminder.times == 2) by_callee.resize(by_callee.size() / 2);
  CHECK(line(by_callee) == line(far));
  CHECK(call->received_pattern() == far_pattern);
  call->hang_up();
  bench.run_s(1);
}
