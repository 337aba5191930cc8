// What a configuration says that is allowed and hardly meant.
#include <algorithm>
#include <map>
#include <string>

#include "tandem/config.hpp"

namespace tandem {

namespace {

template <class T>
bool has_margin_guard(const T& object) {
  return object.min_profit_hundredths.has_value() || object.max_price_per_s.has_value();
}

/// Who sets a guard that holds for every vendor; "": nobody.
std::string guarding_source(const Provision& provision) {
  for (const CustomerGateway& customer : provision.customer_gateways)
    if (has_margin_guard(customer)) return "customer gateway \"" + customer.id + "\"";
  for (const PhoneConfig& phone : provision.phones)
    if (has_margin_guard(phone)) return "phone \"" + phone.number + "\"";
  return {};
}

/// the guards compare prices, so a vendor without one passes them.
void warn_of_unpriced_vendors(const Provision& provision, std::vector<ConfigError>& warnings) {
  std::map<std::string_view, std::string_view> decks;  // by account
  for (const AccountConfig& account : provision.accounts)
    decks.emplace(account.id, account.rate_deck);
  const std::string source = guarding_source(provision);
  for (std::size_t i = 0; i < provision.vendor_gateways.size(); ++i) {
    const VendorGateway& vendor = provision.vendor_gateways[i];
    if (vendor.require_rate || (source.empty() && !has_margin_guard(vendor))) continue;
    const auto found = decks.find(vendor.account);
    const std::string_view deck = found == decks.end() ? std::string_view() : found->second;
    const std::string calls = deck.empty() ? "has no rates, so that all its calls"
                                           : "gets calls to numbers without a rate in \"" +
                                                 std::string(deck) + "\", which";
    warnings.push_back({"/provision/vendor_gateways/" + std::to_string(i) + "/require_rate",
                        "vendor \"" + vendor.id + "\" " + calls + " pass the margin guards of " +
                            (has_margin_guard(vendor) ? "its own" : source) +
                            "; require_rate passes it over instead (R-18)"});
  }
}

/// P-01: a page of anybody's can then speak SIP from the address of whoever looks at it.
void warn_of_open_websockets(const SwitchConfig& config, std::vector<ConfigError>& warnings) {
  for (std::size_t i = 0; i < config.sip_listen.size(); ++i) {
    const ListenConfig& listener = config.sip_listen[i];
    if (!is_websocket(listener.transport) || !listener.origins.empty()) continue;
    warnings.push_back({"/sip/listen/" + std::to_string(i) + "/origins",
                        "WebSocket listener " + listener.address.to_string() +
                            " takes connections of any page, so that no customer is known there "
                            "by its address alone; name the pages in origins (P-01)"});
  }
}

/// M-15: who is to be recorded while nothing says where.
void warn_of_lost_recordings(const SwitchConfig& config, std::vector<ConfigError>& warnings) {
  if (config.recording) {
    if (config.recording->delete_after_days > 0 && !config.maintenance.is_scheduled)
      warnings.push_back({"/recording/delete_after_days",
                          "recordings are deleted by maintenance, which is not scheduled (M-15)"});
    return;
  }
  const auto warn = [&warnings](const char* list, std::size_t index) {
    warnings.push_back({"/provision/" + std::string(list) + "/" + std::to_string(index) + "/record",
                        "nothing is recorded without the section recording (M-15)"});
  };
  const auto look = [&warn](const char* list, const auto& objects) {
    for (std::size_t i = 0; i < objects.size(); ++i) {
      if (objects[i].record) return warn(list, i);  // one of a list says it all
    }
  };
  look("accounts", config.provision.accounts);
  look("customer_gateways", config.provision.customer_gateways);
  look("vendor_gateways", config.provision.vendor_gateways);
  look("phones", config.provision.phones);
}

/// RFC 4568 section 8.1: keys that may not be offered. Of others it is known only when they are
/// called: NAPTR may name TLS, or a dynamic gateway register over it.
void warn_of_keyless_vendors(const Provision& provision, std::vector<ConfigError>& warnings) {
  for (std::size_t i = 0; i < provision.vendor_gateways.size(); ++i) {
    const VendorGateway& vendor = provision.vendor_gateways[i];
    const SipOptions& sip = vendor.sip;
    const bool is_offered = sip.srtp == SrtpMode::optional || sip.srtp == SrtpMode::required;
    const bool hides_keys =
        sip.transport == SipTransport::tls || sip.transport == SipTransport::wss;
    // A fingerprint is no secret.
    const bool has_handshake = sip.srtp_keys == SrtpKeySource::dtls;
    if (!is_offered || has_handshake || hides_keys || sip.srtp_any_transport ||
        sip.finds_transport || vendor.registration == GatewayRegistration::dynamic)
      continue;
    const bool is_required = sip.srtp == SrtpMode::required;
    warnings.push_back({"/provision/vendor_gateways/" + std::to_string(i) + "/sip/srtp",
                        "vendor \"" + vendor.id + "\" is offered no keys over " +
                            std::string(transport_name(sip.transport)) + ", so it " +
                            (is_required ? "is never called" : "gets plain RTP") +
                            "; srtp_any_transport offers them there too"});
  }
}

/// I-03: who leaves calls to redirect servers that there are not.
void warn_of_missing_servers(const Provision& provision, std::vector<ConfigError>& warnings) {
  const auto& vendors = provision.vendor_gateways;
  if (std::any_of(vendors.begin(), vendors.end(),
                  [](const VendorGateway& vendor) { return vendor.sip.redirects.to_gateways; }))
    return;
  const auto look = [&warnings](const char* list, const auto& objects, const char* key,
                                auto is_lost) {
    for (std::size_t i = 0; i < objects.size(); ++i) {
      if (!is_lost(objects[i])) continue;
      warnings.push_back({"/provision/" + std::string(list) + "/" + std::to_string(i) + "/" + key,
                          "no vendor is a redirect server (follow_redirects \"gateways\"), so "
                          "these calls fail with RedirectFailed (I-03)"});
      return;  // one of a list says it all
    }
  };
  const auto asks_alone = [](const auto& source) {
    return source.redirect_servers == RedirectServers::only;
  };
  look("customer_gateways", provision.customer_gateways, "redirect_servers", asks_alone);
  look("phones", provision.phones, "redirect_servers", asks_alone);
  look("phones", provision.phones, "called_redirect_servers", [](const PhoneConfig& phone) {
    return phone.called_redirect_servers != CalledRedirectServers::off;
  });
}

/// The relay speaks ICE together with DTLS alone.
void warn_of_lone_ice(const Provision& provision, std::vector<ConfigError>& warnings) {
  const auto look = [&](const DescriptionOptions& options, const std::string& pointer) {
    if (options.ice != IceMode::off && options.srtp_keys == SrtpKeySource::sdes)
      warnings.push_back(
          {pointer + "/ice", "\"lite\" does nothing without srtp_keys of dtls or both"});
  };
  for (std::size_t i = 0; i < provision.customer_gateways.size(); ++i)
    look(provision.customer_gateways[i].sip,
         "/provision/customer_gateways/" + std::to_string(i) + "/sip");
  for (std::size_t i = 0; i < provision.vendor_gateways.size(); ++i)
    look(provision.vendor_gateways[i].sip,
         "/provision/vendor_gateways/" + std::to_string(i) + "/sip");
  for (std::size_t i = 0; i < provision.phones.size(); ++i)
    look(provision.phones[i], "/provision/phones/" + std::to_string(i));
}

}  // namespace

std::vector<ConfigError> config_warnings(const SwitchConfig& config) {
  std::vector<ConfigError> warnings;
  warn_of_open_websockets(config, warnings);
  warn_of_unpriced_vendors(config.provision, warnings);
  warn_of_lost_recordings(config, warnings);
  warn_of_keyless_vendors(config.provision, warnings);
  warn_of_missing_servers(config.provision, warnings);
  warn_of_lone_ice(config.provision, warnings);
  return warnings;
}

}  // namespace tandem
