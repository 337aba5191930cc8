// Gateways with names, as they are shown.
#pragma once

#include <cstdint>

#include "call/names.hpp"
#include "tandem/switch.hpp"

namespace tandem {

/// The addresses of a vendor, those that its names stand for among them. `now_us`: monotonic.
void show_addresses(const call::Vendor& vendor, const call::Names* names, std::int64_t now_us,
                    GatewayView& view);

/// The names of a gateway.
void show_names(const GatewayConfig& gateway, bool is_vendor, const call::Tables& tables,
                const call::LocatedNames& located, std::int64_t now_us, GatewayView& view);

}  // namespace tandem
