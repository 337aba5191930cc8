// Keeps the switch registered at the vendors that want it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/leg.hpp"
#include "io/loop.hpp"
#include "phone/uplink.hpp"
#include "tandem/config.hpp"

namespace tandem::call {

/// Where a registration may be kept.
struct UplinkPlace {
  SocketAddress destination;
  SipTransport transport = SipTransport::udp;
  std::string tls_name;   ///< As TlsName.
  std::string peer_name;  ///< As OutboundCall has it.
  bool operator==(const UplinkPlace&) const = default;
};

/// One registration to be kept up.
struct UplinkOrder {
  std::string gateway;
  std::vector<UplinkPlace> places;  ///< Not empty, the preferred first; at most 32.
  bool tls_verify = true;
  GatewayAuth auth;
  std::shared_ptr<phone::Uplink> uplink;
};

struct UplinkRhythm {
  std::int32_t expires_s = 3600;
  std::int32_t retry_s = 60;  ///< After the first failure; doubles up to 600.
};

/// Registers at half the time that was granted, and tries again after failures: at once with a
/// longer time when the vendor wants one (423), at the next place at once when one did not answer
/// or answered 503 (RFC 3263), else later and later, or when Retry-After says.
/// Threading: loop-bound.
class Uplinks {
 public:
  /// Told when a registration came about or was lost: the order, where, and the status that said
  /// so (0: no answer).
  using Changed = std::function<void(const UplinkOrder&, const UplinkPlace&, int status)>;

  /// `loop` and `legs` outlive it; `legs` belong to that loop.
  Uplinks(io::Loop& loop, LegFactory& legs, Changed changed);
  ~Uplinks();

  /// From now on these are kept up. One that was before goes on unless its place is none of the
  /// order's or the credentials are others; those that are no longer named are taken back.
  void keep(std::vector<UplinkOrder> orders, const UplinkRhythm& rhythm);
  /// Takes all of them back; nobody waits for the answers.
  void leave();

 private:
  class Entry;

  io::Loop& loop_;
  LegFactory& legs_;
  const Changed changed_;
  UplinkRhythm rhythm_;
  std::unordered_map<std::string, std::unique_ptr<Entry>> entries_;
};

}  // namespace tandem::call
