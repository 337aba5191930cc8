#include "route/caller_pool.hpp"

#include <doctest/doctest.h>

#include <map>
#include <thread>
#include <vector>

using namespace tandem;
using route::CallerPool;
using route::PoolNumber;
using route::PoolRotation;

namespace {

struct Registry {
  route::LineCounters lines;
  route::ById<route::PoolTurn> turns;
  CallerPool pool(std::vector<std::string> numbers, int calls_per_number = 1,
                  PoolRotation rotation = PoolRotation::poll, const char* id = "v1") {
    return CallerPool(id, std::move(numbers), calls_per_number, rotation, lines, turns);
  }
};

}  // namespace

TEST_CASE("CallerPool: R-24 three numbers serve three calls, the fourth gets none") {
  Registry registry;
  const CallerPool pool = registry.pool({"101", "102", "103"});
  SeededRandom random(1);
  std::vector<PoolNumber> lent;
  for (const char* expected : {"101", "102", "103"}) {
    CHECK(pool.look(random).number == expected);
    lent.push_back(pool.take(random));
    CHECK(lent.back().number == expected);
    CHECK(lent.back().line.held());
  }
  CHECK(pool.take(random).number.empty());
  CHECK(pool.look(random).number.empty());
  lent.erase(lent.begin() + 1);
  CHECK(pool.take(random).number == "102");
  lent.clear();
}

TEST_CASE("CallerPool: R-24 poll goes on behind the last number, busy or not") {
  Registry registry;
  const CallerPool pool = registry.pool({"1", "2", "3"}, 2);
  SeededRandom random(1);
  std::vector<PoolNumber> lent;
  std::string order;
  for (int i = 0; i < 6; ++i) {
    lent.push_back(pool.take(random));
    order += lent.back().number;
  }
  CHECK(order == "123123");
  CHECK(pool.take(random).number.empty());
  lent.clear();
  CHECK(pool.take(random).number == "1");
}

TEST_CASE("CallerPool: R-24 0 calls per number is no limit, and an empty pool lends nothing") {
  Registry registry;
  const CallerPool pool = registry.pool({"1"}, 0);
  SeededRandom random(1);
  std::vector<PoolNumber> lent;
  for (int i = 0; i < 1000; ++i) {
    lent.push_back(pool.take(random));
    CHECK(lent.back().number == "1");
  }
  CHECK(registry.pool({}).take(random).number.empty());
  CHECK_FALSE(CallerPool().is_used());
}

TEST_CASE("CallerPool: R-24 random gives every free number the same chance") {
  Registry registry;
  const CallerPool pool =
      registry.pool({"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}, 1, PoolRotation::random);
  SeededRandom random(9);
  std::vector<PoolNumber> held;
  while (held.size() < 8) {  // leaves two, so that most draws miss
    PoolNumber lent = pool.take(random);
    if (lent.number != "c" && lent.number != "h") held.push_back(std::move(lent));
  }
  std::map<std::string_view, int> counts;
  for (int i = 0; i < 4000; ++i)
    ++counts[pool.take(random).number];
  CHECK(counts.size() == 2);
  CHECK(counts["c"] > 1800);
  CHECK(counts["c"] < 2200);
}

TEST_CASE("CallerPool: R-24 calls are counted for each gateway, across tables") {
  Registry registry;
  SeededRandom random(1);
  const CallerPool first = registry.pool({"1", "2"});
  PoolNumber lent = first.take(random);
  CHECK(lent.number == "1");
  const CallerPool next = registry.pool({"1", "2", "3"});  // a reload
  CHECK(next.take(random).number == "2");
  const PoolNumber third = next.take(random);
  CHECK(third.number == "3");
  CHECK(registry.pool({"1"}, 1, PoolRotation::poll, "v2").take(random).number == "1");
  CHECK(registry.pool({"1"}).take(random).number.empty());
}

TEST_CASE("CallerPool: R-24 threads never show a number more often than allowed") {
  Registry registry;
  const CallerPool pool = registry.pool({"0", "1", "2", "3", "4"}, 2);
  std::atomic<int> shown[5] = {}, wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      SeededRandom random(static_cast<std::uint64_t>(t));
      std::vector<PoolNumber> held;
      const auto give_back = [&] {
        --shown[held.back().number[0] - '0'];
        held.pop_back();
      };
      for (int i = 0; i < 50'000; ++i) {
        if (held.size() < 4 && random.below(2) == 0) {
          PoolNumber lent = pool.take(random);
          if (lent.number.empty()) continue;
          if (++shown[lent.number[0] - '0'] > 2) ++wrong;
          held.push_back(std::move(lent));
        } else if (!held.empty()) {
          give_back();
        }
      }
      while (!held.empty())
        give_back();
    });
  }
  for (std::thread& thread : threads)
    thread.join();
  CHECK(wrong == 0);
  for (int number = 0; number < 5; ++number)
    CHECK(registry.lines.current("v1|" + std::to_string(number)) == 0);
}
