#include "cdr/day_lock.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "cdr/day_files.hpp"
#include "cdr/file_owner.hpp"

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
    fd = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
  } while (fd < 0 && errno == EINTR);
  return fd;
}

/// Of the file of the locks, which is made when there is none; -1 with errno.
int open_or_make(const std::string& folder) {
  const std::string path = lock_path(folder);
  int fd = open_file(path, O_RDWR);
  if (fd >= 0 || errno != ENOENT) return fd;
  fd = open_file(path, O_RDWR | O_CREAT | O_EXCL);
  if (fd < 0) return errno == EEXIST ? open_file(path, O_RDWR) : -1;
  // Whoever made it, and with whatever mask: all who use the day files have to get at it.
  if (auto given = give_to_owner(path, owner_model(folder)); !given) {
    close(fd);
    unlink(path.c_str());
    errno = EPERM;
    return -1;
  }
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

Result<DayLock> DayLock::reading(const std::string& folder, std::int64_t day) {
  DayLock lock(open_or_make(folder));
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

Result<DayLock> DayLock::writing(const std::string& folder, std::int64_t day) {
  DayLock lock(open_or_make(folder));
  if (lock.fd_ < 0 && errno == EACCES) lock.fd_ = open_file(lock_path(folder), O_RDONLY);
  if (lock.fd_ < 0) return failure(errno, folder);
  if (const int code = lock_day(lock.fd_, F_OFD_SETLKW, F_RDLCK, day); code != 0)
    return failure(code, folder);
  return lock;
}

Result<DayLock> DayLock::exclusive(const std::string& folder, std::int64_t day) {
  DayLock lock(open_or_make(folder));
  if (lock.fd_ < 0) return failure(errno, folder);
  const int code = lock_day(lock.fd_, F_OFD_SETLK, F_WRLCK, day);
  if (code == EAGAIN || code == EACCES)
    return Error{ErrorCode::wrong_state, "\"" + day_name(day) + "\" was in use"};
  if (code != 0) return failure(code, folder);
  return lock;
}

}  // namespace tandem::cdr
