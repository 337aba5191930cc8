// What the system's files say of names: resolv.conf and hosts.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tandem/values.hpp"

namespace tandem::io {

inline constexpr std::size_t dns_servers_max = 8;

/// The addresses of the lines `nameserver`, with port 53; at most 8, others are passed over, as is
/// what cannot be read.
[[nodiscard]] std::vector<SocketAddress> read_resolv_conf(std::string_view text);

/// Addresses by name in lower case.
using HostsTable = std::map<std::string, std::vector<IpAddress>, std::less<>>;

/// Lines `ADDRESS NAME…`, with comments behind '#'; at most 65,536 names with 16 addresses each.
/// What cannot be read is passed over.
[[nodiscard]] HostsTable read_hosts(std::string_view text);

}  // namespace tandem::io
