// How a message travels: transport, socket, peer.
#pragma once

#include <cstdint>

#include "sip/stack.hpp"
#include "sip/transport_name.hpp"
#include "tandem/values.hpp"

namespace tandem::sip {

/// Names a connection within a switch: the worker that serves it and its serial number there.
struct ConnectionId {
  std::uint32_t worker = 0;
  std::uint32_t serial = 0;  ///< 0: none.
  [[nodiscard]] bool is_set() const noexcept { return serial != 0; }
  bool operator==(const ConnectionId&) const noexcept = default;
};

/// Where a message came from or goes to.
struct Path {
  Transport transport = Transport::udp;
  /// Index of our listen address of that transport: the socket to send from, and what Via and
  /// Contact say.
  std::uint16_t listener = 0;
  /// Streams, once the connection is gone: the port at the peer's address to connect to (RFC 3261
  /// section 18.2.2).
  std::uint16_t fallback_port = 5060;
  SocketAddress remote;
  ConnectionId connection;  ///< Streams: preferred while it lives.
  /// TLS: who the peer must be when it is connected to; null: who has its address. Of TlsSetup.
  const io::TlsPeer* tls_peer = nullptr;

  [[nodiscard]] bool is_stream() const noexcept { return sip::is_stream(transport); }
  [[nodiscard]] bool is_byte_stream() const noexcept { return sip::is_byte_stream(transport); }
};

}  // namespace tandem::sip
