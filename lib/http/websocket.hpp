// WebSocket connections of clients (RFC 6455): the opening handshake, and messages as a stream.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.hpp"
#include "io/loop.hpp"

namespace tandem::http {

/// What a server wants of those who connect.
struct WebSocketRules {
  std::string protocol;  ///< The one subprotocol that is spoken: "sip".
  /// Where the pages that connect must come from (RFC 6454), such as "https://phone.example";
  /// empty: anywhere. With some, those who say nothing of it are refused too.
  std::vector<std::string> origins;
  std::size_t message_bytes_max = 65'535;
  /// A client that was silent for so long is asked whether it is there; so proxies and NATs keep
  /// the way open.
  std::int64_t ping_us = 30'000'000;
};

/// The answer to a request that wants a WebSocket; `is_accepted` says whether it is one. What a
/// refusal says is for people.
struct WebSocketAnswer {
  bool is_accepted = false;
  std::string wire;
};
WebSocketAnswer answer_upgrade(const Request& request, const WebSocketRules& rules);

/// Whether it can be one of WebSocketRules::origins: scheme, host and maybe a port, nothing else.
[[nodiscard]] bool is_origin(std::string_view text) noexcept;

/// The opening handshake over an accepted stream of `loop`, and WebSocket behind it. The connection
/// is made (StreamHandler::on_connected) when the handshake is over; the deadline for that is the
/// owner's. From then on each on_bytes() is one message, and so is each send(): text where it is
/// UTF-8, else binary. Pings and pongs come as on_alive().
///
/// Whoever does not keep to the protocol is told so and cut off. What a peer may make it keep is
/// one head of 16 KiB, then one message. `rules` outlive the connection.
std::unique_ptr<io::StreamConnection> accept_websocket(io::Loop& loop,
                                                       std::unique_ptr<io::StreamConnection> stream,
                                                       const WebSocketRules& rules);

}  // namespace tandem::http
