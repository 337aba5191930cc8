// What a WebSocket client writes, so that a test can write it wrongly.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "io/websocket.hpp"

namespace tandem::test {

/// A request for a WebSocket as a browser makes it; `more`: further header lines with CR LF.
inline std::string websocket_request(std::string_view more = {}) {
  return "GET /sip HTTP/1.1\r\nHost: sw.example\r\nUpgrade: websocket\r\n"
         "Connection: keep-alive, Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
         "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: sip\r\n" +
         std::string(more) + "\r\n";
}

/// One frame of a client. `first`: its first byte, such as 0x81 for a whole text.
inline std::string websocket_frame(unsigned first, std::string_view payload) {
  constexpr std::array<std::uint8_t, 4> mask{0x37, 0xfa, 0x21, 0x3d};  // RFC 6455 section 5.7
  std::string frame;
  io::append_websocket_frame(frame, io::WebSocketOpcode::text, payload, &mask);
  frame[0] = static_cast<char>(first);
  return frame;
}
inline std::string websocket_text(std::string_view payload) {
  return websocket_frame(0x81, payload);
}

}  // namespace tandem::test
