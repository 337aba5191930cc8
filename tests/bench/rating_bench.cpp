// What a rating and a reservation cost, cache misses included: decks, callees and accounts are many
// and random.
#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bench.hpp"
#include "tandem/accounts.hpp"
#include "tandem/clock.hpp"
#include "tandem/rating.hpp"
#include "tandem/rerate.hpp"

namespace tandem::bench {
namespace {

std::string random_digits(Random& random, std::size_t length) {
  std::string digits;
  digits += static_cast<char>('1' + random.below(9));
  while (digits.size() < length)
    digits += static_cast<char>('0' + random.below(10));
  return digits;
}

RateDeck random_deck(Random& random, std::size_t rates) {
  RateDeck::Builder builder("bench", "USD");
  for (std::size_t added = 0; added < rates;) {
    Rate rate;
    rate.prefix = random_digits(random, 2 + random.below(7));
    rate.price = Amount::from_units(static_cast<std::int64_t>(random.below(50'000'000)));
    rate.first_s = random.below(2) == 0 ? 1 : 60;
    rate.next_s = random.below(3) == 0 ? 6 : rate.first_s;
    if (random.below(8) == 0) rate.connection_fee = Amount::from_units(1'000'000);
    if (random.below(16) == 0) rate.sections = {{Amount::from_units(5'000'000), 30}};
    if (builder.add(std::move(rate)).ok()) ++added;  // a prefix drawn twice is drawn again
  }
  return builder.build().value();
}

TANDEM_BENCH("rating.rate_one_call", "ns") {
  constexpr std::size_t rates = 200'000;
  constexpr std::size_t calls = 1'000'000;
  SeededRandom random(1);
  const RateDeck deck = random_deck(random, rates);
  struct Call {
    char callee[16];
    std::uint32_t talk_ms;
  };
  std::vector<Call> records(calls);
  for (Call& call : records) {
    std::string callee = deck.at(random.below(deck.size())).prefix;
    while (callee.size() < 12)
      callee += static_cast<char>('0' + random.below(10));
    callee.copy(call.callee, 12);
    call.talk_ms = static_cast<std::uint32_t>(random.below(600'000));
  }
  const FeeRules rules;
  std::uint64_t rated = 0;
  std::uint64_t sum = 0;
  auto now_ns = cpu_ns();
  const auto started_ns = now_ns;
  const auto end_ns = started_ns + static_cast<decltype(now_ns)>(seconds() * 1e9);
  do {
    for (const Call& call : records) {
      const RateMatch match = deck.find({call.callee, 12}, 1);
      if (!match.ok()) continue;
      const Result<Charge> charge = rate_call(*match.rate, call.talk_ms, rules);
      if (charge) sum += static_cast<std::uint64_t>(charge->charge.units());
    }
    rated += records.size();
    now_ns = cpu_ns();
  } while (now_ns < end_ns);
  return Figure{static_cast<double>(now_ns - started_ns) / static_cast<double>(rated),
                "{\"rates\":200000,\"calls\":1000000,\"with_lookup\":true,\"checksum\":" +
                    std::to_string(sum) + "}"};
}

TANDEM_BENCH("rating.rerate_per_s", "1/s") {
  constexpr std::size_t rates = 200'000;
  constexpr std::size_t calls = 1'000'000;
  SeededRandom random(3);
  const Rerater rerater(random_deck(random, rates));
  std::vector<std::string> callees(calls);
  std::vector<RerateCall> records(calls);
  for (std::size_t i = 0; i < calls; ++i) {
    callees[i] = rerater.deck().at(random.below(rerater.deck().size())).prefix;
    while (callees[i].size() < 12)
      callees[i] += static_cast<char>('0' + random.below(10));
    records[i].callee = callees[i];
    records[i].talk_time_ms = static_cast<std::int64_t>(random.below(600'000));
  }
  std::vector<RerateOutcome> outcomes(1024);
  const double ns = best_ns_per_operation(calls, [&](std::uint64_t) {
    for (std::size_t first = 0; first < calls; first += outcomes.size()) {
      const auto part = std::span<const RerateCall>(records).subspan(
          first, std::min(outcomes.size(), calls - first));
      rerater.rate(part, outcomes);
      keep(outcomes.front());
    }
  });
  return Figure{1e9 / ns,
                "{\"rates\":200000,\"calls\":1000000,\"with_lookup\":true,\"threads\":1}"};
}

/// The worst that rates usually have: windows of two zones' hours, split, tiers and a tax.
TANDEM_BENCH("rating.rate_one_call_windows", "ns") {
  Rate rate;
  rate.price = Amount::from_units(60'000'000);
  RateTerms terms;
  terms.windows = parse_windows("mon-fri 08:00-18:00 price=0.50;holiday price=0.10").value();
  terms.tiers = parse_tiers("60:0.30;600:0.20").value();
  terms.tax_percent = Amount::from_units(19 * Amount::scale);
  rate.terms = terms;
  CallStart start;
  start.schedule = RateSchedule::parse("split zone=Europe/Berlin 2026-12-25=holiday").value();
  const FeeRules rules;
  const double ns = best_ns_per_operation(100'000, [&](std::uint64_t n) {
    for (std::uint64_t i = 0; i < n; ++i) {
      start.at_us = 1'790'000'000'000'000 + static_cast<std::int64_t>(i) * 977'000'000;
      keep(rate_call(rate, static_cast<std::int64_t>(i % 600) * 1000, rules, nullptr, start));
    }
  });
  return Figure{ns, "{\"windows\":2,\"tiers\":2,\"zone\":\"Europe/Berlin\",\"split\":true}"};
}

TANDEM_BENCH("account.reserve_settle", "ns") {
  constexpr std::size_t accounts = 20'000;
  SeededRandom random(2);
  AccountBook book;
  std::vector<AccountHandle> handles;
  for (std::size_t i = 0; i < accounts; ++i) {
    AccountSettings settings;
    settings.id = "account-" + std::to_string(i);
    handles.push_back(book.provision(settings, Amount::from_units(std::int64_t{1} << 60)).value());
  }
  std::vector<AccountHandle> order(1 << 20);
  for (AccountHandle& handle : order)
    handle = handles[random.below(accounts)];
  std::uint64_t settled = 0;
  std::uint64_t refused = 0;
  auto now_ns = cpu_ns();
  const auto started_ns = now_ns;
  const auto end_ns = started_ns + static_cast<decltype(now_ns)>(seconds() * 1e9);
  do {
    for (const AccountHandle handle : order) {
      CallAdmission call = book.open_call(handle, Amount::from_units(1000), 1);
      if (!call.ok() || !call.hold.renew(Amount::from_units(10'000))) ++refused;
      (void)call.hold.settle(Amount::from_units(4000));  // what it returns is known
    }
    settled += order.size();
    now_ns = cpu_ns();
  } while (now_ns < end_ns);
  return Figure{static_cast<double>(now_ns - started_ns) / static_cast<double>(settled),
                "{\"accounts\":20000,\"operations\":\"open, renew, settle\",\"refused\":" +
                    std::to_string(refused) + "}"};
}

}  // namespace
}  // namespace tandem::bench
