// The disk as the journal and the file sinks see it: real in production, failing on purpose in
// tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/error.hpp"

namespace tandem::cdr {

/// An open file. Threading: one thread at a time.
class DiskFile {
 public:
  virtual ~DiskFile();
  /// Writes all bytes or fails; after a failure the content of the range is unknown. Errors: io,
  /// limit (disk full).
  virtual Result<void> write_at(std::uint64_t offset, std::string_view bytes) = 0;
  /// Bytes read; fewer than asked for only at the end of the file. Errors: io.
  virtual Result<std::size_t> read_at(std::uint64_t offset, char* buffer, std::size_t bytes) = 0;
  virtual Result<std::uint64_t> size_bytes() = 0;
  virtual Result<void> truncate(std::uint64_t size_bytes) = 0;
  /// Returns when everything written is on stable storage (fdatasync). After a failure nothing may
  /// be assumed of what was written since the last success, even when a later sync() succeeds.
  /// Errors: io, limit.
  virtual Result<void> sync() = 0;
};

/// The bytes of a whole file as it was when it was read, whatever becomes of the file. Threading:
/// immutable; any number of threads may call it at once.
class DiskView {
 public:
  virtual ~DiskView();
  [[nodiscard]] virtual std::string_view bytes() const noexcept = 0;
};

/// Held until destroyed; also given up when the process dies.
class DiskLock {
 public:
  virtual ~DiskLock();
};

/// Threading: thread-safe.
class Disk {
 public:
  enum class Open : std::uint8_t {
    read,
    write,
    create
  };  ///< write: must exist; create: made when absent.
  virtual ~Disk();
  /// Errors: not_found, io, limit.
  virtual Result<std::unique_ptr<DiskFile>> open(const std::string& path, Open mode) = 0;
  virtual Result<std::vector<std::string>> list(
      const std::string& folder) = 0;  ///< Names, unordered.
  virtual Result<void> make_folder(
      const std::string& path) = 0;  ///< Its parent exists; it may too.
  virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
  virtual Result<void> remove(const std::string& path) = 0;
  virtual Result<void> sync_folder(const std::string& path) = 0;  ///< Makes names durable.
  /// Errors: already_exists (another holder), io.
  virtual Result<std::unique_ptr<DiskLock>> lock(const std::string& path) = 0;
  /// A file to look at whole. Copied, not mapped: a page of a mapping may change after it was
  /// checked, and one that the disk cannot give, or that was cut off, ends the process. Errors:
  /// not_found, io.
  virtual Result<std::unique_ptr<DiskView>> view(const std::string& path);
};

/// The operating system's files.
class PosixDisk final : public Disk {
 public:
  Result<std::unique_ptr<DiskFile>> open(const std::string& path, Open mode) override;
  /// What is no file has no view, and holds nobody up.
  Result<std::unique_ptr<DiskView>> view(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& folder) override;
  Result<void> make_folder(const std::string& path) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> remove(const std::string& path) override;
  Result<void> sync_folder(const std::string& path) override;
  Result<std::unique_ptr<DiskLock>> lock(const std::string& path) override;
};

/// Puts `content` at `path` so that a crash leaves the old or the new content, never a mix.
Result<void> replace_file(Disk& disk, const std::string& path, std::string_view content);
/// The whole of a small file. Errors: not_found, io.
Result<std::string> read_file(Disk& disk, const std::string& path);
/// The whole of a file that replace_file() puts there, durable when this returns: the process that
/// replaced it may have died before its name was. Errors: not_found, io.
Result<std::string> read_replaced_file(Disk& disk, const std::string& path);

}  // namespace tandem::cdr
