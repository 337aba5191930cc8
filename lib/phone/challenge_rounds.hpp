// How often who calls or registers was asked for its credentials (P-04).
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string_view>
#include <vector>

#include "tandem/values.hpp"

namespace tandem::phone {

struct RoundRules {
  std::int32_t rounds = 6;              ///< Challenges of one Call-ID ...
  std::int64_t within_us = 10'000'000;  ///< ... in this time from the first one.
};

/// Who comes back again and again without credentials that can be used, such as a device that takes
/// no notice of a new nonce, is not challenged for ever.
///
/// Call-IDs of one address share a fixed number of places; one that takes another one's place frees
/// that of its bound, and nobody else is refused for it. Threading: thread-safe; the mutex guards
/// `places_` and is held for a look.
class ChallengeRounds {
 public:
  static constexpr std::size_t places_max = 4096;

  /// No further challenge may go there now.
  [[nodiscard]] bool is_exhausted(std::string_view call_id, const IpAddress& address,
                                  const RoundRules& rules, std::int64_t now_us) const;
  void note(std::string_view call_id, const IpAddress& address, const RoundRules& rules,
            std::int64_t now_us);
  /// It has answered the last one, rightly or wrongly: the next one is the first again.
  void forget(std::string_view call_id, const IpAddress& address);

 private:
  struct Place {
    std::uint64_t whose = 0;
    std::int64_t first_us = 0;
    std::int32_t rounds = 0;
  };

  mutable std::mutex mutex_;
  std::vector<Place> places_;  // empty until the first challenge
};

}  // namespace tandem::phone
