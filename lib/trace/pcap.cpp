// Traced messages as a capture file: pcap, link type raw IP.
#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

#include "tandem/trace.hpp"

namespace tandem {
namespace {

constexpr std::size_t ipv4_header_bytes = 20, ipv6_header_bytes = 40, udp_header_bytes = 8;
constexpr std::size_t datagram_bytes_max = 65535;
constexpr std::uint8_t protocol_udp = 17;

void put16(std::string& out, std::uint32_t value) {
  out += static_cast<char>(value >> 8U & 0xffU);
  out += static_cast<char>(value & 0xffU);
}

void put32_little(std::string& out, std::uint32_t value) {
  for (unsigned shift = 0; shift < 32; shift += 8)
    out += static_cast<char>(value >> shift & 0xffU);
}

void put16_little(std::string& out, std::uint32_t value) {
  out += static_cast<char>(value & 0xffU);
  out += static_cast<char>(value >> 8U & 0xffU);
}

void put_address(std::string& out, const IpAddress& ip, bool is_ipv6) {
  if (is_ipv6 && !ip.is_ipv6()) {  // the other end's family; of an address that is not known, zeros
    out.append(ip.is_ipv4() ? 10U : 12U, '\0');
    if (ip.is_ipv4()) out.append(2, '\xff');
    for (std::size_t i = 0; i < 4; ++i)
      out += static_cast<char>(ip.bytes[i]);
    return;
  }
  const std::size_t size = is_ipv6 ? 16 : 4;
  for (std::size_t i = 0; i < size; ++i)
    out += static_cast<char>(ip.bytes[i]);
}

/// Sum of RFC 1071 over 16-bit words.
std::uint32_t add_words(std::uint32_t sum, std::string_view bytes) {
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    const auto high = static_cast<std::uint8_t>(bytes[i]);
    const std::uint8_t low =
        i + 1 < bytes.size() ? static_cast<std::uint8_t>(bytes[i + 1]) : std::uint8_t{0};
    sum += static_cast<std::uint32_t>(high) << 8U | low;
    sum = (sum & 0xffffU) + (sum >> 16U);
  }
  return sum;
}

std::uint16_t checksum(std::uint32_t sum) { return static_cast<std::uint16_t>(~sum & 0xffffU); }

void set16(std::string& text, std::size_t at, std::uint32_t value) {
  text[at] = static_cast<char>(value >> 8U & 0xffU);
  text[at + 1] = static_cast<char>(value & 0xffU);
}

std::string datagram(const TraceEntry& entry) {
  const SocketAddress& from = entry.is_sent ? entry.local : entry.remote;
  const SocketAddress& to = entry.is_sent ? entry.remote : entry.local;
  const bool is_ipv6 = from.ip.is_ipv6() || to.ip.is_ipv6();
  const std::size_t head = (is_ipv6 ? ipv6_header_bytes : ipv4_header_bytes) + udp_header_bytes;
  const std::string_view payload =
      std::string_view(entry.text).substr(0, datagram_bytes_max - head);
  const auto udp_bytes = static_cast<std::uint32_t>(payload.size() + udp_header_bytes);

  std::string ip;
  if (is_ipv6) {
    put16(ip, 0x6000);  // version 6
    put16(ip, 0);
    put16(ip, udp_bytes);
    ip += static_cast<char>(protocol_udp);
    ip += '\x40';  // hop limit
  } else {
    put16(ip, 0x4500);  // version 4, five words
    put16(ip, udp_bytes + ipv4_header_bytes);
    put16(ip, 0);
    put16(ip, 0x4000);  // do not fragment
    ip += '\x40';       // time to live
    ip += static_cast<char>(protocol_udp);
    put16(ip, 0);
  }
  const std::size_t addresses_at = ip.size();
  put_address(ip, from.ip, is_ipv6);
  put_address(ip, to.ip, is_ipv6);
  if (!is_ipv6) set16(ip, 10, checksum(add_words(0, ip)));

  std::string udp;
  put16(udp, from.port);
  put16(udp, to.port);
  put16(udp, udp_bytes);
  put16(udp, 0);
  std::uint32_t sum = add_words(0, std::string_view(ip).substr(addresses_at));
  sum = add_words(add_words(sum + protocol_udp + udp_bytes, udp), payload);
  const std::uint16_t check = checksum((sum & 0xffffU) + (sum >> 16U));
  set16(udp, 6, check == 0 ? 0xffffU : check);  // 0 means none (RFC 768)
  ip += udp;
  ip += payload;
  return ip;
}

}  // namespace

std::string to_pcap(const TracedCall& call) {
  constexpr std::uint32_t magic_us = 0xa1b2c3d4;
  constexpr std::uint32_t link_type_raw = 101;
  std::string file;
  put32_little(file, magic_us);
  put16_little(file, 2);
  put16_little(file, 4);
  put32_little(file, 0);
  put32_little(file, 0);
  put32_little(file, datagram_bytes_max);
  put32_little(file, link_type_raw);
  for (const TraceEntry& entry : call.entries) {
    if (entry.kind != TraceEntry::Kind::message || entry.is_lost) continue;
    const std::string bytes = datagram(entry);
    const std::int64_t at_us = std::max<std::int64_t>(entry.at_us, 0);
    put32_little(file, static_cast<std::uint32_t>(at_us / 1'000'000));
    put32_little(file, static_cast<std::uint32_t>(at_us % 1'000'000));
    put32_little(file, static_cast<std::uint32_t>(bytes.size()));
    put32_little(file, static_cast<std::uint32_t>(bytes.size()));
    file += bytes;
  }
  return file;
}

}  // namespace tandem
