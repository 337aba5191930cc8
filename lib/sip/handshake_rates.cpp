#include "sip/handshake_rates.hpp"

#include <algorithm>
#include <string_view>

namespace tandem::sip {
namespace {

constexpr std::int64_t second_us = 1'000'000;

/// When a bucket will be full that gives one more; 0: it has none.
std::int64_t one_more(std::int64_t full_at_us, std::int64_t now_us, std::int32_t per_s,
                      std::int64_t burst) noexcept {
  const std::int64_t step_us = second_us / per_s;
  const std::int64_t next_us = std::max(full_at_us, now_us) + step_us;
  return next_us - now_us <= step_us * burst ? next_us : 0;
}

}  // namespace

HandshakeRates::HandshakeRates(std::size_t peer_burst, const KeyedHash::Key& key)
    : peer_burst_(static_cast<std::int64_t>(std::max<std::size_t>(peer_burst, 1))), key_(key) {}

HandshakeRates::Verdict HandshakeRates::judge(const HandshakeLimits& limits, const IpAddress& peer,
                                              std::int64_t now_us, bool is_known) {
  Place* place = nullptr;
  std::int64_t peer_next_us = 0;
  if (limits.peer_per_s > 0) {
    place = &place_of(peer, now_us);
    peer_next_us = one_more(place->full_at_us, now_us, limits.peer_per_s, peer_burst_);
    if (peer_next_us == 0) return Verdict::too_many_of_one;
  }
  // Both or none: what the one refuses must not be missing in the other.
  if (limits.per_s > 0 && !is_known) {
    const std::int64_t next_us = one_more(full_at_us_, now_us, limits.per_s, limits.per_s);
    if (next_us == 0) return Verdict::too_many;
    full_at_us_ = next_us;
  }
  if (place != nullptr) place->full_at_us = peer_next_us;
  return Verdict::admitted;
}

HandshakeRates::Place& HandshakeRates::place_of(const IpAddress& peer, std::int64_t now_us) {
  if (table_ == nullptr) table_ = std::make_unique<std::array<Place, places>>();
  const std::string_view bytes(reinterpret_cast<const char*>(peer.bytes.data()),
                               peer.is_ipv6() ? 8 : 4);
  const std::uint64_t mark = KeyedHash(key_).add(bytes).value();
  Place* const first = &(*table_)[mark % (places / ways) * ways];
  Place* const last = first + ways;
  Place* found = std::find_if(first, last, [mark](const Place& one) { return one.mark == mark; });
  if (found != last) return *found;
  // A full bucket is as good as none, so its place is free.
  found =
      std::find_if(first, last, [now_us](const Place& one) { return one.full_at_us <= now_us; });
  if (found == last) found = first + mark / places % ways;
  // A place that is shared keeps what was taken from it.
  found->mark = mark;
  return *found;
}

}  // namespace tandem::sip
