#include <array>

#include "tandem/srtp.hpp"

namespace tandem {
namespace {

struct Suite {
  const char* name;
  std::size_t key_bytes;  // RFC 4568 section 6.2, RFC 6188 section 4, RFC 7714 section 14.2
};
constexpr std::array<Suite, 7> suites{{
    {"", 0},
    {"AES_CM_128_HMAC_SHA1_80", 30},
    {"AES_CM_128_HMAC_SHA1_32", 30},
    {"AES_256_CM_HMAC_SHA1_80", 46},
    {"AES_256_CM_HMAC_SHA1_32", 46},
    {"AEAD_AES_128_GCM", 28},
    {"AEAD_AES_256_GCM", 44},
}};
static_assert(suites.size() == static_cast<std::size_t>(SrtpSuite::aead_aes_256_gcm) + 1);

const Suite& of(SrtpSuite suite) noexcept {
  const auto index = static_cast<std::size_t>(suite);
  return suites[index < suites.size() ? index : 0];
}

}  // namespace

const char* srtp_suite_name(SrtpSuite suite) noexcept { return of(suite).name; }

std::optional<SrtpSuite> srtp_suite_from_name(std::string_view name) noexcept {
  for (std::size_t i = 1; i < suites.size(); ++i) {
    if (name == suites[i].name) return static_cast<SrtpSuite>(i);
  }
  return std::nullopt;
}

std::size_t srtp_key_bytes(SrtpSuite suite) noexcept { return of(suite).key_bytes; }

const char* srtp_mode_name(SrtpMode mode) noexcept {
  switch (mode) {
    case SrtpMode::pass:
      return "pass";
    case SrtpMode::off:
      return "off";
    case SrtpMode::optional:
      return "optional";
    case SrtpMode::required:
      return "required";
  }
  return "";
}

}  // namespace tandem
