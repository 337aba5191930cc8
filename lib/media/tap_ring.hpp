// Copies of packets on their way from a shard of the relay to whoever listens.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/media_relay.hpp"

namespace tandem::media {

/// Packets in the order of their arrival, in a fixed number of bytes. One that finds no room is
/// dropped and counted: the relay waits for nobody.
///
/// Threading: put() on the shard of the session; take() one thread at a time; the rest on any.
class TapRing {
 public:
  static constexpr std::size_t packet_bytes_max = 2048;  ///< What is longer is dropped.

  /// `capacity_bytes` is rounded up to a power of two.
  explicit TapRing(std::size_t capacity_bytes);

  /// False: dropped.
  bool put(MediaSide side, std::int64_t now_us, std::string_view bytes) noexcept;
  /// The next packet into `out`, whose memory is used again. False: none waits.
  bool take(TappedPacket& out);
  [[nodiscard]] std::uint64_t dropped() const noexcept {
    return dropped_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] bool is_over() const noexcept { return is_over_.load(std::memory_order_acquire); }
  void end() noexcept { is_over_.store(true, std::memory_order_release); }

 private:
  struct Head {
    std::int64_t at_us;
    std::uint32_t size_bytes;
    std::uint32_t side;
  };
  void write(std::size_t at, const void* from, std::size_t size_bytes) noexcept;
  void read(std::size_t at, void* to, std::size_t size_bytes) const noexcept;

  const std::size_t capacity_;  // a power of two
  const std::unique_ptr<char[]> bytes_;
  alignas(64) std::atomic<std::size_t> written_{0};  // since the beginning; the shard's
  std::atomic<std::uint64_t> dropped_{0};
  alignas(64) std::atomic<std::size_t> taken_{0};  // the listener's
  std::atomic<bool> is_over_{false};
};

}  // namespace tandem::media
