#include "tandem/accounts.hpp"

#include <algorithm>
#include <atomic>
#include <cassert>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <utility>

#include "rating/limit_set.hpp"

namespace tandem {
namespace rating {

/// The numbers of an account, on a cache line of their own.
///
/// Invariant whenever no operation is half done: free = balance + limit - held, where held is the
/// sum of the open holds. `free` alone decides whether a call may take money; held is not kept, but
/// follows from the others. Relaxed order is enough: nothing else is published through these
/// numbers.
struct alignas(64) Account {
  std::atomic<std::int64_t> free_units{0};
  std::atomic<std::int64_t> balance_units{0};
  std::atomic<std::int64_t> limit_units{0};
  std::atomic<std::int64_t> open_holds{0};
  std::atomic<std::uint64_t> refused_calls{0};
  std::atomic<std::int64_t> valid_until_us{0};
  std::atomic<bool> locked{false};

  AccountSettings settings;  // guarded by AccountBook::Body::mutex
  /// Null: it never had limits. Made under that mutex, read without it, and stays.
  std::atomic<LimitSet*> limits{nullptr};
  std::unique_ptr<LimitSet> own_limits;

  LimitSet& need_limits(LimitNewsBoard& news, const std::string& id) {
    if (own_limits == nullptr) {
      own_limits = std::make_unique<LimitSet>(id, news);
      limits.store(own_limits.get(), std::memory_order_release);
    }
    return *own_limits;
  }

  bool take(std::int64_t units) noexcept {
    std::int64_t free = free_units.load(std::memory_order_relaxed);
    do {
      if (free < units) return false;
    } while (!free_units.compare_exchange_weak(free, free - units, std::memory_order_relaxed));
    return true;
  }

  /// Adds to balance and free alike; nothing when the balance would leave its range.
  std::optional<Amount> post(Amount amount) noexcept {
    std::int64_t balance = balance_units.load(std::memory_order_relaxed);
    Amount sum;
    do {
      const auto added = Amount::add(Amount::from_units(balance), amount);
      if (!added || *added > account_amount_max ||
          *added < Amount::from_units(-account_amount_max.units()))
        return std::nullopt;
      sum = *added;
    } while (!balance_units.compare_exchange_weak(balance, sum.units(), std::memory_order_relaxed));
    free_units.fetch_add(amount.units(), std::memory_order_relaxed);
    return sum;
  }
};

namespace {

bool is_in_range(Amount amount) noexcept {
  return amount <= account_amount_max && amount.units() >= -account_amount_max.units();
}

Result<void> check_settings(const AccountSettings& settings) {
  if (settings.id.empty() || settings.id.size() > 64)
    return Error{ErrorCode::invalid_argument,
                 "account id was " + std::to_string(settings.id.size()) + " bytes long, not 1..64"};
  if (settings.overdraft_limit.is_negative() || settings.overdraft_limit > account_amount_max)
    return Error{ErrorCode::invalid_argument,
                 "overdraft_limit " + settings.overdraft_limit.to_string() + " was not in 0.." +
                     account_amount_max.to_string()};
  if (settings.valid_until_us < 0)
    return Error{ErrorCode::invalid_argument,
                 "valid_until " + std::to_string(settings.valid_until_us) + " was before 1970"};
  if (settings.kind == AccountKind::card &&
      (!settings.overdraft_limit.is_zero() || !settings.is_balance_verified))
    return Error{
        ErrorCode::invalid_argument,
        "card \"" + settings.id + "\" had an overdraft limit, or its balance did not count"};
  if (auto limits = check_account_limits(settings.limits); !limits) return limits;
  FeeRules rules;
  rules.tax_percent = settings.tax_percent;
  return check_fee_rules(rules);
}

Error no_account(std::string_view id) {
  return {ErrorCode::not_found, "account \"" + std::string(id) + "\" was not there"};
}

}  // namespace
}  // namespace rating

using rating::Account;

const char* account_kind_name(AccountKind kind) noexcept {
  switch (kind) {
    case AccountKind::customer:
      return "customer";
    case AccountKind::clearing:
      return "clearing";
    case AccountKind::agent:
      return "agent";
    case AccountKind::card:
      return "card";
  }
  return "";
}

Result<AccountKind> account_kind_from_name(std::string_view name) {
  for (const AccountKind kind :
       {AccountKind::customer, AccountKind::clearing, AccountKind::agent, AccountKind::card}) {
    if (name == account_kind_name(kind)) return kind;
  }
  return Error{ErrorCode::invalid_argument, "account kind \"" + std::string(name.substr(0, 40)) +
                                                "\" was not customer, clearing, agent or card"};
}

std::optional<Amount> largest_overdraft(const AccountState& state) {
  if (state.settings.kind == AccountKind::clearing || !state.settings.is_balance_verified)
    return std::nullopt;
  // Each of the three is within account_amount_max, so that the sum is one of 64 bits.
  const std::int64_t free =
      state.balance.units() + state.settings.overdraft_limit.units() - state.held.units();
  return Amount::from_units(free < 0 ? -free : 0);
}

MoneyHold::MoneyHold(MoneyHold&& other) noexcept
    : account_(std::exchange(other.account_, nullptr)),
      held_(std::exchange(other.held_, Amount{})) {}

MoneyHold& MoneyHold::operator=(MoneyHold&& other) noexcept {
  if (this != &other) {
    cancel();
    account_ = std::exchange(other.account_, nullptr);
    held_ = std::exchange(other.held_, Amount{});
  }
  return *this;
}

Amount MoneyHold::reachable() const noexcept {
  if (!account_) return held_;
  const auto free = Amount::from_units(
      std::max<std::int64_t>(0, account_->free_units.load(std::memory_order_relaxed)));
  return Amount::add(held_, free).value_or(Amount::from_units(INT64_MAX));
}

bool MoneyHold::renew(Amount total) noexcept {
  if (!account_) return false;
  if (total <= held_) return true;
  if (!account_->take(total.units() - held_.units())) return false;
  held_ = total;
  return true;
}

Amount MoneyHold::settle(Amount charge) noexcept {
  if (!account_) return {};
  assert(!charge.is_negative());
  if (charge.is_negative()) charge = {};
  if (!renew(charge)) charge = held_;
  account_->balance_units.fetch_sub(charge.units(), std::memory_order_relaxed);
  if (held_ != charge)
    account_->free_units.fetch_add(held_.units() - charge.units(), std::memory_order_relaxed);
  account_->open_holds.fetch_sub(1, std::memory_order_relaxed);
  account_ = nullptr;
  held_ = {};
  return charge;
}

void MoneyHold::cancel() noexcept {
  (void)settle({});
}  // nothing is charged, so nothing is returned

struct AccountBook::Body {
  rating::LimitNewsBoard limit_news;  // before the accounts, which refer to it
  // Guards `accounts`, the settings of each and `limit_uses`; never taken with a handle alone.
  mutable std::shared_mutex mutex;
  std::map<std::string, std::unique_ptr<Account>, std::less<>> accounts;
  std::map<std::string, std::vector<LimitUse>> limit_uses;  // of accounts that are not there

  static AccountState state_of(const Account& account) {
    AccountState state;
    state.settings = account.settings;
    state.balance = Amount::from_units(account.balance_units.load(std::memory_order_relaxed));
    // From what is free, so that balance, limit and held together never say less than that. Beside
    // a deduction that is half done it can be too little.
    const std::int64_t held_units = state.balance.units() +
                                    account.limit_units.load(std::memory_order_relaxed) -
                                    account.free_units.load(std::memory_order_relaxed);
    state.held = Amount::from_units(std::max<std::int64_t>(held_units, 0));
    state.open_holds = account.open_holds.load(std::memory_order_relaxed);
    state.refused_calls = account.refused_calls.load(std::memory_order_relaxed);
    return state;
  }
};

AccountBook::AccountBook() : body_(std::make_unique<Body>()) {}
AccountBook::~AccountBook() = default;

Result<AccountHandle> AccountBook::provision(const AccountSettings& settings,
                                             Amount opening_balance) {
  if (auto checked = rating::check_settings(settings); !checked) return std::move(checked).error();
  if (!rating::is_in_range(opening_balance))
    return Error{ErrorCode::invalid_argument, "balance " + opening_balance.to_string() +
                                                  " was beyond " + account_amount_max.to_string()};
  const std::unique_lock lock(body_->mutex);
  auto place = body_->accounts.find(settings.id);
  if (place == body_->accounts.end()) {
    if (body_->accounts.size() >= accounts_max)
      return Error{ErrorCode::limit,
                   "book was full with " + std::to_string(accounts_max) + " accounts"};
    auto account = std::make_unique<Account>();
    account->balance_units = opening_balance.units();
    account->free_units = opening_balance.units();
    place = body_->accounts.emplace(settings.id, std::move(account)).first;
  } else if (place->second->settings.currency != settings.currency) {
    return Error{ErrorCode::invalid_argument, "currency of account \"" + settings.id + "\" was \"" +
                                                  place->second->settings.currency +
                                                  "\" and cannot become \"" + settings.currency +
                                                  '"'};
  }
  Account& account = *place->second;
  if (const auto uses = body_->limit_uses.extract(settings.id); !uses.empty()) {
    for (const LimitUse& use : uses.mapped())
      account.need_limits(body_->limit_news, settings.id).restore(use);
  }
  if (!settings.limits.empty() || account.own_limits != nullptr) {
    auto limited = account.need_limits(body_->limit_news, settings.id).provision(settings.limits);
    if (!limited) return std::move(limited).error();
  }
  account.settings = settings;
  account.locked.store(settings.locked, std::memory_order_relaxed);
  account.valid_until_us.store(settings.valid_until_us, std::memory_order_relaxed);
  const std::int64_t limit =
      settings.is_balance_verified ? settings.overdraft_limit.units() : account_amount_max.units();
  const std::int64_t before = account.limit_units.exchange(limit, std::memory_order_relaxed);
  account.free_units.fetch_add(limit - before, std::memory_order_relaxed);
  return AccountHandle(&account);
}

AccountHandle AccountBook::find(std::string_view id) const {
  const std::shared_lock lock(body_->mutex);
  const auto place = body_->accounts.find(id);
  return place == body_->accounts.end() ? AccountHandle{} : AccountHandle(place->second.get());
}

Result<void> AccountBook::restore(std::string_view id, Amount balance) {
  if (!rating::is_in_range(balance))
    return Error{ErrorCode::invalid_argument, "balance " + balance.to_string() + " was beyond " +
                                                  account_amount_max.to_string()};
  const AccountHandle handle = find(id);
  if (!handle) return rating::no_account(id);
  Account& account = *handle.account_;
  const std::int64_t before =
      account.balance_units.exchange(balance.units(), std::memory_order_relaxed);
  account.free_units.fetch_add(balance.units() - before, std::memory_order_relaxed);
  return {};
}

Reason AccountBook::check(AccountHandle handle, std::int64_t now_us) const noexcept {
  if (!handle) return Reason::AccountNotExist;
  const Account& account = *handle.account_;
  if (account.locked.load(std::memory_order_relaxed)) return Reason::AccountLocked;
  const std::int64_t until_us = account.valid_until_us.load(std::memory_order_relaxed);
  if (until_us != 0 && now_us >= until_us) return Reason::AccountExpired;
  return Reason::none;
}

CallAdmission AccountBook::open_call(AccountHandle handle, Amount first_hold, std::int64_t now_us,
                                     bool has_gift) noexcept {
  CallAdmission admission;
  admission.reason = check(handle, now_us);
  if (!handle) return admission;
  Account& account = *handle.account_;
  if (admission.reason == Reason::none) {
    // Without any money even a call that costs nothing is refused (B-02); what other calls hold
    // does not count there.
    const std::int64_t usable = account.balance_units.load(std::memory_order_relaxed) +
                                account.limit_units.load(std::memory_order_relaxed);
    const bool needs_money = !has_gift || !first_hold.is_zero();
    if (needs_money && ((usable <= 0 && !has_gift) || first_hold.is_negative() ||
                        !account.take(first_hold.units())))
      admission.reason = Reason::AccountBalanceNotEnough;
  }
  if (admission.reason != Reason::none) {
    account.refused_calls.fetch_add(1, std::memory_order_relaxed);
    return admission;
  }
  account.open_holds.fetch_add(1, std::memory_order_relaxed);
  admission.hold = MoneyHold(&account, first_hold);
  return admission;
}

bool AccountBook::open_limits(AccountHandle handle, std::string_view callee, Amount charge,
                              std::int64_t talk_s, std::int64_t at_us, LimitHold& out) {
  rating::LimitSet* const limits =
      handle ? handle.account_->limits.load(std::memory_order_acquire) : nullptr;
  return limits == nullptr || limits->open(callee, charge, talk_s, at_us, out);
}

bool AccountBook::has_limits_for(AccountHandle handle, std::string_view callee, Amount charge,
                                 std::int64_t talk_s, std::int64_t at_us) const {
  rating::LimitSet* const limits =
      handle ? handle.account_->limits.load(std::memory_order_acquire) : nullptr;
  return limits == nullptr || limits->grants(callee, charge, talk_s, at_us);
}

std::vector<LimitState> AccountBook::limits(AccountHandle handle, std::int64_t at_us) const {
  rating::LimitSet* const limits =
      handle ? handle.account_->limits.load(std::memory_order_acquire) : nullptr;
  return limits == nullptr ? std::vector<LimitState>() : limits->states(at_us);
}

Result<void> AccountBook::restore_limit(const LimitUse& use) {
  const std::unique_lock lock(body_->mutex);
  if (auto checked = rating::LimitSet::check(use); !checked) return checked;
  const auto place = body_->accounts.find(use.account);
  if (place == body_->accounts.end()) {
    body_->limit_uses[use.account].push_back(use);
  } else {
    place->second->need_limits(body_->limit_news, use.account).restore(use);
  }
  return {};
}

std::vector<LimitNews> AccountBook::take_limit_news() { return body_->limit_news.take(); }

Result<Amount> AccountBook::charge_unchecked(AccountHandle handle, Amount charge) {
  if (!handle) return Error{ErrorCode::not_found, "account of the charge was not there"};
  if (charge.is_negative())
    return Error{ErrorCode::invalid_argument, "charge " + charge.to_string() + " was negative"};
  const auto balance = handle.account_->post(Amount::from_units(-charge.units()));
  if (!balance)
    return Error{ErrorCode::limit,
                 "charge " + charge.to_string() + " took the balance out of range"};
  return *balance;
}

Result<Amount> AccountBook::pay(AccountHandle handle, Amount amount) {
  if (!handle) return Error{ErrorCode::not_found, "account of the payment was not there"};
  if (amount.is_zero()) return Error{ErrorCode::invalid_argument, "payment was zero"};
  const auto balance = handle.account_->post(amount);
  if (!balance)
    return Error{ErrorCode::limit,
                 "payment " + amount.to_string() + " took the balance out of range"};
  return *balance;
}

Result<Amount> AccountBook::withdraw(AccountHandle handle, Amount amount) {
  if (!handle) return Error{ErrorCode::not_found, "account of the withdrawal was not there"};
  if (amount.is_negative() || amount.is_zero())
    return Error{ErrorCode::invalid_argument,
                 "withdrawal " + amount.to_string() + " was not above zero"};
  Account& account = *handle.account_;
  if (!account.take(amount.units()))
    return Error{ErrorCode::wrong_state,
                 "account had " + usable(handle).to_string() + " free, not " + amount.to_string()};
  const std::int64_t before =
      account.balance_units.fetch_sub(amount.units(), std::memory_order_relaxed);
  return Amount::from_units(before - amount.units());
}

Amount AccountBook::balance(AccountHandle handle) const noexcept {
  return handle ? Amount::from_units(handle.account_->balance_units.load(std::memory_order_relaxed))
                : Amount{};
}

Amount AccountBook::usable(AccountHandle handle) const noexcept {
  return handle ? Amount::from_units(handle.account_->free_units.load(std::memory_order_relaxed))
                : Amount{};
}

Result<AccountState> AccountBook::state(std::string_view id) const {
  const std::shared_lock lock(body_->mutex);
  const auto place = body_->accounts.find(id);
  if (place == body_->accounts.end()) return rating::no_account(id);
  return Body::state_of(*place->second);
}

Result<AccountState> AccountBook::state(AccountHandle handle) const {
  if (!handle) return Error{ErrorCode::not_found, "handle named no account"};
  const std::shared_lock lock(body_->mutex);
  return Body::state_of(*handle.account_);
}

std::vector<AccountState> AccountBook::snapshot() const {
  const std::shared_lock lock(body_->mutex);
  std::vector<AccountState> states;
  states.reserve(body_->accounts.size());
  for (const auto& [id, account] : body_->accounts)
    states.push_back(Body::state_of(*account));
  return states;
}

std::size_t AccountBook::size() const {
  const std::shared_lock lock(body_->mutex);
  return body_->accounts.size();
}

}  // namespace tandem
