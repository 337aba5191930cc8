// Asks vendor addresses from time to time whether they are there.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/leg.hpp"
#include "io/loop.hpp"
#include "route/health.hpp"

namespace tandem::call {

/// One address to be asked.
struct CheckedAddress {
  std::string gateway;
  std::string_view transport;  ///< "udp", "tcp" or "tls".
  SocketAddress local;         ///< Listen address to ask from; none: the first that fits.
  std::shared_ptr<route::AddressHealth> health;
  std::string tls_name = {};  ///< As TlsName.
  bool tls_verify = true;
};

/// Threading: loop-bound. What it finds is read by any thread from the AddressHealth objects.
class HealthCheck {
 public:
  /// Told when an address went away or came back.
  using Changed = std::function<void(const CheckedAddress&)>;

  /// `loop` and `legs` outlive it; `legs` belong to that loop.
  HealthCheck(io::Loop& loop, LegFactory& legs, Changed changed);
  ~HealthCheck();

  /// From now on these are asked, each every `period_us`; one that was asked before keeps its
  /// rhythm. A question without answer when the next one is due counts as failed. Addresses that
  /// are no longer named count as up.
  void watch(std::vector<CheckedAddress> addresses, std::int64_t period_us);
  [[nodiscard]] std::size_t watched() const noexcept { return entries_.size(); }

 private:
  class Entry;

  io::Loop& loop_;
  LegFactory& legs_;
  const Changed changed_;
  std::int64_t period_us_ = 0;
  std::unordered_map<const route::AddressHealth*, std::unique_ptr<Entry>> entries_;
};

}  // namespace tandem::call
