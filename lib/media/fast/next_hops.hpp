// To which Ethernet address a datagram goes first, as the tables of the kernel say.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <unordered_map>

#include "media/packed_address.hpp"
#include "media/system_socket.hpp"

namespace tandem::media {

/// A way out of this machine, over Ethernet.
struct NextHop {
  int interface = 0;
  std::uint32_t mtu = 0;
  std::array<unsigned char, 6> to{}, from{};
};

/// Asks the kernel by rtnetlink, which answers at once, and remembers the answers: ways for
/// `route_us`, neighbours for `neighbour_us`.
///
/// Threading: one thread at a time.
class NextHops {
 public:
  static constexpr std::int64_t route_us = 5'000'000;
  static constexpr std::int64_t neighbour_us = 1'000'000;

  NextHops();

  /// Null: there is none over Ethernet, or its address is not known (yet), or it is this packet's
  /// turn to go by the kernel: that looks for neighbours, and sees whether they are still there,
  /// only when it has a packet for them. Holds until the next call.
  const NextHop* find(const PackedAddress& from, const PackedAddress& to,
                      std::int64_t now_us) noexcept;
  void forget() noexcept;  ///< All of it: something was not as it was remembered.

 private:
  struct Route {
    std::int64_t until_us = 0;
    int interface = 0;        ///< 0: not by Ethernet.
    PackedAddress neighbour;  ///< The destination itself or a router.
  };
  struct Neighbour {
    std::int64_t until_us = 0;
    bool is_known = false;
    NextHop hop;
  };
  struct Hash {
    std::size_t operator()(const PackedAddress& address) const noexcept;
  };
  Route ask_route(const PackedAddress& from, const PackedAddress& to) noexcept;
  Neighbour ask_neighbour(int interface, const PackedAddress& address) noexcept;

  UniqueFd netlink_;
  std::uint32_t asked_ = 0;
  std::unordered_map<PackedAddress, Route, Hash> routes_;          // by destination, without port
  std::unordered_map<PackedAddress, Neighbour, Hash> neighbours_;  // the port is the interface
};

}  // namespace tandem::media
