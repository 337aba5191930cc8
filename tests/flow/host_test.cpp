// What a host hears of calls and decides about them.
#include <memory>
#include <string>
#include <vector>

#include "flow/flow.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

TEST_CASE("Host: events of a call come in order, the last one with the record (A-05)") {
  std::vector<Event> events;
  SwitchHooks hooks;
  hooks.on_event = [&](const Event& event) { events.push_back(event); };
  Bench bench(base_config(), {}, hooks);
  bench.b->set_plan(answer_after(second_us));
  auto call = bench.connect();
  call->hang_up();
  bench.only_cdr();
  REQUIRE(events.size() == 4);
  CHECK(events[0].kind == Event::Kind::call_started);
  CHECK(events[1].kind == Event::Kind::call_ringing);
  CHECK(events[2].kind == Event::Kind::call_answered);
  CHECK(events[3].kind == Event::Kind::call_ended);
  CHECK(events[2].call.vendor_gateway == "v1");
  REQUIRE(events[3].cdr.has_value());
  CHECK(events[3].cdr->call_id == call->call_id());
  CHECK(events[3].cdr->end_reason == Reason::NormalCallClearing);
}

namespace {

/// A switch whose policy hook gives `answer` after `delay_us`; below 0: never.
struct PolicyBench {
  std::unique_ptr<Bench> bench;
  std::vector<PolicyQuestion> questions;

  PolicyBench(SwitchConfig config, const PolicyAnswer& answer, bool answers_at_once = true,
              PolicyAnswer by_default = {}) {
    SwitchHooks hooks;
    hooks.policy_deadline_us = 300'000;
    hooks.policy_default = std::move(by_default);
    hooks.on_policy = [this, answer, answers_at_once](const PolicyQuestion& question) {
      questions.push_back(question);
      if (answers_at_once) bench->tandem->answer(question.token, answer);
    };
    bench = std::make_unique<Bench>(std::move(config), WorldOptions{}, hooks);
  }
};

}  // namespace

TEST_CASE("Host: a policy hook changes the numbers that are routed and billed") {
  PolicyAnswer answer;
  answer.caller = "4999";
  answer.callee = "33140";
  PolicyBench policy(base_config(), answer);
  Bench& bench = *policy.bench;
  auto call = bench.connect();
  CHECK(bench.b->last_call()->callee() == "33140");
  CHECK(bench.b->last_call()->caller() == "4999");
  call->hang_up();
  const Cdr& cdr = bench.only_cdr();
  CHECK(cdr.callee_in == "442079460000");
  CHECK(cdr.callee == "33140");
  REQUIRE(policy.questions.size() == 1);
  CHECK(policy.questions[0].callee == "442079460000");
  CHECK(policy.questions[0].customer_gateway == "cust");
  CHECK(policy.questions[0].account == "acme");
  CHECK(policy.questions[0].call_id == call->call_id());
}

TEST_CASE("Host: a policy hook refuses with the status it wants") {
  PolicyAnswer answer;
  answer.allow = false;
  answer.sip_status = 480;
  PolicyBench policy(base_config(), answer);
  auto call = policy.bench->dial();
  const Cdr& cdr = policy.bench->only_cdr();
  CHECK(call->status() == 480);
  CHECK(cdr.end_reason == Reason::NoCallPermission);
  CHECK(policy.bench->b->received("INVITE") == 0);
}

TEST_CASE("Host: a policy hook chooses the vendors and their order") {
  PolicyAnswer answer;
  answer.vendor_gateways = {"v3", "nobody", "v1"};
  PolicyBench policy(base_config(3), answer);
  Bench& bench = *policy.bench;
  bench.vendors[2]->set_plan(refuse(503));
  auto call = bench.connect();
  call->hang_up();
  const Cdr& cdr = bench.only_cdr();
  REQUIRE(cdr.attempts.size() == 2);
  CHECK(cdr.attempts[0].vendor_gateway == "v3");
  CHECK(cdr.attempts[1].vendor_gateway == "v1");
}

TEST_CASE("Host: the default holds at the deadline, and a late answer changes nothing") {
  PolicyAnswer late;
  late.allow = false;
  PolicyBench policy(base_config(), late, false);
  Bench& bench = *policy.bench;
  auto call = bench.dial();
  bench.run_ms(250);
  CHECK(bench.b->received("INVITE") == 0);
  REQUIRE(policy.questions.size() == 1);
  bench.run_ms(100);
  CHECK(call->was_answered());
  bench.tandem->answer(policy.questions[0].token, late);
  bench.tandem->answer(12345, late);
  bench.run_s(1);
  CHECK_FALSE(call->is_over());
  call->hang_up();
  CHECK(bench.only_cdr().end_reason == Reason::NormalCallClearing);
}

TEST_CASE("Host: a default that refuses holds too, and a caller may give up while asked") {
  PolicyAnswer no;
  no.allow = false;
  no.sip_status = 503;
  {
    PolicyBench policy(base_config(), {}, false, no);
    auto call = policy.bench->dial();
    policy.bench->only_cdr();
    CHECK(call->status() == 503);
  }
  PolicyBench policy(base_config(), {}, false, no);
  DialPlan dial;
  dial.cancel_after_us = 100'000;
  policy.bench->dial(dial);
  CHECK(policy.bench->only_cdr().end_reason == Reason::CallerCancel);
}

namespace {

/// Takes nothing while it is down.
struct WaveringSink final : CdrSink {
  bool is_down = true;
  std::vector<std::uint64_t> taken;
  Result<void> write(const Cdr& cdr) override {
    if (is_down) return Error{ErrorCode::io, "sink was down"};
    taken.push_back(cdr.record_id);
    return {};
  }
  Result<void> flush() override { return {}; }
};

}  // namespace

TEST_CASE("Host: from four fifths of what may wait for a sink on an alarm is raised, once (C-07)") {
  const auto sink = std::make_shared<WaveringSink>();
  std::vector<std::string> alarms;
  SwitchHooks hooks;
  hooks.cdr_sinks = {sink};
  hooks.on_event = [&](const Event& event) {
    if (event.kind == Event::Kind::alarm && event.text.find("waiting") != std::string::npos)
      alarms.push_back(event.text);
  };
  SwitchConfig config = base_config();
  config.parameters.cdr_pending_max = 50;
  SUBCASE("an alarm, and one when it is over") {}
  SUBCASE("nobody wants one") { config.parameters.cdr_pending_max = 0; }
  Bench bench(config, {}, hooks);
  bench.b->set_plan(refuse(404));
  const auto make_calls = [&](int count) {
    for (int i = 0; i < count; ++i) {
      (void)bench.dial();
      bench.run_s(1);
    }
  };
  make_calls(10);
  CHECK(alarms.empty());
  make_calls(40);  // none is refused
  CHECK(bench.b->last_call() != nullptr);
  if (config.parameters.cdr_pending_max == 0) {
    CHECK(alarms.empty());
  } else {
    REQUIRE(alarms.size() == 1);
    CHECK(alarms[0].starts_with("sink host-sink-"));
    CHECK(alarms[0].find(" records waiting for it, of 50") != std::string::npos);
  }
  sink->is_down = false;
  bench.run_s(30);
  CHECK(alarms.size() == (config.parameters.cdr_pending_max == 0 ? 0 : 2));
  if (alarms.size() == 2) CHECK(alarms[1].find(" caught up, has ") != std::string::npos);
}

TEST_CASE("Host: a sink that fails raises an alarm, holds up no call and gets all records later") {
  const auto sink = std::make_shared<WaveringSink>();
  std::vector<std::string> alarms;
  SwitchHooks hooks;
  hooks.cdr_sinks = {sink};
  hooks.on_event = [&](const Event& event) {
    if (event.kind == Event::Kind::alarm && event.text.starts_with("sink "))
      alarms.push_back(event.text);
  };
  Bench bench(base_config(), {}, hooks);
  for (int i = 0; i < 3; ++i) {
    auto call = bench.connect();
    bench.run_s(5);
    call->hang_up();
    bench.run_s(5);
  }
  REQUIRE(alarms.size() == 1);  // (O-03)
  CHECK(alarms[0].starts_with("sink host-sink-"));
  CHECK(alarms[0].ends_with(" fails: sink was down"));
  CHECK(sink->taken.empty());
  sink->is_down = false;
  bench.run_s(30);
  REQUIRE(alarms.size() == 2);
  CHECK(alarms[1].ends_with(" works again"));
  std::vector<std::uint64_t> wanted;
  for (const Cdr& cdr : bench.world.cdrs())
    wanted.push_back(cdr.record_id);
  CHECK(wanted.size() == 3);
  CHECK(sink->taken == wanted);
  bench.check_clean();
}
