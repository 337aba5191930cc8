// Number portability in URIs (RFC 4694).
#pragma once

#include <string>
#include <string_view>

#include "base/leg.hpp"

namespace tandem::sip {

/// `rn` and `npdi` of a sip:, sips: or tel: URI: parameters of the telephone number in its user
/// part, as RFC 4694 has them, or of the URI, as many servers send them. Views into `uri`; nothing
/// for a URI that does not parse.
Portability portability(std::string_view uri) noexcept;
/// Any parameter of the same places; "" when it is absent.
std::string_view number_param(std::string_view uri, std::string_view name) noexcept;

/// Appends ";npdi;rn=..." behind a number; false when there is nothing to say. `routing_number`:
/// digits, with or without a '+'.
bool append_portability(const Portability& portability, std::string& out);

}  // namespace tandem::sip
