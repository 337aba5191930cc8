#include "sip/sdp_crypto.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "sip/sdp_dtls.hpp"
#include "tandem/clock.hpp"

namespace tandem::sip {
namespace {

constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string to_base64(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - at);
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i)
      group = group << 8 | (i < count ? static_cast<unsigned char>(bytes[at + i]) : 0U);
    for (std::size_t i = 0; i < 4; ++i)
      text += i <= count ? alphabet[group >> (18 - 6 * i) & 63] : '=';
  }
  return text;
}

/// Also without its padding, as some devices send it.
std::optional<std::string> from_base64(std::string_view text) {
  while (!text.empty() && text.back() == '=')
    text.remove_suffix(1);
  std::string bytes;
  std::uint32_t group = 0;
  unsigned bits = 0;
  for (const char c : text) {
    const std::size_t value = alphabet.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    group = (group << 6 | static_cast<std::uint32_t>(value)) & 0xFFFFFF;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push_back(static_cast<char>(group >> bits));
  }
  if (bits >= 6) return std::nullopt;  // one character too many
  return bytes;
}

std::string_view take_word(std::string_view& rest) noexcept {
  while (!rest.empty() && (rest.front() == ' ' || rest.front() == '\t'))
    rest.remove_prefix(1);
  const std::string_view word = rest.substr(0, rest.find_first_of(" \t"));
  rest.remove_prefix(word.size());
  return word;
}

bool is_digits(std::string_view text) noexcept {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// "2^31" or "1048576".
bool is_lifetime(std::string_view text) noexcept {
  return is_digits(text.starts_with("2^") ? text.substr(2) : text);
}

/// What is behind "a=crypto:".
std::optional<SdpCrypto> read_crypto(std::string_view value) {
  SdpCrypto crypto;
  const std::string_view tag = take_word(value);
  if (!is_digits(tag) || tag.size() > 9) return std::nullopt;
  for (const char c : tag)
    crypto.tag = crypto.tag * 10 + static_cast<std::uint32_t>(c - '0');
  const auto suite = srtp_suite_from_name(take_word(value));
  if (!suite) return std::nullopt;
  crypto.key.suite = *suite;
  std::string_view parameters = take_word(value);
  static constexpr std::string_view method = "inline:";
  if (!equals_ignoring_case(parameters.substr(0, method.size()), method) ||
      parameters.find(';') != std::string_view::npos)
    return std::nullopt;
  parameters.remove_prefix(method.size());
  const std::string_view key = parameters.substr(0, parameters.find('|'));
  parameters.remove_prefix(key.size());
  // One more part may be a lifetime, which is longer than any call; an MKI has a colon.
  if (!parameters.empty() && !is_lifetime(parameters.substr(1))) return std::nullopt;
  auto bytes = from_base64(key);
  if (!bytes || bytes->size() != srtp_key_bytes(*suite)) return std::nullopt;
  crypto.key.key = std::move(*bytes);
  // WSH is a hint for windows; all others change what is sent (RFC 4568 section 6.3).
  for (std::string_view parameter = take_word(value); !parameter.empty();
       parameter = take_word(value)) {
    if (!parameter.starts_with("WSH=")) return std::nullopt;
  }
  return crypto;
}

struct Profile {
  std::string_view plain, secure;
};
constexpr std::array<Profile, 2> profiles{{{"RTP/AVP", "RTP/SAVP"}, {"RTP/AVPF", "RTP/SAVPF"}}};

}  // namespace

std::vector<SdpCrypto> sdp_cryptos(const SdpMedia& media) {
  std::vector<SdpCrypto> cryptos;
  std::string_view rest = media.section;
  while (!rest.empty() && cryptos.size() < sdp_cryptos_max) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    while (!line.empty() && (line.back() == '\r' || line.back() == ' '))
      line.remove_suffix(1);
    static constexpr std::string_view name = "a=crypto:";
    if (!line.starts_with(name)) continue;
    if (auto crypto = read_crypto(line.substr(name.size()))) cryptos.push_back(std::move(*crypto));
  }
  return cryptos;
}

std::string sdp_crypto_line(const SdpCrypto& crypto) {
  return "a=crypto:" + std::to_string(crypto.tag) + ' ' + srtp_suite_name(crypto.key.suite) +
         " inline:" + to_base64(crypto.key.key);
}

SrtpKey make_srtp_key(SrtpSuite suite, Random& random) {
  SrtpKey key{suite, {}};
  const std::size_t size = srtp_key_bytes(suite);
  key.key.reserve(size);
  while (key.key.size() < size) {
    std::uint64_t number = random.next();
    for (int i = 0; i < 8 && key.key.size() < size; ++i, number >>= 8)
      key.key.push_back(static_cast<char>(number));
  }
  return key;
}

std::vector<SdpCrypto> make_srtp_offer(Random& random) {
  std::vector<SdpCrypto> offer;
  for (const SrtpSuite suite :
       {SrtpSuite::aes_cm_128_hmac_sha1_80, SrtpSuite::aes_cm_128_hmac_sha1_32,
        SrtpSuite::aes_256_cm_hmac_sha1_80, SrtpSuite::aead_aes_128_gcm})
    offer.push_back({static_cast<std::uint32_t>(offer.size() + 1), make_srtp_key(suite, random)});
  return offer;
}

bool is_secure_profile(std::string_view protocol) noexcept {
  return is_dtls_profile(protocol) ||
         std::any_of(profiles.begin(), profiles.end(),
                     [&](const Profile& profile) { return profile.secure == protocol; });
}

bool can_have_sdes(std::string_view protocol) noexcept {
  return std::any_of(profiles.begin(), profiles.end(), [&](const Profile& profile) {
    return profile.secure == protocol || profile.plain == protocol;
  });
}

bool can_have_keys(std::string_view protocol) noexcept {
  return can_have_sdes(protocol) || is_dtls_profile(protocol);
}

std::string_view with_security(std::string_view protocol, bool is_secure) noexcept {
  for (const Profile& profile : profiles) {
    if (protocol == profile.plain || protocol == profile.secure)
      return is_secure ? profile.secure : profile.plain;
  }
  // The feedback of a browser is not passed on.
  if (is_dtls_profile(protocol)) return is_secure ? profiles[0].secure : profiles[0].plain;
  return protocol;
}

}  // namespace tandem::sip
