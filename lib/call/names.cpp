#include "call/names.hpp"

#include <algorithm>
#include <set>

#include "base/text.hpp"

namespace tandem::call {
namespace {

constexpr std::uint32_t ranks_of_entry = 1'000;  // more than one name has

route::Places build_places(const Vendor& vendor, const NameScope& scope, SharedState& state,
                           const LocatedNames& located) {
  const VendorGateway& gateway = vendor.config;
  route::Places places;
  std::uint32_t first_rank = 0;
  const auto add = [&](const sip::LocatedPlace& found, std::string name) {
    std::string id = route::health_id(gateway.id, found.address);
    if (found.transport != gateway.sip.transport)
      id += ' ' + std::string(transport_name(found.transport));
    auto health = state.vendor_addresses.of(id, found.address);
    const bool is_known = std::any_of(places.begin(), places.end(),
                                      [&](const auto& one) { return one.health == health; });
    if (is_known || places.size() == route::places_max) return;
    places.push_back({std::move(health), found.transport, first_rank + found.rank, found.host,
                      found.weight, std::move(name)});
  };
  for (const GatewayAddress& entry : gateway.addresses) {
    if (!entry.is_name()) {
      const std::uint16_t port = entry.port.value_or(default_port(gateway.sip.transport));
      add({{entry.network.address, port}, gateway.sip.transport, 0, 0, 0}, {});
    } else {
      const auto found = located.find(location_of(entry, gateway, true, scope).key());
      if (found != located.end()) {
        for (const sip::LocatedPlace& place : found->second.places)
          add(place, entry.text);
      }
    }
    first_rank += ranks_of_entry;
  }
  return places;
}

}  // namespace

std::pair<std::string_view, std::uint16_t> split_name(std::string_view text) noexcept {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return {text, 0};
  return {text.substr(0, colon), parse_integer<std::uint16_t>(text.substr(colon + 1)).value_or(0)};
}

sip::Location location_of(const GatewayAddress& address, const GatewayConfig& gateway,
                          bool is_vendor, const NameScope& scope) {
  sip::Location what;
  const auto [name, port] = split_name(address.text);
  what.name = name;
  what.port = address.port.value_or(port);
  what.is_source = !is_vendor;
  what.uses_ipv4 = scope.uses_ipv4;
  what.uses_ipv6 = scope.uses_ipv6;
  if (!is_vendor) return what;
  if (gateway.sip.finds_transport) {
    what.transport.reset();
    what.speaks_tcp = scope.speaks_tcp;
    what.speaks_tls = scope.speaks_tls;
  } else {
    what.transport = gateway.sip.transport;
  }
  if (const SocketAddress& own = gateway.sip.local_address; own != SocketAddress()) {
    what.uses_ipv4 = own.ip.is_ipv4();
    what.uses_ipv6 = own.ip.is_ipv6();
  }
  return what;
}

std::vector<sip::Location> wanted_locations(const Tables& tables) {
  std::vector<sip::Location> wanted;
  std::set<std::string> keys;
  const auto add = [&](const GatewayConfig& gateway, bool is_vendor) {
    for (const GatewayAddress& entry : gateway.addresses) {
      if (!entry.is_name()) continue;
      sip::Location what = location_of(entry, gateway, is_vendor, tables.name_scope);
      if (keys.insert(what.key()).second) wanted.push_back(std::move(what));
    }
  };
  for (const Customer& customer : tables.customers)
    add(customer.config, false);
  for (const Vendor& vendor : tables.vendors)
    add(vendor.config, true);
  return wanted;
}

std::shared_ptr<const Names> build_names(const Tables& tables, SharedState& state,
                                         const LocatedNames& located, const Names* before) {
  auto names = std::make_shared<Names>();
  names->tables = &tables;
  for (const Vendor& vendor : tables.vendors) {
    if (!vendor.has_names) continue;
    names->vendors.emplace(vendor.config.id,
                           build_places(vendor, tables.name_scope, state, located));
  }
  auto& more = names->named_sources;
  for (std::uint32_t i = 0; i < tables.sources.size(); ++i) {
    const CustomerGateway& customer = tables.customers[i].config;
    for (const GatewayAddress& entry : customer.addresses) {
      if (!entry.is_name()) continue;
      const auto found = located.find(location_of(entry, customer, false, tables.name_scope).key());
      if (found == located.end()) continue;
      for (const sip::LocatedPlace& place : found->second.places) {
        const IpAddress& ip = place.address.ip;
        more.emplace_back(i, SourceAddress{{ip, static_cast<std::uint8_t>(ip.is_ipv6() ? 128 : 32)},
                                           place.address.port});
        const auto owner = tables.sources.owner_of(place.address);
        if (owner && *owner != i) names->disputed.push_back({i, *owner, ip});
      }
    }
  }
  // A copy of all blocks is not for each answer of a name server to order.
  const bool is_same =
      before != nullptr && before->tables == &tables && before->named_sources == more;
  names->sources = is_same        ? before->sources
                   : more.empty() ? tables.sources
                                  : tables.sources.with(more);
  return names;
}

const route::Places* places_of(const Vendor& vendor, const Names* names) noexcept {
  static const route::Places none;
  if (!vendor.has_names) return nullptr;
  if (names == nullptr) return &none;
  const auto found = names->vendors.find(vendor.config.id);
  return found == names->vendors.end() ? &none : &found->second;
}

const SourceTable& sources_of(const Tables& tables, const Names* names) noexcept {
  return names != nullptr && names->tables == &tables ? names->sources : tables.sources;
}

std::string_view tls_name_of(const Vendor& vendor, std::string_view place_name) noexcept {
  return vendor.config.sip.tls_name.empty() ? split_name(place_name).first
                                            : std::string_view(vendor.config.sip.tls_name);
}

std::string_view tls_name_of(const Vendor& vendor, const Names* names,
                             const SocketAddress& address) noexcept {
  const route::Places* const places = places_of(vendor, names);
  std::string_view of_host;
  for (std::size_t i = places == nullptr ? 0 : places->size(); i-- > 0;) {
    const route::Place& place = (*places)[i];
    if (place.health->address() == address) return tls_name_of(vendor, place.name);
    if (place.health->address().ip == address.ip) of_host = place.name;
  }
  return tls_name_of(vendor, of_host);
}

std::vector<IpAddress> ips_of(const Vendor& vendor, const Names* names) {
  std::vector<IpAddress> ips;
  if (const route::Places* const places = places_of(vendor, names); places != nullptr) {
    for (const route::Place& place : *places)
      ips.push_back(place.health->address().ip);
  } else {
    for (const auto& address : vendor.addresses)
      ips.push_back(address->address().ip);
  }
  return ips;
}

}  // namespace tandem::call
