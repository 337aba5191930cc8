// What Contact values say of places.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/leg.hpp"
#include "sip/message.hpp"

namespace tandem::sip {

/// A q value (RFC 3261 section 25.1) in thousandths; 1000 for what is none.
std::int32_t read_q(std::string_view text) noexcept;

/// What may stand in a Request-URI and between angle brackets as it is.
bool is_plain_uri(std::string_view uri) noexcept;

/// A "sips:" URI.
bool is_secure(std::string_view uri) noexcept;

/// The places that a 300, 301 or 302 names, the preferred first (RFC 3261 section 8.1.3.4): its
/// sip: and sips: URIs, at most redirect_targets_max. `usual`: the transport of those that name
/// none; when it is TLS, others are left out. Nothing for other responses.
std::vector<RedirectTarget> redirect_targets(const Message& response,
                                             SipTransport usual = SipTransport::udp);
inline constexpr std::size_t redirect_targets_max = 8;

}  // namespace tandem::sip
