// What a rate may say beyond one price: sections, tiers, windows of days and hours, free seconds,
// a cap, a tax; and what windows are judged by.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/calendar.hpp"
#include "tandem/error.hpp"
#include "tandem/export.h"
#include "tandem/values.hpp"

namespace tandem {

inline constexpr std::int64_t rate_period_max_s =
    100'000'000;                                      ///< Longest per_s, first_s, next_s, section.
inline constexpr std::size_t rate_sections_max = 16;  ///< Most sections of one rate.
inline constexpr std::size_t rate_tiers_max = 16;     ///< Most tiers of one rate or window.
inline constexpr std::size_t rate_windows_max = 32;   ///< Most windows of one rate.
/// Largest tax: 1000 percent.
inline constexpr Amount tax_percent_max = Amount::from_units(1000 * Amount::scale);

/// A piece of a call with one price for all of it (B-05, B-06).
struct RateSection {
  Amount price;              ///< Of the whole section, >= 0.
  std::int64_t seconds = 0;  ///< 0..rate_period_max_s; 0 makes it a connection fee.
  bool operator==(const RateSection&) const = default;
};

/// Another price from some second of the call on. An increment that began before runs to its end.
struct RateTier {
  std::int64_t from_s = 0;  ///< 1..rate_period_max_s, counted without free seconds.
  Amount price;             ///< Of `per_s` seconds, >= 0.
  std::int32_t per_s = 0;   ///< 1..rate_period_max_s; 0: as the rate or window says.
  std::int32_t next_s = 0;  ///< Increment, 1..; 0: as the rate or window says.
  bool operator==(const RateTier&) const = default;
};

/// Other prices on some hours of some days (B-24). What it does not say is as in the rate; a window
/// that has a price or tiers of its own does not take the tiers of the rate. Sections, minimum, cap
/// and tax are the rate's everywhere.
struct RateWindow {
  DaySet days = DaySet::every();  ///< The day is the one on which the window began.
  std::int32_t from_s = 0;        ///< Seconds since local midnight, 0..86399.
  std::int32_t to_s = 86400;      ///< Exclusive, 1..86400; before `from_s`: of the next day.
  std::optional<Amount> price;    ///< Of `per_s` seconds, >= 0.
  std::int32_t per_s = 0;         ///< 1..rate_period_max_s; 0: the rate's. Likewise the next two.
  std::int32_t first_s = 0;
  std::int32_t next_s = 0;
  std::optional<Amount> connection_fee;  ///< >= 0.
  std::vector<RateTier> tiers;
  bool operator==(const RateWindow&) const = default;
};

/// What only few rates say.
struct RateTerms {
  std::vector<RateTier> tiers;  ///< In order of from_s, all different.
  /// The first one that holds is the one, but on a day of class `holiday` those that name `holiday`
  /// go before the others. Where none holds the prices of the rate do.
  std::vector<RateWindow> windows;
  std::int64_t grace_s =
      0;                    ///< A call of at most so many seconds costs nothing; 0: every one does.
  std::int64_t free_s = 0;  ///< Taken off every call, after `free_time_s`.
  Amount maximum;           ///< Most that a call costs before tax; zero: no bound.
  /// On top of the sum, before the rounding: 0..tax_percent_max, at most 4 decimals. Nothing: what
  /// FeeRules say.
  std::optional<Amount> tax_percent;
  bool operator==(const RateTerms&) const = default;
};

/// RateTerms that are there or not, as a value: copies share one body and compare by content.
/// Threading: immutable; any number of threads may call it at once.
class TANDEM_EXPORT RareTerms {
 public:
  RareTerms() noexcept = default;
  /// Terms that say nothing are not there.
  RareTerms(RateTerms terms);  // NOLINT(google-explicit-constructor): `rate.terms = {...}`
  explicit operator bool() const noexcept { return body_ != nullptr; }
  const RateTerms& operator*() const noexcept { return body_ ? *body_ : none(); }
  const RateTerms* operator->() const noexcept { return &**this; }
  bool operator==(const RareTerms& other) const noexcept {
    return body_ == other.body_ || **this == *other;
  }

 private:
  static const RateTerms& none() noexcept;
  std::shared_ptr<const RateTerms> body_;
};

/// What the windows of a deck are judged by: a zone, the classes of its days, and whether a call
/// that crosses a boundary is split there.
///
/// Threading: immutable; any number of threads may call it at once. Copies share one body.
class TANDEM_EXPORT RateSchedule {
 public:
  RateSchedule() noexcept = default;  ///< UTC, Monday to Friday work, not split.

  /// `calendar.timezone`: "" is UTC. `is_split`: each increment is priced by the window in which it
  /// begins; else the window of the call's start holds for all of it. Errors: invalid_argument (no
  /// such zone). Reads the zone's file.
  static Result<RateSchedule> build(const CalendarConfig& calendar, bool is_split);
  /// The same from words with spaces between them, in any order: `split`, `zone=Europe/London`,
  /// `sat=work`, `2026-12-25=holiday`. Errors: invalid_argument.
  static Result<RateSchedule> parse(std::string_view text);
  /// Words that parse() reads again; "" for the default. Dated exceptions are those of the UTC days
  /// around [from_us, until_us), which is what a call in that time needs.
  [[nodiscard]] std::string to_string(std::int64_t from_us = 0,
                                      std::int64_t until_us = INT64_MAX) const;

  [[nodiscard]] bool is_split() const noexcept;

  struct Body;
  /// Null: the default.
  [[nodiscard]] const Body* body() const noexcept { return body_.get(); }

 private:
  explicit RateSchedule(std::shared_ptr<const Body> body) noexcept : body_(std::move(body)) {}
  std::shared_ptr<const Body> body_;
};

/// Prices that go before those of a rate for as long as they hold: period rates of a package that
/// splits calls (B-24). Increments that begin then have them; connection fee and sections of the
/// rate are due when the call begins at another time; minimum, cap, tax, grace and free seconds are
/// the rate's.
struct RateOverlay {
  /// At most rate_windows_max. The first one that holds is the one, on holidays too. What one does
  /// not say is as in the rate, but there are no tiers and no connection fee other than its own.
  std::vector<RateWindow> windows;
  RateSchedule schedule;  ///< Zone and classes of days; always split.
};
/// Where the first one has no price the next one is asked, then the rate.
using RateOverlays = std::vector<RateOverlay>;
inline constexpr std::size_t rate_overlays_max = 16;  ///< Most of one call.

/// The moment that the windows of a rate are judged from. Rates without windows do not ask for it.
struct CallStart {
  std::int64_t at_us = 0;  ///< Answer of the call, microseconds since 1970 UTC.
  RateSchedule schedule;
  std::shared_ptr<const RateOverlays> overlays{};  ///< Null: none.
};

/// Reads the CSV form of sections, "30:0.05;0:0.01" (seconds:price). Errors: invalid_argument,
/// limit.
TANDEM_EXPORT Result<std::vector<RateSection>> parse_sections(std::string_view text);
/// Reads the CSV form of tiers, "60:0.50/60/10;300:0.40" (from_s:price/per_s/next_s; what is left
/// out is the rate's). Errors: invalid_argument, limit.
TANDEM_EXPORT Result<std::vector<RateTier>> parse_tiers(std::string_view text);
/// Reads the CSV form of windows, "mon-fri 18:00-24:00 price=0.30 next_s=6;holiday price=0.20":
/// days, hours (all day when left out), then any of price, per_s, first_s, next_s, connection_fee
/// and tiers (commas between them). Errors: invalid_argument, limit.
TANDEM_EXPORT Result<std::vector<RateWindow>> parse_windows(std::string_view text);
TANDEM_EXPORT std::string to_text(const std::vector<RateSection>& sections);
TANDEM_EXPORT std::string to_text(const std::vector<RateTier>& tiers);
TANDEM_EXPORT std::string to_text(const std::vector<RateWindow>& windows);

}  // namespace tandem
