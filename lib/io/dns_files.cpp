#include "io/dns_files.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "io/dns_message.hpp"

namespace tandem::io {
namespace {

constexpr std::size_t names_max = 65'536;
constexpr std::size_t addresses_max = 16;

bool is_blank(char c) noexcept { return c == ' ' || c == '\t' || c == '\r'; }

/// The next word of a line, which loses it; "": none is left.
std::string_view take_word(std::string_view& line) noexcept {
  while (!line.empty() && is_blank(line.front()))
    line.remove_prefix(1);
  std::size_t length = 0;
  while (length < line.size() && !is_blank(line[length]))
    ++length;
  const std::string_view word = line.substr(0, length);
  line.remove_prefix(length);
  return word;
}

/// The next line without its comment; the text loses it.
std::string_view take_line(std::string_view& text) noexcept {
  const std::size_t end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  return line.substr(0, line.find_first_of("#;"));
}

}  // namespace

std::vector<SocketAddress> read_resolv_conf(std::string_view text) {
  std::vector<SocketAddress> servers;
  while (!text.empty() && servers.size() < dns_servers_max) {
    std::string_view line = take_line(text);
    if (take_word(line) != "nameserver") continue;
    if (const auto ip = IpAddress::parse(take_word(line))) servers.push_back({*ip, 53});
  }
  return servers;
}

HostsTable read_hosts(std::string_view text) {
  HostsTable table;
  while (!text.empty()) {
    std::string_view line = take_line(text);
    const auto ip = IpAddress::parse(take_word(line));
    if (!ip) continue;
    for (std::string_view word = take_word(line); !word.empty(); word = take_word(line)) {
      if (!dns::is_name(word)) continue;
      std::string name;
      for (const char c : word)
        name += to_lower(c);
      if (table.size() >= names_max && !table.contains(name)) continue;
      std::vector<IpAddress>& addresses = table[std::move(name)];
      if (addresses.size() < addresses_max &&
          std::find(addresses.begin(), addresses.end(), *ip) == addresses.end())
        addresses.push_back(*ip);
    }
  }
  return table;
}

}  // namespace tandem::io
