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

std::string health_id(std::string_view gateway, const SocketAddress& address) {
  return std::string(gateway) + ' ' + address.to_string();
}

}  // namespace tandem::route
