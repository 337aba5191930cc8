// Who has guessed too often (S-08), and what a source may send (S-09).
#include "phone/suspensions.hpp"

#include <doctest/doctest.h>

#include <string>

#include "phone/source_rates.hpp"

using namespace tandem;
using namespace tandem::phone;

namespace {

constexpr std::int64_t second_us = 1'000'000;

IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }

}  // namespace

TEST_CASE("Suspensions: six wrong passwords suspend the user at that address only (S-08)") {
  Suspensions suspensions;
  const SuspensionRules rules;
  for (int i = 0; i < 5; ++i)
    CHECK_FALSE(suspensions.note_failure("1001", ip("192.0.2.1"), rules, i * second_us));
  CHECK_FALSE(suspensions.is_suspended("1001", ip("192.0.2.1"), 5 * second_us));
  CHECK(suspensions.note_failure("1001", ip("192.0.2.1"), rules, 5 * second_us));
  CHECK(suspensions.is_suspended("1001", ip("192.0.2.1"), 5 * second_us));
  CHECK_FALSE(suspensions.is_suspended("1001", ip("192.0.2.2"), 5 * second_us));
  CHECK_FALSE(suspensions.is_suspended("1002", ip("192.0.2.1"), 5 * second_us));
  CHECK(suspensions.is_suspended("1001", ip("192.0.2.1"), 184 * second_us));
  CHECK_FALSE(suspensions.is_suspended("1001", ip("192.0.2.1"), 185 * second_us));
  const auto listed = suspensions.list(10 * second_us);
  REQUIRE(listed.size() == 1);
  CHECK(listed[0].user == "1001");
  CHECK(listed[0].left_ms == 175'000);
}

TEST_CASE("Suspensions: an address that tries many users is suspended as a whole (S-08)") {
  Suspensions suspensions;
  const SuspensionRules rules;
  for (int i = 0; i < 29; ++i)
    suspensions.note_failure(std::to_string(i), ip("192.0.2.1"), rules, 0);
  CHECK_FALSE(suspensions.is_suspended("x", ip("192.0.2.1"), 0));
  CHECK(suspensions.note_failure("29", ip("192.0.2.1"), rules, 0));
  CHECK(suspensions.is_suspended("x", ip("192.0.2.1"), 0));
  CHECK(suspensions.lift("", ip("192.0.2.1"), 0));
  CHECK_FALSE(suspensions.is_suspended("x", ip("192.0.2.1"), 0));
  CHECK_FALSE(suspensions.lift("", ip("192.0.2.1"), 0));
}

TEST_CASE("Suspensions: success forgets the failures of the pair, and time does (S-08)") {
  Suspensions suspensions;
  const SuspensionRules rules;
  for (int i = 0; i < 5; ++i)
    suspensions.note_failure("1001", ip("192.0.2.1"), rules, 0);
  suspensions.note_success("1001", ip("192.0.2.1"));
  CHECK_FALSE(suspensions.note_failure("1001", ip("192.0.2.1"), rules, 0));
  for (int i = 0; i < 4; ++i)
    suspensions.note_failure("1001", ip("192.0.2.1"), rules, 0);
  CHECK_FALSE(suspensions.note_failure("1001", ip("192.0.2.1"), rules, 200 * second_us));
  CHECK_FALSE(suspensions.is_suspended("1001", ip("192.0.2.1"), 200 * second_us));
}

TEST_CASE("Suspensions: off is off, IPv6 counts by subscriber, a user can be let in again (S-08)") {
  Suspensions suspensions;
  for (int i = 0; i < 100; ++i)
    CHECK_FALSE(suspensions.note_failure("1001", ip("192.0.2.1"), {6, 0}, 0));
  for (int i = 1; i <= 6; ++i) {
    suspensions.note_failure("1001", ip("2001:db8:1:2::" + std::to_string(i)), {}, 0);
  }
  CHECK(suspensions.is_suspended("1001", ip("2001:db8:1:2::99"), 0));
  CHECK_FALSE(suspensions.is_suspended("1001", ip("2001:db8:1:3::1"), 0));
  CHECK(suspensions.lift("1001", ip("2001:db8:1:2::7"), 0));
  CHECK_FALSE(suspensions.is_suspended("1001", ip("2001:db8:1:2::99"), 0));
}

TEST_CASE("Suspensions: memory is bounded whatever is tried (S-08)") {
  Suspensions suspensions;
  for (std::size_t i = 0; i < Suspensions::entries_max + 1000; ++i) {
    const auto byte = [i](unsigned shift) { return static_cast<std::uint8_t>(i >> shift); };
    suspensions.note_failure("u", IpAddress::ipv4(10, byte(16), byte(8), byte(0)), {1, 180}, 0);
  }
  CHECK(suspensions.list(0).size() <= Suspensions::entries_max);
}

TEST_CASE("SourceRates: a source gets its burst, then its rate, and no other pays for it (S-09)") {
  using Verdict = RegisterGate::Verdict;
  SourceRates rates(7);
  CHECK(rates.admit(ip("192.0.2.1"), 0) == Verdict::closed);
  rates.set(true, {});
  int passed = 0;
  for (int i = 0; i < 1000; ++i)
    passed += rates.admit(ip("192.0.2.1"), second_us) == Verdict::pass;
  CHECK(passed == 100);
  CHECK(rates.dropped() == 900);
  CHECK(rates.admit(ip("192.0.2.2"), second_us) == Verdict::pass);
  passed = 0;
  for (int i = 0; i < 1000; ++i)
    passed += rates.admit(ip("192.0.2.1"), 2 * second_us) == Verdict::pass;
  CHECK(passed == 20);
}

TEST_CASE("SourceRates: beyond the total some are refused, the rest is not even answered (S-09)") {
  using Verdict = RegisterGate::Verdict;
  SourceRates rates(7);
  rates.set(true, {20, 100, 200});
  int passed = 0, refused = 0, dropped = 0;
  for (std::uint32_t i = 0; i < 10'000; ++i) {
    const auto source =
        IpAddress::ipv4(10, 0, static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i));
    switch (rates.admit(source, second_us)) {
      case Verdict::pass:
        ++passed;
        break;
      case Verdict::overload:
        ++refused;
        break;
      default:
        ++dropped;
    }
  }
  CHECK(passed == 200);
  CHECK(refused == 200);
  CHECK(dropped == 9600);
  CHECK(rates.refused() == 200);
}

TEST_CASE("SourceRates: a flood from more sources than places keeps none of them alive for ever") {
  using Verdict = RegisterGate::Verdict;
  SourceRates rates(7);
  rates.set(true, {20, 5, 0});
  for (std::uint32_t i = 0; i < 200'000; ++i) {
    (void)rates.admit(
        IpAddress::ipv4(10, static_cast<std::uint8_t>(i >> 16), static_cast<std::uint8_t>(i >> 8),
                        static_cast<std::uint8_t>(i)),
        second_us);
  }
  CHECK(rates.admit(ip("192.0.2.1"), 2 * second_us) == Verdict::pass);
}
