// The network and the loop, as interfaces: the operating system's and libre's in lib/io, simulated
// ones in lib/sim.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/timer_wheel.hpp"
#include "tandem/clock.hpp"
#include "tandem/error.hpp"
#include "tandem/values.hpp"

namespace tandem::io {

/// Receives what a datagram socket hears, on the socket's loop.
class DatagramHandler {
 public:
  virtual ~DatagramHandler() = default;
  /// `bytes` ends with the call.
  virtual void on_datagram(const SocketAddress& from, std::string_view bytes) = 0;
  /// An ICMP error for a datagram sent to `to` (ECONNREFUSED and the like).
  virtual void on_unreachable(const SocketAddress& to) { (void)to; }
};

/// A UDP socket. send() queues; the loop sends what is queued at the end of each turn, in one
/// batch.
class DatagramSocket {
 public:
  virtual ~DatagramSocket() = default;
  [[nodiscard]] virtual SocketAddress local() const noexcept = 0;
  virtual void send(const SocketAddress& to, std::string_view bytes) = 0;
  [[nodiscard]] virtual std::uint64_t send_drops()
      const noexcept = 0;  ///< Datagrams the system refused.
};

struct DatagramOptions {
  bool reuse_port = false;             ///< Several loops share the port (SO_REUSEPORT).
  int receive_buffer_bytes = 4 << 20;  ///< 0: the system's default.
  int send_buffer_bytes = 4 << 20;
  int tos = 0;                             ///< Whole TOS byte; 0: unmarked.
  std::size_t datagram_bytes_max = 65535;  ///< Longer ones are cut and handed over cut.
};

/// Receives what a stream connection hears, on the connection's loop.
class StreamHandler {
 public:
  virtual ~StreamHandler() = default;
  /// For connections made by connect(), and on TLS and WebSocket for accepted ones too: the
  /// handshake is over.
  virtual void on_connected() {}
  virtual void on_bytes(std::string_view bytes) = 0;  ///< `bytes` ends with the call.
  virtual void on_closed(const Error& error) = 0;     ///< Last event; not sent after close().
  /// WebSocket: the peer has shown that it is there, by a ping or a pong.
  virtual void on_alive() {}
};

/// What is wrong with a connection, beyond its end.
enum class StreamFault : std::uint8_t {
  none,
  protocol,     ///< What came was not of the protocol of the stream.
  certificate,  ///< TLS: one of the two was refused, or lacking.
};

/// A TCP connection, or TLS (io/tls.hpp) or WebSocket (http/websocket.hpp) over one. Destroying it
/// closes it without further events.
class StreamConnection {
 public:
  virtual ~StreamConnection() = default;
  virtual void set_handler(StreamHandler& handler) noexcept = 0;
  [[nodiscard]] virtual SocketAddress local() const noexcept = 0;
  [[nodiscard]] virtual SocketAddress remote() const noexcept = 0;
  /// Queues up to 512 KiB. Errors: limit (the queue is full), wrong_state (closed).
  virtual Result<void> send(std::string_view bytes) = 0;
  /// How many bytes send() would take now.
  [[nodiscard]] virtual std::size_t room_bytes() const noexcept = 0;
  /// TOS byte or traffic class of what is sent from now on, where the network has such a thing.
  virtual void set_tos(int tos) noexcept { (void)tos; }
  /// To be asked within StreamHandler::on_closed().
  [[nodiscard]] virtual StreamFault fault() const noexcept { return StreamFault::none; }
  /// What this one is spoken over; null: the network itself.
  [[nodiscard]] virtual const StreamConnection* carrier() const noexcept { return nullptr; }
};

class AcceptHandler {
 public:
  virtual ~AcceptHandler() = default;
  virtual void on_accept(std::unique_ptr<StreamConnection> connection) = 0;
};

class StreamListener {
 public:
  virtual ~StreamListener() = default;
  [[nodiscard]] virtual SocketAddress local() const noexcept = 0;
};

/// What a loop counted since it was made. Each figure only grows.
struct LoopCounters {
  std::uint64_t turns = 0;
  std::uint64_t datagrams_received = 0;
  std::uint64_t datagrams_sent = 0;
  std::uint64_t datagrams_refused =
      0;  ///< The system took them not: EAGAIN, ENOBUFS, too long, no route.
  std::uint64_t unreachable = 0;    ///< ICMP errors handed to handlers.
  std::uint64_t posts_refused = 0;  ///< post() answered limit or wrong_state.
  std::uint64_t exceptions = 0;     ///< Thrown out of handlers and tasks, and ended at the loop.
};

/// One thread's event loop with its sockets and timers.
///
/// A turn is: timers that are due, events, posted tasks, timers that became due, deferred tasks,
/// queued datagrams. Time for timers stands still within a step of a turn, so a delay counts from
/// that step.
///
/// Sockets, listeners, connections and timers are destroyed before their loop, on its loop thread.
/// Any of them may be destroyed inside a handler, its own too; the handler object must then outlive
/// the call, which is what defer() is for.
///
/// Threading: loop-bound, but for post(), which any thread may call; before start() the creating
/// thread is the loop thread.
class Loop {
 public:
  virtual ~Loop() = default;

  /// Ask each time: outside a turn this brings the wheel to the present, so that a delay counts
  /// from now.
  virtual TimerWheel& timers() noexcept = 0;
  [[nodiscard]] virtual const Clock& clock() const noexcept = 0;

  /// Runs `task` on the loop, in order of posting. At most 65,536 wait. Errors: limit (too many
  /// wait), wrong_state (stopped).
  virtual Result<void> post(std::function<void()> task) = 0;
  /// Runs `task` at the end of this turn, before queued datagrams are sent. Loop thread only. For
  /// retiring objects whose handler is running, and for work that is done once a turn.
  virtual void defer(std::function<void()> task) = 0;
  [[nodiscard]] virtual bool is_loop_thread() const noexcept = 0;

  /// Errors: io (with address and system message), already_exists (address in use).
  virtual Result<std::unique_ptr<DatagramSocket>> open_datagram(const SocketAddress& local,
                                                                const DatagramOptions& options,
                                                                DatagramHandler& handler) = 0;
  /// Errors: io, already_exists (address in use).
  virtual Result<std::unique_ptr<StreamListener>> listen(const SocketAddress& local,
                                                         bool reuse_port,
                                                         AcceptHandler& handler) = 0;
  /// A refusal or an unreachable host comes as on_closed(), never from inside this call. Errors: io
  /// (no descriptor).
  virtual Result<std::unique_ptr<StreamConnection>> connect(const SocketAddress& remote,
                                                            StreamHandler& handler) = 0;

  /// Handlers that libre itself calls on this loop (TLS, DNS, HTTP) call this first: it brings
  /// timers() to the present and makes a turn follow, so that what they defer, send and start is
  /// seen to.
  virtual void enter_turn() {}
  /// Runs `task` on the loop thread as the last thing of the running loop, in reverse order of the
  /// calls: the place to release libre objects, which belong to the thread that made them. Loop
  /// thread only, before stop().
  virtual void at_stop(std::function<void()> task) { (void)task; }
  /// Loop thread only, but for `posts_refused`, which is exact only after stop().
  [[nodiscard]] virtual LoopCounters counters() const noexcept { return {}; }

  /// Begins to run: a thread of its own, or the simulation's turn. Once; what was opened and posted
  /// before is served from now on.
  virtual void start() = 0;
  /// Ends the thread and joins it; tasks that wait are dropped. On the loop thread itself it only
  /// asks for the end, which the destructor then waits for. Then the stopping thread is the loop
  /// thread, so that sockets and timers can be destroyed.
  virtual void stop() = 0;
};

/// Makes loops. The real one gives each loop a thread; the simulated one runs all of them in
/// virtual time.
class Network {
 public:
  virtual ~Network() = default;
  virtual Result<std::unique_ptr<Loop>> create_loop(std::string name) = 0;
  [[nodiscard]] virtual const Clock& clock() const noexcept = 0;
  /// True when all loops run on one thread in virtual time: then nobody may wait for another
  /// thread.
  [[nodiscard]] virtual bool is_simulated() const noexcept = 0;
};

/// The operating system's network: loops on libre, batched UDP (recvmmsg, sendmmsg), TCP.
std::unique_ptr<Network> make_system_network();

}  // namespace tandem::io
