// What transports are called in Via headers and URIs (RFC 3261 sections 18 and 19.1.1).
#pragma once

#include <optional>
#include <string_view>

#include "tandem/sip_options.hpp"

namespace tandem::sip {

constexpr bool is_stream(SipTransport transport) noexcept { return transport != SipTransport::udp; }
/// Whether Content-Length alone tells where a message ends (RFC 3261 section 18.3). WebSocket has
/// bounds of its own (RFC 7118 section 5).
constexpr bool is_byte_stream(SipTransport transport) noexcept {
  return transport == SipTransport::tcp || transport == SipTransport::tls;
}

/// Beginning of a Via value, with the blank behind it.
constexpr std::string_view via_protocol(SipTransport transport) noexcept {
  constexpr std::string_view protocols[] = {"SIP/2.0/UDP ", "SIP/2.0/TCP ", "SIP/2.0/TLS ",
                                            "SIP/2.0/WS ", "SIP/2.0/WSS "};
  return protocols[static_cast<std::size_t>(transport)];
}

/// The parameter of a "sip:" URI; "" for the default, UDP. `transport=tls` has been out of use on
/// paper since RFC 3261, and is what everybody writes (RFC 5630 section 3.1.4). Of WebSocket there
/// is one, with and without TLS (RFC 7118 section 5.3).
constexpr std::string_view transport_param(SipTransport transport) noexcept {
  constexpr std::string_view params[] = {"", ";transport=tcp", ";transport=tls", ";transport=ws",
                                         ";transport=ws"};
  return params[static_cast<std::size_t>(transport)];
}

/// "udp", "tcp", "tls", "ws" or "wss", whatever the case.
std::optional<SipTransport> transport_of(std::string_view name) noexcept;
/// What a URI says: its scheme and its `transport` parameter. `usual`: when neither does. Nothing
/// for a transport that is not spoken here. A "sips:" URI is one over TLS (RFC 3261
/// section 26.2.2, RFC 7118 section 5.3), unless it wants UDP.
std::optional<SipTransport> uri_transport(std::string_view scheme, std::string_view transport,
                                          SipTransport usual) noexcept;

}  // namespace tandem::sip
