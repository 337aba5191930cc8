#include "rating/deck_levels.hpp"

#include <doctest/doctest.h>

using namespace tandem;

namespace {

Rate rate_of(const char* prefix, CallLevel level, std::int64_t from_us = 0,
             std::int64_t until_us = 0) {
  Rate rate;
  rate.prefix = prefix;
  rate.call_level = level;
  rate.valid_from_us = from_us;
  rate.valid_until_us = until_us;
  return rate;
}

}  // namespace

TEST_CASE("RateDeck: a call has the level of the rate that applied when it began (C-12)") {
  RateDeck::Builder builder("retail");
  REQUIRE(builder.add(rate_of("43", CallLevel::internal)).ok());
  REQUIRE(builder.add(rate_of("44", CallLevel::local, 100, 200)).ok());
  REQUIRE(builder.add(rate_of("44", CallLevel::domestic, 200, 300)).ok());
  REQUIRE(builder.add(rate_of("44", CallLevel::international, 250)).ok());
  REQUIRE(builder.add(rate_of("442", CallLevel::local)).ok());
  const auto deck = builder.build();
  REQUIRE(deck.ok());
  const auto level = [&](const char* prefix, std::int64_t at_us) {
    return rating::level_of_rate(*deck, prefix, at_us);
  };
  CHECK(level("44", 100) == CallLevel::local);
  CHECK(level("44", 199) == CallLevel::local);
  CHECK(level("44", 200) == CallLevel::domestic);
  CHECK(level("44", 249) == CallLevel::domestic);
  CHECK(level("44", 250) == CallLevel::international);  // of two that are valid the later one
  CHECK(level("44", 1'000) == CallLevel::international);
  CHECK(level("44", 99) == CallLevel::international);  // none of that time is left: the latest
  CHECK(level("43", 5) == CallLevel::internal);
  CHECK(level("442", 5) == CallLevel::local);
  CHECK(level("4", 5) == CallLevel::none);
  CHECK(level("45", 5) == CallLevel::none);
  CHECK(rating::level_of_rate(RateDeck(), "44", 5) == CallLevel::none);
}
