// GET /metrics: counters and gauges in the Prometheus text format, version 0.0.4.
#pragma once

#include <string>
#include <vector>

#include "http/server.hpp"
#include "tandem/switch.hpp"

namespace tandem::admin {

/// Names begin with tandem_; docs/admin-api.md lists them. Accounts are left out: balances are not
/// for a metrics store.
std::string metrics_text(const SwitchCounters& counters, const std::vector<GatewayView>& gateways,
                         const MaintenanceState& maintenance, const http::ServerCounters& server);

}  // namespace tandem::admin
