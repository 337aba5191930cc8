// Loading of a program for the kernel, as every backend that has one does it.
#pragma once

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace tandem::media {

/// The file descriptor, or -1 with errno. The kernel's verifier gives up with EAGAIN when work
/// waits for the thread, a signal or the end of an io_uring; that is done on the way out of the
/// system call, so trying again helps.
[[nodiscard]] inline int load_program(bpf_attr& arguments) noexcept {
  constexpr int attempts_max = 10;
  int fd = -1;
  for (int attempt = 0; attempt < attempts_max; ++attempt) {
    fd = static_cast<int>(::syscall(SYS_bpf, BPF_PROG_LOAD, &arguments, sizeof arguments));
    if (fd >= 0 || errno != EAGAIN) break;
  }
  return fd;
}

}  // namespace tandem::media
