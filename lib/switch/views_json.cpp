#include "switch/config_reader_json.hpp"
#include "tandem/switch.hpp"

namespace tandem {

namespace {

using config::Json;

std::string text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json side(const MediaSideStats& stats) {
  return {{"packets_received", stats.packets_received},
          {"bytes_received", stats.bytes_received},
          {"packets_sent", stats.packets_sent},
          {"packets_lost", stats.packets_lost},
          {"jitter_us", stats.jitter_us},
          {"packets_refused", stats.packets_refused},
          {"remote", stats.remote}};
}

Json call(const CallView& view) {
  return {{"id", view.id},
          {"call_id", view.call_id},
          {"customer_gateway", view.customer_gateway},
          {"vendor_gateway", view.vendor_gateway},
          {"caller", view.caller},
          {"callee", view.callee},
          {"state", call_state_name(view.state)},
          {"started_at_us", view.started_at_us},
          {"answered_at_us", view.answered_at_us},
          {"media",
           {{"relayed", view.media_relayed},
            {"caller", side(view.media_caller)},
            {"callee", side(view.media_callee)}}}};
}

}  // namespace

const char* call_state_name(CallState state) noexcept {
  switch (state) {
    case CallState::arriving:
      return "arriving";
    case CallState::trying:
      return "trying";
    case CallState::progressing:
      return "progressing";
    case CallState::ringing:
      return "ringing";
    case CallState::answered:
      return "answered";
    case CallState::ending:
      return "ending";
  }
  return "";
}

const char* event_kind_name(Event::Kind kind) noexcept {
  switch (kind) {
    case Event::Kind::call_started:
      return "call_started";
    case Event::Kind::call_ringing:
      return "call_ringing";
    case Event::Kind::call_answered:
      return "call_answered";
    case Event::Kind::call_ended:
      return "call_ended";
    case Event::Kind::alarm:
      return "alarm";
    case Event::Kind::reloaded:
      return "reloaded";
    case Event::Kind::gateway:
      return "gateway";
  }
  return "";
}

const char* event_topic(Event::Kind kind) noexcept {
  switch (kind) {
    case Event::Kind::call_started:
    case Event::Kind::call_ringing:
    case Event::Kind::call_answered:
    case Event::Kind::call_ended:
      return "call";
    case Event::Kind::alarm:
      return "alarm";
    case Event::Kind::reloaded:
      return "switch";
    case Event::Kind::gateway:
      return "gateway";
  }
  return "";
}

std::string to_json(const CallView& view) { return text(call(view)); }

std::string to_json(const Event& event) {
  const bool is_of_call = std::string_view(event_topic(event.kind)) == "call";
  Json json = {{"id", is_of_call ? event.call.id : 0},
               {"type", event_kind_name(event.kind)},
               {"at_us", event.at_us}};
  if (is_of_call) json["call"] = call(event.call);
  if (event.cdr) json["cdr"] = config::json_or_null(to_json(*event.cdr));
  if (!event.gateway.empty()) json["gateway"] = event.gateway;
  if (!event.text.empty()) json["text"] = event.text;
  return text(json);
}

std::string to_json(const AccountState& account) {
  const auto overdraft = largest_overdraft(account);
  return text({{"id", account.settings.id},
               {"balance", account.balance.to_string()},
               {"held", account.held.to_string()},
               {"overdraft_limit", account.settings.overdraft_limit.to_string()},
               {"currency", account.settings.currency},
               {"kind", account_kind_name(account.settings.kind)},
               {"rate_deck", account.settings.rate_deck},
               {"agent", account.settings.agent},
               {"largest_overdraft", overdraft ? Json(overdraft->to_string()) : Json(nullptr)},
               {"locked", account.settings.locked},
               {"memo", account.settings.memo}});
}

std::string to_json(const GatewayView& gateway) {
  Json addresses = Json::array();
  for (const GatewayAddressView& address : gateway.addresses) {
    addresses.push_back({{"address", address.address.to_string()},
                         {"online", address.is_online},
                         {"disabled_ms", address.disabled_ms}});
  }
  return text({{"id", gateway.id},
               {"kind", gateway.is_vendor ? "vendor" : "customer"},
               {"calls", gateway.calls},
               {"line_limit", gateway.line_limit},
               {"locked", gateway.locked},
               {"addresses", std::move(addresses)}});
}

}  // namespace tandem
