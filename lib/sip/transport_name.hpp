// What transports are called in Via headers and URIs (RFC 3261 sections 18 and 19.1.1).
#pragma once

#include <optional>
#include <string_view>

#include "tandem/sip_options.hpp"

namespace tandem::sip {

constexpr bool is_stream(SipTransport transport) noexcept { return transport != SipTransport::udp; }

/// Beginning of a Via value, with the blank behind it.
constexpr std::string_view via_protocol(SipTransport transport) noexcept {
  return transport == SipTransport::udp   ? "SIP/2.0/UDP "
         : transport == SipTransport::tcp ? "SIP/2.0/TCP "
                                          : "SIP/2.0/TLS ";
}

/// The parameter of a "sip:" URI; "" for the default, UDP. `transport=tls` has been out of use on
/// paper since RFC 3261, and is what everybody writes (RFC 5630 section 3.1.4).
constexpr std::string_view transport_param(SipTransport transport) noexcept {
  return transport == SipTransport::udp   ? ""
         : transport == SipTransport::tcp ? ";transport=tcp"
                                          : ";transport=tls";
}

/// "udp", "tcp" or "tls", whatever the case.
std::optional<SipTransport> transport_of(std::string_view name) noexcept;
/// What a URI says: its scheme and its `transport` parameter. `usual`: when neither does. Nothing
/// for a transport that is not spoken here. A "sips:" URI is one over TLS (RFC 3261
/// section 26.2.2), unless it wants UDP.
std::optional<SipTransport> uri_transport(std::string_view scheme, std::string_view transport,
                                          SipTransport usual) noexcept;

}  // namespace tandem::sip
