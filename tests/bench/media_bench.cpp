// What the relay's threads spend on a packet, how long it stays in the relay, what opening ports
// costs. The load comes from this thread, over loopback or over a cable; rtpengine, where it is
// installed, gets the same load in the same run.
#include <sched.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "bench.hpp"
#include "media/backend.hpp"
#include "media_load.hpp"
#include "support/bpf_folder.hpp"
#include "support/network_pair.hpp"
#include "tandem/media_relay.hpp"

namespace tandem::bench {
namespace {

TANDEM_BENCH("media.portable_ns_per_packet", "ns") {
  const Place place;
  const Compared compared = compare(place, std::span(&portable, 1), load_calls);
  const Compared::Row& row = compared.rows.front();
  std::string detail =
      "{\"calls\":" + std::to_string(load_calls) + ",\"shards\":1,\"rounds\":" + to_json(row.ours);
  if (compared.has_peer) {
    char text[128];
    std::snprintf(text, sizeof text,
                  ",\"peer\":{\"name\":\"rtpengine user space\",\"ns\":%.0f},\"ratio\":%.3f",
                  median_ns(row.theirs), median_ns(row.ours) / median_ns(row.theirs));
    detail += text + (",\"peer_rounds\":" + to_json(row.theirs));
  } else {
    detail += ",\"peer\":null,\"peer_missing\":\"rtpengine is not installed\"";
  }
  return Figure{median_ns(row.ours), detail + "}"};
}

std::string detail_of(const Compared& compared, std::size_t calls) {
  return "{\"calls\":" + std::to_string(calls) + ",\"shards\":1,\"kinds\":" + compared.to_json() +
         ",\"peer\":" + (compared.has_peer ? "{\"name\":\"rtpengine user space\"}}" : "null}");
}

const Kind fast_kinds[] = {portable, fast_by_uring, fast_by_sk_lookup};

// The value is that of the fast backend: the last kind that can be used.
Figure compare_fast(const Place& place, std::size_t calls) {
  const Compared compared = compare(place, fast_kinds, calls);
  for (const Kind& kind : {fast_by_sk_lookup, fast_by_uring}) {
    if (const Compared::Row* const row = compared.find(kind.name))
      return Figure{median_ns(row->ours), detail_of(compared, calls)};
  }
  return Figure::skipped("no kind of the fast backend can be used here");
}

TANDEM_BENCH("media.fast_ns_per_packet", "ns") { return compare_fast(Place(), load_calls); }
TANDEM_BENCH("media.fast_ns_per_packet_1500_calls", "ns") { return compare_fast(Place(), 1500); }

/// Who receives what comes in at the far end of a virtual cable.
enum class FarEnd {
  itself,     ///< The processor of the load, as another machine would.
  in_passing  ///< Who sends, in its own time, which is how such a cable is made.
};

bool make_far_end_receive(const test::NetworkPair& pair, const Place& place) {
  char command[256];
  std::snprintf(command, sizeof command,
                "unshare --mount sh -c 'mount -t sysfs sysfs /sys && "
                "echo %x >/sys/class/net/tp0/queues/rx-0/rps_cpus'",
                1U << place.load_processor());
  bool is_set = false;
  pair.in_far([&] { is_set = test::NetworkPair::run(command); });
  return is_set;
}

/// On a thread whose network may be changed.
template <class Act>
Figure over_cable(FarEnd far_end, Act&& act) {
  std::optional<Figure> figure;
  std::thread([&] {
    const test::NetworkPair pair({"tr0", {"10.79.0.1/24"}}, {"tp0", {"10.79.0.2/24"}});
    if (!pair.why_not().empty()) {
      figure = Figure::skipped(pair.why_not());
      return;
    }
    try {
      const Place place(pair, "10.79.0.1", "10.79.0.2");
      const bool is_ready = far_end == FarEnd::in_passing || make_far_end_receive(pair, place);
      figure = is_ready ? act(place)
                        : Figure::skipped("needs receive packet steering (RPS) and unshare");
    } catch (const std::exception& refused) {
      figure = Figure::skipped(refused.what());
    }
  }).join();
  return *figure;
}

// As between two machines: what sk_lookup takes leaves by Ethernet frames.
TANDEM_BENCH("media.fast_cable_ns_per_packet", "ns") {
  return over_cable(FarEnd::itself,
                    [](const Place& place) { return compare_fast(place, load_calls); });
}
TANDEM_BENCH("media.fast_cable_ns_per_packet_1500_calls", "ns") {
  return over_cable(FarEnd::itself, [](const Place& place) { return compare_fast(place, 1500); });
}
TANDEM_BENCH("media.fast_cable_with_far_end_ns_per_packet", "ns") {
  return over_cable(FarEnd::in_passing,
                    [](const Place& place) { return compare_fast(place, load_calls); });
}

MediaConfig at_interface(MediaConfig config, const char* interface) {
  config.kernel.interfaces = {interface};
  config.kernel.attach = MediaAttach::tc;
  config.kernel.folder = "/sys/fs/bpf/tandem-bench-" + std::to_string(::getpid());
  return config;
}
const Kind kernel_at_cable = {
    "kernel", [] { return media::why_no_kernel(at_interface({}, "tr0")); },
    [](const MediaConfig& config) { return media::start_kernel(at_interface(config, "tr0")); }};

// All that a packet costs, with what makes the load, in whose time the program works; and the same
// of the portable backend.
TANDEM_BENCH("media.kernel_cable_ns_per_packet", "ns") {
  return over_cable(FarEnd::in_passing, [](const Place& place) {
    test::have_bpf_file_system();
    const Kind kinds[] = {portable, kernel_at_cable};
    const Compared compared = compare(place, kinds, load_calls);
    const Compared::Row* const row = compared.find(kernel_at_cable.name);
    if (row == nullptr) return Figure::skipped(compared.rows.back().not_run);
    return Figure{median_all_ns(row->ours), detail_of(compared, load_calls)};
  });
}

// A packet also waits while other programs have the processors, of the load and of the relay; the
// best round is the one in which they had least.
TANDEM_BENCH("media.latency_p99_us", "us") {
  const Place place;
  OwnRelay relay(place, portable, load_calls);
  place.go_to_load();
  Load load(place, relay, load_calls);
  load.run(warm_up_s);
  Rounds measured;
  for (Round& round : measured)
    round = measure(load);
  const Round& best =
      *std::min_element(measured.begin(), measured.end(),
                        [](const Round& a, const Round& b) { return a.p99_us < b.p99_us; });
  return Figure{best.p99_us, "{\"calls\":" + std::to_string(load_calls) +
                                 ",\"shards\":1,\"rounds\":" + to_json(measured) + "}"};
}

/// Opens and closes pairs that were made ready.
Figure open_pairs(const Kind& kind, bool needs_files) {
  if (const std::optional<std::string> why_not = kind.why_not()) return Figure::skipped(*why_not);
  raise_file_limit();
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  // Two files for a pair; what the limit leaves is opened in one go and scaled.
  const std::size_t pairs = (needs_files ? std::min<std::size_t>(10'000, (files.rlim_cur - 200) / 2)
                                         : std::size_t{10'000}) &
                            ~std::size_t{1};
  MediaConfig config;
  config.address = IpAddress::ipv4(127, 0, 0, 1);
  config.port_first = 1024;
  config.port_last = 65535;
  config.ready_pairs = static_cast<unsigned>(pairs);
  const std::int64_t bind_began_ns = time_ns(CLOCK_MONOTONIC);
  auto core = kind.start(config);
  if (!core) throw std::runtime_error(core.error().message);
  MediaRelay relay(std::move(core).value());
  const std::int64_t bind_ns = time_ns(CLOCK_MONOTONIC) - bind_began_ns;
  std::vector<MediaSession> sessions;
  sessions.reserve(pairs / 2);
  const std::int64_t began_ns = time_ns(CLOCK_THREAD_CPUTIME_ID);
  while (sessions.size() < pairs / 2) {
    auto session = relay.open();
    if (!session) break;
    sessions.push_back(std::move(session).value());
  }
  const std::int64_t open_ns = time_ns(CLOCK_THREAD_CPUTIME_ID) - began_ns;
  const std::size_t opened = std::max<std::size_t>(2 * sessions.size(), 1);
  const std::int64_t close_began_ns = time_ns(CLOCK_THREAD_CPUTIME_ID);
  sessions.clear();
  const std::int64_t close_ns = time_ns(CLOCK_THREAD_CPUTIME_ID) - close_began_ns;
  return Figure{static_cast<double>(open_ns) / 1e6 * 10'000 / static_cast<double>(opened),
                "{\"kind\":\"" + std::string(kind.name) + "\",\"pairs\":" + std::to_string(opened) +
                    ",\"close_us\":" + std::to_string(close_ns / 1000) +
                    ",\"bound_ahead_ms\":" + std::to_string(bind_ns / 1'000'000) + "}"};
}

TANDEM_BENCH("media.open_10k_pairs_ms", "ms") { return open_pairs(portable, true); }
TANDEM_BENCH("media.fast_open_10k_pairs_ms", "ms") { return open_pairs(fast_by_sk_lookup, false); }

const Kind kernel = {
    "kernel", [] { return media::why_no_kernel(at_interface({}, "lo")); },
    [](const MediaConfig& config) { return media::start_kernel(at_interface(config, "lo")); }};

// On a thread in a network of its own, whose loopback gets the program.
TANDEM_BENCH("media.kernel_open_10k_pairs_ms", "ms") {
  std::optional<Figure> figure;
  std::thread([&figure] {
    try {
      test::have_bpf_file_system();
      figure = ::unshare(CLONE_NEWNET) == 0 && std::system("ip link set lo up 2>/dev/null") == 0
                   ? open_pairs(kernel, true)
                   : Figure::skipped("needs network namespaces and ip");
    } catch (const std::exception& refused) {
      figure = Figure::skipped(refused.what());
    }
  }).join();
  return *figure;
}

std::int64_t kernel_memory_kb() {
  std::FILE* const file = std::fopen("/proc/meminfo", "r");
  if (file == nullptr) return 0;
  char line[128];
  std::int64_t sum = 0;
  while (std::fgets(line, sizeof line, file) != nullptr) {
    long long kb = 0;
    if (std::sscanf(line, "Slab: %lld", &kb) == 1 || std::sscanf(line, "Percpu: %lld", &kb) == 1)
      sum += kb;
  }
  std::fclose(file);
  return sum;
}
std::int64_t own_memory_kb() {
  std::FILE* const file = std::fopen("/proc/self/statm", "r");
  if (file == nullptr) return 0;
  long long all = 0, resident = 0;
  if (std::fscanf(file, "%lld %lld", &all, &resident) != 2) resident = 0;
  std::fclose(file);
  return resident * ::sysconf(_SC_PAGESIZE) / 1024;
}

// Ports that are ready, of the process and, as near as the whole machine tells, of the kernel.
Figure memory_per_call(const Kind& kind) {
  constexpr std::size_t calls = 2000;
  if (const std::optional<std::string> why_not = kind.why_not()) return Figure::skipped(*why_not);
  const std::int64_t kernel_kb = kernel_memory_kb();
  const std::int64_t own_kb = own_memory_kb();
  OwnRelay relay(Place(), kind, calls);
  for (std::size_t i = 0; i < calls; ++i)
    (void)relay.open(9, 9);
  const std::int64_t kernel_bytes = (kernel_memory_kb() - kernel_kb) * 1024;
  const std::int64_t own_bytes = (own_memory_kb() - own_kb) * 1024;
  return Figure{static_cast<double>(kernel_bytes + own_bytes) / calls,
                "{\"kind\":\"" + std::string(kind.name) + "\",\"calls\":" + std::to_string(calls) +
                    ",\"process\":" + std::to_string(own_bytes / calls) +
                    ",\"kernel\":" + std::to_string(kernel_bytes / calls) + "}"};
}

TANDEM_BENCH("media.portable_bytes_per_call", "B") { return memory_per_call(portable); }
TANDEM_BENCH("media.fast_uring_bytes_per_call", "B") { return memory_per_call(fast_by_uring); }
TANDEM_BENCH("media.fast_bytes_per_call", "B") { return memory_per_call(fast_by_sk_lookup); }

}  // namespace
}  // namespace tandem::bench
