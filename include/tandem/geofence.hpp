// Where signalling and media of a party may come from (S-01).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tandem/export.h"
#include "tandem/ip_set.hpp"

namespace tandem {

/// A named set of addresses, such as those of a country.
struct GeofenceArea {
  std::string id;
  std::vector<IpRange> ranges;  ///< At most IpSet::ranges_max; may overlap those of other areas.
};

enum class GeofenceMode : std::uint8_t {
  ignore,     ///< Nothing is checked here; the switch's own fence holds.
  forbidden,  ///< An address inside the areas fails.
  allow,      ///< An address outside of them fails.
};
TANDEM_EXPORT const char* geofence_mode_name(GeofenceMode mode) noexcept;

/// The fence of the switch, a gateway or a phone. The most specific one that does not ignore
/// decides alone.
struct GeofenceConfig {
  GeofenceMode mode = GeofenceMode::ignore;
  std::vector<std::string> areas;  ///< By their ids; empty: all there are.
  bool signalling = true;          ///< Where requests come from, or go to for a vendor.
  bool sdp = true;                 ///< Addresses in its descriptions; private ones are not judged.
  bool rtp = true;                 ///< Where its relayed media comes from.
};

/// How long a party whose media comes from outside of its fence has to send from inside.
inline constexpr std::int64_t geofence_media_wait_us = 5'000'000;

}  // namespace tandem
