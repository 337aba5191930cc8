// Keys in session descriptions: a=crypto (SDES, RFC 4568).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sip/sdp.hpp"
#include "tandem/srtp.hpp"

namespace tandem {
class Random;
}

namespace tandem::sip {

/// One a=crypto line that can be used here.
struct SdpCrypto {
  std::uint32_t tag = 0;  ///< 0..999,999,999 (RFC 4568 section 9.1).
  SrtpKey key;
  bool operator==(const SdpCrypto&) const = default;
};

/// The keys of a media section, in the order of its preference, at most sdp_cryptos_max. Left
/// out are lines of another suite, with a key identifier (MKI), several keys, or session parameters
/// that ask for what is not done here, and malformed ones: an answerer passes over such lines (RFC
/// 4568 section 6.3.7).
std::vector<SdpCrypto> sdp_cryptos(const SdpMedia& media);
inline constexpr std::size_t sdp_cryptos_max = 16;

/// "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:...", without a line end.
std::string sdp_crypto_line(const SdpCrypto& crypto);

/// A key of that suite that nobody can guess, if nobody can guess `random`.
SrtpKey make_srtp_key(SrtpSuite suite, Random& random);
/// What an offer of ours has: the suites that devices know, the one that all of them know first.
std::vector<SdpCrypto> make_srtp_offer(Random& random);

/// Whether a protocol says that its media must be encrypted: "RTP/SAVP", "RTP/SAVPF".
bool is_secure_profile(std::string_view protocol) noexcept;
/// Whether it is one of the four profiles with which SDES may stand.
bool can_have_sdes(std::string_view protocol) noexcept;
/// The same of keys of either source, in the description or agreed on by DTLS.
bool can_have_keys(std::string_view protocol) noexcept;
/// "RTP/SAVPF" of "RTP/AVPF", and back; of one of the four.
std::string_view with_security(std::string_view protocol, bool is_secure) noexcept;

}  // namespace tandem::sip
