// The system's files as a death in the middle of work leaves them: a kill, or a power cut after
// which what was not flushed is gone.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "cdr/disk.hpp"
#include "tandem/clock.hpp"
#include "unit/cdr/fault_vfs.hpp"

namespace tandem::cdr::test {

inline std::string content_of(const std::string& path) {
  std::ostringstream all;
  all << std::ifstream(path, std::ios::binary).rdbuf();
  return std::move(all).str();
}

inline void write_content(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}

/// Real files in one folder, of which nothing is flushed for real. What others than this object do
/// to a file counts when this object has flushed it under its name. Threading: one thread at a
/// time.
class DyingDisk final : public Disk {
 public:
  explicit DyingDisk(std::string folder) : folder_(std::move(folder)) {
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
      const std::string path = entry.path().string();
      medium_[path] = flushed_[path] = content_of(path);
    }
  }

  std::uint64_t dies_in = 0;  ///< 0: never. Before the n-th change from now on everything stops.
  /// Files of SQLite that lose power together with it; outlive it. Null: none.
  FaultVfs* beside = nullptr;
  [[nodiscard]] bool is_dead() const noexcept { return is_dead_; }

  /// The power goes: of the names that changed since the folder was flushed the first ones may have
  /// got onto the medium, and a file has what was flushed of it, or nothing.
  void cut_power(Random& random) {
    const std::uint64_t kept = random.below(pending_.size() + 1);
    for (std::uint64_t i = 0; i < kept; ++i)
      apply(pending_[i]);
    pending_.clear();
    for (const std::string& path : touched_) {
      const auto found = medium_.find(path);
      std::filesystem::remove(path);
      for (const char* extension : {"-wal", "-shm", "-journal"})
        std::filesystem::remove(path + extension);
      if (found != medium_.end()) write_content(path, found->second);
    }
    for (const std::string& path : made_) {  // began to be written, and nothing is promised of it
      if (touched_.contains(path) || !std::filesystem::exists(path)) continue;
      if (random.below(2) == 0) {
        std::filesystem::remove(path);
      } else {
        std::filesystem::resize_file(path, random.below(std::filesystem::file_size(path) + 1));
      }
    }
  }

  Result<std::unique_ptr<DiskFile>> open(const std::string& path, Open mode) override {
    if (mode != Open::read && !counts()) return dead();
    auto file = real_.open(path, mode);
    if (!file) return file;
    if (mode != Open::read) made_.insert(path);
    return std::unique_ptr<DiskFile>(new File(*this, path, std::move(*file)));
  }
  Result<std::vector<std::string>> list(const std::string& folder) override {
    return real_.list(folder);
  }
  Result<void> make_folder(const std::string& path) override { return real_.make_folder(path); }
  Result<void> rename(const std::string& from, const std::string& to) override {
    if (!counts()) return dead();
    if (auto done = real_.rename(from, to); !done) return done;
    pending_.push_back({from, to, flushed_[from]});
    flushed_[to] = flushed_[from];
    flushed_.erase(from);
    touched_.insert({from, to});
    return {};
  }
  Result<void> remove(const std::string& path) override {
    if (!std::filesystem::exists(path))
      return Error{ErrorCode::not_found, "\"" + path + "\" did not exist"};
    if (!counts()) return dead();
    if (auto done = real_.remove(path); !done) return done;
    pending_.push_back({path, "", ""});
    flushed_.erase(path);
    touched_.insert(path);
    return {};
  }
  Result<void> sync_folder(const std::string&) override {
    if (!counts()) return dead();
    for (const Change& change : pending_)
      apply(change);
    pending_.clear();
    return {};
  }
  Result<std::unique_ptr<DiskLock>> lock(const std::string& path) override {
    return real_.lock(path);
  }

 private:
  /// `from` is called `to` now; "": it is gone.
  struct Change {
    std::string from, to, content;
  };
  class File final : public DiskFile {
   public:
    File(DyingDisk& disk, std::string path, std::unique_ptr<DiskFile> real)
        : disk_(disk), path_(std::move(path)), real_(std::move(real)) {}
    Result<void> write_at(std::uint64_t offset, std::string_view bytes) override {
      if (!disk_.counts()) return dead();
      return real_->write_at(offset, bytes);
    }
    Result<std::size_t> read_at(std::uint64_t offset, char* buffer, std::size_t bytes) override {
      return real_->read_at(offset, buffer, bytes);
    }
    Result<std::uint64_t> size_bytes() override { return real_->size_bytes(); }
    Result<void> truncate(std::uint64_t size_bytes) override {
      if (!disk_.counts()) return dead();
      return real_->truncate(size_bytes);
    }
    Result<void> sync() override {
      if (!disk_.counts()) return dead();
      disk_.flushed_[path_] = content_of(path_);
      return {};
    }

   private:
    DyingDisk& disk_;
    const std::string path_;
    std::unique_ptr<DiskFile> real_;
  };

  static Error dead() { return {ErrorCode::io, "the power was gone"}; }
  bool counts() noexcept {
    if (beside != nullptr && beside->is_dead()) is_dead_ = true;
    if (!is_dead_ && dies_in > 0 && --dies_in == 0) is_dead_ = true;
    if (is_dead_ && beside != nullptr) beside->die();
    return !is_dead_;
  }
  void apply(const Change& change) {
    medium_.erase(change.from);
    if (!change.to.empty()) medium_[change.to] = change.content;
  }

  const std::string folder_;
  PosixDisk real_;
  bool is_dead_ = false;
  std::map<std::string, std::string> medium_;   // by path, as a power cut leaves it
  std::map<std::string, std::string> flushed_;  // what of a file is on the medium, by its name now
  std::vector<Change> pending_;                 // since the folder was flushed
  std::set<std::string> touched_;               // names that changed
  std::set<std::string> made_;                  // files that were opened to be written
};

}  // namespace tandem::cdr::test
