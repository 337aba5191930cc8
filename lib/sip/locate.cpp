#include "sip/locate.hpp"

#include <algorithm>
#include <limits>
#include <tuple>

#include "base/text.hpp"

namespace tandem::sip {
namespace {

using io::DnsEntry;
using io::dns::NamingAuthority;
using io::dns::RecordType;
using io::dns::Service;

constexpr std::size_t authorities_max = 8;  // NAPTR records that are followed

/// RFC 3263 section 4.1, RFC 2782.
std::string service_name(SipTransport transport, const std::string& name) {
  switch (transport) {
    case SipTransport::udp:
      return "_sip._udp." + name;
    case SipTransport::tls:
      return "_sips._tcp." + name;
    default:
      return "_sip._tcp." + name;
  }
}

class Locator {
 public:
  Locator(const Location& what, const FindRecords& find, std::int64_t now_us)
      : what_(what), find_(find), now_us_(now_us) {
    constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();
    located_.asked_us = located_.expires_us = located_.due_us = never;
    located_.is_complete = true;
  }

  Located run() && {
    if (what_.is_source) {
      find_sources();
    } else if (what_.port != 0) {
      add_host(what_.name, what_.port, what_.transport.value_or(SipTransport::udp), 0);
    } else if (what_.transport) {
      if (!add_services(service_name(*what_.transport, what_.name), *what_.transport))
        add_bare(*what_.transport);
    } else if (!follow_authorities() && !try_transports()) {
      add_bare(SipTransport::udp);
    }
    finish();
    return std::move(located_);
  }

 private:
  /// Null: nothing of use is known. Says so where that leaves a gap.
  const DnsEntry* records(std::string_view name, RecordType type) {
    const DnsEntry& entry = find_(name, type);
    located_.due_us = std::min(located_.due_us, entry.due_us);
    if (entry.state == DnsEntry::State::pending) {
      located_.is_complete = false;
      return nullptr;
    }
    if (!entry.error.empty() && located_.error.empty())
      located_.error = "look-up of " + std::string(name) + ": " + entry.error;
    if (entry.state == DnsEntry::State::failed) {
      has_failed_ = true;
      return nullptr;
    }
    located_.is_stale |= entry.is_stale(now_us_);
    located_.asked_us = std::min(located_.asked_us, entry.asked_us);
    located_.expires_us = std::min(located_.expires_us, entry.expires_us);
    return entry.state == DnsEntry::State::found ? &entry : nullptr;
  }

  /// What failed or is not known yet is not the same as nothing: then there is no next step.
  [[nodiscard]] bool may_go_on() const noexcept { return located_.is_complete && !has_failed_; }

  void add_host(std::string_view name, std::uint16_t port, SipTransport transport,
                std::uint16_t weight) {
    const std::uint32_t host = hosts_++;
    for (const auto& [is_used, type] :
         {std::pair(what_.uses_ipv4, RecordType::a), {what_.uses_ipv6, RecordType::aaaa}}) {
      if (!is_used) continue;
      const bool failed_before = std::exchange(has_failed_, false);
      const DnsEntry* const entry = records(name, type);
      // A target that cannot be had says nothing of the others.
      has_failed_ = failed_before;
      if (entry == nullptr) continue;
      // An answer may hold thousands; more than located_max are never kept.
      std::vector<IpAddress> hosts;
      for (const auto& data : entry->data) {
        const auto* const ip = std::get_if<IpAddress>(&data);
        if (ip != nullptr && !ip->is_unspecified()) hosts.push_back(*ip);
      }
      std::sort(hosts.begin(), hosts.end(),
                [](const IpAddress& a, const IpAddress& b) { return a.bytes < b.bytes; });
      hosts.erase(std::unique(hosts.begin(), hosts.end()), hosts.end());
      if (hosts.size() > located_max) hosts.resize(located_max);
      for (const IpAddress& ip : hosts)
        located_.places.push_back({{ip, port}, transport, rank_, host, weight});
    }
  }

  /// The name itself, without the records that would say more.
  void add_bare(SipTransport transport) {
    if (!may_go_on()) return;
    add_host(what_.name, default_port(transport), transport, 0);
  }

  /// False: there is no such record.
  bool add_services(const std::string& name, SipTransport transport) {
    const DnsEntry* const entry = records(name, RecordType::srv);
    if (entry == nullptr) return !may_go_on();
    std::vector<const Service*> services;
    for (const auto& data : entry->data) {
      const auto* const service = std::get_if<Service>(&data);
      if (service != nullptr) services.push_back(service);
    }
    std::sort(services.begin(), services.end(), [](const Service* a, const Service* b) {
      return std::tie(a->priority, a->target, a->port, a->weight) <
             std::tie(b->priority, b->target, b->port, b->weight);
    });
    if (services.size() > located_max) services.resize(located_max);
    const Service* before = nullptr;
    for (const Service* service : services) {
      if (before != nullptr && before->priority != service->priority) ++rank_;
      before = service;
      if (service->target.empty() || service->port == 0) {
        located_.error = name + " says that there is no such service";
        continue;
      }
      add_host(service->target, what_.is_source ? what_.port : service->port, transport,
               service->weight);
    }
    ++rank_;
    return !services.empty();
  }

  /// RFC 3263 section 4.1 with NAPTR. False: none of them is of use here.
  bool follow_authorities() {
    const DnsEntry* const entry = records(what_.name, RecordType::naptr);
    if (entry == nullptr) return !may_go_on();
    std::vector<std::pair<const NamingAuthority*, SipTransport>> usable;
    for (const auto& data : entry->data) {
      const auto* const authority = std::get_if<NamingAuthority>(&data);
      if (authority == nullptr || !equals_ignoring_case(authority->flags, "s") ||
          authority->replacement.empty() || !authority->regexp.empty())
        continue;
      const std::string& services = authority->services;
      if (equals_ignoring_case(services, "SIP+D2U")) {
        usable.emplace_back(authority, SipTransport::udp);
      } else if (what_.speaks_tcp && equals_ignoring_case(services, "SIP+D2T")) {
        usable.emplace_back(authority, SipTransport::tcp);
      } else if (what_.speaks_tls && equals_ignoring_case(services, "SIPS+D2T")) {
        usable.emplace_back(authority, SipTransport::tls);
      }
    }
    std::sort(usable.begin(), usable.end(), [](const auto& a, const auto& b) {
      return std::tie(a.first->order, a.first->preference, a.first->replacement) <
             std::tie(b.first->order, b.first->preference, b.first->replacement);
    });
    if (usable.size() > authorities_max) usable.resize(authorities_max);
    std::optional<std::uint16_t> order;  // of the first that was of use
    for (const auto& [authority, transport] : usable) {
      // Then later orders are not looked at (RFC 3403 section 4.1).
      if (order && authority->order != *order) break;
      if (add_services(authority->replacement, transport) && !order) order = authority->order;
    }
    return order.has_value();
  }

  /// Without NAPTR records: what there are SRV records for.
  bool try_transports() {
    if (!may_go_on()) return true;
    bool is_any = add_services(service_name(SipTransport::udp, what_.name), SipTransport::udp);
    if (what_.speaks_tcp) {
      is_any |= add_services(service_name(SipTransport::tcp, what_.name), SipTransport::tcp);
    }
    return is_any;
  }

  void find_sources() {
    add_host(what_.name, what_.port, SipTransport::udp, 0);
    if (what_.port != 0) return;
    for (const SipTransport transport : {SipTransport::udp, SipTransport::tcp, SipTransport::tls})
      (void)add_services(service_name(transport, what_.name), SipTransport::udp);
  }

  void finish() {
    auto& places = located_.places;
    const auto key = [](const LocatedPlace& place) {
      return std::tie(place.rank, place.host, place.address.ip.family, place.address.ip.bytes,
                      place.address.port);
    };
    std::sort(places.begin(), places.end(),
              [&](const LocatedPlace& a, const LocatedPlace& b) { return key(a) < key(b); });
    // One place that is there twice is tried once, where it comes first.
    for (std::size_t i = 0; i < places.size(); ++i) {
      const LocatedPlace first = places[i];
      places.erase(std::remove_if(places.begin() + static_cast<std::ptrdiff_t>(i) + 1, places.end(),
                                  [&](const LocatedPlace& later) {
                                    return later.address == first.address &&
                                           later.transport == first.transport;
                                  }),
                   places.end());
    }
    if (places.size() > located_max) places.resize(located_max);
    if (places.empty() && located_.error.empty()) located_.error = "the name has no address";
    // Who found something may look away from targets that cannot be had.
    if (!places.empty() && !located_.is_stale) located_.error.clear();
    constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();
    if (located_.asked_us == never) located_.asked_us = now_us_;
    if (located_.expires_us == never) located_.expires_us = located_.due_us;
  }

  const Location& what_;
  const FindRecords& find_;
  const std::int64_t now_us_;
  Located located_;
  bool has_failed_ = false;
  std::uint32_t rank_ = 0, hosts_ = 0;
};

}  // namespace

std::string Location::key() const {
  std::string text;
  for (const char c : name)
    text += to_lower(c);
  if (port != 0) text += ':' + std::to_string(port);
  text += '/';
  if (is_source) {
    text += "source";
  } else if (transport) {
    text += transport_name(*transport);
  } else {
    text += std::string("auto") + (speaks_tcp ? "+tcp" : "") + (speaks_tls ? "+tls" : "");
  }
  return text + (uses_ipv4 ? "4" : "") + (uses_ipv6 ? "6" : "");
}

Located locate(const Location& what, const FindRecords& find, std::int64_t now_us) {
  return Locator(what, find, now_us).run();
}

}  // namespace tandem::sip
