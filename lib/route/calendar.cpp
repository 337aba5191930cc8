#include "route/calendar.hpp"

#include <algorithm>
#include <utility>

namespace tandem {

namespace {

constexpr std::array<std::string_view, 7> weekday_names = {"sun", "mon", "tue", "wed",
                                                           "thu", "fri", "sat"};
constexpr std::array<std::string_view, 3> class_names = {"work", "rest", "holiday"};

template <std::size_t Size>
std::optional<std::size_t> index_of(const std::array<std::string_view, Size>& names,
                                    std::string_view name) {
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) return std::nullopt;
  return static_cast<std::size_t>(found - names.begin());
}

}  // namespace

Result<DaySet> DaySet::parse(const std::vector<std::string>& words) {
  DaySet set;
  for (const std::string& word : words) {
    if (word == "any") {
      set.weekdays = every().weekdays;
      continue;
    }
    if (const auto kind = index_of(class_names, word)) {
      set.classes |= static_cast<std::uint8_t>(1u << *kind);
      continue;
    }
    const auto dash = word.find('-');
    const auto first = index_of(weekday_names, std::string_view(word).substr(0, dash));
    const auto last = dash == std::string::npos
                          ? first
                          : index_of(weekday_names, std::string_view(word).substr(dash + 1));
    if (!first || !last) {
      return Error{ErrorCode::invalid_argument,
                   "\"" + word + "\" is no day: mon..sun, a range, work, rest, holiday or any"};
    }
    for (std::size_t day = *first;; day = (day + 1) % 7) {
      set.weekdays |= static_cast<std::uint8_t>(1u << day);
      if (day == *last) break;
    }
  }
  if (set == DaySet{}) return Error{ErrorCode::invalid_argument, "no day was named"};
  return set;
}

namespace route {

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

/// The part of a period behind midnight belongs to the day on which it began: "fri 22:00-06:00" is
/// the night that Friday ends with.
bool Periods::holds(const Period& period, const LocalTime& now) const noexcept {
  std::int64_t day = now.day;
  if (period.from_s < period.to_s) {
    if (now.second < period.from_s || now.second >= period.to_s) return false;
  } else if (now.second < period.from_s) {
    if (now.second >= period.to_s) return false;
    day -= 1;
  }
  const DayClass kind = calendar_->day_class(day);
  if (period.day_class && *period.day_class != kind) return false;
  return (period.days.weekdays >> LocalTime::weekday(day) & 1) != 0 ||
         (period.days.classes >> static_cast<int>(kind) & 1) != 0;
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

}  // namespace route
}  // namespace tandem
