#include "route/split.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using tandem::route::SplitSchedule;

namespace {

std::string round_of(const std::vector<std::int32_t>& shares) {
  const SplitSchedule schedule(shares);
  std::string text;
  for (std::size_t i = 0; i < schedule.round_length(); ++i)
    text += static_cast<char>('a' + schedule.entry(i));
  return text;
}

}  // namespace

TEST_CASE("SplitSchedule: R-19 short runs have the shares already") {
  CHECK(round_of({3, 1}) == "aaba");
  CHECK(round_of({5, 1, 1}) == "aabacaa");
  CHECK(round_of({1}) == "a");
  CHECK(round_of({50, 50}) == "ab");
  CHECK(round_of({1000, 500, 250}) == round_of({4, 2, 1}));
}

TEST_CASE("SplitSchedule: R-19 no entry is ever a whole call away from its share") {
  const std::vector<std::int32_t> shares = {70, 20, 7, 3};
  const SplitSchedule schedule(shares);
  std::vector<int> counts(shares.size(), 0);
  for (int call = 1; call <= 1000; ++call) {
    ++counts[schedule.entry(static_cast<std::uint64_t>(call - 1))];
    for (std::size_t i = 0; i < shares.size(); ++i) {
      const int off = counts[i] * 100 - shares[i] * call;  // in hundredths of a call
      CHECK(off > -200);
      CHECK(off < 200);
    }
  }
  CHECK(counts == std::vector<int>{700, 200, 70, 30});
}
