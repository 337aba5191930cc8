#include "tandem/billing_prefixes.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>

using namespace tandem;

namespace {

RateDeck deck_of(std::initializer_list<const char*> prefixes) {
  RateDeck::Builder builder("retail", "USD");
  for (const char* prefix : prefixes) {
    Rate rate;
    rate.prefix = prefix;
    REQUIRE(builder.add(rate).ok());
  }
  return builder.build().value();
}

std::string rated(const BillingPrefixes& prefixes, std::string_view callee) {
  return std::string(callee.substr(prefixes.length_in(callee)));
}

}  // namespace

TEST_CASE("BillingPrefixes: the longest steering prefix is taken off once (B-14)") {
  const RateDeck deck = deck_of({"44", "1"});
  const BillingPrefixes prefixes({{"99", "999", "8#"}, 0}, deck);
  CHECK(rated(prefixes, "9944207") == "44207");
  CHECK(rated(prefixes, "99944207") == "44207");
  CHECK(rated(prefixes, "999944207") == "944207");
  CHECK(rated(prefixes, "8#44207") == "44207");
  CHECK(rated(prefixes, "44207") == "44207");
  CHECK(rated(prefixes, "98") == "98");
}

TEST_CASE("BillingPrefixes: a prefix that a rate begins with belongs to the number (B-14)") {
  const BillingPrefixes prefixes({{"99", "88"}, 0}, deck_of({"", "44", "9944"}));
  CHECK(rated(prefixes, "9944207") == "9944207");
  CHECK(rated(prefixes, "8844207") == "44207");
}

TEST_CASE("BillingPrefixes: a count takes off so many characters, never the whole number (B-14)") {
  const BillingPrefixes prefixes({{}, 3}, deck_of({"44"}));
  CHECK(rated(prefixes, "00144207") == "44207");
  CHECK(rated(prefixes, "123") == "123");
  CHECK(rated(prefixes, "1234") == "4");
  CHECK(rated(BillingPrefixes({{"44"}, 0}, deck_of({"1"})), "44") == "44");
}

TEST_CASE("BillingPrefixes: equals a look at every prefix and every rate (B-14)") {
  SeededRandom random(14);
  const auto digits = [&](std::size_t length_max) {
    std::string text;
    for (std::size_t length = 1 + random.below(length_max); length > 0; --length)
      text += static_cast<char>('1' + random.below(3));
    return text;
  };
  for (int round = 0; round < 300; ++round) {
    std::vector<std::string> rates, listed;
    RateDeck::Builder builder("d", "USD");
    for (std::uint64_t count = random.below(6); count > 0; --count) {
      Rate rate;
      rate.prefix = digits(4);
      if (builder.add(rate)) rates.push_back(rate.prefix);
    }
    for (std::uint64_t count = random.below(5); count > 0; --count)
      listed.push_back(digits(3));
    const BillingPrefixes prefixes({listed, 0}, builder.build().value());
    for (int call = 0; call < 20; ++call) {
      const std::string callee = digits(6);
      std::size_t longest = 0;
      for (const std::string& prefix : listed) {
        const bool is_rated = std::any_of(rates.begin(), rates.end(), [&](const std::string& rate) {
          return rate.starts_with(prefix);
        });
        if (!is_rated && callee.starts_with(prefix) && prefix.size() < callee.size())
          longest = std::max(longest, prefix.size());
      }
      CAPTURE(callee);
      CHECK(prefixes.length_in(callee) == longest);
    }
  }
}

TEST_CASE("BillingPrefixes: what is no list of prefixes is refused (B-14)") {
  CHECK(check_route_prefixes({{"99", "8#"}, 0}).ok());
  CHECK_FALSE(check_route_prefixes({{"9 9"}, 0}).ok());
  CHECK_FALSE(check_route_prefixes({{""}, 0}).ok());
  CHECK_FALSE(check_route_prefixes({{"99"}, 2}).ok());
  CHECK_FALSE(check_route_prefixes({{}, 32}).ok());
}
