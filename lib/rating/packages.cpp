// The book of packages: orders, their periods, and what calls lend of them.
#include "tandem/packages.hpp"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <tuple>
#include <utility>

#include "base/calendar.hpp"
#include "rating/formula.hpp"
#include "rating/package_terms.hpp"

namespace tandem {
namespace rating {

struct PackageOwner;

/// A period with what calls need of it. `period` is guarded by the mutex of its owner.
struct OpenPeriod {
  PackagePeriod period;
  const PackageOwner* payer = nullptr;  // account that paid for it: of a phone not the owner
  RateSchedule schedule;
  std::vector<std::shared_ptr<const Rate>> rates;  // of period.period_rates
  /// What period.period_rates are over a tariff, by the longest of their prefixes that a number
  /// begins with, which says what others it begins with; made when a call asks first.
  std::map<std::string, std::shared_ptr<const RateOverlays>, std::less<>> overlays;
};

/// An account, or a phone.
struct PackageOwner {
  mutable std::mutex mutex;                       // guards the rest, and the periods in `open`
  std::vector<std::shared_ptr<OpenPeriod>> open;  // in the order of use
  /// Of an account: the phones that have open periods which it paid for, by number.
  std::map<std::string, const PackageOwner*> phones;
};

namespace {

/// Whose packages a call may use. Either may be null.
struct Owners {
  PackageOwner* account = nullptr;
  PackageOwner* phone = nullptr;
};

/// Locks both, the account first: so no two calls wait for each other.
class OwnersLock {
 public:
  explicit OwnersLock(const Owners& owners) {
    if (owners.account != nullptr) account_ = std::unique_lock(owners.account->mutex);
    if (owners.phone != nullptr) phone_ = std::unique_lock(owners.phone->mutex);
  }

 private:
  std::unique_lock<std::mutex> account_, phone_;
};

bool is_used_before(const PackagePeriod& a, const PackagePeriod& b) noexcept {
  return std::tie(a.priority, a.end_us, a.order) < std::tie(b.priority, b.end_us, b.order);
}

/// The length of the longest of a gift's prefixes that `callee` begins with; -1: none.
int match_length(const std::vector<std::string>& prefixes, std::string_view callee) noexcept {
  int longest = prefixes.empty() ? 0 : -1;
  for (const std::string& prefix : prefixes) {
    if (callee.starts_with(prefix)) longest = std::max(longest, static_cast<int>(prefix.size()));
  }
  return longest;
}

bool has_gifts(const PackagePeriod& period) noexcept {
  return period.consumption >= period.lower_consumption;
}

std::shared_ptr<OpenPeriod> open_period(PackagePeriod period, RateSchedule schedule) {
  auto open = std::make_shared<OpenPeriod>();
  for (const PackageRate& rate : period.period_rates)
    open->rates.push_back(std::make_shared<const Rate>(rate_of(rate)));
  open->period = std::move(period);
  open->schedule = std::move(schedule);
  return open;
}

/// The periods of both in the order of their use, until `visit` is done with them. Of a phone only
/// what its account of now has paid for: who had the phone before may have paid in another
/// currency, and owes a minimum that calls of others do not lower. REQUIRES: both are locked.
template <class Visit>
void visit_open(const Owners& owners, Visit visit) {
  static const std::vector<std::shared_ptr<OpenPeriod>> none;
  const auto& first = owners.account == nullptr ? none : owners.account->open;
  const auto& second = owners.phone == nullptr ? none : owners.phone->open;
  const auto next_paid_for = [&](auto place) {
    return std::find_if(place, second.end(),
                        [&](const auto& open) { return open->payer == owners.account; });
  };
  auto a = first.begin();
  auto b = next_paid_for(second.begin());
  bool is_done = false;
  while (!is_done && (a != first.end() || b != second.end())) {
    const bool takes_second =
        a == first.end() || (b != second.end() && is_used_before((*b)->period, (*a)->period));
    is_done = visit(takes_second ? *b : *a);
    if (takes_second) {
      b = next_paid_for(std::next(b));
    } else {
      ++a;
    }
  }
}

/// The rate of the longest prefix, then the first in the list, whose days and hours hold; null:
/// none.
std::shared_ptr<const Rate> rate_at(const OpenPeriod& open, std::string_view callee,
                                    std::int64_t at_us) {
  std::shared_ptr<const Rate> best;
  if (open.rates.empty()) return best;
  const Calendar& calendar = calendar_of(open.schedule);
  const LocalTime now = calendar.zone().local(at_us);
  for (std::size_t i = 0; i < open.rates.size(); ++i) {
    const PackageRate& rate = open.period.period_rates[i];
    if (!callee.starts_with(rate.prefix) ||
        (best != nullptr && rate.prefix.size() <= best->prefix.size()))
      continue;
    const auto day = day_of_hours(rate.from_s, rate.to_s, now);
    if (day && calendar.has(rate.days, *day)) best = open.rates[i];
  }
  return best;
}

/// All rates for a number in the order in which rate_at() would take them; null: none. REQUIRES:
/// the owner is locked.
const std::shared_ptr<const RateOverlays>& overlay_of(OpenPeriod& open, std::string_view callee) {
  static const std::shared_ptr<const RateOverlays> none;
  std::vector<const PackageRate*> rates;
  for (const PackageRate& rate : open.period.period_rates) {
    if (callee.starts_with(rate.prefix)) rates.push_back(&rate);
  }
  if (rates.empty()) return none;
  const auto longest =
      std::max_element(rates.begin(), rates.end(), [](const PackageRate* a, const PackageRate* b) {
        return a->prefix.size() < b->prefix.size();
      });
  std::shared_ptr<const RateOverlays>& made = open.overlays[(*longest)->prefix];
  if (made != nullptr) return made;
  std::stable_sort(rates.begin(), rates.end(), [](const PackageRate* a, const PackageRate* b) {
    return a->prefix.size() > b->prefix.size();
  });
  if (rates.size() > rate_windows_max) rates.resize(rate_windows_max);  // of a damaged period
  RateOverlay overlay;
  for (const PackageRate* const rate : rates)
    overlay.windows.push_back(window_of(*rate));
  overlay.schedule = open.schedule;
  made = std::make_shared<const RateOverlays>(RateOverlays{std::move(overlay)});
  return made;
}

}  // namespace
}  // namespace rating

using rating::OpenPeriod;
using rating::Owners;
using rating::OwnersLock;
using rating::PackageOwner;

// --- what a call lends ---

struct PackageHold::Body {
  /// One gift, or the money of one period.
  struct Slice {
    std::shared_ptr<OpenPeriod> period;
    std::int32_t gift = -1;
    std::int32_t cycle_s = 1;
    std::int64_t seconds = 0;
    Amount money;
    bool has_money = false;

    [[nodiscard]] PackagePeriod::Gift& terms() const {
      return period->period.gifts[static_cast<std::size_t>(gift)];
    }
    /// Whole cycles that may still be lent, in seconds.
    [[nodiscard]] std::int64_t left_s() const {
      const PackagePeriod::Gift& given = terms();
      return (given.terms.seconds - given.used_s - given.held_s) / cycle_s * cycle_s;
    }
    [[nodiscard]] Amount left_money() const {
      if (!has_money) return {};
      const PackagePeriod& p = period->period;
      return Amount::from_units(p.gift_money.units() - p.gift_money_used.units() -
                                p.gift_money_held.units());
    }
  };

  explicit Body(const Owners& of) noexcept : owners(of) {}

  const Owners owners;
  std::vector<Slice> slices;  // gifts in the order of use, then money; guarded by both owners
  std::int64_t covered_s = 0;
  Amount money;

  /// REQUIRES: the owners are locked.
  void give_back() noexcept {
    for (Slice& slice : slices) {
      if (slice.gift >= 0) slice.terms().held_s -= slice.seconds;
      PackagePeriod& period = slice.period->period;
      period.gift_money_held =
          Amount::from_units(period.gift_money_held.units() - slice.money.units());
      slice.seconds = 0;
      slice.money = {};
    }
  }
};

PackageHold::PackageHold() noexcept = default;
PackageHold::PackageHold(std::unique_ptr<Body> body) noexcept : body_(std::move(body)) {}
PackageHold::~PackageHold() { cancel(); }
PackageHold::PackageHold(PackageHold&& other) noexcept = default;
PackageHold& PackageHold::operator=(PackageHold&& other) noexcept {
  if (this != &other) {
    cancel();
    body_ = std::move(other.body_);
  }
  return *this;
}

std::int64_t PackageHold::cover(std::int64_t paid_s) noexcept {
  if (body_ == nullptr) return 0;
  const OwnersLock lock(body_->owners);
  for (Body::Slice& slice : body_->slices) {
    if (slice.gift < 0 || body_->covered_s >= paid_s) continue;
    const std::int64_t needed_s = paid_s - body_->covered_s;
    const std::int64_t cycles_s = (needed_s + slice.cycle_s - 1) / slice.cycle_s * slice.cycle_s;
    const std::int64_t lent_s = std::min(cycles_s, slice.left_s());
    slice.seconds += lent_s;
    slice.terms().held_s += lent_s;
    body_->covered_s += lent_s;
  }
  return body_->covered_s;
}

Amount PackageHold::raise_money(Amount total) noexcept {
  if (body_ == nullptr) return {};
  const OwnersLock lock(body_->owners);
  for (Body::Slice& slice : body_->slices) {
    if (slice.gift >= 0 || body_->money >= total) continue;
    const Amount needed = Amount::from_units(total.units() - body_->money.units());
    const Amount lent = std::min(needed, slice.left_money());
    PackagePeriod& period = slice.period->period;
    slice.money = Amount::from_units(slice.money.units() + lent.units());
    period.gift_money_held = Amount::from_units(period.gift_money_held.units() + lent.units());
    body_->money = Amount::from_units(body_->money.units() + lent.units());
  }
  return body_->money;
}

std::int64_t PackageHold::covered_s() const noexcept {
  return body_ == nullptr ? 0 : body_->covered_s;
}

Amount PackageHold::money() const noexcept { return body_ == nullptr ? Amount() : body_->money; }

std::int64_t PackageHold::available_s() const noexcept {
  if (body_ == nullptr) return 0;
  const OwnersLock lock(body_->owners);
  std::int64_t sum_s = body_->covered_s;
  for (const Body::Slice& slice : body_->slices) {
    if (slice.gift >= 0) sum_s += slice.left_s();
  }
  return std::min(sum_s, rated_time_max_s);
}

Amount PackageHold::available_money() const noexcept {
  if (body_ == nullptr) return {};
  const OwnersLock lock(body_->owners);
  Amount sum = body_->money;
  for (const Body::Slice& slice : body_->slices) {
    if (slice.gift < 0) sum = Amount::add(sum, slice.left_money()).value_or(account_amount_max);
  }
  return sum;
}

PackageLoan PackageHold::loan() const {
  PackageLoan loan;
  if (body_ == nullptr) return loan;
  for (const Body::Slice& slice : body_->slices) {
    if (slice.gift >= 0 && slice.seconds == 0) continue;
    loan.parts.push_back({slice.period->period.order, slice.period->period.start_us, slice.gift,
                          slice.cycle_s, slice.seconds, slice.money});
  }
  return loan;
}

PackageUse PackageHold::settle(PackageUse use, Amount spend) {
  if (body_ == nullptr) return use;
  const OwnersLock lock(body_->owners);
  body_->give_back();
  for (const PackageUse::Part& part : use.parts) {
    for (Body::Slice& slice : body_->slices) {
      PackagePeriod& period = slice.period->period;
      if (slice.gift != part.gift || period.start_us != part.period_start_us ||
          period.order != part.order)
        continue;
      if (slice.gift >= 0) slice.terms().used_s += part.seconds;
      period.gift_money_used =
          Amount::from_units(period.gift_money_used.units() + part.money.units());
    }
  }
  if (!spend.is_zero()) {
    rating::visit_open(body_->owners, [&](const std::shared_ptr<OpenPeriod>& open) {
      PackagePeriod& period = open->period;
      period.consumption = Amount::add(period.consumption, spend).value_or(account_amount_max);
      const auto same = std::find_if(use.parts.begin(), use.parts.end(), [&](const auto& part) {
        return part.gift < 0 && part.period_start_us == period.start_us &&
               part.order == period.order;
      });
      if (same != use.parts.end()) {
        same->spend = spend;
      } else {
        use.parts.push_back({period.order, period.start_us, -1, 0, {}, spend});
      }
      return false;
    });
  }
  body_.reset();
  return use;
}

void PackageHold::cancel() noexcept {
  if (body_ == nullptr) return;
  {
    const OwnersLock lock(body_->owners);
    body_->give_back();
  }
  body_.reset();
}

PackageHost::~PackageHost() = default;
void PackageHost::tell(const PackageNews&) {}

// --- orders ---

struct PackageBook::Body {
  struct Order {
    PackageOrder config;
    std::shared_ptr<const Package> package;
    MonthlyRules rules;  // of monthly rules only
    bool is_monthly = false;
    bool is_provisioned = false;
    bool is_accepted = false;
    bool tries_again = false;  // was waiting for money when the last run ended
    PackageOrderState state;
    std::shared_ptr<OpenPeriod> open;
    std::int64_t due_us = package_never_us;  // its place in `due`
    std::string waits_for;                   // account whose entry in `waiting` it has; "": none
  };

  std::mutex step_mutex;  // held for whole steps; guards all but `owners`
  std::map<std::string, std::shared_ptr<const Package>, std::less<>> packages;
  std::map<std::string, Order, std::less<>> orders;
  std::set<std::pair<std::int64_t, std::string>> due;
  std::map<std::string, std::set<std::string>, std::less<>> waiting;  // orders by account

  using OwnerMap = std::map<std::string, std::unique_ptr<PackageOwner>, std::less<>>;
  mutable std::shared_mutex owners_mutex;  // guards the next; owners are never removed
  OwnerMap accounts;
  OwnerMap phones;  // by number

  /// `phone`: "" for what belongs to the account.
  PackageOwner& owner(const std::string& account, const std::string& phone) {
    const std::unique_lock lock(owners_mutex);
    auto& place = phone.empty() ? accounts[account] : phones[phone];
    if (place == nullptr) place = std::make_unique<PackageOwner>();
    return *place;
  }
  PackageOwner& owner(const PackagePeriod& period) { return owner(period.account, period.phone); }

  /// The owner, and the account behind a phone: handles are made before periods open.
  PackageOwner& make_owners(const std::string& account, const std::string& phone) {
    owner(account, {});
    return owner(account, phone);
  }

  PackageOwner* find_owner(const OwnerMap& among, std::string_view id) const {
    const std::shared_lock lock(owners_mutex);
    const auto found = among.find(id);
    return found == among.end() ? nullptr : found->second.get();
  }

  /// `payer`: whose periods alone are wanted; null: all.
  static void append_periods(const PackageOwner& owner, const PackageOwner* payer,
                             std::vector<PackagePeriod>& periods) {
    const std::lock_guard lock(owner.mutex);
    for (const auto& open : owner.open) {
      if (payer == nullptr || open->payer == payer) periods.push_back(open->period);
    }
  }

  static std::int64_t due_of(const Order& order) noexcept {
    if (order.open != nullptr) return order.open->period.end_us;
    if (!order.is_accepted) return order.is_provisioned ? INT64_MIN : package_never_us;
    switch (order.state.phase) {
      case PackagePhase::accepted:
      case PackagePhase::awaits_period:
        return order.state.next_us;
      case PackagePhase::awaits_recharge:
        return order.tries_again ? INT64_MIN : package_never_us;
      case PackagePhase::open:
      case PackagePhase::ended:
        break;
    }
    return package_never_us;
  }

  /// After each change of an order: where it waits.
  void place(Order& order) {
    const std::string& id = order.state.order;
    if (order.due_us != package_never_us) due.erase({order.due_us, id});
    order.due_us = due_of(order);
    if (order.due_us != package_never_us) due.emplace(order.due_us, id);
    const bool waits = order.is_accepted && order.state.phase == PackagePhase::awaits_recharge;
    // By the account it waited for, which a change of the order may have replaced.
    if (const auto found = waiting.find(order.waits_for); found != waiting.end()) {
      found->second.erase(id);
      if (found->second.empty()) waiting.erase(found);
    }
    order.waits_for.clear();
    if (!waits) return;
    order.waits_for = order.config.account;
    waiting[order.waits_for].insert(id);
  }

  static const TimeZone& zone_of(const Order& order) noexcept {
    return rating::calendar_of(order.package->schedule).zone();
  }

  /// Keeps `next` as the state of the order, then takes it over.
  Result<void> keep(Order& order, PackageHost& host, const PackageOrderState& next,
                    std::optional<PackagePeriod> period, bool is_closed) {
    if (auto kept = host.keep({next, std::move(period), is_closed}); !kept) return kept;
    order.state = next;
    order.is_accepted = true;
    order.tries_again = false;
    return {};
  }

  Result<void> accept(Order& order, std::int64_t now_us, PackageHost& host) {
    const TimeZone& zone = zone_of(order);
    const PackageOrder& config = order.config;
    PackageOrderState next;
    next.order = order.state.order;
    next.first_day = config.available_day ? *config.available_day
                                          : zone.local(config.available_us.value_or(now_us)).day;
    next.next_us = std::max(now_us, rating::midnight_us(zone, next.first_day));
    return keep(order, host, next, std::nullopt, false);
  }

  Result<void> end(Order& order, std::int64_t at_us, PackageHost& host) {
    PackageOrderState next = order.state;
    next.phase = PackagePhase::ended;
    if (auto kept = keep(order, host, next, std::nullopt, false); !kept) return kept;
    host.tell({PackageNews::Kind::ended,
               next.order,
               order.config.package,
               order.config.account,
               order.config.phone,
               at_us,
               {}});
    return {};
  }

  PackageDue due_money(const Order& order, PackageDue::Kind kind, std::int64_t start_us,
                       Amount amount, std::int64_t at_us) const {
    const bool is_rent = kind == PackageDue::Kind::rent;
    const bool is_once = is_rent && order.package->rent_type == RentType::once;
    PackageDue wanted;
    wanted.kind = kind;
    wanted.must_be_covered = is_rent && !order.is_monthly;
    // A one-off period begins when it can be paid, and there is only one rent of it.
    wanted.key = order.state.order + '/' + (is_once ? "once" : std::to_string(start_us)) +
                 (is_rent ? "/rent" : "/shortfall");
    wanted.account = order.config.account;
    wanted.phone = order.config.phone;
    wanted.order = order.state.order;
    wanted.package = order.config.package;
    wanted.period_start_us = start_us;
    wanted.amount = amount;
    wanted.at_us = at_us;
    return wanted;
  }

  Result<void> close(Order& order, PackageHost& host) {
    PackageOwner& owner = this->owner(order.open->period);
    PackagePeriod period;
    {
      const std::lock_guard lock(owner.mutex);
      period = order.open->period;
    }
    Amount shortfall;
    if (period.consumption < period.min_consumption) {
      shortfall = Amount::from_units(period.min_consumption.units() - period.consumption.units());
      PackageDue wanted =
          due_money(order, PackageDue::Kind::shortfall, period.start_us, shortfall, period.end_us);
      wanted.account = period.account;
      wanted.phone = period.phone;
      wanted.package = period.package;
      if (auto taken = host.take(wanted); !taken) return taken.error();
    }
    PackageOrderState next = order.state;
    next.next_us = period.end_us;
    const bool is_over = !order.is_provisioned || order.package->rent_type == RentType::once ||
                         order.config.expire_us <= period.end_us;
    next.phase = is_over ? PackagePhase::ended : PackagePhase::accepted;
    if (auto kept = keep(order, host, next, period, true); !kept) return kept;
    leave(order);
    host.tell({PackageNews::Kind::closed, period.order, period.package, period.account,
               period.phone, period.end_us, shortfall});
    if (is_over)
      host.tell({PackageNews::Kind::ended,
                 period.order,
                 period.package,
                 period.account,
                 period.phone,
                 period.end_us,
                 {}});
    return {};
  }

  /// What a period that opens at `at_us` gives and costs.
  PackagePeriod terms_at(const Order& order, std::int64_t at_us) const {
    const Package& package = *order.package;
    PackageSpan span = package_span(package, order.state.first_day, at_us);
    if (package.rent_type == RentType::once && order.config.expire_us != package_never_us)
      span.end_us = order.config.expire_us;
    const bool is_first = !order.state.has_had_period;
    std::int64_t days = std::max<std::int64_t>(1, span.days);
    const std::int64_t whole_days = days;
    if (package.nonholonomic_order && is_first && span.days > 0) {
      const TimeZone& zone = zone_of(order);
      days = std::min(days, zone.local(span.end_us).day - zone.local(at_us).day);
    }
    PackagePeriod period;
    period.order = order.state.order;
    period.package = order.config.package;
    period.account = order.config.account;
    period.phone = order.config.phone;
    // Behind a period of another length or zone the next one begins where that ended.
    const bool follows = order.state.phase == PackagePhase::accepted && order.state.has_had_period;
    period.start_us = follows ? std::max(span.start_us, at_us) : span.start_us;
    period.end_us = span.end_us;
    period.priority = order.config.priority;
    period.schedule = package.schedule.to_string();
    if (order.is_monthly) {
      period.max_consumption = order.rules.maximum;
      if (!is_first) {
        period.rent = order.rules.rent;
        period.min_consumption = order.rules.minimum;
      }
      return period;
    }
    period.rent = rating::share_of(package.rent_fee, order.config.rent_percent, days, whole_days);
    period.min_consumption = package.min_consumption;
    period.lower_consumption = package.lower_consumption;
    period.gift_money = rating::share_of(package.gift_money, 100, days, whole_days);
    for (const PackageGift& gift : package.gift_times) {
      period.gifts.push_back({gift, 0, 0});
      period.gifts.back().terms.seconds = gift.seconds * days / whole_days;
    }
    period.period_rates = package.period_rates;
    return period;
  }

  Result<void> try_open(Order& order, std::int64_t at_us, PackageHost& host) {
    if (!order.is_provisioned || order.config.expire_us <= at_us) return end(order, at_us, host);
    PackagePeriod period = terms_at(order, at_us);
    if (!period.rent.is_zero()) {
      const auto taken =
          host.take(due_money(order, PackageDue::Kind::rent, period.start_us, period.rent, at_us));
      if (!taken) return taken.error();
      if (!*taken) return fail_rent(order, period, at_us, host);
    }
    PackageOrderState next = order.state;
    next.phase = PackagePhase::open;
    next.has_had_period = true;
    if (auto kept = keep(order, host, next, period, false); !kept) return kept;
    host.tell({PackageNews::Kind::opened, period.order, period.package, period.account,
               period.phone, at_us, period.rent});
    enter(order, rating::open_period(std::move(period), order.package->schedule));
    return {};
  }

  Result<void> fail_rent(Order& order, const PackagePeriod& period, std::int64_t at_us,
                         PackageHost& host) {
    const PackageNews news{PackageNews::Kind::rent_failed,
                           period.order,
                           period.package,
                           period.account,
                           period.phone,
                           at_us,
                           period.rent};
    PackageOrderState next = order.state;
    switch (order.config.failed_process_mode) {
      case RentFailure::await_recharge:
        order.tries_again = false;
        if (next.phase == PackagePhase::awaits_recharge) return {};
        next.phase = PackagePhase::awaits_recharge;
        break;
      case RentFailure::await_period:
        next.phase = PackagePhase::awaits_period;
        next.next_us = period.end_us;
        break;
      case RentFailure::end_order:
        host.tell(news);
        return end(order, at_us, host);
    }
    if (auto kept = keep(order, host, next, std::nullopt, false); !kept) return kept;
    host.tell(news);
    return {};
  }

  void enter(Order& order, std::shared_ptr<OpenPeriod> open) {
    order.open = open;
    PackageOwner& owner = this->owner(open->period);
    PackageOwner& payer = this->owner(open->period.account, {});
    open->payer = &payer;
    if (&payer != &owner) {
      const std::lock_guard lock(payer.mutex);
      payer.phones.emplace(open->period.phone, &owner);
    }
    const std::lock_guard lock(owner.mutex);
    const auto place = std::find_if(owner.open.begin(), owner.open.end(), [&](const auto& other) {
      return rating::is_used_before(open->period, other->period);
    });
    owner.open.insert(place, std::move(open));
  }

  /// The contrary of enter().
  void leave(Order& order) {
    const std::shared_ptr<OpenPeriod> open = std::exchange(order.open, nullptr);
    PackageOwner& owner = this->owner(open->period);
    PackageOwner& payer = this->owner(open->period.account, {});
    bool pays_for_more = false;
    {
      const std::lock_guard lock(owner.mutex);
      std::erase(owner.open, open);
      pays_for_more = std::any_of(owner.open.begin(), owner.open.end(),
                                  [&](const auto& other) { return other->payer == &payer; });
    }
    if (&payer == &owner || pays_for_more) return;
    const std::lock_guard lock(payer.mutex);
    payer.phones.erase(open->period.phone);
  }

  /// One step that is due at `now_us` or before.
  Result<void> step(Order& order, std::int64_t now_us, PackageHost& host) {
    if (!order.is_accepted) return accept(order, now_us, host);
    if (order.open != nullptr) return close(order, host);
    return try_open(order, order.tries_again ? now_us : order.state.next_us, host);
  }

  Order& order(const std::string& id) {
    Order& order = orders[id];
    order.state.order = id;
    return order;
  }
};

PackageBook::PackageBook() : body_(std::make_unique<Body>()) {}
PackageBook::~PackageBook() = default;

Result<void> PackageBook::provision(std::vector<Package> packages, std::vector<PackageOrder> orders,
                                    std::vector<AccountMonthlyRules> monthly) {
  const std::lock_guard lock(body_->step_mutex);
  std::map<std::string, std::shared_ptr<const Package>, std::less<>> known;
  for (Package& package : packages) {
    if (auto checked = check_package(package); !checked) {
      return Error{checked.error().code,
                   "package \"" + package.id + "\": " + checked.error().message};
    }
    const std::string id = package.id;
    if (!known.emplace(id, std::make_shared<const Package>(std::move(package))).second)
      return Error{ErrorCode::already_exists, "package \"" + id + "\" was there twice"};
  }
  if (orders.size() + monthly.size() > orders_max)
    return Error{ErrorCode::limit, std::to_string(orders.size()) + " orders were too many"};
  std::set<std::string_view> ids;
  for (const PackageOrder& order : orders) {
    const auto package = known.find(order.package);
    if (package == known.end()) {
      return Error{ErrorCode::not_found,
                   "package \"" + order.package + "\" of order \"" + order.id + "\" was not there"};
    }
    if (auto checked = check_package_order(order, *package->second); !checked) {
      return Error{checked.error().code,
                   "package order \"" + order.id + "\": " + checked.error().message};
    }
    if (!ids.insert(order.id).second)
      return Error{ErrorCode::already_exists, "package order \"" + order.id + "\" was there twice"};
  }
  for (const AccountMonthlyRules& rules : monthly) {
    PackageOrder order;
    order.id = "monthly";
    order.account = rules.account;
    order.phone = rules.phone;
    if (auto checked = check_package_order(order, Package()); !checked) {
      return Error{checked.error().code, "monthly rules: " + checked.error().message};
    }
  }

  for (auto& [id, order] : body_->orders)
    order.is_provisioned = false;
  for (PackageOrder& config : orders) {
    Body::Order& order = body_->order(config.id);
    order.package = known.find(config.package)->second;
    // The account that pays from now on may have the money that the other did not have.
    if (order.state.phase == PackagePhase::awaits_recharge &&
        order.config.account != config.account)
      order.tries_again = true;
    order.config = std::move(config);
    order.is_provisioned = true;
    body_->make_owners(order.config.account, order.config.phone);
  }
  for (AccountMonthlyRules& rules : monthly) {
    if (rules.rules.are_none()) continue;
    Body::Order& order =
        body_->order(rules.phone.empty() ? monthly_order_id(rules.account)
                                         : monthly_order_id_of_phone(rules.phone, rules.account));
    Package month;
    month.nonholonomic_order = true;  // months of the calendar
    month.schedule = std::move(rules.schedule);
    order.package = std::make_shared<const Package>(std::move(month));
    order.config.id = order.state.order;
    order.config.account = rules.account;
    order.config.phone = rules.phone;
    order.rules = rules.rules;
    order.is_monthly = order.is_provisioned = true;
    // Rules that were taken away and come back begin anew.
    if (order.state.phase == PackagePhase::ended) {
      order.is_accepted = false;
      order.state = {};
      order.state.order = order.config.id;
    }
    PackageOwner& owner = body_->make_owners(rules.account, rules.phone);
    if (order.open != nullptr) {
      const std::lock_guard owner_lock(owner.mutex);
      order.open->period.max_consumption = order.rules.maximum;
    }
  }
  body_->packages = std::move(known);
  for (auto& [id, order] : body_->orders) {  // rules that were taken away limit nothing any more
    if (order.is_provisioned || order.open == nullptr || !order.open->period.package.empty())
      continue;
    PackageOwner& owner = body_->owner(order.open->period);
    const std::lock_guard owner_lock(owner.mutex);
    order.open->period.max_consumption = {};
  }
  for (auto place = body_->orders.begin(); place != body_->orders.end();) {
    Body::Order& order = place->second;
    body_->place(order);
    const bool is_unknown = !order.is_provisioned && !order.is_accepted;  // never came to anything
    place = is_unknown ? body_->orders.erase(place) : std::next(place);
  }
  return {};
}

Result<void> PackageBook::restore(const PackageChange& change, const PackageUse& used) {
  const std::lock_guard lock(body_->step_mutex);
  Body::Order& order = body_->order(change.order.order);
  order.state = change.order;
  order.is_accepted = true;
  order.tries_again = change.order.phase == PackagePhase::awaits_recharge;
  if (change.order.phase == PackagePhase::open) {
    if (!change.period || change.is_closed)
      return Error{ErrorCode::corrupt,
                   "open period of package order \"" + change.order.order + "\" was not kept"};
    auto schedule = RateSchedule::parse(change.period->schedule);
    if (!schedule) return schedule.error();
    PackagePeriod period = *change.period;
    for (const PackageUse::Part& part : used.parts) {
      if (part.order != period.order || part.period_start_us != period.start_us) continue;
      if (part.gift >= 0 && static_cast<std::size_t>(part.gift) < period.gifts.size())
        period.gifts[static_cast<std::size_t>(part.gift)].used_s += part.seconds;
      period.gift_money_used =
          Amount::add(period.gift_money_used, part.money).value_or(account_amount_max);
      period.consumption = Amount::add(period.consumption, part.spend).value_or(account_amount_max);
    }
    if (order.package == nullptr) {  // not ordered any more: only its end is to come
      Package nothing;
      nothing.schedule = *schedule;
      order.package = std::make_shared<const Package>(std::move(nothing));
      order.config.account = period.account;
      order.config.phone = period.phone;
      order.config.package = period.package;
    }
    if (period.package.empty())
      period.max_consumption = order.is_monthly ? order.rules.maximum : Amount();
    body_->enter(order, rating::open_period(std::move(period), std::move(*schedule)));
  }
  if (order.is_monthly && order.state.phase == PackagePhase::ended) {
    order.is_accepted = false;
    order.state = {};
    order.state.order = order.config.id;
  }
  body_->place(order);
  return {};
}

Result<std::int64_t> PackageBook::advance(std::int64_t now_us, PackageHost& host) {
  const std::lock_guard lock(body_->step_mutex);
  std::optional<Error> failure;
  std::vector<std::string> failed;  // they are tried again by the next call
  for (std::size_t steps = 0; steps < steps_max && !body_->due.empty(); ++steps) {
    const auto& [due_us, id] = *body_->due.begin();
    if (due_us > now_us) break;
    Body::Order& order = body_->orders.find(id)->second;
    const auto done = body_->step(order, now_us, host);
    if (done) {
      body_->place(order);
      continue;
    }
    if (!failure) failure = done.error();
    failed.push_back(id);
    body_->due.erase(body_->due.begin());
    order.due_us = package_never_us;
    if (done.error().code == ErrorCode::io) break;  // the others would fail like it
  }
  for (const std::string& id : failed)
    body_->place(body_->orders.find(id)->second);
  if (failure) return *failure;
  return body_->due.empty() ? package_never_us : std::max(body_->due.begin()->first, now_us);
}

Result<void> PackageBook::recharge(std::string_view account, std::int64_t now_us,
                                   PackageHost& host) {
  const std::lock_guard lock(body_->step_mutex);
  const auto found = body_->waiting.find(account);
  if (found == body_->waiting.end()) return {};
  Result<void> result;
  for (const std::string& id : std::set<std::string>(found->second)) {
    Body::Order& order = body_->orders.find(id)->second;
    if (order.state.phase != PackagePhase::awaits_recharge) continue;
    const auto done = body_->try_open(order, now_us, host);
    order.tries_again = !done;  // the money may be taken already: the next advance() goes on
    body_->place(order);
    if (!done && result) result = done;
  }
  return result;
}

PackageHandle PackageBook::find(std::string_view account, std::string_view phone) const {
  return PackageHandle(body_->find_owner(body_->accounts, account),
                       phone.empty() ? nullptr : body_->find_owner(body_->phones, phone));
}

PackageHold PackageBook::open_call(PackageHandle handle, std::string_view callee,
                                   std::int64_t at_us) const {
  if (!handle) return {};
  const Owners owners{handle.account_, handle.phone_};
  auto body = std::make_unique<PackageHold::Body>(owners);
  const OwnersLock lock(owners);
  rating::visit_open(owners, [&](const std::shared_ptr<OpenPeriod>& open) {
    const PackagePeriod& period = open->period;
    if (period.gifts.empty() || !rating::has_gifts(period)) return false;
    const LocalTime now = rating::calendar_of(open->schedule).zone().local(at_us);
    std::vector<std::pair<int, std::int32_t>> matches;  // longer prefixes first
    for (std::size_t i = 0; i < period.gifts.size(); ++i) {
      const PackageGift& gift = period.gifts[i].terms;
      const int length = rating::match_length(gift.prefixes, callee);
      if (length >= 0 && day_of_hours(gift.from_s, gift.to_s, now))
        matches.emplace_back(-length, static_cast<std::int32_t>(i));
    }
    std::sort(matches.begin(), matches.end());
    for (const auto& [length, gift] : matches) {
      const std::int32_t cycle_s = period.gifts[static_cast<std::size_t>(gift)].terms.cycle_s;
      body->slices.push_back({open, gift, cycle_s, 0, {}, false});
    }
    return false;
  });
  rating::visit_open(owners, [&](const std::shared_ptr<OpenPeriod>& open) {
    body->slices.push_back({open, -1, 1, 0, {}, rating::has_gifts(open->period)});
    return false;
  });
  return PackageHold(std::move(body));
}

std::shared_ptr<const Rate> PackageBook::rate(PackageHandle handle, std::string_view callee,
                                              std::int64_t at_us) const {
  return prices(handle, callee, at_us).rate;
}

PackagePrices PackageBook::prices(PackageHandle handle, std::string_view callee,
                                  std::int64_t at_us) const {
  PackagePrices prices;
  if (!handle) return prices;
  const Owners owners{handle.account_, handle.phone_};
  const OwnersLock lock(owners);
  bool is_of_whole_call = false;
  std::shared_ptr<const RateOverlays> first;  // shared by all calls to numbers like this
  RateOverlays several;                       // of the rare ones that have more periods
  std::size_t count = 0;
  rating::visit_open(owners, [&](const std::shared_ptr<OpenPeriod>& open) {
    const bool is_split = open->schedule.is_split();
    if (prices.rate == nullptr) {
      prices.rate = rating::rate_at(*open, callee, at_us);
      is_of_whole_call = prices.rate != nullptr && !is_split;
    }
    if (is_of_whole_call) return true;
    if (!is_split || count == rate_overlays_max) return false;
    const std::shared_ptr<const RateOverlays>& found = rating::overlay_of(*open, callee);
    if (found == nullptr) return false;
    if (++count == 1) {
      first = found;
      return false;
    }
    if (count == 2) several = *first;
    several.insert(several.end(), found->begin(), found->end());
    return false;
  });
  if (!is_of_whole_call) {
    prices.overlays =
        count < 2 ? std::move(first) : std::make_shared<const RateOverlays>(std::move(several));
  }
  return prices;
}

const Rate* PackagePrices::choose(const Rate* tariff, CallStart& start) const {
  if (tariff == nullptr || overlays == nullptr) return rate != nullptr ? rate.get() : tariff;
  // Sums of both without a common denominator cannot be exact: then the price of the start holds.
  if (!rating::has_exact_sums(*tariff, overlays.get()))
    return rate != nullptr ? rate.get() : tariff;
  start.overlays = overlays;
  return tariff;
}

bool PackageBook::is_exhausted(PackageHandle handle) const noexcept {
  const Owners owners{handle.account_, handle.phone_};
  const OwnersLock lock(owners);
  bool is_exhausted = false;
  rating::visit_open(owners, [&](const std::shared_ptr<OpenPeriod>& open) {
    const PackagePeriod& period = open->period;
    is_exhausted =
        !period.max_consumption.is_zero() && period.consumption >= period.max_consumption;
    return is_exhausted;
  });
  return is_exhausted;
}

std::vector<PackagePeriod> PackageBook::current(std::string_view account) const {
  std::vector<PackagePeriod> periods;
  const PackageOwner* const payer = body_->find_owner(body_->accounts, account);
  if (payer == nullptr) return periods;
  Body::append_periods(*payer, nullptr, periods);
  std::vector<const PackageOwner*> phones;
  {
    const std::lock_guard lock(payer->mutex);
    for (const auto& [number, phone] : payer->phones)
      phones.push_back(phone);
  }
  for (const PackageOwner* const phone : phones)
    Body::append_periods(*phone, payer, periods);
  return periods;
}

std::vector<PackagePeriod> PackageBook::current_of_phone(std::string_view number) const {
  std::vector<PackagePeriod> periods;
  if (const PackageOwner* const phone = body_->find_owner(body_->phones, number))
    Body::append_periods(*phone, nullptr, periods);
  return periods;
}

std::vector<PackageOrderState> PackageBook::orders() const {
  const std::lock_guard lock(body_->step_mutex);
  std::vector<PackageOrderState> states;
  for (const auto& [id, order] : body_->orders) {
    if (order.is_accepted) states.push_back(order.state);
  }
  return states;
}

}  // namespace tandem
