// Call traces (O-12).
#pragma once

#include <optional>

#include "http/message.hpp"
#include "tandem/switch.hpp"

namespace tandem::admin {

/// /api/v1/traces, /api/v1/traces/ID, its /stop, /calls and /calls/CALL. Nothing: the request is
/// for something else.
std::optional<http::Response> answer_trace(Switch& served, const http::Request& request);

}  // namespace tandem::admin
