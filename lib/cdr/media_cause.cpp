#include <array>
#include <string_view>

#include "tandem/cdr.hpp"

namespace tandem {

namespace {

constexpr std::array<const char*, 16> names{
    "",
    "not_described",
    "never_sent",
    "private_address",
    "source_refused",
    "source_denied",
    "malformed",
    "not_negotiated",
    "other_side_unknown",
    "blocked",
    "send_failed",
    "stopped",
    "srtp_failure",
    "ice_unchecked",
    "dtls_failed",
    "fingerprint_mismatch",
};
static_assert(names.size() == static_cast<std::size_t>(MediaCause::fingerprint_mismatch) + 1);

}  // namespace

const char* media_cause_name(MediaCause cause) noexcept {
  const auto index = static_cast<std::size_t>(cause);
  return index < names.size() ? names[index] : "";
}

std::optional<MediaCause> media_cause_from_name(std::string_view name) noexcept {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (name == names[i]) return static_cast<MediaCause>(i);
  }
  return std::nullopt;
}

}  // namespace tandem
