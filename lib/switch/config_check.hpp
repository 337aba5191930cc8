// What a configuration must hold beyond the shape of its keys: references, ranges that depend on
// each other.
#pragma once

#include <vector>

#include "tandem/config.hpp"

namespace tandem {

/// Appends an error for each broken rule. Pointers name the place in the file.
void check_config(const SwitchConfig& config, std::vector<ConfigError>& errors);

/// Appends an error for each phone of `after` that another account has than in `before`, in another
/// currency, while it has orders or monthly rules that it had before: their amounts would become
/// others.
void check_moved_phones(const SwitchConfig& before, const SwitchConfig& after,
                        std::vector<ConfigError>& errors);

/// Refuses another zone where a sink keeps sums of the days of the former one: it would go on with
/// those, and the next start would refuse both.
void check_zone_of_slots(const SwitchConfig& before, const SwitchConfig& after,
                         std::vector<ConfigError>& errors);

/// read_config() that stays inside of the text: deck files are not read and host names not asked
/// for (they give no address). For fuzzing.
ConfigReading read_config_alone(std::string_view json);

}  // namespace tandem
