#include "base/parallel.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <stdexcept>
#include <vector>

using namespace tandem;

TEST_CASE("for_each_piece: every piece is worked on once, whatever the number of threads") {
  for (const unsigned threads : {0u, 1u, 2u, 7u}) {
    for (const std::size_t count :
         {std::size_t{0}, std::size_t{1}, std::size_t{2}, std::size_t{500}}) {
      std::vector<std::atomic<int>> worked(count);
      for_each_piece(count, threads, "test-pieces", [&](std::size_t i) { ++worked[i]; });
      for (const std::atomic<int>& times : worked)
        CHECK(times == 1);
    }
  }
}

TEST_CASE("for_each_piece: an exception comes out and ends the work") {
  std::atomic<int> worked{0};
  CHECK_THROWS_AS(for_each_piece(1'000'000, 3, "test-pieces",
                                 [&](std::size_t i) {
                                   ++worked;
                                   if (i == 10) throw std::runtime_error("piece 10");
                                 }),
                  std::runtime_error);
  CHECK(worked < 1'000'000);
}
