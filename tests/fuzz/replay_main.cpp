// Runs a fuzz target once over every file of the folders and files given, then over cut and flipped
// copies of them.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size_bytes);

namespace {

// Exactly as large as the input, so that a read behind its end is a read outside of an allocation.
void run(const std::uint8_t* bytes, std::size_t size_bytes) {
  const std::vector<std::uint8_t> copy(bytes, bytes + size_bytes);
  LLVMFuzzerTestOneInput(copy.data(), copy.size());
}

void run_with_neighbours(std::vector<std::uint8_t> bytes) {
  run(bytes.data(), bytes.size());
  const std::size_t cuts = std::min<std::size_t>(bytes.size(), 64);
  for (std::size_t i = 0; i < cuts; ++i)
    run(bytes.data(), bytes.size() * i / cuts);
  for (std::size_t i = 0; i < cuts; ++i) {
    const std::size_t at = bytes.size() * i / cuts;
    const std::uint8_t kept = bytes[at];
    for (const std::uint8_t other : {0x00, 0xff, kept ^ 0x20}) {
      bytes[at] = other;
      run(bytes.data(), bytes.size());
    }
    bytes[at] = kept;
  }
}

bool run_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    std::fprintf(stderr, "%s could not be read\n", path.c_str());
    return false;
  }
  run_with_neighbours({std::istreambuf_iterator<char>(file), {}});
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t files = 0;
  run(nullptr, 0);
  for (int i = 1; i < argc; ++i) {
    std::error_code error;
    if (!std::filesystem::is_directory(argv[i], error)) {
      if (!run_file(argv[i])) return 1;
      ++files;
      continue;
    }
    std::vector<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::directory_iterator(argv[i]))
      paths.push_back(entry.path());
    std::sort(paths.begin(), paths.end());
    for (const auto& path : paths) {
      if (!run_file(path)) return 1;
      ++files;
    }
  }
  std::printf("%zu files replayed\n", files);
  // A target without seeds tests nothing: its corpus was forgotten or its folder is misnamed.
  return files > 0 ? 0 : 1;
}
