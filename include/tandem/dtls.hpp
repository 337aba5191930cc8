// What a side of a call agrees on in its media ports before its media: who may speak (ICE, RFC
// 8445) and with which keys (DTLS-SRTP, RFC 5763 and 5764).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/error.hpp"
#include "tandem/export.h"

namespace tandem {

/// The hash of a certificate, as descriptions name it (RFC 8122).
struct DtlsFingerprint {
  std::string hash;    ///< "sha-1", "sha-224", "sha-256", "sha-384" or "sha-512".
  std::string digest;  ///< As many bytes as the hash has.

  /// "sha-256 4A:AD:...", as behind `a=fingerprint:`; case does not matter. Errors:
  /// invalid_argument (malformed, of the wrong length), unsupported (another hash).
  static TANDEM_EXPORT Result<DtlsFingerprint> parse(std::string_view text);
  [[nodiscard]] TANDEM_EXPORT std::string to_string() const;
  bool operator==(const DtlsFingerprint&) const = default;
};
/// Fingerprints of one peer that are looked at.
inline constexpr std::size_t dtls_fingerprints_max = 8;

/// Who begins the handshake: the client does (`a=setup:active`).
enum class DtlsRole : std::uint8_t { none, server, client };

/// What is agreed on with one side. The default is nothing: its media is plain, or has keys of
/// MediaSession::set_crypto().
struct MediaHandshake {
  DtlsRole role = DtlsRole::none;  ///< The relay's. None: no DTLS, ICE alone.
  /// Of which the peer's certificate must be one, 1..dtls_fingerprints_max unless `role` is none.
  /// Where several hashes are there, those of the strongest count.
  std::vector<DtlsFingerprint> fingerprints{};
  /// What the peer's checks must be made with, as the relay's description says (RFC 8839): 4..256
  /// and 22..256 characters. "": no ICE. The relay is a lite agent: it answers checks, makes none,
  /// and sends to where the peer's checks nominate.
  std::string ice_ufrag{};
  std::string ice_password{};
  std::string remote_ice_ufrag{};  ///< "": not looked at.
  /// RTCP is on the port of RTP (RFC 5761). Else none goes to the side and none is taken from it.
  bool rtcp_mux = true;
  bool operator==(const MediaHandshake&) const = default;
};

/// How far that has come.
enum class MediaHandshakeState : std::uint8_t {
  none,       ///< There is nothing to agree on.
  unchecked,  ///< No authentic check of ICE came yet.
  shaking,    ///< The handshake of DTLS is awaited or under way.
  agreed,     ///< Media passes.
  dtls_failed,
  fingerprint_mismatch,  ///< Its certificate is another one than its description says.
};
/// "unchecked".
TANDEM_EXPORT const char* media_handshake_state_name(MediaHandshakeState state) noexcept;

/// Which keys a gateway or phone is given for its media and may give.
enum class SrtpKeySource : std::uint8_t {
  sdes,  ///< In descriptions (RFC 4568).
  dtls,  ///< Agreed on in the media (RFC 5763).
  both,  ///< As it offers; it is offered those of sdes.
};
/// "dtls".
TANDEM_EXPORT const char* srtp_key_source_name(SrtpKeySource source) noexcept;

/// Whether the relay speaks ICE with a gateway or phone.
enum class IceMode : std::uint8_t { off, lite };
TANDEM_EXPORT const char* ice_mode_name(IceMode mode) noexcept;

}  // namespace tandem
