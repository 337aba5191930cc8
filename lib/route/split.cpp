#include "route/split.hpp"

#include <algorithm>
#include <numeric>

namespace tandem::route {

SplitSchedule::SplitSchedule(std::span<const std::int32_t> shares) {
  std::int32_t divisor = 0;
  std::int64_t total = 0;
  for (const std::int32_t share : shares) {
    divisor = std::gcd(divisor, share);
    total += share;
  }
  const std::int64_t length = total / divisor;
  round_.reserve(static_cast<std::size_t>(length));
  // Each entry gains its share for every call; who has most is next and pays the whole round.
  std::vector<std::int64_t> credit(shares.size(), 0);
  for (std::int64_t call = 0; call < length; ++call) {
    for (std::size_t i = 0; i < shares.size(); ++i)
      credit[i] += shares[i] / divisor;
    const auto next = std::max_element(credit.begin(), credit.end());
    *next -= length;
    round_.push_back(static_cast<std::uint8_t>(next - credit.begin()));
  }
}

}  // namespace tandem::route
