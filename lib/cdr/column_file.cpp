#include "cdr/column_file.hpp"

#include <algorithm>
#include <utility>

#include "base/crc32c.hpp"
#include "cdr/column_layout.hpp"
#include "cdr/wire.hpp"

namespace tandem::cdr {
namespace {

constexpr std::size_t columns_max = 1'024;
constexpr std::size_t runs_max = 65'536;

Error damaged(const char* what) {
  return {ErrorCode::corrupt, std::string("columns of a day: ") + what};
}

}  // namespace

std::uint32_t number_hash(std::string_view number) noexcept {
  return crc32c(number.data(), number.size());
}

struct ColumnFile::IndexBlock {
  Part part;
  std::uint32_t first_hash = 0;
  std::uint32_t entries = 0;
};

std::optional<std::string_view> ColumnFile::part(const Part& part) const {
  if (part.offset > bytes_.size() || part.bytes > bytes_.size() - part.offset) return std::nullopt;
  return bytes_.substr(static_cast<std::size_t>(part.offset), static_cast<std::size_t>(part.bytes));
}

std::optional<std::string_view> ColumnFile::checked(const Part& part) const {
  const auto found = this->part(part);
  if (!found || crc32c(found->data(), found->size()) != part.crc) return std::nullopt;
  return found;
}

Result<std::unique_ptr<ColumnFile>> ColumnFile::of(std::string_view bytes) {
  if (bytes.size() < layout::head_bytes + layout::tail_bytes || !bytes.starts_with(column_magic) ||
      !bytes.ends_with(column_magic))
    return damaged("the file is none, or was cut off");
  const std::uint64_t format = layout::u64(bytes.data() + column_magic.size());
  if (format != column_format) {
    return Error{ErrorCode::unsupported, "columns of a day had format " + std::to_string(format) +
                                             ", this release reads 1"};
  }
  std::unique_ptr<ColumnFile> file(new ColumnFile);
  file->bytes_ = bytes;
  const char* const tail = bytes.data() + bytes.size() - layout::tail_bytes;
  const auto facts =
      file->checked({layout::u64(tail), layout::u32(tail + 8), layout::u32(tail + 12)});
  if (!facts) return damaged("the facts do not have their CRC");
  if (auto read = file->read_facts(*facts); !read) return std::move(read).error();
  return file;
}

Result<void> ColumnFile::read_facts(std::string_view facts) {
  WireReader reader(facts);
  const auto take_part = [&reader] {
    Part part;
    part.offset = reader.number();
    part.bytes = reader.number();
    part.crc = static_cast<std::uint32_t>(reader.number());
    return part;
  };
  facts_.day = reader.integer();
  facts_.made_of.bytes = reader.number();
  facts_.made_of.changed_at_ns = reader.integer();
  facts_.made_of.head_crc = static_cast<std::uint32_t>(reader.number());
  facts_.made_at_us = reader.integer();
  facts_.records = reader.number();
  facts_.content_crc = static_cast<std::uint32_t>(reader.number());
  const std::uint64_t columns = reader.number();
  if (columns > columns_max) return damaged("there are too many");
  for (std::uint64_t i = 0; i < columns; ++i) {
    ColumnSpec& spec = columns_.emplace_back();
    spec.name = reader.text();
    spec.kind = reader.number() == 0 ? ColumnKind::integer : ColumnKind::text;
    spec.usual =
        static_cast<std::int32_t>(reader.integer_in(-1, static_cast<std::int64_t>(columns) - 1));
    StoredDictionary& dictionary = dictionaries_.emplace_back();
    dictionary.part = take_part();
    dictionary.texts = reader.number();
  }
  for (const ColumnSpec& spec : columns_) {
    if (spec.usual < 0) continue;
    const ColumnSpec& usual = columns_[static_cast<std::size_t>(spec.usual)];
    if (spec.kind != ColumnKind::text || usual.kind != ColumnKind::text || usual.usual >= 0)
      return damaged("one repeats what does not stand for itself");
  }
  group_table_ = take_part();
  for (auto& runs : indexes_) {
    const std::uint64_t count = reader.number();
    if (count > runs_max) return damaged("an index has too many runs");
    for (std::uint64_t i = 0; i < count && !reader.is_bad(); ++i) {
      Index& index = runs.emplace_back();
      index.directory = take_part();
      index.blocks = index.directory.bytes / layout::index_entry_bytes;
    }
  }
  if (reader.is_bad()) return damaged("the facts were malformed");
  constexpr std::uint64_t records_max = UINT32_MAX;  // places of rows have 32 bits
  const std::uint64_t groups = (facts_.records + group_rows - 1) / group_rows;
  if (facts_.records > records_max || group_table_.bytes != groups * layout::group_entry_bytes)
    return damaged("the table of the groups does not go with the records");
  groups_ = static_cast<std::size_t>(groups);
  return {};
}

Result<ColumnGroup> ColumnFile::group(std::size_t number) const {
  if (number >= groups_) return damaged("there is no such group");
  const auto table = is_group_table_good_ ? part(group_table_) : checked(group_table_);
  if (!table) return damaged("the table of the groups does not have its CRC");
  is_group_table_good_ = true;
  const char* const entry = table->data() + number * layout::group_entry_bytes;
  const Part directory_part{layout::u64(entry), columns_.size() * layout::block_entry_bytes,
                            layout::u32(entry + 8)};
  const auto directory = checked(directory_part);
  if (!directory) return damaged("the directory of a group does not have its CRC");
  const std::uint64_t begin = directory_part.offset + directory_part.bytes;
  const std::size_t rows = std::min<std::size_t>(
      group_rows, static_cast<std::size_t>(facts_.records) - number * group_rows);
  return ColumnGroup(*this, *directory, bytes_.substr(static_cast<std::size_t>(begin)), rows);
}

ColumnFile::IndexBlock ColumnFile::index_block(std::string_view directory, std::size_t at) {
  const char* const entry = directory.data() + at * layout::index_entry_bytes;
  return {{layout::u64(entry), layout::u32(entry + 8), layout::u32(entry + 12)},
          layout::u32(entry + 16),
          layout::u32(entry + 20)};
}

Result<void> ColumnFile::find_in(const Index& index, std::uint32_t hash,
                                 std::vector<std::uint32_t>& rows) const {
  const auto directory = checked(index.directory);
  if (!directory) return damaged("the directory of an index does not have its CRC");
  // The first block that may have it: the one before the first that begins with it or later.
  std::size_t low = 0;
  std::size_t high = static_cast<std::size_t>(index.blocks);
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    if (index_block(*directory, middle).first_hash < hash) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  for (std::size_t at = low == 0 ? 0 : low - 1; at < index.blocks; ++at) {
    const IndexBlock block = index_block(*directory, at);
    if (block.first_hash > hash) break;
    auto bytes = checked(block.part);
    PackedNumbers hashes;
    PackedNumbers places;
    if (!bytes || block.entries > layout::index_block_entries ||
        !hashes.take(*bytes, block.entries) || !places.take(*bytes, block.entries))
      return damaged("an index was malformed");
    std::size_t first = 0;
    for (std::size_t end = block.entries; first < end;) {
      const std::size_t middle = first + (end - first) / 2;
      if (hashes[middle] < static_cast<std::int64_t>(hash)) {
        first = middle + 1;
      } else {
        end = middle;
      }
    }
    for (; first < block.entries && hashes[first] == static_cast<std::int64_t>(hash); ++first) {
      const std::int64_t row = places[first];
      if (row < 0 || static_cast<std::uint64_t>(row) >= facts_.records)
        return damaged("an index names a row that is not there");
      rows.push_back(static_cast<std::uint32_t>(row));
    }
  }
  return {};
}

Result<std::vector<std::uint32_t>> ColumnFile::find(NumberSide side,
                                                    std::string_view number) const {
  std::vector<std::uint32_t> rows;
  for (const Index& run : indexes_[static_cast<std::size_t>(side)]) {
    if (auto done = find_in(run, number_hash(number), rows); !done) return std::move(done).error();
  }
  // A damaged one may not have the order that was written.
  if (!std::is_sorted(rows.begin(), rows.end()))
    return damaged("an index was not in the order of the rows");
  return rows;
}

const Dictionary* ColumnFile::dictionary(std::size_t column) const {
  StoredDictionary& stored = dictionaries_[column];
  if (!stored.dictionary && !stored.is_bad) {
    const auto bytes = checked(stored.part);
    if (bytes) stored.dictionary = Dictionary::of(*bytes, stored.texts);
    stored.is_bad = !stored.dictionary;
  }
  return stored.dictionary ? &*stored.dictionary : nullptr;
}

Result<void> ColumnFile::check() const {
  for (std::size_t number = 0; number < groups_; ++number) {
    auto group = this->group(number);
    if (!group) return std::move(group).error();
    for (std::size_t column = 0; column < columns_.size(); ++column) {
      if (group->block(column) == nullptr) return damaged("a block was malformed");
    }
  }
  for (const auto& runs : indexes_) {
    for (const Index& run : runs) {
      const auto directory = checked(run.directory);
      if (!directory) return damaged("the directory of an index does not have its CRC");
      for (std::size_t at = 0; at < run.blocks; ++at) {
        if (!checked(index_block(*directory, at).part))
          return damaged("a block of an index does not have its CRC");
      }
    }
  }
  return {};
}

ColumnGroup::ColumnGroup(const ColumnFile& file, std::string_view directory,
                         std::string_view blocks, std::size_t rows)
    : file_(&file), directory_(directory), blocks_(blocks), rows_(rows) {
  const std::size_t columns = file.columns().size();
  begins_.reserve(columns);
  std::size_t begin = 0;
  for (std::size_t i = 0; i < columns; ++i) {
    begins_.push_back(begin);
    begin += layout::u32(directory.data() + i * layout::block_entry_bytes);
  }
  parsed_.resize(columns);
}

const ColumnBlock* ColumnGroup::block(std::size_t column) {
  std::optional<ColumnBlock>& parsed = parsed_[column];
  if (parsed) return &*parsed;
  const char* const entry = directory_.data() + column * layout::block_entry_bytes;
  const std::size_t bytes = layout::u32(entry);
  const std::size_t begin = begins_[column];
  const Dictionary* const dictionary = file_->dictionary(column);
  if (dictionary != nullptr && begin <= blocks_.size() && bytes <= blocks_.size() - begin &&
      crc32c(blocks_.data() + begin, bytes) == layout::u32(entry + 4))
    parsed = ColumnBlock::parse(blocks_.substr(begin, bytes), rows_, *dictionary);
  has_failed_ = has_failed_ || !parsed;
  return parsed ? &*parsed : nullptr;
}

std::int64_t ColumnGroup::integer(std::size_t column, std::size_t row) {
  std::int64_t value = 0;
  const ColumnBlock* const found = block(column);
  if (found != nullptr && found->integer(row, value) == ColumnBlock::Found::malformed)
    has_failed_ = true;
  return value;
}

std::optional<std::string_view> ColumnGroup::text(std::size_t column, std::size_t row,
                                                  std::string& scratch) {
  std::string_view text;
  const ColumnBlock* found = block(column);
  if (found == nullptr) return std::nullopt;
  auto kind = found->text(row, scratch, text);
  if (kind == ColumnBlock::Found::usual) {
    const std::int32_t usual = file_->columns()[column].usual;
    found = usual < 0 ? nullptr : block(static_cast<std::size_t>(usual));
    kind = found == nullptr ? ColumnBlock::Found::malformed : found->text(row, scratch, text);
  }
  if (kind == ColumnBlock::Found::value) return text;
  // What repeats a text does so only where there is one, and that one repeats none.
  if (kind != ColumnBlock::Found::null) has_failed_ = true;
  return std::nullopt;
}

}  // namespace tandem::cdr
