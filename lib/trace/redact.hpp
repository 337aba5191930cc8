// Taking secrets out of a message before it is kept or sent anywhere.
#pragma once

#include <string>

namespace tandem::trace {

/// Puts '*' in the place of what proves who somebody is, and of keys, so that the length stays: of
/// Authorization and Proxy-Authorization all but the parameters of Digest that prove nothing
/// (RFC 7616), and in the body keys of SDP: `inline:` of a=crypto (RFC 4568), a=ice-pwd, k=.
void redact(std::string& message) noexcept;

}  // namespace tandem::trace
