// The RTP/RTCP port pairs of one local address: unbound, ready, in use, at rest.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <vector>

namespace tandem::media {

/// Pairs are named by the slot of their RTP port. A bound pair stays with the shard that it was
/// bound for. Free pairs are used in the order of their return, so that a port rests as long as the
/// pool allows.
///
/// Threading: thread-safe; mutex_ guards the lists and is never held across a system call.
class PortPool {
 public:
  /// Time of the last packet that came to a closed pair, monotonic; 0: none.
  using StrayTime = std::function<std::int64_t(std::uint32_t slot)>;

  /// Pairs at slots `first_slot`, `first_slot` + 2 ... `pairs` of them, all unbound.
  PortPool(std::uint32_t first_slot, std::size_t pairs, unsigned shards, std::int64_t rest_us,
           StrayTime stray_time);

  /// A ready pair of `shard`; nothing when there is none.
  std::optional<std::uint32_t> take(unsigned shard, std::int64_t now_us);
  /// A pair that was in use goes to rest; one that never was used (`was_used` false) is ready at
  /// once.
  void give_back(unsigned shard, std::uint32_t slot, bool was_used, std::int64_t now_us);

  /// The next pair to bind; nothing when all are bound.
  std::optional<std::uint32_t> next_unbound();
  /// Takes an unbound pair out of its turn, to be bound now. False: it is none.
  bool reserve(std::uint32_t slot);
  void bound(unsigned shard, std::uint32_t slot, bool is_ready);  ///< It is ready now, or in use.
  void not_bound(std::uint32_t slot);  ///< Binding failed: tried again after all others.

  /// Fewer than `wanted` pairs of `shard` are ready although some of the range are not bound yet.
  [[nodiscard]] bool is_short(unsigned shard, std::size_t wanted) const;
  [[nodiscard]] std::size_t bound_pairs() const;
  [[nodiscard]] std::size_t resting_pairs() const;
  [[nodiscard]] std::size_t pairs() const noexcept { return pairs_; }

 private:
  struct Resting {
    std::uint32_t slot;
    std::int64_t since_us;
    std::int64_t until_us;
  };
  struct Shard {
    std::deque<std::uint32_t> ready;
    std::deque<Resting> resting;  // ordered by until_us
  };
  void wake_rested(Shard& shard, std::int64_t now_us);

  const std::size_t pairs_;
  const std::int64_t rest_us_;
  const StrayTime stray_time_;
  mutable std::mutex mutex_;
  std::deque<std::uint32_t> unbound_;
  std::vector<Shard> shards_;
  std::size_t bound_ = 0;
};

}  // namespace tandem::media
