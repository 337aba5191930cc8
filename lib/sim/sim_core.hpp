// Inside of the simulated network: the order of events, loops, sockets and streams.
#pragma once

#include <atomic>
#include <deque>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "io/system_socket.hpp"
#include "sim/sim_network.hpp"

namespace tandem::sim {

class SimLoop;
class SimDatagramSocket;
class SimStream;
struct SimConnection;

enum class EventKind : std::uint8_t { timer, turn, datagram, unreachable, stream };

/// Who owns which port, with the rules of the operating system: a wildcard address takes the port
/// of every address of its family, sharing needs the consent of all.
class PortTable {
 public:
  /// The address with its port chosen. Errors: already_exists, invalid_argument.
  Result<SocketAddress> bind(std::string_view transport, SocketAddress address, bool reuse_port,
                             void* owner);
  void release(const SocketAddress& address, void* owner);
  /// Owners of the address, else of its wildcard; never an empty list.
  [[nodiscard]] const std::vector<void*>* owners(const SocketAddress& address) const;

  static constexpr unsigned ephemeral_first = 32'768;
  static constexpr unsigned ephemeral_count = 28'232;

 private:
  struct Binding {
    bool is_shared = false;
    std::vector<void*> owners;
  };
  struct Use {
    unsigned all = 0;
    unsigned unshared = 0;
  };
  static SocketAddress wildcard_of(const SocketAddress& address) noexcept;
  [[nodiscard]] bool is_free(const SocketAddress& address, bool reuse_port) const;

  std::unordered_map<SocketAddress, Binding> bindings_;
  std::unordered_map<SocketAddress, Use> use_of_port_;  // by wildcard address
  unsigned next_ephemeral_ = 0;
};

/// Copies of datagrams for a pcap file.
class Capture {
 public:
  Capture() = default;
  explicit Capture(std::size_t bytes_max) : bytes_max_(bytes_max) {}
  [[nodiscard]] bool is_on() const noexcept { return bytes_max_ > 0; }
  void add(const DatagramView& view, std::int64_t wall_us);
  [[nodiscard]] std::uint64_t size() const noexcept { return entries_.size(); }
  [[nodiscard]] std::uint64_t overflow() const noexcept { return overflow_; }
  [[nodiscard]] Result<void> write_pcap(const std::string& path) const;

 private:
  struct Entry {
    SocketAddress from;
    SocketAddress to;
    std::int64_t wall_us;
    std::size_t offset;
    std::size_t size;
  };
  std::vector<Entry> entries_;
  std::string bytes_;
  std::size_t bytes_max_ = 0;
  std::uint64_t overflow_ = 0;
};

struct AddressPair {
  SocketAddress from;
  SocketAddress to;
  bool operator==(const AddressPair&) const noexcept = default;
};

struct AddressPairHash {
  std::size_t operator()(const AddressPair& pair) const noexcept {
    const std::hash<SocketAddress> hash;
    return hash(pair.from) * 31 + hash(pair.to);
  }
};

struct SimNetwork::Body {
  static constexpr std::size_t rules_max = 4096;
  static constexpr std::size_t pairs_max = 65'536;
  static constexpr std::int64_t delay_us_max = 60'000'000;
  static constexpr int batch_max = 64;
  static constexpr int stream_retries_max = 60;  // a second apart

  enum class Outcome { done, idle, limit, refused };

  struct Event {
    std::int64_t at_us;
    std::uint64_t sequence;
    std::uint32_t slot;  // of a loop, a packet or a stream event
    EventKind kind;
  };
  struct Rule {
    SocketAddress from;
    SocketAddress to;
    LinkSettings link;
  };
  /// A datagram on its way. Slots are used again and keep their room, so that traffic does not
  /// allocate.
  struct Packet {
    SocketAddress from;
    SocketAddress to;
    std::uint64_t sender = 0;  // SimDatagramSocket::id()
    std::string bytes;
  };
  struct StreamEvent {
    std::shared_ptr<SimConnection> connection;
    std::uint8_t side = 0;
    int retries = 0;
  };

  explicit Body(const SimNetworkOptions& options);

  // Order.
  static bool later(const Event& a, const Event& b) noexcept {
    return a.at_us != b.at_us ? a.at_us > b.at_us : a.sequence > b.sequence;
  }
  void schedule(std::int64_t at_us, EventKind kind, std::uint32_t slot);
  Event pop();
  Outcome run(std::int64_t us, const std::function<bool()>* done, bool until_idle = false);
  bool run_next(std::int64_t limit_us);
  void take_posts();
  void move_clock(std::int64_t at_us);

  // Links.
  Result<void> set_link(const SocketAddress& from, const SocketAddress& to,
                        const LinkSettings& link);
  Result<void> set_partitioned(const IpAddress& from, const IpAddress& to, bool is_partitioned);
  const LinkSettings& link_between(const SocketAddress& from, const SocketAddress& to);
  bool happens(int per_mille) noexcept;
  std::int64_t travel_us(const LinkSettings& link) noexcept;

  // Datagrams.
  void send(SimDatagramSocket& socket, const SocketAddress& to, std::string_view bytes);
  std::uint32_t new_packet();
  [[nodiscard]] SimDatagramSocket* receiver(const Packet& packet) const;
  void arrive(const Event& event);
  void deliver(SimDatagramSocket& socket, std::uint32_t slot);
  void bounce(std::uint32_t slot);
  void arrive_unreachable(std::uint32_t slot);
  void trace(const SocketAddress& from, const SocketAddress& to, std::string_view bytes) noexcept;

  // Streams.
  void schedule_stream(std::int64_t at_us, StreamEvent event);
  void arrive_stream(std::uint32_t slot);
  void arrive_syn(const std::shared_ptr<SimConnection>& connection, std::uint32_t slot);
  std::size_t reset_streams(const IpAddress& a, const IpAddress& b);

  SimulatedClock clock;
  SeededRandom random;
  LinkSettings default_link;
  std::int64_t now_us;  // of `clock`, without its atomics
  std::atomic<std::thread::id> thread;
  bool is_running = false;

  std::vector<Event> events;  // heap by later()
  std::uint64_t sequence = 0;
  std::uint64_t next_socket_id = 0;
  std::vector<SimLoop*> loops;  // null: free
  std::atomic<bool> has_posts{false};

  std::vector<Rule> rules;  // the last one that fits holds
  std::unordered_map<AddressPair, int, AddressPairHash> rule_of_pair;  // -1: the default link
  bool answers_unreachable = true;

  PortTable udp;
  PortTable tcp;
  std::deque<Packet> packets;  // a deque, so that a packet stays put while its handler sends
  std::vector<std::uint32_t> free_packets;
  std::deque<StreamEvent> stream_events;
  std::vector<std::uint32_t> free_stream_events;
  std::vector<std::weak_ptr<SimConnection>> connections;
  unsigned next_client_port = 0;

  std::function<void(const DatagramView&)> tap;
  std::function<bool(const DatagramView&)> filter;
  Capture capture;
  NetworkCounters counters;
  std::uint64_t trace_hash = 0;
};

class SimLoop final : public io::Loop {
 public:
  static constexpr std::size_t tasks_max = 65'536;
  static constexpr std::size_t held_max = 4'096;  // what a socket's buffer holds before start()

  SimLoop(std::shared_ptr<SimNetwork::Body> body, std::string name, const IpAddress& host);
  ~SimLoop() override;

  TimerWheel& timers() noexcept override;
  [[nodiscard]] const Clock& clock() const noexcept override { return body_->clock; }
  Result<void> post(std::function<void()> task) override;
  void defer(std::function<void()> task) override;
  [[nodiscard]] bool is_loop_thread() const noexcept override;
  Result<std::unique_ptr<io::DatagramSocket>> open_datagram(const SocketAddress& local,
                                                            const io::DatagramOptions& options,
                                                            io::DatagramHandler& handler) override;
  Result<std::unique_ptr<io::StreamListener>> listen(const SocketAddress& local, bool reuse_port,
                                                     io::AcceptHandler& handler) override;
  Result<std::unique_ptr<io::StreamConnection>> connect(const SocketAddress& remote,
                                                        io::StreamHandler& handler) override;
  void at_stop(std::function<void()> task) override { at_stop_.push_back(std::move(task)); }
  [[nodiscard]] io::LoopCounters counters() const noexcept override;
  void start() override;
  void stop() override;

  [[nodiscard]] bool is_serving() const noexcept { return is_started_ && !is_stopped_; }
  /// Keeps an arrival for start(); false: stopped, or too many are kept.
  bool hold(EventKind kind, std::uint32_t slot);
  [[nodiscard]] bool has_work();
  /// Schedules the turn of the next timer. An earlier turn that is no longer needed is left to
  /// timer_is_due().
  void arm();
  [[nodiscard]] bool timer_is_due(std::int64_t at_us);
  void begin_turn();
  void end_turn();
  [[nodiscard]] IpAddress host_address(IpAddress::Family family) const noexcept;
  /// What a socket on `local` owns: every address of the loop's host is the one it has.
  [[nodiscard]] SocketAddress owned_address(const SocketAddress& local) const noexcept;
  [[nodiscard]] SimNetwork::Body& body() noexcept { return *body_; }
  [[nodiscard]] const std::shared_ptr<SimNetwork::Body>& shared_body() noexcept { return body_; }
  io::LoopCounters& counted() noexcept { return counters_; }

  template <class F>
  void guarded(F&& f) noexcept {
    try {
      f();
    } catch (...) {
      ++counters_.exceptions;
    }
  }

 private:
  void run_posted();
  void run_deferred();

  std::shared_ptr<SimNetwork::Body> body_;
  const std::string name_;
  const IpAddress host_;
  std::uint32_t index_ = 0;
  TimerWheel wheel_;
  std::int64_t armed_at_us_ = INT64_MAX;
  bool is_started_ = false;
  bool in_turn_ = false;
  bool must_arm_ = false;  // its timers were touched in another loop's turn
  std::vector<std::function<void()>> deferred_;
  std::vector<std::function<void()>> at_stop_;
  std::vector<std::pair<EventKind, std::uint32_t>> held_;
  io::LoopCounters counters_;

  std::mutex mutex_;  // guards posted_; is_stopped_ is written under it
  std::vector<std::function<void()>> posted_;
  std::atomic<std::uint64_t> posts_refused_{0};
  std::atomic<bool> is_stopped_{false};
};

class SimDatagramSocket final : public io::DatagramSocket {
 public:
  SimDatagramSocket(SimLoop& loop, const io::DatagramOptions& options,
                    io::DatagramHandler& handler);
  ~SimDatagramSocket() override;
  Result<void> bind(const SocketAddress& local, bool reuse_port);

  [[nodiscard]] SocketAddress local() const noexcept override { return local_; }
  void send(const SocketAddress& to, std::string_view bytes) override;
  [[nodiscard]] std::uint64_t send_drops() const noexcept override { return send_drops_; }

  [[nodiscard]] const SocketAddress& source() const noexcept { return source_; }
  [[nodiscard]] std::uint64_t id() const noexcept { return id_; }
  [[nodiscard]] SimLoop& loop() noexcept { return loop_; }
  [[nodiscard]] io::DatagramHandler& handler() noexcept { return handler_; }
  [[nodiscard]] std::size_t datagram_bytes_max() const noexcept { return datagram_bytes_max_; }

 private:
  SimLoop& loop_;
  io::DatagramHandler& handler_;
  const std::size_t datagram_bytes_max_;
  const std::uint64_t id_;
  SocketAddress local_;
  SocketAddress owned_;
  SocketAddress source_;
  bool is_bound_ = false;
  std::uint64_t send_drops_ = 0;
};

/// What the two ends of a stream share. Everything for one end, its beginning and its end too,
/// passes through one queue, so that order needs no further care.
struct SimConnection {
  struct Item {
    enum class Kind : std::uint8_t { syn, established, bytes, closed, broken };
    Kind kind;
    int error_number = 0;  // of broken
    std::string bytes;
  };
  struct End {
    SocketAddress address;
    SimStream* stream = nullptr;
    std::deque<Item> inbound;
    std::size_t inbound_bytes = 0;
    std::int64_t last_us = 0;  // nothing arrives before what was sent earlier
    unsigned held = 0;         // arrivals that wait for set_handler()
  };
  static constexpr std::uint8_t client = 0;
  static constexpr std::uint8_t server = 1;

  End end[2];
  bool is_broken = false;

  /// Sends `item` to `side`.
  static void put(SimNetwork::Body& body, const std::shared_ptr<SimConnection>& connection,
                  std::uint8_t side, Item item);
  /// Forgets what is on its way to `side` and ends it with `error_number` now.
  static void break_end(SimNetwork::Body& body, const std::shared_ptr<SimConnection>& connection,
                        std::uint8_t side, int error_number);
};

class SimStream final : public io::StreamConnection {
 public:
  static constexpr std::size_t queue_bytes_max = std::size_t{512} << 10;

  SimStream(SimLoop& loop, std::shared_ptr<SimConnection> connection, std::uint8_t side);
  ~SimStream() override;
  void set_handler(io::StreamHandler& handler) noexcept override;
  [[nodiscard]] SocketAddress local() const noexcept override { return own().address; }
  [[nodiscard]] SocketAddress remote() const noexcept override { return peer().address; }
  Result<void> send(std::string_view bytes) override;
  [[nodiscard]] std::size_t room_bytes() const noexcept override {
    return queue_bytes_max - peer().inbound_bytes;
  }

  [[nodiscard]] SimLoop& loop() noexcept { return loop_; }
  [[nodiscard]] io::StreamHandler* handler() noexcept { return handler_; }
  /// Hands the item to the handler, which may destroy this.
  void deliver(SimConnection::Item item);

 private:
  [[nodiscard]] SimConnection::End& own() const noexcept { return connection_->end[side_]; }
  [[nodiscard]] SimConnection::End& peer() const noexcept { return connection_->end[1 - side_]; }

  SimLoop& loop_;
  std::shared_ptr<SimConnection> connection_;
  const std::uint8_t side_;
  io::StreamHandler* handler_ = nullptr;
  bool is_connected_;
  bool is_closed_ = false;
};

class SimListener final : public io::StreamListener {
 public:
  SimListener(SimLoop& loop, io::AcceptHandler& handler) noexcept
      : loop_(loop), handler_(handler) {}
  ~SimListener() override;
  Result<void> bind(const SocketAddress& local, bool reuse_port);
  [[nodiscard]] SocketAddress local() const noexcept override { return local_; }
  [[nodiscard]] SimLoop& loop() noexcept { return loop_; }
  [[nodiscard]] io::AcceptHandler& handler() noexcept { return handler_; }

 private:
  SimLoop& loop_;
  io::AcceptHandler& handler_;
  SocketAddress local_;
  SocketAddress owned_;
  bool is_bound_ = false;
};

}  // namespace tandem::sim
