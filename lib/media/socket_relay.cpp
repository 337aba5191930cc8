#include "media/socket_relay.hpp"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "media/open_files.hpp"

namespace tandem::media {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;

// The connected socket of a port pays from about so many packets on.
constexpr std::uint32_t line_after_packets = 50;
// ... and is tried again after so many, 10 s of voice, when it was lost or could not be had.
constexpr std::uint32_t line_again_packets = 500;

constexpr int send_flags = MSG_DONTWAIT | MSG_NOSIGNAL;

void set_shared(int socket, bool is_shared) noexcept {
  const int value = is_shared ? 1 : 0;
  ::setsockopt(socket, SOL_SOCKET, SO_REUSEPORT, &value, sizeof value);
}

}  // namespace

Result<void> SocketRelay::make_ports() {
  sockets_ = std::make_unique<std::atomic<int>[]>(flows_.size());
  lines_ = std::make_unique<Line[]>(flows_.size() / 2);
  overflows_ = std::make_unique<std::uint32_t[]>(flows_.size() + flows_.size() / 2);
  for (std::size_t slot = 0; slot < flows_.size(); ++slot)
    sockets_[slot].store(-1, relaxed);
  first_line_.assign(shards_, no_line);
  count_lines_allowed();
  return {};
}

void SocketRelay::free_ports() noexcept {
  for (std::size_t slot = 0; sockets_ != nullptr && slot < flows_.size(); ++slot) {
    const int fd = sockets_[slot].exchange(-1);
    if (fd >= 0) ::close(fd);
  }
  for (std::size_t pair = 0; lines_ != nullptr && pair < flows_.size() / 2; ++pair) {
    if (lines_[pair].to.is_set()) ports_connected_.fetch_sub(1, relaxed);
    lines_[pair] = {};
  }
}

// A line saves time and no call needs one: they may have half of the files that are left when all
// ports are bound and the rest of the program has what it reserved.
void SocketRelay::count_lines_allowed() noexcept {
  const rlim_t needed =
      static_cast<rlim_t>(waker(shards_ - 1)) + flows_.size() + config_.files_reserved;
  const rlim_t files = files_max();
  const rlim_t spare = files > needed ? (files - needed) / 2 : 0;
  lines_left_.store(static_cast<std::int64_t>(std::min<rlim_t>(spare, flows_.size() / 2)), relaxed);
}

Result<UniqueFd> SocketRelay::bind_port(const SocketAddress& address, bool& is_busy,
                                        Sharing sharing) {
  SystemAddress system;
  const socklen_t length = to_system(pack(address), system);
  UniqueFd fd(::socket(system.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd.is_open()) {
    const int code = errno;
    return Error{
        is_out_of_files(code) ? ErrorCode::limit : ErrorCode::io,
        "a socket for media port " + address.to_string() + " was refused: " + system_message(code)};
  }
  if (is_kept_file(fd.get()))
    return Error{ErrorCode::limit, "media port " + address.to_string() +
                                       " was not bound: the limit of open files " +
                                       "left none but those kept for the rest of the program"};
  const int on = 1;
  if (address.ip.is_ipv6()) ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  // The system doubles the value for its own overhead. Small, so that after a stall old voice is
  // dropped and not delivered seconds late.
  const int buffer_bytes = static_cast<int>(config_.receive_buffer_bytes / 2);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof buffer_bytes);
  // Datagrams then bring with them how many found no room, once there was one.
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof on);
  if (config_.tos != 0) {
    const int tos = config_.tos;
    const int marked = address.ip.is_ipv4()
                           ? ::setsockopt(fd.get(), IPPROTO_IP, IP_TOS, &tos, sizeof tos)
                           : ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof tos);
    if (marked != 0) marks_refused_.fetch_add(1, relaxed);
  }
  if (sharing == Sharing::beside_another) set_shared(fd.get(), true);
  if (::bind(fd.get(), &system.any, length) != 0) {
    const int code = errno;
    is_busy = code == EADDRINUSE;
    return Error{is_out_of_files(code) ? ErrorCode::limit : ErrorCode::io,
                 "media port " + address.to_string() + " was refused: " + system_message(code)};
  }
  return fd;
}

std::optional<RelayCore::BindFailure> SocketRelay::bind_pair(unsigned shard, std::uint32_t slot) {
  UniqueFd fds[2];
  for (std::uint32_t kind = 0; kind < 2; ++kind) {
    bool is_busy = false;
    Result<UniqueFd> fd = bind_port(local(slot + kind), is_busy);
    if (!fd) return BindFailure{is_busy, std::move(fd).error()};
    fds[kind] = std::move(fd).value();
  }
  for (std::uint32_t kind = 0; kind < 2; ++kind)
    sockets_[slot + kind].store(fds[kind].get(), relaxed);
  for (std::uint32_t kind = 0; kind < 2; ++kind) {
    if (const int code = listen(shard, slot + kind, fds[kind].get()); code != 0) {
      sockets_[slot].store(-1, relaxed);
      sockets_[slot + 1].store(-1, relaxed);
      return BindFailure{
          false, Error{is_out_of_files(code) || code == ENOSPC ? ErrorCode::limit : ErrorCode::io,
                       "media port " + local(slot + kind).to_string() +
                           " could not be listened to: " + system_message(code)}};
    }
  }
  (void)fds[0].release();  // both now belong to sockets_
  (void)fds[1].release();
  return std::nullopt;
}

SocketRelay::Line* SocketRelay::line_for(unsigned shard, const Onward& onward) noexcept {
  if (onward.slot % 2 != 0) return nullptr;  // reports are too few
  Line& line = lines_[onward.slot / 2];
  if (line.to != onward.to) {
    if (line.sent_to != onward.to) {
      line.sent_to = onward.to;
      line.packets = 0;
      line.due_packets = line_after_packets;
    }
    if (++line.packets < line.due_packets) return nullptr;
    if (!connect_line(shard, onward.slot, onward.to)) {
      lose_line(shard, onward.slot, onward.to);
      return nullptr;
    }
  }
  return &line;
}

bool SocketRelay::send_datagram(unsigned shard, const Onward& onward) noexcept {
  if (const Line* const line = line_for(shard, onward)) {
    const ssize_t sent =
        ::send(line->socket.get(), onward.bytes.data(), onward.bytes.size(), send_flags);
    if (sent >= 0) return static_cast<std::size_t>(sent) == onward.bytes.size();
    if (errno == EAGAIN) return false;
    // It says what became of an earlier packet; this one is still to be sent.
    lose_line(shard, onward.slot, onward.to);
  }
  return send_by_port(onward);
}

bool SocketRelay::send_by_port(const Onward& onward) noexcept {
  SystemAddress to;
  const socklen_t to_length = to_system(onward.to, to);
  const ssize_t sent = ::sendto(port_socket(onward.slot), onward.bytes.data(), onward.bytes.size(),
                                send_flags, &to.any, to_length);
  return sent >= 0 && static_cast<std::size_t>(sent) == onward.bytes.size();
}

// Makes the line of `slot`, or turns the one that is there, towards `to`.
bool SocketRelay::connect_line(unsigned shard, std::uint32_t slot,
                               const PackedAddress& to) noexcept {
  Line& line = lines_[slot / 2];
  const bool is_new = !line.socket.is_open();
  if (is_new) {
    if (lines_left_.fetch_sub(1, relaxed) <= 0) {
      lines_left_.fetch_add(1, relaxed);
      return false;
    }
    // Both must allow the sharing of the port while the second is bound. After that they forbid it
    // again, or another program could take a part of the packets unnoticed.
    const int first = sockets_[slot].load(relaxed);
    set_shared(first, true);
    bool is_busy = false;
    Result<UniqueFd> socket = bind_port(local(slot), is_busy, Sharing::beside_another);
    set_shared(first, false);
    if (!socket) {
      lines_left_.fetch_add(1, relaxed);
      return false;
    }
    line.socket = std::move(socket).value();
    set_shared(line.socket.get(), false);
    overflows_[flows_.size() + slot / 2] = 0;
  }
  SystemAddress system;
  const socklen_t length = to_system(to, system);
  if (::connect(line.socket.get(), &system.any, length) != 0) return false;
  if (is_new) {
    ++line.generation;
    if (listen(shard, slot | line_event, line.socket.get()) != 0) return false;
    ports_connected_.fetch_add(1, relaxed);
  }
  if (!line.is_listed) {
    line.next = std::exchange(first_line_[shard], slot / 2);
    line.is_listed = true;
  }
  line.to = to;
  line.epoch = flows_[slot].epoch.load(relaxed);
  return true;
}

void SocketRelay::lose_line(unsigned shard, std::uint32_t slot, const PackedAddress& to) noexcept {
  const PackedAddress lost = to;  // may be that of the line
  close_line(shard, slot);
  Line& line = lines_[slot / 2];
  line.sent_to = lost;
  line.packets = 0;
  line.due_packets = line_again_packets;
}

// Closes the lines of calls that are over: ports are used in rotation, and running calls would find
// none left.
void SocketRelay::end_lines(unsigned shard) noexcept {
  std::uint32_t* link = &first_line_[shard];
  while (*link != no_line) {
    const std::uint32_t pair = *link;
    Line& line = lines_[pair];
    if (line.socket.is_open() && flows_[2 * pair].epoch.load(relaxed) == line.epoch) {
      link = &line.next;
      continue;
    }
    if (line.socket.is_open() && line.sent_to == line.to) line.sent_to = {};  // counts anew
    close_line(shard, 2 * pair);
    line.is_listed = false;
    *link = line.next;
  }
}

void SocketRelay::close_line(unsigned shard, std::uint32_t slot) noexcept {
  Line& line = lines_[slot / 2];
  if (!line.socket.is_open()) return;
  if (line.to.is_set()) {
    ignore(shard, slot | line_event, line.socket.get());
    ports_connected_.fetch_sub(1, relaxed);
  }
  line.socket = UniqueFd();
  line.to = {};
  lines_left_.fetch_add(1, relaxed);
}

void SocketRelay::count_overflows(std::uint32_t event, std::uint32_t dropped,
                                  ShardCounters& totals) noexcept {
  const std::uint32_t slot = event & ~line_event;
  std::uint32_t& last = overflows_[event == slot ? slot : flows_.size() + slot / 2];
  add<std::uint64_t>(totals.overflows, dropped - last);  // both modulo 2^32
  last = dropped;
}

}  // namespace tandem::media
