#include "io/websocket.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <utility>

namespace tandem::io {
namespace {

constexpr std::size_t short_bytes_max = 125;  // of a payload whose length is in the second byte
constexpr std::uint8_t final_bit = 0x80, reserved_bits = 0x70, mask_bit = 0x80;
constexpr std::uint8_t length_16_mark = 126, length_64_mark = 127;
constexpr std::size_t kept_bytes = 8192;  // room that stays between messages
constexpr std::uint16_t no_code = 1005;

bool is_control(WebSocketOpcode opcode) noexcept {
  return static_cast<std::uint8_t>(opcode) >= static_cast<std::uint8_t>(WebSocketOpcode::close);
}

/// Codes that a close frame may carry (RFC 6455 sections 7.4.1 and 7.4.2, and its registry).
bool is_sendable(std::uint16_t code) noexcept {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
         (code >= 3000 && code <= 4999);
}

}  // namespace

bool Utf8Check::add(char byte) noexcept {
  const auto value = static_cast<std::uint8_t>(byte);
  if (left_ > 0) {
    if (value < lowest_ || value > highest_) return false;
    --left_;
    lowest_ = 0x80;
    highest_ = 0xbf;
    return true;
  }
  if (value < 0x80) return true;
  if (value < 0xc2 || value > 0xf4) return false;
  left_ = value < 0xe0 ? 1 : value < 0xf0 ? 2 : 3;
  if (value == 0xe0) lowest_ = 0xa0;
  if (value == 0xed) highest_ = 0x9f;
  if (value == 0xf0) lowest_ = 0x90;
  if (value == 0xf4) highest_ = 0x8f;
  return true;
}

bool is_utf8(std::string_view text) noexcept {
  Utf8Check check;
  return std::all_of(text.begin(), text.end(), [&](char byte) { return check.add(byte); }) &&
         check.is_whole();
}

bool WebSocketReader::refuse(WebSocketCode code) noexcept {
  is_broken_ = true;
  code_ = static_cast<std::uint16_t>(code);
  return false;
}

WebSocketReader::Outcome WebSocketReader::read(std::string_view& bytes) {
  if (std::exchange(is_told_, false)) {
    message_.clear();
    if (message_.capacity() > kept_bytes) message_.shrink_to_fit();
  }
  is_control_ = is_in_frame_ && is_control(opcode_);
  while (!is_broken_) {
    while (!is_in_frame_ && head_bytes_ < head_needed_) {
      if (bytes.empty()) return Outcome::more;
      head_[head_bytes_++] = static_cast<std::uint8_t>(bytes.front());
      bytes.remove_prefix(1);
      if (head_bytes_ == 2 && !begin_head()) return Outcome::broken;
    }
    if (!is_in_frame_ && !begin_frame()) return Outcome::broken;
    if (!take_payload(bytes)) return Outcome::broken;
    if (left_bytes_ > 0) return Outcome::more;
    const Outcome outcome = end_frame();
    if (outcome != Outcome::more) return outcome;
  }
  return Outcome::broken;
}

bool WebSocketReader::begin_head() noexcept {
  const auto code = static_cast<std::uint8_t>(head_[0] & 0x0f);
  const auto length = static_cast<std::uint8_t>(head_[1] & 0x7f);
  const bool is_known = code <= 2 || (code >= 8 && code <= 10);
  if ((head_[0] & reserved_bits) != 0 || !is_known || ((head_[1] & mask_bit) != 0) != is_server_)
    return refuse(WebSocketCode::protocol_error);
  opcode_ = static_cast<WebSocketOpcode>(code);
  is_final_ = (head_[0] & final_bit) != 0;
  if (is_control(opcode_)) {
    if (!is_final_ || length > control_bytes_max) return refuse(WebSocketCode::protocol_error);
  } else if (is_in_message_ != (opcode_ == WebSocketOpcode::continuation)) {
    return refuse(WebSocketCode::protocol_error);
  }
  head_needed_ = 2U +
                 (length == length_16_mark   ? 2U
                  : length == length_64_mark ? 8U
                                             : 0U) +
                 (is_server_ ? 4U : 0U);
  return true;
}

bool WebSocketReader::begin_frame() noexcept {
  const std::size_t mask_bytes = is_server_ ? mask_.size() : 0;
  const std::size_t mask_begin = head_needed_ - mask_bytes;
  std::uint64_t length = head_[1] & 0x7f;
  if (mask_begin > 2) {
    length = 0;
    for (std::size_t i = 2; i < mask_begin; ++i)
      length = length << 8 | head_[i];
    // The shortest form only (section 5.2); so the top bit is no matter of its own.
    if (length <= (mask_begin == 4 ? short_bytes_max : 0xffffU))
      return refuse(WebSocketCode::protocol_error);
  }
  std::copy_n(head_.begin() + static_cast<std::ptrdiff_t>(mask_begin), mask_bytes, mask_.begin());
  mask_at_ = 0;
  head_bytes_ = 0;
  head_needed_ = 2;
  left_bytes_ = length;
  is_in_frame_ = true;
  is_control_ = is_control(opcode_);
  if (is_control_) {
    control_bytes_ = 0;
    return true;
  }
  // Before any of it is there, so that nobody sends what will be thrown away.
  if (length > message_bytes_max_ - message_.size()) return refuse(WebSocketCode::too_large);
  if (!is_in_message_) {
    is_text_ = opcode_ == WebSocketOpcode::text;
    utf8_ = {};
  }
  is_in_message_ = true;
  return true;
}

bool WebSocketReader::take_payload(std::string_view& bytes) {
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(left_bytes_, bytes.size()));
  const std::size_t begin = message_.size();
  char* out = nullptr;
  if (is_control_) {
    out = control_.data() + control_bytes_;
    control_bytes_ += count;
  } else {
    message_.append(bytes.substr(0, count));
    out = message_.data() + begin;
  }
  for (std::size_t i = 0; i < count; ++i) {
    out[i] = static_cast<char>(static_cast<std::uint8_t>(bytes[i]) ^ mask_[mask_at_++ & 3]);
    if (!is_control_ && is_text_ && !utf8_.add(out[i])) return refuse(WebSocketCode::no_text);
  }
  bytes.remove_prefix(count);
  left_bytes_ -= count;
  return true;
}

WebSocketReader::Outcome WebSocketReader::end_frame() noexcept {
  is_in_frame_ = false;
  switch (opcode_) {
    case WebSocketOpcode::ping:
      return Outcome::ping;
    case WebSocketOpcode::pong:
      return Outcome::pong;
    case WebSocketOpcode::close:
      return end_close();
    default:
      break;
  }
  if (!is_final_) return Outcome::more;
  is_in_message_ = false;
  is_told_ = true;
  if (is_text_ && !utf8_.is_whole()) {
    refuse(WebSocketCode::no_text);
    return Outcome::broken;
  }
  return Outcome::message;
}

/// RFC 6455 section 5.5.1.
WebSocketReader::Outcome WebSocketReader::end_close() noexcept {
  is_broken_ = true;  // nothing comes behind it
  code_ = no_code;
  if (control_bytes_ == 0) return Outcome::close;
  const auto at = [this](std::size_t i) { return static_cast<std::uint8_t>(control_[i]); };
  const auto code = static_cast<std::uint16_t>(control_bytes_ < 2 ? 0 : at(0) << 8 | at(1));
  if (!is_sendable(code)) {
    refuse(WebSocketCode::protocol_error);
    return Outcome::broken;
  }
  if (!is_utf8({control_.data() + 2, control_bytes_ - 2})) {
    refuse(WebSocketCode::no_text);
    return Outcome::broken;
  }
  code_ = code;
  std::copy(control_.begin() + 2, control_.begin() + static_cast<std::ptrdiff_t>(control_bytes_),
            control_.begin());
  control_bytes_ -= 2;
  return Outcome::close;
}

void append_websocket_frame(std::string& out, WebSocketOpcode opcode, std::string_view payload,
                            const std::array<std::uint8_t, 4>* mask) {
  const std::uint8_t masked = mask != nullptr ? mask_bit : 0;
  out += static_cast<char>(final_bit | static_cast<std::uint8_t>(opcode));
  const auto put_length = [&](std::uint8_t mark, int bytes) {
    out += static_cast<char>(masked | mark);
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
      out += static_cast<char>(static_cast<std::uint64_t>(payload.size()) >> shift);
  };
  if (payload.size() <= short_bytes_max) {
    put_length(static_cast<std::uint8_t>(payload.size()), 0);
  } else if (payload.size() <= 0xffff) {
    put_length(length_16_mark, 2);
  } else {
    put_length(length_64_mark, 8);
  }
  if (mask == nullptr) {
    out += payload;
    return;
  }
  out.append(reinterpret_cast<const char*>(mask->data()), mask->size());
  for (std::size_t i = 0; i < payload.size(); ++i)
    out += static_cast<char>(static_cast<std::uint8_t>(payload[i]) ^ (*mask)[i & 3]);
}

std::string websocket_close_payload(WebSocketCode code) {
  const auto number = static_cast<std::uint16_t>(code);
  return {static_cast<char>(number >> 8), static_cast<char>(number & 0xff)};
}

bool is_websocket_key(std::string_view key) noexcept {
  constexpr std::size_t key_chars = 24;
  if (key.size() != key_chars || key.substr(22) != "==") return false;
  const auto is_digit = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/';
  };
  // The last digit stands for two bits.
  return std::all_of(key.begin(), key.begin() + 22, is_digit) &&
         std::string_view("AQgw").find(key[21]) != std::string_view::npos;
}

std::string websocket_accept(std::string_view key) {
  const std::string text = std::string(key) + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned digest_bytes = 0;
  if (EVP_Digest(text.data(), text.size(), digest.data(), &digest_bytes, EVP_sha1(), nullptr) != 1)
    return {};
  std::array<unsigned char, 64> base64{};
  const int chars = EVP_EncodeBlock(base64.data(), digest.data(), static_cast<int>(digest_bytes));
  return {reinterpret_cast<const char*>(base64.data()), static_cast<std::size_t>(chars)};
}

}  // namespace tandem::io
