// Suites and keys of secure RTP (RFC 3711), as descriptions name them (RFC 4568, 6188, 7714).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tandem/export.h"

namespace tandem {

/// How media is encrypted and authenticated. Reports (SRTCP) always have a tag of 80 bits or that
/// of GCM, as RFC 4568 section 6.2 wants.
enum class SrtpSuite : std::uint8_t {
  none,  ///< Plain RTP.
  aes_cm_128_hmac_sha1_80,
  aes_cm_128_hmac_sha1_32,
  aes_256_cm_hmac_sha1_80,
  aes_256_cm_hmac_sha1_32,
  aead_aes_128_gcm,
  aead_aes_256_gcm,
};
/// "AES_CM_128_HMAC_SHA1_80"; "" for none.
TANDEM_EXPORT const char* srtp_suite_name(SrtpSuite suite) noexcept;
TANDEM_EXPORT std::optional<SrtpSuite> srtp_suite_from_name(std::string_view name) noexcept;
/// Of master key and salt together: 30, 46, 28 or 44; 0 for none.
TANDEM_EXPORT std::size_t srtp_key_bytes(SrtpSuite suite) noexcept;

/// What one end encrypts with.
struct SrtpKey {
  SrtpSuite suite = SrtpSuite::none;
  std::string key;  ///< Master key and behind it the master salt, srtp_key_bytes() of them.
  bool operator==(const SrtpKey&) const = default;
};

/// Between the relay and one side of a call. Both or neither of the two have a suite.
struct MediaCrypto {
  SrtpKey receive;  ///< What the side sends is encrypted with.
  SrtpKey send;     ///< What is sent to the side.
  bool operator==(const MediaCrypto&) const = default;
};

/// Whether the media towards a gateway or phone is encrypted (SDES, RFC 4568).
enum class SrtpMode : std::uint8_t {
  pass,      ///< Its descriptions decide: keys pass from end to end where the other side has no
             ///< mode either; else what it offers encrypted is, and it is offered plain RTP.
  off,       ///< Never.
  optional,  ///< Where it offers or takes it.
  required,  ///< A call without is refused.
};
/// "optional".
TANDEM_EXPORT const char* srtp_mode_name(SrtpMode mode) noexcept;

}  // namespace tandem
