#include <algorithm>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "base/json_depth.hpp"
#include "tandem/clock.hpp"
#include "tandem/reconciliation.hpp"

namespace tandem {
namespace {

using Json = nlohmann::ordered_json;

std::string dumped(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string percent(std::int64_t hundredths) {
  return Amount::from_units(hundredths * (Amount::scale / 100)).to_string();
}

Json totals_json(const InterconnectTotals& totals) {
  return {{"calls", totals.calls},
          {"answered", totals.answered},
          {"billed_time_s", totals.billed_time_s},
          {"charge", totals.charge.to_string()},
          {"currency", totals.currency}};
}

Json call_json(const std::optional<InterconnectCall>& call) {
  if (!call) return nullptr;
  return {{"record_id", call->record_id},
          {"caller", call->caller},
          {"callee", call->callee},
          {"answered_at_us", call->answered_at_us},
          {"billed_time_s", call->billed_time_s},
          {"charge", call->charge.to_string()}};
}

const char* kind_name(ReconcileRow::Kind kind) noexcept {
  switch (kind) {
    case ReconcileRow::Kind::missing_here:
      return "missing_here";
    case ReconcileRow::Kind::missing_there:
      return "missing_there";
    case ReconcileRow::Kind::duration:
      return "duration";
    case ReconcileRow::Kind::charge:
      return "charge";
  }
  return "";
}

}  // namespace

std::string to_json(const InterconnectTotals& totals) { return dumped(totals_json(totals)); }

Result<InterconnectTotals> parse_interconnect_totals(std::string_view text) {
  const auto malformed = [](const char* key) {
    return Error{ErrorCode::invalid_argument,
                 std::string("totals were malformed at \"") + key + '"'};
  };
  if (too_deep_at(text)) return malformed("");
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return malformed("");
  InterconnectTotals totals;
  const auto number = [&](const char* key, auto& out) {
    const auto found = json.find(key);
    if (found == json.end() || !found->is_number_integer() || *found < 0) return false;
    out = found->get<std::remove_reference_t<decltype(out)>>();
    return true;
  };
  if (!number("calls", totals.calls)) return malformed("calls");
  if (!number("answered", totals.answered)) return malformed("answered");
  if (!number("billed_time_s", totals.billed_time_s)) return malformed("billed_time_s");
  const auto charge = json.find("charge");
  if (charge == json.end() || !charge->is_string()) return malformed("charge");
  const auto amount = Amount::parse(charge->get<std::string>());
  if (!amount) return malformed("charge");
  totals.charge = *amount;
  if (const auto currency = json.find("currency"); currency != json.end()) {
    constexpr std::size_t currency_bytes_max = 16;
    if (!currency->is_string()) return malformed("currency");
    totals.currency = currency->get<std::string>();
    // It goes into alarms and the log, which are one line each.
    const bool is_code = std::all_of(totals.currency.begin(), totals.currency.end(), [](char c) {
      return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    });
    if (!is_code || totals.currency.size() > currency_bytes_max) return malformed("currency");
  }
  return totals;
}

std::string to_json(const ReconcileReport& report) {
  Json rows = Json::array();
  for (const ReconcileRow& row : report.rows)
    rows.push_back({{"kind", kind_name(row.kind)},
                    {"ours", call_json(row.ours)},
                    {"theirs", call_json(row.theirs)}});
  return dumped({{"exceeded", report.is_exceeded},
                 {"matched", report.matched},
                 {"agreeing", report.agreeing},
                 {"missing_here", report.missing_here},
                 {"missing_there", report.missing_there},
                 {"duration_differs", report.duration_differs},
                 {"charge_differs", report.charge_differs},
                 {"ours", totals_json(report.ours)},
                 {"theirs", totals_json(report.theirs)},
                 {"deviations_percent",
                  {{"calls", percent(report.deviations[0])},
                   {"billed_time_s", percent(report.deviations[1])},
                   {"charge", percent(report.deviations[2])}}},
                 {"rows", std::move(rows)}});
}

std::string to_json(const PeerCheck& check) {
  return dumped({{"gateway", check.gateway},
                 {"since", format_time_us(check.since_us)},
                 {"until", format_time_us(check.until_us)},
                 {"ours", totals_json(check.ours)},
                 {"theirs", check.failure.empty() ? totals_json(check.theirs) : Json(nullptr)},
                 {"deviations_percent",
                  {{"calls", percent(check.deviations[0])},
                   {"answered", percent(check.deviations[1])},
                   {"billed_time_s", percent(check.deviations[2])},
                   {"charge", percent(check.deviations[3])}}},
                 {"exceeded", check.is_exceeded},
                 {"failure", check.failure}});
}

}  // namespace tandem
