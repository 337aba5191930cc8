// Bytes of a file of columns (C-03): reading ends, stays inside, and gives the same value whichever
// way it is read.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/crc32c.hpp"
#include "cdr/column_block.hpp"
#include "cdr/column_file.hpp"
#include "cdr/column_layout.hpp"

using namespace tandem::cdr;

namespace {

void read_block(std::string_view bytes, std::size_t rows, const Dictionary& dictionary) {
  const auto block = ColumnBlock::parse(bytes, rows, dictionary);
  if (!block) return;
  std::vector<std::int64_t> all(group_rows);
  const bool has_integers = block->integers(all.data());
  std::string scratch;
  std::string_view text;
  for (std::size_t row = 0; row < rows; ++row) {
    std::int64_t value = 0;
    const auto found = block->integer(row, value);
    if (has_integers && (found == ColumnBlock::Found::malformed || value != all[row])) std::abort();
    (void)block->text(row, scratch, text);
    if (block->is_null(row) && found != ColumnBlock::Found::null) std::abort();
  }
  if (!block->places(all.data())) return;
  for (std::size_t row = 0; row < rows; ++row) {
    if (block->text(row, scratch, text) == ColumnBlock::Found::value &&
        dictionary.text(static_cast<std::uint64_t>(all[row])) != text)
      std::abort();
  }
}

void read_file(std::string_view bytes) {
  const auto file = ColumnFile::of(bytes);
  if (!file) return;
  (void)(*file)->check();
  for (const NumberSide side : {NumberSide::caller, NumberSide::callee}) {
    RowFinder rows = (*file)->find(side, "4420");
    std::uint64_t before = (*file)->facts().records;
    for (;;) {
      const auto row = rows.next();
      if (!row || !*row) break;
      if (**row >= before) std::abort();
      before = **row;
    }
  }
  constexpr std::size_t groups_max = 8;
  std::string scratch;
  for (std::size_t number = 0; number < std::min((*file)->groups(), groups_max); ++number) {
    auto group = (*file)->group(number);
    if (!group) return;
    for (std::size_t column = 0; column < (*file)->columns().size(); ++column) {
      for (std::size_t row = 0; row < group->rows(); ++row) {
        (void)group->integer(column, row);
        (void)group->text(column, row, scratch);
      }
    }
  }
}

/// The same with the check values put right as far as they can be found, so that what lies behind
/// them is reached too.
std::string repaired(std::string_view bytes) {
  std::string out(bytes);
  const auto repair = [&out](std::uint64_t offset, std::uint64_t size, std::size_t crc_at) {
    if (offset > out.size() || size > out.size() - offset || crc_at + 4 > out.size()) return;
    std::string crc;
    layout::append_u32(crc, tandem::crc32c(out.data() + offset, static_cast<std::size_t>(size)));
    out.replace(crc_at, 4, crc);
  };
  if (out.size() < layout::head_bytes + layout::tail_bytes) return out;
  const std::size_t tail = out.size() - layout::tail_bytes;
  repair(layout::u64(out.data() + tail), layout::u32(out.data() + tail + 8), tail + 12);
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  read_file(bytes);
  read_file(repaired(bytes));
  // A block and a dictionary of their own: number of rows, size of the dictionary, texts in it.
  if (size < 4) return 0;
  const std::size_t rows = (data[0] | data[1] << 8) % (group_rows + 1);
  const std::size_t split = 4 + std::min<std::size_t>(data[2], size - 4);
  if (const auto dictionary = Dictionary::of(bytes.substr(4, split - 4), data[3]))
    read_block(bytes.substr(split), rows, *dictionary);
  return 0;
}
