// Old entries of the ledger are judged by a time that a wrong clock does not take along.
#include "base/retention_clock.hpp"

#include <doctest/doctest.h>

using namespace tandem;

namespace {
constexpr std::int64_t second_us = 1'000'000;
constexpr std::int64_t day_us = 86'400 * second_us;
constexpr std::int64_t begin_us = 1'000 * day_us;
}  // namespace

TEST_CASE("Retention clock: goes with the wall clock, and not further than it (B-03)") {
  RetentionClock clock(begin_us, 5);
  for (std::int64_t s = 1; s <= 100; ++s)
    REQUIRE(clock.advance(begin_us + s * second_us, 5 + s * second_us) == begin_us + s * second_us);
  // The wall clock is set back: judged is by it, known stays what was known.
  CHECK(clock.advance(begin_us, 5 + 101 * second_us) == begin_us);
  CHECK(clock.known_us() == begin_us + 100 * second_us);
}

TEST_CASE("Retention clock: a step ahead is followed by a day an hour (B-03)") {
  RetentionClock clock(begin_us, 0);
  const std::int64_t wrong_us = begin_us + 400 * day_us;
  CHECK(clock.advance(wrong_us, 10 * second_us) == begin_us + 240 * second_us);
  // Put right again: nothing of it is left but these minutes, which are made up for.
  CHECK(clock.advance(begin_us + 20 * second_us, 20 * second_us) == begin_us + 20 * second_us);
  CHECK(clock.advance(begin_us + 300 * second_us, 300 * second_us) == begin_us + 300 * second_us);
  CHECK(clock.advance(wrong_us, 300 * second_us + day_us / 24) ==
        begin_us + 300 * second_us + day_us);
  CHECK(clock.advance(wrong_us, 400 * day_us) == wrong_us);
}
