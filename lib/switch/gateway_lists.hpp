// Both kinds of gateway as one list, as operators keep them.
#pragma once

namespace tandem {

/// A list of gateways and the `kind` that its objects have where both are together ("gateways").
struct GatewayList {
  const char* list;
  const char* kind;
};
inline constexpr GatewayList gateway_lists[] = {{"customer_gateways", "customer"},
                                                {"vendor_gateways", "vendor"}};

}  // namespace tandem
