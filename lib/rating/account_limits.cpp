#include "tandem/account_limits.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include "base/text.hpp"
#include "rating/limit_set.hpp"
#include "rating/package_terms.hpp"
#include "tandem/accounts.hpp"

namespace tandem {
namespace rating {

/// A limit and its windows by their start.
struct LimitCounter {
  AccountLimit limit;
  std::string key;
  TimeZone zone;
  bool is_in_force = false;
  std::uint64_t refused_calls = 0;
  std::map<std::int64_t, LimitWindowState> windows;

  [[nodiscard]] bool counts(std::string_view callee) const noexcept {
    return limit.prefixes.empty() ||
           std::any_of(limit.prefixes.begin(), limit.prefixes.end(),
                       [&](const std::string& prefix) { return callee.starts_with(prefix); });
  }
};

namespace {

constexpr std::int64_t us_per_s = 1'000'000;
constexpr std::int64_t hour_s = 3'600;
// Windows that are kept though no call counts in them any more: a clock that is set back by less
// finds what was used there.
constexpr std::size_t windows_kept = 4;
// Limits that are no longer in force and are remembered, so that one that comes back goes on.
constexpr std::size_t counters_kept = 64;

std::int64_t saturating_add(std::int64_t a, std::int64_t b) noexcept {
  std::int64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? (b < 0 ? INT64_MIN : INT64_MAX) : sum;
}

void add(LimitSums& sums, Amount charge, std::int64_t talk_s, std::int64_t calls) noexcept {
  sums.charge = Amount::from_units(saturating_add(sums.charge.units(), charge.units()));
  sums.talk_s = saturating_add(sums.talk_s, talk_s);
  sums.calls = saturating_add(sums.calls, calls);
}

/// Whether a bound still has `more` beside what is used and held. All are at least zero.
bool has(std::int64_t bound, std::int64_t used, std::int64_t held, std::int64_t more) noexcept {
  return more <= saturating_add(bound, -saturating_add(used, held));
}

/// A call that asks for nothing more of a bound is not refused by it, even when it was lowered.
bool has_room(const LimitPlace& place, Amount charge, std::int64_t talk_s,
              std::int64_t calls) noexcept {
  const AccountLimit& limit = place.counter->limit;
  const LimitSums& used = place.window->used;
  const LimitSums& held = place.window->held;
  if (!place.counter->is_in_force) return true;
  if (limit.max_charge && !charge.is_zero() &&
      !has(limit.max_charge->units(), used.charge.units(), held.charge.units(), charge.units()))
    return false;
  if (limit.max_talk_s && talk_s != 0 && !has(*limit.max_talk_s, used.talk_s, held.talk_s, talk_s))
    return false;
  return !limit.max_calls || calls == 0 || has(*limit.max_calls, used.calls, held.calls, calls);
}

/// The window that a moment is in; without one when there is none yet.
LimitPlace existing_place(LimitCounter& counter, std::int64_t at_us) {
  const auto next = counter.windows.upper_bound(at_us);
  if (next == counter.windows.begin()) return {};
  const auto found = std::prev(next);
  if (at_us >= found->second.until_us) return {};
  return {&counter, &found->second, found->first};
}

Error refused(std::string message) { return {ErrorCode::invalid_argument, std::move(message)}; }

Result<void> check_limit(const AccountLimit& limit) {
  if (limit.prefixes.size() > limit_prefixes_max)
    return refused("limit had " + std::to_string(limit.prefixes.size()) + " prefixes, not 0.." +
                   std::to_string(limit_prefixes_max));
  for (const std::string& prefix : limit.prefixes) {
    if (prefix.empty() || !is_number(prefix))
      return refused("\"" + prefix.substr(0, 40) + "\" of a limit was no prefix");
  }
  if (!limit.max_charge && !limit.max_talk_s && !limit.max_calls)
    return refused("limit had none of max_charge, max_talk_s and max_calls");
  if (limit.max_charge &&
      (limit.max_charge->is_negative() || *limit.max_charge > account_amount_max))
    return refused("max_charge " + limit.max_charge->to_string() + " was not in 0.." +
                   account_amount_max.to_string());
  for (const auto& [name, bound] :
       {std::pair("max_talk_s", limit.max_talk_s), std::pair("max_calls", limit.max_calls)}) {
    if (bound && (*bound < 0 || *bound > limit_count_max))
      return refused(std::string(name) + " " + std::to_string(*bound) + " was not in 0.." +
                     std::to_string(limit_count_max));
  }
  if (auto zone = TimeZone::load(limit.timezone.empty() ? "UTC" : limit.timezone); !zone)
    return zone.error();
  return {};
}

}  // namespace

LimitSpan limit_span(LimitWindow window, const TimeZone& zone, std::int64_t at_us) noexcept {
  const LocalTime local = zone.local(at_us);
  switch (window) {
    case LimitWindow::hour: {
      const std::int64_t at_s = at_us / us_per_s - (at_us % us_per_s < 0 ? 1 : 0);
      const std::int64_t start_s = at_s - local.second % hour_s;
      return {start_s * us_per_s, (start_s + hour_s) * us_per_s};
    }
    case LimitWindow::day:
      return {midnight_us(zone, local.day), midnight_us(zone, local.day + 1)};
    case LimitWindow::month: {
      const CivilDate date = civil_from_days(local.day);
      const CivilDate next = date.month == 12 ? CivilDate{date.year + 1, 1, 1}
                                              : CivilDate{date.year, date.month + 1, 1};
      return {midnight_us(zone, local.day - date.day + 1),
              midnight_us(zone, days_from_civil(next))};
    }
  }
  return {};
}

void LimitNewsBoard::put(LimitNews news) {
  const std::lock_guard lock(mutex_);
  if (news_.size() < news_max) news_.push_back(std::move(news));
}

std::vector<LimitNews> LimitNewsBoard::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(news_, {});
}

LimitSet::LimitSet(std::string account, LimitNewsBoard& news)
    : account_(std::move(account)), news_(news) {}
LimitSet::~LimitSet() = default;

LimitCounter* LimitSet::find(std::string_view key) {
  for (const auto& counter : counters_)
    if (counter->key == key) return counter.get();
  return nullptr;
}

Result<void> LimitSet::provision(const std::vector<AccountLimit>& limits) {
  // Zones are read before the lock is taken: a file may be slow.
  std::vector<std::unique_ptr<LimitCounter>> fresh;
  for (const AccountLimit& limit : limits) {
    auto zone = TimeZone::load(limit.timezone.empty() ? "UTC" : limit.timezone);
    if (!zone) return std::move(zone).error();
    auto counter = std::make_unique<LimitCounter>();
    counter->limit = limit;
    counter->key = limit_key(limit);
    counter->zone = std::move(*zone);
    counter->is_in_force = true;
    fresh.push_back(std::move(counter));
  }
  const std::lock_guard lock(mutex_);
  for (auto& counter : fresh) {
    const auto same = std::find_if(counters_.begin(), counters_.end(), [&](const auto& earlier) {
      return earlier != nullptr && earlier->key == counter->key;
    });
    if (same == counters_.end()) continue;
    (*same)->limit = counter->limit;
    (*same)->zone = counter->zone;  // of one that was only restored there was none
    (*same)->is_in_force = true;
    counter = std::move(*same);
  }
  std::size_t kept = 0;
  for (auto earlier = counters_.rbegin(); earlier != counters_.rend(); ++earlier) {
    if (*earlier == nullptr) continue;
    (*earlier)->is_in_force = false;
    const bool is_held =
        std::any_of((*earlier)->windows.begin(), (*earlier)->windows.end(),
                    [](const auto& entry) { return entry.second.open_calls != 0; });
    if (is_held || kept++ < counters_kept) fresh.push_back(std::move(*earlier));
  }
  counters_ = std::move(fresh);
  return {};
}

Result<void> LimitSet::check(const LimitUse& use) {
  if (use.until_us > use.start_us && !use.charge.is_negative() && use.talk_s >= 0 && use.calls >= 0)
    return {};
  return refused("use of limit \"" + use.limit.substr(0, 80) + "\" of account \"" +
                 use.account.substr(0, 64) + "\" had an empty window or a negative number");
}

void LimitSet::restore(const LimitUse& use) {
  const std::lock_guard lock(mutex_);
  LimitCounter* counter = find(use.limit);
  if (counter == nullptr) {
    if (counters_.size() >= account_limits_max + counters_kept) return;
    counters_.push_back(std::make_unique<LimitCounter>());
    counter = counters_.back().get();
    counter->key = use.limit;
  }
  LimitWindowState& window = counter->windows[use.start_us];
  window.until_us = use.until_us;
  add(window.used, use.charge, use.talk_s, use.calls);
  forget_old(*counter, use.start_us);
}

/// The window of a moment, as it is or as it would begin: nothing is made for a question, because
/// what is made lets older ones go.
LimitPlace LimitSet::look(LimitCounter& counter, std::int64_t at_us, LimitWindowState& unused) {
  if (const LimitPlace place = existing_place(counter, at_us); place.window != nullptr)
    return place;
  const LimitSpan span = limit_span(counter.limit.window, counter.zone, at_us);
  unused = {};
  unused.until_us = span.until_us;
  return {&counter, &unused, span.start_us};
}

/// The window of a call that arrives; the clock may have been set back to an earlier one.
LimitPlace LimitSet::place_of(LimitCounter& counter, std::int64_t at_us) {
  if (const LimitPlace place = existing_place(counter, at_us); place.window != nullptr)
    return place;
  const LimitSpan span = limit_span(counter.limit.window, counter.zone, at_us);
  LimitWindowState& window = counter.windows[span.start_us];
  window.until_us = span.until_us;
  forget_old(counter, span.start_us);
  return {&counter, &window, span.start_us};
}

/// Keeps the windows that calls count in, the newest ones and that of `start_us`.
void LimitSet::forget_old(LimitCounter& counter, std::int64_t start_us) {
  for (auto window = counter.windows.begin();
       counter.windows.size() > windows_kept && window != counter.windows.end();) {
    const bool is_needed = window->second.open_calls != 0 || window->first == start_us;
    window = is_needed ? std::next(window) : counter.windows.erase(window);
  }
}

void LimitSet::tell(const LimitPlace& place) noexcept {
  if (place.window->is_told) return;
  place.window->is_told = true;
  try {
    news_.put({account_, place.counter->limit, place.window->until_us});
  } catch (const std::exception&) {  // no memory for news
  }
}

bool LimitSet::open(std::string_view callee, Amount charge, std::int64_t talk_s, std::int64_t at_us,
                    LimitHold& out) {
  auto claim = std::make_unique<LimitClaim>();
  claim->set = this;
  claim->charge = charge;
  claim->talk_s = talk_s;
  std::vector<LimitPlace>& places = claim->places;
  const std::lock_guard lock(mutex_);
  for (const auto& counter : counters_) {
    if (!counter->is_in_force || !counter->counts(callee)) continue;
    const LimitPlace place = place_of(*counter, at_us);
    if (!has_room(place, charge, talk_s, 1)) {
      ++counter->refused_calls;
      tell(place);
      return false;
    }
    places.push_back(place);
  }
  if (places.empty()) return true;
  for (const LimitPlace& place : places) {
    add(place.window->held, charge, talk_s, 1);
    ++place.window->open_calls;
  }
  out.claim_ = std::move(claim);
  return true;
}

bool LimitSet::grants(std::string_view callee, Amount charge, std::int64_t talk_s,
                      std::int64_t at_us) {
  const std::lock_guard lock(mutex_);
  LimitWindowState unused;
  return std::all_of(counters_.begin(), counters_.end(), [&](const auto& counter) {
    return !counter->is_in_force || !counter->counts(callee) ||
           has_room(look(*counter, at_us, unused), charge, talk_s, 1);
  });
}

std::vector<LimitState> LimitSet::states(std::int64_t at_us) {
  const std::lock_guard lock(mutex_);
  std::vector<LimitState> states;
  LimitWindowState unused;
  for (const auto& counter : counters_) {
    if (!counter->is_in_force) continue;
    const LimitPlace place = look(*counter, at_us, unused);
    const LimitSums& used = place.window->used;
    const LimitSums& held = place.window->held;
    states.push_back({counter->limit, place.start_us, place.window->until_us, used.charge,
                      held.charge, used.talk_s, held.talk_s, used.calls, held.calls,
                      counter->refused_calls});
  }
  return states;
}

bool LimitSet::renew(LimitClaim& claim, Amount charge, std::int64_t talk_s) noexcept {
  const std::int64_t more =
      std::max<std::int64_t>(0, saturating_add(charge.units(), -claim.charge.units()));
  const std::int64_t more_s = std::max<std::int64_t>(0, saturating_add(talk_s, -claim.talk_s));
  if (more == 0 && more_s == 0) return true;
  const std::lock_guard lock(mutex_);
  for (const LimitPlace& place : claim.places) {
    if (has_room(place, Amount::from_units(more), more_s, 0)) continue;
    claim.refused_by = static_cast<std::size_t>(&place - claim.places.data());
    return false;
  }
  for (const LimitPlace& place : claim.places)
    add(place.window->held, Amount::from_units(more), more_s, 0);
  claim.charge = Amount::from_units(claim.charge.units() + more);
  claim.talk_s += more_s;
  return true;
}

LimitSums LimitSet::reachable(const LimitClaim& claim) const noexcept {
  LimitSums most{Amount::from_units(LimitHold::unbounded), LimitHold::unbounded, 0};
  const auto rest = [](std::int64_t own, std::int64_t limit, std::int64_t used, std::int64_t held) {
    const std::int64_t left = saturating_add(saturating_add(limit, -used), -held);
    return saturating_add(own, std::max<std::int64_t>(0, left));
  };
  const std::lock_guard lock(mutex_);
  for (const LimitPlace& place : claim.places) {
    const AccountLimit& limit = place.counter->limit;
    const LimitSums& used = place.window->used;
    const LimitSums& held = place.window->held;
    if (!place.counter->is_in_force) continue;
    if (limit.max_charge)
      most.charge = std::min(
          most.charge, Amount::from_units(rest(claim.charge.units(), limit.max_charge->units(),
                                               used.charge.units(), held.charge.units())));
    if (limit.max_talk_s)
      most.talk_s =
          std::min(most.talk_s, rest(claim.talk_s, *limit.max_talk_s, used.talk_s, held.talk_s));
  }
  return most;
}

void LimitSet::tell_refusal(const LimitClaim& claim) noexcept {
  const std::lock_guard lock(mutex_);
  tell(claim.places[claim.refused_by]);
}

void LimitSet::lower(LimitClaim& claim, Amount charge, std::int64_t talk_s) noexcept {
  const std::int64_t less = std::max<std::int64_t>(0, claim.charge.units() - charge.units());
  const std::int64_t less_s = std::max<std::int64_t>(0, claim.talk_s - talk_s);
  const std::lock_guard lock(mutex_);
  for (const LimitPlace& place : claim.places)
    add(place.window->held, Amount::from_units(-less), -less_s, 0);
  claim.charge = Amount::from_units(claim.charge.units() - less);
  claim.talk_s -= less_s;
}

void LimitSet::close(LimitClaim& claim, const LimitSums& used) noexcept {
  const std::lock_guard lock(mutex_);
  for (const LimitPlace& place : claim.places) {
    add(place.window->held, Amount::from_units(-claim.charge.units()), -claim.talk_s, -1);
    add(place.window->used, used.charge, used.talk_s, used.calls);
    --place.window->open_calls;
  }
}

std::vector<LimitUse> LimitSet::uses(const LimitClaim& claim, const LimitSums& sums) const {
  const std::lock_guard lock(mutex_);
  std::vector<LimitUse> uses;
  uses.reserve(claim.places.size());
  for (const LimitPlace& place : claim.places)
    uses.push_back({account_, place.counter->key, place.start_us, place.window->until_us,
                    sums.charge, sums.talk_s, sums.calls});
  return uses;
}

}  // namespace rating

const char* limit_window_name(LimitWindow window) noexcept {
  switch (window) {
    case LimitWindow::hour:
      return "hour";
    case LimitWindow::day:
      return "day";
    case LimitWindow::month:
      return "month";
  }
  return "";
}

std::string limit_key(const AccountLimit& limit) {
  std::string key = limit_window_name(limit.window);
  key += ' ';
  key += limit.timezone.empty() ? "UTC" : limit.timezone;
  std::vector<std::string_view> prefixes(limit.prefixes.begin(), limit.prefixes.end());
  std::sort(prefixes.begin(), prefixes.end());
  prefixes.erase(std::unique(prefixes.begin(), prefixes.end()), prefixes.end());
  char separator = ' ';
  for (const std::string_view prefix : prefixes) {
    key += std::exchange(separator, ',');
    key += prefix;
  }
  return key;
}

Result<void> check_account_limits(const std::vector<AccountLimit>& limits) {
  if (limits.size() > account_limits_max)
    return rating::refused("account had " + std::to_string(limits.size()) + " limits, not 0.." +
                           std::to_string(account_limits_max));
  std::vector<std::string> keys;
  for (const AccountLimit& limit : limits) {
    if (auto checked = rating::check_limit(limit); !checked) return checked;
    std::string key = limit_key(limit);
    if (std::find(keys.begin(), keys.end(), key) != keys.end())
      return rating::refused("two limits were \"" + key.substr(0, 80) +
                             "\": bounds of one limit stand together");
    keys.push_back(std::move(key));
  }
  return {};
}

LimitHold::LimitHold() noexcept = default;
LimitHold::~LimitHold() { cancel(); }
LimitHold::LimitHold(LimitHold&& other) noexcept = default;

LimitHold& LimitHold::operator=(LimitHold&& other) noexcept {
  if (this != &other) {
    cancel();
    claim_ = std::move(other.claim_);
  }
  return *this;
}

bool LimitHold::renew(Amount charge, std::int64_t talk_s) noexcept {
  return claim_ == nullptr || claim_->set->renew(*claim_, charge, talk_s);
}

void LimitHold::lower(Amount charge, std::int64_t talk_s) noexcept {
  if (claim_ != nullptr) claim_->set->lower(*claim_, charge, talk_s);
}

void LimitHold::tell_refusal() const noexcept {
  if (claim_ != nullptr) claim_->set->tell_refusal(*claim_);
}

Amount LimitHold::charge() const noexcept { return claim_ == nullptr ? Amount() : claim_->charge; }

std::int64_t LimitHold::talk_s() const noexcept { return claim_ == nullptr ? 0 : claim_->talk_s; }

std::int64_t LimitHold::granted_s() const noexcept {
  return claim_ == nullptr ? unbounded : claim_->talk_s;
}

Amount LimitHold::reachable_charge() const noexcept {
  return claim_ == nullptr ? Amount::from_units(unbounded) : claim_->set->reachable(*claim_).charge;
}

std::int64_t LimitHold::reachable_s() const noexcept {
  return claim_ == nullptr ? unbounded : claim_->set->reachable(*claim_).talk_s;
}

void LimitHold::settle(Amount charge, std::int64_t talk_s) noexcept {
  if (const auto claim = std::move(claim_)) claim->set->close(*claim, {charge, talk_s, 1});
}

void LimitHold::cancel() noexcept {
  if (const auto claim = std::move(claim_)) claim->set->close(*claim, {});
}

std::vector<LimitUse> LimitHold::uses(Amount charge, std::int64_t talk_s) const {
  if (claim_ == nullptr) return {};
  return claim_->set->uses(*claim_, {charge, talk_s, 1});
}

}  // namespace tandem
