#include "tandem/number_policy.hpp"

#include <algorithm>
#include <functional>
#include <unordered_set>

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

Error bad_prefix(std::string_view prefix) {
  return {ErrorCode::invalid_argument,
          "prefix \"" + std::string(prefix) + "\" was not 0..32 characters of 0-9 A-Z a-z + * # _"};
}

/// Looks up by view without making a string.
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const noexcept {
    return std::hash<std::string_view>()(text);
  }
};

bool any_has(const std::vector<NumberSet>& sets, std::string_view number) noexcept {
  return std::any_of(sets.begin(), sets.end(),
                     [number](const NumberSet& set) { return set.contains(number); });
}

bool any_fits(const std::vector<NumberPair>& pairs, std::string_view caller,
              std::string_view callee) noexcept {
  return std::any_of(pairs.begin(), pairs.end(), [&](const NumberPair& pair) {
    return caller.starts_with(pair.caller) && callee.starts_with(pair.callee);
  });
}

unsigned bit_of(NumberKind kind) noexcept { return 1u << static_cast<unsigned>(kind); }

bool is_of(unsigned kinds, const NumberingPlan::Class& known) noexcept {
  return known.is_plausible && (kinds & bit_of(known.kind)) != 0;
}

/// A call within a city is a pair of one prefix.
Result<std::vector<NumberPair>> city_pairs(const std::vector<std::string>& codes) {
  std::vector<NumberPair> pairs;
  for (const std::string& code : codes) {
    if (!is_number(code)) return bad_prefix(code);
    pairs.push_back({code, code});
  }
  return pairs;
}

}  // namespace

struct NumberSet::Body {
  std::unordered_set<std::string, TextHash, std::equal_to<>> numbers;
};

Result<NumberSet> NumberSet::build(const std::vector<std::string>& numbers) {
  NumberSet set;
  auto body = std::make_shared<Body>();
  body->numbers.reserve(numbers.size());
  for (const std::string& number : numbers) {
    if (!is_number(number)) {
      return Error{ErrorCode::invalid_argument,
                   "number \"" + number + "\" was not 1..32 characters of 0-9 A-Z a-z + * # _"};
    }
    body->numbers.insert(number);
  }
  set.body_ = std::move(body);
  return set;
}

bool NumberSet::contains(std::string_view number) const noexcept {
  return body_ != nullptr && body_->numbers.contains(number);
}

std::size_t NumberSet::size() const noexcept {
  return body_ == nullptr ? 0 : body_->numbers.size();
}

Result<NumberPair> NumberPair::parse(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) {
    return Error{ErrorCode::invalid_argument,
                 "pair \"" + std::string(text) + "\" had no \":\" between its prefixes"};
  }
  NumberPair pair{std::string(text.substr(0, colon)), std::string(text.substr(colon + 1))};
  for (const std::string& prefix : {pair.caller, pair.callee}) {
    if (!prefix.empty() && !is_number(prefix)) return bad_prefix(prefix);
  }
  return pair;
}

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
    case NumberVerdict::pair_not_allowed:
      return "pair_not_allowed";
    case NumberVerdict::pair_denied:
      return "pair_denied";
    case NumberVerdict::city_not_allowed:
      return "city_not_allowed";
    case NumberVerdict::city_denied:
      return "city_denied";
    case NumberVerdict::caller_kind:
      return "caller_kind";
    case NumberVerdict::callee_kind:
      return "callee_kind";
    case NumberVerdict::mobile_area_not_allowed:
      return "mobile_area_not_allowed";
    case NumberVerdict::mobile_area_denied:
      return "mobile_area_denied";
  }
  return "unknown";
}

Result<PrefixSet> PrefixSet::build(std::vector<std::string> prefixes) {
  for (const std::string& prefix : prefixes) {
    if (!prefix.empty() && !is_number(prefix)) return bad_prefix(prefix);
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

std::optional<std::string_view> PrefixSet::prefix_of(std::string_view number) const noexcept {
  auto after = std::upper_bound(prefixes_.begin(), prefixes_.end(), number,
                                [](std::string_view a, std::string_view b) { return a < b; });
  if (after == prefixes_.begin() || !number.starts_with(*std::prev(after))) return std::nullopt;
  return *std::prev(after);
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
  policy.allow_callers_ = config.allow_callers;
  policy.deny_callers_ = config.deny_callers;
  policy.allow_callees_ = config.allow_callees;
  policy.deny_callees_ = config.deny_callees;
  policy.allow_pairs_ = config.allow_pairs;
  policy.deny_pairs_ = config.deny_pairs;
  auto allowed = city_pairs(config.allow_same_city);
  if (!allowed) return allowed.error();
  policy.allow_cities_ = std::move(*allowed);
  auto denied = city_pairs(config.deny_same_city);
  if (!denied) return denied.error();
  policy.deny_cities_ = std::move(*denied);
  for (const NumberKind kind : config.caller_kinds)
    policy.caller_kinds_ |= bit_of(kind);
  for (const NumberKind kind : config.callee_kinds)
    policy.callee_kinds_ |= bit_of(kind);
  if ((policy.caller_kinds_ | policy.callee_kinds_) != 0 && config.plan.empty()) {
    return Error{ErrorCode::invalid_argument,
                 "kinds of numbers were named, and there was no numbering plan"};
  }
  auto allow_areas = config.plan.choose(config.allow_mobile_areas);
  if (!allow_areas) return allow_areas.error();
  auto deny_areas = config.plan.choose(config.deny_mobile_areas);
  if (!deny_areas) return deny_areas.error();
  policy.plan_ = config.plan;
  policy.allow_areas_ = std::move(*allow_areas);
  policy.deny_areas_ = std::move(*deny_areas);
  if ((policy.caller_kinds_ | policy.callee_kinds_) != 0 || !policy.allow_areas_.empty() ||
      !policy.deny_areas_.empty()) {
    policy.restricts_ = true;
  }
  for (const auto* sets : {&policy.allow_callers_, &policy.deny_callers_, &policy.allow_callees_,
                           &policy.deny_callees_})
    policy.restricts_ |= !sets->empty();
  for (const auto* pairs :
       {&policy.allow_pairs_, &policy.deny_pairs_, &policy.allow_cities_, &policy.deny_cities_})
    policy.restricts_ |= !pairs->empty();
  if (policy.caller_lengths_ != 0 || policy.callee_lengths_ != 0) policy.restricts_ = true;
  return policy;
}

NumberVerdict NumberPolicy::judge(std::string_view caller, std::string_view callee) const noexcept {
  if (!restricts_) return NumberVerdict::accepted;
  if (!allows_length(caller_lengths_, caller.size())) return NumberVerdict::caller_length;
  if (!allows_length(callee_lengths_, callee.size())) return NumberVerdict::callee_length;
  if ((!allow_caller_.empty() && !allow_caller_.has_prefix_of(caller)) ||
      (!allow_callers_.empty() && !any_has(allow_callers_, caller))) {
    return NumberVerdict::caller_not_allowed;
  }
  if (deny_caller_.has_prefix_of(caller) || any_has(deny_callers_, caller))
    return NumberVerdict::caller_denied;
  if ((!allow_callee_.empty() && !allow_callee_.has_prefix_of(callee)) ||
      (!allow_callees_.empty() && !any_has(allow_callees_, callee))) {
    return NumberVerdict::callee_not_allowed;
  }
  if (deny_callee_.has_prefix_of(callee) || any_has(deny_callees_, callee))
    return NumberVerdict::callee_denied;
  if (!allow_pairs_.empty() && !any_fits(allow_pairs_, caller, callee))
    return NumberVerdict::pair_not_allowed;
  if (any_fits(deny_pairs_, caller, callee)) return NumberVerdict::pair_denied;
  if (!allow_cities_.empty() && !any_fits(allow_cities_, caller, callee))
    return NumberVerdict::city_not_allowed;
  if (any_fits(deny_cities_, caller, callee)) return NumberVerdict::city_denied;
  if (caller_kinds_ != 0 && !is_of(caller_kinds_, plan_.classify(caller)))
    return NumberVerdict::caller_kind;
  return judge_callee_by_plan(callee);
}

std::string NumberPolicy::refusing_entry(std::string_view caller, std::string_view callee) const {
  const auto denied = [](const PrefixSet& prefixes, const std::vector<NumberSet>& groups,
                         std::string_view number) {
    if (const auto prefix = prefixes.prefix_of(number)) return std::string(*prefix);
    const auto group = std::find_if(groups.begin(), groups.end(),
                                    [&](const NumberSet& set) { return set.contains(number); });
    if (group == groups.end()) return std::string();
    return "group " + std::to_string(group - groups.begin() + 1);
  };
  const auto fitting = [&](const std::vector<NumberPair>& pairs) -> const NumberPair* {
    const auto pair = std::find_if(pairs.begin(), pairs.end(), [&](const NumberPair& one) {
      return any_fits({one}, caller, callee);
    });
    return pair == pairs.end() ? nullptr : &*pair;
  };
  switch (judge(caller, callee)) {
    case NumberVerdict::caller_length:
      return std::to_string(caller.size());
    case NumberVerdict::callee_length:
      return std::to_string(callee.size());
    case NumberVerdict::caller_denied:
      return denied(deny_caller_, deny_callers_, caller);
    case NumberVerdict::callee_denied:
      return denied(deny_callee_, deny_callees_, callee);
    case NumberVerdict::pair_denied: {
      const NumberPair* const pair = fitting(deny_pairs_);
      return pair == nullptr ? std::string() : pair->caller + ":" + pair->callee;
    }
    case NumberVerdict::city_denied: {
      const NumberPair* const city = fitting(deny_cities_);
      return city == nullptr ? std::string() : city->callee;
    }
    case NumberVerdict::caller_kind:
      return number_kind_name(plan_.classify(caller).kind);
    case NumberVerdict::callee_kind:
      return number_kind_name(plan_.classify(callee).kind);
    default:
      return {};
  }
}

NumberVerdict NumberPolicy::judge_callee_by_plan(std::string_view callee) const noexcept {
  if (callee_kinds_ == 0 && allow_areas_.empty() && deny_areas_.empty())
    return NumberVerdict::accepted;
  const NumberingPlan::Class known = plan_.classify(callee);
  if (callee_kinds_ != 0 && !is_of(callee_kinds_, known)) return NumberVerdict::callee_kind;
  if (known.kind != NumberKind::mobile) return NumberVerdict::accepted;
  const auto is_in = [&](const std::vector<bool>& areas) {
    return known.area < areas.size() && areas[known.area];
  };
  if (!allow_areas_.empty() && !is_in(allow_areas_)) return NumberVerdict::mobile_area_not_allowed;
  if (is_in(deny_areas_)) return NumberVerdict::mobile_area_denied;
  return NumberVerdict::accepted;
}

}  // namespace tandem
