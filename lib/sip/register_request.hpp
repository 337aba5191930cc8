// REGISTER as it arrives: what it says, and the answer (RFC 3261 section 10.3).
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

#include "base/registration.hpp"
#include "sip/message.hpp"

namespace tandem::sip {

/// Most contacts of one REGISTER, and the longest URI of one.
inline constexpr std::size_t register_contacts_max = 8;
inline constexpr std::size_t contact_uri_bytes_max = 512;
/// Most proxies of a Path or Service-Route, and the bytes of all of them.
inline constexpr std::size_t path_entries_max = 8;
inline constexpr std::size_t path_bytes_max = 1024;

/// Whether bytes from the wire are a REGISTER, without scanning them: true for every one that
/// scan() takes for one.
inline bool is_register(std::string_view bytes) noexcept {
  if (!bytes.empty() && bytes.front() != 'R') {
    if (bytes.front() != '\r' && bytes.front() != '\n') return false;
    bytes.remove_prefix(std::min(bytes.find_first_not_of("\r\n"), bytes.size()));
  }
  return bytes.starts_with("REGISTER ");
}

/// Reads the Contact and Expires headers of a REGISTER. Contacts that no call can go to (tel:,
/// mailto:, sips:) are left out. False: malformed, too many or too long; `phrase` says what.
bool read_contacts(const Message& request, RegisterRequest& into, std::string_view& phrase);

/// Reads the Path headers (RFC 3327). False: malformed, too many or too long; `phrase` says what.
bool read_path(const Message& request, RegisterRequest& into, std::string_view& phrase);

/// The values of Path or Service-Route headers, one a line; nothing: one is none that calls could
/// go through (a SIP URI with `lr`), or there are too many.
std::optional<std::string> read_route_values(const Message& message, std::string_view header);

/// The URI in the form in which equal ones (RFC 3261 section 19.1.4) are the same text.
std::string uri_identity(const Uri& uri);

}  // namespace tandem::sip
