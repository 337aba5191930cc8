// How far a try on a callee has come.
#pragma once

#include <cstdint>

namespace tandem::call {

/// Later stages replace the timer of earlier ones (P-19).
enum class AttemptStage : std::uint8_t { none, invited, trying, progressing, early_media, ringing };

/// It rings, or the caller hears something.
constexpr bool is_alerting(AttemptStage stage) noexcept {
  return stage >= AttemptStage::early_media;
}

}  // namespace tandem::call
