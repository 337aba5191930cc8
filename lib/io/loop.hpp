// The network and the loop, as interfaces: the operating system's and libre's in lib/io, simulated ones in lib/sim.
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

/// A UDP socket. send() queues; the loop sends what is queued at the end of each turn, in one batch.
class DatagramSocket {
 public:
  virtual ~DatagramSocket() = default;
  [[nodiscard]] virtual SocketAddress local() const noexcept = 0;
  virtual void send(const SocketAddress& to, std::string_view bytes) = 0;
  [[nodiscard]] virtual std::uint64_t send_drops() const noexcept = 0;  ///< Datagrams the system refused.
};

struct DatagramOptions {
  bool reuse_port = false;            ///< Several loops share the port (SO_REUSEPORT).
  int receive_buffer_bytes = 4 << 20; ///< 0: the system's default.
  int send_buffer_bytes = 4 << 20;
  int tos = 0;                        ///< Whole TOS byte; 0: unmarked.
  std::size_t datagram_bytes_max = 65535;  ///< Longer ones are cut and handed over cut.
};

/// Receives what a stream connection hears, on the connection's loop.
class StreamHandler {
 public:
  virtual ~StreamHandler() = default;
  virtual void on_connected() {}                      ///< Only for connections made by connect().
  virtual void on_bytes(std::string_view bytes) = 0;  ///< `bytes` ends with the call.
  virtual void on_closed(const Error& error) = 0;     ///< Last event; not sent after close().
};

/// A TCP connection. Destroying it closes it without further events.
class StreamConnection {
 public:
  virtual ~StreamConnection() = default;
  virtual void set_handler(StreamHandler& handler) noexcept = 0;
  [[nodiscard]] virtual SocketAddress local() const noexcept = 0;
  [[nodiscard]] virtual SocketAddress remote() const noexcept = 0;
  /// Queues up to 512 KiB. Errors: limit (the queue is full), wrong_state (closed).
  virtual Result<void> send(std::string_view bytes) = 0;
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

/// One thread's event loop with its sockets and timers.
///
/// Threading: loop-bound, but for post(), which any thread may call; before start() the creating thread is the
/// loop thread.
class Loop {
 public:
  virtual ~Loop() = default;

  virtual TimerWheel& timers() noexcept = 0;
  [[nodiscard]] virtual const Clock& clock() const noexcept = 0;

  /// Runs `task` on the loop, in order of posting. At most 65,536 wait. Errors: limit (too many wait),
  /// wrong_state (stopped).
  virtual Result<void> post(std::function<void()> task) = 0;
  /// Runs `task` at the end of this turn, before queued datagrams are sent. Loop thread only. For retiring
  /// objects whose handler is running, and for work that is done once a turn.
  virtual void defer(std::function<void()> task) = 0;
  [[nodiscard]] virtual bool is_loop_thread() const noexcept = 0;

  /// Errors: io (with address and system message), already_exists (address in use).
  virtual Result<std::unique_ptr<DatagramSocket>> open_datagram(const SocketAddress& local,
                                                                const DatagramOptions& options,
                                                                DatagramHandler& handler) = 0;
  virtual Result<std::unique_ptr<StreamListener>> listen(const SocketAddress& local, bool reuse_port,
                                                         AcceptHandler& handler) = 0;
  virtual Result<std::unique_ptr<StreamConnection>> connect(const SocketAddress& remote,
                                                            StreamHandler& handler) = 0;

  virtual void start() = 0;  ///< Begins to run: a thread of its own, or the simulation's turn.
  /// Ends the thread and joins it; tasks that wait are dropped. Then the stopping thread is the loop thread, so
  /// that sockets and timers can be destroyed.
  virtual void stop() = 0;
};

/// Makes loops. The real one gives each loop a thread; the simulated one runs all of them in virtual time.
class Network {
 public:
  virtual ~Network() = default;
  virtual Result<std::unique_ptr<Loop>> create_loop(std::string name) = 0;
  [[nodiscard]] virtual const Clock& clock() const noexcept = 0;
  /// True when all loops run on one thread in virtual time: then nobody may wait for another thread.
  [[nodiscard]] virtual bool is_simulated() const noexcept = 0;
};

/// The operating system's network: loops on libre, batched UDP (recvmmsg, sendmmsg), TCP.
std::unique_ptr<Network> make_system_network();

}  // namespace tandem::io
