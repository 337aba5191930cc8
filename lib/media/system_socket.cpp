#include "media/system_socket.hpp"

#include <cerrno>
#include <cstring>
#include <system_error>

namespace tandem::media {

socklen_t to_system(const PackedAddress& address, SystemAddress& system) noexcept {
  if (address.family == IpAddress::Family::ipv4) {
    system.v4 = {};
    system.v4.sin_family = AF_INET;
    system.v4.sin_port = htons(address.port);
    std::memcpy(&system.v4.sin_addr, address.ip.data(), 4);
    return sizeof system.v4;
  }
  system.v6 = {};
  system.v6.sin6_family = AF_INET6;
  system.v6.sin6_port = htons(address.port);
  std::memcpy(&system.v6.sin6_addr, address.ip.data(), 16);
  return sizeof system.v6;
}

PackedAddress from_system(const SystemAddress& system) noexcept {
  PackedAddress address;
  if (system.any.sa_family == AF_INET) {
    std::memcpy(address.ip.data(), &system.v4.sin_addr, 4);
    address.port = ntohs(system.v4.sin_port);
    address.family = IpAddress::Family::ipv4;
  } else {
    std::memcpy(address.ip.data(), &system.v6.sin6_addr, 16);
    address.port = ntohs(system.v6.sin6_port);
    address.family = IpAddress::Family::ipv6;
  }
  return address;
}

std::string system_message(int code) {
  return std::error_code(code, std::generic_category()).message();
}

bool is_out_of_files(int code) noexcept {
  return code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM;
}

}  // namespace tandem::media
