#include "tandem/billing_prefixes.hpp"

#include <algorithm>

namespace tandem {
namespace {

constexpr std::int32_t characters_max = 31;  // a number has at most one more

/// Whether some rate's prefix begins with `prefix`: rates lie in order of their prefixes.
bool has_rates_under(const RateDeck& deck, std::string_view prefix) noexcept {
  std::size_t first = 0;
  std::size_t count = deck.size();
  while (count > 0) {
    const std::size_t half = count / 2;
    if (deck.at(first + half).prefix < prefix) {
      first += half + 1;
      count -= half + 1;
    } else {
      count = half;
    }
  }
  return first < deck.size() && deck.at(first).prefix.starts_with(prefix);
}

}  // namespace

Result<void> check_route_prefixes(const RoutePrefixes& prefixes) {
  if (prefixes.characters < 0 || prefixes.characters > characters_max) {
    return Error{ErrorCode::invalid_argument, std::to_string(prefixes.characters) +
                                                  " characters of a route prefix were not 0..31"};
  }
  if (prefixes.characters != 0 && !prefixes.prefixes.empty())
    return Error{ErrorCode::invalid_argument, "route prefixes were both a count and a list"};
  if (prefixes.prefixes.size() > RoutePrefixes::prefixes_max) {
    return Error{ErrorCode::limit, "list of " + std::to_string(prefixes.prefixes.size()) +
                                       " route prefixes was longer than " +
                                       std::to_string(RoutePrefixes::prefixes_max)};
  }
  for (std::size_t i = 0; i < prefixes.prefixes.size(); ++i) {
    if (!is_number(prefixes.prefixes[i])) {
      return Error{ErrorCode::invalid_argument, "route prefix " + std::to_string(i + 1) +
                                                    " of the list was not 1..32 characters of a "
                                                    "number"};
    }
  }
  return {};
}

BillingPrefixes::BillingPrefixes(const RoutePrefixes& prefixes, const RateDeck& deck)
    : characters_(static_cast<std::size_t>(prefixes.characters)) {
  for (const std::string& prefix : prefixes.prefixes) {
    if (has_rates_under(deck, prefix)) continue;
    shortest_ = prefixes_.empty() ? prefix.size() : std::min(shortest_, prefix.size());
    longest_ = std::max(longest_, prefix.size());
    prefixes_.push_back(prefix);
  }
  std::sort(prefixes_.begin(), prefixes_.end());
}

std::size_t BillingPrefixes::length_in(std::string_view callee) const noexcept {
  if (callee.size() <= 1) return 0;
  if (characters_ != 0) return characters_ < callee.size() ? characters_ : 0;
  if (prefixes_.empty()) return 0;
  for (std::size_t length = std::min(longest_, callee.size() - 1); length >= shortest_; --length) {
    if (std::binary_search(prefixes_.begin(), prefixes_.end(), callee.substr(0, length)))
      return length;
  }
  return 0;
}

}  // namespace tandem
