#include "media/port_pool.hpp"

#include <doctest/doctest.h>

#include <map>

using tandem::media::PortPool;

namespace {

constexpr std::int64_t second_us = 1'000'000;

struct Strays {
  std::map<std::uint32_t, std::int64_t> at_us;
  PortPool::StrayTime time() {
    return [this](std::uint32_t slot) {
      const auto found = at_us.find(slot);
      return found == at_us.end() ? std::int64_t{0} : found->second;
    };
  }
};

}  // namespace

TEST_CASE("Port pool: pairs are bound in order and a failed one comes last") {
  Strays strays;
  PortPool pool(100, 3, 1, 0, strays.time());
  CHECK(pool.next_unbound() == 100u);
  pool.not_bound(100);
  CHECK(pool.next_unbound() == 102u);
  CHECK(pool.next_unbound() == 104u);
  CHECK(pool.next_unbound() == 100u);
  CHECK_FALSE(pool.next_unbound());
}

TEST_CASE("Port pool: a pair that is wanted by its number is taken out of its turn, once") {
  Strays strays;
  PortPool pool(0, 3, 1, 0, strays.time());
  CHECK(pool.reserve(2));
  CHECK_FALSE(pool.reserve(2));
  CHECK_FALSE(pool.reserve(6));
  CHECK(pool.next_unbound() == 0U);
  CHECK(pool.next_unbound() == 4U);
  CHECK_FALSE(pool.next_unbound());
}

TEST_CASE("Port pool: a used pair rests, one that was not used is ready at once") {
  Strays strays;
  PortPool pool(0, 2, 1, 2 * second_us, strays.time());
  pool.bound(0, 0, true);
  pool.bound(0, 2, true);
  CHECK(pool.take(0, 0) == 0u);
  CHECK(pool.take(0, 0) == 2u);
  pool.give_back(0, 0, true, second_us);
  pool.give_back(0, 2, false, second_us);
  CHECK(pool.resting_pairs() == 1);
  CHECK(pool.take(0, second_us) == 2u);
  CHECK_FALSE(pool.take(0, 3 * second_us - 1));
  CHECK(pool.take(0, 3 * second_us) == 0u);
}

TEST_CASE("Port pool: the pair that rested longest is used first") {
  Strays strays;
  PortPool pool(0, 3, 1, 0, strays.time());
  for (const std::uint32_t slot : {0u, 2u, 4u})
    pool.bound(0, slot, true);
  CHECK(pool.take(0, 1) == 0u);
  pool.give_back(0, 0, true, 2);
  CHECK(pool.take(0, 3) == 2u);
  CHECK(pool.take(0, 3) == 4u);
  CHECK(pool.take(0, 3) == 0u);
}

TEST_CASE("Port pool: a pair that still hears its old call rests on, but not for ever") {
  Strays strays;
  PortPool pool(0, 1, 1, 2 * second_us, strays.time());
  pool.bound(0, 0, true);
  CHECK(pool.take(0, 0) == 0u);
  pool.give_back(0, 0, true, 10 * second_us);
  std::int64_t now_us = 10 * second_us;
  int refused = 0;
  for (; refused < 100; ++refused) {
    now_us += second_us;
    strays.at_us[1] = now_us;
    if (pool.take(0, now_us)) break;
  }
  CHECK(refused >= 28);
  CHECK(refused <= 32);
}

TEST_CASE("Port pool: shards do not take each other's pairs") {
  Strays strays;
  PortPool pool(0, 2, 2, 0, strays.time());
  pool.bound(1, 0, true);
  CHECK_FALSE(pool.take(0, 0));
  CHECK(pool.take(1, 0) == 0u);
  CHECK(pool.is_short(0, 1));
}
