// A disk in memory that fails when told to, and forgets or tears what was not flushed when the
// power goes. A flush that fails drops what it should have written, as kernels do: the next one
// succeeds without it, and reads give it until the power goes.
#pragma once

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "cdr/disk.hpp"
#include "tandem/clock.hpp"

namespace tandem::cdr::test {

/// Threading: one thread at a time.
class FaultDisk final : public Disk {
 public:
  static constexpr std::size_t sector_bytes = 512;

  // 0: never. The n-th operation from now on fails; `fails_on` makes all after it fail too.
  std::uint64_t fail_write_in = 0;
  std::uint64_t fail_sync_in = 0;
  bool fails_on = false;
  ErrorCode failure = ErrorCode::io;
  std::uint64_t capacity_bytes = UINT64_MAX;  // a write that needs more fails with `limit`
  std::uint64_t writes = 0, syncs = 0;

  /// The power goes: of each unflushed sector a random choice of old and new content is kept; names
  /// are kept as they were at the last sync_folder(), or as they are, at random.
  void cut_power(Random& random) {
    if (random.below(2) == 0) names_ = durable_names_;
    durable_names_ = names_;
    for (auto& [name, body] : names_)
      body->lose_unflushed(random);
    locked_.clear();
    heal();
  }
  void heal() {
    fail_write_in = fail_sync_in = 0;
    fails_on = false;
    capacity_bytes = UINT64_MAX;
  }
  std::string& content(const std::string& path) { return names_.at(path)->content; }
  [[nodiscard]] std::vector<std::string> paths() const {
    std::vector<std::string> all;
    for (const auto& [name, body] : names_)
      all.push_back(name);
    return all;
  }
  void put(const std::string& path, std::string content) {
    auto body = std::make_shared<Body>();
    body->content = body->flushed = std::move(content);
    names_[path] = durable_names_[path] = body;
  }

  Result<std::unique_ptr<DiskFile>> open(const std::string& path, Open mode) override {
    auto found = names_.find(path);
    if (found == names_.end()) {
      if (mode != Open::create)
        return Error{ErrorCode::not_found, "\"" + path + "\" did not exist"};
      found = names_.emplace(path, std::make_shared<Body>()).first;
    }
    return std::unique_ptr<DiskFile>(new File(*this, found->second));
  }
  Result<std::vector<std::string>> list(const std::string& folder) override {
    std::vector<std::string> found;
    for (const auto& [name, body] : names_) {
      if (name.starts_with(folder + "/")) found.push_back(name.substr(folder.size() + 1));
    }
    return found;
  }
  Result<void> make_folder(const std::string&) override { return {}; }
  Result<void> rename(const std::string& from, const std::string& to) override {
    auto found = names_.find(from);
    if (found == names_.end()) return Error{ErrorCode::not_found, "\"" + from + "\" did not exist"};
    names_[to] = found->second;
    names_.erase(from);
    return {};
  }
  Result<void> remove(const std::string& path) override {
    if (names_.erase(path) == 0)
      return Error{ErrorCode::not_found, "\"" + path + "\" did not exist"};
    return {};
  }
  Result<void> sync_folder(const std::string&) override {
    if (auto done = count(syncs, fail_sync_in); !done) return done;
    durable_names_ = names_;
    return {};
  }
  Result<std::unique_ptr<DiskLock>> lock(const std::string& path) override {
    if (!locked_.insert(path).second) {
      return Error{ErrorCode::already_exists, "\"" + path + "\" was held"};
    }
    return std::unique_ptr<DiskLock>(new Lock(*this, path));
  }

 private:
  struct Body {
    std::string content;          // as reads see it
    std::string flushed;          // as it is on the medium
    std::set<std::size_t> dirty;  // sectors that the next flush writes

    void resize(std::size_t bytes) {
      const std::size_t before = content.size();
      content.resize(bytes, '\0');
      if (bytes > before) soil(before, bytes - before);
    }
    void soil(std::size_t offset, std::size_t bytes) {
      if (bytes == 0) return;
      for (std::size_t at = offset / sector_bytes; at <= (offset + bytes - 1) / sector_bytes; ++at)
        dirty.insert(at);
    }
    void flush() {
      flushed.resize(content.size(), '\0');
      for (std::size_t sector : dirty) {
        const std::size_t at = sector * sector_bytes;
        if (at >= content.size()) continue;
        std::memcpy(&flushed[at], &content[at], std::min(sector_bytes, content.size() - at));
      }
      dirty.clear();
    }

    void lose_unflushed(Random& random) {
      content.resize(std::max(content.size(), flushed.size()), '\0');
      std::string kept = content;
      flushed.resize(content.size(), '\0');
      for (std::size_t at = 0; at < content.size(); at += sector_bytes) {
        const std::size_t n = std::min(sector_bytes, content.size() - at);
        if (std::memcmp(&content[at], &flushed[at], n) == 0) continue;
        if (random.below(2) == 0) std::memcpy(&kept[at], &flushed[at], n);
      }
      content = flushed = kept;
      dirty.clear();
    }
  };
  class File final : public DiskFile {
   public:
    File(FaultDisk& disk, std::shared_ptr<Body> body) : disk_(disk), body_(std::move(body)) {}
    Result<void> write_at(std::uint64_t offset, std::string_view bytes) override {
      const auto done = disk_.count(disk_.writes, disk_.fail_write_in);
      std::uint64_t used = 0;
      for (const auto& [name, body] : disk_.names_)
        used += body->content.size();
      const std::uint64_t end =
          std::max<std::uint64_t>(offset + bytes.size(), body_->content.size());
      if (done && used + end - body_->content.size() > disk_.capacity_bytes) {
        return Error{ErrorCode::limit, "the disk was full"};
      }
      // A failed write leaves a part behind.
      if (!done) bytes = bytes.substr(0, bytes.size() / 2);
      if (body_->content.size() < offset + bytes.size()) body_->resize(offset + bytes.size());
      std::copy(bytes.begin(), bytes.end(),
                body_->content.begin() + static_cast<std::ptrdiff_t>(offset));
      body_->soil(offset, bytes.size());
      return done;
    }
    Result<std::size_t> read_at(std::uint64_t offset, char* buffer, std::size_t bytes) override {
      if (offset >= body_->content.size()) return std::size_t{0};
      const std::size_t n = std::min<std::size_t>(bytes, body_->content.size() - offset);
      std::memcpy(buffer, body_->content.data() + offset, n);
      return n;
    }
    Result<std::uint64_t> size_bytes() override { return std::uint64_t{body_->content.size()}; }
    Result<void> truncate(std::uint64_t size_bytes) override {
      body_->resize(size_bytes);
      return {};
    }
    Result<void> sync() override {
      if (auto done = disk_.count(disk_.syncs, disk_.fail_sync_in); !done) {
        body_->dirty.clear();
        return done;
      }
      body_->flush();
      return {};
    }

   private:
    FaultDisk& disk_;
    std::shared_ptr<Body> body_;
  };
  class Lock final : public DiskLock {
   public:
    Lock(FaultDisk& disk, std::string path) : disk_(disk), path_(std::move(path)) {}
    ~Lock() override { disk_.locked_.erase(path_); }

   private:
    FaultDisk& disk_;
    std::string path_;
  };

  Result<void> count(std::uint64_t& counter, std::uint64_t& fail_in) {
    ++counter;
    if (fail_in == 0) return {};
    if (fail_in > 1) {
      --fail_in;
      return {};
    }
    if (!fails_on) fail_in = 0;
    return Error{failure, "the disk failed on purpose"};
  }

  std::map<std::string, std::shared_ptr<Body>> names_;
  std::map<std::string, std::shared_ptr<Body>> durable_names_;
  std::set<std::string> locked_;
};

}  // namespace tandem::cdr::test
