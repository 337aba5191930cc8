#include "switch/resolve.hpp"

#include <netdb.h>
#include <sys/socket.h>

#include <cctype>
#include <cstring>

#include "base/text.hpp"

namespace tandem {

namespace {

constexpr std::size_t addresses_of_name_max = 16;

IpNetwork whole(const IpAddress& ip) {
  return {ip, static_cast<std::uint8_t>(ip.is_ipv6() ? 128 : 32)};
}

bool is_host_name(std::string_view text) {  // RFC 1123 section 2.1
  if (text.empty() || text.size() > 253) return false;
  bool has_letter = false;
  for (char c : text) {
    const bool letter = std::isalpha(static_cast<unsigned char>(c)) != 0;
    has_letter = has_letter || letter;
    if (!letter && std::isdigit(static_cast<unsigned char>(c)) == 0 && c != '-' && c != '.')
      return false;
  }
  return has_letter;
}

Result<std::vector<GatewayAddress>> resolve_name(const std::string& text, const std::string& name,
                                                 std::optional<std::uint16_t> port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  if (const int failure = ::getaddrinfo(name.c_str(), nullptr, &hints, &found); failure != 0) {
    return Error{ErrorCode::not_found,
                 "name \"" + name + "\" did not resolve: " + ::gai_strerror(failure)};
  }
  std::vector<GatewayAddress> addresses;
  for (const addrinfo* entry = found; entry != nullptr && addresses.size() < addresses_of_name_max;
       entry = entry->ai_next) {
    IpAddress ip;
    if (entry->ai_family == AF_INET) {
      ip.family = IpAddress::Family::ipv4;
      std::memcpy(ip.bytes.data(), reinterpret_cast<const char*>(entry->ai_addr) + 4,
                  4);  // sockaddr_in.sin_addr
    } else if (entry->ai_family == AF_INET6) {
      ip.family = IpAddress::Family::ipv6;
      std::memcpy(ip.bytes.data(), reinterpret_cast<const char*>(entry->ai_addr) + 8,
                  16);  // sin6_addr
    } else {
      continue;
    }
    addresses.push_back({text, whole(ip), port});
  }
  ::freeaddrinfo(found);
  if (addresses.empty()) return Error{ErrorCode::not_found, "name \"" + name + "\" has no address"};
  return addresses;
}

}  // namespace

Result<GatewayAddress> read_gateway_address(const std::string& text) {
  if (auto network = IpNetwork::parse(text)) return GatewayAddress{text, *network, std::nullopt};
  if (auto address = SocketAddress::parse(text)) {
    if (address->port == 0)
      return Error{ErrorCode::invalid_argument, "\"" + text + "\" has port 0"};
    return GatewayAddress{text, whole(address->ip), address->port};
  }
  std::string name = text;
  std::optional<std::uint16_t> port;
  if (const auto colon = text.rfind(':'); colon != std::string::npos) {
    port = parse_integer<std::uint16_t>(text.substr(colon + 1));
    if (!port || *port == 0)
      return Error{ErrorCode::invalid_argument, "\"" + text + "\" has no valid port"};
    name = text.substr(0, colon);
  }
  if (!is_host_name(name)) {
    return Error{ErrorCode::invalid_argument,
                 "\"" + text + "\" is no IP, IP/LENGTH, IP:PORT or name"};
  }
  return GatewayAddress{text, {}, port};
}

Result<std::vector<GatewayAddress>> resolve_gateway_address(const std::string& text, bool asks) {
  auto read = read_gateway_address(text);
  if (!read) return read.error();
  if (!read->is_name()) return std::vector<GatewayAddress>{std::move(*read)};
  if (!asks) return std::vector<GatewayAddress>();
  return resolve_name(text, text.substr(0, text.rfind(':')), read->port);
}

}  // namespace tandem
