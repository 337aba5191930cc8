// Frames of the WebSocket protocol (RFC 6455), and what its opening handshake computes. HTTP around
// it is in http/websocket.hpp.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tandem::io {

/// RFC 6455 section 11.8.
enum class WebSocketOpcode : std::uint8_t {
  continuation = 0,
  text = 1,
  binary = 2,
  close = 8,
  ping = 9,
  pong = 10,
};

/// Why a connection is closed (RFC 6455 section 7.4.1).
enum class WebSocketCode : std::uint16_t {
  normal = 1000,
  going_away = 1001,
  protocol_error = 1002,
  no_text = 1007,  ///< What was to be text was not UTF-8.
  too_large = 1009,
};

/// Whether bytes that come piece by piece are UTF-8 (RFC 3629: no surrogates, no detours, nothing
/// beyond U+10FFFF). Threading: one thread at a time.
class Utf8Check {
 public:
  /// False: they are not, whatever follows.
  bool add(char byte) noexcept;
  /// Whether it may end here.
  [[nodiscard]] bool is_whole() const noexcept { return left_ == 0; }

 private:
  unsigned left_ = 0;                            // bytes that the character still needs
  std::uint8_t lowest_ = 0x80, highest_ = 0xbf;  // of the next one
};
[[nodiscard]] bool is_utf8(std::string_view text) noexcept;

/// Takes the messages out of what a peer sends: strict and linear in its bytes, however they are
/// cut. No extension is spoken. What is kept is one message, with room that it has really filled,
/// and one control frame.
///
/// Threading: one thread at a time.
class WebSocketReader {
 public:
  static constexpr std::size_t control_bytes_max = 125;

  enum class Outcome : std::uint8_t {
    more,     ///< All was read.
    message,  ///< payload() has it; is_text() says of which kind it is.
    ping,     ///< payload() wants to come back in a pong.
    pong,
    close,   ///< The peer ends it: code() and payload(), which is its reason.
    broken,  ///< The peer does not keep to the protocol, with code(). Nothing is read any more.
  };

  /// `is_server`: the peer is a client, whose frames are masked, and not one that must not do that
  /// (RFC 6455 section 5.1). `message_bytes_max`: of all frames of one message together.
  WebSocketReader(bool is_server, std::size_t message_bytes_max) noexcept
      : is_server_(is_server), message_bytes_max_(message_bytes_max) {}

  /// Takes off `bytes` what belongs to the next thing that came.
  Outcome read(std::string_view& bytes);
  /// Up to the next read().
  [[nodiscard]] std::string_view payload() const noexcept {
    return is_control_ ? std::string_view(control_.data(), control_bytes_) : message_;
  }
  [[nodiscard]] bool is_text() const noexcept { return is_text_; }
  /// Of `close` 1005 when the peer gave none (RFC 6455 section 7.1.5).
  [[nodiscard]] std::uint16_t code() const noexcept { return code_; }

 private:
  bool begin_head() noexcept;   // its first two bytes are there; false: broken
  bool begin_frame() noexcept;  // its head is there
  bool take_payload(std::string_view& bytes);
  Outcome end_frame() noexcept;
  Outcome end_close() noexcept;
  bool refuse(WebSocketCode code) noexcept;

  const bool is_server_;
  const std::size_t message_bytes_max_;
  std::array<std::uint8_t, 14> head_{};
  std::size_t head_bytes_ = 0;
  std::size_t head_needed_ = 2;
  std::uint64_t left_bytes_ = 0;  // of the payload of the frame
  std::array<std::uint8_t, 4> mask_{};
  std::size_t mask_at_ = 0;
  WebSocketOpcode opcode_ = WebSocketOpcode::continuation;
  bool is_final_ = false;
  bool is_in_frame_ = false;
  bool is_in_message_ = false;  // frames of it came, the last one did not
  bool is_told_ = false;        // message_ was handed over
  bool is_control_ = false;
  bool is_text_ = false;
  bool is_broken_ = false;
  std::uint16_t code_ = 0;
  Utf8Check utf8_;
  std::string message_;
  std::array<char, control_bytes_max> control_{};
  std::size_t control_bytes_ = 0;
};

/// Appends one whole frame. `mask`: of a client, four bytes that nobody can foresee; null: of a
/// server.
void append_websocket_frame(std::string& out, WebSocketOpcode opcode, std::string_view payload,
                            const std::array<std::uint8_t, 4>* mask = nullptr);
/// Payload of a close frame.
std::string websocket_close_payload(WebSocketCode code);

/// Whether it is 16 bytes in base64 (RFC 6455 section 4.2.1).
[[nodiscard]] bool is_websocket_key(std::string_view key) noexcept;
/// What a server says to a key, of which it has read it (RFC 6455 section 4.2.2); "": there was no
/// memory.
std::string websocket_accept(std::string_view key);

}  // namespace tandem::io
