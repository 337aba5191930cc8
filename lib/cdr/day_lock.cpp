#include "cdr/day_lock.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "cdr/day_files.hpp"

namespace tandem::cdr {
namespace {

std::string lock_path(const std::string& folder) { return folder + "/cdr-days.lock"; }

Error failure(int error_number, const std::string& folder) {
  return Error{ErrorCode::io, "could not lock \"" + lock_path(folder) +
                                  "\": " + std::generic_category().message(error_number)};
}

int open_file(const std::string& path, int flags) {
  int fd = -1;
  do {
    // Whoever may read the day files, which SQLite makes with this mode, may hold them too.
    fd = ::open(path.c_str(), flags | O_CLOEXEC, 0644);
  } while (fd < 0 && errno == EINTR);
  return fd;
}

/// 0, or the number of the error. Locks of the open file and not of the process: two threads shut
/// each other out, and closing another descriptor of the file gives up nothing.
int lock_day(int fd, int command, short type, std::int64_t day) {
  struct flock range {};
  range.l_type = type;
  range.l_whence = SEEK_SET;
  range.l_start = day;
  range.l_len = 1;
  int code = 0;
  do {
    code = fcntl(fd, command, &range);
  } while (code != 0 && errno == EINTR);
  return code == 0 ? 0 : errno;
}

}  // namespace

DayLock::~DayLock() {
  if (fd_ >= 0) close(fd_);
}

Result<DayLock> DayLock::shared(const std::string& folder, std::int64_t day) {
  DayLock lock(open_file(lock_path(folder), O_RDWR | O_CREAT));
  if (lock.fd_ < 0) lock.fd_ = open_file(lock_path(folder), O_RDONLY);
  if (lock.fd_ < 0) {
    const int error_number = errno;
    if (error_number == ENOENT || error_number == EACCES || error_number == EROFS) return lock;
    return failure(error_number, folder);
  }
  if (const int code = lock_day(lock.fd_, F_OFD_SETLKW, F_RDLCK, day); code != 0)
    return failure(code, folder);
  return lock;
}

Result<DayLock> DayLock::exclusive(const std::string& folder, std::int64_t day) {
  DayLock lock(open_file(lock_path(folder), O_RDWR | O_CREAT));
  if (lock.fd_ < 0) return failure(errno, folder);
  const int code = lock_day(lock.fd_, F_OFD_SETLK, F_WRLCK, day);
  if (code == EAGAIN || code == EACCES)
    return Error{ErrorCode::wrong_state, "\"" + day_name(day) + "\" was in use"};
  if (code != 0) return failure(code, folder);
  return lock;
}

}  // namespace tandem::cdr
