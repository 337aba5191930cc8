#include "media/fast/raw_sender.hpp"

#include <linux/if_ether.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace tandem::media {
namespace {

constexpr int send_flags = MSG_DONTWAIT | MSG_NOSIGNAL;
constexpr int send_buffer_bytes = 8 << 20;
constexpr std::size_t datagram_bytes_max = 65536;  // no UDP payload is longer

// All calls of a shard share the buffer.
void widen(int socket) noexcept {
  if (::setsockopt(socket, SOL_SOCKET, SO_SNDBUFFORCE, &send_buffer_bytes,
                   sizeof send_buffer_bytes) != 0)
    ::setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &send_buffer_bytes, sizeof send_buffer_bytes);
}

Result<UniqueFd> open_raw(const IpAddress& address) {
  SystemAddress system;
  PackedAddress packed = pack({address, 1});
  packed.port = 0;  // of a raw socket it would be a protocol
  const socklen_t length = to_system(packed, system);
  UniqueFd fd(::socket(system.any.sa_family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
  if (!fd.is_open()) {
    const int code = errno;
    return Error{is_out_of_files(code) ? ErrorCode::limit : ErrorCode::unsupported,
                 "a raw socket (CAP_NET_RAW) was refused: " + system_message(code)};
  }
  if (::bind(fd.get(), &system.any, length) != 0)
    return Error{ErrorCode::io,
                 "media address " + address.to_string() + " was refused: " + system_message(errno)};
  widen(fd.get());
  return fd;
}

// Nothing comes in by it. Not there: all leave by raw IP.
UniqueFd open_packet() noexcept {
  UniqueFd fd(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
  if (!fd.is_open()) return fd;
  const int on = 1;
  ::setsockopt(fd.get(), SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on);
  widen(fd.get());
  return fd;
}

}  // namespace

Result<void> RawSender::create(const IpAddress& address4, const IpAddress& address6,
                               std::uint8_t tos) {
  tos_ = tos;
  for (const std::size_t family : {0, 1}) {
    const IpAddress& address = family == 0 ? address4 : address6;
    if (address.family == IpAddress::Family::none) continue;
    Result<UniqueFd> socket = open_raw(address);
    if (!socket) return std::move(socket).error();
    batches_[family] = std::make_unique<Batch>();
    batches_[family]->socket = std::move(*socket);
  }
  if (UniqueFd packet = open_packet(); packet.is_open()) {
    batches_[frames] = std::make_unique<Batch>();
    batches_[frames]->socket = std::move(packet);
  }
  copies_ = std::make_unique<char[]>(std::size(batches_) * batch_max * copy_bytes);
  large_ = std::make_unique<char[]>(header_room + datagram_bytes_max);
  return {};
}

void RawSender::fill(Message& message, msghdr& system, const Onward& onward,
                     const PackedAddress& from, const NextHop* hop) const noexcept {
  message.onward = onward;
  message.from = from;
  auto* const bytes = reinterpret_cast<unsigned char*>(const_cast<char*>(onward.bytes.data()));
  unsigned char* begin = bytes - udp_headers_bytes(from.family);
  (void)write_udp_headers(from, onward.to, tos_, onward.bytes, begin);
  system = {};
  if (hop != nullptr) {
    const std::uint16_t type =
        htons(from.family == IpAddress::Family::ipv4 ? ETH_P_IP : ETH_P_IPV6);
    begin -= ethernet_bytes;
    std::memcpy(begin, hop->to.data(), hop->to.size());
    std::memcpy(begin + 6, hop->from.data(), hop->from.size());
    std::memcpy(begin + 12, &type, sizeof type);
    message.link = {};
    message.link.sll_family = AF_PACKET;
    message.link.sll_protocol = type;
    message.link.sll_ifindex = hop->interface;
    message.link.sll_halen = ETH_ALEN;
    system.msg_namelen = sizeof message.link;
  } else {
    PackedAddress host = onward.to;
    host.port = 0;
    system.msg_namelen = to_system(host, message.to);
  }
  system.msg_name = &message.to;
  // One piece: the system takes each of several apart.
  message.packet = {begin, static_cast<std::size_t>(bytes - begin) + onward.bytes.size()};
  system.msg_iov = &message.packet;
  system.msg_iovlen = 1;
}

void RawSender::add(const Onward& onward, const PackedAddress& from, bool has_room,
                    std::int64_t now_us, Outcome& outcome) noexcept {
  std::size_t which = from.family == IpAddress::Family::ipv4 ? 0 : 1;
  const NextHop* hop = batches_[frames] != nullptr ? hops_.find(from, onward.to, now_us) : nullptr;
  if (hop != nullptr && onward.bytes.size() + udp_headers_max > hop->mtu) hop = nullptr;
  if (hop != nullptr) which = frames;
  Batch& batch = *batches_[which];
  if (onward.bytes.size() > (has_room ? udp_payload_max(from.family) : copied_bytes_max)) {
    flush(batch, outcome);  // what came before leaves before
    outcome.on_sent(onward, send(onward, from));
    return;
  }
  const unsigned place = batch.count++;
  Onward kept = onward;
  if (!has_room) {
    char* const copy = copies_.get() + (which * batch_max + place) * copy_bytes + header_room;
    std::memcpy(copy, onward.bytes.data(), onward.bytes.size());
    kept.bytes = {copy, onward.bytes.size()};
  }
  fill(batch.messages[place], batch.system[place].msg_hdr, kept, from, hop);
  if (batch.count == batch_max) flush(batch, outcome);
}

void RawSender::flush(Outcome& outcome) noexcept {
  for (const auto& batch : batches_) {
    if (batch != nullptr) flush(*batch, outcome);
  }
}

void RawSender::flush(Batch& batch, Outcome& outcome) noexcept {
  const unsigned count = std::exchange(batch.count, 0);
  const bool is_of_frames = &batch == batches_[frames].get();
  for (unsigned at = 0; at < count;) {
    const int sent = ::sendmmsg(batch.socket.get(), batch.system + at, count - at, send_flags);
    for (int i = 0; i < sent; ++i)
      outcome.on_sent(batch.messages[at++].onward, true);
    if (sent > 0) {
      if (is_of_frames) sent_as_frames_ += static_cast<unsigned>(sent);
      continue;
    }
    // It says what became of the first one.
    const Message& refused = batch.messages[at++];
    bool is_sent = false;
    if (is_of_frames) {
      hops_.forget();
      is_sent = send(refused.onward, refused.from);
    } else {
      is_sent = errno == EMSGSIZE && send_in_fragments(refused.onward, refused.from);
    }
    outcome.on_sent(refused.onward, is_sent);
  }
}

bool RawSender::send(const Onward& onward, const PackedAddress& from) noexcept {
  if (onward.bytes.size() > udp_payload_max(from.family)) return false;
  Onward kept = onward;
  kept.bytes = {large_.get() + header_room, onward.bytes.size()};
  std::memmove(large_.get() + header_room, onward.bytes.data(), onward.bytes.size());
  Message message{};
  msghdr system;
  fill(message, system, kept, from, nullptr);
  const Batch& batch = *batches_[from.family == IpAddress::Family::ipv4 ? 0 : 1];
  if (::sendmsg(batch.socket.get(), &system, send_flags) >= 0) return true;
  return errno == EMSGSIZE && send_in_fragments(onward, from);
}

// The system cuts only what it gave its header itself. Few datagrams are longer than the way
// allows.
bool RawSender::send_in_fragments(const Onward& onward, const PackedAddress& from) const noexcept {
  SystemAddress own, to;
  const socklen_t own_length = to_system(from, own);
  const socklen_t to_length = to_system(onward.to, to);
  const UniqueFd socket(::socket(own.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket.is_open()) return false;
  const int tos = tos_;
  if (own.any.sa_family == AF_INET) {
    ::setsockopt(socket.get(), IPPROTO_IP, IP_TOS, &tos, sizeof tos);
  } else {
    ::setsockopt(socket.get(), IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof tos);
  }
  return ::bind(socket.get(), &own.any, own_length) == 0 &&
         ::sendto(socket.get(), onward.bytes.data(), onward.bytes.size(), send_flags, &to.any,
                  to_length) >= 0;
}

}  // namespace tandem::media
