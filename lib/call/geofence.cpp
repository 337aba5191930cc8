#include "call/geofence.hpp"

#include <algorithm>
#include <utility>

#include "sip/sdp.hpp"

namespace tandem::call {

std::optional<IpAddress> Geofence::refused_in(std::string_view description) const {
  if (!sdp || description.empty()) return std::nullopt;
  const auto session = sip::parse_sdp(description);
  if (!session) return std::nullopt;  // whoever needs it will say so
  for (std::size_t i = 0; i < session->media_count; ++i) {
    const sip::SdpMedia& media = session->media[i];
    if (media.port == 0) continue;
    for (const IpAddress& ip : {media.address, media.rtcp_address}) {
      if (ip.is_unspecified() || ip.is_private() || ip.is_loopback()) continue;
      if (!admits(ip)) return ip;
    }
  }
  return std::nullopt;
}

Result<void> Geofences::begin(const std::vector<GeofenceArea>& areas,
                              const GeofenceConfig& of_switch) {
  areas_ = &areas;
  made_.clear();
  of_switch_.reset();
  auto made = make(of_switch);
  if (!made) return made.error();
  of_switch_ = std::move(*made);
  return {};
}

Result<std::shared_ptr<const Geofence>> Geofences::of(const GeofenceConfig& own) {
  if (own.mode == GeofenceMode::ignore) return of_switch_;
  return make(own);
}

Result<std::shared_ptr<const Geofence>> Geofences::make(const GeofenceConfig& config) {
  if (config.mode == GeofenceMode::ignore) return std::shared_ptr<const Geofence>();
  auto fence = std::make_shared<Geofence>();
  fence->mode = config.mode;
  fence->signalling = config.signalling;
  fence->sdp = config.sdp;
  fence->rtp = config.rtp;
  const auto known = std::find_if(made_.begin(), made_.end(),
                                  [&](const auto& one) { return one.first == config.areas; });
  if (known != made_.end()) {
    fence->areas = known->second;
    return std::shared_ptr<const Geofence>(std::move(fence));
  }
  std::vector<IpRange> ranges;
  for (const std::string& id : config.areas) {
    if (std::none_of(areas_->begin(), areas_->end(),
                     [&](const GeofenceArea& area) { return area.id == id; }))
      return Error{ErrorCode::invalid_argument, "no geofence area \"" + id + "\""};
  }
  for (const GeofenceArea& area : *areas_) {
    const bool is_chosen =
        config.areas.empty() ||
        std::find(config.areas.begin(), config.areas.end(), area.id) != config.areas.end();
    if (is_chosen) ranges.insert(ranges.end(), area.ranges.begin(), area.ranges.end());
  }
  auto set = IpSet::of(std::move(ranges));
  if (!set) return set.error();
  made_.emplace_back(config.areas, *set);
  fence->areas = std::move(*set);
  return std::shared_ptr<const Geofence>(std::move(fence));
}

void Geofences::add_to(const Geofence* fence, MediaSources& sources) {
  if (fence == nullptr || !fence->rtp) return;
  if (fence->mode == GeofenceMode::allow) {
    sources.allow_set = fence->areas;
  } else if (fence->mode == GeofenceMode::forbidden && !fence->areas.is_empty()) {
    sources.deny_set = fence->areas;
  }
}

}  // namespace tandem::call
