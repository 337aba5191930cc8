// A disk in memory that can be full and can lose power.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "cdr/disk.hpp"

namespace tandem::sim {

/// Files keep two contents: what was written and what was made durable by sync(). power_cut() goes
/// back to the second. Names are durable at once, unlike those of a real disk: the journal's own
/// tests look at that.
///
/// Threading: one thread at a time.
class MemoryDisk final : public cdr::Disk {
 public:
  MemoryDisk();

  Result<std::unique_ptr<cdr::DiskFile>> open(const std::string& path, Open mode) override;
  Result<std::vector<std::string>> list(const std::string& folder) override;
  Result<void> make_folder(const std::string& path) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> remove(const std::string& path) override;
  Result<void> sync_folder(const std::string& path) override;
  Result<std::unique_ptr<cdr::DiskLock>> lock(const std::string& path) override;

  /// While full, what writes or makes files fails with `limit`.
  void set_full(bool full) noexcept { state_->is_full = full; }
  /// Loses what was not synced, ends all locks, and cuts off every file that is open: whoever holds
  /// one gets `io` from then on. So does all other use until power_on().
  void power_cut();
  void power_on() noexcept { state_->is_off = false; }

  struct Content {
    std::string written;
    std::string durable;
    std::uint64_t dirty_from = UINT64_MAX;  // [dirty_from, dirty_to) differs from `durable`
    std::uint64_t dirty_to = 0;
  };
  struct State {
    std::map<std::string, std::shared_ptr<Content>> files;
    std::set<std::string> folders;
    std::set<std::string> locks;
    std::uint64_t life = 1;  // of the files that are open; the next begins with a power cut
    bool is_full = false;
    bool is_off = false;
  };

 private:
  [[nodiscard]] Result<void> check(bool writes) const;
  std::shared_ptr<State> state_;
};

}  // namespace tandem::sim
