#include "switch/recording_retention.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

using namespace tandem;
namespace fs = std::filesystem;

namespace {

struct Folder {
  fs::path path;
  Folder() {
    std::string name = (fs::temp_directory_path() / "tandem-old-XXXXXX").string();
    path = ::mkdtemp(name.data());
  }
  ~Folder() { fs::remove_all(path); }
  fs::path file(const char* name, std::int64_t at_s) const {
    fs::create_directories((path / name).parent_path());
    std::ofstream(path / name) << "x";
    const timespec times[2] = {{at_s, 0}, {at_s, 0}};
    ::utimensat(AT_FDCWD, (path / name).c_str(), times, 0);
    return path / name;
  }
};

struct Free final : cdr::Pace {
  Result<void> spend(std::uint64_t) override { return {}; }
  Result<void> pause() override { return {}; }
  [[nodiscard]] bool is_over() const noexcept override { return false; }
};

}  // namespace

TEST_CASE("Recordings: old ones go with their empty folders, newer ones and other files stay") {
  const Folder folder;
  Free pace;
  const fs::path old = folder.file("20260101/a.wav", 1000);
  const fs::path older = folder.file("20260102/b.wav", 999);
  const fs::path fresh = folder.file("20260102/c.wav", 2000);
  const fs::path other = folder.file("20260103/notes.txt", 1);
  fs::create_symlink(fresh, folder.path / "link.wav");
  const auto always = [] { return true; };
  const auto left = delete_recordings(folder.path, 1500 * INT64_C(1'000'000), pace, always);
  CHECK(left.deleted == 2);
  CHECK(left.failures == 0);
  CHECK_FALSE(fs::exists(old.parent_path()));
  CHECK_FALSE(fs::exists(older));
  CHECK(fs::exists(fresh));
  CHECK(fs::exists(other));
  CHECK(fs::is_symlink(folder.path / "link.wav"));
  CHECK(delete_recordings(folder.path, 1500 * INT64_C(1'000'000), pace, always).deleted == 0);
  CHECK(delete_recordings(folder.path / "none", 1, pace, always).failures == 0);
}

TEST_CASE("Recordings: what cannot be read is named, and all others are looked at") {
  const Folder folder;
  Free pace;
  const fs::path locked = folder.path / "locked";
  folder.file("locked/notes.txt", 1);
  fs::permissions(locked, fs::perms::none);
  for (int i = 0; i < 20; ++i)
    folder.file(("day" + std::to_string(i) + "/a.wav").c_str(), 1000);
  const auto left =
      delete_recordings(folder.path, 1500 * INT64_C(1'000'000), pace, [] { return true; });
  fs::permissions(locked, fs::perms::owner_all);
  CHECK(left.deleted == 20);
  if (::geteuid() == 0) return;  // root reads everything
  CHECK(left.failures == 1);
  CHECK(left.failure.find("locked") != std::string::npos);
}

TEST_CASE("Recordings: the end of the window ends it") {
  const Folder folder;
  Free pace;
  for (int i = 0; i < 5; ++i)
    folder.file((std::to_string(i) + ".wav").c_str(), 1000);
  int looks = 0;
  const auto left = delete_recordings(folder.path, 1500 * INT64_C(1'000'000), pace,
                                      [&looks] { return ++looks <= 2; });
  CHECK(left.deleted == 2);
  CHECK(left.was_cut_short);
}
