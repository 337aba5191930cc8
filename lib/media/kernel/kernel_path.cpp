#include "media/kernel/kernel_path.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <thread>

#include "media/backend.hpp"

namespace tandem::media {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;
constexpr bpf::Hook hooks[] = {bpf::Hook::xdp_native, bpf::Hook::xdp_generic, bpf::Hook::tc};
constexpr std::uint32_t clock_rate_max_hz = 192'000;  // of which the program reckons with
// A record is written again only when nobody in the kernel can still read it.
constexpr std::int64_t record_rest_us = 10'000;
constexpr std::int32_t sequence_apart = 1000;

std::uint32_t pairs_of(const MediaConfig& config) noexcept {
  return static_cast<std::uint32_t>(config.port_last - ((config.port_first + 1) & ~1) + 1) / 2;
}

// What the program writes while it is read.
template <class T>
T seen(T& field, std::memory_order order = relaxed) noexcept {
  return std::atomic_ref<T>(field).load(order);
}

PackedAddress address_of(const std::uint32_t (&ip)[4], std::uint16_t port,
                         std::uint8_t family) noexcept {
  PackedAddress address;
  address.family = family == 4 ? IpAddress::Family::ipv4 : IpAddress::Family::ipv6;
  std::copy_n(ip, family == 4 ? 1 : 4, address.ip.begin());
  address.port = ntohs(port);
  return address;
}

bool is_same_stream(const tandem_stream& a, const tandem_stream& b) noexcept {
  constexpr std::size_t told = offsetof(tandem_stream, base_sequence);
  return std::memcmp(&a, &b, told) == 0 && a.base_sequence == b.base_sequence &&
         a.clock_rate_hz == b.clock_rate_hz && a.peer == b.peer && a.types[0] == b.types[0] &&
         a.types[1] == b.types[1];
}

std::string message_of(int code) {
  return std::error_code(code, std::generic_category()).message();
}

bool is_asked_for(MediaAttach attach, bpf::Hook hook) noexcept {
  switch (attach) {
    case MediaAttach::automatic:
      return true;
    case MediaAttach::xdp_native:
      return hook == bpf::Hook::xdp_native;
    case MediaAttach::xdp_generic:
      return hook == bpf::Hook::xdp_generic;
    case MediaAttach::tc:
      return hook == bpf::Hook::tc;
  }
  return false;
}

// The nearest folder above that is there.
std::string existing(std::string path) {
  while (path.size() > 1 && ::access(path.c_str(), F_OK) != 0) {
    const std::size_t slash = path.rfind('/');
    path.resize(slash == std::string::npos || slash == 0 ? 1 : slash);
  }
  return path;
}

// Of the interface `name`; all of them end like this.
std::string link_name_of(const std::string& name, bpf::Hook hook) {
  std::string made = name + "-" + bpf::hook_name(hook);
  std::replace(made.begin(), made.end(), ' ', '-');
  return made;
}

bool is_own_name(const std::string& name) {
  return name == "settings" || name == "states" || name == "streams" ||
         std::any_of(std::begin(hooks), std::end(hooks), [&](bpf::Hook hook) {
           const std::string end = link_name_of("", hook);
           return name.size() > end.size() && name.ends_with(end);
         });
}

// A table, or a link, which is off with that.
void remove_pinned(const std::string& path) noexcept {
  if (const auto one = bpf::open_pinned(path)) bpf::detach(one->get());
  ::unlink(path.c_str());
}

bool is_bpf_folder(const std::string& path) noexcept {
  constexpr long bpf_fs_magic = 0xcafe4a11L;
  struct statfs about {};
  return ::statfs(path.c_str(), &about) == 0 && about.f_type == bpf_fs_magic;
}

}  // namespace

MappedArray::~MappedArray() {
  if (at_ != nullptr) ::munmap(at_, bytes_);
}

Result<void> MappedArray::map(int fd, std::size_t bytes) {
  void* const at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (at == MAP_FAILED)
    return Error{ErrorCode::unsupported,
                 "the memory of a kernel table was refused: " + message_of(errno)};
  at_ = at;
  bytes_ = bytes;
  return {};
}

KernelPath::KernelPath(const MediaConfig& config)
    : config_(config),
      pairs_(pairs_of(config)),
      folder_(config.kernel.folder),
      state_of_(std::make_unique<Pair[]>(2 * pairs_of(config))) {}

KernelPath::~KernelPath() { stop(); }

Result<std::unique_ptr<KernelPath>> KernelPath::open(const MediaConfig& config) {
  std::unique_ptr<KernelPath> path(new KernelPath(config));
  if (auto done = path->open_interfaces(); !done) return std::move(done).error();
  if (auto done = path->open_folder(); !done) return std::move(done).error();
  path->is_open_ = true;  // from here on it leaves nothing behind when it fails
  path->are_taken_over_ = path->take_over_maps();
  if (!path->are_taken_over_) {
    path->clear_folder();
    if (auto done = path->make_maps(); !done) return std::move(done).error();
  }
  if (auto done = path->states_.map(path->maps_.states.get(), std::size_t{16} * path->pairs_);
      !done)
    return std::move(done).error();
  if (auto done = path->streams_.map(path->maps_.streams.get(),
                                     std::size_t{4} * path->pairs_ * sizeof(tandem_stream));
      !done)
    return std::move(done).error();
  tandem_relay_settings set{};
  path->write_settings(set);
  if (!bpf::write_value(path->maps_.settings.get(), 0, &set))
    return Error{ErrorCode::unsupported, "the kernel table settings was not written"};
  if (auto done = path->attach_all(); !done) return std::move(done).error();
  return path;
}

Result<void> KernelPath::open_interfaces() {
  const UniqueFd asker(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  for (const std::string& name : config_.kernel.interfaces) {
    Interface one;
    one.name = name;
    one.index = ::if_nametoindex(name.c_str());
    if (one.index == 0)
      return Error{ErrorCode::unsupported, "network interface " + name + " is not there"};
    ifreq ask{};
    std::strncpy(ask.ifr_name, name.c_str(), sizeof ask.ifr_name - 1);
    one.mtu = ::ioctl(asker.get(), SIOCGIFMTU, &ask) == 0
                  ? static_cast<std::uint32_t>(std::max(ask.ifr_mtu, 576))
                  : 1280U;
    interfaces_.push_back(std::move(one));
  }
  return {};
}

Result<void> KernelPath::open_folder() {
  for (std::size_t slash = folder_.find('/', 1);; slash = folder_.find('/', slash + 1)) {
    const std::string part = folder_.substr(0, slash);
    if (::mkdir(part.c_str(), 0700) != 0 && errno != EEXIST && errno != EROFS)
      return Error{ErrorCode::unsupported, part + " was not made: " + message_of(errno)};
    if (slash == std::string::npos) break;
  }
  if (!is_bpf_folder(folder_))
    return Error{ErrorCode::unsupported, folder_ + " is on no bpf file system"};
  folder_lock_ = UniqueFd(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder_lock_.is_open() || ::flock(folder_lock_.get(), LOCK_EX | LOCK_NB) != 0)
    return Error{ErrorCode::unsupported, folder_ + " is used by another relay"};
  return {};
}

// What is there is of use only to a relay of the same addresses and ports.
bool KernelPath::take_over_maps() {
  auto settings = bpf::open_pinned(path("settings"));
  auto states = bpf::open_pinned(path("states"));
  auto streams = bpf::open_pinned(path("streams"));
  if (!settings || !states || !streams) return false;
  const auto has_shape = [](const UniqueFd& map, std::uint32_t bytes, std::uint32_t entries) {
    const auto shape = bpf::shape_of(map.get());
    return shape && *shape == bpf::ArrayShape{bytes, entries};
  };
  tandem_relay_settings was{}, now{};
  write_settings(now);
  if (!has_shape(*settings, sizeof was, 1) || !has_shape(*states, 8, 2 * pairs_) ||
      !has_shape(*streams, sizeof(tandem_stream), 4 * pairs_) ||
      !bpf::read_value(settings->get(), 0, &was))
    return false;
  if (was.layout != now.layout || was.port_first != now.port_first || was.pairs != now.pairs ||
      was.has_families != now.has_families || was.own4 != now.own4 ||
      std::memcmp(was.own6, now.own6, sizeof now.own6) != 0)
    return false;
  maps_ = {std::move(*settings), std::move(*states), std::move(*streams)};
  return true;
}

Result<void> KernelPath::make_maps() {
  struct Made {
    const char* name;
    std::uint32_t bytes, entries;
    UniqueFd& fd;
  };
  for (const Made& one : {Made{"settings", sizeof(tandem_relay_settings), 1, maps_.settings},
                          Made{"states", 8, 2 * pairs_, maps_.states},
                          Made{"streams", sizeof(tandem_stream), 4 * pairs_, maps_.streams}}) {
    auto fd = bpf::create_array(one.name, one.bytes, one.entries);
    if (!fd) return std::move(fd).error();
    one.fd = std::move(*fd);
    if (auto pinned = bpf::pin(one.fd.get(), path(one.name)); !pinned) return pinned;
  }
  return {};
}

void KernelPath::write_settings(tandem_relay_settings& set) const noexcept {
  set.layout = TANDEM_RELAY_LAYOUT;
  set.port_first = static_cast<std::uint32_t>((config_.port_first + 1) & ~1);
  set.pairs = pairs_;
  if (config_.address.is_ipv4()) {
    set.has_families |= 1;
    std::memcpy(&set.own4, config_.address.bytes.data(), 4);
  }
  if (config_.address6.is_ipv6()) {
    set.has_families |= 2;
    std::memcpy(set.own6, config_.address6.bytes.data(), 16);
  }
  set.packet_bytes_max = 65535;
  for (std::size_t i = 0; i < interfaces_.size(); ++i) {
    set.interfaces[i] = interfaces_[i].index;
    set.packet_bytes_max = std::min(set.packet_bytes_max, interfaces_[i].mtu);
  }
  if (config_.kernel.packets_per_s_max != 0) {
    set.step_ns = 1'000'000'000ULL / config_.kernel.packets_per_s_max;
    set.ahead_ns = 200'000'000;  // what a network that stalled may deliver at once
  }
}

std::string KernelPath::link_name(const Interface& of, bpf::Hook hook) const {
  return path(link_name_of(of.name, hook));
}

// Only with all interfaces of one kind: packets of a call may come in by any.
Result<void> KernelPath::attach_all() {
  std::string why_not;
  for (const bpf::Hook hook : hooks) {
    if (!is_asked_for(config_.kernel.attach, hook)) continue;
    hook_ = hook;
    const auto attached = attach_all(hook);
    if (attached) {
      // What a former process had elsewhere would be a second one.
      std::vector<std::string> kept = {path("settings"), path("states"), path("streams")};
      for (const Interface& interface : interfaces_)
        kept.push_back(link_name(interface, hook));
      clear_folder(kept);
      return {};
    }
    // One interface of several would keep the next kind from all of them.
    links_.clear();
    for (const Interface& interface : interfaces_)
      remove_pinned(link_name(interface, hook));
    why_not += (why_not.empty() ? "" : "; ") + attached.error().message;
  }
  return Error{ErrorCode::unsupported, why_not};
}

Result<void> KernelPath::attach_all(bpf::Hook hook) {
  auto program = bpf::load(hook == bpf::Hook::tc ? "relay_tc" : "relay_xdp", hook, maps_);
  if (!program) return std::move(program).error();
  for (const Interface& interface : interfaces_) {
    const std::string name = link_name(interface, hook);
    auto link = bpf::open_pinned(name);
    // The program of a former process ran until now.
    if (link && bpf::interface_of(link->get()) == interface.index &&
        bpf::replace_program(link->get(), program->get())) {
      links_.push_back(std::move(*link));
      continue;
    }
    remove_pinned(name);
    auto attached = bpf::attach(program->get(), interface.index, hook);
    if (!attached)
      return Error{ErrorCode::unsupported,
                   interface.name + ": " + std::move(attached).error().message};
    if (auto pinned = bpf::pin(attached->get(), name); !pinned) return pinned;
    links_.push_back(std::move(*attached));
  }
  return {};
}

// What is not the relay's stays: somebody may have named a folder that others use too.
void KernelPath::clear_folder(const std::vector<std::string>& but) noexcept {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(folder_, ignored)) {
    const std::string one = entry.path().string();
    if (is_own_name(entry.path().filename().string()) &&
        std::find(but.begin(), but.end(), one) == but.end())
      remove_pinned(one);
  }
}

std::uint64_t KernelPath::state(std::uint32_t pair) const noexcept {
  return std::atomic_ref(static_cast<std::uint64_t*>(states_.at())[pair])
      .load(std::memory_order_acquire);
}

void KernelPath::set_state(std::uint32_t pair, std::uint64_t state) noexcept {
  std::atomic_ref(static_cast<std::uint64_t*>(states_.at())[pair])
      .store(state, std::memory_order_release);
}

bool KernelPath::is_on(std::uint32_t pair) const noexcept {
  return (state(pair) & TANDEM_STREAM_ON) != 0;
}

tandem_stream& KernelPath::record(std::uint32_t pair, unsigned bank) const noexcept {
  return static_cast<tandem_stream*>(streams_.at())[2 * pair + bank];
}

tandem_stream& KernelPath::in_force(std::uint32_t pair) const noexcept {
  return record(pair, (state(pair) & TANDEM_STREAM_BANK) != 0 ? 1 : 0);
}

std::uint16_t KernelPath::port_of(std::uint32_t pair) const noexcept {
  return static_cast<std::uint16_t>(((config_.port_first + 1) & ~1) + 2 * (pair % pairs_));
}

bool KernelPath::is_own(const PackedAddress& address) const noexcept {
  const IpAddress ip = unpack(address).ip;
  return ip == config_.address || ip == config_.address6;
}

void KernelPath::lock(std::uint32_t slot) noexcept {
  std::atomic<bool>& is_locked = state_of_[slot / 2].is_locked;
  while (is_locked.exchange(true, std::memory_order_acquire))
    std::this_thread::yield();  // it is held for the length of a packet
}

void KernelPath::unlock(std::uint32_t slot) noexcept {
  state_of_[slot / 2].is_locked.store(false, std::memory_order_release);
}

void KernelPath::turn_off(std::uint32_t pair) noexcept {
  const std::uint64_t before = state(pair);
  if ((before & TANDEM_STREAM_ON) == 0) return;
  set_state(pair, before & TANDEM_STREAM_BANK);
  on_.fetch_sub(1, relaxed);
}

void KernelPath::take_back(std::uint32_t slot) noexcept {
  const FlowGuard guard(*this, slot);
  turn_off(slot / 2);
  add_carried(slot & ~1U);
}

void KernelPath::add_carried(std::uint32_t slot) noexcept {
  const std::uint32_t pair = slot / 2;
  Pair& own = state_of_[pair];
  FlowRecord& flow = (*flows_)[slot];
  if (own.epoch == 0 || flow.seen_epoch.load(relaxed) != own.epoch) return;
  // Of a call that runs, or was closed a moment ago. The record of the next one is begun without
  // the lock.
  const std::uint32_t closed = own.epoch + 1;
  if (const std::uint32_t now = flow.epoch.load(std::memory_order_acquire);
      now != own.epoch && now != closed)
    return;
  const unsigned last = (state(pair) & TANDEM_STREAM_BANK) != 0 ? 1 : 0;
  // The record before this one too: a packet may have been on its way when the state was turned.
  for (const unsigned bank : {0U, 1U}) {
    tandem_stream& from = record(pair, bank);
    CarriedPackets carried;
    // The program counts a packet before its sequence number, so that none seems lost.
    carried.highest_sequence = seen(from.highest_sequence, std::memory_order_acquire);
    carried.packets = seen(from.packets) - own.packets[bank];
    if (const std::uint32_t policed = seen(from.policed); policed != own.policed[bank]) {
      policed_.fetch_add(policed - own.policed[bank], relaxed);
      own.policed[bank] = policed;
    }
    if (carried.packets == 0) continue;
    carried.bytes = seen(from.bytes) - own.bytes[bank];
    carried.last_us = static_cast<std::int64_t>(seen(from.last_ns) / 1000);
    if (bank == last) {
      carried.jitter_q4 = seen(from.jitter_q4);
      carried.transit = seen(from.transit);
      carried.timestamp = seen(from.timestamp);
    } else {  // it may be of an SSRC before
      carried.highest_sequence = flow.highest_sequence.load(relaxed);
      carried.jitter_q4 = flow.jitter_q4.load(relaxed);
      carried.transit = flow.transit.load(relaxed);
      carried.timestamp = flow.timestamp.load(relaxed);
    }
    own.packets[bank] += carried.packets;
    own.bytes[bank] += carried.bytes;
    packets_.fetch_add(carried.packets, relaxed);
    flows_->add_carried(slot, carried);
  }
}

// Nothing: the stream needs more than forwarding, or where it goes is not settled.
std::optional<tandem_stream> KernelPath::wanted(std::uint32_t slot,
                                                std::int64_t now_us) const noexcept {
  const FlowRecord& flow = (*flows_)[slot];
  const std::uint32_t epoch = flow.epoch.load(std::memory_order_acquire);
  if (!FlowRecord::is_open(epoch) || !flow.has_begun(epoch)) return std::nullopt;
  constexpr std::uint32_t more_than_forwarding = FlowRecord::discard | FlowRecord::encrypted |
                                                 FlowRecord::transparent | FlowRecord::handshakes;
  if ((flow.flags.load(relaxed) & more_than_forwarding) != 0) return std::nullopt;
  const Watch& watch = flows_->watch(slot);
  if (watch.tap.load() != nullptr || watch.bridge.load() != nullptr) return std::nullopt;
  const std::uint32_t peer = flow.peer.load(relaxed);
  const FlowRecord& towards = (*flows_)[peer];
  // With ICE even plain media goes to the pair that was selected, not to where the side was heard.
  constexpr std::uint32_t made_for_it = FlowRecord::encrypted | FlowRecord::handshakes;
  if ((towards.flags.load(relaxed) & made_for_it) != 0 || flows_->is_moving(peer, now_us) ||
      flows_->is_moving(slot, now_us))
    return std::nullopt;
  if (flow.packets.load(relaxed) == 0) return std::nullopt;
  const PackedAddress from = flow.latched.load_own();
  const PackedAddress to = flows_->destination_of(peer, now_us);
  if (!from.is_set() || !to.is_set() || from.family != to.family) return std::nullopt;
  if (is_own(from) || is_own(to)) return std::nullopt;  // both ends of it are here
  const std::uint32_t rate_hz = flow.clock_rate_hz.load(relaxed);
  if (rate_hz > clock_rate_max_hz) return std::nullopt;

  tandem_stream stream{};
  std::copy(from.ip.begin(), from.ip.end(), stream.from_ip);
  std::copy(to.ip.begin(), to.ip.end(), stream.to_ip);
  stream.from_port = htons(from.port);
  stream.to_port = htons(to.port);
  stream.out_port = htons(port_of(peer / 2));
  stream.family = from.family == IpAddress::Family::ipv4 ? 4 : 6;
  stream.tos = config_.tos;
  stream.ssrc = htonl(flow.ssrc.load(relaxed));
  stream.base_sequence = flow.base_sequence.load(relaxed);
  stream.highest_sequence = flow.highest_sequence.load(relaxed);
  stream.clock_rate_hz = rate_hz;
  stream.jitter_q4 = flow.jitter_q4.load(relaxed);
  stream.transit = flow.transit.load(relaxed);
  stream.timestamp = flow.timestamp.load(relaxed);
  stream.peer = peer / 2;
  stream.session = static_cast<std::uint32_t>(watch.side.load(relaxed));
  stream.packets_elsewhere = static_cast<std::uint32_t>(flow.packets.load(relaxed));
  // Types that nothing is said of go up: they are counted there (and keys are read).
  const bool is_anything_fine =
      (watch.negotiated[0].load(relaxed) | watch.negotiated[1].load(relaxed)) == 0;
  for (int half = 0; half < 2; ++half)
    stream.types[half] =
        (is_anything_fine ? ~std::uint64_t{0} : watch.negotiated[half].load(relaxed)) &
        ~watch.keys[half].load(relaxed);
  return stream;
}

// For a process that takes the stream over.
void KernelPath::note_judged(std::uint32_t slot) noexcept {
  const std::uint32_t pair = slot / 2;
  const std::uint64_t now = state(pair);
  if ((now & TANDEM_STREAM_ON) == 0) return;
  const unsigned bank = (now & TANDEM_STREAM_BANK) != 0 ? 1 : 0;
  record(pair, bank).packets_elsewhere = static_cast<std::uint32_t>(
      (*flows_)[slot].packets.load(relaxed) - state_of_[pair].packets[bank]);
}

void KernelPath::reconsider(std::uint32_t slot, std::int64_t now_us) noexcept {
  const std::uint32_t pair = slot / 2;
  const FlowRecord& flow = (*flows_)[slot];
  if (!FlowRecord::is_open(flow.epoch.load(std::memory_order_acquire))) return;
  // The way back goes to where this side is.
  const std::uint32_t back = flow.peer.load(relaxed) / 2;
  {
    const FlowGuard guard(*this, 2 * back);
    if (is_on(back)) {
      const tandem_stream& stream = in_force(back);
      if (stream.peer != pair || address_of(stream.to_ip, stream.to_port, stream.family) !=
                                     flows_->destination_of(slot, now_us))
        turn_off(back);
    }
  }
  const FlowGuard guard(*this, slot);
  const std::optional<tandem_stream> stream = wanted(slot, now_us);
  if (!stream) {
    turn_off(pair);
    return;
  }
  const std::uint64_t before = state(pair);
  if ((before & TANDEM_STREAM_ON) != 0) {
    tandem_stream& now = in_force(pair);
    const auto apart =
        static_cast<std::int32_t>(stream->highest_sequence - seen(now.highest_sequence));
    if (is_same_stream(now, *stream) && apart < sequence_apart && apart > -sequence_apart) return;
    turn_off(pair);
  }
  Pair& own = state_of_[pair];
  if (now_us - own.turned_us < record_rest_us) return;  // a packet of later will do
  const unsigned bank = (before & TANDEM_STREAM_BANK) != 0 ? 0 : 1;
  const std::uint32_t epoch = (*flows_)[slot].epoch.load(relaxed);
  if (own.epoch != epoch) {
    own.epoch = epoch;
    const tandem_stream& other = record(pair, 1 - bank);
    own.packets[1 - bank] = other.packets;  // of a call before
    own.bytes[1 - bank] = other.bytes;
    own.policed[1 - bank] = other.policed;
  }
  own.turned_us = now_us;
  own.packets[bank] = own.bytes[bank] = 0;
  own.policed[bank] = 0;
  record(pair, bank) = *stream;
  set_state(pair, TANDEM_STREAM_ON | (bank == 1 ? TANDEM_STREAM_BANK : 0U));
  on_.fetch_add(1, relaxed);
}

std::vector<FoundSession> KernelPath::found() {
  std::vector<FoundSession> sessions;
  if (!are_taken_over_) return sessions;
  std::vector<bool> is_taken(std::size_t{2} * pairs_, false);
  for (std::uint32_t pair = 0; pair < 2 * pairs_; ++pair) {
    if (!is_on(pair)) continue;
    on_.fetch_add(1, relaxed);
    if (is_taken[pair]) continue;
    const tandem_stream& stream = in_force(pair);
    const std::uint32_t peer = stream.peer;
    if (peer >= 2 * pairs_ || peer == pair || is_taken[peer] || peer / pairs_ != pair / pairs_ ||
        stream.family != (pair < pairs_ ? 4 : 6) || ntohs(stream.out_port) != port_of(peer)) {
      turn_off(pair);
      continue;
    }
    // The other direction is of the same call, or of none.
    if (is_on(peer) && in_force(peer).peer != pair) turn_off(peer);
    is_taken[pair] = is_taken[peer] = true;
    FoundSession session;
    const bool is_caller = stream.session == static_cast<std::uint32_t>(MediaSide::caller);
    session.slot[is_caller ? 0 : 1] = 2 * pair;
    session.slot[is_caller ? 1 : 0] = 2 * peer;
    sessions.push_back(session);
  }
  return sessions;
}

void KernelPath::resume(const FoundSession& session) {
  ResumedFlow flows[2];
  for (int side = 0; side < 2; ++side) {
    const std::uint32_t pair = session.slot[side] / 2;
    if (!is_on(pair)) continue;
    const tandem_stream& stream = in_force(pair);
    flows[side].latched = address_of(stream.from_ip, stream.from_port, stream.family);
    flows[side].ssrc = ntohl(stream.ssrc);
    flows[side].base_sequence = stream.base_sequence;
    flows[side].highest_sequence = seen(in_force(pair).highest_sequence);
    flows[side].clock_rate_hz = stream.clock_rate_hz;
    flows[side].packets_before = stream.packets_elsewhere;
    flows[1 - side].signalled = address_of(stream.to_ip, stream.to_port, stream.family);
  }
  for (int side = 0; side < 2; ++side) {
    const std::uint32_t slot = session.slot[side];
    flows_->resume(slot, flows[side]);
    if (!is_on(slot / 2)) continue;
    Pair& own = state_of_[slot / 2];
    own.epoch = (*flows_)[slot].epoch.load(relaxed);
    const unsigned bank = (state(slot / 2) & TANDEM_STREAM_BANK) != 0 ? 1 : 0;
    const tandem_stream& other = record(slot / 2, 1 - bank);
    own.packets[1 - bank] = other.packets;
    own.bytes[1 - bank] = other.bytes;
    own.policed[1 - bank] = other.policed;
    const FlowGuard guard(*this, slot);
    add_carried(slot);
  }
}

void KernelPath::forget(const FoundSession& session) {
  for (const std::uint32_t slot : session.slot)
    take_back(slot);
}

void KernelPath::add_stats(MediaRelayStats& stats) const noexcept {
  stats.streams_in_kernel = on_.load(relaxed);
  stats.packets_in_kernel = packets_.load(relaxed);
  stats.packets_policed = policed_.load(relaxed);
  stats.packets_forwarded += stats.packets_in_kernel;
}

std::string KernelPath::how() const {
  std::string text = bpf::hook_name(hook_);
  for (const Interface& interface : interfaces_)
    text += (&interface == &interfaces_.front() ? " on " : ", ") + interface.name;
  return text;
}

void KernelPath::stop() noexcept {
  if (!is_open_) return;
  is_open_ = false;
  if (states_.at() != nullptr) {
    for (std::uint32_t pair = 0; pair < 2 * pairs_; ++pair)
      set_state(pair, state(pair) & TANDEM_STREAM_BANK);
  }
  on_.store(0, relaxed);
  clear_folder();
  links_.clear();
  ::rmdir(folder_.c_str());
  folder_lock_ = UniqueFd();
}

// Only what is of these ports and of nobody who lives.
void KernelPath::clear_left(const MediaConfig& config) {
  if (!is_bpf_folder(config.kernel.folder)) return;
  KernelPath left(config);
  if (!left.open_folder()) return;
  const auto settings = bpf::open_pinned(left.path("settings"));
  tandem_relay_settings was{}, now{};
  left.write_settings(now);
  const auto shape = settings ? bpf::shape_of(settings->get()) : Error{ErrorCode::not_found, ""};
  if (!shape || *shape != bpf::ArrayShape{sizeof was, 1} ||
      !bpf::read_value(settings->get(), 0, &was) || was.layout != now.layout)
    return;
  const bool has_address = (was.has_families & now.has_families & 1) != 0 && was.own4 == now.own4;
  const bool has_address6 = (was.has_families & now.has_families & 2) != 0 &&
                            std::memcmp(was.own6, now.own6, sizeof now.own6) == 0;
  const bool has_ports = was.port_first < now.port_first + 2 * now.pairs &&
                         now.port_first < was.port_first + 2 * was.pairs;
  left.is_open_ = has_ports && (has_address || has_address6);  // stop() then clears it
}

void clear_kernel(const MediaConfig& config) { KernelPath::clear_left(config); }

std::optional<std::string> why_no_kernel(const MediaConfig& config) {
  if (bpf::object_file().empty())
    return "this build has no program for it, since clang was not found";
  if (config.kernel.interfaces.empty()) return "no network interfaces were named";
  for (const std::string& name : config.kernel.interfaces) {
    if (::if_nametoindex(name.c_str()) == 0) return "network interface " + name + " is not there";
  }
  if (!is_bpf_folder(existing(config.kernel.folder)))
    return config.kernel.folder + " is on no bpf file system (mount -t bpf bpf /sys/fs/bpf)";
  const auto map = bpf::create_array("tandem_probe", 8, 1);
  if (!map) return map.error().message;
  return std::nullopt;
}

Result<std::shared_ptr<RelayCore>> start_kernel(const MediaConfig& config) {
  auto path = KernelPath::open(config);
  if (!path) return Error{ErrorCode::unsupported, "media backend kernel: " + path.error().message};
  return start_sockets(config, std::move(*path));
}

}  // namespace tandem::media
