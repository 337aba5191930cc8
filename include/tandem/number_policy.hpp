// Which numbers a gateway takes: allowed lengths, prefix lists, number groups, pairs (N-06).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/error.hpp"
#include "tandem/export.h"
#include "tandem/numbering_plan.hpp"

namespace tandem {

/// Numbers that are in it or not, exactly.
///
/// Threading: immutable; any number of threads may call it at once. Copies share one body.
class TANDEM_EXPORT NumberSet {
 public:
  NumberSet() = default;  ///< Holds none.
  /// Errors: invalid_argument (what is no number of R-01). A number may be given twice.
  static Result<NumberSet> build(const std::vector<std::string>& numbers);

  [[nodiscard]] bool contains(std::string_view number) const noexcept;
  [[nodiscard]] std::size_t size() const noexcept;

 private:
  struct Body;
  std::shared_ptr<const Body> body_;
};

/// Calls whose caller begins with the one and whose callee begins with the other prefix.
struct NumberPair {
  std::string caller;  ///< 0..32 characters of R-01.
  std::string callee;
  /// Reads "025:010". Errors: invalid_argument.
  static TANDEM_EXPORT Result<NumberPair> parse(std::string_view text);
};

/// What a gateway's settings say about numbers. Every empty list means: no restriction.
struct NumberPolicyConfig {
  std::vector<int>
      caller_lengths;  ///< Allowed lengths, 0..32 characters; 0 allows an absent caller.
  std::vector<int> callee_lengths;
  std::vector<std::string> allow_caller_prefixes;  ///< 0..32 characters of R-01 each.
  std::vector<std::string> deny_caller_prefixes;   ///< Outranks the allow list.
  std::vector<std::string> allow_callee_prefixes;
  std::vector<std::string> deny_callee_prefixes;
  std::vector<NumberSet> allow_callers;  ///< The caller must be in one of them.
  std::vector<NumberSet> deny_callers;   ///< Outranks the allow list.
  std::vector<NumberSet> allow_callees;
  std::vector<NumberSet> deny_callees;
  std::vector<NumberPair> allow_pairs;  ///< The call must be one of these.
  std::vector<NumberPair> deny_pairs;   ///< Outranks the allow list.
  /// City codes: a call is within a city when both its numbers begin with one of them.
  std::vector<std::string> allow_same_city;
  std::vector<std::string> deny_same_city;
  NumberingPlan plan;  ///< What the four below are judged by.
  /// Kinds that the caller may be of. A number that is not as long as those of its prefix is of
  /// none.
  std::vector<NumberKind> caller_kinds;
  std::vector<NumberKind> callee_kinds;
  /// Callees that are mobiles must have their home in one of these areas; other numbers may go.
  std::vector<std::string> allow_mobile_areas;
  std::vector<std::string> deny_mobile_areas;  ///< Outranks the allow list.
};

/// Outcome of a check. The first rule that refuses, in this order, is the one reported.
enum class NumberVerdict : std::uint8_t {
  accepted,
  caller_length,
  callee_length,
  caller_not_allowed,  ///< The allow lists have no prefix of it, or no group has it.
  caller_denied,       ///< A deny list has a prefix of it, or a group has it.
  callee_not_allowed,
  callee_denied,
  pair_not_allowed,
  pair_denied,
  city_not_allowed,  ///< Not within one of the allowed cities.
  city_denied,
  caller_kind,  ///< Of no allowed kind, or too short or long for its prefix.
  callee_kind,
  mobile_area_not_allowed,
  mobile_area_denied,
};

/// Name of a verdict, for instance "caller_not_allowed". Lives for ever.
TANDEM_EXPORT const char* number_verdict_name(NumberVerdict verdict) noexcept;

/// A set of prefixes that answers "does any of them begin this number?" in one binary search.
///
/// Threading: immutable; any number of threads may call it at once.
class TANDEM_EXPORT PrefixSet {
 public:
  PrefixSet() = default;
  /// Errors: invalid_argument (a prefix longer than 32 characters or with a character outside
  ///
  static Result<PrefixSet> build(std::vector<std::string> prefixes);

  [[nodiscard]] bool has_prefix_of(std::string_view number) const noexcept {
    return prefix_of(number).has_value();
  }
  /// The shortest prefix of the set that begins the number. Lives as long as the set.
  [[nodiscard]] std::optional<std::string_view> prefix_of(std::string_view number) const noexcept;
  [[nodiscard]] bool empty() const noexcept { return prefixes_.empty(); }

 private:
  // Sorted, and no element begins another: so the only element that can begin a number is the
  // greatest one that is not greater than it.
  std::vector<std::string> prefixes_;
};

/// A compiled NumberPolicyConfig, shared by both sides of a call: a customer's refusal ends the
/// call, a vendor's skips that vendor.
///
/// Threading: immutable; any number of threads may call it at once.
class TANDEM_EXPORT NumberPolicy {
 public:
  NumberPolicy() = default;  ///< Accepts everything.
  /// Errors: invalid_argument (a length outside 0..32, a malformed prefix, kinds without a plan),
  /// not_found (an area that the plan does not have).
  static Result<NumberPolicy> build(const NumberPolicyConfig& config);

  [[nodiscard]] NumberVerdict judge(std::string_view caller,
                                    std::string_view callee) const noexcept;
  /// The entry that a verdict of judge() goes back to: "4420", "025:010", "group 2" for the second
  /// of the groups, or the length or kind that the number has. "" where the numbers are in no entry
  /// of a list that allows, and for accepted().
  [[nodiscard]] std::string refusing_entry(std::string_view caller, std::string_view callee) const;
  /// True when judge() cannot refuse anything.
  [[nodiscard]] bool accepts_everything() const noexcept { return !restricts_; }

 private:
  [[nodiscard]] NumberVerdict judge_callee_by_plan(std::string_view callee) const noexcept;

  std::uint64_t caller_lengths_ = 0;  // Bit n: length n is allowed; 0: every length is.
  std::uint64_t callee_lengths_ = 0;
  bool restricts_ = false;
  PrefixSet allow_caller_, deny_caller_, allow_callee_, deny_callee_;
  std::vector<NumberSet> allow_callers_, deny_callers_, allow_callees_, deny_callees_;
  std::vector<NumberPair> allow_pairs_, deny_pairs_, allow_cities_, deny_cities_;
  NumberingPlan plan_;
  unsigned caller_kinds_ = 0;  // Bit of each allowed kind; 0: none is asked for.
  unsigned callee_kinds_ = 0;
  std::vector<bool> allow_areas_, deny_areas_;  // By area of the plan; empty: none is named.
};

}  // namespace tandem
