#include "sip/transport_name.hpp"

#include "sip/message.hpp"

namespace tandem::sip {

std::optional<SipTransport> transport_of(std::string_view name) noexcept {
  for (const SipTransport one : {SipTransport::udp, SipTransport::tcp, SipTransport::tls,
                                 SipTransport::ws, SipTransport::wss}) {
    if (equals_ignoring_case(name, transport_name(one))) return one;
  }
  return std::nullopt;
}

std::optional<SipTransport> uri_transport(std::string_view scheme, std::string_view transport,
                                          SipTransport usual) noexcept {
  const bool is_secure = equals_ignoring_case(scheme, "sips");
  if (transport.empty()) return is_secure ? SipTransport::tls : usual;
  const auto named = transport_of(transport);
  if (!is_secure || !named) return named;
  if (*named == SipTransport::udp) return std::nullopt;
  return is_websocket(*named) ? SipTransport::wss : SipTransport::tls;
}

}  // namespace tandem::sip
