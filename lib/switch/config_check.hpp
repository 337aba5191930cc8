// What a configuration must hold beyond the shape of its keys: references, ranges that depend on
// each other.
#pragma once

#include <vector>

#include "tandem/config.hpp"

namespace tandem {

/// Appends an error for each broken rule. Pointers name the place in the file.
void check_config(const SwitchConfig& config, std::vector<ConfigError>& errors);

}  // namespace tandem
