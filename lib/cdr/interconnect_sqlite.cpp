#include "cdr/interconnect_sqlite.hpp"

#include <algorithm>
#include <functional>
#include <limits>
#include <unordered_map>
#include <utility>

#include "cdr/archived_days.hpp"
#include "cdr/day_files.hpp"
#include "store/sqlite.hpp"

namespace tandem::cdr {
namespace {

__extension__ using Wide = __int128;

/// Calls `visit` with each day file that may have records of the period.
Result<void> for_each_day(const std::string& folder, const InterconnectQuery& query,
                          const std::function<Result<void>(store::Connection&)>& visit) {
  const std::int64_t first = day_of(query.since_us);
  const std::int64_t last = day_of(query.until_us - 1);
  if (auto done = check_days_online(folder, first, last); !done) return done;
  auto days = stored_days_of(folder);
  if (!days) return std::move(days).error();
  for (auto day = days->rbegin(); day != days->rend(); ++day) {
    if (*day < first || *day > last) continue;
    auto rows = open_day_to_read(folder, *day, false);
    if (!rows) return std::move(rows).error();
    if (!*rows) continue;
    if (auto done = visit((*rows)->connection()); !done) return done;
  }
  return {};
}

CallSide side_of(const InterconnectQuery& query) noexcept {
  return query.is_vendor ? CallSide::vendor : CallSide::customer;
}

void bind_period(store::Statement& select, const InterconnectQuery& query) {
  select.bind(1, query.gateway).bind(2, query.since_us).bind(3, query.until_us);
}

Error too_large() { return {ErrorCode::limit, "a sum was larger than an amount can be"}; }

/// Sums wider than what SQLite adds.
struct Sums {
  InterconnectTotals totals;
  Wide charge_units = 0, billed_s = 0;

  /// Amounts of two currencies make no sum.
  Result<void> add_charge(std::int64_t units, std::string_view currency) {
    if (units == 0) return {};
    if (totals.currency.empty()) totals.currency = currency;
    if (totals.currency != currency)
      return Error{ErrorCode::wrong_state, "calls of the period were charged in " +
                                               totals.currency + " and in " +
                                               std::string(currency)};
    charge_units += units;
    return {};
  }

  Result<InterconnectTotals> finish() && {
    constexpr auto most = std::numeric_limits<std::int64_t>::max();
    if (charge_units > most || charge_units < -Wide{most} || billed_s > most || billed_s < 0)
      return too_large();
    totals.charge = Amount::from_units(static_cast<std::int64_t>(charge_units));
    totals.billed_time_s = static_cast<std::int64_t>(billed_s);
    return totals;
  }
};

Result<void> add_day(store::Connection& day, const InterconnectQuery& query,
                     const std::vector<SideDifference>& corrected, Sums& sums) {
  const std::string where = query.is_vendor ? "vendor_gateway = ?1" : "customer_gateway = ?1";
  const std::string values =
      query.is_vendor
          ? "coalesce(vendor_billed_time_s, 0), coalesce(vendor_charge_units, 0), vendor_currency"
          : "billed_time_s, charge_units, currency";
  auto select = day.prepare("SELECT record_id, answered_at_us, " + values + " FROM cdr WHERE " +
                            where + " AND ended_at_us >= ?2 AND ended_at_us < ?3");
  if (!select) return std::move(select).error();
  bind_period(*select, query);
  const auto by_record = [](const SideDifference& one, std::uint64_t id) {
    return one.record_id < id;
  };
  for (;;) {
    auto row = select->step();
    if (!row) return std::move(row).error();
    if (!*row) break;
    const auto id = static_cast<std::uint64_t>(select->integer(0));
    if (!query.is_vendor) ++sums.totals.calls;
    if (select->integer(1) != 0) ++sums.totals.answered;
    sums.billed_s += select->integer(2);
    const std::string_view currency = select->text(4);
    if (auto added = sums.add_charge(select->integer(3), currency); !added) return added;
    for (auto at = std::lower_bound(corrected.begin(), corrected.end(), id, by_record);
         at != corrected.end() && at->record_id == id; ++at) {
      if (at->side != side_of(query)) continue;
      sums.billed_s += at->billed_time_s;
      if (auto added = sums.add_charge(at->charge.units(), currency); !added) return added;
    }
  }
  if (!query.is_vendor) return {};
  // A call that went on to another vendor was tried here too.
  auto tries = day.prepare(
      "SELECT count(*) FROM cdr, json_each(cdr.attempts) AS attempt WHERE "
      "json_extract(attempt.value, '$.vendor_gateway') = ?1 AND ended_at_us >= ?2 AND "
      "ended_at_us < ?3");
  if (!tries) return std::move(tries).error();
  bind_period(*tries, query);
  auto row = tries->step();
  if (!row) return std::move(row).error();
  sums.totals.calls += static_cast<std::uint64_t>(tries->integer(0));
  return {};
}

}  // namespace

Result<void> check_interconnect_query(const InterconnectQuery& query) {
  if (query.gateway.empty()) return Error{ErrorCode::invalid_argument, "no gateway was named"};
  if (query.until_us <= query.since_us)
    return Error{ErrorCode::invalid_argument, "the period was empty"};
  return {};
}

Result<InterconnectTotals> interconnect_totals(const std::string& folder,
                                               const InterconnectQuery& query,
                                               const std::vector<SideDifference>& corrected) {
  if (auto checked = check_interconnect_query(query); !checked) return std::move(checked).error();
  Sums sums;
  auto done = for_each_day(
      folder, query, [&](store::Connection& day) { return add_day(day, query, corrected, sums); });
  if (!done) return std::move(done).error();
  return std::move(sums).finish();
}

Result<std::vector<InterconnectCall>> interconnect_calls(
    const std::string& folder, const InterconnectQuery& query,
    const std::vector<SideDifference>& corrected) {
  if (auto checked = check_interconnect_query(query); !checked) return std::move(checked).error();
  std::unordered_map<std::uint64_t, const SideDifference*> changes;
  for (const SideDifference& one : corrected) {
    if (one.side == side_of(query)) changes.emplace(one.record_id, &one);
  }
  const std::string columns =
      query.is_vendor
          ? "caller_out, callee_out, answered_at_us, coalesce(vendor_billed_time_s, 0), "
            "coalesce(vendor_charge_units, 0), vendor_currency FROM cdr WHERE vendor_gateway = ?1"
          : "caller_in, callee_in, answered_at_us, billed_time_s, charge_units, currency FROM cdr "
            "WHERE customer_gateway = ?1";
  std::vector<InterconnectCall> calls;
  auto done = for_each_day(folder, query, [&](store::Connection& day) -> Result<void> {
    auto select =
        day.prepare("SELECT record_id, " + columns +
                    " AND answered_at_us <> 0 AND ended_at_us >= ?2 AND ended_at_us < ?3");
    if (!select) return std::move(select).error();
    bind_period(*select, query);
    for (;;) {
      auto row = select->step();
      if (!row) return std::move(row).error();
      if (!*row) return {};
      if (calls.size() >= interconnect_calls_max)
        return Error{ErrorCode::limit,
                     "more than " + std::to_string(interconnect_calls_max) + " calls were found"};
      InterconnectCall& call = calls.emplace_back();
      call.record_id = static_cast<std::uint64_t>(select->integer(0));
      call.caller = select->text(1);
      call.callee = select->text(2);
      call.answered_at_us = select->integer(3);
      call.billed_time_s = select->integer(4);
      call.charge = Amount::from_units(select->integer(5));
      call.currency = select->text(6);
      if (const auto change = changes.find(call.record_id); change != changes.end()) {
        call.billed_time_s += change->second->billed_time_s;
        const auto charge = Amount::add(call.charge, change->second->charge);
        if (!charge) return too_large();
        call.charge = *charge;
      }
    }
  });
  if (!done) return std::move(done).error();
  std::sort(calls.begin(), calls.end(), [](const auto& a, const auto& b) {
    return a.answered_at_us != b.answered_at_us ? a.answered_at_us < b.answered_at_us
                                                : a.record_id < b.record_id;
  });
  return calls;
}

}  // namespace tandem::cdr
