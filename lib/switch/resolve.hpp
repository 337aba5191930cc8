// Texts of `addresses` to addresses; host names by the system's resolver.
#pragma once

#include <string>
#include <vector>

#include "tandem/config.hpp"

namespace tandem {

/// "IP", "IP/LENGTH", "IP:PORT", "[IPv6]:PORT", "name" or "name:PORT"; a name is not asked for.
/// Errors: invalid_argument.
Result<GatewayAddress> read_gateway_address(const std::string& text);

/// The same, with a name asked for, which gives all its addresses (at most 16): for what is looked
/// up once, such as LRN resolvers. May block while the resolver asks, so never on a call worker.
/// Errors: invalid_argument, not_found (name). With `asks` false a name is only looked at and gives
/// no address.
Result<std::vector<GatewayAddress>> resolve_gateway_address(const std::string& text,
                                                            bool asks = true);

}  // namespace tandem
