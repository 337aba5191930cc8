// A deck of a configuration, ready to rate.
#pragma once

#include <string>

#include "tandem/config.hpp"
#include "tandem/error.hpp"
#include "tandem/rating.hpp"

namespace tandem {

/// With the schedule of its windows. Errors: invalid_argument (no such deck, or a bad one).
Result<RateDeck> deck_of(const SwitchConfig& config, const std::string& id);

}  // namespace tandem
