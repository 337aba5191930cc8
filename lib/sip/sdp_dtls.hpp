// DTLS-SRTP and ICE in session descriptions (RFC 5763, 8122, 8839, 8842).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sip/sdp.hpp"
#include "tandem/dtls.hpp"

namespace tandem {
class Random;
}

namespace tandem::sip {

/// a=setup (RFC 4145).
enum class SdpSetup : std::uint8_t { none, actpass, active, passive, holdconn };

/// What a media section, or the session for it, says of handshakes.
struct SdpHandshake {
  std::vector<DtlsFingerprint> fingerprints;  ///< Those of hashes that are known; at most 8.
  SdpSetup setup = SdpSetup::none;
  std::string ice_ufrag, ice_password;  ///< "": no ICE, or malformed.
  bool is_ice_lite = false;
  bool has_rtcp_mux = false;
  std::string mid;          ///< "": none (RFC 5888).
  bool is_bundled = false;  ///< Named in a=group:BUNDLE.
  bool operator==(const SdpHandshake&) const = default;
};
SdpHandshake sdp_handshake(const SdpMedia& media);

/// "UDP/TLS/RTP/SAVP" or "UDP/TLS/RTP/SAVPF".
bool is_dtls_profile(std::string_view protocol) noexcept;
inline constexpr std::string_view dtls_profile = "UDP/TLS/RTP/SAVPF";  ///< What is offered.

/// What a description of ours says of it, for one stream.
struct SdpOwnHandshake {
  DtlsFingerprint fingerprint;
  SdpSetup setup = SdpSetup::none;
  std::string ice_ufrag, ice_password;  ///< "": no ICE.
  bool has_rtcp_mux = false;
  std::string mid;
  SocketAddress candidate;  ///< Our one address (RFC 8445 section 5.3).
};
/// Lines without line ends.
std::vector<std::string> sdp_handshake_lines(const SdpOwnHandshake& own);

/// Letters, digits, '+' and '/' that nobody can guess, if nobody can guess `random`.
std::string make_ice_word(std::size_t length, Random& random);
inline constexpr std::size_t ice_ufrag_length = 8, ice_password_length = 24;

}  // namespace tandem::sip
