// The stored records that a re-rating looks at.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "tandem/cdr_query.hpp"
#include "tandem/config.hpp"
#include "tandem/deck_reports.hpp"
#include "tandem/error.hpp"

namespace tandem {

/// Where the records of a configuration are, and what a question to them may cost.
struct RecordPlace {
  CdrPlace place;
  CdrGuards guards;
};

/// Where they are, whoever asks and whenever. Errors: unsupported (no SQLite sink).
Result<CdrPlace> cdr_place(const SwitchConfig& config);

/// Errors: those of cdr_place(), wrong_state (an hour of query_denied_hours), invalid_argument
/// (time zone).
Result<RecordPlace> record_place(const SwitchConfig& config);

/// Whether the guards (C-13) allow the period of a re-rating. Without a beginning they do not when
/// they bound periods: sums of the last days must not pass for sums of all. Errors:
/// invalid_argument.
Result<void> check_period(const RerateQuery& query, const CdrGuards& guards, std::int64_t now_us);

/// Records of a re-rating's period, newest first. One question, so that one bound of the guards
/// holds for all of it and no page looks for its beginning.
/// Threading: one thread at a time.
class PastRecords {
 public:
  /// Errors: those of CdrStore::cursor().
  static Result<PastRecords> open(const RecordPlace& records, const RerateQuery& query);

  /// At most `count` of them; fewer: there are no more. `check_wanted` (may be empty) is asked
  /// before each one, and its error ends the page. Errors: those of CdrCursor::next().
  Result<std::vector<Cdr>> next(std::size_t count,
                                const std::function<Result<void>()>& check_wanted = {});

 private:
  explicit PastRecords(CdrCursor cursor) : cursor_(std::move(cursor)) {}
  CdrCursor cursor_;
};

}  // namespace tandem
