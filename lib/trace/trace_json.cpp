// Traces as JSON, and the request for one.
#include <nlohmann/json.hpp>
#include <string>

#include "base/json_depth.hpp"
#include "tandem/trace.hpp"

namespace tandem {
namespace {

using Json = nlohmann::ordered_json;

std::string dump(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json view_json(const TracedCallView& call) {
  return {
      {"id", call.id},
      {"call_id", call.call_id},
      {"caller", call.caller},
      {"callee", call.callee},
      {"customer_gateway", call.customer_gateway.empty() ? Json() : Json(call.customer_gateway)},
      {"vendor_gateway", call.vendor_gateway.empty() ? Json() : Json(call.vendor_gateway)},
      {"started_at_us", call.started_at_us},
      {"ended_at_us", call.ended_at_us},
      {"end_reason", call.end_reason.empty() ? Json() : Json(call.end_reason)},
      {"messages", call.messages},
      {"dropped", call.dropped}};
}

Json entry_json(const TraceEntry& entry) {
  if (entry.kind == TraceEntry::Kind::note) {
    return {{"at_us", entry.at_us}, {"kind", "note"}, {"topic", entry.topic}, {"text", entry.text}};
  }
  const bool is_customer = entry.side == TraceEntry::Side::customer;
  return {{"at_us", entry.at_us},
          {"kind", "message"},
          {"side", is_customer ? "customer" : "vendor"},
          {"gateway", entry.gateway.empty() ? Json() : Json(entry.gateway)},
          {"direction", entry.is_sent ? "sent" : "received"},
          {"lost", entry.is_lost},
          {"transport", transport_name(entry.transport)},
          {"local", entry.local.to_string()},
          {"remote", entry.remote.to_string()},
          {"first_line", first_line(entry.text)},
          {"text", entry.text}};
}

/// `key` comes from outside: one line, and no more of it than helps.
Error wrong(const std::string& key, const std::string& what) {
  constexpr std::size_t chars_max = 64;
  std::string pointer = "/";
  for (const char c : key.substr(0, chars_max))
    pointer += c > ' ' && c < 0x7f && c != ':' ? c : '?';
  return {ErrorCode::invalid_argument, pointer + ": " + what};
}

}  // namespace

std::string to_json(const TracedCallView& call) { return dump(view_json(call)); }

std::string to_json(const TracedCall& call) {
  Json json = view_json(call.call);
  Json& entries = json["entries"] = Json::array();
  for (const TraceEntry& entry : call.entries)
    entries.push_back(entry_json(entry));
  return dump(json);
}

std::string to_json(const TraceView& trace) {
  const TraceRequest& request = trace.request;
  const auto text = [](const std::string& value) { return value.empty() ? Json() : Json(value); };
  const Json json = {
      {"id", trace.id},
      {"caller", text(request.filter.caller)},
      {"callee", text(request.filter.callee)},
      {"gateway", text(request.filter.gateway)},
      {"source", text(request.filter.source)},
      {"phone", text(request.filter.phone)},
      {"duration_s", request.duration_s},
      {"calls", request.calls_max},
      {"bytes", request.bytes_max},
      {"hep", request.hep},
      {"memo", text(request.memo)},
      {"started_at_us", trace.started_at_us},
      {"ends_at_us", trace.ends_at_us},
      {"end", *trace_end_name(trace.end) == 0 ? Json() : Json(trace_end_name(trace.end))},
      {"calls_recorded", trace.calls},
      {"messages_recorded", trace.messages},
      {"bytes_recorded", trace.bytes},
      {"messages_dropped", trace.dropped}};
  return dump(json);
}

Result<TraceRequest> read_trace_request(std::string_view text) {
  if (const auto deep = too_deep_at(text)) {
    return Error{ErrorCode::invalid_argument,
                 "a trace nests too deep at offset " + std::to_string(*deep)};
  }
  const Json json = Json::parse(text.begin(), text.end(), nullptr, false);
  if (!json.is_object()) return Error{ErrorCode::invalid_argument, "a trace was no JSON object"};
  TraceRequest request;
  for (const auto& [key, value] : json.items()) {
    if (value.is_null()) continue;
    std::string* const name = key == "caller"    ? &request.filter.caller
                              : key == "callee"  ? &request.filter.callee
                              : key == "gateway" ? &request.filter.gateway
                              : key == "source"  ? &request.filter.source
                              : key == "phone"   ? &request.filter.phone
                              : key == "memo"    ? &request.memo
                                                 : nullptr;
    if (name != nullptr) {
      if (!value.is_string()) return wrong(key, "is no text");
      *name = value.get<std::string>();
    } else if (key == "hep") {
      if (!value.is_boolean()) return wrong(key, "is neither true nor false");
      request.hep = value.get<bool>();
    } else if (key == "duration_s" || key == "calls" || key == "bytes") {
      constexpr std::int64_t largest = INT32_MAX;  // ranges are start()'s to check
      if (!value.is_number_integer() || value < 0 || value > largest)
        return wrong(key, "is no whole number in range");
      const auto number = value.get<std::int64_t>();
      if (key == "duration_s") request.duration_s = static_cast<std::int32_t>(number);
      if (key == "calls") request.calls_max = static_cast<std::int32_t>(number);
      if (key == "bytes") request.bytes_max = number;
    } else {
      return wrong(key, "is no key of a trace");
    }
  }
  return request;
}

}  // namespace tandem
