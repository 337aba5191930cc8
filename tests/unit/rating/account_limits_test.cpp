#include "tandem/account_limits.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "rating/limit_set.hpp"
#include "tandem/accounts.hpp"
#include "tandem/clock.hpp"

using namespace tandem;

namespace {

constexpr std::int64_t s = 1'000'000;

Amount money(std::string_view text) { return Amount::parse(text).value(); }
std::int64_t time_of(const char* text) { return parse_time_us(text).value(); }
const std::int64_t noon_us = time_of("2026-06-15T12:00:00Z");

AccountLimit limit_of(LimitWindow window, const char* charge,
                      std::vector<std::string> prefixes = {}) {
  AccountLimit limit;
  limit.window = window;
  limit.prefixes = std::move(prefixes);
  if (charge != nullptr) limit.max_charge = money(charge);
  return limit;
}

/// A book with one rich account.
struct Limited {
  AccountBook book;
  AccountSettings settings;
  AccountHandle account;

  explicit Limited(std::vector<AccountLimit> limits) {
    settings.id = "acme";
    set(std::move(limits));
    REQUIRE(book.pay(account, money("100000")).ok());
  }
  void set(std::vector<AccountLimit> limits) {
    settings.limits = std::move(limits);
    account = book.provision(settings).value();
  }
  bool open(LimitHold& hold, const char* charge, std::int64_t talk_s = 1,
            std::string_view callee = "49301234", std::int64_t at_us = noon_us) {
    return book.open_limits(account, callee, money(charge), talk_s, at_us, hold);
  }
  [[nodiscard]] LimitState state(std::size_t index = 0, std::int64_t at_us = noon_us) const {
    return book.limits(account, at_us).at(index);
  }
};

Rate minute_rate(const char* price, std::int64_t first_s = 1, std::int64_t next_s = 1) {
  Rate rate;
  rate.price = money(price);
  rate.per_s = 60;
  rate.first_s = first_s;
  rate.next_s = next_s;
  return rate;
}

/// A meter of a call that arrives at noon, and is answered at monotonic 0.
struct Metered {
  Rate rate;
  CallMeter meter;
  MeterVerdict verdict;

  Metered(Limited& limited, const Rate& tariff) : rate(tariff) {
    const Amount first = CallMeter::first_hold(rate, {}).value();
    CallAdmission admission = limited.book.open_call(limited.account, first, noon_us);
    REQUIRE(admission.ok());
    LimitHold limits;
    REQUIRE(limited.book.open_limits(limited.account, "44", first, meter_first_talk_s, noon_us,
                                     limits));
    meter = CallMeter(rate, {}, std::move(admission.hold), {noon_us, {}}, 0, {}, std::move(limits));
    verdict = meter.start(0);
  }
  /// Runs until the meter ends the call, at most a day. The time in ms.
  std::int64_t run() {
    std::int64_t now_us = 0;
    while (!verdict.must_end && verdict.check_us < 86'400 * s) {
      now_us = std::max(now_us, verdict.check_us);
      verdict = meter.on_timer(now_us);
    }
    return now_us / 1000;
  }
};

}  // namespace

TEST_CASE("AccountLimit: what is out of range is refused") {
  const auto refusal = [](std::vector<AccountLimit> limits) {
    const auto checked = check_account_limits(limits);
    return checked ? std::string("ok") : checked.error().message;
  };
  const AccountLimit good = limit_of(LimitWindow::day, "1", {"44", "49"});
  CHECK(refusal({good}) == "ok");
  CHECK(refusal({limit_of(LimitWindow::day, nullptr)}) ==
        "limit had none of max_charge, max_talk_s and max_calls");
  CHECK(refusal({limit_of(LimitWindow::day, "-1")}).starts_with("max_charge -1.00 was not in 0.."));
  CHECK(refusal({limit_of(LimitWindow::day, "1", {""})}) == "\"\" of a limit was no prefix");
  CHECK(refusal({limit_of(LimitWindow::day, "1", {"4 4"})}) == "\"4 4\" of a limit was no prefix");
  AccountLimit other = limit_of(LimitWindow::day, "2", {"49", "44", "44"});
  CHECK(refusal({good, other}) ==
        "two limits were \"day UTC 44,49\": bounds of one limit stand together");
  other.timezone = "Europe/Berlin";
  CHECK(limit_key(other) == "day Europe/Berlin 44,49");
  CHECK(refusal({good, other}) == "ok");
  other.timezone = "Europe/Nowhere";
  CHECK(refusal({other}) != "ok");
  other = good;
  other.max_talk_s = -1;
  CHECK(refusal({other}) == "max_talk_s -1 was not in 0..1000000000000");
  other.max_talk_s = limit_count_max;
  other.max_calls = limit_count_max + 1;
  CHECK(refusal({other}) == "max_calls 1000000000001 was not in 0..1000000000000");
  CHECK(refusal(std::vector<AccountLimit>(account_limits_max + 1, good)) ==
        "account had 17 limits, not 0..16");
  other = limit_of(LimitWindow::day, "1", std::vector<std::string>(limit_prefixes_max + 1, "1"));
  CHECK(refusal({other}) == "limit had 65 prefixes, not 0..64");
}

TEST_CASE("AccountLimit: windows begin and end with the hour, day and month of the zone") {
  using rating::limit_span;
  const TimeZone berlin = TimeZone::load("Europe/Berlin").value();
  const auto is = [](const rating::LimitSpan& span, const char* start, const char* until) {
    CHECK(format_time_us(span.start_us) == format_time_us(time_of(start)));
    CHECK(format_time_us(span.until_us) == format_time_us(time_of(until)));
  };
  is(limit_span(LimitWindow::day, berlin, time_of("2026-06-15T21:59:59Z")), "2026-06-14T22:00:00Z",
     "2026-06-15T22:00:00Z");
  is(limit_span(LimitWindow::day, berlin, time_of("2026-06-15T22:00:00Z")), "2026-06-15T22:00:00Z",
     "2026-06-16T22:00:00Z");
  // The clocks go forward: a day of 23 hours.
  is(limit_span(LimitWindow::day, berlin, time_of("2026-03-29T12:00:00Z")), "2026-03-28T23:00:00Z",
     "2026-03-29T22:00:00Z");
  is(limit_span(LimitWindow::month, berlin, time_of("2026-12-31T22:59:59Z")),
     "2026-11-30T23:00:00Z", "2026-12-31T23:00:00Z");
  is(limit_span(LimitWindow::month, TimeZone(), time_of("2026-02-28T23:59:59Z")),
     "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z");
  const TimeZone india = TimeZone::load("+05:30").value();
  is(limit_span(LimitWindow::hour, india, time_of("2026-06-15T12:29:59Z")), "2026-06-15T11:30:00Z",
     "2026-06-15T12:30:00Z");
  // An hour that comes twice is two windows.
  is(limit_span(LimitWindow::hour, berlin, time_of("2026-10-25T00:30:00Z")), "2026-10-25T00:00:00Z",
     "2026-10-25T01:00:00Z");
  is(limit_span(LimitWindow::hour, berlin, time_of("2026-10-25T01:30:00Z")), "2026-10-25T01:00:00Z",
     "2026-10-25T02:00:00Z");
}

TEST_CASE("LimitHold: what calls hold and have used never passes the limit together") {
  Limited acme({limit_of(LimitWindow::day, "1.00")});
  LimitHold a, b;
  CHECK(acme.open(a, "0.60"));
  CHECK_FALSE(acme.open(b, "0.41"));
  CHECK(acme.open(b, "0.40"));
  CHECK_FALSE(b.renew(money("0.41"), 1));
  a.settle(money("0.50"), 30);
  CHECK(b.renew(money("0.50"), 1));
  CHECK_FALSE(b.renew(money("0.51"), 1));
  LimitState state = acme.state();
  CHECK(state.charge == money("0.50"));
  CHECK(state.held_charge == money("0.50"));
  CHECK(state.talk_s == 30);
  CHECK(state.held_talk_s == 1);
  CHECK(state.calls == 1);
  CHECK(state.held_calls == 1);
  CHECK(state.refused_calls == 1);
  b.cancel();
  state = acme.state();
  CHECK(state.held_charge.is_zero());
  CHECK(state.held_talk_s == 0);
  CHECK(state.held_calls == 0);
  CHECK(state.calls == 1);
}

TEST_CASE("LimitHold: each limit counts the calls to its prefixes, and all must grant a call") {
  AccountLimit calls = limit_of(LimitWindow::day, nullptr, {"88", "881"});
  calls.max_calls = 1;
  Limited acme({limit_of(LimitWindow::month, "1.00"), calls});
  LimitHold a, b, c;
  CHECK(acme.open(a, "0.10", 1, "8812"));
  CHECK_FALSE(acme.open(b, "0.10", 1, "8899"));  // nothing of the first limit is taken either
  CHECK(acme.state(0).held_charge == money("0.10"));
  CHECK(acme.open(b, "0.90", 1, "87"));
  CHECK_FALSE(acme.open(c, "0.01", 1, "87"));
  a.cancel();
  CHECK(acme.open(c, "0.10", 1, "88"));
  CHECK(c.uses({}, 0).size() == 2);
  CHECK(b.uses({}, 0).size() == 1);
  LimitHold free;
  Limited none({calls});
  CHECK(none.open(free, "5", 1, "44"));
  CHECK_FALSE(free.is_open());
  CHECK(free.granted_s() == LimitHold::unbounded);
}

TEST_CASE("LimitHold: a call counts in the window in which it arrived") {
  Limited acme({limit_of(LimitWindow::hour, "1.00")});
  LimitHold late, next;
  CHECK(acme.open(late, "0.60", 1, "44", noon_us - s));
  CHECK(acme.open(next, "1.00", 1, "44", noon_us));
  CHECK(late.renew(money("1.00"), 1));
  late.settle(money("0.80"), 10);
  CHECK(acme.state(0, noon_us - s).charge == money("0.80"));
  CHECK(acme.state().charge.is_zero());
  CHECK(acme.state().held_charge == money("1.00"));
  // A clock that is set back finds what was used there, for some windows.
  LimitHold back;
  CHECK_FALSE(acme.open(back, "0.21", 1, "44", noon_us - 2 * s));
  CHECK(acme.open(back, "0.20", 1, "44", noon_us - 2 * s));
}

TEST_CASE("LimitHold: other bounds count at once, and what was used stays") {
  Limited acme({limit_of(LimitWindow::day, "1.00")});
  LimitHold a, b;
  CHECK(acme.open(a, "0.60"));
  acme.set({limit_of(LimitWindow::day, "0.50")});
  CHECK_FALSE(a.renew(money("0.61"), 1));
  CHECK_FALSE(acme.open(b, "0.01"));
  a.settle(money("0.60"), 1);  // it was promised to this call
  acme.set({});
  CHECK(acme.open(b, "10"));
  CHECK_FALSE(b.is_open());
  CHECK(acme.book.limits(acme.account, noon_us).empty());
  acme.set({limit_of(LimitWindow::day, "0.70")});
  CHECK(acme.state().charge == money("0.60"));
  CHECK_FALSE(acme.open(b, "0.11"));
  CHECK(acme.open(b, "0.10"));
}

TEST_CASE("LimitHold: a book goes on with what an earlier one counted") {
  Limited acme({limit_of(LimitWindow::day, "1.00", {"44"})});
  LimitHold hold;
  REQUIRE(acme.open(hold, "0.10", 1, "44"));
  std::vector<LimitUse> kept = hold.uses(money("0.70"), 65);
  REQUIRE(kept.size() == 1);
  CHECK(kept[0].limit == "day UTC 44");
  CHECK(kept[0].calls == 1);

  AccountBook book;
  REQUIRE(book.restore_limit(kept[0]).ok());  // before the account is there
  AccountSettings settings = acme.settings;
  settings.limits.clear();
  const AccountHandle account = book.provision(settings).value();
  REQUIRE(book.restore_limit(kept[0]).ok());  // before the limit is there
  settings.limits = acme.settings.limits;
  settings.limits[0].max_charge = money("2.00");
  REQUIRE(book.provision(settings).ok());
  const LimitState state = book.limits(account, noon_us).at(0);
  CHECK(state.charge == money("1.40"));
  CHECK(state.talk_s == 130);
  CHECK(state.calls == 2);
  kept[0].talk_s = -1;
  CHECK(book.restore_limit(kept[0]).error().code == ErrorCode::invalid_argument);
}

TEST_CASE("CallMeter: a limit of money ends a call at its last second, and says so") {
  Limited acme({limit_of(LimitWindow::day, "0.37")});
  Metered call(acme, minute_rate("0.60"));
  CHECK(call.run() == 37'000);
  CHECK(call.verdict.reason == Reason::AccountLimitReached);
  std::vector<LimitUse> uses;
  CHECK(call.meter.finish(37'000, nullptr, &uses).charge == money("0.37"));
  REQUIRE(uses.size() == 1);
  CHECK(uses[0].charge == money("0.37"));
  CHECK(uses[0].talk_s == 37);
  CHECK(acme.state().charge == money("0.37"));
  CHECK(acme.state().held_charge.is_zero());
}

TEST_CASE("CallMeter: there is no news of a limit before it ends a call") {
  Limited acme({limit_of(LimitWindow::day, "0.37")});
  Metered call(acme, minute_rate("0.60"));
  std::int64_t now_us = 0;
  while (!call.verdict.must_end && now_us < 3'600 * s) {
    CHECK(acme.book.take_limit_news().empty());
    now_us = std::max(now_us, call.verdict.check_us);
    call.verdict = call.meter.on_timer(now_us);
  }
  CHECK(call.verdict.reason == Reason::AccountLimitReached);
  CHECK(acme.book.take_limit_news().size() == 1);
}

TEST_CASE("CallMeter: a limit of talk ends calls that cost nothing, and late timers add nothing") {
  AccountLimit talk = limit_of(LimitWindow::day, nullptr);
  talk.max_talk_s = 95;
  Limited acme({talk});
  Metered call(acme, minute_rate("0"));
  CHECK(call.run() == 95'000);
  CHECK(call.verdict.reason == Reason::AccountLimitReached);
  (void)call.meter.finish(97'000);
  CHECK(acme.state().talk_s == 95);
}

TEST_CASE("CallMeter: a limit leaves what the account cannot pay to other calls") {
  AccountLimit limit = limit_of(LimitWindow::day, "100");
  Limited acme({limit});
  REQUIRE(acme.book.restore("acme", money("0.05")).ok());
  Metered call(acme, minute_rate("0.60"));
  CHECK(call.run() == 5'000);
  CHECK(call.verdict.reason == Reason::BalanceExhausted);
  CHECK(acme.state().held_charge == money("0.05"));
  CHECK(acme.state().held_talk_s == 5);
  call.meter.cancel();
  CHECK(acme.state().held_charge.is_zero());
}

TEST_CASE("CallMeter: parallel calls by whole minutes share a limit without passing it") {
  AccountLimit limit = limit_of(LimitWindow::day, "2.00");
  limit.max_talk_s = 150;
  Limited acme({limit});
  Metered first(acme, minute_rate("0.60", 60, 60)), second(acme, minute_rate("0.60", 60, 60)),
      third(acme, minute_rate("0.60", 60, 60));
  LimitHold fourth;
  CHECK_FALSE(acme.open(fourth, "0.60", 1, "44"));
  for (Metered* call : {&first, &second, &third})
    (void)call->meter.finish(call->run());
  CHECK(acme.state().charge == money("1.80"));
  CHECK(acme.state().talk_s <= 150);
  CHECK(acme.state().held_talk_s == 0);
}

TEST_CASE("AccountBook: a question about other days leaves what was used today") {
  Limited acme({limit_of(LimitWindow::day, "1.00")});
  LimitHold used, hold;
  REQUIRE(acme.open(used, "1.00"));
  used.settle(money("1.00"), 100);
  constexpr std::int64_t day_us = 86'400 * s;
  for (std::int64_t day = 1; day <= 10; ++day) {
    CHECK(acme.book.has_limits_for(acme.account, "44", money("1.00"), 1, noon_us + day * day_us));
    const LimitState later = acme.state(0, noon_us - day * day_us);
    CHECK(later.charge.is_zero());
    CHECK(later.until_us - later.start_us == day_us);
    CHECK(acme.state(0, noon_us + day * day_us).charge.is_zero());
  }
  CHECK(acme.state().charge == money("1.00"));
  CHECK_FALSE(acme.open(hold, "0.01"));
}

TEST_CASE("AccountBook: news tell once of a window that a limit refuses") {
  Limited acme({limit_of(LimitWindow::hour, "0.10")});
  LimitHold hold;
  for (int i = 0; i < 3; ++i)
    CHECK_FALSE(acme.open(hold, "0.20"));
  auto news = acme.book.take_limit_news();
  REQUIRE(news.size() == 1);
  CHECK(news[0].account == "acme");
  CHECK(news[0].until_us == noon_us + 3'600 * s);
  CHECK_FALSE(acme.open(hold, "0.20", 1, "44", noon_us + 3'600 * s));
  CHECK(acme.book.take_limit_news().size() == 1);
  CHECK(acme.book.take_limit_news().empty());
}

namespace {

/// The same rules without any cleverness: a list of calls, summed up each time.
struct NaiveLimits {
  struct Call {
    std::string callee;
    std::int64_t at_us, charge, talk_s;
    bool is_counted = true;  // one that was not answered is not
  };
  std::vector<AccountLimit> limits;
  std::vector<Call> calls;

  static std::int64_t window_of(const AccountLimit& limit, std::int64_t at_us) {
    const std::int64_t hour = at_us / s / 3'600;
    if (limit.window == LimitWindow::hour) return hour;
    if (limit.window == LimitWindow::day) return hour / 24;
    return std::stoll(format_time_us(at_us).substr(0, 4)) * 12 +
           std::stoll(format_time_us(at_us).substr(5, 2));
  }
  static bool counts(const AccountLimit& limit, const std::string& callee) {
    for (const std::string& prefix : limit.prefixes)
      if (callee.rfind(prefix, 0) == 0) return true;
    return limit.prefixes.empty();
  }
  /// Whether all limits that count `call` have room for what it would be instead of `but`.
  [[nodiscard]] bool fits(const Call& call, std::size_t but) const {
    for (const AccountLimit& limit : limits) {
      if (!counts(limit, call.callee)) continue;
      std::int64_t charge = call.charge, talk_s = call.talk_s, count = 1;
      for (std::size_t i = 0; i < calls.size(); ++i) {
        if (i == but || !calls[i].is_counted || !counts(limit, calls[i].callee) ||
            window_of(limit, calls[i].at_us) != window_of(limit, call.at_us))
          continue;
        charge += calls[i].charge;
        talk_s += calls[i].talk_s;
        ++count;
      }
      if (limit.max_charge && charge > limit.max_charge->units()) return false;
      if (limit.max_talk_s && talk_s > *limit.max_talk_s) return false;
      if (limit.max_calls && count > *limit.max_calls) return false;
    }
    return true;
  }
};

std::vector<AccountLimit> random_limits(Random& random) {
  const std::vector<std::vector<std::string>> prefixes = {{}, {"44"}, {"49", "441"}, {"8"}};
  std::vector<AccountLimit> limits;
  for (const LimitWindow window : {LimitWindow::hour, LimitWindow::day, LimitWindow::month}) {
    AccountLimit limit;
    limit.window = window;
    limit.prefixes = prefixes[random.below(prefixes.size())];
    const auto scale = static_cast<std::int64_t>(window) * 3 + 1;
    if (random.below(3) != 0)
      limit.max_charge = Amount::from_units(static_cast<std::int64_t>(random.below(3'000)) * scale);
    if (random.below(3) == 0)
      limit.max_talk_s = static_cast<std::int64_t>(random.below(600)) * scale;
    if (!limit.max_charge || random.below(3) == 0)
      limit.max_calls = static_cast<std::int64_t>(1 + random.below(12)) * scale;
    limits.push_back(limit);
  }
  return limits;
}

}  // namespace

TEST_CASE("LimitHold: 300 random histories are granted and refused as the oracle says") {
  SeededRandom random(77);
  const std::array<const char*, 5> callees = {"441", "4420", "49", "88", "7"};
  int granted = 0, refused = 0;
  for (int round = 0; round < 300; ++round) {
    NaiveLimits naive;
    naive.limits = random_limits(random);
    Limited acme(naive.limits);
    std::map<std::size_t, LimitHold> up;  // by index in naive.calls
    std::int64_t at_us = noon_us;
    const auto amount = [&] { return static_cast<std::int64_t>(random.below(400)); };
    for (int i = 0; i < 150; ++i) {
      at_us += static_cast<std::int64_t>(random.below(600)) * s;
      if (up.empty() || random.below(3) == 0) {
        const NaiveLimits::Call call{callees[random.below(callees.size())], at_us, amount(), 1};
        LimitHold hold;
        const bool fits = naive.fits(call, naive.calls.size());
        REQUIRE(acme.book.has_limits_for(acme.account, call.callee, Amount::from_units(call.charge),
                                         1, at_us) == fits);
        REQUIRE(acme.book.open_limits(acme.account, call.callee, Amount::from_units(call.charge), 1,
                                      at_us, hold) == fits);
        (fits ? granted : refused) += 1;
        if (!fits) continue;
        up.emplace(naive.calls.size(), std::move(hold));
        naive.calls.push_back(call);
        continue;
      }
      const auto chosen =
          std::next(up.begin(), static_cast<std::ptrdiff_t>(random.below(up.size())));
      NaiveLimits::Call& call = naive.calls[chosen->first];
      LimitHold& hold = chosen->second;
      if (random.below(2) == 0) {
        NaiveLimits::Call more = call;
        more.charge += amount();
        more.talk_s += static_cast<std::int64_t>(random.below(30));
        const bool fits = naive.fits(more, chosen->first);
        REQUIRE(hold.renew(Amount::from_units(more.charge), more.talk_s) == fits);
        if (fits) call = more;
      } else if (random.below(3) == 0) {
        hold.cancel();
        call.is_counted = false;
        up.erase(chosen);
      } else {
        call.charge =
            static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(call.charge) + 1));
        hold.settle(Amount::from_units(call.charge), call.talk_s);
        up.erase(chosen);
      }
    }
  }
  CHECK(granted > 5'000);
  CHECK(refused > 5'000);
}

TEST_CASE("LimitHold: calls on eight threads together never pass a limit") {
  AccountLimit all = limit_of(LimitWindow::day, "5.00");
  all.max_calls = 4'000;
  AccountLimit some = limit_of(LimitWindow::day, nullptr, {"4"});
  some.max_talk_s = 20'000;
  Limited acme({all, some});
  std::atomic<std::int64_t> charge{0}, talk_s{0}, calls{0};
  std::atomic<bool> has_passed{false};
  std::vector<std::thread> threads;
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    threads.emplace_back([&, seed] {
      SeededRandom random(seed);
      for (int i = 0; i < 2'000; ++i) {
        LimitHold hold;
        const char* const callee = random.below(2) == 0 ? "44" : "55";
        if (!acme.book.open_limits(acme.account, callee, Amount::from_units(1'000), 1, noon_us,
                                   hold))
          continue;
        std::int64_t units = 1'000, seconds = 1;
        for (std::uint64_t step = random.below(5); step > 0; --step) {
          const std::int64_t more = units + static_cast<std::int64_t>(random.below(200'000));
          if (!hold.renew(Amount::from_units(more), seconds + 10)) break;
          units = more;
          seconds += 10;
        }
        if (random.below(4) == 0) continue;  // gives back
        hold.settle(Amount::from_units(units), seconds);
        charge += units;
        calls += 1;
        if (*callee == '4') talk_s += seconds;
        const LimitState state = acme.state();
        if (state.charge.units() + state.held_charge.units() > all.max_charge->units() ||
            state.calls + state.held_calls > *all.max_calls)
          has_passed = true;
      }
    });
  }
  for (std::thread& thread : threads)
    thread.join();
  CHECK_FALSE(has_passed);
  CHECK(acme.state(0).charge.units() == charge);
  CHECK(acme.state(0).calls == calls);
  CHECK(acme.state(1).talk_s == talk_s);
  CHECK(charge <= all.max_charge->units());
  CHECK(charge > all.max_charge->units() * 9 / 10);  // the limit was reached
  CHECK(calls <= *all.max_calls);
  CHECK(talk_s <= *some.max_talk_s);
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(acme.state(i).held_charge.is_zero());
    CHECK(acme.state(i).held_talk_s == 0);
    CHECK(acme.state(i).held_calls == 0);
  }
}
