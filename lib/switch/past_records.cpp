#include "switch/past_records.hpp"

#include <string>
#include <utility>

#include "cdr/query_guards.hpp"

namespace tandem {
namespace {

CdrFilter period_of(const RerateQuery& query) {
  CdrFilter period;
  period.since_us = query.since_us;
  period.until_us = query.until_us;
  return period;
}

}  // namespace

Result<void> check_period(const RerateQuery& query, const CdrGuards& guards, std::int64_t now_us) {
  if (guards.days_max > 0 && !query.since_us) {
    return Error{ErrorCode::invalid_argument,
                 "calls of all times were asked for, and query_days_max is " +
                     std::to_string(guards.days_max) + "; say since when"};
  }
  auto guarded = cdr::guarded_filter(period_of(query), guards, now_us);
  if (!guarded) return std::move(guarded).error();
  return {};
}

Result<PastRecords> PastRecords::open(const RecordPlace& records, const RerateQuery& query) {
  auto cursor = CdrStore(records.place, records.guards).cursor(period_of(query));
  if (!cursor) return std::move(cursor).error();
  return PastRecords(std::move(*cursor));
}

Result<std::vector<Cdr>> PastRecords::next(std::size_t count,
                                           const std::function<Result<void>()>& check_wanted) {
  std::vector<Cdr> found;
  while (found.size() < count) {
    if (check_wanted) {
      if (auto wanted = check_wanted(); !wanted) return std::move(wanted).error();
    }
    auto cdr = cursor_.next();
    if (!cdr) return std::move(cdr).error();
    if (!*cdr) break;
    found.push_back(std::move(**cdr));
  }
  return found;
}

}  // namespace tandem
