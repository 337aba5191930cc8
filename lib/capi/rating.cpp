// Rates, decks and charges.
#include <algorithm>
#include <limits>
#include <unordered_map>

#include "base/text.hpp"
#include "capi/values.hpp"
#include "tandem/billing_prefixes.hpp"
#include "tandem/charge_terms.hpp"
#include "tandem/deck_import.hpp"
#include "tandem/margin.hpp"
#include "tandem/rating.hpp"

using namespace tandem;
using namespace tandem::capi;

struct tandem_rate_deck {
  explicit tandem_rate_deck(RateDeck deck);
  RateDeck body;
  struct Texts {
    std::string sections, tiers, windows, tax_percent;
  };
  std::unordered_map<const Rate*, Texts> texts;  // CSV form, of the few rates with any
  std::string schedule;
};
struct tandem_rate_deck_builder {
  RateDeck::Builder body;
  RateSchedule schedule;
};

tandem_rate_deck::tandem_rate_deck(RateDeck deck) : body(std::move(deck)) {
  for (std::size_t i = 0; i < body.size(); ++i) {
    const Rate& rate = body.at(i);
    if (rate.sections.empty() && !rate.terms) continue;
    const auto& tax_percent = rate.terms->tax_percent;
    texts.emplace(&rate,
                  Texts{to_text(rate.sections), to_text(rate.terms->tiers),
                        to_text(rate.terms->windows), tax_percent ? tax_percent->to_string() : ""});
  }
  schedule = body.schedule().to_string();
}

namespace tandem::capi {

static_assert(TANDEM_CALL_LEVEL_INTERNATIONAL == static_cast<int>(CallLevel::international));
static_assert(TANDEM_FEE_DOWN == static_cast<int>(FeeRounding::down));

Result<CallLevel> read_call_level(std::int32_t level) {
  const auto known = read_enum(level, CallLevel::international, "call_level");
  if (!known) return known.error();
  if (level == 3)
    return Error{ErrorCode::invalid_argument, "call_level 3 is none of its constants"};
  return *known;
}

namespace {

/// 0 is the default; what no rate can have stays out of range.
std::int32_t read_period(std::int64_t seconds, std::int32_t otherwise) {
  if (seconds == 0) return otherwise;
  return static_cast<std::int32_t>(std::clamp<std::int64_t>(
      seconds, std::numeric_limits<std::int32_t>::min(), std::numeric_limits<std::int32_t>::max()));
}

}  // namespace

Result<Rate> read_rate(const tandem_rate* given) {
  const auto read = read_struct(given, "tandem_rate");
  if (!read) return read.error();
  const auto level = read_call_level(read->call_level);
  if (!level) return level.error();
  Rate rate;
  rate.prefix = copy(read->prefix);
  rate.area = copy(read->area);
  rate.price = Amount::from_units(read->price_units);
  rate.per_s = read_period(read->per_s, 60);
  rate.first_s = read_period(read->first_s, 1);
  rate.next_s = read_period(read->next_s, 1);
  rate.connection_fee = Amount::from_units(read->connection_fee_units);
  rate.minimum = Amount::from_units(read->minimum_units);
  rate.locked = read->locked != 0;
  rate.call_level = *level;
  rate.valid_from_us = read->valid_from_us;
  rate.valid_until_us = read->valid_until_us;
  if (!view(read->sections).empty()) {
    auto sections = parse_sections(read->sections);
    if (!sections) return sections.error();
    rate.sections = std::move(*sections);
  }
  RateTerms terms;
  auto tiers = parse_tiers(view(read->tiers));
  if (!tiers) return tiers.error();
  terms.tiers = std::move(*tiers);
  auto windows = parse_windows(view(read->windows));
  if (!windows) return windows.error();
  terms.windows = std::move(*windows);
  terms.grace_s = read->grace_s;
  terms.free_s = read->free_s;
  terms.maximum = Amount::from_units(read->maximum_units);
  if (!view(read->tax_percent).empty()) {
    auto percent = Amount::parse(view(read->tax_percent));
    if (!percent) return percent.error();
    terms.tax_percent = *percent;
  }
  rate.terms = std::move(terms);
  const auto checked = check_rate(rate);
  if (!checked) return checked.error();
  return rate;
}

Result<CallStart> read_call_start(const tandem_rate* given, std::int64_t at_us) {
  const auto read = read_struct(given, "tandem_rate");
  if (!read) return read.error();
  auto schedule = RateSchedule::parse(view(read->schedule));
  if (!schedule) return schedule.error();
  return CallStart{at_us, std::move(*schedule)};
}

Result<FeeRules> read_fee_rules(const tandem_fee_rules* given) {
  FeeRules rules;
  if (given == nullptr) return rules;
  const auto read = read_struct(given, "tandem_fee_rules");
  if (!read) return read.error();
  const auto rounding = read_enum(read->rounding, FeeRounding::down, "rounding");
  if (!rounding) return rounding.error();
  rules.precision = read->precision;
  rules.rounding = *rounding;
  rules.unit = Amount::from_units(read->unit_units);
  rules.hold_time_precision_ms = read->hold_time_precision_ms;
  rules.free_time_s = read->free_time_s;
  rules.tax_percent = Amount::from_units(read->tax_percent_units);
  const auto checked = check_fee_rules(rules);
  if (!checked) return checked.error();
  return rules;
}

namespace {

tandem_rate to_c(const tandem_rate_deck& deck, const Rate& rate) {
  tandem_rate out{};
  out.prefix = rate.prefix.c_str();
  out.area = rate.area.c_str();
  out.price_units = rate.price.units();
  out.per_s = rate.per_s;
  out.first_s = rate.first_s;
  out.next_s = rate.next_s;
  out.connection_fee_units = rate.connection_fee.units();
  out.minimum_units = rate.minimum.units();
  out.locked = rate.locked ? 1 : 0;
  out.call_level = static_cast<int32_t>(rate.call_level);
  out.valid_from_us = rate.valid_from_us;
  out.valid_until_us = rate.valid_until_us;
  static const tandem_rate_deck::Texts none;
  const auto found = deck.texts.find(&rate);
  const tandem_rate_deck::Texts& texts = found == deck.texts.end() ? none : found->second;
  out.sections = texts.sections.c_str();
  out.tiers = texts.tiers.c_str();
  out.windows = texts.windows.c_str();
  out.grace_s = rate.terms->grace_s;
  out.free_s = rate.terms->free_s;
  out.maximum_units = rate.terms->maximum.units();
  out.tax_percent = rate.terms->tax_percent ? texts.tax_percent.c_str() : nullptr;
  out.schedule = deck.schedule.c_str();
  return out;
}

int add_rates(tandem_rate_deck_builder& builder, Result<std::vector<Rate>> rates) {
  TANDEM_CAPI_TRY(rates);
  for (Rate& rate : *rates)
    TANDEM_CAPI_TRY(builder.body.add(std::move(rate)));
  return TANDEM_OK;
}

}  // namespace
}  // namespace tandem::capi

extern "C" {

int tandem_rate_call(const tandem_rate* rate, int64_t talk_time_ms, const tandem_fee_rules* rules,
                     tandem_charge* out) {
  return tandem_rate_call_at(rate, 0, talk_time_ms, rules, out);
}

int tandem_rate_call_at(const tandem_rate* rate, int64_t answered_at_us, int64_t talk_time_ms,
                        const tandem_fee_rules* rules, tandem_charge* out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_TRY(check_result_struct(out, "tandem_charge"));
    const auto read = read_rate(rate);
    TANDEM_CAPI_TRY(read);
    const auto start = read_call_start(rate, answered_at_us);
    TANDEM_CAPI_TRY(start);
    const auto fees = read_fee_rules(rules);
    TANDEM_CAPI_TRY(fees);
    const auto charge = rate_call(*read, talk_time_ms, *fees, nullptr, *start);
    TANDEM_CAPI_TRY(charge);
    write_struct(out, tandem_charge{0, charge->charge.units(), charge->billed_time_s});
    return TANDEM_OK;
  });
}

int tandem_available_time(const tandem_rate* rate, int64_t usable_units,
                          const tandem_fee_rules* rules, int64_t* seconds) {
  return tandem_available_time_at(rate, 0, usable_units, rules, seconds);
}

int tandem_available_time_at(const tandem_rate* rate, int64_t answered_at_us, int64_t usable_units,
                             const tandem_fee_rules* rules, int64_t* seconds) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(seconds);
    const auto read = read_rate(rate);
    TANDEM_CAPI_TRY(read);
    const auto start = read_call_start(rate, answered_at_us);
    TANDEM_CAPI_TRY(start);
    const auto fees = read_fee_rules(rules);
    TANDEM_CAPI_TRY(fees);
    *seconds = available_time_s(*read, Amount::from_units(usable_units), *fees, *start);
    return TANDEM_OK;
  });
}

int tandem_recompute_charge(const char* rate_terms, int64_t answered_at_us, int64_t talk_time_ms,
                            tandem_charge* out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(rate_terms);
    TANDEM_CAPI_TRY(check_result_struct(out, "tandem_charge"));
    const auto charge = recompute_charge(view(rate_terms), talk_time_ms, answered_at_us);
    TANDEM_CAPI_TRY(charge);
    write_struct(out, tandem_charge{0, charge->charge.units(), charge->billed_time_s});
    return TANDEM_OK;
  });
}

int tandem_billable_seconds(int64_t talk_time_ms, const tandem_fee_rules* rules, int64_t* seconds) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(seconds);
    const auto fees = read_fee_rules(rules);
    TANDEM_CAPI_TRY(fees);
    *seconds = billable_seconds(talk_time_ms, *fees);
    return TANDEM_OK;
  });
}

int tandem_rate_deck_builder_create(const char* id, const char* currency,
                                    tandem_rate_deck_builder** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(id);
    TANDEM_CAPI_NOT_NULL(out);
    *out = new tandem_rate_deck_builder{RateDeck::Builder(copy(id), copy(currency)), {}};
    return TANDEM_OK;
  });
}

int tandem_rate_deck_builder_add(tandem_rate_deck_builder* builder, const tandem_rate* rate) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(builder);
    auto read = read_rate(rate);
    TANDEM_CAPI_TRY(read);
    TANDEM_CAPI_TRY(builder->body.add(std::move(*read)));
    return TANDEM_OK;
  });
}

int tandem_rate_deck_builder_add_csv(tandem_rate_deck_builder* builder, const char* text,
                                     size_t text_size, const char* name) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(builder);
    TANDEM_CAPI_NOT_NULL(text);
    return add_rates(*builder, parse_deck_csv({text, text_size}, view(name)));
  });
}

int tandem_rate_deck_builder_add_csv_file(tandem_rate_deck_builder* builder, const char* path) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(builder);
    TANDEM_CAPI_NOT_NULL(path);
    return add_rates(*builder, load_deck_csv(path));
  });
}

int tandem_rate_deck_builder_import(tandem_rate_deck_builder* builder, const char* text,
                                    size_t text_size, const char* layout, tandem_text** json) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(builder);
    TANDEM_CAPI_NOT_NULL(text);
    const auto known = parse_deck_layout(view(layout));
    TANDEM_CAPI_TRY(known);
    auto import = import_deck({text, text_size}, *known);
    TANDEM_CAPI_TRY(import);
    if (json != nullptr) {
      if (const int given = give(to_json(*import), json); given != TANDEM_OK) return given;
    }
    if (!import->ok()) {
      const DeckFault& first = import->faults.front();
      return fail(ErrorCode::invalid_argument, "row " + std::to_string(first.row) + ": column \"" +
                                                   first.column + "\": " + first.message);
    }
    return add_rates(*builder, std::move(import->rates));
  });
}

int tandem_rate_deck_builder_set_schedule(tandem_rate_deck_builder* builder, const char* schedule) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(builder);
    auto read = RateSchedule::parse(view(schedule));
    TANDEM_CAPI_TRY(read);
    builder->schedule = std::move(*read);
    return TANDEM_OK;
  });
}

int tandem_rate_deck_builder_build(tandem_rate_deck_builder* builder, tandem_rate_deck** out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(builder);
    TANDEM_CAPI_NOT_NULL(out);
    auto deck = builder->body.build();
    TANDEM_CAPI_TRY(deck);
    *out = new tandem_rate_deck(deck->with_schedule(builder->schedule));
    return TANDEM_OK;
  });
}

void tandem_rate_deck_builder_destroy(tandem_rate_deck_builder* builder) { delete builder; }

int tandem_rate_deck_find(const tandem_rate_deck* deck, const char* callee, int64_t at_us,
                          int32_t level, int32_t* reason, tandem_rate* out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(deck);
    TANDEM_CAPI_NOT_NULL(reason);
    TANDEM_CAPI_TRY(check_result_struct(out, "tandem_rate"));
    const auto known = read_call_level(level);
    TANDEM_CAPI_TRY(known);
    const RateMatch match = deck->body.find(view(callee), at_us, *known);
    *reason = static_cast<int32_t>(match.reason);
    if (match.rate != nullptr) write_struct(out, to_c(*deck, *match.rate));
    return TANDEM_OK;
  });
}

int tandem_rate_deck_rate_number(const tandem_rate_deck* deck, const char* callee,
                                 int64_t talk_time_ms, int64_t at_us, const tandem_fee_rules* rules,
                                 const char* free_numbers, tandem_text** json) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(deck);
    TANDEM_CAPI_NOT_NULL(json);
    const auto fees = read_fee_rules(rules);
    TANDEM_CAPI_TRY(fees);
    const auto free = FreeNumbers::from_text(view(free_numbers));
    TANDEM_CAPI_TRY(free);
    const auto rated = rate_number(deck->body, view(callee), talk_time_ms, at_us, *fees, *free);
    TANDEM_CAPI_TRY(rated);
    return give(to_json(*rated), json);
  });
}

int tandem_margin_report(const tandem_rate_deck* sell, const tandem_rate_deck* const* buys,
                         size_t buy_count, int64_t at_us, tandem_text** json) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(sell);
    TANDEM_CAPI_NOT_NULL(json);
    std::vector<RateDeck> decks;
    for (size_t i = 0; i < buy_count; ++i) {
      TANDEM_CAPI_NOT_NULL(buys[i]);
      decks.push_back(buys[i]->body);
    }
    const auto rows = margin_report(sell->body, decks, at_us);
    TANDEM_CAPI_TRY(rows);
    return give(to_json(*rows), json);
  });
}

int tandem_rate_deck_route_prefix_length(const tandem_rate_deck* deck, const char* prefixes,
                                         int32_t characters, const char* callee, size_t* length) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(deck);
    TANDEM_CAPI_NOT_NULL(length);
    RoutePrefixes read;
    read.characters = characters;
    for (std::string_view rest = view(prefixes); !rest.empty();) {
      const std::string_view word = rest.substr(0, rest.find(','));
      rest.remove_prefix(std::min(word.size() + 1, rest.size()));
      if (const std::string_view prefix = trimmed(word); !prefix.empty())
        read.prefixes.emplace_back(prefix);
    }
    TANDEM_CAPI_TRY(check_route_prefixes(read));
    *length = BillingPrefixes(read, deck->body).length_in(view(callee));
    return TANDEM_OK;
  });
}

size_t tandem_rate_deck_size(const tandem_rate_deck* deck) {
  return deck == nullptr ? 0 : deck->body.size();
}

int tandem_rate_deck_rate(const tandem_rate_deck* deck, size_t index, tandem_rate* out) {
  return guarded([&]() -> int {
    TANDEM_CAPI_NOT_NULL(deck);
    TANDEM_CAPI_TRY(check_result_struct(out, "tandem_rate"));
    if (index >= deck->body.size())
      return fail(ErrorCode::not_found, "rate " + std::to_string(index) + " of " +
                                            std::to_string(deck->body.size()) + " was asked for");
    write_struct(out, to_c(*deck, deck->body.at(index)));
    return TANDEM_OK;
  });
}

void tandem_rate_deck_destroy(tandem_rate_deck* deck) { delete deck; }

}  // extern "C"
