// A loop of the operating system: one thread, libre's loop in it, and our turn as the handler of
// one descriptor.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "io/loop.hpp"
#include "io/system_socket.hpp"

namespace tandem::io {

class SystemLoop;
class UdpSocket;

/// Something with a descriptor that a loop waits for.
class Watch {
 public:
  Watch() = default;
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  virtual ~Watch() {
    if (gone_ != nullptr) *gone_ = true;
  }
  virtual void on_ready(std::uint32_t epoll_events) = 0;

 protected:
  /// Tells a member function, after it has called a handler, whether the handler destroyed the
  /// object.
  class Guard {
   public:
    explicit Guard(Watch& watch) noexcept;
    ~Guard();
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;
    [[nodiscard]] bool is_gone() const noexcept { return gone_; }

   private:
    Watch& watch_;
    bool* outer_;
    bool gone_ = false;
  };

 private:
  bool* gone_ = nullptr;
};

/// Buffers that all datagram sockets of a loop receive into. A batch is handed out before the next
/// is read, and handlers never receive, so one set serves the loop.
class ReceiveBatch {
 public:
  static constexpr unsigned datagrams_max = 64;

  /// Makes room for datagrams of `bytes_max`; called between batches only.
  void prepare(std::size_t bytes_max);
  /// Number received, or -1 with errno.
  int receive(int fd) noexcept;
  [[nodiscard]] std::string_view bytes(int index) const noexcept;
  [[nodiscard]] SocketAddress from(int index) const noexcept;

 private:
  std::unique_ptr<char[]> buffer_;
  std::size_t room_bytes_ = 0;  // for one datagram
  std::size_t bytes_max_ = 0;   // as asked for last
  std::array<mmsghdr, datagrams_max> header_{};
  std::array<iovec, datagrams_max> vector_{};
  std::array<SystemAddress, datagrams_max> address_{};
};

/// Datagrams queued in a turn by all sockets of a loop.
class SendBatch {
 public:
  static constexpr std::size_t datagrams_max = 512;
  static constexpr std::size_t bytes_max = std::size_t{512} << 10;

  [[nodiscard]] bool has_room(std::size_t bytes) const noexcept {
    return count_ < datagrams_max && bytes_ + bytes <= bytes_max;
  }
  /// REQUIRES: has_room(bytes.size()).
  void add(UdpSocket& socket, const SocketAddress& to, std::string_view bytes);
  [[nodiscard]] bool is_empty() const noexcept { return count_ == 0; }
  void send_all() noexcept;  ///< One sendmmsg() for each socket. Leaves the batch empty.

 private:
  std::unique_ptr<char[]> buffer_;
  std::size_t bytes_ = 0;
  std::size_t count_ = 0;
  std::array<mmsghdr, datagrams_max> header_{};
  std::array<mmsghdr, datagrams_max> grouped_{};
  std::array<iovec, datagrams_max> vector_{};
  std::array<SystemAddress, datagrams_max> address_{};
  std::array<UdpSocket*, datagrams_max> socket_{};
};

/// The turn runs on an epoll set of our own, which is the one descriptor that libre's loop sees. So
/// the order within a turn and its end are ours (libre knows no end of a batch but its wall clock
/// timers), a descriptor closed in a handler cannot get a stale event, and the size of libre's
/// descriptor table, which is indexed by descriptor number, matters for one descriptor only.
///
/// The thread exists from create() on and is parked until start(): what can fail has failed before
/// create() returns, and sockets opened by the creating thread meanwhile are only entries of the
/// epoll set, which has no thread.
class SystemLoop final : public Loop {
 public:
  static constexpr std::size_t tasks_max = 65'536;

  static Result<std::unique_ptr<SystemLoop>> create(std::string name);
  ~SystemLoop() override;

  TimerWheel& timers() noexcept override;
  [[nodiscard]] const Clock& clock() const noexcept override { return clock_; }
  Result<void> post(std::function<void()> task) override;
  void defer(std::function<void()> task) override;
  [[nodiscard]] bool is_loop_thread() const noexcept override;
  Result<std::unique_ptr<DatagramSocket>> open_datagram(const SocketAddress& local,
                                                        const DatagramOptions& options,
                                                        DatagramHandler& handler) override;
  Result<std::unique_ptr<StreamListener>> listen(const SocketAddress& local, bool reuse_port,
                                                 AcceptHandler& handler) override;
  Result<std::unique_ptr<StreamConnection>> connect(const SocketAddress& remote,
                                                    StreamHandler& handler) override;
  void enter_turn() override;
  void at_stop(std::function<void()> task) override { at_stop_.push_back(std::move(task)); }
  [[nodiscard]] LoopCounters counters() const noexcept override;
  void start() override;
  void stop() override;

  // For sockets of this loop.

  Result<void> watch(int fd, Watch& watch, std::uint32_t epoll_events);
  void change_watch(int fd, Watch& watch, std::uint32_t epoll_events) noexcept;
  void unwatch(int fd, Watch& watch) noexcept;
  /// Queues for the end of the turn; sends at once what is queued when there is no more room.
  void queue_datagram(UdpSocket& socket, const SocketAddress& to, std::string_view bytes);
  void flush() noexcept { send_batch_.send_all(); }
  /// Reports `to` unreachable in the next turn; at most 256 wait, further ones are forgotten.
  void note_unreachable(UdpSocket& socket, const SocketAddress& to);
  void forget(UdpSocket& socket) noexcept;
  ReceiveBatch& receive_batch() noexcept { return receive_batch_; }
  [[nodiscard]] char* stream_buffer() noexcept { return stream_buffer_.get(); }
  static constexpr std::size_t stream_buffer_bytes = std::size_t{64} << 10;
  LoopCounters& counted() noexcept { return counters_; }

  /// Runs host code; what it throws ends here and is counted.
  template <class F>
  void guarded(F&& f) noexcept {
    try {
      f();
    } catch (...) {
      ++counters_.exceptions;
    }
  }

 private:
  enum class Phase { starting, parked, failed, running, ended };
  struct Unreachable {
    UdpSocket* socket;
    SocketAddress to;
  };

  explicit SystemLoop(std::string name);
  Result<void> open();
  void run_thread() noexcept;
  void turn() noexcept;
  void wait_events() noexcept;
  void run_posted() noexcept;
  void run_deferred() noexcept;
  void report_unreachable() noexcept;
  void arm_timer() noexcept;
  void wake() noexcept;
  void request_turn() noexcept;
  void advance_timers() noexcept;
  void end_waiting() noexcept;

  const std::string name_;
  const SystemClock clock_;
  TimerWheel wheel_;
  Fd epoll_;
  Fd wake_event_;   // edge-triggered, never read
  Fd timer_event_;  // edge-triggered, never read; monotonic, while libre's own timers follow the
                    // wall clock
  std::int64_t armed_at_us_ = INT64_MAX;

  static constexpr int events_max = 64;
  std::array<epoll_event, events_max> event_{};
  int event_next_ = 0;  // the batch being handed out is event_[event_next_..event_count_)
  int event_count_ = 0;
  bool in_turn_ = false;
  bool turn_requested_ = false;  // from outside a turn: by a handler of libre, or before start()

  std::vector<std::function<void()>> deferred_;
  std::vector<std::function<void()>> at_stop_;
  std::vector<Unreachable> unreachable_;
  ReceiveBatch receive_batch_;
  SendBatch send_batch_;
  std::unique_ptr<char[]> stream_buffer_;
  LoopCounters counters_;

  std::vector<std::function<void()>> running_;  // tasks taken from posted_, loop thread only
  std::size_t running_next_ = 0;

  std::mutex mutex_;  // guards the members up to `thread_`
  std::condition_variable changed_;
  Phase phase_ = Phase::starting;
  int start_error_ = 0;
  bool start_requested_ = false;
  bool stop_requested_ = false;
  bool is_sleeping_ = false;  // nothing but a descriptor will begin the next turn
  std::size_t waiting_ = 0;   // posted and not yet run, in posted_ and running_
  std::vector<std::function<void()>> posted_;

  std::thread thread_;
  std::atomic<std::thread::id> owner_;
  std::atomic<std::uint64_t> posts_refused_{0};
};

}  // namespace tandem::io
