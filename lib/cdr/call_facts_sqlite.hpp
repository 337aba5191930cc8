// Reads what reports want of the calls of a day file.
#pragma once

#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "cdr/call_facts.hpp"
#include "cdr/cdr_filter_sqlite.hpp"
#include "cdr/cdr_rows_sqlite.hpp"
#include "tandem/cdr_query.hpp"

namespace tandem::cdr {

/// Goes through the calls of a file in no particular order. Threading: one thread at a time.
class CallFactsReader {
 public:
  /// `day` outlives it. Errors: invalid_argument, io.
  static Result<CallFactsReader> open(DayRows& day, const CdrFilter& filter, Facts wanted);

  /// Reads the next call into `call`. False: there are no more. Errors: io, timeout, corrupt.
  Result<bool> next(CallFacts& call);

 private:
  CallFactsReader(DayRows& day, Facts wanted) : day_(&day), wanted_(wanted) {}
  Result<void> read_legs_column(int column, CallFacts& call);
  Reason reason_of(std::string_view name);

  DayRows* day_;
  Facts wanted_;
  store::Statement rows_;
  store::Statement attempts_;  // of a record from before the column was there
  std::vector<Attempt> parsed_;
  std::vector<LegFacts> legs_;
  std::unordered_map<std::string, Reason> reasons_;
  const std::pair<const std::string, Reason>* last_reason_ = nullptr;  // one of them
};

}  // namespace tandem::cdr
