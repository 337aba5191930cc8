#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "base/calendar.hpp"
#include "tandem/rating.hpp"

namespace tandem {
namespace {

using Json = nlohmann::ordered_json;

Json step_json(const ChargeStep& step) {
  Json json;
  json["step"] = charge_step_name(step.kind);
  switch (step.kind) {
    case ChargeStep::Kind::hold_time:
    case ChargeStep::Kind::grace:
    case ChargeStep::Kind::free_time:
      json["seconds"] = step.seconds;
      return json;
    case ChargeStep::Kind::free_number:
      return json;
    case ChargeStep::Kind::section:
    case ChargeStep::Kind::first:
    case ChargeStep::Kind::next:
    case ChargeStep::Kind::tier:
      json["from_s"] = step.from_s;
      json["seconds"] = step.seconds;
      json["price"] = step.price.to_string();
      json["per_s"] = step.per_s;
      if (step.window >= 0) json["window"] = step.window;
      break;
    case ChargeStep::Kind::tax:
      json["percent"] = step.price.to_string();
      break;
    case ChargeStep::Kind::package:
      json["seconds"] = step.seconds;
      break;
    case ChargeStep::Kind::connection_fee:
    case ChargeStep::Kind::minimum:
    case ChargeStep::Kind::maximum:
    case ChargeStep::Kind::rounding:
    case ChargeStep::Kind::unit:
      break;
  }
  json["amount"] = step.amount.to_string();
  if (!step.is_exact) json["cut"] = true;
  return json;
}

Json tiers_json(const std::vector<RateTier>& tiers) {
  Json list = Json::array();
  for (const RateTier& tier : tiers) {
    Json json = {{"from_s", tier.from_s}, {"price", tier.price.to_string()}};
    if (tier.per_s != 0) json["per_s"] = tier.per_s;
    if (tier.next_s != 0) json["next_s"] = tier.next_s;
    list.push_back(std::move(json));
  }
  return list;
}

Json window_json(const RateWindow& window) {
  Json json = {{"days", window.days.to_string()},
               {"from", format_time_of_day(window.from_s)},
               {"to", format_time_of_day(window.to_s)}};
  if (window.price) json["price"] = window.price->to_string();
  if (window.per_s != 0) json["per_s"] = window.per_s;
  if (window.first_s != 0) json["first_s"] = window.first_s;
  if (window.next_s != 0) json["next_s"] = window.next_s;
  if (window.connection_fee) json["connection_fee"] = window.connection_fee->to_string();
  if (!window.tiers.empty()) json["tiers"] = tiers_json(window.tiers);
  return json;
}

}  // namespace

std::string to_json(const Rate& rate) {
  // Named one by one, so that a new member of Rate does not compile until it has its key here.
  const auto& [price, connection_fee, minimum, per_s, first_s, next_s, locked, call_level, terms,
               sections, valid_from_us, valid_until_us, prefix, area] = rate;
  const auto& [tiers, windows, grace_s, free_s, maximum, tax_percent] = *terms;
  Json json = {{"prefix", prefix}};
  if (!area.empty()) json["area"] = area;
  json["price"] = price.to_string();
  json["per_s"] = per_s;
  json["first_s"] = first_s;
  json["next_s"] = next_s;
  if (!connection_fee.is_zero()) json["connection_fee"] = connection_fee.to_string();
  if (!minimum.is_zero()) json["minimum"] = minimum.to_string();
  if (locked) json["locked"] = true;
  if (call_level != CallLevel::none) json["call_level"] = call_level_name(call_level);
  if (valid_from_us != 0) json["valid_from"] = format_time_us(valid_from_us);
  if (valid_until_us != 0) json["valid_until"] = format_time_us(valid_until_us);
  for (const RateSection& section : sections)
    json["sections"].push_back(
        {{"price", section.price.to_string()}, {"seconds", section.seconds}});
  if (!tiers.empty()) json["tiers"] = tiers_json(tiers);
  for (const RateWindow& window : windows)
    json["windows"].push_back(window_json(window));
  if (grace_s != 0) json["grace_s"] = grace_s;
  if (free_s != 0) json["free_s"] = free_s;
  if (!maximum.is_zero()) json["maximum"] = maximum.to_string();
  if (tax_percent) json["tax_percent"] = tax_percent->to_string();
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string to_json(const RatedCall& call) {
  Json json;
  json["charge"] = call.charge.charge.to_string();
  json["billed_time_s"] = call.charge.billed_time_s;
  json["rate_prefix"] = call.rate_prefix;
  json["currency"] = call.currency;
  json["steps"] = Json::array();
  for (const ChargeStep& step : call.steps)
    json["steps"].push_back(step_json(step));
  // A currency is the host's text and may be no UTF-8; that is no reason to throw.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace tandem
