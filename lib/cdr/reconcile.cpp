#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "tandem/reconciliation.hpp"

namespace tandem {
namespace {

__extension__ using Wide = __int128;

constexpr std::int64_t second_us = 1'000'000;
constexpr std::int64_t tolerance_max_s = 86'400;

Error out_of_range(const char* what, std::int64_t value) {
  return {ErrorCode::invalid_argument, std::string(what) + " " + std::to_string(value) +
                                           " was not within " + std::to_string(tolerance_max_s)};
}

Result<void> check_rules(const ReconcileRules& rules) {
  for (const auto& [what, value] : {std::pair("time tolerance", rules.time_tolerance_s),
                                    std::pair("duration tolerance", rules.duration_tolerance_s)}) {
    if (value < 0 || value > tolerance_max_s) return out_of_range(what, value);
  }
  if (rules.clock_offset_s < -tolerance_max_s || rules.clock_offset_s > tolerance_max_s)
    return out_of_range("clock offset", rules.clock_offset_s);
  if (rules.charge_tolerance.is_negative())
    return Error{ErrorCode::invalid_argument,
                 "charge tolerance " + rules.charge_tolerance.to_string() + " was negative"};
  if (rules.line_hundredths < 0) return Error{ErrorCode::invalid_argument, "line was negative"};
  return {};
}

/// In the order in which the calls of both ends are compared.
void sort(std::vector<InterconnectCall>& calls, bool compares_callers) {
  std::sort(calls.begin(), calls.end(), [=](const auto& a, const auto& b) {
    if (a.callee != b.callee) return a.callee < b.callee;
    if (compares_callers && a.caller != b.caller) return a.caller < b.caller;
    return std::tie(a.answered_at_us, a.record_id) < std::tie(b.answered_at_us, b.record_id);
  });
}

Error two_currencies(const std::string& one, const std::string& other) {
  return {ErrorCode::wrong_state, "charges were in " + one + " and in " + other};
}

/// `compares_charges`: they must make one sum; else those of two currencies make none.
Result<InterconnectTotals> total(const std::vector<InterconnectCall>& calls,
                                 bool compares_charges) {
  InterconnectTotals totals;
  bool is_mixed = false;
  for (const InterconnectCall& call : calls) {
    ++totals.calls;
    ++totals.answered;
    totals.billed_time_s += call.billed_time_s;
    if (is_mixed || call.charge.is_zero()) continue;
    if (totals.currency.empty()) totals.currency = call.currency;
    if (totals.currency != call.currency) {
      if (compares_charges) return two_currencies(totals.currency, call.currency);
      is_mixed = true;
      totals.charge = {};
      totals.currency.clear();
      continue;
    }
    const auto sum = Amount::add(totals.charge, call.charge);
    if (!sum) return Error{ErrorCode::limit, "a sum was larger than an amount can be"};
    totals.charge = *sum;
  }
  return totals;
}

class Comparison {
 public:
  Comparison(const ReconcileRules& rules, ReconcileReport& report)
      : rules_(rules), report_(report) {}

  void missing_there(const InterconnectCall& ours) {
    ++report_.missing_there;
    list({ReconcileRow::Kind::missing_there, ours, std::nullopt});
  }
  void missing_here(const InterconnectCall& theirs) {
    ++report_.missing_here;
    list({ReconcileRow::Kind::missing_here, std::nullopt, theirs});
  }
  void matched(const InterconnectCall& ours, const InterconnectCall& theirs) {
    ++report_.matched;
    const std::int64_t seconds = ours.billed_time_s - theirs.billed_time_s;
    const bool has_duration = (seconds < 0 ? -seconds : seconds) > rules_.duration_tolerance_s;
    const Wide units = Wide{ours.charge.units()} - theirs.charge.units();
    const bool has_charge =
        rules_.compares_charges && (units < 0 ? -units : units) > rules_.charge_tolerance.units();
    if (has_duration) {
      ++report_.duration_differs;
      list({ReconcileRow::Kind::duration, ours, theirs});
    }
    if (has_charge) {
      ++report_.charge_differs;
      list({ReconcileRow::Kind::charge, ours, theirs});
    }
    if (!has_duration && !has_charge) ++report_.agreeing;
  }

 private:
  void list(ReconcileRow row) {
    if (report_.rows.size() < rules_.rows_max) report_.rows.push_back(std::move(row));
  }

  const ReconcileRules& rules_;
  ReconcileReport& report_;
};

}  // namespace

std::int64_t deviation_hundredths(std::int64_t ours, std::int64_t theirs) noexcept {
  const Wide a = ours < 0 ? -Wide{ours} : Wide{ours};
  const Wide b = theirs < 0 ? -Wide{theirs} : Wide{theirs};
  const Wide larger = std::max(a, b);
  if (larger == 0) return 0;
  const Wide apart = Wide{ours} - theirs;
  // Rounded up: what is not the same is never told as no deviation.
  const Wide share = ((apart < 0 ? -apart : apart) * 10'000 + larger - 1) / larger;
  return static_cast<std::int64_t>(share);
}

PeerCheck compare_totals(const InterconnectQuery& query, const InterconnectTotals& ours,
                         const InterconnectTotals& theirs, std::int64_t line_hundredths) {
  PeerCheck check{query.gateway, query.since_us, query.until_us, ours, theirs, {}, false, {}};
  const auto of = [](std::uint64_t mine, std::uint64_t others) {
    return deviation_hundredths(static_cast<std::int64_t>(mine), static_cast<std::int64_t>(others));
  };
  if (!ours.currency.empty() && !theirs.currency.empty() && ours.currency != theirs.currency) {
    check.failure = two_currencies(ours.currency, theirs.currency).message;
    return check;
  }
  check.deviations = {of(ours.calls, theirs.calls), of(ours.answered, theirs.answered),
                      deviation_hundredths(ours.billed_time_s, theirs.billed_time_s),
                      deviation_hundredths(ours.charge.units(), theirs.charge.units())};
  check.is_exceeded =
      std::any_of(check.deviations.begin(), check.deviations.end(),
                  [=](std::int64_t each) { return each != 0 && each >= line_hundredths; });
  return check;
}

Result<ReconcileReport> reconcile(std::vector<InterconnectCall> ours,
                                  std::vector<InterconnectCall> theirs,
                                  const ReconcileRules& rules) {
  if (auto checked = check_rules(rules); !checked) return std::move(checked).error();
  ReconcileReport report;
  auto our_totals = total(ours, rules.compares_charges);
  if (!our_totals) return std::move(our_totals).error();
  auto their_totals = total(theirs, rules.compares_charges);
  if (!their_totals) return std::move(their_totals).error();
  report.ours = *our_totals;
  report.theirs = *their_totals;
  InterconnectTotals& us = report.ours;
  InterconnectTotals& them = report.theirs;
  if (!us.currency.empty() && !them.currency.empty() && us.currency != them.currency) {
    if (rules.compares_charges) return two_currencies(us.currency, them.currency);
    us.charge = them.charge = {};  // as of calls of two currencies at one end
    us.currency.clear();
    them.currency.clear();
  }

  sort(ours, rules.compares_callers);
  sort(theirs, rules.compares_callers);
  const std::int64_t offset_us = rules.clock_offset_s * second_us;
  const std::int64_t tolerance_us = rules.time_tolerance_s * second_us;
  /// Negative: `our` is without a call of theirs; positive: `their` without one of ours.
  const auto order = [&](const InterconnectCall& our, const InterconnectCall& their) -> Wide {
    if (const int by = our.callee.compare(their.callee); by != 0) return by;
    if (rules.compares_callers) {
      if (const int by = our.caller.compare(their.caller); by != 0) return by;
    }
    const Wide apart = Wide{our.answered_at_us} - (Wide{their.answered_at_us} - offset_us);
    if (apart < -tolerance_us) return -1;
    return apart > tolerance_us ? 1 : 0;
  };
  Comparison comparison(rules, report);
  auto our = ours.begin();
  auto their = theirs.begin();
  while (our != ours.end() && their != theirs.end()) {
    const Wide by = order(*our, *their);
    if (by < 0) {
      comparison.missing_there(*our++);
    } else if (by > 0) {
      comparison.missing_here(*their++);
    } else {
      comparison.matched(*our++, *their++);
    }
  }
  for (; our != ours.end(); ++our)
    comparison.missing_there(*our);
  for (; their != theirs.end(); ++their)
    comparison.missing_here(*their);

  report.deviations = {deviation_hundredths(static_cast<std::int64_t>(report.ours.calls),
                                            static_cast<std::int64_t>(report.theirs.calls)),
                       deviation_hundredths(report.ours.billed_time_s, report.theirs.billed_time_s),
                       rules.compares_charges ? deviation_hundredths(report.ours.charge.units(),
                                                                     report.theirs.charge.units())
                                              : 0};
  report.is_exceeded =
      std::any_of(report.deviations.begin(), report.deviations.end(),
                  [&](std::int64_t each) { return each != 0 && each >= rules.line_hundredths; });
  return report;
}

}  // namespace tandem
