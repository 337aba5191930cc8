#include "route/health.hpp"

#include <algorithm>

namespace tandem::route {

std::int64_t AddressHealth::closed_us(std::int64_t now_us) const noexcept {
  return std::max<std::int64_t>(closed_until_us_.load(std::memory_order_relaxed) - now_us, 0);
}

void AddressHealth::close_for(std::int64_t seconds, std::int64_t now_us) noexcept {
  const std::int64_t until_us =
      now_us + std::clamp<std::int64_t>(seconds, 0, retry_after_max_s) * 1'000'000;
  std::int64_t known_us = closed_until_us_.load(std::memory_order_relaxed);
  while (known_us < until_us &&
         !closed_until_us_.compare_exchange_weak(known_us, until_us, std::memory_order_relaxed)) {
  }
}

unsigned AddressHealth::loss_percent(std::int64_t now_us) const noexcept {
  const std::int64_t loss = loss_.load(std::memory_order_relaxed);
  return loss >> 7 > now_us ? static_cast<unsigned>(loss & 0x7f) : 0;
}

void AddressHealth::note_loss(unsigned percent, std::int64_t validity_us, std::uint64_t sequence,
                              std::int64_t now_us) noexcept {
  std::uint64_t known = loss_sequence_.load(std::memory_order_relaxed);
  // A place that began anew may count from the start: what it said before is over by then.
  const bool is_over = loss_.load(std::memory_order_relaxed) >> 7 <= now_us;
  do {
    if (sequence != 0 && sequence < known && !is_over) return;
  } while (!loss_sequence_.compare_exchange_weak(known, sequence, std::memory_order_relaxed));
  const std::int64_t until_us = now_us + std::max<std::int64_t>(validity_us, 0);
  loss_.store(until_us << 7 | static_cast<std::int64_t>(std::min(percent, 100U)),
              std::memory_order_relaxed);
}

bool AddressHealth::note_probe(bool is_answered) noexcept {
  failures_ = is_answered ? 0 : std::min(failures_ + 1, failures_to_down);
  const bool is_up_now = failures_ < failures_to_down && (is_answered || is_up());
  return is_up_.exchange(is_up_now, std::memory_order_relaxed) != is_up_now;
}

void AddressHealth::forget_probes() noexcept {
  failures_ = 0;
  is_up_.store(true, std::memory_order_relaxed);
}

AddressHealth* first_usable(const GatewayAddresses& addresses, std::int64_t now_us) noexcept {
  const auto found = std::find_if(addresses.begin(), addresses.end(),
                                  [&](const auto& entry) { return entry->is_usable(now_us); });
  return found == addresses.end() ? nullptr : found->get();
}

AddressHealth* first_bearing(const GatewayAddresses& addresses, Random& random,
                             std::int64_t now_us) {
  const auto found = std::find_if(addresses.begin(), addresses.end(), [&](const auto& entry) {
    return entry->is_usable(now_us) && !entry->sheds(random, now_us);
  });
  return found == addresses.end() ? nullptr : found->get();
}

std::string health_id(std::string_view gateway, const SocketAddress& address) {
  return std::string(gateway) + ' ' + address.to_string();
}

}  // namespace tandem::route
