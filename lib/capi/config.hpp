// Configurations and questions as the functions of the C API are given them.
#pragma once

#include "tandem/config.hpp"
#include "tandem/switch.hpp"
#include "tandem/tandem.h"

namespace tandem::sim {
class World;
}

namespace tandem::capi {

/// Errors: invalid_argument (NULL, or the first error that reading it found).
Result<const SwitchConfig*> usable_config(const tandem_config* config);
/// As tandem_switch_create(), in a simulation. Takes what `hooks` says also when there is no world.
int create_switch_in(sim::World& world, const tandem_config* config,
                     const tandem_switch_hooks* hooks, tandem_switch** out);
Result<ExplainRequest> read_explain_request(const tandem_explain_request* given);

}  // namespace tandem::capi
