// The file that holds the records of a sealed day by columns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cdr/column_block.hpp"
#include "cdr/disk.hpp"
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
  bool operator==(const DayFileState&) const = default;
};

struct ColumnFacts {
  std::int64_t day = 0;  ///< Days since 1970.
  DayFileState made_of;
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

/// Where the bytes of a file of columns are. They are read, not mapped: what the disk cannot give
/// is an error then, and no signal that ends the process.
class ColumnBytes {
 public:
  virtual ~ColumnBytes();
  [[nodiscard]] virtual std::uint64_t size() const noexcept = 0;
  /// REQUIRES: they were there when the file was opened. Errors: io, corrupt (they are not there).
  virtual Result<std::string> read(std::uint64_t offset, std::size_t bytes) = 0;
};

/// Place of some bytes in a file, and what they come to.
struct ColumnPart {
  std::uint64_t offset = 0, bytes = 0;
  std::uint32_t crc = 0;
};

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
  /// All blocks at once, for whoever wants most of them. Else each is read when it is first used.
  void read_ahead();

 private:
  friend class ColumnFile;
  ColumnGroup(const ColumnFile& file, std::string directory, std::uint64_t blocks_at,
              std::size_t rows);
  std::optional<std::string_view> bytes_of(std::size_t column);
  const ColumnFile* file_;
  std::string directory_;
  std::uint64_t blocks_at_;
  std::size_t rows_;
  std::vector<std::uint64_t> begins_;  // of the blocks, and the end of the last
  std::vector<std::string> bytes_;  // of the blocks, and of all of them; where they lie blocks say
  bool has_all_ = false;
  std::vector<std::optional<ColumnBlock>> parsed_;
  bool has_failed_ = false;
};

/// Goes through the rows that may have a number on one side, in one of its views, the last first:
/// all that have, and now and then one that has not. Holds what one block of the index says of it.
/// Threading: one thread at a time. Borrows from its file.
class RowFinder {
 public:
  /// Nothing: there are no more. Errors: corrupt, io.
  Result<std::optional<std::uint32_t>> next();

 private:
  friend class ColumnFile;
  RowFinder(const ColumnFile& file, NumberSide side, std::string_view number);
  Result<void> open_run();
  Result<void> read_block();
  const ColumnFile* file_;
  std::size_t side_;
  std::uint32_t hash_;
  std::size_t runs_left_;
  std::string directory_;                        // of the run
  std::size_t first_block_ = 0, end_block_ = 0;  // that may have it and were not read
  std::vector<std::uint32_t> rows_;              // of the block that was read, the next one last
  std::optional<std::uint32_t> last_;            // that was given
};

/// Such a file. Any bytes may be given: each part is read and checked when it is first used.
/// Threading: one thread at a time.
class ColumnFile {
 public:
  /// Errors: corrupt, unsupported (of a later release), io.
  static Result<std::unique_ptr<ColumnFile>> open(std::unique_ptr<DiskFile> file);
  /// `bytes` outlive it. Errors: corrupt, unsupported.
  static Result<std::unique_ptr<ColumnFile>> of(std::string_view bytes);

  [[nodiscard]] const ColumnFacts& facts() const noexcept { return facts_; }
  [[nodiscard]] const std::vector<ColumnSpec>& columns() const noexcept { return columns_; }
  [[nodiscard]] std::size_t groups() const noexcept { return groups_; }
  /// Errors: corrupt, io. The group lives no longer than the file, which is not moved.
  Result<ColumnGroup> group(std::size_t number) const;
  /// The finder lives no longer than the file, which is not moved.
  [[nodiscard]] RowFinder find(NumberSide side, std::string_view number) const {
    return {*this, side, number};
  }
  /// The texts of a column; null: they are damaged.
  const Dictionary* dictionary(std::size_t column) const;
  /// Reads every part. Errors: corrupt, io.
  Result<void> check() const;

 private:
  friend class ColumnGroup;
  friend class RowFinder;
  using Part = ColumnPart;
  explicit ColumnFile(std::unique_ptr<ColumnBytes> bytes) : bytes_(std::move(bytes)) {}
  static Result<std::unique_ptr<ColumnFile>> read(std::unique_ptr<ColumnBytes> bytes);
  struct StoredDictionary {
    Part part;
    std::uint64_t texts = 0;
    std::string bytes{};
    std::optional<Dictionary> dictionary;  // once it was checked
    bool is_bad = false;
  };
  struct Index {  // or a run of one
    Part directory;
    std::uint64_t blocks = 0;
  };
  Result<void> read_facts(std::string_view facts);
  /// Errors: corrupt (they are not inside the file), io.
  [[nodiscard]] Result<std::string> part(std::uint64_t offset, std::uint64_t bytes) const;
  /// Errors: as part(), corrupt (they do not have their CRC).
  [[nodiscard]] Result<std::string> checked(const Part& part) const;
  struct IndexBlock;
  [[nodiscard]] static IndexBlock index_block(std::string_view directory, std::size_t at);

  const std::unique_ptr<ColumnBytes> bytes_;
  ColumnFacts facts_;
  std::vector<ColumnSpec> columns_;
  mutable std::vector<StoredDictionary> dictionaries_;  // by column
  std::size_t groups_ = 0;
  Part group_table_part_;
  mutable std::optional<std::string> group_table_;  // once it was read
  std::vector<Index> indexes_[number_sides];
};

}  // namespace tandem::cdr
