#include "tandem/dtls.hpp"

#include <array>

#include "base/text.hpp"

namespace tandem {
namespace {

struct Hash {
  std::string_view name;
  std::size_t bytes;
};
constexpr std::array<Hash, 5> hashes{
    {{"sha-1", 20}, {"sha-224", 28}, {"sha-256", 32}, {"sha-384", 48}, {"sha-512", 64}}};

int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

Result<DtlsFingerprint> DtlsFingerprint::parse(std::string_view text) {
  const std::string_view name = text.substr(0, text.find(' '));
  const Hash* known = nullptr;
  for (const Hash& hash : hashes) {
    if (equals_ignoring_case(hash.name, name)) known = &hash;
  }
  if (known == nullptr)
    return Error{ErrorCode::unsupported,
                 "hash \"" + std::string(name.substr(0, 20)) + "\" of a fingerprint was not known"};
  text.remove_prefix(name.size());
  while (!text.empty() && text.front() == ' ')
    text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ')
    text.remove_suffix(1);
  DtlsFingerprint read{std::string(known->name), {}};
  const auto malformed = [&] {
    return Error{ErrorCode::invalid_argument,
                 "fingerprint did not have " + std::to_string(known->bytes) +
                     " pairs of hexadecimal digits with colons between"};
  };
  if (text.size() != known->bytes * 3 - 1) return malformed();
  for (std::size_t at = 0; at < text.size(); at += 3) {
    const int high = hex_value(text[at]), low = hex_value(text[at + 1]);
    if (high < 0 || low < 0 || (at + 2 < text.size() && text[at + 2] != ':')) return malformed();
    read.digest.push_back(static_cast<char>(high << 4 | low));
  }
  return read;
}

std::string DtlsFingerprint::to_string() const {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string text = hash + ' ';
  for (std::size_t i = 0; i < digest.size(); ++i) {
    const auto byte = static_cast<unsigned char>(digest[i]);
    if (i != 0) text += ':';
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

const char* media_handshake_state_name(MediaHandshakeState state) noexcept {
  switch (state) {
    case MediaHandshakeState::none:
      return "none";
    case MediaHandshakeState::unchecked:
      return "unchecked";
    case MediaHandshakeState::shaking:
      return "shaking";
    case MediaHandshakeState::agreed:
      return "agreed";
    case MediaHandshakeState::dtls_failed:
      return "dtls_failed";
    case MediaHandshakeState::fingerprint_mismatch:
      return "fingerprint_mismatch";
  }
  return "";
}

const char* srtp_key_source_name(SrtpKeySource source) noexcept {
  switch (source) {
    case SrtpKeySource::sdes:
      return "sdes";
    case SrtpKeySource::dtls:
      return "dtls";
    case SrtpKeySource::both:
      return "both";
  }
  return "";
}

const char* ice_mode_name(IceMode mode) noexcept {
  switch (mode) {
    case IceMode::off:
      return "off";
    case IceMode::lite:
      return "lite";
  }
  return "";
}

}  // namespace tandem
