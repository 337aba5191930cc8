// How many files media may have open, so that journal, databases and connections get theirs.
#pragma once

#include <sys/resource.h>

#include <algorithm>

namespace tandem::media {

/// So many at most, and of a small limit an eighth, are for the rest of the program.
constexpr rlim_t files_kept_max = 64;

/// By the limit of the process.
inline rlim_t files_max() noexcept {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return RLIM_INFINITY;
  return files.rlim_cur - std::min(files_kept_max, files.rlim_cur / 8);
}

/// The system gives the lowest free number, so the number says how many are open.
inline bool is_kept_file(int fd) noexcept { return static_cast<rlim_t>(fd) >= files_max(); }

}  // namespace tandem::media
