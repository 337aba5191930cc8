// The file that holds the records of a sealed day by columns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cdr/column_block.hpp"
#include "tandem/error.hpp"

namespace tandem::cdr {

/// "TANDEMC\n" and the format in 8 bytes; the groups of group_rows rows, in the order of the list
/// (end of the call, then `record_id`), each with a directory (size and CRC32C of each block) and a
/// block for each column; the dictionaries; the indexes by number; a table of the groups; the
/// facts; and in the last 24 bytes place, size and CRC32C of the facts, and "TANDEMC\n". Integers
/// are little-endian, and everything that is read has a CRC32C.
inline constexpr std::string_view column_magic = "TANDEMC\n";
inline constexpr std::uint64_t column_format = 1;

enum class ColumnKind : std::uint8_t { integer, text };

struct ColumnSpec {
  std::string name;
  ColumnKind kind = ColumnKind::integer;
  /// Column whose text this one mostly repeats, and which repeats none; -1: none does.
  std::int32_t usual = -1;
  bool operator==(const ColumnSpec&) const = default;
};

/// What a day file looked like from outside when its columns were made of it.
struct DayFileState {
  std::uint64_t bytes = 0;
  std::int64_t changed_at_ns = 0;
  std::uint32_t head_crc = 0;  ///< CRC32C of its first 100 bytes, which count its changes.
  bool operator==(const DayFileState&) const = default;
};

struct ColumnFacts {
  std::int64_t day = 0;  ///< Days since 1970.
  DayFileState made_of;
  std::int64_t made_at_us = 0;
  std::uint64_t records = 0;
  std::uint32_t content_crc = 0;  ///< DayContent::crc of the seal.
  bool operator==(const ColumnFacts&) const = default;
};

/// Whose number a question is about.
enum class NumberSide : std::uint8_t { caller, callee };
inline constexpr std::size_t number_sides = 2;

/// Where a number stands in the order of an index. Several may have one place.
std::uint32_t number_hash(std::string_view number) noexcept;

class ColumnFile;

/// Rows of a file that stand together. What is malformed or damaged is read as null and remembered.
/// Threading: one thread at a time. Borrows from its file.
class ColumnGroup {
 public:
  [[nodiscard]] std::size_t rows() const noexcept { return rows_; }
  /// Null once something could not be read. REQUIRES for all: the column is one of the file's.
  const ColumnBlock* block(std::size_t column);
  std::int64_t integer(std::size_t column, std::size_t row);
  /// Nothing: null. `scratch` as ColumnBlock::text() has it.
  std::optional<std::string_view> text(std::size_t column, std::size_t row, std::string& scratch);
  [[nodiscard]] bool has_failed() const noexcept { return has_failed_; }

 private:
  friend class ColumnFile;
  ColumnGroup(const ColumnFile& file, std::string_view directory, std::string_view blocks,
              std::size_t rows);
  const ColumnFile* file_;
  std::string_view directory_, blocks_;
  std::size_t rows_;
  std::vector<std::size_t> begins_;  // of the blocks
  std::vector<std::optional<ColumnBlock>> parsed_;
  bool has_failed_ = false;
};

/// A view of such a file. Any bytes may be given: each part is checked when it is first used.
/// Threading: one thread at a time.
class ColumnFile {
 public:
  /// `bytes` outlive it. Errors: corrupt, unsupported (of a later release).
  static Result<std::unique_ptr<ColumnFile>> of(std::string_view bytes);

  [[nodiscard]] const ColumnFacts& facts() const noexcept { return facts_; }
  [[nodiscard]] const std::vector<ColumnSpec>& columns() const noexcept { return columns_; }
  [[nodiscard]] std::size_t groups() const noexcept { return groups_; }
  /// Errors: corrupt. The group lives no longer than the file, which is not moved.
  Result<ColumnGroup> group(std::size_t number) const;
  /// Rows that may have the number on that side, in one of its views, ascending: all that have, and
  /// now and then one that has not. Errors: corrupt.
  Result<std::vector<std::uint32_t>> find(NumberSide side, std::string_view number) const;
  /// The texts of a column; null: they are damaged.
  const Dictionary* dictionary(std::size_t column) const;
  /// Reads every part. Errors: corrupt.
  Result<void> check() const;

 private:
  ColumnFile() = default;
  struct Part {
    std::uint64_t offset = 0, bytes = 0;
    std::uint32_t crc = 0;
  };
  struct StoredDictionary {
    Part part;
    std::uint64_t texts = 0;
    std::optional<Dictionary> dictionary;  // once it was checked
    bool is_bad = false;
  };
  struct Index {  // or a run of one
    Part directory;
    std::uint64_t blocks = 0;
  };
  Result<void> read_facts(std::string_view facts);
  [[nodiscard]] std::optional<std::string_view> part(const Part& part) const;
  [[nodiscard]] std::optional<std::string_view> checked(const Part& part) const;
  Result<void> find_in(const Index& index, std::uint32_t hash,
                       std::vector<std::uint32_t>& rows) const;
  struct IndexBlock;
  [[nodiscard]] static IndexBlock index_block(std::string_view directory, std::size_t at);

  std::string_view bytes_;
  ColumnFacts facts_;
  std::vector<ColumnSpec> columns_;
  mutable std::vector<StoredDictionary> dictionaries_;  // by column
  std::size_t groups_ = 0;
  Part group_table_;
  mutable bool is_group_table_good_ = false;
  std::vector<Index> indexes_[number_sides];
};

}  // namespace tandem::cdr
