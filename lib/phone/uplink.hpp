// Where the switch itself is registered.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <utility>

namespace tandem::phone {

/// The registration of the switch at one vendor. Written by the worker that keeps it up, read by
/// any thread.
struct Uplink {
  std::atomic<bool> is_registered{false};
  std::atomic<std::int64_t> expires_at_us{0};  ///< Wall clock.
  std::atomic<int> last_status{0};             ///< Of the last REGISTER; 0: no answer, or none yet.

  /// What calls to the vendor must go through (RFC 3608), a name-addr a line; "": nothing that the
  /// vendor named. Not in the place of its address, which is the edge that leads there.
  void set_service_route(std::string lines) {
    const std::lock_guard lock(mutex_);
    service_route_ = std::move(lines);
  }
  [[nodiscard]] std::string service_route() const {
    const std::lock_guard lock(mutex_);
    return service_route_;
  }

 private:
  mutable std::mutex mutex_;  // guards the next; held for a copy
  std::string service_route_;
};

}  // namespace tandem::phone
