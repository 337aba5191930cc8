#include "switch/name_views.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "switch/name_keeper.hpp"

namespace tandem {
namespace {

constexpr std::int64_t unresolved_wait_us = 10'000'000;
constexpr std::int64_t ttl_shown_max_ms = 86'400'000;  // the longest that DnsConfig allows

GatewayAddressView view_of(const route::AddressHealth& health, SipTransport transport,
                           std::int64_t now_us) {
  GatewayAddressView view;
  view.address = health.address();
  view.is_online = health.is_up();
  view.disabled_ms = (health.closed_us(now_us) + 999) / 1'000;
  view.transport = transport_name(transport);
  return view;
}

}  // namespace

void show_addresses(const call::Vendor& vendor, const call::Names* names, std::int64_t now_us,
                    GatewayView& view) {
  if (const route::Places* const places = call::places_of(vendor, names); places != nullptr) {
    for (const route::Place& place : *places) {
      GatewayAddressView& one =
          view.addresses.emplace_back(view_of(*place.health, place.transport, now_us));
      one.name = place.name;
      one.rank = place.rank;
      one.weight = place.weight;
    }
    return;
  }
  for (const auto& address : vendor.addresses)
    view.addresses.push_back(view_of(*address, vendor.config.sip.transport, now_us));
}

void show_names(const GatewayConfig& gateway, bool is_vendor, const call::Tables& tables,
                const call::LocatedNames& located, std::int64_t now_us, GatewayView& view) {
  for (const GatewayAddress& entry : gateway.addresses) {
    if (!entry.is_name()) continue;
    GatewayNameView& one = view.names.emplace_back();
    one.name = entry.text;
    const auto known =
        located.find(call::location_of(entry, gateway, is_vendor, tables.name_scope).key());
    if (known == located.end()) continue;
    const sip::Located& found = known->second;
    one.is_known = true;
    one.is_stale = found.is_stale;
    one.error = found.error;
    one.age_ms = (now_us - found.asked_us) / 1'000;
    // What the hosts file says has no end.
    one.ttl_ms = std::min((found.expires_us - now_us) / 1'000, ttl_shown_max_ms);
    for (const sip::LocatedPlace& place : found.places) {
      one.addresses.push_back(place.address.port == 0 ? place.address.ip.to_string()
                                                      : place.address.to_string());
    }
  }
}

std::vector<ConfigError> unresolved_names(const SwitchConfig& config) {
  std::vector<ConfigError> errors;
  call::SharedState state;
  call::NameScope scope{true, true, true, true};
  std::vector<sip::Location> wanted;
  const auto each_name = [&](const auto& visit) {
    const auto visit_list = [&](const auto& gateways, const char* list, bool is_vendor) {
      for (std::size_t i = 0; i < gateways.size(); ++i) {
        for (std::size_t j = 0; j < gateways[i].addresses.size(); ++j) {
          const GatewayAddress& entry = gateways[i].addresses[j];
          if (!entry.is_name()) continue;
          visit(entry, call::location_of(entry, gateways[i], is_vendor, scope),
                std::string("/provision/") + list + "/" + std::to_string(i) + "/addresses/" +
                    std::to_string(j));
        }
      }
    };
    visit_list(config.provision.customer_gateways, "customer_gateways", false);
    visit_list(config.provision.vendor_gateways, "vendor_gateways", true);
  };
  each_name([&](const GatewayAddress&, sip::Location what, const std::string&) {
    wanted.push_back(std::move(what));
  });
  const call::LocatedNames located = locate_now(config.dns, wanted, unresolved_wait_us);
  each_name([&](const GatewayAddress& entry, const sip::Location& what, std::string pointer) {
    const auto found = located.find(what.key());
    if (found != located.end() && !found->second.places.empty()) return;
    errors.push_back(
        {std::move(pointer), "name \"" + entry.text + "\" did not resolve: " +
                                 (found == located.end() ? std::string("no answer came in time")
                                                         : found->second.error)});
  });
  return errors;
}

}  // namespace tandem
