#include "switch/recording_retention.hpp"

#include <sys/stat.h>

#include <filesystem>
#include <system_error>
#include <vector>

namespace tandem {

namespace fs = std::filesystem;

Result<std::uint64_t> delete_recordings(const std::string& folder, std::int64_t older_than_us,
                                        cdr::Pace& pace) {
  constexpr std::uint64_t look_bytes = 4096;  // what a look at a file costs of the rate
  constexpr int depth_max = 16;
  std::uint64_t deleted = 0;
  std::error_code failure;
  std::string failed;
  fs::recursive_directory_iterator at(folder, failure), end;
  if (failure) {
    if (failure == std::errc::no_such_file_or_directory) return deleted;  // nothing recorded yet
    return Error{ErrorCode::io, "\"" + folder + "\": " + failure.message()};
  }
  std::vector<std::string> folders;
  while (at != end) {
    if (auto paid = pace.spend(look_bytes); !paid) return paid.error();
    const std::string path = at->path().string();
    struct stat state {};
    // Links are not followed: what they lead to is not ours.
    if (::lstat(path.c_str(), &state) == 0) {
      if (S_ISDIR(state.st_mode)) {
        folders.push_back(path);
        if (at.depth() >= depth_max) at.disable_recursion_pending();
      } else if (S_ISREG(state.st_mode) && at->path().extension() == ".wav" &&
                 std::int64_t{state.st_mtim.tv_sec} * 1'000'000 < older_than_us) {
        std::error_code refused;
        if (fs::remove(at->path(), refused)) {
          ++deleted;
        } else if (failed.empty() && refused) {
          failed = "\"" + path + "\": " + refused.message();
        }
      }
    }
    at.increment(failure);
    if (failure) return Error{ErrorCode::io, "\"" + folder + "\": " + failure.message()};
  }
  // The deepest first. One that is not empty stays: rmdir refuses it.
  for (auto one = folders.rbegin(); deleted > 0 && one != folders.rend(); ++one) {
    std::error_code not_empty;
    fs::remove(*one, not_empty);
  }
  if (!failed.empty()) return Error{ErrorCode::io, failed};
  return deleted;
}

}  // namespace tandem
