// Prefixes that steer routing and are no part of the number that is rated (B-14).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/error.hpp"
#include "tandem/export.h"
#include "tandem/rating.hpp"

namespace tandem {

/// What the parameter `gateway_route_prefix` says: prefixes, or how many characters are one.
struct RoutePrefixes {
  static constexpr std::size_t prefixes_max = 10'000;

  std::vector<std::string> prefixes;  ///< Each 1..32 characters of a number.
  std::int32_t characters = 0;        ///< 0..31; not 0: so many are taken off every longer number.
  bool operator==(const RoutePrefixes&) const = default;
};
/// Errors: invalid_argument (both forms at once, a prefix that is no number, a count out of range),
/// limit.
TANDEM_EXPORT Result<void> check_route_prefixes(const RoutePrefixes& prefixes);

/// Route prefixes as one deck sees them: where one of its rates begins with a listed prefix, that
/// prefix is part of the numbers that it prices and stays.
///
/// Threading: immutable; any number of threads may call it at once.
class TANDEM_EXPORT BillingPrefixes {
 public:
  BillingPrefixes() noexcept = default;  ///< Takes nothing off.
  /// `prefixes` must have passed check_route_prefixes(). O(prefixes * log(rates)).
  BillingPrefixes(const RoutePrefixes& prefixes, const RateDeck& deck);

  /// How many characters at the start of `callee` are not rated: the longest such prefix, once. At
  /// least one character of a number is left.
  [[nodiscard]] std::size_t length_in(std::string_view callee) const noexcept;
  [[nodiscard]] bool empty() const noexcept { return prefixes_.empty() && characters_ == 0; }

 private:
  std::vector<std::string> prefixes_;  // sorted
  std::size_t shortest_ = 0, longest_ = 0;
  std::size_t characters_ = 0;
};

}  // namespace tandem
