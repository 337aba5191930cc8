#include "trace/hep.hpp"

#include <algorithm>

namespace tandem::trace {
namespace {

// Chunk types of vendor 0.
enum : std::uint16_t {
  chunk_family = 1,
  chunk_protocol = 2,
  chunk_source_ipv4 = 3,
  chunk_destination_ipv4 = 4,
  chunk_source_ipv6 = 5,
  chunk_destination_ipv6 = 6,
  chunk_source_port = 7,
  chunk_destination_port = 8,
  chunk_seconds = 9,
  chunk_microseconds = 10,
  chunk_payload_type = 11,
  chunk_capture_id = 12,
  chunk_password = 14,
  chunk_payload = 15,
  chunk_correlation = 17,
};
constexpr std::uint8_t payload_sip = 1;
constexpr std::uint8_t family_ipv4 = 2, family_ipv6 = 10;
constexpr std::uint8_t protocol_tcp = 6, protocol_udp = 17;
constexpr std::size_t packet_bytes_max = 65507;  // of a UDP datagram

void put(std::string& out, std::uint64_t value, unsigned bytes) {
  for (unsigned left = bytes; left > 0; --left)
    out += static_cast<char>(value >> (8U * (left - 1)) & 0xffU);
}

void chunk(std::string& out, std::uint16_t type, std::string_view value) {
  constexpr std::size_t head_bytes = 6;
  put(out, 0, 2);  // vendor
  put(out, type, 2);
  put(out, value.size() + head_bytes, 2);
  out += value;
}

void number(std::string& out, std::uint16_t type, std::uint64_t value, unsigned bytes) {
  std::string text;
  put(text, value, bytes);
  chunk(out, type, text);
}

std::string_view address(const IpAddress& ip, bool is_ipv6) {
  return {reinterpret_cast<const char*>(ip.bytes.data()), is_ipv6 ? 16U : 4U};
}

}  // namespace

std::string hep_packet(const TraceEntry& entry, const HepConfig& config,
                       std::string_view correlation) {
  const SocketAddress& from = entry.is_sent ? entry.local : entry.remote;
  const SocketAddress& to = entry.is_sent ? entry.remote : entry.local;
  const bool is_ipv6 = from.ip.is_ipv6();
  const std::int64_t at_us = std::max<std::int64_t>(entry.at_us, 0);
  std::string out = "HEP3";
  put(out, 0, 2);  // its length, below
  number(out, chunk_family, is_ipv6 ? family_ipv6 : family_ipv4, 1);
  number(out, chunk_protocol, entry.transport == SipTransport::udp ? protocol_udp : protocol_tcp,
         1);
  chunk(out, is_ipv6 ? chunk_source_ipv6 : chunk_source_ipv4, address(from.ip, is_ipv6));
  chunk(out, is_ipv6 ? chunk_destination_ipv6 : chunk_destination_ipv4, address(to.ip, is_ipv6));
  number(out, chunk_source_port, from.port, 2);
  number(out, chunk_destination_port, to.port, 2);
  number(out, chunk_seconds, static_cast<std::uint64_t>(at_us / 1'000'000), 4);
  number(out, chunk_microseconds, static_cast<std::uint64_t>(at_us % 1'000'000), 4);
  number(out, chunk_payload_type, payload_sip, 1);
  number(out, chunk_capture_id, config.capture_id, 4);
  if (!config.password.empty()) chunk(out, chunk_password, config.password);
  if (!correlation.empty()) chunk(out, chunk_correlation, correlation.substr(0, 1024));
  constexpr std::size_t head_bytes = 6;
  const std::size_t room = packet_bytes_max - out.size() - head_bytes;
  chunk(out, chunk_payload, std::string_view(entry.text).substr(0, room));
  out[4] = static_cast<char>(out.size() >> 8U & 0xffU);
  out[5] = static_cast<char>(out.size() & 0xffU);
  return out;
}

Result<std::unique_ptr<HepSender>> HepSender::open(const HepConfig& config, io::Loop& loop,
                                                   const SocketAddress& local,
                                                   HepCounters& counters) {
  std::unique_ptr<HepSender> sender(new HepSender(config, loop, counters));
  io::DatagramOptions options;
  options.receive_buffer_bytes = 0;
  options.datagram_bytes_max = 2048;  // nothing is expected
  auto socket = loop.open_datagram(local, options, *sender);
  if (!socket) return socket.error();
  sender->socket_ = std::move(*socket);
  return sender;
}

HepSender::~HepSender() = default;

void HepSender::send(const TraceEntry& entry, std::string_view correlation) {
  const auto bump = [](std::atomic<std::uint64_t>& counter) {
    counter.fetch_add(1, std::memory_order_relaxed);
  };
  if (*waiting_ >= config_.queue_packets) return bump(counters_.dropped);
  if ((*waiting_)++ == 0) loop_.defer([waiting = waiting_] { *waiting = 0; });
  socket_->send(*config_.server, hep_packet(entry, config_, correlation));
  bump(counters_.sent);
}

}  // namespace tandem::trace
