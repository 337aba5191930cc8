// What a gateway or phone says of media: where it goes, which codecs are negotiated, and what the
// session descriptions that it gets and gives become.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/error.hpp"
#include "tandem/export.h"

namespace tandem {

/// Where media goes (M-01). `auto_mode` decides by the rules of M-01; `must_on` beats an `off` of
/// the other side.
enum class MediaMode : std::uint8_t { auto_mode, on, off, must_on };
TANDEM_EXPORT const char* media_mode_name(MediaMode mode) noexcept;

/// A codec of a list (M-07).
struct CodecName {
  std::string name;                 ///< As it is registered: "PCMA", "G729", "opus".
  std::uint32_t clock_rate_hz = 0;  ///< RTP clock that is meant; 0: any.
  bool is_video = false;

  /// "G729" or "speex/16000"; case does not matter, and other spellings of a codec are the codec.
  /// Errors: invalid_argument (not known, or carried beside the codecs such as telephone-event).
  static TANDEM_EXPORT Result<CodecName> parse(std::string_view text);
  [[nodiscard]] TANDEM_EXPORT std::string to_string() const;
  bool operator==(const CodecName&) const = default;
};

/// Most codecs of one list.
inline constexpr std::size_t codecs_max = 32;

/// The registered spelling of an encoding name: "G729" for "g729a". What is not known stays as it
/// is.
TANDEM_EXPORT std::string_view registered_codec_name(std::string_view name) noexcept;

/// "PCMA,G729": for logs, records and answers.
TANDEM_EXPORT std::string to_string(const std::vector<CodecName>& codecs);

/// What the descriptions that a side gets say of annexb of G.729 or annexa of G.723.1 (M-08).
enum class AnnexMode : std::uint8_t {
  auto_mode,  ///< What the other side says; nothing when that says nothing.
  yes,
  no,
  omit,  ///< Nothing; a device takes that as yes (RFC 4856 sections 2.1.9 and 2.1.11).
  pass,  ///< What the other side says, spelled out: yes when that says nothing.
};
TANDEM_EXPORT const char* annex_mode_name(AnnexMode mode) noexcept;

/// What a caller gets when the callee rings or describes early media (M-12).
enum class RemoteRingback : std::uint8_t {
  auto_mode,         ///< What the callee sent.
  session_progress,  ///< 183 with a description.
  ringing,           ///< 180 with a description.
};
TANDEM_EXPORT const char* remote_ringback_name(RemoteRingback mode) noexcept;

/// How the descriptions of a gateway or phone are changed, and how it is told of ringing.
struct DescriptionOptions {
  AnnexMode annexb = AnnexMode::auto_mode;  ///< Of G.729.
  AnnexMode annexa = AnnexMode::auto_mode;  ///< Of G.723.1.
  /// The other side is told a packet time that it can take: its ptime, not above its maxptime
  /// (M-10). Packets are not cut or joined.
  bool ptime_adaptive = false;
  /// Relayed media goes to the address of its description, unless that is a private one, also when
  /// its packets come from elsewhere (M-03).
  bool nat_sdp_first = false;
  /// Of a caller; of a callee for callers that do not say (M-12).
  RemoteRingback remote_ringback = RemoteRingback::auto_mode;
};

}  // namespace tandem
