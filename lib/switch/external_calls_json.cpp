// Calls of other systems as JSON (B-26).
#include "switch/config_reader_json.hpp"
#include "switch/config_values_json.hpp"
#include "tandem/external_calls.hpp"

namespace tandem {
namespace {

using namespace config;

const std::vector<Field<ExternalCall>>& fields() {
  using C = ExternalCall;
  static const std::vector<Field<C>> table = {
      {"flow_number", "text", "none", "Makes a repetition known.",
       [](Reader& r, const Json& v, C& c) { r.string(v, c.flow_number, flow_number_bytes_max); }},
      {"account", "id", "the gateway's", "Who pays.",
       [](Reader& r, const Json& v, C& c) { read_id(r, v, c.account); }},
      {"customer_gateway", "id", "none", "Where it came from.",
       [](Reader& r, const Json& v, C& c) { read_id(r, v, c.customer_gateway); }},
      {"vendor_gateway", "id", "none", "Where it went.",
       [](Reader& r, const Json& v, C& c) { read_id(r, v, c.vendor_gateway); }},
      {"caller", "number", "none", "For billing.",
       [](Reader& r, const Json& v, C& c) { r.string(v, c.caller, 32); }},
      {"callee", "number", "required", "For billing.",
       [](Reader& r, const Json& v, C& c) { r.string(v, c.callee, 32); }},
      {"started_at", "time", "required", "Arrival.",
       [](Reader& r, const Json& v, C& c) { r.time(v, c.started_at_us); }},
      {"answered_at", "time", "not answered", "Answer.",
       [](Reader& r, const Json& v, C& c) { r.time(v, c.answered_at_us); }},
      {"ended_at", "time", "required", "End.",
       [](Reader& r, const Json& v, C& c) { r.time(v, c.ended_at_us); }},
      {"talk_time_ms", "integer", "from the answer to the end", "Talk time.",
       [](Reader& r, const Json& v, C& c) {
         r.integer(v, 0, 1'000 * rated_time_max_s, c.talk_time_ms.emplace());
       }},
      {"end_reason", "reason", "NormalCallClearing", "A name of C-08.",
       [](Reader& r, const Json& v, C& c) {
         std::string name;
         if (!r.string(v, name)) return;
         if (const auto reason = reason_from_name(name)) {
           c.end_reason = *reason;
         } else {
           r.fail("no reason \"" + name + "\"");
         }
       }},
      {"sip_status", "integer", "200", "Final status.",
       [](Reader& r, const Json& v, C& c) { r.number(v, 0, 699, c.sip_status); }},
      {"charge", "decimal >= 0", "by the tariff", "What the customer pays.",
       [](Reader& r, const Json& v, C& c) { r.amount(v, c.charge.emplace()); }},
      {"vendor_charge", "decimal >= 0", "by the tariff", "What the vendor gets.",
       [](Reader& r, const Json& v, C& c) { r.amount(v, c.vendor_charge.emplace()); }},
      {"dry_run", "boolean", "false", "Answers what it would do.",
       [](Reader& r, const Json& v, C& c) { r.boolean(v, c.is_dry_run); }},
  };
  return table;
}

}  // namespace

Result<ExternalCall> parse_external_call(std::string_view json) {
  auto object = parse_json(json);
  if (!object) return object.error();
  ExternalCall call;
  std::vector<ConfigError> errors;
  Reader reader("", errors, false);
  read_object(reader, *object, fields(), {"callee", "started_at", "ended_at"}, call);
  if (!errors.empty()) {
    const std::string& pointer = errors.front().pointer;
    return Error{ErrorCode::invalid_argument,
                 printable((pointer.empty() ? "" : pointer + ": ") + errors.front().message)};
  }
  if (auto checked = check_external_call(call); !checked) return checked.error();
  return call;
}

std::string to_json(const ExternalAnswer& answer) {
  const Json json = {{"record_id", answer.record_id},
                     {"repeated", answer.is_repeated},
                     {"cdr", answer.cdr ? json_or_null(to_json(*answer.cdr)) : Json(nullptr)}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace tandem
