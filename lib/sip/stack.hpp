// The SIP side of one worker: transports, transactions, dialogs, legs.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/leg.hpp"
#include "base/registration.hpp"
#include "io/loop.hpp"
#include "io/tls.hpp"
#include "tandem/clock.hpp"
#include "tandem/log.hpp"
#include "tandem/sip_options.hpp"
#include "tandem/tls.hpp"

namespace tandem::trace {
class Recorder;
}  // namespace tandem::trace

namespace tandem::sip {

using Transport = SipTransport;

struct ListenAddress {
  Transport transport = Transport::udp;
  SocketAddress address;  ///< Port 0 takes a free one; with several workers all share it.
  /// What Via and Contact say instead, behind NAT or when `address` is 0.0.0.0 or ::; none:
  /// `address`. Port 0: the port of `address`.
  SocketAddress advertised = {};
  ClientCertificate client_certificate = ClientCertificate::none;  ///< TLS, WebSocket over it.
  /// WebSocket: where the pages that connect come from (http::WebSocketRules); empty: anywhere.
  std::vector<std::string> origins = {};
};

struct StackConfig {
  std::vector<ListenAddress> listen;
  std::string product = "tandem";  ///< Server and User-Agent header (P-28); "" sends none.
  std::int64_t t1_us = 500'000;    ///< RFC 3261 section 17.1.1.1.
  std::int64_t t2_us = 4'000'000;
  std::int64_t t4_us = 5'000'000;
  /// How long a request over UDP waits before each repetition, and at last before it is given up;
  /// its sum is how long a request waits on streams (P-20). At most 20; empty: as T1 and T2 have
  /// it.
  std::vector<std::int64_t> resend_us;
  std::size_t transactions_max = 1'000'000;  ///< Per worker; beyond it new requests get 503.
  /// For TLS of both ways until StackGroup::set_tls(); null: none is spoken.
  std::shared_ptr<const io::TlsContext> tls;
  HandshakeLimits handshakes;  ///< Likewise, of each worker.
  // TCP and TLS connections (S-14), per worker. Those that peers make and those that we make have
  // room of their own, so that nobody keeps us from calling out by connecting to us.
  std::size_t inbound_connections_max = 4096;
  std::size_t outbound_connections_max = 4096;
  std::size_t peer_connections_max = 100;  ///< With one IP address, each way.
  /// Whether somebody is expected to connect from an address: beyond the rate of handshakes of all
  /// peers such a one may begin its own. Any worker's thread. Empty: nobody is.
  std::function<bool(const SocketAddress& peer)> expects_peer;
  /// A connection of ours that is not made by then fails what waits for it: shorter than the
  /// patience of a call, so that a peer that comes back is not sent what others have taken over. On
  /// TLS the handshake is part of it, and an accepted connection has as long for it.
  std::int64_t connect_timeout_us = 5'000'000;
  /// An accepted connection that has not brought a whole message by then is closed.
  std::int64_t first_message_us = 10'000'000;
  /// So is any that was silent for so long. A message that is not whole yet is silence.
  std::int64_t connection_idle_us = 180'000'000;
  std::size_t handover_bytes =
      256 * 1024;  ///< Room of each pair of workers for messages on their way.
  /// New calls that wait while a worker has more to do than it can; further ones get 503.
  std::size_t arrivals_max = 1'024;
  std::size_t arrival_bytes_max = 4 << 20;
  /// One that has waited for longer gets 503: below T1, so that what is taken is no repetition.
  std::int64_t arrival_wait_us = 200'000;
  int tos = 0;
  bool offers_sha256 = true;  ///< Challenges name SHA-256 behind MD5 (RFC 8760 section 2.3).
  /// Makes connections to WebSocket listeners. Empty: none are made, since who speaks WebSocket is
  /// a browser, which is reached over the connection that it made and nowhere else.
  std::function<Result<std::unique_ptr<io::StreamConnection>>(
      io::Loop& loop, const SocketAddress& remote, io::StreamHandler& handler)>
      connect_websocket;
  /// Asked about each REGISTER as it arrives; outlives the stack. Null: none are taken (405).
  RegisterGate* register_gate = nullptr;
  /// Shown the messages while it is on; outlives the stack. Null: nothing is traced.
  trace::Recorder* recorder = nullptr;
};

/// Counters of one worker; read by any thread.
struct StackCounters {
  std::atomic<std::uint64_t> datagrams_received{0}, messages_received{0}, messages_sent{0},
      retransmissions{0}, malformed_dropped{0}, malformed_answered{0}, handed_over{0},
      handover_drops{0}, strays_dropped{0}, overload_refused{0}, calls_in{0}, calls_out{0},
      send_failures{0};
  // New calls under overload: that waited for their turn, and that there was not even time to
  // refuse.
  std::atomic<std::uint64_t> arrivals_waited{0}, overload_dropped{0};
  std::atomic<std::uint64_t> registers_received{0};  ///< Those that the gate let pass.
  /// Reliable provisional responses for which there was no room behind one that is not
  /// acknowledged.
  std::atomic<std::uint64_t> provisionals_dropped{0};
  // TCP: beyond the room of their way; beyond that of their peer; not made in time; accepted, and
  // closed without a message.
  std::atomic<std::uint64_t> connections_refused{0}, peer_connections_refused{0},
      connect_timeouts{0}, connections_unused{0};
  // TLS, both ways: agreed on; of no use, since nothing was agreed on in time or a certificate was
  // refused; accepted beyond the rate of handshakes, and closed.
  std::atomic<std::uint64_t> tls_handshakes{0}, tls_failures{0}, tls_refused{0};
  // WebSocket, with TLS and without: came about; did not, TLS below it among the reasons.
  std::atomic<std::uint64_t> websockets_opened{0}, websocket_failures{0};
  std::atomic<std::uint64_t> dialogs_live{0}, transactions_live{0},
      connections_live{0};  ///< Now, not in total.
  /// What peers are asked to keep back of new calls now, in percent (RFC 7339).
  std::atomic<std::uint64_t> overload_loss_percent{0};
  /// TCP: closed since their peers did not read what was sent to them.
  std::atomic<std::uint64_t> connections_deaf{0};
  /// What pools and tables of transactions and dialogs hold, as of the last upkeep.
  std::atomic<std::uint64_t> memory_bytes{0};
};

/// All workers of one switch: opens the shared listeners, hands messages to their owner.
///
/// Threading: create and open() before the loops start; legs(worker) is used on that worker's loop
/// only.
class StackGroup {
 public:
  /// `loops`: one per worker, 1..64. `inbound[i]` receives the calls of worker i. `randoms`
  /// likewise; the first gives the group's secrets.
  static Result<std::unique_ptr<StackGroup>> create(const StackConfig& config,
                                                    const std::vector<io::Loop*>& loops,
                                                    const std::vector<InboundCalls*>& inbound,
                                                    const std::vector<Random*>& randoms, Log& log);
  virtual ~StackGroup() = default;  ///< After the loops have stopped.

  virtual LegFactory& legs(unsigned worker) noexcept = 0;
  [[nodiscard]] virtual const StackCounters& counters(unsigned worker) const noexcept = 0;
  [[nodiscard]] virtual std::vector<ListenAddress> listening()
      const = 0;  ///< With the ports really taken.
  virtual void set_draining(
      bool draining) noexcept = 0;  ///< Out-of-dialog OPTIONS are then answered 503.
  /// How long a publication may last (P-06, RFC 3903), 0..86400 s; 0: PUBLISH is refused with 405,
  /// as it is until then. Any thread.
  virtual void set_publish(std::int32_t expires_s) noexcept = 0;
  /// For connections from now on. Those that were made to peers serve what is under way on them,
  /// and nothing new; those that peers made stay while the new context would let them in. Any
  /// thread.
  virtual void set_tls(std::shared_ptr<const io::TlsContext> context,
                       const HandshakeLimits& limits) = 0;
};

}  // namespace tandem::sip
