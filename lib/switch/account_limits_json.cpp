// Limits of accounts: their keys in a configuration, and as views show them.
#include <type_traits>

#include "switch/config_fields_json.hpp"
#include "switch/config_values_json.hpp"
#include "tandem/account_limits.hpp"

namespace tandem {
namespace config {

const std::vector<Field<AccountLimit>>& account_limit_fields() {
  using L = AccountLimit;
  static const std::vector<Field<L>> fields = {
      {"window", "hour|day|month", "required",
       "Calls that arrive in the same hour, day or month of the clock count together.",
       [](Reader& r, const Json& v, L& limit) {
         r.choice<LimitWindow>(v,
                               {{"hour", LimitWindow::hour},
                                {"day", LimitWindow::day},
                                {"month", LimitWindow::month}},
                               limit.window);
       }},
      {"prefixes", "list", "[]", "Only calls whose billed callee begins with one of them.",
       [](Reader& r, const Json& v, L& limit) { read_prefixes(r, v, limit.prefixes); }},
      {"timezone", "zone", "the parameter `timezone`", "Zone of the window.",
       [](Reader& r, const Json& v, L& limit) { read_timezone(r, v, limit.timezone); }},
      {"max_charge", "decimal >= 0", "none", "What the account pays for calls, at most.",
       [](Reader& r, const Json& v, L& limit) { read_price(r, v, limit.max_charge); }},
      {"max_talk_s", "integer 0..1000000000000", "none", "Seconds of talk (B-08), at most.",
       [](Reader& r, const Json& v, L& limit) {
         read_optional<std::int64_t, 0, limit_count_max>(r, v, limit.max_talk_s);
       }},
      {"max_calls", "integer 0..1000000000000", "none", "Answered calls, at most.",
       [](Reader& r, const Json& v, L& limit) {
         read_optional<std::int64_t, 0, limit_count_max>(r, v, limit.max_calls);
       }},
      {"memo", "text", "\"\"", "Yours.", [](Reader& r, const Json& v, L&) { read_memo(r, v); }},
  };
  return fields;
}

void read_account_limits(Reader& r, const Json& v, std::vector<AccountLimit>& limits) {
  const std::size_t errors_before = r.error_count();
  r.each(v, [&](const Json& item) {
    read_object(r, item, account_limit_fields(), {"window"}, limits.emplace_back());
  });
  if (r.error_count() != errors_before) return;
  if (auto checked = check_account_limits(limits); !checked) r.fail(checked.error().message);
}

namespace {

template <class Value>
void add_bound(Json& json, const char* key, const std::optional<Value>& bound) {
  if (!bound) return;
  if constexpr (std::is_same_v<Value, Amount>) {
    json[key] = bound->to_string();
  } else {
    json[key] = *bound;
  }
}

Json state_json(const LimitState& state) {
  Json json = {{"key", limit_key(state.limit)},
               {"window", limit_window_name(state.limit.window)},
               {"timezone", state.limit.timezone.empty() ? "UTC" : state.limit.timezone},
               {"prefixes", state.limit.prefixes},
               {"start", format_time_us(state.start_us)},
               {"until", format_time_us(state.until_us)}};
  add_bound(json, "max_charge", state.limit.max_charge);
  add_bound(json, "max_talk_s", state.limit.max_talk_s);
  add_bound(json, "max_calls", state.limit.max_calls);
  json["charge"] = state.charge.to_string();
  json["held_charge"] = state.held_charge.to_string();
  json["talk_s"] = state.talk_s;
  json["held_talk_s"] = state.held_talk_s;
  json["calls"] = state.calls;
  json["held_calls"] = state.held_calls;
  json["refused_calls"] = state.refused_calls;
  return json;
}

std::string dumped(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace
}  // namespace config

Result<std::vector<AccountLimit>> parse_account_limits(std::string_view json) {
  auto value = config::parse_json(json);
  if (!value) return value.error();
  std::vector<AccountLimit> limits;
  std::vector<ConfigError> errors;
  config::Reader reader("", errors, false);
  config::read_account_limits(reader, *value, limits);
  if (errors.empty()) return limits;
  const std::string& pointer = errors.front().pointer;
  return Error{ErrorCode::invalid_argument,
               (pointer.empty() ? "" : pointer + ": ") + errors.front().message};
}

std::string to_json(const LimitState& state) { return config::dumped(config::state_json(state)); }

std::string limits_to_json(const std::vector<LimitState>& states) {
  config::Json list = config::Json::array();
  for (const LimitState& state : states)
    list.push_back(config::state_json(state));
  return config::dumped(list);
}

}  // namespace tandem
