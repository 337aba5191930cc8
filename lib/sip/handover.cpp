#include "sip/handover.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace tandem::sip {

HandoverRing::HandoverRing(std::size_t capacity_bytes)
    : capacity_bytes_(std::bit_ceil(std::max<std::size_t>(capacity_bytes, 128 * 1024))),
      bytes_(new char[capacity_bytes_]) {}

bool HandoverRing::push(Kind kind, const Path& path, std::string_view bytes) noexcept {
  const std::size_t needed = room_for(bytes.size());
  std::uint64_t at = written_.load(std::memory_order_relaxed);
  const std::uint64_t read = read_.load(std::memory_order_acquire);
  const std::size_t offset = at & (capacity_bytes_ - 1);
  const std::size_t to_end = capacity_bytes_ - offset;
  const std::size_t gap = to_end < needed ? to_end : 0;
  if (needed + gap > capacity_bytes_ - static_cast<std::size_t>(at - read)) return false;
  if (gap > 0) {
    // Records begin at multiples of eight, so the mark always fits.
    std::memcpy(bytes_.get() + offset, &skip, sizeof(skip));
    at += gap;
  }
  char* out = bytes_.get() + (at & (capacity_bytes_ - 1));
  const Header header{static_cast<std::uint32_t>(bytes.size()), kind, path};
  std::memcpy(out, &header, sizeof(header));
  if (!bytes.empty()) std::memcpy(out + sizeof(header), bytes.data(), bytes.size());
  written_.store(at + needed, std::memory_order_release);
  return true;
}

bool HandoverRing::peek(Record& record) noexcept {
  std::uint64_t at = read_.load(std::memory_order_relaxed);
  const std::uint64_t written = written_.load(std::memory_order_acquire);
  if (at == written) return false;
  std::size_t offset = at & (capacity_bytes_ - 1);
  std::uint32_t size_bytes = 0;
  std::memcpy(&size_bytes, bytes_.get() + offset, sizeof(size_bytes));
  if (size_bytes == skip) {
    at += capacity_bytes_ - offset;
    offset = 0;
  }
  Header header;
  std::memcpy(static_cast<void*>(&header), bytes_.get() + offset, sizeof(header));
  record.kind = header.kind;
  record.path = header.path;
  record.bytes = {bytes_.get() + offset + sizeof(header), header.size_bytes};
  next_read_ = at + room_for(header.size_bytes);
  return true;
}

void HandoverRing::release() noexcept { read_.store(next_read_, std::memory_order_release); }

}  // namespace tandem::sip
