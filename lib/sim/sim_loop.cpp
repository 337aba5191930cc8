#include <algorithm>

#include "sim/sim_core.hpp"

namespace tandem::sim {
namespace {

constexpr std::size_t payload_bytes_max = 65'507;  // of UDP over IPv4
constexpr std::size_t deferred_per_turn_max = 65'536;

}  // namespace

SimLoop::SimLoop(std::shared_ptr<SimNetwork::Body> body, std::string name, const IpAddress& host)
    : body_(std::move(body)), name_(std::move(name)), host_(host), wheel_(body_->now_us) {
  auto& loops = body_->loops;
  const auto free_place = std::find(loops.begin(), loops.end(), nullptr);
  index_ = static_cast<std::uint32_t>(free_place - loops.begin());
  if (free_place == loops.end()) {
    loops.push_back(this);
  } else {
    *free_place = this;
  }
}

SimLoop::~SimLoop() {
  stop();
  body_->loops[index_] = nullptr;
}

TimerWheel& SimLoop::timers() noexcept {
  if (in_turn_) return wheel_;
  // Between turns the wheel stands where the last one left it, and a delay would count from there.
  // All that was due before now has fired; what is due now is left to its turn.
  const std::int64_t next_us = wheel_.next_expiry_us();
  if (next_us >= body_->now_us) {
    wheel_.advance(next_us > body_->now_us ? body_->now_us : body_->now_us - 1);
  }
  // Nobody looks at the wheel again by himself: run() does when it begins, this asks for it while
  // it runs.
  if (body_->is_running) {
    must_arm_ = true;
    body_->has_posts.store(true, std::memory_order_release);
  }
  return wheel_;
}

Result<void> SimLoop::post(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    if (is_stopped_) {
      ++posts_refused_;
      return Error{ErrorCode::wrong_state, "loop \"" + name_ + "\" was stopped"};
    }
    if (posted_.size() >= tasks_max) {
      ++posts_refused_;
      return Error{ErrorCode::limit,
                   "loop \"" + name_ + "\" had " + std::to_string(tasks_max) + " tasks waiting"};
    }
    posted_.push_back(std::move(task));
  }
  body_->has_posts.store(true, std::memory_order_release);
  return {};
}

void SimLoop::defer(std::function<void()> task) {
  deferred_.push_back(std::move(task));
  if (!in_turn_) body_->has_posts.store(true, std::memory_order_release);
}

bool SimLoop::is_loop_thread() const noexcept {
  return body_->thread.load(std::memory_order_relaxed) == std::this_thread::get_id();
}

io::LoopCounters SimLoop::counters() const noexcept {
  io::LoopCounters counters = counters_;
  counters.posts_refused = posts_refused_.load(std::memory_order_relaxed);
  return counters;
}

void SimLoop::start() {
  if (is_started_ || is_stopped_) return;
  is_started_ = true;
  for (const auto& [kind, slot] : held_)
    body_->schedule(body_->now_us, kind, slot);
  held_.clear();
  body_->has_posts.store(true, std::memory_order_release);
  arm();
}

void SimLoop::stop() {
  if (is_stopped_) return;
  // What was retired since the last turn goes now, while what it refers to is still there.
  if (!in_turn_) run_deferred();
  for (std::size_t i = at_stop_.size(); i-- > 0;)
    guarded(at_stop_[i]);
  at_stop_.clear();
  std::vector<std::function<void()>> posted;
  {
    const std::lock_guard lock(mutex_);
    is_stopped_ = true;
    posted.swap(posted_);
  }
  for (const auto& [kind, slot] : held_) {
    if (kind == EventKind::datagram) {
      body_->free_packets.push_back(slot);
    } else {
      body_->stream_events[slot].connection.reset();
      body_->free_stream_events.push_back(slot);
    }
  }
  held_.clear();
}

bool SimLoop::hold(EventKind kind, std::uint32_t slot) {
  if (is_stopped_ || held_.size() >= held_max) return false;
  held_.emplace_back(kind, slot);
  return true;
}

bool SimLoop::has_work() {
  if (!is_serving()) return false;
  if (!deferred_.empty() || must_arm_) return true;
  const std::lock_guard lock(mutex_);
  return !posted_.empty();
}

void SimLoop::arm() {
  if (!is_serving()) return;
  const std::int64_t next_us = wheel_.next_expiry_us();
  if (next_us >= armed_at_us_) return;
  armed_at_us_ = std::max(next_us, body_->now_us);
  body_->schedule(armed_at_us_, EventKind::timer, index_);
}

bool SimLoop::timer_is_due(std::int64_t at_us) {
  if (at_us != armed_at_us_) return false;
  armed_at_us_ = INT64_MAX;
  if (wheel_.next_expiry_us() <= at_us) return is_serving();
  arm();
  return false;
}

void SimLoop::begin_turn() {
  in_turn_ = true;
  ++counters_.turns;
  guarded([this] { wheel_.advance(body_->now_us); });
}

void SimLoop::end_turn() {
  if (!is_stopped_) run_posted();
  run_deferred();
  in_turn_ = false;
  must_arm_ = false;
  if (!deferred_.empty()) body_->has_posts.store(true, std::memory_order_release);
  arm();
}

void SimLoop::run_posted() {
  std::vector<std::function<void()>> tasks;
  {
    const std::lock_guard lock(mutex_);
    if (posted_.empty()) return;
    tasks.swap(posted_);
  }
  for (std::function<void()>& task : tasks) {
    if (is_stopped_) return;
    guarded(task);
    task = nullptr;
  }
}

void SimLoop::run_deferred() {
  std::vector<std::function<void()>> tasks;
  for (std::size_t done = 0; !deferred_.empty() && done < deferred_per_turn_max;) {
    tasks.swap(deferred_);
    for (std::function<void()>& task : tasks)
      guarded(task);
    done += tasks.size();
    tasks.clear();
  }
  if (deferred_.empty()) deferred_.swap(tasks);
}

IpAddress SimLoop::host_address(IpAddress::Family family) const noexcept {
  if (host_.family == family) return host_;
  if (family == IpAddress::Family::ipv4) return IpAddress::ipv4(127, 0, 0, 1);
  IpAddress loopback;
  loopback.family = IpAddress::Family::ipv6;
  loopback.bytes[15] = 1;
  return loopback;
}

SocketAddress SimLoop::owned_address(const SocketAddress& local) const noexcept {
  const bool is_host = local.ip.is_unspecified() && local.ip.family == host_.family;
  return {is_host ? host_ : local.ip, local.port};
}

Result<std::unique_ptr<io::DatagramSocket>> SimLoop::open_datagram(
    const SocketAddress& local, const io::DatagramOptions& options, io::DatagramHandler& handler) {
  auto socket = std::make_unique<SimDatagramSocket>(*this, options, handler);
  if (auto bound = socket->bind(local, options.reuse_port); !bound) return std::move(bound).error();
  return std::unique_ptr<io::DatagramSocket>(std::move(socket));
}

Result<std::unique_ptr<io::StreamListener>> SimLoop::listen(const SocketAddress& local,
                                                            bool reuse_port,
                                                            io::AcceptHandler& handler) {
  auto listener = std::make_unique<SimListener>(*this, handler);
  if (auto bound = listener->bind(local, reuse_port); !bound) return std::move(bound).error();
  return std::unique_ptr<io::StreamListener>(std::move(listener));
}

SimDatagramSocket::SimDatagramSocket(SimLoop& loop, const io::DatagramOptions& options,
                                     io::DatagramHandler& handler)
    : loop_(loop),
      handler_(handler),
      datagram_bytes_max_(std::clamp<std::size_t>(options.datagram_bytes_max, 1, 65'535)),
      id_(++loop.body().next_socket_id) {}

SimDatagramSocket::~SimDatagramSocket() {
  if (is_bound_) loop_.body().udp.release(owned_, this);
}

Result<void> SimDatagramSocket::bind(const SocketAddress& local, bool reuse_port) {
  auto bound = loop_.body().udp.bind("UDP", loop_.owned_address(local), reuse_port, this);
  if (!bound) return std::move(bound).error();
  owned_ = *bound;
  local_ = {local.ip, owned_.port};
  is_bound_ = true;
  source_ = local_;
  if (source_.ip.is_unspecified()) source_.ip = loop_.host_address(local_.ip.family);
  return {};
}

void SimDatagramSocket::send(const SocketAddress& to, std::string_view bytes) {
  if (bytes.size() > payload_bytes_max || to.ip.family != local_.ip.family) {
    ++send_drops_;
    ++loop_.counted().datagrams_refused;
    return;
  }
  ++loop_.counted().datagrams_sent;
  loop_.body().send(*this, to, bytes);
}

}  // namespace tandem::sim
