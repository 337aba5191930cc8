// How many TLS handshakes peers may begin (S-14), in bounded memory.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "sip/token.hpp"
#include "tandem/tls.hpp"
#include "tandem/values.hpp"

namespace tandem::sip {

/// A token bucket for each address that connects to one worker and one for all, each kept as the
/// time at which it will be full again. A handshake costs a use of the private key, which is worth
/// a hundred messages; connections that are refused before it cost next to nothing. IPv6 addresses
/// count by their first 64 bits, which is what one subscriber has.
///
/// The table has a fixed size. An address that finds no place of its own shares that of another
/// one, so under a flood from more addresses than places their rates are approximate; that of all
/// is exact. Threading: loop-bound.
class HandshakeRates {
 public:
  /// One address may begin so many at once: as many connections as it may have.
  HandshakeRates(std::size_t peer_burst, const KeyedHash::Key& key);

  /// Whether one more handshake may begin; it counts as begun then. Those that `is_known` says yes
  /// to have the rate of an address alone, so that a flood of others does not keep them out; it is
  /// asked when the rate of all is used up.
  template <class IsKnown>
  bool admit(const HandshakeLimits& limits, const IpAddress& peer, std::int64_t now_us,
             const IsKnown& is_known) {
    const Verdict verdict = judge(limits, peer, now_us, false);
    if (verdict != Verdict::too_many) return verdict == Verdict::admitted;
    return is_known() && judge(limits, peer, now_us, true) == Verdict::admitted;
  }

 private:
  enum class Verdict : std::uint8_t {
    admitted,
    too_many_of_one,
    too_many,
  };
  struct Place {
    std::uint64_t mark = 0;  // of the address
    std::int64_t full_at_us = 0;
  };
  static constexpr std::size_t ways = 4;  // places where an address may stand
  static constexpr std::size_t places = 4096;

  Verdict judge(const HandshakeLimits& limits, const IpAddress& peer, std::int64_t now_us,
                bool is_known);
  Place& place_of(const IpAddress& peer, std::int64_t now_us);

  const std::int64_t peer_burst_;
  const KeyedHash::Key key_;
  std::unique_ptr<std::array<Place, places>> table_;  // made when it is needed first
  std::int64_t full_at_us_ = 0;                       // of all addresses together
};

}  // namespace tandem::sip
