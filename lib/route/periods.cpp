#include "route/periods.hpp"

#include <utility>

namespace tandem::route {

Result<Periods> Periods::build(const std::vector<PeriodConfig>& periods,
                               std::shared_ptr<const Calendar> calendar) {
  Periods built;
  built.calendar_ = std::move(calendar);
  for (const PeriodConfig& config : periods) {
    Period period;
    period.days = config.days;
    period.from_s = config.from_s;
    period.to_s = config.to_s;
    period.day_class = config.day_class;
    if (!config.timezone.empty()) {
      auto zone = TimeZone::load(config.timezone);
      if (!zone) return zone.error();
      period.zone = std::move(*zone);
    }
    period.closed = config.closed;
    period.line_limit = config.line_limit;
    period.priority = config.priority;
    for (auto [text, rules] : {std::pair{&config.rewrite_caller, &period.rewrite_caller},
                               {&config.rewrite_callee, &period.rewrite_callee}}) {
      if (!*text) continue;
      auto compiled = RewriteRules::compile(**text);
      if (!compiled) return compiled.error();
      *rules = std::move(*compiled);
    }
    NumberPolicyConfig callers, callees;
    callers.allow_caller_prefixes = config.allow_caller_prefixes;
    callers.deny_caller_prefixes = config.forbid_caller_prefixes;
    callees.allow_callee_prefixes = config.allow_callee_prefixes;
    callees.deny_callee_prefixes = config.forbid_callee_prefixes;
    for (auto [lists, policy] :
         {std::pair{&callers, &period.callers}, {&callees, &period.callees}}) {
      auto compiled = NumberPolicy::build(*lists);
      if (!compiled) return compiled.error();
      if (!compiled->accepts_everything()) *policy = std::move(*compiled);
    }
    built.periods_.push_back(std::move(period));
  }
  return built;
}

bool Periods::holds(const Period& period, const LocalTime& now) const noexcept {
  const auto day = day_of_hours(period.from_s, period.to_s, now);
  if (!day) return false;
  if (period.day_class && *period.day_class != calendar_->day_class(*day)) return false;
  return calendar_->has(period.days, *day);
}

PeriodSettings Periods::at(std::int64_t wall_us) const noexcept {
  PeriodSettings found;
  if (periods_.empty()) return found;
  bool knows_closed = false;
  const LocalTime here = calendar_->zone().local(wall_us);
  for (const Period& period : periods_) {
    if (!holds(period, period.zone ? period.zone->local(wall_us) : here)) continue;
    if (period.closed && !std::exchange(knows_closed, true)) found.is_closed = *period.closed;
    if (!found.line_limit) found.line_limit = period.line_limit;
    if (!found.priority) found.priority = period.priority;
    if (period.rewrite_caller && found.rewrite_caller == nullptr)
      found.rewrite_caller = &*period.rewrite_caller;
    if (period.rewrite_callee && found.rewrite_callee == nullptr)
      found.rewrite_callee = &*period.rewrite_callee;
    if (period.callers && found.callers == nullptr) found.callers = &*period.callers;
    if (period.callees && found.callees == nullptr) found.callees = &*period.callees;
  }
  return found;
}

}  // namespace tandem::route
