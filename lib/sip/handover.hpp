// Messages on their way from the worker that received them to the worker that owns them.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>

#include "sip/path.hpp"

namespace tandem::sip {

/// A bounded ring of byte records from one thread to one other.
///
/// Threading: push() on the sending thread, pop() on the receiving one; no lock.
class HandoverRing {
 public:
  enum class Kind : std::uint32_t {
    message,      ///< A message that arrived over `path`.
    output,       ///< Bytes to be sent over `path`, which is a connection of the receiving worker.
    unreachable,  ///< Nobody listens at the remote address of `path`; no bytes.
  };
  struct Record {
    Kind kind = Kind::message;
    Path path;
    std::string_view bytes;  ///< Until release().
  };

  /// `capacity_bytes` is rounded up to a power of two, at least 128 KiB, so that the longest
  /// message fits.
  explicit HandoverRing(std::size_t capacity_bytes);

  bool push(Kind kind, const Path& path,
            std::string_view bytes) noexcept;  ///< False: the ring is full.
  /// Less than half of it is left: what can be done without is not pushed. Sending thread.
  [[nodiscard]] bool is_crowded() const noexcept {
    return written_.load(std::memory_order_relaxed) - read_.load(std::memory_order_acquire) >
           capacity_bytes_ / 2;
  }
  bool peek(Record& record) noexcept;  ///< The oldest record; false when there is none.
  void release() noexcept;             ///< Drops the record that peek() gave.

 private:
  struct Header {
    std::uint32_t size_bytes;  // of the bytes; `skip` marks the unused rest before the wrap
    Kind kind;
    Path path;
  };
  static constexpr std::uint32_t skip = 0xffffffff;
  static std::size_t room_for(std::size_t size_bytes) noexcept {
    return (sizeof(Header) + size_bytes + 7) & ~std::size_t{7};
  }

  std::size_t capacity_bytes_;
  std::unique_ptr<char[]> bytes_;  // left uninitialised, so that unused rings take no memory
  alignas(64) std::atomic<std::uint64_t> written_{0};
  alignas(64) std::atomic<std::uint64_t> read_{0};
  std::uint64_t next_read_ = 0;  // receiver only: where the record after the peeked one begins
};

}  // namespace tandem::sip
