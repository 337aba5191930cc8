// S-01 behind the admission: what the two sides describe, and where their media comes from.
#include "call/call.hpp"

namespace tandem::call {

/// Of who stands on that side; null: nothing is checked, or it is another call of ours.
const Geofence* Call::fence_of(MediaSide side) const noexcept {
  if (const StandIn* const in = speaking_in(side)) return in->entry().geofence.get();
  // The target of a transfer describes the relay, which is nobody's place.
  if (is_loop(side) || (transfer_ != nullptr && transfer_->place() == side)) return nullptr;
  if (side == MediaSide::callee) return vendor().geofence.get();
  const Customer* const customer = context_.customer_entry();
  return customer == nullptr ? nullptr : customer->geofence.get();
}

/// Errors: unsupported (an address in it is outside of the fence of who sent it).
Result<void> Call::check_description(MediaSide from, const SessionBody& body) const {
  const Geofence* const fence = fence_of(from);
  if (fence == nullptr || !is_sdp(body.content_type)) return {};
  const auto outside = fence->refused_in(body.bytes);
  if (!outside) return {};
  return Error{ErrorCode::unsupported, "the description named " + outside->to_string() +
                                           ", which is outside of the geofence (S-01)"};
}

/// Once a second: a side of which only media from outside came has had its time.
void Call::look_for_strangers(std::int64_t now_us) {
  if (!media_.relayed() || now_us - silence_from_us_ < geofence_media_wait_us) return;
  for (const MediaSide side : {MediaSide::caller, MediaSide::callee}) {
    const Geofence* const fence = fence_of(side);
    if (fence == nullptr || !fence->rtp || media_.last_rtp_us(side) != 0) continue;
    if (media_.stats(side).cause == MediaCause::source_denied)
      return end_by_server(Reason::GeofenceForbidden);
  }
}

}  // namespace tandem::call
