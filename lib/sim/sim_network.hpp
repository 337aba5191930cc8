// A network in virtual time: all that io::Network promises, repeatable from a seed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "io/loop.hpp"
#include "tandem/sim_network.hpp"

namespace tandem::sim {

struct SimNetworkOptions {
  std::uint64_t seed = 1;
  std::int64_t wall_us = 1767225600000000;  ///< Start of the wall clock: 2026-01-01T00:00:00Z.
  LinkSettings link;                        ///< For pairs without a rule of their own.
};

/// Loops, datagrams and streams in virtual time. Every IP address exists; a port exists when a
/// socket is bound to it. Equal seeds and equal calls give equal runs, as trace_hash() tells.
///
/// Threading: one thread at a time, which is the loop thread of all its loops; only Loop::post()
/// may be called from other threads. Sockets are destroyed before their loop; loops may outlive the
/// network.
class SimNetwork final : public io::Network {
 public:
  explicit SimNetwork(const SimNetworkOptions& options = {});
  ~SimNetwork() override;

  Result<std::unique_ptr<io::Loop>> create_loop(std::string name) override;
  /// A loop on a host of its own: its connections and its sockets on 0.0.0.0 send from `host`.
  /// Loops made without one send from 127.0.0.1 and ::1.
  Result<std::unique_ptr<io::Loop>> create_loop(std::string name, const IpAddress& host);
  [[nodiscard]] const Clock& clock() const noexcept override;
  [[nodiscard]] bool is_simulated() const noexcept override { return true; }
  /// The clock itself, for steps of the wall clock. Monotonic time is moved by the run functions
  /// only.
  [[nodiscard]] SimulatedClock& simulated_clock() noexcept;

  // Running. Not from inside a handler: such a call does nothing and returns false.

  /// Runs everything that falls due within `us` and leaves the clock exactly `us` later.
  bool run_for_us(std::int64_t us);
  /// Runs until `done()` is true, which is asked before the first and after every turn. False when
  /// `limit_us` passed first; the clock then stands at the limit.
  bool run_until(const std::function<bool()>& done, std::int64_t limit_us);
  /// Runs until no datagram, segment, timer or task is left. False when `limit_us` passed first.
  bool run_until_idle(std::int64_t limit_us);

  // Links. A change holds for what is sent from then on.

  void set_default_link(const LinkSettings& link);
  /// For what goes from `from` to `to`. Port 0 means every port, a `none` address every address; of
  /// several rules that fit, the one set last holds. Setting the same pair again replaces it. At
  /// most 4,096 rules. Errors: limit.
  Result<void> set_link(const SocketAddress& from, const SocketAddress& to,
                        const LinkSettings& link);
  /// Cuts or mends both directions between two addresses. Errors: limit.
  Result<void> partition(const IpAddress& a, const IpAddress& b);
  Result<void> heal(const IpAddress& a, const IpAddress& b);
  void clear_links();  ///< Only the default link is left.
  /// Whether datagrams to ports that nobody owns come back as on_unreachable(). Default: yes.
  void set_unreachable(bool answers) noexcept;

  /// Breaks every stream between two addresses: both ends hear on_closed(). Returns how many.
  std::size_t reset_streams(const IpAddress& a, const IpAddress& b);

  // Looking.

  /// Called for every datagram at its sending. Empty: nobody.
  void set_tap(std::function<void(const DatagramView&)> tap);
  /// Datagrams for which `predicate` is true are lost. Empty: none.
  void drop_if(std::function<bool(const DatagramView&)> predicate);
  [[nodiscard]] const NetworkCounters& counters() const noexcept;
  /// Hash over time, addresses and bytes of everything delivered so far.
  [[nodiscard]] std::uint64_t trace_hash() const noexcept;

  /// Keeps a copy of every datagram sent from now on, up to `bytes_max` in all; 0 ends it. What
  /// came before is forgotten.
  void capture(std::size_t bytes_max = std::size_t{64} << 20);
  [[nodiscard]] std::uint64_t captured() const noexcept;  ///< Datagrams kept.
  [[nodiscard]] std::uint64_t capture_overflow()
      const noexcept;  ///< Datagrams that no longer fitted.
  /// Writes what was captured as a pcap file of IP packets with UDP headers and checksums, stamped
  /// with the simulated wall clock. Errors: io.
  [[nodiscard]] Result<void> write_pcap(const std::string& path) const;

  struct Body;

 private:
  std::shared_ptr<Body> body_;
};

}  // namespace tandem::sim
