// What the stack reads from single headers and bodies.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "base/leg.hpp"
#include "sip/message.hpp"
#include "sip/writer.hpp"

namespace tandem::sip {

/// Q.850 cause of a Reason header (RFC 3326); 0: none.
int q850_cause(const Message& message) noexcept;
/// Seconds of a Retry-After header (RFC 3261 section 20.33); 0: none or no number.
int retry_after_s(const Message& message) noexcept;

/// The session description of a message: its body, or the part of a multipart body that is
/// application/sdp. Any other body is given as it is, with its type.
SessionBody session_body(const Message& message) noexcept;
inline bool is_sdp(const SessionBody& body) noexcept {
  return equals_ignoring_case(body.content_type, "application/sdp");
}

/// First value of a header that has no id; "" when absent.
std::string_view find_value(const Message& message, std::string_view name) noexcept;

/// Collects the headers that a B2BUA may show to its other side: none of dialog, routing,
/// transport, content, capabilities, credentials or timers. Views into `message`.
void collect_passed_headers(const Message& message, std::vector<PassedHeader>& headers);
/// Writes passed headers, leaving out those that the stack writes itself and those with a malformed
/// name or value.
void write_passed_headers(MessageWriter& writer, const std::vector<PassedHeader>& headers);

/// Room for texts that cannot be shown as they stand in the message.
struct Unescaped {
  std::array<char, 8192> bytes;
  std::size_t used_bytes = 0;
};
/// A part of a URI without its escapes (RFC 3261 section 25.1), in `room` where there are any; as
/// it is where that is full.
std::string_view unescaped(std::string_view text, Unescaped& room) noexcept;
/// User part of a sip: or tel: URI, parameters cut off, unescaped into `room` where needed. "" for
/// other schemes.
std::string_view uri_user(std::string_view uri, Unescaped& room) noexcept;
/// The parties of a message beside From and Request-URI. Views last as long as message and room.
class MessageParties final : public NamedParties {
 public:
  void deliver(const Message& message, Unescaped& room) noexcept {
    message_ = &message;
    room_ = &room;
  }
  std::string_view user(Party party) override;

 private:
  const Message* message_ = nullptr;
  Unescaped* room_ = nullptr;
};

/// Whether the stack writes or reads a header of that name itself, so that it is passed neither on
/// nor added.
bool is_own_name(std::string_view name) noexcept;
/// A token (RFC 3261 section 25.1), as names of headers are.
bool is_token(std::string_view text) noexcept;

/// Display name without backslash escapes.
std::string_view display_name(std::string_view escaped, Unescaped& room) noexcept;
/// Appends `text` as the user part of a URI, escaping what RFC 3261 section 25.1 does not allow
/// there.
void append_user(std::string_view text, std::string& out);
/// Appends a display name as a quoted string and a blank; nothing when it is empty.
void append_display(std::string_view text, std::string& out);

}  // namespace tandem::sip
