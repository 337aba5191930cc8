// A network in virtual time for unit tests of rooms below `sim`: datagrams and streams between
// loops and plain test ends, delivered in order of sending, with losses on demand.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/loop.hpp"
#include "tandem/clock.hpp"

namespace tandem::test {

inline SocketAddress at(std::string_view text) {
  auto address = SocketAddress::parse(text);
  return address ? *address : SocketAddress{};
}

class FakeLoop;

struct FakeDatagram {
  std::int64_t at_us;
  SocketAddress from;
  SocketAddress to;
  std::string bytes;
};

/// All loops and test ends. One thread.
class FakeNetwork {
 public:
  SimulatedClock clock;
  std::vector<FakeDatagram> sent;  ///< Every datagram, lost ones too.
  /// True: this datagram is lost. `index` counts from 0.
  std::function<bool(std::size_t index, const FakeDatagram&)> loses;
  std::function<void(const FakeDatagram&)> tap;
  bool keeps_sent = true;
  bool answers_unreachable = false;  ///< Datagrams to unbound ports come back as ICMP errors.
  std::size_t segment_bytes = 0;     ///< Streams are cut into segments of this size; 0: as sent.
  std::size_t stream_room_bytes = std::size_t{512} << 10;  ///< What a stream takes, always.
  /// True: a connection to this address is neither made nor refused.
  std::function<bool(const SocketAddress& remote)> ignores_connect;

  ~FakeNetwork() = default;
  FakeLoop& create_loop();

  /// Binds a receiver. Several on one address share it in turn, as SO_REUSEPORT does.
  using Receiver = std::function<void(const SocketAddress& from, std::string_view bytes)>;
  int bind(const SocketAddress& local, Receiver receiver,
           std::function<void(const SocketAddress&)> unreachable = {}) {
    bound_[local].push_back({next_id_, std::move(receiver), std::move(unreachable)});
    return next_id_++;
  }
  void unbind(const SocketAddress& local, int id) {
    auto& list = bound_[local];
    std::erase_if(list, [id](const Bound& b) { return b.id == id; });
    if (list.empty()) bound_.erase(local);
  }
  [[nodiscard]] std::size_t bound_count() const { return bound_.size(); }
  [[nodiscard]] bool is_bound(const SocketAddress& local) const { return bound_.count(local) != 0; }
  void send(const SocketAddress& from, const SocketAddress& to, std::string_view bytes) {
    FakeDatagram datagram{clock.monotonic_us(), from, to, std::string(bytes)};
    if (tap) tap(datagram);
    const bool is_lost = loses && loses(sent_count_, datagram);
    ++sent_count_;
    if (keeps_sent) sent.push_back(datagram);
    if (!is_lost) tasks_.push_back([this, d = std::move(datagram)] { deliver(d); });
  }
  [[nodiscard]] std::size_t sent_count() const noexcept { return sent_count_; }
  void later(std::function<void()> task) { tasks_.push_back(std::move(task)); }
  std::uint16_t free_port() { return next_port_++; }

  void run_for(std::int64_t us);
  void settle() { run_for(0); }

  struct Accepting {
    FakeLoop* loop;
    io::AcceptHandler* handler;
  };
  std::map<SocketAddress, std::vector<Accepting>> accepting;

 private:
  struct Bound {
    int id;
    Receiver receiver;
    std::function<void(const SocketAddress&)> unreachable;
  };
  void deliver(const FakeDatagram& datagram) {
    const auto found = bound_.find(datagram.to);
    if (found == bound_.end()) {
      if (!answers_unreachable) return;
      const auto sender = bound_.find(datagram.from);
      if (sender != bound_.end() && sender->second[0].unreachable)
        sender->second[0].unreachable(datagram.to);
      return;
    }
    // By turns: the tests of the hand-over want every message at a wrong worker now and then.
    const Bound bound = found->second[turn_++ % found->second.size()];
    bound.receiver(datagram.from, datagram.bytes);
  }

  std::map<SocketAddress, std::vector<Bound>> bound_;
  std::deque<std::function<void()>> tasks_;
  std::vector<std::unique_ptr<FakeLoop>> loops_;
  std::size_t sent_count_ = 0;
  std::size_t turn_ = 0;
  int next_id_ = 1;
  std::uint16_t next_port_ = 40000;
};

/// One end of a stream.
class FakeStream final : public io::StreamConnection {
 public:
  struct End {
    io::StreamHandler* handler = nullptr;
    bool is_open = true;
    std::string early;  // bytes before anybody listened
  };
  FakeStream(FakeNetwork& network, SocketAddress local, SocketAddress remote,
             std::shared_ptr<End> mine, std::shared_ptr<End> other)
      : network_(network),
        local_(local),
        remote_(remote),
        mine_(std::move(mine)),
        other_(std::move(other)) {}
  ~FakeStream() override { close(); }

  void set_handler(io::StreamHandler& handler) noexcept override {
    mine_->handler = &handler;
    network_.later([end = mine_] {
      std::string early = std::move(end->early);
      end->early.clear();
      if (end->is_open && end->handler != nullptr && !early.empty()) end->handler->on_bytes(early);
    });
  }
  [[nodiscard]] SocketAddress local() const noexcept override { return local_; }
  [[nodiscard]] SocketAddress remote() const noexcept override { return remote_; }
  Result<void> send(std::string_view bytes) override {
    if (!mine_->is_open || !other_->is_open) return Error{ErrorCode::wrong_state, "closed"};
    if (bytes.size() > network_.stream_room_bytes) return Error{ErrorCode::limit, "full"};
    const std::size_t step = network_.segment_bytes == 0 ? bytes.size() : network_.segment_bytes;
    for (std::size_t i = 0; i < bytes.size(); i += step) {
      network_.later([end = other_, part = std::string(bytes.substr(i, step))] {
        if (!end->is_open) return;
        if (end->handler == nullptr) {
          end->early += part;
        } else {
          end->handler->on_bytes(part);
        }
      });
    }
    return {};
  }
  [[nodiscard]] std::size_t room_bytes() const noexcept override {
    return network_.stream_room_bytes;
  }
  void close() {
    if (!mine_->is_open) return;
    mine_->is_open = false;
    network_.later([end = other_] {
      if (!end->is_open) return;
      end->is_open = false;
      if (end->handler != nullptr)
        end->handler->on_closed(Error{ErrorCode::io, "closed by the peer"});
    });
  }

 private:
  FakeNetwork& network_;
  SocketAddress local_;
  SocketAddress remote_;
  std::shared_ptr<End> mine_;
  std::shared_ptr<End> other_;
};

class FakeLoop final : public io::Loop {
 public:
  explicit FakeLoop(FakeNetwork& network)
      : network_(network), timers_(network.clock.monotonic_us()) {}

  TimerWheel& timers() noexcept override { return timers_; }
  [[nodiscard]] const Clock& clock() const noexcept override { return network_.clock; }
  Result<void> post(std::function<void()> task) override {
    if (refuses_posts) return Error{ErrorCode::limit, "full"};
    ++posts;
    network_.later(std::move(task));
    return {};
  }
  void defer(std::function<void()> task) override { network_.later(std::move(task)); }
  [[nodiscard]] bool is_loop_thread() const noexcept override { return true; }

  Result<std::unique_ptr<io::DatagramSocket>> open_datagram(const SocketAddress& local,
                                                            const io::DatagramOptions& options,
                                                            io::DatagramHandler& handler) override {
    SocketAddress address = local;
    if (address.port == 0) address.port = network_.free_port();
    if (network_.is_bound(address) && !options.reuse_port) {
      return Error{ErrorCode::already_exists, address.to_string() + " was in use"};
    }
    return std::unique_ptr<io::DatagramSocket>(
        std::make_unique<Socket>(network_, address, handler));
  }
  Result<std::unique_ptr<io::StreamListener>> listen(const SocketAddress& local, bool reuse_port,
                                                     io::AcceptHandler& handler) override {
    SocketAddress address = local;
    if (address.port == 0) address.port = network_.free_port();
    auto& list = network_.accepting[address];
    if (!list.empty() && !reuse_port) return Error{ErrorCode::already_exists, "in use"};
    list.push_back({this, &handler});
    return std::unique_ptr<io::StreamListener>(
        std::make_unique<Listener>(network_, address, handler));
  }
  Result<std::unique_ptr<io::StreamConnection>> connect(const SocketAddress& remote,
                                                        io::StreamHandler& handler) override {
    const SocketAddress local{host, network_.free_port()};
    auto mine = std::make_shared<FakeStream::End>();
    auto other = std::make_shared<FakeStream::End>();
    mine->handler = &handler;
    network_.later([this, local, remote, mine, other] {
      if (!mine->is_open || (network_.ignores_connect && network_.ignores_connect(remote))) return;
      const auto found = network_.accepting.find(remote);
      if (found == network_.accepting.end() || found->second.empty()) {
        mine->is_open = false;
        mine->handler->on_closed(Error{ErrorCode::io, "connection refused"});
        return;
      }
      mine->handler->on_connected();
      found->second.front().handler->on_accept(
          std::make_unique<FakeStream>(network_, remote, local, other, mine));
    });
    return std::unique_ptr<io::StreamConnection>(
        std::make_unique<FakeStream>(network_, local, remote, mine, other));
  }
  void start() override {}
  void stop() override {}

  int posts = 0;
  bool refuses_posts = false;
  IpAddress host = at("127.0.0.1:0").ip;  ///< Its connections come from here.

 private:
  class Socket final : public io::DatagramSocket {
   public:
    Socket(FakeNetwork& network, SocketAddress local, io::DatagramHandler& handler)
        : network_(network), local_(local) {
      id_ = network.bind(
          local,
          [&handler](const SocketAddress& from, std::string_view bytes) {
            handler.on_datagram(from, bytes);
          },
          [&handler](const SocketAddress& to) { handler.on_unreachable(to); });
    }
    ~Socket() override { network_.unbind(local_, id_); }
    [[nodiscard]] SocketAddress local() const noexcept override { return local_; }
    void send(const SocketAddress& to, std::string_view bytes) override {
      network_.send(local_, to, bytes);
    }
    [[nodiscard]] std::uint64_t send_drops() const noexcept override { return 0; }

   private:
    FakeNetwork& network_;
    SocketAddress local_;
    int id_;
  };
  class Listener final : public io::StreamListener {
   public:
    Listener(FakeNetwork& network, SocketAddress local, io::AcceptHandler& handler)
        : network_(network), local_(local), handler_(handler) {}
    ~Listener() override {
      auto& list = network_.accepting[local_];
      std::erase_if(list,
                    [this](const FakeNetwork::Accepting& a) { return a.handler == &handler_; });
    }
    [[nodiscard]] SocketAddress local() const noexcept override { return local_; }

   private:
    FakeNetwork& network_;
    SocketAddress local_;
    io::AcceptHandler& handler_;
  };

  FakeNetwork& network_;
  TimerWheel timers_;
};

inline FakeLoop& FakeNetwork::create_loop() {
  loops_.push_back(std::make_unique<FakeLoop>(*this));
  return *loops_.back();
}

inline void FakeNetwork::run_for(std::int64_t us) {
  const std::int64_t end = clock.monotonic_us() + us;
  const auto drain = [this] {
    while (!tasks_.empty()) {
      const auto task = std::move(tasks_.front());
      tasks_.pop_front();
      task();
    }
  };
  drain();
  while (clock.monotonic_us() < end) {
    const std::int64_t now = clock.monotonic_us();
    std::int64_t next = end;
    for (const auto& loop : loops_)
      next = std::min(next, loop->timers().next_expiry_us());
    // A bound that is not ahead of now means: within this tick.
    clock.advance_us(next > now ? next - now : std::min<std::int64_t>(1000, end - now));
    for (const auto& loop : loops_)
      loop->timers().advance(clock.monotonic_us());
    drain();
  }
}

}  // namespace tandem::test
