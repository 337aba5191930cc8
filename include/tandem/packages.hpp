// Packages: rent that buys gifts of talk time and money, minimum spends, and what accounts owe by
// the month (B-18, B-20..B-24).
//
// A PackageBook is a state and a clock that comes from the caller. It opens and closes periods,
// lends gifts to running calls, and says to its PackageHost what money it wants; whoever hosts it
// keeps what it is told and gives it back with restore() after a restart. Every movement of money
// has a key made of the order and the start of its period, so that repeating a step moves it once.
// docs/packages.md has the rules with sums.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/calendar.hpp"
#include "tandem/error.hpp"
#include "tandem/export.h"
#include "tandem/rate_terms.hpp"
#include "tandem/rating.hpp"
#include "tandem/values.hpp"

namespace tandem {

/// Unit of a rent period (B-20). The values are those of the reference.
enum class RentType : std::uint8_t { day = 0, month = 1, year = 2, once = 3 };
/// "day", "month", "year", "once".
TANDEM_EXPORT const char* rent_type_name(RentType type) noexcept;

/// What becomes of an order whose rent cannot be paid (B-21). The values are those of the
/// reference.
enum class RentFailure : std::uint8_t {
  await_recharge = 0,  ///< The period opens when money comes.
  await_period = 1,    ///< The next period is tried; packages by the day or month only.
  end_order = 2,
};

/// Seconds of talk that a period gives to calls of some numbers at some hours.
struct PackageGift {
  std::vector<std::string> prefixes;  ///< Of the number that is rated; empty: every number.
  std::int32_t from_s = 0;            ///< Seconds since local midnight, 0..86399.
  std::int32_t to_s = 86400;          ///< Exclusive, 1..86400; before `from_s`: of the next day.
  std::int64_t seconds = 0;           ///< Of each period, 0..rated_time_max_s.
  std::int32_t cycle_s = 1;  ///< Calls take them in steps of so many, 1..rate_period_max_s.
  bool operator==(const PackageGift&) const = default;
};

/// A price instead of the tariff's (B-24), judged at the start of a call.
struct PackageRate {
  std::string prefix;             ///< Of the number that is rated; "": every number.
  DaySet days = DaySet::every();  ///< The day is the one on which the hours began.
  std::int32_t from_s = 0;        ///< As of a gift, likewise the next.
  std::int32_t to_s = 86400;
  Amount price;              ///< Of `per_s` seconds, >= 0.
  std::int32_t per_s = 60;   ///< 1..rate_period_max_s, as the next two.
  std::int32_t first_s = 1;  ///< First increment.
  std::int32_t next_s = 1;   ///< Further increments.
  bool operator==(const PackageRate&) const = default;
};

inline constexpr std::size_t package_gifts_max = 64;         ///< Most gifts of a package.
inline constexpr std::size_t package_prefixes_max = 10'000;  ///< Most prefixes of a gift.
inline constexpr std::size_t package_rates_max = 1'000;      ///< Most period rates of a package.

/// What is sold (B-20).
struct Package {
  std::string id;  ///< 1..64 bytes. Required.
  RentType rent_type = RentType::month;
  /// Length of a period: days, months or years, 1..1200; `once`: seconds, 1..rated_time_max_s.
  std::int64_t rent_period = 1;
  /// A first period may be a part: periods begin with the calendar's months or years, and of the
  /// first one rent and gifts are scaled by its days. Else periods are counted from the day on
  /// which the order begins.
  bool nonholonomic_order = false;
  Amount rent_fee;           ///< Of each period, >= 0.
  Amount min_consumption;    ///< What is less is owed at the end of the period, >= 0.
  Amount lower_consumption;  ///< Gifts are there from this spend of the period on, >= 0.
  Amount gift_money;         ///< Of each period, >= 0.
  std::vector<PackageGift> gift_times;
  std::vector<PackageRate> period_rates;
  /// Zone and classes of days of its periods, gifts and rates. Split: `period_rates` hold for the
  /// increments that begin in their hours, else for all of a call that arrives in them (B-24).
  RateSchedule schedule;
};
/// Errors: invalid_argument (names the field and its value), limit.
TANDEM_EXPORT Result<void> check_package(const Package& package);

inline constexpr std::int64_t package_never_us = std::numeric_limits<std::int64_t>::max();

/// That an account has subscribed to a package (B-21). An order that is over stays so: a new one
/// has a new id.
struct PackageOrder {
  std::string id;       ///< 1..64 bytes. Required.
  std::string package;  ///< Id.
  std::string account;  ///< Who pays; and who may use it, unless it is a phone's.
  /// First day in days since 1970-01-01, from local midnight on. Nothing: that of `available_us`;
  /// without that either today, and at once.
  std::optional<std::int64_t> available_day;
  std::optional<std::int64_t> available_us;   ///< A moment of the first day.
  std::int64_t expire_us = package_never_us;  ///< No period begins from then on; one-off: its end.
  std::int32_t priority = 2'147'483'647;      ///< Lower is used first.
  std::int32_t rent_percent = 100;            ///< Of the rent fee, 0..10000.
  RentFailure failed_process_mode = RentFailure::await_recharge;
  std::string
      phone{};  ///< Number of the phone whose calls alone may use it; "": all of the account.
  bool operator==(const PackageOrder&) const = default;
};
/// `package`: what is ordered. Errors: invalid_argument (names the field and its value).
TANDEM_EXPORT Result<void> check_package_order(const PackageOrder& order, const Package& package);

/// What an account, or a phone of it, owes by calendar months (B-18). All >= 0; zero: the rule does
/// not hold.
struct MonthlyRules {
  Amount minimum;  ///< Less spend of a month is owed at its end; not of the month they began in.
  Amount maximum;  ///< From this spend of a month on calls are refused.
  Amount rent;     ///< Owed at the start of each month, covered or not.
  [[nodiscard]] bool are_none() const noexcept { return *this == MonthlyRules{}; }
  bool operator==(const MonthlyRules&) const = default;
};
struct AccountMonthlyRules {
  std::string account;
  MonthlyRules rules;
  RateSchedule schedule;  ///< Its zone says when a month begins.
  std::string phone{};    ///< Number of the phone whose calls count; "": all of the account.
};

/// A current package: one period of an order with what is left of it (B-22).
struct PackagePeriod {
  /// One of the package's gifts.
  struct Gift {
    PackageGift terms;        ///< `seconds`: what the period gives.
    std::int64_t used_s = 0;  ///< In whole cycles.
    std::int64_t held_s = 0;  ///< Lent to running calls; not kept.
    bool operator==(const Gift&) const = default;
  };
  std::string order;    ///< Of monthly rules monthly_order_id().
  std::string package;  ///< "": monthly rules.
  std::string account;  ///< Who paid the rent, and owes what is missing to a minimum.
  std::string phone;  ///< Whose calls it is for while it is the account's; "": all of the account.
  std::int64_t start_us = 0;  ///< Microseconds since 1970 UTC; names the period with `order`.
  std::int64_t end_us = 0;    ///< Exclusive; package_never_us: it does not end.
  std::int32_t priority = 0;
  Amount rent;  ///< What was paid for it.
  Amount min_consumption, lower_consumption;
  Amount max_consumption;  ///< Of monthly rules; zero: none.
  Amount consumption;      ///< Charges of calls to the balance in it so far.
  Amount gift_money, gift_money_used;
  Amount gift_money_held;  ///< Lent to running calls; not kept.
  std::vector<Gift> gifts;
  std::vector<PackageRate> period_rates;
  std::string schedule;  ///< Words of RateSchedule::to_string().
  bool operator==(const PackagePeriod&) const = default;
};
/// One JSON object without line end; docs/packages.md lists its keys.
TANDEM_EXPORT std::string to_json(const PackagePeriod& period);
/// The order id that stands for the monthly rules of an account, or of a phone while it is of
/// `account`; no other order has such an id.
TANDEM_EXPORT std::string monthly_order_id(std::string_view account);
TANDEM_EXPORT std::string monthly_order_id_of_phone(std::string_view number,
                                                    std::string_view account);

/// How far an order is.
enum class PackagePhase : std::uint8_t {
  accepted,         ///< Its first period is to come.
  open,             ///< A period is open.
  awaits_recharge,  ///< The rent could not be paid.
  awaits_period,    ///< Likewise; the next period is tried.
  ended,
};
TANDEM_EXPORT const char* package_phase_name(PackagePhase phase) noexcept;

struct PackageOrderState {
  std::string order;
  PackagePhase phase = PackagePhase::accepted;
  std::int64_t first_day = 0;   ///< From which periods are counted, days since 1970-01-01.
  std::int64_t next_us = 0;     ///< When a period begins, with `accepted` and `awaits_period`.
  bool has_had_period = false;  ///< A first one was opened.
  bool operator==(const PackageOrderState&) const = default;
};

/// A step of an order: what the book's host keeps, as a whole, and gives to restore().
struct PackageChange {
  PackageOrderState order;
  std::optional<PackagePeriod> period;  ///< The one that this step opened or closed.
  bool is_closed = false;               ///< It was closed.
  bool operator==(const PackageChange&) const = default;
};
/// One JSON object without line end, and back. Errors of parsing: corrupt.
TANDEM_EXPORT std::string to_json(const PackageChange& change);
TANDEM_EXPORT Result<PackageChange> parse_package_change(std::string_view json);

/// What one call took of packages: what an end record carries (C-01 `suiteFee`, `suiteFeeTime`).
struct PackageUse {
  /// Of one period of an order.
  struct Part {
    std::string order;
    std::int64_t period_start_us = 0;
    std::int32_t gift = -1;  ///< Which of its gifts; -1: money and spend.
    std::int64_t seconds = 0;
    Amount money;  ///< Gift money.
    Amount spend;  ///< Charge to the balance that counts for it.
    bool operator==(const Part&) const = default;
  };
  std::vector<Part> parts;
  std::int64_t time_s = 0;     ///< Gift seconds, whole cycles.
  std::int64_t covered_s = 0;  ///< Paid seconds of the call that these stand for.
  Amount money;                ///< Gift money.
  bool operator==(const PackageUse&) const = default;
};
/// "order|start|gift|seconds|money|spend;..." of its parts, amounts in units; "" for none. Parsing
/// gives the parts and the sums of them, but not `covered_s`. Errors: corrupt.
TANDEM_EXPORT std::string to_text(const PackageUse& use);
TANDEM_EXPORT Result<PackageUse> parse_package_use(std::string_view text);

/// What a running call has lent, in the order in which it is used: a value, so that a call which a
/// crash cut off can be settled from what was written down.
struct PackageLoan {
  struct Part {
    std::string order;
    std::int64_t period_start_us = 0;
    std::int32_t gift = -1;    ///< -1: money, if any; the period counts the call's spend.
    std::int32_t cycle_s = 1;  ///< Of the gift.
    std::int64_t seconds = 0;  ///< Whole cycles.
    Amount money;
    bool operator==(const Part&) const = default;
  };
  std::vector<Part> parts;
  bool operator==(const PackageLoan&) const = default;
  [[nodiscard]] TANDEM_EXPORT std::int64_t seconds() const noexcept;
  [[nodiscard]] TANDEM_EXPORT Amount money() const noexcept;
};
TANDEM_EXPORT std::string to_text(const PackageLoan& loan);
/// Errors: corrupt.
TANDEM_EXPORT Result<PackageLoan> parse_package_loan(std::string_view text);

/// A charge that packages have paid a part of.
struct PackagedCharge {
  Charge charge;  ///< To the balance; `billed_time_s` without what gift seconds stand for.
  PackageUse use;
  bool operator==(const PackagedCharge&) const = default;
};

/// What a call of `talk_time_ms` costs when `loan` is there for it (B-22): gift seconds stand for
/// its first paid seconds, the rest is rated from the position that it has in the tariff, gift
/// money pays of that what it can. A call that costs nothing takes nothing. Errors and
/// requirements: those of rate_call(). Threading: immutable; any number of threads may call it at
/// once.
TANDEM_EXPORT Result<PackagedCharge> rate_with_packages(const Rate& rate, std::int64_t talk_time_ms,
                                                        const FeeRules& rules,
                                                        const PackageLoan& loan,
                                                        const CallStart& start = {});

namespace rating {
struct PackageOwner;
struct OpenPeriod;
}  // namespace rating

/// Names whose packages a call may use: those of an account, and of the phone that calls. Valid as
/// long as its book. Threading: immutable.
class TANDEM_EXPORT PackageHandle {
 public:
  PackageHandle() noexcept = default;
  explicit operator bool() const noexcept { return account_ != nullptr || phone_ != nullptr; }
  bool operator==(const PackageHandle&) const noexcept = default;

 private:
  friend class PackageBook;
  friend class PackageHold;
  PackageHandle(rating::PackageOwner* account, rating::PackageOwner* phone) noexcept
      : account_(account), phone_(phone) {}
  rating::PackageOwner* account_ = nullptr;  // null: none
  rating::PackageOwner* phone_ = nullptr;    // the same
};

/// Gifts that one call has lent. What is neither settled nor given back the destructor gives back.
///
/// Threading: one thread at a time; holds of one owner on any number of threads at once. Must end
/// before its book.
class TANDEM_EXPORT PackageHold {
 public:
  PackageHold() noexcept;  ///< Holds nothing of nobody.
  ~PackageHold();
  PackageHold(PackageHold&& other) noexcept;
  PackageHold& operator=(PackageHold&& other) noexcept;
  PackageHold(const PackageHold&) = delete;
  PackageHold& operator=(const PackageHold&) = delete;

  /// False: no packages; all of the rest then does nothing.
  [[nodiscard]] bool is_open() const noexcept { return body_ != nullptr; }
  /// Lends gift seconds until so many paid seconds are covered, as far as there are. Returns how
  /// many are.
  std::int64_t cover(std::int64_t paid_s) noexcept;
  /// Lends gift money up to `total`, as far as there is. Returns what is lent.
  Amount raise_money(Amount total) noexcept;
  [[nodiscard]] std::int64_t covered_s() const noexcept;
  [[nodiscard]] Amount money() const noexcept;

  /// What cover() and raise_money() could reach at most, of this moment.
  [[nodiscard]] std::int64_t available_s() const noexcept;
  [[nodiscard]] Amount available_money() const noexcept;

  [[nodiscard]] PackageLoan loan() const;
  /// Takes `use`, which was made of loan(), gives the rest back, counts `spend` for the periods
  /// that are open now, and closes the hold. Returns `use` with those.
  PackageUse settle(PackageUse use, Amount spend);
  void cancel() noexcept;

 private:
  friend class PackageBook;
  struct Body;
  explicit PackageHold(std::unique_ptr<Body> body) noexcept;
  std::unique_ptr<Body> body_;
};

/// Money that a package wants.
struct PackageDue {
  enum class Kind : std::uint8_t { rent, shortfall };
  Kind kind = Kind::rent;
  /// False: taken whatever is there, also below the limit.
  bool must_be_covered = false;
  std::string key;  ///< "ORDER/START/rent": the same however often it is asked for.
  std::string account;
  std::string phone;  ///< Whose package it is; "": the account's.
  std::string order;
  std::string package;  ///< "": monthly rules.
  std::int64_t period_start_us = 0;
  Amount amount;           ///< > 0.
  std::int64_t at_us = 0;  ///< When it was due.
};

/// What became of an order, for people.
struct PackageNews {
  enum class Kind : std::uint8_t { opened, closed, rent_failed, ended };
  Kind kind = Kind::opened;
  std::string order, package, account, phone;
  std::int64_t at_us = 0;
  Amount amount;  ///< Rent of `opened` and `rent_failed`, shortfall of `closed`.
};
/// "opened", "closed", "rent_failed", "ended".
TANDEM_EXPORT const char* package_news_name(PackageNews::Kind kind) noexcept;

/// Who has the money and keeps the changes. Called by one thread at a time, inside of
/// PackageBook::advance() and recharge(); must not call the book.
class TANDEM_EXPORT PackageHost {
 public:
  virtual ~PackageHost();
  /// Takes the money of `due`. True: it is taken, now or by an earlier call with the same key.
  /// False: `must_be_covered` and the account does not have it. Errors: any; the step is tried
  /// again later.
  [[nodiscard]] virtual Result<bool> take(const PackageDue& due) = 0;
  /// Keeps a step, after take(). Errors: any; likewise.
  [[nodiscard]] virtual Result<void> keep(const PackageChange& change) = 0;
  virtual void tell(const PackageNews& news);  ///< Does nothing.
};

/// What packages ask for a call (B-24).
struct PackagePrices {
  std::shared_ptr<const Rate> rate;  ///< PackageBook::rate().
  /// Not null: `rate`, if any, is of a package that splits calls, so that the tariff's rate holds
  /// with these over it (CallStart::overlays). Where the tariff has none `rate` holds to the end.
  std::shared_ptr<const RateOverlays> overlays;
  /// What a call is rated by beside a tariff's rate, null for none: the rate, and in `start` the
  /// overlays, if any.
  [[nodiscard]] TANDEM_EXPORT const Rate* choose(const Rate* tariff, CallStart& start) const;
};

/// Packages, orders and their periods.
///
/// Threading: thread-safe. Handles, holds and rate() lock an account, and the phone that calls, for
/// a moment; the rest belongs off the call path.
class TANDEM_EXPORT PackageBook {
 public:
  static constexpr std::size_t orders_max = 10'000'000;
  static constexpr std::size_t steps_max = 100'000;  ///< Of one advance().

  PackageBook();
  ~PackageBook();
  PackageBook(const PackageBook&) = delete;
  PackageBook& operator=(const PackageBook&) = delete;

  /// What is sold, ordered and owed from now on. Open periods stay as they are; orders that are no
  /// longer there get no further one. A phone that is another account's gets nothing of what the
  /// former one has paid for: monthly rules begin anew, orders with their next period. Errors:
  /// those of the checks, not_found (an order of a package that is not there), already_exists (an
  /// id twice), limit. Then nothing has changed.
  Result<void> provision(std::vector<Package> packages, std::vector<PackageOrder> orders,
                         std::vector<AccountMonthlyRules> monthly = {});

  /// Gives back what was kept: the last change of each order, with the period that is open; `used`
  /// is what calls took of that period since it was opened. Before the first advance().
  Result<void> restore(const PackageChange& change, const PackageUse& used = {});

  /// Takes all steps that are due at `now_us` (microseconds since 1970 UTC), each at its own time.
  /// An order that is new is accepted at `now_us`: periods that ended before do not count. Returns
  /// when the next step is due; package_never_us: none. Errors: the host's; what was done stays.
  Result<std::int64_t> advance(std::int64_t now_us, PackageHost& host);

  /// Money came to an account: tries the orders that wait for it. Errors: the host's.
  Result<void> recharge(std::string_view account, std::int64_t now_us, PackageHost& host);

  /// What calls of an account may use, and those of a phone of it beside that, which is what this
  /// account has paid for the phone. Empty when neither has orders, monthly rules or open periods.
  [[nodiscard]] PackageHandle find(std::string_view account, std::string_view phone = {}) const;

  /// Opens a hold for a call to `callee` (the number that is rated) that begins at `at_us`. Not
  /// open when no period is.
  [[nodiscard]] PackageHold open_call(PackageHandle owner, std::string_view callee,
                                      std::int64_t at_us) const;
  /// The rate that a package has for the call that begins at `at_us`; null: the tariff's holds
  /// (B-24).
  [[nodiscard]] std::shared_ptr<const Rate> rate(PackageHandle owner, std::string_view callee,
                                                 std::int64_t at_us) const;
  /// That rate with what packages that split calls have for later hours, beside a tariff.
  [[nodiscard]] PackagePrices prices(PackageHandle owner, std::string_view callee,
                                     std::int64_t at_us) const;
  /// Whether the spend of this month has reached a maximum (B-18).
  [[nodiscard]] bool is_exhausted(PackageHandle owner) const noexcept;

  /// Open periods of an account in the order of their use, and behind them those that it pays for
  /// its phones, phone by phone.
  [[nodiscard]] std::vector<PackagePeriod> current(std::string_view account) const;
  /// Open periods of a phone in the order of their use.
  [[nodiscard]] std::vector<PackagePeriod> current_of_phone(std::string_view number) const;
  /// All orders, and monthly rules, that were accepted; by id.
  [[nodiscard]] std::vector<PackageOrderState> orders() const;

 private:
  struct Body;
  std::unique_ptr<Body> body_;
};

/// The period of a package that contains a moment.
struct PackageSpan {
  std::int64_t start_us = 0;  ///< Local midnight; one-off: the moment.
  std::int64_t end_us = 0;    ///< Exclusive.
  std::int64_t days = 0;      ///< Of the calendar; one-off: 0.
};
/// `first_day`: of the order, from which periods are counted. Pure; for reports and tests.
TANDEM_EXPORT PackageSpan package_span(const Package& package, std::int64_t first_day,
                                       std::int64_t at_us) noexcept;

}  // namespace tandem
