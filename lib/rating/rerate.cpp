#include "tandem/rerate.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "rating/formula.hpp"

namespace tandem {
namespace {

constexpr std::size_t block = 32;  // calls whose rates are looked up together

Result<void> add_to(Amount& sum, Amount amount) {
  const auto added = Amount::add(sum, amount);
  if (!added) return Error{ErrorCode::limit, "a sum of charges was larger than an amount can be"};
  sum = *added;
  return {};
}

}  // namespace

Amount RerateTotal::difference() const noexcept {
  std::int64_t units = 0;
  if (__builtin_sub_overflow(after.units(), before.units(), &units)) {
    units = after < before ? std::numeric_limits<std::int64_t>::min()
                           : std::numeric_limits<std::int64_t>::max();
  }
  return Amount::from_units(units);
}

Rerater::Rerater(RateDeck deck, FeeRules rules, FreeNumbers free_numbers)
    : deck_(std::move(deck)), rules_(rules), free_numbers_(std::move(free_numbers)) {}

void Rerater::rate(std::span<const RerateCall> calls,
                   std::span<RerateOutcome> outcomes) const noexcept {
  std::array<RateQuestion, block> questions;
  std::array<RateMatch, block> matches;
  CallStart start{0, deck_.schedule()};
  FeeRules rules = rules_;
  for (std::size_t first = 0; first < calls.size(); first += block) {
    const std::size_t count = std::min(block, calls.size() - first);
    for (std::size_t i = 0; i < count; ++i)
      questions[i] = {calls[first + i].callee, calls[first + i].started_at_us, CallLevel::none};
    deck_.find_each(std::span(questions).first(count), matches);
    for (std::size_t i = 0; i < count; ++i) {
      const RerateCall& call = calls[first + i];
      RerateOutcome& outcome = outcomes[first + i];
      outcome = {matches[i].reason, {}};
      if (free_numbers_.contains(call.callee)) {
        outcome.reason = Reason::none;
        continue;
      }
      if (!matches[i].ok()) continue;
      start.at_us = call.answered_at_us;
      rules.tax_percent = call.tax_percent;
      const std::int64_t talked_s =
          std::min(billable_seconds(call.talk_time_ms, rules), rated_time_max_s);
      const auto charge = rating::charge_of(*matches[i].rate, talked_s, rules, nullptr, start);
      if (charge) {
        outcome.charge = *charge;
      } else {
        outcome.reason = Reason::InternalError;
      }
    }
  }
}

RerateTotal& Rerater::total_of(std::string_view account) {
  auto place = totals_.find(account);
  if (place == totals_.end()) place = totals_.emplace(std::string(account), RerateTotal{}).first;
  return place->second;
}

Result<void> Rerater::leave_out(const RerateCall& call) {
  RerateTotal& total = total_of(call.account);
  ++total.not_rated;
  return add_to(total.not_rated_before, call.charge);
}

Result<void> Rerater::add(std::span<const RerateCall> calls) {
  std::array<RerateOutcome, 1024> outcomes;
  for (std::size_t first = 0; first < calls.size(); first += outcomes.size()) {
    const auto part = calls.subspan(first, std::min(outcomes.size(), calls.size() - first));
    rate(part, outcomes);
    for (std::size_t i = 0; i < part.size(); ++i) {
      if (outcomes[i].reason != Reason::none) {
        if (auto added = leave_out(part[i]); !added) return added;
        continue;
      }
      RerateTotal& total = total_of(part[i].account);
      ++total.calls;
      total.changed += outcomes[i].charge.charge != part[i].charge;
      total.billed_time_s += outcomes[i].charge.billed_time_s;
      if (auto added = add_to(total.before, part[i].charge); !added) return added;
      if (auto added = add_to(total.after, outcomes[i].charge.charge); !added) return added;
    }
  }
  return {};
}

}  // namespace tandem
