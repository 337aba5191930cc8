// Following a vendor that redirects a call (P-21; RFC 3261 section 8.1.3.4).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/leg.hpp"
#include "tandem/sip_options.hpp"

namespace tandem::call {

/// Where one attempt has been sent on to, and where it may still go. Threading: one thread at a
/// time.
class Redirection {
 public:
  static constexpr int followed_max = 3;  ///< Places that one attempt goes on to, all in all.

  /// `called`: where the attempt went first, which it does not come back to.
  Redirection(const SocketAddress& called, SipTransport transport, std::string_view user);

  /// Takes in what a redirection names, before what waits already. Left out: hosts that are
  /// neither in `rules` nor `own`, names, another family than the media was prepared for, and
  /// places that were named before.
  void add(const std::vector<RedirectTarget>& targets, const RedirectRules& rules,
           const std::vector<IpAddress>& own);
  /// The next place; nothing when there is none, or enough were called.
  std::optional<RedirectTarget> next();
  [[nodiscard]] bool is_followed() const noexcept { return followed_ > 0; }

 private:
  static std::string name_of(const SocketAddress& address, SipTransport transport,
                             std::string_view user);

  IpAddress first_;
  std::vector<RedirectTarget> waiting_;
  std::vector<std::string> named_;
  int followed_ = 0;
};

}  // namespace tandem::call
