#include "media/tap_ring.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace tandem::media {

TapRing::TapRing(std::size_t capacity_bytes)
    : capacity_(std::bit_ceil(std::max(capacity_bytes, 2 * packet_bytes_max))),
      bytes_(std::make_unique<char[]>(capacity_)) {}

void TapRing::write(std::size_t at, const void* from, std::size_t size_bytes) noexcept {
  const std::size_t offset = at & (capacity_ - 1);
  const std::size_t first = std::min(size_bytes, capacity_ - offset);
  std::memcpy(bytes_.get() + offset, from, first);
  std::memcpy(bytes_.get(), static_cast<const char*>(from) + first, size_bytes - first);
}

void TapRing::read(std::size_t at, void* to, std::size_t size_bytes) const noexcept {
  const std::size_t offset = at & (capacity_ - 1);
  const std::size_t first = std::min(size_bytes, capacity_ - offset);
  std::memcpy(to, bytes_.get() + offset, first);
  std::memcpy(static_cast<char*>(to) + first, bytes_.get(), size_bytes - first);
}

bool TapRing::put(MediaSide side, std::int64_t now_us, std::string_view bytes) noexcept {
  if (is_over()) return true;  // whoever listened has left
  const std::size_t written = written_.load(std::memory_order_relaxed);
  const std::size_t used = written - taken_.load(std::memory_order_acquire);
  if (bytes.size() > packet_bytes_max || sizeof(Head) + bytes.size() > capacity_ - used) {
    dropped_.store(dropped_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    return false;
  }
  const Head head{now_us, static_cast<std::uint32_t>(bytes.size()),
                  static_cast<std::uint32_t>(side)};
  write(written, &head, sizeof head);
  write(written + sizeof head, bytes.data(), bytes.size());
  written_.store(written + sizeof head + bytes.size(), std::memory_order_release);
  return true;
}

bool TapRing::take(TappedPacket& out) {
  const std::size_t taken = taken_.load(std::memory_order_relaxed);
  if (taken == written_.load(std::memory_order_acquire)) return false;
  Head head{};
  read(taken, &head, sizeof head);
  out.at_us = head.at_us;
  out.side = static_cast<MediaSide>(head.side);
  out.bytes.resize(head.size_bytes);
  read(taken + sizeof head, out.bytes.data(), head.size_bytes);
  taken_.store(taken + sizeof head + head.size_bytes, std::memory_order_release);
  return true;
}

}  // namespace tandem::media
