// What a rate said of calls that are over.
#pragma once

#include <cstdint>
#include <string_view>

#include "tandem/rating.hpp"

namespace tandem::rating {

/// Level of the rate of exactly this prefix that applied at `at_us`; that of its latest rate when
/// none of those that the deck still has did. None: it has no rate of the prefix.
CallLevel level_of_rate(const RateDeck& deck, std::string_view prefix, std::int64_t at_us);

}  // namespace tandem::rating
