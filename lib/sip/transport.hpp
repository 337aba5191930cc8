// Sockets and connections of one worker (P-01).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "http/websocket.hpp"
#include "io/loop.hpp"
#include "sip/handshake_rates.hpp"
#include "sip/message.hpp"
#include "sip/path.hpp"
#include "sip/stack.hpp"
#include "sip/tls_setup.hpp"
#include "tandem/log.hpp"

namespace tandem::sip {

/// Adds to a counter that one thread writes and any thread reads.
inline void bump(std::atomic<std::uint64_t>& counter, std::int64_t step = 1) noexcept {
  counter.store(counter.load(std::memory_order_relaxed) + static_cast<std::uint64_t>(step),
                std::memory_order_relaxed);
}

/// Receives what the transports hear.
class TransportEvents {
 public:
  virtual ~TransportEvents() = default;
  /// One datagram, or one message of a stream. `bytes` ends with the call. False: the stream cannot
  /// be read any further and is closed.
  virtual bool on_bytes(std::string_view bytes, const Path& path) = 0;
  /// Whether a message of a peer belongs to what there is already: responses, and requests of a
  /// dialog or about an earlier one. What claims to and does not is refused by on_bytes().
  [[nodiscard]] virtual bool is_of_old(std::string_view bytes) const = 0;
  /// A peer cannot be reached: nothing sent to it lately will be answered. `connection` is unset
  /// for UDP. `fault`: what is wrong with the connection.
  virtual void on_unreachable(const SocketAddress& remote, ConnectionId connection,
                              io::StreamFault fault) = 0;
  /// A connection that the peer made is no more.
  virtual void on_connection_closed(ConnectionId connection) = 0;
};

/// Frames a stream of SIP messages (RFC 3261 section 18.3), linear in its bytes whatever the size
/// of the segments.
class StreamFramer {
 public:
  static constexpr std::size_t bytes_max = 2 * Limits::message_bytes_max;

  enum class Outcome : std::uint8_t { message, more, ping, broken };

  void append(std::string_view bytes) { buffer_.append(bytes); }
  /// Looks for the next message. `message`: bytes() holds it, take() drops it. `ping`: a double CR
  /// LF to be answered with a single one (RFC 5626 section 4.4.1), already dropped. `broken`: too
  /// long, or Content-Length is unusable.
  Outcome next() noexcept;
  [[nodiscard]] std::string_view bytes() const noexcept {
    return std::string_view(buffer_).substr(start_, size_);
  }
  void take() noexcept;

 private:
  void compact();

  std::string buffer_;
  std::size_t start_ = 0;     // of the message in work
  std::size_t searched_ = 0;  // up to here no end of a head was found
  std::size_t size_ = 0;      // of the message once its head is known, else 0
};

/// The sockets, listeners and connections of one worker.
///
/// Threading: loop-bound; open() before the loop starts.
class Transports final {
 public:
  /// `hash_key`: where peers stand in tables is not for them to choose.
  Transports(unsigned worker, const StackConfig& config, const TlsSetup& tls,
             const KeyedHash::Key& hash_key, io::Loop& loop, StackCounters& counters, Log& log,
             TransportEvents& events);
  ~Transports();

  /// Opens all listen addresses. `taken` gives the ports of the first worker, empty for that one
  /// itself.
  Result<void> open(const std::vector<ListenAddress>& taken, bool reuse_port);

  /// The listen addresses with the ports really taken, in the order of the configuration.
  [[nodiscard]] const std::vector<ListenAddress>& listening() const noexcept { return listening_; }
  /// What Via and Contact say for a path.
  [[nodiscard]] const SocketAddress& advertised(const Path& path) const noexcept {
    return advertised_[path.listener];
  }
  [[nodiscard]] std::string_view advertised_text(const Path& path) const noexcept {
    return advertised_text_[path.listener];  // "192.0.2.1:5060"
  }
  [[nodiscard]] std::string_view advertised_host(const Path& path) const noexcept {
    return advertised_host_[path.listener];  // "192.0.2.1" or "[2001:db8::1]"
  }

  /// A path to `destination` from `local` (none: the first listen address that fits). Errors:
  /// not_found (no listen address of that transport and family).
  Result<Path> path_to(Transport transport, const SocketAddress& destination,
                       const SocketAddress& local) const;

  /// Sends a message. On streams a connection of this worker is used again or made, and `path` says
  /// which; on TLS one that has shown to be of the same peer, on WebSocket the peer's own and no
  /// other. Connections of other workers are not
  /// reachable here; see serves(). False: it could not be sent.
  bool send(Path& path, std::string_view bytes);
  [[nodiscard]] bool serves(const Path& path) const noexcept {
    return path.transport == Transport::udp || !path.connection.is_set() ||
           path.connection.worker == worker_;
  }

 private:
  class Socket;
  class Connection;
  class Listener;

  /// What connections are made to.
  struct Destination {
    SocketAddress remote;
    Transport transport = Transport::tcp;
    const io::TlsPeer* tls_peer = nullptr;
    bool operator==(const Destination&) const noexcept = default;
  };
  struct DestinationHash {
    std::size_t operator()(const Destination& to) const noexcept {
      return std::hash<SocketAddress>{}(to.remote) ^ std::hash<const void*>{}(to.tls_peer) ^
             static_cast<std::size_t>(to.transport);
    }
  };
  // Connections of one way.
  struct Room {
    std::size_t connections_max;
    std::size_t connections = 0;
    // By address with port 0; peers with connections only.
    std::unordered_map<SocketAddress, std::size_t> of_peer = {};
  };

  void accept(std::unique_ptr<io::StreamConnection> stream, std::uint16_t listener,
              const http::WebSocketRules& rules);
  /// The stream of a connection that was accepted; null: it was refused, which was counted.
  std::unique_ptr<io::StreamConnection> admit(std::unique_ptr<io::StreamConnection> stream,
                                              const ListenAddress& listen,
                                              const http::WebSocketRules& rules);
  std::unique_ptr<io::StreamConnection> admit_tls(std::unique_ptr<io::StreamConnection> stream,
                                                  const ListenAddress& listen);
  /// The connection that a new request to a peer uses again; null: there is none.
  [[nodiscard]] Connection* known_connection(const Destination& to) const;
  Connection* connect(const Destination& to, std::uint16_t listener);
  Result<std::unique_ptr<io::StreamConnection>> make_stream(const Destination& to,
                                                            io::StreamHandler& handler);
  bool admit_handshake(const SocketAddress& peer);    // false: counted as refused
  bool take_room(Room& room, const IpAddress& peer);  // false: counted as refused
  void give_back(Room& room, const IpAddress& peer) noexcept;
  std::uint32_t new_serial() noexcept;
  void close(Connection& connection);
  [[nodiscard]] std::uint16_t listener_at(Transport transport,
                                          const SocketAddress& local) const noexcept;

  unsigned worker_;
  const StackConfig& config_;
  const TlsSetup& tls_;
  io::Loop& loop_;
  StackCounters& counters_;
  Log& log_;
  TransportEvents& events_;
  std::vector<ListenAddress> listening_;
  std::vector<SocketAddress> advertised_;
  std::vector<std::string> advertised_text_;
  std::vector<std::string> advertised_host_;
  std::vector<std::unique_ptr<Socket>> sockets_;  // by listener; null for streams
  std::vector<std::unique_ptr<Listener>> stream_listeners_;
  Room inbound_;
  Room outbound_;
  HandshakeRates handshakes_;
  bool is_refusing_ = false;  // a handshake, whose connection ends before anything else happens
  std::unordered_map<std::uint32_t, std::unique_ptr<Connection>> connections_;  // by serial
  // The one that requests to a peer use again.
  std::unordered_map<Destination, std::uint32_t, DestinationHash> connection_to_;
  std::vector<std::unique_ptr<Connection>>
      closed_;  // until the end of the turn: their handler may be running
  bool is_clearing_ = false;
  std::uint32_t next_serial_ = 1;
};

}  // namespace tandem::sip
