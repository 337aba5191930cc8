// The relay on a loop of io: for simulations in virtual time, and for hosts with a single loop.
#include <utility>
#include <vector>

#include "media/relay.hpp"

namespace tandem::media {
namespace {

class LoopRelay final : public RelayCore {
 public:
  LoopRelay(const MediaConfig& config, io::Loop& loop)
      : RelayCore(config, loop.clock(), 1), loop_(loop), ports_(flows_.size()) {}
  ~LoopRelay() override { LoopRelay::stop(); }

  /// Shows early that the addresses can be bound.
  Result<void> start() {
    if (Result<void> read = read_identity(); !read) return read;
    for (PortPool* pool : {pool4_.get(), pool6_.get()}) {
      if (pool == nullptr) continue;
      Result<std::uint32_t> slot = bind_one(*pool, 0);
      if (!slot) return std::move(slot).error();
      pool->bound(0, *slot, true);
    }
    return {};
  }

  void stop() noexcept override {
    is_stopped_.store(true);
    scan_timer_.cancel();
    tick_timer_.cancel();
    handshake_timer_.cancel();
    ports_.clear();
  }

 private:
  struct Port final : io::DatagramHandler {
    Port(LoopRelay& of, std::uint32_t at) noexcept : relay(of), slot(at) {}
    void on_datagram(const SocketAddress& from, std::string_view bytes) override {
      relay.relay_one(slot, from, bytes);
    }
    LoopRelay& relay;
    const std::uint32_t slot;
    std::unique_ptr<io::DatagramSocket> socket;
  };

  std::optional<BindFailure> bind_pair(unsigned, std::uint32_t slot) override {
    io::DatagramOptions options;
    options.receive_buffer_bytes = static_cast<int>(config_.receive_buffer_bytes / 2);
    options.send_buffer_bytes = 0;
    options.tos = config_.tos;
    std::unique_ptr<Port> pair[2];
    for (std::uint32_t kind = 0; kind < 2; ++kind) {
      pair[kind] = std::make_unique<Port>(*this, slot + kind);
      auto socket = loop_.open_datagram(local(slot + kind), options, *pair[kind]);
      if (!socket) {
        const bool is_busy = socket.error().code == ErrorCode::already_exists;
        return BindFailure{is_busy, std::move(socket).error()};
      }
      pair[kind]->socket = std::move(socket).value();
    }
    for (std::uint32_t kind = 0; kind < 2; ++kind)
      ports_[slot + kind] = std::move(pair[kind]);
    return std::nullopt;
  }

  void on_watch_changed() noexcept override {
    if (!scan_timer_.is_pending()) loop_.timers().start(scan_timer_, FlowTable::scan_us);
  }

  // As long as there are sessions: a world in which nothing happens stands still.
  void on_scan() {
    flows_.scan(0, clock_.monotonic_us(), counters_[0]);
    tell_events(0);
    if (has_sessions()) loop_.timers().start(scan_timer_, FlowTable::scan_us);
  }

  void on_bridge_busy(unsigned) noexcept override {
    // What waits for a clip's turn would be late for a packet's.
    if (bridge_tick_us(0) < tick_of_timer_us_) tick_timer_.cancel();
    if (!tick_timer_.is_pending()) start_tick();
  }

  void start_tick() noexcept {
    tick_of_timer_us_ = bridge_tick_us(0);
    loop_.timers().start(tick_timer_, tick_of_timer_us_);
  }

  void on_handshake_busy(unsigned) noexcept override {
    if (!handshake_timer_.is_pending()) loop_.timers().start(handshake_timer_, 0);
  }

  void on_handshake_tick() {
    tick_handshakes(0, clock_.monotonic_us());
    if (has_handshakes(0)) loop_.timers().start(handshake_timer_, SideHandshake::tick_us);
  }

  void on_tick() {
    tick_bridges(0, clock_.monotonic_us());
    tell_events(0);
    if (has_busy_bridges(0)) start_tick();
  }

  bool send_datagram(unsigned, const Onward& onward) noexcept override {
    io::DatagramSocket& socket = *ports_[onward.slot]->socket;
    const std::uint64_t drops = socket.send_drops();
    socket.send(unpack(onward.to), onward.bytes);
    return socket.send_drops() == drops;
  }

  void relay_one(std::uint32_t slot, const SocketAddress& from, std::string_view bytes) noexcept {
    Onward onward;
    const bool is_passed =
        flows_.judge(slot, pack(from), bytes, clock_.monotonic_us(), counters_[0], onward);
    if (is_passed) flows_.sent(onward, send_datagram(0, onward), counters_[0]);
    tell_events(0);
  }

  io::Loop& loop_;
  std::int64_t tick_of_timer_us_ = AudioBridge::tick_us;
  Timer tick_timer_{Timer::member<&LoopRelay::on_tick, LoopRelay>(), this};
  Timer handshake_timer_{Timer::member<&LoopRelay::on_handshake_tick, LoopRelay>(), this};
  Timer scan_timer_{Timer::member<&LoopRelay::on_scan, LoopRelay>(), this};
  std::vector<std::unique_ptr<Port>> ports_;  // by slot; empty: not bound yet
};

}  // namespace

Result<MediaRelay> make_loop_relay(const MediaConfig& config, io::Loop& loop) {
  if (Result<void> checked = check(config); !checked) return std::move(checked).error();
  auto core = std::make_shared<LoopRelay>(config, loop);
  if (Result<void> started = core->start(); !started) return std::move(started).error();
  return MediaRelay(std::move(core));
}

}  // namespace tandem::media
