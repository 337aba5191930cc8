// Where the switch itself is registered.
#pragma once

#include <atomic>
#include <cstdint>

namespace tandem::phone {

/// The registration of the switch at one vendor. Written by the worker that keeps it up, read by
/// any thread.
struct Uplink {
  std::atomic<bool> is_registered{false};
  std::atomic<std::int64_t> expires_at_us{0};  ///< Wall clock.
  std::atomic<int> last_status{0};             ///< Of the last REGISTER; 0: no answer, or none yet.
};

}  // namespace tandem::phone
