// CDRs into text files, each line exactly once.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cdr/built_in_sink.hpp"
#include "cdr/disk.hpp"

namespace tandem::cdr {

/// Lines go behind the recorded length of a file; the file "<path>.position" holds the place in the
/// journal and these lengths, and is replaced after the lines are flushed. What a crash left behind
/// a recorded length is cut off. A file that an operator moved away is begun anew.
class CsvSink final : public BuiltInSink {
 public:
  /// Errors: those of make_csv_sink().
  static Result<std::unique_ptr<CsvSink>> open(CsvSinkConfig config, std::shared_ptr<Disk> disk);

  Result<std::uint64_t> position() override;
  Result<void> write_batch(std::span<const RecordView> records, std::uint64_t through) override;

 private:
  struct TextFile {
    std::string name;                // last part of its path
    std::uint64_t length_bytes = 0;  // of whole lines that belong to records up to the place
  };
  CsvSink(CsvSinkConfig config, std::shared_ptr<Disk> disk);
  Result<void> load();
  Result<std::size_t> columns_of(const std::string& name);
  Result<void> save(const std::vector<TextFile>& files, std::uint64_t through);
  [[nodiscard]] std::string name_for(const Cdr& cdr) const;

  // An hour whose calls have long ended gets no more lines; this many hours may still.
  static constexpr std::size_t files_max = 64;

  CsvSinkConfig config_;
  std::shared_ptr<Disk> disk_;
  std::unique_ptr<DiskLock> lock_;
  std::string folder_;
  std::string position_path_;
  std::uint64_t position_ = 0;
  std::vector<TextFile> files_;  // most recently written last
};

}  // namespace tandem::cdr
