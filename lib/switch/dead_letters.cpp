#include "switch/dead_letters.hpp"

#include "notify/notice_json.hpp"

namespace tandem {

Result<std::size_t> write_dead_letters(cdr::Disk& disk, const std::string& path,
                                       const std::vector<notify::DeadLetter>& letters) {
  auto file = disk.open(path, cdr::Disk::Open::create);
  if (!file) return file.error();
  const auto size = (*file)->size_bytes();
  if (!size) return size.error();
  std::string lines;
  std::size_t untaken = 0;
  for (const notify::DeadLetter& letter : letters) {
    std::string line = notify::dead_letter_json(letter) + '\n';
    if (*size + lines.size() + line.size() > dead_letters_bytes_max) {
      ++untaken;
    } else {
      lines += line;
    }
  }
  if (lines.empty()) return untaken;
  if (auto written = (*file)->write_at(*size, lines); !written) return written.error();
  if (auto synced = (*file)->sync(); !synced) return synced.error();
  return untaken;
}

}  // namespace tandem
