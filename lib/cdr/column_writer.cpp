#include "cdr/column_writer.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/crc32c.hpp"
#include "cdr/column_layout.hpp"
#include "cdr/wire.hpp"

namespace tandem::cdr {
namespace {

constexpr std::size_t pending_bytes_max = 1U << 20;
constexpr std::size_t run_entries_max = 1U << 22;

}  // namespace

ColumnWriter::ColumnWriter(DiskFile& file, std::vector<ColumnSpec> columns, Spend spend)
    : file_(file),
      columns_(std::move(columns)),
      spend_(std::move(spend)),
      values_(columns_.size()),
      dictionaries_(columns_.size()),
      pending_(column_magic) {
  layout::append_u64(pending_, column_format);
}

ColumnWriter::Part ColumnWriter::put(std::string_view bytes) {
  const Part part{written_bytes_ + pending_.size(), bytes.size(),
                  crc32c(bytes.data(), bytes.size())};
  pending_ += bytes;
  return part;
}

Result<void> ColumnWriter::write_out() {
  if (auto done = file_.write_at(written_bytes_, pending_); !done) return done;
  written_bytes_ += pending_.size();
  const std::size_t bytes = pending_.size();
  pending_.clear();
  return spend_(bytes);
}

void ColumnWriter::add_number(NumberSide side, std::string_view number) {
  numbers_[static_cast<std::size_t>(side)].push_back(std::uint64_t{number_hash(number)} << 32U |
                                                     rows_);
}

Result<void> ColumnWriter::end_row() {
  if (rows_ == std::numeric_limits<std::uint32_t>::max())
    return Error{ErrorCode::limit, "a day had more records than its columns can hold"};
  ++rows_;
  if (++group_rows_ == group_rows) {
    if (auto done = end_group(); !done) return done;
  }
  for (std::size_t side = 0; side < number_sides; ++side) {
    if (numbers_[side].size() < run_entries_max) continue;
    if (auto done = end_run(side); !done) return done;
  }
  if (pending_.size() < pending_bytes_max) return {};
  return write_out();
}

Result<void> ColumnWriter::end_group() {
  std::string blocks;
  directory_.clear();
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    block_.clear();
    if (columns_[i].kind == ColumnKind::integer) {
      append_integers(block_, values_[i]);
    } else {
      append_texts(
          block_, values_[i], dictionaries_[i],
          columns_[i].usual < 0 ? nullptr : &values_[static_cast<std::size_t>(columns_[i].usual)]);
    }
    if (block_.size() > std::numeric_limits<std::uint32_t>::max())
      return Error{ErrorCode::limit, "texts of a day were longer than its columns can hold"};
    layout::append_u32(directory_, static_cast<std::uint32_t>(block_.size()));
    layout::append_u32(directory_, crc32c(block_.data(), block_.size()));
    blocks += block_;
  }
  const Part directory = put(directory_);
  layout::append_u64(group_table_, directory.offset);
  layout::append_u32(group_table_, directory.crc);
  pending_ += blocks;
  for (ColumnValues& values : values_)
    values.clear();
  group_rows_ = 0;
  return {};
}

Result<void> ColumnWriter::end_run(std::size_t side) {
  std::vector<std::uint64_t>& entries = numbers_[side];
  std::sort(entries.begin(), entries.end());
  std::string directory;
  std::vector<std::int64_t> hashes;
  std::vector<std::int64_t> rows;
  for (std::size_t at = 0; at < entries.size(); at += hashes.size()) {
    hashes.clear();
    rows.clear();
    const std::size_t end = std::min(entries.size(), at + layout::index_block_entries);
    for (std::size_t i = at; i < end; ++i) {
      hashes.push_back(static_cast<std::int64_t>(entries[i] >> 32U));
      rows.push_back(static_cast<std::int64_t>(entries[i] & UINT32_MAX));
    }
    block_.clear();
    append_packed(block_, hashes);
    append_packed(block_, rows);
    const Part part = put(block_);
    layout::append_u64(directory, part.offset);
    layout::append_u32(directory, static_cast<std::uint32_t>(part.bytes));
    layout::append_u32(directory, part.crc);
    layout::append_u32(directory, static_cast<std::uint32_t>(hashes[0]));
    layout::append_u32(directory, static_cast<std::uint32_t>(hashes.size()));
    if (pending_.size() < pending_bytes_max) continue;
    if (auto done = write_out(); !done) return done;
  }
  runs_[side].push_back(put(directory));
  entries.clear();
  return {};
}

Result<void> ColumnWriter::finish(ColumnFacts& facts) {
  if (group_rows_ > 0) {
    if (auto done = end_group(); !done) return done;
  }
  facts.records = rows_;
  std::string text;
  WireWriter writer(text);
  const auto put_part = [&writer](const Part& part) {
    writer.number(part.offset);
    writer.number(part.bytes);
    writer.number(part.crc);
  };
  writer.integer(facts.day);
  writer.number(facts.made_of.bytes);
  writer.integer(facts.made_of.changed_at_ns);
  writer.number(facts.records);
  writer.number(facts.content_crc);
  writer.number(columns_.size());
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    writer.text(columns_[i].name);
    writer.number(columns_[i].kind == ColumnKind::integer ? 0 : 1);
    writer.integer(columns_[i].usual);
    put_part(put(dictionaries_[i].bytes()));
    writer.number(dictionaries_[i].size());
  }
  put_part(put(group_table_));
  for (std::size_t side = 0; side < number_sides; ++side) {
    if (!numbers_[side].empty()) {
      if (auto done = end_run(side); !done) return done;
    }
    writer.number(runs_[side].size());
    for (const Part& run : runs_[side])
      put_part(run);
  }
  const Part place = put(text);
  layout::append_u64(pending_, place.offset);
  layout::append_u32(pending_, static_cast<std::uint32_t>(place.bytes));
  layout::append_u32(pending_, place.crc);
  pending_ += column_magic;
  return write_out();
}

}  // namespace tandem::cdr
