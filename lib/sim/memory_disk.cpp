#include "sim/memory_disk.hpp"

#include <algorithm>
#include <utility>

namespace tandem::sim {
namespace {

Error no_power() { return {ErrorCode::io, "the disk had no power"}; }
Error is_full() { return {ErrorCode::limit, "the disk was full"}; }

class MemoryFile final : public cdr::DiskFile {
 public:
  MemoryFile(std::shared_ptr<MemoryDisk::State> state, std::shared_ptr<MemoryDisk::Content> content)
      : state_(std::move(state)), content_(std::move(content)), life_(state_->life) {}

  Result<void> write_at(std::uint64_t offset, std::string_view bytes) override {
    if (auto usable = check(true); !usable) return usable;
    const std::uint64_t end = offset + bytes.size();
    if (content_->written.size() < end) content_->written.resize(static_cast<std::size_t>(end));
    content_->written.replace(static_cast<std::size_t>(offset), bytes.size(), bytes);
    content_->dirty_from = std::min(content_->dirty_from, offset);
    content_->dirty_to = std::max(content_->dirty_to, end);
    return {};
  }

  Result<std::size_t> read_at(std::uint64_t offset, char* buffer, std::size_t bytes) override {
    if (auto usable = check(false); !usable) return usable.error();
    if (offset >= content_->written.size()) return std::size_t{0};
    return content_->written.copy(buffer, bytes, static_cast<std::size_t>(offset));
  }

  Result<std::uint64_t> size_bytes() override {
    if (auto usable = check(false); !usable) return usable.error();
    return std::uint64_t{content_->written.size()};
  }

  Result<void> truncate(std::uint64_t size_bytes) override {
    if (auto usable = check(true); !usable) return usable;
    const std::uint64_t old_bytes = content_->written.size();
    content_->written.resize(static_cast<std::size_t>(size_bytes));
    content_->dirty_from = std::min({content_->dirty_from, old_bytes, size_bytes});
    content_->dirty_to = std::max(content_->dirty_to, size_bytes);
    return {};
  }

  Result<void> sync() override {
    if (auto usable = check(true); !usable) return usable;
    MemoryDisk::Content& c = *content_;
    c.durable.resize(c.written.size());
    const std::uint64_t to = std::min<std::uint64_t>(c.dirty_to, c.written.size());
    if (c.dirty_from < to) {
      c.written.copy(c.durable.data() + c.dirty_from, static_cast<std::size_t>(to - c.dirty_from),
                     static_cast<std::size_t>(c.dirty_from));
    }
    c.dirty_from = UINT64_MAX;
    c.dirty_to = 0;
    return {};
  }

 private:
  [[nodiscard]] Result<void> check(bool writes) const {
    if (state_->is_off || life_ != state_->life) return no_power();
    if (writes && state_->is_full) return is_full();
    return {};
  }

  std::shared_ptr<MemoryDisk::State> state_;
  std::shared_ptr<MemoryDisk::Content> content_;
  std::uint64_t life_;
};

class MemoryLock final : public cdr::DiskLock {
 public:
  MemoryLock(std::shared_ptr<MemoryDisk::State> state, std::string path)
      : state_(std::move(state)), path_(std::move(path)), life_(state_->life) {}
  ~MemoryLock() override {
    if (life_ == state_->life) state_->locks.erase(path_);
  }

 private:
  std::shared_ptr<MemoryDisk::State> state_;
  std::string path_;
  std::uint64_t life_;
};

}  // namespace

MemoryDisk::MemoryDisk() : state_(std::make_shared<State>()) {}

Result<void> MemoryDisk::check(bool writes) const {
  if (state_->is_off) return no_power();
  if (writes && state_->is_full) return is_full();
  return {};
}

Result<std::unique_ptr<cdr::DiskFile>> MemoryDisk::open(const std::string& path, Open mode) {
  if (auto usable = check(false); !usable) return usable.error();
  auto found = state_->files.find(path);
  if (found == state_->files.end()) {
    if (mode != Open::create) return Error{ErrorCode::not_found, "no file \"" + path + "\""};
    if (auto usable = check(true); !usable) return usable.error();
    found = state_->files.emplace(path, std::make_shared<Content>()).first;
  }
  return std::unique_ptr<cdr::DiskFile>(std::make_unique<MemoryFile>(state_, found->second));
}

Result<std::vector<std::string>> MemoryDisk::list(const std::string& folder) {
  if (auto usable = check(false); !usable) return usable.error();
  std::vector<std::string> names;
  const std::string prefix = folder + "/";
  const auto add = [&](const std::string& path) {
    if (path.starts_with(prefix) && path.find('/', prefix.size()) == std::string::npos)
      names.push_back(path.substr(prefix.size()));
  };
  for (const auto& [path, content] : state_->files)
    add(path);
  for (const std::string& path : state_->folders)
    add(path);
  if (names.empty() && !state_->folders.contains(folder))
    return Error{ErrorCode::not_found, "no folder \"" + folder + "\""};
  return names;
}

Result<void> MemoryDisk::make_folder(const std::string& path) {
  if (auto usable = check(true); !usable) return usable;
  state_->folders.insert(path);
  return {};
}

Result<void> MemoryDisk::rename(const std::string& from, const std::string& to) {
  if (auto usable = check(false); !usable) return usable;
  const auto found = state_->files.find(from);
  if (found == state_->files.end()) return Error{ErrorCode::not_found, "no file \"" + from + "\""};
  auto content = std::move(found->second);
  state_->files.erase(found);
  state_->files[to] = std::move(content);
  return {};
}

Result<void> MemoryDisk::remove(const std::string& path) {
  if (auto usable = check(false); !usable) return usable;
  if (state_->files.erase(path) == 0)
    return Error{ErrorCode::not_found, "no file \"" + path + "\""};
  return {};
}

Result<void> MemoryDisk::sync_folder(const std::string& path) {
  (void)path;
  return check(false);
}

Result<std::unique_ptr<cdr::DiskLock>> MemoryDisk::lock(const std::string& path) {
  if (auto usable = check(false); !usable) return usable.error();
  if (!state_->locks.insert(path).second)
    return Error{ErrorCode::already_exists, "\"" + path + "\" was held by another switch"};
  return std::unique_ptr<cdr::DiskLock>(std::make_unique<MemoryLock>(state_, path));
}

void MemoryDisk::power_cut() {
  for (auto& [path, content] : state_->files) {
    content->written = content->durable;
    content->dirty_from = UINT64_MAX;
    content->dirty_to = 0;
  }
  state_->locks.clear();
  ++state_->life;
  state_->is_off = true;
}

}  // namespace tandem::sim
