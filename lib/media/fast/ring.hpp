// io_uring by its system calls: what the relay needs of it and no more. The liburing of Debian 12
// knows neither the minimum wait nor a ring without the array of indices.
#pragma once

#include <linux/io_uring.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "tandem/error.hpp"

struct msghdr;
struct sockaddr;

namespace tandem::media {

/// One io_uring with a ring of buffers for receiving and a table of files.
///
/// Threading: create() on any thread, before all else; everything behind it on one thread, which
/// calls enable() first. It has to be closed there too, unless it never was enabled.
class Ring {
 public:
  struct Sizes {
    unsigned submissions = 1024;
    unsigned completions = 8192;
    unsigned buffers = 2048;  ///< A power of two.
    std::size_t buffer_bytes = 4096;
    unsigned files = 1024;  ///< File numbers below this may be registered.
  };

  Ring() = default;
  ~Ring() { close(); }
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  /// Errors: unsupported (with the reason: the kernel is too old, io_uring is switched off or
  /// forbidden), limit.
  Result<void> create(const Sizes& sizes);
  Result<void> enable();
  /// Cancels all, waits for the end of what was under way and closes, so that the files are free
  /// at once: the system alone lets go of them more than a second later.
  void close() noexcept;
  [[nodiscard]] bool is_open() const noexcept { return fd_ >= 0; }

  /// Requests by the registered file are cheaper. False: by the number of the file then.
  bool add_file(int fd) noexcept;
  void remove_file(int fd) noexcept;

  /// Datagrams of `fd` into buffers, each after an io_uring_recvmsg_out, the room for a name and
  /// the room for control data as `shape` says; until it is cancelled or fails.
  void receive(int fd, const msghdr& shape, std::uint64_t tag) noexcept;
  /// Sends once and never waits; a completion tells only of failure. `to` null: `fd` is connected.
  /// What is pointed at must stay until submit() was called.
  void send(int fd, const char* bytes, std::size_t size, const sockaddr* to, unsigned to_length,
            std::uint64_t tag) noexcept;
  void poll(int fd, std::uint64_t tag) noexcept;  ///< Until it is cancelled.
  void cancel(std::uint64_t tag, std::uint64_t own_tag) noexcept;

  void submit() noexcept;  ///< All that was asked for; does not wait.
  /// Until there are `completions`, or one and `least_us` are over, or `most_us` are over (below 0:
  /// never). Submits first.
  void wait(unsigned completions, unsigned least_us, std::int64_t most_us) noexcept;

  /// Submits, and completes all that has ended: what was cancelled holds its file until then.
  void finish() noexcept;

  [[nodiscard]] unsigned ready() const noexcept;
  [[nodiscard]] const io_uring_cqe& completion(unsigned index) const noexcept {
    return cqes_[(cq_head_own_ + index) & cq_mask_];
  }
  void forget_completions(unsigned count) noexcept;

  [[nodiscard]] char* buffer(unsigned index) const noexcept {
    return buffers_ + index * buffer_bytes_;
  }
  [[nodiscard]] const char* end() const noexcept { return buffers_ + buffer_memory_.bytes; }
  void give_back(unsigned buffer_index) noexcept;

 private:
  io_uring_sqe& next(std::uint8_t opcode, int fd, std::uint64_t tag) noexcept;
  int enter(unsigned submissions, unsigned completions, unsigned flags, const void* argument,
            std::size_t argument_bytes) noexcept;
  Result<void> map(const io_uring_params& params);
  Result<void> add_buffers(unsigned count, std::size_t bytes);

  struct Mapping {
    void* at = nullptr;
    std::size_t bytes = 0;
  };
  Mapping rings_, entries_, buffer_ring_, buffer_memory_;
  int fd_ = -1;
  bool is_enabled_ = false;

  std::uint32_t* sq_head_ = nullptr;
  std::uint32_t* sq_tail_ = nullptr;
  io_uring_sqe* sqes_ = nullptr;
  std::uint32_t sq_mask_ = 0, sq_entries_ = 0, sq_tail_own_ = 0, sq_submitted_ = 0;

  std::uint32_t* cq_head_ = nullptr;
  std::uint32_t* cq_tail_ = nullptr;
  io_uring_cqe* cqes_ = nullptr;
  std::uint32_t cq_mask_ = 0, cq_head_own_ = 0;

  io_uring_buf* buffer_entries_ = nullptr;
  std::uint16_t* buffer_tail_ = nullptr;
  std::uint16_t buffer_tail_own_ = 0, buffer_mask_ = 0;
  char* buffers_ = nullptr;
  std::size_t buffer_bytes_ = 0;
  std::vector<bool> files_;  // by number: it is registered
};

}  // namespace tandem::media
