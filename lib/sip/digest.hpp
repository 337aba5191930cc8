// Digest authentication of both sides (RFC 3261 section 22, RFC 7616, RFC 8760), without state per
// nonce.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/registration.hpp"
#include "tandem/clock.hpp"
#include "tandem/error.hpp"

namespace tandem::sip {

enum class DigestAlgorithm : std::uint8_t { md5, sha256 };
std::string_view digest_algorithm_name(DigestAlgorithm algorithm) noexcept;  // "MD5", "SHA-256"

/// An Authorization, Proxy-Authorization, WWW-Authenticate or Proxy-Authenticate value taken apart.
/// Strings are unescaped copies: quoting is over once this exists.
struct DigestValue {
  std::string username, realm, nonce, uri, response, cnonce, opaque, qop, nc;
  std::string domain;
  DigestAlgorithm algorithm = DigestAlgorithm::md5;
  bool has_known_algorithm =
      true;  ///< False: an algorithm that is not known here (MD5-sess, SHA-512-256, ...).
  bool is_stale = false;
};

/// Reads a value with scheme Digest.
/// Errors: unsupported (another scheme), invalid_argument (malformed, a parameter given twice, over
/// 4096 bytes).
Result<DigestValue> parse_digest(std::string_view value);

/// Hash of `algorithm` in lower-case hexadecimal: 32 or 64 characters.
std::string digest_hex(DigestAlgorithm algorithm, std::string_view data);
/// response of RFC 7616 section 3.4.1; `qop` "auth", or "" for the form of RFC 2069.
std::string digest_response(DigestAlgorithm algorithm, std::string_view username,
                            std::string_view realm, std::string_view password,
                            std::string_view method, std::string_view uri, std::string_view nonce,
                            std::string_view nc, std::string_view cnonce, std::string_view qop);

enum class DigestVerdict : std::uint8_t {
  verified,
  challenge,  ///< No usable credentials for this realm, or a nonce that is not ours: send a
              ///< challenge.
  stale,      ///< Right password, nonce too old: send a challenge with stale=true (RFC 7616
              ///< section 3.3).
  wrong,      ///< Wrong user or password: count it and refuse.
};

/// Challenges and checks. The nonce is its time and a keyed hash over time, realm and `binding`, so
/// any worker that shares the secret can check any nonce and a flood of requests costs no memory.
///
/// Replay: nonce counts are not kept here, so within the lifetime a captured Authorization can be
/// sent again. It then works only for the same method, the same called user and the same `binding`
/// (pass the source address), that is, for repeating what the owner did, from his address. Who
/// keeps the uses that verify() tells (phone::NonceWindow) closes that too.
///
/// Threading: immutable; any number of threads may call it at once.
class DigestServer {
 public:
  using Secret = std::array<std::uint8_t, 32>;
  static Secret make_secret(Random& random) noexcept;
  static constexpr std::int64_t nonce_lifetime_us = 300'000'000;

  explicit DigestServer(const Secret& secret) noexcept : secret_(secret) {}

  /// Value of a WWW-Authenticate or Proxy-Authenticate header. To offer both algorithms send two
  /// headers, the preferred one first (RFC 8760 section 2.3); MD5 goes first here, because common
  /// user agents (SIPp among them) look at the first header only.
  [[nodiscard]] std::string challenge(std::string_view realm, std::string_view binding,
                                      std::int64_t now_us, bool stale,
                                      DigestAlgorithm algorithm) const;

  struct Request {
    std::string_view authorization;  ///< Value of the Authorization header; "" when there is none.
    std::string_view method;
    std::string_view uri;      ///< The Request-URI.
    std::string_view binding;  ///< As given to challenge().
    std::int64_t now_us = 0;   ///< Of the clock given to challenge(); monotonic within one secret.
  };
  /// Checks the credentials of a request against the expected ones. The hash is compared in
  /// constant time.
  /// `use`: set when the verdict is `verified`; may be null.
  [[nodiscard]] DigestVerdict verify(const Request& request, std::string_view username,
                                     std::string_view password, std::string_view realm,
                                     NonceUse* use = nullptr) const;

 private:
  [[nodiscard]] std::string nonce(std::string_view realm, std::string_view binding,
                                  std::uint64_t time_us) const;
  Secret secret_;
};

/// Answers a challenge as a client.
struct DigestAnswer {
  std::string value;  ///< Of the Authorization or Proxy-Authorization header.
  bool is_stale =
      false;  ///< The challenge said stale=true: trying again with the same password makes sense.
};
/// `challenge`: value of one WWW-Authenticate or Proxy-Authenticate header. Try the headers in
/// order and use the first that succeeds. `nc`: 1 for the first use of a nonce. Errors: unsupported
/// (scheme, algorithm or qop), invalid_argument (malformed, or a value with quotes that cannot be
/// sent).
Result<DigestAnswer> answer_challenge(std::string_view challenge, std::string_view username,
                                      std::string_view password, std::string_view method,
                                      std::string_view uri, std::uint32_t nc, Random& random);

}  // namespace tandem::sip
