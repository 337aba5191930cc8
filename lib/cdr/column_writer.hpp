// Writes the file of the columns of a day.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cdr/archive_file.hpp"
#include "cdr/column_file.hpp"
#include "cdr/disk.hpp"

namespace tandem::cdr {

/// Takes rows in the order of the list. Holds one group, the dictionaries, and a run of the
/// indexes (64 MiB, while a run grows up to twice that), whatever the day has. Threading: one
/// thread at a time.
class ColumnWriter {
 public:
  /// `file` is empty and outlives it.
  ColumnWriter(DiskFile& file, std::vector<ColumnSpec> columns, Spend spend);

  /// Where the next value of a column goes. REQUIRES: each column gets one before end_row().
  ColumnValues& values(std::size_t column) { return values_[column]; }
  /// A number of the row that is being made, by which it shall be found. Once each.
  void add_number(NumberSide side, std::string_view number);
  /// Errors: io, limit (more rows than a file may have), those of the spend.
  Result<void> end_row();
  /// Writes the rest; `facts.records` is filled in. The file is not flushed. Errors: as end_row().
  Result<void> finish(ColumnFacts& facts);

 private:
  struct Part {
    std::uint64_t offset = 0, bytes = 0;
    std::uint32_t crc = 0;
  };
  Result<void> end_group();
  Result<void> end_run(std::size_t side);
  /// Appends a part to what is to be written.
  Part put(std::string_view bytes);
  Result<void> write_out();

  DiskFile& file_;
  const std::vector<ColumnSpec> columns_;
  const Spend spend_;
  std::vector<ColumnValues> values_;
  std::vector<DictionaryMaker> dictionaries_;
  std::string group_table_;
  std::uint64_t rows_ = 0;
  std::size_t group_rows_ = 0;
  std::vector<std::uint64_t> numbers_[number_sides];  // hash and row
  std::vector<Part> runs_[number_sides];              // directories
  std::string pending_, block_, directory_;
  std::uint64_t written_bytes_ = 0;
};

}  // namespace tandem::cdr
