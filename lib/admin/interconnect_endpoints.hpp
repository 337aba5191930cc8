// Requests for what calls over an interconnect came to (B-27).
#pragma once

#include <optional>

#include "http/message.hpp"
#include "tandem/switch.hpp"

namespace tandem::admin {

/// /api/v1/interconnect/totals and checks. Nothing: the request is for something else.
std::optional<http::Response> answer_interconnect(const Switch& served,
                                                  const http::Request& request);

}  // namespace tandem::admin
