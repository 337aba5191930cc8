// Checks of connectivity as ICE makes them (RFC 8489, RFC 8445): reading a request and answering.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "media/packed_address.hpp"

namespace tandem::media {

/// What first byte a datagram of a media port has (RFC 7983).
enum class PortTraffic : std::uint8_t { stun, dtls, rtp, other };
PortTraffic port_traffic(std::string_view bytes) noexcept;

enum class StunKind : std::uint8_t { request, indication, success, error };

/// A message with the method Binding. Views point into the bytes it was read from.
struct StunMessage {
  StunKind kind = StunKind::request;
  std::string_view bytes;
  std::string_view transaction;  ///< 12 bytes.
  std::string_view username;     ///< "": none.
  std::uint32_t priority = 0;    ///< 0: none.
  std::uint16_t error_code = 0;  ///< 0: none.
  std::uint16_t unknown = 0;     ///< An attribute that must be understood and is not; 0: none.
  bool nominates = false;        ///< USE-CANDIDATE.
  bool is_controlled = false;    ///< ICE-CONTROLLED: it takes us for the one that nominates.
  bool has_fingerprint = false;  ///< And the right one: with another it is no message.
  std::size_t integrity_at = 0;  ///< Where MESSAGE-INTEGRITY begins; 0: none.
  std::optional<PackedAddress> mapped{};  ///< XOR-MAPPED-ADDRESS.

  /// Whether MESSAGE-INTEGRITY was made with `password` (RFC 8489 section 9.1).
  [[nodiscard]] bool is_authentic(std::string_view password) const noexcept;
};
/// At most stun_bytes_max; nothing: malformed, or of another method.
std::optional<StunMessage> parse_stun(std::string_view bytes) noexcept;
inline constexpr std::size_t stun_bytes_max = 1500;

/// The answer to a request that came from `from`.
std::string stun_success(const StunMessage& request, const PackedAddress& from,
                         std::string_view password);
/// `code` 420 names request.unknown.
std::string stun_error(const StunMessage& request, int code, std::string_view reason,
                       std::string_view password);
/// A check, as a full agent makes it.
struct StunCheck {
  std::string_view transaction;  ///< 12 bytes.
  std::string_view username;
  std::string_view password;
  std::uint32_t priority = 0;
  std::uint64_t tie_breaker = 0;
  bool nominates = false;
  bool is_controlling = true;
};
std::string stun_request(const StunCheck& check);

}  // namespace tandem::media
