// Accounts: balances, what running calls hold of them, and the meter that ends a call when its
// money ends.
//
// One number decides: what is free = balance + overdraft limit - held. It is taken with a
// compare-and-swap and given back with an addition, so that calls of one account on any number of
// workers together never pass what is usable.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/account_limits.hpp"
#include "tandem/error.hpp"
#include "tandem/export.h"
#include "tandem/packages.hpp"
#include "tandem/rating.hpp"
#include "tandem/values.hpp"

namespace tandem {

/// Who an account belongs to (B-02).
enum class AccountKind : std::uint8_t {
  customer,  ///< Pays for calls; never beyond balance + overdraft limit.
  clearing,  ///< A vendor: what its calls cost us lowers the balance, below zero too.
  agent,     ///< Pays for the calls of its customers too, by its own deck; within its money (B-17).
  card,      ///< A customer that was paid in advance: no overdraft, and its balance always counts.
};
/// "customer", "clearing", "agent", "card".
TANDEM_EXPORT const char* account_kind_name(AccountKind kind) noexcept;
/// Errors: invalid_argument.
TANDEM_EXPORT Result<AccountKind> account_kind_from_name(std::string_view name);

/// Largest balance (either sign) and overdraft limit: 2^61 units, 2.3e10 of the currency. The bound
/// keeps balance + limit - held inside 64 bits whatever happens.
inline constexpr Amount account_amount_max = Amount::from_units(std::int64_t{1} << 61);

/// What provisioning says of an account (B-02).
struct AccountSettings {
  std::string id;  ///< 1..64 bytes. Required.
  AccountKind kind = AccountKind::customer;
  Amount overdraft_limit;           ///< 0..account_amount_max; of a card 0.
  std::string currency;             ///< Cannot change later: the balance would change its meaning.
  std::string rate_deck;            ///< Id of a deck; "" when calls are not rated.
  bool locked = false;              ///< Refuses new calls; running ones go on.
  std::int64_t valid_until_us = 0;  ///< Exclusive, microseconds since 1970 UTC; 0: without end.
  CallLevel call_level = CallLevel::none;
  Amount tax_percent;  ///< FeeRules::tax_percent of its calls.
  std::string memo;
  /// Id of an account of kind `agent`, which is charged for each of its calls too (B-17); "": none.
  std::string agent{};
  /// False: its calls are not bound to its money, as if the limit were account_amount_max (B-28).
  bool is_balance_verified = true;
  MonthlyRules monthly{};  ///< B-18; a PackageBook keeps them, the AccountBook does not.
  std::vector<AccountLimit> limits{};  ///< By the hour, day or month; check_account_limits().
  bool operator==(const AccountSettings&) const = default;
};

/// An account at one moment. `balance` is exact; `held` may be that of a moment before or after it.
struct AccountState {
  AccountSettings settings;
  Amount balance;                    ///< Posted: payments less settled charges.
  Amount held;                       ///< Reserved by running calls.
  std::int64_t open_holds = 0;       ///< Calls that hold money or may.
  std::uint64_t refused_calls = 0;   ///< Since start.
  std::vector<LimitState> limits{};  ///< Filled by Switch; else AccountBook::limits().
};

/// How far below its limit an account can come by the calls that are up, as they are: what they
/// hold beyond balance + limit. Zero whatever the tariff, because a started increment is held whole
/// before it begins; more only after a deduction, or a limit that was lowered, took what calls had
/// been promised. Nothing: without bound (a clearing account, or one whose balance is not
/// verified). docs/rating.md derives it.
TANDEM_EXPORT std::optional<Amount> largest_overdraft(const AccountState& state);

namespace rating {
struct Account;
}

/// Names an account; cheap to copy, valid as long as its book. Threading: immutable.
class TANDEM_EXPORT AccountHandle {
 public:
  AccountHandle() noexcept = default;
  explicit operator bool() const noexcept { return account_ != nullptr; }
  bool operator==(const AccountHandle&) const noexcept = default;

 private:
  friend class AccountBook;
  friend class MoneyHold;
  explicit AccountHandle(rating::Account* account) noexcept : account_(account) {}
  rating::Account* account_ = nullptr;
};

/// Money that one call has reserved. Belongs to the lease of the call and is given back or settled
/// exactly once; the destructor gives back what was neither.
///
/// Threading: one thread at a time; holds of one account may be used on any number of threads at
/// once. Must end before its book.
class TANDEM_EXPORT MoneyHold {
 public:
  MoneyHold() noexcept = default;  ///< Holds nothing of nobody.
  ~MoneyHold() { cancel(); }
  MoneyHold(MoneyHold&& other) noexcept;
  MoneyHold& operator=(MoneyHold&& other) noexcept;
  MoneyHold(const MoneyHold&) = delete;
  MoneyHold& operator=(const MoneyHold&) = delete;

  [[nodiscard]] bool is_open() const noexcept { return account_ != nullptr; }
  [[nodiscard]] Amount held() const noexcept { return held_; }
  /// What renew() could reach, of this moment: held() and what the account has beyond all holds.
  [[nodiscard]] Amount reachable() const noexcept;

  /// Raises the hold to `total`; a smaller total changes nothing. False: the account does not have
  /// it, nothing changed.
  [[nodiscard]] bool renew(Amount total) noexcept;

  /// Takes `charge` (>= 0) from the balance, gives the rest of the hold back and closes the hold. A
  /// charge above the hold is taken when the account has the difference, else only what was held.
  /// Returns what was taken; zero when the hold is closed.
  Amount settle(Amount charge) noexcept;

  /// Gives all back and closes the hold. Does nothing when it is closed.
  void cancel() noexcept;

 private:
  friend class AccountBook;
  MoneyHold(rating::Account* account, Amount held) noexcept : account_(account), held_(held) {}
  rating::Account* account_ = nullptr;
  Amount held_;
};

/// Answer of AccountBook::open_call().
struct CallAdmission {
  /// none, AccountBalanceNotEnough, AccountLocked, AccountExpired or AccountNotExist (an empty
  /// handle).
  Reason reason = Reason::AccountNotExist;
  MoneyHold hold;  ///< Open only when `reason` is none.
  [[nodiscard]] bool ok() const noexcept { return reason == Reason::none; }
};

/// All accounts of a switch. Accounts are never removed, so that handles stay valid; lock one
/// instead.
///
/// Threading: thread-safe. Calls with a handle are lock-free (open_call, check, charge_unchecked,
/// pay, withdraw, balance, usable and all of MoneyHold); those with an id or a settings struct take
/// a mutex and belong off the call path. What limits count is behind a mutex of each account that
/// has some. Balances and uses are derived state: the journal is the truth; at start they are set
/// with restore() and restore_limit().
class TANDEM_EXPORT AccountBook {
 public:
  static constexpr std::size_t accounts_max = 10'000'000;

  AccountBook();
  ~AccountBook();
  AccountBook(const AccountBook&) = delete;
  AccountBook& operator=(const AccountBook&) = delete;

  /// Creates the account with `opening_balance`, or updates it and leaves the balance alone. A new
  /// limit, lock or expiry counts at once, for new calls and for the next renewal of running ones.
  /// Errors: invalid_argument (a field out of range, or another currency than before), limit
  /// (accounts_max).
  Result<AccountHandle> provision(const AccountSettings& settings, Amount opening_balance = {});

  /// Empty when there is none.
  [[nodiscard]] AccountHandle find(std::string_view id) const;

  /// Sets the posted balance, as the journal had it; holds stay. Errors: not_found,
  /// invalid_argument (out of range).
  Result<void> restore(std::string_view id, Amount balance);

  /// Admits a call that must hold `first_hold` (>= 0) before it is tried: B-02. `now_us`:
  /// microseconds since 1970 UTC. `has_gift`: a package pays for its beginning, so that it needs no
  /// money beyond `first_hold`.
  [[nodiscard]] CallAdmission open_call(AccountHandle account, Amount first_hold,
                                        std::int64_t now_us, bool has_gift = false) noexcept;

  /// The same tests without money, for calls that cost nothing by rule (free numbers): none,
  /// AccountLocked, AccountExpired or AccountNotExist.
  [[nodiscard]] Reason check(AccountHandle account, std::int64_t now_us) const noexcept;

  /// Takes the beginning of a call, `charge` and `talk_s`, of every limit of the account that
  /// counts calls to `callee` in the window of `at_us` (microseconds since 1970 UTC). False: one of
  /// them does not grant it, nothing is taken. `out` stays closed when no limit counts the call.
  [[nodiscard]] bool open_limits(AccountHandle account, std::string_view callee, Amount charge,
                                 std::int64_t talk_s, std::int64_t at_us, LimitHold& out);
  /// What open_limits() would answer, without taking anything.
  [[nodiscard]] bool has_limits_for(AccountHandle account, std::string_view callee, Amount charge,
                                    std::int64_t talk_s, std::int64_t at_us) const;
  /// The limits of an account in their windows of `at_us`, in the order of its settings.
  [[nodiscard]] std::vector<LimitState> limits(AccountHandle account, std::int64_t at_us) const;
  /// Adds what calls used before this book was made; of an account that is not there yet, when it
  /// is provisioned. Errors: invalid_argument.
  Result<void> restore_limit(const LimitUse& use);
  /// Limits that began to refuse since the last question, at most 1000.
  [[nodiscard]] std::vector<LimitNews> take_limit_news();

  /// Takes a charge without asking what is there: the vendor's side of a call. Returns the new
  /// balance. Errors: not_found (an empty handle), invalid_argument (a negative charge), limit (out
  /// of range; nothing taken).
  Result<Amount> charge_unchecked(AccountHandle account, Amount charge);

  /// Posts a payment; negative: a deduction, which may take the account below its limit. Returns
  /// the new balance. Errors: not_found (an empty handle), invalid_argument (zero), limit (out of
  /// range; nothing posted).
  Result<Amount> pay(AccountHandle account, Amount amount);

  /// Takes `amount` when the account has it (usable()), else nothing. Returns the new balance.
  /// Errors: not_found (an empty handle), invalid_argument (not above zero), wrong_state (it does
  /// not have it).
  Result<Amount> withdraw(AccountHandle account, Amount amount);

  /// Posted balance; zero for an empty handle.
  [[nodiscard]] Amount balance(AccountHandle account) const noexcept;
  /// What a new hold could take: balance + overdraft limit - held; may be negative. Zero for an
  /// empty handle.
  [[nodiscard]] Amount usable(AccountHandle account) const noexcept;

  /// Errors: not_found.
  [[nodiscard]] Result<AccountState> state(std::string_view id) const;
  [[nodiscard]] Result<AccountState> state(AccountHandle account) const;
  /// All accounts in order of id.
  [[nodiscard]] std::vector<AccountState> snapshot() const;
  [[nodiscard]] std::size_t size() const;

 private:
  struct Body;
  std::unique_ptr<Body> body_;
};

/// Seconds of talk that a call takes of limits before it is tried, beside CallMeter::first_hold().
inline constexpr std::int64_t meter_first_talk_s = 1;

/// What a call meter wants next.
struct MeterVerdict {
  bool must_end = false;      ///< End the call now.
  std::int64_t check_us = 0;  ///< Else call on_timer() at this monotonic time; INT64_MAX: never.
  /// Of a call that must end: BalanceExhausted, or AccountLimitReached.
  Reason reason = Reason::none;
};

/// Keeps one running call inside its money (B-11).
///
/// A call holds the charge of what it has talked plus a short stretch: 10 seconds, 5, 2 or 1 when
/// the account has no more, always to the end of the started increment. It renews 2 seconds before
/// the held time ends and once more at the end; when that fails too the call ends there and is
/// never billed beyond it. With an advance it holds that much ahead as long as the account has it,
/// and looks every 5 seconds. The end is put at the covered second, or a little before it when
/// `hold_time_precision_ms` leaves a late timer no room (docs/rating.md). What packages lend is
/// used before money is held. What limits of the account grant is held with the money, in the same
/// stretches, and ends the call likewise.
///
/// Threading: loop-bound, like its call. Ownership: owns the hold; `rate` must outlive it (the call
/// keeps its RateDeck), `rules` are copied. Time is monotonic and comes from the caller.
class TANDEM_EXPORT CallMeter {
 public:
  /// What must be held before a call is tried: the charge of its first billed second. `start`: the
  /// present, by which windows are judged. Errors: limit (larger than an Amount).
  static Result<Amount> first_hold(const Rate& rate, const FeeRules& rules,
                                   const CallStart& start = {});
  /// The same less what `packages` lend for it.
  static Result<Amount> first_hold(const Rate& rate, const FeeRules& rules, const CallStart& start,
                                   PackageHold& packages);

  CallMeter() noexcept = default;  ///< For a call that nobody pays: never ends it, charges nothing.
  /// `hold`: from AccountBook::open_call() with first_hold(). `start`: as there. Rate and rules
  /// must have passed their checks. `advance_s`: 0..3600; at most 10 is none.
  CallMeter(const Rate& rate, const FeeRules& rules, MoneyHold hold, CallStart start = {},
            std::int64_t advance_s = 0, PackageHold packages = {}, LimitHold limits = {}) noexcept;
  CallMeter(CallMeter&&) noexcept = default;
  CallMeter& operator=(CallMeter&&) noexcept = default;

  /// The call is answered (200 sent). Holds the first stretch. `answered_at_us`: the same moment on
  /// the wall clock, from which windows are judged; 0: that of the constructor.
  MeterVerdict start(std::int64_t now_us, std::int64_t answered_at_us = 0) noexcept;

  /// Due at the time of the last verdict; early and late calls are fine.
  MeterVerdict on_timer(std::int64_t now_us) noexcept;

  /// The call has ended after `talk_time_ms`: settles its charge, once. Later calls return a zero
  /// charge. What the account could not cover, because a timer came late, is not billed: the charge
  /// is then that of the covered time. `use`: gets what packages paid. `limit_uses`: what it counts
  /// in limits is added there.
  Charge finish(std::int64_t talk_time_ms, PackageUse* use = nullptr,
                std::vector<LimitUse>* limit_uses = nullptr);

  /// The call was not answered: gives the hold back.
  void cancel() noexcept {
    hold_.cancel();
    packages_.cancel();
    limits_.cancel();
  }
  /// What packages have lent so far.
  [[nodiscard]] PackageLoan package_loan() const { return packages_.loan(); }

  /// Whole seconds of talk that the hold pays for; rated_time_max_s: without end.
  [[nodiscard]] std::int64_t covered_s() const noexcept { return covered_s_; }
  [[nodiscard]] Amount held() const noexcept { return hold_.held(); }
  /// Whole seconds of talk that the call could pay for, as money, packages and limits are now;
  /// rated_time_max_s: without end. Other calls of the account make it less, payments more. Where
  /// prices change by the hour it looks a day ahead of what is covered.
  [[nodiscard]] std::int64_t reachable_s() const noexcept;
  /// The same before the call is answered, of what it holds by then; `covered_s`: from where a day
  /// is looked ahead.
  [[nodiscard]] static std::int64_t reachable_s(const Rate& rate, const FeeRules& rules,
                                                const CallStart& start, const MoneyHold& hold,
                                                const PackageHold& packages,
                                                const LimitHold& limits,
                                                std::int64_t covered_s = 0) noexcept;
  /// What the account has left of its money, and may owe, when the call has talked for so long; of
  /// a call that nobody pays INT64_MAX units.
  [[nodiscard]] Amount remaining_money(std::int64_t talk_time_ms) const noexcept;
  [[nodiscard]] const Rate* rate() const noexcept { return rate_; }

 private:
  MeterVerdict plan(std::int64_t now_us) noexcept;
  void cover(std::int64_t talked_s) noexcept;
  void look_ahead(std::int64_t talked_s) noexcept;
  [[nodiscard]] bool pay(Amount charge, std::int64_t talked_s) noexcept;
  [[nodiscard]] std::int64_t cut_us() const noexcept;

  const Rate* rate_ = nullptr;
  FeeRules rules_;
  CallStart start_;
  MoneyHold hold_;
  std::int64_t advance_s_ = 0;
  PackageHold packages_;
  LimitHold limits_;
  bool is_limited_ = false;  // what could not be paid last was refused by a limit
  std::int64_t answered_us_ = 0;
  std::int64_t covered_s_ = rated_time_max_s;
  std::int64_t next_step_us_ = 0;  // with an advance: when it is looked after
};

}  // namespace tandem
