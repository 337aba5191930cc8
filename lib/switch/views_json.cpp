#include "switch/config_reader_json.hpp"
#include "tandem/switch.hpp"

namespace tandem {

namespace {

using config::Json;

std::string text(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json side(const MediaSideStats& stats, const std::string& codecs) {
  return {{"packets_received", stats.packets_received},
          {"bytes_received", stats.bytes_received},
          {"packets_sent", stats.packets_sent},
          {"packets_lost", stats.packets_lost},
          {"jitter_us", stats.jitter_us},
          {"packets_refused", stats.packets_refused},
          {"remote", stats.remote},
          {"codecs", codecs},
          {"signalled", stats.signalled},
          {"cause", media_cause_name(stats.cause)},
          {"digits", stats.digits},
          {"packets_unnegotiated", stats.packets_unnegotiated},
          {"reported_lost", stats.reported_lost},
          {"reported_jitter_us", stats.reported_jitter_us},
          {"srtp_failures", stats.srtp_failures},
          {"jitter_late", stats.jitter_late},
          {"jitter_lost", stats.jitter_lost},
          {"jitter_depth_ms", stats.jitter_depth_ms}};
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
            {"codec", view.codecs.negotiated},
            {"caller", side(view.media_caller, view.codecs.caller)},
            {"callee", side(view.media_callee, view.codecs.callee)},
            {"recording", view.recording}}}};
}

/// Where somebody registered.
Json contacts(const std::vector<ContactView>& views) {
  Json list = Json::array();
  for (const ContactView& one : views) {
    list.push_back({{"uri", one.uri},
                    {"address", one.address.to_string()},
                    {"source", one.source.to_string()},
                    {"transport", one.transport},
                    {"product", one.product},
                    {"q", one.q_thousandths == 1000
                              ? std::string("1")
                              : "0." + std::to_string(1000 + one.q_thousandths).substr(1)},
                    {"registered_at_us", one.registered_at_us},
                    {"expires_at_us", one.expires_at_us}});
    if (!one.path.empty()) list.back()["path"] = one.path;
  }
  return list;
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
    case Event::Kind::phone:
      return "phone";
    case Event::Kind::call_digit:
      return "call_digit";
    case Event::Kind::trace:
      return "trace";
    case Event::Kind::call_service:
      return "call_service";
  }
  return "";
}

const char* event_topic(Event::Kind kind) noexcept {
  switch (kind) {
    case Event::Kind::call_started:
    case Event::Kind::call_ringing:
    case Event::Kind::call_answered:
    case Event::Kind::call_ended:
    case Event::Kind::call_digit:
    case Event::Kind::call_service:
      return "call";
    case Event::Kind::alarm:
      return "alarm";
    case Event::Kind::reloaded:
      return "switch";
    case Event::Kind::gateway:
      return "gateway";
    case Event::Kind::phone:
      return "phone";
    case Event::Kind::trace:
      return "trace";
  }
  return "";
}

const char* gateway_registration_name(GatewayRegistration registration) noexcept {
  switch (registration) {
    case GatewayRegistration::fixed:
      return "static";
    case GatewayRegistration::dynamic:
      return "dynamic";
    case GatewayRegistration::outbound:
      return "outbound";
  }
  return "";
}

const char* phone_lock_name(PhoneLock lock) noexcept {
  switch (lock) {
    case PhoneLock::none:
      return "none";
    case PhoneLock::outgoing:
      return "outgoing";
    case PhoneLock::incoming:
      return "incoming";
    case PhoneLock::both:
      return "both";
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
  if (event.kind == Event::Kind::call_digit) {
    json["digit"] = std::string(1, event.digit);
    json["side"] = event.side == MediaSide::caller ? "caller" : "callee";
    json["duration_ms"] = event.duration_ms;
  }
  if (const auto& service = event.service) {
    json["what"] = service_report_name(service->what);
    if (service->why != ServiceReport::Why::none) json["why"] = service_reason_name(service->why);
    if (service->what == ServiceReport::What::collected) {
      json["digits"] = service->digits;
      json["is_complete"] = service->is_complete;
    }
    if (service->what == ServiceReport::What::bridge_failed)
      json["sip_status"] = service->sip_status;
  }
  if (event.cdr) json["cdr"] = config::json_or_null(to_json(*event.cdr));
  if (!event.gateway.empty()) json["gateway"] = event.gateway;
  if (!event.text.empty()) json["text"] = event.text;
  if (const auto& change = event.registration) {
    if (!change->phone.empty()) json["phone"] = change->phone;
    json["state"] = change->state;
    json["address"] = change->address;
    if (!change->product.empty()) json["product"] = change->product;
    json["online"] = change->is_online();
    if (!change->phone.empty()) json["dids"] = change->dids;
    if (change->source.port != 0) json["source"] = change->source.to_string();
    if (change->local.port != 0) json["local"] = change->local.to_string();
    if (change->sequence != 0) json["sequence"] = change->sequence;
  }
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
               {"limit_use", config::json_or_null(limits_to_json(account.limits))},
               {"locked", account.settings.locked},
               {"memo", account.settings.memo}});
}

std::string to_json(const GatewayView& gateway) {
  Json addresses = Json::array();
  for (const GatewayAddressView& address : gateway.addresses) {
    addresses.push_back({{"address", address.address.to_string()},
                         {"online", address.is_online},
                         {"disabled_ms", address.disabled_ms}});
    if (address.name.empty()) continue;
    addresses.back()["name"] = address.name;
    addresses.back()["transport"] = address.transport;
    addresses.back()["rank"] = address.rank;
    addresses.back()["weight"] = address.weight;
  }
  Json json = {{"id", gateway.id},
               {"kind", gateway.is_vendor ? "vendor" : "customer"},
               {"calls", gateway.calls},
               {"line_limit", gateway.line_limit},
               {"locked", gateway.locked},
               {"addresses", std::move(addresses)},
               {"registration", gateway_registration_name(gateway.registration)}};
  if (!gateway.names.empty()) {
    Json names = Json::array();
    for (const GatewayNameView& name : gateway.names) {
      names.push_back({{"name", name.name},
                       {"addresses", name.addresses},
                       {"known", name.is_known},
                       {"stale", name.is_stale},
                       {"ttl_ms", name.ttl_ms},
                       {"age_ms", name.age_ms},
                       {"error", name.error.empty() ? Json(nullptr) : Json(name.error)}});
    }
    json["names"] = std::move(names);
  }
  if (gateway.registration != GatewayRegistration::fixed) json["online"] = gateway.is_registered;
  if (gateway.registration == GatewayRegistration::dynamic)
    json["contacts"] = contacts(gateway.contacts);
  if (gateway.registration == GatewayRegistration::outbound) {
    json["registered_until_us"] = gateway.registered_until_us;
    json["registration_status"] = gateway.registration_status;
  }
  return text(json);
}

std::string to_json(const PhoneView& phone) {
  return text({{"number", phone.number},
               {"dids", phone.dids},
               {"account", phone.account},
               {"locked", phone_lock_name(phone.locked)},
               {"online", !phone.contacts.empty()},
               {"calls_in", phone.calls_in},
               {"calls_out", phone.calls_out},
               {"line_in", phone.line_in},
               {"line_out", phone.line_out},
               {"line_limit", phone.line_limit},
               {"contacts", contacts(phone.contacts)}});
}

std::string to_json(const SuspensionView& suspension) {
  return text({{"user", suspension.user},
               {"address", suspension.address},
               {"left_ms", suspension.left_ms}});
}

}  // namespace tandem
