#include "tandem/number_policy.hpp"

#include <algorithm>

#include "tandem/values.hpp"

namespace tandem {
namespace {

constexpr int number_length_max = 32;

Result<std::uint64_t> length_mask(const std::vector<int>& lengths, const char* side) {
  std::uint64_t mask = 0;
  for (int length : lengths) {
    if (length < 0 || length > number_length_max) {
      return Error{
          ErrorCode::invalid_argument,
          std::string(side) + " length " + std::to_string(length) + " was not between 0 and 32"};
    }
    mask |= std::uint64_t{1} << length;
  }
  return mask;
}

bool allows_length(std::uint64_t mask, std::size_t length) noexcept {
  if (mask == 0) return true;
  return length <= number_length_max && ((mask >> length) & 1) != 0;
}

}  // namespace

const char* number_verdict_name(NumberVerdict verdict) noexcept {
  switch (verdict) {
    case NumberVerdict::accepted:
      return "accepted";
    case NumberVerdict::caller_length:
      return "caller_length";
    case NumberVerdict::callee_length:
      return "callee_length";
    case NumberVerdict::caller_not_allowed:
      return "caller_not_allowed";
    case NumberVerdict::caller_denied:
      return "caller_denied";
    case NumberVerdict::callee_not_allowed:
      return "callee_not_allowed";
    case NumberVerdict::callee_denied:
      return "callee_denied";
  }
  return "unknown";
}

Result<PrefixSet> PrefixSet::build(std::vector<std::string> prefixes) {
  for (const std::string& prefix : prefixes) {
    if (!prefix.empty() && !is_number(prefix)) {
      return Error{ErrorCode::invalid_argument,
                   "prefix \"" + prefix + "\" was not 0..32 characters of 0-9 A-Z a-z + * # _"};
    }
  }
  std::sort(prefixes.begin(), prefixes.end());
  PrefixSet set;
  for (std::string& prefix : prefixes) {
    // Sorted order puts what a prefix covers right behind it.
    if (set.prefixes_.empty() || !prefix.starts_with(set.prefixes_.back())) {
      set.prefixes_.push_back(std::move(prefix));
    }
  }
  return set;
}

bool PrefixSet::has_prefix_of(std::string_view number) const noexcept {
  auto after = std::upper_bound(prefixes_.begin(), prefixes_.end(), number,
                                [](std::string_view a, std::string_view b) { return a < b; });
  return after != prefixes_.begin() && number.starts_with(*std::prev(after));
}

Result<NumberPolicy> NumberPolicy::build(const NumberPolicyConfig& config) {
  NumberPolicy policy;
  auto caller_lengths = length_mask(config.caller_lengths, "caller");
  if (!caller_lengths) return caller_lengths.error();
  auto callee_lengths = length_mask(config.callee_lengths, "callee");
  if (!callee_lengths) return callee_lengths.error();
  policy.caller_lengths_ = *caller_lengths;
  policy.callee_lengths_ = *callee_lengths;

  struct List {
    const std::vector<std::string>& from;
    PrefixSet& to;
  };
  for (const List& list : {List{config.allow_caller_prefixes, policy.allow_caller_},
                           List{config.deny_caller_prefixes, policy.deny_caller_},
                           List{config.allow_callee_prefixes, policy.allow_callee_},
                           List{config.deny_callee_prefixes, policy.deny_callee_}}) {
    auto set = PrefixSet::build(list.from);
    if (!set) return set.error();
    list.to = std::move(*set);
    if (!list.to.empty()) policy.restricts_ = true;
  }
  if (policy.caller_lengths_ != 0 || policy.callee_lengths_ != 0) policy.restricts_ = true;
  return policy;
}

NumberVerdict NumberPolicy::judge(std::string_view caller, std::string_view callee) const noexcept {
  if (!restricts_) return NumberVerdict::accepted;
  if (!allows_length(caller_lengths_, caller.size())) return NumberVerdict::caller_length;
  if (!allows_length(callee_lengths_, callee.size())) return NumberVerdict::callee_length;
  if (!allow_caller_.empty() && !allow_caller_.has_prefix_of(caller)) {
    return NumberVerdict::caller_not_allowed;
  }
  if (deny_caller_.has_prefix_of(caller)) return NumberVerdict::caller_denied;
  if (!allow_callee_.empty() && !allow_callee_.has_prefix_of(callee)) {
    return NumberVerdict::callee_not_allowed;
  }
  if (deny_callee_.has_prefix_of(callee)) return NumberVerdict::callee_denied;
  return NumberVerdict::accepted;
}

}  // namespace tandem
