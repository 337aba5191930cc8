// Maintenance of the day files (O-08, O-09).
#pragma once

#include <optional>

#include "http/message.hpp"
#include "tandem/switch.hpp"

namespace tandem::admin {

/// /api/v1/maintenance, /api/v1/maintenance/run, /api/v1/maintenance/acts and
/// /api/v1/maintenance/DAY/ACT. Nothing: the request is for something else.
std::optional<http::Response> answer_maintenance(Switch& served, const http::Request& request);

}  // namespace tandem::admin
