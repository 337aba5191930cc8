// Why a call took the vendors that it took: each candidate that it came to, as a record carries it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/error.hpp"
#include "tandem/export.h"
#include "tandem/route_table.hpp"
#include "tandem/values.hpp"

namespace tandem {

/// A candidate that a call came to: tried, or passed over for a reason. What it is ordered
/// by is of the moment of the call, and only what its order looked at is there.
struct RouteChoice {
  std::string vendor_gateway;
  std::uint32_t rank = 0;  ///< Place among the candidates, from 0.
  std::string prefix;      ///< The part of the number that matched.
  bool is_protect = false;
  std::uint16_t priority = 0;
  std::uint32_t load_calls = 0;       ///< Calls of the vendor, counted where there is a limit, ...
  std::int32_t load_limit = -1;       ///< ... and its lines; -1: without a limit.
  std::int16_t answer_percent = -1;   ///< -1: not known or not looked at.
  Amount price;                       ///< Of `price_per_s` seconds.
  std::int64_t price_per_s = 0;       ///< 0: not known or not looked at.
  Reason passed_over = Reason::none;  ///< none: it was tried.
  std::string rule;  ///< The setting that it was passed over for; "" when there is none.
  bool operator==(const RouteChoice&) const = default;
};

/// How many of the candidates that a call came to are in its record, from the first on.
inline constexpr std::size_t route_choices_max = 64;

/// Adds "8:vendor-1 0 44 p1 l3/30 tried;" to `out`: length and name of the gateway, rank, prefix
/// ("-" for the empty one), and by their letters what it is ordered by: x protect, p priority, l
/// load, a percentage of answers, c price in 1e-8 and its seconds; then "tried", or the name of the
/// reason and after a colon the setting.
TANDEM_EXPORT void append_route_choice(std::string& out, const RouteCandidate& candidate,
                                       std::string_view vendor_gateway, std::int32_t line_limit,
                                       Reason passed_over, std::string_view rule);

/// Reads such a text, `Cdr::choices`. Errors: invalid_argument.
TANDEM_EXPORT Result<std::vector<RouteChoice>> parse_route_choices(std::string_view text);

}  // namespace tandem
