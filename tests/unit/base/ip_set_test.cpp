#include "tandem/ip_set.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tandem/clock.hpp"

using namespace tandem;

namespace {

IpAddress ip(std::string_view text) { return IpAddress::parse(text).value(); }
IpRange range(std::string_view text) { return IpRange::parse(text).value(); }

}  // namespace

TEST_CASE("IpRange: addresses, blocks, pairs and counts are read, others are named") {
  CHECK(range("10.0.0.7") == IpRange{ip("10.0.0.7"), ip("10.0.0.7")});
  CHECK(range("10.0.0.0/23") == IpRange{ip("10.0.0.0"), ip("10.0.1.255")});
  CHECK(range("10.0.0.9/23") == range("10.0.0.0/23"));
  CHECK(range("10.0.0.1-10.0.2.3").to_string() == "10.0.0.1-10.0.2.3");
  CHECK(range("2001:db8::/126") == IpRange{ip("2001:db8::"), ip("2001:db8::3")});
  CHECK(range("0.0.0.0/0") == IpRange{ip("0.0.0.0"), ip("255.255.255.255")});
  CHECK(range("10.0.0.7").to_string() == "10.0.0.7");
  CHECK(IpRange::of_count(ip("203.0.113.0"), 256).value() == range("203.0.113.0/24"));
  CHECK(IpRange::of_count(ip("10.0.0.255"), 2).value() == range("10.0.0.255-10.0.1.0"));
  CHECK(IpRange::of_count(ip("2001:db8::ffff"), 2).value().last == ip("2001:db8::1:0"));
  for (const char* text : {"", "10.0.0.0/33", "10.0.0.2-10.0.0.1", "10.0.0.1-2001:db8::1", "-", "x",
                           "10.0.0.1-", "10.0.0.1-10.0.0.2-10.0.0.3"}) {
    CAPTURE(text);
    const auto read = IpRange::parse(text);
    REQUIRE_FALSE(read.ok());
    CHECK(read.error().code == ErrorCode::invalid_argument);
  }
  CHECK_FALSE(IpRange::of_count(ip("10.0.0.1"), 0).ok());
  CHECK_FALSE(IpRange::of_count(ip("255.255.255.255"), 2).ok());
  CHECK(IpRange::of_count(ip("255.255.255.255"), 1).ok());
}

TEST_CASE("IpSet: what touches or overlaps is one range, families stay apart") {
  const IpSet set = IpSet::of({range("10.0.1.0/24"), range("10.0.0.0/24"), range("10.0.0.5"),
                               range("2001:db8::/32"), range("10.0.3.0/24")})
                        .value();
  REQUIRE(set.ranges().size() == 3);
  CHECK(set.ranges()[0] == range("10.0.0.0-10.0.1.255"));
  CHECK(set.contains(ip("10.0.0.0")));
  CHECK(set.contains(ip("10.0.1.255")));
  CHECK_FALSE(set.contains(ip("10.0.2.0")));
  CHECK_FALSE(set.contains(ip("9.255.255.255")));
  CHECK(set.contains(ip("2001:db8:ffff::1")));
  CHECK_FALSE(set.contains(ip("2001:db9::")));
  CHECK_FALSE(set.contains(IpAddress{}));
  CHECK(IpSet().is_empty());
  CHECK_FALSE(IpSet().contains(ip("10.0.0.1")));
  CHECK(IpSet::of({}).value().is_empty());
  CHECK_FALSE(IpSet::of({IpRange{ip("10.0.0.2"), ip("10.0.0.1")}}).ok());
  CHECK_FALSE(IpSet::of({IpRange{}}).ok());
}

TEST_CASE("IpSet: any ranges hold what a walk over them says") {
  SeededRandom random(7);
  for (int round = 0; round < 50; ++round) {
    CAPTURE(round);
    const auto draw = [&] {
      return IpAddress::ipv4(10, 0, 0, static_cast<std::uint8_t>(random.below(256)));
    };
    std::vector<IpRange> ranges;
    for (std::uint64_t i = random.below(12); i > 0; --i) {
      const IpAddress a = draw(), b = draw();
      ranges.push_back({std::min(a, b), std::max(a, b)});
    }
    const IpSet set = IpSet::of(ranges).value();
    for (int last = 0; last < 256; ++last) {
      const IpAddress one = IpAddress::ipv4(10, 0, 0, static_cast<std::uint8_t>(last));
      const bool expected = std::any_of(ranges.begin(), ranges.end(), [&](const IpRange& each) {
        return each.first <= one && one <= each.last;
      });
      REQUIRE(set.contains(one) == expected);
    }
  }
}
