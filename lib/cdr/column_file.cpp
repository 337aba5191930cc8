#include "cdr/column_file.hpp"

#include <algorithm>
#include <utility>

#include "base/crc32c.hpp"
#include "cdr/column_layout.hpp"
#include "cdr/wire.hpp"

namespace tandem::cdr {
namespace {

constexpr std::uint64_t facts_bytes_max = 1U << 24;
constexpr std::size_t columns_max = 1'024;
constexpr std::size_t runs_max = 65'536;

Error damaged(const char* what) {
  return {ErrorCode::corrupt, std::string("columns of a day: ") + what};
}

class DiskBytes final : public ColumnBytes {
 public:
  DiskBytes(std::unique_ptr<DiskFile> file, std::uint64_t size)
      : file_(std::move(file)), size_(size) {}
  [[nodiscard]] std::uint64_t size() const noexcept override { return size_; }
  Result<std::string> read(std::uint64_t offset, std::size_t bytes) override {
    std::string out(bytes, '\0');
    auto got = file_->read_at(offset, out.data(), bytes);
    if (!got) return std::move(got).error();
    if (*got != bytes) return damaged("the file became shorter while it was read");
    return out;
  }

 private:
  const std::unique_ptr<DiskFile> file_;
  const std::uint64_t size_;
};

class ViewedBytes final : public ColumnBytes {
 public:
  explicit ViewedBytes(std::string_view bytes) : bytes_(bytes) {}
  [[nodiscard]] std::uint64_t size() const noexcept override { return bytes_.size(); }
  Result<std::string> read(std::uint64_t offset, std::size_t bytes) override {
    return std::string(bytes_.substr(static_cast<std::size_t>(offset), bytes));
  }

 private:
  const std::string_view bytes_;
};

}  // namespace

ColumnBytes::~ColumnBytes() = default;

std::uint32_t number_hash(std::string_view number) noexcept {
  return crc32c(number.data(), number.size());
}

struct ColumnFile::IndexBlock {
  Part part;
  std::uint32_t first_hash = 0;
  std::uint32_t entries = 0;
};

Result<std::string> ColumnFile::part(std::uint64_t offset, std::uint64_t bytes) const {
  if (offset > bytes_->size() || bytes > bytes_->size() - offset)
    return damaged("a part was not inside the file");
  return bytes_->read(offset, static_cast<std::size_t>(bytes));
}

Result<std::string> ColumnFile::checked(const Part& part) const {
  auto found = this->part(part.offset, part.bytes);
  if (found && crc32c(found->data(), found->size()) != part.crc)
    return damaged("a part does not have its CRC");
  return found;
}

Result<std::unique_ptr<ColumnFile>> ColumnFile::open(std::unique_ptr<DiskFile> file) {
  auto size = file->size_bytes();
  if (!size) return std::move(size).error();
  return read(std::make_unique<DiskBytes>(std::move(file), *size));
}

Result<std::unique_ptr<ColumnFile>> ColumnFile::of(std::string_view bytes) {
  return read(std::make_unique<ViewedBytes>(bytes));
}

Result<std::unique_ptr<ColumnFile>> ColumnFile::read(std::unique_ptr<ColumnBytes> bytes) {
  const std::uint64_t size = bytes->size();
  if (size < layout::head_bytes + layout::tail_bytes)
    return damaged("the file is none, or was cut off");
  std::unique_ptr<ColumnFile> file(new ColumnFile(std::move(bytes)));
  const auto head = file->part(0, layout::head_bytes);
  if (!head) return head.error();
  const auto tail = file->part(size - layout::tail_bytes, layout::tail_bytes);
  if (!tail) return tail.error();
  if (!head->starts_with(column_magic) || !tail->ends_with(column_magic))
    return damaged("the file is none, or was cut off");
  const std::uint64_t format = layout::u64(head->data() + column_magic.size());
  if (format != column_format) {
    return Error{ErrorCode::unsupported, "columns of a day had format " + std::to_string(format) +
                                             ", this release reads 1"};
  }
  const Part place{layout::u64(tail->data()), layout::u32(tail->data() + 8),
                   layout::u32(tail->data() + 12)};
  if (place.bytes > facts_bytes_max) return damaged("the facts were too long");
  const auto facts = file->checked(place);
  if (!facts) return facts.error();
  if (auto done = file->read_facts(*facts); !done) return std::move(done).error();
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
  group_table_part_ = take_part();
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
  if (facts_.records > records_max || group_table_part_.bytes != groups * layout::group_entry_bytes)
    return damaged("the table of the groups does not go with the records");
  groups_ = static_cast<std::size_t>(groups);
  return {};
}

Result<ColumnGroup> ColumnFile::group(std::size_t number) const {
  if (number >= groups_) return damaged("there is no such group");
  if (!group_table_) {
    auto table = checked(group_table_part_);
    if (!table) return std::move(table).error();
    group_table_ = std::move(*table);
  }
  const char* const entry = group_table_->data() + number * layout::group_entry_bytes;
  const Part part{layout::u64(entry), columns_.size() * layout::block_entry_bytes,
                  layout::u32(entry + 8)};
  auto directory = checked(part);
  if (!directory) return std::move(directory).error();
  const std::size_t rows = std::min<std::size_t>(
      group_rows, static_cast<std::size_t>(facts_.records) - number * group_rows);
  return ColumnGroup(*this, std::move(*directory), part.offset + part.bytes, rows);
}

ColumnFile::IndexBlock ColumnFile::index_block(std::string_view directory, std::size_t at) {
  const char* const entry = directory.data() + at * layout::index_entry_bytes;
  return {{layout::u64(entry), layout::u32(entry + 8), layout::u32(entry + 12)},
          layout::u32(entry + 16),
          layout::u32(entry + 20)};
}

RowFinder::RowFinder(const ColumnFile& file, NumberSide side, std::string_view number)
    : file_(&file),
      side_(static_cast<std::size_t>(side)),
      hash_(number_hash(number)),
      runs_left_(file.indexes_[side_].size()) {}

/// The run before: its rows come before those that were given.
Result<void> RowFinder::open_run() {
  const ColumnFile::Index& index = file_->indexes_[side_][--runs_left_];
  auto directory = file_->checked(index.directory);
  if (!directory) return std::move(directory).error();
  directory_ = std::move(*directory);
  // The first that begins with a hash that `is_behind`.
  const auto bound = [&](auto is_behind) {
    std::size_t low = 0;
    std::size_t high = static_cast<std::size_t>(index.blocks);
    while (low < high) {
      const std::size_t middle = low + (high - low) / 2;
      if (is_behind(ColumnFile::index_block(directory_, middle).first_hash)) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return low;
  };
  // The block before the first that begins with the hash may end with it.
  const std::size_t first = bound([this](std::uint32_t hash) { return hash >= hash_; });
  first_block_ = first == 0 ? 0 : first - 1;
  end_block_ = bound([this](std::uint32_t hash) { return hash > hash_; });
  return {};
}

Result<void> RowFinder::read_block() {
  const auto block = ColumnFile::index_block(directory_, --end_block_);
  auto bytes = file_->checked(block.part);
  if (!bytes) return std::move(bytes).error();
  std::string_view rest = *bytes;
  PackedNumbers hashes;
  PackedNumbers places;
  if (block.entries > layout::index_block_entries || !hashes.take(rest, block.entries) ||
      !places.take(rest, block.entries))
    return damaged("an index was malformed");
  std::size_t first = 0;
  for (std::size_t end = block.entries; first < end;) {
    const std::size_t middle = first + (end - first) / 2;
    if (hashes[middle] < static_cast<std::int64_t>(hash_)) {
      first = middle + 1;
    } else {
      end = middle;
    }
  }
  for (; first < block.entries && hashes[first] == static_cast<std::int64_t>(hash_); ++first) {
    const std::int64_t row = places[first];
    if (row < 0 || static_cast<std::uint64_t>(row) >= file_->facts().records)
      return damaged("an index names a row that is not there");
    rows_.push_back(static_cast<std::uint32_t>(row));
  }
  return {};
}

Result<std::optional<std::uint32_t>> RowFinder::next() {
  for (;;) {
    if (rows_.empty()) {
      if (first_block_ < end_block_) {
        if (auto done = read_block(); !done) return std::move(done).error();
      } else {
        if (runs_left_ == 0) return std::optional<std::uint32_t>();
        if (auto done = open_run(); !done) return std::move(done).error();
      }
      continue;
    }
    const std::uint32_t row = rows_.back();
    rows_.pop_back();
    // Two numbers of a row may have one hash.
    if (last_ && row == *last_) continue;
    // A damaged one may not have the order that was written.
    if (last_ && row > *last_) return damaged("an index was not in the order of the rows");
    last_ = row;
    return last_;
  }
}

const Dictionary* ColumnFile::dictionary(std::size_t column) const {
  StoredDictionary& stored = dictionaries_[column];
  if (!stored.dictionary && !stored.is_bad) {
    auto bytes = checked(stored.part);
    if (bytes) {
      stored.bytes = std::move(*bytes);
      stored.dictionary = Dictionary::of(stored.bytes, stored.texts);
    }
    stored.is_bad = !stored.dictionary;
  }
  return stored.dictionary ? &*stored.dictionary : nullptr;
}

Result<void> ColumnFile::check() const {
  for (std::size_t number = 0; number < groups_; ++number) {
    auto group = this->group(number);
    if (!group) return std::move(group).error();
    group->read_ahead();
    for (std::size_t column = 0; column < columns_.size(); ++column) {
      if (group->block(column) == nullptr) return damaged("a block was malformed");
    }
  }
  for (const auto& runs : indexes_) {
    for (const Index& run : runs) {
      const auto directory = checked(run.directory);
      if (!directory) return directory.error();
      for (std::size_t at = 0; at < run.blocks; ++at) {
        if (auto block = checked(index_block(*directory, at).part); !block)
          return std::move(block).error();
      }
    }
  }
  return {};
}

ColumnGroup::ColumnGroup(const ColumnFile& file, std::string directory, std::uint64_t blocks_at,
                         std::size_t rows)
    : file_(&file), directory_(std::move(directory)), blocks_at_(blocks_at), rows_(rows) {
  const std::size_t columns = file.columns().size();
  begins_.reserve(columns + 1);
  std::uint64_t begin = 0;
  for (std::size_t i = 0; i < columns; ++i) {
    begins_.push_back(begin);
    begin += layout::u32(directory_.data() + i * layout::block_entry_bytes);
  }
  begins_.push_back(begin);
  bytes_.resize(columns + 1);
  parsed_.resize(columns);
}

void ColumnGroup::read_ahead() {
  if (has_all_) return;
  auto all = file_->part(blocks_at_, begins_.back());
  if (!all) return;  // which blocks are not there shows when they are used
  bytes_.back() = std::move(*all);
  has_all_ = true;
}

/// Nothing: they are damaged.
std::optional<std::string_view> ColumnGroup::bytes_of(std::size_t column) {
  const char* const entry = directory_.data() + column * layout::block_entry_bytes;
  const ColumnPart part{blocks_at_ + begins_[column], layout::u32(entry), layout::u32(entry + 4)};
  if (has_all_) {
    const std::string_view bytes = std::string_view(bytes_.back())
                                       .substr(static_cast<std::size_t>(begins_[column]),
                                               static_cast<std::size_t>(part.bytes));
    if (crc32c(bytes.data(), bytes.size()) != part.crc) return std::nullopt;
    return bytes;
  }
  auto bytes = file_->checked(part);
  if (!bytes) return std::nullopt;
  bytes_[column] = std::move(*bytes);
  return bytes_[column];
}

const ColumnBlock* ColumnGroup::block(std::size_t column) {
  std::optional<ColumnBlock>& parsed = parsed_[column];
  if (parsed) return &*parsed;
  const Dictionary* const dictionary = file_->dictionary(column);
  const auto bytes = dictionary != nullptr ? bytes_of(column) : std::nullopt;
  if (bytes) parsed = ColumnBlock::parse(*bytes, rows_, *dictionary);
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
