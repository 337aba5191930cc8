// Ethernet frames with RTP in them, and what a receiver would say of their checksums.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string>

namespace tandem::media::test {

struct FrameSpec {
  bool is_ipv6 = false;
  std::array<std::uint8_t, 16> from{}, to{};  // IPv4: the first four
  std::uint16_t from_port = 0, to_port = 0;
  std::string payload;
  bool has_checksum = true;
};

inline void put16(std::string& out, unsigned value) {
  out += static_cast<char>(value >> 8);
  out += static_cast<char>(value);
}
inline unsigned at16(const std::string& bytes, std::size_t at) {
  return static_cast<unsigned>(static_cast<std::uint8_t>(bytes[at])) << 8 |
         static_cast<std::uint8_t>(bytes[at + 1]);
}

inline std::uint16_t internet_sum(const std::string& bytes, std::uint32_t sum = 0) {
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2)
    sum += at16(bytes, i);
  if (bytes.size() % 2 != 0) sum += static_cast<std::uint32_t>(bytes.back() & 0xFF) << 8;
  while (sum >> 16 != 0)
    sum = (sum & 0xFFFF) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}

inline std::string pseudo_header(const std::string& addresses, std::size_t udp_bytes) {
  std::string pseudo = addresses;
  put16(pseudo, 17);
  put16(pseudo, static_cast<unsigned>(udp_bytes));
  return pseudo;
}

inline std::string address_bytes(const std::array<std::uint8_t, 16>& address, bool is_ipv6) {
  return {reinterpret_cast<const char*>(address.data()), is_ipv6 ? 16U : 4U};
}

inline std::string make_frame(const FrameSpec& spec) {
  std::string udp;
  put16(udp, spec.from_port);
  put16(udp, spec.to_port);
  put16(udp, static_cast<unsigned>(8 + spec.payload.size()));
  put16(udp, 0);
  udp += spec.payload;
  const std::string addresses =
      address_bytes(spec.from, spec.is_ipv6) + address_bytes(spec.to, spec.is_ipv6);
  if (spec.has_checksum) {
    const auto sum = static_cast<std::uint16_t>(
        ~internet_sum(udp, internet_sum(pseudo_header(addresses, udp.size()))));
    const std::uint16_t check = sum == 0 ? 0xFFFF : sum;
    udp[6] = static_cast<char>(check >> 8);
    udp[7] = static_cast<char>(check);
  }
  std::string ip;
  if (spec.is_ipv6) {
    put16(ip, 0x6123);
    put16(ip, 0x4567);
    put16(ip, static_cast<unsigned>(udp.size()));
    ip += "\x11\x05";
    ip += addresses;
  } else {
    put16(ip, 0x4503);
    put16(ip, static_cast<unsigned>(20 + udp.size()));
    put16(ip, 0x1234);
    put16(ip, 0x4000);
    ip += "\x05\x11";
    put16(ip, 0);
    ip += addresses;
    const auto sum = static_cast<std::uint16_t>(~internet_sum(ip));
    ip[10] = static_cast<char>(sum >> 8);
    ip[11] = static_cast<char>(sum);
  }
  std::string frame = "\x02\x11\x11\x11\x11\x11\x02\x22\x22\x22\x22\x22";
  put16(frame, spec.is_ipv6 ? 0x86DD : 0x0800);
  return frame + ip + udp;
}

/// What a receiver finds in a frame; `are_sums_right` as it would check them.
struct SeenFrame : FrameSpec {
  bool are_sums_right = false;
  unsigned tos = 0, hops = 0;
};

inline SeenFrame read_frame(const std::string& frame) {
  SeenFrame seen;
  seen.is_ipv6 = at16(frame, 12) == 0x86DD;
  const std::string ip = frame.substr(14);
  const std::size_t header = seen.is_ipv6 ? 40 : 20, address = seen.is_ipv6 ? 16 : 4;
  const std::size_t place = header - 2 * address;
  std::memcpy(seen.from.data(), ip.data() + place, address);
  std::memcpy(seen.to.data(), ip.data() + place + address, address);
  seen.tos = seen.is_ipv6 ? at16(ip, 0) >> 4 & 0xFF : at16(ip, 0) & 0xFF;
  seen.hops = static_cast<std::uint8_t>(ip[seen.is_ipv6 ? 7 : 8]);
  const std::string udp = ip.substr(header);
  seen.from_port = static_cast<std::uint16_t>(at16(udp, 0));
  seen.to_port = static_cast<std::uint16_t>(at16(udp, 2));
  seen.payload = udp.substr(8);
  seen.has_checksum = at16(udp, 6) != 0;
  const bool is_udp_right =
      !seen.has_checksum ||
      internet_sum(udp, internet_sum(pseudo_header(ip.substr(place, 2 * address), udp.size()))) ==
          0xFFFF;
  const bool is_ip_right = seen.is_ipv6 || internet_sum(ip.substr(0, 20)) == 0xFFFF;
  seen.are_sums_right = is_udp_right && is_ip_right;
  return seen;
}

}  // namespace tandem::media::test
