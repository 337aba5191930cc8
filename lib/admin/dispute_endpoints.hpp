// Disputed records (O-09).
#pragma once

#include <optional>

#include "http/message.hpp"
#include "tandem/switch.hpp"

namespace tandem::admin {

/// /api/v1/disputes, /api/v1/cdrs/ID/dispute and /api/v1/cdrs/ID/resolution. Nothing: the request
/// is for something else.
std::optional<http::Response> answer_dispute(Switch& served, const http::Request& request);

}  // namespace tandem::admin
