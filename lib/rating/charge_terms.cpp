#include "tandem/charge_terms.hpp"

#include <algorithm>
#include <utility>

#include "base/text.hpp"
#include "rating/formula.hpp"
#include "rating/package_charge.hpp"
#include "rating/rate_columns.hpp"

namespace tandem {
namespace {

using rating::Column;

constexpr std::string_view free_number = "free_number";
// What a rate says about a sum, in the order of the line; the first four always stand there.
constexpr Column sum_columns[] = {Column::price,    Column::per_s,          Column::first_s,
                                  Column::next_s,   Column::connection_fee, Column::minimum,
                                  Column::sections, Column::tiers,          Column::windows,
                                  Column::grace_s,  Column::free_s,         Column::maximum};

void append(std::string& text, std::string_view name, std::string_view value) {
  if (!text.empty()) text += '|';
  text.append(name).append("=").append(value);
}

Error no_word(std::string_view word) {
  return {ErrorCode::invalid_argument,
          rating::quoted(word) + " was no word of the terms of a charge such as price=0.60"};
}

/// A word of overlays: "period_rates" begins one, "period_schedule" is of the last one.
Result<void> add_overlay(RateOverlays& overlays, std::string_view name, std::string_view value) {
  if (name == "period_rates") {
    auto windows = parse_windows(value);
    if (!windows) return std::move(windows).error();
    if (overlays.size() == rate_overlays_max)
      return Error{ErrorCode::limit, "the terms of a charge had more than " +
                                         std::to_string(rate_overlays_max) + " period_rates"};
    overlays.push_back({std::move(*windows), {}});
    return {};
  }
  auto schedule = RateSchedule::parse(value);
  if (!schedule) return std::move(schedule).error();
  if (overlays.empty()) return no_word(std::string(name).append("=").append(value));
  overlays.back().schedule = std::move(*schedule);
  return {};
}

Result<void> set_rule(ChargeTerms& terms, std::string_view name, std::string_view value) {
  const auto number = parse_integer<std::int64_t>(value);
  FeeRules& rules = terms.rules;
  if (name == "precision" && number && *number >= 0 && *number <= 8) {
    rules.precision = static_cast<int>(*number);
  } else if (name == "hold_time_precision_ms" && number && *number >= 1 && *number <= 1000) {
    rules.hold_time_precision_ms = static_cast<int>(*number);
  } else if (name == "free_time_s" && number) {
    rules.free_time_s = *number;
  } else if (name == "charged_s" && number) {
    terms.charged_s = *number;
  } else if (name == "rounding") {
    auto rounding = fee_rounding_from_name(value);
    if (!rounding) return std::move(rounding).error();
    rules.rounding = *rounding;
  } else if (name == "package_s" && number && *number >= 0) {
    terms.package_s = *number;
  } else if (name == "package_money") {
    auto amount = Amount::parse(value);
    if (!amount) return std::move(amount).error();
    if (amount->is_negative()) return no_word(std::string(name).append("=").append(value));
    terms.package_money = *amount;
  } else if (name == "unit" || name == "tax_percent") {
    auto amount = Amount::parse(value);
    if (!amount) return std::move(amount).error();
    (name == "unit" ? rules.unit : rules.tax_percent) = *amount;
  } else if (name == "schedule") {
    auto schedule = RateSchedule::parse(value);
    if (!schedule) return std::move(schedule).error();
    terms.schedule = std::move(*schedule);
  } else {
    return no_word(std::string(name).append("=").append(value));
  }
  return {};
}

}  // namespace

std::string to_text(const ChargeTerms& terms, std::int64_t from_us, std::int64_t until_us) {
  if (terms.is_free_number) return std::string(free_number);
  std::string text;
  const Rate usual;
  for (const Column column : sum_columns) {
    std::string cell = rating::cell_of(terms.rate, column);
    if (column > Column::next_s && cell == rating::cell_of(usual, column)) continue;
    append(text, rating::name_of(column), cell);
  }
  const FeeRules& rules = terms.rules;
  const Amount tax_percent = terms.rate.terms->tax_percent.value_or(rules.tax_percent);
  if (!tax_percent.is_zero()) append(text, "tax_percent", tax_percent.to_string());
  append(text, "precision", std::to_string(rules.precision));
  append(text, "rounding", fee_rounding_name(rules.rounding));
  if (!rules.unit.is_zero()) append(text, "unit", rules.unit.to_string());
  append(text, "hold_time_precision_ms", std::to_string(rules.hold_time_precision_ms));
  if (rules.free_time_s != 0) append(text, "free_time_s", std::to_string(rules.free_time_s));
  if (!terms.rate.terms->windows.empty()) {
    if (const std::string schedule = terms.schedule.to_string(from_us, until_us); !schedule.empty())
      append(text, "schedule", schedule);
  }
  if (terms.overlays != nullptr) {
    for (const RateOverlay& overlay : *terms.overlays) {
      append(text, "period_rates", to_text(overlay.windows));
      if (const auto words = overlay.schedule.to_string(from_us, until_us); !words.empty())
        append(text, "period_schedule", words);
    }
  }
  if (terms.charged_s != 0) append(text, "charged_s", std::to_string(terms.charged_s));
  if (terms.package_s != 0) append(text, "package_s", std::to_string(terms.package_s));
  if (!terms.package_money.is_zero())
    append(text, "package_money", terms.package_money.to_string());
  return text;
}

Result<ChargeTerms> parse_charge_terms(std::string_view text) {
  ChargeTerms terms;
  if (text == free_number) {
    terms.is_free_number = true;
    return terms;
  }
  rating::RateDraft draft;
  RateOverlays overlays;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find('|'));
    text.remove_prefix(std::min(word.size() + 1, text.size()));
    const std::size_t equals = word.find('=');
    if (equals == std::string_view::npos) return no_word(word);
    const std::string_view name = word.substr(0, equals);
    const std::string_view value = word.substr(equals + 1);
    const auto column = rating::column_from_name(name);
    const bool is_of_rate = column && std::find(std::begin(sum_columns), std::end(sum_columns),
                                                *column) != std::end(sum_columns);
    const bool is_of_overlay = name == "period_rates" || name == "period_schedule";
    auto set = is_of_rate      ? draft.set(*column, value)
               : is_of_overlay ? add_overlay(overlays, name, value)
                               : set_rule(terms, name, value);
    if (!set) return std::move(set).error();
  }
  terms.rate = draft.finish();
  if (auto rate = check_rate(terms.rate); !rate) return std::move(rate).error();
  if (auto rules = check_fee_rules(terms.rules); !rules) return std::move(rules).error();
  if (!overlays.empty()) {
    for (const RateOverlay& overlay : overlays) {
      Rate priced = terms.rate;
      priced.terms = RateTerms{{}, overlay.windows, 0, 0, {}, {}};
      if (auto checked = check_rate(priced); !checked) return std::move(checked).error();
    }
    if (!rating::has_exact_sums(terms.rate, &overlays))
      return Error{ErrorCode::invalid_argument,
                   "the per_s of the rate and its period_rates had no common multiple up to 1e11"};
    terms.overlays = std::make_shared<const RateOverlays>(std::move(overlays));
  }
  return terms;
}

Result<Charge> recompute_charge(std::string_view text, std::int64_t talk_time_ms,
                                std::int64_t answered_at_us, std::vector<ChargeStep>* steps) {
  auto terms = parse_charge_terms(text);
  if (!terms) return std::move(terms).error();
  if (terms->is_free_number) return Charge{};
  if (terms->charged_s != 0) talk_time_ms = std::min(talk_time_ms, terms->charged_s * 1000);
  const CallStart start{answered_at_us, terms->schedule, terms->overlays};
  if (terms->package_s == 0 && terms->package_money.is_zero())
    return rate_call(terms->rate, talk_time_ms, terms->rules, steps, start);
  if (auto whole = rate_call(terms->rate, talk_time_ms, terms->rules, nullptr, start); !whole)
    return whole;
  PackageLoan loan;
  loan.parts.push_back({{}, 0, 0, 1, terms->package_s, {}});
  loan.parts.push_back({{}, 0, -1, 1, 0, terms->package_money});
  return rating::charge_with_loan(terms->rate, billable_seconds(talk_time_ms, terms->rules),
                                  terms->rules, loan, start, steps)
      ->charge;
}

}  // namespace tandem
