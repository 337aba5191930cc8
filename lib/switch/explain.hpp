// The judgement of a call as JSON, by the code that judges calls.
#pragma once

#include <memory>
#include <string>

#include "call/tables.hpp"
#include "tandem/clock.hpp"
#include "tandem/switch.hpp"

namespace tandem {

/// Takes no line, no money and no turn. Errors: invalid_argument (the request's values), not_found
/// (`from`).
Result<std::string> explain_call(std::shared_ptr<const call::Tables> tables,
                                 call::SharedState& state, Random& random, const Clock& clock,
                                 const ExplainRequest& request);

}  // namespace tandem
