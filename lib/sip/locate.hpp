// From a name to the places that speak SIP for it (RFC 3263 section 4). Asks nobody: it reads what
// is known of names, and says what else it needs by reading that.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/dns_resolver.hpp"
#include "tandem/sip_options.hpp"
#include "tandem/values.hpp"

namespace tandem::sip {

inline constexpr std::size_t located_max = 16;  ///< Places that one name stands for; more are cut.

/// What is asked for.
struct Location {
  std::string name;
  std::uint16_t port = 0;  ///< 0: not given, so that SRV records say it.
  /// Nothing: NAPTR records choose it (RFC 3263 section 4.1), among those in `speaks_…`.
  std::optional<SipTransport> transport = SipTransport::udp;
  bool speaks_tcp = true, speaks_tls = false;
  bool uses_ipv4 = true, uses_ipv6 = false;
  /// Whose calls come from there: every address of the name and of its SIP services, with no port
  /// but the one that is given.
  bool is_source = false;

  /// Equal ones are the same question.
  [[nodiscard]] std::string key() const;
};

/// One place.
struct LocatedPlace {
  SocketAddress address;
  SipTransport transport = SipTransport::udp;
  std::uint32_t rank = 0;    ///< Lower is tried first (order of NAPTR, priority of SRV).
  std::uint32_t host = 0;    ///< Places of one target have the same.
  std::uint16_t weight = 0;  ///< Of the target among those of equal rank (RFC 2782).
  bool operator==(const LocatedPlace&) const = default;
};

struct Located {
  bool is_complete = false;  ///< Else something was not known yet, and the rest says nothing.
  bool is_stale = false;     ///< Something that was used is beyond its TTL.
  /// In order of rank, then of host and address, so that what is the same looks the same.
  std::vector<LocatedPlace> places;
  std::int64_t asked_us = 0;    ///< The oldest of what was used; monotonic, as the next two.
  std::int64_t expires_us = 0;  ///< The first to end.
  std::int64_t due_us = 0;      ///< When to locate again: something is then to be asked for anew.
  std::string error;            ///< Why there is no place, or why what is used is old; "": neither.
};

/// What is known of a question, see io::DnsResolver::find().
using FindRecords = std::function<const io::DnsEntry&(std::string_view, io::dns::RecordType)>;

Located locate(const Location& what, const FindRecords& find, std::int64_t now_us);

}  // namespace tandem::sip
