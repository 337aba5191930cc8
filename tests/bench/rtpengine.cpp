#include "rtpengine.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace tandem::bench {
namespace {

constexpr int ready_tries = 100;  // of 50 ms
constexpr int ready_wait_ms = 50;
constexpr int answer_wait_ms = 5000;

std::string first_line(const std::string& path) {
  char line[128] = "";
  if (FILE* file = std::fopen(path.c_str(), "r")) {
    if (std::fgets(line, sizeof line, file) == nullptr) line[0] = '\0';
    std::fclose(file);
  }
  return line;
}

// Bencoding, in which the ng protocol writes its dictionaries.
std::string coded(std::string_view text) {
  return std::to_string(text.size()) + ':' + std::string(text);
}

std::string description(const std::string& ip, std::uint16_t port) {
  return "v=0\r\no=- 1 1 IN IP4 " + ip + "\r\ns=-\r\nc=IN IP4 " + ip + "\r\nt=0 0\r\nm=audio " +
         std::to_string(port) + " RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n";
}

std::string command(std::string_view name, std::string_view call, const std::string& described,
                    bool has_to_tag) {
  std::string text =
      "d" + coded("ICE") + coded("remove") + coded("call-id") + coded(call) + coded("command") +
      coded(name) + coded("flags") + "l" + coded("trust-address") + "e" + coded("from-tag") +
      coded("a") + coded("replace") + "l" + coded("origin") + "e" + coded("sdp") + coded(described);
  if (has_to_tag) text += coded("to-tag") + coded("b");
  return text + "e";
}

/// A socket connected to a loopback port that nobody has; the number of that port.
int connect_to_free_port(std::uint16_t& port) {
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sockaddr_in free = any;
  socklen_t length = sizeof free;
  const int probe = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const int control = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const bool is_good = ::bind(probe, reinterpret_cast<sockaddr*>(&any), sizeof any) == 0 &&
                       ::getsockname(probe, reinterpret_cast<sockaddr*>(&free), &length) == 0;
  ::close(probe);
  port = ntohs(free.sin_port);
  if (is_good && ::connect(control, reinterpret_cast<sockaddr*>(&free), sizeof free) == 0)
    return control;
  ::close(control);
  return -1;
}

void run_rtpengine(const std::string& interface, const std::string& control_port,
                   const std::string& port_first, const std::string& port_last) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // nobody else would end it
  const int nowhere = ::open("/dev/null", O_RDWR);
  for (const int fd : {0, 1, 2})
    ::dup2(nowhere, fd);
  ::execlp("rtpengine", "rtpengine", "--config-file=none", "--foreground", "--log-stderr",
           "--log-level=1", "--table=-1", "--num-threads=1", interface.c_str(),
           control_port.c_str(), port_first.c_str(), port_last.c_str(), nullptr);
  ::_exit(127);
}

}  // namespace

std::int64_t scheduled_ns(pid_t pid, const std::string& name) {
  std::int64_t sum_ns = 0;
  const std::string folder = "/proc/" + std::to_string(pid) + "/task/";
  DIR* tasks = ::opendir(folder.c_str());
  if (tasks == nullptr) return 0;
  while (const dirent* task = ::readdir(tasks)) {
    const std::string of_task = folder + task->d_name;
    if (task->d_name[0] == '.') continue;
    if (name.empty() || first_line(of_task + "/comm") == name + "\n")
      sum_ns += std::atoll(first_line(of_task + "/schedstat").c_str());
  }
  ::closedir(tasks);
  return sum_ns;
}

std::unique_ptr<Rtpengine> Rtpengine::start(const std::string& own_ip, const std::string& others_ip,
                                            std::uint16_t port_first, std::uint16_t port_last) {
  std::uint16_t control_port = 0;
  const int control = connect_to_free_port(control_port);
  if (control < 0) return nullptr;
  const std::string arguments[] = {
      "--interface=" + own_ip, "--listen-ng=127.0.0.1:" + std::to_string(control_port),
      "--port-min=" + std::to_string(port_first), "--port-max=" + std::to_string(port_last)};
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child == 0) run_rtpengine(arguments[0], arguments[1], arguments[2], arguments[3]);
  if (child < 0) {
    ::close(control);
    return nullptr;
  }
  std::unique_ptr<Rtpengine> started(new Rtpengine(child, control, others_ip));
  for (int i = 0; i < ready_tries; ++i) {
    if (!started->ask("d" + coded("command") + coded("ping") + "e", ready_wait_ms).empty())
      return started;
    if (::waitpid(child, nullptr, WNOHANG) == child) {
      started->pid_ = -1;
      return nullptr;
    }
    ::usleep(ready_wait_ms * 1000);  // a refused datagram is answered at once
  }
  return nullptr;
}

Rtpengine::~Rtpengine() {
  ::close(control_);
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

Rtpengine::Ports Rtpengine::open(std::uint16_t caller_port, std::uint16_t callee_port) {
  const std::string call = "call-" + std::to_string(asked_);
  Ports ports;
  // Each description that comes back is for the other side.
  ports.callee = ask_for_port(command("offer", call, description(others_ip_, caller_port), false));
  ports.caller = ask_for_port(command("answer", call, description(others_ip_, callee_port), true));
  return ports;
}

std::string Rtpengine::ask(const std::string& command, int wait_ms) {
  const std::string cookie = std::to_string(++asked_) + ' ';
  const std::string message = cookie + command;
  if (::send(control_, message.data(), message.size(), 0) < 0) return {};
  std::array<char, 65536> bytes;
  pollfd readable{control_, POLLIN, 0};
  while (::poll(&readable, 1, wait_ms) > 0) {
    const ssize_t size = ::recv(control_, bytes.data(), bytes.size(), 0);
    if (size < 0) return {};
    const std::string_view answer(bytes.data(), static_cast<std::size_t>(size));
    if (answer.starts_with(cookie)) return std::string(answer.substr(cookie.size()));
  }
  return {};
}

std::uint16_t Rtpengine::ask_for_port(const std::string& command) {
  constexpr std::string_view line = "m=audio ";
  const std::string answer = ask(command, answer_wait_ms);
  const std::size_t at = answer.find(line);
  std::uint16_t port = 0;
  if (at != std::string::npos)
    std::from_chars(answer.data() + at + line.size(), answer.data() + answer.size(), port);
  return port;
}

}  // namespace tandem::bench
