// What a call costs: rates, decks, the charge formula and its inverse.
//
// Order of operations (docs/rating.md shows it with sums): talk time -> billable seconds (B-08) ->
// grace -> less free time (B-09) -> connection fee -> increments of the rate (B-06) -> minimum ->
// maximum -> tax -> one rounding (B-07) -> fee unit. Everything up to the rounding is exact
// rational arithmetic in 128 bits; nothing here uses floating point.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/clock.hpp"
#include "tandem/error.hpp"
#include "tandem/export.h"
#include "tandem/rate_terms.hpp"
#include "tandem/values.hpp"

namespace tandem {

/// Longest time that is rated and what available_time_s() answers for "without end": 31 years.
inline constexpr std::int64_t rated_time_max_s = 1'000'000'000;

/// Price of calls to the numbers that start with `prefix` (B-05).
///
/// A deck has hundreds of thousands of these and calls come for any of them: what rating a call
/// reads stands first and fills one cache line, and what few rates have lies elsewhere.
struct alignas(64) Rate {
  Amount price;           ///< Of `per_s` seconds, >= 0.
  Amount connection_fee;  ///< Due once a call has billed seconds, >= 0.
  Amount minimum;         ///< Least charge, connection fee included, of a call with billed seconds.
  std::int32_t per_s = 60;   ///< 1..rate_period_max_s.
  std::int32_t first_s = 1;  ///< Increment until the call has come to this second, 1..; not used
                             ///< when there are sections.
  std::int32_t next_s = 1;   ///< Increment after it, 1..
  bool locked = false;       ///< Matching calls are refused; they do not fall to a shorter prefix.
  CallLevel call_level = CallLevel::none;  ///< Least level of the source.
  RareTerms terms;                         ///< Tiers, windows, free seconds, cap, tax.
  std::vector<RateSection> sections;  ///< Used once in this order, then steps of next_s follow.
  std::int64_t valid_from_us = 0;     ///< Inclusive, microseconds since 1970 UTC; 0: always was.
  std::int64_t valid_until_us = 0;    ///< Exclusive; 0: without end.
  std::string prefix;  ///< 0..32 characters of a number (R-01). Empty matches every number.
  std::string area;    ///< For people; at most 128 bytes.
  bool operator==(const Rate&) const = default;
};

/// Whether every field of a rate is in its range. Errors: invalid_argument (names the field and its
/// value).
TANDEM_EXPORT Result<void> check_rate(const Rate& rate);

/// How a fee between two amounts is settled (B-07).
enum class FeeRounding : std::uint8_t { half_up, half_even, up, down };
/// "half_up", "half_even", "up", "down".
TANDEM_EXPORT const char* fee_rounding_name(FeeRounding rounding) noexcept;
/// Errors: invalid_argument.
TANDEM_EXPORT Result<FeeRounding> fee_rounding_from_name(std::string_view name);

/// The parameters that every charge obeys (B-07..B-09).
struct FeeRules {
  int precision = 6;  ///< Decimals kept in a fee, 0..8 (`fee_precision`).
  Amount unit;        ///< Then up to a multiple of this, >= 0; zero: none (`fee_unit`).
  FeeRounding rounding = FeeRounding::half_up;  ///< `fee_rounding`.
  int hold_time_precision_ms = 50;  ///< From this many ms on a second counts, 1..1000 (B-08).
  std::int64_t free_time_s = 0;     ///< Taken off every call, 0..rated_time_max_s (B-09).
  Amount tax_percent;  ///< Of who pays, for rates that have none; as RateTerms::tax_percent.
  bool operator==(const FeeRules&) const = default;
};
/// Errors: invalid_argument (names the parameter and its value).
TANDEM_EXPORT Result<void> check_fee_rules(const FeeRules& rules);

/// Whole seconds of a talk time (B-08): a started second counts from `hold_time_precision_ms` on.
/// Free time is not taken off. `talk_time_ms` below 0 counts as 0.
TANDEM_EXPORT std::int64_t billable_seconds(std::int64_t talk_time_ms,
                                            const FeeRules& rules) noexcept;

/// One line of the calculation, for people and for the `rate` command.
struct ChargeStep {
  enum class Kind : std::uint8_t {
    hold_time,       ///< `seconds`: billable seconds of the talk time (B-08).
    grace,           ///< `seconds`: the call was no longer than this; nothing follows.
    free_time,       ///< `seconds`: taken off (B-09).
    free_number,     ///< The number is never charged (B-09); nothing follows.
    connection_fee,  ///< `amount`.
    section,         ///< `seconds` from `from_s` on for `amount`.
    first,           ///< `seconds` in first increments at `price` per `per_s`.
    next,            ///< `seconds` in steps at `price` per `per_s`.
    tier,            ///< The same at the price of a tier.
    minimum,         ///< The sum was below; `amount` is the new sum.
    maximum,         ///< The sum was above; `amount` is the new sum.
    tax,             ///< `price` percent of the sum, which is `amount`, come on top.
    rounding,        ///< `amount`: the sum after rounding to the precision.
    unit,            ///< `amount`: the sum after going up to the fee unit.
    package,  ///< Packages paid the first `seconds` and money; `amount`: what is left (B-22).
  };
  Kind kind = Kind::hold_time;
  std::int64_t from_s = 0;  ///< Position in the billed time.
  std::int64_t seconds = 0;
  Amount price;  ///< Of `per_s` seconds; only for `section`, `first`, `next`, `tier`; see `tax`.
  std::int64_t per_s = 0;
  Amount amount;  ///< What this line adds, or the sum where said; cut to 1e-8 when not exact.
  bool is_exact = true;  ///< False: `amount` is cut; the calculation goes on with the exact value.
  int window = -1;  ///< Whose prices these are: index in the rate's windows; -1: the rate's own.
  bool operator==(const ChargeStep&) const = default;
};
/// "hold_time", "free_time", ...
TANDEM_EXPORT const char* charge_step_name(ChargeStep::Kind kind) noexcept;

/// What one side pays for one call.
struct Charge {
  Amount charge;
  std::int64_t billed_time_s = 0;  ///< Paid time, whole increments ("feeTime" of B-06).
  bool operator==(const Charge&) const = default;
};

/// The charge of a call of `talk_time_ms` (B-06..B-09). Never falls when the talk time grows.
///
/// `talk_time_ms`: 0..1000 * rated_time_max_s; monotonic time from answer to release.
/// `steps`:        when given, the lines of the calculation are appended; the result is the same.
/// `start`:        what windows are judged by.
/// Errors: invalid_argument (talk time), limit (the charge is larger than an Amount). `rate` and
/// `rules` must have passed check_rate() and check_fee_rules(). Threading: immutable; any number of
/// threads may call it at once.
TANDEM_EXPORT Result<Charge> rate_call(const Rate& rate, std::int64_t talk_time_ms,
                                       const FeeRules& rules,
                                       std::vector<ChargeStep>* steps = nullptr,
                                       const CallStart& start = {});

/// The longest talk time in whole seconds, free time included, whose charge is at most `usable`
/// (B-10). Exact inverse of rate_call(): a second more costs more than `usable`. rated_time_max_s:
/// without end (a free destination). `usable` below 0: 0. O(log time), with split windows
/// O(windows that the time goes through). Threading and requirements as rate_call().
TANDEM_EXPORT std::int64_t available_time_s(const Rate& rate, Amount usable, const FeeRules& rules,
                                            const CallStart& start = {}) noexcept;

/// Price of the steady cycle in one moment: what comparisons of rates go by (B-13, R-18).
struct SteadyPrice {
  Amount price;
  std::int64_t per_s = 60;
};
/// That of the window which holds at `start`, else of the rate.
[[nodiscard]] TANDEM_EXPORT SteadyPrice steady_price(const Rate& rate,
                                                     const CallStart& start) noexcept;

/// What RateDeck::find_each() is asked.
struct RateQuestion {
  std::string_view callee;
  std::int64_t at_us = 0;  ///< Microseconds since 1970 UTC.
  CallLevel level = CallLevel::none;
};

/// What RateDeck::find() found.
struct RateMatch {
  /// none: `rate` applies. RateNotFound: no rate. RateLocked, NoCallPermission: `rate` is the one
  /// that refuses.
  Reason reason = Reason::RateNotFound;
  const Rate* rate = nullptr;  ///< Lives as long as any copy of the deck.
  [[nodiscard]] bool ok() const noexcept { return reason == Reason::none; }
};

/// The rates of one price list (B-05).
///
/// Threading: immutable; any number of threads may call it at once. To change rates, build a new
/// deck; calls keep the copy they started with (B-19). Ownership: copies of a deck share one body.
class TANDEM_EXPORT RateDeck {
 public:
  class Builder;
  static constexpr std::size_t rates_max = 20'000'000;  ///< Most rates of one deck.

  RateDeck() noexcept = default;  ///< A deck without id and rates.

  /// The rate of the longest prefix of `callee` that has a valid rate at `at_us`.
  ///
  /// A rate that is not yet or no longer valid is not there: shorter prefixes count. Of several
  /// valid rates of one prefix the one with the latest `valid_from_us` applies. A locked one
  /// refuses (B-05), as does one that asks for a higher level than `level` (N-07). `at_us`:
  /// microseconds since 1970 UTC.
  [[nodiscard]] RateMatch find(std::string_view callee, std::int64_t at_us,
                               CallLevel level = CallLevel::none) const noexcept;
  /// find() for many calls, three times as fast as one after the other: they wait for memory
  /// together. `matches` gets an answer for each question; it is as long.
  void find_each(std::span<const RateQuestion> questions,
                 std::span<RateMatch> matches) const noexcept;

  /// The same rates, judged by another schedule. O(1).
  [[nodiscard]] RateDeck with_schedule(RateSchedule schedule) const;

  [[nodiscard]] const std::string& id() const noexcept;
  [[nodiscard]] const std::string& currency() const noexcept;
  [[nodiscard]] const RateSchedule& schedule() const noexcept { return schedule_; }
  [[nodiscard]] std::size_t size() const noexcept;  ///< Rates.
  /// Rates by prefix, then by valid_from_us; for lists and exports. `index` < size().
  [[nodiscard]] const Rate& at(std::size_t index) const noexcept;

 private:
  struct Body;
  explicit RateDeck(std::shared_ptr<const Body> body) noexcept;
  std::shared_ptr<const Body> body_;
  RateSchedule schedule_;
};

/// Collects rates, then freezes them. Threading: one thread at a time.
class TANDEM_EXPORT RateDeck::Builder {
 public:
  explicit Builder(std::string id, std::string currency = {});
  ~Builder();
  Builder(Builder&&) noexcept;
  Builder& operator=(Builder&&) noexcept;

  /// Makes room for so many rates at once, instead of piece by piece.
  void reserve(std::size_t rates);

  /// Errors: invalid_argument (a field out of range), already_exists (prefix and valid_from_us
  /// added before), limit (rates_max). A failed add() leaves the builder as it was.
  Result<void> add(Rate rate);

  /// Leaves the builder empty. Errors: limit (the prefixes need more memory than the table can
  /// address).
  [[nodiscard]] Result<RateDeck> build();

 private:
  std::unique_ptr<Body> body_;
};

/// Numbers that are never charged (`free_numbers`, B-09). Threading: immutable; any number of
/// threads may call it at once.
class TANDEM_EXPORT FreeNumbers {
 public:
  static constexpr std::size_t numbers_max = 100'000;

  FreeNumbers() noexcept = default;
  /// Entries are numbers; a trailing '*' stands for any rest. Errors: invalid_argument (an entry is
  /// no number), limit.
  static Result<FreeNumbers> from_list(const std::vector<std::string>& entries);
  /// The same from comma text, spaces around entries ignored: "110, 119, 800*". Errors: the same.
  static Result<FreeNumbers> from_text(std::string_view text);
  [[nodiscard]] bool contains(std::string_view number) const noexcept;

 private:
  std::vector<std::string> exact_;  // sorted, distinct
  std::vector<std::string>
      prefixes_;  // sorted; none starts with another, so one comparison decides
};

/// A rated call with all that the `rate` command prints.
struct RatedCall {
  Charge charge;
  std::string rate_prefix;
  std::string currency;
  std::vector<ChargeStep> steps;
};

/// Rates a call to `callee` as the switch would (the `rate` command): lookup, then rate_call() with
/// a recorder, windows by the schedule of the deck. Errors: not_found (no rate), wrong_state (the
/// rate is locked), and those of rate_call().
TANDEM_EXPORT Result<RatedCall> rate_number(const RateDeck& deck, std::string_view callee,
                                            std::int64_t talk_time_ms, std::int64_t at_us,
                                            const FeeRules& rules,
                                            const FreeNumbers& free_numbers = {});

/// One JSON object without line end: charge billed_time_s rate_prefix currency steps[]. Money is
/// decimal text.
TANDEM_EXPORT std::string to_json(const RatedCall& call);

/// Reads a deck in CSV: a header line with column names of `rates[]`, `prefix`
/// and `price` among them, then a rate a line. UTF-8 with or without byte order mark; ',' or ';' as
/// the header line has it; quotes as in RFC 4180. Times are RFC 3339 or YYYY-MM-DD (UTC). An empty
/// cell is the default.
///
/// `name`: how errors call the text ("more.csv"). Errors: invalid_argument (names file, row and
/// column; rows count lines of the table from 1, the header), limit (rates_max, 16384 bytes a
/// cell). Threading: immutable; any number of threads may call it at once. `on_progress`: called
/// now and then with the bytes that were read so far.
TANDEM_EXPORT Result<std::vector<Rate>> parse_deck_csv(
    std::string_view text, std::string_view name,
    const std::function<void(std::size_t)>& on_progress = {});
/// The same from a file of at most 2 GiB. Errors: also io. Blocks.
TANDEM_EXPORT Result<std::vector<Rate>> load_deck_csv(const std::string& path);

/// A deck as CSV, rates in the order of at(): equal decks give equal texts, and reading one gives
/// the deck again. The columns from `tiers` on are there when some rate fills them.
TANDEM_EXPORT std::string to_csv(const RateDeck& deck);
/// One rate as a JSON object with the keys of `rates[]`; those that say nothing are left out.
TANDEM_EXPORT std::string to_json(const Rate& rate);

/// Longest duration that an object allows a call (B-12): drawn anew for each call, uniform in
/// lower_s..upper_s.
struct MaxCallDuration {
  std::int64_t lower_s = 0;
  std::int64_t upper_s = 0;  ///< >= lower_s; 0: no limit.
  bool operator==(const MaxCallDuration&) const = default;
  /// Seconds for one call; 0: no limit. Draws only when the bounds differ.
  [[nodiscard]] TANDEM_EXPORT std::int64_t draw_s(Random& random) const noexcept;
};

/// The smaller of two limits where 0 means none.
[[nodiscard]] constexpr std::int64_t tighter_limit_s(std::int64_t a_s, std::int64_t b_s) noexcept {
  if (a_s == 0 || b_s == 0) return a_s + b_s;
  return a_s < b_s ? a_s : b_s;
}

}  // namespace tandem
