#include "media/recording_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <new>
#include <system_error>

#include "media/open_files.hpp"
#include "media/stereo.hpp"
#include "tandem/media_recorder.hpp"

namespace tandem::media {
namespace {

// Who may hear a call is for its owner to widen.
constexpr mode_t file_mode = 0600;
constexpr mode_t folder_mode = 0700;

Error failure(const std::string& path, int code) {
  return Error{code == ENOSPC || code == EDQUOT || code == EMFILE || code == ENFILE
                   ? ErrorCode::limit
               : code == EEXIST ? ErrorCode::already_exists
               : code == ENOENT ? ErrorCode::not_found
                                : ErrorCode::io,
               "\"" + path + "\": " + std::error_code(code, std::generic_category()).message()};
}

class SystemFile final : public RecordingFile {
 public:
  SystemFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  ~SystemFile() override { ::close(fd_); }
  SystemFile(const SystemFile&) = delete;
  SystemFile& operator=(const SystemFile&) = delete;

  Result<void> write_at(std::uint64_t offset, std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t written = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return failure(path_, written == 0 ? ENOSPC : errno);
      bytes.remove_prefix(static_cast<std::size_t>(written));
      offset += static_cast<std::uint64_t>(written);
    }
    return {};
  }

 private:
  const int fd_;
  const std::string path_;
};

class SystemFiles final : public RecordingFiles {
 public:
  Result<std::unique_ptr<RecordingFile>> make(const std::string& folder,
                                              const std::string& name) override {
    for (std::size_t slash = name.find('/'); slash != std::string::npos;
         slash = name.find('/', slash + 1)) {
      const std::string path = folder + "/" + name.substr(0, slash);
      if (::mkdir(path.c_str(), folder_mode) != 0 && errno != EEXIST) return failure(path, errno);
    }
    const std::string path = folder + "/" + name;
    const int fd =
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, file_mode);
    if (fd < 0) return failure(path, errno);
    if (is_kept_file(fd)) {
      ::close(fd);
      ::unlink(path.c_str());
      return Error{ErrorCode::limit, "\"" + path +
                                         "\" was not made: the limit of open files left none but "
                                         "those kept for the rest of the program"};
    }
    return std::unique_ptr<RecordingFile>(std::make_unique<SystemFile>(fd, path));
  }

  void remove(const std::string& folder, const std::string& name) noexcept override {
    try {
      ::unlink((folder + "/" + name).c_str());
    } catch (const std::bad_alloc&) {  // it stays
    }
  }

  Result<std::uint64_t> free_bytes(const std::string& folder) override {
    struct statvfs state {};
    if (::statvfs(folder.c_str(), &state) != 0) return failure(folder, errno);
    return std::uint64_t{state.f_bavail} * state.f_frsize;
  }
};

}  // namespace

Result<std::unique_ptr<RecordingFiles>> system_recording_files(const std::string& folder) {
  if (::mkdir(folder.c_str(), folder_mode) != 0 && errno != EEXIST) return failure(folder, errno);
  if (::access(folder.c_str(), W_OK | X_OK) != 0) return failure(folder, errno);
  return std::unique_ptr<RecordingFiles>(std::make_unique<SystemFiles>());
}

}  // namespace tandem::media

namespace tandem {

Result<bool> repair_recording(const std::string& path) {
  struct Closed {
    int fd;
    ~Closed() {
      if (fd >= 0) ::close(fd);
    }
  } file{::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW)};
  if (file.fd < 0) return media::failure(path, errno);
  struct stat state {};
  if (::fstat(file.fd, &state) != 0) return media::failure(path, errno);
  std::string header(media::wav_header_bytes, '\0');
  const ssize_t got = ::pread(file.fd, header.data(), header.size(), 0);
  if (got < 0) return media::failure(path, errno);
  const std::string fresh = media::wav_header(0);
  constexpr std::size_t sizes[] = {4, 40};  // where the two sizes stand, four bytes each
  std::string same = header;
  for (const std::size_t at : sizes) {
    if (same.size() >= at + 4) same.replace(at, 4, fresh, at, 4);
  }
  if (static_cast<std::size_t>(got) != fresh.size() || same != fresh ||
      state.st_size > INT64_C(0xFFFFFFFF))
    return Error{ErrorCode::corrupt, "\"" + path + "\" was no recording"};
  constexpr std::int64_t frame_bytes = 4;
  const std::int64_t data_bytes =
      (state.st_size - static_cast<std::int64_t>(fresh.size())) / frame_bytes * frame_bytes;
  const std::string right = media::wav_header(static_cast<std::uint32_t>(data_bytes));
  if (right == header) return false;
  if (::pwrite(file.fd, right.data(), right.size(), 0) != static_cast<ssize_t>(right.size()))
    return media::failure(path, errno);
  return true;
}

}  // namespace tandem
