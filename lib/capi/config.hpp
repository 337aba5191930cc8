// Configurations and questions as the functions of the C API are given them.
#pragma once

#include "tandem/config.hpp"
#include "tandem/switch.hpp"
#include "tandem/tandem.h"

namespace tandem::capi {

/// Errors: invalid_argument (NULL, or the first error that reading it found).
Result<const SwitchConfig*> usable_config(const tandem_config* config);
Result<ExplainRequest> read_explain_request(const tandem_explain_request* given);

}  // namespace tandem::capi
