#include "call/redirection.hpp"

#include <algorithm>

namespace tandem::call {

Redirection::Redirection(const SocketAddress& called, SipTransport transport, std::string_view user)
    : first_(called.ip), named_{name_of(called, transport, user)} {}

std::string Redirection::name_of(const SocketAddress& address, SipTransport transport,
                                 std::string_view user) {
  return address.to_string() + " " + std::string(transport_name(transport)) + " " +
         std::string(user);
}

void Redirection::add(const std::vector<RedirectTarget>& targets, const RedirectRules& rules,
                      const std::vector<IpAddress>& own) {
  std::vector<RedirectTarget> fresh;
  for (const RedirectTarget& target : targets) {
    const IpAddress& ip = target.address.ip;
    // Each redirection names a few, and few are followed: the list stays short.
    if (target.address.port == 0 || ip.family != first_.family || followed_ >= followed_max)
      continue;
    const bool is_allowed =
        std::find(own.begin(), own.end(), ip) != own.end() ||
        std::any_of(rules.networks.begin(), rules.networks.end(),
                    [&](const IpNetwork& network) { return network.contains(ip); });
    std::string name = name_of(target.address, target.transport, target.user);
    if (!is_allowed || std::find(named_.begin(), named_.end(), name) != named_.end()) continue;
    named_.push_back(std::move(name));
    fresh.push_back(target);
  }
  waiting_.insert(waiting_.begin(), fresh.begin(), fresh.end());
}

std::optional<RedirectTarget> Redirection::next() {
  if (followed_ >= followed_max || waiting_.empty()) return std::nullopt;
  ++followed_;
  RedirectTarget target = std::move(waiting_.front());
  waiting_.erase(waiting_.begin());
  return target;
}

}  // namespace tandem::call
