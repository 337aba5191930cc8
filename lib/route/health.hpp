// Which addresses of the vendor gateways may be used: Retry-After and OPTIONS checks.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/clock.hpp"
#include "tandem/values.hpp"

namespace tandem::route {

/// What is known of one address of one gateway. Outlives the tables (see ById), so a reload forgets
/// nothing of an address that stays. Threading: thread-safe, without locks;
/// note_probe() and forget_probes() on one thread at a time.
class AddressHealth {
 public:
  static constexpr std::int64_t retry_after_max_s = 3'600;  ///< Longer ones count as this (R-16).
  static constexpr unsigned failures_to_down = 2;  ///< Checks that fail one after the other (R-17).

  explicit AddressHealth(const SocketAddress& address) noexcept : address_(address) {}

  [[nodiscard]] const SocketAddress& address() const noexcept { return address_; }
  /// The last checks were answered, or nobody checks.
  [[nodiscard]] bool is_up() const noexcept { return is_up_.load(std::memory_order_relaxed); }
  /// How long a Retry-After still keeps it out of routing. `now_us`: monotonic.
  [[nodiscard]] std::int64_t closed_us(std::int64_t now_us) const noexcept;
  /// Whether this new call is one of those that its place has asked to be kept back (RFC 7339). A
  /// number is drawn only where it has.
  [[nodiscard]] bool sheds(Random& random, std::int64_t now_us) const {
    const unsigned loss = loss_percent(now_us);
    return loss > 0 && random.next() % 100 < loss;
  }
  /// 0..100 of a hundred new calls.
  [[nodiscard]] unsigned loss_percent(std::int64_t now_us) const noexcept;
  [[nodiscard]] bool is_usable(std::int64_t now_us) const noexcept {
    return is_up() && closed_us(now_us) == 0;
  }

  /// A response asked not to be bothered for `seconds`. A later end replaces an earlier one, never
  /// the other way round: responses of several calls cross.
  void close_for(std::int64_t seconds, std::int64_t now_us) noexcept;
  /// Its place said how many of a hundred new calls it shall not be sent, and for how long. What
  /// has a lower `sequence` than what is known is older, and changes nothing; 0: not said.
  void note_loss(unsigned percent, std::int64_t validity_us, std::uint64_t sequence,
                 std::int64_t now_us) noexcept;
  /// One check ended. True when is_up() changed.
  bool note_probe(bool is_answered) noexcept;
  void forget_probes() noexcept;  ///< Nobody checks any more: up.

 private:
  const SocketAddress address_;
  std::atomic<bool> is_up_{true};
  std::atomic<std::int64_t> closed_until_us_{0};  // monotonic
  // The end of what was asked for, monotonic, and the percentage in its last seven bits.
  std::atomic<std::int64_t> loss_{0};
  std::atomic<std::uint64_t> loss_sequence_{0};
  unsigned failures_ = 0;  // in a row
};

/// The addresses of one gateway, in the order in which they are preferred.
using GatewayAddresses = std::vector<std::shared_ptr<AddressHealth>>;

/// The first usable one; nullptr when there is none. Threading: thread-safe.
[[nodiscard]] AddressHealth* first_usable(const GatewayAddresses& addresses,
                                          std::int64_t now_us) noexcept;
/// The first usable one that does not keep this new call back (RFC 7339); nullptr when all do.
/// Threading: as `random`.
[[nodiscard]] AddressHealth* first_bearing(const GatewayAddresses& addresses, Random& random,
                                           std::int64_t now_us);

/// The id of an address of a gateway among all of them.
[[nodiscard]] std::string health_id(std::string_view gateway, const SocketAddress& address);

}  // namespace tandem::route
