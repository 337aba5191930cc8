// RTP and RTCP packets for the tests.
#pragma once

#include <cstdint>
#include <string>

namespace tandem::media {

inline void append_u32(std::string& bytes, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8)
    bytes.push_back(static_cast<char>(value >> shift));
}

/// An RTP packet of PCMU; `payload_bytes` bytes of payload that depend on the sequence number.
inline std::string rtp_packet(std::uint16_t sequence, std::uint32_t timestamp, std::uint32_t ssrc,
                              std::size_t payload_bytes = 160) {
  std::string bytes = {'\x80', '\0', static_cast<char>(sequence >> 8), static_cast<char>(sequence)};
  append_u32(bytes, timestamp);
  append_u32(bytes, ssrc);
  for (std::size_t i = 0; i < payload_bytes; ++i)
    bytes.push_back(static_cast<char>(sequence * 31 + i));
  return bytes;
}

/// One packet of a telephone event (RFC 4733).
inline std::string key_packet(std::uint16_t sequence, std::uint32_t timestamp, std::uint32_t ssrc,
                              std::uint8_t event, std::uint16_t duration, bool is_end,
                              std::uint8_t payload_type = 101) {
  std::string bytes = rtp_packet(sequence, timestamp, ssrc, 0);
  bytes[1] = static_cast<char>(payload_type);
  bytes.push_back(static_cast<char>(event));
  bytes.push_back(static_cast<char>(is_end ? 0x8A : 0x0A));
  bytes.push_back(static_cast<char>(duration >> 8));
  bytes.push_back(static_cast<char>(duration));
  return bytes;
}

/// A receiver report with one block.
inline std::string receiver_report(std::uint32_t ssrc, std::uint32_t lost,
                                   std::uint32_t jitter = 0) {
  std::string bytes = {'\x81', '\xC9', '\0', '\x07'};
  append_u32(bytes, ssrc);
  append_u32(bytes, 0x1234);  // about whom
  append_u32(bytes, lost & 0xFFFFFF);
  append_u32(bytes, 0);
  append_u32(bytes, jitter);
  append_u32(bytes, 0);
  append_u32(bytes, 0);
  return bytes;
}

}  // namespace tandem::media
