// A day on which nobody has much money and the switch dies now and then (B-11, B-17, C-01).
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "flow/flow.hpp"
#include "tandem/charge_terms.hpp"

using namespace tandem;
using namespace tandem::sim;
using namespace tandem::sim::test;

namespace {

constexpr std::size_t accounts_count = 1'000;
constexpr std::size_t agents_count = 20;
constexpr int calls_a_part = 250;
constexpr int parts = 8;  // of the day, each ended by a crash or an orderly restart
constexpr std::uint64_t days_of_kills = 2;  // so that the ledger's retention of one day has work
constexpr std::uint64_t day_us = 86'400 * static_cast<std::uint64_t>(second_us);

/// Lives that end with a kill; TANDEM_LIVES says how many when they shall be more.
int lives() {
  const char* const text = std::getenv("TANDEM_LIVES");
  const int count = text != nullptr ? std::atoi(text) : 0;
  return count > 0 ? count : 500;
}

/// Four digits that stand for one account: it is told from the others by its callers.
std::string caller_of(std::size_t account) {
  const std::string digits = std::to_string(1'000 + account);
  return digits + "5550000";
}

/// Tariffs by the second, by the minute, with fees, sections and tiers.
std::vector<RateDeckConfig> tariffs() {
  std::vector<RateDeckConfig> decks = {deck("second"), deck("minute"), deck("fees"),
                                       deck("sections"), deck("tiers")};
  Rate* rate = &decks[1].rates[0];
  rate->first_s = rate->next_s = 60;
  rate = &decks[2].rates[0];
  rate->connection_fee = money("0.02");
  rate->minimum = money("0.05");
  rate->first_s = 30;
  rate->next_s = 6;
  decks[3].rates[0].sections = {{money("0.05"), 30}, {money("0.01"), 0}};
  RateTerms terms;
  terms.tiers = parse_tiers("30:1.20;90:0.30").value();
  terms.tax_percent = money("7.7");
  decks[4].rates[0].terms = terms;
  return decks;
}

struct Day {
  SeededRandom random;
  Bench bench;
  std::map<std::string, Amount> paid;  // by account, beside its opening balance
  std::uint64_t next_key = 0;
  std::vector<std::shared_ptr<EndpointCall>> dialled;  // of lives that end with a kill
  bool carried = false;                                // the ledger carried charges forward
  std::vector<Booking> unconfirmed;                    // payments of the life that was killed

  explicit Day(std::uint64_t seed, std::int32_t retention_days = 0)
      : random(seed), bench(make_config(random, retention_days)) {}

  static SwitchConfig make_config(Random& random, std::int32_t retention_days) {
    SwitchConfig config = base_config();
    config.parameters.ledger_retention_days = retention_days;
    const auto decks = tariffs();
    for (const RateDeckConfig& each : decks)
      config.provision.rate_decks.push_back(each);
    config.provision.accounts.erase(config.provision.accounts.begin());  // acme
    config.provision.customer_gateways.clear();
    const auto cents = [&](std::uint64_t bound) {
      return Amount::from_units(static_cast<std::int64_t>(random.below(bound)) * 1'000'000);
    };
    for (std::size_t i = 0; i < agents_count; ++i) {
      AccountConfig agent = account("agent" + std::to_string(i), "0", decks[i % decks.size()].id);
      agent.kind = AccountKind::agent;
      agent.balance = cents(1'000);
      config.provision.accounts.push_back(agent);
    }
    for (std::size_t i = 0; i < accounts_count; ++i) {
      const std::string id = "a" + std::to_string(i);
      AccountConfig one = account(id, "0", decks[random.below(decks.size())].id);
      one.balance = cents(60);
      if (random.below(4) == 0) one.overdraft_limit = cents(20);
      if (random.below(3) == 0) one.agent = "agent" + std::to_string(random.below(agents_count));
      config.provision.accounts.push_back(one);
      CustomerGateway gateway = customer("c" + std::to_string(i), "10.0.1.1", id);
      gateway.numbers.allow_caller_prefixes = {std::to_string(1'000 + i)};
      config.provision.customer_gateways.push_back(gateway);
    }
    return config;
  }

  /// Calls, several at once of few accounts, and payments that are asked for once more.
  void live() {
    const std::int64_t part_s = 86'400 / parts;
    for (int i = 0; i < calls_a_part; ++i) {
      // A few accounts have most of the calls, so that theirs overlap.
      const std::size_t who =
          random.below(3) != 0 ? random.below(20) : random.below(accounts_count);
      DialPlan plan;
      plan.hang_up_after_us = static_cast<std::int64_t>(random.below(240'000'000));
      bench.dial(plan, "442079460000", caller_of(who));
      if (random.below(8) == 0) pay("a" + std::to_string(random.below(20)));
      const std::int64_t pause_us =
          random.below(4) == 0
              ? static_cast<std::int64_t>(random.below(2'000'000))
              : static_cast<std::int64_t>(random.below(
                    2 * 1'000'000 * static_cast<std::uint64_t>(part_s) / calls_a_part));
      bench.world.run_for_us(pause_us);
      if (i % 25 == 0) check_bounds();
    }
    // Calls that are up when the part ends.
    DialPlan plan;
    plan.hang_up_after_us = 200'000'000;
    for (int i = 0; i < 10; ++i)
      bench.dial(plan, "442079460000", caller_of(20 + random.below(accounts_count - 20)));
    bench.world.run_for_us(static_cast<std::int64_t>(random.below(30'000'000)));
    check_bounds();
  }

  /// A few calls and perhaps a payment, up to a moment that nobody chose: in the middle of a call,
  /// of its beginning or its end, or of what is written about it.
  void live_until_killed(std::uint64_t kills) {
    const std::size_t busy = random.below(accounts_count);
    for (std::uint64_t n = 1 + random.below(3); n > 0; --n) {
      DialPlan plan;
      plan.hang_up_after_us = static_cast<std::int64_t>(random.below(120'000'000));
      const std::size_t who = random.below(2) == 0 ? busy : random.below(accounts_count);
      dialled.push_back(bench.dial(plan, "442079460000", caller_of(who)));
      if (random.below(3) == 0) pay("a" + std::to_string(random.below(accounts_count)));
      bench.world.run_for_us(static_cast<std::int64_t>(random.below(3'000'000)));
    }
    const std::uint64_t bounds_us[] = {30'000, 500'000, 10'000'000,
                                       8 * days_of_kills * day_us / kills};
    bench.world.run_for_us(static_cast<std::int64_t>(random.below(bounds_us[random.below(4)])));
  }

  /// Nothing that was acknowledged is lost, and nothing that is asked for again is done again.
  void live_again() {
    bench.world.crash(std::move(bench.tandem));
    bench.open();
    for (const Booking& booking : unconfirmed)
      REQUIRE(bench.tandem->book(booking)->is_repeated);
    unconfirmed.clear();
    check_bounds();
  }

  /// Whoever was told that a call is answered has one record of it that says so, and no call is
  /// charged twice. Each side of an answered call is charged what its own terms make of its talk.
  void check_calls() {
    std::map<std::string, int> answered, charged;
    std::size_t rated = 0;
    for (const Cdr& cdr : bench.world.cdrs()) {
      answered[cdr.call_id] += cdr.answered_at_us != 0;
      charged[cdr.call_id] += !cdr.customer.charge.is_zero();
      if (cdr.answered_at_us == 0 || cdr.talk_time_ms == 0) continue;
      CAPTURE(cdr.call_id);
      check_charge(cdr, cdr.customer);
      if (cdr.vendor) check_charge(cdr, *cdr.vendor);
      if (cdr.agent) check_charge(cdr, *cdr.agent);
      ++rated;
    }
    CHECK(rated > dialled.size() / 10);  // accounts near zero refuse more, the longer they live
    for (const auto& call : dialled) {
      CAPTURE(call->call_id());
      if (call->was_answered()) REQUIRE(answered[call->call_id()] == 1);
      REQUIRE(charged[call->call_id()] <= 1);
    }
  }

  static void check_charge(const Cdr& cdr, const ChargeFacts& facts) {
    if (facts.account.empty() || facts.rate_deck.empty()) return;
    REQUIRE_FALSE(facts.rate_terms.empty());
    const auto anew = recompute_charge(facts.rate_terms, cdr.talk_time_ms, cdr.answered_at_us);
    REQUIRE(anew.ok());
    REQUIRE(facts.charge == anew->charge);
    // No deck of this day is free; but milliseconds may be less than what is billed at all.
    if (cdr.talk_time_ms >= 1'000) REQUIRE_FALSE(facts.charge.is_zero());
  }

  void pay(const std::string& id) {
    const Amount amount =
        Amount::from_units(static_cast<std::int64_t>(1 + random.below(30)) * 1'000'000);
    const Booking booking{id, amount, LedgerKind::payment,
                          "", "",     "pay-" + std::to_string(next_key++)};
    REQUIRE(bench.tandem->book(booking).ok());
    if (random.below(2) == 0) REQUIRE(bench.tandem->book(booking)->is_repeated);
    paid[id] = Amount::add(paid[id], amount).value();
    unconfirmed.push_back(booking);
  }

  /// Nobody is below what was said, at this moment and whatever the calls do.
  void check_bounds() {
    std::string below;  // the first account that is
    for (const AccountState& state : bench.tandem->accounts()) {
      if (state.settings.kind == AccountKind::clearing) continue;
      const std::int64_t left =
          state.balance.units() + state.settings.overdraft_limit.units() - state.held.units();
      if (left < 0 || !largest_overdraft(state)->is_zero()) below = state.settings.id;
    }
    REQUIRE(below.empty());
  }

  /// Each call's charges are in the ledger once, and nothing else is; those that were carried
  /// forward are in the openings, as every balance shows.
  void check_books() {
    std::map<std::int64_t, Amount> charges;  // by entry
    std::map<std::string, Amount> charged;   // by account
    std::set<std::uint64_t> records;
    for (const Cdr& cdr : bench.world.cdrs()) {
      REQUIRE(records.insert(cdr.record_id).second);
      const auto expect = [&](int side, const ChargeFacts& facts) {
        if (facts.charge.is_zero()) return;
        charges[static_cast<std::int64_t>(cdr.record_id) * 8 + side] = facts.charge;
        charged[facts.account] = Amount::add(charged[facts.account], facts.charge).value();
      };
      expect(1, cdr.customer);
      if (cdr.vendor) expect(2, *cdr.vendor);
      if (cdr.agent) expect(3, *cdr.agent);
    }
    std::int64_t first_left = std::numeric_limits<std::int64_t>::max();
    for (const AccountConfig& account : bench.config.provision.accounts) {
      CAPTURE(account.id);
      LedgerQuery query;
      query.account = account.id;
      query.limit = 1'000'000;
      auto entries = bench.tandem->ledger(query).value();
      std::reverse(entries.begin(), entries.end());
      Amount sum, payments;
      for (const LedgerEntry& entry : entries) {
        sum = Amount::add(sum, entry.amount).value();
        REQUIRE(entry.balance == sum);
        if (account.kind != AccountKind::clearing)
          REQUIRE(entry.balance.units() >= -account.overdraft_limit.units());
        if (entry.kind == LedgerKind::payment)
          payments = Amount::add(payments, entry.amount).value();
        if (entry.id <= 0) continue;
        first_left = std::min(first_left, entry.id);
        if (entry.id % 8 == 0) continue;
        const auto charge = charges.find(entry.id);
        REQUIRE(charge != charges.end());
        REQUIRE(entry.amount.units() == -charge->second.units());
        charges.erase(charge);
      }
      REQUIRE(sum == bench.balance(account.id));
      REQUIRE(sum.units() ==
              account.balance.units() + paid[account.id].units() - charged[account.id].units());
      if (!is_carried()) REQUIRE(payments == paid[account.id]);
    }
    if (!is_carried()) {
      CHECK(charges.empty());
    } else if (!charges.empty()) {  // whole records go, the oldest first
      carried = true;
      CHECK(charges.rbegin()->first / 8 < first_left / 8);
    }
    const LedgerCheck check = bench.tandem->check_ledger().value();
    CHECK(check.ok());
  }
  [[nodiscard]] bool is_carried() const {
    return bench.config.parameters.ledger_retention_days != 0;
  }
};

}  // namespace

TEST_CASE("Overspend: 1,000 accounts near zero, a day of calls, crashes: no unit too much (B-11)") {
  constexpr std::uint64_t seed = 20261126;
  Day day(seed);
  for (int part = 0; part < parts; ++part) {
    day.live();
    if (part % 3 == 2) {
      day.bench.tandem.reset();
    } else {
      day.bench.world.crash(std::move(day.bench.tandem));
    }
    day.bench.open();
    day.bench.run_s(2);
    day.check_bounds();
    day.check_books();
  }
  REQUIRE(day.bench.world.run_until([&] { return day.bench.tandem->live_calls() == 0; },
                                    3'600 * second_us));
  day.bench.run_s(2);
  day.check_books();
  std::map<Reason, int> ends;
  for (const Cdr& cdr : day.bench.world.cdrs())
    ++ends[cdr.end_reason];
  CHECK(ends[Reason::BalanceExhausted] > 20);
  CHECK(ends[Reason::AccountBalanceNotEnough] > 20);
  CHECK(ends[Reason::NormalCallClearing] > 50);
  CHECK(ends[Reason::ServerCrash] > 5);
}

// The journal loses what was not on disk; the simulated ledger is in memory and keeps what it has
// taken. So this is about what the journal brings to the ledger again, not about a transaction of
// the ledger that was cut short: those are SQLite's own.
TEST_CASE("Overspend: killed at moments of two days, no charge is lost or doubled (B-11, C-01)") {
  constexpr std::uint64_t seed = 20261127;
  const int kills = lives();
  Day day(seed, 1);
  const std::int64_t began_us = day.bench.world.monotonic_us();
  for (int kill = 0; kill < kills; ++kill) {
    day.live_until_killed(static_cast<std::uint64_t>(kills));
    day.live_again();
    if (kill % 50 == 49) {
      day.bench.run_s(2);  // the sinks take what the journal kept
      day.check_books();
    }
  }
  CHECK(day.bench.world.monotonic_us() - began_us > static_cast<std::int64_t>(day_us));
  REQUIRE(day.bench.world.run_until([&] { return day.bench.tandem->live_calls() == 0; },
                                    3'600 * second_us));
  day.bench.run_s(86'400 / 2);  // and the retention what is left of the first day
  day.check_books();
  day.check_calls();
  CHECK(day.carried);
  std::map<Reason, int> ends;
  for (const Cdr& cdr : day.bench.world.cdrs())
    ++ends[cdr.end_reason];
  CHECK(ends[Reason::ServerCrash] > kills / 4);
  CHECK(ends[Reason::NormalCallClearing] > kills / 20);
  CHECK(ends[Reason::BalanceExhausted] > kills / 100);
  CHECK(ends[Reason::AccountBalanceNotEnough] > kills / 100);
}
