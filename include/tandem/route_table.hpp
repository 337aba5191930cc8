// From called number to the vendors to try, best first (R-01..R-09, R-14).
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/error.hpp"
#include "tandem/export.h"
#include "tandem/number_policy.hpp"
#include "tandem/values.hpp"

namespace tandem {

class RouteTable;

/// What happens to shorter prefixes once vendors were found at a longer one.
enum class PrefixMode : std::uint8_t {
  extension,   ///< Shorter matching prefixes are appended as fallback.
  expiration,  ///< Shorter matching prefixes are not tried.
};

/// One vendor gateway as far as choosing it goes.
struct VendorRoute {
  std::string gateway;  ///< 1..255 bytes, unique; also the last key of the order.
  /// 0..32 characters of R-01 each, repetitions are taken once. Empty, or holding "": matches every
  /// number, after all longer matches.
  std::vector<std::string> prefixes;
  PrefixMode prefix_mode = PrefixMode::extension;
  int priority = 0;     ///< 0..65535; lower is tried first among vendors of one prefix length.
  int line_limit = -1;  ///< Calls at once; -1: unlimited, 0: none (still a candidate, always full).
  bool locked = false;  ///< Never a candidate (R-14).
  std::vector<std::string> allow_customers;  ///< Only these may use it; empty: see below.
  std::vector<std::string>
      deny_customers;          ///< All but these may; both empty: everybody may (R-09).
  NumberPolicyConfig numbers;  ///< Judged on the query's `calling` and listed_callee().
  /// Behind all that are not, whatever its prefix and priority. A protect vendor in mode
  /// expiration keeps other protect vendors from following at shorter prefixes, nobody else.
  bool protect = false;
};

/// How busy vendors are; read while candidates are ordered.
/// Threading: called on the thread of the lookup, from any number of them at once; must not block.
class TANDEM_EXPORT LineLoad {
 public:
  virtual ~LineLoad();
  /// Calls that the vendor with this index carries now.
  [[nodiscard]] virtual std::uint32_t current_calls(std::uint32_t gateway) const noexcept = 0;
};

/// A key of the order beside prefix, priority and load.
enum class RoutePolicy : std::uint8_t {
  none,
  answer_ratio,  ///< Higher percentage of answered attempts first.
  lowest_rate,   ///< Lower price of a second first.
  talk_time,     ///< Longer average talk of answered calls first, in whole seconds.
};
/// "none", "answer_ratio", "lowest_rate", "talk_time". Lives for ever.
TANDEM_EXPORT const char* route_policy_name(RoutePolicy policy) noexcept;

/// Where policies stand in the order; two at one place are compared one after the other.
struct RouteSort {
  using Place = std::array<RoutePolicy, 2>;
  Place before_prefix{}, after_prefix{}, after_priority{};

  [[nodiscard]] bool uses(RoutePolicy policy) const noexcept {
    for (const Place* place : {&before_prefix, &after_prefix, &after_priority}) {
      if ((*place)[0] == policy || (*place)[1] == policy) return true;
    }
    return false;
  }
  [[nodiscard]] bool empty() const noexcept { return *this == RouteSort{}; }
  bool operator==(const RouteSort&) const = default;
};

/// Why a vendor is not a candidate.
enum class RouteExclusionReason : std::uint8_t {
  no_prefix_match,
  locked,
  customer_not_allowed,
  number_restricted,
  shorter_prefix_behind_expiration,
  closed,  ///< Out of hours (R-13).
};
/// Name of a reason, for instance "number_restricted". Lives for ever.
TANDEM_EXPORT const char* route_exclusion_reason_name(RouteExclusionReason reason) noexcept;

/// One vendor at the moment of a lookup. Comes with what the table knows.
struct VendorStanding {
  std::uint16_t priority = 0;    ///< Of the table; may be replaced (R-13).
  std::int32_t line_limit = -1;  ///< Likewise; -1: unlimited, 0: none.
  /// Set: no candidate, as if it were locked.
  std::optional<RouteExclusionReason> excluded;
  NumberVerdict number = NumberVerdict::accepted;  ///< Which rule, when `number_restricted`.
  Amount price;                  ///< Of `price_per_s` seconds to the called number (R-06).
  std::int64_t price_per_s = 0;  ///< 0: no price, behind all that have one.
  /// False: only counts whether the price is the lowest; behind all other prices when it is not.
  bool compares_price = true;
  /// 0..100; nothing: not known, and counted as the mean of those that are.
  std::optional<std::uint32_t> answer_percent;
  std::optional<std::uint32_t> talk_time_s;  ///< Average of answered calls, likewise.
};

struct RouteQuery;

/// What is true of vendors at this moment; asked while candidates are ordered.
/// Threading: called on the thread of the lookup, from any number of them at once; must not block.
class TANDEM_EXPORT RouteConditions {
 public:
  virtual ~RouteConditions();
  /// Completes what is known of the vendor with this index. The same query gives the same answer
  /// for the length of a lookup, which may ask twice.
  virtual void judge(std::uint32_t gateway, const RouteQuery& query,
                     VendorStanding& standing) const noexcept = 0;
};

/// Whose turn it is in each set of vendors with one prefix and one priority (R-04, key 6).
///
/// Each set remembers which vendor it put first last; the next lookup counts from the one after
/// it, in order of name. The first lookup starts with the first name.
///
/// Belongs to the table it was made for. Threading: thread-safe, without locks; lookups that order
/// one set at the same moment may take the same turn.
class TANDEM_EXPORT RouteRotation {
 public:
  explicit RouteRotation(const RouteTable& table);
  /// Takes over the turns of `previous`, which belongs to `previous_table`, by prefix, priority and
  /// gateway name, so that a new table does not send every next call to the first name.
  RouteRotation(const RouteTable& table, const RouteTable& previous_table,
                const RouteRotation& previous);
  RouteRotation(const RouteRotation&) = delete;
  RouteRotation& operator=(const RouteRotation&) = delete;
  RouteRotation(RouteRotation&&) noexcept = default;
  RouteRotation& operator=(RouteRotation&&) noexcept = default;

 private:
  friend class RouteTable;
  // Position in its set of the vendor put first last, plus 1; 0: no lookup yet.
  std::vector<std::atomic<std::uint32_t>> turns_;
};

/// One question to the table.
struct RouteQuery {
  std::string_view called;   ///< After source rewriting; anything but 1..32 characters of R-01
                             ///< matches nothing.
  std::string_view calling;  ///< As routing sees it; may be empty.
  /// The callee that number lists judge (N-06) where it is not `called`: without a prefix that only
  /// steers, or dialled and not where it was ported to. Empty: `called`.
  std::string_view callee;
  /// Only shorter prefixes count: what follows behind an expiration vendor that could not take the
  /// call. 0: all of them.
  std::uint8_t shorter_than = 0;
  std::string_view customer;  ///< Id of the customer gateway; "": none (passes deny lists only).
  const LineLoad* load = nullptr;     ///< nullptr: every vendor counts as idle.
  RouteRotation* rotation = nullptr;  ///< nullptr: order by name. lookup() takes the turns of the
                                      ///< sets it orders, explain() only looks at them.
  const RouteConditions* conditions = nullptr;  ///< nullptr: what the table knows is all.
  RouteSort sort;                               ///< Empty: prefix, priority, load, turn, name.

  [[nodiscard]] std::string_view listed_callee() const noexcept {
    return callee.empty() ? called : callee;
  }
};

/// One vendor to try, with the keys that gave it its place.
struct RouteCandidate {
  std::uint32_t gateway = 0;      ///< Index in order of RouteTable::Builder::add().
  std::uint32_t rank = 0;         ///< Place in the answer, from 0.
  std::string_view gateway_name;  ///< Lives as long as the table.
  std::string_view prefix;        ///< The part of `RouteQuery::called` that matched; a view of it.
  std::uint8_t prefix_length = 0;
  std::uint16_t priority = 0;
  std::uint32_t load_calls = 0;  ///< Load ratio = load_calls / load_limit. Unlimited: 0 / 1;
  std::uint32_t load_limit = 1;  ///< no lines: 1 / 0, above every other.
  std::uint32_t sequence = 0;    ///< Turns until this vendor is due in its set; 0 is due now.
  bool is_protect = false;
  bool compares_price = true;        ///< As VendorStanding has it, and the next three.
  std::int16_t answer_percent = -1;  ///< -1: not known.
  Amount price;
  std::int64_t price_per_s = 0;
  std::int64_t talk_time_s = -1;  ///< -1: not known.
};

struct RouteExclusion {
  std::uint32_t gateway = 0;
  std::string_view gateway_name;  ///< Lives as long as the table.
  RouteExclusionReason reason = RouteExclusionReason::no_prefix_match;
  NumberVerdict number = NumberVerdict::accepted;  ///< Which rule, when `number_restricted`.
};

/// Every vendor of a table, once: in order of trial, or with what keeps it out.
struct RouteExplanation {
  std::vector<RouteCandidate> candidates;
  std::vector<RouteExclusion> excluded;  ///< By index.
};

/// Longest-prefix table from called number to vendors.
///
/// Order: protect vendors last; matched prefix length, longer first; priority, smaller
/// first; load ratio, smaller first and compared exactly; rotation; gateway name. Policies of the
/// query come in where it says. A vendor with several matching prefixes appears once, at the
/// longest.
///
/// Threading: immutable; any number of threads may call it at once. To change routes, build a new
/// table and publish it; calls keep the one they started with.
/// Ownership: holds copies of what the builder was given; copies of a table share one body.
class TANDEM_EXPORT RouteTable {
 public:
  class Builder;
  RouteTable();  ///< Routes nothing.

  /// Writes the best `out.size()` vendors for the query, best first, and returns how many it wrote.
  /// 0 means no route: an answer, not an error. Does not allocate. Without conditions, policies and
  /// protect vendors it costs what it writes: a span of one asks for the best vendor only.
  std::size_t lookup(const RouteQuery& query, std::span<RouteCandidate> out) const noexcept;

  /// All of them, for callers that may allocate.
  [[nodiscard]] std::vector<RouteCandidate> lookup(const RouteQuery& query) const;

  /// What lookup() would answer now, by the same code, and what excluded every other vendor. Takes
  /// no turn.
  [[nodiscard]] RouteExplanation explain(const RouteQuery& query) const;

  [[nodiscard]] std::size_t size() const noexcept;          ///< Vendors.
  [[nodiscard]] std::size_t prefix_count() const noexcept;  ///< Distinct prefixes.
  [[nodiscard]] std::size_t row_count() const noexcept;     ///< Pairs of vendor and prefix.
  [[nodiscard]] std::size_t memory_bytes() const noexcept;  ///< Of the body, without vendor names.
  /// REQUIRES: `gateway` < size(). The view lives as long as the table.
  [[nodiscard]] std::string_view gateway_name(std::uint32_t gateway) const noexcept;
  [[nodiscard]] int line_limit(std::uint32_t gateway) const noexcept;
  [[nodiscard]] const NumberPolicy& numbers(std::uint32_t gateway) const noexcept;

 private:
  friend class RouteRotation;
  struct Body;
  explicit RouteTable(std::shared_ptr<const Body> body) noexcept;
  std::shared_ptr<const Body> body_;
};

/// Collects vendors, then freezes them. Threading: one thread at a time.
class TANDEM_EXPORT RouteTable::Builder {
 public:
  Builder();
  ~Builder();
  Builder(Builder&&) noexcept;
  Builder& operator=(Builder&&) noexcept;

  /// Gives the vendor the next index. A failed add() leaves the builder as it was.
  /// Errors: invalid_argument (a field out of range), already_exists (the gateway was added
  /// before).
  Result<void> add(VendorRoute vendor);

  [[nodiscard]] RouteTable build();  ///< Leaves the builder empty.

 private:
  struct Draft;
  std::unique_ptr<Draft> draft_;
};

}  // namespace tandem
