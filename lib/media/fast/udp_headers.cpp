#include "media/fast/udp_headers.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <cstring>

namespace tandem::media {
namespace {

constexpr unsigned char ttl = 64;
constexpr std::size_t udp_bytes = 8;

void put16(unsigned char* at, std::size_t value) noexcept {
  at[0] = static_cast<unsigned char>(value >> 8);
  at[1] = static_cast<unsigned char>(value);
}

}  // namespace

// Words of eight bytes in the order of the machine: the sum of RFC 1071 does not care, and what
// overflows comes round.
std::uint64_t add_checksum(const void* bytes, std::size_t size, std::uint64_t sum) noexcept {
  const auto* at = static_cast<const unsigned char*>(bytes);
  std::uint64_t word = 0;
  for (; size >= sizeof word; size -= sizeof word, at += sizeof word) {
    std::memcpy(&word, at, sizeof word);
    sum += word;
    sum += sum < word ? 1 : 0;
  }
  word = 0;
  std::memcpy(&word, at, size);
  sum += word;
  return sum + (sum < word ? 1 : 0);
}

std::uint16_t checksum_of(std::uint64_t sum) noexcept {
  sum = (sum & 0xFFFFFFFF) + (sum >> 32);
  sum = (sum & 0xFFFFFFFF) + (sum >> 32);
  sum = (sum & 0xFFFF) + (sum >> 16);
  sum = (sum & 0xFFFF) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

std::size_t write_udp_headers(const PackedAddress& from, const PackedAddress& to, std::uint8_t tos,
                              std::string_view payload, unsigned char* room) noexcept {
  const bool is_ipv4 = from.family == IpAddress::Family::ipv4;
  const std::size_t address_bytes = is_ipv4 ? 4 : 16;
  const std::size_t ip_bytes = is_ipv4 ? 20 : 40;
  const std::size_t datagram_bytes = udp_bytes + payload.size();
  std::memset(room, 0, ip_bytes + udp_bytes);
  unsigned char* const addresses = room + (is_ipv4 ? 12 : 8);
  std::memcpy(addresses, from.ip.data(), address_bytes);
  std::memcpy(addresses + address_bytes, to.ip.data(), address_bytes);
  if (is_ipv4) {
    room[0] = 0x45;
    room[1] = tos;
    put16(room + 2, ip_bytes + datagram_bytes);
    room[6] = 0x40;  // not to be cut into fragments, so it needs no identification (RFC 6864)
    room[8] = ttl;
    room[9] = IPPROTO_UDP;
    const std::uint16_t sum = checksum_of(add_checksum(room, ip_bytes, 0));
    std::memcpy(room + 10, &sum, sizeof sum);
  } else {
    room[0] = static_cast<unsigned char>(0x60 | tos >> 4);
    room[1] = static_cast<unsigned char>(tos << 4);
    put16(room + 4, datagram_bytes);
    room[6] = IPPROTO_UDP;
    room[7] = ttl;
  }
  unsigned char* const udp = room + ip_bytes;
  put16(udp, from.port);
  put16(udp + 2, to.port);
  put16(udp + 4, datagram_bytes);
  // With the pseudo header of RFC 768 and RFC 8200 section 8.1.
  std::uint64_t sum =
      htons(IPPROTO_UDP) + std::uint64_t{htons(static_cast<std::uint16_t>(datagram_bytes))};
  sum = add_checksum(addresses, 2 * address_bytes, sum);
  sum = add_checksum(udp, udp_bytes, sum);
  std::uint16_t check = checksum_of(add_checksum(payload.data(), payload.size(), sum));
  if (check == 0) check = 0xFFFF;  // 0 would say that there is none
  std::memcpy(udp + 6, &check, sizeof check);
  return ip_bytes + udp_bytes;
}

}  // namespace tandem::media
