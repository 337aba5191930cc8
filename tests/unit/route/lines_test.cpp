#include "route/lines.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

#include "tandem/clock.hpp"

using namespace tandem;
using route::LineCounter;
using route::LineCounters;
using route::LineLease;

TEST_CASE("LineCounter: R-10 takes lines up to the limit, 0 takes none, -1 takes any number") {
  LineCounters counters;
  auto counter = counters.counter("v1");
  LineLease a = counter->try_take(2);
  LineLease b = counter->try_take(2);
  CHECK(a.held());
  CHECK(b.held());
  CHECK_FALSE(counter->try_take(2).held());
  CHECK_FALSE(counter->try_take(0).held());
  CHECK(counter->refused() == 2);
  LineLease c = counter->try_take(-1);
  CHECK(c.held());
  CHECK(counter->current() == 3);
  CHECK_FALSE(counter->try_take(1).held());  // A lowered limit touches no running call.
  CHECK(counter->current() == 3);
}

TEST_CASE("LineLease: R-10 gives its line back exactly once, whatever is done with it") {
  LineCounters counters;
  auto counter = counters.counter("v1");
  {
    LineLease a = counter->try_take(1);
    LineLease moved = std::move(a);
    CHECK_FALSE(a.held());
    a.release();
    CHECK(counter->current() == 1);
    moved.release();
    moved.release();
    CHECK(counter->current() == 0);
    moved = counter->try_take(1);
    LineLease other = counter->try_take(2);
    CHECK(counter->current() == 2);
    moved = std::move(other);
    CHECK(counter->current() == 1);
    LineLease& self = moved;
    moved = std::move(self);
    CHECK(moved.held());
  }
  CHECK(counter->current() == 0);
}

TEST_CASE("LineCounters: R-10 a call outlives the table and the registry that counted it") {
  LineLease lease;
  {
    LineCounters counters;
    RouteTable::Builder builder;
    VendorRoute v1;
    v1.gateway = "v1";
    v1.line_limit = 1;
    REQUIRE(builder.add(v1).ok());
    const RouteTable first = builder.build();
    {
      const route::VendorLines lines(first, counters);
      lease = lines.try_take(0, 0);
      REQUIRE(lease.held());
    }
    VendorRoute v0;
    v0.gateway = "v0";
    REQUIRE(builder.add(v0).ok());
    REQUIRE(builder.add(v1).ok());
    const RouteTable second = builder.build();
    const route::VendorLines lines(second, counters);
    CHECK(lines.current_calls(1) == 1);
    CHECK_FALSE(lines.try_take(1, 0).held());
    CHECK(lines.try_take(0, 0).held());
  }
  lease.release();
}

TEST_CASE("LineCounters: only what nobody holds and counts nothing is forgotten") {
  LineCounters counters;
  LineLease lease = counters.counter("busy")->try_take(-1);
  auto held = counters.counter("held");
  (void)counters.counter("idle");  // Only its being there matters.
  CHECK(counters.size() == 3);
  CHECK(counters.forget_unused() == 1);
  CHECK(counters.current("busy") == 1);
  CHECK(counters.current("idle") == 0);
  lease.release();
  held.reset();
  CHECK(counters.forget_unused() == 2);
  CHECK(counters.size() == 0);
}

TEST_CASE(
    "LineCounter: R-10 a million operations of four threads never pass a limit or go below 0") {
  constexpr int limits[] = {3, 40, 1, -1};
  constexpr int threads_count = 4, operations = 250000;
  LineCounters counters;
  std::vector<std::shared_ptr<LineCounter>> objects;
  std::vector<std::atomic<int>> truth(std::size(limits));
  for (std::size_t i = 0; i < std::size(limits); ++i) {
    objects.push_back(counters.counter("g" + std::to_string(i)));
  }
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < threads_count; ++t) {
    threads.emplace_back([&, t] {
      SeededRandom random(static_cast<std::uint64_t>(t) + 1);
      struct Held {
        LineLease lease;
        std::size_t object;
      };
      std::vector<Held> held;
      for (int i = 0; i < operations; ++i) {
        if (held.size() < 30 && random.below(2) == 0) {
          const std::size_t object = random.below(std::size(limits));
          LineLease lease = objects[object]->try_take(limits[object]);
          if (!lease.held()) continue;
          // Counted after taking and uncounted before giving back: never above the real number.
          const int now = ++truth[object];
          if (limits[object] >= 0 && now > limits[object]) ++wrong;
          held.push_back({std::move(lease), object});
        } else if (!held.empty()) {
          std::swap(held[random.below(held.size())], held.back());
          if (--truth[held.back().object] < 0) ++wrong;
          if (random.below(2) == 0) held.back().lease.release();
          held.pop_back();
        }
      }
      // Uncounted before the vector gives them back: the other threads still compare.
      for (const Held& rest : held)
        --truth[rest.object];
    });
  }
  for (std::thread& thread : threads)
    thread.join();
  CHECK(wrong == 0);
  for (const auto& object : objects)
    CHECK(object->current() == 0);
}
