// Requests that change what calls of the past were charged (B-25), or record such calls (B-26).
#pragma once

#include <optional>

#include "http/message.hpp"
#include "tandem/switch.hpp"

namespace tandem::admin {

/// /api/v1/corrections, /api/v1/cdrs/ID/corrections, and POST of /api/v1/cdrs and
/// /api/v1/reports/rerate. Nothing: the request is for something else.
std::optional<http::Response> answer_correction(Switch& served, const http::Request& request);

}  // namespace tandem::admin
