#pragma once
// A bpf file system for tests, also on a machine that has mounted none.
#include <linux/magic.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/vfs.h>

namespace tandem::test {

/// Where /sys/fs/bpf is no bpf file system, the calling thread, and those that it starts from then
/// on, get one there which nobody else sees and which goes with the process. Needs root; without it
/// nothing changes.
inline void have_bpf_file_system() {
  constexpr const char* place = "/sys/fs/bpf";
  struct statfs found {};
  if (::statfs(place, &found) == 0 && found.f_type == BPF_FS_MAGIC) return;
  if (::unshare(CLONE_NEWNS) == 0 &&
      ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0)
    (void)::mount("bpf", place, "bpf", 0, nullptr);
}

}  // namespace tandem::test
