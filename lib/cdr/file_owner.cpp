#include "cdr/file_owner.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace tandem::cdr {
namespace {

Error failure(int error_number, const char* act, const std::string& path) {
  return {ErrorCode::io, std::string("could not ") + act + " \"" + path +
                             "\": " + std::generic_category().message(error_number)};
}

/// 0, or the number of the error.
int give(int fd, const struct stat& model) {
  struct stat now {};
  if (fstat(fd, &now) != 0) return errno;
  const bool is_roots = geteuid() == 0;
  // A process that is not root's makes its files its own; in a folder of another's, too.
  const uid_t owner = is_roots || S_ISREG(model.st_mode) ? model.st_uid : now.st_uid;
  const gid_t group = is_roots || S_ISREG(model.st_mode) ? model.st_gid : now.st_gid;
  if (!S_ISREG(now.st_mode)) return EINVAL;
  if ((now.st_uid != owner || now.st_gid != group) &&
      fchownat(fd, "", owner, group, AT_EMPTY_PATH) != 0)
    return errno;
  constexpr mode_t may_use = 0666;
  const mode_t mode = (model.st_mode & may_use) | S_IRUSR | S_IWUSR;
  if ((now.st_mode & 0777) != mode &&
      chmod(("/proc/self/fd/" + std::to_string(fd)).c_str(), mode) != 0)
    return errno;
  return 0;
}

}  // namespace

Result<void> give_to_owner(const std::string& path, const std::string& model) {
  struct stat wanted {};
  if (stat(model.c_str(), &wanted) != 0) return failure(errno, "examine", model);
  // Only its name: closing a descriptor for reading would give up what locks SQLite has on it.
  const int fd = ::open(path.c_str(), O_PATH | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return failure(errno, "open", path);
  const int code = give(fd, wanted);
  close(fd);
  if (code != 0) return failure(code, "give to its owner", path);
  return {};
}

std::string owner_model(const std::string& folder) {
  std::string sinks = folder + "/cdr-control.db";
  return access(sinks.c_str(), F_OK) == 0 ? sinks : folder;
}

Result<void> check_may_give(const std::string& model) {
  struct stat wanted {};
  if (stat(model.c_str(), &wanted) != 0) return failure(errno, "examine", model);
  if (geteuid() == 0 || !S_ISREG(wanted.st_mode) || wanted.st_uid == geteuid()) return {};
  return Error{ErrorCode::io, "\"" + model + "\" belongs to user " + std::to_string(wanted.st_uid) +
                                  ": maintenance has to be run by that user or by root"};
}

}  // namespace tandem::cdr
