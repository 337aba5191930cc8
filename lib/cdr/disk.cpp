#include "cdr/disk.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace tandem::cdr {
namespace {

Error failure(int error_number, const char* act, const std::string& path) {
  ErrorCode code = ErrorCode::io;
  if (error_number == ENOSPC || error_number == EDQUOT) code = ErrorCode::limit;
  if (error_number == ENOENT) code = ErrorCode::not_found;
  return Error{code, std::string("could not ") + act + " \"" + path +
                         "\": " + std::generic_category().message(error_number)};
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return path.substr(0, std::max<std::size_t>(slash, 1));
}

class Descriptor {
 public:
  explicit Descriptor(int fd) noexcept : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  [[nodiscard]] int get() const noexcept { return fd_; }

 private:
  int fd_;
};

Descriptor open_descriptor(const std::string& path, int flags) {
  int fd = -1;
  do {
    fd = ::open(path.c_str(), flags | O_CLOEXEC, 0640);
  } while (fd < 0 && errno == EINTR);
  return Descriptor(fd);
}

class PosixFile final : public DiskFile {
 public:
  PosixFile(Descriptor descriptor, std::string path)
      : descriptor_(std::move(descriptor)), path_(std::move(path)) {}

  Result<void> write_at(std::uint64_t offset, std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t n =
          pwrite(descriptor_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return failure(errno, "write", path_);
      bytes.remove_prefix(static_cast<std::size_t>(n));
      offset += static_cast<std::uint64_t>(n);
    }
    return {};
  }

  Result<std::size_t> read_at(std::uint64_t offset, char* buffer, std::size_t bytes) override {
    std::size_t got = 0;
    while (got < bytes) {
      const ssize_t n =
          pread(descriptor_.get(), buffer + got, bytes - got, static_cast<off_t>(offset + got));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return failure(errno, "read", path_);
      if (n == 0) break;
      got += static_cast<std::size_t>(n);
    }
    return got;
  }

  Result<std::uint64_t> size_bytes() override {
    struct stat status {};
    if (fstat(descriptor_.get(), &status) != 0) return failure(errno, "examine", path_);
    return static_cast<std::uint64_t>(status.st_size);
  }

  Result<void> truncate(std::uint64_t size_bytes) override {
    if (ftruncate(descriptor_.get(), static_cast<off_t>(size_bytes)) != 0) {
      return failure(errno, "truncate", path_);
    }
    return {};
  }

  Result<void> sync() override {
    // Not repeated after EINTR or anything else: the kernel may have dropped the pages and say
    // "good" next time.
    if (fdatasync(descriptor_.get()) != 0) return failure(errno, "flush", path_);
    return {};
  }

 private:
  Descriptor descriptor_;
  std::string path_;
};

class CopiedView final : public DiskView {
 public:
  explicit CopiedView(std::string content) noexcept : content_(std::move(content)) {}
  [[nodiscard]] std::string_view bytes() const noexcept override { return content_; }

 private:
  const std::string content_;
};

class PosixLock final : public DiskLock {
 public:
  explicit PosixLock(Descriptor descriptor) : descriptor_(std::move(descriptor)) {}

 private:
  Descriptor descriptor_;
};

}  // namespace

DiskFile::~DiskFile() = default;
DiskView::~DiskView() = default;
DiskLock::~DiskLock() = default;
Disk::~Disk() = default;

Result<std::unique_ptr<DiskView>> Disk::view(const std::string& path) {
  auto content = read_file(*this, path);
  if (!content) return std::move(content).error();
  return std::unique_ptr<DiskView>(new CopiedView(std::move(*content)));
}

Result<std::unique_ptr<DiskFile>> PosixDisk::open(const std::string& path, Open mode) {
  const int flags = mode == Open::read ? O_RDONLY : mode == Open::write ? O_RDWR : O_RDWR | O_CREAT;
  Descriptor descriptor = open_descriptor(path, flags);
  if (descriptor.get() < 0) return failure(errno, "open", path);
  return std::unique_ptr<DiskFile>(new PosixFile(std::move(descriptor), path));
}

Result<std::unique_ptr<DiskView>> PosixDisk::view(const std::string& path) {
  // What has this name and is no file shall not hold up whoever looks.
  const Descriptor descriptor = open_descriptor(path, O_RDONLY | O_NONBLOCK);
  if (descriptor.get() < 0) return failure(errno, "open", path);
  struct stat status {};
  if (fstat(descriptor.get(), &status) != 0) return failure(errno, "examine", path);
  if (!S_ISREG(status.st_mode)) return Error{ErrorCode::io, "\"" + path + "\" was no file"};
  return Disk::view(path);
}

Result<std::vector<std::string>> PosixDisk::list(const std::string& folder) {
  DIR* directory = opendir(folder.c_str());
  if (directory == nullptr) return failure(errno, "list", folder);
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = readdir(directory)) {
    std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(std::move(name));
  }
  const int error_number = errno;
  closedir(directory);
  if (error_number != 0) return failure(error_number, "list", folder);
  return names;
}

Result<void> PosixDisk::make_folder(const std::string& path) {
  if (mkdir(path.c_str(), 0750) == 0) return {};
  struct stat status {};
  const int error_number = errno;
  if (error_number == EEXIST && stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) {
    return {};
  }
  return failure(error_number, "make folder", path);
}

Result<void> PosixDisk::rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return failure(errno, "rename", from);
  return {};
}

Result<void> PosixDisk::remove(const std::string& path) {
  if (unlink(path.c_str()) != 0) return failure(errno, "remove", path);
  return {};
}

Result<void> PosixDisk::sync_folder(const std::string& path) {
  Descriptor descriptor = open_descriptor(path, O_RDONLY | O_DIRECTORY);
  if (descriptor.get() < 0) return failure(errno, "open", path);
  if (fsync(descriptor.get()) != 0) return failure(errno, "flush", path);
  return {};
}

Result<std::unique_ptr<DiskLock>> PosixDisk::lock(const std::string& path) {
  Descriptor descriptor = open_descriptor(path, O_RDWR | O_CREAT);
  if (descriptor.get() < 0) return failure(errno, "open", path);
  if (flock(descriptor.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) {
      return Error{ErrorCode::already_exists, "\"" + path + "\" was held by another process"};
    }
    return failure(errno, "lock", path);
  }
  return std::unique_ptr<DiskLock>(new PosixLock(std::move(descriptor)));
}

Result<void> replace_file(Disk& disk, const std::string& path, std::string_view content) {
  const std::string draft = path + ".new";
  {
    auto file = disk.open(draft, Disk::Open::create);
    if (!file) return std::move(file).error();
    if (auto done = (*file)->truncate(0); !done) return done;
    if (auto done = (*file)->write_at(0, content); !done) return done;
    if (auto done = (*file)->sync(); !done) return done;
  }
  if (auto done = disk.rename(draft, path); !done) return done;
  return disk.sync_folder(folder_of(path));
}

Result<std::string> read_file(Disk& disk, const std::string& path) {
  auto file = disk.open(path, Disk::Open::read);
  if (!file) return std::move(file).error();
  auto size = (*file)->size_bytes();
  if (!size) return std::move(size).error();
  std::string content(static_cast<std::size_t>(*size), '\0');
  auto got = (*file)->read_at(0, content.data(), content.size());
  if (!got) return std::move(got).error();
  content.resize(*got);
  return content;
}

Result<std::string> read_replaced_file(Disk& disk, const std::string& path) {
  auto content = read_file(disk, path);
  if (!content) return content;
  if (auto done = disk.sync_folder(folder_of(path)); !done) return std::move(done).error();
  return content;
}

}  // namespace tandem::cdr
