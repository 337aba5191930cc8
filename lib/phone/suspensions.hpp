// Who has failed to authenticate too often (S-08).
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tandem/phones.hpp"
#include "tandem/values.hpp"

namespace tandem::phone {

struct SuspensionRules {
  std::int32_t failures = 6;  ///< That a user has from one address; five times as many an address.
  std::int32_t suspend_s = 180;  ///< 0: nobody is suspended.
};

/// Counts failures for each user at each address and for each address as a whole. Whoever has too
/// many is suspended; from another address the same user is still served, so an attacker cannot
/// lock anybody out. IPv6 addresses count by their first 64 bits.
///
/// At most `entries_max` are kept; beyond that an old one is forgotten. The limit of an address
/// bounds how many entries it can fill, and a nonce that must come back from there bounds the
/// addresses. Threading: thread-safe; the mutex guards `entries_` and `swept_us_` and is held for a
/// look-up. While nobody has failed it is not taken.
class Suspensions {
 public:
  static constexpr std::size_t entries_max = 65'536;

  [[nodiscard]] bool is_suspended(std::string_view user, const IpAddress& address,
                                  std::int64_t now_us) const;
  /// True: this failure began a suspension.
  bool note_failure(std::string_view user, const IpAddress& address, const SuspensionRules& rules,
                    std::int64_t now_us);
  void note_success(std::string_view user, const IpAddress& address);
  /// In order of address and user.
  [[nodiscard]] std::vector<SuspensionView> list(std::int64_t now_us) const;
  /// Ends a suspension and forgets its failures; with an empty user everything of the address.
  /// False: there is none.
  bool lift(std::string_view user, const IpAddress& address, std::int64_t now_us);

 private:
  struct Entry {
    std::int32_t failures = 0;
    std::int64_t latest_us = 0;
    std::int64_t until_us = 0;  // 0: not suspended
  };
  static std::string key(std::string_view user, const IpAddress& address);
  bool count(const std::string& key, std::int32_t limit, const SuspensionRules& rules,
             std::int64_t now_us);

  mutable std::mutex mutex_;
  std::unordered_map<std::string, Entry> entries_;  // "ADDRESS USER"
  std::int64_t swept_us_ = 0;                       // when old entries were looked for last
  std::atomic<std::size_t> size_{0};
};

}  // namespace tandem::phone
