// Where a sink without a disk of its own is in the journal.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "cdr/disk.hpp"

namespace tandem::remote {

/// The file "<folder>/position", with a lock so that two processes never move one place.
/// Threading: one thread at a time.
class KeptPlace {
 public:
  /// `folder` is made when absent. Errors: invalid_argument (no folder), io, corrupt (the file does
  /// not hold one number), already_exists (another process has the folder).
  static Result<KeptPlace> open(std::shared_ptr<cdr::Disk> disk, const std::string& folder);

  [[nodiscard]] std::uint64_t sequence() const noexcept { return sequence_; }
  /// Durable when it returns. Errors: io, limit; the place is as before then.
  Result<void> move(std::uint64_t sequence);

 private:
  KeptPlace() = default;

  std::shared_ptr<cdr::Disk> disk_;
  std::unique_ptr<cdr::DiskLock> lock_;
  std::string path_;
  std::uint64_t sequence_ = 0;
};

}  // namespace tandem::remote
