// IP and UDP headers as a host writes them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "media/packed_address.hpp"

namespace tandem::media {

constexpr std::size_t udp_headers_max = 48;  // IPv6 and UDP

constexpr std::size_t udp_headers_bytes(IpAddress::Family family) noexcept {
  return family == IpAddress::Family::ipv4 ? 28 : udp_headers_max;
}

/// Writes what belongs before `payload` on its way from `from` to `to`, both of one family, to
/// `room`, with all checksums. Gives its length. `payload`: at most udp_payload_max().
std::size_t write_udp_headers(const PackedAddress& from, const PackedAddress& to, std::uint8_t tos,
                              std::string_view payload, unsigned char* room) noexcept;

/// What a datagram of `family` can carry.
constexpr std::size_t udp_payload_max(IpAddress::Family family) noexcept {
  return family == IpAddress::Family::ipv4 ? 65507 : 65527;
}

/// The sum of RFC 1071 of `bytes`, not folded, on top of `sum`.
std::uint64_t add_checksum(const void* bytes, std::size_t size, std::uint64_t sum) noexcept;
/// Folded and inverted, as it is written to a header.
std::uint16_t checksum_of(std::uint64_t sum) noexcept;

}  // namespace tandem::media
