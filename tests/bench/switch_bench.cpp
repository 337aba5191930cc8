// The whole switch in a process of its own, called over loopback sockets by the generator of
// tandem-load.
#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "bench.hpp"
#include "generator.hpp"
#include "port.hpp"
#include "tandem/switch.hpp"

namespace tandem::bench {
namespace {

namespace fs = std::filesystem;

constexpr const char* customer_ip = "127.0.0.2";

sockaddr_in loopback(const char* ip, std::uint16_t port = 0) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  inet_pton(AF_INET, ip, &address.sin_addr);
  return address;
}

std::uint16_t free_port() {
  load::Port probe;
  return probe.open(loopback("127.0.0.1")) ? ntohs(probe.local().sin_port) : std::uint16_t{0};
}

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (fs::temp_directory_path() / "tandem-bench-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// A process under load, and what it and its children used.
class Target {
 public:
  explicit Target(pid_t pid) : pid_(pid) {}
  ~Target() {
    if (pid_ <= 0) return;
    kill(-pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;

  /// User and system time of the process group, in us; ticks of 10 ms.
  [[nodiscard]] double cpu_us() const {
    double sum = 0;
    for (const auto& entry : fs::directory_iterator("/proc")) {
      const std::string process = entry.path().filename().string();
      if (process.find_first_not_of("0123456789") != std::string::npos) continue;
      std::ifstream file(entry.path() / "stat");
      std::string text{std::istreambuf_iterator<char>(file), {}};
      const std::size_t name_end = text.rfind(')');
      if (name_end == std::string::npos) continue;
      std::istringstream fields(text.substr(name_end + 2));
      const std::vector<std::string> all(std::istream_iterator<std::string>{fields},
                                         std::istream_iterator<std::string>{});
      // After the name: state, parent, group, ...; user time and system time are 11 and 12.
      if (all.size() < 13 || std::atoi(all[2].c_str()) != pid_) continue;
      sum += std::atof(all[11].c_str()) + std::atof(all[12].c_str());
    }
    return sum * 1e6 / static_cast<double>(sysconf(_SC_CLK_TCK));
  }
  [[nodiscard]] double rss_bytes() const {
    std::ifstream file("/proc/" + std::to_string(pid_) + "/statm");
    double pages = 0;
    file >> pages >> pages;
    return pages * static_cast<double>(sysconf(_SC_PAGESIZE));
  }

 private:
  pid_t pid_;
};

std::string configuration(std::uint16_t sip_port, std::uint16_t vendor_port, int mark_s) {
  std::ostringstream out;
  out << R"({"sip": {"listen": ["udp:127.0.0.1:)" << sip_port << R"("]},
 "media": {"address": "127.0.0.1", "ports": [61000, 61199]}, "parameters": {"media_mode": "off", "interim_mark_s": )"
      << mark_s << R"(},
 "provision": {
  "accounts": [{"id": "acme", "balance": "1000000", "rate_deck": "retail"},
               {"id": "clearing", "kind": "clearing", "rate_deck": "cost"}],
  "rate_decks": [{"id": "retail", "rates": [{"prefix": "44", "price": "0.60"}]},
                 {"id": "cost", "rates": [{"prefix": "44", "price": "0.30"}]}],
  "customer_gateways": [{"id": "cust", "addresses": [")"
      << customer_ip << R"("], "account": "acme"}],
  "vendor_gateways": [)";
  // The one that is tried, and fifty that routing has to look at and put behind it.
  out << R"({"id": "v0", "addresses": ["127.0.0.1:)" << vendor_port
      << R"("], "prefixes": ["44"], "account": "clearing"})";
  for (int i = 1; i <= 50; ++i) {
    out << R"(,{"id": "v)" << i
        << R"(", "addresses": ["127.0.0.1:9"], "prefixes": ["44"], "priority": )" << i
        << R"(, "account": "clearing"})";
  }
  out << "]}}";
  return out.str();
}

/// A switch in a child process; the child is made before it has threads.
pid_t start_switch(const std::string& folder, std::uint16_t sip_port, std::uint16_t vendor_port,
                   int mark_s = 10) {
  int ready[2];
  if (pipe2(ready, O_CLOEXEC) != 0) return -1;
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // nobody else would end it
    const ConfigReading reading = read_config(configuration(sip_port, vendor_port, mark_s), folder);
    if (!reading.errors.empty()) {
      std::fprintf(stderr, "%s: %s\n", reading.errors[0].pointer.c_str(),
                   reading.errors[0].message.c_str());
      _exit(2);
    }
    auto made = Switch::create(reading.config);
    if (!made) {
      std::fprintf(stderr, "%s\n", made.error().message.c_str());
      _exit(1);
    }
    if (!(*made)->start()) _exit(1);
    if (write(ready[1], "r", 1) != 1) _exit(1);
    for (;;)
      pause();
  }
  setpgid(child, child);
  close(ready[1]);
  char byte = 0;
  const bool is_ready = read(ready[0], &byte, 1) == 1;
  close(ready[0]);
  if (is_ready) return child;
  if (child > 0) waitpid(child, nullptr, 0);
  return -1;
}

pid_t start_kamailio(const std::string& folder, std::uint16_t sip_port, std::uint16_t vendor_port) {
  const std::string file = folder + "/kamailio.cfg";
  std::ofstream(file)
      << "listen=udp:127.0.0.1:" << sip_port << "\nchildren=1\ndisable_tcp=yes\n"
      << "log_stderror=yes\ndebug=-1\nloadmodule \"tm.so\"\nloadmodule \"rr.so\"\n"
      << "loadmodule \"pv.so\"\nloadmodule \"textops.so\"\nloadmodule \"siputils.so\"\nloadmodule "
         "\"sl.so\"\n"
      << "request_route {\n  if (has_totag()) { if (loose_route()) t_relay(); exit; }\n"
      << "  record_route();\n  $du = \"sip:127.0.0.1:" << vendor_port << "\";\n  t_relay();\n}\n";
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);  // nobody else would end it
    const int nowhere = open("/dev/null", O_RDWR);
    for (const int fd : {0, 1, 2})
      dup2(nowhere, fd);
    const std::string pid_file = folder + "/kamailio.pid";
    execlp("kamailio", "kamailio", "-DD", "-E", "-f", file.c_str(), "-m", "512", "-M", "16", "-Y",
           folder.c_str(), "-P", pid_file.c_str(), nullptr);
    _exit(127);
  }
  setpgid(child, child);
  // It says nothing when it is ready, so it is asked until it answers or has ended.
  load::Port probe;
  (void)probe.open(loopback("127.0.0.1"));
  for (int i = 0; i < 100; ++i) {
    if (waitpid(child, nullptr, WNOHANG) == child) return -1;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    probe.send(
        loopback("127.0.0.1", sip_port),
        "OPTIONS sip:x@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP " + load::to_text(probe.local()) +
            ";branch=z9hG4bKready\r\nFrom: <sip:x@127.0.0.1>;tag=1\r\nTo: "
            "<sip:x@127.0.0.1>;tag=2\r\n"
            "Call-ID: ready\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 0\r\nContent-Length: 0\r\n\r\n");
    probe.flush();
    if (i >= 20) return child;  // a proxy may drop what it cannot route: a second is enough
    if (probe.receive([](std::string_view, const sockaddr_in&) {}) > 0) return child;
  }
  return child;
}

struct Run {
  double rate = 0, us_per_call = 0;
  load::Report report;
  [[nodiscard]] bool is_clean() const {
    return report.started > 0 && report.completed == report.started &&
           report.retransmissions * 1000 <= report.started;
  }
};

load::Options load_options(std::uint16_t sip_port, std::uint16_t vendor_port, double rate) {
  load::Options options;
  options.target = loopback("127.0.0.1", sip_port);
  options.from = loopback(customer_ip);
  options.uas = loopback("127.0.0.1", vendor_port);
  options.calls_per_s = rate;
  options.patience_us = 0;
  return options;
}

Run measure(const Target& target, std::uint16_t sip_port, std::uint16_t vendor_port, double rate,
            double run_s = std::max(3.0, 4 * seconds())) {
  Run run;
  run.rate = rate;
  load::Options options = load_options(sip_port, vendor_port, rate);
  options.seconds = run_s;
  auto generator = load::Generator::open(options);
  if (!generator) return run;
  const double before_us = target.cpu_us();
  run.report = generator->run();
  run.us_per_call = (target.cpu_us() - before_us) /
                    static_cast<double>(std::max<std::uint64_t>(1, run.report.completed));
  return run;
}

std::string to_json(const Run& run) {
  char text[256];
  std::snprintf(text, sizeof text,
                "{\"cps\":%.0f,\"us\":%.1f,\"calls\":%llu,\"failed\":%llu,\"retransmissions\":%llu,"
                "\"setup_p50_us\":%lld,\"setup_p99_us\":%lld}",
                run.rate, run.us_per_call, static_cast<unsigned long long>(run.report.completed),
                static_cast<unsigned long long>(run.report.failures()),
                static_cast<unsigned long long>(run.report.retransmissions),
                static_cast<long long>(run.report.setup.percentile(0.5)),
                static_cast<long long>(run.report.setup.percentile(0.99)));
  return text;
}

std::string to_json(const std::vector<Run>& runs) {
  std::string out = "[";
  for (const Run& run : runs) {
    if (out.size() > 1) out += ',';
    out += to_json(run);
  }
  return out + "]";
}

constexpr double rates[] = {500, 1000, 2000, 4000, 5000};

std::vector<Run> measure_rates(const Target& target, std::uint16_t sip_port,
                               std::uint16_t vendor_port) {
  std::vector<Run> runs;
  for (const double rate : rates) {
    runs.push_back(measure(target, sip_port, vendor_port, rate));
    if (!runs.back().is_clean()) break;
  }
  return runs;
}

/// The one at the highest clean rate; null when none was clean.
const Run* best(const std::vector<Run>& runs) {
  const Run* found = nullptr;
  for (const Run& run : runs) {
    if (run.is_clean()) found = &run;
  }
  return found;
}

TANDEM_BENCH("sip.b2bua_cpu_us_per_call", "us") {
  const TemporaryFolder folder;
  const std::uint16_t sip_port = free_port();
  const std::uint16_t vendor_port = free_port();
  std::vector<Run> ours, theirs;
  {
    const pid_t pid = start_switch(folder.path(), sip_port, vendor_port);
    if (pid < 0) return Figure::skipped("the switch did not start");
    const Target target(pid);
    ours = measure_rates(target, sip_port, vendor_port);
  }
  const std::uint16_t proxy_port = free_port();
  if (const pid_t pid = start_kamailio(folder.path(), proxy_port, vendor_port); pid > 0) {
    const Target target(pid);
    theirs = measure_rates(target, proxy_port, vendor_port);
  }
  const Run* const value = best(ours);
  if (value == nullptr) return Figure::skipped("no rate was clean: " + to_json(ours));
  std::string detail = "{\"cps\":" + std::to_string(static_cast<int>(value->rate)) +
                       ",\"workers\":1,\"vendors\":51,\"rates\":" + to_json(ours);
  // Compared at the highest rate that both carried.
  const Run* both_ours = nullptr;
  const Run* both_theirs = nullptr;
  for (std::size_t i = 0; i < std::min(ours.size(), theirs.size()); ++i) {
    if (!ours[i].is_clean() || !theirs[i].is_clean()) continue;
    both_ours = &ours[i];
    both_theirs = &theirs[i];
  }
  if (both_theirs != nullptr) {
    char text[160];
    std::snprintf(text, sizeof text,
                  ",\"peer\":{\"name\":\"kamailio record-route proxy\",\"cps\":%.0f,\"us\":%.1f},"
                  "\"ratio\":%.3f",
                  both_theirs->rate, both_theirs->us_per_call,
                  both_ours->us_per_call / both_theirs->us_per_call);
    detail += text;
  }
  detail += theirs.empty() ? std::string(",\"peer\":null") : ",\"peer_rates\":" + to_json(theirs);
  return Figure{value->us_per_call, detail + "}"};
}

TANDEM_BENCH("sip.setup_delay_p99_us", "us") {
  const TemporaryFolder folder;
  const std::uint16_t sip_port = free_port();
  const std::uint16_t vendor_port = free_port();
  const pid_t pid = start_switch(folder.path(), sip_port, vendor_port);
  if (pid < 0) return Figure::skipped("the switch did not start");
  const Target target(pid);
  const Run run = measure(target, sip_port, vendor_port, 1000);
  if (run.report.completed == 0) return Figure::skipped("no call completed");
  return Figure{static_cast<double>(run.report.setup.percentile(0.99)), to_json(run)};
}

void run_short_calls(std::uint16_t sip_port, std::uint16_t vendor_port, std::uint64_t calls,
                     double rate) {
  load::Options options = load_options(sip_port, vendor_port, rate);
  options.calls = calls;
  auto generator = load::Generator::open(options);
  if (generator) (void)generator->run();
}

/// All threads of a process, on the last of its processors.
bool keep_to_one_core(pid_t pid) {
  cpu_set_t allowed;
  if (sched_getaffinity(pid, sizeof allowed, &allowed) != 0) return false;
  cpu_set_t last;
  CPU_ZERO(&last);
  for (int core = CPU_SETSIZE - 1; core >= 0; --core) {
    if (!CPU_ISSET(core, &allowed)) continue;
    CPU_SET(core, &last);
    break;
  }
  bool is_kept = true;
  for (const auto& thread : fs::directory_iterator("/proc/" + std::to_string(pid) + "/task")) {
    const pid_t id = std::stoi(thread.path().filename().string());
    is_kept = sched_setaffinity(id, sizeof last, &last) == 0 && is_kept;
  }
  return is_kept;
}

// The whole switch on one processor, its writer and its sinks too, for a minute: long enough for
// transactions that ended to come and go.
TANDEM_BENCH("sip.one_core_calls_per_s", "calls/s") {
  constexpr double rate = 5'000;
  const TemporaryFolder folder;
  const std::uint16_t sip_port = free_port();
  const std::uint16_t vendor_port = free_port();
  const pid_t pid = start_switch(folder.path(), sip_port, vendor_port);
  if (pid < 0) return Figure::skipped("the switch did not start");
  const Target target(pid);
  if (!keep_to_one_core(pid)) return Figure::skipped("the switch could not be kept to one core");
  const double run_s = 60 * seconds();
  const Run run = measure(target, sip_port, vendor_port, rate, run_s);
  if (!run.is_clean()) return Figure::skipped("calls failed: " + to_json(run));
  char share[64];
  std::snprintf(share, sizeof share, ",\"core_used_percent\":%.0f}",
                run.us_per_call * rate / 10'000);
  std::string detail = to_json(run);
  detail.replace(detail.size() - 1, 1, share);
  return Figure{static_cast<double>(run.report.completed) / run_s, detail};
}

struct HeldCalls {
  double with_set_up_bytes = 0;  // of one, while the transactions of its set-up are there
  double bytes = 0;              // of one, once those have ended; 0: no call was answered
  double kept_bytes = 0;         // of one, once those of its end have ended too
};

constexpr std::chrono::seconds transactions_end(34);  // 64*T1, and until pools have rested

/// What calls add that are up and stay up for a while.
HeldCalls measure_held_calls(const Target& target, std::uint16_t sip_port,
                             std::uint16_t vendor_port) {
  constexpr std::uint64_t calls = 10'000;
  constexpr std::uint64_t calls_per_s = 1500;
  constexpr std::chrono::seconds set_up(calls / calls_per_s + 4);
  load::Options options = load_options(sip_port, vendor_port, calls_per_s);
  options.calls = calls;
  options.hold_us = std::chrono::microseconds(set_up + transactions_end).count();
  auto generator = load::Generator::open(options);
  HeldCalls held;
  if (!generator) return held;
  const double before = target.rss_bytes();
  double with_set_up = 0;
  double up = 0;
  std::thread watcher([&] {
    std::this_thread::sleep_for(set_up);
    with_set_up = target.rss_bytes();
    std::this_thread::sleep_for(transactions_end - std::chrono::seconds(1));
    up = target.rss_bytes();
  });
  const load::Report report = generator->run();
  watcher.join();
  std::this_thread::sleep_for(transactions_end);
  if (report.answered == 0) return held;
  const auto count = static_cast<double>(report.answered);
  held.with_set_up_bytes = (with_set_up - before) / count;
  held.bytes = (up - before) / count;
  held.kept_bytes = (target.rss_bytes() - before) / count;
  return held;
}

// A call that is up is its two dialogs and what it owes; the transactions of its set-up end after
// 32 s (RFC 6026), and their memory goes back. So the figure is taken then, in a process whose
// buffers of fixed size have been gone round once.
TANDEM_BENCH("sip.live_call_bytes", "B") {
  const std::uint16_t sip_port = free_port();
  const std::uint16_t vendor_port = free_port();
  const TemporaryFolder folder;
  constexpr int mark_s = 600;  // no marks, which would keep the sinks from coming to rest
  const pid_t pid = start_switch(folder.path(), sip_port, vendor_port, mark_s);
  if (pid < 0) return Figure::skipped("the switch did not start");
  const Target target(pid);
  constexpr std::uint64_t short_calls = 25'000;
  // At rest before, too: what a start has left behind must not count in anybody's favour.
  run_short_calls(sip_port, vendor_port, 500, 500);
  std::this_thread::sleep_for(transactions_end);
  const double before = target.rss_bytes();
  run_short_calls(sip_port, vendor_port, short_calls, 2000);
  const double with_transactions = (target.rss_bytes() - before) / static_cast<double>(short_calls);
  std::this_thread::sleep_for(transactions_end);
  const double of_ended = (target.rss_bytes() - before) / static_cast<double>(short_calls);
  const HeldCalls held = measure_held_calls(target, sip_port, vendor_port);
  if (held.bytes == 0) return Figure::skipped("no call was answered");
  char detail[256];
  std::snprintf(detail, sizeof detail,
                "{\"live\":10000,\"with_transactions_of_set_up\":%.0f,"
                "\"34_s_after_the_end_of_them\":%.0f,\"at_the_end_of_25000_short\":%.0f,"
                "\"34_s_after_the_end_of_25000\":%.0f}",
                held.with_set_up_bytes, held.kept_bytes, with_transactions, of_ended);
  return Figure{held.bytes, detail};
}

}  // namespace
}  // namespace tandem::bench
