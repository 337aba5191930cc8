// The judgement of a call as JSON, by the code that judges calls.
#pragma once

#include <memory>
#include <string>

#include "call/names.hpp"
#include "tandem/clock.hpp"
#include "tandem/switch.hpp"

namespace tandem {

/// Takes no line, no money and no turn. `names`: of these tables; null: nothing is known of any.
/// Errors: invalid_argument (the request's values), not_found
/// (`from`).
Result<std::string> explain_call(std::shared_ptr<const call::Tables> tables,
                                 std::shared_ptr<const call::Names> names, call::SharedState& state,
                                 Random& random, const Clock& clock, const ExplainRequest& request);

}  // namespace tandem
