// rating-oracle: random tariffs and calls, rated twice, for as long as one likes.
//
//     rating-oracle [CALLS [SEED]]
//
// CALLS: 10,000,000 unless given. Exit status 1 when a charge was wrong; the seed and the number of
// the million in which it was find it again. The test unit_rating runs a million of these.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "unit/rating/oracle.hpp"

int main(int count, char** words) {
  constexpr std::int64_t part = 1'000'000;
  const std::int64_t calls = count > 1 ? std::atoll(words[1]) : 10 * part;
  const auto seed = static_cast<std::uint64_t>(count > 2 ? std::atoll(words[2]) : 1);
  std::int64_t differences = 0;
  for (std::int64_t done = 0; done < calls; done += part) {
    const auto verdict = tandem::oracle::compare(seed + static_cast<std::uint64_t>(done / part),
                                                 std::min(part, calls - done));
    differences += verdict.differences;
    if (verdict.differences != 0) {
      std::printf("seed %llu: %lld differences\n",
                  static_cast<unsigned long long>(seed + static_cast<std::uint64_t>(done / part)),
                  static_cast<long long>(verdict.differences));
    }
  }
  std::printf("%lld calls, %lld differences\n", static_cast<long long>(calls),
              static_cast<long long>(differences));
  return differences == 0 ? 0 : 1;
}
