#include <algorithm>
#include <initializer_list>
#include <string>
#include <utility>

#include "rating/formula.hpp"
#include "tandem/rating.hpp"

namespace tandem {
namespace {

Error out_of_range(std::string_view field, std::string_view value, std::string_view range) {
  std::string message(field);
  message.append(" was ").append(value).append(", not ").append(range);
  return {ErrorCode::invalid_argument, std::move(message)};
}

bool is_prefix(std::string_view text) noexcept { return text.empty() || is_number(text); }

// A prefix from outside may hold anything: only its printable part goes into a message.
std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 40))
    out += c >= ' ' && c < 127 ? c : '?';
  return out;
}

struct NamedAmount {
  const char* name;
  Amount value;
};
struct NamedTime {
  const char* name;
  std::int64_t value;
};

Result<void> check_amounts(std::initializer_list<NamedAmount> amounts) {
  for (const auto& [name, value] : amounts) {
    if (value.is_negative()) return out_of_range(name, value.to_string(), "0 or more");
  }
  return {};
}

Result<void> check_times(std::initializer_list<NamedTime> times, std::int64_t low_s) {
  for (const auto& [name, value] : times) {
    if (value < low_s || value > rate_period_max_s) {
      return out_of_range(name, std::to_string(value),
                          std::to_string(low_s) + ".." + std::to_string(rate_period_max_s));
    }
  }
  return {};
}

Result<void> check_count(std::string_view what, std::size_t count, std::size_t count_max) {
  if (count <= count_max) return {};
  return out_of_range(std::string("number of ").append(what), std::to_string(count),
                      "0.." + std::to_string(count_max));
}

Result<void> check_tax(Amount percent) {
  if (percent.is_negative() || percent > tax_percent_max ||
      percent.units() % (Amount::scale / 10'000) != 0) {
    return out_of_range("tax_percent", percent.to_string(), "0..1000 with at most 4 decimals");
  }
  return {};
}

Result<void> check_tiers(const std::vector<RateTier>& tiers) {
  if (auto count = check_count("tiers", tiers.size(), rate_tiers_max); !count) return count;
  std::int64_t last_s = 0;
  for (const RateTier& tier : tiers) {
    if (tier.from_s <= last_s || tier.from_s > rate_period_max_s) {
      return out_of_range("from_s of a tier", std::to_string(tier.from_s),
                          std::to_string(last_s + 1) + ".." + std::to_string(rate_period_max_s));
    }
    last_s = tier.from_s;
    if (auto price = check_amounts({{"price of a tier", tier.price}}); !price) return price;
    if (auto times =
            check_times({{"per_s of a tier", tier.per_s}, {"next_s of a tier", tier.next_s}}, 0);
        !times) {
      return times;
    }
  }
  return {};
}

Result<void> check_window(const RateWindow& window) {
  if (window.days == DaySet{} || (window.days.weekdays >> 7) != 0 ||
      (window.days.classes >> 3) != 0)
    return out_of_range("days of a window", "none", "weekdays or classes of days");
  if (window.from_s < 0 || window.from_s >= 86400)
    return out_of_range("from of a window", std::to_string(window.from_s) + " s", "0..86399");
  if (window.to_s < 1 || window.to_s > 86400 || window.to_s == window.from_s)
    return out_of_range("to of a window", std::to_string(window.to_s) + " s",
                        "1..86400 and not its from");
  if (auto amounts =
          check_amounts({{"price of a window", window.price.value_or(Amount{})},
                         {"connection_fee of a window", window.connection_fee.value_or(Amount{})}});
      !amounts) {
    return amounts;
  }
  if (auto times = check_times({{"per_s of a window", window.per_s},
                                {"first_s of a window", window.first_s},
                                {"next_s of a window", window.next_s}},
                               0);
      !times) {
    return times;
  }
  return check_tiers(window.tiers);
}

Result<void> check_terms(const Rate& rate) {
  const RateTerms& terms = *rate.terms;
  if (auto tiers = check_tiers(terms.tiers); !tiers) return tiers;
  if (auto count = check_count("windows", terms.windows.size(), rate_windows_max); !count)
    return count;
  for (const RateWindow& window : terms.windows) {
    if (auto checked = check_window(window); !checked) return checked;
  }
  if (auto times = check_times({{"grace_s", terms.grace_s}, {"free_s", terms.free_s}}, 0); !times)
    return times;
  if (auto amounts = check_amounts({{"maximum", terms.maximum}}); !amounts) return amounts;
  if (!terms.maximum.is_zero() && terms.maximum < rate.minimum)
    return out_of_range("maximum", terms.maximum.to_string(), "0 or at least the minimum");
  if (terms.tax_percent) {
    if (auto tax = check_tax(*terms.tax_percent); !tax) return tax;
  }
  if (!rating::has_exact_sums(rate))
    return Error{ErrorCode::invalid_argument,
                 "the per_s of the rate, its tiers and windows had no common multiple up to 1e11"};
  return {};
}

}  // namespace

RareTerms::RareTerms(RateTerms terms) {
  if (terms != none()) body_ = std::make_shared<const RateTerms>(std::move(terms));
}

const RateTerms& RareTerms::none() noexcept {
  static const RateTerms nothing;
  return nothing;
}

const char* fee_rounding_name(FeeRounding rounding) noexcept {
  switch (rounding) {
    case FeeRounding::half_up:
      return "half_up";
    case FeeRounding::half_even:
      return "half_even";
    case FeeRounding::up:
      return "up";
    case FeeRounding::down:
      return "down";
  }
  return "";
}

Result<FeeRounding> fee_rounding_from_name(std::string_view name) {
  for (const FeeRounding rounding :
       {FeeRounding::half_up, FeeRounding::half_even, FeeRounding::up, FeeRounding::down}) {
    if (name == fee_rounding_name(rounding)) return rounding;
  }
  return Error{ErrorCode::invalid_argument,
               "fee rounding \"" + printable(name) + "\" was not half_up, half_even, up or down"};
}

const char* charge_step_name(ChargeStep::Kind kind) noexcept {
  switch (kind) {
    case ChargeStep::Kind::hold_time:
      return "hold_time";
    case ChargeStep::Kind::grace:
      return "grace";
    case ChargeStep::Kind::free_time:
      return "free_time";
    case ChargeStep::Kind::free_number:
      return "free_number";
    case ChargeStep::Kind::connection_fee:
      return "connection_fee";
    case ChargeStep::Kind::section:
      return "section";
    case ChargeStep::Kind::first:
      return "first";
    case ChargeStep::Kind::next:
      return "next";
    case ChargeStep::Kind::tier:
      return "tier";
    case ChargeStep::Kind::minimum:
      return "minimum";
    case ChargeStep::Kind::maximum:
      return "maximum";
    case ChargeStep::Kind::tax:
      return "tax";
    case ChargeStep::Kind::rounding:
      return "rounding";
    case ChargeStep::Kind::unit:
      return "unit";
    case ChargeStep::Kind::package:
      return "package";
  }
  return "";
}

Result<void> check_rate(const Rate& rate) {
  if (!is_prefix(rate.prefix))
    return out_of_range("prefix", '"' + printable(rate.prefix) + '"',
                        "0..32 characters of a number");
  if (rate.area.size() > 128)
    return out_of_range("area", std::to_string(rate.area.size()) + " bytes long", "0..128");

  if (auto amounts = check_amounts({{"price", rate.price},
                                    {"connection_fee", rate.connection_fee},
                                    {"minimum", rate.minimum}});
      !amounts) {
    return amounts;
  }
  if (auto times = check_times(
          {{"per_s", rate.per_s}, {"first_s", rate.first_s}, {"next_s", rate.next_s}}, 1);
      !times) {
    return times;
  }
  if (*call_level_name(rate.call_level) == '\0' && rate.call_level != CallLevel::none)
    return out_of_range("call_level", std::to_string(static_cast<int>(rate.call_level)), "a level");
  if (rate.valid_from_us < 0)
    return out_of_range("valid_from", std::to_string(rate.valid_from_us), "0 or more");
  if (rate.valid_until_us != 0 && rate.valid_until_us <= rate.valid_from_us)
    return out_of_range("valid_until", std::to_string(rate.valid_until_us),
                        "0 or later than valid_from");
  if (auto count = check_count("sections", rate.sections.size(), rate_sections_max); !count)
    return count;
  for (const RateSection& section : rate.sections) {
    if (auto price = check_amounts({{"price of a section", section.price}}); !price) return price;
    if (auto time = check_times({{"seconds of a section", section.seconds}}, 0); !time) return time;
  }
  return rate.terms ? check_terms(rate) : Result<void>{};
}

Result<void> check_fee_rules(const FeeRules& rules) {
  if (rules.precision < 0 || rules.precision > 8)
    return out_of_range("fee_precision", std::to_string(rules.precision), "0..8");
  if (rules.unit.is_negative())
    return out_of_range("fee_unit", rules.unit.to_string(), "0 or more");
  if (*fee_rounding_name(rules.rounding) == '\0')
    return out_of_range("fee_rounding", std::to_string(static_cast<int>(rules.rounding)),
                        "a rounding");
  if (rules.hold_time_precision_ms < 1 || rules.hold_time_precision_ms > 1000)
    return out_of_range("hold_time_precision_ms", std::to_string(rules.hold_time_precision_ms),
                        "1..1000");
  if (rules.free_time_s < 0 || rules.free_time_s > rated_time_max_s)
    return out_of_range("free_time_s", std::to_string(rules.free_time_s),
                        "0.." + std::to_string(rated_time_max_s));
  return check_tax(rules.tax_percent);
}

std::int64_t billable_seconds(std::int64_t talk_time_ms, const FeeRules& rules) noexcept {
  if (talk_time_ms <= 0) return 0;
  return talk_time_ms / 1000 + (talk_time_ms % 1000 >= rules.hold_time_precision_ms ? 1 : 0);
}

Result<Charge> rate_call(const Rate& rate, std::int64_t talk_time_ms, const FeeRules& rules,
                         std::vector<ChargeStep>* steps, const CallStart& start) {
  if (talk_time_ms < 0 || talk_time_ms > 1000 * rated_time_max_s)
    return out_of_range("talk_time_ms", std::to_string(talk_time_ms),
                        "0.." + std::to_string(1000 * rated_time_max_s));
  const std::int64_t talked_s = billable_seconds(talk_time_ms, rules);
  const std::optional<Charge> charge = rating::charge_of(rate, talked_s, rules, steps, start);
  if (!charge) {
    return Error{ErrorCode::limit, "charge of " + std::to_string(talked_s) + " seconds at " +
                                       rate.price.to_string() +
                                       " was larger than an amount can be"};
  }
  return *charge;
}

std::int64_t available_time_s(const Rate& rate, Amount usable, const FeeRules& rules,
                              const CallStart& start) noexcept {
  return rating::covered_time_s(rate, usable, rules, start, rated_time_max_s);
}

std::int64_t MaxCallDuration::draw_s(Random& random) const noexcept {
  if (upper_s <= lower_s) return upper_s;
  return lower_s +
         static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(upper_s - lower_s) + 1));
}

}  // namespace tandem
