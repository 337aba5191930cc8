// What a peer that connects may make OpenSSL keep before anything is agreed on.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace tandem::io {

/// Watches the records of a TLS server's peer for a ClientHello that claims to be large. OpenSSL
/// makes room for what the first four bytes of one claim, up to 128 KiB, before anything else of it
/// is there; nobody's is a tenth of that.
///
/// Looks at headers only, and of handshake messages in the clear, between which a peer may put
/// early data of TLS 1.3 that is refused: RFC 8446 section 5.1 of records, section 4 of messages. A
/// record that begins a message must have the whole header of that message, which every peer does
/// that does not play. Threading: one thread at a time.
class HelloGuard {
 public:
  static constexpr std::size_t hello_bytes_max = 16'384;

  /// Looks at bytes that come next. False: the peer is to be let go, for ever.
  bool admit(std::string_view bytes) noexcept {
    for (std::size_t i = 0; i < bytes.size() && !is_refused_ && !is_off_;) {
      if (skipped_bytes_ > 0) {
        const std::size_t step = std::min(skipped_bytes_, bytes.size() - i);
        pass(step);
        i += step;
        continue;
      }
      head_[head_bytes_++] = static_cast<std::uint8_t>(bytes[i++]);
      if (head_bytes_ == record_head_bytes) {
        begin_record();
      } else if (head_bytes_ == sizeof(head_)) {
        begin_message();
      }
    }
    return !is_refused_;
  }
  /// No further ClientHello can come, or what it would be like can be seen no more.
  void turn_off() noexcept { is_off_ = true; }
  /// Whether a ClientHello has come to its end, after which the version that is spoken is known.
  [[nodiscard]] bool has_hello() const noexcept { return has_hello_; }

 private:
  static constexpr std::size_t record_head_bytes = 5;
  static constexpr std::size_t message_head_bytes = 4;
  static constexpr std::uint8_t handshake_record = 22, client_hello = 1;

  [[nodiscard]] std::size_t record_bytes() const noexcept {
    return static_cast<std::size_t>(head_[3]) << 8 | head_[4];
  }
  void begin_record() noexcept {
    const std::size_t bytes = record_bytes();
    // A ClientHello of SSL 2, which OpenSSL would take.
    if ((head_[0] & 0x80) != 0) is_refused_ = true;
    if (head_[0] != handshake_record) return skip(bytes);  // an alert, or secret
    if (message_bytes_ == 0) {
      is_refused_ |= bytes < message_head_bytes;
    } else if (bytes == 0 || bytes > message_bytes_) {
      is_refused_ = true;  // nothing, or a second message behind the first
    } else {
      leave(bytes);
      skip(bytes);
    }
  }
  void begin_message() noexcept {
    const std::size_t bytes = static_cast<std::size_t>(head_[6]) << 16 |
                              static_cast<std::size_t>(head_[7]) << 8 | head_[8];
    is_refused_ = head_[5] == client_hello && bytes > hello_bytes_max;
    const std::size_t here = record_bytes() - message_head_bytes;
    if (here > bytes) is_refused_ = true;
    message_bytes_ = bytes;
    leave(std::min(here, bytes));
    skip(here);
  }
  void leave(std::size_t bytes) noexcept {
    message_bytes_ -= bytes;
    is_ending_ = message_bytes_ == 0;
  }
  void skip(std::size_t bytes) noexcept {
    skipped_bytes_ = bytes;
    head_bytes_ = 0;
    pass(0);
  }
  void pass(std::size_t bytes) noexcept {
    skipped_bytes_ -= bytes;
    if (skipped_bytes_ == 0 && std::exchange(is_ending_, false)) has_hello_ = true;
  }

  std::uint8_t head_[record_head_bytes + message_head_bytes] = {};
  std::size_t head_bytes_ = 0;
  std::size_t skipped_bytes_ = 0;  // of the record, nothing of which is looked at any more
  std::size_t message_bytes_ = 0;  // of the message that is not over
  bool is_ending_ = false;         // a message, with what is skipped
  bool has_hello_ = false;
  bool is_refused_ = false;
  bool is_off_ = false;
};

}  // namespace tandem::io
