// CDRs in files of an interval each, complete ones under their final names (C-05).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "cdr/built_in_sink.hpp"
#include "cdr/disk.hpp"
#include "tandem/cdr_files.hpp"

namespace tandem::cdr {

/// The file ".position" holds the place in the journal, and of the file that is written its
/// interval, number, length, records and layout; it is replaced before a file is begun, after its
/// lines are flushed, and before and after it gets its name. So a crash at any moment leaves each
/// record in one file: what lies behind the recorded length is cut off, and a file that was
/// complete gets its name at the next start.
class FilesSink final : public BuiltInSink {
 public:
  /// Errors: those of make_cdr_files_sink().
  static Result<std::unique_ptr<FilesSink>> open(CdrFilesConfig config, std::shared_ptr<Disk> disk);

  Result<std::uint64_t> position() override;
  Result<void> write_batch(std::span<const RecordView> records, std::uint64_t through) override;
  Result<void> idle(std::int64_t wall_us) override;

 private:
  enum class Stage : std::uint8_t {
    none,      ///< No file is written; `slot_s` and `number` are those of the last one.
    open,      ///< It is written, as ".part".
    complete,  ///< All is written; it gets its name.
  };
  struct State {
    std::uint64_t position = 0;
    Stage stage = Stage::none;
    std::int64_t slot_s = -1;  ///< Beginning of its interval, seconds since 1970 UTC; -1: none yet.
    std::uint32_t number = 1;  ///< Of the files of that interval.
    std::uint64_t length_bytes = 0;
    std::uint32_t records = 0;
    CsvLayout layout = CsvLayout::pipe;  ///< That it was begun with.
  };

  FilesSink(CdrFilesConfig config, std::shared_ptr<Disk> disk);
  Result<void> load();
  Result<void> save(const State& state);
  Result<void> settle();
  Result<std::uint32_t> last_number(std::int64_t slot_s);
  Result<void> begin(std::int64_t slot_s);
  Result<void> write_lines(std::string_view lines, std::uint32_t records, std::uint64_t through);
  Result<void> complete();
  Result<void> give_name();
  Result<void> remove_oldest();
  [[nodiscard]] std::int64_t slot_of(const Cdr& cdr) const;
  [[nodiscard]] std::string name() const;
  [[nodiscard]] std::string part_path() const { return path(name()) + ".part"; }
  [[nodiscard]] std::string path(const std::string& name) const {
    return config_.folder + "/" + name;
  }

  const CdrFilesConfig config_;
  const std::shared_ptr<Disk> disk_;
  std::unique_ptr<DiskLock> lock_;
  State state_;
  bool is_uncertain_ = false;  // a state that was not saved may be on the disk nevertheless
};

}  // namespace tandem::cdr
