// The places that the name of a gateway stands for, and in which order calls try them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "route/health.hpp"
#include "tandem/clock.hpp"
#include "tandem/sip_options.hpp"

namespace tandem::route {

/// One place of a gateway that has names.
struct Place {
  std::shared_ptr<AddressHealth> health;  ///< With its address.
  SipTransport transport = SipTransport::udp;
  std::uint32_t rank = 0;  ///< Lower is tried first.
  std::uint32_t host = 0;  ///< Places of one host of one rank share its weight.
  std::uint16_t weight = 0;
  std::string name;  ///< As configured, which certificates are of (RFC 5922); "": an address.
};

inline constexpr std::size_t places_max = 32;  ///< Of one gateway.

/// In order of rank.
using Places = std::vector<Place>;

/// Which were tried, by index.
using TriedPlaces = std::uint32_t;

/// The next to be tried: the first rank of which any is usable; there the host that was begun with,
/// else one by weight (RFC 2782), and any of its places. Nothing: all were tried or are not usable.
/// `draw`: any number; equal inputs give equal answers. Threading: thread-safe.
[[nodiscard]] std::optional<std::size_t> next_place(const Places& places, TriedPlaces tried,
                                                    std::uint64_t draw,
                                                    std::int64_t now_us) noexcept;

/// The same for a new call, which places may ask to be kept back (RFC 7339). Those that keep this
/// one back are among `tried` then. Threading: as `random`.
[[nodiscard]] std::optional<std::size_t> next_bearing_place(const Places& places,
                                                            TriedPlaces& tried, Random& random,
                                                            std::int64_t now_us);

}  // namespace tandem::route
