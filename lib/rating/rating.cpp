#include <algorithm>
#include <array>
#include <string>

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

}  // namespace

const char* call_level_name(CallLevel level) noexcept {
  switch (level) {
    case CallLevel::none:
      return "";
    case CallLevel::internal:
      return "internal";
    case CallLevel::local:
      return "local";
    case CallLevel::domestic:
      return "domestic";
    case CallLevel::international:
      return "international";
  }
  return "";
}

Result<CallLevel> call_level_from_name(std::string_view name) {
  for (const CallLevel level : {CallLevel::none, CallLevel::internal, CallLevel::local,
                                CallLevel::domestic, CallLevel::international}) {
    if (name == call_level_name(level)) return level;
  }
  return Error{
      ErrorCode::invalid_argument,
      "call level \"" + printable(name) + "\" was not internal, local, domestic or international"};
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
    case ChargeStep::Kind::minimum:
      return "minimum";
    case ChargeStep::Kind::rounding:
      return "rounding";
    case ChargeStep::Kind::unit:
      return "unit";
  }
  return "";
}

Result<void> check_rate(const Rate& rate) {
  if (!is_prefix(rate.prefix))
    return out_of_range("prefix", '"' + printable(rate.prefix) + '"',
                        "0..32 characters of a number");
  if (rate.area.size() > 128)
    return out_of_range("area", std::to_string(rate.area.size()) + " bytes long", "0..128");

  struct NamedAmount {
    const char* name;
    Amount value;
  };
  for (const auto& [name, value] :
       {NamedAmount{"price", rate.price}, NamedAmount{"connection_fee", rate.connection_fee},
        NamedAmount{"minimum", rate.minimum}}) {
    if (value.is_negative()) return out_of_range(name, value.to_string(), "0 or more");
  }
  struct NamedTime {
    const char* name;
    std::int64_t value;
  };
  for (const auto& [name, value] :
       {NamedTime{"per_s", rate.per_s}, NamedTime{"first_s", rate.first_s},
        NamedTime{"next_s", rate.next_s}}) {
    if (value < 1 || value > rate_period_max_s)
      return out_of_range(name, std::to_string(value), "1.." + std::to_string(rate_period_max_s));
  }
  if (*call_level_name(rate.call_level) == '\0' && rate.call_level != CallLevel::none)
    return out_of_range("call_level", std::to_string(static_cast<int>(rate.call_level)), "a level");
  if (rate.valid_from_us < 0)
    return out_of_range("valid_from", std::to_string(rate.valid_from_us), "0 or more");
  if (rate.valid_until_us != 0 && rate.valid_until_us <= rate.valid_from_us)
    return out_of_range("valid_until", std::to_string(rate.valid_until_us),
                        "0 or later than valid_from");
  if (rate.sections.size() > rate_sections_max)
    return out_of_range("number of sections", std::to_string(rate.sections.size()),
                        "0.." + std::to_string(rate_sections_max));
  for (const RateSection& section : rate.sections) {
    if (section.price.is_negative())
      return out_of_range("price of a section", section.price.to_string(), "0 or more");
    if (section.seconds < 0 || section.seconds > rate_period_max_s)
      return out_of_range("seconds of a section", std::to_string(section.seconds),
                          "0.." + std::to_string(rate_period_max_s));
  }
  return {};
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
  return {};
}

std::int64_t billable_seconds(std::int64_t talk_time_ms, const FeeRules& rules) noexcept {
  if (talk_time_ms <= 0) return 0;
  return talk_time_ms / 1000 + (talk_time_ms % 1000 >= rules.hold_time_precision_ms ? 1 : 0);
}

Result<Charge> rate_call(const Rate& rate, std::int64_t talk_time_ms, const FeeRules& rules,
                         std::vector<ChargeStep>* steps) {
  if (talk_time_ms < 0 || talk_time_ms > 1000 * rated_time_max_s)
    return out_of_range("talk_time_ms", std::to_string(talk_time_ms),
                        "0.." + std::to_string(1000 * rated_time_max_s));
  const std::int64_t talked_s = billable_seconds(talk_time_ms, rules);
  const std::int64_t billable_s = std::max<std::int64_t>(0, talked_s - rules.free_time_s);
  if (steps) {
    ChargeStep step;
    step.seconds = talked_s;
    steps->push_back(step);
    if (rules.free_time_s != 0) {
      step.kind = ChargeStep::Kind::free_time;
      step.seconds = talked_s - billable_s;
      steps->push_back(step);
    }
  }
  const std::optional<Charge> charge = rating::charge_of(rate, billable_s, rules, steps);
  if (!charge) {
    return Error{ErrorCode::limit, "charge of " + std::to_string(billable_s) + " seconds at " +
                                       rate.price.to_string() +
                                       " was larger than an amount can be"};
  }
  return *charge;
}

std::int64_t available_time_s(const Rate& rate, Amount usable, const FeeRules& rules) noexcept {
  if (usable.is_negative()) return 0;
  const auto is_covered = [&](std::int64_t billable_s) {
    const std::optional<Charge> charge = rating::charge_of(rate, billable_s, rules);
    return charge && charge->charge <= usable;
  };
  const std::int64_t longest_s = rated_time_max_s - std::min(rules.free_time_s, rated_time_max_s);
  if (is_covered(longest_s)) return rated_time_max_s;

  // Invariant: `good` is covered, `bad` is not. The steady price says about where the border lies,
  // so that the search begins there and widens by doubling; it is right wherever it begins, because
  // charges never fall with time.
  std::int64_t good = 0;
  std::int64_t bad = longest_s;
  std::int64_t guess = longest_s / 2;
  if (rate.price.units() > 0) {
    const rating::Wide seconds = static_cast<rating::Wide>(usable.units()) *
                                 static_cast<rating::Wide>(rate.per_s) /
                                 static_cast<rating::Wide>(rate.price.units());
    if (seconds < static_cast<rating::Wide>(longest_s)) guess = static_cast<std::int64_t>(seconds);
  }
  guess = std::clamp<std::int64_t>(guess, 1, longest_s);
  const bool guess_is_covered = is_covered(guess);
  (guess_is_covered ? good : bad) = guess;
  for (std::int64_t step = 1; bad - good > 1; step *= 2) {
    const std::int64_t probe = guess_is_covered ? guess + step : guess - step;
    if (probe <= good || probe >= bad) break;
    const bool probe_is_covered = is_covered(probe);
    (probe_is_covered ? good : bad) = probe;
    if (probe_is_covered != guess_is_covered) break;
  }
  while (bad - good > 1) {
    const std::int64_t middle = good + (bad - good) / 2;
    (is_covered(middle) ? good : bad) = middle;
  }
  return good + rules.free_time_s;
}

std::int64_t MaxCallDuration::draw_s(Random& random) const noexcept {
  if (upper_s <= lower_s) return upper_s;
  return lower_s +
         static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(upper_s - lower_s) + 1));
}

}  // namespace tandem
