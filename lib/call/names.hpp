// The places that names of gateways stand for at one time.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "call/tables.hpp"
#include "route/places.hpp"
#include "sip/locate.hpp"
#include "tandem/sources.hpp"

namespace tandem::call {

/// Threading: immutable; any number of threads may use it at once. Calls keep what they started
/// with, as they do with the tables.
struct Names {
  /// By id: of vendors that have names, with their other addresses in the places of the list. One
  /// without any place now is there with none.
  std::unordered_map<std::string, route::Places> vendors;
  /// The tables' sources, with the addresses that names of customers stand for.
  SourceTable sources;
  /// Those addresses, by the index of the customer.
  std::vector<std::pair<std::uint32_t, SourceAddress>> named_sources;
  /// An address of a customer's name that is another one's by configuration, whose it stays.
  struct Disputed {
    std::uint32_t customer = 0, owner = 0;
    IpAddress address;
  };
  std::vector<Disputed> disputed;
  const Tables* tables = nullptr;  ///< That the indices of `sources` are of.
};

/// What was located, by Location::key().
using LocatedNames = std::map<std::string, sip::Located, std::less<>>;

/// "NAME" and its port; 0: none was given.
[[nodiscard]] std::pair<std::string_view, std::uint16_t> split_name(std::string_view text) noexcept;

/// The question that an entry of `addresses` stands for. REQUIRES: it is a name.
[[nodiscard]] sip::Location location_of(const GatewayAddress& address, const GatewayConfig& gateway,
                                        bool is_vendor, const NameScope& scope);

/// Every question that the names of the tables stand for, each once.
[[nodiscard]] std::vector<sip::Location> wanted_locations(const Tables& tables);

/// `located`: what is known so far; what is not has no places. `before`: the names until now, of
/// which what is the same is kept; null: none.
[[nodiscard]] std::shared_ptr<const Names> build_names(const Tables& tables, SharedState& state,
                                                       const LocatedNames& located,
                                                       const Names* before = nullptr);

/// The places of a vendor; null: it has no names, and is called at its addresses. Of one that has,
/// with nothing known of them: no places.
[[nodiscard]] const route::Places* places_of(const Vendor& vendor, const Names* names) noexcept;

/// Whom calls come from, as far as names are known.
[[nodiscard]] const SourceTable& sources_of(const Tables& tables, const Names* names) noexcept;

/// The domain that the certificate of a vendor's place must be of on TLS; "": the address. By the
/// name that the place was found by, or by one of its addresses.
[[nodiscard]] std::string_view tls_name_of(const Vendor& vendor,
                                           std::string_view place_name) noexcept;
[[nodiscard]] std::string_view tls_name_of(const Vendor& vendor, const Names* names,
                                           const SocketAddress& address) noexcept;

/// The addresses that a vendor has now.
[[nodiscard]] std::vector<IpAddress> ips_of(const Vendor& vendor, const Names* names);

}  // namespace tandem::call
