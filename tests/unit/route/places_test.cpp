// Which place of a name is tried next.
#include "route/places.hpp"

#include <doctest/doctest.h>

#include <array>
#include <memory>
#include <string>

using namespace tandem;
using namespace tandem::route;

namespace {

Place place(const std::string& address, std::uint32_t rank, std::uint32_t host,
            std::uint16_t weight) {
  Place one;
  one.health = std::make_shared<AddressHealth>(SocketAddress::parse(address).value());
  one.rank = rank;
  one.host = host;
  one.weight = weight;
  return one;
}

}  // namespace

TEST_CASE("next_place: ranks come in order, and one that is not usable is passed over") {
  const Places places = {place("10.0.0.1:5060", 0, 0, 0), place("10.0.0.2:5060", 1, 1, 0),
                         place("10.0.0.3:5060", 2, 2, 0)};
  CHECK(next_place(places, 0, 17, 0) == 0U);
  CHECK(next_place(places, 1, 17, 0) == 1U);
  CHECK(next_place(places, 0b011, 17, 0) == 2U);
  CHECK_FALSE(next_place(places, 0b111, 17, 0));
  places[0].health->close_for(10, 0);
  CHECK(next_place(places, 0, 17, 1) == 1U);
  CHECK(next_place(places, 0, 17, 10'000'001) == 0U);
  CHECK_FALSE(next_place({}, 0, 17, 0));
}

TEST_CASE("next_place: weights share equal ranks, weight 0 hardly ever comes first (RFC 2782)") {
  const Places places = {place("10.0.0.1:5060", 0, 0, 0), place("10.0.0.2:5060", 0, 1, 1),
                         place("10.0.0.3:5060", 0, 2, 3)};
  std::array<int, 3> chosen{};
  for (std::uint64_t draw = 0; draw < 5'000; ++draw)
    ++chosen[*next_place(places, 0, draw, 0)];
  CHECK(chosen == std::array<int, 3>{1'000, 1'000, 3'000});  // of sum + 1 outcomes
  // Once the heavy one was tried the others are left.
  CHECK(*next_place(places, 0b100, 0, 0) == 0U);
  CHECK(*next_place(places, 0b100, 1, 0) == 1U);
}

TEST_CASE("next_place: a host that was begun with is tried to its end, equals have equal chances") {
  const Places places = {place("10.0.0.1:5060", 0, 0, 5), place("10.0.0.2:5060", 0, 0, 5),
                         place("10.0.0.3:5060", 0, 1, 50'000)};
  for (std::uint64_t draw = 0; draw < 100; ++draw)
    CHECK(*next_place(places, 0b001, draw, 0) == 1U);
  const Places equal = {place("10.0.0.1:5060", 0, 0, 0), place("10.0.0.2:5060", 0, 0, 0)};
  std::array<int, 2> chosen{};
  for (std::uint64_t draw = 0; draw < 100; ++draw)
    ++chosen[*next_place(equal, 0, draw, 0)];
  CHECK(chosen == std::array<int, 2>{50, 50});
}

TEST_CASE("next_bearing_place: a place that keeps the call back is passed over (RFC 7339)") {
  const Places places = {place("10.0.0.1:5060", 0, 0, 0), place("10.0.0.2:5060", 1, 1, 0),
                         place("10.0.0.3:5060", 2, 2, 0)};
  SeededRandom random(1);
  TriedPlaces tried = 0;
  CHECK(next_bearing_place(places, tried, random, 0) == 0U);
  CHECK(tried == 0);
  places[0].health->note_loss(100, 1'000'000, 1, 0);
  CHECK(next_bearing_place(places, tried, random, 0) == 1U);
  CHECK(tried == 0b001);
  tried = 0b010;
  CHECK(next_bearing_place(places, tried, random, 0) == 2U);
  places[2].health->note_loss(100, 1'000'000, 1, 0);
  tried = 0b010;
  CHECK_FALSE(next_bearing_place(places, tried, random, 0));
  CHECK(tried == 0b111);
  tried = 0;
  CHECK(next_bearing_place(places, tried, random, 1'000'000) == 0U);
  places[0].health->note_loss(40, 1'000'000, 2, 2'000'000);
  int first = 0;
  for (int i = 0; i < 1'000; ++i) {
    tried = 0;
    first += next_bearing_place(places, tried, random, 2'000'000) == 0U ? 1 : 0;
  }
  CHECK(first > 538);  // 600, give or take four standard deviations
  CHECK(first < 662);
}
