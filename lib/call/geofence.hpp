// The fences of the switch, its gateways and its phones (S-01), as calls are judged by them.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/error.hpp"
#include "tandem/geofence.hpp"
#include "tandem/media_options.hpp"

namespace tandem::call {

/// Threading: immutable.
struct Geofence {
  GeofenceMode mode = GeofenceMode::ignore;
  IpSet areas;
  bool signalling = true, sdp = true, rtp = true;

  [[nodiscard]] bool admits(const IpAddress& ip) const noexcept {
    return mode == GeofenceMode::ignore || areas.contains(ip) == (mode == GeofenceMode::allow);
  }
  /// Where requests come from, or go to; an address that is not known is let in.
  [[nodiscard]] bool admits_signalling(const IpAddress& ip) const noexcept {
    return !signalling || ip.family == IpAddress::Family::none || admits(ip);
  }
  /// The first address in a description that is outside; nothing: none. Private and loopback
  /// addresses say nothing of where a party is: its media shows that. A body that is no description
  /// has none.
  [[nodiscard]] std::optional<IpAddress> refused_in(std::string_view description) const;
};

/// Makes them of a configuration; equal ones share their addresses.
///
/// Threading: one thread at a time.
class Geofences {
 public:
  /// Errors: limit (IpSet::ranges_max).
  Result<void> begin(const std::vector<GeofenceArea>& areas, const GeofenceConfig& of_switch);
  /// What holds for a party that says `own`; null: nothing is checked. Errors: invalid_argument (no
  /// such area).
  Result<std::shared_ptr<const Geofence>> of(const GeofenceConfig& own);
  /// The media part of a fence, beside what the lists of networks say.
  static void add_to(const Geofence* fence, MediaSources& sources);

 private:
  Result<std::shared_ptr<const Geofence>> make(const GeofenceConfig& config);

  const std::vector<GeofenceArea>* areas_ = nullptr;              // of begin(), lives as long
  std::vector<std::pair<std::vector<std::string>, IpSet>> made_;  // by what was asked for
  std::shared_ptr<const Geofence> of_switch_;
};

}  // namespace tandem::call
