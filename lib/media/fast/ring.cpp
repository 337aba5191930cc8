#include "media/fast/ring.hpp"

#include <linux/time_types.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>
#include <utility>

namespace tandem::media {
namespace {

// Of kernels later than the headers that this may be compiled with.
constexpr unsigned setup_without_array = 1U << 16;   // IORING_SETUP_NO_SQARRAY, Linux 6.6
constexpr unsigned feature_minimum_wait = 1U << 15;  // IORING_FEAT_MIN_TIMEOUT, Linux 6.12
struct WaitArgument {                                // io_uring_getevents_arg of Linux 6.12
  std::uint64_t signals = 0;
  std::uint32_t signals_bytes = 0;
  std::uint32_t least_us = 0;
  std::uint64_t most = 0;  // address of a __kernel_timespec; 0: without an end
};
static_assert(sizeof(WaitArgument) == sizeof(io_uring_getevents_arg));

constexpr std::uint16_t buffer_group = 0;

std::string reason(int code) { return std::error_code(code, std::generic_category()).message(); }

Error refused(const char* what, int code) {
  const bool is_short = code == ENOMEM || code == EMFILE || code == ENFILE;
  return Error{is_short ? ErrorCode::limit : ErrorCode::unsupported,
               std::string(what) + " was refused: " + reason(code)};
}

std::uint32_t load(std::uint32_t* shared) noexcept {
  return std::atomic_ref<std::uint32_t>(*shared).load(std::memory_order_acquire);
}
void store(std::uint32_t* shared, std::uint32_t value) noexcept {
  std::atomic_ref<std::uint32_t>(*shared).store(value, std::memory_order_release);
}

std::uint64_t address(const void* of) noexcept { return reinterpret_cast<std::uintptr_t>(of); }

}  // namespace

Result<void> Ring::create(const Sizes& sizes) {
  io_uring_params params{};
  params.flags = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_SINGLE_ISSUER |
                 IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_R_DISABLED | setup_without_array;
  params.cq_entries = sizes.completions;
  fd_ = static_cast<int>(::syscall(__NR_io_uring_setup, sizes.submissions, &params));
  if (fd_ < 0) {
    const int code = errno;
    if (code == EINVAL)
      return Error{ErrorCode::unsupported, "io_uring of this kernel is older than Linux 6.12"};
    if (code == EPERM || code == ENOSYS)
      return Error{ErrorCode::unsupported,
                   std::string("io_uring is ") +
                       (code == EPERM ? "forbidden (kernel.io_uring_disabled or a seccomp profile)"
                                      : "not in this kernel, or a seccomp profile hides it")};
    return refused("io_uring", code);
  }
  const auto failed = [this](Error error) -> Result<void> {
    close();
    return error;
  };
  constexpr unsigned needed =
      feature_minimum_wait | IORING_FEAT_EXT_ARG | IORING_FEAT_NODROP | IORING_FEAT_CQE_SKIP;
  if ((params.features & needed) != needed)
    return failed(
        {ErrorCode::unsupported, "io_uring of this kernel has no minimum wait (Linux 6.12)"});
  if (Result<void> mapped = map(params); !mapped) return failed(std::move(mapped).error());
  if (Result<void> added = add_buffers(sizes.buffers, sizes.buffer_bytes); !added)
    return failed(std::move(added).error());
  io_uring_rsrc_register table{};
  table.nr = sizes.files;
  table.flags = IORING_RSRC_REGISTER_SPARSE;
  // Without a table everything works, only dearer.
  if (::syscall(__NR_io_uring_register, fd_, IORING_REGISTER_FILES2, &table, sizeof table) == 0)
    files_.resize(sizes.files);
  return {};
}

Result<void> Ring::map(const io_uring_params& params) {
  if ((params.features & IORING_FEAT_SINGLE_MMAP) == 0)
    return Error{ErrorCode::unsupported, "io_uring of this kernel has two mappings"};
  const auto map_one = [this](Mapping& mapping, std::size_t bytes, std::uint64_t offset) {
    void* const at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd_,
                            static_cast<off_t>(offset));
    if (at == MAP_FAILED) return false;
    mapping = {at, bytes};
    return true;
  };
  if (!map_one(rings_, params.cq_off.cqes + params.cq_entries * sizeof(io_uring_cqe),
               IORING_OFF_SQ_RING) ||
      !map_one(entries_, params.sq_entries * sizeof(io_uring_sqe), IORING_OFF_SQES))
    return refused("memory of io_uring", errno);
  const auto at = [this](std::uint32_t offset) {
    return reinterpret_cast<std::uint32_t*>(static_cast<char*>(rings_.at) + offset);
  };
  sq_head_ = at(params.sq_off.head);
  sq_tail_ = at(params.sq_off.tail);
  sq_mask_ = *at(params.sq_off.ring_mask);
  sq_entries_ = params.sq_entries;
  sqes_ = static_cast<io_uring_sqe*>(entries_.at);
  cq_head_ = at(params.cq_off.head);
  cq_tail_ = at(params.cq_off.tail);
  cq_mask_ = *at(params.cq_off.ring_mask);
  cqes_ = reinterpret_cast<io_uring_cqe*>(static_cast<char*>(rings_.at) + params.cq_off.cqes);
  sq_tail_own_ = sq_submitted_ = *sq_tail_;
  cq_head_own_ = *cq_head_;
  return {};
}

Result<void> Ring::add_buffers(unsigned count, std::size_t bytes) {
  const auto map_one = [](Mapping& mapping, std::size_t size) {
    void* const at = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) return false;
    mapping = {at, size};
    return true;
  };
  if (!map_one(buffer_ring_, count * sizeof(io_uring_buf)) ||
      !map_one(buffer_memory_, count * bytes))
    return refused("memory for media packets", errno);
  io_uring_buf_reg ring{};
  ring.ring_addr = address(buffer_ring_.at);
  ring.ring_entries = count;
  ring.bgid = buffer_group;
  if (::syscall(__NR_io_uring_register, fd_, IORING_REGISTER_PBUF_RING, &ring, 1) != 0)
    return refused("a ring of buffers", errno);
  buffer_entries_ = static_cast<io_uring_buf*>(buffer_ring_.at);
  // The tail lies where the first entry has a field that nothing uses.
  buffer_tail_ = &buffer_entries_[0].resv;
  buffer_mask_ = static_cast<std::uint16_t>(count - 1);
  buffers_ = static_cast<char*>(buffer_memory_.at);
  buffer_bytes_ = bytes;
  for (unsigned i = 0; i < count; ++i)
    give_back(i);
  return {};
}

Result<void> Ring::enable() {
  if (::syscall(__NR_io_uring_register, fd_, IORING_REGISTER_ENABLE_RINGS, nullptr, 0) != 0)
    return refused("io_uring", errno);
  is_enabled_ = true;
  return {};
}

void Ring::close() noexcept {
  if (fd_ >= 0 && is_enabled_) {
    io_uring_sync_cancel_reg all{};
    all.fd = -1;
    all.flags = IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL;
    all.timeout.tv_sec = 1;
    submit();
    (void)::syscall(__NR_io_uring_register, fd_, IORING_REGISTER_SYNC_CANCEL, &all, 1);
    for (int turns = 0; turns < 1000; ++turns) {
      finish();
      const unsigned count = ready();
      if (count == 0) break;
      forget_completions(count);
    }
    (void)::syscall(__NR_io_uring_register, fd_, IORING_UNREGISTER_FILES, nullptr, 0);
  }
  for (Mapping* const mapping : {&rings_, &entries_}) {
    if (mapping->at != nullptr) ::munmap(mapping->at, mapping->bytes);
    *mapping = {};
  }
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  for (Mapping* const mapping : {&buffer_ring_, &buffer_memory_}) {
    if (mapping->at != nullptr) ::munmap(mapping->at, mapping->bytes);
    *mapping = {};
  }
  is_enabled_ = false;
  files_.clear();
}

bool Ring::add_file(int fd) noexcept {
  const auto index = static_cast<std::size_t>(fd);
  if (index >= files_.size()) return false;
  io_uring_files_update update{};
  update.offset = static_cast<std::uint32_t>(fd);
  update.fds = address(&fd);
  files_[index] =
      ::syscall(__NR_io_uring_register, fd_, IORING_REGISTER_FILES_UPDATE, &update, 1) == 1;
  return files_[index];
}

void Ring::remove_file(int fd) noexcept {
  const auto index = static_cast<std::size_t>(fd);
  if (index >= files_.size() || !files_[index]) return;
  const int none = -1;
  io_uring_files_update update{};
  update.offset = static_cast<std::uint32_t>(fd);
  update.fds = address(&none);
  (void)::syscall(__NR_io_uring_register, fd_, IORING_REGISTER_FILES_UPDATE, &update, 1);
  files_[index] = false;
}

io_uring_sqe& Ring::next(std::uint8_t opcode, int fd, std::uint64_t tag) noexcept {
  // Submitting takes all of them: none waits for memory or another request.
  if (sq_tail_own_ - load(sq_head_) >= sq_entries_) submit();
  io_uring_sqe& entry = sqes_[sq_tail_own_++ & sq_mask_];
  std::memset(&entry, 0, sizeof entry);
  entry.opcode = opcode;
  entry.fd = fd;
  entry.user_data = tag;
  if (fd >= 0 && static_cast<std::size_t>(fd) < files_.size() &&
      files_[static_cast<std::size_t>(fd)])
    entry.flags = IOSQE_FIXED_FILE;
  return entry;
}

void Ring::receive(int fd, const msghdr& shape, std::uint64_t tag) noexcept {
  io_uring_sqe& entry = next(IORING_OP_RECVMSG, fd, tag);
  entry.addr = address(&shape);
  entry.len = 1;
  entry.flags |= IOSQE_BUFFER_SELECT;
  entry.buf_group = buffer_group;
  entry.ioprio = IORING_RECV_MULTISHOT | IORING_RECVSEND_POLL_FIRST;
}

void Ring::send(int fd, const char* bytes, std::size_t size, const sockaddr* to, unsigned to_length,
                std::uint64_t tag) noexcept {
  io_uring_sqe& entry = next(IORING_OP_SEND, fd, tag);
  entry.addr = address(bytes);
  entry.len = static_cast<std::uint32_t>(size);
  entry.msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL;
  if (to != nullptr) {
    entry.addr2 = address(to);
    entry.addr_len = static_cast<std::uint16_t>(to_length);
  }
  entry.flags |= IOSQE_CQE_SKIP_SUCCESS;
}

void Ring::poll(int fd, std::uint64_t tag) noexcept {
  io_uring_sqe& entry = next(IORING_OP_POLL_ADD, fd, tag);
  entry.poll32_events = POLLIN;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  entry.poll32_events = entry.poll32_events << 16 | entry.poll32_events >> 16;
#endif
  entry.len = IORING_POLL_ADD_MULTI;
}

void Ring::cancel(std::uint64_t tag, std::uint64_t own_tag) noexcept {
  io_uring_sqe& entry = next(IORING_OP_ASYNC_CANCEL, -1, own_tag);
  entry.addr = tag;
  entry.flags |= IOSQE_CQE_SKIP_SUCCESS;
}

int Ring::enter(unsigned submissions, unsigned completions, unsigned flags, const void* argument,
                std::size_t argument_bytes) noexcept {
  return static_cast<int>(::syscall(__NR_io_uring_enter, fd_, submissions, completions, flags,
                                    argument, argument_bytes));
}

void Ring::submit() noexcept {
  store(sq_tail_, sq_tail_own_);
  for (int tries = 0; sq_submitted_ != sq_tail_own_ && tries < 1000; ++tries) {
    const int taken = enter(sq_tail_own_ - sq_submitted_, 0, IORING_ENTER_GETEVENTS, nullptr, 0);
    if (taken > 0) {
      sq_submitted_ += static_cast<std::uint32_t>(taken);
    } else if (errno != EINTR && errno != EAGAIN && errno != EBUSY) {
      return;
    }
  }
}

void Ring::wait(unsigned completions, unsigned least_us, std::int64_t most_us) noexcept {
  submit();
  __kernel_timespec most{};
  WaitArgument argument;
  argument.least_us = least_us;
  if (most_us >= 0) {
    most.tv_sec = most_us / 1'000'000;
    most.tv_nsec = most_us % 1'000'000 * 1000;
    argument.most = address(&most);
  }
  (void)enter(0, completions, IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, &argument,
              sizeof argument);
}

// A wait for few completions does not do more than a few (20 in Linux 6.13) of what is to be done
// behind requests that have ended.
void Ring::finish() noexcept {
  constexpr unsigned many = 4096;
  wait(many, 0, 0);
}

unsigned Ring::ready() const noexcept { return load(cq_tail_) - cq_head_own_; }

void Ring::forget_completions(unsigned count) noexcept {
  cq_head_own_ += count;
  store(cq_head_, cq_head_own_);
}

void Ring::give_back(unsigned buffer_index) noexcept {
  io_uring_buf& entry = buffer_entries_[buffer_tail_own_ & buffer_mask_];
  // Field by field: the last one of the first entry is the tail.
  entry.addr = address(buffer(buffer_index));
  entry.len = static_cast<std::uint32_t>(buffer_bytes_);
  entry.bid = static_cast<std::uint16_t>(buffer_index);
  ++buffer_tail_own_;
  std::atomic_ref<std::uint16_t>(*buffer_tail_).store(buffer_tail_own_, std::memory_order_release);
}

}  // namespace tandem::media
