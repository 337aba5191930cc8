// The files of SQLite as a power cut leaves them: what was not flushed is lost, torn or reordered.
#pragma once

#include <sqlite3.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <map>
#include <new>
#include <string>

#include "tandem/clock.hpp"

namespace tandem::cdr::test {

/// While it lives it stands between SQLite and the system's files, for all connections of the
/// process. Nothing is flushed for real: a flush notes what the medium holds from then on.
/// Threading: one thread at a time.
class FaultVfs {
 public:
  static constexpr std::size_t sector_bytes = 512;

  /// What the medium has.
  enum class Medium : std::uint8_t {
    kept,    ///< For restore().
    assumed  ///< Everything, always: for who wants no real flushes, and never cuts the power.
  };

  explicit FaultVfs(Medium medium = Medium::kept)
      : real_(sqlite3_vfs_find(nullptr)), vfs_(*real_), keeps_medium_(medium == Medium::kept) {
    vfs_.zName = "tandem-fault";
    vfs_.pAppData = this;
    vfs_.szOsFile = static_cast<int>(sizeof(File)) + real_->szOsFile;
    vfs_.xOpen = &open;
    vfs_.xDelete = &remove;
    sqlite3_vfs_register(&vfs_, 1);
  }
  ~FaultVfs() {
    sqlite3_vfs_register(real_, 1);
    sqlite3_vfs_unregister(&vfs_);
  }
  FaultVfs(const FaultVfs&) = delete;
  FaultVfs& operator=(const FaultVfs&) = delete;

  std::uint64_t dies_in =
      0;  ///< 0: never. Before the n-th change of a file from now the power goes.
  std::uint64_t changes = 0;  ///< Writes, truncations, flushes and removals so far.
  [[nodiscard]] bool is_dead() const { return is_dead_; }
  /// The power goes: nothing that is done from now on reaches the medium.
  void die() { is_dead_ = true; }

  /// Makes the files what the medium has of them, and the power come back. REQUIRES: no connection
  /// is open.
  void restore(Random& random) {
    for (const auto& [path, medium] : removed_) {  // the removal may not have been on it yet
      if (random.below(2) == 0 && !exists(path)) media_[path] = medium;
    }
    removed_.clear();
    for (auto& [path, medium] : media_) {
      unlink((path + "-shm").c_str());  // memory, which no power cut leaves behind
      std::string now = exists(path) ? content(path) : medium;
      const std::size_t bytes = random.below(2) == 0 ? medium.size() : now.size();
      now.resize(std::max(now.size(), medium.size()), '\0');
      medium.resize(now.size(), '\0');
      for (std::size_t at = 0; at < now.size(); at += sector_bytes) {
        const std::size_t n = std::min(sector_bytes, now.size() - at);
        if (random.below(2) == 0) std::memcpy(&now[at], &medium[at], n);
      }
      // A file ends where it did, or where it was to end; what was flushed of it is there.
      now.resize(std::max(bytes, flushed_bytes_[path]));
      medium = now;
      std::ofstream(path, std::ios::binary | std::ios::trunc) << now;
    }
    is_dead_ = false;
    dies_in = 0;
  }

  /// Whatever the files are now is on the medium. REQUIRES: no connection is open.
  void forget() {
    media_.clear();
    flushed_bytes_.clear();
    removed_.clear();
  }

 private:
  struct File {
    sqlite3_file base;
    FaultVfs* owner;
    std::string* path;  // null for temporary files, which no power cut leaves behind
    [[nodiscard]] sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
  };
  static File& of(sqlite3_file* file) { return *reinterpret_cast<File*>(file); }

  static bool exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }
  static std::string content(const std::string& path) {
    std::ifstream file(path, std::ios::binary | std::ios::ate);  // at each flush: in one piece
    std::string all(file ? static_cast<std::size_t>(file.tellg()) : 0, '\0');
    file.seekg(0);
    file.read(all.data(), static_cast<std::streamsize>(all.size()));
    all.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
    return all;
  }

  /// Whether a change still happens.
  bool counts() {
    if (!is_dead_) ++changes;
    if (!is_dead_ && dies_in > 0 && --dies_in == 0) is_dead_ = true;
    return !is_dead_;
  }

  static int open(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* out) {
    FaultVfs& owner = *static_cast<FaultVfs*>(vfs->pAppData);
    File& opened = *new (file) File{{nullptr}, &owner, nullptr};
    const bool is_new = name != nullptr && !exists(name);
    const int code = owner.real_->xOpen(owner.real_, name, opened.real(), flags, out);
    if (code != SQLITE_OK) return code;
    if (name != nullptr && owner.keeps_medium_) {
      opened.path = new std::string(name);
      if (is_new) {
        owner.removed_.erase(name);
        owner.media_[name].clear();
        owner.flushed_bytes_[name] = 0;
      } else if (!owner.media_.contains(name)) {
        owner.media_[name] = content(name);
        owner.flushed_bytes_[name] = owner.media_[name].size();
      }
    }
    static const sqlite3_io_methods methods = make_methods();
    opened.base.pMethods = &methods;
    return SQLITE_OK;
  }

  static int remove(sqlite3_vfs* vfs, const char* name, int sync_folder) {
    FaultVfs& owner = *static_cast<FaultVfs*>(vfs->pAppData);
    if (!owner.counts()) return SQLITE_OK;
    if (owner.media_.contains(name)) {
      if (sync_folder == 0) owner.removed_[name] = owner.media_[name];
      owner.media_.erase(name);
      owner.flushed_bytes_.erase(name);
    }
    return owner.real_->xDelete(owner.real_, name, 0);
  }

  static sqlite3_io_methods make_methods() {
    sqlite3_io_methods m{};
    m.iVersion = 2;  // with shared memory for the log's index, without mapped files
    m.xClose = [](sqlite3_file* f) {
      const int code = of(f).real()->pMethods->xClose(of(f).real());
      delete of(f).path;
      return code;
    };
    m.xRead = [](sqlite3_file* f, void* to, int bytes, sqlite3_int64 at) {
      return of(f).real()->pMethods->xRead(of(f).real(), to, bytes, at);
    };
    m.xWrite = [](sqlite3_file* f, const void* from, int bytes, sqlite3_int64 at) {
      if (of(f).path != nullptr && !of(f).owner->counts()) return SQLITE_OK;
      return of(f).real()->pMethods->xWrite(of(f).real(), from, bytes, at);
    };
    m.xTruncate = [](sqlite3_file* f, sqlite3_int64 bytes) {
      if (of(f).path != nullptr && !of(f).owner->counts()) return SQLITE_OK;
      return of(f).real()->pMethods->xTruncate(of(f).real(), bytes);
    };
    m.xSync = [](sqlite3_file* f, int) {
      if (of(f).path == nullptr || !of(f).owner->counts()) return SQLITE_OK;
      std::string& medium = of(f).owner->media_[*of(f).path];
      medium = content(*of(f).path);
      of(f).owner->flushed_bytes_[*of(f).path] = medium.size();
      return SQLITE_OK;
    };
    m.xFileSize = [](sqlite3_file* f, sqlite3_int64* bytes) {
      return of(f).real()->pMethods->xFileSize(of(f).real(), bytes);
    };
    m.xLock = [](sqlite3_file* f, int level) {
      return of(f).real()->pMethods->xLock(of(f).real(), level);
    };
    m.xUnlock = [](sqlite3_file* f, int level) {
      return of(f).real()->pMethods->xUnlock(of(f).real(), level);
    };
    m.xCheckReservedLock = [](sqlite3_file* f, int* is_held) {
      return of(f).real()->pMethods->xCheckReservedLock(of(f).real(), is_held);
    };
    m.xFileControl = [](sqlite3_file* f, int operation, void* argument) {
      return of(f).real()->pMethods->xFileControl(of(f).real(), operation, argument);
    };
    m.xSectorSize = [](sqlite3_file*) { return static_cast<int>(sector_bytes); };
    // Nothing is promised of a write that is cut: no safe append, no power-safe overwrite.
    m.xDeviceCharacteristics = [](sqlite3_file*) { return 0; };
    m.xShmMap = [](sqlite3_file* f, int page, int bytes, int extend, void volatile** to) {
      return of(f).real()->pMethods->xShmMap(of(f).real(), page, bytes, extend, to);
    };
    m.xShmLock = [](sqlite3_file* f, int offset, int count, int flags) {
      return of(f).real()->pMethods->xShmLock(of(f).real(), offset, count, flags);
    };
    m.xShmBarrier = [](sqlite3_file* f) { of(f).real()->pMethods->xShmBarrier(of(f).real()); };
    m.xShmUnmap = [](sqlite3_file* f, int is_removed) {
      return of(f).real()->pMethods->xShmUnmap(of(f).real(), is_removed);
    };
    return m;
  }

  sqlite3_vfs* const real_;
  sqlite3_vfs vfs_;
  const bool keeps_medium_;
  bool is_dead_ = false;
  std::map<std::string, std::string> media_;  // what is on the medium for sure, by path
  std::map<std::string, std::size_t> flushed_bytes_;
  std::map<std::string, std::string> removed_;
};

}  // namespace tandem::cdr::test
