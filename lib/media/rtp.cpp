#include "media/rtp.hpp"

#include <algorithm>

namespace tandem::media {
namespace {

constexpr std::size_t rtp_header_bytes = 12;

std::uint8_t byte_at(std::string_view bytes, std::size_t offset) noexcept {
  return static_cast<std::uint8_t>(bytes[offset]);
}
std::uint16_t u16_at(std::string_view bytes, std::size_t offset) noexcept {
  return static_cast<std::uint16_t>(byte_at(bytes, offset) << 8 | byte_at(bytes, offset + 1));
}
std::uint32_t u32_at(std::string_view bytes, std::size_t offset) noexcept {
  return static_cast<std::uint32_t>(u16_at(bytes, offset)) << 16 | u16_at(bytes, offset + 2);
}
bool is_version_2(std::string_view bytes) noexcept { return byte_at(bytes, 0) >> 6 == 2; }
bool is_rtcp_type(std::uint8_t type) noexcept { return type >= 192 && type <= 223; }

}  // namespace

std::optional<RtpHeader> parse_rtp(std::string_view bytes) noexcept {
  if (bytes.size() < rtp_header_bytes || !is_version_2(bytes)) return std::nullopt;
  const std::uint8_t first = byte_at(bytes, 0);
  std::size_t header_bytes = rtp_header_bytes + 4U * (first & 0x0F);
  if ((first & 0x10) != 0) {
    if (bytes.size() < header_bytes + 4) return std::nullopt;
    header_bytes += 4 + 4U * u16_at(bytes, header_bytes + 2);
  }
  if (bytes.size() < header_bytes) return std::nullopt;
  return RtpHeader{static_cast<std::uint8_t>(byte_at(bytes, 1) & 0x7F), u16_at(bytes, 2),
                   u32_at(bytes, 4), u32_at(bytes, 8), header_bytes};
}

std::string_view rtp_payload(std::string_view bytes, const RtpHeader& header) noexcept {
  std::string_view payload = bytes.substr(header.payload_offset);
  if ((byte_at(bytes, 0) & 0x20) == 0) return payload;
  const std::size_t padding = payload.empty() ? 0 : byte_at(payload, payload.size() - 1);
  payload.remove_suffix(padding == 0 ? payload.size() : std::min(padding, payload.size()));
  return payload;
}

bool looks_like_rtcp(std::string_view bytes) noexcept {
  return bytes.size() >= 8 && is_version_2(bytes) && is_rtcp_type(byte_at(bytes, 1));
}

std::optional<RtcpSummary> parse_rtcp(std::string_view bytes) noexcept {
  if (!looks_like_rtcp(bytes)) return std::nullopt;
  RtcpSummary summary;
  summary.ssrc = u32_at(bytes, 4);
  // An encrypted compound (RFC 3711 section 3.4) is readable in its first 8 bytes only and ends
  // with an index and a tag, so what follows the first packet must not decide whether the datagram
  // is passed on.
  const std::size_t first_bytes = 4U * (u16_at(bytes, 2) + 1U);
  if (first_bytes > bytes.size() || first_bytes < 8) return std::nullopt;
  std::string_view rest = bytes;
  while (rest.size() >= 8 && is_version_2(rest) && is_rtcp_type(byte_at(rest, 1))) {
    const std::size_t size_bytes = 4U * (u16_at(rest, 2) + 1U);
    if (size_bytes > rest.size()) break;
    const std::uint8_t type = byte_at(rest, 1);
    const std::size_t block = type == 200 ? 28 : 8;
    if ((type == 200 || type == 201) && (byte_at(rest, 0) & 0x1F) > 0 && size_bytes >= block + 24) {
      const std::uint32_t lost = u32_at(rest, block + 4) & 0xFFFFFF;
      summary.has_report = true;
      summary.lost =
          lost < 0x800000 ? lost : 0;  // a 24 bit signed number; duplicates make it negative
      summary.jitter = u32_at(rest, block + 12);
      break;
    }
    rest.remove_prefix(size_bytes);
  }
  return summary;
}

}  // namespace tandem::media
