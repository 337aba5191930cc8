// Which nonces of ours a user has used (RFC 7616 section 5.5: replay).
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/registration.hpp"

namespace tandem::phone {

/// Remembers the uses of the latest nonces of one user: of each its highest count and which of the
/// 64 counts below were used, because requests overtake each other. A nonce that is older than
/// those remembered counts as used, so nothing is accepted twice. Threading: one thread at a time.
class NonceWindow {
 public:
  /// False: used before, or too old to know.
  bool use(const NonceUse& use) noexcept {
    if (use.issued_us <= forgotten_us_ || use.count == 0) return false;
    Nonce* oldest = nonces_.data();
    for (Nonce& nonce : nonces_) {
      if (nonce.issued_us == use.issued_us) return nonce.use(use.count);
      if (nonce.issued_us < oldest->issued_us) oldest = &nonce;
    }
    if (use.issued_us < oldest->issued_us) return false;
    forgotten_us_ = std::max(forgotten_us_, oldest->issued_us);
    *oldest = {use.issued_us, use.count, 1};
    return true;
  }

 private:
  struct Nonce {
    std::int64_t issued_us = 0;
    std::uint32_t highest = 0;
    std::uint64_t used = 0;  // bit i: the count `highest` - i

    bool use(std::uint32_t count) noexcept {
      if (count > highest) {
        const std::uint32_t step = count - highest;
        used = (step < 64 ? used << step : 0) | 1U;
        highest = count;
        return true;
      }
      const std::uint32_t back = highest - count;
      if (back >= 64 || (used >> back & 1U) != 0) return false;
      used |= std::uint64_t{1} << back;
      return true;
    }
  };
  std::array<Nonce, 4> nonces_{};
  std::int64_t forgotten_us_ = 0;
};

}  // namespace tandem::phone
