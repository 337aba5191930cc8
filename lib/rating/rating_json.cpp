#include <nlohmann/json.hpp>

#include "tandem/rating.hpp"

namespace tandem {
namespace {

using Json = nlohmann::ordered_json;

Json step_json(const ChargeStep& step) {
  Json json;
  json["step"] = charge_step_name(step.kind);
  switch (step.kind) {
    case ChargeStep::Kind::hold_time:
    case ChargeStep::Kind::free_time:
      json["seconds"] = step.seconds;
      return json;
    case ChargeStep::Kind::free_number:
      return json;
    case ChargeStep::Kind::section:
    case ChargeStep::Kind::first:
    case ChargeStep::Kind::next:
      json["from_s"] = step.from_s;
      json["seconds"] = step.seconds;
      json["price"] = step.price.to_string();
      json["per_s"] = step.per_s;
      break;
    case ChargeStep::Kind::connection_fee:
    case ChargeStep::Kind::minimum:
    case ChargeStep::Kind::rounding:
    case ChargeStep::Kind::unit:
      break;
  }
  json["amount"] = step.amount.to_string();
  if (!step.is_exact) json["cut"] = true;
  return json;
}

}  // namespace

std::string to_json(const Rate& rate) {
  // Named one by one, so that a new member of Rate does not compile until it has its key here.
  const auto& [price, per_s, first_s, next_s, connection_fee, minimum, locked, call_level, sections,
               valid_from_us, valid_until_us, prefix, area] = rate;
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
