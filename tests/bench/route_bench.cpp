// Routing at wholesale size: 50 vendors with 200,000 prefixes each, ten million rows.
#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "bench.hpp"
#include "tandem/clock.hpp"
#include "tandem/rating.hpp"
#include "tandem/route_table.hpp"

namespace tandem::bench {
namespace {

constexpr std::size_t vendors_count = 50;
constexpr std::size_t prefixes_per_vendor = 200000;

/// E.164-like prefixes: runs of siblings below a few hundred stems, 5 to 11 digits long.
std::vector<std::string> destinations(std::size_t count, Random& random) {
  std::vector<std::string> all;
  while (all.size() < count) {
    std::string stem = std::to_string(1 + random.below(999)) + std::to_string(random.below(100000));
    const std::size_t siblings = 1 + random.below(30);
    const std::uint64_t first = random.below(1000);
    for (std::size_t i = 0; i < siblings; ++i)
      all.push_back(stem + std::to_string(first + i));
  }
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  // Shuffled, so that every deck is a random half of the destinations.
  for (std::size_t i = all.size(); i > 1; --i)
    std::swap(all[i - 1], all[random.below(i)]);
  return all;
}

/// Decks in which every vendor has half of the destinations, each for itself: nearly every prefix
/// has a set of vendors of its own, the worst case for sharing.
std::vector<VendorRoute> decks(const std::vector<std::string>& all, bool equal_priorities,
                               Random& random) {
  std::vector<VendorRoute> vendors(vendors_count);
  for (std::size_t v = 0; v < vendors_count; ++v) {
    vendors[v].gateway = "vendor-" + std::to_string(v);
    vendors[v].priority = equal_priorities ? 0 : static_cast<int>(v);
    vendors[v].line_limit = 1000;
    vendors[v].prefixes.reserve(prefixes_per_vendor);
    const std::size_t start = random.below(all.size());
    for (std::size_t i = 0; vendors[v].prefixes.size() < prefixes_per_vendor; ++i) {
      if (i >= all.size() || random.below(2) == 0) {
        vendors[v].prefixes.push_back(all[(start + i) % all.size()]);
      }
    }
  }
  return vendors;
}

class Loads final : public LineLoad {
 public:
  std::uint32_t current_calls(std::uint32_t gateway) const noexcept override {
    return gateway * 37 % 101;
  }
};

/// What least-cost routing asks of every candidate; the prices are made up.
class Prices final : public RouteConditions {
 public:
  void judge(std::uint32_t gateway, const RouteQuery& /*query*/,
             VendorStanding& standing) const noexcept override {
    standing.price = Amount::from_units(1000 + gateway * 53 % 17);
    standing.price_per_s = 60;
  }
};

/// What a switch asks its vendors' decks of every candidate: the rate of the number, and what a
/// second of it costs.
class DeckPrices final : public RouteConditions {
 public:
  std::vector<RateDeck> decks;

  void judge(std::uint32_t gateway, const RouteQuery& query,
             VendorStanding& standing) const noexcept override {
    const RateMatch match = decks[gateway].find(query.called, now_us);
    if (!match.ok()) return;
    const SteadyPrice steady = steady_price(*match.rate, {now_us, {}});
    standing.price = steady.price;
    standing.price_per_s = steady.per_s;
  }

 private:
  static constexpr std::int64_t now_us = 1'800'000'000'000'000;
};

std::vector<std::string> numbers_below(const std::vector<std::string>& all, Random& random) {
  std::vector<std::string> numbers(400000);
  for (std::string& number : numbers) {
    number = all[random.below(all.size())];
    while (number.size() < 12)
      number += static_cast<char>('0' + random.below(10));
  }
  return numbers;
}

RouteTable freeze(std::vector<VendorRoute> vendors) {
  RouteTable::Builder builder;
  for (VendorRoute& vendor : vendors) {
    (void)builder.add(std::move(vendor));  // Made here from digits: cannot be refused.
  }
  return builder.build();
}

double best_vendor_ns(const RouteTable& table, const std::vector<std::string>& numbers,
                      std::size_t answer_size, bool by_price = false) {
  const Loads loads;
  const Prices prices;
  RouteRotation rotation(table);
  std::array<RouteCandidate, 64> out;
  return best_ns_per_operation(numbers.size(), [&](std::uint64_t n) {
    std::size_t found = 0;
    for (std::uint64_t i = 0; i < n; ++i) {
      RouteQuery query;
      query.called = numbers[i];
      query.load = &loads;
      query.rotation = &rotation;
      if (by_price) {
        query.conditions = &prices;
        query.sort.after_prefix[0] = RoutePolicy::lowest_rate;
      }
      found += table.lookup(query, std::span(out).first(answer_size));
    }
    keep(found);
  });
}

}  // namespace

TANDEM_BENCH("route.best_vendor_50x200k", "ns_cpu") {
  SeededRandom random(1);
  const auto all = destinations(395000, random);
  const auto numbers = numbers_below(all, random);
  const RouteTable ranked = freeze(decks(all, false, random));
  const double best = best_vendor_ns(ranked, numbers, 1);
  const double whole = best_vendor_ns(ranked, numbers, 64);
  const double by_price = best_vendor_ns(ranked, numbers, 64, true);
  const RouteTable equal = freeze(decks(all, true, random));
  const double balanced = best_vendor_ns(equal, numbers, 1);
  return Figure{
      best, "{\"rows\":" + std::to_string(ranked.row_count()) +
                ",\"prefixes\":" + std::to_string(ranked.prefix_count()) +
                ",\"memory_bytes\":" + std::to_string(ranked.memory_bytes()) +
                ",\"numbers\":\"uniform over prefixes\",\"priorities\":\"all different\"" +
                ",\"whole_list_ns\":" + std::to_string(static_cast<long>(whole)) +
                ",\"whole_list_by_price_ns\":" + std::to_string(static_cast<long>(by_price)) +
                ",\"best_of_equal_priorities_ns\":" + std::to_string(static_cast<long>(balanced)) +
                "}"};
}

/// Vendors take every number, so that all of them are candidates, and each has a deck of its own.
TANDEM_BENCH("route.least_cost_50x200k_decks", "ns_cpu") {
  SeededRandom random(3);
  const auto all = destinations(395000, random);
  const auto numbers = numbers_below(all, random);
  constexpr std::uint64_t choices = 50'000;  // of a round: each looks fifty rates up
  DeckPrices prices;
  std::vector<VendorRoute> vendors = decks(all, true, random);
  for (std::size_t v = 0; v < vendors.size(); ++v) {
    RateDeck::Builder builder("deck-" + std::to_string(v));
    for (const std::string& prefix : vendors[v].prefixes) {
      Rate rate;
      rate.prefix = prefix;
      rate.price = Amount::from_units(static_cast<std::int64_t>(100'000 + random.below(900'000)));
      (void)builder.add(std::move(rate));  // prefixes are all different
    }
    auto deck = builder.build();
    if (!deck) return Figure{0, "{\"error\":\"deck\"}"};
    prices.decks.push_back(std::move(*deck));
    vendors[v].prefixes = {""};
  }
  const RouteTable table = freeze(std::move(vendors));
  const Loads loads;
  RouteRotation rotation(table);
  std::array<RouteCandidate, 64> out;
  const auto choose_ns = [&](std::size_t answer_size) {
    return best_ns_per_operation(choices, [&](std::uint64_t n) {
      std::size_t found = 0;
      for (std::uint64_t i = 0; i < n; ++i) {
        RouteQuery query;
        query.called = numbers[i];
        query.load = &loads;
        query.rotation = &rotation;
        query.conditions = &prices;
        query.sort.after_prefix[0] = RoutePolicy::lowest_rate;
        found += table.lookup(query, std::span(out).first(answer_size));
      }
      keep(found);
    });
  };
  const double rates = best_ns_per_operation(choices, [&](std::uint64_t n) {
    std::int64_t sum = 0;
    for (std::uint64_t i = 0; i < n; ++i) {
      for (const RateDeck& deck : prices.decks) {
        if (const RateMatch match = deck.find(numbers[i], 1'800'000'000'000'000); match.ok())
          sum += match.rate->price.units();
      }
    }
    keep(sum);
  });
  const double whole = choose_ns(64);
  const double best = choose_ns(1);
  return Figure{whole,
                "{\"decks\":50,\"rates_of_a_deck\":200000,\"candidates\":50" +
                    std::string(",\"numbers\":\"uniform over prefixes\"") +
                    ",\"rate_lookups_alone_ns\":" + std::to_string(static_cast<long>(rates)) +
                    ",\"best_only_ns\":" + std::to_string(static_cast<long>(best)) + "}"};
}

TANDEM_BENCH("route.reload_10m", "s") {
  SeededRandom random(2);
  const auto all = destinations(395000, random);
  auto vendors = decks(all, false, random);
  const std::int64_t start_ns = thread_cpu_ns();
  const RouteTable table = freeze(std::move(vendors));
  const double seconds_used = static_cast<double>(thread_cpu_ns() - start_ns) * 1e-9;
  // Prefixes of one length are the hardest for what numbers them.
  VendorRoute one_length;
  one_length.gateway = "one-length";
  for (int i = 0; i < 500'000; ++i)
    one_length.prefixes.push_back(std::to_string(1'000'000 + i));
  const std::int64_t one_length_start_ns = thread_cpu_ns();
  const RouteTable seven_digits = freeze({one_length});
  const double one_length_s = static_cast<double>(thread_cpu_ns() - one_length_start_ns) * 1e-9;
  keep(seven_digits.size());
  return Figure{seconds_used, "{\"rows\":" + std::to_string(table.row_count()) +
                                  ",\"prefixes\":" + std::to_string(table.prefix_count()) +
                                  ",\"memory_bytes\":" + std::to_string(table.memory_bytes()) +
                                  ",\"500k_of_seven_digits_s\":" + std::to_string(one_length_s) +
                                  ",\"from\":\"rows in memory\",\"threads\":1}"};
}

}  // namespace tandem::bench
