#include "call/retired_tables.hpp"

#include <doctest/doctest.h>

#include <thread>
#include <vector>

using namespace tandem::call;

TEST_CASE("RetiredTables: the last user frees nothing, free_all() does") {
  const auto retired = std::make_shared<RetiredTables>();
  auto made = std::make_shared<const Tables>();
  const std::weak_ptr<const Tables> alive = made;
  auto used = retired->watch(std::move(made));
  const Tables* const raw = used.get();
  CHECK(raw == alive.lock().get());
  CHECK(retired->free_all() == 0);
  auto call = used;
  used.reset();
  CHECK(retired->free_all() == 0);
  call.reset();
  CHECK_FALSE(alive.expired());
  CHECK(retired->free_all() == 1);
  CHECK(alive.expired());
}

TEST_CASE("RetiredTables: after close() nothing waits any more") {
  const auto retired = std::make_shared<RetiredTables>();
  auto first = std::make_shared<const Tables>(), second = std::make_shared<const Tables>();
  const std::weak_ptr<const Tables> waiting = first, late = second;
  retired->watch(std::move(first)).reset();
  auto used = retired->watch(std::move(second));
  retired->close();
  CHECK(waiting.expired());
  used.reset();
  CHECK(late.expired());
}

TEST_CASE("RetiredTables: tables outlive their collector, and many threads may drop them") {
  auto retired = std::make_shared<RetiredTables>();
  std::vector<std::thread> threads;
  std::vector<std::weak_ptr<const Tables>> alive;
  for (int t = 0; t < 4; ++t) {
    std::vector<std::shared_ptr<const Tables>> own;
    for (int i = 0; i < 100; ++i) {
      own.push_back(retired->watch(std::make_shared<const Tables>()));
      alive.emplace_back(own.back());
    }
    threads.emplace_back([own = std::move(own)]() mutable { own.clear(); });
  }
  std::size_t freed = 0;
  for (int i = 0; i < 100; ++i)
    freed += retired->free_all();
  for (std::thread& thread : threads)
    thread.join();
  freed += retired->free_all();
  CHECK(freed == 400);
  for (const auto& one : alive)
    CHECK(one.expired());
}
