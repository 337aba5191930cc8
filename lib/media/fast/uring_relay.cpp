// The fast backend where nothing but io_uring is allowed: the sockets of the portable one, but
// their packets come and go by shared memory, and one system call takes and sends those of all
// calls.
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "media/fast/fast.hpp"
#include "media/fast/ring.hpp"
#include "media/open_files.hpp"
#include "media/socket_relay.hpp"

namespace tandem::media {
namespace {

constexpr std::uint32_t wake_event = 0x7FFFFFFF;  // beyond every slot
constexpr unsigned turn_packets_max = 512;
constexpr std::size_t datagram_bytes_max = 65536;  // no UDP payload is longer
constexpr std::size_t control_bytes = CMSG_SPACE(sizeof(std::uint32_t));

// Tags of requests: below, an event or the place among what is sent; above it, which socket of a
// line is meant, or in which turn it was sent; on top, of which kind it is.
constexpr std::uint64_t receiving = 0;
constexpr std::uint64_t sending = std::uint64_t{1} << 62;
constexpr std::uint64_t cancelling = std::uint64_t{2} << 62;
constexpr std::uint64_t kinds = std::uint64_t{3} << 62;
constexpr std::uint64_t generations = 0x3FFFFFFF;

constexpr std::uint64_t tag_of(std::uint32_t event, std::uint32_t generation) noexcept {
  return receiving | (generation & generations) << 32 | event;
}

class UringRelay final : public SocketRelay {
 public:
  UringRelay(const MediaConfig& config, std::string why_not_faster)
      : SocketRelay(config), why_not_faster_(std::move(why_not_faster)) {
    // What comes before each datagram in its buffer.
    shape_.msg_namelen = sizeof(SystemAddress);
    shape_.msg_controllen = control_bytes;
  }
  ~UringRelay() override { stop(); }

  Result<void> start();

 private:
  struct Sent {
    Onward onward;
    SystemAddress to;
    bool by_line = false;
    bool has_failed = false;
  };
  struct Shard {
    Ring ring;
    std::mutex mutex;                  // guards asked
    std::vector<std::uint32_t> asked;  // ports that are bound and not listened to yet
    std::uint64_t turn = 0;
    std::vector<Sent> sent;           // of this turn; never grows, so that addresses stay
    std::vector<std::uint16_t> used;  // buffers of this turn
  };

  [[nodiscard]] std::string how() const override {
    return "io_uring, " + std::to_string(shards_) + (shards_ == 1 ? " thread" : " threads") +
           (why_not_faster_.empty() ? "" : "; " + why_not_faster_);
  }
  int listen(unsigned shard, std::uint32_t event, int socket) noexcept override;
  void ignore(unsigned shard, std::uint32_t event, int socket) noexcept override;
  void run_shard(unsigned shard) noexcept override;
  void listen_to_asked(Shard& own) noexcept;
  void arm(Shard& own, std::uint32_t event) noexcept;
  bool take(unsigned shard, const io_uring_cqe& completion, std::int64_t now_us,
            ShardCounters& totals) noexcept;
  void relay_one(unsigned shard, std::uint32_t event, std::string_view buffer, std::int64_t now_us,
                 ShardCounters& totals) noexcept;
  void queue(unsigned shard, const Onward& onward) noexcept;
  void settle(unsigned shard, ShardCounters& totals) noexcept;

  const std::string why_not_faster_;
  msghdr shape_{};
  std::vector<std::unique_ptr<Shard>> shard_;
};

Ring::Sizes sizes_of(std::size_t slots) noexcept {
  Ring::Sizes sizes;
  sizes.buffer_bytes =
      sizeof(io_uring_recvmsg_out) + sizeof(SystemAddress) + control_bytes + datagram_bytes_max;
  // Files that were open before, all ports, as many lines as there may be.
  constexpr std::size_t others = 1024;
  sizes.files = static_cast<unsigned>(
      std::min<rlim_t>(files_max(), std::min<std::size_t>(slots + slots / 2 + others, 1U << 20)));
  return sizes;
}

Result<void> UringRelay::start() {
  if (Result<void> made = make_wakers(); !made) return made;
  for (unsigned shard = 0; shard < shards_; ++shard) {
    shard_.push_back(std::make_unique<Shard>());
    Shard& own = *shard_.back();
    const Ring::Sizes sizes = sizes_of(flows_.size());
    if (Result<void> created = own.ring.create(sizes); !created) return created;
    own.sent.reserve(turn_packets_max);
    own.used.reserve(sizes.buffers);
    own.asked.reserve(flows_.size());
  }
  if (Result<void> made = make_ports(); !made) return made;
  return start_threads();
}

// Only the thread of the shard may use its ring.
int UringRelay::listen(unsigned shard, std::uint32_t event, int socket) noexcept {
  Shard& own = *shard_[shard];
  if ((event & line_event) != 0) {
    (void)own.ring.add_file(socket);
    arm(own, event);
    return 0;
  }
  {
    const std::lock_guard lock(own.mutex);
    own.asked.push_back(event);  // there is room for all
    if (own.asked.size() > 1) return 0;
  }
  wake(shard);
  return 0;
}

void UringRelay::listen_to_asked(Shard& own) noexcept {
  const std::lock_guard lock(own.mutex);
  for (const std::uint32_t slot : own.asked) {
    (void)own.ring.add_file(port_socket(slot));
    arm(own, slot);
  }
  own.asked.clear();
}

void UringRelay::arm(Shard& own, std::uint32_t event) noexcept {
  const std::uint32_t slot = event & ~line_event;
  if (event == slot) {
    own.ring.receive(port_socket(slot), shape_, tag_of(event, 0));
  } else {
    own.ring.receive(line(slot).socket.get(), shape_, tag_of(event, line(slot).generation));
  }
}

// The port would stay bound as long as anything of the socket is under way.
void UringRelay::ignore(unsigned shard, std::uint32_t event, int socket) noexcept {
  Ring& ring = shard_[shard]->ring;
  if (!ring.is_open()) return;  // it was closed, and all with it
  ring.cancel(tag_of(event, line(event & ~line_event).generation), cancelling);
  ring.finish();
  ring.remove_file(socket);
}

void UringRelay::run_shard(unsigned index) noexcept {
  raise_priority();
  Shard& own = *shard_[index];
  Ring& ring = own.ring;
  if (!ring.enable()) return;
  ShardCounters& totals = counters_[index];
  ring.poll(waker(index), tag_of(wake_event, 0));
  Pace pace(config_.tick_us, clock_.monotonic_us());
  for (bool is_running = true; is_running;) {
    const int most_ms = wait_ms(index, has_lines(index));
    // A tick is the least time of a wait and not a pause: a turn in which little came begins when
    // something comes.
    if (pace.is_ticking()) {
      ring.wait(turn_packets_max / 2, 2 * config_.tick_us, std::int64_t{most_ms} * 1000);
    } else {
      ring.wait(1, 0, std::int64_t{most_ms} * 1000);
    }
    const std::int64_t now_us = clock_.monotonic_us();
    const unsigned count = std::min(ring.ready(), turn_packets_max);
    {
      const Turn turn(totals.turn);
      for (unsigned i = 0; i < count && is_running; ++i)
        is_running = take(index, ring.completion(i), now_us, totals);
      ring.forget_completions(count);
      settle(index, totals);
      look_after(index, now_us);
    }
    pace.took(static_cast<int>(own.used.size()), now_us);
    for (const std::uint16_t buffer : own.used)
      ring.give_back(buffer);
    own.used.clear();
  }
  ring.close();
}

// False: stop.
bool UringRelay::take(unsigned shard, const io_uring_cqe& completion, std::int64_t now_us,
                      ShardCounters& totals) noexcept {
  Shard& own = *shard_[shard];
  if ((completion.user_data & kinds) != receiving) return true;  // settle() has seen it
  const auto event = static_cast<std::uint32_t>(completion.user_data);
  const bool is_armed = (completion.flags & IORING_CQE_F_MORE) != 0;
  if (event == wake_event) {
    if (!woken(shard)) return false;
    listen_to_asked(own);
    if (!is_armed) own.ring.poll(waker(shard), tag_of(wake_event, 0));
    return true;
  }
  const std::uint32_t slot = event & ~line_event;
  const bool is_line = event != slot;
  // What the former socket of a line had received counts still; what became of it does not.
  const bool is_present =
      !is_line ||
      (line(slot).socket.is_open() && completion.user_data == tag_of(event, line(slot).generation));
  if ((completion.flags & IORING_CQE_F_BUFFER) != 0) {
    const auto buffer = static_cast<std::uint16_t>(completion.flags >> IORING_CQE_BUFFER_SHIFT);
    own.used.push_back(buffer);
    if (completion.res > 0)
      relay_one(shard, event, {own.ring.buffer(buffer), static_cast<std::size_t>(completion.res)},
                now_us, totals);
  }
  if (is_armed || !is_present) return true;
  // All buffers were taken, or the system had other reasons to end it. A line is told that nobody
  // listens at its other end.
  if (is_line && completion.res < 0 && completion.res != -ENOBUFS && completion.res != -EINTR &&
      completion.res != -EAGAIN) {
    lose_line(shard, slot, line(slot).to);
  } else if (!is_line || line(slot).socket.is_open()) {
    arm(own, event);
  }
  return true;
}

// `buffer`: io_uring_recvmsg_out, the room for the name, the room for control data, the datagram.
void UringRelay::relay_one(unsigned shard, std::uint32_t event, std::string_view buffer,
                           std::int64_t now_us, ShardCounters& totals) noexcept {
  constexpr std::size_t name_at = sizeof(io_uring_recvmsg_out);
  constexpr std::size_t control_at = name_at + sizeof(SystemAddress);
  constexpr std::size_t datagram_at = control_at + control_bytes;
  if (buffer.size() < datagram_at) return;
  io_uring_recvmsg_out head{};
  std::memcpy(&head, buffer.data(), sizeof head);
  SystemAddress from;
  std::memcpy(&from, buffer.data() + name_at, sizeof from);
  if (head.controllen >= CMSG_LEN(sizeof(std::uint32_t))) {
    cmsghdr part{};
    std::memcpy(&part, buffer.data() + control_at, sizeof part);
    if (part.cmsg_level == SOL_SOCKET && part.cmsg_type == SO_RXQ_OVFL) {
      std::uint32_t dropped = 0;
      std::memcpy(&dropped, buffer.data() + control_at + CMSG_LEN(0), sizeof dropped);
      count_overflows(event, dropped, totals);
    }
  }
  Onward onward;
  // A line got what others sent between its being bound and connected; the source tells.
  if (flows_.judge(event & ~line_event, from_system(from), buffer.substr(datagram_at), now_us,
                   totals, onward))
    queue(shard, onward);
}

void UringRelay::queue(unsigned shard, const Onward& onward) noexcept {
  Shard& own = *shard_[shard];
  const char* const begin = own.ring.buffer(0);
  const bool is_as_it_came = onward.bytes.data() >= begin && onward.bytes.data() < own.ring.end();
  // What was made of it lasts until the next one is judged.
  if (!is_as_it_came || own.sent.size() == turn_packets_max) {
    flows_.sent(onward, send_datagram(shard, onward), counters_[shard]);
    return;
  }
  Sent& sent = own.sent.emplace_back();
  sent.onward = onward;
  const std::uint64_t tag = sending | (own.turn & generations) << 32 | (own.sent.size() - 1);
  if (const Line* const by_line = line_for(shard, onward)) {
    sent.by_line = true;
    own.ring.send(by_line->socket.get(), onward.bytes.data(), onward.bytes.size(), nullptr, 0, tag);
    return;
  }
  const socklen_t length = to_system(onward.to, sent.to);
  own.ring.send(port_socket(onward.slot), onward.bytes.data(), onward.bytes.size(), &sent.to.any,
                length, tag);
}

// Sends what was queued and takes note of the outcome. The system sends while it is asked to, so
// behind that it holds nothing of the buffers, and what failed has its completion.
void UringRelay::settle(unsigned shard, ShardCounters& totals) noexcept {
  Shard& own = *shard_[shard];
  own.ring.submit();
  if (own.sent.empty()) return;
  const unsigned count = own.ring.ready();
  for (unsigned i = 0; i < count; ++i) {
    const io_uring_cqe& completion = own.ring.completion(i);
    if (completion.user_data >> 32 != (sending >> 32 | (own.turn & generations))) continue;
    Sent& failed = own.sent[static_cast<std::uint32_t>(completion.user_data)];
    failed.has_failed = true;
    if (completion.res == -EAGAIN) failed.by_line = false;  // the line is all right
  }
  for (Sent& sent : own.sent) {
    bool is_sent = !sent.has_failed;
    if (sent.has_failed && sent.by_line) {
      // It says what became of an earlier packet; this one is still to be sent.
      lose_line(shard, sent.onward.slot, sent.onward.to);
      is_sent = send_by_port(sent.onward);
    }
    flows_.sent(sent.onward, is_sent, totals);
  }
  own.sent.clear();
  ++own.turn;
}

}  // namespace

std::optional<std::string> why_not_uring() {
  Ring ring;
  Ring::Sizes sizes;
  sizes.submissions = sizes.completions = sizes.buffers = 8;
  sizes.files = 0;
  const Result<void> created = ring.create(sizes);
  if (created) return std::nullopt;
  return created.error().message;
}

Result<std::shared_ptr<RelayCore>> start_uring(const MediaConfig& config,
                                               std::string why_not_faster) {
  auto core = std::make_shared<UringRelay>(config, std::move(why_not_faster));
  if (Result<void> started = core->start(); !started) return std::move(started).error();
  return std::shared_ptr<RelayCore>(std::move(core));
}

}  // namespace tandem::media
