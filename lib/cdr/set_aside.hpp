// Records that a sink cannot take, kept with the reason.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_set>

#include "cdr/disk.hpp"
#include "tandem/cdr.hpp"
#include "tandem/error.hpp"

namespace tandem::cdr {

/// The file "<folder>/<sink>.set-aside", a JSON object a line: `record_id`, `at_us`, `reason`,
/// `cdr`. It may be emptied or moved away at any time; the next record then begins a new one.
/// Threading: count() is thread-safe; the rest one thread at a time.
class SetAside {
 public:
  /// More would be no accident of single records.
  static constexpr std::size_t records_max = 10'000;

  /// Reads what was set aside before; a line that a crash tore is dropped. Errors: io.
  static Result<std::unique_ptr<SetAside>> open(std::shared_ptr<Disk> disk,
                                                const std::string& folder, const std::string& sink);

  /// Durable when it returns; a record is there once. Errors: io, limit (records_max).
  Result<void> add(const Cdr& cdr, const std::string& reason, std::int64_t at_us);
  /// Records in the file, as of the last add().
  [[nodiscard]] std::uint64_t count() const noexcept { return count_.load(); }
  /// Lines of it that could not be read, and are left alone.
  [[nodiscard]] std::uint64_t unreadable_lines() const noexcept { return unreadable_lines_; }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  SetAside(std::shared_ptr<Disk> disk, std::string folder, std::string path)
      : disk_(std::move(disk)), folder_(std::move(folder)), path_(std::move(path)) {}
  Result<void> load();
  Result<void> make_durable(DiskFile& file);

  const std::shared_ptr<Disk> disk_;
  const std::string folder_;
  const std::string path_;
  std::uint64_t length_bytes_ = 0;  // up to the end of the last whole line
  std::uint64_t unreadable_lines_ = 0;
  bool is_durable_ = false;    // what was read, and the name
  bool is_uncertain_ = false;  // a line that failed may lie behind `length_bytes_`
  std::unordered_set<std::uint64_t> ids_;
  std::atomic<std::uint64_t> count_{0};
};

}  // namespace tandem::cdr
