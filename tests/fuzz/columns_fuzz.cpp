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
#include "cdr/wire.hpp"

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

/// Puts the check values of a file right as far as they can be found, the innermost first, so that
/// what lies behind them is reached whichever byte was changed.
class Repair {
 public:
  explicit Repair(std::string_view bytes) : out_(bytes) {}

  std::string done() {
    if (out_.size() < layout::head_bytes + layout::tail_bytes) return out_;
    const std::size_t tail = out_.size() - layout::tail_bytes;
    const std::uint64_t facts_at = layout::u64(out_.data() + tail);
    const std::uint64_t facts_bytes = layout::u32(out_.data() + tail + 8);
    if (!is_inside(facts_at, facts_bytes) || facts_at + facts_bytes > tail) return out_;
    std::string facts = with_right_values(
        out_.substr(static_cast<std::size_t>(facts_at), static_cast<std::size_t>(facts_bytes)));
    std::string made = out_.substr(0, static_cast<std::size_t>(facts_at)) + facts;
    layout::append_u64(made, facts_at);
    layout::append_u32(made, static_cast<std::uint32_t>(facts.size()));
    layout::append_u32(made, tandem::crc32c(facts.data(), facts.size()));
    return made + out_.substr(tail + 16);
  }

 private:
  struct Part {
    std::uint64_t offset, bytes;
  };
  [[nodiscard]] bool is_inside(std::uint64_t offset, std::uint64_t bytes) const {
    return offset <= out_.size() && bytes <= out_.size() - offset;
  }
  [[nodiscard]] std::uint32_t crc_of(Part part) const {
    if (!is_inside(part.offset, part.bytes)) return 0;
    return tandem::crc32c(out_.data() + part.offset, static_cast<std::size_t>(part.bytes));
  }
  /// REQUIRES: it is inside.
  void put_crc(std::uint64_t at, Part of) {
    std::string crc;
    layout::append_u32(crc, crc_of(of));
    out_.replace(static_cast<std::size_t>(at), crc.size(), crc);
  }
  void repair_group(std::uint64_t entry, std::uint64_t columns) {
    const Part directory{layout::u64(out_.data() + entry), columns * layout::block_entry_bytes};
    if (!is_inside(directory.offset, directory.bytes)) return;
    std::uint64_t block_at = directory.offset + directory.bytes;
    for (std::uint64_t i = 0; i < columns; ++i) {
      const std::uint64_t at = directory.offset + i * layout::block_entry_bytes;
      const std::uint64_t bytes = layout::u32(out_.data() + at);
      put_crc(at + 4, {block_at, bytes});
      block_at += bytes;
    }
    put_crc(entry + 8, directory);
  }
  void repair_groups(Part table, std::uint64_t columns) {
    if (!is_inside(table.offset, table.bytes)) return;
    // Entries may all name one directory, and a few are enough.
    const std::uint64_t groups =
        std::min<std::uint64_t>(64, table.bytes / layout::group_entry_bytes);
    for (std::uint64_t i = 0; i < groups; ++i)
      repair_group(table.offset + i * layout::group_entry_bytes, columns);
  }
  void repair_index(Part directory) {
    if (!is_inside(directory.offset, directory.bytes)) return;
    for (std::uint64_t i = 0; i < directory.bytes / layout::index_entry_bytes; ++i) {
      const std::uint64_t at = directory.offset + i * layout::index_entry_bytes;
      put_crc(at + 12, {layout::u64(out_.data() + at), layout::u32(out_.data() + at + 8)});
    }
  }
  /// The facts as ColumnFile reads them, with the check values of their parts after the repair of
  /// what is in those.
  std::string with_right_values(const std::string& facts) {
    constexpr std::uint64_t many = 256;
    WireReader reader(facts);
    std::string made;
    WireWriter writer(made);
    const auto copy_number = [&] {
      const std::uint64_t value = reader.number();
      writer.number(value);
      return value;
    };
    const auto copy_part = [&](auto&& repair) {
      const std::uint64_t offset = copy_number();
      const Part part{offset, copy_number()};
      (void)reader.number();
      repair(part);
      writer.number(crc_of(part));
    };
    const auto nothing = [](Part) {};
    writer.integer(reader.integer());
    copy_number();
    writer.integer(reader.integer());
    copy_number();
    copy_number();
    const std::uint64_t columns = copy_number();
    if (columns > many) return facts;
    for (std::uint64_t i = 0; i < columns; ++i) {
      writer.text(reader.text());
      copy_number();
      writer.integer(reader.integer());
      copy_part(nothing);
      copy_number();
    }
    copy_part([&](Part table) { repair_groups(table, columns); });
    for (std::size_t side = 0; side < number_sides; ++side) {
      const std::uint64_t runs = copy_number();
      if (runs > many) return facts;
      for (std::uint64_t i = 0; i < runs; ++i)
        copy_part([&](Part directory) { repair_index(directory); });
    }
    return reader.is_bad() ? facts : made;
  }

  std::string out_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  read_file(bytes);
  read_file(Repair(bytes).done());
  // A block and a dictionary of their own: number of rows, size of the dictionary, texts in it.
  if (size < 4) return 0;
  const std::size_t rows = (data[0] | data[1] << 8) % (group_rows + 1);
  const std::size_t split = 4 + std::min<std::size_t>(data[2], size - 4);
  if (const auto dictionary = Dictionary::of(bytes.substr(4, split - 4), data[3]))
    read_block(bytes.substr(split), rows, *dictionary);
  return 0;
}
