// Calls on virtual time: a list of due times stands for the loop, so that a month of talk takes
// milliseconds.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "tandem/accounts.hpp"
#include "tandem/clock.hpp"

using namespace tandem;

namespace {

constexpr std::int64_t s = 1'000'000;
constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

Amount money(std::string_view text) { return Amount::parse(text).value(); }

Rate rate_of(const char* price, std::int64_t per_s, std::int64_t first_s, std::int64_t next_s) {
  Rate rate;
  rate.price = money(price);
  rate.per_s = per_s;
  rate.first_s = first_s;
  rate.next_s = next_s;
  return rate;
}

struct Calls {
  explicit Calls(const char* balance, const char* overdraft_limit = "0") {
    AccountSettings settings;
    settings.id = "acme";
    settings.overdraft_limit = money(overdraft_limit);
    account = book.provision(settings, money(balance)).value();
  }

  struct Call {
    CallMeter meter;
    std::int64_t answered_us = 0;
    std::int64_t due_us = never;
    std::int64_t hangup_us = never;
    std::int64_t talk_ms = -1;  ///< -1: still up.
    bool was_cut = false;
    std::int64_t covered_s = 0;
    Charge charge;
  };

  // Answered at once; the caller hangs up after `talk_us`.
  Call* dial(const Rate& rate, const FeeRules& rules, std::int64_t talk_us = never,
             const CallStart& start = {}) {
    CallAdmission admission =
        book.open_call(account, CallMeter::first_hold(rate, rules, start).value(), 0);
    if (!admission.ok()) return nullptr;
    calls.push_back(std::make_unique<Call>());
    Call& call = *calls.back();
    call.meter = CallMeter(rate, rules, std::move(admission.hold), start, advance_s);
    call.answered_us = now_us;
    call.hangup_us = talk_us == never ? never : now_us + talk_us;
    const MeterVerdict verdict = call.meter.start(now_us);
    REQUIRE(!verdict.must_end);
    call.due_us = verdict.check_us;
    return &call;
  }

  void end(Call& call) {
    call.talk_ms = (now_us - call.answered_us) / 1000;
    call.covered_s = call.meter.covered_s();
    call.charge = call.meter.finish(call.talk_ms);
    call.due_us = call.hangup_us = never;
  }

  void run_until(std::int64_t until_us) {
    for (;;) {
      Call* next = nullptr;
      for (const auto& call : calls) {
        if (call->talk_ms < 0 && (!next || wake(*call) < wake(*next))) next = call.get();
      }
      if (!next || wake(*next) > until_us) break;
      now_us = std::max(now_us, wake(*next));
      if (next->hangup_us <= now_us) {
        end(*next);
        continue;
      }
      now_us += late_us
                    ? static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(late_us)))
                    : 0;
      const MeterVerdict verdict = next->meter.on_timer(now_us);
      next->due_us = verdict.check_us;
      if (verdict.must_end) {
        next->was_cut = true;
        end(*next);
      }
    }
    now_us = std::max(now_us, until_us);
  }

  static std::int64_t wake(const Call& call) { return std::min(call.due_us, call.hangup_us); }

  AccountBook book;
  AccountHandle account;
  std::vector<std::unique_ptr<Call>> calls;
  SeededRandom random{3};
  std::int64_t now_us = 1000 * s;
  std::int64_t late_us = 0;    ///< Timers come up to this late.
  std::int64_t advance_s = 0;  ///< What each call holds ahead (B-11).
};

}  // namespace

TEST_CASE("CallMeter: B-11 a call by the second ends in the second its money ends") {
  Calls calls("0.37");
  const Rate rate = rate_of("0.60", 60, 1, 1);
  Calls::Call* call = calls.dial(rate, {});
  REQUIRE(call);
  CHECK(call->meter.held() == money("0.10"));  // ten seconds ahead, not all there is
  CHECK(calls.book.usable(calls.account) == money("0.27"));
  calls.run_until(calls.now_us + 100 * s);
  CHECK(call->was_cut);
  CHECK(call->talk_ms == 37'000);
  CHECK(call->charge.charge == money("0.37"));
  CHECK(call->charge.billed_time_s == 37);
  CHECK(calls.book.balance(calls.account) == Amount{});
}

TEST_CASE("CallMeter: with 60/60 a call talks to the end of its last paid minute") {
  Calls calls("1.50", "0.20");
  const Rate rate = rate_of("0.60", 60, 60, 60);
  Calls::Call* call = calls.dial(rate, {});
  REQUIRE(call);
  CHECK(call->meter.held() == money("0.60"));
  calls.run_until(calls.now_us + 300 * s);
  CHECK(call->was_cut);
  CHECK(call->talk_ms == 120'000);
  CHECK(call->charge.charge == money("1.20"));
  CHECK(calls.book.balance(calls.account) == money("0.30"));
  CHECK(calls.book.usable(calls.account) == money("0.50"));
}

TEST_CASE("CallMeter: a call that ends early gives back what it held ahead") {
  Calls calls("10.00");
  const Rate rate = rate_of("0.60", 60, 1, 1);
  Calls::Call* call = calls.dial(rate, {}, 3'049'000);  // B-08: 3 seconds
  calls.run_until(calls.now_us + 10 * s);
  CHECK(!call->was_cut);
  CHECK(call->charge.charge == money("0.03"));
  CHECK(calls.book.balance(calls.account) == money("9.97"));
  CHECK(calls.book.usable(calls.account) == money("9.97"));
  CHECK(call->meter.finish(5000) == Charge{});  // once
}

TEST_CASE("CallMeter: parallel calls share the money to the last second and never pass it") {
  Calls calls("1.00");
  const Rate rate = rate_of("0.60", 60, 1, 1);
  for (int i = 0; i < 7; ++i)
    REQUIRE(calls.dial(rate, {}));
  calls.run_until(calls.now_us + 1000 * s);
  std::int64_t total_ms = 0;
  Amount sum;
  for (const auto& call : calls.calls) {
    CHECK(call->was_cut);
    total_ms += call->talk_ms;
    sum = Amount::add(sum, call->charge.charge).value();
  }
  CHECK(total_ms == 100'000);  // 100 seconds of 0.01
  CHECK(sum == money("1.00"));
  CHECK(calls.book.balance(calls.account) == Amount{});
  CHECK(!calls.dial(rate, {}));
}

TEST_CASE("CallMeter: a payment in the last seconds keeps the call up") {
  Calls calls("0.05");
  const Rate rate = rate_of("0.60", 60, 1, 1);
  Calls::Call* call = calls.dial(rate, {});
  calls.run_until(calls.now_us + 4 * s);
  REQUIRE(calls.book.pay(calls.account, money("0.10")).ok());
  calls.run_until(calls.now_us + 100 * s);
  CHECK(call->was_cut);
  CHECK(call->talk_ms == 15'000);
}

TEST_CASE("CallMeter: B-09 free time is talked without money and then the money ends") {
  Calls calls("0.02");
  FeeRules rules;
  rules.free_time_s = 30;
  const Rate rate = rate_of("0.60", 60, 1, 1);
  Calls::Call* call = calls.dial(rate, rules);
  calls.run_until(calls.now_us + 100 * s);
  CHECK(call->talk_ms == 32'000);
  CHECK(call->charge.charge == money("0.02"));
}

TEST_CASE(
    "CallMeter: B-08 whatever the threshold, a cut call is billed the second its money ended in") {
  for (const int precision_ms : {1, 5, 19, 20, 50, 500, 1000}) {
    CAPTURE(precision_ms);
    Calls calls("0.37");
    calls.late_us = 15'000;
    FeeRules rules;
    rules.hold_time_precision_ms = precision_ms;
    const Rate rate = rate_of("0.60", 60, 1, 1);
    Calls::Call* call = calls.dial(rate, rules);
    calls.run_until(calls.now_us + 100 * s);
    CHECK(call->was_cut);
    CHECK(billable_seconds(call->talk_ms, rules) == 37);
    CHECK(call->charge.charge == money("0.37"));
  }
}

TEST_CASE("CallMeter: a timer that comes late never bills beyond the money") {
  Calls calls("0.37");
  const Rate rate = rate_of("0.60", 60, 1, 1);
  Calls::Call* call = calls.dial(rate, {});
  calls.now_us += 500 * s;
  const MeterVerdict verdict = call->meter.on_timer(calls.now_us);
  CHECK(verdict.must_end);
  calls.end(*call);
  CHECK(call->charge.charge == money("0.10"));  // what it had held
  CHECK(calls.book.balance(calls.account) == money("0.27"));

  // A little late and money there: the talked time is billed.
  call = calls.dial(rate, {});
  calls.now_us += 12 * s;
  CHECK(!call->meter.on_timer(calls.now_us).must_end);
  calls.end(*call);
  CHECK(call->charge.charge == money("0.12"));
}

TEST_CASE(
    "CallMeter: a free destination, an unpaid call and an unanswered call need no timer and no "
    "money") {
  Calls calls("0.01");
  const Rate rate = rate_of("0", 60, 1, 1);
  Calls::Call* call = calls.dial(rate, {}, 86'400 * s);
  CHECK(call->due_us == never);
  calls.run_until(calls.now_us + 90'000 * s);
  CHECK(call->charge.charge == Amount{});
  CHECK(call->charge.billed_time_s == 86'400);

  CallMeter nobody;
  CHECK(nobody.start(0).check_us == never);
  CHECK(nobody.finish(1000) == Charge{});

  const Rate paid = rate_of("0.60", 60, 1, 1);
  CallMeter ringing(paid, {}, calls.book.open_call(calls.account, money("0.01"), 0).hold);
  CHECK(calls.book.usable(calls.account) == Amount{});
  ringing.cancel();
  CHECK(calls.book.usable(calls.account) == money("0.01"));
}

TEST_CASE("CallMeter: a rate too large for an amount is refused before the call, or ends it") {
  Rate rate = rate_of("20000000000", 1, 1, 1);
  CHECK(CallMeter::first_hold(rate, {}).ok());
  rate.per_s = 1;
  rate.first_s = 60;
  CHECK(CallMeter::first_hold(rate, {}).error().code == ErrorCode::limit);
}

TEST_CASE(
    "CallMeter: random tariffs, calls and late timers never pass what is usable and always end") {
  SeededRandom random(99);
  for (int round = 0; round < 300; ++round) {
    CAPTURE(round);
    Calls calls("0.50", "0.25");
    calls.late_us = static_cast<std::int64_t>(random.below(2)) * 15'000;
    calls.advance_s = 60 * static_cast<std::int64_t>(random.below(4));
    std::vector<std::unique_ptr<Rate>> rates;
    FeeRules rules;
    rules.precision = static_cast<int>(random.below(7)) + 2;
    rules.rounding = static_cast<FeeRounding>(random.below(4));
    rules.hold_time_precision_ms = static_cast<int>(random.below(1000)) + 1;
    rules.free_time_s = random.below(3) == 0 ? static_cast<std::int64_t>(random.below(20)) : 0;
    for (int i = 0; i < 12; ++i) {
      rates.push_back(std::make_unique<Rate>());
      Rate& rate = *rates.back();
      rate.price =
          Amount::from_units(static_cast<std::int64_t>(random.below(30'000'000) + 2'000'000));
      rate.first_s = static_cast<std::int64_t>(random.below(2) ? 1 : random.below(60) + 1);
      rate.next_s = static_cast<std::int64_t>(random.below(2) ? 1 : random.below(60) + 1);
      if (random.below(3) == 0)
        rate.connection_fee =
            Amount::from_units(static_cast<std::int64_t>(random.below(5'000'000)));
      if (random.below(3) == 0)
        rate.minimum = Amount::from_units(static_cast<std::int64_t>(random.below(9'000'000)));
      if (random.below(4) == 0) rate.sections = {{money("0.02"), 15}, {money("0.01"), 0}};
      (void)calls.dial(
          rate, rules,
          random.below(2) ? never : static_cast<std::int64_t>(random.below(90'000'000)));
      calls.run_until(calls.now_us + static_cast<std::int64_t>(random.below(9'000'000)));
      REQUIRE(!calls.book.usable(calls.account).is_negative());
    }
    calls.run_until(calls.now_us + 10'000 * s);
    Amount sum;
    for (const auto& call : calls.calls) {
      REQUIRE(call->talk_ms >= 0);
      sum = Amount::add(sum, call->charge.charge).value();
      const Charge full = rate_call(*call->meter.rate(), call->talk_ms, rules).value();
      if (!call->was_cut || rules.hold_time_precision_ms >= 20) REQUIRE(call->charge == full);
      REQUIRE(call->charge.charge <= full.charge);
    }
    REQUIRE(sum <= money("0.75"));
    REQUIRE(calls.book.balance(calls.account) == Amount::subtract(money("0.50"), sum).value());
    REQUIRE(calls.book.state(calls.account)->held == Amount{});
  }
}

TEST_CASE("CallMeter: B-11 an advance is held all the time, and then money to its last second") {
  Calls calls("2.00");
  calls.advance_s = 60;
  const Rate rate = rate_of("0.60", 60, 1, 1);
  Calls::Call* call = calls.dial(rate, {});
  REQUIRE(call);
  CHECK(call->meter.held() == money("0.60"));
  for (int second = 0; second < 135; ++second) {
    calls.run_until(calls.now_us + 1 * s);
    const std::int64_t talked_s = (calls.now_us - call->answered_us) / s;
    const std::int64_t ahead_units = call->meter.held().units() - talked_s * 1'000'000;
    CHECK(ahead_units >= money("0.54").units());  // 60 s less the step, and the second of now
    CHECK(ahead_units <= money("0.60").units());
  }
  calls.run_until(calls.now_us + 1000 * s);
  CHECK(call->was_cut);
  CHECK(call->talk_ms == 200'000);
  CHECK(call->charge.charge == money("2.00"));
}

TEST_CASE("CallMeter: B-11 an advance that nobody has left does not refuse what can be paid") {
  Calls calls("0.65");
  calls.advance_s = 60;
  const Rate rate = rate_of("0.60", 60, 1, 1);
  Calls::Call* rich = calls.dial(rate, {});
  REQUIRE(rich);
  CHECK(rich->meter.held() == money("0.60"));
  Calls::Call* poor = calls.dial(rate, {});  // 0.05 is left: five seconds
  REQUIRE(poor);
  CHECK(poor->meter.held() == money("0.05"));
  CHECK(calls.dial(rate, {}) == nullptr);
  calls.run_until(calls.now_us + 1000 * s);
  CHECK(Amount::add(rich->charge.charge, poor->charge.charge).value() == money("0.65"));
}

TEST_CASE("CallMeter: B-11 a price that rises in a later window is held for before it is due") {
  Rate rate = rate_of("0.01", 1, 1, 1);
  RateTerms terms;
  terms.windows = parse_windows("any 18:00-24:00 price=0.10").value();
  rate.terms = terms;
  CallStart start{parse_time_us("2026-03-02T17:59:50Z").value(),
                  RateSchedule::parse("split").value()};
  Calls calls("0.50");
  Calls::Call* call = calls.dial(rate, {}, never, start);
  REQUIRE(call);
  calls.run_until(calls.now_us + 100 * s);
  CHECK(call->was_cut);
  CHECK(call->charge.charge == money("0.50"));  // 10 * 0.01 + 4 * 0.10
  CHECK(call->charge.billed_time_s == 14);

  // Not split, the price of the start holds.
  start.schedule = RateSchedule();
  Calls whole("0.50");
  call = whole.dial(rate, {}, never, start);
  REQUIRE(call);
  whole.run_until(whole.now_us + 100 * s);
  CHECK(call->charge.billed_time_s == 50);
}

TEST_CASE("CallMeter: B-11 a call of free days is ended in the second its money ends") {
  Rate rate = rate_of("0", 1, 1, 1);
  RateTerms terms;
  terms.windows = parse_windows("mon 18:00-19:00 price=0.10").value();
  rate.terms = terms;
  // Tuesday: six days less six hours are free.
  const CallStart start{parse_time_us("2026-03-03T00:00:00Z").value(),
                        RateSchedule::parse("split").value()};
  Calls calls("0.30");
  Calls::Call* call = calls.dial(rate, {}, never, start);
  REQUIRE(call);
  CHECK(call->meter.held().is_zero());
  constexpr std::int64_t free_s = 6 * 86'400 + 18 * 3'600;
  calls.run_until(calls.now_us + (free_s - 1) * s);
  CHECK(call->talk_ms < 0);
  calls.run_until(calls.now_us + 100 * s);
  CHECK(call->was_cut);
  CHECK(call->charge.charge == money("0.30"));
  CHECK(call->charge.billed_time_s == free_s + 3);
}

TEST_CASE("CallMeter: B-11 parallel calls over a rise of the price never overspend") {
  Rate rate = rate_of("0.01", 1, 1, 1);
  RateTerms terms;
  terms.windows = parse_windows("any 18:00-24:00 price=0.10 next_s=7").value();
  terms.tiers = parse_tiers("20:0.02").value();
  rate.terms = terms;
  Calls calls("3.00");
  calls.late_us = 60'000;
  for (int i = 0; i < 12; ++i) {
    const std::int64_t start_us = parse_time_us("2026-03-02T17:59:40Z").value() + i * s;
    (void)calls.dial(rate, {}, never, {start_us, RateSchedule::parse("split").value()});
    calls.run_until(calls.now_us + s);
  }
  calls.run_until(calls.now_us + 1000 * s);
  Amount sum;
  for (const auto& call : calls.calls) {
    CHECK(call->was_cut);
    sum = Amount::add(sum, call->charge.charge).value();
  }
  CHECK(sum <= money("3.00"));
  CHECK(calls.book.balance(calls.account) == Amount::subtract(money("3.00"), sum).value());
}

TEST_CASE("CallMeter M-14: how far a call can go is known ahead, and follows money and limits") {
  Calls calls("1.00");
  const Rate rate = rate_of("0.60", 60, 1, 1);
  Calls::Call* one = calls.dial(rate, {});
  REQUIRE(one);
  CHECK(one->meter.reachable_s() == 100);
  CHECK(one->meter.covered_s() < 100);
  calls.run_until(calls.now_us + 40 * s);
  CHECK(one->meter.reachable_s() == 100);
  // What another call holds is gone.
  Calls::Call* other = calls.dial(rate, {});
  REQUIRE(other);
  CHECK(one->meter.reachable_s() < 100);
  calls.end(*other);
  CHECK(one->meter.reachable_s() == 100);
  REQUIRE(calls.book.pay(calls.account, money("0.50")).ok());
  CHECK(one->meter.reachable_s() == 150);
  calls.run_until(calls.now_us + 200 * s);
  CHECK(one->was_cut);
  CHECK(one->talk_ms == 150'000);

  REQUIRE(calls.book.pay(calls.account, money("0.50")).ok());
  const Rate free_rate = rate_of("0", 60, 1, 1);
  Calls::Call* free_call = calls.dial(free_rate, {});
  REQUIRE(free_call);
  CHECK(free_call->meter.reachable_s() == rated_time_max_s);
  CHECK(CallMeter().reachable_s() == rated_time_max_s);
}

TEST_CASE("CallMeter: before the answer it is foreseen what the hold and the account pay for") {
  Calls calls("1.00", "0.20");
  const Rate rate = rate_of("0.60", 60, 1, 1);
  const auto seconds = [&](const MoneyHold& hold) {
    return CallMeter::reachable_s(rate, FeeRules(), CallStart(), hold, PackageHold(), LimitHold());
  };
  const auto first = CallMeter::first_hold(rate, FeeRules()).value();
  auto mine = calls.book.open_call(calls.account, first, 0);
  REQUIRE(mine.ok());
  CHECK(seconds(mine.hold) == 120);  // 1.20 at 0.01 a second, the held one among them
  auto other = calls.book.open_call(calls.account, money("0.50"), 0);
  REQUIRE(other.ok());
  CHECK(seconds(mine.hold) == 70);
  CHECK(seconds(MoneyHold()) == rated_time_max_s);
}

TEST_CASE("CallMeter: what is left of the money is what talk has not cost and nobody else holds") {
  Calls calls("1.00");
  const Rate rate = rate_of("0.60", 60, 1, 1);
  Calls::Call* one = calls.dial(rate, {});
  REQUIRE(one);
  CHECK(one->meter.remaining_money(0) == money("1.00"));
  calls.run_until(calls.now_us + 40 * s);
  CHECK(one->meter.remaining_money(39'500) == money("0.60"));  // 40 seconds begun
  CHECK(one->meter.remaining_money(40'000) == money("0.60"));
  CHECK(one->meter.remaining_money(200'000) == Amount());
  CHECK(CallMeter().remaining_money(0).units() == INT64_MAX);
}
