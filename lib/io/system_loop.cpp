#include "io/system_loop.hpp"

#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <system_error>

#include "base/thread.hpp"
#include "io/re.hpp"
#include "io/tcp_stream.hpp"
#include "io/udp_socket.hpp"

namespace tandem::io {
namespace {

constexpr std::size_t unreachable_max = 256;
constexpr std::size_t posted_per_turn_max = 1024;
constexpr std::size_t deferred_per_turn_max = 65'536;
constexpr int descriptor_table_max = 65'536;  // about 2.4 MB a loop

// libre's table is indexed by descriptor number, which is the process's: a host with many open
// files would push our one descriptor over the default of 1024.
int descriptor_table_size() noexcept {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
      limit.rlim_cur > static_cast<rlim_t>(descriptor_table_max)) {
    return descriptor_table_max;
  }
  return std::max(static_cast<int>(limit.rlim_cur), 64);
}

}  // namespace

// Not inline: the compiler would see an object keep the address of a local variable, and not that
// the destructor takes it back.
Watch::Guard::Guard(Watch& watch) noexcept : watch_(watch), outer_(watch.gone_) {
  watch.gone_ = &gone_;
}

Watch::Guard::~Guard() {
  if (!gone_) {
    watch_.gone_ = outer_;
  } else if (outer_ != nullptr) {
    *outer_ = true;
  }
}

void ReceiveBatch::prepare(std::size_t bytes_max) {
  if (bytes_max == bytes_max_) return;
  if (bytes_max > room_bytes_) {
    // An odd number of cache lines, so that the starts of the datagrams do not fall into one cache
    // set. Pages that no datagram reaches are never touched.
    const std::size_t stride = (((bytes_max + 63) / 64 + 16) | 1) * 64;
    buffer_ = std::make_unique_for_overwrite<char[]>(stride * datagrams_max);
    room_bytes_ = stride;
    for (unsigned i = 0; i < datagrams_max; ++i) {
      vector_[i].iov_base = buffer_.get() + i * stride;
      msghdr& header = header_[i].msg_hdr;
      header.msg_iov = &vector_[i];
      header.msg_iovlen = 1;
      header.msg_name = &address_[i];
      header.msg_namelen = sizeof(SystemAddress);
    }
  }
  for (iovec& vector : vector_)
    vector.iov_len = bytes_max;
  bytes_max_ = bytes_max;
}

int ReceiveBatch::receive(int fd) noexcept {
  const int count = ::recvmmsg(fd, header_.data(), datagrams_max, MSG_DONTWAIT, nullptr);
  for (int i = 0; i < count; ++i)
    header_[i].msg_hdr.msg_namelen = sizeof(SystemAddress);
  return count;
}

std::string_view ReceiveBatch::bytes(int index) const noexcept {
  return {static_cast<const char*>(vector_[index].iov_base), header_[index].msg_len};
}

SocketAddress ReceiveBatch::from(int index) const noexcept { return from_system(address_[index]); }

void SendBatch::add(UdpSocket& socket, const SocketAddress& to, std::string_view bytes) {
  if (!buffer_) buffer_ = std::make_unique_for_overwrite<char[]>(bytes_max);
  char* const copy = buffer_.get() + bytes_;
  bytes.copy(copy, bytes.size());
  vector_[count_] = {copy, bytes.size()};
  msghdr& header = header_[count_].msg_hdr;
  header = {};
  header.msg_name = &address_[count_];
  header.msg_namelen = to_system(to, address_[count_]);
  header.msg_iov = &vector_[count_];
  header.msg_iovlen = 1;
  socket_[count_] = &socket;
  bytes_ += bytes.size();
  ++count_;
}

void SendBatch::send_all() noexcept {
  for (std::size_t first = 0; first < count_; ++first) {
    UdpSocket* const socket = socket_[first];
    if (socket == nullptr) continue;
    unsigned grouped = 0;
    for (std::size_t i = first; i < count_; ++i) {
      if (socket_[i] != socket) continue;
      grouped_[grouped++] = header_[i];
      socket_[i] = nullptr;
    }
    socket->send_batch(grouped_.data(), grouped);
  }
  count_ = 0;
  bytes_ = 0;
}

SystemLoop::SystemLoop(std::string name)
    : name_(std::move(name)),
      wheel_(clock_.monotonic_us()),
      stream_buffer_(std::make_unique_for_overwrite<char[]>(stream_buffer_bytes)),
      owner_(std::this_thread::get_id()) {}

Result<std::unique_ptr<SystemLoop>> SystemLoop::create(std::string name) {
  std::unique_ptr<SystemLoop> loop(new SystemLoop(std::move(name)));
  if (auto opened = loop->open(); !opened) return std::move(opened).error();
  return loop;
}

Result<void> SystemLoop::open() {
  const auto failed = [this](const char* what, int error_number) {
    return Error{ErrorCode::io, std::string("could not make the ") + what + " of loop \"" + name_ +
                                    "\": " + system_message(error_number)};
  };
  epoll_ = Fd(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_) return failed("epoll set", errno);
  wake_event_ = Fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_event_) return failed("wake event", errno);
  timer_event_ = Fd(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!timer_event_) return failed("timer event", errno);
  for (const Fd* fd : {&wake_event_, &timer_event_}) {
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    event.data.ptr = nullptr;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd->get(), &event) != 0) {
      return failed("epoll entry", errno);
    }
  }

  int thread_error = 0;
  try {
    thread_ = start_thread(name_.c_str(), [this] { run_thread(); });
  } catch (const std::system_error& error) {
    thread_error = error.code().value();
  }
  if (thread_error != 0) return failed("thread", thread_error);

  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return phase_ != Phase::starting; });
  if (phase_ == Phase::failed) return failed("libre loop", start_error_);
  return {};
}

SystemLoop::~SystemLoop() {
  stop();
  if (thread_.joinable()) thread_.join();
}

void SystemLoop::run_thread() noexcept {
  // Without a loop of its own this thread would act on the process-wide one, which is the host's.
  int error = re_thread_init();
  const bool has_libre = error == 0;
  if (error == 0) error = fd_setsize(descriptor_table_size());
  if (error == 0) {
    error = fd_listen(
        epoll_.get(), FD_READ, [](int, void* loop) { static_cast<SystemLoop*>(loop)->turn(); },
        this);
  }
  bool is_running = false;
  {
    std::unique_lock lock(mutex_);
    start_error_ = error;
    phase_ = error == 0 ? Phase::parked : Phase::failed;
    changed_.notify_all();
    if (error == 0) {
      changed_.wait(lock, [this] { return start_requested_ || stop_requested_; });
      is_running = start_requested_;
      if (is_running) phase_ = Phase::running;
    }
  }
  if (is_running) {
    wake();                  // for what was posted and started before
    (void)re_main(nullptr);  // with a handler it would take over the process's signals; ends by
                             // re_cancel() only
    end_waiting();
  }
  if (has_libre) {
    fd_close(epoll_.get());
    re_thread_close();
  }
  const std::lock_guard lock(mutex_);
  if (phase_ != Phase::failed) phase_ = Phase::ended;
}

void SystemLoop::end_waiting() noexcept {
  in_turn_ = true;
  for (std::size_t i = at_stop_.size(); i-- > 0;)
    guarded(at_stop_[i]);
  at_stop_.clear();
  run_deferred();
  flush();
  in_turn_ = false;
}

void SystemLoop::start() {
  {
    const std::lock_guard lock(mutex_);
    if (phase_ != Phase::parked || start_requested_ || stop_requested_) return;
    start_requested_ = true;
    owner_.store(thread_.get_id());
  }
  changed_.notify_all();
}

void SystemLoop::stop() {
  {
    const std::lock_guard lock(mutex_);
    stop_requested_ = true;
    is_sleeping_ = false;
  }
  changed_.notify_all();
  wake();
  if (!thread_.joinable() || thread_.get_id() == std::this_thread::get_id()) return;
  thread_.join();
  owner_.store(std::this_thread::get_id());

  // Destroyed without the mutex: what a task holds may post from its destructor, and is refused.
  std::vector<std::function<void()>> posted;
  {
    const std::lock_guard lock(mutex_);
    posted.swap(posted_);
    waiting_ = 0;
  }
  running_.clear();
  running_next_ = 0;
}

TimerWheel& SystemLoop::timers() noexcept {
  if (!in_turn_) {
    // Between turns the wheel stands where the last one left it, and a delay would count from
    // there.
    const std::int64_t now_us = clock_.monotonic_us();
    if (wheel_.next_expiry_us() > now_us) wheel_.advance(now_us);
    request_turn();  // which sets the alarm
  }
  return wheel_;
}

bool SystemLoop::is_loop_thread() const noexcept {
  return owner_.load(std::memory_order_relaxed) == std::this_thread::get_id();
}

Result<void> SystemLoop::post(std::function<void()> task) {
  bool must_wake = false;
  {
    const std::lock_guard lock(mutex_);
    if (stop_requested_) {
      posts_refused_.fetch_add(1, std::memory_order_relaxed);
      return Error{ErrorCode::wrong_state, "loop \"" + name_ + "\" was stopped"};
    }
    if (waiting_ >= tasks_max) {
      posts_refused_.fetch_add(1, std::memory_order_relaxed);
      return Error{ErrorCode::limit,
                   "loop \"" + name_ + "\" had " + std::to_string(tasks_max) + " tasks waiting"};
    }
    posted_.push_back(std::move(task));
    ++waiting_;
    must_wake = std::exchange(is_sleeping_, false);
  }
  if (must_wake) wake();
  return {};
}

void SystemLoop::defer(std::function<void()> task) {
  deferred_.push_back(std::move(task));
  if (!in_turn_) request_turn();
}

void SystemLoop::enter_turn() {
  if (in_turn_) return;
  // Before start() and after stop() nothing is due to fire: there is no turn to follow.
  if (thread_.get_id() == std::this_thread::get_id()) {
    in_turn_ = true;
    advance_timers();
    in_turn_ = false;
  }
  request_turn();
}

void SystemLoop::request_turn() noexcept {
  if (!std::exchange(turn_requested_, true)) wake();
}

LoopCounters SystemLoop::counters() const noexcept {
  LoopCounters counters = counters_;
  counters.posts_refused = posts_refused_.load(std::memory_order_relaxed);
  return counters;
}

void SystemLoop::wake() noexcept {
  const std::uint64_t one = 1;
  // Fails only when 2^64 - 2 wakes are unread, and an unread wake wakes as well.
  (void)!::write(wake_event_.get(), &one, sizeof one);
}

void SystemLoop::advance_timers() noexcept {
  guarded([this] { wheel_.advance(clock_.monotonic_us()); });
}

void SystemLoop::turn() noexcept {
  in_turn_ = true;
  turn_requested_ = false;
  ++counters_.turns;
  // First, so that what handlers start counts from now and not from before the sleep.
  advance_timers();
  report_unreachable();
  wait_events();
  run_posted();
  advance_timers();
  run_deferred();
  flush();
  arm_timer();
  in_turn_ = false;

  bool has_more = !deferred_.empty() || !unreachable_.empty();
  bool must_stop = false;
  {
    const std::lock_guard lock(mutex_);
    must_stop = stop_requested_;
    has_more = has_more || waiting_ > 0;
    is_sleeping_ = !has_more && !must_stop;
  }
  if (must_stop) {
    re_cancel();
  } else if (has_more) {
    wake();  // by the descriptor, so that libre's own sockets have their turn between
  }
}

void SystemLoop::wait_events() noexcept {
  event_count_ = std::max(::epoll_wait(epoll_.get(), event_.data(), events_max, 0), 0);
  for (event_next_ = 0; event_next_ < event_count_;) {
    const epoll_event event = event_[event_next_++];
    if (event.data.ptr == nullptr) continue;  // wake or timer, or unwatched in this batch
    guarded([&] { static_cast<Watch*>(event.data.ptr)->on_ready(event.events); });
  }
  event_count_ = 0;
}

void SystemLoop::run_posted() noexcept {
  std::size_t done = 0;
  if (running_next_ == running_.size()) {
    running_.clear();
    running_next_ = 0;
    const std::lock_guard lock(mutex_);
    is_sleeping_ = false;  // the end of this turn looks again
    running_.swap(posted_);
  }
  while (running_next_ < running_.size() && done < posted_per_turn_max) {
    guarded(running_[running_next_]);
    running_[running_next_] = nullptr;  // frees what it holds in its own turn
    ++running_next_;
    ++done;
  }
  if (done > 0) {
    const std::lock_guard lock(mutex_);
    waiting_ -= std::min(done, waiting_);
  }
}

void SystemLoop::run_deferred() noexcept {
  // A task may defer further ones, which may move the vector: it is taken out first.
  std::vector<std::function<void()>> tasks;
  for (std::size_t done = 0; !deferred_.empty() && done < deferred_per_turn_max;) {
    tasks.swap(deferred_);
    for (std::function<void()>& task : tasks)
      guarded(task);
    done += tasks.size();
    tasks.clear();
  }
  if (deferred_.empty()) deferred_.swap(tasks);  // keeps the room for the next turn
}

void SystemLoop::report_unreachable() noexcept {
  for (std::size_t i = 0; i < unreachable_.size(); ++i) {
    const Unreachable entry = unreachable_[i];
    if (entry.socket != nullptr) entry.socket->report_unreachable(entry.to);
  }
  unreachable_.clear();
}

void SystemLoop::arm_timer() noexcept {
  const std::int64_t now_us = wheel_.now_us();
  if (armed_at_us_ <= now_us) armed_at_us_ = INT64_MAX;  // it has fired
  const std::int64_t next_us = wheel_.next_expiry_us();
  // A later expiry leaves the timer as it is: one needless turn costs less than a system call for
  // every cancel.
  if (next_us >= armed_at_us_) return;
  const std::int64_t at_us = std::max(next_us, now_us + 1);
  itimerspec spec{};
  spec.it_value.tv_sec = at_us / 1'000'000;
  spec.it_value.tv_nsec = at_us % 1'000'000 * 1'000;
  if (::timerfd_settime(timer_event_.get(), TFD_TIMER_ABSTIME, &spec, nullptr) == 0) {
    armed_at_us_ = at_us;
  }
}

Result<void> SystemLoop::watch(int fd, Watch& watch, std::uint32_t epoll_events) {
  epoll_event event{};
  event.events = epoll_events;
  event.data.ptr = &watch;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    return Error{ErrorCode::io,
                 "loop \"" + name_ + "\" could not watch a socket: " + system_message(errno)};
  }
  return {};
}

void SystemLoop::change_watch(int fd, Watch& watch, std::uint32_t epoll_events) noexcept {
  epoll_event event{};
  event.events = epoll_events;
  event.data.ptr = &watch;
  (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

void SystemLoop::unwatch(int fd, Watch& watch) noexcept {
  (void)::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  for (int i = event_next_; i < event_count_; ++i) {
    if (event_[i].data.ptr == &watch) event_[i].data.ptr = nullptr;
  }
}

void SystemLoop::queue_datagram(UdpSocket& socket, const SocketAddress& to,
                                std::string_view bytes) {
  if (!send_batch_.has_room(bytes.size())) flush();
  send_batch_.add(socket, to, bytes);
  if (!in_turn_) request_turn();
}

void SystemLoop::note_unreachable(UdpSocket& socket, const SocketAddress& to) {
  if (unreachable_.size() < unreachable_max) unreachable_.push_back({&socket, to});
}

void SystemLoop::forget(UdpSocket& socket) noexcept {
  for (Unreachable& entry : unreachable_) {
    if (entry.socket == &socket) entry.socket = nullptr;
  }
}

Result<std::unique_ptr<DatagramSocket>> SystemLoop::open_datagram(const SocketAddress& local,
                                                                  const DatagramOptions& options,
                                                                  DatagramHandler& handler) {
  return UdpSocket::open(*this, local, options, handler);
}

Result<std::unique_ptr<StreamListener>> SystemLoop::listen(const SocketAddress& local,
                                                           bool reuse_port,
                                                           AcceptHandler& handler) {
  return TcpListener::open(*this, local, reuse_port, handler);
}

Result<std::unique_ptr<StreamConnection>> SystemLoop::connect(const SocketAddress& remote,
                                                              StreamHandler& handler) {
  return TcpStream::connect(*this, remote, handler);
}

}  // namespace tandem::io
