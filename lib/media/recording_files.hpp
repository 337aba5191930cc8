// The file system as the recorder sees it: the system's, or one that fails on purpose in tests.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "tandem/error.hpp"

namespace tandem::media {

/// An open file, closed by its destructor. Threading: one thread at a time.
class RecordingFile {
 public:
  virtual ~RecordingFile() = default;
  /// Errors: io, limit (no space).
  virtual Result<void> write_at(std::uint64_t offset, std::string_view bytes) = 0;
};

/// Threading: thread-safe.
class RecordingFiles {
 public:
  virtual ~RecordingFiles() = default;
  /// A new file, readable by its owner only, and the folders above it below `folder`. Errors:
  /// already_exists, io, limit (also: the open files that are left are kept for the rest of the
  /// program).
  virtual Result<std::unique_ptr<RecordingFile>> make(const std::string& folder,
                                                      const std::string& name) = 0;
  /// Takes a new file back. What cannot be removed stays.
  virtual void remove(const std::string& folder, const std::string& name) noexcept = 0;
  /// Errors: io.
  virtual Result<std::uint64_t> free_bytes(const std::string& folder) = 0;
};

/// The system's. Errors: io (`folder` cannot be made).
Result<std::unique_ptr<RecordingFiles>> system_recording_files(const std::string& folder);

}  // namespace tandem::media
