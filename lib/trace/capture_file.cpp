#include "trace/capture_file.hpp"

#include <algorithm>

namespace tandem::trace {
namespace {

constexpr unsigned udp_protocol = 17;
constexpr unsigned hop_limit = 64;
constexpr std::size_t packet_bytes_max = 65'535;

/// Numbers in network order, as RFC 791, RFC 8200 and RFC 768 lay them out.
class PacketBytes {
 public:
  void u8(unsigned value) { bytes_ += static_cast<char>(value); }
  void u16(unsigned value) {
    u8(value >> 8 & 0xff);
    u8(value & 0xff);
  }
  void u32(std::uint32_t value) {
    u16(value >> 16);
    u16(value & 0xffff);
  }
  void ip(const IpAddress& address, bool is_ipv6) {
    bytes_.append(reinterpret_cast<const char*>(address.bytes.data()), is_ipv6 ? 16 : 4);
  }
  void append(std::string_view bytes) { bytes_ += bytes; }
  void put_u16(std::size_t offset, unsigned value) {
    bytes_[offset] = static_cast<char>(value >> 8 & 0xff);
    bytes_[offset + 1] = static_cast<char>(value & 0xff);
  }
  [[nodiscard]] const std::string& bytes() const noexcept { return bytes_; }

 private:
  std::string bytes_;
};

/// The one's complement sum of RFC 1071, not yet folded.
std::uint64_t sum_of(std::string_view bytes) noexcept {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto byte = static_cast<unsigned char>(bytes[i]);
    sum += i % 2 == 0 ? std::uint64_t{byte} << 8 : byte;
  }
  return sum;
}

unsigned folded(std::uint64_t sum) noexcept {
  while (sum >> 16 != 0)
    sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<unsigned>(~sum & 0xffff);
}

PacketBytes packet_of(const SocketAddress& from, const SocketAddress& to,
                      std::string_view payload) {
  PacketBytes out;
  const bool is_ipv6 = from.ip.is_ipv6() || to.ip.is_ipv6();
  payload = payload.substr(0, packet_bytes_max - (is_ipv6 ? 48 : 28));
  const auto udp_size = static_cast<unsigned>(8 + payload.size());
  if (is_ipv6) {
    out.u32(6U << 28);
    out.u16(udp_size);
    out.u8(udp_protocol);
    out.u8(hop_limit);
  } else {
    out.u8(0x45);
    out.u8(0);
    out.u16(20 + udp_size);
    out.u32(0);
    out.u8(hop_limit);
    out.u8(udp_protocol);
    out.u16(0);
  }
  out.ip(from.ip, is_ipv6);
  out.ip(to.ip, is_ipv6);
  const std::size_t udp = out.bytes().size();
  if (!is_ipv6) out.put_u16(10, folded(sum_of(out.bytes())));
  out.u16(from.port);
  out.u16(to.port);
  out.u16(udp_size);
  out.u16(0);
  out.append(payload);
  const std::string_view packet = out.bytes();
  const std::size_t addresses = is_ipv6 ? 32 : 8;
  const unsigned checksum =
      folded(sum_of(packet.substr(udp - addresses)) + udp_protocol + udp_size);
  out.put_u16(udp + 6, checksum == 0 ? 0xffff : checksum);  // 0 would mean "none"
  return out;
}

template <class T>
void append_native(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

}  // namespace

std::string capture_file_head() {
  // Numbers of the file's own headers are in the writer's order, which the first one tells.
  std::string head;
  append_native<std::uint32_t>(head, 0xa1b2c3d4);
  append_native<std::uint16_t>(head, 2);
  append_native<std::uint16_t>(head, 4);
  append_native<std::uint32_t>(head, 0);
  append_native<std::uint32_t>(head, 0);
  append_native<std::uint32_t>(head, 65'600);
  append_native<std::uint32_t>(head, 101);  // LINKTYPE_RAW: the packet begins with its IP header
  return head;
}

void append_datagram(std::string& file, const SocketAddress& from, const SocketAddress& to,
                     std::int64_t wall_us, std::string_view payload) {
  const std::int64_t at_us = std::max<std::int64_t>(wall_us, 0);
  const PacketBytes packet = packet_of(from, to, payload);
  append_native(file, static_cast<std::uint32_t>(at_us / 1'000'000));
  append_native(file, static_cast<std::uint32_t>(at_us % 1'000'000));
  append_native(file, static_cast<std::uint32_t>(packet.bytes().size()));
  append_native(file, static_cast<std::uint32_t>(packet.bytes().size()));
  file += packet.bytes();
}

}  // namespace tandem::trace
