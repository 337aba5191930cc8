// RTP and RTCP headers (RFC 3550 sections 5.1, 5.3.1, 6.4), read once at the edge.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace tandem::media {

struct RtpHeader {
  std::uint8_t payload_type = 0;  ///< 0..127.
  std::uint16_t sequence = 0;
  std::uint32_t timestamp = 0;
  std::uint32_t ssrc = 0;
  std::size_t payload_offset = 0;  ///< Behind header, CSRC list and extension.
};

/// The header of an RTP or SRTP packet; nothing when version, length, CSRC list or header extension
/// do not fit. The padding count is not checked: in SRTP it is encrypted (RFC 3711 section 3.1).
std::optional<RtpHeader> parse_rtp(std::string_view bytes) noexcept;

/// What of `bytes`, whose header was read, is media: without padding. Empty when the padding is not
/// as RFC 3550 section 5.1 has it, or encrypted.
std::string_view rtp_payload(std::string_view bytes, const RtpHeader& header) noexcept;

/// True when the second byte says RTCP on a port that carries both (RFC 5761 section 4).
bool looks_like_rtcp(std::string_view bytes) noexcept;

/// What a compound RTCP packet says of its sender, and of what its sender received.
struct RtcpSummary {
  std::uint32_t ssrc = 0;    ///< Of the sender of the packet.
  bool has_report = false;   ///< A report block was there.
  std::uint32_t lost = 0;    ///< Cumulative number of packets lost, 0 when the block says less.
  std::uint32_t jitter = 0;  ///< In units of the RTP clock.
};

/// Nothing when version, type or length of one of the compound's packets do not fit. The first
/// report block of a sender or receiver report counts.
std::optional<RtcpSummary> parse_rtcp(std::string_view bytes) noexcept;

}  // namespace tandem::media
