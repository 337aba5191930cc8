#include "switch/recording_retention.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

namespace tandem {

namespace fs = std::filesystem;

RecordingsLeft delete_recordings(const std::string& folder, std::int64_t older_than_us,
                                 cdr::Pace& pace, const std::function<bool()>& goes_on) {
  constexpr std::uint64_t look_bytes = 4096;  // what a look at a file costs of the rate
  constexpr int depth_max = 16;
  struct Folder {
    std::string path;
    int depth;
  };
  RecordingsLeft left;
  // What went away meanwhile is no failure.
  const auto note = [&left](const std::string& path, const std::error_code& why) {
    if (why == std::errc::no_such_file_or_directory) return;
    if (left.failures++ == 0) left.failure = "\"" + path + "\": " + why.message();
  };
  std::vector<Folder> folders{{folder, 0}};
  for (std::size_t i = 0; i < folders.size() && !left.was_cut_short; ++i) {
    const Folder here = folders[i];
    std::error_code failure;
    fs::directory_iterator at(here.path, failure);
    for (; !failure && at != fs::directory_iterator(); at.increment(failure)) {
      if (!goes_on() || !pace.spend(look_bytes)) {
        left.was_cut_short = true;
        break;
      }
      const std::string path = at->path().string();
      struct stat state {};
      // Links are not followed: what they lead to is not ours.
      if (::lstat(path.c_str(), &state) != 0) {
        note(path, {errno, std::generic_category()});
        continue;
      }
      if (S_ISDIR(state.st_mode)) {
        if (here.depth < depth_max) folders.push_back({path, here.depth + 1});
      } else if (S_ISREG(state.st_mode) && at->path().extension() == ".wav" &&
                 std::int64_t{state.st_mtim.tv_sec} * 1'000'000 < older_than_us) {
        std::error_code refused;
        if (fs::remove(at->path(), refused)) ++left.deleted;
        if (refused) note(path, refused);
      }
    }
    if (failure) note(here.path, failure);
  }
  // Those below before those above, never the first. One that is not empty stays: rmdir refuses it.
  for (std::size_t i = folders.size(); left.deleted > 0 && i-- > 1;) {
    std::error_code not_empty;
    fs::remove(folders[i].path, not_empty);
  }
  return left;
}

}  // namespace tandem
