// Call records as files for programs that come by and take them (C-05).
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "tandem/cdr.hpp"
#include "tandem/error.hpp"
#include "tandem/export.h"

namespace tandem {

struct CdrFilesConfig {
  std::string folder;  ///< Made when absent; its parent must exist.
  CsvLayout layout = CsvLayout::pipe;
  bool header = true;              ///< First line of each csv file.
  bool unanswered = true;          ///< Whether unanswered calls are written.
  std::int32_t interval_s = 300;   ///< Time that a file is for; 60..86400.
  std::uint32_t records_max = 0;   ///< Records of a file; the next ones go into another; 0: any.
  std::uint32_t files_max = 2048;  ///< Complete files that are kept, the oldest go first; 0: all.
};

/// A sink that writes a file for each interval in which calls ended, "YYYYMMDDHHMMSS.txt" or ".csv"
/// by the beginning of it in UTC, "YYYYMMDDHHMMSS-2.txt" when one was full. A file has its name
/// when it is complete and is never touched again; until then it is called ".part" behind its name.
/// Records that come late go into the file of the moment, so that each is in one file exactly. A
/// file is complete when a call of a later interval ended, when it is full, or when its interval is
/// over by more than a minute, or when its interval lies in the future by more than one: the clock
/// was set back then. What was written is recorded in "<folder>/.position". Errors:
/// invalid_argument (a member out of its range), io, corrupt (that record is not readable),
/// already_exists (another process writes there).
TANDEM_EXPORT Result<std::unique_ptr<CdrSink>> make_cdr_files_sink(CdrFilesConfig config);

}  // namespace tandem
