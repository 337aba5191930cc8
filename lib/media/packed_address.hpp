// A socket address as the relay compares it for every packet.
#pragma once

#include <array>
#include <cstdint>

#include "tandem/values.hpp"

namespace tandem::media {

/// A socket address in 20 bytes, comparable word by word.
struct PackedAddress {
  std::array<std::uint32_t, 4>
      ip{};                ///< Network order as in memory; IPv4 in the first word, the rest 0.
  std::uint16_t port = 0;  ///< Host order.
  IpAddress::Family family = IpAddress::Family::none;

  [[nodiscard]] bool is_set() const noexcept { return family != IpAddress::Family::none; }
  [[nodiscard]] bool same_ip(const PackedAddress& other) const noexcept {
    return ip == other.ip && family == other.family;
  }
  bool operator==(const PackedAddress&) const = default;
};
PackedAddress pack(const SocketAddress& address) noexcept;
SocketAddress unpack(const PackedAddress& address) noexcept;

}  // namespace tandem::media
