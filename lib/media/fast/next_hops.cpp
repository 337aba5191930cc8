#include "media/fast/next_hops.hpp"

#include <linux/if_arp.h>
#include <linux/neighbour.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <optional>
#include <string_view>

namespace tandem::media {
namespace {

constexpr std::size_t remembered_max = 16384;
constexpr std::size_t message_bytes_max = 8192;

unsigned char family_of(const PackedAddress& address) noexcept {
  return address.family == IpAddress::Family::ipv4 ? AF_INET : AF_INET6;
}
std::size_t bytes_of(const PackedAddress& address) noexcept {
  return address.family == IpAddress::Family::ipv4 ? 4 : 16;
}

/// A request of rtnetlink and its answer.
template <class Body>
class Question {
 public:
  Question(std::uint16_t type, std::uint32_t number) noexcept {
    header().nlmsg_len = NLMSG_LENGTH(sizeof(Body));
    header().nlmsg_type = type;
    header().nlmsg_flags = NLM_F_REQUEST;
    header().nlmsg_seq = number;
  }
  Body& body() noexcept { return *static_cast<Body*>(NLMSG_DATA(&header())); }
  void add(std::uint16_t type, const void* bytes, std::size_t size) noexcept {
    auto* const part = reinterpret_cast<rtattr*>(bytes_ + NLMSG_ALIGN(header().nlmsg_len));
    part->rta_type = type;
    part->rta_len = static_cast<unsigned short>(RTA_LENGTH(size));
    std::memcpy(RTA_DATA(part), bytes, size);
    header().nlmsg_len =
        static_cast<std::uint32_t>(NLMSG_ALIGN(header().nlmsg_len) + RTA_ALIGN(part->rta_len));
  }
  /// True: body() and find() are of the answer from now on.
  bool ask(int netlink) noexcept {
    const std::uint32_t number = header().nlmsg_seq;
    const std::uint16_t answer = header().nlmsg_type - 2;  // RTM_GETx, RTM_NEWx
    if (::send(netlink, bytes_, header().nlmsg_len, MSG_DONTWAIT) < 0) return false;
    for (;;) {
      const ssize_t size = ::recv(netlink, bytes_, sizeof bytes_, MSG_DONTWAIT);
      if (size < static_cast<ssize_t>(sizeof(nlmsghdr))) return false;
      if (header().nlmsg_seq != number) continue;  // of a former one
      return header().nlmsg_type == answer &&
             header().nlmsg_len <= static_cast<std::size_t>(size) &&
             header().nlmsg_len >= NLMSG_LENGTH(sizeof(Body));
    }
  }
  std::optional<std::string_view> find(std::uint16_t type) noexcept {
    const std::size_t end = header().nlmsg_len;
    for (std::size_t at = NLMSG_SPACE(sizeof(Body)); at + sizeof(rtattr) <= end;) {
      const auto* const part = reinterpret_cast<const rtattr*>(bytes_ + at);
      if (part->rta_len < sizeof(rtattr) || at + part->rta_len > end) break;
      if ((part->rta_type & NLA_TYPE_MASK) == type)
        return std::string_view(bytes_ + at + RTA_LENGTH(0), part->rta_len - RTA_LENGTH(0));
      at += RTA_ALIGN(part->rta_len);
    }
    return std::nullopt;
  }

 private:
  nlmsghdr& header() noexcept { return *reinterpret_cast<nlmsghdr*>(bytes_); }
  alignas(nlmsghdr) char bytes_[message_bytes_max] = {};
};

template <class T>
T read(std::string_view bytes) noexcept {
  T value{};
  std::memcpy(&value, bytes.data(), std::min(bytes.size(), sizeof value));
  return value;
}

}  // namespace

std::size_t NextHops::Hash::operator()(const PackedAddress& address) const noexcept {
  std::uint64_t sum = address.port;
  for (const std::uint32_t word : address.ip)
    sum = (sum ^ word) * 0x9E3779B97F4A7C15;
  return static_cast<std::size_t>(sum >> 32);
}

NextHops::NextHops()
    : netlink_(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE)) {}

void NextHops::forget() noexcept {
  routes_.clear();
  neighbours_.clear();
}

const NextHop* NextHops::find(const PackedAddress& from, const PackedAddress& to,
                              std::int64_t now_us) noexcept {
  try {
    if (routes_.size() > remembered_max || neighbours_.size() > remembered_max) forget();
    PackedAddress host = to;
    host.port = 0;
    Route& route = routes_[host];
    if (now_us >= route.until_us) {
      route = ask_route(from, to);
      route.until_us = now_us + route_us;
    }
    if (route.interface == 0) return nullptr;
    PackedAddress of_interface = route.neighbour;
    of_interface.port = static_cast<std::uint16_t>(route.interface);
    Neighbour& neighbour = neighbours_[of_interface];
    if (now_us >= neighbour.until_us) {
      neighbour = ask_neighbour(route.interface, route.neighbour);
      neighbour.until_us = now_us + (neighbour.is_known ? neighbour_us : neighbour_us / 20);
      return nullptr;
    }
    return neighbour.is_known ? &neighbour.hop : nullptr;
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

NextHops::Route NextHops::ask_route(const PackedAddress& from, const PackedAddress& to) noexcept {
  Route route;
  Question<rtmsg> question(RTM_GETROUTE, ++asked_);
  question.body().rtm_family = family_of(to);
  question.body().rtm_dst_len = question.body().rtm_src_len =
      static_cast<unsigned char>(8 * bytes_of(to));
  question.add(RTA_DST, to.ip.data(), bytes_of(to));
  question.add(RTA_SRC, from.ip.data(), bytes_of(from));
  if (!question.ask(netlink_.get()) || question.body().rtm_type != RTN_UNICAST) return route;
  const auto interface = question.find(RTA_OIF);
  // A router of the other family, several ways at once, a tunnel, a smaller MTU: the kernel's.
  if (!interface || question.find(RTA_VIA) || question.find(RTA_MULTIPATH) ||
      question.find(RTA_ENCAP) || question.find(RTA_METRICS))
    return route;
  const int number = read<int>(*interface);
  if (number <= 0 || number > 0xFFFF) return route;
  route.neighbour = to;
  if (const auto router = question.find(RTA_GATEWAY)) {
    if (router->size() != bytes_of(to)) return route;
    std::memcpy(route.neighbour.ip.data(), router->data(), router->size());
  }
  route.interface = number;
  return route;
}

NextHops::Neighbour NextHops::ask_neighbour(int interface, const PackedAddress& address) noexcept {
  Neighbour neighbour;
  neighbour.hop.interface = interface;
  Question<ndmsg> question(RTM_GETNEIGH, ++asked_);
  question.body().ndm_family = family_of(address);
  question.body().ndm_ifindex = interface;
  question.add(NDA_DST, address.ip.data(), bytes_of(address));
  constexpr unsigned usable = NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT;
  if (!question.ask(netlink_.get()) || (question.body().ndm_state & usable) == 0) return neighbour;
  const auto to = question.find(NDA_LLADDR);
  if (!to || to->size() != neighbour.hop.to.size()) return neighbour;
  std::memcpy(neighbour.hop.to.data(), to->data(), to->size());

  Question<ifinfomsg> link(RTM_GETLINK, ++asked_);
  link.body().ifi_index = interface;
  if (!link.ask(netlink_.get())) return neighbour;
  const auto from = link.find(IFLA_ADDRESS);
  const auto mtu = link.find(IFLA_MTU);
  const unsigned flags = link.body().ifi_flags;
  if (link.body().ifi_type != ARPHRD_ETHER || (flags & IFF_UP) == 0 ||
      (flags & (IFF_LOOPBACK | IFF_NOARP)) != 0 || !from || !mtu ||
      from->size() != neighbour.hop.from.size())
    return neighbour;
  std::memcpy(neighbour.hop.from.data(), from->data(), from->size());
  neighbour.hop.mtu = read<std::uint32_t>(*mtu);
  neighbour.is_known = true;
  return neighbour;
}

}  // namespace tandem::media
