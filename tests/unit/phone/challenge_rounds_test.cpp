// Who is challenged again and again (P-04).
#include "phone/challenge_rounds.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace tandem;
using namespace tandem::phone;

namespace {

constexpr std::int64_t second_us = 1'000'000;
const RoundRules three{3, 10 * second_us};

IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }

}  // namespace

TEST_CASE("ChallengeRounds: so many of one Call-ID and address, in so much time (P-04)") {
  ChallengeRounds rounds;
  const IpAddress here = ip("192.0.2.1");
  for (int i = 0; i < 3; ++i) {
    CHECK_FALSE(rounds.is_exhausted("a@h", here, three, i * second_us));
    rounds.note("a@h", here, three, i * second_us);
  }
  CHECK(rounds.is_exhausted("a@h", here, three, 3 * second_us));
  CHECK(rounds.is_exhausted("a@h", here, three, 10 * second_us - 1));
  CHECK_FALSE(rounds.is_exhausted("b@h", here, three, 3 * second_us));
  CHECK_FALSE(rounds.is_exhausted("a@h", ip("192.0.2.2"), three, 3 * second_us));
  CHECK_FALSE(rounds.is_exhausted("a@h", here, three, 10 * second_us));
  rounds.note("a@h", here, three, 10 * second_us);  // the first of another time
  CHECK_FALSE(rounds.is_exhausted("a@h", here, three, 11 * second_us));
}

TEST_CASE("ChallengeRounds: a challenge that was answered ends the count (P-04)") {
  ChallengeRounds rounds;
  const IpAddress here = ip("192.0.2.1");
  rounds.forget("a@h", here);
  for (int i = 0; i < 3; ++i)
    rounds.note("a@h", here, three, 0);
  rounds.forget("b@h", here);
  CHECK(rounds.is_exhausted("a@h", here, three, 0));
  rounds.forget("a@h", here);
  CHECK_FALSE(rounds.is_exhausted("a@h", here, three, 0));
}

TEST_CASE("ChallengeRounds: however many there are, nobody is refused for others (P-04)") {
  ChallengeRounds rounds;
  const IpAddress here = ip("192.0.2.1");
  std::size_t refused = 0;
  for (std::size_t i = 0; i < 4 * ChallengeRounds::places_max; ++i) {
    const std::string call_id = std::to_string(i);
    refused += rounds.is_exhausted(call_id, here, three, 0) ? 1 : 0;
    for (int round = 0; round < 3; ++round)
      rounds.note(call_id, here, three, 0);
    CHECK(rounds.is_exhausted(call_id, here, three, 0));
  }
  CHECK(refused == 0);
}
