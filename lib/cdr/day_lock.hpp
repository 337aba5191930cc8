// Who may use the file of a day: many that read and write it, or one that puts another in its
// place.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "tandem/error.hpp"

namespace tandem::cdr {

/// A lock on one day of a folder, between all threads and processes: a byte of the file
/// "cdr-days.lock". SQLite knows a file by its name, and takes the log that lies beside the name
/// for its own. So a day file is replaced or removed only while nobody has it open: everybody who
/// opens one holds a shared lock until he has closed it, and maintenance an exclusive one
/// meanwhile, for some milliseconds.
///
/// Given up by the destructor, and when the process dies. Threading: one thread at a time.
class DayLock {
 public:
  DayLock() = default;
  DayLock(DayLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  DayLock& operator=(DayLock&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~DayLock();

  /// For reading. Waits while the file is being replaced. Whoever cannot open the file of the locks
  /// reads without one: at worst what was in the file when he opened it. Errors: io.
  static Result<DayLock> reading(const std::string& folder, std::int64_t day);
  /// For writing, never without a lock: what is written to a file that is replaced meanwhile is
  /// lost. Waits while it is being replaced. Errors: io.
  static Result<DayLock> writing(const std::string& folder, std::int64_t day);
  /// Does not wait. Errors: wrong_state (somebody has the file open), io.
  static Result<DayLock> exclusive(const std::string& folder, std::int64_t day);

 private:
  explicit DayLock(int fd) noexcept : fd_(fd) {}
  int fd_ = -1;
};

}  // namespace tandem::cdr
